//! One's own requests for legal aid over HTTP.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::asking::{self, Ask};
use super::model::{AidForm, Case, Category, ClaimEvent, Matter};
use super::own_views::{OwnLegalLine, OwnLegalRequest};
use super::rules::means::Exemption;
use super::{LegalTools, own, store};
use crate::error::Result;
use crate::ids::{CaseId, FileId, OrganisationId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// What one asks for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "category": "labour_dispute", "matter": "labour_relation", "form": "representation", "employer": "龙岗示例电子厂",
    "facts": "2025年3月起拖欠工资，5月20日被口头辞退。", "wishes": "支付三个月工资和经济补偿。", "amount_fen": 2_100_000,
    "event": "dismissed", "event_on": "2025-05-20", "exemption": "migrant_pay"
}))]
pub struct LegalRequestInput {
    /// What it is about.
    pub category: Category,
    /// Which matter of article 31 it is, if it is one.
    pub matter: Option<Matter>,
    /// In which form aid is wanted.
    pub form: AidForm,
    /// The employer's name, or that of the other side.
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub employer: String,
    /// Its unified social credit code. Leave it out if you do not know it.
    #[schema(min_length = 1, max_length = 40)]
    pub employer_code: Option<String>,
    /// Why the code is genuine though its check sign does not fit; only needed then.
    #[schema(min_length = 4, max_length = 200, pattern = r"\S")]
    pub code_reason: Option<String>,
    /// What happened.
    #[schema(min_length = 1, max_length = 3000, pattern = r"\S")]
    pub facts: String,
    /// What you want.
    #[schema(min_length = 1, max_length = 1000, pattern = r"\S")]
    pub wishes: String,
    /// How much it is about, in fen.
    #[schema(minimum = 0, maximum = 100_000_000_000_i64)]
    pub amount_fen: Option<i64>,
    /// What a limitation runs from.
    pub event: Option<ClaimEvent>,
    /// When that was.
    pub event_on: Option<NaiveDate>,
    /// Whether assets or evidence have to be secured at once, or payment enforced in advance: then aid comes first.
    #[serde(default)]
    #[schema(required = false)]
    pub preservation: bool,
    /// Why your means are not looked at.
    pub exemption: Option<Exemption>,
    /// The version of the declaration in `legal_form_get` that you agree to; not needed with an exemption.
    pub declaration_version: Option<NaiveDate>,
    /// Where papers reach you, if not in the mini-program.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub address: Option<String>,
    /// Another desk than the one nearest to where you work.
    pub desk_id: Option<OrganisationId>,
    /// Uploaded files.
    #[serde(default)]
    #[schema(max_items = 20, required = false)]
    pub evidence: Vec<FileId>,
}

/// Ask for legal aid / 申请法律援助
///
/// Nothing but what happened, with whom and what you want is needed; papers may come later. The desk has the days of the law to decide
/// (法律援助法 第四十三条). Where few days of the limitation are left, or assets have to be secured, aid comes first (第四十四条).
/// All wrong fields are named at once. The answer holds nothing of what you wrote.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_request_create", security(("bearer" = ["self"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalRequestInput,
    responses((status = 201, description = "It was received", body = OwnLegalLine)),
)]
#[post("/api/v1/me/legal-requests")]
pub async fn my_legal_request_create(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    body: Idempotent<LegalRequestInput>,
) -> Result<Stored> {
    let (person, now, tools) = (guard.person(), platform.clock.now(), LegalTools::clone(&tools));
    let input = body.body;
    let ask = Ask {
        id: platform.ids.id(),
        person,
        category: input.category,
        matter: input.matter,
        form: input.form,
        employer: input.employer,
        employer_code: input.employer_code,
        code_reason: input.code_reason,
        facts: input.facts,
        wishes: input.wishes,
        amount_fen: input.amount_fen,
        event: input.event,
        event_on: input.event_on,
        preservation: input.preservation,
        exemption: input.exemption,
        declaration: input.declaration_version,
        address: input.address,
        desk: input.desk_id,
        evidence: input.evidence,
    };
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let case = asking::ask_in_tx(c, &tools, &ask, now, &mut beside)?;
        let line = OwnLegalLine::of(c, &case, now)?;
        beside.write_in_tx(c, &tools.ids, now)?;
        Stored::created(format!("/api/v1/me/legal-requests/{}", case.id), case.version, &line)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List one's requests for legal aid, newest first / 列出本人的法律援助申请
#[utoipa::path(
    tag = "me", operation_id = "my_legal_request_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of requests", body = Page<OwnLegalLine>)),
)]
#[get("/api/v1/me/legal-requests")]
pub async fn my_legal_request_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<OwnLegalLine>>> {
    let (person, now) = (guard.person(), platform.clock.now());
    let list = format!("my-legal-requests/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let lines = platform
        .db
        .read(move |c| {
            let cases = store::own_list(c, person, before, limit)?;
            OwnLegalLine::of_all(c, &cases, now)
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, lines, |line| line.id)?).secret())
}

/// Read a request for legal aid of one's own / 查看本人的法律援助申请
///
/// Where it stands in plain words, what comes next and by when, whom to ask, and what to know of the terms of the law.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_request_get", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request")),
    responses((status = 200, description = "The request", body = OwnLegalRequest)),
)]
#[get("/api/v1/me/legal-requests/{id}")]
pub async fn my_legal_request_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
) -> Result<Reply<OwnLegalRequest>> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let view = platform
        .db
        .read(move |c| {
            let case = own::get(c, person, id)?;
            OwnLegalRequest::of(c, &vault, &case, person, now)
        })
        .await?;
    Ok(Reply::new(view).secret())
}

/// What was missing.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "补交劳动合同照片。", "files": ["fil_01k5b8m3q2e9t8h6y1v7z4w0xn"]}))]
pub struct LegalSupplementInput {
    /// What you add, in words.
    #[schema(min_length = 1, max_length = 2000, pattern = r"\S")]
    pub text: String,
    /// Uploaded files.
    #[serde(default)]
    #[schema(max_items = 20, required = false)]
    pub files: Vec<FileId>,
}

/// Supply what was missing / 补充材料
///
/// The term for deciding runs on from then. Refused with `state_forbids` where nothing is waited for.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_request_supply", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalSupplementInput,
    responses((status = 200, description = "The request as it stands now", body = OwnLegalLine)),
)]
#[post("/api/v1/me/legal-requests/{id}/supplements")]
pub async fn my_legal_request_supply(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalSupplementInput>,
) -> Result<Stored> {
    let (person, now, tools, id) = (guard.person(), platform.clock.now(), LegalTools::clone(&tools), id.0);
    let LegalSupplementInput { text, files } = body.body;
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let case = asking::supply_in_tx(c, &tools, (person, id), (&text, &files), now, &mut beside)?;
        done(c, &tools, &case, beside)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Files that are added.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"files": ["fil_01k5b8m3q2e9t8h6y1v7z4w0xn"], "note": "五月的工资条"}))]
pub struct LegalEvidenceInput {
    /// Uploaded files.
    #[schema(min_items = 1, max_items = 20)]
    pub files: Vec<FileId>,
    /// What they are.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub note: Option<String>,
}

/// Add evidence / 补交证据
///
/// Until the matter is over: `state_forbids` afterwards. Only the team of the case reads it.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_evidence_add", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalEvidenceInput,
    responses((status = 200, description = "The request as it stands now", body = OwnLegalLine)),
)]
#[post("/api/v1/me/legal-requests/{id}/evidence")]
pub async fn my_legal_evidence_add(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalEvidenceInput>,
) -> Result<Stored> {
    let (person, now, tools, id) = (guard.person(), platform.clock.now(), LegalTools::clone(&tools), id.0);
    let LegalEvidenceInput { files, note } = body.body;
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let added = (note.as_deref(), files.as_slice());
        let case = asking::add_evidence_in_tx(c, &tools, (person, id), added, now, &mut beside)?;
        done(c, &tools, &case, beside)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Why one gives it up.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "单位已支付工资"}))]
pub struct LegalWithdrawalInput {
    /// Why, if you like to say.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub reason: Option<String>,
}

/// Withdraw a request / 撤回法律援助申请
///
/// Until the matter is over: `state_forbids` afterwards. One may ask again.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_request_withdraw", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalWithdrawalInput,
    responses((status = 200, description = "The request as it stands now", body = OwnLegalLine)),
)]
#[post("/api/v1/me/legal-requests/{id}/withdrawals")]
pub async fn my_legal_request_withdraw(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalWithdrawalInput>,
) -> Result<Stored> {
    let (person, now, tools, id) = (guard.person(), platform.clock.now(), LegalTools::clone(&tools), id.0);
    let reason = body.body.reason;
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let case = asking::withdraw_in_tx(c, &tools, (person, id), reason.as_deref(), now, &mut beside)?;
        done(c, &tools, &case, beside)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// The answer to an act that left `case`, with what stands beside it written; the audit chain is last.
fn done(conn: &mut Conn, tools: &LegalTools, case: &Case, beside: Beside) -> Result<Stored> {
    let now = tools.clock.now();
    let line = OwnLegalLine::of(conn, case, now)?;
    beside.write_in_tx(conn, &tools.ids, now)?;
    Stored::done(case.version, &line)
}
