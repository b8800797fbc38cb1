//! Queries. Whoever changes a headcount holds the lock of its session.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::model::{Finding, FindingState, Flag, Headcount, HeadcountState, Photo, Sample, SampleEntry};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{
    ActivityId, FindingId, HeadcountId, HeadcountSampleId, OrganisationId, PersonId, ReviewId, SessionId,
    SubjectId,
};
use crate::offering::model::{Session, SessionState};
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    activities, headcount_findings, headcount_flags, headcount_photos, headcount_sample_entries,
    headcount_samples, headcounts, organisations, reviews, sessions,
};

const LIVE: [HeadcountState; 2] = [HeadcountState::Proposed, HeadcountState::Approved];

/// The headcount `id`, or 404.
pub fn get(conn: &mut Conn, id: HeadcountId) -> Result<Headcount> {
    let found = headcounts::table.find(id).select(Headcount::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The headcount `id`, locked behind its session.
pub fn locked_in_tx(conn: &mut Conn, id: HeadcountId) -> Result<(Session, Headcount)> {
    let seen = get(conn, id)?;
    let mut sessions = crate::offering::store::sessions_lock_in_tx(conn, &[seen.session_id])?;
    let session = sessions.remove(&seen.session_id).ok_or_else(Error::not_found)?;
    let rows: Vec<Headcount> = crate::load_locked!(
        conn,
        headcounts::table.filter(headcounts::id.eq(id)).select(Headcount::as_select())
    )?;
    let row = rows.into_iter().next().ok_or_else(Error::not_found)?;
    Ok((session, row))
}

/// Keeps a new headcount; false where the session has one that is being decided or counts.
pub fn insert_in_tx(conn: &mut Conn, row: &Headcount) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<HeadcountId> =
        crate::insert_new!(conn, headcounts::table, rows, headcounts::id => |row: &Headcount| row.id)?;
    Ok(!new.is_empty())
}

/// Writes what becomes of a headcount; `before` is as it was read.
///
/// # Errors
/// `headcount_live` where it would be the second that counts; an internal error when it changed behind its lock.
pub fn update_in_tx(conn: &mut Conn, before: &Headcount, after: &Headcount) -> Result<()> {
    let guarded =
        headcounts::table.filter(headcounts::id.eq(before.id)).filter(headcounts::version.eq(before.version));
    let changed = diesel::update(guarded)
        .set((
            headcounts::state.eq(after.state),
            headcounts::standing.eq(after.standing),
            headcounts::decided_at.eq(after.decided_at),
            headcounts::version.eq(before.version + 1),
        ))
        .execute(conn)
        .map_err(|error| {
            if crate::platform::db::unique_violation(&error) {
                Error::new(Code::HeadcountLive)
            } else {
                error.into()
            }
        })?;
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{} changed behind its lock", before.id))) }
}

/// The headcount of a session that counts.
pub fn standing_of(conn: &mut Conn, session: SessionId) -> Result<Option<Headcount>> {
    let rows = headcounts::table
        .filter(headcounts::session_id.eq(session))
        .filter(headcounts::state.eq(HeadcountState::Approved));
    Ok(rows.select(Headcount::as_select()).first(conn).optional()?)
}

/// The headcounts of sessions that are being decided or count.
pub fn live_of(conn: &mut Conn, sessions: &[SessionId]) -> Result<Vec<Headcount>> {
    let rows = headcounts::table
        .filter(headcounts::session_id.eq_any(sessions))
        .filter(headcounts::state.eq_any(LIVE))
        .order(headcounts::id);
    Ok(rows.select(Headcount::as_select()).load(conn)?)
}

/// Headcounts of a session after `after`, the refused ones too.
pub fn of_session(
    conn: &mut Conn,
    session: SessionId,
    after: Option<HeadcountId>,
    limit: i64,
) -> Result<Vec<Headcount>> {
    let mut query = headcounts::table
        .filter(headcounts::session_id.eq(session))
        .order(headcounts::id)
        .limit(limit)
        .select(Headcount::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(headcounts::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// The latest review of each of the subjects.
pub fn reviews_of(conn: &mut Conn, subjects: &[SubjectId]) -> Result<HashMap<SubjectId, ReviewId>> {
    let mut rows: Vec<(SubjectId, ReviewId, Option<ReviewId>)> = reviews::table
        .filter(reviews::subject_id.eq_any(subjects))
        .select((reviews::subject_id, reviews::id, reviews::appeal_of))
        .load(conn)?;
    // The appeal comes after what it is against, and there is no third.
    rows.sort_by_key(|(_, _, appeal_of)| appeal_of.is_some());
    Ok(rows.into_iter().map(|(subject, review, _)| (subject, review)).collect())
}

/// Keeps pictures, and what they have in common with earlier ones.
pub fn photos_create_in_tx(conn: &mut Conn, photos: &[Photo], flags: &[Flag]) -> Result<()> {
    crate::insert_rows!(&mut *conn, headcount_photos::table, photos)?;
    crate::insert_rows!(conn, headcount_flags::table, flags)?;
    Ok(())
}

/// The pictures of headcounts, in the order of their files.
pub fn photos_of(conn: &mut Conn, ids: &[HeadcountId]) -> Result<Vec<Photo>> {
    let rows = headcount_photos::table
        .filter(headcount_photos::headcount_id.eq_any(ids))
        .order(headcount_photos::file_id);
    Ok(rows.select(Photo::as_select()).load(conn)?)
}

/// The flags of headcounts.
pub fn flags_of(conn: &mut Conn, ids: &[HeadcountId]) -> Result<Vec<Flag>> {
    let rows = headcount_flags::table
        .filter(headcount_flags::headcount_id.eq_any(ids))
        .order((headcount_flags::file_id, headcount_flags::other_file_id));
    Ok(rows.select(Flag::as_select()).load(conn)?)
}

/// A headcount that counts, with its activity, and the begin of its session and how many were checked in there.
pub type Standing = (Headcount, ActivityId, NaiveDateTime, i64);

/// Headcounts that count, after `after`, at sessions that are not cancelled; for verification.
pub fn standing_after(conn: &mut Conn, after: Option<HeadcountId>, limit: i64) -> Result<Vec<Standing>> {
    let mut query = headcounts::table
        .inner_join(sessions::table)
        .filter(headcounts::state.eq(HeadcountState::Approved))
        .filter(sessions::state.ne(SessionState::Cancelled))
        .order(headcounts::id)
        .limit(limit)
        .select((Headcount::as_select(), sessions::activity_id, sessions::starts_at, sessions::present))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(headcounts::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// A headcount with the sub-districts of its venue and of who organises it.
pub type Placed = (HeadcountId, Option<OrganisationId>, Option<OrganisationId>);

/// Headcounts that count, of sessions that began at `from` or later and before `until`.
pub fn standing_between(conn: &mut Conn, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Placed>> {
    let query = headcounts::table
        .inner_join(sessions::table.inner_join(activities::table))
        .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id)))
        .filter(headcounts::state.eq(HeadcountState::Approved))
        .filter(sessions::state.ne(SessionState::Cancelled))
        .filter(sessions::starts_at.ge(db_time(from)))
        .filter(sessions::starts_at.lt(db_time(until)))
        .order(headcounts::id)
        .select((headcounts::id, activities::street_id, organisations::street_id));
    Ok(query.load(conn)?)
}

/// Keeps a promised sample; false where the street has one for the quarter.
pub fn sample_create_in_tx(conn: &mut Conn, row: &Sample) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<HeadcountSampleId> = crate::insert_new!(conn, headcount_samples::table, rows, headcount_samples::id => |row: &Sample| row.id)?;
    Ok(!new.is_empty())
}

/// The sample `id` with the path of its street, or 404.
pub fn sample_get(conn: &mut Conn, id: HeadcountSampleId) -> Result<(Sample, String)> {
    let found = headcount_samples::table
        .inner_join(organisations::table.on(organisations::id.eq(headcount_samples::organisation_id)))
        .filter(headcount_samples::id.eq(id))
        .select((Sample::as_select(), organisations::path))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Samples after `after`, by id.
pub fn samples(conn: &mut Conn, after: Option<HeadcountSampleId>, limit: i64) -> Result<Vec<Sample>> {
    let mut query = headcount_samples::table
        .order(headcount_samples::id)
        .limit(limit)
        .select(Sample::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(headcount_samples::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// What came out of a draw.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The seed, published from now on.
    pub seed: String,
    /// The order that came out.
    pub order: Vec<HeadcountId>,
    /// How many of them are audited.
    pub chosen: i64,
    /// SHA-256 over the order.
    pub digest: String,
}

/// Publishes a draw and keeps its order; false when it was drawn already.
pub fn drawn_in_tx(
    conn: &mut Conn,
    id: HeadcountSampleId,
    drawn: &Drawn,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let open = headcount_samples::table.find(id).filter(headcount_samples::drawn_at.is_null());
    let changed = diesel::update(open)
        .set((
            headcount_samples::drawn_by.eq(by),
            headcount_samples::drawn_at.eq(db_time(now)),
            headcount_samples::seed.eq(&drawn.seed),
            headcount_samples::entries.eq(i64::try_from(drawn.order.len()).unwrap_or(i64::MAX)),
            headcount_samples::chosen.eq(drawn.chosen),
            headcount_samples::digest.eq(&drawn.digest),
        ))
        .execute(conn)?;
    if changed != 1 {
        return Ok(false);
    }
    let rows: Vec<SampleEntry> = (1..)
        .zip(&drawn.order)
        .map(|(rank, headcount)| SampleEntry { sample_id: id, rank, headcount_id: *headcount })
        .collect();
    crate::insert_rows!(conn, headcount_sample_entries::table, &rows)?;
    Ok(true)
}

/// The order of a sample after the place `after`.
pub fn entries(
    conn: &mut Conn,
    id: HeadcountSampleId,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<SampleEntry>> {
    let mut query = headcount_sample_entries::table
        .filter(headcount_sample_entries::sample_id.eq(id))
        .order(headcount_sample_entries::rank)
        .limit(limit)
        .select(SampleEntry::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(headcount_sample_entries::rank.gt(after));
    }
    Ok(query.load(conn)?)
}

/// The sample in which a headcount is audited, with the path of its street; none where it was not drawn.
pub fn sample_of(conn: &mut Conn, headcount: HeadcountId) -> Result<Option<(Sample, String)>> {
    let found = headcount_sample_entries::table
        .inner_join(
            headcount_samples::table.on(headcount_samples::id.eq(headcount_sample_entries::sample_id)),
        )
        .inner_join(organisations::table.on(organisations::id.eq(headcount_samples::organisation_id)))
        .filter(headcount_sample_entries::headcount_id.eq(headcount))
        .filter(headcount_sample_entries::rank.nullable().le(headcount_samples::chosen))
        .order(headcount_samples::id)
        .select((Sample::as_select(), organisations::path))
        .first(conn)
        .optional()?;
    Ok(found)
}

/// Keeps a finding; false where one stands of the headcount.
pub fn finding_create_in_tx(conn: &mut Conn, row: &Finding) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new: Vec<FindingId> = crate::insert_new!(conn, headcount_findings::table, rows, headcount_findings::id => |row: &Finding| row.id)?;
    Ok(!new.is_empty())
}

/// The finding `id`, or 404.
pub fn finding_get(conn: &mut Conn, id: FindingId) -> Result<Finding> {
    let found = headcount_findings::table.find(id).select(Finding::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The finding of a headcount that stands, or waits for another officer.
pub fn finding_of(conn: &mut Conn, headcount: HeadcountId) -> Result<Option<Finding>> {
    let rows = headcount_findings::table.filter(headcount_findings::headcount_id.eq(headcount)).filter(
        headcount_findings::state.eq_any([
            FindingState::Upheld,
            FindingState::Proposed,
            FindingState::Approved,
        ]),
    );
    Ok(rows.select(Finding::as_select()).first(conn).optional()?)
}

/// Says what becomes of a finding. The caller holds the lock of the headcount's session.
///
/// # Errors
/// An internal error when it is not in the state that was read.
pub fn finding_set_in_tx(
    conn: &mut Conn,
    row: &Finding,
    state: FindingState,
    now: DateTime<Utc>,
) -> Result<()> {
    let guarded = headcount_findings::table
        .filter(headcount_findings::id.eq(row.id))
        .filter(headcount_findings::version.eq(row.version));
    let changed = diesel::update(guarded)
        .set((
            headcount_findings::state.eq(state),
            headcount_findings::decided_at.eq(db_time(now)),
            headcount_findings::version.eq(row.version + 1),
        ))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(Error::internal(format!("{} changed behind its lock", row.id))) }
}
