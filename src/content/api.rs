//! What the content check held, before those who judge it.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::{ContentCheck, ContentKind, ContentReason, ContentState};
use super::rules::{self, ContentDecision};
use super::store::{self, Bench};
use super::{Sources, pictures};
use crate::error::{Code, Error, Result};
use crate::ids::{ContentCheckId, FileId};
use crate::platform::Platform;
use crate::platform::access::policy::ContentDecide;
use crate::platform::access::{Actor, Guard};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored};

/// A check, without its text and without whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContentCheckView {
    /// Its id.
    pub id: ContentCheckId,
    /// What is checked.
    pub kind: ContentKind,
    /// Which room keeps it, such as `review.message`; left out for what belongs to a case of legal aid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "review.message")]
    pub room: Option<String>,
    /// Where it stands.
    pub state: ContentState,
    /// WeChat's number for what it found (20001 politics, 20002 porn, 20003 abuse, 20006 illegal, 20008 fraud, 20012 vulgar, 20013 copyright,
    /// 21000 other); left out where WeChat could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<i64>,
    /// Whether others do not see it meanwhile.
    pub withheld: bool,
    /// When it was written.
    pub asked_at: DateTime<Utc>,
    /// When somebody judged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// Why they judged so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ContentReason>,
}

impl From<&ContentCheck> for ContentCheckView {
    fn from(check: &ContentCheck) -> Self {
        Self {
            id: check.id,
            kind: check.kind,
            room: check.case_id.is_none().then(|| check.room.clone()),
            state: check.state,
            label: check.label,
            withheld: rules::is_withheld(check),
            asked_at: check.asked_at.and_utc(),
            decided_at: check.decided_at.map(|at| at.and_utc()),
            reason: check.reason,
        }
    }
}

/// A check with what it is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContentCheckDetail {
    /// The check.
    #[serde(flatten)]
    pub check: ContentCheckView,
    /// The text as it stands; left out for pictures, and where it is there no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000, example = "请问体检报告要盖章吗？")]
    pub text: Option<String>,
    /// The picture, to be opened as any file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
}

/// Which checks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContentCheckQuery {
    /// In this state; what is held when left out.
    #[param(inline)]
    pub state: Option<ContentState>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// What the caller judges: what stands in their subtrees, and what belongs to the cases of whose teams they are.
fn bench(conn: &mut Conn, actor: &Actor) -> Result<Bench> {
    Bench::of(conn, actor.person, pictures::scope_of(actor).patterns().collect())
}

/// The check `id`, where it is before the caller.
fn before(conn: &mut Conn, actor: &Actor, id: ContentCheckId) -> Result<ContentCheck> {
    let bench = bench(conn, actor)?;
    let check = store::get(conn, id)?;
    if bench.judges(&check) { Ok(check) } else { Err(Error::not_found()) }
}

/// List what the content check held, oldest first / 列出待人工核查的内容
///
/// Of one's subtree for reviewers and administrators; of the cases of whose teams one is for legal aid, which nobody else is shown.
#[utoipa::path(
    tag = "review", operation_id = "content_check_list", security(("bearer" = ["content:decide"])), params(ContentCheckQuery),
    responses((status = 200, description = "A page of checks", body = Page<ContentCheckView>)),
)]
#[get("/api/v1/content-checks")]
pub async fn content_check_list(
    platform: Data<Platform>,
    guard: Guard<ContentDecide>,
    query: ApiQuery<ContentCheckQuery>,
) -> Result<Reply<Page<ContentCheckView>>> {
    let ContentCheckQuery { state, limit, cursor } = query.0;
    let (page, actor, state) =
        (PageQuery { limit, cursor }, guard.actor().clone(), state.unwrap_or(ContentState::Held));
    let list = format!("content-checks/{}/{state}", actor.person);
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |conn| {
        let bench = bench(conn, &actor)?;
        store::list(conn, bench, state, after, limit)
    });
    let page = platform.cursors.page(&list, &page, rows.await?, |row| row.id)?;
    Ok(Reply::new(page.map(|row| ContentCheckView::from(&row))))
}

/// Read what a check is about / 查看待核查的内容
///
/// Audited every time.
#[utoipa::path(
    tag = "review", operation_id = "content_check_get", security(("bearer" = ["content:decide"])),
    params(("id" = ContentCheckId, Path, description = "The check")),
    responses((status = 200, description = "The check with its text", body = ContentCheckDetail)),
)]
#[get("/api/v1/content-checks/{id}")]
pub async fn content_check_get(
    platform: Data<Platform>,
    sources: Data<Sources>,
    guard: Guard<ContentDecide>,
    id: ApiPath<ContentCheckId>,
) -> Result<Reply<ContentCheckDetail>> {
    let (actor, now, id, sources) =
        (guard.actor().clone(), platform.clock.now(), id.0, Sources::clone(&sources));
    let opened = platform.db.write(move |conn| {
        let check = before(conn, &actor, id)?;
        let picture = check.kind == ContentKind::Picture;
        let text = if picture { None } else { sources.text_of(conn, &check)? };
        let file_id = if picture { Some(FileId(check.row()?)) } else { None };
        audit::append_in_tx(conn, now, vec![Entry::new(actor.person, "content.read", id)])?;
        Ok((ContentCheckDetail { check: ContentCheckView::from(&check), text, file_id }, check.version))
    });
    let (detail, version) = opened.await?;
    Ok(Reply::new(detail).version(version))
}

/// A decision about what is held.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "release", "reason": "harmless"}))]
pub struct ContentDecisionInput {
    /// What.
    pub decision: ContentDecision,
    /// Why: `harmless` or `belongs_to_matter` to release, one of the others to remove.
    pub reason: ContentReason,
}

/// Release or remove what is held / 放行或屏蔽
///
/// Never one's own (`second_officer_required`). What belongs to a case of legal aid is never removed (`state_forbids`).
#[utoipa::path(
    tag = "review", operation_id = "content_check_decide", security(("bearer" = ["content:decide"])),
    params(("id" = ContentCheckId, Path, description = "The check"),
           ("If-Match" = String, Header, description = "The ETag of the check as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ContentDecisionInput,
    responses((status = 200, description = "The check, decided", body = ContentCheckView)),
)]
#[post("/api/v1/content-checks/{id}/decisions")]
pub async fn content_check_decide(
    platform: Data<Platform>,
    sources: Data<Sources>,
    guard: Guard<ContentDecide>,
    id: ApiPath<ContentCheckId>,
    seen: IfMatch,
    body: Idempotent<ContentDecisionInput>,
) -> Result<Stored> {
    let (actor, now, id) = (guard.actor().clone(), platform.clock.now(), id.0);
    let (person, ContentDecisionInput { decision, reason }) = (actor.person, body.body);
    let sources = Sources::clone(&sources);
    let act = move |conn: &mut Conn| {
        let check = before(conn, &actor, id)?;
        if check.version != seen.version() {
            return Err(Error::new(Code::PreconditionFailed));
        }
        let state = rules::decide(&check, person, decision, reason)?;
        store::decided_in_tx(conn, id, check.version, (state, reason), person, now)?;
        if decision == ContentDecision::Remove {
            sources.removed_in_tx(conn, &check, now)?;
        }
        let detail = json!({ "decision": decision, "reason": reason });
        audit::append_in_tx(conn, now, vec![Entry::new(person, "content.decide", id).detail(detail)])?;
        let after = store::get(conn, id)?;
        Stored::done(after.version, &ContentCheckView::from(&after))
    };
    platform.idempotency.run(person, body.key, act).await
}
