//! The rate limit as arithmetic: the generic cell rate algorithm (ITU-T I.371).
//!
//! One number per key, the theoretical arrival time (TAT): the instant at which the key would be as if it
//! had never been used. Every admitted event moves it one interval further; an event is refused when that
//! would put it further ahead of the present than the tolerance. The same steps are written once more in
//! Lua for Redis, and tests hold the two together.

use std::time::Duration;

use super::duration_micros;

/// How often something may happen: `limit` times at once, and again one by one, evenly over `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Events within `period`, also the largest burst. Zero refuses everything.
    pub limit: u32,
    /// The time in which a used-up limit is whole again, at most 366 days.
    pub period: Duration,
}

/// The answer to one request for admission. Durations are exact to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Whether the event may happen.
    pub allowed: bool,
    /// How many more may happen now.
    pub remaining: u32,
    /// How long to wait until one is allowed; zero when this one was.
    pub retry_after: Duration,
    /// How long until the whole limit is free again.
    pub reset_after: Duration,
}

/// A quota in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// From one event to the next at an even pace.
    pub interval: i64,
    /// How far the TAT may be ahead of the present: `limit` intervals, so that exactly `limit` fit.
    pub tolerance: i64,
}

impl Quota {
    /// The pace of this quota; none when it refuses everything.
    pub(super) fn pace(self) -> Option<Pace> {
        let limit = i64::from(self.limit);
        if limit == 0 {
            return None;
        }
        // Rounded up: rounded down, more than the limit would fit into very short periods.
        let period = duration_micros(self.period);
        let interval = (period / limit + i64::from(period % limit != 0)).max(1);
        Some(Pace { interval, tolerance: interval * limit })
    }
}

/// Decides on one event at `now` under `quota`, given the key's TAT (`None` when unused). Returns the
/// answer and the TAT to keep. Instants are microseconds since 1970.
pub(super) fn decide(tat: Option<i64>, now: i64, quota: Quota) -> (Admission, i64) {
    let Some(Pace { interval, tolerance }) = quota.pace() else {
        let never = quota.period;
        return (Admission { allowed: false, remaining: 0, retry_after: never, reset_after: never }, now);
    };
    // A TAT beyond the tolerance means that a clock was set back or the quota shrank: nobody is locked out
    // for longer than the quota of today could lock them out.
    let tat = tat.unwrap_or(now).clamp(now, now + tolerance);
    let ahead = tat + interval - now;
    let allowed = ahead <= tolerance;
    let kept = if allowed { tat + interval } else { tat };
    let admission = Admission {
        allowed,
        remaining: u32::try_from((tolerance - (kept - now)) / interval).unwrap_or(u32::MAX),
        retry_after: if allowed { Duration::ZERO } else { from_micros(ahead - tolerance) },
        reset_after: from_micros(kept - now),
    };
    (admission, kept)
}

fn from_micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_750_000_000_000_000;

    fn quotas() -> impl Strategy<Value = Quota> {
        (1u32..200, 1u64..10_000_000_000)
            .prop_map(|(limit, micros)| Quota { limit, period: Duration::from_micros(micros) })
    }

    proptest! {
        #[test]
        fn a_burst_is_the_limit_and_retry_after_is_exact(quota in quotas()) {
            let mut tat = None;
            for used in 1..=quota.limit {
                let (admission, kept) = decide(tat, NOW, quota);
                prop_assert!(admission.allowed);
                prop_assert_eq!(admission.remaining, quota.limit - used);
                tat = Some(kept);
            }
            let (refused, kept) = decide(tat, NOW, quota);
            prop_assert!(!refused.allowed);
            prop_assert_eq!(refused.remaining, 0);
            prop_assert_eq!(Some(kept), tat, "a refusal costs nothing");

            let wait = duration_micros(refused.retry_after);
            prop_assert!(wait > 0);
            prop_assert!(!decide(tat, NOW + wait - 1, quota).0.allowed);
            prop_assert!(decide(tat, NOW + wait, quota).0.allowed);

            let reset = duration_micros(refused.reset_after);
            prop_assert_eq!(decide(tat, NOW + reset, quota).0.remaining, quota.limit - 1);
        }

        // Any run of events: in every window of one period at most the burst and one period's refill pass.
        #[test]
        fn no_window_passes_more_than_twice_the_limit(
            quota in quotas(),
            steps in prop::collection::vec(0.0f64..0.3, 1..300),
        ) {
            let period = duration_micros(quota.period);
            let (mut now, mut tat, mut passed) = (NOW, None, Vec::new());
            for step in steps {
                now += (step * period as f64) as i64;
                let (admission, kept) = decide(tat, now, quota);
                tat = Some(kept);
                if admission.allowed {
                    passed.push(now);
                }
            }
            for (place, start) in passed.iter().enumerate() {
                let within = passed[place..].iter().take_while(|at| **at - start < period).count();
                prop_assert!(within <= 2 * quota.limit as usize);
            }
        }

        #[test]
        fn nobody_is_locked_out_longer_than_the_period(tat: i64, quota in quotas()) {
            let (admission, _) = decide(Some(tat), NOW, quota);
            let pace = quota.pace().unwrap();
            prop_assert!(duration_micros(admission.retry_after) <= pace.interval);
            prop_assert!(duration_micros(admission.reset_after) <= pace.tolerance);
        }
    }

    #[test]
    fn a_limit_of_zero_refuses_and_extremes_do_not_overflow() {
        let closed = Quota { limit: 0, period: Duration::from_secs(60) };
        assert!(!decide(None, NOW, closed).0.allowed);
        for (limit, period) in [(1, Duration::MAX), (u32::MAX, Duration::ZERO), (u32::MAX, Duration::MAX)] {
            let (admission, kept) = decide(None, NOW, Quota { limit, period });
            assert!(admission.allowed);
            assert!(kept < 1 << 53, "exact as a double");
        }
    }
}
