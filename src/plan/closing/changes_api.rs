//! Why did a figure change: two moments, and what became known between them, by cause.

use std::collections::{BTreeMap, HashMap};

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{OrganisationId, TargetId};
use crate::ledger;
use crate::ledger::model::{Cause, Rollup};
use crate::ledger::past::Change;
use crate::org;
use crate::plan::api::Year;
use crate::plan::model::{Measure, Target};
use crate::plan::store as plans;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::PlanRead;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Reply};

crate::text_enum! {
    /// Why a figure changed.
    pub enum ChangeCause {
        /// 新增.
        New = "new",
        /// 补录: it became known when its month was over.
        Late = "late",
        /// 撤销签到.
        Undone = "undone",
        /// 活动或场次取消.
        Voided = "voided",
        /// 签到冲突的认定.
        Conflict = "conflict",
        /// 签到人数变化，重新扣除.
        Recounted = "recounted",
        /// 抽查核减.
        WriteDown = "write_down",
        /// 上报数据换版.
        Report = "report",
        /// 已结账月份的重述.
        Restatement = "restatement",
    }
}

impl ChangeCause {
    fn of(change: &Change) -> Self {
        if change.restated {
            return Self::Restatement;
        }
        match change.cause {
            Cause::New => Self::New,
            Cause::Late => Self::Late,
            Cause::Undone => Self::Undone,
            Cause::Voided => Self::Voided,
            Cause::Conflict => Self::Conflict,
            Cause::Recounted => Self::Recounted,
            Cause::WriteDown => Self::WriteDown,
            Cause::Report => Self::Report,
        }
    }
}

/// Between which moments.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// What was known then is the figure before.
    pub from: DateTime<Utc>,
    /// What was known then is the figure after; now, if left out.
    pub to: Option<DateTime<Utc>>,
}

/// What one cause did to a figure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangeView {
    /// Why.
    pub cause: ChangeCause,
    /// By how much.
    pub quantity: i64,
    /// In how many lines.
    #[schema(minimum = 0)]
    pub lines: i64,
}

/// What changed an organisation's part of a figure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrganisationChange {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// Whose.
    #[schema(max_length = 60, example = "平湖")]
    pub name: String,
    /// By cause.
    #[schema(max_items = 20)]
    pub causes: Vec<ChangeView>,
}

/// What changed a target's figure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TargetChange {
    /// Such as `07a`.
    #[schema(max_length = 10, example = "07a")]
    pub code: String,
    /// As it was known at the first moment.
    pub before: i64,
    /// As it was known at the second.
    pub after: i64,
    /// By cause; they add up to the difference.
    #[schema(max_items = 20)]
    pub causes: Vec<ChangeView>,
    /// By organisation. Of people, these may add up to more.
    #[schema(max_items = 1000)]
    pub by_organisation: Vec<OrganisationChange>,
}

/// What changed between two moments.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangeList {
    /// The first.
    pub from: DateTime<Utc>,
    /// The second.
    pub to: DateTime<Utc>,
    /// Targets of which anything became known, by code.
    #[schema(max_items = 1000)]
    pub targets: Vec<TargetChange>,
}

/// Why did it change: by target and cause / 数字为何变化
#[utoipa::path(
    tag = "plan", operation_id = "plan_changes", security(("bearer" = ["plan:read"])),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999), ChangesQuery),
    responses((status = 200, description = "What changed", body = ChangeList)),
)]
#[get("/api/v1/plans/{year}/changes")]
pub async fn plan_changes(
    platform: Data<Platform>,
    _guard: Guard<PlanRead>,
    year: ApiPath<Year>,
    query: ApiQuery<ChangesQuery>,
) -> Result<Reply<ChangeList>> {
    let ChangesQuery { from, to } = query.0;
    let to = to.unwrap_or_else(|| platform.clock.now());
    if from > to {
        let text = Text::new("应不晚于 to", "must not be after `to`");
        return Err(Error::parameter(Code::QueryInvalid, Fault::new("/query/from", "range", text)));
    }
    let targets = platform.db.read(move |c| read(c, year.0, from, to)).await?;
    Ok(Reply::new(ChangeList { from, to, targets }))
}

type Causes = BTreeMap<ChangeCause, (i64, i64)>;

fn read(c: &mut Conn, year: Year, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<TargetChange>> {
    let plan = plans::plan_of_year(c, year.number())?;
    let targets = plans::targets(c, plan.id)?;
    let ids: Vec<TargetId> = targets.iter().map(|target| target.id).collect();
    let changes = ledger::past::changes(c, &ids, from, to)?;
    let before = ledger::past::rollups_as_of(c, &ids, from)?;
    let root = org::store::root(c)?.id;
    let organisations = org::store::all(c)?;
    let mut by_target: HashMap<TargetId, BTreeMap<OrganisationId, Causes>> = HashMap::new();
    for change in changes {
        let of = by_target.entry(change.target).or_default().entry(change.organisation).or_default();
        let sum = of.entry(ChangeCause::of(&change)).or_default();
        sum.0 += change.quantity;
        sum.1 += change.lines;
    }
    let view = |target: &Target| {
        let of = by_target.get(&target.id)?;
        // Of people, the district's own line is the figure.
        let counts = |id: OrganisationId| target.measure != Measure::DistinctPersons || id == root;
        let mut causes = Causes::new();
        for (_, more) in of.iter().filter(|(id, _)| counts(**id)) {
            for (cause, (quantity, lines)) in more {
                let sum = causes.entry(*cause).or_default();
                sum.0 += quantity;
                sum.1 += lines;
            }
        }
        let known: &[Rollup] = before.get(&target.id).map(Vec::as_slice).unwrap_or_default();
        let known = known.iter().filter(|row| counts(row.organisation_id));
        let before: i64 = known.map(|row| row.quantity).sum();
        let difference: i64 = causes.values().map(|(quantity, _)| quantity).sum();
        let by_organisation = of.iter().map(|(id, causes)| OrganisationChange {
            organisation_id: *id,
            name: organisations.get(id).map(|row| row.short_name.clone()).unwrap_or_default(),
            causes: views(causes),
        });
        Some(TargetChange {
            code: target.code.clone(),
            before,
            after: before + difference,
            causes: views(&causes),
            by_organisation: by_organisation.collect(),
        })
    };
    Ok(targets.iter().filter_map(view).collect())
}

fn views(causes: &Causes) -> Vec<ChangeView> {
    let view = |(cause, (quantity, lines)): (&ChangeCause, &(i64, i64))| ChangeView {
        cause: *cause,
        quantity: *quantity,
        lines: *lines,
    };
    causes.iter().map(view).collect()
}
