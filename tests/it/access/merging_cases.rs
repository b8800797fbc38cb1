//! Valid requests for the operations on merges.

use serde_json::json;

use super::cases::{Call, Stage, get, post};
use crate::harness::Actor;

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    let is_here = operation.starts_with("person_merge") || operation.starts_with("person_part");
    if !is_here && operation != "person_alike_list" {
        return super::desk_cases::case(stage, operation, someone).await;
    }
    let name = |what: &str| format!("{what}-{}", stage.organiser.fresh_key());
    let (kept, merged) =
        (app.worker(&name("kept")).await.person(), app.worker(&name("merged")).await.person());
    let people = format!("/api/v1/people/{kept}");
    let body = json!({ "merged_id": merged, "reason": "同一职工" });
    match operation {
        "person_alike_list" => return Some(get(format!("{people}/alike"))),
        "person_merge_create" => return Some(post(format!("{people}/merges"), body)),
        "person_merge_list" => return Some(get(format!("/api/v1/merges?person={kept}"))),
        _ => {}
    }
    let proposer = super::staff_of(app, &name("admin"), "admin", "longgang").await;
    let made = proposer.post(&format!("{people}/merges"), body).await.ok(201);
    let path = format!("/api/v1/merges/{}", made["id"].as_str().unwrap());
    Some(match operation {
        "person_merge_get" => get(path),
        "person_merge_decide" => post(format!("{path}/decisions"), json!({ "agree": true })),
        "person_parting_create" => {
            let agree = json!({ "agree": true });
            app.staff("admin").await.post(&format!("{path}/decisions"), agree).await.ok(200);
            post(format!("{path}/partings"), json!({ "reason": "两名职工" }))
        }
        _ => return None,
    })
}
