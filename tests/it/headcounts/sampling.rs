//! Which headcounts are audited, so that nobody chooses them; and what is found of them.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use unionhall::platform::db::schema::headcount_samples;

use super::{approve, counted, decide, id, on_the_square, seen, text, values};
use crate::access::staff_of;
use crate::harness::factory::Made;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_sample_is_promised_drawn_once_and_can_be_drawn_again,
    a_sample_is_of_its_street_and_quarter,
    two_draws_at_once_are_one,
    a_finding_lowers_a_figure_with_a_second_officer,
    a_crowd_that_was_not_there_held_no_session,
    only_what_was_drawn_is_audited,
];

const SAMPLES: &str = "/api/v1/headcount-samples";

async fn promise(app: &TestApp, auditor: &Actor, street: &str, quarter: u32) -> Value {
    let body = json!({ "organisation_id": app.organisation(street).await, "year": 2025, "quarter": quarter });
    auditor.post(SAMPLES, body).await.ok(201)
}

async fn draw(auditor: &Actor, sample: &Value) -> Value {
    auditor.post(&format!("{SAMPLES}/{}/draws", text(sample, "id")), json!({})).await.ok(200)
}

/// The order that came out.
async fn order(app: &TestApp, sample: &Value) -> Vec<String> {
    let path = format!("{SAMPLES}/{}/entries?limit=100", text(sample, "id"));
    let page = app.anon().get(&path).await.ok(200);
    let items = page["items"].as_array().unwrap().clone();
    for (rank, item) in (1..).zip(&items) {
        assert_eq!(item["rank"], json!(rank));
    }
    items.iter().map(|item| text(item, "headcount_id")).collect()
}

/// Crowds of these sizes in 平湖, all of them agreed to.
async fn crowds(app: &TestApp, sizes: &[i64]) -> Vec<(Made, Value)> {
    let mut made = Vec::new();
    for size in sizes {
        let activity = app.activity(on_the_square).await;
        let headcount = counted(app, activity.session, *size).await;
        made.push((activity, headcount));
    }
    made
}

/// The quarter is over, and whoever was logged in is no longer.
async fn after_the_quarter(app: &TestApp) -> Actor {
    app.run_jobs().await;
    app.advance(TimeDelta::days(15));
    app.staff("auditor").await
}

async fn a_sample_is_promised_drawn_once_and_can_be_drawn_again(app: TestApp) {
    let auditor = app.staff("auditor").await;
    let sample = promise(&app, &auditor, "street-pinghu", 2).await;
    assert_eq!((&sample["quarter_from"], sample.get("seed")), (&json!("2025-04-01"), None));
    let again = json!({ "organisation_id": sample["organisation_id"], "year": 2025, "quarter": 2 });
    auditor.post(SAMPLES, again.clone()).await.problem(409, "unique_taken");
    let draws = format!("{SAMPLES}/{}/draws", text(&sample, "id"));
    auditor.post(&draws, json!({})).await.problem(409, "state_forbids");
    crowds(&app, &[10, 20, 30, 40, 50]).await;

    let auditor = after_the_quarter(&app).await;
    let drawn = draw(&auditor, &sample).await;
    assert_eq!((&drawn["entries"], &drawn["chosen"]), (&json!(5), &json!(3)));
    assert_eq!(drawn["commitment"], sample["commitment"]);
    // Anybody can compute what came out.
    let shown = app.anon().get(&format!("{SAMPLES}/{}", text(&sample, "id"))).await.ok(200);
    let seed = text(&shown, "seed");
    assert_eq!(hex::encode(Sha256::digest(&seed)), text(&sample, "commitment"));
    let order = order(&app, &sample).await;
    let mut expected = order.clone();
    expected.sort();
    expected.sort_by_cached_key(|id| hex::encode(Sha256::digest(format!("{seed}:{id}"))));
    assert_eq!(order, expected);
    let lines: String = order.iter().map(|id| format!("{id}\n")).collect();
    assert_eq!(hex::encode(Sha256::digest(lines)), text(&shown, "digest"));
    // There is no second try.
    auditor.post(&draws, json!({})).await.problem(409, "state_forbids");
    auditor.post(SAMPLES, again).await.problem(409, "unique_taken");
    let list = app.anon().get(SAMPLES).await.ok(200);
    assert_eq!(list["items"], json!([shown]));
    app.run_jobs().await;
}

async fn a_sample_is_of_its_street_and_quarter(app: TestApp) {
    let auditor = app.staff("auditor").await;
    let mut samples = Vec::new();
    for street in ["street-pinghu", "street-buji", "longgang"] {
        samples.push(promise(&app, &auditor, street, 2).await);
    }
    let own = crowds(&app, &[10]).await;
    // At a venue of 布吉, and organised by a department that is of no street.
    let buji = app.activity(|a| on_the_square(a).street("street-buji")).await;
    let there = counted(&app, buji.session, 20).await;
    let department = app.activity(|a| on_the_square(a).organisation("dept-rights")).await;
    let district = super::count(&app.staff("gate").await, department.session, 30).await.ok(201);
    approve(&app.staff("reviewer").await, &district).await.ok(200);
    // One that nobody agreed to, and one of the next quarter.
    let open = app.activity(on_the_square).await;
    super::count(&app.staff("gate").await, open.session, 40).await.ok(201);
    let auditor = after_the_quarter(&app).await;
    crowds(&app, &[50]).await;
    for (sample, headcount) in samples.iter().zip([&own[0].1, &there, &district]) {
        let drawn = draw(&auditor, sample).await;
        assert_eq!((&drawn["entries"], &drawn["chosen"]), (&json!(1), &json!(1)));
        assert_eq!(order(&app, sample).await, [text(headcount, "id")]);
    }
    // Nothing is drawn from nothing.
    let empty = promise(&app, &auditor, "street-nanwan", 2).await;
    let drawn = draw(&auditor, &empty).await;
    assert_eq!((&drawn["entries"], &drawn["chosen"]), (&json!(0), &json!(0)));
    // Auditors of one street audit that street, and an enterprise has no sample of its own.
    let buji = staff_of(&app, "auditor-buji", "auditor", "street-buji").await;
    let body =
        json!({ "organisation_id": app.organisation("street-pinghu").await, "year": 2025, "quarter": 3 });
    buji.post(SAMPLES, body).await.problem(404, "not_found");
    let path = format!("{SAMPLES}/{}/draws", text(&promise(&app, &auditor, "street-pinghu", 1).await, "id"));
    buji.post(&path, json!({})).await.problem(404, "not_found");
    let enterprise = app.organisation("demo-enterprise-pinghu-1").await;
    let body = json!({ "organisation_id": enterprise, "year": 2025, "quarter": 1 });
    auditor.post(SAMPLES, body).await.problem(422, "validation_failed");
    app.run_jobs().await;
}

async fn two_draws_at_once_are_one(app: TestApp) {
    let sample = promise(&app, &app.staff("auditor").await, "street-pinghu", 1).await;
    let (auditor, other) = (app.staff("auditor").await, app.second_instance().await);
    let path = format!("{SAMPLES}/{}/draws", text(&sample, "id"));
    let elsewhere = auditor.at(&other);
    let (one, two) = tokio::join!(auditor.post(&path, json!({})), elsewhere.post(&path, json!({})));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", one.text, two.text);
    let drawn: i64 = app
        .read(|conn| {
            let drawn = headcount_samples::table.filter(headcount_samples::drawn_at.is_not_null());
            Ok(drawn.count().get_result(conn)?)
        })
        .await;
    assert_eq!(drawn, 1);
    app.run_jobs().await;
}

async fn find(auditor: &Actor, headcount: &Value, found: i64) -> Reply {
    let path = format!("/api/v1/headcounts/{}/findings", text(headcount, "id"));
    auditor.post(&path, json!({ "found": found, "note": "照片与签领单可核对" })).await
}

/// Three crowds of 平湖, all of them drawn, with the auditor.
async fn drawn(app: &TestApp, sizes: &[i64]) -> (Actor, Vec<(Made, Value)>) {
    let sample = promise(app, &app.staff("auditor").await, "street-pinghu", 2).await;
    let made = crowds(app, sizes).await;
    let auditor = after_the_quarter(app).await;
    draw(&auditor, &sample).await;
    (auditor, made)
}

async fn a_finding_lowers_a_figure_with_a_second_officer(app: TestApp) {
    let (auditor, crowds) = drawn(&app, &[100, 200, 300]).await;
    let district = app.staff("reviewer").await;
    assert_eq!(values(&app, "17b").await, [600]);
    // As many or more change nothing.
    let upheld = find(&auditor, &crowds[0].1, 150).await.ok(201);
    assert_eq!((&upheld["state"], upheld.get("review_id")), (&json!("upheld"), None));
    find(&auditor, &crowds[0].1, 1).await.problem(409, "unique_taken");
    // Fewer are taken back once somebody else agrees.
    let finding = find(&auditor, &crowds[1].1, 120).await.ok(201);
    assert_eq!(finding["state"], "proposed");
    assert_eq!(values(&app, "17b").await, [600], "nothing is taken back before");
    // Whoever counted does not decide about it, whatever else they are.
    let gate = app.staff("gate").await;
    let body = json!({
        "person_id": gate.person(), "role": "reviewer", "organisation_id": app.organisation("longgang").await,
    });
    app.staff("admin").await.post("/api/v1/staff-grants", body).await.ok(201);
    approve(&gate, &finding).await.problem(403, "review_recused");
    approve(&district, &finding).await.ok(200);
    let now = seen(&app, &crowds[1].1).await;
    assert_eq!((&now["number"], &now["standing"], &now["counts"]), (&json!(200), &json!(120), &json!(120)));
    assert_eq!(values(&app, "17b").await, [520]);
    // One that is not agreed to leaves the number, and may be found anew.
    let finding = find(&auditor, &crowds[2].1, 10).await.ok(201);
    let no = json!({ "decision": "reject", "reasons": ["finding_unproven"] });
    decide(&district, &text(&finding, "review_id"), no).await.ok(200);
    assert_eq!(values(&app, "17b").await, [520]);
    let finding = find(&auditor, &crowds[2].1, 290).await.ok(201);
    approve(&district, &finding).await.ok(200);
    assert_eq!(values(&app, "17b").await, [510]);
    app.run_jobs().await;
}

async fn a_crowd_that_was_not_there_held_no_session(app: TestApp) {
    let activity = app.activity(on_the_square).await;
    let made = counted(&app, activity.session, 100).await;
    app.staff("gate").await.finalise(activity.session).await.ok(200);
    assert_eq!(values(&app, "17a,17b").await, [1, 100]);
    let (auditor, _) = drawn(&app, &[]).await;
    let finding = find(&auditor, &made, 0).await.ok(201);
    approve(&app.staff("reviewer").await, &finding).await.ok(200);
    assert_eq!(values(&app, "17a,17b").await, [0, 0]);
    app.run_jobs().await;
}

async fn only_what_was_drawn_is_audited(app: TestApp) {
    let (auditor, crowds) = drawn(&app, &[10, 20, 30, 40]).await;
    let page = app.anon().get(SAMPLES).await.ok(200);
    let order = order(&app, &page["items"][0]).await;
    let place = |headcount: &Value| order.iter().position(|one| *one == id(headcount).to_string()).unwrap();
    let (_, last) = crowds.iter().find(|(_, headcount)| place(headcount) == 3).unwrap();
    let (activity, first) = crowds.iter().find(|(_, headcount)| place(headcount) == 0).unwrap();
    find(&auditor, last, 1).await.problem(409, "state_forbids");
    // What is void by then is nothing to audit, and what waits for an officer goes with it.
    let finding = find(&auditor, first, 1).await.ok(201);
    let path = format!("/api/v1/managed-activities/{}/cancellations", activity.id);
    let cancelled = app.staff("organiser").await.post(&path, json!({ "reason": "未举行" })).await;
    cancelled.ok(200);
    assert_eq!(seen(&app, first).await["state"], "voided");
    approve(&app.staff("reviewer").await, &finding).await.problem(409, "state_forbids");
    find(&auditor, first, 1).await.problem(409, "state_forbids");
    app.run_jobs().await;
}
