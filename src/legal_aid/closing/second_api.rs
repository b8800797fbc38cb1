//! Bringing a second officer into a team, over HTTP.

use actix_web::post;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::second;
use super::views::{CaseClosingView, view};
use crate::error::Result;
use crate::ids::{CaseId, PersonId};
use crate::legal_aid::LegalTools;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::LegalDecide;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Stored};

/// Who joins the team of a case.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct CaseDeputyInput {
    /// An officer of the desk.
    pub person_id: PersonId,
}

/// Bring a second officer into the team of a case / 增加协办人
///
/// Who checks the file, or asks on the return visit, must be another one than who reported. From then on they see the case. Whoever has to
/// keep away is refused (`legal_conflict`).
#[utoipa::path(
    tag = "legal", operation_id = "legal_deputy_join", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CaseDeputyInput,
    responses((status = 200, description = "How far the end of the case is", body = CaseClosingView)),
)]
#[post("/api/v1/legal-cases/{id}/deputies")]
pub async fn legal_deputy_join(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<CaseDeputyInput>,
) -> Result<Stored> {
    let (person, now, tools, id) = (guard.person(), platform.clock.now(), LegalTools::clone(&tools), id.0);
    let deputy = body.body.person_id;
    let act = move |c: &mut Conn| {
        let (case, beside) = second::join_in_tx(c, &tools, person, id, deputy, now)?;
        let body = view(c, &tools.vault, id, case.state, now)?;
        beside.write_in_tx(c, &tools.ids, now)?;
        Stored::done(0, &body)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
