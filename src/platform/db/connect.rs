//! Where the database is, and how a connection to it is set up.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::r2d2::{ManageConnection, R2D2Connection};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError};
use secrecy::{ExposeSecret, SecretString};

use super::{Conn, Engine};

/// Where the data lives. The engine is chosen by the URL's scheme, never by trying.
#[derive(Clone)]
pub enum DbTarget {
    /// `sqlite://<path>`
    Sqlite(PathBuf),
    /// `postgres://…`
    Postgres(SecretString),
}

impl std::fmt::Debug for DbTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Why the database cannot be opened. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a database URL.
    #[error(
        "database.url must begin with sqlite:// or postgres:// / 数据库地址须以 sqlite:// 或 postgres:// 开头"
    )]
    Scheme,
    /// The folder of the SQLite file cannot be made.
    #[error("cannot create the folder {path} of the SQLite file: {reason} / 无法创建数据库目录")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The SQLite file cannot be written.
    #[error(
        "the SQLite file {path} is read-only: make it writable for this user / 数据库文件只读，请修改权限"
    )]
    ReadOnly {
        /// The file.
        path: String,
    },
    /// Connecting failed.
    #[error(
        "cannot reach the database {target}: {reason}. Is the server running and the address right? / 无法连接数据库，请检查服务是否启动、地址是否正确"
    )]
    Unreachable {
        /// The address without its password.
        target: String,
        /// What the engine said.
        reason: String,
    },
}

impl DbTarget {
    /// Reads a database URL.
    pub fn parse(url: &SecretString) -> Result<Self, OpenError> {
        let text = url.expose_secret();
        if let Some(path) = text.strip_prefix("sqlite://") {
            if path.is_empty() {
                return Err(OpenError::Scheme);
            }
            Ok(Self::Sqlite(PathBuf::from(path)))
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Ok(Self::Postgres(url.clone()))
        } else {
            Err(OpenError::Scheme)
        }
    }

    /// The engine of this target.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// The address without its password.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) if is_ambiguous(url.expose_secret()) => {
                "postgres://(unreadable address)".into()
            }
            Self::Postgres(url) => match url::Url::parse(url.expose_secret()) {
                Ok(url) => format!(
                    "postgres://{}:{}{}",
                    url.host_str().unwrap_or("(socket)"),
                    url.port().unwrap_or(5432),
                    url.path()
                ),
                Err(_) => "postgres://(unreadable address)".into(),
            },
        }
    }

    /// The folder of a SQLite file.
    pub fn folder(&self) -> Option<std::path::PathBuf> {
        match self {
            Self::Sqlite(path) => path.parent().map(std::path::Path::to_owned),
            Self::Postgres(_) => None,
        }
    }

    pub(super) fn prepare(&self) -> Result<(), OpenError> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|reason| OpenError::Folder { path: folder.display().to_string(), reason })?;
        }
        refuse_read_only(path)
    }

    pub(super) fn connect(&self, read_only: bool) -> Result<Conn, OpenError> {
        let unreachable = |reason: String| OpenError::Unreachable { target: self.describe(), reason };
        match self {
            Self::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy())
                    .map_err(|e| unreachable(e.to_string()))?;
                // The one writer works in memory. Readers are many, and what they miss is in the memory of the system.
                let cache =
                    if read_only { "PRAGMA cache_size = -12288" } else { "PRAGMA cache_size = -65536" };
                // One PRAGMA a statement, busy_timeout first: switching to WAL needs the lock.
                let pragmas = [
                    "PRAGMA busy_timeout = 10000",
                    "PRAGMA journal_mode = WAL",
                    // NORMAL may lose the last commits at a power cut; with batching FULL costs nothing.
                    "PRAGMA synchronous = FULL",
                    "PRAGMA foreign_keys = ON",
                    cache,
                    "PRAGMA temp_store = MEMORY",
                    // A checkpoint flushes twice and writes every page again. At the default of 4 MB every other batch of a
                    // rush would pay for one.
                    "PRAGMA wal_autocheckpoint = 16384",
                ];
                for pragma in pragmas {
                    conn.batch_execute(pragma).map_err(|e| unreachable(e.to_string()))?;
                }
                if read_only {
                    conn.batch_execute("PRAGMA query_only = ON").map_err(|e| unreachable(e.to_string()))?;
                }
                Ok(Conn::Sqlite(conn))
            }
            Self::Postgres(url) => {
                let mut conn = PgConnection::establish(&with_timeout(url.expose_secret()))
                    .map_err(|e| unreachable(redact(url.expose_secret(), &e)))?;
                // Messages untranslated, because a few are read (see `fault`); no statement hangs for ever.
                conn.batch_execute(
                    "SET client_min_messages = warning; SET timezone = 'UTC'; \
                     SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET synchronous_commit = on",
                )
                .map_err(|e| unreachable(e.to_string()))?;
                Ok(Conn::Postgres(conn))
            }
        }
    }
}

fn with_timeout(url: &str) -> String {
    if url.contains("connect_timeout") {
        return url.to_owned();
    }
    let glue = if url.contains('?') { '&' } else { '?' };
    format!("{url}{glue}connect_timeout=5&application_name=unionhall")
}

/// Whether a part of the password would be taken for the host or the port, and shown.
fn is_ambiguous(url: &str) -> bool {
    let credentials = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(left, _)| left);
    credentials.is_some_and(|text| text.contains(['@', '/', '?', '#']))
}

fn redact(url: &str, error: &ConnectionError) -> String {
    if is_ambiguous(url) {
        return "the user name or the password holds @, /, ? or #: write %40, %2F, %3F or %23".into();
    }
    // libpq names host, port, user and database, but never the password.
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn refuse_read_only(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.permissions().readonly() => {
            Err(OpenError::ReadOnly { path: path.display().to_string() })
        }
        _ => Ok(()),
    }
}

/// A pooled connection and whether its server went away.
pub(super) struct Slot {
    pub(super) conn: Conn,
    pub(super) broken: bool,
}

pub(super) struct Manager {
    target: DbTarget,
    read_only: bool,
}

impl Manager {
    pub(super) fn new(target: DbTarget, read_only: bool) -> Self {
        Self { target, read_only }
    }
}

impl ManageConnection for Manager {
    type Connection = Slot;
    type Error = OpenError;

    fn connect(&self) -> Result<Slot, OpenError> {
        Ok(Slot { conn: self.target.connect(self.read_only)?, broken: false })
    }

    fn is_valid(&self, _: &mut Slot) -> Result<(), OpenError> {
        Ok(())
    }

    fn has_broken(&self, slot: &mut Slot) -> bool {
        slot.broken || std::thread::panicking() || slot.conn.is_broken()
    }
}

/// Failed attempts of the pool are reported once to whoever waited, not logged at every attempt.
#[derive(Debug)]
pub(super) struct QuietErrors;

impl diesel::r2d2::HandleError<OpenError> for QuietErrors {
    fn handle_error(&self, error: OpenError) {
        tracing::debug!(%error, "connection attempt failed");
    }
}
