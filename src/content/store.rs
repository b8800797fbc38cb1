//! Queries. Changes of state are guarded updates.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{ContentCheck, ContentReason, ContentState};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{CaseId, ContentCheckId, OrganisationId, PersonId};
use crate::org;
use crate::platform::db::Conn;
use crate::platform::db::schema::{content_checks, legal_team, organisations, wechat_identities};

/// Writes a check that waits, or makes the one of the same place wait again; says which, and at which version.
pub fn ask_in_tx(conn: &mut Conn, check: &ContentCheck) -> Result<(ContentCheckId, i64)> {
    let rows = std::slice::from_ref(check);
    let new = crate::insert_new!(conn, content_checks::table, rows, content_checks::id => |row: &ContentCheck| row.id)?;
    if let Some(id) = new.first() {
        return Ok((*id, check.version));
    }
    let place = content_checks::table
        .filter(content_checks::room.eq(&check.room))
        .filter(content_checks::row_id.eq(&check.row_id))
        .filter(content_checks::field.eq(&check.field));
    diesel::update(place)
        .set((
            content_checks::person_id.eq(check.person_id),
            content_checks::organisation_id.eq(check.organisation_id),
            content_checks::case_id.eq(check.case_id),
            content_checks::state.eq(ContentState::Waiting),
            content_checks::label.eq(None::<i64>),
            content_checks::trace_id.eq(None::<String>),
            content_checks::asked_at.eq(check.asked_at),
            content_checks::decided_by.eq(None::<PersonId>),
            content_checks::decided_at.eq(None::<chrono::NaiveDateTime>),
            content_checks::reason.eq(None::<ContentReason>),
            content_checks::version.eq(content_checks::version + 1),
        ))
        .execute(conn)?;
    Ok(content_checks::table
        .filter(content_checks::room.eq(&check.room))
        .filter(content_checks::row_id.eq(&check.row_id))
        .filter(content_checks::field.eq(&check.field))
        .select((content_checks::id, content_checks::version))
        .first(conn)?)
}

/// The check `id`.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, id: ContentCheckId) -> Result<ContentCheck> {
    let found = content_checks::table.find(id).select(ContentCheck::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The check of a place, if it was ever asked about.
pub fn of_place(conn: &mut Conn, room: &str, row: uuid::Uuid, field: &str) -> Result<Option<ContentCheck>> {
    Ok(content_checks::table
        .filter(content_checks::room.eq(room.to_owned()))
        .filter(content_checks::row_id.eq(row.as_bytes().to_vec()))
        .filter(content_checks::field.eq(field.to_owned()))
        .select(ContentCheck::as_select())
        .first(conn)
        .optional()?)
}

/// The checks of some rows of a room that are held or removed.
pub fn marked(conn: &mut Conn, room: &str, rows: &[uuid::Uuid]) -> Result<Vec<ContentCheck>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Vec<u8>> = rows.iter().map(|row| row.as_bytes().to_vec()).collect();
    Ok(content_checks::table
        .filter(content_checks::room.eq(room.to_owned()))
        .filter(content_checks::row_id.eq_any(rows))
        .filter(content_checks::state.eq_any([ContentState::Held, ContentState::Removed]))
        .select(ContentCheck::as_select())
        .load(conn)?)
}

/// A verdict on the text of `version`; false where it does not wait any more, or was written anew.
pub fn settled_in_tx(
    conn: &mut Conn,
    id: ContentCheckId,
    version: i64,
    state: ContentState,
    label: Option<i64>,
) -> Result<bool> {
    let waiting = content_checks::table
        .filter(content_checks::id.eq(id))
        .filter(content_checks::version.eq(version))
        .filter(content_checks::state.eq(ContentState::Waiting));
    let changed = diesel::update(waiting)
        .set((
            content_checks::state.eq(state),
            content_checks::label.eq(label),
            content_checks::trace_id.eq(None::<String>),
            content_checks::version.eq(content_checks::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Keeps, or forgets, under which trace the verdict on a picture will come.
pub fn traced_in_tx(conn: &mut Conn, id: ContentCheckId, version: i64, trace: Option<&str>) -> Result<bool> {
    let waiting = content_checks::table
        .filter(content_checks::id.eq(id))
        .filter(content_checks::version.eq(version))
        .filter(content_checks::state.eq(ContentState::Waiting));
    Ok(diesel::update(waiting).set(content_checks::trace_id.eq(trace.map(str::to_owned))).execute(conn)? == 1)
}

/// The check that waits for the verdict of `trace`, locked; none where it has come already.
pub fn waiting_for_in_tx(conn: &mut Conn, trace: &str) -> Result<Option<ContentCheck>> {
    let found: Vec<ContentCheck> = crate::load_locked!(
        conn,
        content_checks::table
            .filter(content_checks::trace_id.eq(trace.to_owned()))
            .filter(content_checks::state.eq(ContentState::Waiting))
            .select(ContentCheck::as_select())
    )?;
    Ok(found.into_iter().next())
}

/// A person's decision about what is held at `version`.
///
/// # Errors
/// 412 where it is not that any more.
pub fn decided_in_tx(
    conn: &mut Conn,
    id: ContentCheckId,
    version: i64,
    (state, reason): (ContentState, ContentReason),
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    let held = content_checks::table
        .filter(content_checks::id.eq(id))
        .filter(content_checks::version.eq(version))
        .filter(content_checks::state.eq(ContentState::Held));
    let changed = diesel::update(held)
        .set((
            content_checks::state.eq(state),
            content_checks::reason.eq(Some(reason)),
            content_checks::decided_by.eq(Some(by)),
            content_checks::decided_at.eq(Some(db_time(now))),
            content_checks::version.eq(content_checks::version + 1),
        ))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(Error::new(Code::PreconditionFailed)) }
}

/// Whose checks somebody judges.
#[derive(Debug, Clone, Default)]
pub struct Bench {
    /// Those of these organisations.
    pub organisations: Vec<OrganisationId>,
    /// Those of these cases.
    pub cases: Vec<CaseId>,
}

impl Bench {
    /// Of a person who judges for the subtrees of `patterns`, and is of the teams of cases.
    pub fn of(conn: &mut Conn, person: PersonId, patterns: Vec<String>) -> Result<Self> {
        let organisations =
            organisations::table.filter(org::store::under(patterns)).select(organisations::id).load(conn)?;
        let cases = legal_team::table
            .filter(legal_team::person_id.eq(person))
            .filter(legal_team::left_at.is_null())
            .select(legal_team::case_id)
            .load(conn)?;
        Ok(Self { organisations, cases })
    }

    /// Whether a check is before them.
    pub fn judges(&self, check: &ContentCheck) -> bool {
        check.organisation_id.is_some_and(|id| self.organisations.contains(&id))
            || check.case_id.is_some_and(|id| self.cases.contains(&id))
    }
}

/// Checks before a bench in `state`, in the order of their ids, after `after`.
pub fn list(
    conn: &mut Conn,
    bench: Bench,
    state: ContentState,
    after: Option<ContentCheckId>,
    limit: i64,
) -> Result<Vec<ContentCheck>> {
    let mine = content_checks::organisation_id
        .eq_any(bench.organisations)
        .or(content_checks::case_id.eq_any(bench.cases));
    let mut query = content_checks::table
        .filter(content_checks::state.eq(state))
        .filter(mine)
        .order(content_checks::id)
        .limit(limit)
        .select(ContentCheck::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(content_checks::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// The WeChat user that somebody is, of those who logged in.
pub fn openid_of(conn: &mut Conn, appid: &str, person: PersonId) -> Result<Option<String>> {
    Ok(wechat_identities::table
        .filter(wechat_identities::person_id.eq(person))
        .filter(wechat_identities::appid.eq(appid.to_owned()))
        .order(wechat_identities::last_login_at.desc())
        .select(wechat_identities::openid)
        .first(conn)
        .optional()?)
}
