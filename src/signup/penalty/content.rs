//! What people say against penalties, as the content check asks for it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::model::CLAIM;
use crate::content::Source;
use crate::content::checking::{self, Asked, Checks, Judge};
use crate::error::{Error, Result};
use crate::ids::{OrganisationId, PenaltyId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, penalties, signups};
use crate::platform::vault::Vault;

/// The room, as its checks have it.
pub const ROOM: &str = "penalty.claim";
/// Its one field.
pub const TEXT: &str = "text";

/// Gives what people say against penalties.
pub struct ClaimTexts {
    /// Opens it.
    pub vault: Vault,
}

impl Source for ClaimTexts {
    fn room(&self) -> &'static str {
        ROOM
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, _: &str) -> Result<Option<String>> {
        let found = penalties::table.find(PenaltyId(row)).select(penalties::claim_sealed);
        let Some(sealed) = found.first::<Option<String>>(conn).optional()?.flatten() else { return Ok(None) };
        let plain = self.vault.open(CLAIM, row.as_bytes(), &sealed).map_err(Error::internal)?;
        Ok(Some(plain.expose_secret().to_owned()))
    }
}

/// Has what `person` wrote against a penalty checked; officers of whoever organises the activity judge it.
pub fn ask_in_tx(
    conn: &mut Conn,
    checks: &Checks,
    penalty: PenaltyId,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    let organiser: OrganisationId = penalties::table
        .inner_join(signups::table.inner_join(activities::table))
        .filter(penalties::id.eq(penalty))
        .select(activities::organisation_id)
        .first(conn)?;
    let judge = Judge::Organisation(Some(organiser));
    checks.ask_in_tx(conn, Asked { room: ROOM, row: penalty.0, field: TEXT, person, judge }, now)
}

/// `text` for `reader`, or what stands in its place where the content check holds it.
pub fn shown(
    conn: &mut Conn,
    penalty: PenaltyId,
    (author, reader): (PersonId, PersonId),
    text: String,
) -> Result<String> {
    let held = checking::withheld(conn, ROOM, &[penalty.0])?;
    let why = held.get(&(penalty.0, TEXT.to_owned())).filter(|_| author != reader);
    Ok(why.map_or(text, |why| why.instead().to_owned()))
}
