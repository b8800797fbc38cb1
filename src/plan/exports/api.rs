//! Reports over HTTP: asked for, watched, fetched; small ones at once.

use std::time::Duration;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::jobs::{LINES, MAKE};
use super::model::{CONTENT, ExportFormat, ExportKind, ExportState, PlanExport};
use super::{csv, filling, page, rules, store};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{OrganisationId, PersonId, PlanExportId};
use crate::org;
use crate::org::model::Organisation;
use crate::plan::api::Year;
use crate::plan::store as plans;
use crate::platform::Platform;
use crate::platform::access::policy::{ExportMake, PlanRead};
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::files::Files;
use crate::platform::http::reply::{etag, knows};
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Reply, Stored};
use crate::platform::outbox::{self, NewJob};

/// A report to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "figures", "format": "xlsx"}))]
pub struct PlanExportInput {
    /// What it is about.
    pub kind: ExportKind,
    /// What it is written as; lines are CSV.
    pub format: ExportFormat,
    /// What was known at this moment. The last full minute that is settled, if nothing is said; no later one can be asked for.
    pub as_of: Option<DateTime<Utc>>,
    /// About whom. Everything that one may see, if nothing is said.
    pub organisation_id: Option<OrganisationId>,
    /// Whose lines, such as `07a`.
    #[schema(max_length = 10, pattern = "^[0-9]{2}[a-z]$")]
    pub target: Option<String>,
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanExportView {
    /// Its id.
    pub id: PlanExportId,
    /// The civil year of its plan.
    #[schema(minimum = 1900, maximum = 9999)]
    pub year: i64,
    /// What it is about.
    pub kind: ExportKind,
    /// What it is written as.
    pub format: ExportFormat,
    /// About whom.
    pub organisation_id: OrganisationId,
    /// Whose lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10)]
    pub target: Option<String>,
    /// What was known at this moment. Asked for again as of it, the report is the same to the byte.
    pub as_of: DateTime<Utc>,
    /// Where in its life it is.
    pub state: ExportState,
    /// How far its making is.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: i64,
    /// SHA-256 of its content, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 64, max_length = 64)]
    pub sha256: Option<String>,
    /// How long its content is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<DateTime<Utc>>,
    /// Until when it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Where its content is, of one that is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub content_url: Option<String>,
}

fn view(conn: &mut Conn, row: &PlanExport) -> Result<PlanExportView> {
    let ready = row.state == ExportState::Ready;
    Ok(PlanExportView {
        id: row.id,
        year: store::plan_of(conn, row.plan_id)?.year,
        kind: row.kind,
        format: row.format,
        organisation_id: row.organisation_id,
        target: row.target_id.map(|target| store::target_code(conn, target)).transpose()?,
        as_of: row.as_of.and_utc(),
        state: row.state,
        percent: row.percent,
        sha256: row.sha256.as_ref().filter(|_| ready || row.state == ExportState::Expired).map(hex::encode),
        bytes: row.bytes.filter(|_| ready),
        created_at: row.created_at.and_utc(),
        ready_at: row.ready_at.map(|at| at.and_utc()),
        expires_at: row.expires_at.map(|at| at.and_utc()),
        content_url: ready.then(|| format!("/api/v1/reports/{}/content", row.id)),
    })
}

/// Ask for a report / 申请生成报表
///
/// It is made in a moment: `Location` says how far it is. Somebody whose role holds over a sub-district gets that sub-district's figures and
/// lines beside the district's state.
#[utoipa::path(
    tag = "plan", operation_id = "report_create", security(("bearer" = ["export:make"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PlanExportInput,
    responses((status = 202, description = "It will be made", body = PlanExportView)),
)]
#[post("/api/v1/plans/{year}/reports")]
pub async fn report_create(
    platform: Data<Platform>,
    guard: Guard<ExportMake>,
    year: ApiPath<Year>,
    body: Idempotent<PlanExportInput>,
) -> Result<Stored> {
    let (actor, now, scope, ids) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.ids.clone());
    let (id, input): (PlanExportId, _) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let row = asked(c, year.0.number(), &scope, &input, (id, actor, now))?;
        store::create_in_tx(c, &row)?;
        let payload = json!({ "report_id": id });
        let job = NewJob { kind: MAKE, payload, run_at: now, dedupe_key: None };
        outbox::enqueue_in_tx(c, &ids, now, vec![job])?;
        let detail = json!({ "kind": row.kind, "format": row.format, "organisation": row.organisation_id });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "report.ask", id).detail(detail)])?;
        Stored::accepted(format!("/api/v1/reports/{id}"), &view(c, &row)?)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// The row of a report that may be made; all that is wrong with what was asked for otherwise.
fn asked(
    conn: &mut Conn,
    year: i64,
    scope: &Scope,
    input: &PlanExportInput,
    (id, actor, now): (PlanExportId, PersonId, DateTime<Utc>),
) -> Result<PlanExport> {
    let plan = plans::plan_of_year(conn, year)?;
    let mut wrong = Vec::new();
    let mut fault = |pointer: &str, code: &'static str, zh: &'static str, en: &'static str| {
        wrong.push(Fault::new(pointer, code, Text::new(zh, en)));
    };
    let latest = rules::settled(now);
    let as_of = input.as_of.unwrap_or(latest).trunc_subsecs(6);
    if as_of > latest {
        fault("/as_of", "too_late", "只能统计到已结束的整分钟", "the last settled full minute at the latest");
    }
    let organisation = about(conn, scope, input.organisation_id)?;
    if organisation.is_none() {
        fault("/organisation_id", "unknown", "请选择职责范围内的组织", "name one organisation in your scope");
    }
    let target = match &input.target {
        Some(code) => plans::targets(conn, plan.id)?.into_iter().find(|target| target.code == *code),
        None => None,
    };
    match input.kind {
        ExportKind::Figures if input.target.is_some() => {
            fault("/target", "unexpected", "汇总报表包括全部目标", "figures are of all targets");
        }
        ExportKind::Lines if target.is_none() => {
            fault("/target", "unknown", "请写明目标代码", "name one of the plan's targets");
        }
        ExportKind::Lines if input.format != ExportFormat::Csv => {
            fault("/format", "unsupported", "台账明细只有 CSV", "lines are CSV");
        }
        ExportKind::Figures | ExportKind::Lines => {}
    }
    if let (ExportKind::Lines, Some(target), Some(about)) = (input.kind, &target, &organisation) {
        let pattern = about.parent_id.map(|_| format!("{}%", about.path));
        if store::line_count(conn, target.id, pattern)? > LINES {
            fault(
                "/organisation_id",
                "too_many",
                "行数过多，请按街道分别导出",
                "too many lines: ask by sub-district",
            );
        }
    }
    let (Some(organisation), true) = (organisation, wrong.is_empty()) else {
        return Err(Error::invalid(wrong));
    };
    Ok(PlanExport {
        id,
        plan_id: plan.id,
        kind: input.kind,
        format: input.format,
        organisation_id: organisation.id,
        target_id: target.map(|target| target.id),
        as_of: db_time(as_of),
        state: ExportState::Waiting,
        percent: 0,
        sha256: None,
        bytes: None,
        vault_key: None,
        requested_by: actor,
        created_at: db_time(now),
        ready_at: None,
        expires_at: None,
        erased_at: None,
    })
}

/// Whom a report is about: who is named, if the caller's role holds there; else the root of the caller's only subtree.
fn about(conn: &mut Conn, scope: &Scope, named: Option<OrganisationId>) -> Result<Option<Organisation>> {
    let mut all = org::store::all(conn)?;
    if let Some(id) = named {
        return Ok(all.remove(&id).filter(|one| scope.covers(&one.path)));
    }
    let mut roots: Vec<&str> = scope.roots().collect();
    roots.sort_unstable();
    roots.dedup();
    // What lies below another of them is part of it.
    let highest: Vec<&str> = roots
        .iter()
        .filter(|root| !roots.iter().any(|other| other != *root && root.starts_with(other)))
        .copied()
        .collect();
    let [only] = highest.as_slice() else { return Ok(None) };
    Ok(all.into_values().find(|one| one.path == **only))
}

/// How far a report is / 查看报表进度
#[utoipa::path(
    tag = "plan", operation_id = "report_get", security(("bearer" = ["export:make"])),
    params(("id" = PlanExportId, Path, description = "The report")),
    responses((status = 200, description = "The report", body = PlanExportView)),
)]
#[get("/api/v1/reports/{id}")]
pub async fn report_get(
    platform: Data<Platform>,
    guard: Guard<ExportMake>,
    id: ApiPath<PlanExportId>,
) -> Result<Reply<PlanExportView>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let found = platform.db.read(move |c| {
        let row = seen(c, &scope, id)?;
        view(c, &row)
    });
    Ok(Reply::new(found.await?))
}

fn seen(conn: &mut Conn, scope: &Scope, id: PlanExportId) -> Result<PlanExport> {
    let row = store::get(conn, id)?;
    scope.require(&org::store::get(conn, row.organisation_id)?.path)?;
    Ok(row)
}

/// Fetch a report / 下载报表
///
/// `Repr-Digest` (RFC 9530) and the ETag are those of its bytes. 409 `state_forbids` while it is being made.
#[utoipa::path(
    tag = "plan", operation_id = "report_content_get", security(("bearer" = ["export:make"])),
    params(("id" = PlanExportId, Path, description = "The report")),
    responses((status = 200, description = "Its content", content(
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "text/csv"), (String = "text/html"),
    ))),
)]
#[get("/api/v1/reports/{id}/content")]
pub async fn report_content_get(
    platform: Data<Platform>,
    files: Data<Files>,
    guard: Guard<ExportMake>,
    id: ApiPath<PlanExportId>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let read = platform.db.write(move |c| {
        let row = seen(c, &scope, id)?;
        match row.state {
            ExportState::Ready => {}
            ExportState::Expired => return Err(Error::not_found()),
            ExportState::Waiting | ExportState::Making => {
                let unmade = Error::new(Code::StateForbids).retry_after(Duration::from_secs(1));
                return Err(unmade.detail("报表正在生成", "The report is being made"));
            }
        }
        audit::append_in_tx(c, now, vec![Entry::new(actor, "report.read", id)])?;
        let year = store::plan_of(c, row.plan_id)?.year;
        Ok((row, year))
    });
    let (row, year) = read.await?;
    let sealed = files.storage().get(&row.storage_key()).await?;
    let (vault, digest) = (platform.vault.clone(), row.sha256.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let plain = vault.open_bytes(CONTENT, id.0.as_bytes(), &sealed).map_err(Error::internal)?;
        let same = digest.is_some_and(|digest| Sha256::digest(&plain).as_slice() == digest);
        if same { Ok(plain) } else { Err(Error::internal("a report's content is another's")) }
    });
    let bytes = opened.await.map_err(Error::internal)??;
    let name = format!("plan-{year}-{}-{id}.{}", row.kind.as_str(), row.format.as_str());
    Ok(sent(&request, bytes, row.format, &name))
}

/// An answer with a report's bytes, their digest, and what a page of it may do.
pub fn sent(request: &HttpRequest, bytes: Vec<u8>, format: ExportFormat, name: &str) -> HttpResponse {
    let digest = Sha256::digest(&bytes);
    let tag = etag(0, &bytes);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, tag.clone()))
        .insert_header((header::CACHE_CONTROL, "private, no-cache, no-store"));
    if knows(request, &tag) {
        return response.status(actix_web::http::StatusCode::NOT_MODIFIED).finish();
    }
    let (policy, shown) = match format {
        ExportFormat::Html => (page::report_policy(), "inline"),
        ExportFormat::Csv | ExportFormat::Xlsx => ("default-src 'none'".to_owned(), "attachment"),
    };
    response
        // The digest is that of these bytes: nothing compresses them on the way.
        .insert_header(ContentEncoding::Identity)
        .insert_header(("Repr-Digest", format!("sha-256=:{}:", STANDARD.encode(digest))))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            format!("sandbox; {policy}; frame-ancestors 'none'"),
        ))
        .insert_header((header::CONTENT_DISPOSITION, format!("{shown}; filename=\"{name}\"")))
        .insert_header((header::CONTENT_TYPE, format.media()))
        .body(bytes)
}

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FiguresQuery {
    /// What was known at this moment; the last settled full minute, if nothing is said.
    pub as_of: Option<DateTime<Utc>>,
}

/// All figures as CSV, at once / 下载全部数字（CSV）
#[utoipa::path(
    tag = "plan", operation_id = "plan_figures_get", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999), FiguresQuery),
    responses((status = 200, description = "The figures of the district, by organisation and by month", body = String, content_type = "text/csv")),
)]
#[get("/api/v1/plans/{year}/figures.csv")]
pub async fn plan_figures_get(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    year: ApiPath<Year>,
    query: ApiQuery<FiguresQuery>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (db, year) = (platform.db.clone(), year.0.number());
    let latest = rules::settled(platform.clock.now());
    let as_of = query.0.as_of.unwrap_or(latest).trunc_subsecs(6);
    if as_of > latest {
        let detail = Text::new("只能统计到已结束的整分钟", "the last settled full minute at the latest");
        return Err(Error::parameter(Code::QueryInvalid, Fault::new("/query/as_of", "too_late", detail)));
    }
    let made = tokio::task::spawn_blocking(move || {
        let sheet = db.snapshot_blocking(|c| filling::as_of(c, year, as_of, None))?;
        csv::figures(&sheet)
    });
    let bytes = made.await.map_err(Error::internal)??;
    Ok(sent(&request, bytes, ExportFormat::Csv, &format!("plan-{year}-figures.csv")))
}
