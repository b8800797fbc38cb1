//! Attendances are taken back: they stand no more, their room is free again, and what counted through them counts no more.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::counting::{Counting, Held, Voided};
use super::model::{Attendance, Voiding};
use super::{headcounts, store};
use crate::error::Result;
use crate::ids::{ActivityId, AttendanceId, SessionId, SignupId};
use crate::ledger::model::{Cause, Grade};
use crate::offering;
use crate::offering::model::{Activity, Session};
use crate::platform::db::Conn;
use crate::platform::db::schema::sessions;
use crate::signup;

/// Why attendances are taken back.
#[derive(Debug, Clone, Copy)]
pub struct Why<'a> {
    /// As the attendance keeps it.
    pub voiding: Voiding,
    /// As the ledger keeps it.
    pub reason: &'a str,
}

/// Takes back those of `ids` that stand, and gives them as they were. The caller holds the locks of their sessions, and writes the
/// audit entries.
pub fn undo_in_tx(
    conn: &mut Conn,
    counting: &dyn Counting,
    ids: &[AttendanceId],
    why: Why<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Attendance>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut undone: Vec<Attendance> = Vec::new();
    let mut by_activity: BTreeMap<ActivityId, Voided> = BTreeMap::new();
    let mut by_session: BTreeMap<SessionId, i64> = BTreeMap::new();
    for (row, activity) in store::standing(conn, ids)? {
        if !store::void_in_tx(conn, row.id, why.voiding, now)? {
            continue;
        }
        *by_session.entry(row.session_id).or_default() += 1;
        let voided = by_activity.entry(activity).or_insert_with(|| Voided {
            activity,
            // The sessions took place: it is people who were not there.
            sessions: Vec::new(),
            attendances: Vec::new(),
            cause: match why.voiding {
                Voiding::Undone => Cause::Undone,
                Voiding::Conflict | Voiding::Rejected => Cause::Conflict,
            },
            reason: why.reason.to_owned(),
        });
        voided.attendances.push((row.id, row.person_id));
        undone.push(row);
    }
    for (session, count) in &by_session {
        offering::store::present_add_in_tx(conn, *session, -count)?;
    }
    let signups: HashSet<SignupId> = undone.iter().filter_map(|row| row.signup_id).collect();
    let mut signups: Vec<SignupId> = signups.into_iter().collect();
    signups.sort();
    let attended = store::still_attended(conn, &signups)?;
    signups.retain(|id| !attended.contains(id));
    signup::following::unattended_in_tx(conn, &signups)?;
    for voided in by_activity.values() {
        counting.voided_in_tx(conn, voided)?;
    }
    // A crowd that was counted there is counted less those who are present.
    headcounts::recounting::recount_in_tx(conn, counting, &by_session.into_keys().collect())?;
    Ok(undone)
}

/// A finalised session at which nobody was seen was held after all: somebody was there.
pub fn held_after_all_in_tx(
    conn: &mut Conn,
    counting: &dyn Counting,
    session: &Session,
    activity: &Activity,
) -> Result<()> {
    let empty = sessions::table
        .filter(sessions::id.eq(session.id))
        .filter(sessions::held.eq(false))
        .filter(sessions::present.gt(0));
    let changed = diesel::update(empty)
        .set((sessions::held.eq(true), sessions::version.eq(sessions::version + 1)))
        .execute(conn)?;
    if changed == 1 {
        let starts_at = session.starts_at.and_utc();
        let held = Held { session: session.id, activity: activity.id, starts_at, grade: Grade::B };
        counting.held_in_tx(conn, &held)?;
    }
    Ok(())
}
