//! Pure decisions about reported figures.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Datelike, Months, NaiveDate};

use super::model::{PlanReport, ReportState};
use super::registry::Registry;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::OrganisationId;
use crate::ledger::model::{Grade, NewLine, SourceKind};
use crate::org::model::{Organisation, OrganisationKind};
use crate::plan::model::{CountedFrom, Each, Measure, ParticipantGroup, Plan, PlanItem, Target};
use crate::plan::rules::units;

/// What somebody says of a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// That an earlier version is taken back.
    pub withdraws: bool,
    /// Of a count.
    pub value: Option<i64>,
    /// Of a rate.
    pub numerator: Option<i64>,
    /// Of a rate.
    pub denominator: Option<i64>,
    /// Of a target with parts.
    pub parts: Vec<i64>,
    /// Of a target that covers a list.
    pub covered: Vec<OrganisationId>,
    /// Papers that show it.
    pub evidence: usize,
}

/// What a claim is judged by.
pub struct Ground<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The item.
    pub item: &'a PlanItem,
    /// The target.
    pub target: &'a Target,
    /// The union tree.
    pub organisations: &'a HashMap<OrganisationId, Organisation>,
    /// Today in Asia/Shanghai.
    pub today: NaiveDate,
    /// Whether a version of the figure counts.
    pub is_reported: bool,
    /// What it must agree with, of a target that a register has.
    pub registry: Option<Registry>,
}

/// The first day of a month such as `2025-06`.
pub fn month(text: &str) -> Option<NaiveDate> {
    let (year, month) = text.split_once('-')?;
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|one| one.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
}

/// The last day of the month that begins at `first`.
pub fn last_day(first: NaiveDate) -> NaiveDate {
    first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(first)
}

/// Nobody types in what attendance or cases give.
///
/// # Errors
/// `figure_earned`.
pub fn may_be_reported(target: &Target) -> Result<()> {
    match target.counted_from {
        CountedFrom::Report => Ok(()),
        CountedFrom::Attendance | CountedFrom::Cases => Err(Error::new(Code::FigureEarned)),
    }
}

/// Codes of the departments that lead an item.
pub fn leads(item: &PlanItem) -> Result<Vec<String>> {
    serde_json::from_str(&item.leads).map_err(Error::internal)
}

/// Everything that is wrong with a claim of `unit` about `month`.
///
/// # Errors
/// `validation_failed` with all of it.
pub fn check(ground: &Ground<'_>, unit: OrganisationId, month: &str, claim: &Claim) -> Result<()> {
    let mut faults = Faults(Vec::new());
    check_unit(ground, unit, &mut faults)?;
    check_month(ground, month, &mut faults);
    if claim.evidence == 0 {
        faults.add("/evidence", "required", "请上传佐证材料", "a figure needs evidence");
    }
    if claim.withdraws {
        if !ground.is_reported {
            let (zh, en) = ("没有可撤回的已审定数据", "no approved figure of this month to take back");
            faults.add("/withdraws", "nothing_there", zh, en);
        }
        faults.unasked(claim, Shape::None);
    } else {
        let shape = Shape::of(ground.target);
        faults.unasked(claim, shape);
        match shape {
            Shape::List => check_covered(ground, &claim.covered, &mut faults),
            Shape::Ratio => check_ratio(claim, &mut faults),
            Shape::Parts => check_parts(ground, &claim.parts, &mut faults),
            Shape::Value => faults.at_least("/value", claim.value, 0),
            Shape::None => {}
        }
    }
    if faults.0.is_empty() { Ok(()) } else { Err(Error::invalid(faults.0)) }
}

/// What a target's figure is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    None,
    Value,
    Ratio,
    Parts,
    List,
}

impl Shape {
    fn of(target: &Target) -> Self {
        if target.coverage.is_some() {
            Self::List
        } else if target.measure == Measure::Rate {
            Self::Ratio
        } else if target.parts().is_empty() {
            Self::Value
        } else {
            Self::Parts
        }
    }
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(
        &mut self,
        at: &str,
        code: &'static str,
        zh: impl Into<Cow<'static, str>>,
        en: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(Fault::new(at, code, Text::new(zh, en)));
    }

    /// What is not asked for of this target.
    fn unasked(&mut self, claim: &Claim, shape: Shape) {
        let given = [
            ("/value", claim.value.is_some(), Shape::Value),
            ("/numerator", claim.numerator.is_some(), Shape::Ratio),
            ("/denominator", claim.denominator.is_some(), Shape::Ratio),
            ("/parts", !claim.parts.is_empty(), Shape::Parts),
            ("/covered", !claim.covered.is_empty(), Shape::List),
        ];
        for (at, is_given, own) in given {
            if is_given && own != shape {
                self.add(at, "unknown", "此指标不收集该项", "this is not asked for here");
            }
        }
    }

    fn at_least(&mut self, at: &str, figure: Option<i64>, least: i64) {
        match figure {
            None => self.add(at, "required", "请填写数据", "a figure is missing"),
            Some(figure) if figure < 0 => self.add(at, "negative", "不能小于 0", "below zero"),
            Some(figure) if figure < least => self.add(at, "zero", "不能为 0", "must not be zero"),
            Some(_) => {}
        }
    }
}

/// Who may have a figure of a target: the district, the lead departments, and the units that take part in the item; of a target that each
/// sub-district must reach, a sub-district.
fn check_unit(ground: &Ground<'_>, unit: OrganisationId, faults: &mut Faults) -> Result<()> {
    let known = ground.organisations.get(&unit).filter(|row| row.closed_on.is_none());
    let Some(row) = known else {
        faults.add("/unit_id", "unknown", "没有该组织，或已撤销", "there is no such organisation");
        return Ok(());
    };
    if ground.target.each == Some(Each::SubDistrict) {
        if row.kind != OrganisationKind::SubDistrict {
            let (zh, en) = ("该指标由各街道分别上报", "each sub-district has a figure of its own here");
            faults.add("/unit_id", "no_sub_district", zh, en);
        }
        return Ok(());
    }
    let groups: Vec<ParticipantGroup> =
        serde_json::from_str(&ground.item.participants).map_err(Error::internal)?;
    let takes_part = row.kind == OrganisationKind::District
        || leads(ground.item)?.contains(&row.code)
        || groups.iter().any(|group| units::members(*group, ground.organisations).contains(&unit));
    if !takes_part {
        let (zh, en) =
            ("该组织不是本条目的牵头部室或参与单位", "it neither leads the item nor takes part in it");
        faults.add("/unit_id", "not_taking_part", zh, en);
    }
    Ok(())
}

fn check_month(ground: &Ground<'_>, text: &str, faults: &mut Faults) {
    let Some(first) = month(text) else {
        faults.add("/month", "format", "应为月份，如 2025-06", "must be a month such as 2025-06");
        return;
    };
    if first < ground.plan.starts_on || first > ground.plan.ends_on {
        faults.add("/month", "outside_plan", "不在工作要点的年度内", "outside the year of the plan");
    } else if first > ground.today {
        faults.add("/month", "in_future", "该月份尚未开始", "this month has not begun");
    }
}

fn check_ratio(claim: &Claim, faults: &mut Faults) {
    faults.at_least("/numerator", claim.numerator, 0);
    faults.at_least("/denominator", claim.denominator, 1);
    if let (Some(numerator), Some(denominator)) = (claim.numerator, claim.denominator)
        && denominator > 0
        && numerator > denominator
    {
        faults.add("/numerator", "above_denominator", "分子不能大于分母", "above the denominator");
    }
}

fn check_parts(ground: &Ground<'_>, parts: &[i64], faults: &mut Faults) {
    if parts.len() != ground.target.parts().len() {
        let (zh, en) = ("须按工作要点逐项填写各部分数据", "a figure for each part of the target is needed");
        faults.add("/parts", "required", zh, en);
    }
    for (place, part) in parts.iter().enumerate() {
        faults.at_least(&format!("/parts/{place}"), Some(*part), 0);
    }
    // What is no figure is not held against anything.
    let are_figures = parts.len() == ground.target.parts().len() && parts.iter().all(|part| *part >= 0);
    if let (true, Some(registry)) = (are_figures, &ground.registry) {
        faults.0.append(&mut registry.faults(parts));
    }
}

fn check_covered(ground: &Ground<'_>, covered: &[OrganisationId], faults: &mut Faults) {
    if covered.is_empty() {
        faults.add("/covered", "required", "请选择已覆盖的单位", "name the units that are covered");
    }
    let list = ground.target.coverage.map(|group| units::members(group, ground.organisations));
    let list = list.unwrap_or_default();
    let mut seen = HashSet::new();
    for (place, unit) in covered.iter().enumerate() {
        let at = format!("/covered/{place}");
        let Some(name) = ground.organisations.get(unit).map(|row| row.short_name.as_str()) else {
            faults.add(&at, "unknown", "没有该组织", "there is no such organisation");
            continue;
        };
        if !list.contains(unit) {
            let zh = format!("{name}不在本指标的覆盖名单内");
            faults.add(&at, "foreign", zh, format!("{name} is not on the list of this target"));
        } else if !seen.insert(*unit) {
            faults.add(&at, "duplicate", format!("{name}只计一次"), format!("{name} counts once"));
        }
    }
}

/// What becomes of a version that is approved: `current` is the number of the one that counts so far. Whoever is approved after a later
/// version was counts no more.
pub fn succeeds(current: Option<i64>, number: i64) -> ReportState {
    if current.is_some_and(|current| current > number) {
        ReportState::Superseded
    } else {
        ReportState::Approved
    }
}

/// What happens to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportEvent {
    /// All lead departments have signed.
    Approve,
    /// One of them has refused.
    Reject,
    /// Who reported gave it up, or did not supply what was missing.
    Withdraw,
}

/// Whether `event` may happen in `state`.
///
/// # Errors
/// `state_forbids`.
pub fn may(event: ReportEvent, state: ReportState) -> Result<()> {
    let may =
        matches!((event, state), (_, ReportState::Proposed) | (ReportEvent::Approve, ReportState::Rejected));
    if may {
        return Ok(());
    }
    Err(Error::new(Code::StateForbids)
        .detail("该上报已有结果", format!("This report is {state}; nothing is left to decide")))
}

/// Whose figure a unit's is in the ledger: a sub-district's, or the district's where it is in none.
fn counted_for(
    unit: OrganisationId,
    root: OrganisationId,
    organisations: &HashMap<OrganisationId, Organisation>,
) -> OrganisationId {
    organisations.get(&unit).and_then(|row| row.street_id).unwrap_or(root)
}

/// The lines of a target that its approved versions ask for, by report. A unit of a list is counted once: for the first report, by
/// month, that covers it.
pub fn lines(
    target: &Target,
    root: OrganisationId,
    organisations: &HashMap<OrganisationId, Organisation>,
    current: &[(PlanReport, Vec<OrganisationId>)],
) -> Vec<NewLine> {
    let line = |row: &PlanReport, unit: OrganisationId, quantity: i64, dedup_key: String| NewLine {
        target: target.id,
        organisation: counted_for(unit, root, organisations),
        day: last_day(row.month),
        quantity,
        dedup_key,
        source_kind: SourceKind::Report,
        source_id: row.id.0,
        activity: None,
        // Papers that every lead department has seen weigh as much as a signed sheet, and less than a scan in place.
        grade: Grade::B,
    };
    if target.measure == Measure::Rate {
        return Vec::new();
    }
    let mut rows: Vec<&(PlanReport, Vec<OrganisationId>)> =
        current.iter().filter(|(row, _)| !row.withdraws).collect();
    rows.sort_by_key(|(row, _)| (row.month, row.organisation_id, row.number));
    if target.coverage.is_some() {
        let mut first: BTreeMap<OrganisationId, &PlanReport> = BTreeMap::new();
        for (row, covered) in rows {
            for unit in covered {
                first.entry(*unit).or_insert(row);
            }
        }
        let key = |unit| format!("report/{}/covered/{unit}", target.code);
        return first.into_iter().map(|(unit, row)| line(row, unit, 1, key(unit))).collect();
    }
    let key = |row: &PlanReport| {
        format!(
            "report/{}/{}/{:04}-{:02}",
            target.code,
            row.organisation_id,
            row.month.year(),
            row.month.month()
        )
    };
    rows.into_iter()
        .filter_map(|(row, _)| Some((row, row.value.filter(|value| *value > 0)?)))
        .map(|(row, value)| line(row, row.organisation_id, value, key(row)))
        .collect()
}

#[cfg(test)]
mod tests;
