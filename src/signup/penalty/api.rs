//! One's own penalties, and what one says against them.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content;
use super::model::{CLAIM, Ground, Penalty, PenaltyKind, PenaltyState};
use super::{rules, store};
use crate::content::checking::Checks;
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, PenaltyId, SignupId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, PageQuery, Reply, Stored};

/// What a late cancellation or a no-show weighs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PenaltyView {
    /// Its id.
    pub id: PenaltyId,
    /// Of which sign-up.
    pub signup_id: SignupId,
    /// Of which activity.
    pub activity_id: ActivityId,
    /// Of which activity.
    #[schema(max_length = 120, example = "电工技能提升班（平湖）")]
    pub activity_title: String,
    /// What for.
    pub kind: PenaltyKind,
    /// In points.
    #[schema(minimum = 1, maximum = 100)]
    pub weight: i64,
    /// Where in its life it is.
    pub state: PenaltyState,
    /// Whether it weighs now.
    pub weighs: bool,
    /// When it was given.
    pub given_at: DateTime<Utc>,
    /// Until when it weighs, unless it is waived.
    pub weighs_until: DateTime<Utc>,
    /// Why one could not come, as one said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// When one said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// Why it was decided so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub decision_reason: Option<String>,
}

impl PenaltyView {
    /// The penalty from the activity with `title`, as it is at `now`.
    pub fn new(row: Penalty, activity: ActivityId, title: String, now: DateTime<Utc>) -> Self {
        Self {
            weighs: row.weighs(now),
            id: row.id,
            signup_id: row.signup_id,
            activity_id: activity,
            activity_title: title,
            kind: row.kind,
            weight: row.weight,
            state: row.state,
            given_at: row.given_at.and_utc(),
            weighs_until: row.expires_at.and_utc(),
            ground: row.ground,
            claimed_at: row.claimed_at.map(|at| at.and_utc()),
            decided_at: row.decided_at.map(|at| at.and_utc()),
            decision_reason: row.decision,
        }
    }
}

/// One's penalties, and what they mean.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyPenaltiesView {
    /// What weighs now, in points.
    #[schema(minimum = 0, maximum = 100_000)]
    pub points: i64,
    /// What that means for the next sign-up, in Chinese.
    #[schema(max_length = 200, example = "目前不影响报名。")]
    pub meaning: String,
    /// Penalties, newest first.
    #[schema(max_items = 100)]
    pub items: Vec<PenaltyView>,
    /// Give this as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub next: Option<String>,
}

/// List one's penalties and what they mean / 列出本人信用记录
#[utoipa::path(
    tag = "me", operation_id = "my_penalty_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of penalties", body = MyPenaltiesView)),
)]
#[get("/api/v1/me/penalties")]
pub async fn my_penalty_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<MyPenaltiesView>> {
    let (person, now) = (guard.person(), platform.clock.now());
    let list = format!("penalties/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let (rows, points, terms) = platform
        .db
        .read(move |c| {
            let points = store::points(c, &[person], now)?.remove(&person).unwrap_or(0);
            Ok((store::list_own(c, person, before, limit)?, points, store::terms(c, now)?))
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.0.id)?;
    let page = page.map(|(row, activity, title)| PenaltyView::new(row, activity, title, now));
    let meaning = rules::meaning(rules::delay(points, &terms));
    Ok(Reply::new(MyPenaltiesView { points, meaning, items: page.items, next: page.next }))
}

/// What one says against a penalty.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ground": "illness", "text": "当日发热就医，有医院证明。"}))]
pub struct AppealInput {
    /// Why.
    pub ground: Ground,
    /// In one's own words. Kept sealed; shown only to those who judge it.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub text: String,
}

/// Appeal against a penalty of one's own / 对信用记录提出申诉
///
/// Until it is decided, the penalty weighs nothing. Refused with `state_forbids` when it was decided, is over, or an appeal is
/// waiting already.
#[utoipa::path(
    tag = "me", operation_id = "penalty_appeal", security(("bearer" = ["self"])),
    params(("id" = PenaltyId, Path, description = "The penalty"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = AppealInput,
    responses((status = 200, description = "The penalty, contested", body = PenaltyView)),
)]
#[post("/api/v1/penalties/{id}/appeals")]
pub async fn penalty_appeal(
    platform: Data<Platform>,
    checks: Data<Checks>,
    guard: Guard<OwnData>,
    id: ApiPath<PenaltyId>,
    body: Idempotent<AppealInput>,
) -> Result<Stored> {
    let checks = Checks::clone(&checks);
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let AppealInput { ground, text } = body.body;
    let act = move |c: &mut Conn| {
        store::get_own(c, id, person)?;
        let sealed = vault.seal(CLAIM, id.0.as_bytes(), &text).map_err(Error::internal)?;
        if !store::contest_in_tx(c, (id, person), ground, &sealed, now)? {
            return Err(Error::new(Code::StateForbids)
                .detail("该记录已不能申诉", "This penalty cannot be appealed against any more"));
        }
        content::ask_in_tx(c, &checks, id, person, now)?;
        let (row, activity, title) = store::get_own(c, id, person)?;
        audit::append_in_tx(c, now, vec![Entry::new(person, "penalty.appeal", id)])?;
        Stored::done(row.version, &PenaltyView::new(row, activity, title, now))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
