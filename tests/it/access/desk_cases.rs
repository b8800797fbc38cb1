//! Valid requests for the operations of the desk.

use chrono::TimeDelta;
use serde_json::json;

use super::cases::{Call, Stage, get, post};
use super::staff_of;
use crate::harness::Actor;
use crate::reviews;
use crate::reviews::steps::{Request, UNSTAFFED, request, request_of};

impl Stage {
    /// A request of somebody new, before the district.
    async fn request(&self) -> Request {
        request(&self.app, &self.organiser.fresh_key(), None).await
    }

    /// A request of `someone`; of nobody, somebody else's. Staff apply like everybody else.
    async fn request_of(&self, someone: &Actor) -> Request {
        if someone.token.is_none() {
            return self.request().await;
        }
        request_of(&self.app, someone.clone()).await
    }

    /// A request of `someone` that another officer of the district has decided with `body`.
    async fn decided(&self, someone: &Actor, body: serde_json::Value) -> Request {
        let request = self.request_of(someone).await;
        let officer = staff_of(&self.app, &self.organiser.fresh_key(), "reviewer", "longgang").await;
        request.decide(&officer, body).await.ok(200);
        request
    }

    /// A leave that the sub-district asks for.
    async fn leave(&self) -> String {
        let street = self.app.staff("reviewer-pinghu").await;
        let request = request(&self.app, &self.organiser.fresh_key(), Some(UNSTAFFED)).await;
        request.go_round(&street).await;
        let body = json!({ "reason": "补交的报告缺最后一页" });
        let leave = street.post(&request.at("/leaves"), body).await.ok(201);
        leave["id"].as_str().unwrap().to_owned()
    }

    /// A delegation of the district's desk.
    async fn delegation(&self) -> serde_json::Value {
        json!({
            "to_id": self.app.staff("reviewer-pinghu").await.person(), "reason": "外出培训",
            "organisation_id": self.app.organisation("longgang").await,
            "from_at": self.app.now(), "until_at": self.app.now() + TimeDelta::days(2),
        })
    }
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    Some(match operation {
        "review_leave_ask" => {
            let request = stage.request().await;
            request.go_round(&stage.app.staff("reviewer").await).await;
            post(request.at("/leaves"), json!({ "reason": "补交的报告缺最后一页" }))
        }
        "review_leave_list" => get("/api/v1/review-leaves"),
        "review_leave_decide" => {
            let leave = stage.leave().await;
            post(format!("/api/v1/review-leaves/{leave}/decisions"), json!({ "decision": "grant" }))
        }
        "review_delegation_create" => post("/api/v1/review-delegations", stage.delegation().await),
        "review_delegation_list" => get("/api/v1/review-delegations"),
        "review_delegation_revoke" => {
            let giver = stage.app.staff("reviewer").await;
            let made = giver.post("/api/v1/review-delegations", stage.delegation().await).await.ok(201);
            let id = made["id"].as_str().unwrap();
            post(format!("/api/v1/review-delegations/{id}/revocations"), json!({}))
        }
        "review_recuse" => post(stage.request().await.at("/recusals"), json!({ "ground": "interest" })),
        "my_tie_declare" => {
            let kin = stage.app.worker(&someone.fresh_key()).await.person();
            post("/api/v1/me/ties", json!({ "kin_id": kin }))
        }
        "my_tie_list" => get("/api/v1/me/ties"),
        "my_tie_end" => {
            let kin = stage.app.worker(&someone.fresh_key()).await.person();
            let tie = someone.post("/api/v1/me/ties", json!({ "kin_id": kin })).await.ok(201);
            post(format!("/api/v1/me/ties/{}/endings", tie["id"].as_str().unwrap()), json!({}))
        }
        "review_queue" => get("/api/v1/reviews"),
        "review_counts" => get("/api/v1/review-counts"),
        "review_reasons" => get("/api/v1/review-reasons?kind=signup&decision=reject"),
        "review_get" => get(stage.request().await.at("")),
        "review_read" => post(stage.request().await.at("/readings"), json!({})),
        "review_claim" => post(stage.request().await.at("/claims"), json!({})),
        "review_assign" => {
            let officer = stage.app.staff("reviewer").await.person();
            post(stage.request().await.at("/assignments"), json!({ "person_id": officer }))
        }
        "review_decide" => {
            let request = stage.request().await;
            let etag = stage.app.staff("reviewer").await.get(&request.at("")).await.etag();
            post(request.at("/decisions"), reviews::approve()).matching(etag)
        }
        "review_decide_many" => {
            let item = json!({ "review_id": stage.request().await.id, "version": 1, "decision": "approve" });
            post("/api/v1/review-decisions", json!({ "items": [item] }))
        }
        "my_review_list" => get("/api/v1/me/reviews"),
        "my_review_get" => get(stage.request_of(someone).await.own("")),
        "my_review_supplement" => {
            let request = stage.decided(someone, reviews::give_back(&["health"])).await;
            post(request.own("/supplements"), json!({ "form": { "health": "yes" } }))
        }
        "my_review_withdraw" => post(stage.request_of(someone).await.own("/withdrawals"), json!({})),
        "my_review_appeal" => {
            let request = stage.decided(someone, reviews::reject()).await;
            post(request.own("/appeals"), json!({ "text": "本人2024年未参加过疗休养。" }))
        }
        "my_review_message_list" => get(stage.request_of(someone).await.own("/messages")),
        "my_review_message_send" => {
            post(stage.request_of(someone).await.own("/messages"), json!({ "text": "请问要盖章吗" }))
        }
        "review_message_list" => get(stage.request().await.at("/messages")),
        "review_message_send" => post(stage.request().await.at("/messages"), json!({ "text": "需要盖章" })),
        _ => return super::visits_cases::case(stage, operation, someone).await,
    })
}
