//! Queries of erasures.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{Erasure, ErasureKept, KeptKind};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::PersonId;
use crate::platform::db::Conn;
use crate::platform::db::schema::{erasure_kept, erasures};

/// How somebody was erased, if they were.
pub fn find(conn: &mut Conn, person: PersonId) -> Result<Option<Erasure>> {
    Ok(erasures::table.find(person).select(Erasure::as_select()).first(conn).optional()?)
}

/// Keeps that people were erased, and what stays of them.
pub fn insert_in_tx(conn: &mut Conn, erased: &[Erasure], kept: &[ErasureKept]) -> Result<()> {
    crate::insert_rows!(conn, erasures::table, erased)?;
    crate::insert_rows!(conn, erasure_kept::table, kept)?;
    Ok(())
}

/// What was kept of somebody at their erasure.
pub fn kept(conn: &mut Conn, person: PersonId) -> Result<Vec<ErasureKept>> {
    let theirs = erasure_kept::table.filter(erasure_kept::person_id.eq(person));
    Ok(theirs
        .order((erasure_kept::kind, erasure_kept::row_id))
        .select(ErasureKept::as_select())
        .load(conn)?)
}

/// What is still kept, and was to be until a day before `today`; oldest first.
pub fn due(conn: &mut Conn, today: NaiveDate, limit: i64) -> Result<Vec<ErasureKept>> {
    Ok(erasure_kept::table
        .filter(erasure_kept::ended_at.is_null())
        .filter(erasure_kept::until_on.lt(today))
        .order((erasure_kept::until_on, erasure_kept::row_id))
        .limit(limit)
        .select(ErasureKept::as_select())
        .load(conn)?)
}

/// Rows of a kind that are still kept.
pub fn live(conn: &mut Conn, kind: KeptKind) -> Result<Vec<Vec<u8>>> {
    let kept =
        erasure_kept::table.filter(erasure_kept::ended_at.is_null()).filter(erasure_kept::kind.eq(kind));
    Ok(kept.select(erasure_kept::row_id).load(conn)?)
}

/// What was kept is erased; false where it was already.
pub fn ended_in_tx(conn: &mut Conn, row: &ErasureKept, now: DateTime<Utc>) -> Result<bool> {
    let still = erasure_kept::table
        .filter(erasure_kept::kind.eq(row.kind))
        .filter(erasure_kept::row_id.eq(&row.row_id))
        .filter(erasure_kept::ended_at.is_null());
    Ok(diesel::update(still).set(erasure_kept::ended_at.eq(db_time(now))).execute(conn)? == 1)
}
