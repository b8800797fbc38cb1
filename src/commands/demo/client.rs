//! A client of the API, as the mini-program would be: it waits when it is told to, and repeats with the same key.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::RwLock;

use super::Outcome;
use crate::commands::real_world;
use crate::ids::Ids;

/// Where the server and its simulated WeChat are.
#[derive(Clone)]
pub(super) struct Site {
    url: String,
    wechat_sim: String,
    http: reqwest::Client,
    ids: Ids,
}

impl Site {
    pub(super) fn new(url: String, wechat_sim: String) -> Outcome<Self> {
        // Certificates are not needed on the loopback, and a machine may have none.
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .tls_certs_only([])
            .build()
            .map_err(|error| error.to_string())?;
        let trim = |text: String| text.trim_end_matches('/').to_owned();
        Ok(Self { url: trim(url), wechat_sim: trim(wechat_sim), http, ids: real_world().1 })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn anonymous(&self) -> Session {
        Session { site: self.clone(), user: None, token: RwLock::default(), person: Value::Null }
    }

    /// Logs the simulated user in.
    pub(super) async fn log_in(&self, user: &str) -> Outcome<Session> {
        let tokens = self.tokens(user).await?;
        Ok(Session {
            site: self.clone(),
            user: Some(user.to_owned()),
            token: RwLock::new(access_token(&tokens)),
            person: field(&tokens, "person_id").clone(),
        })
    }

    async fn tokens(&self, user: &str) -> Outcome<Value> {
        let address = format!("{}/sim/login-code?user={user}", self.wechat_sim);
        let reply = self.http.get(&address).send().await.map_err(|_| {
            format!("无法连接微信模拟器 {} / cannot reach the simulated WeChat; give its address with --wechat-sim", self.wechat_sim)
        })?;
        let code: Value = reply.json().await.map_err(|error| error.without_url().to_string())?;
        self.anonymous().post("/api/v1/auth/wechat-logins", &json!({ "code": field(&code, "code") })).await
    }
}

fn access_token(tokens: &Value) -> Option<String> {
    field(tokens, "access_token").as_str().map(ToOwned::to_owned)
}

/// What is sent.
#[derive(Clone, Copy)]
enum Content<'a> {
    Nothing,
    Json(&'a Value),
    /// Of this media type.
    File(&'a str, &'a [u8]),
}

/// Somebody who is logged in, or nobody.
pub(super) struct Session {
    site: Site,
    user: Option<String>,
    token: RwLock<Option<String>>,
    person: Value,
}

impl Session {
    pub(super) fn person(&self) -> &Value {
        &self.person
    }

    pub(super) async fn get(&self, path: &str) -> Outcome<Value> {
        self.call(Method::GET, path, Content::Nothing, None, &[]).await.map(|(body, _)| body)
    }

    /// The items of all pages of a list.
    pub(super) async fn list(&self, path: &str) -> Outcome<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}?limit=100{cursor}")).await?;
            all.extend(items(&page));
            match field(&page, "next").as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.post_or(path, body, &[]).await
    }

    /// A post that may be refused with one of these codes: the answer is the refusal then.
    pub(super) async fn post_or(&self, path: &str, body: &Value, refusals: &[&str]) -> Outcome<Value> {
        self.call(Method::POST, path, Content::Json(body), None, refusals).await.map(|(body, _)| body)
    }

    /// Posts a file of this media type.
    pub(super) async fn post_file(&self, path: &str, media: &str, file: &[u8]) -> Outcome<Value> {
        self.call(Method::POST, path, Content::File(media, file), None, &[]).await.map(|(body, _)| body)
    }

    /// Posts `body` at `path` with the version of what is read at `of`.
    pub(super) async fn post_to(&self, of: &str, path: &str, body: &Value) -> Outcome<Value> {
        let (_, etag) = self.call(Method::GET, of, Content::Nothing, None, &[]).await?;
        self.call(Method::POST, path, Content::Json(body), etag, &[]).await.map(|(body, _)| body)
    }

    /// Puts `body` at `path` with the version of what is read at `of`.
    pub(super) async fn put(&self, of: &str, path: &str, body: &Value) -> Outcome<Value> {
        let (_, etag) = self.call(Method::GET, of, Content::Nothing, None, &[]).await?;
        self.call(Method::PUT, path, Content::Json(body), etag, &[]).await.map(|(body, _)| body)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        content: Content<'_>,
        etag: Option<String>,
        refusals: &[&str],
    ) -> Outcome<(Value, Option<String>)> {
        let Site { http, url, ids, .. } = &self.site;
        let key = hex::encode(ids.bytes::<16>());
        // A minute of patience with a busy server or a rate limit.
        for _ in 0..60 {
            let mut request = http.request(method.clone(), format!("{url}{path}"));
            if let Some(token) = self.token.read().await.as_ref() {
                request = request.bearer_auth(token);
            }
            request = match content {
                Content::Nothing => request,
                Content::Json(body) => request.header("Idempotency-Key", &key).json(body),
                Content::File(media, file) => {
                    request.header("Idempotency-Key", &key).header("Content-Type", media).body(file.to_vec())
                }
            };
            if let Some(etag) = &etag {
                request = request.header("If-Match", etag);
            }
            let reply = request.send().await.map_err(|error| {
                format!("无法连接 {url} / cannot reach the server: {}", error.without_url())
            })?;
            let status = reply.status();
            let header =
                |name: &str| reply.headers().get(name).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
            let (tag, wait) =
                (header("etag"), header("retry-after").and_then(|text| text.parse::<u64>().ok()));
            let text = reply.text().await.map_err(|error| error.without_url().to_string())?;
            let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1).min(10))).await;
                continue;
            }
            if status == StatusCode::UNAUTHORIZED
                && let Some(user) = &self.user
            {
                // Its token has expired: a large crowd takes longer than a token lasts.
                let tokens = Box::pin(self.site.tokens(user)).await?;
                *self.token.write().await = access_token(&tokens);
                continue;
            }
            let code = field(&value, "code").as_str().unwrap_or_default();
            if status.is_success() || refusals.contains(&code) {
                return Ok((value, tag));
            }
            return Err(format!("{method} {path}: {status} {text}"));
        }
        Err(format!("{method} {path}: 服务持续繁忙 / the server stays busy"))
    }
}

/// A member of an object; null where there is none.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// The items of a page.
pub(super) fn items(page: &Value) -> Vec<Value> {
    field(page, "items").as_array().cloned().unwrap_or_default()
}

/// The id of a resource.
pub(super) fn id(value: &Value) -> Outcome<String> {
    field(value, "id").as_str().map(ToOwned::to_owned).ok_or_else(|| format!("no id in {value}"))
}
