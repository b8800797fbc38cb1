//! A second return needs a superior's leave.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::steps::{Request, STAFFED, UNSTAFFED, audited, request, told};
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_second_return_with_the_leave_of_a_superior,
    a_refusal_says_why_and_one_may_ask_again,
    nobody_asks_before_the_first_return,
    at_the_district_a_colleague_decides,
    a_leave_ends_with_its_stage,
    a_leave_of_a_request_that_is_over_is_not_decided,
    two_superiors_at_once_decide_once,
    who_must_keep_away_grants_nothing,
];

async fn ask(officer: &Actor, request: &Request) -> Reply {
    officer.post(&request.at("/leaves"), json!({ "reason": "补交的报告缺最后一页" })).await
}

async fn asked(officer: &Actor, request: &Request) -> String {
    ask(officer, request).await.ok(201)["id"].as_str().unwrap().to_owned()
}

async fn decide(officer: &Actor, leave: &str, body: Value) -> Reply {
    officer.post(&format!("/api/v1/review-leaves/{leave}/decisions"), body).await
}

async fn grant(officer: &Actor, leave: &str) -> Reply {
    decide(officer, leave, json!({ "decision": "grant" })).await
}

/// The leaves that somebody may decide.
async fn waiting(officer: &Actor) -> Vec<String> {
    let page = officer.get("/api/v1/review-leaves").await.ok(200);
    page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Returned and supplied with what was missing, each at a time of its own.
async fn go_round(app: &TestApp, request: &Request, officer: &Actor) {
    app.advance(TimeDelta::seconds(1));
    request.send_back(officer).await.ok(200);
    app.advance(TimeDelta::seconds(1));
    request.supply().await;
    app.advance(TimeDelta::seconds(1));
}

/// A request at 平湖 that was returned once.
async fn returned_once(app: &TestApp) -> (Request, Actor) {
    let officer = app.staff("reviewer-pinghu").await;
    let request = request(app, "zhang", Some(UNSTAFFED)).await;
    go_round(app, &request, &officer).await;
    (request, officer)
}

async fn a_second_return_with_the_leave_of_a_superior(app: TestApp) {
    let (request, officer) = returned_once(&app).await;
    let district = app.staff("reviewer").await;
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    request.send_back(&officer).await.problem(409, "review_leave_needed");
    let leave = asked(&officer, &request).await;
    ask(&officer, &request).await.problem(409, "unique_taken");
    ask(&colleague, &request).await.problem(409, "unique_taken");
    ask(&district, &request).await.problem(403, "review_not_yours");
    request.send_back(&officer).await.problem(409, "review_leave_needed");

    // Who asks does not decide, nor does who stands beside them; elsewhere nobody knows of it.
    grant(&officer, &leave).await.problem(409, "second_officer_required");
    grant(&colleague, &leave).await.problem(403, "review_not_yours");
    grant(&elsewhere, &leave).await.problem(404, "not_found");
    for other in [&officer, &colleague, &elsewhere] {
        assert_eq!(waiting(other).await, Vec::<String>::new(), "{}", other.name);
    }
    let page = district.get("/api/v1/review-leaves").await.ok(200);
    let line = &page["items"][0];
    assert_eq!((&line["id"], &line["body_name"]), (&json!(leave), &json!("平湖街道")));
    assert_eq!((&line["state"], &line["returns"]), (&json!("asked"), &json!(1)));
    assert_eq!(line["reason"], "补交的报告缺最后一页");
    app.advance(TimeDelta::seconds(1));
    let granted = grant(&district, &leave).await.ok(200);
    assert_eq!(granted["state"], "granted");
    grant(&district, &leave).await.problem(409, "state_forbids");
    assert_eq!(waiting(&district).await, Vec::<String>::new());
    ask(&officer, &request).await.problem(409, "unique_taken");
    let notices = told(&app, &officer, "review_leave_decided").await;
    assert_eq!(notices.len(), 1);
    assert!(notices[0]["body"].as_str().unwrap().contains("准许"), "{}", notices[0]);

    // It is for whoever asked, and for once.
    request.send_back(&colleague).await.problem(409, "review_leave_needed");
    go_round(&app, &request, &officer).await;
    request.send_back(&officer).await.problem(409, "review_leave_needed");
    ask(&officer, &request).await.ok(201);

    let kinds: Vec<String> = request
        .events(&district)
        .await
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    #[rustfmt::skip]
    assert_eq!(kinds, [
        "opened", "returned", "supplemented", "leave_asked", "leave_decided", "returned", "supplemented", "leave_asked",
    ]);
    let entries = audited(&app, "review.leave_decide").await;
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].0, &entries[0].1), (&district.person().to_string(), &request.id));
    assert_eq!((&entries[0].2["leave"], &entries[0].2["decision"]), (&json!(leave), &json!("grant")));
    assert_eq!(audited(&app, "review.leave_ask").await.len(), 2);
    app.run_jobs().await;
}

async fn a_refusal_says_why_and_one_may_ask_again(app: TestApp) {
    let (request, officer) = returned_once(&app).await;
    let district = app.staff("reviewer").await;
    let leave = asked(&officer, &request).await;
    let problem =
        decide(&district, &leave, json!({ "decision": "refuse" })).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/reason", "required")]));
    assert_eq!(waiting(&district).await, std::slice::from_ref(&leave));
    let body = json!({ "decision": "refuse", "reason": "材料已能说明情况" });
    assert_eq!(decide(&district, &leave, body).await.ok(200)["state"], "refused");
    let notices = told(&app, &officer, "review_leave_decided").await;
    assert!(notices[0]["body"].as_str().unwrap().contains("理由：材料已能说明情况"), "{}", notices[0]);
    request.send_back(&officer).await.problem(409, "review_leave_needed");
    let again = asked(&officer, &request).await;
    grant(&district, &again).await.ok(200);
    request.send_back(&officer).await.ok(200);
    // While the applicant is at work there is nothing to return.
    ask(&officer, &request).await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn nobody_asks_before_the_first_return(app: TestApp) {
    let officer = app.staff("reviewer-pinghu").await;
    let request = request(&app, "zhang", Some(UNSTAFFED)).await;
    ask(&officer, &request).await.problem(409, "state_forbids");
    let problem = officer.post(&request.at("/leaves"), json!({ "reason": "  " })).await;
    assert_eq!(faults(&problem.problem(422, "validation_failed")), pairs(&[("/reason", "pattern")]));
    request.send_back(&officer).await.ok(200);
    app.run_jobs().await;
}

async fn at_the_district_a_colleague_decides(app: TestApp) {
    let officer = app.staff("reviewer").await;
    let street = app.staff("reviewer-pinghu").await;
    let colleague = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    let request = request(&app, "zhang", None).await;
    go_round(&app, &request, &officer).await;
    let leave = asked(&officer, &request).await;
    grant(&officer, &leave).await.problem(409, "second_officer_required");
    grant(&street, &leave).await.problem(404, "not_found");
    assert_eq!(waiting(&officer).await, Vec::<String>::new());
    assert_eq!(waiting(&colleague).await, std::slice::from_ref(&leave));
    // In the stead of whoever asks, nobody is a second officer.
    let body = json!({
        "to_id": street.person(), "organisation_id": app.organisation("longgang").await, "from_at": app.now(),
        "until_at": app.now() + TimeDelta::days(1), "reason": "外出培训",
    });
    officer.post("/api/v1/review-delegations", body).await.ok(201);
    grant(&street, &leave).await.problem(403, "review_not_yours");
    grant(&colleague, &leave).await.ok(200);
    request.send_back(&officer).await.ok(200);
    app.run_jobs().await;
}

async fn a_leave_ends_with_its_stage(app: TestApp) {
    let (unit, street, district) = (
        app.staff("reviewer-unit-pinghu-1").await,
        app.staff("reviewer-pinghu").await,
        app.staff("reviewer").await,
    );
    let request = request(&app, "zhang", Some(STAFFED)).await;
    go_round(&app, &request, &unit).await;
    let leave = asked(&unit, &request).await;
    grant(&street, &leave).await.ok(200);
    // The unit makes no use of it: the next body asks for its own.
    request.approve(&unit).await.ok(200);
    request.send_back(&street).await.problem(409, "review_leave_needed");
    let own = asked(&street, &request).await;
    assert_eq!(waiting(&district).await, std::slice::from_ref(&own));
    grant(&district, &own).await.ok(200);
    request.send_back(&street).await.ok(200);
    app.run_jobs().await;
}

async fn a_leave_of_a_request_that_is_over_is_not_decided(app: TestApp) {
    let (request, officer) = returned_once(&app).await;
    let district = app.staff("reviewer").await;
    let leave = asked(&officer, &request).await;
    request.approve(&officer).await.ok(200);
    assert_eq!(waiting(&district).await, Vec::<String>::new());
    grant(&district, &leave).await.problem(409, "state_forbids");
    district
        .post(
            "/api/v1/review-leaves/lea_01k5b8m3q2e9t8h6y1v7z4w0xn/decisions",
            json!({ "decision": "grant" }),
        )
        .await
        .problem(404, "not_found");
    app.run_jobs().await;
}

async fn two_superiors_at_once_decide_once(app: TestApp) {
    let (request, officer) = returned_once(&app).await;
    let district = app.staff("reviewer").await;
    let other = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    let refuse = json!({ "decision": "refuse", "reason": "材料已能说明情况" });
    for round in 0..4 {
        let leave = asked(&officer, &request).await;
        let (one, two) =
            tokio::join!(decide(&district, &leave, refuse.clone()), decide(&other, &leave, refuse.clone()));
        let mut said = [one.status, two.status];
        said.sort_unstable();
        assert_eq!(said, [200, 409], "round {round}");
    }
    assert_eq!(audited(&app, "review.leave_decide").await.len(), 4);
    assert_eq!(told(&app, &officer, "review_leave_decided").await.len(), 4);
}

async fn who_must_keep_away_grants_nothing(app: TestApp) {
    let (request, officer) = returned_once(&app).await;
    let district = app.staff("reviewer").await;
    let leave = asked(&officer, &request).await;
    district.post("/api/v1/me/ties", json!({ "kin_id": request.worker.person() })).await.ok(201);
    grant(&district, &leave).await.problem(403, "review_recused");
    let other = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    grant(&other, &leave).await.ok(200);
    app.run_jobs().await;
}
