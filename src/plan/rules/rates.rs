//! Pure: rates. Numerators and denominators are reported by month and do not sum over months; each month is a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Coverage, Measured, Reported, count};
use crate::ids::OrganisationId;
use crate::org::model::OrganisationKind;
use crate::plan::model::{Measure, Target};

/// A rate as it was in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its first day.
    pub month: NaiveDate,
    /// Of how many it holds.
    pub numerator: i64,
    /// Of how many.
    pub denominator: i64,
    /// How much the denominator has moved since the snapshot before.
    pub moved: i64,
    /// How many units reported it.
    pub units: i64,
    /// Whether the target's value is reached.
    pub holds: bool,
}

impl Snapshot {
    /// Whole hundredths, cut off.
    pub fn percent(&self) -> i64 {
        self.part(100)
    }

    /// Thousandths, cut off.
    pub fn per_mille(&self) -> i64 {
        self.part(1000)
    }

    /// The rate by the rate that must be reached, in thousandths, cut off.
    pub fn per_mille_of(&self, percent: i64) -> i64 {
        let of = i128::from(self.denominator) * i128::from(percent);
        let part = (i128::from(self.numerator) * 100_000).checked_div(of).unwrap_or(0);
        i64::try_from(part).unwrap_or(i64::MAX)
    }

    fn part(&self, whole: i128) -> i64 {
        let part = (i128::from(self.numerator) * whole).checked_div(i128::from(self.denominator));
        part.and_then(|part| i64::try_from(part).ok()).unwrap_or(0)
    }
}

/// The snapshots of a rate, oldest first; none of any other target.
pub(super) fn snapshots(
    ground: &Measured<'_>,
    target: &Target,
    coverage: Option<&Coverage>,
    reported: &[Reported],
) -> Vec<Snapshot> {
    if target.measure != Measure::Rate {
        return Vec::new();
    }
    let mut by_month: BTreeMap<NaiveDate, Vec<&Reported>> = BTreeMap::new();
    for one in reported {
        by_month.entry(one.month).or_default().push(one);
    }
    let mut snapshots: Vec<Snapshot> = Vec::new();
    let mut covered: BTreeSet<OrganisationId> = BTreeSet::new();
    for (month, own) in by_month {
        let (numerator, denominator, units) = match coverage {
            // Of a list: how much of it is covered by then.
            Some(list) => {
                covered.extend(own.iter().flat_map(|one| one.covered.iter().copied()));
                (count(covered.len()), count(list.covered.len() + list.missing.len()), own.len())
            }
            None => of_month(ground, &own),
        };
        let before = snapshots.last().map_or(denominator, |last| last.denominator);
        let holds = i128::from(numerator) * 100 >= i128::from(target.value) * i128::from(denominator);
        let moved = denominator - before;
        snapshots.push(Snapshot { month, numerator, denominator, moved, units: count(units), holds });
    }
    snapshots
}

/// Where the district or a department reports, that is the whole; else the units that report are added up.
fn of_month(ground: &Measured<'_>, own: &[&Reported]) -> (i64, i64, usize) {
    let is_whole = |one: &&&Reported| {
        let kind = ground.organisations.get(&one.organisation).map(|row| row.kind);
        matches!(kind, Some(OrganisationKind::District | OrganisationKind::Department))
    };
    let whole: Vec<&&Reported> = own.iter().filter(is_whole).collect();
    let taken = if whole.is_empty() { own.iter().collect() } else { whole };
    let ratios = taken.iter().filter_map(|one| one.ratio);
    let (numerator, denominator) = ratios.fold((0, 0), |(n, d), (m, e)| (n + m, d + e));
    (numerator, denominator, taken.len())
}
