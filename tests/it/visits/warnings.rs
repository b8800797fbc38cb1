//! Until when recognition may be applied for: what staff see, what the worker sees, and who is told.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use unionhall::clock::day_start;

use super::{injured, injured_as, patient, registered, with};
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    terms_turn_amber_red_and_breached,
    the_worker_is_told_once_for_each_term,
    nobody_is_warned_of_what_was_done,
    the_worker_sees_what_happens_next,
    an_application_is_recorded_corrected_and_taken_back,
];

const PINGHU: &str = "street-pinghu";

/// Nine in the morning of a day in Shanghai.
fn morning(day: &str) -> DateTime<Utc> {
    day_start(day.parse().unwrap()) + TimeDelta::hours(9)
}

/// Lets time pass up to the morning of `day`, with what the jobs do on the way.
async fn until(app: &TestApp, day: &str) {
    app.clock().set(morning(day));
    app.run_jobs().await;
}

/// The states of the employer's and of the worker's term.
async fn states(app: &TestApp, id: &str) -> (String, String) {
    let seen = app.staff("organiser").await.get(&format!("/api/v1/injuries/{id}")).await.ok(200);
    let state = |place: usize| seen["application_due"][place]["state"].as_str().unwrap().to_owned();
    (state(0), state(1))
}

async fn pressing(app: &TestApp, urgency: &str) -> Vec<String> {
    let path = format!("/api/v1/injuries?urgency={urgency}");
    let listed = app.staff("organiser").await.get(&path).await.ok(200);
    listed["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

async fn notices(worker: &mut Actor) -> Vec<String> {
    worker.log_in().await;
    let inbox = worker.get("/api/v1/me/notices").await.ok(200);
    let mine = inbox["items"].as_array().unwrap().iter().filter(|one| one["kind"] == "injury_due");
    mine.map(|one| one["body"].as_str().unwrap().to_owned()).collect()
}

async fn apply(app: &TestApp, id: &str, application: Value) -> crate::harness::Reply {
    let path = format!("/api/v1/injuries/{id}/applications");
    app.staff("organiser-pinghu").await.post(&path, json!({ "application": application })).await
}

async fn terms_turn_amber_red_and_breached(app: TestApp) {
    // Injured on 2 June: the employer has until 2 July, the worker until 2 June of the next year.
    let id = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let late =
        with(patient("李四", "13912345678"), &[("injured_on", "2025-06-15"), ("admitted_on", "2025-06-15")]);
    let other = injured_as(&app, PINGHU, late).await;
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    for (day, expected) in [
        ("2025-06-24", pair("green", "green")),
        ("2025-06-25", pair("amber", "green")),
        ("2025-07-01", pair("amber", "green")),
        ("2025-07-02", pair("red", "green")),
        ("2025-07-03", pair("breached", "green")),
        ("2026-05-25", pair("breached", "green")),
        ("2026-05-26", pair("breached", "amber")),
        ("2026-06-02", pair("breached", "red")),
        ("2026-06-03", pair("breached", "breached")),
    ] {
        until(&app, day).await;
        assert_eq!(states(&app, &id).await, expected, "{day}");
        for (urgency, is) in [("amber", "amber"), ("red", "red"), ("breached", "breached")] {
            let found = pressing(&app, urgency).await.contains(&id);
            assert_eq!(found, expected.0 == is || expected.1 == is, "{day}: {urgency}");
        }
        if day == "2025-07-02" {
            assert_eq!(pressing(&app, "amber").await, Vec::<String>::new());
            assert_eq!(states(&app, &other).await, pair("green", "green"));
        }
    }
    app.staff("organiser").await.get("/api/v1/injuries?urgency=green").await.problem(400, "query_invalid");
}

async fn the_worker_is_told_once_for_each_term(app: TestApp) {
    injured(&app, PINGHU, "张三丰", "13812345678").await;
    // Who logged in after the list came is told as well.
    let mut zhang = registered(&app, "zhang", "张三丰", "13812345678").await;
    let mut stranger = registered(&app, "li", "李四", "13812345678").await;
    app.app().worker().plant_recurring().unwrap();
    until(&app, "2025-06-24").await;
    assert_eq!(notices(&mut zhang).await, Vec::<String>::new());
    until(&app, "2025-06-25").await;
    let first = notices(&mut zhang).await;
    assert_eq!(first.len(), 1);
    assert!(first[0].contains("2025年7月2日前"), "{first:?}");
    for secret in ["骨折", "医院", "张三丰"] {
        assert!(!first[0].contains(secret), "{first:?}");
    }
    for day in ["2025-06-26", "2025-07-02", "2025-07-03", "2026-05-25"] {
        until(&app, day).await;
        assert_eq!(notices(&mut zhang).await, first, "{day}");
    }
    until(&app, "2026-05-26").await;
    let both = notices(&mut zhang).await;
    assert_eq!(both.len(), 2);
    assert!(both[0].contains("2026年6月2日前"), "{both:?}");
    until(&app, "2026-06-05").await;
    assert_eq!(notices(&mut zhang).await, both);
    assert_eq!(notices(&mut stranger).await, Vec::<String>::new());
}

async fn nobody_is_warned_of_what_was_done(app: TestApp) {
    let mut zhang = registered(&app, "zhang", "张三丰", "13812345678").await;
    let id = injured(&app, PINGHU, "张三丰", "13812345678").await;
    app.app().worker().plant_recurring().unwrap();
    apply(&app, &id, json!({ "on": "2025-06-16", "by": "employer" })).await.ok(200);
    until(&app, "2025-06-26").await;
    assert_eq!(notices(&mut zhang).await, Vec::<String>::new());
    assert_eq!(pressing(&app, "amber").await, Vec::<String>::new());
    // It was a mistake: the terms run as before, and the worker is told while there is time.
    apply(&app, &id, Value::Null).await.ok(200);
    until(&app, "2025-06-27").await;
    assert_eq!(notices(&mut zhang).await.len(), 1);
    // A list that comes too late warns of what can still be done, and of nothing else.
    let mut li = registered(&app, "li", "李四", "13912345678").await;
    until(&app, "2025-07-10").await;
    injured(&app, PINGHU, "李四", "13912345678").await;
    until(&app, "2025-07-11").await;
    assert_eq!(notices(&mut li).await, Vec::<String>::new());
}

async fn the_worker_sees_what_happens_next(app: TestApp) {
    let mut zhang = registered(&app, "zhang", "张三丰", "13812345678").await;
    let id = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let mine = zhang.get("/api/v1/me/injuries").await.ok(200);
    let one = &mine["items"][0];
    assert_eq!((&one["hospital"], &one["injury"]), (&json!("示例区人民医院"), &json!("左手骨折")));
    let first = |one: &Value| {
        let step = &one["next_steps"][0];
        (step["by"].clone(), step["text"].as_str().unwrap().to_owned())
    };
    let (by, text) = first(one);
    assert_eq!(by, "2025-07-02");
    assert!(text.contains("提醒用人单位在2025年7月2日前"), "{text}");
    until(&app, "2025-07-03").await;
    zhang.log_in().await;
    let (by, text) = first(&zhang.get("/api/v1/me/injuries").await.ok(200)["items"][0]);
    assert_eq!(by, "2026-06-02");
    assert!(text.contains("工会可以在2026年6月2日前"), "{text}");
    apply(&app, &id, json!({ "on": "2025-07-03", "by": "union" })).await.ok(200);
    let mine = zhang.get("/api/v1/me/injuries").await.ok(200);
    let (by, text) = first(&mine["items"][0]);
    assert_eq!(by, Value::Null);
    assert!(text.contains("工会已于2025年7月3日") && text.contains("60 日"), "{text}");
    assert_eq!(mine["items"][0]["application"], json!({ "on": "2025-07-03", "by": "union" }));
    // Nobody else's.
    assert_eq!(app.worker("li").await.get("/api/v1/me/injuries").await.ok(200)["items"], json!([]));
}

async fn an_application_is_recorded_corrected_and_taken_back(app: TestApp) {
    let id = injured(&app, PINGHU, "张三丰", "13812345678").await;
    for on in ["2025-06-01", "2025-06-17"] {
        let refused =
            apply(&app, &id, json!({ "on": on, "by": "worker" })).await.problem(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/application/on");
    }
    let made = apply(&app, &id, json!({ "on": "2025-06-10", "by": "worker" })).await.ok(200);
    assert_eq!(made["application"], json!({ "on": "2025-06-10", "by": "worker" }));
    assert_eq!(states(&app, &id).await, ("done".to_owned(), "done".to_owned()));
    let made = apply(&app, &id, json!({ "on": "2025-06-11", "by": "employer" })).await.ok(200);
    assert_eq!(made["application"], json!({ "on": "2025-06-11", "by": "employer" }));
    let made = apply(&app, &id, Value::Null).await.ok(200);
    assert_eq!(made.get("application"), None);
    assert_eq!(states(&app, &id).await, ("green".to_owned(), "green".to_owned()));
    let path = format!("/api/v1/injuries/{id}/applications");
    app.staff("gate-pinghu").await.post(&path, json!({})).await.problem(403, "forbidden");
    let entries = app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={id}")).await.ok(200);
    let acts = entries["items"].as_array().unwrap().iter().filter(|one| one["action"] == "injury.apply");
    assert_eq!(acts.count(), 3);
}
