//! Open requests by the hundred thousand, over eleven sub-districts and some hundred units, and what each filter must find.

use chrono::{DateTime, TimeDelta, Utc};
use unionhall::app;
use unionhall::clock::{Clock, SharedClock, SystemClock};
use unionhall::ids::{Ids, ReviewId, StageId, SystemEntropy};
use unionhall::people::model::PHONE;
use unionhall::platform::db::Engine;

use super::support::ground::{Ground, blob, id, text};

const UNITS: &str = "0190000000007000e000";
const APPLICANTS: &str = "0190000000007000e100";
const REVIEWS: &str = "0190000000007000e200";
const STAGES: &str = "0190000000007000e300";
const SUBJECTS: &str = "0190000000007000e400";
const GRANTS: &str = "0190000000007000e500";
/// The sub-districts of the seeds.
const STREETS: [&str; 11] = [
    "pinghu",
    "pingdi",
    "nanwan",
    "bantian",
    "buji",
    "longcheng",
    "longgang",
    "henggang",
    "jihua",
    "baolong",
    "yuanshan",
];
/// People who have a name in common.
const NAMES: usize = 20_000;
/// Rows in one statement.
const TOGETHER: usize = 500;

/// Who looks at the queue, by their number in the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Officer {
    District,
    Street,
    Unit,
}

impl Officer {
    fn number(self) -> usize {
        match self {
            Self::District => 0,
            Self::Street => 1,
            Self::Unit => 2,
        }
    }
}

/// An open request.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    pub number: usize,
    pub unit: usize,
    /// 1 for its unit, 2 for the sub-district, 3 for the district.
    pub level: usize,
    pub is_membership: bool,
    pub is_returned: bool,
    /// Whose claim it is.
    pub claimed: Option<Officer>,
    pub due: DateTime<Utc>,
    pub amber: DateTime<Utc>,
}

impl Paper {
    /// No due time is within three hours, so that a run sees the same colours from begin to end.
    fn new(number: usize, units: usize, now: DateTime<Utc>) -> Self {
        let spread = |from: i64, over: usize| from + i64::try_from(number * 31 % over).unwrap();
        let is_returned = number % 20 == 7;
        let minutes = match number * 7919 % 100 {
            // What was returned is not overdue: it would lapse.
            0..12 if !is_returned => spread(-5_000, 4_700),
            0..20 => spread(300, 2_200),
            _ => spread(3_300, 31_000),
        };
        // No two at the same instant.
        let due = now + TimeDelta::minutes(minutes) + TimeDelta::microseconds(i64::try_from(number).unwrap());
        let level = match number % 10 {
            0..5 => 1,
            5..8 => 2,
            _ => 3,
        };
        let claimed = match number % 70 {
            3 if !is_returned => Some(Officer::District),
            10 | 17 | 24 if !is_returned => Some(Officer::Street),
            _ => None,
        };
        Self {
            number,
            unit: number / 10 % units,
            level,
            is_membership: number.is_multiple_of(3),
            is_returned,
            claimed,
            due,
            amber: due - TimeDelta::minutes(2_880),
        }
    }

    pub fn street(&self) -> usize {
        self.unit % STREETS.len()
    }

    pub fn id(&self) -> ReviewId {
        ReviewId(id(REVIEWS, self.number))
    }

    pub fn stage(&self) -> StageId {
        StageId(id(STAGES, self.number * 3 + self.level - 1))
    }

    pub fn name(&self) -> usize {
        self.number % NAMES
    }

    /// Whether `officer` sees it in their queue.
    pub fn is_seen_by(&self, officer: Officer) -> bool {
        match officer {
            Officer::District => true,
            Officer::Street => self.street() == 0 && self.level <= 2,
            Officer::Unit => self.unit == 0 && self.level == 1,
        }
    }
}

/// The ground with its requests.
pub struct Papers {
    pub ground: Ground,
    pub all: Vec<Paper>,
    pub now: DateTime<Utc>,
    /// The phone number of the applicant with number 4711, or the last.
    pub phone: &'static str,
}

impl Papers {
    /// Lays `count` open requests into the database at `url`.
    pub fn lay(url: &str, count: usize, units: usize) -> Self {
        let ground = Ground::lay(url, 5, 0);
        let now = SystemClock.now();
        let all = (0..count).map(|number| Paper::new(number, units, now)).collect();
        let papers = Self { ground, all, now, phone: "13800004711" };
        papers.units(units);
        papers.people(count);
        papers.rows(units);
        papers.ground.analyse();
        papers
    }

    pub fn token(&self, officer: Officer) -> String {
        self.ground.token(officer.number())
    }

    pub fn unit(number: usize) -> unionhall::ids::OrganisationId {
        unionhall::ids::OrganisationId(id(UNITS, number))
    }

    fn units(&self, units: usize) {
        // A street for each, by its code: the place of n in the list.
        let streets: String = STREETS
            .iter()
            .enumerate()
            .map(|(place, code)| format!(" WHEN {place} THEN 'street-{code}'"))
            .collect();
        let columns = "id, code, name, short_name, kind, parent_id, path, street_id, opened_on, version";
        let values = format!(
            "{}, 'bench-unit-' || n, '示例企业' || n || '工会', '示例企业' || n, 'enterprise_union', s.id, \
             s.path || 'bench-unit-' || n || '/', s.id, '2020-01-01', 1",
            blob(UNITS, "n")
        );
        let from = format!(" JOIN organisations AS s ON s.code = CASE n % {}{streets} END", STREETS.len());
        self.ground.insert("organisations", units, columns, &values, &from);
        let bodies = ["longgang", "street-pinghu", "bench-unit-0"];
        for (number, body) in bodies.into_iter().enumerate() {
            self.ground.sql(&format!(
                "INSERT INTO staff_grants (id, person_id, role, organisation_id, granted_at) \
                 SELECT {}, {}, 'reviewer', o.id, '{}' FROM organisations AS o WHERE o.code = '{body}'",
                self.bytes(id(GRANTS, number)),
                self.bytes(Ground::person(number).0),
                text(self.now)
            ));
        }
    }

    fn people(&self, count: usize) {
        let at = text(self.now);
        let values = format!("{}, '职工' || (n % {NAMES}), 1, '{at}', '{at}'", blob(APPLICANTS, "n"));
        self.ground.insert("people", count, "id, name, version, created_at, updated_at", &values, "");
        let clock: SharedClock = std::sync::Arc::new(SystemClock);
        let ids = Ids::new(clock, std::sync::Arc::new(SystemEntropy));
        let vault = app::open_vault(&self.ground.config, &ids).unwrap();
        let number = unionhall::people::phone::Phone::parse(self.phone).unwrap();
        let index = vault.blind_index(PHONE, number.as_str());
        self.ground.sql(&format!(
            "UPDATE people SET phone_index = {}, phone_sealed = 'x' WHERE id = {}",
            self.hex(&index),
            self.bytes(id(APPLICANTS, self.with_phone().number))
        ));
    }

    /// Whose number [`Self::phone`] is.
    pub fn with_phone(&self) -> &Paper {
        self.all.get(4711).unwrap_or_else(|| &self.all[self.all.len() - 1])
    }

    fn hex(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.ground.engine() {
            Engine::Postgres => format!("'\\x{hex}'::bytea"),
            Engine::Sqlite => format!("X'{hex}'"),
        }
    }

    fn bytes(&self, id: uuid::Uuid) -> String {
        self.hex(id.as_bytes())
    }

    /// Reviews, three stages each, and the lines of the queues, in statements of some hundred rows and one transaction for some
    /// thousand.
    fn rows(&self, units: usize) {
        let streets: Vec<String> =
            STREETS.iter().map(|code| self.organisation(&format!("street-{code}"))).collect();
        let district = self.organisation("longgang");
        assert!(units > 0);
        for many in self.all.chunks(TOGETHER * 10) {
            let mut script = String::from("BEGIN;\n");
            for papers in many.chunks(TOGETHER) {
                let (mut reviews, mut stages, mut queue) = (Vec::new(), Vec::new(), Vec::new());
                for paper in papers {
                    let unit = self.bytes(id(UNITS, paper.unit));
                    let bodies = [unit.as_str(), &streets[paper.street()], &district];
                    reviews.push(self.review(paper, &unit));
                    stages.extend((1..=3).map(|level| self.stage(paper, level, bodies[level - 1])));
                    queue.extend((paper.level..=3).map(|level| self.line(paper, level, bodies[level - 1])));
                }
                for (table, columns, rows) in [
                    ("reviews", REVIEW_COLUMNS, reviews),
                    ("review_stages", STAGE_COLUMNS, stages),
                    ("review_queue", QUEUE_COLUMNS, queue),
                ] {
                    script
                        .push_str(&format!("INSERT INTO {table} ({columns}) VALUES {};\n", rows.join(",\n")));
                }
            }
            script.push_str("COMMIT;");
            self.ground.sql(&script);
        }
    }

    /// The id of a seeded organisation, as a literal.
    fn organisation(&self, code: &str) -> String {
        format!("(SELECT o.id FROM organisations AS o WHERE o.code = '{code}')")
    }

    fn kind(paper: &Paper) -> &'static str {
        if paper.is_membership { "membership" } else { "signup" }
    }

    fn review(&self, paper: &Paper, unit: &str) -> String {
        let own = self.bytes(paper.id().0);
        let (state, supplement) = if paper.is_returned {
            ("returned", format!("'{}'", text(paper.due)))
        } else {
            ("open", "NULL".into())
        };
        format!(
            "({own}, '{}', 'signup.convalescence', '2025-01-01', {}, '清远疗休养', {}, {unit}, '{state}', {}, 'x', '[]', \
             {}, {supplement}, {own}, '{}', 1)",
            Self::kind(paper),
            self.bytes(id(SUBJECTS, paper.number)),
            self.bytes(id(APPLICANTS, paper.number)),
            paper.level,
            i64::from(paper.is_returned),
            text(self.now - TimeDelta::days(5)),
        )
    }

    fn stage(&self, paper: &Paper, level: usize, body: &str) -> String {
        let own = self.bytes(id(STAGES, paper.number * 3 + level - 1));
        let review = self.bytes(paper.id().0);
        let applicant = self.bytes(id(APPLICANTS, paper.number));
        let at = |at: DateTime<Utc>| format!("'{}'", text(at));
        let null = || "NULL".to_owned();
        let (state, by) = match level.cmp(&paper.level) {
            std::cmp::Ordering::Less => ("approved", self.bytes(Ground::person(level + 2).0)),
            std::cmp::Ordering::Equal => ("open", null()),
            std::cmp::Ordering::Greater => ("pending", null()),
        };
        let runs = level == paper.level && !paper.is_returned;
        let (due, amber) = if runs { (at(paper.due), at(paper.amber)) } else { (null(), null()) };
        let claimed = paper
            .claimed
            .filter(|_| runs)
            .map_or_else(null, |who| self.bytes(Ground::person(who.number()).0));
        let is = |come: DateTime<Utc>| if runs && come <= self.now { at(come) } else { null() };
        format!(
            "({own}, {review}, {review}, {level}, '环节{level}', {body}, FALSE, 'review.stage.unit', '{state}', {applicant}, \
             {due}, {amber}, {}, {}, {claimed}, {by})",
            is(paper.amber),
            is(paper.due)
        )
    }

    fn line(&self, paper: &Paper, level: usize, organisation: &str) -> String {
        let claimed =
            paper.claimed.map_or("NULL".to_owned(), |who| self.bytes(Ground::person(who.number()).0));
        format!(
            "({organisation}, {}, {}, {}, '{}', '{}', {claimed}, '{}', '{}')",
            self.bytes(paper.stage().0),
            self.bytes(paper.id().0),
            if level == paper.level { "TRUE" } else { "FALSE" },
            if paper.is_returned { "applicant" } else { "desk" },
            Self::kind(paper),
            text(if paper.is_returned { paper.due } else { paper.amber }),
            text(paper.due),
        )
    }
}

const REVIEW_COLUMNS: &str = "id, kind, chain, chain_from, subject_id, title, applicant_id, employer_id, state, step, \
                              form_sealed, missing, returns, supplement_due_at, root_id, opened_at, version";
const STAGE_COLUMNS: &str = "id, review_id, root_id, number, name, body_id, employer_barred, clock, state, applicant_id, \
                             due_at, amber_at, warned_at, breached_at, claimed_by, decided_by";
const QUEUE_COLUMNS: &str =
    "organisation_id, stage_id, review_id, own, waits, kind, claimed_by, amber_at, due_at";
