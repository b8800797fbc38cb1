//! Pure decisions at the door.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::ScanOutcome;
use crate::error::{Code, Error};
use crate::offering::model::{Session, SessionState};

/// The door opens this long before a session begins.
pub const DOOR_OPENS_BEFORE: TimeDelta = TimeDelta::hours(2);
/// The door closes this long after a session ends, for those who scan late.
pub const DOOR_CLOSES_AFTER: TimeDelta = TimeDelta::hours(12);

/// Why nobody can be checked in to `session` at `now`, if so.
pub fn door(session: &Session, now: DateTime<Utc>) -> Option<ScanOutcome> {
    if session.state == SessionState::Finalised {
        return Some(ScanOutcome::Finalised);
    }
    let opens = session.starts_at.and_utc() - DOOR_OPENS_BEFORE;
    let closes = session.ends_at.and_utc() + DOOR_CLOSES_AFTER;
    (now < opens || now >= closes).then_some(ScanOutcome::NotOpen)
}

/// What staff are told of a scan that lets nobody in.
pub fn refusal(outcome: ScanOutcome) -> Error {
    Error::new(match outcome {
        ScanOutcome::NotSignedUp => Code::CheckinNotSignedUp,
        ScanOutcome::NotOpen => Code::CheckinNotOpen,
        ScanOutcome::Finalised => Code::SessionFinalised,
        ScanOutcome::PassExpired => Code::PassExpired,
        ScanOutcome::PassInvalid | ScanOutcome::Accepted | ScanOutcome::Duplicate => Code::PassInvalid,
    })
}
