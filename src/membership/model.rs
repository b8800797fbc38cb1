//! Rows of memberships.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::{MembershipId, OrganisationId, PersonId};
pub use crate::people::memberships::MembershipState;
use crate::platform::db::schema::memberships;

crate::text_enum! {
    /// Why a membership ended.
    pub enum MembershipEnd {
        /// 转会: verified elsewhere, or gone to a union outside the district.
        Moved = "moved",
        /// 离职或退会.
        Left = "left",
        /// 认证有误.
        Mistake = "mistake",
        /// 工会组织撤销.
        Dissolved = "dissolved",
        /// 其他.
        Other = "other",
    }
}

impl MembershipEnd {
    /// For people.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Moved => "会籍已转出",
            Self::Left => "已离职或退会",
            Self::Mistake => "认证有误",
            Self::Dissolved => "工会组织已撤销",
            Self::Other => "其他原因",
        }
    }
}

/// That somebody is, was, or says to be a member of a union.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships, treat_none_as_default_value = false)]
pub struct Membership {
    /// Its id.
    pub id: MembershipId,
    /// Whose.
    pub person_id: PersonId,
    /// Of which union.
    pub organisation_id: OrganisationId,
    /// Where in its life it is.
    pub state: MembershipState,
    /// Since when, as the person says.
    pub since: Option<NaiveDate>,
    /// When it was claimed.
    pub claimed_at: NaiveDateTime,
    /// When it was verified.
    pub verified_at: Option<NaiveDateTime>,
    /// When it ended.
    pub ended_at: Option<NaiveDateTime>,
    /// Why it ended.
    pub ended_because: Option<MembershipEnd>,
    /// Counts changes.
    pub version: i64,
}
