//! What the plan is told of attendance. The plan is above this room, so it comes as an interface, wired in `app.rs`.

use chrono::{DateTime, NaiveDate, Utc};

use crate::error::Result;
use crate::ids::{ActivityId, AttendanceId, HeadcountId, OrganisationId, PersonId, SessionId};
use crate::ledger::model::{Cause, Grade};
use crate::offering::model::AttendanceRole;
use crate::platform::db::Conn;

/// Somebody was present.
#[derive(Debug, Clone)]
pub struct Attended {
    /// The attendance.
    pub attendance: AttendanceId,
    /// Who.
    pub person: PersonId,
    /// Where they work, on that day.
    pub workplace: Option<OrganisationId>,
    /// At what.
    pub activity: ActivityId,
    /// Begin of the session: its civil day counts.
    pub starts_at: DateTime<Utc>,
    /// As what.
    pub role: AttendanceRole,
    /// Whether attendance in that role counts at all.
    pub counts: bool,
    /// The evidence.
    pub grade: Grade,
    /// Why it becomes known.
    pub cause: Cause,
}

/// A session took place.
#[derive(Debug, Clone)]
pub struct Held {
    /// The session.
    pub session: SessionId,
    /// Its activity.
    pub activity: ActivityId,
    /// Its begin: its civil day counts.
    pub starts_at: DateTime<Utc>,
    /// The evidence.
    pub grade: Grade,
}

/// A crowd that nobody registered.
#[derive(Debug, Clone)]
pub struct CountedCrowd {
    /// Its headcount.
    pub headcount: HeadcountId,
    /// At what.
    pub activity: ActivityId,
    /// Begin of the session: its civil day counts.
    pub starts_at: DateTime<Utc>,
    /// People who were not checked in one by one; nobody where it does not count any more.
    pub quantity: i64,
    /// Why it becomes known.
    pub cause: Cause,
    /// Why another figure than before, where there was one.
    pub reason: String,
}

/// Sessions that did not take place after all, with those who were checked in.
#[derive(Debug, Clone)]
pub struct Voided {
    /// Their activity.
    pub activity: ActivityId,
    /// The sessions. They are cancelled already.
    pub sessions: Vec<SessionId>,
    /// Who was checked in.
    pub attendances: Vec<(AttendanceId, PersonId)>,
    /// Why.
    pub cause: Cause,
    /// In words.
    pub reason: String,
}

/// Counts attendance for targets, in the transaction that records it.
pub trait Counting: Send + Sync {
    /// People were present.
    fn attended_in_tx(&self, conn: &mut Conn, attended: &[Attended]) -> Result<()>;

    /// A session took place.
    fn held_in_tx(&self, conn: &mut Conn, held: &Held) -> Result<()>;

    /// A crowd was counted. What it counted for before, if anything, is taken back.
    fn crowd_in_tx(&self, conn: &mut Conn, crowd: &CountedCrowd) -> Result<()>;

    /// Whether the figures of the month of `day` may still change: a session of it is opened again only then.
    fn month_is_open_in_tx(&self, conn: &mut Conn, day: NaiveDate) -> Result<bool>;

    /// Sessions and their attendances count no more; what counted through them and has another ground does again.
    fn voided_in_tx(&self, conn: &mut Conn, voided: &Voided) -> Result<()>;
}
