//! Storage: one code for SQLite and PostgreSQL.
//!
//! There are two entrances, [`Db::read`] and [`Db::write`], both off the async threads. On SQLite there is
//! one writer, whose transactions begin with BEGIN IMMEDIATE, and a few readers (WAL); on PostgreSQL
//! both use one pool at READ COMMITTED. Quotas and states change by guarded updates whose affected rows are
//! tested, and unique keys settle races, because a read followed by a write loses updates on PostgreSQL.
//! What is written in every engine's own way stands in [`dialect`].

mod batcher;
mod connect;
pub mod dialect;
pub mod enums;
mod fault;
pub mod fixed;
mod gather;
pub mod migrate;
pub mod schema;

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::pg::PgConnection;
use diesel::r2d2::{Pool, PooledConnection};
use diesel::result::Error as DieselError;
use diesel::sqlite::SqliteConnection;

pub use batcher::{Batch, BatchHandler, Batcher, BatcherConfig};
pub use connect::{DbTarget, OpenError};
pub use fault::unique_violation;
pub use gather::Gather;

use crate::error::{Code, Error, Result};
use connect::{Manager, Slot};

/// A connection to either engine.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

impl Conn {
    /// The engine behind this connection.
    pub fn engine(&self) -> Engine {
        match self {
            Conn::Postgres(_) => Engine::Postgres,
            Conn::Sqlite(_) => Engine::Sqlite,
        }
    }
}

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 14 or later.
    Postgres,
    /// SQLite, bundled.
    Sqlite,
}

impl Engine {
    /// `postgres` or `sqlite`.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Postgres => "postgres",
            Engine::Sqlite => "sqlite",
        }
    }
}

/// How many connections, and how long to wait for one.
#[derive(Debug, Clone, Copy)]
pub struct PoolConfig {
    /// Connections for reading (SQLite) or for everything (PostgreSQL).
    pub size: u32,
    /// How long a request waits for a connection before it is told 503.
    pub wait: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { size: 8, wait: Duration::from_secs(5) }
    }
}

struct Pools {
    target: DbTarget,
    readers: Pool<Manager>,
    writers: Pool<Manager>,
}

/// The database.
#[derive(Clone)]
pub struct Db(Arc<Pools>);

impl Db {
    /// Opens the pools without connecting: an unreachable server is found by [`Db::check`].
    pub fn open(target: DbTarget, config: PoolConfig) -> Result<Self, OpenError> {
        let pool = |read_only: bool, size: u32| {
            Pool::builder()
                .max_size(size)
                .min_idle(Some(0))
                .connection_timeout(config.wait)
                .test_on_check_out(false)
                .error_handler(Box::new(connect::QuietErrors))
                .build_unchecked(Manager::new(target.clone(), read_only))
        };
        target.prepare()?;
        let (readers, writers) = match target.engine() {
            // One writer: SQLite has one anyway, and a queue in front of it is fairer than its busy handler.
            Engine::Sqlite => (pool(true, config.size), pool(false, 1)),
            Engine::Postgres => {
                let pool = pool(false, config.size);
                (pool.clone(), pool)
            }
        };
        Ok(Self(Arc::new(Pools { target, readers, writers })))
    }

    /// The engine in use.
    pub fn engine(&self) -> Engine {
        self.0.target.engine()
    }

    /// Where the data lives.
    pub fn target(&self) -> &DbTarget {
        &self.0.target
    }

    /// A connection of its own, outside the pools: for the batcher's thread and for migrations.
    pub fn connect(&self) -> Result<Conn, OpenError> {
        self.0.target.connect(false)
    }

    /// Runs `f` on a reading connection, off the async threads.
    ///
    /// # Errors
    /// Whatever `f` returns; 503 when no connection is to be had in time.
    pub async fn read<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        let pools = self.0.clone();
        off_thread(move || with_connection(&pools.readers, f)).await
    }

    /// Runs `f` in one writing transaction, off the async threads: committed when it returns `Ok`,
    /// rolled back otherwise.
    ///
    /// # Errors
    /// Whatever `f` returns; 503 when the database cannot be reached or cannot write.
    pub async fn write<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        let pools = self.0.clone();
        off_thread(move || with_connection(&pools.writers, |conn| in_transaction(conn, f))).await
    }

    /// [`Db::write`] for what finds out by doing it whether it is to be done: where `keeps` says no to what `f` returns, everything is
    /// rolled back, and that is the answer all the same.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_if<T, F>(&self, f: F, keeps: fn(&T) -> bool) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        let pools = self.0.clone();
        off_thread(move || with_connection(&pools.writers, |conn| in_transaction_if(conn, f, keeps))).await
    }

    /// [`Db::read`] for code that is already off the async threads: commands and the job loop.
    pub fn read_blocking<T>(&self, f: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        with_connection(&self.0.readers, f)
    }

    /// [`Db::write`] for code that is already off the async threads: commands and the job loop.
    pub fn write_blocking<T>(&self, f: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        with_connection(&self.0.writers, |conn| in_transaction(conn, f))
    }

    /// Runs `f` on one unchanging view of the database, however long it takes, while others write. For verification.
    pub fn snapshot_blocking<T>(&self, f: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        with_connection(&self.0.readers, |conn| {
            match conn {
                Conn::Postgres(c) => {
                    AnsiTransactionManager::begin_transaction_sql(
                        c,
                        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    )?;
                }
                Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction(c)?,
            }
            let value = f(conn);
            // Nothing was written; this only gives the view back.
            <Conn as diesel::Connection>::TransactionManager::rollback_transaction(conn)?;
            value
        })
    }

    /// Whether the database answers now.
    pub async fn check(&self) -> Result<()> {
        self.read(|conn| {
            use diesel::RunQueryDsl;
            diesel::sql_query("SELECT 1").execute(conn)?;
            Ok(())
        })
        .await
    }
}

async fn off_thread<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(join) => Err(Error::internal(join)),
    }
}

fn with_connection<T>(pool: &Pool<Manager>, f: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    #[expect(clippy::disallowed_methods, reason = "the one place that takes a connection from a pool")]
    let mut slot: PooledConnection<Manager> = pool.get().map_err(|error| {
        Error::new(Code::StorageUnavailable).retry_after(Duration::from_secs(1)).cause(error)
    })?;
    let Slot { conn, broken } = &mut *slot;
    let result = f(conn);
    if let Err(error) = &result {
        // A connection whose server went away is not put back.
        *broken = error.code() == Code::StorageUnavailable;
    }
    result
}

/// Runs `f` in a transaction that may write.
///
/// Diesel's own `transaction` is deferred on SQLite: a transaction that reads first and writes later fails at
/// once with "database is locked" when another has written meanwhile. BEGIN IMMEDIATE takes the lock first.
pub(crate) fn in_transaction<T>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    in_transaction_if(conn, f, |_| true)
}

/// [`in_transaction`], committed only where `keeps` says so.
fn in_transaction_if<T>(
    conn: &mut Conn,
    f: impl FnOnce(&mut Conn) -> Result<T>,
    keeps: fn(&T) -> bool,
) -> Result<T> {
    match conn {
        Conn::Postgres(c) => AnsiTransactionManager::begin_transaction(c)?,
        Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
    }
    let outcome = f(conn);
    if outcome.as_ref().is_ok_and(keeps) {
        <Conn as diesel::Connection>::TransactionManager::commit_transaction(conn)?;
    } else if let Err(rollback) = <Conn as diesel::Connection>::TransactionManager::rollback_transaction(conn)
    {
        // What `f` says is what to report; a failed rollback marks the connection as broken.
        tracing::debug!(%rollback, "rollback failed");
    }
    outcome
}

impl From<DieselError> for Error {
    /// Only what no caller expected arrives here: a caller that expects a conflict or an absence says
    /// what it means. The engine's message goes to the log.
    fn from(error: DieselError) -> Self {
        match fault::classify(&error) {
            fault::Class::Gone => {
                Error::new(Code::StorageUnavailable).retry_after(Duration::from_secs(1)).cause(error)
            }
            fault::Class::Full => {
                Error::new(Code::StorageFull).retry_after(Duration::from_secs(30)).cause(error)
            }
            fault::Class::Busy => {
                Error::new(Code::Overloaded).retry_after(Duration::from_secs(1)).cause(error)
            }
            fault::Class::Other => Error::internal(error),
        }
    }
}
