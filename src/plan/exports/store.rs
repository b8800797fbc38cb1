//! Queries. Changes of state are guarded updates.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{ExportState, PlanExport};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PlanExportId, PlanId, TargetId};
use crate::ledger::model::{Line, Place};
use crate::ledger::store::known_after;
use crate::org::store::under;
use crate::plan::model::Plan;
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, ledger_lines, organisations, plan_exports, plans, targets};
use crate::platform::vault::Vault;

/// Lines that are read at once, and reports whose contents one run of the sweep erases.
pub const PAGE: i64 = 5_000;

/// A report is to be made.
pub fn create_in_tx(conn: &mut Conn, row: &PlanExport) -> Result<()> {
    crate::insert_rows!(conn, plan_exports::table, std::slice::from_ref(row))?;
    Ok(())
}

/// A report, or 404.
pub fn get(conn: &mut Conn, id: PlanExportId) -> Result<PlanExport> {
    let found = plan_exports::table.find(id).select(PlanExport::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The plan of a report.
pub fn plan_of(conn: &mut Conn, id: PlanId) -> Result<Plan> {
    Ok(plans::table.find(id).select(Plan::as_select()).first(conn)?)
}

/// The code of a target.
pub fn target_code(conn: &mut Conn, id: TargetId) -> Result<String> {
    Ok(targets::table.find(id).select(targets::code).first(conn)?)
}

/// It is being made, and so far. A second hand that is behind changes nothing.
pub fn progress_in_tx(conn: &mut Conn, id: PlanExportId, percent: i64) -> Result<()> {
    let unmade = plan_exports::table
        .filter(plan_exports::id.eq(id))
        .filter(plan_exports::state.eq_any([ExportState::Waiting, ExportState::Making]))
        .filter(plan_exports::percent.le(percent));
    diesel::update(unmade)
        .set((plan_exports::state.eq(ExportState::Making), plan_exports::percent.eq(percent)))
        .execute(conn)?;
    Ok(())
}

/// Its content lies in the store, sealed.
pub fn kept_in_tx(conn: &mut Conn, id: PlanExportId, sha256: &[u8], bytes: i64, key: &str) -> Result<()> {
    let unmade = plan_exports::table
        .filter(plan_exports::id.eq(id))
        .filter(plan_exports::state.eq_any([ExportState::Waiting, ExportState::Making]));
    diesel::update(unmade)
        .set((
            plan_exports::state.eq(ExportState::Making),
            plan_exports::percent.eq(99),
            plan_exports::sha256.eq(sha256),
            plan_exports::bytes.eq(bytes),
            plan_exports::vault_key.eq(key),
        ))
        .execute(conn)?;
    Ok(())
}

/// It is there; false when it was already.
pub fn ready_in_tx(
    conn: &mut Conn,
    id: PlanExportId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool> {
    let kept = plan_exports::table
        .filter(plan_exports::id.eq(id))
        .filter(plan_exports::state.eq(ExportState::Making))
        .filter(plan_exports::sha256.is_not_null());
    let changed = diesel::update(kept)
        .set((
            plan_exports::state.eq(ExportState::Ready),
            plan_exports::percent.eq(100),
            plan_exports::ready_at.eq(db_time(now)),
            plan_exports::expires_at.eq(db_time(until)),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Reports that were kept for long enough are over.
pub fn expire_in_tx(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize> {
    let due = plan_exports::table
        .filter(plan_exports::state.eq(ExportState::Ready))
        .filter(plan_exports::expires_at.le(db_time(now)));
    Ok(diesel::update(due).set(plan_exports::state.eq(ExportState::Expired)).execute(conn)?)
}

/// Reports that are over and whose contents still lie in the store.
pub fn to_erase(conn: &mut Conn) -> Result<Vec<PlanExportId>> {
    let over = plan_exports::table
        .filter(plan_exports::state.eq(ExportState::Expired))
        .filter(plan_exports::erased_at.is_null())
        .order(plan_exports::id)
        .limit(PAGE);
    Ok(over.select(plan_exports::id).load(conn)?)
}

/// The content of a report that is over is gone.
pub fn erased_in_tx(conn: &mut Conn, id: PlanExportId, now: DateTime<Utc>) -> Result<()> {
    let over = plan_exports::table
        .filter(plan_exports::id.eq(id))
        .filter(plan_exports::state.eq(ExportState::Expired));
    diesel::update(over).set(plan_exports::erased_at.eq(db_time(now))).execute(conn)?;
    Ok(())
}

/// Reports whose content is sealed with another key than `key`, by id.
pub fn sealed_otherwise(conn: &mut Conn, key: &str, after: Option<PlanExportId>) -> Result<Vec<PlanExport>> {
    let mut query = plan_exports::table
        .filter(plan_exports::vault_key.ne(key.to_owned()))
        .filter(plan_exports::state.eq(ExportState::Ready))
        .order(plan_exports::id)
        .limit(100)
        .select(PlanExport::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(plan_exports::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// A report's content is under the active key now; false when it is over meanwhile.
pub fn resealed_in_tx(conn: &mut Conn, vault: &Vault, id: PlanExportId) -> Result<bool> {
    let there = plan_exports::table
        .filter(plan_exports::id.eq(id))
        .filter(plan_exports::state.eq(ExportState::Ready));
    let changed =
        diesel::update(there).set(plan_exports::vault_key.eq(vault.active_key().to_owned())).execute(conn)?;
    Ok(changed == 1)
}

/// A line with what it is called.
#[derive(Debug, Clone)]
pub struct NamedLine {
    /// The line.
    pub line: Line,
    /// Of its target.
    pub code: String,
    /// Whose figure it is.
    pub organisation: String,
    /// Of its activity.
    pub title: Option<String>,
}

/// Which lines.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which target.
    pub target: TargetId,
    /// Of organisations under this LIKE pattern; of all for none.
    pub pattern: Option<String>,
    /// What was known at this moment.
    pub as_of: DateTime<Utc>,
}

/// The newest lines, newest first.
pub fn newest(conn: &mut Conn, wanted: &Wanted, limit: i64) -> Result<Vec<NamedLine>> {
    let mut query = ledger_lines::table
        .inner_join(targets::table)
        .inner_join(organisations::table)
        .filter(ledger_lines::target_id.eq(wanted.target))
        .filter(ledger_lines::recorded_at.le(db_time(wanted.as_of)))
        .order((ledger_lines::recorded_at.desc(), ledger_lines::id.desc()))
        .select((Line::as_select(), targets::code, organisations::short_name))
        .limit(limit)
        .into_boxed();
    if let Some(pattern) = &wanted.pattern {
        query = query.filter(under(vec![pattern.clone()]));
    }
    let rows = query.load(conn)?;
    named(conn, rows)
}

/// A page of lines after `after`, in the order in which they became known; an empty one behind the last.
pub fn page(conn: &mut Conn, wanted: &Wanted, after: Option<Place>) -> Result<Vec<NamedLine>> {
    let mut query = ledger_lines::table
        .inner_join(targets::table)
        .inner_join(organisations::table)
        .filter(ledger_lines::target_id.eq(wanted.target))
        .filter(ledger_lines::recorded_at.le(db_time(wanted.as_of)))
        .order((ledger_lines::recorded_at, ledger_lines::id))
        .select((Line::as_select(), targets::code, organisations::short_name))
        .limit(PAGE)
        .into_boxed();
    if let Some(pattern) = &wanted.pattern {
        query = query.filter(under(vec![pattern.clone()]));
    }
    if let Some(after) = after {
        query = query.filter(known_after(after));
    }
    let rows = query.load(conn)?;
    named(conn, rows)
}

/// Lines with the titles of their activities.
fn named(conn: &mut Conn, rows: Vec<(Line, String, String)>) -> Result<Vec<NamedLine>> {
    let mut ids: Vec<ActivityId> = rows.iter().filter_map(|(line, _, _)| line.activity_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut titles = HashMap::new();
    for some in ids.chunks(500) {
        titles.extend(titles_of(conn, some)?);
    }
    let named = |(line, code, organisation): (Line, String, String)| {
        let title = line.activity_id.and_then(|id| titles.get(&id).cloned());
        NamedLine { line, code, organisation, title }
    };
    Ok(rows.into_iter().map(named).collect())
}

fn titles_of(conn: &mut Conn, ids: &[ActivityId]) -> Result<Vec<(ActivityId, String)>> {
    let named = activities::table.filter(activities::id.eq_any(ids));
    Ok(named.select((activities::id, activities::title)).load(conn)?)
}

/// How many lines a target has today; at any earlier moment it had no more.
pub fn line_count(conn: &mut Conn, target: TargetId, pattern: Option<String>) -> Result<i64> {
    use crate::platform::db::schema::ledger_rollups;
    let mut query = ledger_rollups::table
        .inner_join(organisations::table)
        .filter(ledger_rollups::target_id.eq(target))
        .select(ledger_rollups::lines)
        .into_boxed();
    if let Some(pattern) = pattern {
        query = query.filter(under(vec![pattern]));
    }
    let lines: Vec<i64> = query.load(conn)?;
    Ok(lines.into_iter().sum())
}
