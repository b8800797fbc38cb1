//! Promises of the plan without a number: reached or not, with evidence.

use actix_web::web::Data;
use actix_web::{get, put};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::Year;
use super::model::Milestone;
use super::store;
use crate::clock::civil_day;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{MilestoneId, PersonId};
use crate::org;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{MilestoneWrite, PlanRead};
use crate::platform::audit::{self, Entry};
use crate::platform::http::{ApiJson, ApiPath, IfMatch, Reply};

/// A promise without a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct MilestoneView {
    /// Its id.
    pub id: MilestoneId,
    /// Such as `M01-1`.
    #[schema(max_length = 10)]
    pub code: String,
    /// What is promised.
    #[schema(max_length = 400)]
    pub name: String,
    /// Until when.
    pub due_on: NaiveDate,
    /// Whether it was reached.
    pub reached: bool,
    /// Whether it is late: not reached, and the day is over.
    pub overdue: bool,
    /// When it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached_at: Option<DateTime<Utc>>,
    /// Who said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached_by: Option<PersonId>,
    /// What shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub evidence: Option<String>,
}

/// A milestone as it is shown on `today`.
pub(super) fn view(row: Milestone, today: NaiveDate) -> MilestoneView {
    MilestoneView {
        id: row.id,
        code: row.code,
        name: row.name,
        due_on: row.due_on,
        reached: row.done_at.is_some(),
        overdue: row.done_at.is_none() && today > row.due_on,
        reached_at: row.done_at.map(|at| at.and_utc()),
        reached_by: row.done_by,
        evidence: row.evidence,
    }
}

/// All milestones of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct MilestoneList {
    /// By code.
    #[schema(max_items = 1000)]
    pub items: Vec<MilestoneView>,
}

/// List the plan's milestones / 列出里程碑
#[utoipa::path(
    tag = "plan", operation_id = "milestone_list", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999)),
    responses((status = 200, description = "All milestones", body = MilestoneList)),
)]
#[get("/api/v1/plans/{year}/milestones")]
pub async fn milestone_list(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    year: ApiPath<Year>,
) -> Result<Reply<MilestoneList>> {
    let today = civil_day(platform.clock.now());
    let year = year.0;
    let rows = platform
        .db
        .read(move |c| {
            let plan = store::plan_of_year(c, year.number())?;
            store::milestones(c, plan.id)
        })
        .await?;
    Ok(Reply::new(MilestoneList { items: rows.into_iter().map(|row| view(row, today)).collect() }))
}

/// Read a milestone / 读取里程碑
#[utoipa::path(
    tag = "plan", operation_id = "milestone_get", security(("bearer" = ["plan:read"])),
    params(("id" = MilestoneId, Path, description = "The milestone")),
    responses((status = 200, description = "The milestone", body = MilestoneView)),
)]
#[get("/api/v1/milestones/{id}")]
pub async fn milestone_get(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    id: ApiPath<MilestoneId>,
) -> Result<Reply<MilestoneView>> {
    let row = platform.db.read(move |c| store::milestone_get(c, id.0)).await?;
    let version = row.version;
    Ok(Reply::new(view(row, civil_day(platform.clock.now()))).version(version))
}

/// Whether a milestone is reached.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reached": true, "evidence": "龙工〔2025〕12 号会议纪要"}))]
pub struct MilestoneInput {
    /// True when it is; false to take that back.
    pub reached: bool,
    /// What shows it; asked for when it is reached.
    #[schema(max_length = 2000)]
    pub evidence: Option<String>,
}

/// Say whether a milestone is reached / 更新里程碑
#[utoipa::path(
    tag = "plan", operation_id = "milestone_update", security(("bearer" = ["milestone:write"])),
    params(("id" = MilestoneId, Path, description = "The milestone"),
           ("If-Match" = String, Header, description = "The ETag that was read", max_length = 100)),
    request_body = MilestoneInput,
    responses((status = 200, description = "The milestone", body = MilestoneView)),
)]
#[put("/api/v1/milestones/{id}")]
pub async fn milestone_update(
    platform: Data<Platform>,
    guard: Guard<MilestoneWrite>,
    id: ApiPath<MilestoneId>,
    seen: IfMatch,
    body: ApiJson<MilestoneInput>,
) -> Result<Reply<MilestoneView>> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let MilestoneInput { reached, evidence } = body.0;
    let evidence = evidence.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let reached = match (reached, evidence) {
        (true, Some(evidence)) => Some((actor, evidence)),
        (true, None) => {
            let text = Text::new("完成里程碑须写明依据", "say what shows that it is reached");
            return Err(Error::invalid(vec![Fault::new("/evidence", "required", text)]));
        }
        (false, _) => None,
    };
    let row = platform
        .db
        .write(move |c| {
            // The plan is the district's: it is kept there. Everybody with the permission may read it, so nothing is hidden.
            if !scope.covers(&org::store::root(c)?.path) {
                return Err(Error::new(Code::Forbidden).detail(
                    "工作要点由区总工会维护",
                    "The plan is kept by the district: this needs a grant over all of it",
                ));
            }
            store::milestone_get(c, id)?;
            let action = if reached.is_some() { "milestone.reach" } else { "milestone.reopen" };
            store::milestone_set_in_tx(c, id, seen.version(), reached, now)?;
            audit::append_in_tx(c, now, vec![Entry::new(actor, action, id)])?;
            store::milestone_get(c, id)
        })
        .await?;
    let version = row.version;
    Ok(Reply::new(view(row, civil_day(now))).version(version))
}
