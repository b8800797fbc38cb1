//! What keeps a period open: one question to the database for each kind.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::PeriodKind;
use super::rules::{self, Item, ItemKind};
use crate::attendance::headcounts::model::HeadcountState;
use crate::attendance::model::ConflictState;
use crate::clock::{day_start, db_time};
use crate::error::Result;
use crate::ids::{ConflictId, HeadcountId, OrganisationId, PlanReportId, SessionId};
use crate::offering::model::{ActivityState, SessionState};
use crate::plan::reports::model::ReportState;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    activities, checkin_conflicts, headcounts, organisations, plan_reports, sessions, targets,
};

/// Items of a kind that are named at most: whoever has more has to begin somewhere.
pub const NAMED: i64 = 500;

/// Which part of the plan is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Month or quarter.
    pub kind: PeriodKind,
    /// Its first day.
    pub starts_on: NaiveDate,
    /// A sub-district; none for the whole district.
    pub street: Option<OrganisationId>,
}

/// Everything that is open in `part` at `now`.
pub fn open(conn: &mut Conn, part: Part, now: DateTime<Utc>) -> Result<Vec<Item>> {
    let of = Asked {
        from: db_time(day_start(part.starts_on)),
        until: db_time(day_start(rules::until(part.kind, part.starts_on))),
        street: part.street,
        now: db_time(now),
    };
    let mut items = sessions_unfinalised(conn, &of)?;
    items.extend(conflicts_open(conn, &of)?);
    items.extend(headcounts_unsigned(conn, &of)?);
    items.extend(reports_unapproved(conn, part)?);
    Ok(items)
}

struct Asked {
    from: NaiveDateTime,
    until: NaiveDateTime,
    /// Only what its organisations hold; none for all.
    street: Option<OrganisationId>,
    now: NaiveDateTime,
}

/// Activities that the part is about, as a condition on `activities::organisation_id`; before the limit, so that a street's own items
/// are named however many others have.
macro_rules! of_street {
    ($query:expr, $of:expr) => {{
        let mut query = $query.into_boxed();
        if let Some(street) = $of.street {
            let own =
                organisations::table.filter(organisations::street_id.eq(street)).select(organisations::id);
            query = query.filter(activities::organisation_id.eq_any(own));
        }
        query
    }};
}

fn items<I: ToString>(kind: ItemKind, rows: Vec<(I, String)>) -> Vec<Item> {
    rows.into_iter().map(|(id, title)| Item { kind, id: id.to_string(), name: Some(title) }).collect()
}

/// Sessions that are over, of activities that take place, and of which nobody has said whether they were held.
fn sessions_unfinalised(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let takes_place = [ActivityState::Published, ActivityState::Allocated, ActivityState::Finished];
    let query = sessions::table
        .inner_join(activities::table)
        .filter(sessions::state.eq(SessionState::Planned))
        .filter(sessions::starts_at.ge(of.from))
        .filter(sessions::starts_at.lt(of.until))
        .filter(sessions::ends_at.le(of.now))
        .filter(activities::state.eq_any(takes_place))
        .order(sessions::id)
        .limit(NAMED)
        .select((sessions::id, activities::title));
    let rows: Vec<(SessionId, String)> = of_street!(query, of).load(conn)?;
    Ok(items(ItemKind::SessionUnfinalised, rows))
}

/// Scans without a signal that contradict each other.
fn conflicts_open(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let query = checkin_conflicts::table
        .inner_join(sessions::table.on(sessions::id.eq(checkin_conflicts::session_id)))
        .inner_join(activities::table.on(activities::id.eq(sessions::activity_id)))
        .filter(checkin_conflicts::state.eq(ConflictState::Open))
        .filter(sessions::starts_at.ge(of.from))
        .filter(sessions::starts_at.lt(of.until))
        .order(checkin_conflicts::id)
        .limit(NAMED)
        .select((checkin_conflicts::id, activities::title));
    let rows: Vec<(ConflictId, String)> = of_street!(query, of).load(conn)?;
    Ok(items(ItemKind::ConflictOpen, rows))
}

/// Crowds that one officer counted and no other has agreed to.
fn headcounts_unsigned(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let query = headcounts::table
        .inner_join(sessions::table.on(sessions::id.eq(headcounts::session_id)))
        .inner_join(activities::table.on(activities::id.eq(sessions::activity_id)))
        .filter(headcounts::state.eq(HeadcountState::Proposed))
        .filter(sessions::starts_at.ge(of.from))
        .filter(sessions::starts_at.lt(of.until))
        .order(headcounts::id)
        .limit(NAMED)
        .select((headcounts::id, activities::title));
    let rows: Vec<(HeadcountId, String)> = of_street!(query, of).load(conn)?;
    Ok(items(ItemKind::HeadcountUnsigned, rows))
}

/// Reported figures of the period that nobody has approved or rejected.
fn reports_unapproved(conn: &mut Conn, part: Part) -> Result<Vec<Item>> {
    let mut query = plan_reports::table
        .inner_join(targets::table)
        .inner_join(organisations::table)
        .filter(plan_reports::state.eq(ReportState::Proposed))
        .filter(plan_reports::month.ge(part.starts_on))
        .filter(plan_reports::month.lt(rules::until(part.kind, part.starts_on)))
        .order(plan_reports::id)
        .limit(NAMED)
        .select((plan_reports::id, targets::code, organisations::short_name))
        .into_boxed();
    if let Some(street) = part.street {
        query = query.filter(organisations::street_id.eq(street));
    }
    let rows: Vec<(PlanReportId, String, String)> = query.load(conn)?;
    let item = |(id, code, name): (PlanReportId, String, String)| Item {
        kind: ItemKind::ReportUnapproved,
        id: id.to_string(),
        name: Some(format!("{code} {name}")),
    };
    Ok(rows.into_iter().map(item).collect())
}
