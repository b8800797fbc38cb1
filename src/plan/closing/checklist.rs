//! What keeps a period open: one question to the database for each kind.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::PeriodKind;
use super::rules::{self, Item, ItemKind};
use crate::attendance::headcounts::model::HeadcountState;
use crate::attendance::model::ConflictState;
use crate::clock::{day_start, db_time};
use crate::error::Result;
use crate::ids::{ActivityId, ConflictId, HeadcountId, OrganisationId, ReviewId, SessionId};
use crate::offering::model::{ActivityState, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    activities, checkin_conflicts, headcounts, organisations, reviews, sessions,
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
        activities: part.street.map(|street| activities_of(conn, street)).transpose()?,
        now: db_time(now),
    };
    let mut items = sessions_unfinalised(conn, &of)?;
    items.extend(conflicts_open(conn, &of)?);
    items.extend(headcounts_unsigned(conn, &of)?);
    if part.street.is_none() {
        items.extend(reports_unapproved(conn, &of)?);
    }
    Ok(items)
}

struct Asked {
    from: NaiveDateTime,
    until: NaiveDateTime,
    /// Only these; none for all.
    activities: Option<Vec<ActivityId>>,
    now: NaiveDateTime,
}

impl Asked {
    fn covers(&self, activity: ActivityId) -> bool {
        self.activities.as_ref().is_none_or(|of| of.binary_search(&activity).is_ok())
    }

    fn items<I: ToString>(&self, kind: ItemKind, rows: Vec<(I, ActivityId, String)>) -> Vec<Item> {
        let mine = rows.into_iter().filter(|(_, activity, _)| self.covers(*activity));
        mine.map(|(id, _, title)| Item { kind, id: id.to_string(), name: Some(title) }).collect()
    }
}

/// The activities that organisations of a sub-district hold.
fn activities_of(conn: &mut Conn, street: OrganisationId) -> Result<Vec<ActivityId>> {
    let of = organisations::table.filter(organisations::street_id.eq(street)).select(organisations::id);
    let query = activities::table.filter(activities::organisation_id.eq_any(of)).select(activities::id);
    let mut ids: Vec<ActivityId> = query.load(conn)?;
    ids.sort();
    Ok(ids)
}

/// Sessions that are over, of activities that take place, and of which nobody has said whether they were held.
fn sessions_unfinalised(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let takes_place = [ActivityState::Published, ActivityState::Allocated, ActivityState::Finished];
    let rows: Vec<(SessionId, ActivityId, String)> = sessions::table
        .inner_join(activities::table)
        .filter(sessions::state.eq(SessionState::Planned))
        .filter(sessions::starts_at.ge(of.from))
        .filter(sessions::starts_at.lt(of.until))
        .filter(sessions::ends_at.le(of.now))
        .filter(activities::state.eq_any(takes_place))
        .order(sessions::id)
        .limit(NAMED)
        .select((sessions::id, activities::id, activities::title))
        .load(conn)?;
    Ok(of.items(ItemKind::SessionUnfinalised, rows))
}

/// Scans without a signal that contradict each other.
fn conflicts_open(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let rows: Vec<(ConflictId, ActivityId, String)> = checkin_conflicts::table
        .inner_join(sessions::table.on(sessions::id.eq(checkin_conflicts::session_id)))
        .inner_join(activities::table.on(activities::id.eq(sessions::activity_id)))
        .filter(checkin_conflicts::state.eq(ConflictState::Open))
        .filter(sessions::starts_at.ge(of.from))
        .filter(sessions::starts_at.lt(of.until))
        .order(checkin_conflicts::id)
        .limit(NAMED)
        .select((checkin_conflicts::id, activities::id, activities::title))
        .load(conn)?;
    Ok(of.items(ItemKind::ConflictOpen, rows))
}

/// Crowds that one officer counted and no other has agreed to.
fn headcounts_unsigned(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let rows: Vec<(HeadcountId, ActivityId, String)> = headcounts::table
        .inner_join(sessions::table.on(sessions::id.eq(headcounts::session_id)))
        .inner_join(activities::table.on(activities::id.eq(sessions::activity_id)))
        .filter(headcounts::state.eq(HeadcountState::Proposed))
        .filter(sessions::starts_at.ge(of.from))
        .filter(sessions::starts_at.lt(of.until))
        .order(headcounts::id)
        .limit(NAMED)
        .select((headcounts::id, activities::id, activities::title))
        .load(conn)?;
    Ok(of.items(ItemKind::HeadcountUnsigned, rows))
}

/// Requests about reports that were made before the period was over or since, and are not decided.
fn reports_unapproved(conn: &mut Conn, of: &Asked) -> Result<Vec<Item>> {
    let rows: Vec<(ReviewId, String)> = reviews::table
        .filter(reviews::kind.eq("plan_report"))
        .filter(reviews::state.eq_any(["open", "returned"]))
        .filter(reviews::opened_at.ge(of.from))
        .order(reviews::id)
        .limit(NAMED)
        .select((reviews::id, reviews::title))
        .load(conn)?;
    let item = |(id, title): (ReviewId, String)| Item {
        kind: ItemKind::ReportUnapproved,
        id: id.to_string(),
        name: Some(title),
    };
    Ok(rows.into_iter().map(item).collect())
}
