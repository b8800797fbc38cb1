//! Decisions over HTTP: one, and many.

use actix_web::post;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cover;
use super::deciding::{Deciding, Desk, Officer, Verdict};
use super::model::ReviewState;
use super::views::{self, ReviewView};
use crate::error::{Error, Result};
use crate::ids::ReviewId;
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::ReviewDecide;
use crate::platform::db::Conn;
use crate::platform::http::extract::RequestKey;
use crate::platform::http::{ApiPath, Idempotent, IfMatch, Reply, Stored};

crate::text_enum! {
    /// What is decided.
    pub enum ReviewDecision {
        /// 通过.
        Approve = "approve",
        /// 不通过.
        Reject = "reject",
        /// 退回补正.
        Return = "return",
    }
}

/// A decision.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "return", "reasons": ["papers_missing"], "missing": ["health"], "text": "请上传体检报告"}))]
pub struct ReviewDecisionInput {
    /// What.
    pub decision: ReviewDecision,
    /// Codes of the catalogue; at least one for a rejection or a return.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub reasons: Vec<String>,
    /// Everything that is missing, of a return: keys of the form.
    #[serde(default)]
    #[schema(max_items = 40)]
    pub missing: Vec<String>,
    /// For the applicant, in the officer's words.
    #[schema(max_length = 500)]
    pub text: Option<String>,
}

impl ReviewDecisionInput {
    fn deciding(self, review: ReviewId, version: i64) -> Deciding {
        let verdict = match self.decision {
            ReviewDecision::Approve => Verdict::Approve,
            ReviewDecision::Reject => Verdict::Reject,
            ReviewDecision::Return => Verdict::Return(self.missing),
        };
        Deciding { review, version, verdict, reasons: self.reasons, text: self.text }
    }
}

/// Decide a request at the stage that is one's own / 审定
///
/// An approval goes on to the next stage, or is final at the last one. A return names everything that is missing, once; a second
/// one needs the leave of a superior (`review_leave_needed`). `If-Match` names the version that was read: for another one the
/// answer is 412 with the request as it stands now in `current`.
#[utoipa::path(
    tag = "review", operation_id = "review_decide", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("If-Match" = String, Header, description = "The ETag of the request as it was read", max_length = 60),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReviewDecisionInput,
    responses((status = 200, description = "The request, decided", body = ReviewView)),
)]
#[post("/api/v1/reviews/{id}/decisions")]
pub async fn review_decide(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    version: IfMatch,
    body: Idempotent<ReviewDecisionInput>,
) -> Result<Stored> {
    let deciding = body.body.deciding(id.0, version.version());
    let stored = decide(&platform, &desk, &guard, body.key, deciding).await?;
    platform.jobs.ring();
    Ok(stored)
}

async fn decide(
    platform: &Platform,
    desk: &Desk,
    guard: &Guard<ReviewDecide>,
    key: RequestKey,
    deciding: Deciding,
) -> Result<Stored> {
    let (now, actor, desk) = (platform.clock.now(), guard.actor().clone(), desk.clone());
    let person = actor.person;
    let act = move |c: &mut Conn| {
        let officer = Officer { person: actor.person, rights: cover::rights(c, &actor, now)? };
        let mut beside = Beside::default();
        let review = desk.decide_in_tx(c, &officer, &deciding, now, &mut beside)?;
        let view = views::review(c, &review, now)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::done(review.version, &view)
    };
    platform.idempotency.run(person, key, act).await
}

/// One decision of many.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkItem {
    /// About which request.
    pub review_id: ReviewId,
    /// Of the version that was read.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub version: i64,
    /// What.
    pub decision: ReviewDecision,
    /// Codes of the catalogue; at least one for a rejection or a return.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub reasons: Vec<String>,
    /// Everything that is missing, of a return.
    #[serde(default)]
    #[schema(max_items = 40)]
    pub missing: Vec<String>,
    /// For the applicant.
    #[schema(max_length = 500)]
    pub text: Option<String>,
}

/// Decisions about many requests.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"items": [{"review_id": "rev_01k5b8m3q2e9t8h6y1v7z4w0xn", "version": 3, "decision": "approve"}]}))]
pub struct BulkInput {
    /// Each by itself: some may be decided and others refused.
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<BulkItem>,
}

/// What became of one decision of many.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkVerdict {
    /// About which request.
    pub review_id: ReviewId,
    /// Whether it was decided.
    pub decided: bool,
    /// Where the request stands, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ReviewState>,
    /// The code of the refusal, if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60, example = "precondition_failed")]
    pub code: Option<String>,
    /// The refusal, in Chinese.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub detail: Option<String>,
}

/// What became of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkReport {
    /// In the order of the items.
    #[schema(max_items = 50)]
    pub items: Vec<BulkVerdict>,
}

/// Decide many requests, each by itself / 批量审定
///
/// With the same guards as one decision, and a verdict for each. A repetition under the same key gives what was decided again and
/// judges anew what was refused.
#[utoipa::path(
    tag = "review", operation_id = "review_decide_many", security(("bearer" = ["review:decide"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = BulkInput,
    responses((status = 200, description = "A verdict for each", body = BulkReport)),
)]
#[post("/api/v1/review-decisions")]
pub async fn review_decide_many(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    body: Idempotent<BulkInput>,
) -> Result<Reply<BulkReport>> {
    let mut items = Vec::new();
    for (place, item) in body.body.items.into_iter().enumerate() {
        // Every row has a key of its own, made from the caller's: refusals of some do not keep others from being decided.
        let key = RequestKey {
            key: format!("{}/{place}", body.key.key),
            fingerprint: body.key.fingerprint.clone(),
        };
        let (id, version) = (item.review_id, item.version);
        let BulkItem { decision, reasons, missing, text, .. } = item;
        let deciding = ReviewDecisionInput { decision, reasons, missing, text }.deciding(id, version);
        items.push(match decide(&platform, &desk, &guard, key, deciding).await {
            Ok(stored) => BulkVerdict {
                review_id: id,
                decided: true,
                state: state_of(&stored)?,
                code: None,
                detail: None,
            },
            Err(error) if error.code().status().is_server_error() => return Err(error),
            Err(refusal) => BulkVerdict {
                review_id: id,
                decided: false,
                state: None,
                code: Some(refusal.code().as_str().to_owned()),
                detail: Some(
                    refusal.inner().detail.clone().unwrap_or_else(|| refusal.code().title()).zh.into_owned(),
                ),
            },
        });
    }
    platform.jobs.ring();
    Ok(Reply::new(BulkReport { items }))
}

fn state_of(stored: &Stored) -> Result<Option<ReviewState>> {
    #[derive(Deserialize)]
    struct Of {
        state: ReviewState,
    }
    let of: Of = serde_json::from_str(&stored.body).map_err(Error::internal)?;
    Ok(Some(of.state))
}
