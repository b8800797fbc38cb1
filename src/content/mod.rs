//! The content check: what people write and the pictures that they upload pass WeChat's check, because the platform demands it of
//! mini-programs, and people judge what it holds.
//!
//! ```text
//! waiting ──pass──▶ passed
//!    │  └──risky, doubtful, or no verdict for a week──▶ held ──release──▶ released
//!    │                                                   └──remove──▶ removed
//!    └◀── the text is written anew
//! ```
//! Nothing is refused and nothing waits for WeChat: the row and its job are written with the text, and the job asks after the commit, again and
//! again while WeChat is away ([`jobs`]). What WeChat warned of, and what somebody removed, is shown to nobody but its author
//! ([`checking::withheld`]), except in legal aid, where a mark is all: a case's team reads everything that was written to it, and nobody else
//! learns that something was.
//!
//! The text itself stays where it was written. Whoever keeps it gives it again ([`Source`]).

pub mod api;
pub mod checking;
pub mod erasing;
pub mod jobs;
pub mod model;
pub mod pictures;
pub mod push_api;
pub mod rules;
pub mod store;

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Result;
use crate::platform::db::Conn;

/// A room that keeps what is checked. Wired in `app.rs`.
pub trait Source: Send + Sync {
    /// The room's name, as its checks have it.
    fn room(&self) -> &'static str;

    /// Whether it is what people say of themselves, and not to each other.
    fn is_profile(&self) -> bool {
        false
    }

    /// What stands in `field` of the row `row`, read as its officers read it; none for what is no longer there.
    fn text_of(&self, conn: &mut Conn, row: Uuid, field: &str) -> Result<Option<String>>;

    /// Somebody has removed what stands in the row `row`. Where others are kept from it anyhow, nothing more is to be done.
    fn removed_in_tx(&self, _conn: &mut Conn, _row: Uuid, _now: DateTime<Utc>) -> Result<()> {
        Ok(())
    }
}

/// Everything that gives texts. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sources(Arc<RwLock<Vec<Arc<dyn Source>>>>);

impl Sources {
    /// One more room.
    pub fn register(&self, source: Arc<dyn Source>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    fn find(&self, room: &str) -> Option<Arc<dyn Source>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|source| source.room() == room).map(Arc::clone)
    }

    /// Whether what is checked is of a profile.
    pub fn is_profile(&self, check: &model::ContentCheck) -> bool {
        self.find(&check.room).is_some_and(|source| source.is_profile())
    }

    /// Tells whoever keeps it that it was removed.
    pub fn removed_in_tx(
        &self,
        conn: &mut Conn,
        check: &model::ContentCheck,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let row = check.row()?;
        self.find(&check.room).map_or(Ok(()), |source| source.removed_in_tx(conn, row, now))
    }

    /// What stands where a check says; none where nobody has it any more.
    pub fn text_of(&self, conn: &mut Conn, check: &model::ContentCheck) -> Result<Option<String>> {
        let row = check.row()?;
        match self.find(&check.room) {
            Some(source) => source.text_of(conn, row, &check.field),
            None => Ok(None),
        }
    }
}
