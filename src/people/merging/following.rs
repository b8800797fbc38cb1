//! What a merge means in the rooms above this one. They come as interfaces, wired in `app.rs`.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::rules::Unfinished;
use crate::error::Result;
use crate::ids::PersonId;
use crate::platform::db::Conn;

/// Two accounts. Both are locked, and the link between them is written already, or ended.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The account that is kept.
    pub kept: PersonId,
    /// The account that is merged.
    pub merged: PersonId,
    /// Others that are merged into the kept one.
    pub others: Vec<PersonId>,
    /// Why, in the officer's words.
    pub reason: String,
    /// When.
    pub now: DateTime<Utc>,
}

impl Pair {
    /// The kept account and the others that are it.
    pub fn of_kept(&self) -> Vec<PersonId> {
        std::iter::once(self.kept).chain(self.others.iter().copied()).collect()
    }
}

/// Lets consequences follow, in the transaction of the merge; an error undoes everything.
pub trait Follower: Send + Sync {
    /// What must end before the accounts can be one.
    fn unfinished(&self, _conn: &mut Conn, _pair: &Pair) -> Result<Vec<Unfinished>> {
        Ok(Vec::new())
    }

    /// They are one from now on.
    fn merged_in_tx(&self, _conn: &mut Conn, _pair: &Pair) -> Result<()> {
        Ok(())
    }

    /// They are two again.
    fn parted_in_tx(&self, _conn: &mut Conn, _pair: &Pair) -> Result<()> {
        Ok(())
    }
}

/// All followers, from the lowest floor upwards, which is the order of their locks.
#[derive(Clone, Default)]
pub struct Followers(pub Vec<Arc<dyn Follower>>);

impl Followers {
    /// Everything that is unfinished, of all rooms at once.
    pub fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let mut all = Vec::new();
        for follower in &self.0 {
            all.extend(follower.unfinished(conn, pair)?);
        }
        Ok(all)
    }
}
