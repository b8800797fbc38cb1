//! Rows.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::classes::{FileClass, MediaType};
use crate::ids::{FileId, PersonId};
use crate::platform::db::schema::files;
use crate::platform::vault::Field;

/// The column of names.
pub const NAME: Field = Field("files.name");
/// What contents in the store are sealed as.
pub const CONTENT: Field = Field("files.content");

crate::text_enum! {
    /// Life of a file; the diagram stands at the head of the room.
    pub enum FileState {
        /// Its content is on the way into the store.
        Arriving = "arriving",
        /// There, and hanging on nothing.
        Uploaded = "uploaded",
        /// It hangs on something, which decides who may read it.
        Attached = "attached",
        /// No longer there; its content is erased soon.
        Removed = "removed",
    }
}

/// A file as it is kept.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = files, treat_none_as_default_value = false)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Who uploaded it.
    pub owner_id: PersonId,
    /// What it is for.
    pub class: FileClass,
    /// What it is.
    pub media_type: MediaType,
    /// How long its content is.
    pub bytes: i64,
    /// Pixels of a picture.
    pub width: Option<i64>,
    /// Pixels of a picture.
    pub height: Option<i64>,
    /// Digest of its content.
    pub sha256: Vec<u8>,
    /// The uploader's name for it, sealed.
    pub name_sealed: Option<String>,
    /// Where its content lies.
    pub storage_key: String,
    /// The key of the vault that its content is sealed with.
    pub vault_key: String,
    /// Where in its life it is.
    pub state: FileState,
    /// What kind of thing it hangs on.
    pub holder_kind: Option<String>,
    /// What it hangs on.
    pub holder_id: Option<Vec<u8>>,
    /// When it came.
    pub created_at: NaiveDateTime,
    /// Since when it hangs there.
    pub attached_at: Option<NaiveDateTime>,
    /// When it was removed.
    pub removed_at: Option<NaiveDateTime>,
    /// When its content was erased.
    pub erased_at: Option<NaiveDateTime>,
}
