//! What has changed, told to every part of this instance at once and to the other instances through Redis.
//!
//! Some answers are kept for a moment so that a crowd does not ask the database the same thing over and over. Whoever
//! keeps such answers listens here, and whoever changes what they were made of tells it after the commit. The news is an
//! optimisation like everything in the cache: it may be lost, so nothing is kept on its strength for longer than the
//! time for which being stale is allowed (`cache.memory_ms`, a second).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use super::cache::Cache;
use crate::ids::Ids;

const CHANNEL: &str = "changes";
/// Between two messages to the others. A rush changes the same few things all the time.
const PAUSE: Duration = Duration::from_millis(5);

/// What a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News<'a> {
    /// Things of this topic have changed.
    Changed(&'a str, &'a [Uuid]),
    /// Anything may have changed: other instances could not be heard for a while.
    Missed,
}

type Listener = Box<dyn Fn(News<'_>) + Send + Sync>;

/// Tells changes. Cheap to clone.
#[derive(Clone)]
pub struct Changes(Arc<Inner>);

struct Inner {
    cache: Cache,
    /// Names this instance, so that it does not hear itself.
    instance: String,
    listeners: RwLock<Vec<Listener>>,
    untold: Mutex<BTreeSet<(&'static str, Uuid)>>,
    bell: Notify,
}

#[derive(Serialize, Deserialize)]
struct Message<'a> {
    from: &'a str,
    #[serde(borrow)]
    changed: Vec<(&'a str, u128)>,
}

impl Changes {
    /// Other instances are reached through `cache`.
    pub fn new(cache: Cache, ids: &Ids) -> Self {
        Self(Arc::new(Inner {
            cache,
            instance: hex::encode(ids.bytes::<8>()),
            listeners: RwLock::default(),
            untold: Mutex::default(),
            bell: Notify::new(),
        }))
    }

    /// Calls `listener` for everything that changes.
    pub fn subscribe(&self, listener: impl Fn(News<'_>) + Send + Sync + 'static) {
        self.0.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    /// Says, after the commit, that the things `ids` of `topic` have changed. When it returns this instance knows; the
    /// others hear of it within milliseconds, where there is a Redis.
    pub fn tell(&self, topic: &'static str, ids: &[Uuid]) {
        self.0.hear(News::Changed(topic, ids));
        if self.0.cache.is_shared() {
            let mut untold = self.0.untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.extend(ids.iter().map(|id| (topic, *id)));
            drop(untold);
            self.0.bell.notify_one();
        }
    }

    /// Talks with the other instances, until it is dropped.
    pub async fn run(self) {
        if self.0.cache.is_shared() {
            tokio::join!(self.speak(), self.0.cache.listen(CHANNEL, |message| self.0.receive(message)));
        }
    }

    async fn speak(&self) {
        loop {
            self.0.bell.notified().await;
            let untold = std::mem::take(&mut *self.0.untold.lock().unwrap_or_else(PoisonError::into_inner));
            let changed = untold.into_iter().map(|(topic, id)| (topic, id.as_u128())).collect();
            let message = Message { from: &self.0.instance, changed };
            match serde_json::to_vec(&message) {
                Ok(payload) => self.0.cache.publish(CHANNEL, &payload).await,
                Err(error) => tracing::error!(%error, "a change cannot be told"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Inner {
    fn hear(&self, news: News<'_>) {
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(news);
        }
    }

    fn receive(&self, message: Option<&[u8]>) {
        match message.map(serde_json::from_slice::<Message<'_>>) {
            Some(Ok(message)) if message.from == self.instance => {}
            Some(Ok(message)) => {
                for (topic, id) in message.changed {
                    self.hear(News::Changed(topic, &[Uuid::from_u128(id)]));
                }
            }
            // From another release perhaps: something has changed, and we do not know what.
            Some(Err(_)) | None => self.hear(News::Missed),
        }
    }
}
