//! Posting, reversing and reading lines.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::model::{Line, NewLine, Rollup};
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
    let mut again = Vec::new();
    for line in fresh.iter().filter(|line| !counted.contains(&line.id)) {
        let latest: Option<(i64, bool)> = ledger_lines::table
            .filter(ledger_lines::target_id.eq(line.target_id))
            .filter(ledger_lines::dedup_key.eq(&line.dedup_key))
            .order((ledger_lines::generation.desc(), ledger_lines::is_reversal.desc()))
            .select((ledger_lines::generation, ledger_lines::is_reversal))
            .first(conn)
            .optional()?;
        if let Some((generation, true)) = latest {
            again.push(Line { generation: generation + 1, ..line.clone() });
        }
    }
    Ok(again)
}

/// Takes back the live lines of a source, and says how many that were.
pub fn reverse_source_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    now: DateTime<Utc>,
    source: uuid::Uuid,
    reason: &str,
) -> Result<usize> {
    let lines: Vec<Line> = ledger_lines::table
        .filter(ledger_lines::source_id.eq(source.as_bytes().to_vec()))
        .order((ledger_lines::target_id, ledger_lines::dedup_key))
        .select(Line::as_select())
        .load(conn)?;
    let reversed: HashSet<LedgerLineId> = lines.iter().filter_map(|line| line.reverses).collect();
    let reversals: Vec<Line> = lines
        .iter()
        .filter(|line| !line.is_reversal && !reversed.contains(&line.id))
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
    let counted = insert(conn, &reversals)?;
    let all: Vec<&Line> = reversals.iter().filter(|line| counted.contains(&line.id)).collect();
    add_to_rollups_in_tx(conn, &all)?;
    Ok(counted.len())
}

type RollupKey = (TargetId, OrganisationId, NaiveDate);

/// Sums of `lines` by target, organisation and month, in that order.
pub(super) fn sums<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<RollupKey, (i64, i64)> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let sum: &mut (i64, i64) =
            sums.entry((line.target_id, line.organisation_id, line.month)).or_insert((0, 0));
        sum.0 += line.quantity;
        sum.1 += 1;
    }
    sums
}

fn add_to_rollups_in_tx(conn: &mut Conn, lines: &[&Line]) -> Result<()> {
    // Sorted keys: two instances that add to the same rows lock them in the same order.
    for ((target_id, organisation_id, month), (quantity, lines)) in sums(lines.iter().copied()) {
        let row = Rollup { target_id, organisation_id, month, quantity, lines };
        crate::on_each!(&mut *conn, c => diesel::insert_into(ledger_rollups::table)
            .values(&row)
            .on_conflict((ledger_rollups::target_id, ledger_rollups::organisation_id, ledger_rollups::month))
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
        .order((ledger_rollups::target_id, ledger_rollups::organisation_id, ledger_rollups::month))
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
