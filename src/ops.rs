//! What those who run the system look at: health, the audit chain, dead jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Result};
use crate::ids::{JobId, PersonId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{AuditRead, JobManage};
use crate::platform::audit::{self, Entry};
use crate::platform::cache::CacheHealth;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::outbox;

/// Says whether this instance takes new requests; turned off first at a stop.
#[derive(Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on this instance is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How this instance is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// `pass`, `warn` or `fail`.
    #[schema(max_length = 10, example = "pass")]
    pub status: &'static str,
    /// `pass` or `fail`; absent when it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10, example = "pass")]
    pub database: Option<&'static str>,
    /// `pass`, or `warn` while the shared cache is away: requests are served without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10, example = "pass")]
    pub cache: Option<&'static str>,
}

/// Whether the process lives / 存活检查
#[utoipa::path(
    tag = "operations", operation_id = "healthz", security(()),
    responses((status = 200, description = "It does", body = HealthView)),
)]
#[get("/healthz")]
pub async fn healthz() -> Json<HealthView> {
    Json(HealthView { status: "pass", database: None, cache: None })
}

/// Whether the instance takes requests / 就绪检查
#[utoipa::path(
    tag = "operations", operation_id = "readyz", security(()),
    responses((status = 200, description = "It does", body = HealthView),
              (status = 503, description = "It does not", body = HealthView)),
)]
#[get("/readyz")]
pub async fn readyz(platform: Data<Platform>, stopping: Data<Stopping>) -> HttpResponse {
    let database = if platform.db.check().await.is_ok() { "pass" } else { "fail" };
    let cache = if platform.cache.health() == CacheHealth::RedisDown { "warn" } else { "pass" };
    let status = match (stopping.begun(), database, cache) {
        (true, _, _) | (_, "fail", _) => "fail",
        (_, _, "warn") => "warn",
        _ => "pass",
    };
    let code = if status == "fail" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    // Its own format, which load balancers know; not a problem document.
    HttpResponse::build(code).insert_header(("X-Health", status)).json(HealthView {
        status,
        database: Some(database),
        cache: Some(cache),
    })
}

/// An entry of the audit chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditView {
    /// 1, 2, 3, … without gaps.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who; absent for the system itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<PersonId>,
    /// What.
    #[schema(max_length = 60, example = "signup.create")]
    pub action: String,
    /// To what.
    #[schema(max_length = 100, example = "sgn_01k5b8m3q2e9t8h6y1v7z4w0xn")]
    pub object: String,
    /// Ids and codes; absent where there is nothing to add.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object, required = false)]
    pub detail: serde_json::Value,
    /// SHA-256 of this entry and, through it, of all before.
    #[schema(min_length = 64, max_length = 64)]
    pub hash: String,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only about this object.
    #[param(max_length = 100)]
    pub object: Option<String>,
    /// Only by this person.
    #[param(inline)]
    pub actor: Option<PersonId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// Read the audit chain, newest first / 读取审计记录
#[utoipa::path(
    tag = "operations", operation_id = "audit_list", security(("bearer" = ["audit:read"])), params(AuditQuery),
    responses((status = 200, description = "A page of entries", body = Page<AuditView>)),
)]
#[get("/api/v1/audit-entries")]
pub async fn audit_list(
    platform: Data<Platform>,
    guard: Guard<AuditRead>,
    query: ApiQuery<AuditQuery>,
) -> Result<Reply<Page<AuditView>>> {
    district_only(&platform, guard.scope().clone()).await?;
    let AuditQuery { object, actor, limit, cursor } = query.0;
    let list = format!("audit/{object:?}/{actor:?}");
    let page = PageQuery { limit, cursor };
    let before = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform.db.read(move |c| audit::list(c, object.as_deref(), actor, before, limit)).await?;
    let page = platform.cursors.page(&list, &page, rows, |row| row.seq)?;
    Ok(Reply::new(page.map(|row| AuditView {
        seq: row.seq,
        at: row.at.and_utc(),
        actor: row.actor,
        action: row.action,
        object: row.object,
        // An entry without details was kept as `null`.
        detail: serde_json::from_str::<serde_json::Map<_, _>>(&row.detail).unwrap_or_default().into(),
        hash: hex::encode(row.hash),
    })))
}

/// The chain and the jobs are the whole installation's: a right over a part of it is not enough.
async fn district_only(platform: &Platform, scope: crate::platform::access::Scope) -> Result<()> {
    platform
        .db
        .read(move |c| {
            let root = crate::org::store::root(c)?;
            if scope.covers(&root.path) {
                return Ok(());
            }
            Err(Error::new(crate::error::Code::Forbidden)
                .detail("此项需要全区范围的授权", "This needs a grant over the whole district"))
        })
        .await
}

/// A job that failed too often.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Which work.
    #[schema(max_length = 60, example = "notice.write")]
    pub kind: String,
    /// How often it was tried.
    #[schema(minimum = 0)]
    pub attempts: i64,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// List dead jobs, newest first / 列出失败任务
#[utoipa::path(
    tag = "operations", operation_id = "dead_job_list", security(("bearer" = ["job:manage"])), params(PageQuery),
    responses((status = 200, description = "A page of dead jobs", body = Page<JobView>)),
)]
#[get("/api/v1/dead-jobs")]
pub async fn dead_job_list(
    platform: Data<Platform>,
    guard: Guard<JobManage>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<JobView>>> {
    district_only(&platform, guard.scope().clone()).await?;
    let before = platform.cursors.open("dead-jobs", &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| outbox::dead(c, before, limit)).await?;
    let page = platform.cursors.page("dead-jobs", &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(|row| JobView {
        id: row.id,
        kind: row.kind,
        attempts: row.attempts,
        last_error: row.last_error,
        created_at: row.created_at.and_utc(),
    })))
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ReviveInput {}

/// The job that will be tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevivedView {
    /// Its id.
    pub id: JobId,
}

/// Try a dead job again / 重试失败任务
#[utoipa::path(
    tag = "operations", operation_id = "dead_job_revive", security(("bearer" = ["job:manage"])),
    params(("id" = JobId, Path, description = "The job"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReviveInput,
    responses((status = 200, description = "It will be tried again", body = RevivedView)),
)]
#[post("/api/v1/dead-jobs/{id}/revivals")]
pub async fn dead_job_revive(
    platform: Data<Platform>,
    guard: Guard<JobManage>,
    id: ApiPath<JobId>,
    body: Idempotent<ReviveInput>,
) -> Result<Stored> {
    district_only(&platform, guard.scope().clone()).await?;
    let (actor, now, id) = (guard.person(), platform.clock.now(), id.0);
    let act = move |c: &mut crate::platform::db::Conn| {
        if !outbox::revive_in_tx(c, id, now)? {
            return Err(Error::not_found());
        }
        audit::append_in_tx(c, now, vec![Entry::new(actor, "job.revive", id)])?;
        Stored::done(1, &RevivedView { id })
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
