//! Nine o'clock: how many sign-ups a second are durable, over HTTP, on the full path (token, contract, idempotency, places,
//! message, audit), against references of the same run.
//!
//! `cargo bench --bench rush` prints ratios; absolute figures depend on the machine and are shown for orientation.
//! SQLite runs with synchronous=FULL against itself with one request a commit. PostgreSQL, where it is installed, runs with
//! fsync against pgbench with the bare transaction (BEGIN; guarded UPDATE; INSERT; COMMIT) on the same server.
//! `UNIONHALL_BENCH_PEOPLE=20000` for a longer run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench stops"
)]

#[path = "../tests/it/harness/servers.rs"]
#[allow(dead_code, reason = "the bench needs a part of it")]
mod servers;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unionhall::app::{App, Injected};
use unionhall::clock::{Clock, SharedClock, Stopwatch, SystemClock};
use unionhall::config::Config;
use unionhall::ids::{ActivityId, FamilyId, Ids, PersonId, SystemEntropy};
use unionhall::platform::db::Db;
use unionhall::seed::{self, SeedSource, loader};

const ROUNDS: usize = 3;

/// What one run came to.
#[derive(Clone, Copy)]
struct Figure {
    a_second: f64,
    p99: Duration,
}

fn main() {
    let people = std::env::var("UNIONHALL_BENCH_PEOPLE").ok().and_then(|n| n.parse().ok()).unwrap_or(6000);
    println!("{people} people, {ROUNDS} rounds, median\n");
    let folder = tempfile::TempDir::with_prefix_in("unionhall-bench-", "/var/tmp").unwrap();
    let run = |batch: usize, people: usize, connections: usize, name: &str| {
        let url = format!("sqlite://{}", folder.path().join(format!("{name}.db")).display());
        rush(&url, batch, people, connections)
    };
    let one = median((0..ROUNDS).map(|n| run(1, people / 4, 512, &format!("one-{n}"))).collect());
    show("SQLite, one request a commit, 512 connections", one, None);
    for connections in [64, 512] {
        let figure = median(
            (0..ROUNDS).map(|n| run(512, people, connections, &format!("b{connections}-{n}"))).collect(),
        );
        show(&format!("SQLite, {connections} connections"), figure, Some(("one a commit", one.a_second)));
    }
    match servers::Postgres::start_durable() {
        Ok(postgres) => on_postgres(&postgres, people),
        Err(missing) => println!("\nPostgreSQL left out: {missing}"),
    }
}

fn on_postgres(postgres: &servers::Postgres, people: usize) {
    let bare = pgbench(postgres);
    println!("\npgbench, bare transaction, best of 1/8/32 clients   {bare:>9.0} a second");
    for connections in [64, 512] {
        let figures = (0..ROUNDS).map(|n| {
            let name = format!("rush_{connections}_{n}");
            rush(&postgres.create_template(&name).unwrap(), 512, people, connections)
        });
        show(
            &format!("PostgreSQL, {connections} connections"),
            median(figures.collect()),
            Some(("pgbench", bare)),
        );
    }
}

fn show(what: &str, figure: Figure, reference: Option<(&str, f64)>) {
    let ratio = reference.map(|(name, value)| format!("  {:>5.1} × {name}", figure.a_second / value));
    println!(
        "{what:<50} {:>9.0} a second, p99 {:>4} ms{}",
        figure.a_second,
        figure.p99.as_millis(),
        ratio.unwrap_or_default()
    );
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|a, b| a.a_second.total_cmp(&b.a_second));
    figures[figures.len() / 2]
}

/// The hot row and the insert that a sign-up is at the least.
fn pgbench(postgres: &servers::Postgres) -> f64 {
    let url = postgres.create_template("bare").unwrap();
    let psql = |sql: &str| {
        assert!(Command::new(postgres.program("psql")).args([&url, "-qc", sql]).status().unwrap().success());
    };
    psql(
        "CREATE TABLE a (id BIGINT PRIMARY KEY, capacity BIGINT, taken BIGINT); INSERT INTO a VALUES (1, 1000000000, 0); \
          CREATE TABLE s (a BIGINT REFERENCES a, p BIGINT, UNIQUE (a, p)); CREATE SEQUENCE q",
    );
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        script.path(),
        "BEGIN;\nUPDATE a SET taken = taken + 1 WHERE id = 1 AND taken < capacity;\n\
         INSERT INTO s VALUES (1, nextval('q'));\nCOMMIT;\n",
    )
    .unwrap();
    ["1", "8", "32"]
        .iter()
        .map(|clients| {
            let output = Command::new(postgres.program("pgbench"))
                .args([
                    "-n",
                    "-c",
                    clients,
                    "-j",
                    "2",
                    "-T",
                    "3",
                    "-f",
                    script.path().to_str().unwrap(),
                    &url,
                ])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let line =
                text.lines().find(|line| line.starts_with("tps")).unwrap_or_else(|| panic!("{output:?}"));
            line.split_whitespace().nth(2).unwrap().parse::<f64>().unwrap()
        })
        .fold(0.0, f64::max)
}

/// A fresh server with a crowd that is logged in, and one activity with room for all.
fn rush(url: &str, batch: usize, people: usize, connections: usize) -> Figure {
    let mut config = Config::defaults().unwrap();
    config.database.url = url.to_owned().into();
    config.database.batch = batch;
    config.limits.per_address = 0;
    config.limits.per_person = 0;
    actix_web::rt::System::new().block_on(async move {
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::new(Arc::clone(&clock), Arc::new(SystemEntropy));
        let db = unionhall::app::open_database(&config).unwrap();
        unionhall::app::migrate_database(&db).unwrap();
        let activity = fill(&db, &ids, &config);
        let crowd = crowd(&db, &ids, people);
        let injected = Injected { clock, ids, wechat_base_url: Some("http://127.0.0.1:9".into()) };
        let app = App::assemble(&config, db, injected).unwrap();
        let tokens = app.platform().access.tokens();
        let requests: Vec<Vec<u8>> = crowd
            .iter()
            .enumerate()
            .map(|(number, (person, family))| {
                format!(
                    "POST /api/v1/activities/{activity}/signups HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
                     Idempotency-Key: bench-{number:08}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
                    tokens.issue(*person, *family).unwrap()
                )
                .into_bytes()
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = app.listen(listener, 2).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let figure = load(address, requests, connections).await;
        handle.stop(false).await;
        figure
    })
}

fn fill(db: &Db, ids: &Ids, config: &Config) -> ActivityId {
    let seeds = seed::load(&SeedSource::Embedded).unwrap();
    let now = SystemClock.now();
    let appid = Some(config.wechat.appid.as_str());
    let loader = loader::Loader { ids, now, simulated_appid: appid, demo: true };
    db.write_blocking(|conn| {
        use diesel::prelude::*;
        use unionhall::platform::db::schema::activities;
        loader::load_in_tx(conn, &seeds, &loader)?;
        let open = activities::table
            .filter(activities::allocation.eq("first_come"))
            .filter(activities::signup_opens_at.lt(now.naive_utc()))
            .filter(activities::signup_closes_at.gt((now + TimeDelta::hours(1)).naive_utc()));
        let id: ActivityId = open.select(activities::id).first(conn)?;
        diesel::update(activities::table.find(id)).set(activities::capacity.eq(1_000_000)).execute(conn)?;
        Ok(id)
    })
    .unwrap()
}

fn crowd(db: &Db, ids: &Ids, people: usize) -> Vec<(PersonId, FamilyId)> {
    let crowd: Vec<(PersonId, FamilyId)> = (0..people).map(|_| (ids.id(), ids.id())).collect();
    let now = SystemClock.now();
    db.write_blocking(|conn| {
        for (person, family) in &crowd {
            unionhall::people::store::create_in_tx(conn, *person, now)?;
            unionhall::identity::store::family_create_in_tx(
                conn,
                *family,
                *person,
                now,
                now + TimeDelta::days(1),
            )?;
        }
        Ok(())
    })
    .unwrap();
    crowd
}

/// Every request once, over `connections` that are kept open; every answer must be 201.
async fn load(address: SocketAddr, requests: Vec<Vec<u8>>, connections: usize) -> Figure {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
    }
    let whole = Stopwatch::start();
    let clients: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            tokio::spawn(async move {
                let mut times = Vec::new();
                let mut buffer = vec![0; 16 * 1024];
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(request) = requests.get(place) else { return times };
                    let one = Stopwatch::start();
                    stream.write_all(request).await.unwrap();
                    answer(&mut stream, &mut buffer).await;
                    times.push(one.elapsed());
                }
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    let seconds = whole.elapsed().as_secs_f64();
    times.sort();
    let count = u32::try_from(times.len()).unwrap();
    Figure { a_second: f64::from(count) / seconds, p99: times[times.len() * 99 / 100] }
}

async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let text = &buffer[..filled];
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&text[..end]).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if filled >= end + 4 + length.parse::<usize>().unwrap() {
            assert!(head.starts_with("http/1.1 201"), "{}", String::from_utf8_lossy(text));
            return;
        }
    }
}
