//! Rows of places that are kept for people who are named later.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{ActivityId, OrganisationId, PersonId, PlaceHoldId, QuotaId};
use crate::platform::db::schema::place_holds;

crate::text_enum! {
    /// Life of places that are kept for people who are named later.
    pub enum HoldState {
        /// 待提交名单: some are not named yet.
        Open = "open",
        /// 已全部提交.
        Named = "named",
        /// 已释放: those that nobody was named for went to others.
        Released = "released",
    }
}

/// Places that a union keeps for people whom it will name later, all on one quota.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = place_holds, treat_none_as_default_value = false)]
pub struct PlaceHold {
    /// Its id.
    pub id: PlaceHoldId,
    /// Of what.
    pub activity_id: ActivityId,
    /// Whose.
    pub organisation_id: OrganisationId,
    /// The quota on which the places are kept.
    pub quota_id: Option<QuotaId>,
    /// How many.
    pub places: i64,
    /// How many nobody is named for yet.
    pub unnamed: i64,
    /// Where in its life it is.
    pub state: HoldState,
    /// Until when people must be named.
    pub name_by: NaiveDateTime,
    /// Who made it.
    pub made_by: PersonId,
    /// When.
    pub made_at: NaiveDateTime,
    /// Counts changes.
    pub version: i64,
}
