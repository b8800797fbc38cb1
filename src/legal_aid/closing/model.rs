//! Rows of reports, return visits, satisfaction, file checks and subsidies.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::platform::db::schema::{
    legal_file_checks, legal_reports, legal_return_visits, legal_satisfactions, legal_subsidies,
};
use crate::platform::vault::Field;

/// Where what was done for an applicant is kept.
pub const SUMMARY: Field = Field("legal_reports.summary");
/// Where what was heard on a return visit is kept.
pub const VISIT_NOTE: Field = Field("legal_return_visits.note");
/// Where what an applicant thinks is kept.
pub const OPINION: Field = Field("legal_satisfactions.text");
/// Where what was noted of a file is kept.
pub const CHECK_NOTE: Field = Field("legal_file_checks.note");

crate::text_enum! {
    /// How a case ended.
    pub enum CaseResult {
        /// 已提供咨询意见
        Advised = "advised",
        /// 已代拟法律文书
        Drafted = "drafted",
        /// 协商、调解达成一致
        Settled = "settled",
        /// 仲裁、诉讼请求得到支持
        AwardWon = "award_won",
        /// 仲裁、诉讼请求得到部分支持
        AwardPart = "award_part",
        /// 仲裁、诉讼请求未得到支持
        AwardLost = "award_lost",
        /// 当事人撤回仲裁、诉讼
        Withdrawn = "withdrawn",
        /// 其他
        Other = "other",
    }
}

impl CaseResult {
    /// In Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Advised => "已提供咨询意见",
            Self::Drafted => "已代拟法律文书",
            Self::Settled => "经协商、调解达成一致",
            Self::AwardWon => "仲裁、诉讼请求得到支持",
            Self::AwardPart => "仲裁、诉讼请求得到部分支持",
            Self::AwardLost => "仲裁、诉讼请求未得到支持",
            Self::Withdrawn => "当事人撤回仲裁、诉讼",
            Self::Other => "其他",
        }
    }
}

crate::text_enum! {
    /// How somebody was asked on a return visit.
    pub enum ReturnVisitWay {
        /// 电话
        Phone = "phone",
        /// 当面
        InPerson = "in_person",
        /// 留言
        Message = "message",
    }
}

crate::text_enum! {
    /// What a return visit found.
    pub enum ReturnVisitOutcome {
        /// 与结案报告一致
        Confirmed = "confirmed",
        /// 与结案报告不一致
        Differs = "differs",
        /// 受援人投诉
        Complaint = "complaint",
        /// 联系不上，可再次回访
        Unreachable = "unreachable",
    }
}

/// What whoever handled a case reports.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_reports, treat_none_as_default_value = false)]
pub struct CaseReport {
    /// Of which case.
    pub case_id: CaseId,
    /// How it ended.
    pub result: CaseResult,
    /// What the applicant got back, in fen.
    pub recovered_fen: i64,
    /// The time spent.
    pub minutes: i64,
    /// What was done.
    pub summary_sealed: String,
    /// Who reports.
    pub reported_by: PersonId,
    /// When.
    pub reported_at: NaiveDateTime,
    /// The document of the case's end; none before.
    pub document_id: Option<CaseDocumentId>,
    /// Who closed it.
    pub closed_by: Option<PersonId>,
    /// Counts changes.
    pub version: i64,
}

/// That somebody is asked how it was.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_return_visits, treat_none_as_default_value = false)]
pub struct ReturnVisit {
    /// Of which case.
    pub case_id: CaseId,
    /// How many of a hundred were drawn.
    pub percent: i64,
    /// Until when.
    pub due_on: NaiveDate,
    /// Who asked.
    pub visited_by: Option<PersonId>,
    /// When.
    pub visited_at: Option<NaiveDateTime>,
    /// How.
    pub way: Option<ReturnVisitWay>,
    /// What was found.
    pub outcome: Option<ReturnVisitOutcome>,
    /// What was heard.
    pub note_sealed: Option<String>,
}

/// What an applicant thinks.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_satisfactions, treat_none_as_default_value = false)]
pub struct Satisfaction {
    /// Of which case.
    pub case_id: CaseId,
    /// 1 (very dissatisfied) to 5 (very satisfied).
    pub score: i64,
    /// In their words.
    pub text_sealed: Option<String>,
    /// When.
    pub given_at: NaiveDateTime,
}

/// That another officer went through the file.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_file_checks, treat_none_as_default_value = false)]
pub struct FileCheck {
    /// Of which case.
    pub case_id: CaseId,
    /// JSON: codes of what is there.
    pub present: String,
    /// JSON: codes of what is missing.
    pub missing: String,
    /// Whether nothing is missing.
    pub complete: bool,
    /// What was noted.
    pub note_sealed: Option<String>,
    /// Who checked.
    pub checked_by: PersonId,
    /// When.
    pub checked_at: NaiveDateTime,
    /// Counts changes.
    pub version: i64,
}

/// What a lawyer gets for a case.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_subsidies, treat_none_as_default_value = false)]
pub struct Subsidy {
    /// For which case.
    pub case_id: CaseId,
    /// Who gets it.
    pub person_id: PersonId,
    /// How much.
    pub amount_fen: i64,
    /// The policy that says so.
    pub policy: String,
    /// Since when it does.
    pub policy_from: NaiveDate,
    /// Who granted it.
    pub granted_by: PersonId,
    /// When.
    pub granted_at: NaiveDateTime,
}
