//! Queries of sign-ups.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{Signup, SignupState};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PersonId, SignupId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, people, signups};

/// A person's sign-up with the title of its activity, or 404: also for another person's.
pub fn get_own(conn: &mut Conn, id: SignupId, person: PersonId) -> Result<(Signup, String)> {
    let found = signups::table
        .inner_join(activities::table)
        .filter(signups::id.eq(id))
        .filter(signups::person_id.eq(person))
        .select((Signup::as_select(), activities::title))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// A person's sign-ups before `before`, newest first, narrowed by activity.
pub fn list_own(
    conn: &mut Conn,
    person: PersonId,
    activity: Option<ActivityId>,
    before: Option<SignupId>,
    limit: i64,
) -> Result<Vec<(Signup, String)>> {
    let mut query = signups::table
        .inner_join(activities::table)
        .filter(signups::person_id.eq(person))
        .order(signups::id.desc())
        .limit(limit)
        .select((Signup::as_select(), activities::title))
        .into_boxed();
    if let Some(activity) = activity {
        query = query.filter(signups::activity_id.eq(activity));
    }
    if let Some(before) = before {
        query = query.filter(signups::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Live sign-ups of an activity after `after`, in the order they were made, with the person's name.
pub fn roster(
    conn: &mut Conn,
    activity: ActivityId,
    after: Option<SignupId>,
    limit: i64,
) -> Result<Vec<(Signup, Option<String>)>> {
    let mut query = signups::table
        .inner_join(people::table)
        .filter(signups::activity_id.eq(activity))
        .filter(signups::state.ne(SignupState::Cancelled))
        .order(signups::id)
        .limit(limit)
        .select((Signup::as_select(), people::name))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(signups::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Inserts those rows whose person has no live sign-up for the activity, and gives their ids. The partial unique
/// key decides, also against other instances.
pub fn insert_new_in_tx(conn: &mut Conn, rows: &[Signup]) -> Result<HashSet<SignupId>> {
    let ids = crate::insert_new!(conn, signups::table, rows, signups::id => |row: &Signup| row.id)?;
    Ok(ids.into_iter().collect())
}

/// Live sign-ups of `people` for an activity.
pub fn live(conn: &mut Conn, activity: ActivityId, people: &[PersonId]) -> Result<HashMap<PersonId, Signup>> {
    let rows: Vec<Signup> = signups::table
        .filter(signups::activity_id.eq(activity))
        .filter(signups::person_id.eq_any(people))
        .filter(signups::state.ne(SignupState::Cancelled))
        .select(Signup::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.person_id, row)).collect())
}

/// [`live`], locked in the order of their ids until the end of the transaction: a cancellation waits, and then finds the
/// check-in.
pub fn live_locked_in_tx(
    conn: &mut Conn,
    activity: ActivityId,
    people: &[PersonId],
) -> Result<HashMap<PersonId, Signup>> {
    let rows: Vec<Signup> = crate::load_locked!(
        conn,
        signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::person_id.eq_any(people))
            .filter(signups::state.ne(SignupState::Cancelled))
            .order(signups::id)
            .select(Signup::as_select())
    )?;
    Ok(rows.into_iter().map(|row| (row.person_id, row)).collect())
}

/// The activities of `people`'s sign-ups, by sign-up: what a batch of cancellations has to lock.
pub fn activities_of(conn: &mut Conn, ids: &[SignupId]) -> Result<HashMap<SignupId, ActivityId>> {
    let rows: Vec<(SignupId, ActivityId)> = signups::table
        .filter(signups::id.eq_any(ids))
        .select((signups::id, signups::activity_id))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Cancels a person's confirmed sign-up; false when it is not confirmed any more.
pub fn cancel_in_tx(conn: &mut Conn, id: SignupId, person: PersonId, now: DateTime<Utc>) -> Result<bool> {
    let confirmed = signups::table
        .filter(signups::id.eq(id))
        .filter(signups::person_id.eq(person))
        .filter(signups::state.eq(SignupState::Confirmed));
    let changed = diesel::update(confirmed)
        .set((
            signups::state.eq(SignupState::Cancelled),
            signups::cancelled_at.eq(db_time(now)),
            signups::version.eq(signups::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Marks confirmed sign-ups as attended.
pub fn attended_in_tx(conn: &mut Conn, ids: &[SignupId]) -> Result<()> {
    let confirmed =
        signups::table.filter(signups::id.eq_any(ids)).filter(signups::state.eq(SignupState::Confirmed));
    diesel::update(confirmed)
        .set((signups::state.eq(SignupState::Attended), signups::version.eq(signups::version + 1)))
        .execute(conn)?;
    Ok(())
}
