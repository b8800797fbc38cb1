//! The plan: what its figures cost when there is much behind them, over HTTP, with the release binary.
//!
//! `cargo bench --bench plan` asks for the progress of all targets with ten million lines and with ten thousand, for pages of the lines behind
//! one figure, and for the year's workbook with a million lines; `--bench ledger` recounts. Every answer is looked at. On both engines, or one:
//! `UNIONHALL_BENCH_CASES=sqlite` or `postgres`. `UNIONHALL_BENCH_SMOKE=1` for small numbers, `UNIONHALL_BENCH_STRICT=1` to fail below a floor.

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
#[allow(dead_code, reason = "the bench needs a part of it")]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use servers::Postgres;
use support::ground::{Ground, blob};
use support::knob;
use support::load;
use support::site::Site;
use support::table::{Case, Table};
use unionhall::clock::{Clock, Stopwatch, SystemClock};
use unionhall::platform::db::Engine;

const LINES: &str = "0190000000007000a800";
const GRANTS: &str = "0190000000007000f800";
/// Requests of one round, and connections.
const REQUESTS: usize = 200;
const CONNECTIONS: usize = 4;

struct Sizes {
    few: usize,
    some: usize,
    many: usize,
}

fn main() -> ExitCode {
    let smoke = knob("SMOKE", 0) > 0;
    let sizes = Sizes {
        few: 10_000,
        some: knob("SOME", if smoke { 50_000 } else { 1_000_000 }),
        many: knob("MANY", if smoke { 200_000 } else { 10_000_000 }),
    };
    let wanted = std::env::var("UNIONHALL_BENCH_CASES").unwrap_or_default();
    let wants = |case: &str| wanted.is_empty() || wanted.split(',').any(|one| one == case);
    let folder = tempfile::TempDir::with_prefix_in("unionhall-bench-", "/var/tmp").unwrap();
    let mut table = Table::default();
    if wants("sqlite") {
        let url = |name: &str| format!("sqlite://{}", folder.path().join(format!("{name}.db")).display());
        measure("SQLite", url, &sizes, folder.path(), &mut table);
    }
    if wants("postgres") {
        match Postgres::start_durable() {
            Ok(postgres) => {
                let url = |name: &str| postgres.create_template(name).unwrap();
                measure("PostgreSQL", url, &sizes, folder.path(), &mut table);
            }
            Err(missing) => println!("left out: PostgreSQL, because {missing}"),
        }
    }
    let missed = table.print();
    if missed > 0 && knob("STRICT", 0) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A ledger of so many lines, and an officer who may read everything.
fn lay(url: &str, lines: usize) -> Ground {
    let ground = Ground::lay(url, 1, 0);
    let now = text(SystemClock.now());
    let officer = blob(&Ground::person(0).0.simple().to_string()[..20], "n");
    let from = ", (SELECT id FROM organisations WHERE code = 'longgang') AS o";
    let values = format!("{}, {officer}, 'plan_officer', o.id, '{now}'", blob(GRANTS, "n"));
    ground.insert("staff_grants", 1, "id, person_id, role, organisation_id, granted_at", &values, from);
    // Every cell of the year has lines whatever their number: target by target, street by street, month by month.
    let months: Vec<String> = (1..=12).map(|n| format!("SELECT {n} AS n, '2025-{n:02}-01' AS day")).collect();
    let day = match ground.engine() {
        Engine::Postgres => "CAST(m.day AS DATE)",
        Engine::Sqlite => "m.day",
    };
    ground.sql(&format!(
        "CREATE TABLE bench_cells AS SELECT row_number() OVER (ORDER BY t.code, o.code, m.n) - 1 AS cell, t.id AS target_id, \
         o.id AS organisation_id, {day} AS day FROM targets AS t CROSS JOIN (SELECT * FROM organisations WHERE kind = 'sub_district' \
         OR code = 'longgang') AS o CROSS JOIN ({}) AS m",
        months.join(" UNION ALL ")
    ));
    ground.sql("CREATE UNIQUE INDEX bench_cells_cell ON bench_cells (cell)");
    let columns = "id, target_id, organisation_id, day, month, quantity, dedup_key, generation, is_reversal, source_kind, source_id, grade, \
                   recorded_at, cause";
    let values = format!(
        "{0}, c.target_id, c.organisation_id, c.day, c.day, 1, 'bench/' || (n + 100000000), 0, FALSE, 'attendance', {0}, 'B', '2025-12-31 00:00:00', 'new'",
        blob(LINES, "n")
    );
    let from = ", bench_cells AS c WHERE c.cell = n % (SELECT count(*) FROM bench_cells)";
    ground.insert("ledger_lines", lines, columns, &values, from);
    ground.sql(
        "INSERT INTO ledger_rollups (target_id, organisation_id, month, grade, quantity, lines) SELECT target_id, organisation_id, month, grade, \
         sum(quantity), count(*) FROM ledger_lines GROUP BY target_id, organisation_id, month, grade",
    );
    ground.analyse();
    ground
}

fn text(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// An officer of the district at a server.
struct Officer<'a> {
    ground: &'a Ground,
    site: Site,
}

impl Officer<'_> {
    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let token = self.ground.token(0);
        let key = SystemClock.now().timestamp_micros();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: bench-{key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, text) = load::once(self.site.address, &self.request(method, path, body));
        (status, serde_json::from_str(&text).unwrap())
    }

    /// Milliseconds a request.
    fn progress(&self) -> f64 {
        let request = self.request("GET", "/api/v1/plans/2025/progress", "");
        let outcome = load::run(&[self.site.address], vec![request], REQUESTS, CONNECTIONS);
        assert!(outcome.answers.iter().all(|one| one.status == 200), "{:?}", outcome.answers.first());
        1000.0 / outcome.a_second
    }
}

fn measure(engine: &str, url: impl Fn(&str) -> String, sizes: &Sizes, folder: &Path, table: &mut Table) {
    let absolute = |name: String, ours: Vec<f64>, bound: f64, unit| Case {
        name,
        reference: String::new(),
        ours,
        theirs: Vec::new(),
        floor: bound,
        aim: 0.0,
        unit,
    };
    let (few, many) = (lay(&url("few"), sizes.few), lay(&url("many"), sizes.many));
    let small = Officer { site: Site::start(&few.config, folder), ground: &few };
    let large = Officer { site: Site::start(&many.config, folder), ground: &many };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    small.progress();
    large.progress();
    for _ in 0..3 {
        ours.push(large.progress());
        theirs.push(small.progress());
    }
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    println!(
        "progress on {engine}: {ours:.1?} ms with {} lines, {theirs:.1?} ms with {}",
        sizes.many, sizes.few
    );
    let name = format!("progress of all targets, {} lines against {}, {engine}", sizes.many, sizes.few);
    table.add(absolute(name, ratios, 1.5, "×"));

    let mut pages = Vec::new();
    let streets = large.ask("GET", "/api/v1/organisations?kind=sub_district&limit=100", "").1;
    let mut paths = vec!["/api/v1/plans/2025/targets/07b/lines?limit=100".to_owned()];
    for street in streets["items"].as_array().unwrap() {
        paths.push(format!(
            "/api/v1/plans/2025/targets/07b/lines?limit=100&organisation={}",
            street["id"].as_str().unwrap()
        ));
    }
    let mut all: Vec<Vec<u8>> = Vec::new();
    for path in &paths {
        all.push(large.request("GET", path, ""));
        let mut cursor = large.ask("GET", path, "").1["next"].as_str().map(ToOwned::to_owned);
        for _ in 0..4 {
            let Some(next) = cursor else { break };
            let path = format!("{path}&cursor={next}");
            let (status, page) = large.ask("GET", &path, "");
            assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 100));
            all.push(large.request("GET", &path, ""));
            cursor = page["next"].as_str().map(ToOwned::to_owned);
        }
    }
    for _ in 0..3 {
        let outcome = load::run(&[large.site.address], all.clone(), 5 * all.len(), CONNECTIONS);
        assert!(outcome.answers.iter().all(|one| one.status == 200), "{:?}", outcome.answers.first());
        pages.push(outcome.p99.as_secs_f64() * 1000.0);
    }
    table.add(absolute(format!("p99 of a page of lines, {} lines, {engine}", sizes.many), pages, 50.0, "ms"));
    drop((small, large));

    // Not "some", which means something to PostgreSQL.
    let some = lay(&url("middle"), sizes.some);
    let officer = Officer { site: Site::start(&some.config, folder), ground: &some };
    let (mut took, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let watch = Stopwatch::start();
        let (status, asked) =
            officer.ask("POST", "/api/v1/plans/2025/reports", r#"{"kind":"figures","format":"xlsx"}"#);
        assert_eq!(status, 202, "{asked}");
        let path = format!("/api/v1/reports/{}", asked["id"].as_str().unwrap());
        loop {
            let (_, report) = officer.ask("GET", &path, "");
            if report["state"] == "ready" {
                assert!(report["bytes"].as_i64().unwrap() > 10_000, "{report}");
                break;
            }
            assert!(report["state"] != "failed" && watch.elapsed() < Duration::from_secs(120), "{report}");
            std::thread::sleep(Duration::from_millis(50));
        }
        took.push(watch.elapsed().as_secs_f64());
        memory.push(officer.site.memory().1);
    }
    table.add(absolute(format!("year's workbook, {} lines, {engine}", sizes.some), took, 10.0, "s"));
    table.add(absolute(format!("memory at its highest, {engine}"), memory, 300.0, "MiB"));
}
