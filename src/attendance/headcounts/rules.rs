//! Pure decisions: what a number must agree with, what it counts for, and what is audited of it.

use chrono::{Datelike, Months, NaiveDate};

use super::model::{FindingState, Headcount, HeadcountMethod, HeadcountState, Likeness};
use crate::error::{Code, Error, Fault, Result, Text};

crate::text_enum! {
    /// What happens to a headcount.
    pub enum HeadcountEvent {
        /// 不予采用: it cannot be.
        Refuse = "refuse",
        /// 登记.
        Propose = "propose",
        /// 确认: by another officer, or on appeal.
        Approve = "approve",
        /// 不予确认.
        Reject = "reject",
        /// 撤回, or what was missing did not come in time.
        Withdraw = "withdraw",
        /// 作废: its session did not take place.
        Void = "void",
    }
}

/// Every transition: what happens, in which state (none: it is new), what it leads to.
pub const TRANSITIONS: &[(HeadcountEvent, Option<HeadcountState>, HeadcountState)] = &[
    (HeadcountEvent::Refuse, None, HeadcountState::Refused),
    (HeadcountEvent::Propose, None, HeadcountState::Proposed),
    (HeadcountEvent::Approve, Some(HeadcountState::Proposed), HeadcountState::Approved),
    (HeadcountEvent::Approve, Some(HeadcountState::Rejected), HeadcountState::Approved),
    (HeadcountEvent::Reject, Some(HeadcountState::Proposed), HeadcountState::Rejected),
    (HeadcountEvent::Withdraw, Some(HeadcountState::Proposed), HeadcountState::Withdrawn),
    (HeadcountEvent::Void, Some(HeadcountState::Proposed), HeadcountState::Voided),
    (HeadcountEvent::Void, Some(HeadcountState::Approved), HeadcountState::Voided),
];

/// What `event` makes of a headcount in `state`.
///
/// # Errors
/// `state_forbids`, naming the state, for what is not in the table.
pub fn transition(event: HeadcountEvent, state: HeadcountState) -> Result<HeadcountState> {
    let line = TRANSITIONS.iter().find(|(known, from, _)| (*known, *from) == (event, Some(state)));
    line.map(|(_, _, to)| *to).ok_or_else(|| {
        let (zh, en) = words(state);
        Error::new(Code::StateForbids).detail(format!("该人数登记{zh}"), format!("This headcount is {en}"))
    })
}

fn words(state: HeadcountState) -> (&'static str, &'static str) {
    match state {
        HeadcountState::Proposed => ("待复核", "waiting for another officer"),
        HeadcountState::Approved => ("已确认", "approved"),
        HeadcountState::Rejected => ("未获确认", "rejected"),
        HeadcountState::Withdrawn => ("已撤回", "withdrawn"),
        HeadcountState::Voided => ("已作废", "void"),
        HeadcountState::Refused => ("不予采用", "refused"),
    }
}

/// What a headcount counts for: whoever was checked in besides is counted once.
pub fn quantity(standing: i64, present: i64) -> i64 {
    standing.saturating_sub(present).max(0)
}

/// What a number must agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// People whom the venue holds.
    pub venue: i64,
    /// People who pass one gate in one minute.
    pub per_gate_minute: i64,
}

/// Checks that what a method rests on is said, and nothing of another method.
///
/// # Errors
/// All fields that are missing or out of place.
pub fn basis(row: &Headcount) -> Result<()> {
    let fields = [
        ("/counter_before", row.counter_before, HeadcountMethod::GateCounter),
        ("/counter_after", row.counter_after, HeadcountMethod::GateCounter),
        ("/parcels", row.parcels, HeadcountMethod::Parcels),
        ("/seats", row.seats, HeadcountMethod::Seats),
        ("/share_percent", row.share_percent, HeadcountMethod::Seats),
    ];
    let mut faults = Vec::new();
    for (pointer, value, method) in fields {
        if method == row.method && value.is_none() {
            let text = Text::new("该计数方式须填写此项", "This way of counting needs it");
            faults.push(Fault::new(pointer, "required", text));
        } else if method != row.method && value.is_some() {
            let text = Text::new("该计数方式不收集此项", "This way of counting does not ask for it");
            faults.push(Fault::new(pointer, "unknown", text));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// Everything that a number does not agree with.
pub fn implausible(row: &Headcount, bounds: Bounds) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, code: &'static str, zh: String, en: String| {
        faults.push(Fault::new(pointer, code, Text::new(zh, en)));
    };
    if row.number > bounds.venue {
        let most = bounds.venue;
        fault("/number", ABOVE_VENUE, format!("场地最多容纳 {most} 人"), format!("the venue holds {most}"));
    }
    let through = row.gates.saturating_mul(row.minutes).saturating_mul(bounds.per_gate_minute);
    if row.number > through {
        let zh = format!("{} 个入口在 {} 分钟内最多通过 {through} 人", row.gates, row.minutes);
        let en = format!("{} gates let through {through} people in {} minutes", row.gates, row.minutes);
        fault("/number", "above_rate", zh, en);
    }
    match row.method {
        HeadcountMethod::GateCounter => {
            let (before, after) = (row.counter_before.unwrap_or(0), row.counter_after.unwrap_or(0));
            let counted = after.saturating_sub(before);
            if counted != row.number {
                let zh = format!("计数器读数之差为 {counted}");
                fault("/counter_after", "basis_differs", zh, format!("the counter says {counted}"));
            }
        }
        // Somebody may have got two.
        HeadcountMethod::Parcels => {
            let parcels = row.parcels.unwrap_or(0);
            if row.number > parcels {
                let zh = format!("只发放了 {parcels} 份");
                fault("/number", "above_parcels", zh, format!("only {parcels} parcels were given out"));
            }
        }
        HeadcountMethod::Seats => {
            let hundredfold = row.seats.unwrap_or(0).saturating_mul(row.share_percent.unwrap_or(0));
            let (least, most) = (hundredfold / 100, hundredfold.saturating_add(99) / 100);
            if row.number < least || row.number > most {
                let zh = format!("座位数与上座率相乘为 {most}");
                fault("/share_percent", "basis_differs", zh, format!("seats and share make {most}"));
            }
        }
    }
    faults
}

/// The code of the finding that a number is above what the venue holds.
const ABOVE_VENUE: &str = "above_venue";

/// The refusal of a number with these faults.
pub fn refusal(faults: Vec<Fault>) -> Error {
    let above = faults.iter().any(|fault| fault.code == ABOVE_VENUE);
    let code = if above { Code::HeadcountAboveVenue } else { Code::HeadcountImplausible };
    Error::parameters(code, faults)
}

/// Whether an error is the refusal of a number that cannot be.
pub fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), Code::HeadcountAboveVenue | Code::HeadcountImplausible)
}

/// In how many bits two pictures look different.
pub fn distance(one: i64, other: i64) -> i64 {
    i64::from((one ^ other).count_ones())
}

/// Bits of 64 that may differ between pictures that look alike. Above seven, the parts by which they are looked up would not find them
/// all.
pub fn alike_bits(percent: i64) -> i64 {
    (percent.clamp(0, 100) * 64 / 100).min(7)
}

/// The four parts of what a picture looks like.
pub fn bands(looks: i64) -> [i64; 4] {
    [48, 32, 16, 0].map(|shift| (looks >> shift) & 0xffff)
}

/// What a part may be in a picture that looks alike: of up to seven bits that differ, one of the four parts has at most one.
pub fn near(band: i64) -> impl Iterator<Item = i64> {
    std::iter::once(band).chain((0..16).map(move |bit| band ^ (1 << bit)))
}

/// What a picture has in common with another one, if anything.
pub fn likeness(
    (sha256, looks): (&[u8], Option<i64>),
    (other_sha256, other_looks): (&[u8], Option<i64>),
    bits: i64,
) -> Option<(Likeness, i64)> {
    if sha256 == other_sha256 {
        return Some((Likeness::Same, 0));
    }
    let apart = distance(looks?, other_looks?);
    (apart <= bits).then_some((Likeness::Alike, apart))
}

/// The first day of a quarter, 1 to 4.
pub fn quarter_from(year: i32, quarter: u32) -> Option<NaiveDate> {
    let month = quarter.checked_sub(1)?.checked_mul(3)?.checked_add(1)?;
    NaiveDate::from_ymd_opt(year, month, 1)
}

/// The first day after the quarter that begins on `from`.
pub fn quarter_until(from: NaiveDate) -> NaiveDate {
    from.checked_add_months(Months::new(3)).unwrap_or(NaiveDate::MAX)
}

/// Such as `2025-Q2`.
pub fn quarter_name(from: NaiveDate) -> String {
    format!("{}-Q{}", from.year(), from.month0() / 3 + 1)
}

/// How many of `entries` are audited: the share, or the least number where that is more, and all where there are fewer.
pub fn chosen(entries: i64, percent: i64, least: i64) -> i64 {
    let share = entries.saturating_mul(percent.clamp(0, 100)).saturating_add(99) / 100;
    share.max(least).clamp(0, entries.max(0))
}

/// What a finding is: something to take back, or nothing. Nothing is ever added.
pub fn found(standing: i64, found: i64) -> FindingState {
    if found < standing { FindingState::Proposed } else { FindingState::Upheld }
}

#[cfg(test)]
mod tests;
