//! How long an offered place is kept and how many may wait together, from the policies of the day.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::rules::OfferTerms;
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::platform::db::Conn;
use crate::platform::db::schema::policies;

/// The terms of the day of `now`.
pub fn on(conn: &mut Conn, now: DateTime<Utc>) -> Result<OfferTerms> {
    Ok(OfferTerms {
        longest: TimeDelta::hours(number(conn, "signup.offer_ttl", now)?),
        shortest: TimeDelta::minutes(number(conn, "signup.offer_ttl_min", now)?),
    })
}

/// How many people may wait together.
pub fn party_max(conn: &mut Conn, now: DateTime<Utc>) -> Result<i64> {
    number(conn, "signup.party_max", now)
}

fn number(conn: &mut Conn, key: &str, now: DateTime<Utc>) -> Result<i64> {
    let value: Option<String> = policies::table
        .filter(policies::policy_key.eq(key))
        .filter(policies::effective_from.le(civil_day(now)))
        .order(policies::effective_from.desc())
        .select(policies::value)
        .first(conn)
        .optional()?;
    let value = value.and_then(|text| text.parse().ok());
    value.ok_or_else(|| Error::internal(format!("the policy {key} is missing or no number")))
}
