//! Whoever owns merged accounts is told.

use super::jobs::{self, Message};
use super::model::NoticeKind;
use crate::error::Result;
use crate::ids::{Ids, PersonId};
use crate::people::merging::following::{Follower, Pair};
use crate::platform::db::Conn;
use crate::platform::outbox;

/// Tells the owner.
pub struct NoticeMerging {
    /// New ids.
    pub ids: Ids,
}

impl Follower for NoticeMerging {
    fn merged_in_tx(&self, conn: &mut Conn, pair: &Pair) -> Result<()> {
        self.tell_in_tx(conn, pair, &[pair.kept], NoticeKind::AccountsMerged)
    }

    fn parted_in_tx(&self, conn: &mut Conn, pair: &Pair) -> Result<()> {
        self.tell_in_tx(conn, pair, &[pair.kept, pair.merged], NoticeKind::AccountsParted)
    }
}

impl NoticeMerging {
    fn tell_in_tx(&self, conn: &mut Conn, pair: &Pair, whom: &[PersonId], kind: NoticeKind) -> Result<()> {
        let message = |person: &PersonId| Message {
            person: *person,
            kind,
            subject: String::new(),
            detail: String::new(),
            link: "/api/v1/me".to_owned(),
        };
        let messages: Vec<Message> = whom.iter().map(message).collect();
        outbox::enqueue_in_tx(conn, &self.ids, pair.now, jobs::jobs(&messages, pair.now))
    }
}
