//! A case goes on and ends: assigned, begun, terminated, annulled.

use actix_web::post;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::acts;
use super::api::run;
use super::views::LegalActView;
use crate::error::Result;
use crate::ids::{CaseId, PersonId};
use crate::legal_aid::LegalTools;
use crate::legal_aid::model::Ground;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalDecide, LegalWork};
use crate::platform::http::{ApiPath, Idempotent, IfMatch, Stored};

/// Whom to assign.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct LegalAssignInput {
    /// A lawyer, or an officer of the desk; also oneself.
    pub person_id: PersonId,
    /// Why others whose turn comes first are passed over.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub note: Option<String>,
}

/// Assign a lawyer or an officer / 指派承办人员
///
/// Refused with `legal_conflict` for whoever has to keep away; which kinds of ground is all that it says.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_assign", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalAssignInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/assignments")]
pub async fn legal_case_assign(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalAssignInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body);
    run(&platform, tools, (by, body.key), move |c, acting| {
        acts::assign_in_tx(c, acting, of, (input.person_id, input.note.as_deref()))
    })
    .await
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct LegalStartInput {}

/// Say that the work has begun / 开始办理
///
/// By whoever was assigned, or leads the case.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_start", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalStartInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/starts")]
pub async fn legal_case_start(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalStartInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let by = guard.person();
    run(&platform, tools, (by, body.key), move |c, acting| acts::start_in_tx(c, acting, of)).await
}

/// A termination.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ground": "other_counsel", "reasons": "受援人已于6月10日自行委托律师代理仲裁。"}))]
pub struct LegalTerminateInput {
    /// One of the eight of the law.
    pub ground: Ground,
    /// Why, in the officer's own words; it stands in the decision.
    #[schema(min_length = 10, max_length = 2000, pattern = r"\S")]
    pub reasons: String,
}

/// Terminate aid, in writing / 决定终止法律援助
///
/// On one of the eight grounds of article 48. The decision has the reasons and says how to object.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_terminate", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalTerminateInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/terminations")]
pub async fn legal_case_terminate(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalTerminateInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body);
    run(&platform, tools, (by, body.key), move |c, acting| {
        acts::terminate_in_tx(c, acting, of, input.ground, &input.reasons)
    })
    .await
}

/// Why an acceptance is annulled.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reasons": "同一事项此前已受理，本件系重复登记。"}))]
pub struct LegalAnnulInput {
    /// Why; it stands in the decision.
    #[schema(min_length = 10, max_length = 2000, pattern = r"\S")]
    pub reasons: String,
}

/// Annul an acceptance / 撤销受理
///
/// It should not have been: what it counted for is taken back.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_annul", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("If-Match" = String, Header, description = "The ETag of the case as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalAnnulInput,
    responses((status = 200, description = "The case as it stands now", body = LegalActView)),
)]
#[post("/api/v1/legal-cases/{id}/annulments")]
pub async fn legal_case_annul(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    version: IfMatch,
    body: Idempotent<LegalAnnulInput>,
) -> Result<Stored> {
    let (of, tools) = ((id.0, version.version()), LegalTools::clone(&tools));
    let (by, input) = (guard.person(), body.body);
    run(&platform, tools, (by, body.key), move |c, acting| acts::annul_in_tx(c, acting, of, &input.reasons))
        .await
}
