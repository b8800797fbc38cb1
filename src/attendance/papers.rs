//! Pictures of the paper that a sheet was typed in from, who may read them, and what an officer looks at who compares the two.

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::door;
use super::sheets::{Sheet, SheetView};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{FileId, PersonId, SheetId};
use crate::offering;
use crate::platform::Platform;
use crate::platform::access::policy::RosterRead;
use crate::platform::access::{Actor, Guard};
use crate::platform::db::Conn;
use crate::platform::db::schema::{people, sheet_lines, sheets};
use crate::platform::files::classes::FileClass;
use crate::platform::files::{self, Holder};
use crate::platform::http::{ApiPath, Reply};
use crate::platform::vault::mask;

/// The kind of holder that sheets are.
const SHEET: &str = "sheet";

/// Lets those read who see the lists of the organiser.
pub struct SheetHolder;

impl Holder for SheetHolder {
    fn kind(&self) -> &'static str {
        SHEET
    }

    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool> {
        let Ok(guard) = Guard::<RosterRead>::of(actor.clone()) else { return Ok(false) };
        let sheet = get(conn, SheetId(holder))?;
        let (_, found) = offering::store::session_get(conn, sheet.session_id)?;
        Ok(guard.scope().covers(&found.path))
    }
}

/// The sheet `id`, or 404.
pub fn get(conn: &mut Conn, id: SheetId) -> Result<Sheet> {
    let found = sheets::table.find(id).select(Sheet::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Hangs pictures of the paper on a sheet.
///
/// # Errors
/// `file_unusable` unless all are the owner's and hang on nothing; 422 for what is no picture.
pub fn attach_in_tx(
    conn: &mut Conn,
    owner: PersonId,
    photos: &[FileId],
    sheet: SheetId,
    now: DateTime<Utc>,
) -> Result<()> {
    if photos.is_empty() {
        return Ok(());
    }
    files::attach_in_tx(conn, owner, photos, SHEET, sheet.0, now)?;
    let pictures = [FileClass::Photo, FileClass::Evidence];
    if files::of(conn, SHEET, sheet.0)?.iter().all(|file| pictures.contains(&file.class)) {
        return Ok(());
    }
    let text = Text::new("须为照片或证据", "must be of the class photo or evidence");
    Err(Error::invalid(vec![Fault::new("/photo_ids", "class", text)]))
}

/// The pictures of a sheet.
pub fn of(conn: &mut Conn, sheet: SheetId) -> Result<Vec<FileId>> {
    Ok(files::of(conn, SHEET, sheet.0)?.into_iter().map(|file| file.id).collect())
}

/// Somebody on a sheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetLineView {
    /// 1, 2, 3, … in the order of the sheet.
    #[schema(minimum = 1, maximum = 500)]
    pub number: i64,
    /// Who.
    pub person_id: PersonId,
    /// Masked, for a look at the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
}

/// A sheet with who is on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetDetail {
    /// The sheet, with the pictures of its paper.
    #[serde(flatten)]
    pub sheet: SheetView,
    /// Who signed, as it was typed in.
    #[schema(max_items = 500)]
    pub people: Vec<SheetLineView>,
}

/// Read a sheet with who is on it, masked / 查看纸质签到表明细（脱敏）
///
/// For the officer who compares it: pictures of the paper are read as files (`file_content_get`).
#[utoipa::path(
    tag = "door", operation_id = "sheet_get", security(("bearer" = ["roster:read"])),
    params(("id" = SheetId, Path, description = "The sheet")),
    responses((status = 200, description = "The sheet", body = SheetDetail)),
)]
#[get("/api/v1/sheets/{id}")]
pub async fn sheet_get(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<SheetId>,
) -> Result<Reply<SheetDetail>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let read = move |c: &mut Conn| {
        let row = get(c, id)?;
        door::require_session(c, &scope, row.session_id)?;
        let lines: Vec<(i64, PersonId, Option<String>)> = sheet_lines::table
            .inner_join(people::table.on(people::id.eq(sheet_lines::person_id)))
            .filter(sheet_lines::sheet_id.eq(id))
            .order(sheet_lines::number)
            .select((sheet_lines::number, sheet_lines::person_id, people::name))
            .load(c)?;
        let line = |(number, person_id, name): (i64, PersonId, Option<String>)| SheetLineView {
            number,
            person_id,
            name_masked: name.as_deref().map(mask::name),
        };
        let version = row.version;
        let people = lines.into_iter().map(line).collect();
        Ok((SheetDetail { sheet: SheetView::read(c, row, None)?, people }, version))
    };
    let (detail, version) = platform.db.read(read).await?;
    Ok(Reply::new(detail).version(version))
}
