//! What people write to a case, as the content check asks for it: what happened and what is wanted, notes, messages, and pictures. A mark is
//! all that comes of it: nothing of a case is refused, and nothing is kept from its team.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::model::{Case, CaseEvent, Facts};
use super::talk::{self, CaseMessage};
use super::{LegalTools, events};
use crate::content::Source;
use crate::content::checking::{Asked, Judge};
use crate::error::Result;
use crate::ids::{CaseId, FileId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_cases, legal_events, legal_messages};
use crate::platform::vault::Vault;

/// What happened and what is wanted: the row is the case.
const REQUEST: &str = "legal.request";
/// What was said beside an act.
const NOTE: &str = "legal.note";
/// What applicant and team say to each other.
const MESSAGE: &str = "legal.message";
/// The field of what happened.
const FACTS: &str = "facts";
/// The field of what is wanted.
const WISHES: &str = "wishes";
/// The one field of a note, and of a message.
const TEXT: &str = "text";

fn ask_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (case, person): (CaseId, PersonId),
    (room, row, field): (&'static str, Uuid, &'static str),
    now: DateTime<Utc>,
) -> Result<()> {
    let asked = Asked { room, row, field, person, judge: Judge::Case(case) };
    tools.checks.ask_in_tx(conn, asked, now)
}

/// Has a request checked that was just made, with its pictures.
pub(super) fn request_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    case: &Case,
    files: &[FileId],
    now: DateTime<Utc>,
) -> Result<()> {
    let whose = (case.id, case.person_id);
    for field in [FACTS, WISHES] {
        ask_in_tx(conn, tools, whose, (REQUEST, case.id.0, field), now)?;
    }
    tools.checks.pictures_in_tx(conn, files, case.person_id, Judge::Case(case.id), now)
}

/// Has checked what `person` said beside the newest act on a case, and the pictures that came with it.
pub(super) fn act_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (case, person): (CaseId, PersonId),
    (note, files): (Option<&str>, &[FileId]),
    now: DateTime<Utc>,
) -> Result<()> {
    if note.is_some_and(|note| !note.trim().is_empty())
        && let Some(event) = events::newest(conn, case)?
    {
        ask_in_tx(conn, tools, (case, person), (NOTE, event.0, TEXT), now)?;
    }
    tools.checks.pictures_in_tx(conn, files, person, Judge::Case(case), now)
}

/// Has a message checked.
pub(super) fn message_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    message: &CaseMessage,
    now: DateTime<Utc>,
) -> Result<()> {
    let whose = (message.case_id, message.author_id);
    ask_in_tx(conn, tools, whose, (MESSAGE, message.id.0, TEXT), now)
}

/// Gives what happened and what is wanted.
pub struct RequestTexts {
    /// Opens them.
    pub vault: Vault,
}

impl Source for RequestTexts {
    fn room(&self) -> &'static str {
        REQUEST
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, field: &str) -> Result<Option<String>> {
        let found = legal_cases::table.find(CaseId(row)).select(Case::as_select());
        let Some(case) = found.first::<Case>(conn).optional()? else { return Ok(None) };
        let facts = Facts::open(&self.vault, &case)?;
        Ok(match field {
            FACTS => Some(facts.facts),
            WISHES => Some(facts.wishes),
            _ => None,
        })
    }
}

/// Gives what was said beside acts.
pub struct NoteTexts {
    /// Opens them.
    pub vault: Vault,
}

impl Source for NoteTexts {
    fn room(&self) -> &'static str {
        NOTE
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, _: &str) -> Result<Option<String>> {
        let found = legal_events::table
            .filter(legal_events::id.eq(row.as_bytes().to_vec()))
            .select(CaseEvent::as_select());
        let Some(event) = found.first::<CaseEvent>(conn).optional()? else { return Ok(None) };
        events::note(&self.vault, &event)
    }
}

/// Gives what applicant and team say to each other.
pub struct CaseMessageTexts {
    /// Opens them.
    pub vault: Vault,
}

impl Source for CaseMessageTexts {
    fn room(&self) -> &'static str {
        MESSAGE
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, _: &str) -> Result<Option<String>> {
        let found = legal_messages::table
            .filter(legal_messages::id.eq(row.as_bytes().to_vec()))
            .select(CaseMessage::as_select());
        let Some(message) = found.first::<CaseMessage>(conn).optional()? else { return Ok(None) };
        talk::text_of(&self.vault, &message).map(Some)
    }
}
