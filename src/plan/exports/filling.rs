//! Turns a plan that was measured into a [`Sheet`]. The only place that knows both.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};

use super::rules::{self, measure as measured_in, source, status, term_status};
use super::sheet::{Figure, Item, Month, Part, Sheet, Term};
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::ids::{OrganisationId, TargetId};
use crate::ledger::model::{Grade, Rollup};
use crate::org::model::Organisation;
use crate::plan::measuring::{Measurement, measure};
use crate::plan::model::{CountingRule, Measure, Period, PlanItem, Target};
use crate::plan::rules::Progress;
use crate::plan::store as plans;
use crate::platform::db::Conn;

/// What whoever reads the figures should know.
const NOTES: &[&str] = &[
    "各项数字由签到、现场计数、场次结算和经审核的上报逐笔记入台账后汇总得出，不能手工填写。",
    "“人数（去重）”按全区同一人只计一次；各街道之和可能大于全区，差额列为“街道间重复”。",
    "按进度应完成：以全年均匀进度或目标的分月计划计算到统计时点。成对目标以较弱的一个为准。完成率只舍不入。",
    "证据等级：A 本人现场扫码；B 工作人员扫码、纸质签名或经牵头部室审核的上报；C 口令或远程；D 现场计数。",
];

/// What a figure is made from.
struct Ground<'a> {
    measured: &'a Measurement,
    focus: Option<&'a Organisation>,
    rules: HashMap<TargetId, Vec<String>>,
}

/// A plan's figures as they were known at `as_of`; about `focus` alone where one is given. On one unchanging view of the database.
///
/// # Errors
/// 404 where there is no such plan.
pub fn as_of(
    conn: &mut Conn,
    year: i64,
    as_of: DateTime<Utc>,
    focus: Option<&Organisation>,
) -> Result<Sheet> {
    // Policies are those of that moment too: the figures must be the same whenever they are read.
    let measured = measure(conn, year, Some(as_of), as_of + TimeDelta::microseconds(1))?;
    fill(conn, &measured, focus)
}

/// A plan's figures as they are known now, and of how many people the fewest are that everybody may be told.
///
/// # Errors
/// 404 where there is no such plan.
pub fn today(conn: &mut Conn, year: i64, now: DateTime<Utc>) -> Result<(Sheet, i64)> {
    let measured = measure(conn, year, None, now)?;
    Ok((fill(conn, &measured, None)?, measured.thresholds.small))
}

fn fill(conn: &mut Conn, measured: &Measurement, focus: Option<&Organisation>) -> Result<Sheet> {
    let mut counted: HashMap<TargetId, Vec<String>> = HashMap::new();
    let in_force: Vec<(CountingRule, Target)> = plans::rules_on(conn, measured.plan.counts_from)?;
    for (rule, target) in &in_force {
        counted.entry(target.id).or_default().push(rules::rule(rule));
    }
    // Their ids are of no order that a second database would have.
    counted.values_mut().for_each(|rules| rules.sort());
    let ground = Ground { measured, focus, rules: counted };
    let items = measured.items.iter().map(|item| filled(&ground, item)).collect::<Result<_>>()?;
    Ok(Sheet {
        title: measured.plan.title.clone(),
        year: measured.plan.year,
        as_of: measured.as_of,
        focus: focus.map(|one| one.name.clone()),
        items,
        notes: NOTES,
    })
}

fn filled(ground: &Ground<'_>, item: &PlanItem) -> Result<Item> {
    let leads: Vec<String> = serde_json::from_str(&item.leads).map_err(Error::internal)?;
    let name = |code: &String| {
        let found = ground.measured.organisations.values().find(|one| one.code == *code);
        found.map_or(code.clone(), |one| one.short_name.clone())
    };
    let own = ground.measured.targets.iter().filter(|target| target.item_id == item.id);
    Ok(Item {
        number: item.number,
        section: item.section.clone(),
        title: item.title.clone(),
        leads: leads.iter().map(name).collect(),
        figures: own.filter_map(|target| figure(ground, target)).collect(),
    })
}

fn figure(ground: &Ground<'_>, target: &Target) -> Option<Figure> {
    let own = ground.measured.of(target)?;
    let pair = target.pair.clone().zip(ground.measured.pair_standing(target).map(status));
    let rollups = ground.measured.rollups.get(&target.id).map(Vec::as_slice).unwrap_or_default();
    // Of people the district's line is the figure; everybody else's are parts of it.
    let people = target.measure == Measure::DistinctPersons;
    let whole = |id: OrganisationId| match ground.focus {
        Some(_) => ground.is_seen(id),
        None => !people || id == ground.measured.root,
    };
    let counted: Vec<&Rollup> = rollups.iter().filter(|rollup| whole(rollup.organisation_id)).collect();
    let parts = parts(ground, Some(target), &own.by_organisation, true);
    let missing = own.coverage.iter().flat_map(|coverage| &coverage.missing);
    let missing: Vec<(OrganisationId, i64)> = missing.map(|id| (*id, 0)).collect();
    Some(Figure {
        code: target.code.clone(),
        clause: target.clause.clone(),
        measure: measured_in(target),
        source: source(target),
        people: rules::counts_people(target),
        unit: rules::unit(target),
        part_unit: target.unit.clone(),
        value: own.value,
        required: own.required,
        upper: target.upper,
        per_mille: own.per_mille,
        expected: own.expected,
        forecast: own.forecast.low.zip(own.forecast.high),
        own: ground.focus.map(|_| parts.iter().map(|part| part.value).sum()),
        status: status(own.standing),
        pair,
        parts,
        overlap: if ground.focus.is_some() { 0 } else { own.overlap },
        months: months(ground, target, own.required, &counted),
        terms: terms(ground, own),
        composite: own.parts.iter().map(|part| (part.value, part.required)).collect(),
        missing: self::parts(ground, None, &missing, false).into_iter().map(|part| part.name).collect(),
        lines: rollups.iter().filter(|one| ground.is_seen(one.organisation_id)).map(|one| one.lines).sum(),
        grades: [Grade::A, Grade::B, Grade::C, Grade::D]
            .map(|grade| counted.iter().filter(|one| one.grade == grade).map(|one| one.quantity).sum()),
        demanded: own.evidence.demanded,
        rules: ground.rules.get(&target.id).cloned().unwrap_or_default(),
    })
}

impl Ground<'_> {
    /// Whether the report shows this organisation's own figure.
    fn is_seen(&self, id: OrganisationId) -> bool {
        let Some(focus) = self.focus else { return true };
        self.measured.organisations.get(&id).is_some_and(|one| one.path.starts_with(&focus.path))
    }
}

/// Figures by organisation, largest first where that is wanted. What is outside the report is left out.
fn parts(
    ground: &Ground<'_>,
    target: Option<&Target>,
    figures: &[(OrganisationId, i64)],
    largest_first: bool,
) -> Vec<Part> {
    let agreed = target.and_then(|target| ground.measured.agreed.get(&target.id));
    // Who agreed to a share and has nothing yet is shown with it.
    let idle = agreed.into_iter().flat_map(|agreed| agreed.keys());
    let idle = idle.filter(|unit| figures.iter().all(|(id, _)| id != *unit)).map(|unit| (*unit, 0));
    let figures: Vec<(OrganisationId, i64)> = figures.iter().copied().chain(idle).collect();
    let mut named: Vec<(String, Part)> = figures
        .iter()
        .filter(|(id, _)| ground.is_seen(*id))
        .map(|(id, value)| {
            let found = ground.measured.organisations.get(id);
            let (name, code) =
                found.map(|one| (one.short_name.clone(), one.code.clone())).unwrap_or_default();
            let share = agreed.and_then(|agreed| agreed.get(id)).copied();
            (code, Part { name, value: *value, share })
        })
        .collect();
    // By code where they are equal: an order that no id decides.
    named.sort_by(|(a, one), (b, other)| {
        let by_value = if largest_first { other.value.cmp(&one.value) } else { one.value.cmp(&other.value) };
        by_value.then_with(|| a.cmp(b))
    });
    named.into_iter().map(|(_, part)| part).collect()
}

/// What was due in each period; of a rate, its snapshots.
fn terms(ground: &Ground<'_>, own: &Progress) -> Vec<Term> {
    let periods = own.periods.iter().map(|period| Term {
        label: period.label.clone(),
        value: period.value,
        status: term_status(period.met, period.over),
        failing: parts(ground, None, &period.failing, false),
    });
    let snapshots = own.snapshots.iter().map(|one| Term {
        label: one.month.format("%Y-%m").to_string(),
        value: one.percent(),
        status: term_status(one.holds, true),
        failing: Vec::new(),
    });
    periods.chain(snapshots).collect()
}

/// The months of the plan's year, and those after it that have figures.
fn months(ground: &Ground<'_>, target: &Target, required: i64, rollups: &[&Rollup]) -> Vec<Month> {
    let plan = &ground.measured.plan;
    let mut sums: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    let mut first = plan.starts_on.with_day(1).unwrap_or(plan.starts_on);
    while first <= plan.ends_on {
        sums.insert(first, 0);
        let Some(next) = first.checked_add_months(Months::new(1)) else { break };
        first = next;
    }
    for rollup in rollups {
        *sums.entry(rollup.month).or_default() += rollup.quantity;
    }
    // A pace is the whole district's, of what is due over the year.
    let paced = target.each.is_none()
        && target.period == Period::Year
        && target.measure != Measure::Rate
        && target.coverage.is_none()
        && ground.focus.is_none();
    let (curve, days) = (target.curve(), (plan.ends_on - plan.starts_on).num_days() + 1);
    let all: i64 = curve.map_or(days, |curve| curve.iter().sum());
    let today = civil_day(ground.measured.as_of);
    let (mut total, mut gone) = (0, 0);
    sums.into_iter()
        .map(|(first, value)| {
            total += value;
            if first <= plan.ends_on {
                let end = first.checked_add_months(Months::new(1)).unwrap_or(first);
                let place = usize::try_from(first.month0()).unwrap_or(0);
                let days = (end - first).num_days();
                gone += curve.map_or(days, |curve| curve.get(place).copied().unwrap_or(0));
            }
            let pace = paced.then(|| {
                let due = (i128::from(required) * i128::from(gone)).checked_div(i128::from(all)).unwrap_or(0);
                i64::try_from(due).unwrap_or(i64::MAX)
            });
            Month { first, value, total, pace, begun: first <= today }
        })
        .collect()
}
