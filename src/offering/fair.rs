//! The seed of an activity's shuffle: its hash is published before anybody signs up, the seed itself afterwards.
//!
//! Who signs up in the first minutes is put in an order that follows from the seed alone, so nobody gains by being a second
//! faster. The hash binds the organiser to the seed; the seed, once it is out, lets anybody compute the order again.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, Ids};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, fair_draws};
use crate::platform::vault::{Field, Vault};

/// The sealed column.
pub const SEED: Field = Field("fair_draws.seed");

/// A shuffle, promised or done.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = fair_draws)]
pub struct FairDraw {
    /// Of what.
    pub activity_id: ActivityId,
    /// SHA-256 of the seed's text, in hexadecimal.
    pub commitment: String,
    /// The seed, until it is drawn.
    pub seed_sealed: String,
    /// When it was drawn.
    pub drawn_at: Option<NaiveDateTime>,
    /// The seed, since then.
    pub seed: Option<String>,
    /// Sign-ups that were shuffled have this number and the following ones, in the order that came out.
    pub first_number: Option<i64>,
    /// How many were shuffled.
    pub entries: Option<i64>,
    /// SHA-256 over the order: one id a line.
    pub digest: Option<String>,
}

/// The hash by which a seed is promised.
pub fn commitment(seed: &str) -> String {
    hex::encode(Sha256::digest(seed))
}

/// Promises a shuffle, once.
pub fn promise_in_tx(conn: &mut Conn, vault: &Vault, ids: &Ids, activity: ActivityId) -> Result<()> {
    let seed = hex::encode(ids.bytes::<32>());
    let rows = [FairDraw {
        activity_id: activity,
        commitment: commitment(&seed),
        seed_sealed: vault.seal(SEED, activity.0.as_bytes(), &seed).map_err(Error::internal)?,
        drawn_at: None,
        seed: None,
        first_number: None,
        entries: None,
        digest: None,
    }];
    crate::insert_new!(conn, fair_draws::table, rows.as_slice(), fair_draws::activity_id => |row: &FairDraw| row.activity_id)?;
    Ok(())
}

/// The shuffle of an activity, if one was promised.
pub fn get(conn: &mut Conn, activity: ActivityId) -> Result<Option<FairDraw>> {
    Ok(fair_draws::table.find(activity).select(FairDraw::as_select()).first(conn).optional()?)
}

/// The seed of a promised shuffle.
pub fn seed(vault: &Vault, draw: &FairDraw) -> Result<String> {
    let opened =
        vault.open(SEED, draw.activity_id.0.as_bytes(), &draw.seed_sealed).map_err(Error::internal)?;
    Ok(opened.expose_secret().to_owned())
}

/// What came out of a shuffle.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The seed, published from now on.
    pub seed: String,
    /// The first number of the new order.
    pub first_number: i64,
    /// How many were shuffled.
    pub entries: i64,
    /// SHA-256 over the order.
    pub digest: String,
}

/// Publishes what came out; false when that was done already.
pub fn drawn_in_tx(conn: &mut Conn, activity: ActivityId, drawn: &Drawn, now: DateTime<Utc>) -> Result<bool> {
    let open = fair_draws::table.find(activity).filter(fair_draws::drawn_at.is_null());
    let changed = diesel::update(open)
        .set((
            fair_draws::drawn_at.eq(db_time(now)),
            fair_draws::seed.eq(&drawn.seed),
            fair_draws::first_number.eq(drawn.first_number),
            fair_draws::entries.eq(drawn.entries),
            fair_draws::digest.eq(&drawn.digest),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Activities whose shuffle is promised and not done, with when sign-up opens and for how many minutes it shuffles.
pub fn open(conn: &mut Conn) -> Result<Vec<super::model::Activity>> {
    let query = activities::table
        .inner_join(fair_draws::table)
        .filter(fair_draws::drawn_at.is_null())
        .select(super::model::Activity::as_select());
    Ok(query.load(conn)?)
}
