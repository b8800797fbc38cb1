//! The life of activities and sessions, as organisers change it: inside their own subtree of the organisation.

use actix_web::post;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::CATALOGUE;
use super::changing::Acting;
use super::following::Followers;
use super::manage_api::detail;
use super::rules::{NewTimes, SessionTimes};
use super::store;
use super::views::{ActivityDetail, SessionView};
use crate::error::Result;
use crate::ids::{ActivityId, SessionId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::CatalogueManage;
use crate::platform::db::Conn;
use crate::platform::http::extract::RequestKey;
use crate::platform::http::{ApiPath, Idempotent, Stored};

/// Runs `act` under its key, and answers with the activity as it is then.
async fn change(
    platform: &Platform,
    followers: &Followers,
    guard: &Guard<CatalogueManage>,
    id: ActivityId,
    key: RequestKey,
    act: impl Fn(&Acting, &mut Conn) -> Result<()> + Send + Sync + 'static,
) -> Result<Stored> {
    let acting = acting(platform, followers, guard);
    let run = move |c: &mut Conn| {
        act(&acting, c)?;
        let (detail, version) = detail(c, id, &acting.scope, acting.now)?;
        Stored::done(version, &detail)
    };
    let stored = platform.idempotency.run(guard.person(), key, run).await?;
    platform.changes.tell(CATALOGUE, &[id.0]);
    platform.jobs.ring();
    Ok(stored)
}

fn acting(platform: &Platform, followers: &Followers, guard: &Guard<CatalogueManage>) -> Acting {
    let (actor, scope) = (guard.person(), guard.scope().clone());
    Acting { followers: followers.clone(), scope, actor, now: platform.clock.now() }
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct PublishInput {}

/// Publish a draft / 发布活动
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_publish", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PublishInput,
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[post("/api/v1/managed-activities/{id}/publications")]
pub async fn activity_publish(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<PublishInput>,
) -> Result<Stored> {
    let id = id.0;
    change(&platform, &followers, &guard, id, body.key, move |a, c| a.publish_in_tx(c, id)).await
}

/// Say that the places are given / 完成名额分配
///
/// After sign-up has closed and everybody is decided. Who still waits gets no place and is told so.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_allocate", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PublishInput,
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[post("/api/v1/managed-activities/{id}/allocations")]
pub async fn activity_allocate(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<PublishInput>,
) -> Result<Stored> {
    let id = id.0;
    change(&platform, &followers, &guard, id, body.key, move |a, c| a.allocate_in_tx(c, id)).await
}

/// Why something is called off.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "台风停课"}))]
pub struct ReasonInput {
    /// For everybody to read; Chinese. No names.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Cancel an activity / 取消活动
///
/// Its sessions are cancelled, every sign-up ends, offers and kept places are withdrawn, rooms and trainers are free,
/// who was checked in counts no more, and everybody is told. Refused with `state_forbids` once a session took place.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_cancel", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReasonInput,
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[post("/api/v1/managed-activities/{id}/cancellations")]
pub async fn activity_cancel(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<ReasonInput>,
) -> Result<Stored> {
    let (id, reason) = (id.0, body.body.reason);
    change(&platform, &followers, &guard, id, body.key, move |a, c| a.cancel_in_tx(c, id, &reason)).await
}

/// Postpone an activity / 延期举行
///
/// It has no dates for now: nobody signs up and nobody is checked in. Sign-ups are kept; whoever was asked about a
/// place waits again. Rooms and trainers are free, and to be booked for the new dates. Everybody is told.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_postpone", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReasonInput,
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[post("/api/v1/managed-activities/{id}/postponements")]
pub async fn activity_postpone(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<ReasonInput>,
) -> Result<Stored> {
    let (id, reason) = (id.0, body.body.reason);
    change(&platform, &followers, &guard, id, body.key, move |a, c| a.postpone_in_tx(c, id, &reason)).await
}

crate::text_enum! {
    /// What becomes of sign-ups when the dates change.
    pub enum SignupsThen {
        /// People keep what they have.
        Keep = "keep",
        /// Everybody must sign up anew.
        Release = "release",
    }
}

/// A session's new time.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "ses_01k5b8m3q2e9t8h6y1v7z4w0xn", "starts_at": "2025-03-08T14:00:00+08:00",
    "ends_at": "2025-03-08T17:00:00+08:00"}))]
pub struct SessionMoveInput {
    /// The session.
    pub id: SessionId,
    /// Begins; later than now.
    pub starts_at: DateTime<Utc>,
    /// Ends; at most 24 hours later.
    pub ends_at: DateTime<Utc>,
}

/// New dates for an activity.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "reason": "场地检修", "signups": "keep",
    "sessions": [{"id": "ses_01k5b8m3q2e9t8h6y1v7z4w0xn", "starts_at": "2025-03-08T14:00:00+08:00", "ends_at": "2025-03-08T17:00:00+08:00"}]
}))]
pub struct RescheduleInput {
    /// For everybody to read; Chinese. No names.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub reason: String,
    /// Sign-up opens; as before when left out.
    pub signup_opens_at: Option<DateTime<Utc>>,
    /// Sign-up closes; as before when left out.
    pub signup_closes_at: Option<DateTime<Utc>>,
    /// Sessions that move; of a postponed activity all that are not finalised.
    #[schema(min_items = 1, max_items = 200)]
    pub sessions: Vec<SessionMoveInput>,
    /// What becomes of sign-ups.
    pub signups: SignupsThen,
}

impl From<&RescheduleInput> for NewTimes {
    fn from(input: &RescheduleInput) -> Self {
        let times = |one: &SessionMoveInput| SessionTimes { starts_at: one.starts_at, ends_at: one.ends_at };
        Self {
            signup_opens_at: input.signup_opens_at,
            signup_closes_at: input.signup_closes_at,
            sessions: input.sessions.iter().map(|one| (one.id, times(one))).collect(),
            release: input.signups == SignupsThen::Release,
        }
    }
}

/// Give sessions new dates / 改期
///
/// Of sessions that are not finalised and where nobody is checked in. What is booked moves along. Everybody is told
/// the old and the new time. With `release` every sign-up ends, apart from those of people who were there already.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_reschedule", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RescheduleInput,
    responses((status = 200, description = "The activity", body = ActivityDetail)),
)]
#[post("/api/v1/managed-activities/{id}/reschedulings")]
pub async fn activity_reschedule(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<RescheduleInput>,
) -> Result<Stored> {
    let (id, times, reason) = (id.0, NewTimes::from(&body.body), body.body.reason);
    let act = move |a: &Acting, c: &mut Conn| a.reschedule_in_tx(c, id, &reason, &times);
    change(&platform, &followers, &guard, id, body.key, act).await
}

/// Cancel a session / 取消场次
///
/// One to come, or one that was said to have taken place: who was there counts no more, and what must still count
/// for another reason does. What was booked is free, and everybody is told. The last session of an activity is
/// cancelled with the activity.
#[utoipa::path(
    tag = "catalogue", operation_id = "session_cancel", security(("bearer" = ["catalogue:manage"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReasonInput,
    responses((status = 200, description = "The session", body = SessionView)),
)]
#[post("/api/v1/sessions/{id}/cancellations")]
pub async fn session_cancel(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<SessionId>,
    body: Idempotent<ReasonInput>,
) -> Result<Stored> {
    let (acting, id, reason) = (acting(&platform, &followers, &guard), id.0, body.body.reason);
    let act = move |c: &mut Conn| {
        acting.session_cancel_in_tx(c, id, &reason)?;
        let (session, _) = store::session_get(c, id)?;
        Stored::done(session.version, &SessionView::from(session))
    };
    let stored = platform.idempotency.run(guard.person(), body.key, act).await?;
    platform.changes.tell(CATALOGUE, &[id.0]);
    platform.jobs.ring();
    Ok(stored)
}
