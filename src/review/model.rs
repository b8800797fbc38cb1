//! Rows of the desk.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::chain::ReviewKind;
pub use super::machine::ReviewState;
use crate::ids::{
    DelegationId, LeaveId, OrganisationId, PersonId, ReviewEventId, ReviewId, ReviewMessageId, StageId,
    SubjectId, TieId,
};
use crate::platform::db::schema::{
    review_chains, review_delegations, review_events, review_leaves, review_messages, review_queue,
    review_reasons, review_recusals, review_stages, review_ties, reviews,
};
use crate::platform::vault::Field;

/// Where the answers of applicants are kept.
pub const FORM: Field = Field("reviews.form");
/// Where what is written about a request is kept.
pub const EVENT_TEXT: Field = Field("review_events.text");
/// Where messages are kept.
pub const MESSAGE_TEXT: Field = Field("review_messages.text");

/// A chain as it holds from a day on.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Queryable, Selectable, Insertable, AsChangeset,
)]
#[diesel(table_name = review_chains)]
pub struct Chain {
    /// Such as `signup.convalescence`.
    pub code: String,
    /// The first day on which requests are opened under it.
    pub effective_from: NaiveDate,
    /// What it is for.
    pub kind: ReviewKind,
    /// For people.
    pub name: String,
    /// What it rests on.
    pub source: String,
    /// JSON: a [`super::chain::Definition`].
    pub definition: String,
}

crate::text_enum! {
    /// What a written reason is for.
    pub enum ReasonFor {
        /// 不通过.
        Reject = "reject",
        /// 退回补正.
        Return = "return",
    }
}

/// A written reason.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Queryable, Selectable, Insertable, AsChangeset,
)]
#[diesel(table_name = review_reasons)]
pub struct Reason {
    /// Such as `not_covered`.
    pub code: String,
    /// What it is for: a kind of review, or `any`.
    pub kind: String,
    /// For which decision.
    pub decision: ReasonFor,
    /// For people.
    pub text: String,
    /// The rule that it rests on.
    pub basis: String,
}

/// A request that goes through a chain.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = reviews, treat_none_as_default_value = false)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// What it is about.
    pub kind: ReviewKind,
    /// The chain it was opened under.
    pub chain: String,
    /// Which version of it.
    pub chain_from: NaiveDate,
    /// The row that it is about.
    pub subject_id: SubjectId,
    /// For people, such as the activity's title.
    pub title: String,
    /// Who asks.
    pub applicant_id: PersonId,
    /// Where they worked when they asked.
    pub employer_id: Option<OrganisationId>,
    /// Over how much, in fen.
    pub amount_fen: Option<i64>,
    /// Where in its life it is.
    pub state: ReviewState,
    /// The step at which it is.
    pub step: i64,
    /// The answers, sealed.
    pub form_sealed: String,
    /// JSON: keys of fields that are missing.
    pub missing: String,
    /// How often it was returned.
    pub returns: i64,
    /// Until when the applicant may supply what is missing.
    pub supplement_due_at: Option<NaiveDateTime>,
    /// The review that it appeals against.
    pub appeal_of: Option<ReviewId>,
    /// The first of them; its own id where it is no appeal.
    pub root_id: ReviewId,
    /// When it was opened.
    pub opened_at: NaiveDateTime,
    /// When it ended.
    pub decided_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

crate::text_enum! {
    /// Where in its life a stage is.
    pub enum StageState {
        /// 未开始.
        Pending = "pending",
        /// 办理中.
        Open = "open",
        /// 已通过.
        Approved = "approved",
        /// 未通过.
        Rejected = "rejected",
        /// 略过.
        Skipped = "skipped",
        /// 终止: the review ended without this body.
        Ended = "ended",
    }
}

/// One body's part in a review.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_stages, treat_none_as_default_value = false)]
pub struct Stage {
    /// Its id.
    pub id: StageId,
    /// Of which review.
    pub review_id: ReviewId,
    /// The first review of an appeal.
    pub root_id: ReviewId,
    /// From 1; those with the same number sign together.
    pub number: i64,
    /// For people.
    pub name: String,
    /// Who decides.
    pub body_id: OrganisationId,
    /// Who would, had they somebody who may.
    pub rerouted_from: Option<OrganisationId>,
    /// Whether the applicant's colleagues do not decide it.
    pub employer_barred: bool,
    /// The policy key of its term.
    pub clock: String,
    /// Where in its life it is.
    pub state: StageState,
    /// Why it was left out.
    pub skipped_because: Option<String>,
    /// Who asks: never who decides.
    pub applicant_id: PersonId,
    /// When it was opened.
    pub opened_at: Option<NaiveDateTime>,
    /// When it is to be decided; none while the clock stands.
    pub due_at: Option<NaiveDateTime>,
    /// From when on it is amber.
    pub amber_at: Option<NaiveDateTime>,
    /// JSON: how the due time was found.
    pub trail: Option<String>,
    /// When its body was warned.
    pub warned_at: Option<NaiveDateTime>,
    /// When its term ran out undecided: stays.
    pub breached_at: Option<NaiveDateTime>,
    /// Who works at it.
    pub claimed_by: Option<PersonId>,
    /// Until when nobody else may; none for an assignment.
    pub claimed_until: Option<NaiveDateTime>,
    /// Who decided.
    pub decided_by: Option<PersonId>,
    /// In whose stead.
    pub on_behalf_of: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
}

crate::text_enum! {
    /// For whom a review waits.
    pub enum Waits {
        /// The body.
        Desk = "desk",
        /// The applicant.
        Applicant = "applicant",
    }
}

/// A line in the queue of an organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_queue, treat_none_as_default_value = false)]
pub struct Queued {
    /// Whose queue.
    pub organisation_id: OrganisationId,
    /// What waits.
    pub stage_id: StageId,
    /// Of which review.
    pub review_id: ReviewId,
    /// Whether the organisation is the body itself.
    pub own: bool,
    /// For whom.
    pub waits: Waits,
    /// What the review is about.
    pub kind: ReviewKind,
    /// Who works at it.
    pub claimed_by: Option<PersonId>,
    /// From when on it is amber.
    pub amber_at: NaiveDateTime,
    /// When it is due.
    pub due_at: NaiveDateTime,
}

crate::text_enum! {
    /// What happened to a review.
    pub enum EventKind {
        /// 提交.
        Opened = "opened",
        /// 环节通过.
        Approved = "approved",
        /// 不通过.
        Rejected = "rejected",
        /// 退回补正.
        Returned = "returned",
        /// 补正.
        Supplemented = "supplemented",
        /// 撤回.
        Withdrawn = "withdrawn",
        /// 逾期未补正，视为撤回.
        Lapsed = "lapsed",
        /// 指派.
        Assigned = "assigned",
        /// 回避.
        Recused = "recused",
        /// 改由上级办理.
        Rerouted = "rerouted",
        /// 临期提醒.
        Warned = "warned",
        /// 逾期.
        Breached = "breached",
        /// 申请再次退回.
        LeaveAsked = "leave_asked",
        /// 准许或不准再次退回.
        LeaveDecided = "leave_decided",
    }
}

/// Something that happened to a review.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_events, treat_none_as_default_value = false)]
pub struct Happened {
    /// Its id.
    pub id: ReviewEventId,
    /// To which review.
    pub review_id: ReviewId,
    /// At which stage.
    pub stage_id: Option<StageId>,
    /// What.
    pub kind: EventKind,
    /// By whom; none for the clock.
    pub actor_id: Option<PersonId>,
    /// In whose stead.
    pub on_behalf_of: Option<PersonId>,
    /// JSON: codes of reasons.
    pub reasons: String,
    /// What was written, sealed.
    pub text_sealed: Option<String>,
    /// When.
    pub at: NaiveDateTime,
}

crate::text_enum! {
    /// Life of a leave to return a request again.
    pub enum LeaveState {
        /// 待批准.
        Asked = "asked",
        /// 已准许.
        Granted = "granted",
        /// 不准.
        Refused = "refused",
        /// 已使用.
        Used = "used",
    }
}

/// A leave to return a request a second time.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_leaves, treat_none_as_default_value = false)]
pub struct Leave {
    /// Its id.
    pub id: LeaveId,
    /// For which review.
    pub review_id: ReviewId,
    /// At which stage.
    pub stage_id: StageId,
    /// Why.
    pub reason: String,
    /// Where in its life it is.
    pub state: LeaveState,
    /// Who asks.
    pub asked_by: PersonId,
    /// When.
    pub asked_at: NaiveDateTime,
    /// Who decided: somebody else.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
}

/// That somebody decides in another's stead, for a time.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_delegations, treat_none_as_default_value = false)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// In whose stead.
    pub from_id: PersonId,
    /// Who.
    pub to_id: PersonId,
    /// At which body.
    pub organisation_id: OrganisationId,
    /// Why.
    pub reason: String,
    /// From when on.
    pub from_at: NaiveDateTime,
    /// Until when.
    pub until_at: NaiveDateTime,
    /// When it was taken back.
    pub revoked_at: Option<NaiveDateTime>,
    /// When it was made.
    pub made_at: NaiveDateTime,
}

crate::text_enum! {
    /// Why somebody does not decide about a request.
    pub enum RecusalGround {
        /// 近亲属.
        Kin = "kin",
        /// 利害关系.
        Interest = "interest",
        /// 其他.
        Other = "other",
    }
}

/// That somebody does not decide about one request.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_recusals)]
pub struct Recusal {
    /// Which.
    pub review_id: ReviewId,
    /// Who.
    pub person_id: PersonId,
    /// Why.
    pub ground: RecusalGround,
    /// When they said so.
    pub made_at: NaiveDateTime,
}

/// Kin, or an interest in an enterprise.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_ties, treat_none_as_default_value = false)]
pub struct Tie {
    /// Its id.
    pub id: TieId,
    /// Whose.
    pub person_id: PersonId,
    /// Their kin.
    pub kin_id: Option<PersonId>,
    /// The enterprise.
    pub organisation_id: Option<OrganisationId>,
    /// When it was declared.
    pub declared_at: NaiveDateTime,
    /// When it ended.
    pub ended_at: Option<NaiveDateTime>,
}

crate::text_enum! {
    /// Who wrote a message.
    pub enum Side {
        /// 申请人.
        Applicant = "applicant",
        /// 经办人.
        Desk = "desk",
    }
}

/// A message about a request.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_messages, treat_none_as_default_value = false)]
pub struct TalkMessage {
    /// Its id.
    pub id: ReviewMessageId,
    /// About which review.
    pub review_id: ReviewId,
    /// Who wrote it.
    pub author_id: PersonId,
    /// On which side.
    pub side: Side,
    /// For which body an officer wrote it; none for the applicant.
    pub body_id: Option<OrganisationId>,
    /// The text, sealed.
    pub text_sealed: String,
    /// When.
    pub sent_at: NaiveDateTime,
    /// When the other side read it.
    pub read_at: Option<NaiveDateTime>,
}
