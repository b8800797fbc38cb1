//! What is missing of a request: said once, and all of it (法律援助法 第四十三条). The primary key keeps it from being said again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::model::{MISSING, SupplementNotice};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::platform::db::schema::legal_supplements;
use crate::platform::db::{Conn, unique_violation};
use crate::platform::vault::Vault;

/// Characters of one thing that is missing.
const LONGEST: usize = 200;

/// What is missing, as it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Each thing by itself.
    pub items: Vec<String>,
    /// What else the officer says.
    pub note: Option<String>,
}

impl Wanted {
    /// These things, where none is empty, too long, or given twice. `at` is where they stand in the request.
    pub fn checked(self, at: &str) -> Result<Self> {
        let items: Vec<String> = self.items.iter().map(|item| item.trim().to_owned()).collect();
        let mut faults = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let pointer = format!("{at}/{place}");
            let length = item.chars().count();
            if length == 0 || length > LONGEST {
                let text = Text::new("应为 1 到 200 个字", "must be 1 to 200 characters");
                faults.push(Fault::new(pointer, "max_length", text));
            } else if items.iter().take(place).any(|before| before == item) {
                faults.push(Fault::new(pointer, "duplicate", Text::new("重复", "given twice")));
            }
        }
        if faults.is_empty() { Ok(Self { items, note: self.note }) } else { Err(Error::invalid(faults)) }
    }
}

/// What is missing of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Each thing by itself.
    pub items: Vec<String>,
    /// What else the officer says.
    pub note: Option<String>,
    /// When it was said.
    pub given_at: DateTime<Utc>,
    /// The notice.
    pub document_id: CaseDocumentId,
}

/// Keeps what is missing.
///
/// # Errors
/// `legal_noticed` when it was said before.
pub fn create_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    (case, document): (CaseId, CaseDocumentId),
    wanted: &Wanted,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    let text = serde_json::to_string(wanted).map_err(Error::internal)?;
    let row = SupplementNotice {
        case_id: case,
        document_id: document,
        missing_sealed: vault.seal(MISSING, case.0.as_bytes(), &text).map_err(Error::internal)?,
        given_by: by,
        given_at: db_time(now),
    };
    match diesel::insert_into(legal_supplements::table).values(&row).execute(conn) {
        Err(error) if unique_violation(&error) => Err(Error::new(Code::LegalNoticed).cause(error)),
        other => Ok(other.map(|_| ())?),
    }
}

/// Whether what is missing of a request was said.
pub fn was_told(conn: &mut Conn, case: CaseId) -> Result<bool> {
    let told = legal_supplements::table.filter(legal_supplements::case_id.eq(case));
    Ok(told.count().get_result::<i64>(conn)? > 0)
}

/// What is missing of a request, if that was said.
pub fn supplement_of(conn: &mut Conn, vault: &Vault, case: CaseId) -> Result<Option<Missing>> {
    let found: Option<SupplementNotice> =
        legal_supplements::table.find(case).select(SupplementNotice::as_select()).first(conn).optional()?;
    let Some(row) = found else { return Ok(None) };
    let text = vault.open(MISSING, case.0.as_bytes(), &row.missing_sealed).map_err(Error::internal)?;
    let Wanted { items, note } = serde_json::from_str(text.expose_secret()).map_err(Error::internal)?;
    Ok(Some(Missing { items, note, given_at: row.given_at.and_utc(), document_id: row.document_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_is_missing_is_said_once() {
        let wanted =
            |items: &[&str]| Wanted { items: items.iter().map(|&item| item.into()).collect(), note: None };
        assert_eq!(wanted(&[" 工资条 "]).checked("/missing").unwrap().items, ["工资条"]);
        for wrong in [&["工资条", "工资条 "][..], &[" "], &["长".repeat(201).as_str()]] {
            assert!(wanted(wrong).checked("/missing").is_err(), "{wrong:?}");
        }
    }
}
