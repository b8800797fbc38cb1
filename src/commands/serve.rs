//! `serve` and `wechat-sim`.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{ids_at, real_world};
use crate::app::{self, App, Injected, StartError};
use crate::clock::{SharedClock, ShiftedClock, Stopwatch};
use crate::config::{Config, Mode};
use crate::platform::cache::CacheHealth;
use crate::platform::wechat::simulator::{Callback, Simulator, SimulatorConfig};

/// Binds `address`.
pub(super) fn bind(address: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|reason| StartError::Listen { address: address.to_owned(), reason })
}

/// Serves until a signal comes.
pub(super) fn serve(config: &Config) -> Result<bool, StartError> {
    let stopwatch = Stopwatch::start();
    let db = app::open_database(config)?;
    let (real, _) = real_world();
    let movable = config.wechat.simulator.then(|| Arc::new(ShiftedClock::new(Arc::clone(&real))));
    let clock: SharedClock = match &movable {
        Some(movable) => movable.clone(),
        None => real,
    };
    let ids = ids_at(Arc::clone(&clock));
    let steps = app::migrate_database(&db)?;
    if !steps.is_empty() {
        tracing::info!(steps = steps.len(), "database schema brought up to date");
    }
    if config.seed.at_start {
        super::check::seed_database(config, &db, &ids, clock.now(), None, config.seed.demo)?;
    }
    let gaps = super::check::calendar_gaps(&db, clock.now())?;
    let listener = bind(&config.server.listen)?;
    let figures = match config.server.metrics_listen.as_str() {
        "" => None,
        address => Some(bind(address)?),
    };
    actix_web::rt::System::new().block_on(async move {
        let simulator = movable.map(|movable| start_simulator(config, Some(movable))).transpose()?;
        let injected = Injected {
            clock,
            ids,
            wechat_base_url: simulator.as_ref().map(|simulator| simulator.base_url()),
        };
        let app = App::assemble(config, db, injected)?;
        let metrics = match figures {
            Some(listener) => {
                let server = app::serve_figures(listener, app.platform().clone())?;
                let handle = server.handle();
                actix_web::rt::spawn(server);
                Some(handle)
            }
            None => None,
        };
        app.worker().plant_recurring()?;
        let (stop_jobs, stopped) = watch::channel(false);
        let jobs = app.run_jobs(stopped);
        let watcher = watch_cache(&app);
        let server = app
            .listen(listener, config.server.workers)
            .map_err(|reason| StartError::Listen { address: config.server.listen.clone(), reason })?;
        let handle = server.handle();
        let running = actix_web::rt::spawn(server);
        greet(config, stopwatch.elapsed(), gaps.as_deref());
        actix_web::rt::spawn(give_back());

        wait_for_signal().await?;
        tracing::info!("stopping: not ready any more, then requests, then jobs");
        app.stop(handle, Duration::from_secs(config.server.drain_seconds), stop_jobs).await;
        let patience = Duration::from_secs(config.server.stop_seconds);
        if tokio::time::timeout(patience, jobs).await.is_err() {
            tracing::warn!("a job did not end in time; its lease will run out and it is taken over");
        }
        watcher.abort();
        if let Some(metrics) = metrics {
            metrics.stop(false).await;
        }
        if let Some(simulator) = simulator {
            simulator.stop().await;
        }
        running.abort();
        tracing::info!("stopped");
        Ok(true)
    })
}

/// The simulated WeChat. With `movable` it lives in the time that this shows, and lets it be moved.
pub(super) fn start_simulator(
    config: &Config,
    movable: Option<Arc<ShiftedClock>>,
) -> Result<crate::platform::wechat::simulator::SimulatorHandle, StartError> {
    let clock: SharedClock = match &movable {
        Some(movable) => movable.clone(),
        None => real_world().0,
    };
    let ids = ids_at(Arc::clone(&clock));
    let mut settings =
        SimulatorConfig::new(config.wechat.appid.clone(), config.wechat.secret.clone(), clock, ids);
    settings.movable = movable;
    settings.listen = config.wechat.simulator_listen.clone();
    settings.callback = config.wechat.content_check.then(|| Callback {
        url: format!("{}/api/v1/wechat/push", config.wechat.public_url.trim_end_matches('/')),
        token: config.wechat.push_token.clone(),
        aes_key: config.wechat.push_aes_key.clone(),
    });
    let address = settings.listen.clone();
    Simulator::start(settings).map_err(|reason| StartError::Listen { address, reason })
}

/// Looks after the shared cache, so that its coming and going is noticed without a request.
fn watch_cache(app: &App) -> tokio::task::JoinHandle<()> {
    let cache = app.platform().cache.clone();
    tokio::spawn(async move {
        if cache.probe().await == CacheHealth::Memory {
            return;
        }
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            cache.probe().await;
        }
    })
}

/// Gives what the start used back to the system. The allocator does that when a thread ends, of what has been free for a second; an
/// idle process would have nothing to remind it.
async fn give_back() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let ended = std::thread::spawn(|| drop(std::hint::black_box(vec![0_u8; 64]))).join();
    if ended.is_err() {
        tracing::warn!("memory of the start is kept");
    }
}

async fn wait_for_signal() -> Result<(), StartError> {
    let other = |error: std::io::Error| StartError::Other(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(other)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(other)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn greet(config: &Config, took: Duration, calendar_gaps: Option<&str>) {
    let url = format!("http://{}", config.server.listen);
    println!("\n  Unionhall 已启动 / is running  ({} ms)\n", took.as_millis());
    println!("    API        {url}/api/v1");
    println!("    接口文档   {url}/docs/");
    println!("    OpenAPI    {url}/openapi.yaml");
    if !config.server.metrics_listen.is_empty() {
        println!("    metrics    http://{}/metrics", config.server.metrics_listen);
    }
    if config.wechat.simulator {
        let sim = &config.wechat.simulator_listen;
        println!("    模拟微信   http://{sim}/sim/");
        println!("\n  ┌──────────────────────────────────────────────────────────────────────────┐");
        println!("  │ 微信为模拟器，任何人都可以任何身份登录。切勿用于生产。                   │");
        println!("  │ WeChat is SIMULATED: anybody can log in as anybody. Never in production. │");
        println!("  └──────────────────────────────────────────────────────────────────────────┘");
        println!(
            "\n  试一试 / Try:  curl 'http://{sim}/sim/login-code?user=zhang'   ·   unionhall demo --url {url}"
        );
    }
    if config.server.mode == Mode::Embedded {
        println!("  内置密钥仅供试用 / The built-in secrets are public: this is a trial installation.");
    }
    if let Some(gaps) = calendar_gaps {
        println!("  {gaps}");
    }
    println!("  Ctrl-C 停止 / to stop\n");
}

/// Runs the simulated WeChat alone.
pub(super) fn wechat_sim(
    config: &Config,
    listen: String,
    appid: Option<String>,
    secret: Option<String>,
) -> Result<bool, StartError> {
    let mut config = config.clone();
    config.wechat.simulator_listen = listen;
    config.wechat.appid = appid.unwrap_or(config.wechat.appid);
    config.wechat.secret = secret.map_or(config.wechat.secret, Into::into);
    actix_web::rt::System::new().block_on(async move {
        let simulator = Arc::new(start_simulator(&config, None)?);
        println!("微信模拟器 / simulated WeChat: {}/sim/", simulator.base_url());
        wait_for_signal().await?;
        simulator.stop().await;
        Ok(true)
    })
}
