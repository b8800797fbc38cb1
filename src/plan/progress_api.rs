//! Progress over HTTP: of the whole plan, of one item with its lead departments, and of the sub-districts beside each other.

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::{PlanView, TargetCode, Year};
use super::measuring::{Measurement, measure};
use super::milestones_api::{MilestoneView, view as milestone_view};
use super::model::{Milestone, PlanItem};
use super::progress_views::{RankedView, TargetProgress};
use super::reports::views::NamedUnit;
use super::rules::{self, Standing};
use super::store;
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::PlanRead;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Reply};

/// How far a plan is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressView {
    /// The plan.
    pub plan: PlanView,
    /// When this was known.
    pub as_of: DateTime<Utc>,
    /// Its targets, by code.
    #[schema(max_items = 1000)]
    pub targets: Vec<TargetProgress>,
}

/// Which targets, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProgressQuery {
    /// Only these targets: codes separated by commas, such as `07a,07b`.
    #[param(max_length = 200, pattern = "^[0-9]{2}[a-z](,[0-9]{2}[a-z])*$")]
    pub targets: Option<String>,
    /// As it was known at this moment, on the calendar of its day; now for a moment to come.
    pub as_of: Option<DateTime<Utc>>,
}

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AsOfQuery {
    /// As it was known at this moment, on the calendar of its day; now for a moment to come.
    pub as_of: Option<DateTime<Utc>>,
}

/// How far the plan is, by target and by sub-district / 工作要点进度
///
/// Every figure is earned: it comes from the ledger, whose lines come from attendance, cases and approved reports.
#[utoipa::path(
    tag = "plan", operation_id = "plan_progress", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999), ProgressQuery),
    responses((status = 200, description = "The progress", body = ProgressView)),
)]
#[get("/api/v1/plans/{year}/progress")]
pub async fn plan_progress(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    year: ApiPath<Year>,
    query: ApiQuery<ProgressQuery>,
) -> Result<Reply<ProgressView>> {
    let (now, ProgressQuery { targets, as_of }) = (platform.clock.now(), query.0);
    let wanted: Option<Vec<String>> = targets.map(|list| list.split(',').map(ToOwned::to_owned).collect());
    let measured = platform.db.read(move |c| measure(c, year.0.number(), as_of, now)).await?;
    let shown = measured
        .targets
        .iter()
        .filter(|target| wanted.as_ref().is_none_or(|codes| codes.contains(&target.code)))
        .filter_map(|target| measured.target_view(target))
        .collect();
    let plan = PlanView::from(&measured.plan);
    Ok(Reply::new(ProgressView { plan, as_of: measured.as_of, targets: shown }))
}

/// How far one of the plan's items is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemProgress {
    /// From 1.
    #[schema(minimum = 1, maximum = 1000)]
    pub number: i64,
    /// The section's heading.
    #[schema(max_length = 200)]
    pub section: String,
    /// The first sentence.
    #[schema(max_length = 200)]
    pub title: String,
    /// Its lead departments (牵头部室), in the plan's order.
    #[schema(max_items = 20)]
    pub leads: Vec<NamedUnit>,
    /// When this was known.
    pub as_of: DateTime<Utc>,
    /// Where the item stands: where its weakest target does; of an item without numbers, where its milestones do.
    pub standing: Standing,
    /// Its targets, by code.
    #[schema(max_items = 50)]
    pub targets: Vec<TargetProgress>,
    /// How many milestones are reached.
    pub milestones_reached: i64,
    /// How many are late.
    pub milestones_overdue: i64,
    /// Its milestones, by code.
    #[schema(max_items = 100)]
    pub milestones: Vec<MilestoneView>,
}

/// How far an item is, with its lead departments / 条目进度
#[utoipa::path(
    tag = "plan", operation_id = "item_progress", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("number" = i64, Path, description = "The item's number", minimum = 1, maximum = 1000), AsOfQuery),
    responses((status = 200, description = "The item", body = ItemProgress)),
)]
#[get("/api/v1/plans/{year}/items/{number}/progress")]
pub async fn item_progress(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    path: ApiPaths<Year, i64>,
    query: ApiQuery<AsOfQuery>,
) -> Result<Reply<ItemProgress>> {
    let (now, as_of, ApiPaths(year, number)) = (platform.clock.now(), query.0.as_of, path);
    let found = platform.db.read(move |c| {
        let measured = measure(c, year.number(), as_of, now)?;
        let milestones = store::milestones(c, measured.plan.id)?;
        Ok((measured, milestones))
    });
    let (measured, milestones) = found.await?;
    let item = measured.items.iter().find(|item| item.number == number).ok_or_else(Error::not_found)?;
    let own: Vec<Milestone> = milestones.into_iter().filter(|row| row.item_id == item.id).collect();
    Ok(Reply::new(item_view(&measured, item, own)?))
}

fn item_view(measured: &Measurement, item: &PlanItem, own: Vec<Milestone>) -> Result<ItemProgress> {
    let leads: Vec<String> = serde_json::from_str(&item.leads).map_err(Error::internal)?;
    let lead = |code: &String| {
        let row = measured.organisations.values().find(|row| row.code == *code)?;
        Some(NamedUnit { organisation_id: row.id, name: row.short_name.clone() })
    };
    let targets: Vec<TargetProgress> = measured
        .targets
        .iter()
        .filter(|target| target.item_id == item.id)
        .filter_map(|target| measured.target_view(target))
        .collect();
    // A milestone that was reached later was not reached then.
    let known = |row: Milestone| {
        let reached = row.done_at.is_some_and(|at| at.and_utc() <= measured.as_of);
        if reached { row } else { Milestone { done_at: None, done_by: None, evidence: None, ..row } }
    };
    let today = civil_day(measured.as_of);
    let milestones: Vec<MilestoneView> =
        own.into_iter().map(|row| milestone_view(known(row), today)).collect();
    let of = |wanted: fn(&MilestoneView) -> bool| {
        i64::try_from(milestones.iter().filter(|one| wanted(one)).count()).unwrap_or(i64::MAX)
    };
    let (reached, overdue) = (of(|one| one.reached), of(|one| one.overdue));
    let promised = if overdue > 0 {
        Standing::Failed
    } else if milestones.iter().all(|one| one.reached) {
        Standing::Met
    } else {
        Standing::OnPace
    };
    Ok(ItemProgress {
        number: item.number,
        section: item.section.clone(),
        title: item.title.clone(),
        leads: leads.iter().filter_map(lead).collect(),
        as_of: measured.as_of,
        standing: targets.iter().map(|one| one.standing).reduce(rules::weaker).unwrap_or(promised),
        targets,
        milestones_reached: reached,
        milestones_overdue: overdue,
        milestones,
    })
}

/// The sub-districts beside each other.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetRanking {
    /// The target, such as `07b`.
    #[schema(max_length = 10, example = "07b")]
    pub code: String,
    /// As the plan writes it.
    #[schema(max_length = 20)]
    pub unit: String,
    /// When this was known.
    pub as_of: DateTime<Utc>,
    /// Counts of people from 1 to below this are hidden, and stand in one place.
    pub hidden_below: i64,
    /// By rate of their share, then those without a share by figure.
    #[schema(max_items = 100)]
    pub items: Vec<RankedView>,
}

/// Rank the sub-districts by how far they are with a target / 街道排名
#[utoipa::path(
    tag = "plan", operation_id = "target_ranking", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("code" = String, Path, description = "The target, such as 07b", max_length = 10, pattern = "^[0-9]{2}[a-z]$"), AsOfQuery),
    responses((status = 200, description = "The ranking", body = TargetRanking)),
)]
#[get("/api/v1/plans/{year}/targets/{code}/ranking")]
pub async fn target_ranking(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    path: ApiPaths<Year, TargetCode>,
    query: ApiQuery<AsOfQuery>,
) -> Result<Reply<TargetRanking>> {
    let (now, as_of, ApiPaths(year, code)) = (platform.clock.now(), query.0.as_of, path);
    let measured = platform.db.read(move |c| measure(c, year.number(), as_of, now)).await?;
    let target = measured.targets.iter().find(|target| target.code == code.0).ok_or_else(Error::not_found)?;
    Ok(Reply::new(TargetRanking {
        code: target.code.clone(),
        unit: target.unit.clone(),
        as_of: measured.as_of,
        hidden_below: measured.thresholds.small,
        items: measured.ranking_view(target),
    }))
}
