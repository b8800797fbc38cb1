//! Pure: which units a target is about.

use std::collections::{BTreeSet, HashMap};

use super::{Coverage, Measured, Reported};
use crate::ids::OrganisationId;
use crate::org::model::{Level, Organisation, OrganisationKind};
use crate::plan::model::{Each, ParticipantGroup, Target};

/// The organisations of a group that exist now, by code.
pub fn members(
    group: ParticipantGroup,
    organisations: &HashMap<OrganisationId, Organisation>,
) -> Vec<OrganisationId> {
    let grassroots = |row: &Organisation| row.level.as_deref() == Some(Level::Grassroots.as_str());
    open(organisations, |row| match group {
        ParticipantGroup::AllSubDistricts => row.kind == OrganisationKind::SubDistrict,
        ParticipantGroup::IndustryUnions => row.kind == OrganisationKind::IndustryUnion,
        ParticipantGroup::AllDepartments => row.kind == OrganisationKind::Department,
        ParticipantGroup::DirectUnions => row.kind == OrganisationKind::DirectUnion && !grassroots(row),
        ParticipantGroup::DirectGrassrootsUnions => {
            row.kind == OrganisationKind::DirectUnion && grassroots(row)
        }
    })
}

/// The sub-districts, by code.
pub fn streets(organisations: &HashMap<OrganisationId, Organisation>) -> Vec<OrganisationId> {
    members(ParticipantGroup::AllSubDistricts, organisations)
}

/// The units that must each reach the value, by code.
pub(super) fn each(ground: &Measured<'_>, target: &Target) -> Vec<OrganisationId> {
    let level = |text: Option<&str>| text.and_then(|level| level.parse::<Level>().ok());
    let lowest = level(target.min_level.as_deref());
    match target.each {
        None => Vec::new(),
        Some(Each::SubDistrict) => streets(ground.organisations),
        Some(Each::Station) => open(ground.organisations, |row| {
            row.kind == OrganisationKind::Station
                && lowest.is_none_or(|lowest| level(row.level.as_deref()).is_some_and(|is| is >= lowest))
        }),
    }
}

fn open(
    organisations: &HashMap<OrganisationId, Organisation>,
    wanted: impl Fn(&Organisation) -> bool,
) -> Vec<OrganisationId> {
    let mut rows: Vec<&Organisation> =
        organisations.values().filter(|row| row.closed_on.is_none() && wanted(row)).collect();
    rows.sort_by(|a, b| a.code.cmp(&b.code));
    rows.into_iter().map(|row| row.id).collect()
}

/// Which units of `group` the reports cover. One that was covered and is closed since stays covered.
pub(super) fn coverage(ground: &Measured<'_>, group: ParticipantGroup, reported: &[Reported]) -> Coverage {
    let covered: BTreeSet<OrganisationId> =
        reported.iter().flat_map(|one| one.covered.iter().copied()).collect();
    let code = |id: &OrganisationId| ground.organisations.get(id).map(|row| row.code.clone());
    let missing = members(group, ground.organisations).into_iter().filter(|id| !covered.contains(id));
    let mut coverage = Coverage { missing: missing.collect(), covered: covered.into_iter().collect() };
    coverage.covered.sort_by_key(code);
    coverage
}
