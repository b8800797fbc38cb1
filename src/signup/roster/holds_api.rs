//! Places that are kept for people who are named later.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{RosterRow, RosterView, rows};
use super::model::{HoldState, PlaceHold};
use super::{nominate, store};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, OrganisationId, PlaceHoldId, QuotaId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::model::ActivityState;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::RosterWrite;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::signup::jobs::{self, Tools};
use crate::signup::placing::Ground;
use crate::signup::snapshot::PLACES;

/// Places that a union keeps for people whom it will name later.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceHoldView {
    /// Its id.
    pub id: PlaceHoldId,
    /// Of what.
    pub activity_id: ActivityId,
    /// Whose.
    pub organisation_id: OrganisationId,
    /// The quota on which they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_id: Option<QuotaId>,
    /// How many.
    #[schema(minimum = 1, maximum = 200)]
    pub places: i64,
    /// How many nobody is named for yet.
    #[schema(minimum = 0, maximum = 200)]
    pub unnamed: i64,
    /// Where in its life it is.
    pub state: HoldState,
    /// Until when people must be named.
    pub name_by: DateTime<Utc>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

impl From<PlaceHold> for PlaceHoldView {
    fn from(row: PlaceHold) -> Self {
        Self {
            id: row.id,
            activity_id: row.activity_id,
            organisation_id: row.organisation_id,
            quota_id: row.quota_id,
            places: row.places,
            unnamed: row.unnamed,
            state: row.state,
            name_by: row.name_by.and_utc(),
            made_at: row.made_at.and_utc(),
        }
    }
}

/// List places that are named later / 列出预留名额
///
/// Of the unions under one's subtree; all of them for those who organise the activity.
#[utoipa::path(
    tag = "signup", operation_id = "place_hold_list", security(("bearer" = ["roster:write"])),
    params(("id" = ActivityId, Path, description = "The activity"), PageQuery),
    responses((status = 200, description = "A page of kept places", body = Page<PlaceHoldView>)),
)]
#[get("/api/v1/activities/{id}/place-holds")]
pub async fn place_hold_list(
    platform: Data<Platform>,
    guard: Guard<RosterWrite>,
    id: ApiPath<ActivityId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<PlaceHoldView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("place-holds/{id}/{scope:?}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let found = offering::store::activity_get(c, id)?;
            let organises = scope.covers(&found.path);
            if found.activity.state == ActivityState::Draft && !organises {
                return Err(Error::not_found());
            }
            let patterns = (!organises).then(|| scope.patterns().collect());
            store::hold_list(c, id, patterns, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(Into::into)))
}

/// Whom a union names for kept places.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"rows": [{"name": "张三丰", "phone": "13800138000"}]}))]
pub struct NamesInput {
    /// Whom.
    #[schema(min_items = 1, max_items = 200)]
    pub rows: Vec<RosterRow>,
}

/// Name people for kept places / 提交预留名额的名单
///
/// As with a roster, each is asked and confirms or refuses. Whoever is one too many is `full`. Refused with `state_forbids` when
/// the places are not kept any more.
#[utoipa::path(
    tag = "signup", operation_id = "place_hold_name", security(("bearer" = ["roster:write"])),
    params(("id" = PlaceHoldId, Path, description = "The kept places"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = NamesInput,
    responses((status = 200, description = "What became of every row", body = RosterView)),
)]
#[post("/api/v1/place-holds/{id}/names")]
pub async fn place_hold_name(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<RosterWrite>,
    id: ApiPath<PlaceHoldId>,
    body: Idempotent<NamesInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let rows = rows(body.body.rows)?;
    let act = move |c: &mut Conn| {
        scope.require(&store::hold_get(c, id)?.1.path)?;
        let outcome = nominate::names_in_tx(c, &tools, id, &rows, actor, now)?;
        Stored::done(1, &RosterView::from(outcome))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Give up kept places for which nobody is named / 释放预留名额
///
/// By the union, or by those who organise the activity. Those who are named already stay nominated.
#[utoipa::path(
    tag = "signup", operation_id = "place_hold_release", security(("bearer" = ["roster:write"])),
    params(("id" = PlaceHoldId, Path, description = "The kept places")),
    responses((status = 204, description = "They are free, or offered to those who wait")),
)]
#[delete("/api/v1/place-holds/{id}")]
pub async fn place_hold_release(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<RosterWrite>,
    id: ApiPath<PlaceHoldId>,
) -> Result<HttpResponse> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let activity = platform
        .db
        .write(move |c| {
            let (hold, union) = store::hold_get(c, id)?;
            if !scope.covers(&union.path) {
                scope.require(&offering::store::activity_get(c, hold.activity_id)?.path)?;
            }
            let activity = jobs::lock(c, hold.activity_id)?;
            // Again, behind the lock.
            let (hold, _) = store::hold_get(c, id)?;
            let mut ground = Ground::load(c, activity, &[], now)?;
            let mut beside = Beside::default();
            if !nominate::release_in_tx(c, &mut ground, &hold, Some(actor), &mut beside)? {
                return Err(Error::not_found());
            }
            ground.settle_in_tx(c, &tools.ids, now, &mut beside)?;
            beside.write_in_tx(c, &tools.ids, now)?;
            Ok(hold.activity_id)
        })
        .await?;
    platform.jobs.ring();
    platform.changes.tell(PLACES, &[activity.0]);
    Ok(HttpResponse::NoContent().finish())
}
