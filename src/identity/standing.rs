//! What a person may do now, for the guards.

use diesel::prelude::*;

use super::model::StaffGrant;
use crate::error::Result;
use crate::ids::{FamilyId, PersonId};
use crate::platform::access::{Grant, Standing, StandingSource};
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, people, staff_grants, token_families};

/// Reads standings from the tables of this room.
pub struct DatabaseStandings;

impl StandingSource for DatabaseStandings {
    fn load(&self, conn: &mut Conn, person: PersonId, family: FamilyId) -> Result<Option<Standing>> {
        let login: Option<(Option<chrono::NaiveDateTime>, Option<chrono::NaiveDateTime>)> =
            token_families::table
                .inner_join(people::table)
                .filter(token_families::id.eq(family))
                .filter(people::id.eq(person))
                .select((people::disabled_at, token_families::ended_at))
                .first(conn)
                .optional()?;
        let Some((disabled, ended)) = login else { return Ok(None) };
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
        Ok(Some(Standing { disabled: disabled.is_some(), ended: ended.is_some(), grants }))
    }
}
