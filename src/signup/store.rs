//! Queries of sign-ups.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::Binary;

use super::model::{Claim, Ending, Signup, SignupState};
use super::penalty;
use super::penalty::rules::Delay;
use super::placing::Weight;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PersonId, QuotaId, SignupId};
use crate::offering;
use crate::offering::model::{Activity, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, people, sessions, signups};

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

/// Live sign-ups of an activity after the number `after`, in the order of arrival, with the person's name.
pub fn roster(
    conn: &mut Conn,
    activity: ActivityId,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(Signup, Option<String>)>> {
    let mut query = signups::table
        .inner_join(people::table)
        .filter(signups::activity_id.eq(activity))
        .filter(signups::state.ne(SignupState::Cancelled))
        .order(signups::number)
        .limit(limit)
        .select((Signup::as_select(), people::name))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(signups::number.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Keeps new sign-ups. The partial unique key is the last guard against a second live one of a person.
pub fn insert_in_tx(conn: &mut Conn, rows: &[Signup]) -> Result<()> {
    crate::insert_rows!(conn, signups::table, rows)?;
    Ok(())
}

/// Live sign-ups of `people` for an activity.
pub fn live(
    conn: &mut Conn,
    activity: ActivityId,
    people: &[PersonId],
) -> Result<HashMap<PersonId, SignupId>> {
    if people.is_empty() {
        return Ok(HashMap::new());
    }
    let pairs: HashSet<(ActivityId, PersonId)> = people.iter().map(|person| (activity, *person)).collect();
    let rows = live_rows(conn, &pairs)?;
    Ok(rows.into_iter().map(|row| (row.person_id, row.id)).collect())
}

fn live_rows(conn: &mut Conn, pairs: &HashSet<(ActivityId, PersonId)>) -> QueryResult<Vec<Signup>> {
    crate::load_pairs!(
        conn,
        Signup,
        pairs,
        (activity, person) => signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::person_id.eq(person))
            .filter(signups::state.ne(SignupState::Cancelled))
            .select(Signup::as_select()),
        "signups",
        "activity_id": Binary,
        "person_id": Binary,
        "state <> 'cancelled'"
    )
}

/// Live sign-ups of `people` as the door sees them, locked until the end of the transaction: a cancellation waits, and then finds the
/// check-in.
pub fn live_locked_in_tx(
    conn: &mut Conn,
    activity: ActivityId,
    people: &[PersonId],
) -> Result<HashMap<PersonId, Claim>> {
    let pairs: BTreeSet<(ActivityId, PersonId)> = people.iter().map(|person| (activity, *person)).collect();
    let rows: Vec<Claim> = crate::load_pairs!(
        conn,
        Claim,
        pairs,
        (activity, person) => signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::person_id.eq(person))
            .filter(signups::state.ne(SignupState::Cancelled))
            .select(Claim::as_select()),
        "signups",
        "activity_id": Binary,
        "person_id": Binary,
        "state <> 'cancelled'",
        "FOR UPDATE"
    )?;
    Ok(rows.into_iter().map(|row| (row.person_id, row)).collect())
}

/// All sign-ups of `people` for an activity as the door sees them, cancelled ones too, in the order of arrival.
pub fn claims(conn: &mut Conn, activity: ActivityId, people: &[PersonId]) -> Result<Vec<Claim>> {
    let pairs: BTreeSet<(ActivityId, PersonId)> = people.iter().map(|person| (activity, *person)).collect();
    let mut rows: Vec<Claim> = crate::load_pairs!(
        conn,
        Claim,
        pairs,
        (activity, person) => signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::person_id.eq(person))
            .select(Claim::as_select()),
        "signups",
        "activity_id": Binary,
        "person_id": Binary
    )?;
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

/// The activities of `people`'s sign-ups, by sign-up: what a batch of cancellations has to lock.
pub fn activities_of(conn: &mut Conn, ids: &[SignupId]) -> Result<HashMap<SignupId, ActivityId>> {
    let rows: Vec<(SignupId, ActivityId)> = signups::table
        .filter(signups::id.eq_any(ids))
        .select((signups::id, signups::activity_id))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Ends a sign-up that is still in the state of `row`; false when it is not.
pub fn end_in_tx(conn: &mut Conn, row: &Signup, because: Ending, now: DateTime<Utc>) -> Result<bool> {
    let same = signups::table.filter(signups::id.eq(row.id)).filter(signups::state.eq(row.state));
    let changed = diesel::update(same)
        .set((
            signups::state.eq(SignupState::Cancelled),
            signups::ended_because.eq(because),
            signups::cancelled_at.eq(db_time(now)),
            signups::version.eq(signups::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// The kept place of a sign-up is used from now on; false when none is kept any more.
pub fn confirm_in_tx(conn: &mut Conn, row: &Signup) -> Result<bool> {
    let offered =
        signups::table.filter(signups::id.eq(row.id)).filter(signups::state.eq(SignupState::Offered));
    let changed = diesel::update(offered)
        .set((signups::state.eq(SignupState::Confirmed), signups::version.eq(signups::version + 1)))
        .execute(conn)?;
    Ok(changed == 1)
}

/// A place of `quota` is kept for somebody who waits; false when they do not wait any more.
pub fn ask_in_tx(conn: &mut Conn, row: &Signup, quota: Option<QuotaId>) -> Result<bool> {
    let waiting =
        signups::table.filter(signups::id.eq(row.id)).filter(signups::state.eq(SignupState::Waiting));
    let changed = diesel::update(waiting)
        .set((
            signups::state.eq(SignupState::Offered),
            signups::quota_id.eq(quota),
            signups::version.eq(signups::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Sign-ups by id.
pub fn by_id(conn: &mut Conn, ids: &[SignupId]) -> Result<HashMap<SignupId, Signup>> {
    let rows: Vec<Signup> =
        signups::table.filter(signups::id.eq_any(ids)).select(Signup::as_select()).load(conn)?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// What came of somebody's lot; false when it is no lot any more.
pub fn drawn_in_tx(conn: &mut Conn, outcome: &Signup) -> Result<bool> {
    let entered =
        signups::table.filter(signups::id.eq(outcome.id)).filter(signups::state.eq(SignupState::Entered));
    let changed = diesel::update(entered)
        .set((
            signups::state.eq(outcome.state),
            signups::ended_because.eq(outcome.ended_because),
            signups::number.eq(outcome.number),
            signups::priority.eq(outcome.priority),
            signups::quota_id.eq(outcome.quota_id),
            signups::cancelled_at.eq(outcome.cancelled_at),
            signups::version.eq(signups::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Gives somebody what their approved request comes to; false when the sign-up is not as in `before` any more.
pub fn promote_in_tx(conn: &mut Conn, before: &Signup, after: &Signup) -> Result<bool> {
    let same = signups::table
        .filter(signups::id.eq(before.id))
        .filter(signups::state.eq(before.state))
        .filter(signups::version.eq(before.version));
    let changed = diesel::update(same)
        .set((
            signups::state.eq(after.state),
            signups::ended_because.eq(after.ended_because),
            signups::priority.eq(after.priority),
            signups::quota_id.eq(after.quota_id),
            signups::cancelled_at.eq(after.cancelled_at),
            signups::version.eq(after.version),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Sign-ups of an activity in `state`, in the order of arrival.
pub fn in_state(conn: &mut Conn, activity: ActivityId, state: SignupState) -> Result<Vec<Signup>> {
    let found = signups::table.filter(signups::activity_id.eq(activity)).filter(signups::state.eq(state));
    Ok(found.order(signups::number).select(Signup::as_select()).load(conn)?)
}

/// Who of `people` has a place, or one kept for them, at a session that overlaps one of `activity`'s.
pub fn clashing(conn: &mut Conn, activity: &Activity, people: &[PersonId]) -> Result<HashSet<PersonId>> {
    let own: Vec<(NaiveDateTime, NaiveDateTime)> = sessions::table
        .filter(sessions::activity_id.eq(activity.id))
        .filter(sessions::state.eq(SessionState::Planned))
        .select((sessions::starts_at, sessions::ends_at))
        .load(conn)?;
    let elsewhere: Vec<(PersonId, NaiveDateTime, NaiveDateTime)> = signups::table
        .inner_join(sessions::table.on(sessions::activity_id.eq(signups::activity_id)))
        .filter(signups::person_id.eq_any(people))
        .filter(signups::activity_id.ne(activity.id))
        .filter(signups::state.eq_any([SignupState::Confirmed, SignupState::Attended, SignupState::Offered]))
        .filter(sessions::state.eq(SessionState::Planned))
        .filter(sessions::starts_at.lt(activity.ends_at))
        .filter(sessions::ends_at.gt(activity.starts_at))
        .select((signups::person_id, sessions::starts_at, sessions::ends_at))
        .load(conn)?;
    let overlaps = |starts: NaiveDateTime, ends: NaiveDateTime| {
        own.iter().any(|(own_starts, own_ends)| starts < *own_ends && ends > *own_starts)
    };
    Ok(elsewhere
        .into_iter()
        .filter(|(_, starts, ends)| overlaps(*starts, *ends))
        .map(|(person, _, _)| person)
        .collect())
}

/// What weighs on the sign-ups of `people`; those without anything are absent.
pub fn weights(
    conn: &mut Conn,
    activity: &Activity,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<HashMap<PersonId, Weight>> {
    let points = penalty::store::points(conn, people, now)?;
    if points.is_empty() {
        return Ok(HashMap::new());
    }
    let kind = offering::store::programme_get(conn, activity.programme_id)?.kind;
    let terms = penalty::store::terms(conn, now)?;
    let weight = |points: i64| match penalty::rules::delay_for(kind, points, &terms) {
        Delay::None => Weight::default(),
        Delay::Hours(hours) => Weight { delay: TimeDelta::hours(hours), priority: 0 },
        // Behind all who wait, and as late as the heaviest delay where nobody has to wait.
        Delay::BehindAll => Weight { delay: TimeDelta::hours(terms.delay_2_hours), priority: -1 },
    };
    Ok(points.into_iter().map(|(person, points)| (person, weight(points))).collect())
}

/// Marks confirmed sign-ups as attended.
pub fn attended_in_tx(conn: &mut Conn, ids: &[SignupId]) -> Result<()> {
    crate::write_keyed!(
        conn,
        "UPDATE signups SET state = 'attended', version = version + 1 WHERE state = 'confirmed' AND id": Binary,
        ids
    )?;
    Ok(())
}
