//! Rows of sign-ups.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use crate::clock::db_time;
use crate::ids::{ActivityId, OfferId, PartyId, PersonId, QuotaId, SignupId};
use crate::offering::model::AttendanceRole;
use crate::platform::db::schema::{offers, parties, signups};

crate::text_enum! {
    /// Life of a sign-up.
    pub enum SignupState {
        /// 待审核: waits for the desk; no place is used or kept.
        Applied = "applied",
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
        /// 审核未通过.
        Rejected = "rejected",
        /// 逾期未补正: what was missing was not supplied in time.
        Lapsed = "lapsed",
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
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable, Insertable)]
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

/// What the door asks of a sign-up: hundreds are read at a time there.
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = signups)]
pub struct Claim {
    /// Its id.
    pub id: SignupId,
    /// For what.
    pub activity_id: ActivityId,
    /// Whose.
    pub person_id: PersonId,
    /// Where in its life it is.
    pub state: SignupState,
    /// The order of arrival.
    pub number: i64,
    /// As what the person takes part.
    pub role: AttendanceRole,
    /// When it ended.
    pub cancelled_at: Option<NaiveDateTime>,
}

impl Signup {
    /// A person's own request, in the state `state`.
    pub fn new(
        id: SignupId,
        activity: ActivityId,
        person: PersonId,
        state: SignupState,
        number: i64,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            activity_id: activity,
            person_id: person,
            state,
            ended_because: None,
            number,
            priority: 0,
            role: AttendanceRole::Participant,
            quota_id: None,
            party_id: None,
            made_by: None,
            basis: None,
            created_at: db_time(now),
            cancelled_at: None,
            version: 1,
        }
    }
}

crate::text_enum! {
    /// Why somebody is asked whether they want a place.
    pub enum OfferKind {
        /// 候补: it was their turn.
        Waiting = "waiting",
        /// 工会报名: their union signed them up.
        Nomination = "nomination",
    }
}

crate::text_enum! {
    /// Life of an offer.
    pub enum OfferState {
        /// 待确认: the place is kept.
        Open = "open",
        /// 已确认.
        Accepted = "accepted",
        /// 已放弃.
        Refused = "refused",
        /// 已过期.
        Expired = "expired",
        /// 已撤回: the activity or the sign-up ended.
        Withdrawn = "withdrawn",
    }
}

/// A place that is kept for one person for a time.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = offers, treat_none_as_default_value = false)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// For whom.
    pub signup_id: SignupId,
    /// Of what.
    pub activity_id: ActivityId,
    /// Why.
    pub kind: OfferKind,
    /// Where in its life it is.
    pub state: OfferState,
    /// When it was made.
    pub made_at: NaiveDateTime,
    /// When it ends unanswered.
    pub expires_at: NaiveDateTime,
    /// When it ended.
    pub decided_at: Option<NaiveDateTime>,
}

/// People who wait for places together.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = parties)]
pub struct Party {
    /// Its id.
    pub id: PartyId,
    /// For what.
    pub activity_id: ActivityId,
    /// What a member tells the others.
    pub code: String,
    /// When it was made.
    pub created_at: NaiveDateTime,
}
