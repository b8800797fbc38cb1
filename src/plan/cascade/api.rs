//! Divided targets over HTTP.

use std::collections::HashMap;

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting::{self, Answering, Proposing};
use super::model::{Cascade, CascadeState, Share, ShareAnswer};
use super::store;
use crate::error::{Error, Result};
use crate::ids::{CascadeId, OrganisationId, PersonId};
use crate::org;
use crate::plan;
use crate::plan::api::{TargetCode, Year};
use crate::plan::model::Target;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{CascadeAnswer, CascadeWrite, PlanRead};
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A sub-district's share, proposed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareInput {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// How much; not below 0.
    #[schema(maximum = 1_000_000_000)]
    pub value: i64,
}

/// How a target is to be divided.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "shares": [{"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "value": 920}], "reason": "平湖街道驿站停业，调减 80 人次"
}))]
pub struct CascadeInput {
    /// A share for every sub-district; together not less than the target.
    #[schema(min_items = 1, max_items = 100)]
    pub shares: Vec<ShareInput>,
    /// Why there is another version; asked for from the second on.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// What a sub-district says to its share.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "answer": "objected", "reason": "辖区企业外迁，难以完成"}))]
pub struct ShareAnswerInput {
    /// Which sub-district.
    pub organisation_id: OrganisationId,
    /// What it says.
    pub answer: ShareAnswer,
    /// Why; asked for of an objection.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A sub-district's share.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShareView {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// Whose.
    #[schema(max_length = 60, example = "平湖街道")]
    pub name: String,
    /// How much.
    pub value: i64,
    /// What it says; nothing yet where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<ShareAnswer>,
    /// Why, of an objection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Who said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<PersonId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
}

/// A version of how a target is divided.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CascadeView {
    /// Its id.
    pub id: CascadeId,
    /// The target, such as `07b`.
    #[schema(max_length = 10, example = "07b")]
    pub target: String,
    /// From 1.
    #[schema(minimum = 1)]
    pub number: i64,
    /// Where in its life it is.
    pub state: CascadeState,
    /// Why there is another version.
    #[schema(max_length = 500)]
    pub reason: String,
    /// What the target asks for.
    pub required: i64,
    /// What the shares add up to.
    pub sum: i64,
    /// By organisation code.
    #[schema(max_items = 100)]
    pub shares: Vec<ShareView>,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// When the last sub-district agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force_at: Option<DateTime<Utc>>,
    /// When another version took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_at: Option<DateTime<Utc>>,
}

fn views(conn: &mut Conn, target: &Target, rows: Vec<Cascade>) -> Result<Vec<CascadeView>> {
    let ids: Vec<CascadeId> = rows.iter().map(|row| row.id).collect();
    let mut by_cascade: HashMap<CascadeId, Vec<Share>> = HashMap::new();
    for share in store::shares_of(conn, &ids)? {
        by_cascade.entry(share.cascade_id).or_default().push(share);
    }
    let organisations = org::store::all(conn)?;
    let code = |id: &OrganisationId| organisations.get(id).map(|row| row.code.clone());
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut shares = by_cascade.remove(&row.id).unwrap_or_default();
            shares.sort_by_key(|share| code(&share.organisation_id));
            CascadeView {
                id: row.id,
                target: target.code.clone(),
                number: row.number,
                state: row.state,
                reason: row.reason,
                required: target.value,
                sum: shares.iter().map(|share| share.value).sum(),
                shares: shares
                    .into_iter()
                    .map(|share| ShareView {
                        name: organisations
                            .get(&share.organisation_id)
                            .map(|row| row.short_name.clone())
                            .unwrap_or_default(),
                        organisation_id: share.organisation_id,
                        value: share.value,
                        answer: share.answer,
                        reason: share.reason,
                        answered_by: share.answered_by,
                        answered_at: share.answered_at.map(|at| at.and_utc()),
                    })
                    .collect(),
                proposed_by: row.made_by,
                proposed_at: row.made_at.and_utc(),
                in_force_at: row.in_force_at.map(|at| at.and_utc()),
                replaced_at: row.replaced_at.map(|at| at.and_utc()),
            }
        })
        .collect())
}

fn view(conn: &mut Conn, id: CascadeId) -> Result<(CascadeView, i64)> {
    let row = store::get(conn, id)?;
    let (target, ..) = plan::reports::store::target_whole(conn, row.target_id)?;
    let version = row.version;
    let view = views(conn, &target, vec![row])?.pop().ok_or_else(Error::not_found)?;
    Ok((view, version))
}

/// Propose how a target is divided among the sub-districts / 分解指标
///
/// Every sub-district has a share, and together they are not less than the target; of people they may be more, since somebody who comes in
/// two sub-districts is one person of each. A version that waits for answers is replaced; one that is in force holds until all have agreed
/// to this one. Not every target is divided (`target_undivided`).
#[utoipa::path(
    tag = "plan", operation_id = "cascade_create", security(("bearer" = ["cascade:write"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("code" = String, Path, description = "The target, such as 07b", max_length = 10, pattern = "^[0-9]{2}[a-z]$"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CascadeInput,
    responses((status = 201, description = "The division, to be answered", body = CascadeView)),
)]
#[post("/api/v1/plans/{year}/targets/{code}/cascades")]
pub async fn cascade_create(
    platform: Data<Platform>,
    guard: Guard<CascadeWrite>,
    path: ApiPaths<Year, TargetCode>,
    body: Idempotent<CascadeInput>,
) -> Result<Stored> {
    let (actor, now, ApiPaths(year, code)) = (guard.person(), platform.clock.now(), path);
    let proposing = Proposing {
        id: platform.ids.id(),
        year: year.number(),
        code: code.0,
        shares: body.body.shares.iter().map(|share| (share.organisation_id, share.value)).collect(),
        reason: body.body.reason,
        actor,
        scope: guard.scope().clone(),
    };
    let act = move |c: &mut Conn| {
        let (row, entry) = acting::propose_in_tx(c, &proposing, now)?;
        audit::append_in_tx(c, now, vec![entry])?;
        let (view, version) = view(c, row.id)?;
        Stored::created(format!("/api/v1/plan-cascades/{}", row.id), version, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// List the versions of a target's division / 列出指标分解方案
#[utoipa::path(
    tag = "plan", operation_id = "cascade_list", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("code" = String, Path, description = "The target, such as 07b", max_length = 10, pattern = "^[0-9]{2}[a-z]$"), PageQuery),
    responses((status = 200, description = "A page of versions, newest first", body = Page<CascadeView>)),
)]
#[get("/api/v1/plans/{year}/targets/{code}/cascades")]
pub async fn cascade_list(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    path: ApiPaths<Year, TargetCode>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CascadeView>>> {
    let ApiPaths(year, code) = path;
    let list = format!("cascades/{}/{}", year.number(), code.0);
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let views = platform.db.read(move |c| {
        let plan = plan::store::plan_of_year(c, year.number())?;
        let target = plan::store::target(c, plan.id, &code.0)?;
        let rows = store::list(c, target.id, before, limit)?;
        views(c, &target, rows)
    });
    Ok(Reply::new(platform.cursors.page(&list, &query.0, views.await?, |view| view.number)?))
}

/// Read a division / 查看指标分解方案
#[utoipa::path(
    tag = "plan", operation_id = "cascade_get", security(("bearer" = ["plan:read"])),
    params(("id" = CascadeId, Path, description = "The division")),
    responses((status = 200, description = "The division", body = CascadeView)),
)]
#[get("/api/v1/plan-cascades/{id}")]
pub async fn cascade_get(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    id: ApiPath<CascadeId>,
) -> Result<Reply<CascadeView>> {
    let (view, version) = platform.db.read(move |c| view(c, id.0)).await?;
    Ok(Reply::new(view).version(version))
}

/// Agree or object to the share of one's own sub-district / 答复指标分解
///
/// An officer of the sub-district itself answers, once a version. With the last agreement the division is in force.
#[utoipa::path(
    tag = "plan", operation_id = "cascade_answer", security(("bearer" = ["cascade:answer"])),
    params(("id" = CascadeId, Path, description = "The division"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ShareAnswerInput,
    responses((status = 200, description = "The division", body = CascadeView)),
)]
#[post("/api/v1/plan-cascades/{id}/answers")]
pub async fn cascade_answer(
    platform: Data<Platform>,
    guard: Guard<CascadeAnswer>,
    id: ApiPath<CascadeId>,
    body: Idempotent<ShareAnswerInput>,
) -> Result<Stored> {
    let (actor, now, id) = (guard.person(), platform.clock.now(), id.0);
    let answering = Answering {
        id,
        unit: body.body.organisation_id,
        answer: body.body.answer,
        reason: body.body.reason,
        actor,
        scope: guard.scope().clone(),
    };
    let act = move |c: &mut Conn| {
        let entries = acting::answer_in_tx(c, &answering, now)?;
        audit::append_in_tx(c, now, entries)?;
        let (view, version) = view(c, id)?;
        Stored::done(version, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}
