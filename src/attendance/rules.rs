//! Pure decisions at the door.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::model::{Distance, ScanOutcome};
use crate::error::{Code, Error};
use crate::offering::completion::{CompletionRule, ShareOf};
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

/// Why no paper and no list can be brought in to `session` of `activity` at `now`, if so: the door's hours do not bind one that was opened
/// again, since that is what it was opened for.
pub fn desk(session: &Session, activity: &Activity, now: DateTime<Utc>) -> Option<ScanOutcome> {
    door(session, activity, now).filter(|why| *why != ScanOutcome::NotOpen || session.reopened_at.is_none())
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

/// What a session is for somebody's completion of its activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Nothing: it was called off, nobody was seen there, or the person was excused.
    LeftOut,
    /// It is not finalised yet.
    ToCome,
    /// The person was not there.
    Missed,
    /// The person was there for so many minutes.
    Attended(i64),
}

/// What `session` is for somebody who came, and left, as `attended` says, if they were there.
pub fn part(
    session: &Session,
    attended: Option<(NaiveDateTime, Option<NaiveDateTime>)>,
    excused: bool,
) -> Part {
    match (session.state, attended) {
        (SessionState::Cancelled, _) => Part::LeftOut,
        (_, None) if excused => Part::LeftOut,
        (SessionState::Planned, _) => Part::ToCome,
        (SessionState::Finalised, Some((came, left))) => Part::Attended(minutes(session, came, left)),
        // A crowd may have been counted there, which nobody is held to.
        (SessionState::Finalised, None) if session.present == 0 => Part::LeftOut,
        (SessionState::Finalised, None) => Part::Missed,
    }
}

crate::text_enum! {
    /// Whether somebody has completed an activity.
    pub enum CompletionState {
        /// 已结业.
        Completed = "completed",
        /// 进行中: what is missing may still come.
        Open = "open",
        /// 未结业: what is to come is not enough any more.
        Missed = "missed",
    }
}

/// What somebody has of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Sessions attended.
    pub sessions: i64,
    /// Sessions that count, those to come too.
    pub of_sessions: i64,
    /// Minutes attended.
    pub minutes: i64,
    /// Minutes that count, those to come too.
    pub of_minutes: i64,
    /// What is needed: sessions, or minutes, as the rule says.
    pub needed: i64,
    /// What of it is there.
    pub done: i64,
    /// What may still come.
    pub to_come: i64,
}

impl Progress {
    /// What is missing.
    pub fn missing(&self) -> i64 {
        (self.needed - self.done).max(0)
    }

    /// Whether it is enough. Where nothing counts, nobody has completed anything.
    pub fn state(&self) -> CompletionState {
        if self.done > 0 && self.missing() == 0 {
            CompletionState::Completed
        } else if self.to_come > 0 && self.to_come >= self.missing() {
            CompletionState::Open
        } else {
            CompletionState::Missed
        }
    }
}

/// What somebody has of an activity with `rule`, from its sessions: their length in minutes, and what each is for them. The share that is
/// needed is rounded up.
pub fn progress(rule: CompletionRule, parts: impl Iterator<Item = (i64, Part)>) -> Progress {
    let mut all =
        Progress { sessions: 0, of_sessions: 0, minutes: 0, of_minutes: 0, needed: 0, done: 0, to_come: 0 };
    let (mut sessions_to_come, mut minutes_to_come) = (0, 0);
    for (length, part) in parts.filter(|(_, part)| *part != Part::LeftOut) {
        all.of_sessions += 1;
        all.of_minutes += length;
        match part {
            Part::Attended(minutes) => {
                all.sessions += 1;
                all.minutes += minutes;
            }
            Part::ToCome => {
                sessions_to_come += 1;
                minutes_to_come += length;
            }
            Part::Missed | Part::LeftOut => {}
        }
    }
    let (of, done, to_come) = match rule.of {
        ShareOf::Sessions => (all.of_sessions, all.sessions, sessions_to_come),
        ShareOf::Hours => (all.of_minutes, all.minutes, minutes_to_come),
    };
    Progress { needed: (of * rule.percent + 99) / 100, done, to_come, ..all }
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

    fn session(state: SessionState, present: i64) -> Session {
        let at = |minute: i64| DateTime::from_timestamp(1_760_000_000 + minute * 60, 0).unwrap().naive_utc();
        Session {
            id: crate::ids::SessionId(uuid::Uuid::nil()),
            activity_id: crate::ids::ActivityId(uuid::Uuid::nil()),
            number: 1,
            starts_at: at(0),
            ends_at: at(90),
            state,
            state_reason: None,
            held: None,
            present,
            finalised_at: None,
            finalised_by: None,
            version: 1,
            reopened_at: None,
        }
    }

    #[test]
    fn what_a_session_is_for_somebody() {
        use SessionState::{Cancelled, Finalised, Planned};
        let at = |minute: i64| session(Planned, 0).starts_at + TimeDelta::minutes(minute);
        let came = Some((at(10), None));
        for (state, present, stay, excused, is) in [
            (Cancelled, 1, came, false, Part::LeftOut),
            (Planned, 1, came, false, Part::ToCome),
            (Planned, 0, None, false, Part::ToCome),
            (Planned, 1, came, true, Part::ToCome),
            (Planned, 0, None, true, Part::LeftOut),
            (Finalised, 1, came, false, Part::Attended(80)),
            (Finalised, 1, came, true, Part::Attended(80)),
            (Finalised, 1, Some((at(10), Some(at(30)))), false, Part::Attended(20)),
            (Finalised, 1, Some((at(-30), Some(at(300)))), false, Part::Attended(90)),
            (Finalised, 1, Some((at(95), None)), false, Part::Attended(0)),
            (Finalised, 1, None, false, Part::Missed),
            (Finalised, 1, None, true, Part::LeftOut),
            (Finalised, 0, None, false, Part::LeftOut),
        ] {
            let row = session(state, present);
            assert_eq!(part(&row, stay, excused), is, "{state} {present} {stay:?} {excused}");
        }
    }

    #[test]
    fn what_is_enough_to_have_completed() {
        use CompletionState::{Completed, Missed, Open};
        use Part::{Attended, LeftOut, ToCome};
        let of = |of, percent, parts: &[Part]| {
            let all = progress(CompletionRule { of, percent }, parts.iter().map(|part| (90, *part)));
            (all.state(), all.missing())
        };
        let sessions = |percent, parts: &[Part]| of(ShareOf::Sessions, percent, parts);
        let five = |n: usize, rest: Part| {
            let mut parts = vec![Attended(90); n];
            parts.resize(5, rest);
            parts
        };
        assert_eq!(sessions(80, &five(4, Part::Missed)), (Completed, 0));
        assert_eq!(sessions(80, &five(3, Part::Missed)), (Missed, 1));
        assert_eq!(sessions(80, &five(3, ToCome)), (Open, 1));
        assert_eq!(sessions(81, &five(4, Part::Missed)), (Missed, 1), "rounded in nobody's favour");
        assert_eq!(sessions(80, &five(3, LeftOut)), (Completed, 0));
        assert_eq!(sessions(1, &five(0, ToCome)), (Open, 1));
        assert_eq!(sessions(1, &five(0, LeftOut)), (Missed, 0), "nothing is no completion");
        assert_eq!(sessions(50, &[Part::Missed, Part::Missed, ToCome]), (Missed, 2), "one is not two");
        let hours = |percent, parts: &[Part]| of(ShareOf::Hours, percent, parts);
        assert_eq!(hours(80, &[Attended(54), Attended(90)]), (Completed, 0));
        assert_eq!(hours(80, &[Attended(53), Attended(90)]), (Missed, 1));
        assert_eq!(hours(80, &[Attended(53), ToCome]), (Missed, 91));
        assert_eq!(hours(80, &[Attended(54), ToCome]), (Open, 90));
        assert_eq!(
            hours(1, &[Attended(0), Part::Missed]),
            (Missed, 2),
            "who came after the end was not there"
        );
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
