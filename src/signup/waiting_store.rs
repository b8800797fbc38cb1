//! Parties and moves of the waiting list. Every function that writes needs the activity's lock.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::{Party, Signup, SignupState};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PartyId, PersonId, SignupId, WaitingMoveId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{parties, people, signups, waiting_moves};

crate::text_enum! {
    /// Why somebody is moved on the waiting list.
    pub enum MoveReason {
        /// 困难职工.
        Hardship = "hardship",
        /// 工作失误: a mistake of ours is made good.
        Mistake = "mistake",
        /// 反复未获名额.
        OftenUnplaced = "often_unplaced",
        /// 其他.
        Other = "other",
    }
}

crate::text_enum! {
    /// Life of a move.
    pub enum WaitingMoveState {
        /// 待另一名工作人员批准.
        Proposed = "proposed",
        /// 已批准.
        Approved = "approved",
        /// 未批准.
        Refused = "refused",
    }
}

/// A change of the order of a waiting list.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = waiting_moves)]
pub struct WaitingMove {
    /// Its id.
    pub id: WaitingMoveId,
    /// Who is moved.
    pub signup_id: SignupId,
    /// On what list.
    pub activity_id: ActivityId,
    /// Above others, or below.
    pub priority: i64,
    /// Why.
    pub reason: MoveReason,
    /// In words.
    pub note: String,
    /// Where in its life it is.
    pub state: WaitingMoveState,
    /// By whom.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: NaiveDateTime,
    /// By another.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
}

/// Keeps a proposed move; false when one is proposed already.
pub fn move_create_in_tx(conn: &mut Conn, row: &WaitingMove) -> Result<bool> {
    let rows = [row.clone()];
    let made = crate::insert_new!(conn, waiting_moves::table, rows.as_slice(), waiting_moves::id => |row: &WaitingMove| row.id)?;
    Ok(!made.is_empty())
}

/// The move `id`, or 404.
pub fn move_get(conn: &mut Conn, id: WaitingMoveId) -> Result<WaitingMove> {
    let found = waiting_moves::table.find(id).select(WaitingMove::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Decides a proposed move, not by who proposed it; false when it is decided already, or theirs.
pub fn move_decide_in_tx(
    conn: &mut Conn,
    id: WaitingMoveId,
    state: WaitingMoveState,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let open = waiting_moves::table
        .find(id)
        .filter(waiting_moves::state.eq(WaitingMoveState::Proposed))
        .filter(waiting_moves::proposed_by.ne(by));
    let changed = diesel::update(open)
        .set((
            waiting_moves::state.eq(state),
            waiting_moves::decided_by.eq(by),
            waiting_moves::decided_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Puts somebody who waits above others, or below; false when they do not wait any more.
pub fn priority_set_in_tx(conn: &mut Conn, signup: SignupId, priority: i64) -> Result<bool> {
    let waiting = signups::table.find(signup).filter(signups::state.eq(SignupState::Waiting));
    let changed = diesel::update(waiting)
        .set((signups::priority.eq(priority), signups::version.eq(signups::version + 1)))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Who waits, in order, after `after` (priority and number), with their names.
pub fn list(
    conn: &mut Conn,
    activity: ActivityId,
    after: Option<(i64, i64)>,
    limit: i64,
) -> Result<Vec<(Signup, Option<String>)>> {
    let mut query = signups::table
        .inner_join(people::table.on(people::id.eq(signups::person_id)))
        .filter(signups::activity_id.eq(activity))
        .filter(signups::state.eq(SignupState::Waiting))
        .order((signups::priority.desc(), signups::number))
        .limit(limit)
        .select((Signup::as_select(), people::name))
        .into_boxed();
    if let Some((priority, number)) = after {
        query = query.filter(
            signups::priority.lt(priority).or(signups::priority.eq(priority).and(signups::number.gt(number))),
        );
    }
    Ok(query.load(conn)?)
}

/// Keeps a party.
pub fn party_create_in_tx(conn: &mut Conn, row: &Party) -> Result<()> {
    diesel::insert_into(parties::table).values(row).execute(conn)?;
    Ok(())
}

/// The party of an activity with this code.
pub fn party_find(conn: &mut Conn, activity: ActivityId, code: &str) -> Result<Option<Party>> {
    let query = parties::table.filter(parties::activity_id.eq(activity)).filter(parties::code.eq(code));
    Ok(query.select(Party::as_select()).first(conn).optional()?)
}

/// The party `id`.
pub fn party_get(conn: &mut Conn, id: PartyId) -> Result<Party> {
    let found = parties::table.find(id).select(Party::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// How many of a party wait.
pub fn party_size(conn: &mut Conn, party: PartyId) -> Result<i64> {
    let members =
        signups::table.filter(signups::party_id.eq(party)).filter(signups::state.eq(SignupState::Waiting));
    Ok(members.count().get_result(conn)?)
}

/// Lets somebody who waits alone wait with a party; false when they do not wait any more, or not alone.
pub fn party_join_in_tx(conn: &mut Conn, signup: SignupId, party: PartyId) -> Result<bool> {
    let alone = signups::table
        .find(signup)
        .filter(signups::state.eq(SignupState::Waiting))
        .filter(signups::party_id.is_null());
    let changed = diesel::update(alone)
        .set((signups::party_id.eq(party), signups::version.eq(signups::version + 1)))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Sign-ups that were shuffled, in the order that came out, after `after`.
pub fn drawn(
    conn: &mut Conn,
    activity: ActivityId,
    numbers: (i64, i64),
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, SignupId)>> {
    let (first, last) = numbers;
    let query = signups::table
        .filter(signups::activity_id.eq(activity))
        .filter(signups::number.gt(after.unwrap_or(first - 1)))
        .filter(signups::number.le(last))
        .order(signups::number)
        .limit(limit);
    Ok(query.select((signups::number, signups::id)).load(conn)?)
}
