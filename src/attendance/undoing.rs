//! An attendance does not stand any more: it was taken back, or what came later says otherwise. It stays as history; what counted
//! through it counts no more, and its sign-up has its place as before.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::counting::{Held, Voided};
use super::entering::Entrance;
use super::model::{Attendance, Voiding};
use super::{headcounts, store};
use crate::error::Result;
use crate::ids::SignupId;
use crate::ledger::model::Grade;
use crate::offering;
use crate::offering::model::{Activity, Session};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, sessions};
use crate::signup;

/// Voids the attendances of `voided` at one locked session. Those that do not stand already are passed over.
pub fn void_in_tx(
    conn: &mut Conn,
    entrance: &Entrance,
    session: &Session,
    voided: &Voided,
    why: Voiding,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut gone = Vec::new();
    for (id, person) in &voided.attendances {
        if store::void_in_tx(conn, *id, why, now)? {
            gone.push((*id, *person));
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(gone.len()).unwrap_or(i64::MAX);
    offering::store::present_add_in_tx(conn, session.id, -count)?;
    let ids: Vec<_> = gone.iter().map(|(id, _)| *id).collect();
    let rows: Vec<Attendance> =
        attendances::table.filter(attendances::id.eq_any(ids)).select(Attendance::as_select()).load(conn)?;
    let mut signups: Vec<SignupId> = rows.iter().filter_map(|row| row.signup_id).collect();
    let standing = store::still_attended(conn, &signups)?;
    signups.retain(|id| !standing.contains(id));
    signup::following::unattended_in_tx(conn, &signups)?;
    entrance.counting.voided_in_tx(conn, &Voided { attendances: gone, ..voided.clone() })?;
    // A crowd that was counted there is counted less those who are present.
    headcounts::recounting::recount_in_tx(conn, entrance.counting.as_ref(), &BTreeSet::from([session.id]))
}

/// A finalised session at which nobody was seen was held after all: somebody was there.
pub fn held_after_all_in_tx(
    conn: &mut Conn,
    entrance: &Entrance,
    session: &Session,
    activity: &Activity,
) -> Result<()> {
    let empty = sessions::table
        .filter(sessions::id.eq(session.id))
        .filter(sessions::held.eq(false))
        .filter(sessions::present.gt(0));
    let changed = diesel::update(empty)
        .set((sessions::held.eq(true), sessions::version.eq(sessions::version + 1)))
        .execute(conn)?;
    if changed == 1 {
        let starts_at = session.starts_at.and_utc();
        let held = Held { session: session.id, activity: activity.id, starts_at, grade: Grade::B };
        entrance.counting.held_in_tx(conn, &held)?;
    }
    Ok(())
}
