//! Rows of policies.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::calendar::DayKind;
use crate::platform::db::schema::{calendar_days, calendar_years, policies};

crate::text_enum! {
    /// What a policy's value is counted in.
    pub enum PolicyUnit {
        /// Calendar days.
        CalendarDays = "calendar_days",
        /// Working days.
        WorkingDays = "working_days",
        /// Seconds.
        Seconds = "seconds",
        /// Minutes.
        Minutes = "minutes",
        /// Hours.
        Hours = "hours",
        /// Months.
        Months = "months",
        /// Years.
        Years = "years",
        /// People.
        Persons = "persons",
        /// How often.
        Times = "times",
        /// What a penalty weighs.
        Points = "points",
        /// Characters.
        Characters = "characters",
        /// Hundredths, 0 to 100.
        Percent = "percent",
        /// Money: 1/100 yuan.
        Fen = "fen",
        /// A civil day.
        Day = "day",
        /// Names, separated by semicolons.
        Words = "words",
    }
}

/// A figure of the law or of policy.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = policies)]
pub struct Policy {
    /// Such as `legal_aid.review`.
    pub policy_key: String,
    /// First day on which it holds.
    pub effective_from: NaiveDate,
    /// In `unit`s; names are separated by semicolons.
    pub value: String,
    /// What it is counted in.
    pub unit: PolicyUnit,
    /// Law and article, or the notice.
    pub source: String,
}

/// A day that differs from the plain week.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = calendar_days)]
pub struct CalendarDay {
    /// Which.
    pub day: NaiveDate,
    /// Off, or worked.
    pub kind: DayKind,
    /// Of the holiday.
    pub name: String,
    /// The notice.
    pub source: String,
}

/// A year whose days are all known.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = calendar_years)]
pub struct CalendarYear {
    /// Which.
    pub year: i64,
    /// The notice.
    pub source: String,
}
