//! Pure: what may be closed, and when.

use chrono::{Datelike, Months, NaiveDate};

use super::model::{PeriodKind, PeriodState, RestatementState, StreetState};
use crate::error::{Code, Error, Fault, Result, Text};

crate::text_enum! {
    /// What happens to a street's month.
    pub enum StreetEvent {
        /// 街道结账.
        Soften = "soften",
        /// 街道重开.
        Reopen = "reopen",
    }
}

crate::text_enum! {
    /// What happens to a period.
    pub enum PeriodEvent {
        /// 提议结账.
        Propose = "propose",
        /// 同意结账.
        Close = "close",
        /// 不同意结账.
        Refuse = "refuse",
    }
}

crate::text_enum! {
    /// What happens to a restatement.
    pub enum RestatementEvent {
        /// 同意.
        Agree = "agree",
        /// 不同意.
        Refuse = "refuse",
    }
}

/// A street's month.
pub const STREET: &[(StreetEvent, StreetState, StreetState)] = &[
    (StreetEvent::Soften, StreetState::Open, StreetState::Soft),
    (StreetEvent::Reopen, StreetState::Soft, StreetState::Open),
];

/// The district's period.
pub const PERIOD: &[(PeriodEvent, PeriodState, PeriodState)] = &[
    (PeriodEvent::Propose, PeriodState::Open, PeriodState::Proposed),
    (PeriodEvent::Close, PeriodState::Proposed, PeriodState::Hard),
    (PeriodEvent::Refuse, PeriodState::Proposed, PeriodState::Open),
];

/// A restatement.
pub const RESTATEMENT: &[(RestatementEvent, RestatementState, RestatementState)] = &[
    (RestatementEvent::Agree, RestatementState::Proposed, RestatementState::Agreed),
    (RestatementEvent::Refuse, RestatementState::Proposed, RestatementState::Refused),
];

/// What `event` leads to from `state`, by `table`.
///
/// # Errors
/// `period_closed` for what is closed, `state_forbids` for everything else that is not in the table.
pub fn transition<E, S>(table: &[(E, S, S)], event: E, state: S) -> Result<S>
where
    E: Copy + PartialEq,
    S: Copy + PartialEq + std::fmt::Display,
{
    let line = table.iter().find(|(known, from, _)| (*known, *from) == (event, state));
    line.map(|(.., to)| *to).ok_or_else(|| {
        let name = state.to_string();
        let code = if name == PeriodState::Hard.as_str() { Code::PeriodClosed } else { Code::StateForbids };
        Error::new(code).detail(format!("当前状态为 {name}"), format!("It is {name}"))
    })
}

/// A month or a quarter, as an address names it: `03`, `Q1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodName {
    /// Month or quarter.
    pub kind: PeriodKind,
    /// From 1.
    pub number: u32,
}

impl std::str::FromStr for PeriodName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let (kind, digits, most) = match text.strip_prefix('Q') {
            Some(digits) => (PeriodKind::Quarter, digits, 4),
            None => (PeriodKind::Month, text, 12),
        };
        let long = if kind == PeriodKind::Quarter { 1 } else { 2 };
        let plain = digits.len() == long && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|number| plain && (1..=most).contains(number));
        number.map(|number| Self { kind, number }).ok_or_else(Error::not_found)
    }
}

impl PeriodName {
    /// Its first day, in a year that begins on `year`.
    pub fn starts_on(self, year: NaiveDate) -> NaiveDate {
        let months = match self.kind {
            PeriodKind::Month => self.number.saturating_sub(1),
            PeriodKind::Quarter => self.number.saturating_sub(1).saturating_mul(3),
        };
        year.checked_add_months(Months::new(months)).unwrap_or(year)
    }
}

/// All periods of a year that begins on `year`: twelve months and four quarters.
pub fn all(year: NaiveDate) -> Vec<(PeriodKind, NaiveDate)> {
    let of = |kind, most| (1..=most).map(move |number| (kind, PeriodName { kind, number }.starts_on(year)));
    of(PeriodKind::Month, 12).chain(of(PeriodKind::Quarter, 4)).collect()
}

/// The first day after a period.
pub fn until(kind: PeriodKind, starts_on: NaiveDate) -> NaiveDate {
    let months = match kind {
        PeriodKind::Month => 1,
        PeriodKind::Quarter => 3,
    };
    starts_on.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// The first days of the months of a period.
pub fn months(kind: PeriodKind, starts_on: NaiveDate) -> Vec<NaiveDate> {
    let long = match kind {
        PeriodKind::Month => 1,
        PeriodKind::Quarter => 3,
    };
    (0..long).filter_map(|more| starts_on.checked_add_months(Months::new(more))).collect()
}

/// Such as `2025-03` or `2025-Q1`.
pub fn label(kind: PeriodKind, starts_on: NaiveDate) -> String {
    match kind {
        PeriodKind::Month => format!("{}-{:02}", starts_on.year(), starts_on.month()),
        PeriodKind::Quarter => format!("{}-Q{}", starts_on.year(), starts_on.month0() / 3 + 1),
    }
}

/// Refuses to close what is not over.
pub fn over(kind: PeriodKind, starts_on: NaiveDate, today: NaiveDate) -> Result<()> {
    if until(kind, starts_on) <= today {
        return Ok(());
    }
    Err(Error::new(Code::PeriodNotOver).detail(
        format!("{} 尚未结束", label(kind, starts_on)),
        format!("{} is not over", label(kind, starts_on)),
    ))
}

crate::text_enum! {
    /// What keeps a period open.
    pub enum ItemKind {
        /// 场次未结算.
        SessionUnfinalised = "session_unfinalised",
        /// 离线签到冲突未办结.
        ConflictOpen = "conflict_open",
        /// 人数登记未复核.
        HeadcountUnsigned = "headcount_unsigned",
        /// 上报数据未审定.
        ReportUnapproved = "report_unapproved",
        /// 街道未结账.
        StreetOpen = "street_open",
        /// 月份未结账.
        MonthOpen = "month_open",
    }
}

impl ItemKind {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SessionUnfinalised => ("场次已结束但未结算", "The session is over and not finalised"),
            Self::ConflictOpen => ("离线签到冲突未办结", "A conflict of scans waits for the desk"),
            Self::HeadcountUnsigned => ("人数登记未经复核", "A headcount waits for another officer"),
            Self::ReportUnapproved => ("上报数据未经审定", "A report waits for approval"),
            Self::StreetOpen => ("街道尚未结账", "The sub-district has not closed it"),
            Self::MonthOpen => ("月份尚未结账", "The month is not closed"),
        }
    }
}

/// Something that keeps a period open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What.
    pub kind: ItemKind,
    /// Which: an id, or the label of a month.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
}

/// Refuses with everything that is open.
pub fn clean(items: &[Item]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let faults = items.iter().map(|item| {
        let (zh, en) = item.kind.words();
        let name = item.name.as_deref().unwrap_or(&item.id);
        let text = Text::new(format!("{zh}：{name}"), format!("{en}: {name}"));
        Fault::new(format!("/{}/{}", item.kind, item.id), item.kind.as_str(), text)
    });
    let count = items.len();
    Err(Error::parameters(Code::PeriodOpenItems, faults.collect()).detail(
        format!("还有 {count} 项未办结，详见核对清单"),
        format!("{count} things are open; the checklist names them all"),
    ))
}

#[cfg(test)]
mod tests;
