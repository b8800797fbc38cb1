//! A role ends where its subtree ends: what lies outside does not exist.

use serde_json::json;

use super::{grant, staff_of};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_door_of_another_street_does_not_exist,
    an_activity_of_another_street_does_not_exist,
    a_person_of_another_street_does_not_exist,
    a_role_is_granted_inside_one_s_own_subtree_only,
    the_plan_and_the_audit_chain_are_the_district_s,
    a_role_at_the_top_reaches_every_street,
];

/// Not the street of the seeded `…-pinghu` staff.
const ELSEWHERE: &str = "street-pingdi";

async fn a_door_of_another_street_does_not_exist(app: TestApp) {
    let there = app.activity(|a| a.organisation(ELSEWHERE)).await;
    let here = app.activity(|a| a.organisation("street-pinghu")).await;
    let (worker, gate) = (app.worker("zhang").await, app.staff("gate-pinghu").await);
    for activity in [&there, &here] {
        worker.sign_up(activity).await.ok(201);
    }
    app.run_jobs().await;
    gate.scan(there.session, &worker.pass().await).await.problem(404, "not_found");
    gate.finalise(there.session).await.problem(404, "not_found");
    gate.get(&format!("/api/v1/sessions/{}/checkins", there.session)).await.problem(404, "not_found");
    gate.get(&format!("/api/v1/activities/{}/signups", there.id)).await.problem(404, "not_found");
    // Nothing came of it, and the own street's door opens.
    let gate_of_all = app.staff("gate").await;
    let present = gate_of_all.get(&format!("/api/v1/sessions/{}/checkins", there.session)).await.ok(200);
    assert_eq!(present["items"], json!([]));
    gate.scan(here.session, &worker.pass().await).await.ok(200);
    gate.finalise(here.session).await.ok(200);
}

async fn an_activity_of_another_street_does_not_exist(app: TestApp) {
    let there = app.activity(|a| a.organisation(ELSEWHERE).draft()).await;
    let organiser = app.staff("organiser-pinghu").await;
    let path = format!("/api/v1/managed-activities/{}", there.id);
    organiser.get(&path).await.problem(404, "not_found");
    organiser.post(&format!("{path}/publications"), json!({})).await.problem(404, "not_found");
    let etag = app.staff("organiser").await.get(&path).await.etag();
    let body = json!({
        "title": "改名", "summary": "", "venue": "示例", "address": "", "capacity": 1,
        "signup_opens_at": "2025-06-16T09:00:00+08:00", "signup_closes_at": "2025-06-16T11:00:00+08:00",
    });
    organiser.put(&path, &etag, body).await.problem(404, "not_found");
    // Where the organisation is said in the body, it is the field that is wrong.
    let input = app.activity_input(|a| a.organisation(ELSEWHERE)).await;
    let refused = organiser.post("/api/v1/activities", input).await.problem(422, "validation_failed");
    assert_eq!(refused["errors"][0]["pointer"], "/organisation_id");
    let mine = app.activity_by(&organiser, |a| a.organisation("street-pinghu").draft()).await;
    let mut listed = Vec::new();
    let mut next = String::new();
    loop {
        let page = organiser.get(&format!("/api/v1/managed-activities?limit=100{next}")).await.ok(200);
        let ids =
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        listed.extend(ids);
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert!(listed.contains(&mine.id.to_string()) && !listed.contains(&there.id.to_string()), "{listed:?}");
}

async fn a_person_of_another_street_does_not_exist(app: TestApp) {
    let admin = staff_of(&app, "admin-pinghu", "admin", "street-pinghu").await;
    let (theirs, mine, nobodys) =
        (app.worker("zhang").await, app.worker("li").await, app.worker("wang").await);
    theirs.set_profile("张三", Some(app.organisation(ELSEWHERE).await)).await;
    mine.set_profile("李四", Some(app.organisation("street-pinghu").await)).await;
    let reveal = json!({ "field": "phone", "purpose": "电话通知" });
    let disable = json!({ "disabled": true, "reason": "测试停用" });
    for stranger in [&theirs, &nobodys] {
        let path = format!("/api/v1/people/{}", stranger.person());
        admin.post(&format!("{path}/reveals"), reveal.clone()).await.problem(404, "not_found");
        admin.post(&format!("{path}/account-states"), disable.clone()).await.problem(404, "not_found");
        stranger.get("/api/v1/me").await.ok(200);
    }
    let path = format!("/api/v1/people/{}", mine.person());
    admin.post(&format!("{path}/reveals"), reveal).await.ok(200);
    admin.post(&format!("{path}/account-states"), disable).await.ok(200);
    mine.get("/api/v1/me").await.problem(403, "person_disabled");
}

async fn a_role_is_granted_inside_one_s_own_subtree_only(app: TestApp) {
    let admin = staff_of(&app, "admin-pinghu", "admin", "street-pinghu").await;
    let worker = app.worker("zhang").await;
    for elsewhere in [ELSEWHERE, "longgang"] {
        let body = json!({
            "person_id": worker.person(), "role": "admin", "organisation_id": app.organisation(elsewhere).await
        });
        let refused = admin.post("/api/v1/staff-grants", body).await.problem(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/organisation_id");
    }
    let theirs = grant(&app, worker.person(), "checkin_staff", ELSEWHERE).await;
    let path = format!("/api/v1/staff-grants/{}", theirs["id"].as_str().unwrap());
    admin.delete(&path).await.problem(404, "not_found");
    let listed = admin.get(&format!("/api/v1/staff-grants?person={}", worker.person())).await.ok(200);
    assert_eq!(listed["items"], json!([]));
    let body = json!({
        "person_id": worker.person(), "role": "checkin_staff",
        "organisation_id": app.organisation("street-pinghu").await
    });
    admin.post("/api/v1/staff-grants", body).await.ok(201);
    let roles = worker.get("/api/v1/me").await.ok(200);
    assert_eq!(roles["roles"].as_array().unwrap().len(), 2, "the grant of the other street still stands");
}

async fn the_plan_and_the_audit_chain_are_the_district_s(app: TestApp) {
    let auditor = staff_of(&app, "auditor-pinghu", "auditor", "street-pinghu").await;
    auditor.get("/api/v1/audit-entries").await.problem(403, "forbidden");
    let admin = staff_of(&app, "admin-pinghu", "admin", "street-pinghu").await;
    admin.get("/api/v1/dead-jobs").await.problem(403, "forbidden");
    let planner = app.staff("planner-pinghu").await;
    let milestones = planner.get("/api/v1/plans/2025/milestones").await.ok(200);
    let path = format!("/api/v1/milestones/{}", milestones["items"][0]["id"].as_str().unwrap());
    // A street may read the district's plan, so that its refusal hides nothing.
    let etag = planner.get(&path).await.expect(200).etag();
    let body = json!({ "reached": true, "evidence": "会议纪要" });
    planner.put(&path, &etag, body.clone()).await.problem(403, "forbidden");
    app.staff("planner").await.put(&path, &etag, body).await.ok(200);
}

async fn a_role_at_the_top_reaches_every_street(app: TestApp) {
    let gate = app.staff("gate").await;
    for street in [ELSEWHERE, "street-pinghu", "dept-education"] {
        let activity = app.activity(|a| a.organisation(street)).await;
        gate.get(&format!("/api/v1/sessions/{}/checkins", activity.session)).await.ok(200);
    }
}
