//! What follows an erasure: once more for what was under way, and the end of what was kept.

use chrono::TimeDelta;
use serde::Deserialize;

use super::acts::{self, AGAIN, ErasureTools};
use super::store;
use crate::clock::{SharedClock, civil_day};
use crate::error::{Error, Result};
use crate::ids::PersonId;
use crate::platform::db::Conn;
use crate::platform::outbox::{Job, JobHandler};

/// Files that one run of the sweep ends.
const SWEPT: i64 = 100;

/// Empties what others were answered, and erases once more what requests wrote that had begun before an erasure and ended after it.
pub struct Again {
    /// The present.
    pub clock: SharedClock,
    /// What it is done with.
    pub tools: ErasureTools,
}

#[derive(Deserialize)]
struct Payload {
    people: Vec<PersonId>,
}

impl JobHandler for Again {
    fn kind(&self) -> &'static str {
        AGAIN
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let Payload { people } = serde_json::from_str(&job.payload).map_err(Error::internal)?;
        let mut kept = Vec::new();
        for person in &people {
            kept.extend(store::kept(conn, *person)?);
        }
        kept.retain(|row| row.ended_at.is_none());
        let found = acts::wipe_in_tx(conn, &self.tools, &people, &kept, self.clock.now())?;
        let answers = acts::answers_in_tx(conn, &people, &kept)?;
        tracing::debug!(?found, answers, "erased once more");
        Ok(())
    }
}

/// Ends what was kept long enough, and lets teams go.
pub struct Sweep {
    /// The present.
    pub clock: SharedClock,
    /// What it is done with.
    pub tools: ErasureTools,
}

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "erasure.sweep"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.clock.now();
        for row in store::due(conn, civil_day(now), SWEPT)? {
            acts::end_in_tx(conn, &self.tools.ids, &row, now)?;
        }
        acts::rest_in_tx(conn, now)?;
        Ok(())
    }
}
