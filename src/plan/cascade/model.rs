//! Rows of divided targets.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{CascadeId, OrganisationId, PersonId, TargetId};
use crate::platform::db::schema::{plan_cascades, plan_shares};

crate::text_enum! {
    /// Life of a division; the diagram stands at the head of the room.
    pub enum CascadeState {
        /// 征求意见中.
        Proposed = "proposed",
        /// 执行中.
        Current = "current",
        /// 已被取代.
        Replaced = "replaced",
    }
}

crate::text_enum! {
    /// What a sub-district says to its share.
    pub enum ShareAnswer {
        /// 同意.
        Agreed = "agreed",
        /// 有异议.
        Objected = "objected",
    }
}

/// A version of how a target is divided.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_cascades, treat_none_as_default_value = false)]
pub struct Cascade {
    /// Its id.
    pub id: CascadeId,
    /// Which target.
    pub target_id: TargetId,
    /// From 1.
    pub number: i64,
    /// Why there is another version.
    pub reason: String,
    /// Where in its life it is.
    pub state: CascadeState,
    /// Who proposed it.
    pub made_by: PersonId,
    /// When.
    pub made_at: NaiveDateTime,
    /// When the last sub-district agreed.
    pub in_force_at: Option<NaiveDateTime>,
    /// When another version took its place.
    pub replaced_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

/// A sub-district's share.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_shares, treat_none_as_default_value = false)]
pub struct Share {
    /// Of which version.
    pub cascade_id: CascadeId,
    /// Whose.
    pub organisation_id: OrganisationId,
    /// How much.
    pub value: i64,
    /// What it says.
    pub answer: Option<ShareAnswer>,
    /// Why, of an objection.
    pub reason: Option<String>,
    /// Who said so.
    pub answered_by: Option<PersonId>,
    /// When.
    pub answered_at: Option<NaiveDateTime>,
}
