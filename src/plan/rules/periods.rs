//! Pure: values that are due in each of several periods, by each of several units, or at changing hosts.

use chrono::{Datelike, Months, NaiveDate};

use super::{Measured, Rollup, count, is_whole, units};
use crate::ids::OrganisationId;
use crate::plan::model::{Period, Target};

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
    /// For whose figure something was counted, by code.
    pub hosts: Vec<OrganisationId>,
}

crate::text_enum! {
    /// Why somebody hosted out of turn.
    pub enum RotationKind {
        /// 连续承办.
        TwiceRunning = "twice_running",
        /// 其他街道尚未承办时再次承办.
        BeforeOthers = "before_others",
    }
}

/// Somebody who hosted out of turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationFault {
    /// In which period.
    pub label: String,
    /// Who.
    pub host: OrganisationId,
    /// How.
    pub kind: RotationKind,
}

/// The periods of a target; none of one that is one sum over the year.
pub(super) fn periods(
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
    (0..12 / months)
        .filter_map(|number| {
            let first = number * months + 1;
            let from = NaiveDate::from_ymd_opt(year, first, 1)?;
            let to = from.checked_add_months(Months::new(months))?;
            let label = match months {
                12 => format!("{year}"),
                3 => format!("{year}-Q{}", number + 1),
                _ => format!("{year}-{first:02}"),
            };
            let inside: Vec<&Rollup> =
                rollups.iter().filter(|rollup| from <= rollup.month && rollup.month < to).collect();
            let of_unit = |unit: OrganisationId| -> i64 {
                inside.iter().filter(|one| one.organisation_id == unit).map(|one| one.quantity).sum()
            };
            let failing: Vec<(OrganisationId, i64)> = units
                .iter()
                .map(|unit| (*unit, of_unit(*unit)))
                .filter(|(_, value)| *value < target.value)
                .collect();
            let (value, met) = if target.each.is_some() {
                (count(units.len() - failing.len()), failing.is_empty() && !units.is_empty())
            } else {
                let whole = inside.iter().filter(|one| is_whole(ground, target, one));
                let value = whole.map(|one| one.quantity).sum();
                (value, value >= target.value)
            };
            let mut hosts: Vec<OrganisationId> = inside.iter().map(|one| one.organisation_id).collect();
            hosts.sort();
            hosts.dedup();
            hosts.retain(|host| of_unit(*host) > 0);
            hosts.sort_by_key(|host| ground.organisations.get(host).map(|row| row.code.clone()));
            Some(PeriodProgress { label, value, over: to <= ground.today, met, failing, hosts })
        })
        .collect()
}

/// How many of `units` reached the value in every period so far, and how many there are.
pub(super) fn units_that_reached(units: &[OrganisationId], periods: &[PeriodProgress]) -> (i64, i64) {
    let due: Vec<&PeriodProgress> = periods.iter().filter(|p| p.over || periods.len() == 1).collect();
    let fails =
        |unit: &&OrganisationId| due.iter().any(|p| p.failing.iter().any(|(failing, _)| failing == *unit));
    let reached = if due.is_empty() { 0 } else { units.iter().filter(|unit| !fails(unit)).count() };
    (count(reached), count(units.len()))
}

/// Who hosted twice running, or again before all sub-districts had. A round ends when all have.
pub(super) fn rotation(ground: &Measured<'_>, periods: &[PeriodProgress]) -> Vec<RotationFault> {
    let streets = units::streets(ground.organisations);
    let mut faults = Vec::new();
    let mut round: Vec<OrganisationId> = Vec::new();
    let mut before: &[OrganisationId] = &[];
    for period in periods.iter().filter(|period| !period.hosts.is_empty()) {
        let own: Vec<OrganisationId> =
            period.hosts.iter().copied().filter(|host| streets.contains(host)).collect();
        for host in own {
            let kind = if before.contains(&host) {
                Some(RotationKind::TwiceRunning)
            } else if round.contains(&host) {
                Some(RotationKind::BeforeOthers)
            } else {
                None
            };
            faults.extend(kind.map(|kind| RotationFault { label: period.label.clone(), host, kind }));
            if !round.contains(&host) {
                round.push(host);
            }
        }
        if streets.iter().all(|street| round.contains(street)) {
            round.clear();
        }
        before = &period.hosts;
    }
    faults
}
