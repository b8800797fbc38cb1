//! Rows of sign-ups.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{ActivityId, PartyId, PersonId, QuotaId, SignupId};
use crate::offering::model::AttendanceRole;
use crate::platform::db::schema::signups;

crate::text_enum! {
    /// Life of a sign-up.
    pub enum SignupState {
        /// 待摇号: came in the first minutes; the shuffle will tell.
        Entered = "entered",
        /// 候补中: waits for a place.
        Waiting = "waiting",
        /// 待确认: a place is kept until the person has answered.
        Offered = "offered",
        /// 已报名: the person has a place.
        Confirmed = "confirmed",
        /// 已参加: the person was checked in at least once.
        Attended = "attended",
        /// 已结束: given back, or ended for another reason; the person may sign up again.
        Cancelled = "cancelled",
    }
}

impl SignupState {
    /// Whether a place of the quota is used.
    pub fn takes(self) -> bool {
        matches!(self, Self::Confirmed | Self::Attended)
    }

    /// Whether a place of the quota is kept.
    pub fn holds(self) -> bool {
        self == Self::Offered
    }
}

crate::text_enum! {
    /// Why a sign-up ended.
    pub enum Ending {
        /// 本人取消: the person gave it back, or left the waiting list.
        Person = "person",
        /// 活动取消.
        ActivityCancelled = "activity_cancelled",
        /// 放弃候补名额: the person refused the place.
        OfferRefused = "offer_refused",
        /// 逾期未确认: the person did not answer in time.
        OfferExpired = "offer_expired",
        /// 未获名额: no place was left when the waiting list ended.
        NoPlace = "no_place",
        /// 工作人员取消.
        Staff = "staff",
    }
}

crate::text_enum! {
    /// Why staff may sign somebody up.
    pub enum Basis {
        /// 纸质报名表.
        PaperForm = "paper_form",
        /// 电话委托.
        PhoneCall = "phone_call",
        /// 现场办理.
        AtCounter = "at_counter",
        /// 工会统一报名.
        UnionRoster = "union_roster",
    }
}

/// A person's request for a place.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = signups, treat_none_as_default_value = false)]
pub struct Signup {
    /// Its id.
    pub id: SignupId,
    /// For what.
    pub activity_id: ActivityId,
    /// Whose.
    pub person_id: PersonId,
    /// Where in its life it is.
    pub state: SignupState,
    /// Why it ended.
    pub ended_because: Option<Ending>,
    /// 1, 2, 3, … in the activity: the order of arrival.
    pub number: i64,
    /// Above others of the waiting list, or below.
    pub priority: i64,
    /// As what the person takes part.
    pub role: AttendanceRole,
    /// The quota whose place is used or kept.
    pub quota_id: Option<QuotaId>,
    /// Those who wait together.
    pub party_id: Option<PartyId>,
    /// Staff who signed the person up.
    pub made_by: Option<PersonId>,
    /// Why they might.
    pub basis: Option<Basis>,
    /// When.
    pub created_at: NaiveDateTime,
    /// When it ended.
    pub cancelled_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}
