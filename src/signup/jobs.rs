//! What happens to places when a time has come: offers expire, first minutes are shuffled, waiting lists end.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model::{Ending, Offer, OfferState, Signup, SignupState};
use super::placing::Ground;
use super::{draw, quota_store, roster, store};
use crate::clock::{SharedClock, db_time};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, Ids, OfferId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::offering;
use crate::offering::model::{Activity, ActivityState};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{activities, offers, signups};
use crate::platform::outbox::{self, Job, JobHandler, NewJob};
use crate::platform::vault::Vault;
use crate::review::deciding::Desk;

const EXPIRY: &str = "offer.expire";
const DUE: &str = "places.due";

#[derive(Serialize, Deserialize)]
struct OfOffer {
    offer: OfferId,
}

#[derive(Serialize, Deserialize)]
struct OfActivity {
    activity: ActivityId,
}

/// The job that ends an offer when nobody has answered it.
pub fn expiry(offer: &Offer) -> NewJob {
    NewJob {
        kind: EXPIRY,
        payload: json!(OfOffer { offer: offer.id }),
        run_at: offer.expires_at.and_utc(),
        dedupe_key: None,
    }
}

/// The job that looks at an activity whose places may have become free.
pub fn due(activity: ActivityId, now: DateTime<Utc>) -> NewJob {
    NewJob {
        kind: DUE,
        payload: json!(OfActivity { activity }),
        run_at: now,
        dedupe_key: Some(format!("{DUE}/{activity}")),
    }
}

/// What the jobs of places work with.
#[derive(Clone)]
pub struct Tools {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Opens the seeds of shuffles.
    pub vault: Vault,
    /// Decides about sign-ups that are reviewed.
    pub desk: Desk,
}

/// The locked activity `id`.
pub(super) fn lock(conn: &mut Conn, id: ActivityId) -> Result<Activity> {
    offering::store::activities_lock_in_tx(conn, &[id])?.remove(&id).ok_or_else(Error::not_found)
}

/// Ends an offer that nobody has answered: the place goes to the next.
pub struct OfferExpiry(pub Tools);

impl JobHandler for OfferExpiry {
    fn kind(&self) -> &'static str {
        EXPIRY
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let of: OfOffer = serde_json::from_str(&job.payload).map_err(Error::internal)?;
        let now = self.0.clock.now();
        let found: Option<Offer> =
            offers::table.find(of.offer).select(Offer::as_select()).first(conn).optional()?;
        let Some(offer) = found else { return Ok(()) };
        let activity = lock(conn, offer.activity_id)?;
        // Read again behind the lock: it may have been answered, or the time prolonged.
        let open: Option<Signup> = offers::table
            .inner_join(signups::table)
            .filter(offers::id.eq(offer.id))
            .filter(offers::state.eq(OfferState::Open))
            .filter(offers::expires_at.le(db_time(now)))
            .filter(signups::state.eq(SignupState::Offered))
            .select(Signup::as_select())
            .first(conn)
            .optional()?;
        let Some(row) = open else { return Ok(()) };
        let mut ground = Ground::load(conn, activity, &[], now)?;
        let mut beside = Beside::default();
        if ground.end_in_tx(conn, &row, Ending::OfferExpired, now)? {
            beside.messages.push(told(&row, &ground.activity, NoticeKind::OfferExpired));
            beside.entries.push(Entry::system("signup.offer_expire", row.id));
        }
        ground.settle_in_tx(conn, &self.0.ids, now, &mut beside)?;
        beside.write_in_tx(conn, &self.0.ids, now)
    }
}

pub(super) fn told(row: &Signup, activity: &Activity, kind: NoticeKind) -> Message {
    Message {
        person: row.person_id,
        kind,
        subject: activity.title.clone(),
        detail: String::new(),
        link: format!("/api/v1/signups/{}", row.id),
    }
}

/// Looks every minute for activities whose time has come, and leaves a job for each.
pub struct Sweep(pub Tools);

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "places.sweep"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::minutes(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.0.clock.now();
        let mut due: Vec<ActivityId> = offering::fair::open(conn)?
            .into_iter()
            .filter(|activity| activity.state == ActivityState::Published)
            .filter(|activity| now >= super::rules::draw_at(activity))
            .map(|activity| activity.id)
            .collect();
        let begun: Vec<ActivityId> = activities::table
            .inner_join(signups::table)
            .filter(signups::state.eq(SignupState::Waiting))
            .filter(activities::starts_at.le(db_time(now)))
            .filter(activities::state.eq(ActivityState::Published))
            .select(activities::id)
            .distinct()
            .load(conn)?;
        due.extend(begun);
        due.extend(quota_store::releases_due(conn, now)?);
        due.extend(roster::store::activities_due(conn, now)?);
        due.sort();
        due.dedup();
        let jobs = due.into_iter().map(|activity| self::due(activity, now)).collect();
        outbox::enqueue_in_tx(conn, &self.0.ids, now, jobs)
    }
}

/// Does for one activity what its time has come for.
pub struct Due(pub Tools);

impl JobHandler for Due {
    fn kind(&self) -> &'static str {
        DUE
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let of: OfActivity = serde_json::from_str(&job.payload).map_err(Error::internal)?;
        let now = self.0.clock.now();
        let mut activity = lock(conn, of.activity)?;
        let mut beside = Beside::default();
        // Before quotas are given on, so that what nobody was named for goes with them.
        if roster::nominate::release_due_in_tx(conn, &self.0.ids, &activity, now, &mut beside)? {
            activity = lock(conn, of.activity)?;
        }
        if activity.state == ActivityState::Published
            && let Some(release) = quota_store::release_of(conn, activity.id)?
            && now >= release.release_at.and_utc()
            && let Some(places) =
                quota_store::release_in_tx(conn, &self.0.ids, &activity, release.release_to, now)?
        {
            let detail = json!({ "places": places, "to": release.release_to });
            beside.entries.push(Entry::system("quota.release", activity.id).detail(detail));
        }
        let begun = now >= activity.starts_at.and_utc() && activity.state == ActivityState::Published;
        let mut ground = Ground::load(conn, activity, &[], now)?;
        // Places may be free that were not: those who wait are looked at anew.
        ground.reconsider();
        draw::draw_in_tx(conn, &self.0.vault, &mut ground, now, &mut beside)?;
        if begun {
            for row in store::in_state(conn, ground.activity.id, SignupState::Waiting)? {
                if ground.end_in_tx(conn, &row, Ending::NoPlace, now)? {
                    beside.messages.push(told(&row, &ground.activity, NoticeKind::NoPlace));
                    beside.entries.push(Entry::system("signup.no_place", row.id));
                }
            }
        }
        ground.settle_in_tx(conn, &self.0.ids, now, &mut beside)?;
        beside.write_in_tx(conn, &self.0.ids, now)
    }
}
