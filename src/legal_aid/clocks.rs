//! The terms of the law: when each began, stood still, and runs out. How a day was reckoned stands beside it.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::{ClockKind, LegalClock, LegalPause};
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Result};
use crate::ids::{CaseId, Ids, LegalClockId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_clocks, legal_pauses};
use crate::policy;
use crate::policy::clock::{self, Pause, Rule, Trail};

/// From when on a clock is amber.
const AMBER: &str = "legal_aid.amber_percent";

/// The policy that says how long a term is.
pub fn term(kind: ClockKind) -> &'static str {
    match kind {
        ClockKind::Review => "legal_aid.review",
        ClockKind::Assign => "legal_aid.assign",
        ClockKind::Supplement => "legal_aid.supplement",
        ClockKind::Papers => "legal_aid.papers",
        ClockKind::Objection => "legal_aid.objection_reply",
    }
}

/// When a term runs out, and how that was found.
struct Reckoned {
    due_at: Option<NaiveDateTime>,
    amber_at: Option<NaiveDateTime>,
    trail: String,
}

/// When what began at `start` under `rule` runs out. What stands has no end, unless it had run out before.
fn reckon(
    conn: &mut Conn,
    rule: Rule,
    start: DateTime<Utc>,
    pauses: Vec<Pause>,
    now: DateTime<Utc>,
) -> Result<Reckoned> {
    let amber = policy::store::number_on(conn, AMBER, civil_day(now))?;
    let calendar = policy::store::calendar(conn)?;
    let term = rule.term;
    let trail = Trail::reckon(rule, start, pauses, &calendar);
    let deadline = trail.due.deadline();
    let signals = deadline.map(|deadline| clock::signals(deadline, term, &trail.pauses, amber, &calendar));
    Ok(Reckoned {
        due_at: deadline.map(|deadline| db_time(deadline.at)),
        amber_at: signals.map(|signals| db_time(signals.amber_at)),
        trail: serde_json::to_string(&trail).map_err(Error::internal)?,
    })
}

/// Starts a term of a case, under the policy of today.
///
/// # Errors
/// An internal error where one of the kind runs: acts that begin terms end them, under the lock of the case.
pub fn start_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    case: CaseId,
    kind: ClockKind,
    now: DateTime<Utc>,
) -> Result<LegalClock> {
    let rule = policy::store::rule_on(conn, term(kind), civil_day(now))?;
    let reckoned = reckon(conn, rule, now, Vec::new(), now)?;
    let row = LegalClock {
        id: ids.id(),
        case_id: case,
        kind,
        term: term(kind).to_owned(),
        started_at: db_time(now),
        due_at: reckoned.due_at,
        amber_at: reckoned.amber_at,
        trail: reckoned.trail,
        stopped_at: None,
        warned_at: None,
        breached_at: None,
    };
    diesel::insert_into(legal_clocks::table).values(&row).execute(conn)?;
    Ok(row)
}

/// The clock of a kind that is not done with, if there is one.
fn live(conn: &mut Conn, case: CaseId, kind: ClockKind) -> Result<Option<LegalClock>> {
    let live = legal_clocks::table
        .filter(legal_clocks::case_id.eq(case))
        .filter(legal_clocks::kind.eq(kind))
        .filter(legal_clocks::stopped_at.is_null());
    Ok(live.select(LegalClock::as_select()).first(conn).optional()?)
}

/// Done with a term in time or too late: whichever it was stays known. Nothing where none runs.
pub fn stop_in_tx(conn: &mut Conn, case: CaseId, kind: ClockKind, now: DateTime<Utc>) -> Result<()> {
    match live(conn, case, kind)? {
        Some(clock) => end_in_tx(conn, &clock, now),
        None => Ok(()),
    }
}

/// Done with every term of a case.
pub fn stop_all_in_tx(conn: &mut Conn, case: CaseId, now: DateTime<Utc>) -> Result<()> {
    for clock in running(conn, case)? {
        end_in_tx(conn, &clock, now)?;
    }
    Ok(())
}

fn end_in_tx(conn: &mut Conn, clock: &LegalClock, now: DateTime<Utc>) -> Result<()> {
    let at = db_time(now);
    // The job that notes breaches may not have come by yet.
    let late = clock.due_at.filter(|due| *due <= at);
    diesel::update(legal_clocks::table.find(clock.id).filter(legal_clocks::stopped_at.is_null()))
        .set((legal_clocks::stopped_at.eq(at), legal_clocks::breached_at.eq(clock.breached_at.or(late))))
        .execute(conn)?;
    pause_end_in_tx(conn, clock.id, now)?;
    Ok(())
}

/// The time in which a clock stands, if it does, is over; whether it was.
fn pause_end_in_tx(conn: &mut Conn, clock: LegalClockId, now: DateTime<Utc>) -> Result<bool> {
    let open =
        legal_pauses::table.filter(legal_pauses::clock_id.eq(clock)).filter(legal_pauses::ended_at.is_null());
    Ok(diesel::update(open).set(legal_pauses::ended_at.eq(db_time(now))).execute(conn)? > 0)
}

/// A term stands from now on. Nothing where none runs, or where it stands already.
pub fn pause_in_tx(conn: &mut Conn, case: CaseId, kind: ClockKind, now: DateTime<Utc>) -> Result<()> {
    let Some(clock) = live(conn, case, kind)? else { return Ok(()) };
    if pauses(conn, clock.id)?.iter().any(|pause| pause.ended_at.is_none()) {
        return Ok(());
    }
    let row = LegalPause { clock_id: clock.id, began_at: db_time(now), ended_at: None };
    diesel::insert_into(legal_pauses::table).values(&row).execute(conn)?;
    reckon_again_in_tx(conn, &clock, now)
}

/// A term runs on. The day of either end does not count. Nothing where none stands.
pub fn resume_in_tx(conn: &mut Conn, case: CaseId, kind: ClockKind, now: DateTime<Utc>) -> Result<()> {
    let Some(clock) = live(conn, case, kind)? else { return Ok(()) };
    if pause_end_in_tx(conn, clock.id, now)? { reckon_again_in_tx(conn, &clock, now) } else { Ok(()) }
}

/// Under the rule that the clock began with, whatever holds today.
fn reckon_again_in_tx(conn: &mut Conn, clock: &LegalClock, now: DateTime<Utc>) -> Result<()> {
    let before: Trail = serde_json::from_str(&clock.trail).map_err(Error::internal)?;
    let stood = pauses(conn, clock.id)?
        .into_iter()
        .map(|pause| Pause {
            from: pause.began_at.and_utc(),
            until: pause.ended_at.map(|until| until.and_utc()),
        })
        .collect();
    let reckoned = reckon(conn, before.rule, clock.started_at.and_utc(), stood, now)?;
    diesel::update(legal_clocks::table.find(clock.id))
        .set((
            legal_clocks::due_at.eq(reckoned.due_at),
            legal_clocks::amber_at.eq(reckoned.amber_at),
            legal_clocks::trail.eq(reckoned.trail),
            // Whoever was told of the old day is told of the new one.
            legal_clocks::warned_at.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    Ok(())
}

fn pauses(conn: &mut Conn, clock: LegalClockId) -> Result<Vec<LegalPause>> {
    let of = legal_pauses::table.filter(legal_pauses::clock_id.eq(clock)).order(legal_pauses::began_at);
    Ok(of.select(LegalPause::as_select()).load(conn)?)
}

/// Terms of a case that are not done with, those that stand among them.
pub fn running(conn: &mut Conn, case: CaseId) -> Result<Vec<LegalClock>> {
    running_of(conn, &[case])
}

/// Terms of several cases that are not done with.
pub fn running_of(conn: &mut Conn, cases: &[CaseId]) -> Result<Vec<LegalClock>> {
    Ok(legal_clocks::table
        .filter(legal_clocks::case_id.eq_any(cases))
        .filter(legal_clocks::stopped_at.is_null())
        .order(legal_clocks::id)
        .select(LegalClock::as_select())
        .load(conn)?)
}
