//! A change of keys: everything of the desk that is sealed, sealed again under the active key, while serving.

use diesel::prelude::*;

use super::model::{EVENT_TEXT, FORM};
use super::talk;
use crate::error::{Error, Result};
use crate::ids::{ReviewEventId, ReviewId};
use crate::platform::db::schema::{review_events, reviews};
use crate::platform::db::{Conn, Db};
use crate::platform::vault::Vault;

/// Rows in one transaction.
const PAGE: i64 = 200;

/// Seals answers, texts of events and messages under the active key, and says how many were not.
pub fn rotate(db: &Db, vault: &Vault, mut progress: impl FnMut()) -> Result<usize> {
    let forms = each(db, &mut progress, forms_after, |conn, id, sealed| form_in_tx(conn, vault, id, sealed))?;
    let texts = each(db, &mut progress, texts_after, |conn, id, sealed| text_in_tx(conn, vault, id, sealed))?;
    let messages = each(
        db,
        &mut progress,
        |conn, after| talk::sealed_after(conn, after, PAGE),
        |conn, id, sealed| talk::reseal_in_tx(conn, vault, id, sealed),
    )?;
    Ok(forms + texts + messages)
}

/// Goes through all rows that `page` gives, in the order of their ids.
fn each<I: Copy>(
    db: &Db,
    progress: &mut impl FnMut(),
    page: impl Fn(&mut Conn, Option<I>) -> Result<Vec<(I, String)>>,
    reseal_in_tx: impl Fn(&mut Conn, I, &str) -> Result<usize>,
) -> Result<usize> {
    let (mut done, mut after) = (0, None);
    loop {
        let rows = db.read_blocking(|conn| page(conn, after))?;
        let Some((last, _)) = rows.last() else { return Ok(done) };
        after = Some(*last);
        done += db.write_blocking(|conn| {
            rows.iter().try_fold(0, |sum, (id, sealed)| reseal_in_tx(conn, *id, sealed).map(|one| sum + one))
        })?;
        progress();
    }
}

fn forms_after(conn: &mut Conn, after: Option<ReviewId>) -> Result<Vec<(ReviewId, String)>> {
    let mut rows = reviews::table
        .order(reviews::id)
        .limit(PAGE)
        .select((reviews::id, reviews::form_sealed))
        .into_boxed();
    if let Some(after) = after {
        rows = rows.filter(reviews::id.gt(after));
    }
    Ok(rows.load(conn)?)
}

/// A form that was supplied with something meanwhile is sealed under the active key already.
fn form_in_tx(conn: &mut Conn, vault: &Vault, id: ReviewId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(FORM, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    let unchanged = reviews::table.filter(reviews::id.eq(id)).filter(reviews::form_sealed.eq(sealed));
    Ok(diesel::update(unchanged).set(reviews::form_sealed.eq(new)).execute(conn)?)
}

fn texts_after(conn: &mut Conn, after: Option<ReviewEventId>) -> Result<Vec<(ReviewEventId, String)>> {
    let mut rows = review_events::table
        .filter(review_events::text_sealed.is_not_null())
        .order(review_events::id)
        .limit(PAGE)
        .select((review_events::id, review_events::text_sealed.assume_not_null()))
        .into_boxed();
    if let Some(after) = after {
        rows = rows.filter(review_events::id.gt(after));
    }
    Ok(rows.load(conn)?)
}

fn text_in_tx(conn: &mut Conn, vault: &Vault, id: ReviewEventId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(EVENT_TEXT, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    Ok(diesel::update(review_events::table.find(id)).set(review_events::text_sealed.eq(new)).execute(conn)?)
}
