//! Scans without a signal come in, and everything that they concern is settled anew.
//!
//! The device is held first, then the sessions in the order of their ids, so that of two uploads one sees the other's scans. Only what has
//! changed is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::conflicts;
use super::devices::{self, DeviceTask};
use super::facts::{self, Ground};
use super::settling::{self, Presence, Seat, Settled};
use crate::attendance::completing;
use crate::attendance::entering::{Candidate, Entrance, Left};
use crate::attendance::model::{CheckinMethod, ConflictState, Direction, Scan, ScanOutcome, Voiding};
use crate::attendance::store;
use crate::attendance::undoing::{self, Why};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, AttendanceId, DeviceId, PersonId, ScanId, SessionId};
use crate::ledger::model::Cause;
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::model::{Activity, Session, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{attendances, scans};
use crate::review::deciding::Desk;
use crate::signup::penalty;

/// What settling works with.
#[derive(Clone)]
pub struct Settler {
    /// Lets people in.
    pub entrance: Entrance,
    /// Takes conflicts.
    pub desk: Desk,
}

/// A scan as a device tells it, its pass looked at.
#[derive(Debug, Clone)]
pub struct Told {
    /// The device's own name of it.
    pub client: Uuid,
    /// Its place in the device's order.
    pub seq: i64,
    /// In or out.
    pub direction: Direction,
    /// When it happened: as the device says, or as the pass proves.
    pub at: DateTime<Utc>,
    /// Whether the two do not agree.
    pub clock_off: bool,
    /// Whose pass it is.
    pub person: Option<PersonId>,
    /// SHA-256 of a pass that is nobody's.
    pub code_hash: Option<Vec<u8>>,
    /// SHA-256 of what the device said.
    pub digest: Vec<u8>,
    /// What is wrong with it whatever comes later.
    pub refused: Option<ScanOutcome>,
}

/// An upload.
#[derive(Debug, Clone)]
pub struct Upload {
    /// From which device.
    pub device: DeviceId,
    /// At which session.
    pub session: SessionId,
    /// Who sends it.
    pub operator: PersonId,
    /// The scans.
    pub scans: Vec<Told>,
}

/// Places in a device's order that have not come in, from and until.
pub type Gap = (i64, i64);

impl Settler {
    /// Keeps the scans that are new, settles, and says what became of each scan of the upload, in its order.
    pub fn upload_in_tx(
        &self,
        conn: &mut Conn,
        upload: &Upload,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Vec<ScanOutcome>> {
        let device = devices::lock_in_tx(conn, upload.device)?;
        let may = devices::may(conn, &device, upload.session, DeviceTask::Scan)?;
        let fresh = self.fresh(conn, upload, may, now)?;
        let all_new = fresh.len() == upload.scans.len();
        let people: BTreeSet<PersonId> = upload.scans.iter().filter_map(|told| told.person).collect();
        let written = self.settle_in_tx(conn, upload.session, people, fresh, now, beside)?;
        if all_new {
            return Ok(written.iter().map(|scan| scan.outcome).collect());
        }
        outcomes(conn, upload)
    }

    /// The rows of those scans that are not kept yet.
    fn fresh(&self, conn: &mut Conn, upload: &Upload, may: bool, now: DateTime<Utc>) -> Result<Vec<Scan>> {
        let kept = kept(conn, upload)?;
        let mut seen: BTreeSet<(Vec<u8>, Vec<u8>)> = kept.into_keys().collect();
        let mut fresh = Vec::new();
        for told in &upload.scans {
            if !seen.insert((told.client.as_bytes().to_vec(), told.digest.clone())) {
                continue;
            }
            let refused = if may { told.refused } else { Some(ScanOutcome::DeviceRevoked) };
            fresh.push(Scan {
                id: self.entrance.ids.id(),
                session_id: upload.session,
                person_id: told.person,
                operator_id: upload.operator,
                device_id: Some(upload.device),
                direction: told.direction,
                method: CheckinMethod::StaffScan,
                outcome: refused.unwrap_or(ScanOutcome::Duplicate),
                happened_at: db_time(told.at),
                received_at: db_time(now),
                distance: None,
                code_hash: told.code_hash.clone(),
                refused,
                clock_off: told.clock_off,
                client_id: Some(told.client.as_bytes().to_vec()),
                client_seq: Some(told.seq),
                digest: Some(told.digest.clone()),
            });
        }
        Ok(fresh)
    }

    /// Settles what concerns `people` at a session, with `fresh` scans that are not kept yet; gives these as they are kept, in their order.
    pub fn settle_in_tx(
        &self,
        conn: &mut Conn,
        session: SessionId,
        people: BTreeSet<PersonId>,
        fresh: Vec<Scan>,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<Vec<Scan>> {
        let batch: Vec<PersonId> = people.iter().copied().collect();
        let (own, _) = offering::store::session_get(conn, session)?;
        let mut ids = facts::neighbours(conn, std::slice::from_ref(&own), &batch)?;
        ids.insert(session);
        let wanted: Vec<SessionId> = ids.iter().copied().collect();
        let locked = completing::sessions_lock_in_tx(conn, &wanted)?;
        let own = locked.get(&session).ok_or_else(Error::not_found)?.clone();
        let near = facts::neighbours(conn, std::slice::from_ref(&own), &batch)?;
        if near.iter().any(|id| !ids.contains(id)) {
            // Somebody was scanned elsewhere in this very moment: begin anew, with that session held too.
            return Err(Error::new(Code::Overloaded));
        }
        let (population, tight) = population(conn, &locked, people)?;
        // Where else these people were: looked at, and not changed from here.
        let everyone: Vec<PersonId> = population.iter().copied().collect();
        let held: Vec<Session> = locked.values().cloned().collect();
        let is_asked = held.len() == 1 && everyone == batch;
        let mut around = if is_asked { near } else { facts::neighbours(conn, &held, &everyone)? };
        around.extend(ids.iter().copied());
        let mut ground = Ground::load(conn, &around, &population)?;
        let was = ground.scans.len();
        ground.scans.extend(fresh.iter().filter(|scan| scan.person_id.is_some()).cloned());
        let known = ground.known(&tight);
        let facts = ground.facts(&known);
        let settled = settling::settle(&facts, &known);
        let fresh = judged(fresh, &settled);
        store::scans_create_in_tx(conn, &fresh)?;
        outcomes_set_in_tx(conn, ground.scans.get(..was).unwrap_or_default(), &settled, &ids)?;
        let mut applying = Applying { settler: self, ground: &ground, settled: &settled, now, beside };
        for id in &ids {
            applying.session_in_tx(conn, *id)?;
        }
        let over = locked.values().filter(|session| session.state == SessionState::Finalised);
        let over: BTreeSet<ActivityId> = over.map(|session| session.activity_id).collect();
        for activity in over {
            beside.entries.extend(completing::follow_in_tx(conn, activity, now)?);
        }
        Ok(fresh)
    }
}

/// Fresh scans with what became of them.
fn judged(fresh: Vec<Scan>, settled: &Settled) -> Vec<Scan> {
    let judge = |scan: Scan| {
        let outcome = settled.outcomes.get(&scan.id).copied().unwrap_or(scan.outcome);
        Scan { outcome, ..scan }
    };
    fresh.into_iter().map(judge).collect()
}

/// Whom to look at: the people of the upload, and everybody at a session whose room may be too small.
fn population(
    conn: &mut Conn,
    locked: &HashMap<SessionId, Session>,
    people: BTreeSet<PersonId>,
) -> Result<(BTreeSet<PersonId>, BTreeSet<SessionId>)> {
    let mut population = people.clone();
    let mut tight = BTreeSet::new();
    for session in locked.values() {
        let activity = offering::store::activity_get(conn, session.activity_id)?.activity;
        if facts::is_tight(conn, session, &activity, people.len())? {
            tight.insert(session.id);
            population.extend(facts::everybody(conn, session.id)?);
        }
    }
    Ok((population, tight))
}

type Named = (Vec<u8>, Vec<u8>);
/// The same as the columns say it, with what became of it.
type NamedRow = (Option<Vec<u8>>, Option<Vec<u8>>, ScanOutcome);

/// Those scans of an upload that are kept, by the device's name and digest.
fn kept(conn: &mut Conn, upload: &Upload) -> Result<HashMap<Named, ScanOutcome>> {
    let places: Vec<i64> = upload.scans.iter().map(|told| told.seq).collect();
    let rows: Vec<NamedRow> = scans::table
        .filter(scans::device_id.eq(upload.device))
        .filter(scans::client_seq.eq_any(places))
        .filter(scans::client_id.is_not_null())
        .select((scans::client_id, scans::digest, scans::outcome))
        .load(conn)?;
    let named = rows.into_iter().filter_map(|(client, digest, outcome)| Some(((client?, digest?), outcome)));
    Ok(named.collect())
}

fn outcomes(conn: &mut Conn, upload: &Upload) -> Result<Vec<ScanOutcome>> {
    let kept = kept(conn, upload)?;
    let of = |told: &Told| kept.get(&(told.client.as_bytes().to_vec(), told.digest.clone())).copied();
    let missing = || Error::internal("a scan of the upload is not kept");
    upload.scans.iter().map(|told| of(told).ok_or_else(missing)).collect()
}

/// Writes what has changed of what became of scans that were kept before.
fn outcomes_set_in_tx(
    conn: &mut Conn,
    before: &[Scan],
    settled: &Settled,
    ids: &BTreeSet<SessionId>,
) -> Result<()> {
    let mut changed: BTreeMap<ScanOutcome, Vec<ScanId>> = BTreeMap::new();
    for scan in before.iter().filter(|scan| ids.contains(&scan.session_id)) {
        if let Some(outcome) = settled.outcomes.get(&scan.id).filter(|outcome| **outcome != scan.outcome) {
            changed.entry(*outcome).or_default().push(scan.id);
        }
    }
    for (outcome, of) in changed {
        for some in of.chunks(500) {
            diesel::update(scans::table.filter(scans::id.eq_any(some)))
                .set(scans::outcome.eq(outcome))
                .execute(conn)?;
        }
    }
    Ok(())
}

/// Places in a device's order that have not come in; the first fifty.
pub fn gaps(conn: &mut Conn, device: DeviceId) -> Result<Vec<Gap>> {
    let mut come: Vec<i64> = scans::table
        .filter(scans::device_id.eq(device))
        .filter(scans::client_id.is_not_null())
        .order(scans::client_seq.desc())
        .limit(5000)
        .select(scans::client_seq)
        .load::<Option<i64>>(conn)?
        .into_iter()
        .flatten()
        .collect();
    come.reverse();
    let mut next = if come.len() < 5000 { 1 } else { come.first().copied().unwrap_or(1) };
    let mut gaps = Vec::new();
    for seq in come {
        if seq > next {
            gaps.push((next, seq - 1));
        }
        next = next.max(seq + 1);
    }
    gaps.truncate(50);
    Ok(gaps)
}

/// Brings what is kept to what was settled.
struct Applying<'a> {
    settler: &'a Settler,
    ground: &'a Ground,
    settled: &'a Settled,
    now: DateTime<Utc>,
    beside: &'a mut Beside,
}

impl Applying<'_> {
    fn session_in_tx(&mut self, conn: &mut Conn, id: SessionId) -> Result<()> {
        let Some((session, activity)) = self.ground.sessions.get(&id) else { return Ok(()) };
        self.leave_out_in_tx(conn, id)?;
        self.let_in_in_tx(conn, session, activity)?;
        for (seat, presence) in self.of_session(id) {
            self.correct_in_tx(conn, seat, presence)?;
        }
        conflicts::follow_in_tx(
            conn,
            self.settler,
            (session, activity),
            (self.ground, self.settled),
            self.now,
            self.beside,
        )
    }

    fn of_session(&self, id: SessionId) -> Vec<(Seat, Presence)> {
        let of = self.settled.present.iter().filter(|(seat, _)| seat.0 == id);
        of.map(|(seat, presence)| (*seat, *presence)).collect()
    }

    /// Who was taken to be present and is not, after all.
    fn leave_out_in_tx(&mut self, conn: &mut Conn, session: SessionId) -> Result<()> {
        let gone: Vec<AttendanceId> = self
            .ground
            .kept
            .values()
            .filter(|row| row.session_id == session && row.voided_at.is_none())
            .filter(|row| !self.settled.present.contains_key(&(row.session_id, row.person_id)))
            .map(|row| row.id)
            .collect();
        let why = Why { voiding: Voiding::Conflict, reason: "离线签到存在冲突，待审核" };
        undoing::undo_in_tx(conn, self.settler.entrance.counting.as_ref(), &gone, why, self.now)?;
        Ok(())
    }

    /// Who is present and was not taken to be.
    fn let_in_in_tx(&mut self, conn: &mut Conn, session: &Session, activity: &Activity) -> Result<()> {
        let by: HashMap<ScanId, PersonId> =
            self.ground.scans.iter().map(|scan| (scan.id, scan.operator_id)).collect();
        let mut candidates: Vec<Candidate> = Vec::new();
        for (seat, presence) in self.of_session(session.id) {
            let standing = self.ground.kept.get(&seat).is_some_and(|row| row.voided_at.is_none());
            let Some(scan) = presence.scan.filter(|_| !standing) else { continue };
            candidates.push(Candidate {
                person: seat.1,
                method: CheckinMethod::StaffScan,
                distance: None,
                at: presence.at.and_utc(),
                by: by.get(&scan).copied().ok_or_else(|| Error::internal("a scan of nobody"))?,
                unregistered: self.ground.role(seat),
                scan: Some(scan),
                decided: true,
            });
        }
        if candidates.is_empty() {
            return Ok(());
        }
        candidates.sort_by_key(|one| (one.at, one.person));
        let entrance = &self.settler.entrance;
        let mut left = Left::default();
        entrance.enter_in_tx(conn, session, activity, &candidates, &mut left)?;
        let decided = |person| self.ground.conflicts.get(&(session.id, person)).map(|row| row.state);
        for one in left.attended.iter_mut().filter(|one| decided(one.person) == Some(ConflictState::Approved))
        {
            one.cause = Cause::Conflict;
        }
        left.count_in_tx(conn, entrance.counting.as_ref())?;
        self.beside.entries.append(&mut left.entries);
        if session.state == SessionState::Finalised {
            let people: Vec<PersonId> = candidates.iter().map(|one| one.person).collect();
            undoing::held_after_all_in_tx(conn, entrance.counting.as_ref(), session, activity)?;
            penalty::came_after_all_in_tx(conn, activity.id, &people, self.now)?;
        }
        Ok(())
    }

    /// Since when, by which scan and until when somebody was present.
    fn correct_in_tx(&mut self, conn: &mut Conn, seat: Seat, presence: Presence) -> Result<()> {
        let same = attendances::table
            .filter(attendances::session_id.eq(seat.0))
            .filter(attendances::person_id.eq(seat.1))
            .filter(attendances::voided_at.is_null());
        let known = self.ground.kept.get(&seat).filter(|row| row.voided_at.is_none());
        let is_right = known.is_some_and(|row| {
            row.scan_id == presence.scan && row.checked_in_at == presence.at && row.left_at == presence.left
        });
        if is_right || (known.is_none() && presence.left.is_none()) {
            return Ok(());
        }
        diesel::update(same)
            .set((
                attendances::scan_id.eq(presence.scan),
                attendances::checked_in_at.eq(presence.at),
                attendances::left_at.eq(presence.left),
            ))
            .execute(conn)?;
        Ok(())
    }
}
