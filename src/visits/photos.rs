//! Pictures that hang on visits, and who may read them.

use uuid::Uuid;

use super::store;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{FileId, PersonId, VisitId};
use crate::platform::access::policy::InjuryRead;
use crate::platform::access::{Actor, Guard};
use crate::platform::db::Conn;
use crate::platform::files::classes::FileClass;
use crate::platform::files::{self, Holder};

/// The kind of holder that visits are.
pub(super) const VISIT: &str = "visit";

/// Lets those read who see the injury.
pub struct VisitHolder;

impl Holder for VisitHolder {
    fn kind(&self) -> &'static str {
        VISIT
    }

    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool> {
        let Ok(guard) = Guard::<InjuryRead>::of(actor.clone()) else { return Ok(false) };
        let (_, (_, organisation)) = store::visit_get(conn, VisitId(holder))?;
        Ok(guard.scope().covers(&organisation.path))
    }
}

/// Hangs pictures on a visit.
///
/// # Errors
/// `file_unusable` unless all are the owner's and hang on nothing; 422 for what is no picture.
pub fn attach_in_tx(
    conn: &mut Conn,
    owner: PersonId,
    photos: &[FileId],
    visit: VisitId,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    if photos.is_empty() {
        return Ok(());
    }
    files::attach_in_tx(conn, owner, photos, VISIT, visit.0, now)?;
    let pictures = [FileClass::Photo, FileClass::Evidence];
    if files::of(conn, VISIT, visit.0)?.iter().all(|file| pictures.contains(&file.class)) {
        return Ok(());
    }
    let text = Text::new("须为照片或证据", "must be of the class photo or evidence");
    Err(Error::invalid(vec![Fault::new("/photo_ids", "class", text)]))
}

/// The pictures of a visit.
pub fn of(conn: &mut Conn, visit: VisitId) -> Result<Vec<FileId>> {
    Ok(files::of(conn, VISIT, visit.0)?.into_iter().map(|file| file.id).collect())
}
