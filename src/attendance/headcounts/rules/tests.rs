use super::*;
use crate::ids::{HeadcountId, PersonId, SessionId};

/// The arrows that the room's diagram draws, read from its text: what happens, and what it leads to.
fn drawn() -> Vec<(String, String)> {
    let text = include_str!("../mod.rs");
    let diagram = text
        .lines()
        .skip_while(|line| !line.contains("```text"))
        .skip(1)
        .take_while(|line| !line.contains("```"));
    let mut arrows = Vec::new();
    for line in diagram {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("──▶ ") {
            let event = before.rsplit("──").next().unwrap_or_default().to_owned();
            let to = after.split(' ').next().unwrap_or_default().to_owned();
            arrows.push((event, to));
            rest = after;
        }
    }
    arrows.sort();
    arrows
}

#[test]
fn the_diagram_is_the_table() {
    let mut table: Vec<(String, String)> =
        TRANSITIONS.iter().map(|(event, _, to)| (event.to_string(), to.to_string())).collect();
    table.sort();
    assert_eq!(drawn(), table);
}

#[test]
fn everything_else_is_forbidden() {
    for event in HeadcountEvent::ALL {
        for state in HeadcountState::ALL {
            let known = TRANSITIONS.iter().find(|(e, from, _)| e == event && *from == Some(*state));
            match (transition(*event, *state), known) {
                (Ok(to), Some((_, _, expected))) => assert_eq!(to, *expected),
                (Err(error), None) => assert_eq!(error.code(), Code::StateForbids, "{event} {state}"),
                (told, _) => panic!("{event} {state}: {told:?}"),
            }
        }
    }
}

fn counted(method: HeadcountMethod, number: i64) -> Headcount {
    Headcount {
        id: HeadcountId(uuid::Uuid::from_u128(1)),
        session_id: SessionId(uuid::Uuid::from_u128(2)),
        number,
        standing: number,
        method,
        counter_before: (method == HeadcountMethod::GateCounter).then_some(100),
        counter_after: (method == HeadcountMethod::GateCounter).then_some(100 + number),
        parcels: (method == HeadcountMethod::Parcels).then_some(number),
        seats: (method == HeadcountMethod::Seats).then_some(number),
        share_percent: (method == HeadcountMethod::Seats).then_some(100),
        minutes: 60,
        gates: 2,
        state: HeadcountState::Proposed,
        refused_because: None,
        counted_by: PersonId(uuid::Uuid::from_u128(3)),
        made_at: chrono::NaiveDateTime::MIN,
        decided_at: None,
        version: 1,
    }
}

const BOUNDS: Bounds = Bounds { venue: 3000, per_gate_minute: 40 };

fn codes(row: &Headcount) -> Vec<&'static str> {
    implausible(row, BOUNDS).iter().map(|fault| fault.code).collect()
}

#[test]
fn a_number_agrees_with_what_it_rests_on() {
    for method in HeadcountMethod::ALL {
        assert_eq!(codes(&counted(*method, 3000)), [] as [&str; 0], "{method}");
        assert_eq!(codes(&counted(*method, 3001)), ["above_venue"], "{method}");
        assert!(basis(&counted(*method, 1)).is_ok());
    }
    let gate = counted(HeadcountMethod::GateCounter, 10);
    assert_eq!(codes(&Headcount { counter_after: Some(111), ..gate.clone() }), ["basis_differs"]);
    assert_eq!(codes(&Headcount { counter_after: Some(50), ..gate }), ["basis_differs"]);
    let parcels = counted(HeadcountMethod::Parcels, 10);
    assert_eq!(codes(&Headcount { parcels: Some(9), ..parcels.clone() }), ["above_parcels"]);
    assert_eq!(codes(&Headcount { parcels: Some(11), ..parcels }), [] as [&str; 0]);
    let seats =
        Headcount { seats: Some(333), share_percent: Some(50), ..counted(HeadcountMethod::Seats, 166) };
    assert_eq!(codes(&seats), [] as [&str; 0], "rounded either way");
    assert_eq!(codes(&Headcount { number: 167, ..seats.clone() }), [] as [&str; 0]);
    assert_eq!(codes(&Headcount { number: 168, ..seats.clone() }), ["basis_differs"]);
    assert_eq!(codes(&Headcount { number: 165, ..seats }), ["basis_differs"]);
}

#[test]
fn everything_that_cannot_be_is_said_at_once() {
    let row = Headcount { gates: 1, minutes: 1, parcels: Some(0), ..counted(HeadcountMethod::Parcels, 4000) };
    assert_eq!(codes(&row), ["above_venue", "above_rate", "above_parcels"]);
    assert_eq!(refusal(implausible(&row, BOUNDS)).code(), Code::HeadcountAboveVenue);
    let row = Headcount { gates: 1, minutes: 1, ..counted(HeadcountMethod::Parcels, 41) };
    let refused = refusal(implausible(&row, BOUNDS));
    assert_eq!(refused.code(), Code::HeadcountImplausible);
    assert!(is_refusal(&refused) && !is_refusal(&Error::not_found()));
    // The largest numbers there are overflow nothing.
    let most = i64::MAX;
    let row = Headcount { gates: most, minutes: most, seats: Some(most), share_percent: Some(most), ..row };
    assert_eq!(codes(&Headcount { method: HeadcountMethod::Seats, number: most, ..row }).len(), 2);
}

#[test]
fn each_method_asks_for_its_own_basis() {
    let row = Headcount { method: HeadcountMethod::Seats, ..counted(HeadcountMethod::GateCounter, 5) };
    let told = basis(&row).unwrap_err();
    let told: Vec<(&str, &str)> =
        told.inner().faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
    assert_eq!(
        told,
        [
            ("/counter_before", "unknown"),
            ("/counter_after", "unknown"),
            ("/seats", "required"),
            ("/share_percent", "required")
        ]
    );
}

#[test]
fn whoever_was_checked_in_is_counted_once() {
    assert_eq!(
        [quantity(100, 0), quantity(100, 40), quantity(100, 100), quantity(100, 101)],
        [100, 60, 0, 0]
    );
}

#[test]
fn pictures_that_look_alike_share_a_part() {
    let looks = 0x0123_4567_89ab_cdef_u64 as i64;
    assert_eq!(bands(looks), [0x0123, 0x4567, 0x89ab, 0xcdef]);
    assert_eq!(bands(-1), [0xffff; 4]);
    assert_eq!(near(0).count(), 17);
    // Whichever seven bits differ, one of the parts is found.
    let mut state = 7_u64;
    for _ in 0..2000 {
        let mut other = looks;
        for _ in 0..7 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            other ^= 1_i64 << (state >> 58);
        }
        let found =
            bands(looks).iter().zip(bands(other)).any(|(one, two)| near(*one).any(|near| near == two));
        assert!(found, "{looks:x} {other:x}");
    }
    assert_eq!([alike_bits(10), alike_bits(100), alike_bits(0), alike_bits(-5)], [6, 7, 0, 0]);
    let same = likeness((b"a", None), (b"a", None), 6);
    assert_eq!(same, Some((Likeness::Same, 0)));
    assert_eq!(likeness((b"a", Some(0)), (b"b", Some(63)), 6), Some((Likeness::Alike, 6)));
    assert_eq!(likeness((b"a", Some(0)), (b"b", Some(127)), 6), None);
    assert_eq!(likeness((b"a", None), (b"b", Some(0)), 6), None);
}

#[test]
fn a_sample_is_a_share_and_at_least_some() {
    let of = |entries| chosen(entries, 10, 3);
    assert_eq!([of(0), of(2), of(3), of(30), of(31), of(1000)], [0, 2, 3, 3, 4, 100]);
    assert_eq!(quarter_from(2025, 2).map(quarter_name).as_deref(), Some("2025-Q2"));
    assert_eq!(quarter_until(quarter_from(2025, 4).unwrap()), NaiveDate::from_ymd_opt(2026, 1, 1).unwrap());
    assert_eq!([quarter_from(2025, 0), quarter_from(2025, 5)], [None, None]);
}

#[test]
fn a_finding_never_adds() {
    assert_eq!(found(100, 99), FindingState::Proposed);
    assert_eq!(found(100, 100), FindingState::Upheld);
    assert_eq!(found(100, 101), FindingState::Upheld);
}
