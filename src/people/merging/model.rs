//! Rows of merges.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{PersonId, PersonMergeId};
use crate::platform::db::schema::person_merges;

crate::text_enum! {
    /// Life of a merge.
    pub enum MergeState {
        /// 待同意.
        Proposed = "proposed",
        /// 未同意.
        Refused = "refused",
        /// 已合并.
        Merged = "merged",
        /// 已合并，待同意拆分.
        Parting = "parting",
        /// 已拆分.
        Parted = "parted",
    }
}

impl MergeState {
    /// In which two accounts are one human.
    pub const LINKED: [Self; 2] = [Self::Merged, Self::Parting];
    /// In which an account cannot be merged once more.
    pub const LIVE: [Self; 3] = [Self::Proposed, Self::Merged, Self::Parting];
}

/// That two accounts are one human, or were thought to be.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = person_merges, treat_none_as_default_value = false)]
pub struct PersonMerge {
    /// Its id.
    pub id: PersonMergeId,
    /// The account that is kept.
    pub kept_id: PersonId,
    /// The account that stands for it.
    pub merged_id: PersonId,
    /// Where in its life it is.
    pub state: MergeState,
    /// Why they are one human.
    pub reason: String,
    /// Whether the merged account could be used before.
    pub was_enabled: bool,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: NaiveDateTime,
    /// Who agreed or did not.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
    /// Why they are two after all.
    pub parting_reason: Option<String>,
    /// Who proposed to part them.
    pub parting_by: Option<PersonId>,
    /// When.
    pub parting_at: Option<NaiveDateTime>,
    /// Who agreed to that.
    pub parted_by: Option<PersonId>,
    /// When.
    pub parted_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}
