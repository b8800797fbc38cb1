//! Who stands in for whom, and who keeps away: delegations and recusals of officers, ties that anybody declares.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::officer;
use super::deciding::Desk;
use super::model::{Delegation, EventKind, Recusal, RecusalGround, Tie};
use super::views::{self, ReviewView};
use super::{cover, stages};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{DelegationId, OrganisationId, PersonId, ReviewId, TieId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::Actor;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::{OwnData, Permission, ReviewDecide};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::db::schema::{people as people_table, review_ties, staff_grants};
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;
use crate::{org, people, policy};

/// That somebody decides in another's stead.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DelegationView {
    /// Its id.
    pub id: DelegationId,
    /// In whose stead.
    pub from_id: PersonId,
    /// In whose stead, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "李*")]
    pub from_masked: Option<String>,
    /// Who.
    pub to_id: PersonId,
    /// Who, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "王*")]
    pub to_masked: Option<String>,
    /// At which body.
    pub organisation_id: OrganisationId,
    /// At which body.
    #[schema(max_length = 60, example = "平湖街道")]
    pub organisation_name: String,
    /// Why.
    #[schema(max_length = 200, example = "外出培训")]
    pub reason: String,
    /// From when on.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

fn delegation_views(conn: &mut Conn, rows: Vec<Delegation>) -> Result<Vec<DelegationView>> {
    let who: Vec<PersonId> = rows.iter().flat_map(|row| [row.from_id, row.to_id]).collect();
    let names = people::store::names(conn, &who)?;
    let masked = |id: PersonId| names.get(&id).map(|name| mask::name(name));
    let at: Vec<OrganisationId> = rows.iter().map(|row| row.organisation_id).collect();
    let bodies = org::store::short_names(conn, &at)?;
    let view = |row: Delegation| DelegationView {
        id: row.id,
        from_id: row.from_id,
        from_masked: masked(row.from_id),
        to_id: row.to_id,
        to_masked: masked(row.to_id),
        organisation_id: row.organisation_id,
        organisation_name: bodies.get(&row.organisation_id).cloned().unwrap_or_default(),
        reason: row.reason,
        from_at: row.from_at.and_utc(),
        until_at: row.until_at.and_utc(),
        revoked_at: row.revoked_at.map(|at| at.and_utc()),
        made_at: row.made_at.and_utc(),
    };
    Ok(rows.into_iter().map(view).collect())
}

fn delegation_view(conn: &mut Conn, row: Delegation) -> Result<DelegationView> {
    let view = delegation_views(conn, vec![row])?.pop();
    view.ok_or_else(|| Error::internal("a delegation without its view"))
}

/// Who is to decide in one's stead.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "from_at": "2026-07-01T09:00:00+08:00", "until_at": "2026-07-10T18:00:00+08:00", "reason": "外出培训"}))]
pub struct DelegationInput {
    /// Somebody who decides requests anywhere.
    pub to_id: PersonId,
    /// The body at which one decides.
    pub organisation_id: OrganisationId,
    /// From when on; not in the past.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// Why one is away.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Let somebody decide in one's stead for a time / 委托他人代为办理
///
/// At a body where one decides in one's own right: what was delegated is not passed on. For `review.delegation_max` days at most.
#[utoipa::path(
    tag = "review", operation_id = "review_delegation_create", security(("bearer" = ["review:decide"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = DelegationInput,
    responses((status = 201, description = "Delegated", body = DelegationView)),
)]
#[post("/api/v1/review-delegations")]
pub async fn review_delegation_create(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    body: Idempotent<DelegationInput>,
) -> Result<Stored> {
    let (now, actor) = (platform.clock.now(), guard.person());
    let (id, input): (DelegationId, DelegationInput) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let faults = delegation_faults(c, guard.actor(), &input, now)?;
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        let row = Delegation {
            id,
            from_id: actor,
            to_id: input.to_id,
            organisation_id: input.organisation_id,
            reason: input.reason.clone(),
            from_at: db_time(input.from_at),
            until_at: db_time(input.until_at),
            revoked_at: None,
            made_at: db_time(now),
        };
        cover::delegation_create_in_tx(c, &row)?;
        let view = delegation_view(c, row)?;
        let detail = json!({
            "to": input.to_id, "organisation": input.organisation_id, "from": input.from_at, "until": input.until_at,
        });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "review.delegate", id).detail(detail)])?;
        Stored::created("/api/v1/review-delegations".into(), 1, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Everything that is wrong with a delegation by `giver`.
fn delegation_faults(
    conn: &mut Conn,
    giver: &Actor,
    input: &DelegationInput,
    now: DateTime<Utc>,
) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, code: &'static str, zh: String, en: String| {
        faults.push(Fault::new(pointer, code, Text::new(zh, en)));
    };
    let holds = giver.standing.grants.iter().any(|grant| {
        ReviewDecide::ROLES.contains(&grant.role) && grant.organisation == input.organisation_id
    });
    if !holds {
        fault(
            "/organisation_id",
            "not_allowed",
            "您在该组织没有审核权限".into(),
            "you do not decide requests in your own right there".into(),
        );
    }
    if input.to_id == giver.person {
        fault("/to_id", "not_allowed", "不能委托本人".into(), "one cannot delegate to oneself".into());
    } else if !may_decide(conn, input.to_id)? {
        fault(
            "/to_id",
            "unknown",
            "该人员不存在、已停用或不是审核人员".into(),
            "not there, disabled, or nobody who decides requests".into(),
        );
    }
    if input.from_at < now {
        fault("/from_at", "minimum", "不能早于现在".into(), "not before now".into());
    }
    let days = policy::store::number_on(conn, "review.delegation_max", civil_day(now))?;
    if input.until_at <= input.from_at {
        fault("/until_at", "minimum", "应晚于开始时间".into(), "must be after from_at".into());
    } else if input.until_at - input.from_at > TimeDelta::days(days) {
        fault(
            "/until_at",
            "maximum",
            format!("委托最长{days}天"),
            format!("at most {days} days after from_at"),
        );
    }
    Ok(faults)
}

/// Whether `person` decides requests anywhere, with an account that is not disabled.
fn may_decide(conn: &mut Conn, person: PersonId) -> Result<bool> {
    let grants: i64 = staff_grants::table
        .inner_join(people_table::table.on(people_table::id.eq(staff_grants::person_id)))
        .filter(staff_grants::person_id.eq(person))
        .filter(staff_grants::role.eq_any(ReviewDecide::ROLES.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people_table::disabled_at.is_null())
        .count()
        .get_result(conn)?;
    Ok(grants > 0)
}

/// List delegations that one gave or was given, newest first / 列出本人的委托
#[utoipa::path(
    tag = "review", operation_id = "review_delegation_list", security(("bearer" = ["review:decide"])), params(PageQuery),
    responses((status = 200, description = "A page of delegations", body = Page<DelegationView>)),
)]
#[get("/api/v1/review-delegations")]
pub async fn review_delegation_list(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<DelegationView>>> {
    let person = guard.person();
    let list = format!("review-delegations/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let rows = cover::delegations(c, person, before, limit)?;
            delegation_views(c, rows)
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, rows, |row| row.id)?))
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct RevocationInput {}

/// Take back a delegation of one's own / 收回委托
///
/// It ends at once; taking it back again changes nothing.
#[utoipa::path(
    tag = "review", operation_id = "review_delegation_revoke", security(("bearer" = ["review:decide"])),
    params(("id" = DelegationId, Path, description = "The delegation"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RevocationInput,
    responses((status = 200, description = "The delegation, taken back", body = DelegationView)),
)]
#[post("/api/v1/review-delegations/{id}/revocations")]
pub async fn review_delegation_revoke(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<DelegationId>,
    body: Idempotent<RevocationInput>,
) -> Result<Stored> {
    let (now, actor, id) = (platform.clock.now(), guard.person(), id.0);
    let act = move |c: &mut Conn| {
        let row = cover::delegation_revoke_in_tx(c, id, actor, now)?;
        let view = delegation_view(c, row)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "review.delegation_revoke", id)])?;
        Stored::done(1, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Why one keeps away from a request.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ground": "kin"}))]
pub struct RecusalInput {
    /// Why.
    pub ground: RecusalGround,
}

/// Keep away from a request / 申请回避
///
/// It cannot be taken back. What one works at is free for others, and goes to the next body above where one's own has nobody
/// left who may decide.
#[utoipa::path(
    tag = "review", operation_id = "review_recuse", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RecusalInput,
    responses((status = 200, description = "The request", body = ReviewView)),
)]
#[post("/api/v1/reviews/{id}/recusals")]
pub async fn review_recuse(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    body: Idempotent<RecusalInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let ground = body.body.ground;
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let (review, _) = desk.locked_in_tx(c, &officer, id)?;
        if !review.state.is_live() {
            return Err(Error::new(Code::StateForbids).detail("申请已办结", "The request is decided"));
        }
        let mut beside = Beside::default();
        let recusal = Recusal { review_id: id, person_id: actor, ground, made_at: db_time(now) };
        if cover::recuse_in_tx(c, &recusal)? {
            stages::note_in_tx(c, &desk.ids, id, None, EventKind::Recused, Some(actor), now)?;
            beside.entries.push(Entry::new(actor, "review.recuse", id).detail(json!({ "ground": ground })));
            for stage in stages::of(c, id)? {
                if stage.claimed_by == Some(actor) {
                    stages::unclaim_in_tx(c, stage.id)?;
                }
                stages::reroute_in_tx(c, &desk.ids, &review, &stage, now, &mut beside)?;
            }
        }
        let view = views::review(c, &review, now)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::done(review.version, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Ties that one may have declared at a time.
const TIES: usize = 50;

/// Kin, or an interest in an enterprise.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TieView {
    /// Its id.
    pub id: TieId,
    /// The kin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kin_id: Option<PersonId>,
    /// The enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<OrganisationId>,
    /// When it was declared.
    pub declared_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<Tie> for TieView {
    fn from(row: Tie) -> Self {
        Self {
            id: row.id,
            kin_id: row.kin_id,
            organisation_id: row.organisation_id,
            declared_at: row.declared_at.and_utc(),
            ended_at: row.ended_at.map(|at| at.and_utc()),
        }
    }
}

/// A tie to declare: kin or an enterprise, one of the two.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct TieInput {
    /// Kin: spouse, parents, children, brothers and sisters.
    pub kin_id: Option<PersonId>,
    /// An enterprise in which one or one's kin has an interest.
    pub organisation_id: Option<OrganisationId>,
}

/// Declare kin or an interest: requests of theirs are decided by others / 申报近亲属或利害关系
///
/// At most 50 at a time.
#[utoipa::path(
    tag = "me", operation_id = "my_tie_declare", security(("bearer" = ["self"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TieInput,
    responses((status = 201, description = "Declared", body = TieView)),
)]
#[post("/api/v1/me/ties")]
pub async fn my_tie_declare(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    body: Idempotent<TieInput>,
) -> Result<Stored> {
    let (now, person) = (platform.clock.now(), guard.person());
    let (id, input): (TieId, TieInput) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let faults = tie_faults(c, person, input)?;
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        room_in_tx(c, person, input)?;
        let row = Tie {
            id,
            person_id: person,
            kin_id: input.kin_id,
            organisation_id: input.organisation_id,
            declared_at: db_time(now),
            ended_at: None,
        };
        cover::tie_create_in_tx(c, &row)?;
        let detail = json!({ "kin": input.kin_id, "organisation": input.organisation_id });
        audit::append_in_tx(c, now, vec![Entry::new(person, "tie.declare", id).detail(detail)])?;
        Stored::created("/api/v1/me/ties".into(), 1, &TieView::from(row))
    };
    platform.idempotency.run(person, body.key, act).await
}

fn tie_faults(conn: &mut Conn, person: PersonId, input: TieInput) -> Result<Vec<Fault>> {
    let unknown = |pointer: &str| Fault::new(pointer, "unknown", Text::new("不存在", "not there"));
    let mut faults = Vec::new();
    if input.kin_id.is_some() == input.organisation_id.is_some() {
        let text = Text::new("近亲属与单位须且只须填写一项", "give kin or an enterprise, one of the two");
        faults.push(Fault::new("/kin_id", "exactly_one", text));
    }
    if input.kin_id == Some(person) {
        faults.push(Fault::new("/kin_id", "not_allowed", Text::new("不能是本人", "nobody is their own kin")));
    } else if let Some(kin) = input.kin_id
        && is_missing(people::store::get(conn, kin))?
    {
        faults.push(unknown("/kin_id"));
    }
    if let Some(organisation) = input.organisation_id
        && is_missing(org::store::get(conn, organisation))?
    {
        faults.push(unknown("/organisation_id"));
    }
    Ok(faults)
}

fn is_missing<T>(found: Result<T>) -> Result<bool> {
    match found {
        Ok(_) => Ok(false),
        Err(error) if error.code() == Code::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Refuses a tie that is declared already, and one too many. The lock of the person makes both exact.
fn room_in_tx(conn: &mut Conn, person: PersonId, input: TieInput) -> Result<()> {
    let own = people_table::table.filter(people_table::id.eq(person)).select(people_table::id);
    let _locked: Vec<PersonId> = crate::load_locked!(conn, own)?;
    let live: Vec<(Option<PersonId>, Option<OrganisationId>)> = review_ties::table
        .filter(review_ties::person_id.eq(person))
        .filter(review_ties::ended_at.is_null())
        .select((review_ties::kin_id, review_ties::organisation_id))
        .load(conn)?;
    if live.contains(&(input.kin_id, input.organisation_id)) {
        return Err(Error::new(Code::UniqueTaken).detail("已申报过", "It is declared already"));
    }
    if live.len() >= TIES {
        return Err(Error::new(Code::Conflict).detail(
            format!("最多申报{TIES}项，请先结束不再有效的"),
            format!("At most {TIES}: end one first"),
        ));
    }
    Ok(())
}

/// List the ties that one has declared, newest first / 列出本人申报的关系
#[utoipa::path(
    tag = "me", operation_id = "my_tie_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of ties", body = Page<TieView>)),
)]
#[get("/api/v1/me/ties")]
pub async fn my_tie_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<TieView>>> {
    let person = guard.person();
    let list = format!("my-ties/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| cover::ties(c, person, before, limit)).await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(TieView::from)).secret())
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct TieEndInput {}

/// Say that a tie is no more / 结束申报的关系
///
/// Ending it again changes nothing.
#[utoipa::path(
    tag = "me", operation_id = "my_tie_end", security(("bearer" = ["self"])),
    params(("id" = TieId, Path, description = "The tie"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TieEndInput,
    responses((status = 200, description = "The tie, ended", body = TieView)),
)]
#[post("/api/v1/me/ties/{id}/endings")]
pub async fn my_tie_end(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<TieId>,
    body: Idempotent<TieEndInput>,
) -> Result<Stored> {
    let (now, person, id) = (platform.clock.now(), guard.person(), id.0);
    let act = move |c: &mut Conn| {
        let row = cover::tie_end_in_tx(c, id, person, now)?;
        audit::append_in_tx(c, now, vec![Entry::new(person, "tie.end", id)])?;
        Stored::done(1, &TieView::from(row))
    };
    platform.idempotency.run(person, body.key, act).await
}
