//! What rooms call: that a text was written, and what of theirs others do not see.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::model::{ContentCheck, ContentKind, ContentState};
use super::{jobs, pictures, rules, store};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{CaseId, ContentCheckId, FileId, Ids, OrganisationId, PersonId};
use crate::org;
use crate::platform::db::Conn;
use crate::platform::outbox;

/// Who judges what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// Officers above this organisation; above the district itself where it is none.
    Organisation(Option<OrganisationId>),
    /// The team of this case, and nobody else. Nothing of it is ever hidden from them.
    Case(CaseId),
}

/// A text that was written.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Which room keeps it; its [`super::Source`] gives it again.
    pub room: &'static str,
    /// In which row.
    pub row: Uuid,
    /// In which field of the row.
    pub field: &'a str,
    /// Who wrote it.
    pub person: PersonId,
    /// Who judges it.
    pub judge: Judge,
}

/// Has texts and pictures checked. Cheap to clone.
#[derive(Clone)]
pub struct Checks {
    ids: Ids,
    on: bool,
}

/// Why others do not see something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// Somebody has to look at it first.
    Held,
    /// Somebody has removed it.
    Removed,
}

impl Withheld {
    /// What stands in its place.
    pub fn instead(self) -> &'static str {
        match self {
            Self::Held => "（内容待人工核查，暂不显示）",
            Self::Removed => "（内容已被屏蔽）",
        }
    }
}

impl Checks {
    /// Checks that are asked for where `on`.
    pub fn new(ids: Ids, on: bool) -> Self {
        Self { ids, on }
    }

    /// Nobody is asked.
    pub fn off(ids: Ids) -> Self {
        Self::new(ids, false)
    }

    /// Has a text checked that the caller's transaction writes. Written anew, it waits anew.
    pub fn ask_in_tx(&self, conn: &mut Conn, asked: Asked<'_>, now: DateTime<Utc>) -> Result<()> {
        self.waits_in_tx(conn, ContentKind::Text, asked, now)
    }

    /// Has pictures checked that the caller's transaction hangs somewhere. Other files are passed over.
    pub fn pictures_in_tx(
        &self,
        conn: &mut Conn,
        files: &[FileId],
        person: PersonId,
        judge: Judge,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        for file in pictures::of(conn, files)? {
            let asked = Asked { room: pictures::ROOM, row: file.0, field: pictures::FIELD, person, judge };
            self.waits_in_tx(conn, ContentKind::Picture, asked, now)?;
        }
        Ok(())
    }

    fn waits_in_tx(
        &self,
        conn: &mut Conn,
        kind: ContentKind,
        asked: Asked<'_>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if !self.on {
            return Ok(());
        }
        let (organisation_id, case_id) = match asked.judge {
            Judge::Organisation(Some(id)) => (Some(id), None),
            Judge::Organisation(None) => (Some(org::store::root(conn)?.id), None),
            Judge::Case(id) => (None, Some(id)),
        };
        let check = ContentCheck {
            id: self.ids.id(),
            kind,
            room: asked.room.to_owned(),
            row_id: asked.row.as_bytes().to_vec(),
            field: asked.field.to_owned(),
            person_id: asked.person,
            organisation_id,
            case_id,
            state: ContentState::Waiting,
            label: None,
            trace_id: None,
            asked_at: db_time(now),
            decided_by: None,
            decided_at: None,
            reason: None,
            version: 1,
        };
        let (id, version) = store::ask_in_tx(conn, &check)?;
        outbox::enqueue_in_tx(conn, &self.ids, now, vec![job(id, version, 0, now)])
    }
}

/// The job that asks about a check's text of `version`, for the time after `tries` others.
pub(super) fn job(id: ContentCheckId, version: i64, tries: u32, run_at: DateTime<Utc>) -> outbox::NewJob {
    outbox::NewJob {
        kind: jobs::CHECK,
        payload: json!({ "check_id": id, "version": version, "tries": tries }),
        run_at,
        dedupe_key: Some(format!("content/{id}/{version}")),
    }
}

/// What of some rows of a room only its author sees, by row and field.
pub fn withheld(conn: &mut Conn, room: &str, rows: &[Uuid]) -> Result<HashMap<(Uuid, String), Withheld>> {
    let mut found = HashMap::new();
    for check in store::marked(conn, room, rows)?.into_iter().filter(rules::is_withheld) {
        let why = if check.state == ContentState::Removed { Withheld::Removed } else { Withheld::Held };
        found.insert((check.row()?, check.field), why);
    }
    Ok(found)
}
