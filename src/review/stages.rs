//! Opening and ending stages: who decides, until when, and in whose queue it stands.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::clocks::Clocks;
use super::model::{EventKind, Happened, Queued, Review, Stage, StageState, Waits};
use super::{cover, rules, store};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{Ids, OrganisationId, PersonId, ReviewId, StageId};
use crate::notify::beside::Beside;
use crate::org::model::Organisation;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, review_pauses, review_queue, review_stages};

/// Inserts stages.
pub fn insert_in_tx(conn: &mut Conn, stages: &[Stage]) -> Result<()> {
    crate::insert_rows!(conn, review_stages::table, stages)?;
    Ok(())
}

/// Removes the stages after the step `number`: they have not begun.
pub fn forget_in_tx(conn: &mut Conn, review: ReviewId, number: i64) -> Result<()> {
    let later = review_stages::table
        .filter(review_stages::review_id.eq(review))
        .filter(review_stages::number.gt(number))
        .filter(review_stages::state.eq_any([StageState::Pending, StageState::Skipped]));
    diesel::delete(later).execute(conn)?;
    Ok(())
}

/// The stages of a review, in order.
pub fn of(conn: &mut Conn, id: ReviewId) -> Result<Vec<Stage>> {
    let rows = review_stages::table
        .filter(review_stages::review_id.eq(id))
        .order((review_stages::number, review_stages::id))
        .select(Stage::as_select());
    Ok(rows.load(conn)?)
}

/// Opens the next step of a review that has a stage with somebody to decide it; `after` is the number of the last one.
/// None when no step is left.
pub fn open_next_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    review: &Review,
    after: i64,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Option<i64>> {
    let all = of(conn, review.id)?;
    let mut numbers: Vec<i64> = all
        .iter()
        .filter(|stage| stage.number > after && stage.state == StageState::Pending)
        .map(|stage| stage.number)
        .collect();
    numbers.dedup();
    for number in numbers {
        let mut opened = 0;
        for stage in all.iter().filter(|stage| stage.number == number && stage.state == StageState::Pending) {
            let later: Vec<OrganisationId> = all
                .iter()
                .filter(|one| one.number > number && one.state == StageState::Pending)
                .map(|one| one.body_id)
                .collect();
            opened += usize::from(open_in_tx(conn, ids, review, stage, &later, now, beside)?);
        }
        if opened > 0 {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Opens one stage at its body, or at the next one above that has somebody who may decide. False where that body decides a
/// `later` step anyway: then this one is left out.
fn open_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    review: &Review,
    stage: &Stage,
    later: &[OrganisationId],
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<bool> {
    let own = organisation(conn, stage.body_id)?;
    let body = staffed(conn, review, stage, own.clone(), now)?;
    let pending = review_stages::table
        .filter(review_stages::id.eq(stage.id))
        .filter(review_stages::state.eq(StageState::Pending));
    if body.id != own.id && later.contains(&body.id) {
        let skipped =
            (review_stages::state.eq(StageState::Skipped), review_stages::skipped_because.eq("same_body"));
        one(diesel::update(pending).set(skipped).execute(conn)?)?;
        return Ok(false);
    }
    let due = Clocks::load(conn, now)?.start(conn, &stage.clock, now)?;
    let rerouted_from = (body.id != own.id).then_some(own.id);
    let opened = (
        review_stages::state.eq(StageState::Open),
        review_stages::body_id.eq(body.id),
        review_stages::rerouted_from.eq(rerouted_from),
        review_stages::opened_at.eq(db_time(now)),
        review_stages::due_at.eq(db_time(due.at)),
        review_stages::amber_at.eq(db_time(due.amber_at)),
        review_stages::trail.eq(&due.trail),
    );
    one(diesel::update(pending).set(opened).execute(conn)?)?;
    if rerouted_from.is_some() {
        note_in_tx(conn, ids, review.id, Some(stage.id), EventKind::Rerouted, None, now)?;
        let detail = json!({ "from": own.code, "to": body.code });
        beside.entries.push(Entry::system("review.reroute", review.id).detail(detail));
    }
    let stage = Stage {
        body_id: body.id,
        due_at: Some(db_time(due.at)),
        amber_at: Some(db_time(due.amber_at)),
        ..stage.clone()
    };
    queue_in_tx(conn, review, &stage, &body, Waits::Desk)?;
    Ok(true)
}

/// The nearest body from `body` upwards that has somebody who may decide `stage`; `body` itself where there is none at all.
fn staffed(
    conn: &mut Conn,
    review: &Review,
    stage: &Stage,
    body: Organisation,
    now: DateTime<Utc>,
) -> Result<Organisation> {
    let mut path = store::above(conn, &body.path)?;
    while let Some(candidate) = path.pop() {
        if !deciders(conn, review, stage, candidate.id, now)?.is_empty() {
            return Ok(candidate);
        }
    }
    Ok(body)
}

/// Who may decide `stage` above its body: at the nearest one that has somebody.
pub fn superiors(
    conn: &mut Conn,
    review: &Review,
    stage: &Stage,
    now: DateTime<Utc>,
) -> Result<Vec<PersonId>> {
    let own = organisation(conn, stage.body_id)?;
    let Some(parent) = own.parent_id else { return Ok(Vec::new()) };
    let parent = organisation(conn, parent)?;
    let superior = staffed(conn, review, stage, parent, now)?;
    deciders(conn, review, stage, superior.id, now)
}

/// Who may decide `stage` at `body` now.
pub fn deciders(
    conn: &mut Conn,
    review: &Review,
    stage: &Stage,
    body: OrganisationId,
    now: DateTime<Utc>,
) -> Result<Vec<PersonId>> {
    let candidates = cover::holders(conn, body, now)?;
    let mut who: Vec<PersonId> =
        candidates.iter().flat_map(|(person, of)| [Some(*person), *of]).flatten().collect();
    who.sort();
    who.dedup();
    let ties = store::ties(conn, review, &who)?;
    let free = |person: PersonId| rules::bar(review, stage, &ties, person).is_none();
    let mut may: Vec<PersonId> = candidates
        .into_iter()
        .filter(|(person, of)| free(*person) && of.is_none_or(free))
        .map(|(person, _)| person)
        .collect();
    may.sort();
    may.dedup();
    Ok(may)
}

/// Moves an open stage to the next body above that has somebody who may decide, where its own has nobody left.
pub fn reroute_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    review: &Review,
    stage: &Stage,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    if stage.state != StageState::Open || !deciders(conn, review, stage, stage.body_id, now)?.is_empty() {
        return Ok(());
    }
    let own = organisation(conn, stage.body_id)?;
    let body = staffed(conn, review, stage, own.clone(), now)?;
    if body.id == own.id {
        return Ok(());
    }
    let open = review_stages::table
        .filter(review_stages::id.eq(stage.id))
        .filter(review_stages::state.eq(StageState::Open))
        .filter(review_stages::body_id.eq(own.id));
    let moved = (
        review_stages::body_id.eq(body.id),
        review_stages::rerouted_from.eq(own.id),
        review_stages::claimed_by.eq(None::<PersonId>),
        review_stages::claimed_until.eq(None::<chrono::NaiveDateTime>),
    );
    one(diesel::update(open).set(moved).execute(conn)?)?;
    note_in_tx(conn, ids, review.id, Some(stage.id), EventKind::Rerouted, None, now)?;
    let detail = json!({ "from": own.code, "to": body.code });
    beside.entries.push(Entry::system("review.reroute", review.id).detail(detail));
    let stage = Stage { body_id: body.id, claimed_by: None, claimed_until: None, ..stage.clone() };
    let waits = if stage.due_at.is_some() { Waits::Desk } else { Waits::Applicant };
    unqueue_in_tx(conn, stage.id)?;
    queue_in_tx(conn, review, &stage, &body, waits)
}

/// Ends the open stages of a review, and what has not begun.
pub fn end_in_tx(conn: &mut Conn, review: ReviewId) -> Result<()> {
    let left = review_stages::table
        .filter(review_stages::review_id.eq(review))
        .filter(review_stages::state.eq_any([StageState::Open, StageState::Pending]));
    diesel::update(left).set(review_stages::state.eq(StageState::Ended)).execute(conn)?;
    diesel::delete(review_queue::table.filter(review_queue::review_id.eq(review))).execute(conn)?;
    Ok(())
}

/// What somebody decided at a stage.
///
/// # Errors
/// `second_officer_required` where they decided about the request before: the key of the table says so, whatever was asked
/// before.
pub fn decide_in_tx(
    conn: &mut Conn,
    stage: &Stage,
    to: StageState,
    actor: PersonId,
    on_behalf_of: Option<PersonId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let open = review_stages::table
        .filter(review_stages::id.eq(stage.id))
        .filter(review_stages::state.eq(StageState::Open));
    let decided = (
        review_stages::state.eq(to),
        review_stages::decided_by.eq(actor),
        review_stages::on_behalf_of.eq(on_behalf_of),
        review_stages::decided_at.eq(db_time(now)),
    );
    let changed = diesel::update(open).set(decided).execute(conn).map_err(|error| {
        if crate::platform::db::unique_violation(&error) {
            rules::Bar::Before.refusal()
        } else {
            error.into()
        }
    })?;
    one(changed)?;
    unqueue_in_tx(conn, stage.id)
}

/// The clocks of a returned review stand: its stages wait for the applicant until `until`.
pub fn pause_in_tx(conn: &mut Conn, review: &Review, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    // A pause that ended at the instant at which it began was none.
    let none = review_pauses::table
        .filter(review_pauses::review_id.eq(review.id))
        .filter(review_pauses::from_at.eq(db_time(now)))
        .filter(review_pauses::until_at.is_not_null());
    diesel::delete(none).execute(conn)?;
    diesel::insert_into(review_pauses::table)
        .values((review_pauses::review_id.eq(review.id), review_pauses::from_at.eq(db_time(now))))
        .execute(conn)?;
    let open = review_stages::table
        .filter(review_stages::review_id.eq(review.id))
        .filter(review_stages::state.eq(StageState::Open));
    diesel::update(open)
        .set((
            review_stages::due_at.eq(None::<chrono::NaiveDateTime>),
            review_stages::amber_at.eq(None::<chrono::NaiveDateTime>),
            review_stages::claimed_by.eq(None::<PersonId>),
            review_stages::claimed_until.eq(None::<chrono::NaiveDateTime>),
        ))
        .execute(conn)?;
    diesel::update(review_queue::table.filter(review_queue::review_id.eq(review.id)))
        .set((
            review_queue::waits.eq(Waits::Applicant),
            review_queue::claimed_by.eq(None::<PersonId>),
            review_queue::amber_at.eq(db_time(until)),
            review_queue::due_at.eq(db_time(until)),
        ))
        .execute(conn)?;
    Ok(())
}

/// The clocks run on: due times are found anew, with the time that they stood.
pub fn resume_in_tx(conn: &mut Conn, review: &Review, now: DateTime<Utc>) -> Result<()> {
    let standing = review_pauses::table
        .filter(review_pauses::review_id.eq(review.id))
        .filter(review_pauses::until_at.is_null());
    one(diesel::update(standing).set(review_pauses::until_at.eq(db_time(now))).execute(conn)?)?;
    let pauses: Vec<(chrono::NaiveDateTime, Option<chrono::NaiveDateTime>)> = review_pauses::table
        .filter(review_pauses::review_id.eq(review.id))
        .order(review_pauses::from_at)
        .select((review_pauses::from_at, review_pauses::until_at))
        .load(conn)?;
    let clocks = Clocks::load(conn, now)?;
    for stage in of(conn, review.id)?.into_iter().filter(|stage| stage.state == StageState::Open) {
        let opened = stage.opened_at.ok_or_else(|| Error::internal("an open stage without its begin"))?;
        let due = clocks.resume(conn, &stage.clock, opened.and_utc(), &pauses)?;
        diesel::update(review_stages::table.find(stage.id))
            .set((
                review_stages::due_at.eq(db_time(due.at)),
                review_stages::amber_at.eq(db_time(due.amber_at)),
                review_stages::trail.eq(&due.trail),
            ))
            .execute(conn)?;
        diesel::update(review_queue::table.filter(review_queue::stage_id.eq(stage.id)))
            .set((
                review_queue::waits.eq(Waits::Desk),
                review_queue::amber_at.eq(db_time(due.amber_at)),
                review_queue::due_at.eq(db_time(due.at)),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Puts a stage into the queue of its body and of everybody above.
fn queue_in_tx(
    conn: &mut Conn,
    review: &Review,
    stage: &Stage,
    body: &Organisation,
    waits: Waits,
) -> Result<()> {
    let at = stage.due_at.or(review.supplement_due_at);
    let due_at = at.ok_or_else(|| Error::internal("a stage in a queue without a time"))?;
    let lines: Vec<Queued> = store::above(conn, &body.path)?
        .iter()
        .map(|one| Queued {
            organisation_id: one.id,
            stage_id: stage.id,
            review_id: review.id,
            own: one.id == body.id,
            waits,
            kind: review.kind,
            claimed_by: stage.claimed_by,
            amber_at: stage.amber_at.unwrap_or(due_at),
            due_at,
        })
        .collect();
    crate::insert_rows!(conn, review_queue::table, lines.as_slice())?;
    Ok(())
}

fn unqueue_in_tx(conn: &mut Conn, stage: StageId) -> Result<()> {
    diesel::delete(review_queue::table.filter(review_queue::stage_id.eq(stage))).execute(conn)?;
    Ok(())
}

/// Somebody works at a stage: until `until`, or until they have decided. Nobody who works at it already is passed over, except by
/// an assignment.
pub fn claim_in_tx(
    conn: &mut Conn,
    stage: &Stage,
    person: PersonId,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let open = review_stages::table
        .filter(review_stages::id.eq(stage.id))
        .filter(review_stages::state.eq(StageState::Open))
        .into_boxed();
    let open = match until {
        None => open,
        Some(_) => open.filter(
            review_stages::claimed_by
                .is_null()
                .or(review_stages::claimed_by.eq(person))
                .or(review_stages::claimed_until.le(db_time(now))),
        ),
    };
    let ids: Vec<StageId> = open.select(review_stages::id).load(conn)?;
    if ids.is_empty() {
        return Ok(false);
    }
    let claimed = (review_stages::claimed_by.eq(person), review_stages::claimed_until.eq(until.map(db_time)));
    diesel::update(review_stages::table.find(stage.id)).set(claimed).execute(conn)?;
    diesel::update(review_queue::table.filter(review_queue::stage_id.eq(stage.id)))
        .set(review_queue::claimed_by.eq(person))
        .execute(conn)?;
    Ok(true)
}

/// Nobody works at a stage any more.
pub fn unclaim_in_tx(conn: &mut Conn, stage: StageId) -> Result<()> {
    diesel::update(review_stages::table.find(stage))
        .set((
            review_stages::claimed_by.eq(None::<PersonId>),
            review_stages::claimed_until.eq(None::<chrono::NaiveDateTime>),
        ))
        .execute(conn)?;
    diesel::update(review_queue::table.filter(review_queue::stage_id.eq(stage)))
        .set(review_queue::claimed_by.eq(None::<PersonId>))
        .execute(conn)?;
    Ok(())
}

/// Notes what happened, without a text.
pub fn note_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    review: ReviewId,
    stage: Option<StageId>,
    kind: EventKind,
    actor: Option<PersonId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = Happened {
        id: ids.id(),
        review_id: review,
        stage_id: stage,
        kind,
        actor_id: actor,
        on_behalf_of: None,
        reasons: "[]".into(),
        text_sealed: None,
        at: db_time(now),
    };
    store::happened_in_tx(conn, &event)
}

fn organisation(conn: &mut Conn, id: OrganisationId) -> Result<Organisation> {
    Ok(organisations::table.find(id).select(Organisation::as_select()).first(conn)?)
}

fn one(changed: usize) -> Result<()> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::internal(format!("{changed} rows changed in place of one")))
    }
}
