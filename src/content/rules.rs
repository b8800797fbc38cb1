//! What is decided without database, clock or HTTP.

use chrono::TimeDelta;

use super::model::{ContentCheck, ContentReason, ContentState};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::PersonId;
use crate::platform::access::Role;
use crate::platform::wechat::{Advice, Meaning, Verdict, WechatError};

/// Roles that judge what stands in their subtree. What belongs to a case its team judges, whatever their roles over subtrees.
pub const JUDGES: &[Role] = &[Role::Reviewer, Role::Admin];

/// After so long without a verdict a person looks at it.
pub const PATIENCE: TimeDelta = TimeDelta::days(7);
/// WeChat promises a verdict on a picture within half an hour.
pub const PICTURE_TERM: TimeDelta = TimeDelta::hours(1);
/// The longest wait between two askings: somebody who comes back is there for two hours.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// What came of an asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// WeChat has judged.
    Judged(Verdict),
    /// WeChat will say, under this trace.
    Traced(String),
    /// There is nothing to judge any more.
    Gone,
    /// WeChat cannot be asked about this person, so a human looks.
    Unaskable,
    /// Later.
    Later,
}

/// What a failed asking means. Nothing of it refuses anything.
pub fn failed(error: &WechatError) -> Outcome {
    match error.meaning() {
        // Version 1 and old endpoints say so by a code.
        Some(Meaning::ContentRisky) => Outcome::Judged(Verdict { advice: Advice::Risky, label: 21000 }),
        Some(Meaning::BadOpenid) => Outcome::Unaskable,
        // Busy, limited, away, or the person was not here for two hours: all of that passes. So does what an operator mends.
        _ => Outcome::Later,
    }
}

/// What a verdict makes of a check that waits.
pub fn judged(verdict: Verdict) -> ContentState {
    match verdict.advice {
        Advice::Pass => ContentState::Passed,
        Advice::Review | Advice::Risky => ContentState::Held,
    }
}

/// How long to wait after `tries` askings: half a minute, a minute, … an hour.
pub fn wait(tries: u32) -> TimeDelta {
    TimeDelta::seconds(30 * 2_i64.pow(tries.min(7))).min(LONGEST)
}

/// Whether others than its author do not see it: what WeChat warned of, and what was removed. What nobody could be asked about is shown until
/// somebody has looked at it, and what belongs to a case is never hidden from its team.
pub fn is_withheld(check: &ContentCheck) -> bool {
    check.case_id.is_none()
        && match check.state {
            ContentState::Held => check.label.is_some(),
            ContentState::Removed => true,
            ContentState::Waiting | ContentState::Passed | ContentState::Released => false,
        }
}

crate::text_enum! {
    /// What somebody decides about what is held.
    pub enum ContentDecision {
        /// 放行
        Release = "release",
        /// 屏蔽: shown to its author only.
        Remove = "remove",
    }
}

/// What `judge` makes of a check.
///
/// # Errors
/// `second_officer_required` for one's own, `state_forbids` unless it is held, or for removing what belongs to a case, `validation_failed` for
/// a reason that does not go with the decision.
pub fn decide(
    check: &ContentCheck,
    judge: PersonId,
    decision: ContentDecision,
    reason: ContentReason,
) -> Result<ContentState> {
    if check.person_id == judge {
        return Err(Error::new(Code::SecondOfficer));
    }
    if check.state != ContentState::Held {
        return Err(Error::new(Code::StateForbids)
            .detail("该内容不在待核查状态", "It does not wait for anybody to judge it"));
    }
    if check.case_id.is_some() && decision == ContentDecision::Remove {
        return Err(Error::new(Code::StateForbids).detail(
            "法律援助事项的材料不得屏蔽，只能放行",
            "What belongs to a case of legal aid is never removed; it can be released",
        ));
    }
    let kind = matches!(reason, ContentReason::Harmless | ContentReason::BelongsToMatter);
    if kind != (decision == ContentDecision::Release) {
        let text = Text::new("理由与决定不符", "the reason does not go with the decision");
        return Err(Error::invalid(vec![Fault::new("/reason", "unfit", text)]));
    }
    Ok(match decision {
        ContentDecision::Release => ContentState::Released,
        ContentDecision::Remove => ContentState::Removed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::model::ContentKind;
    use crate::ids::{CaseId, ContentCheckId, OrganisationId};
    use crate::platform::wechat::meaning;
    use uuid::Uuid;

    fn check(state: ContentState, label: Option<i64>, case: bool) -> ContentCheck {
        let id = Uuid::from_u128;
        ContentCheck {
            id: ContentCheckId(id(1)),
            kind: ContentKind::Text,
            room: "review.message".into(),
            row_id: id(2).as_bytes().to_vec(),
            field: "text".into(),
            person_id: PersonId(id(3)),
            organisation_id: (!case).then_some(OrganisationId(id(4))),
            case_id: case.then_some(CaseId(id(5))),
            state,
            label,
            trace_id: None,
            asked_at: chrono::DateTime::UNIX_EPOCH.naive_utc(),
            decided_by: None,
            decided_at: None,
            reason: None,
            version: 1,
        }
    }

    #[test]
    fn only_what_was_warned_of_or_removed_is_withheld_and_nothing_of_a_case() {
        let shown = |state, label| {
            (is_withheld(&check(state, label, false)), is_withheld(&check(state, label, true)))
        };
        assert_eq!(shown(ContentState::Held, Some(20006)), (true, false));
        assert_eq!(shown(ContentState::Held, None), (false, false));
        assert_eq!(shown(ContentState::Removed, Some(20006)), (true, false));
        for state in [ContentState::Waiting, ContentState::Passed, ContentState::Released] {
            assert_eq!(shown(state, Some(20006)), (false, false), "{state}");
        }
    }

    #[test]
    fn every_failure_waits_but_a_warning_and_a_stranger() {
        let error = |errcode| WechatError::Api {
            meaning: meaning("/wxa/msg_sec_check", errcode),
            errcode,
            rid: None,
            endpoint: "/wxa/msg_sec_check",
        };
        for code in [-1, 44991, 45009, 45011, 61010, 40001, 40125, 48006, 47001, 31337] {
            assert_eq!(failed(&error(code)), Outcome::Later, "{code}");
        }
        assert_eq!(failed(&WechatError::Timeout { endpoint: "x" }), Outcome::Later);
        assert_eq!(failed(&error(43104)), Outcome::Unaskable);
        let warned = Verdict { advice: Advice::Risky, label: 21000 };
        assert_eq!(failed(&error(87014)), Outcome::Judged(warned));
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let minutes: Vec<i64> = (0..10).map(|tries| wait(tries).num_minutes()).collect();
        assert_eq!(minutes, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(u32::MAX), TimeDelta::hours(1));
    }

    #[test]
    fn decisions_need_another_person_a_held_text_and_a_reason_that_fits() {
        let (author, judge) = (PersonId(Uuid::from_u128(3)), PersonId(Uuid::from_u128(9)));
        let held = check(ContentState::Held, Some(20006), false);
        let ask = |check: &ContentCheck, who, decision, reason| {
            decide(check, who, decision, reason).map_err(|error| error.code())
        };
        let (release, remove) = (ContentDecision::Release, ContentDecision::Remove);
        assert_eq!(ask(&held, judge, release, ContentReason::Harmless), Ok(ContentState::Released));
        assert_eq!(ask(&held, judge, remove, ContentReason::Abuse), Ok(ContentState::Removed));
        assert_eq!(ask(&held, author, release, ContentReason::Harmless), Err(Code::SecondOfficer));
        assert_eq!(ask(&held, judge, release, ContentReason::Abuse), Err(Code::ValidationFailed));
        assert_eq!(ask(&held, judge, remove, ContentReason::Harmless), Err(Code::ValidationFailed));
        let of_a_case = check(ContentState::Held, Some(20006), true);
        assert_eq!(ask(&of_a_case, judge, remove, ContentReason::Abuse), Err(Code::StateForbids));
        assert_eq!(
            ask(&of_a_case, judge, release, ContentReason::BelongsToMatter),
            Ok(ContentState::Released)
        );
        for state in
            [ContentState::Waiting, ContentState::Passed, ContentState::Released, ContentState::Removed]
        {
            let other = check(state, None, false);
            assert_eq!(
                ask(&other, judge, release, ContentReason::Harmless),
                Err(Code::StateForbids),
                "{state}"
            );
        }
    }
}
