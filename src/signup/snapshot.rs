//! What most people of a crowd are told, from memory: 'full', 'closed', 'not yet open'.
//!
//! When two hundred places are gone, ten thousand people are still asking. What they are told is the same for all of them, and
//! is known; they need not queue for the registrar and its transactions. So for each activity a [`Snapshot`] is kept, at most
//! `cache.memory_ms` (a second) old. It never gives a place, it only refuses, and only where the registrar would refuse in the
//! same words:
//!
//! - **Only strangers are refused.** Whoever ever had a row for the activity, in whatever state, goes to the registrar: they
//!   may have a place (`signup_duplicate` names it), or repeat a request whose answer is kept under its key. An
//!   answer is kept only where a row was written, so a stranger has none. (A stranger who uses a key of another request is
//!   refused here and told `idempotency_mismatch` there; either way nothing happens.)
//! - Whoever has a penalty goes to the registrar too: sign-up opens later for them.
//! - **Full** needs a rule under which no free place means a refusal for everybody: first come, no waiting list, no window in
//!   which all who come are shuffled, no quotas (where the answer names what is used up), no refusal of clashes, no refusal
//!   of who is no member. A place that is kept for an offer is not free, and goes to whoever waits.
//! - **Closed** by the clock is said only from a snapshot that was loaded [`SETTLED`] after the end: a batch that was decided
//!   before the end may commit after it, and its people must then find their answers. Closed by state needs no
//!   patience, since the state changes under the same row lock.
//! - **Not yet open** needs that nobody's wave opens earlier.
//! - The row and its sign-ups are read in one unchanging view, and used only if they agree.
//!
//! A snapshot goes when something changes: at once in this instance, because [`Snapshots::changed`] comes before the answer
//! to whoever changed it; and in the others with the message of [`Changes`](crate::platform::changes::Changes). A load that
//! was under way when a change came is thrown away. Where no message comes (no Redis), a place that has become free is offered
//! by other instances after a second at most, and a request that is repeated through another instance in that second may be told
//! 'full' once; that has no effect, and the next repetition finds its answer.
//!
//! Nobody waits for a load. Without a snapshot a request goes to the registrar; a refusal there starts the load, so an
//! activity that still gives places is never loaded. Half-way to its end a snapshot is loaded anew beside the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use moka::sync::Cache as LocalCache;

use super::model::SignupState;
use super::penalty::model::PenaltyState;
use crate::clock::{SharedClock, db_time};
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, PersonId};
use crate::offering::model::{Activity, Allocation, OwnClash, WaitingPolicy};
use crate::offering::rules;
use crate::platform::changes::{Changes, News};
use crate::platform::db::schema::{activities, attendance_roles, penalties, signups};
use crate::platform::db::{Conn, Db};

/// The topic of news about places: `ids` are activities.
pub const PLACES: &str = "places";
/// Activities to which more people ever came are left to the registrar.
const PEOPLE: usize = 20_000;
/// People remembered in all snapshots together, 16 bytes each.
const PEOPLE_IN_ALL: u64 = 2_000_000;
/// How long after the end of sign-up everything that was decided before is committed: longer than a statement and the
/// wait for a lock may take.
const SETTLED: TimeDelta = TimeDelta::minutes(1);

/// An activity as it was at one instant, and everybody who had come until then.
struct Snapshot {
    loaded_at: DateTime<Utc>,
    /// None where the registrar is to be asked.
    known: Option<Known>,
}

struct Known {
    activity: Activity,
    waves: bool,
    /// Sorted.
    people: Vec<PersonId>,
}

/// The snapshots of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Snapshots(Arc<Inner>);

struct Inner {
    db: Db,
    clock: SharedClock,
    memory: TimeDelta,
    kept: LocalCache<ActivityId, Arc<Snapshot>>,
    /// Loads under way, and whether something changed since they began.
    loading: Mutex<HashMap<ActivityId, bool>>,
}

impl Snapshots {
    /// Snapshots that are used for `memory` at most; zero for none at all.
    pub fn new(db: Db, clock: SharedClock, memory: Duration) -> Self {
        let kept = LocalCache::builder()
            .max_capacity(PEOPLE_IN_ALL)
            .weigher(|_, snapshot: &Arc<Snapshot>| {
                let people = snapshot.known.as_ref().map_or(0, |known| known.people.len());
                u32::try_from(people.saturating_add(64)).unwrap_or(u32::MAX)
            })
            .build();
        let memory = TimeDelta::from_std(memory).unwrap_or_default();
        Self(Arc::new(Inner { db, clock, memory, kept, loading: Mutex::default() }))
    }

    /// Hears of changes of `topics` that `changes` tells.
    pub fn listen(&self, changes: &Changes, topics: &'static [&'static str]) {
        let snapshots = self.clone();
        changes.subscribe(move |news| match news {
            News::Changed(topic, ids) if topics.contains(&topic) => {
                snapshots.changed(&ids.iter().copied().map(Into::into).collect::<Vec<_>>());
            }
            News::Changed(..) => {}
            News::Missed => snapshots.forget(),
        });
    }

    /// What `person` is told who wants a place in `activity`; none where the registrar must be asked.
    pub fn refusal(&self, activity: ActivityId, person: PersonId) -> Option<Error> {
        let now = self.0.clock.now();
        let snapshot = self.0.kept.get(&activity)?;
        let age = self.0.age(&snapshot, now)?;
        if age * 2 >= self.0.memory {
            self.renew(activity);
        }
        let known = snapshot.known.as_ref()?;
        let refusal = refusal(known, snapshot.loaded_at, now)?;
        if known.people.binary_search(&person).is_ok() {
            return None;
        }
        metrics::counter!("unionhall_signup_snapshot_answers_total", "code" => refusal.code().as_str())
            .increment(1);
        Some(refusal)
    }

    /// The registrar has refused somebody: the next ones may be told from memory.
    pub fn refused(&self, activity: ActivityId, refusal: &Error) {
        if matches!(refusal.code(), Code::SignupFull | Code::SignupClosed | Code::SignupNotYetOpen) {
            self.renew(activity);
        }
    }

    /// Places of these activities, or their rules, have changed; called after the commit.
    pub fn changed(&self, activities: &[ActivityId]) {
        let mut loading = self.0.loading();
        for activity in activities {
            if let Some(changed) = loading.get_mut(activity) {
                *changed = true;
            }
            self.0.kept.invalidate(activity);
        }
    }

    /// Anything may have changed.
    pub fn forget(&self) {
        let mut loading = self.0.loading();
        loading.values_mut().for_each(|changed| *changed = true);
        self.0.kept.invalidate_all();
    }

    /// Whether a stranger would be answered from memory now.
    pub fn refuses(&self, activity: ActivityId) -> bool {
        let now = self.0.clock.now();
        let snapshot = self.0.kept.get(&activity).filter(|snapshot| self.0.age(snapshot, now).is_some());
        snapshot.is_some_and(|snapshot| {
            snapshot.known.as_ref().is_some_and(|known| refusal(known, snapshot.loaded_at, now).is_some())
        })
    }

    /// Whether a snapshot of `activity` is being loaded.
    pub fn is_loading(&self, activity: ActivityId) -> bool {
        self.0.loading().contains_key(&activity)
    }

    /// Loads the snapshot of `activity` beside, unless that is under way or was done just now.
    fn renew(&self, activity: ActivityId) {
        let now = self.0.clock.now();
        let young =
            |snapshot: Arc<Snapshot>| self.0.age(&snapshot, now).is_some_and(|age| age * 2 < self.0.memory);
        if self.0.memory.is_zero() || self.0.kept.get(&activity).is_some_and(young) {
            return;
        }
        {
            let mut loading = self.0.loading();
            if loading.contains_key(&activity) {
                return;
            }
            loading.insert(activity, false);
        }
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.load(activity, now));
    }
}

impl Inner {
    /// How old a snapshot is; none when it is too old, or from after a clock that was set back.
    fn age(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> Option<TimeDelta> {
        let age = now - snapshot.loaded_at;
        (TimeDelta::zero()..self.memory).contains(&age).then_some(age)
    }

    fn loading(&self) -> MutexGuard<'_, HashMap<ActivityId, bool>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, activity: ActivityId, loaded_at: DateTime<Utc>) {
        let loaded = self.db.snapshot_blocking(|conn| load(conn, activity, loaded_at));
        // Held while the snapshot is put, so that no change comes between.
        let mut loading = self.loading();
        let changed = loading.remove(&activity).unwrap_or(true);
        match loaded {
            Ok(known) if !changed => self.kept.insert(activity, Arc::new(Snapshot { loaded_at, known })),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "no snapshot; the registrar is asked"),
        }
    }
}

/// The activity and everybody who ever came; none where that is of no use.
fn load(conn: &mut Conn, id: ActivityId, now: DateTime<Utc>) -> Result<Option<Known>> {
    let found: Option<Activity> =
        activities::table.find(id).select(Activity::as_select()).first(conn).optional()?;
    let Some(activity) = found else { return Ok(None) };
    let rows: Vec<(PersonId, SignupState, bool)> = signups::table
        .inner_join(attendance_roles::table.on(attendance_roles::code.eq(signups::role)))
        .filter(signups::activity_id.eq(id))
        .limit(i64::try_from(PEOPLE).unwrap_or(i64::MAX).saturating_add(1))
        .select((signups::person_id, signups::state, attendance_roles::takes_place))
        .load(conn)?;
    if rows.len() > PEOPLE {
        return Ok(None);
    }
    let count = |holds: fn(SignupState) -> bool| {
        rows.iter().filter(|(_, state, takes_place)| *takes_place && holds(*state)).count()
    };
    let agrees = |count: usize, kept: i64| i64::try_from(count).is_ok_and(|count| count == kept);
    // Places that a union keeps without names are held without a sign-up.
    if !agrees(count(SignupState::takes), activity.taken)
        || i64::try_from(count(SignupState::holds)).is_ok_and(|offered| offered > activity.held)
    {
        tracing::error!(activity = %id, "the count of places does not agree with the sign-ups");
        return Ok(None);
    }
    let mut people: Vec<PersonId> = rows.into_iter().map(|(person, _, _)| person).collect();
    // Sign-up opens later for some.
    let penalised: Vec<PersonId> = penalties::table
        .filter(penalties::state.eq_any(PenaltyState::WEIGHING))
        .filter(penalties::expires_at.gt(db_time(now)))
        .limit(i64::try_from(PEOPLE).unwrap_or(i64::MAX).saturating_add(1))
        .select(penalties::person_id)
        .load(conn)?;
    if penalised.len() > PEOPLE {
        return Ok(None);
    }
    people.extend(penalised);
    people.sort_unstable();
    let waves = !activity.waves()?.is_empty();
    Ok(Some(Known { activity, waves, people }))
}

/// What every stranger is told at `now`; none where that depends on the person, or where a place may be free.
fn refusal(known: &Known, loaded_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Error> {
    let activity = &known.activity;
    match rules::signup_window(activity, now) {
        Ok(()) => {
            let plain = activity.allocation == Allocation::FirstCome
                && activity.waiting_list == WaitingPolicy::None
                && activity.own_clash == OwnClash::Warn
                && !activity.members_only
                && activity.fair_minutes == 0
                && !activity.split;
            (plain && activity.free() == 0).then(|| Error::new(Code::SignupFull))
        }
        Err(closed) => {
            let ended = activity.signup_closes_at.and_utc();
            let holds = match closed.code() {
                Code::SignupNotYetOpen => !known.waves,
                Code::SignupClosed => now < ended || loaded_at >= ended + SETTLED,
                _ => false,
            };
            holds.then_some(closed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::offering::model::ActivityState;
    use crate::platform::db::{DbTarget, PoolConfig, migrate};

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_750_039_200, 0).unwrap()
    }

    fn full() -> Known {
        let id = |n: u128| uuid::Uuid::from_u128(n);
        let mut activity = Activity::draft(id(1).into(), id(2).into(), id(3).into(), start());
        activity.state = ActivityState::Published;
        activity.taken = 1;
        activity.signup_opens_at = db_time(start() - TimeDelta::hours(1));
        activity.signup_closes_at = db_time(start() + TimeDelta::hours(1));
        Known { activity, waves: false, people: Vec::new() }
    }

    fn code(known: &Known, now: DateTime<Utc>) -> Option<Code> {
        refusal(known, now, now).map(|refusal| refusal.code())
    }

    #[test]
    fn full_needs_a_rule_by_which_everybody_is_refused() {
        assert_eq!(code(&full(), start()), Some(Code::SignupFull));
        let changes: [fn(&mut Activity); 9] = [
            |a| a.bookable = 2,
            |a| a.waiting_list = WaitingPolicy::Strict,
            |a| a.waiting_list = WaitingPolicy::Fill,
            |a| a.fair_minutes = 5,
            |a| a.split = true,
            |a| a.own_clash = OwnClash::Deny,
            |a| a.members_only = true,
            |a| a.allocation = Allocation::Review,
            |a| a.state = ActivityState::Draft,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut known = full();
            change(&mut known.activity);
            assert_eq!(code(&known, start()), None, "{number}");
        }
    }

    #[test]
    fn waves_and_the_minute_after_the_end_are_left_to_the_registrar() {
        let mut known = full();
        let early = start() - TimeDelta::hours(2);
        assert_eq!(code(&known, early), Some(Code::SignupNotYetOpen));
        known.waves = true;
        assert_eq!(code(&known, early), None);
        let end = start() + TimeDelta::hours(1);
        let said = |loaded_at, now| refusal(&known, loaded_at, now).map(|refusal| refusal.code());
        assert_eq!(said(end - TimeDelta::milliseconds(500), end), None);
        assert_eq!(said(end, end), None);
        assert_eq!(said(end + SETTLED, end + SETTLED), Some(Code::SignupClosed));
        let mut cancelled = full();
        cancelled.activity.state = ActivityState::Cancelled;
        assert_eq!(code(&cancelled, start()), Some(Code::SignupClosed));
    }

    #[test]
    fn what_was_loaded_while_it_changed_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("snapshot.db");
        let target = DbTarget::parse(&format!("sqlite://{}", file.display()).into()).unwrap();
        let db = Db::open(target, PoolConfig::default()).unwrap();
        migrate::up(&db).unwrap();
        let clock: SharedClock = Arc::new(ManualClock::at(start()));
        let snapshots = Snapshots::new(db, clock, Duration::from_secs(1));
        let activity = ActivityId(uuid::Uuid::from_u128(7));
        let load = |between: &dyn Fn()| {
            snapshots.0.loading().insert(activity, false);
            between();
            snapshots.0.load(activity, start());
            assert!(!snapshots.is_loading(activity));
            snapshots.0.kept.get(&activity).is_some()
        };
        assert!(load(&|| ()));
        assert!(!load(&|| snapshots.changed(&[activity])));
        assert!(!load(&|| snapshots.forget()));
        assert!(load(&|| snapshots.changed(&[ActivityId(uuid::Uuid::from_u128(8))])));
        snapshots.changed(&[activity]);
        assert!(snapshots.0.kept.get(&activity).is_none());
    }
}
