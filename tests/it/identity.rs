//! Logging in, staying logged in, logging out.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use unionhall::identity::model::SESSION_KEY;
use unionhall::platform::db::schema::{people, token_families, wechat_identities};

use super::people::places_that_hold;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    the_first_login_makes_a_person,
    twenty_first_logins_at_once_make_one_person,
    a_code_is_good_once_and_for_five_minutes,
    wechat_says_no_and_the_person_is_told_why,
    a_broken_wechat_is_a_503_and_never_a_500,
    a_refresh_rotates,
    a_stolen_refresh_token_ends_the_login,
    two_refreshes_at_once_are_a_theft,
    a_refresh_token_lies_unused_for_thirty_days_at_most,
    a_login_lasts_a_hundred_and_eighty_days_at_most,
    logging_out_here_leaves_the_other_device,
    logging_out_everywhere_ends_all_devices_at_once,
    a_disabled_account_is_out_at_once_and_may_come_back,
    the_session_key_stays_inside,
    a_phone_number_comes_by_its_own_code_and_goes_masked,
    only_numbers_of_the_mainland_are_kept,
];

const LOGIN: &str = "/api/v1/auth/wechat-logins";
const REFRESH: &str = "/api/v1/auth/refreshes";
const LOGOUT: &str = "/api/v1/auth/logouts";

/// An instance that remembers standings for longer than any test lasts: what must be noticed at once must be forgotten.
async fn remembering(app: &TestApp) -> TestApp {
    app.start_with(|config| config.auth.standing_memory_ms = 3_600_000).await
}

async fn log_in_with(actor: &Actor, code: &Value) -> Reply {
    actor.post(LOGIN, json!({ "code": code })).await
}

async fn refresh(actor: &Actor, token: &str) -> Reply {
    actor.post(REFRESH, json!({ "refresh_token": token })).await
}

/// The refresh token that `actor` has now.
fn token_of(actor: &Actor) -> String {
    actor.refresh.clone().unwrap()
}

async fn disturb(app: &TestApp, fault: Value) {
    let mut fault = fault;
    fault["path"] = json!("/sns/jscode2session");
    app.sim_post("/sim/faults", fault).await;
}

async fn the_first_login_makes_a_person(app: TestApp) {
    let mut zhang = app.anon();
    zhang.name = "zhang".into();
    let first = log_in_with(&zhang, &json!(zhang.login_code().await)).await.ok(200);
    assert_eq!((&first["is_new"], &first["expires_in"]), (&json!(true), &json!(900)));
    let second = log_in_with(&zhang, &json!(zhang.login_code().await)).await.ok(200);
    assert_eq!((&second["is_new"], &second["person_id"]), (&json!(false), &first["person_id"]));
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    zhang.take(&second);
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["id"], first["person_id"]);
    assert_ne!(app.worker("li").await.person(), zhang.person());
}

async fn twenty_first_logins_at_once_make_one_person(app: TestApp) {
    let other = app.second_instance().await;
    let before: i64 = app.read(|conn| Ok(people::table.count().get_result(conn)?)).await;
    let mut zhang = app.anon();
    zhang.name = "zhang".into();
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(zhang.login_code().await);
    }
    let doors = [zhang.clone(), zhang.at(&other)];
    let logins = join_all(
        codes
            .iter()
            .zip(doors.iter().cycle())
            .map(|(code, door)| async move { log_in_with(door, &json!(code)).await.ok(200) }),
    )
    .await;
    assert!(logins.iter().all(|login| login["person_id"] == logins[0]["person_id"]));
    assert_eq!(logins.iter().filter(|login| login["is_new"] == true).count(), 1);
    let after: i64 = app.read(|conn| Ok(people::table.count().get_result(conn)?)).await;
    assert_eq!(after - before, 1);
    for login in &logins {
        let device = app.anon().with_token(login["access_token"].as_str().unwrap());
        device.get("/api/v1/me").await.ok(200);
    }
}

async fn a_code_is_good_once_and_for_five_minutes(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let code = json!(zhang.login_code().await);
    log_in_with(&zhang, &code).await.ok(200);
    log_in_with(&zhang, &code).await.problem(401, "wechat_code_invalid");
    let late = json!(zhang.login_code().await);
    app.advance(TimeDelta::minutes(6));
    log_in_with(&zhang, &late).await.problem(401, "wechat_code_invalid");
    log_in_with(&zhang, &json!("never issued")).await.problem(401, "wechat_code_invalid");
    log_in_with(&zhang, &json!("")).await.problem(422, "validation_failed");
}

async fn wechat_says_no_and_the_person_is_told_why(app: TestApp) {
    let zhang = app.worker("zhang").await;
    disturb(&app, json!({ "errcode": 40226 })).await;
    let blocked = log_in_with(&zhang, &json!(zhang.login_code().await)).await;
    blocked.problem(403, "wechat_user_blocked");
    disturb(&app, json!({ "errcode": 45011 })).await;
    let limited = log_in_with(&zhang, &json!(zhang.login_code().await)).await;
    assert_eq!(limited.header("retry-after"), Some("60"));
    limited.problem(429, "rate_limited");
    log_in_with(&zhang, &json!(zhang.login_code().await)).await.ok(200);
}

async fn a_broken_wechat_is_a_503_and_never_a_500(app: TestApp) {
    app.expect_5xx();
    let hasty = app.start_with(|config| config.wechat.timeout_ms = 100).await;
    let zhang = app.worker("zhang").await.at(&hasty);
    let faults = [
        json!({ "delay_ms": 250 }),
        json!({ "garbage": true }),
        json!({ "status": 502 }),
        json!({ "errcode": -1 }),
        json!({ "errcode": 40125 }),
        json!({ "errcode": 31337 }),
    ];
    for fault in faults {
        disturb(&app, fault.clone()).await;
        let reply = log_in_with(&zhang, &json!(zhang.login_code().await)).await;
        assert_eq!(reply.header("retry-after"), Some("2"), "{fault}");
        let problem = reply.problem(503, "wechat_unavailable");
        assert_eq!(problem["detail"], Value::Null, "why is the operator's to know: {fault}");
    }
    let code = json!(zhang.login_code().await);
    log_in_with(&zhang, &code).await.ok(200);
    app.simulator().stop().await;
    log_in_with(&zhang, &code).await.problem(503, "wechat_unavailable");
    zhang.get("/api/v1/me").await.ok(200);
    hasty.anon().get("/readyz").await.ok(200);
}

async fn a_refresh_rotates(app: TestApp) {
    let mut zhang = app.worker("zhang").await;
    let person = zhang.person();
    for _ in 0..3 {
        let old = token_of(&zhang);
        app.advance(TimeDelta::minutes(16));
        zhang.get("/api/v1/me").await.problem(401, "token_expired");
        let tokens = refresh(&app.anon(), &old).await.ok(200);
        assert_eq!((&tokens["person_id"], &tokens["is_new"]), (&json!(person), &json!(false)));
        assert_ne!(tokens["refresh_token"], old);
        zhang.take(&tokens);
        zhang.get("/api/v1/me").await.ok(200);
    }
    refresh(&app.anon(), &"x".repeat(43)).await.problem(401, "refresh_invalid");
    refresh(&app.anon(), zhang.token.as_ref().unwrap()).await.problem(422, "validation_failed");
    zhang.with_token(token_of(&zhang)).get("/api/v1/me").await.problem(401, "unauthenticated");
}

async fn a_stolen_refresh_token_ends_the_login(app: TestApp) {
    let home = remembering(&app).await;
    let mut zhang = app.worker("zhang").await.at(&home);
    let elsewhere = app.worker("zhang").await.at(&home);
    let stolen = token_of(&zhang);
    let tokens = refresh(&home.anon(), &stolen).await.ok(200);
    zhang.take(&tokens);
    zhang.get("/api/v1/me").await.ok(200);
    refresh(&home.anon(), &stolen).await.problem(401, "refresh_reused");
    zhang.get("/api/v1/me").await.problem(401, "unauthenticated");
    refresh(&home.anon(), &token_of(&zhang)).await.problem(401, "refresh_invalid");
    elsewhere.get("/api/v1/me").await.ok(200);
    let entries = app.staff("auditor").await.get("/api/v1/audit-entries?limit=100").await.ok(200);
    let entries = entries["items"].as_array().unwrap();
    let theft = entries.iter().find(|e| e["action"] == "login.refresh_reused").unwrap();
    assert_eq!(theft["detail"], json!({ "person": zhang.person() }));
    assert!(theft["object"].as_str().unwrap().starts_with("fam_"), "{theft}");
}

async fn two_refreshes_at_once_are_a_theft(app: TestApp) {
    let other = app.second_instance().await;
    for round in 0..5 {
        let zhang = app.worker("zhang").await;
        let token = token_of(&zhang);
        let (here, there) = (app.anon(), other.anon());
        let (a, b) = tokio::join!(refresh(&here, &token), refresh(&there, &token));
        let (winner, loser) = if a.status == 200 { (a, b) } else { (b, a) };
        loser.problem(401, "refresh_reused");
        let tokens = winner.ok(200);
        let device = app.anon().with_token(tokens["access_token"].as_str().unwrap());
        device.get("/api/v1/me").await.problem(401, "unauthenticated");
        let next = refresh(&app.anon(), tokens["refresh_token"].as_str().unwrap()).await;
        next.problem(401, "refresh_invalid");
        let person = zhang.person();
        let ended: i64 = app
            .read(move |conn| {
                let of_person = token_families::table.filter(token_families::person_id.eq(person));
                Ok(of_person.filter(token_families::ended_at.is_not_null()).count().get_result(conn)?)
            })
            .await;
        assert_eq!(ended, round + 1);
    }
}

async fn a_refresh_token_lies_unused_for_thirty_days_at_most(app: TestApp) {
    let zhang = app.worker("zhang").await;
    app.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    let tokens = refresh(&app.anon(), &token_of(&zhang)).await.ok(200);
    app.advance(TimeDelta::days(30));
    let late = refresh(&app.anon(), tokens["refresh_token"].as_str().unwrap()).await;
    late.problem(401, "refresh_invalid");
}

async fn a_login_lasts_a_hundred_and_eighty_days_at_most(app: TestApp) {
    let mut zhang = app.worker("zhang").await;
    for _ in 0..6 {
        app.advance(TimeDelta::days(29));
        let tokens = refresh(&app.anon(), &token_of(&zhang)).await.ok(200);
        zhang.take(&tokens);
    }
    app.advance(TimeDelta::days(6) - TimeDelta::seconds(1));
    let tokens = refresh(&app.anon(), &token_of(&zhang)).await.ok(200);
    zhang.take(&tokens);
    app.advance(TimeDelta::seconds(1));
    refresh(&app.anon(), &token_of(&zhang)).await.problem(401, "refresh_invalid");
}

async fn logging_out_here_leaves_the_other_device(app: TestApp) {
    let home = remembering(&app).await;
    let (phone, tablet) = (app.worker("zhang").await.at(&home), app.worker("zhang").await.at(&home));
    phone.get("/api/v1/me").await.ok(200);
    let gone = phone.post(LOGOUT, json!({})).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    phone.get("/api/v1/me").await.problem(401, "unauthenticated");
    refresh(&phone, &token_of(&phone)).await.problem(401, "refresh_invalid");
    tablet.get("/api/v1/me").await.ok(200);
    refresh(&tablet, &token_of(&tablet)).await.ok(200);
}

async fn logging_out_everywhere_ends_all_devices_at_once(app: TestApp) {
    let home = remembering(&app).await;
    let li = app.worker("li").await.at(&home);
    let (phone, tablet) = (app.worker("zhang").await.at(&home), app.worker("zhang").await.at(&home));
    tablet.get("/api/v1/me").await.ok(200);
    phone.post(LOGOUT, json!({ "everywhere": true })).await.expect(204);
    for device in [&phone, &tablet] {
        device.get("/api/v1/me").await.problem(401, "unauthenticated");
        refresh(device, &token_of(device)).await.problem(401, "refresh_invalid");
    }
    li.get("/api/v1/me").await.ok(200);
    app.worker("zhang").await.get("/api/v1/me").await.ok(200);
}

async fn a_disabled_account_is_out_at_once_and_may_come_back(app: TestApp) {
    let home = remembering(&app).await;
    let (mut zhang, admin) = (app.worker("zhang").await.at(&home), app.staff("admin").await.at(&home));
    zhang.get("/api/v1/me").await.ok(200);
    let states = format!("/api/v1/people/{}/account-states", zhang.person());
    let set = |disabled: bool| admin.post(&states, json!({ "disabled": disabled, "reason": "本人要求" }));
    assert_eq!(set(true).await.ok(200)["disabled"], true);
    zhang.get("/api/v1/me").await.problem(403, "person_disabled");
    refresh(&zhang, &token_of(&zhang)).await.problem(401, "refresh_invalid");
    log_in_with(&zhang, &json!(zhang.login_code().await)).await.problem(403, "person_disabled");
    assert_eq!(set(false).await.ok(200)["disabled"], false);
    // The logins of before stay ended.
    zhang.get("/api/v1/me").await.problem(401, "unauthenticated");
    zhang.log_in().await;
    zhang.get("/api/v1/me").await.ok(200);
    let path = format!("/api/v1/audit-entries?object={}", zhang.person());
    let entries = app.staff("auditor").await.get(&path).await.ok(200);
    let seen: Vec<&Value> = entries["items"].as_array().unwrap().iter().map(|e| &e["action"]).collect();
    assert_eq!(seen, ["person.enable", "person.disable"]);
    assert_eq!(entries["items"][0]["detail"], json!({ "reason": "本人要求" }));
}

async fn the_session_key_stays_inside(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let person = zhang.person();
    let (openid, sealed): (String, Option<String>) = app
        .read(move |conn| {
            let of_person = wechat_identities::table.filter(wechat_identities::person_id.eq(person));
            let columns = (wechat_identities::openid, wechat_identities::session_key_sealed);
            Ok(of_person.select(columns).first(conn)?)
        })
        .await;
    let vault = &app.app().platform().vault;
    let key = vault.open(SESSION_KEY, openid.as_bytes(), &sealed.unwrap()).unwrap();
    let key = key.expose_secret();
    assert_eq!(key.len(), 24, "16 bytes in base64");
    assert_eq!(places_that_hold(&app, key).await, [""; 0]);
    let login = log_in_with(&zhang, &json!(zhang.login_code().await)).await;
    let refreshed = refresh(&zhang, &token_of(&zhang)).await;
    let me = zhang.get("/api/v1/me").await;
    for reply in [login, refreshed, me] {
        reply.expect(200);
        let told = format!("{}{:?}", reply.text, reply.headers);
        assert!(!told.contains(key) && !told.contains(&openid), "{}", reply.what);
    }
}

async fn a_phone_number_comes_by_its_own_code_and_goes_masked(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let phones = "/api/v1/me/phones";
    let given = app.sim_get("/sim/phone-code?user=zhang&phone=13812345678").await;
    let kept = zhang.post(phones, json!({ "code": given["code"] })).await;
    assert_eq!(kept.expect(200).body, json!({ "phone_masked": "138****5678" }));
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["phone_masked"], "138****5678");
    // Not a 401: the person is logged in, and would be sent to log in again.
    for wrong in [given["code"].clone(), json!(zhang.login_code().await)] {
        let problem = zhang.post(phones, json!({ "code": wrong })).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "wechat_code");
    }
    let phone_code = app.sim_get("/sim/phone-code?user=zhang&phone=13912345678").await;
    log_in_with(&zhang, &phone_code["code"]).await.problem(401, "wechat_code_invalid");
    app.anon().post(phones, json!({ "code": phone_code["code"] })).await.problem(401, "unauthenticated");
    zhang.post(phones, json!({ "code": phone_code["code"] })).await.ok(200);
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["phone_masked"], "139****5678");
}

async fn only_numbers_of_the_mainland_are_kept(app: TestApp) {
    let zhang = app.worker("zhang").await;
    // The German number has the digits of a Chinese one.
    for (country, number) in [("49", "15112345678"), ("852", "61234567"), ("86", "02087654321")] {
        let path = format!("/sim/phone-code?user=zhang&country={country}&phone={number}");
        let code = app.sim_get(&path).await["code"].clone();
        let problem =
            zhang.post("/api/v1/me/phones", json!({ "code": code })).await.problem(422, "validation_failed");
        assert_eq!(
            problem["errors"][0]["detail"], "请填写中国大陆手机号码（以13至19开头）",
            "{country} {number}"
        );
    }
    assert_eq!(zhang.get("/api/v1/me").await.ok(200).get("phone_masked"), None);
}
