//! What is served beside the operations: the document, its reader, health, and figures.

use std::net::TcpListener;

use reqwest::Method;
use reqwest::header::IF_NONE_MATCH;
use serde_json::json;

use unionhall::platform::cache::CacheHealth;

use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    the_document_is_served_and_known_by_its_tag,
    the_reader_comes_from_the_binary,
    health_is_told_in_two_ways,
    figures_are_served_beside_and_name_nobody,
];

async fn the_document_is_served_and_known_by_its_tag(app: TestApp) {
    let anon = app.anon();
    let reply = anon.get("/openapi.yaml").await;
    assert_eq!(reply.expect(200).header("content-type"), Some("application/yaml; charset=utf-8"));
    let document = unionhall::openapi::document().to_yaml().unwrap();
    assert!(reply.text == document && document.starts_with("openapi: 3.1"));
    let known = anon.request(Method::GET, "/openapi.yaml").header(IF_NONE_MATCH, reply.etag());
    let known = anon.send(known).await;
    assert_eq!((known.status, known.text.as_str(), known.etag()), (304, "", reply.etag()));
    let other = anon.request(Method::GET, "/openapi.yaml").header(IF_NONE_MATCH, "\"other\"");
    assert_eq!(anon.send(other).await.status, 200);
}

async fn the_reader_comes_from_the_binary(app: TestApp) {
    let anon = app.anon();
    let page = anon.get("/docs/").await;
    assert_eq!(page.expect(200).header("content-type"), Some("text/html"));
    let names: Vec<&str> = page
        .text
        .split(['"', '\''])
        .filter(|text| text.ends_with(".js") || text.ends_with(".css"))
        .map(|text| text.trim_start_matches("./"))
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in &names {
        assert!(!name.contains("//"), "nothing from elsewhere: {name}");
        let asset = anon.get(&format!("/docs/{name}")).await;
        assert!(asset.expect(200).text.len() > 100, "{name}");
    }
    let setup = anon.get("/docs/swagger-initializer.js").await;
    assert!(setup.text.contains("/openapi.yaml"));
    let csp = page.header("content-security-policy").unwrap();
    assert!(csp.starts_with("default-src 'self'") && !csp.contains("http"), "{csp}");
    let bare = anon.get("/docs").await;
    assert_eq!((bare.status, bare.header("location")), (308, Some("/docs/")));
    anon.get("/docs/../Cargo.toml").await.problem(404, "not_found");
    anon.get("/docs/%2e%2e/Cargo.toml").await.problem(404, "not_found");
    let front = anon.get("/").await;
    assert!(front.expect(200).text.contains("Unionhall"));
}

async fn health_is_told_in_two_ways(app: TestApp) {
    let anon = app.anon();
    // As `serve` does at its start and every few seconds; on a busy machine one of them may come too late.
    for _ in 0..20 {
        app.app().platform().cache.probe().await;
        if app.app().platform().cache.health() != CacheHealth::RedisDown {
            break;
        }
    }
    assert_eq!(anon.get("/healthz").await.ok(200), json!({ "status": "pass" }));
    let ready = anon.get("/readyz").await;
    assert_eq!(ready.header("x-health"), Some("pass"));
    assert_eq!(ready.ok(200), json!({ "status": "pass", "database": "pass", "cache": "pass" }));
}

async fn figures_are_served_beside_and_name_nobody(app: TestApp) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let server = unionhall::app::serve_figures(listener, app.app().platform().clone()).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let activity = app.activity(|a| a).await;
    let zhang = app.worker("zhang").await;
    let path = format!("/api/v1/activities/{}", activity.id);
    zhang.get(&path).await.ok(200);
    zhang.get(&format!("/nowhere/{}", activity.id)).await.problem(404, "not_found");
    zhang.sign_up(&activity).await.ok(201);
    let reply = app.http().get(&url).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let figures = reply.text().await.unwrap();
    let line = |start: &str| figures.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    let number = |start: &str| line(start).and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let requests =
        "unionhall_http_seconds_count{method=\"GET\",path=\"/api/v1/activities/{id}\",status=\"200\"}";
    assert!(number(requests).is_some_and(|count| count >= 1.0), "{figures}");
    assert!(number("unionhall_logins_total").is_some_and(|count| count >= 1.0), "{figures}");
    assert_eq!(number("unionhall_database_up"), Some(1.0));
    assert!(number("unionhall_calendar_unknown_years").is_some(), "{figures}");
    assert!(number("unionhall_jobs{state=\"queued\"}").is_some(), "{figures}");
    for private in [activity.id.to_string(), zhang.person().to_string(), "nowhere".to_owned()] {
        assert!(!figures.contains(&private), "{private}");
    }
    let elsewhere = app.http().get(url.replace("/metrics", "/")).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    app.anon().get("/metrics").await.problem(404, "not_found");
    handle.stop(false).await;
    app.run_jobs().await;
}
