//! What the applicant thinks of how their case was handled.

use actix_web::post;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::acts;
use super::views::SatisfactionView;
use crate::error::Result;
use crate::ids::CaseId;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Stored};

/// What one thinks.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"score": 5, "text": "律师很耐心，工资已经拿到。"}))]
pub struct SatisfactionInput {
    /// 1 (very dissatisfied) to 5 (very satisfied).
    #[schema(minimum = 1, maximum = 5)]
    pub score: i64,
    /// In one's own words.
    #[schema(min_length = 1, max_length = 500)]
    pub text: Option<String>,
}

/// Say how satisfied one is with how one's case was handled / 评价法律援助服务
///
/// Of a case that was closed or terminated, once. The team of the case reads it.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_satisfaction_give", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SatisfactionInput,
    responses((status = 200, description = "What one said", body = SatisfactionView)),
)]
#[post("/api/v1/me/legal-requests/{id}/satisfactions")]
pub async fn my_legal_satisfaction_give(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<SatisfactionInput>,
) -> Result<Stored> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let SatisfactionInput { score, text } = body.body;
    let act = move |c: &mut Conn| {
        let (row, entry) = acts::satisfy_in_tx(c, &vault, person, id, (score, text.as_deref()), now)?;
        audit::append_in_tx(c, now, vec![entry])?;
        Stored::done(0, &SatisfactionView::new(&row, &vault)?)
    };
    platform.idempotency.run(person, body.key, act).await
}
