//! The only place that knows everyone: it makes the parts, wires the interfaces that point upwards, and serves.

mod figures;
mod merging;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::web::{self, Data};
use chrono::TimeDelta;
use tokio::sync::watch;

use crate::attendance::codes::SessionCodes;
use crate::attendance::counting::Counting;
use crate::attendance::door::{Door, DoorHandler};
use crate::attendance::entering::Entrance;
use crate::attendance::following::AttendanceFollower;
use crate::attendance::headcounts::following::HeadcountFollower;
use crate::attendance::headcounts::holder::HeadcountHolder;
use crate::attendance::headcounts::subject::{FindingSubject, HeadcountSubject};
use crate::attendance::offline::conflicts::ConflictSubject;
use crate::attendance::offline::devices::DeviceKeys;
use crate::attendance::offline::uploading::Settler;
use crate::attendance::papers::SheetHolder;
use crate::attendance::pass::Passes;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::content::checking::Checks;
use crate::content::pictures::HeldPictures;
use crate::content::{self, Sources};
use crate::erasure;
use crate::erasure::acts::ErasureTools;
use crate::identity::api::LoginConfig;
use crate::identity::standing::DatabaseStandings;
use crate::ids::Ids;
use crate::jobs;
use crate::legal_aid::LegalTools;
use crate::legal_aid::content::{CaseMessageTexts, NoteTexts, ObjectionTexts, RequestTexts};
use crate::legal_aid::evidence::CaseHolder;
use crate::legal_aid::glass_jobs::GlassSweep;
use crate::legal_aid::jobs as legal_jobs;
use crate::membership::subject::MembershipSubject;
use crate::notify::jobs::NoticeWriter;
use crate::offering::CATALOGUE;
use crate::offering::details::Details;
use crate::offering::following::Followers;
use crate::ops::Stopping;
use crate::people::content::NameTexts;
use crate::plan::cases::PlanCaseCounting;
use crate::plan::counting::PlanCounting;
use crate::plan::exports;
use crate::plan::exports::board::Boards;
use crate::plan::jobs::Recount;
use crate::plan::reports::holder::ReportHolder;
use crate::plan::reports::subject::ReportSubject;
use crate::platform::Platform;
use crate::platform::access::{Access, AccessTokens};
use crate::platform::cache::Cache;
use crate::platform::changes::{Changes, News};
use crate::platform::db::migrate::MigrateError;
use crate::platform::db::{Batcher, BatcherConfig, Db, DbTarget, OpenError, PoolConfig, migrate};
use crate::platform::files::links::Links;
use crate::platform::files::storage::{Bucket, Storage};
use crate::platform::files::{self, Files, Holders};
use crate::platform::http::idempotency::Idempotency;
use crate::platform::http::limits::Limits;
use crate::platform::http::middleware::{TrustedProxies, envelope, fallback};
use crate::platform::http::public::{PublicAnswers, answer_again};
use crate::platform::http::routing::Routes;
use crate::platform::http::{Contract, Cursors};
use crate::platform::outbox::{Bell, JobHandler, Worker};
use crate::platform::vault::Vault;
use crate::platform::wechat::push::PushKeys;
use crate::platform::wechat::{WechatClient, WechatConfig};
use crate::review::content::{EventTexts, FormTexts, MessageTexts};
use crate::review::papers::ReviewHolder;
use crate::review::subject::Subjects;
use crate::routes;
use crate::signup::early::refuse_early;
use crate::signup::following::SignupFollower;
use crate::signup::penalty::content::ClaimTexts;
use crate::signup::registrar::{Registrar, RegistrarHandler};
use crate::signup::reviewed::SignupSubject;
use crate::signup::snapshot::{PLACES, Snapshots};
use crate::{docs, openapi, people, review, signup, visits};

pub use figures::serve_figures;

/// Why the system cannot start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A seed file is wrong.
    #[error("the seeds cannot be loaded / 初始数据有误:\n{0}")]
    Seeds(#[from] crate::seed::SeedFaults),
    /// The database refused.
    #[error("the database refused: {0}")]
    Storage(#[from] crate::error::Error),
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address}: {reason}. Is another server running there? / 无法监听该地址，端口可能被占用"
    )]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Something else that a person must mend.
    #[error("{0}")]
    Other(String),
}

/// Everything that runs, assembled. Cheap to clone: every server thread has one.
#[derive(Clone)]
pub struct App {
    platform: Platform,
    wechat: WechatClient,
    registrar: Registrar,
    snapshots: Snapshots,
    details: Details,
    tools: signup::jobs::Tools,
    legal: LegalTools,
    checks: Checks,
    sources: Sources,
    push: PushKeys,
    door: Door,
    entrance: Entrance,
    settler: Settler,
    device_keys: DeviceKeys,
    session_codes: SessionCodes,
    passes: Passes,
    files: Files,
    boards: Boards,
    login: LoginConfig,
    limits: Arc<Limits>,
    counting: Arc<dyn Counting>,
    followers: Followers,
    merging: people::merging::following::Followers,
    contract: Arc<Contract>,
    proxies: TrustedProxies,
    origins: Arc<Vec<String>>,
    stopping: Stopping,
    stop_seconds: u64,
    worker: Worker,
}

/// What is injected: time, randomness, and where WeChat is (the simulator's address, when there is one).
pub struct Injected {
    /// The present.
    pub clock: SharedClock,
    /// New ids and secrets.
    pub ids: Ids,
    /// Instead of `wechat.base_url`.
    pub wechat_base_url: Option<String>,
}

/// Opens the database that `config` names.
pub fn open_database(config: &Config) -> Result<Db, StartError> {
    let target = DbTarget::parse(&config.database.url)?;
    let pool =
        PoolConfig { size: config.database.pool, wait: Duration::from_secs(config.database.wait_seconds) };
    Ok(Db::open(target, pool)?)
}

/// The vault that `config` names.
pub fn open_vault(config: &Config, ids: &Ids) -> Result<Vault, StartError> {
    let keyring = config.keyring().map_err(|error| StartError::Other(error.to_string()))?;
    Ok(Vault::new(keyring, ids.clone()))
}

/// The file store that `config` names.
pub fn open_storage(config: &Config) -> Result<Storage, StartError> {
    if config.files.is_local() {
        return Ok(Storage::folder(config.files_folder()));
    }
    let bucket = Bucket {
        endpoint: config.files.endpoint.clone(),
        region: config.files.region.clone(),
        name: config.files.bucket.clone(),
        access_key: config.files.access_key.clone(),
        secret_key: config.files.secret_key.clone(),
        virtual_host: config.files.virtual_host,
    };
    Storage::bucket(&bucket).map_err(|error| StartError::Other(error.to_string()))
}

/// Files, and what they hang on.
fn assemble_files(config: &Config) -> Result<Files, StartError> {
    let links = Links::new(config.codes.file_secret.clone(), TimeDelta::seconds(config.files.link_seconds));
    let limits = files::Limits {
        uploads: config.files.uploads,
        downloads: config.files.downloads,
        upload_time: Duration::from_secs(config.files.upload_seconds),
    };
    Ok(Files::new(open_storage(config)?, links, Holders::default(), limits))
}

impl App {
    /// Assembles everything over a migrated database.
    pub fn assemble(config: &Config, db: Db, injected: Injected) -> Result<Self, StartError> {
        let Injected { clock, ids, wechat_base_url } = injected;
        let other = |error: &dyn std::fmt::Display| StartError::Other(error.to_string());
        let cache = match config.cache.kind.as_str() {
            "redis" => Cache::redis(&config.cache.url, &config.cache.prefix, Arc::clone(&clock))
                .map_err(|e| other(&e))?,
            _ => Cache::memory(Arc::clone(&clock)),
        };
        let tokens = AccessTokens::new(
            &config.token_keys(),
            &config.auth.key_id,
            &config.auth.issuer,
            &config.auth.audience,
            TimeDelta::minutes(config.auth.access_minutes),
            Arc::clone(&clock),
            ids.clone(),
        )?;
        let memory = Duration::from_millis(config.auth.standing_memory_ms);
        let moment = Duration::from_millis(config.cache.memory_ms);
        let changes = Changes::new(cache.clone(), &ids);
        let public = PublicAnswers::new(Arc::clone(&clock), moment);
        let snapshots = Snapshots::new(db.clone(), Arc::clone(&clock), moment);
        let details = Details::new(db.clone(), Arc::clone(&clock), moment);
        listen_for_changes(&changes, &public, &details, &snapshots);
        let platform = Platform {
            access: Access::new(
                tokens,
                Arc::new(DatabaseStandings { clock: Arc::clone(&clock) }),
                db.clone(),
                memory,
            ),
            idempotency: Idempotency::new(db.clone(), Arc::clone(&clock)),
            cursors: Cursors::new(config.codes.cursor_secret.clone()),
            vault: open_vault(config, &ids)?,
            jobs: Bell::default(),
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            db: db.clone(),
            cache: cache.clone(),
            changes,
            public,
        };
        let wechat = WechatConfig {
            base_url: wechat_base_url.unwrap_or_else(|| config.wechat.base_url.clone()),
            appid: config.wechat.appid.clone(),
            secret: config.wechat.secret.clone(),
            connect_timeout: Duration::from_millis(config.wechat.connect_ms),
            timeout: Duration::from_millis(config.wechat.timeout_ms),
        };
        let wechat = WechatClient::new(wechat, cache.clone()).map_err(|e| other(&e))?;
        let checks = Checks::new(ids.clone(), config.wechat.content_check);
        let counting: Arc<dyn Counting> =
            Arc::new(PlanCounting::new(Arc::clone(&clock), ids.clone(), moment));
        let entrance = Entrance::new(Arc::clone(&clock), ids.clone(), Arc::clone(&counting), moment);
        let mut reviews = review::deciding::Desk {
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            vault: platform.vault.clone(),
            subjects: Subjects::default(),
            checks: checks.clone(),
        };
        // Settling opens requests and takes them back; it decides none, so its desk needs nobody who learns of decisions.
        let settler = Settler { entrance: entrance.clone(), desk: reviews.clone() };
        reviews.subjects = Subjects(vec![
            Arc::new(SignupSubject { ids: ids.clone() }),
            Arc::new(MembershipSubject),
            Arc::new(ConflictSubject { settler: settler.clone() }),
            Arc::new(HeadcountSubject { counting: Arc::clone(&counting) }),
            Arc::new(FindingSubject { counting: Arc::clone(&counting) }),
            Arc::new(ReportSubject { ids: ids.clone() }),
        ]);
        let tools = signup::jobs::Tools {
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            vault: platform.vault.clone(),
            desk: reviews.clone(),
        };
        let legal = LegalTools {
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            vault: platform.vault.clone(),
            counting: Arc::new(PlanCaseCounting { ids: ids.clone() }),
            checks: checks.clone(),
        };
        let registrar = Arc::new(RegistrarHandler(tools.clone()));
        let followers = Followers(vec![
            Arc::new(SignupFollower {
                ids: ids.clone(),
                vault: platform.vault.clone(),
                desk: reviews.clone(),
            }),
            Arc::new(AttendanceFollower { counting: Arc::clone(&counting) }),
            Arc::new(HeadcountFollower { counting: Arc::clone(&counting), desk: reviews }),
        ]);
        let door = Arc::new(DoorHandler { clock: Arc::clone(&clock), entrance: entrance.clone() });
        let batching = BatcherConfig {
            batch: config.database.batch,
            queue: config.database.queue,
            ..BatcherConfig::default()
        };
        let files = assemble_files(config)?;
        files.holders().register(Arc::new(ReviewHolder { clock: Arc::clone(&clock) }));
        files.holders().register(Arc::new(HeadcountHolder { clock: Arc::clone(&clock) }));
        files.holders().register(Arc::new(visits::photos::VisitHolder));
        files.holders().register(Arc::new(ReportHolder { clock: Arc::clone(&clock) }));
        files.holders().register(Arc::new(SheetHolder));
        files.holders().register(Arc::new(CaseHolder { clock: Arc::clone(&clock) }));
        files.holders().veil(Arc::new(HeldPictures));
        let sources = content_sources(&tools);
        let checker = content::jobs::Check {
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            wechat: wechat.clone(),
            appid: config.wechat.appid.clone(),
            sources: sources.clone(),
            files: files.clone(),
            public_url: config.wechat.public_url.clone(),
            on: config.wechat.content_check,
            away_until: Default::default(),
        };
        let push = PushKeys::new(
            config.wechat.appid.clone(),
            config.wechat.push_token.clone(),
            &config.wechat.push_aes_key,
        );
        let mut handlers = handlers(&clock, &ids, &tools, &files, &legal);
        handlers.push(Arc::new(checker));
        Ok(Self {
            wechat,
            checks,
            sources,
            push: push.ok_or_else(|| StartError::Other("wechat.push_aes_key is no key".into()))?,
            registrar: Batcher::start("registrar", db.clone(), registrar, batching).map_err(|e| other(&e))?,
            door: Batcher::start("door", db.clone(), door, batching).map_err(|e| other(&e))?,
            entrance,
            settler,
            session_codes: SessionCodes::new(config.codes.pass_secret.clone()),
            device_keys: DeviceKeys::new(config.codes.pass_secret.clone()),
            snapshots,
            details,
            passes: Passes::new(config.codes.pass_secret.clone()),
            login: LoginConfig {
                appid: config.wechat.appid.clone(),
                refresh_life: TimeDelta::days(config.auth.refresh_days),
                family_life: TimeDelta::days(config.auth.login_days),
            },
            limits: Arc::new(Limits::new(cache, config.limits)),
            counting,
            followers,
            merging: merging::followers(&ids),
            contract: Arc::new(contract()?),
            proxies: TrustedProxies(config.server.trusted_proxies.clone()),
            origins: Arc::new(config.server.cors_origins.clone()),
            stopping: Stopping::default(),
            stop_seconds: config.server.stop_seconds,
            worker: Worker::new(
                db,
                Arc::clone(&clock),
                ids.clone(),
                platform.jobs.clone(),
                config.database.batch,
                handlers,
            ),
            tools,
            legal,
            files,
            boards: Boards::default(),
            platform,
        })
    }

    /// What every room works with.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// What refusals are answered from.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Files, and what they hang on.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The job loop.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Starts answering on `listener` with `workers` threads (0: one a core).
    pub fn listen(&self, listener: TcpListener, workers: usize) -> std::io::Result<actix_web::dev::Server> {
        // Ends with the server's runtime.
        tokio::spawn(self.platform.changes.clone().run());
        let app = self.clone();
        let mut server = HttpServer::new(move || {
            actix_web::App::new()
                .configure(|cfg| app.configure(cfg))
                .wrap(from_fn(answer_again))
                .wrap(Compress::default())
                // Around the others, so that a crowd passes through as little as can be.
                .wrap(from_fn(refuse_early))
                .wrap(from_fn(envelope))
                // Outermost: a console must be able to read problem documents, which the envelope writes.
                .wrap(Condition::new(!app.origins.is_empty(), cors(&app.origins)))
        })
        .disable_signals()
        .client_request_timeout(Duration::from_secs(10))
        .keep_alive(Duration::from_secs(75))
        .max_connections(25_000)
        .shutdown_timeout(self.stop_seconds);
        if workers > 0 {
            server = server.workers(workers);
        }
        Ok(server.listen(listener)?.run())
    }

    fn configure(&self, cfg: &mut web::ServiceConfig) {
        cfg.app_data(Data::new(self.platform.clone()))
            .app_data(Data::new(self.wechat.clone()))
            .app_data(Data::new(self.registrar.clone()))
            .app_data(Data::new(self.snapshots.clone()))
            .app_data(Data::new(self.details.clone()))
            .app_data(Data::new(self.tools.clone()))
            .app_data(Data::new(self.legal.clone()))
            .app_data(Data::new(self.tools.desk.clone()))
            .app_data(Data::new(self.checks.clone()))
            .app_data(Data::new(self.sources.clone()))
            .app_data(Data::new(self.push.clone()))
            .app_data(Data::new(self.door.clone()))
            .app_data(Data::new(self.entrance.clone()))
            .app_data(Data::new(self.settler.clone()))
            .app_data(Data::new(self.device_keys.clone()))
            .app_data(Data::new(self.session_codes.clone()))
            .app_data(Data::new(self.passes.clone()))
            .app_data(Data::new(self.files.clone()))
            .app_data(Data::new(self.boards.clone()))
            .app_data(Data::new(self.login.clone()))
            .app_data(Data::from(Arc::clone(&self.limits)))
            .app_data(Data::new(Arc::clone(&self.counting)))
            .app_data(Data::new(self.followers.clone()))
            .app_data(Data::new(self.merging.clone()))
            .app_data(Data::from(Arc::clone(&self.contract)))
            .app_data(Data::new(self.proxies.clone()))
            .app_data(Data::new(self.stopping.clone()))
            .configure(docs::configure)
            .default_service(web::to(fallback));
        let mut operations = Routes::default();
        routes::configure(&mut operations);
        operations.install(cfg);
    }

    /// Runs the job loop until `stop` turns true.
    pub fn run_jobs(&self, stop: watch::Receiver<bool>) -> tokio::task::JoinHandle<()> {
        tokio::spawn(self.worker.clone().run(stop))
    }

    /// Ends in order: not ready, wait for the load balancer, drain requests, end jobs.
    pub async fn stop(&self, server: ServerHandle, drain: Duration, stop_jobs: watch::Sender<bool>) {
        self.stopping.begin();
        tokio::time::sleep(drain).await;
        server.stop(true).await;
        // The receiver is gone when the loop has ended by itself; either way it ends.
        let _ended = stop_jobs.send(true);
    }
}

/// Who gives the texts that the content check asks about.
fn content_sources(tools: &signup::jobs::Tools) -> Sources {
    let sources = Sources::default();
    sources.register(Arc::new(MessageTexts { vault: tools.vault.clone() }));
    sources.register(Arc::new(FormTexts { desk: tools.desk.clone() }));
    sources.register(Arc::new(EventTexts { vault: tools.vault.clone() }));
    sources.register(Arc::new(NameTexts));
    sources.register(Arc::new(ClaimTexts { vault: tools.vault.clone() }));
    sources.register(Arc::new(RequestTexts { vault: tools.vault.clone() }));
    sources.register(Arc::new(NoteTexts { vault: tools.vault.clone() }));
    sources.register(Arc::new(CaseMessageTexts { vault: tools.vault.clone() }));
    sources.register(Arc::new(ObjectionTexts { vault: tools.vault.clone() }));
    sources
}

/// What requests are checked against. Made on a thread of its own: the document is large for a moment, and what a thread used goes
/// back to the system when it has ended.
fn contract() -> Result<Contract, StartError> {
    let made = std::thread::spawn(|| Contract::new(&openapi::document())).join();
    let made = made.map_err(|_| StartError::Other("the OpenAPI document cannot be made".into()))?;
    made.map_err(|error| StartError::Other(error.to_string()))
}

/// Whoever keeps answers for a moment hears of what has changed.
fn listen_for_changes(changes: &Changes, public: &PublicAnswers, details: &Details, snapshots: &Snapshots) {
    snapshots.listen(changes, &[PLACES, CATALOGUE]);
    let (public, details) = (public.clone(), details.clone());
    changes.subscribe(move |news| match news {
        News::Changed(topic, _) if topic != CATALOGUE => {}
        News::Changed(..) | News::Missed => {
            // Readings first: an answer must not be made of one that is over.
            details.forget();
            public.forget();
        }
    });
}

fn handlers(
    clock: &SharedClock,
    ids: &Ids,
    tools: &signup::jobs::Tools,
    files: &Files,
    legal: &LegalTools,
) -> Vec<Arc<dyn JobHandler>> {
    let erasing = ErasureTools { ids: ids.clone(), vault: tools.vault.clone() };
    vec![
        Arc::new(files::jobs::Sweep { clock: Arc::clone(clock), ids: ids.clone() }),
        Arc::new(files::jobs::Erase { clock: Arc::clone(clock), storage: files.storage().clone() }),
        Arc::new(signup::jobs::OfferExpiry(tools.clone())),
        Arc::new(signup::jobs::Sweep(tools.clone())),
        Arc::new(signup::jobs::Due(tools.clone())),
        Arc::new(review::jobs::Sweep(tools.desk.clone())),
        Arc::new(review::jobs::Due(tools.desk.clone())),
        Arc::new(visits::jobs::Warn {
            clock: Arc::clone(clock),
            ids: ids.clone(),
            vault: tools.vault.clone(),
        }),
        Arc::new(exports::jobs::Make {
            clock: Arc::clone(clock),
            vault: tools.vault.clone(),
            storage: files.storage().clone(),
        }),
        Arc::new(exports::jobs::Sweep { clock: Arc::clone(clock), storage: files.storage().clone() }),
        Arc::new(legal_jobs::Sweep(legal.clone())),
        Arc::new(legal_jobs::Due(legal.clone())),
        Arc::new(GlassSweep { clock: Arc::clone(clock), ids: ids.clone() }),
        Arc::new(NoticeWriter { clock: Arc::clone(clock), ids: ids.clone() }),
        Arc::new(jobs::Housekeeping { clock: Arc::clone(clock) }),
        Arc::new(erasure::jobs::Again { clock: Arc::clone(clock), tools: erasing.clone() }),
        Arc::new(erasure::jobs::Sweep { clock: Arc::clone(clock), tools: erasing }),
        Arc::new(Recount),
    ]
}

fn cors(origins: &[String]) -> actix_cors::Cors {
    let cors = actix_cors::Cors::default()
        .allowed_methods(["GET", "POST", "PUT", "DELETE"])
        .allowed_headers([
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "x-request-id",
        ])
        .expose_headers(["etag", "location", "retry-after", "x-request-id", "idempotency-replayed"])
        .max_age(600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Brings the schema up to date and says which steps that were.
pub fn migrate_database(db: &Db) -> Result<Vec<String>, StartError> {
    Ok(migrate::up(db)?)
}
