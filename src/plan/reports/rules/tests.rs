use super::*;
use crate::ids::{PersonId, PlanId, PlanItemId, PlanReportId};
use crate::plan::model::Period;
use crate::plan::rules::tests::{day, org, plan, tree};
use proptest::prelude::*;
use uuid::Uuid;

fn item() -> PlanItem {
    PlanItem {
        id: PlanItemId(Uuid::nil()),
        plan_id: PlanId(Uuid::nil()),
        number: 9,
        section: String::new(),
        title: String::new(),
        body: String::new(),
        // Department 6 of the tree.
        leads: r#"["o6"]"#.into(),
        participants: r#"["all_sub_districts"]"#.into(),
    }
}

fn target(measure: Measure) -> Target {
    let base = crate::plan::rules::tests::target(measure, 81, None, Period::Year);
    Target { code: "09a".into(), counted_from: CountedFrom::Report, ..base }
}

fn faults_of(
    target: &Target,
    unit: u128,
    month: &str,
    claim: &Claim,
    is_reported: bool,
) -> Vec<(String, &'static str)> {
    let (plan, item, organisations) = (plan(), item(), tree());
    let ground = Ground {
        plan: &plan,
        item: &item,
        target,
        organisations: &organisations,
        today: day("2025-06-16"),
        is_reported,
        registry: None,
    };
    match check(&ground, org(unit), month, claim) {
        Ok(()) => Vec::new(),
        Err(error) => error.inner().faults.iter().map(|fault| (fault.pointer.clone(), fault.code)).collect(),
    }
}

fn faults(target: &Target, unit: u128, month: &str, claim: Claim) -> Vec<(String, &'static str)> {
    faults_of(target, unit, month, &Claim { evidence: 1, ..claim }, false)
}

fn at(pointer: &str, code: &'static str) -> (String, &'static str) {
    (pointer.to_owned(), code)
}

fn value(value: i64) -> Claim {
    Claim { value: Some(value), ..Claim::default() }
}

fn ratio(numerator: i64, denominator: i64) -> Claim {
    Claim { numerator: Some(numerator), denominator: Some(denominator), ..Claim::default() }
}

#[test]
fn a_month_is_four_digits_and_two() {
    assert_eq!(month("2025-06"), Some(day("2025-06-01")));
    for text in [
        "2025-6",
        "25-06",
        "2025-13",
        "2025-00",
        "2025-06-01",
        "",
        "2025",
        "+025-06",
        "2025-0x",
        "２０２５-06",
    ] {
        assert_eq!(month(text), None, "{text}");
    }
    assert_eq!(last_day(day("2024-02-01")), day("2024-02-29"));
}

#[test]
fn what_is_earned_is_not_typed_in() {
    for (from, expected) in
        [(CountedFrom::Report, true), (CountedFrom::Attendance, false), (CountedFrom::Cases, false)]
    {
        let target = Target { counted_from: from, ..target(Measure::ReportedCount) };
        let may = may_be_reported(&target);
        assert_eq!(may.is_ok(), expected);
        if let Err(error) = may {
            assert_eq!(error.code(), Code::FigureEarned);
        }
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let count = target(Measure::ReportedCount);
    let wrong = Claim { parts: vec![1], numerator: Some(1), ..value(-1) };
    let all = faults_of(&count, 99, "2026-01", &wrong, false);
    let expected = [
        at("/unit_id", "unknown"),
        at("/month", "outside_plan"),
        at("/evidence", "required"),
        at("/numerator", "unknown"),
        at("/parts", "unknown"),
        at("/value", "negative"),
    ];
    assert_eq!(all, expected);
    assert_eq!(faults(&count, 2, "2025-06", value(0)), [], "nothing is a figure too");
    assert_eq!(faults(&count, 2, "2025-06", Claim::default()), [at("/value", "required")]);
}

#[test]
fn months_lie_in_the_plan_and_have_begun() {
    let count = target(Measure::ReportedCount);
    for (month, expected) in [
        ("2025-01", None),
        ("2025-06", None),
        ("2025-07", Some("in_future")),
        ("2024-12", Some("outside_plan")),
        ("2026-01", Some("outside_plan")),
        ("June", Some("format")),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|code| at("/month", code)).collect();
        assert_eq!(faults(&count, 2, month, value(1)), expected, "{month}");
    }
}

#[test]
fn who_leads_and_who_takes_part_has_a_figure() {
    let count = target(Measure::ReportedCount);
    // The district, a sub-district, the lead department.
    for unit in [1, 2, 6] {
        assert_eq!(faults(&count, unit, "2025-06", value(1)), [], "{unit}");
    }
    // A station, a direct union, a sub-district that is closed.
    for (unit, code) in [(4, "not_taking_part"), (7, "not_taking_part"), (9, "unknown")] {
        assert_eq!(faults(&count, unit, "2025-06", value(1)), [at("/unit_id", code)], "{unit}");
    }
    let each = Target { each: Some(Each::SubDistrict), ..count };
    assert_eq!(faults(&each, 3, "2025-06", value(1)), []);
    assert_eq!(faults(&each, 6, "2025-06", value(1)), [at("/unit_id", "no_sub_district")]);
}

#[test]
fn a_rate_has_a_numerator_within_its_denominator() {
    let rate = target(Measure::Rate);
    assert_eq!(faults(&rate, 6, "2025-06", ratio(85, 100)), []);
    assert_eq!(faults(&rate, 6, "2025-06", ratio(100, 100)), []);
    assert_eq!(faults(&rate, 6, "2025-06", ratio(101, 100)), [at("/numerator", "above_denominator")]);
    assert_eq!(faults(&rate, 6, "2025-06", ratio(0, 0)), [at("/denominator", "zero")]);
    let both = [at("/numerator", "negative"), at("/denominator", "negative")];
    assert_eq!(faults(&rate, 6, "2025-06", ratio(-1, -2)), both);
    let none = [at("/value", "unknown"), at("/numerator", "required"), at("/denominator", "required")];
    assert_eq!(faults(&rate, 6, "2025-06", value(85)), none);
}

#[test]
fn three_parts_have_three_figures() {
    let parts = Target { parts: "[1,50,30]".into(), ..target(Measure::ReportedCount) };
    let of = |own: &[i64]| Claim { parts: own.to_vec(), ..Claim::default() };
    assert_eq!(faults(&parts, 6, "2025-06", of(&[0, 12, 3])), []);
    assert_eq!(faults(&parts, 6, "2025-06", of(&[1, 2])), [at("/parts", "required")]);
    assert_eq!(faults(&parts, 6, "2025-06", of(&[1, -2, 3])), [at("/parts/1", "negative")]);
    assert_eq!(faults(&parts, 6, "2025-06", value(81)), [at("/value", "unknown"), at("/parts", "required")]);
}

#[test]
fn a_list_takes_its_own_units_once() {
    let list = Target { coverage: Some(ParticipantGroup::AllSubDistricts), ..target(Measure::ReportedCount) };
    let of = |own: &[u128]| Claim { covered: own.iter().map(|n| org(*n)).collect(), ..Claim::default() };
    assert_eq!(faults(&list, 6, "2025-06", of(&[2, 3])), []);
    assert_eq!(faults(&list, 6, "2025-06", of(&[])), [at("/covered", "required")]);
    let wrong = [at("/covered/1", "duplicate"), at("/covered/2", "foreign"), at("/covered/3", "unknown")];
    assert_eq!(faults(&list, 6, "2025-06", of(&[2, 2, 7, 99])), wrong);
}

#[test]
fn what_is_taken_back_was_there() {
    let count = target(Measure::ReportedCount);
    let back = Claim { withdraws: true, evidence: 1, ..Claim::default() };
    assert_eq!(faults_of(&count, 2, "2025-06", &back, false), [at("/withdraws", "nothing_there")]);
    assert_eq!(faults_of(&count, 2, "2025-06", &back, true), []);
    let both = Claim { value: Some(1), ..back };
    assert_eq!(faults_of(&count, 2, "2025-06", &both, true), [at("/value", "unknown")]);
}

fn report(id: u128, unit: u128, month: &str, number: i64, value: Option<i64>) -> PlanReport {
    PlanReport {
        id: PlanReportId(Uuid::from_u128(id)),
        target_id: target(Measure::ReportedCount).id,
        organisation_id: org(unit),
        month: day(month),
        number,
        withdraws: false,
        value,
        numerator: None,
        denominator: None,
        parts: "[]".into(),
        note: String::new(),
        state: ReportState::Approved,
        made_by: PersonId(Uuid::nil()),
        made_at: day(month).and_time(chrono::NaiveTime::MIN),
        decided_at: None,
    }
}

fn told(
    target: &Target,
    current: &[(PlanReport, Vec<OrganisationId>)],
) -> Vec<(String, OrganisationId, String, i64)> {
    let lines = lines(target, org(1), &tree(), current);
    lines
        .into_iter()
        .map(|one| (one.dedup_key, one.organisation, one.day.to_string(), one.quantity))
        .collect()
}

#[test]
fn a_figure_is_one_line_of_its_street_or_of_the_district() {
    let count = target(Measure::ReportedCount);
    let mut street = report(1, 2, "2025-02-01", 2, Some(12));
    let taken_back = PlanReport { withdraws: true, ..report(2, 2, "2025-03-01", 1, None) };
    let nothing = report(3, 3, "2025-03-01", 1, Some(0));
    let department = report(4, 6, "2025-05-01", 1, Some(5));
    let mut organisations = tree();
    // A sub-district is its own street.
    organisations.get_mut(&org(2)).unwrap().street_id = Some(org(2));
    let current: Vec<_> =
        [street.clone(), taken_back, nothing, department].into_iter().map(|row| (row, Vec::new())).collect();
    let made = lines(&count, org(1), &organisations, &current);
    let shown: Vec<_> = made
        .iter()
        .map(|one| (one.dedup_key.as_str(), one.organisation, one.day.to_string(), one.quantity, one.grade))
        .collect();
    let keys = [format!("report/09a/{}/2025-02", org(2)), format!("report/09a/{}/2025-05", org(6))];
    let expected = [
        (keys[0].as_str(), org(2), "2025-02-28".to_owned(), 12, Grade::B),
        (keys[1].as_str(), org(1), "2025-05-31".to_owned(), 5, Grade::B),
    ];
    assert_eq!(shown, expected);
    street.value = Some(7);
    assert_eq!(lines(&target(Measure::Rate), org(1), &organisations, &[(street, Vec::new())]), []);
}

#[test]
fn a_unit_of_a_list_is_counted_for_the_first_report_that_covers_it() {
    let list =
        Target { coverage: Some(ParticipantGroup::DirectGrassrootsUnions), ..target(Measure::ReportedCount) };
    let march = (report(1, 6, "2025-03-01", 1, None), vec![org(7), org(8)]);
    let may = (report(2, 6, "2025-05-01", 1, None), vec![org(8)]);
    let key = |unit| format!("report/09a/covered/{}", org(unit));
    let both = [(key(7), org(1), "2025-03-31".to_owned(), 1), (key(8), org(1), "2025-03-31".to_owned(), 1)];
    assert_eq!(told(&list, &[march.clone(), may.clone()]), both);
    assert_eq!(told(&list, &[may.clone(), march]), both, "in any order");
    assert_eq!(told(&list, &[may]), [(key(8), org(1), "2025-05-31".to_owned(), 1)]);
}

#[test]
fn what_has_a_result_has_it() {
    use ReportEvent::{Approve, Reject, Withdraw};
    for event in [Approve, Reject, Withdraw] {
        for state in ReportState::ALL {
            let expected =
                *state == ReportState::Proposed || (event == Approve && *state == ReportState::Rejected);
            assert_eq!(may(event, *state).is_ok(), expected, "{event:?} {state}");
        }
    }
}

proptest! {
    /// Versions are approved in any order, some of them never: the highest that was approved counts, and only it.
    #[test]
    fn the_order_of_approvals_makes_no_difference(order in Just((1..=8_i64).collect::<Vec<_>>()).prop_shuffle(), approved in 0_usize..=8) {
        let mut states: HashMap<i64, ReportState> = HashMap::new();
        for number in order.iter().take(approved) {
            let current = states.iter().find(|(_, state)| **state == ReportState::Approved).map(|(number, _)| *number);
            let state = succeeds(current, *number);
            if let Some(current) = current.filter(|_| state == ReportState::Approved) {
                states.insert(current, ReportState::Superseded);
            }
            states.insert(*number, state);
        }
        let counting: Vec<i64> =
            states.iter().filter(|(_, state)| **state == ReportState::Approved).map(|(number, _)| *number).collect();
        let highest = order.iter().take(approved).max();
        prop_assert_eq!(counting, highest.copied().into_iter().collect::<Vec<_>>());
    }
}
