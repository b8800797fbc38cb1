//! Valid requests for the operations on work injuries and visits.

use serde_json::json;

use super::cases::{Call, Stage, get, post, sent};
use crate::harness::Actor;
use crate::visits::{injured, list, patient};

/// A number that no other case has given.
fn fresh_phone(actor: &Actor) -> String {
    let digits: String =
        actor.fresh_key().chars().filter_map(|c| c.to_digit(16)).map(|d| (d % 10).to_string()).collect();
    format!("139{}", &digits[..8])
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    let phone = fresh_phone(&stage.organiser);
    if operation == "injury_import" {
        let path = format!("/api/v1/injury-imports?organisation={}", stage.organisation);
        return Some(sent(&path, "text/csv", list(&[patient("张三丰", &phone)]).into()));
    }
    Some(match operation {
        "my_injury_list" => get("/api/v1/me/injuries"),
        "injury_list" => get("/api/v1/injuries?urgency=amber"),
        "visit_topic_list" => get("/api/v1/visit-topics"),
        "injury_get" | "injury_reveal" | "injury_application_record" | "visit_create" | "visit_undo" => {
            let id = injured(app, "street-pinghu", "张三丰", &phone).await;
            let at = |what: &str| format!("/api/v1/injuries/{id}{what}");
            let visit = json!({ "visited_on": "2025-06-16" });
            match operation {
                "injury_get" => get(at("")),
                "injury_reveal" => post(at("/reveals"), json!({ "purpose": "前往探视" })),
                "injury_application_record" => {
                    let application = json!({ "on": "2025-06-16", "by": "employer" });
                    post(at("/applications"), json!({ "application": application }))
                }
                "visit_create" => post(at("/visits"), visit),
                _ => {
                    let made = stage.organiser.post(&at("/visits"), visit).await.ok(200);
                    let path = format!("/api/v1/visits/{}/undoings", made["id"].as_str().unwrap());
                    post(path, json!({ "reason": "登记错误" }))
                }
            }
        }
        _ => return super::closing_cases::case(stage, operation, someone).await,
    })
}
