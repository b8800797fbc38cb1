//! Many small writes as one commit.
//!
//! A durable commit costs a flush of the disk, and a hot row is locked until its commit is flushed: one
//! transaction a request reaches about a thousand sign-ups a second, however many connections. A [`Batcher`]
//! has a thread of its own. While it commits, requests gather in a bounded channel; it then takes
//! all of them (up to a limit), handles them as one set in one transaction, and
//! answers each caller after the commit. Whoever was answered often comes again at once, so after a large batch the next
//! one waits a moment for them: else the few who are first make a small batch that all others wait for. A batch that fails is repeated one by one, so that a request
//! that cannot succeed fails alone.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use tokio::sync::{mpsc, oneshot};

use super::{Conn, Db, Engine, fixed, in_transaction};
use crate::clock::Stopwatch;
use crate::error::{Code, Error, Result};

/// The requests of one transaction, in the order of their arrival.
pub type Batch<'a, Q> = &'a [Q];

/// What a batcher does with its requests.
pub trait BatchHandler: Send + Sync + 'static {
    /// One caller's request.
    type Request: Send + 'static;
    /// One caller's answer.
    type Reply: Send + 'static;

    /// Handles the whole set in the current transaction and returns one answer for each request, in order.
    ///
    /// A request that is refused gets its refusal as `Err` inside the list and has no effect; an outer `Err` rolls
    /// everything back, and the requests are then tried one by one.
    fn handle_in_tx(
        &self,
        conn: &mut Conn,
        batch: Batch<'_, Self::Request>,
    ) -> Result<Vec<Result<Self::Reply>>>;
}

/// Limits of a batcher.
#[derive(Debug, Clone, Copy)]
pub struct BatcherConfig {
    /// Requests in one transaction at most.
    pub batch: usize,
    /// Requests waiting at most; one more is told 503.
    pub queue: usize,
    /// How long a batch waits at most until it is as large as the one before.
    pub linger: Duration,
}

impl Default for BatcherConfig {
    fn default() -> Self {
        Self { batch: 512, queue: 4096, linger: Duration::from_millis(2) }
    }
}

struct Waiting<H: BatchHandler> {
    request: H::Request,
    answer: oneshot::Sender<Result<H::Reply>>,
}

/// The sending end of a batcher.
pub struct Batcher<H: BatchHandler> {
    sender: mpsc::Sender<Waiting<H>>,
}

impl<H: BatchHandler> Clone for Batcher<H> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<H: BatchHandler> Batcher<H> {
    /// Starts the thread `name`. It ends when the last sender is dropped, after what it had taken is committed.
    pub fn start(
        name: &'static str,
        db: Db,
        handler: Arc<H>,
        config: BatcherConfig,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(config.queue.max(1));
        let worker = Worker { name, db, handler, config, conn: None };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || worker.run(receiver))?;
        Ok(Self { sender })
    }

    /// Sends one request and waits for its answer, which comes after its commit.
    ///
    /// # Errors
    /// The refusal of this request; 503 when too many wait.
    pub async fn call(&self, request: H::Request) -> Result<H::Reply> {
        let (answer, reply) = oneshot::channel();
        self.sender.try_send(Waiting { request, answer }).map_err(|error| {
            let code = match error {
                mpsc::error::TrySendError::Full(_) => Code::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Code::Stopping,
            };
            Error::new(code).retry_after(Duration::from_secs(1))
        })?;
        reply.await.unwrap_or_else(|_| Err(Error::new(Code::Stopping).retry_after(Duration::from_secs(1))))
    }
}

struct Worker<H: BatchHandler> {
    name: &'static str,
    db: Db,
    handler: Arc<H>,
    config: BatcherConfig,
    conn: Option<Conn>,
}

/// How often a batch that waits for more looks for them.
const LOOK: Duration = Duration::from_micros(200);

impl<H: BatchHandler> Worker<H> {
    fn run(mut self, mut receiver: mpsc::Receiver<Waiting<H>>) {
        fixed::keep_what_reads();
        let limit = self.config.batch.max(1);
        let mut waiting = Vec::with_capacity(limit);
        let mut before = 1;
        while receiver.blocking_recv_many(&mut waiting, limit) > 0 {
            self.gather(&mut receiver, &mut waiting, before);
            before = waiting.len();
            metrics::histogram!("unionhall_batch_size", "batcher" => self.name).record(count(waiting.len()));
            let (requests, answers): (Vec<_>, Vec<_>) =
                waiting.drain(..).map(|w| (w.request, w.answer)).unzip();
            for (answer, reply) in answers.into_iter().zip(self.replies(&requests)) {
                // A caller that went away is no error: its effect is committed and its retry finds it.
                if answer.send(reply).is_err() {
                    tracing::debug!(batcher = self.name, "a caller went away before its answer");
                }
            }
        }
    }

    /// Waits until `waiting` are as many as `before`, but not long.
    fn gather(
        &self,
        receiver: &mut mpsc::Receiver<Waiting<H>>,
        waiting: &mut Vec<Waiting<H>>,
        before: usize,
    ) {
        let begun = Stopwatch::start();
        while waiting.len() < before && begun.elapsed() < self.config.linger {
            match receiver.try_recv() {
                Ok(more) => waiting.push(more),
                Err(mpsc::error::TryRecvError::Empty) => std::thread::sleep(LOOK),
                Err(mpsc::error::TryRecvError::Disconnected) => return,
            }
        }
    }

    fn replies(&mut self, requests: &[H::Request]) -> Vec<Result<H::Reply>> {
        match self.attempt(requests) {
            Ok(replies) => replies,
            Err(error) if requests.len() == 1 && error.lost_a_race() => {
                self.attempt(requests).unwrap_or_else(|error| vec![Err(error)])
            }
            Err(error) if requests.len() == 1 => vec![Err(error)],
            Err(error) if error.code() == Code::StorageUnavailable => requests
                .iter()
                .map(|_| Err(Error::new(Code::StorageUnavailable).retry_after(Duration::from_secs(1))))
                .collect(),
            Err(error) => {
                tracing::warn!(batcher = self.name, size = requests.len(), %error, "batch failed; trying one by one");
                metrics::counter!("unionhall_batch_repeated_total", "batcher" => self.name).increment(1);
                requests
                    .iter()
                    .map(|request| {
                        self.attempt(std::slice::from_ref(request)).and_then(|replies| {
                            replies.into_iter().next().unwrap_or_else(|| Err(Error::internal("no reply")))
                        })
                    })
                    .collect()
            }
        }
    }

    fn attempt(&mut self, requests: &[H::Request]) -> Result<Vec<Result<H::Reply>>> {
        let handler = Arc::clone(&self.handler);
        let handle = |conn: &mut Conn| {
            // A panic of the handler must not end the thread: it is rolled back and the callers get a 500.
            let replies = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                handler.handle_in_tx(conn, requests)
            }))
            .unwrap_or_else(|_| Err(Error::internal("the batch handler panicked")))?;
            if replies.len() == requests.len() {
                Ok(replies)
            } else {
                Err(Error::internal(format!("{} replies to {} requests", replies.len(), requests.len())))
            }
        };
        match self.db.engine() {
            // SQLite has one writer: the batcher queues for it like everybody else.
            Engine::Sqlite => self.db.write_blocking(handle),
            // On PostgreSQL it has a connection of its own, so that readers cannot keep it waiting.
            Engine::Postgres => self.on_own_connection(handle),
        }
    }

    /// A connection that keeps its plans, and therefore makes none that goes through a table.
    fn connect(&self) -> Result<Conn> {
        let mut conn = self.db.connect().map_err(|error| {
            Error::new(Code::StorageUnavailable).retry_after(Duration::from_secs(1)).cause(error)
        })?;
        conn.batch_execute("SET enable_seqscan = off")?;
        Ok(conn)
    }

    fn on_own_connection<T>(&mut self, handle: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect()?,
        };
        let result = in_transaction(&mut conn, handle);
        let gone = matches!(&result, Err(error) if error.code() == Code::StorageUnavailable);
        if !gone && !diesel::r2d2::R2D2Connection::is_broken(&mut conn) {
            self.conn = Some(conn);
        }
        result
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}
