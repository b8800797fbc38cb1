//! Queries of attendance.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::model::{Attempt, Attendance};
use crate::error::Result;
use crate::ids::{ActivityId, AttendanceId, OrganisationId, PersonId, SessionId};
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

/// All attendances after `after` with activity, session begin and the person's workplace today; for verification.
pub fn all_after(
    conn: &mut Conn,
    after: Option<AttendanceId>,
    limit: i64,
) -> Result<Vec<(Attendance, ActivityId, chrono::NaiveDateTime)>> {
    let mut query = attendances::table
        .inner_join(sessions::table)
        .order(attendances::id)
        .limit(limit)
        .select((Attendance::as_select(), sessions::activity_id, sessions::starts_at))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(attendances::id.gt(after));
    }
    Ok(query.load(conn)?)
}
