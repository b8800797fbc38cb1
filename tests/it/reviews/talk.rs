//! What applicant and desk say to each other: who may, who is told, who is named, and how much.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::platform::db::schema::{audit_entries, idempotency_keys, jobs, notices, review_messages};

use super::steps::{Request, UNSTAFFED, audited, request, request_of, told, worker_of};
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    both_sides_speak_and_the_applicant_sees_no_name,
    whoever_works_at_it_is_told,
    nothing_keeps_a_text_in_clear,
    who_has_nothing_to_do_with_it_or_must_keep_away_is_refused,
    after_the_decision_one_reads_and_writes_no_more,
    twenty_messages_an_hour,
    thirty_at_once_are_twenty,
    pages_go_on_and_only_what_is_shown_is_read,
    a_text_has_its_limits,
    every_reading_of_the_desk_is_audited,
];

const QUESTION: &str = "请问体检报告要盖章吗";
const ANSWER: &str = "需要医院盖章";

async fn say(person: &Actor, path: &str, text: &str) -> Reply {
    person.post(path, json!({ "text": text })).await
}

async fn list(person: &Actor, path: &str) -> Vec<Value> {
    person.get(path).await.ok(200)["items"].as_array().unwrap().clone()
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|one| one["text"].as_str().unwrap()).collect()
}

/// A request at 平湖, with its officer, who is called 李四光.
async fn at_the_street(app: &TestApp) -> (Request, Actor) {
    let officer = app.staff("reviewer-pinghu").await;
    officer.set_profile("李四光", None).await;
    (request(app, "zhang", Some(UNSTAFFED)).await, officer)
}

async fn both_sides_speak_and_the_applicant_sees_no_name(app: TestApp) {
    let (request, officer) = at_the_street(&app).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    let sent = say(&request.worker, &own, QUESTION).await.ok(201);
    assert_eq!(sent["sent_at"], json!(app.now()));
    assert_eq!(list(&request.worker, &own).await[0]["read_at"], Value::Null, "nobody has read it yet");

    app.advance(TimeDelta::minutes(1));
    let seen = list(&officer, &desk).await;
    assert_eq!(texts(&seen), [QUESTION]);
    assert_eq!((&seen[0]["side"], &seen[0]["author_masked"]), (&json!("applicant"), &json!("张*丰")));
    assert_eq!(seen[0]["read_at"], json!(app.now()));
    assert_eq!(list(&request.worker, &own).await[0]["read_at"], json!(app.now()));

    app.advance(TimeDelta::minutes(1));
    say(&officer, &desk, ANSWER).await.ok(201);
    assert_eq!(list(&officer, &desk).await[1]["read_at"], Value::Null, "one's own side does not count");
    app.advance(TimeDelta::minutes(1));
    let reply = request.worker.get(&own).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(
        !reply.text.contains('李') && !reply.text.contains(&officer.person().to_string()),
        "{}",
        reply.text
    );
    let seen = reply.ok(200)["items"].as_array().unwrap().clone();
    assert_eq!(texts(&seen), [QUESTION, ANSWER], "the newest stands last");
    assert_eq!((&seen[1]["side"], &seen[1]["author_masked"]), (&json!("desk"), &json!("平湖街道经办人")));
    assert_eq!(seen[0]["author_masked"], "本人");
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    let seen = list(&colleague, &desk).await;
    assert_eq!((&seen[1]["author_masked"], &seen[1]["read_at"]), (&json!("李*光"), &json!(app.now())));

    // Whoever is above may speak, and speaks for their own body.
    say(&app.staff("reviewer").await, &desk, "请街道尽快答复").await.ok(201);
    assert_eq!(list(&request.worker, &own).await[2]["author_masked"], "区总工会经办人");
    app.run_jobs().await;
}

async fn whoever_works_at_it_is_told(app: TestApp) {
    let (request, officer) = at_the_street(&app).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    say(&request.worker, &own, QUESTION).await.ok(201);
    assert_eq!(told(&app, &officer, "review_message").await.len(), 0, "nobody works at it");
    officer.post(&request.at("/claims"), json!({})).await.ok(200);
    let mut officer = officer;
    say(&request.worker, &own, QUESTION).await.ok(201);
    let notices = told(&app, &officer, "review_message").await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["link"], request.at(""));
    assert!(!notices[0].to_string().contains("体检"), "{}", notices[0]);

    say(&officer, &desk, ANSWER).await.ok(201);
    let notices = told(&app, &request.worker, "review_message").await;
    assert_eq!((notices.len(), &notices[0]["link"]), (1, &json!(request.own(""))));
    assert!(!notices[0].to_string().contains("盖章"), "{}", notices[0]);

    // A claim that has lapsed is nobody's.
    app.advance(TimeDelta::hours(5));
    let mut worker = request.worker.clone();
    worker.log_in().await;
    officer.log_in().await;
    say(&worker, &own, QUESTION).await.ok(201);
    assert_eq!(told(&app, &officer, "review_message").await.len(), 1);
}

async fn nothing_keeps_a_text_in_clear(app: TestApp) {
    let (request, officer) = at_the_street(&app).await;
    officer.post(&request.at("/claims"), json!({})).await.ok(200);
    say(&request.worker, &request.own("/messages"), QUESTION).await.ok(201);
    say(&officer, &request.at("/messages"), ANSWER).await.ok(201);
    list(&officer, &request.at("/messages")).await;
    let waiting: Vec<String> = app.read(|conn| Ok(jobs::table.select(jobs::payload).load(conn)?)).await;
    app.run_jobs().await;
    let mut kept: Vec<String> = app
        .read(|conn| {
            let mut kept: Vec<String> =
                review_messages::table.select(review_messages::text_sealed).load(conn)?;
            assert_eq!(kept.len(), 2);
            kept.extend(idempotency_keys::table.select(idempotency_keys::body).load::<String>(conn)?);
            kept.extend(audit_entries::table.select(audit_entries::detail).load::<String>(conn)?);
            kept.extend(notices::table.select(notices::body).load::<String>(conn)?);
            Ok(kept)
        })
        .await;
    kept.extend(waiting);
    for text in kept {
        assert!(!text.contains("体检报告要") && !text.contains("医院盖章"), "{text}");
    }
}

async fn who_has_nothing_to_do_with_it_or_must_keep_away_is_refused(app: TestApp) {
    let (request, officer) = at_the_street(&app).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    let stranger = app.worker("li").await;
    stranger.get(&own).await.problem(404, "not_found");
    say(&stranger, &own, QUESTION).await.problem(404, "not_found");
    officer.get(&own).await.problem(404, "not_found");
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    elsewhere.get(&desk).await.problem(404, "not_found");
    say(&elsewhere, &desk, ANSWER).await.problem(404, "not_found");

    let kin = staff_of(&app, "kin", "reviewer", "street-pinghu").await;
    kin.post("/api/v1/me/ties", json!({ "kin_id": request.worker.person() })).await.ok(201);
    let recused = staff_of(&app, "recused", "reviewer", "street-pinghu").await;
    recused.post(&request.at("/recusals"), json!({ "ground": "interest" })).await.ok(200);
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    colleague.set_profile("王五", Some(app.organisation(UNSTAFFED).await)).await;
    for barred in [&kin, &recused, &colleague] {
        barred.get(&desk).await.problem(403, "review_recused");
        say(barred, &desk, ANSWER).await.problem(403, "review_recused");
    }
    // Nobody sits on both sides of the desk.
    let both = staff_of(&app, "both", "reviewer", "longgang").await;
    let theirs = request_of(&app, both.clone()).await;
    both.get(&theirs.at("/messages")).await.problem(403, "review_recused");
    say(&both, &theirs.own("/messages"), QUESTION).await.ok(201);
    assert_eq!(list(&request.worker, &own).await, Vec::<Value>::new(), "nothing of it was kept");
    let none: Vec<(String, String, Value)> = Vec::new();
    assert_eq!(audited(&app, "review.messages_read").await, none);
    app.run_jobs().await;
}

async fn after_the_decision_one_reads_and_writes_no_more(app: TestApp) {
    let district = app.staff("reviewer").await;
    let request = request(&app, "zhang", None).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    say(&request.worker, &own, QUESTION).await.ok(201);
    // While one is asked for what is missing, one may ask what is meant.
    request.send_back(&district).await.ok(200);
    say(&request.worker, &own, QUESTION).await.ok(201);
    request.supply().await;
    request.reject(&district).await.ok(200);
    say(&request.worker, &own, QUESTION).await.problem(409, "state_forbids");
    say(&district, &desk, ANSWER).await.problem(409, "state_forbids");
    assert_eq!(texts(&list(&request.worker, &own).await), [QUESTION, QUESTION]);
    assert_eq!(texts(&list(&district, &desk).await), [QUESTION, QUESTION], "who decided may read");
    app.run_jobs().await;
}

async fn twenty_messages_an_hour(app: TestApp) {
    let district = app.staff("reviewer").await;
    let (mut worker, other) = (worker_of(&app, "zhang", None).await, request(&app, "li", None).await);
    let request = request_of(&app, worker.clone()).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    for number in 0..20 {
        say(&worker, &own, &format!("第{number}条")).await.ok(201);
        app.advance(TimeDelta::seconds(10));
    }
    let refused = say(&worker, &own, "第20条").await;
    assert_eq!(refused.header("retry-after"), Some("3400"), "an hour after the first");
    refused.problem(429, "rate_limited");
    // Of each person, about each request.
    say(&district, &desk, ANSWER).await.ok(201);
    say(&other.worker, &other.own("/messages"), QUESTION).await.ok(201);
    app.advance(TimeDelta::seconds(3400));
    worker.log_in().await;
    say(&worker, &own, "第20条").await.ok(201);
    say(&worker, &own, "第21条").await.problem(429, "rate_limited");
    app.run_jobs().await;
}

async fn thirty_at_once_are_twenty(app: TestApp) {
    let request = request(&app, "zhang", None).await;
    let own = request.own("/messages");
    let replies = join_all((0..30).map(|_| say(&request.worker, &own, QUESTION))).await;
    let sent = replies.iter().filter(|reply| reply.status == 201).count();
    let refused = replies.iter().filter(|reply| reply.status == 429).count();
    assert_eq!((sent, refused), (20, 10));
    assert_eq!(list(&request.worker, &format!("{own}?limit=100")).await.len(), 20);
    // A repetition is no second message.
    let key = request.worker.fresh_key();
    app.advance(TimeDelta::hours(1));
    let mut worker = request.worker.clone();
    worker.log_in().await;
    for _ in 0..2 {
        worker.post_keyed(&key, &own, json!({ "text": QUESTION })).await.ok(201);
    }
    assert_eq!(list(&worker, &format!("{own}?limit=100")).await.len(), 21);
    app.run_jobs().await;
}

async fn pages_go_on_and_only_what_is_shown_is_read(app: TestApp) {
    let district = app.staff("reviewer").await;
    let request = request(&app, "zhang", None).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    for text in ["一", "二", "三"] {
        say(&district, &desk, text).await.ok(201);
        app.advance(TimeDelta::seconds(1));
    }
    let first = request.worker.get(&format!("{own}?limit=2")).await.ok(200);
    assert_eq!(texts(first["items"].as_array().unwrap()), ["一", "二"]);
    let read: Vec<bool> = list(&district, &desk).await.iter().map(|one| one["read_at"].is_string()).collect();
    assert_eq!(read, [true, true, false]);
    let next = format!("{own}?limit=2&cursor={}", first["next"].as_str().unwrap());
    let rest = request.worker.get(&next).await.ok(200);
    assert_eq!(texts(rest["items"].as_array().unwrap()), ["三"]);
    assert_eq!(rest["next"], Value::Null);
    // What was read stays read at its time.
    let before = list(&district, &desk).await;
    app.advance(TimeDelta::minutes(1));
    list(&request.worker, &own).await;
    assert_eq!(list(&district, &desk).await, before);
    // A cursor is of its list.
    let foreign = format!("{desk}?limit=2&cursor={}", first["next"].as_str().unwrap());
    district.get(&foreign).await.problem(400, "cursor_invalid");
    app.run_jobs().await;
}

async fn a_text_has_its_limits(app: TestApp) {
    let request = request(&app, "zhang", None).await;
    let own = request.own("/messages");
    let longest = "字".repeat(500);
    say(&request.worker, &own, &longest).await.ok(201);
    assert_eq!(texts(&list(&request.worker, &own).await), [longest]);
    for (body, code) in [
        (json!({ "text": "字".repeat(501) }), "max_length"),
        (json!({ "text": " \n " }), "pattern"),
        (json!({ "text": 7 }), "type"),
        (json!({}), "required"),
    ] {
        let problem = request.worker.post(&own, body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/text", code)]));
    }
    app.run_jobs().await;
}

async fn every_reading_of_the_desk_is_audited(app: TestApp) {
    let (request, officer) = at_the_street(&app).await;
    let desk = request.at("/messages");
    list(&officer, &desk).await;
    let sent = say(&request.worker, &request.own("/messages"), QUESTION).await.ok(201);
    list(&officer, &desk).await;
    list(&request.worker, &request.own("/messages")).await;
    let who = officer.person().to_string();
    let read = |ids: Value| (who.clone(), request.id.clone(), ids);
    assert_eq!(
        audited(&app, "review.messages_read").await,
        [
            read(json!({ "first": null, "last": null })),
            read(json!({ "first": sent["id"], "last": sent["id"] })),
        ]
    );
    let wrote = (
        request.worker.person().to_string(),
        request.id.clone(),
        json!({ "message": sent["id"], "side": "applicant" }),
    );
    assert_eq!(audited(&app, "review.message").await, [wrote]);
    app.run_jobs().await;
}
