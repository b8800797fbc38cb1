//! Queries of lawyers, and what is kept of a lawyer who takes a case.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::model::{LICENCE, Lawyer, LawyerClient, LegalStation};
use super::opened;
use crate::error::{Code, Error, Result};
use crate::ids::{CaseId, LawyerId, PersonId};
use crate::legal_aid::model::Side;
use crate::legal_aid::parties;
use crate::org::model::Organisation;
use crate::platform::access::policy::{LegalWork, Permission};
use crate::platform::db::schema::{
    legal_lawyer_clients, legal_lawyers, legal_stations, organisations, people, staff_grants,
};
use crate::platform::db::{Conn, unique_violation};
use crate::platform::vault::Vault;

/// A lawyer with their station, who keeps it, and the lawyer's name.
pub type Placed = (Lawyer, LegalStation, Organisation, Option<String>);

/// The lawyer who is `person`, if they are one.
pub fn of_person(conn: &mut Conn, person: PersonId) -> Result<Option<Lawyer>> {
    let found = legal_lawyers::table.filter(legal_lawyers::person_id.eq(person));
    Ok(found.select(Lawyer::as_select()).first(conn).optional()?)
}

/// The lawyer `id` with their station, or 404.
pub fn get(conn: &mut Conn, id: LawyerId) -> Result<Placed> {
    let found = legal_lawyers::table
        .inner_join(legal_stations::table.inner_join(organisations::table))
        .inner_join(people::table)
        .filter(legal_lawyers::id.eq(id))
        .select((Lawyer::as_select(), LegalStation::as_select(), Organisation::as_select(), people::name))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Lawyers at stations of organisations under `patterns`, oldest first, after `after`.
pub fn list(
    conn: &mut Conn,
    patterns: Vec<String>,
    after: Option<LawyerId>,
    limit: i64,
) -> Result<Vec<Placed>> {
    let mut query = legal_lawyers::table
        .inner_join(legal_stations::table.inner_join(organisations::table))
        .inner_join(people::table)
        .filter(crate::org::store::under(patterns))
        .order(legal_lawyers::id)
        .limit(limit)
        .select((Lawyer::as_select(), LegalStation::as_select(), Organisation::as_select(), people::name))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_lawyers::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Every lawyer with the path of who keeps their station, in the order of their ids.
pub fn all(conn: &mut Conn) -> Result<Vec<(Lawyer, String)>> {
    let query = legal_lawyers::table
        .inner_join(legal_stations::table.inner_join(organisations::table))
        .order(legal_lawyers::id)
        .select((Lawyer::as_select(), organisations::path));
    Ok(query.load(conn)?)
}

/// Those of `people` who may work on cases now: an account that is not disabled, and a role that has not been taken back.
pub fn with_role(conn: &mut Conn, people: &[PersonId]) -> Result<HashSet<PersonId>> {
    let live: Vec<PersonId> = staff_grants::table
        .inner_join(people::table.on(people::id.eq(staff_grants::person_id)))
        .filter(staff_grants::person_id.eq_any(people))
        .filter(staff_grants::role.eq_any(LegalWork::ROLES.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people::disabled_at.is_null())
        .select(staff_grants::person_id)
        .load(conn)?;
    Ok(live.into_iter().collect())
}

/// Keeps a new lawyer.
///
/// # Errors
/// `unique_taken` for somebody who is one already, and for a licence that another has.
pub fn insert_in_tx(conn: &mut Conn, row: &Lawyer) -> Result<()> {
    match diesel::insert_into(legal_lawyers::table).values(row).execute(conn) {
        Ok(_) => Ok(()),
        Err(error) if unique_violation(&error) => Err(Error::new(Code::UniqueTaken).detail(
            "该人员或该执业证号已登记",
            "This person, or this licence number, is registered already",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Changes a lawyer who is still at `version`: everything but who it is.
///
/// # Errors
/// 412 when they are not; `unique_taken` for a licence that another has.
pub fn update_in_tx(conn: &mut Conn, version: i64, row: &Lawyer) -> Result<()> {
    let same =
        legal_lawyers::table.filter(legal_lawyers::id.eq(row.id)).filter(legal_lawyers::version.eq(version));
    let changed = diesel::update(same)
        .set((
            legal_lawyers::station_id.eq(row.station_id),
            legal_lawyers::firm.eq(&row.firm),
            legal_lawyers::licence_sealed.eq(&row.licence_sealed),
            legal_lawyers::licence_index.eq(&row.licence_index),
            legal_lawyers::phone_sealed.eq(&row.phone_sealed),
            legal_lawyers::kinds.eq(&row.kinds),
            legal_lawyers::capacity.eq(row.capacity),
            legal_lawyers::on_duty_from.eq(row.on_duty_from),
            legal_lawyers::on_duty_until.eq(row.on_duty_until),
            legal_lawyers::version.eq(version + 1),
        ))
        .execute(conn);
    match changed {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::new(Code::PreconditionFailed)),
        Err(error) if unique_violation(&error) => Err(Error::new(Code::UniqueTaken)
            .detail("该执业证号已由另一名律师登记", "Another lawyer has this licence number")),
        Err(error) => Err(error.into()),
    }
}

/// Keeps that a lawyer acts or acted for somebody; false where it is known.
pub fn client_add_in_tx(conn: &mut Conn, row: &LawyerClient) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<LawyerId> = crate::insert_new!(
        conn, legal_lawyer_clients::table, rows,
        legal_lawyer_clients::lawyer_id => |row: &LawyerClient| row.lawyer_id
    )?;
    Ok(!new.is_empty())
}

/// Takes that back; false where it was not known.
pub fn client_remove_in_tx(conn: &mut Conn, row: &LawyerClient) -> Result<bool> {
    let known = legal_lawyer_clients::table.find((row.lawyer_id, row.who.clone()));
    Ok(diesel::delete(known).execute(conn)? == 1)
}

/// For how many each lawyer acts or acted.
pub fn clients(conn: &mut Conn, lawyers: &[LawyerId]) -> Result<HashMap<LawyerId, i64>> {
    let rows: Vec<LawyerId> = legal_lawyer_clients::table
        .filter(legal_lawyer_clients::lawyer_id.eq_any(lawyers))
        .select(legal_lawyer_clients::lawyer_id)
        .load(conn)?;
    Ok(rows.into_iter().fold(HashMap::new(), |mut counts, lawyer| {
        *counts.entry(lawyer).or_default() += 1;
        counts
    }))
}

/// Keeps, as a side of the case, the licence under which somebody acts in it. Whoever acts without one leaves nothing.
pub fn record_in_tx(conn: &mut Conn, vault: &Vault, case: CaseId, person: PersonId) -> Result<()> {
    if let Some(lawyer) = of_person(conn, person)? {
        let licence = opened(vault, LICENCE, lawyer.id.0.as_bytes(), &lawyer.licence_sealed)?;
        parties::record_in_tx(conn, vault, case, Side::Lawyer, &licence)?;
    }
    Ok(())
}

/// The hash that a licence number is found by: the one under which it stands as a side of cases.
pub fn licence_index(vault: &Vault, licence: &str) -> Vec<u8> {
    parties::index(vault, Side::Lawyer, licence)
}
