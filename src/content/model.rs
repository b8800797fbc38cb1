//! Rows.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::ids::{CaseId, ContentCheckId, OrganisationId, PersonId};
use crate::platform::db::schema::content_checks;

crate::text_enum! {
    /// What is checked.
    pub enum ContentKind {
        /// 文字
        Text = "text",
        /// 图片
        Picture = "picture",
    }
}

crate::text_enum! {
    /// Life of a check; the diagram stands at the head of the room.
    pub enum ContentState {
        /// 待检测: WeChat has not said anything yet.
        Waiting = "waiting",
        /// 检测通过
        Passed = "passed",
        /// 待人工核查: somebody has to judge.
        Held = "held",
        /// 人工放行
        Released = "released",
        /// 人工屏蔽: shown to its author only.
        Removed = "removed",
    }
}

crate::text_enum! {
    /// Why what was held was released or removed.
    pub enum ContentReason {
        /// 误判，内容正常: nothing is wrong with it.
        Harmless = "harmless",
        /// 属于所办事项的陈述: it tells what happened, and belongs to the matter.
        BelongsToMatter = "belongs_to_matter",
        /// 辱骂、人身攻击
        Abuse = "abuse",
        /// 低俗、色情
        Obscene = "obscene",
        /// 欺诈
        Fraud = "fraud",
        /// 广告
        Advertising = "advertising",
        /// 违法
        Unlawful = "unlawful",
        /// 泄露他人隐私
        PrivateData = "private_data",
    }
}

/// A check as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = content_checks, treat_none_as_default_value = false)]
pub struct ContentCheck {
    /// Its id.
    pub id: ContentCheckId,
    /// What is checked.
    pub kind: ContentKind,
    /// Which room keeps it.
    pub room: String,
    /// In which row.
    pub row_id: Vec<u8>,
    /// In which field of the row.
    pub field: String,
    /// Whose it is.
    pub person_id: PersonId,
    /// Whose officers judge it; none for what belongs to a case.
    pub organisation_id: Option<OrganisationId>,
    /// The case whose team judges it.
    pub case_id: Option<CaseId>,
    /// Where in its life it is.
    pub state: ContentState,
    /// WeChat's number for what it found.
    pub label: Option<i64>,
    /// The picture whose verdict is still to come.
    pub trace_id: Option<String>,
    /// When the text was written, or written anew.
    pub asked_at: NaiveDateTime,
    /// Who judged it.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
    /// Why.
    pub reason: Option<ContentReason>,
    /// Counts its changes.
    pub version: i64,
}

impl ContentCheck {
    /// The row in which it stands.
    pub fn row(&self) -> Result<Uuid> {
        Uuid::from_slice(&self.row_id).map_err(Error::internal)
    }
}
