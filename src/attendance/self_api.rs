//! Checking in by oneself, over HTTP: the session's code, the six digits, and where the venue is.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::CheckinView;
use super::codes::{self, CodeReading, SessionCodes};
use super::door::{self, Door, Knock};
use super::model::{CheckinMethod, Direction, Distance, ScanOutcome};
use super::{pass, rules};
use crate::error::{Code, Error, Result};
use crate::identity::api::wechat_refusal;
use crate::ids::SessionId;
use crate::offering;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{CatalogueManage, CheckinWrite, OwnData};
use crate::platform::audit::{self, Entry};
use crate::platform::cache::{Key, Quota};
use crate::platform::db::Conn;
use crate::platform::db::schema::fences;
use crate::platform::http::idempotency::Use;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::platform::wechat::WechatClient;

/// What is shown and said at a session's door.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionCodeView {
    /// 32 characters, for a QR code or the `scene` of a WeChat code.
    #[schema(min_length = 32, max_length = 32, example = "AZqLtE0Te7-Iy3gJ1m0xZ0H4T2v9QmWd")]
    pub code: String,
    /// When the next code is due.
    pub refresh_at: DateTime<Utc>,
    /// Six digits, to be said.
    #[schema(min_length = 6, max_length = 6, example = "048213")]
    pub digits: String,
    /// When the next digits are due; these are good for five minutes more.
    pub digits_until: DateTime<Utc>,
}

/// Show a session's code / 显示场次签到码
///
/// For a screen at the door. The code changes every 30 seconds, the digits every five minutes.
#[utoipa::path(
    tag = "door", operation_id = "session_code_get", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session")),
    responses((status = 200, description = "The code", body = SessionCodeView)),
)]
#[get("/api/v1/sessions/{id}/code")]
pub async fn session_code_get(
    platform: Data<Platform>,
    session_codes: Data<SessionCodes>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
) -> Result<Reply<SessionCodeView>> {
    let (scope, id, now) = (guard.scope().clone(), id.0, platform.clock.now());
    platform.db.read(move |c| door::require_session(c, &scope, id).map(|_| ())).await?;
    let (code, refresh_at) = session_codes.show(id, now);
    let (digits, digits_until) = session_codes.say(id, now);
    Ok(Reply::new(SessionCodeView { code, refresh_at, digits, digits_until }).secret())
}

/// A session's code as a picture / 场次签到二维码图片
///
/// A QR code of what `session_code_get` shows. It is good for a minute and a half: fetch it anew every 30 seconds.
#[utoipa::path(
    tag = "door", operation_id = "session_code_picture", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session")),
    responses((status = 200, description = "A PNG", body = Vec<u8>, content_type = "image/png")),
)]
#[get("/api/v1/sessions/{id}/code-picture")]
pub async fn session_code_picture(
    platform: Data<Platform>,
    session_codes: Data<SessionCodes>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
) -> Result<HttpResponse> {
    let (scope, id, now) = (guard.scope().clone(), id.0, platform.clock.now());
    platform.db.read(move |c| door::require_session(c, &scope, id).map(|_| ())).await?;
    let picture = codes::qr_png(&session_codes.show(id, now).0)?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "image/png")).body(picture))
}

/// A session's code as a WeChat code / 场次签到小程序码图片
///
/// Scanned with WeChat it opens the mini-program with the code as its `scene`. Refused with `wechat_unavailable` while WeChat is away: then
/// show the QR code of `session_code_picture`.
#[utoipa::path(
    tag = "door", operation_id = "session_code_wechat", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session")),
    responses((status = 200, description = "A JPEG or PNG, as WeChat makes it", body = Vec<u8>, content_type = "image/jpeg")),
)]
#[get("/api/v1/sessions/{id}/code-wechat")]
pub async fn session_code_wechat(
    platform: Data<Platform>,
    session_codes: Data<SessionCodes>,
    wechat: Data<WechatClient>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
) -> Result<HttpResponse> {
    let (scope, id, now) = (guard.scope().clone(), id.0, platform.clock.now());
    platform.db.read(move |c| door::require_session(c, &scope, id).map(|_| ())).await?;
    let picture = wechat.code_picture(&session_codes.show(id, now).0).await.map_err(wechat_refusal)?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "image/jpeg")).body(picture))
}

/// Where somebody is. It is compared with the venue and not kept.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"latitude": 22.6891, "longitude": 114.1132}))]
pub struct PositionInput {
    /// Degrees north.
    #[schema(minimum = -90.0, maximum = 90.0)]
    pub latitude: f64,
    /// Degrees east.
    #[schema(minimum = -180.0, maximum = 180.0)]
    pub longitude: f64,
}

/// A scanned session code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "AZqLtE0Te7-Iy3gJ1m0xZ0H4T2v9QmWd", "position": {"latitude": 22.6891, "longitude": 114.1132}}))]
pub struct SelfCheckinInput {
    /// What is shown at the door.
    #[schema(min_length = 1, max_length = 100)]
    pub code: String,
    /// Where the worker is, if they want to say so.
    pub position: Option<PositionInput>,
}

/// Check in by scanning the session's code / 扫场次码签到
///
/// With a position inside the venue's radius the evidence is of grade A, without one of grade C. The position is compared and dropped.
/// Refusals: `code_invalid`, and those of `checkin_create`.
#[utoipa::path(
    tag = "me", operation_id = "self_checkin_create", security(("bearer" = ["self"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SelfCheckinInput,
    responses((status = 200, description = "The person is present", body = CheckinView)),
)]
#[post("/api/v1/me/checkins")]
pub async fn self_checkin_create(
    platform: Data<Platform>,
    session_codes: Data<SessionCodes>,
    door: Data<Door>,
    guard: Guard<OwnData>,
    body: Idempotent<SelfCheckinInput>,
) -> Result<Stored> {
    let SelfCheckinInput { code, position } = body.body;
    let person = guard.person();
    let (session, who) = match session_codes.read(&code, platform.clock.now()) {
        CodeReading::Valid(session) => (session, Ok(person)),
        CodeReading::Stale(session) => (session, Err((ScanOutcome::CodeInvalid, Some(person)))),
        CodeReading::Invalid => return Err(Error::new(Code::CodeInvalid)),
    };
    let distance = match position {
        Some(position) => platform.db.read(move |c| distance_of(c, session, position)).await?,
        None => None,
    };
    let one = Use { principal: person, request: body.key };
    let _running = platform.idempotency.begin(&one)?;
    let knock = Knock {
        session,
        who,
        direction: Direction::In,
        method: CheckinMethod::SelfScan,
        distance,
        code_hash: Some(pass::hash(&code)),
        unregistered: None,
        scope: None,
        one,
    };
    // Nobody learns from this whether a session exists: whoever has no place there is not signed up, and a made-up code is none.
    door.call(knock).await.map_err(|error| match error.code() {
        Code::NotFound => Error::new(Code::CodeInvalid),
        _ => error,
    })
}

/// Six digits that were said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"digits": "048213"}))]
pub struct SpokenCheckinInput {
    /// The digits.
    #[schema(pattern = "^[0-9]{6}$", min_length = 6, max_length = 6)]
    pub digits: String,
}

/// Tries of one person in ten minutes.
const TRIES: Quota = Quota { limit: 5, period: Duration::from_secs(600) };

/// Check in with the six digits that were said / 口令签到
///
/// For who cannot scan. Five tries in ten minutes. Refusals: `code_invalid`, `rate_limited`, and those of `checkin_create`.
#[utoipa::path(
    tag = "me", operation_id = "spoken_checkin_create", security(("bearer" = ["self"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SpokenCheckinInput,
    responses((status = 200, description = "The person is present", body = CheckinView)),
)]
#[post("/api/v1/sessions/{id}/spoken-checkins")]
pub async fn spoken_checkin_create(
    platform: Data<Platform>,
    session_codes: Data<SessionCodes>,
    door: Data<Door>,
    guard: Guard<OwnData>,
    id: ApiPath<SessionId>,
    body: Idempotent<SpokenCheckinInput>,
) -> Result<Stored> {
    let person = guard.person();
    let tries = platform.cache.admit(&Key::rate("spoken", &person.to_string()), TRIES).await;
    if !tries.allowed {
        let wait = tries.retry_after + Duration::from_secs(1);
        return Err(Error::new(Code::RateLimited).retry_after(wait).detail(
            "口令尝试过多，请稍后再试，或请工作人员扫码",
            "Too many tries: wait, or let staff scan your pass",
        ));
    }
    let fits = session_codes.is_said(id.0, &body.body.digits, platform.clock.now());
    let one = Use { principal: person, request: body.key };
    let _running = platform.idempotency.begin(&one)?;
    let knock = Knock {
        session: id.0,
        who: if fits { Ok(person) } else { Err((ScanOutcome::CodeInvalid, Some(person))) },
        direction: Direction::In,
        method: CheckinMethod::SpokenCode,
        distance: None,
        code_hash: None,
        unregistered: None,
        scope: None,
        one,
    };
    door.call(knock).await.map_err(|error| match error.code() {
        Code::NotFound => Error::new(Code::CodeInvalid),
        _ => error,
    })
}

/// Where a session takes place.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"latitude": 22.6891, "longitude": 114.1132, "metres": 150}))]
pub struct Fence {
    /// Degrees north.
    #[schema(minimum = -90.0, maximum = 90.0)]
    pub latitude: f64,
    /// Degrees east.
    #[schema(minimum = -180.0, maximum = 180.0)]
    pub longitude: f64,
    /// How far from there somebody is still inside.
    #[schema(minimum = 20, maximum = 5000)]
    pub metres: i64,
}

/// Say where a session takes place / 设置场次位置
///
/// For who checks in by themselves; nobody has to say where they are.
#[utoipa::path(
    tag = "door", operation_id = "session_fence_set", security(("bearer" = ["catalogue:manage"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = Fence,
    responses((status = 200, description = "As it is now", body = Fence)),
)]
#[post("/api/v1/sessions/{id}/fences")]
pub async fn session_fence_set(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<SessionId>,
    body: Idempotent<Fence>,
) -> Result<Stored> {
    let (actor, now, scope, id, fence) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), id.0, body.body);
    let act = move |c: &mut Conn| {
        door::require_session(c, &scope, id)?;
        offering::store::sessions_lock_in_tx(c, &[id])?;
        let (latitude, longitude) = (millionths(fence.latitude), millionths(fence.longitude));
        diesel::delete(fences::table.find(id)).execute(c)?;
        diesel::insert_into(fences::table)
            .values((
                fences::session_id.eq(id),
                fences::latitude.eq(latitude),
                fences::longitude.eq(longitude),
                fences::metres.eq(fence.metres),
                fences::set_by.eq(actor),
            ))
            .execute(c)?;
        let detail = json!({ "metres": fence.metres });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "session.fence_set", id).detail(detail)])?;
        Stored::done(1, &fence)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Degrees as the database keeps them: ten centimetres are the last digit.
#[expect(clippy::cast_possible_truncation, reason = "at most 180 million, which the contract has seen to")]
fn millionths(degrees: f64) -> i64 {
    (degrees * 1e6).round() as i64
}

/// How far somebody is from a session's venue; none where nobody said where that is.
fn distance_of(conn: &mut Conn, session: SessionId, position: PositionInput) -> Result<Option<Distance>> {
    let found: Option<(i64, i64, i64)> = fences::table
        .find(session)
        .select((fences::latitude, fences::longitude, fences::metres))
        .first(conn)
        .optional()?;
    Ok(found.map(|(latitude, longitude, metres)| {
        let here = (millionths(position.latitude), millionths(position.longitude));
        rules::distance((latitude, longitude), here, metres)
    }))
}
