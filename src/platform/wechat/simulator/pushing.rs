//! What the simulated WeChat pushes to the mini-program's server: the verdict on a picture, signed and sealed as the service does.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::world::World;
use crate::platform::wechat::push;

/// Where pushes go, and what they are signed and sealed with.
#[derive(Clone)]
pub struct Callback {
    /// The address of the mini-program's server.
    pub url: String,
    /// The token of the console.
    pub token: SecretString,
    /// The key of the console; empty for plain mode.
    pub aes_key: SecretString,
}

/// [`Callback`], by a control call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackInput {
    url: String,
    token: String,
    #[serde(default)]
    aes_key: String,
}

impl From<CallbackInput> for Callback {
    fn from(input: CallbackInput) -> Self {
        Self { url: input.url, token: input.token.into(), aes_key: input.aes_key.into() }
    }
}

/// A picture that was asked about.
#[derive(Debug, Clone)]
pub(super) struct Media {
    pub(super) trace_id: String,
    pub(super) openid: String,
    pub(super) url: String,
    pub(super) at: DateTime<Utc>,
}

/// What a control call wants to be pushed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushInput {
    trace_id: String,
    /// `pass` where it is left out.
    suggest: Option<String>,
    label: Option<i64>,
    /// Such as -1008: it could not be fetched.
    errcode: Option<i64>,
    /// As XML.
    #[serde(default)]
    xml: bool,
    /// Signed with another token than the console's.
    #[serde(default)]
    forged: bool,
}

impl PushInput {
    /// That nothing is wrong with the picture `trace_id`.
    pub(super) fn passing(trace_id: String) -> Self {
        Self { trace_id, suggest: None, label: None, errcode: None, xml: false, forged: false }
    }
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) url: String,
    pub(super) body: String,
}

/// The push that `input` asks for; none without a callback, or where its key is no key.
pub(super) fn letter(world: &World, input: &PushInput) -> Option<Letter> {
    let callback = world.callback.as_ref()?;
    let known = world.media.iter().find(|media| media.trace_id == input.trace_id);
    let to = known.map_or("o", |media| media.openid.as_str());
    let message = message(world, input, to);
    let (timestamp, nonce) =
        (world.now().timestamp().to_string(), hex::encode(world.config.ids.bytes::<8>()));
    let token = if input.forged { "another-token" } else { callback.token.expose_secret() };
    let signature = push::signature_of(token, &[&timestamp, &nonce]);
    let mut url = url::Url::parse(&callback.url).ok()?;
    url.query_pairs_mut()
        .append_pair("signature", &signature)
        .append_pair("timestamp", &timestamp)
        .append_pair("nonce", &nonce)
        .append_pair("openid", to);
    if callback.aes_key.expose_secret().is_empty() {
        return Some(Letter { url: url.into(), body: message });
    }
    let key = push::key_of(callback.aes_key.expose_secret())?;
    let sealed = push::seal(&key, &world.config.appid, world.config.ids.bytes::<16>(), message.as_bytes())?;
    let msg_signature = push::signature_of(token, &[&timestamp, &nonce, &sealed]);
    url.query_pairs_mut().append_pair("encrypt_type", "aes").append_pair("msg_signature", &msg_signature);
    let body = if input.xml {
        format!(
            "<xml><ToUserName><![CDATA[gh_sim]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        )
    } else {
        json!({ "ToUserName": "gh_sim", "Encrypt": sealed }).to_string()
    };
    Some(Letter { url: url.into(), body })
}

fn message(world: &World, input: &PushInput, openid: &str) -> String {
    let suggest = input.suggest.as_deref().unwrap_or("pass");
    let label = input.label.unwrap_or(if suggest == "pass" { 100 } else { 20002 });
    let (errcode, trace, now) =
        (input.errcode.unwrap_or(0), input.trace_id.as_str(), world.now().timestamp());
    if input.xml {
        return format!(
            "<xml><ToUserName><![CDATA[gh_sim]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>\
             <CreateTime>{now}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[wxa_media_check]]></Event>\
             <appid><![CDATA[{}]]></appid><trace_id><![CDATA[{trace}]]></trace_id><version>2</version>\
             <errcode>{errcode}</errcode><errmsg><![CDATA[ok]]></errmsg>\
             <result><suggest><![CDATA[{suggest}]]></suggest><label>{label}</label></result></xml>",
            world.config.appid
        );
    }
    let mut message: Value = json!({
        "ToUserName": "gh_sim", "FromUserName": openid, "CreateTime": now, "MsgType": "event", "Event": "wxa_media_check",
        "appid": world.config.appid, "trace_id": trace, "version": 2, "errcode": errcode, "errmsg": "ok",
        "detail": [{ "strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90 }],
        "result": { "suggest": suggest, "label": label },
    });
    if errcode != 0
        && let Some(fields) = message.as_object_mut()
    {
        fields.remove("result");
    }
    message.to_string()
}

/// Sends a push, and says how it was answered: the status, and the body.
pub(super) async fn send(letter: Letter) -> Result<(u16, String), String> {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
    let http = http.map_err(|error| error.to_string())?;
    let sent =
        http.post(letter.url).body(letter.body).timeout(std::time::Duration::from_secs(5)).send().await;
    let answer = sent.map_err(|error| error.without_url().to_string())?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.unwrap_or_default()))
}
