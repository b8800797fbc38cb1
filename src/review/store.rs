//! Queries of reviews: chains, reasons, the requests themselves and what happened to them.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::chain::{Definition, ReviewKind};
use super::model::{Chain, Happened, Reason, ReasonFor, Review, ReviewState, Stage};
use super::rules::Ties;
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{OrganisationId, PersonId, ReviewId, SubjectId};
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    organisations, people, review_chains, review_events, review_reasons, review_recusals, review_stages,
    review_ties, reviews,
};

/// A chain with its steps and its form.
#[derive(Debug, Clone)]
pub struct ChainInForce {
    /// The row.
    pub row: Chain,
    /// What it says.
    pub definition: Definition,
}

fn read(row: Chain) -> Result<ChainInForce> {
    let definition = serde_json::from_str(&row.definition).map_err(Error::internal)?;
    Ok(ChainInForce { row, definition })
}

/// The first of `codes` of which a version is in force on `day`.
///
/// # Errors
/// An internal error where there is none: the seeds are not loaded.
pub fn chain_on(conn: &mut Conn, codes: &[String], day: NaiveDate) -> Result<ChainInForce> {
    let rows: Vec<Chain> = review_chains::table
        .filter(review_chains::code.eq_any(codes))
        .filter(review_chains::effective_from.le(day))
        .order(review_chains::effective_from.desc())
        .select(Chain::as_select())
        .load(conn)?;
    let found = codes.iter().find_map(|code| rows.iter().find(|row| &row.code == code));
    match found {
        Some(row) => read(row.clone()),
        None => Err(Error::internal(format!("no chain of {codes:?} is in force: run `unionhall seed`"))),
    }
}

/// The chain that `review` was opened under.
pub fn chain_of(conn: &mut Conn, review: &Review) -> Result<ChainInForce> {
    let row = review_chains::table
        .find((&review.chain, review.chain_from))
        .select(Chain::as_select())
        .first(conn)?;
    read(row)
}

/// The reasons that may be given for a decision about `kind`.
pub fn reasons(conn: &mut Conn, kind: ReviewKind) -> Result<Vec<Reason>> {
    let rows = review_reasons::table
        .filter(review_reasons::kind.eq_any([kind.as_str(), "any"]))
        .order(review_reasons::code)
        .select(Reason::as_select());
    Ok(rows.load(conn)?)
}

/// The reasons with these `codes`.
///
/// # Errors
/// `validation_failed` for one that is not in the catalogue, or is for something else.
pub fn reasons_named(
    conn: &mut Conn,
    kind: ReviewKind,
    decision: ReasonFor,
    codes: &[String],
) -> Result<Vec<Reason>> {
    let known = reasons(conn, kind)?;
    let mut faults = Vec::new();
    let mut named = Vec::new();
    for (place, code) in codes.iter().enumerate() {
        match known.iter().find(|one| &one.code == code && one.decision == decision) {
            Some(reason) => named.push(reason.clone()),
            None => faults.push(crate::error::Fault::new(
                format!("/reasons/{place}"),
                "unknown",
                crate::error::Text::new("理由目录中没有该项", "this is not in the catalogue of reasons"),
            )),
        }
    }
    if faults.is_empty() { Ok(named) } else { Err(Error::invalid(faults)) }
}

/// The review `id`, or 404.
pub fn get(conn: &mut Conn, id: ReviewId) -> Result<Review> {
    let found = reviews::table.find(id).select(Review::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The review `id`, locked until the end of the transaction.
pub fn lock_in_tx(conn: &mut Conn, id: ReviewId) -> Result<Review> {
    let rows: Vec<Review> =
        crate::load_locked!(conn, reviews::table.filter(reviews::id.eq(id)).select(Review::as_select()))?;
    rows.into_iter().next().ok_or_else(Error::not_found)
}

/// The latest review of a subject.
pub fn of_subject(conn: &mut Conn, subject: SubjectId) -> Result<Option<Review>> {
    let rows = reviews::table.filter(reviews::subject_id.eq(subject)).order(reviews::id.desc());
    Ok(rows.select(Review::as_select()).first(conn).optional()?)
}

/// The live reviews of subjects, in the order of their ids.
pub fn live_of(conn: &mut Conn, subjects: &[SubjectId]) -> Result<Vec<Review>> {
    let rows = reviews::table
        .filter(reviews::subject_id.eq_any(subjects))
        .filter(reviews::state.eq_any([ReviewState::Open, ReviewState::Returned]))
        .order(reviews::id);
    Ok(rows.select(Review::as_select()).load(conn)?)
}

/// The appeal against a review, if there is one.
pub fn appeal_of(conn: &mut Conn, id: ReviewId) -> Result<Option<Review>> {
    let rows = reviews::table.filter(reviews::appeal_of.eq(id)).select(Review::as_select());
    Ok(rows.first(conn).optional()?)
}

/// Inserts a review. False where its subject has a live one already.
pub fn insert_in_tx(conn: &mut Conn, review: &Review) -> Result<bool> {
    let rows = std::slice::from_ref(review);
    let new: Vec<ReviewId> =
        crate::insert_new!(conn, reviews::table, rows, reviews::id => |row: &Review| row.id)?;
    Ok(!new.is_empty())
}

/// Writes what changes of a review, from the version that `before` has to the next.
///
/// # Errors
/// 412 where somebody else was faster.
pub fn update_in_tx(conn: &mut Conn, before: &Review, after: &Review) -> Result<()> {
    let guarded =
        reviews::table.filter(reviews::id.eq(before.id)).filter(reviews::version.eq(before.version));
    let changed = diesel::update(guarded)
        .set((
            reviews::state.eq(after.state),
            reviews::step.eq(after.step),
            reviews::amount_fen.eq(after.amount_fen),
            reviews::form_sealed.eq(&after.form_sealed),
            reviews::missing.eq(&after.missing),
            reviews::returns.eq(after.returns),
            reviews::supplement_due_at.eq(after.supplement_due_at),
            reviews::decided_at.eq(after.decided_at),
            reviews::version.eq(after.version),
        ))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(Error::new(Code::PreconditionFailed)) }
}

/// A page of somebody's own reviews, newest first.
pub fn own(conn: &mut Conn, person: PersonId, before: Option<ReviewId>, limit: i64) -> Result<Vec<Review>> {
    let mut rows = reviews::table
        .filter(reviews::applicant_id.eq(person))
        .order(reviews::id.desc())
        .limit(limit)
        .select(Review::as_select())
        .into_boxed();
    if let Some(before) = before {
        rows = rows.filter(reviews::id.lt(before));
    }
    Ok(rows.load(conn)?)
}

/// Returned reviews whose time has run out.
pub fn lapsing(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<ReviewId>> {
    let rows = reviews::table
        .filter(reviews::state.eq(ReviewState::Returned))
        .filter(reviews::supplement_due_at.le(db_time(now)))
        .order(reviews::supplement_due_at)
        .limit(limit);
    Ok(rows.select(reviews::id).load(conn)?)
}

/// Notes what happened, after all that happened before: whoever writes holds the lock of the review.
pub fn happened_in_tx(conn: &mut Conn, event: &Happened) -> Result<()> {
    let last: Option<i64> = review_events::table
        .filter(review_events::review_id.eq(event.review_id))
        .select(diesel::dsl::max(review_events::number))
        .first(conn)?;
    let numbered = (event, review_events::number.eq(last.unwrap_or(0) + 1));
    diesel::insert_into(review_events::table).values(numbered).execute(conn)?;
    Ok(())
}

/// What happened to a review, in order.
pub fn events(conn: &mut Conn, id: ReviewId) -> Result<Vec<Happened>> {
    let rows = review_events::table.filter(review_events::review_id.eq(id)).order(review_events::number);
    Ok(rows.select(Happened::as_select()).load(conn)?)
}

/// What binds `people` who might decide about `review`.
pub fn ties(conn: &mut Conn, review: &Review, who: &[PersonId]) -> Result<Ties> {
    let decided: Vec<(Option<PersonId>, Option<PersonId>)> = review_stages::table
        .filter(review_stages::root_id.eq(review.root_id))
        .filter(review_stages::decided_by.is_not_null())
        .select((review_stages::decided_by, review_stages::on_behalf_of))
        .load(conn)?;
    let of_case = reviews::table.filter(reviews::root_id.eq(review.root_id)).select(reviews::id);
    let recused: Vec<PersonId> = review_recusals::table
        .filter(review_recusals::review_id.eq_any(of_case))
        .select(review_recusals::person_id)
        .load(conn)?;
    let mut tied: HashSet<PersonId> = review_ties::table
        .filter(review_ties::person_id.eq_any(who))
        .filter(review_ties::ended_at.is_null())
        .filter(
            review_ties::kin_id.eq(Some(review.applicant_id)).or(review_ties::organisation_id
                .is_not_null()
                .and(review_ties::organisation_id.eq(review.employer_id))),
        )
        .select(review_ties::person_id)
        .load(conn)?
        .into_iter()
        .collect();
    // Kin is kin both ways.
    let declared: Vec<Option<PersonId>> = review_ties::table
        .filter(review_ties::person_id.eq(review.applicant_id))
        .filter(review_ties::ended_at.is_null())
        .filter(review_ties::kin_id.is_not_null())
        .select(review_ties::kin_id)
        .load(conn)?;
    tied.extend(declared.into_iter().flatten());
    let colleagues: Vec<PersonId> = match review.employer_id {
        Some(employer) => people::table
            .filter(people::id.eq_any(who))
            .filter(people::workplace_id.eq(employer))
            .select(people::id)
            .load(conn)?,
        None => Vec::new(),
    };
    Ok(Ties {
        decided: decided.into_iter().flat_map(|(by, of)| [by, of]).flatten().collect(),
        tied,
        recused: recused.into_iter().collect(),
        colleagues: colleagues.into_iter().collect(),
    })
}

/// Organisations by id, and every one above them.
pub fn bodies(conn: &mut Conn, ids: &[OrganisationId]) -> Result<HashMap<OrganisationId, Organisation>> {
    let rows: Vec<Organisation> = organisations::table
        .filter(organisations::id.eq_any(ids))
        .select(Organisation::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The organisations on the path of `body`, the root first.
pub fn above(conn: &mut Conn, path: &str) -> Result<Vec<Organisation>> {
    let codes: Vec<&str> = path.split('/').filter(|code| !code.is_empty()).collect();
    let mut rows: Vec<Organisation> = organisations::table
        .filter(organisations::code.eq_any(codes))
        .select(Organisation::as_select())
        .load(conn)?;
    rows.sort_by_key(|row| row.path.len());
    Ok(rows)
}

/// Stages of reviews, in order.
pub fn stages_of(conn: &mut Conn, ids: &[ReviewId]) -> Result<HashMap<ReviewId, Vec<Stage>>> {
    let rows: Vec<Stage> = review_stages::table
        .filter(review_stages::review_id.eq_any(ids))
        .order((review_stages::number, review_stages::id))
        .select(Stage::as_select())
        .load(conn)?;
    let mut by_review: HashMap<ReviewId, Vec<Stage>> = HashMap::new();
    for row in rows {
        by_review.entry(row.review_id).or_default().push(row);
    }
    Ok(by_review)
}
