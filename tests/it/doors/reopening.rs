//! A finalised session is opened again: what finalising did is taken back, corrected, and done anew.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::SessionId;
use unionhall::platform::db::schema::{penalties, plan_periods, sessions};
use unionhall::signup::penalty::model::PenaltyState;

use super::completing::{completed, course, finalise, placed};
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::headcounts;

pub const TESTS: &[Test] = tests![
    what_finalising_did_is_taken_back_and_done_anew,
    a_penalty_comes_back_as_it_was,
    a_judged_penalty_comes_back_as_it_was,
    what_is_not_finalised_or_closed_stays,
    a_closed_month_keeps_its_sessions,
    of_two_who_open_it_one_does,
    one_of_several_sessions_leaves_the_others,
    a_crowd_is_counted_all_the_while,
];

async fn reopen(actor: &Actor, session: SessionId) -> Reply {
    actor.post(&format!("/api/v1/sessions/{session}/reopenings"), json!({ "reason": "漏录一张签到表" })).await
}

async fn fresh(app: &TestApp, name: &str) -> Actor {
    let mut actor = app.staff(name).await;
    actor.log_in().await;
    actor
}

async fn figures(app: &TestApp) -> (i64, i64) {
    let path = "/api/v1/plans/2025/progress?targets=07a,07b";
    let progress = fresh(app, "planner").await.get(path).await.ok(200);
    let value = |n: usize| progress["targets"][n]["value"].as_i64().unwrap();
    (value(0), value(1))
}

async fn points(person: &Actor) -> i64 {
    let mut person = person.clone();
    person.log_in().await;
    person.get("/api/v1/me/penalties").await.ok(200)["points"].as_i64().unwrap()
}

async fn states(app: &TestApp) -> Vec<PenaltyState> {
    app.read(|c| Ok(penalties::table.order(penalties::id).select(penalties::state).load(c)?)).await
}

async fn what_finalising_did_is_taken_back_and_done_anew(app: TestApp) {
    let course = course(&app, 1, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let (li, of_li) = placed(&app, &course, "li").await;
    app.staff("gate").await.scan(course.session, &zhang.pass().await).await.ok(200);
    finalise(&app, course.session).await;
    assert_eq!((figures(&app).await, points(&li).await), ((1, 1), 2));
    assert_eq!(completed(&app, course.id).await.len(), 1);
    // A day later, when the door has long been closed, a sheet is found.
    app.advance(TimeDelta::days(1));
    let (gate, path) = (fresh(&app, "gate").await, format!("/api/v1/sessions/{}/reopenings", course.session));
    let body = json!({ "reason": "漏录一张签到表" });
    let first = gate.post_keyed("open-it-again", &path, body.clone()).await;
    assert_eq!((&first.body["state"], first.body.get("held")), (&json!("planned"), None), "{}", first.text);
    assert_eq!(gate.post_keyed("open-it-again", &path, body).await.text, first.text);
    assert_eq!((figures(&app).await, points(&li).await), ((0, 1), 0), "whoever was there was there");
    assert!(completed(&app, course.id).await.is_empty());
    assert_eq!(gate.get(&format!("/api/v1/activities/{}", course.id)).await.ok(200)["phase"], "running");
    let trail = fresh(&app, "auditor").await;
    let entries = trail.get(&format!("/api/v1/audit-entries?object={}", course.session)).await.ok(200);
    let entry = entries["items"].as_array().unwrap().iter().find(|one| one["action"] == "session.reopen");
    assert_eq!(entry.unwrap()["detail"]["reason"], "漏录一张签到表");
    let mut li = li;
    li.log_in().await;
    gate.scan(course.session, &li.pass().await).await.problem(409, "checkin_not_open");
    let sheet = json!({ "signup_ids": [of_li] });
    let sheet = gate.post(&format!("/api/v1/sessions/{}/sheets", course.session), sheet).await.ok(201);
    let checks = format!("/api/v1/sheets/{}/checks", sheet["id"].as_str().unwrap());
    fresh(&app, "organiser").await.post(&checks, json!({ "agrees": true })).await.ok(200);
    let done = finalise(&app, course.session).await;
    assert_eq!(
        (&done["held"], &done["present"], &done["state"]),
        (&json!(true), &json!(2), &json!("finalised"))
    );
    assert_eq!((figures(&app).await, points(&li).await), ((1, 2), 0));
    assert_eq!(states(&app).await, [PenaltyState::Waived], "they came after all");
    assert_eq!(completed(&app, course.id).await.len(), 2);
    gate.post(&format!("/api/v1/sessions/{}/sheets", course.session), json!({ "signup_ids": [of_li] }))
        .await
        .problem(409, "session_finalised");
    app.run_jobs().await;
}

async fn a_penalty_comes_back_as_it_was(app: TestApp) {
    let course = course(&app, 1, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let (li, _) = placed(&app, &course, "li").await;
    let (wang, _) = placed(&app, &course, "wang").await;
    let gate = app.staff("gate").await;
    gate.scan(course.session, &zhang.pass().await).await.ok(200);
    finalise(&app, course.session).await;
    // Wang says why; nobody has judged it.
    let theirs = wang.get("/api/v1/me/penalties").await.ok(200)["items"][0]["id"].clone();
    let appeal = json!({ "ground": "duty", "text": "厂里临时加班" });
    wang.post(&format!("/api/v1/penalties/{}/appeals", theirs.as_str().unwrap()), appeal).await.ok(200);
    reopen(&gate, course.session).await.ok(200);
    assert_eq!(states(&app).await, [PenaltyState::Waived, PenaltyState::Waived]);
    assert_eq!((points(&li).await, points(&wang).await), (0, 0));
    finalise(&app, course.session).await;
    let mut after = states(&app).await;
    after.sort();
    assert_eq!(after, [PenaltyState::Live, PenaltyState::Contested], "no second penalty, and nothing judged");
    assert_eq!((points(&li).await, points(&wang).await), (2, 0));
    // And once more, with Li excused meanwhile.
    reopen(&gate, course.session).await.ok(200);
    let roster = gate.get(&format!("/api/v1/activities/{}/signups", course.id)).await.ok(200);
    let items = roster["items"].as_array().unwrap();
    let of_li = items.iter().find(|one| one["person_id"] == json!(li.person())).unwrap()["signup_id"].clone();
    let body = json!({ "signup_id": of_li, "ground": "illness" });
    gate.post(&format!("/api/v1/sessions/{}/excuses", course.session), body).await.ok(200);
    finalise(&app, course.session).await;
    assert_eq!(points(&li).await, 0);
    app.run_jobs().await;
}

async fn a_judged_penalty_comes_back_as_it_was(app: TestApp) {
    let course = course(&app, 1, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let gate = app.staff("gate").await;
    gate.scan(course.session, &zhang.pass().await).await.ok(200);
    let mut judged = Vec::new();
    for (name, decision) in [("li", "uphold"), ("wang", "waive")] {
        let (person, _) = placed(&app, &course, name).await;
        judged.push((person, decision));
    }
    finalise(&app, course.session).await;
    let reviewer = app.staff("reviewer").await;
    for (person, decision) in &judged {
        let id = person.get("/api/v1/me/penalties").await.ok(200)["items"][0]["id"].clone();
        let path = format!("/api/v1/penalties/{}", id.as_str().unwrap());
        let appeal = json!({ "ground": "duty", "text": "厂里临时加班" });
        person.post(&format!("{path}/appeals"), appeal).await.ok(200);
        let body = json!({ "decision": decision, "reason": "情况已核实" });
        reviewer.post(&format!("{path}/decisions"), body).await.ok(200);
    }
    reopen(&gate, course.session).await.ok(200);
    finalise(&app, course.session).await;
    let mut after = states(&app).await;
    after.sort();
    assert_eq!(after, [PenaltyState::Waived, PenaltyState::Upheld], "what an officer has said stands");
    assert_eq!((points(&judged[0].0).await, points(&judged[1].0).await), (2, 0));
    app.run_jobs().await;
}

async fn what_is_not_finalised_or_closed_stays(app: TestApp) {
    let course = course(&app, 2, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let gate = app.staff("gate").await;
    reopen(&gate, course.session).await.problem(409, "state_forbids");
    gate.scan(course.session, &zhang.pass().await).await.ok(200);
    finalise(&app, course.session).await;
    let path = format!("/api/v1/sessions/{}/reopenings", course.session);
    gate.post(&path, json!({ "reason": "x" })).await.problem(422, "validation_failed");
    let elsewhere = crate::access::staff_of(&app, "buji", "checkin_staff", "street-buji").await;
    reopen(&elsewhere, course.session).await.problem(404, "not_found");
    reopen(&gate, course.session).await.ok(200);
    finalise(&app, course.session).await;
    // What is voided is gone.
    let organiser = app.staff("organiser").await;
    let off = format!("/api/v1/sessions/{}/cancellations", course.session);
    organiser.post(&off, json!({ "reason": "误结算" })).await.ok(200);
    reopen(&gate, course.session).await.problem(409, "state_forbids");
    // Whatever the plan of that year has closed over stays as it is.
    app.advance(TimeDelta::minutes(60));
    finalise(&app, course.sessions[1]).await;
    app.run_jobs().await;
    app.advance(TimeDelta::days(198));
    reopen(&fresh(&app, "gate").await, course.sessions[1]).await.ok(200);
    finalise(&app, course.sessions[1]).await;
    app.advance(TimeDelta::days(1));
    reopen(&fresh(&app, "gate").await, course.sessions[1]).await.problem(409, "session_month_closed");
    app.run_jobs().await;
}

async fn a_closed_month_keeps_its_sessions(app: TestApp) {
    let course = course(&app, 1, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    app.staff("gate").await.scan(course.session, &zhang.pass().await).await.ok(200);
    finalise(&app, course.session).await;
    app.run_jobs().await;
    app.advance(TimeDelta::days(16));
    reopen(&fresh(&app, "gate").await, course.session).await.ok(200);
    finalise(&app, course.session).await;
    let (one, other) = (app.staff("planner").await.person(), app.staff("admin").await.person());
    let at = db_time(app.now());
    // As two officers of the district leave it.
    app.write(move |c| {
        let june = chrono::NaiveDate::from_ymd_opt(2025, 6, 1).unwrap();
        let month = plan_periods::table
            .filter(plan_periods::kind.eq("month"))
            .filter(plan_periods::starts_on.eq(june));
        let closed = (
            plan_periods::state.eq("hard"),
            plan_periods::proposed_by.eq(one),
            plan_periods::proposed_at.eq(at),
            plan_periods::closed_by.eq(other),
            plan_periods::closed_at.eq(at),
        );
        assert!(diesel::update(month).set(closed).execute(c)? > 0);
        Ok(())
    })
    .await;
    reopen(&fresh(&app, "gate").await, course.session).await.problem(409, "session_month_closed");
    assert_eq!((figures(&app).await, completed(&app, course.id).await.len()), ((1, 1), 1));
    app.run_jobs().await;
}

async fn of_two_who_open_it_one_does(app: TestApp) {
    let other = app.second_instance().await;
    let course = course(&app, 1, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let gate = app.staff("gate").await;
    gate.scan(course.session, &zhang.pass().await).await.ok(200);
    finalise(&app, course.session).await;
    for _ in 0..4 {
        let elsewhere = gate.at(&other);
        let (one, two) = tokio::join!(reopen(&gate, course.session), reopen(&elsewhere, course.session));
        let mut both = [one.status, two.status];
        both.sort_unstable();
        assert_eq!(both, [200, 409], "{} {}", one.text, two.text);
        let (one, two) = tokio::join!(gate.finalise(course.session), reopen(&elsewhere, course.session));
        assert_eq!(one.status, 200, "{}", one.text);
        if two.status == 200 {
            gate.finalise(course.session).await.ok(200);
        }
        assert_eq!(completed(&app, course.id).await.len(), 1);
    }
    assert_eq!(figures(&app).await, (1, 1));
    app.run_jobs().await;
}

async fn one_of_several_sessions_leaves_the_others(app: TestApp) {
    let course = course(&app, 2, "sessions", 50).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let gate = app.staff("gate").await;
    for session in &course.sessions {
        gate.scan(*session, &zhang.pass().await).await.ok(200);
    }
    app.advance(TimeDelta::minutes(60));
    for session in &course.sessions {
        finalise(&app, *session).await;
    }
    let before = figures(&app).await;
    assert_eq!(before, (2, 2));
    reopen(&fresh(&app, "gate").await, course.sessions[1]).await.ok(200);
    assert_eq!(figures(&app).await, (1, 2));
    assert_eq!(completed(&app, course.id).await.len(), 1, "one of two is enough");
    let kept: Vec<(SessionId, Option<bool>)> = app
        .read(|c| {
            Ok(sessions::table.order(sessions::number).select((sessions::id, sessions::held)).load(c)?)
        })
        .await;
    let held = |id: SessionId| kept.iter().find(|(one, _)| *one == id).unwrap().1;
    assert_eq!((held(course.sessions[0]), held(course.sessions[1])), (Some(true), None));
    finalise(&app, course.sessions[1]).await;
    assert_eq!(figures(&app).await, before);
    app.run_jobs().await;
}

async fn a_crowd_is_counted_all_the_while(app: TestApp) {
    let square = app.activity(headcounts::on_the_square).await;
    headcounts::counted(&app, square.session, 2000).await;
    let gate = app.staff("gate").await;
    let counted = headcounts::values(&app, "17a,17b").await;
    let done: Value = gate.finalise(square.session).await.ok(200);
    assert_eq!((&done["held"], &done["present"]), (&json!(true), &json!(0)));
    reopen(&gate, square.session).await.ok(200);
    assert_eq!(headcounts::values(&app, "17a,17b").await, counted, "it is counted by its own decision");
    assert_eq!(gate.finalise(square.session).await.ok(200)["held"], true);
    app.run_jobs().await;
}
