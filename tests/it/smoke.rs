//! The shortest way through the house, and what an empty test costs.

use serde_json::json;

use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![nothing_at_all, from_the_login_to_the_plan];

async fn nothing_at_all(app: TestApp) {
    assert_eq!(app.run_jobs().await, 0);
}

async fn from_the_login_to_the_plan(app: TestApp) {
    let activity = app.activity(|a| a.capacity(2)).await;
    let (worker, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let planner = app.staff("planner").await;
    let before = figure(&planner.get("/api/v1/plans/2025/progress").await.ok(200));
    worker.sign_up(&activity).await.ok(201);
    let scanned = gate.scan(activity.session, &worker.pass().await).await.ok(200);
    assert_eq!(scanned["person_id"], json!(worker.person()));
    assert_eq!(scanned["already_present"], false);
    gate.finalise(activity.session).await.ok(200);
    assert!(app.run_jobs().await > 0, "the sign-up leaves a message for the inbox");
    assert_eq!(worker.get("/api/v1/me/notices").await.ok(200)["unread"], 1);
    let after = figure(&planner.get("/api/v1/plans/2025/progress").await.ok(200));
    assert!(after > before, "the plan counts who was there: {before} and then {after}");
    app.anon().get("/api/v1/me").await.problem(401, "unauthenticated");
}

/// All figures of a plan, added up.
fn figure(progress: &serde_json::Value) -> i64 {
    progress["targets"].as_array().unwrap().iter().map(|target| target["value"].as_i64().unwrap()).sum()
}
