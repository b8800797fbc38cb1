//! Pure: how far a target is, from its roll-ups and from what was reported. [`docs/PLAN.md`] says it in words, with examples.
//!
//! [`docs/PLAN.md`]: ../../../docs/PLAN.md

pub mod evidence;
pub mod pace;
pub mod periods;
pub mod ranking;
pub mod rates;
mod standing;
pub mod units;

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::model::{Measure, Period, Plan, Target};
use crate::ids::OrganisationId;
use crate::ledger::model::Rollup;
use crate::org::model::Organisation;
pub use evidence::Evidence;
pub use pace::{Forecast, ForecastBasis};
pub use periods::{PeriodProgress, RotationFault, RotationKind};
pub use rates::Snapshot;
pub use standing::{Standing, weaker};

/// From when on something is called ahead, behind or at risk, and what is forecast and shown: policies `plan.…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From which share of what the calendar asks for on a target is ahead, in hundredths.
    pub ahead: i64,
    /// From which share it is on pace.
    pub on: i64,
    /// Below which share it is at risk.
    pub risk: i64,
    /// The shorter time that a forecast looks back, in days.
    pub short: i64,
    /// The longer one.
    pub long: i64,
    /// Days that must be seen before anything is forecast.
    pub min_days: i64,
    /// What must be counted in the longer time.
    pub min_count: i64,
    /// Counts of people below this stand in no ranking.
    pub small: i64,
}

/// The ground that progress is measured on.
pub struct Measured<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The union tree.
    pub organisations: &'a HashMap<OrganisationId, Organisation>,
    /// The district.
    pub root: OrganisationId,
    /// Today in Asia/Shanghai.
    pub today: NaiveDate,
    /// What is called what.
    pub thresholds: Thresholds,
}

impl Measured<'_> {
    /// Whether the plan is over: nothing more will count.
    pub fn is_over(&self) -> bool {
        self.today > self.plan.ends_on && self.plan.counts_until <= self.plan.ends_on
    }
}

/// What the version of a reported figure says that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Whose figure.
    pub organisation: OrganisationId,
    /// First day of its month.
    pub month: NaiveDate,
    /// Numerator and denominator of a rate.
    pub ratio: Option<(i64, i64)>,
    /// A figure for each part of the target.
    pub parts: Vec<i64>,
    /// The units that it covers.
    pub covered: Vec<OrganisationId>,
}

/// What was counted in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthFigure {
    /// Its first day.
    pub month: NaiveDate,
    /// In it.
    pub value: i64,
    /// Up to its end.
    pub total: i64,
}

/// One part of a composite target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartProgress {
    /// What it must reach.
    pub required: i64,
    /// What it has.
    pub value: i64,
}

/// Which units of a fixed list are covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Those that are, by code.
    pub covered: Vec<OrganisationId>,
    /// Those that are not.
    pub missing: Vec<OrganisationId>,
}

/// How far a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Over the whole plan, or, where each unit must reach the value, how many units did in every period so far. Of a rate, whole
    /// hundredths of its latest snapshot, cut off.
    pub value: i64,
    /// What must be reached: the plan's value, or the number of units, or of periods.
    pub required: i64,
    /// What the calendar asks for by now.
    pub expected: i64,
    /// Value by required, in thousandths, cut off: 1000 is reached and nothing less is.
    pub per_mille: i64,
    /// Where it stands.
    pub standing: Standing,
    /// What comes of it at the rate of the last weeks.
    pub forecast: Forecast,
    /// By organisation.
    pub by_organisation: Vec<(OrganisationId, i64)>,
    /// Of a count of people: how much the organisations' figures exceed the district's.
    pub overlap: i64,
    /// In each period.
    pub periods: Vec<PeriodProgress>,
    /// By month, as far as anything was counted.
    pub months: Vec<MonthFigure>,
    /// What shows it.
    pub evidence: Evidence,
    /// Of a rate: as it was reported, month by month.
    pub snapshots: Vec<Snapshot>,
    /// Of a composite target: each part by itself, in the plan's order.
    pub parts: Vec<PartProgress>,
    /// Of a target that covers a fixed list.
    pub coverage: Option<Coverage>,
    /// Of a target whose host changes: who hosted out of turn.
    pub rotation: Vec<RotationFault>,
}

/// How far `target` is.
pub fn progress(
    ground: &Measured<'_>,
    target: &Target,
    rollups: &[Rollup],
    reported: &[Reported],
) -> Progress {
    let mut by_organisation: BTreeMap<OrganisationId, i64> = BTreeMap::new();
    for rollup in rollups {
        *by_organisation.entry(rollup.organisation_id).or_default() += rollup.quantity;
    }
    let sum: i64 = by_organisation.values().sum();
    // Of people, the district's own line is the figure; everybody else's are parts of it.
    let (total, overlap) = if target.measure == Measure::DistinctPersons {
        let district = by_organisation.remove(&ground.root).unwrap_or(0);
        (district, sum - district - district)
    } else {
        (sum, 0)
    };
    let whole: Vec<&Rollup> = rollups.iter().filter(|one| is_whole(ground, target, one)).collect();
    let units = units::each(ground, target);
    let periods = periods::periods(ground, target, rollups, &units);
    let coverage = target.coverage.map(|group| units::coverage(ground, group, reported));
    let snapshots = rates::snapshots(ground, target, coverage.as_ref(), reported);
    let (value, required) = match (target.each, target.period) {
        _ if target.measure == Measure::Rate => (snapshots.last().map_or(0, Snapshot::percent), target.value),
        (Some(_), _) => periods::units_that_reached(&units, &periods),
        (None, Period::Quarter | Period::Month) => {
            (count(periods.iter().filter(|period| period.met).count()), count(periods.len()))
        }
        (None, _) => (total, target.value),
    };
    let months = months(&whole);
    let mut progress = Progress {
        value,
        required,
        expected: pace::expected(ground, target, required),
        per_mille: match snapshots.last() {
            Some(last) => last.per_mille_of(target.value),
            None => per_mille(value, required),
        },
        standing: Standing::NotReported,
        forecast: pace::forecast(ground, target, &months, value),
        by_organisation: by_organisation.into_iter().collect(),
        overlap: overlap.max(0),
        rotation: if target.rotates { periods::rotation(ground, &periods) } else { Vec::new() },
        periods,
        months,
        evidence: evidence::mix(&whole, target.min_good_percent),
        snapshots,
        parts: parts(target, reported),
        coverage,
    };
    progress.standing = standing::standing(ground, target, &progress, !reported.is_empty());
    progress
}

/// Whether a roll-up is of the district's own figure: of people, its own line; of everything else, all lines.
fn is_whole(ground: &Measured<'_>, target: &Target, rollup: &Rollup) -> bool {
    target.measure != Measure::DistinctPersons || rollup.organisation_id == ground.root
}

fn months(whole: &[&Rollup]) -> Vec<MonthFigure> {
    let mut by_month: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    for rollup in whole {
        *by_month.entry(rollup.month).or_default() += rollup.quantity;
    }
    let mut total = 0;
    by_month
        .into_iter()
        .map(|(month, value)| {
            total += value;
            MonthFigure { month, value, total }
        })
        .collect()
}

fn parts(target: &Target, reported: &[Reported]) -> Vec<PartProgress> {
    let of = |place: usize| reported.iter().filter_map(|one| one.parts.get(place)).sum();
    let required = target.parts();
    (0..).zip(required).map(|(place, required)| PartProgress { required, value: of(place) }).collect()
}

/// Thousandths, cut off.
pub fn per_mille(value: i64, of: i64) -> i64 {
    value.saturating_mul(1000).checked_div(of).unwrap_or(0)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod examples;
#[cfg(test)]
pub(in crate::plan) mod tests;
