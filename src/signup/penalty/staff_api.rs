//! Judging what people say against their penalties.

use actix_web::web::Data;
use actix_web::{get, post};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::api::PenaltyView;
use super::content;
use super::model::{CLAIM, Decision, PenaltyState};
use super::store::{self, Case};
use crate::error::{Code, Error, Result};
use crate::ids::{PenaltyId, PersonId};
use crate::notify;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::PenaltyDecide;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::outbox;
use crate::platform::vault::mask;

/// A penalty as those see it who judge it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PenaltyCase {
    /// The penalty.
    #[serde(flatten)]
    pub penalty: PenaltyView,
    /// Whose.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
}

impl PenaltyCase {
    fn new(case: Case, now: chrono::DateTime<chrono::Utc>) -> Self {
        Self {
            person_id: case.penalty.person_id,
            name_masked: case.name.as_deref().map(mask::name),
            penalty: PenaltyView::new(case.penalty, case.activity, case.title, now),
        }
    }
}

/// A penalty with what its person says.
#[derive(Debug, Serialize, ToSchema)]
pub struct PenaltyFile {
    /// The penalty.
    #[serde(flatten)]
    pub case: PenaltyCase,
    /// In the person's own words; absent while they have said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub text: Option<String>,
}

/// Which penalties.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PenaltyQuery {
    /// In this state; those that wait for a decision by default.
    #[param(inline)]
    pub state: Option<PenaltyState>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List penalties of one's activities, oldest first / 列出待审申诉
///
/// Without what people say: that may be about their health, and is opened one by one.
#[utoipa::path(
    tag = "signup", operation_id = "penalty_list", security(("bearer" = ["penalty:decide"])), params(PenaltyQuery),
    responses((status = 200, description = "A page of penalties", body = Page<PenaltyCase>)),
)]
#[get("/api/v1/penalties")]
pub async fn penalty_list(
    platform: Data<Platform>,
    guard: Guard<PenaltyDecide>,
    query: ApiQuery<PenaltyQuery>,
) -> Result<Reply<Page<PenaltyCase>>> {
    let PenaltyQuery { state, limit, cursor } = query.0;
    let (now, state) = (platform.clock.now(), state.unwrap_or(PenaltyState::Contested));
    let page = PageQuery { limit, cursor };
    let patterns: Vec<String> = guard.scope().patterns().collect();
    let list = format!("penalties/{state}/{patterns:?}");
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |c| store::case_list(c, state, patterns, after, limit)).await?;
    let rows = platform.cursors.page(&list, &page, rows, |case| case.penalty.id)?;
    Ok(Reply::new(rows.map(|case| PenaltyCase::new(case, now))))
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ClaimRevealInput {}

/// Reveal what somebody says against a penalty; every time audited / 查看申诉内容（记入审计）
///
/// It changes nothing, so a repetition is a reading of its own, without an `Idempotency-Key`.
#[utoipa::path(
    tag = "signup", operation_id = "penalty_claim_reveal", security(("bearer" = ["penalty:decide"])),
    params(("id" = PenaltyId, Path, description = "The penalty")), request_body = ClaimRevealInput,
    responses((status = 200, description = "The penalty", body = PenaltyFile)),
)]
#[post("/api/v1/penalties/{id}/claim-reveals")]
pub async fn penalty_claim_reveal(
    platform: Data<Platform>,
    guard: Guard<PenaltyDecide>,
    id: ApiPath<PenaltyId>,
    _: ApiJson<ClaimRevealInput>,
) -> Result<Reply<PenaltyFile>> {
    let (actor, now, scope, vault, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.vault.clone(), id.0);
    let file = platform
        .db
        .write(move |c| {
            let case = store::case_get(c, id)?;
            scope.require(&case.path)?;
            let text = match &case.penalty.claim_sealed {
                Some(sealed) => {
                    let plain = vault.open(CLAIM, id.0.as_bytes(), sealed).map_err(Error::internal)?;
                    audit::append_in_tx(c, now, vec![Entry::new(actor, "penalty.claim_read", id)])?;
                    let people = (case.penalty.person_id, actor);
                    Some(content::shown(c, id, people, plain.expose_secret().to_owned())?)
                }
                None => None,
            };
            Ok(PenaltyFile { case: PenaltyCase::new(case, now), text })
        })
        .await?;
    Ok(Reply::new(file).secret())
}

/// What becomes of a contested penalty.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "waive", "reason": "情况属实"}))]
pub struct PenaltyDecisionInput {
    /// What becomes of it.
    pub decision: Decision,
    /// Told to the person. What they wrote is not to be repeated here: this text is not sealed.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Decide a contested penalty / 审定申诉
///
/// Once, and never one's own (`second_officer_required`).
#[utoipa::path(
    tag = "signup", operation_id = "penalty_decide", security(("bearer" = ["penalty:decide"])),
    params(("id" = PenaltyId, Path, description = "The penalty"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PenaltyDecisionInput,
    responses((status = 200, description = "The penalty, decided", body = PenaltyCase)),
)]
#[post("/api/v1/penalties/{id}/decisions")]
pub async fn penalty_decide(
    platform: Data<Platform>,
    guard: Guard<PenaltyDecide>,
    id: ApiPath<PenaltyId>,
    body: Idempotent<PenaltyDecisionInput>,
) -> Result<Stored> {
    let (actor, now, scope, ids, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.ids.clone(), id.0);
    let PenaltyDecisionInput { decision, reason } = body.body;
    let act = move |c: &mut Conn| {
        let case = store::case_get(c, id)?;
        scope.require(&case.path)?;
        if case.penalty.person_id == actor {
            return Err(Error::new(Code::SecondOfficer));
        }
        if !store::decide_in_tx(c, id, decision, &reason, actor, now)? {
            return Err(Error::new(Code::StateForbids)
                .detail("该记录没有待审申诉", "No appeal against this penalty waits for a decision"));
        }
        let case = store::case_get(c, id)?;
        outbox::enqueue_in_tx(c, &ids, now, vec![notify::jobs::job(&told(&case, decision, &reason), now)])?;
        let entry = Entry::new(actor, "penalty.decide", id).detail(json!({ "decision": decision }));
        audit::append_in_tx(c, now, vec![entry])?;
        Stored::done(case.penalty.version, &PenaltyCase::new(case, now))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

fn told(case: &Case, decision: Decision, reason: &str) -> Message {
    let outcome = match decision {
        Decision::Waive => "予以免除，不再计分",
        Decision::Uphold => "维持原记录",
    };
    Message {
        person: case.penalty.person_id,
        kind: NoticeKind::PenaltyDecided,
        subject: case.title.clone(),
        detail: format!("{outcome}。理由：{reason}"),
        link: "/api/v1/me/penalties".into(),
    }
}
