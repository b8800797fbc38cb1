//! The desk over HTTP: the queue, one request, who works at it. Decisions are in `decision_api.rs`.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::chain::ReviewKind;
use super::deciding::{self, Desk, Officer};
use super::model::{EventKind, ReasonFor, Review, Waits};
use super::queue::{self, ClaimFilter, Filter};
use super::rules::Urgency;
use super::views::{self, QueueLine, ReasonView, ReviewFile, ReviewView};
use super::{content, cover, machine, seats, stages, store};
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PersonId, ReviewId, StageId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::Platform;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::ReviewDecide;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::policy;

/// The officer that the caller is, in every seat.
pub(super) fn officer(conn: &mut Conn, guard: &Guard<ReviewDecide>, now: DateTime<Utc>) -> Result<Officer> {
    Ok(Officer { person: guard.person(), rights: cover::rights(conn, guard.actor(), now)? })
}

/// What of the queue.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// Only at this organisation and below; everything that is the caller's by default.
    #[param(inline)]
    pub organisation: Option<OrganisationId>,
    /// Only at the bodies themselves, not below them.
    pub own: Option<bool>,
    /// For whom it waits: the desk by default.
    #[param(inline)]
    pub waits: Option<Waits>,
    /// What it is about.
    #[param(inline)]
    pub kind: Option<ReviewKind>,
    /// Who works at it.
    #[param(inline)]
    pub claimed: Option<ClaimFilter>,
    /// How urgent it is.
    #[param(inline)]
    pub urgency: Option<Urgency>,
    /// The applicant's whole name or phone number, or the id of a request.
    #[param(min_length = 2, max_length = 60)]
    pub q: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List what waits for a decision, the most urgent first / 待办列表
///
/// What waits at the caller's bodies and at all below them, and at those whose officers have delegated to the caller.
#[utoipa::path(
    tag = "review", operation_id = "review_queue", security(("bearer" = ["review:decide"])), params(QueueQuery),
    responses((status = 200, description = "A page of the queue", body = Page<QueueLine>)),
)]
#[get("/api/v1/reviews")]
pub async fn review_queue(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    query: ApiQuery<QueueQuery>,
) -> Result<Reply<Page<QueueLine>>> {
    let (now, actor, query) = (platform.clock.now(), guard.person(), query.0);
    let page = PageQuery { limit: query.limit, cursor: query.cursor.clone() };
    let list = format!("reviews/{actor}/{:?}", QueueQuery { limit: None, cursor: None, ..query.clone() });
    let after: Option<(NaiveDateTime, StageId)> = platform.cursors.open(&list, &page)?;
    let (limit, vault) = (page.limit() + 1, platform.vault.clone());
    let rows = platform
        .db
        .read(move |c| {
            let officer = officer(c, &guard, now)?;
            let filter = filter(c, &vault, &officer, &query)?;
            queue::page(c, &filter, actor, after, limit, now)
        })
        .await?;
    let page =
        platform.cursors.page(&list, &page, rows, |line| (line.queued.due_at, line.queued.stage_id))?;
    Ok(Reply::new(page.map(|line| QueueLine::new(line, now))))
}

fn filter(
    conn: &mut Conn,
    vault: &crate::platform::vault::Vault,
    officer: &Officer,
    query: &QueueQuery,
) -> Result<Filter> {
    let mut filter = Filter {
        at: queue::roots(&officer.rights),
        own: query.own.unwrap_or(false),
        waits: query.waits,
        kind: query.kind,
        claim: query.claimed,
        urgency: query.urgency,
        ..Filter::default()
    };
    if filter.own {
        // Every body by itself, also one below another.
        filter.at = officer.rights.iter().map(|right| right.organisation).collect();
        filter.at.sort();
        filter.at.dedup();
    }
    if let Some(wanted) = query.organisation {
        // What lies elsewhere has no queue for them.
        let body = store::bodies(conn, &[wanted])?.remove(&wanted);
        let is_seen = body.is_some_and(|body| officer.sees(&[body.path]));
        filter.at = if is_seen { vec![wanted] } else { Vec::new() };
    }
    if let Some(text) = query.q.as_deref().map(str::trim) {
        match text.parse::<ReviewId>() {
            Ok(id) => filter.review = Some(id),
            Err(_) => filter.applicants = Some(queue::people_named(conn, vault, text)?),
        }
    }
    Ok(filter)
}

/// How much waits, of one kind.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CountView {
    /// What it is about.
    pub kind: ReviewKind,
    /// For whom it waits.
    pub waits: Waits,
    /// How urgent it is.
    pub urgency: Urgency,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub number: i64,
    /// When the first of them is due.
    pub first_due_at: DateTime<Utc>,
}

/// The board of the officer on duty.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Board {
    /// What waits, by kind, by whom it waits for, and by urgency.
    #[schema(max_items = 60)]
    pub counts: Vec<CountView>,
    /// Years of which the calendar of working days is not known: due times in them are by plain weeks.
    #[schema(max_items = 10)]
    pub unknown_years: Vec<i32>,
}

/// Count what waits, by kind and urgency / 待办统计
#[utoipa::path(
    tag = "review", operation_id = "review_counts", security(("bearer" = ["review:decide"])),
    responses((status = 200, description = "The board", body = Board)),
)]
#[get("/api/v1/review-counts")]
pub async fn review_counts(platform: Data<Platform>, guard: Guard<ReviewDecide>) -> Result<Reply<Board>> {
    let now = platform.clock.now();
    let board = platform
        .db
        .read(move |c| {
            let officer = officer(c, &guard, now)?;
            let counts = queue::counts(c, &queue::roots(&officer.rights), now)?;
            let counts = counts
                .into_iter()
                .map(|count| CountView {
                    kind: count.kind,
                    waits: count.waits,
                    urgency: count.urgency,
                    number: count.number,
                    first_due_at: count.first_due.and_utc(),
                })
                .collect();
            Ok(Board { counts, unknown_years: super::clocks::unknown_years(c, now)? })
        })
        .await?;
    Ok(Reply::new(board))
}

/// For which reasons.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReasonQuery {
    /// What is decided about.
    #[param(inline)]
    pub kind: ReviewKind,
    /// For which decision.
    #[param(inline)]
    pub decision: ReasonFor,
}

/// The catalogue of reasons.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReasonList {
    /// In the order of their codes.
    #[schema(max_items = 200)]
    pub items: Vec<ReasonView>,
}

/// List the reasons for a decision, with what they rest on / 理由目录
#[utoipa::path(
    tag = "review", operation_id = "review_reasons", security(("bearer" = ["review:decide"])), params(ReasonQuery),
    responses((status = 200, description = "The catalogue", body = ReasonList)),
)]
#[get("/api/v1/review-reasons")]
pub async fn review_reasons(
    platform: Data<Platform>,
    _: Guard<ReviewDecide>,
    query: ApiQuery<ReasonQuery>,
) -> Result<Reply<ReasonList>> {
    let ReasonQuery { kind, decision } = query.0;
    let rows = platform.db.read(move |c| store::reasons(c, kind)).await?;
    let items = rows.iter().filter(|row| row.decision == decision).map(ReasonView::from).collect();
    Ok(Reply::new(ReasonList { items }))
}

/// Read a request without its file / 查看申请（不含材料）
///
/// The ETag's version is what a decision names.
#[utoipa::path(
    tag = "review", operation_id = "review_get", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request")),
    responses((status = 200, description = "The request", body = ReviewView)),
)]
#[get("/api/v1/reviews/{id}")]
pub async fn review_get(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
) -> Result<Reply<ReviewView>> {
    let (now, id) = (platform.clock.now(), id.0);
    let view = platform
        .db
        .read(move |c| {
            let officer = officer(c, &guard, now)?;
            let row = seen(c, &officer, id)?;
            views::review(c, &row, now)
        })
        .await?;
    let version = view.version;
    Ok(Reply::new(view).version(version))
}

/// The review `id`, or 404 for who has nothing to do with it.
pub(super) fn seen(conn: &mut Conn, officer: &Officer, id: ReviewId) -> Result<Review> {
    let row = store::get(conn, id)?;
    let all = stages::of(conn, id)?;
    if officer.sees(&deciding::paths(conn, &all)?) { Ok(row) } else { Err(Error::not_found()) }
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ReadingInput {}

/// Open a request's file: answers and what was written; every time audited / 调阅材料（记入审计）
///
/// It changes nothing, so a repetition is a reading of its own, without an `Idempotency-Key`. Refused with `review_recused` to
/// whoever may not decide about it.
#[utoipa::path(
    tag = "review", operation_id = "review_read", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request")), request_body = ReadingInput,
    responses((status = 200, description = "The request with its file", body = ReviewFile)),
)]
#[post("/api/v1/reviews/{id}/readings")]
pub async fn review_read(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    _: ApiJson<ReadingInput>,
) -> Result<Reply<ReviewFile>> {
    let (now, id, desk) = (platform.clock.now(), id.0, Desk::clone(&desk));
    let file = platform
        .db
        .write(move |c| {
            let officer = officer(c, &guard, now)?;
            let row = seen(c, &officer, id)?;
            let all = stages::of(c, id)?;
            seats::unbarred(c, &officer, &row, &all)?;
            let mut file = views::file(c, &desk, &row, now)?;
            content::keep_back(c, &row, &mut file.form)?;
            audit::append_in_tx(c, now, vec![Entry::new(officer.person, "review.read", id)])?;
            Ok(file)
        })
        .await?;
    Ok(Reply::new(file).secret())
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ReviewClaimInput {}

/// Work at a request: nobody else decides it meanwhile / 领取
///
/// For a few hours, or until it is decided. Refused with `review_claimed` while somebody else does.
#[utoipa::path(
    tag = "review", operation_id = "review_claim", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReviewClaimInput,
    responses((status = 200, description = "The request", body = ReviewView)),
)]
#[post("/api/v1/reviews/{id}/claims")]
pub async fn review_claim(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    body: Idempotent<ReviewClaimInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let (review, all) = desk.locked_in_tx(c, &officer, id)?;
        machine::live(review.state)?;
        let (stage, _) = desk.stage_of(c, &officer, &review, &all, now)?;
        let hours = policy::store::number_on(c, "review.claim_hours", crate::clock::civil_day(now))?;
        if !stages::claim_in_tx(c, &stage, actor, Some(now + chrono::TimeDelta::hours(hours)), now)? {
            return Err(Error::new(Code::ReviewClaimed));
        }
        audit::append_in_tx(c, now, vec![Entry::new(actor, "review.claim", id)])?;
        Stored::done(review.version, &views::review(c, &review, now)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Who is to work at a request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct AssignmentInput {
    /// Somebody who may decide it.
    pub person_id: PersonId,
}

/// Give a request to somebody to decide / 指派
///
/// By whoever may decide at the body, or by a superior. It does not lapse, and takes the place of a claim.
#[utoipa::path(
    tag = "review", operation_id = "review_assign", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = AssignmentInput,
    responses((status = 200, description = "The request", body = ReviewView)),
)]
#[post("/api/v1/reviews/{id}/assignments")]
pub async fn review_assign(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    body: Idempotent<AssignmentInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let to = body.body.person_id;
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let (review, all) = desk.locked_in_tx(c, &officer, id)?;
        machine::live(review.state)?;
        let stage = desk.assignable(c, &officer, (&review, &all), to, now)?;
        stages::claim_in_tx(c, &stage, to, None, now)?;
        stages::note_in_tx(c, &desk.ids, id, Some(stage.id), EventKind::Assigned, Some(actor), now)?;
        let mut beside = Beside::default();
        beside.messages.push(Message {
            person: to,
            kind: NoticeKind::ReviewAssigned,
            subject: review.title.clone(),
            detail: String::new(),
            link: format!("/api/v1/reviews/{id}"),
        });
        let detail = json!({ "to": to, "stage": stage.id });
        beside.entries.push(Entry::new(actor, "review.assign", id).detail(detail));
        let view = views::review(c, &review, now)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::done(review.version, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
