//! Tokens that are forged, stale, or no longer worth anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::staff_of;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    forged_tokens_are_refused,
    a_token_ends_after_fifteen_minutes,
    a_retired_key_still_verifies_and_a_removed_one_does_not,
    a_disabled_account_stops_at_once,
    an_ended_login_stops_at_once,
    a_revoked_role_stops_at_once,
    a_refresh_token_is_good_once_and_its_copy_ends_the_login,
];

/// The header and the claims of a real token.
fn parts(actor: &Actor) -> (Value, Value) {
    let token = actor.token.as_deref().unwrap();
    let mut pieces = token.split('.').map(|piece| URL_SAFE_NO_PAD.decode(piece).unwrap());
    let mut next = || serde_json::from_slice(&pieces.next().unwrap()).unwrap();
    (next(), next())
}

/// What is signed otherwise than the real token.
struct Forged<'a> {
    header: Value,
    claims: Value,
    secret: &'a str,
}

impl Forged<'_> {
    fn token(&self) -> String {
        let header: Header = serde_json::from_value(self.header.clone()).unwrap();
        jsonwebtoken::encode(&header, &self.claims, &EncodingKey::from_secret(self.secret.as_bytes()))
            .unwrap()
    }
}

fn with(value: &Value, field: &str, new: Value) -> Value {
    let mut changed = value.clone();
    changed[field] = new;
    changed
}

fn without(value: &Value, field: &str) -> Value {
    let mut changed = value.clone();
    changed.as_object_mut().unwrap().remove(field).unwrap();
    changed
}

async fn forged_tokens_are_refused(app: TestApp) {
    let worker = app.worker("zhang").await;
    let other = app.worker("li").await;
    let secret = app.config().auth.secret.expose_secret().to_owned();
    let (header, claims) = parts(&worker);
    let now = app.now().timestamp();
    let forge = |header: Value, claims: Value| Forged { header, claims, secret: &secret }.token();

    // The way of forging is right: what is not changed passes.
    let same = forge(header.clone(), claims.clone());
    worker.with_token(same.clone()).get("/api/v1/me").await.ok(200);

    let real = worker.token.clone().unwrap();
    let pieces: Vec<&str> = real.split('.').collect();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut tokens = vec![
        ("no algorithm", format!("{}.{}.", encode(&with(&header, "alg", json!("none"))), pieces[1])),
        (
            "no algorithm, signed",
            format!("{}.{}.{}", encode(&with(&header, "alg", json!("none"))), pieces[1], pieces[2]),
        ),
        ("another key", Forged { header: header.clone(), claims: claims.clone(), secret: "another" }.token()),
        ("another key id", forge(with(&header, "kid", json!("a9")), claims.clone())),
        ("no key id", forge(without(&header, "kid"), claims.clone())),
        ("another type", forge(with(&header, "typ", json!("JWT")), claims.clone())),
        ("no type", forge(without(&header, "typ"), claims.clone())),
        ("another audience", forge(header.clone(), with(&claims, "aud", json!("other-api")))),
        ("another issuer", forge(header.clone(), with(&claims, "iss", json!("somebody")))),
        ("not yet", forge(header.clone(), with(&claims, "nbf", json!(now + 60)))),
        ("no end", forge(header.clone(), without(&claims, "exp"))),
        ("no login", forge(header.clone(), without(&claims, "fam"))),
        (
            "a login of nobody",
            forge(header.clone(), with(&claims, "fam", json!("fam_01k5b8m3q2e9t8h6y1v7z4w0xn"))),
        ),
        ("another's name", forge(header.clone(), with(&claims, "sub", json!(other.person())))),
        ("another's login", forge(header.clone(), with(&claims, "fam", parts(&other).1["fam"].clone()))),
        ("a name that is none", forge(header.clone(), with(&claims, "sub", json!("admin")))),
        ("claims of another", format!("{}.{}.{}", pieces[0], encode(&parts(&other).1), pieces[2])),
        ("the refresh token", worker.refresh.clone().unwrap()),
        ("no signature", format!("{}.{}", pieces[0], pieces[1])),
        ("a shortened signature", real[..real.len() - 4].to_owned()),
        ("half a token", real[..real.len() / 2].to_owned()),
        ("two tokens", format!("{real}.{real}")),
        ("a word", "admin".to_owned()),
        ("dots", "..".to_owned()),
    ];
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        tokens.push(("another algorithm", forge(with(&header, "alg", json!(algorithm)), claims.clone())));
    }
    for (what, token) in tokens {
        let reply = worker.with_token(token).get("/api/v1/me").await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.text);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"unionhall\""), "{what}");
        let refusal = reply.problem(401, "unauthenticated");
        assert!(!refusal.to_string().contains(pieces[2]), "{what}");
    }
    for (what, value) in [
        ("another scheme", format!("Basic {real}")),
        ("no scheme", real.clone()),
        ("an empty token", "Bearer ".to_owned()),
    ] {
        let request = app.anon().request(reqwest::Method::GET, "/api/v1/me").header("authorization", value);
        let reply = app.anon().send(request).await;
        assert_eq!(reply.body["code"], "unauthenticated", "{what}: {}", reply.text);
    }
}

async fn a_token_ends_after_fifteen_minutes(app: TestApp) {
    let worker = app.worker("zhang").await;
    app.advance(TimeDelta::seconds(15 * 60 - 1));
    worker.get("/api/v1/me").await.ok(200);
    app.advance(TimeDelta::seconds(1));
    worker.get("/api/v1/me").await.problem(401, "token_expired");
    app.advance(TimeDelta::minutes(1));
    worker.get("/api/v1/me").await.problem(401, "token_expired");
    // A clock that was set back does not make tokens of the future good.
    app.advance(TimeDelta::minutes(-17));
    worker.get("/api/v1/me").await.problem(401, "unauthenticated");
}

async fn a_retired_key_still_verifies_and_a_removed_one_does_not(app: TestApp) {
    let worker = app.worker("zhang").await;
    let old = app.config().token_keys();
    let change = |config: &mut unionhall::config::Config| {
        config.auth.key_id = "a2".into();
        config.auth.secret = "insecure-test-only-access-token-secret-0002".to_owned().into();
    };
    let rotated = app
        .start_with(|config| {
            config.auth.retired = old;
            change(config);
        })
        .await;
    worker.at(&rotated).get("/api/v1/me").await.ok(200);
    let removed = app.start_with(change).await;
    worker.at(&removed).get("/api/v1/me").await.problem(401, "unauthenticated");
    // New tokens are of the new key.
    let fresh = rotated.worker("li").await;
    fresh.at(&removed).get("/api/v1/me").await.ok(200);
    fresh.at(&app).get("/api/v1/me").await.problem(401, "unauthenticated");
}

async fn a_disabled_account_stops_at_once(app: TestApp) {
    let (worker, admin) = (app.worker("zhang").await, app.staff("admin").await);
    let second = app.second_instance().await;
    let path = format!("/api/v1/people/{}/account-states", worker.person());
    admin.post(&path, json!({ "disabled": true, "reason": "测试停用" })).await.ok(200);
    for app in [&app, &second] {
        worker.at(app).get("/api/v1/me").await.problem(403, "person_disabled");
        let code = worker.login_code().await;
        let login = app.anon().post("/api/v1/auth/wechat-logins", json!({ "code": code })).await;
        login.problem(403, "person_disabled");
    }
    let refresh = json!({ "refresh_token": worker.refresh });
    let refused = app.anon().post("/api/v1/auth/refreshes", refresh).await;
    assert!([401, 403].contains(&refused.status), "a disabled account gets no new tokens: {}", refused.text);
    admin.post(&path, json!({ "disabled": false, "reason": "测试恢复" })).await.ok(200);
    app.worker("zhang").await.get("/api/v1/me").await.ok(200);
}

async fn an_ended_login_stops_at_once(app: TestApp) {
    let (phone, tablet) = (app.worker("zhang").await, app.worker("zhang").await);
    let second = app.second_instance().await;
    phone.post("/api/v1/auth/logouts", json!({})).await.expect(204);
    for app in [&app, &second] {
        phone.at(app).get("/api/v1/me").await.problem(401, "unauthenticated");
        tablet.at(app).get("/api/v1/me").await.ok(200);
    }
    let refresh = json!({ "refresh_token": phone.refresh });
    app.anon().post("/api/v1/auth/refreshes", refresh).await.problem(401, "refresh_invalid");
    let third = app.worker("zhang").await;
    third.post("/api/v1/auth/logouts", json!({ "everywhere": true })).await.expect(204);
    for login in [&third, &tablet] {
        login.get("/api/v1/me").await.problem(401, "unauthenticated");
    }
}

async fn a_revoked_role_stops_at_once(app: TestApp) {
    let gate = staff_of(&app, "zhang", "checkin_staff", "street-pinghu").await;
    let admin = app.staff("admin").await;
    gate.get("/api/v1/plans").await.ok(200);
    let grants = admin.get(&format!("/api/v1/staff-grants?person={}", gate.person())).await.ok(200);
    let path = format!("/api/v1/staff-grants/{}", grants["items"][0]["id"].as_str().unwrap());
    admin.delete(&path).await.expect(204);
    gate.get("/api/v1/plans").await.problem(403, "forbidden");
    gate.get("/api/v1/me").await.ok(200);
    admin.delete(&path).await.problem(404, "not_found");
    let again = app.second_instance().await;
    gate.at(&again).get("/api/v1/plans").await.problem(403, "forbidden");
}

async fn a_refresh_token_is_good_once_and_its_copy_ends_the_login(app: TestApp) {
    let mut worker = app.worker("zhang").await;
    let old = json!({ "refresh_token": worker.refresh });
    let tokens = app.anon().post("/api/v1/auth/refreshes", old.clone()).await.ok(200);
    worker.take(&tokens);
    worker.get("/api/v1/me").await.ok(200);
    app.advance(TimeDelta::minutes(1));
    app.anon().post("/api/v1/auth/refreshes", old).await.problem(401, "refresh_reused");
    worker.get("/api/v1/me").await.problem(401, "unauthenticated");
    let next = json!({ "refresh_token": worker.refresh });
    let ended = app.anon().post("/api/v1/auth/refreshes", next).await;
    assert_eq!(ended.status, 401, "{}", ended.text);
}
