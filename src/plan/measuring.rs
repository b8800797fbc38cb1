//! A whole plan measured: everything that progress is made from, read once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::cascade;
use super::cascade::store::Agreed;
use super::model::{Plan, PlanItem, Target};
use super::rules::{self, Measured, Progress, Standing, Thresholds};
use super::{reports, store};
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{OrganisationId, TargetId};
use crate::ledger::model::Rollup;
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::{ledger, org, policy};

/// A plan with how far everything in it is.
pub struct Measurement {
    /// The plan.
    pub plan: Plan,
    /// Its items, in order.
    pub items: Vec<PlanItem>,
    /// Its targets, by code.
    pub targets: Vec<Target>,
    /// How far each is.
    pub progress: HashMap<TargetId, Progress>,
    /// The sums that it was worked out from.
    pub rollups: HashMap<TargetId, Vec<Rollup>>,
    /// What the sub-districts have agreed to.
    pub agreed: Agreed,
    /// The union tree.
    pub organisations: HashMap<OrganisationId, Organisation>,
    /// The district.
    pub root: OrganisationId,
    /// What is called what.
    pub thresholds: Thresholds,
    /// When this was known.
    pub as_of: DateTime<Utc>,
}

impl Measurement {
    /// How far `target` is.
    pub fn of(&self, target: &Target) -> Option<&Progress> {
        self.progress.get(&target.id)
    }

    /// Where a target's pair stands: where its weaker half does.
    pub fn pair_standing(&self, target: &Target) -> Option<Standing> {
        let other = self.targets.iter().find(|other| Some(&other.code) == target.pair.as_ref())?;
        Some(rules::weaker(self.of(target)?.standing, self.of(other)?.standing))
    }
}

/// Measures the plan of `year`: as it is known now, or as it was known at `as_of`, on the calendar of that moment.
///
/// # Errors
/// 404 where there is no such plan.
pub fn measure(
    conn: &mut Conn,
    year: i64,
    as_of: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Measurement> {
    let as_of = as_of.filter(|at| *at < now);
    let at = as_of.unwrap_or(now);
    let plan = store::plan_of_year(conn, year)?;
    let items = store::items(conn, plan.id)?;
    let targets = store::targets(conn, plan.id)?;
    let ids: Vec<TargetId> = targets.iter().map(|target| target.id).collect();
    let rollups = rollups(conn, &ids, as_of)?;
    let reported = reports::store::reported(conn, &ids, as_of)?;
    let agreed = cascade::store::agreed(conn, &ids, at)?;
    let organisations = org::store::all(conn)?;
    let root = org::store::root(conn)?.id;
    let today = civil_day(at);
    let thresholds = thresholds(conn, now)?;
    let ground = Measured { plan: &plan, organisations: &organisations, root, today, thresholds };
    let progress = targets
        .iter()
        .map(|target| {
            let own = rollups.get(&target.id).map(Vec::as_slice).unwrap_or_default();
            let said = reported.get(&target.id).map(Vec::as_slice).unwrap_or_default();
            (target.id, rules::progress(&ground, target, own, said))
        })
        .collect();
    Ok(Measurement {
        plan,
        items,
        targets,
        progress,
        rollups,
        agreed,
        organisations,
        root,
        thresholds,
        as_of: at,
    })
}

/// The sums of today, or those that were known at `as_of`.
fn rollups(
    conn: &mut Conn,
    targets: &[TargetId],
    as_of: Option<DateTime<Utc>>,
) -> Result<HashMap<TargetId, Vec<Rollup>>> {
    match as_of {
        None => ledger::store::rollups(conn, targets),
        Some(at) => ledger::past::rollups_as_of(conn, targets, at),
    }
}

/// What the house calls ahead, behind and at risk.
fn thresholds(conn: &mut Conn, now: DateTime<Utc>) -> Result<Thresholds> {
    let keys = [
        "plan.pace.ahead",
        "plan.pace.on",
        "plan.pace.risk",
        "plan.forecast.short",
        "plan.forecast.long",
        "plan.forecast.min_days",
        "plan.forecast.min_count",
        "plan.small_count",
    ];
    let figures = policy::store::numbers_on(conn, &keys, civil_day(now))?;
    let figure = |key: &str| figures.get(key).copied().unwrap_or(0);
    Ok(Thresholds {
        ahead: figure("plan.pace.ahead"),
        on: figure("plan.pace.on"),
        risk: figure("plan.pace.risk"),
        short: figure("plan.forecast.short"),
        long: figure("plan.forecast.long"),
        min_days: figure("plan.forecast.min_days"),
        min_count: figure("plan.forecast.min_count"),
        small: figure("plan.small_count"),
    })
}
