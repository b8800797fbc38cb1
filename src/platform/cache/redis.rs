//! The cache in Redis.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::link::{Link, RESPONSE};
use super::memory::MemoryStore;
use super::{Admission, CacheHealth, Key, LONGEST, Quota, expiry, gcra, micros};
use crate::clock::SharedClock;

pub(super) struct RedisStore {
    prefix: String,
    clock: SharedClock,
    link: Arc<Link>,
    /// Limits while Redis is away.
    local: MemoryStore,
}

impl RedisStore {
    pub fn new(client: redis::Client, prefix: &str, clock: SharedClock) -> Self {
        Self {
            prefix: prefix.to_owned(),
            link: Link::new(client, prefix, clock.clone()),
            local: MemoryStore::new(clock.clone()),
            clock,
        }
    }

    pub async fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let mut live = self.link.live().await?;
        let mut command = redis::cmd("GET");
        command.arg(self.name(key));
        let reply = timeout(RESPONSE, command.query_async::<Option<Vec<u8>>>(&mut live.connection)).await;
        unframe(self.link.judge(&live, reply)??, micros(&self.clock))
    }

    pub async fn put(&self, key: &Key, value: &[u8], ttl: Duration) {
        let Some(mut live) = self.link.live().await else { return };
        // Redis refuses a time to live of zero; the expiry beside the value is the exact one.
        let ttl_millis = ttl.min(LONGEST).as_micros().div_ceil(1000).max(1);
        let framed = frame(expiry(micros(&self.clock), ttl), value);
        let mut command = redis::cmd("SET");
        command.arg(self.name(key)).arg(framed).arg("PX").arg(ttl_millis);
        let reply = timeout(RESPONSE, command.query_async::<()>(&mut live.connection)).await;
        self.link.judge(&live, reply);
    }

    pub async fn delete(&self, key: &Key) {
        let Some(mut live) = self.link.live().await else { return };
        let mut command = redis::cmd("DEL");
        command.arg(self.name(key));
        let reply = timeout(RESPONSE, command.query_async::<()>(&mut live.connection)).await;
        self.link.judge(&live, reply);
    }

    pub async fn admit(&self, key: &Key, quota: Quota) -> Admission {
        match self.admit_shared(key, quota).await {
            Some(admission) => admission,
            None => self.local.admit(key, quota),
        }
    }

    async fn admit_shared(&self, key: &Key, quota: Quota) -> Option<Admission> {
        let pace = quota.pace()?;
        let mut live = self.link.live().await?;
        let now = micros(&self.clock);
        let name = self.name(key);
        let reply = timeout(RESPONSE, self.link.admit(&mut live.connection, &name, now, pace)).await;
        let (admission, tat) = gcra::decide(Some(self.link.judge(&live, reply)?), now, quota);
        // So that a limit reached in Redis stays reached when Redis goes away.
        self.local.remember(key, tat);
        Some(admission)
    }

    pub async fn publish(&self, channel: &str, payload: &[u8]) {
        let Some(mut live) = self.link.live().await else { return };
        let mut command = redis::cmd("PUBLISH");
        command.arg(self.channel(channel)).arg(payload);
        let reply = timeout(RESPONSE, command.query_async::<()>(&mut live.connection)).await;
        self.link.judge(&live, reply);
    }

    pub async fn listen(&self, channel: &str, hear: impl FnMut(Option<&[u8]>)) {
        self.link.listen(&self.channel(channel), hear).await;
    }

    pub fn health(&self) -> CacheHealth {
        self.link.health()
    }

    pub async fn probe(&self) -> CacheHealth {
        self.link.probe().await
    }

    fn channel(&self, channel: &str) -> String {
        format!("{}:channel:{channel}", self.prefix)
    }

    fn name(&self, key: &Key) -> String {
        format!("{}:{}", self.prefix, key.as_str())
    }

    #[cfg(test)]
    pub fn dials(&self) -> u64 {
        self.link.dials()
    }
}

/// A value as it lies in Redis: eight bytes of expiry on our clock, then the value. Redis drops it by its own
/// clock; ours decides until then, as it does in memory.
fn frame(expires_at: i64, value: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(8 + value.len());
    framed.extend_from_slice(&expires_at.to_be_bytes());
    framed.extend_from_slice(value);
    framed
}

/// The value in `framed`, unless it has expired at `now` or was not written by [`frame`].
fn unframe(mut framed: Vec<u8>, now: i64) -> Option<Vec<u8>> {
    let expires_at = i64::from_be_bytes(*framed.first_chunk::<8>()?);
    (expires_at > now).then(|| framed.split_off(8))
}
