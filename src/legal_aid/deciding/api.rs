//! Cases over HTTP for their team: reading them, and deciding about requests.

use actix_web::web::Data;
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acts::{self, Acted, Acting};
use super::reasons::RefusalReason;
use super::supplements::Wanted;
use super::views::{LegalActView, LegalCaseLine, LegalCaseView};
use crate::error::Result;
use crate::ids::{CaseId, PersonId};
use crate::legal_aid::LegalTools;
use crate::legal_aid::model::{Case, TeamRole};
use crate::legal_aid::{desk, team};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalDecide, LegalWork};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::extract::RequestKey;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored};

/// List the cases of whose team one is, newest first / 列出本人承办的案件
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_list", security(("bearer" = ["legal:work"])), params(PageQuery),
    responses((status = 200, description = "A page of cases", body = Page<LegalCaseLine>)),
)]
#[get("/api/v1/legal-cases")]
pub async fn legal_case_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<LegalCaseLine>>> {
    let (now, person) = (platform.clock.now(), guard.person());
    let list = format!("legal-cases/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let cases = desk::cases_of(c, person, before, limit)?;
            let ids: Vec<CaseId> = cases.iter().map(|(case, _)| case.id).collect();
            let clocks = desk::first_due(c, &ids)?;
            let line = |(case, role): (Case, TeamRole)| {
                let clock = clocks.get(&case.id);
                LegalCaseLine::new(case, role, clock, now)
            };
            Ok(cases.into_iter().map(line).collect::<Vec<_>>())
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, rows, |line| line.id)?))
}

/// Read a case of whose team one is; every time audited / 查看案件（记入审计）
///
/// The ETag's version is what acts name. Whoever is not of the team is told `not_found`, as of a case that is not there.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_get", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")),
    responses((status = 200, description = "The case", body = LegalCaseView)),
)]
#[get("/api/v1/legal-cases/{id}")]
pub async fn legal_case_get(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
) -> Result<Reply<LegalCaseView>> {
    let (now, person, vault, id) = (platform.clock.now(), guard.person(), platform.vault.clone(), id.0);
    let view = platform
        .db
        .write(move |c| {
            let case = team::admitted(c, person, id, now)?.case;
            let view = LegalCaseView::of(c, &vault, case, now)?;
            audit::append_in_tx(c, now, vec![Entry::new(person, "legal_case.read", id)])?;
            Ok(view)
        })
        .await?;
    let version = view.version;
    Ok(Reply::new(view).version(version))
}

/// A reason of the catalogue.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalReasonView {
    /// Its code.
    pub code: RefusalReason,
    /// As it stands in a decision.
    #[schema(max_length = 120)]
    pub text: &'static str,
    /// What it rests on.
    #[schema(max_length = 120)]
    pub basis: &'static str,
}

/// The catalogue.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalReasonList {
    /// Every reason for which aid may be refused.
    #[schema(max_items = 50)]
    pub items: Vec<LegalReasonView>,
}

/// List the reasons for which aid may be refused / 不予援助的理由目录
#[utoipa::path(
    tag = "legal", operation_id = "legal_reason_list", security(("bearer" = ["legal:decide"])),
    responses((status = 200, description = "The catalogue", body = LegalReasonList)),
)]
#[get("/api/v1/legal-reasons")]
pub async fn legal_reason_list(_: Guard<LegalDecide>) -> Result<Reply<LegalReasonList>> {
    let all = RefusalReason::ALL.iter().copied();
    let items = all.map(|code| LegalReasonView { code, text: code.zh(), basis: code.basis() }).collect();
    Ok(Reply::new(LegalReasonList { items }))
}

/// Runs an act of `by` under its key, and answers how the case stands then.
pub(super) async fn run(
    platform: &Platform,
    tools: LegalTools,
    (by, key): (PersonId, RequestKey),
    act: impl Fn(&mut Conn, &mut Acting<'_>) -> Result<Acted> + Send + Sync + 'static,
) -> Result<Stored> {
    let now = platform.clock.now();
    let whole = move |c: &mut Conn| {
        let mut acting = Acting::new(&tools, by, now);
        let acted = act(c, &mut acting)?;
        acting.end_in_tx(c)?;
        Stored::done(acted.case.version, &LegalActView::from(&acted))
    };
    let stored = platform.idempotency.run(by, key, whole).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// What is missing.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"missing": ["2025年1月至3月的工资条", "解除劳动合同的通知"], "note": "没有工资条的，可以提供银行流水。"}))]
pub struct LegalNoticeInput {
    /// Everything that is missing, each thing by itself: it is said once.
    #[schema(min_items = 1, max_items = 20)]
    pub missing: Vec<String>,
    /// What else there is to say.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub note: Option<String>,
}

impl LegalNoticeInput {
    fn wanted(self) -> Result<Wanted> {
        Wanted { items: self.missing, note: self.note }.checked("/missing")
    }
}

/// Say what is missing, once and all of it / 一次性告知补充材料
///
/// The term for deciding stands until it is supplied. Refused with `legal_noticed` for a second time.
#[utoipa::path(
    tag = "legal", operation_id = "legal_notice_give", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalNoticeInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/supplement-notices")]
pub async fn legal_notice_give(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalNoticeInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body.wanted()?);
    run(&platform, tools, (by, body.key), move |c, acting| acts::notice_in_tx(c, acting, of, &input)).await
}

/// Why aid comes first, and what is to be brought afterwards.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"missing": ["身份证明"], "reasons": "仲裁时效即将届满。"}))]
pub struct LegalProvisionalInput {
    /// Papers that are to be brought afterwards.
    #[serde(default)]
    #[schema(max_items = 20, required = false)]
    pub missing: Vec<String>,
    /// Why it cannot wait; required where its dates do not say so.
    #[schema(min_length = 2, max_length = 500, pattern = r"\S")]
    pub reasons: Option<String>,
}

impl LegalProvisionalInput {
    fn wanted(self) -> Result<Wanted> {
        Wanted { items: self.missing, note: self.reasons }.checked("/missing")
    }
}

/// Give aid first, papers later / 先行提供法律援助
///
/// Where waiting would cost the applicant a right: the request is accepted, and a term for papers begins.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_provide", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalProvisionalInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/provisional-aids")]
pub async fn legal_case_provide(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalProvisionalInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body.wanted()?);
    run(&platform, tools, (by, body.key), move |c, acting| acts::provide_in_tx(c, acting, of, &input)).await
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct LegalPapersInput {}

/// Say that the papers are there / 确认补办的材料已齐全
///
/// Of a case in which aid came first. Refused with `state_forbids` where none are waited for.
#[utoipa::path(
    tag = "legal", operation_id = "legal_papers_confirm", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalPapersInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/paper-receipts")]
pub async fn legal_papers_confirm(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalPapersInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let by = guard.person();
    run(&platform, tools, (by, body.key), move |c, acting| acts::papers_in_tx(c, acting, of)).await
}

/// An acceptance.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct LegalAcceptInput {
    /// What the decision says besides, if anything.
    #[schema(min_length = 2, max_length = 2000, pattern = r"\S")]
    pub reasons: Option<String>,
}

/// Accept a request / 决定给予法律援助
///
/// It becomes a case with a number, counts for the plan, and somebody has to be assigned within three days.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_accept", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalAcceptInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/acceptances")]
pub async fn legal_case_accept(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalAcceptInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body);
    run(&platform, tools, (by, body.key), move |c, acting| {
        acts::accept_in_tx(c, acting, of, input.reasons.as_deref())
    })
    .await
}

/// A refusal.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reasons": ["out_of_scope"], "text": "申请事项是借款纠纷，与劳动关系无关。"}))]
pub struct LegalRefuseInput {
    /// Codes of `legal_reason_list`.
    #[schema(min_items = 1, max_items = 7)]
    pub reasons: Vec<RefusalReason>,
    /// Why, in the officer's own words; it stands in the decision.
    #[schema(min_length = 10, max_length = 2000, pattern = r"\S")]
    pub text: String,
}

/// Refuse aid, in writing / 决定不予法律援助
///
/// The decision has the reasons and says how to object.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_refuse", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalRefuseInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/refusals")]
pub async fn legal_case_refuse(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalRefuseInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body);
    run(&platform, tools, (by, body.key), move |c, acting| {
        acts::refuse_in_tx(c, acting, of, &input.reasons, &input.text)
    })
    .await
}
