//! What somebody is: recorded by staff of their subtree, with what shows it.

use reqwest::Method;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::PersonId;
use unionhall::people;
use unionhall::people::model::{Audience, PersonAudience};

use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    what_somebody_is_has_a_basis_and_is_told_to_them,
    what_is_recorded_is_the_subtree_s_alone,
    nobody_records_what_they_are_themselves,
    profiles_say_where_somebody_works_and_what_they_are,
];

/// Records an audience behind the application's back.
pub async fn recorded(app: &TestApp, person: PersonId, audience: &str) {
    let row = PersonAudience {
        person_id: person,
        audience: audience.parse().unwrap(),
        basis: "奖章证书".into(),
        recorded_by: person,
        recorded_at: db_time(app.now()),
    };
    app.write(move |conn| people::store::audience_record_in_tx(conn, &row)).await;
}

async fn record(actor: &Actor, person: PersonId, audience: &str, body: Value) -> Reply {
    let path = format!("/api/v1/people/{person}/audiences/{audience}");
    actor.send(actor.request(Method::PUT, &path).json(&body)).await
}

async fn what_somebody_is_has_a_basis_and_is_told_to_them(app: TestApp) {
    let (zhang, reviewer) = (app.worker("zhang").await, app.staff("reviewer").await);
    let person = zhang.person();
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["audiences"], json!([]));
    let body = json!({ "basis": "全国五一劳动奖章证书" });
    let said = record(&reviewer, person, "model_worker", body.clone()).await.ok(200);
    assert_eq!((&said["audience"], &said["basis"]), (&json!("model_worker"), &body["basis"]));
    assert_eq!(said["recorded_by"], json!(reviewer.person()));
    let seen = zhang.get("/api/v1/me").await;
    assert_eq!(seen.body["audiences"], json!(["model_worker"]));
    // Again, with what shows it better, and by somebody else.
    let organiser = app.staff("organiser").await;
    record(&organiser, person, "model_worker", json!({ "basis": "省劳动模范证书" })).await.ok(200);
    record(&organiser, person, "skilled_worker", json!({ "basis": "高级技工证书" })).await.ok(200);
    let path = format!("/api/v1/people/{person}/audiences");
    let items = reviewer.get(&path).await.ok(200)["items"].clone();
    let listed: Vec<(&str, &str)> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["audience"].as_str().unwrap(), item["basis"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, [("model_worker", "省劳动模范证书"), ("skilled_worker", "高级技工证书")]);
    // What is wrong changes nothing and is named.
    for (audience, body, pointer) in [
        ("model_worker", json!({ "basis": " " }), "/basis"),
        ("model_worker", json!({}), "/basis"),
        ("all", json!({ "basis": "人人都是" }), "/path/audience"),
    ] {
        let problem = record(&reviewer, person, audience, body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    record(&reviewer, person, "director", json!({ "basis": "任命书" })).await.problem(404, "not_found");
    let nobody: PersonId = app.ids().id();
    record(&reviewer, nobody, "model_worker", json!({ "basis": "证书" })).await.problem(404, "not_found");
    reviewer.delete(&format!("{path}/model_worker")).await.expect(204);
    reviewer.delete(&format!("{path}/model_worker")).await.problem(404, "not_found");
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["audiences"], json!(["skilled_worker"]));
    // The chain says what, and not what showed it.
    let entries = app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={person}")).await;
    assert!(!entries.text.contains("证书"));
    let entries = entries.ok(200);
    let actions: Vec<&str> = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .filter(|action| action.starts_with("person.audience"))
        .collect();
    let (made, gone) = ("person.audience_record", "person.audience_remove");
    assert_eq!(actions, [gone, made, made, made]);
}

async fn what_is_recorded_is_the_subtree_s_alone(app: TestApp) {
    let local = staff_of(&app, "reviewer-of-pinghu", "reviewer", "street-pinghu").await;
    let (inside, outside, homeless) =
        (app.worker("zhang").await, app.worker("li").await, app.worker("wang").await);
    inside.set_profile("张三", Some(app.organisation("demo-enterprise-pinghu-1").await)).await;
    outside.set_profile("李四", Some(app.organisation("demo-enterprise-buji-1").await)).await;
    let body = json!({ "basis": "骑手合同" });
    for stranger in [&outside, &homeless] {
        let person = stranger.person();
        recorded(&app, person, "model_worker").await;
        let path = format!("/api/v1/people/{person}/audiences");
        local.get(&path).await.problem(404, "not_found");
        record(&local, person, "new_employment", body.clone()).await.problem(404, "not_found");
        local.delete(&format!("{path}/model_worker")).await.problem(404, "not_found");
        assert_eq!(stranger.get("/api/v1/me").await.ok(200)["audiences"], json!(["model_worker"]));
    }
    record(&local, inside.person(), "new_employment", body).await.ok(200);
    assert_eq!(inside.get("/api/v1/me").await.ok(200)["audiences"], json!(["new_employment"]));
}

async fn nobody_records_what_they_are_themselves(app: TestApp) {
    let reviewer = app.staff("reviewer").await;
    let body = json!({ "basis": "奖章证书" });
    let own = record(&reviewer, reviewer.person(), "model_worker", body.clone()).await;
    own.problem(409, "second_officer_required");
    let organiser = app.staff("organiser").await;
    record(&organiser, reviewer.person(), "model_worker", body).await.ok(200);
}

async fn profiles_say_where_somebody_works_and_what_they_are(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let union = app.organisation("demo-enterprise-pinghu-1").await;
    zhang.set_profile("张三", Some(union)).await;
    recorded(&app, zhang.person(), "model_worker").await;
    let admin = app.staff("admin").await;
    let disable = json!({ "disabled": true, "reason": "测试停用" });
    admin.post(&format!("/api/v1/people/{}/account-states", li.person()), disable).await.ok(200);
    let ids = [zhang.person(), li.person(), app.ids().id()];
    for with_audiences in [true, false] {
        let found = app.read(move |conn| people::store::profiles(conn, &ids, with_audiences)).await;
        assert_eq!(found.len(), 2);
        let of_zhang = &found[&ids[0]];
        assert_eq!(of_zhang.workplace, Some(union));
        assert_eq!(of_zhang.path.as_deref(), Some("/longgang/street-pinghu/demo-enterprise-pinghu-1/"));
        assert_eq!(of_zhang.street, Some(app.organisation("street-pinghu").await));
        let audiences: &[Audience] = if with_audiences { &[Audience::ModelWorker] } else { &[] };
        assert_eq!((of_zhang.audiences.as_slice(), of_zhang.disabled), (audiences, false));
        let of_li = people::store::Profile { disabled: true, ..Default::default() };
        assert_eq!(found[&ids[1]], of_li);
    }
}
