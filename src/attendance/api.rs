//! The door over HTTP.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::counting::{Counting, Held};
use super::door::{self, Door, Knock};
use super::model::{Attendance, CheckinMethod, Direction, ScanOutcome};
use super::pass::{self, Passes, Reading};
use super::{completing, headcounts, store};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, AttendanceId, PersonId, SessionId};
use crate::ledger::model::Grade;
use crate::offering;
use crate::offering::changing;
use crate::offering::following::Followers;
use crate::offering::lifecycle::{self, SessionEvent};
use crate::offering::lifecycle_store as states;
use crate::offering::model::Activity;
use crate::offering::views::SessionView;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{CheckinWrite, OwnData, RosterRead, SessionFinalise};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::idempotency::Use;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;

/// One's pass, to be shown as a QR code.
#[derive(Debug, Serialize, ToSchema)]
pub struct PassView {
    /// 32 characters.
    #[schema(min_length = 32, max_length = 32, example = "AZqLtE0Te7-Iy3gJ1m0xZ0H4T2v9QmWd")]
    pub code: String,
    /// When the next code is due.
    pub refresh_at: DateTime<Utc>,
}

/// Show one's pass / 出示电子凭证
///
/// The code changes every 30 seconds; ask again at `refresh_at`.
#[utoipa::path(
    tag = "me", operation_id = "my_pass", security(("bearer" = ["self"])),
    responses((status = 200, description = "The pass", body = PassView)),
)]
#[get("/api/v1/me/pass")]
pub async fn my_pass(
    platform: Data<Platform>,
    passes: Data<Passes>,
    guard: Guard<OwnData>,
) -> Result<Reply<PassView>> {
    let (code, refresh_at) = passes.show(guard.person(), platform.clock.now());
    Ok(Reply::new(PassView { code, refresh_at }))
}

/// A scanned pass.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"pass": "AZqLtE0Te7-Iy3gJ1m0xZ0H4T2v9QmWd"}))]
pub struct CheckinInput {
    /// What the worker's phone shows.
    #[schema(min_length = 1, max_length = 100)]
    pub pass: String,
}

/// One person present at one session.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckinView {
    /// Its id.
    pub id: AttendanceId,
    /// The session.
    pub session_id: SessionId,
    /// The activity.
    pub activity_id: ActivityId,
    /// Who.
    pub person_id: PersonId,
    /// Masked, for a look at the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
    /// How.
    pub method: CheckinMethod,
    /// How good the evidence is.
    pub grade: Grade,
    /// When they were first checked in.
    pub checked_in_at: DateTime<Utc>,
    /// When they left, where that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<DateTime<Utc>>,
    /// Whether they had been checked in before this scan.
    pub already_present: bool,
}

impl CheckinView {
    /// The attendance as staff see it.
    pub fn new(row: &Attendance, activity: &Activity, name: Option<&str>, already_present: bool) -> Self {
        Self {
            id: row.id,
            session_id: row.session_id,
            activity_id: activity.id,
            person_id: row.person_id,
            name_masked: name.map(mask::name),
            method: row.method,
            grade: row.grade,
            checked_in_at: row.checked_in_at.and_utc(),
            left_at: row.left_at.map(|at| at.and_utc()),
            already_present,
        }
    }
}

/// Check somebody in by their pass / 扫码签到
///
/// However often a pass is scanned, the person is present once; a repeated scan says `already_present`.
/// Refusals: `pass_invalid`, `pass_expired`, `checkin_not_signed_up`, `checkin_not_open`, `checkin_full`,
/// `checkin_called_off`, `session_finalised`.
#[utoipa::path(
    tag = "door", operation_id = "checkin_create", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CheckinInput,
    responses((status = 200, description = "The person is present", body = CheckinView)),
)]
#[post("/api/v1/sessions/{id}/checkins")]
pub async fn checkin_create(
    platform: Data<Platform>,
    door: Data<Door>,
    passes: Data<Passes>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<CheckinInput>,
) -> Result<Stored> {
    scanned(&platform, &door, &passes, &guard, (id.0, Direction::In), body).await
}

/// Check somebody out by their pass / 扫码签退
///
/// Whoever leaves more than once left at the last time. Refusals: those of `checkin_create`, and `checkin_not_present`.
#[utoipa::path(
    tag = "door", operation_id = "checkout_create", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CheckinInput,
    responses((status = 200, description = "The person has left", body = CheckinView)),
)]
#[post("/api/v1/sessions/{id}/checkouts")]
pub async fn checkout_create(
    platform: Data<Platform>,
    door: Data<Door>,
    passes: Data<Passes>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<CheckinInput>,
) -> Result<Stored> {
    scanned(&platform, &door, &passes, &guard, (id.0, Direction::Out), body).await
}

/// Staff have scanned a pass.
async fn scanned(
    platform: &Platform,
    door: &Door,
    passes: &Passes,
    guard: &Guard<CheckinWrite>,
    (session, direction): (SessionId, Direction),
    body: Idempotent<CheckinInput>,
) -> Result<Stored> {
    let who = match passes.read(&body.body.pass, platform.clock.now()) {
        Reading::Valid(person) => Ok(person),
        Reading::Expired(person) => Err((ScanOutcome::PassExpired, Some(person))),
        Reading::Invalid => Err((ScanOutcome::PassInvalid, None)),
    };
    let one = Use { principal: guard.person(), request: body.key };
    let _running = platform.idempotency.begin(&one)?;
    let knock = Knock {
        session,
        who,
        direction,
        method: CheckinMethod::StaffScan,
        distance: None,
        code_hash: Some(pass::hash(&body.body.pass)),
        unregistered: None,
        scope: Some(guard.scope().clone()),
        one,
    };
    door.call(knock).await
}

/// List who is present, masked / 列出已签到人员（脱敏）
#[utoipa::path(
    tag = "door", operation_id = "checkin_list", security(("bearer" = ["roster:read"])),
    params(("id" = SessionId, Path, description = "The session"), PageQuery),
    responses((status = 200, description = "A page of those present", body = Page<CheckinView>)),
)]
#[get("/api/v1/sessions/{id}/checkins")]
pub async fn checkin_list(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<SessionId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CheckinView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("checkins/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let (activity, rows) = platform
        .db
        .read(move |c| {
            let (_, activity) = door::require_session(c, &scope, id)?;
            Ok((activity, store::list(c, id, after, limit)?))
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.0.id)?;
    Ok(Reply::new(page.map(|(row, name)| CheckinView::new(&row, &activity, name.as_deref(), true))))
}

/// Nothing to say: whether a session took place is said by who was there.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct FinaliseInput {}

/// Finalise a session / 结算场次
///
/// It was held if anybody was checked in, or a crowd was counted and agreed to. Its figures are in the plan's ledger with this answer.
#[utoipa::path(
    tag = "door", operation_id = "session_finalise", security(("bearer" = ["session:finalise"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = FinaliseInput,
    responses((status = 200, description = "The session", body = SessionView)),
)]
#[post("/api/v1/sessions/{id}/finalisations")]
pub async fn session_finalise(
    platform: Data<Platform>,
    counting: Data<Arc<dyn Counting>>,
    followers: Data<Followers>,
    guard: Guard<SessionFinalise>,
    id: ApiPath<SessionId>,
    body: Idempotent<FinaliseInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (counting, followers) = (Arc::clone(counting.get_ref()), followers.get_ref().clone());
    let act = move |c: &mut Conn| {
        let (_, activity) = door::require_session(c, &scope, id)?;
        // The activity first, so that of two last sessions one sees the other finalised; then the sessions, so that no
        // scan slips in between the look and the change.
        let locked = offering::store::activities_lock_in_tx(c, &[activity.id])?;
        let activity = locked.get(&activity.id).ok_or_else(Error::not_found)?;
        let sessions = states::sessions_of_locked_in_tx(c, activity.id)?;
        let session = sessions.iter().find(|session| session.id == id).ok_or_else(Error::not_found)?;
        let line = lifecycle::session_transition(SessionEvent::Finalise, session, activity, &sessions, now)?;
        let counted = headcounts::store::standing_of(c, id)?.is_some_and(|row| row.standing > 0);
        let row = states::session_finalise_in_tx(c, id, actor, counted, now)?;
        if row.held == Some(true) {
            let (session, activity) = (row.id, row.activity_id);
            let grade = if row.present > 0 { Grade::B } else { Grade::D };
            let starts_at = row.starts_at.and_utc();
            counting.held_in_tx(c, &Held { session, activity, starts_at, grade })?;
        }
        let detail = json!({ "held": row.held, "present": row.present });
        let mut entries = vec![Entry::new(actor, line.audit, id).detail(detail)];
        entries.extend(changing::finish_if_over_in_tx(c, &followers, activity.id, actor, now)?);
        entries.extend(completing::follow_in_tx(c, row.activity_id, now)?);
        audit::append_in_tx(c, now, entries)?;
        Stored::done(row.version, &SessionView::from(row))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
