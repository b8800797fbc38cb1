//! Whether the ledger agrees with its sources: every attendance, every crowd, every session that took place, every approved report and every
//! accepted case has exactly the lines that the rules of counting ask for, and every live line has its source. What was cancelled is a source no more. What
//! waits for the restatement of a closed month is taken as if it stood.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::counting::{Ground, RulesByDay, counted_as};
use super::model::{Each, Target};
use super::standings::{Digest, Live, Standings, digest};
use crate::attendance;
use crate::attendance::counting::{Attended, CountedCrowd, Held};
use crate::attendance::headcounts;
use crate::attendance::store::Counted;
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{ActivityId, OrganisationId, SessionId, SubjectId, TargetId};
use crate::ledger;
use crate::ledger::model::{Cause, Grade, NewLine, SourceKind};
use crate::ledger::verify::{Difference, Standing};
use crate::offering;
use crate::offering::model::{Session, SessionState};
use crate::org;
use crate::org::model::OrganisationKind;
use crate::people;
use crate::platform::db::schema::{activities, sessions, targets};
use crate::platform::db::{Conn, read_ahead};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines read.
    pub lines: i64,
    /// Everything that does not agree.
    pub differences: Vec<Difference>,
}

/// Recomputes everything. `progress` is told how many sources are done.
pub fn verify(conn: &mut Conn, mut progress: impl FnMut(usize)) -> Result<Report> {
    let mut checking = Checking::load(conn)?;
    let (lines, differences) = ledger::verify::verify(conn, |standing| checking.stands(standing))?;
    checking.differences.extend(differences);
    checking.live.sort();
    let all: Vec<ActivityId> = activities::table.select(activities::id).load(conn)?;
    let ground = Ground::load(conn, all)?;
    let mut rules = RulesByDay::default();
    attendances(conn, &ground, &mut rules, &mut checking, &mut progress)?;
    crowds(conn, &ground, &mut rules, &mut checking)?;
    held(conn, &ground, &mut rules, &mut checking)?;
    for line in super::reports::expected_lines(conn)? {
        checking.expect(&line);
    }
    super::cases::expect_all(conn, |line| checking.expect(line))?;
    let mut differences = checking.finish(conn)?;
    differences.sort();
    differences.dedup();
    Ok(Report { lines, differences })
}

/// Attendances of one statement.
const PAGE: i64 = 4096;

/// Reads all attendances that stand.
fn read(conn: &mut Conn, pages: &SyncSender<Vec<Counted>>) -> Result<()> {
    let mut after = None;
    loop {
        let page = attendance::store::all_after(conn, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        if pages.send(page).is_err() {
            return Ok(());
        }
    }
}

fn attendances(
    conn: &mut Conn,
    ground: &Ground,
    rules: &mut RulesByDay,
    checking: &mut Checking,
    progress: &mut impl FnMut(usize),
) -> Result<()> {
    let roles = offering::store::roles(conn)?;
    let kept = people::merging::store::all(conn)?;
    let stand = sessions::table.filter(sessions::state.ne(SessionState::Cancelled));
    let stand: Vec<(SessionId, ActivityId, NaiveDateTime)> =
        stand.select((sessions::id, sessions::activity_id, sessions::starts_at)).load(conn)?;
    let mut of: HashMap<SessionId, (ActivityId, DateTime<Utc>, NaiveDate)> = HashMap::new();
    for (id, activity, starts_at) in stand {
        let day = civil_day(starts_at.and_utc());
        rules.on(conn, day)?;
        of.insert(id, (activity, starts_at.and_utc(), day));
    }
    let look = |pages: &Receiver<Vec<Counted>>| -> Result<()> {
        let mut done = 0;
        for page in pages {
            for row in &page {
                let Some((activity, starts_at, day)) = of.get(&row.session_id).copied() else { continue };
                let one = Attended {
                    attendance: row.id,
                    person: row.person_id,
                    // Frozen on the line on the day itself; the workplace of today must not be asked.
                    workplace: None,
                    activity,
                    starts_at,
                    role: row.role,
                    counts: roles.get(&row.role).is_some_and(|role| role.counts),
                    grade: row.grade,
                    cause: Cause::New,
                };
                let one = counted_as(&one, &kept);
                for line in ground.attended(&one, day, rules.known(day))? {
                    // Which sub-district a person counted for is on the line alone; the district's line is checked.
                    if !is_of_street(&line.dedup_key) {
                        checking.expect(&line);
                    }
                }
            }
            done += page.len();
            progress(done);
        }
        Ok(())
    };
    read_ahead(conn, read, look)?
}

fn crowds(conn: &mut Conn, ground: &Ground, rules: &mut RulesByDay, checking: &mut Checking) -> Result<()> {
    let mut after = None;
    loop {
        let page = headcounts::store::standing_after(conn, after, 1000)?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for (row, activity, starts_at, present) in page {
            let starts_at = starts_at.and_utc();
            let day = civil_day(starts_at);
            let crowd = CountedCrowd {
                headcount: row.id,
                activity,
                starts_at,
                quantity: headcounts::rules::quantity(row.standing, present),
                cause: Cause::New,
                reason: String::new(),
            };
            for line in ground.crowd(&crowd, day, rules.on(conn, day)?)? {
                checking.expect(&line);
            }
        }
    }
}

fn held(conn: &mut Conn, ground: &Ground, rules: &mut RulesByDay, checking: &mut Checking) -> Result<()> {
    let held = sessions::table.filter(sessions::held.eq(true));
    let held: Vec<Session> =
        held.filter(sessions::state.ne(SessionState::Cancelled)).select(Session::as_select()).load(conn)?;
    for session in held {
        let starts_at = session.starts_at.and_utc();
        let day = civil_day(starts_at);
        let one = Held { session: session.id, activity: session.activity_id, starts_at, grade: Grade::B };
        for line in ground.held(&one, day, rules.on(conn, day)?)? {
            checking.expect(&line);
        }
    }
    Ok(())
}

/// Whether a key is that of a person for one sub-district.
fn is_of_street(key: &str) -> bool {
    key.starts_with("person/") && key.matches('/').count() == 2
}

/// A person counted for a sub-district.
struct OfStreet {
    /// The person, for the district.
    whole: Digest,
    target: TargetId,
    source: SubjectId,
    own: Digest,
}

/// Lines without a source that are named; of more than these it is said how many there are.
const NAMED: usize = 10_000;

/// Compares what stands with what should.
struct Checking {
    targets: Vec<Target>,
    places: HashMap<TargetId, u16>,
    organisations: HashMap<OrganisationId, OrganisationKind>,
    live: Standings,
    /// For whose figure a case stands: its source says so, and cases are few.
    cases: HashMap<Digest, OrganisationId>,
    of_streets: Vec<OfStreet>,
    missing: HashSet<Digest>,
    differences: Vec<Difference>,
}

impl Checking {
    fn load(conn: &mut Conn) -> Result<Self> {
        let all: Vec<Target> = targets::table.select(Target::as_select()).load(conn)?;
        let places = (0..).zip(&all).map(|(place, target)| (target.id, place)).collect();
        let organisations = org::store::all(conn)?.into_iter().map(|(id, row)| (id, row.kind)).collect();
        Ok(Self {
            targets: all,
            places,
            organisations,
            live: Standings::default(),
            cases: HashMap::new(),
            of_streets: Vec::new(),
            missing: HashSet::new(),
            differences: Vec::new(),
        })
    }

    /// A line stands, or waits to.
    fn stands(&mut self, one: Standing<'_>) {
        let Some(place) = self.places.get(&one.target).copied() else { return };
        let own = digest(one.target, one.key);
        self.organisation(&one, place);
        if is_of_street(one.key) {
            let (person, _) = one.key.rsplit_once('/').unwrap_or_default();
            let whole = digest(one.target, person);
            self.of_streets.push(OfStreet { whole, target: one.target, source: one.source, own });
            if one.quantity != 1 {
                let what =
                    format!("{} counts {} for {}; a person counts 1", one.key, one.quantity, one.target);
                self.differences.push(Difference::new("line_quantity", what));
            }
            return;
        }
        if one.source_kind == SourceKind::Case {
            self.cases.insert(own, one.organisation);
        }
        let (quantity, day, source, grade) = (one.quantity, one.day, one.source, one.grade);
        self.live.add(Live { own, quantity, day, target: place, source, grade, seen: false });
    }

    /// Figures are those of the district, of a sub-district, or, where each station must reach the value, of a station.
    fn organisation(&mut self, one: &Standing<'_>, place: u16) {
        let kind = self.organisations.get(&one.organisation).copied();
        let target = self.targets.get(usize::from(place));
        let stations = target.is_some_and(|target| target.each == Some(Each::Station));
        let reported = one.source_kind == SourceKind::Report || one.source_kind == SourceKind::Case;
        let fits = match kind {
            Some(OrganisationKind::District | OrganisationKind::SubDistrict) => true,
            Some(OrganisationKind::Station) => stations,
            _ => false,
        };
        let street = is_of_street(one.key).then(|| one.key.rsplit_once('/')).flatten();
        let named = street.is_none_or(|(_, street)| street == one.organisation.to_string());
        // Whose a reported figure is, is said by the report.
        if !(named && (fits || reported)) {
            let what = format!("{} is counted for {}, which has no figure of it", one.key, one.organisation);
            self.differences.push(Difference::new("line_organisation", what));
        }
    }

    /// A line should stand.
    fn expect(&mut self, line: &NewLine) {
        let (key, target) = (&line.dedup_key, line.target);
        let own = digest(target, key);
        let Some(live) = self.live.find(own) else {
            if self.missing.insert(own) {
                let what = format!("{key} is not counted for {target}");
                self.differences.push(Difference::new("line_missing", what));
            }
            return;
        };
        live.seen = true;
        let mut differs = |code, what: String| self.differences.push(Difference::new(code, what));
        if live.quantity != line.quantity {
            let what =
                format!("{key} counts {} for {target}; its source says {}", live.quantity, line.quantity);
            differs("line_quantity", what);
        }
        // A person counts through one of several attendances, an activity through one of several sessions.
        let is_of_several = key.starts_with("person/") || key.starts_with("activity/");
        let is_its_source = live.source == SubjectId(line.source_id);
        let is_told = if is_of_several { key.starts_with("person/") && is_its_source } else { true };
        if is_told && live.day != line.day {
            let what = format!("{key} counts on {} for {target}; its source says {}", live.day, line.day);
            differs("line_day", what);
        }
        if is_told && !is_its_source {
            differs("line_source", format!("{key} counts for {target} and names another source"));
        }
        if line.source_kind == SourceKind::Case && self.cases.get(&own) != Some(&line.organisation) {
            let what = format!("{key} counts for another figure of {target} than its source says");
            differs("line_organisation", what);
        }
        // Evidence may be worse than what counting would say today, never better.
        if (is_told || !key.starts_with("person/")) && live.grade < line.grade {
            let what =
                format!("{key} counts with grade {} for {target}; its source has {}", live.grade, line.grade);
            differs("line_grade", what);
        }
    }

    /// All sources are read: what was not expected has none.
    fn finish(self, conn: &mut Conn) -> Result<Vec<Difference>> {
        let Self { targets, live, of_streets, missing, mut differences, .. } = self;
        let expected = |whole: Digest| missing.contains(&whole) || live.get(whole).is_some_and(|of| of.seen);
        let of_streets = of_streets.iter().filter(|of| !expected(of.whole));
        let of_streets = of_streets.map(|of| (of.target, of.source, of.own));
        let unseen = live.iter().filter(|of| !of.seen);
        let unseen =
            unseen.filter_map(|of| Some((targets.get(usize::from(of.target))?.id, of.source, of.own)));
        let mut left = of_streets.chain(unseen);
        for (target, source, own) in left.by_ref().take(NAMED) {
            // Only the digest was kept of the key.
            let mut keys: Vec<String> = ledger::store::standing_of_source(conn, source.0)?
                .into_iter()
                .map(|line| line.dedup_key)
                .collect();
            keys.retain(|key| digest(target, key) == own);
            let key = keys.pop().unwrap_or_else(|| format!("a line of {source}"));
            let what = format!("{key} is counted for {target} without a source");
            differences.push(Difference::new("source_missing", what));
        }
        let more = left.count();
        if more > 0 {
            let what = format!("and {more} more are counted without a source");
            differences.push(Difference::new("source_missing", what));
        }
        Ok(differences)
    }
}
