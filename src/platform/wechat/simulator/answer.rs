//! The shapes of WeChat's answers: always HTTP 200, the outcome in the body, a request id in every error.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

/// A JPEG picture of 64 × 64 points that stands for a mini-program code. It cannot be scanned.
pub(super) const CODE_PICTURE: &[u8] = include_bytes!("code.jpg");

/// What a call answers when it is not refused.
pub(super) enum Answer {
    Json(Value),
    Jpeg(&'static [u8]),
}

impl Answer {
    /// `{"errcode":0,"errmsg":"ok"}` and `fields`.
    pub(super) fn ok(fields: Value) -> Self {
        let mut all = Map::from_iter([("errcode".into(), json!(0)), ("errmsg".into(), json!("ok"))]);
        if let Value::Object(fields) = fields {
            all.extend(fields);
        }
        Self::Json(Value::Object(all))
    }
}

/// An error code with the text that stands before the request id.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) errcode: i64,
    pub(super) errmsg: String,
}

impl Refusal {
    pub(super) fn with(errcode: i64, errmsg: impl Into<String>) -> Self {
        Self { errcode, errmsg: errmsg.into() }
    }
}

impl From<i64> for Refusal {
    fn from(errcode: i64) -> Self {
        Self::with(errcode, errmsg(errcode))
    }
}

/// The usual text of a code. Clients must not read it; it is here for people.
fn errmsg(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => "invalid credential, access_token is invalid or not latest",
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40004 => "invalid media type",
        40013 => "invalid appid",
        40029 => "invalid code,",
        40037 => "invalid template_id",
        40066 => "invalid url",
        40097 => "invalid args",
        40125 => "invalid appsecret",
        40129 => "invalid scene",
        40163 => "code been used,",
        40164 => "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
        40169 => "invalid length for scene or the data is not json string",
        40226 => "code blocked",
        41001 => "access_token missing",
        41002 => "appid missing,",
        41004 => "appsecret missing,",
        41008 => "missing code,",
        41030 => "invalid page",
        42001 => "access_token expired",
        43002 => "require POST method",
        43101 => "user refuse to accept the msg",
        44002 => "empty post data",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit mustslower retry next minute",
        47001 => "data format error",
        47003 => "argument invalid!",
        61010 => "code is expired",
        85096 => "scancode_time is reserved",
        87008 => "invalid sig_method",
        87009 => "invalid signature",
        _ => "simulated error",
    }
}

/// The HTTP answer. `plain` says that this endpoint labels its JSON `text/plain`.
pub(super) fn respond(outcome: Result<Answer, Refusal>, rid: &str, plain: bool) -> HttpResponse {
    let json = |value: Value| {
        // The misspelt parameter (`encoding`, not `charset`) is WeChat's.
        let kind = if plain { "text/plain" } else { "application/json; encoding=utf-8" };
        HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(value.to_string())
    };
    match outcome {
        Ok(Answer::Json(value)) => json(value),
        Ok(Answer::Jpeg(bytes)) => HttpResponse::Ok().insert_header((CONTENT_TYPE, "image/jpeg")).body(bytes),
        Err(Refusal { errcode, errmsg }) => {
            json(json!({ "errcode": errcode, "errmsg": format!("{errmsg} rid: {rid}") }))
        }
    }
}
