//! Rows of the ledger.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use uuid::Uuid;

use crate::ids::{
    ActivityId, HeldCorrectionId, LedgerLineId, OrganisationId, PlanId, RestatementId, TargetId,
};
use crate::platform::db::schema::{held_corrections, ledger_lines, ledger_rollups};

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

crate::text_enum! {
    /// Why a line was written, for whoever asks why a figure changed.
    pub enum Cause {
        /// 新增: it became known in its own month.
        New = "new",
        /// 补录: it became known when its month was over.
        Late = "late",
        /// 撤销: somebody was not present after all.
        Undone = "undone",
        /// 取消: a session or an activity was called off.
        Voided = "voided",
        /// 冲突: scans contradicted each other, or the desk decided which is right.
        Conflict = "conflict",
        /// 重新计算: more or fewer of a crowd were checked in one by one, or two accounts are one human or two.
        Recounted = "recounted",
        /// 核减: an audit lowered a number.
        WriteDown = "write_down",
        /// 上报: a report has another version.
        Report = "report",
    }
}

/// Why lines are taken back.
#[derive(Debug, Clone, Copy)]
pub struct Because<'a> {
    /// For whoever asks why a figure changed.
    pub cause: Cause,
    /// In words.
    pub reason: &'a str,
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
#[diesel(table_name = ledger_lines, treat_none_as_default_value = false)]
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
    /// Why it was written.
    pub cause: Cause,
    /// Of one for a closed month: by which restatement.
    pub restatement_id: Option<RestatementId>,
}

/// Where a line stands in the order in which lines became known: when that was, and its id.
pub type Place = (NaiveDateTime, LedgerLineId);

impl Line {
    /// Where it stands.
    pub fn place(&self) -> Place {
        (self.recorded_at, self.id)
    }
}

crate::text_enum! {
    /// What was held.
    pub enum HeldKind {
        /// A line to be written.
        Post = "post",
        /// A line to be taken back.
        Reverse = "reverse",
    }
}

crate::text_enum! {
    /// Life of what was held.
    pub enum HeldState {
        /// 待重述.
        Held = "held",
        /// 已重述: it stands in the ledger.
        Posted = "posted",
        /// 已抵消: what came later answered it.
        Cancelled = "cancelled",
        /// 无需入账: it counted already when it was to be posted.
        Dropped = "dropped",
    }
}

/// What counting would have written for a closed month, or taken back from one.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = held_corrections, treat_none_as_default_value = false)]
pub struct HeldCorrection {
    /// Its id.
    pub id: HeldCorrectionId,
    /// The plan of its target.
    pub plan_id: PlanId,
    /// The closed month that it waits for.
    pub month: NaiveDate,
    /// Whether a line is to be written or to be taken back.
    pub kind: HeldKind,
    /// Which line is taken back.
    pub line_id: Option<LedgerLineId>,
    /// For which target.
    pub target_id: TargetId,
    /// For whose figure.
    pub organisation_id: OrganisationId,
    /// On which civil day.
    pub day: NaiveDate,
    /// Signed.
    pub quantity: i64,
    /// Counted once.
    pub dedup_key: String,
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
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub held_at: NaiveDateTime,
    /// Where in its life it is.
    pub state: HeldState,
    /// When that ended.
    pub settled_at: Option<NaiveDateTime>,
    /// What posted it.
    pub restatement_id: Option<RestatementId>,
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
