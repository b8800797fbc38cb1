//! Restatements: what is held for a closed month is posted, when one officer has said why and another agrees.

use chrono::NaiveDate;
use serde_json::json;

use super::acts::{self, Act};
use super::model::{PeriodKind, PeriodState, Restatement, RestatementState};
use super::rules::{self, PeriodName, RestatementEvent};
use super::store;
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{Ids, RestatementId};
use crate::ledger;
use crate::plan;
use crate::plan::model::Plan;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;

/// Why a month is to be restated.
#[derive(Debug, Clone)]
pub struct Why {
    /// In words.
    pub reason: String,
    /// What shows it.
    pub evidence: Option<String>,
}

/// Proposes to restate a closed month.
pub fn propose_in_tx(
    conn: &mut Conn,
    id: RestatementId,
    plan: &Plan,
    name: PeriodName,
    why: &Why,
    act: Act,
) -> Result<Restatement> {
    let (period, _) = acts::held_in_tx(conn, plan, name)?;
    if period.kind != PeriodKind::Month {
        return Err(Error::not_found());
    }
    if period.state != PeriodState::Hard {
        return Err(Error::new(Code::StateForbids)
            .detail("月份尚未结账，无须重述", "The month is not closed: there is nothing to restate"));
    }
    if ledger::held::count(conn, (plan.id, period.starts_on))? == 0 {
        return Err(
            Error::new(Code::StateForbids).detail("该月没有待重述的更正", "Nothing is held for this month")
        );
    }
    let row = Restatement {
        id,
        plan_id: plan.id,
        month: period.starts_on,
        state: RestatementState::Proposed,
        reason: why.reason.clone(),
        evidence: why.evidence.clone(),
        proposed_by: act.by,
        proposed_at: db_time(act.now),
        decided_by: None,
        decided_at: None,
        version: 1,
    };
    if !store::restatement_create_in_tx(conn, &row)? {
        return Err(Error::new(Code::StateForbids)
            .detail("该月已有待同意的重述", "A restatement of this month waits already"));
    }
    let detail = json!({ "period": rules::label(period.kind, period.starts_on) });
    audit::append_in_tx(conn, act.now, vec![Entry::new(act.by, "restatement.propose", id).detail(detail)])?;
    Ok(row)
}

/// Another officer agrees, and everything that is held for the month is posted; or does not, and it stays held.
pub fn decide_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    id: RestatementId,
    agree: bool,
    act: Act,
) -> Result<Restatement> {
    let seen = store::restatement_get(conn, id)?;
    let plan = plan::store::plan_get(conn, seen.plan_id)?;
    let all = store::periods_lock_in_tx(conn, plan.id)?;
    let seen = store::restatement_get(conn, id)?;
    let event = if agree { RestatementEvent::Agree } else { RestatementEvent::Refuse };
    let state = rules::transition(rules::RESTATEMENT, event, seen.state)?;
    if seen.proposed_by == act.by {
        return Err(Error::new(Code::SecondOfficer));
    }
    if !store::restatement_decide_in_tx(conn, id, state, act.by, act.now)? {
        return Err(Error::new(Code::Conflict));
    }
    let mut detail = json!({ "period": label(seen.month) });
    let action = if agree {
        let at = acts::after_all(conn, &plan, &all, act.now)?;
        let restated = ledger::held::restate_in_tx(conn, ids, (plan.id, seen.month), id, at)?;
        detail =
            json!({ "period": label(seen.month), "posted": restated.posted, "dropped": restated.dropped });
        "restatement.agree"
    } else {
        "restatement.refuse"
    };
    audit::append_in_tx(conn, act.now, vec![Entry::new(act.by, action, id).detail(detail)])?;
    store::restatement_get(conn, id)
}

/// The label of a month.
pub fn label(month: NaiveDate) -> String {
    rules::label(PeriodKind::Month, month)
}
