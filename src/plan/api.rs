//! The plan over HTTP: its words, its progress, and the lines behind a figure.

use std::collections::HashMap;

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{Comparator, CountedFrom, Each, Measure, Period, Plan, PlanItem, Target};
use super::rules::{self, Measured, Progress, Standing};
use super::store;
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, LedgerLineId, OrganisationId, PlanId};
use crate::ledger;
use crate::ledger::model::{Grade, Line, SourceKind};
use crate::org;
use crate::org::model::Organisation;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LedgerRead, PlanRead};
use crate::platform::http::{ApiPath, ApiQuery, Page, PageQuery, Reply};

/// A year in the address, such as 2025.
#[derive(Debug, Clone, Copy)]
pub struct Year(i64);

impl Year {
    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl std::str::FromStr for Year {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let year = text.parse().ok().filter(|year| text.len() == 4 && (1900..=9999).contains(year));
        year.map(Year).ok_or_else(Error::not_found)
    }
}

/// A year's work plan, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// Its id.
    pub id: PlanId,
    /// The civil year.
    #[schema(minimum = 1900, maximum = 9999)]
    pub year: i64,
    /// Its heading.
    #[schema(max_length = 200)]
    pub title: String,
    /// First day of the year.
    pub starts_on: NaiveDate,
    /// Last day of the year.
    pub ends_on: NaiveDate,
    /// Last day whose attendance counts. Later than the year only where a demonstration needs it.
    pub counts_until: NaiveDate,
}

impl From<&Plan> for PlanView {
    fn from(row: &Plan) -> Self {
        Self {
            id: row.id,
            year: row.year,
            title: row.title.clone(),
            starts_on: row.starts_on,
            ends_on: row.ends_on,
            counts_until: row.counts_until,
        }
    }
}

/// All plans.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanList {
    /// Newest first.
    #[schema(max_items = 100)]
    pub items: Vec<PlanView>,
}

/// List work plans / 列出工作要点
#[utoipa::path(
    tag = "plan", operation_id = "plan_list", security(("bearer" = ["plan:read"])),
    responses((status = 200, description = "All plans", body = PlanList)),
)]
#[get("/api/v1/plans")]
pub async fn plan_list(platform: Data<Platform>, _guard: Guard<PlanRead>) -> Result<Reply<PlanList>> {
    let rows = platform.db.read(store::plan_list).await?;
    Ok(Reply::new(PlanList { items: rows.iter().map(Into::into).collect() }))
}

/// One of the plan's items.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemView {
    /// From 1.
    #[schema(minimum = 1, maximum = 1000)]
    pub number: i64,
    /// The section's heading.
    #[schema(max_length = 200)]
    pub section: String,
    /// The first sentence.
    #[schema(max_length = 200)]
    pub title: String,
    /// Word for word.
    #[schema(max_length = 20000)]
    pub text: String,
    /// Codes of the lead departments (牵头部室).
    #[schema(max_items = 20)]
    pub leads: Vec<String>,
    /// Groups of participating units (参与单位).
    #[schema(max_items = 20)]
    pub participants: Vec<String>,
    /// Codes of its targets.
    #[schema(max_items = 50)]
    pub targets: Vec<String>,
}

/// A year's work plan, word for word.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanDetail {
    /// The plan.
    #[serde(flatten)]
    pub plan: PlanView,
    /// What stands before the first section.
    #[schema(max_length = 20000)]
    pub preamble: String,
    /// Its items, in order.
    #[schema(max_items = 1000)]
    pub items: Vec<ItemView>,
}

/// Read a work plan / 读取工作要点
#[utoipa::path(
    tag = "plan", operation_id = "plan_get", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999)),
    responses((status = 200, description = "The plan", body = PlanDetail)),
)]
#[get("/api/v1/plans/{year}")]
pub async fn plan_get(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    year: ApiPath<Year>,
) -> Result<Reply<PlanDetail>> {
    let (plan, items, targets) = platform
        .db
        .read(move |c| {
            let plan = store::plan_of_year(c, year.0.0)?;
            let items = store::items(c, plan.id)?;
            let targets = store::targets(c, plan.id)?;
            Ok((plan, items, targets))
        })
        .await?;
    let items = items.iter().map(|item| item_view(item, &targets)).collect::<Result<_>>()?;
    Ok(Reply::new(PlanDetail { plan: PlanView::from(&plan), preamble: plan.preamble, items }))
}

fn item_view(row: &PlanItem, targets: &[Target]) -> Result<ItemView> {
    Ok(ItemView {
        number: row.number,
        section: row.section.clone(),
        title: row.title.clone(),
        text: row.body.clone(),
        leads: serde_json::from_str(&row.leads).map_err(Error::internal)?,
        participants: serde_json::from_str(&row.participants).map_err(Error::internal)?,
        targets: targets.iter().filter(|t| t.item_id == row.id).map(|t| t.code.clone()).collect(),
    })
}

/// A figure of one organisation.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganisationFigure {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// Whose.
    #[schema(max_length = 60, example = "平湖")]
    pub name: String,
    /// How much.
    pub value: i64,
}

/// A period in which a value was due.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// Such as `2025-Q1` or `2025-03`.
    #[schema(max_length = 10)]
    pub label: String,
    /// What was counted in it, or how many units reached the value.
    pub value: i64,
    /// Whether it is over.
    pub over: bool,
    /// Whether the value was reached.
    pub met: bool,
    /// Units that did not reach it.
    #[schema(max_items = 1000)]
    pub failing: Vec<OrganisationFigure>,
}

/// How far a target is.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetProgress {
    /// Such as `07a`.
    #[schema(max_length = 10)]
    pub code: String,
    /// The plan's own words.
    #[schema(max_length = 400)]
    pub clause: String,
    /// What is counted.
    pub measure: Measure,
    /// When it is met.
    pub comparator: Comparator,
    /// As the plan writes it.
    #[schema(max_length = 20)]
    pub unit: String,
    /// Units that must each reach the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// Over which time the value is due.
    pub period: Period,
    /// Where the figure comes from.
    pub counted_from: CountedFrom,
    /// The plan's value.
    pub target_value: i64,
    /// The upper end of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<i64>,
    /// What was reached.
    pub value: i64,
    /// What must be reached: the plan's value, or the number of units, or of periods.
    pub required: i64,
    /// What an even pace would have reached by now.
    pub expected_by_now: i64,
    /// Hundredths, rounded down.
    pub percent: i64,
    /// Where it stands.
    pub standing: Standing,
    /// The target that must be met together with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10)]
    pub pair: Option<String>,
    /// Where the pair stands: where its weaker half does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_standing: Option<Standing>,
    /// Figures by sub-district (or station), largest first.
    #[schema(max_items = 1000)]
    pub by_organisation: Vec<OrganisationFigure>,
    /// Of a count of people: how much the figures above add up to more than the district's.
    pub overlap: i64,
    /// Of a value that is due in each of several periods.
    #[schema(max_items = 12)]
    pub periods: Vec<PeriodView>,
    /// Where the lines behind the figure are.
    #[schema(max_length = 200)]
    pub lines_url: String,
}

/// How far a plan is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressView {
    /// The plan.
    pub plan: PlanView,
    /// When this was true.
    pub as_of: DateTime<Utc>,
    /// Its targets, by code.
    #[schema(max_items = 1000)]
    pub targets: Vec<TargetProgress>,
}

/// Which targets.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProgressQuery {
    /// Only these targets: codes separated by commas, such as `07a,07b`.
    #[param(max_length = 200, pattern = "^[0-9]{2}[a-z](,[0-9]{2}[a-z])*$")]
    pub targets: Option<String>,
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
    let now = platform.clock.now();
    let wanted: Option<Vec<String>> =
        query.0.targets.map(|list| list.split(',').map(ToOwned::to_owned).collect());
    let view = platform
        .db
        .read(move |c| {
            let plan = store::plan_of_year(c, year.0.0)?;
            let targets = store::targets(c, plan.id)?;
            let ids: Vec<_> = targets.iter().map(|target| target.id).collect();
            let rollups = ledger::store::rollups(c, &ids)?;
            let organisations = org::store::all(c)?;
            let root = org::store::root(c)?.id;
            let ground = Measured { plan: &plan, organisations: &organisations, root, today: civil_day(now) };
            let all: HashMap<&str, Progress> = targets
                .iter()
                .map(|target| {
                    let own = rollups.get(&target.id).map(Vec::as_slice).unwrap_or_default();
                    (target.code.as_str(), rules::progress(&ground, target, own))
                })
                .collect();
            let shown = |target: &&Target| wanted.as_ref().is_none_or(|codes| codes.contains(&target.code));
            let targets = targets
                .iter()
                .filter(shown)
                .filter_map(|target| target_view(&plan, target, &all, &organisations))
                .collect();
            Ok(ProgressView { plan: PlanView::from(&plan), as_of: now, targets })
        })
        .await?;
    Ok(Reply::new(view))
}

fn target_view(
    plan: &Plan,
    target: &Target,
    all: &HashMap<&str, Progress>,
    organisations: &HashMap<OrganisationId, Organisation>,
) -> Option<TargetProgress> {
    let own = all.get(target.code.as_str())?;
    let other = target.pair.as_deref().and_then(|code| all.get(code));
    let figure = |id: OrganisationId, value: i64| OrganisationFigure {
        organisation_id: id,
        name: organisations.get(&id).map(|row| row.short_name.clone()).unwrap_or_default(),
        value,
    };
    let mut by_organisation: Vec<OrganisationFigure> =
        own.by_organisation.iter().map(|(id, value)| figure(*id, *value)).collect();
    by_organisation.sort_by(|a, b| b.value.cmp(&a.value).then(a.organisation_id.cmp(&b.organisation_id)));
    Some(TargetProgress {
        code: target.code.clone(),
        clause: target.clause.clone(),
        measure: target.measure,
        comparator: target.comparator,
        unit: target.unit.clone(),
        each: target.each,
        period: target.period,
        counted_from: target.counted_from,
        target_value: target.value,
        upper: target.upper,
        value: own.value,
        required: own.required,
        expected_by_now: own.expected,
        percent: own.value.saturating_mul(100).checked_div(own.required).unwrap_or(0),
        standing: own.standing,
        pair: target.pair.clone(),
        pair_standing: other.map(|other| rules::weaker(own.standing, other.standing)),
        by_organisation,
        overlap: own.overlap,
        periods: own
            .periods
            .iter()
            .map(|period| PeriodView {
                label: period.label.clone(),
                value: period.value,
                over: period.over,
                met: period.met,
                failing: period.failing.iter().map(|(id, value)| figure(*id, *value)).collect(),
            })
            .collect(),
        lines_url: format!("/api/v1/plans/{}/targets/{}/lines", plan.year, target.code),
    })
}

/// One signed quantity.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineView {
    /// Its id.
    pub id: LedgerLineId,
    /// For whose figure.
    pub organisation_id: OrganisationId,
    /// On which civil day.
    pub day: NaiveDate,
    /// Signed.
    pub quantity: i64,
    /// What is counted.
    pub source_kind: SourceKind,
    /// Its id, such as an attendance's or a session's.
    #[schema(max_length = 40, example = "att_01k5b8m3q2e9t8h6y1v7z4w0xn")]
    pub source_id: String,
    /// The activity it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<ActivityId>,
    /// The evidence: A best, D a headcount.
    pub grade: Grade,
    /// Which line it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverses: Option<LedgerLineId>,
    /// Why, of a line that takes back another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// When it became known.
    pub recorded_at: DateTime<Utc>,
}

impl From<Line> for LineView {
    fn from(row: Line) -> Self {
        let prefix = match row.source_kind {
            SourceKind::Attendance => crate::ids::AttendanceId::PREFIX,
            SourceKind::Session => crate::ids::SessionId::PREFIX,
            SourceKind::Activity => ActivityId::PREFIX,
            SourceKind::Headcount => "hdc",
            SourceKind::Case => "cas",
            SourceKind::Report => crate::ids::PlanReportId::PREFIX,
        };
        let uuid = uuid::Uuid::from_slice(&row.source_id).unwrap_or_default();
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            day: row.day,
            quantity: row.quantity,
            source_kind: row.source_kind,
            source_id: crate::ids::typeid(prefix, uuid),
            activity_id: row.activity_id,
            grade: row.grade,
            reverses: row.reverses,
            reason: row.reason,
            recorded_at: row.recorded_at.and_utc(),
        }
    }
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LineQuery {
    /// Only of this organisation's figure.
    #[param(inline)]
    pub organisation: Option<OrganisationId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// Open a figure into its lines / 打开数字的台账
#[utoipa::path(
    tag = "plan", operation_id = "target_line_list", security(("bearer" = ["ledger:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999),
           ("code" = String, Path, description = "The target, such as 07a", max_length = 10, pattern = "^[0-9]{2}[a-z]$"), LineQuery),
    responses((status = 200, description = "A page of lines, oldest first", body = Page<LineView>)),
)]
#[get("/api/v1/plans/{year}/targets/{code}/lines")]
pub async fn target_line_list(
    platform: Data<Platform>,
    _guard: Guard<LedgerRead>,
    path: actix_web::web::Path<(String, String)>,
    query: ApiQuery<LineQuery>,
) -> Result<Reply<Page<LineView>>> {
    let (year, code) = path.into_inner();
    let year: Year = year.parse()?;
    if !matches!(code.as_bytes(), [b'0'..=b'9', b'0'..=b'9', b'a'..=b'z']) {
        return Err(Error::not_found());
    }
    let LineQuery { organisation, limit, cursor } = query.0;
    let list = format!("lines/{}/{code}/{organisation:?}", year.0);
    let page = PageQuery { limit, cursor };
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let plan = store::plan_of_year(c, year.0)?;
            let target = store::target(c, plan.id, &code)?;
            ledger::store::lines(c, target.id, organisation, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &page, rows, |row| row.id)?;
    Ok(Reply::new(page.map(Into::into)))
}
