//! Objections over HTTP: raised by whoever asked, answered by somebody who had no part in the decision.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LegalTools;
use super::deciding::acts::Acting;
use super::model::{Case, CaseState, Category, ClockKind};
use super::objections::{self, Objection, ObjectionOutcome};
use super::{clocks, desk};
use crate::error::Result;
use crate::ids::{CaseDocumentId, CaseId, ObjectionId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalLeadership, OwnData};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored};

/// An objection.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "我已经补充了工资条，公司确实是用人单位。"}))]
pub struct LegalObjectionInput {
    /// Why; kept sealed.
    #[schema(min_length = 5, max_length = 2000, pattern = r"\S")]
    pub text: String,
}

/// An objection as an act leaves it: nothing of what was written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalObjectionView {
    /// Its id.
    pub id: ObjectionId,
    /// What it is against: `refused` or `terminated`.
    pub against: CaseState,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<DateTime<Utc>>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ObjectionOutcome>,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<CaseDocumentId>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
    /// Counts changes: what `If-Match` names.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub version: i64,
}

impl From<&Objection> for LegalObjectionView {
    fn from(row: &Objection) -> Self {
        Self {
            id: row.id,
            against: row.against,
            raised_at: row.raised_at.and_utc(),
            taken_at: row.taken_at.map(|at| at.and_utc()),
            outcome: row.outcome,
            document_id: row.document_id,
            answered_at: row.answered_at.map(|at| at.and_utc()),
            version: row.version,
        }
    }
}

/// Object to a refusal or a termination / 提出异议
///
/// Answered within five days by somebody who had no part in the decision. Once for each decision: `legal_objected`.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_objection_raise", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalObjectionInput,
    responses((status = 201, description = "Raised", body = LegalObjectionView)),
)]
#[post("/api/v1/me/legal-requests/{id}/objections")]
pub async fn my_legal_objection_raise(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalObjectionInput>,
) -> Result<Stored> {
    let (now, person, id, tools) = (platform.clock.now(), guard.person(), id.0, LegalTools::clone(&tools));
    let text = body.body.text;
    let act = move |c: &mut Conn| {
        let (row, beside) = objections::raise_in_tx(c, &tools, (person, id), &text, now)?;
        beside.write_in_tx(c, &tools.ids, now)?;
        let place = format!("/api/v1/me/legal-requests/{id}");
        Stored::created(place, row.version, &LegalObjectionView::from(&row))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// An objection that waits, without names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalObjectionLine {
    /// Its id.
    pub id: ObjectionId,
    /// What it is against: `refused` or `terminated`.
    pub against: CaseState,
    /// What the request is about.
    pub category: Category,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// Until when it is to be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Whether the caller answers it.
    pub mine: bool,
}

impl LegalObjectionLine {
    fn new(conn: &mut Conn, row: &Objection, case: &Case) -> Result<Self> {
        let running = clocks::running(conn, case.id)?;
        let clock = running.into_iter().find(|clock| clock.kind == ClockKind::Objection);
        Ok(Self {
            id: row.id,
            against: row.against,
            category: case.category,
            raised_at: row.raised_at.and_utc(),
            due_at: clock.and_then(|clock| clock.due_at).map(|due| due.and_utc()),
            mine: row.taken_by.is_some(),
        })
    }
}

/// List objections that wait for an answer, without names / 待答复的异议
#[utoipa::path(
    tag = "legal", operation_id = "legal_objection_list", security(("bearer" = ["legal:lead"])), params(PageQuery),
    responses((status = 200, description = "A page of objections, oldest first", body = Page<LegalObjectionLine>)),
)]
#[get("/api/v1/legal-objections")]
pub async fn legal_objection_list(
    platform: Data<Platform>,
    guard: Guard<LegalLeadership>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<LegalObjectionLine>>> {
    let (person, scope) = (guard.person(), guard.scope().clone());
    let list = format!("legal-objections/{person}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let desks = desk::desks(c, &scope)?;
            let rows = objections::waiting(c, &desks, person, after, limit)?;
            rows.iter().map(|(row, case)| LegalObjectionLine::new(c, row, case)).collect::<Result<Vec<_>>>()
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, rows, |line| line.id)?))
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct LegalObjectionTakeInput {}

/// Take an objection to answer it / 领取异议
///
/// One is of the case's team until it is answered. Refused with `second_officer_required` to whoever had a part in the case.
#[utoipa::path(
    tag = "legal", operation_id = "legal_objection_take", security(("bearer" = ["legal:lead"])),
    params(("id" = ObjectionId, Path, description = "The objection"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalObjectionTakeInput,
    responses((status = 200, description = "Taken", body = LegalObjectionView)),
)]
#[post("/api/v1/legal-objections/{id}/takings")]
pub async fn legal_objection_take(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalLeadership>,
    id: ApiPath<ObjectionId>,
    body: Idempotent<LegalObjectionTakeInput>,
) -> Result<Stored> {
    let (now, person, id, tools) = (platform.clock.now(), guard.person(), id.0, LegalTools::clone(&tools));
    let scope = guard.scope().clone();
    let act = move |c: &mut Conn| {
        let mut acting = Acting::new(&tools, person, now);
        let row = objections::take_in_tx(c, &mut acting, id, &scope)?;
        acting.end_in_tx(c)?;
        Stored::done(row.version, &LegalObjectionView::from(&row))
    };
    platform.idempotency.run(person, body.key, act).await
}

/// An objection as it was raised.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalObjectionFile {
    /// The objection.
    #[serde(flatten)]
    pub objection: LegalObjectionView,
    /// About which case: read it as its team does.
    pub case_id: CaseId,
    /// What the applicant says.
    #[schema(max_length = 2000)]
    pub text: String,
    /// The reasons of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub answer: Option<String>,
}

/// Read the objection that one has taken; every time audited / 查看异议（记入审计）
#[utoipa::path(
    tag = "legal", operation_id = "legal_objection_get", security(("bearer" = ["legal:lead"])),
    params(("id" = ObjectionId, Path, description = "The objection")),
    responses((status = 200, description = "The objection", body = LegalObjectionFile)),
)]
#[get("/api/v1/legal-objections/{id}")]
pub async fn legal_objection_get(
    platform: Data<Platform>,
    guard: Guard<LegalLeadership>,
    id: ApiPath<ObjectionId>,
) -> Result<Reply<LegalObjectionFile>> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let file = platform
        .db
        .write(move |c| {
            let row = objections::mine(c, person, id)?;
            let (text, answer) = objections::opened(&vault, &row)?;
            audit::append_in_tx(c, now, vec![Entry::new(person, "legal_objection.read", id)])?;
            let objection = LegalObjectionView::from(&row);
            Ok(LegalObjectionFile { objection, case_id: row.case_id, text, answer })
        })
        .await?;
    let version = file.objection.version;
    Ok(Reply::new(file).version(version))
}

/// An answer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"outcome": "uphold", "reasons": "申请人补充的工资条足以证明劳动关系，原决定认定事实不清。"}))]
pub struct LegalAnswerInput {
    /// Whether the objection is right.
    pub outcome: ObjectionOutcome,
    /// Why; it stands in the answer.
    #[schema(min_length = 10, max_length = 2000, pattern = r"\S")]
    pub reasons: String,
}

/// Answer an objection / 答复异议
///
/// Right: a refused request is accepted, a terminated case goes on. Wrong: the decision stands. The applicant is told in writing.
#[utoipa::path(
    tag = "legal", operation_id = "legal_objection_answer", security(("bearer" = ["legal:lead"])),
    params(("id" = ObjectionId, Path, description = "The objection"),
           ("If-Match" = String, Header, description = "The ETag of the objection as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalAnswerInput,
    responses((status = 200, description = "Answered", body = LegalObjectionView)),
)]
#[post("/api/v1/legal-objections/{id}/answers")]
pub async fn legal_objection_answer(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalLeadership>,
    id: ApiPath<ObjectionId>,
    version: IfMatch,
    body: Idempotent<LegalAnswerInput>,
) -> Result<Stored> {
    let (now, person, id, tools) = (platform.clock.now(), guard.person(), id.0, LegalTools::clone(&tools));
    let (version, input) = (version.version(), body.body);
    let act = move |c: &mut Conn| {
        let mut acting = Acting::new(&tools, person, now);
        let answer = (input.outcome, input.reasons.as_str());
        let row = objections::answer_in_tx(c, &mut acting, (id, version), answer)?;
        acting.end_in_tx(c)?;
        Stored::done(row.version, &LegalObjectionView::from(&row))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
