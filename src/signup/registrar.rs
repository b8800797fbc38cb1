//! The registrar: decides sign-ups and cancellations, a batch at a time, in the order of arrival.
//!
//! One transaction for a batch: the activities are locked in the order of their ids; answers of repeated requests are
//! found; cancellations and sign-ups are decided in the order of arrival while the count of places is kept in hand; rows
//! are inserted and the partial unique key refuses those who have a place already; each activity's count is
//! moved once, under guard; answers, messages and audit entries are written beside. Every caller is answered
//! after the commit.

use std::collections::{BTreeMap, HashMap};

use super::api::SignupView;
use super::model::{Signup, SignupState};
use super::store;
use crate::clock::{SharedClock, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, Ids, PersonId, SignupId};
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::offering;
use crate::offering::model::{Activity, AttendanceRole};
use crate::offering::rules;
use crate::platform::audit::{self, Entry};
use crate::platform::db::{Batch, BatchHandler, Batcher, Conn};
use crate::platform::http::Stored;
use crate::platform::http::idempotency::{self, Use};
use crate::platform::outbox;

/// What is asked of the registrar.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub act: Act,
    /// Who asks, under which key.
    pub one: Use,
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Sign up for an activity.
    Create(ActivityId),
    /// Cancel a sign-up of one's own.
    Cancel(SignupId),
}

/// The thread that all sign-ups of this instance go through.
pub type Registrar = Batcher<RegistrarHandler>;

/// Decides batches.
pub struct RegistrarHandler {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
}

/// What a decided request leaves to be written.
struct Effect {
    place: usize,
    stored: Stored,
    entry: Entry,
    message: Message,
}

impl BatchHandler for RegistrarHandler {
    type Request = Request;
    type Reply = Stored;

    fn handle_in_tx(&self, conn: &mut Conn, batch: Batch<'_, Request>) -> Result<Vec<Result<Stored>>> {
        let now = self.clock.now();
        let mut replies: Vec<Option<Result<Stored>>> = batch.iter().map(|_| None).collect();
        let signups: Vec<SignupId> = batch
            .iter()
            .filter_map(|request| match request.act {
                Act::Cancel(id) => Some(id),
                Act::Create(_) => None,
            })
            .collect();
        let homes = if signups.is_empty() { HashMap::new() } else { store::activities_of(conn, &signups)? };
        let mut by_activity: BTreeMap<ActivityId, Vec<usize>> = BTreeMap::new();
        for (place, request) in batch.iter().enumerate() {
            let activity = match request.act {
                Act::Create(activity) => Some(activity),
                Act::Cancel(signup) => homes.get(&signup).copied(),
            };
            match activity {
                Some(activity) => by_activity.entry(activity).or_default().push(place),
                None => answer(&mut replies, place, Err(Error::not_found())),
            }
        }
        let ids: Vec<ActivityId> = by_activity.keys().copied().collect();
        let locked =
            if ids.is_empty() { HashMap::new() } else { offering::store::activities_lock_in_tx(conn, &ids)? };
        // Behind the lock, so that a repetition that waited for the first one's commit finds its answer.
        let uses: Vec<&Use> = batch.iter().map(|request| &request.one).collect();
        for (place, known) in idempotency::decided_in_tx(conn, &uses)? {
            answer(&mut replies, place, known);
        }

        let mut effects = Vec::new();
        for (activity, mut places) in by_activity {
            places.retain(|place| replies.get(*place).is_some_and(Option::is_none));
            match locked.get(&activity) {
                Some(row) => self.decide(conn, row, &places, batch, &mut replies, &mut effects)?,
                None => {
                    places.into_iter().for_each(|place| answer(&mut replies, place, Err(Error::not_found())))
                }
            }
        }
        effects.sort_by_key(|effect| effect.place);
        self.write_beside(conn, batch, &effects, now)?;
        for effect in effects {
            answer(&mut replies, effect.place, Ok(effect.stored));
        }
        Ok(replies
            .into_iter()
            .map(|reply| {
                reply.unwrap_or_else(|| Err(Error::internal("the registrar left a request undecided")))
            })
            .collect())
    }
}

fn answer(replies: &mut [Option<Result<Stored>>], place: usize, reply: Result<Stored>) {
    if let Some(slot) = replies.get_mut(place) {
        *slot = Some(reply);
    }
}

impl RegistrarHandler {
    /// Decides the requests at `places` for one locked activity, in the order of arrival.
    fn decide(
        &self,
        conn: &mut Conn,
        activity: &Activity,
        places: &[usize],
        batch: &[Request],
        replies: &mut [Option<Result<Stored>>],
        effects: &mut Vec<Effect>,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut taken = activity.taken;
        // Runs of sign-ups between cancellations are inserted together.
        let mut waiting: Vec<(usize, PersonId)> = Vec::new();
        for &place in places {
            let Some(request) = batch.get(place) else { continue };
            match request.act {
                Act::Create(_) => waiting.push((place, request.one.principal)),
                Act::Cancel(signup) => {
                    taken +=
                        self.admit(conn, activity, taken, std::mem::take(&mut waiting), replies, effects)?;
                    if store::cancel_in_tx(conn, signup, request.one.principal, now)? {
                        taken -= 1;
                        effects.push(cancelled(conn, place, signup, request.one.principal)?);
                    } else {
                        answer(replies, place, Err(cancel_refusal(conn, signup, request.one.principal)));
                    }
                }
            }
        }
        taken += self.admit(conn, activity, taken, waiting, replies, effects)?;
        if taken != activity.taken {
            let by = offering::store::PlacesMove { taken: taken - activity.taken, held: 0, numbered: 0 };
            offering::store::places_move_in_tx(conn, activity.id, by)?;
        }
        Ok(())
    }

    /// Gives places to as many as there are, and says how many were given.
    fn admit(
        &self,
        conn: &mut Conn,
        activity: &Activity,
        taken: i64,
        waiting: Vec<(usize, PersonId)>,
        replies: &mut [Option<Result<Stored>>],
        effects: &mut Vec<Effect>,
    ) -> Result<i64> {
        let now = self.clock.now();
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut left = usize::try_from(activity.capacity - taken).unwrap_or(0);
        let mut given = 0;
        let mut refused: Vec<(usize, PersonId)> = Vec::new();
        let open = rules::signup_window(activity, now);
        let mut queue = waiting.into_iter().peekable();
        while open.is_ok() && left > 0 && queue.peek().is_some() {
            let candidates: Vec<(usize, PersonId)> = queue.by_ref().take(left).collect();
            let rows: Vec<Signup> = candidates
                .iter()
                .map(|(_, person)| Signup {
                    id: self.ids.id(),
                    activity_id: activity.id,
                    person_id: *person,
                    state: SignupState::Confirmed,
                    ended_because: None,
                    number: 0,
                    priority: 0,
                    role: AttendanceRole::Participant,
                    quota_id: None,
                    party_id: None,
                    made_by: None,
                    basis: None,
                    created_at: db_time(now),
                    cancelled_at: None,
                    version: 1,
                })
                .collect();
            let inserted = store::insert_new_in_tx(conn, &rows)?;
            for ((place, person), row) in candidates.into_iter().zip(rows) {
                if inserted.contains(&row.id) {
                    left -= 1;
                    given += 1;
                    effects.push(confirmed(place, &row, activity)?);
                } else {
                    refused.push((place, person));
                }
            }
        }
        refused.extend(queue);
        if refused.is_empty() {
            return Ok(given);
        }
        // Somebody who has a place already is told so, rather than that the activity is full or closed.
        let people: Vec<PersonId> = refused.iter().map(|(_, person)| *person).collect();
        let have = store::live(conn, activity.id, &people)?;
        for (place, person) in refused {
            let refusal = match (have.get(&person), rules::signup_window(activity, now)) {
                (Some(signup), _) => Error::new(Code::SignupDuplicate)
                    .detail(format!("报名编号 {}", signup.id), format!("Your sign-up is {}", signup.id)),
                (None, Err(closed)) => closed,
                (None, Ok(())) => Error::new(Code::SignupFull),
            };
            answer(replies, place, Err(refusal));
        }
        Ok(given)
    }

    /// What is written beside the decisions: answers under their keys, messages, and, last, the audit chain.
    fn write_beside(
        &self,
        conn: &mut Conn,
        batch: &[Request],
        effects: &[Effect],
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        if effects.is_empty() {
            return Ok(());
        }
        let answers: Vec<(&Use, &Stored)> = effects
            .iter()
            .filter_map(|effect| batch.get(effect.place).map(|request| (&request.one, &effect.stored)))
            .collect();
        idempotency::store_in_tx(conn, &answers, now)?;
        let jobs = effects.iter().map(|effect| crate::notify::jobs::job(&effect.message, now)).collect();
        outbox::enqueue_in_tx(conn, &self.ids, now, jobs)?;
        audit::append_in_tx(conn, now, effects.iter().map(|effect| effect.entry.clone()).collect())
    }
}

fn confirmed(place: usize, row: &Signup, activity: &Activity) -> Result<Effect> {
    let link = format!("/api/v1/signups/{}", row.id);
    let view = SignupView::new(row.clone(), activity.title.clone());
    Ok(Effect {
        place,
        stored: Stored::created(link.clone(), row.version, &view)?,
        entry: Entry::new(row.person_id, "signup.create", row.id),
        message: Message {
            person: row.person_id,
            kind: NoticeKind::SignupConfirmed,
            subject: activity.title.clone(),
            detail: String::new(),
            link,
        },
    })
}

fn cancelled(conn: &mut Conn, place: usize, id: SignupId, person: PersonId) -> Result<Effect> {
    let (row, title) = store::get_own(conn, id, person)?;
    let version = row.version;
    Ok(Effect {
        place,
        stored: Stored::done(version, &SignupView::new(row, title.clone()))?,
        entry: Entry::new(person, "signup.cancel", id),
        message: Message {
            person,
            kind: NoticeKind::SignupCancelled,
            subject: title,
            detail: String::new(),
            link: format!("/api/v1/signups/{id}"),
        },
    })
}

fn cancel_refusal(conn: &mut Conn, id: SignupId, person: PersonId) -> Error {
    match store::get_own(conn, id, person) {
        Ok((row, _)) if row.state == SignupState::Attended => Error::new(Code::SignupAttended),
        Ok(_) => Error::new(Code::StateForbids).detail("该报名已取消", "This sign-up is cancelled already"),
        Err(error) => error,
    }
}
