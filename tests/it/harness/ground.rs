//! Where tests live: on each engine a migrated and seeded template, of which every test gets a copy.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use secrecy::SecretString;
use tempfile::TempDir;
use unionhall::clock::{ManualClock, SharedClock};
use unionhall::config::Config;
use unionhall::ids::{Ids, SeededEntropy};
use unionhall::platform::db::{Db, DbTarget, Engine, PoolConfig, migrate};
use unionhall::seed::{self, SeedSource, loader};

use super::app::START;
use super::servers::{Postgres, RedisServer, StartError};

const TEMPLATE: &str = "template_seeded";

/// The ground of one engine.
pub struct Ground {
    kind: Kind,
    next: AtomicU32,
}

enum Kind {
    Sqlite { folder: TempDir },
    Postgres { postgres: Postgres, redis: RedisServer },
}

/// A database of one test; gone when dropped.
pub struct Database {
    ground: Arc<Ground>,
    name: String,
    /// Where it is.
    pub url: SecretString,
}

impl Ground {
    /// SQLite files in a temporary folder.
    pub fn sqlite() -> Self {
        let folder = TempDir::with_prefix("unionhall-").unwrap();
        let db = open(&sqlite_url(folder.path().join(TEMPLATE)).into());
        fill(&db);
        // All of it into the one file that is copied.
        db.connect().unwrap().batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        Self { kind: Kind::Sqlite { folder }, next: AtomicU32::new(0) }
    }

    /// A private PostgreSQL and a private Redis.
    pub fn postgres() -> Result<Self, StartError> {
        let (postgres, redis) = (Postgres::start()?, RedisServer::start()?);
        let url = postgres.create_template(TEMPLATE)?;
        fill(&open(&url.into()));
        Ok(Self { kind: Kind::Postgres { postgres, redis }, next: AtomicU32::new(0) })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.kind {
            Kind::Sqlite { .. } => Engine::Sqlite,
            Kind::Postgres { .. } => Engine::Postgres,
        }
    }

    /// The private PostgreSQL, on its ground.
    pub fn postgres_server(&self) -> Option<&Postgres> {
        match &self.kind {
            Kind::Postgres { postgres, .. } => Some(postgres),
            Kind::Sqlite { .. } => None,
        }
    }

    /// A migrated and seeded database.
    pub fn seeded_database(self: &Arc<Self>) -> Database {
        self.database(Some(TEMPLATE))
    }

    /// A database without any table.
    pub fn empty_database(self: &Arc<Self>) -> Database {
        self.database(None)
    }

    fn database(self: &Arc<Self>, template: Option<&str>) -> Database {
        let name = format!("t{}", self.next.fetch_add(1, Ordering::Relaxed));
        let url = match &self.kind {
            Kind::Sqlite { folder } => {
                let home = folder.path().join(&name);
                std::fs::create_dir(&home).unwrap();
                let file = home.join("unionhall.db");
                if let Some(template) = template {
                    std::fs::copy(folder.path().join(template), &file).unwrap();
                }
                sqlite_url(file)
            }
            Kind::Postgres { postgres, .. } => {
                postgres.create_database(&name, template.unwrap_or("template0")).unwrap()
            }
        };
        Database { ground: Arc::clone(self), name, url: url.into() }
    }

    /// Points `config` to the cache of this engine, under keys of the test's own.
    pub fn set_cache(&self, config: &mut Config, database: &Database) {
        if let Kind::Postgres { redis, .. } = &self.kind {
            config.cache.kind = "redis".into();
            config.cache.url = redis.url().into();
            config.cache.prefix = database.name.clone();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match &self.ground.kind {
            Kind::Sqlite { folder } => {
                // What a server still holds open goes with its last handle.
                let _gone = std::fs::remove_dir_all(folder.path().join(&self.name));
            }
            Kind::Postgres { postgres, .. } => {
                if let Err(why) = postgres.drop_database(&self.name) {
                    eprintln!("a test's database stays behind: {why}");
                }
            }
        }
    }
}

/// Opens a database with the pool that tests use.
pub fn open(url: &SecretString) -> Db {
    Db::open(DbTarget::parse(url).unwrap(), PoolConfig { size: 4, ..PoolConfig::default() }).unwrap()
}

fn sqlite_url(file: PathBuf) -> String {
    format!("sqlite://{}", file.display())
}

/// Migrates and seeds as `serve` does.
fn fill(db: &Db) {
    migrate::up(db).unwrap();
    let clock: SharedClock = Arc::new(ManualClock::at(START));
    let ids = Ids::new(clock, Arc::new(SeededEntropy::new(0)));
    let config = Config::defaults().unwrap();
    let seeds = seed::load(&SeedSource::Embedded).unwrap();
    let appid = Some(config.wechat.appid.as_str());
    let seeding = loader::Loader { ids: &ids, now: START, simulated_appid: appid, demo: true };
    db.write_blocking(|conn| loader::load_in_tx(conn, &seeds, &seeding)).unwrap();
}
