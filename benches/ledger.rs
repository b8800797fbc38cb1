//! How many lines a second `ledger verify` recounts, on both engines: every line is read, made again from its source and compared.
//!
//! `cargo bench --bench ledger` lays attendance that counts for two targets a person, has it counted as the door does, and recounts all
//! three times; anything that differs ends it with a failure. The floor is 200,000 lines/s.
//!
//! `UNIONHALL_BENCH_SMOKE=1` for small numbers; `UNIONHALL_BENCH_PEOPLE`, `_SESSIONS` for others; `UNIONHALL_BENCH_CASES=sqlite` or `postgres`
//! for one engine; `UNIONHALL_BENCH_STRICT=1` to fail below the floor.

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

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use servers::Postgres;
use support::ground::{Ground, id};
use support::knob;
use unionhall::app;
use unionhall::attendance::counting::{Attended, Counting};
use unionhall::attendance::model::{Attendance, CheckinMethod};
use unionhall::attendance::store;
use unionhall::clock::{Clock, SharedClock, Stopwatch, SystemClock, db_time};
use unionhall::ids::{ActivityId, AttendanceId, Ids, PersonId, SessionId, SystemEntropy};
use unionhall::ledger::model::{Cause, Grade};
use unionhall::offering::model::{AttendanceRole, Session, SessionState};
use unionhall::plan::counting::PlanCounting;
use unionhall::plan::verify::verify;
use unionhall::platform::db::Db;
use unionhall::platform::db::schema::{activities, people, programmes, sessions};

/// As the program has it, whose command this is.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lines a second.
const FLOOR: f64 = 200_000.0;

fn main() -> ExitCode {
    let smoke = knob("SMOKE", 0) > 0;
    let people = knob("PEOPLE", if smoke { 200 } else { 5_000 });
    let number = knob("SESSIONS", if smoke { 4 } else { 60 });
    let wanted = std::env::var("UNIONHALL_BENCH_CASES").unwrap_or_default();
    let wants = |case: &str| wanted.is_empty() || wanted.split(',').any(|one| one == case);
    let folder = tempfile::TempDir::with_prefix_in("unionhall-bench-", "/var/tmp").unwrap();
    println!("{number} sessions, {people} people at each");
    println!("| engine | lines | min / median / max, lines/s | floor | |\n| --- | --- | --- | --- | --- |");
    let mut missed = 0;
    if wants("sqlite") {
        let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
        missed += measure("SQLite", &url, people, number);
    }
    if wants("postgres") {
        match Postgres::start_durable() {
            Ok(postgres) => {
                let url = postgres.create_template("ledger").unwrap();
                missed += measure("PostgreSQL", &url, people, number);
            }
            Err(missing) => println!("left out: PostgreSQL, because {missing}"),
        }
    }
    if missed > 0 && knob("STRICT", 0) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(engine: &str, url: &str, people: usize, number: usize) -> usize {
    let ground = Ground::lay(url, people, 0);
    let db = app::open_database(&ground.config).unwrap();
    lay(&db, people, number);
    ground.analyse();
    let mut rates: Vec<f64> = Vec::new();
    let mut lines = 0;
    for _ in 0..3 {
        let watch = Stopwatch::start();
        let report = db.snapshot_blocking(|conn| verify(conn, |_| {})).unwrap();
        assert_eq!(report.differences, [], "what was counted is what there is");
        lines = report.lines;
        rates.push(lines as f64 / watch.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let fine = rates[1] >= FLOOR;
    let mark = if fine { "" } else { "missed" };
    println!(
        "| {engine} | {lines} | {:.0} / {:.0} / {:.0} | {FLOOR:.0} | {mark} |",
        rates[0], rates[1], rates[2]
    );
    usize::from(!fine)
}

/// Sessions of a training for riders, and everybody at each of them.
fn lay(db: &Db, people_there: usize, number: usize) {
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Ids::new(Arc::clone(&clock), Arc::new(SystemEntropy));
    let counting = PlanCounting::new(Arc::clone(&clock), ids.clone(), Duration::ZERO);
    let now = SystemClock.now();
    let activity: ActivityId = db
        .write_blocking(|conn| {
            let query = activities::table.inner_join(programmes::table);
            let found: Option<ActivityId> = query
                .filter(programmes::code.eq("demo-skills-rider"))
                .select(activities::id)
                .first(conn)
                .optional()?;
            Ok(found.expect("the demonstration has a training for riders"))
        })
        .unwrap();
    let by: PersonId = db.read_blocking(|conn| Ok(people::table.select(people::id).first(conn)?)).unwrap();
    for place in 0..number {
        let starts = now - TimeDelta::hours(2 * place as i64 + 3);
        let session: SessionId = ids.id();
        db.write_blocking(|conn| {
            let row = Session {
                id: session,
                activity_id: activity,
                number: 1000 + place as i64,
                starts_at: db_time(starts),
                ends_at: db_time(starts + TimeDelta::hours(1)),
                state: SessionState::Planned,
                state_reason: None,
                held: None,
                present: people_there as i64,
                finalised_at: None,
                finalised_by: None,
                reopened_at: None,
                version: 1,
            };
            diesel::insert_into(sessions::table).values(&row).execute(conn)?;
            for some in (0..people_there).collect::<Vec<_>>().chunks(1000) {
                let rows: Vec<Attendance> = some
                    .iter()
                    .map(|person| Attendance {
                        id: ids.id::<AttendanceId>(),
                        session_id: session,
                        person_id: PersonId(id("01900000000070008000", *person)),
                        signup_id: None,
                        role: AttendanceRole::Participant,
                        method: CheckinMethod::StaffScan,
                        grade: Grade::B,
                        checked_in_at: db_time(starts),
                        checked_in_by: by,
                        left_at: None,
                        scan_id: None,
                        voided_at: None,
                        voided_because: None,
                    })
                    .collect();
                store::insert_in_tx(conn, &rows)?;
                let attended: Vec<Attended> = rows
                    .iter()
                    .map(|row| Attended {
                        attendance: row.id,
                        person: row.person_id,
                        workplace: None,
                        activity,
                        starts_at: starts,
                        role: row.role,
                        counts: true,
                        grade: row.grade,
                        cause: Cause::New,
                    })
                    .collect();
                counting.attended_in_tx(conn, &attended)?;
            }
            Ok(())
        })
        .unwrap();
    }
}
