//! What was issued for a period, what it is now, and why that is something else.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::model::{PeriodRow, PeriodState};
use super::{rules, store};
use crate::error::Result;
use crate::ids::{OrganisationId, TargetId};
use crate::ledger;
use crate::ledger::model::Cause;
use crate::plan::model::{Plan, Target};
use crate::platform::db::Conn;
use crate::platform::db::schema::ledger_rollups;

/// Why a figure moved, and by how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Why.
    pub cause: Cause,
    /// By how much.
    pub quantity: i64,
    /// In how many lines.
    pub lines: i64,
}

/// A target's figure of one organisation in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The target.
    pub target: TargetId,
    /// Whose figure.
    pub organisation: OrganisationId,
    /// As it is now.
    pub value: i64,
    /// What restatements have changed since it was closed.
    pub moved: Vec<Moved>,
}

impl Figure {
    /// What was issued when it was closed.
    pub fn issued(&self) -> i64 {
        self.value - self.difference()
    }

    /// What has changed since.
    pub fn difference(&self) -> i64 {
        self.moved.iter().map(|moved| moved.quantity).sum()
    }
}

/// The figures of a period, by target and organisation. `periods` are all of the plan.
pub fn of(conn: &mut Conn, plan: &Plan, targets: &[Target], period: &PeriodRow) -> Result<Vec<Figure>> {
    let months = rules::months(period.kind, period.starts_on);
    let ids: Vec<TargetId> = targets.iter().map(|target| target.id).collect();
    let mut moved: HashMap<(TargetId, OrganisationId), BTreeMap<Cause, (i64, i64)>> = HashMap::new();
    for row in store::periods(conn, plan.id)? {
        let closed_at = row.closed_at.filter(|_| row.state == PeriodState::Hard);
        let Some(at) = closed_at.filter(|_| row.kind == super::model::PeriodKind::Month) else { continue };
        if !months.contains(&row.starts_on) {
            continue;
        }
        for change in ledger::past::restated(conn, (plan.id, row.starts_on), at.and_utc())? {
            let causes = moved.entry((change.target, change.organisation)).or_default();
            let sum = causes.entry(change.cause).or_default();
            sum.0 += change.quantity;
            sum.1 += change.lines;
        }
    }
    let rows: Vec<(TargetId, OrganisationId, i64)> = ledger_rollups::table
        .filter(ledger_rollups::target_id.eq_any(&ids))
        .filter(ledger_rollups::month.eq_any(&months))
        .select((ledger_rollups::target_id, ledger_rollups::organisation_id, ledger_rollups::quantity))
        .load(conn)?;
    let mut values: BTreeMap<(TargetId, OrganisationId), i64> = BTreeMap::new();
    for (target, organisation, quantity) in rows {
        *values.entry((target, organisation)).or_default() += quantity;
    }
    let figure = |((target, organisation), value)| {
        let causes = moved.remove(&(target, organisation)).unwrap_or_default();
        let moved = causes.into_iter().map(|(cause, (quantity, lines))| Moved { cause, quantity, lines });
        Figure { target, organisation, value, moved: moved.collect() }
    };
    Ok(values.into_iter().map(figure).collect())
}
