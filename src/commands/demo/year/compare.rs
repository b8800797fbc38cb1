//! The figures that the API shows, beside those that must come of the events.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::super::client::field;
use super::reckon::{Expected, Reckoned};

/// What the API shows of the year.
#[derive(Debug)]
pub struct Shown {
    /// `/api/v1/plans/2025/progress`.
    pub progress: Value,
    /// The periods of the closed months.
    pub months: BTreeMap<u32, Value>,
    /// Codes of organisations, by id.
    pub codes: HashMap<String, String>,
}

/// The rows of a list.
pub(super) fn rows<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    field(of, name).as_array().into_iter().flatten()
}

fn number(of: &Value, name: &str) -> i64 {
    field(of, name).as_i64().unwrap_or(0)
}

/// 3 of `2025-03`.
fn month(of: &Value) -> u32 {
    let text = field(of, "month").as_str().unwrap_or_default();
    text.get(5..).and_then(|month| month.parse().ok()).unwrap_or(0)
}

impl Shown {
    fn code(&self, of: &Value) -> String {
        let id = field(of, "organisation_id").as_str().unwrap_or_default();
        self.codes.get(id).cloned().unwrap_or_default()
    }

    /// What is shown of the target `code`.
    pub fn target(&self, code: &str) -> Option<&Value> {
        rows(&self.progress, "targets").find(|target| field(target, "code") == code)
    }

    fn read(&self, target: &Value) -> Expected {
        let by_organisation =
            rows(target, "by_organisation").map(|row| (self.code(row), number(row, "value")));
        let months = rows(target, "months").map(|row| (month(row), number(row, "value")));
        let snapshot = |row: &Value| (month(row), number(row, "numerator"), number(row, "denominator"));
        Expected {
            value: number(target, "value"),
            by_organisation: by_organisation.filter(|(_, value)| *value != 0).collect(),
            months: months.filter(|(_, value)| *value != 0).collect(),
            overlap: number(target, "overlap"),
            snapshots: rows(target, "snapshots").map(snapshot).collect(),
            parts: rows(target, "parts").map(|row| number(row, "value")).collect(),
        }
    }

    fn sums(&self, period: &Value, name: &str) -> BTreeMap<(String, String), i64> {
        let key = |row: &Value| (field(row, "code").as_str().unwrap_or_default().to_owned(), self.code(row));
        let figures = rows(period, "figures").map(|row| (key(row), number(row, name)));
        figures.filter(|(_, value)| *value != 0).collect()
    }
}

/// Everything in which what is shown differs from what was reckoned.
pub fn differences(reckoned: &Reckoned, shown: &Shown) -> Vec<String> {
    let mut wrong = Vec::new();
    for (code, expected) in &reckoned.targets {
        match shown.target(code).map(|target| shown.read(target)) {
            Some(read) if read == *expected => {}
            read => wrong.push(format!("{code}: 应为 must be {expected:?}\n      实为 is {read:?}")),
        }
    }
    let unknown =
        |target: &&Value| !reckoned.targets.contains_key(field(target, "code").as_str().unwrap_or_default());
    for target in rows(&shown.progress, "targets").filter(unknown) {
        wrong.push(format!("没有推算 / nobody has reckoned {}", field(target, "code")));
    }
    for (month, closed) in &reckoned.closed {
        let period = shown.months.get(month).unwrap_or(&Value::Null);
        for (name, expected) in [("issued", &closed.issued), ("restated", &closed.restated)] {
            let read = shown.sums(period, name);
            if read != *expected {
                wrong.push(format!("{month} 月 {name}: 应为 must be {expected:?}\n      实为 is {read:?}"));
            }
        }
    }
    wrong
}
