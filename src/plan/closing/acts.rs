//! Closing: by a street, by the district. Each act holds the rows of the plan's periods, so that nobody counts for them meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::checklist::{self, Part};
use super::model::{PeriodKind, PeriodRow, PeriodState, StreetMonth, StreetState};
use super::rules::{self, Item, ItemKind, PeriodEvent, PeriodName, StreetEvent};
use super::store;
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::PersonId;
use crate::ledger;
use crate::org::model::{Organisation, OrganisationKind};
use crate::plan::model::Plan;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;

/// Who does something about a period, and when.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// Who.
    pub by: PersonId,
    /// When.
    pub now: DateTime<Utc>,
}

/// The period of that name, held with all others of its plan.
pub(super) fn held_in_tx(
    conn: &mut Conn,
    plan: &Plan,
    name: PeriodName,
) -> Result<(PeriodRow, Vec<PeriodRow>)> {
    // Plans of before there were periods.
    store::periods_make_in_tx(conn, plan)?;
    let all = store::periods_lock_in_tx(conn, plan.id)?;
    let starts_on = name.starts_on(plan.starts_on);
    let row = all.iter().find(|row| (row.kind, row.starts_on) == (name.kind, starts_on)).cloned();
    Ok((row.ok_or_else(Error::not_found)?, all))
}

/// A street says that its part of a month is done, or takes that back.
pub fn street_in_tx(
    conn: &mut Conn,
    plan: &Plan,
    name: PeriodName,
    street: &Organisation,
    event: StreetEvent,
    act: Act,
) -> Result<StreetMonth> {
    if name.kind != PeriodKind::Month || street.kind != OrganisationKind::SubDistrict {
        return Err(Error::not_found());
    }
    let (period, _) = held_in_tx(conn, plan, name)?;
    if period.state == PeriodState::Hard {
        return Err(Error::new(Code::PeriodClosed));
    }
    let before = store::street_month(conn, plan.id, period.starts_on, street.id)?;
    let state = before.as_ref().map_or(StreetState::Open, |row| row.state);
    let state = rules::transition(rules::STREET, event, state)?;
    if state == StreetState::Soft {
        rules::over(period.kind, period.starts_on, civil_day(act.now))?;
        let part = Part { kind: period.kind, starts_on: period.starts_on, street: Some(street.id) };
        rules::clean(&checklist::open(conn, part, act.now)?)?;
    }
    let row = StreetMonth {
        plan_id: plan.id,
        month: period.starts_on,
        organisation_id: street.id,
        state,
        changed_by: act.by,
        changed_at: db_time(act.now),
        version: before.as_ref().map_or(1, |row| row.version + 1),
    };
    if !store::street_month_set_in_tx(conn, before.as_ref(), &row)? {
        return Err(Error::new(Code::Conflict));
    }
    let action = if state == StreetState::Soft { "period.soften" } else { "period.reopen" };
    let detail = json!({ "period": rules::label(period.kind, period.starts_on) });
    audit::append_in_tx(conn, act.now, vec![Entry::new(act.by, action, street.id).detail(detail)])?;
    Ok(row)
}

/// Everything that keeps a period open: what is not settled, the streets of a month, the months of a quarter.
pub fn open(conn: &mut Conn, plan: &Plan, period: &PeriodRow, now: DateTime<Utc>) -> Result<Vec<Item>> {
    let part = Part { kind: period.kind, starts_on: period.starts_on, street: None };
    let mut items = checklist::open(conn, part, now)?;
    match period.kind {
        PeriodKind::Month => {
            let soft = store::soft_streets(conn, plan.id, period.starts_on)?;
            let open = store::streets(conn)?.into_iter().filter(|street| !soft.contains(&street.id));
            items.extend(open.map(|street| Item {
                kind: ItemKind::StreetOpen,
                id: street.id.to_string(),
                name: Some(street.short_name),
            }));
        }
        PeriodKind::Quarter => {
            let months = rules::months(period.kind, period.starts_on);
            let all = store::periods(conn, plan.id)?;
            let open = all.into_iter().filter(|row| {
                row.kind == PeriodKind::Month
                    && months.contains(&row.starts_on)
                    && row.state != PeriodState::Hard
            });
            items.extend(open.map(|row| Item {
                kind: ItemKind::MonthOpen,
                id: rules::label(row.kind, row.starts_on),
                name: None,
            }));
        }
    }
    Ok(items)
}

fn ready(conn: &mut Conn, plan: &Plan, period: &PeriodRow, now: DateTime<Utc>) -> Result<()> {
    rules::over(period.kind, period.starts_on, civil_day(now))?;
    rules::clean(&open(conn, plan, period, now)?)
}

/// One officer of the district proposes to close a period.
pub fn propose_in_tx(conn: &mut Conn, plan: &Plan, name: PeriodName, act: Act) -> Result<PeriodRow> {
    let (period, _) = held_in_tx(conn, plan, name)?;
    rules::transition(rules::PERIOD, PeriodEvent::Propose, period.state)?;
    ready(conn, plan, &period, act.now)?;
    if !store::propose_in_tx(conn, &period, act.by, act.now)? {
        return Err(Error::new(Code::Conflict));
    }
    done_in_tx(conn, plan, &period, "period.propose", act)
}

/// Another agrees, and it is closed; or does not.
pub fn decide_in_tx(
    conn: &mut Conn,
    plan: &Plan,
    name: PeriodName,
    agree: bool,
    act: Act,
) -> Result<PeriodRow> {
    let (period, _) = held_in_tx(conn, plan, name)?;
    let event = if agree { PeriodEvent::Close } else { PeriodEvent::Refuse };
    rules::transition(rules::PERIOD, event, period.state)?;
    if !agree {
        if !store::refuse_in_tx(conn, &period)? {
            return Err(Error::new(Code::Conflict));
        }
        return done_in_tx(conn, plan, &period, "period.refuse", act);
    }
    if period.proposed_by == Some(act.by) {
        return Err(Error::new(Code::SecondOfficer));
    }
    ready(conn, plan, &period, act.now)?;
    // Another instance's clock may be ahead: whatever is recorded was known when it was closed.
    let at = ledger::past::last_recorded(conn, plan.id)?.map_or(act.now, |last| last.max(act.now));
    if !store::close_in_tx(conn, &period, act.by, at)? {
        return Err(Error::new(Code::Conflict));
    }
    done_in_tx(conn, plan, &period, "period.close", act)
}

fn done_in_tx(
    conn: &mut Conn,
    plan: &Plan,
    period: &PeriodRow,
    action: &'static str,
    act: Act,
) -> Result<PeriodRow> {
    let label = rules::label(period.kind, period.starts_on);
    audit::append_in_tx(conn, act.now, vec![Entry::new(act.by, action, label)])?;
    store::period(conn, plan.id, period.kind, period.starts_on)
}

/// A moment after everything of a plan was closed and recorded: what is written then was not known before.
pub(super) fn after_all(
    conn: &mut Conn,
    plan: &Plan,
    all: &[PeriodRow],
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let closed = all.iter().filter_map(|row| row.closed_at).max().map(|at| at.and_utc());
    let last = closed.max(ledger::past::last_recorded(conn, plan.id)?);
    let least = last.map(|at| at.checked_add_signed(TimeDelta::microseconds(1)).unwrap_or(at));
    Ok(least.map_or(now, |least| least.max(now)))
}
