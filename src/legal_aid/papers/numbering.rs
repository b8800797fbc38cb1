//! Numbers of documents: 1, 2, 3, … of each desk, year and kind, without gaps.

use diesel::prelude::*;

use super::model::{DocumentKind, LastNumber};
use crate::error::Result;
use crate::ids::OrganisationId;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_numbers;

/// The next number. Its row is held until the commit: whoever comes meanwhile waits, and an act that is undone gives its number back.
pub fn next_in_tx(conn: &mut Conn, desk: OrganisationId, year: i64, kind: DocumentKind) -> Result<i64> {
    let first = LastNumber { desk_id: desk, year, kind, last: 0 };
    let rows = std::slice::from_ref(&first);
    let _new: Vec<OrganisationId> = crate::insert_new!(conn, legal_numbers::table, rows, legal_numbers::desk_id => |row: &LastNumber| row.desk_id)?;
    diesel::update(legal_numbers::table.find((desk, year, kind)))
        .set(legal_numbers::last.eq(legal_numbers::last + 1))
        .execute(conn)?;
    Ok(legal_numbers::table.find((desk, year, kind)).select(legal_numbers::last).first(conn)?)
}

/// A number as it is printed, such as 平湖街道法援受〔2025〕3号.
pub fn text(desk: &str, kind: DocumentKind, year: i64, serial: i64) -> String {
    format!("{desk}法援{}〔{year}〕{serial}号", kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = DocumentKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), DocumentKind::ALL.len());
        assert_eq!(text("平湖街道", DocumentKind::Acceptance, 2025, 3), "平湖街道法援受〔2025〕3号");
    }
}
