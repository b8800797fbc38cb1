//! Who knows of a case: its team, and whoever has broken the glass. To everybody else it is not there, and one answer says so.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{Case, TeamMember, TeamRole};
use super::{glass, store};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{CaseId, GlassId, Ids, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_team;

/// As what somebody sees a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// Of its team.
    Team(TeamRole),
    /// Through a glass that was broken: reads, and changes nothing.
    Glass(GlassId),
}

/// A case before somebody who may see it.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The case.
    pub case: Case,
    /// As what they see it.
    pub role: Seat,
}

impl Admitted {
    /// Whether they see it through a broken glass.
    pub fn is_glass(&self) -> bool {
        matches!(self.role, Seat::Glass(_))
    }
}

/// The case `id` for whoever is of its team, or has broken the glass before it.
///
/// # Errors
/// 404 for everybody else, whether it is there or not: the same questions are asked of either.
pub fn admitted(conn: &mut Conn, person: PersonId, id: CaseId, now: DateTime<Utc>) -> Result<Admitted> {
    let case = store::get(conn, id);
    let role = role_of(conn, id, person)?;
    let glass = glass::open_for(conn, id, person, now)?;
    let seat = role.map(Seat::Team).or(glass.map(Seat::Glass)).ok_or_else(Error::not_found)?;
    Ok(Admitted { case: case?, role: seat })
}

/// The case `id`, locked, for whoever is of its team. A broken glass changes nothing.
///
/// # Errors
/// 404 for everybody else.
pub fn locked_in_tx(conn: &mut Conn, person: PersonId, id: CaseId, _now: DateTime<Utc>) -> Result<Admitted> {
    // First who asks: a stranger must not hold the lock of a case.
    role_of(conn, id, person)?.ok_or_else(Error::not_found)?;
    let case = store::locked_in_tx(conn, id)?;
    // Once more behind the lock: the case may have been handed to another meanwhile.
    let role = role_of(conn, id, person)?.ok_or_else(Error::not_found)?;
    Ok(Admitted { case, role: Seat::Team(role) })
}

fn role_of(conn: &mut Conn, case: CaseId, person: PersonId) -> Result<Option<TeamRole>> {
    let live = legal_team::table
        .filter(legal_team::case_id.eq(case))
        .filter(legal_team::person_id.eq(person))
        .filter(legal_team::left_at.is_null());
    Ok(live.select(legal_team::role).first(conn).optional()?)
}

/// `person` is of the team from now on; false where they are already.
pub fn join_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    case: CaseId,
    person: PersonId,
    role: TeamRole,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = TeamMember {
        id: ids.id(),
        case_id: case,
        person_id: person,
        role,
        joined_at: db_time(now),
        left_at: None,
    };
    let rows = std::slice::from_ref(&row);
    let new = crate::insert_new!(conn, legal_team::table, rows, legal_team::id => |row: &TeamMember| row.id)?;
    Ok(!new.is_empty())
}

/// `person` is of the team no longer; false where they were not.
pub fn leave_in_tx(conn: &mut Conn, case: CaseId, person: PersonId, now: DateTime<Utc>) -> Result<bool> {
    let live = legal_team::table
        .filter(legal_team::case_id.eq(case))
        .filter(legal_team::person_id.eq(person))
        .filter(legal_team::left_at.is_null());
    Ok(diesel::update(live).set(legal_team::left_at.eq(db_time(now))).execute(conn)? == 1)
}

/// Who is of the team now, in the order in which they came.
pub fn of(conn: &mut Conn, case: CaseId) -> Result<Vec<TeamMember>> {
    Ok(legal_team::table
        .filter(legal_team::case_id.eq(case))
        .filter(legal_team::left_at.is_null())
        .order(legal_team::id)
        .select(TeamMember::as_select())
        .load(conn)?)
}
