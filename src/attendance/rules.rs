//! Pure decisions at the door.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::model::{Distance, ScanOutcome};
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

/// Whole minutes that somebody was at a session: between its begin and its end, until they left.
pub fn minutes(session: &Session, came: NaiveDateTime, left: Option<NaiveDateTime>) -> i64 {
    let (from, until) = (came.max(session.starts_at), left.unwrap_or(session.ends_at).min(session.ends_at));
    (until - from).num_minutes().max(0)
}

/// Whether somebody who came at `came` is late by more than `minutes`.
pub fn is_late(session: &Session, came: NaiveDateTime, minutes: i64) -> bool {
    came > session.starts_at + TimeDelta::minutes(minutes)
}

/// Whether somebody left more than `minutes` before the end.
pub fn is_early(session: &Session, left: Option<NaiveDateTime>, minutes: i64) -> bool {
    left.is_some_and(|left| left < session.ends_at - TimeDelta::minutes(minutes))
}

/// How far `here` is from `there`, both in millionths of a degree north and east, where `metres` around it are inside. On a globe
/// of 6,371 km; over some kilometres the difference to the earth is less than that between two phones.
#[expect(clippy::cast_precision_loss, reason = "at most 180 million: exact")]
pub fn distance(there: (i64, i64), here: (i64, i64), metres: i64) -> Distance {
    let radians = |millionths: i64| (millionths as f64 / 1e6).to_radians();
    let (from, to) = (radians(there.0), radians(here.0));
    let (north, east) = ((to - from) / 2.0, (radians(here.1) - radians(there.1)) / 2.0);
    let chord = north.sin().powi(2) + from.cos() * to.cos() * east.sin().powi(2);
    let away = 2.0 * 6_371_000.0 * chord.sqrt().clamp(0.0, 1.0).asin();
    if away <= metres as f64 {
        Distance::Inside
    } else if away <= 3.0 * metres as f64 {
        Distance::Near
    } else {
        Distance::Far
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attendance::model::CheckinMethod;

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

    #[test]
    fn distances_are_classes_and_grades_follow_the_way_in() {
        let hall = (22_689_100, 114_113_200);
        // A millionth of a degree north is eleven centimetres; east, a tenth less at this latitude.
        assert_eq!(distance(hall, (22_690_000, 114_113_200), 150), Distance::Inside);
        assert_eq!(distance(hall, (22_689_100, 114_114_700), 150), Distance::Near);
        assert_eq!(distance(hall, (22_700_000, 114_113_200), 150), Distance::Far);
        assert_eq!(
            distance(hall, (-22_689_100, -65_886_800), 5000),
            Distance::Far,
            "the other side of the earth"
        );
        use crate::ledger::model::Grade;
        for (method, distance, grade) in [
            (CheckinMethod::SelfScan, Some(Distance::Inside), Grade::A),
            (CheckinMethod::SelfScan, Some(Distance::Near), Grade::C),
            (CheckinMethod::SelfScan, None, Grade::C),
            (CheckinMethod::StaffScan, None, Grade::B),
            (CheckinMethod::StaffScan, Some(Distance::Inside), Grade::B),
            (CheckinMethod::Sheet, None, Grade::B),
            (CheckinMethod::WalkIn, None, Grade::B),
            (CheckinMethod::Visit, None, Grade::B),
            (CheckinMethod::SpokenCode, None, Grade::C),
            (CheckinMethod::Roster, None, Grade::C),
        ] {
            assert_eq!(method.grade(distance), grade, "{method} {distance:?}");
        }
    }
}
