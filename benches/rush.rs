//! Nine o'clock: what the release binary does under a rush, over HTTP, on the full path (token, contract, idempotency, places,
//! message, audit), against references of the same run.
//!
//! `cargo bench --bench rush` runs every case of the table in `docs/BENCHMARKS.md`, each in at least three rounds that alternate
//! with its reference, checks the outcome of every round, and prints ratios; absolute figures depend on the machine. It ends
//! with a failure when an outcome is wrong. SQLite runs with synchronous=FULL, PostgreSQL with fsync.
//!
//! `UNIONHALL_BENCH_SMOKE=1` for a minute's run with small numbers; `UNIONHALL_BENCH_PEOPLE`, `_ROUNDS`, `_CONNECTIONS`,
//! `_MANY`, `_READS` for others; `UNIONHALL_BENCH_CASES=postgres,full` for some cases; `UNIONHALL_BENCH_STRICT=1` to fail below
//! a floor.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench stops"
)]

#[path = "support/bare.rs"]
mod bare;
#[path = "support/rounds.rs"]
mod rounds;
#[path = "../tests/it/harness/servers.rs"]
#[allow(dead_code, reason = "the bench needs a part of it")]
mod servers;
#[allow(dead_code, reason = "the bench needs a part of it")]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bare::Bare;
use rounds::Rounds;
use servers::{Postgres, RedisServer};
use support::ground::Ground;
use support::knob;
use support::load::{self, Outcome};
use support::plain::{self, Plain};
use support::site::Site;
use support::table::{Case, Table};

/// How much of everything.
struct Sizes {
    rounds: usize,
    connections: usize,
    /// Who sign up in one round.
    people: usize,
    /// Who sign up in one round with one request a commit.
    few: usize,
    /// Answers from memory in one round.
    reads: usize,
    /// People and past activities of a large installation.
    many: (usize, usize),
    pgbench_seconds: usize,
}

fn main() -> ExitCode {
    plain::serve_if_asked();
    let smoke = knob("SMOKE", 0) > 0;
    let pick = |full, small| if smoke { small } else { full };
    let sizes = Sizes {
        rounds: knob("ROUNDS", 3).max(3),
        connections: knob("CONNECTIONS", 512),
        people: knob("PEOPLE", pick(20_000, 2_000)),
        few: knob("FEW", pick(2_000, 500)),
        reads: knob("READS", pick(60_000, 6_000)),
        many: (knob("MANY", pick(1_000_000, 50_000)), 200),
        pgbench_seconds: pick(3, 1),
    };
    let wanted = std::env::var("UNIONHALL_BENCH_CASES").unwrap_or_default();
    let wants = |case: &str| wanted.is_empty() || wanted.split(',').any(|one| one == case);
    let folder = tempfile::TempDir::with_prefix_in("unionhall-bench-", "/var/tmp").unwrap();
    let mut bench = Bench { sizes, folder: folder.path(), table: Table::default() };
    if wants("sqlite") {
        bench.on_sqlite();
    }
    match Postgres::start_durable() {
        Ok(postgres) => {
            if wants("postgres") {
                bench.on_postgres(&postgres);
            }
            if wants("full") {
                bench.full(&postgres);
            }
            if wants("catalogue") {
                bench.catalogue(&postgres);
            }
            if wants("many") {
                bench.many(&postgres);
            }
            if wants("two") {
                match RedisServer::start() {
                    Ok(redis) => bench.two(&postgres, &redis),
                    Err(missing) => println!("left out: two instances, because {missing}"),
                }
            }
        }
        Err(missing) => println!("left out: PostgreSQL, because {missing}"),
    }
    let missed = bench.table.print();
    if missed > 0 && knob("STRICT", 0) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Bench<'a> {
    sizes: Sizes,
    folder: &'a Path,
    table: Table,
}

impl Bench<'_> {
    /// `people` people who have not asked yet want `capacity` places of a new activity.
    fn rush(&self, ground: &mut Ground, sites: &[SocketAddr], people: usize, capacity: usize) -> Outcome {
        let (activity, first) = (ground.activity(capacity), ground.first());
        let requests = ground.requests(activity, people);
        let outcome = load::run(sites, requests, people, self.sizes.connections);
        ground.judge(activity, capacity, first, &outcome);
        ground.settle();
        outcome
    }

    fn warm_up(&self, ground: &mut Ground, sites: &[SocketAddr]) {
        let people = self.sizes.few.min(500);
        self.rush(ground, sites, people, people);
    }

    fn add(&mut self, name: &str, reference: &str, ours: Vec<f64>, theirs: Vec<f64>, bounds: (f64, f64)) {
        let (name, reference) = (name.to_owned(), reference.to_owned());
        self.table.add(Case { name, reference, ours, theirs, floor: bounds.0, aim: bounds.1, unit: "/s" });
    }

    fn add_absolute(&mut self, name: &str, ours: Vec<f64>, bounds: (f64, f64), unit: &'static str) {
        let (name, reference) = (name.to_owned(), String::new());
        self.table.add(Case {
            name,
            reference,
            ours,
            theirs: Vec::new(),
            floor: bounds.0,
            aim: bounds.1,
            unit,
        });
    }

    fn on_sqlite(&mut self) {
        let Sizes { rounds, people, few, .. } = self.sizes;
        let ground = |name: &str, people: usize| {
            let url = format!("sqlite://{}", self.folder.join(format!("{name}.db")).display());
            Ground::lay(&url, people * rounds + 1000, 0)
        };
        let (mut together, mut alone) = (ground("together", people), ground("alone", few));
        alone.config.database.batch = 1;
        let (site, single) =
            (Site::start(&together.config, self.folder), Site::start(&alone.config, self.folder));
        self.warm_up(&mut together, &[site.address]);
        self.warm_up(&mut alone, &[single.address]);
        let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
        for _ in 0..rounds {
            theirs.add(&self.rush(&mut alone, &[single.address], few, few));
            ours.add(&self.rush(&mut together, &[site.address], people, people));
        }
        let peak = site.memory().1;
        self.add("rush on SQLite", "batch limit of 1", ours.rates, theirs.rates, (8.0, 15.0));
        self.add_absolute("p99 of that", ours.p99, (250.0, 100.0), "ms");
        self.add_absolute("resident memory, SQLite", vec![peak], (250.0, 250.0), "MiB");
    }

    fn on_postgres(&mut self, postgres: &Postgres) {
        let Sizes { rounds, people, pgbench_seconds, .. } = self.sizes;
        let url = postgres.create_template("rush").unwrap();
        let mut ground = Ground::lay(&url, people * rounds + 1000, 2);
        let bare = Bare::lay(postgres);
        let site = Site::start(&ground.config, self.folder);
        std::thread::sleep(Duration::from_secs(2));
        let idle = site.memory().0;
        println!("server process {}", site.pid());
        self.warm_up(&mut ground, &[site.address]);
        let (mut ours, mut theirs) = (Rounds::default(), Vec::new());
        for _ in 0..rounds {
            theirs.push(bare.best(pgbench_seconds));
            ours.add(&self.rush(&mut ground, &[site.address], people, people));
        }
        let peak = site.memory().1;
        self.add("rush on PostgreSQL", "pgbench", ours.rates, theirs, (4.0, 10.0));
        self.add_absolute("p99 of that", ours.p99, (250.0, 100.0), "ms");
        self.add_absolute("resident memory, idle", vec![idle], (60.0, 60.0), "MiB");
        self.add_absolute("resident memory, rush", vec![peak], (250.0, 250.0), "MiB");
    }

    fn full(&mut self, postgres: &Postgres) {
        let Sizes { rounds, people, reads, connections, .. } = self.sizes;
        let url = postgres.create_template("places_full").unwrap();
        let mut ground = Ground::lay(&url, people + 1000, 2);
        let site = Site::start(&ground.config, self.folder);
        let places = 200;
        let activity = ground.activity(places);
        let first = ground.first();
        let mut requests = ground.requests(activity, places + people.min(20_000));
        let strangers = requests.split_off(places);
        let outcome = load::run(&[site.address], requests, places, connections.min(places));
        ground.judge(activity, places, first, &outcome);
        ground.settle();
        let (status, body) = load::once(site.address, &strangers[0]);
        assert_eq!(status, 409, "{body}");
        let reference = Plain::start(body.len());
        let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
        for _ in 0..rounds {
            theirs.add(&load::run(&[reference.address], strangers.clone(), reads, connections));
            let outcome = load::run(&[site.address], strangers.clone(), reads, connections);
            for one in &outcome.answers {
                assert_eq!((one.status, one.code.as_deref()), (409, Some("signup_full")), "{one:?}");
            }
            ours.add(&outcome);
        }
        self.add("'full' answers", "plain handler", ours.rates, theirs.rates, (0.4, 0.7));
    }

    fn catalogue(&mut self, postgres: &Postgres) {
        let Sizes { rounds, reads, connections, .. } = self.sizes;
        let url = postgres.create_template("catalogue").unwrap();
        let ground = Ground::lay(&url, 1000, 0);
        let activities = ground.catalogue(1000);
        let site = Site::start(&ground.config, self.folder);
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes();
        let list = vec![get("/api/v1/activities")];
        let details = activities.iter().map(|id| get(&format!("/api/v1/activities/{id}"))).collect();
        for (name, requests) in [("activity list", list), ("activity detail", details)] {
            let (status, body) = load::once(site.address, &requests[0]);
            assert_eq!(status, 200, "{body}");
            let reference = Plain::start(body.len());
            let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
            for _ in 0..rounds {
                theirs.add(&load::run(&[reference.address], requests.clone(), reads, connections));
                let outcome = load::run(&[site.address], requests.clone(), reads, connections);
                assert!(outcome.answers.iter().all(|one| one.status == 200 && one.length + 100 > body.len()));
                ours.add(&outcome);
            }
            let name = format!("{name}, {} bytes", body.len());
            self.add(&name, "plain handler", ours.rates, theirs.rates, (0.5, 0.9));
        }
    }

    fn many(&mut self, postgres: &Postgres) {
        let Sizes { rounds, people, many, .. } = self.sizes;
        let ground = |name: &str, people: usize, past: usize| {
            Ground::lay(&postgres.create_template(name).unwrap(), people, past)
        };
        let mut small = ground("few", 10_000, 2);
        let mut large = ground("many", many.0, many.1);
        let (site, other) =
            (Site::start(&large.config, self.folder), Site::start(&small.config, self.folder));
        self.warm_up(&mut large, &[site.address]);
        self.warm_up(&mut small, &[other.address]);
        let people = people.min(9_000).min(many.0 / (rounds + 1));
        let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
        for _ in 0..rounds {
            small.rewind();
            theirs.add(&self.rush(&mut small, &[other.address], people, people));
            ours.add(&self.rush(&mut large, &[site.address], people, people));
        }
        let name = format!("rush with {} people, {} past activities", many.0, many.1);
        self.add(&name, "10000 and 2", ours.rates, theirs.rates, (0.8, 0.95));
    }

    fn two(&mut self, postgres: &Postgres, redis: &RedisServer) {
        let Sizes { rounds, people, .. } = self.sizes;
        let url = postgres.create_template("two").unwrap();
        let mut ground = Ground::lay(&url, 2 * people * rounds + 2000, 2);
        ground.config.cache.kind = "redis".into();
        ground.config.cache.url = redis.url().into();
        let sites = [Site::start(&ground.config, self.folder), Site::start(&ground.config, self.folder)];
        let both = [sites[0].address, sites[1].address];
        self.warm_up(&mut ground, &both[..1]);
        self.warm_up(&mut ground, &both[1..]);
        let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
        for _ in 0..rounds {
            // Fewer places than people, so that the last ones are contended for.
            theirs.add(&self.rush(&mut ground, &both[..1], people, people * 9 / 10));
            ours.add(&self.rush(&mut ground, &both, people, people * 9 / 10));
        }
        self.add("two instances", "one instance", ours.rates, theirs.rates, (0.9, 0.9));
    }
}
