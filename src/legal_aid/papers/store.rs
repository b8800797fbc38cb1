//! Queries of documents.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::{CaseDocument, DeliveryWay, DocumentKind};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_documents;

/// Keeps a document.
pub fn create_in_tx(conn: &mut Conn, row: &CaseDocument) -> Result<()> {
    diesel::insert_into(legal_documents::table).values(row).execute(conn)?;
    Ok(())
}

/// The document `id` of `case`, or 404: also for a document of another case.
pub fn get(conn: &mut Conn, case: CaseId, id: CaseDocumentId) -> Result<CaseDocument> {
    let found = legal_documents::table
        .filter(legal_documents::id.eq(id))
        .filter(legal_documents::case_id.eq(case))
        .select(CaseDocument::as_select())
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Documents of `case`, newest first, before `before`.
pub fn list(
    conn: &mut Conn,
    case: CaseId,
    before: Option<CaseDocumentId>,
    limit: i64,
) -> Result<Vec<CaseDocument>> {
    let mut query = legal_documents::table
        .filter(legal_documents::case_id.eq(case))
        .order(legal_documents::id.desc())
        .limit(limit)
        .select(CaseDocument::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(legal_documents::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// The kinds of documents that `case` has.
pub fn kinds(conn: &mut Conn, case: CaseId) -> Result<Vec<DocumentKind>> {
    let of_case = legal_documents::table.filter(legal_documents::case_id.eq(case));
    Ok(of_case.select(legal_documents::kind).distinct().load(conn)?)
}

/// Says that a document was handed over; false where that was said already.
pub fn deliver_in_tx(
    conn: &mut Conn,
    id: CaseDocumentId,
    way: DeliveryWay,
    by: Option<PersonId>,
    at: DateTime<Utc>,
) -> Result<bool> {
    let open = legal_documents::table
        .filter(legal_documents::id.eq(id))
        .filter(legal_documents::delivered_at.is_null());
    let changed = diesel::update(open)
        .set((
            legal_documents::delivered_at.eq(Some(db_time(at))),
            legal_documents::delivery.eq(Some(way)),
            legal_documents::delivered_by.eq(by),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Says that the applicant opened a document, which has reached them with that at the latest; false where they had before.
pub fn read_in_tx(conn: &mut Conn, id: CaseDocumentId, now: DateTime<Utc>) -> Result<bool> {
    deliver_in_tx(conn, id, DeliveryWay::Online, None, now)?;
    let unread =
        legal_documents::table.filter(legal_documents::id.eq(id)).filter(legal_documents::read_at.is_null());
    Ok(diesel::update(unread).set(legal_documents::read_at.eq(Some(db_time(now)))).execute(conn)? == 1)
}

/// Documents after `after`, with what is sealed of them.
pub fn sealed_after(
    conn: &mut Conn,
    after: Option<CaseDocumentId>,
    limit: i64,
) -> Result<Vec<(CaseDocumentId, String)>> {
    let mut query = legal_documents::table
        .order(legal_documents::id)
        .limit(limit)
        .select((legal_documents::id, legal_documents::paper_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_documents::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Replaces a sealed text, if it still is what was read.
pub fn resealed_in_tx(conn: &mut Conn, id: CaseDocumentId, old: &str, new: &str) -> Result<usize> {
    let same = legal_documents::table
        .filter(legal_documents::id.eq(id))
        .filter(legal_documents::paper_sealed.eq(old));
    Ok(diesel::update(same).set(legal_documents::paper_sealed.eq(new)).execute(conn)?)
}
