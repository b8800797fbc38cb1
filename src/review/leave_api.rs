//! Leaves for a second return over HTTP: the officer at the stage asks, a superior decides.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::officer;
use super::deciding::Desk;
use super::leave::{self, Asked};
use super::model::{EventKind, Leave, LeaveState, ReviewState, StageState};
use super::{seats, stages};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{LeaveId, OrganisationId, PersonId, ReviewId, StageId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::Platform;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::ReviewDecide;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;

/// A leave to return a request again.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeaveView {
    /// Its id.
    pub id: LeaveId,
    /// Of which request.
    pub review_id: ReviewId,
    /// What the request is about, for people.
    #[schema(max_length = 140, example = "清远疗休养（平湖）")]
    pub title: String,
    /// At which stage.
    pub stage_id: StageId,
    /// Whose stage it is.
    pub body_id: OrganisationId,
    /// Whose stage it is.
    #[schema(max_length = 60, example = "平湖街道")]
    pub body_name: String,
    /// How often the request was returned before.
    #[schema(minimum = 0, maximum = 1000)]
    pub returns: i64,
    /// Why it is to be returned again.
    #[schema(max_length = 200, example = "补交的体检报告缺最后一页")]
    pub reason: String,
    /// Where in its life it is.
    pub state: LeaveState,
    /// Who asks.
    pub asked_by: PersonId,
    /// Who asks, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "李*")]
    pub asked_by_masked: Option<String>,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<Asked> for LeaveView {
    fn from(asked: Asked) -> Self {
        let Asked { leave, review, stage, body, name } = asked;
        Self {
            id: leave.id,
            review_id: review.id,
            title: review.title,
            stage_id: stage.id,
            body_id: body.id,
            body_name: body.short_name,
            returns: review.returns,
            reason: leave.reason,
            state: leave.state,
            asked_by: leave.asked_by,
            asked_by_masked: name.as_deref().map(mask::name),
            asked_at: leave.asked_at.and_utc(),
            decided_at: leave.decided_at.map(|at| at.and_utc()),
        }
    }
}

/// Why a request is to be returned again.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "补交的体检报告缺最后一页"}))]
pub struct LeaveInput {
    /// For the superior. What the applicant wrote is not to be repeated here: this text is not sealed.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Ask for leave to return a request a second time / 申请再次退回补正
///
/// By whoever decides the stage that is open. Whatever is missing is said once; only a request that was returned before needs
/// this. Refused with `unique_taken` while a leave of the stage is asked for or granted.
#[utoipa::path(
    tag = "review", operation_id = "review_leave_ask", security(("bearer" = ["review:decide"])),
    params(("id" = ReviewId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LeaveInput,
    responses((status = 201, description = "Asked for", body = LeaveView)),
)]
#[post("/api/v1/reviews/{id}/leaves")]
pub async fn review_leave_ask(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<ReviewId>,
    body: Idempotent<LeaveInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let (leave_id, reason): (LeaveId, String) = (platform.ids.id(), body.body.reason);
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let (review, all) = desk.locked_in_tx(c, &officer, id)?;
        if review.state != ReviewState::Open || review.returns == 0 {
            return Err(Error::new(Code::StateForbids).detail(
                "只有曾经退回、正在审核的申请才须准许",
                "Only a request under review that was returned before needs a leave",
            ));
        }
        let (stage, _) = desk.stage_of(c, &officer, &review, &all, now)?;
        let leave = Leave {
            id: leave_id,
            review_id: id,
            stage_id: stage.id,
            reason: reason.clone(),
            state: LeaveState::Asked,
            asked_by: actor,
            asked_at: db_time(now),
            decided_by: None,
            decided_at: None,
        };
        if !leave::ask_in_tx(c, &leave)? {
            return Err(Error::new(Code::UniqueTaken)
                .detail("该环节已有一份申请", "A leave of this stage is asked for or granted already"));
        }
        stages::note_in_tx(c, &desk.ids, id, Some(stage.id), EventKind::LeaveAsked, Some(actor), now)?;
        let view = LeaveView::from(leave::asked(c, leave_id)?);
        let mut beside = Beside::default();
        let detail = json!({ "leave": leave_id, "stage": stage.id });
        beside.entries.push(Entry::new(actor, "review.leave_ask", id).detail(detail));
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::created("/api/v1/review-leaves".into(), 1, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// List leaves that one may decide, oldest first / 列出待批准的再次退回申请
///
/// Asked for by others, at bodies below one's own; at the district itself, by colleagues.
#[utoipa::path(
    tag = "review", operation_id = "review_leave_list", security(("bearer" = ["review:decide"])), params(PageQuery),
    responses((status = 200, description = "A page of leaves", body = Page<LeaveView>)),
)]
#[get("/api/v1/review-leaves")]
pub async fn review_leave_list(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<LeaveView>>> {
    let (now, person) = (platform.clock.now(), guard.person());
    let list = format!("review-leaves/{person}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let officer = officer(c, &guard, now)?;
            leave::waiting(c, person, &officer.rights, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.leave.id)?;
    Ok(Reply::new(page.map(LeaveView::from)))
}

crate::text_enum! {
    /// What becomes of a leave.
    pub enum LeaveDecision {
        /// 准许.
        Grant = "grant",
        /// 不准.
        Refuse = "refuse",
    }
}

/// What becomes of a leave.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "refuse", "reason": "材料已能说明情况，请直接审定"}))]
pub struct LeaveDecisionInput {
    /// What becomes of it.
    pub decision: LeaveDecision,
    /// Told to whoever asks; a refusal needs it. What the applicant wrote is not to be repeated here.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub reason: Option<String>,
}

/// Grant or refuse a second return / 批准再次退回
///
/// By an officer of a body above the stage's, or at the district itself by a colleague; never by whoever asks
/// (`second_officer_required`).
#[utoipa::path(
    tag = "review", operation_id = "review_leave_decide", security(("bearer" = ["review:decide"])),
    params(("id" = LeaveId, Path, description = "The leave"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LeaveDecisionInput,
    responses((status = 200, description = "The leave, decided", body = LeaveView)),
)]
#[post("/api/v1/review-leaves/{id}/decisions")]
pub async fn review_leave_decide(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<LeaveId>,
    body: Idempotent<LeaveDecisionInput>,
) -> Result<Stored> {
    let (now, actor, id, desk) = (platform.clock.now(), guard.person(), id.0, Desk::clone(&desk));
    let input = body.body;
    let act = move |c: &mut Conn| {
        let officer = officer(c, &guard, now)?;
        let leave = leave::get(c, id)?;
        let (review, all) = desk.locked_in_tx(c, &officer, leave.review_id)?;
        let Asked { leave, stage, body, .. } = leave::asked(c, id)?;
        if leave.asked_by == actor {
            return Err(Error::new(Code::SecondOfficer));
        }
        // In the stead of whoever asks is no second officer either.
        let rights = officer.rights.iter().filter(|right| right.seat.on_behalf_of() != Some(leave.asked_by));
        if !rights.into_iter().any(|right| leave::is_above(&right.path, &body.path)) {
            return Err(Error::new(Code::ReviewNotYours)
                .detail("再次退回须由上级批准", "A second return is allowed by a superior"));
        }
        seats::unbarred(c, &officer, &review, &all)?;
        let to = wanted(&input)?;
        let waits = review.state == ReviewState::Open && stage.state == StageState::Open;
        if !waits || !leave::decide_in_tx(c, id, to, actor, now)? {
            return Err(Error::new(Code::StateForbids)
                .detail("该申请已决定，或环节已办结", "It was decided, or the stage is over"));
        }
        stages::note_in_tx(
            c,
            &desk.ids,
            review.id,
            Some(stage.id),
            EventKind::LeaveDecided,
            Some(actor),
            now,
        )?;
        let view = LeaveView::from(leave::asked(c, id)?);
        let mut beside = Beside::default();
        beside.messages.push(told(&view, &input));
        let detail = json!({ "leave": id, "stage": stage.id, "decision": input.decision });
        beside.entries.push(Entry::new(actor, "review.leave_decide", review.id).detail(detail));
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::done(1, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

fn wanted(input: &LeaveDecisionInput) -> Result<LeaveState> {
    match (input.decision, &input.reason) {
        (LeaveDecision::Grant, _) => Ok(LeaveState::Granted),
        (LeaveDecision::Refuse, Some(_)) => Ok(LeaveState::Refused),
        (LeaveDecision::Refuse, None) => {
            let text = Text::new("不准须说明理由", "a refusal says why");
            Err(Error::invalid(vec![Fault::new("/reason", "required", text)]))
        }
    }
}

fn told(view: &LeaveView, input: &LeaveDecisionInput) -> Message {
    let outcome = match input.decision {
        LeaveDecision::Grant => "上级准许再次退回补正。",
        LeaveDecision::Refuse => "上级不准再次退回补正，请按现有材料审定。",
    };
    let reason = input.reason.as_deref().map(|reason| format!("理由：{reason}")).unwrap_or_default();
    Message {
        person: view.asked_by,
        kind: NoticeKind::ReviewLeaveDecided,
        subject: view.title.clone(),
        detail: format!("{outcome}{reason}"),
        link: format!("/api/v1/reviews/{}", view.review_id),
    }
}
