//! The desk: requests that nobody has taken yet, without names, and how much of what runs out when.
//!
//! Until somebody takes it, a request is a line that says nothing of who asked and of whom it is about. Whoever takes it leads its team; from
//! then on it is nobody else's to see. Whatever is not there for the caller is `not_found`, from one place.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::dsl::{count_star, exists, min, not};
use diesel::prelude::*;
use serde_json::json;

use super::deciding::acts::{Acting, asked};
use super::hands::conflicts;
use super::machine::{self, Act};
use super::model::{Case, ClockKind, LegalClock, TeamRole};
use super::{acting, team};
use crate::clock::db_time;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{CaseId, OrganisationId, PersonId};
use crate::org;
use crate::platform::access::{Role, Scope};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    legal_cases, legal_clocks, legal_objections, legal_team, organisations, people, staff_grants,
};
use crate::policy::clock::{self, Colour, Signals};

/// The organisations at which `scope` has a desk.
pub fn desks(conn: &mut Conn, scope: &Scope) -> Result<Vec<OrganisationId>> {
    let all = org::store::all(conn)?;
    let mut mine: Vec<OrganisationId> =
        all.into_values().filter(|one| scope.covers(&one.path)).map(|one| one.id).collect();
    mine.sort();
    Ok(mine)
}

/// A request that waits, without names.
#[derive(Debug, Clone)]
pub struct Line {
    /// The request.
    pub case: Case,
    /// The first of its clocks to run out.
    pub clock: Option<LegalClock>,
}

/// Requests at `desks` that nobody leads, urgent ones first, then in the order in which they came, after `after`.
pub fn waiting(
    conn: &mut Conn,
    desks: &[OrganisationId],
    after: Option<(bool, CaseId)>,
    limit: i64,
) -> Result<Vec<Line>> {
    let led = legal_team::table
        .filter(legal_team::case_id.eq(legal_cases::id))
        .filter(legal_team::role.eq(TeamRole::Handler))
        .filter(legal_team::left_at.is_null());
    let mut query = legal_cases::table
        .filter(legal_cases::desk_id.eq_any(desks.to_vec()))
        .filter(legal_cases::ended_at.is_null())
        .filter(not(exists(led)))
        .order((legal_cases::urgent.desc(), legal_cases::id))
        .limit(limit)
        .select(Case::as_select())
        .into_boxed();
    query = match after {
        Some((true, id)) => query.filter(legal_cases::urgent.eq(false).or(legal_cases::id.gt(id))),
        Some((false, id)) => query.filter(legal_cases::urgent.eq(false).and(legal_cases::id.gt(id))),
        None => query,
    };
    let cases: Vec<Case> = query.load(conn)?;
    let ids: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
    let mut clocks = first_due(conn, &ids)?;
    Ok(cases.into_iter().map(|case| Line { clock: clocks.remove(&case.id), case }).collect())
}

/// Of each case the running clock that runs out first.
pub fn first_due(conn: &mut Conn, cases: &[CaseId]) -> Result<HashMap<CaseId, LegalClock>> {
    let rows: Vec<LegalClock> = legal_clocks::table
        .filter(legal_clocks::case_id.eq_any(cases))
        .filter(legal_clocks::stopped_at.is_null())
        .filter(legal_clocks::due_at.is_not_null())
        .order((legal_clocks::due_at.desc(), legal_clocks::id.desc()))
        .select(LegalClock::as_select())
        .load(conn)?;
    // The earliest comes last, and stays.
    Ok(rows.into_iter().map(|row| (row.case_id, row)).collect())
}

/// Cases of whose team `person` is now, with their role, newest first, before `before`.
pub fn cases_of(
    conn: &mut Conn,
    person: PersonId,
    before: Option<CaseId>,
    limit: i64,
) -> Result<Vec<(Case, TeamRole)>> {
    let mut query = legal_team::table
        .inner_join(legal_cases::table)
        .filter(legal_team::person_id.eq(person))
        .filter(legal_team::left_at.is_null())
        .order(legal_cases::id.desc())
        .limit(limit)
        .select((Case::as_select(), legal_team::role))
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(legal_cases::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// How pressing a clock is that ends at `due`.
pub fn colour(due: Option<NaiveDateTime>, amber: Option<NaiveDateTime>, now: DateTime<Utc>) -> Colour {
    let Some(due) = due else { return Colour::Green };
    let due = due.and_utc();
    let red_at = due - TimeDelta::days(1);
    let amber_at = amber.map_or(red_at, |amber| amber.and_utc());
    clock::colour(now, &Signals { amber_at, red_at, breached_at: due })
}

/// How many clocks of a kind are of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Which term.
    pub kind: ClockKind,
    /// How pressing.
    pub colour: Colour,
    /// How many.
    pub number: i64,
    /// When the first of them runs out.
    pub first_due: NaiveDateTime,
}

/// How many clocks run at `desks`, by kind and colour; of everybody's cases, since no case can be told from it.
pub fn counts(conn: &mut Conn, desks: &[OrganisationId], now: DateTime<Utc>) -> Result<Vec<Count>> {
    let (at, last_day) = (db_time(now), db_time(now + TimeDelta::days(1)));
    let mut counts = Vec::new();
    for colour in Colour::ALL.iter().copied() {
        let mut query = legal_clocks::table
            .inner_join(legal_cases::table)
            .filter(legal_cases::desk_id.eq_any(desks.to_vec()))
            .filter(legal_clocks::stopped_at.is_null())
            .group_by(legal_clocks::kind)
            .select((legal_clocks::kind, count_star(), min(legal_clocks::due_at)))
            .into_boxed();
        query = match colour {
            Colour::Breached => query.filter(legal_clocks::due_at.le(at)),
            Colour::Red => {
                query.filter(legal_clocks::due_at.gt(at)).filter(legal_clocks::due_at.le(last_day))
            }
            Colour::Amber => {
                query.filter(legal_clocks::due_at.gt(last_day)).filter(legal_clocks::amber_at.le(at))
            }
            Colour::Green => {
                query.filter(legal_clocks::due_at.gt(last_day)).filter(legal_clocks::amber_at.gt(at))
            }
        };
        let rows: Vec<(ClockKind, i64, Option<NaiveDateTime>)> = query.load(conn)?;
        counts.extend(rows.into_iter().map(|(kind, number, first)| Count {
            kind,
            colour,
            number,
            first_due: first.unwrap_or(at),
        }));
    }
    counts.sort_by_key(|count| (count.kind, count.colour));
    Ok(counts)
}

/// How many requests at `desks` nobody leads.
pub fn unled(conn: &mut Conn, desks: &[OrganisationId]) -> Result<i64> {
    let led = legal_team::table
        .filter(legal_team::case_id.eq(legal_cases::id))
        .filter(legal_team::role.eq(TeamRole::Handler))
        .filter(legal_team::left_at.is_null());
    let waiting = legal_cases::table
        .filter(legal_cases::desk_id.eq_any(desks.to_vec()))
        .filter(legal_cases::ended_at.is_null())
        .filter(not(exists(led)));
    Ok(waiting.count().get_result(conn)?)
}

/// How many objections at `desks` nobody has taken.
pub fn objections(conn: &mut Conn, desks: &[OrganisationId]) -> Result<i64> {
    let open = legal_objections::table
        .inner_join(legal_cases::table)
        .filter(legal_cases::desk_id.eq_any(desks.to_vec()))
        .filter(legal_objections::taken_by.is_null());
    Ok(open.count().get_result(conn)?)
}

/// As what `person` works on cases of `desk`: as a deputy, or as a lawyer; none who does not.
pub fn works_for(conn: &mut Conn, person: PersonId, desk: OrganisationId) -> Result<Option<TeamRole>> {
    let desk = org::store::get(conn, desk)?;
    let grants: Vec<(Role, String)> = staff_grants::table
        .inner_join(organisations::table)
        .filter(staff_grants::person_id.eq(person))
        .filter(staff_grants::revoked_at.is_null())
        .select((staff_grants::role, organisations::path))
        .load(conn)?;
    let disabled: Option<NaiveDateTime> =
        people::table.find(person).select(people::disabled_at).first(conn).optional()?.flatten();
    if disabled.is_some() {
        return Ok(None);
    }
    let above = |path: &str| desk.path.starts_with(path);
    let is_officer =
        grants.iter().any(|(role, path)| matches!(role, Role::LegalOfficer | Role::LegalLead) && above(path));
    // A lawyer's station may lie below the desk that sends cases there.
    let is_lawyer = grants.iter().any(|(role, path)| {
        *role == Role::LegalLawyer && (above(path) || path.starts_with(desk.path.as_str()))
    });
    Ok(if is_officer {
        Some(TeamRole::Deputy)
    } else if is_lawyer {
        Some(TeamRole::Lawyer)
    } else {
        None
    })
}

/// People who hold one of `roles` over `desk`: whoever is told that something waits there.
pub fn holders(conn: &mut Conn, desk: OrganisationId, roles: &[Role]) -> Result<Vec<PersonId>> {
    let desk = org::store::get(conn, desk)?;
    let above = org::rules::lineage(&desk.path);
    let mut who: Vec<PersonId> = staff_grants::table
        .inner_join(organisations::table)
        .inner_join(people::table.on(people::id.eq(staff_grants::person_id)))
        .filter(staff_grants::role.eq_any(roles.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people::disabled_at.is_null())
        .filter(organisations::path.eq_any(above))
        .select(staff_grants::person_id)
        .load(conn)?;
    who.sort();
    who.dedup();
    Ok(who)
}

/// The live case `id` at a desk inside `scope`, locked, with who leads it.
///
/// # Errors
/// 404 for whatever is elsewhere, over, or not there: one answer.
fn at_desk_in_tx(conn: &mut Conn, id: CaseId, scope: &Scope) -> Result<(Case, Option<PersonId>)> {
    let found: Vec<Case> = crate::load_locked!(
        conn,
        legal_cases::table.filter(legal_cases::id.eq(id)).select(Case::as_select())
    )?;
    let case = found.into_iter().next().ok_or_else(Error::not_found)?;
    let desk = org::store::get(conn, case.desk_id)?;
    if case.ended_at.is_some() || !scope.covers(&desk.path) {
        return Err(Error::not_found());
    }
    let leads = team::of(conn, id)?.into_iter().find(|member| member.role == TeamRole::Handler);
    Ok((case, leads.map(|member| member.person_id)))
}

/// `acting` takes a request that nobody leads.
///
/// # Errors
/// 404 where somebody does, as for one that is not there; `legal_conflict` for whoever has to keep away.
pub fn take_in_tx(conn: &mut Conn, acting: &mut Acting<'_>, id: CaseId, scope: &Scope) -> Result<Case> {
    let (case, leads) = at_desk_in_tx(conn, id, scope)?;
    if leads.is_some() {
        return Err(Error::not_found());
    }
    conflicts::require(conn, &acting.tools.vault, &case, acting.by)?;
    let case = lead_in_tx(conn, acting, &case, None, (acting.by, Act::Take))?;
    acting.beside.entries.push(Entry::new(acting.by, "legal_case.take", id));
    Ok(case)
}

/// A request is handed to `to`, also one that somebody leads: they leave its team.
///
/// # Errors
/// 404 for what is not at the caller's desks; `validation_failed` for somebody who is no officer there; `legal_conflict`.
pub fn hand_out_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, scope): (CaseId, &Scope),
    to: PersonId,
) -> Result<Case> {
    let (case, leads) = at_desk_in_tx(conn, id, scope)?;
    if works_for(conn, to, case.desk_id)? != Some(TeamRole::Deputy) {
        let text = Text::new("该人员不是本受理机构的法律援助专员", "this person is no officer of the desk");
        return Err(Error::invalid(vec![Fault::new("/person_id", "unfit", text)]));
    }
    conflicts::require(conn, &acting.tools.vault, &case, to)?;
    if leads == Some(to) {
        return Ok(case);
    }
    let case = lead_in_tx(conn, acting, &case, leads, (to, Act::HandOut))?;
    acting.beside.messages.push(asked(to, id, "有法律援助申请交您办理", "请打开查看办理期限。"));
    let entry = Entry::new(acting.by, "legal_case.hand_out", id);
    acting.beside.entries.push(entry.detail(json!({ "to": to })));
    Ok(case)
}

fn lead_in_tx(
    conn: &mut Conn,
    doing: &Acting<'_>,
    case: &Case,
    before: Option<PersonId>,
    (to, act): (PersonId, Act),
) -> Result<Case> {
    machine::transition(act, case.state)?;
    if let Some(before) = before {
        team::leave_in_tx(conn, case.id, before, doing.now)?;
    }
    if team::of(conn, case.id)?.iter().any(|member| member.person_id == to) {
        team::leave_in_tx(conn, case.id, to, doing.now)?;
    }
    let (ids, vault) = (&doing.tools.ids, &doing.tools.vault);
    team::join_in_tx(conn, ids, case.id, to, TeamRole::Handler, doing.now)?;
    acting::act_in_tx(conn, ids, vault, case, act, Some(doing.by), None, None, doing.now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_turns_red_on_its_last_day() {
        let due = NaiveDateTime::parse_from_str("2025-06-23 16:00:00", "%Y-%m-%d %H:%M:%S").unwrap();
        let amber = due - TimeDelta::days(2);
        let at = |hours: i64| colour(Some(due), Some(amber), due.and_utc() - TimeDelta::hours(hours));
        assert_eq!(at(49), Colour::Green);
        assert_eq!(at(48), Colour::Amber);
        assert_eq!(at(24), Colour::Red);
        assert_eq!(at(0), Colour::Breached);
        assert_eq!(colour(None, None, due.and_utc()), Colour::Green);
    }
}
