//! An activity as a pattern: everything but its dates. Copies and templates are made from it, and only from it.
//!
//! A [`Moment`] is a day counted from the civil day of the first session (Asia/Shanghai), and a time of that day. So a
//! sign-up that closes at six the evening before does so for every copy.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::completion::CompletionRule;
use super::input::{ActivityInput, SessionInput};
use super::model::{
    Activity, Allocation, Audience, OwnClash, Quota, QuotaKind, Session, SessionState, WaitingPolicy, Wave,
};
use super::rules;
use crate::clock::{civil_day, day_start};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{ActivityId, Ids, OrganisationId, ProgrammeId, QuotaId, ResourceId};

/// A time of a day that is counted from the first session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// 0 for the first session's day, -1 for the day before.
    pub days: i64,
    /// Of that day, in Shanghai.
    pub time: NaiveTime,
}

impl Moment {
    fn of(instant: NaiveDateTime, first: NaiveDate) -> Self {
        let day = civil_day(instant.and_utc());
        let since = instant.and_utc() - day_start(day);
        let (time, _) = NaiveTime::MIN.overflowing_add_signed(since);
        Self { days: (day - first).num_days(), time }
    }

    /// The instant, where the first session is on `first`; none where no calendar has it.
    fn on(self, first: NaiveDate) -> Option<DateTime<Utc>> {
        let day = first.checked_add_signed(TimeDelta::try_days(self.days)?)?;
        // The years of every instant in the system.
        (1970..2200).contains(&day.year()).then(|| day_start(day) + (self.time - NaiveTime::MIN))
    }
}

/// Who may sign up earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternWave {
    kind: QuotaKind,
    organisation_id: Option<OrganisationId>,
    audience: Option<Audience>,
    opens: Moment,
}

/// A session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternSession {
    /// Begins.
    pub starts: Moment,
    /// Ends.
    pub ends: Moment,
}

/// A quota, without what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternQuota {
    /// The place in the list of the one above, which comes before.
    parent: Option<usize>,
    kind: QuotaKind,
    organisation_id: Option<OrganisationId>,
    audience: Option<Audience>,
    rank: i64,
    capacity: i64,
}

/// An activity without its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    programme_id: ProgrammeId,
    organisation_id: OrganisationId,
    street_id: Option<OrganisationId>,
    /// For people.
    pub title: String,
    summary: String,
    venue: String,
    address: String,
    allocation: Allocation,
    /// People whom the room holds.
    pub capacity: i64,
    overbook_percent: i64,
    waiting_list: WaitingPolicy,
    own_clash: OwnClash,
    /// Templates from before there was such a thing do not name it.
    #[serde(default)]
    members_only: bool,
    free_cancel_hours: Option<i64>,
    fair_minutes: i64,
    waves: Vec<PatternWave>,
    /// As above.
    #[serde(default)]
    completion: Option<CompletionRule>,
    signup_opens: Moment,
    signup_closes: Moment,
    /// In order.
    pub sessions: Vec<PatternSession>,
    resource_ids: Vec<ResourceId>,
    quotas: Vec<PatternQuota>,
}

/// What differs from the pattern.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Who organises it; the sub-district is then theirs.
    pub organisation_id: Option<OrganisationId>,
    /// For people.
    pub title: Option<String>,
    /// Where.
    pub venue: Option<String>,
    /// Where.
    pub address: Option<String>,
    /// What it uses.
    pub resource_ids: Option<Vec<ResourceId>>,
}

impl Pattern {
    /// The pattern of an activity. Cancelled sessions are no part of it.
    pub fn of(
        activity: &Activity,
        sessions: &[Session],
        resources: &[ResourceId],
        quotas: &[Quota],
        completion: Option<CompletionRule>,
    ) -> Result<Self> {
        let live: Vec<&Session> =
            sessions.iter().filter(|one| one.state != SessionState::Cancelled).collect();
        let kept = if live.is_empty() { sessions.iter().collect() } else { live };
        let starts = kept.iter().map(|one| one.starts_at).min().unwrap_or(activity.starts_at);
        let first = civil_day(starts.and_utc());
        let waves = activity.waves()?.into_iter().map(|wave| PatternWave {
            kind: wave.kind,
            organisation_id: wave.organisation_id,
            audience: wave.audience,
            opens: Moment::of(wave.opens_at.naive_utc(), first),
        });
        Ok(Self {
            programme_id: activity.programme_id,
            organisation_id: activity.organisation_id,
            street_id: activity.street_id,
            title: activity.title.clone(),
            summary: activity.summary.clone(),
            venue: activity.venue.clone(),
            address: activity.address.clone(),
            allocation: activity.allocation,
            capacity: activity.capacity,
            overbook_percent: rules::overbooked(activity.capacity, activity.bookable),
            waiting_list: activity.waiting_list,
            own_clash: activity.own_clash,
            members_only: activity.members_only,
            free_cancel_hours: activity.free_cancel_hours,
            fair_minutes: activity.fair_minutes,
            waves: waves.collect(),
            completion,
            signup_opens: Moment::of(activity.signup_opens_at, first),
            signup_closes: Moment::of(activity.signup_closes_at, first),
            sessions: kept
                .iter()
                .map(|one| PatternSession {
                    starts: Moment::of(one.starts_at, first),
                    ends: Moment::of(one.ends_at, first),
                })
                .collect(),
            resource_ids: resources.to_vec(),
            quotas: pattern_quotas(quotas),
        })
    }

    /// What to make of it with the first session on `first`.
    ///
    /// # Errors
    /// 422 where an instant would lie outside the years that the system knows.
    pub fn input(&self, first: NaiveDate, wish: Wish) -> Result<ActivityInput> {
        let at = |moment: Moment| {
            moment.on(first).ok_or_else(|| {
                let text = Text::new("应在 1970 年到 2199 年之间", "must lie in the years 1970 to 2199");
                Error::invalid(vec![Fault::new("/starts_on", "range", text)])
            })
        };
        let waves = self.waves.iter().map(|wave| {
            Ok(Wave {
                kind: wave.kind,
                organisation_id: wave.organisation_id,
                audience: wave.audience,
                opens_at: at(wave.opens)?,
            })
        });
        let sessions = self
            .sessions
            .iter()
            .map(|one| Ok(SessionInput { starts_at: at(one.starts)?, ends_at: at(one.ends)? }));
        let elsewhere = wish.organisation_id.is_some_and(|id| id != self.organisation_id);
        Ok(ActivityInput {
            programme_id: self.programme_id,
            organisation_id: wish.organisation_id.unwrap_or(self.organisation_id),
            street_id: self.street_id.filter(|_| !elsewhere),
            title: wish.title.unwrap_or_else(|| self.title.clone()),
            summary: self.summary.clone(),
            venue: wish.venue.unwrap_or_else(|| self.venue.clone()),
            address: wish.address.unwrap_or_else(|| self.address.clone()),
            allocation: Some(self.allocation),
            capacity: self.capacity,
            overbook_percent: Some(self.overbook_percent),
            waiting_list: Some(self.waiting_list),
            own_clash: Some(self.own_clash),
            members_only: Some(self.members_only),
            free_cancel_hours: self.free_cancel_hours,
            fair_minutes: Some(self.fair_minutes),
            waves: waves.collect::<Result<_>>()?,
            completion: self.completion,
            signup_opens_at: at(self.signup_opens)?,
            signup_closes_at: at(self.signup_closes)?,
            sessions: sessions.collect::<Result<_>>()?,
            resource_ids: wish.resource_ids.unwrap_or_else(|| self.resource_ids.clone()),
        })
    }

    /// The quotas of a new activity, parents before children; nothing of them is used.
    pub fn quotas(&self, ids: &Ids, activity: ActivityId) -> Vec<Quota> {
        let mut made: Vec<Quota> = Vec::with_capacity(self.quotas.len());
        for one in &self.quotas {
            let parent_id = one.parent.and_then(|place| made.get(place)).map(|parent| parent.id);
            made.push(Quota {
                id: ids.id(),
                activity_id: activity,
                parent_id,
                kind: one.kind,
                organisation_id: one.organisation_id,
                audience: one.audience,
                rank: one.rank,
                capacity: one.capacity,
                taken: 0,
                held: 0,
                version: 1,
            });
        }
        made
    }
}

/// Parents before children, whatever their order was.
fn pattern_quotas(quotas: &[Quota]) -> Vec<PatternQuota> {
    let mut placed: Vec<QuotaId> = Vec::new();
    let mut made = Vec::new();
    let mut left: Vec<&Quota> = quotas.iter().collect();
    while !left.is_empty() {
        let waiting = left.len();
        left.retain(|one| {
            let parent = one.parent_id.map(|id| placed.iter().position(|other| *other == id));
            if parent == Some(None) {
                return true;
            }
            placed.push(one.id);
            made.push(PatternQuota {
                parent: parent.flatten(),
                kind: one.kind,
                organisation_id: one.organisation_id,
                audience: one.audience,
                rank: one.rank,
                capacity: one.capacity,
            });
            false
        });
        // Nothing but a parent that is not among them stops this.
        if left.len() == waiting {
            break;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::db_time;
    use uuid::Uuid;

    fn at(text: &str) -> NaiveDateTime {
        db_time(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn session(number: i64, starts_at: &str, ends_at: &str, state: SessionState) -> Session {
        Session {
            id: Uuid::from_u128(u128::try_from(number).unwrap()).into(),
            activity_id: Uuid::nil().into(),
            number,
            starts_at: at(starts_at),
            ends_at: at(ends_at),
            state,
            state_reason: None,
            held: None,
            present: 0,
            finalised_at: None,
            finalised_by: None,
            reopened_at: None,
            version: 1,
        }
    }

    fn quota(id: u128, parent: Option<u128>) -> Quota {
        Quota {
            id: Uuid::from_u128(id).into(),
            activity_id: Uuid::nil().into(),
            parent_id: parent.map(|id| Uuid::from_u128(id).into()),
            kind: QuotaKind::Pool,
            organisation_id: None,
            audience: None,
            rank: 0,
            capacity: i64::try_from(id).unwrap(),
            taken: 1,
            held: 1,
            version: 7,
        }
    }

    fn activity() -> Activity {
        let wave = Wave {
            kind: QuotaKind::Audience,
            organisation_id: None,
            audience: Some(Audience::ModelWorker),
            opens_at: at("2025-02-19T09:00:00+08:00").and_utc(),
        };
        Activity {
            title: "电工班".into(),
            capacity: 40,
            bookable: 44,
            waiting_list: WaitingPolicy::Fill,
            waves: serde_json::to_string(&[wave]).unwrap(),
            signup_opens_at: at("2025-02-20T00:00:00+08:00"),
            signup_closes_at: at("2025-02-28T23:59:59.999999+08:00"),
            ..Activity::draft(
                Uuid::nil().into(),
                Uuid::nil().into(),
                Uuid::nil().into(),
                DateTime::UNIX_EPOCH,
            )
        }
    }

    #[test]
    fn a_pattern_keeps_days_and_times_of_day_in_shanghai() {
        // The first one begins before midnight UTC and ends after it; the second is two days later.
        let sessions = [
            session(1, "2025-03-01T07:30:00+08:00", "2025-03-01T09:00:00+08:00", SessionState::Planned),
            session(2, "2025-03-03T22:00:00+08:00", "2025-03-04T01:00:00+08:00", SessionState::Finalised),
        ];
        let pattern = Pattern::of(&activity(), &sessions, &[], &[], None).unwrap();
        let text = serde_json::to_string(&pattern).unwrap();
        assert_eq!(serde_json::from_str::<Pattern>(&text).unwrap(), pattern);
        // Over the end of February of a leap year.
        let input = pattern.input(day("2028-02-28"), Wish::default()).unwrap();
        let shown = |at: DateTime<Utc>| at.with_timezone(&crate::clock::shanghai()).to_rfc3339();
        assert_eq!(shown(input.signup_opens_at), "2028-02-19T00:00:00+08:00");
        assert_eq!(shown(input.signup_closes_at), "2028-02-27T23:59:59.999999+08:00");
        let [first, second] = input.sessions.as_slice() else { panic!("{input:?}") };
        assert_eq!(shown(first.starts_at), "2028-02-28T07:30:00+08:00");
        assert_eq!(shown(second.starts_at), "2028-03-01T22:00:00+08:00");
        assert_eq!(shown(second.ends_at), "2028-03-02T01:00:00+08:00");
        assert_eq!(
            input.waves.first().map(|wave| shown(wave.opens_at)).unwrap(),
            "2028-02-18T09:00:00+08:00"
        );
        assert_eq!((input.overbook_percent, input.waiting_list), (Some(10), Some(WaitingPolicy::Fill)));
        // On its own day it is itself again.
        let same = pattern.input(day("2025-03-01"), Wish::default()).unwrap();
        assert_eq!(db_time(same.signup_closes_at), activity().signup_closes_at);
        assert!(sessions.iter().zip(&same.sessions).all(|(a, b)| a.starts_at == db_time(b.starts_at)));
    }

    #[test]
    fn cancelled_sessions_are_no_part_of_it() {
        let sessions = [
            session(1, "2025-03-01T10:00:00+08:00", "2025-03-01T11:00:00+08:00", SessionState::Cancelled),
            session(2, "2025-03-03T10:00:00+08:00", "2025-03-03T11:00:00+08:00", SessionState::Planned),
        ];
        let pattern = Pattern::of(&activity(), &sessions, &[], &[], None).unwrap();
        assert_eq!(pattern.sessions.len(), 1);
        assert_eq!(pattern.sessions.first().unwrap().starts.days, 0);
    }

    #[test]
    fn quotas_come_unused_and_below_whom_they_stood() {
        let quotas = [quota(3, Some(2)), quota(2, Some(1)), quota(1, None), quota(4, None)];
        let pattern = Pattern::of(&activity(), &[], &[], &quotas, None).unwrap();
        let entropy = std::sync::Arc::new(crate::ids::SeededEntropy::new(1));
        let clock = std::sync::Arc::new(crate::clock::ManualClock::at(DateTime::UNIX_EPOCH));
        let made = pattern.quotas(&Ids::new(clock, entropy), Uuid::from_u128(5).into());
        let capacity_of =
            |id: Option<QuotaId>| made.iter().find(|one| Some(one.id) == id).map(|one| one.capacity);
        let tree: Vec<(i64, Option<i64>)> =
            made.iter().map(|one| (one.capacity, capacity_of(one.parent_id))).collect();
        assert_eq!(tree, [(1, None), (4, None), (2, Some(1)), (3, Some(2))]);
        assert!(made.iter().all(|one| (one.taken, one.held, one.version) == (0, 0, 1)));
    }

    #[test]
    fn no_day_makes_it_panic() {
        let pattern = Pattern::of(&activity(), &[], &[], &[], None).unwrap();
        for day in [day("1970-01-01"), day("2199-12-31"), NaiveDate::MIN, NaiveDate::MAX] {
            _ = pattern.input(day, Wish::default());
        }
        assert!(pattern.input(NaiveDate::MAX, Wish::default()).is_err());
    }
}
