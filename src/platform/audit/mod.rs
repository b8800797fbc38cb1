//! Who did or read what, in a chain that shows every change.
//!
//! Each entry carries the hash of the one before; the end of the chain is one row that a writer holds until its commit, so
//! entries have no gaps and no forks. Entries are appended last in a transaction ([`append_in_tx`]), which keeps
//! that row's lock short and lets no two transactions wait for each other. Details hold ids and codes, never personal data.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::PersonId;
use crate::platform::db::Conn;
use crate::platform::db::fixed::Fixed;
use crate::platform::db::schema::{audit_entries, audit_head};

/// Something that was done or read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who; none for the system itself.
    pub actor: Option<PersonId>,
    /// What, as `object.verb`, such as `signup.create`.
    pub action: &'static str,
    /// To what: a TypeID or a code.
    pub object: String,
    /// What else matters: ids and codes only.
    pub detail: Value,
}

impl Entry {
    /// `actor` did `action` to `object`.
    pub fn new(actor: PersonId, action: &'static str, object: impl ToString) -> Self {
        Self { actor: Some(actor), action, object: object.to_string(), detail: Value::Null }
    }

    /// The system did `action` to `object`.
    pub fn system(action: &'static str, object: impl ToString) -> Self {
        Self { actor: None, action, object: object.to_string(), detail: Value::Null }
    }

    /// Adds details.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }
}

/// An entry as it is kept.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_entries, treat_none_as_default_value = false)]
pub struct Row {
    /// 1, 2, 3, … without gaps.
    pub seq: i64,
    /// When.
    pub at: NaiveDateTime,
    /// Who.
    pub actor: Option<PersonId>,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// JSON.
    pub detail: String,
    /// Hash of the entry before; 32 zero bytes for the first.
    pub previous_hash: Vec<u8>,
    /// Hash of this entry.
    pub hash: Vec<u8>,
}

impl Row {
    fn digest(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        // Every part with its length, so that no two entries have the same bytes.
        let actor = self.actor.map(|id| id.0.as_bytes().to_vec()).unwrap_or_default();
        let parts: [&[u8]; 7] = [
            &self.previous_hash,
            &self.seq.to_be_bytes(),
            &self.at.and_utc().timestamp_micros().to_be_bytes(),
            &actor,
            self.action.as_bytes(),
            self.object.as_bytes(),
            self.detail.as_bytes(),
        ];
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }
}

/// Appends `entries`, the last thing that a transaction does.
pub fn append_in_tx(conn: &mut Conn, now: DateTime<Utc>, entries: Vec<Entry>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut seq, mut previous) = hold_in_tx(conn)?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        seq += 1;
        let mut row = Row {
            seq,
            at: db_time(now),
            actor: entry.actor,
            action: entry.action.to_owned(),
            object: entry.object,
            detail: entry.detail.to_string(),
            previous_hash: previous,
            hash: Vec::new(),
        };
        row.hash = row.digest();
        previous = row.hash.clone();
        rows.push(row);
    }
    #[rustfmt::skip]
    crate::insert_rows!(conn, audit_entries [
        seq, at, actor, action, object, detail, previous_hash, hash,
    ], rows.as_slice())?;
    let text = "UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1";
    crate::on_each!(conn, c => Fixed::new(text).bind::<BigInt, _>(seq).bind::<Binary, _>(previous).execute(c))?;
    Ok(())
}

/// Holds the end of the chain until the commit, so that everything else that writes waits; gives its number and hash.
pub fn hold_in_tx(conn: &mut Conn) -> Result<(i64, Vec<u8>)> {
    let head: Vec<(i64, Vec<u8>)> = crate::load_locked!(
        conn,
        audit_head::table.filter(audit_head::id.eq(1)).select((audit_head::seq, audit_head::hash))
    )?;
    head.into_iter().next().ok_or_else(|| Error::internal("the audit head is missing"))
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries that fit.
    pub entries: i64,
    /// The first entry that does not, and why.
    pub broken: Option<(i64, &'static str)>,
}

/// Recomputes the whole chain. `progress` is told how many entries are done.
pub fn verify(conn: &mut Conn, mut progress: impl FnMut(i64)) -> Result<Verified> {
    let mut expected = 1_i64;
    let mut previous = vec![0_u8; 32];
    loop {
        let rows: Vec<Row> = audit_entries::table
            .filter(audit_entries::seq.ge(expected))
            .order(audit_entries::seq)
            .limit(1000)
            .select(Row::as_select())
            .load(conn)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let broken = if row.seq != expected {
                Some("an entry is missing before it")
            } else if row.previous_hash != previous {
                Some("it does not follow the entry before")
            } else if row.hash != row.digest() {
                Some("it was changed")
            } else {
                None
            };
            if let Some(why) = broken {
                return Ok(Verified { entries: expected - 1, broken: Some((row.seq, why)) });
            }
            previous = row.hash;
            expected += 1;
        }
        progress(expected - 1);
    }
    let (seq, hash): (i64, Vec<u8>) = audit_head::table
        .filter(audit_head::id.eq(1))
        .select((audit_head::seq, audit_head::hash))
        .first(conn)?;
    let broken = if seq < expected - 1 {
        Some((seq + 1, "it lies beyond the end of the chain"))
    } else if seq > expected - 1 {
        Some((expected, "the end of the chain is missing"))
    } else {
        (hash != previous).then_some((seq, "the end of the chain was changed"))
    };
    Ok(Verified { entries: expected - 1, broken })
}

/// Entries before `before`, newest first, narrowed by object and actor.
pub fn list(
    conn: &mut Conn,
    object: Option<&str>,
    actor: Option<PersonId>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Row>> {
    let mut query = audit_entries::table
        .select(Row::as_select())
        .order(audit_entries::seq.desc())
        .limit(limit)
        .into_boxed();
    if let Some(object) = object {
        query = query.filter(audit_entries::object.eq(object.to_owned()));
    }
    if let Some(actor) = actor {
        query = query.filter(audit_entries::actor.eq(actor));
    }
    if let Some(before) = before {
        query = query.filter(audit_entries::seq.lt(before));
    }
    Ok(query.load(conn)?)
}
