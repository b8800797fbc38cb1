//! What hospitals say of a person, erased. That they were visited stays: it was counted.

use diesel::prelude::*;
use uuid::Uuid;

use super::photos::VISIT;
use crate::error::Result;
use crate::ids::{InjuryId, PersonId, VisitId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{injured, injuries, visits};
use crate::platform::vault::ERASED;

/// The kind of holder that visits are, and those to `people`: their pictures show them.
pub fn holders(conn: &mut Conn, people: &[PersonId]) -> Result<(&'static str, Vec<Uuid>)> {
    let ids = of(conn, people)?;
    let made: Vec<VisitId> =
        visits::table.filter(visits::injury_id.eq_any(&ids)).select(visits::id).load(conn)?;
    Ok((VISIT, made.into_iter().map(|id| id.0).collect()))
}

/// Injuries of `people`, which answers to others name.
pub fn of(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<InjuryId>> {
    let theirs = injuries::table.filter(injuries::person_id.eq_any(people)).order(injuries::id);
    Ok(theirs.select(injuries::id).load(conn)?)
}

/// Removes the facts of the injuries of `people`, whom lists know by them, and the words of visits.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let ids = of(conn, people)?;
    let facts = injuries::table.filter(injuries::id.eq_any(&ids)).filter(injuries::facts_sealed.ne(ERASED));
    let mut done = diesel::update(facts)
        .set((injuries::facts_sealed.eq(ERASED), injuries::version.eq(injuries::version + 1)))
        .execute(conn)?;
    done += diesel::delete(injured::table.filter(injured::person_id.eq_any(people))).execute(conn)?;
    let made = || visits::table.filter(visits::injury_id.eq_any(&ids));
    done += diesel::update(made().filter(visits::gift_text.is_not_null()))
        .set(visits::gift_text.eq(None::<String>))
        .execute(conn)?;
    done += diesel::update(
        made().filter(visits::undone_because.is_not_null().and(visits::undone_because.ne(""))),
    )
    .set(visits::undone_because.eq(""))
    .execute(conn)?;
    Ok(done)
}
