//! Reported figures and divided targets: what counts, who signs, and what is shown of it.

pub mod cascade;
pub mod reports;

use serde_json::{Value, json};

use crate::access::staff_of;
use crate::harness::{Actor, Reply, TestApp};
pub use crate::headcounts::{approve, decide, text};

/// The sub-districts, by code.
pub const STREETS: [&str; 11] = [
    "street-bantian",
    "street-baolong",
    "street-buji",
    "street-henggang",
    "street-jihua",
    "street-longcheng",
    "street-longgang",
    "street-nanwan",
    "street-pingdi",
    "street-pinghu",
    "street-yuanshan",
];

/// The id of a paper that shows a figure.
pub async fn evidence(actor: &Actor) -> String {
    // Nobody has no papers: the guard refuses before it matters.
    if actor.token.is_none() {
        return "fil_01k5b8m3q2e9t8h6y1v7z4w0xn".into();
    }
    crate::headcounts::fresh_picture(actor).await
}

/// Reports a figure of June for a unit, with a paper; `figure` is the rest of the body.
pub async fn report(actor: &Actor, code: &str, unit: &str, figure: Value) -> Reply {
    let mut body = json!({ "month": "2025-06", "note": "名单见附件", "evidence": [evidence(actor).await] });
    body["unit_id"] = json!(actor.app().organisation(unit).await);
    body.as_object_mut().unwrap().extend(figure.as_object().unwrap().clone());
    report_as(actor, code, body).await
}

pub async fn report_as(actor: &Actor, code: &str, body: Value) -> Reply {
    actor.post(&format!("/api/v1/plans/2025/targets/{code}/reports"), body).await
}

/// A reviewer of a department.
pub async fn signer(app: &TestApp, department: &str) -> Actor {
    staff_of(app, &format!("signer-{department}"), "reviewer", department).await
}

/// How far a target is, as the district's planner sees it.
pub async fn target(app: &TestApp, code: &str, more: &str) -> Value {
    let path = format!("/api/v1/plans/2025/progress?targets={code}{more}");
    app.staff("planner").await.get(&path).await.ok(200)["targets"][0].clone()
}

/// Value and standing.
pub async fn stands(app: &TestApp, code: &str) -> (i64, String) {
    let target = target(app, code, "").await;
    (target["value"].as_i64().unwrap(), text(&target, "standing"))
}

/// The same share for every sub-district.
pub async fn shares(app: &TestApp, value: i64) -> Value {
    let mut shares = Vec::new();
    for street in STREETS {
        shares.push(json!({ "organisation_id": app.organisation(street).await, "value": value }));
    }
    json!(shares)
}
