//! Jobs of the plan.

use chrono::TimeDelta;

use super::verify;
use crate::error::Result;
use crate::platform::db::{Conn, Db};
use crate::platform::outbox::{Job, JobHandler};

/// Differences that the log names; `unionhall ledger verify` names all.
const TOLD: usize = 100;

/// Recounts the whole ledger from its sources once a day and raises a figure that an alarm can watch.
pub struct Recount;

impl JobHandler for Recount {
    fn kind(&self) -> &'static str {
        "ledger.recount"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(24))
    }

    fn is_long(&self) -> bool {
        true
    }

    fn prepare(&self, db: &Db, _: &Job) -> Result<()> {
        let report = db.snapshot_blocking(|conn| verify::verify(conn, |_| {}))?;
        let found = u32::try_from(report.differences.len()).unwrap_or(u32::MAX);
        metrics::gauge!("unionhall_ledger_differences").set(f64::from(found));
        if report.differences.len() > TOLD {
            tracing::error!(
                differences = report.differences.len(),
                "the ledger differs from its sources; the first are told"
            );
        }
        for difference in report.differences.iter().take(TOLD) {
            tracing::error!(
                code = difference.code,
                detail = difference.detail,
                "the ledger differs from its sources"
            );
        }
        Ok(())
    }

    fn run_in_tx(&self, _: &mut Conn, _: &Job) -> Result<()> {
        Ok(())
    }
}
