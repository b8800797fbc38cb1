use super::*;
use crate::ids::{PlanId, PlanItemId, TargetId};
use crate::ledger::model::Grade;
use crate::org::model::OrganisationKind;
use crate::plan::model::{Comparator, CountedFrom, Each, ParticipantGroup};
use proptest::prelude::*;
use uuid::Uuid;

/// The policies of the seeds.
pub(in crate::plan) const HOUSE: Thresholds =
    Thresholds { ahead: 110, on: 100, risk: 80, short: 28, long: 90, min_days: 28, min_count: 3, small: 3 };

pub(in crate::plan) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(in crate::plan) fn org(n: u128) -> OrganisationId {
    OrganisationId(Uuid::from_u128(n))
}

pub(in crate::plan) fn organisation(
    n: u128,
    kind: OrganisationKind,
    level: Option<&str>,
) -> (OrganisationId, Organisation) {
    let row = Organisation {
        id: org(n),
        code: format!("o{n}"),
        name: String::new(),
        short_name: String::new(),
        kind,
        parent_id: None,
        path: String::new(),
        street_id: None,
        division_code: None,
        level: level.map(ToOwned::to_owned),
        opened_on: day("2025-01-01"),
        closed_on: None,
        version: 1,
    };
    (org(n), row)
}

pub(in crate::plan) fn plan() -> Plan {
    Plan {
        id: PlanId(Uuid::nil()),
        year: 2025,
        title: String::new(),
        preamble: String::new(),
        starts_on: day("2025-01-01"),
        ends_on: day("2025-12-31"),
        counts_from: day("2025-01-01"),
        counts_until: day("2025-12-31"),
    }
}

pub(in crate::plan) fn target(measure: Measure, value: i64, each: Option<Each>, period: Period) -> Target {
    Target {
        id: TargetId(Uuid::nil()),
        plan_id: PlanId(Uuid::nil()),
        item_id: PlanItemId(Uuid::nil()),
        code: "07a".into(),
        clause: String::new(),
        measure,
        comparator: Comparator::AtLeast,
        value,
        upper: None,
        unit: String::new(),
        each,
        period,
        counted_from: CountedFrom::Attendance,
        pair: None,
        parts: "[]".into(),
        min_level: Some("city".into()).filter(|_| each == Some(Each::Station)),
        rotates: false,
        coverage: None,
        curve: None,
        min_good_percent: None,
    }
}

pub(in crate::plan) fn rollup(organisation: u128, month: &str, quantity: i64) -> Rollup {
    Rollup {
        target_id: TargetId(Uuid::nil()),
        organisation_id: org(organisation),
        month: day(month),
        grade: Grade::B,
        quantity,
        lines: quantity,
    }
}

/// A district (1) with two sub-districts (2, 3), a station of the city (4) and one of the district (5), a department (6), and two direct
/// unions (7, 8).
pub(in crate::plan) fn tree() -> HashMap<OrganisationId, Organisation> {
    let mut tree = HashMap::from([
        organisation(1, OrganisationKind::District, None),
        organisation(2, OrganisationKind::SubDistrict, None),
        organisation(3, OrganisationKind::SubDistrict, None),
        organisation(4, OrganisationKind::Station, Some("city")),
        organisation(5, OrganisationKind::Station, Some("district")),
        organisation(6, OrganisationKind::Department, None),
        organisation(7, OrganisationKind::DirectUnion, Some("grassroots")),
        organisation(8, OrganisationKind::DirectUnion, Some("grassroots")),
    ]);
    let gone = organisation(9, OrganisationKind::SubDistrict, None);
    tree.insert(gone.0, Organisation { closed_on: Some(day("2024-12-31")), ..gone.1 });
    tree
}

pub(in crate::plan) fn said(organisation: u128, month: &str) -> Reported {
    let (ratio, parts, covered) = (None, Vec::new(), Vec::new());
    Reported { organisation: org(organisation), month: day(month), ratio, parts, covered }
}

pub(in crate::plan) fn measured(
    today: &str,
    target: &Target,
    rollups: &[Rollup],
    reported: &[Reported],
) -> Progress {
    let (plan, organisations) = (plan(), tree());
    let ground = Measured {
        plan: &plan,
        organisations: &organisations,
        root: org(1),
        today: day(today),
        thresholds: HOUSE,
    };
    progress(&ground, target, rollups, reported)
}

fn at(today: &str, target: &Target, rollups: &[Rollup]) -> Progress {
    measured(today, target, rollups, &[])
}

#[test]
fn a_sum_is_ahead_on_pace_behind_at_risk_met_or_failed() {
    let target = target(Measure::SessionsHeld, 200, None, Period::Year);
    let half = [rollup(2, "2025-03-01", 60), rollup(3, "2025-04-01", 40)];
    let progress = at("2025-07-02", &target, &half);
    assert_eq!((progress.value, progress.required, progress.expected), (100, 200, 99));
    assert_eq!(progress.standing, Standing::OnPace);
    assert_eq!(progress.by_organisation, [(org(2), 60), (org(3), 40)]);
    // 273 days are gone on 1 October: 149 are due, and 80 hundredths of that are 119.2.
    assert_eq!(at("2025-10-01", &target, &half).standing, Standing::AtRisk);
    assert_eq!(at("2025-10-01", &target, &[rollup(2, "2025-03-01", 119)]).standing, Standing::AtRisk);
    let enough = [rollup(2, "2025-03-01", 10), rollup(2, "2025-09-01", 110)];
    assert_eq!(at("2025-10-01", &target, &enough).standing, Standing::Behind);
    // 110 hundredths of 99 are 108.9.
    let more = |n| [rollup(2, "2025-03-01", n)];
    assert_eq!(at("2025-07-02", &target, &more(108)).standing, Standing::OnPace);
    assert_eq!(at("2025-07-02", &target, &more(109)).standing, Standing::Ahead);
    assert_eq!(at("2026-01-01", &target, &half).standing, Standing::Failed);
    assert_eq!(at("2025-02-01", &target, &[rollup(2, "2025-01-01", 200)]).standing, Standing::Met);
}

#[test]
fn people_are_the_districts_figure_and_the_overlap_is_shown() {
    let target = target(Measure::DistinctPersons, 10, None, Period::Year);
    let progress = at(
        "2025-06-01",
        &target,
        &[rollup(1, "2025-03-01", 5), rollup(2, "2025-03-01", 4), rollup(3, "2025-03-01", 3)],
    );
    assert_eq!(progress.value, 5);
    assert_eq!(progress.by_organisation, [(org(2), 4), (org(3), 3)]);
    assert_eq!(progress.overlap, 2);
}

#[test]
fn a_month_that_a_station_missed_cannot_be_made_up() {
    let target = target(Measure::SessionsHeld, 1, Some(Each::Station), Period::Month);
    let progress = at("2025-03-15", &target, &[rollup(4, "2025-01-01", 1), rollup(4, "2025-03-01", 5)]);
    assert_eq!(progress.required, 1, "only stations of city level and above");
    assert_eq!(progress.periods.len(), 12);
    assert!(progress.periods[0].met && progress.periods[0].over);
    assert!(!progress.periods[1].met && progress.periods[1].over);
    assert_eq!(progress.periods[1].failing, [(org(4), 0)]);
    assert!(progress.periods[2].met && !progress.periods[2].over);
    assert_eq!((progress.value, progress.standing), (0, Standing::Failed));
    let kept = at("2025-02-15", &target, &[rollup(4, "2025-01-01", 1)]);
    assert_eq!(kept.value, 1);
}

#[test]
fn a_quarter_counts_by_itself() {
    let target = target(Measure::SessionsHeld, 1, None, Period::Quarter);
    let progress = at("2025-05-01", &target, &[rollup(1, "2025-02-01", 3)]);
    assert_eq!((progress.value, progress.required), (1, 4));
    assert_eq!(progress.periods[0].label, "2025-Q1");
    assert_eq!(progress.standing, Standing::OnPace);
    assert_eq!(at("2025-07-01", &target, &[rollup(1, "2025-02-01", 3)]).standing, Standing::Failed);
}

#[test]
fn every_sub_district_must_reach_the_value_by_itself() {
    let target = target(Measure::ReportedCount, 2, Some(Each::SubDistrict), Period::Year);
    let progress = at("2025-06-01", &target, &[rollup(2, "2025-02-01", 9), rollup(3, "2025-02-01", 1)]);
    assert_eq!((progress.value, progress.required), (1, 2));
    assert_eq!(progress.periods[0].failing, [(org(3), 1)]);
}

#[test]
fn a_range_shows_what_is_beyond_it_and_a_pair_stands_with_its_weaker_half() {
    let mut target = target(Measure::ReportedCount, 3, None, Period::Year);
    target.comparator = Comparator::Between;
    target.upper = Some(5);
    target.counted_from = CountedFrom::Report;
    assert_eq!(at("2025-06-01", &target, &[]).standing, Standing::NotReported);
    assert_eq!(at("2025-06-01", &target, &[rollup(1, "2025-02-01", 5)]).standing, Standing::Met);
    assert_eq!(at("2025-06-01", &target, &[rollup(1, "2025-02-01", 6)]).standing, Standing::BeyondRange);
    assert_eq!(weaker(Standing::Met, Standing::Behind), Standing::Behind);
}

#[test]
fn a_sum_that_cannot_be_reached_at_this_rate_is_at_risk() {
    // 149 are due on 1 October; 130 are 87 hundredths of that, but nothing was counted since June.
    let target = target(Measure::SessionsHeld, 200, None, Period::Year);
    let early = [rollup(2, "2025-03-01", 125), rollup(2, "2025-07-01", 5)];
    let progress = at("2025-10-01", &target, &early);
    assert_eq!(progress.forecast.basis, ForecastBasis::RunRate);
    assert_eq!((progress.forecast.low, progress.forecast.high), (Some(130), Some(134)));
    assert_eq!(progress.standing, Standing::AtRisk);
}

#[test]
fn nothing_is_forecast_from_too_little() {
    let target = target(Measure::SessionsHeld, 200, None, Period::Year);
    let none = |today, rollups: &[Rollup]| at(today, &target, rollups).forecast.basis;
    assert_eq!(none("2025-01-20", &[rollup(2, "2025-01-01", 50)]), ForecastBasis::NotEnoughData);
    assert_eq!(none("2025-06-20", &[rollup(2, "2025-06-01", 2)]), ForecastBasis::NotEnoughData);
    assert_eq!(none("2025-06-20", &[rollup(2, "2025-06-01", 3)]), ForecastBasis::RunRate);
    assert_eq!(none("2025-12-31", &[rollup(2, "2025-06-01", 3)]), ForecastBasis::Over);
    let always = Target { measure: Measure::Rate, period: Period::Always, ..target };
    assert_eq!(at("2025-06-20", &always, &[]).forecast.basis, ForecastBasis::NotApplicable);
}

#[test]
fn a_season_has_its_own_calendar() {
    let season = Target {
        curve: Some("[0,0,0,0,0,25,25,25,25,0,0,0]".into()),
        ..target(Measure::SessionsHeld, 100, None, Period::Year)
    };
    for (today, expected) in [
        ("2025-05-31", 0),
        ("2025-06-01", 0),
        ("2025-06-16", 12),
        ("2025-07-01", 25),
        ("2025-10-01", 100),
        ("2025-11-11", 100),
    ] {
        assert_eq!(at(today, &season, &[]).expected, expected, "{today}");
    }
    assert_eq!(at("2025-05-31", &season, &[]).standing, Standing::OnPace);
    assert_eq!(at("2025-05-31", &season, &[rollup(2, "2025-05-01", 4)]).standing, Standing::Ahead);
    // Before the season there is no rate to go by; in it the rate is that of the season, not of the year.
    let early = [rollup(2, "2025-05-01", 10)];
    assert_eq!(at("2025-05-31", &season, &early).forecast.basis, ForecastBasis::NotEnoughData);
    let june = [rollup(2, "2025-06-01", 26)];
    let forecast = at("2025-06-30", &season, &june).forecast;
    // 26 in June; 28 of its 30 days weigh 23 1/3, three months are left: 24 4/15 by 23 1/3 by 75 is 78.
    assert_eq!((forecast.low, forecast.high), (Some(26 + 78), Some(26 + 78)));
}

#[test]
fn every_standing_has_a_place_below_better_ones() {
    let from_worst = [
        Standing::Failed,
        Standing::NotReported,
        Standing::AtRisk,
        Standing::Behind,
        Standing::OnPace,
        Standing::Ahead,
        Standing::BeyondRange,
        Standing::Met,
    ];
    assert_eq!(from_worst.len(), Standing::ALL.len());
    for (place, worse) in from_worst.iter().enumerate() {
        for better in &from_worst[place..] {
            assert_eq!((weaker(*worse, *better), weaker(*better, *worse)), (*worse, *worse));
        }
    }
}

#[test]
fn three_parts_are_three_figures() {
    let mut target = target(Measure::ReportedCount, 81, None, Period::Year);
    (target.counted_from, target.parts) = (CountedFrom::Report, "[1,50,30]".into());
    let parts = |own: [i64; 3]| Reported { parts: own.to_vec(), ..said(2, "2025-03-01") };
    let of = |reported: &[Reported]| {
        let sum = reported.iter().flat_map(|one| &one.parts).sum();
        measured("2025-06-01", &target, &[rollup(2, "2025-03-01", sum)], reported)
    };
    let progress = of(&[parts([1, 20, 30]), parts([0, 30, 0])]);
    assert_eq!(
        progress.parts.iter().map(|part| (part.value, part.required)).collect::<Vec<_>>(),
        [(1, 1), (50, 50), (30, 30)]
    );
    assert_eq!(progress.standing, Standing::Met);
    // As many in sum, of which one part is missing.
    let lopsided = of(&[parts([0, 51, 30])]);
    assert_eq!((lopsided.value, lopsided.standing), (81, Standing::Behind));
}

#[test]
fn a_list_is_covered_unit_by_unit() {
    let mut target = target(Measure::ReportedCount, 2, None, Period::Year);
    (target.counted_from, target.coverage) = (CountedFrom::Report, Some(ParticipantGroup::AllSubDistricts));
    let covers =
        |month, own: &[u128]| Reported { covered: own.iter().map(|n| org(*n)).collect(), ..said(6, month) };
    let progress =
        measured("2025-06-01", &target, &[rollup(3, "2025-03-01", 1)], &[covers("2025-03-01", &[3])]);
    let coverage = progress.coverage.unwrap();
    // The sub-district that is closed is nobody's to cover.
    assert_eq!((coverage.covered, coverage.missing), (vec![org(3)], vec![org(2)]));
    assert_eq!((progress.value, progress.standing), (1, Standing::Ahead));

    let half = Target {
        measure: Measure::Rate,
        value: 50,
        coverage: Some(ParticipantGroup::DirectGrassrootsUnions),
        ..target
    };
    let progress =
        measured("2025-06-01", &half, &[], &[covers("2025-03-01", &[7]), covers("2025-05-01", &[7])]);
    let snapshots: Vec<_> =
        progress.snapshots.iter().map(|one| (one.numerator, one.denominator, one.holds)).collect();
    assert_eq!(snapshots, [(1, 2, true), (1, 2, true)], "a union that is checked twice is one");
    assert_eq!((progress.value, progress.per_mille, progress.standing), (50, 1000, Standing::Met));
    assert_eq!(progress.coverage.unwrap().missing, [org(8)]);
    assert_eq!(measured("2025-06-01", &half, &[], &[]).standing, Standing::NotReported);
}

#[test]
fn a_rate_at_the_end_of_the_year_is_known_at_the_end_of_the_year() {
    let mut target = target(Measure::Rate, 70, None, Period::YearEnd);
    target.counted_from = CountedFrom::Report;
    let of = |month, n, d| Reported { ratio: Some((n, d)), ..said(2, month) };
    let (low, high) = (of("2025-03-01", 60, 100), of("2025-05-01", 70, 100));
    let at = |today, reported: &[Reported]| measured(today, &target, &[], reported).standing;
    assert_eq!(at("2025-06-01", &[]), Standing::NotReported);
    assert_eq!(at("2025-06-01", std::slice::from_ref(&low)), Standing::Behind);
    assert_eq!(at("2025-06-01", &[of("2025-03-01", 55, 100)]), Standing::AtRisk);
    assert_eq!(at("2025-06-01", &[high.clone(), low.clone()]), Standing::OnPace, "in the order of months");
    assert_eq!(at("2026-01-01", &[high.clone(), low.clone()]), Standing::Met);
    assert_eq!(at("2026-01-01", &[low, of("2025-06-01", 699, 1000)]), Standing::Failed);
    // Two units are added up; what a department says of the whole stands by itself.
    let two = [high.clone(), Reported { organisation: org(3), ..of("2025-05-01", 40, 100) }];
    let progress = measured("2025-06-01", &target, &[], &two);
    assert_eq!((progress.value, progress.snapshots[0].units), (55, 2));
    let whole = [high, Reported { organisation: org(6), ..of("2025-05-01", 1, 3) }];
    let progress = measured("2025-06-01", &target, &[], &whole);
    assert_eq!(
        (progress.value, progress.snapshots[0].units, progress.snapshots[0].per_mille()),
        (33, 1, 333)
    );
}

#[test]
fn evidence_may_be_demanded() {
    let mut target = target(Measure::PersonTimes, 100, None, Period::Year);
    let lines = [
        Rollup { grade: Grade::A, ..rollup(2, "2025-03-01", 30) },
        Rollup { grade: Grade::C, ..rollup(2, "2025-03-01", 30) },
        Rollup { grade: Grade::D, ..rollup(3, "2025-03-01", 30) },
        rollup(3, "2025-03-01", 30),
    ];
    let progress = at("2025-06-01", &target, &lines);
    let mix = progress.evidence;
    assert_eq!((mix.a, mix.b, mix.c, mix.d, mix.good_per_mille()), (30, 30, 30, 30, Some(500)));
    assert_eq!(progress.standing, Standing::Met, "2025 demands none");
    target.min_good_percent = Some(50);
    assert_eq!(at("2025-06-01", &target, &lines).standing, Standing::Met);
    target.min_good_percent = Some(51);
    let short = at("2025-06-01", &target, &lines);
    assert!(short.evidence.is_short());
    assert_eq!((short.value, short.standing), (120, Standing::Behind));
    assert_eq!(at("2026-01-01", &target, &lines).standing, Standing::Failed);
}

#[test]
fn whoever_hosts_out_of_turn_is_named() {
    let mut target = target(Measure::SessionsHeld, 1, None, Period::Quarter);
    target.rotates = true;
    let of = |hosts: &[(u128, &str)]| {
        let rollups: Vec<Rollup> = hosts.iter().map(|(host, month)| rollup(*host, month, 1)).collect();
        let faults = at("2025-12-31", &target, &rollups).rotation;
        faults.into_iter().map(|one| (one.label, one.host, one.kind)).collect::<Vec<_>>()
    };
    assert_eq!(of(&[(2, "2025-02-01"), (3, "2025-05-01"), (2, "2025-08-01"), (3, "2025-11-01")]), []);
    let twice = |label: &str, host| (label.to_owned(), org(host), RotationKind::TwiceRunning);
    assert_eq!(of(&[(2, "2025-02-01"), (2, "2025-05-01")]), [twice("2025-Q2", 2)]);
    // Between two quarters of one host nobody else hosted: that is twice running too.
    assert_eq!(of(&[(2, "2025-02-01"), (2, "2025-11-01")]), [twice("2025-Q4", 2)]);
    // The district itself hosts in nobody's turn, and ends no round.
    let again = ("2025-Q3".to_owned(), org(2), RotationKind::BeforeOthers);
    assert_eq!(of(&[(2, "2025-02-01"), (1, "2025-05-01"), (2, "2025-08-01")]), [again]);
}

#[test]
fn months_add_up_to_the_year() {
    let target = target(Measure::SessionsHeld, 200, None, Period::Year);
    let progress = at(
        "2025-07-02",
        &target,
        &[rollup(3, "2025-04-01", 5), rollup(2, "2025-03-01", 3), rollup(2, "2025-04-01", 1)],
    );
    let months: Vec<_> =
        progress.months.iter().map(|one| (one.month.to_string(), one.value, one.total)).collect();
    assert_eq!(months, [("2025-03-01".into(), 3, 3), ("2025-04-01".into(), 6, 9)]);
    assert_eq!(progress.per_mille, 45);
}

proptest! {
    #[test]
    fn no_figure_panics(
        value in 1..=i64::MAX / 4,
        quantity in 0..=i64::MAX / 8,
        month in 1_u32..=12,
        days in 0_i64..=800,
        numerator in 0..=i64::MAX / 4,
        denominator in 0..=i64::MAX / 4,
        kind in 0_usize..5,
    ) {
        let measures = [Measure::PersonTimes, Measure::DistinctPersons, Measure::Rate, Measure::ReportedCount, Measure::CasesAccepted];
        let first = NaiveDate::from_ymd_opt(2025, month, 1).unwrap();
        let today = (day("2024-12-01") + chrono::TimeDelta::days(days)).to_string();
        for period in Period::ALL {
            let target = target(measures[kind], value, None, *period);
            let lines = [rollup(1, &first.to_string(), quantity), rollup(2, &first.to_string(), quantity)];
            let reported = [Reported { ratio: Some((numerator, denominator)), ..said(2, &first.to_string()) }];
            let progress = measured(&today, &target, &lines, &reported);
            prop_assert!(progress.per_mille >= 0);
            prop_assert!(progress.forecast.low <= progress.forecast.high);
        }
    }
}
