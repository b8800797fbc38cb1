//! Queries of programmes, activities and sessions.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

use super::model::{
    Activity, ActivityState, Allocation, AttendanceRole, OwnClash, Programme, ProgrammeKind, Quota,
    RoleMeaning, Session, Topic, WaitingPolicy,
};
use crate::clock::{day_start, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, OrganisationId, ProgrammeId, QuotaId, SessionId};
use crate::platform::db::Conn;
use crate::platform::db::fixed::Fixed;
use crate::platform::db::schema::{
    activities, attendance_roles, organisations, programmes, quotas, sessions, topics,
};

diesel::define_sql_function! {
    /// Lower case as the engine knows it: ASCII letters on SQLite, those of the database's locale on PostgreSQL.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// All topics, by code.
pub fn topic_list(conn: &mut Conn) -> Result<Vec<Topic>> {
    Ok(topics::table.order(topics::code).limit(1000).select(Topic::as_select()).load(conn)?)
}

/// The programme `id`, or 404.
pub fn programme_get(conn: &mut Conn, id: ProgrammeId) -> Result<Programme> {
    let found = programmes::table.find(id).select(Programme::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Programmes after `after`, by id.
pub fn programme_list(
    conn: &mut Conn,
    kind: Option<ProgrammeKind>,
    after: Option<ProgrammeId>,
    limit: i64,
) -> Result<Vec<Programme>> {
    let mut query =
        programmes::table.order(programmes::id).limit(limit).select(Programme::as_select()).into_boxed();
    if let Some(kind) = kind {
        query = query.filter(programmes::kind.eq(kind));
    }
    if let Some(after) = after {
        query = query.filter(programmes::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Keeps a new programme.
pub fn programme_create_in_tx(conn: &mut Conn, row: &Programme) -> Result<()> {
    diesel::insert_into(programmes::table).values(row).execute(conn)?;
    Ok(())
}

/// An activity with its programme and its organiser's path.
pub struct Found {
    /// The activity.
    pub activity: Activity,
    /// Its programme.
    pub programme: Programme,
    /// The path of who organises it.
    pub path: String,
}

/// The activity `id`, or 404.
pub fn activity_get(conn: &mut Conn, id: ActivityId) -> Result<Found> {
    let found = activities::table
        .inner_join(programmes::table)
        .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id)))
        .filter(activities::id.eq(id))
        .select((Activity::as_select(), Programme::as_select(), organisations::path))
        .first(conn)
        .optional()?;
    found.map(|(activity, programme, path)| Found { activity, programme, path }).ok_or_else(Error::not_found)
}

/// Activities by id, with their programmes.
pub fn activities_by_id(
    conn: &mut Conn,
    ids: &[ActivityId],
) -> Result<HashMap<ActivityId, (Activity, Programme)>> {
    let rows: Vec<(Activity, Programme)> = activities::table
        .inner_join(programmes::table)
        .filter(activities::id.eq_any(ids))
        .select((Activity::as_select(), Programme::as_select()))
        .load(conn)?;
    Ok(rows.into_iter().map(|(activity, programme)| (activity.id, (activity, programme))).collect())
}

/// Locks activities in the order of their ids, so that no two batches wait for each other.
pub fn activities_lock_in_tx(conn: &mut Conn, ids: &[ActivityId]) -> Result<HashMap<ActivityId, Activity>> {
    let rows: Vec<Activity> = crate::load_locked!(
        conn,
        activities::table
            .filter(activities::id.eq_any(ids))
            .order(activities::id)
            .select(Activity::as_select())
    )?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// By how much counts of places move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlacesMove {
    /// Places used.
    pub taken: i64,
    /// Places kept.
    pub held: i64,
    /// Sign-ups so far.
    pub numbered: i64,
}

/// Moves the counts of an activity's places, inside 0..=bookable. The caller holds the activity's lock.
///
/// # Errors
/// An internal error when a count would leave its bounds: the caller has decided wrongly.
pub fn places_move_in_tx(conn: &mut Conn, id: ActivityId, by: PlacesMove) -> Result<()> {
    if by == PlacesMove::default() {
        return Ok(());
    }
    let guarded = activities::table
        .filter(activities::id.eq(id))
        .filter((activities::taken + activities::held + (by.taken + by.held)).le(activities::bookable))
        .filter((activities::taken + by.taken).ge(0))
        .filter((activities::held + by.held).ge(0));
    let changed = diesel::update(guarded)
        .set((
            activities::taken.eq(activities::taken + by.taken),
            activities::held.eq(activities::held + by.held),
            activities::numbered.eq(activities::numbered + by.numbered),
        ))
        .execute(conn)?;
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::internal(format!("the places of {id} cannot move by {by:?}")))
    }
}

/// Quotas below an activity's total, parents before children. The caller holds the activity's lock where it writes.
pub fn quotas_of(conn: &mut Conn, activity: ActivityId) -> Result<Vec<Quota>> {
    let query = quotas::table.filter(quotas::activity_id.eq(activity)).order((quotas::rank, quotas::id));
    Ok(query.select(Quota::as_select()).load(conn)?)
}

/// Moves the counts of a quota's places, inside 0..=capacity. The caller holds the activity's lock.
///
/// # Errors
/// As [`places_move_in_tx`].
pub fn quota_move_in_tx(conn: &mut Conn, id: QuotaId, by: PlacesMove) -> Result<()> {
    if by == PlacesMove::default() {
        return Ok(());
    }
    let guarded = quotas::table
        .filter(quotas::id.eq(id))
        .filter((quotas::taken + quotas::held + (by.taken + by.held)).le(quotas::capacity))
        .filter((quotas::taken + by.taken).ge(0))
        .filter((quotas::held + by.held).ge(0));
    let changed = diesel::update(guarded)
        .set((quotas::taken.eq(quotas::taken + by.taken), quotas::held.eq(quotas::held + by.held)))
        .execute(conn)?;
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::internal(format!("the places of {id} cannot move by {by:?}")))
    }
}

/// Which activities to list.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    /// Of programmes of this form.
    pub kind: Option<ProgrammeKind>,
    /// With a venue in this sub-district.
    pub street: Option<OrganisationId>,
    /// With a session on this civil day.
    pub day: Option<NaiveDate>,
    /// Only those with sign-up open now and places left.
    pub open_now: bool,
    /// With this text in title or summary.
    pub text: Option<String>,
    /// Of organisers under these LIKE patterns, in every state; none for the public list.
    pub managed: Option<Vec<String>>,
}

/// Activities in the order of their start, after `after`.
pub fn activity_list(
    conn: &mut Conn,
    filter: ActivityFilter,
    now: DateTime<Utc>,
    after: Option<(NaiveDateTime, ActivityId)>,
    limit: i64,
) -> Result<Vec<(Activity, Programme)>> {
    let mut query = activities::table
        .inner_join(programmes::table)
        .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id)))
        .order((activities::starts_at, activities::id))
        .limit(limit)
        .select((Activity::as_select(), Programme::as_select()))
        .into_boxed();
    query = match filter.managed {
        Some(patterns) => query.filter(crate::org::store::under(patterns)),
        // What is postponed has no dates that could be over.
        None => query.filter(
            activities::state.eq(ActivityState::Postponed).or(activities::state
                .eq_any([ActivityState::Published, ActivityState::Allocated])
                .and(activities::ends_at.gt(db_time(now)))),
        ),
    };
    if let Some(kind) = filter.kind {
        query = query.filter(programmes::kind.eq(kind));
    }
    if let Some(street) = filter.street {
        query = query.filter(activities::street_id.eq(street));
    }
    if let Some(day) = filter.day {
        let (from, to) = (day_start(day), day.succ_opt().map_or(DateTime::<Utc>::MAX_UTC, day_start));
        let on_day = sessions::table
            .filter(sessions::starts_at.lt(db_time(to)))
            .filter(sessions::ends_at.gt(db_time(from)))
            .select(sessions::activity_id);
        query = query.filter(activities::id.eq_any(on_day));
    }
    if filter.open_now {
        query = query
            .filter(activities::state.eq(ActivityState::Published))
            .filter(activities::allocation.ne(Allocation::Draw))
            .filter(activities::signup_opens_at.le(db_time(now)))
            .filter(activities::signup_closes_at.gt(db_time(now)))
            .filter((activities::taken + activities::held).lt(activities::bookable));
    }
    if let Some(text) = filter.text {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        // Both sides by the engine: PostgreSQL's lower() knows letters that Rust's ASCII rule leaves alone.
        let pattern = lower(format!("%{escaped}%"));
        query = query.filter(
            lower(activities::title)
                .like(pattern.clone())
                .escape('\\')
                .or(lower(activities::summary).like(pattern).escape('\\')),
        );
    }
    if let Some((starts_at, id)) = after {
        query = query.filter(
            activities::starts_at
                .gt(starts_at)
                .or(activities::starts_at.eq(starts_at).and(activities::id.gt(id))),
        );
    }
    Ok(query.load(conn)?)
}

/// Keeps a new activity with its sessions.
pub fn activity_create_in_tx(conn: &mut Conn, activity: &Activity, rows: &[Session]) -> Result<()> {
    diesel::insert_into(activities::table).values(activity).execute(conn)?;
    crate::insert_rows!(conn, sessions::table, rows)?;
    Ok(())
}

/// What an organiser may change.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = activities)]
pub struct ActivityChange {
    /// For people.
    pub title: String,
    /// For people.
    pub summary: String,
    /// Where.
    pub venue: String,
    /// Where.
    pub address: String,
    /// People whom the room holds.
    pub capacity: i64,
    /// Places that are given; never below those taken and kept.
    pub bookable: i64,
    /// Who waits when all places are given.
    pub waiting_list: WaitingPolicy,
    /// What happens to somebody who has a place elsewhere at the same time.
    pub own_clash: OwnClash,
    /// Whether only verified members may sign up.
    pub members_only: bool,
    /// How late a place may be given back; the policy's when none.
    #[diesel(treat_none_as_null = true)]
    pub free_cancel_hours: Option<i64>,
    /// For how long from the opening arrivals are shuffled.
    pub fair_minutes: i64,
    /// JSON: who may sign up earlier.
    pub waves: String,
    /// Sign-up opens.
    pub signup_opens_at: NaiveDateTime,
    /// Sign-up closes.
    pub signup_closes_at: NaiveDateTime,
}

/// Changes an activity that is still at `version`.
///
/// # Errors
/// 412 when it is not; 409 when more places are taken than would be left.
pub fn activity_update_in_tx(
    conn: &mut Conn,
    id: ActivityId,
    version: i64,
    change: ActivityChange,
    now: DateTime<Utc>,
) -> Result<()> {
    let bookable = change.bookable;
    let guarded = activities::table
        .filter(activities::id.eq(id))
        .filter(activities::version.eq(version))
        .filter((activities::taken + activities::held).le(bookable));
    let changed = diesel::update(guarded)
        .set((change, activities::version.eq(version + 1), activities::updated_at.eq(db_time(now))))
        .execute(conn)?;
    if changed == 1 {
        return Ok(());
    }
    let current: Option<i64> =
        activities::table.filter(activities::id.eq(id)).select(activities::version).first(conn).optional()?;
    Err(if current == Some(version) {
        Error::new(Code::StateForbids)
            .detail("名额不能少于已报名人数", "There cannot be fewer places than are taken")
    } else {
        Error::new(Code::PreconditionFailed)
    })
}

/// Sessions of an activity, in order.
pub fn sessions_of(conn: &mut Conn, activity: ActivityId) -> Result<Vec<Session>> {
    let query = sessions::table.filter(sessions::activity_id.eq(activity)).order(sessions::number);
    Ok(query.select(Session::as_select()).load(conn)?)
}

/// The sessions of activities, in order.
pub fn sessions_of_all(conn: &mut Conn, ids: &[ActivityId]) -> Result<HashMap<ActivityId, Vec<Session>>> {
    let rows: Vec<Session> = sessions::table
        .filter(sessions::activity_id.eq_any(ids))
        .order((sessions::activity_id, sessions::number))
        .select(Session::as_select())
        .load(conn)?;
    let mut by_activity: HashMap<ActivityId, Vec<Session>> = HashMap::new();
    for row in rows {
        by_activity.entry(row.activity_id).or_default().push(row);
    }
    Ok(by_activity)
}

/// Locks sessions in the order of their ids.
pub fn sessions_lock_in_tx(conn: &mut Conn, ids: &[SessionId]) -> Result<HashMap<SessionId, Session>> {
    let rows: Vec<Session> = crate::load_locked!(
        conn,
        sessions::table.filter(sessions::id.eq_any(ids)).order(sessions::id).select(Session::as_select())
    )?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The session `id` with its activity, or 404.
pub fn session_get(conn: &mut Conn, id: SessionId) -> Result<(Session, Found)> {
    let session: Option<Session> =
        sessions::table.find(id).select(Session::as_select()).first(conn).optional()?;
    let session = session.ok_or_else(Error::not_found)?;
    let found = activity_get(conn, session.activity_id)?;
    Ok((session, found))
}

/// Adds to the number of people present.
pub fn present_add_in_tx(conn: &mut Conn, id: SessionId, by: i64) -> Result<()> {
    let text = "UPDATE sessions SET present = present + ? WHERE id = ?";
    crate::on_each!(conn, c => Fixed::reading(text).bind::<BigInt, _>(by).bind::<Binary, _>(id).execute(c))?;
    Ok(())
}

/// What each role means.
pub fn roles(conn: &mut Conn) -> Result<HashMap<AttendanceRole, RoleMeaning>> {
    let rows: Vec<RoleMeaning> = attendance_roles::table.select(RoleMeaning::as_select()).load(conn)?;
    Ok(rows.into_iter().map(|row| (row.code, row)).collect())
}
