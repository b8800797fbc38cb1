//! The process's figures, on a port of their own.

use std::net::TcpListener;
use std::sync::OnceLock;

use actix_web::web;
use actix_web::{HttpResponse, HttpServer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::StartError;
use crate::jobs;
use crate::platform::Platform;

/// The process's figures; made once.
fn figures() -> Result<PrometheusHandle, StartError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(metrics_exporter_prometheus::Matcher::Suffix("_seconds".into()), &buckets)
        .and_then(|builder| {
            builder.set_buckets_for_metric(
                metrics_exporter_prometheus::Matcher::Suffix("_size".into()),
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
            )
        })
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| StartError::Other(error.to_string()))?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// Serves `/metrics` on a port of its own.
pub fn serve_figures(
    listener: TcpListener,
    platform: Platform,
) -> Result<actix_web::dev::Server, StartError> {
    let handle = figures()?;
    let server = HttpServer::new(move || {
        let (handle, platform) = (handle.clone(), platform.clone());
        let render = move || {
            let (handle, platform) = (handle.clone(), platform.clone());
            async move {
                jobs::measure(&platform).await;
                HttpResponse::Ok()
                    .content_type("text/plain; version=0.0.4; charset=utf-8")
                    .body(handle.render())
            }
        };
        actix_web::App::new().route("/metrics", web::get().to(render))
    })
    .workers(1)
    .disable_signals();
    let address = listener.local_addr().map(|a| a.to_string()).unwrap_or_default();
    Ok(server.listen(listener).map_err(|reason| StartError::Listen { address, reason })?.run())
}
