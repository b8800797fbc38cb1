//! Private PostgreSQL and Redis servers, started from the programs installed on this machine.
//!
//! A server must not outlive the tests, however these end: returning, panicking or being killed. So each
//! runs under a watchdog, a shell that waits for the end of its standard input. The only writing end of
//! that pipe belongs to this process, and the kernel closes it whatever happens; the watchdog then ends
//! the server and removes its directory. (A parent death signal would do less: it is tied to a thread,
//! lost on a change of user, and leaves the directory behind.) Killed in the half second before, while
//! the database is being created, the tests leave a directory `unionhall-*` behind, but no process.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;
use unionhall::clock::Stopwatch;

/// The superuser of the private PostgreSQL; it has no password.
const ROLE: &str = "unionhall";
const START_LIMIT: Duration = Duration::from_secs(60);
const START_STEP: Duration = Duration::from_millis(20);
/// A free port may be taken by another process before the server binds it; then another one is tried.
const PORT_ATTEMPTS: u32 = 5;

/// `$1` the server's directory, `$2` the signals that end it, then the command. While the server lives
/// (`ended` does not exist) its process id cannot have passed to another process.
const WATCHDOG: &str = r#"
dir=$1 signals=$2
shift 2
exec 3<&0
"$@" </dev/null >"$dir/log" 2>&1 3<&- &
server=$!
{
  read -r _ <&3
  [ -e "$dir/ended" ] || for signal in $signals; do kill -s "$signal" "$server"; done
} &
owner_gone=$!
wait "$server"
: >"$dir/ended"
wait "$owner_gone"
cd / && rm -rf "$dir"
"#;

/// Why a server could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The program is not installed; the caller decides whether that is a failure.
    Missing {
        /// The program looked for.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The program is there and did not come up.
    Failed(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, package } => {
                write!(f, "{program} is not installed; on Debian: apt-get install {package}")
            }
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StartError {}

impl From<String> for StartError {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// A PostgreSQL of its own, reached over loopback TCP or a socket in its directory. Ends when dropped.
pub struct Postgres {
    server: Server,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// A server for tests: quick, and it forgets everything when the machine stops.
    pub fn start() -> Result<Self, StartError> {
        const QUICK: &[&str] = &["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        Self::launch(Path::new("/tmp"), QUICK)
    }

    /// A server that commits to disk as a production server does, for crash tests and benches. Its
    /// directory is in `/var/tmp`, since `/tmp` may be kept in memory.
    pub fn start_durable() -> Result<Self, StartError> {
        Self::launch(Path::new("/var/tmp"), &[])
    }

    fn launch(base: &Path, settings: &[&str]) -> Result<Self, StartError> {
        let programs = postgres_programs()
            .ok_or(StartError::Missing { program: "PostgreSQL (initdb, postgres)", package: "postgresql" })?;
        let mut failure = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let dir = server_dir(base)?;
            let owner = owner_of_data(&dir)?;
            init_data(&programs, &dir, owner.as_ref())?;
            let port = free_port()?;
            let mut command =
                vec![text(&programs.join("postgres")), "-D".into(), text(&dir.path().join("data"))];
            let own = [
                "listen_addresses=127.0.0.1".to_owned(),
                format!("port={port}"),
                format!("unix_socket_directories={}", text(dir.path())),
                "shared_buffers=128MB".to_owned(),
                "max_connections=300".to_owned(),
                // What a server in Shenzhen is set to: a query that leans on a session in UTC shows.
                "timezone=Asia/Shanghai".to_owned(),
            ];
            for setting in own.into_iter().chain(settings.iter().map(|&s| s.to_owned())) {
                command.extend(["-c".to_owned(), setting]);
            }
            // QUIT is an immediate shutdown: the data are thrown away, so there is nothing to flush or
            // wait for. TERM is for a server that is not yet listening to signals: a shell starts its
            // background commands with QUIT ignored.
            let server = Server::spawn(dir, "TERM QUIT", owner.as_ref(), &command)?;
            let postgres = Self { server, programs: programs.clone(), port };
            // Over the socket, which no other server can answer.
            match postgres
                .server
                .await_ready(|| PgConnection::establish(&postgres.socket_url("postgres")).is_ok())
            {
                Ok(()) => return Ok(postgres),
                Err(why) => failure = format!("PostgreSQL did not start: {why}"),
            }
        }
        Err(StartError::Failed(failure))
    }

    /// Where a database is reached over TCP.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where a database is reached over the Unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@/{database}?host={}&port={}", text(&self.server.dir), self.port)
    }

    /// A program of the same installation, such as `pgbench` or `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Creates an empty database to migrate once and copy often; returns its address. Copying needs every
    /// connection to it closed.
    pub fn create_template(&self, name: &str) -> Result<String, String> {
        self.create_database(name, "template0")
    }

    /// Creates a database as a copy of `template`; returns its address.
    pub fn create_database(&self, name: &str, template: &str) -> Result<String, String> {
        self.administer(&format!("CREATE DATABASE {} TEMPLATE {}", checked(name)?, checked(template)?))?;
        Ok(self.url(name))
    }

    /// Drops a database, and the connections to it, if it exists.
    pub fn drop_database(&self, name: &str) -> Result<(), String> {
        self.administer(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", checked(name)?))
    }

    /// Ends the server and removes its directory, as dropping it does.
    pub fn stop(self) {}

    fn administer(&self, statement: &str) -> Result<(), String> {
        let mut conn =
            PgConnection::establish(&self.socket_url("postgres")).map_err(|e| format!("{statement}: {e}"))?;
        conn.batch_execute(statement).map_err(|e| format!("{statement}: {e}"))
    }
}

/// A Redis (or Valkey) of its own on loopback TCP, without persistence. Ends when dropped.
pub struct RedisServer {
    /// None between a stop and a restart.
    server: Option<Server>,
    program: PathBuf,
    port: u16,
}

impl RedisServer {
    /// Starts an empty server on a free port.
    pub fn start() -> Result<Self, StartError> {
        let program = ["redis-server", "valkey-server"]
            .iter()
            .find_map(|name| path_dirs().map(|dir| dir.join(name)).find(|path| path.is_file()))
            .ok_or(StartError::Missing { program: "redis-server", package: "redis-server" })?;
        let mut failure = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            match launch_redis(&program, port) {
                Ok(server) => return Ok(Self { server: Some(server), program, port }),
                Err(why) => failure = why,
            }
        }
        Err(StartError::Failed(failure))
    }

    /// Where the server is, or was and will be again.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// An outage: connections break, new ones are refused, and what was kept is lost.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Ends an outage: an empty server at the same address.
    pub fn restart_on_same_port(&mut self) -> Result<(), String> {
        self.stop();
        self.server = Some(launch_redis(&self.program, self.port)?);
        Ok(())
    }
}

fn launch_redis(program: &Path, port: u16) -> Result<Server, String> {
    let dir = server_dir(Path::new("/tmp"))?;
    let socket = dir.path().join("redis.sock");
    let (port, dir_text, socket_text) = (port.to_string(), text(dir.path()), text(&socket));
    #[rustfmt::skip]
    let arguments = [
        "--port", &port, "--bind", "127.0.0.1", "--unixsocket", &socket_text,
        "--save", "", "--appendonly", "no", "--dir", &dir_text,
    ];
    let command: Vec<String> = std::iter::once(text(program)).chain(arguments.map(str::to_owned)).collect();
    let server = Server::spawn(dir, "KILL", None, &command)?;
    server
        .await_ready(|| redis_answers(&socket).is_ok())
        .map_err(|why| format!("Redis did not start: {why}"))?;
    Ok(server)
}

/// Asks over the socket, which is opened after the port and which no other server can answer.
fn redis_answers(socket: &Path) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    if &answer == b"+PONG\r\n" { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// A server process under its watchdog, and its directory, which the watchdog removes.
struct Server {
    watchdog: Child,
    dir: PathBuf,
}

impl Server {
    fn spawn(
        dir: TempDir,
        end_signals: &str,
        owner: Option<&Owner>,
        command: &[String],
    ) -> Result<Self, String> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", WATCHDOG, "watchdog"]).arg(dir.path()).arg(end_signals).args(command);
        // A group of its own, so that what ends the tests by group (Ctrl-C, time limits) leaves the
        // watchdog to its work.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watchdog = run_as(&mut shell, owner, dir.path()).spawn().map_err(|e| format!("/bin/sh: {e}"))?;
        Ok(Self { watchdog, dir: dir.keep() })
    }

    /// Waits until `ready`. An error carries the end of the server's log.
    fn await_ready(&self, ready: impl Fn() -> bool) -> Result<(), String> {
        let waited = Stopwatch::start();
        loop {
            let ended = self.dir.join("ended").exists();
            if !ended && ready() {
                return Ok(());
            }
            if ended || waited.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                let mut last: Vec<&str> = log.lines().rev().take(10).collect();
                last.reverse();
                let what = if ended { "it ended at once" } else { "no answer in time" };
                return Err(format!("{what}; its log ends with:\n{}", last.join("\n")));
            }
            std::thread::sleep(START_STEP);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        // The watchdog ends once the server is gone, which both kinds of server are within seconds.
        let _ = self.watchdog.wait();
    }
}

/// The system user that PostgreSQL runs as where the tests run as root, which it refuses.
struct Owner {
    uid: u32,
    gid: u32,
}

/// Hands the directory to an unprivileged user if the tests run as root.
fn owner_of_data(dir: &TempDir) -> Result<Option<Owner>, String> {
    let in_dir = |e: std::io::Error| format!("{}: {e}", dir.path().display());
    if std::fs::metadata(dir.path()).map_err(in_dir)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
    let owner = ["postgres", "nobody"]
        .iter()
        .find_map(|name| user_in(&users, name))
        .ok_or("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")?;
    chown(dir.path(), Some(owner.uid), Some(owner.gid)).map_err(in_dir)?;
    Ok(Some(owner))
}

/// Finds a user in the text of `/etc/passwd`: `name:password:uid:gid:…`.
fn user_in(users: &str, name: &str) -> Option<Owner> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        Some(Owner { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    })
}

/// Lets `command` run in `dir`, as `owner` if there is one, and without the caller's PostgreSQL settings.
fn run_as<'c>(command: &'c mut Command, owner: Option<&Owner>, dir: &Path) -> &'c mut Command {
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir)
}

/// Creates the database cluster in `data`, in UTF-8 and in byte order.
fn init_data(programs: &Path, dir: &TempDir, owner: Option<&Owner>) -> Result<(), String> {
    let mut failure = String::new();
    // C.UTF-8 is missing from some small installations; C sorts the same way.
    for locale in ["--locale=C.UTF-8", "--locale=C"] {
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args(["--auth=trust", "-U", ROLE, "--no-sync", "-E", "UTF8", locale, "-D"]);
        initdb.arg(dir.path().join("data")).stdin(Stdio::null());
        let output = run_as(&mut initdb, owner, dir.path()).output().map_err(|e| format!("initdb: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        failure = format!("initdb {locale}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Err(failure)
}

/// The directory of PostgreSQL's programs: what PATH leads to, else the newest of those that Debian keeps
/// out of PATH.
fn postgres_programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    path_dirs()
        .chain(versions.into_iter().rev().map(|(_, bin)| bin))
        // A link in PATH may stand alone; what it leads to has the other programs beside it.
        .filter_map(|dir| Some(dir.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
        .find(|bin| bin.join("postgres").is_file())
}

fn path_dirs() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// A directory with a short path, since that of a Unix socket is limited to about 100 bytes, under a
/// directory that every user may enter.
fn server_dir(base: &Path) -> Result<TempDir, String> {
    tempfile::Builder::new()
        .prefix("unionhall-")
        .tempdir_in(base)
        .map_err(|e| format!("no directory in {}: {e}", base.display()))
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| format!("no free port: {e}"))
}

/// Names of databases go into SQL and into addresses unquoted, so only plain ones are taken.
fn checked(name: &str) -> Result<&str, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if starts_well && name.len() < 64 && name.chars().all(plain) {
        Ok(name)
    } else {
        Err(format!("not a plain database name: {name:?}"))
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
