//! A change of keys: what documents and closing reports say, sealed again under the active key, while serving.

use super::model::PAPER;
use super::store;
use crate::error::{Error, Result};
use crate::legal_aid::closing;
use crate::platform::db::Db;
use crate::platform::vault::Vault;

/// Rows in one transaction.
const PAGE: i64 = 200;

/// Seals everything under the active key, and says how much was not.
pub fn rotate(db: &Db, vault: &Vault, mut progress: impl FnMut()) -> Result<usize> {
    let (mut done, mut after) = (0, None);
    loop {
        let rows = db.read_blocking(|conn| store::sealed_after(conn, after, PAGE))?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(*last);
        done += db.write_blocking(|conn| {
            rows.iter().try_fold(0, |sum, (id, sealed)| {
                let new = vault.reseal(PAPER, id.0.as_bytes(), sealed).map_err(Error::internal)?;
                Ok(sum + new.map_or(Ok(0), |new| store::resealed_in_tx(conn, *id, sealed, &new))?)
            })
        })?;
        progress();
    }
    for column in closing::sealing::COLUMNS {
        let mut after = None;
        loop {
            let rows = db.read_blocking(|conn| (column.after)(conn, after, PAGE))?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            done += db.write_blocking(|conn| {
                rows.iter().try_fold(0, |sum, (case, sealed)| {
                    let new =
                        vault.reseal(column.field, case.0.as_bytes(), sealed).map_err(Error::internal)?;
                    Ok(sum + new.map_or(Ok(0), |new| (column.put)(conn, *case, sealed, &new))?)
                })
            })?;
            progress();
        }
    }
    Ok(done)
}
