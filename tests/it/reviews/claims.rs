//! Who works at a request: claims, which lapse, and assignments, which do not.

use chrono::TimeDelta;
use serde_json::json;
use unionhall::review::model::EventKind;

use super::steps::{STAFFED, audited, told};
use super::{Facts, Officers, approve, asked, come_round, give_back, reject};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_claim_keeps_others_away_for_hours,
    a_claim_is_over_at_its_hour_whoever_comes_round,
    an_assignment_does_not_lapse,
    who_may_assign,
];

async fn a_claim_keeps_others_away_for_hours(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut second = staff_of(&app, "unit-2", "reviewer", STAFFED).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let claims = zhang.at("/claims");
    officers.district.post(&claims, json!({})).await.problem(403, "review_not_yours");
    let etag = officers.unit.get(&zhang.at("")).await.etag();
    officers.unit.post(&claims, json!({})).await.ok(200);
    assert_eq!(officers.unit.get(&zhang.at("")).await.etag(), etag, "a claim changes nothing of the request");
    second.post(&claims, json!({})).await.problem(409, "review_claimed");
    for body in [approve(), reject(), give_back(&["health"])] {
        zhang.decide(&second, body).await.problem(409, "review_claimed");
    }
    let queue = |of: &Actor, rest: &'static str| {
        let of = of.clone();
        async move { of.get(&format!("/api/v1/reviews?{rest}")).await.ok(200)["items"].as_array().unwrap().len() }
    };
    assert_eq!(queue(&officers.unit, "claimed=mine").await, 1);
    assert_eq!(queue(&second, "claimed=nobody").await, 0);

    // `review.claim_hours` is four. One's own claim may be made again meanwhile.
    app.advance(TimeDelta::hours(3));
    officers.log_in().await;
    second.log_in().await;
    officers.unit.post(&claims, json!({})).await.ok(200);
    app.advance(TimeDelta::hours(4) - TimeDelta::seconds(1));
    second.log_in().await;
    second.post(&claims, json!({})).await.problem(409, "review_claimed");
    app.advance(TimeDelta::seconds(1));
    come_round(&app).await;
    officers.log_in().await;
    assert_eq!(queue(&officers.unit, "claimed=mine").await, 0, "it is nobody's again");
    assert_eq!(queue(&second, "claimed=nobody").await, 1);
    second.post(&claims, json!({})).await.ok(200);
    zhang.decide(&officers.unit, approve()).await.problem(409, "review_claimed");
    zhang.approve(&second).await.ok(200);
    app.run_jobs().await;
}

async fn a_claim_is_over_at_its_hour_whoever_comes_round(app: TestApp) {
    let officers = Officers::of(&app).await;
    let mut second = staff_of(&app, "unit-2", "reviewer", STAFFED).await;
    let (zhang, li) = (asked(&app, "zhang", json!({})).await, asked(&app, "li", json!({})).await);
    for request in [&zhang, &li] {
        officers.unit.post(&request.at("/claims"), json!({})).await.ok(200);
    }
    app.advance(TimeDelta::hours(4) - TimeDelta::seconds(1));
    second.log_in().await;
    zhang.approve(&second).await.problem(409, "review_claimed");
    app.advance(TimeDelta::seconds(1));
    // The queue says so a minute later; the claim binds nobody from now on.
    zhang.approve(&second).await.ok(200);
    second.post(&li.at("/claims"), json!({})).await.ok(200);
    app.run_jobs().await;
}

async fn an_assignment_does_not_lapse(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut second = staff_of(&app, "unit-2", "reviewer", STAFFED).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    officers.unit.post(&zhang.at("/claims"), json!({})).await.ok(200);
    let to = |who: &Actor| json!({ "person_id": who.person() });
    // A superior gives it to somebody else, also while it is claimed.
    officers.street.post(&zhang.at("/assignments"), to(&second)).await.ok(200);
    assert_eq!(told(&app, &second, "review_assigned").await.len(), 1);
    app.advance(TimeDelta::hours(30));
    come_round(&app).await;
    officers.log_in().await;
    second.log_in().await;
    zhang.approve(&officers.unit).await.problem(409, "review_claimed");
    officers.unit.post(&zhang.at("/claims"), json!({})).await.problem(409, "review_claimed");
    let entries = audited(&app, "review.assign").await;
    assert_eq!((entries.len(), &entries[0].2["to"]), (1, &json!(second.person())));
    zhang.approve(&second).await.ok(200);
    assert_eq!(Facts::of(&app, &zhang.id).await.count(EventKind::Assigned), 1);
    app.run_jobs().await;
}

async fn who_may_assign(app: TestApp) {
    let officers = Officers::of(&app).await;
    let street = staff_of(&app, "street-2", "reviewer", "street-pinghu").await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let (path, to) = (zhang.at("/assignments"), |who: &Actor| json!({ "person_id": who.person() }));
    let pingdi = staff_of(&app, "pingdi", "reviewer", "street-pingdi").await;
    pingdi.post(&path, to(&officers.unit)).await.problem(404, "not_found");
    // To somebody who may decide it now, and nobody else.
    for who in [&street, &zhang.worker, &pingdi, &app.worker("li").await] {
        let refused = officers.unit.post(&path, to(who)).await.problem(422, "validation_failed");
        assert_eq!(faults(&refused), pairs(&[("/person_id", "not_allowed")]));
    }
    let nobody = json!({ "person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn" });
    officers.unit.post(&path, nobody).await.problem(422, "validation_failed");
    zhang.approve(&officers.unit).await.ok(200);
    // The unit does not say who decides at the sub-district.
    officers.unit.post(&path, to(&street)).await.problem(403, "review_not_yours");
    officers.street.post(&path, to(&street)).await.ok(200);
    officers.street.post(&path, to(&officers.unit)).await.problem(422, "validation_failed");
    zhang.decide(&street, reject()).await.ok(200);
    officers.street.post(&path, to(&street)).await.problem(409, "state_forbids");
    app.run_jobs().await;
}
