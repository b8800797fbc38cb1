//! Who has completed an activity: it follows from attendance at its finalised sessions by the activity's rule, and nothing of it is typed in.
//!
//! ```text
//!            finalising, excusing, a scan that comes late
//! nothing ────────────────────────────────────────────────▶ completed, one row a person and activity
//!                                     ◀──────────────────── taken back, when it is not true any more: a session is opened again,
//!                                                           voided or moved, an attendance does not stand
//! ```
//! Whoever changes what it follows from calls [`follow_in_tx`] in the same transaction, with the activity's lock: so of two changes at
//! once the second sees the first.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::rules::{self, CompletionState, Progress};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, PersonId, SessionId};
use crate::offering;
use crate::offering::completion::{self, CompletionRule};
use crate::offering::model::{AttendanceRole, Session, SessionState};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, completion_rules, completions, excuses, people, sessions};

/// Parameters of one statement: some, not thousands.
const SOME: usize = 500;

/// That somebody has completed an activity.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = completions, treat_none_as_default_value = false)]
pub struct Completion {
    /// What.
    pub activity_id: ActivityId,
    /// Who.
    pub person_id: PersonId,
    /// Since when.
    pub completed_at: NaiveDateTime,
    /// Since when it is not true any more.
    pub taken_back_at: Option<NaiveDateTime>,
}

/// When somebody came to a session, and when they left.
type Stay = (NaiveDateTime, Option<NaiveDateTime>);

/// What completions of an activity follow from.
pub struct Ground {
    /// From which share.
    pub rule: CompletionRule,
    sessions: Vec<Session>,
    stays: HashMap<PersonId, HashMap<SessionId, Stay>>,
    excused: HashSet<(SessionId, PersonId)>,
}

impl Ground {
    /// Reads it, for `people` or for everybody; none of an activity that has no rule.
    pub fn load(conn: &mut Conn, activity: ActivityId, people: Option<&[PersonId]>) -> Result<Option<Self>> {
        let Some(rule) = completion::rule_of(conn, activity)? else { return Ok(None) };
        let sessions = offering::store::sessions_of(conn, activity)?;
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id).collect();
        // Whoever helps or looks on earns no hours and completes nothing.
        let roles = offering::store::roles(conn)?;
        let earning: Vec<AttendanceRole> =
            roles.into_values().filter(|role| role.earns_hours).map(|role| role.code).collect();
        let mut there = attendances::table
            .filter(attendances::session_id.eq_any(&ids))
            .filter(attendances::voided_at.is_null())
            .filter(attendances::role.eq_any(earning))
            .select((
                attendances::person_id,
                attendances::session_id,
                attendances::checked_in_at,
                attendances::left_at,
            ))
            .into_boxed();
        let mut away = excuses::table
            .filter(excuses::session_id.eq_any(&ids))
            .select((excuses::session_id, excuses::person_id))
            .into_boxed();
        if let Some(people) = people {
            there = there.filter(attendances::person_id.eq_any(people));
            away = away.filter(excuses::person_id.eq_any(people));
        }
        let mut stays: HashMap<PersonId, HashMap<SessionId, Stay>> = HashMap::new();
        let rows: Vec<(PersonId, SessionId, NaiveDateTime, Option<NaiveDateTime>)> = there.load(conn)?;
        for (person, session, came, left) in rows {
            stays.entry(person).or_default().insert(session, (came, left));
        }
        let excused = away.load::<(SessionId, PersonId)>(conn)?.into_iter().collect();
        Ok(Some(Self { rule, sessions, stays, excused }))
    }

    /// What somebody has of it.
    pub fn progress(&self, person: PersonId) -> Progress {
        let stays = self.stays.get(&person);
        let parts = self.sessions.iter().map(|session| {
            let stay = stays.and_then(|stays| stays.get(&session.id)).copied();
            let excused = self.excused.contains(&(session.id, person));
            let length = (session.ends_at - session.starts_at).num_minutes();
            (length, rules::part(session, stay, excused))
        });
        rules::progress(self.rule, parts)
    }

    /// Who has completed it.
    fn completed(&self) -> BTreeSet<PersonId> {
        let done = |person: &&PersonId| self.progress(**person).state() == CompletionState::Completed;
        self.stays.keys().filter(done).copied().collect()
    }
}

/// Brings the completions of an activity to what is true. The caller holds the activity's lock, and appends what is returned to the audit
/// chain.
pub fn follow_in_tx(conn: &mut Conn, activity: ActivityId, now: DateTime<Utc>) -> Result<Vec<Entry>> {
    let Some(ground) = Ground::load(conn, activity, None)? else { return Ok(Vec::new()) };
    let completed = ground.completed();
    let kept: Vec<Completion> = completions::table
        .filter(completions::activity_id.eq(activity))
        .select(Completion::as_select())
        .load(conn)?;
    let known: HashSet<PersonId> = kept.iter().map(|row| row.person_id).collect();
    let (standing, void): (Vec<&Completion>, Vec<&Completion>) =
        kept.iter().partition(|row| row.taken_back_at.is_none());
    let of = |rows: Vec<&Completion>, wanted: bool| -> Vec<PersonId> {
        let ids = rows.into_iter().map(|row| row.person_id);
        ids.filter(|person| completed.contains(person) == wanted).collect()
    };
    let (gone, again) = (of(standing, false), of(void, true));
    let fresh: Vec<Completion> = completed
        .iter()
        .filter(|person| !known.contains(*person))
        .map(|person| Completion {
            activity_id: activity,
            person_id: *person,
            completed_at: db_time(now),
            taken_back_at: None,
        })
        .collect();
    crate::insert_rows!(conn, completions::table, fresh.as_slice())?;
    for some in again.chunks(SOME) {
        let void = completions::table
            .filter(completions::activity_id.eq(activity))
            .filter(completions::person_id.eq_any(some))
            .filter(completions::taken_back_at.is_not_null());
        diesel::update(void)
            .set((
                completions::completed_at.eq(db_time(now)),
                completions::taken_back_at.eq(None::<NaiveDateTime>),
            ))
            .execute(conn)?;
    }
    for some in gone.chunks(SOME) {
        let standing = completions::table
            .filter(completions::activity_id.eq(activity))
            .filter(completions::person_id.eq_any(some))
            .filter(completions::taken_back_at.is_null());
        diesel::update(standing).set(completions::taken_back_at.eq(db_time(now))).execute(conn)?;
    }
    if fresh.is_empty() && again.is_empty() && gone.is_empty() {
        return Ok(Vec::new());
    }
    let detail = json!({ "completed": fresh.len() + again.len(), "taken_back": gone.len() });
    Ok(vec![Entry::system("completions.follow", activity).detail(detail)])
}

/// Locks sessions in the order of their ids, and before them those activities whose completions follow from what is changed at them.
///
/// # Errors
/// `overloaded`, to begin anew, where one of them was finalised in this very moment.
pub fn sessions_lock_in_tx(conn: &mut Conn, ids: &[SessionId]) -> Result<HashMap<SessionId, Session>> {
    let with_rule = completion_rules::table.select(completion_rules::activity_id);
    let seen: Vec<(SessionId, ActivityId, SessionState)> = sessions::table
        .filter(sessions::id.eq_any(ids))
        .filter(sessions::activity_id.eq_any(with_rule))
        .select((sessions::id, sessions::activity_id, sessions::state))
        .load(conn)?;
    let finalised = |state: SessionState| state == SessionState::Finalised;
    let followed: Vec<ActivityId> =
        seen.iter().filter(|(_, _, state)| finalised(*state)).map(|(_, activity, _)| *activity).collect();
    if !followed.is_empty() {
        offering::store::activities_lock_in_tx(conn, &followed)?;
    }
    let locked = offering::store::sessions_lock_in_tx(conn, ids)?;
    let since = |(id, activity, _): &(SessionId, ActivityId, SessionState)| {
        locked.get(id).is_some_and(|now| finalised(now.state)) && !followed.contains(activity)
    };
    if seen.iter().any(since) { Err(Error::new(Code::Overloaded)) } else { Ok(locked) }
}

/// Somebody who has completed an activity, with their name.
pub type Named = (Completion, Option<String>);

/// Who has completed an activity, after `after`.
pub fn list(
    conn: &mut Conn,
    activity: ActivityId,
    after: Option<PersonId>,
    limit: i64,
) -> Result<Vec<Named>> {
    let mut query = completions::table
        .inner_join(people::table.on(people::id.eq(completions::person_id)))
        .filter(completions::activity_id.eq(activity))
        .filter(completions::taken_back_at.is_null())
        .order(completions::person_id)
        .limit(limit)
        .select((Completion::as_select(), people::name))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(completions::person_id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Since when somebody has completed an activity, if they have.
pub fn since(conn: &mut Conn, activity: ActivityId, person: PersonId) -> Result<Option<NaiveDateTime>> {
    let standing = completions::table.find((activity, person)).filter(completions::taken_back_at.is_null());
    Ok(standing.select(completions::completed_at).first(conn).optional()?)
}
