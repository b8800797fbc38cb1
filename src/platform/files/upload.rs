//! The request that brings a file, and what is made of it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::classes::LARGEST;
use super::form::{self, Form};
use super::model::{CONTENT, File, FileState, NAME};
use super::prints::{self, Print};
use super::{Files, inspect};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{FileId, PersonId};
use crate::platform::access::guard::passed;
use crate::platform::http::extract::{RequestKey, idempotency_key, read_body_within};
use crate::platform::vault::Vault;

/// A form with a file, and its `Idempotency-Key`.
pub struct Upload {
    /// The form.
    pub form: Form,
    /// The client's key.
    pub key: String,
    /// Method and path of the request.
    address: String,
    /// So many may be in memory at once.
    _slot: OwnedSemaphorePermit,
}

impl FromRequest for Upload {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let req = req.clone();
        let payload = payload.take();
        Box::pin(async move {
            passed(&req).await;
            let files = req
                .app_data::<Data<Files>>()
                .ok_or_else(|| Error::internal("the application has no files"))?;
            let key = idempotency_key(&req)?;
            let said = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let boundary = form::boundary(said)?;
            if req.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity") {
                return Err(Error::new(Code::UnsupportedMediaType)
                    .detail("不接受压缩的请求体", "The body must not be compressed"));
            }
            // Nobody waits here: whoever waits holds a connection and later a whole file.
            let slot = files.uploads().try_acquire_owned();
            let slot = slot.map_err(|_| Error::new(Code::Overloaded).retry_after(Duration::from_secs(2)))?;
            let body = read_body_within(&req, payload, LARGEST + form::OVERHEAD, files.upload_time()).await?;
            let form = form::read(&boundary, &body)?;
            let address = format!("{} {}", req.method(), req.path());
            Ok(Self { form, key, address, _slot: slot })
        })
    }
}

/// A file that was looked at and sealed.
pub(super) struct Received {
    /// What names the request for its repetitions.
    pub key: RequestKey,
    /// Its row.
    pub file: File,
    /// What goes into the store.
    pub sealed: Vec<u8>,
    /// What it is by, of a picture that may be shown as evidence.
    pub print: Option<Print>,
}

impl Upload {
    /// Looks at the file and seals it. Takes a while, so it is done off the async threads.
    pub(super) fn receive(
        &self,
        vault: &Vault,
        id: FileId,
        owner: PersonId,
        now: DateTime<Utc>,
    ) -> Result<Received> {
        let Form { class, file, name } = &self.form;
        let checked = inspect::check(*class, file)?;
        let mut fingerprint = Sha256::new();
        for part in [self.address.as_bytes(), class.as_str().as_bytes(), file] {
            fingerprint.update(part.len().to_le_bytes());
            fingerprint.update(part);
        }
        let key = RequestKey { key: self.key.clone(), fingerprint: fingerprint.finalize().to_vec() };
        let row = id.0.as_bytes();
        let name_sealed = match name.as_str() {
            "" => None,
            name => Some(vault.seal(NAME, row, name).map_err(Error::internal)?),
        };
        let file = File {
            id,
            owner_id: owner,
            class: *class,
            media_type: checked.media,
            bytes: i64::try_from(checked.bytes.len()).unwrap_or(i64::MAX),
            width: checked.size.map(|(width, _)| width.into()),
            height: checked.size.map(|(_, height)| height.into()),
            sha256: Sha256::digest(&checked.bytes).to_vec(),
            name_sealed,
            storage_key: storage_key(id),
            vault_key: vault.active_key().to_owned(),
            state: FileState::Arriving,
            holder_kind: None,
            holder_id: None,
            created_at: db_time(now),
            attached_at: None,
            removed_at: None,
            erased_at: None,
        };
        let sealed = vault.seal_bytes(CONTENT, row, &checked.bytes).map_err(Error::internal)?;
        let print = prints::take(&file, &checked.bytes);
        Ok(Received { key, file, sealed, print })
    }
}

/// Made of the id alone: two signs of its random end as a folder, so that no folder grows too large.
fn storage_key(id: FileId) -> String {
    let id = id.0.simple().to_string();
    format!("{}/{id}", id.get(30..).unwrap_or_default())
}
