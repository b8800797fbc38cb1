//! Limitations: how long somebody may still claim, and whether that is so short that aid cannot wait.

use chrono::{Months, NaiveDate};

use crate::error::{Error, Result};
use crate::legal_aid::model::{Category, ClaimEvent};
use crate::policy::calendar::Calendar;
use crate::policy::model::{Policy, PolicyUnit};

/// Figures of the law, in months.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To ask for arbitration of a labour dispute.
    pub labour: u32,
    /// To apply for the recognition of an injury, where the employer does not.
    pub injury: u32,
    /// To go to court about anything else.
    pub civil: u32,
}

/// How many months a policy says.
///
/// # Errors
/// An internal error naming the policy where it counts something else.
pub fn months(policy: &Policy) -> Result<u32> {
    let wrong =
        || Error::internal(format!("the policy {} is no number of months or years", policy.policy_key));
    let number: u32 = policy.value.parse().map_err(|_| wrong())?;
    match policy.unit {
        PolicyUnit::Months => Ok(number),
        PolicyUnit::Years => Ok(number.saturating_mul(12)),
        _ => Err(wrong()),
    }
}

/// How long somebody may still claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limitation {
    /// Nobody knows from when on it runs.
    Unknown,
    /// It has not begun: of pay that is owed while somebody is employed (劳动争议调解仲裁法 第二十七条第四款).
    NotBegun,
    /// With this day it is over.
    Ends(NaiveDate),
}

impl Limitation {
    /// The last day, where there is one.
    pub fn last_day(self) -> Option<NaiveDate> {
        match self {
            Self::Ends(day) => Some(day),
            Self::Unknown | Self::NotBegun => None,
        }
    }
}

/// How long somebody may claim to whom `event` happened.
pub fn limitation(
    event: Option<(ClaimEvent, NaiveDate)>,
    category: Category,
    limits: Limits,
    calendar: &Calendar,
) -> Limitation {
    let Some((event, day)) = event else { return Limitation::Unknown };
    let months = match event {
        ClaimEvent::Unpaid => return Limitation::NotBegun,
        ClaimEvent::Dismissed | ClaimEvent::Left => limits.labour,
        ClaimEvent::Injured => limits.injury,
        ClaimEvent::Other if category == Category::LabourDispute => limits.labour,
        ClaimEvent::Other => limits.civil,
    };
    Limitation::Ends(last_day(day, months, calendar))
}

/// The last day of `months` from `day`: the same day of that month, or its last one, and where that is a day off, the first working day
/// after it (民法典 第二百零二条、第二百零三条).
fn last_day(day: NaiveDate, months: u32, calendar: &Calendar) -> NaiveDate {
    let last = day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX);
    if calendar.is_working(last) { last } else { calendar.next_working(last) }
}

/// Whether fewer than `below` days are left until the end of the limitation (法律援助法 第四十四条). What is over already is not made
/// better by haste.
pub fn is_urgent(limitation: Limitation, today: NaiveDate, below: i64) -> bool {
    limitation.last_day().is_some_and(|last| {
        let left = (last - today).num_days();
        (0..below).contains(&left)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { labour: 12, injury: 12, civil: 36 };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn of(event: ClaimEvent, on: &str, category: Category) -> Limitation {
        limitation(Some((event, day(on))), category, LIMITS, &Calendar::default())
    }

    #[test]
    fn a_year_from_the_event_and_on_a_working_day() {
        let ends = |text| Limitation::Ends(day(text));
        let labour = Category::LabourDispute;
        assert_eq!(of(ClaimEvent::Dismissed, "2024-06-20", labour), ends("2025-06-20"));
        assert_eq!(of(ClaimEvent::Left, "2024-06-19", labour), ends("2025-06-19"));
        // 2025-06-21 is a Saturday.
        assert_eq!(of(ClaimEvent::Dismissed, "2024-06-21", labour), ends("2025-06-23"));
        // There is no 29 February: the last day of that month, a Friday.
        assert_eq!(of(ClaimEvent::Injured, "2024-02-29", Category::Rights), ends("2025-02-28"));
        assert_eq!(of(ClaimEvent::Other, "2022-06-20", labour), ends("2023-06-20"));
        assert_eq!(of(ClaimEvent::Other, "2022-06-20", Category::Rights), ends("2025-06-20"));
    }

    #[test]
    fn of_unpaid_wages_it_has_not_begun_while_somebody_is_employed() {
        assert_eq!(of(ClaimEvent::Unpaid, "2019-01-31", Category::LabourDispute), Limitation::NotBegun);
        assert_eq!(
            limitation(None, Category::LabourDispute, LIMITS, &Calendar::default()),
            Limitation::Unknown
        );
    }

    #[test]
    fn fewer_than_seven_days_are_urgent() {
        let today = day("2025-06-16");
        let urgent = |text: &str| is_urgent(Limitation::Ends(day(text)), today, 7);
        assert!(urgent("2025-06-16"), "the last day");
        assert!(urgent("2025-06-22"), "six days left");
        assert!(!urgent("2025-06-23"), "seven days left");
        assert!(!urgent("2025-06-15"), "over");
        assert!(!is_urgent(Limitation::NotBegun, today, 7));
        assert!(!is_urgent(Limitation::Unknown, today, 7));
    }
}
