//! The cache in this process's memory, also the rate limiter of last resort while Redis is away.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache as Map;

use super::{Admission, Key, Quota, expiry, gcra, micros};
use crate::clock::SharedClock;

/// Bytes of keys and values kept at most.
const VALUE_BYTES: u64 = 64 * 1024 * 1024;
/// Rate-limited subjects remembered at most; the least recently seen are forgotten first.
const SUBJECTS: usize = 100_000;
/// Locks that share the subjects: requests seldom wait for each other.
const SHARDS: usize = 64;

/// Values and counts live apart, so that a flood of one cannot push out the other. Both are bounded by size;
/// time is judged on the injected clock, which is why the expiry is kept beside the value.
pub(super) struct MemoryStore {
    clock: SharedClock,
    values: Map<String, Value>,
    arrivals: Arrivals,
}

#[derive(Clone)]
struct Value {
    expires_at: i64,
    bytes: Arc<[u8]>,
}

impl MemoryStore {
    pub fn new(clock: SharedClock) -> Self {
        Self::bounded(clock, VALUE_BYTES, SUBJECTS)
    }

    pub(super) fn bounded(clock: SharedClock, value_bytes: u64, subjects: usize) -> Self {
        let values = Map::builder()
            .max_capacity(value_bytes)
            .weigher(|key: &String, value: &Value| {
                u32::try_from(key.len().saturating_add(value.bytes.len())).unwrap_or(u32::MAX)
            })
            // Not by frequency: expired favourites would keep new entries out.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { clock, values, arrivals: Arrivals::bounded(subjects) }
    }

    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let value = self.values.get(key.as_str())?;
        if value.expires_at > micros(&self.clock) {
            return Some(value.bytes.to_vec());
        }
        self.values.invalidate(key.as_str());
        None
    }

    pub fn put(&self, key: &Key, value: &[u8], ttl: Duration) {
        let expires_at = expiry(micros(&self.clock), ttl);
        self.values.insert(key.as_str().to_owned(), Value { expires_at, bytes: value.into() });
    }

    pub fn delete(&self, key: &Key) {
        self.values.invalidate(key.as_str());
    }

    pub fn admit(&self, key: &Key, quota: Quota) -> Admission {
        let now = micros(&self.clock);
        // Calls on one key run one after another.
        let mut shard = self.arrivals.shard(key.as_str());
        let (admission, tat) = gcra::decide(shard.get(key.as_str()), now, quota);
        if admission.allowed {
            shard.put(key.as_str(), tat, self.arrivals.young);
        }
        admission
    }

    /// Takes over the TAT that another limiter has decided on.
    pub fn remember(&self, key: &Key, tat: i64) {
        self.arrivals.shard(key.as_str()).put(key.as_str(), tat, self.arrivals.young);
    }

    #[cfg(test)]
    pub fn sizes(&self) -> (u64, u64) {
        self.values.run_pending_tasks();
        (self.values.weighted_size(), self.arrivals.count())
    }
}

/// When whom was seen last. Two lists a shard, the younger one half of what is remembered at most: once it is full it becomes
/// the older one, and what was in that and was not seen since is forgotten.
struct Arrivals {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    /// Subjects in a shard's younger list at most.
    young: usize,
}

#[derive(Default)]
struct Shard {
    young: HashMap<Box<str>, i64>,
    old: HashMap<Box<str>, i64>,
}

impl Arrivals {
    fn bounded(subjects: usize) -> Self {
        let shards = SHARDS.min(subjects / 2).max(1);
        Self {
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            young: (subjects / 2 / shards).max(1),
        }
    }

    #[expect(clippy::indexing_slicing, reason = "there is a shard, and the place is below their number")]
    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let place =
            usize::try_from(self.hasher.hash_one(key) % u64::try_from(self.shards.len()).unwrap_or(1));
        self.shards[place.unwrap_or(0)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn count(&self) -> u64 {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        };
        u64::try_from(self.shards.iter().map(count).sum::<usize>()).unwrap_or(u64::MAX)
    }
}

impl Shard {
    fn get(&self, key: &str) -> Option<i64> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    fn put(&mut self, key: &str, tat: i64, limit: usize) {
        if let Some(kept) = self.young.get_mut(key) {
            *kept = tat;
            return;
        }
        if self.young.len() >= limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(key);
        self.young.insert(key.into(), tat);
    }
}
