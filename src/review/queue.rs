//! The queue of those who decide: what waits at their bodies, the most urgent first, and how much of it there is.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::chain::ReviewKind;
use super::model::{Queued, Review, Stage, Waits};
use super::rules::{Right, Urgency};
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{OrganisationId, PersonId, ReviewId, StageId};
use crate::people;
use crate::platform::db::Conn;
use crate::platform::db::schema::{people as people_table, review_queue, review_stages, reviews};
use crate::platform::vault::Vault;

crate::text_enum! {
    /// Who works at something.
    pub enum ClaimFilter {
        /// 我办理的.
        Mine = "mine",
        /// 无人办理的.
        Nobody = "nobody",
    }
}

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// At these organisations and below.
    pub at: Vec<OrganisationId>,
    /// At the bodies themselves, not below.
    pub own: bool,
    /// For whom it waits.
    pub waits: Option<Waits>,
    /// What it is about.
    pub kind: Option<ReviewKind>,
    /// Who works at it.
    pub claim: Option<ClaimFilter>,
    /// How urgent it is.
    pub urgency: Option<Urgency>,
    /// Of these people only.
    pub applicants: Option<Vec<PersonId>>,
    /// This review only.
    pub review: Option<ReviewId>,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line.
    pub queued: Queued,
    /// The review.
    pub review: Review,
    /// The stage.
    pub stage: Stage,
    /// Who asks.
    pub applicant: Option<String>,
}

/// The organisations of `rights` of which none is below another: their queues together hold everything once.
pub fn roots(rights: &[Right]) -> Vec<OrganisationId> {
    let mut roots: Vec<&Right> = Vec::new();
    for right in rights {
        let covered =
            rights.iter().any(|other| other.path != right.path && right.path.starts_with(&other.path));
        if !covered && !roots.iter().any(|one| one.organisation == right.organisation) {
            roots.push(right);
        }
    }
    roots.into_iter().map(|right| right.organisation).collect()
}

/// A page of the queue of `actor`, the most urgent first, after `after`.
pub fn page(
    conn: &mut Conn,
    filter: &Filter,
    actor: PersonId,
    after: Option<(NaiveDateTime, StageId)>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Line>> {
    let mut query = review_queue::table
        .filter(review_queue::organisation_id.eq_any(filter.at.clone()))
        .filter(review_queue::waits.eq(filter.waits.unwrap_or(Waits::Desk)))
        .order((review_queue::due_at, review_queue::stage_id))
        .limit(limit)
        .select(Queued::as_select())
        .into_boxed();
    if let [one] = filter.at.as_slice() {
        // One queue is read in the order of its index.
        query = query.filter(review_queue::organisation_id.eq(*one));
    }
    if filter.own {
        query = query.filter(review_queue::own.eq(true));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(review_queue::kind.eq(kind));
    }
    match filter.claim {
        Some(ClaimFilter::Mine) => query = query.filter(review_queue::claimed_by.eq(actor)),
        Some(ClaimFilter::Nobody) => query = query.filter(review_queue::claimed_by.is_null()),
        None => {}
    }
    let at = db_time(now);
    match filter.urgency {
        Some(Urgency::Red) => query = query.filter(review_queue::due_at.le(at)),
        Some(Urgency::Amber) => {
            query = query.filter(review_queue::due_at.gt(at)).filter(review_queue::amber_at.le(at));
        }
        // What is green is not due: said as well, so that the index is entered behind everything that is.
        Some(Urgency::Green) => {
            query = query.filter(review_queue::due_at.gt(at)).filter(review_queue::amber_at.gt(at));
        }
        None => {}
    }
    if let Some(people) = &filter.applicants {
        let of = reviews::table.filter(reviews::applicant_id.eq_any(people.clone())).select(reviews::id);
        query = query.filter(review_queue::review_id.eq_any(of));
    }
    if let Some(review) = filter.review {
        query = query.filter(review_queue::review_id.eq(review));
    }
    if let Some((due, stage)) = after {
        query = query.filter(
            review_queue::due_at
                .gt(due)
                .or(review_queue::due_at.eq(due).and(review_queue::stage_id.gt(stage))),
        );
    }
    let queued: Vec<Queued> = query.load(conn)?;
    lines(conn, queued)
}

/// What stands behind lines of a queue, in their order.
fn lines(conn: &mut Conn, queued: Vec<Queued>) -> Result<Vec<Line>> {
    let ids: Vec<StageId> = queued.iter().map(|line| line.stage_id).collect();
    let rows: Vec<(Stage, Review, Option<String>)> = review_stages::table
        .inner_join(reviews::table.on(reviews::id.eq(review_stages::review_id)))
        .inner_join(people_table::table.on(people_table::id.eq(reviews::applicant_id)))
        .filter(review_stages::id.eq_any(ids))
        .select((Stage::as_select(), Review::as_select(), people_table::name))
        .load(conn)?;
    let mut by_stage: std::collections::HashMap<StageId, (Stage, Review, Option<String>)> =
        rows.into_iter().map(|row| (row.0.id, row)).collect();
    Ok(queued
        .into_iter()
        .filter_map(|queued| {
            let (stage, review, applicant) = by_stage.remove(&queued.stage_id)?;
            Some(Line { queued, review, stage, applicant })
        })
        .collect())
}

/// How many wait, of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// What they are about.
    pub kind: ReviewKind,
    /// For whom.
    pub waits: Waits,
    /// How urgent.
    pub urgency: Urgency,
    /// How many.
    pub number: i64,
    /// When the first of them is due.
    pub first_due: NaiveDateTime,
}

/// How much waits at organisations and below, by kind and urgency.
pub fn counts(conn: &mut Conn, at: &[OrganisationId], now: DateTime<Utc>) -> Result<Vec<Count>> {
    use diesel::dsl::{count_star, min};
    let at_now = db_time(now);
    let mut counts = Vec::new();
    for urgency in Urgency::ALL.iter().copied() {
        let mut query = review_queue::table
            .filter(review_queue::organisation_id.eq_any(at))
            .group_by((review_queue::kind, review_queue::waits))
            .select((review_queue::kind, review_queue::waits, count_star(), min(review_queue::due_at)))
            .into_boxed();
        query = match urgency {
            Urgency::Green => query.filter(review_queue::amber_at.gt(at_now)),
            Urgency::Amber => {
                query.filter(review_queue::amber_at.le(at_now)).filter(review_queue::due_at.gt(at_now))
            }
            Urgency::Red => query.filter(review_queue::due_at.le(at_now)),
        };
        let rows: Vec<(ReviewKind, Waits, i64, Option<NaiveDateTime>)> = query.load(conn)?;
        counts.extend(rows.into_iter().map(|(kind, waits, number, first)| Count {
            kind,
            waits,
            urgency,
            number,
            first_due: first.unwrap_or(at_now),
        }));
    }
    Ok(counts)
}

/// The people whom a search text means: by name, or by phone number. None where it is neither.
pub fn people_named(conn: &mut Conn, vault: &Vault, text: &str) -> Result<Vec<PersonId>> {
    // An empty index is nobody's.
    let phone = people::phone::Phone::parse(text)
        .map(|number| vault.blind_index(people::model::PHONE, number.as_str()))
        .unwrap_or_default();
    let found = people_table::table
        .filter(people_table::name.eq(text).or(people_table::phone_index.eq(phone)))
        .limit(200)
        .select(people_table::id);
    Ok(found.load(conn)?)
}
