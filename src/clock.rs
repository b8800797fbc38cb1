//! Time is a parameter: every instant comes from a [`Clock`] handed in from outside.
//!
//! Instants are UTC at microseconds (what both database engines keep). Civil days, which the work plan
//! and every deadline speak of, are days in Asia/Shanghai, UTC+08:00 without daylight saving.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Utc};

/// A source of the present.
pub trait Clock: Send + Sync {
    /// The present instant, at microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that stands still until it is moved. For tests and simulations.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock standing at `start`.
    pub fn at(start: DateTime<Utc>) -> Self {
        Self(Mutex::new(start.trunc_subsecs(6)))
    }

    /// Moves the clock forwards, or backwards with a negative `by`.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }

    /// Sets the clock.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to.trunc_subsecs(6);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that runs ahead of another by as much as it was moved. For trying out what takes days.
pub struct ShiftedClock {
    base: SharedClock,
    ahead: Mutex<TimeDelta>,
}

impl ShiftedClock {
    /// A clock that shows what `base` shows, until it is moved.
    pub fn new(base: SharedClock) -> Self {
        Self { base, ahead: Mutex::new(TimeDelta::zero()) }
    }

    /// Moves the clock forwards by `by`. It stays where it is when the calendar ends before.
    pub fn advance(&self, by: TimeDelta) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let more = ahead.checked_add(&by).filter(|more| self.base.now().checked_add_signed(*more).is_some());
        *ahead = more.unwrap_or(*ahead);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        let now = self.base.now();
        now.checked_add_signed(*self.ahead.lock().unwrap_or_else(PoisonError::into_inner)).unwrap_or(now)
    }
}

/// Measures how long something took. For metrics and logs only, never for a decision.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

const SHANGHAI_SECONDS: i32 = 8 * 3600;

/// UTC+08:00, in which the federation's days begin and end.
pub fn shanghai() -> FixedOffset {
    // The offset is in range, so the fallback (UTC itself) is never taken.
    FixedOffset::east_opt(SHANGHAI_SECONDS).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// The civil day in Asia/Shanghai on which `instant` falls.
pub fn civil_day(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&shanghai()).date_naive()
}

/// The instant at which the civil day `day` begins in Asia/Shanghai.
pub fn day_start(day: NaiveDate) -> DateTime<Utc> {
    (day.and_time(chrono::NaiveTime::MIN) - TimeDelta::seconds(i64::from(SHANGHAI_SECONDS))).and_utc()
}

/// The database form of an instant: UTC without zone, at microseconds.
pub fn db_time(instant: DateTime<Utc>) -> NaiveDateTime {
    instant.trunc_subsecs(6).naive_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn a_day_begins_at_sixteen_utc_the_day_before() {
        let day = NaiveDate::from_ymd_opt(2025, 3, 1).unwrap();
        let start = Utc.with_ymd_and_hms(2025, 2, 28, 16, 0, 0).unwrap();
        assert_eq!(day_start(day), start);
        assert_eq!(civil_day(start), day);
        assert_eq!(civil_day(start - TimeDelta::microseconds(1)), day.pred_opt().unwrap());
    }

    #[test]
    fn a_manual_clock_stands_until_moved() {
        let start = Utc.with_ymd_and_hms(2025, 1, 1, 0, 0, 0).unwrap();
        let clock = ManualClock::at(start);
        assert_eq!(clock.now(), start);
        clock.advance(TimeDelta::minutes(5));
        assert_eq!(clock.now(), start + TimeDelta::minutes(5));
    }
}
