//! Months that are closed: who closes them, what is held for them afterwards, and what restates them.

pub mod acts;
pub mod faults;
pub mod histories;
pub mod holding;
mod merged;
pub mod races;
pub mod rolling;

use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::attendance::entering::{Candidate, Entrance, Left};
use unionhall::attendance::model::CheckinMethod;
use unionhall::error::Result;
use unionhall::ids::{PersonId, SessionId};
use unionhall::offering::model::{AttendanceRole, SessionState};
use unionhall::plan::counting::PlanCounting;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{activities, sessions};

use crate::harness::factory::Made;
use crate::harness::{Actor, Reply, TestApp};

/// June 2025, in which every test begins.
pub const JUNE: &str = "/api/v1/plans/2025/periods/06";

/// A finalised session of a training for riders in 平湖 at which `names` were; it counts for 07a, 07b, 21a and 21b.
pub async fn held(app: &TestApp, names: &[&str]) -> Made {
    let gate = app.staff("gate").await;
    let made = app.activity(|a| a.programme("demo-skills-rider")).await;
    for name in names {
        let person = app.worker(name).await;
        person.sign_up(&made).await.ok(201);
        gate.scan(made.session, &person.pass().await).await.ok(200);
    }
    gate.finalise(made.session).await.ok(200);
    app.run_jobs().await;
    made
}

/// Goes into July. The demonstration's own sessions are called off: nobody settles them.
pub async fn into_july(app: &TestApp) {
    app.write(|conn| {
        let demo = activities::table.filter(activities::code.is_not_null()).select(activities::id);
        diesel::update(sessions::table.filter(sessions::activity_id.eq_any(demo)))
            .set(sessions::state.eq(SessionState::Cancelled))
            .execute(conn)?;
        Ok(())
    })
    .await;
    app.advance(TimeDelta::days(16));
}

/// The sub-districts that close their part.
pub async fn streets(app: &TestApp) -> Vec<String> {
    let month = app.staff("planner").await.get(JUNE).await.ok(200);
    let streets = month["streets"].as_array().unwrap();
    streets.iter().map(|street| street["organisation_id"].as_str().unwrap().to_owned()).collect()
}

/// All sub-districts close their part of a period.
pub async fn soften(app: &TestApp, period: &str) {
    let admin = app.staff("admin").await;
    for street in streets(app).await {
        let body = json!({ "organisation_id": street });
        admin.post(&format!("{period}/street-closings"), body).await.ok(200);
    }
}

pub async fn propose(officer: &Actor, period: &str) -> Reply {
    officer.post(&format!("{period}/closings"), json!({})).await
}

pub async fn decide(officer: &Actor, period: &str, agree: bool) -> Reply {
    officer.post(&format!("{period}/closing-decisions"), json!({ "agree": agree })).await
}

/// June is closed, by everybody who has to.
pub async fn close_june(app: &TestApp) -> Value {
    into_july(app).await;
    soften(app, JUNE).await;
    propose(&app.staff("planner").await, JUNE).await.ok(200);
    decide(&app.staff("admin").await, JUNE, true).await.ok(200)
}

/// What is held for June.
pub async fn held_for_june(app: &TestApp) -> Vec<Value> {
    let page =
        app.staff("planner").await.get(&format!("{JUNE}/corrections?state=held&limit=100")).await.ok(200);
    page["items"].as_array().unwrap().clone()
}

/// June is restated, by two officers; the restatement.
pub async fn restate_june(app: &TestApp, agree: bool) -> Value {
    let body = json!({ "reason": "签到表迟交", "evidence": "平湖街道签到表" });
    let made = app.staff("planner").await.post(&format!("{JUNE}/restatements"), body).await.ok(201);
    let path = format!("/api/v1/restatements/{}/decisions", made["id"].as_str().unwrap());
    app.staff("admin").await.post(&path, json!({ "agree": agree })).await.ok(200)
}

/// Somebody was present after all, as an upload that comes late says.
pub fn enter_in_tx(
    conn: &mut Conn,
    entrance: &Entrance,
    session: SessionId,
    person: PersonId,
    by: PersonId,
) -> Result<()> {
    let (row, found) = unionhall::offering::store::session_get(conn, session)?;
    let candidate = Candidate {
        person,
        method: CheckinMethod::StaffScan,
        distance: None,
        at: row.starts_at.and_utc(),
        by,
        unregistered: Some(AttendanceRole::Participant),
        scan: None,
        decided: true,
    };
    let mut left = Left::default();
    entrance.enter_in_tx(conn, &row, &found.activity, &[candidate], &mut left)?;
    left.count_in_tx(conn, entrance.counting.as_ref())
}

/// The application's own door.
pub fn entrance(app: &TestApp) -> Entrance {
    let (clock, ids) = (app.app().platform().clock.clone(), app.ids().clone());
    let counting = PlanCounting::new(clock.clone(), ids.clone(), Duration::ZERO);
    Entrance::new(clock, ids, std::sync::Arc::new(counting), Duration::ZERO)
}

/// `name` was at `session`, which becomes known now.
pub async fn came_late(app: &TestApp, session: SessionId, name: &str) -> PersonId {
    let (door, by) = (entrance(app), app.staff("gate").await.person());
    let person = app.worker(name).await.person();
    app.write(move |conn| enter_in_tx(conn, &door, session, person, by)).await;
    person
}

/// One target's line in June's figures for an organisation's short name: issued, restated.
pub async fn june(app: &TestApp, code: &str, name: &str) -> (Value, i64) {
    let month = app.staff("planner").await.get(JUNE).await.ok(200);
    let figures = month["figures"].as_array().unwrap();
    let found = figures.iter().find(|row| row["code"] == code && row["name"] == name);
    found.map_or((Value::Null, 0), |row| (row["issued"].clone(), row["restated"].as_i64().unwrap()))
}
