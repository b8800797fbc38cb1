//! Names that people give themselves, as the content check asks for them. What is removed is a name no more: its owner gives another.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use crate::clock::db_time;
use crate::content::Source;
use crate::content::checking::{Asked, Judge};
use crate::error::Result;
use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::people;

/// The room, as its checks have it.
const ROOM: &str = "person.name";
/// Its one field.
const NAME: &str = "name";

/// A name that `person` gave themselves; officers of where they work judge it.
pub fn asked(person: PersonId, workplace: Option<OrganisationId>) -> Asked<'static> {
    Asked { room: ROOM, row: person.0, field: NAME, person, judge: Judge::Organisation(workplace) }
}

/// Gives names.
pub struct NameTexts;

impl Source for NameTexts {
    fn room(&self) -> &'static str {
        ROOM
    }

    fn is_profile(&self) -> bool {
        true
    }

    fn text_of(&self, conn: &mut Conn, row: Uuid, _: &str) -> Result<Option<String>> {
        let found = people::table.find(PersonId(row)).select(people::name);
        Ok(found.first::<Option<String>>(conn).optional()?.flatten())
    }

    fn removed_in_tx(&self, conn: &mut Conn, row: Uuid, now: DateTime<Utc>) -> Result<()> {
        diesel::update(people::table.find(PersonId(row)))
            .set((
                people::name.eq(None::<String>),
                people::version.eq(people::version + 1),
                people::updated_at.eq(db_time(now)),
            ))
            .execute(conn)?;
        Ok(())
    }
}
