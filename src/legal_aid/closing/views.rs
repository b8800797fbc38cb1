//! How far the end of a case is, as its team sees it.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::acts::{self, opened};
use super::model::{
    CHECK_NOTE, CaseReport, CaseResult, FileCheck, OPINION, ReturnVisit, ReturnVisitOutcome, ReturnVisitWay,
    SUMMARY, Satisfaction, Subsidy, VISIT_NOTE,
};
use super::store;
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::legal_aid::model::CaseState;
use crate::platform::db::Conn;
use crate::platform::vault::Vault;

/// What was reported of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseReportView {
    /// How it ended.
    pub result: CaseResult,
    /// What the applicant got back, in fen.
    pub recovered_fen: i64,
    /// The time spent, in minutes.
    pub minutes: i64,
    /// What was done.
    #[schema(max_length = 4000)]
    pub summary: String,
    /// Who reports.
    pub reported_by: PersonId,
    /// When.
    pub reported_at: DateTime<Utc>,
    /// The document that it became, once the case was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<CaseDocumentId>,
}

/// A return visit that the sample wants.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReturnVisitView {
    /// How many of a hundred were drawn.
    pub percent: i64,
    /// Until when.
    pub due_on: NaiveDate,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visited_by: Option<PersonId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visited_at: Option<DateTime<Utc>>,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<ReturnVisitWay>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ReturnVisitOutcome>,
    /// What was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

/// What an applicant thinks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SatisfactionView {
    /// 1 (very dissatisfied) to 5 (very satisfied).
    #[schema(minimum = 1, maximum = 5)]
    pub score: i64,
    /// In their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub text: Option<String>,
    /// When.
    pub given_at: DateTime<Utc>,
}

impl SatisfactionView {
    /// The view of what was said of a case.
    pub fn new(row: &Satisfaction, vault: &Vault) -> Result<Self> {
        let text = row.text_sealed.as_deref();
        Ok(Self {
            score: row.score,
            text: text.map(|text| opened(vault, OPINION, row.case_id, text)).transpose()?,
            given_at: row.given_at.and_utc(),
        })
    }
}

/// How a file was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileCheckView {
    /// Codes of what is there.
    #[schema(max_items = 40)]
    pub present: Vec<String>,
    /// Codes of what is missing.
    #[schema(max_items = 40)]
    pub missing: Vec<String>,
    /// Whether nothing is missing.
    pub complete: bool,
    /// What was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
    /// Who checked.
    pub checked_by: PersonId,
    /// When.
    pub checked_at: DateTime<Utc>,
}

/// What a lawyer gets.
#[derive(Debug, Serialize, ToSchema)]
pub struct LegalSubsidyView {
    /// Who.
    pub person_id: PersonId,
    /// How much, in fen.
    pub amount_fen: i64,
    /// The policy that says so.
    #[schema(max_length = 60, example = "legal_aid.subsidy.representation")]
    pub policy: String,
    /// Since when it does.
    pub policy_from: NaiveDate,
    /// Who granted it.
    pub granted_by: PersonId,
    /// When.
    pub granted_at: DateTime<Utc>,
}

/// Something that a file must hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileItemView {
    /// Its code.
    #[schema(max_length = 60, example = "application")]
    pub code: String,
    /// In Chinese.
    #[schema(max_length = 120, example = "申请表")]
    pub name: String,
}

/// How far the end of a case is.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseClosingView {
    /// Where in its life the case is.
    pub state: CaseState,
    /// The report, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<CaseReportView>,
    /// The return visit that the sample wants, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_visit: Option<ReturnVisitView>,
    /// What the applicant thinks, if they said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub satisfaction: Option<SatisfactionView>,
    /// What the file must hold today.
    #[schema(max_items = 40)]
    pub file_items: Vec<FileItemView>,
    /// How the file was found, if it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_check: Option<FileCheckView>,
    /// What the lawyer gets, if it was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subsidy: Option<LegalSubsidyView>,
}

fn report_view(row: CaseReport, vault: &Vault) -> Result<CaseReportView> {
    Ok(CaseReportView {
        result: row.result,
        recovered_fen: row.recovered_fen,
        minutes: row.minutes,
        summary: opened(vault, SUMMARY, row.case_id, &row.summary_sealed)?,
        reported_by: row.reported_by,
        reported_at: row.reported_at.and_utc(),
        document_id: row.document_id,
    })
}

fn visit_view(row: ReturnVisit, vault: &Vault) -> Result<ReturnVisitView> {
    let note = row.note_sealed.as_deref();
    Ok(ReturnVisitView {
        percent: row.percent,
        due_on: row.due_on,
        visited_by: row.visited_by,
        visited_at: row.visited_at.map(|at| at.and_utc()),
        way: row.way,
        outcome: row.outcome,
        note: note.map(|note| opened(vault, VISIT_NOTE, row.case_id, note)).transpose()?,
    })
}

fn check_view(row: FileCheck, vault: &Vault) -> Result<FileCheckView> {
    let note = row.note_sealed.as_deref();
    Ok(FileCheckView {
        present: serde_json::from_str(&row.present).map_err(Error::internal)?,
        missing: serde_json::from_str(&row.missing).map_err(Error::internal)?,
        complete: row.complete,
        note: note.map(|note| opened(vault, CHECK_NOTE, row.case_id, note)).transpose()?,
        checked_by: row.checked_by,
        checked_at: row.checked_at.and_utc(),
    })
}

fn subsidy_view(row: Subsidy) -> LegalSubsidyView {
    LegalSubsidyView {
        person_id: row.person_id,
        amount_fen: row.amount_fen,
        policy: row.policy,
        policy_from: row.policy_from,
        granted_by: row.granted_by,
        granted_at: row.granted_at.and_utc(),
    }
}

/// How far the end of a case in `state` is.
pub fn view(
    conn: &mut Conn,
    vault: &Vault,
    id: CaseId,
    state: CaseState,
    now: DateTime<Utc>,
) -> Result<CaseClosingView> {
    let items = acts::file_items(conn, now)?;
    Ok(CaseClosingView {
        state,
        report: store::report(conn, id)?.map(|row| report_view(row, vault)).transpose()?,
        return_visit: store::return_visit(conn, id)?.map(|row| visit_view(row, vault)).transpose()?,
        satisfaction: store::satisfaction(conn, id)?
            .map(|row| SatisfactionView::new(&row, vault))
            .transpose()?,
        file_items: items.into_iter().map(|(code, name)| FileItemView { code, name }).collect(),
        file_check: store::file_check(conn, id)?.map(|row| check_view(row, vault)).transpose()?,
        subsidy: store::subsidy(conn, id)?.map(subsidy_view),
    })
}
