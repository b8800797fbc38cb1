//! The content check: what people write and the pictures that they upload pass WeChat's check, because the platform demands it of
//! mini-programs, and people judge what it holds.
//!
//! ```text
//! waiting ──pass──▶ passed
//!    │  └──risky, doubtful, or no verdict for days──▶ held ──release──▶ released
//!    │                                                 └──remove──▶ removed
//!    └◀── the text is written anew
//! ```
//! Nothing is refused and nothing waits for WeChat: the row and its job are written with the text, and the job asks after the commit, again and
//! again while WeChat is away ([`jobs`]). What is held or removed is shown to nobody but its author ([`checking::withheld`]), except in
//! legal aid, where a mark is all: a case's team reads everything that was written to it.
//!
//! The text itself stays where it was written. Whoever keeps it gives it again ([`Source`]), and says who judges it.

pub mod api;
pub mod checking;
pub mod jobs;
pub mod model;
pub mod pictures;
pub mod push_api;
pub mod rules;
pub mod store;

use std::sync::Arc;

use uuid::Uuid;

use crate::error::Result;
use crate::platform::db::Conn;

/// A room that keeps what is checked. Wired in `app.rs`.
pub trait Source: Send + Sync {
    /// The room's name, as its checks have it.
    fn room(&self) -> &'static str;

    /// What stands in `field` of the row `row`, read as its officers read it; none for what is no longer there.
    fn text_of(&self, conn: &mut Conn, row: Uuid, field: &str) -> Result<Option<String>>;
}

/// Everything that gives texts. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sources(Arc<Vec<Arc<dyn Source>>>);

impl Sources {
    /// These rooms.
    pub fn new(sources: Vec<Arc<dyn Source>>) -> Self {
        Self(Arc::new(sources))
    }

    /// What stands where a check says; none where nobody has it any more.
    pub fn text_of(&self, conn: &mut Conn, check: &model::ContentCheck) -> Result<Option<String>> {
        let row = Uuid::from_slice(&check.row_id).map_err(crate::error::Error::internal)?;
        match self.0.iter().find(|source| source.room() == check.room) {
            Some(source) => source.text_of(conn, row, &check.field),
            None => Ok(None),
        }
    }
}
