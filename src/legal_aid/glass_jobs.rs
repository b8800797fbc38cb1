//! What happens to opened cases when a time has come: they end, and the person whose case it is is told.

use chrono::TimeDelta;

use super::glass;
use crate::clock::SharedClock;
use crate::error::Result;
use crate::ids::Ids;
use crate::platform::db::Conn;
use crate::platform::outbox::{Job, JobHandler};

/// Looks every hour.
pub struct GlassSweep {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
}

impl JobHandler for GlassSweep {
    fn kind(&self) -> &'static str {
        "legal.glass"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        glass::sweep_in_tx(conn, &self.ids, self.clock.now())
    }
}
