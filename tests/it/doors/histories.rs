//! I6 over generated histories: whatever the order of uploads, however they are split and repeated, the same people are present, the
//! same conflicts are at the desk, every scan has the same outcome, and the ledger says the same.
//!
//! Each history is told twice, each time in a transaction of its own that is rolled back: once as the phones scanned, and once in pieces,
//! shuffled, repeated and half-sent. `UNIONHALL_HISTORIES=20000` for more: nearly all of the time goes into code that a debug build does not
//! optimise, so `cargo test --release --test it -- sqlite::doors::histories`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use unionhall::attendance::entering::Entrance;
use unionhall::attendance::model::{CheckinMethod, Direction, ScanOutcome};
use unionhall::attendance::offline::uploading::{Settler, Told, Upload};
use unionhall::clock::{SharedClock, db_time};
use unionhall::content::checking::Checks;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{ActivityId, DeviceId, OrganisationId, PersonId, SessionId};
use unionhall::ids::{SignupId, TargetId};
use unionhall::notify::beside::Beside;
use unionhall::offering::model::{Activity, SessionState};
use unionhall::plan::counting::PlanCounting;
use unionhall::platform::db::schema::{
    activities, attendances, checkin_conflicts, device_grants, devices, ledger_rollups, scans, sessions,
    signups,
};
use unionhall::platform::db::{Conn, Engine};
use unionhall::review::deciding::Desk;
use unionhall::review::subject::Subjects;
use unionhall::signup::model::{Signup, SignupState};
use uuid::Uuid;

use crate::harness::factory::Made;
use crate::harness::{Test, TestApp};

const PARTS: u64 = 4;

macro_rules! parts {
    ($($name:ident = $part:expr),*) => {
        pub const TESTS: &[Test] = tests![$($name),*];
        $(async fn $name(app: TestApp) {
            order_makes_no_difference(app, $part).await;
        })*
    };
}

parts!(
    order_makes_no_difference_1 = 0,
    order_makes_no_difference_2 = 1,
    order_makes_no_difference_3 = 2,
    order_makes_no_difference_4 = 3
);

const PEOPLE: usize = 7;
const PHONES: usize = 3;
/// How many the first room holds.
const ROOM: usize = 3;

/// The decision itself is tried 20,000 times over, in `settling`; here it is what is kept that counts.
fn histories(engine: Engine) -> u64 {
    let wanted = std::env::var("UNIONHALL_HISTORIES").ok().and_then(|n| n.parse().ok());
    wanted.unwrap_or(if engine == Engine::Sqlite { 400 } else { 500 })
}

/// The ground on which all histories of a test are told.
struct Place {
    activities: Vec<Activity>,
    sessions: Vec<SessionId>,
    people: Vec<PersonId>,
    operator: PersonId,
    organisation: OrganisationId,
    settler: Settler,
    start: DateTime<Utc>,
}

/// What is kept at the end, without ids that are made on the way.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    present: Vec<(SessionId, PersonId, NaiveDateTime, Option<NaiveDateTime>)>,
    conflicts: Vec<(SessionId, PersonId, String, String)>,
    outcomes: Vec<(Vec<u8>, ScanOutcome)>,
    scanned: Vec<(SessionId, Option<PersonId>, ScanOutcome)>,
    figures: Vec<(TargetId, OrganisationId, NaiveDate, i64)>,
    counted: Vec<(SessionId, i64)>,
    states: Vec<(SignupId, SignupState)>,
}

async fn order_makes_no_difference(app: TestApp, part: u64) {
    let hours = TimeDelta::hours;
    // Two rooms at the same time, the first of them small, and one later that may be called off.
    let mut made: Vec<Made> = Vec::new();
    for (capacity, from, until) in [(ROOM, 1, 4), (50, 2, 5), (50, 6, 8)] {
        let capacity = i64::try_from(capacity).unwrap();
        let times = [(hours(from), hours(until))];
        made.push(app.activity(|a| a.capacity(capacity).sessions(&times).signup(hours(-1), hours(1))).await);
    }
    let ids: Vec<ActivityId> = made.iter().map(|one| one.id).collect();
    let rows: Vec<Activity> = app
        .read(move |c| {
            let mut rows: Vec<Activity> = activities::table
                .filter(activities::id.eq_any(&ids))
                .select(Activity::as_select())
                .load(c)?;
            rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
            Ok(rows)
        })
        .await;
    let platform = app.app().platform();
    let clock: SharedClock = Arc::clone(&platform.clock);
    let counting = Arc::new(PlanCounting::new(Arc::clone(&clock), app.ids().clone(), Duration::from_secs(1)));
    let entrance = Entrance::new(Arc::clone(&clock), app.ids().clone(), counting, Duration::from_secs(1));
    let desk = Desk {
        clock,
        ids: app.ids().clone(),
        vault: platform.vault.clone(),
        subjects: Subjects::default(),
        checks: Checks::off(app.ids().clone()),
    };
    let place = Place {
        sessions: made.iter().map(|one| one.session).collect(),
        people: crate::signup::crowd_ids(&app, PEOPLE).await,
        operator: app.staff("gate").await.person(),
        organisation: app.organisation("street-pinghu").await,
        settler: Settler { entrance, desk },
        start: app.now(),
        activities: rows,
    };
    let (db, number) = (app.db().clone(), histories(app.engine()));
    let met = tokio::task::spawn_blocking(move || {
        let mut met: BTreeMap<String, u64> = BTreeMap::new();
        for seed in (0..number).filter(|seed| seed % PARTS == part) {
            let history = History::make(&place, seed);
            let told: Vec<Kept> = [false, true]
                .into_iter()
                .map(|in_pieces| {
                    let mut kept = None;
                    let rolled_back = db.write_blocking(|conn| {
                        kept = Some(history.tell(conn, &place, seed, in_pieces)?);
                        Err::<(), Error>(Error::new(Code::Conflict))
                    });
                    let error = rolled_back.unwrap_err();
                    assert_eq!(error.code(), Code::Conflict, "seed {seed}: {error}");
                    kept.unwrap()
                })
                .collect();
            assert_eq!(told[0], told[1], "seed {seed}: {history:#?}");
            for (_, outcome) in &told[0].outcomes {
                *met.entry(outcome.to_string()).or_default() += 1;
            }
            for (_, _, reason, _) in &told[0].conflicts {
                *met.entry(reason.clone()).or_default() += 1;
            }
        }
        met
    })
    .await
    .unwrap();
    for what in [
        "accepted",
        "duplicate",
        "conflict",
        "left",
        "not_signed_up",
        "not_present",
        "bundle_expired",
        "not_open",
        "two_places",
        "full",
        "signup_cancelled",
        "session_cancelled",
        "clock",
    ] {
        // A few histories need not meet everything.
        assert!(
            number < 2_000 || met.get(what).is_some_and(|times| *times > 0),
            "{what} never happened: {met:?}"
        );
    }
}

/// What happened, and what the phones saw of it.
#[derive(Debug)]
struct History {
    signups: Vec<Signup>,
    called_off: bool,
    seen: Vec<(usize, PersonId, i64)>,
    uploads: Vec<(usize, usize, Vec<Told>)>,
}

impl History {
    fn make(place: &Place, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut signups = Vec::new();
        for activity in &place.activities {
            let mut number = activity.numbered;
            for person in &place.people {
                let state = match rng.random_range(0..10) {
                    0..7 => SignupState::Confirmed,
                    7..9 => SignupState::Cancelled,
                    _ => continue,
                };
                number += 1;
                let id = SignupId(Uuid::from_u128(rng.random()));
                let cancelled = place.start + TimeDelta::minutes(rng.random_range(30..400));
                signups.push(Signup {
                    cancelled_at: (state == SignupState::Cancelled).then(|| db_time(cancelled)),
                    ..Signup::new(id, activity.id, *person, state, number, place.start)
                });
            }
        }
        let mut uploads = Vec::new();
        let mut seq = [0_i64; PHONES];
        for (phone, seq) in seq.iter_mut().enumerate() {
            for session in 0..place.sessions.len() {
                // A phone is not at every door.
                if rng.random_bool(0.6) {
                    continue;
                }
                let scans = (0..rng.random_range(1..6)).map(|_| {
                    *seq += 1;
                    scan(&mut rng, place, *seq)
                });
                uploads.push((phone, session, scans.collect::<Vec<_>>()));
            }
        }
        let seen = (0..rng.random_range(0..3))
            .map(|_| {
                (rng.random_range(0..2), *place.people.choose(&mut rng).unwrap(), rng.random_range(60..200))
            })
            .collect();
        Self { signups, called_off: rng.random_bool(0.3), seen, uploads }
    }

    /// Tells it, as the phones scanned or in pieces, and says what is kept.
    fn tell(&self, conn: &mut Conn, place: &Place, seed: u64, in_pieces: bool) -> Result<Kept> {
        let phones: Vec<DeviceId> =
            (0..PHONES).map(|n| DeviceId(Uuid::from_u128(1000 + n as u128))).collect();
        self.begin_in_tx(conn, place, &phones)?;
        let mut pieces: Vec<(usize, usize, Vec<Told>)> = Vec::new();
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        for (phone, session, scans) in &self.uploads {
            if !in_pieces {
                pieces.push((*phone, *session, scans.clone()));
                continue;
            }
            let mut scans = scans.clone();
            scans.shuffle(&mut rng);
            let at = if rng.random_bool(0.6) { rng.random_range(0..=scans.len()) } else { 0 };
            let (one, other) = scans.split_at(at);
            for piece in [one.to_vec(), other.to_vec()] {
                if piece.is_empty() {
                    continue;
                }
                // Half of it came through before the line broke; later all of it comes again.
                if rng.random_bool(0.3) {
                    pieces.push((*phone, *session, piece[..piece.len().div_ceil(2)].to_vec()));
                }
                pieces.push((*phone, *session, piece));
            }
        }
        if in_pieces {
            pieces.shuffle(&mut rng);
            let again: Vec<_> = pieces.iter().filter(|_| rng.random_bool(0.2)).cloned().collect();
            pieces.extend(again);
        }
        let now = place.start + TimeDelta::hours(9);
        for (phone, session, scans) in pieces {
            let upload = Upload {
                device: phones[phone],
                session: place.sessions[session],
                operator: place.operator,
                scans,
            };
            let mut beside = Beside::default();
            let outcomes = place.settler.upload_in_tx(conn, &upload, now, &mut beside)?;
            // Messages and the audit chain, which `beside` would write, are no part of what is compared.
            assert_eq!(outcomes.len(), upload.scans.len(), "an outcome for every scan");
        }
        let kept = kept(conn, place)?;
        self.judge(&kept, place, seed);
        Ok(kept)
    }

    /// What holds whatever the order: who has cancelled, and who was where nothing took place, is present at most by a decision of the desk,
    /// of which there is none here; and of every conflict the desk is told.
    fn judge(&self, kept: &Kept, place: &Place, seed: u64) {
        for (session, person, ..) in &kept.present {
            let number = place.sessions.iter().position(|one| one == session).unwrap();
            assert!(
                !(self.called_off && number == 2),
                "seed {seed}: present at a session that was called off"
            );
            let activity = place.activities[number].id;
            let cancelled = self.signups.iter().any(|row| {
                (row.activity_id, row.person_id, row.state) == (activity, *person, SignupState::Cancelled)
            });
            assert!(!cancelled, "seed {seed}: {person} has cancelled and is present");
        }
        let there = |number: usize| {
            let session = place.sessions[number];
            kept.present.iter().filter(move |(at, ..)| *at == session)
        };
        assert!(there(0).count() <= ROOM, "seed {seed}: more than the room holds");
        for (_, person, from, left) in there(0) {
            let seen = self.seen.iter().filter(|(_, who, _)| who == person).count();
            let until = left.unwrap_or_else(|| db_time(place.start + TimeDelta::hours(4)));
            let other = there(1).find(|(_, who, ..)| who == person);
            let Some((.., begin, end)) = other.filter(|_| seen < 2) else { continue };
            let end = end.unwrap_or_else(|| db_time(place.start + TimeDelta::hours(5)));
            assert!(until <= *begin || end <= *from, "seed {seed}: {person} is in two places at once");
        }
        let told: BTreeSet<(SessionId, PersonId)> =
            kept.conflicts.iter().map(|(session, person, ..)| (*session, *person)).collect();
        for (session, person, outcome) in &kept.scanned {
            let reported = person.is_some_and(|person| told.contains(&(*session, person)));
            assert!(
                *outcome != ScanOutcome::Conflict || reported,
                "seed {seed}: a conflict of {person:?} is not told"
            );
        }
    }

    fn begin_in_tx(&self, conn: &mut Conn, place: &Place, phones: &[DeviceId]) -> Result<()> {
        for row in &self.signups {
            diesel::insert_into(signups::table).values(row).execute(conn)?;
        }
        for (n, phone) in phones.iter().enumerate() {
            diesel::insert_into(devices::table)
                .values((
                    devices::id.eq(phone),
                    devices::organisation_id.eq(place.organisation),
                    devices::name.eq(format!("phone {n}")),
                    devices::enrolled_by.eq(place.operator),
                    devices::enrolled_at.eq(db_time(place.start)),
                    devices::version.eq(1_i64),
                ))
                .execute(conn)?;
            for session in &place.sessions {
                diesel::insert_into(device_grants::table)
                    .values((
                        device_grants::device_id.eq(phone),
                        device_grants::session_id.eq(session),
                        device_grants::role.eq("scan"),
                        device_grants::granted_by.eq(place.operator),
                        device_grants::granted_at.eq(db_time(place.start)),
                    ))
                    .execute(conn)?;
            }
        }
        for (session, person, minute) in &self.seen {
            self.see_in_tx(conn, place, *session, *person, *minute)?;
        }
        if self.called_off {
            diesel::update(sessions::table.find(place.sessions[2]))
                .set(sessions::state.eq(SessionState::Cancelled))
                .execute(conn)?;
        }
        Ok(())
    }

    /// Somebody was scanned with a signal.
    fn see_in_tx(
        &self,
        conn: &mut Conn,
        place: &Place,
        session: usize,
        person: PersonId,
        minute: i64,
    ) -> Result<()> {
        use unionhall::attendance::entering::{Candidate, Entered, Left};
        let (row, found) = unionhall::offering::store::session_get(conn, place.sessions[session])?;
        let at = place.start + TimeDelta::minutes(minute);
        let candidate = Candidate {
            person,
            method: CheckinMethod::StaffScan,
            distance: None,
            at,
            by: place.operator,
            unregistered: None,
            scan: None,
            decided: false,
        };
        let mut left = Left::default();
        let entrance = &place.settler.entrance;
        let entered = entrance.enter_in_tx(conn, &row, &found.activity, &[candidate], &mut left)?;
        left.count_in_tx(conn, entrance.counting.as_ref())?;
        let outcome = match &entered[0] {
            Entered::Present { fresh: true, .. } => ScanOutcome::Accepted,
            Entered::Present { .. } => ScanOutcome::Duplicate,
            Entered::Refused { why, .. } => *why,
        };
        diesel::insert_into(scans::table)
            .values((
                scans::id.eq(entrance.ids.id::<unionhall::ids::ScanId>()),
                scans::session_id.eq(row.id),
                scans::person_id.eq(person),
                scans::operator_id.eq(place.operator),
                scans::direction.eq(Direction::In),
                scans::method.eq(CheckinMethod::StaffScan),
                scans::outcome.eq(outcome),
                scans::happened_at.eq(db_time(at)),
                scans::received_at.eq(db_time(at)),
                scans::clock_off.eq(false),
            ))
            .execute(conn)?;
        Ok(())
    }
}

fn scan(rng: &mut StdRng, place: &Place, seq: i64) -> Told {
    let out = rng.random_bool(0.2);
    // Few instants, so that some scans are of the same one.
    let minute = if rng.random_bool(0.05) { 2_000 } else { rng.random_range(5..35) * 12 };
    Told {
        client: Uuid::from_u128(rng.random()),
        seq,
        direction: if out { Direction::Out } else { Direction::In },
        at: place.start + TimeDelta::minutes(minute),
        clock_off: rng.random_bool(0.1),
        person: Some(*place.people.choose(rng).unwrap()),
        code_hash: None,
        digest: rng.random::<[u8; 8]>().to_vec(),
        refused: rng.random_bool(0.05).then_some(ScanOutcome::BundleExpired),
    }
}

fn kept(conn: &mut Conn, place: &Place) -> Result<Kept> {
    let mut present: Vec<(SessionId, PersonId, NaiveDateTime, Option<NaiveDateTime>)> = attendances::table
        .filter(attendances::voided_at.is_null())
        .select((
            attendances::session_id,
            attendances::person_id,
            attendances::checked_in_at,
            attendances::left_at,
        ))
        .load(conn)?;
    present.sort();
    let mut conflicts: Vec<(SessionId, PersonId, String, String)> = checkin_conflicts::table
        .filter(checkin_conflicts::state.eq("open"))
        .select((
            checkin_conflicts::session_id,
            checkin_conflicts::person_id,
            checkin_conflicts::reason,
            checkin_conflicts::proposed,
        ))
        .load(conn)?;
    conflicts.sort();
    let outcomes: Vec<(Option<Vec<u8>>, ScanOutcome)> = scans::table
        .filter(scans::client_id.is_not_null())
        .select((scans::client_id, scans::outcome))
        .load(conn)?;
    let mut outcomes: Vec<(Vec<u8>, ScanOutcome)> =
        outcomes.into_iter().map(|(client, outcome)| (client.unwrap(), outcome)).collect();
    outcomes.sort();
    let mut figures: Vec<(TargetId, OrganisationId, NaiveDate, i64)> = ledger_rollups::table
        .filter(ledger_rollups::quantity.ne(0))
        .select((
            ledger_rollups::target_id,
            ledger_rollups::organisation_id,
            ledger_rollups::month,
            ledger_rollups::quantity,
        ))
        .load(conn)?;
    figures.sort();
    let mut counted: Vec<(SessionId, i64)> = sessions::table
        .filter(sessions::id.eq_any(&place.sessions))
        .select((sessions::id, sessions::present))
        .load(conn)?;
    counted.sort();
    for (session, count) in &counted {
        let there = present.iter().filter(|(at, ..)| at == session).count();
        assert_eq!(i64::try_from(there).unwrap(), *count, "the count of a session is of those who are there");
    }
    let mut scanned: Vec<(SessionId, Option<PersonId>, ScanOutcome)> = scans::table
        .filter(scans::client_id.is_not_null())
        .select((scans::session_id, scans::person_id, scans::outcome))
        .load(conn)?;
    scanned.sort();
    let mut states: Vec<(SignupId, SignupState)> =
        signups::table.select((signups::id, signups::state)).load(conn)?;
    states.sort();
    Ok(Kept { present, conflicts, outcomes, scanned, figures, counted, states })
}
