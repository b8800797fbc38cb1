//! What everybody reads of an activity, read for many at once and kept for half a moment.
//!
//! A crowd reads a thousand activities over and over. Their public answers last a second ([`PublicAnswers`]); made anew one by one,
//! each would cost two queries. So whoever finds a reading too old has it read again together with all others that were asked for
//! lately. A reading is used for half of `cache.memory_ms`, and an answer that is made of it lasts a moment from when it was read.
//!
//! [`PublicAnswers`]: crate::platform::http::public::PublicAnswers

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache as LocalCache;

use super::completion::{self, CompletionRule};
use super::model::{Activity, ActivityState, Programme, Session};
use super::store;
use crate::clock::SharedClock;
use crate::error::{Error, Result};
use crate::ids::ActivityId;
use crate::platform::db::{Conn, Db, Gather};

/// Activities that are kept at most.
const KEPT: u64 = 10_000;
/// Activities in one reading at most.
const TOGETHER: usize = 256;

/// An activity with its programme and its sessions, as they were at `at`.
#[derive(Debug)]
pub struct Reading {
    /// The activity.
    pub activity: Activity,
    /// Its programme.
    pub programme: Programme,
    /// Its sessions, in order.
    pub sessions: Vec<Session>,
    /// From which share somebody has completed it.
    pub completion: Option<CompletionRule>,
    /// When it was read.
    pub at: DateTime<Utc>,
    edits: u64,
}

/// The readings of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Details {
    inner: Arc<Inner>,
    gather: Arc<Gather<ActivityId, Arc<Reading>>>,
}

struct Inner {
    clock: SharedClock,
    /// How long a reading is used.
    memory: TimeDelta,
    kept: LocalCache<ActivityId, Arc<Reading>>,
    /// Counts edits: what was read before the last one is not used.
    edits: AtomicU64,
}

impl Details {
    /// Readings that are used for half of `memory`; zero for none.
    pub fn new(db: Db, clock: SharedClock, memory: Duration) -> Self {
        // What nobody has asked for during a moment is not read again.
        let kept = LocalCache::builder()
            .max_capacity(KEPT)
            .time_to_idle(memory.max(Duration::from_millis(1)))
            .build();
        let memory = TimeDelta::from_std(memory).unwrap_or_default() / 2;
        let inner = Arc::new(Inner { clock, memory, kept, edits: AtomicU64::new(0) });
        let loader = Arc::clone(&inner);
        let gather = Gather::new(db, move |conn: &mut Conn, wanted: &[ActivityId]| loader.load(conn, wanted));
        Self { inner, gather: Arc::new(gather) }
    }

    /// What readings are made of was edited, and committed.
    pub fn forget(&self) {
        self.inner.edits.fetch_add(1, Ordering::SeqCst);
    }

    /// The reading of `id`, or 404.
    pub async fn get(&self, id: ActivityId) -> Result<Arc<Reading>> {
        let kept = self.inner.kept.get(&id).filter(|reading| self.inner.is_fresh(reading));
        match kept {
            Some(reading) => Ok(reading),
            None => self.gather.read(id).await?.ok_or_else(Error::not_found),
        }
    }
}

impl Inner {
    fn age(&self, reading: &Reading) -> Option<TimeDelta> {
        let age = self.clock.now() - reading.at;
        let current = reading.edits == self.edits.load(Ordering::SeqCst);
        (current && age >= TimeDelta::zero()).then_some(age)
    }

    fn is_fresh(&self, reading: &Reading) -> bool {
        self.age(reading).is_some_and(|age| age < self.memory)
    }

    /// Reads what is wanted, and what will be wanted next.
    fn load(&self, conn: &mut Conn, wanted: &[ActivityId]) -> Result<HashMap<ActivityId, Arc<Reading>>> {
        // Both from before the database is asked.
        let (at, edits) = (self.clock.now(), self.edits.load(Ordering::SeqCst));
        let young = |reading: &Reading| self.age(reading).is_some_and(|age| age * 2 < self.memory);
        let mut ids = wanted.to_vec();
        if !self.memory.is_zero() {
            let due = self.kept.iter().filter(|(_, reading)| !young(reading)).map(|(id, _)| *id);
            ids.extend(due.take(TOGETHER));
        }
        ids.sort_unstable();
        ids.dedup();
        let mut sessions = store::sessions_of_all(conn, &ids)?;
        let rules = completion::rules_of(conn, &ids)?;
        let readings: HashMap<ActivityId, Arc<Reading>> = store::activities_by_id(conn, &ids)?
            .into_iter()
            .map(|(id, (activity, programme))| {
                let sessions = sessions.remove(&id).unwrap_or_default();
                let completion = rules.get(&id).copied();
                (id, Arc::new(Reading { activity, programme, sessions, completion, at, edits }))
            })
            .collect();
        if !self.memory.is_zero() {
            // A refusal is not kept: a draft may be published in the next moment.
            for (id, reading) in readings.iter().filter(|(_, one)| one.activity.state != ActivityState::Draft)
            {
                self.kept.insert(*id, Arc::clone(reading));
            }
        }
        Ok(readings)
    }
}
