//! What the plan is told of cases. The plan is above this room, so it comes as an interface, wired in `app.rs`.

use chrono::{DateTime, Utc};

use super::model::{Case, CaseState};
use crate::error::Result;
use crate::platform::db::Conn;

/// Counts cases for targets, in the transaction of the act. Called before the audit entries of the act, which come last.
///
/// A case counts from its acceptance on, whatever becomes of it, unless its acceptance is annulled. So it counts if, and only if, it has a
/// number and is not annulled ([`counts`]), and on the civil day of `decided_at`.
pub trait CaseCounting: Send + Sync {
    /// A case was accepted, at once or because an objection was right. `case` is as it stands now: numbered, `decided_at` the moment of
    /// its acceptance, `form` the form in which aid is given, `members` those who have consented.
    fn accepted_in_tx(&self, conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<()>;

    /// More or fewer members belong to a case that was accepted before. `case` is as it stands now.
    fn members_changed_in_tx(&self, conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<()>;

    /// An acceptance was annulled: what it counted for is taken back. Why is not told: whoever reads the plan would read it.
    fn annulled_in_tx(&self, conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<()>;
}

/// Whether `case` counts at all, as far as its life goes.
pub fn counts(case: &Case) -> bool {
    case.number.is_some() && case.state != CaseState::Annulled
}
