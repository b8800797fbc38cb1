//! Rows of attendance.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{AttemptId, AttendanceId, PersonId, SessionId, SignupId};
use crate::ledger::model::Grade;
use crate::offering::model::AttendanceRole;
use crate::platform::db::schema::{attendances, checkin_attempts};

crate::text_enum! {
    /// How somebody was checked in.
    pub enum CheckinMethod {
        /// Staff scanned the worker's pass.
        StaffScan = "staff_scan",
    }
}

crate::text_enum! {
    /// What became of a scan. Every scan is kept, the refused ones too.
    pub enum ScanOutcome {
        /// The person is now present.
        Accepted = "accepted",
        /// The person was present already.
        Duplicate = "duplicate",
        /// The person has no place in this activity.
        NotSignedUp = "not_signed_up",
        /// Too early or too late.
        NotOpen = "not_open",
        /// The session is finalised.
        Finalised = "finalised",
        /// Not a pass of ours.
        PassInvalid = "pass_invalid",
        /// A pass of more than a minute ago.
        PassExpired = "pass_expired",
        /// The session is cancelled.
        SessionCancelled = "session_cancelled",
        /// The activity is cancelled.
        ActivityCancelled = "activity_cancelled",
        /// The activity has no dates for now.
        ActivityPostponed = "activity_postponed",
        /// The room holds nobody more.
        Full = "full",
    }
}

/// One person present at one session.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = attendances, treat_none_as_default_value = false)]
pub struct Attendance {
    /// Its id.
    pub id: AttendanceId,
    /// The session.
    pub session_id: SessionId,
    /// The person.
    pub person_id: PersonId,
    /// The sign-up that let them in.
    pub signup_id: SignupId,
    /// As what.
    pub role: AttendanceRole,
    /// How.
    pub method: CheckinMethod,
    /// How good the evidence is.
    pub grade: Grade,
    /// When.
    pub checked_in_at: NaiveDateTime,
    /// By whom.
    pub checked_in_by: PersonId,
}

/// One scan at the door.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = checkin_attempts, treat_none_as_default_value = false)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The session.
    pub session_id: SessionId,
    /// The person, if the pass named one.
    pub person_id: Option<PersonId>,
    /// Who scanned.
    pub operator_id: PersonId,
    /// What became of it.
    pub outcome: ScanOutcome,
    /// When.
    pub at: NaiveDateTime,
}
