//! The catalogue, as organisers make it: inside their own subtree of the organisation.

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::api::{ActivityQuery, list_page};
use super::model::{
    Activity, ActivityState, Allocation, Audience, Programme, ProgrammeKind, Session, SessionState,
};
use super::rules::{self, SessionTimes};
use super::store::{self, ActivityChange};
use super::views::{self, ActivityDetail, ActivityView, ProgrammeView};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, Ids, OrganisationId, ProgrammeId};
use crate::offering::CATALOGUE;
use crate::org;
use crate::platform::Platform;
use crate::platform::access::policy::CatalogueManage;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, ApiQuery, Idempotent, IfMatch, Page, Reply, Stored};

/// A programme to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "name": "职工技能培训", "summary": "面向一线职工",
    "kind": "training", "topic": "skills", "audience": "all"}))]
pub struct ProgrammeInput {
    /// Who answers for it; inside one's own subtree.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Its form.
    pub kind: ProgrammeKind,
    /// What it is about: a code of `/api/v1/topics`. Rules of counting go by it.
    #[schema(min_length = 1, max_length = 60, pattern = "^[a-z][a-z0-9_]*$")]
    pub topic: String,
    /// For whom it is.
    pub audience: Audience,
}

/// Make a programme / 新建服务项目
#[utoipa::path(
    tag = "catalogue", operation_id = "programme_create", security(("bearer" = ["catalogue:manage"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ProgrammeInput,
    responses((status = 201, description = "The programme", body = ProgrammeView)),
)]
#[post("/api/v1/programmes")]
pub async fn programme_create(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    body: Idempotent<ProgrammeInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input): (ProgrammeId, ProgrammeInput) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let input = input.clone();
        in_scope(c, input.organisation_id, &scope)?;
        if !store::topic_list(c)?.iter().any(|topic| topic.code == input.topic) {
            // A topic that no rule names would never count, and nobody would notice.
            let text =
                Text::new("没有这个主题，见 /api/v1/topics", "no such topic; /api/v1/topics lists them");
            return Err(Error::invalid(vec![Fault::new("/topic", "unknown", text)]));
        }
        let row = Programme {
            id,
            code: None,
            organisation_id: input.organisation_id,
            name: input.name,
            summary: input.summary,
            kind: input.kind,
            topic: input.topic,
            audience: input.audience,
            version: 1,
            created_at: db_time(now),
        };
        store::programme_create_in_tx(c, &row)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "programme.create", id)])?;
        Stored::created(format!("/api/v1/programmes/{id}"), 1, &ProgrammeView::from(row))
    };
    let created = platform.idempotency.run(actor, body.key, act).await?;
    platform.changes.tell(CATALOGUE, &[id.0]);
    Ok(created)
}

/// The organisation, if it is in `scope`: one that one may not know of does not exist.
fn in_scope(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<()> {
    let unknown = || {
        let text = Text::new("没有这个组织，或不在您的权限范围内", "no such organisation in your scope");
        Error::invalid(vec![Fault::new("/organisation_id", "unknown", text)])
    };
    match org::store::get(conn, id) {
        Ok(row) if scope.covers(&row.path) => Ok(()),
        Ok(_) => Err(unknown()),
        Err(error) if error.code() == Code::NotFound => Err(unknown()),
        Err(error) => Err(error),
    }
}

/// When a session is to be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"starts_at": "2025-03-01T14:00:00+08:00", "ends_at": "2025-03-01T17:00:00+08:00"}))]
pub struct SessionInput {
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends; at most 24 hours later.
    pub ends_at: DateTime<Utc>,
}

/// An activity to make, with its sessions.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "programme_id": "prg_01k5b8m3q2e9t8h6y1v7z4w0xn", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn",
    "title": "电工技能提升班", "summary": "低压电工实操", "venue": "平湖职工之家", "address": "平湖街道示例路 1 号",
    "capacity": 40, "signup_opens_at": "2025-02-20T09:00:00+08:00", "signup_closes_at": "2025-02-28T18:00:00+08:00",
    "sessions": [{"starts_at": "2025-03-01T14:00:00+08:00", "ends_at": "2025-03-01T17:00:00+08:00"}]
}))]
pub struct ActivityInput {
    /// Its programme.
    pub programme_id: ProgrammeId,
    /// Who organises it; inside one's own subtree.
    pub organisation_id: OrganisationId,
    /// The sub-district of the venue; the organiser's own when left out.
    pub street_id: Option<OrganisationId>,
    /// Its title.
    #[schema(min_length = 1, max_length = 120)]
    pub title: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Where.
    #[schema(min_length = 1, max_length = 120)]
    pub venue: String,
    /// Where.
    #[schema(max_length = 200)]
    pub address: String,
    /// How places are given; first come, first served when left out.
    pub allocation: Option<Allocation>,
    /// Places.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: i64,
    /// Sign-up opens.
    pub signup_opens_at: DateTime<Utc>,
    /// Sign-up closes; not after the end of the last session.
    pub signup_closes_at: DateTime<Utc>,
    /// Its sessions.
    #[schema(min_items = 1, max_items = 200)]
    pub sessions: Vec<SessionInput>,
}

impl ActivityInput {
    fn rows(
        &self,
        ids: &Ids,
        id: ActivityId,
        street: Option<OrganisationId>,
        now: DateTime<Utc>,
    ) -> (Activity, Vec<Session>) {
        let mut times: Vec<&SessionInput> = self.sessions.iter().collect();
        times.sort_by_key(|session| session.starts_at);
        let sessions: Vec<Session> = (1..)
            .zip(&times)
            .map(|(number, session)| Session {
                id: ids.id(),
                activity_id: id,
                number,
                starts_at: db_time(session.starts_at),
                ends_at: db_time(session.ends_at),
                state: SessionState::Planned,
                state_reason: None,
                held: None,
                present: 0,
                finalised_at: None,
                finalised_by: None,
                version: 1,
            })
            .collect();
        let closes = db_time(self.signup_closes_at);
        let activity = Activity {
            street_id: street,
            title: self.title.clone(),
            summary: self.summary.clone(),
            venue: self.venue.clone(),
            address: self.address.clone(),
            allocation: self.allocation.unwrap_or(Allocation::FirstCome),
            capacity: self.capacity,
            bookable: self.capacity,
            signup_opens_at: db_time(self.signup_opens_at),
            signup_closes_at: closes,
            starts_at: sessions.iter().map(|session| session.starts_at).min().unwrap_or(closes),
            ends_at: sessions.iter().map(|session| session.ends_at).max().unwrap_or(closes),
            ..Activity::draft(id, self.programme_id, self.organisation_id, now)
        };
        (activity, sessions)
    }
}

/// Make an activity with its sessions, as a draft / 新建活动（草稿）
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_create", security(("bearer" = ["catalogue:manage"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ActivityInput,
    responses((status = 201, description = "The activity", body = ActivityDetail)),
)]
#[post("/api/v1/activities")]
pub async fn activity_create(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    body: Idempotent<ActivityInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input, ids): (ActivityId, _, _) = (platform.ids.id(), body.body, platform.ids.clone());
    let times: Vec<SessionTimes> =
        input.sessions.iter().map(|s| SessionTimes { starts_at: s.starts_at, ends_at: s.ends_at }).collect();
    let faults = rules::check_times(input.signup_opens_at, input.signup_closes_at, &times);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    let act = move |c: &mut Conn| {
        in_scope(c, input.organisation_id, &scope)?;
        let street = venue_street(c, &input)?;
        let programme = store::programme_get(c, input.programme_id).map_err(|error| match error.code() {
            Code::NotFound => Error::invalid(vec![Fault::new(
                "/programme_id",
                "unknown",
                Text::new("没有这个项目", "no such programme"),
            )]),
            _ => error,
        })?;
        let (activity, sessions) = input.rows(&ids, id, street, now);
        store::activity_create_in_tx(c, &activity, &sessions)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "activity.create", id)])?;
        let detail = ActivityDetail {
            activity: ActivityView::new(activity, &programme, now),
            programme: programme.into(),
            sessions: sessions.into_iter().map(Into::into).collect(),
        };
        Stored::created(format!("/api/v1/managed-activities/{id}"), 1, &detail)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// The sub-district of the venue: the one that is named, or the organiser's.
fn venue_street(conn: &mut Conn, input: &ActivityInput) -> Result<Option<OrganisationId>> {
    let Some(named) = input.street_id else {
        return Ok(org::store::get(conn, input.organisation_id)?.street_id);
    };
    match org::store::get(conn, named) {
        Ok(row) if row.street_id == Some(row.id) => Ok(Some(row.id)),
        Err(error) if error.code() != Code::NotFound => Err(error),
        _ => {
            let text = Text::new("不是街道总工会", "not a sub-district");
            Err(Error::invalid(vec![Fault::new("/street_id", "unknown", text)]))
        }
    }
}

/// List the activities of one's subtree, drafts too / 列出本辖区活动
#[utoipa::path(
    tag = "catalogue", operation_id = "managed_activity_list", security(("bearer" = ["catalogue:manage"])),
    params(ActivityQuery),
    responses((status = 200, description = "A page of activities", body = Page<ActivityView>)),
)]
#[get("/api/v1/managed-activities")]
pub async fn managed_activity_list(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    query: ApiQuery<ActivityQuery>,
) -> Result<Reply<Page<ActivityView>>> {
    let (filter, list, page) = query.0.split(Some(guard.scope().patterns().collect()));
    list_page(&platform, filter, &list, &page).await
}

/// Read an activity of one's subtree, a draft too / 读取本辖区活动
#[utoipa::path(
    tag = "catalogue", operation_id = "managed_activity_get", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity")),
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[get("/api/v1/managed-activities/{id}")]
pub async fn managed_activity_get(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
) -> Result<Reply<ActivityDetail>> {
    let (scope, now) = (guard.scope().clone(), platform.clock.now());
    let (detail, version) = platform.db.read(move |c| detail(c, id.0, &scope, now)).await?;
    Ok(Reply::new(detail).version(version))
}

/// The activity with its version, inside `scope`.
pub(super) fn detail(
    conn: &mut Conn,
    id: ActivityId,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<(ActivityDetail, i64)> {
    let found = store::activity_get(conn, id)?;
    scope.require(&found.path)?;
    let version = found.activity.version;
    let detail = views::detail(conn, found, now)?;
    Ok((detail, version))
}

/// What of an activity may be changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "电工技能提升班", "summary": "低压电工实操", "venue": "平湖职工之家", "address": "平湖街道示例路 1 号", "capacity": 60,
    "signup_opens_at": "2025-02-20T09:00:00+08:00", "signup_closes_at": "2025-02-28T18:00:00+08:00"
}))]
pub struct ActivityChangeInput {
    /// Its title.
    #[schema(min_length = 1, max_length = 120)]
    pub title: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Where.
    #[schema(min_length = 1, max_length = 120)]
    pub venue: String,
    /// Where.
    #[schema(max_length = 200)]
    pub address: String,
    /// Places; not fewer than are taken.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: i64,
    /// Sign-up opens.
    pub signup_opens_at: DateTime<Utc>,
    /// Sign-up closes; not after the end of the last session.
    pub signup_closes_at: DateTime<Utc>,
}

/// Change an activity / 修改活动
#[utoipa::path(
    tag = "catalogue", operation_id = "managed_activity_update", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("If-Match" = String, Header, description = "The ETag that was read", max_length = 100)),
    request_body = ActivityChangeInput,
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[put("/api/v1/managed-activities/{id}")]
pub async fn managed_activity_update(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    seen: IfMatch,
    body: ApiJson<ActivityChangeInput>,
) -> Result<Reply<ActivityDetail>> {
    let (actor, now, scope, input, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), body.0, id.0);
    let (detail, version) = platform
        .db
        .write(move |c| {
            let found = store::activity_get(c, id)?;
            scope.require(&found.path)?;
            if matches!(found.activity.state, ActivityState::Finished | ActivityState::Cancelled) {
                let (zh, en) = ("活动已结束或已取消", "The activity is finished or cancelled");
                return Err(Error::new(Code::StateForbids).detail(zh, en));
            }
            let last = SessionTimes {
                starts_at: found.activity.starts_at.and_utc(),
                ends_at: found.activity.ends_at.and_utc(),
            };
            let faults: Vec<Fault> =
                rules::check_times(input.signup_opens_at, input.signup_closes_at, &[last])
                    .into_iter()
                    .filter(|fault| !fault.pointer.starts_with("/sessions"))
                    .collect();
            if !faults.is_empty() {
                return Err(Error::invalid(faults));
            }
            let change = ActivityChange {
                title: input.title,
                summary: input.summary,
                venue: input.venue,
                address: input.address,
                capacity: input.capacity,
                signup_opens_at: db_time(input.signup_opens_at),
                signup_closes_at: db_time(input.signup_closes_at),
            };
            store::activity_update_in_tx(c, id, seen.version(), change, now)?;
            audit::append_in_tx(c, now, vec![Entry::new(actor, "activity.update", id)])?;
            detail(c, id, &scope, now)
        })
        .await?;
    platform.changes.tell(CATALOGUE, &[id.0]);
    Ok(Reply::new(detail).version(version))
}
