//! How often one may ask: by address and by person, shared by all instances through the cache.

use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::ids::PersonId;
use crate::platform::cache::{Cache, Key, Quota};

/// Limits; zero means none.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// Requests from one address a minute. Many phones share an address behind a carrier's gateway.
    pub per_address: u32,
    /// Requests of one person a minute.
    pub per_person: u32,
    /// Logins from one address a minute.
    pub logins_per_address: u32,
}

/// Applies the limits.
pub struct Limits {
    cache: Cache,
    config: LimitConfig,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Limits {
    /// Limits counted in `cache`.
    pub fn new(cache: Cache, config: LimitConfig) -> Self {
        Self { cache, config }
    }

    /// One request from `address`.
    pub async fn admit_address(&self, address: &str) -> Result<()> {
        self.admit("address", address, self.config.per_address).await
    }

    /// One request of `person`.
    pub async fn admit_person(&self, person: PersonId) -> Result<()> {
        if self.config.per_person == 0 {
            return Ok(());
        }
        self.admit("person", &person.to_string(), self.config.per_person).await
    }

    /// One login from `address`.
    pub async fn admit_login(&self, address: &str) -> Result<()> {
        self.admit("login", address, self.config.logins_per_address).await
    }

    async fn admit(&self, what: &'static str, who: &str, limit: u32) -> Result<()> {
        if limit == 0 {
            return Ok(());
        }
        let admission = self.cache.admit(&Key::rate(what, who), Quota { limit, period: MINUTE }).await;
        if admission.allowed {
            return Ok(());
        }
        metrics::counter!("unionhall_rate_limited_total", "limit" => what).increment(1);
        // Rounded up: a client that waits as long as it is told is admitted.
        let after = admission.retry_after;
        let wait = Duration::from_secs(after.as_secs() + u64::from(after.subsec_nanos() > 0));
        Err(Error::new(Code::RateLimited).retry_after(wait).detail(
            format!("请 {} 秒后再试", wait.as_secs()),
            format!("Try again in {} seconds", wait.as_secs()),
        ))
    }
}
