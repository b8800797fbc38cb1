//! What happens around every request: an id, a log line, figures, headers, and a problem document for every
//! failure, the framework's own included.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::contract::Contract;
use super::limits::Limits;
use super::problem::{self, Language};
use crate::clock::Stopwatch;
use crate::error::{Code, Error};
use crate::ids::Ids;
use crate::platform::Platform;
use crate::platform::access::guard::{Gate, Route};

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpAddr>);

/// What is known of a request before it is handled.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// Names the request in the log and in problem documents.
    pub id: String,
    /// The language of answers for people.
    pub language: Language,
    /// The client's address.
    pub address: String,
}

impl RequestInfo {
    /// The info of a request that passed [`envelope`].
    pub fn of(req: &HttpRequest) -> Self {
        req.extensions().get::<RequestInfo>().cloned().unwrap_or(RequestInfo {
            id: String::new(),
            language: Language::default(),
            address: String::new(),
        })
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub async fn envelope(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let stopwatch = Stopwatch::start();
    let info = info(&req);
    let trace = trace_id(&req);
    let method = req.method().as_str().to_owned();
    req.extensions_mut().insert(info.clone());
    req.extensions_mut().insert(Gate::default());

    let limited = match req.app_data::<Data<Limits>>().cloned() {
        Some(limits) => limits.admit_address(&info.address).await.err(),
        None => None,
    };
    let mut response = match limited {
        Some(error) => req.error_response(error),
        None => next.call(req).await?.map_into_boxed_body(),
    };

    let cause = response.status().is_server_error().then(|| explain(&response)).flatten();
    if let Some(problem) = problem_for(&response, &info) {
        response = response.into_response(problem);
    }
    dress(&mut response, &info);
    let seconds = stopwatch.elapsed().as_secs_f64();
    let pattern = Route::of(response.request()).pattern;
    let status = response.status();
    record(&method, &pattern, status, seconds);
    let millis = (seconds * 1000.0 * 100.0).round() / 100.0;
    // Neither query nor path values nor addresses: they may be personal.
    if status.is_server_error() {
        tracing::error!(
            request_id = info.id,
            trace_id = trace,
            method,
            path = &*pattern,
            status = status.as_u16(),
            millis,
            cause,
            "request failed"
        );
    } else {
        tracing::info!(
            request_id = info.id,
            trace_id = trace,
            method,
            path = &*pattern,
            status = status.as_u16(),
            millis,
            "request"
        );
    }
    Ok(response)
}

/// Notes how long a request took. Finding a figure by its labels takes as long as a good part of a request, so each thread
/// remembers the figures that it has found. There are as many as operations and statuses: other methods than HTTP's own are one.
fn record(method: &str, pattern: &Arc<str>, status: StatusCode, seconds: f64) {
    type Figures = HashMap<(&'static str, Arc<str>, u16), metrics::Histogram>;
    thread_local! {
        static FIGURES: RefCell<Figures> = RefCell::default();
    }
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
    FIGURES.with_borrow_mut(|figures| {
        let figure = figures.entry((method, Arc::clone(pattern), status.as_u16())).or_insert_with(|| {
            let (path, status) = (pattern.to_string(), status.as_str().to_owned());
            metrics::histogram!("unionhall_http_seconds", "method" => method, "path" => path, "status" => status)
        });
        figure.record(seconds);
    });
}

fn info(req: &ServiceRequest) -> RequestInfo {
    let sent = req
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| {
            (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
        .map(ToOwned::to_owned);
    let made = || match req.app_data::<Data<Platform>>() {
        Some(platform) => request_id(&platform.ids),
        None => String::from("none"),
    };
    RequestInfo {
        id: sent.unwrap_or_else(made),
        language: Language::of(req.headers()),
        address: address(req),
    }
}

fn request_id(ids: &Ids) -> String {
    hex::encode(ids.bytes::<12>())
}

/// The client's address: the last one in `X-Forwarded-For` that no trusted proxy has, if the peer is a trusted proxy.
fn address(req: &ServiceRequest) -> String {
    let peer = req.peer_addr().map(|peer| peer.ip());
    let trusted = req.app_data::<Data<TrustedProxies>>();
    let trusts = |ip: &IpAddr| trusted.is_some_and(|proxies| proxies.0.contains(ip));
    let Some(peer_ip) = peer else { return "unknown".into() };
    if trusts(&peer_ip) {
        let forwarded = req
            .headers()
            .get_all("x-forwarded-for")
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
            .filter_map(|text| text.trim().parse::<IpAddr>().ok())
            .collect::<Vec<_>>();
        if let Some(client) = forwarded.iter().rev().find(|ip| !trusts(ip)) {
            return client.to_string();
        }
    }
    peer_ip.to_string()
}

/// The trace id of a W3C `traceparent`, so that our log lines can be found from the caller's trace.
fn trace_id(req: &ServiceRequest) -> Option<String> {
    let text = req.headers().get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    (hex(version, 2) && hex(trace, 32) && hex(parent, 16) && trace.bytes().any(|b| b != b'0'))
        .then(|| trace.to_owned())
}

fn explain(response: &ServiceResponse<BoxBody>) -> Option<String> {
    response.response().error().map(|error| match error.as_error::<Error>() {
        Some(ours) => ours.to_string(),
        None => error.to_string(),
    })
}

/// The problem document for a failure that has none yet.
fn problem_for(response: &ServiceResponse<BoxBody>, info: &RequestInfo) -> Option<HttpResponse> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    if let Some(ours) = response.response().error().and_then(|error| error.as_error::<Error>()) {
        return Some(problem::response(ours, info.language, &info.id));
    }
    let already = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.starts_with("application/problem+json"));
    // Readiness has a format of its own.
    let already = already || response.headers().contains_key("x-health");
    (!already).then(|| problem::response(&Error::new(problem::code_of(status)), info.language, &info.id))
}

fn dress(response: &mut ServiceResponse<BoxBody>, info: &RequestInfo) {
    let not_modified = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value)
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    };
    set(REQUEST_ID, &info.id);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    if !not_modified {
        set(header::CACHE_CONTROL, "no-store");
        set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    }
}

/// What no operation answers: 405 with `Allow` where another method is known, 404 elsewhere.
pub async fn fallback(req: HttpRequest, contract: Data<Contract>) -> Result<HttpResponse, Error> {
    Err(match contract.methods(req.path()) {
        Some(methods) => Error::new(Code::MethodNotAllowed).allow(methods.join(", ")),
        None => Error::not_found(),
    })
}
