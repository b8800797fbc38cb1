//! The jobs that come back: what is forgotten when, and the daily recount.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use unionhall::platform::db::schema::{idempotency_keys, refresh_tokens, token_families};

use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    housekeeping_forgets_answers_after_a_week_and_logins_after_a_month,
    the_recount_raises_a_figure_when_the_ledger_differs,
];

async fn kept(app: &TestApp) -> (i64, i64, i64) {
    app.read(|conn| {
        Ok((
            idempotency_keys::table.count().get_result(conn)?,
            token_families::table.count().get_result(conn)?,
            refresh_tokens::table.count().get_result(conn)?,
        ))
    })
    .await
}

async fn housekeeping_forgets_answers_after_a_week_and_logins_after_a_month(app: TestApp) {
    let activity = app.activity(|a| a).await;
    app.run_jobs().await;
    app.write(|conn| Ok(diesel::delete(idempotency_keys::table).execute(conn).map(drop)?)).await;
    let (_, families, tokens) = kept(&app).await;
    let (zhang, _li) = (app.worker("zhang").await, app.worker("li").await);
    zhang.sign_up(&activity).await.ok(201);
    zhang.post("/api/v1/auth/logouts", json!({})).await;
    assert_eq!(kept(&app).await, (1, families + 2, tokens + 2));
    app.app().worker().plant_recurring().unwrap();
    app.advance(TimeDelta::days(7));
    app.run_jobs().await;
    assert_eq!(kept(&app).await, (1, families + 2, tokens + 2), "seven days are not over");
    app.advance(TimeDelta::hours(1));
    app.run_jobs().await;
    assert_eq!(kept(&app).await, (0, families + 2, tokens + 2), "a week later the answer is forgotten");
    app.advance(TimeDelta::days(23) - TimeDelta::hours(1));
    app.run_jobs().await;
    assert_eq!(kept(&app).await, (0, families + 2, tokens + 2), "thirty days are not over");
    app.advance(TimeDelta::hours(1));
    app.run_jobs().await;
    assert_eq!(
        kept(&app).await,
        (0, families + 1, tokens + 1),
        "the login that ended is forgotten, no other"
    );
}

async fn the_recount_raises_a_figure_when_the_ledger_differs(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    app.app().worker().plant_recurring().unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    // On this thread, whose figures no other test touches.
    let recount = || metrics::with_local_recorder(&recorder, || app.app().worker().drain().unwrap());
    assert!(recount() > 0);
    let shown = recorder.handle().render();
    assert!(shown.contains("unionhall_ledger_differences 0"), "{shown}");
    app.expect_differences();
    app.write(|conn| Ok(conn.batch_execute("UPDATE ledger_rollups SET quantity = quantity + 1")?)).await;
    app.advance(TimeDelta::hours(24));
    assert!(recount() > 0);
    let shown = recorder.handle().render();
    assert!(shown.contains("unionhall_ledger_differences 1"), "{shown}");
}
