//! Queries of rosters and of places that are named later. Every function that writes needs the activity's lock.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{HoldState, PlaceHold};
use super::rules::{self, Known, Row, Verdict};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PersonId, PlaceHoldId};
use crate::org::model::Organisation;
use crate::people;
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, place_holds};
use crate::platform::vault::Vault;

/// Whom the rows of a union name, each or why nobody.
pub fn identify(
    conn: &mut Conn,
    vault: &Vault,
    union: &Organisation,
    rows: &[Row],
) -> Result<Vec<std::result::Result<PersonId, Verdict>>> {
    let phones: Vec<&str> = rows.iter().map(|row| row.phone.as_str()).collect();
    let known = known(conn, vault, &phones)?;
    Ok(rows
        .iter()
        .map(|row| {
            let with_number = known.get(row.phone.as_str()).map(Vec::as_slice).unwrap_or_default();
            rules::identify(&row.name, &union.path, with_number)
        })
        .collect())
}

/// Who has which of these phone numbers.
pub fn known(conn: &mut Conn, vault: &Vault, phones: &[&str]) -> Result<HashMap<String, Vec<Known>>> {
    let found = people::store::with_phones(conn, vault, phones)?;
    let ids: Vec<PersonId> = found.iter().map(|(_, person, _)| *person).collect();
    let profiles = people::store::profiles(conn, &ids, false)?;
    let mut known: HashMap<String, Vec<Known>> = HashMap::new();
    for (phone, person, name) in found {
        let profile = profiles.get(&person).cloned().unwrap_or_default();
        let one = Known { person, name, path: profile.path, disabled: profile.disabled };
        known.entry(phone).or_default().push(one);
    }
    Ok(known)
}

/// Keeps places.
pub fn hold_create_in_tx(conn: &mut Conn, rows: &[PlaceHold]) -> Result<()> {
    crate::insert_rows!(conn, place_holds::table, rows)?;
    Ok(())
}

/// Kept places with the paths of whose they are and of who organises the activity, or 404.
pub fn hold_get(conn: &mut Conn, id: PlaceHoldId) -> Result<(PlaceHold, Organisation)> {
    let found = place_holds::table
        .inner_join(organisations::table)
        .filter(place_holds::id.eq(id))
        .select((PlaceHold::as_select(), Organisation::as_select()))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Kept places of an activity after `after`, of unions under `patterns`, or of all.
pub fn hold_list(
    conn: &mut Conn,
    activity: ActivityId,
    patterns: Option<Vec<String>>,
    after: Option<PlaceHoldId>,
    limit: i64,
) -> Result<Vec<PlaceHold>> {
    let mut query = place_holds::table
        .inner_join(organisations::table)
        .filter(place_holds::activity_id.eq(activity))
        .order(place_holds::id)
        .limit(limit)
        .select(PlaceHold::as_select())
        .into_boxed();
    if let Some(patterns) = patterns {
        query = query.filter(crate::org::store::under(patterns));
    }
    if let Some(after) = after {
        query = query.filter(place_holds::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// `named` more people are named; false when so many are not unnamed any more.
pub fn hold_name_in_tx(conn: &mut Conn, hold: &PlaceHold, named: i64) -> Result<bool> {
    let open = place_holds::table
        .filter(place_holds::id.eq(hold.id))
        .filter(place_holds::state.eq(HoldState::Open))
        .filter(place_holds::version.eq(hold.version))
        .filter(place_holds::unnamed.ge(named));
    let state = if hold.unnamed == named { HoldState::Named } else { HoldState::Open };
    let changed = diesel::update(open)
        .set((
            place_holds::unnamed.eq(place_holds::unnamed - named),
            place_holds::state.eq(state),
            place_holds::version.eq(place_holds::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Gives up the places for which nobody is named; false when that was done already, or there are none.
pub fn hold_release_in_tx(conn: &mut Conn, hold: &PlaceHold) -> Result<bool> {
    let open = place_holds::table
        .filter(place_holds::id.eq(hold.id))
        .filter(place_holds::state.eq(HoldState::Open))
        .filter(place_holds::version.eq(hold.version));
    let changed = diesel::update(open)
        .set((
            place_holds::unnamed.eq(0),
            place_holds::state.eq(HoldState::Released),
            place_holds::version.eq(place_holds::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Kept places of an activity whose time to be named is over.
pub fn holds_due(conn: &mut Conn, activity: ActivityId, now: DateTime<Utc>) -> Result<Vec<PlaceHold>> {
    let due = place_holds::table
        .filter(place_holds::activity_id.eq(activity))
        .filter(place_holds::state.eq(HoldState::Open))
        .filter(place_holds::name_by.le(db_time(now)))
        .order(place_holds::id);
    Ok(due.select(PlaceHold::as_select()).load(conn)?)
}

/// Activities with such places.
pub fn activities_due(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<ActivityId>> {
    let due = place_holds::table
        .filter(place_holds::state.eq(HoldState::Open))
        .filter(place_holds::name_by.le(db_time(now)));
    Ok(due.select(place_holds::activity_id).distinct().load(conn)?)
}
