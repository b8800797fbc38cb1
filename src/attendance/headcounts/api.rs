//! Headcounts over HTTP.

use actix_web::web::Data;
use actix_web::{get, post};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::{Headcount, HeadcountMethod, HeadcountState};
use super::proposing::{self, Count};
use super::views::{self, HeadcountView};
use super::{rules, store};
use crate::attendance::door;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{FileId, HeadcountId, SessionId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{HeadcountRead, HeadcountWrite};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::review::deciding::Desk;

/// A crowd, how it was counted, and what shows it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "number": 1200, "method": "parcels", "parcels": 1200, "minutes": 90, "gates": 2,
    "photos": ["fil_01k5b8m3q2e9t8h6y1v7z4w0xn"]
}))]
pub struct HeadcountInput {
    /// People, those who were checked in included.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub number: i64,
    /// How they were counted.
    pub method: HeadcountMethod,
    /// What the counter showed before; of `gate_counter`.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub counter_before: Option<i64>,
    /// What it showed afterwards; of `gate_counter`.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub counter_after: Option<i64>,
    /// Parcels that were given out; of `parcels`.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub parcels: Option<i64>,
    /// Seats; of `seats`.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub seats: Option<i64>,
    /// Hundredths of them that were filled; of `seats`.
    #[schema(minimum = 0, maximum = 100)]
    pub share_percent: Option<i64>,
    /// For how many minutes it was counted.
    #[schema(minimum = 1, maximum = 1440)]
    pub minutes: i64,
    /// At how many gates.
    #[schema(minimum = 1, maximum = 200)]
    pub gates: i64,
    /// Uploaded pictures, of the class `evidence` or `photo`.
    #[schema(min_items = 1, max_items = 9)]
    pub photos: Vec<FileId>,
    /// What else the second officer should know.
    #[schema(min_length = 1, max_length = 500)]
    pub statement: Option<String>,
}

/// Record a crowd that nobody registered / 登记现场人数
///
/// Another officer decides; then it counts, less those who are checked in to the session. A number that cannot be is refused with
/// everything that it does not agree with, and the attempt is kept: `headcount_above_venue`, `headcount_implausible`. Pictures that were
/// shown for other sessions are not refused; who decides sees them in `flags`. Further refusals: `headcount_live`,
/// `session_not_begun`, `checkin_called_off`, `file_unusable`.
#[utoipa::path(
    tag = "door", operation_id = "headcount_create", security(("bearer" = ["headcount:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = HeadcountInput,
    responses((status = 201, description = "The headcount, to be decided by another officer", body = HeadcountView)),
)]
#[post("/api/v1/sessions/{id}/headcounts")]
pub async fn headcount_create(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<HeadcountWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<HeadcountInput>,
) -> Result<Stored> {
    let (actor, now, desk) = (guard.person(), platform.clock.now(), Desk::clone(&desk));
    let input = body.body;
    let row = Headcount {
        id: platform.ids.id(),
        session_id: id.0,
        number: input.number,
        standing: input.number,
        method: input.method,
        counter_before: input.counter_before,
        counter_after: input.counter_after,
        parcels: input.parcels,
        seats: input.seats,
        share_percent: input.share_percent,
        minutes: input.minutes,
        gates: input.gates,
        state: HeadcountState::Proposed,
        refused_because: None,
        counted_by: actor,
        made_at: db_time(now),
        decided_at: None,
        version: 1,
    };
    let refused = row.clone();
    let count = Count { row, photos: input.photos, statement: input.statement, scope: guard.scope().clone() };
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        proposing::propose_in_tx(c, &desk, &count, now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        let location = format!("/api/v1/headcounts/{}", count.row.id);
        Stored::created(location, 1, &view(c, count.row.id)?)
    };
    match platform.idempotency.run(actor, body.key, act).await {
        Ok(stored) => {
            platform.jobs.ring();
            Ok(stored)
        }
        Err(refusal) => Err(keep_refused(&platform, refused, refusal).await),
    }
}

/// What cannot be is kept, and counts nowhere.
async fn keep_refused(platform: &Platform, row: Headcount, refusal: Error) -> Error {
    if !rules::is_refusal(&refusal) {
        return refusal;
    }
    let now = platform.clock.now();
    let kept = platform.db.write(move |c| {
        proposing::refused_in_tx(c, &row, &refusal, now)?;
        Ok(refusal)
    });
    kept.await.unwrap_or_else(|error| error)
}

fn view(conn: &mut Conn, id: HeadcountId) -> Result<HeadcountView> {
    let row = store::get(conn, id)?;
    let (session, _) = offering::store::session_get(conn, row.session_id)?;
    let mut views = views::headcounts(conn, vec![row], session.present)?;
    views.pop().ok_or_else(Error::not_found)
}

/// List the headcounts of a session, the refused ones too / 列出场次的人数登记
#[utoipa::path(
    tag = "door", operation_id = "headcount_list", security(("bearer" = ["headcount:read"])),
    params(("id" = SessionId, Path, description = "The session"), PageQuery),
    responses((status = 200, description = "A page of headcounts", body = Page<HeadcountView>)),
)]
#[get("/api/v1/sessions/{id}/headcounts")]
pub async fn headcount_list(
    platform: Data<Platform>,
    guard: Guard<HeadcountRead>,
    id: ApiPath<SessionId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<HeadcountView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("headcounts/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let views = platform.db.read(move |c| {
        let (session, _) = door::require_session(c, &scope, id)?;
        let rows = store::of_session(c, id, after, limit)?;
        views::headcounts(c, rows, session.present)
    });
    Ok(Reply::new(platform.cursors.page(&list, &query.0, views.await?, |view| view.id)?))
}

/// Read a headcount / 查看人数登记
#[utoipa::path(
    tag = "door", operation_id = "headcount_get", security(("bearer" = ["headcount:read"])),
    params(("id" = HeadcountId, Path, description = "The headcount")),
    responses((status = 200, description = "The headcount", body = HeadcountView)),
)]
#[get("/api/v1/headcounts/{id}")]
pub async fn headcount_get(
    platform: Data<Platform>,
    guard: Guard<HeadcountRead>,
    id: ApiPath<HeadcountId>,
) -> Result<Reply<HeadcountView>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let found = platform.db.read(move |c| {
        let row = store::get(c, id)?;
        door::require_session(c, &scope, row.session_id)?;
        Ok((row.version, view(c, id)?))
    });
    let (version, view) = found.await?;
    Ok(Reply::new(view).version(version))
}
