//! The release binary, serving in a process of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret;
use unionhall::clock::Stopwatch;
use unionhall::config::Config;

/// A server; killed when dropped.
pub struct Site {
    child: Child,
    pub address: SocketAddr,
}

impl Site {
    /// `unionhall serve` with the database, cache and batch of `config` and otherwise as it comes. It logs to a file in
    /// `folder`, as a service does.
    pub fn start(config: &Config, folder: &Path) -> Self {
        let address = free_address();
        let log = std::fs::File::create(folder.join(format!("{}.log", address.port()))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_unionhall"));
        for (name, value) in [
            ("DATABASE__URL", config.database.url.expose_secret().to_owned()),
            ("DATABASE__BATCH", config.database.batch.to_string()),
            ("CACHE__KIND", config.cache.kind.clone()),
            ("CACHE__URL", config.cache.url.expose_secret().to_owned()),
            ("SERVER__LISTEN", address.to_string()),
            ("SERVER__METRICS_LISTEN", String::new()),
            ("WECHAT__SIMULATOR", "false".into()),
            ("WECHAT__BASE_URL", "http://127.0.0.1:9".into()),
            ("SEED__AT_START", "false".into()),
            // All of the load comes from one address.
            ("LIMITS__PER_ADDRESS", "1000000000".into()),
            ("LIMITS__PER_PERSON", "1000000".into()),
            ("LOG__LEVEL", std::env::var("UNIONHALL_BENCH_LOG").unwrap_or_else(|_| config.log.level.clone())),
        ] {
            command.env(format!("UNIONHALL__{name}"), value);
        }
        let child = command.current_dir(folder).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        wait_for(address);
        Self { child, address }
    }

    /// Resident memory now and at its highest, in MiB.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        (field("VmRSS"), field("VmHWM"))
    }

    /// For profiles.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until somebody listens.
pub fn wait_for(address: SocketAddr) {
    let waited = Stopwatch::start();
    while TcpStream::connect(address).is_err() {
        assert!(waited.elapsed() < Duration::from_secs(30), "nobody listens at {address}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
