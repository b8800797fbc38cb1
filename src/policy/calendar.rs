//! Which days are worked: Monday to Friday, except where the State Council's yearly notice says otherwise.

use std::collections::{BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate, Weekday};

crate::text_enum! {
    /// What a notice makes of a day.
    pub enum DayKind {
        /// Off, whatever day of the week it is.
        Holiday = "holiday",
        /// Worked, though it is a weekend: the day makes up for a holiday.
        Workday = "workday",
    }
}

/// Working days by the plain week and by the notices of the years it knows.
///
/// A year without a notice is taken for plain weeks. Whoever counts with it is told so by [`Calendar::knows`]: the notice of a
/// year comes in November of the year before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    days: HashMap<NaiveDate, DayKind>,
    years: BTreeSet<i32>,
}

impl Calendar {
    /// A calendar of `days` that differ from the plain week, complete for `years`.
    pub fn new(
        days: impl IntoIterator<Item = (NaiveDate, DayKind)>,
        years: impl IntoIterator<Item = i32>,
    ) -> Self {
        Self { days: days.into_iter().collect(), years: years.into_iter().collect() }
    }

    /// Whether `day` is worked.
    pub fn is_working(&self, day: NaiveDate) -> bool {
        match self.days.get(&day) {
            Some(DayKind::Holiday) => false,
            Some(DayKind::Workday) => true,
            None => !is_weekend(day),
        }
    }

    /// The first working day after `day`.
    pub fn next_working(&self, day: NaiveDate) -> NaiveDate {
        let mut next = after(day);
        while !self.is_working(next) && next < NaiveDate::MAX {
            next = after(next);
        }
        next
    }

    /// Whether the notice of `year` is in the calendar.
    pub fn knows(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    /// The years that it knows, in order.
    pub fn years(&self) -> impl Iterator<Item = i32> + '_ {
        self.years.iter().copied()
    }

    /// The years from that of `first` to that of `last` that it does not know.
    pub fn unknown_years(&self, first: NaiveDate, last: NaiveDate) -> Vec<i32> {
        (first.year()..=last.year()).filter(|year| !self.knows(*year)).collect()
    }
}

/// Whether `day` is a Saturday or a Sunday.
pub fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The day after `day`; the last day there is stays.
pub(super) fn after(day: NaiveDate) -> NaiveDate {
    day.succ_opt().unwrap_or(NaiveDate::MAX)
}

/// The day before `day`; the first day there is stays.
pub(super) fn before(day: NaiveDate) -> NaiveDate {
    day.pred_opt().unwrap_or(NaiveDate::MIN)
}
