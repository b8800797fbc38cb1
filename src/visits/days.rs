//! The session that a visit belongs to: that of its day and organiser, made when it is missing.
//!
//! An organiser's visits of one day are one activity with one session, which lasts the whole day. It is born published, since nobody
//! signs up for it and its day may be over; from then on it is finalised, and voided, as any other. Once it is over, further visits
//! of that day get a further one.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde_json::json;

use super::model::{VisitDay, VisitForm};
use super::{rules, store};
use crate::clock::day_start;
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, Ids, OrganisationId, PersonId, SessionId};
use crate::offering;
use crate::offering::input::{ActivityInput, SessionInput};
use crate::offering::lifecycle_store;
use crate::offering::model::{Activity, ActivityState, Session, SessionState};
use crate::org::model::Organisation;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;

/// Whose visits of which day.
pub struct Wanted<'a> {
    /// Who visits.
    pub organiser: &'a Organisation,
    /// What is done.
    pub form: VisitForm,
    /// When.
    pub day: NaiveDate,
    /// Who records it.
    pub actor: PersonId,
    /// The present.
    pub now: DateTime<Utc>,
}

/// A locked session with its activity.
pub struct Place {
    /// The activity.
    pub activity: Activity,
    /// The session, locked.
    pub session: Session,
}

/// A planned session for what is wanted, locked; made with its activity when there is none.
///
/// # Errors
/// `state_forbids` where there is no programme of the topic. `idempotency_running` when another visit has made the session at this
/// moment: who tries again finds it.
pub fn place_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    wanted: &Wanted<'_>,
    entries: &mut Vec<Entry>,
) -> Result<Place> {
    let topic = rules::topic(wanted.form);
    let last = store::day_last(conn, wanted.organiser.id, topic, wanted.day)?;
    if let Some((_, session)) = last {
        let place = locked_in_tx(conn, session)?;
        let runs = matches!(place.activity.state, ActivityState::Published | ActivityState::Allocated);
        if place.session.state == SessionState::Planned && runs {
            return Ok(place);
        }
    }
    let number = last.map_or(1, |(number, _)| number + 1);
    let place = make_in_tx(conn, ids, wanted, topic)?;
    let row = VisitDay {
        organisation_id: wanted.organiser.id,
        topic: topic.to_owned(),
        day: wanted.day,
        number,
        session_id: place.session.id,
    };
    if !store::day_create_in_tx(conn, &row)? {
        return Err(Error::new(Code::IdempotencyRunning));
    }
    let detail = json!({ "session": place.session.id, "visits": true });
    entries.push(Entry::new(wanted.actor, "activity.create", place.activity.id).detail(detail));
    Ok(place)
}

/// A session and its activity, locked in the order in which finalising locks them.
pub fn locked_in_tx(conn: &mut Conn, session: SessionId) -> Result<Place> {
    let id = offering::store::session_get(conn, session)?.0.activity_id;
    let activity = offering::store::activities_lock_in_tx(conn, &[id])?.remove(&id);
    let mut sessions = lifecycle_store::sessions_of_locked_in_tx(conn, id)?;
    sessions.retain(|one| one.id == session);
    match (activity, sessions.pop()) {
        (Some(activity), Some(session)) => Ok(Place { activity, session }),
        _ => Err(Error::not_found()),
    }
}

fn make_in_tx(conn: &mut Conn, ids: &Ids, wanted: &Wanted<'_>, topic: &'static str) -> Result<Place> {
    let organiser: OrganisationId = wanted.organiser.id;
    let programme = store::programme(conn, organiser, topic)?.ok_or_else(|| {
        let (zh, en) = match wanted.form {
            VisitForm::Visit => (
                "还没有“工伤探视”主题的项目，请先建立",
                "There is no programme of the topic injury_visit yet",
            ),
            VisitForm::GiftOnly => {
                ("还没有“工伤慰问”主题的项目，请先建立", "There is no programme of the topic injury_gift yet")
            }
        };
        Error::new(Code::StateForbids).detail(zh, en)
    })?;
    let starts = day_start(wanted.day);
    let title = match wanted.form {
        VisitForm::Visit => "工伤探视",
        VisitForm::GiftOnly => "工伤慰问",
    };
    let input = ActivityInput {
        programme_id: programme,
        organisation_id: organiser,
        street_id: wanted.organiser.street_id,
        title: format!("{title}（{}，{}）", wanted.organiser.short_name, wanted.day),
        summary: "由工作人员登记，不设报名。".to_owned(),
        venue: "医院".to_owned(),
        address: String::new(),
        allocation: None,
        // Whoever was visited was visited: nothing is full here.
        capacity: 1_000_000,
        overbook_percent: None,
        waiting_list: None,
        own_clash: None,
        members_only: None,
        free_cancel_hours: None,
        fair_minutes: None,
        waves: Vec::new(),
        completion: None,
        // Over before it begins: nobody signs up.
        signup_opens_at: starts - TimeDelta::minutes(2),
        signup_closes_at: starts - TimeDelta::minutes(1),
        sessions: vec![SessionInput { starts_at: starts, ends_at: end_of(wanted.day) }],
        resource_ids: Vec::new(),
    };
    let id: ActivityId = ids.id();
    let (activity, sessions) = input.rows(ids, id, input.street_id, wanted.now)?;
    let activity = Activity { state: ActivityState::Published, ..activity };
    let sessions: Vec<Session> = sessions.into_iter().map(|(_, row)| row).collect();
    offering::store::activity_create_in_tx(conn, &activity, &sessions)?;
    let session = sessions.into_iter().next().ok_or_else(|| Error::internal("a day without a session"))?;
    Ok(Place { activity, session })
}

fn end_of(day: NaiveDate) -> DateTime<Utc> {
    day_start(day.checked_add_days(Days::new(1)).unwrap_or(day))
}
