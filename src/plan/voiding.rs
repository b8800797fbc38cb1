//! Sessions that did not take place after all: their lines and those of their attendances are taken back, and what
//! stands on another ground is counted again from there: a person who was also present elsewhere, an activity of
//! which another session took place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::counting::{Ground, RulesByDay};
use super::model::Attribution;
use crate::attendance;
use crate::attendance::counting::{Attended, Held, Voided};
use crate::attendance::store::Placed;
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{ActivityId, AttendanceId, Ids, OrganisationId, PersonId, PlanId, TargetId};
use crate::ledger;
use crate::ledger::model::{Because, Cause, Grade, Line, NewLine};
use crate::offering;
use crate::offering::model::{Session, SessionState};
use crate::people;
use crate::platform::db::Conn;
use crate::platform::db::schema::sessions;

/// A count of people is keyed by them.
const OF_PERSON: &str = "person/";

/// Takes back and counts again.
pub(super) fn void_in_tx(conn: &mut Conn, ids: &Ids, now: DateTime<Utc>, voided: &Voided) -> Result<()> {
    let attendances = voided.attendances.iter().map(|(id, _)| id.0);
    let mut sources: Vec<Uuid> = attendances.chain(voided.sessions.iter().map(|id| id.0)).collect();
    if !voided.sessions.is_empty() {
        // The activity counts through its sessions; it is counted again below if another one took place.
        sources.push(voided.activity.0);
    }
    let because = Because { cause: voided.cause, reason: &voided.reason };
    // Held before it is asked what stands elsewhere: somebody who is checked in there meanwhile is counted by one of the two.
    let standing = ledger::store::standing_locked_in_tx(conn, &sources)?;
    if standing.is_empty() {
        return Ok(());
    }
    let counted = counted_people(voided, &standing);
    // Somebody's other accounts, too: they are one human.
    let accounts = people::merging::store::accounts(conn, &counted)?;
    let elsewhere = attendance::store::standing_of(conn, &accounts.keys().copied().collect::<Vec<_>>())?;
    let mut activities: Vec<ActivityId> = elsewhere.iter().map(|(_, activity, _)| *activity).collect();
    activities.push(voided.activity);
    let ground = Ground::load(conn, activities)?;
    let mut again = held_again(conn, &ground, voided.activity)?;
    let known = voided.attendances.iter().copied();
    again.extend(people_again(conn, &ground, &elsewhere, known, &Whom { accounts, cause: voided.cause })?);
    // The rest counts as before.
    let keys: HashSet<(TargetId, &str)> =
        standing.iter().map(|line| (line.target_id, line.dedup_key.as_str())).collect();
    again.retain(|line| keys.contains(&(line.target, line.dedup_key.as_str())));
    // Whoever counts again in a month that is closed counts where they did until that is restated.
    let replacing = ledger::held::closed_of_in_tx(conn, &again)?;
    ledger::store::replace_sources_in_tx(conn, ids, now, &sources, because, &replacing)?;
    let together = ledger::held::together(conn, &again)?;
    let mut later: BTreeMap<(PlanId, NaiveDate), Vec<NewLine>> = BTreeMap::new();
    again.retain(|line| match together.get(&(line.target, line.dedup_key.clone())) {
        Some(month) => {
            later.entry(*month).or_default().push(line.clone());
            false
        }
        None => true,
    });
    ledger::store::post_in_tx(conn, ids, now, voided.cause, &again)?;
    for (month, lines) in later {
        ledger::store::post_later_in_tx(conn, ids, now, voided.cause, &lines, month)?;
    }
    Ok(())
}

/// Those who counted as people through an attendance that is void.
fn counted_people(voided: &Voided, reversed: &[Line]) -> Vec<PersonId> {
    let sources: HashSet<&[u8]> = reversed
        .iter()
        .filter(|line| line.dedup_key.starts_with(OF_PERSON))
        .map(|line| line.source_id.as_slice())
        .collect();
    let counted = |id: &AttendanceId| sources.contains(id.0.as_bytes().as_slice());
    let people: BTreeSet<PersonId> =
        voided.attendances.iter().filter(|(id, _)| counted(id)).map(|(_, person)| *person).collect();
    people.into_iter().collect()
}

/// Lines of the sessions of `activity` that took place, in the order in which that was said.
fn held_again(conn: &mut Conn, ground: &Ground, activity: ActivityId) -> Result<Vec<NewLine>> {
    let held: Vec<Session> = sessions::table
        .filter(sessions::activity_id.eq(activity))
        .filter(sessions::state.eq(SessionState::Finalised))
        .filter(sessions::held.eq(true))
        .order((sessions::finalised_at, sessions::id))
        .select(Session::as_select())
        .load(conn)?;
    let mut rules = RulesByDay::default();
    let mut lines = Vec::new();
    for session in held {
        let starts_at = session.starts_at.and_utc();
        let day = civil_day(starts_at);
        let one = Held { session: session.id, activity, starts_at, grade: Grade::B };
        lines.extend(ground.held(&one, day, rules.on(conn, day)?)?);
    }
    Ok(lines)
}

/// As whom people count, and why again.
pub(super) struct Whom {
    /// Accounts, with the one that stands for them.
    pub(super) accounts: HashMap<PersonId, PersonId>,
    /// Why.
    pub(super) cause: Cause,
}

impl Whom {
    fn of(&self, person: PersonId) -> PersonId {
        self.accounts.get(&person).copied().unwrap_or(person)
    }
}

/// Lines of attendances that stand, in their order. Of what `known` attendances counted for it is learned where people worked.
pub(super) fn people_again(
    conn: &mut Conn,
    ground: &Ground,
    elsewhere: &[Placed],
    known: impl Iterator<Item = (AttendanceId, PersonId)>,
    whom: &Whom,
) -> Result<Vec<NewLine>> {
    if elsewhere.is_empty() {
        return Ok(Vec::new());
    }
    let people: Vec<PersonId> = elsewhere.iter().map(|(row, _, _)| row.person_id).collect();
    let brief = attendance::store::people_brief(conn, &people)?;
    let roles = offering::store::roles(conn)?;
    let past = Past::load(conn, elsewhere, known, whom)?;
    let mut rules = RulesByDay::default();
    let mut lines = Vec::new();
    for (row, activity, starts_at) in elsewhere {
        let starts_at = starts_at.and_utc();
        let day = civil_day(starts_at);
        let rules = rules.on(conn, day)?;
        let by_workplace: HashSet<TargetId> = rules
            .iter()
            .filter(|(rule, _)| rule.attribution == Attribution::Workplace)
            .map(|(_, target)| target.id)
            .collect();
        let today = brief.get(&row.person_id).and_then(|(_, workplace)| *workplace);
        let person = whom.of(row.person_id);
        let one = Attended {
            attendance: row.id,
            person,
            workplace: past.street(row.id, person, row.checked_in_at, &by_workplace).or(today),
            activity: *activity,
            starts_at,
            role: row.role,
            counts: roles.get(&row.role).is_some_and(|role| role.counts),
            grade: row.grade,
            cause: whom.cause,
        };
        lines.extend(ground.attended(&one, day, rules)?);
    }
    Ok(lines)
}

/// For which sub-district people counted by their workplace. Where they worked on the day of an attendance is kept on
/// its lines alone, and an attendance that added nobody new has none: then the person counted there before.
struct Past {
    by_attendance: HashMap<Vec<u8>, Vec<Line>>,
    by_person: HashMap<PersonId, Vec<Line>>,
}

impl Past {
    fn load(
        conn: &mut Conn,
        elsewhere: &[Placed],
        known: impl Iterator<Item = (AttendanceId, PersonId)>,
        whom: &Whom,
    ) -> Result<Self> {
        let standing = elsewhere.iter().map(|(row, _, _)| (row.id, row.person_id));
        let whose: HashMap<Vec<u8>, PersonId> =
            standing.chain(known).map(|(id, person)| (id.0.as_bytes().to_vec(), whom.of(person))).collect();
        let sources: Vec<Uuid> = whose.keys().filter_map(|id| Uuid::from_slice(id).ok()).collect();
        let mut past = Self { by_attendance: HashMap::new(), by_person: HashMap::new() };
        let waiting = ledger::held::ever_posts_of_sources(conn, &sources)?;
        let waiting: Vec<Line> = waiting.iter().map(ledger::held::as_line).collect();
        for line in ledger::store::lines_of_sources(conn, &sources)?.into_iter().chain(waiting) {
            let of_street = line.dedup_key.starts_with(OF_PERSON) && line.dedup_key.matches('/').count() == 2;
            let of_head = line.dedup_key.starts_with(OF_PERSON) && !of_street;
            if line.is_reversal || of_head {
                continue;
            }
            if of_street && let Some(person) = whose.get(&line.source_id) {
                past.by_person.entry(*person).or_default().push(line.clone());
            }
            past.by_attendance.entry(line.source_id.clone()).or_default().push(line);
        }
        Ok(past)
    }

    fn street(
        &self,
        attendance: AttendanceId,
        person: PersonId,
        at: NaiveDateTime,
        by_workplace: &HashSet<TargetId>,
    ) -> Option<OrganisationId> {
        let fits = |line: &&Line| by_workplace.contains(&line.target_id);
        let own = self.by_attendance.get(attendance.0.as_bytes().as_slice());
        let own = own.and_then(|lines| lines.iter().find(fits));
        let before = || {
            let earlier = |line: &&Line| line.recorded_at <= at;
            let lines = self.by_person.get(&person)?;
            lines.iter().filter(fits).filter(earlier).max_by_key(|line| (line.recorded_at, line.id))
        };
        own.or_else(before).map(|line| line.organisation_id)
    }
}
