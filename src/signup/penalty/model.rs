//! Rows of penalties.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::rules::{self, Terms};
use crate::clock::db_time;
use crate::ids::{PenaltyId, PersonId, SignupId};
use crate::platform::audit::Entry;
use crate::platform::db::schema::{penalties, penalty_pauses};
use crate::platform::vault::Field;

/// Where what somebody says against a penalty is kept: it may be about their health.
pub const CLAIM: Field = Field("penalties.claim_sealed");

crate::text_enum! {
    /// What a penalty is for.
    pub enum PenaltyKind {
        /// 临近开始才取消.
        LateCancel = "late_cancel",
        /// 未到场.
        NoShow = "no_show",
    }
}

crate::text_enum! {
    /// Life of a penalty.
    pub enum PenaltyState {
        /// 生效中.
        Live = "live",
        /// 申诉中: weighs nothing until it is decided.
        Contested = "contested",
        /// 已免除.
        Waived = "waived",
        /// 维持.
        Upheld = "upheld",
    }
}

impl PenaltyState {
    /// The states in which a penalty weighs.
    pub const WEIGHING: [Self; 2] = [Self::Live, Self::Upheld];
}

crate::text_enum! {
    /// Why somebody could not come, or says that a penalty is wrong.
    pub enum Ground {
        /// 疾病.
        Illness = "illness",
        /// 工作或公务.
        Duty = "duty",
        /// 记录有误.
        Mistake = "mistake",
        /// 其他.
        Other = "other",
    }
}

crate::text_enum! {
    /// What becomes of a contested penalty.
    pub enum Decision {
        /// 免除.
        Waive = "waive",
        /// 维持.
        Uphold = "uphold",
    }
}

impl Decision {
    /// The state that it leads to.
    pub fn state(self) -> PenaltyState {
        match self {
            Self::Waive => PenaltyState::Waived,
            Self::Uphold => PenaltyState::Upheld,
        }
    }
}

/// What a late cancellation or a no-show weighs.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = penalties)]
pub struct Penalty {
    /// Its id.
    pub id: PenaltyId,
    /// Whose.
    pub person_id: PersonId,
    /// Of which sign-up; one at most.
    pub signup_id: SignupId,
    /// What for.
    pub kind: PenaltyKind,
    /// In points.
    pub weight: i64,
    /// Where in its life it is.
    pub state: PenaltyState,
    /// When it was given.
    pub given_at: NaiveDateTime,
    /// Until when it weighs.
    pub expires_at: NaiveDateTime,
    /// Why the person could not come, as they say.
    pub ground: Option<Ground>,
    /// What they say, sealed.
    pub claim_sealed: Option<String>,
    /// When they said it.
    pub claimed_at: Option<NaiveDateTime>,
    /// Who judged it.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
    /// What the person was told as the reason.
    pub decision: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// Since when it is set aside, because a session was opened again.
    pub set_aside_at: Option<NaiveDateTime>,
}

impl Penalty {
    /// A penalty that begins now.
    pub fn given(
        id: PenaltyId,
        (person, signup): (PersonId, SignupId),
        kind: PenaltyKind,
        state: PenaltyState,
        terms: &Terms,
        pauses: &[Pause],
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            person_id: person,
            signup_id: signup,
            kind,
            weight: terms.weight(kind),
            state,
            given_at: db_time(now),
            expires_at: db_time(rules::expiry(now, terms.decay_days, pauses)),
            ground: None,
            claim_sealed: None,
            claimed_at: None,
            decided_by: None,
            decided_at: None,
            decision: None,
            version: 1,
            set_aside_at: None,
        }
    }

    /// Whether it weighs at `now`.
    pub fn weighs(&self, now: DateTime<Utc>) -> bool {
        PenaltyState::WEIGHING.contains(&self.state) && self.expires_at > db_time(now)
    }

    /// That it was given. By nobody: it follows from what the person did. The ground is left out, since it may be about health.
    pub fn entry(&self) -> Entry {
        Entry::system("penalty.give", self.id)
            .detail(json!({ "signup": self.signup_id, "kind": self.kind, "weight": self.weight }))
    }
}

/// Days on which penalties do not run.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = penalty_pauses)]
pub struct Pause {
    /// The first of them.
    pub from_day: NaiveDate,
    /// The last of them.
    pub until_day: NaiveDate,
    /// For people.
    pub reason: String,
    /// Who said so.
    pub source: String,
}
