//! A change of keys: contents of reports, sealed again under the active key, while serving.

use super::model::CONTENT;
use super::store;
use crate::error::{Error, Result};
use crate::platform::db::Db;
use crate::platform::files::storage::Storage;
use crate::platform::vault::Vault;

/// Seals everything under the active key, and says how many reports were not.
///
/// A content is written over in place: it says itself which key it is under, so that whoever reads finds the old one or the new one.
pub fn rotate(db: &Db, vault: &Vault, storage: &Storage, mut progress: impl FnMut()) -> Result<usize> {
    let (mut done, mut after) = (0, None);
    loop {
        let page = db.read_blocking(|conn| store::sealed_otherwise(conn, vault.active_key(), after))?;
        let Some(last) = page.last() else { return Ok(done) };
        after = Some(last.id);
        for report in &page {
            let (row, key) = (report.id.0.as_bytes(), report.storage_key());
            let old = storage.get_blocking(&key)?;
            let plain = vault.open_bytes(CONTENT, row, &old).map_err(Error::internal)?;
            storage.put_blocking(&key, vault.seal_bytes(CONTENT, row, &plain).map_err(Error::internal)?)?;
            if db.write_blocking(|conn| store::resealed_in_tx(conn, vault, report.id))? {
                done += 1;
            } else {
                // Over meanwhile, and perhaps erased before it was written over.
                storage.delete_blocking(&key)?;
            }
            progress();
        }
    }
}
