//! Work that follows a commit, and timed work, as rows written in the same transaction as their cause.
//!
//! ```text
//! queued ──claim──▶ running ──done──▶ (row deleted with the effect's commit)
//!    ▲                 │
//!    └──back-off───────┤ failed, or the lease ran out (crash)
//!                      └──too often──▶ dead
//! ```
//! A claim is a lease, so that a crashed instance's jobs are taken over. The effect and the end of the job are one
//! transaction, guarded by the lease: of two instances that run the same job, one commits. Jobs are
//! claimed by their due time, so that what a stop delayed is caught up in order.

mod worker;

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::Value;

use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{Ids, JobId};
use crate::platform::db::schema::jobs;
use crate::platform::db::{Conn, Db};

pub use worker::Worker;

crate::text_enum! {
    /// Life of a job.
    pub enum JobState {
        /// Waits for its time.
        Queued = "queued",
        /// Leased by an instance.
        Running = "running",
        /// Failed too often; waits for a person.
        Dead = "dead",
    }
}

/// A job to write.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Names the handler.
    pub kind: &'static str,
    /// JSON for the handler; ids and codes, no personal data.
    pub payload: Value,
    /// When it is due.
    pub run_at: DateTime<Utc>,
    /// Of jobs with the same key only one waits at a time.
    pub dedupe_key: Option<String>,
}

/// A job as it is kept.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
pub struct Job {
    /// Its id; effects name it to be written once.
    pub id: JobId,
    /// Names the handler.
    pub kind: String,
    /// JSON for the handler.
    pub payload: String,
    /// Of jobs with the same key only one waits.
    pub dedupe_key: Option<String>,
    /// Where in its life it is.
    pub state: JobState,
    /// When it is due.
    pub run_at: NaiveDateTime,
    /// Claims so far.
    pub attempts: i64,
    /// The instance that runs it.
    pub leased_by: Option<String>,
    /// When another may take it over.
    pub leased_until: Option<NaiveDateTime>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: NaiveDateTime,
}

/// Writes jobs in the transaction of their cause.
pub fn enqueue_in_tx(conn: &mut Conn, ids: &Ids, now: DateTime<Utc>, new: Vec<NewJob>) -> Result<()> {
    let rows: Vec<Job> = new
        .into_iter()
        .map(|job| Job {
            id: ids.id(),
            kind: job.kind.to_owned(),
            payload: job.payload.to_string(),
            dedupe_key: job.dedupe_key,
            state: JobState::Queued,
            run_at: db_time(job.run_at),
            attempts: 0,
            leased_by: None,
            leased_until: None,
            last_error: None,
            created_at: db_time(now),
        })
        .collect();
    if rows.iter().all(|job| job.dedupe_key.is_none()) {
        crate::insert_rows!(conn, jobs::table, rows.as_slice())?;
    } else {
        crate::insert_new!(conn, jobs::table, rows.as_slice(), jobs::id => |row: &Job| row.id)?;
    }
    Ok(())
}

/// What runs jobs of one kind.
pub trait JobHandler: Send + Sync {
    /// The kind.
    fn kind(&self) -> &'static str;

    /// What takes long and changes nothing, before the transaction that ends the job.
    fn prepare(&self, _db: &Db, _job: &Job) -> Result<()> {
        Ok(())
    }

    /// The effect, in the transaction that ends the job.
    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()>;

    /// Whether jobs of this kind are so short that many may share a transaction. If one fails, each gets its own.
    fn shares(&self) -> bool {
        false
    }

    /// Whether jobs of this kind may take longer than anybody should wait for a message. They have a loop of their own.
    fn is_long(&self) -> bool {
        false
    }

    /// The effects of jobs that share a transaction.
    fn run_all_in_tx(&self, conn: &mut Conn, jobs: &[Job]) -> Result<()> {
        jobs.iter().try_for_each(|job| self.run_in_tx(conn, job))
    }

    /// For work that comes back: how long after one run the next is due. It is never dead: it fails, and comes back.
    fn every(&self) -> Option<TimeDelta> {
        None
    }
}

/// Wakes the job loop of this instance at once; others find the job at their next look.
#[derive(Clone, Default)]
pub struct Bell(Arc<tokio::sync::Notify>);

impl Bell {
    /// There may be work.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    pub(super) async fn heard(&self) {
        self.0.notified().await;
    }
}

/// Jobs that failed too often, newest first.
pub fn dead(conn: &mut Conn, before: Option<JobId>, limit: i64) -> Result<Vec<Job>> {
    let mut query = jobs::table
        .filter(jobs::state.eq(JobState::Dead))
        .order(jobs::id.desc())
        .limit(limit)
        .select(Job::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(jobs::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Puts a dead job back; false when there is no such dead job.
pub fn revive_in_tx(conn: &mut Conn, id: JobId, now: DateTime<Utc>) -> Result<bool> {
    let revived = diesel::update(jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq(JobState::Dead)))
        .set((jobs::state.eq(JobState::Queued), jobs::attempts.eq(0), jobs::run_at.eq(db_time(now))))
        .execute(conn)?;
    Ok(revived == 1)
}

/// Jobs of a kind whose payload names `text`, an id, and that nobody runs at this moment.
pub fn naming(conn: &mut Conn, kind: &str, text: &str) -> Result<Vec<(JobId, String)>> {
    Ok(jobs::table
        .filter(jobs::kind.eq(kind.to_owned()))
        .filter(jobs::state.ne(JobState::Running))
        .filter(jobs::payload.like(format!("%{}%", text.replace('_', "\\_"))).escape('\\'))
        .order(jobs::id)
        .select((jobs::id, jobs::payload))
        .load(conn)?)
}

/// Gives a job that nobody runs another payload, or takes it away.
pub fn reword_in_tx(conn: &mut Conn, id: JobId, payload: Option<String>) -> Result<()> {
    let idle = jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.ne(JobState::Running));
    match payload {
        Some(payload) => diesel::update(idle).set(jobs::payload.eq(payload)).execute(conn)?,
        None => diesel::delete(idle).execute(conn)?,
    };
    Ok(())
}

/// Jobs by state: `(state, number, earliest due)`.
pub fn census(conn: &mut Conn) -> Result<Vec<(JobState, i64, Option<NaiveDateTime>)>> {
    use diesel::dsl::{count_star, min};
    Ok(jobs::table.group_by(jobs::state).select((jobs::state, count_star(), min(jobs::run_at))).load(conn)?)
}
