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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::seed::{self, SeedSource};

    /// The notices as they are seeded.
    pub(in crate::policy) fn notices() -> Calendar {
        let seeds = seed::load(&SeedSource::Embedded).unwrap();
        Calendar::new(
            seeds.calendar_days.iter().map(|row| (row.day, row.kind)),
            seeds.calendar_years.iter().map(|row| i32::try_from(row.year).unwrap()),
        )
    }

    #[test]
    fn a_notice_goes_before_the_week() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let calendar = Calendar::new(
            [
                (day("2025-10-01"), DayKind::Holiday),
                (day("2025-10-02"), DayKind::Holiday),
                (day("2025-10-03"), DayKind::Holiday),
                (day("2025-09-28"), DayKind::Workday),
            ],
            [2025],
        );
        for (text, working) in [
            ("2025-09-27", false),
            ("2025-09-28", true),
            ("2025-09-30", true),
            ("2025-10-01", false),
            ("2025-10-05", false),
            ("2025-10-06", true),
            ("2026-01-01", true),
        ] {
            assert_eq!(calendar.is_working(day(text)), working, "{text}");
        }
        assert_eq!(calendar.next_working(day("2025-09-26")), day("2025-09-28"));
        assert_eq!(calendar.next_working(day("2025-09-30")), day("2025-10-06"));
        assert_eq!(calendar.unknown_years(day("2024-12-31"), day("2026-01-01")), [2024, 2026]);
        assert_eq!(calendar.unknown_years(day("2025-01-01"), day("2025-12-31")), Vec::<i32>::new());
        assert_eq!(calendar.next_working(NaiveDate::MAX), NaiveDate::MAX);
    }
}
