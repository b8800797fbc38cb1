//! Reads standings for many requests at once.
//!
//! At nine o'clock everybody comes with a login that nobody has looked at yet. One query for each would cost more than
//! the rest of the request. So one reader is at work at a time, and takes all who came while it was reading.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Standing, StandingSource};
use crate::error::{Code, Error, Result};
use crate::ids::{FamilyId, PersonId};
use crate::platform::db::Db;

/// Logins in one query at most.
const LOGINS: usize = 512;

type Login = (PersonId, FamilyId);

pub(super) struct Reader {
    source: Arc<dyn StandingSource>,
    db: Db,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Login, oneshot::Sender<Result<Option<Standing>>>)>,
    reading: bool,
}

/// Says that nobody reads any more, should reading have panicked.
struct Turn<'a>(&'a Reader);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.queue().reading = false;
    }
}

impl Reader {
    pub fn new(source: Arc<dyn StandingSource>, db: Db) -> Self {
        Self { source, db, queue: Mutex::default() }
    }

    /// The standing as it is in the database at some moment from now on.
    pub async fn read(self: &Arc<Self>, person: PersonId, family: FamilyId) -> Result<Option<Standing>> {
        let (answer, reply) = oneshot::channel();
        let idle = {
            let mut queue = self.queue();
            queue.waiting.push(((person, family), answer));
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
                let most = queue.waiting.len().min(LOGINS);
                queue.waiting.drain(..most).collect::<Vec<_>>()
            };
            let logins: Vec<Login> = batch.iter().map(|(login, _)| *login).collect();
            let found = self.db.read_blocking(|conn| self.source.load(conn, &logins));
            for (login, answer) in batch {
                let standing = match &found {
                    // Two requests of one login may stand in one batch.
                    Ok(standings) => Ok(standings.get(&login).cloned()),
                    Err(error) => Err(again(error)),
                };
                // A caller that went away needs no answer.
                let _gone = answer.send(standing);
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
