//! Rows of what a worker can sign up for.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{ActivityId, OrganisationId, PersonId, ProgrammeId, SessionId};
use crate::platform::db::schema::{activities, programmes, sessions, topics};

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
    /// For whom a programme is.
    pub enum Audience {
        /// 全体职工.
        All = "all",
        /// 新就业形态劳动者.
        NewEmployment = "new_employment",
        /// 劳模.
        ModelWorker = "model_worker",
        /// 技术工人.
        SkilledWorker = "skilled_worker",
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
        /// 已发布: seen by everybody.
        Published = "published",
        /// 已结束: every session is finalised.
        Finished = "finished",
    }
}

crate::text_enum! {
    /// Life of a session.
    pub enum SessionState {
        /// 未结算
        Planned = "planned",
        /// 已结算: whether it took place is said, and its figures are in the ledger.
        Finalised = "finalised",
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
    /// How places are given.
    pub allocation: Allocation,
    /// Places.
    pub capacity: i64,
    /// Places taken.
    pub taken: i64,
    /// Sign-up opens.
    pub signup_opens_at: NaiveDateTime,
    /// Sign-up closes.
    pub signup_closes_at: NaiveDateTime,
    /// Start of its first session.
    pub starts_at: NaiveDateTime,
    /// End of its last session.
    pub ends_at: NaiveDateTime,
    /// Counts changes of what is edited, not of places.
    pub version: i64,
    /// When it was made.
    pub created_at: NaiveDateTime,
    /// When it was last edited.
    pub updated_at: NaiveDateTime,
}

/// One dated meeting.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
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
}
