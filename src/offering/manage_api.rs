//! The catalogue, as organisers make it: inside their own subtree of the organisation.

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::api::{ActivityQuery, list_page};
use super::completion;
use super::input::{ActivityChangeInput, ActivityInput};
use super::making::{self, Maker};
use super::model::{ActivityState, Audience, Programme, ProgrammeKind};
use super::resource_store;
use super::rules::{self, SessionTimes};
use super::store;
use super::views::{self, ActivityDetail, ActivityView, ProgrammeView};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, OrganisationId, ProgrammeId};
use crate::offering::CATALOGUE;
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
        making::organisation_in_scope(c, input.organisation_id, &scope)?;
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
    let act = move |c: &mut Conn| {
        let made = making::activity_make_in_tx(c, &Maker { ids: &ids, scope: &scope, now }, id, &input)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "activity.create", id)])?;
        Stored::created(format!("/api/v1/managed-activities/{id}"), 1, &made.detail(now))
    };
    platform.idempotency.run(actor, body.key, act).await
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
            let waves = match &input.waves {
                Some(waves) => waves.clone(),
                None => found.activity.waves()?,
            };
            let mut faults: Vec<Fault> =
                rules::check_times(input.signup_opens_at, input.signup_closes_at, &[last])
                    .into_iter()
                    .filter(|fault| !fault.pointer.starts_with("/sessions"))
                    .collect();
            let kinds = making::wave_kinds(c, &waves)?;
            faults.extend(rules::check_waves(&waves, input.signup_opens_at, |id| kinds.get(&id).copied()));
            let seats = resource_store::seats_of_activity(c, id)?;
            faults.extend(making::check_seats(input.capacity, seats));
            if !faults.is_empty() {
                return Err(Error::invalid(faults));
            }
            let rule = input.completion;
            let change = input.change(&found.activity, &waves)?;
            store::activity_update_in_tx(c, id, seen.version(), change, now)?;
            if let Some(rule) = rule {
                completion::rule_change_in_tx(c, id, rule)?;
            }
            audit::append_in_tx(c, now, vec![Entry::new(actor, "activity.update", id)])?;
            detail(c, id, &scope, now)
        })
        .await?;
    platform.changes.tell(CATALOGUE, &[id.0]);
    Ok(Reply::new(detail).version(version))
}
