//! A temporary server for the demonstration: a SQLite file in a temporary folder, free ports.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::sync::watch;

use crate::app::{self, App, Injected, StartError};
use crate::clock::SharedClock;
use crate::commands::serve::{bind, start_simulator};
use crate::commands::{check, ids_at, real_world};
use crate::config::Config;
use crate::ids::Ids;
use crate::platform::wechat::simulator::SimulatorHandle;

pub(super) struct OwnServer {
    app: App,
    address: String,
    simulator: SimulatorHandle,
    server: ServerHandle,
    stop_jobs: watch::Sender<bool>,
    folder: PathBuf,
}

impl OwnServer {
    pub(super) fn start(config: &Config) -> Result<Self, StartError> {
        Self::launch(config.clone(), real_world())
    }

    /// A server whose clock somebody moves. While it stands still, what is kept for a moment would be kept for ever.
    pub(super) fn start_at(config: &Config, clock: SharedClock) -> Result<Self, StartError> {
        let mut config = config.clone();
        config.auth.standing_memory_ms = 0;
        config.cache.memory_ms = 0;
        config.limits.per_person = 0;
        let ids = ids_at(Arc::clone(&clock));
        Self::launch(config, (clock, ids))
    }

    fn launch(mut config: Config, (clock, ids): (SharedClock, Ids)) -> Result<Self, StartError> {
        let folder = std::env::temp_dir().join(format!("unionhall-demo-{}", hex::encode(ids.bytes::<6>())));
        config.database.url = format!("sqlite://{}", folder.join("demo.db").display()).into();
        config.files.path = folder.join("files").display().to_string();
        config.cache.kind = "memory".into();
        config.wechat.simulator = true;
        config.wechat.simulator_listen = "127.0.0.1:0".into();
        config.limits.per_address = 0;
        config.limits.logins_per_address = 0;
        let db = app::open_database(&config)?;
        app::migrate_database(&db)?;
        check::seed_database(&config, &db, &ids, clock.now(), None, true)?;
        let simulator = start_simulator(&config, None)?;
        let injected = Injected { clock, ids, wechat_base_url: Some(simulator.base_url()) };
        let app = App::assemble(&config, db, injected)?;
        let listener = bind("127.0.0.1:0")?;
        let failed = |reason: std::io::Error| StartError::Listen { address: "127.0.0.1:0".into(), reason };
        let address = listener.local_addr().map_err(failed)?.to_string();
        let server = app.listen(listener, 0).map_err(failed)?;
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let (stop_jobs, stopped) = watch::channel(false);
        app.run_jobs(stopped);
        Ok(Self { app, address, simulator, server: handle, stop_jobs, folder })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn wechat_sim(&self) -> String {
        self.simulator.base_url()
    }

    pub(super) async fn stop(self) {
        self.app.stop(self.server, Duration::ZERO, self.stop_jobs).await;
        self.simulator.stop().await;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, "the temporary folder stays");
        }
    }
}
