//! Pure decisions about divided targets.

use std::collections::HashSet;

use super::model::{CascadeState, Share, ShareAnswer};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::OrganisationId;
use crate::plan::model::{Measure, Period, Target};

/// Only one sum over the year can be divided.
///
/// # Errors
/// `target_undivided`.
pub fn may_be_divided(target: &Target) -> Result<()> {
    let is_sum = target.period == Period::Year
        && target.each.is_none()
        && target.coverage.is_none()
        && target.measure != Measure::Rate;
    if is_sum { Ok(()) } else { Err(Error::new(Code::TargetUndivided)) }
}

/// Everything that is wrong with proposed shares. `streets` are the sub-districts with their names.
///
/// # Errors
/// `validation_failed` with all of it.
pub fn check(
    target: &Target,
    streets: &[(OrganisationId, String)],
    shares: &[(OrganisationId, i64)],
    reason: Option<&str>,
    is_first: bool,
) -> Result<()> {
    let mut faults = Vec::new();
    let mut fault = |at: &str, code: &'static str, zh: String, en: String| {
        faults.push(Fault::new(at, code, Text::new(zh, en)))
    };
    let mut seen = HashSet::new();
    for (place, (unit, value)) in shares.iter().enumerate() {
        if !streets.iter().any(|(street, _)| street == unit) {
            let at = format!("/shares/{place}/organisation_id");
            fault(&at, "foreign", "只分解到街道".into(), "targets are divided among sub-districts".into());
        } else if !seen.insert(*unit) {
            let at = format!("/shares/{place}/organisation_id");
            fault(&at, "duplicate", "该街道重复".into(), "this sub-district stands here twice".into());
        }
        if *value < 0 {
            fault(&format!("/shares/{place}/value"), "negative", "不能小于 0".into(), "below zero".into());
        }
    }
    let missing: Vec<&str> =
        streets.iter().filter(|(street, _)| !seen.contains(street)).map(|(_, name)| name.as_str()).collect();
    if !missing.is_empty() {
        let names = missing.join("、");
        fault("/shares", "missing", format!("缺少：{names}"), format!("no share for {names}"));
    }
    let sum = shares.iter().fold(0_i64, |sum, (_, value)| sum.saturating_add(*value));
    if sum < target.value {
        let zh = format!("各街道合计 {sum}，少于指标值 {}", target.value);
        fault(
            "/shares",
            "below_target",
            zh,
            format!("the shares add up to {sum}, the target is {}", target.value),
        );
    }
    if let Some(upper) = target.upper.filter(|upper| sum > *upper) {
        let zh = format!("各街道合计 {sum}，超出范围上限 {upper}");
        fault("/shares", "above_range", zh, format!("the shares add up to {sum}, the range ends at {upper}"));
    }
    if !is_first && reason.is_none_or(|reason| reason.trim().is_empty()) {
        fault("/reason", "required", "调整分解须说明理由".into(), "another version needs a reason".into());
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// Whether a sub-district may answer now.
///
/// # Errors
/// `state_forbids` where the division waits for no answer, or the sub-district has answered; `validation_failed` for an objection without
/// a reason.
pub fn may_answer(
    state: CascadeState,
    share: &Share,
    answer: ShareAnswer,
    reason: Option<&str>,
) -> Result<()> {
    if state != CascadeState::Proposed {
        return Err(Error::new(Code::StateForbids)
            .detail("该分解方案不在征求意见中", "This division waits for no answer"));
    }
    if share.answer.is_some() {
        return Err(
            Error::new(Code::StateForbids).detail("该街道已经答复", "This sub-district has answered already")
        );
    }
    if answer == ShareAnswer::Objected && reason.is_none_or(|reason| reason.trim().is_empty()) {
        let text = Text::new("有异议须说明理由", "an objection needs a reason");
        return Err(Error::invalid(vec![Fault::new("/reason", "required", text)]));
    }
    Ok(())
}

/// Whether all have agreed.
pub fn is_agreed(shares: &[Share]) -> bool {
    shares.iter().all(|share| share.answer == Some(ShareAnswer::Agreed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PlanId, PlanItemId, TargetId};
    use crate::plan::model::{Comparator, CountedFrom, Each, ParticipantGroup};
    use uuid::Uuid;

    fn org(n: u128) -> OrganisationId {
        OrganisationId(Uuid::from_u128(n))
    }

    fn target(value: i64) -> Target {
        Target {
            id: TargetId(Uuid::nil()),
            plan_id: PlanId(Uuid::nil()),
            item_id: PlanItemId(Uuid::nil()),
            code: "07b".into(),
            clause: String::new(),
            measure: Measure::PersonTimes,
            comparator: Comparator::AtLeast,
            value,
            upper: None,
            unit: String::new(),
            each: None,
            period: Period::Year,
            counted_from: CountedFrom::Attendance,
            pair: None,
            parts: "[]".into(),
            min_level: None,
            rotates: false,
            coverage: None,
            curve: None,
            min_good_percent: None,
        }
    }

    #[test]
    fn only_one_sum_over_the_year_is_divided() {
        assert!(may_be_divided(&target(9)).is_ok());
        let others = [
            Target { each: Some(Each::SubDistrict), ..target(9) },
            Target { measure: Measure::Rate, ..target(9) },
            Target { period: Period::Quarter, ..target(9) },
            Target { coverage: Some(ParticipantGroup::AllSubDistricts), ..target(9) },
        ];
        for other in others {
            assert_eq!(may_be_divided(&other).unwrap_err().code(), Code::TargetUndivided, "{other:?}");
        }
    }

    fn wrong(
        target: &Target,
        shares: &[(OrganisationId, i64)],
        reason: Option<&str>,
        first: bool,
    ) -> Vec<String> {
        let streets = [(org(1), "一".to_owned()), (org(2), "二".to_owned())];
        let result = check(target, &streets, shares, reason, first);
        let faults = result.err().map(|error| error.inner().faults.clone()).unwrap_or_default();
        faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
    }

    #[test]
    fn all_faults_of_shares_come_at_once() {
        assert_eq!(wrong(&target(10), &[(org(1), 4), (org(2), 6)], None, true), [""; 0]);
        assert_eq!(wrong(&target(10), &[(org(1), 4), (org(2), 60)], None, true), [""; 0], "more is no fault");
        let all = [(org(1), 4), (org(1), -2), (org(9), 1)];
        let expected = [
            "/shares/1/organisation_id duplicate",
            "/shares/1/value negative",
            "/shares/2/organisation_id foreign",
            "/shares missing",
            "/shares below_target",
            "/reason required",
        ];
        assert_eq!(wrong(&target(10), &all, Some(" "), false), expected);
        let range = Target { upper: Some(12), comparator: Comparator::Between, ..target(10) };
        assert_eq!(wrong(&range, &[(org(1), 4), (org(2), 9)], None, true), ["/shares above_range"]);
        let much = [(org(1), i64::MAX), (org(2), i64::MAX)];
        assert_eq!(wrong(&range, &much, None, true), ["/shares above_range"]);
    }

    fn share(answer: Option<ShareAnswer>) -> Share {
        Share {
            cascade_id: crate::ids::CascadeId(Uuid::nil()),
            organisation_id: org(1),
            value: 1,
            answer,
            reason: None,
            answered_by: None,
            answered_at: None,
        }
    }

    #[test]
    fn who_has_answered_has_answered() {
        let open = share(None);
        assert!(may_answer(CascadeState::Proposed, &open, ShareAnswer::Agreed, None).is_ok());
        assert!(may_answer(CascadeState::Proposed, &open, ShareAnswer::Objected, Some("人手不足")).is_ok());
        let codes = [
            may_answer(CascadeState::Proposed, &open, ShareAnswer::Objected, Some("  ")),
            may_answer(CascadeState::Current, &open, ShareAnswer::Agreed, None),
            may_answer(
                CascadeState::Proposed,
                &share(Some(ShareAnswer::Agreed)),
                ShareAnswer::Objected,
                Some("晚了"),
            ),
        ]
        .map(|result| result.unwrap_err().code());
        assert_eq!(codes, [Code::ValidationFailed, Code::StateForbids, Code::StateForbids]);
        assert!(!is_agreed(&[share(Some(ShareAnswer::Agreed)), open]));
        assert!(is_agreed(&[share(Some(ShareAnswer::Agreed))]));
    }
}
