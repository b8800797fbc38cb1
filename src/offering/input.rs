//! What organisers say about an activity, to make one or to change one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::completion::CompletionRule;
use super::model::{Activity, Allocation, OwnClash, Session, SessionState, WaitingPolicy, Wave};
use super::rules::{self, SessionTimes};
use super::store::ActivityChange;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{ActivityId, Ids, OrganisationId, ProgrammeId, ResourceId};

/// When a session is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"starts_at": "2025-03-01T14:00:00+08:00", "ends_at": "2025-03-01T17:00:00+08:00"}))]
pub struct SessionInput {
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends; at most 24 hours later.
    pub ends_at: DateTime<Utc>,
}

/// An activity to make, with its sessions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "programme_id": "prg_01k5b8m3q2e9t8h6y1v7z4w0xn", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn",
    "title": "电工技能提升班", "summary": "低压电工实操", "venue": "平湖职工之家", "address": "平湖街道示例路 1 号",
    "capacity": 40, "signup_opens_at": "2025-02-20T09:00:00+08:00", "signup_closes_at": "2025-02-28T18:00:00+08:00",
    "sessions": [{"starts_at": "2025-03-01T14:00:00+08:00", "ends_at": "2025-03-01T17:00:00+08:00"}]
}))]
pub struct ActivityInput {
    /// Its programme.
    pub programme_id: ProgrammeId,
    /// Who organises it; inside one's own subtree.
    pub organisation_id: OrganisationId,
    /// The sub-district of the venue; the organiser's own when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_id: Option<OrganisationId>,
    /// Its title.
    #[schema(min_length = 1, max_length = 120)]
    pub title: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Where.
    #[schema(min_length = 1, max_length = 120)]
    pub venue: String,
    /// Where.
    #[schema(max_length = 200)]
    pub address: String,
    /// How places are given; first come, first served when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
    /// Places: people whom the room holds.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: i64,
    /// Places that are given beyond the capacity, in per cent of it, because some do not come; none when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 50)]
    pub overbook_percent: Option<i64>,
    /// Who waits when all places are given; nobody when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_list: Option<WaitingPolicy>,
    /// What happens to somebody who has a place elsewhere at the same time; they are told when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_clash: Option<OwnClash>,
    /// Whether only verified members of a union may sign up; everybody when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_only: Option<bool>,
    /// A place given back later than so many hours before the start weighs on the next sign-up; the policy's when left
    /// out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 720)]
    pub free_cancel_hours: Option<i64>,
    /// Whoever signs up in so many minutes from the opening is shuffled; the order of arrival when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 60)]
    pub fair_minutes: Option<i64>,
    /// Who may sign up earlier than the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub waves: Vec<Wave>,
    /// From which share somebody has completed it; nobody does when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<CompletionRule>,
    /// Sign-up opens.
    pub signup_opens_at: DateTime<Utc>,
    /// Sign-up closes; not after the end of the last session.
    pub signup_closes_at: DateTime<Utc>,
    /// Its sessions.
    #[schema(min_items = 1, max_items = 200)]
    pub sessions: Vec<SessionInput>,
    /// Venues and trainers that all its sessions use: of `/api/v1/resources`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub resource_ids: Vec<ResourceId>,
}

impl ActivityInput {
    /// The times of its sessions, as they were given.
    pub fn times(&self) -> Vec<SessionTimes> {
        let times = self.sessions.iter();
        times.map(|one| SessionTimes { starts_at: one.starts_at, ends_at: one.ends_at }).collect()
    }

    /// The rows to keep. Sessions are numbered by time; each stands with its place in the input.
    pub fn rows(
        &self,
        ids: &Ids,
        id: ActivityId,
        street: Option<OrganisationId>,
        now: DateTime<Utc>,
    ) -> Result<(Activity, Vec<(usize, Session)>)> {
        let mut times: Vec<(usize, &SessionInput)> = self.sessions.iter().enumerate().collect();
        times.sort_by_key(|(_, session)| session.starts_at);
        let sessions: Vec<(usize, Session)> = (1..)
            .zip(times)
            .map(|(number, (place, session))| {
                let row = Session {
                    id: ids.id(),
                    activity_id: id,
                    number,
                    starts_at: db_time(session.starts_at),
                    ends_at: db_time(session.ends_at),
                    state: SessionState::Planned,
                    state_reason: None,
                    held: None,
                    present: 0,
                    finalised_at: None,
                    finalised_by: None,
                    reopened_at: None,
                    version: 1,
                };
                (place, row)
            })
            .collect();
        let closes = db_time(self.signup_closes_at);
        let draft = Activity::draft(id, self.programme_id, self.organisation_id, now);
        let activity = Activity {
            street_id: street,
            title: self.title.clone(),
            summary: self.summary.clone(),
            venue: self.venue.clone(),
            address: self.address.clone(),
            allocation: self.allocation.unwrap_or(draft.allocation),
            capacity: self.capacity,
            bookable: rules::bookable(self.capacity, self.overbook_percent.unwrap_or(0)),
            waiting_list: self.waiting_list.unwrap_or(draft.waiting_list),
            own_clash: self.own_clash.unwrap_or(draft.own_clash),
            members_only: self.members_only.unwrap_or(draft.members_only),
            free_cancel_hours: self.free_cancel_hours,
            fair_minutes: self.fair_minutes.unwrap_or(draft.fair_minutes),
            waves: serde_json::to_string(&self.waves).map_err(Error::internal)?,
            signup_opens_at: db_time(self.signup_opens_at),
            signup_closes_at: closes,
            starts_at: sessions.iter().map(|(_, session)| session.starts_at).min().unwrap_or(closes),
            ends_at: sessions.iter().map(|(_, session)| session.ends_at).max().unwrap_or(closes),
            ..draft
        };
        Ok((activity, sessions))
    }
}

/// What of an activity may be changed. What is left out of the optional fields stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "电工技能提升班", "summary": "低压电工实操", "venue": "平湖职工之家", "address": "平湖街道示例路 1 号", "capacity": 60,
    "signup_opens_at": "2025-02-20T09:00:00+08:00", "signup_closes_at": "2025-02-28T18:00:00+08:00"
}))]
pub struct ActivityChangeInput {
    /// Its title.
    #[schema(min_length = 1, max_length = 120)]
    pub title: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub summary: String,
    /// Where.
    #[schema(min_length = 1, max_length = 120)]
    pub venue: String,
    /// Where.
    #[schema(max_length = 200)]
    pub address: String,
    /// Places; with those of `overbook_percent`, not fewer than are taken or kept.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: i64,
    /// Places that are given beyond the capacity, in per cent of it; the same share as before when left out.
    #[schema(minimum = 0, maximum = 50)]
    pub overbook_percent: Option<i64>,
    /// Who waits when all places are given.
    pub waiting_list: Option<WaitingPolicy>,
    /// What happens to somebody who has a place elsewhere at the same time.
    pub own_clash: Option<OwnClash>,
    /// Whether only verified members of a union may sign up; those who have done so keep their places.
    pub members_only: Option<bool>,
    /// A place given back later than so many hours before the start weighs on the next sign-up.
    #[schema(minimum = 0, maximum = 720)]
    pub free_cancel_hours: Option<i64>,
    /// Whoever signs up in so many minutes from the opening is shuffled.
    #[schema(minimum = 0, maximum = 60)]
    pub fair_minutes: Option<i64>,
    /// Who may sign up earlier than the others.
    #[schema(max_items = 20)]
    pub waves: Option<Vec<Wave>>,
    /// From which share somebody has completed it; until its first session is finalised.
    pub completion: Option<CompletionRule>,
    /// Sign-up opens.
    pub signup_opens_at: DateTime<Utc>,
    /// Sign-up closes; not after the end of the last session.
    pub signup_closes_at: DateTime<Utc>,
}

impl ActivityChangeInput {
    /// The change to make of `activity`, with `waves`, which were checked.
    pub fn change(self, activity: &Activity, waves: &[Wave]) -> Result<ActivityChange> {
        let percent =
            self.overbook_percent.unwrap_or_else(|| rules::overbooked(activity.capacity, activity.bookable));
        Ok(ActivityChange {
            title: self.title,
            summary: self.summary,
            venue: self.venue,
            address: self.address,
            capacity: self.capacity,
            bookable: rules::bookable(self.capacity, percent),
            waiting_list: self.waiting_list.unwrap_or(activity.waiting_list),
            own_clash: self.own_clash.unwrap_or(activity.own_clash),
            members_only: self.members_only.unwrap_or(activity.members_only),
            free_cancel_hours: self.free_cancel_hours.or(activity.free_cancel_hours),
            fair_minutes: self.fair_minutes.unwrap_or(activity.fair_minutes),
            waves: serde_json::to_string(waves).map_err(Error::internal)?,
            signup_opens_at: db_time(self.signup_opens_at),
            signup_closes_at: db_time(self.signup_closes_at),
        })
    }
}
