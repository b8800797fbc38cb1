//! What the cancellation of a session or of an activity means for the crowds that were counted there: they are void. A session at which one
//! was counted took place, so that it gets no other time.

use std::sync::Arc;

use serde_json::json;

use super::model::Headcount;
use super::rules::{self, HeadcountEvent};
use super::{recounting, store, subject};
use crate::attendance::counting::Counting;
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::SessionId;
use crate::notify::beside::Beside;
use crate::offering::following::{Change, Follower, Rescheduling};
use crate::offering::model::{Session, SessionState};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review::deciding::Desk;

/// Lets headcounts follow their session.
pub struct HeadcountFollower {
    /// Counts for the plan.
    pub counting: Arc<dyn Counting>,
    /// Where they are decided.
    pub desk: Desk,
}

impl Follower for HeadcountFollower {
    fn activity_cancelled_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        self.void_in_tx(conn, change, &change.sessions)
    }

    fn activity_postponed_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        let planned = change.sessions.iter().filter(|session| session.state == SessionState::Planned);
        stays(conn, planned.map(|session| session.id).collect())
    }

    fn activity_rescheduled_in_tx(
        &self,
        conn: &mut Conn,
        _: &Change,
        times: &Rescheduling,
    ) -> Result<Vec<Entry>> {
        stays(conn, times.moved.iter().map(|moved| moved.before.id).collect())
    }

    fn session_cancelled_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        session: &Session,
    ) -> Result<Vec<Entry>> {
        self.void_in_tx(conn, change, std::slice::from_ref(session))
    }
}

/// Refuses another time for sessions at which a crowd was counted.
fn stays(conn: &mut Conn, sessions: Vec<SessionId>) -> Result<Vec<Entry>> {
    if store::live_of(conn, &sessions)?.is_empty() {
        return Ok(Vec::new());
    }
    Err(Error::new(Code::StateForbids).detail(
        "已有场次登记了现场人数；请先结算或取消该场次",
        "A crowd was counted at a session; finalise or cancel that session first",
    ))
}

impl HeadcountFollower {
    fn void_in_tx(&self, conn: &mut Conn, change: &Change, sessions: &[Session]) -> Result<Vec<Entry>> {
        let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        let mut beside = Beside::default();
        for seen in store::live_of(conn, &ids)? {
            // Who decides about it at this moment waits for the session, and sees it void.
            let (session, row) = store::locked_in_tx(conn, seen.id)?;
            let state = rules::transition(HeadcountEvent::Void, row.state)?;
            let after = Headcount { state, decided_at: Some(db_time(change.now)), ..row.clone() };
            store::update_in_tx(conn, &row, &after)?;
            recounting::uncount_in_tx(conn, self.counting.as_ref(), &session, &row, &change.reason)?;
            subject::dissolve_in_tx(conn, &self.desk, &row, change.actor, change.now, &mut beside)?;
            let detail = json!({ "session": row.session_id, "number": row.number });
            beside.entries.push(Entry::new(change.actor, "headcount.void", row.id).detail(detail));
        }
        Ok(beside.entries)
    }
}
