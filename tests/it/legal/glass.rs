//! Cases that are opened by somebody who is not of their team; what applicant and team say to each other; consultations.

use chrono::{DateTime, TimeDelta};
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::{CaseId, PersonId};
use unionhall::legal_aid::model::{Case, CaseState, TeamRole};
use unionhall::platform::db::schema::{legal_consultations, legal_glass, legal_messages};

use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::headcounts::values;

pub const TESTS: &[Test] = tests![
    a_case_is_opened_for_hours_and_ends_by_itself,
    auditors_are_told_at_once_and_the_person_later,
    whom_a_case_is_not_opened_for,
    two_who_open_at_once_open_once,
    both_sides_talk_and_nobody_else_listens,
    what_is_said_has_bounds,
    consultations_are_counted_apart,
];

/// A request of `zhang` at 平湖, of whose team its officer is.
async fn case(app: &TestApp) -> (CaseId, Actor) {
    let zhang = app.worker("zhang").await;
    let id = planted(app, zhang.person(), "street-pinghu", |case| case).await.id;
    join(app, id, app.staff("legal-pinghu").await.person(), TeamRole::Handler).await;
    (id, zhang)
}

fn ask(case: CaseId) -> Value {
    json!({ "case_id": case, "reason": "term_runs_out", "text": "承办人住院，仲裁时效明日届满" })
}

fn messages(case: CaseId) -> String {
    format!("/api/v1/legal-cases/{case}/messages")
}

fn instant(value: &Value) -> DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// What the chain says of `object`, newest first.
async fn entries(app: &TestApp, object: impl ToString) -> Vec<Value> {
    let path = format!("/api/v1/audit-entries?limit=100&object={}", object.to_string());
    app.staff("auditor").await.get(&path).await.ok(200)["items"].as_array().unwrap().clone()
}

async fn notices(actor: &Actor, kind: &str) -> Vec<Value> {
    let page = actor.get("/api/v1/me/notices?limit=100").await.ok(200);
    page["items"].as_array().unwrap().iter().filter(|one| one["kind"] == kind).cloned().collect()
}

async fn a_case_is_opened_for_hours_and_ends_by_itself(app: TestApp) {
    let (id, zhang) = case(&app).await;
    let lead = app.staff("legal-lead").await;
    zhang
        .post(&format!("/api/v1/me/legal-requests/{id}/messages"), json!({ "text": "请尽快" }))
        .await
        .ok(201);
    lead.get(&messages(id)).await.problem(404, "not_found");
    let made = lead.post("/api/v1/legal-glass", ask(id)).await.ok(201);
    assert_eq!(instant(&made["ends_at"]) - instant(&made["opened_at"]), TimeDelta::hours(3));
    let read = lead.get(&messages(id)).await;
    assert_eq!(read.expect(200).body["items"][0]["text"], "请尽快");
    assert_eq!(read.header("etag"), None, "it is kept nowhere");
    // To look is not to act, and what an outsider has looked at is not read by the team.
    lead.post(&messages(id), json!({ "text": "您好" })).await.problem(404, "not_found");
    assert!(read.body["items"][0].get("read_at").is_none(), "{}", read.text);
    let seen = lead.get(&messages(id)).await.ok(200);
    assert!(seen["items"][0].get("read_at").is_none(), "{seen}");
    let told = entries(&app, id).await;
    let reads = told.iter().filter(|one| one["action"] == "legal_case.messages_read").collect::<Vec<_>>();
    assert_eq!(reads.len(), 2, "every read: {told:?}");
    assert!(reads.iter().all(|one| one["actor"] == json!(lead.person()) && one["detail"]["glass"] == true));
    lead.post("/api/v1/legal-glass", ask(id)).await.problem(409, "state_forbids");

    // Nobody has to do anything for it to end.
    app.advance(TimeDelta::hours(3) - TimeDelta::seconds(1));
    let lead = app.staff("legal-lead").await;
    lead.get(&messages(id)).await.ok(200);
    app.advance(TimeDelta::seconds(1));
    let gone = lead.get(&messages(id)).await.problem(404, "not_found");
    assert!(gone.get("detail").is_none(), "{gone}");
    // Again, with a reason again; and closed before its time.
    let mut shorter = ask(id);
    shorter["minutes"] = json!(30);
    let made = lead.post("/api/v1/legal-glass", shorter).await.ok(201);
    assert_eq!(instant(&made["ends_at"]) - instant(&made["opened_at"]), TimeDelta::minutes(30));
    lead.get(&messages(id)).await.ok(200);
    let end = format!("/api/v1/legal-glass/{}/endings", made["id"].as_str().unwrap());
    app.staff("legal").await.post(&end, json!({})).await.problem(404, "not_found");
    lead.post(&end, json!({})).await.ok(200);
    lead.get(&messages(id)).await.problem(404, "not_found");
    lead.post(&end, json!({})).await.problem(409, "state_forbids");
    let actions: Vec<String> =
        entries(&app, id).await.iter().map(|one| one["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions.iter().filter(|one| *one == "legal_glass.open").count(), 2, "{actions:?}");
    assert_eq!(actions[0], "legal_glass.close");
    app.run_jobs().await;
}

async fn auditors_are_told_at_once_and_the_person_later(app: TestApp) {
    app.app().worker().plant_recurring().unwrap();
    let (id, zhang) = case(&app).await;
    let elsewhere = staff_of(&app, "auditor-buji", "auditor", "street-buji").await;
    let of_street = staff_of(&app, "auditor-pinghu", "auditor", "street-pinghu").await;
    let made = app.staff("legal-lead").await.post("/api/v1/legal-glass", ask(id)).await.ok(201);
    app.run_jobs().await;
    let path = format!("/api/v1/legal-glass/{}", made["id"].as_str().unwrap());
    for auditor in [app.staff("auditor").await, of_street] {
        let told = notices(&auditor, "legal_glass_opened").await;
        assert_eq!((told.len(), told[0]["link"].as_str()), (1, Some(path.as_str())), "{told:?}");
        let text = told[0].to_string();
        assert!(!text.contains("cas_") && !text.contains(&zhang.person().to_string()), "{text}");
        let list = auditor.get("/api/v1/legal-glass").await.ok(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        let row = &list["items"][0];
        assert_eq!((row["reason"].as_str(), row.get("text")), (Some("term_runs_out"), None), "{row}");
        assert_eq!(row["person_id"], json!(app.staff("legal-lead").await.person()));
        let one = auditor.get(&path).await;
        assert_eq!(one.expect(200).body["text"], "承办人住院，仲裁时效明日届满");
        assert!(!one.text.contains(&zhang.person().to_string()), "{}", one.text);
    }
    assert_eq!(notices(&elsewhere, "legal_glass_opened").await, Vec::<Value>::new());
    assert_eq!(elsewhere.get("/api/v1/legal-glass").await.ok(200)["items"], json!([]));
    elsewhere.get(&path).await.problem(404, "not_found");
    let reads = entries(&app, id).await;
    assert_eq!(reads.iter().filter(|one| one["action"] == "legal_glass.read").count(), 2);
    // Sealed where it is kept.
    let sealed =
        app.read(|conn| Ok(legal_glass::table.select(legal_glass::text_sealed).load::<String>(conn)?));
    assert!(sealed.await.iter().all(|text| !text.contains("住院")));

    app.advance(TimeDelta::days(14));
    app.run_jobs().await;
    let zhang = app.worker("zhang").await;
    assert_eq!(notices(&zhang, "legal_glass_told").await, Vec::<Value>::new());
    app.advance(TimeDelta::days(1));
    app.run_jobs().await;
    app.advance(TimeDelta::days(1));
    app.run_jobs().await;
    let zhang = app.worker("zhang").await;
    let told = notices(&zhang, "legal_glass_told").await;
    assert_eq!(told.len(), 1, "once: {told:?}");
    assert_eq!(told[0]["link"], json!(format!("/api/v1/me/legal-requests/{id}")));
    let body = told[0]["body"].as_str().unwrap();
    assert!(body.contains("2025年6月16日") && body.contains("期限将至"), "{body}");
    let list = app.staff("auditor").await.get("/api/v1/legal-glass").await.ok(200);
    assert!(list["items"][0]["told_at"].is_string() && list["items"][0]["ended_at"].is_string(), "{list}");
}

async fn whom_a_case_is_not_opened_for(app: TestApp) {
    let (id, _) = case(&app).await;
    let missing: CaseId = app.ids().id();
    // The team has it open; another street's officer does not learn that it is there.
    app.staff("legal-pinghu").await.post("/api/v1/legal-glass", ask(id)).await.problem(409, "state_forbids");
    let buji = staff_of(&app, "legal-buji", "legal_officer", "street-buji").await;
    let foreign = buji.post("/api/v1/legal-glass", ask(id)).await;
    let none = buji.post("/api/v1/legal-glass", ask(missing)).await;
    assert_eq!((foreign.status, none.status), (404, 404));
    let told = |text: &str, request: &Value| text.replace(request.as_str().unwrap(), "");
    assert_eq!(told(&foreign.text, &foreign.body["request_id"]), told(&none.text, &none.body["request_id"]));
    // Whoever asked sees their own view, and never the team's.
    let officer = app.staff("legal").await;
    let own = planted(&app, officer.person(), "street-pinghu", |case| case).await.id;
    officer.post("/api/v1/legal-glass", ask(own)).await.problem(404, "not_found");
    app.staff("legal-lawyer").await.post("/api/v1/legal-glass", ask(id)).await.problem(403, "forbidden");
    for wrong in [
        json!({ "reason": "danger", "text": "情况紧急" }),
        json!({ "case_id": id, "number": "1", "reason": "danger", "text": "情况紧急请查" }),
        json!({ "case_id": id, "reason": "danger", "text": "急" }),
        json!({ "case_id": id, "reason": "danger", "text": "情况紧急请查", "minutes": 181 }),
    ] {
        officer.post("/api/v1/legal-glass", wrong).await.problem(422, "validation_failed");
    }
    // By its number, as it stands on a paper.
    let zhang = app.worker("zhang").await.person();
    let numbered = |case| Case {
        number: Some("深龙工援〔2025〕7号".into()),
        decided_at: Some(unionhall::clock::db_time(app.now())),
        form: unionhall::legal_aid::model::AidForm::Consultation,
        state: CaseState::Accepted,
        ..case
    };
    let case = planted(&app, zhang, "street-pinghu", numbered).await.id;
    let by_number = json!({ "number": "深龙工援〔2025〕7号", "reason": "court", "text": "法院来函调阅材料" });
    let made = officer.post("/api/v1/legal-glass", by_number).await.ok(201);
    assert_eq!(made["case_id"], json!(case));
    app.run_jobs().await;
}

async fn two_who_open_at_once_open_once(app: TestApp) {
    let (id, _) = case(&app).await;
    let (lead, other) = (app.staff("legal-lead").await, app.second_instance().await);
    let there = lead.at(&other);
    let (here, there) =
        tokio::join!(lead.post("/api/v1/legal-glass", ask(id)), there.post("/api/v1/legal-glass", ask(id)));
    let mut statuses = [here.status, there.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", here.text, there.text);
    app.run_jobs().await;
}

async fn both_sides_talk_and_nobody_else_listens(app: TestApp) {
    let (id, zhang) = case(&app).await;
    let (officer, mine) =
        (app.staff("legal-pinghu").await, format!("/api/v1/me/legal-requests/{id}/messages"));
    let sent = zhang.post(&mine, json!({ "text": "  请问还缺什么材料？ " })).await;
    assert!(!sent.expect(201).text.contains("材料"), "answers are kept unsealed: {}", sent.text);
    app.run_jobs().await;
    let told = notices(&officer, "legal_message").await;
    assert_eq!(told[0]["link"], json!(format!("/api/v1/legal-cases/{id}")));
    assert!(!told[0].to_string().contains("材料"), "{told:?}");
    let read = officer.get(&messages(id)).await.ok(200);
    assert_eq!(
        (read["items"][0]["text"].as_str(), read["items"][0]["voice"].as_str()),
        (Some("请问还缺什么材料？"), Some("applicant"))
    );
    // Ids of one moment have no order.
    app.advance(TimeDelta::seconds(1));
    officer.post(&messages(id), json!({ "text": "请补一份工资条" })).await.ok(201);
    app.run_jobs().await;
    assert_eq!(notices(&zhang, "legal_message").await.len(), 1);
    let both = zhang.get(&mine).await;
    let items = both.expect(200).body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items[0]["read_at"].is_string(), "the team has read it");
    assert_eq!(
        (items[0]["author_masked"].as_str(), items[1]["author_masked"].as_str()),
        (Some("本人"), Some("承办人"))
    );
    assert!(!both.text.contains("演示"), "no officer is named: {}", both.text);
    assert!(officer.get(&messages(id)).await.ok(200)["items"][1]["read_at"].is_string());
    let kept = app
        .read(|conn| Ok(legal_messages::table.select(legal_messages::text_sealed).load::<String>(conn)?));
    assert!(kept.await.iter().all(|text| !text.contains("工资条") && !text.contains("材料")));
    // Nobody else, and the chain does not say who asked.
    for name in ["legal", "legal-lead", "legal-lawyer"] {
        app.staff(name).await.get(&messages(id)).await.problem(404, "not_found");
        app.staff(name).await.get(&mine).await.problem(404, "not_found");
    }
    app.worker("li").await.get(&mine).await.problem(404, "not_found");
    let by = |person: PersonId| format!("/api/v1/audit-entries?limit=100&actor={person}");
    let auditor = app.staff("auditor").await;
    let own = auditor.get(&by(zhang.person())).await.ok(200);
    assert!(!own.to_string().contains("legal"), "{own}");
    let all = entries(&app, id).await;
    assert!(!json!(all).to_string().contains(&zhang.person().to_string()), "{all:?}");
    assert!(all.iter().any(|one| one["action"] == "legal_request.message" && one.get("actor").is_none()));
}

async fn what_is_said_has_bounds(app: TestApp) {
    let (id, zhang) = case(&app).await;
    let mine = format!("/api/v1/me/legal-requests/{id}/messages");
    zhang.post(&mine, json!({ "text": "话".repeat(501) })).await.problem(422, "validation_failed");
    zhang.post(&mine, json!({ "text": " " })).await.problem(422, "validation_failed");
    for _ in 0..20 {
        zhang.post(&mine, json!({ "text": "在吗" })).await.ok(201);
    }
    let refused = zhang.post(&mine, json!({ "text": "在吗" })).await;
    assert!(refused.header("retry-after").is_some());
    refused.problem(429, "rate_limited");
    // The other side speaks still.
    app.staff("legal-pinghu").await.post(&messages(id), json!({ "text": "在" })).await.ok(201);
    app.advance(TimeDelta::hours(1));
    let zhang = app.worker("zhang").await;
    zhang.post(&mine, json!({ "text": "谢谢" })).await.ok(201);
    let over = |case| Case {
        state: CaseState::Withdrawn,
        ended_at: Some(unionhall::clock::db_time(app.now())),
        ..case
    };
    let ended = planted(&app, zhang.person(), "street-pinghu", over).await.id;
    let path = format!("/api/v1/me/legal-requests/{ended}/messages");
    zhang.post(&path, json!({ "text": "还在吗" })).await.problem(409, "state_forbids");
    zhang.get(&path).await.ok(200);
    app.run_jobs().await;
}

async fn consultations_are_counted_apart(app: TestApp) {
    let officer = app.staff("legal-pinghu").await;
    let pinghu = app.organisation("street-pinghu").await;
    let input = |way: &str, quantity: i64| {
        json!({
            "organisation_id": pinghu, "held_on": "2025-06-16", "way": way, "category": "labour_dispute",
            "quantity": quantity, "note": "问加班费怎么算"
        })
    };
    let post = |body: Value| officer.post("/api/v1/legal-consultations", body);
    let one = post(input("phone", 1)).await;
    assert!(!one.expect(201).text.contains("加班费"), "{}", one.text);
    post(input("event", 40)).await.ok(201);
    post(input("phone", 2)).await.problem(422, "validation_failed");
    let mut tomorrow = input("visit", 1);
    tomorrow["held_on"] = json!("2025-06-17");
    post(tomorrow).await.problem(422, "validation_failed");
    let mut elsewhere = input("visit", 1);
    elsewhere["organisation_id"] = json!(app.organisation("street-buji").await);
    post(elsewhere).await.problem(422, "validation_failed");

    // A note is for whoever wrote it, and sealed.
    let noted = |page: &Value| page["items"].as_array().unwrap().iter().any(|one| one.get("note").is_some());
    assert!(noted(&officer.get("/api/v1/legal-consultations").await.ok(200)));
    let lead = app.staff("legal-lead").await;
    let page = lead.get("/api/v1/legal-consultations").await.ok(200);
    assert_eq!((page["items"].as_array().unwrap().len(), noted(&page)), (2, false));
    let notes = app.read(|conn| {
        Ok(legal_consultations::table
            .select(legal_consultations::note_sealed)
            .load::<Option<String>>(conn)?)
    });
    assert!(notes.await.iter().flatten().all(|note| !note.contains("加班费")));

    let counts = "/api/v1/legal-consultation-counts?from=2025-06-01&to=2025-06-30";
    let planner = app.staff("planner").await;
    let before = planner.get(counts).await.ok(200);
    let figures: Vec<(Option<&str>, Option<i64>)> = before["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["way"].as_str(), row["people"].as_i64()))
        .collect();
    assert_eq!(figures, [(Some("event"), Some(40)), (Some("phone"), None)], "one is not told of");
    assert!(before.get("people").is_none(), "{before}");
    let undo = format!("/api/v1/legal-consultations/{}/undoings", one.body["id"].as_str().unwrap());
    lead.post(&undo, json!({})).await.problem(404, "not_found");
    officer.post(&undo, json!({})).await.ok(200);
    officer.post(&undo, json!({})).await.problem(409, "state_forbids");
    let after = planner.get(counts).await.ok(200);
    assert_eq!((after["people"].as_i64(), after["items"].as_array().unwrap().len()), (Some(40), 1));
    let other = staff_of(&app, "legal-buji", "legal_officer", "street-buji").await;
    assert_eq!(other.get(counts).await.ok(200)["items"], json!([]));
    for wrong in ["from=2025-06-30&to=2025-06-01", "from=2024-01-01&to=2025-06-01"] {
        let path = format!("/api/v1/legal-consultation-counts?{wrong}");
        planner.get(&path).await.problem(400, "query_invalid");
    }
    assert_eq!(values(&app, "11c").await, [0], "none of them is a case");
}
