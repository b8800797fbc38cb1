//! Invariants over generated histories, decided by the real registrar: I1 (no node beyond its places, nobody passed), I8 (kept and
//! used places within what may be given, one open offer a sign-up, nobody asked who left) and I13 (one key, one effect, one answer).
//!
//! Each history runs in a transaction of its own that is rolled back, so thousands of them fit. `UNIONHALL_HISTORIES=20000`
//! for more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;
use diesel::prelude::*;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use unionhall::clock::{Clock, ManualClock, SharedClock, db_time};
use unionhall::content::checking::Checks;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{
    ActivityId, OfferId, OrganisationId, PersonId, ProgrammeId, QuotaId, SessionId, SignupId,
};
use unionhall::offering::model::{
    Activity, ActivityState, Quota, QuotaKind, Session, SessionState, WaitingPolicy,
};
use unionhall::platform::db::schema::{
    activities, offers, organisations, people, programmes, quotas, sessions, signups,
};
use unionhall::platform::db::{BatchHandler, Conn, Engine};
use unionhall::platform::http::Stored;
use unionhall::platform::http::extract::RequestKey;
use unionhall::platform::http::idempotency::Use;
use unionhall::platform::outbox::{Job, JobHandler, JobState};
use unionhall::review::chain::Answers;
use unionhall::review::deciding::Desk;
use unionhall::review::subject::Subjects;
use unionhall::signup::jobs::{Due, OfferExpiry, Tools};
use unionhall::signup::model::{OfferState, SignupState};
use unionhall::signup::registrar::{Act, RegistrarHandler, Request};

use crate::harness::{Test, TestApp};

/// In how many tests the histories are told, so that none takes long.
const PARTS: u64 = 8;

macro_rules! parts {
    ($($name:ident = $part:expr),*) => {
        pub const TESTS: &[Test] = tests![$($name),*];
        $(async fn $name(app: TestApp) {
            no_history_breaks_an_invariant(app, $part).await;
        })*
    };
}

parts!(
    no_history_breaks_an_invariant_1 = 0,
    no_history_breaks_an_invariant_2 = 1,
    no_history_breaks_an_invariant_3 = 2,
    no_history_breaks_an_invariant_4 = 3,
    no_history_breaks_an_invariant_5 = 4,
    no_history_breaks_an_invariant_6 = 5,
    no_history_breaks_an_invariant_7 = 6,
    no_history_breaks_an_invariant_8 = 7
);

const PEOPLE: usize = 10;

/// How many histories: enough to meet every pair of acts in every order many times over.
fn histories(engine: Engine) -> u64 {
    let wanted = std::env::var("UNIONHALL_HISTORIES").ok().and_then(|n| n.parse().ok());
    wanted.unwrap_or(if engine == Engine::Sqlite { 10_000 } else { 500 })
}

async fn no_history_breaks_an_invariant(app: TestApp, part: u64) {
    let crowd: Vec<PersonId> = crate::signup::crowd_ids(&app, PEOPLE).await;
    let (db, vault, ids, start) =
        (app.db().clone(), app.app().platform().vault.clone(), app.ids().clone(), app.now());
    let programme = app.programme("demo-skills").await;
    let number = histories(app.engine());
    let seen = tokio::task::spawn_blocking(move || {
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for seed in (0..number).filter(|seed| seed % PARTS == part) {
            let clock = Arc::new(ManualClock::at(start));
            let desk = Desk {
                clock: Arc::clone(&clock) as SharedClock,
                ids: ids.clone(),
                vault: vault.clone(),
                subjects: Subjects::default(),
                checks: Checks::off(ids.clone()),
            };
            let tools = Tools {
                clock: Arc::clone(&clock) as SharedClock,
                ids: ids.clone(),
                vault: vault.clone(),
                desk,
            };
            let mut told = Vec::new();
            let rolled_back = db.write_blocking(|conn| {
                let mut world = World::begin(conn, &crowd, programme, &tools, clock, seed)?;
                world.live(conn)?;
                told = world.told;
                Err::<(), Error>(Error::new(Code::Conflict))
            });
            let error = rolled_back.unwrap_err();
            assert_eq!(error.code(), Code::Conflict, "seed {seed}: {error}");
            for one in told {
                *seen.entry(one).or_default() += 1;
            }
        }
        seen
    })
    .await
    .unwrap();
    // The histories are worth something only if they meet everything; a few need not.
    let enough = number >= 8_000;
    for met in [
        "confirmed",
        "waiting",
        "entered",
        "cancelled",
        "accepted",
        "expired",
        "signup_full",
        "signup_duplicate",
        "signup_not_covered",
        "signup_attended",
        "offer_over",
        "replayed",
        "idempotency_mismatch",
        "idempotency_running",
        "offered",
    ] {
        assert!(!enough || seen.get(met).is_some_and(|times| *times > 0), "{met} never happened: {seen:?}");
    }
}

/// A sign-up: its quota, its number of arrival, its priority.
type Row = (SignupId, PersonId, SignupState, Option<QuotaId>, i64, i64);

/// One activity, some people, and what they were told.
struct World<'a> {
    tools: Tools,
    clock: Arc<ManualClock>,
    registrar: RegistrarHandler,
    activity: ActivityId,
    crowd: &'a [PersonId],
    random: StdRng,
    keys: u64,
    /// What was acknowledged: who, key, act, answer.
    answers: Vec<(PersonId, String, Act, Stored)>,
    /// Who left, at which sign-up.
    left: HashSet<SignupId>,
    told: Vec<String>,
    seed: u64,
}

impl<'a> World<'a> {
    fn begin(
        conn: &mut Conn,
        crowd: &'a [PersonId],
        programme: ProgrammeId,
        tools: &Tools,
        clock: Arc<ManualClock>,
        seed: u64,
    ) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let now = clock.now();
        let streets: Vec<OrganisationId> = organisations::table
            .filter(organisations::kind.eq("sub_district"))
            .order(organisations::code)
            .limit(3)
            .select(organisations::id)
            .load(conn)?;
        let organiser: OrganisationId =
            programmes::table.find(programme).select(programmes::organisation_id).first(conn)?;
        for person in crowd {
            let place = streets.choose(&mut random).copied().filter(|_| random.random_bool(0.9));
            diesel::update(people::table.find(person)).set(people::workplace_id.eq(place)).execute(conn)?;
        }
        let capacity = random.random_range(1..6);
        let policy =
            *[WaitingPolicy::None, WaitingPolicy::Strict, WaitingPolicy::Fill].choose(&mut random).unwrap();
        let fair = random.random_bool(0.2);
        let starts = now + TimeDelta::days(2);
        let activity = Activity {
            title: "历史".into(),
            state: ActivityState::Published,
            capacity,
            bookable: capacity + random.random_range(0..2),
            waiting_list: policy,
            split: random.random_bool(0.6),
            fair_minutes: if fair { 5 } else { 0 },
            signup_opens_at: db_time(now),
            signup_closes_at: db_time(now + TimeDelta::days(1)),
            starts_at: db_time(starts),
            ends_at: db_time(starts + TimeDelta::hours(2)),
            ..Activity::draft(tools.ids.id(), programme, organiser, now)
        };
        diesel::insert_into(activities::table).values(&activity).execute(conn)?;
        let session = Session {
            id: tools.ids.id::<SessionId>(),
            activity_id: activity.id,
            number: 1,
            starts_at: activity.starts_at,
            ends_at: activity.ends_at,
            state: SessionState::Planned,
            state_reason: None,
            held: None,
            present: 0,
            finalised_at: None,
            finalised_by: None,
            reopened_at: None,
            version: 1,
        };
        diesel::insert_into(sessions::table).values(&session).execute(conn)?;
        if fair {
            unionhall::offering::fair::promise_in_tx(conn, &tools.vault, &tools.ids, activity.id)?;
        }
        if activity.split {
            for (rank, street) in (1..).zip(&streets) {
                quota(
                    conn,
                    tools,
                    &activity,
                    QuotaKind::Street,
                    Some(*street),
                    rank,
                    random.random_range(0..3),
                )?;
            }
            if random.random_bool(0.5) {
                quota(conn, tools, &activity, QuotaKind::Pool, None, 9, random.random_range(0..3))?;
            }
        }
        Ok(Self {
            registrar: RegistrarHandler(tools.clone()),
            tools: tools.clone(),
            clock,
            activity: activity.id,
            crowd,
            random,
            keys: 0,
            answers: Vec::new(),
            left: HashSet::new(),
            told: Vec::new(),
            seed,
        })
    }

    /// Some batches, with time, jobs and the door between them.
    fn live(&mut self, conn: &mut Conn) -> Result<()> {
        for _ in 0..self.random.random_range(2..9) {
            match self.random.random_range(0..10) {
                0 => self.clock.advance(TimeDelta::minutes(self.random.random_range(1..8))),
                1 => self.clock.advance(TimeDelta::hours(self.random.random_range(1..20))),
                2 => self.expire(conn)?,
                3 => self.attend(conn)?,
                4 => Due(self.tools.clone()).run_in_tx(conn, &self.job("activity", self.activity))?,
                _ => self.batch(conn)?,
            }
            self.check(conn)?;
        }
        Ok(())
    }

    fn batch(&mut self, conn: &mut Conn) -> Result<()> {
        let mine: Vec<(SignupId, PersonId, SignupState)> = signups::table
            .filter(signups::activity_id.eq(self.activity))
            .order(signups::number)
            .select((signups::id, signups::person_id, signups::state))
            .load(conn)?;
        let mut batch: Vec<Request> =
            (0..self.random.random_range(1..7)).map(|_| self.request(&mine)).collect();
        if self.random.random_bool(0.2) {
            // Somebody is impatient: the same request twice in one batch.
            let again = batch.first().map(|first| (first.act.clone(), first.one.clone()));
            batch.extend(again.map(|(act, one)| Request { act, one }));
        }
        let answered: Vec<Option<Vec<u8>>> = batch.iter().map(|request| self.answered(request)).collect();
        let replies = self.registrar.handle_in_tx(conn, &batch)?;
        let mut keys = HashSet::new();
        for ((request, reply), answered) in batch.into_iter().zip(replies).zip(answered) {
            let (person, key) = (request.one.principal, request.one.request.key.clone());
            let code = reply.as_ref().err().map(Error::code);
            // What was answered is answered again, if it is the same request; what is being decided is to be waited for.
            let expected = match answered {
                Some(first) if first == request.one.request.fingerprint => Some(None),
                Some(_) => Some(Some(Code::IdempotencyMismatch)),
                None if keys.contains(&(person, key.clone())) => Some(Some(Code::IdempotencyRunning)),
                None => None,
            };
            assert!(expected.is_none_or(|expected| code == expected), "seed {}: {key}: {code:?}", self.seed);
            keys.insert((person, key.clone()));
            match reply {
                Ok(stored) => self.acknowledged(person, key, request.act, stored),
                Err(refusal) => {
                    assert!(refusal.code().status().is_client_error(), "seed {}: {refusal}", self.seed);
                    self.told.push(refusal.code().as_str().to_owned());
                }
            }
        }
        Ok(())
    }

    /// With what fingerprint a key was used of which the answer is known.
    fn answered(&self, request: &Request) -> Option<Vec<u8>> {
        let used = (request.one.principal, &request.one.request.key);
        let first = self.answers.iter().find(|(who, key, _, _)| (*who, key) == used);
        first.map(|(_, _, act, _)| fingerprint("the same", act))
    }

    fn acknowledged(&mut self, person: PersonId, key: String, act: Act, stored: Stored) {
        let body: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
        if let Some((_, _, _, first)) =
            self.answers.iter().find(|(who, used, _, _)| (*who, used) == (person, &key))
        {
            assert_eq!((first.status, &first.body), (stored.status, &stored.body), "seed {}", self.seed);
            self.told.push("replayed".into());
            return;
        }
        self.told.push(match act {
            Act::Accept(_) => "accepted".into(),
            _ => body["state"].as_str().unwrap().to_owned(),
        });
        if let Act::Cancel { signup, .. } = act {
            self.left.insert(signup);
        }
        self.answers.push((person, key, act, stored));
    }

    /// Something that somebody asks for: new, or again under a key that was used.
    fn request(&mut self, mine: &[(SignupId, PersonId, SignupState)]) -> Request {
        let random = &mut self.random;
        if let Some((person, key, act, _)) =
            self.answers.choose(random).filter(|_| random.next_u32().is_multiple_of(6))
        {
            let other = random.random_bool(0.3);
            let fingerprint = fingerprint(if other { "another" } else { "the same" }, act);
            return Request {
                act: act.clone(),
                one: Use { principal: *person, request: RequestKey { key: key.clone(), fingerprint } },
            };
        }
        let signup = mine.choose(random).copied();
        // Most who accept are asked.
        let asked: Vec<_> = mine.iter().filter(|one| one.2 == SignupState::Offered).copied().collect();
        let accepting = asked.choose(random).copied().filter(|_| random.random_bool(0.7)).or(signup);
        let (person, act) = match (random.random_range(0..10), signup, accepting) {
            (0..3, Some((signup, person, _)), _) => (person, Act::Cancel { signup, excuse: None }),
            (3..5, _, Some((signup, person, _))) => (person, Act::Accept(signup)),
            _ => (
                *self.crowd.choose(random).unwrap(),
                Act::Create { activity: self.activity, form: Answers::new() },
            ),
        };
        self.keys += 1;
        let request = RequestKey {
            key: format!("key-{}-{}", self.seed, self.keys),
            fingerprint: fingerprint("the same", &act),
        };
        Request { act, one: Use { principal: person, request } }
    }

    fn expire(&mut self, conn: &mut Conn) -> Result<()> {
        if self.random.random_bool(0.5) {
            self.clock.advance(TimeDelta::hours(12));
        }
        let open: Vec<OfferId> = offers::table
            .filter(offers::activity_id.eq(self.activity))
            .filter(offers::state.eq(OfferState::Open))
            .select(offers::id)
            .load(conn)?;
        for offer in open {
            OfferExpiry(self.tools.clone()).run_in_tx(conn, &self.job("offer", offer))?;
        }
        let expired: i64 = offers::table
            .filter(offers::activity_id.eq(self.activity))
            .filter(offers::state.eq(OfferState::Expired))
            .count()
            .get_result(conn)?;
        if expired > 0 {
            self.told.push("expired".into());
        }
        Ok(())
    }

    /// The door, which marks sign-ups without the activity's lock.
    fn attend(&mut self, conn: &mut Conn) -> Result<()> {
        let confirmed: Vec<SignupId> = signups::table
            .filter(signups::activity_id.eq(self.activity))
            .filter(signups::state.eq(SignupState::Confirmed))
            .order(signups::number)
            .limit(1)
            .select(signups::id)
            .load(conn)?;
        unionhall::signup::store::attended_in_tx(conn, &confirmed)
    }

    fn job(&self, name: &str, id: impl std::fmt::Display) -> Job {
        let now = db_time(self.clock.now());
        Job {
            id: self.tools.ids.id(),
            kind: String::new(),
            payload: format!("{{\"{name}\":\"{id}\"}}"),
            dedupe_key: None,
            state: JobState::Running,
            run_at: now,
            attempts: 1,
            leased_by: None,
            leased_until: None,
            last_error: None,
            created_at: now,
        }
    }

    /// Every invariant, by what the tables say.
    fn check(&mut self, conn: &mut Conn) -> Result<()> {
        let seed = self.seed;
        let activity: Activity =
            activities::table.find(self.activity).select(Activity::as_select()).first(conn)?;
        let rows: Vec<Row> = signups::table
            .filter(signups::activity_id.eq(self.activity))
            .order(signups::number)
            .select((
                signups::id,
                signups::person_id,
                signups::state,
                signups::quota_id,
                signups::number,
                signups::priority,
            ))
            .load(conn)?;
        let count = |of: &dyn Fn(SignupState) -> bool, quota: Option<QuotaId>| {
            let fits = |row: &&Row| of(row.2) && (quota.is_none() || row.3 == quota);
            i64::try_from(rows.iter().filter(fits).count()).unwrap()
        };
        let (taken, held) = (count(&SignupState::takes, None), count(&SignupState::holds, None));
        assert_eq!((activity.taken, activity.held), (taken, held), "seed {seed}: the total");
        assert!(taken + held <= activity.bookable, "seed {seed}: beyond the total");
        let nodes: Vec<Quota> = quotas::table
            .filter(quotas::activity_id.eq(self.activity))
            .select(Quota::as_select())
            .load(conn)?;
        for node in &nodes {
            let used = (count(&SignupState::takes, Some(node.id)), count(&SignupState::holds, Some(node.id)));
            assert_eq!((node.taken, node.held), used, "seed {seed}: {:?}", node.kind);
            assert!(node.taken + node.held <= node.capacity, "seed {seed}: beyond {:?}", node.kind);
        }
        let live: Vec<PersonId> =
            rows.iter().filter(|row| row.2 != SignupState::Cancelled).map(|row| row.1).collect();
        assert_eq!(
            live.iter().collect::<HashSet<_>>().len(),
            live.len(),
            "seed {seed}: somebody lives twice"
        );
        let made: Vec<(SignupId, OfferState)> = offers::table
            .filter(offers::activity_id.eq(self.activity))
            .select((offers::signup_id, offers::state))
            .load(conn)?;
        let open: Vec<SignupId> =
            made.iter().filter(|offer| offer.1 == OfferState::Open).map(|offer| offer.0).collect();
        let offered: HashSet<SignupId> =
            rows.iter().filter(|row| row.2 == SignupState::Offered).map(|row| row.0).collect();
        assert_eq!(open.len(), offered.len(), "seed {seed}: an offer too many");
        assert_eq!(
            open.iter().copied().collect::<HashSet<_>>(),
            offered,
            "seed {seed}: offers and the asked differ"
        );
        assert!(open.iter().all(|signup| !self.left.contains(signup)), "seed {seed}: asked after leaving");
        if !offered.is_empty() {
            self.told.push("offered".into());
        }
        let asked: HashSet<SignupId> = made.iter().map(|offer| offer.0).collect();
        self.check_order(&activity, &nodes, &rows, &asked);
        self.check_answers(&rows);
        Ok(())
    }

    /// Nobody waits beside a place that they could have, and nobody has one, or has it kept, who came later. Those who were `asked`
    /// may come before others by their priority.
    fn check_order(&self, activity: &Activity, nodes: &[Quota], rows: &[Row], asked: &HashSet<SignupId>) {
        let seed = self.seed;
        let pool = nodes.iter().find(|node| node.kind == QuotaKind::Pool).map(|node| node.id);
        let waiting: Vec<&Row> = rows.iter().filter(|row| row.2 == SignupState::Waiting).collect();
        let could_use = |waits: Option<QuotaId>, quota: Option<QuotaId>| {
            waits == quota || (quota.is_some() && quota == pool)
        };
        assert!(
            activity.waiting_list != WaitingPolicy::None || waiting.is_empty(),
            "seed {seed}: nobody may wait"
        );
        // Half an hour before the start nobody is asked any more.
        let time = self.clock.now() + TimeDelta::hours(1) < activity.starts_at.and_utc();
        let free = |node: &Quota| (node.capacity - node.taken - node.held).min(activity.free());
        for waits in waiting.iter().filter(|_| time) {
            let idle = if activity.split {
                nodes.iter().any(|node| could_use(waits.3, Some(node.id)) && free(node) > 0)
            } else {
                activity.free() > 0
            };
            assert!(!idle, "seed {seed}: a place lies idle while somebody waits for it");
        }
        for has in rows.iter().filter(|row| row.2.takes() || row.2.holds()) {
            let passed = |waits: &&&Row| {
                let before = waits.4 < has.4 && (waits.5 >= has.5 || !asked.contains(&has.0));
                before && could_use(waits.3, has.3)
            };
            let passed = waiting.iter().find(passed);
            assert!(passed.is_none(), "seed {seed}: {has:?} passed {passed:?}");
        }
    }

    /// Every acknowledged sign-up exists once; what was acknowledged as ended is ended.
    fn check_answers(&self, rows: &[Row]) {
        let by_id: HashMap<SignupId, &Row> = rows.iter().map(|row| (row.0, row)).collect();
        let mut created = HashSet::new();
        for (person, _, act, stored) in &self.answers {
            let body: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
            let id: SignupId = body["id"].as_str().unwrap().parse().unwrap();
            let row = by_id
                .get(&id)
                .unwrap_or_else(|| panic!("seed {}: an acknowledged sign-up is lost", self.seed));
            assert_eq!(row.1, *person, "seed {}", self.seed);
            if matches!(act, Act::Create { .. }) {
                assert!(created.insert(id), "seed {}: one effect for two keys", self.seed);
            }
            if matches!(act, Act::Cancel { .. }) {
                assert_eq!(row.2, SignupState::Cancelled, "seed {}: back from the dead", self.seed);
            }
        }
        assert_eq!(created.len(), rows.len(), "seed {}: a sign-up that nobody was told of", self.seed);
    }
}

fn fingerprint(what: &str, act: &Act) -> Vec<u8> {
    format!("{what} {act:?}").into_bytes()
}

fn quota(
    conn: &mut Conn,
    tools: &Tools,
    activity: &Activity,
    kind: QuotaKind,
    organisation: Option<OrganisationId>,
    rank: i64,
    capacity: i64,
) -> Result<()> {
    let row = Quota {
        id: tools.ids.id(),
        activity_id: activity.id,
        parent_id: None,
        kind,
        organisation_id: organisation,
        audience: None,
        rank,
        capacity,
        taken: 0,
        held: 0,
        version: 1,
    };
    diesel::insert_into(quotas::table).values(&row).execute(conn)?;
    Ok(())
}
