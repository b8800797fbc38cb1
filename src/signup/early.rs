//! The layer that tells most of a crowd 'full' before the request is routed.
//!
//! What a stranger is told who wants a place of an activity that is full, closed or not yet open is the same for everybody and no
//! secret ([`super::snapshot`]). Whoever shows a token of ours is told so without a look at the database: whether the login was
//! ended meanwhile is asked of those only for whom something could happen. Everything that is not the plain request goes the
//! whole way.

use actix_web::HttpMessage;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::snapshot::Snapshots;
use crate::error::{Error, Result};
use crate::ids::ActivityId;
use crate::platform::Platform;
use crate::platform::access::guard::{Route, bearer};
use crate::platform::http::extract::{idempotency_key, read_body};
use crate::platform::http::limits::Limits;

const PATTERN: &str = "/api/v1/activities/{id}/signups";
/// The only body that is answered here.
const NOTHING: &[u8] = b"{}";

/// Refuses early, or passes on.
pub async fn refuse_early<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> std::result::Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    match refusal(&mut req).await {
        Ok(None) => Ok(next.call(req).await?.map_into_left_body()),
        Ok(Some(refusal)) | Err(refusal) => {
            req.extensions_mut().insert(Route { pattern: PATTERN.into(), guarded: true });
            Ok(req.error_response(refusal).map_into_right_body())
        }
    }
}

/// The refusal of a plain request for a place of which everybody is refused. An error is one as well.
async fn refusal(req: &mut ServiceRequest) -> Result<Option<Error>> {
    let Some(activity) = wanted(req) else { return Ok(None) };
    let (Some(snapshots), Some(platform), Some(limits)) = (
        req.app_data::<Data<Snapshots>>().cloned(),
        req.app_data::<Data<Platform>>().cloned(),
        req.app_data::<Data<Limits>>().cloned(),
    ) else {
        return Ok(None);
    };
    if !snapshots.refuses(activity) || idempotency_key(req.request()).is_err() {
        return Ok(None);
    }
    let Ok(token) = bearer(req.request()) else { return Ok(None) };
    let Ok(person) = platform.access.tokens().verify(&token).map(|claims| claims.person) else {
        return Ok(None);
    };
    let body = read_body(&req.request().clone(), req.take_payload(), NOTHING.len()).await?;
    let plain = body == NOTHING;
    req.set_payload(Payload::from(body));
    if !plain {
        return Ok(None);
    }
    limits.admit_person(person).await?;
    Ok(snapshots.refusal(activity, person))
}

/// The activity that a request with the plain body is for.
fn wanted(req: &ServiceRequest) -> Option<ActivityId> {
    let header = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    let length = req.headers().get(header::CONTENT_LENGTH)?.as_bytes();
    if req.method() != Method::POST || length != b"2" || req.uri().query().is_some() {
        return None;
    }
    header(header::CONTENT_TYPE)?.starts_with("application/json").then_some(())?;
    req.path().strip_prefix("/api/v1/activities/")?.strip_suffix("/signups")?.parse().ok()
}
