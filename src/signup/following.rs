//! What a change of an activity means for its sign-ups: they end, or are kept; offers and kept places are withdrawn; counts
//! of places move with them; and everybody concerned is told.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::model::{Ending, Signup, SignupState};
use super::{jobs, penalty};
use crate::clock::{db_time, shanghai};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, Ids, QuotaId, SignupId, SubjectId};
use crate::notify::beside::Beside;
use crate::notify::jobs::{Message, job};
use crate::notify::model::NoticeKind;
use crate::offering;
use crate::offering::following::{Change, Follower, Rescheduling};
use crate::offering::model::Session;
use crate::offering::store::PlacesMove;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{offers, place_holds, quota_moves, signups, waiting_moves};
use crate::platform::outbox;
use crate::platform::vault::Vault;
use crate::review::deciding::Desk;

/// Lets sign-ups follow their activity.
pub struct SignupFollower {
    /// New ids.
    pub ids: Ids,
    /// Seals the seeds of shuffles.
    pub vault: Vault,
    /// Reviews end with what they are about.
    pub desk: Desk,
}

const LIVE: &[SignupState] = &[
    SignupState::Applied,
    SignupState::Entered,
    SignupState::Waiting,
    SignupState::Offered,
    SignupState::Confirmed,
    SignupState::Attended,
];
/// Those who have no place.
const WITHOUT: &[SignupState] =
    &[SignupState::Applied, SignupState::Entered, SignupState::Waiting, SignupState::Offered];
/// Those who were not there yet.
const NOT_YET: &[SignupState] = &[
    SignupState::Applied,
    SignupState::Entered,
    SignupState::Waiting,
    SignupState::Offered,
    SignupState::Confirmed,
];

impl Follower for SignupFollower {
    fn undecided_in_tx(&self, conn: &mut Conn, activity: ActivityId) -> Result<i64> {
        let undecided =
            signups::table.filter(signups::activity_id.eq(activity)).filter(signups::state.eq_any([
                SignupState::Applied,
                SignupState::Entered,
                SignupState::Offered,
            ]));
        Ok(undecided.count().get_result(conn)?)
    }

    fn activity_published_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        if change.activity.fair_minutes > 0 {
            offering::fair::promise_in_tx(conn, &self.vault, &self.ids, change.activity.id)?;
        }
        Ok(Vec::new())
    }

    fn activity_cancelled_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        let told = because(change);
        self.end_in_tx(conn, change, LIVE, Ending::ActivityCancelled, NoticeKind::ActivityCancelled, &told)
    }

    fn activity_postponed_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        let live = locked_in_tx(conn, change.activity.id, LIVE)?;
        let asked: Vec<&Signup> = live.iter().filter(|row| row.state == SignupState::Offered).collect();
        let withdrawn = withdraw_offers_in_tx(conn, change)?;
        let mut places = Places::default();
        for row in &asked {
            places.give_back(conn, row)?;
        }
        let offered = signups::table
            .filter(signups::activity_id.eq(change.activity.id))
            .filter(signups::state.eq(SignupState::Offered));
        let changed = diesel::update(offered)
            .set((signups::state.eq(SignupState::Waiting), signups::version.eq(signups::version + 1)))
            .execute(conn)?;
        expect(changed, asked.len())?;
        places.move_in_tx(conn, change.activity.id)?;
        self.tell_in_tx(conn, change, NoticeKind::ActivityPostponed, &because(change), &live)?;
        let detail = json!({ "kept": live.len(), "offers_withdrawn": withdrawn });
        Ok(vec![Entry::new(change.actor, "signups.keep", change.activity.id).detail(detail)])
    }

    fn activity_rescheduled_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        times: &Rescheduling,
    ) -> Result<Vec<Entry>> {
        let (kind, moved) = (NoticeKind::ActivityRescheduled, moves(times));
        if times.release {
            let told = format!("{moved}{}原报名已释放，需要参加请重新报名。", because(change));
            return self.end_in_tx(conn, change, NOT_YET, Ending::ActivityCancelled, kind, &told);
        }
        let live = locked_in_tx(conn, change.activity.id, LIVE)?;
        let told = format!("{moved}{}您的报名保留，不能参加时可以取消，不计入信用。", because(change));
        self.tell_in_tx(conn, change, kind, &told, &live)?;
        // With dates there is time to answer again: those who wait are asked.
        outbox::enqueue_in_tx(conn, &self.ids, change.now, vec![jobs::due(change.activity.id, change.now)])?;
        let detail = json!({ "kept": live.len() });
        Ok(vec![Entry::new(change.actor, "signups.keep", change.activity.id).detail(detail)])
    }

    fn activity_allocated_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        self.end_in_tx(conn, change, WITHOUT, Ending::NoPlace, NoticeKind::NoPlace, "")
    }

    /// Who still waits when all is over waits for nothing, and who had a place and never came has a penalty.
    fn activity_finished_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        let mut entries = self.end_in_tx(conn, change, WITHOUT, Ending::NoPlace, NoticeKind::NoPlace, "")?;
        entries.extend(penalty::no_shows_in_tx(conn, &self.ids, change.now, &change.activity)?);
        Ok(entries)
    }

    /// Who did not come is to be said anew. Those who waited are not called back: what they waited for is over.
    fn activity_reopened_in_tx(&self, conn: &mut Conn, change: &Change) -> Result<Vec<Entry>> {
        penalty::set_aside_in_tx(conn, change.activity.id, change.now)
    }

    fn session_cancelled_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        session: &Session,
    ) -> Result<Vec<Entry>> {
        let live = locked_in_tx(conn, change.activity.id, LIVE)?;
        let told = format!("取消的是{}。{}", named(session), because(change));
        self.tell_in_tx(conn, change, NoticeKind::SessionCancelled, &told, &live)?;
        Ok(Vec::new())
    }
}

impl SignupFollower {
    /// Ends the sign-ups in `states`, with all that hangs on them.
    fn end_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        states: &[SignupState],
        because: Ending,
        kind: NoticeKind,
        told: &str,
    ) -> Result<Vec<Entry>> {
        let activity = change.activity.id;
        let ended = locked_in_tx(conn, activity, states)?;
        let mut places = Places::default();
        for row in &ended {
            places.give_back(conn, row)?;
        }
        let live =
            signups::table.filter(signups::activity_id.eq(activity)).filter(signups::state.eq_any(states));
        let changed = diesel::update(live)
            .set((
                signups::state.eq(SignupState::Cancelled),
                signups::ended_because.eq(because),
                signups::cancelled_at.eq(db_time(change.now)),
                signups::version.eq(signups::version + 1),
            ))
            .execute(conn)?;
        expect(changed, ended.len())?;
        let reviews = self.end_reviews_in_tx(conn, change, &ended)?;
        let offers = withdraw_offers_in_tx(conn, change)?;
        let holds = release_holds_in_tx(conn, activity, &mut places)?;
        close_moves_in_tx(conn, activity, change.now)?;
        places.move_in_tx(conn, activity)?;
        self.tell_in_tx(conn, change, kind, told, &ended)?;
        if ended.is_empty() && holds == 0 {
            return Ok(reviews);
        }
        let detail = json!({
            "because": because, "ended": ended.len(), "offers_withdrawn": offers, "holds_released": holds,
        });
        let mut entries = vec![Entry::new(change.actor, "signups.end", activity).detail(detail)];
        entries.extend(reviews);
        Ok(entries)
    }

    /// Ends what the desk has to decide about sign-ups that have `ended`, and about those it rejected, who appeal for a place
    /// that is not there any more.
    fn end_reviews_in_tx(&self, conn: &mut Conn, change: &Change, ended: &[Signup]) -> Result<Vec<Entry>> {
        let rejected = signups::table
            .filter(signups::activity_id.eq(change.activity.id))
            .filter(signups::state.eq(SignupState::Cancelled))
            .filter(signups::ended_because.eq(Ending::Rejected))
            .order(signups::id);
        let mut subjects: Vec<SignupId> = rejected.select(signups::id).load(conn)?;
        subjects.extend(ended.iter().filter(|row| row.state == SignupState::Applied).map(|row| row.id));
        subjects.sort();
        let mut beside = Beside::default();
        for id in subjects {
            let subject = SubjectId(id.0);
            self.desk.withdraw_subject_in_tx(conn, subject, Some(change.actor), change.now, &mut beside)?;
        }
        let mut jobs = beside.jobs;
        jobs.extend(beside.messages.iter().map(|message| job(message, change.now)));
        outbox::enqueue_in_tx(conn, &self.ids, change.now, jobs)?;
        Ok(beside.entries)
    }

    fn tell_in_tx(
        &self,
        conn: &mut Conn,
        change: &Change,
        kind: NoticeKind,
        detail: &str,
        whom: &[Signup],
    ) -> Result<()> {
        let message = |row: &Signup| Message {
            person: row.person_id,
            kind,
            subject: change.activity.title.clone(),
            detail: detail.to_owned(),
            link: format!("/api/v1/signups/{}", row.id),
        };
        let jobs = whom.iter().map(|row| job(&message(row), change.now)).collect();
        outbox::enqueue_in_tx(conn, &self.ids, change.now, jobs)
    }
}

/// Sign-ups whose people turn out not to have been there have their place as before.
pub fn unattended_in_tx(conn: &mut Conn, ids: &[SignupId]) -> Result<usize> {
    let mut changed = 0;
    for some in ids.chunks(500) {
        let attended =
            signups::table.filter(signups::id.eq_any(some)).filter(signups::state.eq(SignupState::Attended));
        changed += diesel::update(attended)
            .set((signups::state.eq(SignupState::Confirmed), signups::version.eq(signups::version + 1)))
            .execute(conn)?;
    }
    Ok(changed)
}

/// How counts of places move: of the activity, and of every quota from the one that is used up to the total.
#[derive(Default)]
struct Places {
    all: PlacesMove,
    quotas: BTreeMap<QuotaId, PlacesMove>,
    known: Option<Ground>,
}

/// Parents of an activity's quotas, and roles that use a place.
struct Ground {
    parents: HashMap<QuotaId, Option<QuotaId>>,
    roles: HashMap<offering::model::AttendanceRole, offering::model::RoleMeaning>,
}

impl Places {
    fn ground(&mut self, conn: &mut Conn, activity: ActivityId) -> Result<&Ground> {
        if self.known.is_none() {
            let quotas = offering::store::quotas_of(conn, activity)?;
            let parents = quotas.into_iter().map(|quota| (quota.id, quota.parent_id)).collect();
            self.known = Some(Ground { parents, roles: offering::store::roles(conn)? });
        }
        self.known.as_ref().ok_or_else(|| Error::internal("no ground"))
    }

    fn give_back(&mut self, conn: &mut Conn, row: &Signup) -> Result<()> {
        let ground = self.ground(conn, row.activity_id)?;
        if !ground.roles.get(&row.role).is_some_and(|role| role.takes_place) {
            return Ok(());
        }
        let by = PlacesMove {
            taken: -i64::from(row.state.takes()),
            held: -i64::from(row.state.holds()),
            numbered: 0,
        };
        self.add(conn, row.activity_id, row.quota_id, by)
    }

    fn add(
        &mut self,
        conn: &mut Conn,
        activity: ActivityId,
        quota: Option<QuotaId>,
        by: PlacesMove,
    ) -> Result<()> {
        self.all.taken += by.taken;
        self.all.held += by.held;
        let mut next = quota;
        while let Some(id) = next {
            next = self.ground(conn, activity)?.parents.get(&id).copied().flatten();
            let sum = self.quotas.entry(id).or_default();
            sum.taken += by.taken;
            sum.held += by.held;
        }
        Ok(())
    }

    fn move_in_tx(self, conn: &mut Conn, activity: ActivityId) -> Result<()> {
        offering::store::places_move_in_tx(conn, activity, self.all)?;
        for (quota, by) in self.quotas {
            offering::store::quota_move_in_tx(conn, quota, by)?;
        }
        Ok(())
    }
}

/// An activity's sign-ups in `states`, locked in the order of their ids.
fn locked_in_tx(conn: &mut Conn, activity: ActivityId, states: &[SignupState]) -> Result<Vec<Signup>> {
    let rows: Vec<Signup> = crate::load_locked!(
        conn,
        signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::state.eq_any(states))
            .order(signups::id)
            .select(Signup::as_select())
    )?;
    Ok(rows)
}

fn withdraw_offers_in_tx(conn: &mut Conn, change: &Change) -> Result<usize> {
    let open =
        offers::table.filter(offers::activity_id.eq(change.activity.id)).filter(offers::state.eq("open"));
    let withdrawn = (offers::state.eq("withdrawn"), offers::decided_at.eq(db_time(change.now)));
    Ok(diesel::update(open).set(withdrawn).execute(conn)?)
}

/// Nobody is named any more for places that are kept.
fn release_holds_in_tx(conn: &mut Conn, activity: ActivityId, places: &mut Places) -> Result<usize> {
    let open = || {
        place_holds::table.filter(place_holds::activity_id.eq(activity)).filter(place_holds::state.eq("open"))
    };
    let kept: Vec<(Option<QuotaId>, i64)> =
        open().select((place_holds::quota_id, place_holds::unnamed)).load(conn)?;
    for (quota, unnamed) in kept {
        places.add(conn, activity, quota, PlacesMove { taken: 0, held: -unnamed, numbered: 0 })?;
    }
    let released = (
        place_holds::state.eq("released"),
        place_holds::unnamed.eq(0),
        place_holds::version.eq(place_holds::version + 1),
    );
    Ok(diesel::update(open()).set(released).execute(conn)?)
}

/// Changes of order and of quotas that nobody has decided are about nothing any more.
fn close_moves_in_tx(conn: &mut Conn, activity: ActivityId, now: DateTime<Utc>) -> Result<()> {
    let proposed = waiting_moves::table
        .filter(waiting_moves::activity_id.eq(activity))
        .filter(waiting_moves::state.eq("proposed"));
    diesel::update(proposed)
        .set((waiting_moves::state.eq("refused"), waiting_moves::decided_at.eq(db_time(now))))
        .execute(conn)?;
    let offered = quota_moves::table
        .filter(quota_moves::activity_id.eq(activity))
        .filter(quota_moves::state.eq("offered"));
    diesel::update(offered)
        .set((quota_moves::state.eq("withdrawn"), quota_moves::decided_at.eq(db_time(now))))
        .execute(conn)?;
    Ok(())
}

fn expect(changed: usize, locked: usize) -> Result<()> {
    if changed == locked {
        Ok(())
    } else {
        Err(Error::internal(format!("{locked} sign-ups were locked and {changed} changed")))
    }
}

fn because(change: &Change) -> String {
    format!("原因：{}。", change.reason.trim().trim_end_matches('。'))
}

fn shown(at: NaiveDateTime) -> String {
    at.and_utc().with_timezone(&shanghai()).format("%-m月%-d日 %H:%M").to_string()
}

fn named(session: &Session) -> String {
    format!("第 {} 场（{}）", session.number, shown(session.starts_at))
}

/// Sessions that a message names one by one.
const NAMED: usize = 5;

fn moves(times: &Rescheduling) -> String {
    let mut told: String = times
        .moved
        .iter()
        .take(NAMED)
        .map(|one| format!("{}改为 {}；", named(&one.before), shown(one.starts_at)))
        .collect();
    if times.moved.len() > NAMED {
        told.push_str(&format!("共 {} 场有调整，详见活动页；", times.moved.len()));
    }
    told
}
