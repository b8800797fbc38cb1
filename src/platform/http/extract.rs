//! Extractors: what a handler asks for in its signature, checked before it runs.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::contract::Contract;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::platform::access::guard::{Route, passed};

/// Bytes of a JSON body at most.
pub const BODY_LIMIT: usize = 64 * 1024;
/// How long a body may take to arrive.
pub const BODY_TIME: Duration = Duration::from_secs(15);

/// A JSON body of the type `T`, checked against the OpenAPI document.
pub struct ApiJson<T>(pub T);

/// A JSON body with its `Idempotency-Key`.
pub struct Idempotent<T> {
    /// The body.
    pub body: T,
    /// Names this request for its repetitions.
    pub key: RequestKey,
}

/// A JSON body of a device, with the bytes that it signed.
pub struct Signed<T> {
    /// The body.
    pub body: T,
    /// As it came.
    pub bytes: Bytes,
    /// What `X-Device-Signature` says.
    pub signature: String,
}

/// Bytes of a body that a device signs at most: 500 scans.
pub const SIGNED_LIMIT: usize = 256 * 1024;

/// An idempotency key with what it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The client's key.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub fingerprint: Vec<u8>,
}

/// Query parameters of the type `T`, checked against the OpenAPI document.
pub struct ApiQuery<T>(pub T);

/// A path parameter. A text that is no such id names nothing: 404.
pub struct ApiPath<T>(pub T);

/// Two path parameters, in their order.
pub struct ApiPaths<A, B>(pub A, pub B);

/// The version in `If-Match`: 428 without one, 412 for another.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(i64);

impl IfMatch {
    /// The version that the caller has read.
    pub fn version(self) -> i64 {
        self.0
    }
}

type LocalFuture<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for ApiJson<T> {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let req = req.clone();
        let payload = payload.take();
        Box::pin(async move {
            passed(&req).await;
            let bytes = read_body(&req, payload, BODY_LIMIT).await?;
            parse::<T>(&req, &bytes).map(ApiJson)
        })
    }
}

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Signed<T> {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let req = req.clone();
        let payload = payload.take();
        Box::pin(async move {
            passed(&req).await;
            let signature = req.headers().get("x-device-signature").and_then(|value| value.to_str().ok());
            let signature = signature.unwrap_or_default().to_owned();
            let bytes = read_body(&req, payload, SIGNED_LIMIT).await?;
            let body = parse::<T>(&req, &bytes)?;
            Ok(Self { body, bytes, signature })
        })
    }
}

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Idempotent<T> {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let req = req.clone();
        let payload = payload.take();
        Box::pin(async move {
            passed(&req).await;
            let key = idempotency_key(&req)?;
            let bytes = read_body(&req, payload, BODY_LIMIT).await?;
            let body = parse::<T>(&req, &bytes)?;
            let mut hash = Sha256::new();
            let content: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
            for part in [req.method().as_str().as_bytes(), req.path().as_bytes(), content] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
            Ok(Self { body, key: RequestKey { key, fingerprint: hash.finalize().to_vec() } })
        })
    }
}

pub(crate) fn idempotency_key(req: &HttpRequest) -> Result<String> {
    let mut values = req.headers().get_all("idempotency-key");
    let Some(value) = values.next() else {
        return Err(Error::new(Code::IdempotencyKeyMissing).detail(
            "请为每次操作生成一个随机值（如 UUID），重试时使用同一个值",
            "Make a random value (such as a UUID) for each action and repeat it when you retry",
        ));
    };
    let text = value.to_str().unwrap_or_default();
    let fine = values.next().is_none()
        && (8..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    if fine {
        return Ok(text.to_owned());
    }
    Err(Error::parameter(
        Code::HeaderInvalid,
        Fault::new(
            "/header/Idempotency-Key",
            "pattern",
            Text::new("应为 8 到 100 个字母、数字或 - _ . :", "must be 8 to 100 letters, digits or - _ . :"),
        ),
    ))
}

pub(crate) async fn read_body(req: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes> {
    read_body_within(req, payload, limit, BODY_TIME).await
}

/// Reads a body of `limit` bytes at most, which has `time` to arrive.
pub(crate) async fn read_body_within(
    req: &HttpRequest,
    mut payload: Payload,
    limit: usize,
    time: Duration,
) -> Result<Bytes> {
    let declared = req
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(0);
    let too_large = || {
        Error::new(Code::BodyTooLarge)
            .detail(format!("最多 {} KB", limit / 1024), format!("At most {} KiB", limit / 1024))
    };
    if declared > limit {
        return Err(too_large());
    }
    let read = async {
        let mut body = BytesMut::with_capacity(declared);
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| Error::new(Code::BadRequest).cause(error.to_string()))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(time, read).await.unwrap_or_else(|_| Err(Error::new(Code::RequestTimeout)))
}

fn parse<T: DeserializeOwned + ToSchema>(req: &HttpRequest, bytes: &[u8]) -> Result<T> {
    let json_type = req
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    // An act without content may come without a body at all.
    let bytes: &[u8] =
        if bytes.is_empty() && !req.headers().contains_key(header::CONTENT_TYPE) { b"{}" } else { bytes };
    let coded = req.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity");
    if coded || (!json_type && bytes != b"{}") {
        return Err(Error::new(Code::UnsupportedMediaType)
            .detail("须为 application/json，且不压缩", "It must be application/json, not compressed"));
    }
    let value = super::json::read(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::new(Code::JsonMalformed)
            .detail(format!("第 {line} 行第 {column} 列"), format!("Line {line}, column {column}"))
    })?;
    let contract = contract(req)?;
    let faults = contract.check_body(&T::name(), &value);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    // What the schema cannot say, such as a day that no calendar has.
    serde_json::from_value(value).map_err(|error| {
        Error::invalid(vec![Fault::new(
            "",
            "invalid",
            Text::new(format!("无法读取：{error}"), error.to_string()),
        )])
    })
}

fn contract(req: &HttpRequest) -> Result<&Data<Contract>> {
    req.app_data::<Data<Contract>>().ok_or_else(|| Error::internal("no contract in the application"))
}

impl<T: DeserializeOwned + 'static> FromRequest for ApiQuery<T> {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            passed(&req).await;
            query(&req).map(ApiQuery)
        })
    }
}

fn query<T: DeserializeOwned>(req: &HttpRequest) -> Result<T> {
    let pattern = Route::of(req).pattern;
    let wrong = |faults: Vec<Fault>| Error::parameters(Code::QueryInvalid, faults);
    let value =
        contract(req)?.read_query(req.method().as_str(), &pattern, req.query_string()).map_err(wrong)?;
    serde_json::from_value(value).map_err(|error| {
        wrong(vec![Fault::new(
            "/query",
            "invalid",
            Text::new(format!("无法读取：{error}"), error.to_string()),
        )])
    })
}

impl<T: std::str::FromStr + 'static> FromRequest for ApiPath<T> {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            passed(&req).await;
            let value = req.match_info().iter().next().and_then(|(_, text)| text.parse().ok());
            value.map(ApiPath).ok_or_else(Error::not_found)
        })
    }
}

impl<A: std::str::FromStr + 'static, B: std::str::FromStr + 'static> FromRequest for ApiPaths<A, B> {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            passed(&req).await;
            let mut texts = req.match_info().iter().map(|(_, text)| text);
            let one = texts.next().and_then(|text| text.parse().ok());
            let other = texts.next().and_then(|text| text.parse().ok());
            one.zip(other).map(|(one, other)| Self(one, other)).ok_or_else(Error::not_found)
        })
    }
}

impl FromRequest for IfMatch {
    type Error = Error;
    type Future = LocalFuture<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            passed(&req).await;
            if_match(&req)
        })
    }
}

fn if_match(req: &HttpRequest) -> Result<IfMatch> {
    let Some(value) = req.headers().get(header::IF_MATCH) else {
        return Err(Error::new(Code::PreconditionRequired).detail(
            "请先读取该资源，并把响应中的 ETag 放入 If-Match",
            "Read the resource first and send its ETag as If-Match",
        ));
    };
    value.to_str().ok().and_then(super::reply::version_of_etag).map(IfMatch).ok_or_else(|| {
        // A tag that we never gave matches nothing.
        Error::new(Code::PreconditionFailed)
    })
}
