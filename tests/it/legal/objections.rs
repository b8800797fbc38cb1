//! Objections: raised once against a decision, answered in time by somebody who had no part in it.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::CaseId;
use unionhall::legal_aid::model::TeamRole;
use unionhall::legal_aid::team;

use super::desk::{bare, take};
use super::dsl::{Asked, Ground};
use super::planting::join;
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_refusal_that_was_wrong_is_put_right,
    a_refusal_that_was_right_stands,
    whoever_had_a_part_does_not_answer,
    whoever_worked_on_it_does_not_answer,
    a_terminated_case_goes_on,
    an_objection_is_nobody_elses,
    five_days_are_kept_by_a_clock,
];

const WHY: &str = "申请事项是借款纠纷，与劳动关系无关。";
const OBJECTIONS: &str = "/api/v1/legal-objections";

/// What a refusal needs.
pub fn refusal() -> Value {
    json!({ "reasons": ["out_of_scope"], "text": WHY })
}

async fn refused(ground: &Ground, user: &str) -> Asked {
    let asked = ground.ask(user, json!({})).await;
    take(&ground.officer, asked.id).await.ok(200);
    ground.act(&ground.officer, asked.id, "refusals", refusal()).await.ok(200);
    asked
}

async fn object(asked: &Asked) -> Reply {
    asked.act("objections", json!({ "text": "公司确实是用人单位，有工资条为证。" })).await
}

async fn answer(lead: &Actor, id: &str, outcome: &str) -> Reply {
    let path = format!("{OBJECTIONS}/{id}");
    let etag = lead.get(&path).await.etag();
    let body = json!({ "outcome": outcome, "reasons": "补充的工资条足以说明情况，据此答复。" });
    let request = lead.request(Method::POST, &format!("{path}/answers"));
    let request = request.header("if-match", etag).header("idempotency-key", lead.fresh_key());
    lead.send(request.json(&body)).await
}

async fn taken(lead: &Actor, id: &str) -> Reply {
    lead.post(&format!("{OBJECTIONS}/{id}/takings"), json!({})).await
}

async fn waiting(lead: &Actor) -> Vec<Value> {
    lead.get(OBJECTIONS).await.ok(200)["items"].as_array().unwrap().clone()
}

async fn a_refusal_that_was_wrong_is_put_right(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = refused(&ground, "li").await;
    let raised = object(&asked).await.ok(201);
    let id = raised["id"].as_str().unwrap();
    let list = waiting(&ground.lead).await;
    assert_eq!((list.len(), &list[0]["id"], &list[0]["against"]), (1, &json!(id), &json!("refused")));
    assert!(!list[0].to_string().contains(&asked.id.to_string()), "{list:?}");
    let case = format!("/api/v1/legal-cases/{}", asked.id);
    ground.lead.get(&case).await.problem(404, "not_found");
    taken(&ground.lead, id).await.ok(200);
    // Whoever answers knows the case for as long as it takes, and decides nothing else about it.
    ground.lead.get(&case).await.ok(200);
    let body = json!({ "ground": "asked", "reasons": "申请人书面要求终止，理由正当。" });
    ground.act(&ground.lead, asked.id, "terminations", body).await.problem(403, "forbidden");
    let file = ground.lead.get(&format!("{OBJECTIONS}/{id}")).await.ok(200);
    assert!(file["text"].as_str().unwrap().contains("工资条"));
    let done = answer(&ground.lead, id, "uphold").await.ok(200);
    assert_eq!(done["outcome"], "uphold");
    ground.lead.get(&case).await.problem(404, "not_found");
    let seen = ground.officer.get(&case).await.ok(200);
    assert_eq!(seen["state"], "accepted");
    assert!(seen["number"].as_str().is_some_and(|number| !number.is_empty()), "{seen}");
    assert_eq!(seen["clocks"].as_array().unwrap().len(), 1);
    assert_eq!(seen["clocks"][0]["kind"], "assign");
    assert_eq!(super::deciding::counted(&app, asked.id).await, 1);
    answer(&ground.lead, id, "dismiss").await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn a_refusal_that_was_right_stands(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = refused(&ground, "li").await;
    let raised = object(&asked).await.ok(201);
    let id = raised["id"].as_str().unwrap();
    object(&asked).await.problem(409, "legal_objected");
    taken(&ground.lead, id).await.ok(200);
    answer(&ground.lead, id, "dismiss").await.ok(200);
    assert_eq!(asked.seen().await["state"], "refused");
    object(&asked).await.problem(409, "legal_objected");
    assert_eq!(super::deciding::counted(&app, asked.id).await, 0);
    assert_eq!(waiting(&ground.lead).await, Vec::<Value>::new());
    app.run_jobs().await;
}

async fn whoever_had_a_part_does_not_answer(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    take(&ground.lead, asked.id).await.ok(200);
    ground.act(&ground.lead, asked.id, "refusals", refusal()).await.ok(200);
    let raised = object(&asked).await.ok(201);
    let id = raised["id"].as_str().unwrap();
    taken(&ground.lead, id).await.problem(409, "second_officer_required");
    // Nor does the applicant, who may be a lead themselves.
    let own = staff_of(&app, "li", "legal_lead", "street-pinghu").await;
    taken(&own, id).await.problem(409, "legal_conflict");
    let second = staff_of(&app, "second-lead", "legal_lead", "longgang").await;
    taken(&second, id).await.ok(200);
    answer(&second, id, "dismiss").await.ok(200);
    app.run_jobs().await;
}

async fn whoever_worked_on_it_does_not_answer(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    take(&ground.officer, asked.id).await.ok(200);
    // A lead who helps with the case does not decide it, and has left when the objection comes.
    join(&app, asked.id, ground.lead.person(), TeamRole::Deputy).await;
    ground.act(&ground.officer, asked.id, "refusals", refusal()).await.ok(200);
    let (id, lead, now) = (asked.id, ground.lead.person(), app.now());
    app.write(move |conn| {
        assert!(team::leave_in_tx(conn, id, lead, now)?);
        Ok(())
    })
    .await;
    let raised = object(&asked).await.ok(201);
    let id = raised["id"].as_str().unwrap();
    taken(&ground.lead, id).await.problem(409, "second_officer_required");
    let second = staff_of(&app, "second-lead", "legal_lead", "longgang").await;
    taken(&second, id).await.ok(200);
    app.run_jobs().await;
}

async fn a_terminated_case_goes_on(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("li", json!({})).await;
    take(&ground.officer, asked.id).await.ok(200);
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    object(&asked).await.problem(409, "state_forbids");
    let body = json!({ "ground": "other_counsel", "reasons": "受援人已自行委托律师代理仲裁。" });
    for round in 0..2 {
        let ended = ground.act(&ground.officer, asked.id, "terminations", body.clone()).await.ok(200);
        assert_eq!(ended["state"], "terminated", "{round}");
        let raised = object(&asked).await.ok(201);
        let id = raised["id"].as_str().unwrap();
        taken(&ground.lead, id).await.ok(200);
        answer(&ground.lead, id, "uphold").await.ok(200);
        assert_eq!(asked.seen().await["state"], "handling", "{round}");
        // It was accepted once, and counts once.
        assert_eq!(super::deciding::counted(&app, asked.id).await, 1);
    }
    app.run_jobs().await;
}

async fn an_objection_is_nobody_elses(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = refused(&ground, "li").await;
    let stranger = ground.worker("wang").await;
    let body = json!({ "text": "公司确实是用人单位。" });
    let nobody: CaseId = app.ids().id();
    let path = |id: CaseId| format!("/api/v1/me/legal-requests/{id}/objections");
    let foreign = stranger.post(&path(asked.id), body.clone()).await;
    assert_eq!(bare(&foreign), bare(&stranger.post(&path(nobody), body).await));
    assert_eq!(foreign.status, 404);
    let raised = object(&asked).await.ok(201);
    let id = raised["id"].as_str().unwrap();
    // Nobody reads or answers what they have not taken.
    ground.lead.get(&format!("{OBJECTIONS}/{id}")).await.problem(404, "not_found");
    let elsewhere = staff_of(&app, "nan-lead", "legal_lead", "street-nanwan").await;
    taken(&elsewhere, id).await.problem(404, "not_found");
    assert_eq!(waiting(&elsewhere).await, Vec::<Value>::new());
    app.run_jobs().await;
}

async fn five_days_are_kept_by_a_clock(app: TestApp) {
    let mut ground = Ground::of(&app).await;
    let asked = refused(&ground, "li").await;
    object(&asked).await.ok(201);
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
    let due = waiting(&ground.lead).await[0]["due_at"].as_str().unwrap().to_owned();
    // Monday 16 June: the fifth day after it is a Saturday, so that Monday the 23rd is the last one.
    assert_eq!(due, "2025-06-23T16:00:00Z");
    ground.later(TimeDelta::days(8)).await;
    app.run_jobs().await;
    let board = ground.lead.get("/api/v1/legal-desk/board").await.ok(200);
    let late = board["counts"].as_array().unwrap().iter().find(|one| one["colour"] == "breached").unwrap();
    assert_eq!((&late["kind"], &late["number"]), (&json!("objection"), &json!(1)));
    let inbox = ground.lead.get("/api/v1/me/notices?limit=100").await;
    assert!(inbox.text.contains("已逾期：异议答复"), "{}", inbox.text);
    assert!(!inbox.text.contains(&asked.id.to_string()) && !inbox.text.contains("李小工"), "{}", inbox.text);
}
