//! What is shown of reported figures.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::holder::PLAN_REPORT;
use super::model::{PlanReport, ReportState};
use super::store;
use crate::error::Result;
use crate::ids::{FileId, OrganisationId, PersonId, PlanReportId, ReviewId};
use crate::org;
use crate::plan::model::Target;
use crate::platform::db::Conn;
use crate::platform::files;

/// An organisation by its short name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NamedUnit {
    /// Which.
    pub organisation_id: OrganisationId,
    /// Its short name.
    #[schema(max_length = 60, example = "平湖街道")]
    pub name: String,
}

/// A version of a reported figure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlanReportView {
    /// Its id.
    pub id: PlanReportId,
    /// The target, such as `09a`.
    #[schema(max_length = 10, example = "09a")]
    pub target: String,
    /// Whose figure.
    pub unit: NamedUnit,
    /// Of which month.
    #[schema(max_length = 7, example = "2025-06")]
    pub month: String,
    /// From 1; of several that are approved the highest counts.
    #[schema(minimum = 1)]
    pub number: i64,
    /// Whether it takes the figure back.
    pub withdraws: bool,
    /// Of a count: how much; of parts, their sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// Of a rate: of how many it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numerator: Option<i64>,
    /// Of a rate: of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator: Option<i64>,
    /// A figure for each part of the target, in the plan's order.
    #[schema(max_items = 20)]
    pub parts: Vec<i64>,
    /// Which units of the target's list it covers.
    #[schema(max_items = 100)]
    pub covered: Vec<NamedUnit>,
    /// What it rests on.
    #[schema(max_length = 500)]
    pub note: String,
    /// Where in its life it is.
    pub state: ReportState,
    /// Whether it is in the plan's progress now.
    pub counts: bool,
    /// Its papers.
    #[schema(max_items = 9)]
    pub evidence: Vec<FileId>,
    /// Where it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ReviewId>,
    /// Who reported it.
    pub reported_by: PersonId,
    /// When.
    pub reported_at: DateTime<Utc>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

/// Reports of one target as they are shown.
pub fn reports(conn: &mut Conn, target: &Target, rows: Vec<PlanReport>) -> Result<Vec<PlanReportView>> {
    let ids: Vec<PlanReportId> = rows.iter().map(|row| row.id).collect();
    let covered = store::units_of(conn, &ids)?;
    let reviews = store::reviews_of(conn, &ids)?;
    let units: Vec<OrganisationId> =
        rows.iter().map(|row| row.organisation_id).chain(covered.values().flatten().copied()).collect();
    let names = org::store::short_names(conn, &units)?;
    let named = |id: &OrganisationId| NamedUnit {
        organisation_id: *id,
        name: names.get(id).cloned().unwrap_or_default(),
    };
    rows.into_iter()
        .map(|row| {
            let evidence = files::of(conn, PLAN_REPORT, row.id.0)?.into_iter().map(|file| file.id).collect();
            Ok(PlanReportView {
                id: row.id,
                target: target.code.clone(),
                unit: named(&row.organisation_id),
                month: row.month.format("%Y-%m").to_string(),
                number: row.number,
                withdraws: row.withdraws,
                value: row.value,
                numerator: row.numerator,
                denominator: row.denominator,
                parts: row.parts(),
                covered: covered.get(&row.id).into_iter().flatten().map(named).collect(),
                counts: row.state == ReportState::Approved && !row.withdraws,
                note: row.note,
                state: row.state,
                evidence,
                review_id: reviews.get(&row.id).copied(),
                reported_by: row.made_by,
                reported_at: row.made_at.and_utc(),
                decided_at: row.decided_at.map(|at| at.and_utc()),
            })
        })
        .collect()
}
