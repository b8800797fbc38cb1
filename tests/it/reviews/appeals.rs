//! Appeals: to another body or another person, once, in time.

use chrono::TimeDelta;
use serde_json::{Value, json};
use unionhall::review::model::ReviewState;

use super::steps::{Request, STAFFED};
use super::{Facts, Officers, asked, reject};
use crate::access::staff_of;
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_rejection_is_appealed_to_the_body_above,
    an_appeal_has_its_time,
    an_appeal_that_is_rejected_changes_nothing,
];

/// An appeal against what was rejected.
pub async fn appealed(request: &Request) -> Request {
    let body = json!({ "text": "本人2024年未参加过疗休养，记录有误。" });
    let made = request.worker.post(&request.own("/appeals"), body).await.ok(201);
    Request {
        worker: request.worker.clone(),
        id: made["id"].as_str().unwrap().to_owned(),
        signup: request.signup.clone(),
        answers: request.answers.clone(),
    }
}

async fn a_rejection_is_appealed_to_the_body_above(app: TestApp) {
    let officers = Officers::of(&app).await;
    // Decides at the unit, and could at the sub-district.
    let both = staff_of(&app, "both", "reviewer", STAFFED).await;
    let street = app.organisation("street-pinghu").await;
    let body = json!({ "person_id": both.person(), "role": "reviewer", "organisation_id": street });
    app.staff("admin").await.post("/api/v1/staff-grants", body).await.ok(201);
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.decide(&both, reject()).await.ok(200);
    assert_eq!(zhang.signup_state().await, "cancelled");
    let own = zhang.worker.get(&zhang.own("")).await.ok(200);
    assert_eq!(own["appeal_until"], "2025-06-26T16:00:00Z");
    let appeal = appealed(&zhang).await;
    assert_eq!(appeal.open_at().await, ["平湖街道"]);
    let view = appeal.worker.get(&appeal.own("")).await.ok(200);
    assert_eq!((&view["appeal_of"], &view["stages"][0]["name"]), (&json!(zhang.id), &json!("申诉复核")));
    assert_eq!(view["form"], zhang.answers);
    // Once, and not against an appeal.
    let body = json!({ "text": "再次申诉" });
    zhang.worker.post(&zhang.own("/appeals"), body.clone()).await.problem(409, "review_appeal_over");
    appeal.approve(&both).await.problem(409, "second_officer_required");
    officers.unit.get(&appeal.at("")).await.problem(404, "not_found");
    appeal.approve(&officers.street).await.ok(200);
    assert_eq!(zhang.signup_state().await, "confirmed");
    appeal.worker.post(&appeal.own("/appeals"), body).await.problem(409, "review_appeal_over");
    let before = Facts::of(&app, &zhang.id).await;
    assert_eq!(before.review.state, ReviewState::Rejected, "what was decided first stays as it was decided");
    app.run_jobs().await;
}

async fn an_appeal_has_its_time(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let (mut zhang, mut li) = (asked(&app, "zhang", json!({})).await, asked(&app, "li", json!({})).await);
    for request in [&zhang, &li] {
        request.decide(&officers.unit, reject()).await.ok(200);
    }
    // Ten days, the last of which is Thursday the 26th.
    app.clock().set("2025-06-26T15:59:59Z".parse().unwrap());
    zhang.worker.log_in().await;
    appealed(&zhang).await;
    app.advance(TimeDelta::seconds(1));
    li.worker.log_in().await;
    let body = json!({ "text": "太晚了" });
    li.worker.post(&li.own("/appeals"), body).await.problem(409, "review_appeal_over");
    assert_eq!(li.worker.get(&li.own("")).await.ok(200)["appeal_until"], Value::Null);
    officers.log_in().await;
    app.run_jobs().await;
}

async fn an_appeal_that_is_rejected_changes_nothing(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.approve(&officers.unit).await.ok(200);
    zhang.approve(&officers.street).await.ok(200);
    zhang.decide(&officers.district, reject()).await.ok(200);
    let before = Facts::of(&app, &zhang.id).await.text();
    let signup = zhang.worker.get(&format!("/api/v1/signups/{}", zhang.signup)).await.ok(200);
    // Nobody is above the district: one of its own decides, but not the same.
    let appeal = appealed(&zhang).await;
    assert_eq!(appeal.open_at().await, ["区总工会"]);
    appeal.approve(&officers.district).await.problem(409, "second_officer_required");
    let second = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    appeal.decide(&second, reject()).await.ok(200);
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), before);
    let after = zhang.worker.get(&format!("/api/v1/signups/{}", zhang.signup)).await.ok(200);
    assert_eq!((&after["state"], &after["ended_because"]), (&signup["state"], &signup["ended_because"]));
    let own = appeal.worker.get(&appeal.own("")).await.ok(200);
    assert_eq!((&own["state"], &own["appeal_until"]), (&json!("rejected"), &Value::Null));
    app.run_jobs().await;
}
