//! What is decided, by whom, and what comes of it.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::StageId;
use unionhall::platform::db::schema::review_stages;
use unionhall::review::model::{EventKind, StageState};

use super::steps::{STAFFED, UNSTAFFED, audited, request, request_of, request_with, told, worker_of};
use super::{Facts, Officers, approve, asked, come_round, decide_at, give_back, reject};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_request_goes_through_unit_street_and_district,
    a_body_that_is_missing_or_comes_again_is_left_out,
    somebody_decides_where_no_body_is_above_the_applicant,
    from_an_amount_on_the_departments_sign_together,
    the_amount_that_is_supplied_counts,
    one_department_that_rejects_ends_it,
    a_decision_names_reasons_of_its_catalogue,
    a_return_names_everything_and_a_supplement_brings_it,
    a_second_return_needs_a_leave,
    a_decision_names_what_it_has_read,
    nobody_decides_about_themselves,
    nobody_decides_about_colleagues_where_the_chain_says_so,
    nobody_decides_twice,
    the_database_holds_who_decides,
    a_superior_decides_after_the_breach_only,
    many_at_once_each_by_itself,
];

fn states(view: &Value) -> Vec<(String, String)> {
    let text = |stage: &Value, field: &str| stage[field].as_str().unwrap().to_owned();
    let stages = view["stages"].as_array().unwrap();
    stages.iter().map(|stage| (text(stage, "body_name"), text(stage, "state"))).collect()
}

fn are(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(body, state)| ((*body).to_owned(), (*state).to_owned())).collect()
}

async fn a_request_goes_through_unit_street_and_district(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let own = || async { zhang.worker.get(&zhang.own("")).await.ok(200) };
    let (unit, street, district) = ("示例物流（平湖）", "平湖街道", "区总工会");
    let view = own().await;
    assert_eq!(states(&view), are(&[(unit, "open"), (street, "pending"), (district, "pending")]));
    assert_eq!(
        view["standing"],
        "您的申请正由示例物流（平湖）审核，最迟6月19日 23:59前答复；之后由平湖街道审核。"
    );
    assert_eq!(
        view["standing_en"],
        "Your request is being reviewed by 示例物流（平湖）, at the latest by 2025-06-19 23:59; then by 平湖街道."
    );
    // Not yet theirs.
    zhang.approve(&officers.street).await.problem(403, "review_not_yours");
    let refused = zhang.approve(&officers.district).await.problem(403, "review_not_yours");
    assert_eq!(refused["detail"], "此环节由示例物流（平湖）办理");

    let decided = zhang.approve(&officers.unit).await.ok(200);
    assert_eq!((&decided["state"], &decided["version"]), (&json!("open"), &json!(2)));
    assert_eq!(states(&own().await), are(&[(unit, "approved"), (street, "open"), (district, "pending")]));
    zhang.approve(&officers.unit).await.problem(403, "review_not_yours");
    zhang.approve(&officers.street).await.ok(200);
    let view = own().await;
    assert_eq!(states(&view), are(&[(unit, "approved"), (street, "approved"), (district, "open")]));
    assert_eq!(view["standing"], "您的申请正由区总工会审核，最迟6月25日 23:59前答复，这是最后一个环节。");
    assert_eq!(zhang.signup_state().await, "applied");
    let decided = zhang.approve(&officers.district).await.ok(200);
    assert_eq!((&decided["state"], &decided["version"]), (&json!("approved"), &json!(4)));
    assert_eq!(decided["decided_at"], json!(app.now()));
    assert_eq!(zhang.signup_state().await, "confirmed");
    assert_eq!(own().await["standing"], "您的申请已通过。");

    let facts = Facts::of(&app, &zhang.id).await;
    use EventKind::{Approved, Opened};
    assert_eq!(facts.kinds(), [Opened, Approved, Approved, Approved]);
    let by = [&officers.unit, &officers.street, &officers.district].map(Actor::person);
    assert_eq!(facts.deciders(), by);
    assert!(facts.queue.is_empty());
    assert_eq!(told(&app, &zhang.worker, "review_approved").await.len(), 1);
    let entries = audited(&app, "review.approve").await;
    assert_eq!(entries.iter().map(|entry| entry.0.clone()).collect::<Vec<_>>(), by.map(|id| id.to_string()));
}

async fn a_body_that_is_missing_or_comes_again_is_left_out(app: TestApp) {
    // At a station: a sub-district above it, and no union of the enterprise.
    let station = request(&app, "zhang", Some("demo-station-pinghu-1")).await;
    let view = station.worker.get(&station.own("")).await.ok(200);
    assert_eq!(states(&view), are(&[("平湖街道", "open"), ("区总工会", "pending")]));
    // A union that is managed directly, with nobody who decides: what goes up to the district is decided there once.
    let direct = request(&app, "li", Some("demo-direct-1")).await;
    let view = direct.worker.get(&direct.own("")).await.ok(200);
    assert_eq!(states(&view), are(&[("直管一（演示）", "skipped"), ("区总工会", "open")]));
    assert_eq!(view["stages"][0]["skipped_because"], "same_body");
    // An enterprise union with nobody who decides, below a sub-district that has somebody.
    let below = request(&app, "wang", Some(UNSTAFFED)).await;
    let view = below.worker.get(&below.own("")).await.ok(200);
    assert_eq!(
        states(&view),
        are(&[("示例食品（平湖）", "skipped"), ("平湖街道", "open"), ("区总工会", "pending")])
    );
    // Neither the union nor the sub-district: the district alone.
    let lone = request(&app, "zhao", Some("demo-enterprise-pingdi-1")).await;
    let view = lone.worker.get(&lone.own("")).await.ok(200);
    assert_eq!(
        states(&view),
        are(&[("示例服饰（坪地）", "skipped"), ("坪地街道", "skipped"), ("区总工会", "open")])
    );
    lone.approve(&app.staff("reviewer").await).await.ok(200);
    assert_eq!(lone.signup_state().await, "confirmed");
    app.run_jobs().await;
}

async fn somebody_decides_where_no_body_is_above_the_applicant(app: TestApp) {
    // The plain chain has a unit and a sub-district; this worker has neither.
    let activity = app.activity(|a| crate::reviewed::trip(a).programme("demo-skills-advanced")).await;
    let zhang = super::steps::apply(worker_of(&app, "zhang", None).await, &activity, json!({})).await;
    let view = zhang.worker.get(&zhang.own("")).await.ok(200);
    assert_eq!(states(&view), are(&[("区总工会", "open")]));
    zhang.approve(&app.staff("reviewer").await).await.ok(200);
    assert_eq!(zhang.signup_state().await, "confirmed");
    app.run_jobs().await;
}

/// An officer for each of the lead departments.
async fn departments(app: &TestApp) -> [Actor; 3] {
    [
        staff_of(app, "office", "reviewer", "dept-office").await,
        staff_of(app, "rights", "reviewer", "dept-rights").await,
        staff_of(app, "education", "reviewer", "dept-education").await,
    ]
}

async fn from_an_amount_on_the_departments_sign_together(app: TestApp) {
    let (officers, departments) = (Officers::of(&app).await, departments(&app).await);
    let below = asked(&app, "li", json!({ "cost": "299999" })).await;
    assert_eq!(Facts::of(&app, &below.id).await.stages.len(), 3, "one fen less is not looked at together");

    let zhang = asked(&app, "zhang", json!({ "cost": "300000" })).await;
    assert_eq!(zhang.seen(&officers.unit).await["amount_fen"], 300_000);
    zhang.approve(&officers.unit).await.ok(200);
    zhang.approve(&officers.street).await.ok(200);
    let mut open = zhang.open_at().await;
    open.sort();
    assert_eq!(open.len(), 3, "{open:?}");
    assert!(!open.contains(&"区总工会".to_owned()));
    zhang.approve(&officers.district).await.problem(403, "review_not_yours");
    for (number, department) in departments.iter().enumerate() {
        assert_eq!(zhang.open_at().await.len(), 3 - number);
        let decided = zhang.approve(department).await.ok(200);
        assert_eq!(decided["version"], json!(4 + number), "each signature is a change");
        zhang.approve(department).await.problem(403, "review_not_yours");
    }
    assert_eq!(zhang.open_at().await, ["区总工会"]);
    zhang.approve(&officers.district).await.ok(200);
    assert_eq!(zhang.signup_state().await, "confirmed");
    let mut by: Vec<_> = [&officers.unit, &officers.street, &officers.district].map(Actor::person).into();
    by.extend(departments.iter().map(Actor::person));
    let mut deciders = Facts::of(&app, &zhang.id).await.deciders();
    by.sort();
    deciders.sort();
    assert_eq!(deciders, by);
    app.run_jobs().await;
}

async fn the_amount_that_is_supplied_counts(app: TestApp) {
    let (officers, departments) = (Officers::of(&app).await, departments(&app).await);
    let zhang = asked(&app, "zhang", json!({ "cost": "" })).await;
    zhang.decide(&officers.unit, give_back(&["cost"])).await.ok(200);
    let supplement = json!({ "form": { "cost": "450000" } });
    zhang.worker.post(&zhang.own("/supplements"), supplement).await.ok(200);
    zhang.approve(&officers.unit).await.ok(200);
    zhang.approve(&officers.street).await.ok(200);
    for department in &departments {
        zhang.approve(department).await.ok(200);
    }
    zhang.approve(&officers.district).await.ok(200);
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!((facts.review.amount_fen, facts.stages.len()), (Some(450_000), 6));
    app.run_jobs().await;
}

async fn one_department_that_rejects_ends_it(app: TestApp) {
    let (officers, departments) = (Officers::of(&app).await, departments(&app).await);
    let zhang = asked(&app, "zhang", json!({ "cost": "300000" })).await;
    zhang.approve(&officers.unit).await.ok(200);
    zhang.approve(&officers.street).await.ok(200);
    zhang.approve(&departments[0]).await.ok(200);
    zhang.decide(&departments[1], reject()).await.ok(200);
    zhang.approve(&departments[2]).await.problem(409, "state_forbids");
    let facts = Facts::of(&app, &zhang.id).await;
    let states: Vec<StageState> = facts.stages.iter().map(|stage| stage.state).collect();
    assert_eq!(states.iter().filter(|state| **state == StageState::Ended).count(), 2, "{states:?}");
    assert!(facts.queue.is_empty());
    assert_eq!(zhang.signup_state().await, "cancelled");
    app.run_jobs().await;
}

async fn a_decision_names_reasons_of_its_catalogue(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let before = Facts::of(&app, &zhang.id).await.text();
    let decision = |decision: &str, reasons: &[&str], missing: &[&str]| json!({ "decision": decision, "reasons": reasons, "missing": missing });
    let long = "字".repeat(501);
    for (body, wrong) in [
        (decision("reject", &[], &[]), vec![("/reasons", "required")]),
        (decision("reject", &["no_such_reason"], &[]), vec![("/reasons/0", "unknown")]),
        // Of the other decision, and of another kind of request.
        (decision("reject", &["papers_missing"], &[]), vec![("/reasons/0", "unknown")]),
        (decision("reject", &["not_employed"], &[]), vec![("/reasons/0", "unknown")]),
        (
            decision("reject", &["?", "not_eligible", "papers_unclear"], &[]),
            vec![("/reasons/0", "unknown"), ("/reasons/2", "unknown")],
        ),
        (decision("return", &[], &["health"]), vec![("/reasons", "required")]),
        (decision("return", &["not_eligible"], &["health"]), vec![("/reasons/0", "unknown")]),
        (decision("return", &["papers_missing"], &[]), vec![("/missing", "required")]),
        (decision("return", &["papers_missing"], &["health", "shoe_size"]), vec![("/missing/1", "unknown")]),
        (decision("approve", &["not_eligible"], &[]), vec![("/reasons", "unknown")]),
        (decision("perhaps", &[], &[]), vec![("/decision", "enum")]),
        (json!({ "decision": "approve", "text": long }), vec![("/text", "max_length")]),
    ] {
        let refused = zhang.decide(&officers.unit, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(faults(&refused), pairs(&wrong), "{body}");
        assert_eq!(Facts::of(&app, &zhang.id).await.text(), before, "{body}");
    }
    // Each is said with what it rests on.
    let reasons = officers.unit.get("/api/v1/review-reasons?kind=signup&decision=reject").await.ok(200);
    let codes: Vec<&str> =
        reasons["items"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["no_place", "not_eligible", "statement_false", "took_part_recently"]);
    let body =
        json!({ "decision": "reject", "reasons": ["took_part_recently"], "text": "2024年已参加清远疗休养" });
    zhang.decide(&officers.unit, body).await.ok(200);
    let own = zhang.worker.get(&zhang.own("")).await.ok(200);
    let event = &own["events"][1];
    assert_eq!((&event["kind"], &event["text"]), (&json!("rejected"), &json!("2024年已参加清远疗休养")));
    assert_eq!(event["reasons"][0]["basis"], "报名须知：优先未参加过的职工");
    assert_eq!(event["actor_id"], Value::Null, "the applicant is not told who");
    let notice = &told(&app, &zhang.worker, "review_rejected").await[0];
    let body = notice["body"].as_str().unwrap();
    assert!(
        body.contains("近年已参加过同类活动（报名须知：优先未参加过的职工）") && body.contains("申诉"),
        "{body}"
    );
    assert!(
        !body.contains("清远疗休养参加") && !body.contains("2024年"),
        "what was written stays in the file: {body}"
    );
}

async fn a_return_names_everything_and_a_supplement_brings_it(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let path = zhang.own("/supplements");
    let form = |form: Value| json!({ "form": form });
    zhang.worker.post(&path, form(json!({ "health": "yes" }))).await.problem(409, "state_forbids");
    let returned =
        zhang.decide(&officers.unit, give_back(&["last_year", "health", "last_year"])).await.ok(200);
    assert_eq!(
        (&returned["state"], &returned["missing"]),
        (&json!("returned"), &json!(["health", "last_year"]))
    );
    assert_eq!(returned["stages"][0]["due_at"], Value::Null, "the clock stands");
    let own = zhang.worker.get(&zhang.own("")).await.ok(200);
    assert_eq!(
        own["standing"],
        "您的申请需要补正：本人身体状况适合参加疗休养、最近一次参加疗休养的时间（没有请填“无”）。\
         请于6月26日 23:59前补齐，逾期视为撤回；补正期间审核期限暂停计算。"
    );
    assert_eq!(told(&app, &zhang.worker, "review_returned").await.len(), 1);

    let before = Facts::of(&app, &zhang.id).await.text();
    for (given, wrong) in [
        (json!({}), vec![("/form/health", "required"), ("/form/last_year", "required")]),
        (json!({ "health": "yes" }), vec![("/form/last_year", "required")]),
        (
            json!({ "health": "no", "last_year": " " }),
            vec![("/form/health", "enum"), ("/form/last_year", "required")],
        ),
        // What was not asked for is not taken: nobody rewrites a request under the officers' eyes.
        (json!({ "health": "yes", "last_year": "无", "cost": "1" }), vec![("/form/cost", "unknown")]),
    ] {
        let refused = zhang.worker.post(&path, form(given.clone())).await.problem(422, "validation_failed");
        assert_eq!(faults(&refused), pairs(&wrong), "{given}");
        assert_eq!(Facts::of(&app, &zhang.id).await.text(), before, "{given}");
    }
    app.worker("li").await.post(&path, form(json!({ "health": "yes" }))).await.problem(404, "not_found");
    let supplied =
        zhang.worker.post(&path, form(json!({ "health": "yes", "last_year": "2019年" }))).await.ok(200);
    assert_eq!(supplied["state"], "open");
    assert_eq!(supplied["form"], Value::Null, "what is kept for a repetition has nothing of the file");
    let file = officers.unit.post(&zhang.at("/readings"), json!({})).await.ok(200);
    assert_eq!(file["form"]["last_year"], "2019年");
    assert_eq!(file["form"]["cost"], "120000", "other answers stay");
    assert_eq!(file["missing"], json!([]));
    zhang.approve(&officers.unit).await.ok(200);
    app.run_jobs().await;
}

async fn a_second_return_needs_a_leave(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.go_round(&officers.unit).await;
    let before = Facts::of(&app, &zhang.id).await.text();
    zhang.send_back(&officers.unit).await.problem(409, "review_leave_needed");
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), before);
    // Nor by another body.
    zhang.approve(&officers.unit).await.ok(200);
    zhang.send_back(&officers.street).await.problem(409, "review_leave_needed");
    zhang.approve(&officers.street).await.ok(200);
    app.run_jobs().await;
}

async fn a_decision_names_what_it_has_read(app: TestApp) {
    let officers = Officers::of(&app).await;
    let second = staff_of(&app, "unit-2", "reviewer", STAFFED).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let (first, path) = (officers.unit.get(&zhang.at("")).await.etag(), zhang.at("/decisions"));
    officers.unit.post(&path, approve()).await.problem(428, "precondition_required");
    let key = officers.unit.fresh_key();
    decide_at(&officers.unit, &zhang.id, "\"nonsense\"", &key, &approve())
        .await
        .problem(412, "precondition_failed");
    decide_at(&second, &zhang.id, &first, &second.fresh_key(), &give_back(&["health"])).await.ok(200);
    let before = Facts::of(&app, &zhang.id).await.text();
    let stale = decide_at(&officers.unit, &zhang.id, &first, &key, &approve()).await;
    let stale = stale.problem(412, "precondition_failed");
    assert_eq!((&stale["current"]["state"], &stale["current"]["version"]), (&json!("returned"), &json!(2)));
    assert_eq!(stale["current"]["missing"], json!(["health"]));
    assert_eq!(stale["detail"], "该申请现为“待补正”，请重新读取后再办理");
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), before);
    zhang.supply().await;
    // A decision is kept under its key: its repetition changes nothing, however far things have gone.
    let etag = officers.unit.get(&zhang.at("")).await.etag();
    let once = decide_at(&officers.unit, &zhang.id, &etag, &key, &approve()).await;
    once.expect(200);
    zhang.approve(&officers.street).await.ok(200);
    let again = decide_at(&officers.unit, &zhang.id, &etag, &key, &approve()).await;
    assert_eq!((again.status, &again.text), (200, &once.text));
    let other = decide_at(&officers.unit, &zhang.id, &etag, &key, &reject()).await;
    other.problem(422, "idempotency_mismatch");
    assert_eq!(Facts::of(&app, &zhang.id).await.count(EventKind::Approved), 2);
    app.run_jobs().await;
}

async fn nobody_decides_about_themselves(app: TestApp) {
    let district = app.staff("reviewer").await;
    let own = request_of(&app, district.clone()).await;
    for body in [approve(), reject(), give_back(&["health"])] {
        own.decide(&district, body).await.problem(403, "review_recused");
    }
    district.post(&own.at("/claims"), json!({})).await.problem(403, "review_recused");
    district.post(&own.at("/readings"), json!({})).await.problem(403, "review_recused");
    let other = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    let to = json!({ "person_id": other.person() });
    district.post(&own.at("/assignments"), to).await.problem(403, "review_recused");
    own.approve(&other).await.ok(200);
    app.run_jobs().await;
}

async fn nobody_decides_about_colleagues_where_the_chain_says_so(app: TestApp) {
    let officers = Officers::of(&app).await;
    let unit = app.organisation(STAFFED).await;
    // A unit's officer works there, and decides about colleagues: that is what the union of a unit is.
    officers.unit.set_profile("工会主席", Some(unit)).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    officers.unit.post(&zhang.at("/readings"), json!({})).await.ok(200);
    officers.unit.post(&zhang.at("/messages"), json!({ "text": "请带上体检报告" })).await.ok(201);
    zhang.approve(&officers.unit).await.ok(200);
    // At the sub-district a colleague keeps away.
    officers.street.set_profile("街道专干", Some(unit)).await;
    zhang.approve(&officers.street).await.problem(403, "review_recused");
    officers.street.post(&zhang.at("/readings"), json!({})).await.problem(403, "review_recused");
    officers.street.post(&zhang.at("/claims"), json!({})).await.problem(403, "review_recused");
    let street = staff_of(&app, "street-2", "reviewer", "street-pinghu").await;
    zhang.approve(&street).await.ok(200);
    // A stage that opens with nobody but colleagues goes up: the district decides it with its own.
    let li = asked(&app, "li", json!({})).await;
    let admin = app.staff("admin").await;
    let grants = admin.get(&format!("/api/v1/staff-grants?person={}", street.person())).await.ok(200);
    let grant = grants["items"][0]["id"].as_str().unwrap();
    admin.delete(&format!("/api/v1/staff-grants/{grant}")).await.expect(204);
    li.approve(&officers.unit).await.ok(200);
    assert_eq!(li.open_at().await, ["区总工会"]);
    li.approve(&officers.district).await.ok(200);
    assert_eq!(li.signup_state().await, "confirmed");
    app.run_jobs().await;
}

async fn nobody_decides_twice(app: TestApp) {
    let officers = Officers::of(&app).await;
    let both = staff_of(&app, "both", "reviewer", STAFFED).await;
    let street = app.organisation("street-pinghu").await;
    let body = json!({ "person_id": both.person(), "role": "reviewer", "organisation_id": street });
    app.staff("admin").await.post("/api/v1/staff-grants", body).await.ok(201);
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.approve(&both).await.ok(200);
    let before = Facts::of(&app, &zhang.id).await.text();
    for body in [approve(), reject(), give_back(&["health"])] {
        zhang.decide(&both, body).await.problem(409, "second_officer_required");
    }
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), before);
    // Whoever decided may read what becomes of it.
    both.post(&zhang.at("/readings"), json!({})).await.ok(200);
    zhang.decide(&officers.street, reject()).await.ok(200);
    app.run_jobs().await;
}

async fn the_database_holds_who_decides(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.approve(&officers.unit).await.ok(200);
    let facts = Facts::of(&app, &zhang.id).await;
    let street: StageId = facts.stages[1].id;
    let (before, at) = (facts.text(), unionhall::clock::db_time(app.now()));
    // Against any code: who decided the first stage, and who asks.
    for person in [officers.unit.person(), zhang.worker.person()] {
        let by_hand = move |conn: &mut unionhall::platform::db::Conn| {
            let decided = (
                review_stages::state.eq(StageState::Approved),
                review_stages::decided_by.eq(person),
                review_stages::decided_at.eq(at),
            );
            Ok(diesel::update(review_stages::table.find(street)).set(decided).execute(conn)?)
        };
        assert!(app.db().write(by_hand).await.is_err(), "{person}");
        let in_stead = move |conn: &mut unionhall::platform::db::Conn| {
            let twice = review_stages::table.filter(review_stages::review_id.eq(facts.review.id));
            Ok(diesel::update(twice).set(review_stages::on_behalf_of.eq(person)).execute(conn)?)
        };
        assert!(app.db().write(in_stead).await.is_err(), "{person} in another's stead");
    }
    // A stage that is open was decided by nobody, and one that was decided by somebody.
    let (person, unit) = (officers.street.person(), facts.stages[0].id);
    let open = move |conn: &mut unionhall::platform::db::Conn| {
        Ok(diesel::update(review_stages::table.find(street))
            .set(review_stages::decided_by.eq(person))
            .execute(conn)?)
    };
    assert!(app.db().write(open).await.is_err());
    let nobody = move |conn: &mut unionhall::platform::db::Conn| {
        let none = review_stages::decided_by.eq(None::<unionhall::ids::PersonId>);
        Ok(diesel::update(review_stages::table.find(unit)).set(none).execute(conn)?)
    };
    assert!(app.db().write(nobody).await.is_err());
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), before);
    app.run_jobs().await;
}

async fn a_superior_decides_after_the_breach_only(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut second = staff_of(&app, "street-2", "reviewer", "street-pinghu").await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let due = Facts::of(&app, &zhang.id).await.stages[0].due_at.unwrap().and_utc();
    app.clock().set(due - TimeDelta::seconds(1));
    come_round(&app).await;
    officers.log_in().await;
    zhang.approve(&officers.street).await.problem(403, "review_not_yours");
    app.advance(TimeDelta::seconds(1));
    come_round(&app).await;
    // Its own body may decide still; and so may any above it.
    zhang.approve(&officers.street).await.ok(200);
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!(facts.stages[0].decided_by, Some(officers.street.person()));
    assert!(facts.stages[0].breached_at.is_some(), "it stays a breach");
    // Who stood in for the unit does not decide for the sub-district as well.
    zhang.approve(&officers.street).await.problem(409, "second_officer_required");
    second.log_in().await;
    zhang.approve(&second).await.ok(200);
    app.run_jobs().await;
}

async fn many_at_once_each_by_itself(app: TestApp) {
    let officers = Officers::of(&app).await;
    let unit = staff_of(&app, "unit-2", "reviewer", STAFFED).await;
    let mut all = Vec::new();
    for user in ["zhang", "li", "wang", "zhao", "qian"] {
        all.push(asked(&app, user, json!({})).await);
    }
    let elsewhere = request_with(&app, "sun", Some("demo-enterprise-pingdi-1"), json!({})).await;
    all[1].go_round(&unit).await;
    let item = |request: &super::steps::Request, version: i64, body: Value| {
        let mut item = body;
        item["review_id"] = json!(request.id);
        item["version"] = json!(version);
        item
    };
    let body = json!({ "items": [
        item(&all[0], 1, approve()),
        item(&all[1], 1, approve()),
        item(&all[2], 1, json!({ "decision": "reject" })),
        item(&all[3], 1, reject()),
        item(&elsewhere, 1, approve()),
        item(&all[4], 1, give_back(&["health"])),
        // Twice in one request: the second has been read too early.
        item(&all[0], 1, reject()),
    ] });
    let path = "/api/v1/review-decisions";
    let verdicts = |report: &Value| -> Vec<(bool, String)> {
        let of = |one: &Value| {
            let said = if one["decided"] == true { &one["state"] } else { &one["code"] };
            (one["decided"] == true, said.as_str().unwrap().to_owned())
        };
        report["items"].as_array().unwrap().iter().map(of).collect()
    };
    let report = officers.unit.post_keyed("bulk-of-a-morning", path, body.clone()).await.ok(200);
    let expected = [
        (true, "open"),
        (false, "precondition_failed"),
        (false, "validation_failed"),
        (true, "rejected"),
        (false, "not_found"),
        (true, "returned"),
        (false, "precondition_failed"),
    ]
    .map(|(decided, said)| (decided, said.to_owned()));
    assert_eq!(verdicts(&report), expected);
    assert!(report["items"][1]["detail"].as_str().unwrap().contains("重新读取"), "{report}");
    // Again, since the answer was lost: what was decided is said again and not done again.
    let mut before = Vec::new();
    for request in &all {
        before.push(Facts::of(&app, &request.id).await.text());
    }
    let again = officers.unit.post_keyed("bulk-of-a-morning", path, body).await.ok(200);
    assert_eq!(verdicts(&again), expected);
    for (request, before) in all.iter().zip(before) {
        assert_eq!(Facts::of(&app, &request.id).await.text(), before);
    }
    // A short key that a long one begins with is another key.
    let long = format!("{}-1", "k".repeat(95));
    let one = json!({ "items": [item(&all[1], 3, approve())] });
    assert_eq!(
        verdicts(&officers.unit.post_keyed(&long, path, one).await.ok(200)),
        [(true, "open".to_owned())]
    );
    for number in [0, 51] {
        let items = vec![item(&all[0], 1, approve()); number];
        officers.unit.post(path, json!({ "items": items })).await.problem(422, "validation_failed");
    }
    app.run_jobs().await;
}
