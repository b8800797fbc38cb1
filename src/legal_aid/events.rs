//! What happened to a case, in order. Nothing here is ever changed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::machine::Act;
use super::model::{Case, CaseEvent, NOTE};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseEventId, CaseId, Ids, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_events;
use crate::platform::vault::Vault;

/// Events of one case that are shown at most.
pub const SHOWN: i64 = 200;

/// What is to be kept of an act.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    /// What.
    pub act: Act,
    /// Who did it; none for what time has brought about.
    pub actor: Option<PersonId>,
    /// What was noted.
    pub note: Option<&'a str>,
    /// The document that says so.
    pub document: Option<CaseDocumentId>,
}

/// `id` as an id that sorts after those of earlier versions of its case, also within one moment: the twelve random bits that follow the time
/// say which version it led to.
fn in_order(id: Uuid, version: i64) -> CaseEventId {
    const BITS: u128 = 0xfff << 64;
    let version = u128::try_from(version & 0xfff).unwrap_or_default();
    CaseEventId(Uuid::from_u128((id.as_u128() & !BITS) | (version << 64)))
}

/// Keeps what happened to `case`, which stands as the act has left it.
pub fn record_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    vault: &Vault,
    case: &Case,
    happened: Happened<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = in_order(ids.id(), case.version);
    let seal = |text: &str| vault.seal(NOTE, id.0.as_bytes(), text).map_err(Error::internal);
    let row = CaseEvent {
        id,
        case_id: case.id,
        at: db_time(now),
        actor_id: happened.actor,
        act: happened.act.as_str().to_owned(),
        state: case.state,
        document_id: happened.document,
        note_sealed: happened.note.map(seal).transpose()?,
    };
    diesel::insert_into(legal_events::table).values(&row).execute(conn)?;
    Ok(())
}

/// The newest events of a case, in the order in which they happened.
pub fn of(conn: &mut Conn, case: CaseId) -> Result<Vec<CaseEvent>> {
    let mut rows: Vec<CaseEvent> = legal_events::table
        .filter(legal_events::case_id.eq(case))
        .order((legal_events::at.desc(), legal_events::id.desc()))
        .limit(SHOWN)
        .select(CaseEvent::as_select())
        .load(conn)?;
    rows.reverse();
    Ok(rows)
}

/// The newest event of a case that the caller holds.
pub fn newest(conn: &mut Conn, case: CaseId) -> Result<Option<CaseEventId>> {
    let query = legal_events::table
        .filter(legal_events::case_id.eq(case))
        .order((legal_events::at.desc(), legal_events::id.desc()))
        .select(legal_events::id);
    Ok(query.first(conn).optional()?)
}

/// What was noted about an event.
pub fn note(vault: &Vault, event: &CaseEvent) -> Result<Option<String>> {
    let Some(sealed) = &event.note_sealed else { return Ok(None) };
    let plain = vault.open(NOTE, event.id.0.as_bytes(), sealed).map_err(Error::internal)?;
    Ok(Some(plain.expose_secret().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_moment_stand_in_the_order_of_versions() {
        let random = |low: u128| Uuid::from_u128((0x0197_7777_0000_7abc << 64) | low);
        let ids: Vec<CaseEventId> =
            (1..=300).map(|version| in_order(random((u128::MAX >> 64) >> (version % 60)), version)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
    }
}
