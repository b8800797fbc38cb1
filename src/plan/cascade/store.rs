//! Queries of divided targets.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::{Cascade, CascadeState, Share, ShareAnswer};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{CascadeId, OrganisationId, PersonId, TargetId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{plan_cascades, plan_shares};

/// The division `id`, or 404.
pub fn get(conn: &mut Conn, id: CascadeId) -> Result<Cascade> {
    let found = plan_cascades::table.find(id).select(Cascade::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// All versions of a target's division, locked, the first one first.
pub fn versions_lock_in_tx(conn: &mut Conn, target: TargetId) -> Result<Vec<Cascade>> {
    let rows: Vec<Cascade> = crate::load_locked!(
        conn,
        plan_cascades::table
            .filter(plan_cascades::target_id.eq(target))
            .order(plan_cascades::number)
            .select(Cascade::as_select())
    )?;
    Ok(rows)
}

/// Keeps a new version with its shares.
///
/// # Errors
/// `conflict` where another one was proposed at the same time.
pub fn insert_in_tx(conn: &mut Conn, row: &Cascade, shares: &[Share]) -> Result<()> {
    let rows = std::slice::from_ref(row);
    let new: Vec<CascadeId> = crate::insert_new!(&mut *conn, plan_cascades::table, rows, plan_cascades::id => |row: &Cascade| row.id)?;
    if new.is_empty() {
        return Err(Error::new(Code::Conflict).detail(
            "另一份分解方案刚刚提出，请重新读取",
            "Another division was proposed just now; read it again",
        ));
    }
    crate::insert_rows!(conn, plan_shares::table, shares)?;
    Ok(())
}

/// Says what becomes of a version that is as it was read.
pub fn state_set_in_tx(conn: &mut Conn, row: &Cascade, to: CascadeState, now: DateTime<Utc>) -> Result<()> {
    let at = Some(db_time(now));
    let (in_force_at, replaced_at) = match to {
        CascadeState::Current => (at, None),
        CascadeState::Replaced => (row.in_force_at, at),
        CascadeState::Proposed => (None, None),
    };
    let guarded =
        plan_cascades::table.filter(plan_cascades::id.eq(row.id)).filter(plan_cascades::state.eq(row.state));
    let changed = diesel::update(guarded)
        .set((
            plan_cascades::state.eq(to),
            plan_cascades::in_force_at.eq(in_force_at),
            plan_cascades::replaced_at.eq(replaced_at),
            plan_cascades::version.eq(plan_cascades::version + 1),
        ))
        .execute(conn)?;
    expect_one(changed, row.id)
}

/// A sub-district that has not answered answers.
///
/// # Errors
/// An internal error where it has: the lock of the division keeps that from happening.
pub fn answer_in_tx(
    conn: &mut Conn,
    share: &Share,
    answer: ShareAnswer,
    reason: Option<&str>,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    let guarded = plan_shares::table
        .filter(plan_shares::cascade_id.eq(share.cascade_id))
        .filter(plan_shares::organisation_id.eq(share.organisation_id))
        .filter(plan_shares::answer.is_null());
    let changed = diesel::update(guarded)
        .set((
            plan_shares::answer.eq(answer),
            plan_shares::reason.eq(reason),
            plan_shares::answered_by.eq(by),
            plan_shares::answered_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    expect_one(changed, share.cascade_id)?;
    diesel::update(plan_cascades::table.find(share.cascade_id))
        .set(plan_cascades::version.eq(plan_cascades::version + 1))
        .execute(conn)?;
    Ok(())
}

fn expect_one(changed: usize, id: CascadeId) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{id} changed behind its lock"))) }
}

/// The shares of divisions.
pub fn shares_of(conn: &mut Conn, ids: &[CascadeId]) -> Result<Vec<Share>> {
    let rows = plan_shares::table
        .filter(plan_shares::cascade_id.eq_any(ids))
        .order((plan_shares::cascade_id, plan_shares::organisation_id));
    Ok(rows.select(Share::as_select()).load(conn)?)
}

/// Versions of a target's division, newest first, before `before`.
pub fn list(conn: &mut Conn, target: TargetId, before: Option<i64>, limit: i64) -> Result<Vec<Cascade>> {
    let mut query = plan_cascades::table
        .filter(plan_cascades::target_id.eq(target))
        .order(plan_cascades::number.desc())
        .limit(limit)
        .select(Cascade::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(plan_cascades::number.lt(before));
    }
    Ok(query.load(conn)?)
}

/// What each sub-district agreed to, by target.
pub type Agreed = HashMap<TargetId, HashMap<OrganisationId, i64>>;

/// The shares that were in force at `as_of`.
pub fn agreed(conn: &mut Conn, targets: &[TargetId], as_of: DateTime<Utc>) -> Result<Agreed> {
    let at: NaiveDateTime = db_time(as_of);
    let rows: Vec<(TargetId, OrganisationId, i64)> = plan_shares::table
        .inner_join(plan_cascades::table)
        .filter(plan_cascades::target_id.eq_any(targets))
        .filter(plan_cascades::in_force_at.le(at))
        .filter(plan_cascades::replaced_at.is_null().or(plan_cascades::replaced_at.gt(at)))
        .select((plan_cascades::target_id, plan_shares::organisation_id, plan_shares::value))
        .load(conn)?;
    let mut agreed = Agreed::new();
    for (target, unit, value) in rows {
        agreed.entry(target).or_default().insert(unit, value);
    }
    Ok(agreed)
}
