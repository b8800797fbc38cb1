//! What was known at another moment, and why it is something else now.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::model::{Cause, Grade, Rollup};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{OrganisationId, PlanId, TargetId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{ledger_lines, ledger_rollups, targets};

/// A sum, under all that it is kept by.
type SumRow = (TargetId, OrganisationId, NaiveDate, Grade, i64, i64);

/// The sums of `targets` as they were known at `as_of`: those of today less the lines that were recorded later. It costs as much as there
/// are later lines.
pub fn rollups_as_of(
    conn: &mut Conn,
    targets: &[TargetId],
    as_of: DateTime<Utc>,
) -> Result<HashMap<TargetId, Vec<Rollup>>> {
    // One statement, so that both parts are of one moment.
    let rows: Vec<SumRow> = crate::on_each!(conn, c => ledger_rollups::table
        .filter(ledger_rollups::target_id.eq_any(targets))
        .select((
            ledger_rollups::target_id,
            ledger_rollups::organisation_id,
            ledger_rollups::month,
            ledger_rollups::grade,
            ledger_rollups::quantity,
            ledger_rollups::lines,
        ))
        .union_all(
            ledger_lines::table
                .filter(ledger_lines::target_id.eq_any(targets))
                .filter(ledger_lines::recorded_at.gt(db_time(as_of)))
                .group_by((
                    ledger_lines::target_id,
                    ledger_lines::organisation_id,
                    ledger_lines::month,
                    ledger_lines::grade,
                ))
                .select((
                    ledger_lines::target_id,
                    ledger_lines::organisation_id,
                    ledger_lines::month,
                    ledger_lines::grade,
                    sql::<BigInt>("-CAST(sum(quantity) AS BIGINT)"),
                    sql::<BigInt>("-count(*)"),
                )),
        )
        .load(c))?;
    let mut sums: BTreeMap<(TargetId, OrganisationId, NaiveDate, Grade), (i64, i64)> = BTreeMap::new();
    for (target, organisation, month, grade, quantity, lines) in rows {
        let sum = sums.entry((target, organisation, month, grade)).or_default();
        sum.0 += quantity;
        sum.1 += lines;
    }
    let mut by_target: HashMap<TargetId, Vec<Rollup>> = HashMap::new();
    for ((target_id, organisation_id, month, grade), (quantity, lines)) in sums {
        // What nobody knew of then was no row.
        if lines != 0 {
            let row = Rollup { target_id, organisation_id, month, grade, quantity, lines };
            by_target.entry(target_id).or_default().push(row);
        }
    }
    Ok(by_target)
}

/// By how much lines of one cause changed a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of which target.
    pub target: TargetId,
    /// Of whose figure.
    pub organisation: OrganisationId,
    /// Why.
    pub cause: Cause,
    /// Whether a closed month was restated.
    pub restated: bool,
    /// By how much.
    pub quantity: i64,
    /// In how many lines.
    pub lines: i64,
}

type ChangeRow = (TargetId, OrganisationId, Cause, i64, i64);

fn change((target, organisation, cause, quantity, lines): ChangeRow, restated: bool) -> Change {
    Change { target, organisation, cause, restated, quantity, lines }
}

/// What changed the figures of `targets` after `from`, until `to`.
pub fn changes(
    conn: &mut Conn,
    targets: &[TargetId],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    for restated in [false, true] {
        let rows: Vec<ChangeRow> = crate::on_each!(&mut *conn, c => ledger_lines::table
            .filter(ledger_lines::target_id.eq_any(targets))
            .filter(ledger_lines::recorded_at.gt(db_time(from)))
            .filter(ledger_lines::recorded_at.le(db_time(to)))
            .filter(sql::<Bool>("(restatement_id IS NOT NULL) = ").bind::<Bool, _>(restated))
            .group_by((ledger_lines::target_id, ledger_lines::organisation_id, ledger_lines::cause))
            .select((
                ledger_lines::target_id,
                ledger_lines::organisation_id,
                ledger_lines::cause,
                sql::<BigInt>("CAST(sum(quantity) AS BIGINT)"),
                sql::<BigInt>("count(*)"),
            ))
            .load(c))?;
        changes.extend(rows.into_iter().map(|row| change(row, restated)));
    }
    changes.sort_by_key(|one| (one.target, one.organisation, one.restated, one.cause));
    Ok(changes)
}

/// What restatements changed in a month of a plan since it was closed at `closed_at`.
pub fn restated(
    conn: &mut Conn,
    (plan, month): (PlanId, NaiveDate),
    closed_at: DateTime<Utc>,
) -> Result<Vec<Change>> {
    let of_plan = || targets::table.filter(targets::plan_id.eq(plan)).select(targets::id);
    let rows: Vec<ChangeRow> = crate::on_each!(conn, c => ledger_lines::table
        .filter(ledger_lines::month.eq(month))
        .filter(ledger_lines::recorded_at.gt(db_time(closed_at)))
        .filter(ledger_lines::restatement_id.is_not_null())
        .filter(ledger_lines::target_id.eq_any(of_plan()))
        .group_by((ledger_lines::target_id, ledger_lines::organisation_id, ledger_lines::cause))
        .select((
            ledger_lines::target_id,
            ledger_lines::organisation_id,
            ledger_lines::cause,
            sql::<BigInt>("CAST(sum(quantity) AS BIGINT)"),
            sql::<BigInt>("count(*)"),
        ))
        .load(c))?;
    let mut changes: Vec<Change> = rows.into_iter().map(|row| change(row, true)).collect();
    changes.sort_by_key(|one| (one.target, one.organisation, one.cause));
    Ok(changes)
}

/// When the last line of a plan's targets was recorded, if there is any.
pub fn last_recorded(conn: &mut Conn, plan: PlanId) -> Result<Option<DateTime<Utc>>> {
    let ids: Vec<TargetId> =
        targets::table.filter(targets::plan_id.eq(plan)).select(targets::id).load(conn)?;
    let mut last = None;
    for id in ids {
        let query = ledger_lines::table
            .filter(ledger_lines::target_id.eq(id))
            .order(ledger_lines::recorded_at.desc())
            .select(ledger_lines::recorded_at);
        last = last.max(query.first::<chrono::NaiveDateTime>(conn).optional()?);
    }
    Ok(last.map(|at| at.and_utc()))
}
