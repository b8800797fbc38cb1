//! Whether the ledger agrees with itself: lines with their reversals, with the closed months, and roll-ups with lines. Whether it agrees
//! with its sources is asked by the plan, which knows the rules of counting.
//!
//! Lines are read target by target in the order of their unique key, so that a key's generations and reversals come one after the
//! other and nothing needs to be remembered of them.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender};

use chrono::{NaiveDate, NaiveDateTime};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use super::held;
use super::model::{Grade, HeldCorrection, HeldKind, Rollup, SourceKind};
use super::store::month_of;
use crate::error::Result;
use crate::ids::{LedgerLineId, OrganisationId, PlanId, RestatementId, SubjectId, TargetId};
use crate::platform::db::schema::{ledger_lines, ledger_rollups, plan_periods, restatements, targets};
use crate::platform::db::{Conn, read_ahead};

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// A stable code, such as `rollup_quantity`.
    pub code: &'static str,
    /// What and where.
    pub detail: String,
}

impl Difference {
    /// A difference.
    pub fn new(code: &'static str, detail: String) -> Self {
        Self { code, detail }
    }
}

/// What stands under a key: a line that was not taken back, or one that waits for the restatement of a closed month.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// For which target.
    pub target: TargetId,
    /// Counted once.
    pub key: &'a str,
    /// For whose figure.
    pub organisation: OrganisationId,
    /// On which civil day.
    pub day: NaiveDate,
    /// How much.
    pub quantity: i64,
    /// What is counted.
    pub source_kind: SourceKind,
    /// Its id.
    pub source: SubjectId,
    /// The evidence.
    pub grade: Grade,
}

/// Of a line, what is looked at.
#[derive(Queryable, Selectable)]
#[diesel(table_name = ledger_lines)]
struct Slim {
    id: LedgerLineId,
    organisation_id: OrganisationId,
    day: NaiveDate,
    month: NaiveDate,
    quantity: i64,
    dedup_key: String,
    generation: i64,
    is_reversal: bool,
    reverses: Option<LedgerLineId>,
    source_kind: SourceKind,
    source_id: SubjectId,
    grade: Grade,
    recorded_at: NaiveDateTime,
    restatement_id: Option<RestatementId>,
}

/// Lines of one statement.
const PAGE: i64 = 4096;

/// Lines of `target` after one, in the order of their key. Millions come this way: the statement is typed for the engine at hand, because a
/// connection to either asks at every column which of them it is.
fn page(conn: &mut Conn, target: TargetId, after: Option<(&str, i64, bool)>) -> Result<Vec<Slim>> {
    let lines: Vec<Slim> = crate::on_each!(conn, c => {
        let mut query = ledger_lines::table
            .filter(ledger_lines::target_id.eq(target))
            .order((ledger_lines::dedup_key, ledger_lines::generation, ledger_lines::is_reversal))
            .limit(PAGE)
            .select(Slim::as_select())
            .into_boxed();
        if let Some((key, generation, is_reversal)) = after {
            query = query.filter(
                sql::<Bool>("(dedup_key, generation, is_reversal) > (")
                    .bind::<Text, _>(key.to_owned())
                    .sql(", ")
                    .bind::<BigInt, _>(generation)
                    .sql(", ")
                    .bind::<Bool, _>(is_reversal)
                    .sql(")"),
            );
        }
        query.load(c)
    })?;
    Ok(lines)
}

/// Lines of a target, one page after the other; an empty page is its end.
type Page = (usize, Vec<Slim>);

/// Reads all lines of `targets`. Whoever takes the pages may end it by not listening any more.
fn read(conn: &mut Conn, targets: &[(TargetId, PlanId)], pages: &SyncSender<Page>) -> Result<()> {
    for (place, (target, _)) in targets.iter().enumerate() {
        let mut last: Option<(String, i64, bool)> = None;
        loop {
            let after = last.as_ref().map(|(key, generation, back)| (key.as_str(), *generation, *back));
            let lines = page(conn, *target, after)?;
            last = lines.last().map(|end| (end.dedup_key.clone(), end.generation, end.is_reversal));
            if pages.send((place, lines)).is_err() {
                return Ok(());
            }
            if last.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Reads every line, hands what stands to `each`, and gives the number of lines and all differences inside the ledger. While one page is
/// looked at, the next is read.
pub fn verify(conn: &mut Conn, each: impl FnMut(Standing<'_>)) -> Result<(i64, Vec<Difference>)> {
    let query = targets::table.order(targets::id).select((targets::id, targets::plan_id));
    let all: Vec<(TargetId, PlanId)> = query.load(conn)?;
    let (reading, rollups) = (Reading::load(conn)?, Rollups::load(conn)?);
    let looking = Looking { reading, rollups, each, sums: HashMap::new(), group: Group::default(), count: 0 };
    read_ahead(conn, |conn, pages| read(conn, &all, pages), |pages| looking.through(pages, &all))
}

/// What is known while pages are looked at.
struct Looking<F> {
    reading: Reading,
    rollups: Rollups,
    each: F,
    sums: Sums,
    group: Group,
    count: i64,
}

impl<F: FnMut(Standing<'_>)> Looking<F> {
    fn through(mut self, pages: &Receiver<Page>, targets: &[(TargetId, PlanId)]) -> (i64, Vec<Difference>) {
        for (place, lines) in pages {
            let Some((target, plan)) = targets.get(place).copied() else { continue };
            if lines.is_empty() {
                self.reading.stands(target, &mut self.group, &mut self.each);
                self.group = Group::default();
                let sums = std::mem::take(&mut self.sums);
                self.rollups.compare(target, sums, &mut self.reading.differences);
            }
            lines.into_iter().for_each(|line| self.line(target, plan, line));
        }
        self.rollups.rest(&mut self.reading.differences);
        self.reading.rest(&mut self.each);
        (self.count, self.reading.differences)
    }

    fn line(&mut self, target: TargetId, plan: PlanId, line: Slim) {
        self.count += 1;
        let sum = self.sums.entry((line.organisation_id, line.month, line.grade)).or_default();
        sum.0 += line.quantity;
        sum.1 += 1;
        self.reading.line(plan, &line);
        if self.group.key != line.dedup_key {
            self.reading.stands(target, &mut self.group, &mut self.each);
            self.group.key.clone_from(&line.dedup_key);
        }
        self.group.take(line, &mut self.reading.differences);
    }
}

/// Lines of one key.
#[derive(Default)]
struct Group {
    key: String,
    live: Option<Slim>,
    /// What other generations that stand at the same time count besides.
    besides: i64,
    reversed: Vec<LedgerLineId>,
}

impl Group {
    fn take(&mut self, line: Slim, differences: &mut Vec<Difference>) {
        if !line.is_reversal {
            if let Some(before) = self.live.take() {
                let what = format!("{} counts twice: as {} and as {}", self.key, before.id, line.id);
                differences.push(Difference::new("line_doubled", what));
                self.besides += before.quantity;
            }
            self.live = Some(line);
            return;
        }
        let names_live = self.live.as_ref().is_some_and(|live| line.reverses == Some(live.id));
        if let Some(live) = self.live.take_if(|_| names_live) {
            let fits = live.quantity == -line.quantity
                && live.organisation_id == line.organisation_id
                && (live.day, live.month, live.grade) == (line.day, line.month, line.grade)
                && live.generation == line.generation;
            if !fits {
                let what = format!("line {} does not take back exactly the line {}", line.id, live.id);
                differences.push(Difference::new("reversal_differs", what));
            }
            self.reversed.push(live.id);
        } else if line.reverses.is_some_and(|id| self.reversed.contains(&id)) {
            let what = format!("line {} takes back a line that was taken back before", line.id);
            differences.push(Difference::new("reversal_doubled", what));
        } else {
            let what = format!("line {} takes back no line of {} that counts", line.id, self.key);
            differences.push(Difference::new("reversal_without_original", what));
        }
    }
}

/// What lines are compared with while they are read.
struct Reading {
    /// Closed months, and when they were closed.
    closed: HashMap<(PlanId, NaiveDate), Option<NaiveDateTime>>,
    agreed: HashSet<RestatementId>,
    /// Lines that wait to be taken back.
    backing: HashMap<LedgerLineId, HeldCorrection>,
    /// Lines that wait to be written.
    posts: HashMap<(TargetId, String), HeldCorrection>,
    differences: Vec<Difference>,
}

impl Reading {
    fn load(conn: &mut Conn) -> Result<Self> {
        let hard = plan_periods::table
            .filter(plan_periods::kind.eq("month"))
            .filter(plan_periods::state.eq("hard"))
            .select(((plan_periods::plan_id, plan_periods::starts_on), plan_periods::closed_at));
        let agreed = restatements::table.filter(restatements::state.eq("agreed")).select(restatements::id);
        let mut reading = Self {
            closed: hard.load(conn)?.into_iter().collect(),
            agreed: agreed.load(conn)?.into_iter().collect(),
            backing: HashMap::new(),
            posts: HashMap::new(),
            differences: Vec::new(),
        };
        for row in held::all(conn)? {
            match (row.kind, row.line_id) {
                (HeldKind::Reverse, Some(line)) => _ = reading.backing.insert(line, row),
                _ => _ = reading.posts.insert((row.target_id, row.dedup_key.clone()), row),
            }
        }
        Ok(reading)
    }

    fn line(&mut self, plan: PlanId, line: &Slim) {
        if line.month != month_of(line.day) {
            let what = format!("line {}: day {} is not in month {}", line.id, line.day, line.month);
            self.differences.push(Difference::new("line_month", what));
        }
        match line.restatement_id {
            Some(id) if !self.agreed.contains(&id) => {
                let what = format!("line {} names the restatement {id}, which nobody agreed to", line.id);
                self.differences.push(Difference::new("line_restatement", what));
            }
            None if !self.closed.is_empty() => {
                let closed_at = self.closed.get(&(plan, line.month)).copied().flatten();
                if closed_at.is_some_and(|at| line.recorded_at > at) {
                    let what = format!("line {} was written after {} was closed", line.id, line.month);
                    self.differences.push(Difference::new("line_after_close", what));
                }
            }
            _ => {}
        }
    }

    /// A key is read to its end.
    fn stands(&mut self, target: TargetId, group: &mut Group, each: &mut impl FnMut(Standing<'_>)) {
        let besides = std::mem::take(&mut group.besides);
        group.reversed.clear();
        let Some(live) = group.live.take() else { return };
        if !self.backing.is_empty() && self.backing.remove(&live.id).is_some() {
            return;
        }
        if !self.posts.is_empty() {
            // It counts, so that nothing would be written.
            self.posts.remove(&(target, group.key.clone()));
        }
        each(Standing {
            target,
            key: &group.key,
            organisation: live.organisation_id,
            day: live.day,
            quantity: live.quantity + besides,
            source_kind: live.source_kind,
            source: live.source_id,
            grade: live.grade,
        });
    }

    /// Everything is read.
    fn rest(&mut self, each: &mut impl FnMut(Standing<'_>)) {
        for row in self.posts.values() {
            each(Standing {
                target: row.target_id,
                key: &row.dedup_key,
                organisation: row.organisation_id,
                day: row.day,
                quantity: row.quantity,
                source_kind: row.source_kind,
                source: SubjectId(uuid::Uuid::from_slice(&row.source_id).unwrap_or_default()),
                grade: row.grade,
            });
        }
        for (line, row) in &self.backing {
            let what = format!("{} waits to take back the line {line}, which does not count", row.id);
            self.differences.push(Difference::new("held_reversal", what));
        }
    }
}

/// Of one target: quantity and number of lines.
type Sums = HashMap<(OrganisationId, NaiveDate, Grade), (i64, i64)>;

/// The roll-ups that were not compared yet.
struct Rollups(HashMap<TargetId, Vec<Rollup>>);

impl Rollups {
    fn load(conn: &mut Conn) -> Result<Self> {
        let mut by_target: HashMap<TargetId, Vec<Rollup>> = HashMap::new();
        for row in ledger_rollups::table.select(Rollup::as_select()).load::<Rollup>(conn)? {
            by_target.entry(row.target_id).or_default().push(row);
        }
        Ok(Self(by_target))
    }

    fn compare(&mut self, target: TargetId, mut sums: Sums, differences: &mut Vec<Difference>) {
        for row in self.0.remove(&target).unwrap_or_default() {
            let (organisation, month, grade) = (row.organisation_id, row.month, row.grade);
            let of = format!("roll-up of {target} for {organisation} in {month}, grade {grade}");
            match sums.remove(&(organisation, month, grade)) {
                None => {
                    differences.push(Difference::new("rollup_surplus", format!("{of}: there are no lines")))
                }
                Some((quantity, _)) if quantity != row.quantity => {
                    let what = format!("{of}, says {}; the lines say {quantity}", row.quantity);
                    differences.push(Difference::new("rollup_quantity", what));
                }
                Some((_, lines)) if lines != row.lines => {
                    let what = format!("{of}, says {} lines; there are {lines}", row.lines);
                    differences.push(Difference::new("rollup_lines", what));
                }
                Some(_) => {}
            }
        }
        for ((organisation, month, grade), (quantity, lines)) in sums {
            let what = format!(
                "no roll-up of {target} for {organisation} in {month}, grade {grade}; the lines say {quantity} in {lines}"
            );
            differences.push(Difference::new("rollup_missing", what));
        }
    }

    fn rest(self, differences: &mut Vec<Difference>) {
        for row in self.0.into_values().flatten() {
            let what = format!("roll-up of {}, which is no target", row.target_id);
            differences.push(Difference::new("rollup_surplus", what));
        }
    }
}
