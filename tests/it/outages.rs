//! What the house stands on goes away and comes back: nothing that was acknowledged is lost, and nobody waits for ever.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::watch;
use unionhall::platform::db::schema::{activities, signups};
use unionhall::platform::db::{Engine, migrate};

use super::signup::crowd;
use crate::harness::servers::{Postgres, RedisServer};
use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = tests![
    broken_connections_cost_a_503_and_no_data,
    without_its_database_the_instance_lives_and_is_not_ready,
    without_redis_every_request_is_answered_and_limits_hold,
    a_wechat_that_hangs_holds_up_nobody_else,
    a_stop_lets_running_requests_end,
    a_full_disk_refuses_writes_keeps_reads_and_heals,
];

async fn readiness(app: &TestApp) -> (u16, Value) {
    let reply = app.anon().get("/readyz").await;
    (reply.status, reply.body)
}

async fn broken_connections_cost_a_503_and_no_data(app: TestApp) {
    if app.engine() != Engine::Postgres {
        return;
    }
    app.expect_5xx();
    let activity = app.activity(|a| a.capacity(100)).await;
    let people = crowd(&app, 30).await;
    let mut killer = PgConnection::establish(app.config().database.url.expose_secret()).unwrap();
    let path = format!("/api/v1/activities/{}/signups", activity.id);
    let mut unanswered = 0;
    for (number, person) in people.iter().enumerate() {
        if number % 5 == 0 {
            killer
                .batch_execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                .unwrap();
        }
        let key = person.fresh_key();
        let mut answer = person.post_keyed(&key, &path, json!({})).await;
        let mut tries = 0;
        while answer.status != 201 {
            assert!(answer.header("retry-after").is_some(), "{}", answer.text);
            answer.problem(503, "storage_unavailable");
            (tries, unanswered) = (tries + 1, unanswered + 1);
            assert!(tries <= 6, "a dead connection is found once each");
            answer = person.post_keyed(&key, &path, json!({})).await;
        }
    }
    assert!(unanswered > 0, "nothing was broken");
    let wanted = activity.id;
    let kept = app.read(move |conn| {
        let taken: i64 = activities::table.find(wanted).select(activities::taken).first(conn)?;
        let rows: i64 = signups::table.filter(signups::activity_id.eq(wanted)).count().get_result(conn)?;
        Ok((taken, rows))
    });
    assert_eq!(kept.await, (30, 30));
    assert_eq!(readiness(&app).await.0, 200);
    app.run_jobs().await;
}

async fn without_its_database_the_instance_lives_and_is_not_ready(app: TestApp) {
    if app.engine() != Engine::Postgres {
        return;
    }
    app.expect_5xx();
    let postgres = Postgres::start().unwrap();
    let url = postgres.create_template("alone").unwrap();
    migrate::up(&ground::open(&url.clone().into())).unwrap();
    let alone = app
        .start_with(|config| {
            config.database.url = url.into();
            config.database.wait_seconds = 1;
        })
        .await;
    assert_eq!(readiness(&alone).await.0, 200);
    alone.anon().get("/api/v1/organisations").await.ok(200);
    postgres.stop();
    for _ in 0..2 {
        let (status, body) = readiness(&alone).await;
        assert_eq!((status, &body["status"], &body["database"]), (503, &json!("fail"), &json!("fail")));
        alone.anon().get("/healthz").await.ok(200);
        let refused = alone.anon().get("/api/v1/organisations").await;
        assert_eq!(refused.header("retry-after"), Some("1"));
        refused.problem(503, "storage_unavailable");
    }
    // The instance beside it, on its own database, is well.
    assert_eq!(readiness(&app).await.0, 200);
}

async fn without_redis_every_request_is_answered_and_limits_hold(app: TestApp) {
    if app.engine() != Engine::Postgres {
        return;
    }
    let mut redis = RedisServer::start().unwrap();
    let limited = app
        .start_with(|config| {
            config.cache.url = redis.url().into();
            config.limits.per_person = 6;
        })
        .await;
    let zhang = app.worker("zhang").await.at(&limited);
    // Six at once, then one every ten seconds: more is refused, wherever the count is kept.
    let burst = || async {
        let mut statuses: HashMap<u16, u32> = HashMap::new();
        for _ in 0..10 {
            *statuses.entry(zhang.get("/api/v1/me").await.status).or_default() += 1;
        }
        statuses
    };
    let expected = HashMap::from([(200, 6), (429, 4)]);
    assert_eq!(burst().await, expected, "with Redis");
    assert_eq!(
        readiness(&limited).await,
        (200, json!({ "status": "pass", "database": "pass", "cache": "pass" }))
    );
    redis.stop();
    app.advance(TimeDelta::minutes(1));
    assert_eq!(burst().await, expected, "without Redis");
    let warned = (200, json!({ "status": "warn", "database": "pass", "cache": "warn" }));
    assert_eq!(readiness(&limited).await, warned);
    app.advance(TimeDelta::minutes(1));
    assert_eq!(burst().await, expected, "still without Redis");
    assert_eq!(readiness(&limited).await, warned);
    redis.restart_on_same_port().unwrap();
    assert_eq!(readiness(&limited).await, warned, "nobody has asked since");
    // Longer than the rest after a failure; the next request finds Redis in the background.
    app.advance(TimeDelta::minutes(1));
    for _ in 0..500 {
        zhang.get("/api/v1/me").await;
        if readiness(&limited).await.1["cache"] == "pass" {
            app.advance(TimeDelta::minutes(1));
            assert_eq!(burst().await, expected, "with Redis again");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("Redis came back and nobody noticed");
}

async fn a_wechat_that_hangs_holds_up_nobody_else(app: TestApp) {
    app.expect_5xx();
    let patient = app.start_with(|config| config.wechat.timeout_ms = 1200).await;
    let zhang = app.worker("zhang").await.at(&patient);
    let mut li = patient.anon();
    li.name = "li".into();
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(li.login_code().await);
    }
    app.sim_post("/sim/faults", json!({ "path": "/sns/jscode2session", "times": 12, "delay_ms": 60_000 }))
        .await;
    let logins: Vec<_> = codes
        .into_iter()
        .map(|code| {
            let li = li.clone();
            actix_web::rt::spawn(async move {
                li.post("/api/v1/auth/wechat-logins", json!({ "code": code })).await
            })
        })
        .collect();
    for _ in 0..20 {
        zhang.get("/api/v1/me").await.ok(200);
    }
    assert!(!logins.iter().any(actix_web::rt::task::JoinHandle::is_finished), "they hang, and others do not");
    for login in logins {
        let refused = login.await.unwrap();
        assert!(refused.header("retry-after").is_some());
        refused.problem(503, "wechat_unavailable");
    }
    app.sim_post("/sim/reset", json!({})).await;
    li.log_in().await;
    li.get("/api/v1/me").await.ok(200);
}

async fn a_stop_lets_running_requests_end(app: TestApp) {
    app.expect_5xx();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = app.app().listen(listener, 1).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let (stop_jobs, stopped) = watch::channel(false);
    let jobs = app.app().run_jobs(stopped);
    let ready = app.http().get(format!("{base}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);

    // A request that is still at work when the stop begins: its login takes 1.5 s.
    let mut zhang = app.anon();
    zhang.name = "zhang".into();
    let code = zhang.login_code().await;
    app.sim_post("/sim/faults", json!({ "path": "/sns/jscode2session", "times": 1, "delay_ms": 1500 })).await;
    let slow = app.http().post(format!("{base}/api/v1/auth/wechat-logins")).json(&json!({ "code": code }));
    let slow = actix_web::rt::spawn(slow.send());
    // It is at work when WeChat has been asked, which uses the code up; that cannot be seen from here.
    tokio::time::sleep(Duration::from_millis(200)).await;

    let stopping = app.app().clone();
    let stop = actix_web::rt::spawn(async move {
        stopping.stop(handle, Duration::from_millis(800), stop_jobs).await;
    });
    tokio::task::yield_now().await;
    let ready = app.http().get(format!("{base}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503, "the load balancer is told first");
    let said: Value = ready.json().await.unwrap();
    assert_eq!((&said["status"], &said["database"]), (&json!("fail"), &json!("pass")));
    let still = app.http().get(format!("{base}/api/v1/organisations")).send().await.unwrap();
    assert_eq!(still.status(), 200, "and until it has noticed, requests are served");
    assert!(!slow.is_finished() && !stop.is_finished() && !jobs.is_finished());
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "what was running runs to its end");
    assert!(answer.json::<Value>().await.unwrap()["access_token"].is_string());
    stop.await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), jobs).await.expect("the job loop ends").unwrap();
    let refused = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{base}/readyz")).send();
    assert!(refused.await.unwrap_err().is_connect(), "nobody listens any more");
}

/// Lets the database file grow to `pages` pages at most, or not at all beyond its size when that is less. A connection
/// that was refused may be a new one, so this is said again before each act.
async fn pages_at_most(app: &TestApp, pages: i64) {
    app.write(move |conn| Ok(conn.batch_execute(&format!("PRAGMA max_page_count = {pages}"))?)).await;
}

async fn a_full_disk_refuses_writes_keeps_reads_and_heals(app: TestApp) {
    if app.engine() != Engine::Sqlite {
        return;
    }
    app.expect_5xx();
    let activity = app.activity(|a| a.capacity(1000)).await;
    let people = crowd(&app, 60).await;
    let path = format!("/api/v1/activities/{}/signups", activity.id);
    let (mut acknowledged, mut refused) = (0, Vec::new());
    for person in &people {
        pages_at_most(&app, 1).await;
        let key = person.fresh_key();
        let answer = person.post_keyed(&key, &path, json!({})).await;
        if answer.status == 201 {
            acknowledged += 1;
            continue;
        }
        assert_eq!(answer.header("retry-after"), Some("30"));
        answer.problem(503, "storage_full");
        // Reading goes on.
        person.get("/api/v1/me").await.ok(200);
        assert_eq!(readiness(&app).await.0, 200);
        refused.push((person.clone(), key));
    }
    assert!(refused.len() > 10, "{} refused", refused.len());
    let count = |app: TestApp| async move {
        let wanted = activity.id;
        app.read(move |conn| {
            let taken: i64 = activities::table.find(wanted).select(activities::taken).first(conn)?;
            let rows: i64 =
                signups::table.filter(signups::activity_id.eq(wanted)).count().get_result(conn)?;
            Ok((taken, rows))
        })
        .await
    };
    assert_eq!(count(app.clone()).await, (acknowledged, acknowledged), "nothing is half-written");
    pages_at_most(&app, 1_000_000).await;
    for (person, key) in &refused {
        person.post_keyed(key, &path, json!({})).await.ok(201);
    }
    assert_eq!(count(app.clone()).await, (60, 60));
    app.run_jobs().await;
}
