//! Documents: numbered without gaps, kept sealed, printed, handed over, read; and no case that ends without one.

use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::error::{Code, Error};
use unionhall::ids::{CaseDocumentId, CaseId, PersonId};
use unionhall::legal_aid::model::{Case, CaseState, Ground, TeamRole};
use unionhall::legal_aid::papers::issuing::{Ending, Office, Words, issue_in_tx};
use unionhall::legal_aid::papers::model::{CaseDocument, DocumentKind};
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{audit_entries, legal_cases, legal_documents, legal_numbers};

use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    numbers_have_no_gap_and_no_double,
    each_desk_year_and_kind_counts_for_itself,
    every_kind_is_issued_and_printed,
    a_document_is_sealed_and_its_first_opening_is_noted,
    hostile_words_stay_words,
    a_document_is_handed_over_once,
    nobody_else_learns_of_a_document,
    what_was_issued_stays,
    no_case_is_refused_or_ended_without_its_document,
    a_refusal_without_reasons_takes_no_number,
];

/// What every kind of document can be made of.
pub fn words() -> Words {
    let ending = Ending {
        result: "经协商、调解达成一致".into(),
        recovered_fen: 1_850_000,
        minutes: 90,
        summary: "用人单位已付清工资。".into(),
    };
    Words {
        reasons: Some("申请事项不属于援助范围。".into()),
        missing: vec!["劳动合同".into(), "工资流水".into()],
        due: chrono::NaiveDate::from_ymd_opt(2025, 6, 26),
        assignee: Some("李律师".into()),
        ground: Some(Ground::OtherCounsel),
        about: None,
        upheld: Some(false),
        ending: Some(ending),
    }
}

/// Issues a document in a transaction of its own.
pub async fn issue(
    app: &TestApp,
    kind: DocumentKind,
    case: &Case,
    words: Words,
    by: Option<PersonId>,
) -> Result<CaseDocumentId, Error> {
    let (platform, case, now) = (app.app().platform().clone(), case.clone(), app.now());
    let act = move |conn: &mut Conn| {
        let office = Office { vault: &platform.vault, ids: &platform.ids };
        issue_in_tx(conn, &office, kind, &case, words, by, now)
    };
    app.db().write(act).await
}

async fn documents(app: &TestApp, kind: DocumentKind) -> Vec<CaseDocument> {
    app.read(move |conn| {
        let of_kind = legal_documents::table.filter(legal_documents::kind.eq(kind));
        Ok(of_kind.order(legal_documents::serial).select(CaseDocument::as_select()).load(conn)?)
    })
    .await
}

async fn document(app: &TestApp, id: CaseDocumentId) -> CaseDocument {
    app.read(move |conn| Ok(legal_documents::table.find(id).select(CaseDocument::as_select()).first(conn)?))
        .await
}

/// Worker, officer, and a case of theirs.
async fn a_case(app: &TestApp) -> (Actor, Actor, Case) {
    let worker = app.worker("zhang").await;
    worker.set_profile("张三丰", None).await;
    let officer = staff_of(app, "officer", "legal_officer", "street-pinghu").await;
    let case = planted(app, worker.person(), "street-pinghu", |case| case).await;
    join(app, case.id, officer.person(), TeamRole::Handler).await;
    (worker, officer, case)
}

fn own_path(case: CaseId, document: CaseDocumentId) -> String {
    format!("/api/v1/me/legal-requests/{case}/documents/{document}")
}

fn team_path(case: CaseId, document: CaseDocumentId) -> String {
    format!("/api/v1/legal-cases/{case}/documents/{document}")
}

/// An answer but for its request id.
fn without_request(reply: Reply) -> (u16, Value) {
    let mut body = reply.body;
    body.as_object_mut().unwrap().remove("request_id");
    (reply.status, body)
}

async fn numbers_have_no_gap_and_no_double(app: TestApp) {
    let worker = app.worker("zhang").await;
    let mut cases = Vec::new();
    for _ in 0..12 {
        cases.push(planted(&app, worker.person(), "street-pinghu", |case| case).await);
    }
    // Two instances issue at once, and every third act is undone after its number was given.
    let other = app.second_instance().await;
    let acts = cases.iter().enumerate().map(|(at, case)| {
        let instance = if at % 2 == 0 { &app } else { &other };
        let (platform, case, now) = (instance.app().platform().clone(), case.clone(), app.now());
        instance.db().write(move |conn| {
            let office = Office { vault: &platform.vault, ids: &platform.ids };
            let kind = DocumentKind::Receipt;
            let made = issue_in_tx(conn, &office, kind, &case, Words::default(), None, now)?;
            if at % 3 == 0 { Err(Error::new(Code::Conflict)) } else { Ok(made) }
        })
    });
    let outcomes = join_all(acts).await;
    assert_eq!(outcomes.iter().filter(|one| one.is_ok()).count(), 8, "{outcomes:?}");
    let rows = documents(&app, DocumentKind::Receipt).await;
    assert_eq!(rows.iter().map(|row| row.serial).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    let last: i64 = app.read(|conn| Ok(legal_numbers::table.select(legal_numbers::last).first(conn)?)).await;
    assert_eq!(last, 8);
}

async fn each_desk_year_and_kind_counts_for_itself(app: TestApp) {
    let worker = app.worker("zhang").await;
    let here = planted(&app, worker.person(), "street-pinghu", |case| case).await;
    let there = planted(&app, worker.person(), "longgang", |case| case).await;
    let number = |id| {
        let app = app.clone();
        async move { document(&app, id).await.number }
    };
    let receipt = DocumentKind::Receipt;
    let mut numbers = Vec::new();
    for (kind, case) in
        [(receipt, &here), (receipt, &here), (receipt, &there), (DocumentKind::Acceptance, &here)]
    {
        numbers.push(number(issue(&app, kind, case, words(), None).await.unwrap()).await);
    }
    // The last instant of the year in Shanghai, and the first of the next.
    app.clock().set("2025-12-31T15:59:59Z".parse().unwrap());
    numbers.push(number(issue(&app, receipt, &here, words(), None).await.unwrap()).await);
    app.clock().set("2025-12-31T16:00:00Z".parse().unwrap());
    numbers.push(number(issue(&app, receipt, &here, words(), None).await.unwrap()).await);
    assert_eq!(
        numbers,
        [
            "平湖街道法援收〔2025〕1号",
            "平湖街道法援收〔2025〕2号",
            "区总工会法援收〔2025〕1号",
            "平湖街道法援受〔2025〕1号",
            "平湖街道法援收〔2025〕3号",
            "平湖街道法援收〔2026〕1号",
        ]
    );
}

async fn every_kind_is_issued_and_printed(app: TestApp) {
    let (worker, officer, case) = a_case(&app).await;
    let mut about = None;
    for kind in DocumentKind::ALL.iter().copied() {
        // Documents of one moment stand in no order.
        app.advance(chrono::TimeDelta::seconds(1));
        let words = Words { about, ..words() };
        let by = Some(officer.person());
        // What these are about is there by then.
        let id = issue(&app, kind, &case, words, by).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        about = about.or(Some(id));
        for (reader, path) in [(&officer, team_path(case.id, id)), (&worker, own_path(case.id, id))] {
            let reply = reader.get(&path).await;
            reply.expect(200);
            for said in ["张三丰", "龙岗区平湖街道总工会", "2025年6月16日", &document(&app, id).await.number]
            {
                assert!(reply.text.contains(said), "{kind} says {said}: {}", reply.text);
            }
        }
    }
    let listed = worker.get(&format!("/api/v1/me/legal-requests/{}/documents", case.id)).await.ok(200);
    let kinds: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    let newest_first: Vec<&str> = DocumentKind::ALL.iter().rev().map(|kind| kind.as_str()).collect();
    assert_eq!(kinds, newest_first);
    assert!(!listed.to_string().contains("issued_by"), "who issued it is for the team: {listed}");
    let listed = officer.get(&format!("/api/v1/legal-cases/{}/documents?limit=4", case.id)).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    assert_eq!(listed["items"][0]["issued_by"], json!(officer.person()));
}

async fn a_document_is_sealed_and_its_first_opening_is_noted(app: TestApp) {
    let (worker, officer, case) = a_case(&app).await;
    let id = issue(&app, DocumentKind::Refusal, &case, words(), Some(officer.person())).await.unwrap();
    let kept = document(&app, id).await;
    assert!(!kept.paper_sealed.contains("援助") && kept.paper_sealed.starts_with("v1."), "{kept:?}");
    // The team reads it, and that is no reading of the applicant's.
    let page = officer.get(&team_path(case.id, id)).await;
    page.expect(200);
    assert!(
        page.text.contains("申请事项不属于援助范围。") && page.text.contains("提出异议的权利"),
        "{}",
        page.text
    );
    assert_eq!(document(&app, id).await.read_at, None);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    // The applicant opens it twice, ten minutes apart.
    let first = worker.get(&own_path(case.id, id)).await;
    assert_eq!(first.text, page.text);
    let opened = app.now();
    app.advance(chrono::TimeDelta::minutes(10));
    assert_eq!(worker.get(&own_path(case.id, id)).await.text, first.text);
    let listed = worker.get(&format!("/api/v1/me/legal-requests/{}/documents", case.id)).await.ok(200);
    let item = &listed["items"][0];
    assert_eq!((&item["read_at"], &item["delivered_at"]), (&json!(opened), &json!(opened)), "{item}");
    assert_eq!(item["delivery"], "online");
    // The audit says what the team read, and not whose case it is.
    let objects = [id.to_string(), case.id.to_string()];
    let entries: Vec<(String, Option<PersonId>)> = app
        .read(move |conn| {
            let of = audit_entries::table.filter(audit_entries::object.eq_any(objects));
            let of = of.order(audit_entries::seq).select((audit_entries::action, audit_entries::actor));
            Ok(of.load(conn)?)
        })
        .await;
    let read = ("legal_case.read".to_owned(), Some(officer.person()));
    assert_eq!(entries, [read, ("legal_document.receive".to_owned(), None)]);
}

async fn hostile_words_stay_words(app: TestApp) {
    let (worker, officer, case) = a_case(&app).await;
    worker.set_profile("<script>alert(1)</script>", None).await;
    let hostile = "</main></body><script>alert(2)</script><img src=x onerror=alert(3)>\n{applicant}";
    let words = Words { reasons: Some(hostile.into()), ..words() };
    let id = issue(&app, DocumentKind::Refusal, &case, words, Some(officer.person())).await.unwrap();
    let page = worker.get(&own_path(case.id, id)).await;
    page.expect(200);
    for harmful in ["<script", "<img", "</main></body><"] {
        assert!(!page.text.contains(harmful), "{harmful}: {}", page.text);
    }
    assert!(
        page.text.contains("&lt;script&gt;alert(1)") && page.text.contains("{applicant}"),
        "{}",
        page.text
    );
}

async fn a_document_is_handed_over_once(app: TestApp) {
    let (worker, officer, case) = a_case(&app).await;
    let id = issue(&app, DocumentKind::Acceptance, &case, words(), Some(officer.person())).await.unwrap();
    let issued = app.now();
    app.advance(chrono::TimeDelta::minutes(10));
    let path = format!("{}/deliveries", team_path(case.id, id));
    for (body, fault) in [
        (json!({ "way": "online" }), "/way"),
        (json!({ "way": "post", "at": issued - chrono::TimeDelta::seconds(1) }), "/at"),
        (json!({ "way": "post", "at": app.now() + chrono::TimeDelta::seconds(1) }), "/at"),
    ] {
        let problem = officer.post(&path, body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], fault, "{problem}");
    }
    let key = officer.fresh_key();
    let body = json!({ "way": "post", "at": issued + chrono::TimeDelta::minutes(5) });
    let first = officer.post_keyed(&key, &path, body.clone()).await;
    assert_eq!(first.clone().ok(200)["delivery"], "post");
    assert_eq!(
        officer.post_keyed(&key, &path, body).await.text,
        first.text,
        "a repetition is answered alike"
    );
    officer.post(&path, json!({ "way": "in_person" })).await.problem(409, "state_forbids");
    // Opening it later leaves how it was handed over as it was.
    worker.get(&own_path(case.id, id)).await.expect(200);
    let kept = document(&app, id).await;
    assert_eq!(kept.delivery.map(|way| way.as_str()), Some("post"));
    assert_eq!(kept.delivered_by, Some(officer.person()));
    assert!(kept.read_at > kept.delivered_at);
}

async fn nobody_else_learns_of_a_document(app: TestApp) {
    let (worker, officer, case) = a_case(&app).await;
    let id = issue(&app, DocumentKind::Refusal, &case, words(), Some(officer.person())).await.unwrap();
    let stranger = app.worker("li").await;
    let other = staff_of(&app, "officer-2", "legal_officer", "street-pinghu").await;
    let lead = staff_of(&app, "lead", "legal_lead", "longgang").await;
    let theirs = planted(&app, stranger.person(), "street-pinghu", |case| case).await;
    let (no_case, no_document): (CaseId, CaseDocumentId) = (app.ids().id(), app.ids().id());
    for (who, there, nowhere) in [
        (&stranger, own_path(case.id, id), own_path(no_case, no_document)),
        (&other, team_path(case.id, id), team_path(no_case, no_document)),
        (&lead, team_path(case.id, id), team_path(no_case, no_document)),
    ] {
        let (foreign, missing) = (who.get(&there).await, who.get(&nowhere).await);
        assert_eq!(foreign.status, 404, "{}", who.name);
        assert_eq!(without_request(foreign), without_request(missing), "{}", who.name);
    }
    // Not under one's own case either.
    stranger.get(&own_path(theirs.id, id)).await.problem(404, "not_found");
    let lists = [(&stranger, "me/legal-requests"), (&other, "legal-cases"), (&lead, "legal-cases")];
    for (who, room) in lists {
        let foreign = who.get(&format!("/api/v1/{room}/{}/documents", case.id)).await;
        let missing = who.get(&format!("/api/v1/{room}/{no_case}/documents")).await;
        assert_eq!(foreign.status, 404, "{}", who.name);
        assert_eq!(without_request(foreign), without_request(missing), "{}", who.name);
    }
    let deliver = format!("{}/deliveries", team_path(case.id, id));
    other.post(&deliver, json!({ "way": "post" })).await.problem(404, "not_found");
    assert_eq!(document(&app, id).await.delivered_at, None);
    worker.get(&own_path(case.id, id)).await.expect(200);
}

/// What the database says to `statement`.
pub async fn refused(app: &TestApp, statement: &'static str) -> String {
    let outcome = app.db().write(move |conn| Ok(diesel::sql_query(statement).execute(conn)?)).await;
    format!("{:?}", outcome.expect_err(statement))
}

async fn what_was_issued_stays(app: TestApp) {
    let (_, officer, case) = a_case(&app).await;
    issue(&app, DocumentKind::Refusal, &case, words(), Some(officer.person())).await.unwrap();
    for statement in [
        "UPDATE legal_documents SET number = '1'",
        "UPDATE legal_documents SET serial = 7",
        "UPDATE legal_documents SET year = 2024",
        "UPDATE legal_documents SET kind = 'receipt'",
        "DELETE FROM legal_documents",
    ] {
        let refusal = refused(&app, statement).await;
        assert!(refusal.contains("stay as they were issued"), "{statement}: {refusal}");
    }
    assert_eq!(documents(&app, DocumentKind::Refusal).await.len(), 1);
}

async fn no_case_is_refused_or_ended_without_its_document(app: TestApp) {
    let (_, _, case) = a_case(&app).await;
    let ended = "ended_at = received_at, decided_at = received_at";
    for (state, more) in [("refused", ""), ("terminated", ", ground = 'asked'"), ("closed", "")] {
        let statement: &'static str =
            format!("UPDATE legal_cases SET state = '{state}', {ended}{more}").leak();
        let refusal = refused(&app, statement).await;
        assert!(
            refusal.contains("no case ends without its document") || refusal.contains("written reasons"),
            "{state}: {refusal}"
        );
    }
    let id = case.id;
    let state: CaseState =
        app.read(move |conn| Ok(legal_cases::table.find(id).select(legal_cases::state).first(conn)?)).await;
    assert_eq!(state, CaseState::Received);
}

async fn a_refusal_without_reasons_takes_no_number(app: TestApp) {
    let (_, officer, case) = a_case(&app).await;
    for reasons in [None, Some(String::new()), Some(" \n　".to_owned())] {
        let words = Words { reasons, ..words() };
        let by = Some(officer.person());
        let refusal = issue(&app, DocumentKind::Refusal, &case, words, by).await.unwrap_err();
        assert_eq!(refusal.code(), Code::ValidationFailed);
        assert_eq!(refusal.inner().faults[0].pointer, "/reasons");
    }
    let kind = DocumentKind::SupplementNotice;
    let refusal = issue(&app, kind, &case, Words { missing: Vec::new(), ..words() }, None).await.unwrap_err();
    assert_eq!(refusal.inner().faults[0].pointer, "/missing");
    issue(&app, DocumentKind::Refusal, &case, words(), Some(officer.person())).await.unwrap();
    assert_eq!(documents(&app, DocumentKind::Refusal).await[0].serial, 1);
}
