//! The client against the simulator, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::simulator::{Simulator, SimulatorConfig, SimulatorHandle, openid_for, phone_for};
use super::*;
use crate::clock::ManualClock;
use crate::ids::{Ids, SeededEntropy};
use crate::platform::cache::{Cache, Key};

const APPID: &str = "wx0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const LOGIN: &str = "/sns/jscode2session";
const TOKEN: &str = "/cgi-bin/stable_token";
const PHONE: &str = "/wxa/business/getuserphonenumber";

struct Rig {
    simulator: SimulatorHandle,
    clock: Arc<ManualClock>,
    cache: Cache,
    http: reqwest::Client,
    client: WechatClient,
}

fn config(base_url: String) -> WechatConfig {
    WechatConfig {
        base_url,
        appid: APPID.into(),
        secret: SECRET.into(),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
    }
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(DateTime::<Utc>::from_timestamp(1_750_000_000, 0).unwrap()));
        let ids = Ids::new(clock.clone(), Arc::new(SeededEntropy::new(7)));
        let simulator =
            Simulator::start(SimulatorConfig::new(APPID, SECRET.into(), clock.clone(), ids)).unwrap();
        let cache = Cache::memory(clock.clone());
        let client = WechatClient::new(config(simulator.base_url()), cache.clone()).unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { simulator, clock, cache, http, client }
    }

    fn client_with(&self, change: impl FnOnce(&mut WechatConfig)) -> WechatClient {
        let mut config = config(self.simulator.base_url());
        change(&mut config);
        WechatClient::new(config, self.cache.clone()).unwrap()
    }

    async fn code(&self, query: &str) -> String {
        let url = format!("{}/sim/{query}", self.simulator.base_url());
        let answer = self.http.get(url).send().await.unwrap().json::<Value>().await.unwrap();
        answer["code"].as_str().unwrap().to_owned()
    }

    async fn fault(&self, fault: Value) {
        let url = format!("{}/sim/faults", self.simulator.base_url());
        assert!(self.http.post(url).json(&fault).send().await.unwrap().status().is_success());
    }

    async fn token_text(&self) -> String {
        self.client.access_token().await.unwrap().expose_secret().to_owned()
    }
}

fn errcode(error: &WechatError) -> i64 {
    match error {
        WechatError::Api { errcode, .. } => *errcode,
        other => panic!("no errcode: {other}"),
    }
}

#[actix_web::test]
async fn a_login_gives_the_openid_once() {
    let rig = Rig::new();
    let code = rig.code("login-code?user=zhang").await;
    let session = rig.client.code_to_session(&code).await.unwrap();
    assert_eq!((session.openid, session.unionid), (openid_for(APPID, "zhang"), None));
    assert_eq!(session.session_key.expose_secret().len(), 24);

    let reused = rig.client.code_to_session(&code).await.unwrap_err();
    assert_eq!(reused.meaning(), Some(Meaning::CodeUsed));
    assert!(reused.is_users_fault() && !reused.is_retryable());
    assert!(matches!(&reused, WechatError::Api { rid: Some(rid), .. } if rid.len() == 26));
}

#[actix_web::test]
async fn a_phone_number_comes_with_its_country_as_number_or_text() {
    let rig = Rig::new();
    let home = rig.client.phone_number(&rig.code("phone-code?user=zhang").await).await.unwrap();
    assert_eq!(home, WechatPhone { number: phone_for("zhang"), country_code: "86".into() });
    let query = "phone-code?user=zhang&phone=61234567&country=852";
    let abroad = rig.client.phone_number(&rig.code(query).await).await.unwrap();
    assert_eq!(abroad, WechatPhone { number: "61234567".into(), country_code: "852".into() });

    let code = rig.code("phone-code?user=zhang").await;
    rig.clock.advance(TimeDelta::minutes(5));
    let late = rig.client.phone_number(&code).await.unwrap_err();
    assert!(late.is_users_fault() && late.meaning() == Some(Meaning::CodeInvalid));
    let login_code = rig.code("login-code?user=zhang").await;
    assert!(rig.client.phone_number(&login_code).await.unwrap_err().is_users_fault());
}

#[actix_web::test]
async fn two_instances_share_one_token_through_the_cache() {
    let rig = Rig::new();
    let second = rig.client_with(|_| {});
    let token = rig.token_text().await;
    // Were the second to fetch, it would meet the fault.
    rig.fault(json!({ "path": TOKEN, "errcode": 45009, "times": 1 })).await;
    assert_eq!(second.access_token().await.unwrap().expose_secret(), token);
    rig.clock.advance(TimeDelta::minutes(5));
    let after = second.access_token().await.unwrap_err();
    assert_eq!(errcode(&after), 45009, "after five minutes every instance looks again");
    assert_eq!(rig.token_text().await, token, "stable mode hands out the same token");
}

#[actix_web::test]
async fn a_token_with_five_minutes_left_is_still_cached() {
    let rig = Rig::new();
    let token = rig.token_text().await;
    rig.clock.advance(TimeDelta::seconds(6900));
    assert_eq!(rig.token_text().await, token);
    rig.fault(json!({ "path": TOKEN, "errcode": 45009 })).await;
    rig.clock.advance(TimeDelta::seconds(239));
    assert_eq!(rig.token_text().await, token, "cached for 300 - 60 seconds");
    rig.clock.advance(TimeDelta::seconds(1));
    assert_eq!(errcode(&rig.client.access_token().await.unwrap_err()), 45009);
}

#[actix_web::test]
async fn many_callers_at_once_fetch_one_token_or_share_one_failure() {
    let rig = Rig::new();
    // One fetch meets the only fault and fails; a second fetch would succeed.
    rig.fault(json!({ "path": TOKEN, "errcode": 40164, "delay_ms": 50 })).await;
    let calls = (0..20).map(|_| rig.client.access_token());
    let outcomes = futures_util::future::join_all(calls).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| errcode(error) == 40164)));
    // Only the first of these is slow; the rest find its token.
    rig.fault(json!({ "path": TOKEN, "delay_ms": 50 })).await;
    rig.fault(json!({ "path": TOKEN, "errcode": 40164 })).await;
    let calls = (0..20).map(|_| rig.client.access_token());
    let outcomes = futures_util::future::join_all(calls).await;
    assert!(outcomes.iter().all(Result::is_ok));
}

#[actix_web::test]
async fn a_refused_token_is_renewed_once_and_the_code_survives_it() {
    let rig = Rig::new();
    for refusal in [40001, 40014, 42001] {
        rig.fault(json!({ "path": PHONE, "errcode": refusal })).await;
        let phone = rig.client.phone_number(&rig.code("phone-code?user=zhang").await).await;
        assert_eq!(phone.unwrap().number, phone_for("zhang"), "{refusal}");
    }
    // Twice refused is refused, and the third call, which would succeed, is not made.
    rig.fault(json!({ "path": PHONE, "errcode": 40001, "times": 2 })).await;
    let code = rig.code("phone-code?user=zhang").await;
    let error = rig.client.phone_number(&code).await.unwrap_err();
    assert_eq!(error.meaning(), Some(Meaning::TokenInvalid));
    assert!(rig.client.phone_number(&code).await.is_ok(), "the code is not spent");
}

#[actix_web::test]
async fn a_stale_token_in_the_cache_is_replaced() {
    let rig = Rig::new();
    rig.cache.put(&Key::wechat_token(APPID), b"left over", Duration::from_secs(300)).await;
    assert!(rig.client.phone_number(&rig.code("phone-code?user=zhang").await).await.is_ok());
    assert_ne!(rig.token_text().await, "left over");
}

#[actix_web::test]
async fn a_busy_answer_is_retried_for_tokens_but_never_for_codes() {
    let rig = Rig::new();
    rig.fault(json!({ "path": TOKEN, "errcode": -1 })).await;
    assert!(rig.client.access_token().await.is_ok());
    for path in [LOGIN, PHONE] {
        rig.fault(json!({ "path": path, "errcode": -1 })).await;
    }
    let error = rig.client.code_to_session(&rig.code("login-code?user=zhang").await).await.unwrap_err();
    assert!(error.meaning() == Some(Meaning::Busy) && error.is_retryable() && !error.is_users_fault());
    let error = rig.client.phone_number(&rig.code("phone-code?user=zhang").await).await.unwrap_err();
    assert_eq!(error.meaning(), Some(Meaning::Busy));
}

#[actix_web::test]
async fn a_time_out_is_told_and_has_spent_the_code() {
    let rig = Rig::new();
    let hasty = rig.client_with(|config| config.timeout = Duration::from_millis(100));
    rig.fault(json!({ "path": LOGIN, "delay_ms": 250 })).await;
    let code = rig.code("login-code?user=zhang").await;
    let error = hasty.code_to_session(&code).await.unwrap_err();
    assert_eq!(error, WechatError::Timeout { endpoint: LOGIN });
    assert!(error.is_retryable());
    let again = rig.client.code_to_session(&code).await.unwrap_err();
    assert_eq!(again.meaning(), Some(Meaning::CodeUsed));
}

#[actix_web::test]
async fn garbage_gateways_redirects_and_silence_are_told_apart() {
    let rig = Rig::new();
    rig.fault(json!({ "path": LOGIN, "garbage": true })).await;
    rig.fault(json!({ "path": LOGIN, "status": 302 })).await;
    rig.fault(json!({ "path": LOGIN, "status": 502 })).await;
    for (retryable, unreachable) in [(false, false), (false, false), (true, true)] {
        let error = rig.client.code_to_session("x").await.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{error}");
        assert_eq!(matches!(error, WechatError::Unreachable { .. }), unreachable, "{error}");
    }
    rig.simulator.stop().await;
    let error = rig.client.code_to_session("x").await.unwrap_err();
    assert!(matches!(error, WechatError::Unreachable { endpoint: LOGIN, .. }), "{error}");
}

#[actix_web::test]
async fn a_number_marked_for_another_app_is_refused() {
    let rig = Rig::new();
    rig.token_text().await;
    let token = rig.cache.get(&Key::wechat_token(APPID)).await.unwrap();
    rig.cache.put(&Key::wechat_token("wxother"), &token, Duration::from_secs(60)).await;
    let other = rig.client_with(|config| config.appid = "wxother".into());
    let error = other.phone_number(&rig.code("phone-code?user=zhang").await).await.unwrap_err();
    let reason = "the watermark is not of this app";
    assert_eq!(error, WechatError::Malformed { endpoint: PHONE, reason });
}

#[actix_web::test]
async fn no_error_shows_the_secret_the_code_or_the_token() {
    let rig = Rig::new();
    let hasty = rig.client_with(|config| config.timeout = Duration::from_millis(50));
    let wrong = rig.client_with(|config| config.secret = "wrong-secret-value".into());
    rig.token_text().await;
    let token = rig.token_text().await;
    rig.fault(json!({ "path": LOGIN, "delay_ms": 120 })).await;
    rig.fault(json!({ "path": PHONE, "status": 502 })).await;
    let mut errors = vec![
        hasty.code_to_session("the-code").await.unwrap_err(),
        wrong.code_to_session("the-code").await.unwrap_err(),
        rig.client.phone_number("the-code").await.unwrap_err(),
        rig.client.phone_number("the-code").await.unwrap_err(),
    ];
    rig.simulator.stop().await;
    errors.push(rig.client.code_to_session("the-code").await.unwrap_err());
    errors.push(rig.client.phone_number("the-code").await.unwrap_err());
    assert_eq!(errors[1].meaning(), Some(Meaning::BadSecret));
    for error in errors {
        let text = format!("{error} {error:?}");
        for secret in [SECRET, "wrong-secret-value", "the-code", &token] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(!format!("{:?}", config(String::new())).contains(SECRET));
}

#[actix_web::test]
async fn a_base_url_that_is_not_http_is_refused() {
    for base_url in ["", "api.weixin.qq.com", "ftp://api.weixin.qq.com"] {
        let clock = Arc::new(ManualClock::at(DateTime::<Utc>::UNIX_EPOCH));
        let made = WechatClient::new(config(base_url.into()), Cache::memory(clock));
        assert!(matches!(made.err(), Some(WechatError::Setup { .. })), "{base_url}");
    }
}

const CHECK: &str = "/wxa/msg_sec_check";

#[actix_web::test]
async fn a_text_is_judged_and_the_gravest_piece_counts() {
    let rig = Rig::new();
    let session = rig.client.code_to_session(&rig.code("login-code?user=zhang").await).await.unwrap();
    let ask = |text: String| {
        let (client, openid) = (rig.client.clone(), session.openid.clone());
        async move { client.text_check(&openid, CheckScene::Comment, &text, 2500).await }
    };
    assert_eq!(ask("老板欠薪三个月".into()).await, Ok(Verdict { advice: Advice::Pass, label: 100 }));
    assert_eq!(ask("疑似测试".into()).await, Ok(Verdict { advice: Advice::Review, label: 21000 }));
    let long = format!("{}违规测试{}疑似测试", "字".repeat(2498), "字".repeat(3000));
    assert_eq!(ask(long).await, Ok(Verdict { advice: Advice::Risky, label: 20006 }), "across a cut");

    // What version 1 says by a code is told apart from what fails.
    for (errcode, meaning, retryable) in [
        (87014, Meaning::ContentRisky, false),
        (44991, Meaning::RateLimited, true),
        (45009, Meaning::QuotaExhausted, true),
        (43104, Meaning::BadOpenid, false),
    ] {
        rig.fault(json!({ "path": CHECK, "errcode": errcode })).await;
        let error = ask("正常".into()).await.unwrap_err();
        assert_eq!((error.meaning(), error.is_retryable()), (Some(meaning), retryable), "{errcode}");
    }
    rig.clock.advance(TimeDelta::hours(2) + TimeDelta::seconds(1));
    let away = ask("正常".into()).await.unwrap_err();
    assert_eq!((errcode(&away), away.meaning()), (61010, Some(Meaning::UserInactive)));
}

#[actix_web::test]
async fn a_picture_is_asked_about_and_gets_a_trace() {
    let rig = Rig::new();
    let session = rig.client.code_to_session(&rig.code("login-code?user=zhang").await).await.unwrap();
    let url = "https://api.example/api/v1/file-checks/token";
    let trace = rig.client.media_check(&session.openid, CheckScene::Comment, url).await.unwrap();
    let checks = format!("{}/sim/checks", rig.simulator.base_url());
    let asked = rig.http.get(checks).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(
        (&asked["media"][0]["trace_id"], &asked["media"][0]["media_url"]),
        (&json!(trace), &json!(url))
    );
    assert_eq!(asked["media"][0]["openid"], json!(session.openid));
    let unreachable =
        rig.client.media_check(&session.openid, CheckScene::Comment, "file:///etc/passwd").await;
    assert_eq!(errcode(&unreachable.unwrap_err()), 47001);
    let stranger = rig.client.media_check("o123", CheckScene::Comment, url).await.unwrap_err();
    assert_eq!(stranger.meaning(), Some(Meaning::BadOpenid));
}
