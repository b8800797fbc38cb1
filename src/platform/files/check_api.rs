//! Where WeChat fetches the pictures that it is asked about: it has no login, so the link alone opens one picture for half an hour.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::api::FileContent;
use super::classes::MediaType;
use super::model::CONTENT;
use super::{Files, store};
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::platform::audit::{self, Entry};
use crate::platform::http::ApiPath;

/// How long WeChat waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// What a link of the content check ends in.
pub struct FileCheckToken;

impl PartialSchema for FileCheckToken {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9_-]{75}$"))
            .min_length(Some(75))
            .max_length(Some(75))
            .examples([json!("A".repeat(75))])
            .into()
    }
}

impl ToSchema for FileCheckToken {
    fn name() -> std::borrow::Cow<'static, str> {
        "FileCheckToken".into()
    }
}

/// A picture for the content check / 供内容安全检测读取图片
///
/// For WeChat alone, which is given the link with the question.
#[utoipa::path(
    tag = "files", operation_id = "file_check_open", security(()),
    params(("token" = FileCheckToken, Path, description = "What the link ends in")),
    responses((status = 200, description = "The picture", content(
        (FileContent = "image/jpeg"), (FileContent = "image/png"), (FileContent = "image/webp"),
    ))),
)]
#[get("/api/v1/file-checks/{token}")]
pub async fn file_check_open(
    platform: Data<Platform>,
    files: Data<Files>,
    token: ApiPath<String>,
) -> Result<HttpResponse> {
    let invalid = || Error::new(Code::FileLinkInvalid);
    let (now, vault) = (platform.clock.now(), platform.vault.clone());
    let id = files.links.read_check(&token.0, now).ok_or_else(invalid)?;
    let busy = || Error::new(Code::Overloaded).retry_after(Duration::from_secs(1));
    let turn = tokio::time::timeout(TURN, Arc::clone(&files.downloads).acquire_owned()).await;
    let _turn = turn.map_err(|_| busy())?.map_err(Error::internal)?;
    let found = platform.db.write(move |conn| {
        let file = store::get(conn, id)?;
        if file.media_type == MediaType::Pdf {
            return Err(Error::not_found());
        }
        audit::append_in_tx(conn, now, vec![Entry::system("file.check", id)])?;
        Ok(file)
    });
    let file = found.await.map_err(|error| if error.code() == Code::NotFound { invalid() } else { error })?;
    let sealed = files.storage().get(&file.storage_key).await?;
    let media = file.media_type;
    let opened = tokio::task::spawn_blocking(move || {
        let plain = vault.open_bytes(CONTENT, id.0.as_bytes(), &sealed).map_err(Error::internal)?;
        let same = Sha256::digest(&plain).as_slice() == file.sha256;
        if same { Ok(plain) } else { Err(Error::internal("a file's content is another's")) }
    });
    let bytes = opened.await.map_err(Error::internal)??;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media.as_str()))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; frame-ancestors 'none'",
        ))
        .body(bytes))
}
