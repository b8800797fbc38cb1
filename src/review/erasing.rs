//! What a person told the desk, erased. That they asked, who decided it, when, and how, stays.

use diesel::prelude::*;
use uuid::Uuid;

use super::chain::ReviewKind;
use super::model::ReviewState;
use super::papers::REVIEW;
use crate::error::Result;
use crate::ids::{PersonId, ReviewId};
use crate::platform::db::Conn;
use crate::platform::db::schema::{review_events, review_leaves, review_messages, review_ties, reviews};
use crate::platform::vault::ERASED;

/// Requests that people make for themselves. What officers ask for (headcounts, figures, conflicts) is the union's.
const OWN: [ReviewKind; 2] = [ReviewKind::Signup, ReviewKind::Membership];

/// Requests of `people` that are not decided, with their titles.
pub fn undecided(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<(ReviewId, String)>> {
    Ok(reviews::table
        .filter(reviews::applicant_id.eq_any(people))
        .filter(reviews::state.eq_any([ReviewState::Open, ReviewState::Returned]))
        .order(reviews::id)
        .select((reviews::id, reviews::title))
        .load(conn)?)
}

/// The kind of holder that requests are, and those that `people` made for themselves: what hangs on them goes too.
pub fn holders(conn: &mut Conn, people: &[PersonId]) -> Result<(&'static str, Vec<Uuid>)> {
    Ok((REVIEW, own(conn, people)?.into_iter().map(|id| id.0).collect()))
}

fn own(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<ReviewId>> {
    Ok(reviews::table
        .filter(reviews::applicant_id.eq_any(people))
        .filter(reviews::kind.eq_any(OWN))
        .order(reviews::id)
        .select(reviews::id)
        .load(conn)?)
}

/// Removes the answers, messages and words of the requests of `people`, and which ties they declared or were declared with.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId]) -> Result<usize> {
    let ids = own(conn, people)?;
    let forms = reviews::table.filter(reviews::id.eq_any(&ids)).filter(reviews::form_sealed.ne(ERASED));
    let mut done = diesel::update(forms).set(reviews::form_sealed.eq(ERASED)).execute(conn)?;
    let messages = review_messages::table
        .filter(review_messages::review_id.eq_any(&ids))
        .filter(review_messages::text_sealed.ne(ERASED));
    done += diesel::update(messages).set(review_messages::text_sealed.eq(ERASED)).execute(conn)?;
    let texts = review_events::table
        .filter(review_events::review_id.eq_any(&ids))
        .filter(review_events::text_sealed.is_not_null());
    done += diesel::update(texts).set(review_events::text_sealed.eq(None::<String>)).execute(conn)?;
    let leaves = review_leaves::table
        .filter(review_leaves::review_id.eq_any(&ids))
        .filter(review_leaves::reason.ne(String::new()));
    done += diesel::update(leaves).set(review_leaves::reason.eq(String::new())).execute(conn)?;
    let ties = review_ties::table.filter(
        review_ties::person_id.eq_any(people).or(review_ties::kin_id.eq_any(people.iter().map(Some))),
    );
    done += diesel::delete(ties).execute(conn)?;
    Ok(done)
}
