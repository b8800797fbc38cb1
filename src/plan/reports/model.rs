//! Rows of reported figures.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::{OrganisationId, PersonId, PlanReportId, TargetId};
use crate::platform::db::schema::{plan_report_units, plan_reports};

crate::text_enum! {
    /// Life of a version of a reported figure; the diagram stands at the head of the room.
    pub enum ReportState {
        /// 审定中: the lead departments are to sign.
        Proposed = "proposed",
        /// 已审定: it counts.
        Approved = "approved",
        /// 已被后一版本取代.
        Superseded = "superseded",
        /// 未通过.
        Rejected = "rejected",
        /// 已撤回.
        Withdrawn = "withdrawn",
    }
}

/// A version of a figure that a unit reports.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_reports, treat_none_as_default_value = false)]
pub struct PlanReport {
    /// Its id.
    pub id: PlanReportId,
    /// For which target.
    pub target_id: TargetId,
    /// Whose figure.
    pub organisation_id: OrganisationId,
    /// First day of its month.
    pub month: NaiveDate,
    /// From 1.
    pub number: i64,
    /// Takes the figure back, and gives none.
    pub withdraws: bool,
    /// Of a count: how much; of parts, their sum.
    pub value: Option<i64>,
    /// Of a rate: of how many it holds.
    pub numerator: Option<i64>,
    /// Of a rate: of how many.
    pub denominator: Option<i64>,
    /// JSON: a figure for each part of the target.
    pub parts: String,
    /// What it rests on, in the words of who reported.
    pub note: String,
    /// Where in its life it is.
    pub state: ReportState,
    /// Who reported it.
    pub made_by: PersonId,
    /// When.
    pub made_at: NaiveDateTime,
    /// When it was decided.
    pub decided_at: Option<NaiveDateTime>,
}

impl PlanReport {
    /// A figure for each part of the target.
    pub fn parts(&self) -> Vec<i64> {
        serde_json::from_str(&self.parts).unwrap_or_default()
    }

    /// Numerator and denominator of a rate.
    pub fn ratio(&self) -> Option<(i64, i64)> {
        self.numerator.zip(self.denominator)
    }
}

/// A unit of its target's list that a report covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_report_units, treat_none_as_default_value = false)]
pub struct ReportUnit {
    /// Which report.
    pub report_id: PlanReportId,
    /// Which unit.
    pub organisation_id: OrganisationId,
}
