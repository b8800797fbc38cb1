//! I11 over generated lives: erasing a person leaves all figures as they were, of any past moment too, and nothing that can be read of them.
//!
//! Each history is several lives in one transaction that is rolled back: what each leaves in which rooms, where they were present, and who is
//! erased, is drawn. Before and after, everything in the database is read, with all sealed texts opened. `UNIONHALL_HISTORIES=10000` for more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use unionhall::attendance::counting::Counting;
use unionhall::attendance::entering::Entrance;
use unionhall::attendance::model::Voiding;
use unionhall::attendance::undoing::{self, Why};
use unionhall::clock::{Clock, ManualClock, SharedClock};
use unionhall::erasure::acts::{self, Asked, ErasureTools};
use unionhall::erasure::store;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{AttendanceId, PersonId, SessionId, TargetId};
use unionhall::ledger::past::rollups_as_of;
use unionhall::membership::model::MembershipState;
use unionhall::plan::counting::PlanCounting;
use unionhall::plan::verify::verify;
use unionhall::platform::db::schema::{
    attendances, content_checks, memberships, review_ties, targets, token_families,
};
use unionhall::platform::db::{Conn, Engine};

use super::planting::{Life, ROOMS, Soil, life};
use super::scanning::{Cell, Shape, holding};
use crate::closing::enter_in_tx;
use crate::harness::{Test, TestApp};

const PARTS: u64 = 4;

macro_rules! parts {
    ($($name:ident = $part:expr),*) => {
        pub const TESTS: &[Test] = tests![$($name),*];
        $(async fn $name(app: TestApp) {
            nothing_is_left(app, $part).await;
        })*
    };
}

parts!(
    nothing_is_left_of_whoever_is_erased_1 = 0,
    nothing_is_left_of_whoever_is_erased_2 = 1,
    nothing_is_left_of_whoever_is_erased_3 = 2,
    nothing_is_left_of_whoever_is_erased_4 = 3
);

const PEOPLE: usize = 3;
const ENTRANCES: usize = 8;

/// What seeds say, and holds nothing of anybody.
const SEEDS: &[&str] = &[
    "calendar_days",
    "calendar_years",
    "counting_rules",
    "milestones",
    "organisations",
    "plan_items",
    "plans",
    "policies",
    "review_chains",
    "review_reasons",
    "targets",
    "topics",
];

fn histories(engine: Engine) -> u64 {
    let wanted = std::env::var("UNIONHALL_HISTORIES").ok().and_then(|n| n.parse().ok());
    wanted.unwrap_or(if engine == Engine::Sqlite { 60 } else { 24 })
}

/// The ground on which all histories of a test are told.
struct Place {
    soil: Soil,
    sessions: Vec<SessionId>,
    targets: Vec<TargetId>,
    shape: Shape,
    start: DateTime<Utc>,
}

impl Place {
    async fn set(app: &TestApp) -> Self {
        let hours = TimeDelta::hours;
        let mut made = Vec::new();
        for street in ["street-pinghu", "street-nanwan", "street-pinghu"] {
            let times = [(hours(1), hours(2)), (hours(26), hours(27))];
            made.push(
                app.activity(|a| a.programme("demo-skills-rider").organisation(street).sessions(&times))
                    .await,
            );
        }
        let soil = Soil {
            ids: app.ids().clone(),
            vault: app.app().platform().vault.clone(),
            now: app.now(),
            activities: made.iter().map(|one| one.id).collect(),
            session: made[0].session,
            organisation: app.organisation("demo-enterprise-pinghu-1").await,
            officer: app.staff("organiser").await.person(),
            other: app.staff("legal").await.person(),
        };
        let targets = app
            .write(|conn| {
                let people = targets::table.filter(targets::code.eq("07b"));
                diesel::update(people).set(targets::measure.eq("distinct_persons")).execute(conn)?;
                Ok(targets::table.order(targets::id).select(targets::id).load(conn)?)
            })
            .await;
        Self {
            sessions: made.iter().flat_map(|one| one.sessions.clone()).collect(),
            targets,
            shape: app.read(|conn| Ok(Shape::read(conn, SEEDS))).await,
            start: app.now(),
            soil,
        }
    }
}

async fn nothing_is_left(app: TestApp, part: u64) {
    let place = Place::set(&app).await;
    let (db, number) = (app.db().clone(), histories(app.engine()));
    let met = tokio::task::spawn_blocking(move || {
        let mut met: BTreeMap<&'static str, u64> = BTreeMap::new();
        for seed in (0..number).filter(|seed| seed % PARTS == part) {
            let rolled_back = db.write_blocking(|conn| {
                let told = History::new(&place, seed).tell(conn);
                for what in told.map_err(|error| Error::internal(format!("seed {seed}: {error}")))? {
                    *met.entry(what).or_default() += 1;
                }
                Err::<(), Error>(Error::new(Code::Conflict))
            });
            let error = rolled_back.unwrap_err();
            assert_eq!(error.code(), Code::Conflict, "seed {seed}: {error}");
        }
        met
    })
    .await
    .unwrap();
    let missing: Vec<_> = ROOMS.iter().filter(|room| !met.contains_key(*room)).collect();
    assert!(number < 200 || missing.is_empty(), "{missing:?} never happened: {met:?}");
}

/// Everything that is counted, now and as it was known before.
#[derive(Debug, PartialEq)]
struct Figures {
    now: Vec<String>,
    then: Vec<String>,
    counted: Vec<String>,
}

struct History<'a> {
    place: &'a Place,
    rng: StdRng,
    seed: u64,
    clock: Arc<ManualClock>,
    door: Entrance,
    counting: Arc<PlanCounting>,
}

impl<'a> History<'a> {
    fn new(place: &'a Place, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(place.start));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let ids = place.soil.ids.clone();
        let counting = Arc::new(PlanCounting::new(Arc::clone(&shared), ids.clone(), Duration::ZERO));
        let door = Entrance::new(shared, ids, Arc::clone(&counting) as Arc<dyn Counting>, Duration::ZERO);
        Self { place, rng: StdRng::seed_from_u64(seed), seed, clock, door, counting }
    }

    fn tell(&mut self, conn: &mut Conn) -> Result<Vec<&'static str>> {
        let (soil, seed) = (&self.place.soil, self.seed);
        let mut lives = Vec::new();
        for number in 0..PEOPLE {
            let rooms: Vec<&'static str> =
                ROOMS.iter().copied().filter(|_| self.rng.random_bool(0.6)).collect();
            let tag = format!("h{seed}p{number}");
            lives.push(life(conn, soil, &mut self.rng, &tag, &rooms)?);
        }
        let people: Vec<PersonId> = lives.iter().map(Life::who).collect();
        let mut middle = self.clock.now();
        for step in 0..ENTRANCES {
            self.clock.advance(TimeDelta::seconds(1));
            self.come_or_go(conn, &people)?;
            if step == ENTRANCES / 2 {
                middle = self.clock.now();
            }
        }
        self.clock.advance(TimeDelta::hours(2));
        let chosen = self.rng.random_range(0..PEOPLE);
        let (gone, others): (&Life, Vec<&Life>) = (
            &lives[chosen],
            lives.iter().enumerate().filter(|(place, _)| *place != chosen).map(|(_, life)| life).collect(),
        );
        let before = self.place.shape.cells(conn, &soil.vault);
        let seen: BTreeSet<String> = holding(&before, &[gone.secrets.clone(), gone.kept.clone()].concat())
            .into_iter()
            .map(|(_, secret)| secret)
            .collect();
        for secret in gone.secrets.iter().chain(&gone.kept) {
            assert!(seen.contains(secret), "seed {seed}: the scan does not see {secret}: {:?}", gone.rooms);
        }
        let figures = self.figures(conn, middle)?;
        let others_hold = |cells: &[Cell]| -> Vec<Vec<(String, String)>> {
            others
                .iter()
                .map(|life| holding(cells, &[life.secrets.clone(), life.kept.clone()].concat()))
                .collect()
        };
        let held = others_hold(&before);

        let tools = ErasureTools { ids: soil.ids.clone(), vault: soil.vault.clone() };
        let now = self.clock.now();
        let by = if self.rng.random_bool(0.5) { gone.who() } else { soil.officer };
        let asked = Asked { person: gone.who(), by, reason: (by != gone.who()).then_some("本人来函") };
        let done = acts::erase_in_tx(conn, &tools, asked, now)?;
        // A second time finds nothing and says the same.
        assert_eq!(acts::erase_in_tx(conn, &tools, asked, now + TimeDelta::days(1))?, done, "seed {seed}");

        let after = self.place.shape.cells(conn, &soil.vault);
        assert_eq!(holding(&after, &gone.secrets), [], "seed {seed}: what is left of {:?}", gone.rooms);
        let kept = holding(&after, &gone.kept);
        assert_eq!(kept, holding(&before, &gone.kept), "seed {seed}: what the law keeps");
        assert_eq!(others_hold(&after), held, "seed {seed}: others");
        assert_eq!(self.figures(conn, middle)?, figures, "seed {seed}");
        let differences = verify(conn, |_| ())?.differences;
        assert_eq!(differences, [], "seed {seed}");
        assert_eq!(ties(conn, gone.who())?, (0, 0, 0, 0), "seed {seed}: {:?}", gone.rooms);
        let kept = store::kept(conn, gone.who())?;
        assert_eq!(!kept.is_empty(), gone.rooms.contains(&"case"), "seed {seed}: {kept:?}");
        let again = acts::wipe_in_tx(conn, &tools, &[gone.who()], &kept, now)?;
        assert!(again.len() <= 1, "seed {seed}: {again:?}");

        // The day after its last one, what was kept is gone too.
        if let Some(until) = kept.iter().map(|row| row.until_on).max() {
            assert_eq!(store::due(conn, until, 100)?, []);
            for row in store::due(conn, until.succ_opt().unwrap(), 100)? {
                assert!(acts::end_in_tx(conn, &soil.ids, &row, now)?);
                assert!(!acts::end_in_tx(conn, &soil.ids, &row, now)?);
            }
            let after = self.place.shape.cells(conn, &soil.vault);
            assert_eq!(holding(&after, &gone.kept), [], "seed {seed}: what was kept");
            assert_eq!(others_hold(&after), held, "seed {seed}: others, at the end");
            assert_eq!(self.figures(conn, middle)?, figures, "seed {seed}: at the end");
        }
        Ok(gone.rooms.clone())
    }

    /// Somebody is let in somewhere, or an attendance is taken back.
    fn come_or_go(&mut self, conn: &mut Conn, people: &[PersonId]) -> Result<()> {
        let session = *self.place.sessions.choose(&mut self.rng).unwrap();
        let person = *people.choose(&mut self.rng).unwrap();
        if self.rng.random_bool(0.75) {
            return enter_in_tx(conn, &self.door, session, person, self.place.soil.officer);
        }
        let there: Option<AttendanceId> = attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::person_id.eq(person))
            .filter(attendances::voided_at.is_null())
            .select(attendances::id)
            .first(conn)
            .optional()?;
        if let Some(id) = there {
            let why = Why { voiding: Voiding::Undone, reason: "误扫" };
            undoing::undo_in_tx(conn, self.counting.as_ref(), &[id], why, self.clock.now())?;
        }
        Ok(())
    }

    fn figures(&self, conn: &mut Conn, then: DateTime<Utc>) -> Result<Figures> {
        let mut at = |moment| -> Result<Vec<String>> {
            let sums = rollups_as_of(conn, &self.place.targets, moment)?;
            let mut said: Vec<String> = sums
                .into_iter()
                .flat_map(|(target, rows)| rows.into_iter().map(move |row| format!("{target} {row:?}")))
                .collect();
            said.sort();
            Ok(said)
        };
        let (now, then) = (at(self.clock.now() + TimeDelta::days(1))?, at(then)?);
        let counted =
            ["ledger_lines", "ledger_rollups", "attendances", "held_corrections", "completions", "sessions"];
        Ok(Figures { now, then, counted: dump(conn, &counted) })
    }
}

/// What has no words, and is to go all the same: checks, ties, memberships, logins that go on.
fn ties(conn: &mut Conn, who: PersonId) -> Result<(i64, i64, i64, i64)> {
    let checked = content_checks::table.filter(content_checks::person_id.eq(who));
    let tied =
        review_ties::table.filter(review_ties::person_id.eq(who).or(review_ties::kin_id.eq(Some(who))));
    let member = memberships::table
        .filter(memberships::person_id.eq(who))
        .filter(memberships::state.eq(MembershipState::Verified).or(memberships::since.is_not_null()));
    let live = token_families::table
        .filter(token_families::person_id.eq(who))
        .filter(token_families::ended_at.is_null());
    Ok((
        checked.count().get_result(conn)?,
        tied.count().get_result(conn)?,
        member.count().get_result(conn)?,
        live.count().get_result(conn)?,
    ))
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    row: String,
}

/// Every row of some tables.
fn dump(conn: &mut Conn, tables: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables {
        let rows: Vec<Text> = match conn {
            Conn::Postgres(c) => {
                diesel::sql_query(format!("SELECT t::text AS row FROM {table} t ORDER BY 1")).load(c)
            }
            Conn::Sqlite(c) => {
                let names: Vec<Text> = diesel::sql_query(format!(
                    "SELECT 'quote(\"' || name || '\")' AS row FROM pragma_table_info('{table}') ORDER BY cid"
                ))
                .load(c)
                .unwrap();
                let columns: Vec<String> = names.into_iter().map(|one| one.row).collect();
                let row = columns.join(" || '|' || ");
                diesel::sql_query(format!("SELECT {row} AS row FROM {table} ORDER BY 1")).load(c)
            }
        }
        .unwrap_or_else(|error| panic!("{table}: {error}"));
        all.extend(rows.into_iter().map(|one| format!("{table}: {}", one.row)));
    }
    all
}
