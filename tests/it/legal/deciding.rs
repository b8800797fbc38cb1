//! What a desk decides: yes, no and why not, what is missing, aid first, who handles it, and how it ends.

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::error::Error;
use unionhall::ids::CaseId;
use unionhall::legal_aid::model::Ground as LegalGround;
use unionhall::legal_aid::papers::model::DocumentKind;
use unionhall::legal_aid::store;
use unionhall::platform::db::schema::{ledger_lines, legal_cases, legal_clocks, legal_decisions};

use super::desk::{audits, take};
use super::dsl::{Asked, Ground};
use super::papers::{issue, words};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_case_goes_from_its_acceptance_to_work,
    aid_is_refused_in_writing_with_the_way_to_object,
    the_database_refuses_a_refusal_without_reasons,
    what_was_decided_is_not_edited,
    what_is_missing_is_said_once,
    what_is_not_supplied_lapses,
    aid_comes_first_and_papers_later,
    each_ground_of_the_law_terminates_in_writing,
    an_annulled_acceptance_counts_no_more,
    whoever_has_to_keep_away_is_not_assigned,
    an_act_names_the_version_that_was_read,
    a_term_that_ran_out_is_known_for_ever,
    a_decision_after_its_term_is_known_as_late,
    messages_tell_nothing_of_the_matter,
];

const REASONS: &str = "经核实，情况如下，据此作出决定。";

/// What the ledger has of a case, lines taken back subtracted.
pub async fn counted(app: &TestApp, id: CaseId) -> i64 {
    let lines: Vec<i64> = app
        .read(move |conn| {
            let of = ledger_lines::table.filter(ledger_lines::source_id.eq(id.0.as_bytes().to_vec()));
            Ok(of.select(ledger_lines::quantity).load(conn)?)
        })
        .await;
    lines.into_iter().sum()
}

/// A request that the officer of 平湖 has taken.
async fn led(ground: &Ground, user: &str) -> Asked {
    let asked = ground.ask(user, json!({})).await;
    take(&ground.officer, asked.id).await.ok(200);
    asked
}

async fn accepted(ground: &Ground, user: &str) -> Asked {
    let asked = led(ground, user).await;
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    asked
}

async fn case(ground: &Ground, id: CaseId) -> Value {
    ground.officer.get(&format!("/api/v1/legal-cases/{id}")).await.ok(200)
}

fn kinds(case: &Value) -> Vec<&str> {
    case["clocks"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect()
}

async fn inbox(actor: &Actor) -> String {
    actor.get("/api/v1/me/notices?limit=100").await.text
}

async fn a_case_goes_from_its_acceptance_to_work(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = led(&ground, "li").await;
    let done = ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    assert_eq!(done["state"], "accepted");
    let number = done["number"].as_str().unwrap().to_owned();
    assert!(done["document_id"].as_str().unwrap().starts_with("doc_"));
    assert_eq!(kinds(&case(&ground, asked.id).await), ["assign"]);
    assert_eq!(counted(&app, asked.id).await, 1);
    // The lawyer knows nothing of it before they are assigned.
    let path = format!("/api/v1/legal-cases/{}", asked.id);
    ground.lawyer.get(&path).await.problem(404, "not_found");
    let to = json!({ "person_id": ground.lawyer.person() });
    let done = ground.act(&ground.officer, asked.id, "assignments", to).await.ok(200);
    assert_eq!(done["state"], "assigned");
    assert_eq!(kinds(&case(&ground, asked.id).await), Vec::<&str>::new());
    ground.lawyer.get(&path).await.ok(200);
    let done = ground.act(&ground.lawyer, asked.id, "starts", json!({})).await.ok(200);
    assert_eq!((&done["state"], &done["number"]), (&json!("handling"), &json!(number)));
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.problem(409, "state_forbids");
    let seen = case(&ground, asked.id).await;
    // All of one moment, in which nothing comes before anything.
    let mut acts: Vec<&str> =
        seen["events"].as_array().unwrap().iter().map(|one| one["act"].as_str().unwrap()).collect();
    acts.sort_unstable();
    assert_eq!(acts, ["accept", "ask", "assign", "start", "take"]);
    for action in ["legal_case.accept", "legal_case.assign", "legal_case.start"] {
        assert_eq!(audits(&app, action).await, 1, "{action}");
    }
    app.run_jobs().await;
}

async fn aid_is_refused_in_writing_with_the_way_to_object(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = led(&ground, "li").await;
    for without in [
        json!({ "reasons": [], "text": REASONS }),
        json!({ "reasons": ["means"] }),
        json!({ "reasons": ["means"], "text": "不行" }),
        json!({ "reasons": ["means", "means"], "text": REASONS }),
        json!({ "reasons": ["no such"], "text": REASONS }),
    ] {
        ground.act(&ground.officer, asked.id, "refusals", without).await.problem(422, "validation_failed");
    }
    let body = json!({ "reasons": ["means", "out_of_scope"], "text": REASONS });
    let done = ground.act(&ground.officer, asked.id, "refusals", body).await.ok(200);
    assert_eq!(done["state"], "refused");
    let paper = paper_of(&asked, &done).await;
    for said in [REASONS, "经济状况不符合条件", "不属于工会法律援助的范围", "异议", "12348"]
    {
        assert!(paper.contains(said), "{said}: {paper}");
    }
    let (codes, notice) = decision_of(&app, asked.id, "refuse").await;
    assert_eq!(codes, r#"["means","out_of_scope"]"#);
    // What is kept with the decision is what its reader was told.
    assert!(notice.contains("异议") && paper.contains(&notice), "{notice}: {paper}");
    assert_eq!(kinds(&case(&ground, asked.id).await), Vec::<&str>::new());
    let reasons = ground.officer.get("/api/v1/legal-reasons").await.ok(200);
    assert!(reasons["items"].as_array().unwrap().iter().all(|one| one["basis"] != ""));
    app.run_jobs().await;
}

/// What the document of a decision says to whoever asked.
async fn paper_of(asked: &Asked, done: &Value) -> String {
    let document = done["document_id"].as_str().unwrap();
    let paper = asked.worker.get(&format!("{}/documents/{document}", asked.path())).await;
    paper.expect(200);
    paper.text
}

/// The codes of the reasons of a decision, and the words on how to object that are kept with it.
async fn decision_of(app: &TestApp, id: CaseId, kind: &'static str) -> (String, String) {
    let kept: (String, Option<String>) = app
        .read(move |conn| {
            let of = legal_decisions::table.filter(legal_decisions::case_id.eq(id));
            let of = of.filter(legal_decisions::kind.eq(kind));
            Ok(of.select((legal_decisions::reason_codes, legal_decisions::appeal_notice)).first(conn)?)
        })
        .await;
    (kept.0, kept.1.unwrap())
}

/// What the database says to a change of a case's state behind the rules.
async fn forced(app: &TestApp, id: CaseId, to: &'static str) -> Result<usize, Error> {
    let ended = unionhall::clock::db_time(app.now());
    let ground = (to == "terminated").then_some("asked");
    app.db()
        .write(move |conn| {
            let case = legal_cases::table.find(id);
            let set = (
                legal_cases::state.eq(to),
                legal_cases::ended_at.eq(Some(ended)),
                legal_cases::ground.eq(ground),
            );
            Ok(diesel::update(case).set(set).execute(conn)?)
        })
        .await
}

async fn the_database_refuses_a_refusal_without_reasons(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = led(&ground, "li").await;
    let id = asked.id;
    let row = app.read(move |conn| store::get(conn, id)).await;
    // A document alone is not enough: the reasons and the way to object are asked for as well.
    for kind in [DocumentKind::Refusal, DocumentKind::Termination] {
        issue(&app, kind, &row, words(), None).await.unwrap();
    }
    for to in ["refused", "terminated"] {
        let refusal = forced(&app, id, to).await.unwrap_err();
        assert!(refusal.to_string().contains("written reasons"), "{refusal}");
    }
    assert_eq!(asked.seen().await["state"], "received");
    // A decision about an earlier version does not carry a later refusal either.
    ground.act(&ground.officer, id, "acceptances", json!({})).await.ok(200);
    let body = json!({ "ground": "asked", "reasons": REASONS });
    ground.act(&ground.officer, id, "terminations", body).await.ok(200);
    app.write(move |conn| {
        let case = legal_cases::table.find(id);
        let set = (
            legal_cases::state.eq("handling"),
            legal_cases::ended_at.eq(None::<chrono::NaiveDateTime>),
            legal_cases::ground.eq(None::<String>),
        );
        Ok(diesel::update(case).set(set).execute(conn)?)
    })
    .await;
    let refusal = forced(&app, id, "terminated").await.unwrap_err();
    assert!(refusal.to_string().contains("written reasons"), "{refusal}");
    app.run_jobs().await;
}

async fn what_was_decided_is_not_edited(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = accepted(&ground, "li").await;
    let of = |id: CaseId| legal_decisions::table.filter(legal_decisions::case_id.eq(id));
    let id = asked.id;
    let edit = move |conn: &mut unionhall::platform::db::Conn| {
        Ok(diesel::update(of(id)).set(legal_decisions::reason_codes.eq("[]")).execute(conn)?)
    };
    let refusal = app.db().write(edit).await.unwrap_err();
    assert!(refusal.to_string().contains("stays so"), "{refusal}");
    let remove = move |conn: &mut unionhall::platform::db::Conn| Ok(diesel::delete(of(id)).execute(conn)?);
    assert!(app.db().write(remove).await.unwrap_err().to_string().contains("stays so"));
    app.run_jobs().await;
}

async fn what_is_missing_is_said_once(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = led(&ground, "li").await;
    let missing = json!({ "missing": ["工资条", "解除劳动合同的通知"], "note": "银行流水也可以。" });
    for wrong in [json!({ "missing": [] }), json!({ "missing": ["工资条", "工资条"] })] {
        let refused = ground.act(&ground.officer, asked.id, "supplement-notices", wrong).await;
        refused.problem(422, "validation_failed");
    }
    let done = ground.act(&ground.officer, asked.id, "supplement-notices", missing.clone()).await.ok(200);
    assert_eq!(done["state"], "supplement");
    let seen = case(&ground, asked.id).await;
    assert_eq!(seen["missing"]["items"], json!(["工资条", "解除劳动合同的通知"]));
    // The term to decide stands meanwhile.
    let clocks = seen["clocks"].as_array().unwrap();
    let of = |kind: &str| clocks.iter().find(|one| one["kind"] == kind).unwrap();
    assert_eq!(of("review")["due_at"], Value::Null);
    assert!(of("supplement")["due_at"].is_string());
    assert_eq!(asked.review_due(&app).await, None);
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.problem(409, "state_forbids");
    asked.act("supplements", json!({ "text": "工资条和通知已上传。" })).await.expect(200);
    assert!(asked.review_due(&app).await.is_some());
    ground.act(&ground.officer, asked.id, "supplement-notices", missing).await.problem(409, "legal_noticed");
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    app.run_jobs().await;
}

async fn what_is_not_supplied_lapses(app: TestApp) {
    let mut ground = Ground::of(&app).await;
    let mut asked = led(&ground, "li").await;
    let missing = json!({ "missing": ["工资条"] });
    ground.act(&ground.officer, asked.id, "supplement-notices", missing).await.ok(200);
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
    ground.later(TimeDelta::days(13)).await;
    app.run_jobs().await;
    asked.back().await;
    assert!(inbox(&asked.worker).await.contains("补充材料的期限将到"));
    assert_eq!(asked.seen().await["state"], "supplement");
    ground.later(TimeDelta::days(8)).await;
    app.run_jobs().await;
    asked.back().await;
    assert_eq!(asked.seen().await["state"], "deemed_withdrawn");
    assert!(inbox(&asked.worker).await.contains("视为撤回"));
    assert_eq!(kinds(&case(&ground, asked.id).await), Vec::<&str>::new());
    assert_eq!(audits(&app, "legal_case.lapse").await, 1);
    assert_eq!(counted(&app, asked.id).await, 0);
}

async fn aid_comes_first_and_papers_later(app: TestApp) {
    let mut ground = Ground::of(&app).await;
    let asked = led(&ground, "li").await;
    // Its dates do not say that it cannot wait, so somebody has to.
    let body = json!({ "missing": ["身份证明"] });
    ground.act(&ground.officer, asked.id, "provisional-aids", body).await.problem(422, "validation_failed");
    let body = json!({ "missing": ["身份证明"], "reasons": "单位正在转移财产，须立即申请保全。" });
    let done = ground.act(&ground.officer, asked.id, "provisional-aids", body).await.ok(200);
    assert_eq!(done["state"], "accepted");
    assert_eq!(counted(&app, asked.id).await, 1);
    let seen = case(&ground, asked.id).await;
    let mut running = kinds(&seen);
    running.sort_unstable();
    assert_eq!(running, ["assign", "papers"]);
    app.app().worker().plant_recurring().unwrap();
    ground.later(TimeDelta::days(20)).await;
    app.run_jobs().await;
    let seen = case(&ground, asked.id).await;
    let papers = seen["clocks"].as_array().unwrap().iter().find(|one| one["kind"] == "papers").unwrap();
    assert!(papers["breached_at"].is_string(), "{papers}");
    assert!(inbox(&ground.officer).await.contains("已逾期：补办材料"));
    ground.act(&ground.officer, asked.id, "paper-receipts", json!({})).await.ok(200);
    let again = ground.act(&ground.officer, asked.id, "paper-receipts", json!({})).await;
    again.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn each_ground_of_the_law_terminates_in_writing(app: TestApp) {
    let ground = Ground::of(&app).await;
    for (number, why) in LegalGround::ALL.iter().enumerate() {
        let asked = accepted(&ground, &format!("worker-{number}")).await;
        let body = json!({ "ground": why, "reasons": REASONS });
        let short = json!({ "ground": why, "reasons": "没有" });
        ground.act(&ground.officer, asked.id, "terminations", short).await.problem(422, "validation_failed");
        let done = ground.act(&ground.officer, asked.id, "terminations", body).await.ok(200);
        assert_eq!(done["state"], "terminated", "{why}");
        let paper = paper_of(&asked, &done).await;
        let (_, notice) = decision_of(&app, asked.id, "terminate").await;
        for said in [REASONS, "第四十八条", "异议", &notice] {
            assert!(paper.contains(said), "{why}: {said}");
        }
        assert_eq!(case(&ground, asked.id).await["ground"], why.as_str());
        // It was accepted, and stays so in the figures.
        assert_eq!(counted(&app, asked.id).await, 1, "{why}");
    }
    app.run_jobs().await;
}

async fn an_annulled_acceptance_counts_no_more(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = accepted(&ground, "li").await;
    assert_eq!(counted(&app, asked.id).await, 1);
    let done = ground.act(&ground.officer, asked.id, "annulments", json!({ "reasons": REASONS })).await;
    assert_eq!(done.ok(200)["state"], "annulled");
    assert_eq!(counted(&app, asked.id).await, 0);
    let again = ground.act(&ground.officer, asked.id, "annulments", json!({ "reasons": REASONS })).await;
    again.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn whoever_has_to_keep_away_is_not_assigned(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = accepted(&ground, "li").await;
    let to = |who: &Actor| json!({ "person_id": who.person() });
    // Who works on no cases there is none to assign.
    let unfit = ground.act(&ground.officer, asked.id, "assignments", to(&asked.worker)).await;
    unfit.problem(422, "validation_failed");
    ground.worker("colleague").await;
    let colleague = staff_of(&app, "colleague", "legal_lawyer", "street-pinghu").await;
    let refused = ground.act(&ground.officer, asked.id, "assignments", to(&colleague)).await;
    refused.problem(409, "legal_conflict");
    assert_eq!(case(&ground, asked.id).await["state"], "accepted");
    // One's own hands are hands.
    let done = ground.act(&ground.officer, asked.id, "assignments", to(&ground.officer)).await.ok(200);
    assert_eq!(done["state"], "assigned");
    app.run_jobs().await;
}

async fn an_act_names_the_version_that_was_read(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = led(&ground, "li").await;
    let path = format!("/api/v1/legal-cases/{}", asked.id);
    let old = ground.officer.get(&path).await.etag();
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    let send = |etag: Option<&str>| {
        let request = ground.officer.request(Method::POST, &format!("{path}/annulments"));
        let request = request.header("idempotency-key", ground.officer.fresh_key());
        let request = request.json(&json!({ "reasons": REASONS }));
        match etag {
            Some(etag) => request.header("if-match", etag),
            None => request,
        }
    };
    let stale = ground.officer.send(send(Some(&old))).await.problem(412, "precondition_failed");
    assert_eq!(stale["current"]["state"], "accepted");
    ground.officer.send(send(None)).await.problem(428, "precondition_required");
    assert_eq!(case(&ground, asked.id).await["state"], "accepted");
    app.run_jobs().await;
}

async fn a_term_that_ran_out_is_known_for_ever(app: TestApp) {
    let mut ground = Ground::of(&app).await;
    let waiting = ground.ask("wang", json!({})).await;
    let asked = led(&ground, "li").await;
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
    // Seven days from 16 June: due at the end of Monday the 23rd; amber in its last three days.
    ground.later(TimeDelta::days(5)).await;
    app.run_jobs().await;
    assert!(inbox(&ground.officer).await.contains("临近期限：审查"));
    ground.later(TimeDelta::days(4)).await;
    app.run_jobs().await;
    let late = case(&ground, asked.id).await;
    assert_eq!(
        (&late["clocks"][0]["kind"], &late["clocks"][0]["colour"]),
        (&json!("review"), &json!("breached"))
    );
    let told = inbox(&ground.lead).await;
    assert!(told.contains("已逾期：审查"), "{told}");
    for hidden in [asked.id, waiting.id] {
        assert!(!told.contains(&hidden.to_string()), "{told}");
    }
    assert_eq!(audits(&app, "legal_case.breach").await, 2);
    app.run_jobs().await;
    assert_eq!(audits(&app, "legal_case.breach").await, 2);
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    assert_eq!(breaches(&app, asked.id).await, 1);
    app.run_jobs().await;
}

/// How many terms to decide a case has missed.
async fn breaches(app: &TestApp, id: CaseId) -> i64 {
    app.read(move |conn| {
        let of =
            legal_clocks::table.filter(legal_clocks::case_id.eq(id)).filter(legal_clocks::kind.eq("review"));
        Ok(of.filter(legal_clocks::breached_at.is_not_null()).count().get_result(conn)?)
    })
    .await
}

async fn a_decision_after_its_term_is_known_as_late(app: TestApp) {
    let mut ground = Ground::of(&app).await;
    let (late, timely) = (led(&ground, "li").await, led(&ground, "wang").await);
    ground.act(&ground.officer, timely.id, "acceptances", json!({})).await.ok(200);
    // The job that looks for breaches has not come by when somebody decides at last.
    ground.later(TimeDelta::days(9)).await;
    ground.act(&ground.officer, late.id, "acceptances", json!({})).await.ok(200);
    assert_eq!((breaches(&app, late.id).await, breaches(&app, timely.id).await), (1, 0));
    app.run_jobs().await;
}

async fn messages_tell_nothing_of_the_matter(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = accepted(&ground, "li").await;
    let to = json!({ "person_id": ground.lawyer.person() });
    ground.act(&ground.officer, asked.id, "assignments", to).await.ok(200);
    let body = json!({ "ground": "asked", "reasons": REASONS });
    ground.act(&ground.officer, asked.id, "terminations", body).await.ok(200);
    app.run_jobs().await;
    let mine = inbox(&asked.worker).await;
    for said in ["已受理", "已指派承办人员", "终止决定"] {
        assert!(mine.contains(said), "{said}: {mine}");
    }
    for inbox in [mine, inbox(&ground.lawyer).await, inbox(&ground.lead).await] {
        for hidden in ["电子厂", "拖欠", "工资", REASONS, "李小工"] {
            assert!(!inbox.contains(hidden), "{hidden}: {inbox}");
        }
    }
}
