//! Steps that the tests of the desk share: a request is opened, claimed, returned, supplied with what is missing, decided.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::factory::Made;
use crate::harness::{Actor, Reply, TestApp};

/// A unit of 平湖 whose union has an officer: `reviewer-unit-pinghu-1`.
pub const STAFFED: &str = "demo-enterprise-pinghu-1";
/// A unit of 平湖 whose union has none, so that the sub-district begins.
pub const UNSTAFFED: &str = "demo-enterprise-pinghu-2";

/// A field of the form of trips that must be answered.
const NEEDED: &str = "health";

/// A request for a place in a trip.
pub struct Request {
    /// Who asks.
    pub worker: Actor,
    /// The request.
    pub id: String,
    /// The sign-up that it is about.
    pub signup: String,
    /// The form, answered.
    pub answers: Value,
}

/// Somebody called 张三丰 who works at `workplace`; without one, the district alone decides about them.
pub async fn worker_of(app: &TestApp, user: &str, workplace: Option<&str>) -> Actor {
    let worker = app.worker(user).await;
    let workplace = match workplace {
        Some(code) => Some(app.organisation(code).await),
        None => None,
    };
    worker.set_profile("张三丰", workplace).await;
    worker
}

/// A request of `worker`.
pub async fn request_of(app: &TestApp, worker: Actor) -> Request {
    let activity = app.activity(crate::reviewed::trip).await;
    apply(worker, &activity, json!({})).await
}

/// A request of `worker` for a place in `activity`, of which `changes` change some answers.
pub async fn apply(worker: Actor, activity: &Made, changes: Value) -> Request {
    let mut answers = crate::reviewed::answers(&worker, activity.id).await;
    for (key, answer) in changes.as_object().unwrap() {
        answers[key] = answer.clone();
    }
    let body = json!({ "form": answers });
    let signup = worker.post(&format!("/api/v1/activities/{}/signups", activity.id), body).await.ok(201);
    let id = signup["review_id"].as_str().unwrap_or_else(|| panic!("no review: {signup}")).to_owned();
    let signup = signup["id"].as_str().unwrap().to_owned();
    Request { worker, id, signup, answers }
}

/// A request of somebody who works at `workplace`.
pub async fn request(app: &TestApp, user: &str, workplace: Option<&str>) -> Request {
    request_of(app, worker_of(app, user, workplace).await).await
}

/// The same with other answers.
pub async fn request_with(app: &TestApp, user: &str, workplace: Option<&str>, changes: Value) -> Request {
    let worker = worker_of(app, user, workplace).await;
    let activity = app.activity(crate::reviewed::trip).await;
    apply(worker, &activity, changes).await
}

impl Request {
    /// As the desk addresses it, with what comes after.
    pub fn at(&self, rest: &str) -> String {
        format!("/api/v1/reviews/{}{rest}", self.id)
    }

    /// As the applicant addresses it, with what comes after.
    pub fn own(&self, rest: &str) -> String {
        format!("/api/v1/me/reviews/{}{rest}", self.id)
    }

    /// As an officer sees it.
    pub async fn seen(&self, officer: &Actor) -> Value {
        officer.get(&self.at("")).await.ok(200)
    }

    /// Where the sign-up stands that it is about.
    pub async fn signup_state(&self) -> String {
        let signup = self.worker.get(&format!("/api/v1/signups/{}", self.signup)).await.ok(200);
        signup["state"].as_str().unwrap().to_owned()
    }

    /// The stages that are open: the short names of their bodies.
    pub async fn open_at(&self) -> Vec<String> {
        let own = self.worker.get(&self.own("")).await.ok(200);
        let stages = own["stages"].as_array().unwrap();
        let open = stages.iter().filter(|stage| stage["state"] == "open");
        open.map(|stage| stage["body_name"].as_str().unwrap().to_owned()).collect()
    }

    /// What happened, with what `officer` may know of it.
    pub async fn events(&self, officer: &Actor) -> Vec<Value> {
        let file = officer.post(&self.at("/readings"), json!({})).await.ok(200);
        file["events"].as_array().unwrap().clone()
    }

    /// Decides about it as it stands now.
    pub async fn decide(&self, officer: &Actor, body: Value) -> Reply {
        let etag = officer.get(&self.at("")).await.etag();
        let request = officer
            .request(Method::POST, &self.at("/decisions"))
            .header("if-match", etag)
            .header("idempotency-key", officer.fresh_key())
            .json(&body);
        officer.send(request).await
    }

    /// Approves it.
    pub async fn approve(&self, officer: &Actor) -> Reply {
        self.decide(officer, json!({ "decision": "approve" })).await
    }

    /// Rejects it.
    pub async fn reject(&self, officer: &Actor) -> Reply {
        let code = reason(officer, "reject").await;
        self.decide(officer, json!({ "decision": "reject", "reasons": [code] })).await
    }

    /// Returns it for supplement.
    pub async fn send_back(&self, officer: &Actor) -> Reply {
        let code = reason(officer, "return").await;
        let body = json!({ "decision": "return", "reasons": [code], "missing": [NEEDED] });
        self.decide(officer, body).await
    }

    /// The applicant supplies what was missing.
    pub async fn supply(&self) {
        let body = json!({ "form": { NEEDED: self.answers[NEEDED] } });
        self.worker.post(&self.own("/supplements"), body).await.ok(200);
    }

    /// Returned once, and supplied with what was missing.
    pub async fn go_round(&self, officer: &Actor) {
        self.send_back(officer).await.ok(200);
        self.supply().await;
    }
}

/// A reason of the catalogue for `decision`.
pub async fn reason(officer: &Actor, decision: &str) -> String {
    let path = format!("/api/v1/review-reasons?kind=signup&decision={decision}");
    officer.get(&path).await.ok(200)["items"][0]["code"].as_str().unwrap().to_owned()
}

/// The messages of this kind in somebody's inbox.
pub async fn told(app: &TestApp, person: &Actor, kind: &str) -> Vec<Value> {
    app.run_jobs().await;
    let inbox = person.get("/api/v1/me/notices?limit=100").await.ok(200);
    inbox["items"].as_array().unwrap().iter().filter(|one| one["kind"] == kind).cloned().collect()
}

/// The audit entries of an action: actor, object and detail.
pub async fn audited(app: &TestApp, action: &'static str) -> Vec<(String, String, Value)> {
    use diesel::prelude::*;
    use unionhall::ids::PersonId;
    use unionhall::platform::db::schema::audit_entries;
    let rows: Vec<(Option<PersonId>, String, String)> = app
        .read(move |conn| {
            let entries =
                audit_entries::table.filter(audit_entries::action.eq(action)).order(audit_entries::seq);
            let columns = (audit_entries::actor, audit_entries::object, audit_entries::detail);
            Ok(entries.select(columns).load(conn)?)
        })
        .await;
    rows.into_iter()
        .map(|(actor, object, detail)| {
            let actor = actor.map(|id| id.to_string()).unwrap_or_default();
            (actor, object, serde_json::from_str(&detail).unwrap_or(Value::Null))
        })
        .collect()
}
