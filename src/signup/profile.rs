//! Who somebody is, as far as places go.

use std::collections::HashMap;

use crate::error::Result;
use crate::ids::{OrganisationId, PersonId};
use crate::offering::model::{Audience, QuotaKind, Wave};
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::{org, people};

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

/// The profile of somebody of whom only the workplace is known.
pub fn of_workplace(conn: &mut Conn, workplace: &Organisation) -> Result<Profile> {
    let codes: Vec<&str> = codes_of(&workplace.path).collect();
    let above = org::store::ids_by_code(conn, &codes)?.into_values().collect();
    Ok(Profile { street: workplace.street_id, above, audiences: Vec::new() })
}

/// The profiles of `ids`.
pub fn profiles(conn: &mut Conn, ids: &[PersonId]) -> Result<HashMap<PersonId, Profile>> {
    let known = people::store::profiles(conn, ids, true)?;
    let codes: Vec<&str> = known.values().filter_map(|one| one.path.as_deref()).flat_map(codes_of).collect();
    let by_code = org::store::ids_by_code(conn, &codes)?;
    let above = |path: &str| codes_of(path).filter_map(|code| by_code.get(code).copied()).collect();
    Ok(known
        .iter()
        .map(|(person, one)| {
            let profile = Profile {
                street: one.street,
                above: one.path.as_deref().map(above).unwrap_or_default(),
                audiences: one.audiences.clone(),
            };
            (*person, profile)
        })
        .collect())
}

/// The codes of a path such as `/longgang/street-pinghu/`.
fn codes_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|code| !code.is_empty())
}
