//! The conversation about a case over HTTP, from both of its sides.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::talk::{self, CaseMessage, CaseVoice, Opened};
use super::{LegalTools, own, team};
use crate::error::Result;
use crate::ids::{CaseId, CaseMessageId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalWork, OwnData};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A message about a case.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CaseMessageView {
    /// Its id.
    pub id: CaseMessageId,
    /// Who wrote it.
    pub voice: CaseVoice,
    /// Who wrote it. The applicant's side sees no officer's name; the team sees masked names.
    #[schema(max_length = 80, example = "承办人")]
    pub author_masked: String,
    /// What they wrote.
    #[schema(max_length = 500, example = "请问工资流水需要盖章吗？")]
    pub text: String,
    /// When.
    pub sent_at: DateTime<Utc>,
    /// When the other side read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<DateTime<Utc>>,
}

impl From<Opened> for CaseMessageView {
    fn from(opened: Opened) -> Self {
        let Opened { message, author, text } = opened;
        Self {
            id: message.id,
            voice: message.voice,
            author_masked: author,
            text,
            sent_at: message.sent_at.and_utc(),
            read_at: message.read_at.map(|at| at.and_utc()),
        }
    }
}

/// A message to write.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "请问工资流水需要盖章吗？"}))]
pub struct CaseMessageInput {
    /// Kept sealed; notices do not repeat it.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub text: String,
}

/// A message that was sent. Without its text: answers to acts are kept for their repetitions, and are not sealed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CaseSentView {
    /// Its id.
    pub id: CaseMessageId,
    /// When.
    pub sent_at: DateTime<Utc>,
}

impl From<CaseMessage> for CaseSentView {
    fn from(sent: CaseMessage) -> Self {
        Self { id: sent.id, sent_at: sent.sent_at.and_utc() }
    }
}

/// List the messages about a request of one's own, newest last / 查看本人法律援助事项的留言
///
/// What the team wrote counts as read then.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_message_list", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"), PageQuery),
    responses((status = 200, description = "A page of messages", body = Page<CaseMessageView>)),
)]
#[get("/api/v1/me/legal-requests/{id}/messages")]
pub async fn my_legal_message_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CaseMessageView>>> {
    let (now, person, id, vault) = (platform.clock.now(), guard.person(), id.0, platform.vault.clone());
    let list = format!("my-legal-messages/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit();
    let rows = platform
        .db
        .write(move |c| {
            own::get(c, person, id)?;
            let mut rows = talk::list(c, id, after, limit)?;
            talk::read_in_tx(c, CaseVoice::Applicant, &mut rows, limit, now)?;
            talk::open(c, &vault, (person, CaseVoice::Applicant), rows)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.message.id)?;
    Ok(Reply::new(page.map(CaseMessageView::from)).secret())
}

/// Write to the team about a request of one's own / 给承办人留言
///
/// Until the matter is over: `state_forbids` afterwards. At most 20 messages an hour (`rate_limited`).
#[utoipa::path(
    tag = "me", operation_id = "my_legal_message_send", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CaseMessageInput,
    responses((status = 201, description = "Sent", body = CaseSentView)),
)]
#[post("/api/v1/me/legal-requests/{id}/messages")]
pub async fn my_legal_message_send(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<CaseMessageInput>,
) -> Result<Stored> {
    let (now, person, id) = (platform.clock.now(), guard.person(), id.0);
    let (text, message) = (body.body.text, platform.ids.id());
    let tools = LegalTools::clone(&tools);
    let act = move |c: &mut Conn| {
        let case = own::locked_in_tx(c, person, id)?;
        let author = (person, CaseVoice::Applicant);
        let sent = talk::write_in_tx(c, &tools, &case, author, (message, text.trim()), now)?;
        Stored::created(format!("/api/v1/me/legal-requests/{id}/messages"), 1, &CaseSentView::from(sent))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List the messages about a case of one's team, newest last / 查看承办案件的留言
///
/// What the applicant wrote counts as read then, unless the case is not one's own. In the audit chain, every time.
#[utoipa::path(
    tag = "legal", operation_id = "legal_message_list", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"), PageQuery),
    responses((status = 200, description = "A page of messages", body = Page<CaseMessageView>)),
)]
#[get("/api/v1/legal-cases/{id}/messages")]
pub async fn legal_message_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CaseMessageView>>> {
    let (now, person, id, vault) = (platform.clock.now(), guard.person(), id.0, platform.vault.clone());
    let list = format!("legal-messages/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit();
    let rows = platform
        .db
        .write(move |c| {
            let admitted = team::admitted(c, person, id, now)?;
            let mut rows = talk::list(c, id, after, limit)?;
            let under_glass = admitted.is_glass();
            if !under_glass {
                talk::read_in_tx(c, CaseVoice::Team, &mut rows, limit, now)?;
            }
            let opened = talk::open(c, &vault, (person, CaseVoice::Team), rows)?;
            let entry = Entry::new(person, "legal_case.messages_read", id);
            audit::append_in_tx(c, now, vec![entry.detail(json!({ "glass": under_glass }))])?;
            Ok(opened)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.message.id)?;
    Ok(Reply::new(page.map(CaseMessageView::from)).secret())
}

/// Write to the applicant about a case of one's team / 给申请人留言
///
/// Until the matter is over: `state_forbids` afterwards. At most 20 messages an hour (`rate_limited`).
#[utoipa::path(
    tag = "legal", operation_id = "legal_message_send", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CaseMessageInput,
    responses((status = 201, description = "Sent", body = CaseSentView)),
)]
#[post("/api/v1/legal-cases/{id}/messages")]
pub async fn legal_message_send(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    body: Idempotent<CaseMessageInput>,
) -> Result<Stored> {
    let (now, person, id) = (platform.clock.now(), guard.person(), id.0);
    let (text, message) = (body.body.text, platform.ids.id());
    let tools = LegalTools::clone(&tools);
    let act = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, person, id, now)?.case;
        let author = (person, CaseVoice::Team);
        let sent = talk::write_in_tx(c, &tools, &case, author, (message, text.trim()), now)?;
        Stored::created(format!("/api/v1/legal-cases/{id}/messages"), 1, &CaseSentView::from(sent))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
