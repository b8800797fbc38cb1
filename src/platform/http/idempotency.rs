//! Idempotency keys, stored in the transaction of their effect.
//!
//! A client that heard no answer repeats its request with the same key and gets the same answer, byte for byte, from
//! one effect. The key belongs to a person and to the request's fingerprint; another request under the same
//! key is refused. Refusals have no effect and are not kept: a repetition is judged again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Text};

use super::extract::RequestKey;
use super::reply::Stored;
use crate::clock::{SharedClock, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::PersonId;
use crate::platform::db::schema::idempotency_keys;
use crate::platform::db::{Conn, Db, unique_violation};

/// How long an answer is kept: an offline device may repeat itself days later.
pub const KEEP: chrono::TimeDelta = chrono::TimeDelta::days(7);

/// How often an act that lost a race is tried again before the client is asked to.
const RACES: usize = 4;

/// One person's use of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Whose key it is.
    pub principal: PersonId,
    /// The key and the request's fingerprint.
    pub request: RequestKey,
}

#[derive(Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = idempotency_keys, treat_none_as_default_value = false)]
struct Row {
    principal: PersonId,
    idempotency_key: String,
    fingerprint: Vec<u8>,
    status: i64,
    location: Option<String>,
    etag: Option<String>,
    body: String,
    created_at: NaiveDateTime,
}

/// What is known of a key.
#[derive(Debug, Clone)]
pub enum Known {
    /// This very request was answered so.
    Answered(Stored),
    /// The key was used for another request.
    Mismatch,
}

impl Known {
    /// The answer, or the refusal.
    pub fn into_result(self) -> Result<Stored> {
        match self {
            Self::Answered(stored) => Ok(stored),
            Self::Mismatch => Err(Error::new(Code::IdempotencyMismatch)),
        }
    }
}

/// What is known of `uses`, by their place in the list.
pub fn find_in_tx(conn: &mut Conn, uses: &[&Use]) -> Result<HashMap<usize, Known>> {
    let pairs: HashSet<(PersonId, &str)> =
        uses.iter().map(|one| (one.principal, one.request.key.as_str())).collect();
    let rows = find(conn, &pairs)?;
    let rows: HashMap<(PersonId, &str), &Row> =
        rows.iter().map(|row| ((row.principal, row.idempotency_key.as_str()), row)).collect();
    let mut known = HashMap::new();
    for (place, one) in uses.iter().enumerate() {
        if let Some(row) = rows.get(&(one.principal, one.request.key.as_str())) {
            let answer = if row.fingerprint == one.request.fingerprint {
                Known::Answered(Stored {
                    status: u16::try_from(row.status).unwrap_or(200),
                    location: row.location.clone(),
                    etag: row.etag.clone(),
                    body: row.body.clone(),
                    replayed: true,
                    undone: false,
                })
            } else {
                Known::Mismatch
            };
            known.insert(place, answer);
        }
    }
    Ok(known)
}

fn find(conn: &mut Conn, pairs: &HashSet<(PersonId, &str)>) -> diesel::QueryResult<Vec<Row>> {
    crate::load_pairs!(
        conn,
        Row,
        pairs,
        (person, key) => idempotency_keys::table.find((person, key)).select(Row::as_select()),
        "idempotency_keys",
        "principal": Binary,
        "idempotency_key": Text
    )
}

/// What is decided already of a batch of `uses`, by their place in the list: the answers of earlier requests, and, of
/// a key that stands in the batch twice, that the later one is to wait for the earlier.
pub fn decided_in_tx(conn: &mut Conn, uses: &[&Use]) -> Result<HashMap<usize, Result<Stored>>> {
    let mut decided: HashMap<usize, Result<Stored>> =
        find_in_tx(conn, uses)?.into_iter().map(|(place, known)| (place, known.into_result())).collect();
    let mut seen = HashSet::new();
    for (place, one) in uses.iter().enumerate() {
        if !seen.insert((one.principal, one.request.key.as_str())) {
            decided.entry(place).or_insert_with(|| Err(running()));
        }
    }
    Ok(decided)
}

fn running() -> Error {
    Error::new(Code::IdempotencyRunning).retry_after(Duration::from_secs(1))
}

/// Keeps answers beside their effects.
///
/// # Errors
/// 409 `idempotency_running` when another transaction has used one of the keys meanwhile: everything is rolled back,
/// and whoever tries again finds the other's answer.
pub fn store_in_tx(
    conn: &mut Conn,
    answers: &[(&Use, &Stored)],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    let rows: Vec<Row> = answers
        .iter()
        .map(|(one, stored)| Row {
            principal: one.principal,
            idempotency_key: one.request.key.clone(),
            fingerprint: one.request.fingerprint.clone(),
            status: i64::from(stored.status),
            location: stored.location.clone(),
            etag: stored.etag.clone(),
            body: stored.body.clone(),
            created_at: db_time(now),
        })
        .collect();
    match insert(conn, &rows) {
        Err(error) if unique_violation(&error) => Err(Error::new(Code::IdempotencyRunning).cause(error)),
        other => Ok(other?),
    }
}

fn insert(conn: &mut Conn, rows: &[Row]) -> diesel::QueryResult<()> {
    #[rustfmt::skip]
    crate::insert_rows!(conn, idempotency_keys [
        principal, idempotency_key, fingerprint, status, location, etag, body, created_at,
    ], rows)?;
    Ok(())
}

/// Forgets answers older than [`KEEP`] and says how many.
pub fn purge_in_tx(conn: &mut Conn, now: chrono::DateTime<chrono::Utc>) -> Result<usize> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.lt(db_time(now - KEEP)));
    Ok(diesel::delete(old).execute(conn)?)
}

/// Forgets the answers to `people`.
pub fn forget_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let theirs = idempotency_keys::table.filter(idempotency_keys::principal.eq_any(people));
    Ok(diesel::delete(theirs).execute(conn)?)
}

/// Empties answers, to whomever, that name one of `ids`, but those with the field `but`: the acts stay done once, and a repetition is told
/// nothing more of them. It reads every answer that is kept.
pub fn empty_in_tx(conn: &mut Conn, ids: &[String], but: &str) -> Result<usize> {
    let mut emptied = 0;
    for id in ids {
        // Ids have no sign that LIKE knows but the underscore, which stands for itself, too.
        let about = idempotency_keys::table
            .filter(idempotency_keys::body.like(format!("%{id}%")))
            .filter(idempotency_keys::body.not_like(format!("%\"{but}\":%")));
        emptied += diesel::update(about).set(idempotency_keys::body.eq("{}")).execute(conn)?;
    }
    Ok(emptied)
}

/// Runs acts under their keys.
#[derive(Clone)]
pub struct Idempotency {
    db: Db,
    clock: SharedClock,
    running: Arc<Mutex<HashSet<(PersonId, String)>>>,
}

/// Says that a request is running, until it is dropped.
pub struct Running {
    set: Arc<Mutex<HashSet<(PersonId, String)>>>,
    entry: (PersonId, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
    }
}

impl Idempotency {
    /// Over `db`.
    pub fn new(db: Db, clock: SharedClock) -> Self {
        Self { db, clock, running: Arc::default() }
    }

    /// Marks the request as running in this instance; 409 when it already is. Across instances the unique key
    /// decides: the later one waits for the earlier one's commit and gives its answer.
    pub fn begin(&self, one: &Use) -> Result<Running> {
        let entry = (one.principal, one.request.key.clone());
        let fresh = self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.clone());
        if fresh { Ok(Running { set: Arc::clone(&self.running), entry }) } else { Err(running()) }
    }

    /// What an earlier copy of this very request was answered, of one that is refused. In another instance it may have been at work
    /// while this one waited for its locks: then the refusal is about its effect, and its answer is the answer.
    async fn earlier(&self, one: Arc<Use>) -> Result<Option<Result<Stored>>> {
        let known = self.db.read(move |conn| Ok(find_in_tx(conn, &[one.as_ref()])?.remove(&0))).await?;
        Ok(known.map(Known::into_result))
    }

    /// Runs `act` once for this key and keeps its answer in the same transaction; of an answer that is [`Stored::undone`] neither the answer
    /// nor what `act` wrote is kept.
    ///
    /// # Errors
    /// Whatever `act` refuses with; 409 while the same request runs; 422 for another request under the key.
    pub async fn run<F>(&self, principal: PersonId, request: RequestKey, act: F) -> Result<Stored>
    where
        F: Fn(&mut Conn) -> Result<Stored> + Send + Sync + 'static,
    {
        let one = Arc::new(Use { principal, request });
        let act = Arc::new(act);
        let _running = self.begin(&one)?;
        for _ in 0..RACES {
            let (used, act, clock) = (Arc::clone(&one), Arc::clone(&act), Arc::clone(&self.clock));
            let work = move |conn: &mut Conn| {
                if let Some(known) = find_in_tx(conn, &[used.as_ref()])?.remove(&0) {
                    return known.into_result();
                }
                let stored = act(conn)?;
                if !stored.undone {
                    store_in_tx(conn, &[(used.as_ref(), &stored)], clock.now())?;
                }
                Ok(stored)
            };
            let attempt = self.db.write_if(work, |stored: &Stored| !stored.undone);
            match attempt.await {
                // Another instance committed the same key, or a lock, while we worked. Our effect is rolled back.
                Err(error) if error.lost_a_race() => tracing::debug!(%error, "raced; trying again"),
                Err(refusal) if refusal.code().status().is_client_error() => {
                    return self.earlier(one).await?.unwrap_or(Err(refusal));
                }
                decided => return decided,
            }
        }
        Err(Error::new(Code::Overloaded).retry_after(Duration::from_secs(1)))
    }
}
