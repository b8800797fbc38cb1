//! Posting, reversing and reading lines.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::model::{Grade, Line, NewLine, Rollup};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{Ids, LedgerLineId, OrganisationId, TargetId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{ledger_lines, ledger_rollups};

/// The first day of `day`'s month.
pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// Counts what is not counted yet, and says how many lines that were.
pub fn post_in_tx(conn: &mut Conn, ids: &Ids, now: DateTime<Utc>, new: &[NewLine]) -> Result<usize> {
    let mut seen = HashSet::new();
    let mut fresh: Vec<Line> = new
        .iter()
        .filter(|line| seen.insert((line.target, line.dedup_key.as_str())))
        .map(|line| row(ids, now, line, 0))
        .collect();
    // Sorted keys: two instances that count the same at once wait for each other in one order.
    fresh.sort_by(|a, b| (a.target_id, &a.dedup_key).cmp(&(b.target_id, &b.dedup_key)));
    let mut counted = insert(conn, &fresh)?;
    if counted.len() < fresh.len() {
        // Rare: counted before. What was reversed since is counted again, as the next generation.
        let again = next_generations(conn, &fresh, &counted)?;
        let again: Vec<Line> = again.into_iter().map(|line| Line { id: ids.id(), ..line }).collect();
        counted.extend(insert(conn, &again)?);
        let all: Vec<&Line> = fresh.iter().chain(&again).filter(|line| counted.contains(&line.id)).collect();
        add_to_rollups_in_tx(conn, &all)?;
    } else {
        add_to_rollups_in_tx(conn, &fresh.iter().collect::<Vec<_>>())?;
    }
    metrics::counter!("unionhall_ledger_lines_total").increment(u64::try_from(counted.len()).unwrap_or(0));
    Ok(counted.len())
}

fn row(ids: &Ids, now: DateTime<Utc>, line: &NewLine, generation: i64) -> Line {
    Line {
        id: ids.id(),
        target_id: line.target,
        organisation_id: line.organisation,
        day: line.day,
        month: month_of(line.day),
        quantity: line.quantity,
        dedup_key: line.dedup_key.clone(),
        generation,
        is_reversal: false,
        reverses: None,
        source_kind: line.source_kind,
        source_id: line.source_id.as_bytes().to_vec(),
        activity_id: line.activity,
        grade: line.grade,
        reason: None,
        recorded_at: db_time(now),
    }
}

fn insert(conn: &mut Conn, lines: &[Line]) -> Result<HashSet<LedgerLineId>> {
    let ids =
        crate::insert_new!(conn, ledger_lines::table, lines, ledger_lines::id => |line: &Line| line.id)?;
    Ok(ids.into_iter().collect())
}

/// Of the lines that were not inserted, those whose latest generation is reversed, as the generation after it.
fn next_generations(conn: &mut Conn, fresh: &[Line], counted: &HashSet<LedgerLineId>) -> Result<Vec<Line>> {
    let missed: Vec<&Line> = fresh.iter().filter(|line| !counted.contains(&line.id)).collect();
    let mut again = Vec::new();
    for some in missed.chunks(SOME) {
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
        let _locked: Vec<LedgerLineId> = crate::load_locked!(conn, originals)?;
        let columns = (
            ledger_lines::target_id,
            ledger_lines::dedup_key,
            ledger_lines::generation,
            ledger_lines::is_reversal,
        );
        let known: Vec<(TargetId, String, i64, bool)> = of_these().select(columns).load(conn)?;
        let mut latest: HashMap<(TargetId, &str), (i64, bool)> = HashMap::new();
        for (target, key, generation, is_reversal) in &known {
            let entry = latest.entry((*target, key.as_str())).or_insert((*generation, *is_reversal));
            *entry = (*entry).max((*generation, *is_reversal));
        }
        again.extend(some.iter().filter_map(|line| {
            match latest.get(&(line.target_id, line.dedup_key.as_str())) {
                Some((generation, true)) => Some(Line { generation: generation + 1, ..(*line).clone() }),
                _ => None,
            }
        }));
    }
    Ok(again)
}

/// Keys of one statement: some, not thousands.
const SOME: usize = 500;

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

/// The live lines of a source.
pub fn standing_of_source(conn: &mut Conn, source: uuid::Uuid) -> Result<Vec<Line>> {
    let lines = lines_of_sources(conn, &[source])?;
    let reversed: HashSet<LedgerLineId> = lines.iter().filter_map(|line| line.reverses).collect();
    Ok(lines.into_iter().filter(|line| !line.is_reversal && !reversed.contains(&line.id)).collect())
}

/// Takes back the live lines of `sources`, and gives the lines that were taken back.
pub fn reverse_sources_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    sources: &[uuid::Uuid],
    reason: &str,
) -> Result<Vec<Line>> {
    let lines = lines_of_sources(conn, sources)?;
    let reversed: HashSet<LedgerLineId> = lines.iter().filter_map(|line| line.reverses).collect();
    let mut live: Vec<Line> =
        lines.into_iter().filter(|line| !line.is_reversal && !reversed.contains(&line.id)).collect();
    for some in live.chunks(SOME) {
        // Held until the commit: who counts the same key meanwhile waits, and then sees that it is taken back.
        let these: Vec<LedgerLineId> = some.iter().map(|line| line.id).collect();
        let query = ledger_lines::table
            .filter(ledger_lines::id.eq_any(these))
            .order((ledger_lines::target_id, ledger_lines::dedup_key, ledger_lines::generation))
            .select(ledger_lines::id);
        let _locked: Vec<LedgerLineId> = crate::load_locked!(conn, query)?;
    }
    let reversals: Vec<Line> = live
        .iter()
        .map(|line| Line {
            id: ids.id(),
            quantity: -line.quantity,
            is_reversal: true,
            reverses: Some(line.id),
            reason: Some(reason.to_owned()),
            recorded_at: db_time(now),
            ..line.clone()
        })
        .collect();
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
    Ok(live)
}

/// [`reverse_sources_in_tx`] of one source; says how many lines that were.
pub fn reverse_source_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    source: uuid::Uuid,
    reason: &str,
) -> Result<usize> {
    Ok(reverse_sources_in_tx(conn, ids, now, &[source], reason)?.len())
}

type RollupKey = (TargetId, OrganisationId, NaiveDate, Grade);

/// Sums of `lines` by target, organisation, month and grade, in that order.
pub(super) fn sums<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<RollupKey, (i64, i64)> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let sum: &mut (i64, i64) =
            sums.entry((line.target_id, line.organisation_id, line.month, line.grade)).or_insert((0, 0));
        sum.0 += line.quantity;
        sum.1 += 1;
    }
    sums
}

fn add_to_rollups_in_tx(conn: &mut Conn, lines: &[&Line]) -> Result<()> {
    // Sorted keys: two instances that add to the same rows lock them in the same order.
    for ((target_id, organisation_id, month, grade), (quantity, lines)) in sums(lines.iter().copied()) {
        let row = Rollup { target_id, organisation_id, month, grade, quantity, lines };
        crate::on_each!(&mut *conn, c => diesel::insert_into(ledger_rollups::table)
            .values(&row)
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
            ))
            .execute(c))?;
    }
    Ok(())
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

/// Lines of a target after `after`, oldest first, narrowed by organisation.
pub fn lines(
    conn: &mut Conn,
    target: TargetId,
    organisation: Option<OrganisationId>,
    after: Option<LedgerLineId>,
    limit: i64,
) -> Result<Vec<Line>> {
    let mut query = ledger_lines::table
        .filter(ledger_lines::target_id.eq(target))
        .order(ledger_lines::id)
        .limit(limit)
        .select(Line::as_select())
        .into_boxed();
    if let Some(organisation) = organisation {
        query = query.filter(ledger_lines::organisation_id.eq(organisation));
    }
    if let Some(after) = after {
        query = query.filter(ledger_lines::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// All lines after `after`, by id; for verification.
pub fn all_after(conn: &mut Conn, after: Option<LedgerLineId>, limit: i64) -> Result<Vec<Line>> {
    let mut query =
        ledger_lines::table.order(ledger_lines::id).limit(limit).select(Line::as_select()).into_boxed();
    if let Some(after) = after {
        query = query.filter(ledger_lines::id.gt(after));
    }
    Ok(query.load(conn)?)
}
