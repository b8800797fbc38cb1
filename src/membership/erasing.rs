//! Memberships of a person who was erased end.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{MembershipEnd, MembershipState};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::PersonId;
use crate::platform::db::Conn;
use crate::platform::db::schema::memberships;

/// Ends the memberships of `people`, and removes since when they said they were members.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId], now: DateTime<Utc>) -> Result<usize> {
    let theirs = || memberships::table.filter(memberships::person_id.eq_any(people));
    let mut done = diesel::update(theirs().filter(memberships::state.eq(MembershipState::Verified)))
        .set((
            memberships::state.eq(MembershipState::Ended),
            memberships::ended_at.eq(db_time(now)),
            memberships::ended_because.eq(MembershipEnd::Left),
            memberships::version.eq(memberships::version + 1),
        ))
        .execute(conn)?;
    done += diesel::update(theirs().filter(memberships::since.is_not_null()))
        .set(memberships::since.eq(None::<NaiveDate>))
        .execute(conn)?;
    Ok(done)
}
