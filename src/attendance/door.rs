//! The door: records what comes in one by one, with a signal, a batch at a time.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::api::CheckinView;
use super::entering::{Candidate, Entered, Entrance, Left};
use super::model::{CheckinMethod, Direction, Distance, Scan, ScanOutcome};
use super::{rules, store};
use crate::clock::{SharedClock, db_time};
use crate::error::{Error, Result};
use crate::ids::{PersonId, SessionId};
use crate::offering;
use crate::offering::model::{Activity, AttendanceRole, Session};
use crate::org;
use crate::platform::access::Scope;
use crate::platform::audit;
use crate::platform::db::{Batch, BatchHandler, Batcher, Conn};
use crate::platform::http::Stored;
use crate::platform::http::idempotency::{self, Use};

/// Somebody at the door.
#[derive(Debug)]
pub struct Knock {
    /// At which session.
    pub session: SessionId,
    /// Who; what is wrong with their code otherwise.
    pub who: std::result::Result<PersonId, (ScanOutcome, Option<PersonId>)>,
    /// In or out.
    pub direction: Direction,
    /// The way in.
    pub method: CheckinMethod,
    /// How far from the venue.
    pub distance: Option<Distance>,
    /// SHA-256 of a code that names nobody.
    pub code_hash: Option<Vec<u8>>,
    /// As what somebody comes who has not signed up.
    pub unregistered: Option<AttendanceRole>,
    /// Where the operator may check people in; none of somebody who does it themselves.
    pub scope: Option<Scope>,
    /// Who asks, under which key.
    pub one: Use,
}

/// The thread that all scans of this instance go through.
pub type Door = Batcher<DoorHandler>;

/// Records batches of scans.
pub struct DoorHandler {
    /// The present.
    pub clock: SharedClock,
    /// Lets people in.
    pub entrance: Entrance,
}

impl BatchHandler for DoorHandler {
    type Request = Knock;
    type Reply = Stored;

    fn handle_in_tx(&self, conn: &mut Conn, batch: Batch<'_, Knock>) -> Result<Vec<Result<Stored>>> {
        let now = self.clock.now();
        let mut work = Work { replies: batch.iter().map(|_| None).collect(), ..Work::default() };
        let mut ids: Vec<SessionId> = batch.iter().map(|knock| knock.session).collect();
        ids.sort();
        ids.dedup();
        let mut sessions = offering::store::sessions_lock_in_tx(conn, &ids)?;
        // Behind the lock, so that a repetition that waited for the first one's commit finds its answer.
        let uses: Vec<&Use> = batch.iter().map(|knock| &knock.one).collect();
        for (place, known) in idempotency::decided_in_tx(conn, &uses)? {
            work.answer(place, known);
        }
        let mut by_session: BTreeMap<SessionId, Vec<(usize, &Knock)>> = BTreeMap::new();
        for (place, knock) in batch.iter().enumerate() {
            if work.is_open(place) {
                by_session.entry(knock.session).or_default().push((place, knock));
            }
        }
        for (id, knocks) in by_session {
            match sessions.remove(&id) {
                Some(session) => self.record(conn, session, &knocks, &mut work, now)?,
                None => knocks.iter().for_each(|(place, _)| work.answer(*place, Err(Error::not_found()))),
            }
        }
        self.write_beside(conn, batch, &mut work, now)?;
        let undecided = || Err(Error::internal("undecided scan"));
        Ok(work.replies.into_iter().map(|reply| reply.unwrap_or_else(undecided)).collect())
    }
}

/// What a batch leaves to be written and answered.
#[derive(Default)]
struct Work {
    replies: Vec<Option<Result<Stored>>>,
    scans: Vec<Scan>,
    stored: Vec<(usize, Stored)>,
    left: Left,
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

impl DoorHandler {
    /// Records the scans at one locked session.
    fn record(
        &self,
        conn: &mut Conn,
        session: Session,
        knocks: &[(usize, &Knock)],
        work: &mut Work,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let found = offering::store::activity_get(conn, session.activity_id)?;
        let mut coming: Vec<(usize, &Knock, PersonId)> = Vec::new();
        for (place, knock) in knocks {
            if let Some(Err(unknown)) = knock.scope.as_ref().map(|scope| scope.require(&found.path)) {
                work.answer(*place, Err(unknown));
                continue;
            }
            match (knock.who, rules::door(&session, &found.activity, now)) {
                (Ok(person), None) => coming.push((*place, knock, person)),
                (Ok(person), Some(why)) => self.refuse(work, (*place, knock), why, Some(person), now),
                (Err((why, person)), _) => self.refuse(work, (*place, knock), why, person, now),
            }
        }
        let (inwards, outwards): (Vec<_>, Vec<_>) =
            coming.into_iter().partition(|(_, knock, _)| knock.direction == Direction::In);
        self.let_in(conn, &session, &found.activity, &inwards, work, now)?;
        for (place, knock, person) in outwards {
            self.let_out(conn, &session, &found.activity, (place, knock, person), work, now)?;
        }
        Ok(())
    }

    fn let_in(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        coming: &[(usize, &Knock, PersonId)],
        work: &mut Work,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if coming.is_empty() {
            return Ok(());
        }
        let candidates: Vec<Candidate> = coming
            .iter()
            .map(|(_, knock, person)| Candidate {
                person: *person,
                method: knock.method,
                distance: knock.distance,
                at: now,
                by: knock.one.principal,
                unregistered: knock.unregistered,
                decided: false,
            })
            .collect();
        let entered = self.entrance.enter_in_tx(conn, session, activity, &candidates, &mut work.left)?;
        for ((place, knock, person), one) in coming.iter().zip(entered) {
            match one {
                Entered::Present { row, name, fresh } => {
                    let outcome = if fresh { ScanOutcome::Accepted } else { ScanOutcome::Duplicate };
                    work.scans.push(self.scan(knock, outcome, Some(*person), now));
                    let view = CheckinView::new(&row, activity, name.as_deref(), !fresh);
                    work.stored.push((*place, Stored::done(1, &view)?));
                }
                Entered::Refused { why, signup } => {
                    self.refuse(work, (*place, knock), why, Some(*person), now);
                    if let Some(state) = signup.filter(|_| why == ScanOutcome::NotSignedUp) {
                        work.answer(*place, Err(rules::without_place(state)));
                    }
                }
            }
        }
        Ok(())
    }

    fn let_out(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        (place, knock, person): (usize, &Knock, PersonId),
        work: &mut Work,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(row) = store::leave_in_tx(conn, session.id, person, now)? else {
            self.refuse(work, (place, knock), ScanOutcome::NotPresent, Some(person), now);
            return Ok(());
        };
        let brief: HashMap<_, _> = store::people_brief(conn, &[person])?;
        let name = brief.get(&person).and_then(|(name, _)| name.as_deref());
        work.scans.push(self.scan(knock, ScanOutcome::Left, Some(person), now));
        work.stored.push((place, Stored::done(1, &CheckinView::new(&row, activity, name, true))?));
        Ok(())
    }

    fn refuse(
        &self,
        work: &mut Work,
        (place, knock): (usize, &Knock),
        why: ScanOutcome,
        person: Option<PersonId>,
        now: DateTime<Utc>,
    ) {
        work.scans.push(self.scan(knock, why, person, now));
        work.answer(place, Err(rules::refusal(why)));
    }

    fn scan(
        &self,
        knock: &Knock,
        outcome: ScanOutcome,
        person: Option<PersonId>,
        now: DateTime<Utc>,
    ) -> Scan {
        Scan {
            id: self.entrance.ids.id(),
            session_id: knock.session,
            person_id: person,
            operator_id: knock.one.principal,
            device_id: None,
            bundle_id: None,
            direction: knock.direction,
            method: knock.method,
            outcome,
            happened_at: db_time(now),
            received_at: db_time(now),
            distance: knock.distance,
            code_hash: knock.code_hash.clone().filter(|_| person.is_none()),
            client_id: None,
            client_seq: None,
            digest: None,
        }
    }

    /// Every scan, the answers under their keys, the plan's figures and, last, the audit chain.
    fn write_beside(
        &self,
        conn: &mut Conn,
        batch: &[Knock],
        work: &mut Work,
        now: DateTime<Utc>,
    ) -> Result<()> {
        store::scans_create_in_tx(conn, &work.scans)?;
        let answers: Vec<(&Use, &Stored)> = work
            .stored
            .iter()
            .filter_map(|(place, stored)| batch.get(*place).map(|knock| (&knock.one, stored)))
            .collect();
        idempotency::store_in_tx(conn, &answers, now)?;
        work.left.count_in_tx(conn, self.entrance.counting.as_ref())?;
        audit::append_in_tx(conn, now, std::mem::take(&mut work.left.entries))?;
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
