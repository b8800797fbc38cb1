//! What people write to a case passes the content check, and a mark is all that comes of it: nothing is refused, nothing is kept from the
//! team, and nobody else learns that something was marked.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use unionhall::content::model::{ContentCheck, ContentState};
use unionhall::ids::{CaseId, ContentCheckId};
use unionhall::legal_aid::model::TeamRole;

use super::desk::take;
use super::dsl::Ground;
use super::objections::refusal;
use super::planting::{join, planted};
use crate::content::{checking, checks, judge};
use crate::files::{samples, send};
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    what_is_said_about_a_case_is_marked_and_read_all_the_same,
    a_request_is_received_whatever_stands_in_it,
    a_long_story_is_checked_to_its_end,
    evidence_is_marked_and_never_hidden_from_the_team,
    what_is_added_later_is_checked_too,
    an_objection_is_raised_and_answered_whatever_stands_in_it,
    marks_are_known_to_the_team_alone,
    who_leaves_the_team_judges_no_more,
];

const CHECKS: &str = "/api/v1/content-checks";
const RISKY: &str = "厂方称违规测试，威胁我撤回";

/// A request of `zhang` at 平湖, of whose team its officer is.
async fn case(app: &TestApp) -> (CaseId, Actor, Actor) {
    let (zhang, officer) = (app.worker("zhang").await, app.staff("legal-pinghu").await);
    let id = planted(app, zhang.person(), "street-pinghu", |case| case).await.id;
    join(app, id, officer.person(), TeamRole::Handler).await;
    (id, zhang, officer)
}

fn own(case: CaseId) -> String {
    format!("/api/v1/me/legal-requests/{case}/messages")
}

fn team(case: CaseId) -> String {
    format!("/api/v1/legal-cases/{case}/messages")
}

async fn say(person: &Actor, path: &str, text: &str) {
    person.post(path, json!({ "text": text })).await.ok(201);
}

async fn heard(person: &Actor, path: &str) -> Vec<String> {
    let list = person.get(path).await.ok(200);
    list["items"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

async fn held(somebody: &Actor) -> Vec<Value> {
    somebody.get(CHECKS).await.ok(200)["items"].as_array().unwrap().clone()
}

/// The states of all checks, by room and field.
async fn states(app: &TestApp) -> BTreeMap<String, ContentState> {
    let name = |check: &ContentCheck| format!("{} {}", check.room, check.field);
    checks(app).await.iter().map(|check| (name(check), check.state)).collect()
}

/// A request for legal aid, with what `change` says.
fn input(change: impl FnOnce(&mut Value)) -> Value {
    let mut input = json!({
        "category": "labour_dispute", "matter": "labour_relation", "form": "representation",
        "employer": "龙岗示例电子厂", "facts": "拖欠三个月工资。", "wishes": "支付工资。",
        "exemption": "migrant_pay",
    });
    change(&mut input);
    input
}

async fn asked(worker: &Actor, input: Value) -> CaseId {
    let made = worker.post("/api/v1/me/legal-requests", input).await.ok(201);
    made["id"].as_str().unwrap().parse().unwrap()
}

async fn what_is_said_about_a_case_is_marked_and_read_all_the_same(app: TestApp) {
    let app = checking(&app).await;
    let (id, zhang, officer) = case(&app).await;
    say(&zhang, &own(id), RISKY).await;
    say(&officer, &team(id), "疑似测试").await;
    app.run_jobs().await;
    let found = checks(&app).await;
    assert!(found.iter().all(|check| check.state == ContentState::Held && check.case_id == Some(id)));
    assert_eq!(found.len(), 2);
    for (reader, path) in [(&officer, team(id)), (&zhang, own(id))] {
        assert_eq!(heard(reader, &path).await, [RISKY, "疑似测试"], "{}", reader.name);
    }
    let marks = held(&officer).await;
    assert_eq!(marks.len(), 2);
    // Neither where it stands nor what it says.
    assert!(marks.iter().all(|mark| mark["withheld"] == json!(false) && mark.get("room").is_none()));
    assert!(!format!("{marks:?}").contains("违规"), "{marks:?}");

    let mark = found.iter().find(|check| check.person_id == zhang.person()).unwrap().id.to_string();
    assert_eq!(officer.get(&format!("{CHECKS}/{mark}")).await.ok(200)["text"], RISKY);
    judge(&officer, &mark, "remove", "abuse").await.problem(409, "state_forbids");
    assert_eq!(judge(&officer, &mark, "release", "belongs_to_matter").await.ok(200)["state"], "released");
    assert_eq!(held(&officer).await.len(), 1);
    assert_eq!(heard(&officer, &team(id)).await, [RISKY, "疑似测试"]);
    app.run_jobs().await;
}

async fn a_request_is_received_whatever_stands_in_it(app: TestApp) {
    let app = checking(&app).await;
    let zhang = app.worker("zhang").await;
    // WeChat is away at that moment, besides: the first text finds it so, and the second does not ask.
    app.sim_post("/sim/faults", json!({ "path": "/wxa/msg_sec_check", "status": 502, "times": 1 })).await;
    let id = asked(&zhang, input(|input| input["facts"] = json!(RISKY))).await;
    app.run_jobs().await;
    let waiting = |field: &str| (format!("legal.request {field}"), ContentState::Waiting);
    assert_eq!(states(&app).await, BTreeMap::from([waiting("facts"), waiting("wishes")]));
    app.advance(chrono::TimeDelta::minutes(1));
    app.run_jobs().await;
    let states = states(&app).await;
    assert_eq!(states["legal.request facts"], ContentState::Held);
    assert_eq!(states["legal.request wishes"], ContentState::Passed);
    let shown = zhang.get(&format!("/api/v1/me/legal-requests/{id}")).await.ok(200);
    assert_eq!(shown["state"], "received");
}

async fn a_long_story_is_checked_to_its_end(app: TestApp) {
    let app = checking(&app).await;
    let zhang = app.worker("zhang").await;
    // WeChat takes 2500 characters at once: the border goes through the word.
    let story = format!("{}违规测试{}", "拖".repeat(2498), "欠".repeat(400));
    asked(&zhang, input(|input| input["facts"] = json!(story))).await;
    app.run_jobs().await;
    assert_eq!(states(&app).await["legal.request facts"], ContentState::Held);
}

async fn evidence_is_marked_and_never_hidden_from_the_team(app: TestApp) {
    let app = checking(&app).await;
    let (zhang, officer) = (app.worker("zhang").await, app.staff("legal-pinghu").await);
    let sent = send(&zhang, "evidence", "伤情.png", &samples::png(30, 20)).await.ok(201);
    let file = sent["id"].as_str().unwrap().to_owned();
    let id = asked(&zhang, input(|input| input["evidence"] = json!([file]))).await;
    join(&app, id, officer.person(), TeamRole::Handler).await;
    app.run_jobs().await;
    let asked = app.sim_get("/sim/checks").await["media"][0].clone();
    let push = json!({ "trace_id": asked["trace_id"], "suggest": "risky", "label": 20002 });
    assert_eq!(app.sim_post("/sim/pushes", push).await["status"], 200);
    let found = checks(&app).await;
    let check = found.iter().find(|check| check.room == "file").unwrap();
    assert_eq!((check.state, check.case_id), (ContentState::Held, Some(id)));
    for reader in [&officer, &zhang] {
        reader.get(&format!("/api/v1/files/{file}")).await.ok(200);
    }
    let opened = officer.get(&format!("{CHECKS}/{}", check.id)).await.ok(200);
    assert_eq!((&opened["file_id"], &opened["withheld"]), (&json!(file), &json!(false)));
    // Somebody who judges what stands in that sub-district sees nothing of it.
    let reviewer = app.staff("reviewer-pinghu").await;
    reviewer.get(&format!("/api/v1/files/{file}")).await.problem(404, "not_found");
    reviewer.get(&format!("{CHECKS}/{}", check.id)).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn what_is_added_later_is_checked_too(app: TestApp) {
    let app = checking(&app).await;
    let zhang = app.worker("zhang").await;
    let id = asked(&zhang, input(|_| ())).await;
    let body = json!({ "reason": RISKY });
    zhang.post(&format!("/api/v1/me/legal-requests/{id}/withdrawals"), body).await.ok(200);
    app.run_jobs().await;
    assert_eq!(states(&app).await["legal.note text"], ContentState::Held);
    let found = checks(&app).await;
    let note = found.iter().find(|check| check.room == "legal.note").unwrap();
    let officer = app.staff("legal-pinghu").await;
    join(&app, id, officer.person(), TeamRole::Handler).await;
    assert_eq!(officer.get(&format!("{CHECKS}/{}", note.id)).await.ok(200)["text"], RISKY);
}

async fn an_objection_is_raised_and_answered_whatever_stands_in_it(app: TestApp) {
    let app = checking(&app).await;
    let ground = Ground::of(&app).await;
    let request = ground.ask("li", json!({})).await;
    take(&ground.officer, request.id).await.ok(200);
    ground.act(&ground.officer, request.id, "refusals", refusal()).await.ok(200);
    let raised = request.act("objections", json!({ "text": RISKY })).await.ok(201);
    app.run_jobs().await;
    assert_eq!(states(&app).await["legal.objection text"], ContentState::Held);
    let path = format!("/api/v1/legal-objections/{}", raised["id"].as_str().unwrap());
    ground.lead.post(&format!("{path}/takings"), json!({})).await.ok(200);
    assert_eq!(ground.lead.get(&path).await.ok(200)["text"], RISKY, "whoever answers reads it");
    let found = checks(&app).await;
    let mark = found.iter().find(|check| check.room == "legal.objection").unwrap();
    assert_eq!(ground.officer.get(&format!("{CHECKS}/{}", mark.id)).await.ok(200)["text"], RISKY);
    app.run_jobs().await;
}

async fn marks_are_known_to_the_team_alone(app: TestApp) {
    let app = checking(&app).await;
    let (id, zhang, officer) = case(&app).await;
    say(&zhang, &own(id), RISKY).await;
    app.run_jobs().await;
    let mark = checks(&app).await[0].id;
    assert_eq!(held(&officer).await.len(), 1);
    let nowhere: ContentCheckId = app.ids().id();
    for name in ["admin", "reviewer", "reviewer-pinghu", "legal-lead", "legal"] {
        let other = app.staff(name).await;
        assert_eq!(held(&other).await, Vec::<Value>::new(), "{name}");
        let same = |one: Reply, another: Reply| {
            let plain = |reply: Reply| {
                let mut body = reply.problem(404, "not_found");
                for particular in ["request_id", "instance"] {
                    body.as_object_mut().unwrap().remove(particular);
                }
                body
            };
            assert_eq!(plain(one), plain(another), "{name}");
        };
        let read = |id: ContentCheckId| format!("{CHECKS}/{id}");
        same(other.get(&read(mark)).await, other.get(&read(nowhere)).await);
        let decide = async |id: ContentCheckId| {
            let asked = other.request(Method::POST, &format!("{CHECKS}/{id}/decisions"));
            let asked = asked
                .header("if-match", "\"v2-0123456789abcdef\"")
                .header("idempotency-key", other.fresh_key());
            other.send(asked.json(&json!({ "decision": "release", "reason": "harmless" }))).await
        };
        same(decide(mark).await, decide(nowhere).await);
    }
    assert_eq!(checks(&app).await[0].state, ContentState::Held);
}

async fn who_leaves_the_team_judges_no_more(app: TestApp) {
    use diesel::prelude::*;
    use unionhall::clock::db_time;
    use unionhall::platform::db::schema::legal_team;
    let app = checking(&app).await;
    let (id, zhang, officer) = case(&app).await;
    say(&zhang, &own(id), RISKY).await;
    app.run_jobs().await;
    let mark = checks(&app).await[0].id;
    officer.get(&format!("{CHECKS}/{mark}")).await.ok(200);
    let now = db_time(app.now());
    app.write(move |conn| {
        let of_it = legal_team::table.filter(legal_team::case_id.eq(id));
        Ok(diesel::update(of_it).set(legal_team::left_at.eq(now)).execute(conn)?)
    })
    .await;
    assert_eq!(held(&officer).await, Vec::<Value>::new());
    officer.get(&format!("{CHECKS}/{mark}")).await.problem(404, "not_found");
}
