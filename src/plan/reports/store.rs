//! Queries of reported figures. Whoever makes or decides a version holds the lock of its target.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{PlanReport, ReportState, ReportUnit};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PlanReportId, ReviewId, SubjectId, TargetId};
use crate::plan::model::{Plan, PlanItem, Target};
use crate::plan::rules::Reported;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    organisations, plan_items, plan_report_units, plan_reports, plans, reviews, targets,
};

/// The report `id`, or 404.
pub fn get(conn: &mut Conn, id: PlanReportId) -> Result<PlanReport> {
    let found = plan_reports::table.find(id).select(PlanReport::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// A target with its item and its plan.
pub fn target_whole(conn: &mut Conn, id: TargetId) -> Result<(Target, PlanItem, Plan)> {
    let found = targets::table
        .inner_join(plan_items::table)
        .inner_join(plans::table)
        .filter(targets::id.eq(id))
        .select((Target::as_select(), PlanItem::as_select(), Plan::as_select()))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Locks targets, in the order of their ids: all that is reported of them is written behind it.
pub fn targets_lock_in_tx(conn: &mut Conn, ids: &[TargetId]) -> Result<()> {
    let rows = targets::table.filter(targets::id.eq_any(ids)).order(targets::id).select(targets::id);
    let _locked: Vec<TargetId> = crate::load_locked!(conn, rows)?;
    Ok(())
}

/// The versions of one figure, the first one first.
pub fn versions(
    conn: &mut Conn,
    target: TargetId,
    unit: OrganisationId,
    month: NaiveDate,
) -> Result<Vec<PlanReport>> {
    let rows = plan_reports::table
        .filter(plan_reports::target_id.eq(target))
        .filter(plan_reports::organisation_id.eq(unit))
        .filter(plan_reports::month.eq(month))
        .order(plan_reports::number);
    Ok(rows.select(PlanReport::as_select()).load(conn)?)
}

/// The versions of a unit's figures that count or are to be signed, by month and number.
pub fn standing_of_unit(conn: &mut Conn, target: TargetId, unit: OrganisationId) -> Result<Vec<PlanReport>> {
    let rows = plan_reports::table
        .filter(plan_reports::target_id.eq(target))
        .filter(plan_reports::organisation_id.eq(unit))
        .filter(plan_reports::state.eq_any([ReportState::Proposed, ReportState::Approved]))
        .order((plan_reports::month, plan_reports::number));
    Ok(rows.select(PlanReport::as_select()).load(conn)?)
}

/// Keeps a version with the units that it covers.
///
/// # Errors
/// An internal error where its number is taken: the lock of the target keeps that from happening.
pub fn insert_in_tx(conn: &mut Conn, row: &PlanReport, covered: &[OrganisationId]) -> Result<()> {
    let rows = std::slice::from_ref(row);
    let new: Vec<PlanReportId> = crate::insert_new!(&mut *conn, plan_reports::table, rows, plan_reports::id => |row: &PlanReport| row.id)?;
    if new.is_empty() {
        return Err(Error::internal(format!("version {} of a figure is there already", row.number)));
    }
    let units: Vec<ReportUnit> =
        covered.iter().map(|unit| ReportUnit { report_id: row.id, organisation_id: *unit }).collect();
    crate::insert_rows!(conn, plan_report_units::table, units.as_slice())?;
    Ok(())
}

/// Says what becomes of a version that is in the state that was read.
pub fn state_set_in_tx(
    conn: &mut Conn,
    row: &PlanReport,
    to: ReportState,
    decided_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let guarded =
        plan_reports::table.filter(plan_reports::id.eq(row.id)).filter(plan_reports::state.eq(row.state));
    let decided = decided_at.map(db_time).or(row.decided_at);
    let changed = diesel::update(guarded)
        .set((plan_reports::state.eq(to), plan_reports::decided_at.eq(decided)))
        .execute(conn)
        .map_err(|error| {
            if crate::platform::db::unique_violation(&error) {
                Error::new(Code::Conflict)
                    .detail("该数据已有其他版本生效", "Another version of this figure counts")
            } else {
                error.into()
            }
        })?;
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{} changed behind its lock", row.id))) }
}

/// Which units reports cover, in the order of the units.
pub fn units_of(
    conn: &mut Conn,
    reports: &[PlanReportId],
) -> Result<HashMap<PlanReportId, Vec<OrganisationId>>> {
    let rows: Vec<ReportUnit> = plan_report_units::table
        .filter(plan_report_units::report_id.eq_any(reports))
        .order((plan_report_units::report_id, plan_report_units::organisation_id))
        .select(ReportUnit::as_select())
        .load(conn)?;
    let mut by_report: HashMap<PlanReportId, Vec<OrganisationId>> = HashMap::new();
    for row in rows {
        by_report.entry(row.report_id).or_default().push(row.organisation_id);
    }
    Ok(by_report)
}

/// The versions of targets that count, with the units that they cover.
pub fn current(conn: &mut Conn, targets: &[TargetId]) -> Result<Vec<(PlanReport, Vec<OrganisationId>)>> {
    let rows: Vec<PlanReport> = plan_reports::table
        .filter(plan_reports::target_id.eq_any(targets))
        .filter(plan_reports::state.eq(ReportState::Approved))
        .order(plan_reports::id)
        .select(PlanReport::as_select())
        .load(conn)?;
    with_units(conn, rows)
}

/// The versions of targets that counted at `as_of`, with the units that they cover.
pub fn current_at(
    conn: &mut Conn,
    targets: &[TargetId],
    as_of: DateTime<Utc>,
) -> Result<Vec<(PlanReport, Vec<OrganisationId>)>> {
    let rows: Vec<PlanReport> = plan_reports::table
        .filter(plan_reports::target_id.eq_any(targets))
        .filter(plan_reports::state.eq_any([ReportState::Approved, ReportState::Superseded]))
        .filter(plan_reports::decided_at.le(db_time(as_of)))
        .order(plan_reports::number)
        .select(PlanReport::as_select())
        .load(conn)?;
    // In the order of their numbers: the last one stays.
    let latest: HashMap<_, PlanReport> =
        rows.into_iter().map(|row| ((row.target_id, row.organisation_id, row.month), row)).collect();
    let mut rows: Vec<PlanReport> = latest.into_values().collect();
    rows.sort_by_key(|row| row.id);
    with_units(conn, rows)
}

fn with_units(conn: &mut Conn, rows: Vec<PlanReport>) -> Result<Vec<(PlanReport, Vec<OrganisationId>)>> {
    let ids: Vec<PlanReportId> = rows.iter().map(|row| row.id).collect();
    let mut units = units_of(conn, &ids)?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let own = units.remove(&row.id).unwrap_or_default();
            (row, own)
        })
        .collect())
}

/// What was reported of targets and counts, now or at `as_of`; without what was taken back.
pub fn reported(
    conn: &mut Conn,
    targets: &[TargetId],
    as_of: Option<DateTime<Utc>>,
) -> Result<HashMap<TargetId, Vec<Reported>>> {
    let rows = match as_of {
        Some(at) => current_at(conn, targets, at)?,
        None => current(conn, targets)?,
    };
    let mut by_target: HashMap<TargetId, Vec<Reported>> = HashMap::new();
    for (row, covered) in rows.into_iter().filter(|(row, _)| !row.withdraws) {
        by_target.entry(row.target_id).or_default().push(Reported {
            organisation: row.organisation_id,
            month: row.month,
            ratio: row.ratio(),
            parts: row.parts(),
            covered,
        });
    }
    Ok(by_target)
}

/// Every version of a target that was approved once: what the ledger may have lines of.
pub fn ever_approved(conn: &mut Conn, target: TargetId) -> Result<Vec<PlanReportId>> {
    let rows = plan_reports::table
        .filter(plan_reports::target_id.eq(target))
        .filter(plan_reports::state.eq_any([ReportState::Approved, ReportState::Superseded]))
        .order(plan_reports::id);
    Ok(rows.select(plan_reports::id).load(conn)?)
}

/// Which reports of a target to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of units under these patterns; of all where none.
    pub under: Option<Vec<String>>,
    /// Of this unit.
    pub unit: Option<OrganisationId>,
    /// Of this month.
    pub month: Option<NaiveDate>,
    /// In this state.
    pub state: Option<ReportState>,
}

/// Reports of a target, newest first, before `before`.
pub fn list(
    conn: &mut Conn,
    target: TargetId,
    wanted: Wanted,
    before: Option<PlanReportId>,
    limit: i64,
) -> Result<Vec<PlanReport>> {
    let mut query = plan_reports::table
        .inner_join(organisations::table)
        .filter(plan_reports::target_id.eq(target))
        .order(plan_reports::id.desc())
        .limit(limit)
        .select(PlanReport::as_select())
        .into_boxed();
    if let Some(patterns) = wanted.under {
        query = query.filter(crate::org::store::under(patterns));
    }
    if let Some(unit) = wanted.unit {
        query = query.filter(plan_reports::organisation_id.eq(unit));
    }
    if let Some(month) = wanted.month {
        query = query.filter(plan_reports::month.eq(month));
    }
    if let Some(state) = wanted.state {
        query = query.filter(plan_reports::state.eq(state));
    }
    if let Some(before) = before {
        query = query.filter(plan_reports::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// The latest review of each report.
pub fn reviews_of(conn: &mut Conn, reports: &[PlanReportId]) -> Result<HashMap<PlanReportId, ReviewId>> {
    let subjects: Vec<SubjectId> = reports.iter().map(|id| SubjectId(id.0)).collect();
    let mut rows: Vec<(SubjectId, ReviewId, Option<ReviewId>)> = reviews::table
        .filter(reviews::subject_id.eq_any(subjects))
        .select((reviews::subject_id, reviews::id, reviews::appeal_of))
        .load(conn)?;
    // The appeal comes after what it is against, and there is no third.
    rows.sort_by_key(|(_, _, appeal_of)| appeal_of.is_some());
    Ok(rows.into_iter().map(|(subject, review, _)| (PlanReportId(subject.0), review)).collect())
}
