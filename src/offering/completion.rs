//! From which share of an activity somebody has completed it: a setting of the activity, as its organiser says it.

use std::collections::HashMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::SessionState;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::ActivityId;
use crate::platform::db::Conn;
use crate::platform::db::schema::{completion_rules, sessions};

crate::text_enum! {
    /// What a share is of.
    pub enum ShareOf {
        /// 场次.
        Sessions = "sessions",
        /// 课时: late and early ones have fewer.
        Hours = "hours",
    }
}

/// From which share of an activity somebody has completed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"of": "sessions", "percent": 80}))]
pub struct CompletionRule {
    /// Of its sessions, or of its hours.
    pub of: ShareOf,
    /// In per cent.
    #[schema(minimum = 1, maximum = 100)]
    pub percent: i64,
}

/// The rules of activities that have one.
pub fn rules_of(conn: &mut Conn, ids: &[ActivityId]) -> Result<HashMap<ActivityId, CompletionRule>> {
    let rows: Vec<(ActivityId, ShareOf, i64)> = completion_rules::table
        .filter(completion_rules::activity_id.eq_any(ids))
        .select((completion_rules::activity_id, completion_rules::share_of, completion_rules::percent))
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, of, percent)| (id, CompletionRule { of, percent })).collect())
}

/// The rule of an activity.
pub fn rule_of(conn: &mut Conn, id: ActivityId) -> Result<Option<CompletionRule>> {
    Ok(rules_of(conn, &[id])?.remove(&id))
}

/// Gives a new activity its rule.
pub fn rule_make_in_tx(conn: &mut Conn, id: ActivityId, rule: CompletionRule) -> Result<()> {
    diesel::insert_into(completion_rules::table)
        .values((
            completion_rules::activity_id.eq(id),
            completion_rules::share_of.eq(rule.of),
            completion_rules::percent.eq(rule.percent),
        ))
        .execute(conn)?;
    Ok(())
}

/// Gives an activity another rule. The caller holds the activity's row, so that no session is finalised meanwhile.
///
/// # Errors
/// 422 once a session is finalised: people came by the rule that stood then.
pub fn rule_change_in_tx(conn: &mut Conn, id: ActivityId, rule: CompletionRule) -> Result<()> {
    let before = rule_of(conn, id)?;
    if before == Some(rule) {
        return Ok(());
    }
    let over = sessions::table
        .filter(sessions::activity_id.eq(id))
        .filter(sessions::state.eq(SessionState::Finalised))
        .count();
    if over.get_result::<i64>(conn)? > 0 {
        let text = Text::new("已有场次结算，不能再修改", "a session is finalised; it stays as it is");
        return Err(Error::invalid(vec![Fault::new("/completion", "fixed", text)]));
    }
    diesel::delete(completion_rules::table.find(id)).execute(conn)?;
    rule_make_in_tx(conn, id, rule)
}
