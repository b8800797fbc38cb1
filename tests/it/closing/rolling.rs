//! The next year's plan begins as a copy; the old one stays as it is.

use serde_json::{Value, json};
use unionhall::error::Code;
use unionhall::plan::rolling::{Rolled, roll_in_tx};
use unionhall::plan::verify::verify;

use super::{JUNE, came_late, close_june, held, restate_june};
use crate::harness::{Test, TestApp};
use crate::headcounts::values;

pub const TESTS: &[Test] = tests![a_plan_is_rolled_once_and_the_old_one_is_restated_all_the_same];

async fn a_plan_is_rolled_once_and_the_old_one_is_restated_all_the_same(app: TestApp) {
    let made = held(&app, &["zhang"]).await;
    close_june(&app).await;
    came_late(&app, made.session, "li").await;
    let (ids, now) = (app.ids().clone(), app.now());
    let roll = |from: i64, to: i64| {
        let ids = ids.clone();
        app.db().write(move |conn| roll_in_tx(conn, &ids, now, from, to))
    };
    assert_eq!(roll(2024, 2026).await.unwrap_err().code(), Code::NotFound);
    let rolled: Rolled = roll(2025, 2026).await.unwrap();
    assert!(
        rolled.items > 20 && rolled.targets == 46 && rolled.rules > 20 && rolled.milestones > 5,
        "{rolled:?}"
    );
    assert_eq!(roll(2025, 2026).await.unwrap_err().code(), Code::PlanThere);
    assert_eq!(roll(2025, 2025).await.unwrap_err().code(), Code::PlanThere);
    let planner = app.staff("planner").await;
    let new = planner.get("/api/v1/plans/2026").await.ok(200);
    assert_eq!(
        (new["starts_on"].as_str(), new["counts_until"].as_str()),
        (Some("2026-01-01"), Some("2026-12-31"))
    );
    assert!(new["title"].as_str().unwrap().contains("2026"), "{}", new["title"]);
    let words = |plan: &Value| {
        plan["items"].as_array().unwrap().iter().map(|item| item["text"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(words(&new), words(&planner.get("/api/v1/plans/2025").await.ok(200)));
    let progress = planner.get("/api/v1/plans/2026/progress").await.ok(200);
    assert!(progress["targets"].as_array().unwrap().iter().all(|target| target["value"] == 0));
    let open = planner.get("/api/v1/plans/2026/periods").await.ok(200);
    assert!(open["items"].as_array().unwrap().iter().all(|period| period["state"] == "open"));
    let promised = planner.get("/api/v1/plans/2026/milestones").await.ok(200);
    let promised = promised["items"].as_array().unwrap();
    assert!(
        promised
            .iter()
            .all(|one| one["due_on"].as_str().unwrap().starts_with("2026") && one["reached"] == json!(false))
    );
    restate_june(&app, true).await;
    assert_eq!(values(&app, "07b").await, [2]);
    assert_eq!(planner.get(JUNE).await.ok(200)["state"], "hard");
    assert_eq!(app.read(|conn| verify(conn, |_| ())).await.differences, []);
}
