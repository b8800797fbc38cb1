//! Valid requests for the operations of whoever asks for legal aid.

use serde_json::json;
use unionhall::ids::FileId;
use unionhall::legal_aid::model::{Case, CaseState};

use super::cases::{Call, Stage, get, post};
use crate::files;
use crate::files::samples;
use crate::harness::Actor;
use crate::legal::dsl::{REQUESTS, input};
use crate::legal::planting::planted;

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let state = match operation {
        "legal_form_get" => return Some(get("/api/v1/legal-aid-form".to_owned())),
        "my_legal_request_create" => return Some(post(REQUESTS.to_owned(), input())),
        "my_legal_request_list" => return Some(get(REQUESTS.to_owned())),
        "my_legal_request_supply" => CaseState::Supplement,
        "my_legal_request_get" | "my_legal_evidence_add" | "my_legal_request_withdraw" => CaseState::Received,
        _ => return None,
    };
    let owner = if someone.token.is_some() { someone } else { &stage.guest };
    let made = planted(&stage.app, owner.person(), "street-pinghu", |case| Case { state, ..case }).await;
    let path = format!("{REQUESTS}/{}", made.id);
    Some(match operation {
        "my_legal_request_get" => get(path),
        "my_legal_request_supply" => post(format!("{path}/supplements"), json!({ "text": "补充劳动合同" })),
        "my_legal_request_withdraw" => post(format!("{path}/withdrawals"), json!({})),
        _ => post(format!("{path}/evidence"), json!({ "files": [uploaded(owner).await] })),
    })
}

/// A picture that `owner` has uploaded.
async fn uploaded(owner: &Actor) -> FileId {
    let made = files::send(owner, "evidence", "a.png", &samples::png(2, 2)).await.ok(201);
    made["id"].as_str().unwrap().parse().unwrap()
}
