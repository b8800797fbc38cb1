//! People become present: the one place where an attendance comes to be, whatever the way in.
//!
//! The caller holds the session's lock, so that of two ways in one sees the other. Here it is decided who is let in; a new
//! attendance, the room it takes, the sign-up that it fulfils and what it counts for are written together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::json;

use super::counting::{Attended, Counting};
use super::model::{Attendance, CheckinMethod, Distance, ScanOutcome, Voiding};
use super::{headcounts, rules, store};
use crate::clock::{SharedClock, db_time};
use crate::error::Result;
use crate::ids::{AttendanceId, Ids, PersonId, ScanId, SessionId};
use crate::ledger::model::Cause;
use crate::offering;
use crate::offering::model::{Activity, AttendanceRole, RoleMeaning, Session};
use crate::people;
use crate::platform::audit::Entry;
use crate::platform::cache::Lately;
use crate::platform::db::Conn;
use crate::signup;
use crate::signup::model::{Claim, SignupState};

/// Somebody at the door.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Who.
    pub person: PersonId,
    /// The way in.
    pub method: CheckinMethod,
    /// How far from the venue, where that is known.
    pub distance: Option<Distance>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who says so.
    pub by: PersonId,
    /// As what somebody comes who has not signed up; none where nobody may.
    pub unregistered: Option<AttendanceRole>,
    /// The scan without a signal that says so.
    pub scan: Option<ScanId>,
    /// Whether it counts whatever else would be asked here: the desk has decided so.
    pub decided: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Entered {
    /// They are present.
    Present {
        /// The attendance.
        row: Attendance,
        /// Their name.
        name: Option<String>,
        /// Whether they were not before.
        fresh: bool,
    },
    /// They are not let in.
    Refused {
        /// Why.
        why: ScanOutcome,
        /// Their sign-up, where they have one.
        signup: Option<SignupState>,
    },
}

/// What is left to be written beside attendances.
#[derive(Debug, Default)]
pub struct Left {
    /// What counts.
    pub attended: Vec<Attended>,
    /// At which sessions more or fewer are present than before: a crowd that was counted there is counted less them.
    pub moved: BTreeSet<SessionId>,
    /// Who did what.
    pub entries: Vec<Entry>,
}

impl Left {
    /// Counts what there is to count. The audit entries are the caller's to write, last.
    pub fn count_in_tx(&mut self, conn: &mut Conn, counting: &dyn Counting) -> Result<()> {
        counting.attended_in_tx(conn, &std::mem::take(&mut self.attended))?;
        headcounts::recounting::recount_in_tx(conn, counting, &std::mem::take(&mut self.moved))
    }
}

/// Lets people in.
#[derive(Clone)]
pub struct Entrance {
    clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Counts attendance for the plan.
    pub counting: Arc<dyn Counting>,
    roles: Arc<Lately<(), Roles>>,
}

type Roles = HashMap<AttendanceRole, RoleMeaning>;

/// The room behind a door.
struct Room {
    left: i64,
    /// Places of those who are still expected: nobody without a sign-up takes them.
    expected: i64,
}

impl Room {
    /// Whether there is room for somebody, who then has it.
    fn enter(&mut self, has_place: bool) -> bool {
        if self.left <= if has_place { 0 } else { self.expected } {
            return false;
        }
        self.left -= 1;
        if has_place {
            self.expected -= 1;
        }
        true
    }
}

/// What is known of those at the door.
struct Known {
    signups: HashMap<PersonId, Claim>,
    kept: HashMap<PersonId, Attendance>,
    /// Of these, those that do not stand.
    void: HashMap<AttendanceId, Option<Voiding>>,
    brief: HashMap<PersonId, store::Brief>,
    roles: Arc<Roles>,
    /// Who was erased, and when: what a device recorded before that stands.
    erased: HashMap<PersonId, NaiveDateTime>,
}

impl Known {
    fn load(conn: &mut Conn, session: &Session, people: &[PersonId], roles: Arc<Roles>) -> Result<Self> {
        let kept = store::kept(conn, session.id, people)?;
        let void = kept.values().filter(|row| row.voided_at.is_some());
        let void = void.map(|row| (row.id, row.voided_because)).collect();
        Ok(Self {
            signups: signup::store::live_locked_in_tx(conn, session.activity_id, people)?,
            kept,
            void,
            brief: store::people_brief(conn, people)?,
            roles,
            erased: people::erasing::erased(conn, people)?,
        })
    }

    fn name(&self, person: PersonId) -> Option<String> {
        self.brief.get(&person).and_then(|(name, _)| name.clone())
    }
}

impl Entrance {
    /// What roles mean is used again for `moment`: only a new seed changes it.
    pub fn new(clock: SharedClock, ids: Ids, counting: Arc<dyn Counting>, moment: Duration) -> Self {
        Self { clock, ids, counting, roles: Arc::new(Lately::new(moment)) }
    }

    /// Decides about `candidates`, in their order, at one locked session whose door is open, and writes those who are new.
    pub fn enter_in_tx(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        candidates: &[Candidate],
        left: &mut Left,
    ) -> Result<Vec<Entered>> {
        let mut people: Vec<PersonId> = candidates.iter().map(|one| one.person).collect();
        people.sort();
        people.dedup();
        people::erasing::GATE.pass_in_tx(conn)?;
        let roles = self.roles.get((), self.clock.now(), || offering::store::roles(conn))?;
        let mut known = Known::load(conn, session, &people, roles)?;
        let mut room = self.room(conn, session, activity, &known, candidates)?;
        let mut fresh: Vec<Attendance> = Vec::new();
        let mut entered = Vec::with_capacity(candidates.len());
        for one in candidates {
            let standing = known.kept.get(&one.person).filter(|row| row.voided_at.is_none());
            if let Some(row) = standing {
                let name = known.name(one.person);
                entered.push(Entered::Present { row: row.clone(), name, fresh: false });
                continue;
            }
            match self.admit(session, &known, &mut room, one) {
                Ok(row) => {
                    let name = known.name(one.person);
                    known.kept.insert(one.person, row.clone());
                    fresh.push(row.clone());
                    entered.push(Entered::Present { row, name, fresh: true });
                }
                Err(why) => {
                    let signup = known.signups.get(&one.person).map(|signup| signup.state);
                    entered.push(Entered::Refused { why, signup });
                }
            }
        }
        self.write_in_tx(conn, session, activity, &fresh, &known, left)?;
        Ok(entered)
    }

    fn admit(
        &self,
        session: &Session,
        known: &Known,
        room: &mut Room,
        one: &Candidate,
    ) -> std::result::Result<Attendance, ScanOutcome> {
        if known.erased.get(&one.person).is_some_and(|at| db_time(one.at) >= *at) {
            return Err(ScanOutcome::NotEligible);
        }
        let signup = known.signups.get(&one.person);
        let role = match (signup, one.unregistered) {
            (Some(signup), _) => Some(signup.role),
            (None, unregistered) => unregistered,
        };
        let Some(code) = role else { return Err(ScanOutcome::NotSignedUp) };
        let meaning = known.roles.get(&code);
        let takes_place = meaning.is_none_or(|role| role.takes_place);
        let has_place = signup.is_some_and(|signup| signup.state.takes());
        // Whoever waits for the desk, the shuffle or a place does not pass those before them by coming.
        if signup.is_some_and(|signup| !rules::admits(signup.state, meaning)) && !one.decided {
            return Err(ScanOutcome::NotSignedUp);
        }
        if takes_place && !room.enter(has_place) && !one.decided {
            return Err(ScanOutcome::Full);
        }
        let void = known.kept.get(&one.person);
        Ok(Attendance {
            id: void.map_or_else(|| self.ids.id(), |row| row.id),
            session_id: session.id,
            person_id: one.person,
            signup_id: signup.map(|signup| signup.id),
            role: code,
            method: one.method,
            grade: one.method.grade(one.distance),
            checked_in_at: db_time(one.at),
            checked_in_by: one.by,
            left_at: None,
            scan_id: one.scan,
            voided_at: None,
            voided_because: None,
        })
    }

    /// How many more the room holds of those who take a place. The session's lock keeps other ways in away.
    fn room(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        known: &Known,
        candidates: &[Candidate],
    ) -> Result<Room> {
        let asked = i64::try_from(candidates.len()).unwrap_or(i64::MAX);
        let unregistered = candidates.iter().any(|one| one.unregistered.is_some() && !one.decided);
        if !unregistered && session.present.saturating_add(asked) <= activity.capacity {
            // Even if everybody took a place; the usual case, without a question to the database.
            return Ok(Room { left: asked, expected: 0 });
        }
        let taking: Vec<AttendanceRole> =
            known.roles.values().filter(|role| role.takes_place).map(|role| role.code).collect();
        let inside = store::present_as(conn, session.id, &taking)?;
        let expected =
            if unregistered { store::expected(conn, session.id, session.activity_id, &taking)? } else { 0 };
        Ok(Room { left: activity.capacity - inside, expected })
    }

    fn write_in_tx(
        &self,
        conn: &mut Conn,
        session: &Session,
        activity: &Activity,
        fresh: &[Attendance],
        known: &Known,
        left: &mut Left,
    ) -> Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let (again, new): (Vec<Attendance>, Vec<Attendance>) =
            fresh.iter().cloned().partition(|row| known.void.contains_key(&row.id));
        store::insert_in_tx(conn, &new)?;
        for row in &again {
            store::revive_in_tx(conn, row)?;
        }
        let count = i64::try_from(fresh.len()).unwrap_or(i64::MAX);
        offering::store::present_add_in_tx(conn, session.id, count)?;
        left.moved.insert(session.id);
        let signups: Vec<_> = fresh.iter().filter_map(|row| row.signup_id).collect();
        signup::store::attended_in_tx(conn, &signups)?;
        left.attended.extend(fresh.iter().map(|row| Attended {
            attendance: row.id,
            person: row.person_id,
            workplace: known.brief.get(&row.person_id).and_then(|(_, workplace)| *workplace),
            activity: activity.id,
            starts_at: session.starts_at.and_utc(),
            role: row.role,
            counts: known.roles.get(&row.role).is_some_and(|role| role.counts),
            grade: row.grade,
            cause: match known.void.get(&row.id) {
                Some(Some(Voiding::Conflict | Voiding::Rejected)) => Cause::Conflict,
                _ => Cause::New,
            },
        }));
        left.entries.extend(entries(session.id, fresh));
        Ok(())
    }
}

/// Who let whom in. Scans without a signal come by the hundred: one entry names all of them whom somebody has scanned.
fn entries(session: SessionId, fresh: &[Attendance]) -> Vec<Entry> {
    let (uploaded, others): (Vec<&Attendance>, Vec<&Attendance>) =
        fresh.iter().partition(|row| row.scan_id.is_some());
    let single = |row: &Attendance| {
        let detail = json!({ "session": session, "person": row.person_id, "method": row.method });
        Entry::new(row.checked_in_by, "checkin.create", row.id).detail(detail)
    };
    let mut entries: Vec<Entry> = others.into_iter().map(single).collect();
    let mut people: BTreeMap<PersonId, Vec<PersonId>> = BTreeMap::new();
    for row in uploaded {
        people.entry(row.checked_in_by).or_default().push(row.person_id);
    }
    entries.extend(people.into_iter().map(|(by, people)| {
        let detail = json!({ "method": CheckinMethod::StaffScan, "people": people });
        Entry::new(by, "checkins.upload", session).detail(detail)
    }));
    entries
}
