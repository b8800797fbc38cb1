//! Queries of rooms, trainers and their bookings.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::clash::{self, Booked, Slot};
use super::model::{ActivityState, Booking, Resource, ResourceKind, SessionState};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result};
use crate::ids::{ActivityId, OrganisationId, ResourceId, SessionId};
use crate::org;
use crate::platform::access::Scope;
use crate::platform::db::schema::{activities, bookings, organisations, resources, sessions};
use crate::platform::db::{Conn, unique_violation};

/// A resource with the path of whose it is, or 404.
pub fn get(conn: &mut Conn, id: ResourceId) -> Result<(Resource, String)> {
    let query = resources::table.inner_join(organisations::table).filter(resources::id.eq(id));
    let found = query.select((Resource::as_select(), organisations::path)).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// The resource `id` where somebody with `scope` may see it: their own, and those above their subtrees.
pub fn seen(conn: &mut Conn, id: ResourceId, scope: &Scope) -> Result<(Resource, String)> {
    let (resource, path) = get(conn, id)?;
    let seen = scope.roots().any(|root| clash::is_usable(&path, root, |path| scope.covers(path)));
    if seen { Ok((resource, path)) } else { Err(Error::not_found()) }
}

/// Resources that somebody with `scope` may see, after `after`.
pub fn list(
    conn: &mut Conn,
    kind: Option<ResourceKind>,
    scope: &Scope,
    after: Option<ResourceId>,
    limit: i64,
) -> Result<Vec<Resource>> {
    let above: BTreeSet<String> = scope.roots().flat_map(org::rules::lineage).collect();
    let mut query = resources::table
        .inner_join(organisations::table)
        .filter(organisations::path.eq_any(above).or(org::store::under(scope.patterns().collect())))
        .order(resources::id)
        .limit(limit)
        .select(Resource::as_select())
        .into_boxed();
    if let Some(kind) = kind {
        query = query.filter(resources::kind.eq(kind));
    }
    if let Some(after) = after {
        query = query.filter(resources::id.gt(after));
    }
    Ok(query.load(conn)?)
}

fn name_taken(error: diesel::result::Error) -> Error {
    if !unique_violation(&error) {
        return error.into();
    }
    Error::new(Code::UniqueTaken)
        .detail("该组织已有同名的场地或讲师", "The organisation has one of this kind and name already")
        .cause(error)
}

/// Keeps a new resource.
///
/// # Errors
/// 409 when the organisation has one of this kind and name.
pub fn create_in_tx(conn: &mut Conn, row: &Resource) -> Result<()> {
    diesel::insert_into(resources::table).values(row).execute(conn).map_err(name_taken)?;
    Ok(())
}

/// What of a resource may be changed.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = resources, treat_none_as_null = true)]
pub struct ResourceChange {
    /// For people.
    pub name: String,
    /// People whom a room holds.
    pub seats: Option<i64>,
    /// Between two bookings.
    pub margin_minutes: i64,
    /// From when on it is not booked any more.
    pub closed_at: Option<NaiveDateTime>,
}

/// Changes a resource that is still at `version`.
///
/// # Errors
/// 412 when it is not; 409 when its new name is taken.
pub fn update_in_tx(conn: &mut Conn, id: ResourceId, version: i64, change: ResourceChange) -> Result<()> {
    let guarded = resources::table.filter(resources::id.eq(id)).filter(resources::version.eq(version));
    let changed = diesel::update(guarded)
        .set((change, resources::version.eq(version + 1)))
        .execute(conn)
        .map_err(name_taken)?;
    if changed == 1 { Ok(()) } else { Err(Error::new(Code::PreconditionFailed)) }
}

/// Locks resources in the order of their ids: whoever books one waits for whoever does already. With the paths of whose
/// they are.
pub fn lock_in_tx(conn: &mut Conn, ids: &[ResourceId]) -> Result<HashMap<ResourceId, (Resource, String)>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    // Without a join, which would lock the organisations too.
    let rows: Vec<Resource> = crate::load_locked!(
        conn,
        resources::table.filter(resources::id.eq_any(ids)).order(resources::id).select(Resource::as_select())
    )?;
    let owners: Vec<_> = rows.iter().map(|row| row.organisation_id).collect();
    let query = organisations::table.filter(organisations::id.eq_any(owners));
    let found: Vec<(OrganisationId, String)> =
        query.select((organisations::id, organisations::path)).load(conn)?;
    let paths: HashMap<OrganisationId, String> = found.into_iter().collect();
    let with_path = |row: Resource| {
        let path = paths.get(&row.organisation_id).cloned().unwrap_or_default();
        (row.id, (row, path))
    };
    Ok(rows.into_iter().map(with_path).collect())
}

/// Which of `slots` cannot have `wanted`, whose rows the caller has locked. `knows` says whose activities' titles may be
/// told, by the organiser's path.
pub fn clashes_find(
    conn: &mut Conn,
    wanted: &[&Resource],
    slots: &[Slot],
    knows: &dyn Fn(&str) -> bool,
) -> Result<Vec<Fault>> {
    let (Some(from), Some(until)) =
        (slots.iter().map(|one| one.starts_at).min(), slots.iter().map(|one| one.ends_at).max())
    else {
        return Ok(Vec::new());
    };
    let widest = wanted.iter().map(|one| clash::margin(one)).max().unwrap_or(TimeDelta::zero());
    let ids: Vec<ResourceId> = wanted.iter().map(|one| one.id).collect();
    let own: BTreeSet<SessionId> = slots.iter().map(|one| one.session).collect();
    let rows: Vec<(Booking, String, String)> = bookings::table
        .inner_join(
            sessions::table.inner_join(
                activities::table
                    .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id))),
            ),
        )
        .filter(bookings::resource_id.eq_any(ids))
        .filter(bookings::starts_at.lt(until + widest))
        .filter(bookings::ends_at.gt(from - widest))
        .filter(sessions::state.ne(SessionState::Cancelled))
        .filter(activities::state.ne_all([ActivityState::Cancelled, ActivityState::Postponed]))
        .select((Booking::as_select(), activities::title, organisations::path))
        .load(conn)?;
    let booked: Vec<Booked> = rows
        .into_iter()
        .filter(|(booking, _, _)| !own.contains(&booking.session_id))
        .map(|(booking, title, path)| Booked {
            resource: booking.resource_id,
            starts_at: booking.starts_at,
            ends_at: booking.ends_at,
            title: knows(&path).then_some(title),
        })
        .collect();
    Ok(wanted.iter().flat_map(|one| clash::clashes(one, slots, &booked)).collect())
}

/// Books `wanted` for all `slots`; the caller has locked them and found no clash.
pub fn bookings_make_in_tx(conn: &mut Conn, wanted: &[ResourceId], slots: &[Slot]) -> Result<()> {
    let rows: Vec<Booking> =
        wanted.iter().flat_map(|resource_id| slots.iter().map(|slot| booking(*resource_id, slot))).collect();
    crate::insert_rows!(conn, bookings::table, rows.as_slice())?;
    Ok(())
}

fn booking(resource_id: ResourceId, slot: &Slot) -> Booking {
    Booking { resource_id, session_id: slot.session, starts_at: slot.starts_at, ends_at: slot.ends_at }
}

/// Gives back what sessions use that will not take place. The sessions of a postponed activity keep their bookings: these
/// bind nobody meanwhile, and [`bookings_move_in_tx`] tries them again when there are dates again.
pub fn bookings_free_in_tx(conn: &mut Conn, of: &[SessionId]) -> Result<()> {
    diesel::delete(bookings::table.filter(bookings::session_id.eq_any(of))).execute(conn)?;
    Ok(())
}

/// Moves the bookings of sessions to new times, all of them or none. The caller has locked the sessions.
///
/// # Errors
/// 409 `resource_clash`, naming every session by its place in `moves` (`/sessions/0`, …). Titles are told of activities
/// of the moved ones' organiser and of those below it.
pub fn bookings_move_in_tx(
    conn: &mut Conn,
    moves: &[(SessionId, DateTime<Utc>, DateTime<Utc>)],
) -> Result<()> {
    let slots: Vec<Slot> = moves
        .iter()
        .enumerate()
        .map(|(place, (session, starts_at, ends_at))| Slot {
            place,
            session: *session,
            starts_at: db_time(*starts_at),
            ends_at: db_time(*ends_at),
        })
        .collect();
    let of: Vec<SessionId> = slots.iter().map(|slot| slot.session).collect();
    let used: Vec<(ResourceId, SessionId, String)> = bookings::table
        .inner_join(
            sessions::table.inner_join(
                activities::table
                    .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id))),
            ),
        )
        .filter(bookings::session_id.eq_any(of))
        .select((bookings::resource_id, bookings::session_id, organisations::path))
        .load(conn)?;
    let ids: BTreeSet<ResourceId> = used.iter().map(|(resource, _, _)| *resource).collect();
    let locked = lock_in_tx(conn, &ids.into_iter().collect::<Vec<_>>())?;
    let mut faults = Vec::new();
    for (resource, _) in locked.values() {
        let users: Vec<&(ResourceId, SessionId, String)> =
            used.iter().filter(|(id, _, _)| *id == resource.id).collect();
        let slots: Vec<Slot> = slots
            .iter()
            .filter(|slot| users.iter().any(|(_, session, _)| *session == slot.session))
            .copied()
            .collect();
        let knows = |path: &str| users.iter().all(|(_, _, own)| path.starts_with(own.as_str()));
        faults.extend(clashes_find(conn, &[resource], &slots, &knows)?);
    }
    if !faults.is_empty() {
        faults.sort_by(|a, b| (&a.pointer, &a.detail.zh).cmp(&(&b.pointer, &b.detail.zh)));
        return Err(Error::parameters(Code::ResourceClash, faults));
    }
    for slot in &slots {
        diesel::update(bookings::table.filter(bookings::session_id.eq(slot.session)))
            .set((bookings::starts_at.eq(slot.starts_at), bookings::ends_at.eq(slot.ends_at)))
            .execute(conn)?;
    }
    Ok(())
}

/// What the sessions of an activity use, by id.
pub fn resources_of_activity(conn: &mut Conn, id: ActivityId) -> Result<Vec<ResourceId>> {
    let query = bookings::table.inner_join(sessions::table).filter(sessions::activity_id.eq(id));
    Ok(query.select(bookings::resource_id).distinct().order(bookings::resource_id).load(conn)?)
}

/// The name and the seats of the smallest venue that an activity uses.
pub fn seats_of_activity(conn: &mut Conn, id: ActivityId) -> Result<Option<(String, i64)>> {
    let used = bookings::table
        .inner_join(sessions::table)
        .filter(sessions::activity_id.eq(id))
        .select(bookings::resource_id);
    let smallest: Option<(String, Option<i64>)> = resources::table
        .filter(resources::id.eq_any(used))
        .filter(resources::kind.eq(ResourceKind::Venue))
        .filter(resources::seats.is_not_null())
        .order((resources::seats, resources::id))
        .select((resources::name, resources::seats))
        .first(conn)
        .optional()?;
    Ok(smallest.and_then(|(name, seats)| Some((name, seats?))))
}

/// A booking as it is shown, with its activity and the path of who organises that.
pub type Shown = (Booking, ActivityId, String, String);

/// Bookings of a resource that end after `from`, by start, after `after`. Those that bind nobody are left out.
pub fn bookings_of(
    conn: &mut Conn,
    id: ResourceId,
    from: DateTime<Utc>,
    after: Option<(NaiveDateTime, SessionId)>,
    limit: i64,
) -> Result<Vec<Shown>> {
    let mut query = bookings::table
        .inner_join(
            sessions::table.inner_join(
                activities::table
                    .inner_join(organisations::table.on(organisations::id.eq(activities::organisation_id))),
            ),
        )
        .filter(bookings::resource_id.eq(id))
        .filter(bookings::ends_at.gt(db_time(from)))
        .filter(sessions::state.ne(SessionState::Cancelled))
        .filter(activities::state.ne_all([ActivityState::Cancelled, ActivityState::Postponed]))
        .order((bookings::starts_at, bookings::session_id))
        .limit(limit)
        .select((Booking::as_select(), activities::id, activities::title, organisations::path))
        .into_boxed();
    if let Some((starts_at, session)) = after {
        query = query.filter(
            bookings::starts_at
                .gt(starts_at)
                .or(bookings::starts_at.eq(starts_at).and(bookings::session_id.gt(session))),
        );
    }
    Ok(query.load(conn)?)
}
