//! What another sub-district has does not exist.

use serde_json::json;

use super::{import, injured, patient, reveal, visit};
use crate::files::{samples, send};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] =
    tests![injuries_of_another_street_do_not_exist, pictures_are_for_those_who_see_the_injury];

async fn injuries_of_another_street_do_not_exist(app: TestApp) {
    let (here, there) = (app.staff("organiser-pinghu").await, app.staff("organiser").await);
    let foreign = injured(&app, "street-pingdi", "张三丰", "13812345678").await;
    let mine = injured(&app, "street-pinghu", "李四", "13912345678").await;
    let made = visit(&there, &foreign, json!({ "visited_on": "2025-06-16" })).await.ok(200);
    let at = |what: &str| format!("/api/v1/injuries/{foreign}{what}");
    here.get(&at("")).await.problem(404, "not_found");
    reveal(&here, &foreign).await.problem(404, "not_found");
    here.post(&at("/applications"), json!({})).await.problem(404, "not_found");
    visit(&here, &foreign, json!({ "visited_on": "2025-06-16" })).await.problem(404, "not_found");
    super::undo(&here, &made).await.problem(404, "not_found");
    let elsewhere = app.organisation("street-pingdi").await;
    let listed = here.get(&format!("/api/v1/injuries?organisation={elsewhere}")).await.ok(200);
    assert_eq!(listed["items"], json!([]));
    let refused = import(&app, &here, "street-pingdi", &[patient("王五", "13712345678")]).await;
    let refused = refused.problem(422, "validation_failed");
    assert_eq!(refused["errors"][0]["pointer"], "/query/organisation");
    let listed = here.get("/api/v1/injuries").await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], json!(mine));
    // Nor does one visit in the name of another street.
    let body = json!({ "visited_on": "2025-06-16", "organisation_id": elsewhere });
    let refused = visit(&here, &mine, body).await.problem(422, "validation_failed");
    assert_eq!(refused["errors"][0]["pointer"], "/organisation_id");
    // The district sees both, and one street where it asks for one.
    assert_eq!(there.get("/api/v1/injuries").await.ok(200)["items"].as_array().unwrap().len(), 2);
    let one = there.get(&format!("/api/v1/injuries?organisation={elsewhere}")).await.ok(200);
    assert_eq!((one["items"].as_array().unwrap().len(), &one["items"][0]["id"]), (1, &json!(foreign)));
}

async fn pictures_are_for_those_who_see_the_injury(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let id = injured(&app, "street-pinghu", "张三丰", "13812345678").await;
    let (photo, form) = (samples::png(2, 2), samples::pdf("x"));
    let document = send(&gate, "document", "a.pdf", &form).await.ok(201)["id"].clone();
    let picture = send(&gate, "photo", "a.png", &photo).await.ok(201)["id"].clone();
    let body = |files: &[&serde_json::Value]| json!({ "visited_on": "2025-06-16", "photo_ids": files });
    let refused = visit(&gate, &id, body(&[&picture, &document])).await.problem(422, "validation_failed");
    assert_eq!(refused["errors"][0]["pointer"], "/photo_ids");
    let made = visit(&gate, &id, body(&[&picture])).await.ok(200);
    assert_eq!(made["photo_ids"], json!([picture]));
    visit(&gate, &id, body(&[&picture])).await.problem(409, "file_unusable");
    let path = format!("/api/v1/files/{}", picture.as_str().unwrap());
    app.staff("organiser-pinghu").await.get(&path).await.ok(200);
    app.staff("organiser").await.get(&path).await.ok(200);
    let elsewhere = crate::access::staff_of(&app, "gate-pingdi", "checkin_staff", "street-pingdi").await;
    for stranger in [elsewhere, app.worker("zhang").await, app.staff("planner").await] {
        stranger.get(&path).await.problem(404, "not_found");
    }
    let detail = gate.get(&format!("/api/v1/injuries/{id}")).await.ok(200);
    assert_eq!(detail["visited"][0]["photo_ids"], json!([picture]));
}
