//! The worked examples of `docs/PLAN.md`, number for number, and a table over all 46 targets of 2025.

use super::tests::{day, measured, org, organisation, plan, rollup, said, target, tree};
use super::*;
use crate::org::model::OrganisationKind;
use crate::plan::model::{Comparator, CountedFrom, Each, ParticipantGroup};

#[test]
fn the_first_example_people_at_training_against_the_calendar() {
    let target = Target { code: "07b".into(), ..target(Measure::PersonTimes, 10_000, None, Period::Year) };
    let months = [("01", 500), ("02", 400), ("03", 900), ("04", 1000), ("05", 1200), ("06", 640)];
    let rollups: Vec<Rollup> =
        months.iter().map(|(month, n)| rollup(2, &format!("2025-{month}-01"), *n)).collect();
    let progress = measured("2025-06-16", &target, &rollups, &[]);
    assert_eq!((progress.value, progress.required, progress.per_mille), (4640, 10_000, 464));
    assert_eq!(progress.expected, 4547);
    assert_eq!(progress.standing, Standing::OnPace);
    let Forecast { basis, low, high, counted } = progress.forecast;
    assert_eq!((basis, counted), (ForecastBasis::RunRate, Some((1104, 3217))));
    assert_eq!((low, high), (Some(11_718), Some(12_450)));
}

#[test]
fn the_second_example_a_rate_that_did_not_hold_once() {
    let target = Target {
        code: "12a".into(),
        counted_from: CountedFrom::Report,
        ..target(Measure::Rate, 85, None, Period::Always)
    };
    let reported = [("01", 850, 1000), ("04", 1003, 1180), ("07", 1010, 1200), ("10", 1080, 1200)]
        .map(|(month, n, d)| Reported { ratio: Some((n, d)), ..said(6, &format!("2025-{month}-01")) });
    let progress = measured("2025-11-01", &target, &[], &reported);
    let shown: Vec<_> = progress
        .snapshots
        .iter()
        .map(|one| (one.month.to_string(), one.per_mille(), one.moved, one.holds))
        .collect();
    let expected = [
        ("2025-01-01".into(), 850, 0, true),
        ("2025-04-01".into(), 850, 180, true),
        ("2025-07-01".into(), 841, 20, false),
        ("2025-10-01".into(), 900, 0, true),
    ];
    assert_eq!(shown, expected);
    assert_eq!((progress.value, progress.per_mille), (90, 1058));
    assert_eq!(progress.standing, Standing::Failed, "90 now does not undo 84.1 in July");
    let without: Vec<Reported> = reported.into_iter().filter(|one| one.month != day("2025-07-01")).collect();
    assert_eq!(measured("2025-11-01", &target, &[], &without).standing, Standing::OnPace);
    assert_eq!(measured("2026-01-01", &target, &[], &without).standing, Standing::Met);
}

#[test]
fn the_third_example_stations_month_by_month() {
    let target =
        Target { code: "16b".into(), ..target(Measure::SessionsHeld, 1, Some(Each::Station), Period::Month) };
    let (plan, mut organisations) = (plan(), tree());
    for station in [10, 11] {
        let (id, row) = organisation(station, OrganisationKind::Station, Some("city"));
        organisations.insert(id, row);
    }
    let ground = Measured {
        plan: &plan,
        organisations: &organisations,
        root: org(1),
        today: day("2025-03-15"),
        thresholds: super::tests::HOUSE,
    };
    // Bantian (4), Buji (10), Longcheng (11); 5 is a station of the district, which nobody asks.
    let rollups = [
        rollup(4, "2025-01-01", 2),
        rollup(10, "2025-01-01", 1),
        rollup(11, "2025-01-01", 1),
        rollup(4, "2025-02-01", 1),
        rollup(11, "2025-02-01", 3),
        rollup(4, "2025-03-01", 1),
        rollup(5, "2025-02-01", 9),
    ];
    let progress = progress(&ground, &target, &rollups, &[]);
    let shown: Vec<_> = progress
        .periods
        .iter()
        .take(3)
        .map(|one| (one.label.as_str(), one.value, one.over, one.failing.clone()))
        .collect();
    let expected = [
        ("2025-01", 3, true, vec![]),
        ("2025-02", 2, true, vec![(org(10), 0)]),
        ("2025-03", 1, false, vec![(org(10), 0), (org(11), 0)]),
    ];
    assert_eq!(shown, expected);
    assert_eq!((progress.value, progress.required, progress.per_mille), (2, 3, 666));
    assert_eq!(progress.expected, 0);
    assert_eq!(progress.standing, Standing::Failed, "a gap in February cannot be made up in March");
}

/// How a target of the table is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// One sum of lines.
    Sum,
    /// Different people of the district.
    People,
    /// A sum within a range.
    Range,
    /// Three parts that add up.
    Parts,
    /// A list of units.
    List,
    /// Each sub-district by itself.
    Streets,
    /// Each station of the city in every month.
    StationMonths,
    /// Once in every quarter.
    Quarters,
    /// The year's last snapshot.
    LastRate,
    /// Every snapshot.
    EveryRate,
    /// The share of a list.
    ListRate,
}

const TABLE: &[(&str, How, CountedFrom)] = {
    use CountedFrom::{Attendance, Cases, Report};
    use How::*;
    &[
        ("03a", Sum, Attendance),
        ("03b", Sum, Attendance),
        ("05a", Sum, Attendance),
        ("07a", Sum, Attendance),
        ("07b", Sum, Attendance),
        ("07c", Sum, Attendance),
        ("08a", Sum, Report),
        ("09a", Sum, Report),
        ("09b", Sum, Report),
        ("09c", Sum, Attendance),
        ("09d", Sum, Report),
        ("09e", People, Attendance),
        ("10a", LastRate, Report),
        ("10b", LastRate, Report),
        ("11a", Parts, Report),
        ("11b", Sum, Attendance),
        ("11c", Sum, Cases),
        ("12a", EveryRate, Report),
        ("12b", Range, Report),
        ("12c", Sum, Report),
        ("13a", Sum, Report),
        ("14a", Sum, Report),
        ("15a", EveryRate, Report),
        ("15b", Sum, Report),
        ("16a", Sum, Report),
        ("16b", StationMonths, Attendance),
        ("17a", Sum, Attendance),
        ("17b", Sum, Attendance),
        ("17c", Sum, Attendance),
        ("19a", People, Attendance),
        ("19b", People, Attendance),
        ("19c", People, Attendance),
        ("20a", Sum, Attendance),
        ("21a", Sum, Attendance),
        ("21b", Sum, Attendance),
        ("23a", Sum, Report),
        ("24a", Streets, Report),
        ("25a", LastRate, Report),
        ("25b", Streets, Report),
        ("27a", Quarters, Attendance),
        ("28a", List, Report),
        ("28b", ListRate, Report),
        ("29a", List, Report),
        ("29b", List, Report),
        ("29c", Sum, Report),
        ("29d", Sum, Report),
    ]
};

/// The targets of the seeds, by the seeds' own words.
fn seeded() -> Vec<Target> {
    let rows = |text: &'static str| -> Vec<csv::StringRecord> {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap()).collect()
    };
    let semantics = rows(include_str!("../../../seeds/targets-2025-semantics.csv"));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    rows(include_str!("../../../seeds/targets-2025.csv"))
        .into_iter()
        .map(|row| {
            let more = semantics.iter().find(|more| more[0] == row[0]);
            let also = |place: usize| more.map_or("", |more| &more[place]).to_owned();
            let list = |text: String| format!("[{}]", text.replace(';', ","));
            Target {
                code: row[0].to_owned(),
                measure: row[3].parse().unwrap(),
                comparator: row[4].parse().unwrap(),
                value: row[5].parse().unwrap(),
                upper: row[6].parse().ok(),
                each: row[8].parse::<Each>().ok(),
                period: row[9].parse().unwrap(),
                counted_from: row[10].parse().unwrap(),
                pair: some(&also(1)),
                parts: list(also(2)),
                min_level: some(&also(3)),
                rotates: also(4) == "true",
                coverage: also(6).parse::<ParticipantGroup>().ok(),
                curve: some(&also(7)).map(list),
                ..target(Measure::SessionsHeld, 1, None, Period::Year)
            }
        })
        .collect()
}

/// What reaches a target, less `less`.
fn reaching(target: &Target, how: How, less: i64) -> (Vec<Rollup>, Vec<Reported>) {
    let report = said(6, "2025-11-01");
    let reported = if target.counted_from == CountedFrom::Report { vec![report.clone()] } else { Vec::new() };
    let needed = target.value - less;
    let rate = |month: &str, n| Reported { ratio: Some((n, 100)), ..said(6, month) };
    match how {
        How::Sum | How::Range => (vec![rollup(2, "2025-11-01", needed)], reported),
        How::People => (
            // Both streets have seen somebody whom the other has seen too.
            vec![
                rollup(1, "2025-11-01", needed),
                rollup(2, "2025-11-01", target.value),
                rollup(3, "2025-11-01", target.value),
            ],
            reported,
        ),
        How::Parts => {
            let parts: Vec<i64> = (0..)
                .zip(target.parts())
                .map(|(place, part)| part - if place == 1 { less } else { 0 })
                .collect();
            (vec![rollup(2, "2025-11-01", needed)], vec![Reported { parts, ..report }])
        }
        // The tree of these tests has two units of each list: eleven and seven are counted as lines are.
        How::List => (vec![rollup(2, "2025-11-01", needed)], reported),
        How::Streets => {
            (vec![rollup(2, "2025-11-01", target.value), rollup(3, "2025-11-01", needed)], reported)
        }
        How::StationMonths => {
            let months = (1..=12).filter(|month| less == 0 || *month != 3);
            (months.map(|month| rollup(4, &format!("2025-{month:02}-01"), 1)).collect(), reported)
        }
        How::Quarters => {
            let months = [2, 5, 8, 11].into_iter().filter(|month| less == 0 || *month != 5);
            (months.map(|month| rollup(2, &format!("2025-{month:02}-01"), 1)).collect(), reported)
        }
        How::LastRate => (Vec::new(), vec![rate("2025-02-01", 1), rate("2025-12-01", needed)]),
        How::EveryRate => (Vec::new(), vec![rate("2025-02-01", needed), rate("2025-12-01", 100)]),
        How::ListRate => {
            let covered = if less == 0 { vec![org(7)] } else { Vec::new() };
            (Vec::new(), vec![Reported { covered, ..report }])
        }
    }
}

#[test]
fn all_46_targets_are_met_by_exactly_what_they_ask_for() {
    let targets = seeded();
    assert_eq!(targets.len(), 46);
    assert_eq!(TABLE.len(), 46);
    for (target, (code, how, source)) in targets.iter().zip(TABLE) {
        assert_eq!((target.code.as_str(), target.counted_from), (*code, *source));
        let over = |less| {
            let (rollups, reported) = reaching(target, *how, less);
            measured("2026-01-01", target, &rollups, &reported)
        };
        let met = over(0);
        assert_eq!(met.standing, Standing::Met, "{code}: {met:?}");
        assert!(met.per_mille >= 1000, "{code}");
        let short = over(1).standing;
        assert_eq!(short, Standing::Failed, "{code}");
        let nothing = measured("2025-01-01", target, &[], &[]).standing;
        let expected =
            if *source == CountedFrom::Attendance { Standing::OnPace } else { Standing::NotReported };
        assert_eq!(nothing, expected, "{code} on the first day");
        assert_eq!(target.comparator == Comparator::Between, *how == How::Range, "{code}");
        assert_eq!(target.coverage.is_some(), matches!(how, How::List | How::ListRate), "{code}");
    }
    let more = [rollup(2, "2025-11-01", 6)];
    let range = targets.iter().find(|target| target.code == "12b").unwrap();
    assert_eq!(
        measured("2026-01-01", range, &more, &[said(6, "2025-11-01")]).standing,
        Standing::BeyondRange
    );
}
