//! What a person may do now, for the guards.

use std::collections::HashMap;

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
    fn load(
        &self,
        conn: &mut Conn,
        logins: &[(PersonId, FamilyId)],
    ) -> Result<HashMap<(PersonId, FamilyId), Standing>> {
        let families: Vec<FamilyId> = logins.iter().map(|(_, family)| *family).collect();
        let rows: Vec<Login> = token_families::table
            .inner_join(people::table)
            .filter(token_families::id.eq_any(families))
            .select(Login::as_select())
            .load(conn)?;
        let people: Vec<PersonId> = rows.iter().map(|login| login.person).collect();
        let mut grants: HashMap<PersonId, Vec<Grant>> = HashMap::new();
        let found: Vec<(StaffGrant, String)> = staff_grants::table
            .inner_join(organisations::table)
            .filter(staff_grants::person_id.eq_any(people))
            .filter(staff_grants::revoked_at.is_null())
            .order(staff_grants::id)
            .select((StaffGrant::as_select(), organisations::path))
            .load(conn)?;
        for (grant, path) in found {
            let held = Grant { role: grant.role, organisation: grant.organisation_id, path };
            grants.entry(grant.person_id).or_default().push(held);
        }
        let now = db_time(self.clock.now());
        let standing = |login: &Login| Standing {
            disabled: login.disabled_at.is_some(),
            erased: login.erased_at.is_some(),
            ended: login.ended_at.is_some() || login.expires_at <= now,
            grants: grants.get(&login.person).cloned().unwrap_or_default(),
        };
        Ok(rows.iter().map(|login| ((login.person, login.family), standing(login))).collect())
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = token_families)]
struct Login {
    #[diesel(column_name = id)]
    family: FamilyId,
    #[diesel(column_name = person_id)]
    person: PersonId,
    ended_at: Option<NaiveDateTime>,
    expires_at: NaiveDateTime,
    #[diesel(select_expression = people::disabled_at)]
    disabled_at: Option<NaiveDateTime>,
    #[diesel(select_expression = people::erased_at)]
    erased_at: Option<NaiveDateTime>,
}
