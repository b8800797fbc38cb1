//! Queries of policies and of the calendar.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use diesel::prelude::*;

use super::calendar::{Calendar, DayKind};
use super::clock::{DayUnit, Rule, Term};
use super::model::{Policy, PolicyUnit};
use crate::error::{Error, Result};
use crate::platform::db::Conn;
use crate::platform::db::schema::{calendar_days, calendar_years, policies};

/// How far ahead the calendar should reach. The notice of a year comes in November of the year before.
pub const AHEAD_DAYS: Days = Days::new(90);

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

/// The term that `key` is set to on `day`, with the version of the rule.
///
/// # Errors
/// An internal error naming the key where it is not set, or not a number of days.
pub fn rule_on(conn: &mut Conn, key: &str, day: NaiveDate) -> Result<Rule> {
    let policy = on(conn, key, day)?.ok_or_else(|| missing(key))?;
    let unit = match policy.unit {
        PolicyUnit::CalendarDays => DayUnit::CalendarDays,
        PolicyUnit::WorkingDays => DayUnit::WorkingDays,
        other => return Err(Error::internal(format!("the policy {key} is in {other}, not in days"))),
    };
    let term = Term { days: number(&policy)?, unit };
    Ok(Rule { key: policy.policy_key, effective_from: policy.effective_from, term })
}

/// The calendar as it is stored. It changes once a year, with the seeds: whoever counts often keeps it for a while.
pub fn calendar(conn: &mut Conn) -> Result<Calendar> {
    let days: Vec<(NaiveDate, DayKind)> =
        calendar_days::table.select((calendar_days::day, calendar_days::kind)).load(conn)?;
    Ok(Calendar::new(days, years(conn)?))
}

/// The years of `today` and of the [`AHEAD_DAYS`] days after it that the stored calendar does not know.
pub fn unknown_years(conn: &mut Conn, today: NaiveDate) -> Result<Vec<i32>> {
    let ahead = today.checked_add_days(AHEAD_DAYS).unwrap_or(NaiveDate::MAX);
    Ok(Calendar::new([], years(conn)?).unknown_years(today, ahead))
}

fn years(conn: &mut Conn) -> Result<impl Iterator<Item = i32> + use<>> {
    let years: Vec<i64> = calendar_years::table.select(calendar_years::year).load(conn)?;
    // No notice speaks of a year beyond that reach.
    Ok(years.into_iter().filter_map(|year| i32::try_from(year).ok()))
}

/// The value of a policy that is a number.
pub fn number(policy: &Policy) -> Result<i64> {
    policy
        .value
        .parse()
        .map_err(|_| Error::internal(format!("the policy {} is not a number", policy.policy_key)))
}

fn missing(key: &str) -> Error {
    Error::internal(format!("the policy {key} is not set: run `unionhall seed`"))
}
