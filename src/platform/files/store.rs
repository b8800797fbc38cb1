//! Queries. Changes of state are guarded updates.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::Holders;
use super::model::{File, FileState, NAME};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{FileId, Ids, PersonId};
use crate::platform::access::Actor;
use crate::platform::db::Conn;
use crate::platform::db::schema::{file_prints, files};
use crate::platform::outbox::{self, NewJob};
use crate::platform::vault::Vault;

/// How long a file may hang on nothing.
pub const LOOSE: TimeDelta = TimeDelta::hours(24);
/// How long a content may take into the store, with much to spare.
pub const ARRIVING: TimeDelta = TimeDelta::hours(1);
/// Files of one person that may hang on nothing. Several that arrive at once may be a few more.
pub const LOOSE_FILES: i64 = 50;
/// Files that one run of the sweep removes.
const SWEEP: i64 = 500;
/// The job that erases a content.
pub const ERASE: &str = "files.erase";

/// Writes the row of a file whose content comes next.
///
/// # Errors
/// 409 when its owner has too many that hang on nothing.
pub fn arrive_in_tx(conn: &mut Conn, file: &File) -> Result<()> {
    let loose = files::table
        .filter(files::owner_id.eq(file.owner_id))
        .filter(files::state.eq_any([FileState::Arriving, FileState::Uploaded]));
    if loose.count().get_result::<i64>(conn)? >= LOOSE_FILES {
        return Err(Error::new(Code::FileTooMany));
    }
    crate::insert_rows!(conn, files::table, std::slice::from_ref(file))?;
    Ok(())
}

/// Its content is in the store.
pub fn settle_in_tx(conn: &mut Conn, id: FileId) -> Result<()> {
    let arriving = files::table.filter(files::id.eq(id)).filter(files::state.eq(FileState::Arriving));
    match diesel::update(arriving).set(files::state.eq(FileState::Uploaded)).execute(conn)? {
        1 => Ok(()),
        // It took so long that it was swept.
        _ => Err(Error::new(Code::RequestTimeout)),
    }
}

/// Takes back the row of a file whose content did not arrive, or whose request another one has answered.
pub fn abandon_in_tx(conn: &mut Conn, ids: &Ids, id: FileId, now: DateTime<Utc>) -> Result<()> {
    let arriving = files::table.filter(files::id.eq(id)).filter(files::state.eq(FileState::Arriving));
    let removed = diesel::update(arriving)
        .set((files::state.eq(FileState::Removed), files::removed_at.eq(db_time(now))))
        .execute(conn)?;
    if removed == 1 { erase_later_in_tx(conn, ids, &[id], now) } else { Ok(()) }
}

/// A file that is there.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, id: FileId) -> Result<File> {
    let there = [FileState::Uploaded, FileState::Attached];
    let found = files::table.find(id).filter(files::state.eq_any(there)).select(File::as_select());
    found.first(conn).optional()?.ok_or_else(Error::not_found)
}

/// Whether `actor` may read `file`: its owner always, others where what it hangs on says so.
pub fn may_read(conn: &mut Conn, holders: &Holders, actor: &Actor, file: &File) -> Result<bool> {
    if file.owner_id == actor.person {
        return Ok(true);
    }
    if let Some(shown) = holders.shows(conn, actor, file.id)? {
        return Ok(shown);
    }
    let (FileState::Attached, Some(kind), Some(id)) = (file.state, &file.holder_kind, &file.holder_id) else {
        return Ok(false);
    };
    let id = Uuid::from_slice(id).map_err(Error::internal)?;
    match holders.find(kind) {
        Some(holder) => holder.may_read(conn, actor, id),
        None => Ok(false),
    }
}

/// What the audit chain names when `person` asks for `file`: the file, or what it hangs on.
pub fn told_as(holders: &Holders, person: PersonId, file: &File) -> String {
    let holder = file.holder_id.as_ref().and_then(|id| Uuid::from_slice(id).ok());
    let kind = file.holder_kind.as_ref().filter(|_| file.owner_id != person);
    let other = kind.and_then(|kind| holders.find(kind)).zip(holder).and_then(|(of, id)| of.told_as(id));
    other.unwrap_or_else(|| file.id.to_string())
}

/// Hangs files on the row `holder` of the kind `kind`, for good. The caller's transaction makes that row, and says in the audit what
/// hangs on it.
///
/// # Errors
/// 409 `file_unusable` unless all are `owner`'s, there, named once, and hanging on nothing; then none is attached.
pub fn attach_in_tx(
    conn: &mut Conn,
    owner: PersonId,
    ids: &[FileId],
    kind: &'static str,
    holder: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let usable: Vec<FileId> = crate::load_locked!(
        conn,
        files::table
            .filter(files::id.eq_any(ids))
            .filter(files::owner_id.eq(owner))
            .filter(files::state.eq(FileState::Uploaded))
            .order(files::id)
            .select(files::id)
    )?;
    // Looked at before anything is written: a caller may go on after the refusal. One that is named twice is there once.
    if usable.len() != ids.len() {
        return Err(Error::new(Code::FileUnusable));
    }
    let attached = diesel::update(files::table.filter(files::id.eq_any(&usable)))
        .set((
            files::state.eq(FileState::Attached),
            files::holder_kind.eq(kind),
            files::holder_id.eq(holder.as_bytes().to_vec()),
            files::attached_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    if attached == ids.len() { Ok(()) } else { Err(Error::internal("locked files that did not change")) }
}

/// What hangs on a row, in the order of arrival.
pub fn of(conn: &mut Conn, kind: &'static str, holder: Uuid) -> Result<Vec<File>> {
    Ok(files::table
        .filter(files::state.eq(FileState::Attached))
        .filter(files::holder_kind.eq(kind))
        .filter(files::holder_id.eq(holder.as_bytes().to_vec()))
        .order(files::id)
        .select(File::as_select())
        .load(conn)?)
}

/// Removes a file that hangs on nothing.
///
/// # Errors
/// 404 for another's or one that is gone, 409 for one that hangs on something.
pub fn remove_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    id: FileId,
    owner: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    let loose = files::table
        .filter(files::id.eq(id))
        .filter(files::owner_id.eq(owner))
        .filter(files::state.eq(FileState::Uploaded));
    let removed = diesel::update(loose)
        .set((files::state.eq(FileState::Removed), files::removed_at.eq(db_time(now))))
        .execute(conn)?;
    if removed == 1 {
        return erase_later_in_tx(conn, ids, &[id], now);
    }
    let file = get(conn, id)?;
    Err(if file.owner_id == owner { Error::new(Code::FileHeld) } else { Error::not_found() })
}

/// Removes what has hung on nothing for too long, and what never arrived; says what that was.
pub fn sweep_in_tx(conn: &mut Conn, ids: &Ids, now: DateTime<Utc>) -> Result<Vec<FileId>> {
    let mut swept = Vec::new();
    for (state, life) in [(FileState::Uploaded, LOOSE), (FileState::Arriving, ARRIVING)] {
        let old: Vec<FileId> = files::table
            .filter(files::state.eq(state))
            .filter(files::created_at.le(db_time(now - life)))
            .order(files::created_at)
            .limit(SWEEP)
            .select(files::id)
            .load(conn)?;
        for id in old {
            // Somebody may use it at this very moment.
            let still = files::table.filter(files::id.eq(id)).filter(files::state.eq(state));
            let removed = diesel::update(still)
                .set((files::state.eq(FileState::Removed), files::removed_at.eq(db_time(now))))
                .execute(conn)?;
            swept.extend((removed == 1).then_some(id));
        }
    }
    erase_later_in_tx(conn, ids, &swept, now)?;
    Ok(swept)
}

/// Removes what `owners` have uploaded and hung nowhere, and what hangs on the rows `held`, by their kind, whoever uploaded it. What else
/// they have uploaded stays where it hangs; the name that it had on their phone goes.
pub fn erase_of_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    owners: &[PersonId],
    held: &[(&'static str, Vec<Uuid>)],
    now: DateTime<Utc>,
) -> Result<usize> {
    let loose = files::table
        .filter(files::owner_id.eq_any(owners))
        .filter(files::state.eq_any([FileState::Arriving, FileState::Uploaded]));
    let mut found: Vec<FileId> = loose.order(files::id).select(files::id).load(conn)?;
    for (kind, rows) in held {
        let rows: Vec<Option<Vec<u8>>> = rows.iter().map(|row| Some(row.as_bytes().to_vec())).collect();
        let hanging = files::table
            .filter(files::state.eq(FileState::Attached))
            .filter(files::holder_kind.eq(*kind))
            .filter(files::holder_id.eq_any(rows));
        found.extend(hanging.order(files::id).select(files::id).load::<FileId>(conn)?);
    }
    let there = files::table.filter(files::id.eq_any(&found)).filter(files::state.ne(FileState::Removed));
    let mut done = diesel::update(there)
        .set((
            files::state.eq(FileState::Removed),
            files::removed_at.eq(db_time(now)),
            files::name_sealed.eq(None::<String>),
            files::sha256.eq(Vec::<u8>::new()),
        ))
        .execute(conn)?;
    erase_later_in_tx(conn, ids, &found, now)?;
    let named = files::table.filter(files::owner_id.eq_any(owners)).filter(files::name_sealed.is_not_null());
    done += diesel::update(named).set(files::name_sealed.eq(None::<String>)).execute(conn)?;
    Ok(done)
}

fn erase_later_in_tx(conn: &mut Conn, ids: &Ids, files: &[FileId], now: DateTime<Utc>) -> Result<()> {
    let job = |id: &FileId| NewJob {
        kind: ERASE,
        payload: serde_json::json!({ "file_id": id }),
        run_at: now,
        dedupe_key: None,
    };
    outbox::enqueue_in_tx(conn, ids, now, files.iter().map(job).collect())
}

/// Where the content of a removed file lies; none when it is erased.
pub fn to_erase(conn: &mut Conn, id: FileId) -> Result<Option<String>> {
    Ok(files::table
        .find(id)
        .filter(files::state.eq(FileState::Removed))
        .filter(files::erased_at.is_null())
        .select(files::storage_key)
        .first(conn)
        .optional()?)
}

/// The content of a removed file is gone, and its name goes with it.
pub fn erased_in_tx(conn: &mut Conn, id: FileId, now: DateTime<Utc>) -> Result<()> {
    let removed = files::table.filter(files::id.eq(id)).filter(files::state.eq(FileState::Removed));
    diesel::delete(file_prints::table.find(id)).execute(conn)?;
    diesel::update(removed)
        .set((files::erased_at.eq(db_time(now)), files::name_sealed.eq(None::<String>)))
        .execute(conn)?;
    Ok(())
}

/// Files whose content is sealed with another key than `key`, by id.
pub fn sealed_otherwise(conn: &mut Conn, key: &str, after: Option<FileId>, limit: i64) -> Result<Vec<File>> {
    let mut query = files::table
        .filter(files::vault_key.ne(key.to_owned()))
        .filter(files::state.eq_any([FileState::Uploaded, FileState::Attached]))
        .order(files::id)
        .limit(limit)
        .select(File::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(files::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// A file's content and name are under the active key now; false when it was removed meanwhile.
pub fn resealed_in_tx(conn: &mut Conn, vault: &Vault, file: &File) -> Result<bool> {
    let name = match &file.name_sealed {
        Some(sealed) => vault.reseal(NAME, file.id.0.as_bytes(), sealed).map_err(Error::internal)?,
        None => None,
    };
    let there = files::table.filter(files::id.eq(file.id)).filter(files::state.ne(FileState::Removed));
    let changed = diesel::update(there)
        .set((
            files::vault_key.eq(vault.active_key().to_owned()),
            files::name_sealed.eq(name.or_else(|| file.name_sealed.clone())),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}
