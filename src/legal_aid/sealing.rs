//! A change of keys: what applicants say, what officers note and decide, what is missing, and objections with their answers, sealed again
//! under the active key, while serving. Papers, hands and glasses have their own.

use diesel::prelude::*;

use super::deciding::model::{MISSING, REASONS};
use super::model::{FACTS, NOTE};
use super::objections::{ANSWER, TEXT};
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseEventId, CaseId, ObjectionId};
use crate::platform::db::schema::{
    legal_cases, legal_decisions, legal_events, legal_objections, legal_supplements,
};
use crate::platform::db::{Conn, Db};
use crate::platform::vault::{Field, Vault};

/// Rows in one transaction.
const PAGE: i64 = 200;

/// Goes through all rows of a sealed column in the order of its key, and seals again what is not under the active key. What was changed
/// meanwhile is under it already.
macro_rules! column {
    (@text $column:path) => { $column };
    (@text $column:path, $not_null:ident) => { $column.assume_not_null() };
    ($db:expr, $vault:expr, $progress:expr, $field:expr, $table:ident.$key:ident as $id:ty, $sealed:ident $(, $not_null:ident)?) => {{
        let (mut done, mut after): (usize, Option<$id>) = (0, None);
        loop {
            let rows: Vec<($id, String)> = $db.read_blocking(|conn: &mut Conn| {
                let mut query = $table::table
                    $(.filter($table::$sealed.$not_null()))?
                    .order($table::$key)
                    .limit(PAGE)
                    .select(($table::$key, column!(@text $table::$sealed $(, $not_null)?)))
                    .into_boxed();
                if let Some(after) = after {
                    query = query.filter($table::$key.gt(after));
                }
                Ok(query.load(conn)?)
            })?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            done += $db.write_blocking(|conn: &mut Conn| {
                rows.iter().try_fold(0, |sum, (id, sealed)| {
                    let Some(new) = again($vault, $field, id.0.as_bytes(), sealed)? else { return Ok(sum) };
                    let unchanged = $table::table.filter($table::$key.eq(*id)).filter($table::$sealed.eq(sealed));
                    Ok(sum + diesel::update(unchanged).set($table::$sealed.eq(new)).execute(conn)?)
                })
            })?;
            $progress();
        }
        done
    }};
}

/// Seals everything under the active key, and says how much was not.
pub fn rotate(db: &Db, vault: &Vault, mut progress: impl FnMut()) -> Result<usize> {
    let facts = column!(db, vault, progress, FACTS, legal_cases.id as CaseId, facts_sealed);
    let notes = column!(db, vault, progress, NOTE, legal_events.id as CaseEventId, note_sealed, is_not_null);
    let reasons = column!(
        db,
        vault,
        progress,
        REASONS,
        legal_decisions.document_id as CaseDocumentId,
        reasons_sealed,
        is_not_null
    );
    let missing = column!(db, vault, progress, MISSING, legal_supplements.case_id as CaseId, missing_sealed);
    let texts = column!(db, vault, progress, TEXT, legal_objections.id as ObjectionId, text_sealed);
    let answers =
        column!(db, vault, progress, ANSWER, legal_objections.id as ObjectionId, answer_sealed, is_not_null);
    Ok(facts + notes + reasons + missing + texts + answers)
}

fn again(vault: &Vault, field: Field, row: &[u8], sealed: &str) -> Result<Option<String>> {
    vault.reseal(field, row, sealed).map_err(Error::internal)
}
