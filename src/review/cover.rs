//! Who may decide where: in their own right, or for somebody who is away; and what they have declared that keeps them from it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{Delegation, Recusal, Tie};
use super::rules::{Right, Seat};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{DelegationId, OrganisationId, PersonId, TieId};
use crate::platform::access::Actor;
use crate::platform::access::policy::{Permission, ReviewDecide};
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    organisations, people, review_delegations, review_recusals, review_ties, staff_grants,
};

/// Who may decide at exactly `body`, with the person in whose stead, if so. Disabled accounts are left out.
pub fn holders(
    conn: &mut Conn,
    body: OrganisationId,
    now: DateTime<Utc>,
) -> Result<Vec<(PersonId, Option<PersonId>)>> {
    let own: Vec<PersonId> = staff_grants::table
        .inner_join(people::table.on(people::id.eq(staff_grants::person_id)))
        .filter(staff_grants::organisation_id.eq(body))
        .filter(staff_grants::role.eq_any(ReviewDecide::ROLES.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people::disabled_at.is_null())
        .select(staff_grants::person_id)
        .load(conn)?;
    let delegated: Vec<(PersonId, PersonId)> = review_delegations::table
        .inner_join(people::table.on(people::id.eq(review_delegations::to_id)))
        .filter(review_delegations::organisation_id.eq(body))
        .filter(review_delegations::from_id.eq_any(own.clone()))
        .filter(review_delegations::revoked_at.is_null())
        .filter(review_delegations::from_at.le(db_time(now)))
        .filter(review_delegations::until_at.gt(db_time(now)))
        .filter(people::disabled_at.is_null())
        .select((review_delegations::to_id, review_delegations::from_id))
        .load(conn)?;
    let own = own.into_iter().map(|person| (person, None));
    Ok(own.chain(delegated.into_iter().map(|(to, from)| (to, Some(from)))).collect())
}

/// Where `actor` may decide, and for whom. A delegation is worth what its giver still may.
pub fn rights(conn: &mut Conn, actor: &Actor, now: DateTime<Utc>) -> Result<Vec<Right>> {
    let mut rights: Vec<Right> = actor
        .standing
        .grants
        .iter()
        .filter(|grant| ReviewDecide::ROLES.contains(&grant.role))
        .map(|grant| Right { seat: Seat::Own, organisation: grant.organisation, path: grant.path.clone() })
        .collect();
    let delegated: Vec<(PersonId, OrganisationId, String)> = review_delegations::table
        .inner_join(organisations::table)
        .inner_join(
            staff_grants::table.on(staff_grants::person_id
                .eq(review_delegations::from_id)
                .and(staff_grants::organisation_id.eq(review_delegations::organisation_id))),
        )
        .filter(review_delegations::to_id.eq(actor.person))
        .filter(review_delegations::revoked_at.is_null())
        .filter(review_delegations::from_at.le(db_time(now)))
        .filter(review_delegations::until_at.gt(db_time(now)))
        .filter(staff_grants::role.eq_any(ReviewDecide::ROLES.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .order(review_delegations::id)
        .select((review_delegations::from_id, organisations::id, organisations::path))
        .load(conn)?;
    rights.extend(delegated.into_iter().map(|(from, organisation, path)| Right {
        seat: Seat::For(from),
        organisation,
        path,
    }));
    Ok(rights)
}

/// Delegations that one person has given, or was given, at most: in force or still to come. Whoever is away lends a desk or two for
/// each of their bodies; more than this is a mistake or a script, and each is looked at whenever its receiver decides anything.
pub const DELEGATIONS: i64 = 20;

/// Locks people, in the order of their ids: how much they declare and lend is counted behind it.
pub fn people_lock_in_tx(conn: &mut Conn, who: &[PersonId]) -> Result<()> {
    let own = people::table.filter(people::id.eq_any(who)).order(people::id).select(people::id);
    let _locked: Vec<PersonId> = crate::load_locked!(conn, own)?;
    Ok(())
}

/// How many delegations of `giver`, and to `taker`, are in force or still to come.
pub fn delegations_live(
    conn: &mut Conn,
    giver: PersonId,
    taker: PersonId,
    now: DateTime<Utc>,
) -> Result<(i64, i64)> {
    let live = || {
        review_delegations::table
            .filter(review_delegations::revoked_at.is_null())
            .filter(review_delegations::until_at.gt(db_time(now)))
    };
    let given = live().filter(review_delegations::from_id.eq(giver)).count().get_result(conn)?;
    let taken = live().filter(review_delegations::to_id.eq(taker)).count().get_result(conn)?;
    Ok((given, taken))
}

/// Keeps a delegation.
pub fn delegation_create_in_tx(conn: &mut Conn, row: &Delegation) -> Result<()> {
    diesel::insert_into(review_delegations::table).values(row).execute(conn)?;
    Ok(())
}

/// Delegations that `person` gave or was given, newest first.
pub fn delegations(
    conn: &mut Conn,
    person: PersonId,
    before: Option<DelegationId>,
    limit: i64,
) -> Result<Vec<Delegation>> {
    let mut rows = review_delegations::table
        .filter(review_delegations::from_id.eq(person).or(review_delegations::to_id.eq(person)))
        .order(review_delegations::id.desc())
        .limit(limit)
        .select(Delegation::as_select())
        .into_boxed();
    if let Some(before) = before {
        rows = rows.filter(review_delegations::id.lt(before));
    }
    Ok(rows.load(conn)?)
}

/// Takes back a delegation of one's own, or 404; true where it was not taken back before.
pub fn delegation_revoke_in_tx(
    conn: &mut Conn,
    id: DelegationId,
    from: PersonId,
    now: DateTime<Utc>,
) -> Result<(Delegation, bool)> {
    let own = review_delegations::table
        .filter(review_delegations::id.eq(id))
        .filter(review_delegations::from_id.eq(from))
        .filter(review_delegations::revoked_at.is_null());
    let ended = diesel::update(own).set(review_delegations::revoked_at.eq(db_time(now))).execute(conn)?;
    let row = review_delegations::table
        .filter(review_delegations::id.eq(id))
        .filter(review_delegations::from_id.eq(from))
        .select(Delegation::as_select())
        .first(conn)
        .optional()?;
    Ok((row.ok_or_else(Error::not_found)?, ended == 1))
}

/// Keeps a recusal; false when it is there already.
pub fn recuse_in_tx(conn: &mut Conn, row: &Recusal) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<PersonId> = crate::insert_new!(conn, review_recusals::table, rows, review_recusals::person_id => |row: &Recusal| row.person_id)?;
    Ok(!new.is_empty())
}

/// Keeps a declared tie.
pub fn tie_create_in_tx(conn: &mut Conn, row: &Tie) -> Result<()> {
    diesel::insert_into(review_ties::table).values(row).execute(conn)?;
    Ok(())
}

/// Ties that `person` has declared and not ended, newest first.
pub fn ties(conn: &mut Conn, person: PersonId, before: Option<TieId>, limit: i64) -> Result<Vec<Tie>> {
    let mut rows = review_ties::table
        .filter(review_ties::person_id.eq(person))
        .filter(review_ties::ended_at.is_null())
        .order(review_ties::id.desc())
        .limit(limit)
        .select(Tie::as_select())
        .into_boxed();
    if let Some(before) = before {
        rows = rows.filter(review_ties::id.lt(before));
    }
    Ok(rows.load(conn)?)
}

/// Ends a tie of one's own, or 404.
pub fn tie_end_in_tx(conn: &mut Conn, id: TieId, person: PersonId, now: DateTime<Utc>) -> Result<Tie> {
    let own = review_ties::table
        .filter(review_ties::id.eq(id))
        .filter(review_ties::person_id.eq(person))
        .filter(review_ties::ended_at.is_null());
    diesel::update(own).set(review_ties::ended_at.eq(db_time(now))).execute(conn)?;
    let row = review_ties::table
        .filter(review_ties::id.eq(id))
        .filter(review_ties::person_id.eq(person))
        .select(Tie::as_select())
        .first(conn)
        .optional()?;
    row.ok_or_else(Error::not_found)
}
