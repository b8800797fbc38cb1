//! Queries of attendance.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::model::{Attempt, Attendance};
use crate::error::Result;
use crate::ids::{ActivityId, AttendanceId, OrganisationId, PersonId, SessionId, SignupId};
use crate::offering::model::{AttendanceRole, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, checkin_attempts, people, sessions};

/// Inserts those rows whose person is not present yet, and gives their ids.
pub fn insert_new_in_tx(conn: &mut Conn, rows: &[Attendance]) -> Result<HashSet<AttendanceId>> {
    let ids =
        crate::insert_new!(conn, attendances::table, rows, attendances::id => |row: &Attendance| row.id)?;
    Ok(ids.into_iter().collect())
}

/// Who of `people` is present at a session.
pub fn present(
    conn: &mut Conn,
    session: SessionId,
    people: &[PersonId],
) -> Result<HashMap<PersonId, Attendance>> {
    let rows: Vec<Attendance> = attendances::table
        .filter(attendances::session_id.eq(session))
        .filter(attendances::person_id.eq_any(people))
        .select(Attendance::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.person_id, row)).collect())
}

/// How many people are present at a session in one of `roles`.
pub fn present_as(conn: &mut Conn, session: SessionId, roles: &[AttendanceRole]) -> Result<i64> {
    let present = attendances::table
        .filter(attendances::session_id.eq(session))
        .filter(attendances::role.eq_any(roles));
    Ok(present.count().get_result(conn)?)
}

/// Everybody who was checked in at one of `sessions`, by the attendance's id.
pub fn of_sessions(conn: &mut Conn, session_ids: &[SessionId]) -> Result<Vec<Attendance>> {
    let query = attendances::table
        .filter(attendances::session_id.eq_any(session_ids))
        .order(attendances::id)
        .select(Attendance::as_select());
    Ok(query.load(conn)?)
}

/// Of `signups`, those whose person was checked in at a session that is not cancelled.
pub fn still_attended(conn: &mut Conn, signups: &[SignupId]) -> Result<HashSet<SignupId>> {
    let mut found = HashSet::new();
    for some in signups.chunks(SOME) {
        let standing = attendances::table
            .inner_join(sessions::table)
            .filter(attendances::signup_id.eq_any(some))
            .filter(sessions::state.ne(SessionState::Cancelled))
            .select(attendances::signup_id);
        found.extend(standing.load::<SignupId>(conn)?);
    }
    Ok(found)
}

/// An attendance with its activity and the begin of its session.
pub type Placed = (Attendance, ActivityId, chrono::NaiveDateTime);

/// All attendances of `people` at sessions that are not cancelled, in the order in which they were recorded.
pub fn standing_of(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<Placed>> {
    let mut found: Vec<Placed> = Vec::new();
    for some in people.chunks(SOME) {
        let query = attendances::table
            .inner_join(sessions::table)
            .filter(attendances::person_id.eq_any(some))
            .filter(sessions::state.ne(SessionState::Cancelled))
            .select((Attendance::as_select(), sessions::activity_id, sessions::starts_at));
        found.extend(query.load::<Placed>(conn)?);
    }
    found.sort_by_key(|(row, _, _)| (row.checked_in_at, row.id));
    Ok(found)
}

/// Parameters of one statement: some, not thousands.
const SOME: usize = 500;

/// Keeps every scan.
pub fn attempts_create_in_tx(conn: &mut Conn, rows: &[Attempt]) -> Result<()> {
    crate::insert_rows!(conn, checkin_attempts::table, rows)?;
    Ok(())
}

/// A person's name and workplace.
pub type Brief = (Option<String>, Option<OrganisationId>);

/// Names and workplaces of `people`.
pub fn people_brief(conn: &mut Conn, people_ids: &[PersonId]) -> Result<HashMap<PersonId, Brief>> {
    let rows: Vec<(PersonId, Option<String>, Option<OrganisationId>)> = people::table
        .filter(people::id.eq_any(people_ids))
        .select((people::id, people::name, people::workplace_id))
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, name, workplace)| (id, (name, workplace))).collect())
}

/// Attendances of a session after `after`, with the person's name.
pub fn list(
    conn: &mut Conn,
    session: SessionId,
    after: Option<AttendanceId>,
    limit: i64,
) -> Result<Vec<(Attendance, Option<String>)>> {
    let mut query = attendances::table
        .inner_join(people::table.on(people::id.eq(attendances::person_id)))
        .filter(attendances::session_id.eq(session))
        .order(attendances::id)
        .limit(limit)
        .select((Attendance::as_select(), people::name))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(attendances::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Attendances after `after`, at sessions that are not cancelled, with activity and session begin; for verification.
pub fn all_after(conn: &mut Conn, after: Option<AttendanceId>, limit: i64) -> Result<Vec<Placed>> {
    let mut query = attendances::table
        .inner_join(sessions::table)
        .filter(sessions::state.ne(SessionState::Cancelled))
        .order(attendances::id)
        .limit(limit)
        .select((Attendance::as_select(), sessions::activity_id, sessions::starts_at))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(attendances::id.gt(after));
    }
    Ok(query.load(conn)?)
}
