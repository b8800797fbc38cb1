//! The one connection to Redis, and the knowledge of whether it is there.
//!
//! A failure of any kind closes the connection for everybody: for a second nobody asks Redis, so that a dead
//! server costs a request nothing. After that the next request starts one attempt in the background and goes
//! on without waiting. Only the very first contact is waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Script};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::gcra::Pace;
use super::{CacheHealth, micros};
use crate::clock::SharedClock;

/// The longest wait for a connection that is ready for use.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest wait for an answer.
pub(super) const RESPONSE: Duration = Duration::from_millis(250);
/// How long nobody asks Redis after a failure.
const REST: TimeDelta = TimeDelta::seconds(1);
/// How long after a lost connection to listen again.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);
/// Commands that may wait to be written; the client's own default of 50 makes a busy server queue.
const PIPELINE: usize = 1024;

/// [`super::gcra::decide`] in Redis: keeps the new TAT and returns the one before, from which the caller
/// derives the answer. Numbers are formatted because Lua would write them with 14 digits. The key outlives
/// the TAT by ten seconds: the clock that decides is ours, not the one of Redis.
const ADMIT: &str = r"
local now, interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = tonumber(redis.call('GET', KEYS[1]) or now) or now
tat = math.max(now, math.min(tat, now + tolerance))
local ahead = tat + interval - now
if ahead <= tolerance then
  local keep = string.format('%.0f', math.ceil(ahead / 1000) + 10000)
  redis.call('SET', KEYS[1], string.format('%.0f', tat + interval), 'PX', keep)
end
return tat
";

pub(super) struct Link {
    client: Client,
    clock: SharedClock,
    script: Script,
    probe_key: String,
    state: Mutex<State>,
    /// Held while connecting: one attempt at a time.
    dialing: tokio::sync::Mutex<()>,
}

struct State {
    phase: Phase,
    /// Attempts to connect so far. Also tells one connection from the next, so that a late failure of an old
    /// connection is not held against the new one.
    dials: u64,
}

enum Phase {
    Untried,
    Up(MultiplexedConnection),
    Down { since: DateTime<Utc> },
}

/// A connection as it was when it was handed out.
pub(super) struct Live {
    pub connection: MultiplexedConnection,
    dial: u64,
}

impl State {
    fn live(&self) -> Option<Live> {
        match &self.phase {
            Phase::Up(connection) => Some(Live { connection: connection.clone(), dial: self.dials }),
            Phase::Untried | Phase::Down { .. } => None,
        }
    }
}

impl Link {
    pub fn new(client: Client, prefix: &str, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            client,
            clock,
            script: Script::new(ADMIT),
            probe_key: format!("{prefix}:probe"),
            state: Mutex::new(State { phase: Phase::Untried, dials: 0 }),
            dialing: tokio::sync::Mutex::new(()),
        })
    }

    pub fn health(&self) -> CacheHealth {
        match self.state().phase {
            Phase::Up(_) => CacheHealth::RedisUp,
            Phase::Untried | Phase::Down { .. } => CacheHealth::RedisDown,
        }
    }

    /// The connection, if there is one; starts to look for one when it is time to.
    pub async fn live(self: &Arc<Self>) -> Option<Live> {
        let seen = {
            let mut state = self.state();
            let dials = state.dials;
            match &mut state.phase {
                Phase::Up(_) => return state.live(),
                Phase::Untried => dials,
                Phase::Down { since } => {
                    let now = self.clock.now();
                    // A clock that was set back does not prolong the rest.
                    if (*since..*since + REST).contains(&now) {
                        return None;
                    }
                    *since = now;
                    let link = Arc::clone(self);
                    tokio::spawn(async move { link.dial(dials).await });
                    return None;
                }
            }
        };
        self.dial(seen).await
    }

    /// Asks Redis now, whatever is known of it.
    pub async fn probe(&self) -> CacheHealth {
        let (live, seen) = {
            let state = self.state();
            (state.live(), state.dials)
        };
        match live {
            Some(mut live) => {
                let reply = timeout(RESPONSE, self.try_out(&mut live.connection)).await;
                self.judge(&live, reply);
            }
            None => {
                self.dial(seen).await;
            }
        }
        self.health()
    }

    /// Runs the script of [`ADMIT`] and returns the TAT that it found.
    pub async fn admit(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        now: i64,
        pace: Pace,
    ) -> RedisResult<i64> {
        self.script.key(key).arg(now).arg(pace.interval).arg(pace.tolerance).invoke_async(connection).await
    }

    /// Listens to `channel` on a connection of its own, since one that listens answers nothing else, and connects
    /// again by itself. `hear` gets `None` for what may have been missed. A server that went away without a
    /// word is noticed by nobody here: what depends on these messages must not depend on them alone.
    pub async fn listen(&self, channel: &str, mut hear: impl FnMut(Option<&[u8]>)) {
        loop {
            let subscribe = async {
                let mut listening = self.client.get_async_pubsub().await?;
                listening.subscribe(channel).await?;
                RedisResult::Ok(listening)
            };
            match timeout(CONNECT, subscribe).await {
                Ok(Ok(mut listening)) => {
                    hear(None);
                    let mut messages = listening.on_message();
                    while let Some(message) = messages.next().await {
                        hear(Some(message.get_payload_bytes()));
                    }
                }
                Ok(Err(error)) => tracing::debug!(reason = reason(&error), "nobody to listen to"),
                Err(_) => tracing::debug!(reason = "no connection in time", "nobody to listen to"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    /// What came of a command on `live`; a failure closes the connection.
    pub fn judge<T>(&self, live: &Live, reply: Result<RedisResult<T>, Elapsed>) -> Option<T> {
        let reason = match reply {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => reason(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        let mut state = self.state();
        if matches!(state.phase, Phase::Up(_)) && state.dials == live.dial {
            self.fall(&mut state, &reason);
        }
        None
    }

    /// Connects, unless someone else has tried since `seen` was read.
    async fn dial(&self, seen: u64) -> Option<Live> {
        let _turn = self.dialing.lock().await;
        {
            let state = self.state();
            if state.dials != seen {
                return state.live();
            }
        }
        let outcome = timeout(CONNECT, self.connect()).await;
        let mut state = self.state();
        state.dials += 1;
        match outcome {
            Ok(Ok(connection)) => {
                tracing::info!("redis answers: the shared cache is in use");
                state.phase = Phase::Up(connection);
            }
            Ok(Err(error)) => self.fall(&mut state, &reason(&error)),
            Err(_) => self.fall(&mut state, "no connection in time"),
        }
        state.live()
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        // The client's own time-outs are off: ours cover the name lookup and scripts loaded anew as well.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.try_out(&mut connection).await?;
        Ok(connection)
    }

    /// More than a PING: a Redis that is read-only, full or without scripts answers one and still is of no
    /// use. An admission reads, writes and runs the script.
    async fn try_out(&self, connection: &mut MultiplexedConnection) -> RedisResult<i64> {
        // So wide that it is never refused, because only what is admitted is written.
        let pace = Pace { interval: 1, tolerance: 1_000_000 };
        self.admit(connection, &self.probe_key, micros(&self.clock), pace).await
    }

    /// Notes a failure, and says so when it is news.
    fn fall(&self, state: &mut State, reason: &str) {
        if !matches!(state.phase, Phase::Down { .. }) {
            tracing::warn!(reason, "redis is away: going on without shared cache, limits per process");
        }
        state.phase = Phase::Down { since: self.clock.now() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn dials(&self) -> u64 {
        self.state().dials
    }
}

/// The error in words that cannot hold a key, a value or a password: Redis repeats arguments in some of its
/// messages, so only its error code is passed on.
fn reason(error: &RedisError) -> String {
    match error.code() {
        _ if error.is_io_error() => error.to_string(),
        Some(code) => format!("{} ({code})", error.category()),
        None => error.category().to_owned(),
    }
}
