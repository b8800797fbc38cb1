//! Valid requests for the operations on memberships.

use serde_json::json;

use super::cases::{Call, Stage, get, post};
use crate::harness::Actor;
use crate::membership;

/// Gives up the claim that somebody may have left from another case.
async fn unclaimed(who: &Actor) {
    let mine = who.get("/api/v1/me/memberships").await.ok(200);
    for one in mine["items"].as_array().unwrap().iter().filter(|one| one["state"] == "claimed") {
        let review = one["review_id"].as_str().unwrap();
        who.post(&format!("/api/v1/me/reviews/{review}/withdrawals"), json!({})).await.ok(200);
    }
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    Some(match operation {
        "membership_form_get" => get("/api/v1/membership-form"),
        "membership_claim" => {
            unclaimed(someone).await;
            post("/api/v1/me/membership-claims", membership::claim(app, "demo-enterprise-pinghu-2").await)
        }
        "my_membership_list" => get("/api/v1/me/memberships"),
        "my_membership_get" => {
            unclaimed(someone).await;
            let body = membership::claim(app, "demo-enterprise-pinghu-2").await;
            let made = someone.post("/api/v1/me/membership-claims", body).await.ok(201);
            get(format!("/api/v1/me/memberships/{}", made["id"].as_str().unwrap()))
        }
        "membership_list" => get("/api/v1/memberships?state=verified"),
        "membership_end" => {
            let person = app.worker(&stage.organiser.fresh_key()).await.person();
            let id = membership::verified(app, person, "demo-enterprise-pinghu-2").await;
            post(format!("/api/v1/memberships/{id}/endings"), json!({ "reason": "left" }))
        }
        _ => return super::merging_cases::case(stage, operation, someone).await,
    })
}
