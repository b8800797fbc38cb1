//! Which desk a request goes to: the nearest one to where the applicant works, unless they name another.

use diesel::prelude::*;

use crate::error::Result;
use crate::ids::{OrganisationId, PersonId};
use crate::org;
use crate::org::model::Organisation;
use crate::platform::access::Role;
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, people, staff_grants};

/// Who receives requests at desks: person and desk.
fn officers_at(
    conn: &mut Conn,
    desks: Option<Vec<OrganisationId>>,
) -> Result<Vec<(PersonId, OrganisationId)>> {
    let mut query = staff_grants::table
        .inner_join(people::table.on(people::id.eq(staff_grants::person_id)))
        .filter(staff_grants::role.eq(Role::LegalOfficer))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people::disabled_at.is_null())
        .order((staff_grants::organisation_id, staff_grants::person_id))
        .select((staff_grants::person_id, staff_grants::organisation_id))
        .into_boxed();
    if let Some(desks) = desks {
        query = query.filter(staff_grants::organisation_id.eq_any(desks));
    }
    Ok(query.load(conn)?)
}

/// The officers of a desk.
pub fn officers(conn: &mut Conn, desk: OrganisationId) -> Result<Vec<PersonId>> {
    let mut all: Vec<PersonId> =
        officers_at(conn, Some(vec![desk]))?.into_iter().map(|(person, _)| person).collect();
    all.dedup();
    Ok(all)
}

/// The desks that somebody may name: those with an officer, and the district's. In the order of their codes.
pub fn desks(conn: &mut Conn) -> Result<Vec<Organisation>> {
    let root = org::store::root(conn)?;
    let mut ids: Vec<OrganisationId> = officers_at(conn, None)?.into_iter().map(|(_, desk)| desk).collect();
    ids.push(root.id);
    Ok(organisations::table
        .filter(organisations::id.eq_any(ids))
        .filter(organisations::closed_on.is_null())
        .order(organisations::code)
        .select(Organisation::as_select())
        .load(conn)?)
}

/// The desk for somebody who works at `workplace`: the nearest at or above it of `desks`, else the district's.
pub fn nearest<'a>(workplace: Option<&Organisation>, desks: &'a [Organisation]) -> Option<&'a Organisation> {
    let above =
        |desk: &&Organisation| workplace.is_some_and(|workplace| workplace.path.starts_with(&desk.path));
    let nearest = desks.iter().filter(above).max_by_key(|desk| desk.path.len());
    nearest.or_else(|| desks.iter().find(|desk| desk.parent_id.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::model::OrganisationKind;

    fn node(number: u128, path: &str) -> Organisation {
        Organisation {
            id: uuid::Uuid::from_u128(number).into(),
            code: path.into(),
            name: path.into(),
            short_name: path.into(),
            kind: OrganisationKind::SubDistrict,
            parent_id: (number > 1).then(|| uuid::Uuid::from_u128(1).into()),
            path: path.into(),
            street_id: None,
            division_code: None,
            level: None,
            opened_on: chrono::NaiveDate::default(),
            closed_on: None,
            version: 1,
        }
    }

    #[test]
    fn a_request_goes_to_the_nearest_desk_above() {
        let desks = [node(1, "/d/"), node(2, "/d/a/"), node(3, "/d/ab/")];
        let find = |path: &str| nearest(Some(&node(9, path)), &desks).unwrap().path.clone();
        assert_eq!(find("/d/a/unit/"), "/d/a/");
        assert_eq!(find("/d/ab/unit/"), "/d/ab/");
        assert_eq!(find("/d/a/"), "/d/a/");
        assert_eq!(find("/d/c/unit/"), "/d/");
        assert_eq!(nearest(None, &desks).unwrap().path, "/d/");
        assert!(nearest(None, &[]).is_none());
    }
}
