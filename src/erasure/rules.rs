//! What is kept and until when, and how it is said what stands in the way.

use chrono::{Months, NaiveDate};

use super::model::ErasureObstacle;
use crate::error::{Code, Error, Fault, Result, Text};

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub kind: ErasureObstacle,
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: String,
}

impl Standing {
    /// What to do first.
    pub fn what_to_do(&self) -> Text {
        let Self { name, .. } = self;
        match self.kind {
            ErasureObstacle::LegalCase => Text::new(
                "法律援助案件尚未办结：请等待办结，或者先撤回申请、退出该案",
                "A legal aid case has not ended: wait for its end, or withdraw from it first",
            ),
            ErasureObstacle::Review => Text::new(
                format!("申请“{name}”正在审核：请先撤回，或者等待结果"),
                format!("The request {name} is not decided: withdraw it first, or wait for the decision"),
            ),
            ErasureObstacle::Signup => Text::new(
                format!("“{name}”的报名尚未结束：请先取消报名"),
                format!("The sign-up for {name} is still to come: cancel it first"),
            ),
            ErasureObstacle::CheckinConflict => Text::new(
                "一次签到待组织者裁定：请等待结果",
                "The organiser has not decided about a check-in: wait for the decision",
            ),
            ErasureObstacle::StaffRole => Text::new(
                format!("仍有工作人员权限（{name}）：请先由管理员撤销"),
                format!("The role {name} is still held: have an administrator revoke it first"),
            ),
        }
    }
}

/// Refuses where anything stands in the way, naming all of it.
///
/// # Errors
/// `erasure_held`.
pub fn nothing_is_running(found: &[Standing]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let fault =
        |one: &Standing| Fault::new(format!("/{}/{}", one.kind, one.id), one.kind.as_str(), one.what_to_do());
    Err(Error::parameters(Code::ErasureHeld, found.iter().take(100).map(fault).collect()))
}

/// The last day on which what ended on `day` is kept for `years`.
pub fn until(day: NaiveDate, years: i64) -> NaiveDate {
    let months = u32::try_from(years.max(0)).unwrap_or(0).saturating_mul(12);
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn years_end_on_the_same_date() {
        assert_eq!(until(day("2025-06-16"), 10), day("2035-06-16"));
        assert_eq!(until(day("2024-02-29"), 1), day("2025-02-28"));
        assert_eq!(until(day("2024-02-29"), 0), day("2024-02-29"));
        assert_eq!(until(day("2024-02-29"), -3), day("2024-02-29"));
    }

    #[test]
    fn everything_that_stands_in_the_way_is_named() {
        assert!(nothing_is_running(&[]).is_ok());
        let all: Vec<Standing> = ErasureObstacle::ALL
            .iter()
            .map(|kind| Standing { kind: *kind, id: "x_1".into(), name: "某活动".into() })
            .collect();
        let error = nothing_is_running(&all).unwrap_err();
        assert_eq!(error.code(), Code::ErasureHeld);
        let faults = &error.inner().faults;
        assert_eq!(faults.len(), all.len());
        for (fault, one) in faults.iter().zip(&all) {
            assert_eq!(fault.code, one.kind.as_str());
            assert!(fault.pointer.ends_with("/x_1"), "{}", fault.pointer);
            assert!(fault.detail.zh.contains('：') && fault.detail.en.contains(": "), "{:?}", fault.detail);
        }
    }
}
