//! What follows from a change of an activity in the rooms above this one. They come as interfaces, wired in `app.rs`.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::model::{Activity, Session};
use crate::error::Result;
use crate::ids::{ActivityId, PersonId};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;

/// What was changed, by whom, when and why. Activity and sessions are locked.
#[derive(Debug, Clone)]
pub struct Change {
    /// The activity, as it was before.
    pub activity: Activity,
    /// All its sessions, as they were before, in order.
    pub sessions: Vec<Session>,
    /// Who did it.
    pub actor: PersonId,
    /// When.
    pub now: DateTime<Utc>,
    /// Why, in the organiser's words; empty where nobody was asked.
    pub reason: String,
}

/// A session's new time.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The session, as it was before.
    pub before: Session,
    /// Begins.
    pub starts_at: NaiveDateTime,
    /// Ends.
    pub ends_at: NaiveDateTime,
}

/// What a rescheduling is about besides.
#[derive(Debug, Clone)]
pub struct Rescheduling {
    /// Sessions with new times, in order.
    pub moved: Vec<Moved>,
    /// Whether people must sign up anew; otherwise they keep what they have.
    pub release: bool,
}

/// Lets consequences follow, in the transaction of the change. What is returned is appended to the audit chain at the
/// end; an error undoes everything.
pub trait Follower: Send + Sync {
    /// How many sign-ups wait for a shuffle or are asked about a place. The activity is locked.
    fn undecided_in_tx(&self, _conn: &mut Conn, _activity: ActivityId) -> Result<i64> {
        Ok(0)
    }

    /// Everybody can see it.
    fn activity_published_in_tx(&self, _conn: &mut Conn, _change: &Change) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// It will not take place. Its planned sessions are cancelled already.
    fn activity_cancelled_in_tx(&self, _conn: &mut Conn, _change: &Change) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// It has no dates for now.
    fn activity_postponed_in_tx(&self, _conn: &mut Conn, _change: &Change) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// It has new dates, which are written already.
    fn activity_rescheduled_in_tx(
        &self,
        _conn: &mut Conn,
        _change: &Change,
        _times: &Rescheduling,
    ) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// Places are given; who has none gets none.
    fn activity_allocated_in_tx(&self, _conn: &mut Conn, _change: &Change) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// Its last session is finalised, or cancelled after another was. Here the sessions are those of afterwards.
    fn activity_finished_in_tx(&self, _conn: &mut Conn, _change: &Change) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// It was finished, and one of its sessions is opened again.
    fn activity_reopened_in_tx(&self, _conn: &mut Conn, _change: &Change) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    /// One session did not or will not take place; its state is written already. `session` is as it was before.
    fn session_cancelled_in_tx(
        &self,
        _conn: &mut Conn,
        _change: &Change,
        _session: &Session,
    ) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }
}

/// All followers, from the lowest floor upwards, which is the order of their locks.
#[derive(Clone, Default)]
pub struct Followers(pub Vec<Arc<dyn Follower>>);

impl Followers {
    /// Tells each, and collects what they leave to the audit chain.
    pub fn tell(&self, mut tell: impl FnMut(&dyn Follower) -> Result<Vec<Entry>>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for follower in &self.0 {
            entries.extend(tell(follower.as_ref())?);
        }
        Ok(entries)
    }

    /// How many sign-ups are undecided.
    pub fn undecided_in_tx(&self, conn: &mut Conn, activity: ActivityId) -> Result<i64> {
        let mut undecided = 0;
        for follower in &self.0 {
            undecided += follower.undecided_in_tx(conn, activity)?;
        }
        Ok(undecided)
    }
}
