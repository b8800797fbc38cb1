//! How a session stands: derived from attendance, kept nowhere.

use std::collections::HashSet;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::Attendance;
use super::offline::conflicts;
use super::rules;
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{PersonId, SessionId};
use crate::offering;
use crate::offering::model::{Activity, Session, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, excuses, signups};
use crate::policy;
use crate::signup::model::SignupState;

/// How a session stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionStanding {
    /// The session.
    pub session_id: SessionId,
    /// With a place.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub expected: i64,
    /// There.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub present: i64,
    /// Of those there, without a sign-up.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub walk_ins: i64,
    /// Of those there, who came late.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub late: i64,
    /// Of those there, who left early.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub left_early: i64,
    /// Excused, and not there.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub excused: i64,
    /// With a place, not there and not excused; nothing before the session's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub absent: Option<i64>,
    /// Minutes attended, of all together, in roles that earn hours.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub minutes: i64,
    /// Hours of 45 minutes in that, rounded down.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub hours: i64,
    /// What devices could not decide and the desk has.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub open_conflicts: i64,
}

/// Terms of lateness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Minutes after the begin from which somebody is late.
    pub late: i64,
    /// Minutes before the end until which leaving is early.
    pub early: i64,
}

/// The terms in force on a day.
pub fn terms(conn: &mut Conn, at: NaiveDateTime) -> Result<Terms> {
    let day = civil_day(at.and_utc());
    Ok(Terms {
        late: policy::store::number_on(conn, "attendance.late_minutes", day)?,
        early: policy::store::number_on(conn, "attendance.early_minutes", day)?,
    })
}

/// How `session` stands.
pub fn of(conn: &mut Conn, session: &Session, activity: &Activity) -> Result<SessionStanding> {
    let terms = terms(conn, session.starts_at)?;
    let present: Vec<Attendance> = attendances::table
        .filter(attendances::session_id.eq(session.id))
        .filter(attendances::voided_at.is_null())
        .select(Attendance::as_select())
        .load(conn)?;
    let there: HashSet<PersonId> = present.iter().map(|row| row.person_id).collect();
    let with_place: Vec<PersonId> = signups::table
        .filter(signups::activity_id.eq(activity.id))
        .filter(signups::state.eq_any([SignupState::Confirmed, SignupState::Attended]))
        .select(signups::person_id)
        .load(conn)?;
    let excused: HashSet<PersonId> = excuses::table
        .filter(excuses::session_id.eq(session.id))
        .select(excuses::person_id)
        .load::<PersonId>(conn)?
        .into_iter()
        .collect();
    let roles = offering::store::roles(conn)?;
    let earns = |row: &&Attendance| roles.get(&row.role).is_some_and(|role| role.earns_hours);
    let missing = with_place.iter().filter(|person| !there.contains(person));
    let minutes: i64 =
        present.iter().filter(earns).map(|row| rules::minutes(session, row.checked_in_at, row.left_at)).sum();
    let over = session.state == SessionState::Finalised;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(SessionStanding {
        session_id: session.id,
        expected: count(with_place.len()),
        present: count(present.len()),
        walk_ins: count(present.iter().filter(|row| row.signup_id.is_none()).count()),
        late: count(
            present.iter().filter(|row| rules::is_late(session, row.checked_in_at, terms.late)).count(),
        ),
        left_early: count(
            present.iter().filter(|row| rules::is_early(session, row.left_at, terms.early)).count(),
        ),
        excused: count(missing.clone().filter(|person| excused.contains(person)).count()),
        absent: over.then(|| count(missing.filter(|person| !excused.contains(person)).count())),
        minutes,
        hours: minutes / 45,
        open_conflicts: conflicts::open_count(conn, session.id)?,
    })
}
