//! The calls to WeChat that this backend makes.
//!
//! What is retried and what is not: a call that carries a single-use code is never repeated after a
//! time-out or a busy answer, because the first attempt may have spent the code. Fetching the access token
//! in stable mode has no such effect and is repeated with back-off. A refused access token is fetched anew
//! once, and the call it spoilt repeated once: WeChat refuses the token before it looks at the code.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::clock::Stopwatch;
use crate::platform::cache::{Cache, Key};

use super::errcode::{Meaning, WhoActs};
use super::error::{WechatError, chain};
use super::reply;

const LOGIN: &str = "/sns/jscode2session";
const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
const CODE: &str = "/wxa/getwxacodeunlimit";
const PHONE: &str = "/wxa/business/getuserphonenumber";

/// No cached token is believed longer than this: WeChat asks instances to look at least every five minutes.
const TOKEN_CACHE_MOST: Duration = Duration::from_secs(5 * 60);
/// A cached token is dropped this long before it ends, so that no call starts with a dying one.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);
/// The cache would take zero for "at once", and every call would fetch a token.
const TOKEN_CACHE_LEAST: Duration = Duration::from_secs(1);
/// The pause before the first repetition; doubled for each further one.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How to reach WeChat, and as whom.
#[derive(Debug, Clone)]
pub struct WechatConfig {
    /// Scheme and host, such as `https://api.weixin.qq.com`. WeChat has others for disaster recovery.
    pub base_url: String,
    /// The mini-program's id.
    pub appid: String,
    /// The mini-program's secret.
    pub secret: SecretString,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest wait for a whole answer, connection included.
    pub timeout: Duration,
}

/// Who logged in.
#[derive(Debug, Clone)]
pub struct WechatSession {
    /// The user, as this mini-program knows them.
    pub openid: String,
    /// Proves what the client signs. Never leaves the server.
    pub session_key: SecretString,
    /// The user across the accounts of one owner; only if the mini-program is bound to an open-platform
    /// account.
    pub unionid: Option<String>,
}

/// The telephone number that a user agreed to hand over.
#[derive(Clone, PartialEq, Eq)]
pub struct WechatPhone {
    /// Without the country prefix.
    pub number: String,
    /// Such as `86`, without `+`.
    pub country_code: String,
}

impl fmt::Debug for WechatPhone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPhone").field("country_code", &self.country_code).finish_non_exhaustive()
    }
}

/// The last finished token fetch, for those who waited for it.
type LastFetch = Option<Result<SecretString, WechatError>>;

struct Inner {
    http: reqwest::Client,
    base_url: String,
    appid: String,
    secret: SecretString,
    cache: Cache,
    /// How many token fetches have finished.
    fetches: AtomicU64,
    /// Held while a token is fetched: one fetch at a time.
    fetching: Mutex<LastFetch>,
}

/// A client of WeChat's server API. Clones share connections and the token.
#[derive(Clone)]
pub struct WechatClient(Arc<Inner>);

impl WechatClient {
    /// A client that keeps the access token in `cache`, where other instances find it too.
    ///
    /// Fails where the base URL is not http(s), or where no TLS roots can be found for https.
    pub fn new(config: WechatConfig, cache: Cache) -> Result<Self, WechatError> {
        let setup = |reason: String| WechatError::Setup { reason };
        let base = url::Url::parse(&config.base_url).map_err(|error| setup(format!("base_url: {error}")))?;
        let mut http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none());
        http = match base.scheme() {
            "https" => http,
            // The simulator: no proxy stands before it, and a machine without root certificates will do.
            "http" => http.no_proxy().tls_certs_only([]),
            other => return Err(setup(format!("base_url: the scheme {other} is not http or https"))),
        };
        Ok(Self(Arc::new(Inner {
            http: http.build().map_err(|error| setup(chain(&error.without_url())))?,
            base_url: base.as_str().trim_end_matches('/').to_owned(),
            appid: config.appid,
            secret: config.secret,
            cache,
            fetches: AtomicU64::new(0),
            fetching: Mutex::new(None),
        })))
    }

    /// Who sent the login `code` (from `wx.login`; five minutes, once).
    ///
    /// After any failure the client has to call `wx.login` again: the code may be spent.
    pub async fn code_to_session(&self, code: &str) -> Result<WechatSession, WechatError> {
        let request = self.request(reqwest::Method::GET, LOGIN).query(&[
            ("appid", self.0.appid.as_str()),
            ("secret", self.0.secret.expose_secret()),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ]);
        let fields = send(LOGIN, request).await?;
        Ok(WechatSession {
            openid: reply::text(LOGIN, &fields, "openid", "no openid")?,
            session_key: reply::text(LOGIN, &fields, "session_key", "no session_key")?.into(),
            unionid: fields.get("unionid").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The telephone number behind `code` (from a `getPhoneNumber` button; five minutes, once; not a login
    /// code).
    pub async fn phone_number(&self, code: &str) -> Result<WechatPhone, WechatError> {
        let fields = self.call(PHONE, &json!({ "code": code })).await?;
        let malformed = |reason| WechatError::Malformed { endpoint: PHONE, reason };
        let phone = fields.get("phone_info").and_then(Value::as_object).ok_or(malformed("no phone_info"))?;
        let marked = phone.get("watermark").and_then(|mark| mark.get("appid")).and_then(Value::as_str);
        if marked != Some(self.0.appid.as_str()) {
            return Err(malformed("the watermark is not of this app"));
        }
        // Documented as text, sent as a number.
        let country = phone.get("countryCode").and_then(reply::integer);
        Ok(WechatPhone {
            number: reply::text(PHONE, phone, "purePhoneNumber", "no purePhoneNumber")?,
            country_code: country.ok_or(malformed("no countryCode"))?.to_string(),
        })
    }

    /// A picture that opens the mini-program with `scene` (at most 32 visible characters), from a page that is published or not.
    pub async fn code_picture(&self, scene: &str) -> Result<Vec<u8>, WechatError> {
        let body = json!({ "scene": scene, "check_path": false });
        let token = self.access_token().await?;
        match self.picture(CODE, &token, &body).await {
            Err(error) if matches!(error.meaning(), Some(Meaning::TokenInvalid | Meaning::TokenExpired)) => {
                let token = self.token(Some(&token)).await?;
                self.picture(CODE, &token, &body).await
            }
            outcome => outcome,
        }
    }

    /// A POST that is answered with a picture, or with JSON where something is wrong.
    async fn picture(
        &self,
        endpoint: &'static str,
        token: &SecretString,
        body: &Value,
    ) -> Result<Vec<u8>, WechatError> {
        let request = self.request(reqwest::Method::POST, endpoint).json(body);
        let request = request.query(&[("access_token", token.expose_secret())]);
        let (status, bytes) = receive(endpoint, request).await?;
        let is_picture = bytes.starts_with(b"\xff\xd8\xff") || bytes.starts_with(b"\x89PNG");
        if is_picture && status == 200 {
            return Ok(bytes);
        }
        reply::read(endpoint, status, &bytes)?;
        Err(WechatError::Malformed { endpoint, reason: "neither a picture nor an error" })
    }

    /// A valid access token: from the cache, or fetched in stable mode, by one caller for all.
    pub async fn access_token(&self) -> Result<SecretString, WechatError> {
        self.token(None).await
    }

    /// A token other than `refused`, unless WeChat itself hands out the same again.
    async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, WechatError> {
        let seen = self.0.fetches.load(Ordering::Acquire);
        if let Some(token) = self.cached_token(refused).await {
            return Ok(token);
        }
        let mut last = self.0.fetching.lock().await;
        if let Some(token) = self.cached_token(refused).await {
            return Ok(token);
        }
        // Somebody fetched while this caller waited. Their outcome is this caller's too: otherwise every
        // waiter would repeat a failing fetch, one after the other.
        if let Some(outcome) = last.clone().filter(|_| self.0.fetches.load(Ordering::Acquire) != seen) {
            return outcome;
        }
        if refused.is_some() {
            self.0.cache.delete(&Key::wechat_token(&self.0.appid)).await;
        }
        let outcome = self.fetch_token().await;
        *last = Some(outcome.clone());
        self.0.fetches.fetch_add(1, Ordering::Release);
        outcome
    }

    async fn cached_token(&self, refused: Option<&SecretString>) -> Option<SecretString> {
        let bytes = self.0.cache.get(&Key::wechat_token(&self.0.appid)).await?;
        let token = String::from_utf8(bytes).ok()?;
        (refused.map(ExposeSecret::expose_secret) != Some(token.as_str())).then(|| token.into())
    }

    /// Fetches a token and puts it into the cache. Stable mode, never forced: every instance gets the same
    /// token, and a forced refresh would shut out the others.
    async fn fetch_token(&self) -> Result<SecretString, WechatError> {
        let body = json!({
            "grant_type": "client_credential",
            "appid": self.0.appid,
            "secret": self.0.secret.expose_secret(),
            "force_refresh": false,
        });
        let mut attempt = 1;
        let fields = loop {
            let error = match self.post(STABLE_TOKEN, None, &body).await {
                Ok(fields) => break fields,
                Err(error) => error,
            };
            let attempts = match &error {
                WechatError::Api { meaning: Meaning::Busy, .. } => 3,
                WechatError::Timeout { .. } | WechatError::Unreachable { .. } => 2,
                _ => 1,
            };
            if attempt >= attempts {
                return Err(error);
            }
            tokio::time::sleep(BACK_OFF * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        };
        let token = reply::text(STABLE_TOKEN, &fields, "access_token", "no access_token")?;
        let lives = fields.get("expires_in").and_then(reply::integer);
        let ttl = token_ttl(
            lives.ok_or(WechatError::Malformed { endpoint: STABLE_TOKEN, reason: "no expires_in" })?,
        );
        self.0.cache.put(&Key::wechat_token(&self.0.appid), token.as_bytes(), ttl).await;
        Ok(token.into())
    }

    /// A POST with the access token, which is renewed once where WeChat refuses it.
    pub(super) async fn call(
        &self,
        endpoint: &'static str,
        body: &Value,
    ) -> Result<Map<String, Value>, WechatError> {
        let token = self.access_token().await?;
        match self.post(endpoint, Some(&token), body).await {
            Err(error) if matches!(error.meaning(), Some(Meaning::TokenInvalid | Meaning::TokenExpired)) => {
                let token = self.token(Some(&token)).await?;
                self.post(endpoint, Some(&token), body).await
            }
            outcome => outcome,
        }
    }

    async fn post(
        &self,
        endpoint: &'static str,
        token: Option<&SecretString>,
        body: &Value,
    ) -> Result<Map<String, Value>, WechatError> {
        let mut request = self.request(reqwest::Method::POST, endpoint).json(body);
        if let Some(token) = token {
            request = request.query(&[("access_token", token.expose_secret())]);
        }
        send(endpoint, request).await
    }

    fn request(&self, method: reqwest::Method, endpoint: &'static str) -> reqwest::RequestBuilder {
        self.0.http.request(method, format!("{}{endpoint}", self.0.base_url))
    }
}

/// How long a token is cached that WeChat says lives for `expires_in` seconds. Stable mode hands out
/// tokens with five minutes left, so that "five minutes less than it lives" would be nothing.
fn token_ttl(expires_in: i64) -> Duration {
    Duration::from_secs(u64::try_from(expires_in).unwrap_or(0))
        .saturating_sub(TOKEN_MARGIN)
        .clamp(TOKEN_CACHE_LEAST, TOKEN_CACHE_MOST)
}

/// Sends a request, reads its answer, and leaves a line in the log.
async fn send(
    endpoint: &'static str,
    request: reqwest::RequestBuilder,
) -> Result<Map<String, Value>, WechatError> {
    let watch = Stopwatch::start();
    let outcome = fetch(endpoint, request).await;
    let millis = watch.elapsed().as_millis();
    match &outcome {
        Ok(_) => tracing::debug!(endpoint, millis, "WeChat answered"),
        Err(WechatError::Api { meaning, errcode, rid, .. }) if meaning.who_acts() == WhoActs::Operator => {
            tracing::error!(endpoint, millis, errcode, rid, "WeChat refused: {}", meaning.english());
        }
        Err(WechatError::Api { meaning, errcode, rid, .. }) => {
            tracing::info!(endpoint, millis, errcode, rid, "WeChat refused: {}", meaning.english());
        }
        Err(error) => tracing::warn!(endpoint, millis, %error, "WeChat call failed"),
    }
    outcome
}

async fn fetch(
    endpoint: &'static str,
    request: reqwest::RequestBuilder,
) -> Result<Map<String, Value>, WechatError> {
    let (status, body) = receive(endpoint, request).await?;
    reply::read(endpoint, status, &body)
}

/// The status and the bytes of an answer.
async fn receive(
    endpoint: &'static str,
    request: reqwest::RequestBuilder,
) -> Result<(u16, Vec<u8>), WechatError> {
    let failed = |error| WechatError::transport(endpoint, error);
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > reply::BODY_LIMIT {
            return Err(WechatError::Malformed { endpoint, reason: "the answer is too large" });
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_cached_five_minutes_at_most_and_never_for_nothing() {
        let seconds = |expires_in| token_ttl(expires_in).as_secs();
        assert_eq!(seconds(7200), 300);
        assert_eq!(seconds(300), 240, "the shortest life that stable mode hands out");
        assert_eq!([seconds(60), seconds(0), seconds(-5)], [1, 1, 1]);
    }

    #[test]
    fn debug_texts_hide_the_secret_and_the_number() {
        let phone = WechatPhone { number: "17000001234".into(), country_code: "86".into() };
        assert!(!format!("{phone:?}").contains("1700"));
        let session = WechatSession { openid: "o".into(), session_key: "c2Vzc2lvbg==".into(), unionid: None };
        assert!(!format!("{session:?}").contains("c2Vzc2lvbg"));
    }
}
