//! Activities: made, published, attended, counted, finalised.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::client::{Session, field, id};
use super::super::{Outcome, name, publish};
use super::events::{Came, How, Meeting, Sitting};
use super::play::{Made, Player, approve, phone};
use crate::clock::Clock;

/// People whom every square and hall holds.
const CAPACITY: i64 = 50_000;

impl Player<'_> {
    /// An activity takes place.
    pub(super) async fn meeting(&mut self, meeting: &Meeting) -> Outcome<()> {
        let organiser = self.user("organiser").await?;
        let made = publish(&organiser, &self.input(meeting)?).await?;
        let sessions = field(&made, "sessions").as_array().into_iter().flatten().map(id);
        let sessions: Vec<String> = sessions.collect::<Outcome<_>>()?;
        let activity = id(&made)?;
        self.meetings.insert(meeting.number, Made { sessions: sessions.clone(), ..Made::default() });
        for (place, (sitting, session)) in meeting.sittings.iter().zip(&sessions).enumerate() {
            self.sitting(meeting, (place, sitting), &activity, session).await?;
        }
        Ok(())
    }

    /// What is posted to make the activity.
    fn input(&self, meeting: &Meeting) -> Outcome<Value> {
        let now = self.clock.now();
        let about = meeting.about;
        let programme = self.programme(about.kind, about.topic, about.audience)?;
        let title = field(programme, "name").as_str().unwrap_or_default();
        let minutes = |place: usize| TimeDelta::minutes(i64::try_from(place).unwrap_or(0));
        // All of them run at this hour, one a minute after the other.
        let session = |place: usize| {
            let starts = now - TimeDelta::minutes(30) + minutes(place);
            json!({ "starts_at": starts, "ends_at": starts + TimeDelta::hours(2) })
        };
        let sessions: Vec<Value> = (0..meeting.sittings.len()).map(session).collect();
        let mut input = json!({
            "programme_id": field(programme, "id"), "organisation_id": self.organisation(meeting.organiser)?,
            "title": format!("{title}（{}）", meeting.number), "summary": "由演示命令创建。",
            "venue": "示例职工之家", "address": "示例路 1 号", "capacity": CAPACITY,
            "signup_opens_at": now - TimeDelta::hours(1), "signup_closes_at": now + TimeDelta::hours(1),
            "sessions": sessions,
        });
        if let (Some(venue), Some(fields)) = (meeting.venue, input.as_object_mut()) {
            fields.insert("street_id".into(), json!(self.organisation(venue)?));
        }
        Ok(input)
    }

    async fn sitting(
        &mut self,
        meeting: &Meeting,
        (place, sitting): (usize, &Sitting),
        activity: &str,
        session: &str,
    ) -> Outcome<()> {
        let gate = self.user("gate").await?;
        for one in &sitting.came {
            let present = self.let_in(&gate, one, activity, session).await?;
            if one.undone {
                let path = format!("/api/v1/checkins/{}/undoings", id(&present)?);
                gate.post(&path, &json!({ "reason": "误扫" })).await?;
            }
        }
        if let Some(number) = sitting.crowd {
            self.crowd(meeting.number, place, (meeting.organiser, number)).await?;
        }
        gate.post(&format!("/api/v1/sessions/{session}/finalisations"), &json!({})).await?;
        if sitting.cancelled {
            let path = format!("/api/v1/sessions/{session}/cancellations");
            self.user("organiser").await?.post(&path, &json!({ "reason": "误结算" })).await?;
        }
        Ok(())
    }

    async fn let_in(
        &mut self,
        gate: &Arc<Session>,
        one: &Came,
        activity: &str,
        session: &str,
    ) -> Outcome<Value> {
        if one.how == How::Scan {
            let worker = self.worker(one.worker).await?;
            worker.post(&format!("/api/v1/activities/{activity}/signups"), &json!({})).await?;
            let pass = worker.get("/api/v1/me/pass").await?;
            let scan = json!({ "pass": field(&pass, "code") });
            return gate.post(&format!("/api/v1/sessions/{session}/checkins"), &scan).await;
        }
        let role = if one.how == How::Expert { "expert" } else { "participant" };
        let walk_in = json!({
            "phone": phone(one.worker), "name": name(one.worker), "consent": true, "role": role,
            "workplace_id": self.organisation(self.works(one.worker))?,
        });
        gate.post(&format!("/api/v1/sessions/{session}/walk-ins"), &walk_in).await
    }

    /// A crowd is counted, and another officer agrees.
    pub(super) async fn crowd(
        &mut self,
        meeting: usize,
        place: usize,
        (organiser, number): (&str, i64),
    ) -> Outcome<()> {
        let gate = self.user("gate").await?;
        let photo = self.evidence(&gate).await?;
        let made = self.meetings.get_mut(&meeting).ok_or("no such meeting")?;
        let session = made.sessions.get(place).ok_or("no such session")?.clone();
        let count = json!({
            "number": number, "method": "parcels", "parcels": number, "minutes": 600, "gates": 20, "photos": [photo],
        });
        let counted = gate.post(&format!("/api/v1/sessions/{session}/headcounts"), &count).await?;
        made.headcounts.insert(place, id(&counted)?);
        let reviewer = self.reviewer_of(organiser).await?;
        approve(&reviewer, &counted).await
    }
}
