//! Queries of attendance.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Binary;

use super::model::{Attendance, Excuse, Scan, Voiding};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{ActivityId, AttendanceId, OrganisationId, PersonId, SessionId, SignupId};
use crate::offering;
use crate::offering::model::{AttendanceRole, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, excuses, people, scans, sessions, signups};
use crate::signup::model::SignupState;

/// Keeps new attendances. Under the session's lock nobody else is new, and the unique key is the last guard.
pub fn insert_in_tx(conn: &mut Conn, rows: &[Attendance]) -> Result<()> {
    #[rustfmt::skip]
    crate::insert_rows!(conn, attendances [
        id, session_id, person_id, signup_id, role, method, grade, checked_in_at, checked_in_by, left_at, scan_id, voided_at,
        voided_because,
    ], rows)?;
    Ok(())
}

/// Somebody who is expected: who, their name, as what.
pub type ExpectedPerson = (PersonId, Option<String>, AttendanceRole);

/// Who may come to the sessions of an activity: those with a place, and those who need none.
pub fn expected_people(conn: &mut Conn, activity: ActivityId) -> Result<Vec<ExpectedPerson>> {
    let placeless: Vec<AttendanceRole> = offering::store::roles(conn)?
        .into_values()
        .filter(|role| !role.takes_place)
        .map(|role| role.code)
        .collect();
    let with_place = signups::state.eq_any([SignupState::Confirmed, SignupState::Attended]);
    let live = signups::state.ne(SignupState::Cancelled);
    let query = signups::table
        .inner_join(people::table)
        .filter(signups::activity_id.eq(activity))
        .filter(with_place.or(live.and(signups::role.eq_any(placeless))))
        .order(signups::number)
        .select((signups::person_id, people::name, signups::role));
    Ok(query.load(conn)?)
}

/// How many have a place in an activity, in one of `roles`, and are not present at its session.
pub fn expected(
    conn: &mut Conn,
    session: SessionId,
    activity: ActivityId,
    roles: &[AttendanceRole],
) -> Result<i64> {
    let present = attendances::table
        .filter(attendances::session_id.eq(session))
        .filter(attendances::voided_at.is_null())
        .filter(attendances::person_id.eq(signups::person_id))
        .select(attendances::id);
    let with_place = signups::table
        .filter(signups::activity_id.eq(activity))
        .filter(signups::state.eq_any([SignupState::Confirmed, SignupState::Attended]))
        .filter(signups::role.eq_any(roles))
        .filter(diesel::dsl::not(diesel::dsl::exists(present)));
    Ok(with_place.count().get_result(conn)?)
}

/// What is kept of `people` at a session, standing or void.
pub fn kept(
    conn: &mut Conn,
    session: SessionId,
    people: &[PersonId],
) -> Result<HashMap<PersonId, Attendance>> {
    let pairs: BTreeSet<(SessionId, PersonId)> = people.iter().map(|person| (session, *person)).collect();
    let rows: Vec<Attendance> = crate::load_pairs!(
        conn,
        Attendance,
        pairs,
        (session, person) => attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::person_id.eq(person))
            .select(Attendance::as_select()),
        "attendances",
        "session_id": Binary,
        "person_id": Binary
    )?;
    Ok(rows.into_iter().map(|row| (row.person_id, row)).collect())
}

/// The scans of `people` at a session.
pub fn scans_of(conn: &mut Conn, session: SessionId, people: &[PersonId]) -> Result<Vec<Scan>> {
    let pairs: BTreeSet<(SessionId, PersonId)> = people.iter().map(|person| (session, *person)).collect();
    Ok(crate::load_pairs!(
        conn,
        Scan,
        pairs,
        (session, person) => scans::table
            .filter(scans::session_id.eq(session))
            .filter(scans::person_id.eq(person))
            .select(Scan::as_select()),
        "scans",
        "session_id": Binary,
        "person_id": Binary
    )?)
}

/// A void attendance stands again, as `row` says; false when it is not void.
pub fn revive_in_tx(conn: &mut Conn, row: &Attendance) -> Result<bool> {
    let void =
        attendances::table.filter(attendances::id.eq(row.id)).filter(attendances::voided_at.is_not_null());
    let changed = diesel::update(void)
        .set((
            attendances::signup_id.eq(row.signup_id),
            attendances::role.eq(row.role),
            attendances::method.eq(row.method),
            attendances::grade.eq(row.grade),
            attendances::checked_in_at.eq(row.checked_in_at),
            attendances::checked_in_by.eq(row.checked_in_by),
            attendances::left_at.eq(None::<NaiveDateTime>),
            attendances::scan_id.eq(row.scan_id),
            attendances::voided_at.eq(None::<NaiveDateTime>),
            attendances::voided_because.eq(None::<Voiding>),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// An attendance does not stand any more; false when it did not already.
pub fn void_in_tx(conn: &mut Conn, id: AttendanceId, why: Voiding, now: DateTime<Utc>) -> Result<bool> {
    let standing = attendances::table.filter(attendances::id.eq(id)).filter(attendances::voided_at.is_null());
    let changed = diesel::update(standing)
        .set((attendances::voided_at.eq(db_time(now)), attendances::voided_because.eq(why)))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Somebody who is present leaves; later than they were known to, if they left before. Gives the attendance, none when they are not
/// present.
pub fn leave_in_tx(
    conn: &mut Conn,
    session: SessionId,
    person: PersonId,
    at: DateTime<Utc>,
) -> Result<Option<Attendance>> {
    let present = || {
        attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::person_id.eq(person))
            .filter(attendances::voided_at.is_null())
    };
    let earlier = attendances::left_at.is_null().or(attendances::left_at.lt(db_time(at)));
    let entered = attendances::checked_in_at.le(db_time(at));
    diesel::update(present().filter(earlier).filter(entered))
        .set(attendances::left_at.eq(db_time(at)))
        .execute(conn)?;
    Ok(present().select(Attendance::as_select()).first(conn).optional()?)
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
        .filter(attendances::voided_at.is_null())
        .select(Attendance::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.person_id, row)).collect())
}

/// How many people are present at a session in one of `roles`.
pub fn present_as(conn: &mut Conn, session: SessionId, roles: &[AttendanceRole]) -> Result<i64> {
    let present = attendances::table
        .filter(attendances::session_id.eq(session))
        .filter(attendances::role.eq_any(roles))
        .filter(attendances::voided_at.is_null());
    Ok(present.count().get_result(conn)?)
}

/// Everybody who was checked in at one of `sessions`, by the attendance's id.
pub fn of_sessions(conn: &mut Conn, session_ids: &[SessionId]) -> Result<Vec<Attendance>> {
    let query = attendances::table
        .filter(attendances::session_id.eq_any(session_ids))
        .filter(attendances::voided_at.is_null())
        .order(attendances::id)
        .select(Attendance::as_select());
    Ok(query.load(conn)?)
}

/// Attendances by id that stand, with their activities, in the order of their ids.
pub fn standing(conn: &mut Conn, ids: &[AttendanceId]) -> Result<Vec<(Attendance, ActivityId)>> {
    let query = attendances::table
        .inner_join(sessions::table)
        .filter(attendances::id.eq_any(ids))
        .filter(attendances::voided_at.is_null())
        .order(attendances::id)
        .select((Attendance::as_select(), sessions::activity_id));
    Ok(query.load(conn)?)
}

/// Of `signups`, those whose person was checked in at a session that is not cancelled.
pub fn still_attended(conn: &mut Conn, signups: &[SignupId]) -> Result<HashSet<SignupId>> {
    let mut found = HashSet::new();
    for some in signups.chunks(SOME) {
        let standing = attendances::table
            .inner_join(sessions::table)
            .filter(attendances::signup_id.eq_any(some))
            .filter(attendances::voided_at.is_null())
            .filter(sessions::state.ne(SessionState::Cancelled))
            .select(attendances::signup_id);
        found.extend(standing.load::<Option<SignupId>>(conn)?.into_iter().flatten());
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
            .filter(attendances::voided_at.is_null())
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
pub fn scans_create_in_tx(conn: &mut Conn, rows: &[Scan]) -> Result<()> {
    #[rustfmt::skip]
    crate::insert_rows!(conn, scans [
        id, session_id, person_id, operator_id, device_id, direction, method, outcome, happened_at, received_at, distance,
        code_hash, refused, clock_off, client_id, client_seq, digest,
    ], rows)?;
    Ok(())
}

/// Excuses somebody; what was said first stands.
pub fn excuse_in_tx(conn: &mut Conn, row: &Excuse) -> Result<()> {
    let rows = std::slice::from_ref(row);
    crate::insert_new!(conn, excuses::table, rows, excuses::person_id => |row: &Excuse| row.person_id)?;
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
        .filter(attendances::voided_at.is_null())
        .order(attendances::id)
        .limit(limit)
        .select((Attendance::as_select(), people::name))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(attendances::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Attendances that stand, after `after`, at sessions that are not cancelled, with activity and session begin; for verification.
pub fn all_after(conn: &mut Conn, after: Option<AttendanceId>, limit: i64) -> Result<Vec<Placed>> {
    let mut query = attendances::table
        .inner_join(sessions::table)
        .filter(sessions::state.ne(SessionState::Cancelled))
        .filter(attendances::voided_at.is_null())
        .order(attendances::id)
        .limit(limit)
        .select((Attendance::as_select(), sessions::activity_id, sessions::starts_at))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(attendances::id.gt(after));
    }
    Ok(query.load(conn)?)
}
