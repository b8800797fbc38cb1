//! The record of turns: who was looked at for a case, in which place, and why somebody was passed over.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{TURN_NOTE, Turn};
use super::rota::Suggestion;
use super::{opened, sealed};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{CaseId, LawyerId};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_turns;
use crate::platform::vault::Vault;

/// Keeps what was found when somebody was looked for, as the next round of the case. The caller holds the case's lock.
pub fn record_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    case: CaseId,
    found: &[Suggestion],
    now: DateTime<Utc>,
) -> Result<()> {
    let last: Option<i64> = legal_turns::table
        .filter(legal_turns::case_id.eq(case))
        .select(diesel::dsl::max(legal_turns::round))
        .first(conn)?;
    let round = last.unwrap_or(0) + 1;
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        let seal = |note: &str| sealed(vault, TURN_NOTE, &row_key(case, round, one.lawyer), note);
        let note_sealed = one.note.as_deref().map(seal).transpose()?;
        rows.push(Turn {
            case_id: case,
            round,
            lawyer_id: one.lawyer,
            place: one.place,
            recent: one.recent,
            open: one.open,
            skipped: one.skip,
            note_sealed,
            at: db_time(now),
        });
    }
    insert(conn, &rows)?;
    Ok(())
}

fn insert(conn: &mut Conn, rows: &[Turn]) -> diesel::QueryResult<usize> {
    crate::insert_rows!(conn, legal_turns::table, rows)
}

/// The bytes that a note is bound to.
pub fn row_key(case: CaseId, round: i64, lawyer: LawyerId) -> Vec<u8> {
    [case.0.as_bytes().as_slice(), &round.to_be_bytes(), lawyer.0.as_bytes().as_slice()].concat()
}

/// All turns of a case, the latest round first, each in the order of its places.
pub fn of_case(conn: &mut Conn, case: CaseId) -> Result<Vec<Turn>> {
    let query = legal_turns::table
        .filter(legal_turns::case_id.eq(case))
        .order((legal_turns::round.desc(), legal_turns::place))
        .limit(1_000);
    Ok(query.select(Turn::as_select()).load(conn)?)
}

/// Why an officer passed somebody over, if they did.
pub fn note(vault: &Vault, turn: &Turn) -> Result<Option<String>> {
    let open =
        |text: &str| opened(vault, TURN_NOTE, &row_key(turn.case_id, turn.round, turn.lawyer_id), text);
    turn.note_sealed.as_deref().map(open).transpose()
}
