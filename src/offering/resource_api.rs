//! Rooms and trainers, as organisers keep them.

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::making;
use super::model::{Resource, ResourceKind};
use super::resource_store::{self as store, ResourceChange, Shown};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, OrganisationId, ResourceId, SessionId};
use crate::platform::Platform;
use crate::platform::access::policy::CatalogueManage;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{
    ApiJson, ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored,
};

/// A room or a trainer to keep.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "venue", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "name": "平湖职工之家大礼堂",
    "seats": 200, "margin_minutes": 30}))]
pub struct ResourceInput {
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is; inside one's own subtree. Those below may use it too.
    pub organisation_id: OrganisationId,
    /// Its name; no other of the organisation and kind has it.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub name: String,
    /// People whom a room holds; of venues only.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub seats: Option<i64>,
    /// Minutes that lie between two bookings; none when left out.
    #[schema(minimum = 0, maximum = 1440)]
    pub margin_minutes: Option<i64>,
}

/// A room or a trainer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceView {
    /// Its id.
    pub id: ResourceId,
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 120, example = "平湖职工之家大礼堂")]
    pub name: String,
    /// People whom a room holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub seats: Option<i64>,
    /// Minutes that lie between two bookings.
    #[schema(minimum = 0, maximum = 1440)]
    pub margin_minutes: i64,
    /// Whether it is not booked any more.
    pub closed: bool,
}

impl From<Resource> for ResourceView {
    fn from(row: Resource) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            organisation_id: row.organisation_id,
            name: row.name,
            seats: row.seats,
            margin_minutes: row.margin_minutes,
            closed: row.closed_at.is_some(),
        }
    }
}

/// Only a room has seats.
fn check_seats(kind: ResourceKind, seats: Option<i64>) -> Result<()> {
    if kind == ResourceKind::Trainer && seats.is_some() {
        let text = Text::new("讲师没有座位数", "a trainer has no seats");
        return Err(Error::invalid(vec![Fault::new("/seats", "unknown", text)]));
    }
    Ok(())
}

/// Keep a venue or a trainer / 登记场地或讲师
#[utoipa::path(
    tag = "catalogue", operation_id = "resource_create", security(("bearer" = ["catalogue:manage"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ResourceInput,
    responses((status = 201, description = "The venue or trainer", body = ResourceView)),
)]
#[post("/api/v1/resources")]
pub async fn resource_create(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    body: Idempotent<ResourceInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input): (ResourceId, ResourceInput) = (platform.ids.id(), body.body);
    check_seats(input.kind, input.seats)?;
    let act = move |c: &mut Conn| {
        making::organisation_in_scope(c, input.organisation_id, &scope)?;
        let row = Resource {
            id,
            kind: input.kind,
            organisation_id: input.organisation_id,
            name: input.name.clone(),
            seats: input.seats,
            margin_minutes: input.margin_minutes.unwrap_or(0),
            closed_at: None,
            version: 1,
            created_at: db_time(now),
        };
        store::create_in_tx(c, &row)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "resource.create", id)])?;
        Stored::created(format!("/api/v1/resources/{id}"), 1, &ResourceView::from(row))
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Which venues and trainers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ResourceQuery {
    /// Only these.
    #[param(inline)]
    pub kind: Option<ResourceKind>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List venues and trainers / 列出场地和讲师
///
/// Those of one's own subtree, and those of the organisations above, which one may use too.
#[utoipa::path(
    tag = "catalogue", operation_id = "resource_list", security(("bearer" = ["catalogue:manage"])), params(ResourceQuery),
    responses((status = 200, description = "A page of venues and trainers", body = Page<ResourceView>)),
)]
#[get("/api/v1/resources")]
pub async fn resource_list(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    query: ApiQuery<ResourceQuery>,
) -> Result<Reply<Page<ResourceView>>> {
    let ResourceQuery { kind, limit, cursor } = query.0;
    let (list, page) = (format!("resources/{kind:?}"), PageQuery { limit, cursor });
    let after: Option<ResourceId> = platform.cursors.open(&list, &page)?;
    let (scope, limit) = (guard.scope().clone(), page.limit() + 1);
    let rows = platform.db.read(move |c| store::list(c, kind, &scope, after, limit)).await?;
    let rows = platform.cursors.page(&list, &page, rows, |row| row.id)?;
    Ok(Reply::new(rows.map(Into::into)))
}

/// Read a venue or a trainer / 读取场地或讲师
#[utoipa::path(
    tag = "catalogue", operation_id = "resource_get", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ResourceId, Path, description = "The venue or trainer")),
    responses((status = 200, description = "The venue or trainer", body = ResourceView)),
)]
#[get("/api/v1/resources/{id}")]
pub async fn resource_get(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ResourceId>,
) -> Result<Reply<ResourceView>> {
    let scope = guard.scope().clone();
    let (row, _) = platform.db.read(move |c| store::seen(c, id.0, &scope)).await?;
    let version = row.version;
    Ok(Reply::new(ResourceView::from(row)).version(version))
}

/// What of a venue or a trainer may be changed. Bookings that stand already are not tried again.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "平湖职工之家大礼堂", "seats": 180, "margin_minutes": 30, "closed": false}))]
pub struct ResourceChangeInput {
    /// Its name.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub name: String,
    /// People whom a room holds; not known when left out.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub seats: Option<i64>,
    /// Minutes that lie between two bookings.
    #[schema(minimum = 0, maximum = 1440)]
    pub margin_minutes: i64,
    /// Whether it is not booked any more.
    pub closed: bool,
}

/// Change or close a venue or a trainer / 修改或停用场地、讲师
#[utoipa::path(
    tag = "catalogue", operation_id = "resource_update", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ResourceId, Path, description = "The venue or trainer"),
           ("If-Match" = String, Header, description = "The ETag that was read", max_length = 100)),
    request_body = ResourceChangeInput,
    responses((status = 200, description = "The venue or trainer", body = ResourceView)),
)]
#[put("/api/v1/resources/{id}")]
pub async fn resource_update(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ResourceId>,
    seen: IfMatch,
    body: ApiJson<ResourceChangeInput>,
) -> Result<Reply<ResourceView>> {
    let (actor, now, scope, input, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), body.0, id.0);
    let row = platform
        .db
        .write(move |c| {
            let (row, path) = store::seen(c, id, &scope)?;
            // What lies above is seen and used, and not changed.
            if !scope.covers(&path) {
                return Err(Error::new(Code::Forbidden));
            }
            check_seats(row.kind, input.seats)?;
            let closed_at = input.closed.then(|| row.closed_at.unwrap_or_else(|| db_time(now)));
            let change = ResourceChange {
                name: input.name,
                seats: input.seats,
                margin_minutes: input.margin_minutes,
                closed_at,
            };
            store::update_in_tx(c, id, seen.version(), change)?;
            audit::append_in_tx(c, now, vec![Entry::new(actor, "resource.update", id)])?;
            Ok(store::get(c, id)?.0)
        })
        .await?;
    let version = row.version;
    Ok(Reply::new(ResourceView::from(row)).version(version))
}

/// When a venue or a trainer is taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookingView {
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends.
    pub ends_at: DateTime<Utc>,
    /// By which session; of one's own subtree only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// By which activity; of one's own subtree only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<ActivityId>,
    /// The activity's title; of one's own subtree only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub title: Option<String>,
}

impl BookingView {
    fn new((booking, activity, title, path): Shown, scope: &Scope) -> Self {
        let own = scope.covers(&path);
        Self {
            starts_at: booking.starts_at.and_utc(),
            ends_at: booking.ends_at.and_utc(),
            session_id: own.then_some(booking.session_id),
            activity_id: own.then_some(activity),
            title: own.then_some(title),
        }
    }
}

/// List when a venue or a trainer is taken / 列出占用时间
///
/// From now on, by start. Of activities outside one's own subtree only the time is told.
#[utoipa::path(
    tag = "catalogue", operation_id = "booking_list", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ResourceId, Path, description = "The venue or trainer"), PageQuery),
    responses((status = 200, description = "A page of bookings", body = Page<BookingView>)),
)]
#[get("/api/v1/resources/{id}/bookings")]
pub async fn booking_list(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ResourceId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<BookingView>>> {
    let (scope, now, id, page) = (guard.scope().clone(), platform.clock.now(), id.0, query.0);
    let list = format!("bookings/{id}");
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let own = scope.clone();
    let rows = platform
        .db
        .read(move |c| {
            store::seen(c, id, &own)?;
            store::bookings_of(c, id, now, after, limit)
        })
        .await?;
    let rows = platform.cursors.page(&list, &page, rows, |row| (row.0.starts_at, row.0.session_id))?;
    Ok(Reply::new(rows.map(|row| BookingView::new(row, &scope))))
}
