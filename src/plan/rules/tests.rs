use super::*;
use crate::ids::{PlanId, PlanItemId, TargetId};
use crate::ledger::model::Grade;
use uuid::Uuid;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn org(n: u128) -> OrganisationId {
    OrganisationId(Uuid::from_u128(n))
}

fn organisation(n: u128, kind: OrganisationKind, level: Option<&str>) -> (OrganisationId, Organisation) {
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

fn plan() -> Plan {
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

fn target(measure: Measure, value: i64, each: Option<Each>, period: Period) -> Target {
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
    }
}

fn rollup(organisation: u128, month: &str, quantity: i64) -> Rollup {
    Rollup {
        target_id: TargetId(Uuid::nil()),
        organisation_id: org(organisation),
        month: day(month),
        grade: Grade::B,
        quantity,
        lines: quantity,
    }
}

fn at(today: &str, target: &Target, rollups: &[Rollup]) -> Progress {
    let organisations = HashMap::from([
        organisation(1, OrganisationKind::District, None),
        organisation(2, OrganisationKind::SubDistrict, None),
        organisation(3, OrganisationKind::SubDistrict, None),
        organisation(4, OrganisationKind::Station, Some("city")),
        organisation(5, OrganisationKind::Station, Some("district")),
    ]);
    let plan = plan();
    progress(
        &Measured { plan: &plan, organisations: &organisations, root: org(1), today: day(today) },
        target,
        rollups,
    )
}

#[test]
fn a_sum_is_on_pace_behind_met_or_missed() {
    let target = target(Measure::SessionsHeld, 200, None, Period::Year);
    let half = [rollup(2, "2025-03-01", 60), rollup(3, "2025-04-01", 40)];
    let progress = at("2025-07-02", &target, &half);
    assert_eq!((progress.value, progress.required, progress.expected), (100, 200, 99));
    assert_eq!(progress.standing, Standing::OnPace);
    assert_eq!(progress.by_organisation, [(org(2), 60), (org(3), 40)]);
    assert_eq!(at("2025-10-01", &target, &half).standing, Standing::Behind);
    assert_eq!(at("2026-01-01", &target, &half).standing, Standing::Missed);
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
    assert_eq!((progress.value, progress.standing), (0, Standing::Missed));
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
    assert_eq!(at("2025-07-01", &target, &[rollup(1, "2025-02-01", 3)]).standing, Standing::Missed);
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
