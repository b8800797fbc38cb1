//! The cache in this process's memory, also the rate limiter of last resort while Redis is away.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Map;

use super::{Admission, Key, Quota, expiry, gcra, micros};
use crate::clock::SharedClock;

/// Bytes of keys and values kept at most.
const VALUE_BYTES: u64 = 64 * 1024 * 1024;
/// Rate-limited subjects remembered at most; the least recently seen are forgotten first.
const SUBJECTS: u64 = 100_000;

/// Values and counts live apart, so that a flood of one cannot push out the other. Both are bounded by size;
/// time is judged on the injected clock, which is why the expiry is kept beside the value.
pub(super) struct MemoryStore {
    clock: SharedClock,
    values: Map<String, Value>,
    arrivals: Map<String, i64>,
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

    pub(super) fn bounded(clock: SharedClock, value_bytes: u64, subjects: u64) -> Self {
        let values = Map::builder()
            .max_capacity(value_bytes)
            .weigher(|key: &String, value: &Value| {
                u32::try_from(key.len().saturating_add(value.bytes.len())).unwrap_or(u32::MAX)
            })
            // Not by frequency: expired favourites would keep new entries out.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let arrivals = Map::builder().max_capacity(subjects).eviction_policy(EvictionPolicy::lru()).build();
        Self { clock, values, arrivals }
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
        let mut answer = None;
        // Calls on one key run one after another.
        self.arrivals.entry_by_ref(key.as_str()).and_compute_with(|entry| {
            let (admission, tat) = gcra::decide(entry.map(|entry| entry.into_value()), now, quota);
            answer = Some(admission);
            if admission.allowed { Op::Put(tat) } else { Op::Nop }
        });
        answer.unwrap_or_else(|| gcra::decide(None, now, quota).0)
    }

    /// Takes over the TAT that another limiter has decided on.
    pub fn remember(&self, key: &Key, tat: i64) {
        self.arrivals.insert(key.as_str().to_owned(), tat);
    }

    #[cfg(test)]
    pub fn sizes(&self) -> (u64, u64) {
        self.values.run_pending_tasks();
        self.arrivals.run_pending_tasks();
        (self.values.weighted_size(), self.arrivals.entry_count())
    }
}
