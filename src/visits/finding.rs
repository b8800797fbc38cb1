//! Whom a hospital's list means: people are found by number and name, and made where nobody is found.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;

use super::model::{Injured, Injury, WHO};
use super::rules::{self, Meant};
use crate::error::{Error, Result};
use crate::ids::{Ids, OrganisationId, PersonId};
use crate::people;
use crate::people::model::PHONE;
use crate::people::store::Named;
use crate::platform::db::Conn;
use crate::platform::db::schema::injured;
use crate::platform::vault::{Vault, normalise};

/// Somebody on a list.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Their name.
    pub name: &'a str,
    /// Their mobile number, checked.
    pub phone: &'a str,
    /// Whether the number is several people's.
    pub shared: bool,
    /// Where they work, for who is new.
    pub workplace: Option<OrganisationId>,
}

/// The key of a number and a name. What parts them is in no number.
pub fn who(vault: &Vault, phone: &str, name: &str) -> Vec<u8> {
    vault.blind_index(WHO, &format!("{phone}/{name}"))
}

/// Whom each of `sought` means, in their order; none where the number is somebody's with another name.
///
/// Of two lists that name the same new person at once, the later waits for the earlier at the key in `injured` and finds the person
/// that was made.
pub fn people_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    ids: &Ids,
    sought: &[Sought<'_>],
    now: DateTime<Utc>,
) -> Result<Vec<Option<PersonId>>> {
    // In the order of the keys, so that no two lists wait for each other.
    let mut wanted: BTreeMap<Vec<u8>, Sought<'_>> = BTreeMap::new();
    let keys: Vec<Vec<u8>> = sought.iter().map(|one| who(vault, one.phone, one.name)).collect();
    for (key, one) in keys.iter().zip(sought) {
        wanted.entry(key.clone()).or_insert(*one);
    }
    let mut found = known(conn, &keys)?;
    wanted.retain(|key, _| !found.contains_key(key));
    let phones: Vec<&str> = wanted.values().map(|one| one.phone).collect();
    let mut by_phone: HashMap<String, Vec<(PersonId, Option<String>)>> = HashMap::new();
    for (phone, person, name) in people::store::with_phones(conn, vault, &phones)? {
        by_phone.entry(phone).or_default().push((person, name));
    }
    let mut rows: Vec<Injured> = Vec::new();
    let mut new: HashMap<Vec<u8>, Sought<'_>> = HashMap::new();
    for (key, one) in wanted {
        let with_number = by_phone.get(one.phone).map(Vec::as_slice).unwrap_or_default();
        let person = match rules::meant(one.name, one.shared, with_number) {
            Meant::Known(person) => person,
            Meant::New => {
                new.insert(key.clone(), one);
                ids.id()
            }
            Meant::NameDiffers => continue,
        };
        rows.push(Injured { who: key, person_id: person });
    }
    let kept: Vec<Vec<u8>> = crate::insert_new!(
        conn, injured::table, rows.as_slice(), injured::who => |row: &Injured| row.who.clone()
    )?;
    for row in rows.iter().filter(|row| kept.contains(&row.who)) {
        if let Some(one) = new.get(&row.who) {
            let named = Named { name: one.name, phone: one.phone, workplace: one.workplace };
            people::store::create_named_in_tx(conn, vault, row.person_id, &named, now)?;
        }
    }
    let late: Vec<Vec<u8>> = rows.iter().map(|row| row.who.clone()).collect();
    found.extend(known(conn, &late)?);
    Ok(keys.iter().map(|key| found.get(key).copied()).collect())
}

fn known(conn: &mut Conn, keys: &[Vec<u8>]) -> Result<HashMap<Vec<u8>, PersonId>> {
    let rows: Vec<Injured> =
        injured::table.filter(injured::who.eq_any(keys)).select(Injured::as_select()).load(conn)?;
    Ok(rows.into_iter().map(|row| (row.who, row.person_id)).collect())
}

/// Under which people the injuries of `person` stand: their own account, and the one that a list made of their number and name before
/// they came. WeChat has vouched for the number.
pub fn accounts(conn: &mut Conn, vault: &Vault, person: PersonId) -> Result<Vec<PersonId>> {
    let mut accounts = vec![person];
    let row = people::store::get(conn, person)?;
    if let (Some(sealed), Some(name)) = (&row.phone_sealed, &row.name) {
        let phone = vault.open(PHONE, person.0.as_bytes(), sealed).map_err(Error::internal)?;
        accounts.extend(known(conn, &[who(vault, phone.expose_secret(), name)])?.into_values());
    }
    accounts.sort();
    accounts.dedup();
    Ok(accounts)
}

/// Whom messages about an injury go to: the person, and whoever has logged in with the same number and name since.
pub fn reached(conn: &mut Conn, vault: &Vault, injury: &Injury) -> Result<Vec<PersonId>> {
    let facts = injury.facts(vault)?;
    let same =
        |name: &Option<String>| name.as_ref().is_some_and(|name| *normalise(name) == *normalise(&facts.name));
    let with_number = people::store::with_phones(conn, vault, &[facts.phone.as_str()])?;
    let mut whom: Vec<PersonId> =
        with_number.into_iter().filter(|(_, _, name)| same(name)).map(|(_, person, _)| person).collect();
    whom.push(injury.person_id);
    whom.sort();
    whom.dedup();
    Ok(whom)
}
