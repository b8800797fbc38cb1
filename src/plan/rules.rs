//! Pure: how far a target is, from its roll-ups.

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, NaiveDate};

use super::model::{Comparator, CountedFrom, Each, Measure, Period, Plan, Target};
use crate::ids::OrganisationId;
use crate::ledger::model::Rollup;
use crate::org::model::{Level, Organisation, OrganisationKind};

crate::text_enum! {
    /// Where a target stands.
    pub enum Standing {
        /// 已完成: the value is reached.
        Met = "met",
        /// 超出范围: reached, and above the range.
        BeyondRange = "beyond_range",
        /// 进度正常: as far as an even pace over the year would be.
        OnPace = "on_pace",
        /// 落后: less than that.
        Behind = "behind",
        /// 未达标: the time is over.
        Missed = "missed",
        /// 待上报: counted from approved reports or cases, of which there are none.
        NotReported = "not_reported",
    }
}

/// One period in which a value was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodProgress {
    /// Such as `2025`, `2025-Q1`, `2025-03`.
    pub label: String,
    /// What was counted in it, or, where each unit must reach the value, how many units did.
    pub value: i64,
    /// Whether it is over.
    pub over: bool,
    /// Whether the value was reached.
    pub met: bool,
    /// Units that did not reach it, and how far each came.
    pub failing: Vec<(OrganisationId, i64)>,
}

/// How far a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Over the whole plan, or, where each unit must reach the value, how many units did in every period so far.
    pub value: i64,
    /// What must be reached: the plan's value, or the number of units, or of periods.
    pub required: i64,
    /// What an even pace would have reached by now.
    pub expected: i64,
    /// Where it stands.
    pub standing: Standing,
    /// By organisation.
    pub by_organisation: Vec<(OrganisationId, i64)>,
    /// Of a count of people: how much the organisations' figures exceed the district's.
    pub overlap: i64,
    /// In each period.
    pub periods: Vec<PeriodProgress>,
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
}

/// How far `target` is.
pub fn progress(ground: &Measured<'_>, target: &Target, rollups: &[Rollup]) -> Progress {
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
    let units = units(ground, target);
    let periods = periods(ground, target, rollups, &units);
    let (value, required) = match (target.each, target.period) {
        (Some(_), _) => {
            let failing = |unit: &OrganisationId| {
                periods.iter().any(|p| {
                    (p.over || periods.len() == 1) && p.failing.iter().any(|(failing, _)| failing == unit)
                })
            };
            let reached = units.iter().filter(|unit| !failing(unit)).count();
            let nothing_due = !periods.iter().any(|p| p.over || periods.len() == 1);
            (if nothing_due { 0 } else { count(reached) }, count(units.len()))
        }
        (None, Period::Quarter | Period::Month) => {
            (count(periods.iter().filter(|period| period.met).count()), count(periods.len()))
        }
        (None, _) => (total, target.value),
    };
    let expected = expected(ground, target, required);
    let standing = standing(ground, target, value, required, expected, &periods);
    Progress {
        value,
        required,
        expected,
        standing,
        by_organisation: by_organisation.into_iter().collect(),
        overlap: overlap.max(0),
        periods,
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The units that must each reach the value.
fn units(ground: &Measured<'_>, target: &Target) -> Vec<OrganisationId> {
    let lowest = target.min_level.as_deref().and_then(|level| level.parse::<Level>().ok());
    let wanted = |row: &&Organisation| match target.each {
        Some(Each::SubDistrict) => row.kind == OrganisationKind::SubDistrict,
        Some(Each::Station) => {
            let level = row.level.as_deref().and_then(|level| level.parse::<Level>().ok());
            row.kind == OrganisationKind::Station
                && lowest.is_none_or(|lowest| level.is_some_and(|level| level >= lowest))
        }
        None => false,
    };
    let wanted = |row: &&Organisation| row.closed_on.is_none() && wanted(row);
    let mut units: Vec<&Organisation> = ground.organisations.values().filter(wanted).collect();
    units.sort_by(|a, b| a.code.cmp(&b.code));
    units.into_iter().map(|row| row.id).collect()
}

fn periods(
    ground: &Measured<'_>,
    target: &Target,
    rollups: &[Rollup],
    units: &[OrganisationId],
) -> Vec<PeriodProgress> {
    let months = match target.period {
        Period::Year | Period::YearEnd | Period::Always => 12,
        Period::Quarter => 3,
        Period::Month => 1,
    };
    if months == 12 && target.each.is_none() {
        return Vec::new();
    }
    let year = ground.plan.starts_on.year();
    let people = target.measure == Measure::DistinctPersons;
    (0..12 / months)
        .filter_map(|number| {
            let first = number * months + 1;
            let from = NaiveDate::from_ymd_opt(year, first, 1)?;
            let to = from.checked_add_months(chrono::Months::new(months))?;
            let label = match months {
                12 => format!("{year}"),
                3 => format!("{year}-Q{}", number + 1),
                _ => format!("{year}-{first:02}"),
            };
            let inside = |rollup: &&Rollup| from <= rollup.month && rollup.month < to;
            let sum = |unit: Option<OrganisationId>| -> i64 {
                // Of people, the district's own line is the figure.
                let whole = |rollup: &Rollup| !people || rollup.organisation_id == ground.root;
                let of_unit =
                    |rollup: &&Rollup| unit.map_or(whole(rollup), |unit| rollup.organisation_id == unit);
                rollups.iter().filter(inside).filter(of_unit).map(|rollup| rollup.quantity).sum()
            };
            let failing: Vec<(OrganisationId, i64)> = units
                .iter()
                .map(|unit| (*unit, sum(Some(*unit))))
                .filter(|(_, value)| *value < target.value)
                .collect();
            let (value, met) = if target.each.is_some() {
                (count(units.len() - failing.len()), failing.is_empty() && !units.is_empty())
            } else {
                let value = sum(None);
                (value, value >= target.value)
            };
            Some(PeriodProgress { label, value, over: to <= ground.today, met, failing })
        })
        .collect()
}

/// What an even pace over the plan's year would have reached by today.
fn expected(ground: &Measured<'_>, target: &Target, required: i64) -> i64 {
    let days = (ground.plan.ends_on - ground.plan.starts_on).num_days() + 1;
    let gone = ((ground.today - ground.plan.starts_on).num_days()).clamp(0, days);
    match target.period {
        Period::Always | Period::YearEnd => required,
        _ => required * gone / days.max(1),
    }
}

fn standing(
    ground: &Measured<'_>,
    target: &Target,
    value: i64,
    required: i64,
    expected: i64,
    periods: &[PeriodProgress],
) -> Standing {
    if target.counted_from != CountedFrom::Attendance && value == 0 {
        return Standing::NotReported;
    }
    if target.comparator == Comparator::Between && target.upper.is_some_and(|upper| value > upper) {
        return Standing::BeyondRange;
    }
    // A gap in March cannot be made up in April.
    if matches!(target.period, Period::Month | Period::Quarter) && periods.iter().any(|p| p.over && !p.met) {
        return Standing::Missed;
    }
    if value >= required {
        Standing::Met
    } else if ground.today > ground.plan.ends_on && ground.plan.counts_until <= ground.plan.ends_on {
        Standing::Missed
    } else if value >= expected {
        Standing::OnPace
    } else {
        Standing::Behind
    }
}

/// A pair stands where its weaker half stands.
pub fn weaker(a: Standing, b: Standing) -> Standing {
    let rank = |standing| match standing {
        Standing::Missed => 0,
        Standing::NotReported => 1,
        Standing::Behind => 2,
        Standing::OnPace => 3,
        Standing::BeyondRange => 4,
        Standing::Met => 5,
    };
    if rank(a) <= rank(b) { a } else { b }
}

#[cfg(test)]
mod tests;
