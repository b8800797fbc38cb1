//! One's inbox.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Notice, NoticeKind};
use super::store;
use crate::error::Result;
use crate::ids::NoticeId;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::http::{ApiJson, ApiQuery, PageQuery, Reply};

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeView {
    /// Its id.
    pub id: NoticeId,
    /// What it is about.
    pub kind: NoticeKind,
    /// In Chinese.
    #[schema(max_length = 200, example = "报名成功")]
    pub title: String,
    /// In Chinese.
    #[schema(max_length = 2000)]
    pub body: String,
    /// The resource it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub link: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Whether it was read.
    pub read: bool,
}

impl From<Notice> for NoticeView {
    fn from(row: Notice) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            title: row.title,
            body: row.body,
            link: row.link,
            created_at: row.created_at.and_utc(),
            read: row.read_at.is_some(),
        }
    }
}

/// A page of one's inbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboxView {
    /// Messages, newest first.
    #[schema(max_items = 100)]
    pub items: Vec<NoticeView>,
    /// Give this as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub next: Option<String>,
    /// Unread messages in all.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub unread: i64,
}

/// Read one's inbox / 读取消息
#[utoipa::path(
    tag = "me", operation_id = "notice_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of messages", body = InboxView)),
)]
#[get("/api/v1/me/notices")]
pub async fn notice_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<InboxView>> {
    let person = guard.person();
    let list = format!("notices/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let (rows, unread) = platform
        .db
        .read(move |c| Ok((store::list(c, person, before, limit)?, store::unread(c, person)?)))
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?.map(Into::into);
    Ok(Reply::new(InboxView { items: page.items, next: page.next, unread }))
}

/// Up to where one has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"until": "ntc_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct ReadInput {
    /// The newest message that was seen.
    pub until: NoticeId,
}

/// How much is unread.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadView {
    /// Unread messages.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub unread: i64,
}

/// Mark messages as read / 标记已读
#[utoipa::path(
    tag = "me", operation_id = "notice_read", security(("bearer" = ["self"])), request_body = ReadInput,
    responses((status = 200, description = "What is left", body = UnreadView)),
)]
#[post("/api/v1/me/notices/reads")]
pub async fn notice_read(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    body: ApiJson<ReadInput>,
) -> Result<Reply<UnreadView>> {
    let (person, now, until) = (guard.person(), platform.clock.now(), body.0.until);
    let unread = platform
        .db
        .write(move |c| {
            store::read_in_tx(c, person, until, now)?;
            store::unread(c, person)
        })
        .await?;
    Ok(Reply::new(UnreadView { unread }))
}
