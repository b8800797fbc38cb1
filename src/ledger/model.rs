//! Rows of the ledger.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use uuid::Uuid;

use crate::ids::{ActivityId, LedgerLineId, OrganisationId, TargetId};
use crate::platform::db::schema::{ledger_lines, ledger_rollups};

crate::text_enum! {
    /// What a line counts.
    pub enum SourceKind {
        /// One person present at one session.
        Attendance = "attendance",
        /// A session that took place.
        Session = "session",
        /// An activity of which a session took place.
        Activity = "activity",
        /// A counted crowd.
        Headcount = "headcount",
        /// A legal-aid case.
        Case = "case",
        /// An approved report.
        Report = "report",
    }
}

crate::text_enum! {
    /// How good the evidence of a line is. Set by the way in; nobody can raise it.
    pub enum Grade {
        /// Self-scan in place with a device.
        A = "A",
        /// Scanned by staff, or a signed sheet.
        B = "B",
        /// A code, or remote.
        C = "C",
        /// A headcount.
        D = "D",
    }
}

/// A quantity to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// For which target.
    pub target: TargetId,
    /// For whose figure.
    pub organisation: OrganisationId,
    /// On which civil day.
    pub day: NaiveDate,
    /// How much.
    pub quantity: i64,
    /// Counted once: `attendance/…`, `session/…`, `person/…`.
    pub dedup_key: String,
    /// What is counted.
    pub source_kind: SourceKind,
    /// Its id.
    pub source_id: Uuid,
    /// The activity it belongs to.
    pub activity: Option<ActivityId>,
    /// The evidence.
    pub grade: Grade,
}

/// A line as it is kept.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = ledger_lines)]
pub struct Line {
    /// Its id.
    pub id: LedgerLineId,
    /// For which target.
    pub target_id: TargetId,
    /// For whose figure.
    pub organisation_id: OrganisationId,
    /// On which civil day.
    pub day: NaiveDate,
    /// First day of its month.
    pub month: NaiveDate,
    /// Signed.
    pub quantity: i64,
    /// Counted once.
    pub dedup_key: String,
    /// How often the key was counted and reversed before.
    pub generation: i64,
    /// Whether it takes back another line.
    pub is_reversal: bool,
    /// Which line it takes back.
    pub reverses: Option<LedgerLineId>,
    /// What is counted.
    pub source_kind: SourceKind,
    /// Its id, 16 bytes.
    pub source_id: Vec<u8>,
    /// The activity it belongs to.
    pub activity_id: Option<ActivityId>,
    /// The evidence.
    pub grade: Grade,
    /// Why, of a reversal.
    pub reason: Option<String>,
    /// When it became known.
    pub recorded_at: NaiveDateTime,
}

/// A sum of lines.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = ledger_rollups)]
pub struct Rollup {
    /// For which target.
    pub target_id: TargetId,
    /// For whose figure.
    pub organisation_id: OrganisationId,
    /// First day of the month.
    pub month: NaiveDate,
    /// The evidence of its lines.
    pub grade: Grade,
    /// Sum.
    pub quantity: i64,
    /// Number of lines.
    pub lines: i64,
}
