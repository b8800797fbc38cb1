//! The registrar: decides what people ask for, a batch at a time, in the order of arrival.
//!
//! One transaction for a batch: the activities are locked in the order of their ids; answers of repeated requests are
//! found; then each request is decided against the places in memory ([`Ground`]), which is exact, because every writer of
//! an activity's sign-ups holds its lock; new rows are inserted together and the counts moved once, under guard; answers,
//! messages and audit entries are written beside. Every caller is answered after the commit.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::api::SignupView;
use super::draw;
use super::jobs::Tools;
use super::model::{Basis, Ending, Signup, SignupState};
use super::penalty::{self, model::PenaltyState};
use super::placing::{Ground, Placement};
use super::{reviewed, store};
use crate::clock::shanghai;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, PersonId, ReviewId, SignupId, SubjectId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::offering;
use crate::offering::model::{Activity, ActivityState, Allocation};
use crate::people;
use crate::platform::audit::Entry;
use crate::platform::db::{Batch, BatchHandler, Batcher, Conn};
use crate::platform::http::Stored;
use crate::platform::http::idempotency::{self, Use};
use crate::review::chain::{Answers, ReviewKind};
use crate::review::deciding::Opening;

/// What is asked of the registrar.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub act: Act,
    /// Who asks, under which key.
    pub one: Use,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sign up for an activity.
    Create {
        /// For what.
        activity: ActivityId,
        /// What the desk asks for, where it decides.
        form: Answers,
    },
    /// Sign somebody else up who asked for it.
    Proxy {
        /// For what.
        activity: ActivityId,
        /// Whom.
        person: PersonId,
        /// Why staff may.
        basis: Basis,
        /// In words.
        note: Option<String>,
        /// What the desk asks for, where it decides.
        form: Answers,
    },
    /// Give up a sign-up of one's own: a place, an offered one, or a wait.
    Cancel {
        /// Which.
        signup: SignupId,
        /// Why, where giving it up so late would weigh something.
        excuse: Option<Excuse>,
    },
    /// Take the place that is kept for one.
    Accept(SignupId),
}

/// Why somebody gives a place up late.
#[derive(Debug, Clone)]
pub struct Excuse {
    /// The ground.
    pub ground: penalty::model::Ground,
    /// In their words.
    pub text: String,
}

/// The thread that all sign-ups of this instance go through.
pub type Registrar = Batcher<RegistrarHandler>;

/// Decides batches.
pub struct RegistrarHandler(pub Tools);

/// An answer under its key.
struct Answered {
    place: usize,
    stored: Stored,
}

/// What a batch comes to.
struct Work<'a> {
    batch: &'a [Request],
    replies: Vec<Option<Result<Stored>>>,
    answered: Vec<Answered>,
    beside: Beside,
}

impl Work<'_> {
    fn refuse(&mut self, place: usize, error: Error) {
        self.reply(place, Err(error));
    }

    fn reply(&mut self, place: usize, reply: Result<Stored>) {
        if let Some(slot) = self.replies.get_mut(place) {
            *slot = Some(reply);
        }
    }

    fn is_open(&self, place: usize) -> bool {
        self.replies.get(place).is_some_and(Option::is_none)
    }
}

impl BatchHandler for RegistrarHandler {
    type Request = Request;
    type Reply = Stored;

    fn handle_in_tx(&self, conn: &mut Conn, batch: Batch<'_, Request>) -> Result<Vec<Result<Stored>>> {
        let now = self.0.clock.now();
        let mut work = Work {
            batch,
            replies: batch.iter().map(|_| None).collect(),
            answered: Vec::new(),
            beside: Beside::default(),
        };
        people::erasing::GATE.pass_in_tx(conn)?;
        let by_activity = sort(conn, &mut work)?;
        let ids: Vec<ActivityId> = by_activity.keys().copied().collect();
        let mut locked = match ids.as_slice() {
            [] => HashMap::new(),
            ids => offering::store::activities_lock_in_tx(conn, ids)?,
        };
        // Behind the lock, so that a repetition that waited for the first one's commit finds its answer.
        let uses: Vec<&Use> = batch.iter().map(|request| &request.one).collect();
        for (place, known) in idempotency::decided_in_tx(conn, &uses)? {
            work.reply(place, known);
        }
        refuse_erased(conn, &mut work)?;
        for (activity, mut places) in by_activity {
            places.retain(|place| work.is_open(*place));
            match locked.remove(&activity) {
                _ if places.is_empty() => {}
                Some(row) => self.decide(conn, row, &places, &mut work, now)?,
                None => places.into_iter().for_each(|place| work.refuse(place, Error::not_found())),
            }
        }
        self.finish(conn, work, now)
    }
}

/// The requests of each activity, in the order of arrival; those about sign-ups that do not exist are refused.
fn sort(conn: &mut Conn, work: &mut Work<'_>) -> Result<BTreeMap<ActivityId, Vec<usize>>> {
    let batch = work.batch;
    let signups: Vec<SignupId> = batch
        .iter()
        .filter_map(|request| match request.act {
            Act::Cancel { signup: id, .. } | Act::Accept(id) => Some(id),
            Act::Create { .. } | Act::Proxy { .. } => None,
        })
        .collect();
    let homes = if signups.is_empty() { HashMap::new() } else { store::activities_of(conn, &signups)? };
    let mut by_activity: BTreeMap<ActivityId, Vec<usize>> = BTreeMap::new();
    for (place, request) in batch.iter().enumerate() {
        let activity = match &request.act {
            Act::Create { activity, .. } | Act::Proxy { activity, .. } => Some(*activity),
            Act::Cancel { signup, .. } | Act::Accept(signup) => homes.get(signup).copied(),
        };
        match activity {
            Some(activity) => by_activity.entry(activity).or_default().push(place),
            None => work.refuse(place, Error::not_found()),
        }
    }
    Ok(by_activity)
}

/// Nobody signs up, or is signed up, who was erased meanwhile.
fn refuse_erased(conn: &mut Conn, work: &mut Work<'_>) -> Result<()> {
    let wanted: Vec<(usize, PersonId)> =
        work.batch.iter().enumerate().filter_map(|(place, one)| Some((place, wants(one)?))).collect();
    let people: Vec<PersonId> = wanted.iter().map(|(_, person)| *person).collect();
    let erased = people::erasing::erased(conn, &people)?;
    for (place, _) in wanted.into_iter().filter(|(_, person)| erased.contains_key(person)) {
        if work.is_open(place) {
            work.refuse(place, Error::new(Code::PersonErased));
        }
    }
    Ok(())
}

/// The live sign-ups of an activity that a batch is about, as they stand while it is decided.
struct Known {
    by_id: HashMap<SignupId, Signup>,
    live: HashMap<PersonId, SignupId>,
}

impl Known {
    fn live(&self, person: PersonId) -> Option<SignupId> {
        self.live.get(&person).copied()
    }

    /// A person's own sign-up, or 404.
    fn own(&self, id: SignupId, person: PersonId) -> Result<&Signup> {
        self.by_id.get(&id).filter(|row| row.person_id == person).ok_or_else(Error::not_found)
    }
}

impl RegistrarHandler {
    /// Decides the requests at `places` for one locked activity.
    fn decide(
        &self,
        conn: &mut Conn,
        activity: Activity,
        places: &[usize],
        work: &mut Work<'_>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let batch = work.batch;
        let requests: Vec<(usize, &Request)> =
            places.iter().filter_map(|place| batch.get(*place).map(|request| (*place, request))).collect();
        let wanted: Vec<PersonId> = requests.iter().filter_map(|(_, request)| wants(request)).collect();
        let named: Vec<SignupId> = requests
            .iter()
            .filter_map(|(_, request)| match request.act {
                Act::Cancel { signup: id, .. } | Act::Accept(id) => Some(id),
                _ => None,
            })
            .collect();
        let mut ground = Ground::load(conn, activity, &wanted, now)?;
        // Whoever comes after the first minutes comes after all who came in them.
        draw::draw_in_tx(conn, &self.0.vault, &mut ground, now, &mut work.beside)?;
        let mut known = Known {
            by_id: if named.is_empty() { HashMap::new() } else { store::by_id(conn, &named)? },
            live: store::live(conn, ground.activity.id, &wanted)?,
        };
        for (place, request) in requests {
            let decided = match &request.act {
                Act::Create { .. } | Act::Proxy { .. } => {
                    self.create(conn, &mut ground, &mut known, request, work, now)
                }
                Act::Cancel { signup, excuse } => {
                    let of = (request.one.principal, *signup);
                    self.cancel(conn, &mut ground, &mut known, of, excuse.as_ref(), work, now)
                }
                Act::Accept(id) => self.accept(conn, &mut ground, &mut known, request, *id, work, now),
            };
            match decided {
                Ok(stored) => work.answered.push(Answered { place, stored }),
                // What went wrong with the database ends the whole transaction; a refusal is one caller's.
                Err(error) if error.code().status().is_server_error() => return Err(error),
                Err(refusal) => work.refuse(place, refusal),
            }
        }
        ground.settle_in_tx(conn, &self.0.ids, now, &mut work.beside)
    }

    fn create(
        &self,
        conn: &mut Conn,
        ground: &mut Ground,
        known: &mut Known,
        request: &Request,
        work: &mut Work<'_>,
        now: DateTime<Utc>,
    ) -> Result<Stored> {
        let Some(person) = wants(request) else { return Err(Error::internal("nobody wants this place")) };
        if ground.activity.state == ActivityState::Draft {
            // Nobody but its organisers may know of it.
            return Err(Error::not_found());
        }
        // Somebody who has a place already is told so, rather than that the activity is full or closed.
        if let Some(id) = known.live(person) {
            return Err(Error::new(Code::SignupDuplicate)
                .detail(format!("报名编号 {id}"), format!("Your sign-up is {id}")));
        }
        let form = form_of(&request.act);
        if ground.activity.allocation != Allocation::Review && !form.is_empty() {
            let text = Text::new("该活动报名无须填表", "this activity asks for nothing");
            return Err(Error::invalid(vec![Fault::new("/form", "unknown", text)]));
        }
        let placement = ground.place(conn, person, now)?;
        let id: SignupId = self.0.ids.id();
        // Before the row is numbered: a form with faults refuses this caller and leaves nothing.
        let review = match placement {
            Placement::Applied => Some(self.open(conn, ground, (person, id), form, work, now)?),
            _ => None,
        };
        let mut row = ground.enrol(id, person, placement, now);
        let mut said = serde_json::json!({ "state": row.state, "person": person });
        if let Act::Proxy { basis, note, .. } = &request.act {
            row.made_by = Some(request.one.principal);
            row.basis = Some(*basis);
            said = serde_json::json!({ "state": row.state, "person": person, "basis": basis, "note": note });
        }
        let mut view = SignupView::new(row.clone(), ground.activity.title.clone());
        if let Placement::Waiting(leaf) = placement {
            // The row itself is in the queue already.
            view.position = Some(ground.queued_before(leaf, row.priority).max(1));
        }
        view.review_id = review;
        let stored = Stored::created(link(row.id), row.version, &view)?;
        work.beside.messages.extend(welcome(&row, &ground.activity, view.position));
        work.beside.entries.push(Entry::new(request.one.principal, "signup.create", row.id).detail(said));
        known.live.insert(person, row.id);
        known.by_id.insert(row.id, row.clone());
        ground.add(row);
        Ok(stored)
    }

    /// Opens the review of a sign-up that is to be: under the chain of its kind of programme, or the one of all.
    fn open(
        &self,
        conn: &mut Conn,
        ground: &Ground,
        (person, id): (PersonId, SignupId),
        form: Answers,
        work: &mut Work<'_>,
        now: DateTime<Utc>,
    ) -> Result<ReviewId> {
        let activity = &ground.activity;
        let opening = Opening {
            kind: ReviewKind::Signup,
            chains: reviewed::chains(offering::store::programme_get(conn, activity.programme_id)?.kind),
            subject: SubjectId(id.0),
            title: activity.title.clone(),
            applicant: person,
            answers: form,
            at: None,
        };
        Ok(self.0.desk.open_in_tx(conn, opening, now, &mut work.beside)?.id)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what one decision needs; a struct of these would be used here only"
    )]
    fn cancel(
        &self,
        conn: &mut Conn,
        ground: &mut Ground,
        known: &mut Known,
        (person, id): (PersonId, SignupId),
        excuse: Option<&Excuse>,
        work: &mut Work<'_>,
        now: DateTime<Utc>,
    ) -> Result<Stored> {
        let row = known.own(id, person)?.clone();
        let because = match row.state {
            SignupState::Attended => return Err(Error::new(Code::SignupAttended)),
            SignupState::Cancelled => return Err(over()),
            SignupState::Offered => Ending::OfferRefused,
            SignupState::Applied | SignupState::Entered | SignupState::Waiting | SignupState::Confirmed => {
                Ending::Person
            }
        };
        if !ground.end_in_tx(conn, &row, because, now)? {
            // The door is the one that changes a sign-up without the activity's lock.
            return Err(Error::new(Code::SignupAttended));
        }
        if row.state == SignupState::Applied {
            let subject = SubjectId(id.0);
            self.0.desk.withdraw_subject_in_tx(conn, subject, Some(person), now, &mut work.beside)?;
        }
        let had_place = row.state == SignupState::Confirmed;
        let ended = Signup {
            state: SignupState::Cancelled,
            ended_because: Some(because),
            cancelled_at: Some(crate::clock::db_time(now)),
            version: row.version + 1,
            ..row
        };
        let title = ground.activity.title.clone();
        work.beside.messages.push(Message {
            person,
            kind: NoticeKind::SignupCancelled,
            subject: title.clone(),
            detail: String::new(),
            link: link(id),
        });
        work.beside.entries.push(Entry::new(person, "signup.cancel", id));
        // Whom others signed up owes nothing, nor who agreed to other dates.
        let moved = ground.activity.state == ActivityState::Postponed
            || ground.activity.moved_at.is_some_and(|moved| moved >= ended.created_at);
        if had_place && ended.made_by.is_none() && !moved {
            let entry = self.weigh(conn, &ground.activity, &ended, excuse, now)?;
            work.beside.entries.extend(entry);
        }
        let stored = Stored::done(ended.version, &SignupView::new(ended.clone(), title))?;
        known.live.remove(&person);
        known.by_id.insert(id, ended);
        Ok(stored)
    }

    /// What giving a place up so late weighs, if it is late.
    fn weigh(
        &self,
        conn: &mut Conn,
        activity: &Activity,
        row: &Signup,
        excuse: Option<&Excuse>,
        now: DateTime<Utc>,
    ) -> Result<Option<Entry>> {
        let kind = offering::store::programme_get(conn, activity.programme_id)?.kind;
        let ground = excuse.map(|excuse| excuse.ground);
        let ids = &self.0.ids;
        let given = penalty::given_late_in_tx(conn, ids, now, activity, kind, row.id, row.person_id, ground)?;
        if let (Some(given), Some(excuse)) = (&given, excuse)
            && given.state == PenaltyState::Contested
        {
            penalty::store::claim_in_tx(conn, &self.0.vault, given.id, &excuse.text, now)?;
            let checks = &self.0.desk.checks;
            penalty::content::ask_in_tx(conn, checks, given.id, row.person_id, now)?;
        }
        Ok(given.map(|given| given.entry()))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what one decision needs; a struct of these would be used here only"
    )]
    fn accept(
        &self,
        conn: &mut Conn,
        ground: &mut Ground,
        known: &mut Known,
        request: &Request,
        id: SignupId,
        work: &mut Work<'_>,
        now: DateTime<Utc>,
    ) -> Result<Stored> {
        let person = request.one.principal;
        let row = known.own(id, person)?.clone();
        if row.state != SignupState::Offered {
            return Err(Error::new(if row.state == SignupState::Cancelled {
                Code::OfferOver
            } else {
                Code::StateForbids
            }));
        }
        if ground.activity.state != ActivityState::Published || !ground.accept_in_tx(conn, &row, now)? {
            return Err(Error::new(Code::OfferOver));
        }
        let row = Signup { state: SignupState::Confirmed, version: row.version + 1, ..row };
        let title = ground.activity.title.clone();
        work.beside.messages.extend(welcome(&row, &ground.activity, None));
        work.beside.entries.push(Entry::new(person, "signup.accept", id));
        let stored = Stored::done(row.version, &SignupView::new(row.clone(), title))?;
        known.by_id.insert(id, row);
        Ok(stored)
    }

    /// Answers under their keys, then what stands beside them; the audit chain is the last thing.
    fn finish(&self, conn: &mut Conn, work: Work<'_>, now: DateTime<Utc>) -> Result<Vec<Result<Stored>>> {
        let Work { batch, mut replies, answered, beside } = work;
        let answers: Vec<(&Use, &Stored)> = answered
            .iter()
            .filter_map(|answer| batch.get(answer.place).map(|request| (&request.one, &answer.stored)))
            .collect();
        if !answers.is_empty() {
            idempotency::store_in_tx(conn, &answers, now)?;
        }
        beside.write_in_tx(conn, &self.0.ids, now)?;
        for answer in answered {
            if let Some(slot) = replies.get_mut(answer.place) {
                *slot = Some(Ok(answer.stored));
            }
        }
        Ok(replies
            .into_iter()
            .map(|reply| {
                reply.unwrap_or_else(|| Err(Error::internal("the registrar left a request undecided")))
            })
            .collect())
    }
}

/// What the desk is told of whoever signs up.
fn form_of(act: &Act) -> Answers {
    match act {
        Act::Create { form, .. } | Act::Proxy { form, .. } => form.clone(),
        Act::Cancel { .. } | Act::Accept(_) => Answers::new(),
    }
}

/// Who wants a place.
fn wants(request: &Request) -> Option<PersonId> {
    match &request.act {
        Act::Create { .. } => Some(request.one.principal),
        Act::Proxy { person, .. } => Some(*person),
        Act::Cancel { .. } | Act::Accept(_) => None,
    }
}

fn over() -> Error {
    Error::new(Code::StateForbids).detail("该报名已取消", "This sign-up is cancelled already")
}

fn link(id: SignupId) -> String {
    format!("/api/v1/signups/{id}")
}

/// What somebody is told who has signed up. Who asks the desk knows that they asked, unless staff did it for them.
fn welcome(row: &Signup, activity: &Activity, position: Option<i64>) -> Option<Message> {
    // Whoever was nominated by their union has confirmed it themselves.
    let by_staff = row.made_by.is_some() && row.basis != Some(Basis::UnionRoster);
    let (kind, detail) = match row.state {
        SignupState::Applied if by_staff => {
            (NoticeKind::SignupByStaff, "您的申请已提交，等待审核。".to_owned())
        }
        SignupState::Applied => return None,
        SignupState::Entered => {
            let at = super::rules::draw_at(activity).with_timezone(&shanghai()).format("%Y-%m-%d %H:%M");
            (NoticeKind::DrawEntered, format!("结果将于 {at}（北京时间）公布。"))
        }
        SignupState::Waiting => {
            let position = position.map(|at| format!("您排在第 {at} 位。")).unwrap_or_default();
            (NoticeKind::WaitingJoined, position)
        }
        _ => (NoticeKind::SignupConfirmed, String::new()),
    };
    let (kind, detail) = match (by_staff, kind) {
        (false, kind) => (kind, detail),
        (true, NoticeKind::WaitingJoined) => {
            (NoticeKind::SignupByStaff, format!("名额已满，您已进入候补。{detail}"))
        }
        (true, NoticeKind::DrawEntered) => (NoticeKind::SignupByStaff, format!("您已参与摇号。{detail}")),
        (true, _) => (NoticeKind::SignupByStaff, detail),
    };
    Some(Message { person: row.person_id, kind, subject: activity.title.clone(), detail, link: link(row.id) })
}
