//! Group cases: ten and more, each for themselves.

use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::legal_aid::counting::CaseCounting;
use unionhall::legal_aid::model::{Case, CaseState, TeamRole};
use unionhall::plan::cases::PlanCaseCounting;
use unionhall::platform::db::schema::{idempotency_keys, legal_cases, legal_members};

use super::manning::{EMPLOYER, sides};
use super::planting::{join, planted};
use crate::figures::target;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    each_agrees_for_themselves,
    a_group_has_ten_and_three_to_five_who_represent_it,
    two_accounts_of_one_number_answer_once,
    a_group_that_grows_and_shrinks_counts_as_many,
];

fn phone(number: usize) -> String {
    format!("139{number:08}")
}

/// A worker with the number of the group's `number`th.
async fn fellow(app: &TestApp, number: usize) -> Actor {
    with_phone(app, &format!("fellow-{number}"), &phone(number)).await
}

async fn with_phone(app: &TestApp, name: &str, phone: &str) -> Actor {
    let actor = app.worker(name).await;
    let given = app.sim_get(&format!("/sim/phone-code?user={name}&phone={phone}")).await;
    actor.post("/api/v1/me/phones", json!({ "code": given["code"] })).await.ok(200);
    actor
}

/// `count` workers beside the applicant, of whom the first `representatives` represent the group.
pub fn members(count: usize, representatives: usize) -> Value {
    let member = |n: usize| {
        json!({ "name": format!("工友{n}"), "phone": phone(n), "amount_fen": 100_000 + n,
            "representative": n < representatives })
    };
    json!({ "own_amount_fen": 500_000, "members": (0..count).map(member).collect::<Vec<_>>() })
}

pub async fn asked(app: &TestApp, change: impl FnOnce(Case) -> Case) -> (Actor, Case, String) {
    let applicant = with_phone(app, "zhang", "13812345678").await;
    applicant.set_profile("张三丰", None).await;
    let case = planted(app, applicant.person(), "longgang", change).await;
    sides(app, &case).await;
    let path = format!("/api/v1/me/legal-requests/{}/members", case.id);
    (applicant, case, path)
}

/// Of how many workers the case's row says it is.
async fn size(app: &TestApp, case: &Case) -> i64 {
    let id = case.id;
    app.read(move |conn| Ok(legal_cases::table.find(id).select(legal_cases::members).first(conn)?)).await
}

/// The place that somebody has in the only group in which they are named.
async fn place(who: &Actor) -> Value {
    who.get("/api/v1/me/legal-groups").await.ok(200)["items"][0].clone()
}

async fn answer(who: &Actor, body: Value) -> Value {
    let id = place(who).await["id"].as_str().unwrap().to_owned();
    who.post(&format!("/api/v1/me/legal-groups/{id}/answers"), body).await.ok(200)
}

async fn each_agrees_for_themselves(app: TestApp) {
    let (applicant, case, path) = asked(&app, |case| case).await;
    let handler = app.staff("legal").await;
    join(&app, case.id, handler.person(), TeamRole::Handler).await;
    // One of them has an account already and is told; the others will see it when they come.
    let first = fellow(&app, 0).await;
    let made = applicant.post(&path, members(9, 2)).await.ok(201);
    assert_eq!(made, json!({ "named": 10, "consented": 1, "least": 10 }));
    applicant.post(&path, members(9, 2)).await.problem(409, "state_forbids");
    app.run_jobs().await;
    let notices = first.get("/api/v1/me/notices").await.ok(200);
    assert!(notices["items"].to_string().contains("列您为成员"), "{notices}");
    let shown = place(&first).await;
    assert_eq!((&shown["applicant_masked"], &shown["employer"]), (&json!("张*丰"), &json!(EMPLOYER)));
    assert_eq!((&shown["amount_fen"], &shown["state"]), (&json!(100_000), &json!("named")));
    // Nobody else sees it, or answers for them.
    let stranger = with_phone(&app, "stranger", "13700000000").await;
    assert_eq!(stranger.get("/api/v1/me/legal-groups").await.ok(200)["items"], json!([]));
    let id = shown["id"].as_str().unwrap();
    for who in [&stranger, &applicant] {
        let reply =
            who.post(&format!("/api/v1/me/legal-groups/{id}/answers"), json!({ "agrees": true })).await;
        reply.problem(404, "not_found");
    }
    // Eight agree: with the applicant nine, and that is no group yet.
    for number in 0..8 {
        let told = answer(&fellow(&app, number).await, json!({ "agrees": true })).await;
        assert_eq!(told["state"], "consented");
    }
    assert_eq!(size(&app, &case).await, 1);
    // The ninth claims more than the applicant thought.
    let last = fellow(&app, 8).await;
    answer(&last, json!({ "agrees": true, "amount_fen": 999_999 })).await;
    assert_eq!(size(&app, &case).await, 10);
    let list = handler.get(&format!("/api/v1/legal-cases/{}/members", case.id)).await.ok(200);
    assert_eq!((&list["named"], &list["consented"]), (&json!(10), &json!(10)));
    let items = list["items"].as_array().unwrap();
    assert_eq!((&items[0]["name"], &items[0]["representative"]), (&json!("张三丰"), &json!(true)));
    assert_eq!(
        (&items[9]["amount_fen"], &items[9]["phone_masked"]),
        (&json!(999_999), &json!("139****0008"))
    );
    // Whoever leaves does so for themselves; whoever asked withdraws instead.
    answer(&last, json!({ "agrees": false })).await;
    assert_eq!(size(&app, &case).await, 1);
    let own = place(&applicant).await["id"].as_str().unwrap().to_owned();
    let reply =
        applicant.post(&format!("/api/v1/me/legal-groups/{own}/answers"), json!({ "agrees": false })).await;
    reply.problem(409, "state_forbids");
    // Names, numbers and amounts lie sealed, and in no answer that is kept.
    let kept: Vec<(String, Option<String>, Option<String>)> = app
        .read(|conn| {
            let columns =
                (legal_members::name_sealed, legal_members::phone_sealed, legal_members::amount_sealed);
            Ok(legal_members::table.select(columns).load(conn)?)
        })
        .await;
    let answers: Vec<String> =
        app.read(|conn| Ok(idempotency_keys::table.select(idempotency_keys::body).load(conn)?)).await;
    let all = format!("{kept:?} {answers:?}");
    for secret in ["工友3", &phone(3), "999999", EMPLOYER] {
        assert!(!all.contains(secret), "{secret}");
    }
    app.run_jobs().await;
}

async fn a_group_has_ten_and_three_to_five_who_represent_it(app: TestApp) {
    let (applicant, case, path) = asked(&app, |case| case).await;
    let at = |code: &'static str| ("/members", code);
    for (body, expected) in [
        (members(8, 2), vec![at("too_few")]),
        (members(9, 1), vec![at("representatives")]),
        (members(9, 5), vec![at("representatives")]),
        (members(2, 0), vec![at("too_few"), at("representatives")]),
    ] {
        let wrong = applicant.post(&path, body).await.problem(422, "validation_failed");
        assert_eq!(faults(&wrong), pairs(&expected));
    }
    let mut body = members(9, 2);
    body["members"][3]["phone"] = json!("13812345678");
    body["members"][5]["phone"] = json!("139 0000 0004");
    body["members"][7]["phone"] = json!("0755-2881234");
    let wrong = applicant.post(&path, body).await.problem(422, "validation_failed");
    let expected =
        [("/members/3/phone", "own"), ("/members/5/phone", "duplicate"), ("/members/7/phone", "phone")];
    assert_eq!(faults(&wrong), pairs(&expected));
    // Nothing of all that was kept, and once it is decided it is too late.
    assert_eq!(applicant.get(&path).await.ok(200)["items"], json!([]));
    let (id, now) = (case.id, unionhall::clock::db_time(app.now()));
    app.write(move |conn| {
        let accepted = (legal_cases::state.eq(CaseState::Accepted), legal_cases::decided_at.eq(now));
        Ok(diesel::update(legal_cases::table.find(id)).set(accepted).execute(conn)?)
    })
    .await;
    applicant.post(&path, members(9, 2)).await.problem(409, "state_forbids");
}

async fn two_accounts_of_one_number_answer_once(app: TestApp) {
    let (applicant, _, path) = asked(&app, |case| case).await;
    applicant.post(&path, members(9, 2)).await.ok(201);
    let (one, other) = (fellow(&app, 0).await, with_phone(&app, "twin", &phone(0)).await);
    let id = place(&one).await["id"].as_str().unwrap().to_owned();
    assert_eq!(place(&other).await["id"], json!(id));
    let path = format!("/api/v1/me/legal-groups/{id}/answers");
    let (a, b) = futures_util::join!(
        one.post(&path, json!({ "agrees": true })),
        other.post(&path, json!({ "agrees": false }))
    );
    let mut told = [a.status, b.status];
    told.sort_unstable();
    assert_eq!(told, [200, 404], "whoever comes second is nobody");
    app.run_jobs().await;
}

async fn a_group_that_grows_and_shrinks_counts_as_many(app: TestApp) {
    // The federation counts every member of a group, from the first day of the plan's year on.
    app.write(|conn| {
        use unionhall::platform::db::schema::policies;
        let row = policies::table.filter(policies::policy_key.eq("legal_aid.group_count"));
        Ok(diesel::update(row).set(policies::value.eq("member")).execute(conn)?)
    })
    .await;
    let pinghu = app.organisation("street-pinghu").await;
    let (applicant, case, path) = asked(&app, |case| Case { street_id: Some(pinghu), ..case }).await;
    applicant.post(&path, members(9, 2)).await.ok(201);
    for number in 0..8 {
        answer(&fellow(&app, number).await, json!({ "agrees": true })).await;
    }
    // It is accepted while one of them has not answered: nine are no group, so it is one case.
    let (id, now, ids) = (case.id, app.now(), app.ids().clone());
    app.write(move |conn| {
        let at = unionhall::clock::db_time(now);
        let accepted = (
            legal_cases::state.eq(CaseState::Accepted),
            legal_cases::decided_at.eq(at),
            legal_cases::number.eq("测试〔2025〕1号"),
        );
        diesel::update(legal_cases::table.find(id)).set(accepted).execute(conn)?;
        let case = legal_cases::table.find(id).select(Case::as_select()).first(conn)?;
        PlanCaseCounting { ids }.accepted_in_tx(conn, &case, now)
    })
    .await;
    assert_eq!(target(&app, "11c", "").await["value"], 1);
    let last = fellow(&app, 8).await;
    answer(&last, json!({ "agrees": true })).await;
    assert_eq!((size(&app, &case).await, target(&app, "11c", "").await["value"].clone()), (10, json!(10)));
    // What they claim changes nothing, and whoever leaves takes their share along.
    answer(&last, json!({ "agrees": true, "amount_fen": 1 })).await;
    assert_eq!(target(&app, "11c", "").await["value"], 10);
    answer(&last, json!({ "agrees": false })).await;
    assert_eq!((size(&app, &case).await, target(&app, "11c", "").await["value"].clone()), (1, json!(1)));
    app.run_jobs().await;
}
