//! Queries of people.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::merging;
use super::model::{Audience, ID_NUMBER, PHONE, Person, PersonAudience};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::schema::{organisations, people, person_audiences};
use crate::platform::db::{Conn, unique_violation};
use crate::platform::vault::Vault;

/// The person `id`, or 404.
pub fn get(conn: &mut Conn, id: PersonId) -> Result<Person> {
    let found = people::table.find(id).select(Person::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The person `id`, of whom something may still be recorded.
///
/// # Errors
/// 404; 409 for whoever was erased.
pub fn get_there(conn: &mut Conn, id: PersonId) -> Result<Person> {
    let person = get(conn, id)?;
    if person.erased_at.is_some() {
        return Err(Error::new(Code::StateForbids)
            .detail("该人员的个人信息已按要求删除", "This person's data was erased"));
    }
    Ok(person)
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
        erased_at: None,
    };
    diesel::insert_into(people::table).values(&row).execute(conn)?;
    Ok(())
}

/// What is known of somebody who has not come themselves.
#[derive(Debug, Clone)]
pub struct Named<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their mobile number, checked.
    pub phone: &'a str,
    /// Where they work.
    pub workplace: Option<OrganisationId>,
}

/// A new person whom somebody else has named. They have no login.
pub fn create_named_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    id: PersonId,
    named: &Named<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let at = db_time(now);
    let row = Person {
        id,
        name: Some(named.name.to_owned()),
        phone_sealed: Some(vault.seal(PHONE, id.0.as_bytes(), named.phone).map_err(Error::internal)?),
        phone_index: Some(vault.blind_index(PHONE, named.phone)),
        id_number_sealed: None,
        id_number_index: None,
        workplace_id: named.workplace,
        disabled_at: None,
        version: 1,
        created_at: at,
        updated_at: at,
        erased_at: None,
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
    let target = people::table
        .filter(people::id.eq(id))
        .filter(people::version.eq(version))
        .filter(people::erased_at.is_null());
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

/// Sets where somebody works; false when they work there already.
pub fn workplace_set_in_tx(
    conn: &mut Conn,
    id: PersonId,
    workplace: OrganisationId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let elsewhere = people::table
        .filter(people::id.eq(id))
        .filter(people::erased_at.is_null())
        .filter(people::workplace_id.is_null().or(people::workplace_id.ne(workplace)));
    let changed = diesel::update(elsewhere)
        .set((
            people::workplace_id.eq(workplace),
            people::version.eq(people::version + 1),
            people::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(changed == 1)
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
    // Nothing is known any more of whoever was erased meanwhile.
    let there = people::table.filter(people::id.eq(id)).filter(people::erased_at.is_null());
    diesel::update(there)
        .set((
            people::phone_sealed.eq(sealed),
            people::phone_index.eq(vault.blind_index(PHONE, phone)),
            people::version.eq(people::version + 1),
            people::updated_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Sets the name of somebody of whom none is known.
pub fn name_set_in_tx(conn: &mut Conn, id: PersonId, name: &str, now: DateTime<Utc>) -> Result<()> {
    let nameless = people::table
        .filter(people::id.eq(id))
        .filter(people::name.is_null())
        .filter(people::erased_at.is_null());
    diesel::update(nameless)
        .set((
            people::name.eq(name),
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
        let stopped = people::table
            .filter(people::id.eq(id))
            .filter(people::disabled_at.is_not_null())
            .filter(people::erased_at.is_null());
        diesel::update(stopped)
            .set((
                people::disabled_at.eq(None::<chrono::NaiveDateTime>),
                people::version.eq(people::version + 1),
            ))
            .execute(conn)?
    };
    Ok(changed == 1)
}

/// What is recorded of a person, by name.
pub fn audience_list(conn: &mut Conn, person: PersonId) -> Result<Vec<PersonAudience>> {
    let recorded = person_audiences::table
        .filter(person_audiences::person_id.eq(person))
        .order(person_audiences::audience);
    Ok(recorded.select(PersonAudience::as_select()).load(conn)?)
}

/// Records what somebody is, in place of what was recorded before.
pub fn audience_record_in_tx(conn: &mut Conn, row: &PersonAudience) -> Result<()> {
    let rows = std::slice::from_ref(row);
    let new = crate::insert_new!(
        conn, person_audiences::table, rows,
        person_audiences::audience => |row: &PersonAudience| row.audience
    )?;
    if new.is_empty() {
        let changed = diesel::update(person_audiences::table.find((row.person_id, row.audience)))
            .set((
                person_audiences::basis.eq(&row.basis),
                person_audiences::recorded_by.eq(row.recorded_by),
                person_audiences::recorded_at.eq(row.recorded_at),
            ))
            .execute(conn)?;
        if changed == 0 {
            // Removed between the two statements.
            return Err(Error::new(Code::Conflict));
        }
    }
    Ok(())
}

/// Takes back what was recorded; false when nothing was.
pub fn audience_remove_in_tx(conn: &mut Conn, person: PersonId, audience: Audience) -> Result<bool> {
    Ok(diesel::delete(person_audiences::table.find((person, audience))).execute(conn)? == 1)
}

/// What `people` are; whoever nothing is recorded of is not in it.
pub fn audiences(conn: &mut Conn, people: &[PersonId]) -> Result<HashMap<PersonId, Vec<Audience>>> {
    let rows: Vec<(PersonId, Audience)> = person_audiences::table
        .filter(person_audiences::person_id.eq_any(people))
        .order((person_audiences::person_id, person_audiences::audience))
        .select((person_audiences::person_id, person_audiences::audience))
        .load(conn)?;
    Ok(rows.into_iter().fold(HashMap::new(), |mut found, (person, audience)| {
        found.entry(person).or_default().push(audience);
        found
    }))
}

/// Where somebody works and what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Their workplace.
    pub workplace: Option<OrganisationId>,
    /// The workplace's path.
    pub path: Option<String>,
    /// The workplace's sub-district.
    pub street: Option<OrganisationId>,
    /// What is recorded of them; empty where it was not asked for.
    pub audiences: Vec<Audience>,
    /// Whether nobody may act with their account.
    pub disabled: bool,
}

/// The names of `ids`, of those who have one.
pub fn names(conn: &mut Conn, ids: &[PersonId]) -> Result<HashMap<PersonId, String>> {
    let rows: Vec<(PersonId, Option<String>)> =
        people::table.filter(people::id.eq_any(ids)).select((people::id, people::name)).load(conn)?;
    Ok(rows.into_iter().filter_map(|(id, name)| Some((id, name?))).collect())
}

/// The profiles of `ids`, in two queries at most; in one without `with_audiences`.
pub fn profiles(
    conn: &mut Conn,
    ids: &[PersonId],
    with_audiences: bool,
) -> Result<HashMap<PersonId, Profile>> {
    type Row = (PersonId, Option<OrganisationId>, Option<String>, Option<OrganisationId>, bool);
    let rows: Vec<Row> = people::table
        .left_join(organisations::table)
        .filter(people::id.eq_any(ids))
        .select((
            people::id,
            people::workplace_id,
            organisations::path.nullable(),
            organisations::street_id.nullable(),
            people::disabled_at.is_not_null(),
        ))
        .load(conn)?;
    let mut known = if with_audiences { audiences(conn, ids)? } else { HashMap::new() };
    Ok(rows
        .into_iter()
        .map(|(person, workplace, path, street, disabled)| {
            let audiences = known.remove(&person).unwrap_or_default();
            (person, Profile { workplace, path, street, audiences, disabled })
        })
        .collect())
}

/// Who has which of these phone numbers, with their names. A number may be several people's; a merged account's is that of the account
/// which stands for it.
pub fn with_phones(
    conn: &mut Conn,
    vault: &Vault,
    phones: &[&str],
) -> Result<Vec<(String, PersonId, Option<String>)>> {
    let by_index: HashMap<Vec<u8>, &str> =
        phones.iter().map(|phone| (vault.blind_index(PHONE, phone), *phone)).collect();
    let rows: Vec<(Option<Vec<u8>>, PersonId, Option<String>)> = people::table
        .filter(people::phone_index.eq_any(by_index.keys()))
        .order(people::id)
        .select((people::phone_index, people::id, people::name))
        .load(conn)?;
    let ids: Vec<PersonId> = rows.iter().map(|(_, person, _)| *person).collect();
    let kept = merging::store::kept_of(conn, &ids)?;
    let mut found: Vec<(String, PersonId, Option<String>)> = Vec::with_capacity(rows.len());
    // Whoever is kept comes first, with their own name.
    let (merged, own): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, person, _)| kept.contains_key(person));
    for (index, person, name) in own.into_iter().chain(merged) {
        let person = kept.get(&person).copied().unwrap_or(person);
        let Some(phone) = index.and_then(|index| by_index.get(&index)) else { continue };
        if !found.iter().any(|(known, one, _)| known == phone && *one == person) {
            found.push(((*phone).to_owned(), person, name));
        }
    }
    Ok(found)
}

/// Somebody who may be the same human as another.
#[derive(Debug, Clone)]
pub struct Alike {
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: Option<String>,
    /// Whether they have the same phone number.
    pub same_phone: bool,
    /// Whether they have the same name and workplace.
    pub same_name: bool,
}

/// Whose phone number, or whose name and workplace, are those of `person`; accounts that are merged already are left out.
pub fn alike(conn: &mut Conn, person: &Person, limit: i64) -> Result<Vec<Alike>> {
    let others = || people::table.filter(people::id.ne(person.id)).order(people::id).limit(limit);
    let columns = (people::id, people::name);
    let mut found: BTreeMap<PersonId, Alike> = BTreeMap::new();
    if let Some(index) = &person.phone_index {
        let rows: Vec<(PersonId, Option<String>)> =
            others().filter(people::phone_index.eq(index)).select(columns).load(conn)?;
        found.extend(
            rows.into_iter()
                .map(|(person, name)| (person, Alike { person, name, same_phone: true, same_name: false })),
        );
    }
    if let (Some(name), Some(workplace)) = (&person.name, person.workplace_id) {
        let there = others().filter(people::workplace_id.eq(workplace)).filter(people::name.eq(name));
        let rows: Vec<(PersonId, Option<String>)> = there.select(columns).load(conn)?;
        for (person, name) in rows {
            found.entry(person).and_modify(|one| one.same_name = true).or_insert(Alike {
                person,
                name,
                same_phone: false,
                same_name: true,
            });
        }
    }
    let ids: Vec<PersonId> = found.keys().copied().collect();
    let merged = merging::store::kept_of(conn, &ids)?;
    let most = usize::try_from(limit).unwrap_or(0);
    Ok(found.into_values().filter(|one| !merged.contains_key(&one.person)).take(most).collect())
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
