//! WeChat's own paths.

use std::collections::HashMap;

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::answer::{Answer, CODE_PICTURE, Refusal};
use super::pushing::Media;
use super::values;
use super::world::{User, World};

/// How recently a user has to have opened the mini-program for their text to be checked.
const CHECK_WINDOW: TimeDelta = TimeDelta::hours(2);

/// Where pictures are asked about.
pub(super) const MEDIA_CHECK: &str = "/wxa/media_check_async";

/// One call: its query and its body, whatever the headers say.
pub(super) struct Call<'a> {
    pub(super) query: HashMap<String, String>,
    pub(super) body: &'a [u8],
}

type Outcome = Result<Answer, Refusal>;

/// A path of WeChat and how it is called.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    /// Takes POST only, with a JSON body.
    pub(super) post: bool,
    /// Needs `access_token` in the query.
    pub(super) token: bool,
    /// Labels its JSON `text/plain`.
    pub(super) plain: bool,
    run: fn(&mut World, &Call<'_>) -> Outcome,
}

const fn endpoint(path: &'static str, run: fn(&mut World, &Call<'_>) -> Outcome) -> Endpoint {
    Endpoint { path, post: true, token: true, plain: false, run }
}

/// Every path of WeChat that is simulated.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { post: false, token: false, plain: true, ..endpoint("/sns/jscode2session", log_in) },
    Endpoint { post: false, token: false, ..endpoint("/cgi-bin/token", plain_token) },
    Endpoint { token: false, ..endpoint("/cgi-bin/stable_token", stable_token) },
    Endpoint { post: false, ..endpoint("/wxa/checksession", check_session) },
    endpoint("/wxa/business/getuserphonenumber", phone_number),
    endpoint("/wxa/getwxacodeunlimit", code_picture),
    endpoint("/cgi-bin/message/subscribe/send", send_message),
    endpoint("/wxa/msg_sec_check", check_text),
    endpoint(MEDIA_CHECK, check_media),
];

/// Answers one call, in WeChat's order: the verb, the token, the body, the work.
pub(super) fn answer(world: &mut World, endpoint: &Endpoint, is_post: bool, call: &Call<'_>) -> Outcome {
    if endpoint.post && !is_post {
        return Err(43002.into());
    }
    if endpoint.token {
        world.check_token(call.parameter("access_token"))?;
    }
    (endpoint.run)(world, call)
}

impl Call<'_> {
    /// A query parameter that is there and not empty.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The body as a JSON object. A form is not one.
    fn json(&self) -> Result<Map<String, Value>, Refusal> {
        if self.body.is_empty() {
            return Err(44002.into());
        }
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            _ => Err(47001.into()),
        }
    }
}

/// A text field that is there and not empty.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
}

fn check_credentials(world: &World, appid: Option<&str>, secret: Option<&str>) -> Result<(), Refusal> {
    if appid.ok_or(41002)? != world.config.appid {
        return Err(40013.into());
    }
    if secret.ok_or(41004)? != world.config.secret.expose_secret() {
        return Err(40125.into());
    }
    Ok(())
}

fn log_in(world: &mut World, call: &Call<'_>) -> Outcome {
    check_credentials(world, call.parameter("appid"), call.parameter("secret"))?;
    if call.parameter("grant_type") != Some("authorization_code") {
        return Err(40002.into());
    }
    let openid = world.spend_login_code(call.parameter("js_code").ok_or(41008)?)?;
    let session_key = world.log_in(&openid);
    // No errcode on success, and no unionid without an open-platform account.
    Ok(Answer::Json(json!({ "session_key": session_key, "openid": openid })))
}

fn plain_token(world: &mut World, call: &Call<'_>) -> Outcome {
    if call.parameter("grant_type") != Some("client_credential") {
        return Err(40002.into());
    }
    check_credentials(world, call.parameter("appid"), call.parameter("secret"))?;
    let value = world.new_token();
    let (token, seconds) = world.plain.renew(world.config.clock.now(), value);
    Ok(Answer::Json(json!({ "access_token": token, "expires_in": seconds })))
}

fn stable_token(world: &mut World, call: &Call<'_>) -> Outcome {
    let fields = call.json()?;
    if text(&fields, "grant_type") != Some("client_credential") {
        return Err(40002.into());
    }
    check_credentials(world, text(&fields, "appid"), text(&fields, "secret"))?;
    let force = fields.get("force_refresh") == Some(&Value::Bool(true));
    let value = world.new_token();
    let (token, seconds) = world.stable.stable(world.config.clock.now(), force, value);
    Ok(Answer::Json(json!({ "access_token": token, "expires_in": seconds })))
}

fn check_session(world: &mut World, call: &Call<'_>) -> Outcome {
    let openid = call.parameter("openid").filter(|openid| world.is_ours(openid)).ok_or(40003)?;
    if call.parameter("sig_method") != Some("hmac_sha256") {
        return Err(87008.into());
    }
    let session = world.users.get(openid).and_then(|user| user.session.as_ref()).ok_or(87009)?;
    // The key is the text of the session key, not the bytes that it encodes; the message is empty.
    let mac = Hmac::<Sha256>::new_from_slice(session.0.as_bytes()).map_err(|_| 87009)?;
    let expected = hex::encode(mac.finalize().into_bytes());
    match call.parameter("signature") {
        Some(signature) if signature == expected => Ok(Answer::ok(json!({}))),
        _ => Err(87009.into()),
    }
}

fn phone_number(world: &mut World, call: &Call<'_>) -> Outcome {
    let fields = call.json()?;
    let code = text(&fields, "code").unwrap_or_default();
    let hint: String = world.rid().chars().rev().take(9).collect();
    let phone = world
        .spend_phone_code(code)
        .filter(|phone| text(&fields, "openid").is_none_or(|openid| openid == phone.openid))
        .ok_or_else(|| Refusal::with(40029, format!("invalid code hint: [{hint}]")))?;
    let mainland = phone.country == "86";
    // Documented as text, seen as a number: mainland numbers get the number, all others the text.
    let country = phone.country.parse::<u32>().ok().filter(|_| mainland);
    Ok(Answer::ok(json!({ "phone_info": {
        "phoneNumber": if mainland { phone.number.clone() } else { format!("+{}{}", phone.country, phone.number) },
        "purePhoneNumber": phone.number,
        "countryCode": country.map_or_else(|| json!(phone.country), |number| json!(number)),
        "watermark": { "timestamp": world.now().timestamp(), "appid": world.config.appid },
    } })))
}

fn code_picture(world: &mut World, call: &Call<'_>) -> Outcome {
    let fields = call.json()?;
    let scene = text(&fields, "scene").unwrap_or_default();
    if scene.is_empty() || scene.chars().count() > 32 {
        return Err(40169.into());
    }
    if !scene.chars().all(|char| char.is_ascii_alphanumeric() || "!#$&'()*+,/:;=?@-._~".contains(char)) {
        return Err(40129.into());
    }
    if scene.contains("scancode_time") {
        return Err(85096.into());
    }
    let checked = fields.get("check_path") != Some(&Value::Bool(false));
    if let Some(page) = text(&fields, "page") {
        let known = !checked || world.config.knows_page(page);
        if page.starts_with('/') || page.contains('?') || !known {
            return Err(41030.into());
        }
    }
    if text(&fields, "env_version").is_some_and(|env| !["release", "trial", "develop"].contains(&env)) {
        return Err(40097.into());
    }
    if fields.get("width").is_some_and(|width| !width.as_i64().is_some_and(|w| (280..=1280).contains(&w))) {
        return Err(40097.into());
    }
    Ok(Answer::Jpeg(CODE_PICTURE))
}

fn send_message(world: &mut World, call: &Call<'_>) -> Outcome {
    let fields = call.json()?;
    let openid = text(&fields, "touser").filter(|openid| world.is_ours(openid)).ok_or(40003)?.to_owned();
    let template = text(&fields, "template_id").ok_or(40037)?.to_owned();
    if !world.config.knows_template(&template) {
        return Err(40037.into());
    }
    if let Some(page) = text(&fields, "page") {
        let bare = page.split('?').next().unwrap_or_default();
        if page.starts_with('/') || !world.config.knows_page(bare) {
            return Err(41030.into());
        }
    }
    let data = fields.get("data").and_then(Value::as_object).filter(|data| !data.is_empty()).ok_or(47003)?;
    for (key, place) in data {
        let value = place.get("value").and_then(Value::as_str);
        if value == Some("") {
            // Misspelt by WeChat.
            return Err(Refusal::with(47003, format!("argument invalid! data.{key}.value is emtpy")));
        }
        if !value.is_some_and(|value| values::fits(key, value)) {
            return Err(Refusal::with(47003, format!("argument invalid! data.{key}.value")));
        }
    }
    // One agreement, one message. A failed call uses up nothing.
    let left = world.consents.get_mut(&(openid.clone(), template)).filter(|left| **left > 0).ok_or(43101)?;
    *left -= 1;
    world.keep_message(openid, Value::Object(fields));
    Ok(Answer::ok(json!({})))
}

/// Words that the simulated content check takes for risky and for doubtful.
const RISKY: &str = "违规测试";
const DOUBTFUL: &str = "疑似测试";

fn check_text(world: &mut World, call: &Call<'_>) -> Outcome {
    let fields = call.json()?;
    let content = text(&fields, "content").unwrap_or_default();
    // Version 1 is withdrawn here, and the number 2 has to be a number.
    if content.is_empty() || content.chars().count() > 2500 || fields.get("version") != Some(&json!(2)) {
        return Err(47001.into());
    }
    checkable(world, &fields)?;
    world.texts += 1;
    let (suggest, label) = match content {
        content if has(content, RISKY, &world.words.0) => ("risky", 20006),
        content if has(content, DOUBTFUL, &world.words.1) => ("review", 21000),
        _ => ("pass", 100),
    };
    Ok(Answer::ok(json!({
        "result": { "suggest": suggest, "label": label },
        // The second detail lacks most of its fields, as in real answers.
        "detail": [
            { "strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90 },
            { "strategy": "keyword", "errcode": 0 },
        ],
        "trace_id": world.rid(),
    })))
}

/// Whether a text has the one word or one of the others.
fn has(content: &str, word: &str, others: &[String]) -> bool {
    content.contains(word) || others.iter().any(|other| content.contains(other.as_str()))
}

/// Refuses a scene that is none, and whoever was not here within two hours.
fn checkable<'a>(world: &World, fields: &'a Map<String, Value>) -> Result<&'a str, Refusal> {
    if !fields.get("scene").and_then(Value::as_i64).is_some_and(|scene| (1..=4).contains(&scene)) {
        return Err(40129.into());
    }
    let openid = text(fields, "openid").filter(|openid| world.is_ours(openid)).ok_or(40003)?;
    let seen = world.users.get(openid).and_then(|user: &User| user.seen);
    if seen.is_none_or(|seen| world.now() - seen > CHECK_WINDOW) {
        return Err(61010.into());
    }
    Ok(openid)
}

fn check_media(world: &mut World, call: &Call<'_>) -> Outcome {
    let fields = call.json()?;
    let url = text(&fields, "media_url").unwrap_or_default();
    if !(url.starts_with("http://") || url.starts_with("https://"))
        || fields.get("version") != Some(&json!(2))
    {
        return Err(47001.into());
    }
    if !fields.get("media_type").and_then(Value::as_i64).is_some_and(|kind| [1, 2].contains(&kind)) {
        return Err(40004.into());
    }
    let (url, openid) = (url.to_owned(), checkable(world, &fields)?.to_owned());
    let trace_id = world.rid();
    world.keep_media(Media { trace_id: trace_id.clone(), openid, url, at: world.now() });
    Ok(Answer::ok(json!({ "trace_id": trace_id })))
}
