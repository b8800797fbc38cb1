//! Reported figures over HTTP.

use actix_web::web::Data;
use actix_web::{get, post};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::model::{PlanReport, ReportState};
use super::reporting::{self, Entering};
use super::rules::{self, Claim};
use super::store::{self, Wanted};
use super::views::{self, PlanReportView};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{FileId, OrganisationId, PlanReportId};
use crate::notify::beside::Beside;
use crate::org;
use crate::plan;
use crate::plan::api::{TargetCode, Year};
use crate::plan::model::PlanItem;
use crate::platform::Platform;
use crate::platform::access::policy::{ReportRead, ReportWrite};
use crate::platform::access::{Guard, Scope};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::review::deciding::Desk;

/// What a unit reached in a month, and what shows it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "unit_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "month": "2025-06", "value": 12,
    "note": "新建工作室 12 个，名单见附件", "evidence": ["fil_01k5b8m3q2e9t8h6y1v7z4w0xn"]
}))]
pub struct PlanReportInput {
    /// Whose figure: the district, a lead department, or a unit that takes part in the item.
    pub unit_id: OrganisationId,
    /// A month of the plan's year that has begun: what was reached in it, or, of a rate, how it stood.
    #[schema(max_length = 7, example = "2025-06")]
    pub month: String,
    /// Takes back what was approved of this month, and gives no figure.
    #[serde(default)]
    pub withdraws: bool,
    /// Of a count; not below 0.
    #[schema(maximum = 1_000_000_000)]
    pub value: Option<i64>,
    /// Of a rate: of how many it holds.
    #[schema(maximum = 1_000_000_000)]
    pub numerator: Option<i64>,
    /// Of a rate: of how many; at least the numerator.
    #[schema(maximum = 1_000_000_000)]
    pub denominator: Option<i64>,
    /// Of a composite target: a figure for each part, in the plan's order.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub parts: Vec<i64>,
    /// Of a target that covers a list: which of its units.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub covered: Vec<OrganisationId>,
    /// What it rests on; of a later version, why there is one.
    #[schema(min_length = 1, max_length = 500)]
    pub note: String,
    /// Uploaded files that show it; at least one.
    #[serde(default)]
    #[schema(max_items = 9)]
    pub evidence: Vec<FileId>,
}

/// Report a figure of the plan / 上报指标数据
///
/// Every lead department of the item signs; then it counts. A figure that was reported before is corrected, or taken back, by a new version,
/// which is signed like the first. A target that is counted from attendance or cases is refused (`figure_earned`). Everything that is
/// wrong is named at once; without evidence nothing is taken.
#[utoipa::path(
    tag = "plan", operation_id = "plan_report_create", security(("bearer" = ["report:write"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("code" = String, Path, description = "The target, such as 09a", max_length = 10, pattern = "^[0-9]{2}[a-z]$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PlanReportInput,
    responses((status = 201, description = "The report, to be signed", body = PlanReportView)),
)]
#[post("/api/v1/plans/{year}/targets/{code}/reports")]
pub async fn plan_report_create(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<ReportWrite>,
    path: ApiPaths<Year, TargetCode>,
    body: Idempotent<PlanReportInput>,
) -> Result<Stored> {
    let (actor, now, desk) = (guard.person(), platform.clock.now(), Desk::clone(&desk));
    let (ApiPaths(year, code), input) = (path, body.body);
    let claim = Claim {
        withdraws: input.withdraws,
        value: input.value,
        numerator: input.numerator,
        denominator: input.denominator,
        parts: input.parts,
        covered: input.covered,
        evidence: 0,
    };
    let entering = Entering {
        id: platform.ids.id(),
        year: year.number(),
        code: code.0,
        unit: input.unit_id,
        month: input.month,
        claim,
        note: input.note,
        evidence: input.evidence,
        actor,
        scope: guard.scope().clone(),
    };
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let row = reporting::propose_in_tx(c, &desk, &entering, now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::created(format!("/api/v1/plan-reports/{}", row.id), row.number, &view(c, row)?)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

fn view(conn: &mut Conn, row: PlanReport) -> Result<PlanReportView> {
    let (target, ..) = store::target_whole(conn, row.target_id)?;
    views::reports(conn, &target, vec![row])?.pop().ok_or_else(Error::not_found)
}

/// Which reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PlanReportQuery {
    /// Only of this unit.
    #[param(inline)]
    pub unit: Option<OrganisationId>,
    /// Only of this month.
    #[param(max_length = 7, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    pub month: Option<String>,
    /// Only in this state.
    #[param(inline)]
    pub state: Option<ReportState>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List the reports of a target, all versions / 列出指标的上报数据
///
/// The lead departments see all of them, others those of their own units.
#[utoipa::path(
    tag = "plan", operation_id = "plan_report_list", security(("bearer" = ["report:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("code" = String, Path, description = "The target, such as 09a", max_length = 10, pattern = "^[0-9]{2}[a-z]$"), PlanReportQuery),
    responses((status = 200, description = "A page of reports, newest first", body = Page<PlanReportView>)),
)]
#[get("/api/v1/plans/{year}/targets/{code}/reports")]
pub async fn plan_report_list(
    platform: Data<Platform>,
    guard: Guard<ReportRead>,
    path: ApiPaths<Year, TargetCode>,
    query: ApiQuery<PlanReportQuery>,
) -> Result<Reply<Page<PlanReportView>>> {
    let (scope, ApiPaths(year, code)) = (guard.scope().clone(), path);
    let PlanReportQuery { unit, month, state, limit, cursor } = query.0;
    let list = format!("plan-reports/{}/{}/{unit:?}/{month:?}/{state:?}", year.number(), code.0);
    let page = PageQuery { limit, cursor };
    let before = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let month = month.as_deref().map(|text| rules::month(text).ok_or_else(wrong_month)).transpose()?;
    let views = platform.db.read(move |c| {
        let plan = plan::store::plan_of_year(c, year.number())?;
        let target = plan::store::target(c, plan.id, &code.0)?;
        let (_, item, _) = store::target_whole(c, target.id)?;
        let under = (!leads_item(c, &scope, &item)?).then(|| scope.patterns().collect());
        let rows = store::list(c, target.id, Wanted { under, unit, month, state }, before, limit)?;
        views::reports(c, &target, rows)
    });
    Ok(Reply::new(platform.cursors.page(&list, &page, views.await?, |view| view.id)?))
}

fn wrong_month() -> Error {
    let text = Text::new("应为月份，如 2025-06", "must be a month such as 2025-06");
    Error::parameter(Code::QueryInvalid, Fault::new("/query/month", "format", text))
}

/// Whether a scope covers a department that leads `item`.
fn leads_item(conn: &mut Conn, scope: &Scope, item: &PlanItem) -> Result<bool> {
    let (leads, organisations) = (rules::leads(item)?, org::store::all(conn)?);
    Ok(reporting::covers_lead(scope, &leads, organisations.values()))
}

/// Read a report / 查看上报数据
#[utoipa::path(
    tag = "plan", operation_id = "plan_report_get", security(("bearer" = ["report:read"])),
    params(("id" = PlanReportId, Path, description = "The report")),
    responses((status = 200, description = "The report", body = PlanReportView)),
)]
#[get("/api/v1/plan-reports/{id}")]
pub async fn plan_report_get(
    platform: Data<Platform>,
    guard: Guard<ReportRead>,
    id: ApiPath<PlanReportId>,
) -> Result<Reply<PlanReportView>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let found = platform.db.read(move |c| {
        let row = store::get(c, id)?;
        let (_, item, _) = store::target_whole(c, row.target_id)?;
        if !leads_item(c, &scope, &item)? {
            scope.require(&org::store::get(c, row.organisation_id)?.path)?;
        }
        Ok((row.number, view(c, row)?))
    });
    let (number, view) = found.await?;
    Ok(Reply::new(view).version(number))
}
