//! Changes of activities and sessions with everything that follows from them, in one transaction.
//!
//! Every act: find and scope, lock the activity and then its sessions, ask [`lifecycle`], write, let the rooms above
//! follow, and append to the audit chain last.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::following::{Change, Followers, Moved, Rescheduling};
use super::lifecycle::{self, Event, Facts, SessionEvent};
use super::lifecycle_store::{self as states, Span};
use super::model::{Activity, ActivityState, Session, SessionState};
use super::resource_store;
use super::rules::{self, NewTimes};
use super::store;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PersonId, SessionId};
use crate::platform::access::Scope;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;

/// Who acts, when, where they may, and who follows.
#[derive(Clone)]
pub struct Acting {
    /// Rooms above.
    pub followers: Followers,
    /// Where the actor may.
    pub scope: Scope,
    /// Who.
    pub actor: PersonId,
    /// When.
    pub now: DateTime<Utc>,
}

impl Acting {
    /// The activity `id` and all its sessions, locked; 404 outside the scope.
    fn locked(&self, conn: &mut Conn, id: ActivityId, reason: &str) -> Result<Change> {
        self.scope.require(&store::activity_get(conn, id)?.path)?;
        let activity = store::activities_lock_in_tx(conn, &[id])?.remove(&id).ok_or_else(Error::not_found)?;
        let sessions = states::sessions_of_locked_in_tx(conn, id)?;
        Ok(Change { activity, sessions, actor: self.actor, now: self.now, reason: reason.to_owned() })
    }

    fn decide(&self, event: Event, change: &Change, undecided: i64) -> Result<ActivityState> {
        let facts = Facts { sessions: &change.sessions, undecided };
        lifecycle::transition(event, &change.activity, facts, self.now)
    }

    /// The end of every act: what happened stands in the audit chain before what followed from it.
    fn finish(
        &self,
        conn: &mut Conn,
        event: Event,
        change: &Change,
        detail: Value,
        followed: Vec<Entry>,
    ) -> Result<()> {
        let mut entries = vec![entry(event, change, detail)?];
        entries.extend(followed);
        audit::append_in_tx(conn, self.now, entries)
    }

    /// Publishes a draft.
    pub fn publish_in_tx(&self, conn: &mut Conn, id: ActivityId) -> Result<()> {
        let entries = self.published_in_tx(conn, id)?;
        audit::append_in_tx(conn, self.now, entries)
    }

    /// [`Self::publish_in_tx`] for many: the caller appends what is returned to the audit chain, last.
    pub fn published_in_tx(&self, conn: &mut Conn, id: ActivityId) -> Result<Vec<Entry>> {
        let change = self.locked(conn, id, "")?;
        let to = self.decide(Event::Publish, &change, 0)?;
        set_state(conn, &change, to, None)?;
        let mut entries = vec![entry(Event::Publish, &change, Value::Null)?];
        entries.extend(self.followers.tell(|one| one.activity_published_in_tx(conn, &change))?);
        Ok(entries)
    }

    /// Says that places are given.
    pub fn allocate_in_tx(&self, conn: &mut Conn, id: ActivityId) -> Result<()> {
        let change = self.locked(conn, id, "")?;
        let undecided = self.followers.undecided_in_tx(conn, id)?;
        let to = self.decide(Event::Allocate, &change, undecided)?;
        set_state(conn, &change, to, None)?;
        let followed = self.followers.tell(|one| one.activity_allocated_in_tx(conn, &change))?;
        self.finish(conn, Event::Allocate, &change, Value::Null, followed)
    }

    /// Cancels an activity with all its sessions.
    pub fn cancel_in_tx(&self, conn: &mut Conn, id: ActivityId, reason: &str) -> Result<()> {
        let change = self.locked(conn, id, reason)?;
        let to = self.decide(Event::Cancel, &change, 0)?;
        let planned: Vec<SessionId> = planned(&change.sessions).map(|session| session.id).collect();
        states::sessions_cancel_in_tx(conn, &planned, SessionState::Planned, reason)?;
        resource_store::bookings_free_in_tx(conn, &planned)?;
        set_state(conn, &change, to, Some(reason))?;
        let followed = self.followers.tell(|one| one.activity_cancelled_in_tx(conn, &change))?;
        let detail = json!({ "sessions": planned.len() });
        self.finish(conn, Event::Cancel, &change, detail, followed)
    }

    /// Takes an activity's dates away for now.
    pub fn postpone_in_tx(&self, conn: &mut Conn, id: ActivityId, reason: &str) -> Result<()> {
        let change = self.locked(conn, id, reason)?;
        let to = self.decide(Event::Postpone, &change, 0)?;
        // Rooms and trainers stay booked, which binds nobody while there are no dates.
        set_state(conn, &change, to, Some(reason))?;
        let followed = self.followers.tell(|one| one.activity_postponed_in_tx(conn, &change))?;
        self.finish(conn, Event::Postpone, &change, Value::Null, followed)
    }

    /// Gives sessions of an activity new times.
    pub fn reschedule_in_tx(
        &self,
        conn: &mut Conn,
        id: ActivityId,
        reason: &str,
        wanted: &NewTimes,
    ) -> Result<()> {
        let change = self.locked(conn, id, reason)?;
        let to = self.decide(Event::Reschedule, &change, 0)?;
        let faults = rules::check_new_times(&change.activity, &change.sessions, wanted, self.now);
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        let moved = moves(&change.sessions, wanted);
        let times: Vec<_> =
            moved.iter().map(|one| (one.before.id, one.starts_at.and_utc(), one.ends_at.and_utc())).collect();
        resource_store::bookings_move_in_tx(conn, &times)?;
        for one in &moved {
            states::session_move_in_tx(conn, one)?;
        }
        let sessions = store::sessions_of(conn, id)?;
        let mut span = span(&change.activity, &sessions);
        span.signup_opens_at = wanted.signup_opens_at.map_or(span.signup_opens_at, db_time);
        span.signup_closes_at = wanted.signup_closes_at.map_or(span.signup_closes_at, db_time);
        states::activity_span_set_in_tx(conn, id, span, self.now)?;
        set_state(conn, &change, to, None)?;
        let times = Rescheduling { moved, release: wanted.release };
        let followed = self.followers.tell(|one| one.activity_rescheduled_in_tx(conn, &change, &times))?;
        let moved: Vec<SessionId> = times.moved.iter().map(|one| one.before.id).collect();
        let detail = json!({ "sessions": moved, "release": times.release });
        self.finish(conn, Event::Reschedule, &change, detail, followed)
    }

    /// Cancels one session; one that is finalised counts for nothing any more.
    pub fn session_cancel_in_tx(&self, conn: &mut Conn, id: SessionId, reason: &str) -> Result<()> {
        let activity = store::session_get(conn, id)?.0.activity_id;
        let change = self.locked(conn, activity, reason)?;
        let session = change.sessions.iter().find(|session| session.id == id).ok_or_else(Error::not_found)?;
        let event = SessionEvent::ending(session);
        let line =
            lifecycle::session_transition(event, session, &change.activity, &change.sessions, self.now)?;
        states::sessions_cancel_in_tx(conn, &[id], line.from, reason)?;
        resource_store::bookings_free_in_tx(conn, &[id])?;
        let left = store::sessions_of(conn, activity)?;
        let mut span = span(&change.activity, &left);
        // Nobody can sign up for what is over.
        if span.signup_opens_at < span.ends_at {
            span.signup_closes_at = span.signup_closes_at.min(span.ends_at);
        }
        states::activity_span_set_in_tx(conn, activity, span, self.now)?;
        let mut entries =
            vec![Entry::new(self.actor, line.audit, id).detail(json!({ "activity": activity }))];
        entries.extend(self.followers.tell(|one| one.session_cancelled_in_tx(conn, &change, session))?);
        entries.extend(finish_if_over_in_tx(conn, &self.followers, activity, self.actor, self.now)?);
        audit::append_in_tx(conn, self.now, entries)
    }
}

/// Finishes an activity whose last session is over, and gives what the audit chain is to hold of it. The caller
/// holds the activity's lock.
pub fn finish_if_over_in_tx(
    conn: &mut Conn,
    followers: &Followers,
    id: ActivityId,
    actor: PersonId,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>> {
    let activity = store::activity_get(conn, id)?.activity;
    let sessions = store::sessions_of(conn, id)?;
    if activity.state == ActivityState::Finished || planned(&sessions).next().is_some() {
        return Ok(Vec::new());
    }
    let facts = Facts { sessions: &sessions, undecided: 0 };
    let to = lifecycle::transition(Event::Finish, &activity, facts, now)?;
    let change = Change { activity, sessions, actor, now, reason: String::new() };
    set_state(conn, &change, to, None)?;
    let mut entries = vec![entry(Event::Finish, &change, Value::Null)?];
    entries.extend(followers.tell(|one| one.activity_finished_in_tx(conn, &change))?);
    Ok(entries)
}

/// Takes back that an activity is finished, since one of its sessions is opened again; nothing of one that is not. The caller holds the
/// activity's lock.
pub fn reopen_if_finished_in_tx(
    conn: &mut Conn,
    followers: &Followers,
    change: &Change,
) -> Result<Vec<Entry>> {
    if change.activity.state != ActivityState::Finished {
        return Ok(Vec::new());
    }
    let facts = Facts { sessions: &change.sessions, undecided: 0 };
    let to = lifecycle::transition(Event::Reopen, &change.activity, facts, change.now)?;
    set_state(conn, change, to, None)?;
    let mut entries = vec![entry(Event::Reopen, change, Value::Null)?];
    entries.extend(followers.tell(|one| one.activity_reopened_in_tx(conn, change))?);
    Ok(entries)
}

fn set_state(conn: &mut Conn, change: &Change, to: ActivityState, reason: Option<&str>) -> Result<()> {
    let activity = &change.activity;
    states::activity_state_set_in_tx(conn, activity.id, activity.state, to, reason, change.now)
}

fn entry(event: Event, change: &Change, detail: Value) -> Result<Entry> {
    let line = lifecycle::TRANSITIONS.iter().find(|line| line.event == event);
    let action = line.and_then(|line| line.audit);
    let action = action.ok_or_else(|| Error::internal(format!("{event} is nothing to record")))?;
    Ok(Entry::new(change.actor, action, change.activity.id).detail(detail))
}

fn planned(sessions: &[Session]) -> impl Iterator<Item = &Session> {
    sessions.iter().filter(|session| session.state == SessionState::Planned)
}

/// The moves that are wanted, in the order of the sessions. What cannot be moved was named as a fault before.
fn moves(sessions: &[Session], wanted: &NewTimes) -> Vec<Moved> {
    let time = |session: &Session| wanted.sessions.iter().find(|(id, _)| *id == session.id);
    let moved = |session: &Session| {
        time(session).map(|(_, times)| Moved {
            before: session.clone(),
            starts_at: db_time(times.starts_at),
            ends_at: db_time(times.ends_at),
        })
    };
    sessions.iter().filter_map(moved).collect()
}

/// The times of an activity with these sessions; as before where none is left.
fn span(activity: &Activity, sessions: &[Session]) -> Span {
    let standing = || sessions.iter().filter(|session| session.state != SessionState::Cancelled);
    let or = |found: Option<NaiveDateTime>, before: NaiveDateTime| found.unwrap_or(before);
    Span {
        signup_opens_at: activity.signup_opens_at,
        signup_closes_at: activity.signup_closes_at,
        starts_at: or(standing().map(|session| session.starts_at).min(), activity.starts_at),
        ends_at: or(standing().map(|session| session.ends_at).max(), activity.ends_at),
    }
}
