//! Who has completed an activity: by sessions, by hours, what is left out, what is taken back; and the rule as a setting of the activity.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::{ActivityId, SessionId};
use unionhall::platform::db::schema::completions;

use super::phone::Phone;
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_share_of_sessions_completes_without_those_that_fell_out,
    a_share_of_hours_counts_late_and_early,
    who_helps_completes_nothing_and_a_walk_in_does,
    a_scan_that_comes_late_completes_and_a_conflict_takes_back,
    an_excuse_after_the_end_counts_too,
    without_a_rule_nobody_completes_anything,
    the_rule_is_fixed_with_the_first_finalised_session,
    the_list_has_pages_and_a_scope,
];

const MINUTES: fn(i64) -> TimeDelta = TimeDelta::minutes;

/// An activity with sessions of 45 minutes one after the other, from now on.
pub async fn course(app: &TestApp, sessions: i64, of: &str, percent: i64) -> Made {
    let times: Vec<_> = (0..sessions).map(|n| (MINUTES(n * 45), MINUTES(n * 45 + 45))).collect();
    let rule = json!({ "of": of, "percent": percent });
    app.activity(|a| a.sessions(&times).signup(TimeDelta::days(-1), MINUTES(30)).set("completion", rule))
        .await
}

/// Somebody with a place, and their sign-up.
pub async fn placed(app: &TestApp, activity: &Made, name: &str) -> (Actor, String) {
    let worker = app.worker(name).await;
    let signup = worker.sign_up(activity).await.ok(201)["id"].as_str().unwrap().to_owned();
    (worker, signup)
}

async fn scanned(app: &TestApp, worker: &Actor, sessions: &[SessionId]) {
    let mut gate = app.staff("gate").await;
    gate.log_in().await;
    for session in sessions {
        gate.scan(*session, &worker.pass().await).await.ok(200);
    }
}

/// Finalises a session as staff who log in anew.
pub async fn finalise(app: &TestApp, session: SessionId) -> Value {
    let mut gate = app.staff("gate").await;
    gate.log_in().await;
    gate.finalise(session).await.ok(200)
}

/// Who has completed an activity, as many as they are.
pub async fn completed(app: &TestApp, activity: ActivityId) -> Vec<Value> {
    let mut gate = app.staff("gate").await;
    gate.log_in().await;
    let page = gate.get(&format!("/api/v1/activities/{activity}/completions")).await.ok(200);
    page["items"].as_array().unwrap().clone()
}

async fn names(app: &TestApp, activity: ActivityId, people: &[(&str, &Actor)]) -> Vec<String> {
    let rows = completed(app, activity).await;
    let is = |actor: &Actor| rows.iter().any(|row| row["person_id"] == json!(actor.person()));
    assert!(rows.len() <= people.len());
    people.iter().filter(|(_, actor)| is(actor)).map(|(name, _)| (*name).to_owned()).collect()
}

/// How far somebody is.
async fn own(worker: &mut Actor, signup: &str) -> Value {
    worker.log_in().await;
    worker.get(&format!("/api/v1/signups/{signup}/completion")).await.ok(200)
}

async fn a_share_of_sessions_completes_without_those_that_fell_out(app: TestApp) {
    let course = course(&app, 3, "sessions", 60).await;
    assert_eq!(course.body["completion"], json!({ "of": "sessions", "percent": 60 }));
    let (mut zhang, of_zhang) = placed(&app, &course, "zhang").await;
    let (mut li, of_li) = placed(&app, &course, "li").await;
    let (mut wang, of_wang) = placed(&app, &course, "wang").await;
    let [first, second, third] = course.sessions[..] else { panic!("three sessions") };
    scanned(&app, &zhang, &[first, second]).await;
    scanned(&app, &li, &[first]).await;
    scanned(&app, &wang, &[first]).await;
    let excuse = json!({ "signup_id": of_wang, "ground": "duty" });
    app.staff("gate").await.post(&format!("/api/v1/sessions/{second}/excuses"), excuse).await.ok(200);
    finalise(&app, first).await;
    assert!(
        completed(&app, course.id).await.is_empty(),
        "one of three is not enough, and being there is not yet"
    );
    let seen = own(&mut zhang, &of_zhang).await;
    assert_eq!((&seen["state"], &seen["missing_sessions"]), (&json!("open"), &json!(1)));
    assert_eq!((&seen["sessions"], &seen["of_sessions"], &seen["hours"]), (&json!(1), &json!(3), &json!(1)));
    assert!(seen.get("completed_at").is_none() && seen.get("missing_minutes").is_none());
    app.advance(MINUTES(60));
    finalise(&app, second).await;
    let all = [("zhang", &zhang), ("li", &li), ("wang", &wang)];
    assert_eq!(names(&app, course.id, &all).await, ["zhang"]);
    // The third does not take place: two sessions are left, for who was excused one.
    let mut organiser = app.staff("organiser").await;
    organiser.log_in().await;
    let off = json!({ "reason": "台风" });
    organiser.post(&format!("/api/v1/sessions/{third}/cancellations"), off.clone()).await.ok(200);
    assert_eq!(names(&app, course.id, &all).await, ["zhang", "wang"]);
    let seen = own(&mut zhang, &of_zhang).await;
    assert_eq!((&seen["state"], &seen["of_sessions"]), (&json!("completed"), &json!(2)));
    assert_eq!(
        (&seen["minutes"], &seen["hours"], &seen["missing_sessions"]),
        (&json!(90), &json!(2), &json!(0))
    );
    assert!(seen["completed_at"].is_string());
    let seen = own(&mut li, &of_li).await;
    assert_eq!((&seen["state"], &seen["missing_sessions"]), (&json!("missed"), &json!(1)));
    let seen = own(&mut wang, &of_wang).await;
    assert_eq!((&seen["of_sessions"], &seen["state"]), (&json!(1), &json!("completed")));
    // The first is found not to have taken place: now Wang has nothing, Li neither, and Zhang the only one that is left.
    organiser.post(&format!("/api/v1/sessions/{first}/cancellations"), off).await.ok(200);
    let all = [("zhang", &zhang), ("li", &li), ("wang", &wang)];
    assert_eq!(names(&app, course.id, &all).await, ["zhang"]);
    let kept: Vec<bool> =
        app.read(move |c| Ok(completions::table.select(completions::taken_back_at.is_null()).load(c)?)).await;
    assert_eq!(
        (kept.len(), kept.iter().filter(|stands| **stands).count()),
        (2, 1),
        "what is taken back is history"
    );
    assert_eq!(own(&mut wang, &of_wang).await["state"], "missed");
    app.run_jobs().await;
}

async fn a_share_of_hours_counts_late_and_early(app: TestApp) {
    let course = course(&app, 2, "hours", 80).await;
    let (mut zhang, of_zhang) = placed(&app, &course, "zhang").await;
    let (mut li, of_li) = placed(&app, &course, "li").await;
    let (mut wang, of_wang) = placed(&app, &course, "wang").await;
    scanned(&app, &zhang, &course.sessions).await;
    scanned(&app, &wang, &course.sessions).await;
    // 72 of 90 minutes are needed. Li comes 20 minutes late; Wang leaves the first one 18 minutes early, which is just enough.
    app.advance(MINUTES(20));
    li.log_in().await;
    scanned(&app, &li, &course.sessions).await;
    app.advance(MINUTES(7));
    let (mut gate, first) = (app.staff("gate").await, course.session);
    gate.log_in().await;
    wang.log_in().await;
    let out = json!({ "pass": wang.pass().await });
    gate.post(&format!("/api/v1/sessions/{first}/checkouts"), out).await.ok(200);
    app.advance(MINUTES(40));
    finalise(&app, first).await;
    assert!(completed(&app, course.id).await.is_empty());
    finalise(&app, course.sessions[1]).await;
    let seen = own(&mut li, &of_li).await;
    assert_eq!(
        (&seen["state"], &seen["minutes"], &seen["missing_minutes"]),
        (&json!("missed"), &json!(70), &json!(2))
    );
    assert_eq!((&seen["sessions"], &seen["of_minutes"], &seen["hours"]), (&json!(2), &json!(90), &json!(1)));
    assert_eq!(own(&mut wang, &of_wang).await["minutes"], 72);
    assert_eq!(own(&mut zhang, &of_zhang).await["minutes"], 90);
    assert_eq!(names(&app, course.id, &[("z", &zhang), ("l", &li), ("w", &wang)]).await, ["z", "w"]);
    app.run_jobs().await;
}

async fn who_helps_completes_nothing_and_a_walk_in_does(app: TestApp) {
    use unionhall::offering::model::AttendanceRole;
    use unionhall::platform::db::schema::signups;
    let course = course(&app, 1, "sessions", 100).await;
    let (helper, _) = placed(&app, &course, "helper").await;
    let person = helper.person();
    app.write(move |c| {
        let theirs = diesel::update(signups::table.filter(signups::person_id.eq(person)));
        Ok(theirs.set(signups::role.eq(AttendanceRole::Observer)).execute(c)?)
    })
    .await;
    scanned(&app, &helper, &course.sessions).await;
    let body = json!({ "phone": "13800138000", "name": "张三丰", "consent": true });
    let path = format!("/api/v1/sessions/{}/walk-ins", course.session);
    let came = app.staff("gate").await.post(&path, body).await.ok(200);
    finalise(&app, course.session).await;
    let rows = completed(&app, course.id).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["person_id"], &rows[0]["name_masked"]), (&came["person_id"], &json!("张*丰")));
    assert_eq!((&rows[0]["sessions"], &rows[0]["hours"]), (&json!(1), &json!(1)));
    app.run_jobs().await;
}

async fn a_scan_that_comes_late_completes_and_a_conflict_takes_back(app: TestApp) {
    let course = course(&app, 1, "sessions", 100).await;
    let (zhang, _) = placed(&app, &course, "zhang").await;
    let (li, _) = placed(&app, &course, "li").await;
    let mut phone = Phone::enrol(&app, course.session).await;
    scanned(&app, &li, &course.sessions).await;
    let scan = phone.scans(&app, &zhang.pass().await, app.now());
    finalise(&app, course.session).await;
    assert_eq!(names(&app, course.id, &[("z", &zhang), ("l", &li)]).await, ["l"]);
    assert_eq!(phone.outcomes(&app, std::slice::from_ref(&scan)).await, ["ACCEPTED accepted"]);
    assert_eq!(names(&app, course.id, &[("z", &zhang), ("l", &li)]).await, ["z", "l"]);
    // The same time elsewhere, and earlier: the desk decides where they were, and until then they were not here.
    let other = app.activity(|a| a).await;
    zhang.sign_up(&other).await.ok(201);
    let mut elsewhere = Phone::enrol(&app, other.session).await;
    let pass = zhang.pass().await;
    let earlier = elsewhere.scans(&app, &pass, app.now() - TimeDelta::seconds(5));
    assert_eq!(elsewhere.outcomes(&app, &[earlier]).await, ["ACCEPTED accepted"]);
    assert_eq!(names(&app, course.id, &[("z", &zhang), ("l", &li)]).await, ["l"], "taken back");
    assert_eq!(phone.outcomes(&app, &[scan]).await, ["CONFLICT conflict"]);
    app.run_jobs().await;
}

async fn an_excuse_after_the_end_counts_too(app: TestApp) {
    let course = course(&app, 2, "sessions", 100).await;
    let (zhang, signup) = placed(&app, &course, "zhang").await;
    let (li, _) = placed(&app, &course, "li").await;
    scanned(&app, &zhang, &course.sessions[..1]).await;
    scanned(&app, &li, &course.sessions).await;
    finalise(&app, course.sessions[0]).await;
    app.advance(MINUTES(60));
    finalise(&app, course.sessions[1]).await;
    assert_eq!(names(&app, course.id, &[("z", &zhang), ("l", &li)]).await, ["l"]);
    let mut gate = app.staff("gate").await;
    gate.log_in().await;
    let path = format!("/api/v1/sessions/{}/excuses", course.sessions[1]);
    gate.post(&path, json!({ "signup_id": signup, "ground": "illness" })).await.ok(200);
    assert_eq!(names(&app, course.id, &[("z", &zhang), ("l", &li)]).await, ["z", "l"]);
    app.run_jobs().await;
}

async fn without_a_rule_nobody_completes_anything(app: TestApp) {
    let activity = app.activity(|a| a).await;
    assert!(activity.body.get("completion").is_none());
    let (zhang, signup) = placed(&app, &activity, "zhang").await;
    scanned(&app, &zhang, &activity.sessions).await;
    finalise(&app, activity.session).await;
    zhang.get(&format!("/api/v1/signups/{signup}/completion")).await.problem(404, "not_found");
    let path = format!("/api/v1/activities/{}/completions", activity.id);
    app.staff("gate").await.get(&path).await.problem(404, "not_found");
    // What is one's own is nobody else's.
    let course = course(&app, 1, "sessions", 1).await;
    let (_, signup) = placed(&app, &course, "li").await;
    zhang.get(&format!("/api/v1/signups/{signup}/completion")).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn the_rule_is_fixed_with_the_first_finalised_session(app: TestApp) {
    let course = course(&app, 2, "sessions", 60).await;
    let organiser = app.staff("organiser").await;
    let path = format!("/api/v1/managed-activities/{}", course.id);
    let mut change = json!({ "title": "改", "summary": "", "venue": "新址", "address": "", "capacity": 20,
        "signup_opens_at": course.body["signup_opens_at"], "signup_closes_at": course.body["signup_closes_at"] });
    let kept = organiser.put(&path, &organiser.get(&path).await.etag(), change.clone()).await;
    assert_eq!(kept.expect(200).body["completion"]["percent"], 60, "what is left out stays as it is");
    change["completion"] = json!({ "of": "hours", "percent": 75 });
    let changed = organiser.put(&path, &kept.etag(), change.clone()).await;
    assert_eq!(changed.expect(200).body["completion"], change["completion"]);
    for (percent, code) in [(0, "minimum"), (101, "maximum")] {
        change["completion"]["percent"] = json!(percent);
        let problem =
            organiser.put(&path, &changed.etag(), change.clone()).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], code);
    }
    let (zhang, _) = placed(&app, &course, "zhang").await;
    scanned(&app, &zhang, &course.sessions[..1]).await;
    finalise(&app, course.session).await;
    change["completion"] = json!({ "of": "hours", "percent": 75 });
    let same = organiser.put(&path, &organiser.get(&path).await.etag(), change.clone()).await;
    same.expect(200);
    change["completion"]["percent"] = json!(50);
    let problem = organiser.put(&path, &same.etag(), change).await.problem(422, "validation_failed");
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
        (&json!("/completion"), &json!("fixed"))
    );
    let public = app.anon().get(&format!("/api/v1/activities/{}", course.id)).await.ok(200);
    assert_eq!(public["completion"], json!({ "of": "hours", "percent": 75 }));
    app.run_jobs().await;
}

async fn the_list_has_pages_and_a_scope(app: TestApp) {
    let course = course(&app, 1, "sessions", 100).await;
    let people = crate::signup::crowd(&app, 5).await;
    for person in &people {
        person.sign_up(&course).await.ok(201);
        scanned(&app, person, &course.sessions).await;
    }
    finalise(&app, course.session).await;
    let gate = app.staff("gate").await;
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/activities/{}/completions?limit=2{next}", course.id);
        let page = gate.get(&path).await.ok(200);
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().map(|one| one["person_id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let mut all: Vec<String> = people.iter().map(|one| one.person().to_string()).collect();
    found.sort();
    all.sort();
    assert_eq!(found, all);
    let elsewhere = crate::access::staff_of(&app, "buji", "checkin_staff", "street-buji").await;
    let path = format!("/api/v1/activities/{}/completions", course.id);
    elsewhere.get(&path).await.problem(404, "not_found");
    app.run_jobs().await;
}
