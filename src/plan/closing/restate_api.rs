//! Restatements over HTTP: what is held for a closed month, and the two officers who have it posted.

use actix_web::web::Data;
use actix_web::{get, post};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::acts::Act;
use super::api::{PeriodDecisionInput, for_the_district};
use super::model::PeriodKind;
use super::restating::{self, Why};
use super::rules::PeriodName;
use super::store;
use super::views::{HeldCorrectionView, RestatementView};
use crate::error::{Error, Result};
use crate::ids::RestatementId;
use crate::ledger;
use crate::ledger::model::HeldState;
use crate::plan::api::Year;
use crate::plan::store as plans;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LedgerRead, RestatementWrite};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// Which corrections.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HeldQuery {
    /// Only those in this state.
    #[param(inline)]
    pub state: Option<HeldState>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List what is held for a closed month / 列出待重述的更正
#[utoipa::path(
    tag = "plan", operation_id = "held_correction_list", security(("bearer" = ["ledger:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"), HeldQuery),
    responses((status = 200, description = "A page, oldest first", body = Page<HeldCorrectionView>)),
)]
#[get("/api/v1/plans/{year}/periods/{period}/corrections")]
pub async fn held_correction_list(
    platform: Data<Platform>,
    _guard: Guard<LedgerRead>,
    path: ApiPaths<Year, PeriodName>,
    query: ApiQuery<HeldQuery>,
) -> Result<Reply<Page<HeldCorrectionView>>> {
    let ApiPaths(year, name) = path;
    let HeldQuery { state, limit, cursor } = query.0;
    if name.kind != PeriodKind::Month {
        return Err(Error::not_found());
    }
    let list = format!("corrections/{}/{}/{state:?}", year.number(), name.number);
    let page = PageQuery { limit, cursor };
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let plan = plans::plan_of_year(c, year.number())?;
            ledger::held::list(c, (plan.id, name.starts_on(plan.starts_on)), state, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &page, rows, |row| row.id)?;
    Ok(Reply::new(page.map(Into::into)))
}

/// Why a closed month is to be restated.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "3 月纸质签到表迟交", "evidence": "平湖街道签到表 4 份"}))]
pub struct RestatementInput {
    /// In words.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// What shows it.
    #[schema(min_length = 1, max_length = 2000)]
    pub evidence: Option<String>,
}

/// Propose to restate a closed month / 提议重述
///
/// It has no effect before another officer agrees; then everything that is held for the month is posted.
#[utoipa::path(
    tag = "plan", operation_id = "restatement_create", security(("bearer" = ["restatement:write"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("period" = String, Path, description = "A month or a quarter, such as 03 or Q1", max_length = 2, pattern = "^(0[1-9]|1[0-2]|Q[1-4])$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RestatementInput,
    responses((status = 201, description = "The proposal", body = RestatementView)),
)]
#[post("/api/v1/plans/{year}/periods/{period}/restatements")]
pub async fn restatement_create(
    platform: Data<Platform>,
    guard: Guard<RestatementWrite>,
    path: ApiPaths<Year, PeriodName>,
    body: Idempotent<RestatementInput>,
) -> Result<Stored> {
    let (ApiPaths(year, name), scope) = (path, guard.scope().clone());
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let RestatementInput { reason, evidence } = body.body;
    let (why, id) = (Why { reason, evidence }, platform.ids.id());
    let run = move |c: &mut Conn| {
        let plan = plans::plan_of_year(c, year.number())?;
        for_the_district(c, &scope)?;
        let row = restating::propose_in_tx(c, id, &plan, name, &why, act)?;
        Stored::created(format!("/api/v1/restatements/{id}"), row.version, &RestatementView::of(row, 0))
    };
    platform.idempotency.run(act.by, body.key, run).await
}

/// Read a restatement / 读取重述
#[utoipa::path(
    tag = "plan", operation_id = "restatement_get", security(("bearer" = ["ledger:read"])),
    params(("id" = RestatementId, Path, description = "The restatement")),
    responses((status = 200, description = "The restatement", body = RestatementView)),
)]
#[get("/api/v1/restatements/{id}")]
pub async fn restatement_get(
    platform: Data<Platform>,
    _guard: Guard<LedgerRead>,
    id: ApiPath<RestatementId>,
) -> Result<Reply<RestatementView>> {
    let (row, lines) = platform.db.read(move |c| read(c, id.0)).await?;
    let version = row.version;
    Ok(Reply::new(RestatementView::of(row, lines)).version(version))
}

fn read(c: &mut Conn, id: RestatementId) -> Result<(super::model::Restatement, i64)> {
    let row = store::restatement_get(c, id)?;
    let lines = store::posted_by(c, &[id])?.first().map_or(0, |(_, lines)| *lines);
    Ok((row, lines))
}

/// Decide a proposed restatement / 同意或不同意重述
///
/// By another officer than who proposed it (`second_officer_required`); the database holds that, too. Agreeing posts everything that is
/// held for the month. What is not agreed to leaves it held.
#[utoipa::path(
    tag = "plan", operation_id = "restatement_decide", security(("bearer" = ["restatement:write"])),
    params(("id" = RestatementId, Path, description = "The restatement"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PeriodDecisionInput,
    responses((status = 200, description = "The restatement", body = RestatementView)),
)]
#[post("/api/v1/restatements/{id}/decisions")]
pub async fn restatement_decide(
    platform: Data<Platform>,
    guard: Guard<RestatementWrite>,
    id: ApiPath<RestatementId>,
    body: Idempotent<PeriodDecisionInput>,
) -> Result<Stored> {
    let (scope, ids, id, agree) = (guard.scope().clone(), platform.ids.clone(), id.0, body.body.agree);
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let run = move |c: &mut Conn| {
        store::restatement_get(c, id)?;
        for_the_district(c, &scope)?;
        restating::decide_in_tx(c, &ids, id, agree, act)?;
        let (row, lines) = read(c, id)?;
        Stored::done(row.version, &RestatementView::of(row, lines))
    };
    platform.idempotency.run(act.by, body.key, run).await
}
