//! How often one may ask, from where, and that an act asked for twice happens once.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::{Either, join, join_all, select};
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::platform::audit::{self, Entry};
use unionhall::platform::db::Engine;
use unionhall::platform::db::schema::programmes;

use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_person_asks_so_often_a_minute,
    an_address_asks_so_often_a_minute,
    an_address_logs_in_so_often_a_minute,
    a_shared_cache_counts_for_all_instances,
    only_a_trusted_proxy_says_who_is_behind_it,
    other_origins_are_closed_by_default,
    a_configured_origin_may_read_everything_even_refusals,
    the_same_request_is_refused_while_it_runs,
    the_same_request_at_two_instances_has_one_effect,
];

async fn limited(reply: Reply, after: &str) {
    assert_eq!(reply.header("retry-after"), Some(after), "{}", reply.text);
    let problem = reply.problem(429, "rate_limited");
    assert_eq!(problem["detail"], format!("请 {after} 秒后再试"));
}

async fn a_person_asks_so_often_a_minute(app: TestApp) {
    let app = app.start_with(|config| config.limits.per_person = 3).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    for _ in 0..3 {
        zhang.get("/api/v1/me").await.ok(200);
    }
    limited(zhang.get("/api/v1/me").await, "20").await;
    li.get("/api/v1/me").await.ok(200);
    app.anon().get("/api/v1/activities").await.ok(200);
    app.advance(TimeDelta::milliseconds(19_001));
    limited(zhang.get("/api/v1/me").await, "1").await;
    app.advance(TimeDelta::milliseconds(999));
    zhang.get("/api/v1/me").await.ok(200);
    limited(zhang.get("/api/v1/me").await, "20").await;
    // Two devices are one person.
    limited(app.worker("zhang").await.get("/api/v1/me").await, "20").await;
}

async fn an_address_asks_so_often_a_minute(app: TestApp) {
    let app = app.start_with(|config| config.limits.per_address = 2).await;
    let anon = app.anon();
    anon.get("/api/v1/activities").await.ok(200);
    anon.get("/nowhere").await.problem(404, "not_found");
    let reply = anon.get("/api/v1/activities").await;
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    limited(reply, "30").await;
    app.advance(TimeDelta::seconds(30));
    anon.get("/api/v1/activities").await.ok(200);
}

async fn an_address_logs_in_so_often_a_minute(app: TestApp) {
    let app = app.start_with(|config| config.limits.logins_per_address = 2).await;
    let zhang = app.worker("zhang").await;
    app.worker("li").await;
    let login = async |actor: &Actor| {
        let code = actor.login_code().await;
        actor.post("/api/v1/auth/wechat-logins", json!({ "code": code })).await
    };
    limited(login(&zhang).await, "30").await;
    zhang.get("/api/v1/me").await.ok(200);
    app.advance(TimeDelta::seconds(30));
    login(&zhang).await.ok(200);
}

async fn a_shared_cache_counts_for_all_instances(app: TestApp) {
    let one = app.start_with(|config| config.limits.per_person = 2).await;
    let two = one.second_instance().await;
    let zhang = one.worker("zhang").await;
    for _ in 0..2 {
        zhang.get("/api/v1/me").await.ok(200);
    }
    limited(zhang.get("/api/v1/me").await, "30").await;
    let there = zhang.at(&two).get("/api/v1/me").await;
    match app.engine() {
        Engine::Postgres => limited(there, "30").await,
        Engine::Sqlite => drop(there.ok(200)),
    }
}

async fn from(actor: &Actor, forwarded: &[&str]) -> Reply {
    let mut request = actor.request(Method::GET, "/healthz");
    for value in forwarded {
        request = request.header("x-forwarded-for", *value);
    }
    actor.send(request).await
}

async fn only_a_trusted_proxy_says_who_is_behind_it(app: TestApp) {
    let open = app.start_with(|config| config.limits.per_address = 1).await;
    let anon = open.anon();
    from(&anon, &["203.0.113.1"]).await.ok(200);
    limited(from(&anon, &["203.0.113.2"]).await, "60").await;
    app.advance(TimeDelta::seconds(60));
    let behind = open
        .start_with(|config| {
            config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap(), "10.0.0.9".parse().unwrap()];
        })
        .await;
    let anon = behind.anon();
    from(&anon, &["203.0.113.1"]).await.ok(200);
    from(&anon, &["203.0.113.2"]).await.ok(200);
    from(&anon, &["2001:db8::7, 10.0.0.9"]).await.ok(200);
    // What the client wrote itself stands to the left of what the proxy saw.
    limited(from(&anon, &["198.51.100.9, 203.0.113.1"]).await, "60").await;
    limited(from(&anon, &["198.51.100.9", "203.0.113.2"]).await, "60").await;
    limited(from(&anon, &["2001:db8::7"]).await, "60").await;
    from(&anon, &[]).await.ok(200);
    limited(from(&anon, &["nonsense"]).await, "60").await;
}

const CONSOLE: &str = "https://console.example";

fn preflight(actor: &Actor, origin: &str, method: &str) -> reqwest::RequestBuilder {
    actor
        .request(Method::OPTIONS, "/api/v1/me")
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,if-match,idempotency-key,content-type")
}

async fn other_origins_are_closed_by_default(app: TestApp) {
    let anon = app.anon();
    let reply = anon.send(anon.request(Method::GET, "/api/v1/activities").header("origin", CONSOLE)).await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let reply = anon.send(preflight(&anon, CONSOLE, "PUT")).await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    reply.problem(405, "method_not_allowed");
}

async fn a_configured_origin_may_read_everything_even_refusals(app: TestApp) {
    let app = app.start_with(|config| config.server.cors_origins = vec![CONSOLE.into()]).await;
    let anon = app.anon();
    let allowed = anon.send(preflight(&anon, CONSOLE, "PUT")).await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(CONSOLE));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("PUT"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None, "tokens are no cookies");
    for (path, status) in [("/api/v1/activities", 200), ("/api/v1/me", 401), ("/nowhere", 404)] {
        let ask = |origin: &'static str| anon.send(anon.request(Method::GET, path).header("origin", origin));
        let reply = ask(CONSOLE).await;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(CONSOLE), "{path}");
        let exposed = reply.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
        for name in ["etag", "location", "retry-after", "x-request-id"] {
            assert!(exposed.contains(name), "{path}: {exposed}");
        }
        let stranger = ask("https://console.example.evil").await;
        assert_eq!(stranger.header("access-control-allow-origin"), None, "{path}");
    }
    for refused in [preflight(&anon, "https://evil.example", "PUT"), preflight(&anon, CONSOLE, "PATCH")] {
        let reply = anon.send(refused).await;
        assert_eq!(reply.status, 400);
    }
}

async fn programme_input(app: &TestApp) -> Value {
    json!({ "organisation_id": app.organisation("longgang").await, "name": "同一请求", "summary": "",
            "kind": "training", "topic": "skills", "audience": "all" })
}

async fn programmes_made(app: &TestApp) -> i64 {
    let named = programmes::table.filter(programmes::name.eq("同一请求"));
    app.read(move |conn| Ok(named.count().get_result(conn)?)).await
}

async fn the_same_request_is_refused_while_it_runs(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let input = programme_input(&app).await;
    let now = app.now();
    let (held, is_held) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    // Whoever has the end of the audit chain stops all other writers.
    let holding = app.write(move |conn| {
        audit::append_in_tx(conn, now, vec![Entry::system("test.hold", "audit")])?;
        held.send(()).unwrap();
        let _dropped = released.recv();
        Ok(())
    });
    let ask = || organiser.post_keyed("the-same-key", "/api/v1/programmes", input.clone());
    let acting = async {
        is_held.await.unwrap();
        let (early, late) = match select(Box::pin(ask()), Box::pin(ask())).await {
            Either::Left((early, late)) | Either::Right((early, late)) => (early, late),
        };
        assert_eq!(early.header("retry-after"), Some("1"));
        early.problem(409, "idempotency_running");
        release.send(()).unwrap();
        late.await
    };
    let ((), made) = join(holding, acting).await;
    made.expect(201);
    let again = ask().await;
    assert_eq!((again.status, &again.text), (201, &made.text));
    assert_eq!(programmes_made(&app).await, 1);
}

async fn the_same_request_at_two_instances_has_one_effect(app: TestApp) {
    let other = app.second_instance().await;
    let organiser = app.staff("organiser").await;
    let input = programme_input(&app).await;
    let doors = [organiser.clone(), organiser.at(&other)];
    for round in 1..=5 {
        let key = format!("at-once-{round}");
        let replies = join_all(doors.iter().cycle().take(8).map(|door| {
            let (key, input) = (key.clone(), input.clone());
            async move { door.post_keyed(&key, "/api/v1/programmes", input).await }
        }))
        .await;
        let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
        assert!(!made.is_empty());
        assert!(made.iter().all(|reply| reply.text == made[0].text));
        assert_eq!(made.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count(), 1);
        for refused in replies.iter().filter(|reply| reply.status != 201) {
            refused.clone().problem(409, "idempotency_running");
        }
        assert_eq!(programmes_made(&app).await, round);
    }
}
