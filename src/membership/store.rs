//! Queries of memberships. Whoever changes one holds the locks of all that its person has.

use std::collections::HashMap;

use diesel::prelude::*;

use super::model::{Membership, MembershipState};
use crate::error::{Error, Result};
use crate::ids::{MembershipId, OrganisationId, PersonId, ReviewId, SubjectId};
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::platform::db::schema::{memberships, organisations, people, reviews};

/// The organisation `id`, if there is one.
pub fn organisation(conn: &mut Conn, id: OrganisationId) -> Result<Option<Organisation>> {
    let found = organisations::table.find(id).select(Organisation::as_select()).first(conn);
    Ok(found.optional()?)
}

/// The membership `id`, or 404.
pub fn get(conn: &mut Conn, id: MembershipId) -> Result<Membership> {
    let found = memberships::table.find(id).select(Membership::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// All memberships of a person, locked in the order of their ids.
pub fn lock_in_tx(conn: &mut Conn, person: PersonId) -> Result<Vec<Membership>> {
    let rows: Vec<Membership> = crate::load_locked!(
        conn,
        memberships::table
            .filter(memberships::person_id.eq(person))
            .order(memberships::id)
            .select(Membership::as_select())
    )?;
    Ok(rows)
}

/// The membership `id` as it is behind the locks, and all that its person has.
pub fn locked_in_tx(conn: &mut Conn, id: MembershipId) -> Result<(Membership, Vec<Membership>)> {
    let person = get(conn, id)?.person_id;
    let rows = lock_in_tx(conn, person)?;
    let row = rows.iter().find(|row| row.id == id).cloned().ok_or_else(Error::not_found)?;
    Ok((row, rows))
}

/// Keeps a claim; false where its person has one already.
pub fn insert_in_tx(conn: &mut Conn, row: &Membership) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<MembershipId> =
        crate::insert_new!(conn, memberships::table, rows, memberships::id => |row: &Membership| row.id)?;
    Ok(!new.is_empty())
}

/// Writes what changes of a membership, from the state and version that `before` has.
pub fn update_in_tx(conn: &mut Conn, before: &Membership, after: &Membership) -> Result<()> {
    let same = memberships::table
        .filter(memberships::id.eq(before.id))
        .filter(memberships::state.eq(before.state))
        .filter(memberships::version.eq(before.version));
    let changed = diesel::update(same)
        .set((
            memberships::state.eq(after.state),
            memberships::verified_at.eq(after.verified_at),
            memberships::ended_at.eq(after.ended_at),
            memberships::ended_because.eq(after.ended_because),
            memberships::version.eq(after.version),
        ))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{} changed behind its lock", before.id))) }
}

/// A person's membership with its union's short name, or 404: also for another person's.
pub fn get_own(conn: &mut Conn, id: MembershipId, person: PersonId) -> Result<(Membership, String)> {
    let found = memberships::table
        .inner_join(organisations::table)
        .filter(memberships::id.eq(id))
        .filter(memberships::person_id.eq(person))
        .select((Membership::as_select(), organisations::short_name))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// A person's memberships with the short names of their unions, newest first, before `before`.
pub fn list_own(
    conn: &mut Conn,
    person: PersonId,
    before: Option<MembershipId>,
    limit: i64,
) -> Result<Vec<(Membership, String)>> {
    let mut query = memberships::table
        .inner_join(organisations::table)
        .filter(memberships::person_id.eq(person))
        .order(memberships::id.desc())
        .limit(limit)
        .select((Membership::as_select(), organisations::short_name))
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(memberships::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// What is decided, or was, about memberships: the request, or the appeal after it.
pub fn reviews_of(conn: &mut Conn, ids: &[MembershipId]) -> Result<HashMap<MembershipId, ReviewId>> {
    let subjects: Vec<SubjectId> = ids.iter().map(|id| SubjectId(id.0)).collect();
    let mut rows: Vec<(SubjectId, ReviewId, Option<ReviewId>)> = reviews::table
        .filter(reviews::subject_id.eq_any(subjects))
        .select((reviews::subject_id, reviews::id, reviews::appeal_of))
        .load(conn)?;
    // The appeal comes after what it is against, and there is no third.
    rows.sort_by_key(|(_, _, appeal_of)| appeal_of.is_some());
    Ok(rows.into_iter().map(|(subject, review, _)| (MembershipId(subject.0), review)).collect())
}

/// A membership as staff see it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The membership.
    pub membership: Membership,
    /// Its union.
    pub organisation: Organisation,
    /// The person's name.
    pub name: Option<String>,
}

type CaseRow = (Membership, Organisation, Option<String>);

impl From<CaseRow> for Case {
    fn from((membership, organisation, name): CaseRow) -> Self {
        Self { membership, organisation, name }
    }
}

/// The membership `id`, or 404.
pub fn case_get(conn: &mut Conn, id: MembershipId) -> Result<Case> {
    let found: Option<CaseRow> = memberships::table
        .inner_join(organisations::table)
        .inner_join(people::table)
        .filter(memberships::id.eq(id))
        .select((Membership::as_select(), Organisation::as_select(), people::name))
        .first(conn)
        .optional()?;
    found.map(Case::from).ok_or_else(Error::not_found)
}

/// Memberships of unions under `patterns`, in `state` or in all, oldest first, after `after`.
pub fn case_list(
    conn: &mut Conn,
    patterns: Vec<String>,
    state: Option<MembershipState>,
    after: Option<MembershipId>,
    limit: i64,
) -> Result<Vec<Case>> {
    let mut query = memberships::table
        .inner_join(organisations::table)
        .inner_join(people::table)
        .filter(crate::org::store::under(patterns))
        .order(memberships::id)
        .limit(limit)
        .select((Membership::as_select(), Organisation::as_select(), people::name))
        .into_boxed();
    if let Some(state) = state {
        query = query.filter(memberships::state.eq(state));
    }
    if let Some(after) = after {
        query = query.filter(memberships::id.gt(after));
    }
    let rows: Vec<CaseRow> = query.load(conn)?;
    Ok(rows.into_iter().map(Case::from).collect())
}
