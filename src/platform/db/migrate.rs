//! The schema's versions, embedded in the binary: one tree for each engine, with the same names.

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, Db, Engine, OpenError};

/// The PostgreSQL tree.
pub const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
/// The SQLite tree.
pub const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Why the schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database was made by a later binary.
    #[error(
        "the database is at schema {found}, newer than this binary knows ({known}): start the newer binary, \
         or restore the backup made before the upgrade / 数据库版本比程序新，请使用新版程序"
    )]
    Newer {
        /// The newest version in the database.
        found: String,
        /// The newest version in this binary.
        known: String,
    },
    /// Somebody else writes.
    #[error(
        "the database is locked by another program: is another server or a backup running on it? \
         / 数据库被其他程序占用，请检查是否有另一个服务或备份正在运行"
    )]
    Locked,
    /// No space.
    #[error("the disk is full; nothing was changed / 磁盘空间不足，未做任何更改")]
    Full,
    /// A step failed; PostgreSQL and SQLite both roll the step back.
    #[error("migration failed and was rolled back: {0} / 数据库升级失败，已回滚")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrateError {
    // The engines give these no code of their own; the message is all there is.
    let text = error.to_string();
    if text.contains("database is locked") {
        MigrateError::Locked
    } else if text.contains("is full") || text.contains("No space left") {
        MigrateError::Full
    } else {
        MigrateError::Failed(error)
    }
}

/// Names of all steps of `engine`, oldest first.
pub fn steps(engine: Engine) -> Result<Vec<String>, MigrateError> {
    let mut names = match engine {
        Engine::Postgres => versions::<diesel::pg::Pg>(&POSTGRES)?,
        Engine::Sqlite => versions::<diesel::sqlite::Sqlite>(&SQLITE)?,
    };
    names.sort();
    Ok(names)
}

fn versions<DB: diesel::backend::Backend>(
    source: &impl MigrationSource<DB>,
) -> Result<Vec<String>, MigrateError> {
    let all: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Applies what is missing and names it, oldest first.
///
/// # Errors
/// [`MigrateError::Newer`] when the database was written by a later binary.
pub fn up(db: &Db) -> Result<Vec<String>, MigrateError> {
    let mut conn = db.connect()?;
    up_on(&mut conn)
}

/// [`up`] on a connection at hand.
pub fn up_on(conn: &mut Conn) -> Result<Vec<String>, MigrateError> {
    refuse_newer(conn)?;
    let names = |done: Vec<MigrationVersion<'_>>| done.iter().map(ToString::to_string).collect();
    let done: Vec<String> = match conn {
        // Several instances may start at once: the advisory lock lets one of them migrate.
        Conn::Postgres(c) => {
            use diesel::connection::SimpleConnection;
            let locked = |e: diesel::result::Error| failed(Box::new(e));
            c.batch_execute("SET lock_timeout = 0; SELECT pg_advisory_lock(5119301)").map_err(locked)?;
            let done = c.run_pending_migrations(POSTGRES).map(names).map_err(failed)?;
            c.batch_execute("SELECT pg_advisory_unlock(5119301)").map_err(locked)?;
            done
        }
        Conn::Sqlite(c) => c.run_pending_migrations(SQLITE).map(names).map_err(failed)?,
    };
    Ok(done)
}

/// Undoes every step. For the tests of the down scripts.
pub fn down_all_on(conn: &mut Conn) -> Result<(), MigrateError> {
    match conn {
        Conn::Postgres(c) => c.revert_all_migrations(POSTGRES).map(drop).map_err(failed),
        Conn::Sqlite(c) => c.revert_all_migrations(SQLITE).map(drop).map_err(failed),
    }
}

/// Names of the steps that are missing in the database.
pub fn pending(db: &Db) -> Result<Vec<String>, MigrateError> {
    let mut conn = db.connect()?;
    refuse_newer(&mut conn)?;
    let applied = applied(&mut conn)?;
    Ok(steps(db.engine())?.into_iter().filter(|step| !applied.contains(step)).collect())
}

fn refuse_newer(conn: &mut Conn) -> Result<(), MigrateError> {
    let known = steps(conn.engine())?;
    let stranger = applied(conn)?.into_iter().filter(|version| !known.contains(version)).max();
    match stranger {
        Some(found) => Err(MigrateError::Newer { found, known: known.last().cloned().unwrap_or_default() }),
        None => Ok(()),
    }
}

fn applied(conn: &mut Conn) -> Result<Vec<String>, MigrateError> {
    let versions = match conn {
        Conn::Postgres(c) => c.applied_migrations(),
        Conn::Sqlite(c) => c.applied_migrations(),
    }
    .map_err(failed)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}
