//! Pure decisions at the door.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::ScanOutcome;
use crate::error::{Code, Error};
use crate::offering::model::{Activity, ActivityState, RoleMeaning, Session, SessionState};
use crate::signup::model::SignupState;

/// The door opens this long before a session begins.
pub const DOOR_OPENS_BEFORE: TimeDelta = TimeDelta::hours(2);
/// The door closes this long after a session ends, for those who scan late.
pub const DOOR_CLOSES_AFTER: TimeDelta = TimeDelta::hours(12);

/// Why nobody can be checked in to `session` of `activity` at `now`, if so.
pub fn door(session: &Session, activity: &Activity, now: DateTime<Utc>) -> Option<ScanOutcome> {
    match (session.state, activity.state) {
        (_, ActivityState::Cancelled) => return Some(ScanOutcome::ActivityCancelled),
        (SessionState::Cancelled, _) => return Some(ScanOutcome::SessionCancelled),
        (SessionState::Finalised, _) => return Some(ScanOutcome::Finalised),
        (SessionState::Planned, ActivityState::Postponed) => return Some(ScanOutcome::ActivityPostponed),
        (SessionState::Planned, _) => {}
    }
    (!is_open_at(session, now)).then_some(ScanOutcome::NotOpen)
}

/// Whether the door of `session` is open at `now`, by the clock alone.
pub fn is_open_at(session: &Session, now: DateTime<Utc>) -> bool {
    let opens = session.starts_at.and_utc() - DOOR_OPENS_BEFORE;
    let closes = session.ends_at.and_utc() + DOOR_CLOSES_AFTER;
    (opens..closes).contains(&now)
}

/// Whether a sign-up lets its person in: they have a place, or take part as somebody who needs none.
pub fn admits(state: SignupState, role: Option<&RoleMeaning>) -> bool {
    state.takes() || role.is_some_and(|role| !role.takes_place)
}

/// What staff are told of a scan that lets nobody in.
pub fn refusal(outcome: ScanOutcome) -> Error {
    let called_off = |zh: &'static str, en: &'static str| Error::new(Code::CheckinCalledOff).detail(zh, en);
    match outcome {
        ScanOutcome::SessionCancelled => called_off("该场次已取消", "This session is cancelled"),
        ScanOutcome::ActivityCancelled => called_off("活动已取消", "The activity is cancelled"),
        ScanOutcome::ActivityPostponed => {
            called_off("活动已延期，暂无时间", "The activity is postponed and has no dates for now")
        }
        ScanOutcome::NotSignedUp => Error::new(Code::CheckinNotSignedUp),
        ScanOutcome::NotOpen => Error::new(Code::CheckinNotOpen),
        ScanOutcome::Full => Error::new(Code::CheckinFull),
        ScanOutcome::Finalised => Error::new(Code::SessionFinalised),
        ScanOutcome::PassExpired => Error::new(Code::PassExpired),
        ScanOutcome::CodeInvalid => Error::new(Code::CodeInvalid),
        ScanOutcome::Elsewhere => Error::new(Code::CheckinElsewhere),
        ScanOutcome::NotEligible => Error::new(Code::CheckinNotEligible),
        ScanOutcome::NotPresent => Error::new(Code::CheckinNotPresent),
        ScanOutcome::DeviceRevoked => Error::new(Code::DeviceRevoked),
        ScanOutcome::BundleExpired => Error::new(Code::BundleExpired),
        ScanOutcome::PassInvalid
        | ScanOutcome::Accepted
        | ScanOutcome::Duplicate
        | ScanOutcome::Left
        | ScanOutcome::Conflict
        | ScanOutcome::LeftOut
        | ScanOutcome::Undone => Error::new(Code::PassInvalid),
    }
}

/// What staff are told of somebody who signed up and has no place.
pub fn without_place(state: SignupState) -> Error {
    let refusal = refusal(ScanOutcome::NotSignedUp);
    match state {
        SignupState::Applied => refusal.detail(
            "该职工的申请仍在审核，尚无名额",
            "Their request is being reviewed; they have no place yet",
        ),
        SignupState::Entered => {
            refusal.detail("该职工在等待摇号，尚无名额", "They wait for the shuffle and have no place yet")
        }
        SignupState::Waiting => {
            refusal.detail("该职工在候补名单中，尚无名额", "They are on the waiting list and have no place")
        }
        SignupState::Offered => refusal.detail(
            "该职工尚未确认为其保留的名额，请先在手机上确认",
            "A place is kept for them; they have to confirm it on their phone first",
        ),
        SignupState::Confirmed | SignupState::Attended | SignupState::Cancelled => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_that_lets_nobody_in_has_a_code() {
        let codes: Vec<Code> = ScanOutcome::ALL
            .iter()
            .filter(|outcome| {
                use ScanOutcome::{Accepted, Conflict, Duplicate, Left, LeftOut, Undone};
                !matches!(outcome, Accepted | Duplicate | Left | LeftOut | Conflict | Undone)
            })
            .map(|outcome| refusal(*outcome).code())
            .collect();
        assert_eq!(codes.iter().filter(|code| **code == Code::PassInvalid).count(), 1);
        assert_eq!(codes.iter().filter(|code| **code == Code::CheckinCalledOff).count(), 3);
    }

    #[test]
    fn who_has_no_place_is_let_in_only_where_none_is_needed() {
        let role = |takes_place| RoleMeaning {
            code: crate::offering::model::AttendanceRole::Volunteer,
            name: String::new(),
            takes_place,
            counts: false,
            earns_hours: true,
        };
        for state in SignupState::ALL {
            assert_eq!(admits(*state, Some(&role(true))), state.takes(), "{state}");
            assert!(admits(*state, Some(&role(false))), "{state}");
            assert_eq!(admits(*state, None), state.takes(), "{state}");
        }
    }
}
