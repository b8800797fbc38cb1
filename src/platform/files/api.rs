//! Files over HTTP.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::classes::{FileClass, LARGEST, MediaType};
use super::links::Link;
use super::model::{CONTENT, File, FileState, NAME};
use super::upload::Upload;
use super::{Files, prints, store};
use crate::error::{Code, Error, Result};
use crate::ids::FileId;
use crate::platform::Platform;
use crate::platform::access::policy::OwnData;
use crate::platform::access::{Actor, Guard};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::idempotency::{Use, find_in_tx};
use crate::platform::http::limits::Limits;
use crate::platform::http::reply::{etag, knows};
use crate::platform::http::{ApiPath, Reply, Stored};
use crate::platform::vault::Vault;

/// How long a reader waits for its turn before it is told 503.
const TURN: Duration = Duration::from_secs(5);
/// Bytes of a content that are handed on at once.
const CHUNK: usize = 64 * 1024;

/// A file with what it is for, as `wx.uploadFile` sends it. The document is made from this type; the form is read by [`super::form`].
#[derive(ToSchema)]
pub struct FileUpload {
    /// What it is for.
    pub class: FileClass,
    /// The file. What it is, its content decides; its name and declared type do not.
    #[schema(value_type = String, format = Binary, max_length = 10_485_760)]
    pub file: Vec<u8>,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileView {
    /// Its id.
    pub id: FileId,
    /// What it is for.
    pub class: FileClass,
    /// What it is.
    pub media_type: MediaType,
    /// How long its content is, as it is kept.
    #[schema(minimum = 1, maximum = 10_485_760)]
    pub bytes: i64,
    /// Pixels of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 30_000)]
    pub width: Option<i64>,
    /// Pixels of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 30_000)]
    pub height: Option<i64>,
    /// SHA-256 of its content, as it is kept.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Whether it hangs on something; one that does not is removed after a day.
    pub attached: bool,
    /// When it came.
    pub created_at: DateTime<Utc>,
    /// The name that it had on the uploader's device; not in the answer to an upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub name: Option<String>,
}

impl FileView {
    /// What is told of `file`; with its [`name`] where that was opened.
    pub fn new(file: &File, name: Option<String>) -> Self {
        Self {
            id: file.id,
            class: file.class,
            media_type: file.media_type,
            bytes: file.bytes,
            width: file.width,
            height: file.height,
            sha256: hex::encode(&file.sha256),
            attached: file.state == FileState::Attached,
            created_at: file.created_at.and_utc(),
            name,
        }
    }
}

/// A link that opens a file without a login.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileLinkView {
    /// Where, on this server.
    #[schema(max_length = 200, pattern = "^/api/v1/file-contents/[A-Za-z0-9_-]{118}$")]
    pub path: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// The content of a file.
pub struct FileContent;

impl PartialSchema for FileContent {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("The content of a file, at most 10 MiB"))
            .max_length(Some(LARGEST))
            .into()
    }
}

impl ToSchema for FileContent {
    fn name() -> std::borrow::Cow<'static, str> {
        "FileContent".into()
    }
}

/// What a link ends in.
pub struct FileLinkToken;

impl PartialSchema for FileLinkToken {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9_-]{118}$"))
            .min_length(Some(118))
            .max_length(Some(118))
            .examples([json!("A".repeat(118))])
            .into()
    }
}

impl ToSchema for FileLinkToken {
    fn name() -> std::borrow::Cow<'static, str> {
        "FileLinkToken".into()
    }
}

/// Upload a file / 上传文件
///
/// One file a request, as `wx.uploadFile` sends it: the part `file`, and `class` in `formData`. JPEG, PNG and WebP up to 65
/// megapixels; for `document` and `evidence` PDF too. 8 MiB for a `photo`, 10 MiB for others. Of pictures of the classes `photo` and `document`
/// nothing is kept but the picture: position, time and camera go. `evidence` is kept as it came. A file that nothing names after a day is
/// removed. `file_type_refused`, `file_broken`, `file_mixed` (something follows the picture's end, or it is an archive besides; PDF with
/// scripts or files inside) and `file_pixels` say what is wrong.
#[utoipa::path(
    tag = "files", operation_id = "file_upload", security(("bearer" = ["self"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 201, description = "The file", body = FileView)),
)]
#[post("/api/v1/files")]
pub async fn file_upload(
    platform: Data<Platform>,
    files: Data<Files>,
    guard: Guard<OwnData>,
    upload: Upload,
) -> Result<Stored> {
    let (owner, now, id) = (guard.person(), platform.clock.now(), platform.ids.id::<FileId>());
    let vault = platform.vault.clone();
    let (received, _upload) =
        off_thread(move || Ok((upload.receive(&vault, id, owner, now)?, upload))).await?;
    let one = Use { principal: owner, request: received.key.clone() };
    let known = platform.db.read(move |c| Ok(find_in_tx(c, &[&one])?.remove(&0))).await?;
    if let Some(known) = known {
        return known.into_result();
    }
    let file = Arc::new(received.file);
    let (row, print) = (Arc::clone(&file), received.print);
    let arrive = move |c: &mut Conn| {
        store::arrive_in_tx(c, &row)?;
        prints::keep_in_tx(c, print.as_slice())
    };
    platform.db.write(arrive).await?;
    let arrived = files.storage().put(&file.storage_key, received.sealed).await;
    let act = move |c: &mut Conn| {
        store::settle_in_tx(c, id)?;
        let detail = json!({ "class": file.class, "media_type": file.media_type, "bytes": file.bytes });
        audit::append_in_tx(c, now, vec![Entry::new(owner, "file.upload", id).detail(detail)])?;
        Stored::created(format!("/api/v1/files/{id}"), 0, &FileView::new(&file, None))
    };
    let outcome = match arrived {
        Ok(()) => platform.idempotency.run(owner, received.key, act).await,
        Err(error) => Err(error),
    };
    if !outcome.as_ref().is_ok_and(|stored| !stored.replayed) {
        abandon(&platform, id).await;
    }
    outcome
}

/// What came of an upload that made nothing is for nobody. Should this fail, the sweep does it.
async fn abandon(platform: &Platform, id: FileId) {
    let (now, ids) = (platform.clock.now(), platform.ids.clone());
    let done = platform.db.write(move |c| store::abandon_in_tx(c, &ids, id, now)).await;
    match done {
        Ok(()) => platform.jobs.ring(),
        Err(error) => tracing::debug!(%error, "what came of an upload is left to the sweep"),
    }
}

/// What is known of a file / 查看文件信息
#[utoipa::path(
    tag = "files", operation_id = "file_get", security(("bearer" = ["self"])),
    params(("id" = FileId, Path, description = "The file")),
    responses((status = 200, description = "The file", body = FileView)),
)]
#[get("/api/v1/files/{id}")]
pub async fn file_get(
    platform: Data<Platform>,
    files: Data<Files>,
    guard: Guard<OwnData>,
    id: ApiPath<FileId>,
) -> Result<Reply<FileView>> {
    let (actor, holders, id, vault) =
        (guard.actor().clone(), files.holders().clone(), id.0, platform.vault.clone());
    let view = platform.db.read(move |c| {
        let file = store::get(c, id)?;
        if !store::may_read(c, &holders, &actor, &file)? {
            return Err(Error::not_found());
        }
        Ok(FileView::new(&file, name(&vault, &file)?))
    });
    Ok(Reply::new(view.await?))
}

/// The name that a file had on the uploader's device.
pub fn name(vault: &Vault, file: &File) -> Result<Option<String>> {
    let open = |sealed: &String| vault.open(NAME, file.id.0.as_bytes(), sealed).map_err(Error::internal);
    Ok(file.name_sealed.as_ref().map(open).transpose()?.map(|name| name.expose_secret().to_owned()))
}

/// The content of a file / 下载文件
#[utoipa::path(
    tag = "files", operation_id = "file_content_get", security(("bearer" = ["self"])),
    params(("id" = FileId, Path, description = "The file")),
    responses((status = 200, description = "Its content, to be saved and not shown", content(
        (FileContent = "image/jpeg"), (FileContent = "image/png"), (FileContent = "image/webp"), (FileContent = "application/pdf"),
    ))),
)]
#[get("/api/v1/files/{id}/content")]
pub async fn file_content_get(
    platform: Data<Platform>,
    files: Data<Files>,
    guard: Guard<OwnData>,
    id: ApiPath<FileId>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    content(&platform, &files, guard.actor(), id.0, "login", &request).await
}

/// Make a link to a file's content / 生成文件临时链接
///
/// For `wx.previewImage`, `wx.openDocument` and `<image>`, which send no headers. Good for five minutes at most, for as long as one's login
/// and one's right to read the file last. A link has no effect of its own, so that it takes no idempotency key, and none keeps it.
#[utoipa::path(
    tag = "files", operation_id = "file_link_create", security(("bearer" = ["self"])),
    params(("id" = FileId, Path, description = "The file")),
    responses((status = 200, description = "The link", body = FileLinkView)),
)]
#[post("/api/v1/files/{id}/links")]
pub async fn file_link_create(
    platform: Data<Platform>,
    files: Data<Files>,
    guard: Guard<OwnData>,
    id: ApiPath<FileId>,
) -> Result<Reply<FileLinkView>> {
    let (actor, now, id) = (guard.actor(), platform.clock.now(), id.0);
    admitted(&platform, &files, actor, id, "file.link", json!({})).await?;
    let link = Link { file: id, person: actor.person, family: actor.family };
    let (token, expires_at) = files.links.show(link, now);
    Ok(Reply::new(FileLinkView { path: format!("/api/v1/file-contents/{token}"), expires_at }).secret())
}

/// The content of a file, by a link / 通过临时链接打开文件
#[utoipa::path(
    tag = "files", operation_id = "file_link_open", security(()),
    params(("token" = FileLinkToken, Path, description = "What the link ends in")),
    responses((status = 200, description = "Its content, to be saved and not shown", content(
        (FileContent = "image/jpeg"), (FileContent = "image/png"), (FileContent = "image/webp"), (FileContent = "application/pdf"),
    ))),
)]
#[get("/api/v1/file-contents/{token}")]
pub async fn file_link_open(
    platform: Data<Platform>,
    files: Data<Files>,
    limits: Data<Limits>,
    token: ApiPath<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let invalid = || Error::new(Code::FileLinkInvalid);
    let link = files.links.read(&token.0, platform.clock.now()).ok_or_else(invalid)?;
    // Whoever has only the link learns nothing of the login behind it.
    let actor =
        platform.access.actor(link.person, link.family).await.map_err(|error| hidden(error, invalid))?;
    limits.admit_person(actor.person).await?;
    content(&platform, &files, &actor, link.file, "link", &request)
        .await
        .map_err(|error| hidden(error, invalid))
}

fn hidden(error: Error, invalid: impl Fn() -> Error) -> Error {
    match error.code() {
        Code::NotFound | Code::Unauthenticated | Code::PersonDisabled => invalid(),
        _ => error,
    }
}

/// Remove a file that hangs on nothing / 删除未使用的文件
#[utoipa::path(
    tag = "files", operation_id = "file_delete", security(("bearer" = ["self"])),
    params(("id" = FileId, Path, description = "The file")),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/api/v1/files/{id}")]
pub async fn file_delete(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<FileId>,
) -> Result<HttpResponse> {
    let (owner, now, id, ids) = (guard.person(), platform.clock.now(), id.0, platform.ids.clone());
    platform
        .db
        .write(move |c| {
            store::remove_in_tx(c, &ids, id, owner, now)?;
            audit::append_in_tx(c, now, vec![Entry::new(owner, "file.remove", id)])
        })
        .await?;
    platform.jobs.ring();
    Ok(HttpResponse::NoContent().finish())
}

/// The file, if `actor` may read it; written into the audit as `action`, or that it was refused.
async fn admitted(
    platform: &Platform,
    files: &Files,
    actor: &Actor,
    id: FileId,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<File> {
    let (actor, holders, now) = (actor.clone(), files.holders().clone(), platform.clock.now());
    let asked = platform.db.write(move |c| {
        let file = store::get(c, id)?;
        let allowed = store::may_read(c, &holders, &actor, &file)?;
        let action = if allowed { action } else { "file.refuse" };
        let told = store::told_as(&holders, actor.person, &file);
        audit::append_in_tx(c, now, vec![Entry::new(actor.person, action, told).detail(detail)])?;
        Ok(allowed.then_some(file))
    });
    asked.await?.ok_or_else(Error::not_found)
}

async fn content(
    platform: &Platform,
    files: &Files,
    actor: &Actor,
    id: FileId,
    by: &'static str,
    request: &HttpRequest,
) -> Result<HttpResponse> {
    let busy = || Error::new(Code::Overloaded).retry_after(Duration::from_secs(1));
    let turn = tokio::time::timeout(TURN, Arc::clone(&files.downloads).acquire_owned()).await;
    let turn = turn.map_err(|_| busy())?.map_err(Error::internal)?;
    let file = admitted(platform, files, actor, id, "file.read", json!({ "by": by })).await?;
    let tag = etag(0, &file.sha256);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, tag.clone()))
        .insert_header((header::CACHE_CONTROL, "private, no-cache, no-store"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; frame-ancestors 'none'",
        ));
    if knows(request, &tag) {
        return Ok(response.status(actix_web::http::StatusCode::NOT_MODIFIED).finish());
    }
    let sealed = files.storage().get(&file.storage_key).await?;
    let (vault, digest) = (platform.vault.clone(), file.sha256.clone());
    let opened = off_thread(move || {
        let plain = vault.open_bytes(CONTENT, id.0.as_bytes(), &sealed).map_err(Error::internal)?;
        let same = Sha256::digest(&plain).as_slice() == digest;
        if same { Ok(plain) } else { Err(Error::internal("a file's content is another's")) }
    });
    let bytes = Bytes::from(opened.await?);
    let name = format!("attachment; filename=\"{id}.{}\"", file.media_type.extension());
    response
        .insert_header((header::CONTENT_TYPE, file.media_type.as_str()))
        .insert_header((header::CONTENT_DISPOSITION, name));
    Ok(response.body(Held { bytes, _turn: turn }))
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// A content that is counted as being read until it was handed on.
struct Held {
    bytes: Bytes,
    _turn: OwnedSemaphorePermit,
}

impl MessageBody for Held {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = self.bytes.len().min(CHUNK);
        Poll::Ready((next > 0).then(|| Ok(self.bytes.split_to(next))))
    }
}
