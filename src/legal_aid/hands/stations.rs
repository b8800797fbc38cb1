//! Queries of legal service stations, and how many of each kind are open.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::model::{LegalStation, StationKind};
use crate::error::{Code, Error, Result};
use crate::ids::{LegalStationId, OrganisationId};
use crate::org::model::Organisation;
use crate::platform::db::schema::{legal_stations, organisations};
use crate::platform::db::{Conn, unique_violation};

/// The station `id` with who keeps it, or 404.
pub fn get(conn: &mut Conn, id: LegalStationId) -> Result<(LegalStation, Organisation)> {
    let found = legal_stations::table
        .inner_join(organisations::table)
        .filter(legal_stations::id.eq(id))
        .select((LegalStation::as_select(), Organisation::as_select()))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Which stations.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of organisations under this pattern.
    pub under: Option<String>,
    /// Of this kind.
    pub kind: Option<StationKind>,
    /// Open on this day.
    pub open_on: Option<NaiveDate>,
}

/// Stations, oldest first, after `after`.
pub fn list(
    conn: &mut Conn,
    wanted: Wanted,
    after: Option<LegalStationId>,
    limit: i64,
) -> Result<Vec<(LegalStation, Organisation)>> {
    let mut query = legal_stations::table
        .inner_join(organisations::table)
        .order(legal_stations::id)
        .limit(limit)
        .select((LegalStation::as_select(), Organisation::as_select()))
        .into_boxed();
    if let Some(pattern) = wanted.under {
        query = query.filter(organisations::path.like(pattern));
    }
    if let Some(kind) = wanted.kind {
        query = query.filter(legal_stations::kind.eq(kind));
    }
    if let Some(day) = wanted.open_on {
        query = query
            .filter(legal_stations::opened_on.le(day))
            .filter(legal_stations::closed_on.is_null().or(legal_stations::closed_on.ge(day)));
    }
    if let Some(after) = after {
        query = query.filter(legal_stations::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// How many stations of each kind an organisation keeps that were open on `day` and have not been closed by `today`, in the plan's order.
pub fn open_parts(
    conn: &mut Conn,
    keeper: OrganisationId,
    day: NaiveDate,
    today: NaiveDate,
) -> Result<Vec<i64>> {
    let kinds: Vec<StationKind> = legal_stations::table
        .filter(legal_stations::organisation_id.eq(keeper))
        .filter(legal_stations::opened_on.le(day))
        .filter(legal_stations::closed_on.is_null().or(legal_stations::closed_on.ge(today)))
        .select(legal_stations::kind)
        .load(conn)?;
    let count = |kind: &StationKind| {
        i64::try_from(kinds.iter().filter(|one| *one == kind).count()).unwrap_or(i64::MAX)
    };
    Ok(StationKind::ALL.iter().map(count).collect())
}

/// Keeps a new station.
///
/// # Errors
/// `unique_taken` where its keeper has one of that name.
pub fn insert_in_tx(conn: &mut Conn, row: &LegalStation) -> Result<()> {
    match diesel::insert_into(legal_stations::table).values(row).execute(conn) {
        Ok(_) => Ok(()),
        Err(error) if unique_violation(&error) => Err(name_taken()),
        Err(error) => Err(error.into()),
    }
}

/// Changes a station that is still at `version`: everything but of which kind it is and who keeps it.
///
/// # Errors
/// 412 when it is not; `unique_taken` where its keeper has another of that name.
pub fn update_in_tx(conn: &mut Conn, version: i64, row: &LegalStation) -> Result<()> {
    let same = legal_stations::table
        .filter(legal_stations::id.eq(row.id))
        .filter(legal_stations::version.eq(version));
    let changed = diesel::update(same)
        .set((
            legal_stations::name.eq(&row.name),
            legal_stations::address.eq(&row.address),
            legal_stations::phone.eq(&row.phone),
            legal_stations::hours.eq(&row.hours),
            legal_stations::opened_on.eq(row.opened_on),
            legal_stations::closed_on.eq(row.closed_on),
            legal_stations::version.eq(version + 1),
        ))
        .execute(conn);
    match changed {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::new(Code::PreconditionFailed)),
        Err(error) if unique_violation(&error) => Err(name_taken()),
        Err(error) => Err(error.into()),
    }
}

fn name_taken() -> Error {
    Error::new(Code::UniqueTaken)
        .detail("该组织已有同名的法律服务站点", "Its keeper has a legal service station of that name")
}
