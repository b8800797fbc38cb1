//! Queries of the inbox.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::Notice;
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{NoticeId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::notices;

/// Writes messages, each once, however often its job runs.
pub fn create_in_tx(conn: &mut Conn, notices: &[Notice]) -> Result<()> {
    crate::insert_new!(conn, notices::table, notices, notices::id => |row: &Notice| row.id)?;
    Ok(())
}

/// Writes messages that are not there yet.
pub fn create_all_in_tx(conn: &mut Conn, notices: &[Notice]) -> Result<()> {
    crate::insert_rows!(conn, notices::table, notices)?;
    Ok(())
}

/// A person's messages before `before`, newest first.
pub fn list(conn: &mut Conn, person: PersonId, before: Option<NoticeId>, limit: i64) -> Result<Vec<Notice>> {
    let mut query = notices::table
        .filter(notices::person_id.eq(person))
        .order(notices::id.desc())
        .limit(limit)
        .select(Notice::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(notices::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// How many of a person's messages are unread.
pub fn unread(conn: &mut Conn, person: PersonId) -> Result<i64> {
    let unread = notices::table.filter(notices::person_id.eq(person)).filter(notices::read_at.is_null());
    Ok(unread.count().get_result(conn)?)
}

/// Marks messages of a person as read, up to and including `until`.
pub fn read_in_tx(conn: &mut Conn, person: PersonId, until: NoticeId, now: DateTime<Utc>) -> Result<usize> {
    let unread = notices::table
        .filter(notices::person_id.eq(person))
        .filter(notices::id.le(until))
        .filter(notices::read_at.is_null());
    Ok(diesel::update(unread).set(notices::read_at.eq(db_time(now))).execute(conn)?)
}
