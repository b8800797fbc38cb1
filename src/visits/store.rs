//! Queries of injuries and visits.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::model::{Applicant, GiftKind, Injury, TermOf, TermUrgency, Visit, VisitDay, VisitForm};
use super::rules;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, InjuryId, OrganisationId, PersonId, ProgrammeId, SessionId, VisitId};
use crate::offering::model::SessionState;
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::platform::db::schema::{injuries, organisations, programmes, sessions, visit_days, visits};
use crate::policy;
use crate::policy::model::Policy;

/// The policy `key` as it is in force on `day`.
///
/// # Errors
/// An internal error naming it where it is not set: the seeds are not loaded.
pub fn policy(conn: &mut Conn, key: &str, day: NaiveDate) -> Result<Policy> {
    let missing = || Error::internal(format!("the policy {key} is not set: run `unionhall seed`"));
    policy::store::on(conn, key, day)?.ok_or_else(missing)
}

/// What visitors may have told, as codes and names, on `day`.
pub fn told_topics(conn: &mut Conn, day: NaiveDate) -> Result<Vec<(String, String)>> {
    Ok(rules::told_topics(&policy(conn, "injury.told", day)?.value))
}

/// With how many days left a term is amber.
pub fn warn_days(conn: &mut Conn, today: NaiveDate) -> Result<i64> {
    policy::store::number_on(conn, "injury.warn_before", today)
}

/// Keeps injuries that are not there yet, and says which.
pub fn injuries_create_in_tx(conn: &mut Conn, rows: &[Injury]) -> Result<Vec<InjuryId>> {
    Ok(crate::insert_new!(conn, injuries::table, rows, injuries::id => |row: &Injury| row.id)?)
}

/// All injuries of `people`, newest first.
pub fn injuries_of(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<Injury>> {
    let of = injuries::table.filter(injuries::person_id.eq_any(people)).order(injuries::id.desc());
    Ok(of.select(Injury::as_select()).load(conn)?)
}

/// Injuries of `people` before `before`, newest first.
pub fn own_list(
    conn: &mut Conn,
    people: &[PersonId],
    before: Option<InjuryId>,
    limit: i64,
) -> Result<Vec<Injury>> {
    let mut query = injuries::table
        .filter(injuries::person_id.eq_any(people))
        .order(injuries::id.desc())
        .limit(limit)
        .select(Injury::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(injuries::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// An injury with who looks after it.
pub type Case = (Injury, Organisation);

/// The injury `id`, or 404.
pub fn case_get(conn: &mut Conn, id: InjuryId) -> Result<Case> {
    let found = injuries::table
        .inner_join(organisations::table)
        .filter(injuries::id.eq(id))
        .select((Injury::as_select(), Organisation::as_select()))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Which injuries.
#[derive(Debug, Clone)]
pub struct CaseFilter {
    /// Of organisations under these LIKE patterns.
    pub patterns: Vec<String>,
    /// Pressing in this way.
    pub urgency: Option<TermUrgency>,
    /// Today.
    pub today: NaiveDate,
    /// The last day that is amber already.
    pub amber_until: NaiveDate,
}

/// Injuries after `after`, oldest first.
pub fn case_list(
    conn: &mut Conn,
    filter: CaseFilter,
    after: Option<InjuryId>,
    limit: i64,
) -> Result<Vec<Case>> {
    use injuries::{employer_due_on, worker_due_on};
    let CaseFilter { patterns, urgency, today, amber_until } = filter;
    let mut query = injuries::table
        .inner_join(organisations::table)
        .filter(crate::org::store::under(patterns))
        .order(injuries::id)
        .limit(limit)
        .select((Injury::as_select(), Organisation::as_select()))
        .into_boxed();
    if urgency.is_some() {
        query = query.filter(injuries::applied_on.is_null());
    }
    query = match urgency {
        None => query,
        Some(TermUrgency::Amber) => query.filter(
            (employer_due_on.gt(today).and(employer_due_on.le(amber_until)))
                .or(worker_due_on.gt(today).and(worker_due_on.le(amber_until))),
        ),
        Some(TermUrgency::Red) => query.filter(employer_due_on.eq(today).or(worker_due_on.eq(today))),
        Some(TermUrgency::Breached) => query.filter(employer_due_on.lt(today).or(worker_due_on.lt(today))),
    };
    if let Some(after) = after {
        query = query.filter(injuries::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Locks an injury; 404 where it is not there.
pub fn locked_in_tx(conn: &mut Conn, id: InjuryId) -> Result<Injury> {
    let found: Vec<Injury> =
        crate::load_locked!(conn, injuries::table.filter(injuries::id.eq(id)).select(Injury::as_select()))?;
    found.into_iter().next().ok_or_else(Error::not_found)
}

/// Says that recognition was applied for, or was not. The caller holds the injury's lock.
pub fn application_set_in_tx(
    conn: &mut Conn,
    id: InjuryId,
    application: Option<(NaiveDate, Applicant)>,
) -> Result<()> {
    diesel::update(injuries::table.find(id))
        .set((
            injuries::applied_on.eq(application.map(|(on, _)| on)),
            injuries::applied_by.eq(application.map(|(_, by)| by)),
            injuries::version.eq(injuries::version + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Injuries without an application whose worker is to be told now that a term ends in the days from `today` to `until`.
pub fn unwarned(
    conn: &mut Conn,
    term: TermOf,
    (today, until): (NaiveDate, NaiveDate),
    limit: i64,
) -> Result<Vec<Injury>> {
    let mut query = injuries::table
        .filter(injuries::applied_on.is_null())
        .order(injuries::id)
        .limit(limit)
        .select(Injury::as_select())
        .into_boxed();
    query = match term {
        TermOf::Employer => query
            .filter(injuries::employer_due_on.between(today, until))
            .filter(injuries::employer_warned_at.is_null()),
        TermOf::Worker => query
            .filter(injuries::worker_due_on.between(today, until))
            .filter(injuries::worker_warned_at.is_null()),
    };
    Ok(query.load(conn)?)
}

/// Notes that the worker is told; false when they were, or an application was made meanwhile.
pub fn warned_in_tx(conn: &mut Conn, id: InjuryId, term: TermOf, now: DateTime<Utc>) -> Result<bool> {
    let open = injuries::table.filter(injuries::id.eq(id)).filter(injuries::applied_on.is_null());
    let changed = match term {
        TermOf::Employer => diesel::update(open.filter(injuries::employer_warned_at.is_null()))
            .set(injuries::employer_warned_at.eq(db_time(now)))
            .execute(conn)?,
        TermOf::Worker => diesel::update(open.filter(injuries::worker_warned_at.is_null()))
            .set(injuries::worker_warned_at.eq(db_time(now)))
            .execute(conn)?,
    };
    Ok(changed == 1)
}

/// The programme under which `organisation` counts what is about `topic`: its own, or else the oldest.
pub fn programme(
    conn: &mut Conn,
    organisation: OrganisationId,
    topic: &'static str,
) -> Result<Option<ProgrammeId>> {
    let of_topic: Vec<(ProgrammeId, OrganisationId)> = programmes::table
        .filter(programmes::topic.eq(topic))
        .order(programmes::id)
        .select((programmes::id, programmes::organisation_id))
        .load(conn)?;
    let own = of_topic.iter().find(|(_, of)| *of == organisation);
    Ok(own.or(of_topic.first()).map(|(id, _)| *id))
}

/// The last session that was made for an organisation's visits of a day, with its number.
pub fn day_last(
    conn: &mut Conn,
    organisation: OrganisationId,
    topic: &'static str,
    day: NaiveDate,
) -> Result<Option<(i64, SessionId)>> {
    let of_day = visit_days::table
        .filter(visit_days::organisation_id.eq(organisation))
        .filter(visit_days::topic.eq(topic))
        .filter(visit_days::day.eq(day))
        .order(visit_days::number.desc())
        .select((visit_days::number, visit_days::session_id));
    Ok(of_day.first(conn).optional()?)
}

/// Keeps which session a day's visits belong to; false when somebody else was faster.
pub fn day_create_in_tx(conn: &mut Conn, row: &VisitDay) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let kept = crate::insert_new!(
        conn, visit_days::table, rows, visit_days::number => |row: &VisitDay| row.number
    )?;
    Ok(kept.len() == 1)
}

/// Keeps a visit.
pub fn visit_create_in_tx(conn: &mut Conn, row: &Visit) -> Result<()> {
    diesel::insert_into(visits::table).values(row).execute(conn)?;
    Ok(())
}

/// The visit `id` with its injury and who looks after that, or 404.
pub fn visit_get(conn: &mut Conn, id: VisitId) -> Result<(Visit, Case)> {
    let found = visits::table
        .inner_join(injuries::table.inner_join(organisations::table))
        .filter(visits::id.eq(id))
        .select((Visit::as_select(), Injury::as_select(), Organisation::as_select()))
        .first::<(Visit, Injury, Organisation)>(conn)
        .optional()?;
    found.map(|(visit, injury, organisation)| (visit, (injury, organisation))).ok_or_else(Error::not_found)
}

/// Takes a visit back; false when it was already.
pub fn visit_undo_in_tx(
    conn: &mut Conn,
    id: VisitId,
    by: PersonId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let standing = visits::table.filter(visits::id.eq(id)).filter(visits::undone_at.is_null());
    let changed = diesel::update(standing)
        .set((
            visits::undone_by.eq(by),
            visits::undone_at.eq(db_time(now)),
            visits::undone_because.eq(reason),
            visits::version.eq(visits::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// What a person's visits that stand in a session are, and whether each had a gift.
pub fn standing_in(conn: &mut Conn, session: SessionId, person: PersonId) -> Result<Vec<(VisitForm, bool)>> {
    let rows: Vec<(VisitForm, Option<GiftKind>)> = visits::table
        .inner_join(injuries::table)
        .filter(visits::session_id.eq(session))
        .filter(injuries::person_id.eq(person))
        .filter(visits::undone_at.is_null())
        .order(visits::id)
        .select((visits::form, visits::gift_kind))
        .load(conn)?;
    Ok(rows.into_iter().map(|(form, gift)| (form, gift.is_some())).collect())
}

/// A visit with its session's activity and state.
pub type Placed = (Visit, ActivityId, SessionState);

/// The visits for an injury, in the order in which they were recorded; a hundred at most.
pub fn visits_of(conn: &mut Conn, injury: InjuryId) -> Result<Vec<Placed>> {
    let of = visits::table
        .inner_join(sessions::table)
        .filter(visits::injury_id.eq(injury))
        .order(visits::id)
        .limit(100);
    Ok(of.select((Visit::as_select(), sessions::activity_id, sessions::state)).load(conn)?)
}

/// How many visits that stand each injury has.
pub fn visit_counts(conn: &mut Conn, ids: &[InjuryId]) -> Result<HashMap<InjuryId, i64>> {
    let rows: Vec<(InjuryId, i64)> = visits::table
        .filter(visits::injury_id.eq_any(ids))
        .filter(visits::undone_at.is_null())
        .group_by(visits::injury_id)
        .select((visits::injury_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Injuries after `after` with what is sealed of them, for a change of keys.
pub fn sealed_after(conn: &mut Conn, after: Option<InjuryId>, limit: i64) -> Result<Vec<(InjuryId, String)>> {
    let mut rows = injuries::table
        .order(injuries::id)
        .limit(limit)
        .select((injuries::id, injuries::facts_sealed))
        .into_boxed();
    if let Some(after) = after {
        rows = rows.filter(injuries::id.gt(after));
    }
    Ok(rows.load(conn)?)
}

/// Replaces what is sealed. Nothing else changes it.
pub fn resealed_in_tx(conn: &mut Conn, id: InjuryId, sealed: &str) -> Result<usize> {
    Ok(diesel::update(injuries::table.find(id)).set(injuries::facts_sealed.eq(sealed)).execute(conn)?)
}
