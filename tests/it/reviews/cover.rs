//! Who stands in for whom, and who keeps away.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::ids::{OrganisationId, PersonId};
use unionhall::platform::db::schema::organisations;

use super::steps::{UNSTAFFED, audited, request, request_of, told, worker_of};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    one_decides_in_another_s_stead_for_a_time,
    a_delegation_ends_when_it_is_taken_back_and_with_its_giver,
    a_delegation_binds_who_takes_it_to_what_binds_who_gives_it,
    everything_that_is_wrong_with_a_delegation_at_once,
    delegations_are_seen_by_their_two_people,
    whoever_stands_in_is_told,
    twenty_delegations_of_one_giver,
    twenty_delegations_to_one_person,
    who_keeps_away_frees_what_they_worked_at,
    what_nobody_is_left_for_goes_up,
    a_recusal_has_its_limits,
    a_tie_names_one_of_the_two,
    fifty_ties_at_a_time,
    a_tie_keeps_an_officer_away,
];

/// A delegation of the sub-district's desk by `giver`, from now on for some hours.
async fn lend(app: &TestApp, to: PersonId, hours: i64) -> Value {
    json!({
        "to_id": to, "organisation_id": app.organisation("street-pinghu").await, "from_at": app.now(),
        "until_at": app.now() + TimeDelta::hours(hours), "reason": "外出培训",
    })
}

async fn lent(app: &TestApp, giver: &Actor, to: &Actor, hours: i64) -> String {
    let made = giver.post("/api/v1/review-delegations", lend(app, to.person(), hours).await).await.ok(201);
    made["id"].as_str().unwrap().to_owned()
}

/// The officer of 平湖, and one of 坪地 who stands in.
async fn two_streets(app: &TestApp) -> (Actor, Actor) {
    (app.staff("reviewer-pinghu").await, staff_of(app, "reviewer-pingdi", "reviewer", "street-pingdi").await)
}

async fn one_decides_in_another_s_stead_for_a_time(app: TestApp) {
    let (pinghu, mut pingdi) = two_streets(&app).await;
    let first = request(&app, "zhang", Some(UNSTAFFED)).await;
    let second = request(&app, "li", Some(UNSTAFFED)).await;
    pingdi.get(&first.at("")).await.problem(404, "not_found");
    let mut body = lend(&app, pingdi.person(), 3).await;
    body["from_at"] = json!(app.now() + TimeDelta::hours(1));
    let made = pinghu.post("/api/v1/review-delegations", body.clone()).await.ok(201);
    assert_eq!((&made["from_id"], &made["to_id"]), (&json!(pinghu.person()), &json!(pingdi.person())));
    assert_eq!((&made["organisation_name"], &made["reason"]), (&json!("平湖街道"), &json!("外出培训")));
    pingdi.get(&first.at("")).await.problem(404, "not_found");

    app.advance(TimeDelta::hours(1));
    pingdi.log_in().await;
    first.approve(&pingdi).await.ok(200);
    let district = app.staff("reviewer").await;
    let event = first.events(&district).await.pop().unwrap();
    assert_eq!((&event["kind"], &event["actor_id"]), (&json!("approved"), &json!(pingdi.person())));
    assert_eq!(event["on_behalf_of"], json!(pinghu.person()));

    app.advance(TimeDelta::hours(2));
    pingdi.log_in().await;
    pingdi.get(&second.at("")).await.problem(404, "not_found");
    let entries = audited(&app, "review.delegate").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0].1, &entries[0].2["to"]),
        (&made["id"].as_str().unwrap().to_owned(), &body["to_id"])
    );
    assert!(!entries[0].2.to_string().contains("外出"), "ids only");
    app.run_jobs().await;
}

async fn a_delegation_ends_when_it_is_taken_back_and_with_its_giver(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let request = request(&app, "zhang", Some(UNSTAFFED)).await;
    let id = lent(&app, &pinghu, &pingdi, 5).await;
    request.seen(&pingdi).await;
    let path = format!("/api/v1/review-delegations/{id}/revocations");
    pingdi.post(&path, json!({})).await.problem(404, "not_found");
    let ended = pinghu.post(&path, json!({})).await.ok(200);
    assert_eq!(ended["revoked_at"], json!(app.now()));
    pingdi.get(&request.at("")).await.problem(404, "not_found");
    app.advance(TimeDelta::minutes(1));
    let again = pinghu.post(&path, json!({})).await.ok(200);
    assert_eq!(again["revoked_at"], ended["revoked_at"], "once");

    // It is worth what its giver still may.
    let giver = staff_of(&app, "giver", "reviewer", "street-pinghu").await;
    lent(&app, &giver, &pingdi, 5).await;
    request.seen(&pingdi).await;
    let admin = app.staff("admin").await;
    let grants = admin.get(&format!("/api/v1/staff-grants?person={}", giver.person())).await.ok(200);
    let grant = grants["items"][0]["id"].as_str().unwrap();
    admin.delete(&format!("/api/v1/staff-grants/{grant}")).await.expect(204);
    pingdi.get(&request.at("")).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn a_delegation_binds_who_takes_it_to_what_binds_who_gives_it(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let request = request(&app, "zhang", Some(UNSTAFFED)).await;
    lent(&app, &pinghu, &pingdi, 5).await;
    pinghu.post("/api/v1/me/ties", json!({ "kin_id": request.worker.person() })).await.ok(201);
    request.approve(&pingdi).await.problem(403, "review_recused");
    // What was lent is not passed on.
    let third = staff_of(&app, "third", "reviewer", "street-nanwan").await;
    let problem = pingdi
        .post("/api/v1/review-delegations", lend(&app, third.person(), 2).await)
        .await
        .problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/organisation_id", "not_allowed")]));
    app.run_jobs().await;
}

async fn everything_that_is_wrong_with_a_delegation_at_once(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let worker = app.worker("zhang").await;
    let path = "/api/v1/review-delegations";
    let body = json!({
        "to_id": worker.person(), "organisation_id": app.organisation("street-pingdi").await,
        "from_at": app.now() - TimeDelta::seconds(1), "until_at": app.now() - TimeDelta::seconds(1), "reason": "外出培训",
    });
    let problem = pinghu.post(path, body).await.problem(422, "validation_failed");
    #[rustfmt::skip]
    assert_eq!(faults(&problem), pairs(&[
        ("/organisation_id", "not_allowed"), ("/to_id", "unknown"), ("/from_at", "minimum"), ("/until_at", "minimum"),
    ]));
    let with = |field: &'static str, value: Value| {
        let (app, pinghu, to) = (&app, &pinghu, pingdi.person());
        async move {
            let mut body = lend(app, to, 5).await;
            body[field] = value;
            let problem = pinghu.post(path, body).await.problem(422, "validation_failed");
            faults(&problem)
        }
    };
    assert_eq!(with("to_id", json!(pinghu.person())).await, pairs(&[("/to_id", "not_allowed")]));
    assert_eq!(with("to_id", json!("per_01k5b8m3q2e9t8h6y1v7z4w0xn")).await, pairs(&[("/to_id", "unknown")]));
    let later = app.now() + TimeDelta::days(30) + TimeDelta::microseconds(1);
    assert_eq!(with("until_at", json!(later)).await, pairs(&[("/until_at", "maximum")]));
    // Above is not at: a district's officer decides at the district.
    let mut body = lend(&app, pingdi.person(), 5).await;
    let problem =
        app.staff("reviewer").await.post(path, body.clone()).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/organisation_id", "not_allowed")]));
    body["until_at"] = json!(app.now() + TimeDelta::days(30));
    pinghu.post(path, body).await.ok(201);
    // Nobody stands in with an account that is disabled.
    let disable = json!({ "disabled": true, "reason": "测试停用" });
    let account = format!("/api/v1/people/{}/account-states", pingdi.person());
    app.staff("admin").await.post(&account, disable).await.ok(200);
    assert_eq!(with("reason", json!("外出培训")).await, pairs(&[("/to_id", "unknown")]));
    app.run_jobs().await;
}

async fn delegations_are_seen_by_their_two_people(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let first = lent(&app, &pinghu, &pingdi, 1).await;
    app.advance(TimeDelta::seconds(1));
    let second = lent(&app, &pinghu, &pingdi, 2).await;
    let path = "/api/v1/review-delegations";
    for person in [&pinghu, &pingdi] {
        let page = person.get(&format!("{path}?limit=1")).await.ok(200);
        assert_eq!(page["items"][0]["id"], second, "the newest first");
        let masked = page["items"][0]["from_masked"].as_str().unwrap();
        assert!(masked.starts_with("演*") && !masked.contains("审核"), "{masked}");
        let next = format!("{path}?limit=1&cursor={}", page["next"].as_str().unwrap());
        let rest = person.get(&next).await.ok(200);
        assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!(first), &Value::Null));
    }
    let other = app.staff("reviewer").await.get(path).await.ok(200);
    assert_eq!(other["items"], json!([]));
    app.run_jobs().await;
}

async fn whoever_stands_in_is_told(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let path = "/api/v1/review-delegations";
    let bodies = |notices: Vec<Value>| -> Vec<String> {
        notices.iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
    };
    // Nobody is told of what was refused.
    let mut wrong = lend(&app, pingdi.person(), 3).await;
    wrong["until_at"] = wrong["from_at"].clone();
    pinghu.post(path, wrong).await.problem(422, "validation_failed");
    let body = lend(&app, pingdi.person(), 3).await;
    let key = pinghu.fresh_key();
    let made = pinghu.post_keyed(&key, path, body.clone()).await.ok(201);
    pinghu.post_keyed(&key, path, body).await.ok(201);
    let notices = told(&app, &pingdi, "review_delegated").await;
    assert_eq!(notices[0]["link"], path);
    let giver = made["from_masked"].as_str().unwrap();
    assert!(!giver.contains("审核"), "{giver}");
    let given = format!("“平湖街道”：{giver}委托您自6月16日 10:00至6月16日 12:59代为办理审核事项。");
    assert_eq!(bodies(notices), std::slice::from_ref(&given), "once, and without a name in full");
    assert_eq!(told(&app, &pinghu, "review_delegated").await, Vec::<Value>::new());

    app.advance(TimeDelta::seconds(1));
    let revocations = format!("{path}/{}/revocations", made["id"].as_str().unwrap());
    for _ in 0..2 {
        pinghu.post(&revocations, json!({})).await.ok(200);
    }
    let taken_back = format!("“平湖街道”：{giver}已收回委托，您不再代为办理。");
    assert_eq!(bodies(told(&app, &pingdi, "review_delegated").await), [taken_back, given]);
    // What is over is not taken back from anybody.
    let (over, mut pinghu) = (lent(&app, &pinghu, &pingdi, 1).await, pinghu);
    app.advance(TimeDelta::hours(1));
    pinghu.log_in().await;
    pinghu.post(&format!("{path}/{over}/revocations"), json!({})).await.ok(200);
    let mut pingdi = pingdi;
    pingdi.log_in().await;
    assert_eq!(told(&app, &pingdi, "review_delegated").await.len(), 3);
}

async fn twenty_delegations_of_one_giver(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let other = staff_of(&app, "other", "reviewer", "street-nanwan").await;
    let path = "/api/v1/review-delegations";
    let mut last = String::new();
    for number in 0..18 {
        last = lent(&app, &pinghu, if number % 2 == 0 { &pingdi } else { &other }, 5).await;
    }
    // Two are left, for four at once, in two instances.
    let again = pinghu.at(&app.second_instance().await);
    let body = lend(&app, pingdi.person(), 5).await;
    let four = [&pinghu, &again, &pinghu, &again].map(|giver| giver.post(path, body.clone()));
    let replies = join_all(four).await;
    let mut said: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    said.sort_unstable();
    assert_eq!(said, [201, 201, 409, 409]);
    let problem =
        pinghu.post(path, lend(&app, other.person(), 5).await).await.problem(409, "delegation_too_many");
    assert!(problem["detail"].as_str().unwrap().contains("您的有效委托已达20项"), "{problem}");
    assert_eq!(audited(&app, "review.delegate").await.len(), 20);
    // Of others there is room.
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    lent(&app, &colleague, &pingdi, 5).await;
    // What is taken back, and what is over, makes room.
    pinghu.post(&format!("{path}/{last}/revocations"), json!({})).await.ok(200);
    lent(&app, &pinghu, &other, 5).await;
    pinghu.post(path, body.clone()).await.problem(409, "delegation_too_many");
    app.advance(TimeDelta::hours(5));
    let mut pinghu = pinghu;
    pinghu.log_in().await;
    lent(&app, &pinghu, &other, 5).await;
    app.run_jobs().await;
}

async fn twenty_delegations_to_one_person(app: TestApp) {
    let (pinghu, pingdi) = two_streets(&app).await;
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    let path = "/api/v1/review-delegations";
    for giver in [&pinghu, &colleague] {
        for _ in 0..9 {
            lent(&app, giver, &pingdi, 5).await;
        }
    }
    let body = lend(&app, pingdi.person(), 5).await;
    let four = [&pinghu, &colleague, &pinghu, &colleague].map(|giver| giver.post(path, body.clone()));
    let replies = join_all(four).await;
    let mut said: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    said.sort_unstable();
    assert_eq!(said, [201, 201, 409, 409]);
    let third = staff_of(&app, "third", "reviewer", "street-pinghu").await;
    let problem = third.post(path, body).await.problem(409, "delegation_too_many");
    assert!(problem["detail"].as_str().unwrap().contains("该人员受托的已达20项"), "{problem}");
    lent(&app, &third, &pinghu, 5).await;
    assert_eq!(audited(&app, "review.delegate").await.len(), 21);
    app.run_jobs().await;
}

async fn who_keeps_away_frees_what_they_worked_at(app: TestApp) {
    let officer = app.staff("reviewer-pinghu").await;
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    let request = request(&app, "zhang", Some(UNSTAFFED)).await;
    officer.post(&request.at("/claims"), json!({})).await.ok(200);
    request.approve(&colleague).await.problem(409, "review_claimed");
    officer.post(&request.at("/recusals"), json!({ "ground": "interest" })).await.ok(200);
    assert_eq!(request.open_at().await, ["平湖街道"], "a colleague is left");
    request.approve(&officer).await.problem(403, "review_recused");
    officer.post(&request.at("/claims"), json!({})).await.problem(403, "review_recused");
    officer.post(&request.at("/readings"), json!({})).await.problem(403, "review_recused");
    // Once is enough.
    officer.post(&request.at("/recusals"), json!({ "ground": "other" })).await.ok(200);
    let events = request.events(&colleague).await;
    assert_eq!(events.iter().filter(|event| event["kind"] == "recused").count(), 1);
    let entry = (officer.person().to_string(), request.id.clone(), json!({ "ground": "interest" }));
    assert_eq!(audited(&app, "review.recuse").await, [entry]);
    request.approve(&colleague).await.ok(200);
    app.run_jobs().await;
}

async fn what_nobody_is_left_for_goes_up(app: TestApp) {
    let (officer, district) = (app.staff("reviewer-pinghu").await, app.staff("reviewer").await);
    let request = request(&app, "zhang", Some(UNSTAFFED)).await;
    assert_eq!(request.open_at().await, ["平湖街道"]);
    request.approve(&district).await.problem(403, "review_not_yours");
    officer.post(&request.at("/recusals"), json!({ "ground": "kin" })).await.ok(200);
    assert_eq!(request.open_at().await, ["区总工会"]);
    let queue = district.get("/api/v1/reviews?own=true").await.ok(200);
    assert_eq!(queue["items"][0]["review_id"], json!(request.id));
    let kinds: Vec<Value> =
        request.events(&district).await.iter().map(|event| event["kind"].clone()).collect();
    assert!(kinds.contains(&json!("recused")) && kinds.contains(&json!("rerouted")), "{kinds:?}");
    request.approve(&district).await.ok(200);
    app.run_jobs().await;
}

async fn a_recusal_has_its_limits(app: TestApp) {
    let (officer, district) = (app.staff("reviewer-pinghu").await, app.staff("reviewer").await);
    let street = request(&app, "zhang", Some(UNSTAFFED)).await;
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    elsewhere.post(&street.at("/recusals"), json!({ "ground": "kin" })).await.problem(404, "not_found");
    let problem = officer.post(&street.at("/recusals"), json!({ "ground": "tired" })).await;
    problem.problem(422, "validation_failed");
    // One may keep away before it is one's turn.
    district.post(&street.at("/recusals"), json!({ "ground": "kin" })).await.ok(200);
    let other = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    street.approve(&officer).await.ok(200);
    street.approve(&district).await.problem(403, "review_recused");
    street.approve(&other).await.ok(200);
    officer.post(&street.at("/recusals"), json!({ "ground": "kin" })).await.problem(409, "state_forbids");
    // Where nobody is left at all, it stays where it is until somebody is.
    let lone = request(&app, "li", None).await;
    other.post(&lone.at("/recusals"), json!({ "ground": "kin" })).await.ok(200);
    district.post(&lone.at("/recusals"), json!({ "ground": "kin" })).await.ok(200);
    assert_eq!(lone.open_at().await, ["区总工会"]);
    let third = staff_of(&app, "reviewer-3", "reviewer", "longgang").await;
    lone.approve(&third).await.ok(200);
    app.run_jobs().await;
}

async fn a_tie_names_one_of_the_two(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let unit = app.organisation(UNSTAFFED).await;
    let path = "/api/v1/me/ties";
    for (body, wrong) in [
        (json!({}), vec![("/kin_id", "exactly_one")]),
        (json!({ "kin_id": li.person(), "organisation_id": unit }), vec![("/kin_id", "exactly_one")]),
        (json!({ "kin_id": zhang.person() }), vec![("/kin_id", "not_allowed")]),
        (json!({ "kin_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn" }), vec![("/kin_id", "unknown")]),
        (
            json!({ "kin_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn" }),
            vec![("/kin_id", "exactly_one"), ("/kin_id", "unknown"), ("/organisation_id", "unknown")],
        ),
    ] {
        let problem = zhang.post(path, body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&wrong));
    }
    let kin = zhang.post(path, json!({ "kin_id": li.person() })).await.ok(201);
    zhang.post(path, json!({ "kin_id": li.person() })).await.problem(409, "unique_taken");
    app.advance(TimeDelta::seconds(1));
    let interest = zhang.post(path, json!({ "organisation_id": unit })).await.ok(201);
    let listed = zhang.get(path).await.ok(200);
    assert_eq!(listed["items"], json!([interest, kin]), "the newest first");
    assert_eq!(li.get(path).await.ok(200)["items"], json!([]), "what somebody declared is theirs");
    let end = format!("{path}/{}/endings", kin["id"].as_str().unwrap());
    li.post(&end, json!({})).await.problem(404, "not_found");
    let ended = zhang.post(&end, json!({})).await.ok(200);
    assert_eq!(ended["ended_at"], json!(app.now()));
    assert_eq!(zhang.post(&end, json!({})).await.ok(200), ended);
    assert_eq!(zhang.get(path).await.ok(200)["items"], json!([interest]));
    zhang.post(path, json!({ "kin_id": li.person() })).await.ok(201);
    let entries = audited(&app, "tie.declare").await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0].2, json!({ "kin": li.person(), "organisation": null }));
    app.run_jobs().await;
}

async fn fifty_ties_at_a_time(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let path = "/api/v1/me/ties";
    let all: Vec<OrganisationId> = app
        .read(|conn| {
            Ok(organisations::table.order(organisations::id).select(organisations::id).load(conn)?)
        })
        .await;
    assert!(all.len() > 52, "{}", all.len());
    for organisation in &all[..48] {
        zhang.post(path, json!({ "organisation_id": organisation })).await.ok(201);
    }
    // Two are left, for four at once.
    let declare = |organisation: &OrganisationId| {
        let body = json!({ "organisation_id": organisation });
        let zhang = &zhang;
        async move { zhang.post(path, body).await.status }
    };
    let mut said = join_all(all[48..52].iter().map(declare)).await;
    said.sort_unstable();
    assert_eq!(said, [201, 201, 409, 409]);
    let listed = zhang.get(&format!("{path}?limit=100")).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 50);
    zhang.post(path, json!({ "organisation_id": all[52] })).await.problem(409, "conflict");
    let end = format!("{path}/{}/endings", listed["items"][0]["id"].as_str().unwrap());
    zhang.post(&end, json!({})).await.ok(200);
    zhang.post(path, json!({ "organisation_id": all[52] })).await.ok(201);
    app.run_jobs().await;
}

async fn a_tie_keeps_an_officer_away(app: TestApp) {
    let officer = app.staff("reviewer-pinghu").await;
    let zhang = worker_of(&app, "zhang", Some(UNSTAFFED)).await;
    let kin = officer.post("/api/v1/me/ties", json!({ "kin_id": zhang.person() })).await.ok(201);
    // The only officer of the sub-district is kin: the district begins.
    let first = request_of(&app, zhang.clone()).await;
    assert_eq!(first.open_at().await, ["区总工会"]);
    first.approve(&officer).await.expect(403);
    first.worker.post(&first.own("/withdrawals"), json!({})).await.ok(200);
    // Kin is kin, whoever of the two says so.
    officer
        .post(&format!("/api/v1/me/ties/{}/endings", kin["id"].as_str().unwrap()), json!({}))
        .await
        .ok(200);
    let second = request_of(&app, zhang.clone()).await;
    assert_eq!(second.open_at().await, ["平湖街道"]);
    zhang.post("/api/v1/me/ties", json!({ "kin_id": officer.person() })).await.ok(201);
    second.approve(&officer).await.problem(403, "review_recused");
    // An interest in the enterprise is one in everybody who works there.
    let third = request(&app, "li", Some(UNSTAFFED)).await;
    let unit = app.organisation(UNSTAFFED).await;
    officer.post("/api/v1/me/ties", json!({ "organisation_id": unit })).await.ok(201);
    third.approve(&officer).await.problem(403, "review_recused");
    app.run_jobs().await;
}
