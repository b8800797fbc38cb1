//! What tests need before they can begin, made through the API as its users make it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::{ActivityId, OrganisationId, ProgrammeId, SessionId};
use unionhall::platform::db::schema::programmes;

use super::actor::{Actor, Reply};
use super::app::TestApp;

/// An activity that a test made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its id.
    pub id: ActivityId,
    /// Its first session, which runs now unless the test said otherwise.
    pub session: SessionId,
    /// All its sessions, by time.
    pub sessions: Vec<SessionId>,
    /// As the organiser was answered.
    pub body: Value,
}

/// How an activity shall be: a training of 平湖 with one session that runs now, 20 places, open for sign-up, published.
#[derive(Debug, Clone)]
pub struct Wanted {
    title: String,
    programme: String,
    organisation: String,
    street: Option<String>,
    capacity: i64,
    allocation: Option<String>,
    signup: (TimeDelta, TimeDelta),
    sessions: Vec<(TimeDelta, TimeDelta)>,
    publish: bool,
    extra: Vec<(String, Value)>,
}

impl Wanted {
    fn new() -> Self {
        Self {
            title: "测试电工班".into(),
            programme: "demo-skills".into(),
            organisation: "street-pinghu".into(),
            street: None,
            capacity: 20,
            allocation: None,
            signup: (TimeDelta::days(-1), TimeDelta::hours(1)),
            sessions: vec![(TimeDelta::minutes(-30), TimeDelta::minutes(90))],
            publish: true,
            extra: Vec::new(),
        }
    }

    /// Its title.
    pub fn title(self, title: &str) -> Self {
        Self { title: title.into(), ..self }
    }

    /// The seeded programme with this code.
    pub fn programme(self, code: &str) -> Self {
        Self { programme: code.into(), ..self }
    }

    /// The organiser, by its code.
    pub fn organisation(self, code: &str) -> Self {
        Self { organisation: code.into(), ..self }
    }

    /// The sub-district of the venue, by its code.
    pub fn street(self, code: &str) -> Self {
        Self { street: Some(code.into()), ..self }
    }

    /// Places.
    pub fn capacity(self, capacity: i64) -> Self {
        Self { capacity, ..self }
    }

    /// How places are given, such as `review`.
    pub fn allocation(self, allocation: &str) -> Self {
        Self { allocation: Some(allocation.into()), ..self }
    }

    /// When sign-up opens and closes, from now.
    pub fn signup(self, opens: TimeDelta, closes: TimeDelta) -> Self {
        Self { signup: (opens, closes), ..self }
    }

    /// When its sessions begin and end, from now.
    pub fn sessions(self, sessions: &[(TimeDelta, TimeDelta)]) -> Self {
        Self { sessions: sessions.to_vec(), ..self }
    }

    /// Any other field of the input, such as `waiting_list`.
    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.extra.push((field.into(), value));
        self
    }

    /// Leaves it unpublished.
    pub fn draft(self) -> Self {
        Self { publish: false, ..self }
    }
}

impl TestApp {
    /// Makes an activity as the district's organiser.
    pub async fn activity(&self, want: impl FnOnce(Wanted) -> Wanted) -> Made {
        self.activity_by(&self.worker("organiser").await, want).await
    }

    /// Makes an activity as `organiser`.
    pub async fn activity_by(&self, organiser: &Actor, want: impl FnOnce(Wanted) -> Wanted) -> Made {
        let wanted = want(Wanted::new());
        let body = self.activity_body(&wanted).await;
        let mut made = organiser.post("/api/v1/activities", body).await.ok(201);
        let id: ActivityId = made["id"].as_str().unwrap().parse().unwrap();
        if wanted.publish {
            let path = format!("/api/v1/managed-activities/{id}/publications");
            made = organiser.post(&path, json!({})).await.ok(200);
        }
        let sessions: Vec<SessionId> = made["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|session| session["id"].as_str().unwrap().parse().unwrap())
            .collect();
        Made { id, session: sessions[0], sessions, body: made }
    }

    /// What is posted to make an activity.
    pub async fn activity_input(&self, want: impl FnOnce(Wanted) -> Wanted) -> Value {
        self.activity_body(&want(Wanted::new())).await
    }

    async fn activity_body(&self, wanted: &Wanted) -> Value {
        let at = |from_now: TimeDelta| -> DateTime<Utc> { self.now() + from_now };
        let sessions: Vec<Value> = wanted
            .sessions
            .iter()
            .map(|(starts, ends)| json!({ "starts_at": at(*starts), "ends_at": at(*ends) }))
            .collect();
        let mut body = json!({
            "programme_id": self.programme(&wanted.programme).await,
            "organisation_id": self.organisation(&wanted.organisation).await,
            "title": wanted.title,
            "summary": "由测试创建",
            "venue": "示例职工之家",
            "address": "示例路 1 号",
            "capacity": wanted.capacity,
            "signup_opens_at": at(wanted.signup.0),
            "signup_closes_at": at(wanted.signup.1),
            "sessions": sessions,
        });
        for (field, value) in &wanted.extra {
            body[field] = value.clone();
        }
        if let Some(allocation) = &wanted.allocation {
            body["allocation"] = json!(allocation);
        }
        if let Some(street) = &wanted.street {
            body["street_id"] = json!(self.organisation(street).await);
        }
        body
    }

    /// The seeded organisation with this code.
    pub async fn organisation(&self, code: &str) -> OrganisationId {
        let wanted = code.to_owned();
        let found = self.read(move |conn| unionhall::org::store::find_by_code(conn, &wanted)).await;
        found.unwrap_or_else(|| panic!("no organisation {code}")).id
    }

    /// The seeded programme with this code.
    pub async fn programme(&self, code: &str) -> ProgrammeId {
        let wanted = code.to_owned();
        let found: Option<ProgrammeId> = self
            .read(move |conn| {
                let by_code = programmes::table.filter(programmes::code.eq(wanted));
                Ok(by_code.select(programmes::id).first(conn).optional()?)
            })
            .await;
        found.unwrap_or_else(|| panic!("no programme {code}"))
    }
}

impl Actor {
    /// Signs up.
    pub async fn sign_up(&self, activity: &Made) -> Reply {
        self.post(&format!("/api/v1/activities/{}/signups", activity.id), json!({})).await
    }

    /// The code that this person's phone shows.
    pub async fn pass(&self) -> String {
        let pass = self.get("/api/v1/me/pass").await.ok(200);
        pass["code"].as_str().unwrap().to_owned()
    }

    /// Scans a pass at the door of `session`.
    pub async fn scan(&self, session: SessionId, pass: &str) -> Reply {
        self.post(&format!("/api/v1/sessions/{session}/checkins"), json!({ "pass": pass })).await
    }

    /// Says that `session` took place.
    pub async fn finalise(&self, session: SessionId) -> Reply {
        self.post(&format!("/api/v1/sessions/{session}/finalisations"), json!({})).await
    }

    /// Completes one's profile.
    pub async fn set_profile(&self, name: &str, workplace: Option<OrganisationId>) -> Value {
        let me = self.get("/api/v1/me").await;
        let mut body = json!({ "name": name });
        if let Some(workplace) = workplace {
            body["workplace_id"] = json!(workplace);
        }
        self.put("/api/v1/me", &me.etag(), body).await.ok(200)
    }
}
