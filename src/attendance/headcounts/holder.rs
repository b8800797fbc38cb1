//! Who may see the pictures of a crowd: who may see headcounts of its organiser, and who decides about it.

use uuid::Uuid;

use super::store;
use crate::clock::SharedClock;
use crate::error::Result;
use crate::ids::{HeadcountId, SubjectId};
use crate::offering;
use crate::platform::access::policy::{HeadcountRead, Permission};
use crate::platform::access::{Actor, Scope};
use crate::platform::db::Conn;
use crate::platform::files::Holder;
use crate::review;
use crate::review::papers::ReviewHolder;

/// The kind of holder that headcounts are.
pub const HEADCOUNT: &str = "headcount";

/// Lets staff of the organiser's subtree read, and those who decide.
pub struct HeadcountHolder {
    /// The present: delegations end.
    pub clock: SharedClock,
}

impl Holder for HeadcountHolder {
    fn kind(&self) -> &'static str {
        HEADCOUNT
    }

    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool> {
        let row = store::get(conn, HeadcountId(holder))?;
        let (_, found) = offering::store::session_get(conn, row.session_id)?;
        let grants = actor.standing.grants.iter().filter(|grant| HeadcountRead::ROLES.contains(&grant.role));
        if Scope::of(grants.map(|grant| grant.path.clone()).collect()).covers(&found.path) {
            return Ok(true);
        }
        // Whoever decides in another's stead has no such role themselves.
        match review::store::of_subject(conn, SubjectId(holder))? {
            Some(review) => {
                ReviewHolder { clock: SharedClock::clone(&self.clock) }.may_read(conn, actor, review.id.0)
            }
            None => Ok(false),
        }
    }
}
