//! When a stage is due: the term of its policy, the calendar, and the times in which the clock stood.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::platform::db::Conn;
use crate::policy;
use crate::policy::calendar::Calendar;
use crate::policy::clock::{self, Pause, Trail};

/// The calendar of the day, and from when on something is amber.
pub struct Clocks {
    calendar: Calendar,
    amber_percent: i64,
}

/// When something is due.
#[derive(Debug, Clone)]
pub struct DueAt {
    /// The end of its last day.
    pub at: DateTime<Utc>,
    /// From when on it is amber.
    pub amber_at: DateTime<Utc>,
    /// JSON: how it was found.
    pub trail: String,
}

impl Clocks {
    /// The calendar as it is known, and the share of a term at the end of which it is amber.
    pub fn load(conn: &mut Conn, now: DateTime<Utc>) -> Result<Self> {
        Ok(Self {
            calendar: policy::store::calendar(conn)?,
            amber_percent: policy::store::number_on(conn, "review.amber_percent", civil_day(now))?,
        })
    }

    /// When the term of the policy `key` runs out that begins at `from`.
    pub fn start(&self, conn: &mut Conn, key: &str, from: DateTime<Utc>) -> Result<DueAt> {
        self.due(conn, key, from, &[])
    }

    /// When it runs out with the times in which it stood.
    pub fn resume(
        &self,
        conn: &mut Conn,
        key: &str,
        from: DateTime<Utc>,
        pauses: &[(NaiveDateTime, Option<NaiveDateTime>)],
    ) -> Result<DueAt> {
        let pauses: Vec<Pause> = pauses
            .iter()
            .map(|(from, until)| Pause { from: from.and_utc(), until: until.map(|until| until.and_utc()) })
            .collect();
        self.due(conn, key, from, &pauses)
    }

    fn due(&self, conn: &mut Conn, key: &str, from: DateTime<Utc>, pauses: &[Pause]) -> Result<DueAt> {
        let rule = policy::store::rule_on(conn, key, civil_day(from))?;
        let term = rule.term;
        let trail = Trail::reckon(rule, from, pauses.to_vec(), &self.calendar);
        let deadline =
            trail.due.deadline().ok_or_else(|| Error::internal("a clock that stands is not due"))?;
        let signals = clock::signals(deadline, term, pauses, self.amber_percent, &self.calendar);
        Ok(DueAt {
            at: deadline.at,
            amber_at: signals.amber_at,
            trail: serde_json::to_string(&trail).map_err(Error::internal)?,
        })
    }
}

/// Years that matter within the next three months and of which the calendar is not known.
pub fn unknown_years(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<i32>> {
    policy::store::unknown_years(conn, civil_day(now))
}
