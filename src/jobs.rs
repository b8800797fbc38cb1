//! Jobs that belong to no one room, and the figures of the job table.

use chrono::TimeDelta;

use crate::clock::{SharedClock, civil_day, db_time};
use crate::error::Result;
use crate::identity;
use crate::platform::Platform;
use crate::platform::cache::CacheHealth;
use crate::platform::db::Conn;
use crate::platform::http::idempotency;
use crate::platform::outbox::{self, Job, JobHandler, JobState};
use crate::policy;

/// Forgets what need not be kept: answers under idempotency keys after 7 days, ended logins after 30.
pub struct Housekeeping {
    /// The present.
    pub clock: SharedClock,
}

impl JobHandler for Housekeeping {
    fn kind(&self) -> &'static str {
        "housekeeping"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.clock.now();
        let answers = idempotency::purge_in_tx(conn, now)?;
        let tokens = identity::store::purge_in_tx(conn, now - TimeDelta::days(30))?;
        tracing::debug!(answers, tokens, "forgot what need not be kept");
        Ok(())
    }
}

/// Sets the gauges that are read rather than counted.
pub async fn measure(platform: &Platform) {
    let now = platform.clock.now();
    match platform.db.read(outbox::census).await {
        Ok(rows) => {
            for state in JobState::ALL {
                let row = rows.iter().find(|(found, _, _)| found == state);
                let number = row.map_or(0, |(_, number, _)| *number);
                metrics::gauge!("unionhall_jobs", "state" => state.as_str())
                    .set(f64::from(u32::try_from(number).unwrap_or(u32::MAX)));
                if *state == JobState::Queued {
                    let waited = row
                        .and_then(|(_, _, due)| *due)
                        .map_or(0, |due| (db_time(now) - due).num_seconds().max(0));
                    metrics::gauge!("unionhall_jobs_overdue_seconds")
                        .set(f64::from(u32::try_from(waited).unwrap_or(u32::MAX)));
                }
            }
            metrics::gauge!("unionhall_database_up").set(1.0);
        }
        Err(error) => {
            tracing::debug!(%error, "the job table cannot be read");
            metrics::gauge!("unionhall_database_up").set(0.0);
        }
    }
    if let Ok(years) = platform.db.read(move |conn| policy::store::unknown_years(conn, civil_day(now))).await
    {
        let unknown = u32::try_from(years.len()).unwrap_or(u32::MAX);
        metrics::gauge!("unionhall_calendar_unknown_years").set(f64::from(unknown));
    }
    let cache = if platform.cache.health() == CacheHealth::RedisDown { 0.0 } else { 1.0 };
    metrics::gauge!("unionhall_cache_up").set(cache);
}
