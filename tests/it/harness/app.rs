//! A running application over a test's own database, with its own simulated WeChat.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use unionhall::app::{App, Injected};
use unionhall::clock::{Clock, ManualClock, SharedClock};
use unionhall::config::Config;
use unionhall::ids::{Entropy, Ids, SeededEntropy};
use unionhall::platform::db::{Conn, Db, Engine};
use unionhall::platform::http::limits::LimitConfig;
use unionhall::platform::wechat::simulator::{Simulator, SimulatorConfig, SimulatorHandle};

use super::ground::{self, Database, Ground};

/// When every test begins, and when the templates were seeded: ten in the morning in Shanghai on a Monday, in
/// the middle of the year of the 2025 plan.
pub const START: DateTime<Utc> = match DateTime::from_timestamp(1_750_039_200, 0) {
    Some(instant) => instant,
    None => DateTime::UNIX_EPOCH,
};

/// One instance of the application. Cheap to clone.
#[derive(Clone)]
pub struct TestApp(Arc<Instance>);

struct Instance {
    world: Arc<World>,
    config: Config,
    app: App,
    base: String,
}

/// What all instances of one test share.
struct World {
    ground: Arc<Ground>,
    clock: Arc<ManualClock>,
    ids: Ids,
    http: reqwest::Client,
    simulator: SimulatorHandle,
    database: Mutex<Option<Database>>,
    /// Where the contents of files lie.
    files: tempfile::TempDir,
    servers: Mutex<Vec<ServerHandle>>,
    notes: Notes,
}

/// What the harness looks at after the test.
#[derive(Default)]
pub struct Notes {
    failures: Mutex<Vec<String>>,
    expects_5xx: AtomicBool,
    expects_failed_jobs: AtomicBool,
    expects_differences: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TestApp {
    /// The application that a test is given. `name` determines all randomness.
    pub async fn begin(ground: Arc<Ground>, name: &str) -> Self {
        let seed = Sha256::digest(name).iter().take(8).fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte));
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
        let clock = Arc::new(ManualClock::at(START));
        let ids = Ids::new(Arc::clone(&clock) as SharedClock, entropy);
        let database = ground.seeded_database();
        let mut config = Config::defaults().unwrap();
        config.database.url = database.url.clone();
        config.database.pool = 4;
        let files = tempfile::TempDir::with_prefix("unionhall-files-").unwrap();
        config.files.path = files.path().join("made").display().to_string();
        ground.set_cache(&mut config, &database);
        config.auth.standing_memory_ms = 0;
        // Time stands still, so what is kept for a moment would be kept for ever.
        config.cache.memory_ms = 0;
        config.limits = LimitConfig { per_address: 0, per_person: 0, logins_per_address: 0 };
        config.server.workers = 1;
        let simulator = Simulator::start(SimulatorConfig::new(
            config.wechat.appid.clone(),
            config.wechat.secret.clone(),
            Arc::clone(&clock) as SharedClock,
            ids.clone(),
        ))
        .unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        let world = Arc::new(World {
            ground,
            clock,
            ids,
            http,
            simulator,
            database: Mutex::new(Some(database)),
            files,
            servers: Mutex::default(),
            notes: Notes::default(),
        });
        Self::launch(world, config).await
    }

    async fn launch(world: Arc<World>, config: Config) -> Self {
        let injected = Injected {
            clock: Arc::clone(&world.clock) as SharedClock,
            ids: world.ids.clone(),
            wechat_base_url: Some(world.simulator.base_url()),
        };
        let db = unionhall::app::open_database(&config).unwrap();
        let app = App::assemble(&config, db, injected).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = app.listen(listener, config.server.workers).unwrap();
        lock(&world.servers).push(server.handle());
        actix_web::rt::spawn(server);
        Self(Arc::new(Instance { world, config, app, base }))
    }

    /// Another instance on the same database, clock and WeChat, with settings that differ from this one's as
    /// `change` says.
    pub async fn start_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.0.config.clone();
        change(&mut config);
        config.check().unwrap();
        Self::launch(Arc::clone(&self.0.world), config).await
    }

    /// Another instance with the same settings, as behind a load balancer.
    pub async fn second_instance(&self) -> Self {
        self.start_with(|_| ()).await
    }

    /// Stops everything, and removes the database.
    pub async fn end(&self) {
        let servers = std::mem::take(&mut *lock(&self.0.world.servers));
        for server in servers {
            server.stop(false).await;
        }
        self.0.world.simulator.stop().await;
        let database = lock(&self.0.world.database).take();
        drop(database);
    }

    /// Which engine the test is on.
    pub fn engine(&self) -> Engine {
        self.0.world.ground.engine()
    }

    /// The ground that the test stands on.
    pub fn ground(&self) -> &Arc<Ground> {
        &self.0.world.ground
    }

    /// Where this instance answers, such as `http://127.0.0.1:40001`.
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// The settings of this instance.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The folder where the contents of files lie; not there before the first.
    pub fn files_folder(&self) -> std::path::PathBuf {
        self.0.world.files.path().join("made")
    }

    /// The assembled application, for what has no address.
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// The present; stands still until it is moved.
    pub fn clock(&self) -> &ManualClock {
        &self.0.world.clock
    }

    /// The present instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.world.clock.now()
    }

    /// Lets time pass.
    pub fn advance(&self, by: TimeDelta) {
        self.0.world.clock.advance(by);
    }

    /// The test's ids and randomness.
    pub fn ids(&self) -> &Ids {
        &self.0.world.ids
    }

    /// The test's HTTP client.
    pub fn http(&self) -> &reqwest::Client {
        &self.0.world.http
    }

    /// The test's simulated WeChat.
    pub fn simulator(&self) -> &SimulatorHandle {
        &self.0.world.simulator
    }

    /// What the harness looks at after the test.
    pub fn notes(&self) -> &Notes {
        &self.0.world.notes
    }

    /// The database of this instance.
    pub fn db(&self) -> &Db {
        &self.0.app.platform().db
    }

    /// Another database on the same engine, without any table. Keep the second part as long as the first is used.
    pub fn empty_database(&self) -> (Db, Database) {
        let database = self.0.world.ground.empty_database();
        (ground::open(&database.url), database)
    }

    /// Reads the database.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Conn) -> unionhall::error::Result<T> + Send + 'static,
    ) -> T {
        self.db().read(f).await.unwrap()
    }

    /// Changes the database behind the application's back.
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Conn) -> unionhall::error::Result<T> + Send + 'static,
    ) -> T {
        self.db().write(f).await.unwrap()
    }

    /// Runs every job that is due, and says how many ran.
    pub async fn run_jobs(&self) -> usize {
        let worker = self.0.app.worker().clone();
        tokio::task::spawn_blocking(move || worker.drain()).await.unwrap().unwrap()
    }

    /// A control call of the simulated WeChat, such as `/sim/messages?user=zhang`.
    pub async fn sim_get(&self, path: &str) -> serde_json::Value {
        let url = format!("{}{path}", self.simulator().base_url());
        self.http().get(url).send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// A control call of the simulated WeChat, such as `/sim/faults`.
    pub async fn sim_post(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        let url = format!("{}{path}", self.simulator().base_url());
        let sent = self.http().post(url).json(&body).send().await.unwrap();
        sent.error_for_status().unwrap().json().await.unwrap()
    }

    /// From now on answers with a status of 500 and more are what the test is about.
    pub fn expect_5xx(&self) {
        self.notes().expects_5xx.store(true, Ordering::Relaxed);
    }

    /// From now on failing jobs are what the test is about.
    pub fn expect_failed_jobs(&self) {
        self.notes().expects_failed_jobs.store(true, Ordering::Relaxed);
    }

    /// From now on differences in the ledger or the audit chain are what the test is about.
    pub fn expect_differences(&self) {
        self.notes().expects_differences.store(true, Ordering::Relaxed);
    }
}

impl Notes {
    /// Notes an answer with a status of 500 and more.
    pub fn note_failure(&self, what: String) {
        if !self.expects_5xx.load(Ordering::Relaxed) {
            lock(&self.failures).push(what);
        }
    }

    /// Notes an answer that is not as the document says.
    pub fn note_contradiction(&self, what: String) {
        let mut failures = lock(&self.failures);
        if !failures.contains(&what) {
            failures.push(what);
        }
    }

    /// The answers that nobody expected.
    pub fn failures(&self) -> Vec<String> {
        lock(&self.failures).clone()
    }

    /// Whether jobs may have failed.
    pub fn expects_failed_jobs(&self) -> bool {
        self.expects_failed_jobs.load(Ordering::Relaxed)
    }

    /// Whether the ledger and the audit chain may be broken.
    pub fn expects_differences(&self) -> bool {
        self.expects_differences.load(Ordering::Relaxed)
    }
}
