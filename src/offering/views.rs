//! What programmes, activities and sessions look like from outside.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::completion::{self, CompletionRule};
use super::details::Reading;
use super::lifecycle::{Phase, phase};
use super::model::{
    Activity, ActivityState, Allocation, Audience, OwnClash, Programme, ProgrammeKind, Session, SessionState,
    WaitingPolicy, Wave,
};
use super::rules::{Availability, availability};
use super::store::{self, Found};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, OrganisationId, ProgrammeId, SessionId};
use crate::platform::db::Conn;

/// A standing offer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgrammeView {
    /// Its id.
    pub id: ProgrammeId,
    /// Who answers for it.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 120, example = "职工技能培训")]
    pub name: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Its form.
    pub kind: ProgrammeKind,
    /// What it is about; rules of counting go by it.
    #[schema(max_length = 60, example = "skills")]
    pub topic: String,
    /// For whom it is.
    pub audience: Audience,
}

impl From<Programme> for ProgrammeView {
    fn from(row: Programme) -> Self {
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            name: row.name,
            summary: row.summary,
            kind: row.kind,
            topic: row.topic,
            audience: row.audience,
        }
    }
}

/// One dated meeting.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// 1, 2, 3, … in the activity.
    #[schema(minimum = 1, maximum = 1000)]
    pub number: i64,
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends.
    pub ends_at: DateTime<Utc>,
    /// Where in its life it is.
    pub state: SessionState,
    /// Why it is cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, example = "台风停课")]
    pub state_reason: Option<String>,
    /// Whether it took place; said when finalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    /// People present so far.
    #[schema(minimum = 0, maximum = 10_000_000)]
    pub present: i64,
}

impl From<Session> for SessionView {
    fn from(row: Session) -> Self {
        Self {
            id: row.id,
            number: row.number,
            starts_at: row.starts_at.and_utc(),
            ends_at: row.ends_at.and_utc(),
            state: row.state,
            state_reason: row.state_reason,
            held: row.held,
            present: row.present,
        }
    }
}

/// Something to sign up for, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityView {
    /// Its id.
    pub id: ActivityId,
    /// Its programme.
    pub programme_id: ProgrammeId,
    /// The programme's form.
    pub kind: ProgrammeKind,
    /// The programme's audience.
    pub audience: Audience,
    /// Who organises it.
    pub organisation_id: OrganisationId,
    /// The sub-district of the venue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_id: Option<OrganisationId>,
    /// Its title.
    #[schema(max_length = 120, example = "电工技能提升班（平湖）")]
    pub title: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Where.
    #[schema(max_length = 120)]
    pub venue: String,
    /// Where.
    #[schema(max_length = 200)]
    pub address: String,
    /// Where in its life it is, as it is kept.
    pub state: ActivityState,
    /// Where in its life it is now, by the clock too.
    pub phase: Phase,
    /// Why it is cancelled or postponed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, example = "台风停课")]
    pub state_reason: Option<String>,
    /// How places are given.
    pub allocation: Allocation,
    /// People whom the room holds.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: i64,
    /// Places that are given: the capacity, or more where some are expected not to come.
    #[schema(minimum = 1, maximum = 1_500_000)]
    pub bookable: i64,
    /// Places left.
    #[schema(minimum = 0, maximum = 1_500_000)]
    pub places_left: i64,
    /// Who waits when all places are given.
    pub waiting_list: WaitingPolicy,
    /// What happens to somebody who has a place elsewhere at the same time.
    pub own_clash: OwnClash,
    /// Whether only verified members of a union may sign up.
    pub members_only: bool,
    /// A place given back later than so many hours before the start weighs on the next sign-up; the policy's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 720)]
    pub free_cancel_hours: Option<i64>,
    /// Whoever signs up in so many minutes from the opening is shuffled.
    #[schema(minimum = 0, maximum = 60)]
    pub fair_minutes: i64,
    /// Who may sign up earlier than the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 20)]
    pub waves: Vec<Wave>,
    /// What somebody would be told who wanted to sign up now.
    pub availability: Availability,
    /// Sign-up opens.
    pub signup_opens_at: DateTime<Utc>,
    /// Sign-up closes.
    pub signup_closes_at: DateTime<Utc>,
    /// Start of its first session.
    pub starts_at: DateTime<Utc>,
    /// End of its last session.
    pub ends_at: DateTime<Utc>,
}

impl ActivityView {
    /// The activity as it stands at `now`.
    pub fn new(row: Activity, programme: &Programme, now: DateTime<Utc>) -> Self {
        Self {
            availability: availability(&row, now),
            phase: phase(&row, now),
            // Written by us from what was checked; an activity is shown even if they were spoilt.
            waves: row.waves().unwrap_or_default(),
            places_left: row.free(),
            id: row.id,
            programme_id: row.programme_id,
            kind: programme.kind,
            audience: programme.audience,
            organisation_id: row.organisation_id,
            street_id: row.street_id,
            title: row.title,
            summary: row.summary,
            venue: row.venue,
            address: row.address,
            state: row.state,
            state_reason: row.state_reason,
            allocation: row.allocation,
            capacity: row.capacity,
            bookable: row.bookable,
            waiting_list: row.waiting_list,
            own_clash: row.own_clash,
            members_only: row.members_only,
            free_cancel_hours: row.free_cancel_hours,
            fair_minutes: row.fair_minutes,
            signup_opens_at: row.signup_opens_at.and_utc(),
            signup_closes_at: row.signup_closes_at.and_utc(),
            starts_at: row.starts_at.and_utc(),
            ends_at: row.ends_at.and_utc(),
        }
    }
}

/// Something to sign up for, with its sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityDetail {
    /// The activity.
    #[serde(flatten)]
    pub activity: ActivityView,
    /// Its programme.
    pub programme: ProgrammeView,
    /// Its sessions, in order.
    #[schema(max_items = 200)]
    pub sessions: Vec<SessionView>,
    /// From which share somebody has completed it; nobody does when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<CompletionRule>,
}

/// A published activity with its programme and sessions; 404 for a draft, which only its organisers know of.
pub fn published_detail(conn: &mut Conn, id: ActivityId, now: DateTime<Utc>) -> Result<ActivityDetail> {
    let found = store::activity_get(conn, id)?;
    if found.activity.state == ActivityState::Draft {
        return Err(Error::not_found());
    }
    detail(conn, found, now)
}

/// [`published_detail`] of what was read before, as it shows at `now`.
pub fn published_reading(reading: &Reading, now: DateTime<Utc>) -> Result<ActivityDetail> {
    if reading.activity.state == ActivityState::Draft {
        return Err(Error::not_found());
    }
    Ok(ActivityDetail {
        activity: ActivityView::new(reading.activity.clone(), &reading.programme, now),
        programme: reading.programme.clone().into(),
        sessions: reading.sessions.iter().cloned().map(Into::into).collect(),
        completion: reading.completion,
    })
}

/// An activity as it was found, with its sessions.
pub fn detail(conn: &mut Conn, found: Found, now: DateTime<Utc>) -> Result<ActivityDetail> {
    let sessions = store::sessions_of(conn, found.activity.id)?;
    let completion = completion::rule_of(conn, found.activity.id)?;
    Ok(ActivityDetail {
        completion,
        activity: ActivityView::new(found.activity, &found.programme, now),
        programme: found.programme.into(),
        sessions: sessions.into_iter().map(Into::into).collect(),
    })
}
