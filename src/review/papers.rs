//! Files that hang on requests: who may read them, and how they come to hang there.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::chain::{self, Answers, FormField};
use super::deciding::{Officer, paths};
use super::{cover, rules, stages, store};
use crate::clock::SharedClock;
use crate::error::Result;
use crate::ids::{FileId, PersonId, ReviewId};
use crate::platform::access::Actor;
use crate::platform::db::Conn;
use crate::platform::files::{self, Holder};

/// The kind of holder that requests are.
pub(super) const REVIEW: &str = "review";

/// Lets those read who decide. The applicant owns what they hung there, and needs nobody's leave.
pub struct ReviewHolder {
    /// The present: delegations end.
    pub clock: SharedClock,
}

impl Holder for ReviewHolder {
    fn kind(&self) -> &'static str {
        REVIEW
    }

    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool> {
        let review = store::get(conn, ReviewId(holder))?;
        let rights = cover::rights(conn, actor, self.clock.now())?;
        let officer = Officer { person: actor.person, rights };
        let all = stages::of(conn, review.id)?;
        if !officer.sees(&paths(conn, &all)?) {
            return Ok(false);
        }
        let ties = store::ties(conn, &review, &[actor.person])?;
        // Whoever decided before may read what became of it.
        let free = |stage| {
            matches!(rules::bar(&review, stage, &ties, actor.person), None | Some(rules::Bar::Before))
        };
        Ok(all.iter().all(free))
    }
}

/// Hangs the files that `answers` name on a request.
///
/// # Errors
/// `file_unusable` unless all are the applicant's and hang on nothing; then none is attached.
pub fn attach_in_tx(
    conn: &mut Conn,
    form: &[FormField],
    answers: &Answers,
    applicant: PersonId,
    review: ReviewId,
    now: DateTime<Utc>,
) -> Result<()> {
    let named: Vec<FileId> = chain::files(form, answers).into_iter().map(FileId).collect();
    if named.is_empty() {
        return Ok(());
    }
    files::attach_in_tx(conn, applicant, &named, REVIEW, review.0, now)
}
