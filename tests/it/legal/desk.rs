//! The desk: what waits there has no names, whoever takes it is the only one to know, and numbers tell of nobody.

use serde_json::{Value, json};
use unionhall::ids::CaseId;
use unionhall::platform::db::schema::audit_entries;

use diesel::prelude::*;

use super::dsl::{Ground, ask_as};
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    what_waits_has_no_names,
    what_cannot_wait_comes_first_and_pages_hold_together,
    whoever_takes_it_is_the_only_one_to_see_it,
    taking_twice_with_one_key_is_taking_once,
    a_lead_hands_out_without_reading,
    nobody_takes_what_is_their_own,
    numbers_of_few_are_not_shown,
];

const DESK: &str = "/api/v1/legal-desk";

/// A refusal without what is new each time.
pub fn bare(reply: &Reply) -> (u16, Value) {
    let mut body = reply.body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    (reply.status, body)
}

/// `officer` takes a request.
pub async fn take(officer: &Actor, id: CaseId) -> Reply {
    officer.post(&format!("{DESK}/{id}/takings"), json!({})).await
}

async fn listed(actor: &Actor) -> Vec<String> {
    let page = actor.get(DESK).await.ok(200);
    page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// How often `action` stands in the audit chain.
pub async fn audits(app: &TestApp, action: &'static str) -> i64 {
    app.read(move |conn| {
        Ok(audit_entries::table.filter(audit_entries::action.eq(action)).count().get_result(conn)?)
    })
    .await
}

async fn what_waits_has_no_names(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    let elsewhere = staff_of(&app, "nan", "legal_officer", "street-nanwan").await;
    let reply = ground.officer.get(DESK).await;
    let page = reply.clone().ok(200);
    let line = &page["items"][0];
    assert_eq!(line["id"], asked.id.to_string());
    assert_eq!((&line["category"], &line["state"]), (&json!("labour_dispute"), &json!("received")));
    assert_eq!((&line["clock"]["kind"], &line["clock"]["colour"]), (&json!("review"), &json!("green")));
    let person = asked.worker.person().to_string();
    for told in ["李小工", "龙岗示例电子厂", "拖欠", person.as_str()] {
        assert!(!reply.text.contains(told), "{told}: {}", reply.text);
    }
    assert_eq!(listed(&ground.district).await, [asked.id.to_string()]);
    assert_eq!(listed(&elsewhere).await, Vec::<String>::new());
    let board = ground.officer.get(&format!("{DESK}/board")).await.ok(200);
    assert_eq!((&board["waiting"], &board["objections"]), (&json!(1), &json!(0)));
    assert_eq!(board["counts"][0]["kind"], "review");
    assert_eq!((&board["counts"][0]["colour"], &board["counts"][0]["number"]), (&json!("green"), &json!(1)));
    let board = elsewhere.get(&format!("{DESK}/board")).await.ok(200);
    assert_eq!((&board["waiting"], &board["counts"]), (&json!(0), &json!([])));
    app.run_jobs().await;
}

async fn what_cannot_wait_comes_first_and_pages_hold_together(app: TestApp) {
    let ground = Ground::of(&app).await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(ground.ask(&format!("worker-{number}"), json!({})).await.id);
    }
    let urgent = [all[1], all[3]];
    app.write(move |conn| {
        use unionhall::platform::db::schema::legal_cases;
        let these = legal_cases::table.filter(legal_cases::id.eq_any(urgent));
        Ok(diesel::update(these).set(legal_cases::urgent.eq(true)).execute(conn)?)
    })
    .await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ground.officer.get(&format!("{DESK}?limit=2{cursor}")).await.ok(200);
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|one| one["id"].as_str().unwrap().parse::<CaseId>().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let mut expected: Vec<CaseId> = urgent.to_vec();
    expected.sort();
    let mut others: Vec<CaseId> = all.iter().copied().filter(|id| !urgent.contains(id)).collect();
    others.sort();
    expected.extend(others);
    assert_eq!(seen, expected);
    app.run_jobs().await;
}

async fn whoever_takes_it_is_the_only_one_to_see_it(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    let path = format!("/api/v1/legal-cases/{}", asked.id);
    // Before anybody has taken it, it is nobody's to read.
    ground.officer.get(&path).await.problem(404, "not_found");
    let taken = take(&ground.officer, asked.id).await.ok(200);
    assert_eq!(taken["state"], "received");
    let reads = audits(&app, "legal_case.read").await;
    let case = ground.officer.get(&path).await.ok(200);
    assert_eq!(case["facts"]["employer"], "龙岗示例电子厂");
    assert_ne!(case["applicant_masked"], "李小工");
    assert_eq!(case["team"][0]["role"], "handler");
    assert_eq!(audits(&app, "legal_case.read").await, reads + 1);
    assert_eq!(audits(&app, "legal_case.take").await, 1);
    // Colleagues and superiors know of it no more than of one that never was.
    let nobody: CaseId = app.ids().id();
    for other in [&ground.district, &ground.lead, &ground.lawyer] {
        let there = other.get(&path).await;
        let not_there = other.get(&format!("/api/v1/legal-cases/{nobody}")).await;
        assert_eq!(bare(&there), bare(&not_there), "{}", other.name);
        assert_eq!(there.status, 404);
        assert_eq!(there.header("etag"), None);
        assert_eq!(other.get("/api/v1/legal-cases").await.ok(200)["items"], json!([]));
    }
    for other in [&ground.district, &ground.lead] {
        assert_eq!(bare(&take(other, asked.id).await), bare(&take(other, nobody).await), "{}", other.name);
        assert_eq!(listed(other).await, Vec::<String>::new());
        let acts = [
            ("acceptances", json!({})),
            ("refusals", json!({ "reasons": ["other"], "text": "这里写明理由，至少十个字。" })),
            ("supplement-notices", json!({ "missing": ["工资条"] })),
            ("annulments", json!({ "reasons": "这里写明理由，至少十个字。" })),
        ];
        for (act, body) in acts {
            let at = |id: CaseId| {
                let request =
                    other.request(reqwest::Method::POST, &format!("/api/v1/legal-cases/{id}/{act}"));
                let key = other.fresh_key();
                request
                    .header("if-match", "\"v1-0123456789abcdef\"")
                    .header("idempotency-key", key)
                    .json(&body)
            };
            let (there, not_there) = (other.send(at(asked.id)).await, other.send(at(nobody)).await);
            assert_eq!(bare(&there), bare(&not_there), "{act}");
            assert_eq!(there.status, 404, "{act}");
        }
    }
    let mine = ground.officer.get("/api/v1/legal-cases").await.ok(200);
    assert_eq!(mine["items"][0]["id"], asked.id.to_string());
    assert_eq!(mine["items"][0]["role"], "handler");
    app.run_jobs().await;
}

async fn taking_twice_with_one_key_is_taking_once(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    let path = format!("{DESK}/{}/takings", asked.id);
    let first = ground.officer.post_keyed("taking-it-once", &path, json!({})).await;
    let again = ground.officer.post_keyed("taking-it-once", &path, json!({})).await;
    assert_eq!((first.status, &first.text), (200, &again.text));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    take(&ground.officer, asked.id).await.problem(404, "not_found");
    assert_eq!(audits(&app, "legal_case.take").await, 1);
    app.run_jobs().await;
}

async fn a_lead_hands_out_without_reading(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    let path = format!("{DESK}/{}/hand-outs", asked.id);
    let case = format!("/api/v1/legal-cases/{}", asked.id);
    let to = |who: &Actor| json!({ "person_id": who.person() });
    ground.officer.post(&path, to(&ground.officer)).await.problem(403, "forbidden");
    // A lawyer leads no request, and neither does who works nowhere.
    for unfit in [&ground.lawyer, &asked.worker] {
        ground.lead.post(&path, to(unfit)).await.problem(422, "validation_failed");
    }
    ground.lead.post(&path, to(&ground.officer)).await.ok(200);
    ground.officer.get(&case).await.ok(200);
    ground.lead.get(&case).await.problem(404, "not_found");
    // Somebody falls ill: it goes to another, and the first knows it no longer.
    ground.lead.post(&path, to(&ground.district)).await.ok(200);
    ground.officer.get(&case).await.problem(404, "not_found");
    let seen = ground.district.get(&case).await.ok(200);
    assert_eq!(seen["team"].as_array().unwrap().len(), 1);
    let nobody: CaseId = app.ids().id();
    let unknown = ground.lead.post(&format!("{DESK}/{nobody}/hand-outs"), to(&ground.officer)).await;
    let elsewhere = staff_of(&app, "nan-lead", "legal_lead", "street-nanwan").await;
    assert_eq!(bare(&elsewhere.post(&path, to(&ground.officer)).await), bare(&unknown));
    app.run_jobs().await;
}

async fn nobody_takes_what_is_their_own(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    let li = staff_of(&app, "li", "legal_officer", "street-pinghu").await;
    take(&li, asked.id).await.problem(409, "legal_conflict");
    let path = format!("{DESK}/{}/hand-outs", asked.id);
    ground.lead.post(&path, json!({ "person_id": li.person() })).await.problem(409, "legal_conflict");
    // Nor does who works where the applicant works.
    ground.worker("colleague").await;
    let colleague = staff_of(&app, "colleague", "legal_officer", "street-pinghu").await;
    let refusal = take(&colleague, asked.id).await.problem(409, "legal_conflict");
    assert!(!refusal.to_string().contains("电子厂"), "{refusal}");
    app.run_jobs().await;
}

async fn numbers_of_few_are_not_shown(app: TestApp) {
    let ground = Ground::of(&app).await;
    let planner = app.staff("planner").await;
    let asked = |number: usize| format!("asker-{number}");
    for number in 0..2 {
        ask_as(&ground.worker(&asked(number)).await, json!({})).await;
    }
    let path = "/api/v1/legal-statistics?year=2025&by=";
    for by in ["month", "category", "street"] {
        let few = planner.get(&format!("{path}{by}")).await.ok(200);
        assert_eq!((&few["items"], &few["total"]), (&json!([]), &json!({})), "{by}");
    }
    ask_as(&ground.worker(&asked(2)).await, json!({})).await;
    let enough = planner.get(&format!("{path}month")).await.ok(200);
    assert_eq!(enough["items"][0]["key"], "2025-06");
    // Nobody is accepted yet, and none is as small a figure as one.
    assert_eq!(enough["items"][0]["numbers"], json!({ "received": 3 }));
    assert_eq!(enough["total"], json!({ "received": 3 }));
    let street = planner.get(&format!("{path}street")).await.ok(200);
    assert_eq!(street["items"][0]["key"], "street-pinghu");
    let before = planner.get("/api/v1/legal-statistics?year=2024").await.ok(200);
    assert_eq!(before["items"], json!([]));
    let elsewhere = staff_of(&app, "nan", "legal_officer", "street-nanwan").await;
    assert_eq!(elsewhere.get(&format!("{path}month")).await.ok(200)["items"], json!([]));
    app.run_jobs().await;
}
