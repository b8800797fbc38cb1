//! Rows of what a worker can sign up for.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{
    ActivityId, OrganisationId, PersonId, ProgrammeId, QuotaId, ResourceId, SessionId, TemplateId,
};
pub use crate::people::model::Audience;
use crate::platform::db::schema::{
    activities, activity_templates, attendance_roles, bookings, programmes, quotas, resources, sessions,
    topics,
};

crate::text_enum! {
    /// The form of a programme.
    pub enum ProgrammeKind {
        /// 培训.
        Training = "training",
        /// 学历提升.
        Academic = "academic",
        /// 法律援助.
        LegalAid = "legal_aid",
        /// 疗休养.
        Convalescence = "convalescence",
        /// 文体.
        Culture = "culture",
        /// 关爱.
        Care = "care",
        /// 宣讲.
        Lecture = "lecture",
        /// 交流.
        Exchange = "exchange",
    }
}

crate::text_enum! {
    /// How places are given.
    pub enum Allocation {
        /// In the order of signing up.
        FirstCome = "first_come",
        /// After review.
        Review = "review",
        /// By draw.
        Draw = "draw",
    }
}

crate::text_enum! {
    /// Life of an activity.
    pub enum ActivityState {
        /// 草稿: seen by its organisers only.
        Draft = "draft",
        /// 已发布: seen by everybody. Whether sign-up is open and sessions run is told by the clock.
        Published = "published",
        /// 已分配: every request is decided; the places are given.
        Allocated = "allocated",
        /// 已结束: every session is finalised.
        Finished = "finished",
        /// 已取消: it will not take place.
        Cancelled = "cancelled",
        /// 已延期: it has no dates for now; those with a place keep it.
        Postponed = "postponed",
    }
}

crate::text_enum! {
    /// Who waits when all places are given.
    pub enum WaitingPolicy {
        /// Nobody: full is full.
        None = "none",
        /// 严格按序: nobody passes a party for which there is not room enough yet.
        Strict = "strict",
        /// 满座优先: the first party that fits goes in.
        Fill = "fill",
    }
}

crate::text_enum! {
    /// What happens to somebody who has a place elsewhere at the same time.
    pub enum OwnClash {
        /// They are told.
        Warn = "warn",
        /// They are refused.
        Deny = "deny",
    }
}

crate::text_enum! {
    /// For whom a quota is.
    pub enum QuotaKind {
        /// Those who work in a sub-district.
        Street = "street",
        /// Those whose enterprise belongs to an industry union.
        Industry = "industry",
        /// Those of an audience.
        Audience = "audience",
        /// Everybody, also those whose own quota is used up.
        Pool = "pool",
    }
}

crate::text_enum! {
    /// As what somebody takes part. What a role means stands in `attendance_roles`.
    pub enum AttendanceRole {
        /// 参加者: for whom the session is.
        Participant = "participant",
        /// 随行人员.
        Companion = "companion",
        /// 劳模工匠 who help.
        Expert = "expert",
        /// A visited person who also received a gift (慰问).
        Gift = "gift",
        /// 讲师.
        Trainer = "trainer",
        /// 志愿者.
        Volunteer = "volunteer",
        /// 工作人员.
        Staff = "staff",
        /// 观摩人员.
        Observer = "observer",
    }
}

crate::text_enum! {
    /// Life of a session.
    pub enum SessionState {
        /// 未结算
        Planned = "planned",
        /// 已结算: whether it took place is said, and its figures are in the ledger.
        Finalised = "finalised",
        /// 已取消: it did not or will not take place, and counts for nothing.
        Cancelled = "cancelled",
    }
}

/// What programmes can be about.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = topics)]
pub struct Topic {
    /// As rules of counting name it.
    pub code: String,
    /// For people.
    pub name: String,
}

/// A standing offer.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = programmes)]
pub struct Programme {
    /// Its id.
    pub id: ProgrammeId,
    /// Stable code, of seeded ones.
    pub code: Option<String>,
    /// Who answers for it.
    pub organisation_id: OrganisationId,
    /// For people.
    pub name: String,
    /// For people.
    pub summary: String,
    /// Its form.
    pub kind: ProgrammeKind,
    /// What it is about: a topic's code.
    pub topic: String,
    /// For whom it is.
    pub audience: Audience,
    /// Counts changes.
    pub version: i64,
    /// When it was made.
    pub created_at: NaiveDateTime,
}

/// Something to sign up for.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = activities)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// Stable code, of seeded ones.
    pub code: Option<String>,
    /// Its programme.
    pub programme_id: ProgrammeId,
    /// Who organises it.
    pub organisation_id: OrganisationId,
    /// The sub-district of the venue.
    pub street_id: Option<OrganisationId>,
    /// For people.
    pub title: String,
    /// For people.
    pub summary: String,
    /// Where.
    pub venue: String,
    /// Where.
    pub address: String,
    /// Where in its life it is.
    pub state: ActivityState,
    /// Why, of one that is cancelled or postponed.
    pub state_reason: Option<String>,
    /// How places are given.
    pub allocation: Allocation,
    /// People whom the room holds: the cap at the door.
    pub capacity: i64,
    /// Places that are given: the capacity, or more where no-shows are expected.
    pub bookable: i64,
    /// Places that are used.
    pub taken: i64,
    /// Places that are kept for somebody who has yet to answer.
    pub held: i64,
    /// Sign-ups so far, the ended ones too.
    pub numbered: i64,
    /// Whether quotas stand below the total.
    pub split: bool,
    /// Who waits when all places are given.
    pub waiting_list: WaitingPolicy,
    /// What happens to somebody who has a place elsewhere at the same time.
    pub own_clash: OwnClash,
    /// A place given back later than this before the start weighs on the next sign-up; the policy's when none.
    pub free_cancel_hours: Option<i64>,
    /// Whoever signs up in the first minutes is shuffled; 0 for the order of arrival.
    pub fair_minutes: i64,
    /// JSON: a list of [`Wave`].
    pub waves: String,
    /// Sign-up opens.
    pub signup_opens_at: NaiveDateTime,
    /// Sign-up closes.
    pub signup_closes_at: NaiveDateTime,
    /// Start of its first session.
    pub starts_at: NaiveDateTime,
    /// End of its last session.
    pub ends_at: NaiveDateTime,
    /// When it was last given other dates.
    pub moved_at: Option<NaiveDateTime>,
    /// Counts changes of what is edited, not of places.
    pub version: i64,
    /// When it was made.
    pub created_at: NaiveDateTime,
    /// When it was last edited.
    pub updated_at: NaiveDateTime,
    /// Whether only verified members may sign up.
    pub members_only: bool,
}

impl Activity {
    /// A draft with nothing in it yet: no places beyond one, no dates but `now`. Callers name the rest.
    pub fn draft(
        id: ActivityId,
        programme: ProgrammeId,
        organisation: OrganisationId,
        now: DateTime<Utc>,
    ) -> Self {
        let at = db_time(now);
        Self {
            id,
            code: None,
            programme_id: programme,
            organisation_id: organisation,
            street_id: None,
            title: String::new(),
            summary: String::new(),
            venue: String::new(),
            address: String::new(),
            state: ActivityState::Draft,
            state_reason: None,
            allocation: Allocation::FirstCome,
            capacity: 1,
            bookable: 1,
            taken: 0,
            held: 0,
            numbered: 0,
            split: false,
            waiting_list: WaitingPolicy::None,
            own_clash: OwnClash::Warn,
            free_cancel_hours: None,
            fair_minutes: 0,
            waves: "[]".to_owned(),
            signup_opens_at: at,
            signup_closes_at: at,
            starts_at: at,
            ends_at: at,
            moved_at: None,
            version: 1,
            created_at: at,
            updated_at: at,
            members_only: false,
        }
    }

    /// Places that nobody uses and nobody is asked about.
    pub fn free(&self) -> i64 {
        (self.bookable - self.taken - self.held).max(0)
    }

    /// Who may sign up earlier than the others.
    pub fn waves(&self) -> Result<Vec<Wave>> {
        serde_json::from_str(&self.waves).map_err(Error::internal)
    }
}

/// Some people for whom sign-up opens earlier than for the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "audience", "audience": "model_worker", "opens_at": "2025-02-19T09:00:00+08:00"}))]
pub struct Wave {
    /// By what they are told; not `pool`.
    pub kind: QuotaKind,
    /// Of a street or an industry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<OrganisationId>,
    /// Of an audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// When sign-up opens for them.
    pub opens_at: DateTime<Utc>,
}

/// Places on a node of the tree below an activity's total.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = quotas, treat_none_as_default_value = false)]
pub struct Quota {
    /// Its id.
    pub id: QuotaId,
    /// Whose places.
    pub activity_id: ActivityId,
    /// The node above; none for those right below the total.
    pub parent_id: Option<QuotaId>,
    /// For whom.
    pub kind: QuotaKind,
    /// Of a street or an industry.
    pub organisation_id: Option<OrganisationId>,
    /// Of an audience.
    pub audience: Option<Audience>,
    /// Its place among its siblings.
    pub rank: i64,
    /// Places.
    pub capacity: i64,
    /// Places that are used.
    pub taken: i64,
    /// Places that are kept for somebody who has yet to answer.
    pub held: i64,
    /// Counts changes of its places, not of their use.
    pub version: i64,
}

impl Quota {
    /// Places that nobody uses and nobody is asked about.
    pub fn free(&self) -> i64 {
        (self.capacity - self.taken - self.held).max(0)
    }
}

/// What a role in an activity means: three separate flags.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = attendance_roles)]
pub struct RoleMeaning {
    /// The role.
    pub code: AttendanceRole,
    /// For people.
    pub name: String,
    /// Whether it uses up a place.
    pub takes_place: bool,
    /// Whether attendance in it counts for targets.
    pub counts: bool,
    /// Whether it earns hours.
    pub earns_hours: bool,
}

/// One dated meeting.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its activity.
    pub activity_id: ActivityId,
    /// 1, 2, 3, … in the activity.
    pub number: i64,
    /// Begins.
    pub starts_at: NaiveDateTime,
    /// Ends.
    pub ends_at: NaiveDateTime,
    /// Where in its life it is.
    pub state: SessionState,
    /// Why, of a cancelled one.
    pub state_reason: Option<String>,
    /// Whether it took place; said when finalised.
    pub held: Option<bool>,
    /// People present.
    pub present: i64,
    /// When it was finalised.
    pub finalised_at: Option<NaiveDateTime>,
    /// By whom.
    pub finalised_by: Option<PersonId>,
    /// Counts changes.
    pub version: i64,
    /// When it was last opened again after it was finalised.
    pub reopened_at: Option<NaiveDateTime>,
}

crate::text_enum! {
    /// What can be in one place at a time.
    pub enum ResourceKind {
        /// 场地.
        Venue = "venue",
        /// 讲师.
        Trainer = "trainer",
    }
}

/// A room or a trainer.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = resources)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// For people.
    pub name: String,
    /// People whom a room holds.
    pub seats: Option<i64>,
    /// Between two bookings.
    pub margin_minutes: i64,
    /// From when on it is not booked any more.
    pub closed_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
    /// When it was made.
    pub created_at: NaiveDateTime,
}

/// A resource that a session uses.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = bookings, treat_none_as_default_value = false)]
pub struct Booking {
    /// What is used.
    pub resource_id: ResourceId,
    /// By which session.
    pub session_id: SessionId,
    /// From when; the session's.
    pub starts_at: NaiveDateTime,
    /// Until when; the session's.
    pub ends_at: NaiveDateTime,
}

/// An activity as a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = activity_templates)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// For people.
    pub name: String,
    /// JSON: a `Pattern`.
    pub body: String,
    /// Who made it.
    pub made_by: PersonId,
    /// Counts changes.
    pub version: i64,
    /// When it was made.
    pub created_at: NaiveDateTime,
}
