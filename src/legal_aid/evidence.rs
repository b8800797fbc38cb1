//! Files that hang on cases, and who may read them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{store, team};
use crate::clock::SharedClock;
use crate::error::{Code, Error, Result};
use crate::ids::{CaseId, FileId, PersonId};
use crate::platform::access::policy::LegalWork;
use crate::platform::access::{Actor, Guard};
use crate::platform::db::Conn;
use crate::platform::files::classes::{FileClass, MediaType};
use crate::platform::files::{self, File, Holder};

/// The kind of holder that cases are.
pub(super) const CASE: &str = "legal_case";

/// Files of one case at most.
pub const FILES: usize = 60;

/// Lets the applicant read, and those who see the case.
pub struct CaseHolder {
    /// The present: what was opened for hours ends.
    pub clock: SharedClock,
}

impl Holder for CaseHolder {
    fn kind(&self) -> &'static str {
        CASE
    }

    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool> {
        let id = CaseId(holder);
        if store::get(conn, id)?.person_id == actor.person {
            return Ok(true);
        }
        // Who has lost the role sees nothing, though they may still be of the team.
        if Guard::<LegalWork>::of(actor.clone()).is_err() {
            return Ok(false);
        }
        match team::admitted(conn, actor.person, id, self.clock.now()) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Code::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn told_as(&self, holder: Uuid) -> Option<String> {
        // Whose file it is, the chain says where it was uploaded.
        Some(CaseId(holder).to_string())
    }
}

/// A file of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseFileView {
    /// Read it under `/api/v1/files/{id}`.
    pub id: FileId,
    /// What it is for.
    pub class: FileClass,
    /// What it is.
    pub media_type: MediaType,
    /// Its length.
    #[schema(minimum = 0, maximum = 20_971_520)]
    pub bytes: i64,
    /// Since when it hangs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_at: Option<DateTime<Utc>>,
    /// Whether the reader has added it.
    pub own: bool,
}

impl CaseFileView {
    /// `file` as `reader` sees it.
    pub fn new(file: &File, reader: PersonId) -> Self {
        Self {
            id: file.id,
            class: file.class,
            media_type: file.media_type,
            bytes: file.bytes,
            added_at: file.attached_at.map(|at| at.and_utc()),
            own: file.owner_id == reader,
        }
    }
}

/// Hangs files of `owner` on a case, whose row the caller holds.
///
/// # Errors
/// `file_unusable` unless all are the owner's and hang on nothing; `file_too_many` beyond [`FILES`].
pub fn attach_in_tx(
    conn: &mut Conn,
    owner: PersonId,
    ids: &[FileId],
    case: CaseId,
    now: DateTime<Utc>,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    if files::of(conn, CASE, case.0)?.len() + ids.len() > FILES {
        return Err(Error::new(Code::FileTooMany)
            .detail(format!("每件最多{FILES}份材料"), format!("At most {FILES} files of one case")));
    }
    files::attach_in_tx(conn, owner, ids, CASE, case.0, now)
}

/// The files of a case in the order of their coming, as `reader` sees them.
pub fn of(conn: &mut Conn, case: CaseId, reader: PersonId) -> Result<Vec<CaseFileView>> {
    Ok(files::of(conn, CASE, case.0)?.iter().map(|file| CaseFileView::new(file, reader)).collect())
}
