//! What staff do at a session beside scanning: the list with exceptions, excuses, taking back, and how it stands.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::entering::{Candidate, Entered, Entrance, Left};
use super::model::{Attendance, CheckinMethod, Direction, Excuse, ExcuseGround, Scan, ScanOutcome, Voiding};
use super::standing::{self, SessionStanding};
use super::undoing::{self, Why};
use super::{completing, door, rules, store};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{AttendanceId, PersonId, SessionId, SignupId};
use crate::offering;
use crate::offering::model::{Session, SessionState};
use crate::platform::Platform;
use crate::platform::access::policy::{CheckinWrite, RosterRead};
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, scans, signups};
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::signup::model::SignupState;

/// Who of those with a place did not come.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"absent": ["sgn_01k5b8m3q2e9t8h6y1v7z4w0xn"]}))]
pub struct RosterCheckinInput {
    /// Their sign-ups.
    #[schema(max_items = 1000)]
    pub absent: Vec<SignupId>,
}

/// What a list came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RosterCheckinView {
    /// Newly present.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub checked_in: i64,
    /// Present before.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub already_present: i64,
    /// Named as absent, and left out.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub absent: i64,
    /// Not let in: the room is full.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub refused: i64,
}

/// Check in everybody with a place but those who did not come / 按名单签到（缺席除外）
///
/// Evidence of grade C: nobody showed anything. Refused with `checkin_not_open`, `checkin_called_off`, `session_finalised`.
#[utoipa::path(
    tag = "door", operation_id = "roster_checkin_create", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RosterCheckinInput,
    responses((status = 200, description = "What it came to", body = RosterCheckinView)),
)]
#[post("/api/v1/sessions/{id}/roster-checkins")]
pub async fn roster_checkin_create(
    platform: Data<Platform>,
    entrance: Data<Entrance>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<RosterCheckinInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (entrance, absent) = (entrance.get_ref().clone(), body.body.absent);
    let act = move |c: &mut Conn| {
        let session = open_session_in_tx(c, &scope, id, now)?;
        let with_place: Vec<(SignupId, PersonId)> = signups::table
            .filter(signups::activity_id.eq(session.activity_id))
            .filter(signups::state.eq_any([SignupState::Confirmed, SignupState::Attended]))
            .order(signups::number)
            .select((signups::id, signups::person_id))
            .load(c)?;
        let (left_out, came): (Vec<_>, Vec<_>) =
            with_place.into_iter().partition(|(signup, _)| absent.contains(signup));
        let people: Vec<PersonId> = came.into_iter().map(|(_, person)| person).collect();
        let (entered, left) =
            let_in_in_tx(c, &entrance, &session, &people, (CheckinMethod::Roster, actor), now)?;
        audit::append_in_tx(c, now, left.entries)?;
        let count = |fits: fn(&Entered) -> bool| {
            i64::try_from(entered.iter().filter(|one| fits(one)).count()).unwrap_or(i64::MAX)
        };
        let view = RosterCheckinView {
            checked_in: count(|one| matches!(one, Entered::Present { fresh: true, .. })),
            already_present: count(|one| matches!(one, Entered::Present { fresh: false, .. })),
            absent: i64::try_from(left_out.len()).unwrap_or(i64::MAX),
            refused: count(|one| matches!(one, Entered::Refused { .. })),
        };
        Stored::done(1, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// A session of the caller's, locked, to which people may be brought in by lists and papers.
pub(super) fn open_session_in_tx(
    conn: &mut Conn,
    scope: &Scope,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<Session> {
    let (_, activity) = door::require_session(conn, scope, id)?;
    let session =
        offering::store::sessions_lock_in_tx(conn, &[id])?.remove(&id).ok_or_else(Error::not_found)?;
    match rules::desk(&session, &activity, now) {
        None => Ok(session),
        Some(why) => Err(rules::refusal(why)),
    }
}

/// Lets people in by other ways than a code of theirs, with a row for each. The audit entries are the caller's to write, last.
pub(super) fn let_in_in_tx(
    conn: &mut Conn,
    entrance: &Entrance,
    session: &Session,
    people: &[PersonId],
    (method, by): (CheckinMethod, PersonId),
    now: DateTime<Utc>,
) -> Result<(Vec<Entered>, Left)> {
    let candidate = |person: &PersonId| Candidate {
        person: *person,
        method,
        distance: None,
        at: now,
        by,
        unregistered: None,
        scan: None,
        decided: false,
    };
    let candidates: Vec<Candidate> = people.iter().map(candidate).collect();
    let activity = offering::store::activity_get(conn, session.activity_id)?.activity;
    let mut left = Left::default();
    let entered = entrance.enter_in_tx(conn, session, &activity, &candidates, &mut left)?;
    let rows: Vec<Scan> = people
        .iter()
        .zip(&entered)
        .map(|(person, one)| Scan {
            id: entrance.ids.id(),
            session_id: session.id,
            person_id: Some(*person),
            operator_id: by,
            device_id: None,
            direction: Direction::In,
            method,
            outcome: match one {
                Entered::Present { fresh: true, .. } => ScanOutcome::Accepted,
                Entered::Present { .. } => ScanOutcome::Duplicate,
                Entered::Refused { why, .. } => *why,
            },
            happened_at: db_time(now),
            received_at: db_time(now),
            distance: None,
            code_hash: None,
            refused: None,
            clock_off: false,
            client_id: None,
            client_seq: None,
            digest: None,
        })
        .collect();
    store::scans_create_in_tx(conn, &rows)?;
    left.count_in_tx(conn, entrance.counting.as_ref())?;
    Ok((entered, left))
}

/// Why a check-in is taken back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "扫错了人"}))]
pub struct UndoInput {
    /// In words; kept in the audit chain, so without names and numbers.
    #[schema(min_length = 2, max_length = 200)]
    pub reason: String,
}

/// An attendance that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndoView {
    /// The attendance.
    pub id: AttendanceId,
    /// Since when it does not stand.
    pub voided_at: DateTime<Utc>,
}

/// Take a check-in back / 撤销签到
///
/// It stays as history and counts no more, the plan's figures with it; the sign-up has its place as before, and the person may be checked in
/// again. Refused with `session_finalised` once the session is finalised.
#[utoipa::path(
    tag = "door", operation_id = "checkin_undo", security(("bearer" = ["checkin:write"])),
    params(("id" = AttendanceId, Path, description = "The attendance"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = UndoInput,
    responses((status = 200, description = "Taken back", body = UndoView)),
)]
#[post("/api/v1/checkins/{id}/undoings")]
pub async fn checkin_undo(
    platform: Data<Platform>,
    entrance: Data<Entrance>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<AttendanceId>,
    body: Idempotent<UndoInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (entrance, reason) = (entrance.get_ref().clone(), body.body.reason);
    let act = move |c: &mut Conn| {
        let row: Option<Attendance> =
            attendances::table.find(id).select(Attendance::as_select()).first(c).optional()?;
        let row = row.ok_or_else(Error::not_found)?;
        door::require_session(c, &scope, row.session_id)?;
        let locked = offering::store::sessions_lock_in_tx(c, &[row.session_id])?;
        let session = locked.get(&row.session_id).ok_or_else(Error::not_found)?;
        if session.state == SessionState::Finalised {
            return Err(Error::new(Code::SessionFinalised));
        }
        let why = Why { voiding: Voiding::Undone, reason: &reason };
        if undoing::undo_in_tx(c, entrance.counting.as_ref(), &[id], why, now)?.is_empty() {
            return Err(Error::new(Code::CheckinNotPresent));
        }
        let counted = [ScanOutcome::Accepted, ScanOutcome::Duplicate, ScanOutcome::Left];
        let theirs = scans::table
            .filter(scans::session_id.eq(session.id))
            .filter(scans::person_id.eq(row.person_id))
            .filter(scans::outcome.eq_any(counted));
        diesel::update(theirs).set(scans::outcome.eq(ScanOutcome::Undone)).execute(c)?;
        let detail = json!({ "session": session.id, "person": row.person_id, "reason": reason });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "checkin.undo", id).detail(detail)])?;
        Stored::done(1, &UndoView { id, voided_at: now })
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Somebody who had a reason not to come.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"signup_id": "sgn_01k5b8m3q2e9t8h6y1v7z4w0xn", "ground": "duty", "note": "厂里临时加班"}))]
pub struct ExcuseInput {
    /// Their sign-up.
    pub signup_id: SignupId,
    /// Why.
    pub ground: ExcuseGround,
    /// In words, without illnesses.
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

/// Excuse somebody who does not come / 登记请假
///
/// Not coming weighs nothing then. Said again, the first one stands.
#[utoipa::path(
    tag = "door", operation_id = "excuse_record", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ExcuseInput,
    responses((status = 200, description = "How the session stands", body = SessionStanding)),
)]
#[post("/api/v1/sessions/{id}/excuses")]
pub async fn excuse_record(
    platform: Data<Platform>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<ExcuseInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let input = body.body;
    let act = move |c: &mut Conn| {
        let (_, activity) = door::require_session(c, &scope, id)?;
        // So that of two who excuse, or finalise, one sees the other; and the session as it is then.
        offering::store::activities_lock_in_tx(c, &[activity.id])?;
        let (session, _) = door::require_session(c, &scope, id)?;
        let found: Option<PersonId> = signups::table
            .filter(signups::id.eq(input.signup_id))
            .filter(signups::activity_id.eq(activity.id))
            .filter(signups::state.eq_any([SignupState::Confirmed, SignupState::Attended]))
            .select(signups::person_id)
            .first(c)
            .optional()?;
        let person = found.ok_or_else(|| Error::new(Code::CheckinNotSignedUp))?;
        let excuse = Excuse {
            session_id: id,
            person_id: person,
            ground: input.ground,
            note: input.note.clone(),
            recorded_by: actor,
            recorded_at: db_time(now),
        };
        store::excuse_in_tx(c, &excuse)?;
        let detail = json!({ "session": id, "ground": input.ground });
        let mut entries = vec![Entry::new(actor, "excuse.record", input.signup_id).detail(detail)];
        entries.extend(completing::follow_in_tx(c, activity.id, now)?);
        audit::append_in_tx(c, now, entries)?;
        Stored::done(1, &standing::of(c, &session, &activity)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// How a session stands / 场次签到情况
///
/// Who is expected, there, late, gone early, excused and absent, and the hours of 45 minutes that were attended.
#[utoipa::path(
    tag = "door", operation_id = "session_standing", security(("bearer" = ["roster:read"])),
    params(("id" = SessionId, Path, description = "The session")),
    responses((status = 200, description = "How it stands", body = SessionStanding)),
)]
#[get("/api/v1/sessions/{id}/standing")]
pub async fn session_standing(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<SessionId>,
) -> Result<Reply<SessionStanding>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let read = move |c: &mut Conn| {
        let (session, activity) = door::require_session(c, &scope, id)?;
        standing::of(c, &session, &activity)
    };
    Ok(Reply::new(platform.db.read(read).await?))
}
