//! Sign-in sheets over HTTP: masked for whoever may see the roster, in full for whoever may reveal, and that is audited.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::ExportFormat;
use super::signin;
use crate::attendance::door;
use crate::error::{Error, Result};
use crate::ids::SessionId;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{PersonReveal, RosterRead};
use crate::platform::audit::{self, Entry};
use crate::platform::http::{ApiJson, ApiPath, ApiQuery};

crate::text_enum! {
    /// What a sign-in sheet is written as.
    pub enum SignInFormat {
        /// A page to print.
        Html = "html",
        /// A workbook.
        Xlsx = "xlsx",
    }
}

/// As what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignInQuery {
    /// A page to print, if nothing is said.
    #[param(inline)]
    pub format: Option<SignInFormat>,
}

/// The sign-in sheet of a session, masked / 打印签到表（姓名脱敏）
#[utoipa::path(
    tag = "door", operation_id = "session_sign_in_sheet", security(("bearer" = ["roster:read"])),
    params(("id" = SessionId, Path, description = "The session"), SignInQuery),
    responses((status = 200, description = "The sheet", content(
        (String = "text/html"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ))),
)]
#[get("/api/v1/sessions/{id}/sign-in-sheet")]
pub async fn session_sign_in_sheet(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<SessionId>,
    query: ApiQuery<SignInQuery>,
) -> Result<HttpResponse> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let read = platform.db.read(move |c| {
        let (session, activity) = door::require_session(c, &scope, id)?;
        signin::read(c, &session, &activity, None)
    });
    answer(read.await?.0, query.0.format, id).await
}

/// Why names are to be shown in full.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "现场签到", "format": "html"}))]
pub struct SignInRevealInput {
    /// What for; kept in the audit chain.
    #[schema(min_length = 4, max_length = 200)]
    pub purpose: String,
    /// A page to print, if nothing is said.
    pub format: Option<SignInFormat>,
}

/// The sign-in sheet of a session with real names; audited / 打印实名签到表（记入审计）
///
/// Names of people who work outside one's subtree stay masked.
#[utoipa::path(
    tag = "door", operation_id = "session_sign_in_reveal", security(("bearer" = ["person:reveal"])),
    params(("id" = SessionId, Path, description = "The session")), request_body = SignInRevealInput,
    responses((status = 200, description = "The sheet", content(
        (String = "text/html"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ))),
)]
#[post("/api/v1/sessions/{id}/sign-in-sheet-reveals")]
pub async fn session_sign_in_reveal(
    platform: Data<Platform>,
    guard: Guard<PersonReveal>,
    id: ApiPath<SessionId>,
    body: ApiJson<SignInRevealInput>,
) -> Result<HttpResponse> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let SignInRevealInput { purpose, format } = body.0;
    let read = platform.db.write(move |c| {
        let (session, activity) = door::require_session(c, &scope, id)?;
        let (sheet, revealed) = signin::read(c, &session, &activity, Some(&scope))?;
        let detail = json!({ "purpose": purpose, "names": revealed });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "session.reveal", id).detail(detail)])?;
        Ok(sheet)
    });
    answer(read.await?, format, id).await
}

async fn answer(sheet: signin::SignIn, format: Option<SignInFormat>, id: SessionId) -> Result<HttpResponse> {
    let mut response = HttpResponse::Ok();
    // Names: nobody keeps them.
    response.insert_header((header::CACHE_CONTROL, "private, no-store"));
    let policy = format!("sandbox; {}; frame-ancestors 'none'", signin::policy());
    response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
    Ok(match format.unwrap_or(SignInFormat::Html) {
        SignInFormat::Html => response
            .insert_header((header::CONTENT_TYPE, ExportFormat::Html.media()))
            .body(signin::page(&sheet)),
        SignInFormat::Xlsx => {
            let made = tokio::task::spawn_blocking(move || signin::workbook(&sheet));
            let name = format!("attachment; filename=\"sign-in-{id}.xlsx\"");
            response
                .insert_header((header::CONTENT_DISPOSITION, name))
                .insert_header((header::CONTENT_TYPE, ExportFormat::Xlsx.media()))
                .body(made.await.map_err(Error::internal)??)
        }
    })
}
