//! What comes too late for a closed month: held once, answered by what comes later, posted by a restatement.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::attendance::model::Voiding;
use unionhall::attendance::undoing::{self, Why};
use unionhall::ids::{PersonId, SessionId, TargetId};
use unionhall::ledger;
use unionhall::plan::verify::verify;
use unionhall::platform::db::schema::{attendances, ledger_lines, targets};

use super::{JUNE, came_late, close_june, entrance, held, held_for_june, june, restate_june};
use crate::harness::{Test, TestApp};
use crate::headcounts::values;

pub const TESTS: &[Test] = tests![
    what_comes_late_is_held_and_posted_by_a_restatement,
    a_held_posting_and_its_undoing_cancel_out,
    a_session_that_is_voided_after_the_close_is_held_back,
    a_person_counts_elsewhere_once_the_closed_month_lets_go,
    one_officer_alone_restates_nothing,
    what_changed_is_told_by_its_cause,
];

async fn clean(app: &TestApp) {
    app.run_jobs().await;
    assert_eq!(app.read(|conn| verify(conn, |_| ())).await.differences, []);
}

async fn lines(app: &TestApp) -> i64 {
    app.read(|conn| Ok(ledger_lines::table.count().get_result(conn)?)).await
}

async fn undo(app: &TestApp, session: SessionId, person: PersonId) {
    let (door, now) = (entrance(app), app.now());
    app.write(move |conn| {
        let row = attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::person_id.eq(person))
            .select(attendances::id)
            .first(conn)?;
        let why = Why { voiding: Voiding::Undone, reason: "误扫" };
        undoing::undo_in_tx(conn, door.counting.as_ref(), &[row], why, now)?;
        Ok(())
    })
    .await;
}

async fn what_comes_late_is_held_and_posted_by_a_restatement(app: TestApp) {
    let made = held(&app, &["zhang"]).await;
    assert_eq!(values(&app, "07a,07b").await, [1, 1]);
    close_june(&app).await;
    let before = lines(&app).await;
    came_late(&app, made.session, "li").await;
    came_late(&app, made.session, "wang").await;
    assert_eq!((values(&app, "07a,07b").await, lines(&app).await), (vec![1, 1], before));
    let held = held_for_june(&app).await;
    assert_eq!(held.len(), 4, "two people, for 07b and 21b: {held:?}");
    assert!(held.iter().all(|row| row["kind"] == "post" && row["cause"] == "late" && row["quantity"] == 1));
    assert_eq!(june(&app, "07b", "平湖街道").await, (json!(1), 1));
    clean(&app).await;
    let restated = restate_june(&app, true).await;
    assert_eq!((restated["state"].as_str(), restated["lines"].as_i64()), (Some("agreed"), Some(4)));
    assert_eq!(values(&app, "07a,07b").await, [1, 3]);
    assert_eq!(june(&app, "07b", "平湖街道").await, (json!(1), 3));
    let month = app.staff("planner").await.get(JUNE).await.ok(200);
    let figure = month["figures"].as_array().unwrap().iter().find(|row| row["code"] == "07b").unwrap();
    assert_eq!(figure["causes"], json!([{ "cause": "late", "quantity": 2, "lines": 2 }]));
    assert_eq!((month["held"].as_i64(), month["restatements"].as_array().unwrap().len()), (Some(0), 1));
    clean(&app).await;
    // The issued figure is what was known at the close.
    app.read(|conn| {
        let ids: Vec<TargetId> = targets::table.select(targets::id).load(conn)?;
        let closed_at = unionhall::platform::db::schema::plan_periods::table
            .filter(unionhall::platform::db::schema::plan_periods::state.eq("hard"))
            .select(unionhall::platform::db::schema::plan_periods::closed_at)
            .first::<Option<chrono::NaiveDateTime>>(conn)?;
        let known = ledger::past::rollups_as_of(conn, &ids, closed_at.unwrap().and_utc())?;
        let now = ledger::store::rollups(conn, &ids)?;
        let sum = |of: &std::collections::HashMap<TargetId, Vec<ledger::model::Rollup>>| -> i64 {
            of.values().flatten().map(|row| row.quantity).sum()
        };
        assert_eq!((sum(&known), sum(&now)), (4, 8));
        let before = ledger::past::rollups_as_of(conn, &ids, chrono::DateTime::UNIX_EPOCH)?;
        assert!(before.is_empty(), "nothing was known: {before:?}");
        Ok(())
    })
    .await;
}

async fn a_held_posting_and_its_undoing_cancel_out(app: TestApp) {
    let made = held(&app, &["zhang"]).await;
    close_june(&app).await;
    for _ in 0..3 {
        let li = came_late(&app, made.session, "li").await;
        came_late(&app, made.session, "li").await;
        assert_eq!(held_for_june(&app).await.len(), 2);
        undo(&app, made.session, li).await;
        assert_eq!(held_for_june(&app).await, Vec::<Value>::new());
        clean(&app).await;
    }
    // What counts, and is taken back, and stands after all.
    let zhang = app.worker("zhang").await.person();
    for _ in 0..2 {
        undo(&app, made.session, zhang).await;
        let held = held_for_june(&app).await;
        assert!(held.len() == 2 && held.iter().all(|row| row["kind"] == "reverse" && row["quantity"] == -1));
        clean(&app).await;
        came_late(&app, made.session, "zhang").await;
        assert_eq!(held_for_june(&app).await, Vec::<Value>::new());
        clean(&app).await;
    }
    let body = json!({ "reason": "没有可重述的" });
    let path = format!("{JUNE}/restatements");
    app.staff("planner").await.post(&path, body).await.problem(409, "state_forbids");
}

async fn a_session_that_is_voided_after_the_close_is_held_back(app: TestApp) {
    let made = held(&app, &["zhang", "li"]).await;
    close_june(&app).await;
    let path = format!("/api/v1/sessions/{}/cancellations", made.session);
    let body = json!({ "reason": "核实后未举办" });
    app.staff("organiser").await.post(&path, body).await.ok(200);
    assert_eq!(values(&app, "07a,07b").await, [1, 2], "what was issued stands");
    let held = held_for_june(&app).await;
    assert_eq!(held.len(), 6);
    assert!(held.iter().all(|row| row["kind"] == "reverse" && row["cause"] == "voided"), "{held:?}");
    clean(&app).await;
    assert_eq!(restate_june(&app, true).await["lines"], 6);
    assert_eq!(values(&app, "07a,07b").await, [0, 0]);
    assert_eq!(june(&app, "07b", "平湖街道").await, (json!(2), 0));
    clean(&app).await;
}

/// A count of people has one line a person: while the closed month keeps it, nothing else does.
async fn a_person_counts_elsewhere_once_the_closed_month_lets_go(app: TestApp) {
    app.write(|conn| {
        let people = targets::table.filter(targets::code.eq("07b"));
        diesel::update(people).set(targets::measure.eq("distinct_persons")).execute(conn)?;
        Ok(())
    })
    .await;
    let made = held(&app, &["zhang"]).await;
    close_june(&app).await;
    held(&app, &["zhang"]).await;
    assert_eq!(values(&app, "07b").await, [1]);
    let zhang = app.worker("zhang").await.person();
    undo(&app, made.session, zhang).await;
    // District and street, off June and on July; and 21b, off June.
    assert_eq!(held_for_june(&app).await.len(), 5);
    assert_eq!(values(&app, "07b").await, [1]);
    clean(&app).await;
    restate_june(&app, true).await;
    assert_eq!(values(&app, "07b").await, [1]);
    assert_eq!(june(&app, "07b", "平湖街道").await, (json!(1), 0));
    clean(&app).await;
}

async fn one_officer_alone_restates_nothing(app: TestApp) {
    let made = held(&app, &["zhang"]).await;
    let (planner, path) = (app.staff("planner").await, format!("{JUNE}/restatements"));
    planner.post(&path, json!({ "reason": "月份未结账" })).await.problem(409, "state_forbids");
    close_june(&app).await;
    came_late(&app, made.session, "li").await;
    let before = lines(&app).await;
    let planner = app.staff("planner").await;
    planner.post(&path, json!({ "reason": "" })).await.problem(422, "validation_failed");
    let one = planner.post(&path, json!({ "reason": "签到表迟交" })).await.ok(201);
    planner.post(&path, json!({ "reason": "再来一次" })).await.problem(409, "state_forbids");
    let own = format!("/api/v1/restatements/{}", one["id"].as_str().unwrap());
    let decisions = format!("{own}/decisions");
    planner.post(&decisions, json!({ "agree": true })).await.problem(409, "second_officer_required");
    assert_eq!((lines(&app).await, held_for_june(&app).await.len()), (before, 2));
    assert_eq!(planner.get(&own).await.ok(200)["state"], "proposed");
    let refused = app.staff("admin").await.post(&decisions, json!({ "agree": false })).await.ok(200);
    assert_eq!((refused["state"].as_str(), refused["lines"].as_i64()), (Some("refused"), Some(0)));
    assert_eq!((lines(&app).await, held_for_june(&app).await.len()), (before, 2), "it stays held");
    app.staff("admin").await.post(&decisions, json!({ "agree": true })).await.problem(409, "state_forbids");
    clean(&app).await;
    assert_eq!(restate_june(&app, true).await["lines"], 2);
    clean(&app).await;
    let alone = "UPDATE restatements SET decided_by = proposed_by";
    use diesel::connection::SimpleConnection;
    let refused = app.db().connect().unwrap().batch_execute(alone).unwrap_err().to_string();
    assert!(refused.contains("stays so"), "{refused}");
}

async fn what_changed_is_told_by_its_cause(app: TestApp) {
    let made = held(&app, &["zhang", "li"]).await;
    let from = app.now();
    app.advance(TimeDelta::minutes(1));
    let open = app.activity(|a| a.programme("demo-skills-rider")).await;
    came_late(&app, open.session, "wang").await;
    app.advance(TimeDelta::minutes(1));
    let wang = app.worker("wang").await.person();
    undo(&app, open.session, wang).await;
    app.staff("gate").await.finalise(open.session).await.ok(200);
    close_june(&app).await;
    app.advance(TimeDelta::minutes(1));
    came_late(&app, made.session, "zhao").await;
    restate_june(&app, true).await;
    app.advance(TimeDelta::minutes(1));
    let stamp = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let path = format!("/api/v1/plans/2025/changes?from={}", stamp(from));
    let changes = app.staff("planner").await.get(&path).await.ok(200);
    let of = |code: &str| {
        let found = changes["targets"].as_array().unwrap().iter().find(|row| row["code"] == code);
        found.cloned().unwrap_or_default()
    };
    let change = |cause: &str, quantity: i64| json!({ "cause": cause, "quantity": quantity, "lines": 1 });
    let row = of("07b");
    assert_eq!((row["before"].as_i64(), row["after"].as_i64()), (Some(2), Some(3)), "{row}");
    assert_eq!(row["causes"], json!([change("new", 1), change("undone", -1), change("restatement", 1)]));
    assert_eq!(of("07a"), Value::Null, "nothing became known");
    let none = format!("/api/v1/plans/2025/changes?from={}", stamp(app.now()));
    assert_eq!(app.staff("planner").await.get(&none).await.ok(200)["targets"], json!([]));
    let wrong = format!("{none}&to={}", stamp(from));
    app.staff("planner").await.get(&wrong).await.problem(400, "query_invalid");
    clean(&app).await;
}
