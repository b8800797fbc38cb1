//! A second return for supplement needs a superior's leave: one officer asks, another one of a body above decides, and whoever
//! asked uses it once.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::model::{Leave, LeaveState, Review, ReviewState, Stage, StageState};
use super::rules::Right;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{LeaveId, PersonId, ReviewId};
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::platform::db::schema::{organisations, people, review_leaves, review_stages, reviews};

/// Whether who may decide at `right` is above who decides at `body`. Nobody is above the district: there it is its own officers,
/// one for another.
pub fn is_above(right: &str, body: &str) -> bool {
    body.starts_with(right) && (right != body || is_top(body))
}

fn is_top(path: &str) -> bool {
    path.split('/').filter(|code| !code.is_empty()).count() == 1
}

/// Keeps a leave that is asked for; false where one of the stage is asked for or granted already.
pub fn ask_in_tx(conn: &mut Conn, leave: &Leave) -> Result<bool> {
    let rows = std::slice::from_ref(leave);
    let new: Vec<LeaveId> =
        crate::insert_new!(conn, review_leaves::table, rows, review_leaves::id => |row: &Leave| row.id)?;
    Ok(!new.is_empty())
}

/// The leave `id`, or 404.
pub fn get(conn: &mut Conn, id: LeaveId) -> Result<Leave> {
    let found = review_leaves::table.find(id).select(Leave::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Grants or refuses what is asked for; false where it was decided before, or by whoever asks.
pub fn decide_in_tx(
    conn: &mut Conn,
    id: LeaveId,
    to: LeaveState,
    actor: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let asked = review_leaves::table
        .filter(review_leaves::id.eq(id))
        .filter(review_leaves::state.eq(LeaveState::Asked))
        .filter(review_leaves::asked_by.ne(actor));
    let decided = (
        review_leaves::state.eq(to),
        review_leaves::decided_by.eq(actor),
        review_leaves::decided_at.eq(db_time(now)),
    );
    Ok(diesel::update(asked).set(decided).execute(conn)? == 1)
}

/// Uses the leave that was granted to `actor` at a stage that is open still; false where there is none.
pub fn use_in_tx(conn: &mut Conn, review: ReviewId, actor: PersonId) -> Result<bool> {
    let open = review_stages::table
        .filter(review_stages::review_id.eq(review))
        .filter(review_stages::state.eq(StageState::Open))
        .select(review_stages::id);
    let granted = review_leaves::table
        .filter(review_leaves::review_id.eq(review))
        .filter(review_leaves::stage_id.eq_any(open))
        .filter(review_leaves::asked_by.eq(actor))
        .filter(review_leaves::state.eq(LeaveState::Granted));
    Ok(diesel::update(granted).set(review_leaves::state.eq(LeaveState::Used)).execute(conn)? == 1)
}

/// A leave with what stands around it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The leave.
    pub leave: Leave,
    /// Of which request.
    pub review: Review,
    /// At which stage.
    pub stage: Stage,
    /// Whose stage it is.
    pub body: Organisation,
    /// The name of whoever asks.
    pub name: Option<String>,
}

/// The leave `id` with what stands around it, or 404.
pub fn asked(conn: &mut Conn, id: LeaveId) -> Result<Asked> {
    let leave = get(conn, id)?;
    let review = super::store::get(conn, leave.review_id)?;
    let stage: Stage = review_stages::table.find(leave.stage_id).select(Stage::as_select()).first(conn)?;
    let body = crate::org::store::get(conn, stage.body_id)?;
    let name = crate::people::store::get(conn, leave.asked_by)?.name;
    Ok(Asked { leave, review, stage, body, name })
}

/// What `person` with these rights may decide, the oldest first: asked by others, of requests that wait for their body.
pub fn waiting(
    conn: &mut Conn,
    person: PersonId,
    rights: &[Right],
    after: Option<LeaveId>,
    limit: i64,
) -> Result<Vec<Asked>> {
    type Row = (Leave, Review, Stage, Organisation, Option<String>);
    let mut query = review_leaves::table
        .inner_join(review_stages::table.on(review_stages::id.eq(review_leaves::stage_id)))
        .inner_join(reviews::table.on(reviews::id.eq(review_leaves::review_id)))
        .inner_join(organisations::table.on(organisations::id.eq(review_stages::body_id)))
        .inner_join(people::table.on(people::id.eq(review_leaves::asked_by)))
        .filter(review_leaves::state.eq(LeaveState::Asked))
        .filter(review_leaves::asked_by.ne(person))
        .filter(review_stages::state.eq(StageState::Open))
        .filter(reviews::state.eq(ReviewState::Open))
        .filter(below(rights))
        .order(review_leaves::id)
        .limit(limit)
        .select((
            Leave::as_select(),
            Review::as_select(),
            Stage::as_select(),
            Organisation::as_select(),
            people::name,
        ))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(review_leaves::id.gt(after));
    }
    let rows: Vec<Row> = query.load(conn)?;
    let asked = |(leave, review, stage, body, name): Row| Asked { leave, review, stage, body, name };
    Ok(rows.into_iter().map(asked).collect())
}

/// [`is_above`] as a condition on `organisations::path`, for any of the rights. Codes have no `%` or `_`, so nothing needs escaping.
fn below<QS: 'static>(
    rights: &[Right],
) -> Box<dyn diesel::BoxableExpression<QS, <Conn as diesel::Connection>::Backend, SqlType = Bool>>
where
    organisations::path: diesel::SelectableExpression<QS>,
{
    let none: Box<dyn diesel::BoxableExpression<QS, <Conn as diesel::Connection>::Backend, SqlType = Bool>> =
        Box::new(false.into_sql::<Bool>());
    rights.iter().fold(none, |any, right| {
        // At the district itself too.
        let under =
            if is_top(&right.path) { format!("{}%", right.path) } else { format!("{}_%", right.path) };
        Box::new(any.or(organisations::path.like(under)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superior_is_above_and_the_district_is_its_own() {
        for (right, body, above) in [
            ("/longgang/", "/longgang/street-pinghu/", true),
            ("/longgang/street-pinghu/", "/longgang/street-pinghu/unit/", true),
            ("/longgang/street-pinghu/", "/longgang/street-pinghu/", false),
            ("/longgang/street-pinghu/unit/", "/longgang/street-pinghu/", false),
            ("/longgang/street-pingdi/", "/longgang/street-pinghu/unit/", false),
            ("/longgang/street-pinghu/", "/longgang/", false),
            ("/longgang/", "/longgang/", true),
        ] {
            assert_eq!(is_above(right, body), above, "{right} {body}");
        }
    }
}
