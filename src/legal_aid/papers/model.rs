//! Rows of documents, and what a document says.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseId, OrganisationId, PersonId};
use crate::platform::db::schema::{legal_documents, legal_numbers};
use crate::platform::vault::{Field, Vault};

/// Where what documents say is kept.
pub const PAPER: Field = Field("legal_documents.paper");

crate::text_enum! {
    /// What a document says.
    pub enum DocumentKind {
        /// 收件回执
        Receipt = "receipt",
        /// 补充材料通知书
        SupplementNotice = "supplement_notice",
        /// 给予法律援助决定书
        Acceptance = "acceptance",
        /// 不予法律援助决定书
        Refusal = "refusal",
        /// 先行提供法律援助决定书
        ProvisionalAid = "provisional_aid",
        /// 指派通知书
        Assignment = "assignment",
        /// 终止法律援助决定书
        Termination = "termination",
        /// 异议答复书
        ObjectionAnswer = "objection_answer",
        /// 结案报告
        ClosingReport = "closing_report",
        /// 撤销决定书
        Annulment = "annulment",
    }
}

impl DocumentKind {
    /// The word that stands for it in its number.
    pub fn word(self) -> &'static str {
        match self {
            Self::Receipt => "收",
            Self::SupplementNotice => "补",
            Self::Acceptance => "受",
            Self::Refusal => "不",
            Self::ProvisionalAid => "先",
            Self::Assignment => "指",
            Self::Termination => "终",
            Self::ObjectionAnswer => "复",
            Self::ClosingReport => "结",
            Self::Annulment => "撤",
        }
    }
}

crate::text_enum! {
    /// How a document reached the applicant.
    pub enum DeliveryWay {
        /// 当面交付
        InPerson = "in_person",
        /// 邮寄
        Post = "post",
        /// 电子送达
        Electronic = "electronic",
        /// 本人在小程序中打开
        Online = "online",
    }
}

/// The last number of a desk, a year and a kind.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_numbers, treat_none_as_default_value = false)]
pub struct LastNumber {
    /// Whose numbers.
    pub desk_id: OrganisationId,
    /// Of which civil year.
    pub year: i64,
    /// Of which kind of document.
    pub kind: DocumentKind,
    /// The last one that was given.
    pub last: i64,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_documents, treat_none_as_default_value = false)]
pub struct CaseDocument {
    /// Its id.
    pub id: CaseDocumentId,
    /// Of which case.
    pub case_id: CaseId,
    /// What it says.
    pub kind: DocumentKind,
    /// Whose number it has.
    pub desk_id: OrganisationId,
    /// Of which civil year.
    pub year: i64,
    /// Its place among its kind: 1, 2, 3, … without gaps.
    pub serial: i64,
    /// Its number as it is printed.
    pub number: String,
    /// The version of its template.
    pub template: i64,
    /// [`Paper`].
    pub paper_sealed: String,
    /// Who issued it; none for what time has brought about.
    pub issued_by: Option<PersonId>,
    /// When.
    pub issued_at: NaiveDateTime,
    /// When it was handed over.
    pub delivered_at: Option<NaiveDateTime>,
    /// How.
    pub delivery: Option<DeliveryWay>,
    /// By whom; none where the applicant opened it.
    pub delivered_by: Option<PersonId>,
    /// When the applicant first opened it.
    pub read_at: Option<NaiveDateTime>,
}

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// To whom it is.
    To(String),
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// One of a numbered list.
    Item(String),
    /// A line of a table: what, and which.
    Fact(String, String),
}

/// What a document says, word for word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// What stands in it, in order.
    pub blocks: Vec<Block>,
    /// Who issues it.
    pub office: String,
    /// On which day, as it is written.
    pub date: String,
}

impl Paper {
    /// Seals it for the document `id`.
    pub fn seal(&self, vault: &Vault, id: CaseDocumentId) -> Result<String> {
        let text = serde_json::to_string(self).map_err(Error::internal)?;
        vault.seal(PAPER, id.0.as_bytes(), &text).map_err(Error::internal)
    }

    /// Opens that of `document`.
    pub fn open(vault: &Vault, document: &CaseDocument) -> Result<Self> {
        let opened = vault.open(PAPER, document.id.0.as_bytes(), &document.paper_sealed);
        let text = opened.map_err(Error::internal)?;
        match text.expose_secret() {
            // Erased with its case.
            "" => Ok(Self { number: document.number.clone(), ..Self::default() }),
            text => serde_json::from_str(text).map_err(Error::internal),
        }
    }
}
