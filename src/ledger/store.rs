//! Posting, reversing and reading lines.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Timestamp};
use diesel::upsert::excluded;

use super::held::{self, Closed, Replacing, Waiting};
use super::model::{Because, Cause, Grade, HeldKind, Line, NewLine, Place, Rollup};
use crate::clock::{civil_day, db_time};
use crate::error::Result;
use crate::ids::{HeldCorrectionId, Ids, LedgerLineId, OrganisationId, PlanId, SubjectId, TargetId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{ledger_lines, ledger_rollups};

/// The first day of `day`'s month.
pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// Counts what is not counted yet, and says how many lines that were. What comes for a closed month is held.
pub fn post_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    cause: Cause,
    new: &[NewLine],
) -> Result<usize> {
    let closed = held::closed_in_tx(conn, new.iter().map(|line| (line.target, month_of(line.day))))?;
    post_shared_in_tx(conn, ids, now, cause, new, &closed)
}

/// [`post_in_tx`] by somebody who shares the months of `new` already, and knows which of them are `closed`.
pub fn post_shared_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    cause: Cause,
    new: &[NewLine],
    closed: &Closed,
) -> Result<usize> {
    let mut seen = HashSet::new();
    let fresh: Vec<Line> = new
        .iter()
        .filter(|line| seen.insert((line.target, line.dedup_key.as_str())))
        .map(|line| row(ids, now, cause, line))
        .collect();
    let wrote = write_in_tx(conn, ids, fresh, closed)?;
    held::hold_in_tx(conn, ids, now, &wrote.waiting)?;
    held::cancel_in_tx(conn, now, &wrote.answered)?;
    metrics::counter!("unionhall_ledger_lines_total")
        .increment(u64::try_from(wrote.counted.len()).unwrap_or(0));
    Ok(wrote.counted.len())
}

/// [`post_in_tx`], but what does not count yet waits until `month` of `plan` is restated, whatever month it is of.
pub fn post_later_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    cause: Cause,
    new: &[NewLine],
    (plan, month): (PlanId, NaiveDate),
) -> Result<()> {
    let rows: Vec<Line> = new.iter().map(|line| row(ids, now, cause, line)).collect();
    let judged = judge(conn, &rows.iter().collect::<Vec<_>>(), &Closed::all(&rows, plan))?;
    let later = |one: Waiting| Waiting { plan, month, ..one };
    let waiting: Vec<Waiting> = judged.waiting.into_iter().map(later).collect();
    held::hold_in_tx(conn, ids, now, &waiting)?;
    held::cancel_in_tx(conn, now, &judged.answered)?;
    Ok(())
}

fn row(ids: &Ids, now: DateTime<Utc>, cause: Cause, line: &NewLine) -> Line {
    let month = month_of(line.day);
    let is_late = cause == Cause::New && month_of(civil_day(now)) > month;
    Line {
        id: ids.id(),
        target_id: line.target,
        organisation_id: line.organisation,
        day: line.day,
        month,
        quantity: line.quantity,
        dedup_key: line.dedup_key.clone(),
        generation: 0,
        is_reversal: false,
        reverses: None,
        source_kind: line.source_kind,
        source_id: line.source_id.as_bytes().to_vec(),
        activity_id: line.activity,
        grade: line.grade,
        reason: None,
        recorded_at: db_time(now),
        cause: if is_late { Cause::Late } else { cause },
        restatement_id: None,
    }
}

/// What became of lines that were to be written.
#[derive(Default)]
pub(super) struct Wrote {
    /// Those that count now, by the id that they came with.
    pub(super) counted: HashSet<LedgerLineId>,
    /// Those that wait for a closed month.
    pub(super) waiting: Vec<Waiting>,
    /// What was held and is answered by one of them: it was to be taken back, and stands.
    pub(super) answered: Vec<HeldCorrectionId>,
}

/// Writes `fresh`, generation 0, but for what is closed, and adds it to the roll-ups.
pub(super) fn write_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    mut fresh: Vec<Line>,
    closed: &Closed,
) -> Result<Wrote> {
    // Sorted keys: two instances that count the same at once wait for each other in one order.
    fresh.sort_by(|a, b| (a.target_id, &a.dedup_key).cmp(&(b.target_id, &b.dedup_key)));
    let (shut, open): (Vec<Line>, Vec<Line>) = fresh.into_iter().partition(|line| closed.has(line));
    let mut counted = insert(conn, &open)?;
    if counted.len() == open.len() && shut.is_empty() {
        add_to_rollups_in_tx(conn, &open.iter().collect::<Vec<_>>())?;
        return Ok(Wrote { counted, ..Wrote::default() });
    }
    // Rare: counted before, or too late. What was reversed since is counted again, as the next generation.
    let missed: Vec<&Line> = open.iter().filter(|line| !counted.contains(&line.id)).chain(&shut).collect();
    let mut judged = judge(conn, &missed, closed)?;
    let again: Vec<Line> = judged.again.iter().map(|line| Line { id: ids.id(), ..line.clone() }).collect();
    let inserted = insert(conn, &again)?;
    let new = |line: &&Line| counted.contains(&line.id) || inserted.contains(&line.id);
    add_to_rollups_in_tx(conn, &open.iter().chain(&again).filter(new).collect::<Vec<_>>())?;
    let came = judged.again.iter().zip(&again).filter(|(_, line)| inserted.contains(&line.id));
    counted.extend(came.map(|(line, _)| line.id));
    Ok(Wrote {
        counted,
        waiting: std::mem::take(&mut judged.waiting),
        answered: std::mem::take(&mut judged.answered),
    })
}

/// Writes those of `lines` whose key is not counted yet, and says which. Who counts one of them in this very moment is waited for.
pub(super) fn insert(conn: &mut Conn, lines: &[Line]) -> Result<HashSet<LedgerLineId>> {
    #[rustfmt::skip]
    let ids = crate::insert_new!(conn, ledger_lines [
        id, target_id, organisation_id, day, month, quantity, dedup_key, generation, is_reversal, reverses, source_kind, source_id, activity_id,
        grade, reason, recorded_at, cause, restatement_id,
    ], lines, id => |line: &Line| line.id)?;
    Ok(ids.into_iter().collect())
}

/// What is to be done with lines whose key is known, or whose month is closed.
#[derive(Default)]
struct Judged {
    again: Vec<Line>,
    waiting: Vec<Waiting>,
    answered: Vec<HeldCorrectionId>,
}

/// The last that is known of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Latest {
    generation: i64,
    is_reversal: bool,
    id: LedgerLineId,
    organisation: OrganisationId,
    day: NaiveDate,
    quantity: i64,
    grade: Grade,
    source: SubjectId,
}

type LatestRow =
    (TargetId, String, (i64, bool, LedgerLineId, OrganisationId, NaiveDate, i64, Grade, SubjectId));

/// Of each line: whether its key was reversed, so that it counts again; or waits to be; or counts.
fn judge(conn: &mut Conn, missed: &[&Line], closed: &Closed) -> Result<Judged> {
    let mut judged = Judged::default();
    for some in missed.chunks(SOME) {
        let known = latest_in_tx(conn, some)?;
        let latest = |line: &Line| known.get(&line.target_id).and_then(|of| of.get(&line.dedup_key)).copied();
        let live: Vec<LedgerLineId> = some
            .iter()
            .filter_map(|line| latest(line))
            .filter(|of| !of.is_reversal)
            .map(|of| of.id)
            .collect();
        let backing = held::reversals_of(conn, &live)?;
        for line in some {
            let here = closed.plan(line.target_id, line.month).map(|plan| (plan, line.month));
            let for_month = match latest(line) {
                Some(of) if !of.is_reversal => match backing.get(&of.id) {
                    // It counts.
                    None => continue,
                    // It was to be taken back, and is as it was after all.
                    Some((held, ..)) if is_same(line, &of) => {
                        judged.answered.push(*held);
                        continue;
                    }
                    // It counts once that is taken back.
                    Some((_, plan, month)) => Some((*plan, *month)),
                },
                Some(of) if here.is_none() => {
                    judged.again.push(Line { generation: of.generation + 1, ..(*line).clone() });
                    continue;
                }
                _ => here,
            };
            if let Some((plan, month)) = for_month {
                let line = (*line).clone();
                judged.waiting.push(Waiting { plan, month, kind: HeldKind::Post, line });
            }
        }
    }
    Ok(judged)
}

fn is_same(line: &Line, of: &Latest) -> bool {
    (line.organisation_id, line.day, line.quantity, line.grade)
        == (of.organisation, of.day, of.quantity, of.grade)
        && line.source_id == of.source.0.as_bytes()
}

/// The last that is known of the keys of `some`.
fn latest_in_tx(conn: &mut Conn, some: &[&Line]) -> Result<HashMap<TargetId, HashMap<String, Latest>>> {
    let of_these = || {
        let targets: Vec<TargetId> = some.iter().map(|line| line.target_id).collect();
        let keys: Vec<String> = some.iter().map(|line| line.dedup_key.clone()).collect();
        ledger_lines::table
            .filter(ledger_lines::target_id.eq_any(targets))
            .filter(ledger_lines::dedup_key.eq_any(keys))
            .order((ledger_lines::target_id, ledger_lines::dedup_key, ledger_lines::generation))
    };
    // Whoever takes one of them back just now is waited for, and seen by the next statement; and who would do so
    // later waits until what stands behind the new line is committed.
    let originals = of_these().filter(ledger_lines::is_reversal.eq(false)).select(ledger_lines::id);
    let _locked: Vec<LedgerLineId> = crate::load_locked!(&mut *conn, originals)?;
    let columns = (
        ledger_lines::target_id,
        ledger_lines::dedup_key,
        (
            ledger_lines::generation,
            ledger_lines::is_reversal,
            ledger_lines::id,
            ledger_lines::organisation_id,
            ledger_lines::day,
            ledger_lines::quantity,
            ledger_lines::grade,
            ledger_lines::source_id,
        ),
    );
    let rows: Vec<LatestRow> = of_these().select(columns).load(conn)?;
    let mut known: HashMap<TargetId, HashMap<String, Latest>> = HashMap::new();
    for (target, key, (generation, is_reversal, id, organisation, day, quantity, grade, source)) in rows {
        let one = Latest { generation, is_reversal, id, organisation, day, quantity, grade, source };
        let of = known.entry(target).or_default().entry(key).or_insert(one);
        *of = (*of).max(one);
    }
    Ok(known)
}

/// Keys of one statement: some, not thousands.
pub(super) const SOME: usize = 500;

/// All lines that name one of `sources`, by target and key.
pub fn lines_of_sources(conn: &mut Conn, sources: &[uuid::Uuid]) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    for some in sources.chunks(SOME) {
        let ids: Vec<Vec<u8>> = some.iter().map(|id| id.as_bytes().to_vec()).collect();
        let query = ledger_lines::table.filter(ledger_lines::source_id.eq_any(ids));
        lines.extend(query.select(Line::as_select()).load::<Line>(conn)?);
    }
    lines.sort_by(|a, b| {
        (a.target_id, &a.dedup_key, a.generation).cmp(&(b.target_id, &b.dedup_key, b.generation))
    });
    Ok(lines)
}

/// Those that were not taken back.
fn live_of_sources(conn: &mut Conn, sources: &[uuid::Uuid]) -> Result<Vec<Line>> {
    let lines = lines_of_sources(conn, sources)?;
    let reversed: HashSet<LedgerLineId> = lines.iter().filter_map(|line| line.reverses).collect();
    Ok(lines.into_iter().filter(|line| !line.is_reversal && !reversed.contains(&line.id)).collect())
}

/// What a source counts for, or will once its closed month is restated.
pub fn standing_of_source(conn: &mut Conn, source: uuid::Uuid) -> Result<Vec<Line>> {
    standing_of_sources(conn, &[source])
}

/// What `sources` count for, or will once their closed months are restated.
pub fn standing_of_sources(conn: &mut Conn, sources: &[uuid::Uuid]) -> Result<Vec<Line>> {
    let mut live = live_of_sources(conn, sources)?;
    let ids: Vec<LedgerLineId> = live.iter().map(|line| line.id).collect();
    let backing = held::reversals_of(conn, &ids)?;
    live.retain(|line| !backing.contains_key(&line.id));
    live.extend(held::posts_of_sources(conn, sources)?.iter().map(held::as_line));
    Ok(live)
}

/// [`standing_of_sources`], held until the commit, as are the months of their plans: nobody closes or restates one meanwhile.
pub fn standing_locked_in_tx(conn: &mut Conn, sources: &[uuid::Uuid]) -> Result<Vec<Line>> {
    let seen = standing_of_sources(conn, sources)?;
    // Months before lines, as everywhere.
    held::share_in_tx(conn, seen.iter().map(|line| line.target_id).collect())?;
    let live = live_of_sources(conn, sources)?;
    lock_in_tx(conn, &live)?;
    standing_of_sources(conn, sources)
}

/// Takes back what `sources` count for, and gives the lines that were taken back. Those of closed months are held to be, and what was
/// held to be written for one is written no more.
pub fn reverse_sources_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    sources: &[uuid::Uuid],
    because: Because<'_>,
) -> Result<Vec<Line>> {
    replace_sources_in_tx(conn, ids, now, sources, because, &Replacing::default())
}

/// [`reverse_sources_in_tx`], where lines under some keys stand until the next line under the key can be written, for a closed month:
/// whoever counts goes on counting meanwhile. It may be about some keys only.
pub fn replace_sources_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    sources: &[uuid::Uuid],
    because: Because<'_>,
    replacing: &Replacing,
) -> Result<Vec<Line>> {
    let live_taken = |conn: &mut Conn| -> Result<Vec<Line>> {
        let mut live = live_of_sources(conn, sources)?;
        live.retain(|line| replacing.takes(line.target_id, &line.dedup_key));
        Ok(live)
    };
    let mut live = live_taken(conn)?;
    let mut posts = held::posts_of_sources(conn, sources)?;
    posts.retain(|row| replacing.takes(row.target_id, &row.dedup_key));
    let months = live.iter().map(|line| (line.target_id, line.month));
    let closed = held::closed_in_tx(conn, months.chain(posts.iter().map(|row| (row.target_id, row.month))))?;
    if !closed.is_empty() {
        // A restatement may have taken some back until a moment ago.
        live = live_taken(conn)?;
    }
    lock_in_tx(conn, &live)?;
    let people = held::waiting_people(conn, &live)?;
    let waits = |line: &Line| replacing.waits(line, &closed).or_else(|| people.get(&line.id).copied());
    let (shut, mut live): (Vec<Line>, Vec<Line>) = live.into_iter().partition(|line| waits(line).is_some());
    let reason = Some(because.reason.to_owned());
    let back =
        |line: &Line| Line { reason: reason.clone(), cause: because.cause, ..reversal(ids, now, line) };
    let reversals: Vec<Line> = live.iter().map(back).collect();
    // Of two who take back the same, one does.
    let counted = insert(conn, &reversals)?;
    let mut taken_back = HashSet::new();
    let mut all = Vec::new();
    for reversal in reversals.iter().filter(|line| counted.contains(&line.id)) {
        taken_back.extend(reversal.reverses);
        all.push(reversal);
    }
    add_to_rollups_in_tx(conn, &all)?;
    live.retain(|line| taken_back.contains(&line.id));
    let waiting: Vec<Waiting> = shut
        .iter()
        .filter_map(|line| {
            let (plan, month) = waits(line)?;
            let line = Line { reason: reason.clone(), cause: because.cause, ..line.clone() };
            Some(Waiting { plan, month, kind: HeldKind::Reverse, line })
        })
        .collect();
    let held = held::hold_in_tx(conn, ids, now, &waiting)?;
    live.extend(shut.into_iter().filter(|line| held.contains(&line.id)));
    let cancelled = held::cancel_in_tx(conn, now, &posts.iter().map(|row| row.id).collect::<Vec<_>>())?;
    live.extend(posts.iter().filter(|row| cancelled.contains(&row.id)).map(held::as_line));
    Ok(live)
}

/// Held until the commit: who counts the same key meanwhile waits, and then sees that it is taken back.
fn lock_in_tx(conn: &mut Conn, lines: &[Line]) -> Result<()> {
    for some in lines.chunks(SOME) {
        let these: Vec<LedgerLineId> = some.iter().map(|line| line.id).collect();
        let query = ledger_lines::table
            .filter(ledger_lines::id.eq_any(these))
            .order((ledger_lines::target_id, ledger_lines::dedup_key, ledger_lines::generation))
            .select(ledger_lines::id);
        let _locked: Vec<LedgerLineId> = crate::load_locked!(&mut *conn, query)?;
    }
    Ok(())
}

/// The line that takes `line` back.
pub(super) fn reversal(ids: &Ids, now: DateTime<Utc>, line: &Line) -> Line {
    Line {
        id: ids.id(),
        quantity: -line.quantity,
        is_reversal: true,
        reverses: Some(line.id),
        recorded_at: db_time(now),
        restatement_id: None,
        ..line.clone()
    }
}

/// [`reverse_sources_in_tx`] of one source; says how many lines that were.
pub fn reverse_source_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    source: uuid::Uuid,
    because: Because<'_>,
) -> Result<usize> {
    Ok(reverse_sources_in_tx(conn, ids, now, &[source], because)?.len())
}

type RollupKey = (TargetId, OrganisationId, NaiveDate, Grade);

/// Sums of `lines` by target, organisation, month and grade, in that order.
fn sums<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<RollupKey, (i64, i64)> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let key = (line.target_id, line.organisation_id, line.month, line.grade);
        let sum: &mut (i64, i64) = sums.entry(key).or_insert((0, 0));
        sum.0 += line.quantity;
        sum.1 += 1;
    }
    sums
}

pub(super) fn add_to_rollups_in_tx(conn: &mut Conn, lines: &[&Line]) -> Result<()> {
    // Sorted keys: two instances that add to the same rows lock them in the same order.
    let rows: Vec<Rollup> = sums(lines.iter().copied())
        .into_iter()
        .map(|((target_id, organisation_id, month, grade), (quantity, lines))| Rollup {
            target_id,
            organisation_id,
            month,
            grade,
            quantity,
            lines,
        })
        .collect();
    add_rows(conn, &rows)?;
    Ok(())
}

fn add_rows(conn: &mut Conn, rows: &[Rollup]) -> QueryResult<usize> {
    crate::write_rows!(conn, rows, ledger_rollups [target_id, organisation_id, month, grade, quantity, lines]
        "ON CONFLICT (target_id, organisation_id, month, grade) DO UPDATE \
         SET quantity = ledger_rollups.quantity + excluded.quantity, lines = ledger_rollups.lines + excluded.lines",
    row => diesel::insert_into(ledger_rollups::table)
    .values(row)
    .on_conflict((
        ledger_rollups::target_id,
        ledger_rollups::organisation_id,
        ledger_rollups::month,
        ledger_rollups::grade,
    ))
    .do_update()
    .set((
        ledger_rollups::quantity.eq(ledger_rollups::quantity + excluded(ledger_rollups::quantity)),
        ledger_rollups::lines.eq(ledger_rollups::lines + excluded(ledger_rollups::lines)),
    )))
}

/// The sums of `targets`.
pub fn rollups(conn: &mut Conn, targets: &[TargetId]) -> Result<HashMap<TargetId, Vec<Rollup>>> {
    let rows: Vec<Rollup> = ledger_rollups::table
        .filter(ledger_rollups::target_id.eq_any(targets))
        .order((
            ledger_rollups::target_id,
            ledger_rollups::organisation_id,
            ledger_rollups::month,
            ledger_rollups::grade,
        ))
        .select(Rollup::as_select())
        .load(conn)?;
    let mut by_target: HashMap<TargetId, Vec<Rollup>> = HashMap::new();
    for row in rows {
        by_target.entry(row.target_id).or_default().push(row);
    }
    Ok(by_target)
}

/// A condition on lines: they became known after the one at `place`.
pub fn known_after<QS: 'static>(
    (recorded_at, id): Place,
) -> Box<dyn diesel::BoxableExpression<QS, <Conn as diesel::Connection>::Backend, SqlType = Bool>> {
    let after = sql::<Bool>("(ledger_lines.recorded_at, ledger_lines.id) > (")
        .bind::<Timestamp, _>(recorded_at)
        .sql(", ")
        .bind::<Binary, _>(id);
    Box::new(after.sql(")"))
}

/// Lines of a target after `after`, in the order in which they became known, narrowed by organisation.
pub fn lines(
    conn: &mut Conn,
    target: TargetId,
    organisation: Option<OrganisationId>,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Line>> {
    let mut query = ledger_lines::table
        .filter(ledger_lines::target_id.eq(target))
        .order((ledger_lines::recorded_at, ledger_lines::id))
        .limit(limit)
        .select(Line::as_select())
        .into_boxed();
    if let Some(organisation) = organisation {
        query = query.filter(ledger_lines::organisation_id.eq(organisation));
    }
    if let Some(after) = after {
        query = query.filter(known_after(after));
    }
    Ok(query.load(conn)?)
}
