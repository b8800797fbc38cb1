//! A hundred thousand open requests: how long the desk takes to show its queue, over HTTP with eight connections, on both engines.
//!
//! `cargo bench --bench desk` lays the requests, looks at every answer once (what is on the page, in which order, how much in all),
//! and then measures each question alone. It ends with a failure when an answer is wrong. The floor is a p99 of 50 ms.
//!
//! `UNIONHALL_BENCH_SMOKE=1` for small numbers; `UNIONHALL_BENCH_REVIEWS`, `_UNITS`, `_REQUESTS`, `_CONNECTIONS` for others;
//! `UNIONHALL_BENCH_CASES=sqlite` or `postgres` for one engine; `UNIONHALL_BENCH_STRICT=1` to fail below the floor.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench stops"
)]

#[path = "support/papers.rs"]
mod papers;
#[path = "../tests/it/harness/servers.rs"]
#[allow(dead_code, reason = "the bench needs a part of it")]
mod servers;
#[allow(dead_code, reason = "the bench needs a part of it")]
mod support;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use papers::{Officer, Paper, Papers};
use serde_json::Value;
use servers::Postgres;
use support::site::Site;
use support::{knob, load};

/// A page, as the queue gives it by default.
const PAGE: usize = 20;
/// Pages after the first that are asked for.
const PAGES: usize = 40;
/// The p99 that is not to be exceeded, in milliseconds.
const FLOOR: f64 = 50.0;

struct Sizes {
    reviews: usize,
    units: usize,
    requests: usize,
    connections: usize,
}

fn main() -> ExitCode {
    let smoke = knob("SMOKE", 0) > 0;
    let pick = |full, small| if smoke { small } else { full };
    let sizes = Sizes {
        reviews: knob("REVIEWS", pick(100_000, 3_000)),
        units: knob("UNITS", pick(330, 33)),
        requests: knob("REQUESTS", pick(2_000, 100)),
        connections: knob("CONNECTIONS", 8),
    };
    let wanted = std::env::var("UNIONHALL_BENCH_CASES").unwrap_or_default();
    let wants = |case: &str| wanted.is_empty() || wanted.split(',').any(|one| one == case);
    let folder = tempfile::TempDir::with_prefix_in("unionhall-bench-", "/var/tmp").unwrap();
    println!("{} open requests, {} units, {} connections", sizes.reviews, sizes.units, sizes.connections);
    println!(
        "| engine | question | found | p50 | p99 | floor | |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    let mut missed = 0;
    if wants("sqlite") {
        let url = format!("sqlite://{}", folder.path().join("desk.db").display());
        missed += measure("SQLite", &url, &sizes, folder.path());
    }
    if wants("postgres") {
        match Postgres::start_durable() {
            Ok(postgres) => {
                missed +=
                    measure("PostgreSQL", &postgres.create_template("desk").unwrap(), &sizes, folder.path());
            }
            Err(missing) => println!("left out: PostgreSQL, because {missing}"),
        }
    }
    if missed > 0 && knob("STRICT", 0) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A question to the queue.
struct Case {
    name: &'static str,
    officer: Officer,
    query: String,
    /// What it must find.
    finds: Box<dyn Fn(&Paper) -> bool>,
}

fn case(name: &'static str, officer: Officer, query: &str, finds: Box<dyn Fn(&Paper) -> bool>) -> Case {
    Case { name, officer, query: query.to_owned(), finds }
}

fn cases(papers: &Papers, street: &str) -> Vec<Case> {
    use Officer::{District, Street, Unit};
    let now = papers.now;
    let desk = |one: &Paper| !one.is_returned;
    let sought = *papers.with_phone();
    let name: String = format!("职工{}", sought.name()).bytes().map(|byte| format!("%{byte:02X}")).collect();
    let unit = Papers::unit(7 % papers.all.len());
    vec![
        case("first page, district", District, "", Box::new(desk)),
        case("first page, sub-district", Street, "", Box::new(desk)),
        case("first page, unit", Unit, "", Box::new(desk)),
        case("own", District, "&own=true", Box::new(move |one| desk(one) && one.level == 3)),
        case("own, sub-district", Street, "&own=true", Box::new(move |one| desk(one) && one.level == 2)),
        case("waits=applicant", District, "&waits=applicant", Box::new(|one| one.is_returned)),
        case("kind", District, "&kind=membership", Box::new(move |one| desk(one) && one.is_membership)),
        case(
            "claimed=mine",
            District,
            "&claimed=mine",
            Box::new(move |one| desk(one) && one.claimed == Some(District)),
        ),
        case(
            "claimed=nobody",
            District,
            "&claimed=nobody",
            Box::new(move |one| desk(one) && one.claimed.is_none()),
        ),
        case("urgency=red", District, "&urgency=red", Box::new(move |one| desk(one) && one.due <= now)),
        case(
            "urgency=amber",
            District,
            "&urgency=amber",
            Box::new(move |one| desk(one) && one.due > now && one.amber <= now),
        ),
        case("urgency=green", District, "&urgency=green", Box::new(move |one| desk(one) && one.amber > now)),
        case(
            "kind, green, nobody's",
            District,
            "&kind=signup&urgency=green&claimed=nobody",
            Box::new(move |one| desk(one) && !one.is_membership && one.amber > now && one.claimed.is_none()),
        ),
        case(
            "own, amber, mine",
            District,
            "&own=true&urgency=amber&claimed=mine",
            Box::new(move |one| {
                desk(one)
                    && one.level == 3
                    && one.due > now
                    && one.amber <= now
                    && one.claimed == Some(District)
            }),
        ),
        case(
            "one sub-district",
            District,
            &format!("&organisation={street}"),
            Box::new(move |one| desk(one) && one.is_seen_by(Street)),
        ),
        case(
            "one unit",
            District,
            &format!("&organisation={unit}"),
            Box::new(move |one| desk(one) && one.level == 1 && Papers::unit(one.unit) == unit),
        ),
        case(
            "by name",
            District,
            &format!("&q={name}"),
            Box::new(move |one| desk(one) && one.name() == sought.name()),
        ),
        case("by phone", District, &format!("&q={}", papers.phone), {
            Box::new(move |one| desk(one) && one.number == sought.number)
        }),
        case(
            "by id",
            District,
            &format!("&q={}", sought.id()),
            Box::new(move |one| desk(one) && one.number == sought.number),
        ),
        case("by a name of nobody", District, "&q=nobody-at-all", Box::new(|_| false)),
    ]
}

struct Client<'a> {
    papers: &'a Papers,
    address: SocketAddr,
}

impl Client<'_> {
    fn request(&self, officer: Officer, path: &str, more: &str) -> Vec<u8> {
        let token = self.papers.token(officer);
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
            .into_bytes()
    }

    fn get(&self, officer: Officer, path: &str) -> (String, Value) {
        let (status, body) = load::once(self.address, &self.request(officer, path, "Connection: close\r\n"));
        assert_eq!(status, 200, "{path}: {body}");
        let value = serde_json::from_str(&body).unwrap();
        (body, value)
    }
}

fn path(case: &Case, cursor: Option<&str>) -> String {
    let cursor = cursor.map(|next| format!("&cursor={next}")).unwrap_or_default();
    format!("/api/v1/reviews?limit={PAGE}{}{cursor}", case.query)
}

fn shown(page: &Value) -> Vec<String> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["review_id"].as_str().unwrap().to_owned())
        .collect()
}

fn measure(engine: &str, url: &str, sizes: &Sizes, folder: &std::path::Path) -> usize {
    let papers = Papers::lay(url, sizes.reviews, sizes.units);
    let site = Site::start(&papers.ground.config, folder);
    let client = Client { papers: &papers, address: site.address };
    let organisations = client.get(Officer::District, "/api/v1/organisations?kind=sub_district&limit=100").1;
    let pinghu =
        organisations["items"].as_array().unwrap().iter().find(|one| one["code"] == "street-pinghu").unwrap();
    let mut missed = 0;
    let mut add = |question: &str, found: usize, requests: Vec<Vec<u8>>, lengths: Vec<usize>| {
        let outcome = load::run(&[site.address], requests, sizes.requests, sizes.connections);
        for one in &outcome.answers {
            let length = lengths[one.number % lengths.len()];
            assert_eq!((one.status, one.length), (200, length), "{engine}, {question}: {one:?}");
        }
        let mut times: Vec<Duration> = outcome.answers.iter().map(|one| one.answered - one.sent).collect();
        times.sort_unstable();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let (p50, p99) = (milliseconds(times[times.len() / 2]), milliseconds(outcome.p99));
        let verdict = if p99 <= FLOOR { "" } else { "BELOW FLOOR" };
        missed += usize::from(p99 > FLOOR);
        println!(
            "| {engine} | {question} | {found} | {p50:.1} ms | {p99:.1} ms | ≤ {FLOOR} ms | {verdict} |"
        );
    };
    let all = cases(&papers, pinghu["id"].as_str().unwrap());
    for case in &all {
        let mut expected: Vec<&Paper> =
            papers.all.iter().filter(|one| one.is_seen_by(case.officer) && (case.finds)(one)).collect();
        expected.sort_by_key(|one| (one.due, one.stage()));
        let (body, page) = client.get(case.officer, &path(case, None));
        let first: Vec<String> = expected.iter().take(PAGE).map(|one| one.id().to_string()).collect();
        assert_eq!(shown(&page), first, "{engine}, {}", case.name);
        assert_eq!(page["next"].is_null(), expected.len() <= PAGE, "{engine}, {}", case.name);
        add(
            case.name,
            expected.len(),
            vec![client.request(case.officer, &path(case, None), "")],
            vec![body.len()],
        );
    }
    // The pages after the first, as somebody turns them.
    let case = &all[0];
    let mut expected: Vec<&Paper> = papers.all.iter().filter(|one| (case.finds)(one)).collect();
    expected.sort_by_key(|one| (one.due, one.stage()));
    let mut next = client.get(case.officer, &path(case, None)).1["next"].clone();
    let (mut requests, mut lengths) = (Vec::new(), Vec::new());
    for number in 1..=PAGES {
        let Some(cursor) = next.as_str() else { break };
        let path = path(case, Some(cursor));
        let (body, page) = client.get(case.officer, &path);
        let those: Vec<String> =
            expected.iter().skip(number * PAGE).take(PAGE).map(|one| one.id().to_string()).collect();
        assert_eq!(shown(&page), those, "{engine}, page {number}");
        requests.push(client.request(case.officer, &path, ""));
        lengths.push(body.len());
        next = page["next"].clone();
    }
    add("pages after the first", expected.len(), requests, lengths);
    for officer in [Officer::District, Officer::Street, Officer::Unit] {
        let path = "/api/v1/review-counts";
        let (body, board) = client.get(officer, path);
        let seen: Vec<&Paper> = papers.all.iter().filter(|one| one.is_seen_by(officer)).collect();
        check_counts(&board, &seen, papers.now);
        add(
            &format!("counts, {officer:?}"),
            seen.len(),
            vec![client.request(officer, path, "")],
            vec![body.len()],
        );
    }
    missed
}

/// Fails unless the board says how many there are of each kind, by whom they wait for and how urgent they are.
fn check_counts(board: &Value, seen: &[&Paper], now: chrono::DateTime<chrono::Utc>) {
    let mut expected = std::collections::BTreeMap::new();
    for one in seen {
        let kind = if one.is_membership { "membership" } else { "signup" };
        let waits = if one.is_returned { "applicant" } else { "desk" };
        let amber = if one.is_returned { one.due } else { one.amber };
        let urgency = if one.due <= now {
            "red"
        } else if amber <= now {
            "amber"
        } else {
            "green"
        };
        *expected.entry((kind, waits, urgency)).or_insert(0_i64) += 1;
    }
    let counts = board["counts"].as_array().unwrap();
    let text = |count: &Value, field: &str| count[field].as_str().unwrap().to_owned();
    let found: std::collections::BTreeMap<_, _> = counts
        .iter()
        .map(|count| {
            let key = (text(count, "kind"), text(count, "waits"), text(count, "urgency"));
            (key, count["number"].as_i64().unwrap())
        })
        .collect();
    let expected: std::collections::BTreeMap<_, _> = expected
        .into_iter()
        .map(|((kind, waits, urgency), number)| {
            ((kind.to_owned(), waits.to_owned(), urgency.to_owned()), number)
        })
        .collect();
    assert_eq!(found, expected);
}
