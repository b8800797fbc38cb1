//! Values that were read lately, each used again for a moment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::Result;

/// So many are remembered at most; then all are forgotten.
const MOST: usize = 1000;

/// Values with the moment at which they were read.
type Known<K, V> = HashMap<K, (DateTime<Utc>, Arc<V>)>;

/// What hardly ever changes and is asked for by every batch: used again for as long as `moment`, nothing when that is zero.
pub struct Lately<K, V> {
    moment: Duration,
    known: Mutex<Known<K, V>>,
}

impl<K: Eq + Hash, V> Lately<K, V> {
    /// Remembers for `moment`.
    pub fn new(moment: Duration) -> Self {
        Self { moment, known: Mutex::default() }
    }

    /// What is known of `key` since a moment ago, or what `read` says.
    pub fn get(&self, key: K, now: DateTime<Utc>, read: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        if let Some((read_at, value)) = self.lock().get(&key)
            && (now - *read_at).to_std().is_ok_and(|age| age < self.moment)
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(read()?);
        if !self.moment.is_zero() {
            let mut known = self.lock();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(key, (now, Arc::clone(&value)));
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Known<K, V>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_value_is_read_again_after_a_moment_and_each_key_by_itself() {
        let lately = Lately::new(Duration::from_secs(1));
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(*lately.get("a", now, || Ok(1)).unwrap(), 1);
        assert_eq!(*lately.get("a", now + TimeDelta::milliseconds(999), || Ok(2)).unwrap(), 1);
        assert_eq!(*lately.get("b", now, || Ok(3)).unwrap(), 3);
        assert_eq!(*lately.get("a", now + TimeDelta::seconds(1), || Ok(4)).unwrap(), 4);
        assert_eq!(*lately.get("a", now, || Ok(5)).unwrap(), 5, "a clock that went back");
        let never = Lately::new(Duration::ZERO);
        assert_eq!(*never.get("a", now, || Ok(1)).unwrap(), 1);
        assert_eq!(*never.get("a", now, || Ok(2)).unwrap(), 2);
    }
}
