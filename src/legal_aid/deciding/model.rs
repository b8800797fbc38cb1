//! Rows of decisions.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::platform::db::schema::{legal_decisions, legal_supplements};
use crate::platform::vault::Field;

/// Where the reasons of decisions are kept, in the words of whoever decided.
pub const REASONS: Field = Field("legal_decisions.reasons");
/// Where it is kept what is missing of requests.
pub const MISSING: Field = Field("legal_supplements.missing");

crate::text_enum! {
    /// What was decided.
    pub enum DecisionKind {
        /// 给予法律援助
        Accept = "accept",
        /// 先行提供法律援助
        Provisional = "provisional",
        /// 不予法律援助
        Refuse = "refuse",
        /// 终止法律援助
        Terminate = "terminate",
        /// 撤销受理
        Annul = "annul",
    }
}

/// A decision. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_decisions, treat_none_as_default_value = false)]
pub struct Decision {
    /// The document that says so.
    pub document_id: CaseDocumentId,
    /// About which case.
    pub case_id: CaseId,
    /// What.
    pub kind: DecisionKind,
    /// About which version of the case.
    pub case_version: i64,
    /// JSON: codes of the catalogue.
    pub reason_codes: String,
    /// In the officer's words.
    pub reasons_sealed: Option<String>,
    /// How one may object, word for word.
    pub appeal_notice: Option<String>,
    /// Who decided.
    pub decided_by: PersonId,
    /// When.
    pub decided_at: NaiveDateTime,
}

/// What is missing of a request.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_supplements, treat_none_as_default_value = false)]
pub struct SupplementNotice {
    /// Of which request: once.
    pub case_id: CaseId,
    /// The notice.
    pub document_id: CaseDocumentId,
    /// What is missing, sealed.
    pub missing_sealed: String,
    /// Who said so.
    pub given_by: PersonId,
    /// When.
    pub given_at: NaiveDateTime,
}
