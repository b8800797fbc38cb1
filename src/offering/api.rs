//! The catalogue, as workers see it.

use actix_web::get;
use actix_web::web::Data;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::details::Details;
use super::model::ProgrammeKind;
use super::store::{self, ActivityFilter};
use super::views::{self, ActivityDetail, ActivityView, ProgrammeView};
use crate::error::Result;
use crate::ids::{ActivityId, OrganisationId, ProgrammeId};
use crate::platform::Platform;
use crate::platform::http::{ApiPath, ApiQuery, Page, PageQuery, Reply};

/// What programmes can be about.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopicView {
    /// As programmes and rules of counting name it.
    #[schema(max_length = 60, example = "skills")]
    pub code: String,
    /// For people.
    #[schema(max_length = 120, example = "技能培训")]
    pub name: String,
}

/// All topics.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopicList {
    /// By code.
    #[schema(max_items = 1000)]
    pub items: Vec<TopicView>,
}

/// List topics / 列出主题
#[utoipa::path(
    tag = "catalogue", operation_id = "topic_list", security(()),
    responses((status = 200, description = "All topics", body = TopicList)),
)]
#[get("/api/v1/topics")]
pub async fn topic_list(platform: Data<Platform>) -> Result<Reply<TopicList>> {
    let rows = platform.db.read(store::topic_list).await?;
    let items = rows.into_iter().map(|row| TopicView { code: row.code, name: row.name }).collect();
    Ok(Reply::new(TopicList { items }).public())
}

/// Read a programme / 读取服务项目
#[utoipa::path(
    tag = "catalogue", operation_id = "programme_get", security(()),
    params(("id" = ProgrammeId, Path, description = "The programme")),
    responses((status = 200, description = "The programme", body = ProgrammeView)),
)]
#[get("/api/v1/programmes/{id}")]
pub async fn programme_get(
    platform: Data<Platform>,
    id: ApiPath<ProgrammeId>,
) -> Result<Reply<ProgrammeView>> {
    let row = platform.db.read(move |c| store::programme_get(c, id.0)).await?;
    let version = row.version;
    Ok(Reply::new(ProgrammeView::from(row)).version(version).public())
}

/// Which programmes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProgrammeQuery {
    /// Only this form.
    #[param(inline)]
    pub kind: Option<ProgrammeKind>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List programmes / 列出服务项目
#[utoipa::path(
    tag = "catalogue", operation_id = "programme_list", security(()), params(ProgrammeQuery),
    responses((status = 200, description = "A page of programmes", body = Page<ProgrammeView>)),
)]
#[get("/api/v1/programmes")]
pub async fn programme_list(
    platform: Data<Platform>,
    query: ApiQuery<ProgrammeQuery>,
) -> Result<Reply<Page<ProgrammeView>>> {
    let ProgrammeQuery { kind, limit, cursor } = query.0;
    let list = format!("programmes/{kind:?}");
    let page = PageQuery { limit, cursor };
    let after: Option<ProgrammeId> = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |c| store::programme_list(c, kind, after, limit)).await?;
    let rows = platform.cursors.page(&list, &page, rows, |row| row.id)?;
    Ok(Reply::new(rows.map(Into::into)).public())
}

/// Which activities.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ActivityQuery {
    /// Of programmes of this form.
    #[param(inline)]
    pub kind: Option<ProgrammeKind>,
    /// With a venue in this sub-district.
    #[param(inline)]
    pub street: Option<OrganisationId>,
    /// With a session on this civil day (Asia/Shanghai), such as 2025-03-01.
    pub day: Option<NaiveDate>,
    /// Only those with sign-up open now and places left.
    pub open_now: Option<bool>,
    /// With this text in title or summary.
    #[param(min_length = 1, max_length = 60)]
    pub q: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

impl ActivityQuery {
    /// The filter, the list's name for cursors, and the place in it.
    pub(super) fn split(self, managed: Option<Vec<String>>) -> (ActivityFilter, String, PageQuery) {
        let filter = ActivityFilter {
            kind: self.kind,
            street: self.street,
            day: self.day,
            open_now: self.open_now.unwrap_or(false),
            text: self.q,
            managed,
        };
        let list = format!("activities/{filter:?}");
        (filter, list, PageQuery { limit: self.limit, cursor: self.cursor })
    }
}

/// List activities that can be seen / 列出活动
///
/// Published activities that are not over, by start. Filters combine.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_list", security(()), params(ActivityQuery),
    responses((status = 200, description = "A page of activities", body = Page<ActivityView>)),
)]
#[get("/api/v1/activities")]
pub async fn activity_list(
    platform: Data<Platform>,
    query: ApiQuery<ActivityQuery>,
) -> Result<Reply<Page<ActivityView>>> {
    let (filter, list, page) = query.0.split(None);
    list_page(&platform, filter, &list, &page).await.map(|reply| reply.public())
}

pub(super) async fn list_page(
    platform: &Platform,
    filter: ActivityFilter,
    list: &str,
    page: &PageQuery,
) -> Result<Reply<Page<ActivityView>>> {
    let now = platform.clock.now();
    let after = platform.cursors.open(list, page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |c| store::activity_list(c, filter, now, after, limit)).await?;
    let rows = platform.cursors.page(list, page, rows, |row| (row.0.starts_at, row.0.id))?;
    Ok(Reply::new(rows.map(|(activity, programme)| ActivityView::new(activity, &programme, now))))
}

/// Read an activity with its sessions / 读取活动详情
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_get", security(()),
    params(("id" = ActivityId, Path, description = "The activity")),
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[get("/api/v1/activities/{id}")]
pub async fn activity_get(
    platform: Data<Platform>,
    details: Data<Details>,
    id: ApiPath<ActivityId>,
) -> Result<Reply<ActivityDetail>> {
    let reading = details.get(id.0).await?;
    let detail = views::published_reading(&reading, platform.clock.now())?;
    Ok(Reply::new(detail).public_since(reading.at))
}
