//! Valid requests for the operations on who knows of a case, on what is said about it, and on consultations.

use serde_json::json;
use unionhall::ids::CaseId;
use unionhall::legal_aid::model::TeamRole;

use super::cases::{Call, Stage, get, post};
use crate::harness::Actor;
use crate::legal::planting::{join, planted};

/// A case of the stage's guest.
async fn foreign(stage: &Stage) -> CaseId {
    planted(&stage.app, stage.guest.person(), "street-pinghu", |case| case).await.id
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    let consultation = json!({
        "organisation_id": stage.organisation, "held_on": "2025-06-16", "way": "phone", "category": "rights"
    });
    let reason = json!({ "reason": "team_away", "text": "承办人因病住院，事项紧急" });
    Some(match operation {
        "my_legal_message_list" | "my_legal_message_send" => {
            let person = if someone.token.is_some() { someone.person() } else { stage.guest.person() };
            let id = planted(app, person, "street-pinghu", |case| case).await.id;
            let path = format!("/api/v1/me/legal-requests/{id}/messages");
            if operation == "my_legal_message_list" {
                get(path)
            } else {
                post(path, json!({ "text": "请问还缺什么？" }))
            }
        }
        "legal_message_list" | "legal_message_send" => {
            let id = foreign(stage).await;
            if someone.token.is_some() {
                join(app, id, someone.person(), TeamRole::Handler).await;
            }
            let path = format!("/api/v1/legal-cases/{id}/messages");
            if operation == "legal_message_list" {
                get(path)
            } else {
                post(path, json!({ "text": "请补充工资条" }))
            }
        }
        "legal_glass_open" => {
            let mut body = reason;
            body["case_id"] = json!(foreign(stage).await);
            post("/api/v1/legal-glass", body)
        }
        "legal_glass_list" => get("/api/v1/legal-glass"),
        "legal_glass_get" | "legal_glass_close" => {
            let opener = match someone.name.as_str() {
                "legal" | "legal-lead" if operation == "legal_glass_close" => someone.clone(),
                _ => app.staff("legal-lead").await,
            };
            let mut body = reason;
            body["case_id"] = json!(foreign(stage).await);
            let made = opener.post("/api/v1/legal-glass", body).await.ok(201);
            let path = format!("/api/v1/legal-glass/{}", made["id"].as_str().unwrap());
            if operation == "legal_glass_get" {
                get(path)
            } else {
                post(format!("{path}/endings"), json!({}))
            }
        }
        "legal_consultation_record" => post("/api/v1/legal-consultations", consultation),
        "legal_consultation_list" => get("/api/v1/legal-consultations"),
        "legal_consultation_undo" => {
            let recorder = match someone.name.as_str() {
                "legal" | "legal-lead" => someone.clone(),
                _ => app.staff("legal").await,
            };
            let made = recorder.post("/api/v1/legal-consultations", consultation).await.ok(201);
            post(format!("/api/v1/legal-consultations/{}/undoings", made["id"].as_str().unwrap()), json!({}))
        }
        "legal_consultation_counts" => get("/api/v1/legal-consultation-counts?from=2025-06-01&to=2025-06-30"),
        _ => return None,
    })
}
