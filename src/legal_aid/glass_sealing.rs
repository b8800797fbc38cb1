//! A change of keys: reasons for opening others' cases, messages, and notes of consultations, sealed again under the active key, while serving.

use super::{consultations, glass, talk};
use crate::error::Result;
use crate::platform::db::{Conn, Db};
use crate::platform::vault::Vault;

/// Rows in one transaction.
const PAGE: i64 = 200;

/// Seals everything under the active key, and says how much was not.
pub fn rotate(db: &Db, vault: &Vault, mut progress: impl FnMut()) -> Result<usize> {
    let reasons = each(db, &mut progress, glass::sealed_after, |conn, id, text| {
        glass::reseal_in_tx(conn, vault, id, text)
    })?;
    let messages = each(db, &mut progress, talk::sealed_after, |conn, id, text| {
        talk::reseal_in_tx(conn, vault, id, text)
    })?;
    let notes = each(db, &mut progress, consultations::sealed_after, |conn, id, text| {
        consultations::reseal_in_tx(conn, vault, id, text)
    })?;
    Ok(reasons + messages + notes)
}

/// Goes through all rows that `page` gives, in the order of their ids.
fn each<I: Copy>(
    db: &Db,
    progress: &mut impl FnMut(),
    page: impl Fn(&mut Conn, Option<I>, i64) -> Result<Vec<(I, String)>>,
    reseal_in_tx: impl Fn(&mut Conn, I, &str) -> Result<usize>,
) -> Result<usize> {
    let (mut done, mut after) = (0, None);
    loop {
        let rows = db.read_blocking(|conn| page(conn, after, PAGE))?;
        let Some((last, _)) = rows.last() else { return Ok(done) };
        after = Some(*last);
        done += db.write_blocking(|conn| {
            rows.iter().try_fold(0, |sum, (id, sealed)| reseal_in_tx(conn, *id, sealed).map(|one| sum + one))
        })?;
        progress();
    }
}
