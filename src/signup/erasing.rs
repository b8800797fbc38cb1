//! What sign-ups say of a person beside that they came, erased.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::SignupState;
use super::penalty::model::{Ground, PenaltyState};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{PersonId, SignupId};
use crate::offering::model::ActivityState;
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, penalties, signups, waiting_moves};

/// States in which a sign-up waits for something, or keeps a place.
const LIVE: [SignupState; 5] = [
    SignupState::Applied,
    SignupState::Entered,
    SignupState::Waiting,
    SignupState::Offered,
    SignupState::Confirmed,
];

/// States of an activity that may still take place.
const AHEAD: [ActivityState; 3] =
    [ActivityState::Published, ActivityState::Allocated, ActivityState::Postponed];

/// Sign-ups of `people` for what is still to come, with the title of each activity: they are given up first, so that others get the
/// places.
pub fn ahead(conn: &mut Conn, people: &[PersonId], now: DateTime<Utc>) -> Result<Vec<(SignupId, String)>> {
    let to_come = activities::ends_at.gt(db_time(now)).or(activities::state.eq(ActivityState::Postponed));
    Ok(signups::table
        .inner_join(activities::table)
        .filter(signups::person_id.eq_any(people))
        .filter(signups::state.eq_any(LIVE))
        .filter(activities::state.eq_any(AHEAD))
        .filter(to_come)
        .order(signups::id)
        .select((signups::id, activities::title))
        .load(conn)?)
}

/// Removes what `people` said against penalties, what was answered, and what officers noted about their place in a queue. A claim that
/// nobody has judged is withdrawn.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let theirs = || penalties::table.filter(penalties::person_id.eq_any(people));
    let contested = theirs().filter(penalties::state.eq(PenaltyState::Contested));
    let mut done = diesel::update(contested)
        .set((penalties::state.eq(PenaltyState::Live), penalties::version.eq(penalties::version + 1)))
        .execute(conn)?;
    let said = theirs().filter(
        penalties::claim_sealed
            .is_not_null()
            .or(penalties::ground.is_not_null())
            .or(penalties::decision.is_not_null()),
    );
    done += diesel::update(said)
        .set((
            penalties::claim_sealed.eq(None::<String>),
            penalties::ground.eq(None::<Ground>),
            penalties::decision.eq(None::<String>),
        ))
        .execute(conn)?;
    let own: Vec<SignupId> =
        signups::table.filter(signups::person_id.eq_any(people)).select(signups::id).load(conn)?;
    let noted = waiting_moves::table
        .filter(waiting_moves::signup_id.eq_any(&own))
        .filter(waiting_moves::note.ne(String::new()));
    done += diesel::update(noted).set(waiting_moves::note.eq(String::new())).execute(conn)?;
    Ok(done)
}
