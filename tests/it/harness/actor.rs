//! Those who talk to the application, and what they are answered.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use unionhall::ids::PersonId;

use super::app::TestApp;
use super::document;

/// Somebody with a client: logged in or not.
#[derive(Clone)]
pub struct Actor {
    app: TestApp,
    /// The name in the simulated WeChat; empty for nobody.
    pub name: String,
    /// Sent as `Authorization: Bearer …` when there is one.
    pub token: Option<String>,
    /// The latest refresh token.
    pub refresh: Option<String>,
    person: Option<PersonId>,
}

impl TestApp {
    /// Somebody who is not logged in.
    pub fn anon(&self) -> Actor {
        Actor { app: self.clone(), name: String::new(), token: None, refresh: None, person: None }
    }

    /// The WeChat user `name`, logged in.
    pub async fn worker(&self, name: &str) -> Actor {
        let mut actor = self.anon();
        actor.name = name.to_owned();
        actor.log_in().await;
        actor
    }

    /// One of the simulated staff of `seeds/demo.toml`, such as `organiser` or `gate-pinghu`, logged in.
    pub async fn staff(&self, name: &str) -> Actor {
        let actor = self.worker(name).await;
        let me = actor.get("/api/v1/me").await.ok(200);
        assert_ne!(me["roles"], json!([]), "{name} is none of the seeded staff");
        actor
    }
}

impl Actor {
    /// Logs in (again) through the simulated WeChat.
    pub async fn log_in(&mut self) {
        let code = self.login_code().await;
        let tokens =
            self.app.anon().post("/api/v1/auth/wechat-logins", json!({ "code": code })).await.ok(200);
        self.take(&tokens);
    }

    /// What `wx.login` gives on this person's phone.
    pub async fn login_code(&self) -> String {
        let answer = self.app.sim_get(&format!("/sim/login-code?user={}", self.name)).await;
        answer["code"].as_str().unwrap().to_owned()
    }

    /// Keeps the tokens of a login or a refresh.
    pub fn take(&mut self, tokens: &Value) {
        self.token = Some(tokens["access_token"].as_str().unwrap().to_owned());
        self.refresh = Some(tokens["refresh_token"].as_str().unwrap().to_owned());
        self.person = Some(tokens["person_id"].as_str().unwrap().parse().unwrap());
    }

    /// The instance that it talks to.
    pub fn app(&self) -> &TestApp {
        &self.app
    }

    /// Who this is. Fails for somebody who is not logged in.
    pub fn person(&self) -> PersonId {
        self.person.expect("not logged in")
    }

    /// The same person with the same tokens, talking to another instance.
    pub fn at(&self, app: &TestApp) -> Self {
        Self { app: app.clone(), ..self.clone() }
    }

    /// The same person with another access token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// Somebody who logged in elsewhere.
    pub fn with_login(&self, token: String, person: PersonId) -> Self {
        Self { token: Some(token), person: Some(person), ..self.clone() }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// Acts, under a fresh idempotency key.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_keyed(&self.fresh_key(), path, body).await
    }

    /// Acts, under the given idempotency key.
    pub async fn post_keyed(&self, key: &str, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).header("idempotency-key", key).json(&body)).await
    }

    /// Replaces what was read with this ETag.
    pub async fn put(&self, path: &str, etag: &str, body: Value) -> Reply {
        self.send(self.request(Method::PUT, path).header("if-match", etag).json(&body)).await
    }

    /// Removes.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// An idempotency key that nobody has used.
    pub fn fresh_key(&self) -> String {
        hex(&self.app.ids().bytes::<12>())
    }

    /// A request with this person's token, to be completed and given to [`Self::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.app.http().request(method, format!("{}{path}", self.app.base()));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let request = request.build().unwrap();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let what = format!("{method} {path}");
        let response = match self.app.http().execute(request).await {
            Ok(response) => response,
            Err(error) => panic!("{what}: no answer: {error:?}"),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap_or_else(|error| panic!("{what}: half an answer: {error:?}"));
        if status >= 500 {
            self.app.notes().note_failure(format!("{what}: {status} {text}"));
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let media = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap());
        // I10: whoever is to see a number in clear asks for it by name, and that is audited.
        if !path.contains("reveal") && media.is_some_and(|media| media.contains("json")) {
            for number in numbers_of_people(&text) {
                self.app.notes().note_contradiction(format!("{what}: shows the number {number} of somebody"));
            }
        }
        if let Some(what) = document::contradiction(&method, &path, status, media, &body) {
            self.app.notes().note_contradiction(what);
        }
        Reply { what, status, headers, body, text }
    }
}

/// Mobile numbers and identity numbers that stand in a text by themselves.
fn numbers_of_people(text: &str) -> Vec<&str> {
    let words =
        text.split(|char: char| !char.is_ascii_alphanumeric() && char != '-' && char != '_' && char != '.');
    words
        .filter(|word| {
            let bytes = word.as_bytes();
            let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
            let is_mobile = bytes.len() == 11 && bytes[0] == b'1' && bytes[1] >= b'3' && digits(bytes);
            let is_identity =
                bytes.len() == 18 && digits(&bytes[..17]) && matches!(bytes[17], b'0'..=b'9' | b'X' | b'x');
            is_mobile || is_identity
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Method and path of the request.
    pub what: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null where it is none.
    pub body: Value,
    /// The body.
    pub text: String,
}

impl Reply {
    /// The body of an answer with the status `expected`. Fails for any other.
    #[track_caller]
    pub fn ok(self, expected: u16) -> Value {
        self.expect(expected);
        self.body
    }

    /// Fails unless the status is `expected`.
    #[track_caller]
    pub fn expect(&self, expected: u16) -> &Self {
        assert_eq!(self.status, expected, "{}: {}", self.what, self.text);
        self
    }

    /// The problem document with this status and code. Fails for anything else.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        self.expect(status);
        let (what, body) = (&self.what, &self.body);
        assert_eq!(body["code"], code, "{what}: {}", self.text);
        assert_eq!(body["status"], status, "{what}: {}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json; charset=utf-8"), "{what}");
        assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{what}: {}", self.text);
        let request = body["request_id"].as_str().filter(|id| !id.is_empty());
        assert_eq!(request, self.header("x-request-id"), "{what}: {}", self.text);
        assert!(request.is_some(), "{what}: no request id: {}", self.text);
        self.body
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The ETag. Fails where there is none.
    #[track_caller]
    pub fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("{}: no ETag", self.what)).to_owned()
    }

    /// Whether the body is said to be JSON.
    pub fn is_json(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
    }
}
