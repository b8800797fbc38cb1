//! Rows.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{OrganisationId, PersonId, PlanExportId, PlanId, TargetId};
use crate::platform::db::schema::plan_exports;
use crate::platform::vault::Field;

/// What contents in the store are sealed as.
pub const CONTENT: Field = Field("plan_exports.content");

crate::text_enum! {
    /// What a report is about.
    pub enum ExportKind {
        /// All targets: figures by organisation and by month.
        Figures = "figures",
        /// The ledger's lines of one target.
        Lines = "lines",
    }
}

crate::text_enum! {
    /// What a report is written as.
    pub enum ExportFormat {
        /// A workbook with charts.
        Xlsx = "xlsx",
        /// A table that every program opens: UTF-8 with a byte order mark.
        Csv = "csv",
        /// A page to print, with charts.
        Html = "html",
    }
}

impl ExportFormat {
    /// As HTTP names it.
    pub fn media(self) -> &'static str {
        match self {
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

crate::text_enum! {
    /// Life of a report; the diagram stands at the head of the room.
    pub enum ExportState {
        /// It will be made.
        Waiting = "waiting",
        /// It is being made.
        Making = "making",
        /// It is there.
        Ready = "ready",
        /// Kept for long enough; asked for again it is the same.
        Expired = "expired",
    }
}

/// A report that was asked for.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_exports, treat_none_as_default_value = false)]
pub struct PlanExport {
    /// Its id.
    pub id: PlanExportId,
    /// Of which plan.
    pub plan_id: PlanId,
    /// What it is about.
    pub kind: ExportKind,
    /// What it is written as.
    pub format: ExportFormat,
    /// About whom: the district, or one organisation with what is below it.
    pub organisation_id: OrganisationId,
    /// Of which target, of lines.
    pub target_id: Option<TargetId>,
    /// What was known at this moment.
    pub as_of: NaiveDateTime,
    /// Where in its life it is.
    pub state: ExportState,
    /// How far its making is, in hundredths.
    pub percent: i64,
    /// SHA-256 of its content.
    pub sha256: Option<Vec<u8>>,
    /// How long its content is.
    pub bytes: Option<i64>,
    /// The key of the vault that its content is sealed with.
    pub vault_key: Option<String>,
    /// Who asked for it.
    pub requested_by: PersonId,
    /// When.
    pub created_at: NaiveDateTime,
    /// When it was made.
    pub ready_at: Option<NaiveDateTime>,
    /// Until when it is kept.
    pub expires_at: Option<NaiveDateTime>,
    /// When its content was erased.
    pub erased_at: Option<NaiveDateTime>,
}

impl PlanExport {
    /// Where its content lies.
    pub fn storage_key(&self) -> String {
        storage_key(self.id)
    }
}

/// Where the content of a report lies.
pub fn storage_key(id: PlanExportId) -> String {
    format!("reports/{id}")
}
