//! Closing over HTTP: periods with their figures, the checklist, and the acts of streets and district.

use std::collections::HashMap;

use actix_web::web::Data;
use actix_web::{get, post};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::acts::{self, Act};
use super::checklist::{self, Part};
use super::model::PeriodKind;
use super::rules::{self, PeriodName, StreetEvent};
use super::views::{
    Checklist, PlanPeriodDetail, PlanPeriodList, PlanPeriodView, RestatementView, StreetMonthView,
    figures as shown,
};
use super::{figures, store};
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, RestatementId};
use crate::ledger;
use crate::org;
use crate::plan::api::Year;
use crate::plan::store as plans;
use crate::platform::Platform;
use crate::platform::access::policy::{PeriodClose, PlanRead};
use crate::platform::access::{Guard, Scope};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Idempotent, Reply, Stored};

/// Refuses whoever may not act for the whole district.
pub(super) fn for_the_district(conn: &mut Conn, scope: &Scope) -> Result<()> {
    if scope.covers(&org::store::root(conn)?.path) {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden)
        .detail("此操作由区总工会办理", "This is the district's to do: it needs a grant over all of it"))
}

/// List the months and quarters of a plan / 列出结账期间
#[utoipa::path(
    tag = "plan", operation_id = "period_list", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999)),
    responses((status = 200, description = "Months, then quarters", body = PlanPeriodList)),
)]
#[get("/api/v1/plans/{year}/periods")]
pub async fn period_list(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    year: ApiPath<Year>,
) -> Result<Reply<PlanPeriodList>> {
    let rows = platform
        .db
        .read(move |c| {
            let plan = plans::plan_of_year(c, year.0.number())?;
            store::periods(c, plan.id)
        })
        .await?;
    Ok(Reply::new(PlanPeriodList { items: rows.iter().map(PlanPeriodView::from).collect() }))
}

/// Read a month or a quarter: as issued, as restated / 读取结账期间
///
/// Of what is closed, both figures are shown, with the causes of their difference.
#[utoipa::path(
    tag = "plan", operation_id = "period_get", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$")),
    responses((status = 200, description = "The period", body = PlanPeriodDetail)),
)]
#[get("/api/v1/plans/{year}/periods/{period}")]
pub async fn period_get(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    path: ApiPaths<Year, PeriodName>,
) -> Result<Reply<PlanPeriodDetail>> {
    let ApiPaths(year, name) = path;
    let view = platform.db.read(move |c| detail(c, year, name)).await?;
    Ok(Reply::new(view))
}

fn detail(c: &mut Conn, year: Year, name: PeriodName) -> Result<PlanPeriodDetail> {
    let plan = plans::plan_of_year(c, year.number())?;
    let row = store::period(c, plan.id, name.kind, name.starts_on(plan.starts_on))?;
    let months = rules::months(row.kind, row.starts_on);
    let targets = plans::targets(c, plan.id)?;
    let rows = figures::of(c, &plan, &targets, &row)?;
    let organisations = org::store::all(c)?;
    let mut streets = Vec::new();
    if row.kind == PeriodKind::Month {
        let said = store::street_months(c, plan.id, &months)?;
        for street in store::streets(c)? {
            let of = said.iter().find(|row| row.organisation_id == street.id);
            streets.push(StreetMonthView::of(&street, of));
        }
    }
    let mut held = 0;
    for month in &months {
        held += ledger::held::count(c, (plan.id, *month))?;
    }
    let restatements = store::restatements_of(c, plan.id, &months)?;
    let ids: Vec<RestatementId> = restatements.iter().map(|row| row.id).collect();
    let lines: HashMap<RestatementId, i64> = store::posted_by(c, &ids)?.into_iter().collect();
    let of = |row: super::model::Restatement| {
        let lines = lines.get(&row.id).copied().unwrap_or(0);
        RestatementView::of(row, lines)
    };
    Ok(PlanPeriodDetail {
        period: PlanPeriodView::from(&row),
        streets,
        held,
        restatements: restatements.into_iter().map(of).collect(),
        figures: shown(rows, &targets, &organisations, row.state),
    })
}

/// Whose part.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChecklistQuery {
    /// Only what this sub-district has to settle.
    #[param(inline)]
    pub street: Option<OrganisationId>,
}

/// What keeps a period open / 结账核对清单
#[utoipa::path(
    tag = "plan", operation_id = "period_checklist", security(("bearer" = ["period:close"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"), ChecklistQuery),
    responses((status = 200, description = "Everything that is open", body = Checklist)),
)]
#[get("/api/v1/plans/{year}/periods/{period}/checklist")]
pub async fn period_checklist(
    platform: Data<Platform>,
    guard: Guard<PeriodClose>,
    path: ApiPaths<Year, PeriodName>,
    query: ApiQuery<ChecklistQuery>,
) -> Result<Reply<Checklist>> {
    let (ApiPaths(year, name), now, scope) = (path, platform.clock.now(), guard.scope().clone());
    let items = platform
        .db
        .read(move |c| {
            let plan = plans::plan_of_year(c, year.number())?;
            let row = store::period(c, plan.id, name.kind, name.starts_on(plan.starts_on))?;
            let Some(street) = query.0.street else {
                for_the_district(c, &scope)?;
                return acts::open(c, &plan, &row, now);
            };
            scope.require(&org::store::get(c, street)?.path)?;
            checklist::open(c, Part { kind: row.kind, starts_on: row.starts_on, street: Some(street) }, now)
        })
        .await?;
    Ok(Reply::new(Checklist { items: items.into_iter().map(Into::into).collect() }))
}

/// Whose month.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct StreetMonthInput {
    /// The sub-district.
    pub organisation_id: OrganisationId,
}

/// Close a sub-district's part of a month / 街道结账
///
/// By its own officer, when the month is over and nothing is on its checklist: otherwise `period_open_items` names what is.
#[utoipa::path(
    tag = "plan", operation_id = "street_month_close", security(("bearer" = ["period:close"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = StreetMonthInput,
    responses((status = 200, description = "What the sub-district says", body = StreetMonthView)),
)]
#[post("/api/v1/plans/{year}/periods/{period}/street-closings")]
pub async fn street_month_close(
    platform: Data<Platform>,
    guard: Guard<PeriodClose>,
    path: ApiPaths<Year, PeriodName>,
    body: Idempotent<StreetMonthInput>,
) -> Result<Stored> {
    street(&platform, &guard, path, body, StreetEvent::Soften).await
}

/// Open a sub-district's part of a month again / 街道重开
///
/// While the month is not closed by the district.
#[utoipa::path(
    tag = "plan", operation_id = "street_month_reopen", security(("bearer" = ["period:close"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = StreetMonthInput,
    responses((status = 200, description = "What the sub-district says", body = StreetMonthView)),
)]
#[post("/api/v1/plans/{year}/periods/{period}/street-reopenings")]
pub async fn street_month_reopen(
    platform: Data<Platform>,
    guard: Guard<PeriodClose>,
    path: ApiPaths<Year, PeriodName>,
    body: Idempotent<StreetMonthInput>,
) -> Result<Stored> {
    street(&platform, &guard, path, body, StreetEvent::Reopen).await
}

async fn street(
    platform: &Platform,
    guard: &Guard<PeriodClose>,
    path: ApiPaths<Year, PeriodName>,
    body: Idempotent<StreetMonthInput>,
    event: StreetEvent,
) -> Result<Stored> {
    let (ApiPaths(year, name), scope, id) = (path, guard.scope().clone(), body.body.organisation_id);
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let run = move |c: &mut Conn| {
        let street = org::store::get(c, id)?;
        scope.require(&street.path)?;
        let plan = plans::plan_of_year(c, year.number())?;
        let row = acts::street_in_tx(c, &plan, name, &street, event, act)?;
        Stored::done(row.version, &StreetMonthView::of(&street, Some(&row)))
    };
    platform.idempotency.run(act.by, body.key, run).await
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct PeriodCloseInput {}

/// Propose to close a month or a quarter / 提议结账
///
/// By an officer of the district, when the period is over, all sub-districts (of a quarter: all months) are closed and nothing is on the
/// checklist: otherwise `period_open_items` names what is. It has no effect before another officer agrees.
#[utoipa::path(
    tag = "plan", operation_id = "period_close", security(("bearer" = ["period:close"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PeriodCloseInput,
    responses((status = 200, description = "The period, proposed", body = PlanPeriodView)),
)]
#[post("/api/v1/plans/{year}/periods/{period}/closings")]
pub async fn period_close(
    platform: Data<Platform>,
    guard: Guard<PeriodClose>,
    path: ApiPaths<Year, PeriodName>,
    body: Idempotent<PeriodCloseInput>,
) -> Result<Stored> {
    let (ApiPaths(year, name), scope) = (path, guard.scope().clone());
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let run = move |c: &mut Conn| {
        let plan = plans::plan_of_year(c, year.number())?;
        for_the_district(c, &scope)?;
        let row = acts::propose_in_tx(c, &plan, name, act)?;
        Stored::done(row.version, &PlanPeriodView::from(&row))
    };
    platform.idempotency.run(act.by, body.key, run).await
}

/// What another officer says of what was proposed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agree": true}))]
pub struct PeriodDecisionInput {
    /// Whether it shall be.
    pub agree: bool,
}

/// Decide a proposed closing / 同意或不同意结账
///
/// Agreeing is for another officer than who proposed it (`second_officer_required`); the database holds that, too. What is
/// closed stays closed.
#[utoipa::path(
    tag = "plan", operation_id = "period_close_decide", security(("bearer" = ["period:close"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PeriodDecisionInput,
    responses((status = 200, description = "The period", body = PlanPeriodView)),
)]
#[post("/api/v1/plans/{year}/periods/{period}/closing-decisions")]
pub async fn period_close_decide(
    platform: Data<Platform>,
    guard: Guard<PeriodClose>,
    path: ApiPaths<Year, PeriodName>,
    body: Idempotent<PeriodDecisionInput>,
) -> Result<Stored> {
    let (ApiPaths(year, name), scope, agree) = (path, guard.scope().clone(), body.body.agree);
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let run = move |c: &mut Conn| {
        let plan = plans::plan_of_year(c, year.number())?;
        for_the_district(c, &scope)?;
        let row = acts::decide_in_tx(c, &plan, name, agree, act)?;
        Stored::done(row.version, &PlanPeriodView::from(&row))
    };
    platform.idempotency.run(act.by, body.key, run).await
}
