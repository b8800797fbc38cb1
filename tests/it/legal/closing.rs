//! The end of a case: never without a report, a sample that anybody can reckon, a second officer before money.

use chrono::NaiveDate;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::ids::{CaseDocumentId, CaseId};
use unionhall::legal_aid::closing::rules;
use unionhall::legal_aid::model::{AidForm, Case, CaseState, TeamRole};
use unionhall::legal_aid::papers::model::DocumentKind;
use unionhall::legal_aid::papers::sealing;
use unionhall::platform::db::schema::{legal_documents, legal_events, legal_subsidies, policies};
use unionhall::platform::vault::KeyConfig;
use unionhall::policy::model::{Policy, PolicyUnit};

use super::papers::{issue, refused, words};
use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_case_is_reported_closed_judged_checked_and_paid,
    nothing_is_closed_without_a_report,
    a_report_holds_until_it_is_a_document,
    two_close_at_once,
    the_sample_is_what_anybody_reckons,
    a_return_visit_is_made_by_another,
    an_applicant_judges_once_and_at_the_end,
    a_file_is_checked_by_another_and_lacks_what_it_lacks,
    a_subsidy_is_what_the_policy_said_on_the_day_of_the_closing,
    nobody_else_learns_how_a_case_ended,
    papers_move_to_another_key,
    a_second_officer_joins_to_check,
];

/// A case that is being handled, and everybody of it.
struct Handled {
    worker: Actor,
    handler: Actor,
    deputy: Actor,
    lawyer: Actor,
    id: CaseId,
}

impl Handled {
    async fn new(app: &TestApp) -> Self {
        let worker = app.worker("zhang").await;
        let handler = staff_of(app, "handler", "legal_officer", "street-pinghu").await;
        let deputy = staff_of(app, "deputy", "legal_officer", "street-pinghu").await;
        let lawyer = staff_of(app, "lawyer", "legal_lawyer", "street-pinghu").await;
        let id = Self::case(app, &worker, [&handler, &deputy, &lawyer]).await;
        Self { worker, handler, deputy, lawyer, id }
    }

    /// Another case of the same people.
    async fn case(app: &TestApp, worker: &Actor, [handler, deputy, lawyer]: [&Actor; 3]) -> CaseId {
        let case = planted(app, worker.person(), "street-pinghu", |mut case| {
            case.state = CaseState::Handling;
            case.form = AidForm::Representation;
            case.decided_at = Some(case.received_at);
            case
        })
        .await;
        join(app, case.id, handler.person(), TeamRole::Handler).await;
        join(app, case.id, deputy.person(), TeamRole::Deputy).await;
        join(app, case.id, lawyer.person(), TeamRole::Lawyer).await;
        for kind in [DocumentKind::Acceptance, DocumentKind::Assignment] {
            issue(app, kind, &case, words(), Some(handler.person())).await.unwrap();
        }
        case.id
    }

    fn at(&self, what: &str) -> String {
        format!("/api/v1/legal-cases/{}/{what}", self.id)
    }

    async fn reported(&self) -> Value {
        self.lawyer.post(&self.at("closing-reports"), report()).await.ok(200)
    }

    async fn closed(&self) -> Value {
        self.reported().await;
        let closed = self.handler.post(&self.at("closings"), json!({})).await.ok(200);
        self.handler.app().run_jobs().await;
        closed
    }
}

fn report() -> Value {
    json!({ "result": "award_won", "recovered_fen": 1_850_000, "minutes": 300, "summary": "仲裁委员会支持全部请求。" })
}

fn everything() -> Value {
    json!([
        "application",
        "identity",
        "means",
        "evidence",
        "acceptance",
        "assignment",
        "proceedings",
        "closing"
    ])
}

/// From today on `key` is `value`.
async fn policy_is(app: &TestApp, key: &str, value: &str, unit: PolicyUnit, from: &str) {
    let row = Policy {
        policy_key: key.into(),
        effective_from: from.parse().unwrap(),
        value: value.into(),
        unit,
        source: "试验".into(),
    };
    app.write(move |conn| Ok(diesel::insert_into(policies::table).values(&row).execute(conn)?)).await;
}

async fn a_case_is_reported_closed_judged_checked_and_paid(app: TestApp) {
    policy_is(&app, "legal_aid.return_visit_percent", "100", PolicyUnit::Percent, "2025-06-16").await;
    let of = Handled::new(&app).await;
    let closed = of.closed().await;
    assert_eq!(closed["state"], "closed");
    assert_eq!(closed["report"]["recovered_fen"], 1_850_000);
    assert_eq!(closed["return_visit"]["due_on"], "2025-07-16");
    // The applicant reads how it went, and says what they think.
    let document = closed["report"]["document_id"].as_str().unwrap();
    let page = of.worker.get(&format!("/api/v1/me/legal-requests/{}/documents/{document}", of.id)).await;
    for said in ["结案报告", "仲裁委员会支持全部请求。", "18,500.00元", "5小时", "仲裁、诉讼请求得到支持"]
    {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let opinion = json!({ "score": 5, "text": "律师很耐心" });
    let path = format!("/api/v1/me/legal-requests/{}/satisfactions", of.id);
    assert_eq!(of.worker.post(&path, opinion).await.ok(200)["text"], "律师很耐心");
    let heard = json!({ "way": "phone", "outcome": "confirmed", "note": "款项已收到" });
    of.deputy.post(&of.at("return-visits"), heard).await.ok(200);
    let checked = of.deputy.post(&of.at("file-checks"), json!({ "present": everything() })).await.ok(200);
    assert_eq!(
        (&checked["file_check"]["complete"], &checked["file_check"]["missing"]),
        (&json!(true), &json!([]))
    );
    let paid = json!({ "person_id": of.lawyer.person() });
    of.handler.post(&of.at("subsidies"), paid).await.ok(200);
    let all = of.lawyer.get(&of.at("closing")).await.ok(200);
    assert_eq!(all["satisfaction"]["score"], 5);
    assert_eq!(all["return_visit"]["note"], "款项已收到");
    assert_eq!(all["subsidy"]["amount_fen"], 200_000);
    assert_eq!(all["subsidy"]["policy"], "legal_aid.subsidy.representation");
    // What happened stands in the history, with its document.
    let id = of.id;
    let events: Vec<(String, Option<CaseDocumentId>)> = app
        .read(move |conn| {
            let of_case = legal_events::table.filter(legal_events::case_id.eq(id)).order(legal_events::id);
            Ok(of_case.select((legal_events::act, legal_events::document_id)).load(conn)?)
        })
        .await;
    assert_eq!(events, [("close".to_owned(), Some(document.parse().unwrap()))]);
}

async fn nothing_is_closed_without_a_report(app: TestApp) {
    let of = Handled::new(&app).await;
    of.handler.post(&of.at("closings"), json!({})).await.problem(409, "legal_report_missing");
    let blank = json!({ "result": "other", "recovered_fen": 0, "minutes": 1, "summary": " \u{3000} " });
    let problem = of.lawyer.post(&of.at("closing-reports"), blank).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/summary", "{problem}");
    of.handler.post(&of.at("closings"), json!({})).await.problem(409, "legal_report_missing");
    // Nor does the database close it, not even with a report that no document was made of.
    let close = "UPDATE legal_cases SET state = 'closed', ended_at = received_at";
    assert!(refused(&app, close).await.contains("no case ends without its document"));
    of.reported().await;
    assert!(refused(&app, close).await.contains("no case ends without its document"));
    assert_eq!(of.handler.get(&of.at("closing")).await.ok(200)["state"], "handling");
    // A lawyer reports; closing is for who leads the case.
    of.lawyer.post(&of.at("closings"), json!({})).await.problem(403, "forbidden");
    of.handler.post(&of.at("closings"), json!({})).await.ok(200);
    app.run_jobs().await;
    let notices = of.worker.get("/api/v1/me/notices").await.ok(200);
    assert_eq!(notices["items"][0]["body"], "您的法律援助案件已办结。请查看结案报告，并对本次服务作出评价。");
}

async fn a_report_holds_until_it_is_a_document(app: TestApp) {
    let of = Handled::new(&app).await;
    of.reported().await;
    let later = json!({ "result": "settled", "recovered_fen": 900, "minutes": 20, "summary": "达成和解。" });
    let key = of.handler.fresh_key();
    let first = of.handler.post_keyed(&key, &of.at("closing-reports"), later.clone()).await;
    assert_eq!(of.handler.post_keyed(&key, &of.at("closing-reports"), later.clone()).await.text, first.text);
    let key = of.handler.fresh_key();
    let closed = of.handler.post_keyed(&key, &of.at("closings"), json!({})).await;
    assert_eq!(of.handler.post_keyed(&key, &of.at("closings"), json!({})).await.text, closed.text);
    let closed = closed.ok(200);
    assert_eq!(closed["report"]["result"], "settled", "the later one holds");
    of.handler.post(&of.at("closings"), json!({})).await.problem(409, "state_forbids");
    of.lawyer.post(&of.at("closing-reports"), later).await.problem(409, "state_forbids");
    for statement in [
        "UPDATE legal_reports SET recovered_fen = 1",
        "UPDATE legal_reports SET document_id = NULL, closed_by = NULL",
        "DELETE FROM legal_reports",
    ] {
        let refusal = refused(&app, statement).await;
        assert!(refusal.contains("a closing report stays as it was issued"), "{statement}: {refusal}");
    }
    assert_eq!(closing_reports(&app).await, 1);
    app.run_jobs().await;
}

async fn closing_reports(app: &TestApp) -> i64 {
    app.read(|conn| {
        let reports = legal_documents::table.filter(legal_documents::kind.eq(DocumentKind::ClosingReport));
        Ok(reports.count().get_result(conn)?)
    })
    .await
}

async fn two_close_at_once(app: TestApp) {
    let of = Handled::new(&app).await;
    of.reported().await;
    let other = app.second_instance().await;
    let second = of.deputy.at(&other);
    let path = of.at("closings");
    let path = path.as_str();
    let replies = join_all([&of.handler, &second].map(|who| async move { who.post(path, json!({})).await }));
    let mut statuses: Vec<u16> = replies.await.into_iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(closing_reports(&app).await, 1);
    app.run_jobs().await;
}

async fn the_sample_is_what_anybody_reckons(app: TestApp) {
    policy_is(&app, "legal_aid.return_visit_percent", "50", PolicyUnit::Percent, "2025-06-16").await;
    let mut of = Handled::new(&app).await;
    let mut drawn = 0;
    for _ in 0..12 {
        of.id = Handled::case(&app, &of.worker, [&of.handler, &of.deputy, &of.lawyer]).await;
        let closed = of.closed().await;
        let document: CaseDocumentId = closed["report"]["document_id"].as_str().unwrap().parse().unwrap();
        let is_drawn = closed.get("return_visit").is_some();
        assert_eq!(is_drawn, rules::sampled(document, 50), "{closed}");
        drawn += usize::from(is_drawn);
        if !is_drawn {
            let heard = json!({ "way": "phone", "outcome": "confirmed" });
            of.deputy.post(&of.at("return-visits"), heard).await.problem(409, "state_forbids");
        }
    }
    assert!((1..12).contains(&drawn), "{drawn} of 12: other ids would show more");
}

async fn a_return_visit_is_made_by_another(app: TestApp) {
    policy_is(&app, "legal_aid.return_visit_percent", "100", PolicyUnit::Percent, "2025-06-16").await;
    let of = Handled::new(&app).await;
    let heard = |outcome: &str| json!({ "way": "phone", "outcome": outcome });
    of.deputy.post(&of.at("return-visits"), heard("confirmed")).await.problem(409, "state_forbids");
    of.handler.post(&of.at("closing-reports"), report()).await.ok(200);
    of.handler.post(&of.at("closings"), json!({})).await.ok(200);
    of.handler
        .post(&of.at("return-visits"), heard("confirmed"))
        .await
        .problem(409, "second_officer_required");
    of.lawyer.post(&of.at("return-visits"), heard("confirmed")).await.problem(403, "forbidden");
    // Nobody was reached: it is tried again. What was heard then stays.
    of.deputy.post(&of.at("return-visits"), heard("unreachable")).await.ok(200);
    let visited = of.deputy.post(&of.at("return-visits"), heard("complaint")).await.ok(200);
    assert_eq!(visited["return_visit"]["outcome"], "complaint");
    of.deputy.post(&of.at("return-visits"), heard("confirmed")).await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn an_applicant_judges_once_and_at_the_end(app: TestApp) {
    let of = Handled::new(&app).await;
    let path = format!("/api/v1/me/legal-requests/{}/satisfactions", of.id);
    of.worker.post(&path, json!({ "score": 1 })).await.problem(409, "state_forbids");
    of.closed().await;
    for score in [0, 6] {
        of.worker.post(&path, json!({ "score": score })).await.problem(422, "validation_failed");
    }
    app.worker("li").await.post(&path, json!({ "score": 1 })).await.problem(404, "not_found");
    let key = of.worker.fresh_key();
    let first = of.worker.post_keyed(&key, &path, json!({ "score": 4 })).await;
    assert_eq!(of.worker.post_keyed(&key, &path, json!({ "score": 4 })).await.text, first.text);
    of.worker.post(&path, json!({ "score": 1 })).await.problem(409, "state_forbids");
    assert_eq!(of.handler.get(&of.at("closing")).await.ok(200)["satisfaction"]["score"], 4);
}

async fn a_file_is_checked_by_another_and_lacks_what_it_lacks(app: TestApp) {
    let of = Handled::new(&app).await;
    of.closed().await;
    let path = of.at("file-checks");
    // Who closed it does not check it, nor does the lawyer.
    of.handler.post(&path, json!({ "present": everything() })).await.problem(409, "second_officer_required");
    of.lawyer.post(&path, json!({ "present": everything() })).await.problem(403, "forbidden");
    let problem =
        of.deputy.post(&path, json!({ "present": ["poem"] })).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/present/0", "{problem}");
    let body = json!({ "present": ["application", "identity", "closing"], "note": "缺办案文书" });
    let checked = of.deputy.post(&path, body).await.ok(200);
    let check = &checked["file_check"];
    assert_eq!(
        check["missing"],
        json!(["means", "evidence", "acceptance", "assignment", "proceedings"]),
        "{check}"
    );
    assert_eq!((&check["complete"], &check["note"]), (&json!(false), &json!("缺办案文书")));
    let paid = json!({ "person_id": of.lawyer.person() });
    of.handler.post(&of.at("subsidies"), paid.clone()).await.problem(409, "legal_file_unchecked");
    let lawyer = of.lawyer.person();
    let (id, granted_by) = (of.id, of.handler.person());
    let row = unionhall::legal_aid::closing::model::Subsidy {
        case_id: id,
        person_id: lawyer,
        amount_fen: 1,
        policy: "none".into(),
        policy_from: NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(),
        granted_by,
        granted_at: unionhall::clock::db_time(app.now()),
    };
    let behind = app
        .db()
        .write(move |conn| Ok(diesel::insert_into(legal_subsidies::table).values(&row).execute(conn)?))
        .await;
    let refusal = format!("{:?}", behind.unwrap_err());
    assert!(refusal.contains("a file that another officer found complete"), "{refusal}");
    // Found complete, it stays so.
    of.deputy.post(&path, json!({ "present": everything() })).await.ok(200);
    of.deputy.post(&path, json!({ "present": [] })).await.problem(409, "state_forbids");
    of.handler.post(&of.at("subsidies"), paid).await.ok(200);
}

async fn a_subsidy_is_what_the_policy_said_on_the_day_of_the_closing(app: TestApp) {
    let of = Handled::new(&app).await;
    policy_is(&app, "legal_aid.subsidy.representation", "123400", PolicyUnit::Fen, "2025-06-16").await;
    policy_is(&app, "legal_aid.subsidy.representation", "567800", PolicyUnit::Fen, "2025-06-20").await;
    of.closed().await;
    of.deputy.post(&of.at("file-checks"), json!({ "present": everything() })).await.ok(200);
    app.advance(chrono::TimeDelta::days(10));
    let handler = app.worker("handler").await;
    for stranger in [of.worker.person(), of.deputy.person()] {
        let problem = handler.post(&of.at("subsidies"), json!({ "person_id": stranger })).await;
        assert_eq!(problem.problem(422, "validation_failed")["errors"][0]["pointer"], "/person_id");
    }
    let paid = json!({ "person_id": of.lawyer.person() });
    let view = handler.post(&of.at("subsidies"), paid.clone()).await.ok(200);
    assert_eq!(view["subsidy"]["amount_fen"], 123_400);
    assert_eq!(view["subsidy"]["policy_from"], "2025-06-16");
    handler.post(&of.at("subsidies"), paid).await.problem(409, "state_forbids");
}

async fn nobody_else_learns_how_a_case_ended(app: TestApp) {
    let of = Handled::new(&app).await;
    of.closed().await;
    let nowhere: CaseId = app.ids().id();
    let lead = staff_of(&app, "lead", "legal_lead", "longgang").await;
    for (what, body) in [
        ("closing", Value::Null),
        ("closing-reports", report()),
        ("closings", json!({})),
        ("return-visits", json!({ "way": "phone", "outcome": "confirmed" })),
        ("file-checks", json!({ "present": [] })),
        ("subsidies", json!({ "person_id": of.lawyer.person() })),
    ] {
        let mut answers = Vec::new();
        for id in [of.id, nowhere] {
            let path = format!("/api/v1/legal-cases/{id}/{what}");
            let reply =
                if body.is_null() { lead.get(&path).await } else { lead.post(&path, body.clone()).await };
            let mut problem = reply.problem(404, "not_found");
            problem.as_object_mut().unwrap().remove("request_id");
            answers.push(problem.to_string());
        }
        assert_eq!(answers[0], answers[1], "{what}");
    }
}

async fn papers_move_to_another_key(app: TestApp) {
    policy_is(&app, "legal_aid.return_visit_percent", "100", PolicyUnit::Percent, "2025-06-16").await;
    let of = Handled::new(&app).await;
    let closed = of.closed().await;
    let heard = json!({ "way": "phone", "outcome": "confirmed", "note": "款项已收到" });
    of.deputy.post(&of.at("return-visits"), heard).await.ok(200);
    of.deputy.post(&of.at("file-checks"), json!({ "present": [], "note": "案卷未归档" })).await.ok(200);
    let path = format!("/api/v1/me/legal-requests/{}/satisfactions", of.id);
    of.worker.post(&path, json!({ "score": 3, "text": "等得太久" })).await.ok(200);
    let secret = "another-secret-of-the-vault-for-papers-0002";
    let old = app.config().vault.clone();
    let both = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.secret = secret.to_owned().into();
            config.vault.retired =
                vec![KeyConfig { id: old.key_id.clone(), cipher: old.cipher, secret: old.secret.clone() }];
        })
        .await;
    let rotate = || {
        let platform = both.app().platform().clone();
        tokio::task::spawn_blocking(move || sealing::rotate(&platform.db, &platform.vault, || ()).unwrap())
    };
    // Three documents, a report, a return visit, an opinion, a check.
    assert_eq!(rotate().await.unwrap(), 7);
    assert_eq!(rotate().await.unwrap(), 0, "nothing is left to do");
    // The old key may go now: what was said is read with the new one alone.
    let new = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.secret = secret.to_owned().into();
        })
        .await;
    let all = of.deputy.at(&new).get(&of.at("closing")).await.ok(200);
    assert_eq!(all["report"]["summary"], "仲裁委员会支持全部请求。");
    assert_eq!(all["return_visit"]["note"], "款项已收到");
    assert_eq!(all["file_check"]["note"], "案卷未归档");
    assert_eq!(all["satisfaction"]["text"], "等得太久");
    let document = closed["report"]["document_id"].as_str().unwrap();
    let page = of.deputy.at(&new).get(&of.at(&format!("documents/{document}"))).await;
    assert!(page.text.contains("仲裁委员会支持全部请求。"), "{}", page.text);
}

async fn a_second_officer_joins_to_check(app: TestApp) {
    let of = Handled::new(&app).await;
    of.closed().await;
    let second = staff_of(&app, "second", "legal_officer", "longgang").await;
    second.get(&of.at("closing")).await.problem(404, "not_found");
    // A lawyer brings nobody in, and nobody who works elsewhere comes in.
    let body = json!({ "person_id": second.person() });
    of.lawyer.post(&of.at("deputies"), body.clone()).await.problem(403, "forbidden");
    let elsewhere = staff_of(&app, "elsewhere", "legal_officer", "street-pingdi").await;
    for stranger in [elsewhere.person(), of.lawyer.person(), of.worker.person()] {
        let reply = of.handler.post(&of.at("deputies"), json!({ "person_id": stranger })).await;
        assert_eq!(reply.problem(422, "validation_failed")["errors"][0]["pointer"], "/person_id");
    }
    let key = of.handler.fresh_key();
    let first = of.handler.post_keyed(&key, &of.at("deputies"), body.clone()).await;
    first.expect(200);
    assert_eq!(of.handler.post_keyed(&key, &of.at("deputies"), body.clone()).await.text, first.text);
    of.handler.post(&of.at("deputies"), body).await.problem(409, "state_forbids");
    app.run_jobs().await;
    second.get(&of.at("closing")).await.ok(200);
    second.post(&of.at("file-checks"), json!({ "present": everything() })).await.ok(200);
    // Whoever has to keep away does not come in: who asked, above all.
    let own = staff_of(&app, "own", "legal_officer", "street-pinghu").await;
    let theirs = planted(&app, own.person(), "street-pinghu", |case| Case {
        state: CaseState::Accepted,
        decided_at: Some(case.received_at),
        ..case
    })
    .await;
    join(&app, theirs.id, of.handler.person(), TeamRole::Handler).await;
    let path = format!("/api/v1/legal-cases/{}/deputies", theirs.id);
    of.handler.post(&path, json!({ "person_id": own.person() })).await.problem(409, "legal_conflict");
}
