//! Why a person was away, erased. That they were there stays: it was counted.

use diesel::prelude::*;

use super::model::{ConflictState, ExcuseGround};
use crate::error::Result;
use crate::ids::{ConflictId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{checkin_conflicts, excuses};

/// Scans of `people` about which the desk has not decided.
pub fn undecided(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<ConflictId>> {
    Ok(checkin_conflicts::table
        .filter(checkin_conflicts::person_id.eq_any(people))
        .filter(checkin_conflicts::state.eq(ConflictState::Open))
        .order(checkin_conflicts::id)
        .select(checkin_conflicts::id)
        .load(conn)?)
}

/// Removes the words of excuses, and that somebody was ill. That they were excused stays: a course may be complete by it.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let said = excuses::table
        .filter(excuses::person_id.eq_any(people))
        .filter(excuses::ground.ne(ExcuseGround::Other).or(excuses::note.is_not_null()));
    Ok(diesel::update(said)
        .set((excuses::ground.eq(ExcuseGround::Other), excuses::note.eq(None::<String>)))
        .execute(conn)?)
}
