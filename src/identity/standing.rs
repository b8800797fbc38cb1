//! What a person may do now, for the guards.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::model::StaffGrant;
use crate::clock::{SharedClock, db_time};
use crate::error::Result;
use crate::ids::{FamilyId, PersonId};
use crate::platform::access::{Grant, Standing, StandingSource};
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, people, staff_grants, token_families};

/// Reads standings from the tables of this room.
pub struct DatabaseStandings {
    /// The present.
    pub clock: SharedClock,
}

impl StandingSource for DatabaseStandings {
    fn load(&self, conn: &mut Conn, person: PersonId, family: FamilyId) -> Result<Option<Standing>> {
        let login: Option<(Option<NaiveDateTime>, Option<NaiveDateTime>, NaiveDateTime)> =
            token_families::table
                .inner_join(people::table)
                .filter(token_families::id.eq(family))
                .filter(people::id.eq(person))
                .select((people::disabled_at, token_families::ended_at, token_families::expires_at))
                .first(conn)
                .optional()?;
        let Some((disabled, ended, expires_at)) = login else { return Ok(None) };
        let over = ended.is_some() || expires_at <= db_time(self.clock.now());
        let rows: Vec<(StaffGrant, String)> = staff_grants::table
            .inner_join(organisations::table)
            .filter(staff_grants::person_id.eq(person))
            .filter(staff_grants::revoked_at.is_null())
            .order(staff_grants::id)
            .select((StaffGrant::as_select(), organisations::path))
            .load(conn)?;
        let grants = rows
            .into_iter()
            .map(|(grant, path)| Grant { role: grant.role, organisation: grant.organisation_id, path })
            .collect();
        Ok(Some(Standing { disabled: disabled.is_some(), ended: over, grants }))
    }
}
