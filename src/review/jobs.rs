//! What happens to requests when a time has come: claims lapse, bodies are warned, terms run out and are noted for ever, superiors are told, and
//! what was not supplemented lapses.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::deciding::Desk;
use super::model::{EventKind, Review, Stage, StageState};
use super::{stages, store};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{PersonId, ReviewId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::review_stages;
use crate::platform::outbox::{self, Job, JobHandler, NewJob};

const DUE: &str = "review.due";
/// Requests that one sweep leaves jobs for; the next takes the others.
const SWEPT: i64 = 1000;

#[derive(Serialize, Deserialize)]
struct OfReview {
    review: ReviewId,
}

/// Looks every minute for requests whose time has come, and leaves a job for each.
pub struct Sweep(pub Desk);

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "review.sweep"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::minutes(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.0.clock.now();
        let at = db_time(now);
        let open = || review_stages::table.filter(review_stages::state.eq(StageState::Open)).limit(SWEPT);
        let mut due: Vec<ReviewId> = open()
            .filter(review_stages::breached_at.is_null())
            .filter(review_stages::due_at.le(at))
            .select(review_stages::review_id)
            .load(conn)?;
        let amber: Vec<ReviewId> = open()
            .filter(review_stages::warned_at.is_null())
            .filter(review_stages::amber_at.le(at))
            .select(review_stages::review_id)
            .load(conn)?;
        due.extend(amber);
        // A claim that has lapsed leaves the queue as well: it is nobody's again.
        let lapsed: Vec<ReviewId> =
            open().filter(review_stages::claimed_until.le(at)).select(review_stages::review_id).load(conn)?;
        due.extend(lapsed);
        due.extend(store::lapsing(conn, now, SWEPT)?);
        due.sort();
        due.dedup();
        let job = |review| NewJob {
            kind: DUE,
            payload: json!(OfReview { review }),
            run_at: now,
            dedupe_key: Some(format!("{DUE}/{review}")),
        };
        outbox::enqueue_in_tx(conn, &self.0.ids, now, due.into_iter().map(job).collect())
    }
}

/// Does for one request what its time has come for.
pub struct Due(pub Desk);

impl JobHandler for Due {
    fn kind(&self) -> &'static str {
        DUE
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let of: OfReview = serde_json::from_str(&job.payload).map_err(Error::internal)?;
        let (desk, now) = (&self.0, self.0.clock.now());
        let mut beside = Beside::default();
        desk.lapse_in_tx(conn, of.review, now, &mut beside)?;
        let review = store::lock_in_tx(conn, of.review)?;
        for stage in stages::of(conn, review.id)?.iter().filter(|stage| stage.state == StageState::Open) {
            remind_in_tx(conn, desk, &review, stage, now, &mut beside)?;
        }
        beside.write_in_tx(conn, &desk.ids, now)
    }
}

/// Warns the body of a stage once it is amber; notes the breach and tells the superior once its term has run out.
fn remind_in_tx(
    conn: &mut Conn,
    desk: &Desk,
    review: &Review,
    stage: &Stage,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    let (ids, at) = (&desk.ids, db_time(now));
    let come = |time: Option<chrono::NaiveDateTime>| time.is_some_and(|time| time <= at);
    if come(stage.claimed_until) {
        stages::unclaim_in_tx(conn, stage.id)?;
    }
    if stage.warned_at.is_none() && come(stage.amber_at) {
        let unwarned = review_stages::table
            .filter(review_stages::id.eq(stage.id))
            .filter(review_stages::warned_at.is_null());
        diesel::update(unwarned).set(review_stages::warned_at.eq(at)).execute(conn)?;
        stages::note_in_tx(conn, ids, review.id, Some(stage.id), EventKind::Warned, None, now)?;
        let whom = match stage.claimed_by {
            Some(person) if !come(stage.claimed_until) => vec![person],
            _ => stages::deciders(conn, review, stage, stage.body_id, now)?,
        };
        beside.messages.extend(told(review, stage, &whom, NoticeKind::ReviewDue));
    }
    if stage.breached_at.is_none() && come(stage.due_at) {
        let kept = review_stages::table
            .filter(review_stages::id.eq(stage.id))
            .filter(review_stages::breached_at.is_null());
        diesel::update(kept).set(review_stages::breached_at.eq(at)).execute(conn)?;
        stages::note_in_tx(conn, ids, review.id, Some(stage.id), EventKind::Breached, None, now)?;
        let mut whom = stages::deciders(conn, review, stage, stage.body_id, now)?;
        whom.extend(stages::superiors(conn, review, stage, now)?);
        whom.sort();
        whom.dedup();
        beside.messages.extend(told(review, stage, &whom, NoticeKind::ReviewBreached));
        let detail = json!({ "stage": stage.id, "due_at": stage.due_at.map(|due| due.and_utc()) });
        beside.entries.push(Entry::system("review.breach", review.id).detail(detail));
    }
    Ok(())
}

fn told<'a>(
    review: &'a Review,
    stage: &'a Stage,
    whom: &'a [PersonId],
    kind: NoticeKind,
) -> impl Iterator<Item = Message> + 'a {
    whom.iter().map(move |person| Message {
        person: *person,
        kind,
        subject: review.title.clone(),
        detail: format!("环节：{}。", stage.name),
        link: format!("/api/v1/reviews/{}", review.id),
    })
}
