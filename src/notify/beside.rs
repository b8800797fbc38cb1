//! What is written beside a decision, in its transaction.

use chrono::{DateTime, Utc};

use super::jobs::{self, Message};
use crate::error::Result;
use crate::ids::Ids;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::outbox::{self, NewJob};

/// What is written beside a decision: messages and jobs with it, the audit chain last.
#[derive(Debug, Default)]
pub struct Beside {
    /// To the people concerned.
    pub messages: Vec<Message>,
    /// Work at a later time.
    pub jobs: Vec<NewJob>,
    /// Who did what.
    pub entries: Vec<Entry>,
}

impl Beside {
    /// Writes everything. The audit chain is appended last, so the caller does nothing after this.
    pub fn write_in_tx(self, conn: &mut Conn, ids: &Ids, now: DateTime<Utc>) -> Result<()> {
        let mut jobs = self.jobs;
        jobs.extend(jobs::jobs(&self.messages, now));
        outbox::enqueue_in_tx(conn, ids, now, jobs)?;
        audit::append_in_tx(conn, now, self.entries)
    }
}
