//! The door: check-ins with a signal and without, over HTTP, on the full path (token, pass, idempotency, attendance, ledger lines and
//! roll-ups, audit), against references of the same run.
//!
//! `cargo bench --bench door` prints ratios and ends with a failure when an outcome is wrong: everybody is present once, every scan is
//! kept, and the ledger counts as many. SQLite runs with synchronous=FULL, PostgreSQL with fsync. `UNIONHALL_BENCH_SMOKE=1` for small
//! numbers; `UNIONHALL_BENCH_CASES=postgres` for one engine; `UNIONHALL_BENCH_STRICT=1` to fail below a floor.

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

use std::path::Path;
use std::process::ExitCode;

use bare::Bare;
use chrono::TimeDelta;
use diesel::prelude::*;
use rounds::Rounds;
use servers::Postgres;
use support::ground::{Ground, blob, id, text};
use support::knob;
use support::load;
use support::site::Site;
use support::table::{Case, Table};
use unionhall::attendance::offline::bundle::{self, Token};
use unionhall::attendance::offline::devices::DeviceKeys;
use unionhall::attendance::pass::Passes;
use unionhall::clock::{Clock, SystemClock};
use unionhall::ids::{ActivityId, DeviceId, SessionId};
use unionhall::platform::db::schema::{attendances, scans, sessions};

const SIGNUPS: &str = "0190000000007000e000";
const GRANTS: &str = "0190000000007000f000";
const DEVICES: &str = "01900000000070001000";
/// Staff who scan, and phones without a signal.
const STAFF: usize = 64;
const PHONES: usize = 20;

struct Sizes {
    rounds: usize,
    /// Who come to one session.
    people: usize,
    pgbench_seconds: usize,
}

fn main() -> ExitCode {
    let smoke = knob("SMOKE", 0) > 0;
    let pick = |full, small| if smoke { small } else { full };
    let sizes = Sizes {
        rounds: knob("ROUNDS", 3).max(3),
        people: knob("PEOPLE", pick(10_000, 1_000)),
        pgbench_seconds: pick(3, 1),
    };
    let wanted = std::env::var("UNIONHALL_BENCH_CASES").unwrap_or_default();
    let wants = |case: &str| wanted.is_empty() || wanted.split(',').any(|one| one == case);
    let folder = tempfile::TempDir::with_prefix_in("unionhall-bench-", "/var/tmp").unwrap();
    let mut table = Table::default();
    if wants("sqlite") {
        let url = format!("sqlite://{}", folder.path().join("door.db").display());
        door(&url, "SQLite", &sizes, folder.path(), &mut table, None);
    }
    match Postgres::start_durable() {
        _ if !wants("postgres") => {}
        Ok(postgres) => {
            let url = postgres.create_template("door").unwrap();
            let bare = Bare::lay(&postgres);
            door(&url, "PostgreSQL", &sizes, folder.path(), &mut table, Some(&bare));
        }
        Err(missing) => println!("left out: PostgreSQL, because {missing}"),
    }
    let missed = table.print();
    if missed > 0 && knob("STRICT", 0) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn door(url: &str, engine: &str, sizes: &Sizes, folder: &Path, table: &mut Table, bare: Option<&Bare<'_>>) {
    let Sizes { rounds, people, pgbench_seconds } = *sizes;
    let all = 3 * rounds * people;
    let ground = Ground::lay(url, all + STAFF, 2);
    let door = Gathering { ground, people, all };
    door.staff();
    door.ground.analyse();
    let site = Site::start(&door.ground.config, folder);
    let (mut single, mut batches, mut theirs) = (Rounds::default(), Rounds::default(), Vec::new());
    let mut few = Rounds::default();
    for round in 0..rounds {
        let [seen, unseen, by_few] = [0, 1, 2].map(|part| (3 * round + part) * people);
        theirs.extend(bare.map(|bare| bare.best(pgbench_seconds)));
        let (activity, session) = door.session(seen);
        let outcome = load::run(&[site.address], door.scans(session, seen), people, STAFF);
        all_answered(&outcome);
        single.add(&outcome);
        door.judge(activity, session);
        // As many phones as those without a signal: what differs is that they ask for one person at a time.
        let (activity, session) = door.session(by_few);
        let outcome = load::run(&[site.address], door.scans(session, by_few), people, PHONES);
        all_answered(&outcome);
        few.add(&outcome);
        door.judge(activity, session);
        let (activity, session) = door.session(unseen);
        let uploads = door.uploads(session, unseen);
        let count = uploads.len();
        let mut outcome = load::run(&[site.address], uploads, count, PHONES);
        all_answered(&outcome);
        outcome.a_second *= people as f64 / count as f64;
        batches.add(&outcome);
        door.judge(activity, session);
    }
    let case = |name: String, reference: &str, ours: Vec<f64>, theirs: Vec<f64>, floor, aim, unit| Case {
        name,
        reference: reference.into(),
        ours,
        theirs,
        floor,
        aim,
        unit,
    };
    if bare.is_some() {
        let name = format!("check-ins on {engine}, {STAFF} scanning staff");
        table.add(case(name, "pgbench", single.rates.clone(), theirs, 3.0, 8.0, "/s"));
    }
    table.add(case(format!("p99 of a scan, {engine}"), "", single.p99, Vec::new(), 100.0, 40.0, "ms"));
    let name = format!("{people} offline scans in batches of 500, {PHONES} devices, {engine}");
    table.add(case(name, "single scans from 20 devices", batches.rates.clone(), few.rates, 5.0, 20.0, "/s"));
    let name = format!("the same on {engine}");
    table.add(case(name, "single scans of 64 staff", batches.rates, single.rates, 1.0, 5.0, "/s"));
}

/// Whatever is refused here is a fault of the bench or of the server.
fn all_answered(outcome: &load::Outcome) {
    let refused = outcome.answers.iter().find(|one| one.status != 200);
    assert!(refused.is_none(), "{refused:?}");
}

/// People with places, and a door.
struct Gathering {
    ground: Ground,
    /// Who come to one session. Each session has its own: somebody who is seen at two sessions of one time is a matter for the desk.
    people: usize,
    /// How many there are, without the staff.
    all: usize,
}

impl Gathering {
    /// The last of the people scan, over the whole district; phones are enrolled.
    fn staff(&self) {
        let now = text(SystemClock.now());
        let person = blob(&Ground::person(0).0.simple().to_string()[..20], &format!("(n + {})", self.all));
        let from = ", (SELECT id FROM organisations WHERE code = 'longgang') AS o";
        let values = format!("{}, {person}, 'checkin_staff', o.id, '{now}'", blob(GRANTS, "n"));
        self.ground.insert(
            "staff_grants",
            STAFF,
            "id, person_id, role, organisation_id, granted_at",
            &values,
            from,
        );
        let values = format!("{}, o.id, 'phone ' || n, {person}, '{now}', 1", blob(DEVICES, "n"));
        let columns = "id, organisation_id, name, enrolled_by, enrolled_at, version";
        self.ground.insert("devices", PHONES, columns, &values, from);
    }

    /// A session that begins now, for which `people` people from the number `first` on have a place.
    fn session(&self, first: usize) -> (ActivityId, SessionId) {
        let activity = self.ground.activity_at(self.people, SystemClock.now(), self.people);
        let prefix = &activity.0.simple().to_string()[..20];
        let session = SessionId(id(&format!("01b0{}", &prefix[4..]), 0));
        let now = text(SystemClock.now());
        let signups = format!("{}{}", &SIGNUPS[..8], &prefix[8..]);
        let person = blob(&Ground::person(0).0.simple().to_string()[..20], &format!("(n + {first})"));
        let values = format!(
            "{}, {}, {person}, 'confirmed', n + 1, 0, 'participant', '{now}', 1",
            blob(&signups, "n"),
            blob(prefix, "0")
        );
        let columns = "id, activity_id, person_id, state, number, priority, role, created_at, version";
        self.ground.insert("signups", self.people, columns, &values, "");
        let staff = blob(&Ground::person(0).0.simple().to_string()[..20], &self.all.to_string());
        let place = blob(&format!("01b0{}", &prefix[4..]), "0");
        let values = format!("{}, {place}, 'scan', {staff}, '{now}'", blob(DEVICES, "n"));
        let columns = "device_id, session_id, role, granted_by, granted_at";
        self.ground.insert("device_grants", PHONES, columns, &values, "");
        (activity, session)
    }

    fn passes(&self) -> Passes {
        Passes::new(self.ground.config.codes.pass_secret.clone())
    }

    /// A request for everybody's pass, by one of the staff each.
    fn scans(&self, session: SessionId, first: usize) -> Vec<Vec<u8>> {
        let (passes, now) = (self.passes(), SystemClock.now());
        let tokens: Vec<String> = (0..STAFF).map(|n| self.ground.token(self.all + n)).collect();
        (0..self.people)
            .map(|n| {
                let body = format!("{{\"pass\":\"{}\"}}", passes.show(Ground::person(first + n), now).0);
                let head = format!(
                    "POST /api/v1/sessions/{session}/checkins HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
                     Idempotency-Key: bench-{session}-{n}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    tokens[n % STAFF],
                    body.len()
                );
                [head, body].concat().into_bytes()
            })
            .collect()
    }

    /// Everybody's pass as twenty phones scanned them, 500 an upload.
    fn uploads(&self, session: SessionId, first: usize) -> Vec<Vec<u8>> {
        let (passes, now) = (self.passes(), SystemClock.now());
        let keys = DeviceKeys::new(self.ground.config.codes.pass_secret.clone());
        let expires_at = now + TimeDelta::hours(9);
        let people: Vec<usize> = (0..self.people).collect();
        people
            .chunks(500)
            .enumerate()
            .map(|(upload, some)| {
                let phone = upload % PHONES;
                let device = DeviceId(id(DEVICES, phone));
                let token = Token { device, session, issued_at: now, expires_at }.write(&keys);
                let scans: Vec<String> = some
                    .iter()
                    .map(|n| {
                        let pass = passes.show(Ground::person(first + n), now).0;
                        let name = uuid::Uuid::from_u128(session.0.as_u128() ^ (*n as u128 + 1));
                        format!(r#"{{"id":"{name}","seq":{},"at":"{}","pass":"{pass}"}}"#, n + 1, now.to_rfc3339())
                    })
                    .collect();
                let body = format!(
                    r#"{{"token":"{token}","device_now":"{}","scans":[{}]}}"#,
                    now.to_rfc3339(),
                    scans.join(",")
                );
                let signature = bundle::sign(&keys.of(device), body.as_bytes());
                let head = format!(
                    "POST /api/v1/devices/{device}/uploads HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
                     X-Device-Signature: {signature}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    self.ground.token(self.all + phone),
                    body.len()
                );
                [head, body].concat().into_bytes()
            })
            .collect()
    }

    /// Fails unless everybody is present once and every scan is kept.
    fn judge(&self, activity: ActivityId, session: SessionId) {
        let people = i64::try_from(self.people).unwrap();
        let (present, kept, counted) = self.ground.read(move |conn| {
            let present: i64 =
                attendances::table.filter(attendances::session_id.eq(session)).count().get_result(conn)?;
            let kept: i64 = scans::table.filter(scans::session_id.eq(session)).count().get_result(conn)?;
            let counted: i64 = sessions::table.find(session).select(sessions::present).first(conn)?;
            Ok((present, kept, counted))
        });
        assert_eq!((present, kept, counted), (people, people, people), "{activity}");
    }
}
