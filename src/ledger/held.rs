//! Closed months: what came too late for them is held, and posted by a restatement.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::model::{HeldCorrection, HeldKind, HeldState, Line, NewLine};
use super::store::{self, SOME};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{HeldCorrectionId, Ids, LedgerLineId, PlanId, RestatementId, TargetId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{held_corrections, ledger_lines, plan_periods, targets};

/// As the plan writes it.
const MONTH: &str = "month";
/// As the plan writes it.
const HARD: &str = "hard";

/// Targets and months that are closed, with their plan.
#[derive(Debug, Default)]
pub struct Closed(HashMap<(TargetId, NaiveDate), PlanId>);

impl Closed {
    /// As if the months of these lines were closed.
    pub(super) fn all(lines: &[Line], plan: PlanId) -> Self {
        Self(lines.iter().map(|line| ((line.target_id, line.month), plan)).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The plan of `target`, where its `month` is closed.
    pub fn plan(&self, target: TargetId, month: NaiveDate) -> Option<PlanId> {
        self.0.get(&(target, month)).copied()
    }

    pub(super) fn has(&self, line: &Line) -> bool {
        self.0.contains_key(&(line.target_id, line.month))
    }
}

/// Which of these months are closed. Until the commit, none of the others is closed.
pub fn closed_in_tx(conn: &mut Conn, of: impl Iterator<Item = (TargetId, NaiveDate)>) -> Result<Closed> {
    let wanted: BTreeSet<(TargetId, NaiveDate)> = of.collect();
    let mut months: Vec<NaiveDate> = wanted.iter().map(|(_, month)| *month).collect();
    months.sort();
    months.dedup();
    let mut ids: Vec<TargetId> = wanted.iter().map(|(target, _)| *target).collect();
    ids.dedup();
    if wanted.is_empty() {
        return Ok(Closed::default());
    }
    let query = plan_periods::table
        .filter(plan_periods::kind.eq(MONTH))
        .filter(plan_periods::starts_on.eq_any(&months))
        .filter(
            plan_periods::plan_id
                .eq_any(targets::table.filter(targets::id.eq_any(&ids)).select(targets::plan_id)),
        )
        // In one order, so that two who count for the same months wait for each other in it.
        .order((plan_periods::plan_id, plan_periods::starts_on))
        .select((plan_periods::plan_id, plan_periods::starts_on, plan_periods::state));
    let rows: Vec<(PlanId, NaiveDate, String)> = crate::load_shared!(&mut *conn, query)?;
    let hard: HashSet<(PlanId, NaiveDate)> =
        rows.into_iter().filter(|(.., state)| state == HARD).map(|(plan, month, _)| (plan, month)).collect();
    if hard.is_empty() {
        return Ok(Closed::default());
    }
    let query = targets::table.filter(targets::id.eq_any(&ids)).select((targets::id, targets::plan_id));
    let plans: HashMap<TargetId, PlanId> = query.load(conn)?.into_iter().collect();
    let closed = |(target, month): (TargetId, NaiveDate)| {
        let plan = plans.get(&target).copied().filter(|plan| hard.contains(&(*plan, month)))?;
        Some(((target, month), plan))
    };
    Ok(Closed(wanted.into_iter().filter_map(closed).collect()))
}

/// Until the commit nobody closes or restates a month of the plans of `of`.
pub(super) fn share_in_tx(conn: &mut Conn, of: BTreeSet<TargetId>) -> Result<()> {
    if of.is_empty() {
        return Ok(());
    }
    let plans = targets::table.filter(targets::id.eq_any(of)).select(targets::plan_id);
    let query = plan_periods::table
        .filter(plan_periods::kind.eq(MONTH))
        .filter(plan_periods::plan_id.eq_any(plans))
        .order((plan_periods::plan_id, plan_periods::starts_on))
        .select(plan_periods::starts_on);
    let _shared: Vec<NaiveDate> = crate::load_shared!(&mut *conn, query)?;
    Ok(())
}

/// Whether no plan has closed the month of `day`; it stays so until the commit.
pub fn month_is_open_in_tx(conn: &mut Conn, day: NaiveDate) -> Result<bool> {
    let query = plan_periods::table
        .filter(plan_periods::kind.eq(MONTH))
        .filter(plan_periods::starts_on.eq(store::month_of(day)))
        .order((plan_periods::plan_id, plan_periods::starts_on))
        .select(plan_periods::state);
    let states: Vec<String> = crate::load_shared!(&mut *conn, query)?;
    Ok(states.iter().all(|state| state != HARD))
}

/// A line that waits, and for which closed month of which plan.
pub(super) struct Waiting {
    pub(super) plan: PlanId,
    pub(super) month: NaiveDate,
    pub(super) kind: HeldKind,
    pub(super) line: Line,
}

/// Keys whose next line is for a closed month, and which. Those of a person go together. And which keys are replaced at all.
#[derive(Debug, Default)]
pub struct Replacing {
    months: HashMap<(TargetId, String), (PlanId, NaiveDate)>,
    only: Option<HashSet<(TargetId, String)>>,
}

impl Replacing {
    /// Only lines under these keys, and not before a closed month is restated, where one is named for their target.
    pub fn keys(keys: HashSet<(TargetId, String)>, months: &HashMap<TargetId, (PlanId, NaiveDate)>) -> Self {
        let whole = |(target, key): &(TargetId, String)| {
            Some(((*target, family(key).to_owned()), *months.get(target)?))
        };
        Self { months: keys.iter().filter_map(whole).collect(), only: Some(keys) }
    }

    pub(super) fn takes(&self, target: TargetId, key: &str) -> bool {
        self.only.as_ref().is_none_or(|keys| keys.contains(&(target, key.to_owned())))
    }

    /// For which month `line` waits: of chosen keys the one that is named for all of them, and else its own, if that is closed.
    pub(super) fn waits(&self, line: &Line, closed: &Closed) -> Option<(PlanId, NaiveDate)> {
        let own = || closed.plan(line.target_id, line.month).map(|plan| (plan, line.month));
        match self.only {
            Some(_) => self.month(line).or_else(own),
            None => own().or_else(|| self.month(line)),
        }
    }

    fn month(&self, line: &Line) -> Option<(PlanId, NaiveDate)> {
        self.months.get(&(line.target_id, family(&line.dedup_key).to_owned())).copied()
    }
}

/// Which of `lines` are for closed months.
pub fn closed_of_in_tx(conn: &mut Conn, lines: &[NewLine]) -> Result<Replacing> {
    let month = |line: &NewLine| (line.target, store::month_of(line.day));
    let closed = closed_in_tx(conn, lines.iter().map(month))?;
    let of = |line: &NewLine| {
        let (target, month) = month(line);
        Some(((target, family(&line.dedup_key).to_owned()), (closed.plan(target, month)?, month)))
    };
    Ok(Replacing { months: lines.iter().filter_map(of).collect(), only: None })
}

/// Holds what is not held yet, and says which of `waiting` that were, by the line's id.
pub(super) fn hold_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    waiting: &[Waiting],
) -> Result<HashSet<LedgerLineId>> {
    let mut rows: Vec<HeldCorrection> = waiting.iter().map(|one| row(ids, now, one)).collect();
    // What is said of one person waits for one month: the whole and its parts change together.
    let mut together: HashMap<(TargetId, &str), (PlanId, NaiveDate)> = HashMap::new();
    for (row, one) in
        rows.iter_mut().zip(waiting).filter(|(_, one)| one.line.dedup_key.starts_with(OF_PERSON))
    {
        let person = family(&one.line.dedup_key);
        let month = match together.entry((row.target_id, person)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let own = (row.plan_id, row.month);
                *new.insert(waits_already(conn, row.target_id, person)?.unwrap_or(own))
            }
        };
        (row.plan_id, row.month) = month;
    }
    let made = crate::insert_new!(conn, held_corrections::table, rows.as_slice(), held_corrections::id => |row: &HeldCorrection| row.id)?;
    let made: HashSet<HeldCorrectionId> = made.into_iter().collect();
    let of = rows.iter().zip(waiting).filter(|(row, _)| made.contains(&row.id));
    Ok(of.map(|(_, one)| one.line.id).collect())
}

/// A person's figures: the district's under one key, each sub-district's under a key below it.
const OF_PERSON: &str = "person/";

/// The key of the whole, of which `key` is a part: `person/…` of `person/…/…`. Other keys have no parts.
fn family(key: &str) -> &str {
    match key.rsplit_once('/') {
        Some((whole, _)) if key.starts_with(OF_PERSON) && whole.len() > OF_PERSON.len() => whole,
        _ => key,
    }
}

/// For which month something of a person waits; `person` is the key of the whole.
pub fn waits_already(conn: &mut Conn, target: TargetId, person: &str) -> Result<Option<(PlanId, NaiveDate)>> {
    let parts = held_corrections::dedup_key.like(format!("{person}/%"));
    let query = held_corrections::table
        .filter(held_corrections::target_id.eq(target))
        .filter(held_corrections::state.eq(HeldState::Held))
        .filter(held_corrections::dedup_key.eq(person).or(parts))
        .select((held_corrections::plan_id, held_corrections::month));
    Ok(query.first(conn).optional()?)
}

/// Of `lines`, the keys of people of whom a line waits for another month than its own, and for which: what is said of one person waits
/// together.
pub fn together(
    conn: &mut Conn,
    lines: &[NewLine],
) -> Result<HashMap<(TargetId, String), (PlanId, NaiveDate)>> {
    let of_people: Vec<&NewLine> =
        lines.iter().filter(|line| line.dedup_key.starts_with(OF_PERSON)).collect();
    let targets: BTreeSet<TargetId> = of_people.iter().map(|line| line.target).collect();
    if targets.is_empty() {
        return Ok(HashMap::new());
    }
    let query = held_corrections::table
        .filter(held_corrections::target_id.eq_any(targets))
        .filter(held_corrections::state.eq(HeldState::Held))
        .filter(held_corrections::kind.eq(HeldKind::Post))
        .order(held_corrections::id)
        .select(HeldCorrection::as_select());
    let mut waiting: HashMap<(TargetId, String), (PlanId, NaiveDate)> = HashMap::new();
    for row in query.load::<HeldCorrection>(conn)? {
        if store::month_of(row.day) != row.month {
            let whole = family(&row.dedup_key).to_owned();
            waiting.entry((row.target_id, whole)).or_insert((row.plan_id, row.month));
        }
    }
    let month = |line: &&NewLine| {
        let whole = (line.target, family(&line.dedup_key).to_owned());
        Some(((line.target, line.dedup_key.clone()), *waiting.get(&whole)?))
    };
    Ok(of_people.iter().filter_map(month).collect())
}

/// Of `lines`, those of people of whom something waits already, and for which month.
pub(super) fn waiting_people(
    conn: &mut Conn,
    lines: &[Line],
) -> Result<HashMap<LedgerLineId, (PlanId, NaiveDate)>> {
    let mut found = HashMap::new();
    let of_people: Vec<&Line> = lines.iter().filter(|line| line.dedup_key.starts_with(OF_PERSON)).collect();
    let mut ids: Vec<TargetId> = of_people.iter().map(|line| line.target_id).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(found);
    }
    let any: Vec<TargetId> = held_corrections::table
        .filter(held_corrections::target_id.eq_any(&ids))
        .filter(held_corrections::state.eq(HeldState::Held))
        .select(held_corrections::target_id)
        .distinct()
        .load(conn)?;
    for line in of_people {
        if !any.contains(&line.target_id) {
            continue;
        }
        if let Some(month) = waits_already(conn, line.target_id, family(&line.dedup_key))? {
            found.insert(line.id, month);
        }
    }
    Ok(found)
}

fn row(ids: &Ids, now: DateTime<Utc>, one: &Waiting) -> HeldCorrection {
    let line = &one.line;
    HeldCorrection {
        id: ids.id(),
        plan_id: one.plan,
        month: one.month,
        kind: one.kind,
        line_id: (one.kind == HeldKind::Reverse).then_some(line.id),
        target_id: line.target_id,
        organisation_id: line.organisation_id,
        day: line.day,
        quantity: if one.kind == HeldKind::Reverse { -line.quantity } else { line.quantity },
        dedup_key: line.dedup_key.clone(),
        source_kind: line.source_kind,
        source_id: line.source_id.clone(),
        activity_id: line.activity_id,
        grade: line.grade,
        reason: line.reason.clone(),
        cause: line.cause,
        held_at: db_time(now),
        state: HeldState::Held,
        settled_at: None,
        restatement_id: None,
    }
}

/// The line that `row` would be, under the row's own id.
pub fn as_line(row: &HeldCorrection) -> Line {
    Line {
        id: LedgerLineId(row.id.0),
        target_id: row.target_id,
        organisation_id: row.organisation_id,
        day: row.day,
        month: store::month_of(row.day),
        quantity: row.quantity,
        dedup_key: row.dedup_key.clone(),
        generation: 0,
        is_reversal: false,
        reverses: None,
        source_kind: row.source_kind,
        source_id: row.source_id.clone(),
        activity_id: row.activity_id,
        grade: row.grade,
        reason: row.reason.clone(),
        recorded_at: row.held_at,
        cause: row.cause,
        restatement_id: None,
    }
}

/// Lines of `sources` that wait to be written.
pub fn posts_of_sources(conn: &mut Conn, sources: &[Uuid]) -> Result<Vec<HeldCorrection>> {
    let mut rows = ever_posts_of_sources(conn, sources)?;
    rows.retain(|row| row.state == HeldState::Held);
    Ok(rows)
}

/// Lines of `sources` that wait to be written, or did.
pub fn ever_posts_of_sources(conn: &mut Conn, sources: &[Uuid]) -> Result<Vec<HeldCorrection>> {
    let mut rows: Vec<HeldCorrection> = Vec::new();
    for some in sources.chunks(SOME) {
        let ids: Vec<Vec<u8>> = some.iter().map(|id| id.as_bytes().to_vec()).collect();
        let query = held_corrections::table
            .filter(held_corrections::source_id.eq_any(ids))
            .filter(held_corrections::kind.eq(HeldKind::Post))
            .order((held_corrections::target_id, held_corrections::dedup_key, held_corrections::id));
        rows.extend(query.select(HeldCorrection::as_select()).load::<HeldCorrection>(conn)?);
    }
    Ok(rows)
}

/// Of `lines`, those that wait to be taken back.
pub(super) fn reversals_of(
    conn: &mut Conn,
    lines: &[LedgerLineId],
) -> Result<HashMap<LedgerLineId, (HeldCorrectionId, PlanId, NaiveDate)>> {
    let mut found = HashMap::new();
    for some in lines.chunks(SOME) {
        let query = held_corrections::table
            .filter(held_corrections::line_id.eq_any(some))
            .filter(held_corrections::kind.eq(HeldKind::Reverse))
            .filter(held_corrections::state.eq(HeldState::Held))
            .select((
                held_corrections::line_id,
                (held_corrections::id, held_corrections::plan_id, held_corrections::month),
            ));
        let rows: Vec<(Option<LedgerLineId>, (HeldCorrectionId, PlanId, NaiveDate))> = query.load(conn)?;
        found.extend(rows.into_iter().filter_map(|(line, held)| Some((line?, held))));
    }
    Ok(found)
}

/// Ends what is held, as something that came later answers it; says which were.
pub(super) fn cancel_in_tx(
    conn: &mut Conn,
    now: DateTime<Utc>,
    ids: &[HeldCorrectionId],
) -> Result<HashSet<HeldCorrectionId>> {
    let mut cancelled = HashSet::new();
    for id in ids {
        if settle_in_tx(conn, *id, HeldState::Cancelled, None, now)? {
            cancelled.insert(*id);
        }
    }
    Ok(cancelled)
}

fn settle_in_tx(
    conn: &mut Conn,
    id: HeldCorrectionId,
    state: HeldState,
    restatement: Option<RestatementId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let held = held_corrections::table.find(id).filter(held_corrections::state.eq(HeldState::Held));
    let changed = diesel::update(held)
        .set((
            held_corrections::state.eq(state),
            held_corrections::settled_at.eq(db_time(now)),
            held_corrections::restatement_id.eq(restatement),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// What a restatement did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restated {
    /// Lines that it wrote.
    pub posted: usize,
    /// What had become unnecessary.
    pub dropped: usize,
}

/// Writes what is held for a month of a plan, as lines of `restatement`, recorded at `at`. The caller holds the months of the plan
/// alone, and has written that the restatement is agreed to: the database looks.
pub fn restate_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    (plan, month): (PlanId, NaiveDate),
    restatement: RestatementId,
    at: DateTime<Utc>,
) -> Result<Restated> {
    let rows: Vec<HeldCorrection> = crate::load_locked!(
        &mut *conn,
        held_corrections::table
            .filter(held_corrections::plan_id.eq(plan))
            .filter(held_corrections::month.eq(month))
            .filter(held_corrections::state.eq(HeldState::Held))
            .order((held_corrections::target_id, held_corrections::dedup_key, held_corrections::id))
            .select(HeldCorrection::as_select())
    )?;
    let (back, on): (Vec<HeldCorrection>, Vec<HeldCorrection>) =
        rows.into_iter().partition(|row| row.kind == HeldKind::Reverse);
    let mut written = take_back_in_tx(conn, ids, &back, restatement, at)?;
    let lines: Vec<Line> = on
        .iter()
        .map(|row| Line { restatement_id: Some(restatement), recorded_at: db_time(at), ..as_line(row) })
        .collect();
    let wrote = store::write_in_tx(conn, ids, lines, &Closed::default())?;
    // It waits for what is held for another month: there it goes on waiting.
    let moved: HashMap<LedgerLineId, (PlanId, NaiveDate)> =
        wrote.waiting.iter().map(|one| (one.line.id, (one.plan, one.month))).collect();
    written.extend(on.iter().filter(|row| wrote.counted.contains(&LedgerLineId(row.id.0))).map(|row| row.id));
    let mut restated = Restated::default();
    for row in back.iter().chain(&on) {
        if let Some((plan, month)) = moved.get(&LedgerLineId(row.id.0)) {
            diesel::update(held_corrections::table.find(row.id))
                .set((held_corrections::plan_id.eq(plan), held_corrections::month.eq(month)))
                .execute(conn)?;
        } else if written.contains(&row.id) {
            settle_in_tx(conn, row.id, HeldState::Posted, Some(restatement), at)?;
            restated.posted += 1;
        } else {
            settle_in_tx(conn, row.id, HeldState::Dropped, Some(restatement), at)?;
            restated.dropped += 1;
        }
    }
    Ok(restated)
}

/// Takes back the lines that `rows` name, and says which rows that were.
fn take_back_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    rows: &[HeldCorrection],
    restatement: RestatementId,
    at: DateTime<Utc>,
) -> Result<HashSet<HeldCorrectionId>> {
    let mut of_line: HashMap<LedgerLineId, &HeldCorrection> = HashMap::new();
    for row in rows {
        of_line.extend(row.line_id.map(|line| (line, row)));
    }
    let mut originals: Vec<Line> = Vec::new();
    let mut wanted: Vec<LedgerLineId> = of_line.keys().copied().collect();
    wanted.sort();
    for some in wanted.chunks(SOME) {
        let mut found: Vec<Line> = crate::load_locked!(
            &mut *conn,
            ledger_lines::table
                .filter(ledger_lines::id.eq_any(some))
                .order((ledger_lines::target_id, ledger_lines::dedup_key, ledger_lines::generation))
                .select(Line::as_select())
        )?;
        originals.append(&mut found);
    }
    let reversals: Vec<Line> = originals
        .iter()
        .filter_map(|line| {
            let row = of_line.get(&line.id)?;
            Some(Line {
                cause: row.cause,
                reason: row.reason.clone(),
                restatement_id: Some(restatement),
                ..store::reversal(ids, at, line)
            })
        })
        .collect();
    let written = store::insert(conn, &reversals)?;
    let written: Vec<&Line> = reversals.iter().filter(|line| written.contains(&line.id)).collect();
    store::add_to_rollups_in_tx(conn, &written)?;
    let rows = written.iter().filter_map(|line| Some(of_line.get(&line.reverses?)?.id));
    Ok(rows.collect())
}

/// What is or was held for a month of a plan, after `after`, oldest first.
pub fn list(
    conn: &mut Conn,
    (plan, month): (PlanId, NaiveDate),
    state: Option<HeldState>,
    after: Option<HeldCorrectionId>,
    limit: i64,
) -> Result<Vec<HeldCorrection>> {
    let mut query = held_corrections::table
        .filter(held_corrections::plan_id.eq(plan))
        .filter(held_corrections::month.eq(month))
        .order(held_corrections::id)
        .limit(limit)
        .select(HeldCorrection::as_select())
        .into_boxed();
    if let Some(state) = state {
        query = query.filter(held_corrections::state.eq(state));
    }
    if let Some(after) = after {
        query = query.filter(held_corrections::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// How many lines wait for a month of a plan.
pub fn count(conn: &mut Conn, (plan, month): (PlanId, NaiveDate)) -> Result<i64> {
    let held = held_corrections::table
        .filter(held_corrections::plan_id.eq(plan))
        .filter(held_corrections::month.eq(month))
        .filter(held_corrections::state.eq(HeldState::Held));
    Ok(held.count().get_result(conn)?)
}

/// Everything that is held; for verification.
pub(super) fn all(conn: &mut Conn) -> Result<Vec<HeldCorrection>> {
    let held = held_corrections::table.filter(held_corrections::state.eq(HeldState::Held));
    Ok(held.select(HeldCorrection::as_select()).load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn only_people_have_parts() {
        assert_eq!(family("person/per_1/org_2"), "person/per_1");
        for key in ["person/per_1", "attendance/att_1", "report/26a/org_1/2025-03", "person/", "x", ""] {
            assert_eq!(family(key), key);
        }
    }
}
