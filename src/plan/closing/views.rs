//! What the API shows of closing and restating.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::figures::Figure;
use super::model::{
    PeriodKind, PeriodRow, PeriodState, Restatement, RestatementState, StreetMonth, StreetState,
};
use super::restating;
use super::rules::{self, Item, ItemKind};
use crate::ids::{HeldCorrectionId, LedgerLineId, OrganisationId, PersonId, RestatementId, TargetId};
use crate::ledger::model::{Cause, Grade, HeldCorrection, HeldKind, HeldState, SourceKind};
use crate::org::model::Organisation;
use crate::plan::model::Target;

/// A sub-district's part of a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreetMonthView {
    /// Which.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 60, example = "平湖")]
    pub name: String,
    /// How far it is closed.
    pub state: StreetState,
    /// When that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<DateTime<Utc>>,
}

impl StreetMonthView {
    pub(super) fn of(street: &Organisation, row: Option<&StreetMonth>) -> Self {
        Self {
            organisation_id: street.id,
            name: street.short_name.clone(),
            state: row.map_or(StreetState::Open, |row| row.state),
            changed_at: row.map(|row| row.changed_at.and_utc()),
        }
    }
}

/// A month or a quarter of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanPeriodView {
    /// Such as `2025-03` or `2025-Q1`.
    #[schema(max_length = 10, example = "2025-03")]
    pub label: String,
    /// Month or quarter.
    pub kind: PeriodKind,
    /// How far it is closed.
    pub state: PeriodState,
    /// Its first day.
    pub starts_on: NaiveDate,
    /// Its last day.
    pub ends_on: NaiveDate,
    /// Who proposed to close it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<PersonId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_at: Option<DateTime<Utc>>,
    /// Who agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<PersonId>,
    /// When it was closed: what was known then was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
}

impl From<&PeriodRow> for PlanPeriodView {
    fn from(row: &PeriodRow) -> Self {
        let until = rules::until(row.kind, row.starts_on);
        Self {
            label: rules::label(row.kind, row.starts_on),
            kind: row.kind,
            state: row.state,
            starts_on: row.starts_on,
            ends_on: until.pred_opt().unwrap_or(until),
            proposed_by: row.proposed_by,
            proposed_at: row.proposed_at.map(|at| at.and_utc()),
            closed_by: row.closed_by,
            closed_at: row.closed_at.map(|at| at.and_utc()),
        }
    }
}

/// All periods of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanPeriodList {
    /// Months, then quarters.
    #[schema(max_items = 16)]
    pub items: Vec<PlanPeriodView>,
}

/// Why a figure moved.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovedView {
    /// Why.
    pub cause: Cause,
    /// By how much.
    pub quantity: i64,
    /// In how many lines.
    #[schema(minimum = 0)]
    pub lines: i64,
}

/// A target's figure of one organisation in a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodFigureView {
    /// The target, such as `07a`.
    #[schema(max_length = 10, example = "07a")]
    pub code: String,
    /// Whose figure.
    pub organisation_id: OrganisationId,
    /// Whose figure.
    #[schema(max_length = 60, example = "平湖")]
    pub name: String,
    /// As it was when the period was closed; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<i64>,
    /// As it is now.
    pub restated: i64,
    /// By how much it was restated.
    pub difference: i64,
    /// Why.
    #[schema(max_items = 20)]
    pub causes: Vec<MovedView>,
}

pub(super) fn figures(
    rows: Vec<Figure>,
    targets: &[Target],
    organisations: &HashMap<OrganisationId, Organisation>,
    state: PeriodState,
) -> Vec<PeriodFigureView> {
    let codes: HashMap<TargetId, &str> = targets.iter().map(|row| (row.id, row.code.as_str())).collect();
    let mut views: Vec<PeriodFigureView> = rows
        .into_iter()
        .map(|row| PeriodFigureView {
            code: codes.get(&row.target).map(ToString::to_string).unwrap_or_default(),
            organisation_id: row.organisation,
            name: organisations.get(&row.organisation).map(|of| of.short_name.clone()).unwrap_or_default(),
            issued: (state == PeriodState::Hard).then(|| row.issued()),
            restated: row.value,
            difference: row.difference(),
            causes: row
                .moved
                .iter()
                .map(|moved| MovedView { cause: moved.cause, quantity: moved.quantity, lines: moved.lines })
                .collect(),
        })
        .collect();
    views.sort_by(|a, b| (&a.code, a.organisation_id).cmp(&(&b.code, b.organisation_id)));
    views
}

/// A period with its figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanPeriodDetail {
    /// The period.
    #[serde(flatten)]
    pub period: PlanPeriodView,
    /// Of a month: what the sub-districts say.
    #[schema(max_items = 100)]
    pub streets: Vec<StreetMonthView>,
    /// Lines that wait for a restatement.
    #[schema(minimum = 0)]
    pub held: i64,
    /// Restatements, oldest first.
    #[schema(max_items = 1000)]
    pub restatements: Vec<RestatementView>,
    /// By target and organisation.
    #[schema(max_items = 100_000)]
    pub figures: Vec<PeriodFigureView>,
}

/// Something that keeps a period open.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChecklistItem {
    /// What.
    pub kind: ItemKind,
    /// Which: an id, or the label of a month.
    #[schema(max_length = 40, example = "ses_01k5b8m3q2e9t8h6y1v7z4w0xn")]
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub name: Option<String>,
}

impl From<Item> for ChecklistItem {
    fn from(item: Item) -> Self {
        Self { kind: item.kind, id: item.id, name: item.name }
    }
}

/// Everything that keeps a period open.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checklist {
    /// Five hundred of a kind at most.
    #[schema(max_items = 3000)]
    pub items: Vec<ChecklistItem>,
}

/// What waits for the restatement of a closed month, or did.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldCorrectionView {
    /// Its id.
    pub id: HeldCorrectionId,
    /// Whether a line is to be written or to be taken back.
    pub kind: HeldKind,
    /// Where in its life it is.
    pub state: HeldState,
    /// Which line is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_id: Option<LedgerLineId>,
    /// For which target.
    pub target_id: TargetId,
    /// For whose figure.
    pub organisation_id: OrganisationId,
    /// On which civil day.
    pub day: NaiveDate,
    /// Signed.
    pub quantity: i64,
    /// What is counted.
    pub source_kind: SourceKind,
    /// The evidence.
    pub grade: Grade,
    /// Why.
    pub cause: Cause,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Since when.
    pub held_at: DateTime<Utc>,
    /// What posted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restatement_id: Option<RestatementId>,
}

impl From<HeldCorrection> for HeldCorrectionView {
    fn from(row: HeldCorrection) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            line_id: row.line_id,
            target_id: row.target_id,
            organisation_id: row.organisation_id,
            day: row.day,
            quantity: row.quantity,
            source_kind: row.source_kind,
            grade: row.grade,
            cause: row.cause,
            reason: row.reason,
            held_at: row.held_at.and_utc(),
            restatement_id: row.restatement_id,
        }
    }
}

/// A correction of a closed month.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestatementView {
    /// Its id.
    pub id: RestatementId,
    /// Of which month, such as `2025-03`.
    #[schema(max_length = 10, example = "2025-03")]
    pub period: String,
    /// Where in its life it is.
    pub state: RestatementState,
    /// Why.
    #[schema(max_length = 500)]
    pub reason: String,
    /// What shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub evidence: Option<String>,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<PersonId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// Lines that it posted.
    #[schema(minimum = 0)]
    pub lines: i64,
}

impl RestatementView {
    pub(super) fn of(row: Restatement, lines: i64) -> Self {
        Self {
            id: row.id,
            period: restating::label(row.month),
            state: row.state,
            reason: row.reason,
            evidence: row.evidence,
            proposed_by: row.proposed_by,
            proposed_at: row.proposed_at.and_utc(),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(|at| at.and_utc()),
            lines,
        }
    }
}
