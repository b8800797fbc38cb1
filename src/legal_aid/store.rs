//! Queries of cases. Whoever changes one holds its lock.

use diesel::prelude::*;

use super::model::Case;
use crate::error::{Error, Result};
use crate::ids::{CaseId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_cases;

/// The case `id`, or 404.
pub fn get(conn: &mut Conn, id: CaseId) -> Result<Case> {
    let found = legal_cases::table.find(id).select(Case::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The case `id` as it is behind its lock, or 404.
pub fn locked_in_tx(conn: &mut Conn, id: CaseId) -> Result<Case> {
    let found: Vec<Case> = crate::load_locked!(
        conn,
        legal_cases::table.filter(legal_cases::id.eq(id)).select(Case::as_select())
    )?;
    found.into_iter().next().ok_or_else(Error::not_found)
}

/// Keeps a request.
pub fn insert_in_tx(conn: &mut Conn, case: &Case) -> Result<()> {
    diesel::insert_into(legal_cases::table).values(case).execute(conn)?;
    Ok(())
}

/// What a person asked for, newest first, before `before`.
pub fn own_list(conn: &mut Conn, person: PersonId, before: Option<CaseId>, limit: i64) -> Result<Vec<Case>> {
    let mut query = legal_cases::table
        .filter(legal_cases::person_id.eq(person))
        .order(legal_cases::id.desc())
        .limit(limit)
        .select(Case::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(legal_cases::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Writes what an act changes of a case, from the state and version that `before` has.
pub fn update_in_tx(conn: &mut Conn, before: &Case, after: &Case) -> Result<()> {
    let same = legal_cases::table
        .filter(legal_cases::id.eq(before.id))
        .filter(legal_cases::state.eq(before.state))
        .filter(legal_cases::version.eq(before.version));
    let changed = diesel::update(same)
        .set((
            legal_cases::state.eq(after.state),
            legal_cases::decided_at.eq(after.decided_at),
            legal_cases::ended_at.eq(after.ended_at),
            legal_cases::ground.eq(after.ground),
            legal_cases::version.eq(after.version),
        ))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{} changed behind its lock", before.id))) }
}
