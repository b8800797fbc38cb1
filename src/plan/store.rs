//! Queries of the plan.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{CountingRule, Milestone, Plan, PlanItem, Target};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{MilestoneId, PersonId, PlanId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{counting_rules, milestones, plan_items, plans, targets};

/// The plan of `year`, or 404.
pub fn plan_of_year(conn: &mut Conn, year: i64) -> Result<Plan> {
    let found = plans::table.filter(plans::year.eq(year)).select(Plan::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The plan `id`, or 404.
pub fn plan_get(conn: &mut Conn, id: PlanId) -> Result<Plan> {
    let found = plans::table.find(id).select(Plan::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// All plans, newest first.
pub fn plan_list(conn: &mut Conn) -> Result<Vec<Plan>> {
    Ok(plans::table.order(plans::year.desc()).limit(100).select(Plan::as_select()).load(conn)?)
}

/// The plan's items, in order.
pub fn items(conn: &mut Conn, plan: PlanId) -> Result<Vec<PlanItem>> {
    let query = plan_items::table.filter(plan_items::plan_id.eq(plan)).order(plan_items::number);
    Ok(query.select(PlanItem::as_select()).load(conn)?)
}

/// The plan's targets, by code.
pub fn targets(conn: &mut Conn, plan: PlanId) -> Result<Vec<Target>> {
    let query = targets::table.filter(targets::plan_id.eq(plan)).order(targets::code);
    Ok(query.select(Target::as_select()).load(conn)?)
}

/// The target `code` of a plan, or 404.
pub fn target(conn: &mut Conn, plan: PlanId, code: &str) -> Result<Target> {
    let query = targets::table.filter(targets::plan_id.eq(plan)).filter(targets::code.eq(code));
    query.select(Target::as_select()).first(conn).optional()?.ok_or_else(Error::not_found)
}

/// Every rule with its target, of plans for which `day` counts.
pub fn rules_on(conn: &mut Conn, day: NaiveDate) -> Result<Vec<(CountingRule, Target)>> {
    let query = counting_rules::table
        .inner_join(targets::table.inner_join(plans::table))
        .filter(plans::counts_from.le(day))
        .filter(plans::counts_until.ge(day))
        .order((targets::code, counting_rules::id));
    Ok(query.select((CountingRule::as_select(), Target::as_select())).load(conn)?)
}

/// Until when the plans for which `day` counts are counted for.
pub fn counts_until(conn: &mut Conn, day: NaiveDate) -> Result<Option<NaiveDate>> {
    let of_day = plans::table.filter(plans::counts_from.le(day)).filter(plans::counts_until.ge(day));
    Ok(of_day.select(diesel::dsl::max(plans::counts_until)).first(conn)?)
}

/// The plan's milestones, by code.
pub fn milestones(conn: &mut Conn, plan: PlanId) -> Result<Vec<Milestone>> {
    let query = milestones::table.filter(milestones::plan_id.eq(plan)).order(milestones::code);
    Ok(query.select(Milestone::as_select()).load(conn)?)
}

/// The milestone `id`, or 404.
pub fn milestone_get(conn: &mut Conn, id: MilestoneId) -> Result<Milestone> {
    let found = milestones::table.find(id).select(Milestone::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Says that a milestone is reached, or takes that back; it must still be at `version`.
pub fn milestone_set_in_tx(
    conn: &mut Conn,
    id: MilestoneId,
    version: i64,
    reached: Option<(PersonId, String)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let guarded = milestones::table.filter(milestones::id.eq(id)).filter(milestones::version.eq(version));
    let (by, evidence) = reached.map_or((None, None), |(by, evidence)| (Some(by), Some(evidence)));
    let changed = diesel::update(guarded)
        .set((
            milestones::done_at.eq(by.map(|_| db_time(now))),
            milestones::done_by.eq(by),
            milestones::evidence.eq(evidence),
            milestones::version.eq(version + 1),
        ))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(Error::new(Code::PreconditionFailed)) }
}
