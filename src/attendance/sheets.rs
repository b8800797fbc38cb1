//! A signed sheet of paper: one officer types in who signed, another compares it with the paper, and then it counts.
//!
//! ```text
//! typed ──check (another officer)──▶ confirmed: those on it are checked in, grade B
//!   └─────refuse (another officer)──▶ refused
//! ```

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::entering::{Entered, Entrance};
use super::model::CheckinMethod;
use super::staff_api::{let_in_in_tx, open_session_in_tx};
use super::{door, papers};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{FileId, PersonId, SessionId, SheetId, SignupId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{CheckinWrite, RosterRead};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::db::schema::{sheet_lines, sheets, signups};
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::signup::model::SignupState;

crate::text_enum! {
    /// Where a sheet is in its life.
    pub enum SheetState {
        /// Waits for the officer who compares it.
        Typed = "typed",
        /// It counts.
        Confirmed = "confirmed",
        /// It does not agree with the paper.
        Refused = "refused",
    }
}

/// A sheet.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sheets, treat_none_as_default_value = false)]
pub struct Sheet {
    /// Its id.
    pub id: SheetId,
    /// Of which session.
    pub session_id: SessionId,
    /// Where it is in its life.
    pub state: SheetState,
    /// Who typed it in.
    pub typed_by: PersonId,
    /// When.
    pub typed_at: NaiveDateTime,
    /// Who compared it.
    pub checked_by: Option<PersonId>,
    /// When.
    pub checked_at: Option<NaiveDateTime>,
    /// What they said.
    pub note: Option<String>,
    /// Counts changes.
    pub version: i64,
}

#[derive(Insertable)]
#[diesel(table_name = sheet_lines, treat_none_as_default_value = false)]
struct SheetLine {
    sheet_id: SheetId,
    number: i64,
    person_id: PersonId,
}

/// Who signed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"signup_ids": ["sgn_01k5b8m3q2e9t8h6y1v7z4w0xn"]}))]
pub struct SheetInput {
    /// Their sign-ups, in the order of the sheet.
    #[schema(min_items = 1, max_items = 500)]
    pub signup_ids: Vec<SignupId>,
    /// Pictures of the paper, of the class `photo` or `evidence`, for the officer who compares it.
    #[serde(default)]
    #[schema(required = false, max_items = 9)]
    pub photo_ids: Vec<FileId>,
}

/// What the officer says who compared it with the paper.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agrees": true}))]
pub struct SheetCheckInput {
    /// Whether it agrees with the paper.
    pub agrees: bool,
    /// What does not, in words without names.
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

/// A sheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetView {
    /// Its id.
    pub id: SheetId,
    /// Of which session.
    pub session_id: SessionId,
    /// Where it is in its life.
    pub state: SheetState,
    /// Who typed it in.
    pub typed_by: PersonId,
    /// When.
    pub typed_at: DateTime<Utc>,
    /// Who compared it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_by: Option<PersonId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<DateTime<Utc>>,
    /// How many signed.
    #[schema(minimum = 0, maximum = 500)]
    pub lines: i64,
    /// Of those, who were not let in when it was confirmed: the room was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 500)]
    pub refused: Option<i64>,
    /// Pictures of the paper.
    #[schema(max_items = 9)]
    pub photo_ids: Vec<FileId>,
}

impl SheetView {
    /// The sheet, and how many of it were not let in.
    pub fn read(conn: &mut Conn, row: Sheet, refused: Option<i64>) -> Result<Self> {
        let lines = sheet_lines::table.filter(sheet_lines::sheet_id.eq(row.id)).count().get_result(conn)?;
        Ok(Self {
            id: row.id,
            session_id: row.session_id,
            state: row.state,
            typed_by: row.typed_by,
            typed_at: row.typed_at.and_utc(),
            checked_by: row.checked_by,
            checked_at: row.checked_at.map(|at| at.and_utc()),
            lines,
            refused,
            photo_ids: papers::of(conn, row.id)?,
        })
    }
}

/// Type in a signed sheet / 录入纸质签到表
///
/// It counts once another officer has compared it with the paper.
#[utoipa::path(
    tag = "door", operation_id = "sheet_create", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SheetInput,
    responses((status = 201, description = "The sheet", body = SheetView)),
)]
#[post("/api/v1/sessions/{id}/sheets")]
pub async fn sheet_create(
    platform: Data<Platform>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<SheetInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (ids, SheetInput { signup_ids: wanted, photo_ids }) = (platform.ids.clone(), body.body);
    let act = move |c: &mut Conn| {
        let session = open_session_in_tx(c, &scope, id, now)?;
        let people = signed(c, &session, &wanted)?;
        let row = Sheet {
            id: ids.id(),
            session_id: id,
            state: SheetState::Typed,
            typed_by: actor,
            typed_at: db_time(now),
            checked_by: None,
            checked_at: None,
            note: None,
            version: 1,
        };
        diesel::insert_into(sheets::table).values(&row).execute(c)?;
        let lines: Vec<SheetLine> = people
            .into_iter()
            .zip(1..)
            .map(|(person_id, number)| SheetLine { sheet_id: row.id, number, person_id })
            .collect();
        crate::insert_rows!(c, sheet_lines::table, lines.as_slice())?;
        papers::attach_in_tx(c, actor, &photo_ids, row.id, now)?;
        let detail = json!({ "session": id, "lines": lines.len(), "photos": photo_ids });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "sheet.type", row.id).detail(detail)])?;
        let location = format!("/api/v1/sheets/{}", row.id);
        Stored::created(location, 1, &SheetView::read(c, row, None)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Who signed, in the order of the sheet; all that is wrong with it at once.
fn signed(
    conn: &mut Conn,
    session: &crate::offering::model::Session,
    wanted: &[SignupId],
) -> Result<Vec<PersonId>> {
    let known: Vec<(SignupId, PersonId)> = signups::table
        .filter(signups::id.eq_any(wanted))
        .filter(signups::activity_id.eq(session.activity_id))
        .filter(signups::state.ne(SignupState::Cancelled))
        .select((signups::id, signups::person_id))
        .load(conn)?;
    let mut people = Vec::with_capacity(wanted.len());
    let mut faults = Vec::new();
    for (place, signup) in wanted.iter().enumerate() {
        let at = format!("/signup_ids/{place}");
        match known.iter().find(|(id, _)| id == signup) {
            None => faults.push(Fault::new(at, "unknown", Text::new("没有这个报名", "no such sign-up"))),
            Some((_, person)) if people.contains(person) => {
                faults.push(Fault::new(at, "duplicate", Text::new("重复", "given twice")));
            }
            Some((_, person)) => people.push(*person),
        }
    }
    if faults.is_empty() { Ok(people) } else { Err(Error::invalid(faults)) }
}

/// Compare a sheet with the paper / 核对纸质签到表
///
/// By another officer than who typed it in (`sheet_own`), who has looked at `sheet_get` and the pictures of the paper. If it agrees, everybody on it is checked in, with grade B.
#[utoipa::path(
    tag = "door", operation_id = "sheet_check", security(("bearer" = ["checkin:write"])),
    params(("id" = SheetId, Path, description = "The sheet"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SheetCheckInput,
    responses((status = 200, description = "The sheet", body = SheetView)),
)]
#[post("/api/v1/sheets/{id}/checks")]
pub async fn sheet_check(
    platform: Data<Platform>,
    entrance: Data<Entrance>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SheetId>,
    body: Idempotent<SheetCheckInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (entrance, input) = (entrance.get_ref().clone(), body.body);
    let act = move |c: &mut Conn| {
        let row = papers::get(c, id)?;
        let session = open_session_in_tx(c, &scope, row.session_id, now)?;
        if row.typed_by == actor {
            return Err(Error::new(Code::SheetOwn));
        }
        let state = if input.agrees { SheetState::Confirmed } else { SheetState::Refused };
        let typed = sheets::table.filter(sheets::id.eq(id)).filter(sheets::state.eq(SheetState::Typed));
        let changed = diesel::update(typed)
            .set((
                sheets::state.eq(state),
                sheets::checked_by.eq(actor),
                sheets::checked_at.eq(db_time(now)),
                sheets::note.eq(input.note.clone()),
                sheets::version.eq(sheets::version + 1),
            ))
            .execute(c)?;
        if changed != 1 {
            return Err(
                Error::new(Code::StateForbids).detail("该签到表已核对", "This sheet was checked already")
            );
        }
        let mut entries =
            vec![Entry::new(actor, "sheet.check", id).detail(json!({ "agrees": input.agrees }))];
        let mut refused = None;
        if input.agrees {
            let people: Vec<PersonId> = sheet_lines::table
                .filter(sheet_lines::sheet_id.eq(id))
                .order(sheet_lines::number)
                .select(sheet_lines::person_id)
                .load(c)?;
            let (entered, mut left) =
                let_in_in_tx(c, &entrance, &session, &people, (CheckinMethod::Sheet, actor), now)?;
            entries.append(&mut left.entries);
            let out = entered.iter().filter(|one| matches!(one, Entered::Refused { .. })).count();
            refused = Some(i64::try_from(out).unwrap_or(i64::MAX));
        }
        audit::append_in_tx(c, now, entries)?;
        let row: Sheet = sheets::table.find(id).select(Sheet::as_select()).first(c)?;
        Stored::done(row.version, &SheetView::read(c, row, refused)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// List a session's sheets / 列出纸质签到表
#[utoipa::path(
    tag = "door", operation_id = "sheet_list", security(("bearer" = ["roster:read"])),
    params(("id" = SessionId, Path, description = "The session"), PageQuery),
    responses((status = 200, description = "A page of sheets", body = Page<SheetView>)),
)]
#[get("/api/v1/sessions/{id}/sheets")]
pub async fn sheet_list(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<SessionId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<SheetView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("sheets/{id}");
    let after: Option<SheetId> = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let read = move |c: &mut Conn| {
        door::require_session(c, &scope, id)?;
        let mut query = sheets::table
            .filter(sheets::session_id.eq(id))
            .order(sheets::id)
            .limit(limit)
            .select(Sheet::as_select())
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(sheets::id.gt(after));
        }
        let rows: Vec<Sheet> = query.load(c)?;
        rows.into_iter().map(|row| SheetView::read(c, row, None)).collect::<Result<Vec<_>>>()
    };
    let rows = platform.db.read(read).await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, rows, |row| row.id)?))
}
