//! Rows of what is closed and restated.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::{OrganisationId, PersonId, PlanId, RestatementId};
use crate::platform::db::schema::{plan_periods, plan_street_months, restatements};

crate::text_enum! {
    /// What is closed.
    pub enum PeriodKind {
        /// 月.
        Month = "month",
        /// 季度.
        Quarter = "quarter",
    }
}

crate::text_enum! {
    /// How far a period is closed.
    pub enum PeriodState {
        /// 未结账.
        Open = "open",
        /// 待另一名工作人员同意结账.
        Proposed = "proposed",
        /// 已结账: corrections are restatements.
        Hard = "hard",
    }
}

crate::text_enum! {
    /// How far a sub-district has closed its part of a month.
    pub enum StreetState {
        /// 未结账.
        Open = "open",
        /// 街道已结账.
        Soft = "soft",
    }
}

crate::text_enum! {
    /// Life of a restatement.
    pub enum RestatementState {
        /// 待另一名工作人员同意.
        Proposed = "proposed",
        /// 已同意: what was held stands in the ledger.
        Agreed = "agreed",
        /// 未同意: what is held stays held.
        Refused = "refused",
    }
}

/// A month or a quarter of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_periods, treat_none_as_default_value = false)]
pub struct PeriodRow {
    /// Of which plan.
    pub plan_id: PlanId,
    /// Month or quarter.
    pub kind: PeriodKind,
    /// Its first day.
    pub starts_on: NaiveDate,
    /// How far it is closed.
    pub state: PeriodState,
    /// Who proposed to close it.
    pub proposed_by: Option<PersonId>,
    /// When.
    pub proposed_at: Option<NaiveDateTime>,
    /// Who agreed.
    pub closed_by: Option<PersonId>,
    /// Since when; no line of it was recorded later, but for restatements.
    pub closed_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

/// A sub-district's part of a month.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_street_months)]
pub struct StreetMonth {
    /// Of which plan.
    pub plan_id: PlanId,
    /// First day of the month.
    pub month: NaiveDate,
    /// Which sub-district.
    pub organisation_id: OrganisationId,
    /// How far it is closed.
    pub state: StreetState,
    /// Who said so.
    pub changed_by: PersonId,
    /// When.
    pub changed_at: NaiveDateTime,
    /// Counts changes.
    pub version: i64,
}

/// A correction of a closed month.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = restatements, treat_none_as_default_value = false)]
pub struct Restatement {
    /// Its id.
    pub id: RestatementId,
    /// Of which plan.
    pub plan_id: PlanId,
    /// First day of the month.
    pub month: NaiveDate,
    /// Where in its life it is.
    pub state: RestatementState,
    /// Why.
    pub reason: String,
    /// What shows it.
    pub evidence: Option<String>,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: NaiveDateTime,
    /// Who decided.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}
