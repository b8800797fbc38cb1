//! Answers: JSON with an entity tag, and answers that are kept under an idempotency key.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::public::PublicAnswer;
use crate::error::Result;

/// A JSON answer to a read. Its entity tag is made of the resource's version, for `If-Match`, and of the
/// bytes, for `If-None-Match`: a view may change (places taken) without a new version of what is edited.
#[derive(Debug)]
pub struct Reply<T> {
    body: T,
    version: i64,
    caching: Caching,
    since: Option<DateTime<Utc>>,
}

/// Who may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caching {
    /// The caller, after asking whether it still holds.
    Private,
    /// Everybody, after asking whether it still holds.
    Public,
    /// Nobody: it carries a secret.
    Never,
}

impl<T: Serialize> Reply<T> {
    /// An answer for this caller alone.
    pub fn new(body: T) -> Self {
        Self { body, version: 0, caching: Caching::Private, since: None }
    }

    /// The version that a later `If-Match` must name.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// An answer that is the same for everybody and may be kept by caches, after asking whether it still holds.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.caching = Caching::Public;
        self
    }

    /// [`Self::public`], of what was read at `at`: it is given again for a moment from then.
    #[must_use]
    pub fn public_since(mut self, at: DateTime<Utc>) -> Self {
        self.since = Some(at);
        self.public()
    }

    /// An answer that carries a secret: nobody keeps it, and it has no entity tag.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.caching = Caching::Never;
        self
    }
}

/// The entity tag of `bytes` at `version`.
pub fn etag(version: i64, bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    format!("\"v{version}-{}\"", hex::encode(hash.get(..8).unwrap_or_default()))
}

/// The version inside an entity tag that [`etag`] made.
pub fn version_of_etag(tag: &str) -> Option<i64> {
    let (version, hash) =
        tag.trim().trim_start_matches("W/").strip_prefix("\"v")?.strip_suffix('"')?.split_once('-')?;
    (hash.len() == 16).then(|| version.parse().ok())?
}

impl<T: Serialize> Responder for Reply<T> {
    type Body = BoxBody;

    fn respond_to(self, req: &HttpRequest) -> HttpResponse {
        let bytes = match serde_json::to_vec(&self.body) {
            Ok(bytes) => bytes,
            Err(error) => return HttpResponse::from_error(crate::error::Error::internal(error)),
        };
        if self.caching == Caching::Never {
            return HttpResponse::Ok()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .insert_header((header::CONTENT_TYPE, "application/json; charset=utf-8"))
                .body(bytes);
        }
        let tag = etag(self.version, &bytes);
        // The answer to an act is not kept, and an act is not answered with "you know that already".
        if !req.method().is_safe() {
            let mut response = HttpResponse::Ok();
            if self.version > 0 {
                response.insert_header((header::ETAG, tag));
            }
            response.insert_header((header::CONTENT_TYPE, "application/json; charset=utf-8"));
            return response.body(bytes);
        }
        if self.caching == Caching::Private {
            return read(req, tag, "private, no-cache", bytes.into());
        }
        let answer = PublicAnswer { bytes: bytes.into(), tag, since: self.since };
        let mut response = public(req, answer.clone());
        response.extensions_mut().insert(answer);
        response
    }
}

/// The response with a public answer.
pub(super) fn public(req: &HttpRequest, answer: PublicAnswer) -> HttpResponse {
    read(req, answer.tag, "no-cache", answer.bytes)
}

fn read(req: &HttpRequest, tag: String, control: &'static str, bytes: Bytes) -> HttpResponse {
    let known = knows(req, &tag);
    let mut response = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    response.insert_header((header::ETAG, tag));
    response.insert_header((header::CACHE_CONTROL, control));
    if known {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, "application/json; charset=utf-8"));
    response.body(bytes)
}

/// Whether the client has what `tag` names (RFC 9110, 13.1.2).
pub(crate) fn knows(req: &HttpRequest, tag: &str) -> bool {
    let known = req.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        known.trim() == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
    })
}

/// The answer to an act, as it is kept under its idempotency key and given again, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// HTTP status, 2xx.
    pub status: u16,
    /// Where the new resource is.
    pub location: Option<String>,
    /// The entity tag of the new resource.
    pub etag: Option<String>,
    /// JSON.
    pub body: String,
    /// Whether this is a repetition of an earlier answer.
    pub replayed: bool,
    /// Whether what was written on the way to it is undone, and the answer not kept.
    pub undone: bool,
}

impl Stored {
    /// 201 with the new resource.
    ///
    /// # Errors
    /// Only when the body cannot be written as JSON: a bug.
    pub fn created(location: String, version: i64, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_string(body).map_err(crate::error::Error::internal)?;
        let etag = Some(etag(version, body.as_bytes()));
        Ok(Self { status: 201, location: Some(location), etag, body, replayed: false, undone: false })
    }

    /// 202 with what will be made.
    ///
    /// # Errors
    /// Only when the body cannot be written as JSON: a bug.
    pub fn accepted(location: String, body: &impl Serialize) -> Result<Self> {
        Ok(Self { status: 202, ..Self::created(location, 0, body)? })
    }

    /// 200 with what the act left.
    ///
    /// # Errors
    /// Only when the body cannot be written as JSON: a bug.
    pub fn done(version: i64, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_string(body).map_err(crate::error::Error::internal)?;
        let etag = Some(etag(version, body.as_bytes()));
        Ok(Self { status: 200, location: None, etag, body, replayed: false, undone: false })
    }

    /// 200 with what the act would have left, and nothing left: of a trial, or where what was asked for is wrong in parts and the verdicts
    /// are the answer. A repetition is judged again, as after a refusal.
    ///
    /// # Errors
    /// Only when the body cannot be written as JSON: a bug.
    pub fn undone(body: &impl Serialize) -> Result<Self> {
        Ok(Self { undone: true, ..Self::done(0, body)? })
    }
}

impl Responder for Stored {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK));
        for (name, value) in [(header::LOCATION, self.location), (header::ETAG, self.etag)] {
            if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
                response.insert_header((name, value));
            }
        }
        if self.replayed {
            response.insert_header(("Idempotency-Replayed", "true"));
        }
        response.insert_header((header::CONTENT_TYPE, "application/json; charset=utf-8"));
        response.body(self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    #[test]
    fn only_a_read_is_answered_with_not_modified() {
        let answer = |method: Method, version: i64| {
            let req = TestRequest::with_uri("/").method(method).insert_header((header::IF_NONE_MATCH, "*"));
            Reply::new(1).version(version).respond_to(&req.to_http_request())
        };
        assert_eq!(answer(Method::GET, 0).status(), StatusCode::NOT_MODIFIED);
        let changed = answer(Method::PUT, 3);
        assert_eq!(changed.status(), StatusCode::OK);
        assert!(changed.headers().contains_key(header::ETAG));
        let done = answer(Method::POST, 0);
        assert_eq!(done.status(), StatusCode::OK);
        assert!(
            !done.headers().contains_key(header::ETAG) && !done.headers().contains_key(header::CACHE_CONTROL)
        );
    }

    #[test]
    fn a_version_survives_its_tag() {
        let tag = etag(42, b"{}");
        assert_eq!(version_of_etag(&tag), Some(42));
        assert_eq!(version_of_etag(&format!("W/{tag}")), Some(42));
        for stranger in ["*", "\"42\"", "\"v42\"", "\"v-0123456789abcdef\"", "v42-0123456789abcdef", ""] {
            assert_eq!(version_of_etag(stranger), None, "{stranger}");
        }
    }
}
