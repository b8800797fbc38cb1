//! The simulator seen from outside: raw HTTP, no client of ours in between.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, ManualClock, ShiftedClock};
use crate::ids::SeededEntropy;

const APPID: &str = "wx0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

struct Rig {
    simulator: SimulatorHandle,
    clock: Arc<ManualClock>,
    http: reqwest::Client,
}

struct Seen {
    status: u16,
    kind: String,
    body: Vec<u8>,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The error code; every error carries a request id of three groups.
    fn errcode(&self) -> i64 {
        assert_eq!(self.status, 200);
        let json = self.json();
        let code = json["errcode"].as_i64().unwrap();
        if code != 0 {
            let (_, rid) = json["errmsg"].as_str().unwrap().rsplit_once(" rid: ").unwrap();
            assert!(rid.len() == 26 && rid.split('-').all(|group| group.len() == 8), "{rid}");
        }
        code
    }
}

impl Rig {
    fn with(change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        let clock = Arc::new(ManualClock::at(DateTime::<Utc>::from_timestamp(1_750_000_000, 0).unwrap()));
        let ids = Ids::new(clock.clone(), Arc::new(SeededEntropy::new(7)));
        let mut config = SimulatorConfig::new(APPID, SECRET.into(), clock.clone(), ids);
        change(&mut config);
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { simulator: Simulator::start(config).unwrap(), clock, http }
    }

    fn new() -> Self {
        Self::with(|_| {})
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Seen {
        let response = request.send().await.unwrap();
        Seen {
            status: response.status().as_u16(),
            kind: response.headers()["content-type"].to_str().unwrap().to_owned(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Seen {
        self.send(self.http.get(format!("{}{path}", self.simulator.base_url())).query(query)).await
    }

    /// POST without Content-Type, as several SDKs do.
    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Seen {
        self.send(self.http.post(format!("{}{path}", self.simulator.base_url())).body(body)).await
    }

    async fn control(&self, path: &str, body: Value) {
        let seen = self.post(path, body.to_string()).await;
        assert_eq!(seen.status, 200, "{}", String::from_utf8_lossy(&seen.body));
    }

    async fn login_code(&self, user: &str) -> String {
        self.get("/sim/login-code", &[("user", user)]).await.json()["code"].as_str().unwrap().to_owned()
    }

    async fn log_in(&self, code: &str) -> Seen {
        let query = [("appid", APPID), ("secret", SECRET), ("js_code", code)];
        let query =
            [&query[..], &[("grant_type", "authorization_code"), ("access_token", "ignored")]].concat();
        self.get("/sns/jscode2session", &query).await
    }

    async fn plain_token(&self) -> String {
        let query = [("grant_type", "client_credential"), ("appid", APPID), ("secret", SECRET)];
        let seen = self.get("/cgi-bin/token", &query).await.json();
        assert!(seen.get("errcode").is_none());
        seen["access_token"].as_str().unwrap().to_owned()
    }

    async fn stable_token(&self, force: bool) -> Value {
        let body = json!({
            "grant_type": "client_credential", "appid": APPID, "secret": SECRET, "force_refresh": force,
        });
        self.post("/cgi-bin/stable_token", body.to_string()).await.json()
    }

    async fn call(&self, path: &str, token: &str, body: Value) -> Seen {
        self.post(&format!("{path}?access_token={token}"), body.to_string()).await
    }
}

#[actix_web::test]
async fn a_login_answers_text_plain_without_errcode() {
    let rig = Rig::new();
    let seen = rig.log_in(&rig.login_code("zhang").await).await;
    assert_eq!((seen.status, seen.kind.as_str()), (200, "text/plain"));
    let json = seen.json();
    assert!(json.get("errcode").is_none() && json.get("unionid").is_none());
    assert_eq!(json["openid"], openid_for(APPID, "zhang"));
    assert!(json["session_key"].as_str().unwrap().ends_with("=="));
}

#[actix_web::test]
async fn a_login_code_works_once_and_for_five_minutes() {
    let rig = Rig::new();
    let (first, second) = (rig.login_code("zhang").await, rig.login_code("zhang").await);
    assert!(rig.log_in(&first).await.json().get("errcode").is_none());
    let reused = rig.log_in(&first).await;
    assert_eq!((reused.errcode(), reused.kind.as_str()), (40163, "text/plain"));
    assert!(reused.json()["errmsg"].as_str().unwrap().starts_with("code been used, rid: "));
    rig.clock.advance(TimeDelta::minutes(5));
    assert_eq!(rig.log_in(&second).await.errcode(), 40029);
    assert_eq!(rig.log_in("never-issued").await.errcode(), 40029);

    let other = Rig::with(|config| config.reused_code_errcode = 40029);
    let code = other.login_code("zhang").await;
    other.log_in(&code).await;
    assert_eq!(other.log_in(&code).await.errcode(), 40029);
}

#[actix_web::test]
async fn login_parameters_are_checked_one_by_one() {
    let rig = Rig::new();
    let all = [("appid", APPID), ("secret", SECRET), ("grant_type", "authorization_code"), ("js_code", "x")];
    for (changed, value, errcode) in [
        ("appid", "", 41002),
        ("appid", "wxother", 40013),
        ("secret", "", 41004),
        ("secret", "wrong", 40125),
        ("grant_type", "client_credential", 40002),
        ("js_code", "", 41008),
    ] {
        let query = all.map(|(name, right)| (name, if name == changed { value } else { right }));
        assert_eq!(rig.get("/sns/jscode2session", &query).await.errcode(), errcode, "{changed}={value}");
    }
}

#[actix_web::test]
async fn session_keys_stay_for_quick_logins_and_are_what_checksession_checks() {
    let rig = Rig::new();
    let mut keys = Vec::new();
    for seconds in [0, 60, 300] {
        rig.clock.advance(TimeDelta::seconds(seconds));
        let seen = rig.log_in(&rig.login_code("zhang").await).await.json();
        keys.push(seen["session_key"].as_str().unwrap().to_owned());
    }
    assert!(keys[0] == keys[1] && keys[1] != keys[2]);

    let token = rig.plain_token().await;
    let openid = openid_for(APPID, "zhang");
    for (key, method, errcode) in
        [(&keys[2], "hmac_sha256", 0), (&keys[0], "hmac_sha256", 87009), (&keys[2], "md5", 87008)]
    {
        let mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
        let signature = hex::encode(mac.finalize().into_bytes());
        let query = [("access_token", token.as_str()), ("openid", &openid), ("sig_method", method)];
        let query = [&query[..], &[("signature", signature.as_str())]].concat();
        assert_eq!(rig.get("/wxa/checksession", &query).await.errcode(), errcode);
    }
}

#[actix_web::test]
async fn bodies_verbs_and_tokens_are_checked_as_wechat_does() {
    let rig = Rig::new();
    let token = rig.plain_token().await;
    let stable = "/cgi-bin/stable_token";
    assert_eq!(rig.get(stable, &[]).await.errcode(), 43002);
    assert_eq!(rig.post(stable, "").await.errcode(), 44002);
    let form = rig.post(stable, "grant_type=client_credential&appid=a").await;
    assert_eq!((form.errcode(), form.kind.as_str()), (47001, "application/json; encoding=utf-8"));

    let phone = "/wxa/business/getuserphonenumber";
    assert_eq!(rig.post(phone, "{}").await.errcode(), 41001);
    assert_eq!(rig.call(phone, "unknown", json!({})).await.errcode(), 40001);
    assert_eq!(rig.call(phone, &token, json!({})).await.errcode(), 40029);
    rig.clock.advance(TimeDelta::hours(2));
    assert_eq!(rig.call(phone, &token, json!({})).await.errcode(), 42001);
    assert_eq!(rig.get("/cgi-bin/nothing", &[]).await.errcode(), 40066);
}

#[actix_web::test]
async fn the_two_kinds_of_token_do_not_touch_each_other() {
    let rig = Rig::new();
    let first = rig.stable_token(false).await;
    assert_eq!((&first["expires_in"], first.get("errcode")), (&json!(7200), None));
    rig.clock.advance(TimeDelta::seconds(6855));
    let plain = rig.plain_token().await;
    let again = rig.stable_token(false).await;
    assert_eq!((&again["access_token"], &again["expires_in"]), (&first["access_token"], &json!(345)));
    let forced = rig.stable_token(true).await;
    assert_ne!(forced["access_token"], first["access_token"]);
    let forced_again = rig.stable_token(true).await;
    assert_eq!(forced["access_token"], forced_again["access_token"], "not within thirty seconds");
    for token in [plain.as_str(), forced["access_token"].as_str().unwrap()] {
        let errcode = rig.call("/wxa/business/getuserphonenumber", token, json!({})).await.errcode();
        assert_eq!(errcode, 40029, "the token was accepted");
    }
}

#[actix_web::test]
async fn a_phone_code_is_not_a_login_code() {
    let rig = Rig::new();
    let token = rig.plain_token().await;
    let path = "/wxa/business/getuserphonenumber";
    let issued = rig.get("/sim/phone-code", &[("user", "zhang")]).await.json();
    let code = issued["code"].as_str().unwrap();
    assert_eq!(rig.log_in(code).await.errcode(), 40029);
    assert_eq!(
        rig.call(path, &token, json!({ "code": rig.login_code("zhang").await })).await.errcode(),
        40029
    );

    let seen = rig.call(path, &token, json!({ "code": code })).await.json();
    let info = &seen["phone_info"];
    assert_eq!(seen["errcode"], 0);
    assert_eq!(info["purePhoneNumber"], phone_for("zhang"));
    assert_eq!(info["countryCode"], 86);
    assert_eq!(info["watermark"], json!({ "timestamp": 1_750_000_000, "appid": APPID }));
    assert_eq!(rig.call(path, &token, json!({ "code": code })).await.errcode(), 40029, "used");

    let query = [("user", "zhang"), ("phone", "61234567"), ("country", "852")];
    let issued = rig.get("/sim/phone-code", &query).await.json();
    let info = rig.call(path, &token, json!({ "code": issued["code"] })).await.json()["phone_info"].clone();
    assert_eq!(info["phoneNumber"], "+85261234567");
    assert_eq!((&info["purePhoneNumber"], &info["countryCode"]), (&json!("61234567"), &json!("852")));
}

#[actix_web::test]
async fn one_agreement_is_one_message_and_failures_use_up_nothing() {
    let rig = Rig::with(|config| {
        config.templates = vec!["T1".into()];
        config.pages = vec!["pages/index".into()];
    });
    let token = rig.plain_token().await;
    let openid = openid_for(APPID, "zhang");
    let path = "/cgi-bin/message/subscribe/send";
    let message = |to: &str, template: &str, page: &str, value: &str| json!({ "touser": to, "template_id": template, "page": page, "data": { "thing1": { "value": value } } });
    let good = message(&openid, "T1", "pages/index?id=1", "报名成功");
    assert_eq!(rig.call(path, &token, good.clone()).await.errcode(), 43101);
    rig.control("/sim/consents", json!({ "user": "zhang", "template_id": "T1", "times": 2 })).await;
    let foreign = openid_for("wxother", "zhang");
    for (bad, errcode) in [
        (message(&foreign, "T1", "pages/index", "好"), 40003),
        (message(&openid, "T2", "pages/index", "好"), 40037),
        (message(&openid, "T1", "/pages/index", "好"), 41030),
        (message(&openid, "T1", "pages/none", "好"), 41030),
        (message(&openid, "T1", "pages/index", ""), 47003),
        (json!({ "touser": openid, "template_id": "T1", "data": { "number1": { "value": 5 } } }), 47003),
    ] {
        assert_eq!(rig.call(path, &token, bad.clone()).await.errcode(), errcode, "{bad}");
    }
    for errcode in [0, 0, 43101] {
        assert_eq!(rig.call(path, &token, good.clone()).await.errcode(), errcode);
    }
    let kept = rig.get("/sim/messages", &[("user", "zhang")]).await.json();
    assert_eq!(kept["messages"], json!([good, good]));
    rig.control("/sim/consents", json!({ "user": "zhang", "template_id": "T1", "times": 3 })).await;
    rig.control("/sim/consents", json!({ "user": "zhang", "template_id": "T1", "times": 0 })).await;
    assert_eq!(rig.call(path, &token, good).await.errcode(), 43101);
}

#[actix_web::test]
async fn a_code_picture_is_a_jpeg_and_an_error_is_json() {
    let rig = Rig::new();
    let token = rig.plain_token().await;
    let path = "/wxa/getwxacodeunlimit";
    let seen = rig.call(path, &token, json!({ "scene": "act_01k5b8m3q2e9t8h6y1v7z4w0xn" })).await;
    assert_eq!((seen.status, seen.kind.as_str()), (200, "image/jpeg"));
    assert!(seen.body.starts_with(&[0xff, 0xd8, 0xff]) && seen.body.ends_with(&[0xff, 0xd9]));
    for (body, errcode) in [
        (json!({ "scene": "x".repeat(33) }), 40169),
        (json!({ "scene": "报名" }), 40129),
        (json!({ "scene": "a%20" }), 40129),
        (json!({ "scene": "a", "page": "/pages/index" }), 41030),
        (json!({ "scene": "a", "page": "pages/index?a=1" }), 41030),
        (json!({ "scene": "a", "env_version": "beta" }), 40097),
        (json!({ "scene": "a", "width": 100 }), 40097),
    ] {
        let seen = rig.call(path, &token, body.clone()).await;
        assert_eq!((seen.errcode(), seen.kind.contains("json")), (errcode, true), "{body}");
    }
}

#[actix_web::test]
async fn text_is_checked_for_users_seen_in_the_last_two_hours() {
    let rig = Rig::new();
    let openid = openid_for(APPID, "zhang");
    let path = "/wxa/msg_sec_check";
    let body = |content: &str| json!({ "content": content, "version": 2, "scene": 2, "openid": openid });
    let token = rig.plain_token().await;
    assert_eq!(rig.call(path, &token, body("好")).await.errcode(), 61010);
    rig.log_in(&rig.login_code("zhang").await).await;
    for (content, suggest) in [("好", "pass"), ("有违规测试字样", "risky"), ("疑似测试", "review")]
    {
        let seen = rig.call(path, &token, body(content)).await;
        assert_eq!((seen.errcode(), &seen.json()["result"]["suggest"]), (0, &json!(suggest)));
    }
    let mut text_version = body("好");
    text_version["version"] = json!("2");
    assert_eq!(rig.call(path, &token, text_version).await.errcode(), 47001);
    rig.clock.advance(TimeDelta::minutes(121));
    let token = rig.plain_token().await;
    assert_eq!(rig.call(path, &token, body("好")).await.errcode(), 61010);
}

#[actix_web::test]
async fn faults_strike_as_often_as_asked_and_reset_forgets_everything() {
    let rig = Rig::new();
    let path = "/sns/jscode2session";
    rig.control("/sim/faults", json!({ "path": path, "times": 2, "errcode": -1 })).await;
    rig.control("/sim/faults", json!({ "path": path, "status": 502 })).await;
    rig.control("/sim/faults", json!({ "path": path, "garbage": true })).await;
    let code = rig.login_code("zhang").await;
    for _ in 0..2 {
        let busy = rig.log_in(&code).await;
        assert_eq!((busy.errcode(), busy.kind.as_str()), (-1, "text/plain"));
    }
    assert_eq!(rig.log_in(&code).await.status, 502);
    assert!(serde_json::from_slice::<Value>(&rig.log_in(&code).await.body).is_err());
    assert!(rig.log_in(&code).await.json().get("openid").is_some(), "the code was not used up by faults");

    let unused = rig.login_code("zhang").await;
    let token = rig.plain_token().await;
    rig.control("/sim/reset", json!({})).await;
    assert_eq!(rig.log_in(&unused).await.errcode(), 40029);
    assert_eq!(rig.call("/wxa/msg_sec_check", &token, json!({})).await.errcode(), 40001);
}

#[actix_web::test]
async fn control_calls_explain_themselves() {
    let rig = Rig::new();
    let help = rig.get("/sim/", &[]).await;
    let text = String::from_utf8(help.body).unwrap();
    assert!(text.contains("微信模拟器") && text.contains(&rig.simulator.base_url()));
    assert_eq!(rig.get("/sim/login-code", &[]).await.status, 400);
    assert_eq!(rig.get("/sim/phone-code", &[("user", "a"), ("phone", "1-2")]).await.status, 400);
    for bad in [json!({ "path": "/nope", "errcode": 1 }), json!({ "path": "/cgi-bin/token" }), json!([])] {
        assert_eq!(rig.post("/sim/faults", bad.to_string()).await.status, 400, "{bad}");
    }
    assert_eq!(rig.get("/sim/nothing", &[]).await.status, 404);
    rig.simulator.stop().await;
    assert!(rig.http.get(rig.simulator.base_url()).send().await.is_err(), "stopped");
}

#[actix_web::test]
async fn words_of_the_content_check_are_set_by_control() {
    let rig = Rig::new();
    rig.log_in(&rig.login_code("zhang").await).await;
    let (token, openid) = (rig.plain_token().await, openid_for(APPID, "zhang"));
    let suggest = |text: &str| json!({ "content": text, "version": 2, "scene": 2, "openid": openid });
    let path = "/wxa/msg_sec_check";
    assert_eq!(rig.call(path, &token, suggest("黑名单")).await.json()["result"]["suggest"], "pass");
    rig.control("/sim/words", json!({ "risky": ["黑名单", ""], "doubtful": ["灰名单"] })).await;
    for (text, expected) in [("黑名单", "risky"), ("灰名单", "review"), ("白名单", "pass")] {
        assert_eq!(
            rig.call(path, &token, suggest(text)).await.json()["result"]["suggest"],
            expected,
            "{text}"
        );
    }
    assert_eq!(rig.get("/sim/checks", &[]).await.json()["texts"], 4);
}

#[actix_web::test]
async fn a_push_is_signed_and_sealed_as_the_service_does() {
    use crate::platform::wechat::push::{MediaResult, PushFault, PushKeys, PushQuery, Pushed};
    use crate::platform::wechat::{Advice, Verdict};
    let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    let clock = Arc::new(ManualClock::at(DateTime::<Utc>::from_timestamp(1_750_000_000, 0).unwrap()));
    let ids = Ids::new(clock.clone(), Arc::new(SeededEntropy::new(7)));
    let mut world = World::new(SimulatorConfig::new(APPID, SECRET.into(), clock, ids));
    let push = |more: Value| -> PushInput {
        let mut input = json!({ "trace_id": "t1", "suggest": "risky" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(input).unwrap()
    };
    assert!(pushing::letter(&world, &push(json!({}))).is_none(), "nobody to push to");
    for aes_key in [key, ""] {
        world.callback = Some(Callback {
            url: "http://127.0.0.1:1/push".into(),
            token: "AAAAA".to_owned().into(),
            aes_key: aes_key.to_owned().into(),
        });
        let keys = PushKeys::new(APPID, "AAAAA".to_owned().into(), &aes_key.to_owned().into()).unwrap();
        let opened = |input: PushInput| {
            let letter = pushing::letter(&world, &input).unwrap();
            let (_, query) = letter.url.split_once('?').unwrap();
            keys.open(&PushQuery::read(query), letter.body.as_bytes())
        };
        let verdict = Some(Verdict { advice: Advice::Risky, label: 20002 });
        let expected = Pushed::Media(MediaResult { trace_id: "t1".into(), verdict });
        for xml in [false, true] {
            assert_eq!(opened(push(json!({ "xml": xml }))), Ok(expected.clone()), "{aes_key} {xml}");
        }
        let failed = Pushed::Media(MediaResult { trace_id: "t1".into(), verdict: None });
        assert_eq!(opened(push(json!({ "errcode": -1008 }))), Ok(failed));
        assert_eq!(opened(push(json!({ "forged": true }))), Err(PushFault::Forged));
    }
}

#[actix_web::test]
async fn the_clock_is_moved_by_control_where_it_can_be() {
    assert_eq!(
        Rig::new().post("/sim/clock", r#"{"days":1}"#).await.status,
        400,
        "a clock that cannot be moved"
    );
    let mut movable = None;
    let rig = Rig::with(|config| {
        let shifted = Arc::new(ShiftedClock::new(config.clock.clone()));
        config.clock = shifted.clone();
        config.movable = Some(shifted.clone());
        movable = Some(shifted);
    });
    for bad in ["{}", r#"{"days":401}"#, r#"{"days":-1}"#, r#"{"days":400,"hours":1}"#, r#"{"weeks":1}"#] {
        assert_eq!(rig.post("/sim/clock", bad).await.status, 400, "{bad}");
    }
    let moved = movable.unwrap();
    let code = rig.login_code("zhang").await;
    assert_eq!(moved.now(), rig.clock.now());
    rig.control("/sim/clock", json!({ "days": 7, "hours": 1 })).await;
    assert_eq!(moved.now() - rig.clock.now(), TimeDelta::hours(7 * 24 + 1));
    assert_eq!(rig.log_in(&code).await.errcode(), 40029, "a code of last week");
    rig.clock.advance(TimeDelta::hours(1));
    assert_eq!(moved.now() - rig.clock.now(), TimeDelta::hours(7 * 24 + 1), "it goes on with the other");
}
