//! Which tests there are, which of them run, and how one is run.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};
use unionhall::platform::db::Engine;

use super::app::TestApp;
use super::ground::Ground;
use super::servers::StartError;

/// A test that takes longer has hung; `UNIONHALL_TEST_SECONDS` gives more to a test that is told to do more.
const LONGEST: u64 = 240;
/// Tests wait for disks and sockets half of the time, so that more of them than cores are worth while.
const TESTS_PER_CORE: usize = 2;

/// What an application test comes to.
pub type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A registered test.
pub struct Test {
    module: &'static str,
    name: &'static str,
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    WithApp(fn(TestApp) -> Running),
    Plain(fn()),
}

impl Test {
    /// A test that runs against an application, once on each engine. See [`tests!`].
    pub const fn with_app(module: &'static str, name: &'static str, run: fn(TestApp) -> Running) -> Self {
        Self { module, name, run: Run::WithApp(run) }
    }

    /// A test that needs no application. See [`plain_tests!`].
    pub const fn plain(module: &'static str, name: &'static str, run: fn()) -> Self {
        Self { module, name, run: Run::Plain(run) }
    }

    /// `room::name`, without the name of this crate.
    fn path(&self) -> String {
        let module = self.module.split_once("::").map_or("", |(_, rest)| rest);
        format!("{module}::{}", self.name)
    }
}

/// Registers `async fn(app: TestApp)` tests: each runs on SQLite and on PostgreSQL.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        &[$($crate::harness::suite::Test::with_app(module_path!(), stringify!($name), |app| Box::pin($name(app)))),*]
    };
}

/// Registers `fn()` tests: each runs once.
macro_rules! plain_tests {
    ($($name:ident),* $(,)?) => {
        &[$($crate::harness::suite::Test::plain(module_path!(), stringify!($name), $name)),*]
    };
}

/// The ground of an engine, laid before the first test.
type Laid = Arc<OnceLock<Arc<Ground>>>;

thread_local! {
    /// Where the test of this thread panicked first.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics of a test are told with the test, in one line; those of other threads when they happen.
fn hear_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name().is_some_and(|name| name.contains("::")) {
            let place = panic.location().map(ToString::to_string);
            PANICKED_AT.with_borrow_mut(|first| *first = first.take().or(place));
        } else {
            tell(panic);
        }
    }));
}

/// Runs what the command line asks for.
pub fn run(rooms: &[&[Test]]) -> ExitCode {
    log_if_asked();
    hear_panics();
    let mut arguments = Arguments::from_args();
    if arguments.test_threads.is_none() {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        arguments.test_threads = Some(cores * TESTS_PER_CORE);
    }
    let (sqlite, postgres) = (Laid::default(), Laid::default());
    let mut trials: Vec<(Option<Engine>, Trial)> = Vec::new();
    for test in rooms.iter().flat_map(|room| room.iter()) {
        match test.run {
            Run::Plain(run) => trials.push((None, plain_trial(test.path(), run))),
            Run::WithApp(run) => {
                for (engine, laid) in [(Engine::Sqlite, &sqlite), (Engine::Postgres, &postgres)] {
                    trials.push((Some(engine), app_trial(test.path(), engine, Arc::clone(laid), run)));
                }
            }
        }
    }
    let wanted = |engine: Engine| {
        !arguments.list
            && trials.iter().any(|(of, trial)| {
                *of == Some(engine) && !arguments.is_filtered_out(trial) && !arguments.is_ignored(trial)
            })
    };
    let (wants_sqlite, wants_postgres) = (wanted(Engine::Sqlite), wanted(Engine::Postgres));
    let mut without_servers = false;
    if wants_sqlite {
        let _first = sqlite.set(Arc::new(Ground::sqlite()));
    }
    if wants_postgres {
        match Ground::postgres() {
            Ok(ground) => {
                let _first = postgres.set(Arc::new(ground));
            }
            Err(missing @ StartError::Missing { .. }) if std::env::var_os("CI").is_none() => {
                eprintln!("LEFT OUT: every test on PostgreSQL and Redis, because {missing}");
                without_servers = true;
            }
            Err(error) => {
                eprintln!("the private servers cannot be started: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let trials = trials
        .into_iter()
        .filter(|(engine, _)| !(without_servers && *engine == Some(Engine::Postgres)))
        .map(|(_, trial)| trial)
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // A test that hung may still hold its ground; the servers' watchdogs see this process end all the same.
    drop((sqlite, postgres));
    conclusion.exit_code()
}

/// `UNIONHALL_TEST_LOG=debug` shows what the servers log.
fn log_if_asked() {
    if let Ok(filter) = std::env::var("UNIONHALL_TEST_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}

fn plain_trial(path: String, run: fn()) -> Trial {
    let name = path.clone();
    Trial::test(path, move || {
        watched(name, move || {
            run();
            Ok(())
        })
    })
}

fn app_trial(path: String, engine: Engine, ground: Laid, run: fn(TestApp) -> Running) -> Trial {
    let name = format!("{}::{path}", engine.as_str());
    Trial::test(name.clone(), move || {
        let ground = ground.get().cloned().ok_or("the harness laid no ground for this engine")?;
        let path = name.clone();
        watched(name, move || on_ground(ground, path, run))
    })
}

/// One application test: begin, run, look at what it left, end.
fn on_ground(ground: Arc<Ground>, name: String, run: fn(TestApp) -> Running) -> Result<(), String> {
    actix_web::rt::System::new().block_on(async move {
        let app = TestApp::begin(ground, &name).await;
        let outcome = match AssertUnwindSafe(run(app.clone())).catch_unwind().await {
            Ok(()) => app.verdict().await,
            Err(panic) => Err(what_panicked(&*panic)),
        };
        app.end().await;
        outcome
    })
}

/// Runs `body` in a thread of its own, and fails when it does not end.
fn watched(name: String, body: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<(), Failed> {
    let (done, outcome) = mpsc::channel();
    std::thread::Builder::new()
        .name(name)
        .stack_size(8 << 20)
        .spawn(move || {
            let result =
                catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(what_panicked(&*panic)));
            // Nobody listens when it took too long.
            let _late = done.send(result);
        })
        .map_err(|error| format!("no thread: {error}"))?;
    let longest =
        std::env::var("UNIONHALL_TEST_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(LONGEST);
    match outcome.recv_timeout(Duration::from_secs(longest)) {
        Ok(result) => result.map_err(Failed::from),
        Err(_) => Err(format!("not done after {longest} s").into()),
    }
}

fn what_panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked");
    let place = PANICKED_AT.with_borrow_mut(Option::take).unwrap_or_else(|| "somewhere".into());
    format!("{text}\nat {place}")
}
