//! What a headcount counts for, as more or fewer of the crowd are checked in one by one.

use std::collections::BTreeSet;

use super::model::Headcount;
use super::{rules, store};
use crate::attendance::counting::{CountedCrowd, Counting};
use crate::error::Result;
use crate::ids::SessionId;
use crate::ledger::model::{Because, Cause};
use crate::offering;
use crate::offering::model::Session;
use crate::platform::db::Conn;

/// Why a line is written anew, for who reads the ledger.
const RECOUNTED: &str = "签到人数有变化，重新扣除";

/// Counts the crowds at `sessions` anew: at most one question to the database for each of which none was counted. The caller holds the
/// sessions' locks, and has written how many are present.
pub fn recount_in_tx(conn: &mut Conn, counting: &dyn Counting, sessions: &BTreeSet<SessionId>) -> Result<()> {
    for id in sessions {
        let Some(row) = store::standing_of(conn, *id)? else { continue };
        let (session, _) = offering::store::session_get(conn, *id)?;
        let because = Because { cause: Cause::Recounted, reason: RECOUNTED };
        count_in_tx(conn, counting, &session, &row, because)?;
    }
    Ok(())
}

/// Counts what `row` counts for: its number less those who were checked in. What it counted for before is taken back, as `because` says.
pub fn count_in_tx(
    conn: &mut Conn,
    counting: &dyn Counting,
    session: &Session,
    row: &Headcount,
    because: Because<'_>,
) -> Result<()> {
    counting.crowd_in_tx(conn, &crowd(session, row, rules::quantity(row.standing, session.present), because))
}

/// Takes back whatever `row` counts for.
pub fn uncount_in_tx(
    conn: &mut Conn,
    counting: &dyn Counting,
    session: &Session,
    row: &Headcount,
    reason: &str,
) -> Result<()> {
    counting.crowd_in_tx(conn, &crowd(session, row, 0, Because { cause: Cause::Voided, reason }))
}

fn crowd(session: &Session, row: &Headcount, quantity: i64, because: Because<'_>) -> CountedCrowd {
    CountedCrowd {
        headcount: row.id,
        activity: session.activity_id,
        starts_at: session.starts_at.and_utc(),
        quantity,
        cause: because.cause,
        reason: because.reason.to_owned(),
    }
}
