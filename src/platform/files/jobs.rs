//! What is removed without anybody asking, and how contents go.

use chrono::TimeDelta;
use serde_json::Value;

use super::storage::Storage;
use super::store;
use crate::clock::SharedClock;
use crate::error::{Error, Result};
use crate::ids::{FileId, Ids};
use crate::platform::audit::{self, Entry};
use crate::platform::db::{Conn, Db};
use crate::platform::outbox::{Job, JobHandler};
use crate::platform::vault::Vault;

/// Removes files that hang on nothing after a day, every hour.
pub struct Sweep {
    /// The present.
    pub clock: SharedClock,
    /// Ids of the jobs that erase.
    pub ids: Ids,
}

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "files.sweep"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.clock.now();
        let swept = store::sweep_in_tx(conn, &self.ids, now)?;
        let entries = swept.into_iter().map(|id| Entry::system("file.remove", id)).collect();
        audit::append_in_tx(conn, now, entries)
    }
}

/// Erases the content of a removed file. Its row is removed before, so that nobody is shown a file that is gone.
pub struct Erase {
    /// The present.
    pub clock: SharedClock,
    /// Where contents lie.
    pub storage: Storage,
}

impl JobHandler for Erase {
    fn kind(&self) -> &'static str {
        store::ERASE
    }

    fn prepare(&self, db: &Db, job: &Job) -> Result<()> {
        let id = file(job)?;
        match db.read_blocking(|conn| store::to_erase(conn, id))? {
            Some(key) => self.storage.delete_blocking(&key),
            None => Ok(()),
        }
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        store::erased_in_tx(conn, file(job)?, self.clock.now())
    }
}

fn file(job: &Job) -> Result<FileId> {
    let payload: Value = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    let id = payload.get("file_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal("a job names no file"))
}

/// Seals all contents and names anew under the active key, while serving, and says how many files that were.
///
/// A content is written over in place: it says itself which key it is under, so that whoever reads finds the old one or the new one.
pub fn rotate(db: &Db, vault: &Vault, storage: &Storage, mut progress: impl FnMut()) -> Result<usize> {
    let (mut done, mut after) = (0, None);
    loop {
        let page = db.read_blocking(|conn| store::sealed_otherwise(conn, vault.active_key(), after, 100))?;
        let Some(last) = page.last() else { return Ok(done) };
        after = Some(last.id);
        for file in &page {
            let row = file.id.0.as_bytes();
            let old = storage.get_blocking(&file.storage_key)?;
            let plain = vault.open_bytes(super::model::CONTENT, row, &old).map_err(Error::internal)?;
            let new = vault.seal_bytes(super::model::CONTENT, row, &plain).map_err(Error::internal)?;
            storage.put_blocking(&file.storage_key, new)?;
            if db.write_blocking(|conn| store::resealed_in_tx(conn, vault, file))? {
                done += 1;
            } else {
                // Removed meanwhile, and perhaps erased before it was written over.
                storage.delete_blocking(&file.storage_key)?;
            }
            progress();
        }
    }
}
