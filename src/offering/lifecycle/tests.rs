use std::collections::BTreeSet;

use chrono::{TimeDelta, TimeZone};

use super::*;
use crate::clock::db_time;
use crate::ids::{ActivityId, OrganisationId, ProgrammeId, SessionId};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 6, 16, 2, 0, 0).unwrap()
}

/// An activity that is in `phase` now.
fn activity_in(phase: Phase) -> Activity {
    let at = |hours: i64| db_time(now() + TimeDelta::hours(hours));
    let id = uuid::Uuid::from_u128(1);
    let row = Activity::draft(ActivityId(id), ProgrammeId(id), OrganisationId(id), now());
    // Hours from now: sign-up opens, closes, the first session begins.
    let (opens, closes, starts) = match phase {
        Phase::Published => (1, 2, 3),
        Phase::Closed | Phase::Allocated => (-2, -1, 3),
        Phase::Running => (-2, 2, -1),
        _ => (-1, 1, 3),
    };
    Activity {
        state: phase.kept(),
        signup_opens_at: at(opens),
        signup_closes_at: at(closes),
        starts_at: at(starts),
        ends_at: at(5),
        ..row
    }
}

fn session(number: u128, state: SessionState) -> Session {
    Session {
        id: SessionId(uuid::Uuid::from_u128(number)),
        activity_id: ActivityId(uuid::Uuid::from_u128(1)),
        number: i64::try_from(number).unwrap(),
        starts_at: db_time(now() - TimeDelta::hours(1)),
        ends_at: db_time(now() + TimeDelta::hours(1)),
        state,
        state_reason: None,
        held: (state == SessionState::Finalised).then_some(false),
        present: 0,
        finalised_at: None,
        finalised_by: None,
        reopened_at: None,
        version: 1,
    }
}

#[test]
fn every_phase_is_told_by_state_and_clock() {
    for phase in Phase::ALL {
        assert_eq!(super::phase(&activity_in(*phase), now()), *phase);
    }
    // At the very instant it opens, closes and starts.
    let row = activity_in(Phase::Published);
    let after = |hours: i64| super::phase(&row, now() + TimeDelta::hours(hours));
    assert_eq!(
        [after(0), after(1), after(2), after(3)],
        [Phase::Published, Phase::Open, Phase::Closed, Phase::Running]
    );
    let row = activity_in(Phase::Allocated);
    assert_eq!(super::phase(&row, now() + TimeDelta::hours(3)), Phase::Running);
}

#[test]
fn what_the_table_does_not_name_is_refused() {
    // With these every condition is fulfilled.
    let sessions = [session(1, SessionState::Finalised), session(2, SessionState::Cancelled)];
    let facts = Facts { sessions: &sessions, undecided: 0 };
    let mut allowed = 0;
    for phase in Phase::ALL {
        for event in Event::ALL {
            let row = activity_in(*phase);
            match (line(*event, *phase), transition(*event, &row, facts, now())) {
                (Some(line), Ok(state)) if line.who == Who::Clock => assert_eq!(state, row.state),
                (Some(line), Ok(state)) => {
                    allowed += 1;
                    assert_eq!(state, line.to.kept(), "{event} in {phase}");
                }
                (None, Err(error)) => {
                    assert_eq!(error.code(), Code::StateForbids, "{event} in {phase}");
                    let text = error.inner().detail.clone().unwrap();
                    assert!(text.en.contains(phase.as_str()) && text.en.contains(event.as_str()), "{text:?}");
                    assert!(text.zh.contains(phase.words()) && text.zh.contains(event.words()), "{text:?}");
                }
                (line, result) => panic!("{event} in {phase}: {line:?} but {result:?}"),
            }
        }
    }
    let by_call: usize =
        TRANSITIONS.iter().filter(|line| line.who != Who::Clock).map(|line| line.from.len()).sum();
    assert_eq!(allowed, by_call);
}

#[test]
fn a_refusal_names_what_could_be_done() {
    let text = |event, phase| refused(event, phase).inner().detail.clone().unwrap();
    let open = text(Event::Allocate, Phase::Open);
    assert_eq!(open.zh, "活动正在报名，不能完成分配；目前可以：取消、延期、改期");
    assert!(open.en.ends_with("Possible now: cancel, postpone, reschedule"), "{}", open.en);
    let over = text(Event::Cancel, Phase::Finished);
    assert_eq!(over.zh, "活动已结束，不能取消；已不能再变更");
}

#[test]
fn each_condition_refuses() {
    let planned = session(1, SessionState::Planned);
    let held = Session { held: Some(true), ..session(1, SessionState::Finalised) };
    let visited = Session { present: 1, ..planned.clone() };
    let refuses = |event, phase, sessions: &[Session], undecided| {
        let facts = Facts { sessions, undecided };
        transition(event, &activity_in(phase), facts, now()).unwrap_err().code() == Code::StateForbids
    };
    assert!(refuses(Event::Publish, Phase::Draft, &[], 0));
    assert!(refuses(Event::Allocate, Phase::Closed, std::slice::from_ref(&planned), 1));
    assert!(refuses(Event::Cancel, Phase::Running, &[planned.clone(), held.clone()], 0));
    assert!(refuses(Event::Postpone, Phase::Running, &[visited], 0));
    assert!(refuses(Event::Finish, Phase::Running, &[held, planned], 0));
    assert!(refuses(Event::Finish, Phase::Running, &[session(1, SessionState::Cancelled)], 0));
    let over = Activity { ends_at: db_time(now()), ..activity_in(Phase::Draft) };
    let facts = Facts { sessions: &[session(1, SessionState::Planned)], undecided: 0 };
    assert!(transition(Event::Publish, &over, facts, now()).is_err());
    assert!(transition(Event::Publish, &over, facts, now() - TimeDelta::seconds(1)).is_ok());
}

#[test]
fn what_the_sessions_table_does_not_name_is_refused() {
    for phase in Phase::ALL {
        for state in SessionState::ALL {
            for event in SessionEvent::ALL {
                let (one, other) = (session(1, *state), session(2, SessionState::Planned));
                let named = SESSION_TRANSITIONS
                    .iter()
                    .any(|line| line.event == *event && line.from == *state && line.during.contains(phase));
                let row = activity_in(*phase);
                let result = session_transition(*event, &one, &row, &[one.clone(), other], now());
                assert_eq!(result.is_ok(), named, "{event} of a {state} session in {phase}");
            }
        }
    }
    let (row, one) = (activity_in(Phase::Running), session(1, SessionState::Planned));
    let with = |event, one: &Session, others: &[Session], now| {
        let all: Vec<Session> = others.iter().chain([one]).cloned().collect();
        session_transition(event, one, &row, &all, now).map(|line| line.to).map_err(|error| error.code())
    };
    let early = now() - TimeDelta::hours(1) - TimeDelta::seconds(1);
    assert_eq!(with(SessionEvent::Finalise, &one, &[], early), Err(Code::SessionNotBegun));
    let gone = session(2, SessionState::Cancelled);
    assert_eq!(with(SessionEvent::Cancel, &one, std::slice::from_ref(&gone), now()), Err(Code::StateForbids));
    let done = session(2, SessionState::Finalised);
    assert_eq!(
        with(SessionEvent::Cancel, &one, std::slice::from_ref(&done), now()),
        Ok(SessionState::Cancelled)
    );
    assert_eq!(with(SessionEvent::Void, &done, &[gone], now()), Ok(SessionState::Cancelled));
    assert_eq!(with(SessionEvent::Finalise, &done, &[], now()), Err(Code::SessionFinalised));
    assert_eq!(with(SessionEvent::Reopen, &done, &[], now()), Ok(SessionState::Planned));
    assert_eq!(with(SessionEvent::Reopen, &one, &[], now()), Err(Code::StateForbids));
}

/// `a | b ──event──▶ c` of the diagram, as one (from, event, to) each.
fn drawn(what: &str) -> BTreeSet<(String, String, String)> {
    let mut arrows = BTreeSet::new();
    let mut of = "";
    for line in include_str!("../mod.rs").lines().filter_map(|line| line.strip_prefix("//! ")) {
        let line = match line.split_once(':') {
            Some((name, rest)) if name == "activity" || name == "session" => {
                of = name;
                rest
            }
            _ => line,
        };
        if let Some((from, rest)) = line.split_once("──")
            && of == what
        {
            let (event, to) = rest.split_once("──▶").unwrap();
            // Whatever the clock does bears an asterisk.
            let arrow = |from: &str| (from.trim().to_owned(), event.to_owned(), to.trim().to_owned());
            arrows.extend(from.split('|').map(arrow));
        }
    }
    arrows
}

#[test]
fn the_diagram_is_the_table() {
    let told: BTreeSet<_> = TRANSITIONS
        .iter()
        .flat_map(|line| line.from.iter().map(move |from| (line, from)))
        .map(|(line, from)| {
            let clock = if line.who == Who::Clock { "*" } else { "" };
            (from.to_string(), format!("{}{clock}", line.event), line.to.to_string())
        })
        .collect();
    assert_eq!(drawn("activity"), told);
    let told: BTreeSet<_> = SESSION_TRANSITIONS
        .iter()
        .map(|line| (line.from.to_string(), line.event.to_string(), line.to.to_string()))
        .collect();
    assert_eq!(drawn("session"), told);
}
