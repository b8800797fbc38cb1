//! Pure rules of penalties.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Pause, PenaltyKind, PenaltyState};
use crate::clock::day_start;
use crate::offering::model::{Activity, ProgrammeKind};

/// The policies in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// A place given back no later than this before the start weighs nothing.
    pub free_cancel_hours: i64,
    /// What a later cancellation weighs.
    pub late_cancel: i64,
    /// What a no-show weighs.
    pub no_show: i64,
    /// How long either weighs.
    pub decay_days: i64,
    /// How much later somebody with one point may sign up.
    pub delay_1_hours: i64,
    /// The same with two.
    pub delay_2_hours: i64,
    /// From how many points somebody stands behind all others.
    pub behind_all_from: i64,
}

impl Terms {
    /// What `kind` weighs.
    pub fn weight(&self, kind: PenaltyKind) -> i64 {
        match kind {
            PenaltyKind::LateCancel => self.late_cancel,
            PenaltyKind::NoShow => self.no_show,
        }
    }
}

/// What somebody's points mean for their next sign-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delay {
    /// Nothing.
    None,
    /// They may sign up this many hours after the others.
    Hours(i64),
    /// They get what is left when all others have been served.
    BehindAll,
}

/// Programmes that no penalty comes from, and on which none has an effect: help must not depend on conduct.
pub fn is_exempt(kind: ProgrammeKind) -> bool {
    matches!(kind, ProgrammeKind::LegalAid | ProgrammeKind::Care)
}

/// Whether a place that is given back at `now` is given back too late to be free.
pub fn is_late(activity: &Activity, terms: &Terms, now: DateTime<Utc>) -> bool {
    let hours = activity.free_cancel_hours.unwrap_or(terms.free_cancel_hours);
    activity.starts_at.and_utc() - now < TimeDelta::try_hours(hours).unwrap_or(TimeDelta::MAX)
}

/// What `points` mean.
pub fn delay(points: i64, terms: &Terms) -> Delay {
    match points {
        ..=0 => Delay::None,
        points if points >= terms.behind_all_from => Delay::BehindAll,
        1 => Delay::Hours(terms.delay_1_hours),
        _ => Delay::Hours(terms.delay_2_hours),
    }
}

/// What `points` mean for a programme of the form `kind`.
pub fn delay_for(kind: ProgrammeKind, points: i64, terms: &Terms) -> Delay {
    if is_exempt(kind) { Delay::None } else { delay(points, terms) }
}

/// When a penalty given at `given` has run for `days` days, where the days of `pauses` do not count.
pub fn expiry(given: DateTime<Utc>, days: i64, pauses: &[Pause]) -> DateTime<Utc> {
    let mut pauses: Vec<(DateTime<Utc>, DateTime<Utc>)> = pauses
        .iter()
        .filter_map(|pause| Some((day_start(pause.from_day), day_start(pause.until_day.succ_opt()?))))
        .collect();
    pauses.sort_unstable();
    let mut at = given;
    let mut left = TimeDelta::try_days(days.max(0)).unwrap_or_default();
    for (from, until) in pauses {
        let runs = (from - at).max(TimeDelta::zero());
        if runs >= left && from > at {
            break;
        }
        // Two pauses may overlap: what is over already does not begin again.
        if until > at {
            left -= runs;
            at = until;
        }
    }
    at + left
}

/// Why a penalty was given, for its person.
pub fn why_given(kind: PenaltyKind, weight: i64, state: PenaltyState) -> String {
    let why = match kind {
        PenaltyKind::LateCancel => "临近开始才取消",
        PenaltyKind::NoShow => "报名后未到场，也未取消",
    };
    match state {
        PenaltyState::Contested => format!("{why}。您说明了原因，审核前不计分。"),
        _ => format!("{why}，记 {weight} 分，可能推迟您今后的报名。"),
    }
}

/// What points mean now, for their person.
pub fn meaning(delay: Delay) -> String {
    match delay {
        Delay::None => "目前不影响报名。".into(),
        Delay::Hours(hours) => {
            format!("报名开放 {hours} 小时后您方可报名；法律援助和关爱类项目不受影响。")
        }
        Delay::BehindAll => {
            "您的报名排在其他人之后，有剩余名额时为您安排；法律援助和关爱类项目不受影响。".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::civil_day;
    use crate::ids::{ActivityId, OrganisationId, ProgrammeId};
    use chrono::{NaiveDate, TimeZone};
    use proptest::prelude::*;
    use uuid::Uuid;

    const TERMS: Terms = Terms {
        free_cancel_hours: 24,
        late_cancel: 1,
        no_show: 2,
        decay_days: 90,
        delay_1_hours: 3,
        delay_2_hours: 12,
        behind_all_from: 3,
    };

    fn pause(from: NaiveDate, days: u64) -> Pause {
        let until_day = from + chrono::Days::new(days);
        Pause { from_day: from, until_day, reason: String::new(), source: String::new() }
    }

    fn start() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2025, 1, 20, 2, 30, 0).unwrap()
    }

    fn pauses() -> impl Strategy<Value = Vec<Pause>> {
        let one = (0_u64..200, 0_u64..12)
            .prop_map(|(after, days)| pause(civil_day(start()) + chrono::Days::new(after), days));
        proptest::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn an_expiry_is_as_long_as_its_days_and_never_sooner_for_one_more_pause(
            mut all in pauses(), more in pauses(), days in 0_i64..120
        ) {
            let before = expiry(start(), days, &all);
            all.extend(more);
            let after = expiry(start(), days, &all);
            prop_assert!(before >= start() + TimeDelta::days(days));
            prop_assert!(after >= before);
            // Hour by hour: what is neither before the penalty nor in a pause has run.
            let mut ran = TimeDelta::zero();
            let mut at = start();
            while at < after {
                let day = civil_day(at);
                if !all.iter().any(|pause| pause.from_day <= day && day <= pause.until_day) {
                    ran += TimeDelta::minutes(30);
                }
                at += TimeDelta::minutes(30);
            }
            prop_assert_eq!(ran, TimeDelta::days(days));
        }

        #[test]
        fn more_points_never_mean_less(points in -3_i64..20, more in 0_i64..5) {
            prop_assert!(delay(points, &TERMS) <= delay(points + more, &TERMS));
        }

        #[test]
        fn no_penalty_has_an_effect_on_help(points in 0_i64..1000) {
            for kind in ProgrammeKind::ALL {
                let effect = delay_for(*kind, points, &TERMS);
                if is_exempt(*kind) {
                    prop_assert_eq!(effect, Delay::None);
                } else {
                    prop_assert_eq!(effect, delay(points, &TERMS));
                }
            }
            prop_assert!(is_exempt(ProgrammeKind::LegalAid) && is_exempt(ProgrammeKind::Care));
        }
    }

    #[test]
    fn points_mean_what_the_policies_say() {
        let meant: Vec<Delay> = (0..=4).map(|points| delay(points, &TERMS)).collect();
        let expected = [Delay::None, Delay::Hours(3), Delay::Hours(12), Delay::BehindAll, Delay::BehindAll];
        assert_eq!(meant, expected);
    }

    #[test]
    fn a_holiday_in_between_is_added() {
        let spring = pause(NaiveDate::from_ymd_opt(2025, 1, 28).unwrap(), 7);
        assert_eq!(expiry(start(), 90, std::slice::from_ref(&spring)), start() + TimeDelta::days(98));
        // Given on a holiday, it runs from the holiday's end.
        let given = Utc.with_ymd_and_hms(2025, 1, 30, 2, 0, 0).unwrap();
        let end = Utc.with_ymd_and_hms(2025, 2, 4, 16, 0, 0).unwrap();
        assert_eq!(expiry(given, 1, std::slice::from_ref(&spring)), end + TimeDelta::days(1));
        // Over before the holiday begins.
        assert_eq!(expiry(start(), 2, &[spring]), start() + TimeDelta::days(2));
    }

    #[test]
    fn free_until_the_hours_before_the_start_that_the_activity_or_the_policy_says() {
        let id = Uuid::nil();
        let mut activity = Activity::draft(ActivityId(id), ProgrammeId(id), OrganisationId(id), start());
        let before = |hours: i64, minutes: i64| start() - TimeDelta::minutes(hours * 60 + minutes);
        assert!(!is_late(&activity, &TERMS, before(24, 0)));
        assert!(is_late(&activity, &TERMS, before(23, 59)));
        activity.free_cancel_hours = Some(2);
        assert!(!is_late(&activity, &TERMS, before(2, 0)));
        assert!(is_late(&activity, &TERMS, before(1, 59)));
        activity.free_cancel_hours = Some(0);
        assert!(!is_late(&activity, &TERMS, start()));
        assert!(is_late(&activity, &TERMS, start() + TimeDelta::minutes(1)));
    }
}
