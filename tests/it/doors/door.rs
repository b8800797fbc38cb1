//! The door, and the plan's figures behind it.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::platform::db::schema::{attendances, scans};

use crate::harness::{Test, TestApp};
use crate::signup::crowd;

pub const TESTS: &[Test] = tests![
    a_person_is_present_once_however_often_scanned,
    a_scan_sent_again_is_one_scan,
    forty_doors_scan_one_person_at_once,
    every_scan_is_kept_with_its_outcome,
    a_pass_dies_after_a_minute_and_nobody_can_make_one,
    the_door_opens_and_closes_with_its_session,
    a_session_without_anybody_was_not_held,
    finalising_moves_the_plan_by_target_and_street,
    a_figure_opens_into_lines_that_name_their_sources,
    one_attendance_counts_once_in_each_of_its_targets,
    days_outside_the_plan_do_not_count,
    who_cancels_at_the_door_is_either_there_or_gone,
    an_activity_is_over_with_its_last_two_sessions,
    a_draft_has_no_door,
];

async fn figures(app: &TestApp) -> Vec<(String, i64)> {
    let progress =
        app.staff("planner").await.get("/api/v1/plans/2025/progress?targets=07a,07b,21a,21b").await.ok(200);
    let targets = progress["targets"].as_array().unwrap();
    targets.iter().map(|t| (t["code"].as_str().unwrap().to_owned(), t["value"].as_i64().unwrap())).collect()
}

fn four(a: i64, b: i64, c: i64, d: i64) -> Vec<(String, i64)> {
    vec![("07a".into(), a), ("07b".into(), b), ("21a".into(), c), ("21b".into(), d)]
}

async fn a_person_is_present_once_however_often_scanned(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    zhang.set_profile("张三丰", None).await;
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    let first = gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    assert_eq!((&first["already_present"], &first["name_masked"]), (&json!(false), &json!("张*丰")));
    app.advance(TimeDelta::minutes(3));
    let second = gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    assert_eq!((&second["already_present"], &second["id"]), (&json!(true), &first["id"]));
    assert_eq!(second["checked_in_at"], "2025-06-16T02:00:00Z", "the first time counts");
    let present = gate.get(&format!("/api/v1/sessions/{}/checkins", activity.session)).await.ok(200);
    assert_eq!(present["items"].as_array().unwrap().len(), 1);
    let state = zhang.get("/api/v1/me/signups").await.ok(200)["items"][0]["state"].clone();
    assert_eq!(state, "attended");
    app.run_jobs().await;
}

async fn a_scan_sent_again_is_one_scan(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    let (path, key) = (format!("/api/v1/sessions/{}/checkins", activity.session), gate.fresh_key());
    let body = json!({ "pass": zhang.pass().await });
    let first = gate.post_keyed(&key, &path, body.clone()).await;
    // The answer got lost between the gate and the phone, and somebody presses again.
    let again = gate.post_keyed(&key, &path, body).await;
    assert_eq!(first.expect(200).text, again.expect(200).text);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let kept: i64 = app.read(|conn| Ok(scans::table.count().get_result(conn)?)).await;
    assert_eq!(kept, 1);
    app.run_jobs().await;
}

async fn forty_doors_scan_one_person_at_once(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let other = app.second_instance().await;
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    let pass = zhang.pass().await;
    let doors = (0..40).map(|n| if n % 2 == 0 { gate.clone() } else { gate.at(&other) });
    let replies = join_all(doors.map(|door| {
        let pass = pass.clone();
        async move { door.scan(activity.session, &pass).await.ok(200) }
    }))
    .await;
    let fresh = replies.iter().filter(|reply| reply["already_present"] == false).count();
    assert_eq!(fresh, 1);
    let rows: i64 = app.read(|conn| Ok(attendances::table.count().get_result(conn)?)).await;
    assert_eq!(rows, 1);
    let scans: i64 = app.read(|conn| Ok(scans::table.count().get_result(conn)?)).await;
    assert_eq!(scans, 40);
    app.run_jobs().await;
}

async fn every_scan_is_kept_with_its_outcome(app: TestApp) {
    let (zhang, li, gate) = (app.worker("zhang").await, app.worker("li").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, "not a pass of ours").await.problem(409, "pass_invalid");
    gate.scan(activity.session, &li.pass().await).await.problem(409, "checkin_not_signed_up");
    let old = zhang.pass().await;
    app.advance(TimeDelta::minutes(3));
    gate.scan(activity.session, &old).await.problem(409, "pass_expired");
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    let outcomes: Vec<String> = app
        .read(|conn| {
            let query = scans::table.order(scans::id).select(scans::outcome);
            Ok(query.load(conn)?)
        })
        .await;
    let mut outcomes = outcomes;
    outcomes.sort();
    assert_eq!(outcomes, ["accepted", "duplicate", "not_signed_up", "pass_expired", "pass_invalid"]);
    app.run_jobs().await;
}

async fn a_pass_dies_after_a_minute_and_nobody_can_make_one(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    let pass = zhang.pass().await;
    assert_eq!(pass.len(), 32);
    app.advance(TimeDelta::seconds(59));
    let forged = format!("{}{}", &pass[..31], if pass.ends_with('A') { 'B' } else { 'A' });
    gate.scan(activity.session, &forged).await.problem(409, "pass_invalid");
    app.advance(TimeDelta::seconds(1));
    gate.scan(activity.session, &pass).await.problem(409, "pass_expired");
    assert_ne!(zhang.pass().await, pass);
    app.run_jobs().await;
}

async fn the_door_opens_and_closes_with_its_session(app: TestApp) {
    let (mut zhang, mut gate) = (app.worker("zhang").await, app.staff("gate").await);
    let hours = TimeDelta::hours;
    let activity = app.activity(|a| a.sessions(&[(hours(3), hours(5))]).signup(hours(-1), hours(5))).await;
    zhang.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, &zhang.pass().await).await.problem(409, "checkin_not_open");
    gate.finalise(activity.session).await.problem(409, "session_not_begun");
    app.advance(hours(1));
    zhang.log_in().await;
    gate.log_in().await;
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    app.advance(hours(16));
    gate.log_in().await;
    let li = app.worker("li").await;
    gate.scan(activity.session, &li.pass().await).await.problem(409, "checkin_not_open");
    let done = gate.finalise(activity.session).await.ok(200);
    assert_eq!(
        (&done["held"], &done["present"], &done["state"]),
        (&json!(true), &json!(1), &json!("finalised"))
    );
    gate.finalise(activity.session).await.problem(409, "session_finalised");
    gate.scan(activity.session, &li.pass().await).await.problem(409, "session_finalised");
    app.run_jobs().await;
}

async fn a_session_without_anybody_was_not_held(app: TestApp) {
    let gate = app.staff("gate").await;
    let before = figures(&app).await;
    let activity = app.activity(|a| a).await;
    let done = gate.finalise(activity.session).await.ok(200);
    assert_eq!((&done["held"], &done["present"]), (&json!(false), &json!(0)));
    assert_eq!(figures(&app).await, before);
    let gone = gate.get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
    assert_eq!(gone["state"], "finished");
}

async fn finalising_moves_the_plan_by_target_and_street(app: TestApp) {
    let gate = app.staff("gate").await;
    assert_eq!(figures(&app).await, four(0, 0, 0, 0));
    let (buji, nanwan) = (app.organisation("street-buji").await, app.organisation("street-nanwan").await);
    let activity = app.activity(|a| a.programme("demo-skills-rider").organisation("street-buji")).await;
    for (name, workplace) in [("zhang", Some(buji)), ("li", Some(nanwan)), ("wang", None)] {
        let person = app.worker(name).await;
        person.set_profile(name, workplace).await;
        person.sign_up(&activity).await.ok(201);
        gate.scan(activity.session, &person.pass().await).await.ok(200);
    }
    assert_eq!(
        figures(&app).await,
        four(0, 3, 0, 3),
        "people count when they come, a session when it is finalised"
    );
    gate.finalise(activity.session).await.ok(200);
    assert_eq!(figures(&app).await, four(1, 3, 1, 3));
    let planner = app.staff("planner").await;
    let progress = planner.get("/api/v1/plans/2025/progress?targets=07b").await.ok(200);
    let streets: Vec<(&Value, &Value)> = progress["targets"][0]["by_organisation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["name"], &row["value"]))
        .collect();
    // By workplace; whose workplace nobody knows counts for the organiser.
    assert_eq!(streets, [(&json!("布吉街道"), &json!(2)), (&json!("南湾街道"), &json!(1))]);
    assert_eq!(progress["targets"][0]["pair"], "07a");
    app.run_jobs().await;
}

async fn a_figure_opens_into_lines_that_name_their_sources(app: TestApp) {
    let (gate, planner) = (app.staff("gate").await, app.staff("planner").await);
    let activity = app.activity(|a| a).await;
    let mut scanned = Vec::new();
    for person in crowd(&app, 5).await {
        person.sign_up(&activity).await.ok(201);
        scanned.push(gate.scan(activity.session, &person.pass().await).await.ok(200)["id"].clone());
    }
    gate.finalise(activity.session).await.ok(200);
    let mut sources = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/plans/2025/targets/07b/lines?limit=2{next}");
        let page = planner.get(&path).await.ok(200);
        for line in page["items"].as_array().unwrap() {
            assert_eq!(
                (&line["quantity"], &line["grade"], &line["day"]),
                (&json!(1), &json!("B"), &json!("2025-06-16"))
            );
            assert_eq!(line["activity_id"], json!(activity.id));
            sources.push(line["source_id"].clone());
        }
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let sorted = |mut list: Vec<Value>| {
        list.sort_by_key(ToString::to_string);
        list
    };
    assert_eq!(sorted(sources), sorted(scanned));
    let sessions = planner.get("/api/v1/plans/2025/targets/07a/lines").await.ok(200);
    assert_eq!(sessions["items"][0]["source_id"], json!(activity.session));
    planner.get("/api/v1/plans/2025/targets/99z/lines").await.problem(404, "not_found");
    planner.get("/api/v1/plans/1999/progress").await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn one_attendance_counts_once_in_each_of_its_targets(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let minutes = TimeDelta::minutes;
    let sessions = [(minutes(-60), minutes(-30)), (minutes(-30), minutes(90))];
    let activity = app.activity(|a| a.programme("demo-skills-rider").sessions(&sessions)).await;
    zhang.sign_up(&activity).await.ok(201);
    for session in &activity.sessions {
        gate.scan(*session, &zhang.pass().await).await.ok(200);
        gate.scan(*session, &zhang.pass().await).await.ok(200);
    }
    assert_eq!(
        figures(&app).await,
        four(0, 2, 0, 2),
        "two sessions are two 人次, and each counts once in each"
    );
    gate.finalise(activity.sessions[0]).await.ok(200);
    let open = zhang.get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
    assert_eq!(open["state"], "published", "not over before its last session");
    gate.finalise(activity.sessions[1]).await.ok(200);
    assert_eq!(figures(&app).await, four(2, 2, 2, 2));
    app.run_jobs().await;
}

async fn days_outside_the_plan_do_not_count(app: TestApp) {
    let gate = app.staff("gate").await;
    let days = TimeDelta::days;
    // Seeded in the middle of 2025 with the demonstration, the plan counts to the end of its year.
    let sessions = [(days(200), days(200) + TimeDelta::hours(2))];
    let activity = app.activity(|a| a.sessions(&sessions).signup(days(-1), days(200))).await;
    let zhang = app.worker("zhang").await;
    zhang.sign_up(&activity).await.ok(201);
    app.run_jobs().await;
    app.advance(days(200));
    let (mut zhang, mut gate) = (zhang, gate);
    zhang.log_in().await;
    gate.log_in().await;
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    gate.finalise(activity.session).await.ok(200);
    assert_eq!(figures(&app).await, four(0, 0, 0, 0), "2 January 2026 is not of the 2025 plan");
    app.run_jobs().await;
}

async fn who_cancels_at_the_door_is_either_there_or_gone(app: TestApp) {
    let other = app.second_instance().await;
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.capacity(60)).await;
    let people = crowd(&app, 40).await;
    let races = people.iter().map(|person| {
        let (gate, other, activity) = (&gate, &other, &activity);
        async move {
            let signup = person.sign_up(activity).await.ok(201);
            let pass = person.pass().await;
            let path = format!("/api/v1/signups/{}/cancellations", signup["id"].as_str().unwrap());
            let elsewhere = person.at(other);
            let (cancelled, scanned) =
                tokio::join!(elsewhere.post(&path, json!({})), gate.scan(activity.session, &pass));
            // One of the two, never both and never neither.
            assert_ne!(cancelled.status == 200, scanned.status == 200, "{} {}", cancelled.text, scanned.text);
            i64::from(scanned.status == 200)
        }
    });
    let present: i64 = join_all(races).await.into_iter().sum();
    let detail = gate.get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
    assert_eq!(
        (&detail["places_left"], &detail["sessions"][0]["present"]),
        (&json!(60 - present), &json!(present))
    );
    app.run_jobs().await;
}

async fn an_activity_is_over_with_its_last_two_sessions(app: TestApp) {
    let other = app.second_instance().await;
    let gate = app.staff("gate").await;
    let minutes = TimeDelta::minutes;
    for _ in 0..8 {
        let sessions = [(minutes(-60), minutes(-30)), (minutes(-30), minutes(90))];
        let activity = app.activity(|a| a.sessions(&sessions)).await;
        let elsewhere = gate.at(&other);
        let (one, two) =
            tokio::join!(gate.finalise(activity.sessions[0]), elsewhere.finalise(activity.sessions[1]));
        one.ok(200);
        two.ok(200);
        let detail = gate.get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
        assert_eq!(detail["state"], "finished");
    }
}

async fn a_draft_has_no_door(app: TestApp) {
    let (gate, zhang) = (app.staff("gate").await, app.worker("zhang").await);
    let activity = app.activity(|a| a.draft()).await;
    gate.finalise(activity.session).await.problem(409, "state_forbids");
    gate.scan(activity.session, &zhang.pass().await).await.problem(409, "checkin_not_signed_up");
}
