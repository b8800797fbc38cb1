//! A database with people who are logged in, a past, and activities; and what must be true of it afterwards.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use unionhall::app;
use unionhall::clock::{Clock, SharedClock, SystemClock, db_time};
use unionhall::config::Config;
use unionhall::ids::{ActivityId, FamilyId, Ids, PersonId, SystemEntropy};
use unionhall::platform::access::AccessTokens;
use unionhall::platform::db::schema::{activities, signups};
use unionhall::platform::db::{Db, Engine};
use unionhall::seed::{self, SeedSource, loader};
use uuid::Uuid;

use super::load::Outcome;

/// Ids are these with a number in the last six bytes, so that SQL can make them by the million.
const PEOPLE: &str = "01900000000070008000";
const FAMILIES: &str = "01900000000070009000";
const ACTIVITIES: &str = "0190000000007000a000";
const SIGNUPS: &str = "0190000000007000c000";
/// People who came to each activity of the past.
const CAME: usize = 500;

pub struct Ground {
    pub config: Config,
    db: Db,
    ids: Ids,
    tokens: AccessTokens,
    people: usize,
    /// The next person who has not been asked yet.
    next: usize,
}

/// The id with the number `number`.
pub fn id(prefix: &str, number: usize) -> Uuid {
    Uuid::parse_str(&format!("{prefix}{number:012x}")).unwrap()
}

impl Ground {
    /// Migrates and seeds the database at `url`, with `people` of whom everybody is logged in, and `past` activities.
    pub fn lay(url: &str, people: usize, past: usize) -> Self {
        let mut config = Config::defaults().unwrap();
        config.database.url = url.to_owned().into();
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::new(Arc::clone(&clock), Arc::new(SystemEntropy));
        let db = app::open_database(&config).unwrap();
        app::migrate_database(&db).unwrap();
        let seeds = seed::load(&SeedSource::Embedded).unwrap();
        let appid = Some(config.wechat.appid.as_str());
        let loader = loader::Loader { ids: &ids, now: SystemClock.now(), simulated_appid: appid, demo: true };
        db.write_blocking(|conn| loader::load_in_tx(conn, &seeds, &loader)).unwrap();
        let tokens = AccessTokens::new(
            &config.token_keys(),
            &config.auth.key_id,
            &config.auth.issuer,
            &config.auth.audience,
            TimeDelta::minutes(config.auth.access_minutes),
            clock,
            ids.clone(),
        )
        .unwrap();
        let ground = Self { config, db, ids, tokens, people, next: 0 };
        ground.populate(people);
        ground.remember(past);
        ground
    }

    /// Runs statements that say `BLOB(` and `NUMBER(` for what the engines say differently.
    pub fn sql(&self, text: &str) {
        let text = match self.engine() {
            Engine::Postgres => text
                .replace("BLOB(", "decode(")
                .replace("NUMBER(", "lpad(to_hex(")
                .replace("/NUMBER", "), 12, '0'), 'hex'"),
            Engine::Sqlite => {
                text.replace("BLOB(", "unhex(").replace("NUMBER(", "printf('%012x', ").replace("/NUMBER", ")")
            }
        };
        // A new connection: on PostgreSQL without the limit of statements, which is for requests.
        let mut conn = self.db.connect().unwrap();
        if self.engine() == Engine::Postgres {
            conn.batch_execute("SET statement_timeout = 0").unwrap();
        }
        conn.batch_execute(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }

    /// `insert … select …` for `n` from 0 to `count - 1`.
    pub fn insert(&self, table: &str, count: usize, columns: &str, values: &str, from: &str) {
        if count == 0 {
            return;
        }
        let last = count - 1;
        let series = match self.engine() {
            Engine::Postgres => format!("SELECT g AS n FROM generate_series(0, {last}) AS g"),
            Engine::Sqlite => format!(
                "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s"
            ),
        };
        self.sql(&format!("INSERT INTO {table} ({columns}) SELECT {values} FROM ({series}) AS t{from}"));
    }

    fn populate(&self, people: usize) {
        let now = text(SystemClock.now());
        let until = text(SystemClock.now() + TimeDelta::days(2));
        let person = blob(PEOPLE, "n");
        self.insert(
            "people",
            people,
            "id, version, created_at, updated_at",
            &format!("{person}, 1, '{now}', '{now}'"),
            "",
        );
        let family = blob(FAMILIES, "n");
        let values = format!("{family}, {person}, '{now}', '{until}'");
        self.insert("token_families", people, "id, person_id, created_at, expires_at", &values, "");
    }

    /// Finished activities to each of which [`CAME`] people came, and whose messages they still have.
    fn remember(&self, past: usize) {
        let then = SystemClock.now() - TimeDelta::days(30);
        self.copy_activities(ACTIVITIES, past, "finished", then, CAME, CAME);
        let came = CAME.min(self.people);
        let at = text(then);
        let activity = blob(ACTIVITIES, &format!("(n / {came})"));
        let person = blob(PEOPLE, &format!("(n * 7919 % {})", self.people));
        let values = format!(
            "{}, {activity}, {person}, 'attended', n % {came} + 1, 0, 'participant', '{at}', 1",
            blob(SIGNUPS, "n")
        );
        let columns = "id, activity_id, person_id, state, number, priority, role, created_at, version";
        self.insert("signups", past * came, columns, &values, "");
        let values = format!(
            "{}, {person}, 'past-' || n, 'signup_confirmed', '报名成功', '您已成功报名', '{at}'",
            blob(SIGNUPS, "n")
        );
        self.insert(
            "notices",
            past * came,
            "id, person_id, source, kind, title, body, created_at",
            &values,
            "",
        );
        self.analyse();
    }

    /// Lets the engine look at what there is.
    pub fn analyse(&self) {
        let analyse = match self.engine() {
            Engine::Postgres => "VACUUM ANALYZE; CHECKPOINT",
            Engine::Sqlite => "ANALYZE",
        };
        for statement in analyse.split("; ") {
            self.sql(statement);
        }
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }

    /// Somebody who is logged in, by number.
    pub fn person(number: usize) -> PersonId {
        PersonId(id(PEOPLE, number))
    }

    /// Their access token.
    pub fn token(&self, number: usize) -> String {
        self.tokens.issue(Self::person(number), FamilyId(id(FAMILIES, number))).unwrap()
    }

    fn copy_activities(
        &self,
        prefix: &str,
        count: usize,
        state: &str,
        starts: chrono::DateTime<chrono::Utc>,
        capacity: usize,
        taken: usize,
    ) {
        let ends = starts + TimeDelta::hours(2);
        let (opens, closes) = (starts - TimeDelta::days(10), starts);
        let columns = "id, programme_id, organisation_id, street_id, title, summary, venue, address, state, allocation, \
                       capacity, bookable, taken, held, numbered, split, waiting_list, own_clash, fair_minutes, waves, \
                       signup_opens_at, signup_closes_at, starts_at, ends_at, version, created_at, updated_at";
        let values = format!(
            "{}, a.programme_id, a.organisation_id, a.street_id, a.title, a.summary, a.venue, a.address, '{state}', \
             'first_come', {capacity}, {capacity}, {taken}, 0, {taken}, a.split, 'none', 'warn', 0, '[]', \
             '{}', '{}', '{}', '{}', 1, '{}', '{}'",
            blob(prefix, "n"),
            text(opens),
            text(closes),
            text(starts),
            text(ends),
            text(opens),
            text(opens)
        );
        let from =
            ", (SELECT * FROM activities WHERE code IS NOT NULL AND split = FALSE ORDER BY id LIMIT 1) AS a";
        self.insert("activities", count, columns, &values, from);
        let values = format!(
            "{}, {}, 1, '{}', '{}', '{}', 0, 1",
            blob(&format!("01b0{}", &prefix[4..]), "n"),
            blob(prefix, "n"),
            text(starts),
            text(ends),
            if state == "finished" { "finalised" } else { "planned" }
        );
        self.insert(
            "sessions",
            count,
            "id, activity_id, number, starts_at, ends_at, state, present, version",
            &values,
            "",
        );
    }

    /// `count` published activities that the public sees.
    pub fn catalogue(&self, count: usize) -> Vec<ActivityId> {
        let prefix = "0190000000007000d000";
        self.copy_activities(prefix, count, "published", SystemClock.now() + TimeDelta::days(5), 20, 0);
        (0..count).map(|n| ActivityId(id(prefix, n))).collect()
    }

    /// An activity that is open now.
    pub fn activity(&self, capacity: usize) -> ActivityId {
        let made: ActivityId = self.ids.id();
        let prefix = &made.0.simple().to_string()[..20];
        self.copy_activities(prefix, 1, "published", SystemClock.now() + TimeDelta::days(5), capacity, 0);
        ActivityId(id(prefix, 0))
    }

    /// An activity that begins at `starts`, with `taken` of its places given.
    pub fn activity_at(
        &self,
        capacity: usize,
        starts: chrono::DateTime<chrono::Utc>,
        taken: usize,
    ) -> ActivityId {
        let made: ActivityId = self.ids.id();
        let prefix = &made.0.simple().to_string()[..20];
        self.copy_activities(prefix, 1, "published", starts, capacity, taken);
        ActivityId(id(prefix, 0))
    }

    /// Reads from the database.
    pub fn read<T>(
        &self,
        f: impl FnOnce(&mut unionhall::platform::db::Conn) -> unionhall::error::Result<T>,
    ) -> T {
        self.db.read_blocking(f).unwrap()
    }

    /// Requests of the next `count` people for a place.
    pub fn requests(&mut self, activity: ActivityId, count: usize) -> Vec<Vec<u8>> {
        assert!(self.next + count <= self.people, "too few people");
        let first = self.next;
        self.next += count;
        (first..self.next)
            .map(|turn| {
                let number = self.nth(turn);
                let token = self.token(number);
                format!(
                    "POST /api/v1/activities/{activity}/signups HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                     Idempotency-Key: bench-{activity}-{number}\r\nContent-Type: application/json\r\n\
                     Content-Length: 2\r\n\r\n{{}}"
                )
                .into_bytes()
            })
            .collect()
    }

    /// Lets the same people be asked again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Fails unless the answers are those of an exact, strict allocation of `capacity` places, and the database agrees.
    pub fn judge(&self, activity: ActivityId, capacity: usize, first: usize, outcome: &Outcome) {
        let given = outcome.answers.iter().filter(|one| one.status == 201).count();
        let expected = capacity.min(outcome.answers.len());
        assert_eq!(given, expected, "places given of {capacity} to {} people", outcome.answers.len());
        for one in outcome.answers.iter().filter(|one| one.status != 201) {
            assert_eq!((one.status, one.code.as_deref()), (409, Some("signup_full")), "{one:?}");
        }
        let (taken, rows): (i64, Vec<(PersonId, i64)>) = self
            .db
            .read_blocking(|conn| {
                let taken = activities::table.find(activity).select(activities::taken).first(conn)?;
                let rows = signups::table
                    .filter(signups::activity_id.eq(activity))
                    .filter(signups::state.eq("confirmed"))
                    .order(signups::number)
                    .select((signups::person_id, signups::number))
                    .load(conn)?;
                Ok((taken, rows))
            })
            .unwrap();
        assert_eq!(usize::try_from(taken).unwrap(), expected, "the count of places");
        assert_eq!(rows.len(), expected, "rows");
        // The order of arrival, as far as it can be seen from outside: nobody is before somebody who had been answered before
        // the other had even asked.
        let mut times = std::collections::HashMap::new();
        for one in &outcome.answers {
            times.insert(Self::person(self.nth(first + one.number)), one);
        }
        let full = outcome.answers.iter().filter(|one| one.status != 201).map(|one| one.answered);
        let mut earliest = full.min().unwrap_or(Duration::MAX);
        for (person, number) in rows.iter().rev() {
            let one = times.get(person).unwrap_or_else(|| panic!("{person} has a place and never asked"));
            assert_eq!(one.status, 201, "{person} has a place and was refused");
            assert!(one.sent <= earliest, "number {number} asked after a later one was answered");
            earliest = earliest.min(one.answered);
        }
    }

    /// People come from all over the table, not in the order of their ids.
    fn nth(&self, turn: usize) -> usize {
        turn * 7919 % self.people
    }

    /// Waits until the messages of a rush are written, so that the next one starts on a quiet server.
    pub fn settle(&self) {
        use unionhall::platform::db::schema::jobs;
        for _ in 0..1200 {
            let queued = self.db.read_blocking(|conn| {
                Ok(jobs::table.filter(jobs::kind.eq("notice.write")).count().get_result::<i64>(conn)?)
            });
            if queued.unwrap() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("messages are not written after two minutes");
    }

    /// The number of the next person.
    pub fn first(&self) -> usize {
        self.next
    }
}

/// An instant as both engines take it.
pub fn text(at: chrono::DateTime<chrono::Utc>) -> String {
    db_time(at).format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// SQL for an id with the number `n`.
pub fn blob(prefix: &str, n: &str) -> String {
    format!("BLOB('{prefix}' || NUMBER({n}/NUMBER)")
}
