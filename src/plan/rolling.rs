//! The next year's plan begins as a copy of this year's: items, targets, rules of counting and milestones, and nothing of what was counted.

use std::collections::HashMap;

use chrono::{DateTime, Months, NaiveDate, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::closing;
use super::model::{CountingRule, Milestone, Plan, PlanItem, Target};
use super::store;
use crate::error::{Code, Error, Result};
use crate::ids::{Ids, PlanItemId, TargetId};
use crate::platform::audit::{self, Entry};
use crate::platform::db::schema::{counting_rules, milestones, plan_items, plans, targets};
use crate::platform::db::{Conn, unique_violation};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolled {
    /// Items.
    pub items: usize,
    /// Targets.
    pub targets: usize,
    /// Rules of counting.
    pub rules: usize,
    /// Milestones, all of them still to be reached.
    pub milestones: usize,
}

/// Makes the plan of the year `to` from that of the year `from`.
///
/// # Errors
/// `not_found` without a plan to copy, `plan_there` where the year has one: whichever of two comes second.
pub fn roll_in_tx(conn: &mut Conn, ids: &Ids, now: DateTime<Utc>, from: i64, to: i64) -> Result<Rolled> {
    let old = store::plan_of_year(conn, from)?;
    let later = |day: NaiveDate| moved(day, from, to);
    let renamed = |text: &str| text.replace(&from.to_string(), &to.to_string());
    let plan = Plan {
        id: ids.id(),
        year: to,
        title: renamed(&old.title),
        starts_on: later(old.starts_on)?,
        ends_on: later(old.ends_on)?,
        counts_from: later(old.starts_on)?,
        counts_until: later(old.ends_on)?,
        ..old.clone()
    };
    diesel::insert_into(plans::table)
        .values(&plan)
        .execute(conn)
        .map_err(|error| if unique_violation(&error) { Error::new(Code::PlanThere) } else { error.into() })?;
    closing::store::periods_make_in_tx(conn, &plan)?;
    let mut item_ids: HashMap<PlanItemId, PlanItemId> = HashMap::new();
    for item in store::items(conn, old.id)? {
        let row = PlanItem { id: ids.id(), plan_id: plan.id, ..item.clone() };
        item_ids.insert(item.id, row.id);
        diesel::insert_into(plan_items::table).values(&row).execute(conn)?;
    }
    let item =
        |id: PlanItemId| item_ids.get(&id).copied().ok_or_else(|| Error::internal("an item of no plan"));
    let mut target_ids: HashMap<TargetId, TargetId> = HashMap::new();
    for target in store::targets(conn, old.id)? {
        let row = Target { id: ids.id(), plan_id: plan.id, item_id: item(target.item_id)?, ..target.clone() };
        target_ids.insert(target.id, row.id);
        diesel::insert_into(targets::table).values(&row).execute(conn)?;
    }
    let rules = copy_rules_in_tx(conn, ids, &target_ids)?;
    let mut promised = 0;
    for milestone in store::milestones(conn, old.id)? {
        let row = Milestone {
            id: ids.id(),
            plan_id: plan.id,
            item_id: item(milestone.item_id)?,
            due_on: later(milestone.due_on)?,
            done_at: None,
            done_by: None,
            evidence: None,
            version: 1,
            ..milestone
        };
        promised += diesel::insert_into(milestones::table).values(&row).execute(conn)?;
    }
    let rolled = Rolled { items: item_ids.len(), targets: target_ids.len(), rules, milestones: promised };
    let entry = Entry::system("plan.roll", format!("plan-{to}")).detail(json!({ "from": from }));
    audit::append_in_tx(conn, now, vec![entry])?;
    Ok(rolled)
}

fn copy_rules_in_tx(conn: &mut Conn, ids: &Ids, target_ids: &HashMap<TargetId, TargetId>) -> Result<usize> {
    let mut copied = 0;
    for (old, new) in target_ids {
        let query = counting_rules::table.filter(counting_rules::target_id.eq(old)).order(counting_rules::id);
        for rule in query.select(CountingRule::as_select()).load::<CountingRule>(conn)? {
            let row = CountingRule { id: ids.id(), target_id: *new, ..rule };
            copied += diesel::insert_into(counting_rules::table).values(&row).execute(conn)?;
        }
    }
    Ok(copied)
}

/// The same day of another year; the last of February where there is no such day.
fn moved(day: NaiveDate, from: i64, to: i64) -> Result<NaiveDate> {
    let years = u32::try_from(from.abs_diff(to)).ok().and_then(|years| years.checked_mul(12));
    let months = years.map(Months::new);
    let found = months.and_then(|months| {
        if to >= from { day.checked_add_months(months) } else { day.checked_sub_months(months) }
    });
    found.ok_or_else(|| Error::internal(format!("{to} is no year")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_keep_their_place_in_the_year() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(moved(day("2025-12-31"), 2025, 2026).unwrap(), day("2026-12-31"));
        assert_eq!(moved(day("2024-02-29"), 2024, 2025).unwrap(), day("2025-02-28"));
        assert_eq!(moved(day("2025-06-30"), 2025, 2024).unwrap(), day("2024-06-30"));
        assert!(moved(day("2025-06-30"), 2025, i64::MAX).is_err());
    }
}
