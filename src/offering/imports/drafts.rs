//! From facts to drafts: which rows are one activity, and what is wrong with them before anybody asks the database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::columns::{CellFault, Layout, Row, flag_of};
use super::sheet::Line;
use crate::error::{Fault, Text};
use crate::offering::completion::{CompletionRule, ShareOf};
use crate::offering::input::SessionInput;
use crate::offering::model::{Allocation, WaitingPolicy};
use crate::offering::rules::{self, SessionTimes};

/// What a cell says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// An instant.
    Instant(DateTime<Utc>),
}

/// What a row says, by column. Blank cells say nothing.
pub type Facts = BTreeMap<&'static str, Fact>;

/// An activity that a sheet asks for.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Names it in the organisation, for repetitions.
    pub row_key: String,
    /// Its rows as the sheet numbers them, each a session.
    pub rows: Vec<u32>,
    /// What its rows say together.
    pub facts: Facts,
    /// Its sessions, row by row; none of a row whose times are wrong.
    pub sessions: Vec<Option<SessionInput>>,
    /// Whether it is to be published at once.
    pub publish: bool,
}

/// What is wrong, by row.
pub type RowFaults = BTreeMap<u32, Vec<CellFault>>;

/// What a sheet asks for.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order of their first rows.
    pub drafts: Vec<Draft>,
    /// What is wrong so far.
    pub faults: RowFaults,
    /// Every row with its key, in order.
    pub rows: Vec<(u32, Option<String>)>,
}

const TEXTS: &[&str] = &[
    "organisation",
    "programme",
    "street",
    "title",
    "summary",
    "venue",
    "address",
    "allocation",
    "waiting_list",
    "members_only",
    "completion_of",
    "resources",
];
const NUMBERS: &[&str] = &["capacity", "completion_percent"];
const INSTANTS: &[&str] = &["signup_opens_at", "signup_closes_at"];
const REQUIRED: &[&str] =
    &["organisation", "programme", "title", "venue", "capacity", "signup_opens_at", "signup_closes_at"];

fn required(column: &'static str) -> CellFault {
    CellFault::new(column, "required", Text::new("必填", "required"))
}

/// Reads all rows below the header.
pub fn plan(layout: &Layout, lines: &[Line]) -> Plan {
    let mut plan = Plan::default();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let row = Row::new(layout, line);
        let mut faults = row.strays("row_key");
        let key = kept(row.text("row_key"), &mut faults);
        plan.rows.push((row.number, key.clone()));
        let facts = facts(&row, &mut faults);
        let session = session(&row, &mut faults);
        let publish = kept_flag(&row, &mut faults);
        match key {
            None => faults.push(required("row_key")),
            Some(key) if key.chars().count() > 60 => {
                faults.push(CellFault::new(
                    "row_key",
                    "max_length",
                    Text::new("最多 60 个字", "at most 60 characters"),
                ));
            }
            Some(key) => match known.get(&key).and_then(|place| plan.drafts.get_mut(*place)) {
                Some(draft) => {
                    join(draft, facts, session.as_ref(), &mut faults);
                    draft.publish |= publish;
                    draft.rows.push(row.number);
                    draft.sessions.push(session);
                }
                None => {
                    // A fact that could not be read is not also missing.
                    let told: Vec<&str> = faults.iter().map(|fault| fault.column).collect();
                    let missing =
                        REQUIRED.iter().filter(|name| !facts.contains_key(**name) && !told.contains(name));
                    let missing: Vec<CellFault> = missing.map(|name| required(name)).collect();
                    faults.extend(missing);
                    if facts.contains_key("completion_of") && !facts.contains_key("completion_percent") {
                        faults.push(required("completion_percent"));
                    }
                    known.insert(key.clone(), plan.drafts.len());
                    let (rows, sessions) = (vec![row.number], vec![session]);
                    plan.drafts.push(Draft { row_key: key, rows, facts, sessions, publish });
                }
            },
        }
        if !faults.is_empty() {
            plan.faults.entry(row.number).or_default().extend(faults);
        }
    }
    for draft in &plan.drafts {
        check_times(draft, &mut plan.faults);
    }
    plan
}

fn kept<T>(read: Result<Option<T>, CellFault>, faults: &mut Vec<CellFault>) -> Option<T> {
    read.unwrap_or_else(|fault| {
        faults.push(fault);
        None
    })
}

fn kept_flag(row: &Row<'_>, faults: &mut Vec<CellFault>) -> bool {
    kept(row.flag("publish").map(Some), faults).unwrap_or_default()
}

fn facts(row: &Row<'_>, faults: &mut Vec<CellFault>) -> Facts {
    let mut facts = Facts::new();
    for name in TEXTS {
        facts.extend(kept(row.text(name), faults).map(|text| (*name, Fact::Text(text))));
    }
    for name in INSTANTS {
        facts.extend(kept(row.instant(name), faults).map(|at| (*name, Fact::Instant(at))));
    }
    for name in NUMBERS {
        facts.extend(kept(row.number(name), faults).map(|number| (*name, Fact::Number(number))));
    }
    for (name, check) in [
        ("allocation", allocation as fn(&str) -> bool),
        ("waiting_list", waiting),
        ("members_only", flag),
        ("completion_of", share),
    ] {
        if let Some(Fact::Text(text)) = facts.get(name)
            && !check(text)
        {
            let text = Text::new(
                "不是可选的值，见导入说明",
                "none of the possible values; the description of the import lists them",
            );
            faults.push(CellFault::new(name, "enum", text));
        }
    }
    facts
}

fn allocation(text: &str) -> bool {
    allocation_of(text).is_some()
}

fn waiting(text: &str) -> bool {
    waiting_of(text).is_some()
}

fn flag(text: &str) -> bool {
    flag_of(text).is_some()
}

fn share(text: &str) -> bool {
    share_of(text).is_some()
}

/// What the share is of that completes it, in either language.
pub fn share_of(text: &str) -> Option<ShareOf> {
    match text {
        "场次" => Some(ShareOf::Sessions),
        "课时" => Some(ShareOf::Hours),
        other => other.parse().ok(),
    }
}

/// How places are given, in either language.
pub fn allocation_of(text: &str) -> Option<Allocation> {
    match text {
        "先到先得" => Some(Allocation::FirstCome),
        "审核" => Some(Allocation::Review),
        "抽签" => Some(Allocation::Draw),
        other => other.parse().ok(),
    }
}

/// Who waits, in either language.
pub fn waiting_of(text: &str) -> Option<WaitingPolicy> {
    match text {
        "无" => Some(WaitingPolicy::None),
        "严格按序" => Some(WaitingPolicy::Strict),
        "满座优先" => Some(WaitingPolicy::Fill),
        other => other.parse().ok(),
    }
}

fn session(row: &Row<'_>, faults: &mut Vec<CellFault>) -> Option<SessionInput> {
    let mut time = |name: &'static str| match row.instant(name) {
        Ok(Some(at)) => Some(at),
        Ok(None) => {
            faults.push(required(name));
            None
        }
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    let (starts_at, ends_at) = (time("session_starts_at"), time("session_ends_at"));
    Some(SessionInput { starts_at: starts_at?, ends_at: ends_at? })
}

/// Adds a further row to a draft.
fn join(draft: &Draft, facts: Facts, session: Option<&SessionInput>, faults: &mut Vec<CellFault>) {
    for (name, fact) in facts {
        if draft.facts.get(name) != Some(&fact) {
            let first = draft.rows.first().copied().unwrap_or_default();
            let text = Text::new(
                format!("与第 {first} 行不一致；同一活动的后续行可以留空"),
                format!("differs from row {first}; further rows of an activity may leave it blank"),
            );
            faults.push(CellFault::new(name, "contradiction", text));
        }
    }
    let same = |other: &SessionInput| {
        session.is_some_and(|one| (one.starts_at, one.ends_at) == (other.starts_at, other.ends_at))
    };
    let twice = draft.sessions.iter().zip(&draft.rows).find(|(other, _)| other.as_ref().is_some_and(same));
    if let Some((_, row)) = twice {
        let text = Text::new(format!("与第 {row} 行是同一场次"), format!("the same session as in row {row}"));
        faults.push(CellFault::new("session_starts_at", "duplicate", text));
    }
}

impl Draft {
    /// The text in a column.
    pub fn text(&self, column: &'static str) -> Option<&str> {
        match self.facts.get(column) {
            Some(Fact::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The instant in a column.
    pub fn instant(&self, column: &'static str) -> Option<DateTime<Utc>> {
        match self.facts.get(column) {
            Some(Fact::Instant(at)) => Some(*at),
            _ => None,
        }
    }

    /// The number in a column.
    pub fn number(&self, column: &'static str) -> Option<i64> {
        match self.facts.get(column) {
            Some(Fact::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// From which share somebody has completed it; of its sessions, if nothing is said.
    pub fn completion(&self) -> Option<CompletionRule> {
        let of = self.text("completion_of").and_then(share_of).unwrap_or(ShareOf::Sessions);
        self.number("completion_percent").map(|percent| CompletionRule { of, percent })
    }

    /// The names in the column of resources.
    pub fn resources(&self) -> Vec<&str> {
        let names = self.text("resources").unwrap_or_default().split(['、', ',', '，', ';', '；']);
        names.map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    /// All its sessions, where every row has one.
    pub fn all_sessions(&self) -> Option<Vec<SessionInput>> {
        self.sessions.iter().cloned().collect()
    }

    /// Notes what is wrong with a field of the activity at the row and the column that it came from.
    pub fn note(&self, fault: &Fault, faults: &mut RowFaults) {
        let mut parts = fault.pointer.trim_start_matches('/').split('/');
        let field = parts.next().unwrap_or_default();
        let place = parts.next().and_then(|part| part.parse::<usize>().ok());
        let (column, place) = match (field, parts.next()) {
            ("sessions", Some("starts_at")) => ("session_starts_at", place),
            ("sessions", Some(_)) => ("session_ends_at", place),
            ("sessions", None) if place.is_some() => ("resources", place),
            ("organisation_id", _) => ("organisation", None),
            ("programme_id", _) => ("programme", None),
            ("street_id", _) => ("street", None),
            ("resource_ids", _) => ("resources", None),
            ("completion", _) => ("completion_percent", None),
            (other, _) => {
                let known = TEXTS.iter().chain(INSTANTS).chain(NUMBERS).find(|name| **name == other);
                (known.copied().unwrap_or("row_key"), None)
            }
        };
        let Some(row) = self.rows.get(place.unwrap_or_default()).or(self.rows.first()) else { return };
        let noted = faults.entry(*row).or_default();
        let clash = fault.code == "clash";
        if clash || !noted.iter().any(|known| (known.column, known.code) == (column, fault.code)) {
            noted.push(CellFault::new(column, fault.code, fault.detail.clone()));
        }
    }
}

/// Wrong times of a draft, as far as its times are known.
fn check_times(draft: &Draft, faults: &mut RowFaults) {
    let known: Vec<(usize, SessionTimes)> = draft
        .sessions
        .iter()
        .enumerate()
        .filter_map(|(place, one)| Some((place, one.as_ref()?)))
        .map(|(place, one)| (place, SessionTimes { starts_at: one.starts_at, ends_at: one.ends_at }))
        .collect();
    for (place, times) in &known {
        // The window is looked at below, with all sessions.
        for fault in rules::check_times(DateTime::<Utc>::MIN_UTC, times.starts_at, &[*times]) {
            if let Some(rest) = fault.pointer.strip_prefix("/sessions/0/") {
                draft.note(&Fault { pointer: format!("/sessions/{place}/{rest}"), ..fault }, faults);
            }
        }
    }
    let window = (draft.instant("signup_opens_at"), draft.instant("signup_closes_at"));
    if let (Some(opens), Some(closes)) = window {
        let times: Vec<SessionTimes> = known.iter().map(|(_, times)| *times).collect();
        for fault in rules::check_times(opens, closes, &times) {
            if !fault.pointer.starts_with("/sessions") {
                draft.note(&fault, faults);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offering::imports::columns::layout;
    use crate::offering::imports::sheet::{CSV, read};

    fn planned(rows: &str) -> Plan {
        let header = "row_key,organisation,programme,title,venue,capacity,signup_opens_at,signup_closes_at,session_starts_at,session_ends_at,resources";
        let lines = read(CSV, format!("{header}\n{rows}").as_bytes()).unwrap();
        let (head, rest) = lines.split_first().unwrap();
        plan(&layout(head).unwrap(), rest)
    }

    fn told(plan: &Plan) -> Vec<(u32, &str, &str)> {
        let of_row = |(row, faults): (&u32, &Vec<CellFault>)| -> Vec<(u32, &'static str, &'static str)> {
            faults.iter().map(|fault| (*row, fault.column, fault.code)).collect()
        };
        plan.faults.iter().flat_map(of_row).collect()
    }

    const FACTS: &str = "street-pinghu,demo-skills,电工班,职工之家,20,2025-06-01 09:00,2025-06-10 18:00";

    #[test]
    fn rows_with_one_key_are_one_activity() {
        let sheet = format!(
            "a,{FACTS},2025-06-20 09:00,2025-06-20 11:00,大礼堂、张老师\n\
             b,{FACTS},2025-06-20 09:00,2025-06-20 11:00,\n\
             a,,,,,20,,,2025-06-21 09:00,2025-06-21 11:00,\n"
        );
        let plan = planned(&sheet);
        assert_eq!(told(&plan), []);
        let [first, second] = plan.drafts.as_slice() else { panic!("{plan:?}") };
        assert_eq!((first.rows.as_slice(), second.rows.as_slice()), ([2, 4].as_slice(), [3].as_slice()));
        assert_eq!(first.resources(), ["大礼堂", "张老师"]);
        assert_eq!((first.all_sessions().unwrap().len(), first.number("capacity")), (2, Some(20)));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let sheet = format!(
            "a,{FACTS},2025-06-20 09:00,2025-06-20 09:00,\n\
             a,,,另一个班,,21,,,2025-06-21 09:00,,\n\
             a,,,,,,,,2025-06-20 09:00,2025-06-20 09:00,\n\
             ,{FACTS},2025-06-20 09:00,2025-06-20 11:00,\n\
             c,street-pinghu,,x,y,many,2025-06-10 09:00,2025-06-01 18:00,tomorrow,2025-06-20 11:00,\n"
        );
        let plan = planned(&sheet);
        assert_eq!(
            told(&plan),
            [
                (2, "session_ends_at", "order"),
                (3, "session_ends_at", "required"),
                (3, "capacity", "contradiction"),
                (3, "title", "contradiction"),
                (4, "session_starts_at", "duplicate"),
                (4, "session_ends_at", "order"),
                (5, "row_key", "required"),
                (6, "capacity", "type"),
                (6, "session_starts_at", "format"),
                (6, "programme", "required"),
                (6, "signup_closes_at", "order"),
            ]
        );
    }
}
