//! Terms against a table worked out by hand, against a second way of counting, and what holds for all of them (I9).

use chrono::NaiveDateTime;
use proptest::prelude::*;

use super::*;
use crate::clock::shanghai;
use crate::policy::calendar::DayKind;
use crate::policy::calendar::tests::notices;

const CASES: &str = include_str!("cases.txt");

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// `2025-03-03 10:00` in Shanghai.
fn at(text: &str) -> DateTime<Utc> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    local.and_local_timezone(shanghai()).unwrap().to_utc()
}

fn pause(from: &str, until: &str) -> Pause {
    Pause { from: at(from), until: (!until.is_empty()).then(|| at(until)) }
}

#[test]
fn terms_end_as_the_table_says() {
    let calendar = notices();
    let mut count = 0;
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [what, start, term, pauses, expected, years, ..] = cells[..] else { panic!("{line}") };
        let (days, unit) = term.split_once(' ').unwrap();
        let term = Term { days: days.parse().unwrap(), unit: format!("{unit}_days").parse().unwrap() };
        let pauses: Vec<Pause> = pauses
            .split("; ")
            .filter_map(|text| text.split_once(" to"))
            .map(|(from, until)| pause(from, until.trim()))
            .collect();
        let unknown_years: Vec<i32> = years.split_whitespace().map(|year| year.parse().unwrap()).collect();
        let expected = match expected.strip_prefix("stands ") {
            Some(rest) => {
                let (since, days) = rest.split_once(' ').unwrap();
                Due::Paused(Rest { since: day(since), days: days.parse().unwrap(), unknown_years })
            }
            None => {
                let last_day = day(expected);
                let midnight = format!("{} 00:00", last_day.succ_opt().unwrap());
                Due::Running(Deadline { last_day, at: at(&midnight), unknown_years })
            }
        };
        assert_eq!(due(at(start), term, &pauses, &calendar), expected, "{what}");
        count += 1;
    }
    assert_eq!(count, 59);
}

#[test]
fn terms_without_measure_end_too() {
    let calendar = notices();
    let start = at("2025-03-03 10:00");
    assert_eq!(due(start, Term::working(0), &[], &calendar), due(start, Term::working(1), &[], &calendar));
    assert_eq!(due(start, Term::calendar(-9), &[], &calendar), due(start, Term::calendar(1), &[], &calendar));
    let long = due(start, Term::calendar(i64::MAX), &[], &calendar);
    assert_eq!(long, due(start, Term::calendar(Term::MAX_DAYS), &[], &calendar));
    let forever = Pause { from: DateTime::<Utc>::MIN_UTC, until: Some(DateTime::<Utc>::MAX_UTC) };
    for start in [DateTime::<Utc>::MIN_UTC, start, DateTime::<Utc>::MAX_UTC] {
        let due = due(start, Term::working(3), &[forever], &calendar);
        let deadline = due.deadline().unwrap();
        signals(deadline, Term::working(3), &[forever], 30, &calendar);
    }
}

#[test]
fn colours_change_with_the_share_that_is_left() {
    let calendar = notices();
    // what is left of 3 days at 30 hundredths is one day, the last; of 5 and 7 it is 2 and 3; of 10 it is 3
    for (start, term, pauses, percent, amber, red) in [
        ("2025-03-03 10:00", Term::working(3), vec![], 30, "2025-03-06", "2025-03-06"),
        // Fr 3/14 is the last of 5; amber on Th 3/13
        ("2025-03-07 10:00", Term::working(5), vec![], 30, "2025-03-13", "2025-03-14"),
        // Su 1/26, Mo 1/27, We 2/5 to Sa 2/8: amber on Th 2/6
        ("2025-01-24 10:00", Term::working(6), vec![], 50, "2025-02-06", "2025-02-08"),
        // Th 2/6 and Fr 2/7 are behind the festival: the second last day is Mo 1/27
        ("2025-01-24 10:00", Term::working(3), vec![], 50, "2025-01-27", "2025-02-05"),
        // Th 3/13 is the last of 10, amber on Tu 3/11
        ("2025-03-03 10:00", Term::calendar(10), vec![], 30, "2025-03-11", "2025-03-13"),
        // Tu 3/4, pause We 3/5 to Mo 3/10, Tu 3/11 to Fr 3/14: four days back from Fr is Tu 3/11, five is Tu 3/4
        (
            "2025-03-03 10:00",
            Term::working(5),
            vec![pause("2025-03-05 10:00", "2025-03-10 15:00")],
            80,
            "2025-03-11",
            "2025-03-14",
        ),
        (
            "2025-03-03 10:00",
            Term::working(5),
            vec![pause("2025-03-05 10:00", "2025-03-10 15:00")],
            100,
            "2025-03-04",
            "2025-03-14",
        ),
        ("2025-03-07 10:00", Term::working(5), vec![], 0, "2025-03-14", "2025-03-14"),
        ("2025-03-07 10:00", Term::working(5), vec![], 900, "2025-03-10", "2025-03-14"),
    ] {
        let due = due(at(start), term, &pauses, &calendar);
        let deadline = due.deadline().unwrap();
        let found = signals(deadline, term, &pauses, percent, &calendar);
        let expected = Signals {
            amber_at: at(&format!("{amber} 00:00")),
            red_at: at(&format!("{red} 00:00")),
            breached_at: deadline.at,
        };
        assert_eq!(found, expected, "{start} {term:?} {percent}");
    }
}

#[test]
fn a_colour_begins_with_its_instant() {
    let calendar = notices();
    let term = Term::working(5);
    let due = due(at("2025-03-07 10:00"), term, &[], &calendar);
    let deadline = due.deadline().unwrap();
    let signals = signals(deadline, term, &[], 30, &calendar);
    let before = |text| at(text) - TimeDelta::microseconds(1);
    for (now, expected, days) in [
        (at("2025-03-07 10:00"), Colour::Green, 5),
        (before("2025-03-13 00:00"), Colour::Green, 2),
        (at("2025-03-13 00:00"), Colour::Amber, 1),
        (before("2025-03-14 00:00"), Colour::Amber, 1),
        (at("2025-03-14 00:00"), Colour::Red, 0),
        (before("2025-03-15 00:00"), Colour::Red, 0),
        (at("2025-03-15 00:00"), Colour::Breached, 0),
        (at("2025-06-01 00:00"), Colour::Breached, 0),
    ] {
        assert_eq!(colour(now, &signals), expected, "{now}");
        assert_eq!(days_left(now, deadline, term.unit, &calendar), days, "{now}");
    }
    assert_eq!(days_left(at("2025-03-07 10:00"), deadline, DayUnit::CalendarDays, &calendar), 7);
    assert_eq!(left(at("2025-03-14 23:00"), deadline), TimeDelta::hours(1));
    assert_eq!(left(at("2025-03-15 01:00"), deadline), TimeDelta::hours(-1));
}

#[test]
fn a_trail_is_kept_as_json() {
    let rule =
        Rule { key: "review.stage.unit".into(), effective_from: day("2025-01-01"), term: Term::working(3) };
    let start = at("2026-12-30 10:00");
    for pauses in [vec![], vec![pause("2026-12-31 10:00", "")]] {
        let trail = Trail::reckon(rule.clone(), start, pauses, &notices());
        let kept = serde_json::to_value(&trail).unwrap();
        assert_eq!(kept["rule"]["term"], serde_json::json!({ "days": 3, "unit": "working_days" }));
        assert_eq!(serde_json::from_value::<Trail>(kept).unwrap(), trail);
    }
    let trail = Trail::reckon(rule, start, Vec::new(), &notices());
    let due = serde_json::json!({ "running": {
        "last_day": "2027-01-04", "at": "2027-01-04T16:00:00Z", "unknown_years": [2027],
    } });
    assert_eq!(serde_json::to_value(&trail).unwrap()["due"], due);
}

/// A term counted the slow way: all days are listed, those that do not count are struck out.
fn struck_out(start: DateTime<Utc>, term: Term, pauses: &[Pause], calendar: &Calendar) -> Option<NaiveDate> {
    let days = civil_day(start).iter_days().skip(1).take(2_000);
    let stands = |day: NaiveDate| {
        let (begins, ends) = (day_start(day), day_start(day.succ_opt().unwrap()));
        let touches = |pause: &Pause| match pause.until {
            // The day of the end does not count, even where it ends as the day begins.
            Some(until) => pause.from < until && pause.from < ends && until >= begins,
            None => pause.from < ends,
        };
        pauses.iter().any(touches)
    };
    let counts = |day: NaiveDate| term.unit == DayUnit::CalendarDays || calendar.is_working(day);
    let free: Vec<NaiveDate> = days.filter(|day| !stands(*day)).collect();
    let nth = free.iter().filter(|day| counts(**day)).nth(usize::try_from(term.days - 1).unwrap())?;
    free.iter().find(|day| *day >= nth && calendar.is_working(**day)).copied()
}

/// What comes sooner is less; the clock that stands comes last, and of two the one with more left.
fn order(due: &Due) -> (bool, NaiveDate, i64) {
    match due {
        Due::Running(deadline) => (false, deadline.last_day, 0),
        Due::Paused(rest) => (true, NaiveDate::MIN, rest.days),
    }
}

fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    // 2023-11 to 2027-03: over the edges of what is known
    (1_698_800_000i64..1_806_000_000).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

fn terms() -> impl Strategy<Value = Term> {
    (1i64..60, prop_oneof![Just(DayUnit::CalendarDays), Just(DayUnit::WorkingDays)])
        .prop_map(|(days, unit)| Term { days, unit })
}

/// Pauses as minutes after the start, and how long they are.
fn pauses() -> impl Strategy<Value = Vec<(i64, Option<i64>)>> {
    let day: i64 = 24 * 60;
    let length = prop_oneof![6 => (0..20 * day).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((-5 * day..60 * day, length), 0..5)
}

fn after_start(start: DateTime<Utc>, pauses: &[(i64, Option<i64>)]) -> Vec<Pause> {
    let made = pauses.iter().map(|(from, length)| {
        let from = start + TimeDelta::minutes(*from);
        Pause { from, until: length.map(|minutes| from + TimeDelta::minutes(minutes)) }
    });
    made.collect()
}

/// Days made anything, and the seeded ones beside them.
fn calendars() -> impl Strategy<Value = Calendar> {
    let kind = prop_oneof![Just(DayKind::Holiday), Just(DayKind::Workday)];
    let days = proptest::collection::vec((0i64..1_250, kind), 0..40).prop_map(|days| {
        let days = days.into_iter().map(|(n, kind)| (day("2023-11-01") + TimeDelta::days(n), kind));
        Calendar::new(days, [2024, 2025])
    });
    prop_oneof![3 => Just(notices()), 1 => days]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// I9. Due is monotone in pauses, and no term ends on a day off or in a pause.
    #[test]
    fn due_is_monotone_in_pauses_and_ends_on_a_working_day(
        start in instants(), term in terms(), pauses in pauses(), more in 0i64..10_000, calendar in calendars(),
    ) {
        let pauses = after_start(start, &pauses);
        let whole = due(start, term, &pauses, &calendar);
        if let Due::Running(deadline) = &whole {
            prop_assert!(calendar.is_working(deadline.last_day), "{:?}", deadline);
            prop_assert!(deadline.last_day > civil_day(start));
            prop_assert_eq!(civil_day(deadline.at - TimeDelta::microseconds(1)), deadline.last_day);
            let on_it = |pause: &&Pause| {
                pause.until.is_none_or(|until| until > pause.from && civil_day(until) >= deadline.last_day)
                    && civil_day(pause.from) <= deadline.last_day
            };
            prop_assert_eq!(pauses.iter().find(on_it), None);
            let signals = signals(deadline, term, &pauses, more % 101, &calendar);
            prop_assert!(signals.amber_at <= signals.red_at && signals.red_at < signals.breached_at);
            prop_assert!(civil_day(signals.amber_at) > civil_day(start));
        }
        prop_assert_eq!(
            whole.deadline().map(|deadline| deadline.last_day),
            struck_out(start, term, &pauses, &calendar)
        );
        for index in 0..pauses.len() {
            let mut fewer = pauses.clone();
            let gone = fewer.remove(index);
            let without = due(start, term, &fewer, &calendar);
            prop_assert!(order(&without) <= order(&whole), "{:?} without {:?}: {:?}", whole, gone, without);
            if let Some(until) = gone.until {
                let mut longer = pauses.clone();
                longer[index].until = Some(until + TimeDelta::minutes(more));
                let later = due(start, term, &longer, &calendar);
                prop_assert!(order(&whole) <= order(&later), "{:?} longer than {:?}", later, whole);
            }
        }
        let mut turned = pauses.clone();
        turned.reverse();
        prop_assert_eq!(due(start, term, &turned, &calendar), whole);
    }
}
