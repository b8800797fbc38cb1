//! Figures that are held against a register: those of the target that `legal_aid.stations_target` names, against the legal service stations.
//!
//! A figure says what was reached in its month. So what a unit has said of the months up to it, together, must be what it keeps: the
//! stations that were open at the end of that month and have not been closed since. Part by part, and everything that differs at once.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::model::PlanReport;
use super::{rules, store};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::OrganisationId;
use crate::legal_aid::hands::stations;
use crate::plan::model::{Plan, Target};
use crate::platform::db::Conn;
use crate::policy;

/// Which target is held against the stations.
const STATIONS_TARGET: &str = "legal_aid.stations_target";

/// How a unit stands at the end of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// First day of the month.
    pub month: NaiveDate,
    /// What the register has, part by part.
    pub kept: Vec<i64>,
    /// What the unit has said of the months up to it, without the month that is asked about.
    pub told: Vec<i64>,
}

/// What a unit's figure of a month is held against: that month, and those after it of which the unit has said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The month that is asked about.
    pub own: Stand,
    /// Those after it.
    pub later: Vec<Stand>,
}

impl Registry {
    /// Everything in which `parts` do not agree.
    pub fn faults(&self, parts: &[i64]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            let at = format!("/parts/{place}");
            let (kept, told) = (of(&self.own.kept, place), of(&self.own.told, place));
            if told.saturating_add(*part) != kept {
                let due = kept.saturating_sub(told);
                faults.push(Fault::new(at, "registry_differs", Text::new(
                    format!("登记的站点为 {kept} 个，其他月份已上报 {told} 个，本月应为 {due} 个；请核对站点登记"),
                    format!("{kept} are registered and {told} reported of other months, so that {due} would agree; look at the register"),
                )));
                continue;
            }
            let over = |stand: &&Stand| of(&stand.told, place).saturating_add(*part) > of(&stand.kept, place);
            if let Some(stand) = self.later.iter().find(over) {
                let month = stand.month.format("%Y-%m");
                faults.push(Fault::new(
                    at,
                    "told_later",
                    Text::new(
                        format!("{month} 的上报数已包含这些站点，请先更正该月数据"),
                        format!("the figure of {month} holds these stations already: correct that one first"),
                    ),
                ));
            }
        }
        faults
    }
}

fn of(parts: &[i64], place: usize) -> i64 {
    parts.get(place).copied().unwrap_or(0)
}

/// What a figure of `unit` for `month` is held against; none for a target that no register has.
pub fn of_figure(
    conn: &mut Conn,
    plan: &Plan,
    target: &Target,
    unit: OrganisationId,
    month: NaiveDate,
    today: NaiveDate,
) -> Result<Option<Registry>> {
    let named = policy::store::on(conn, STATIONS_TARGET, plan.starts_on)?;
    if named.is_none_or(|policy| policy.value != target.code) {
        return Ok(None);
    }
    // The latest version of each month, whether it is signed or still to be.
    let mut figures: BTreeMap<NaiveDate, PlanReport> = BTreeMap::new();
    for row in store::standing_of_unit(conn, target.id, unit)? {
        figures.insert(row.month, row);
    }
    figures.remove(&month);
    let mut stand = |at: NaiveDate| -> Result<Stand> {
        let kept = stations::open_parts(conn, unit, rules::last_day(at).min(today), today)?;
        let mut told = vec![0_i64; kept.len()];
        for row in figures.range(..=at).map(|(_, row)| row).filter(|row| !row.withdraws) {
            for (sum, part) in told.iter_mut().zip(row.parts()) {
                *sum = sum.saturating_add(part);
            }
        }
        Ok(Stand { month: at, kept, told })
    };
    let own = stand(month)?;
    let after: Vec<NaiveDate> = figures.keys().copied().filter(|one| *one > month).collect();
    let later = after.into_iter().map(stand).collect::<Result<_>>()?;
    Ok(Some(Registry { own, later }))
}

/// Refuses to count a version with which the register does not agree any more.
///
/// # Errors
/// `state_forbids`.
pub fn require(
    conn: &mut Conn,
    plan: &Plan,
    target: &Target,
    row: &PlanReport,
    today: NaiveDate,
) -> Result<()> {
    if row.withdraws {
        return Ok(());
    }
    let registry = of_figure(conn, plan, target, row.organisation_id, row.month, today)?;
    if registry.is_none_or(|registry| registry.faults(&row.parts()).is_empty()) {
        return Ok(());
    }
    Err(Error::new(Code::StateForbids).detail(
        "上报后站点登记有变动，数据与登记不符，请不予通过并重新上报",
        "The register has changed since and does not agree any more: refuse it, and have it reported anew",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(month: &str, kept: [i64; 3], told: [i64; 3]) -> Stand {
        Stand { month: month.parse().unwrap(), kept: kept.to_vec(), told: told.to_vec() }
    }

    fn faults(registry: &Registry, parts: [i64; 3]) -> Vec<(String, &'static str)> {
        registry.faults(&parts).into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn a_figure_is_what_the_register_has_more_than_was_told() {
        let own = stand("2025-09-01", [1, 12, 9], [1, 10, 9]);
        let registry = Registry { own, later: Vec::new() };
        assert_eq!(faults(&registry, [0, 2, 0]), []);
        let wrong =
            [("/parts/0".to_owned(), "registry_differs"), ("/parts/2".to_owned(), "registry_differs")];
        assert_eq!(faults(&registry, [1, 2, 9]), wrong);
    }

    #[test]
    fn nothing_is_told_twice() {
        let own = stand("2025-05-01", [1, 10, 0], [0, 0, 0]);
        // September's figure holds everything.
        let all = stand("2025-09-01", [1, 12, 0], [1, 12, 0]);
        let registry = Registry { own: own.clone(), later: vec![all] };
        assert_eq!(
            faults(&registry, [1, 10, 0]),
            [("/parts/0".to_owned(), "told_later"), ("/parts/1".to_owned(), "told_later")]
        );
        let rest = stand("2025-09-01", [1, 12, 0], [0, 2, 0]);
        assert_eq!(faults(&Registry { own, later: vec![rest] }, [1, 10, 0]), []);
    }
}
