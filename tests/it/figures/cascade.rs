//! Targets divided among the sub-districts, and what is shown of it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{STREETS, shares, target, text};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_division_is_in_force_when_all_have_agreed,
    an_objection_stays_until_another_version_is_agreed,
    everything_that_is_wrong_with_shares_is_named,
    an_officer_of_the_sub_district_itself_answers,
    streets_stand_beside_each_other,
];

/// An officer of every sub-district.
async fn officers(app: &TestApp) -> Vec<(Actor, Value)> {
    let mut officers = Vec::new();
    for street in STREETS {
        let actor = staff_of(app, &format!("officer-{street}"), "plan_officer", street).await;
        officers.push((actor, json!(app.organisation(street).await)));
    }
    officers
}

async fn propose(app: &TestApp, code: &str, body: Value) -> Value {
    let path = format!("/api/v1/plans/2025/targets/{code}/cascades");
    app.staff("planner").await.post(&path, body).await.ok(201)
}

fn answers(cascade: &Value) -> String {
    format!("/api/v1/plan-cascades/{}/answers", text(cascade, "id"))
}

fn agree(unit: &Value) -> Value {
    json!({ "organisation_id": unit, "answer": "agreed" })
}

/// All agree, the last two at once.
async fn all_agree(cascade: &Value, officers: &[(Actor, Value)]) {
    let (last, first) = officers.split_last_chunk::<2>().map(|(first, last)| (last, first)).unwrap();
    for (officer, unit) in first {
        officer.post(&answers(cascade), agree(unit)).await.ok(200);
    }
    let replies = join_all(
        last.iter().map(|(officer, unit)| async move { officer.post(&answers(cascade), agree(unit)).await }),
    );
    for reply in replies.await {
        reply.ok(200);
    }
}

async fn state(app: &TestApp, cascade: &Value) -> String {
    let path = format!("/api/v1/plan-cascades/{}", text(cascade, "id"));
    text(&app.staff("planner").await.get(&path).await.ok(200), "state")
}

async fn a_division_is_in_force_when_all_have_agreed(app: TestApp) {
    let officers = officers(&app).await;
    let made = propose(&app, "07b", json!({ "shares": shares(&app, 1000).await })).await;
    assert_eq!(
        (&made["number"], &made["state"], &made["sum"]),
        (&json!(1), &json!("proposed"), &json!(11_000))
    );
    all_agree(&made, &officers).await;
    assert_eq!(state(&app, &made).await, "current");
    // Whoever has answered has answered.
    let (officer, unit) = &officers[0];
    officer.post(&answers(&made), agree(unit)).await.problem(409, "state_forbids");
    // A change within the year is another version, with a reason, and holds when all have agreed to it.
    let mut changed = shares(&app, 1000).await;
    changed[0]["value"] = json!(500);
    let path = "/api/v1/plans/2025/targets/07b/cascades";
    let planner = app.staff("planner").await;
    let silent = planner.post(path, json!({ "shares": changed })).await.problem(422, "validation_failed");
    assert_eq!(faults(&silent), pairs(&[("/reason", "required")]));
    let next = propose(&app, "07b", json!({ "shares": changed, "reason": "宝龙街道企业外迁" })).await;
    assert_eq!(state(&app, &made).await, "current");
    all_agree(&next, &officers).await;
    assert_eq!((state(&app, &made).await, state(&app, &next).await), ("replaced".into(), "current".into()));
    let list = planner.get(path).await.ok(200);
    let numbers: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|one| &one["number"]).collect();
    assert_eq!(numbers, [2, 1]);
    app.run_jobs().await;
}

async fn an_objection_stays_until_another_version_is_agreed(app: TestApp) {
    let officers = officers(&app).await;
    let made = propose(&app, "03a", json!({ "shares": shares(&app, 5).await })).await;
    let ((objector, unit), others) = officers.split_first().unwrap();
    let silent = json!({ "organisation_id": unit, "answer": "objected", "reason": " " });
    let problem = objector.post(&answers(&made), silent).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/reason", "required")]));
    let no = json!({ "organisation_id": unit, "answer": "objected", "reason": "没有劳模讲师" });
    objector.post(&answers(&made), no).await.ok(200);
    for (officer, unit) in others {
        officer.post(&answers(&made), agree(unit)).await.ok(200);
    }
    assert_eq!(state(&app, &made).await, "proposed", "ten of eleven are not all");
    let next = propose(&app, "03a", json!({ "shares": shares(&app, 6).await, "reason": "重新平衡" })).await;
    assert_eq!(state(&app, &made).await, "replaced");
    objector.post(&answers(&made), agree(unit)).await.problem(409, "state_forbids");
    all_agree(&next, &officers).await;
    assert_eq!(state(&app, &next).await, "current");
    let seen =
        app.staff("planner").await.get(&format!("/api/v1/plan-cascades/{}", text(&made, "id"))).await.ok(200);
    assert_eq!(
        (&seen["shares"][0]["answer"], &seen["shares"][0]["reason"]),
        (&json!("objected"), &json!("没有劳模讲师"))
    );
    app.run_jobs().await;
}

async fn everything_that_is_wrong_with_shares_is_named(app: TestApp) {
    let planner = app.staff("planner").await;
    let pinghu = app.organisation("street-pinghu").await;
    let rights = app.organisation("dept-rights").await;
    let path = |code: &str| format!("/api/v1/plans/2025/targets/{code}/cascades");
    let body = json!({ "shares": [
        { "organisation_id": pinghu, "value": -1 }, { "organisation_id": pinghu, "value": 2 },
        { "organisation_id": rights, "value": 2 },
    ] });
    let problem = planner.post(&path("07b"), body).await.problem(422, "validation_failed");
    let expected = [
        ("/shares", "below_target"),
        ("/shares", "missing"),
        ("/shares/0/value", "negative"),
        ("/shares/1/organisation_id", "duplicate"),
        ("/shares/2/organisation_id", "foreign"),
    ];
    let mut found = faults(&problem);
    found.sort();
    assert_eq!(found, pairs(&expected));
    assert!(problem.to_string().contains("布吉街道"), "those that are missing are named: {problem}");
    let all = json!({ "shares": shares(&app, 100_000).await });
    // What each must reach by itself, rates, lists, and what is due in every period.
    for code in ["24a", "16b", "12a", "28a", "28b", "27a"] {
        planner.post(&path(code), all.clone()).await.problem(409, "target_undivided");
    }
    planner.post(&path("99z"), all.clone()).await.problem(404, "not_found");
    app.staff("planner-pinghu").await.post(&path("07b"), all.clone()).await.problem(403, "forbidden");
    // Of people, and of everything else, more than the target is no fault; beyond a range is.
    planner.post(&path("09e"), all.clone()).await.ok(201);
    let problem = planner.post(&path("12b"), all).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/shares", "above_range")]));
    app.run_jobs().await;
}

async fn an_officer_of_the_sub_district_itself_answers(app: TestApp) {
    let made = propose(&app, "07a", json!({ "shares": shares(&app, 20).await })).await;
    let (pinghu, buji) =
        (json!(app.organisation("street-pinghu").await), json!(app.organisation("street-buji").await));
    let officer = app.staff("planner-pinghu").await;
    officer.post(&answers(&made), agree(&buji)).await.problem(404, "not_found");
    // Not even the district agrees for a street.
    for above in ["planner", "admin"] {
        app.staff(above).await.post(&answers(&made), agree(&pinghu)).await.problem(404, "not_found");
    }
    let planner = app.staff("planner").await;
    staff_of(&app, "planner", "plan_officer", "street-buji").await;
    planner.post(&answers(&made), agree(&buji)).await.problem(409, "second_officer_required");
    officer.post(&answers(&made), agree(&pinghu)).await.ok(200);
    app.run_jobs().await;
}

async fn streets_stand_beside_each_other(app: TestApp) {
    let officers = officers(&app).await;
    let mut uneven = shares(&app, 20).await;
    // 平湖 is to do 40.
    uneven[9]["value"] = json!(40);
    let made = propose(&app, "07a", json!({ "shares": uneven })).await;
    all_agree(&made, &officers).await;
    let gate = app.staff("gate").await;
    for (street, sessions) in [("street-pinghu", 2), ("street-buji", 2), ("street-jihua", 1)] {
        for n in 0..sessions {
            let activity = app.activity(|a| a.organisation(street)).await;
            let worker = app.worker(&format!("{street}-{n}")).await;
            worker.sign_up(&activity).await.ok(201);
            gate.scan(activity.session, &worker.pass().await).await.ok(200);
            gate.finalise(activity.session).await.ok(200);
        }
    }
    let progress = target(&app, "07a", "").await;
    let by: Vec<(&str, i64, i64, i64)> = progress["by_organisation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let n = |field: &str| one[field].as_i64().unwrap();
            (one["name"].as_str().unwrap(), n("value"), n("part_per_mille"), n("share_per_mille"))
        })
        .collect();
    let mut sorted = by.clone();
    sorted.sort_by_key(|one| (-one.1, one.3));
    assert_eq!(sorted.len(), 11, "who has nothing yet has a share all the same");
    assert_eq!(sorted[..3], [("平湖街道", 2, 400, 50), ("布吉街道", 2, 400, 100), ("吉华街道", 1, 200, 50)]);
    let path = "/api/v1/plans/2025/targets/07a/ranking";
    let ranking = app.staff("planner").await.get(path).await.ok(200);
    let places: Vec<(&str, i64, i64)> = ranking["items"]
        .as_array()
        .unwrap()
        .iter()
        .take(4)
        .map(|one| {
            let n = |field: &str| one[field].as_i64().unwrap();
            (one["name"].as_str().unwrap(), n("rank_by_share"), n("rank_by_value"))
        })
        .collect();
    assert_eq!(ranking["items"].as_array().unwrap().len(), 11);
    assert_eq!(places[0], ("布吉街道", 1, 1));
    assert_eq!(places[1], ("平湖街道", 2, 1));
    assert_eq!(places[2], ("吉华街道", 2, 3));
    assert_eq!((places[3].1, places[3].2), (4, 4));
    // One person of a street is nobody's to see; the figure of sessions is.
    let people = app.staff("planner").await.get("/api/v1/plans/2025/targets/07b/ranking").await.ok(200);
    let hidden: Vec<&Value> =
        people["items"].as_array().unwrap().iter().filter(|one| one["hidden"] == true).collect();
    assert_eq!(hidden.len(), 3);
    assert!(hidden.iter().all(|one| one.get("value").is_none() && one["rank_by_value"] == 1));
    app.run_jobs().await;
}
