//! Queries of penalties.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{CLAIM, Decision, Ground, Pause, Penalty, PenaltyKind, PenaltyState};
use super::rules::Terms;
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PenaltyId, PersonId, SignupId};
use crate::offering::model::SessionState;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    activities, excuses, organisations, penalties, penalty_pauses, people, sessions, signups,
};
use crate::platform::vault::Vault;
use crate::policy;
use crate::signup::model::{Basis, SignupState};

/// The policies in force at `now`, in one query.
pub fn terms(conn: &mut Conn, now: DateTime<Utc>) -> Result<Terms> {
    const KEYS: [&str; 7] = [
        "signup.free_cancel",
        "signup.penalty.late_cancel",
        "signup.penalty.no_show",
        "signup.penalty.decay",
        "signup.penalty.delay_1",
        "signup.penalty.delay_2",
        "signup.penalty.behind_all_from",
    ];
    let set = policy::store::numbers_on(conn, &KEYS, civil_day(now))?;
    let number = |key: &str| {
        set.get(key).copied().ok_or_else(|| Error::internal(format!("the policy {key} was not read")))
    };
    Ok(Terms {
        free_cancel_hours: number("signup.free_cancel")?,
        late_cancel: number("signup.penalty.late_cancel")?,
        no_show: number("signup.penalty.no_show")?,
        decay_days: number("signup.penalty.decay")?,
        delay_1_hours: number("signup.penalty.delay_1")?,
        delay_2_hours: number("signup.penalty.delay_2")?,
        behind_all_from: number("signup.penalty.behind_all_from")?,
    })
}

/// Days on which penalties do not run.
pub fn pauses(conn: &mut Conn) -> Result<Vec<Pause>> {
    Ok(penalty_pauses::table.order(penalty_pauses::from_day).select(Pause::as_select()).load(conn)?)
}

/// What weighs on `people` at `now`; whoever has no points is not in it. What is contested weighs nothing.
pub fn points(conn: &mut Conn, people: &[PersonId], now: DateTime<Utc>) -> Result<HashMap<PersonId, i64>> {
    let rows: Vec<(PersonId, i64)> = penalties::table
        .filter(penalties::person_id.eq_any(people))
        .filter(penalties::expires_at.gt(db_time(now)))
        .filter(penalties::state.eq_any(PenaltyState::WEIGHING))
        .select((penalties::person_id, penalties::weight))
        .load(conn)?;
    Ok(rows.into_iter().fold(HashMap::new(), |mut sum, (person, weight)| {
        *sum.entry(person).or_default() += weight;
        sum
    }))
}

/// Whether staff made the sign-up for somebody who asked them to: whoever did not make it gives it back freely.
pub fn is_made_for(conn: &mut Conn, signup: SignupId) -> Result<bool> {
    let made: Option<(Option<PersonId>, Option<Basis>)> =
        signups::table.find(signup).select((signups::made_by, signups::basis)).first(conn).optional()?;
    // A nominated worker has confirmed it themselves.
    Ok(made.is_some_and(|(by, basis)| by.is_some() && basis != Some(Basis::UnionRoster)))
}

/// Whether any session of the activity took place.
pub fn was_held(conn: &mut Conn, activity: ActivityId) -> Result<bool> {
    let held = sessions::table
        .filter(sessions::activity_id.eq(activity))
        .filter(sessions::state.eq(SessionState::Finalised))
        .filter(sessions::held.eq(true));
    Ok(held.count().get_result::<i64>(conn)? > 0)
}

/// Those who have a place that they did not use, and no excuse at any session.
pub fn absent(conn: &mut Conn, activity: ActivityId) -> Result<Vec<(PersonId, SignupId)>> {
    let excused = excuses::table
        .inner_join(sessions::table)
        .filter(sessions::activity_id.eq(activity))
        .filter(excuses::person_id.eq(signups::person_id))
        .select(excuses::person_id);
    let unused = signups::table
        .filter(signups::activity_id.eq(activity))
        .filter(diesel::dsl::not(diesel::dsl::exists(excused)))
        .filter(signups::state.eq(SignupState::Confirmed))
        .order(signups::id);
    Ok(unused.select((signups::person_id, signups::id)).load(conn)?)
}

/// Keeps those penalties whose sign-up has none yet, and gives them back.
pub fn give_in_tx(conn: &mut Conn, rows: Vec<Penalty>) -> Result<Vec<Penalty>> {
    let new = crate::insert_new!(conn, penalties::table, &rows, penalties::id => |row: &Penalty| row.id)?;
    let new: HashSet<PenaltyId> = new.into_iter().collect();
    Ok(rows.into_iter().filter(|row| new.contains(&row.id)).collect())
}

/// Waives what not coming to an activity weighs for `people`.
pub fn no_show_waive_in_tx(
    conn: &mut Conn,
    activity: ActivityId,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<usize> {
    let mut waived = 0;
    for some in people.chunks(500) {
        let theirs = signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::person_id.eq_any(some))
            .select(signups::id);
        let weighing = penalties::table
            .filter(penalties::signup_id.eq_any(theirs))
            .filter(penalties::kind.eq(PenaltyKind::NoShow))
            .filter(penalties::state.ne(PenaltyState::Waived));
        waived += diesel::update(weighing)
            .set((
                penalties::state.eq(PenaltyState::Waived),
                penalties::decided_at.eq(db_time(now)),
                penalties::decision.eq("离线签到补传：本人已到场"),
                penalties::version.eq(penalties::version + 1),
            ))
            .execute(conn)?;
    }
    Ok(waived)
}

/// Sets aside what not coming to an activity weighs, and says which penalties those are. What was waived stays so.
pub fn set_aside_in_tx(conn: &mut Conn, activity: ActivityId, now: DateTime<Utc>) -> Result<Vec<PenaltyId>> {
    let theirs = signups::table.filter(signups::activity_id.eq(activity)).select(signups::id);
    let standing = penalties::table
        .filter(penalties::signup_id.eq_any(theirs))
        .filter(penalties::kind.eq(PenaltyKind::NoShow))
        .filter(penalties::state.ne(PenaltyState::Waived));
    let ids: Vec<PenaltyId> = standing.order(penalties::id).select(penalties::id).load(conn)?;
    for some in ids.chunks(500) {
        diesel::update(
            penalties::table
                .filter(penalties::id.eq_any(some))
                .filter(penalties::state.ne(PenaltyState::Waived)),
        )
        .set((
            penalties::state.eq(PenaltyState::Waived),
            penalties::set_aside_at.eq(db_time(now)),
            penalties::version.eq(penalties::version + 1),
        ))
        .execute(conn)?;
    }
    Ok(ids)
}

/// Brings back, as they were, what was set aside of `of`, and says which penalties those are: decided ones are upheld again, those with a
/// claim that nobody judged are contested again.
pub fn bring_back_in_tx(conn: &mut Conn, of: &[SignupId]) -> Result<Vec<PenaltyId>> {
    let mut back: Vec<PenaltyId> = Vec::new();
    for some in of.chunks(500) {
        let aside = || {
            penalties::table
                .filter(penalties::signup_id.eq_any(some))
                .filter(penalties::state.eq(PenaltyState::Waived))
                .filter(penalties::set_aside_at.is_not_null())
        };
        back.extend(aside().order(penalties::id).select(penalties::id).load::<PenaltyId>(conn)?);
        let to = |state: PenaltyState| {
            (
                penalties::state.eq(state),
                penalties::set_aside_at.eq(None::<chrono::NaiveDateTime>),
                penalties::version.eq(penalties::version + 1),
            )
        };
        diesel::update(aside().filter(penalties::decided_at.is_not_null()))
            .set(to(PenaltyState::Upheld))
            .execute(conn)?;
        diesel::update(aside().filter(penalties::claimed_at.is_not_null()))
            .set(to(PenaltyState::Contested))
            .execute(conn)?;
        diesel::update(aside()).set(to(PenaltyState::Live)).execute(conn)?;
    }
    Ok(back)
}

/// Keeps what somebody wrote when they gave back their place for illness.
pub fn claim_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    penalty: PenaltyId,
    text: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sealed = vault.seal(CLAIM, penalty.0.as_bytes(), text).map_err(Error::internal)?;
    diesel::update(penalties::table.find(penalty))
        .set((penalties::claim_sealed.eq(sealed), penalties::claimed_at.eq(db_time(now))))
        .execute(conn)?;
    Ok(())
}

/// Contests a penalty that weighs, or adds the words to one that is contested without any; false when it is neither.
pub fn contest_in_tx(
    conn: &mut Conn,
    (id, person): (PenaltyId, PersonId),
    ground: Ground,
    sealed: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let wordless = penalties::state.eq(PenaltyState::Contested).and(penalties::claim_sealed.is_null());
    let open = penalties::table
        .filter(penalties::id.eq(id))
        .filter(penalties::person_id.eq(person))
        .filter(penalties::expires_at.gt(db_time(now)))
        .filter(penalties::state.eq(PenaltyState::Live).or(wordless));
    let changed = diesel::update(open)
        .set((
            penalties::state.eq(PenaltyState::Contested),
            penalties::ground.eq(ground),
            penalties::claim_sealed.eq(sealed),
            penalties::claimed_at.eq(db_time(now)),
            penalties::version.eq(penalties::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Decides a contested penalty; false when it is not contested (any more).
pub fn decide_in_tx(
    conn: &mut Conn,
    id: PenaltyId,
    decision: Decision,
    reason: &str,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let contested = penalties::table
        .filter(penalties::id.eq(id))
        .filter(penalties::state.eq(PenaltyState::Contested))
        .filter(penalties::person_id.ne(by));
    let changed = diesel::update(contested)
        .set((
            penalties::state.eq(decision.state()),
            penalties::decided_by.eq(by),
            penalties::decided_at.eq(db_time(now)),
            penalties::decision.eq(reason),
            penalties::version.eq(penalties::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// A person's penalties with the activities that they come from, newest first, before `before`.
pub fn list_own(
    conn: &mut Conn,
    person: PersonId,
    before: Option<PenaltyId>,
    limit: i64,
) -> Result<Vec<(Penalty, ActivityId, String)>> {
    let mut query = penalties::table
        .inner_join(signups::table.inner_join(activities::table))
        .filter(penalties::person_id.eq(person))
        .order(penalties::id.desc())
        .limit(limit)
        .select((Penalty::as_select(), activities::id, activities::title))
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(penalties::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// A person's penalty, or 404: also for another person's.
pub fn get_own(conn: &mut Conn, id: PenaltyId, person: PersonId) -> Result<(Penalty, ActivityId, String)> {
    let found = penalties::table
        .inner_join(signups::table.inner_join(activities::table))
        .filter(penalties::id.eq(id))
        .filter(penalties::person_id.eq(person))
        .select((Penalty::as_select(), activities::id, activities::title))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// A penalty as those see it who judge it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The penalty.
    pub penalty: Penalty,
    /// Where it comes from.
    pub activity: ActivityId,
    /// Its title.
    pub title: String,
    /// The person's name.
    pub name: Option<String>,
    /// The path of who organises the activity.
    pub path: String,
}

type CaseRow = (Penalty, ActivityId, String, Option<String>, String);

impl From<CaseRow> for Case {
    fn from((penalty, activity, title, name, path): CaseRow) -> Self {
        Self { penalty, activity, title, name, path }
    }
}

/// The penalty `id`, or 404.
pub fn case_get(conn: &mut Conn, id: PenaltyId) -> Result<Case> {
    let found: Option<CaseRow> = penalties::table
        .inner_join(signups::table.inner_join(activities::table).inner_join(people::table))
        .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id)))
        .filter(penalties::id.eq(id))
        .select((Penalty::as_select(), activities::id, activities::title, people::name, organisations::path))
        .first(conn)
        .optional()?;
    found.map(Case::from).ok_or_else(Error::not_found)
}

/// Penalties in `state` from activities of organisers under `patterns`, oldest first, after `after`.
pub fn case_list(
    conn: &mut Conn,
    state: PenaltyState,
    patterns: Vec<String>,
    after: Option<PenaltyId>,
    limit: i64,
) -> Result<Vec<Case>> {
    let mut query = penalties::table
        .inner_join(signups::table.inner_join(activities::table).inner_join(people::table))
        .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id)))
        .filter(penalties::state.eq(state))
        .filter(crate::org::store::under(patterns))
        .order(penalties::id)
        .limit(limit)
        .select((Penalty::as_select(), activities::id, activities::title, people::name, organisations::path))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(penalties::id.gt(after));
    }
    let rows: Vec<CaseRow> = query.load(conn)?;
    Ok(rows.into_iter().map(Case::from).collect())
}

/// Penalties after `after` with sealed words, for the rotation of keys.
pub fn sealed_after(
    conn: &mut Conn,
    after: Option<PenaltyId>,
    limit: i64,
) -> Result<Vec<(PenaltyId, Option<String>)>> {
    let mut query = penalties::table
        .filter(penalties::claim_sealed.is_not_null())
        .order(penalties::id)
        .limit(limit)
        .select((penalties::id, penalties::claim_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(penalties::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Seals words under the active key, if they still are what was read.
pub fn reseal_in_tx(conn: &mut Conn, vault: &Vault, id: PenaltyId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(CLAIM, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    Ok(diesel::update(penalties::table.find(id).filter(penalties::claim_sealed.eq(sealed)))
        .set(penalties::claim_sealed.eq(new))
        .execute(conn)?)
}
