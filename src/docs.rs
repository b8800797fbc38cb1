//! The OpenAPI document and a reader for it, served from the binary: no internet needed.

use std::sync::OnceLock;

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::error::Error;
use crate::openapi;
use crate::platform::http::reply::etag;

/// The document as YAML, with its entity tag. Written when it is first asked for: most processes never are.
fn document() -> Result<&'static (String, String), Error> {
    static DOCUMENT: OnceLock<Result<(String, String), String>> = OnceLock::new();
    let write = || {
        let yaml = openapi::yaml()?;
        let tag = etag(0, yaml.as_bytes());
        Ok((yaml, tag))
    };
    DOCUMENT.get_or_init(write).as_ref().map_err(|error| Error::internal(error.clone()))
}

/// `/openapi.yaml`, `/docs/`, and a first page at `/`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/", web::get().to(front))
        .route("/openapi.yaml", web::get().to(openapi_yaml))
        .route("/docs", web::get().to(|| async { redirect("/docs/") }))
        .route("/docs/{file:.*}", web::get().to(reader));
}

fn redirect(to: &'static str) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish()
}

async fn openapi_yaml(req: HttpRequest) -> Result<HttpResponse, Error> {
    // Half a second of a debug build: not on the threads that answer.
    let (yaml, tag) = web::block(document).await.map_err(|error| Error::internal(error.to_string()))??;
    let known = req.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = known == Some(tag.as_str());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_TYPE, "application/yaml; charset=utf-8"));
    Ok(if known { response.finish() } else { response.body(yaml.as_str()) })
}

async fn front() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"))
        .content_type("text/html; charset=utf-8")
        .body(FRONT)
}

const FRONT: &str = "<!doctype html><html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>Unionhall</title>\
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;color:#222}</style>\
<h1>Unionhall · 龙岗工会</h1><p>后端服务正在运行。 The backend is running.</p><ul>\
<li><a href=\"/docs/\">接口文档 API reference</a></li><li><a href=\"/openapi.yaml\">openapi.yaml</a></li>\
<li><a href=\"/readyz\">就绪检查 readiness</a></li>\
<li><a href=\"/api/v1/activities?open_now=true\">正在报名的活动 activities open now</a></li></ul></html>";

async fn reader(file: web::Path<String>) -> Result<HttpResponse, Error> {
    let config = std::sync::Arc::new(Config::from("/openapi.yaml"));
    let name = if file.is_empty() { "index.html" } else { file.as_str() };
    let found = utoipa_swagger_ui::serve(name, config).map_err(|error| Error::internal(error.to_string()))?;
    let found = found.ok_or_else(Error::not_found)?;
    Ok(HttpResponse::Ok()
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self' 'unsafe-inline'",
        ))
        .content_type(found.content_type)
        .body(found.bytes.into_owned()))
}
