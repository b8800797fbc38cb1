//! Reads for many requests at once.
//!
//! At nine o'clock everybody comes with a login that nobody has looked at yet, or asks for an activity. One query for each would
//! cost more than the rest of the request. So one reader is at work at a time, and takes all who came while it was reading.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Conn, Db};
use crate::error::{Code, Error, Result};

/// Keys in one query at most.
const KEYS: usize = 512;

type Load<K, V> = dyn Fn(&mut Conn, &[K]) -> Result<HashMap<K, V>> + Send + Sync;
type Waiting<K, V> = (K, oneshot::Sender<Result<Option<V>>>);

/// Reads values by their keys.
pub struct Gather<K, V> {
    load: Box<Load<K, V>>,
    db: Db,
    queue: Mutex<Queue<K, V>>,
}

struct Queue<K, V> {
    waiting: Vec<Waiting<K, V>>,
    reading: bool,
}

/// Says that nobody reads any more, should reading have panicked.
struct Turn<'a, K, V>(&'a Gather<K, V>);

impl<K, V> Drop for Turn<'_, K, V> {
    fn drop(&mut self) {
        self.0.queue().reading = false;
    }
}

impl<K, V> Gather<K, V> {
    fn queue(&self) -> MutexGuard<'_, Queue<K, V>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Gather<K, V>
where
    K: Copy + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Reads with `load`, which leaves out what is not there.
    pub fn new(
        db: Db,
        load: impl Fn(&mut Conn, &[K]) -> Result<HashMap<K, V>> + Send + Sync + 'static,
    ) -> Self {
        let queue = Mutex::new(Queue { waiting: Vec::new(), reading: false });
        Self { load: Box::new(load), db, queue }
    }

    /// The value as it is in the database at some moment from now on; none where there is none.
    pub async fn read(self: &Arc<Self>, key: K) -> Result<Option<V>> {
        let (answer, reply) = oneshot::channel();
        let idle = {
            let mut queue = self.queue();
            queue.waiting.push((key, answer));
            !std::mem::replace(&mut queue.reading, true)
        };
        if idle {
            let reader = Arc::clone(self);
            tokio::task::spawn_blocking(move || reader.read_all());
        }
        reply.await.map_err(Error::internal)?
    }

    fn read_all(&self) {
        let turn = Turn(self);
        loop {
            let batch = {
                let mut queue = self.queue();
                if queue.waiting.is_empty() {
                    queue.reading = false;
                    // Another may be reading as soon as the lock is free.
                    std::mem::forget(turn);
                    return;
                }
                let most = queue.waiting.len().min(KEYS);
                queue.waiting.drain(..most).collect::<Vec<_>>()
            };
            let keys: Vec<K> = batch.iter().map(|(key, _)| *key).collect();
            let found = self.db.read_blocking(|conn| (self.load)(conn, &keys));
            for (key, answer) in batch {
                let value = match &found {
                    // The same key may stand in one batch twice.
                    Ok(values) => Ok(values.get(&key).cloned()),
                    Err(error) => Err(again(error)),
                };
                // A caller that went away needs no answer.
                let _gone = answer.send(value);
            }
        }
    }
}

/// The error of the query for one more of those who waited for it.
fn again(error: &Error) -> Error {
    match error.code() {
        code @ (Code::StorageUnavailable | Code::Overloaded) => {
            Error::new(code).retry_after(Duration::from_secs(1)).cause(error.to_string())
        }
        _ => Error::internal(error.to_string()),
    }
}
