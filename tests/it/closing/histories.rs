//! I2, I3, I4 and I5 over generated histories of check-ins, undoings, crowds, write-downs, voided sessions, merged and parted accounts,
//! closes and restatements.
//!
//! I2: a key counts at most once for a target, and what was reversed nets to zero. I3: what was known of a month when it was closed never
//! changes. I4: of people, the streets add up to the district's figure or more, and none has more than it. I5 is in [`super::merged`]. At the end everything that is
//! held is restated, and the figures are those of an account that was kept beside, which knows nothing of lines.
//!
//! Each history is told in a transaction that is rolled back. `UNIONHALL_HISTORIES=10000` for more, `UNIONHALL_HISTORY=673` for one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use unionhall::attendance::counting::{Counting, Held, Voided};
use unionhall::attendance::entering::Entrance;
use unionhall::attendance::headcounts::model::{Headcount, HeadcountMethod, HeadcountState};
use unionhall::attendance::headcounts::recounting;
use unionhall::attendance::model::Voiding;
use unionhall::attendance::undoing::{self, Why};
use unionhall::clock::{Clock, ManualClock, SharedClock, db_time};
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{
    ActivityId, AttendanceId, HeadcountId, Ids, OrganisationId, PersonId, PersonMergeId, SessionId, TargetId,
};
use unionhall::ledger;
use unionhall::ledger::model::{Because, Cause, Grade};
use unionhall::offering;
use unionhall::offering::model::SessionState;
use unionhall::plan;
use unionhall::plan::closing::acts::Act;
use unionhall::plan::closing::model::{PeriodKind, Restatement, RestatementState};
use unionhall::plan::closing::{restating, store as closing};
use unionhall::plan::counting::PlanCounting;
use unionhall::plan::model::Plan;
use unionhall::plan::verify::verify;
use unionhall::platform::db::schema::{attendances, headcounts, ledger_lines, sessions, targets};
use unionhall::platform::db::{Conn, Engine};

use super::enter_in_tx;
use crate::harness::{Test, TestApp};

const PARTS: u64 = 4;

macro_rules! parts {
    ($($name:ident = $part:expr),*) => {
        pub const TESTS: &[Test] = tests![$($name),*];
        $(async fn $name(app: TestApp) {
            figures_are_kept(app, $part).await;
        })*
    };
}

parts!(
    figures_are_kept_through_any_history_1 = 0,
    figures_are_kept_through_any_history_2 = 1,
    figures_are_kept_through_any_history_3 = 2,
    figures_are_kept_through_any_history_4 = 3
);

const PEOPLE: usize = 4;
const STEPS: usize = 22;

fn histories(engine: Engine) -> u64 {
    let wanted = std::env::var("UNIONHALL_HISTORIES").ok().and_then(|n| n.parse().ok());
    wanted.unwrap_or(if engine == Engine::Sqlite { 160 } else { 40 })
}

/// The ground on which all histories of a test are told.
pub(super) struct Place {
    pub(super) plan: Plan,
    activities: Vec<ActivityId>,
    /// With the place of their activity, and their street.
    sessions: Vec<(SessionId, usize, OrganisationId)>,
    pub(super) people: Vec<PersonId>,
    pub(super) officers: [PersonId; 2],
    root: OrganisationId,
    held: TargetId,
    people_counted: TargetId,
    times: TargetId,
    start: DateTime<Utc>,
}

impl Place {
    async fn set(app: &TestApp) -> Self {
        let hours = TimeDelta::hours;
        let streets = ["street-pinghu", "street-nanwan", "street-pinghu"];
        let (mut activities, mut rows) = (Vec::new(), Vec::new());
        for (place, street) in streets.into_iter().enumerate() {
            let times = [(hours(1), hours(2)), (hours(26), hours(27))];
            let made = app
                .activity(|a| a.programme("demo-skills-rider").organisation(street).sessions(&times))
                .await;
            let street = app.organisation(street).await;
            activities.push(made.id);
            rows.extend(made.sessions.iter().map(|session| (*session, place, street)));
        }
        let moved = rows.clone();
        let codes = app
            .write(move |conn| {
                let people = targets::table.filter(targets::code.eq("07b"));
                diesel::update(people).set(targets::measure.eq("distinct_persons")).execute(conn)?;
                // March, April and May: two sessions of each month, of different activities.
                for (number, (session, ..)) in (0_u32..).zip(&moved) {
                    let day = NaiveDate::from_ymd_opt(2025, 3 + number % 3, 10 + number).unwrap();
                    let starts = day.and_hms_opt(2, 0, 0).unwrap();
                    diesel::update(sessions::table.find(session))
                        .set((
                            sessions::starts_at.eq(starts),
                            sessions::ends_at.eq(starts + TimeDelta::hours(2)),
                        ))
                        .execute(conn)?;
                }
                let codes: Vec<(String, TargetId)> =
                    targets::table.select((targets::code, targets::id)).load(conn)?;
                Ok(codes.into_iter().collect::<BTreeMap<_, _>>())
            })
            .await;
        Self {
            plan: app.read(|conn| plan::store::plan_of_year(conn, 2025)).await,
            activities,
            sessions: rows,
            people: crate::signup::crowd_ids(app, PEOPLE).await,
            officers: [app.staff("planner").await.person(), app.staff("admin").await.person()],
            root: app.organisation("longgang").await,
            held: codes["07a"],
            people_counted: codes["07b"],
            times: codes["21b"],
            start: app.now(),
        }
    }

    fn month(&self, session: usize) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 3 + (session as u32) % 3, 1).unwrap()
    }
}

async fn figures_are_kept(app: TestApp, part: u64) {
    let place = Place::set(&app).await;
    let only: Option<u64> = std::env::var("UNIONHALL_HISTORY").ok().and_then(|seed| seed.parse().ok());
    let (db, number) = (app.db().clone(), only.map_or(histories(app.engine()), |only| only + 1));
    let (entropy, seeds) = (
        app.ids().clone(),
        (0..number).filter(move |seed| seed % PARTS == part && only.is_none_or(|only| only == *seed)),
    );
    let met = tokio::task::spawn_blocking(move || {
        let mut met: BTreeMap<&'static str, u64> = BTreeMap::new();
        for seed in seeds {
            let rolled_back = db.write_blocking(|conn| {
                let mut history = History::new(&place, &entropy, seed);
                history.tell(conn).map_err(|error| Error::internal(format!("seed {seed}: {error}")))?;
                for what in history.met {
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
    let all = [
        "enter",
        "undo",
        "finalise",
        "void",
        "crowd",
        "write down",
        "close",
        "restate",
        "refuse",
        "held",
        "moved on",
        "merge",
        "merge and part",
        "part",
    ];
    // A few histories need not meet everything.
    let missing: Vec<_> = all.into_iter().filter(|what| !met.contains_key(what)).collect();
    assert!(number < 2_000 || only.is_some() || missing.is_empty(), "{missing:?} never happened: {met:?}");
}

/// What is known of a session by whoever kept the account beside.
#[derive(Debug, Clone, Default)]
struct Kept {
    present: BTreeSet<PersonId>,
    crowd: Option<(HeadcountId, i64)>,
    finalised: bool,
    held: bool,
    void: bool,
}

/// The lines of one key: of each generation, whether one takes back, and how much.
type Generations = BTreeMap<i64, Vec<(bool, i64)>>;
pub(super) type Figures = BTreeMap<(TargetId, OrganisationId), i64>;

pub(super) struct History<'a> {
    pub(super) place: &'a Place,
    pub(super) rng: StdRng,
    pub(super) seed: u64,
    pub(super) clock: Arc<ManualClock>,
    pub(super) ids: Ids,
    /// Accounts that are merged, by which merge and into which.
    pub(super) merged: BTreeMap<PersonId, (PersonMergeId, PersonId)>,
    door: Entrance,
    counting: Arc<PlanCounting>,
    kept: Vec<Kept>,
    /// Closed months: when, and what was known.
    closed: BTreeMap<NaiveDate, (DateTime<Utc>, Figures)>,
    met: BTreeSet<&'static str>,
}

impl<'a> History<'a> {
    fn new(place: &'a Place, ids: &Ids, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(place.start));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let counting = Arc::new(PlanCounting::new(Arc::clone(&shared), ids.clone(), Duration::ZERO));
        let door =
            Entrance::new(shared, ids.clone(), Arc::clone(&counting) as Arc<dyn Counting>, Duration::ZERO);
        Self {
            place,
            rng: StdRng::seed_from_u64(seed),
            seed,
            clock,
            ids: ids.clone(),
            merged: BTreeMap::new(),
            door,
            counting,
            kept: vec![Kept::default(); place.sessions.len()],
            closed: BTreeMap::new(),
            met: BTreeSet::new(),
        }
    }

    fn tell(&mut self, conn: &mut Conn) -> Result<()> {
        for step in 0..STEPS {
            // Sometimes two things are of one moment.
            if self.rng.random_bool(0.7) {
                self.clock.advance(TimeDelta::seconds(1));
            }
            let what = self.step(conn)?;
            self.met.extend(what);
            self.look(conn, step, what)?;
        }
        self.end(conn)?;
        if !self.merged.is_empty() && self.rng.random_bool(0.5) {
            self.part_all(conn)?;
            self.end(conn)?;
        }
        Ok(())
    }

    /// Everything that is held is restated, and the account agrees.
    fn end(&mut self, conn: &mut Conn) -> Result<()> {
        let differences = verify(conn, |_| ())?.differences;
        assert_eq!(differences, [], "seed {}: before everything is restated", self.seed);
        for round in 0.. {
            let mut left = 0;
            for month in self.closed.keys().copied().collect::<Vec<_>>() {
                if ledger::held::count(conn, (self.place.plan.id, month))? > 0 {
                    self.restate(conn, month, true)?;
                    left += 1;
                }
            }
            if left == 0 {
                break;
            }
            if round > 0 {
                self.met.insert("moved on");
            }
            assert!(round < 12, "seed {}: something is held for ever", self.seed);
        }
        self.look(conn, STEPS, Some("restated all"))?;
        let differences = verify(conn, |_| ())?.differences;
        assert_eq!(differences, [], "seed {}: in the end", self.seed);
        self.account(conn)
    }

    fn step(&mut self, conn: &mut Conn) -> Result<Option<&'static str>> {
        if self.rng.random_bool(0.15) {
            return self.merge_or_part(conn);
        }
        let number = self.rng.random_range(0..self.place.sessions.len());
        let (session, place, _) = self.place.sessions[number];
        let person = *self.place.people.choose(&mut self.rng).unwrap();
        let (row, _) = offering::store::session_get(conn, session)?;
        let (now, kept) = (self.clock.now(), self.kept[number].clone());
        let counting = Arc::clone(&self.counting);
        Ok(Some(match self.rng.random_range(0..100) {
            0..34 if !kept.void => {
                enter_in_tx(conn, &self.door, session, person, self.place.officers[0])?;
                self.kept[number].present.insert(person);
                if kept.finalised && !kept.held {
                    let found = offering::store::activity_get(conn, self.place.activities[place])?.activity;
                    let (row, _) = offering::store::session_get(conn, session)?;
                    undoing::held_after_all_in_tx(conn, counting.as_ref(), &row, &found)?;
                    self.kept[number].held = true;
                }
                "enter"
            }
            34..54 => {
                let Some(person) = kept.present.iter().next().copied().filter(|_| !kept.void) else {
                    return Ok(None);
                };
                let id: AttendanceId = attendances::table
                    .filter(attendances::session_id.eq(session))
                    .filter(attendances::person_id.eq(person))
                    .select(attendances::id)
                    .first(conn)?;
                let why = Why { voiding: Voiding::Undone, reason: "误扫" };
                undoing::undo_in_tx(conn, counting.as_ref(), &[id], why, now)?;
                self.kept[number].present.remove(&person);
                "undo"
            }
            54..64 if !kept.finalised && !kept.void => {
                let held = !kept.present.is_empty() || kept.crowd.is_some();
                diesel::update(sessions::table.find(session))
                    .set((
                        sessions::state.eq(SessionState::Finalised),
                        sessions::held.eq(held),
                        sessions::finalised_at.eq(db_time(now)),
                    ))
                    .execute(conn)?;
                if held {
                    let (activity, starts_at) = (row.activity_id, row.starts_at.and_utc());
                    counting.held_in_tx(conn, &Held { session, activity, starts_at, grade: Grade::B })?;
                }
                self.kept[number].finalised = true;
                self.kept[number].held = held;
                "finalise"
            }
            64..69 if !kept.void => {
                self.void(conn, number)?;
                "void"
            }
            69..77 if !kept.void => self.crowd(conn, number)?,
            77..87 => {
                let month = self.place.month(number);
                if self.closed.contains_key(&month) {
                    return Ok(None);
                }
                self.close(conn, month)?;
                "close"
            }
            87.. => {
                let Some(month) =
                    self.closed.keys().copied().collect::<Vec<_>>().choose(&mut self.rng).copied()
                else {
                    return Ok(None);
                };
                if ledger::held::count(conn, (self.place.plan.id, month))? == 0 {
                    return Ok(None);
                }
                let agree = self.rng.random_bool(0.7);
                self.restate(conn, month, agree)?;
                if agree { "restate" } else { "refuse" }
            }
            _ => return Ok(None),
        }))
    }

    fn void(&mut self, conn: &mut Conn, number: usize) -> Result<()> {
        let (session, place, _) = self.place.sessions[number];
        if let Some((headcount, _)) = self.kept[number].crowd {
            let (row, _) = offering::store::session_get(conn, session)?;
            let found: Headcount =
                headcounts::table.find(headcount).select(Headcount::as_select()).first(conn)?;
            diesel::update(headcounts::table.find(headcount))
                .set(headcounts::state.eq(HeadcountState::Voided))
                .execute(conn)?;
            recounting::uncount_in_tx(conn, self.counting.as_ref(), &row, &found, "未举办")?;
        }
        diesel::update(sessions::table.find(session))
            .set((sessions::state.eq(SessionState::Cancelled), sessions::held.eq(false)))
            .execute(conn)?;
        let there: Vec<(AttendanceId, PersonId)> = attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::voided_at.is_null())
            .order(attendances::id)
            .select((attendances::id, attendances::person_id))
            .load(conn)?;
        let voided = Voided {
            activity: self.place.activities[place],
            sessions: vec![session],
            attendances: there,
            cause: Cause::Voided,
            reason: "未举办".into(),
        };
        self.counting.voided_in_tx(conn, &voided)?;
        self.kept[number].void = true;
        Ok(())
    }

    fn crowd(&mut self, conn: &mut Conn, number: usize) -> Result<&'static str> {
        let (session, ..) = self.place.sessions[number];
        let (row, _) = offering::store::session_get(conn, session)?;
        if let Some((id, standing)) = self.kept[number].crowd {
            let found: Headcount = headcounts::table.find(id).select(Headcount::as_select()).first(conn)?;
            let after = Headcount { standing: (standing - self.rng.random_range(1..5)).max(1), ..found };
            diesel::update(headcounts::table.find(id))
                .set(headcounts::standing.eq(after.standing))
                .execute(conn)?;
            let because = Because { cause: Cause::WriteDown, reason: "抽查核减" };
            recounting::count_in_tx(conn, self.counting.as_ref(), &row, &after, because)?;
            self.kept[number].crowd = Some((id, after.standing));
            return Ok("write down");
        }
        let (count, now) = (self.rng.random_range(1..12), db_time(self.clock.now()));
        let made = Headcount {
            id: self.ids.id(),
            session_id: session,
            number: count,
            standing: count,
            method: HeadcountMethod::Parcels,
            counter_before: None,
            counter_after: None,
            parcels: Some(count),
            seats: None,
            share_percent: None,
            minutes: 60,
            gates: 1,
            state: HeadcountState::Approved,
            refused_because: None,
            counted_by: self.place.officers[0],
            made_at: now,
            decided_at: Some(now),
            version: 1,
        };
        diesel::insert_into(headcounts::table).values(&made).execute(conn)?;
        let because = Because { cause: Cause::New, reason: "确认人数登记" };
        recounting::count_in_tx(conn, self.counting.as_ref(), &row, &made, because)?;
        if self.kept[number].finalised && !self.kept[number].held {
            diesel::update(sessions::table.find(session)).set(sessions::held.eq(true)).execute(conn)?;
            let (activity, starts_at) = (row.activity_id, row.starts_at.and_utc());
            self.counting.held_in_tx(conn, &Held { session, activity, starts_at, grade: Grade::D })?;
            self.kept[number].held = true;
        }
        self.kept[number].crowd = Some((made.id, count));
        Ok("crowd")
    }

    fn close(&mut self, conn: &mut Conn, month: NaiveDate) -> Result<()> {
        let (plan, now) = (&self.place.plan, self.clock.now());
        let all = closing::periods_lock_in_tx(conn, plan.id)?;
        let row = all.iter().find(|row| row.kind == PeriodKind::Month && row.starts_on == month).unwrap();
        assert!(closing::propose_in_tx(conn, row, self.place.officers[0], now)?);
        let at = ledger::past::last_recorded(conn, plan.id)?.map_or(now, |last| last.max(now));
        assert!(closing::close_in_tx(conn, row, self.place.officers[1], at)?);
        let known = self.figures(conn, Some(at), Some(month))?;
        assert_eq!(known, self.figures(conn, None, Some(month))?, "seed {}: all is known", self.seed);
        self.closed.insert(month, (at, known));
        Ok(())
    }

    fn restate(&mut self, conn: &mut Conn, month: NaiveDate, agree: bool) -> Result<()> {
        let now = self.clock.now();
        let row = Restatement {
            id: self.ids.id(),
            plan_id: self.place.plan.id,
            month,
            state: RestatementState::Proposed,
            reason: "补录".into(),
            evidence: None,
            proposed_by: self.place.officers[0],
            proposed_at: db_time(now),
            decided_by: None,
            decided_at: None,
            version: 1,
        };
        self.met.insert("held");
        assert!(closing::restatement_create_in_tx(conn, &row)?);
        let act = Act { by: self.place.officers[1], now };
        restating::decide_in_tx(conn, &self.ids, row.id, agree, act)?;
        Ok(())
    }

    /// What is known of the three targets, at a moment or now, of a month or at all.
    pub(super) fn figures(
        &self,
        conn: &mut Conn,
        as_of: Option<DateTime<Utc>>,
        month: Option<NaiveDate>,
    ) -> Result<Figures> {
        let of = [self.place.held, self.place.people_counted, self.place.times];
        let rollups = match as_of {
            Some(at) => ledger::past::rollups_as_of(conn, &of, at)?,
            None => ledger::store::rollups(conn, &of)?,
        };
        let mut figures = Figures::new();
        for row in rollups.into_values().flatten().filter(|row| month.is_none_or(|month| row.month == month))
        {
            *figures.entry((row.target_id, row.organisation_id)).or_default() += row.quantity;
        }
        figures.retain(|_, value| *value != 0);
        Ok(figures)
    }

    fn look(&self, conn: &mut Conn, step: usize, what: Option<&str>) -> Result<()> {
        let place = format!("seed {}, step {step}, {what:?}", self.seed);
        // I2.
        let lines: Vec<(TargetId, String, i64, bool, i64)> = ledger_lines::table
            .select((
                ledger_lines::target_id,
                ledger_lines::dedup_key,
                ledger_lines::generation,
                ledger_lines::is_reversal,
                ledger_lines::quantity,
            ))
            .load(conn)?;
        let mut keys: BTreeMap<(TargetId, String), Generations> = BTreeMap::new();
        for (target, key, generation, is_reversal, quantity) in lines {
            keys.entry((target, key))
                .or_default()
                .entry(generation)
                .or_default()
                .push((is_reversal, quantity));
        }
        for ((_, key), generations) in &keys {
            let live = generations.values().filter(|of| of.len() == 1).count();
            assert!(live <= 1, "{place}: {key} counts {live} times");
            for of in generations.values() {
                let sum: i64 = of.iter().map(|(_, quantity)| quantity).sum();
                assert!(of.len() == 1 && !of[0].0 || of.len() == 2 && sum == 0, "{place}: {key}: {of:?}");
            }
        }
        // I3.
        for (month, (at, known)) in &self.closed {
            assert_eq!(
                &self.figures(conn, Some(*at), Some(*month))?,
                known,
                "{place}: {month} as it was issued"
            );
        }
        // I4.
        let now = self.figures(conn, None, None)?;
        let of = |target: TargetId| now.iter().filter(move |((of, _), _)| *of == target);
        let whole = now.get(&(self.place.people_counted, self.place.root)).copied().unwrap_or(0);
        let streets: Vec<i64> = of(self.place.people_counted)
            .filter(|((_, organisation), _)| *organisation != self.place.root)
            .map(|(_, value)| *value)
            .collect();
        let (sum, most) = (streets.iter().sum::<i64>(), streets.iter().copied().max().unwrap_or(0));
        assert!(sum >= whole && whole >= most, "{place}: {whole} people, {streets:?} by street");
        assert!(
            of(self.place.times).all(|((_, organisation), _)| *organisation != self.place.root),
            "{place}"
        );
        Ok(())
    }

    /// The figures are those of the account that was kept beside.
    fn account(&self, conn: &mut Conn) -> Result<()> {
        let place = self.place;
        let standing = || self.kept.iter().zip(&place.sessions).filter(|(kept, _)| !kept.void);
        let mut expected = Figures::new();
        let mut people: BTreeMap<OrganisationId, BTreeSet<PersonId>> = BTreeMap::new();
        for (kept, (_, _, street)) in standing() {
            if kept.finalised && kept.held {
                *expected.entry((place.held, *street)).or_default() += 1;
            }
            let there = kept.present.len() as i64;
            let crowd = kept.crowd.map_or(0, |(_, standing)| (standing - there).max(0));
            *expected.entry((place.times, *street)).or_default() += there + crowd;
            for whose in [*street, place.root] {
                people.entry(whose).or_default().extend(kept.present.iter().map(|one| self.human(*one)));
            }
        }
        for (whose, of) in people {
            expected.insert((place.people_counted, whose), of.len() as i64);
        }
        expected.retain(|_, value| *value != 0);
        assert_eq!(self.figures(conn, None, None)?, expected, "seed {}: {:#?}", self.seed, self.kept);
        for month in (0..3).map(|number| place.month(number)) {
            let of_month = || {
                let all = self.kept.iter().zip(&place.sessions).enumerate();
                all.filter(move |(number, (kept, _))| place.month(*number) == month && !kept.void)
            };
            let held = of_month().filter(|(_, (kept, _))| kept.finalised && kept.held).count() as i64;
            let figures = self.figures(conn, None, Some(month))?;
            let told: i64 =
                figures.iter().filter(|((target, _), _)| *target == place.held).map(|(_, v)| v).sum();
            assert_eq!(told, held, "seed {}: sessions of {month}", self.seed);
        }
        Ok(())
    }
}
