//! Sign-ups over HTTP.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{Basis, Ending, Signup, SignupState};
use super::penalty::model::Ground;
use super::registrar::{Act, Excuse, Registrar, Request};
use super::snapshot::{PLACES, Snapshots};
use super::{rules, store, waiting};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PartyId, PersonId, QuotaId, ReviewId, SignupId, SubjectId};
use crate::offering;
use crate::offering::model::AttendanceRole;
use crate::offering::views::ActivityDetail;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{OwnData, RosterRead};
use crate::platform::db::Conn;
use crate::platform::http::extract::RequestKey;
use crate::platform::http::idempotency::Use;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;
use crate::review;
use crate::review::chain::Answers;
use crate::review::form;

/// A person's request for a place.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignupView {
    /// Its id.
    pub id: SignupId,
    /// For what.
    pub activity_id: ActivityId,
    /// For what.
    #[schema(max_length = 120, example = "电工技能提升班（平湖）")]
    pub activity_title: String,
    /// Where in its life it is.
    pub state: SignupState,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<Ending>,
    /// As what the person takes part.
    pub role: AttendanceRole,
    /// Which sign-up of the activity it was, from 1.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub number: i64,
    /// The quota whose place is used, kept or waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_id: Option<QuotaId>,
    /// Those who wait together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_id: Option<PartyId>,
    /// Place in the queue, from 1, of somebody who waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub position: Option<i64>,
    /// What the past says of this place in the queue; nothing with too little of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<ChanceView>,
    /// Until when a place is kept for the person, who must answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<DateTime<Utc>>,
    /// The request that the desk decides, or has decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ReviewId>,
    /// On what basis staff signed the person up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// In how many of the past activities of the programme somebody at this place in the queue got a place.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ChanceView {
    /// Past activities with a waiting list.
    #[schema(minimum = 3, maximum = 50)]
    pub activities: i64,
    /// Those in which this place in the queue got a place.
    #[schema(minimum = 0, maximum = 50)]
    pub reached: i64,
}

impl SignupView {
    /// The sign-up for the activity with `title`.
    pub fn new(row: Signup, title: String) -> Self {
        Self {
            id: row.id,
            activity_id: row.activity_id,
            activity_title: title,
            state: row.state,
            ended_because: row.ended_because,
            role: row.role,
            number: row.number,
            quota_id: row.quota_id,
            party_id: row.party_id,
            position: None,
            chance: None,
            answer_by: None,
            review_id: None,
            basis: row.basis,
            created_at: row.created_at.and_utc(),
            cancelled_at: row.cancelled_at.map(|at| at.and_utc()),
        }
    }

    /// The sign-up with where it stands in the queue, or until when the person must answer.
    pub fn standing(conn: &mut Conn, row: Signup, title: String) -> Result<Self> {
        let mut view = Self::new(row.clone(), title);
        if row.state == SignupState::Waiting {
            let position = waiting::ahead_of(conn, &row)? + 1;
            let programme = offering::store::activity_get(conn, row.activity_id)?.activity.programme_id;
            view.position = Some(position);
            view.chance = rules::chance(position, &waiting::moved_up(conn, programme)?)
                .map(|chance| ChanceView { activities: chance.activities, reached: chance.reached });
        }
        if row.state == SignupState::Offered {
            view.answer_by = waiting::open_offer(conn, row.id)?.map(|offer| offer.expires_at.and_utc());
        }
        // Whoever was refused may want to appeal.
        let refused = matches!(row.ended_because, Some(Ending::Rejected | Ending::Lapsed));
        if row.state == SignupState::Applied || refused {
            view.review_id = review::store::of_subject(conn, SubjectId(row.id.0))?.map(|review| review.id);
        }
        Ok(view)
    }
}

/// A wish to take part.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct SignupInput {
    /// Answers to what `activity_form_get` asks for, by field; of an activity whose places the desk gives.
    #[serde(default)]
    #[schema(schema_with = form::schema, required = false)]
    pub form: Answers,
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ActInput {}

/// Sign up for an activity / 报名
///
/// Places are given in the order of arrival. `state` says what one has: `confirmed` a place, `waiting` a place in the
/// queue at `position`, `entered` a lot in the shuffle of those who come in the first minutes, `applied` a request
/// `review_id` that the desk decides: then `form` has what `activity_form_get` asks for. Refusals: `signup_full`
/// (naming the quota that is used up), `signup_not_yet_open`, `signup_closed`, `signup_duplicate`, `signup_not_covered`,
/// `signup_clash`, `signup_not_direct`.
#[utoipa::path(
    tag = "signup", operation_id = "signup_create", security(("bearer" = ["self"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SignupInput,
    responses((status = 201, description = "The person has a place", body = SignupView)),
)]
#[post("/api/v1/activities/{id}/signups")]
pub async fn signup_create(
    platform: Data<Platform>,
    registrar: Data<Registrar>,
    snapshots: Data<Snapshots>,
    guard: Guard<OwnData>,
    id: ApiPath<ActivityId>,
    body: Idempotent<SignupInput>,
) -> Result<Stored> {
    let act = Act::Create { activity: id.0, form: body.body.form };
    ask(&platform, &registrar, &snapshots, guard.person(), body.key, act).await
}

/// A sign-up to give up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ground": "illness", "text": "发烧，已就诊"}))]
pub struct CancelInput {
    /// Why, of a place that is given back late. Illness weighs nothing until it is judged.
    pub ground: Option<Ground>,
    /// In one's own words.
    #[schema(max_length = 500)]
    pub text: Option<String>,
}

/// Cancel one's sign-up / 取消报名
///
/// The place is free again at once; if people wait, the next one is asked. The same call leaves the waiting list and
/// refuses a place that is kept, or withdraws a request from the desk. Refused with `signup_attended` once the person was checked in.
#[utoipa::path(
    tag = "signup", operation_id = "signup_cancel", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "The sign-up"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CancelInput,
    responses((status = 200, description = "Cancelled", body = SignupView)),
)]
#[post("/api/v1/signups/{id}/cancellations")]
pub async fn signup_cancel(
    platform: Data<Platform>,
    registrar: Data<Registrar>,
    snapshots: Data<Snapshots>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
    body: Idempotent<CancelInput>,
) -> Result<Stored> {
    let CancelInput { ground, text } = body.body;
    let excuse = ground.map(|ground| Excuse { ground, text: text.unwrap_or_default() });
    let act = Act::Cancel { signup: id.0, excuse };
    ask(&platform, &registrar, &snapshots, guard.person(), body.key, act).await
}

/// Asks the registrar.
pub(super) async fn ask(
    platform: &Platform,
    registrar: &Registrar,
    snapshots: &Snapshots,
    person: PersonId,
    request: RequestKey,
    act: Act,
) -> Result<Stored> {
    let one = Use { principal: person, request };
    let running = platform.idempotency.begin(&one)?;
    let wanted = match &act {
        Act::Create { activity, .. } => Some(*activity),
        _ => None,
    };
    if let Some(activity) = wanted
        && let Some(refusal) = snapshots.refusal(activity, person)
    {
        return Err(refusal);
    }
    let (platform, registrar, snapshots) = (platform.clone(), registrar.clone(), snapshots.clone());
    // Beside the request, so that what was changed is told even if the caller has gone away.
    let asked = tokio::spawn(async move {
        let _running = running;
        let reply = registrar.call(Request { act, one }).await;
        tell(&platform, &snapshots, wanted, &reply);
        reply
    });
    asked.await.map_err(Error::internal)?
}

/// After a reply: whose places have changed, and that somebody was refused.
fn tell(platform: &Platform, snapshots: &Snapshots, wanted: Option<ActivityId>, reply: &Result<Stored>) {
    match (reply, wanted) {
        (Ok(stored), _) if stored.replayed => {}
        (Ok(stored), _) => {
            #[derive(Deserialize)]
            struct About {
                activity_id: ActivityId,
            }
            match serde_json::from_str::<About>(&stored.body) {
                Ok(about) => platform.changes.tell(PLACES, &[about.activity_id.0]),
                Err(error) => tracing::error!(%error, "an answer about no activity"),
            }
            platform.jobs.ring();
        }
        (Err(refusal), Some(activity)) => snapshots.refused(activity, refusal),
        (Err(_), _) => {}
    }
}

/// Take the place that is kept for one / 确认候补名额
///
/// Of somebody who waited, or whose union signed them up. Refusals: `offer_over` after `answer_by`, `state_forbids` when
/// nothing is kept.
#[utoipa::path(
    tag = "signup", operation_id = "signup_accept", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "The sign-up"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ActInput,
    responses((status = 200, description = "The person has the place", body = SignupView)),
)]
#[post("/api/v1/signups/{id}/acceptances")]
pub async fn signup_accept(
    platform: Data<Platform>,
    registrar: Data<Registrar>,
    snapshots: Data<Snapshots>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
    body: Idempotent<ActInput>,
) -> Result<Stored> {
    ask(&platform, &registrar, &snapshots, guard.person(), body.key, Act::Accept(id.0)).await
}

/// Read one's sign-up / 读取本人报名
#[utoipa::path(
    tag = "signup", operation_id = "signup_get", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "The sign-up")),
    responses((status = 200, description = "The sign-up", body = SignupView)),
)]
#[get("/api/v1/signups/{id}")]
pub async fn signup_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
) -> Result<Reply<SignupView>> {
    let person = guard.person();
    let (view, version) = platform
        .db
        .read(move |c| {
            let (row, title) = store::get_own(c, id.0, person)?;
            let version = row.version;
            Ok((SignupView::standing(c, row, title)?, version))
        })
        .await?;
    Ok(Reply::new(view).version(version))
}

/// An activity with one's own place in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyActivityView {
    /// The activity with its programme and sessions.
    #[serde(flatten)]
    pub detail: ActivityDetail,
    /// One's latest sign-up for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub my_signup: Option<SignupView>,
}

/// Read an activity with one's own sign-up for it / 读取活动及本人报名状态
#[utoipa::path(
    tag = "me", operation_id = "my_activity_get", security(("bearer" = ["self"])),
    params(("id" = ActivityId, Path, description = "The activity")),
    responses((status = 200, description = "The activity, as one stands to it", body = MyActivityView)),
)]
#[get("/api/v1/me/activities/{id}")]
pub async fn my_activity_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<ActivityId>,
) -> Result<Reply<MyActivityView>> {
    let (person, now, id) = (guard.person(), platform.clock.now(), id.0);
    let view = platform
        .db
        .read(move |c| {
            let detail = offering::views::published_detail(c, id, now)?;
            let latest = store::list_own(c, person, Some(id), None, 1)?.pop();
            let my_signup = latest.map(|(row, title)| SignupView::standing(c, row, title)).transpose()?;
            Ok(MyActivityView { detail, my_signup })
        })
        .await?;
    Ok(Reply::new(view))
}

/// Which of one's sign-ups.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OwnSignupQuery {
    /// Only for this activity.
    #[param(inline)]
    pub activity: Option<ActivityId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List one's sign-ups, newest first / 列出本人报名
#[utoipa::path(
    tag = "me", operation_id = "my_signup_list", security(("bearer" = ["self"])), params(OwnSignupQuery),
    responses((status = 200, description = "A page of sign-ups", body = Page<SignupView>)),
)]
#[get("/api/v1/me/signups")]
pub async fn my_signup_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<OwnSignupQuery>,
) -> Result<Reply<Page<SignupView>>> {
    let OwnSignupQuery { activity, limit, cursor } = query.0;
    let (person, page) = (guard.person(), PageQuery { limit, cursor });
    let list = format!("signups/{person}/{activity:?}");
    let before = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |c| store::list_own(c, person, activity, before, limit)).await?;
    let rows = platform.cursors.page(&list, &page, rows, |row| row.0.id)?;
    Ok(Reply::new(rows.map(|(row, title)| SignupView::new(row, title))))
}

/// Somebody on a roster, masked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RosterEntry {
    /// Their sign-up.
    pub signup_id: SignupId,
    /// Who.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
    /// Where the sign-up is in its life.
    pub state: SignupState,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// List who signed up, masked / 列出报名名单（脱敏）
#[utoipa::path(
    tag = "signup", operation_id = "signup_roster", security(("bearer" = ["roster:read"])),
    params(("id" = ActivityId, Path, description = "The activity"), PageQuery),
    responses((status = 200, description = "A page of the roster", body = Page<RosterEntry>)),
)]
#[get("/api/v1/activities/{id}/signups")]
pub async fn signup_roster(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<ActivityId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<RosterEntry>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("roster/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            scope.require(&crate::offering::store::activity_get(c, id)?.path)?;
            store::roster(c, id, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.0.number)?;
    Ok(Reply::new(page.map(|(row, name)| RosterEntry {
        signup_id: row.id,
        person_id: row.person_id,
        name_masked: name.as_deref().map(mask::name),
        state: row.state,
        created_at: row.created_at.and_utc(),
    })))
}
