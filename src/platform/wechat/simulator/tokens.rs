//! Access tokens: two separate pools, plain and stable, each with the token it replaced last.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::civil_day;

/// How long a new token lives.
const LIFE: TimeDelta = TimeDelta::seconds(7200);
/// How long a replaced token goes on working; stable mode renews when less than this is left.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
/// Forced refreshes closer together than this do nothing.
const FORCED_APART: TimeDelta = TimeDelta::seconds(30);
/// Forced refreshes in one civil day; further ones do nothing.
const FORCED_A_DAY: usize = 20;

#[derive(Debug, Clone)]
struct Token {
    value: String,
    ends: DateTime<Utc>,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    Valid,
    Expired,
    Unknown,
}

/// The tokens of one kind.
#[derive(Debug, Default)]
pub(super) struct Pool {
    current: Option<Token>,
    previous: Option<Token>,
    forced: Vec<DateTime<Utc>>,
}

impl Pool {
    /// Replaces the current token by `value`; the token before the current one dies at once.
    /// Answers the new token and its life in seconds.
    pub(super) fn renew(&mut self, now: DateTime<Utc>, value: String) -> (String, i64) {
        let replaced = self.current.take().filter(|token| token.ends > now);
        self.previous = replaced.map(|token| Token { ends: now + OVERLAP, ..token });
        self.current = Some(Token { value: value.clone(), ends: now + LIFE });
        (value, LIFE.num_seconds())
    }

    /// Stable mode: the current token while five minutes are left, otherwise `value`.
    pub(super) fn stable(&mut self, now: DateTime<Utc>, force: bool, value: String) -> (String, i64) {
        let alive = self.current.clone().filter(|token| token.ends - now >= OVERLAP);
        match alive {
            Some(_) if force && self.may_force(now) => {
                self.forced.push(now);
                self.renew(now, value)
            }
            Some(token) => (token.value, (token.ends - now).num_seconds()),
            None => self.renew(now, value),
        }
    }

    fn may_force(&mut self, now: DateTime<Utc>) -> bool {
        self.forced.retain(|at| civil_day(*at) == civil_day(now));
        let apart = self.forced.last().is_none_or(|last| now - *last >= FORCED_APART);
        apart && self.forced.len() < FORCED_A_DAY
    }

    pub(super) fn worth(&self, now: DateTime<Utc>, value: &str) -> Worth {
        let known = [&self.current, &self.previous].into_iter().flatten().find(|token| token.value == value);
        match known {
            Some(token) if token.ends > now => Worth::Valid,
            Some(_) => Worth::Expired,
            None => Worth::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_750_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn stable_mode_hands_out_one_token_until_five_minutes_are_left() {
        let mut pool = Pool::default();
        assert_eq!(pool.stable(at(0), false, "a".into()), ("a".into(), 7200));
        assert_eq!(pool.stable(at(1000), false, "b".into()), ("a".into(), 6200));
        assert_eq!(pool.stable(at(6900), false, "b".into()), ("a".into(), 300));
        assert_eq!(pool.stable(at(6901), false, "b".into()), ("b".into(), 7200));
        assert_eq!(pool.worth(at(7200), "a"), Worth::Valid, "both work for five minutes");
        assert_eq!(pool.worth(at(7201), "a"), Worth::Expired);
        assert_eq!(pool.worth(at(7201), "b"), Worth::Valid);
    }

    #[test]
    fn a_plain_fetch_always_renews_and_the_one_before_last_is_dead() {
        let mut pool = Pool::default();
        for (second, value) in [(0, "a"), (1, "b"), (2, "c")] {
            assert_eq!(pool.renew(at(second), value.into()).0, value);
        }
        let worth = ["a", "b", "c"].map(|value| pool.worth(at(3), value));
        assert_eq!(worth, [Worth::Unknown, Worth::Valid, Worth::Valid]);
        assert_eq!(pool.worth(at(302), "b"), Worth::Expired);
    }

    #[test]
    fn forced_refreshes_need_thirty_seconds_between_and_are_twenty_a_day() {
        let mut pool = Pool::default();
        pool.stable(at(0), false, "a".into());
        assert_eq!(pool.stable(at(1), true, "b".into()).0, "b");
        assert_eq!(pool.stable(at(30), true, "c".into()).0, "b", "too soon");
        for turn in 1..20 {
            let value = format!("t{turn}");
            assert_eq!(pool.stable(at(1 + turn * 30), true, value.clone()).0, value);
        }
        assert_eq!(pool.stable(at(1000), true, "x".into()).0, "t19", "twenty were used");
        assert_eq!(pool.stable(at(86_400 + 1000), false, "y".into()).0, "y", "the old one is over");
        assert_eq!(pool.stable(at(86_400 + 1001), true, "z".into()).0, "z", "a new day");
    }
}
