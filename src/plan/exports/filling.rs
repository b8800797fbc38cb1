//! Reads progress, names and roll-ups into a [`Sheet`]. The only place that knows both.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

use super::rules::{self, measure, source, status, term_status};
use super::sheet::{Figure, Item, Month, Part, Sheet, Term};
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::ids::{OrganisationId, TargetId};
use crate::ledger::model::{Grade, Rollup};
use crate::org;
use crate::org::model::Organisation;
use crate::plan::model::{CountingRule, Measure, Period, Plan, PlanItem, Target};
use crate::plan::rules::{Measured, Progress, progress, weaker};
use crate::plan::store as plans;
use crate::platform::db::Conn;

/// What whoever reads the figures should know.
const NOTES: &[&str] = &[
    "各项数字由签到、现场计数、场次结算和经审核的上报逐笔记入台账后汇总得出，不能手工填写。",
    "“人数（去重）”按全区同一人只计一次；各街道之和可能大于全区，差额列为“街道间重复”。",
    "按进度应完成：以全年均匀进度计算到统计时点。成对目标以较弱的一个为准。",
    "证据等级：A 本人现场扫码；B 工作人员扫码或纸质签名；C 口令或远程；D 现场计数。",
];

/// What a figure is made from.
struct Ground<'a> {
    measured: Measured<'a>,
    focus: Option<&'a Organisation>,
    rollups: &'a HashMap<TargetId, Vec<Rollup>>,
    all: HashMap<&'a str, Progress>,
    rules: HashMap<TargetId, Vec<String>>,
}

/// The plan's figures as of `as_of`, from the roll-ups of that moment; about `focus` alone where one is given.
pub fn fill(
    conn: &mut Conn,
    plan: &Plan,
    as_of: DateTime<Utc>,
    focus: Option<&Organisation>,
    rollups: &HashMap<TargetId, Vec<Rollup>>,
) -> Result<Sheet> {
    let targets = plans::targets(conn, plan.id)?;
    let organisations = org::store::all(conn)?;
    let root = org::store::root(conn)?.id;
    let measured = Measured { plan, organisations: &organisations, root, today: civil_day(as_of) };
    let all = targets
        .iter()
        .map(|target| (target.code.as_str(), progress(&measured, target, of(rollups, target))))
        .collect();
    let mut counted: HashMap<TargetId, Vec<String>> = HashMap::new();
    let in_force: Vec<(CountingRule, Target)> = plans::rules_on(conn, plan.counts_from)?;
    for (rule, target) in &in_force {
        counted.entry(target.id).or_default().push(rules::rule(rule));
    }
    let ground = Ground { measured, focus, rollups, all, rules: counted };
    let names: HashMap<&str, &str> =
        organisations.values().map(|one| (one.code.as_str(), one.short_name.as_str())).collect();
    let items = plans::items(conn, plan.id)?;
    let items = items.iter().map(|item| filled(&ground, item, &targets, &names)).collect::<Result<_>>()?;
    Ok(Sheet {
        title: plan.title.clone(),
        year: plan.year,
        as_of,
        focus: focus.map(|one| one.name.clone()),
        items,
        notes: NOTES,
    })
}

fn of<'a>(rollups: &'a HashMap<TargetId, Vec<Rollup>>, target: &Target) -> &'a [Rollup] {
    rollups.get(&target.id).map(Vec::as_slice).unwrap_or_default()
}

fn filled(
    ground: &Ground<'_>,
    item: &PlanItem,
    targets: &[Target],
    names: &HashMap<&str, &str>,
) -> Result<Item> {
    let leads: Vec<String> = serde_json::from_str(&item.leads).map_err(Error::internal)?;
    let name = |code: &String| names.get(code.as_str()).map_or(code.clone(), |name| (*name).to_owned());
    let own = targets.iter().filter(|target| target.item_id == item.id);
    Ok(Item {
        number: item.number,
        section: item.section.clone(),
        title: item.title.clone(),
        text: item.body.clone(),
        leads: leads.iter().map(name).collect(),
        figures: own.filter_map(|target| figure(ground, target)).collect(),
    })
}

fn figure(ground: &Ground<'_>, target: &Target) -> Option<Figure> {
    let own = ground.all.get(target.code.as_str())?;
    let pair = target.pair.as_ref().and_then(|code| {
        let other = ground.all.get(code.as_str())?;
        Some((code.clone(), status(weaker(own.standing, other.standing))))
    });
    let rollups = of(ground.rollups, target);
    // Of people the district's line is the figure; everybody else's are parts of it.
    let people = target.measure == Measure::DistinctPersons;
    let root = ground.measured.root;
    let whole = |id: OrganisationId| match ground.focus {
        Some(_) => ground.is_seen(id),
        None => !people || id == root,
    };
    let counted: Vec<&Rollup> = rollups.iter().filter(|rollup| whole(rollup.organisation_id)).collect();
    let parts = parts(ground, &own.by_organisation, true);
    Some(Figure {
        code: target.code.clone(),
        clause: target.clause.clone(),
        measure: measure(target),
        source: source(target),
        people: rules::counts_people(target),
        unit: rules::unit(target),
        part_unit: target.unit.clone(),
        value: own.value,
        required: own.required,
        upper: target.upper,
        expected: own.expected,
        own: ground.focus.map(|_| parts.iter().map(|part| part.value).sum()),
        status: status(own.standing),
        pair,
        parts,
        overlap: if ground.focus.is_some() { 0 } else { own.overlap },
        months: months(ground, target, own.required, &counted),
        terms: terms(ground, own),
        lines: rollups.iter().filter(|rollup| ground.is_seen(rollup.organisation_id)).map(|one| one.lines).sum(),
        grades: [Grade::A, Grade::B, Grade::C, Grade::D]
            .map(|grade| counted.iter().filter(|one| one.grade == grade).map(|one| one.quantity).sum()),
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
fn parts(ground: &Ground<'_>, figures: &[(OrganisationId, i64)], largest_first: bool) -> Vec<Part> {
    let name = |id: &OrganisationId| {
        let found = ground.measured.organisations.get(id);
        found.map(|one| (one.short_name.clone(), one.code.clone())).unwrap_or_default()
    };
    let mut named: Vec<(i64, String, String)> = figures
        .iter()
        .filter(|(id, _)| ground.is_seen(*id))
        .map(|(id, value)| {
            let (short, code) = name(id);
            (*value, short, code)
        })
        .collect();
    // By code where they are equal: an order that no id decides.
    named.sort_by(|a, b| if largest_first { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) }.then(a.2.cmp(&b.2)));
    named.into_iter().map(|(value, name, _)| Part { name, value }).collect()
}

fn terms(ground: &Ground<'_>, own: &Progress) -> Vec<Term> {
    own.periods
        .iter()
        .map(|period| Term {
            label: period.label.clone(),
            value: period.value,
            status: term_status(period.met, period.over),
            failing: parts(ground, &period.failing, false),
        })
        .collect()
}

/// The months of the plan's year, and those after it that have figures.
fn months(ground: &Ground<'_>, target: &Target, required: i64, rollups: &[&Rollup]) -> Vec<Month> {
    let plan = ground.measured.plan;
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
    let paced = target.each.is_none() && target.period == Period::Year && ground.focus.is_none();
    let days = (plan.ends_on - plan.starts_on).num_days() + 1;
    let mut total = 0;
    sums.into_iter()
        .map(|(first, value)| {
            total += value;
            let end = first.checked_add_months(Months::new(1)).unwrap_or(first);
            let gone = (end - plan.starts_on).num_days().clamp(0, days);
            let pace = paced.then(|| required.saturating_mul(gone) / days.max(1));
            Month { first, value, total, pace, begun: first <= ground.measured.today }
        })
        .collect()
}
