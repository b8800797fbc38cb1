//! What the cancellation of a session or of an activity means for those who were checked in: their attendances stay as
//! history and count no more.

use std::sync::Arc;

use serde_json::json;

use super::counting::{Counting, Voided};
use super::{completing, store};
use crate::error::Result;
use crate::ids::{SessionId, SignupId};
use crate::ledger::model::Cause;
use crate::offering::following::{Change, Follower, Rescheduling};
use crate::offering::model::{Session, SessionState};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::signup;

/// Lets attendance follow its session.
pub struct AttendanceFollower {
    /// Counts attendance for the plan.
    pub counting: Arc<dyn Counting>,
}

impl Follower for AttendanceFollower {
    /// Finalised sessions of a cancelled activity were not held: nobody was there.
    fn activity_cancelled_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        let planned = change.sessions.iter().filter(|session| session.state == SessionState::Planned);
        let ids: Vec<SessionId> = planned.map(|session| session.id).collect();
        self.void_in_tx(conn, change, ids)
    }

    /// Longer and shorter sessions weigh otherwise.
    fn activity_rescheduled_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        _: &Rescheduling,
    ) -> Result<Vec<Entry>> {
        completing::follow_in_tx(conn, change.activity.id, change.now)
    }

    fn session_cancelled_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        session: &Session,
    ) -> Result<Vec<Entry>> {
        self.void_in_tx(conn, change, vec![session.id])
    }
}

impl AttendanceFollower {
    fn void_in_tx(&self, conn: &mut Conn, change: &Change, sessions: Vec<SessionId>) -> Result<Vec<Entry>> {
        let attendances = store::of_sessions(conn, &sessions)?;
        let mut signups: Vec<SignupId> = attendances.iter().filter_map(|row| row.signup_id).collect();
        signups.sort();
        signups.dedup();
        let standing = store::still_attended(conn, &signups)?;
        signups.retain(|id| !standing.contains(id));
        signup::following::unattended_in_tx(conn, &signups)?;
        let voided = Voided {
            activity: change.activity.id,
            sessions,
            attendances: attendances.iter().map(|row| (row.id, row.person_id)).collect(),
            cause: Cause::Voided,
            reason: change.reason.clone(),
        };
        self.counting.voided_in_tx(conn, &voided)?;
        let mut entries = Vec::new();
        if !attendances.is_empty() {
            let detail = json!({ "attendances": attendances.len(), "sessions": voided.sessions });
            entries.push(Entry::new(change.actor, "checkins.void", change.activity.id).detail(detail));
        }
        entries.extend(completing::follow_in_tx(conn, change.activity.id, change.now)?);
        Ok(entries)
    }
}
