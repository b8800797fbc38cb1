//! Where WeChat pushes what it found in pictures.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::{jobs, rules, store};
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::platform::db::Conn;
use crate::platform::http::extract::read_body;
use crate::platform::wechat::push::{BODY_LIMIT, MediaResult, PushFault, PushKeys, PushQuery, Pushed};

/// What WeChat puts into the address. Whatever else it puts there is passed over.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WechatPushQuery {
    /// Over token, time and nonce.
    #[param(max_length = 100, example = "f464b24fc39322e44b38aa78f5edd27bd1441696")]
    pub signature: String,
    /// When, in seconds.
    #[param(max_length = 20, example = "1714036504")]
    pub timestamp: String,
    /// Random.
    #[param(max_length = 100, example = "1514711492")]
    pub nonce: String,
    /// Of a verification: to be given back.
    #[param(max_length = 200)]
    pub echostr: Option<String>,
    /// `aes` in secure mode.
    #[param(max_length = 20)]
    pub encrypt_type: Option<String>,
    /// Over token, time, nonce and the sealed body, in secure mode.
    #[param(max_length = 100)]
    pub msg_signature: Option<String>,
}

/// A text as WeChat wants or writes it: no JSON of ours.
pub struct WechatText;

impl PartialSchema for WechatText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(BODY_LIMIT)).into()
    }
}

impl ToSchema for WechatText {
    fn name() -> std::borrow::Cow<'static, str> {
        "WechatText".into()
    }
}

/// Prove to WeChat's console that the address is ours / 微信消息推送地址验证
///
/// For WeChat alone. A signature that is not WeChat's is `bad_request`.
#[utoipa::path(
    tag = "operations", operation_id = "wechat_push_verify", security(()), params(WechatPushQuery),
    responses((status = 200, description = "`echostr` as it came", content((WechatText = "text/plain")))),
)]
#[get("/api/v1/wechat/push")]
pub async fn wechat_push_verify(keys: Data<PushKeys>, request: HttpRequest) -> Result<HttpResponse> {
    let echo = keys.verify(&PushQuery::read(request.query_string())).map_err(refused)?;
    Ok(plain(echo))
}

/// Take what WeChat pushes / 接收微信推送
///
/// For WeChat alone: the verdict on a picture that it was asked about. Signed, and sealed where a key is set; JSON or XML. Pushed again it does
/// nothing. What is not about pictures is taken and passed over. A signature that is not WeChat's is `bad_request`.
#[utoipa::path(
    tag = "operations", operation_id = "wechat_push_take", security(()), params(WechatPushQuery),
    request_body(content((WechatText = "text/xml"), (WechatText = "text/plain"))),
    responses((status = 200, description = "`success`", content((WechatText = "text/plain")))),
)]
#[post("/api/v1/wechat/push")]
pub async fn wechat_push_take(
    platform: Data<Platform>,
    keys: Data<PushKeys>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse> {
    let body = read_body(&request, payload.into_inner(), BODY_LIMIT).await?;
    let pushed = keys.open(&PushQuery::read(request.query_string()), &body).map_err(refused)?;
    if let Pushed::Media(result) = pushed {
        let now = platform.clock.now();
        platform.db.write(move |conn| found_in_tx(conn, &result, now)).await?;
    }
    Ok(plain("success".to_owned()))
}

/// A verdict on a picture. Whoever waits for it learns of it once; a second push finds nobody who waits.
fn found_in_tx(conn: &mut Conn, result: &MediaResult, now: DateTime<Utc>) -> Result<()> {
    let Some(check) = store::waiting_for_in_tx(conn, &result.trace_id)? else {
        tracing::debug!("a push about a picture that nobody waits for");
        return Ok(());
    };
    match result.verdict {
        Some(verdict) => {
            let state = rules::judged(verdict);
            jobs::judge_in_tx(conn, (check.id, check.version), state, Some(verdict.label), now)
        }
        // WeChat could not fetch it: its job asks anew when the term is over.
        None => store::traced_in_tx(conn, check.id, check.version, None).map(drop),
    }
}

fn refused(fault: PushFault) -> Error {
    tracing::warn!(%fault, "a push was not taken");
    metrics::counter!("unionhall_wechat_pushes_refused_total").increment(1);
    match fault {
        PushFault::Forged => {
            Error::new(Code::BadRequest).detail("签名不正确", "The signature is not WeChat's")
        }
        PushFault::Malformed(_) => {
            Error::new(Code::BadRequest).detail("推送内容无法读取", "The push cannot be read")
        }
    }
}

fn plain(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(text)
}
