//! How long an offered place is kept and how many may wait together, from the policies of the day.

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::OfferTerms;
use crate::clock::civil_day;
use crate::error::Result;
use crate::platform::db::Conn;
use crate::policy;

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
    policy::store::number_on(conn, key, civil_day(now))
}
