//! The inbox of a person, erased with what was still to be written to it.

use diesel::prelude::*;

use super::jobs;
use crate::error::Result;
use crate::ids::PersonId;
use crate::platform::db::Conn;
use crate::platform::db::schema::notices;
use crate::platform::outbox;

/// Removes all messages to `people`, and takes those that are still to be written out of their jobs.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let mut done = diesel::delete(notices::table.filter(notices::person_id.eq_any(people))).execute(conn)?;
    for person in people {
        for (id, payload) in outbox::naming(conn, jobs::KIND, &person.to_string())? {
            outbox::reword_in_tx(conn, id, jobs::without(&payload, people)?)?;
            done += 1;
        }
    }
    Ok(done)
}
