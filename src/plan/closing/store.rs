//! Queries of what is closed and restated.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{
    PeriodKind, PeriodRow, PeriodState, Restatement, RestatementState, StreetMonth, StreetState,
};
use super::rules;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{OrganisationId, PersonId, PlanId, RestatementId};
use crate::org::model::{Organisation, OrganisationKind};
use crate::plan::model::Plan;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    held_corrections, organisations, plan_periods, plan_street_months, restatements,
};

/// Opens the months and quarters of a plan that has none yet.
pub fn periods_make_in_tx(conn: &mut Conn, plan: &Plan) -> Result<()> {
    let rows: Vec<PeriodRow> = rules::all(plan.starts_on)
        .into_iter()
        .map(|(kind, starts_on)| PeriodRow {
            plan_id: plan.id,
            kind,
            starts_on,
            state: PeriodState::Open,
            proposed_by: None,
            proposed_at: None,
            closed_by: None,
            closed_at: None,
            version: 1,
        })
        .collect();
    crate::insert_new!(conn, plan_periods::table, rows.as_slice(), plan_periods::starts_on => |row: &PeriodRow| row.starts_on)?;
    Ok(())
}

/// The periods of a plan, months first.
pub fn periods(conn: &mut Conn, plan: PlanId) -> Result<Vec<PeriodRow>> {
    let query = plan_periods::table
        .filter(plan_periods::plan_id.eq(plan))
        .order((plan_periods::kind, plan_periods::starts_on));
    Ok(query.select(PeriodRow::as_select()).load(conn)?)
}

/// One of them, or 404.
pub fn period(conn: &mut Conn, plan: PlanId, kind: PeriodKind, starts_on: NaiveDate) -> Result<PeriodRow> {
    let row = plan_periods::table.find((plan, kind, starts_on));
    row.select(PeriodRow::as_select()).first(conn).optional()?.ok_or_else(Error::not_found)
}

/// All periods of a plan, held until the commit by nobody else: nothing is counted for them meanwhile.
pub fn periods_lock_in_tx(conn: &mut Conn, plan: PlanId) -> Result<Vec<PeriodRow>> {
    Ok(crate::load_locked!(
        conn,
        plan_periods::table
            .filter(plan_periods::plan_id.eq(plan))
            // In the order in which who counts shares them.
            .order((plan_periods::plan_id, plan_periods::kind, plan_periods::starts_on))
            .select(PeriodRow::as_select())
    )?)
}

/// Proposes to close an open period; false when it is not open.
pub fn propose_in_tx(conn: &mut Conn, row: &PeriodRow, by: PersonId, now: DateTime<Utc>) -> Result<bool> {
    let open = plan_periods::table
        .find((row.plan_id, row.kind, row.starts_on))
        .filter(plan_periods::state.eq(PeriodState::Open));
    let changed = diesel::update(open)
        .set((
            plan_periods::state.eq(PeriodState::Proposed),
            plan_periods::proposed_by.eq(by),
            plan_periods::proposed_at.eq(db_time(now)),
            plan_periods::version.eq(plan_periods::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Closes a period that somebody else proposed to close; false when nobody did.
pub fn close_in_tx(conn: &mut Conn, row: &PeriodRow, by: PersonId, at: DateTime<Utc>) -> Result<bool> {
    let proposed = plan_periods::table
        .find((row.plan_id, row.kind, row.starts_on))
        .filter(plan_periods::state.eq(PeriodState::Proposed))
        .filter(plan_periods::proposed_by.ne(by));
    let changed = diesel::update(proposed)
        .set((
            plan_periods::state.eq(PeriodState::Hard),
            plan_periods::closed_by.eq(by),
            plan_periods::closed_at.eq(db_time(at)),
            plan_periods::version.eq(plan_periods::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Opens a proposed period again; false when it is not proposed.
pub fn refuse_in_tx(conn: &mut Conn, row: &PeriodRow) -> Result<bool> {
    let proposed = plan_periods::table
        .find((row.plan_id, row.kind, row.starts_on))
        .filter(plan_periods::state.eq(PeriodState::Proposed));
    let changed = diesel::update(proposed)
        .set((
            plan_periods::state.eq(PeriodState::Open),
            plan_periods::proposed_by.eq(None::<PersonId>),
            plan_periods::proposed_at.eq(None::<chrono::NaiveDateTime>),
            plan_periods::version.eq(plan_periods::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// The sub-districts that close their part first, by code.
pub fn streets(conn: &mut Conn) -> Result<Vec<Organisation>> {
    let query = organisations::table
        .filter(organisations::kind.eq(OrganisationKind::SubDistrict))
        .filter(organisations::closed_on.is_null())
        .order(organisations::code);
    Ok(query.select(Organisation::as_select()).load(conn)?)
}

/// What sub-districts said of months of a plan.
pub fn street_months(conn: &mut Conn, plan: PlanId, months: &[NaiveDate]) -> Result<Vec<StreetMonth>> {
    let query = plan_street_months::table
        .filter(plan_street_months::plan_id.eq(plan))
        .filter(plan_street_months::month.eq_any(months))
        .order((plan_street_months::month, plan_street_months::organisation_id));
    Ok(query.select(StreetMonth::as_select()).load(conn)?)
}

/// What a sub-district said of a month; open where it said nothing.
pub fn street_month(
    conn: &mut Conn,
    plan: PlanId,
    month: NaiveDate,
    street: OrganisationId,
) -> Result<Option<StreetMonth>> {
    let row = plan_street_months::table.find((plan, month, street));
    Ok(row.select(StreetMonth::as_select()).first(conn).optional()?)
}

/// Writes what a sub-district says of a month, after `before`; false when it said something else meanwhile.
pub fn street_month_set_in_tx(
    conn: &mut Conn,
    before: Option<&StreetMonth>,
    row: &StreetMonth,
) -> Result<bool> {
    let Some(before) = before else {
        let rows = [row.clone()];
        let made = crate::insert_new!(conn, plan_street_months::table, rows.as_slice(), plan_street_months::organisation_id => |row: &StreetMonth| row.organisation_id)?;
        return Ok(!made.is_empty());
    };
    let guarded = plan_street_months::table
        .find((row.plan_id, row.month, row.organisation_id))
        .filter(plan_street_months::version.eq(before.version));
    let changed = diesel::update(guarded)
        .set((
            plan_street_months::state.eq(row.state),
            plan_street_months::changed_by.eq(row.changed_by),
            plan_street_months::changed_at.eq(row.changed_at),
            plan_street_months::version.eq(before.version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Which sub-districts have closed their part of a month.
pub fn soft_streets(conn: &mut Conn, plan: PlanId, month: NaiveDate) -> Result<Vec<OrganisationId>> {
    let query = plan_street_months::table
        .filter(plan_street_months::plan_id.eq(plan))
        .filter(plan_street_months::month.eq(month))
        .filter(plan_street_months::state.eq(StreetState::Soft));
    Ok(query.select(plan_street_months::organisation_id).load(conn)?)
}

/// Keeps a proposed restatement; false when one of the month waits already.
pub fn restatement_create_in_tx(conn: &mut Conn, row: &Restatement) -> Result<bool> {
    let rows = [row.clone()];
    let made = crate::insert_new!(conn, restatements::table, rows.as_slice(), restatements::id => |row: &Restatement| row.id)?;
    Ok(!made.is_empty())
}

/// The restatement `id`, or 404.
pub fn restatement_get(conn: &mut Conn, id: RestatementId) -> Result<Restatement> {
    let found = restatements::table.find(id).select(Restatement::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Restatements of months of a plan, oldest first.
pub fn restatements_of(conn: &mut Conn, plan: PlanId, months: &[NaiveDate]) -> Result<Vec<Restatement>> {
    let query = restatements::table
        .filter(restatements::plan_id.eq(plan))
        .filter(restatements::month.eq_any(months))
        .order(restatements::id)
        .limit(1000);
    Ok(query.select(Restatement::as_select()).load(conn)?)
}

/// Decides a proposed restatement, not by who proposed it; false when it is decided already, or theirs.
pub fn restatement_decide_in_tx(
    conn: &mut Conn,
    id: RestatementId,
    state: RestatementState,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let proposed = restatements::table
        .find(id)
        .filter(restatements::state.eq(RestatementState::Proposed))
        .filter(restatements::proposed_by.ne(by));
    let changed = diesel::update(proposed)
        .set((
            restatements::state.eq(state),
            restatements::decided_by.eq(by),
            restatements::decided_at.eq(db_time(now)),
            restatements::version.eq(restatements::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// How many lines restatements have posted.
pub fn posted_by(conn: &mut Conn, ids: &[RestatementId]) -> Result<Vec<(RestatementId, i64)>> {
    let query = held_corrections::table
        .filter(held_corrections::restatement_id.eq_any(ids))
        .filter(held_corrections::state.eq(crate::ledger::model::HeldState::Posted))
        .select(held_corrections::restatement_id);
    let mut counts: std::collections::BTreeMap<RestatementId, i64> = std::collections::BTreeMap::new();
    for id in query.load::<Option<RestatementId>>(conn)?.into_iter().flatten() {
        *counts.entry(id).or_default() += 1;
    }
    Ok(counts.into_iter().collect())
}
