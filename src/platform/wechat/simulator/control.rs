//! `/sim/`: what the telephone, the user's finger and bad luck would do.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::api::ENDPOINTS;
use super::pushing::CallbackInput;
use super::world::{Fault, Phone, World, phone_for};

/// Longer delays than this are taken for mistakes.
const DELAY_MOST_MS: u64 = 600_000;

/// Longer moves of the clock are taken for mistakes.
const CLOCK_DAYS_MOST: i64 = 400;

/// Two languages: what is wrong with a control call.
struct Wrong(StatusCode, String);

fn wrong(text: &str) -> Wrong {
    Wrong(StatusCode::BAD_REQUEST, text.to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    user: String,
    template_id: String,
    /// How often the user agreed; zero takes every agreement back.
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// How far the clock goes forwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockInput {
    #[serde(default)]
    days: u32,
    #[serde(default)]
    hours: u32,
}

/// Words for the content check, instead of those of the call before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    #[serde(default)]
    risky: Vec<String>,
    #[serde(default)]
    doubtful: Vec<String>,
}

/// Answers a control call. `path` begins with `/sim`.
pub(super) fn respond(
    world: &mut World,
    method: &Method,
    path: &str,
    query: &HashMap<String, String>,
    body: &[u8],
    base_url: &str,
) -> HttpResponse {
    let outcome = match (method, path) {
        (&Method::GET, "/sim" | "/sim/") => {
            return HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(help(base_url));
        }
        (&Method::GET, "/sim/login-code") => login_code(world, query),
        (&Method::GET, "/sim/phone-code") => phone_code(world, query),
        (&Method::GET, "/sim/messages") => messages(world, query),
        (&Method::POST, "/sim/consents") => parse(body).and_then(|consent| agree(world, consent)),
        (&Method::POST, "/sim/faults") => parse(body).and_then(|fault| disturb(world, fault)),
        (&Method::POST, "/sim/words") => parse(body).map(|words: Words| {
            // An empty word stands in every text.
            let real = |all: Vec<String>| all.into_iter().filter(|word| !word.is_empty()).collect();
            world.words = (real(words.risky), real(words.doubtful));
            json!({})
        }),
        (&Method::POST, "/sim/callback") => parse(body).map(|callback: CallbackInput| {
            world.callback = Some(callback.into());
            json!({})
        }),
        (&Method::POST, "/sim/clock") => parse(body).and_then(|input| move_clock(world, &input)),
        (&Method::GET, "/sim/checks") => Ok(checks(world)),
        (&Method::POST, "/sim/reset") => {
            world.reset();
            Ok(json!({}))
        }
        _ => Err(Wrong(
            StatusCode::NOT_FOUND,
            "没有这个控制路径，请看 /sim/ · no such control path, see /sim/".into(),
        )),
    };
    match outcome {
        Ok(value) => HttpResponse::Ok().json(value),
        Err(Wrong(status, error)) => HttpResponse::build(status).json(json!({ "error": error })),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|error| wrong(&format!("JSON 请求体有误 · bad JSON body: {error}")))
}

fn user(query: &HashMap<String, String>) -> Result<&str, Wrong> {
    match query.get("user").map(String::as_str) {
        Some(user) if !user.is_empty() && user.chars().count() <= 64 => Ok(user),
        _ => Err(wrong("缺少 user 参数（1–64 个字符） · parameter user is missing (1–64 characters)")),
    }
}

fn login_code(world: &mut World, query: &HashMap<String, String>) -> Result<Value, Wrong> {
    let openid = world.openid(user(query)?);
    let code = world.issue_login_code(openid.clone());
    Ok(json!({ "code": code, "openid": openid }))
}

fn phone_code(world: &mut World, query: &HashMap<String, String>) -> Result<Value, Wrong> {
    let name = user(query)?;
    let number = query.get("phone").cloned().unwrap_or_else(|| phone_for(name));
    let country = query.get("country").map_or("86", String::as_str).to_owned();
    let digits = |text: &str, most| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(&number, 15) || !digits(&country, 3) {
        return Err(wrong("phone 和 country 只能是数字 · phone and country are digits only"));
    }
    let openid = world.openid(name);
    let code = world.issue_phone_code(Phone { openid: openid.clone(), number: number.clone(), country });
    Ok(json!({ "code": code, "openid": openid, "phone": number }))
}

fn agree(world: &mut World, consent: Consent) -> Result<Value, Wrong> {
    if !world.config.knows_template(&consent.template_id) {
        return Err(wrong("没有这个消息模板 · no such template"));
    }
    let openid = world.openid(&consent.user);
    let left = world.consents.entry((openid.clone(), consent.template_id)).or_default();
    *left = if consent.times == 0 { 0 } else { left.saturating_add(consent.times) };
    Ok(json!({ "openid": openid, "left": *left }))
}

fn messages(world: &mut World, query: &HashMap<String, String>) -> Result<Value, Wrong> {
    let openid = world.openid(user(query)?);
    let sent = world.messages.iter().filter(|(to, _)| *to == openid).map(|(_, message)| message.clone());
    Ok(json!({ "messages": sent.collect::<Vec<_>>() }))
}

/// Moves the clock of the whole process forwards.
fn move_clock(world: &World, input: &ClockInput) -> Result<Value, Wrong> {
    let Some(clock) = &world.config.movable else {
        return Err(wrong("此处的时钟不能拨动 · the clock cannot be moved here"));
    };
    let by = TimeDelta::days(input.days.into()) + TimeDelta::hours(input.hours.into());
    if by.is_zero() || by > TimeDelta::days(CLOCK_DAYS_MOST) {
        return Err(wrong(
            "days 与 hours 合计须为 1 小时到 400 天 · days and hours together: 1 hour to 400 days",
        ));
    }
    clock.advance(by);
    Ok(json!({ "now": world.config.clock.now() }))
}

/// What the content check was asked about.
fn checks(world: &World) -> Value {
    let media = world.media.iter().map(|media| {
        json!({ "trace_id": media.trace_id, "openid": media.openid, "media_url": media.url, "at": media.at })
    });
    json!({ "texts": world.texts, "media": media.collect::<Vec<_>>() })
}

fn disturb(world: &mut World, fault: Fault) -> Result<Value, Wrong> {
    if !ENDPOINTS.iter().any(|endpoint| endpoint.path == fault.path) {
        return Err(wrong("path 不是模拟的微信接口 · path is not a simulated WeChat path"));
    }
    let idle =
        fault.errcode.is_none() && fault.delay_ms.is_none() && fault.status.is_none() && !fault.garbage;
    let status = fault.status.is_none_or(|status| (200..600).contains(&status));
    if idle || !status || fault.times == 0 || fault.delay_ms.is_some_and(|delay| delay > DELAY_MOST_MS) {
        return Err(wrong(
            "需要 errcode、delay_ms（≤600000）、status（200–599）或 garbage，且 times ≥ 1 · \
             one of errcode, delay_ms, status, garbage is needed, and times ≥ 1",
        ));
    }
    world.add_fault(fault);
    Ok(json!({}))
}

fn help(base: &str) -> String {
    let paths: String = ENDPOINTS.iter().map(|endpoint| format!("  {}\n", endpoint.path)).collect();
    format!(
        r#"微信模拟器 · WeChat simulator
仅供开发和测试，不会连接微信。 For development and tests; it never talks to WeChat.

模拟的接口 · Simulated paths
{paths}
取登录 code（相当于 wx.login） · A login code, as wx.login gives
  curl '{base}/sim/login-code?user=zhang'

取手机号 code（相当于 getPhoneNumber 按钮） · A phone code, as the getPhoneNumber button gives
  curl '{base}/sim/phone-code?user=zhang'
  curl '{base}/sim/phone-code?user=zhang&phone=17000123456&country=86'

同意订阅消息（times 为 0 则全部撤回） · Agree to messages (times 0 takes all back)
  curl -X POST {base}/sim/consents -d '{{"user":"zhang","template_id":"TEMPLATE","times":1}}'

查看收到的订阅消息 · Messages that arrived
  curl '{base}/sim/messages?user=zhang'

制造故障（errcode、delay_ms、status、garbage 任选） · Make calls fail
  curl -X POST {base}/sim/faults -d '{{"path":"/cgi-bin/stable_token","times":1,"errcode":-1}}'

内容安全：另设敏感词（risky 违规、doubtful 疑似） · Words that the content check takes for risky or doubtful
  curl -X POST {base}/sim/words -d '{{"risky":["某词"],"doubtful":["另一词"]}}'

内容安全：已送检的图片 · Pictures that were asked about
  curl '{base}/sim/checks'

图片检测结果的回调地址，以及推送结果 · Where verdicts are pushed, and pushing one
  curl -X POST {base}/sim/callback -d '{{"url":"http://127.0.0.1:8080/api/v1/wechat/push","token":"TOKEN","aes_key":"KEY"}}'
  curl -X POST {base}/sim/pushes -d '{{"trace_id":"TRACE","suggest":"risky","label":20002}}'

把整个服务的时钟往后拨（重启后复原） · Move the clock of the whole service forwards, until it is started again
  curl -X POST {base}/sim/clock -d '{{"days":7,"hours":1}}'

全部清空 · Forget everything
  curl -X POST {base}/sim/reset
"#
    )
}
