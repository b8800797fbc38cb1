//! The plan over HTTP: its words, and the lines behind a figure.

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{Plan, PlanItem, Target};
use super::store;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, LedgerLineId, OrganisationId, PlanId};
use crate::ledger;
use crate::ledger::model::{Grade, Line, SourceKind};
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

/// A target's code in the address, such as `07a`.
#[derive(Debug, Clone)]
pub struct TargetCode(pub String);

impl std::str::FromStr for TargetCode {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.as_bytes() {
            [b'0'..=b'9', b'0'..=b'9', b'a'..=b'z'] => Ok(Self(text.to_owned())),
            _ => Err(Error::not_found()),
        }
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
    /// Its id, such as an attendance's or a session's. Absent of a case of legal aid: who reads the plan learns of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "att_01k5b8m3q2e9t8h6y1v7z4w0xn")]
    pub source_id: Option<String>,
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
            SourceKind::Attendance => Some(crate::ids::AttendanceId::PREFIX),
            SourceKind::Session => Some(crate::ids::SessionId::PREFIX),
            SourceKind::Activity => Some(ActivityId::PREFIX),
            SourceKind::Headcount => Some("hdc"),
            SourceKind::Case => None,
            SourceKind::Report => Some(crate::ids::PlanReportId::PREFIX),
        };
        let uuid = uuid::Uuid::from_slice(&row.source_id).unwrap_or_default();
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            day: row.day,
            quantity: row.quantity,
            source_kind: row.source_kind,
            source_id: prefix.map(|prefix| crate::ids::typeid(prefix, uuid)),
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
    let page = platform.cursors.page(&list, &page, rows, Line::place)?;
    Ok(Reply::new(page.map(Into::into)))
}
