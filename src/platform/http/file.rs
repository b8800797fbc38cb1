//! Bodies that are files: taken as bytes, of the types and up to the size that the operation says.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use sha2::{Digest, Sha256};

use super::extract::{RequestKey, idempotency_key, read_body};
use crate::error::{Code, Error, Result};
use crate::platform::access::guard::passed;

/// What files an operation takes.
pub trait FileKind: 'static {
    /// Media types, in lower case.
    const TYPES: &'static [&'static str];
    /// Bytes at most.
    const LIMIT: usize;
}

/// A file with its `Idempotency-Key`. The key stands for the file, its type and the query.
pub struct IdempotentFile<K> {
    /// The content.
    pub bytes: Bytes,
    /// One of the kind's types.
    pub media: &'static str,
    /// Names this request for its repetitions.
    pub key: RequestKey,
    kind: PhantomData<K>,
}

impl<K: FileKind> FromRequest for IdempotentFile<K> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let req = req.clone();
        let payload = payload.take();
        Box::pin(async move {
            passed(&req).await;
            let key = idempotency_key(&req)?;
            let media = media_type::<K>(&req)?;
            let bytes = read_body(&req, payload, K::LIMIT).await?;
            let mut hash = Sha256::new();
            let (method, path, query) = (req.method().as_str(), req.path(), req.query_string());
            for part in [method.as_bytes(), path.as_bytes(), query.as_bytes(), media.as_bytes(), &bytes] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
            let key = RequestKey { key, fingerprint: hash.finalize().to_vec() };
            Ok(Self { bytes, media, key, kind: PhantomData })
        })
    }
}

fn media_type<K: FileKind>(req: &HttpRequest) -> Result<&'static str> {
    let said = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = said.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    let coded = req.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity");
    let known = K::TYPES.iter().find(|one| one.eq_ignore_ascii_case(essence));
    known.filter(|_| !coded).copied().ok_or_else(|| {
        let types = K::TYPES.join(", ");
        Error::new(Code::UnsupportedMediaType)
            .detail(format!("此处接受：{types}"), format!("Here it must be one of: {types}"))
    })
}
