//! The sealed columns of closing reports and of what follows them, for a change of keys.

use diesel::prelude::*;

use super::model::{CHECK_NOTE, OPINION, SUMMARY, VISIT_NOTE};
use crate::error::Result;
use crate::ids::CaseId;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    legal_file_checks, legal_reports, legal_return_visits, legal_satisfactions,
};
use crate::platform::vault::Field;

/// A case with a sealed text of it.
pub type SealedText = (CaseId, String);

/// A sealed column: how it is read, and how a text of it is replaced, if it still is what was read.
pub struct Column {
    /// Where it is kept.
    pub field: Field,
    /// Texts after a case, in the order of cases.
    pub after: fn(&mut Conn, Option<CaseId>, i64) -> Result<Vec<SealedText>>,
    /// Replaces the first text by the second.
    pub put: fn(&mut Conn, CaseId, &str, &str) -> Result<usize>,
}

/// All of them.
pub const COLUMNS: &[Column] = &[
    Column { field: SUMMARY, after: summaries, put: summary_put },
    Column { field: VISIT_NOTE, after: visit_notes, put: visit_note_put },
    Column { field: OPINION, after: opinions, put: opinion_put },
    Column { field: CHECK_NOTE, after: check_notes, put: check_note_put },
];

macro_rules! column {
    ($read:ident, $put:ident, $table:ident, $text:ident) => {
        fn $read(conn: &mut Conn, after: Option<CaseId>, limit: i64) -> Result<Vec<SealedText>> {
            let mut query = $table::table
                .filter($table::$text.is_not_null())
                .order($table::case_id)
                .limit(limit)
                .select(($table::case_id, $table::$text.assume_not_null()))
                .into_boxed();
            if let Some(after) = after {
                query = query.filter($table::case_id.gt(after));
            }
            Ok(query.load(conn)?)
        }

        fn $put(conn: &mut Conn, case: CaseId, old: &str, new: &str) -> Result<usize> {
            let same = $table::table.filter($table::case_id.eq(case)).filter($table::$text.eq(old));
            Ok(diesel::update(same).set($table::$text.eq(new)).execute(conn)?)
        }
    };
}

column!(visit_notes, visit_note_put, legal_return_visits, note_sealed);
column!(opinions, opinion_put, legal_satisfactions, text_sealed);
column!(check_notes, check_note_put, legal_file_checks, note_sealed);

fn summaries(conn: &mut Conn, after: Option<CaseId>, limit: i64) -> Result<Vec<SealedText>> {
    let mut query = legal_reports::table
        .order(legal_reports::case_id)
        .limit(limit)
        .select((legal_reports::case_id, legal_reports::summary_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_reports::case_id.gt(after));
    }
    Ok(query.load(conn)?)
}

fn summary_put(conn: &mut Conn, case: CaseId, old: &str, new: &str) -> Result<usize> {
    let same = legal_reports::table
        .filter(legal_reports::case_id.eq(case))
        .filter(legal_reports::summary_sealed.eq(old));
    Ok(diesel::update(same).set(legal_reports::summary_sealed.eq(new)).execute(conn)?)
}
