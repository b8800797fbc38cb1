//! Activities as patterns: templates that are kept, and copies that are made at once.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::making::{self, Maker};
use super::model::Template;
use super::pattern::{Moment, Pattern, Wish};
use super::template_store as store;
use super::views::ActivityDetail;
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, OrganisationId, ResourceId, TemplateId};
use crate::platform::Platform;
use crate::platform::access::policy::CatalogueManage;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A template to keep.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "周末电工班", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn",
    "from_activity_id": "act_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct TemplateInput {
    /// Its name; no other of the organisation has it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// Whose it is; inside one's own subtree. Those below may use it too.
    pub organisation_id: OrganisationId,
    /// Of which activity: one of one's own subtree, in any state.
    pub from_activity_id: ActivityId,
}

/// A time of a day that is counted from the first session's.
#[derive(Debug, Serialize, ToSchema)]
pub struct MomentView {
    /// 0 for the first session's day, -1 for the day before.
    #[schema(minimum = -100_000, maximum = 100_000)]
    pub days: i64,
    /// Of that day, in Shanghai.
    #[schema(value_type = String, max_length = 20, example = "14:00:00")]
    pub time: NaiveTime,
}

impl From<Moment> for MomentView {
    fn from(moment: Moment) -> Self {
        Self { days: moment.days, time: moment.time }
    }
}

/// A session of a template.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateSessionView {
    /// Begins.
    pub starts: MomentView,
    /// Ends.
    pub ends: MomentView,
}

/// A template.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateView {
    /// Its id.
    pub id: TemplateId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 120, example = "周末电工班")]
    pub name: String,
    /// The title of its activities.
    #[schema(max_length = 120, example = "电工技能提升班")]
    pub title: String,
    /// Places of its activities.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: i64,
    /// Sessions of its activities, in order.
    #[schema(max_items = 200)]
    pub sessions: Vec<TemplateSessionView>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl TemplateView {
    fn new(row: Template) -> Result<Self> {
        let pattern = pattern(&row)?;
        Ok(Self {
            id: row.id,
            organisation_id: row.organisation_id,
            name: row.name,
            title: pattern.title,
            capacity: pattern.capacity,
            sessions: pattern
                .sessions
                .into_iter()
                .map(|one| TemplateSessionView { starts: one.starts.into(), ends: one.ends.into() })
                .collect(),
            created_at: row.created_at.and_utc(),
        })
    }
}

fn pattern(row: &Template) -> Result<Pattern> {
    serde_json::from_str(&row.body).map_err(Error::internal)
}

/// Keep an activity as a template / 存为模板
#[utoipa::path(
    tag = "catalogue", operation_id = "template_create", security(("bearer" = ["catalogue:manage"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TemplateInput,
    responses((status = 201, description = "The template", body = TemplateView)),
)]
#[post("/api/v1/activity-templates")]
pub async fn template_create(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    body: Idempotent<TemplateInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input): (TemplateId, TemplateInput) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        making::organisation_in_scope(c, input.organisation_id, &scope)?;
        let pattern = store::pattern_of_activity(c, input.from_activity_id, &scope).map_err(|error| {
            if error.code() != Code::NotFound {
                return error;
            }
            let text = Text::new("没有这个活动，或不在您的权限范围内", "no such activity in your scope");
            Error::invalid(vec![Fault::new("/from_activity_id", "unknown", text)])
        })?;
        let row = Template {
            id,
            organisation_id: input.organisation_id,
            name: input.name.clone(),
            body: serde_json::to_string(&pattern).map_err(Error::internal)?,
            made_by: actor,
            version: 1,
            created_at: db_time(now),
        };
        store::create_in_tx(c, &row)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "template.create", id)])?;
        Stored::created(format!("/api/v1/activity-templates/{id}"), 1, &TemplateView::new(row)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// List templates / 列出模板
///
/// Those of one's own subtree, and those of the organisations above, which one may use too.
#[utoipa::path(
    tag = "catalogue", operation_id = "template_list", security(("bearer" = ["catalogue:manage"])), params(PageQuery),
    responses((status = 200, description = "A page of templates", body = Page<TemplateView>)),
)]
#[get("/api/v1/activity-templates")]
pub async fn template_list(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<TemplateView>>> {
    let (scope, page) = (guard.scope().clone(), query.0);
    let after: Option<TemplateId> = platform.cursors.open("templates", &page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |c| store::list(c, &scope, after, limit)).await?;
    let rows = platform.cursors.page("templates", &page, rows, |row| row.id)?;
    let items = rows.items.into_iter().map(TemplateView::new).collect::<Result<_>>()?;
    Ok(Reply::new(Page { items, next: rows.next }))
}

/// Read a template / 读取模板
#[utoipa::path(
    tag = "catalogue", operation_id = "template_get", security(("bearer" = ["catalogue:manage"])),
    params(("id" = TemplateId, Path, description = "The template")),
    responses((status = 200, description = "The template", body = TemplateView)),
)]
#[get("/api/v1/activity-templates/{id}")]
pub async fn template_get(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<TemplateId>,
) -> Result<Reply<TemplateView>> {
    let scope = guard.scope().clone();
    let (row, _) = platform.db.read(move |c| store::seen(c, id.0, &scope)).await?;
    let version = row.version;
    Ok(Reply::new(TemplateView::new(row)?).version(version))
}

/// Remove a template / 删除模板
///
/// The activities that were made from it stay.
#[utoipa::path(
    tag = "catalogue", operation_id = "template_delete", security(("bearer" = ["catalogue:manage"])),
    params(("id" = TemplateId, Path, description = "The template")),
    responses((status = 204, description = "Removed")),
)]
#[delete("/api/v1/activity-templates/{id}")]
pub async fn template_delete(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<TemplateId>,
) -> Result<HttpResponse> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    platform
        .db
        .write(move |c| {
            let (_, path) = store::seen(c, id, &scope)?;
            // What lies above is seen and used, and not removed.
            if !scope.covers(&path) {
                return Err(Error::new(Code::Forbidden));
            }
            if !store::delete_in_tx(c, id)? {
                return Err(Error::not_found());
            }
            audit::append_in_tx(c, now, vec![Entry::new(actor, "template.delete", id)])
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// When the new activity is, and what is different in it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"starts_on": "2025-03-08", "title": "电工技能提升班（第二期）"}))]
pub struct PatternUseInput {
    /// The day of its first session (Asia/Shanghai); everything else lies as far from it as in the pattern.
    pub starts_on: NaiveDate,
    /// Who organises it, inside one's own subtree; the same as before when left out. The sub-district is then theirs.
    pub organisation_id: Option<OrganisationId>,
    /// Its title; the same as before when left out.
    #[schema(min_length = 1, max_length = 120)]
    pub title: Option<String>,
    /// Where; the same as before when left out.
    #[schema(min_length = 1, max_length = 120)]
    pub venue: Option<String>,
    /// Where; the same as before when left out.
    #[schema(max_length = 200)]
    pub address: Option<String>,
    /// Venues and trainers; the same as before when left out.
    #[schema(max_items = 20)]
    pub resource_ids: Option<Vec<ResourceId>>,
}

impl PatternUseInput {
    fn wish(&self, default: Option<OrganisationId>) -> Wish {
        Wish {
            organisation_id: self.organisation_id.or(default),
            title: self.title.clone(),
            venue: self.venue.clone(),
            address: self.address.clone(),
            resource_ids: self.resource_ids.clone(),
        }
    }
}

/// Make an activity from a template, as a draft / 用模板新建活动（草稿）
///
/// It is the template's organisation that organises it, unless the request names another.
#[utoipa::path(
    tag = "catalogue", operation_id = "template_use", security(("bearer" = ["catalogue:manage"])),
    params(("id" = TemplateId, Path, description = "The template"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PatternUseInput,
    responses((status = 201, description = "The draft", body = ActivityDetail)),
)]
#[post("/api/v1/activity-templates/{id}/activities")]
pub async fn template_use(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<TemplateId>,
    body: Idempotent<PatternUseInput>,
) -> Result<Stored> {
    let template = id.0;
    let find = move |c: &mut Conn, scope: &Scope| {
        let (row, _) = store::seen(c, template, scope)?;
        Ok((pattern(&row)?, Some(row.organisation_id)))
    };
    make(&platform, &guard, body, template.to_string(), find).await
}

/// Copy an activity, as a draft / 复制活动（草稿）
///
/// Sign-up window, waves and sessions are shifted; quotas come along unused; sign-ups do not.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_copy", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PatternUseInput,
    responses((status = 201, description = "The draft", body = ActivityDetail)),
)]
#[post("/api/v1/managed-activities/{id}/copies")]
pub async fn activity_copy(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<PatternUseInput>,
) -> Result<Stored> {
    let original = id.0;
    let find = move |c: &mut Conn, scope: &Scope| Ok((store::pattern_of_activity(c, original, scope)?, None));
    make(&platform, &guard, body, original.to_string(), find).await
}

/// Makes an activity of the pattern that `find` gives, with the organisation that organises it where the pattern's does not.
async fn make<F>(
    platform: &Platform,
    guard: &Guard<CatalogueManage>,
    body: Idempotent<PatternUseInput>,
    from: String,
    find: F,
) -> Result<Stored>
where
    F: Fn(&mut Conn, &Scope) -> Result<(Pattern, Option<OrganisationId>)> + Send + Sync + 'static,
{
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, wanted, ids): (ActivityId, _, _) = (platform.ids.id(), body.body, platform.ids.clone());
    let act = move |c: &mut Conn| {
        let (pattern, organisation) = find(c, &scope)?;
        let input = pattern.input(wanted.starts_on, wanted.wish(organisation))?;
        let made = making::activity_make_in_tx(c, &Maker { ids: &ids, scope: &scope, now }, id, &input)?;
        store::quotas_create_in_tx(c, id, &pattern.quotas(&ids, id))?;
        let entry = Entry::new(actor, "activity.copy", id).detail(serde_json::json!({ "from": from }));
        audit::append_in_tx(c, now, vec![entry])?;
        Stored::created(format!("/api/v1/managed-activities/{id}"), 1, &made.detail(now))
    };
    platform.idempotency.run(actor, body.key, act).await
}
