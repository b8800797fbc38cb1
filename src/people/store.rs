//! Queries of people.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{ID_NUMBER, PHONE, Person};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::schema::people;
use crate::platform::db::{Conn, unique_violation};
use crate::platform::vault::Vault;

/// The person `id`, or 404.
pub fn get(conn: &mut Conn, id: PersonId) -> Result<Person> {
    let found = people::table.find(id).select(Person::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// A new person with nothing known of them.
pub fn create_in_tx(conn: &mut Conn, id: PersonId, now: DateTime<Utc>) -> Result<()> {
    let at = db_time(now);
    let row = Person {
        id,
        name: None,
        phone_sealed: None,
        phone_index: None,
        id_number_sealed: None,
        id_number_index: None,
        workplace_id: None,
        disabled_at: None,
        version: 1,
        created_at: at,
        updated_at: at,
    };
    diesel::insert_into(people::table).values(&row).execute(conn)?;
    Ok(())
}

/// What a person may change of themselves.
#[derive(Debug, Clone)]
pub struct ProfileChange {
    /// Their name.
    pub name: String,
    /// Where they work.
    pub workplace: Option<OrganisationId>,
    /// Their ID number, checked; `None` keeps what is there.
    pub id_number: Option<String>,
}

/// Changes a profile that is still at `version`.
///
/// # Errors
/// 412 when it is not; 409 when the ID number is another person's.
pub fn update_profile_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    id: PersonId,
    version: i64,
    change: ProfileChange,
    now: DateTime<Utc>,
) -> Result<()> {
    let target = people::table.filter(people::id.eq(id)).filter(people::version.eq(version));
    let sealed = match &change.id_number {
        Some(number) => Some((
            vault.seal(ID_NUMBER, id.0.as_bytes(), number).map_err(Error::internal)?,
            vault.blind_index(ID_NUMBER, number),
        )),
        None => None,
    };
    let changed = diesel::update(target)
        .set((
            people::name.eq(change.name),
            people::workplace_id.eq(change.workplace),
            sealed
                .map(|(text, index)| (people::id_number_sealed.eq(text), people::id_number_index.eq(index))),
            people::version.eq(people::version + 1),
            people::updated_at.eq(db_time(now)),
        ))
        .execute(conn);
    match changed {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::new(Code::PreconditionFailed)),
        Err(error) if unique_violation(&error) => Err(Error::new(Code::UniqueTaken).detail(
            "该身份证号已由另一账号登记，如有疑问请联系工会",
            "Another account has this ID number; ask the union if that is wrong",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Keeps a phone number that WeChat vouched for.
pub fn set_phone_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    id: PersonId,
    phone: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sealed = vault.seal(PHONE, id.0.as_bytes(), phone).map_err(Error::internal)?;
    diesel::update(people::table.find(id))
        .set((
            people::phone_sealed.eq(sealed),
            people::phone_index.eq(vault.blind_index(PHONE, phone)),
            people::version.eq(people::version + 1),
            people::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Disables or enables an account; false when it was so already.
pub fn set_disabled_in_tx(conn: &mut Conn, id: PersonId, disabled: bool, now: DateTime<Utc>) -> Result<bool> {
    let changed = if disabled {
        diesel::update(people::table.filter(people::id.eq(id)).filter(people::disabled_at.is_null()))
            .set((
                people::disabled_at.eq(db_time(now)),
                people::version.eq(people::version + 1),
                people::updated_at.eq(db_time(now)),
            ))
            .execute(conn)?
    } else {
        diesel::update(people::table.filter(people::id.eq(id)).filter(people::disabled_at.is_not_null()))
            .set((
                people::disabled_at.eq(None::<chrono::NaiveDateTime>),
                people::version.eq(people::version + 1),
            ))
            .execute(conn)?
    };
    Ok(changed == 1)
}

/// One sealed value of one person, for the rotation of keys: its column, row and text.
pub struct SealedCell {
    /// Whose.
    pub person: PersonId,
    /// Phone, sealed.
    pub phone: Option<String>,
    /// ID number, sealed.
    pub id_number: Option<String>,
}

/// People after `after` that have sealed values.
pub fn sealed_after(conn: &mut Conn, after: Option<PersonId>, limit: i64) -> Result<Vec<SealedCell>> {
    let mut query = people::table
        .filter(people::phone_sealed.is_not_null().or(people::id_number_sealed.is_not_null()))
        .order(people::id)
        .limit(limit)
        .select((people::id, people::phone_sealed, people::id_number_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(people::id.gt(after));
    }
    let rows: Vec<(PersonId, Option<String>, Option<String>)> = query.load(conn)?;
    Ok(rows.into_iter().map(|(person, phone, id_number)| SealedCell { person, phone, id_number }).collect())
}

/// Replaces sealed texts, each only if it still is what was read.
pub fn reseal_in_tx(conn: &mut Conn, vault: &Vault, cell: &SealedCell) -> Result<usize> {
    let mut changed = 0;
    let row = cell.person.0.as_bytes();
    if let Some(old) = &cell.phone
        && let Some(new) = vault.reseal(PHONE, row, old).map_err(Error::internal)?
    {
        changed += diesel::update(people::table.find(cell.person).filter(people::phone_sealed.eq(old)))
            .set(people::phone_sealed.eq(new))
            .execute(conn)?;
    }
    if let Some(old) = &cell.id_number
        && let Some(new) = vault.reseal(ID_NUMBER, row, old).map_err(Error::internal)?
    {
        changed += diesel::update(people::table.find(cell.person).filter(people::id_number_sealed.eq(old)))
            .set(people::id_number_sealed.eq(new))
            .execute(conn)?;
    }
    Ok(changed)
}
