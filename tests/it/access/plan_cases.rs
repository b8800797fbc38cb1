//! Valid requests for the operations on reported figures, divided targets and progress.

use serde_json::json;

use super::cases::{Call, Stage, get, post};
use super::grant;
use crate::figures::{evidence, report, shares, text};
use crate::harness::Actor;

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    let target = |code: &str, what: &str| format!("/api/v1/plans/2025/targets/{code}/{what}");
    Some(match operation {
        "item_progress" => get("/api/v1/plans/2025/items/7/progress?as_of=2025-06-01T00:00:00Z"),
        "target_ranking" => get(target("07b", "ranking")),
        "plan_report_create" => {
            let body = json!({
                "unit_id": app.organisation("longgang").await, "month": "2025-06", "value": 1, "note": "名单见附件",
                "evidence": [evidence(someone).await],
            });
            post(target("09a", "reports"), body)
        }
        "plan_report_list" => get(target("09a", "reports")),
        "plan_report_get" => {
            let made =
                report(&app.staff("planner").await, "09a", "street-pinghu", json!({ "value": 1 })).await;
            get(format!("/api/v1/plan-reports/{}", text(&made.ok(201), "id")))
        }
        "cascade_list" => get(target("07b", "cascades")),
        "cascade_create" => {
            post(target("07a", "cascades"), json!({ "shares": shares(app, 20).await, "reason": "重新分解" }))
        }
        "cascade_get" | "cascade_answer" => {
            // Nobody answers what they proposed.
            let planner = app.staff(if someone.name == "planner" { "admin" } else { "planner" }).await;
            let body = json!({ "shares": shares(app, 1000).await, "reason": "重新分解" });
            let made = planner.post(&target("07b", "cascades"), body).await.ok(201);
            let path = format!("/api/v1/plan-cascades/{}", text(&made, "id"));
            if operation == "cascade_get" {
                return Some(get(path));
            }
            // The district does not agree for a sub-district: whoever answers is an officer of it.
            let street = "street-yuanshan";
            match someone.name.as_str() {
                "planner" => drop(grant(app, someone.person(), "plan_officer", street).await),
                "admin" => drop(grant(app, someone.person(), "admin", street).await),
                _ => {}
            }
            let answer = json!({ "organisation_id": app.organisation(street).await, "answer": "agreed" });
            post(format!("{path}/answers"), answer)
        }
        _ => return super::legal_cases::case(stage, operation, someone).await,
    })
}
