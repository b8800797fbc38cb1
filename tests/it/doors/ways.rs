//! Other ways in than a scanned pass, and what staff do beside: by oneself, by voice, without a sign-up, by the list, excused, taken back,
//! checked out.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::SessionId;
use unionhall::platform::db::schema::{penalties, people, scans};

use crate::files::{self, samples};
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};
use crate::membership;

pub const TESTS: &[Test] = tests![
    a_worker_scans_the_code_and_the_place_makes_the_grade,
    an_old_code_and_a_made_up_one_let_nobody_in,
    codes_are_pictures_too,
    six_digits_are_good_for_five_tries,
    a_walk_in_is_known_at_once_and_again,
    seats_of_those_who_are_expected_are_kept_from_walk_ins,
    a_walk_in_may_come_to_help,
    a_walk_in_needs_consent_and_what_the_activity_asks_for,
    two_walk_ins_of_one_number_are_one_person,
    the_list_checks_everybody_in_but_the_absent,
    a_signed_sheet_counts_when_another_has_compared_it,
    the_checker_sees_the_paper_and_who_is_on_it,
    the_excused_owe_nothing,
    what_is_taken_back_counts_no_more_and_may_be_said_again,
    who_is_checked_out_has_their_minutes,
];

async fn figure(app: &TestApp, code: &str) -> i64 {
    let path = format!("/api/v1/plans/2025/progress?targets={code}");
    let progress = app.staff("planner").await.get(&path).await.ok(200);
    progress["targets"][0]["value"].as_i64().unwrap()
}

async fn code(app: &TestApp, session: SessionId) -> Value {
    app.staff("gate").await.get(&format!("/api/v1/sessions/{session}/code")).await.ok(200)
}

async fn signed_up(app: &TestApp, activity: &Made, name: &str) -> Actor {
    let worker = app.worker(name).await;
    worker.sign_up(activity).await.ok(201);
    worker
}

async fn standing(app: &TestApp, session: SessionId) -> Value {
    app.staff("gate").await.get(&format!("/api/v1/sessions/{session}/standing")).await.ok(200)
}

async fn outcomes(app: &TestApp) -> Vec<String> {
    app.read(|c| Ok(scans::table.order(scans::outcome).select(scans::outcome).load(c)?)).await
}

async fn a_worker_scans_the_code_and_the_place_makes_the_grade(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let organiser = app.staff("organiser").await;
    let fence = json!({ "latitude": 22.6891, "longitude": 114.1132, "metres": 150 });
    let path = format!("/api/v1/sessions/{}/fences", activity.session);
    for _ in 0..2 {
        organiser.post(&path, fence.clone()).await.ok(200);
    }
    let shown = code(&app, activity.session).await["code"].clone();
    for (name, position, grade) in [
        ("zhang", Some(json!({ "latitude": 22.6900, "longitude": 114.1132 })), "A"),
        ("li", Some(json!({ "latitude": 22.7500, "longitude": 114.1132 })), "C"),
        ("wang", None, "C"),
    ] {
        let worker = signed_up(&app, &activity, name).await;
        let mut body = json!({ "code": shown });
        if let Some(position) = position {
            body["position"] = position;
        }
        let view = worker.post("/api/v1/me/checkins", body.clone()).await.ok(200);
        assert_eq!((&view["grade"], &view["method"]), (&json!(grade), &json!("self_scan")), "{name}");
        assert_eq!(worker.post("/api/v1/me/checkins", body).await.ok(200)["already_present"], true);
    }
    let far: Vec<Option<String>> =
        app.read(|c| Ok(scans::table.select(scans::distance).distinct().load(c)?)).await;
    assert_eq!(far.len(), 3, "inside, far and unknown are all that is kept: {far:?}");
    app.run_jobs().await;
}

async fn an_old_code_and_a_made_up_one_let_nobody_in(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let zhang = signed_up(&app, &activity, "zhang").await;
    let shown = code(&app, activity.session).await["code"].as_str().unwrap().to_owned();
    app.advance(TimeDelta::minutes(3));
    zhang.post("/api/v1/me/checkins", json!({ "code": shown })).await.problem(409, "code_invalid");
    for made_up in ["x", "AAAA", &zhang.pass().await] {
        zhang.post("/api/v1/me/checkins", json!({ "code": made_up })).await.problem(409, "code_invalid");
    }
    let stranger = app.worker("stranger").await;
    let shown = code(&app, activity.session).await["code"].clone();
    let body = json!({ "code": shown });
    stranger.post("/api/v1/me/checkins", body.clone()).await.problem(409, "checkin_not_signed_up");
    assert_eq!(outcomes(&app).await, ["code_invalid", "not_signed_up"], "what names a session is kept");
    zhang.post("/api/v1/me/checkins", body).await.ok(200);
    app.run_jobs().await;
}

async fn codes_are_pictures_too(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let gate = app.staff("gate").await;
    for (kind, media) in [("code-picture", "image/png"), ("code-wechat", "image/jpeg")] {
        let reply = gate.get(&format!("/api/v1/sessions/{}/{kind}", activity.session)).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(media)));
        assert!(reply.text.len() > 20);
    }
    let worker = app.worker("zhang").await;
    worker.get(&format!("/api/v1/sessions/{}/code", activity.session)).await.problem(403, "forbidden");
    app.run_jobs().await;
}

async fn six_digits_are_good_for_five_tries(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let (zhang, li) = (signed_up(&app, &activity, "zhang").await, signed_up(&app, &activity, "li").await);
    let path = format!("/api/v1/sessions/{}/spoken-checkins", activity.session);
    let digits = code(&app, activity.session).await["digits"].as_str().unwrap().to_owned();
    let wrong = if digits == "000000" { "000001" } else { "000000" };
    let view = zhang.post(&path, json!({ "digits": digits })).await.ok(200);
    assert_eq!((&view["grade"], &view["method"]), (&json!("C"), &json!("spoken_code")));
    for _ in 0..5 {
        li.post(&path, json!({ "digits": wrong })).await.problem(409, "code_invalid");
    }
    li.post(&path, json!({ "digits": digits })).await.problem(429, "rate_limited");
    li.post(&path, json!({ "digits": "12345" })).await.problem(422, "validation_failed");
    app.advance(TimeDelta::minutes(11));
    li.post(&path, json!({ "digits": digits })).await.problem(409, "code_invalid");
    app.run_jobs().await;
}

fn walk_in(phone: &str, name: &str) -> Value {
    json!({ "phone": phone, "name": name, "consent": true })
}

async fn a_walk_in_is_known_at_once_and_again(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let gate = app.staff("gate").await;
    let path = format!("/api/v1/sessions/{}/walk-ins", activity.session);
    let first = gate.post(&path, walk_in("13800138000", "张三丰")).await.ok(200);
    assert_eq!(
        (&first["method"], &first["grade"], &first["name_masked"]),
        (&json!("walk_in"), &json!("B"), &json!("张*丰"))
    );
    let again = gate.post(&path, walk_in("13800138000", "张三丰")).await.ok(200);
    assert_eq!((&again["already_present"], &again["person_id"]), (&json!(true), &first["person_id"]));
    // Somebody else with the same phone, as families have it.
    let other = gate.post(&path, walk_in("13800138000", "李四")).await.ok(200);
    assert_ne!(other["person_id"], first["person_id"]);
    assert_eq!(figure(&app, "07b").await, 2);
    let sealed: Vec<(Option<String>, Option<String>)> = app
        .read(|c| {
            let walked = people::table.filter(people::name.eq_any(["张三丰", "李四"]));
            Ok(walked.select((people::name, people::phone_sealed)).load(c)?)
        })
        .await;
    assert_eq!(sealed.len(), 2);
    assert!(sealed.iter().all(|(_, phone)| phone.as_ref().is_some_and(|text| !text.contains("138"))));
    let stand = standing(&app, activity.session).await;
    assert_eq!((&stand["walk_ins"], &stand["present"]), (&json!(2), &json!(2)));
    app.run_jobs().await;
}

async fn seats_of_those_who_are_expected_are_kept_from_walk_ins(app: TestApp) {
    let activity = app.activity(|a| a.capacity(2)).await;
    let zhang = signed_up(&app, &activity, "zhang").await;
    let gate = app.staff("gate").await;
    let path = format!("/api/v1/sessions/{}/walk-ins", activity.session);
    gate.post(&path, walk_in("13800138000", "李四")).await.ok(200);
    gate.post(&path, walk_in("13800138001", "王五")).await.problem(409, "checkin_full");
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    gate.post(&path, walk_in("13800138001", "王五")).await.problem(409, "checkin_full");
    assert_eq!(outcomes(&app).await, ["accepted", "accepted", "full", "full"]);
    app.run_jobs().await;
}

async fn a_walk_in_may_come_to_help(app: TestApp) {
    let activity = app.activity(|a| a.programme("demo-craftsman-support").capacity(1)).await;
    let gate = app.staff("gate").await;
    let path = format!("/api/v1/sessions/{}/walk-ins", activity.session);
    let as_role = |number: u32, role: &str| {
        let mut body = walk_in(&format!("1380013800{number}"), "张三丰");
        body["role"] = json!(role);
        body
    };
    gate.post(&path, as_role(0, "participant")).await.ok(200);
    // Who helps takes nobody's place.
    gate.post(&path, as_role(1, "expert")).await.ok(200);
    gate.post(&path, as_role(2, "participant")).await.problem(409, "checkin_full");
    assert_eq!((figure(&app, "09c").await, figure(&app, "09e").await), (1, 1));
    let problem = gate.post(&path, as_role(3, "gift")).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/role");
    gate.post(&path, as_role(3, "guest")).await.problem(422, "validation_failed");
    app.run_jobs().await;
}

async fn a_walk_in_needs_consent_and_what_the_activity_asks_for(app: TestApp) {
    let activity = app.activity(|a| a.set("members_only", json!(true))).await;
    let gate = app.staff("gate").await;
    let path = format!("/api/v1/sessions/{}/walk-ins", activity.session);
    let wrong = json!({ "phone": "123456789012", "name": "张三", "consent": false });
    let problem = gate.post(&path, wrong).await.problem(422, "validation_failed");
    let named: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["/phone", "/consent"]);
    let known: i64 =
        app.read(|c| Ok(people::table.filter(people::name.eq("张三")).count().get_result(c)?)).await;
    assert_eq!(known, 0, "without consent nothing is kept");
    gate.post(&path, walk_in("13800138000", "李四")).await.problem(409, "checkin_not_eligible");
    let person =
        app.read(|c| Ok(people::table.filter(people::name.eq("李四")).select(people::id).first(c)?)).await;
    membership::verified(&app, person, "demo-enterprise-pinghu-1").await;
    gate.post(&path, walk_in("13800138000", "李四")).await.ok(200);
    app.run_jobs().await;
}

async fn two_walk_ins_of_one_number_are_one_person(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let (gate, other) = (app.staff("gate").await, app.second_instance().await);
    let path = format!("/api/v1/sessions/{}/walk-ins", activity.session);
    let calls = (0..10).map(|n| {
        let gate = if n % 2 == 0 { gate.clone() } else { gate.at(&other) };
        let path = path.clone();
        async move { gate.post(&path, walk_in("13800138000", "张三丰")).await.ok(200)["person_id"].clone() }
    });
    let all = futures_util::future::join_all(calls).await;
    assert!(all.iter().all(|person| *person == all[0]), "{all:?}");
    assert_eq!(figure(&app, "07b").await, 1);
    app.run_jobs().await;
}

async fn the_list_checks_everybody_in_but_the_absent(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let gate = app.staff("gate").await;
    let zhang = signed_up(&app, &activity, "zhang").await;
    for name in ["li", "wang"] {
        signed_up(&app, &activity, name).await;
    }
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    let roster = gate.get(&format!("/api/v1/activities/{}/signups", activity.id)).await.ok(200);
    let absent = roster["items"][2]["signup_id"].clone();
    let path = format!("/api/v1/sessions/{}/roster-checkins", activity.session);
    let view = gate.post(&path, json!({ "absent": [absent] })).await.ok(200);
    assert_eq!(view, json!({ "checked_in": 1, "already_present": 1, "absent": 1, "refused": 0 }));
    let list = gate.get(&format!("/api/v1/sessions/{}/checkins", activity.session)).await.ok(200);
    let mut grades: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|one| one["grade"].as_str().unwrap()).collect();
    grades.sort_unstable();
    assert_eq!(grades, ["B", "C"], "a tick proves less than a scan");
    assert_eq!(figure(&app, "07b").await, 2);
    app.run_jobs().await;
}

async fn a_signed_sheet_counts_when_another_has_compared_it(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let (gate, organiser) = (app.staff("gate").await, app.staff("organiser").await);
    let mut signups = Vec::new();
    for name in ["zhang", "li"] {
        let worker = app.worker(name).await;
        signups.push(worker.sign_up(&activity).await.ok(201)["id"].clone());
    }
    let path = format!("/api/v1/sessions/{}/sheets", activity.session);
    let wrong = json!({ "signup_ids": [signups[0], signups[0], "sgn_01k5b8m3q2e9t8h6y1v7z4w0xn"] });
    let problem = gate.post(&path, wrong).await.problem(422, "validation_failed");
    let named: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["/signup_ids/1", "/signup_ids/2"]);
    let sheet = gate.post(&path, json!({ "signup_ids": signups })).await.ok(201);
    assert_eq!((&sheet["state"], &sheet["lines"]), (&json!("typed"), &json!(2)));
    assert_eq!(figure(&app, "07b").await, 0, "it does not count before");
    let checks = format!("/api/v1/sheets/{}/checks", sheet["id"].as_str().unwrap());
    gate.post(&checks, json!({ "agrees": true })).await.problem(403, "sheet_own");
    let done = organiser.post(&checks, json!({ "agrees": true })).await.ok(200);
    assert_eq!((&done["state"], &done["refused"]), (&json!("confirmed"), &json!(0)));
    organiser.post(&checks, json!({ "agrees": false })).await.problem(409, "state_forbids");
    assert_eq!(figure(&app, "07b").await, 2);
    let list = gate.get(&format!("/api/v1/sessions/{}/checkins", activity.session)).await.ok(200);
    assert!(
        list["items"].as_array().unwrap().iter().all(|one| one["grade"] == "B" && one["method"] == "sheet")
    );
    let sheets = gate.get(&path).await.ok(200);
    assert_eq!(sheets["items"].as_array().unwrap().len(), 1);
    app.run_jobs().await;
}

async fn the_checker_sees_the_paper_and_who_is_on_it(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let (gate, organiser) = (app.staff("gate").await, app.staff("organiser").await);
    let zhang = app.worker("zhang").await;
    zhang.set_profile("张三丰", None).await;
    let signup = zhang.sign_up(&activity).await.ok(201)["id"].clone();
    let (photo, form) = (samples::png(2, 2), samples::pdf("x"));
    let form = files::send(&gate, "document", "a.pdf", &form).await.ok(201)["id"].clone();
    let picture = files::send(&gate, "photo", "a.png", &photo).await.ok(201)["id"].clone();
    let path = format!("/api/v1/sessions/{}/sheets", activity.session);
    let body = |photos: &[&Value]| json!({ "signup_ids": [signup], "photo_ids": photos });
    let problem = gate.post(&path, body(&[&form])).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/photo_ids");
    organiser.post(&path, body(&[&picture])).await.problem(409, "file_unusable");
    let reply = gate.post(&path, body(&[&picture])).await;
    let sheet = reply.expect(201).body.clone();
    assert_eq!(sheet["photo_ids"], json!([picture]));
    gate.post(&path, body(&[&picture])).await.problem(409, "file_unusable");
    // Before signing, the checker reads who was typed in, and the paper.
    let seen = organiser.get(reply.header("location").unwrap()).await.ok(200);
    assert_eq!((&seen["state"], &seen["photo_ids"]), (&json!("typed"), &json!([picture])));
    let person = json!({ "number": 1, "person_id": zhang.person(), "name_masked": "张*丰" });
    assert_eq!(seen["people"], json!([person]));
    let content = format!("/api/v1/files/{}/content", picture.as_str().unwrap());
    let (status, _, bytes) = files::bytes(&organiser, &content).await;
    assert!(status == 200 && !bytes.is_empty());
    let elsewhere = crate::access::staff_of(&app, "buji", "checkin_staff", "street-buji").await;
    for stranger in [&elsewhere, &zhang] {
        stranger.get(&content).await.problem(404, "not_found");
    }
    elsewhere.get(reply.header("location").unwrap()).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn the_excused_owe_nothing(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let (zhang, gate) = (signed_up(&app, &activity, "zhang").await, app.staff("gate").await);
    for name in ["li", "wang"] {
        signed_up(&app, &activity, name).await;
    }
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    let roster = gate.get(&format!("/api/v1/activities/{}/signups", activity.id)).await.ok(200);
    let path = format!("/api/v1/sessions/{}/excuses", activity.session);
    let body = json!({ "signup_id": roster["items"][1]["signup_id"], "ground": "duty", "note": "临时加班" });
    gate.post(&path, body.clone()).await.ok(200);
    let stand = gate.post(&path, body).await.ok(200);
    assert_eq!((&stand["expected"], &stand["present"], &stand["excused"]), (&json!(3), &json!(1), &json!(1)));
    assert!(stand.get("absent").is_none(), "nobody is absent before the end");
    app.advance(TimeDelta::hours(4));
    let mut gate = gate;
    gate.log_in().await;
    gate.finalise(activity.session).await.ok(200);
    let absent =
        gate.get(&format!("/api/v1/sessions/{}/standing", activity.session)).await.ok(200)["absent"].clone();
    assert_eq!(absent, 1);
    let given: i64 = app.read(|c| Ok(penalties::table.count().get_result(c)?)).await;
    assert_eq!(given, 1, "of the one who is neither there nor excused");
    app.run_jobs().await;
}

async fn what_is_taken_back_counts_no_more_and_may_be_said_again(app: TestApp) {
    let activity = app.activity(|a| a).await;
    let (zhang, gate) = (signed_up(&app, &activity, "zhang").await, app.staff("gate").await);
    let first = gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    assert_eq!(figure(&app, "07b").await, 1);
    let path = format!("/api/v1/checkins/{}/undoings", first["id"].as_str().unwrap());
    gate.post(&path, json!({ "reason": "扫错了人" })).await.ok(200);
    gate.post(&path, json!({ "reason": "扫错了人" })).await.problem(409, "checkin_not_present");
    assert_eq!(figure(&app, "07b").await, 0);
    assert_eq!(zhang.get("/api/v1/me/signups").await.ok(200)["items"][0]["state"], "confirmed");
    assert_eq!(standing(&app, activity.session).await["present"], 0);
    assert_eq!(outcomes(&app).await, ["undone"]);
    let again = gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    assert_eq!((&again["already_present"], &again["id"]), (&json!(false), &first["id"]));
    assert_eq!(figure(&app, "07b").await, 1);
    app.advance(TimeDelta::hours(4));
    let mut gate = gate;
    gate.log_in().await;
    gate.finalise(activity.session).await.ok(200);
    gate.post(&path, json!({ "reason": "扫错了人" })).await.problem(409, "session_finalised");
    app.run_jobs().await;
}

async fn who_is_checked_out_has_their_minutes(app: TestApp) {
    let hours = TimeDelta::hours;
    let activity = app.activity(|a| a.sessions(&[(hours(1), hours(3))]).signup(hours(-1), hours(1))).await;
    let (mut zhang, mut li) =
        (signed_up(&app, &activity, "zhang").await, signed_up(&app, &activity, "li").await);
    let mut gate = app.staff("gate").await;
    let out = format!("/api/v1/sessions/{}/checkouts", activity.session);
    gate.post(&out, json!({ "pass": zhang.pass().await })).await.problem(409, "checkin_not_present");
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    app.advance(TimeDelta::minutes(75));
    for actor in [&mut zhang, &mut li, &mut gate] {
        actor.log_in().await;
    }
    gate.scan(activity.session, &li.pass().await).await.ok(200);
    app.advance(TimeDelta::minutes(30));
    for actor in [&mut zhang, &mut gate] {
        actor.log_in().await;
    }
    let left = gate.post(&out, json!({ "pass": zhang.pass().await })).await.ok(200);
    assert!(left["left_at"].is_string());
    let stand = standing(&app, activity.session).await;
    assert_eq!((&stand["late"], &stand["left_early"]), (&json!(1), &json!(1)));
    // Zhang from the begin for 45 minutes, Li from a quarter past to the end.
    assert_eq!((&stand["minutes"], &stand["hours"]), (&json!(45 + 105), &json!(3)));
    app.run_jobs().await;
}
