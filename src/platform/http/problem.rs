//! Problem documents (RFC 9457) in the client's language.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Code, Error, Text};

/// The languages that people are answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Simplified Chinese, the default.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The language that the client prefers, by `Accept-Language`.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(wanted) = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) else {
            return Self::default();
        };
        let best = |prefix: &str| {
            wanted
                .split(',')
                .filter_map(|part| {
                    let mut pieces = part.trim().split(';');
                    let tag = pieces.next()?.trim().to_ascii_lowercase();
                    let quality = pieces
                        .find_map(|piece| piece.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()))
                        .unwrap_or(1.0);
                    tag.starts_with(prefix).then_some(quality)
                })
                .fold(0.0_f32, f32::max)
        };
        if best("en") > best("zh") { Self::English } else { Self::Chinese }
    }

    /// The text in this language.
    pub fn pick(self, text: &Text) -> &str {
        match self {
            Self::Chinese => &text.zh,
            Self::English => &text.en,
        }
    }

    /// The tag for `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

/// A failure, in one format for every failure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:unionhall:problem:signup_full", "title": "名额已满", "status": 409,
    "code": "signup_full", "request_id": "01k5b8m3q2e9t8h6y1v7z4w0xn"
}))]
pub struct Problem {
    /// A URN that names the kind of problem; its last part is the code.
    #[serde(rename = "type")]
    #[schema(max_length = 200)]
    kind: String,
    /// What the code means.
    #[schema(max_length = 200)]
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// This occurrence: what was wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    detail: Option<String>,
    /// The stable code; programs decide by it.
    #[schema(max_length = 60)]
    code: &'static str,
    /// Names this request in the log.
    #[schema(max_length = 64)]
    request_id: String,
    /// All wrong fields, the first hundred of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    errors: Vec<FieldProblem>,
    /// What stands in place of what the caller read, of a decision that came too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    current: Option<serde_json::Value>,
}

/// One wrong field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"pointer": "/title", "code": "required", "detail": "必填"}))]
pub struct FieldProblem {
    /// JSON Pointer into the body, or `/query/…`, `/path/…`, `/header/…`.
    #[schema(max_length = 400)]
    pointer: String,
    /// A stable code such as `required`, `type`, `max_length`.
    #[schema(max_length = 60)]
    code: &'static str,
    /// What is wrong.
    #[schema(max_length = 2000)]
    detail: String,
}

/// Wrong fields that are named at most: a small request must not have a large answer.
const NAMED: usize = 100;

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// The media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json; charset=utf-8";

/// The answer to `error`.
pub fn response(error: &Error, language: Language, request_id: &str) -> HttpResponse {
    let inner = error.inner();
    let status = inner.code.status();
    let problem = Problem {
        kind: format!("urn:unionhall:problem:{}", inner.code.as_str()),
        title: language.pick(&inner.code.title()).to_owned(),
        status: status.as_u16(),
        detail: inner.detail.as_ref().map(|text| cut(language.pick(text), 2000)),
        code: inner.code.as_str(),
        request_id: request_id.to_owned(),
        errors: inner
            .faults
            .iter()
            .take(NAMED)
            .map(|fault| FieldProblem {
                pointer: cut(&fault.pointer, 400),
                code: fault.code,
                detail: cut(language.pick(&fault.detail), 2000),
            })
            .collect(),
        current: inner.current.clone(),
    };
    let mut builder = HttpResponse::build(status);
    builder.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
    builder.insert_header((header::CONTENT_LANGUAGE, language.tag()));
    if let Some(after) = inner.retry_after {
        builder.insert_header((header::RETRY_AFTER, after.as_secs().max(1).to_string()));
    }
    if let Some(allow) = inner.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
        builder.insert_header((header::ALLOW, allow));
    }
    if status == StatusCode::UNAUTHORIZED {
        builder.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"unionhall\""));
    }
    builder.json(problem)
}

/// The code for an answer of the framework's own.
pub fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        406 => Code::NotAcceptable,
        408 => Code::RequestTimeout,
        413 => Code::BodyTooLarge,
        414 => Code::UriTooLong,
        415 => Code::UnsupportedMediaType,
        429 => Code::RateLimited,
        400..=499 => Code::BadRequest,
        503 => Code::Overloaded,
        _ => Code::Internal,
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.code().status()
    }

    /// A placeholder: the middleware knows language and request id and writes the document.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.code().status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_wins_and_chinese_is_the_default() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(value).unwrap());
            Language::of(&headers)
        };
        assert_eq!(of("en-US,en;q=0.9,zh;q=0.8"), Language::English);
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(of("fr"), Language::Chinese);
        assert_eq!(of(";;;q=,,en;q=x"), Language::English);
        assert_eq!(Language::of(&HeaderMap::new()), Language::Chinese);
    }
}
