//! The figures of the year beside those that were reckoned, and the closed months.

use super::super::client::field;
use super::super::table::pad;
use super::compare::Shown;
use super::reckon::{ClosedMonth, Reckoned};

const CLAUSE: usize = 44;

/// Prints every target with the value that it must have and the one that it has, and the closed months.
pub(super) fn print(reckoned: &Reckoned, shown: &Shown) {
    println!("  {} {} {:>9} {:>9} {:>9}", pad("", 4), pad("", CLAUSE), "应为 must", "实为 is", "目标 due");
    for (code, expected) in &reckoned.targets {
        let Some(target) = shown.target(code) else { continue };
        let text = |name: &str| field(target, name).as_str().unwrap_or_default();
        let number = |name: &str| field(target, name).as_i64().unwrap_or(0);
        let mark = if number("value") == expected.value { "✓" } else { "✗" };
        let note = if text("standing") == "not_reported" { "待上报 not reported" } else { "" };
        println!(
            "  {} {} {:>9} {:>9} {:>9}  {mark} {note}",
            pad(code, 4),
            pad(text("clause"), CLAUSE),
            expected.value,
            number("value"),
            number("required"),
        );
    }
    println!();
    for (month, closed) in &reckoned.closed {
        let [issued, restated] = [&closed.issued, &closed.restated].map(|sums| sums.values().sum::<i64>());
        println!(
            "  {month:>2} 月已结账 closed: 发布 issued {issued}, 重述 restated {restated}, {}",
            changed(closed)
        );
    }
}

fn changed(closed: &ClosedMonth) -> String {
    let keys = closed.issued.keys().chain(closed.restated.keys());
    let other = keys.filter(|key| closed.issued.get(*key) != closed.restated.get(*key));
    let mut codes: Vec<&str> = other.map(|(code, _)| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() { "未变 unchanged".into() } else { format!("变动 changed {}", codes.join(", ")) }
}
