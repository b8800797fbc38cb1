//! One's own requests over HTTP: where they stand, what is missing, withdrawing and appealing.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::chain::{Answers, ReviewKind};
use super::deciding::Desk;
use super::model::{Review, ReviewState};
use super::store;
use super::views::{self, MyReviewView};
use crate::error::{Error, Result};
use crate::ids::ReviewId;
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::db::Conn;
use crate::platform::http::extract::RequestKey;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A request of one's own, in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MyReviewLine {
    /// Its id.
    pub id: ReviewId,
    /// What it is about.
    pub kind: ReviewKind,
    /// For people.
    #[schema(max_length = 140, example = "清远疗休养（平湖）")]
    pub title: String,
    /// Where in its life it is.
    pub state: ReviewState,
    /// Until when one may supply what is missing, of one that was returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplement_due_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// What it appeals against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appeal_of: Option<ReviewId>,
}

impl From<Review> for MyReviewLine {
    fn from(row: Review) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            title: row.title,
            state: row.state,
            supplement_due_at: row.supplement_due_at.map(|at| at.and_utc()),
            opened_at: row.opened_at.and_utc(),
            decided_at: row.decided_at.map(|at| at.and_utc()),
            appeal_of: row.appeal_of,
        }
    }
}

/// List one's requests, newest first / 列出本人的申请
#[utoipa::path(
    tag = "me", operation_id = "my_review_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of requests", body = Page<MyReviewLine>)),
)]
#[get("/api/v1/me/reviews")]
pub async fn my_review_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<MyReviewLine>>> {
    let person = guard.person();
    let list = format!("my-reviews/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| store::own(c, person, before, limit)).await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(MyReviewLine::from)))
}

/// Read a request of one's own: where it stands, what comes next and by when / 查看本人的申请进度
#[utoipa::path(
    tag = "me", operation_id = "my_review_get", security(("bearer" = ["self"])),
    params(("id" = ReviewId, Path, description = "The request")),
    responses((status = 200, description = "The request with its file", body = MyReviewView)),
)]
#[get("/api/v1/me/reviews/{id}")]
pub async fn my_review_get(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    id: ApiPath<ReviewId>,
) -> Result<Reply<MyReviewView>> {
    let (now, person, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let view = platform
        .db
        .read(move |c| {
            let row = store::get(c, id)?;
            if row.applicant_id != person {
                return Err(Error::not_found());
            }
            views::mine(c, &desk, &row, now)
        })
        .await?;
    let version = view.file.review.version;
    Ok(Reply::new(view).version(version))
}

/// What was missing.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"form": {"health": "yes"}}))]
pub struct SupplementInput {
    /// The missing fields, all of them, and no others.
    #[schema(schema_with = super::form::schema)]
    pub form: Answers,
}

/// Supply what is missing / 补正
///
/// All fields that were named as missing, at once. The clock of the desk runs on.
#[utoipa::path(
    tag = "me", operation_id = "my_review_supplement", security(("bearer" = ["self"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SupplementInput,
    responses((status = 200, description = "The request, under review again", body = MyReviewLine)),
)]
#[post("/api/v1/me/reviews/{id}/supplements")]
pub async fn my_review_supplement(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    id: ApiPath<ReviewId>,
    body: Idempotent<SupplementInput>,
) -> Result<Stored> {
    let form = body.body.form;
    act(&platform, &desk, &guard, id.0, body.key, move |desk, c, review, now, beside| {
        desk.supplement_in_tx(c, review, &form, now, beside)
    })
    .await
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct WithdrawInput {}

/// Withdraw a request / 撤回申请
#[utoipa::path(
    tag = "me", operation_id = "my_review_withdraw", security(("bearer" = ["self"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = WithdrawInput,
    responses((status = 200, description = "The request, withdrawn", body = MyReviewLine)),
)]
#[post("/api/v1/me/reviews/{id}/withdrawals")]
pub async fn my_review_withdraw(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    id: ApiPath<ReviewId>,
    body: Idempotent<WithdrawInput>,
) -> Result<Stored> {
    act(&platform, &desk, &guard, id.0, body.key, |desk, c, review, now, beside| {
        desk.withdraw_in_tx(c, review, now, beside)
    })
    .await
}

/// Why a rejection is wrong.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "本人2024年未参加过疗休养，记录有误。"}))]
pub struct ReviewAppealInput {
    /// In one's own words.
    #[schema(min_length = 2, max_length = 500, pattern = r"\S")]
    pub text: String,
}

/// Appeal against a rejection / 申诉
///
/// Once, within the time that the rejection named (`review_appeal_over` otherwise). The body above decides, by somebody who has not
/// decided about it before. The answer is the appeal, a request of its own.
#[utoipa::path(
    tag = "me", operation_id = "my_review_appeal", security(("bearer" = ["self"])),
    params(("id" = ReviewId, Path, description = "The rejected request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReviewAppealInput,
    responses((status = 201, description = "The appeal", body = MyReviewLine)),
)]
#[post("/api/v1/me/reviews/{id}/appeals")]
pub async fn my_review_appeal(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<OwnData>,
    id: ApiPath<ReviewId>,
    body: Idempotent<ReviewAppealInput>,
) -> Result<Stored> {
    let text = body.body.text;
    act(&platform, &desk, &guard, id.0, body.key, move |desk, c, review, now, beside| {
        desk.appeal_in_tx(c, review, &text, now, beside)
    })
    .await
}

/// Runs an act of the applicant about their own request, and says what it left: 201 for a request that is new. The answer is kept
/// for repetitions, so it has nothing of the file.
async fn act<F>(
    platform: &Platform,
    desk: &Desk,
    guard: &Guard<OwnData>,
    id: ReviewId,
    key: RequestKey,
    act: F,
) -> Result<Stored>
where
    F: Fn(&Desk, &mut Conn, &Review, DateTime<Utc>, &mut Beside) -> Result<Review> + Send + Sync + 'static,
{
    let (now, person, desk) = (platform.clock.now(), guard.person(), desk.clone());
    let run = move |c: &mut Conn| {
        let review = desk.own_locked_in_tx(c, id, person)?;
        let mut beside = Beside::default();
        let after = act(&desk, c, &review, now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        let (new, version) = (after.id, after.version);
        let line = MyReviewLine::from(after);
        if new == id {
            Stored::done(version, &line)
        } else {
            Stored::created(format!("/api/v1/me/reviews/{new}"), version, &line)
        }
    };
    let stored = platform.idempotency.run(person, key, run).await?;
    platform.jobs.ring();
    Ok(stored)
}
