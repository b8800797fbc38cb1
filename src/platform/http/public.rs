//! Answers that are the same for everybody, kept in memory for a moment.
//!
//! A crowd that waits for nine o'clock reads the same list and the same activity over and over. Such an answer
//! ([`Reply::public`](super::Reply::public)) is kept with its bytes for `cache.memory_ms` (a second) under the
//! path and the query, and given again before the request is routed. So what the public sees is at most that old; an edit of
//! the catalogue is seen at once in the instance that made it, and in the others as soon as the news of it arrives. How many
//! places are left moves with every sign-up, and may be a second old: the sign-up itself decides, not what was shown.
//!
//! Shortly before its end one request makes an answer anew, while the others are still given the old one. Where it has ended, one
//! request asks the database and the others wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest};
use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache as LocalCache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::reply;
use crate::clock::SharedClock;
use crate::platform::Platform;
use crate::platform::access::guard::Route;

/// Bytes kept at most.
const BYTES: u64 = 16 * 1024 * 1024;
/// What an answer weighs beside its bytes.
const WEIGHT: usize = 512;

/// A public answer; a handler leaves it with its response.
#[derive(Debug, Clone)]
pub struct PublicAnswer {
    /// JSON.
    pub bytes: Bytes,
    /// Its entity tag.
    pub tag: String,
    /// When what it says was read, if that was before it was asked for.
    pub since: Option<DateTime<Utc>>,
}

/// The public answers of this instance. Cheap to clone.
#[derive(Clone)]
pub struct PublicAnswers(Arc<Inner>);

struct Inner {
    clock: SharedClock,
    memory: TimeDelta,
    kept: LocalCache<String, Arc<Kept>>,
    /// Counts edits. An answer that was made before the last one is not given again.
    edits: AtomicU64,
}

struct Kept {
    answer: PublicAnswer,
    route: Route,
    at: DateTime<Utc>,
    edits: u64,
    /// Somebody makes the next one already.
    renewing: AtomicBool,
    turn: Arc<Mutex<()>>,
}

/// A request that goes to its handler, and may bring a public answer.
struct Asking {
    at: DateTime<Utc>,
    edits: u64,
    turn: Option<Arc<Mutex<()>>>,
    _held: Option<OwnedMutexGuard<()>>,
}

enum Found {
    Known(Arc<Kept>),
    Ask(Asking),
}

impl PublicAnswers {
    /// Answers that are given again for `memory`; zero for none.
    pub fn new(clock: SharedClock, memory: Duration) -> Self {
        let kept = LocalCache::builder()
            .max_capacity(BYTES)
            .weigher(|address: &String, kept: &Arc<Kept>| {
                let bytes = address.len().saturating_add(kept.answer.bytes.len());
                u32::try_from(bytes.saturating_add(WEIGHT)).unwrap_or(u32::MAX)
            })
            .build();
        let memory = TimeDelta::from_std(memory).unwrap_or_default();
        Self(Arc::new(Inner { clock, memory, kept, edits: AtomicU64::new(0) }))
    }

    /// What public answers are made of was edited, and committed.
    pub fn forget(&self) {
        self.0.edits.fetch_add(1, Ordering::SeqCst);
    }

    async fn find(&self, address: &str) -> Found {
        let asking = |turn: Option<Arc<Mutex<()>>>, held: Option<OwnedMutexGuard<()>>| {
            // Both from before the database is asked.
            let (at, edits) = (self.0.clock.now(), self.0.edits.load(Ordering::SeqCst));
            Found::Ask(Asking { at, edits, turn, _held: held })
        };
        let Some(kept) = self.0.kept.get(address) else { return asking(None, None) };
        let turn = Arc::clone(&kept.turn);
        if let Some(age) = self.age(&kept) {
            let due = age * 5 >= self.0.memory * 4 && !kept.renewing.swap(true, Ordering::Relaxed);
            return if due { asking(Some(turn), None) } else { Found::Known(kept) };
        }
        if let Ok(held) = Arc::clone(&turn).try_lock_owned() {
            return asking(Some(turn), Some(held));
        }
        drop(turn.lock().await);
        match self.0.kept.get(address).filter(|kept| self.age(kept).is_some()) {
            Some(kept) => Found::Known(kept),
            None => asking(Some(turn), None),
        }
    }

    /// How old an answer is; none when it is too old.
    fn age(&self, kept: &Kept) -> Option<TimeDelta> {
        let age = self.0.clock.now() - kept.at;
        let fresh = (TimeDelta::zero()..self.0.memory).contains(&age);
        (fresh && kept.edits == self.0.edits.load(Ordering::SeqCst)).then_some(age)
    }

    fn keep(&self, address: String, asked: Asking, answer: PublicAnswer, route: Route) {
        let Asking { at, edits, turn, _held } = asked;
        let at = answer.since.map_or(at, |since| since.min(at));
        let (renewing, turn) = (AtomicBool::new(false), turn.unwrap_or_default());
        self.0.kept.insert(address, Arc::new(Kept { answer, route, at, edits, renewing, turn }));
    }
}

/// The layer that gives public answers again.
pub async fn answer_again(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let answers = match req.app_data::<Data<Platform>>() {
        Some(platform) if req.method() == Method::GET && !platform.public.0.memory.is_zero() => {
            platform.public.clone()
        }
        _ => return Ok(next.call(req).await?.map_into_left_body()),
    };
    let asking = match answers.find(address(req.request())).await {
        Found::Known(kept) => {
            req.extensions_mut().insert(kept.route.clone());
            let response = reply::public(req.request(), kept.answer.clone());
            return Ok(req.into_response(response).map_into_right_body());
        }
        Found::Ask(asking) => asking,
    };
    let response = next.call(req).await?;
    let answer = response.response().extensions().get::<PublicAnswer>().cloned();
    if let Some(answer) = answer {
        let route = Route::of(response.request());
        answers.keep(address(response.request()).to_owned(), asking, answer, route);
    }
    Ok(response.map_into_left_body())
}

/// Path and query, as they were sent.
fn address(req: &HttpRequest) -> &str {
    req.uri().path_and_query().map_or("", |address| address.as_str())
}
