//! Rows of attendance.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{AttendanceId, ConflictId, DeviceId, PersonId, ScanId, SessionId, SignupId};
use crate::ledger::model::Grade;
use crate::offering::model::AttendanceRole;
use crate::platform::db::schema::{attendances, checkin_conflicts, excuses, scans};

crate::text_enum! {
    /// The way in.
    pub enum CheckinMethod {
        /// Staff scanned the worker's pass.
        StaffScan = "staff_scan",
        /// The worker scanned the session's code.
        SelfScan = "self_scan",
        /// The worker typed the six digits that were said.
        SpokenCode = "spoken_code",
        /// Staff marked who was there on the list of those with a place.
        Roster = "roster",
        /// A signed sheet of paper, typed in by one officer and compared by another.
        Sheet = "sheet",
        /// Staff took somebody in who had not signed up.
        WalkIn = "walk_in",
        /// Staff went to see the person.
        Visit = "visit",
    }
}

impl CheckinMethod {
    /// How good the evidence of this way in is; of a scan of one's own, at this distance from the venue. Nobody can raise it.
    pub fn grade(self, distance: Option<Distance>) -> Grade {
        match self {
            Self::SelfScan if distance == Some(Distance::Inside) => Grade::A,
            Self::StaffScan | Self::Sheet | Self::WalkIn | Self::Visit => Grade::B,
            Self::SelfScan | Self::SpokenCode | Self::Roster => Grade::C,
        }
    }
}

crate::text_enum! {
    /// How far from the venue somebody was. The position itself is not kept.
    pub enum Distance {
        /// Within the venue's radius.
        Inside = "inside",
        /// Within three times the radius: phones err.
        Near = "near",
        /// Farther away.
        Far = "far",
    }
}

crate::text_enum! {
    /// Which way somebody passed the door.
    pub enum Direction {
        /// In.
        In = "in",
        /// Out.
        Out = "out",
    }
}

crate::text_enum! {
    /// What became of a scan. Every scan is kept, the refused ones too.
    pub enum ScanOutcome {
        /// The person is now present.
        Accepted = "accepted",
        /// The person was present already.
        Duplicate = "duplicate",
        /// The person left.
        Left = "left",
        /// The desk decides whether it counts.
        Conflict = "conflict",
        /// The desk decided that it does not count.
        LeftOut = "left_out",
        /// It was taken back.
        Undone = "undone",
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
        /// Not the session's code, or one of more than a minute ago.
        CodeInvalid = "code_invalid",
        /// The session is cancelled.
        SessionCancelled = "session_cancelled",
        /// The activity is cancelled.
        ActivityCancelled = "activity_cancelled",
        /// The activity has no dates for now.
        ActivityPostponed = "activity_postponed",
        /// The room holds nobody more.
        Full = "full",
        /// The person is not whom the session is for.
        NotEligible = "not_eligible",
        /// Who leaves was not there.
        NotPresent = "not_present",
        /// The device was revoked, or has no such task at this session.
        DeviceRevoked = "device_revoked",
        /// The device's list was out of date when it scanned.
        BundleExpired = "bundle_expired",
    }
}

crate::text_enum! {
    /// What a device cannot decide.
    pub enum ConflictReason {
        /// The person was at another session at that time.
        TwoPlaces = "two_places",
        /// The sign-up was cancelled.
        SignupCancelled = "signup_cancelled",
        /// The session or its activity was called off.
        SessionCancelled = "session_cancelled",
        /// More people than the room holds.
        Full = "full",
        /// The device's clock does not agree with the pass.
        Clock = "clock",
    }
}

crate::text_enum! {
    /// What is proposed to the desk.
    pub enum Proposal {
        /// The attendance counts.
        Count = "count",
        /// It does not.
        LeaveOut = "leave_out",
    }
}

crate::text_enum! {
    /// Where a conflict is in its life.
    pub enum ConflictState {
        /// The desk has it.
        Open = "open",
        /// It counts.
        Approved = "approved",
        /// It does not count.
        Rejected = "rejected",
        /// What came later answered it.
        Dissolved = "dissolved",
    }
}

crate::text_enum! {
    /// Why an attendance does not stand.
    pub enum Voiding {
        /// Staff took it back.
        Undone = "undone",
        /// What came later makes it a conflict.
        Conflict = "conflict",
        /// The desk decided so.
        Rejected = "rejected",
    }
}

/// One person present at one session.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = attendances, treat_none_as_default_value = false)]
pub struct Attendance {
    /// Its id.
    pub id: AttendanceId,
    /// The session.
    pub session_id: SessionId,
    /// The person.
    pub person_id: PersonId,
    /// The sign-up that let them in; none of a walk-in or a visit.
    pub signup_id: Option<SignupId>,
    /// As what.
    pub role: AttendanceRole,
    /// How.
    pub method: CheckinMethod,
    /// How good the evidence is.
    pub grade: Grade,
    /// When.
    pub checked_in_at: NaiveDateTime,
    /// By whom; by themselves, of a scan of one's own.
    pub checked_in_by: PersonId,
    /// When they left, where that was recorded.
    pub left_at: Option<NaiveDateTime>,
    /// The scan without a signal that says so; none of what was seen at once.
    pub scan_id: Option<ScanId>,
    /// Since when it does not stand any more.
    pub voided_at: Option<NaiveDateTime>,
    /// Why.
    pub voided_because: Option<Voiding>,
}

/// One scan at the door.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = scans, treat_none_as_default_value = false)]
pub struct Scan {
    /// Its id.
    pub id: ScanId,
    /// The session.
    pub session_id: SessionId,
    /// The person, if the code named one.
    pub person_id: Option<PersonId>,
    /// Who scanned.
    pub operator_id: PersonId,
    /// With which enrolled device, of a scan without a signal.
    pub device_id: Option<DeviceId>,
    /// In or out.
    pub direction: Direction,
    /// How.
    pub method: CheckinMethod,
    /// What became of it.
    pub outcome: ScanOutcome,
    /// When, by our clock.
    pub happened_at: NaiveDateTime,
    /// When we heard of it.
    pub received_at: NaiveDateTime,
    /// How far from the venue.
    pub distance: Option<Distance>,
    /// SHA-256 of a code that named nobody.
    pub code_hash: Option<Vec<u8>>,
    /// What is wrong with it whatever comes later, of one without a signal.
    pub refused: Option<ScanOutcome>,
    /// Whether the device's clock does not agree with the pass.
    pub clock_off: bool,
    /// The device's own name of it.
    pub client_id: Option<Vec<u8>>,
    /// Its place in the device's order.
    pub client_seq: Option<i64>,
    /// SHA-256 of what the device said.
    pub digest: Option<Vec<u8>>,
}

crate::text_enum! {
    /// Why somebody with a place does not come.
    pub enum ExcuseGround {
        /// 病假.
        Illness = "illness",
        /// 公务或加班.
        Duty = "duty",
        /// 其他.
        Other = "other",
    }
}

/// Somebody who had a reason not to come to a session.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = excuses, treat_none_as_default_value = false)]
pub struct Excuse {
    /// The session.
    pub session_id: SessionId,
    /// Who.
    pub person_id: PersonId,
    /// Why.
    pub ground: ExcuseGround,
    /// In words.
    pub note: Option<String>,
    /// Who says so.
    pub recorded_by: PersonId,
    /// Since when.
    pub recorded_at: NaiveDateTime,
}

/// What a device could not decide about a person at a session.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = checkin_conflicts, treat_none_as_default_value = false)]
pub struct Conflict {
    /// Its id.
    pub id: ConflictId,
    /// The session.
    pub session_id: SessionId,
    /// The person.
    pub person_id: PersonId,
    /// The scan.
    pub scan_id: ScanId,
    /// What it is.
    pub reason: ConflictReason,
    /// What is proposed.
    pub proposed: Proposal,
    /// Where it is in its life.
    pub state: ConflictState,
    /// Since when.
    pub opened_at: NaiveDateTime,
    /// When it ended.
    pub decided_at: Option<NaiveDateTime>,
}
