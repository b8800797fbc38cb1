//! Who somebody is, as far as places go.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::error::Result;
use crate::ids::{OrganisationId, PersonId};
use crate::offering::model::{Audience, QuotaKind, Wave};
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, people, person_audiences};

/// Where somebody works and what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The sub-district of their workplace.
    pub street: Option<OrganisationId>,
    /// Their workplace and every organisation above it.
    pub above: Vec<OrganisationId>,
    /// What staff have recorded of them.
    pub audiences: Vec<Audience>,
}

impl Profile {
    /// Whether a quota or a wave is for this person. A pool is for everybody.
    pub fn is_in(
        &self,
        kind: QuotaKind,
        organisation: Option<OrganisationId>,
        audience: Option<Audience>,
    ) -> bool {
        match kind {
            QuotaKind::Street => organisation.is_some() && self.street == organisation,
            QuotaKind::Industry => organisation.is_some_and(|id| self.above.contains(&id)),
            QuotaKind::Audience => {
                audience == Some(Audience::All) || audience.is_some_and(|one| self.audiences.contains(&one))
            }
            QuotaKind::Pool => true,
        }
    }

    /// Whether a wave is for this person.
    pub fn is_in_wave(&self, wave: &Wave) -> bool {
        self.is_in(wave.kind, wave.organisation_id, wave.audience)
    }
}

/// The profiles of `ids`; everybody has one.
pub fn profiles(conn: &mut Conn, ids: &[PersonId]) -> Result<HashMap<PersonId, Profile>> {
    let mut found: HashMap<PersonId, Profile> = ids.iter().map(|id| (*id, Profile::default())).collect();
    let works: Vec<(PersonId, String, Option<OrganisationId>)> = people::table
        .inner_join(organisations::table)
        .filter(people::id.eq_any(ids))
        .select((people::id, organisations::path, organisations::street_id))
        .load(conn)?;
    let codes: Vec<String> =
        works.iter().flat_map(|(_, path, _)| codes_of(path)).map(str::to_owned).collect();
    let by_code: HashMap<String, OrganisationId> = if codes.is_empty() {
        HashMap::new()
    } else {
        organisations::table
            .filter(organisations::code.eq_any(codes))
            .select((organisations::code, organisations::id))
            .load::<(String, OrganisationId)>(conn)?
            .into_iter()
            .collect()
    };
    for (person, path, street) in works {
        let profile = found.entry(person).or_default();
        profile.street = street;
        profile.above = codes_of(&path).filter_map(|code| by_code.get(code).copied()).collect();
    }
    let audiences: Vec<(PersonId, Audience)> = person_audiences::table
        .filter(person_audiences::person_id.eq_any(ids))
        .select((person_audiences::person_id, person_audiences::audience))
        .load(conn)?;
    for (person, audience) in audiences {
        found.entry(person).or_default().audiences.push(audience);
    }
    Ok(found)
}

/// The codes of a path such as `/longgang/street-pinghu/`.
fn codes_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|code| !code.is_empty())
}
