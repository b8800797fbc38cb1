//! A person whose data is erased: the row stays and says nothing more.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::dialect::Gate;
use crate::platform::db::schema::{organisations, people, person_audiences, person_merges};

/// What makes places and attendances passes it and then asks [`erased`]; an erasure closes it, and then looks what there is.
pub const GATE: Gate = Gate(0x0065_7261_7365);

/// Marks those of `ids` who are not yet: from now on nobody acts as them. Before anything else, so that of two erasures one goes on.
pub fn mark_in_tx(conn: &mut Conn, ids: &[PersonId], now: DateTime<Utc>) -> Result<usize> {
    let at = db_time(now);
    let there = people::table.filter(people::id.eq_any(ids)).filter(people::erased_at.is_null());
    let marked = diesel::update(there)
        .set((
            people::erased_at.eq(at),
            people::disabled_at.eq(at),
            people::updated_at.eq(at),
            people::version.eq(people::version + 1),
        ))
        .execute(conn)?;
    Ok(marked)
}

/// Empties the rows of `ids`, and takes back what was recorded of them. Of where they worked the sub-district stays, by which some targets
/// count.
pub fn erase_in_tx(conn: &mut Conn, ids: &[PersonId]) -> Result<usize> {
    let homes: Vec<(PersonId, Option<OrganisationId>)> = people::table
        .left_join(organisations::table)
        .filter(people::id.eq_any(ids))
        .select((people::id, organisations::street_id.nullable()))
        .load(conn)?;
    let mut done = 0;
    for (id, street) in homes {
        done += diesel::update(people::table.find(id))
            .set((
                people::name.eq(None::<String>),
                people::phone_sealed.eq(None::<String>),
                people::phone_index.eq(None::<Vec<u8>>),
                people::id_number_sealed.eq(None::<String>),
                people::id_number_index.eq(None::<Vec<u8>>),
                people::workplace_id.eq(street),
            ))
            .execute(conn)?;
    }
    let of_them = || person_merges::kept_id.eq_any(ids).or(person_merges::merged_id.eq_any(ids));
    let merges = || person_merges::table.filter(of_them());
    done += diesel::update(merges().filter(person_merges::reason.ne("")))
        .set(person_merges::reason.eq(""))
        .execute(conn)?;
    done += diesel::update(merges().filter(person_merges::parting_reason.ne("")))
        .set(person_merges::parting_reason.eq(""))
        .execute(conn)?;
    let recorded = person_audiences::table.filter(person_audiences::person_id.eq_any(ids));
    done += diesel::delete(recorded).execute(conn)?;
    Ok(done)
}

/// Who of `ids` was erased, and when.
pub fn erased(conn: &mut Conn, ids: &[PersonId]) -> Result<HashMap<PersonId, NaiveDateTime>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(PersonId, Option<NaiveDateTime>)> = crate::on_each!(conn, c => people::table
        .filter(people::id.eq_any(ids))
        .filter(people::erased_at.is_not_null())
        .select((people::id, people::erased_at))
        .load(c))?;
    Ok(rows.into_iter().filter_map(|(id, at)| Some((id, at?))).collect())
}
