//! Queries of merges.

use std::collections::HashMap;

use diesel::prelude::*;

use super::model::{MergeState, PersonMerge};
use crate::error::{Error, Result};
use crate::ids::{PersonId, PersonMergeId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, people, person_merges};

/// Of `people`, those whose account was merged into another, with that one.
pub fn kept_of(conn: &mut Conn, people: &[PersonId]) -> Result<HashMap<PersonId, PersonId>> {
    // Typed for the engine at hand, since the door asks at every batch: the list goes to PostgreSQL as one array.
    let rows: Vec<(PersonId, PersonId)> = crate::on_each!(conn, c => person_merges::table
        .filter(person_merges::merged_id.eq_any(people))
        .filter(person_merges::state.eq_any(MergeState::LINKED))
        .select((person_merges::merged_id, person_merges::kept_id))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// The account that stands for `person`: the one that it was merged into, or itself.
pub fn standing_for(conn: &mut Conn, person: PersonId) -> Result<PersonId> {
    Ok(kept_of(conn, &[person])?.remove(&person).unwrap_or(person))
}

/// Accounts that were merged into one of `people`, with that one.
pub fn merged_into(conn: &mut Conn, people: &[PersonId]) -> Result<HashMap<PersonId, PersonId>> {
    let query = person_merges::table
        .filter(person_merges::kept_id.eq_any(people))
        .filter(person_merges::state.eq_any(MergeState::LINKED))
        .order((person_merges::kept_id, person_merges::id))
        .select((person_merges::merged_id, person_merges::kept_id));
    Ok(query.load(conn)?.into_iter().collect())
}

/// Every account that was merged, with the one that it was merged into; for verification.
pub fn all(conn: &mut Conn) -> Result<HashMap<PersonId, PersonId>> {
    let query = person_merges::table
        .filter(person_merges::state.eq_any(MergeState::LINKED))
        .select((person_merges::merged_id, person_merges::kept_id));
    Ok(query.load(conn)?.into_iter().collect())
}

/// Every account of the humans behind `people`, with the one that stands for it.
pub fn accounts(conn: &mut Conn, people: &[PersonId]) -> Result<HashMap<PersonId, PersonId>> {
    let links = kept_of(conn, people)?;
    let mut kept: Vec<PersonId> = people.iter().map(|id| links.get(id).copied().unwrap_or(*id)).collect();
    kept.sort();
    kept.dedup();
    let mut accounts = merged_into(conn, &kept)?;
    accounts.extend(kept.into_iter().map(|id| (id, id)));
    Ok(accounts)
}

/// Holds both accounts until the commit, so that of two merges at once the later one sees the earlier.
pub fn lock_in_tx(conn: &mut Conn, pair: [PersonId; 2]) -> Result<()> {
    let query = people::table.filter(people::id.eq_any(pair)).order(people::id).select(people::id);
    let _locked: Vec<PersonId> = crate::load_locked!(conn, query)?;
    Ok(())
}

/// Keeps a proposal; false when the account is merged, or is to be.
pub fn create_in_tx(conn: &mut Conn, row: &PersonMerge) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new = crate::insert_new!(conn, person_merges::table, rows, person_merges::id => |row: &PersonMerge| row.id)?;
    Ok(!new.is_empty())
}

/// A merge, or 404.
pub fn get(conn: &mut Conn, id: PersonMergeId) -> Result<PersonMerge> {
    let found = person_merges::table.find(id).select(PersonMerge::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Whether `person` has a part in a merge that is proposed or in force, besides the merge `but`.
pub fn is_taken(conn: &mut Conn, person: PersonId, as_kept: bool, but: PersonMergeId) -> Result<bool> {
    let live = person_merges::table
        .filter(person_merges::state.eq_any(MergeState::LIVE))
        .filter(person_merges::id.ne(but));
    let count: i64 = if as_kept {
        live.filter(person_merges::kept_id.eq(person)).count().get_result(conn)?
    } else {
        live.filter(person_merges::merged_id.eq(person)).count().get_result(conn)?
    };
    Ok(count > 0)
}

/// Writes what is new in `after`, a version on; false when it is not as `before` says any more.
pub fn update_in_tx(conn: &mut Conn, before: &PersonMerge, after: &PersonMerge) -> Result<bool> {
    let unchanged = person_merges::table
        .filter(person_merges::id.eq(before.id))
        .filter(person_merges::state.eq(before.state))
        .filter(person_merges::version.eq(before.version));
    let changed = diesel::update(unchanged)
        .set((
            person_merges::state.eq(after.state),
            person_merges::was_enabled.eq(after.was_enabled),
            person_merges::decided_by.eq(after.decided_by),
            person_merges::decided_at.eq(after.decided_at),
            person_merges::parting_reason.eq(&after.parting_reason),
            person_merges::parting_by.eq(after.parting_by),
            person_merges::parting_at.eq(after.parting_at),
            person_merges::parted_by.eq(after.parted_by),
            person_merges::parted_at.eq(after.parted_at),
            person_merges::version.eq(before.version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Which merges are listed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// In this state.
    pub state: Option<MergeState>,
    /// In which this account has a part.
    pub person: Option<PersonId>,
}

/// Merges, oldest first, after `after`. With `patterns`, only those whose kept account works under one of them.
pub fn list(
    conn: &mut Conn,
    patterns: Option<Vec<String>>,
    wanted: &Wanted,
    after: Option<PersonMergeId>,
    limit: i64,
) -> Result<Vec<PersonMerge>> {
    let mut query = person_merges::table
        .order(person_merges::id)
        .limit(limit)
        .select(PersonMerge::as_select())
        .into_boxed();
    if let Some(patterns) = patterns {
        query = query.filter(person_merges::kept_id.eq_any(kept_under(conn, patterns)?));
    }
    if let Some(state) = wanted.state {
        query = query.filter(person_merges::state.eq(state));
    }
    if let Some(person) = wanted.person {
        query = query.filter(person_merges::kept_id.eq(person).or(person_merges::merged_id.eq(person)));
    }
    if let Some(after) = after {
        query = query.filter(person_merges::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Of the kept accounts, those that work under one of `patterns`. Merges are few.
fn kept_under(conn: &mut Conn, patterns: Vec<String>) -> Result<Vec<PersonId>> {
    let kept: Vec<PersonId> = person_merges::table.select(person_merges::kept_id).distinct().load(conn)?;
    let within = people::table
        .inner_join(organisations::table)
        .filter(people::id.eq_any(kept))
        .filter(crate::org::store::under(patterns));
    Ok(within.select(people::id).load(conn)?)
}
