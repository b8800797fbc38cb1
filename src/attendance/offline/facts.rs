//! What scans are judged by: sign-ups, sessions, who was seen at once, and what the desk decided. Read under the sessions' locks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDateTime;
use diesel::prelude::*;
use uuid::Uuid;

use super::settling::{Alone, Fact, Known, Room, Seat, Seen};
use crate::attendance::model::{
    Attendance, Conflict, ConflictReason, ConflictState, Direction, Proposal, Scan, ScanOutcome, Voiding,
};
use crate::attendance::{rules, store};
use crate::error::Result;
use crate::ids::{ActivityId, PersonId, SessionId};
use crate::offering;
use crate::offering::model::{Activity, ActivityState, AttendanceRole, RoleMeaning, Session, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, checkin_conflicts, scans, sessions};
use crate::signup;
use crate::signup::model::{Claim, SignupState};

/// Parameters of one statement: some, not thousands.
const SOME: usize = 500;

/// Sessions that overlap one of `those` and at which one of `people` was ever present or in doubt. A scan that was neither changes nothing
/// elsewhere.
pub fn neighbours(conn: &mut Conn, those: &[Session], people: &[PersonId]) -> Result<BTreeSet<SessionId>> {
    let mut found = BTreeSet::new();
    for session in those {
        let overlaps = || {
            sessions::table
                .filter(sessions::id.ne(session.id))
                .filter(sessions::starts_at.lt(session.ends_at))
                .filter(sessions::ends_at.gt(session.starts_at))
                .select(sessions::id)
        };
        for some in people.chunks(SOME) {
            let doubted = checkin_conflicts::table
                .filter(checkin_conflicts::person_id.eq_any(some))
                .filter(checkin_conflicts::session_id.eq_any(overlaps()))
                .select(checkin_conflicts::session_id)
                .distinct();
            found.extend(doubted.load::<SessionId>(conn)?);
            let present = attendances::table
                .filter(attendances::person_id.eq_any(some))
                .filter(attendances::session_id.eq_any(overlaps()))
                .select(attendances::session_id)
                .distinct();
            found.extend(present.load::<SessionId>(conn)?);
        }
    }
    Ok(found)
}

/// Everybody who was ever scanned at a session.
pub fn everybody(conn: &mut Conn, session: SessionId) -> Result<Vec<PersonId>> {
    let query = scans::table.filter(scans::session_id.eq(session)).select(scans::person_id).distinct();
    Ok(query.load::<Option<PersonId>>(conn)?.into_iter().flatten().collect())
}

/// Whether the room of a session may be too small for `more` people, or was before.
pub fn is_tight(conn: &mut Conn, session: &Session, activity: &Activity, more: usize) -> Result<bool> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    if session.present.saturating_add(more) > activity.capacity {
        return Ok(true);
    }
    let full = checkin_conflicts::table
        .filter(checkin_conflicts::session_id.eq(session.id))
        .filter(checkin_conflicts::reason.eq(ConflictReason::Full))
        .filter(checkin_conflicts::state.ne(ConflictState::Dissolved));
    Ok(full.count().get_result::<i64>(conn)? > 0)
}

/// What is known of some people at some sessions.
pub struct Ground {
    /// Sessions with their activities.
    pub sessions: BTreeMap<SessionId, (Session, Activity)>,
    /// Scans without a signal.
    pub scans: Vec<Scan>,
    /// What is kept of attendance, standing or void.
    pub kept: HashMap<Seat, Attendance>,
    /// Conflicts that are open or decided.
    pub conflicts: HashMap<Seat, Conflict>,
    /// Live sign-ups, or the last one that was cancelled.
    pub signups: HashMap<(ActivityId, PersonId), Claim>,
    roles: HashMap<AttendanceRole, RoleMeaning>,
    seen: HashMap<Seat, Seen>,
}

impl Ground {
    /// Reads it.
    pub fn load(conn: &mut Conn, ids: &BTreeSet<SessionId>, people: &BTreeSet<PersonId>) -> Result<Self> {
        let ids: Vec<SessionId> = ids.iter().copied().collect();
        let people: Vec<PersonId> = people.iter().copied().collect();
        let rows: Vec<Session> =
            sessions::table.filter(sessions::id.eq_any(&ids)).select(Session::as_select()).load(conn)?;
        let mut activity_ids: Vec<ActivityId> = rows.iter().map(|row| row.activity_id).collect();
        activity_ids.sort();
        activity_ids.dedup();
        let found = offering::store::activities_by_id(conn, &activity_ids)?;
        let with_activity = |row: Session| {
            let activity = found.get(&row.activity_id)?.0.clone();
            Some((row.id, (row, activity)))
        };
        let mut ground = Self {
            sessions: rows.into_iter().filter_map(with_activity).collect(),
            scans: Vec::new(),
            kept: HashMap::new(),
            conflicts: HashMap::new(),
            signups: HashMap::new(),
            roles: offering::store::roles(conn)?,
            seen: HashMap::new(),
        };
        for some in people.chunks(SOME) {
            ground.load_some(conn, &ids, &activity_ids, some)?;
        }
        Ok(ground)
    }

    fn load_some(
        &mut self,
        conn: &mut Conn,
        ids: &[SessionId],
        activity_ids: &[ActivityId],
        people: &[PersonId],
    ) -> Result<()> {
        for id in ids {
            let kept = store::kept(conn, *id, people)?;
            self.kept.extend(kept.into_values().map(|row| ((row.session_id, row.person_id), row)));
            for scan in store::scans_of(conn, *id, people)? {
                if scan.device_id.is_some() {
                    self.scans.push(scan);
                } else {
                    self.see(&scan);
                }
            }
        }
        let conflicts: Vec<Conflict> = checkin_conflicts::table
            .filter(checkin_conflicts::session_id.eq_any(ids))
            .filter(checkin_conflicts::person_id.eq_any(people))
            .filter(checkin_conflicts::state.ne(ConflictState::Dissolved))
            .select(Conflict::as_select())
            .load(conn)?;
        self.conflicts.extend(conflicts.into_iter().map(|row| ((row.session_id, row.person_id), row)));
        for activity in activity_ids {
            for row in signup::store::claims(conn, *activity, people)? {
                let key = (row.activity_id, row.person_id);
                let live = self.signups.get(&key).is_some_and(|known| known.state != SignupState::Cancelled);
                if !live {
                    self.signups.insert(key, row);
                }
            }
        }
        Ok(())
    }

    /// Takes in what was seen with a signal.
    fn see(&mut self, scan: &Scan) {
        let Some(person) = scan.person_id else { return };
        let seat = (scan.session_id, person);
        match (scan.direction, scan.outcome) {
            (Direction::In, ScanOutcome::Accepted | ScanOutcome::Duplicate) => {
                let seen = self.seen.entry(seat).or_insert(Seen { at: NaiveDateTime::MAX, left: None });
                seen.at = seen.at.min(scan.happened_at);
            }
            (Direction::Out, ScanOutcome::Left) => {
                let seen = self.seen.entry(seat).or_insert(Seen { at: NaiveDateTime::MAX, left: None });
                seen.left = seen.left.max(Some(scan.happened_at));
            }
            _ => {}
        }
    }

    /// As what somebody takes part.
    pub fn role(&self, seat: Seat) -> Option<AttendanceRole> {
        let (session, _) = self.sessions.get(&seat.0)?;
        self.signups
            .get(&(session.activity_id, seat.1))
            .map(|signup| signup.role)
            .or_else(|| self.kept.get(&seat).map(|row| row.role))
    }

    fn is_off(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|(session, activity)| {
            session.state == SessionState::Cancelled
                || activity.state == ActivityState::Cancelled
                || activity.state == ActivityState::Postponed && session.state == SessionState::Planned
        })
    }

    /// What is known beside the scans. The rooms of `tight` are looked at; in the others everybody fits.
    pub fn known(&self, tight: &BTreeSet<SessionId>) -> Known {
        let mut known = Known::default();
        for (id, (session, activity)) in &self.sessions {
            let seats = tight.contains(id).then_some(activity.capacity);
            known.rooms.insert(*id, Room { starts_at: session.starts_at, ends_at: session.ends_at, seats });
        }
        for (seat, seen) in &self.seen {
            // Somebody who only left was let in by a scan that is yet to come.
            if seen.at != NaiveDateTime::MAX {
                known.seen.insert(*seat, *seen);
            }
        }
        for (seat, row) in &self.kept {
            match row.voided_because {
                Some(Voiding::Undone | Voiding::Rejected) if !known.seen.contains_key(seat) => {
                    known.decided.insert(*seat, false);
                }
                // What was recorded before a session was called off is history.
                None if self.is_off(seat.0) => {
                    known.seen.entry(*seat).or_insert(Seen { at: row.checked_in_at, left: row.left_at });
                }
                _ => {}
            }
        }
        for (seat, conflict) in &self.conflicts {
            match conflict.state {
                ConflictState::Approved => known.decided.insert(*seat, true),
                ConflictState::Rejected => known.decided.insert(*seat, false),
                ConflictState::Open | ConflictState::Dissolved => None,
            };
        }
        let takes_none = |seat: &Seat| {
            let role = self.role(*seat).and_then(|role| self.roles.get(&role));
            role.is_some_and(|role| !role.takes_place)
        };
        let seats: HashSet<Seat> =
            self.scans.iter().filter_map(seat_of).chain(known.seen.keys().copied()).collect();
        known.placeless = seats.into_iter().filter(takes_none).collect();
        known
    }

    /// The scans, each judged by itself.
    pub fn facts(&self, known: &Known) -> Vec<Fact> {
        self.scans.iter().filter_map(|scan| self.fact(scan, known)).collect()
    }

    fn fact(&self, scan: &Scan, known: &Known) -> Option<Fact> {
        let seat = seat_of(scan)?;
        let client = scan.client_id.as_deref().and_then(|bytes| Uuid::from_slice(bytes).ok())?;
        let alone = self.alone(scan, seat, known.seen.contains_key(&seat));
        Some(Fact { id: scan.id, seat, direction: scan.direction, at: scan.happened_at, client, alone })
    }

    fn alone(&self, scan: &Scan, seat: Seat, seen: bool) -> Alone {
        let Some((session, activity)) = self.sessions.get(&seat.0) else {
            return Alone::Refused(ScanOutcome::NotOpen);
        };
        if let Some(why) = scan.refused {
            return Alone::Refused(why);
        }
        if !rules::is_open_at(session, scan.happened_at.and_utc()) {
            return Alone::Refused(ScanOutcome::NotOpen);
        }
        let signup = self.signups.get(&(activity.id, seat.1));
        if self.is_off(session.id) && !seen {
            return Alone::Doubtful(ConflictReason::SessionCancelled, Proposal::LeaveOut);
        }
        let meaning = signup.and_then(|signup| self.roles.get(&signup.role));
        match signup {
            _ if seen => {}
            None => return Alone::Refused(ScanOutcome::NotSignedUp),
            Some(row) if row.state == SignupState::Cancelled => {
                // Whoever came before they cancelled was there.
                let before = row.cancelled_at.is_some_and(|at| scan.happened_at < at);
                let proposal = if before { Proposal::Count } else { Proposal::LeaveOut };
                return Alone::Doubtful(ConflictReason::SignupCancelled, proposal);
            }
            Some(row) if !rules::admits(row.state, meaning) => {
                return Alone::Refused(ScanOutcome::NotSignedUp);
            }
            Some(_) => {}
        }
        if scan.clock_off {
            return Alone::Doubtful(ConflictReason::Clock, Proposal::Count);
        }
        Alone::Clean
    }
}

/// Whose scan it is, where.
pub fn seat_of(scan: &Scan) -> Option<Seat> {
    scan.person_id.map(|person| (scan.session_id, person))
}
