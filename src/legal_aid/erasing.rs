//! What a case says of people, erased: when its time is over, or at once where it never became a case. Numbers, clocks, decisions by their
//! codes, and what was counted stay.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::evidence::CASE;
use super::model::{CaseState, ClaimEvent};
use crate::clock::{civil_day, db_time};
use crate::content;
use crate::error::Result;
use crate::ids::{CaseId, CaseMemberId, Ids, LawyerId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    legal_cases, legal_decisions, legal_documents, legal_events, legal_file_checks, legal_glass,
    legal_lawyer_changes, legal_lawyer_clients, legal_lawyers, legal_members, legal_messages,
    legal_objections, legal_parties, legal_referrals, legal_reports, legal_return_visits,
    legal_satisfactions, legal_supplements, legal_team, legal_turns,
};
use crate::platform::files;
use crate::platform::vault::ERASED;

/// States in which a case has ended.
const ENDED: [CaseState; 6] = [
    CaseState::Refused,
    CaseState::Closed,
    CaseState::Terminated,
    CaseState::Withdrawn,
    CaseState::DeemedWithdrawn,
    CaseState::Annulled,
];

/// As what somebody has a part in a case that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Whoever asked; also while nobody has answered their objection.
    Applicant,
    /// One of a group.
    Member,
    /// Of its team.
    Team,
}

/// Cases that have not ended in which `people` have a part.
pub fn open(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<(CaseId, Part)>> {
    let running = || legal_cases::table.filter(legal_cases::state.ne_all(ENDED));
    let own: Vec<CaseId> = running()
        .filter(legal_cases::person_id.eq_any(people))
        .order(legal_cases::id)
        .select(legal_cases::id)
        .load(conn)?;
    let unanswered: Vec<CaseId> = legal_objections::table
        .filter(legal_objections::raised_by.eq_any(people))
        .filter(legal_objections::answered_at.is_null())
        .order(legal_objections::case_id)
        .select(legal_objections::case_id)
        .load(conn)?;
    let named: Vec<CaseId> = legal_members::table
        .filter(legal_members::person_id.eq_any(people.iter().map(Some)))
        .select(legal_members::case_id)
        .load(conn)?;
    let worked: Vec<CaseId> = legal_team::table
        .filter(legal_team::person_id.eq_any(people))
        .filter(legal_team::left_at.is_null())
        .select(legal_team::case_id)
        .load(conn)?;
    let mut found: Vec<(CaseId, Part)> =
        own.into_iter().chain(unanswered).map(|case| (case, Part::Applicant)).collect();
    for (cases, part) in [(named, Part::Member), (worked, Part::Team)] {
        let live = running().filter(legal_cases::id.eq_any(cases)).order(legal_cases::id);
        found.extend(live.select(legal_cases::id).load(conn)?.into_iter().map(|case| (case, part)));
    }
    // Whoever asked for a group is its first member.
    let mut seen: Vec<CaseId> = Vec::new();
    found.retain(|(case, _)| {
        !seen.contains(case) && {
            seen.push(*case);
            true
        }
    });
    Ok(found)
}

/// A case that has ended and whose file is somebody's, or names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The case.
    pub case: CaseId,
    /// Whose.
    pub person: PersonId,
    /// Their place in it, where it is another's.
    pub member: Option<CaseMemberId>,
    /// The day on which it ended.
    pub on: NaiveDate,
    /// Whether it was given up before anybody decided about it: then there is no file to keep.
    pub undecided: bool,
}

/// Cases of `people` that have ended, and others' in which they are named.
pub fn ended(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<Ended>> {
    type Own = (CaseId, PersonId, Option<NaiveDateTime>, Option<NaiveDateTime>);
    let own: Vec<Own> = legal_cases::table
        .filter(legal_cases::person_id.eq_any(people))
        .filter(legal_cases::state.eq_any(ENDED))
        .order(legal_cases::id)
        .select((legal_cases::id, legal_cases::person_id, legal_cases::ended_at, legal_cases::decided_at))
        .load(conn)?;
    let day = |at: Option<NaiveDateTime>| at.map(|at| civil_day(at.and_utc()));
    let mut all: Vec<Ended> = own
        .into_iter()
        .filter_map(|(case, person, at, decided)| {
            Some(Ended { case, person, member: None, on: day(at)?, undecided: decided.is_none() })
        })
        .collect();
    let named: Vec<(CaseMemberId, CaseId, Option<PersonId>)> = legal_members::table
        .filter(legal_members::person_id.eq_any(people.iter().map(Some)))
        .order(legal_members::id)
        .select((legal_members::id, legal_members::case_id, legal_members::person_id))
        .load(conn)?;
    let cases: Vec<CaseId> = named.iter().map(|(_, case, _)| *case).collect();
    let ends: Vec<(CaseId, PersonId, Option<NaiveDateTime>, Option<NaiveDateTime>)> = legal_cases::table
        .filter(legal_cases::id.eq_any(cases))
        .filter(legal_cases::person_id.ne_all(people))
        .filter(legal_cases::state.eq_any(ENDED))
        .select((legal_cases::id, legal_cases::person_id, legal_cases::ended_at, legal_cases::decided_at))
        .load(conn)?;
    for (member, case, person) in named {
        let end = ends.iter().find(|(id, ..)| *id == case);
        if let (Some((_, _, at, decided)), Some(person)) = (end, person)
            && let Some(on) = day(*at)
        {
            all.push(Ended { case, person, member: Some(member), on, undecided: decided.is_none() });
        }
    }
    Ok(all)
}

/// Sets a sealed column of the rows of a case to what says that it was erased, where it is not so already.
macro_rules! overwrite {
    ($conn:expr, $case:expr, $($table:ident.$column:ident),* $(,)?) => {
        0 $(+ diesel::update(
            $table::table.filter($table::case_id.eq($case)).filter($table::$column.ne(ERASED)),
        )
        .set($table::$column.eq(ERASED))
        .execute($conn)?)*
    };
}

/// Empties a sealed column of the rows of a case.
macro_rules! empty {
    ($conn:expr, $case:expr, $($table:ident.$column:ident),* $(,)?) => {
        0 $(+ diesel::update(
            $table::table.filter($table::case_id.eq($case)).filter($table::$column.is_not_null()),
        )
        .set($table::$column.eq(None::<String>))
        .execute($conn)?)*
    };
}

/// Erases the whole file of a case, with what hangs on it.
pub fn case_in_tx(conn: &mut Conn, ids: &Ids, case: CaseId, now: DateTime<Utc>) -> Result<usize> {
    let file =
        legal_cases::table.filter(legal_cases::id.eq(case)).filter(legal_cases::facts_sealed.ne(ERASED));
    let mut done = diesel::update(file)
        .set((
            legal_cases::facts_sealed.eq(ERASED),
            legal_cases::event.eq(None::<ClaimEvent>),
            legal_cases::event_on.eq(None::<NaiveDate>),
            legal_cases::limitation_on.eq(None::<NaiveDate>),
        ))
        .execute(conn)?;
    // Of these a CHECK says that they stand where they stood.
    done += overwrite!(
        conn,
        case,
        legal_decisions.reasons_sealed,
        legal_supplements.missing_sealed,
        legal_objections.text_sealed,
        legal_objections.answer_sealed,
        legal_documents.paper_sealed,
        legal_reports.summary_sealed,
        legal_turns.note_sealed,
        legal_lawyer_changes.reason_sealed,
        legal_lawyer_changes.answer_sealed,
        legal_referrals.reason_sealed,
        legal_referrals.data_sealed,
        legal_referrals.outcome_sealed,
        legal_glass.text_sealed,
        legal_messages.text_sealed,
    );
    done += empty!(
        conn,
        case,
        legal_events.note_sealed,
        legal_return_visits.note_sealed,
        legal_satisfactions.text_sealed,
        legal_file_checks.note_sealed,
    );
    let members: Vec<CaseMemberId> =
        legal_members::table.filter(legal_members::case_id.eq(case)).select(legal_members::id).load(conn)?;
    for member in members {
        done += member_in_tx(conn, member)?;
    }
    done += diesel::delete(legal_parties::table.filter(legal_parties::case_id.eq(case))).execute(conn)?;
    done += content::erasing::of_case_in_tx(conn, case)?;
    done += files::store::erase_of_in_tx(conn, ids, &[], &[(CASE, vec![case.0])], now)?;
    Ok(done)
}

/// Erases what a case says of one member of its group.
pub fn member_in_tx(conn: &mut Conn, id: CaseMemberId) -> Result<usize> {
    let known = legal_members::table.filter(legal_members::id.eq(id));
    let mut done = diesel::update(known.filter(legal_members::name_sealed.ne(ERASED)))
        .set((
            legal_members::name_sealed.eq(ERASED),
            legal_members::amount_sealed.eq(None::<String>),
            legal_members::version.eq(legal_members::version + 1),
        ))
        .execute(conn)?;
    // Whoever never answered is known by a number alone, and must be known by something: by an index that no number has.
    done += diesel::update(known.filter(legal_members::phone_sealed.ne(ERASED)))
        .set((
            legal_members::phone_sealed.eq(ERASED),
            legal_members::phone_index.eq(id.0.as_bytes().to_vec()),
        ))
        .execute(conn)?;
    Ok(done)
}

/// A file that is kept is kept and nothing more: its team leaves it, once nothing is left to be done with it.
pub fn rest_in_tx(conn: &mut Conn, cases: &[CaseId], now: DateTime<Utc>) -> Result<usize> {
    let closed: Vec<CaseId> = legal_cases::table
        .filter(legal_cases::id.eq_any(cases))
        .filter(legal_cases::state.eq(CaseState::Closed))
        .select(legal_cases::id)
        .load(conn)?;
    let checked: Vec<CaseId> = legal_file_checks::table
        .filter(legal_file_checks::case_id.eq_any(cases))
        .filter(legal_file_checks::complete)
        .select(legal_file_checks::case_id)
        .load(conn)?;
    let done: Vec<CaseId> =
        cases.iter().copied().filter(|case| !closed.contains(case) || checked.contains(case)).collect();
    let team =
        legal_team::table.filter(legal_team::case_id.eq_any(done)).filter(legal_team::left_at.is_null());
    Ok(diesel::update(team).set(legal_team::left_at.eq(db_time(now))).execute(conn)?)
}

/// Erases what the register of lawyers says of those of `people` who were some, and whom they had represented.
pub fn lawyers_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let theirs = legal_lawyers::table.filter(legal_lawyers::person_id.eq_any(people));
    let lawyers: Vec<LawyerId> = theirs.select(legal_lawyers::id).load(conn)?;
    let mut done = 0;
    for id in &lawyers {
        let there = legal_lawyers::table
            .filter(legal_lawyers::id.eq(*id))
            .filter(legal_lawyers::licence_sealed.ne(ERASED));
        done += diesel::update(there)
            .set((
                legal_lawyers::licence_sealed.eq(ERASED),
                // One of its own, that no licence has.
                legal_lawyers::licence_index.eq(id.0.as_bytes().to_vec()),
                legal_lawyers::phone_sealed.eq(ERASED),
                legal_lawyers::firm.eq(""),
                legal_lawyers::version.eq(legal_lawyers::version + 1),
            ))
            .execute(conn)?;
    }
    done +=
        diesel::delete(legal_lawyer_clients::table.filter(legal_lawyer_clients::lawyer_id.eq_any(&lawyers)))
            .execute(conn)?;
    Ok(done)
}
