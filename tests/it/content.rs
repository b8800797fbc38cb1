//! The content check: what WeChat says of texts and pictures, what people say after it, and who sees what meanwhile.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::content::model::{ContentCheck, ContentState};
use unionhall::platform::db::schema::content_checks;
use unionhall::platform::wechat::push::signature_of;

use crate::access::staff_of;
use crate::files::{bytes, samples, send};
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::reviews::steps::{Request, UNSTAFFED, apply, audited, request, worker_of};

pub const TESTS: &[Test] = tests![
    what_is_fine_passes_and_was_never_hidden,
    what_is_risky_only_its_author_sees_until_a_person_releases_it,
    what_is_removed_stays_with_its_author,
    an_answer_of_a_form_is_kept_back_and_decided_about,
    nothing_is_refused_while_wechat_is_away,
    whoever_was_away_is_asked_about_when_they_come_back,
    after_a_week_a_person_looks_and_nothing_is_hidden_meanwhile,
    a_text_written_anew_waits_anew,
    what_is_said_against_a_penalty_is_checked,
    a_picture_is_judged_by_a_push_once,
    a_push_that_wechat_did_not_sign_changes_nothing,
    a_picture_that_could_not_be_fetched_is_asked_about_again,
    an_address_is_verified_by_wechat_alone,
    only_officers_above_it_judge_a_text_and_never_their_own,
    a_name_that_is_removed_is_a_name_no_more,
    nobody_is_asked_where_it_is_switched_off,
];

const CHECKS: &str = "/api/v1/content-checks";
const PUSH: &str = "/api/v1/wechat/push";
const TEXT_CHECK: &str = "/wxa/msg_sec_check";
const FINE: &str = "请问体检报告要盖章吗";
const RISKY: &str = "你们违规测试等着瞧";
const HELD: &str = "（内容待人工核查，暂不显示）";
const GONE: &str = "（内容已被屏蔽）";

/// An instance that has content checked, and hears the pushes of the simulated WeChat.
pub async fn checking(app: &TestApp) -> TestApp {
    let checking = app.start_with(|config| config.wechat.content_check = true).await;
    use secrecy::ExposeSecret;
    let wechat = &checking.config().wechat;
    let callback = json!({
        "url": format!("{}{PUSH}", checking.base()), "token": wechat.push_token.expose_secret(),
        "aes_key": wechat.push_aes_key.expose_secret(),
    });
    app.sim_post("/sim/callback", callback).await;
    checking
}

/// Every check there is, in the order of their ids.
pub async fn checks(app: &TestApp) -> Vec<ContentCheck> {
    app.read(|conn| {
        Ok(content_checks::table.order(content_checks::id).select(ContentCheck::as_select()).load(conn)?)
    })
    .await
}

/// The check of the one message or other thing of a room.
async fn check_of(app: &TestApp, room: &str) -> ContentCheck {
    let found = checks(app).await.into_iter().filter(|check| check.room == room).collect::<Vec<_>>();
    assert_eq!(found.len(), 1, "{room}: {found:?}");
    found.into_iter().next().unwrap()
}

async fn say(person: &Actor, path: &str, text: &str) -> Reply {
    person.post(path, json!({ "text": text })).await
}

/// The texts of a conversation, and whether each is withheld.
async fn heard(person: &Actor, path: &str) -> Vec<(String, bool)> {
    let list = person.get(path).await.ok(200);
    let items = list["items"].as_array().unwrap().iter();
    items.map(|one| (one["text"].as_str().unwrap().to_owned(), one["withheld"].as_bool().unwrap())).collect()
}

fn texts(all: &[(&str, bool)]) -> Vec<(String, bool)> {
    all.iter().map(|(text, withheld)| ((*text).to_owned(), *withheld)).collect()
}

/// Decides about a check as it is read now.
pub async fn judge(officer: &Actor, id: &str, decision: &str, reason: &str) -> Reply {
    let etag = officer.get(&format!("{CHECKS}/{id}")).await.etag();
    let asked = officer.request(Method::POST, &format!("{CHECKS}/{id}/decisions"));
    let asked = asked.header("if-match", etag).header("idempotency-key", officer.fresh_key());
    officer.send(asked.json(&json!({ "decision": decision, "reason": reason }))).await
}

/// A request at 平湖, with its officer; what its form said is settled.
async fn at_the_street(app: &TestApp) -> (Request, Actor) {
    let officer = app.staff("reviewer-pinghu").await;
    let made = request(app, "zhang", Some(UNSTAFFED)).await;
    app.run_jobs().await;
    (made, officer)
}

async fn held(officer: &Actor) -> Vec<Value> {
    officer.get(CHECKS).await.ok(200)["items"].as_array().unwrap().clone()
}

async fn what_is_fine_passes_and_was_never_hidden(app: TestApp) {
    let app = checking(&app).await;
    let (request, officer) = at_the_street(&app).await;
    say(&request.worker, &request.own("/messages"), FINE).await.ok(201);
    assert_eq!(check_of(&app, "review.message").await.state, ContentState::Waiting);
    let desk = request.at("/messages");
    assert_eq!(heard(&officer, &desk).await, texts(&[(FINE, false)]), "waiting is not hiding");
    app.run_jobs().await;
    let check = check_of(&app, "review.message").await;
    assert_eq!((check.state, check.label), (ContentState::Passed, Some(100)));
    assert_eq!(heard(&officer, &desk).await, texts(&[(FINE, false)]));
    assert_eq!(held(&officer).await, Vec::<Value>::new());
    let asked = app.sim_get("/sim/checks").await["texts"].as_u64().unwrap();
    assert!(asked >= 2, "the form's text and the message were asked about: {asked}");
    app.run_jobs().await;
    assert_eq!(app.sim_get("/sim/checks").await["texts"], json!(asked), "once each");
}

async fn what_is_risky_only_its_author_sees_until_a_person_releases_it(app: TestApp) {
    let app = checking(&app).await;
    let (request, officer) = at_the_street(&app).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    say(&request.worker, &own, RISKY).await.ok(201);
    app.run_jobs().await;
    assert_eq!(heard(&officer, &desk).await, texts(&[(HELD, true)]));
    assert_eq!(heard(&request.worker, &own).await, texts(&[(RISKY, false)]));
    let waiting = held(&officer).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0]["label"], &waiting[0]["withheld"]), (&json!(20006), &json!(true)));
    assert!(!waiting[0].to_string().contains("违规"), "a list shows no text: {}", waiting[0]);

    let id = waiting[0]["id"].as_str().unwrap();
    let opened = officer.get(&format!("{CHECKS}/{id}")).await.ok(200);
    assert_eq!((&opened["text"], &opened["room"]), (&json!(RISKY), &json!("review.message")));
    let read = (officer.person().to_string(), id.to_owned(), Value::Null);
    assert_eq!(audited(&app, "content.read").await, [read]);

    judge(&officer, id, "release", "abuse").await.problem(422, "validation_failed");
    assert_eq!(judge(&officer, id, "release", "harmless").await.ok(200)["state"], "released");
    assert_eq!(heard(&officer, &desk).await, texts(&[(RISKY, false)]));
    assert_eq!(held(&officer).await, Vec::<Value>::new());
    judge(&officer, id, "remove", "abuse").await.problem(409, "state_forbids");
    let decided = audited(&app, "content.decide").await;
    let detail = json!({ "decision": "release", "reason": "harmless" });
    assert_eq!(decided, [(officer.person().to_string(), id.to_owned(), detail)]);
    app.run_jobs().await;
}

async fn what_is_removed_stays_with_its_author(app: TestApp) {
    let app = checking(&app).await;
    app.sim_post("/sim/words", json!({ "doubtful": ["含糊其词"] })).await;
    let (request, officer) = at_the_street(&app).await;
    let (own, desk) = (request.own("/messages"), request.at("/messages"));
    say(&officer, &desk, "含糊其词").await.ok(201);
    app.run_jobs().await;
    assert_eq!(heard(&request.worker, &own).await, texts(&[(HELD, true)]), "doubtful is held too");
    assert_eq!(heard(&officer, &desk).await, texts(&[("含糊其词", false)]));
    let id = held(&officer).await[0]["id"].as_str().unwrap().to_owned();
    judge(&officer, &id, "remove", "abuse").await.problem(409, "second_officer_required");
    let district = app.staff("reviewer").await;
    // Two at once are one decision.
    let etag = district.get(&format!("{CHECKS}/{id}")).await.etag();
    let asked = |key: String| {
        let asked = district.request(Method::POST, &format!("{CHECKS}/{id}/decisions"));
        let asked = asked.header("if-match", etag.clone()).header("idempotency-key", key);
        district.send(asked.json(&json!({ "decision": "remove", "reason": "abuse" })))
    };
    let (one, other) = join(asked(district.fresh_key()), asked(district.fresh_key())).await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert_eq!(heard(&request.worker, &own).await, texts(&[(GONE, true)]));
    assert_eq!(heard(&officer, &desk).await, texts(&[("含糊其词", false)]));
    app.run_jobs().await;
}

async fn an_answer_of_a_form_is_kept_back_and_decided_about(app: TestApp) {
    let app = checking(&app).await;
    let officer = app.staff("reviewer-pinghu").await;
    let worker = worker_of(&app, "zhang", Some(UNSTAFFED)).await;
    let activity = app.activity(crate::reviewed::trip).await;
    let request = apply(worker, &activity, json!({ "last_year": RISKY })).await;
    app.run_jobs().await;
    let answer = |file: &Value| file["form"]["last_year"].as_str().unwrap().to_owned();
    let read = officer.post(&request.at("/readings"), json!({})).await.ok(200);
    assert_eq!(answer(&read), HELD);
    assert_eq!(answer(&request.worker.get(&request.own("")).await.ok(200)), RISKY);
    let id = check_of(&app, "review.form").await.id.to_string();
    judge(&officer, &id, "release", "belongs_to_matter").await.ok(200);
    let read = officer.post(&request.at("/readings"), json!({})).await.ok(200);
    assert_eq!(answer(&read), RISKY);
    request.approve(&officer).await.ok(200);
    app.run_jobs().await;
}

async fn nothing_is_refused_while_wechat_is_away(app: TestApp) {
    let app = checking(&app).await;
    let (request, officer) = at_the_street(&app).await;
    let own = request.own("/messages");
    for fault in [
        json!({ "status": 502 }),
        json!({ "errcode": 45009 }),
        json!({ "errcode": 44991 }),
        json!({ "garbage": true }),
    ] {
        let mut fault = fault;
        fault["path"] = json!(TEXT_CHECK);
        app.sim_post("/sim/faults", fault).await;
    }
    say(&request.worker, &own, RISKY).await.ok(201);
    for _ in 0..4 {
        app.run_jobs().await;
        assert_eq!(check_of(&app, "review.message").await.state, ContentState::Waiting);
        assert_eq!(heard(&officer, &request.at("/messages")).await, texts(&[(RISKY, false)]));
        app.advance(TimeDelta::minutes(4));
    }
    app.run_jobs().await;
    assert_eq!(check_of(&app, "review.message").await.state, ContentState::Held);
    let mut officer = officer;
    officer.log_in().await;
    assert_eq!(heard(&officer, &request.at("/messages")).await, texts(&[(HELD, true)]));
}

async fn whoever_was_away_is_asked_about_when_they_come_back(app: TestApp) {
    let app = checking(&app).await;
    let (request, _) = at_the_street(&app).await;
    say(&request.worker, &request.own("/messages"), FINE).await.ok(201);
    app.advance(TimeDelta::hours(3));
    app.run_jobs().await;
    assert_eq!(check_of(&app, "review.message").await.state, ContentState::Waiting, "61010 waits");
    app.advance(TimeDelta::hours(20));
    app.run_jobs().await;
    let mut worker = request.worker.clone();
    worker.log_in().await;
    // Whoever is there stays for two hours, and no wait is longer than one.
    app.advance(TimeDelta::hours(1));
    app.run_jobs().await;
    assert_eq!(check_of(&app, "review.message").await.state, ContentState::Passed);
}

async fn after_a_week_a_person_looks_and_nothing_is_hidden_meanwhile(app: TestApp) {
    let app = checking(&app).await;
    let (request, mut officer) = at_the_street(&app).await;
    say(&request.worker, &request.own("/messages"), FINE).await.ok(201);
    app.advance(TimeDelta::days(7) - TimeDelta::minutes(1));
    app.run_jobs().await;
    assert_eq!(check_of(&app, "review.message").await.state, ContentState::Waiting);
    app.advance(TimeDelta::hours(1));
    app.run_jobs().await;
    let check = check_of(&app, "review.message").await;
    assert_eq!((check.state, check.label), (ContentState::Held, None));
    officer.log_in().await;
    assert_eq!(heard(&officer, &request.at("/messages")).await, texts(&[(FINE, false)]));
    let waiting = held(&officer).await;
    assert_eq!(
        (waiting.len(), &waiting[0]["withheld"], &waiting[0]["label"]),
        (1, &json!(false), &Value::Null)
    );
}

async fn a_text_written_anew_waits_anew(app: TestApp) {
    let app = checking(&app).await;
    let officer = app.staff("reviewer-pinghu").await;
    let worker = worker_of(&app, "zhang", Some(UNSTAFFED)).await;
    let activity = app.activity(crate::reviewed::trip).await;
    let request = apply(worker, &activity, json!({ "last_year": RISKY })).await;
    app.run_jobs().await;
    assert_eq!(check_of(&app, "review.form").await.state, ContentState::Held);
    let back = json!({ "decision": "return", "reasons": ["papers_missing"], "missing": ["last_year"] });
    request.decide(&officer, back).await.ok(200);
    let given = json!({ "form": { "last_year": FINE } });
    request.worker.post(&request.own("/supplements"), given).await.ok(200);
    let anew = check_of(&app, "review.form").await;
    assert_eq!((anew.state, anew.label), (ContentState::Waiting, None));
    app.run_jobs().await;
    assert_eq!(check_of(&app, "review.form").await.state, ContentState::Passed);
    let read = officer.post(&request.at("/readings"), json!({})).await.ok(200);
    assert_eq!(read["form"]["last_year"], FINE);
}

async fn what_is_said_against_a_penalty_is_checked(app: TestApp) {
    let app = checking(&app).await;
    let (zhang, judge_of_it) = (app.worker("zhang").await, app.staff("reviewer").await);
    let made = app.activity(|a| a).await;
    let signup = zhang.sign_up(&made).await.ok(201);
    let signup = signup["id"].as_str().unwrap().parse().unwrap();
    let penalty = crate::penalties::given(&app, zhang.person(), signup, false).await;
    let appeal = json!({ "ground": "illness", "text": RISKY });
    zhang.post(&format!("/api/v1/penalties/{penalty}/appeals"), appeal).await.ok(200);
    app.run_jobs().await;
    let reveal = format!("/api/v1/penalties/{penalty}/claim-reveals");
    assert_eq!(judge_of_it.post(&reveal, json!({})).await.ok(200)["text"], HELD);
    let id = check_of(&app, "penalty.claim").await.id.to_string();
    judge(&judge_of_it, &id, "release", "harmless").await.ok(200);
    assert_eq!(judge_of_it.post(&reveal, json!({})).await.ok(200)["text"], RISKY);
    app.run_jobs().await;
}

/// A request with a picture as its report: its address, and its trace once WeChat was asked.
async fn with_a_picture(app: &TestApp) -> (Request, String, Value) {
    let worker = worker_of(app, "zhang", Some(UNSTAFFED)).await;
    let sent = send(&worker, "evidence", "体检.png", &samples::png(30, 20)).await.ok(201);
    let id = sent["id"].as_str().unwrap().to_owned();
    let activity = app.activity(crate::reviewed::trip).await;
    let request = apply(worker, &activity, json!({ "report": id })).await;
    app.run_jobs().await;
    let asked = app.sim_get("/sim/checks").await["media"][0].clone();
    (request, format!("/api/v1/files/{id}"), asked)
}

async fn a_picture_is_judged_by_a_push_once(app: TestApp) {
    let app = checking(&app).await;
    let officer = app.staff("reviewer-pinghu").await;
    let (request, file, asked) = with_a_picture(&app).await;
    assert_eq!(check_of(&app, "file").await.state, ContentState::Waiting);
    officer.get(&file).await.ok(200);
    // WeChat fetches the picture where it was told, without a login.
    let url = asked["media_url"].as_str().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
    let (status, headers, content) = bytes(&app.anon(), path).await;
    assert_eq!((status, content), (200, samples::png(30, 20)));
    assert_eq!(headers["content-type"], "image/png");
    let wrong = if path.ends_with('A') { 'B' } else { 'A' };
    let forged = format!("{}{wrong}", &path[..path.len() - 1]);
    app.anon().get(&forged).await.problem(404, "file_link_invalid");

    let verdict = json!({ "trace_id": asked["trace_id"], "suggest": "risky", "label": 20002, "xml": true });
    let pushed = app.sim_post("/sim/pushes", verdict.clone()).await;
    assert_eq!(pushed, json!({ "status": 200, "answer": "success" }));
    let check = check_of(&app, "file").await;
    assert_eq!((check.state, check.label), (ContentState::Held, Some(20002)));
    // Its owner and its judges see it, and nobody else.
    request.worker.get(&file).await.ok(200);
    officer.get(&file).await.ok(200);
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    elsewhere.get(&file).await.problem(404, "not_found");
    let waiting = held(&officer).await;
    assert_eq!((waiting.len(), &waiting[0]["kind"]), (1, &json!("picture")));
    let id = waiting[0]["id"].as_str().unwrap();
    let opened = officer.get(&format!("{CHECKS}/{id}")).await.ok(200);
    assert_eq!(opened["file_id"], json!(file.rsplit('/').next().unwrap()));
    assert_eq!(opened["text"], Value::Null);

    // The same push again, and another verdict on the same trace, are taken and change nothing.
    judge(&officer, id, "release", "harmless").await.ok(200);
    for suggest in ["risky", "pass"] {
        let again = json!({ "trace_id": asked["trace_id"], "suggest": suggest });
        assert_eq!(app.sim_post("/sim/pushes", again).await["status"], 200);
        assert_eq!(check_of(&app, "file").await.state, ContentState::Released);
    }
    assert_eq!(audited(&app, "content.hold").await.len(), 1);
    app.run_jobs().await;
}

async fn a_push_that_wechat_did_not_sign_changes_nothing(app: TestApp) {
    let app = checking(&app).await;
    let (_, _, asked) = with_a_picture(&app).await;
    let forged = json!({ "trace_id": asked["trace_id"], "suggest": "pass", "forged": true });
    assert_eq!(app.sim_post("/sim/pushes", forged).await["status"], 400);
    // A body beside a signature that does not cover it: what plain mode would take.
    use secrecy::ExposeSecret;
    let token = app.config().wechat.push_token.expose_secret().to_owned();
    let signature = signature_of(&token, &["1750039200", "n"]);
    let address =
        format!("{PUSH}?signature={signature}&msg_signature={signature}&timestamp=1750039200&nonce=n");
    let plain = json!({
        "Event": "wxa_media_check", "trace_id": asked["trace_id"], "errcode": 0, "result": { "suggest": "pass", "label": 100 },
    });
    for body in [plain.to_string(), String::new(), "<xml>".into(), "x".repeat(70_000)] {
        let nobody = app.anon();
        let length = body.len();
        let reply = nobody.send(nobody.request(Method::POST, &address).body(body)).await;
        assert_eq!(reply.status, if length > 65_536 { 413 } else { 400 }, "{}", reply.text);
    }
    assert_eq!(check_of(&app, "file").await.state, ContentState::Waiting);
    app.run_jobs().await;
}

async fn a_picture_that_could_not_be_fetched_is_asked_about_again(app: TestApp) {
    let app = checking(&app).await;
    let (request, _, asked) = with_a_picture(&app).await;
    let failed = json!({ "trace_id": asked["trace_id"], "errcode": -1008 });
    assert_eq!(app.sim_post("/sim/pushes", failed).await["status"], 200);
    let check = check_of(&app, "file").await;
    assert_eq!((check.state, check.trace_id), (ContentState::Waiting, None));
    app.advance(TimeDelta::hours(1));
    request.worker.clone().log_in().await;
    app.run_jobs().await;
    let media = app.sim_get("/sim/checks").await["media"].as_array().unwrap().clone();
    assert_eq!(media.len(), 2, "{media:?}");
    // A verdict on the first asking is late: it is about nothing any more.
    let late = json!({ "trace_id": media[0]["trace_id"], "suggest": "risky" });
    assert_eq!(app.sim_post("/sim/pushes", late).await["status"], 200);
    assert_eq!(check_of(&app, "file").await.state, ContentState::Waiting);
    let verdict = json!({ "trace_id": media[1]["trace_id"] });
    assert_eq!(app.sim_post("/sim/pushes", verdict).await["status"], 200);
    assert_eq!(check_of(&app, "file").await.state, ContentState::Passed);
    app.run_jobs().await;
}

async fn an_address_is_verified_by_wechat_alone(app: TestApp) {
    use secrecy::ExposeSecret;
    let token = app.config().wechat.push_token.expose_secret().to_owned();
    let signature = signature_of(&token, &["1750039200", "n"]);
    let address = |signature: &str| {
        format!("{PUSH}?signature={signature}&timestamp=1750039200&nonce=n&echostr=4375%2B9")
    };
    let reply = app.anon().get(&address(&signature)).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "4375+9"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    app.anon()
        .get(&address(&signature_of("another", &["1750039200", "n"])))
        .await
        .problem(400, "bad_request");
    app.anon().get(PUSH).await.problem(400, "bad_request");
}

async fn only_officers_above_it_judge_a_text_and_never_their_own(app: TestApp) {
    let app = checking(&app).await;
    let (request, officer) = at_the_street(&app).await;
    say(&request.worker, &request.own("/messages"), RISKY).await.ok(201);
    app.run_jobs().await;
    let id = check_of(&app, "review.message").await.id.to_string();
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    let legal = app.staff("legal-lead").await;
    for stranger in [&elsewhere, &legal] {
        assert_eq!(held(stranger).await, Vec::<Value>::new(), "{}", stranger.name);
        let foreign = stranger.get(&format!("{CHECKS}/{id}")).await;
        let nothing = stranger.get(&format!("{CHECKS}/cck_01k5b8m3q2e9t8h6y1v7z4w0xn")).await;
        assert_eq!((foreign.status, nothing.status), (404, 404));
        assert_eq!(foreign.body["detail"], nothing.body["detail"]);
    }
    request.worker.get(CHECKS).await.problem(403, "forbidden");
    for judge_of_it in [&officer, &app.staff("reviewer").await, &app.staff("admin").await] {
        assert_eq!(held(judge_of_it).await.len(), 1, "{}", judge_of_it.name);
    }
    let bare = officer.request(Method::POST, &format!("{CHECKS}/{id}/decisions"));
    let bare = bare.header("idempotency-key", officer.fresh_key());
    let body = json!({ "decision": "release", "reason": "harmless" });
    officer.send(bare.json(&body)).await.problem(428, "precondition_required");
    app.run_jobs().await;
}

async fn a_name_that_is_removed_is_a_name_no_more(app: TestApp) {
    let app = checking(&app).await;
    let zhang = app.worker("zhang").await;
    zhang.set_profile("违规测试", None).await;
    app.run_jobs().await;
    let check = check_of(&app, "person.name").await;
    assert_eq!(check.state, ContentState::Held);
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["name"], "违规测试");
    judge(&app.staff("admin").await, &check.id.to_string(), "remove", "obscene").await.ok(200);
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["name"], Value::Null);
    zhang.set_profile("张三丰", None).await;
    app.run_jobs().await;
    assert_eq!(check_of(&app, "person.name").await.state, ContentState::Passed);
    // The same name again asks nobody.
    let asked = app.sim_get("/sim/checks").await["texts"].clone();
    zhang.set_profile("张三丰", None).await;
    app.run_jobs().await;
    assert_eq!(app.sim_get("/sim/checks").await["texts"], asked);
}

async fn nobody_is_asked_where_it_is_switched_off(app: TestApp) {
    let (request, officer) = at_the_street(&app).await;
    say(&request.worker, &request.own("/messages"), RISKY).await.ok(201);
    app.run_jobs().await;
    assert_eq!(checks(&app).await, Vec::<ContentCheck>::new());
    assert_eq!(app.sim_get("/sim/checks").await["texts"], 0);
    assert_eq!(heard(&officer, &request.at("/messages")).await, texts(&[(RISKY, false)]));
}
