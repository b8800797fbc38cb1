//! Pictures: which files are some, and who sees one that is held.

use diesel::prelude::*;

use super::rules::{self, JUDGES};
use super::store;
use crate::error::Result;
use crate::ids::{FileId, OrganisationId};
use crate::org;
use crate::platform::access::{Actor, Scope};
use crate::platform::db::Conn;
use crate::platform::db::schema::files;
use crate::platform::files::Veil;
use crate::platform::files::classes::{FileClass, MediaType};

/// The room of pictures.
pub const ROOM: &str = "file";
/// The field of pictures.
pub const FIELD: &str = "content";

/// Which of `ids` are pictures that people look at.
pub fn of(conn: &mut Conn, ids: &[FileId]) -> Result<Vec<FileId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(files::table
        .filter(files::id.eq_any(ids))
        .filter(files::class.eq_any([FileClass::Photo, FileClass::Evidence]))
        .filter(files::media_type.ne(MediaType::Pdf))
        .order(files::id)
        .select(files::id)
        .load(conn)?)
}

/// Where somebody judges what stands in a subtree.
pub fn scope_of(actor: &Actor) -> Scope {
    let grants = actor.standing.grants.iter().filter(|grant| JUDGES.contains(&grant.role));
    Scope::of(grants.map(|grant| grant.path.clone()).collect())
}

/// Keeps held pictures from others than their owners, and shows them to those who judge them.
pub struct HeldPictures;

impl Veil for HeldPictures {
    fn shows(&self, conn: &mut Conn, actor: &Actor, file: FileId) -> Result<Option<bool>> {
        let Some(check) = store::of_place(conn, ROOM, file.0, FIELD)?.filter(rules::is_withheld) else {
            return Ok(None);
        };
        let scope = scope_of(actor);
        Ok(Some(match check.organisation_id {
            Some(id) => covers(conn, &scope, id)?,
            None => false,
        }))
    }
}

fn covers(conn: &mut Conn, scope: &Scope, id: OrganisationId) -> Result<bool> {
    Ok(scope.covers(&org::store::get(conn, id)?.path))
}
