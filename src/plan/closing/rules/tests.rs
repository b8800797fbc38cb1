use std::fmt::Display;

use super::*;

/// The arrows that the room's diagram draws under `heading`, read from its text.
fn drawn(heading: &str) -> Vec<(String, String, String)> {
    let text = include_str!("../mod.rs");
    let lines = text.lines().map(|line| line.trim_start_matches("//!").trim());
    let mut arrows: Vec<(String, String, String)> = lines
        .skip_while(|line| *line != format!("{heading}:"))
        .skip(1)
        .map_while(|line| {
            let (from, rest) = line.split_once("──")?;
            let (event, to) = rest.split_once("──▶")?;
            Some((event.to_owned(), from.trim().to_owned(), to.trim().to_owned()))
        })
        .collect();
    arrows.sort();
    arrows
}

fn written<E: Display, S: Display>(table: &[(E, S, S)]) -> Vec<(String, String, String)> {
    let mut lines: Vec<_> =
        table.iter().map(|(event, from, to)| (event.to_string(), from.to_string(), to.to_string())).collect();
    lines.sort();
    lines
}

#[test]
fn the_diagrams_are_the_tables() {
    assert_eq!(drawn("street"), written(STREET));
    assert_eq!(drawn("period"), written(PERIOD));
    assert_eq!(drawn("restatement"), written(RESTATEMENT));
}

#[test]
fn everything_else_is_forbidden() {
    for event in PeriodEvent::ALL {
        for state in PeriodState::ALL {
            let known = PERIOD.iter().find(|(e, from, _)| (e, from) == (event, state));
            match (transition(PERIOD, *event, *state), known) {
                (Ok(to), Some((.., expected))) => assert_eq!(to, *expected),
                (Err(error), None) if *state == PeriodState::Hard => {
                    assert_eq!(error.code(), Code::PeriodClosed)
                }
                (Err(error), None) => assert_eq!(error.code(), Code::StateForbids),
                (told, _) => panic!("{event} {state}: {told:?}"),
            }
        }
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn names_are_exactly_those_of_months_and_quarters() {
    let year = day("2025-01-01");
    for (text, starts_on, label_of) in
        [("01", "2025-01-01", "2025-01"), ("12", "2025-12-01", "2025-12"), ("Q3", "2025-07-01", "2025-Q3")]
    {
        let name: PeriodName = text.parse().unwrap();
        assert_eq!(name.starts_on(year), day(starts_on));
        assert_eq!(label(name.kind, name.starts_on(year)), label_of);
    }
    for wrong in ["", "0", "1", "13", "00", "001", "Q0", "Q5", "Q", "Q01", "+1", "q1", "１２", "2025-03"] {
        assert_eq!(wrong.parse::<PeriodName>().unwrap_err().code(), Code::NotFound, "{wrong}");
    }
    assert_eq!(all(year).len(), 16);
    assert_eq!(months(PeriodKind::Quarter, day("2025-04-01")).last(), Some(&day("2025-06-01")));
}

#[test]
fn nothing_is_closed_before_it_is_over() {
    assert!(over(PeriodKind::Month, day("2025-02-01"), day("2025-03-01")).is_ok());
    let early = over(PeriodKind::Month, day("2025-02-01"), day("2025-02-28")).unwrap_err();
    assert_eq!(early.code(), Code::PeriodNotOver);
    assert!(over(PeriodKind::Quarter, day("2025-01-01"), day("2025-03-31")).is_err());
}

#[test]
fn whatever_is_open_is_named() {
    assert!(clean(&[]).is_ok());
    let item = |id: &str| Item { kind: ItemKind::ConflictOpen, id: id.into(), name: None };
    let error = clean(&[item("a"), item("b")]).unwrap_err();
    assert_eq!(error.code(), Code::PeriodOpenItems);
    let named: Vec<_> =
        error.inner().faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
    assert_eq!(named, [("/conflict_open/a", "conflict_open"), ("/conflict_open/b", "conflict_open")]);
}
