//! The shared cache: in-process memory or Redis behind one small interface.
//!
//! Redis is an optimisation, never the truth. A cached value may be gone at any moment, and after a lost
//! connection it may be stale until its time to live ends: cache only what can be rebuilt and may be that
//! old. When Redis goes away the callers see misses, rate limits are kept by each process for itself, and
//! the connection comes back without help. Values are stored as they are given: whoever caches personal
//! data or secrets encrypts them first.

mod gcra;
mod key;
mod lately;
mod link;
mod memory;
mod redis;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::clock::SharedClock;
pub use gcra::{Admission, Quota};
pub use key::Key;
pub use lately::Lately;

/// The longest time to live of a value, and the longest period of a quota. Anything longer is cut to it,
/// which keeps every sum of microseconds exact in Lua's doubles (below 2^53).
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A cache and rate limiter that many parts share. Cheap to clone.
#[derive(Clone)]
pub struct Cache(Arc<Store>);

enum Store {
    Memory(memory::MemoryStore),
    Redis(redis::RedisStore),
}

/// Where the cache keeps its values at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheHealth {
    /// In this process, as configured.
    Memory,
    /// In Redis.
    RedisUp,
    /// Nowhere: Redis is configured but away (or not yet asked); limits are kept in this process.
    RedisDown,
}

/// The configured URL is not one of a Redis server. The URL itself is left out: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Redis URL cannot be used: expected redis://[[user]:password@]host[:port][/database] or unix:///path \
     (rediss:// needs a build whose Redis client has TLS)"
)]
pub struct CacheConfigError;

impl Cache {
    /// A cache in this process's memory, bounded in size.
    pub fn memory(clock: SharedClock) -> Cache {
        Cache(Arc::new(Store::Memory(memory::MemoryStore::new(clock))))
    }

    /// A cache in the Redis at `url`, every key beginning with `prefix` and a colon. Does not connect: the
    /// first use does, and a server out of reach is no error.
    ///
    /// # Errors
    /// When `url` is not the URL of a Redis server.
    pub fn redis(url: &SecretString, prefix: &str, clock: SharedClock) -> Result<Cache, CacheConfigError> {
        let client = ::redis::Client::open(url.expose_secret()).map_err(|_| CacheConfigError)?;
        Ok(Cache(Arc::new(Store::Redis(redis::RedisStore::new(client, prefix, clock)))))
    }

    /// The value under `key`; `None` when there is none, when it has expired and on any failure.
    pub async fn get(&self, key: &Key) -> Option<Vec<u8>> {
        match &*self.0 {
            Store::Memory(memory) => memory.get(key),
            Store::Redis(redis) => redis.get(key).await,
        }
    }

    /// Keeps `value` under `key` for `ttl`, at most 366 days. A failure is no error: it is a later miss.
    pub async fn put(&self, key: &Key, value: &[u8], ttl: Duration) {
        match &*self.0 {
            Store::Memory(memory) => memory.put(key, value, ttl),
            Store::Redis(redis) => redis.put(key, value, ttl).await,
        }
    }

    /// Forgets the value under `key`. While Redis is away this does nothing, so the time to live given to
    /// [`Cache::put`] is the real bound of staleness.
    pub async fn delete(&self, key: &Key) {
        match &*self.0 {
            Store::Memory(memory) => memory.delete(key),
            Store::Redis(redis) => redis.delete(key).await,
        }
    }

    /// Asks to let one more event of `key` happen under `quota`, and counts it when it is let in.
    pub async fn admit(&self, key: &Key, quota: Quota) -> Admission {
        match &*self.0 {
            Store::Memory(memory) => memory.admit(key, quota),
            Store::Redis(redis) => redis.admit(key, quota).await,
        }
    }

    /// Whether other processes see what is put here.
    pub fn is_shared(&self) -> bool {
        matches!(&*self.0, Store::Redis(_))
    }

    /// Tells everybody who listens to `channel`, in this process too. Nobody hears it while Redis is away, and in
    /// memory nobody ever does: whoever publishes has told its own process already.
    pub async fn publish(&self, channel: &str, payload: &[u8]) {
        match &*self.0 {
            Store::Memory(_) => {}
            Store::Redis(redis) => redis.publish(channel, payload).await,
        }
    }

    /// Hands every message of `channel` to `hear`, until it is dropped. `None` says that messages may have been
    /// missed: it comes first, and after every lost connection. In memory this never returns and never calls.
    pub async fn listen(&self, channel: &str, hear: impl FnMut(Option<&[u8]>)) {
        match &*self.0 {
            Store::Memory(_) => std::future::pending().await,
            Store::Redis(redis) => redis.listen(channel, hear).await,
        }
    }

    /// What is known of the cache, without asking it.
    pub fn health(&self) -> CacheHealth {
        match &*self.0 {
            Store::Memory(_) => CacheHealth::Memory,
            Store::Redis(redis) => redis.health(),
        }
    }

    /// Asks Redis once, a second at most, and connects again if need be. Call it at the start, so that an
    /// absent Redis is said at once, and from a ticker, so that a return is noticed on a quiet day.
    pub async fn probe(&self) -> CacheHealth {
        match &*self.0 {
            Store::Memory(_) => CacheHealth::Memory,
            Store::Redis(redis) => redis.probe().await,
        }
    }
}

/// Microseconds since 1970 on `clock`: the unit of every instant that the cache keeps.
fn micros(clock: &SharedClock) -> i64 {
    clock.now().timestamp_micros()
}

/// The instant, in microseconds, at which a value put at `now` expires.
fn expiry(now: i64, ttl: Duration) -> i64 {
    now.saturating_add(duration_micros(ttl))
}

/// `duration` in whole microseconds, at most [`LONGEST`].
fn duration_micros(duration: Duration) -> i64 {
    i64::try_from(duration.min(LONGEST).as_micros()).unwrap_or(i64::MAX)
}
