//! The check-in desk: records scans, a batch at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::api::CheckinView;
use super::counting::{Attended, Counting};
use super::model::{Attempt, Attendance, CheckinMethod, ScanOutcome};
use super::{rules, store};
use crate::clock::{SharedClock, db_time};
use crate::error::{Error, Result};
use crate::ids::{Ids, PersonId, SessionId};
use crate::ledger::model::Grade;
use crate::offering;
use crate::offering::model::{Activity, AttendanceRole, RoleMeaning, Session};
use crate::org;
use crate::platform::access::Scope;
use crate::platform::audit::{self, Entry};
use crate::platform::db::{Batch, BatchHandler, Batcher, Conn};
use crate::platform::http::Stored;
use crate::platform::http::idempotency::{self, Use};
use crate::signup;

/// A scan.
#[derive(Debug)]
pub struct Scan {
    /// At which session.
    pub session: SessionId,
    /// Whose pass; what is wrong with it otherwise.
    pub pass: std::result::Result<PersonId, (ScanOutcome, Option<PersonId>)>,
    /// Where the operator may check people in.
    pub scope: Scope,
    /// Who scans, under which key.
    pub one: Use,
}

/// The thread that all scans of this instance go through.
pub type Desk = Batcher<DeskHandler>;

/// Records batches of scans.
pub struct DeskHandler {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Counts attendance for the plan.
    pub counting: Arc<dyn Counting>,
}

impl BatchHandler for DeskHandler {
    type Request = Scan;
    type Reply = Stored;

    fn handle_in_tx(&self, conn: &mut Conn, batch: Batch<'_, Scan>) -> Result<Vec<Result<Stored>>> {
        let mut work = Work { replies: batch.iter().map(|_| None).collect(), ..Work::default() };
        let mut ids: Vec<SessionId> = batch.iter().map(|scan| scan.session).collect();
        ids.sort();
        ids.dedup();
        let sessions = offering::store::sessions_lock_in_tx(conn, &ids)?;
        // Behind the lock, so that a repetition that waited for the first one's commit finds its answer.
        let uses: Vec<&Use> = batch.iter().map(|scan| &scan.one).collect();
        for (place, known) in idempotency::decided_in_tx(conn, &uses)? {
            work.answer(place, known);
        }
        let mut by_session: BTreeMap<SessionId, Vec<usize>> = BTreeMap::new();
        for (place, scan) in batch.iter().enumerate() {
            if work.is_open(place) {
                by_session.entry(scan.session).or_default().push(place);
            }
        }
        for (id, places) in by_session {
            match sessions.get(&id) {
                Some(session) => self.record(conn, session, &places, batch, &mut work)?,
                None => places.into_iter().for_each(|place| work.answer(place, Err(Error::not_found()))),
            }
        }
        self.write_beside(conn, batch, &mut work)?;
        Ok(work
            .replies
            .into_iter()
            .map(|reply| reply.unwrap_or_else(|| Err(Error::internal("undecided scan"))))
            .collect())
    }
}

/// What a batch leaves to be written and answered.
#[derive(Default)]
struct Work {
    replies: Vec<Option<Result<Stored>>>,
    attempts: Vec<Attempt>,
    attended: Vec<Attended>,
    stored: Vec<(usize, Stored)>,
    entries: Vec<Entry>,
}

impl Work {
    fn answer(&mut self, place: usize, reply: Result<Stored>) {
        if let Some(slot) = self.replies.get_mut(place) {
            *slot = Some(reply);
        }
    }

    fn is_open(&self, place: usize) -> bool {
        self.replies.get(place).is_some_and(Option::is_none)
    }
}

type Roles = HashMap<AttendanceRole, RoleMeaning>;

/// The room behind a door.
struct Room {
    left: i64,
    /// Of those who are scanned, who is inside already.
    inside: HashSet<PersonId>,
}

impl Room {
    /// Whether there is room for `person`, who then has it.
    fn enter(&mut self, person: PersonId) -> bool {
        if self.inside.contains(&person) {
            return true;
        }
        self.left -= 1;
        self.left >= 0
    }
}

impl DeskHandler {
    /// Records the scans at `places`, all at one locked session.
    fn record(
        &self,
        conn: &mut Conn,
        session: &Session,
        places: &[usize],
        batch: &[Scan],
        work: &mut Work,
    ) -> Result<()> {
        let now = self.clock.now();
        let activity = offering::store::activity_get(conn, session.activity_id)?;
        let mut candidates: Vec<(usize, PersonId)> = Vec::new();
        for &place in places {
            let Some(scan) = batch.get(place) else { continue };
            if let Err(unknown) = scan.scope.require(&activity.path) {
                work.answer(place, Err(unknown));
                continue;
            }
            match (scan.pass, rules::door(session, &activity.activity, now)) {
                (Ok(person), None) => candidates.push((place, person)),
                (Ok(person), Some(outcome)) => self.refuse(work, place, scan, outcome, Some(person)),
                (Err((outcome, person)), _) => self.refuse(work, place, scan, outcome, person),
            }
        }
        if candidates.is_empty() {
            return Ok(());
        }
        let people: Vec<PersonId> = candidates.iter().map(|(_, person)| *person).collect();
        let signups = signup::store::live_locked_in_tx(conn, session.activity_id, &people)?;
        let roles = offering::store::roles(conn)?;
        let brief = store::people_brief(conn, &people)?;
        let mut room = self.room(conn, session, &activity.activity, &roles, &people)?;
        let mut wanted = HashSet::new();
        let mut full = HashSet::new();
        let mut rows: Vec<Attendance> = Vec::new();
        for (place, person) in &candidates {
            let (Some(scan), Some(signup)) = (batch.get(*place), signups.get(person)) else { continue };
            let role = roles.get(&signup.role);
            if !rules::admits(signup.state, role) || !wanted.insert(*person) {
                continue;
            }
            if role.is_none_or(|role| role.takes_place) && !room.enter(*person) {
                full.insert(*person);
                continue;
            }
            rows.push(Attendance {
                id: self.ids.id(),
                session_id: session.id,
                person_id: *person,
                signup_id: signup.id,
                role: signup.role,
                method: CheckinMethod::StaffScan,
                grade: Grade::B,
                checked_in_at: db_time(now),
                checked_in_by: scan.one.principal,
            });
        }
        let inserted = store::insert_new_in_tx(conn, &rows)?;
        let fresh: Vec<&Attendance> = rows.iter().filter(|row| inserted.contains(&row.id)).collect();
        let present = store::present(conn, session.id, &people)?;
        let mut first: HashSet<PersonId> = fresh.iter().map(|row| row.person_id).collect();
        for (place, person) in candidates {
            let Some(scan) = batch.get(place) else { continue };
            let Some(row) = present.get(&person) else {
                let outcome =
                    if full.contains(&person) { ScanOutcome::Full } else { ScanOutcome::NotSignedUp };
                self.refuse(work, place, scan, outcome, Some(person));
                if let Some(signup) = signups.get(&person).filter(|_| outcome == ScanOutcome::NotSignedUp) {
                    work.answer(place, Err(rules::without_place(signup.state)));
                }
                continue;
            };
            let outcome = if first.remove(&person) { ScanOutcome::Accepted } else { ScanOutcome::Duplicate };
            work.attempts.push(self.attempt(scan, outcome, Some(person)));
            let name = brief.get(&person).and_then(|(name, _)| name.as_deref());
            let view = CheckinView::new(row, &activity.activity, name, outcome == ScanOutcome::Duplicate);
            work.stored.push((place, Stored::done(1, &view)?));
        }
        self.count(conn, session, &activity.activity, &fresh, (&brief, &roles), work)
    }

    /// How many more the room holds of those who take a place. The session's lock keeps other scans away.
    fn room(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        roles: &Roles,
        people: &[PersonId],
    ) -> Result<Room> {
        let asked = i64::try_from(people.len()).unwrap_or(i64::MAX);
        if session.present.saturating_add(asked) <= activity.capacity {
            // Even if everybody took a place; the usual case, without a question to the database.
            return Ok(Room { left: asked, inside: HashSet::new() });
        }
        let taking: Vec<AttendanceRole> =
            roles.values().filter(|role| role.takes_place).map(|role| role.code).collect();
        let inside = store::present(conn, session.id, people)?.into_keys().collect();
        Ok(Room { left: activity.capacity - store::present_as(conn, session.id, &taking)?, inside })
    }

    fn count(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        fresh: &[&Attendance],
        (brief, roles): (&HashMap<PersonId, store::Brief>, &Roles),
        work: &mut Work,
    ) -> Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        offering::store::present_add_in_tx(conn, session.id, i64::try_from(fresh.len()).unwrap_or(i64::MAX))?;
        let signups: Vec<_> = fresh.iter().map(|row| row.signup_id).collect();
        signup::store::attended_in_tx(conn, &signups)?;
        work.attended.extend(fresh.iter().map(|row| Attended {
            attendance: row.id,
            person: row.person_id,
            workplace: brief.get(&row.person_id).and_then(|(_, workplace)| *workplace),
            activity: activity.id,
            starts_at: session.starts_at.and_utc(),
            role: row.role,
            counts: roles.get(&row.role).is_some_and(|role| role.counts),
            grade: row.grade,
        }));
        work.entries.extend(fresh.iter().map(|row| {
            Entry::new(row.checked_in_by, "checkin.create", row.id)
                .detail(serde_json::json!({ "session": session.id, "person": row.person_id }))
        }));
        Ok(())
    }

    fn refuse(
        &self,
        work: &mut Work,
        place: usize,
        scan: &Scan,
        outcome: ScanOutcome,
        person: Option<PersonId>,
    ) {
        work.attempts.push(self.attempt(scan, outcome, person));
        work.answer(place, Err(rules::refusal(outcome)));
    }

    fn attempt(&self, scan: &Scan, outcome: ScanOutcome, person: Option<PersonId>) -> Attempt {
        Attempt {
            id: self.ids.id(),
            session_id: scan.session,
            person_id: person,
            operator_id: scan.one.principal,
            outcome,
            at: db_time(self.clock.now()),
        }
    }

    /// Every scan, the answers under their keys, the plan's figures and, last, the audit chain.
    fn write_beside(&self, conn: &mut Conn, batch: &[Scan], work: &mut Work) -> Result<()> {
        let now = self.clock.now();
        store::attempts_create_in_tx(conn, &work.attempts)?;
        let answers: Vec<(&Use, &Stored)> = work
            .stored
            .iter()
            .filter_map(|(place, stored)| batch.get(*place).map(|scan| (&scan.one, stored)))
            .collect();
        idempotency::store_in_tx(conn, &answers, now)?;
        self.counting.attended_in_tx(conn, &work.attended)?;
        audit::append_in_tx(conn, now, std::mem::take(&mut work.entries))?;
        for (place, stored) in std::mem::take(&mut work.stored) {
            work.answer(place, Ok(stored));
        }
        Ok(())
    }
}

/// Whether an operator with `scope` works for who organises a session's activity; for reads.
pub fn require_session(conn: &mut Conn, scope: &Scope, id: SessionId) -> Result<(Session, Activity)> {
    let (session, found) = offering::store::session_get(conn, id)?;
    scope.require(&org::store::get(conn, found.activity.organisation_id)?.path)?;
    Ok((session, found.activity))
}
