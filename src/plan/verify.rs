//! Whether the ledger agrees with its sources: every attendance, every crowd, every session that took place and every approved report has exactly the lines
//! that the rules of counting ask for, and every live line has its source. What was cancelled is a source no more.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::counting::{Ground, RulesByDay};
use crate::attendance;
use crate::attendance::counting::{Attended, CountedCrowd, Held};
use crate::attendance::headcounts;
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{ActivityId, TargetId};
use crate::ledger;
use crate::ledger::model::{Grade, NewLine};
use crate::ledger::verify::Difference;
use crate::offering;
use crate::offering::model::{Session, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, sessions};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines read.
    pub lines: i64,
    /// Everything that does not agree.
    pub differences: Vec<Difference>,
}

type Key = (TargetId, String);

/// Recomputes everything. `progress` is told how many sources are done.
pub fn verify(conn: &mut Conn, mut progress: impl FnMut(usize)) -> Result<Report> {
    // Live quantity by key, as the lines have it.
    let mut live: BTreeMap<Key, (i64, chrono::NaiveDate)> = BTreeMap::new();
    let (lines, mut differences) = ledger::verify::verify(conn, |line| {
        let entry = live.entry((line.target_id, line.dedup_key.clone())).or_insert((0, line.day));
        entry.0 += line.quantity;
        entry.1 = line.day;
    })?;
    live.retain(|_, (quantity, _)| *quantity != 0);

    let all: Vec<ActivityId> = activities::table.select(activities::id).load(conn)?;
    let ground = Ground::load(conn, all)?;
    let roles = offering::store::roles(conn)?;
    let mut rules = RulesByDay::default();
    let mut expected: HashMap<Key, NewLine> = HashMap::new();
    let mut done = 0;
    let mut after = None;
    loop {
        let page = attendance::store::all_after(conn, after, 1000)?;
        let Some((last, _, _)) = page.last() else { break };
        after = Some(last.id);
        done += page.len();
        for (row, activity, starts_at) in page {
            let day = civil_day(starts_at.and_utc());
            let one = Attended {
                attendance: row.id,
                person: row.person_id,
                // Frozen on the line on the day itself; the workplace of today must not be asked.
                workplace: None,
                activity,
                starts_at: starts_at.and_utc(),
                role: row.role,
                counts: roles.get(&row.role).is_some_and(|role| role.counts),
                grade: row.grade,
            };
            for line in ground.attended(&one, day, rules.on(conn, day)?)? {
                // Which sub-district a person counted for is on the line alone; the district's line is checked.
                if !line.dedup_key.starts_with("person/") || line.dedup_key.matches('/').count() == 1 {
                    expected.insert((line.target, line.dedup_key.clone()), line);
                }
            }
        }
        progress(done);
    }
    let mut after = None;
    loop {
        let page = headcounts::store::standing_after(conn, after, 1000)?;
        let Some((last, ..)) = page.last() else { break };
        after = Some(last.id);
        for (row, activity, starts_at, present) in page {
            let starts_at = starts_at.and_utc();
            let day = civil_day(starts_at);
            let crowd = CountedCrowd {
                headcount: row.id,
                activity,
                starts_at,
                quantity: headcounts::rules::quantity(row.standing, present),
                reason: String::new(),
            };
            for line in ground.crowd(&crowd, day, rules.on(conn, day)?)? {
                expected.insert((line.target, line.dedup_key.clone()), line);
            }
        }
    }
    let held = sessions::table.filter(sessions::held.eq(true));
    let held: Vec<Session> =
        held.filter(sessions::state.ne(SessionState::Cancelled)).select(Session::as_select()).load(conn)?;
    for session in held {
        let starts_at = session.starts_at.and_utc();
        let day = civil_day(starts_at);
        let one = Held { session: session.id, activity: session.activity_id, starts_at, grade: Grade::B };
        for line in ground.held(&one, day, rules.on(conn, day)?)? {
            expected.insert((line.target, line.dedup_key.clone()), line);
        }
    }
    for line in super::reports::expected_lines(conn)? {
        expected.insert((line.target, line.dedup_key.clone()), line);
    }
    compare(&live, &expected, &mut differences);
    Ok(Report { lines, differences })
}

fn compare(
    live: &BTreeMap<Key, (i64, chrono::NaiveDate)>,
    expected: &HashMap<Key, NewLine>,
    differences: &mut Vec<Difference>,
) {
    for ((target, key), line) in expected {
        match live.get(&(*target, key.clone())) {
            None => differences
                .push(Difference::new("line_missing", format!("{key} is not counted for {target}"))),
            Some((quantity, _)) if *quantity != line.quantity => {
                let what = format!("{key} counts {quantity} for {target}; its source says {}", line.quantity);
                differences.push(Difference::new("line_quantity", what));
            }
            // A person counts on the day of their first attendance, whichever that is of several.
            Some((_, day))
                if *day != line.day && !key.starts_with("person/") && !key.starts_with("activity/") =>
            {
                let what = format!("{key} counts on {day} for {target}; its source says {}", line.day);
                differences.push(Difference::new("line_day", what));
            }
            Some(_) => {}
        }
    }
    // A person's line for a sub-district stands or falls with the district's.
    let source_of = |key: &str| match key.rsplit_once('/') {
        Some((person, _)) if person.starts_with("person/") => person.to_owned(),
        _ => key.to_owned(),
    };
    for ((target, key), (quantity, _)) in live {
        let source = source_of(key);
        if source != *key && *quantity != 1 {
            let what = format!("{key} counts {quantity} for {target}; a person counts 1");
            differences.push(Difference::new("line_quantity", what));
        }
        if !expected.contains_key(&(*target, source)) {
            differences.push(Difference::new(
                "source_missing",
                format!("{key} is counted for {target} without a source"),
            ));
        }
    }
    differences.sort_by(|a, b| (a.code, &a.detail).cmp(&(b.code, &b.detail)));
}
