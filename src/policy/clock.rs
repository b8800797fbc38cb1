//! Terms and their last days: pure rules.
//!
//! Days are civil days in Asia/Shanghai. The day of the event does not count (民法典 第二百零一条); a term whose last day is a
//! day off ends on the first working day after it, and ends at 24:00 (第二百零三条). 第二百零三条 says 法定休假日; weekends
//! are taken for such days, as courts and offices do, and a weekend that a notice makes a working day is none.
//!
//! A pause takes whole days: no day counts on which the clock stood, if only for a minute. So the day on which it starts again
//! does not count either, as that of any event, and nobody is left with an hour of a last day.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, after, before};
use crate::clock::{civil_day, day_start};

crate::text_enum! {
    /// The days that a term counts.
    pub enum DayUnit {
        /// Every day.
        CalendarDays = "calendar_days",
        /// Days that the calendar says are worked.
        WorkingDays = "working_days",
    }
}

/// How long something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// How many days; below one counts as one, above [`Term::MAX_DAYS`] as that.
    pub days: i64,
    /// Which days.
    pub unit: DayUnit,
}

impl Term {
    /// The longest term: a hundred years.
    pub const MAX_DAYS: i64 = 36_500;

    /// A term of `days` calendar days.
    pub fn calendar(days: i64) -> Self {
        Self { days, unit: DayUnit::CalendarDays }
    }

    /// A term of `days` working days.
    pub fn working(days: i64) -> Self {
        Self { days, unit: DayUnit::WorkingDays }
    }

    fn length(self) -> i64 {
        self.days.clamp(1, Self::MAX_DAYS)
    }
}

/// A time in which the clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it stopped.
    pub from: DateTime<Utc>,
    /// When it started again; none while it stands. A pause that ends where it begins is none.
    pub until: Option<DateTime<Utc>>,
}

/// The end of a term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The last day on which it is in time.
    pub last_day: NaiveDate,
    /// 24:00 of that day in Shanghai. At this instant it is too late.
    pub at: DateTime<Utc>,
    /// Years that were counted as plain weeks because the calendar does not know them.
    pub unknown_years: Vec<i32>,
}

/// What is left while the clock stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// The first day of the pause that is open.
    pub since: NaiveDate,
    /// Days of the term that are still to come, in its unit; one at least.
    pub days: i64,
    /// As in [`Deadline`].
    pub unknown_years: Vec<i32>,
}

/// When something is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// The clock runs, or has run out before it was stopped.
    Running(Deadline),
    /// The clock stands.
    Paused(Rest),
}

impl Due {
    /// The deadline, where the clock runs.
    pub fn deadline(&self) -> Option<&Deadline> {
        match self {
            Self::Running(deadline) => Some(deadline),
            Self::Paused(_) => None,
        }
    }

    /// Years that were counted as plain weeks.
    pub fn unknown_years(&self) -> &[i32] {
        match self {
            Self::Running(Deadline { unknown_years, .. }) | Self::Paused(Rest { unknown_years, .. }) => {
                unknown_years
            }
        }
    }
}

/// When what began at `start` is due. The order of `pauses` does not matter, and they may overlap.
///
/// 民法典 第二百零一条: 按照年、月、日计算期间的，开始的当日不计入，自下一日开始计算。第二百零三条: 期间的最后一日是法定休假日的，以法定休假日结束的次日为期间的最后一日。期间的最后一日的截止时间为二十四时。
/// Whoever stops working earlier is not owed the hours: the second half of that sentence (业务时间) is not applied.
pub fn due(start: DateTime<Utc>, term: Term, pauses: &[Pause], calendar: &Calendar) -> Due {
    let stops = Stops::new(pauses);
    let days = term.length();
    let mut unknown = BTreeSet::new();
    let mut counted = 0;
    let mut day = after(day_of(start));
    loop {
        match stops.on(day) {
            Some(Stop { first, last: None }) => {
                let unknown_years = unknown.into_iter().collect();
                return Due::Paused(Rest { since: first, days: days - counted, unknown_years });
            }
            Some(Stop { last: Some(last), .. }) => {
                day = after(last);
                continue;
            }
            None => {}
        }
        let is_last = counted + 1 == days;
        // The last day must be worked in either unit; of those before it, calendar days need not be.
        let counts = if is_last || term.unit == DayUnit::WorkingDays {
            if !calendar.knows(day.year()) {
                unknown.insert(day.year());
            }
            calendar.is_working(day)
        } else {
            true
        };
        if counts && is_last {
            let unknown_years = unknown.into_iter().collect();
            return Due::Running(Deadline { last_day: day, at: day_start(after(day)), unknown_years });
        }
        counted += i64::from(counts);
        day = after(day);
    }
}

/// Time until `deadline`; below zero once it is past.
pub fn left(now: DateTime<Utc>, deadline: &Deadline) -> TimeDelta {
    deadline.at - now
}

/// Days of `unit` after today, up to and with the last one; 0 on the last day and afterwards.
pub fn days_left(now: DateTime<Utc>, deadline: &Deadline, unit: DayUnit, calendar: &Calendar) -> i64 {
    let mut count = 0;
    let mut day = after(day_of(now));
    while day <= deadline.last_day && count < Term::MAX_DAYS {
        count += i64::from(unit == DayUnit::CalendarDays || calendar.is_working(day));
        day = after(day);
    }
    count
}

crate::text_enum! {
    /// How pressing something is.
    pub enum Colour {
        /// There is time.
        Green = "green",
        /// A small share of the term is left.
        Amber = "amber",
        /// It is the last day.
        Red = "red",
        /// It is too late.
        Breached = "breached",
    }
}

/// The instants at which the colour changes; each not before the one above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// From here on amber.
    pub amber_at: DateTime<Utc>,
    /// From here on red: the last day begins.
    pub red_at: DateTime<Utc>,
    /// From here on breached: [`Deadline::at`].
    pub breached_at: DateTime<Utc>,
}

/// When the colour of `deadline` changes: amber begins with the first day of the last `amber_percent` hundredths of the term,
/// rounded up to whole days that count. A share of one day is the last day, which is red.
pub fn signals(
    deadline: &Deadline,
    term: Term,
    pauses: &[Pause],
    amber_percent: i64,
    calendar: &Calendar,
) -> Signals {
    let stops = Stops::new(pauses);
    let share = term.length() * amber_percent.clamp(0, 100);
    let wanted = share / 100 + i64::from(share % 100 > 0);
    let mut counted = 1;
    let mut amber = deadline.last_day;
    let mut day = amber;
    while counted < wanted && day > NaiveDate::MIN {
        day = before(day);
        if let Some(stop) = stops.on(day) {
            day = stop.first;
            continue;
        }
        if term.unit == DayUnit::CalendarDays || calendar.is_working(day) {
            counted += 1;
            amber = day;
        }
    }
    Signals { amber_at: day_start(amber), red_at: day_start(deadline.last_day), breached_at: deadline.at }
}

/// The colour at `now`.
pub fn colour(now: DateTime<Utc>, signals: &Signals) -> Colour {
    if now >= signals.breached_at {
        Colour::Breached
    } else if now >= signals.red_at {
        Colour::Red
    } else if now >= signals.amber_at {
        Colour::Amber
    } else {
        Colour::Green
    }
}

/// A term as a policy sets it, with the version of the rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The policy's key, such as `review.stage.unit`.
    pub key: String,
    /// The first day on which this figure holds: the rule's version.
    pub effective_from: NaiveDate,
    /// What it says.
    pub term: Term,
}

/// How a due date came about, kept beside it: the same rule, start, pauses and calendar give it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Which rule, in which version.
    pub rule: Rule,
    /// When the clock began.
    pub start: DateTime<Utc>,
    /// When it stood.
    pub pauses: Vec<Pause>,
    /// What came out, and the years that had to be guessed.
    pub due: Due,
}

impl Trail {
    /// Reckons when what began at `start` is due under `rule`.
    pub fn reckon(rule: Rule, start: DateTime<Utc>, pauses: Vec<Pause>, calendar: &Calendar) -> Self {
        let due = due(start, rule.term, &pauses, calendar);
        Self { rule, start, pauses, due }
    }
}

/// A pause in whole days.
#[derive(Clone, Copy)]
struct Stop {
    first: NaiveDate,
    last: Option<NaiveDate>,
}

struct Stops(Vec<Stop>);

impl Stops {
    fn new(pauses: &[Pause]) -> Self {
        let real = pauses.iter().filter(|pause| pause.until.is_none_or(|until| until > pause.from));
        Self(real.map(|pause| Stop { first: day_of(pause.from), last: pause.until.map(day_of) }).collect())
    }

    /// The pause on `day`; of several an open one, of those the first.
    fn on(&self, day: NaiveDate) -> Option<Stop> {
        let here = self.0.iter().filter(|stop| stop.first <= day && stop.last.is_none_or(|last| day <= last));
        here.min_by_key(|stop| (stop.last.is_some(), stop.first)).copied()
    }
}

/// The civil day of `instant`. Instants beyond the reach of the databases are brought into it, so that no sum of days overflows.
fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    const LAST: i64 = 253_370_764_800; // 9999-01-01
    let last = DateTime::from_timestamp(LAST, 0).unwrap_or(DateTime::UNIX_EPOCH);
    civil_day(instant.clamp(DateTime::UNIX_EPOCH, last))
}

#[cfg(test)]
mod tests;
