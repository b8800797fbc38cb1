//! Visits become attendance: the one way in which they count.
//!
//! A person is present at a session once, whatever their visits there: with the role `gift` when one that stands had a gift, as a
//! participant otherwise, and not at all when none stands. Recording a visit and taking one back both end here.

use std::slice;

use chrono::{DateTime, Utc};

use super::days::Place;
use super::{rules, store};
use crate::attendance;
use crate::attendance::entering::{Candidate, Entered, Entrance, Left};
use crate::attendance::model::{CheckinMethod, Voiding};
use crate::attendance::undoing::{self, Why};
use crate::error::Result;
use crate::ids::PersonId;
use crate::platform::db::Conn;

/// Who changed a visit, when and why.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// Who.
    pub by: PersonId,
    /// When.
    pub now: DateTime<Utc>,
    /// As the ledger keeps it, where something is taken back.
    pub reason: &'a str,
}

/// Brings a person's attendance at a locked session into line with their visits, and counts it. The audit entries are left to the
/// caller.
pub fn settle_in_tx(
    conn: &mut Conn,
    entrance: &Entrance,
    place: &Place,
    person: PersonId,
    cause: Cause<'_>,
    left: &mut Left,
) -> Result<()> {
    let wanted = rules::role(&store::standing_in(conn, place.session.id, person)?);
    let kept = attendance::store::present(conn, place.session.id, &[person])?.remove(&person);
    let kept = kept.filter(|row| row.method == CheckinMethod::Visit);
    if kept.as_ref().map(|row| row.role) == wanted {
        return Ok(());
    }
    if let Some(row) = &kept {
        let why = Why { voiding: Voiding::Undone, reason: cause.reason };
        undoing::undo_in_tx(conn, entrance.counting.as_ref(), &[row.id], why, cause.now)?;
    }
    if let Some(role) = wanted {
        let candidate = Candidate {
            person,
            method: CheckinMethod::Visit,
            distance: None,
            at: cause.now,
            by: cause.by,
            unregistered: Some(role),
            scan: None,
            // Two bodies may visit on one day, and whoever was at a course in the morning may lie in hospital at night.
            decided: true,
        };
        let candidates = slice::from_ref(&candidate);
        let entered = entrance.enter_in_tx(conn, &place.session, &place.activity, candidates, left)?;
        if let Some(Entered::Refused { why, .. }) = entered.first() {
            return Err(attendance::rules::refusal(*why));
        }
    }
    left.count_in_tx(conn, entrance.counting.as_ref())
}
