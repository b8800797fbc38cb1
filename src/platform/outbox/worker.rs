//! The loop that runs jobs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use tokio::sync::watch;

use super::{Bell, Job, JobHandler, JobState, NewJob, enqueue_in_tx};
use crate::clock::{SharedClock, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::{Ids, JobId};
use crate::platform::db::schema::jobs;
use crate::platform::db::{Conn, Db};

/// Jobs claimed at once, at most.
const CLAIM: usize = 128;
/// How long jobs gather before the next claim, while there are some.
const GATHER: Duration = Duration::from_millis(200);
/// How long an instance may hold a job before another takes it over.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// Attempts before a job is dead: with the back-off below, about a day.
const ATTEMPTS: i64 = 12;
/// How often to look without being rung.
const LOOK: Duration = Duration::from_millis(500);

/// Which jobs a loop runs: one loop runs everything that is short, and each kind that is long has one of its own. So a recount keeps no
/// message and no term waiting.
#[derive(Debug, Clone, Copy)]
enum Lane {
    Short,
    Long(&'static str),
}

/// Runs jobs, in this process.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    clock: SharedClock,
    ids: Ids,
    bell: Bell,
    instance: String,
    claim: usize,
    handlers: Arc<HashMap<&'static str, Arc<dyn JobHandler>>>,
}

impl Worker {
    /// A worker with all handlers. At most `batch` jobs share a commit.
    pub fn new(
        db: Db,
        clock: SharedClock,
        ids: Ids,
        bell: Bell,
        batch: usize,
        handlers: Vec<Arc<dyn JobHandler>>,
    ) -> Self {
        let instance = hex::encode(ids.bytes::<8>());
        let handlers = Arc::new(handlers.into_iter().map(|handler| (handler.kind(), handler)).collect());
        Self { db, clock, ids, bell, instance, claim: CLAIM.min(batch).max(1), handlers }
    }

    /// Writes the first job of everything that comes back, where none waits.
    pub fn plant_recurring(&self) -> Result<()> {
        let now = self.clock.now();
        let new: Vec<NewJob> =
            self.handlers.values().filter_map(|handler| recurring(handler.as_ref(), now)).collect();
        self.db.write_blocking(|conn| enqueue_in_tx(conn, &self.ids, now, new))
    }

    /// Runs jobs until `stop` turns true; ends after the jobs at hand.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let lanes = self.lanes().into_iter().map(|lane| self.clone().run_lane(lane, stop.clone()));
        futures_util::future::join_all(lanes).await;
    }

    fn lanes(&self) -> Vec<Lane> {
        std::iter::once(Lane::Short).chain(self.long_kinds().into_iter().map(Lane::Long)).collect()
    }

    fn long_kinds(&self) -> Vec<&'static str> {
        self.handlers.values().filter(|handler| handler.is_long()).map(|handler| handler.kind()).collect()
    }

    /// How many jobs are claimed at once. A long one at a time: its lease does not run out while it waits for another.
    fn most(&self, lane: Lane) -> usize {
        match lane {
            Lane::Short => self.claim,
            Lane::Long(_) => 1,
        }
    }

    async fn run_lane(self, lane: Lane, mut stop: watch::Receiver<bool>) {
        let mut pause = LOOK;
        while !*stop.borrow() {
            let worker = self.clone();
            let outcome = tokio::task::spawn_blocking(move || worker.pass(lane)).await;
            pause = match outcome {
                Ok(Ok(0)) => LOOK,
                // As many as can be claimed: there are more.
                Ok(Ok(done)) if done >= self.most(lane) => continue,
                Ok(Ok(_)) => {
                    // In a rush there is always another one. What comes in this moment shares a commit, instead of taking one
                    // from those who sign up.
                    tokio::select! {
                        _ = stop.changed() => {}
                        () = tokio::time::sleep(GATHER) => {}
                    }
                    continue;
                }
                // An unreachable database is reported by readiness; here it only slows the loop down.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the job loop cannot reach the database");
                    (pause * 2).min(Duration::from_secs(10))
                }
                Err(join) => {
                    tracing::error!(%join, "the job loop panicked");
                    LOOK
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                // Who rings waits for something short; whatever is long is found at the next look.
                () = self.bell.heard(), if matches!(lane, Lane::Short) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Runs everything that is due and says how many jobs that were. For tests and for the end of a stop.
    pub fn drain(&self) -> Result<usize> {
        let mut total = 0;
        loop {
            let done =
                self.lanes().into_iter().try_fold(0, |sum, lane| self.pass(lane).map(|done| sum + done))?;
            match done {
                0 => return Ok(total),
                done => total += done,
            }
        }
    }

    fn pass(&self, lane: Lane) -> Result<usize> {
        let claimed = self.db.write_blocking(|conn| self.claim_in_tx(conn, lane))?;
        for jobs in claimed.chunk_by(|one, next| one.kind == next.kind) {
            if !self.run_together(jobs)? {
                jobs.iter().try_for_each(|job| self.run_one(job))?;
            }
        }
        Ok(claimed.len())
    }

    /// Runs jobs of one kind in one transaction, where they are of that sort; false when nothing was done.
    fn run_together(&self, claimed: &[Job]) -> Result<bool> {
        let kind = claimed.first().map(|job| job.kind.as_str()).unwrap_or_default();
        let Some(handler) = self.handlers.get(kind).filter(|handler| handler.shares()) else {
            return Ok(false);
        };
        if claimed.len() < 2 || claimed.iter().any(|job| job.attempts > 1) {
            return Ok(false);
        }
        let stopwatch = crate::clock::Stopwatch::start();
        let ids: Vec<JobId> = claimed.iter().map(|job| job.id).collect();
        let done = self.db.write_blocking(|conn| {
            let mine = jobs::table.filter(jobs::id.eq_any(&ids)).filter(jobs::leased_by.eq(&self.instance));
            if diesel::delete(mine).execute(conn)? < ids.len() {
                return Err(Error::internal("another instance has taken some of the jobs over"));
            }
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handler.run_all_in_tx(conn, claimed)))
                .unwrap_or_else(|_| Err(Error::internal("a job panicked")))
        });
        match done {
            Ok(()) => {
                let kind = kind.to_owned();
                metrics::histogram!("unionhall_job_seconds", "kind" => kind.clone())
                    .record(stopwatch.elapsed().as_secs_f64());
                metrics::counter!("unionhall_jobs_total", "kind" => kind, "outcome" => "done")
                    .increment(u64::try_from(ids.len()).unwrap_or(0));
                Ok(true)
            }
            Err(error) if error.code() == Code::StorageUnavailable => Err(error),
            Err(error) => {
                tracing::debug!(%error, kind, "jobs are run one by one");
                Ok(false)
            }
        }
    }

    fn claim_in_tx(&self, conn: &mut Conn, lane: Lane) -> Result<Vec<Job>> {
        let now = self.clock.now();
        let queued = jobs::state.eq(JobState::Queued).and(jobs::run_at.le(db_time(now)));
        let left = jobs::state.eq(JobState::Running).and(jobs::leased_until.lt(db_time(now)));
        // Typed once for each engine.
        macro_rules! due {
            ($of:expr, $limit:expr) => {
                jobs::table
                    .filter(queued.or(left))
                    .filter($of)
                    .order((jobs::run_at, jobs::id))
                    .limit($limit)
                    .select(Job::as_select())
            };
        }
        let limit = i64::try_from(self.most(lane)).unwrap_or(1);
        let mut claimed: Vec<Job> = match lane {
            Lane::Short => {
                let long = self.long_kinds();
                crate::load_unclaimed!(conn, due!(jobs::kind.ne_all(&long), limit))?
            }
            Lane::Long(kind) => crate::load_unclaimed!(conn, due!(jobs::kind.eq(kind), limit))?,
        };
        let ids: Vec<JobId> = claimed.iter().map(|job| job.id).collect();
        if ids.is_empty() {
            return Ok(claimed);
        }
        diesel::update(jobs::table.filter(jobs::id.eq_any(ids)))
            .set((
                jobs::state.eq(JobState::Running),
                jobs::attempts.eq(jobs::attempts + 1),
                jobs::leased_by.eq(&self.instance),
                jobs::leased_until.eq(db_time(now + LEASE)),
            ))
            .execute(conn)?;
        for job in &mut claimed {
            job.attempts += 1;
        }
        Ok(claimed)
    }

    fn run_one(&self, job: &Job) -> Result<()> {
        let stopwatch = crate::clock::Stopwatch::start();
        let outcome = match self.handlers.get(job.kind.as_str()) {
            Some(handler) => self.attempt(handler.as_ref(), job),
            None => Err(Error::internal(format!("no handler for jobs of the kind {:?}", job.kind))),
        };
        let kind = job.kind.clone();
        metrics::histogram!("unionhall_job_seconds", "kind" => kind.clone())
            .record(stopwatch.elapsed().as_secs_f64());
        match outcome {
            Ok(()) => {
                metrics::counter!("unionhall_jobs_total", "kind" => kind, "outcome" => "done").increment(1);
                Ok(())
            }
            Err(error) if error.code() == Code::StorageUnavailable => Err(error),
            Err(error) => {
                let returns =
                    self.handlers.get(job.kind.as_str()).is_some_and(|handler| handler.every().is_some());
                let dead = job.attempts >= ATTEMPTS && !returns;
                metrics::counter!("unionhall_jobs_total", "kind" => kind, "outcome" => if dead { "dead" } else { "failed" })
                    .increment(1);
                if dead {
                    tracing::error!(job = %job.id, kind = job.kind, %error, "job is dead");
                } else {
                    tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempts, %error, "job failed");
                }
                self.db.write_blocking(|conn| self.postpone_in_tx(conn, job, &error, dead))
            }
        }
    }

    fn attempt(&self, handler: &dyn JobHandler, job: &Job) -> Result<()> {
        if job.attempts > ATTEMPTS && handler.every().is_none() {
            // Claimed again after attempts that never came to an end: each took its process with it.
            return Err(Error::internal("the job never came to an end"));
        }
        handler.prepare(&self.db, job)?;
        self.db.write_blocking(|conn| {
            // A panic is a failure like any other: rolled back, counted, and in the end dead.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.finish_in_tx(conn, handler, job)))
                .unwrap_or_else(|_| Err(Error::internal("the job panicked")))
        })
    }

    /// The effect and the end of the job, or neither.
    fn finish_in_tx(&self, conn: &mut Conn, handler: &dyn JobHandler, job: &Job) -> Result<()> {
        let mine = jobs::table.filter(jobs::id.eq(job.id)).filter(jobs::leased_by.eq(&self.instance));
        if diesel::delete(mine).execute(conn)? == 0 {
            // The lease ran out and another instance has taken over.
            return Ok(());
        }
        handler.run_in_tx(conn, job)?;
        let now = self.clock.now();
        if let Some(period) = handler.every() {
            let next = recurring(handler, now + period);
            enqueue_in_tx(conn, &self.ids, now, next.into_iter().collect())?;
        }
        Ok(())
    }

    fn postpone_in_tx(&self, conn: &mut Conn, job: &Job, error: &Error, dead: bool) -> Result<()> {
        let mine = jobs::table.filter(jobs::id.eq(job.id)).filter(jobs::leased_by.eq(&self.instance));
        diesel::update(mine)
            .set((
                jobs::state.eq(if dead { JobState::Dead } else { JobState::Queued }),
                jobs::run_at.eq(db_time(self.clock.now() + back_off(job.attempts))),
                jobs::last_error.eq(error.to_string().chars().take(500).collect::<String>()),
                jobs::leased_by.eq(None::<String>),
                jobs::leased_until.eq(None::<chrono::NaiveDateTime>),
            ))
            .execute(conn)?;
        Ok(())
    }
}

fn recurring(handler: &dyn JobHandler, run_at: DateTime<Utc>) -> Option<NewJob> {
    handler.every().map(|_| NewJob {
        kind: handler.kind(),
        payload: serde_json::json!({}),
        run_at,
        dedupe_key: Some(format!("recurring/{}", handler.kind())),
    })
}

/// 5 s, 10 s, 20 s, … up to 6 hours.
fn back_off(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(1, 13) - 1).unwrap_or(0);
    TimeDelta::seconds(5 * 2_i64.pow(doublings)).min(TimeDelta::hours(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_six_hours() {
        assert_eq!(back_off(1), TimeDelta::seconds(5));
        assert_eq!(back_off(2), TimeDelta::seconds(10));
        assert_eq!(back_off(12), TimeDelta::seconds(5 * 2048));
        assert_eq!(back_off(1000), TimeDelta::seconds(5 * 4096));
        assert_eq!(back_off(i64::MIN), TimeDelta::seconds(5));
    }
}
