//! Valid requests for the operations on scarce places.

use serde_json::{Value, json};

use super::cases::{Call, Stage, get, post, put};
use crate::harness::Actor;
use crate::harness::factory::Made;

impl Stage {
    /// An activity whose one place is taken, with somebody who has it.
    async fn full_activity(&self) -> (Made, Actor, Value) {
        let wanted = |a| crate::places::next_week(a).capacity(1).set("waiting_list", json!("strict"));
        let activity = self.app.activity_by(&self.organiser, wanted).await;
        let holder = self.app.worker(&self.organiser.fresh_key()).await;
        let signup = holder.sign_up(&activity).await.ok(201);
        (activity, holder, signup)
    }

    /// Somebody's sign-up that waits.
    async fn waiting(&self, who: &Actor) -> String {
        let (activity, ..) = self.full_activity().await;
        waits(who, &activity).await
    }

    async fn party(&self, who: &Actor) -> (String, String) {
        let (activity, ..) = self.full_activity().await;
        let leader = self.app.worker(&self.organiser.fresh_key()).await;
        let first = waits(&leader, &activity).await;
        let party = leader.post(&format!("/api/v1/signups/{first}/parties"), json!({})).await.ok(201);
        (waits(who, &activity).await, party["code"].as_str().unwrap().to_owned())
    }

    async fn split_activity(&self) -> (Made, Vec<Value>) {
        let activity = self.app.activity_by(&self.organiser, crate::places::next_week).await;
        let path = format!("/api/v1/managed-activities/{}", activity.id);
        let etag = self.organiser.get(&path).await.etag();
        let list = self.organiser.put(&format!("{path}/quotas"), &etag, self.quotas().await).await.ok(200);
        (activity, list["items"].as_array().unwrap().clone())
    }

    async fn quotas(&self) -> Value {
        let other = self.app.organisation("street-pingdi").await;
        json!({ "quotas": [
            { "kind": "street", "organisation_id": self.organisation, "capacity": 2 },
            { "kind": "street", "organisation_id": other, "capacity": 2 },
        ] })
    }

    async fn transfer(&self) -> (Made, String) {
        let (activity, quotas) = self.split_activity().await;
        let body = json!({ "from": quotas[0]["id"], "to": quotas[1]["id"], "places": 1, "reason": "调剂" });
        let path = format!("/api/v1/activities/{}/quota-transfers", activity.id);
        let offered = self.organiser.post(&path, body).await.ok(201);
        (activity, offered["id"].as_str().unwrap().to_owned())
    }

    /// A move that somebody else than `decider` proposed.
    async fn waiting_move(&self, decider: &Actor) -> String {
        let waits = self.waiting(&self.app.worker(&self.organiser.fresh_key()).await).await;
        let admin = self.app.staff("admin").await;
        let proposer = if decider.name == self.organiser.name { &admin } else { &self.organiser };
        let proposed =
            proposer.post(&format!("/api/v1/signups/{waits}/waiting-moves"), moved()).await.ok(201);
        format!("/api/v1/waiting-moves/{}", proposed["id"].as_str().unwrap())
    }
}

async fn waits(who: &Actor, activity: &Made) -> String {
    let signup = who.sign_up(activity).await.ok(201);
    assert_eq!(signup["state"], "waiting");
    signup["id"].as_str().unwrap().to_owned()
}

fn moved() -> Value {
    json!({ "priority": 1, "reason": "mistake", "note": "更正" })
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let published = stage.activity.id;
    Some(match operation {
        "signup_accept" => {
            let (activity, holder, taken) = stage.full_activity().await;
            let signup = waits(someone, &activity).await;
            crate::places::cancel(&holder, &taken).await;
            post(format!("/api/v1/signups/{signup}/acceptances"), json!({}))
        }
        "party_create" => {
            post(format!("/api/v1/signups/{}/parties", stage.waiting(someone).await), json!({}))
        }
        "party_join" => {
            let (signup, code) = stage.party(someone).await;
            post(format!("/api/v1/signups/{signup}/party-memberships"), json!({ "code": code }))
        }
        "party_get" => {
            let signup = stage.waiting(someone).await;
            someone.post(&format!("/api/v1/signups/{signup}/parties"), json!({})).await.ok(201);
            get(format!("/api/v1/signups/{signup}/party"))
        }
        "waiting_list" => get(format!("/api/v1/activities/{published}/waiting-list")),
        "waiting_move_create" => {
            let waits = stage.waiting(&stage.app.worker(&someone.fresh_key()).await).await;
            post(format!("/api/v1/signups/{waits}/waiting-moves"), moved())
        }
        "waiting_move_get" => get(stage.waiting_move(someone).await),
        "waiting_move_decide" => {
            post(format!("{}/decisions", stage.waiting_move(someone).await), json!({ "approve": true }))
        }
        "fair_draw_get" | "fair_draw_entries" => {
            let wanted = |a| crate::places::next_week(a).set("fair_minutes", json!(5));
            let activity = stage.app.activity_by(&stage.organiser, wanted).await;
            // Sign-up has been open for a day: whoever comes first finds the shuffle due.
            stage.app.worker(&someone.fresh_key()).await.sign_up(&activity).await.ok(201);
            let draw = format!("/api/v1/activities/{}/fair-draw", activity.id);
            get(if operation == "fair_draw_get" { draw } else { format!("{draw}/entries") })
        }
        "quota_list" => get(format!("/api/v1/activities/{published}/quotas")),
        "quota_set" => {
            let activity = stage.app.activity_by(&stage.organiser, crate::places::next_week).await;
            let path = format!("/api/v1/managed-activities/{}", activity.id);
            let etag = stage.organiser.get(&path).await.etag();
            put(format!("{path}/quotas"), etag, stage.quotas().await)
        }
        "quota_transfer_create" => {
            let (activity, quotas) = stage.split_activity().await;
            let body =
                json!({ "from": quotas[0]["id"], "to": quotas[1]["id"], "places": 1, "reason": "调剂" });
            post(format!("/api/v1/activities/{}/quota-transfers", activity.id), body)
        }
        "quota_transfer_answer" => {
            let (_, offered) = stage.transfer().await;
            post(format!("/api/v1/quota-transfers/{offered}/answers"), json!({ "answer": "accept" }))
        }
        "quota_move_list" => get(format!("/api/v1/activities/{published}/quota-moves")),
        _ => return super::door_cases::case(stage, operation, someone).await,
    })
}
