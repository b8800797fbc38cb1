//! Queries that change the state and the times of activities and sessions. Callers hold the activity's lock.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::following::Moved;
use super::model::{ActivityState, Session, SessionState};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PersonId, SessionId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, sessions};

/// Locks all sessions of an activity in the order of their ids, and gives them by number.
pub fn sessions_of_locked_in_tx(conn: &mut Conn, activity: ActivityId) -> Result<Vec<Session>> {
    let mut rows: Vec<Session> = crate::load_locked!(
        conn,
        sessions::table
            .filter(sessions::activity_id.eq(activity))
            .order(sessions::id)
            .select(Session::as_select())
    )?;
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

/// Brings an activity from one state into another, and says why; without a reason an earlier one is gone.
///
/// # Errors
/// An internal error when it is not in the state `from`: the caller has decided wrongly.
pub fn activity_state_set_in_tx(
    conn: &mut Conn,
    id: ActivityId,
    from: ActivityState,
    to: ActivityState,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let guarded = activities::table.filter(activities::id.eq(id)).filter(activities::state.eq(from));
    let changed = diesel::update(guarded)
        .set((
            activities::state.eq(to),
            activities::state_reason.eq(reason),
            activities::version.eq(activities::version + 1),
            activities::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    expect_one(changed, id)
}

/// When sign-up opens and closes, and when the first session begins and the last one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = activities)]
pub struct Span {
    /// Sign-up opens.
    pub signup_opens_at: NaiveDateTime,
    /// Sign-up closes.
    pub signup_closes_at: NaiveDateTime,
    /// Start of the first session that is not cancelled.
    pub starts_at: NaiveDateTime,
    /// End of the last session that is not cancelled.
    pub ends_at: NaiveDateTime,
}

/// Writes the times of an activity.
pub fn activity_span_set_in_tx(
    conn: &mut Conn,
    id: ActivityId,
    span: Span,
    now: DateTime<Utc>,
) -> Result<()> {
    let changed = diesel::update(activities::table.find(id))
        .set((
            span,
            activities::moved_at.eq(db_time(now)),
            activities::version.eq(activities::version + 1),
            activities::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    expect_one(changed, id)
}

/// Cancels sessions that are in the state `from`. Whether they were held is not said of them any more.
///
/// # Errors
/// An internal error when one of them is not in that state.
pub fn sessions_cancel_in_tx(
    conn: &mut Conn,
    ids: &[SessionId],
    from: SessionState,
    reason: &str,
) -> Result<()> {
    let guarded = sessions::table.filter(sessions::id.eq_any(ids)).filter(sessions::state.eq(from));
    let changed = diesel::update(guarded)
        .set((
            sessions::state.eq(SessionState::Cancelled),
            sessions::state_reason.eq(reason),
            sessions::held.eq(None::<bool>),
            sessions::version.eq(sessions::version + 1),
        ))
        .execute(conn)?;
    if changed == ids.len() {
        Ok(())
    } else {
        Err(Error::internal(format!("of {ids:?} only {changed} were {from}")))
    }
}

/// Gives a planned session its new times.
///
/// # Errors
/// An internal error when it is not planned.
pub fn session_move_in_tx(conn: &mut Conn, moved: &Moved) -> Result<()> {
    let id = moved.before.id;
    let guarded =
        sessions::table.filter(sessions::id.eq(id)).filter(sessions::state.eq(SessionState::Planned));
    let changed = diesel::update(guarded)
        .set((
            sessions::starts_at.eq(moved.starts_at),
            sessions::ends_at.eq(moved.ends_at),
            sessions::version.eq(sessions::version + 1),
        ))
        .execute(conn)?;
    expect_one(changed, id)
}

/// Says that a planned session is over, and whether it was held: somebody was there, or a crowd was `counted`.
///
/// # Errors
/// An internal error when it is not planned.
pub fn session_finalise_in_tx(
    conn: &mut Conn,
    id: SessionId,
    by: PersonId,
    counted: bool,
    now: DateTime<Utc>,
) -> Result<Session> {
    let planned =
        sessions::table.filter(sessions::id.eq(id)).filter(sessions::state.eq(SessionState::Planned));
    let changed = diesel::update(planned)
        .set((
            sessions::state.eq(SessionState::Finalised),
            sessions::held.eq(sessions::present.gt(if counted { -1 } else { 0 }).nullable()),
            sessions::finalised_at.eq(db_time(now)),
            sessions::finalised_by.eq(by),
            sessions::version.eq(sessions::version + 1),
        ))
        .execute(conn)?;
    expect_one(changed, id)?;
    Ok(sessions::table.find(id).select(Session::as_select()).first(conn)?)
}

/// A finalised session is to be finalised anew: whether it was held is open again.
///
/// # Errors
/// An internal error when it is not finalised.
pub fn session_reopen_in_tx(conn: &mut Conn, id: SessionId, now: DateTime<Utc>) -> Result<Session> {
    let finalised =
        sessions::table.filter(sessions::id.eq(id)).filter(sessions::state.eq(SessionState::Finalised));
    let changed = diesel::update(finalised)
        .set((
            sessions::state.eq(SessionState::Planned),
            sessions::held.eq(None::<bool>),
            sessions::finalised_at.eq(None::<NaiveDateTime>),
            sessions::finalised_by.eq(None::<PersonId>),
            sessions::reopened_at.eq(db_time(now)),
            sessions::version.eq(sessions::version + 1),
        ))
        .execute(conn)?;
    expect_one(changed, id)?;
    Ok(sessions::table.find(id).select(Session::as_select()).first(conn)?)
}

/// Says of a finalised session whether it was held after all.
///
/// # Errors
/// An internal error when it is not finalised.
pub fn session_held_set_in_tx(conn: &mut Conn, id: SessionId, held: bool) -> Result<()> {
    let finalised =
        sessions::table.filter(sessions::id.eq(id)).filter(sessions::state.eq(SessionState::Finalised));
    let changed = diesel::update(finalised)
        .set((sessions::held.eq(held), sessions::version.eq(sessions::version + 1)))
        .execute(conn)?;
    expect_one(changed, id)
}

fn expect_one(changed: usize, id: impl std::fmt::Display) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{id} is not as it was when locked"))) }
}
