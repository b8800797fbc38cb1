//! What the content check knows of a person's texts and pictures, erased with them.

use diesel::prelude::*;

use crate::error::Result;
use crate::ids::{CaseId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::content_checks;

/// Removes the checks of what `people` wrote, but for what stands in a case of `kept`.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId], kept: &[CaseId]) -> Result<usize> {
    let theirs = content_checks::table
        .filter(content_checks::person_id.eq_any(people))
        .filter(content_checks::case_id.is_null().or(content_checks::case_id.ne_all(kept)));
    Ok(diesel::delete(theirs).execute(conn)?)
}

/// Removes the checks of what was written to a case.
pub fn of_case_in_tx(conn: &mut Conn, case: CaseId) -> Result<usize> {
    Ok(diesel::delete(content_checks::table.filter(content_checks::case_id.eq(case))).execute(conn)?)
}
