//! Rows of the inbox.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{NoticeId, PersonId};
use crate::platform::db::schema::notices;

crate::text_enum! {
    /// What a message is about.
    pub enum NoticeKind {
        /// 报名成功
        SignupConfirmed = "signup_confirmed",
        /// 报名已取消
        SignupCancelled = "signup_cancelled",
    }
}

/// A message.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = notices)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// To whom.
    pub person_id: PersonId,
    /// The job that wrote it.
    pub source: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// Chinese, for people.
    pub title: String,
    /// Chinese, for people.
    pub body: String,
    /// The resource it is about.
    pub link: Option<String>,
    /// When.
    pub created_at: NaiveDateTime,
    /// When it was read.
    pub read_at: Option<NaiveDateTime>,
}
