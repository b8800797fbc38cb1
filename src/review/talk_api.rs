//! The conversation about a request over HTTP, from both of its sides.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{officer, seen};
use super::deciding::Desk;
use super::model::{Side, TalkMessage};
use super::talk::{self, Author, Opened};
use super::{seats, stages, store};
use crate::error::{Error, Result};
use crate::ids::{ReviewId, ReviewMessageId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::{OwnData, ReviewDecide};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A message about a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageView {
    /// Its id.
    pub id: ReviewMessageId,
    /// Who wrote it.
    pub side: Side,
    /// Who wrote it. The applicant sees the body, never the officer's name; the desk sees masked names.
    #[schema(max_length = 80, example = "平湖街道经办人")]
    pub author_masked: String,
    /// What they wrote.
    #[schema(max_length = 500, example = "请问体检报告要盖章吗？")]
    pub text: String,
    /// Whether the content check keeps the text from everybody but who wrote it; then `text` says so.
    pub withheld: bool,
    /// When.
    pub sent_at: DateTime<Utc>,
    /// When the other side read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<DateTime<Utc>>,
}

impl From<Opened> for MessageView {
    fn from(opened: Opened) -> Self {
        let Opened { message, author, text, withheld } = opened;
        Self {
            id: message.id,
            side: message.side,
            author_masked: author,
            text,
            withheld: withheld.is_some(),
            sent_at: message.sent_at.and_utc(),
            read_at: message.read_at.map(|at| at.and_utc()),
        }
    }
}

/// A message to write.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "请问体检报告要盖章吗？"}))]
pub struct MessageInput {
    /// Kept sealed; notices do not repeat it.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub text: String,
}

/// A message that was sent. Without its text: answers to acts are kept for their repetitions, and are not sealed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SentView {
    /// Its id.
    pub id: ReviewMessageId,
    /// When.
    pub sent_at: DateTime<Utc>,
}

impl From<TalkMessage> for SentView {
    fn from(sent: TalkMessage) -> Self {
        Self { id: sent.id, sent_at: sent.sent_at.and_utc() }
    }
}

/// List the messages about a request of one's own, newest last / 查看本人申请的留言
///
/// What the desk wrote counts as read then.
#[utoipa::path(
    tag = "me", operation_id = "my_review_message_list", security(("bearer" = ["self"])),
    params(("id" = ReviewId, Path, description = "The request"), PageQuery),
    responses((status = 200, description = "A page of messages", body = Page<MessageView>)),
)]
#[get("/api/v1/me/reviews/{id}/messages")]
pub async fn my_review_message_list(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    id: ApiPath<ReviewId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<MessageView>>> {
    let (now, person, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let list = format!("my-review-messages/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit();
    let rows = platform
        .db
        .write(move |c| {
            if store::get(c, id)?.applicant_id != person {
                return Err(Error::not_found());
            }
            let rows = talk::read_in_tx(c, id, Side::Applicant, after, limit, now)?;
            talk::open(c, &desk.vault, (Side::Applicant, person), rows)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.message.id)?;
    Ok(Reply::new(page.map(MessageView::from)).secret())
}

/// Write to the desk about a request of one's own / 给经办人留言
///
/// While it is under review: `state_forbids` afterwards. At most 20 messages an hour (`rate_limited`).
#[utoipa::path(
    tag = "me", operation_id = "my_review_message_send", security(("bearer" = ["self"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = MessageInput,
    responses((status = 201, description = "Sent", body = SentView)),
)]
#[post("/api/v1/me/reviews/{id}/messages")]
pub async fn my_review_message_send(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    id: ApiPath<ReviewId>,
    body: Idempotent<MessageInput>,
) -> Result<Stored> {
    let (now, person, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let text = body.body.text;
    let act = move |c: &mut Conn| {
        let review = desk.own_locked_in_tx(c, id, person)?;
        let all = stages::of(c, id)?;
        let mut beside = Beside::default();
        let author = Author { person, body: None };
        let sent = talk::write_in_tx(c, &desk, (&review, &all), author, text.trim(), now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::created(format!("/api/v1/me/reviews/{id}/messages"), 1, &SentView::from(sent))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List the messages about a request, newest last; every time audited / 查看申请的留言（记入审计）
///
/// What the applicant wrote counts as read then. Refused with `review_recused` to whoever may not decide about it.
#[utoipa::path(
    tag = "review", operation_id = "review_message_list", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"), PageQuery),
    responses((status = 200, description = "A page of messages", body = Page<MessageView>)),
)]
#[get("/api/v1/reviews/{id}/messages")]
pub async fn review_message_list(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<MessageView>>> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let list = format!("review-messages/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit();
    let rows = platform
        .db
        .write(move |c| {
            let officer = officer(c, &guard, now)?;
            let review = seen(c, &officer, id)?;
            let all = stages::of(c, id)?;
            seats::unbarred(c, &officer, &review, &all)?;
            let rows = talk::read_in_tx(c, id, Side::Desk, after, limit, now)?;
            let rows = talk::open(c, &desk.vault, (Side::Desk, actor), rows)?;
            let shown = rows.len().min(usize::try_from(limit).unwrap_or(0));
            let ids: Vec<ReviewMessageId> = rows.iter().take(shown).map(|row| row.message.id).collect();
            let detail = json!({ "first": ids.first(), "last": ids.last() });
            audit::append_in_tx(c, now, vec![Entry::new(actor, "review.messages_read", id).detail(detail)])?;
            Ok(rows)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.message.id)?;
    Ok(Reply::new(page.map(MessageView::from)).secret())
}

/// Write to the applicant about their request / 给申请人留言
///
/// While it is under review: `state_forbids` afterwards. At most 20 messages an hour (`rate_limited`). The applicant sees the
/// body, not the officer's name. Refused with `review_recused` to whoever may not decide about it.
#[utoipa::path(
    tag = "review", operation_id = "review_message_send", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = MessageInput,
    responses((status = 201, description = "Sent", body = SentView)),
)]
#[post("/api/v1/reviews/{id}/messages")]
pub async fn review_message_send(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    body: Idempotent<MessageInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let text = body.body.text;
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let (review, all) = desk.locked_in_tx(c, &officer, id)?;
        seats::unbarred(c, &officer, &review, &all)?;
        let author = Author { person: actor, body: Some(talk::body_of(c, &officer, &all)?) };
        let mut beside = Beside::default();
        let sent = talk::write_in_tx(c, &desk, (&review, &all), author, text.trim(), now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::created(format!("/api/v1/reviews/{id}/messages"), 1, &SentView::from(sent))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
