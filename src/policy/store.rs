//! Queries of policies.

use std::collections::HashMap;

use chrono::NaiveDate;
use diesel::prelude::*;

use super::model::Policy;
use crate::error::{Error, Result};
use crate::platform::db::Conn;
use crate::platform::db::schema::policies;

/// The policy `key` as it is in force on `day`; none before its first day, and for a key that nobody has set.
pub fn on(conn: &mut Conn, key: &str, day: NaiveDate) -> Result<Option<Policy>> {
    let in_force = policies::table
        .filter(policies::policy_key.eq(key))
        .filter(policies::effective_from.le(day))
        .order(policies::effective_from.desc());
    Ok(in_force.select(Policy::as_select()).first(conn).optional()?)
}

/// The number that `key` is set to on `day`.
///
/// # Errors
/// An internal error naming the key where it is not set, or not a number: the seeds are not loaded.
pub fn number_on(conn: &mut Conn, key: &str, day: NaiveDate) -> Result<i64> {
    on(conn, key, day)?.map_or_else(|| Err(missing(key)), |policy| number(&policy))
}

/// [`number_on`] for several keys, in one query.
pub fn numbers_on<'a>(conn: &mut Conn, keys: &[&'a str], day: NaiveDate) -> Result<HashMap<&'a str, i64>> {
    let rows: Vec<Policy> = policies::table
        .filter(policies::policy_key.eq_any(keys))
        .filter(policies::effective_from.le(day))
        .order(policies::effective_from)
        .select(Policy::as_select())
        .load(conn)?;
    // In the order of their days: the last one stays.
    let in_force: HashMap<String, Policy> =
        rows.into_iter().map(|row| (row.policy_key.clone(), row)).collect();
    keys.iter().map(|key| Ok((*key, number(in_force.get(*key).ok_or_else(|| missing(key))?)?))).collect()
}

fn number(policy: &Policy) -> Result<i64> {
    policy
        .value
        .parse()
        .map_err(|_| Error::internal(format!("the policy {} is not a number", policy.policy_key)))
}

fn missing(key: &str) -> Error {
    Error::internal(format!("the policy {key} is not set: run `unionhall seed`"))
}
