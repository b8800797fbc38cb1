//! A client of the API, as the mini-program would be: it waits when it is told to, and repeats with the same key.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Outcome;
use crate::commands::real_world;
use crate::ids::Ids;

/// Where the server and its simulated WeChat are.
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
        Session {
            http: self.http.clone(),
            url: self.url.clone(),
            token: None,
            person: Value::Null,
            ids: self.ids.clone(),
        }
    }

    /// Logs the simulated user in.
    pub(super) async fn log_in(&self, user: &str) -> Outcome<Session> {
        let address = format!("{}/sim/login-code?user={user}", self.wechat_sim);
        let reply = self.http.get(&address).send().await.map_err(|_| {
            format!("无法连接微信模拟器 {} / cannot reach the simulated WeChat; give its address with --wechat-sim", self.wechat_sim)
        })?;
        let code: Value = reply.json().await.map_err(|error| error.without_url().to_string())?;
        let mut session = self.anonymous();
        let tokens =
            session.post("/api/v1/auth/wechat-logins", &json!({ "code": field(&code, "code") })).await?;
        session.token = field(&tokens, "access_token").as_str().map(ToOwned::to_owned);
        session.person = field(&tokens, "person_id").clone();
        Ok(session)
    }
}

/// Somebody who is logged in, or nobody.
pub(super) struct Session {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    person: Value,
    ids: Ids,
}

impl Session {
    pub(super) fn person(&self) -> &Value {
        &self.person
    }

    pub(super) async fn get(&self, path: &str) -> Outcome<Value> {
        self.call(Method::GET, path, None, None, &[]).await.map(|(body, _)| body)
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.call(Method::POST, path, Some(body), None, &[]).await.map(|(body, _)| body)
    }

    /// A post whose effect may be there from an earlier demonstration.
    pub(super) async fn post_unless_taken(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.call(Method::POST, path, Some(body), None, &["unique_taken"]).await.map(|(body, _)| body)
    }

    /// Changes one's profile: reads it first, for the version.
    pub(super) async fn put_profile(&self, body: &Value) -> Outcome<()> {
        let (_, etag) = self.call(Method::GET, "/api/v1/me", None, None, &[]).await?;
        self.call(Method::PUT, "/api/v1/me", Some(body), etag, &[]).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<String>,
        forgiven: &[&str],
    ) -> Outcome<(Value, Option<String>)> {
        let key = hex::encode(self.ids.bytes::<16>());
        // A minute of patience with a busy server or a rate limit.
        for _ in 0..60 {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.header("Idempotency-Key", &key).json(body);
            }
            if let Some(etag) = &etag {
                request = request.header("If-Match", etag);
            }
            let reply = request.send().await.map_err(|error| {
                format!("无法连接 {} / cannot reach the server: {}", self.url, error.without_url())
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
            let code = field(&value, "code").as_str().unwrap_or_default();
            if status.is_success() || forgiven.contains(&code) {
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
