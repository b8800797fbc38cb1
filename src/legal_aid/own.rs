//! What a person asked for themselves. Another's request is not there.

use diesel::prelude::*;

use super::model::Case;
use crate::error::{Error, Result};
use crate::ids::{CaseId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_cases;

/// The request `id` of `person`.
///
/// # Errors
/// 404 for another's as for one that is not there.
pub fn get(conn: &mut Conn, person: PersonId, id: CaseId) -> Result<Case> {
    let own = legal_cases::table.filter(legal_cases::id.eq(id)).filter(legal_cases::person_id.eq(person));
    own.select(Case::as_select()).first(conn).optional()?.ok_or_else(Error::not_found)
}

/// The request `id` of `person`, locked.
///
/// # Errors
/// As [`get`].
pub fn locked_in_tx(conn: &mut Conn, person: PersonId, id: CaseId) -> Result<Case> {
    let found: Vec<Case> = crate::load_locked!(
        conn,
        legal_cases::table
            .filter(legal_cases::id.eq(id))
            .filter(legal_cases::person_id.eq(person))
            .select(Case::as_select())
    )?;
    found.into_iter().next().ok_or_else(Error::not_found)
}
