//! Pure decisions about activities.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Activity, ActivityState, Allocation, Audience, QuotaKind, Session, SessionState, Wave};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{OrganisationId, SessionId};
use crate::org::model::OrganisationKind;

crate::text_enum! {
    /// What a worker would be told who wanted to sign up now.
    pub enum Availability {
        /// 未开始
        NotYetOpen = "not_yet_open",
        /// 可报名
        Open = "open",
        /// 已满
        Full = "full",
        /// 已截止
        Closed = "closed",
        /// 需抽签
        NotDirect = "not_direct",
    }
}

/// Whether one can sign up for `activity` at `now`.
pub fn availability(activity: &Activity, now: DateTime<Utc>) -> Availability {
    if !matches!(activity.state, ActivityState::Published | ActivityState::Allocated)
        || now >= activity.signup_closes_at.and_utc()
    {
        Availability::Closed
    } else if now < activity.signup_opens_at.and_utc() {
        Availability::NotYetOpen
    } else if activity.allocation == Allocation::Draw {
        Availability::NotDirect
    } else if activity.free() == 0 {
        Availability::Full
    } else {
        Availability::Open
    }
}

/// Whether a sign-up may be tried at all; being full is for the registrar to say.
pub fn signup_window(activity: &Activity, now: DateTime<Utc>) -> Result<()> {
    if activity.state == ActivityState::Draft {
        // Nobody but its organisers may know of it.
        return Err(Error::not_found());
    }
    match availability(activity, now) {
        Availability::NotYetOpen => {
            let opens = activity.signup_opens_at.and_utc().with_timezone(&crate::clock::shanghai());
            let shown = opens.format("%Y-%m-%d %H:%M");
            Err(Error::new(Code::SignupNotYetOpen).detail(
                format!("{shown}（北京时间）开始报名"),
                format!("Sign-up opens at {shown} (UTC+08:00)"),
            ))
        }
        Availability::Closed => Err(Error::new(Code::SignupClosed)),
        Availability::NotDirect => Err(Error::new(Code::SignupNotDirect)),
        Availability::Open | Availability::Full => Ok(()),
    }
}

/// A wanted session.
#[derive(Debug, Clone, Copy)]
pub struct SessionTimes {
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends.
    pub ends_at: DateTime<Utc>,
}

/// A session lasts at most a day.
pub const LONGEST_SESSION: TimeDelta = TimeDelta::hours(24);

/// All that is wrong with wanted times.
pub fn check_times(
    signup_opens_at: DateTime<Utc>,
    signup_closes_at: DateTime<Utc>,
    sessions: &[SessionTimes],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if signup_opens_at >= signup_closes_at {
        let text = Text::new("必须晚于报名开始时间", "must be after signup_opens_at");
        faults.push(Fault::new("/signup_closes_at", "order", text));
    }
    for (place, session) in sessions.iter().enumerate() {
        let at = format!("/sessions/{place}/ends_at");
        if session.ends_at <= session.starts_at {
            faults.push(Fault::new(at, "order", Text::new("必须晚于开始时间", "must be after starts_at")));
        } else if session.ends_at - session.starts_at > LONGEST_SESSION {
            faults.push(Fault::new(
                at,
                "too_long",
                Text::new("一场最长 24 小时", "a session lasts at most 24 hours"),
            ));
        }
    }
    if let Some(last) = sessions.iter().map(|session| session.ends_at).max()
        && signup_closes_at > last
    {
        let text = Text::new("不能晚于最后一场结束", "must not be after the end of the last session");
        faults.push(Fault::new("/signup_closes_at", "order", text));
    }
    faults
}

/// Places that are given for `capacity` with `percent` more.
pub fn bookable(capacity: i64, percent: i64) -> i64 {
    capacity + capacity * percent / 100
}

/// The least per cent with which [`bookable`] makes `given` of `capacity`.
pub fn overbooked(capacity: i64, given: i64) -> i64 {
    let (beyond, capacity) = ((given - capacity).max(0) * 100, capacity.max(1));
    beyond / capacity + i64::from(beyond % capacity > 0)
}

/// All that is wrong with wanted waves. `kind_of` says what an organisation is, if there is one.
pub fn check_waves(
    waves: &[Wave],
    signup_opens_at: DateTime<Utc>,
    kind_of: impl Fn(OrganisationId) -> Option<OrganisationKind>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (place, wave) in waves.iter().enumerate() {
        let mut wrong = |field: &str, code: &'static str, zh: &'static str, en: &'static str| {
            faults.push(Fault::new(format!("/waves/{place}/{field}"), code, Text::new(zh, en)));
        };
        if wave.opens_at >= signup_opens_at {
            wrong("opens_at", "order", "必须早于报名开始时间", "must be before signup_opens_at");
        }
        let of_union = match wave.kind {
            QuotaKind::Street => Some(OrganisationKind::SubDistrict),
            QuotaKind::Industry => Some(OrganisationKind::IndustryUnion),
            QuotaKind::Audience => None,
            QuotaKind::Pool => {
                wrong("kind", "enum", "不能是 pool", "must not be pool");
                continue;
            }
        };
        match (of_union, wave.organisation_id) {
            (Some(_), None) => wrong("organisation_id", "required", "必填", "required"),
            (Some(kind), Some(id)) if kind_of(id) != Some(kind) => {
                wrong(
                    "organisation_id",
                    "unknown",
                    "没有这个街道或行业工会",
                    "no such sub-district or industry union",
                );
            }
            (None, Some(_)) => wrong("organisation_id", "unknown", "按人群开放时不填", "not of an audience"),
            _ => {}
        }
        match (of_union, wave.audience) {
            (None, None) => wrong("audience", "required", "必填", "required"),
            (None, Some(Audience::All)) => {
                wrong(
                    "audience",
                    "enum",
                    "全体职工从报名开始时间起报名",
                    "everybody signs up from signup_opens_at on",
                );
            }
            (Some(_), Some(_)) => wrong("audience", "unknown", "仅按人群开放时填", "only of an audience"),
            _ => {}
        }
    }
    faults
}

/// New times for an activity.
#[derive(Debug, Clone)]
pub struct NewTimes {
    /// Sign-up opens; as before when none.
    pub signup_opens_at: Option<DateTime<Utc>>,
    /// Sign-up closes; as before when none.
    pub signup_closes_at: Option<DateTime<Utc>>,
    /// Sessions that move.
    pub sessions: Vec<(SessionId, SessionTimes)>,
    /// Whether people must sign up anew.
    pub release: bool,
}

/// All that is wrong with new times for an activity with these `sessions`.
pub fn check_new_times(
    activity: &Activity,
    sessions: &[Session],
    wanted: &NewTimes,
    now: DateTime<Utc>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut named = HashSet::new();
    for (place, (id, times)) in wanted.sessions.iter().enumerate() {
        let session = sessions.iter().find(|session| session.id == *id);
        let wrong = match session {
            None => Some(("unknown", "不是本活动的场次", "not a session of this activity")),
            Some(_) if !named.insert(*id) => {
                Some(("duplicate", "同一场次出现两次", "the session is named twice"))
            }
            Some(session) if session.state != SessionState::Planned => {
                Some(("state", "场次已结算或已取消", "the session is finalised or cancelled"))
            }
            // Their attendance has its day, and the ledger too.
            Some(session) if session.present > 0 => {
                Some(("state", "已有人在该场次签到", "somebody is checked in at it already"))
            }
            Some(_) => None,
        };
        if let Some((code, zh, en)) = wrong {
            faults.push(Fault::new(format!("/sessions/{place}/id"), code, Text::new(zh, en)));
        }
        if times.starts_at <= now {
            let text = Text::new("必须晚于现在", "must be later than now");
            faults.push(Fault::new(format!("/sessions/{place}/starts_at"), "order", text));
        }
    }
    let others = || {
        let standing = |session: &&Session| session.state != SessionState::Cancelled;
        sessions.iter().filter(standing).filter(|session| !named.contains(&session.id))
    };
    if activity.state == ActivityState::Postponed
        && others().any(|session| session.state == SessionState::Planned)
    {
        let text = Text::new(
            "活动已延期，须为每个未结算的场次给出新时间",
            "the activity is postponed: every session that is not finalised needs a new time",
        );
        faults.push(Fault::new("/sessions", "required", text));
    }
    let mut times: Vec<SessionTimes> = wanted.sessions.iter().map(|(_, times)| *times).collect();
    times.extend(others().map(|session| SessionTimes {
        starts_at: session.starts_at.and_utc(),
        ends_at: session.ends_at.and_utc(),
    }));
    let opens = wanted.signup_opens_at.unwrap_or(activity.signup_opens_at.and_utc());
    let closes = wanted.signup_closes_at.unwrap_or(activity.signup_closes_at.and_utc());
    faults.extend(check_times(opens, closes, &times));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn at(hour: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2025, 5, 1, hour, 0, 0).unwrap()
    }

    #[test]
    fn every_wrong_time_is_named() {
        let sessions = [
            SessionTimes { starts_at: at(10), ends_at: at(9) },
            SessionTimes { starts_at: at(1), ends_at: at(1) + TimeDelta::hours(25) },
        ];
        let faults = check_times(at(5), at(5), &sessions);
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/signup_closes_at", "/sessions/0/ends_at", "/sessions/1/ends_at"]);
        assert!(check_times(at(1), at(5), &[SessionTimes { starts_at: at(4), ends_at: at(6) }]).is_empty());
        assert_eq!(check_times(at(1), at(7), &[SessionTimes { starts_at: at(4), ends_at: at(6) }]).len(), 1);
    }

    #[test]
    fn overbooking_is_rounded_down_and_found_again() {
        assert_eq!((bookable(40, 0), bookable(40, 10), bookable(7, 20), bookable(1, 50)), (40, 44, 8, 1));
        for capacity in 1..200 {
            for percent in 0..=50 {
                let given = bookable(capacity, percent);
                let found = overbooked(capacity, given);
                assert!(found <= percent && bookable(capacity, found) == given, "{capacity} {percent}");
            }
        }
    }

    #[test]
    fn every_wrong_wave_is_named() {
        let street = OrganisationId(uuid::Uuid::from_u128(1));
        let kind_of = |id| (id == street).then_some(OrganisationKind::SubDistrict);
        let wave = |kind, organisation_id, audience, hour| Wave {
            kind,
            organisation_id,
            audience,
            opens_at: at(hour),
        };
        let fine = [
            wave(QuotaKind::Street, Some(street), None, 4),
            wave(QuotaKind::Audience, None, Some(Audience::ModelWorker), 3),
        ];
        assert!(check_waves(&fine, at(5), kind_of).is_empty());
        let wrong = [
            wave(QuotaKind::Street, Some(street), None, 5),
            wave(QuotaKind::Industry, Some(street), None, 4),
            wave(QuotaKind::Street, None, Some(Audience::ModelWorker), 4),
            wave(QuotaKind::Audience, Some(street), None, 4),
            wave(QuotaKind::Audience, None, Some(Audience::All), 4),
            wave(QuotaKind::Pool, None, None, 4),
        ];
        let faults = check_waves(&wrong, at(5), kind_of);
        let found: Vec<(&str, &str)> = faults.iter().map(|f| (f.pointer.as_str(), f.code)).collect();
        assert_eq!(
            found,
            [
                ("/waves/0/opens_at", "order"),
                ("/waves/1/organisation_id", "unknown"),
                ("/waves/2/organisation_id", "required"),
                ("/waves/2/audience", "unknown"),
                ("/waves/3/organisation_id", "unknown"),
                ("/waves/3/audience", "required"),
                ("/waves/4/audience", "enum"),
                ("/waves/5/kind", "enum"),
            ]
        );
    }
}
