//! The desk: what is decided, who decides it, until when, and what is said meanwhile.

pub mod appeals;
pub mod claims;
pub mod clocks;
pub mod cover;
pub mod decisions;
pub mod forbidden;
pub mod leave;
pub mod nets;
pub mod papers;
pub mod queue;
pub mod races;
pub mod steps;
pub mod talk;

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::{PersonId, ReviewId};
use unionhall::platform::db::schema::{jobs, review_events, review_queue, review_stages, reviews};
use unionhall::review::model::{EventKind, Happened, Queued, Review, Stage};

use crate::harness::{Actor, Reply, TestApp};
use steps::{Request, STAFFED, request_with};

/// The officers above [`STAFFED`].
pub struct Officers {
    pub unit: Actor,
    pub street: Actor,
    pub district: Actor,
}

impl Officers {
    /// Those of the seeds.
    pub async fn of(app: &TestApp) -> Self {
        Self {
            unit: app.staff("reviewer-unit-pinghu-1").await,
            street: app.staff("reviewer-pinghu").await,
            district: app.staff("reviewer").await,
        }
    }

    /// Logs them in again, after a longer time than a login lasts.
    pub async fn log_in(&mut self) {
        for officer in [&mut self.unit, &mut self.street, &mut self.district] {
            officer.log_in().await;
        }
    }
}

/// A request of somebody at [`STAFFED`], of which `answers` change some answers.
pub async fn asked(app: &TestApp, user: &str, answers: Value) -> Request {
    request_with(app, user, Some(STAFFED), answers).await
}

/// Approves what the officer reads.
pub fn approve() -> Value {
    json!({ "decision": "approve" })
}

/// Rejects it.
pub fn reject() -> Value {
    json!({ "decision": "reject", "reasons": ["not_eligible"] })
}

/// Returns it, with these fields missing.
pub fn give_back(missing: &[&str]) -> Value {
    json!({ "decision": "return", "reasons": ["papers_missing"], "missing": missing })
}

/// Decides as `officer` under `key`, about the version that `etag` names.
pub async fn decide_at(officer: &Actor, id: &str, etag: &str, key: &str, body: &Value) -> Reply {
    let request = officer.request(Method::POST, &format!("/api/v1/reviews/{id}/decisions"));
    officer.send(request.header("if-match", etag).header("idempotency-key", key).json(body)).await
}

/// The round of this minute, of everything that comes back.
pub async fn come_round(app: &TestApp) {
    let now = unionhall::clock::db_time(app.now());
    app.write(move |conn| {
        let sweep = jobs::table.filter(jobs::kind.eq("review.sweep"));
        Ok(diesel::update(sweep).set(jobs::run_at.eq(now)).execute(conn)?)
    })
    .await;
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
}

/// A minute passes for each of `minutes`, with everything that comes back in it.
pub async fn minutes(app: &TestApp, minutes: i64) {
    for _ in 0..minutes {
        app.advance(TimeDelta::minutes(1));
        come_round(app).await;
    }
}

/// All that the database knows of a request.
pub struct Facts {
    pub review: Review,
    pub stages: Vec<Stage>,
    pub events: Vec<Happened>,
    pub queue: Vec<Queued>,
}

impl Facts {
    /// Of the request `id`.
    pub async fn of(app: &TestApp, id: &str) -> Self {
        let id: ReviewId = id.parse().unwrap();
        app.read(move |conn| {
            let stages = review_stages::table
                .filter(review_stages::review_id.eq(id))
                .order((review_stages::number, review_stages::id))
                .select(Stage::as_select())
                .load(conn)?;
            let events = review_events::table
                .filter(review_events::review_id.eq(id))
                .order(review_events::number)
                .select(Happened::as_select())
                .load(conn)?;
            let queue = review_queue::table
                .filter(review_queue::review_id.eq(id))
                .order((review_queue::stage_id, review_queue::organisation_id))
                .select(Queued::as_select())
                .load(conn)?;
            let review = reviews::table.find(id).select(Review::as_select()).first(conn)?;
            Ok(Self { review, stages, events, queue })
        })
        .await
    }

    /// Everything, to be compared.
    pub fn text(&self) -> String {
        format!("{:?}\n{:?}\n{:?}\n{:?}", self.review, self.stages, self.events, self.queue)
    }

    /// How often something happened.
    pub fn count(&self, kind: EventKind) -> usize {
        self.events.iter().filter(|event| event.kind == kind).count()
    }

    /// Everything that happened, in order.
    pub fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|event| event.kind).collect()
    }

    /// Who decided, in the order of the stages.
    pub fn deciders(&self) -> Vec<PersonId> {
        self.stages.iter().filter_map(|stage| stage.decided_by).collect()
    }
}
