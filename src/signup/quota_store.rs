//! Writing quotas. Every function needs the activity's lock.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use super::quotas::{Move, NodeKey, ReleaseTo, WantedQuota};
use super::waiting;
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, Ids, PersonId, QuotaId, QuotaMoveId};
use crate::offering;
use crate::offering::model::{Activity, Quota, QuotaKind};
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, place_holds, quota_moves, quota_releases, quotas, signups};

crate::text_enum! {
    /// Why places go from one quota to another.
    pub enum MoveKind {
        /// 到期释放.
        Release = "release",
        /// 街道间调剂.
        Transfer = "transfer",
    }
}

crate::text_enum! {
    /// Life of a move.
    pub enum MoveState {
        /// 待对方确认.
        Offered = "offered",
        /// 已完成.
        Done = "done",
        /// 对方谢绝.
        Refused = "refused",
        /// 已撤回.
        Withdrawn = "withdrawn",
    }
}

/// Places that go from one quota to another.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = quota_moves, treat_none_as_default_value = false)]
pub struct QuotaMove {
    /// Its id.
    pub id: QuotaMoveId,
    /// Of what.
    pub activity_id: ActivityId,
    /// From.
    pub from_id: QuotaId,
    /// To.
    pub to_id: QuotaId,
    /// Why.
    pub kind: MoveKind,
    /// How many.
    pub places: i64,
    /// Where in its life it is.
    pub state: MoveState,
    /// In words.
    pub reason: String,
    /// Who offered it; none for the system.
    pub made_by: Option<PersonId>,
    /// When.
    pub made_at: NaiveDateTime,
    /// Who answered.
    pub decided_by: Option<PersonId>,
    /// When.
    pub decided_at: Option<NaiveDateTime>,
}

/// When unused places go on, and to whom.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = quota_releases, treat_none_as_null = true)]
pub struct QuotaRelease {
    /// Of what.
    pub activity_id: ActivityId,
    /// When.
    pub release_at: NaiveDateTime,
    /// To whom.
    pub release_to: ReleaseTo,
    /// When it was done.
    pub released_at: Option<NaiveDateTime>,
}

fn below_use(quota: &Quota) -> Error {
    let used = quota.taken + quota.held;
    Error::new(Code::QuotaBelowUse)
        .detail(format!("已使用和保留 {used} 个"), format!("{used} places of {} are used or kept", quota.id))
}

/// Makes the quotas of an activity as wanted: those that stay keep their use, those that are not wanted must be unused.
///
/// # Errors
/// 409 `quota_below_use`; 409 `state_forbids` when sign-ups have begun without quotas.
pub fn set_in_tx(conn: &mut Conn, ids: &Ids, activity: &Activity, wanted: &[WantedQuota]) -> Result<()> {
    if !activity.split && activity.numbered > 0 && !wanted.is_empty() {
        return Err(Error::new(Code::StateForbids).detail(
            "已有人报名，不能再划分名额",
            "People have signed up; it is too late to split the places",
        ));
    }
    let old = offering::store::quotas_of(conn, activity.id)?;
    let mut kept = HashSet::new();
    // Places are freed before they are given again, so that a smaller sum is never in the way.
    level_in_tx(conn, ids, activity.id, None, wanted, &old, &mut kept)?;
    // Children before their parents.
    for quota in old.iter().filter(|quota| !kept.contains(&quota.id)).rev() {
        let used: i64 = signups::table.filter(signups::quota_id.eq(quota.id)).count().get_result(conn)?;
        let kept: i64 =
            place_holds::table.filter(place_holds::quota_id.eq(quota.id)).count().get_result(conn)?;
        if used + kept > 0 || quota.taken + quota.held > 0 {
            return Err(below_use(quota));
        }
        diesel::delete(
            quota_moves::table.filter(quota_moves::from_id.eq(quota.id).or(quota_moves::to_id.eq(quota.id))),
        )
        .execute(conn)?;
        diesel::delete(quotas::table.find(quota.id)).execute(conn)?;
    }
    diesel::update(activities::table.find(activity.id))
        .set((activities::split.eq(!wanted.is_empty()), activities::version.eq(activities::version + 1)))
        .execute(conn)?;
    Ok(())
}

fn level_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    activity: ActivityId,
    parent: Option<QuotaId>,
    wanted: &[WantedQuota],
    old: &[Quota],
    kept: &mut HashSet<QuotaId>,
) -> Result<()> {
    let key = |quota: &Quota| -> NodeKey { (quota.kind, quota.organisation_id, quota.audience) };
    for (rank, one) in (1_i64..).zip(wanted) {
        let known = old.iter().find(|quota| quota.parent_id == parent && key(quota) == one.key());
        let id = match known {
            Some(quota) => {
                capacity_set_in_tx(conn, quota, one.capacity)?;
                quota.id
            }
            None => create_in_tx(conn, ids, activity, parent, one, rank_of(parent, rank))?,
        };
        kept.insert(id);
        level_in_tx(conn, ids, activity, Some(id), &one.children, old, kept)?;
    }
    Ok(())
}

/// Parents stand before children in the order of ranks.
fn rank_of(parent: Option<QuotaId>, rank: i64) -> i64 {
    if parent.is_some() { 1000 + rank } else { rank }
}

fn create_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    activity: ActivityId,
    parent: Option<QuotaId>,
    wanted: &WantedQuota,
    rank: i64,
) -> Result<QuotaId> {
    let row = Quota {
        id: ids.id(),
        activity_id: activity,
        parent_id: parent,
        kind: wanted.kind,
        organisation_id: wanted.organisation,
        audience: wanted.audience,
        rank,
        capacity: wanted.capacity,
        taken: 0,
        held: 0,
        version: 1,
    };
    diesel::insert_into(quotas::table).values(&row).execute(conn)?;
    Ok(row.id)
}

fn capacity_set_in_tx(conn: &mut Conn, quota: &Quota, capacity: i64) -> Result<()> {
    let guarded =
        quotas::table.filter(quotas::id.eq(quota.id)).filter((quotas::taken + quotas::held).le(capacity));
    let changed = diesel::update(guarded)
        .set((quotas::capacity.eq(capacity), quotas::version.eq(quotas::version + 1)))
        .execute(conn)?;
    if changed == 1 { Ok(()) } else { Err(below_use(quota)) }
}

/// Moves places from one quota to another, never below what is used.
///
/// # Errors
/// 409 `quota_below_use`.
pub fn move_in_tx(conn: &mut Conn, all: &[Quota], one: &Move) -> Result<()> {
    let find = |id: QuotaId| all.iter().find(|quota| quota.id == id).ok_or_else(Error::not_found);
    let (from, to) = (find(one.from)?, find(one.to)?);
    let below: i64 =
        all.iter().filter(|quota| quota.parent_id == Some(from.id)).map(|quota| quota.capacity).sum();
    let guarded = quotas::table
        .filter(quotas::id.eq(from.id))
        .filter((quotas::taken + quotas::held + one.places).le(quotas::capacity))
        .filter(quotas::capacity.ge(below + one.places));
    let changed = diesel::update(guarded)
        .set((quotas::capacity.eq(quotas::capacity - one.places), quotas::version.eq(quotas::version + 1)))
        .execute(conn)?;
    if changed == 0 {
        return Err(below_use(from));
    }
    // A quota's own parent must have room for what comes from elsewhere.
    let above = to.parent_id.filter(|_| to.parent_id != from.parent_id);
    let receivers: Vec<QuotaId> = above.into_iter().chain([to.id]).collect();
    diesel::update(quotas::table.filter(quotas::id.eq_any(receivers)))
        .set((quotas::capacity.eq(quotas::capacity + one.places), quotas::version.eq(quotas::version + 1)))
        .execute(conn)?;
    Ok(())
}

/// Gives unused places on, once, and logs every move. Says how many places that were; none when it was done already.
pub fn release_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    activity: &Activity,
    to: ReleaseTo,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let due = quota_releases::table.find(activity.id).filter(quota_releases::released_at.is_null());
    if diesel::update(due).set(quota_releases::released_at.eq(db_time(now))).execute(conn)? == 0 {
        return Ok(None);
    }
    let waiting: HashMap<QuotaId, i64> = waiting::queue_lengths(conn, activity.id)?
        .into_iter()
        .filter_map(|(quota, _, number)| quota.map(|quota| (quota, number)))
        .fold(HashMap::new(), |mut sum, (quota, number)| {
            *sum.entry(quota).or_default() += number;
            sum
        });
    let all = offering::store::quotas_of(conn, activity.id)?;
    // What stands below a quota that gives its places on gives up what it does not use, too.
    let giving: HashSet<QuotaId> =
        super::quotas::donors(&all, &waiting, to).into_iter().map(|quota| quota.id).collect();
    for quota in all.iter().filter(|quota| quota.parent_id.is_some_and(|parent| giving.contains(&parent))) {
        capacity_set_in_tx(conn, quota, quota.taken + quota.held)?;
    }
    let pool = match all.iter().find(|quota| quota.kind == QuotaKind::Pool && quota.parent_id.is_none()) {
        Some(pool) => pool.id,
        None => {
            let wanted = WantedQuota {
                kind: QuotaKind::Pool,
                organisation: None,
                audience: None,
                capacity: 0,
                children: Vec::new(),
            };
            create_in_tx(conn, ids, activity.id, None, &wanted, 999)?
        }
    };
    let moves = super::quotas::release(&all, pool, &waiting, to);
    let all = offering::store::quotas_of(conn, activity.id)?;
    let mut rows = Vec::new();
    for one in &moves {
        move_in_tx(conn, &all, one)?;
        rows.push(QuotaMove {
            id: ids.id(),
            activity_id: activity.id,
            from_id: one.from,
            to_id: one.to,
            kind: MoveKind::Release,
            places: one.places,
            state: MoveState::Done,
            reason: "到期释放".into(),
            made_by: None,
            made_at: db_time(now),
            decided_by: None,
            decided_at: Some(db_time(now)),
        });
    }
    crate::insert_rows!(conn, quota_moves::table, rows.as_slice())?;
    Ok(Some(moves.iter().map(|one| one.places).sum()))
}

/// When an activity's unused places go on.
pub fn release_of(conn: &mut Conn, activity: ActivityId) -> Result<Option<QuotaRelease>> {
    Ok(quota_releases::table.find(activity).select(QuotaRelease::as_select()).first(conn).optional()?)
}

/// Sets or removes when an activity's unused places go on; one that was done stays done.
pub fn release_set_in_tx(
    conn: &mut Conn,
    activity: ActivityId,
    wanted: Option<(DateTime<Utc>, ReleaseTo)>,
) -> Result<()> {
    diesel::delete(quota_releases::table.find(activity).filter(quota_releases::released_at.is_null()))
        .execute(conn)?;
    if let Some((at, to)) = wanted {
        let rows = [QuotaRelease {
            activity_id: activity,
            release_at: db_time(at),
            release_to: to,
            released_at: None,
        }];
        crate::insert_new!(conn, quota_releases::table, rows.as_slice(), quota_releases::activity_id => |row: &QuotaRelease| row.activity_id)?;
    }
    Ok(())
}

/// Activities whose unused places are due to go on.
pub fn releases_due(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<ActivityId>> {
    let due = quota_releases::table
        .filter(quota_releases::released_at.is_null())
        .filter(quota_releases::release_at.le(db_time(now)));
    Ok(due.select(quota_releases::activity_id).load(conn)?)
}

/// The move `id`, or 404.
pub fn move_get(conn: &mut Conn, id: QuotaMoveId) -> Result<QuotaMove> {
    let found = quota_moves::table.find(id).select(QuotaMove::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Moves of an activity after `after`.
pub fn moves(
    conn: &mut Conn,
    activity: ActivityId,
    after: Option<QuotaMoveId>,
    limit: i64,
) -> Result<Vec<QuotaMove>> {
    let mut query = quota_moves::table
        .filter(quota_moves::activity_id.eq(activity))
        .order(quota_moves::id)
        .limit(limit)
        .select(QuotaMove::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(quota_moves::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Keeps an offered move.
pub fn move_create_in_tx(conn: &mut Conn, row: &QuotaMove) -> Result<()> {
    diesel::insert_into(quota_moves::table).values(row).execute(conn)?;
    Ok(())
}

/// Decides an offered move; false when it is decided already.
pub fn move_decide_in_tx(
    conn: &mut Conn,
    id: QuotaMoveId,
    state: MoveState,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let open = quota_moves::table.find(id).filter(quota_moves::state.eq(MoveState::Offered));
    let changed = diesel::update(open)
        .set((
            quota_moves::state.eq(state),
            quota_moves::decided_by.eq(by),
            quota_moves::decided_at.eq(db_time(now)),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}
