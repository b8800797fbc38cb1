//! Refusals: one format, two languages, everything that is wrong at once.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;
use reqwest::header::{ACCEPT_LANGUAGE, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    every_problem_speaks_chinese_and_on_request_english,
    a_well_formed_request_id_is_echoed_and_another_replaced,
    every_answer_carries_the_safety_headers,
    an_unknown_path_is_404_whatever_the_method,
    a_known_path_tells_its_methods,
    malformed_json_is_told_by_line_and_column,
    all_wrong_fields_are_told_at_once,
    a_body_has_64_kib_at_most,
    a_body_must_be_json_by_its_type,
    all_wrong_query_parameters_are_told_at_once,
    no_text_may_hold_a_nul,
    what_is_no_http_is_refused_by_the_framework,
];

const LOGIN: &str = "/api/v1/auth/wechat-logins";

/// Pointers and codes of a problem's faults, sorted.
pub fn faults(problem: &Value) -> Vec<(String, String)> {
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
    let mut faults: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (text(fault, "pointer"), text(fault, "code")))
        .collect();
    faults.sort();
    faults
}

/// What [`faults`] are expected to be.
pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> =
        expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect();
    pairs.sort();
    pairs
}

async fn send_text(actor: &Actor, kind: Option<&str>, body: impl Into<String>) -> Reply {
    let mut request = actor.request(Method::POST, LOGIN).body(body.into());
    if let Some(kind) = kind {
        request = request.header(CONTENT_TYPE, kind);
    }
    actor.send(request).await
}

async fn every_problem_speaks_chinese_and_on_request_english(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let cases: [(Method, &str, u16); 6] = [
        (Method::GET, "/nowhere", 404),
        (Method::PATCH, "/api/v1/me", 405),
        (Method::GET, "/api/v1/activities?limit=0", 400),
        (Method::GET, "/api/v1/plans", 403),
        (Method::PUT, "/api/v1/me", 428),
        (Method::POST, LOGIN, 422),
    ];
    for (method, path, status) in cases {
        let ask = |language: Option<&str>| {
            let mut request = zhang.request(method.clone(), path);
            if let Some(language) = language {
                request = request.header(ACCEPT_LANGUAGE, language);
            }
            zhang.send(request)
        };
        for (language, tag) in [
            (None, "zh-CN"),
            (Some("fr"), "zh-CN"),
            (Some("zh-TW,en;q=0.5"), "zh-CN"),
            (Some("en"), "en"),
            (Some("en-GB,en;q=0.9,zh;q=0.8"), "en"),
        ] {
            let reply = ask(language).await;
            assert_eq!(reply.status, status, "{path}");
            assert_eq!(reply.header("content-language"), Some(tag), "{path} {language:?}");
            let title = reply.body["title"].as_str().unwrap();
            assert_eq!(title.is_ascii(), tag == "en", "{path} {language:?}: {title}");
            let kind = format!("urn:unionhall:problem:{}", reply.body["code"].as_str().unwrap());
            assert_eq!(reply.body["type"], kind, "{path}");
            for fault in reply.body["errors"].as_array().into_iter().flatten() {
                assert_eq!(fault["detail"].as_str().unwrap().is_ascii(), tag == "en", "{path}: {fault}");
            }
        }
    }
}

async fn a_well_formed_request_id_is_echoed_and_another_replaced(app: TestApp) {
    let anon = app.anon();
    let ask = |path: &'static str, id: String| {
        anon.send(anon.request(Method::GET, path).header("x-request-id", id))
    };
    for path in ["/api/v1/organisations", "/nowhere"] {
        for id in ["0123abcd", "Z-9f8e7d6c", &"a".repeat(64)] {
            assert_eq!(ask(path, id.to_owned()).await.header("x-request-id"), Some(id), "{path}");
        }
        for id in ["", "short", "under_score", "two words", "<script>", &"a".repeat(65)] {
            let reply = ask(path, id.to_owned()).await;
            let given = reply.header("x-request-id").unwrap();
            assert!(given != id && given.len() == 24, "{path} {id:?}: {given}");
        }
    }
    let (one, two) = (anon.get("/nowhere").await, anon.get("/nowhere").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

async fn every_answer_carries_the_safety_headers(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let csp = "default-src 'none'; frame-ancestors 'none'";
    for (path, status, cache) in [
        ("/api/v1/me", 200, "private, no-cache"),
        ("/api/v1/me/pass", 200, ""),
        ("/api/v1/organisations", 200, "no-cache"),
        ("/healthz", 200, "no-store"),
        ("/nowhere", 404, "no-store"),
        ("/api/v1/plans", 403, "no-store"),
    ] {
        let reply = zhang.get(path).await;
        assert_eq!(reply.status, status, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", csp),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}");
        }
        let said = reply.header("cache-control").unwrap();
        assert!(said == cache || cache.is_empty() && !said.contains("public"), "{path}: {said}");
        assert_eq!(reply.header("server"), None, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
    }
}

async fn an_unknown_path_is_404_whatever_the_method(app: TestApp) {
    let anon = app.anon();
    for path in
        ["/nowhere", "/api/v1", "/api/v1/activities/", "/api/v2/activities", "/docs/nothing.js", "//", "/api"]
    {
        for method in [Method::GET, Method::POST, Method::PATCH, Method::TRACE, Method::DELETE] {
            if path.starts_with("/docs") && method != Method::GET {
                continue;
            }
            let reply = anon.send(anon.request(method.clone(), path)).await;
            assert_eq!(reply.header("allow"), None, "{method} {path}");
            reply.problem(404, "not_found");
        }
    }
    // No such id, and no id at all.
    for id in
        ["act_01k5b8m3q2e9t8h6y1v7z4w0xn", "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "42", "%00", "..%2f..%2fetc"]
    {
        anon.get(&format!("/api/v1/activities/{id}")).await.problem(404, "not_found");
    }
}

async fn a_known_path_tells_its_methods(app: TestApp) {
    let anon = app.anon();
    let propfind = Method::from_bytes(b"PROPFIND").unwrap();
    for (path, methods, allow) in [
        ("/api/v1/me", vec![Method::PATCH, Method::TRACE, Method::POST, Method::DELETE], "GET, PUT"),
        ("/api/v1/activities", vec![Method::PUT, Method::OPTIONS, propfind], "GET, POST"),
        (
            "/api/v1/activities/act_01k5b8m3q2e9t8h6y1v7z4w0xn",
            vec![Method::POST, Method::PATCH, Method::TRACE],
            "GET",
        ),
        (LOGIN, vec![Method::GET, Method::PUT], "POST"),
    ] {
        for method in methods {
            let reply = anon.send(anon.request(method.clone(), path)).await;
            assert_eq!(reply.header("allow"), Some(allow), "{method} {path}: {}", reply.status);
            reply.problem(405, "method_not_allowed");
        }
    }
}

async fn malformed_json_is_told_by_line_and_column(app: TestApp) {
    let anon = app.anon();
    for (body, detail) in [
        ("{\"code\": ", "第 1 行第 9 列"),
        ("{\n  \"code\": 'a'\n}", "第 2 行第 11 列"),
        ("{\"code\": \"\\ud800\"}", "第 1 行第 17 列"),
        ("nonsense", "第 1 行第 2 列"),
        ("", "第 1 行第 0 列"),
    ] {
        let problem = send_text(&anon, Some("application/json"), body).await.problem(400, "json_malformed");
        assert_eq!(problem["detail"], detail, "{body}");
    }
    let deep = "[".repeat(60_000);
    send_text(&anon, Some("application/json"), deep).await.problem(400, "json_malformed");
    let bytes = anon.request(Method::POST, LOGIN).header(CONTENT_TYPE, "application/json");
    anon.send(bytes.body(b"{\"code\": \"\xff\"}".to_vec())).await.problem(400, "json_malformed");
}

async fn all_wrong_fields_are_told_at_once(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let body = json!({
        "programme_id": "prg_nonsense", "title": "", "summary": 7, "venue": "长".repeat(121), "capacity": 0,
        "allocation": "lottery", "signup_opens_at": "tomorrow", "signup_closes_at": "2025-06-17T08:00:00",
        "sessions": [{ "starts_at": "2025-06-17T08:00:00+08:00", "room": "A" }], "a/b~c": null,
    });
    let problem = organiser.post("/api/v1/activities", body).await.problem(422, "validation_failed");
    let expected = pairs(&[
        ("/a~1b~0c", "unknown"),
        ("/address", "required"),
        ("/allocation", "enum"),
        ("/capacity", "minimum"),
        ("/organisation_id", "required"),
        ("/programme_id", "min_length"),
        ("/programme_id", "pattern"),
        ("/sessions/0/ends_at", "required"),
        ("/sessions/0/room", "unknown"),
        ("/signup_closes_at", "format"),
        ("/signup_opens_at", "format"),
        ("/summary", "type"),
        ("/title", "min_length"),
        ("/venue", "max_length"),
    ]);
    assert_eq!(faults(&problem), expected);
    let venue = problem["errors"].as_array().unwrap().iter().find(|e| e["pointer"] == "/venue").unwrap();
    assert_eq!(venue["detail"], "最多 120 个字");
    for body in [json!([]), json!("text"), json!(null), json!(7)] {
        let problem = app.anon().post(LOGIN, body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("", "type")]));
    }
}

/// A login with a body of `length` bytes, as JSON.
fn long_body(length: usize) -> String {
    let frame = json!({ "code": "" }).to_string().len();
    json!({ "code": "x".repeat(length - frame) }).to_string()
}

async fn a_body_has_64_kib_at_most(app: TestApp) {
    let anon = app.anon();
    let most = 64 * 1024;
    send_text(&anon, Some("application/json"), long_body(most)).await.problem(422, "validation_failed");
    let reply = send_text(&anon, Some("application/json"), long_body(most + 1)).await;
    assert_eq!(reply.problem(413, "body_too_large")["detail"], "最多 64 KB");
    // Without a declared length it is counted as it comes.
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", most + 1, long_body(most + 1));
    let head = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    let answer = raw(&app, head + &chunk).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
}

async fn a_body_must_be_json_by_its_type(app: TestApp) {
    let anon = app.anon();
    let body = json!({ "code": "x" }).to_string();
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        send_text(&anon, kind, body.clone()).await.problem(415, "unsupported_media_type");
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        send_text(&anon, Some(kind), body.clone()).await.problem(401, "wechat_code_invalid");
    }
    // An act without content may come without a body.
    let zhang = app.worker("zhang").await;
    zhang.send(zhang.request(Method::POST, "/api/v1/auth/logouts")).await.expect(204);
}

async fn all_wrong_query_parameters_are_told_at_once(app: TestApp) {
    let path =
        "/api/v1/activities?kind=dance&limit=101&day=2025-02-30&open_now=maybe&street=x&q=&q=b&colour=red";
    let problem = app.anon().get(path).await.problem(400, "query_invalid");
    let expected = pairs(&[
        ("/query/colour", "unknown"),
        ("/query/day", "format"),
        ("/query/kind", "enum"),
        ("/query/limit", "maximum"),
        ("/query/open_now", "type"),
        ("/query/q", "duplicate"),
        ("/query/street", "min_length"),
        ("/query/street", "pattern"),
    ]);
    assert_eq!(faults(&problem), expected);
    for (query, fault) in [
        ("limit=0", ("/query/limit", "minimum")),
        ("limit=ten", ("/query/limit", "type")),
        ("limit=1&limit=1", ("/query/limit", "duplicate")),
        ("limit=99999999999999999999", ("/query/limit", "type")),
        ("q=", ("/query/q", "min_length")),
        ("q=%ff", ("/query", "encoding")),
        ("cursor=x!", ("/query/cursor", "pattern")),
    ] {
        let reply = app.anon().get(&format!("/api/v1/activities?{query}")).await;
        assert_eq!(faults(&reply.problem(400, "query_invalid")), pairs(&[fault]), "{query}");
    }
    let problem = app.anon().get("/api/v1/organisations/x?colour=red").await;
    problem.problem(404, "not_found");
}

async fn no_text_may_hold_a_nul(app: TestApp) {
    let (organiser, planner) = (app.staff("organiser").await, app.staff("planner").await);
    let mut body = app.activity_input(|a| a).await;
    body["title"] = json!("电\u{0}工");
    body["venue"] = json!("\u{0}");
    let problem = organiser.post("/api/v1/activities", body).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/title", "nul"), ("/venue", "nul")]));
    let problem = app.anon().get("/api/v1/activities?q=a%00b").await.problem(400, "query_invalid");
    assert_eq!(faults(&problem), pairs(&[("/query/q", "nul"), ("/query/q", "pattern")]));
    planner.get("/api/v1/plans/2025/targets/07%00/lines").await.problem(404, "not_found");
}

/// Sends bytes and gives everything that is answered until the connection is closed.
async fn raw(app: &TestApp, bytes: impl Into<Vec<u8>>) -> String {
    let (address, bytes) = (app.base().trim_start_matches("http://").to_owned(), bytes.into());
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // What is not read to its end may be cut off; the answer is what counts.
        let _cut = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap()
}

async fn what_is_no_http_is_refused_by_the_framework(app: TestApp) {
    let long = format!("GET /{} HTTP/1.1\r\nHost: here\r\n\r\n", "x".repeat(200_000));
    for bytes in ["nonsense\r\n\r\n".to_owned(), "GET / HTTP/9.9\r\n\r\n".to_owned(), long] {
        let answer = raw(&app, bytes).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    // Two lengths are a way to smuggle a request.
    let twice = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\n{{}}"
    );
    assert!(raw(&app, twice).await.starts_with("HTTP/1.1 400 "));
    app.anon().get("/healthz").await.ok(200);
}
