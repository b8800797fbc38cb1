//! Who closes what, in which order, and what keeps it open.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;
use unionhall::clock::db_time;
use unionhall::ids::{LedgerLineId, PlanId, RestatementId};
use unionhall::ledger::model::Line;
use unionhall::offering;
use unionhall::offering::model::Session;
use unionhall::plan::closing::checklist::NAMED;
use unionhall::plan::closing::model::{Restatement, RestatementState};
use unionhall::plan::closing::store as closing;
use unionhall::platform::db::schema::{ledger_lines, plans, sessions};

use super::{JUNE, close_june, decide, held, into_july, propose, soften, streets};
use crate::harness::{Test, TestApp};
use crate::headcounts;

pub const TESTS: &[Test] = tests![
    a_month_is_closed_by_streets_and_then_by_two_officers,
    whatever_is_open_is_named_and_nothing_changes,
    a_street_is_told_of_its_own_however_much_others_have,
    a_quarter_needs_its_three_months,
    a_street_closes_its_own_part_only,
    the_database_takes_no_line_for_a_closed_month,
    what_is_closed_stays_closed,
];

async fn a_month_is_closed_by_streets_and_then_by_two_officers(app: TestApp) {
    held(&app, &["zhang"]).await;
    let planner = app.staff("planner").await;
    let street = json!({ "organisation_id": streets(&app).await[0] });
    planner.post(&format!("{JUNE}/street-closings"), street.clone()).await.problem(409, "period_not_over");
    into_july(&app).await;
    let (planner, admin) = (app.staff("planner").await, app.staff("admin").await);
    let open = propose(&planner, JUNE).await.problem(409, "period_open_items");
    let kinds: Vec<&str> =
        open["errors"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), streets(&app).await.len());
    assert!(kinds.iter().all(|kind| *kind == "street_open"), "{kinds:?}");
    decide(&admin, JUNE, true).await.problem(409, "state_forbids");
    soften(&app, JUNE).await;
    admin.post(&format!("{JUNE}/street-closings"), street.clone()).await.problem(409, "state_forbids");
    let proposed = propose(&planner, JUNE).await.ok(200);
    assert_eq!(proposed["state"], "proposed");
    propose(&admin, JUNE).await.problem(409, "state_forbids");
    decide(&planner, JUNE, true).await.problem(409, "second_officer_required");
    assert_eq!(decide(&admin, JUNE, false).await.ok(200)["state"], "open");
    propose(&planner, JUNE).await.ok(200);
    // A street that finds something opens its part again, and the district has to wait.
    admin.post(&format!("{JUNE}/street-reopenings"), street.clone()).await.ok(200);
    decide(&admin, JUNE, true).await.problem(409, "period_open_items");
    admin.post(&format!("{JUNE}/street-closings"), street.clone()).await.ok(200);
    let closed = decide(&admin, JUNE, true).await.ok(200);
    assert_eq!((closed["state"].as_str(), closed["closed_at"].is_string()), (Some("hard"), true));
    for act in ["street-closings", "street-reopenings"] {
        admin.post(&format!("{JUNE}/{act}"), street.clone()).await.problem(409, "period_closed");
    }
    propose(&planner, JUNE).await.problem(409, "period_closed");
    decide(&admin, JUNE, false).await.problem(409, "period_closed");
    let list = planner.get("/api/v1/plans/2025/periods").await.ok(200);
    let hard = list["items"].as_array().unwrap().iter().filter(|row| row["state"] == "hard").count();
    assert_eq!((list["items"].as_array().unwrap().len(), hard), (16, 1));
}

async fn whatever_is_open_is_named_and_nothing_changes(app: TestApp) {
    let gate = app.staff("gate").await;
    let unfinalised = app.activity(|a| a).await;
    let crowd = app.activity(headcounts::on_the_square).await;
    let headcount = headcounts::count(&gate, crowd.session, 20).await.ok(201);
    into_july(&app).await;
    let pinghu = app.organisation("street-pinghu").await;
    let admin = app.staff("admin").await;
    let list = admin.get(&format!("{JUNE}/checklist?street={pinghu}")).await.ok(200);
    let mut open: Vec<(String, String)> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (headcounts::text(item, "kind"), headcounts::text(item, "id")))
        .collect();
    open.sort();
    let mut expected = vec![
        ("headcount_unsigned".to_owned(), headcounts::text(&headcount, "id")),
        ("session_unfinalised".to_owned(), crowd.session.to_string()),
        ("session_unfinalised".to_owned(), unfinalised.session.to_string()),
    ];
    expected.sort();
    assert_eq!(open, expected);
    let body = json!({ "organisation_id": pinghu });
    let refused = admin.post(&format!("{JUNE}/street-closings"), body.clone()).await;
    let refused = refused.problem(409, "period_open_items");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 3, "{refused}");
    assert_eq!(refused["errors"][0]["pointer"].as_str().unwrap().split('/').count(), 3);
    let month = admin.get(JUNE).await.ok(200);
    assert!(month["streets"].as_array().unwrap().iter().all(|street| street["state"] == "open"), "{month}");
    headcounts::approve(&app.staff("reviewer-pinghu").await, &headcount).await.ok(200);
    let gate = app.staff("gate").await;
    gate.finalise(crowd.session).await.ok(200);
    gate.finalise(unfinalised.session).await.ok(200);
    admin.post(&format!("{JUNE}/street-closings"), body).await.ok(200);
    app.run_jobs().await;
}

async fn a_street_is_told_of_its_own_however_much_others_have(app: TestApp) {
    let elsewhere = app.activity(|a| a.organisation("street-nanwan")).await;
    let ids = app.ids().clone();
    app.write(move |conn| {
        let (row, _) = offering::store::session_get(conn, elsewhere.session)?;
        let many: Vec<Session> = (2..)
            .map(|number| Session { id: ids.id(), number, ..row.clone() })
            .take(NAMED as usize)
            .collect();
        for one in &many {
            diesel::insert_into(sessions::table).values(one).execute(conn)?;
        }
        Ok(())
    })
    .await;
    // Ids of one instant have no order: the street's own session comes after all others.
    app.advance(TimeDelta::seconds(1));
    let own = app.activity(|a| a).await;
    into_july(&app).await;
    let (admin, pinghu) = (app.staff("admin").await, app.organisation("street-pinghu").await);
    let list = admin.get(&format!("{JUNE}/checklist?street={pinghu}")).await.ok(200);
    let open = list["items"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{list}");
    assert_eq!(headcounts::text(&open[0], "id"), own.session.to_string());
    let body = json!({ "organisation_id": pinghu });
    admin.post(&format!("{JUNE}/street-closings"), body).await.problem(409, "period_open_items");
}

async fn a_quarter_needs_its_three_months(app: TestApp) {
    const QUARTER: &str = "/api/v1/plans/2025/periods/Q1";
    let (planner, admin) = (app.staff("planner").await, app.staff("admin").await);
    let open = propose(&planner, QUARTER).await.problem(409, "period_open_items");
    let named: Vec<&str> =
        open["errors"].as_array().unwrap().iter().map(|item| item["pointer"].as_str().unwrap()).collect();
    assert_eq!(named, ["/month_open/2025-01", "/month_open/2025-02", "/month_open/2025-03"]);
    for month in ["01", "02", "03"] {
        let period = format!("/api/v1/plans/2025/periods/{month}");
        soften(&app, &period).await;
        propose(&planner, &period).await.ok(200);
        decide(&admin, &period, true).await.ok(200);
    }
    propose(&admin, QUARTER).await.ok(200);
    assert_eq!(decide(&planner, QUARTER, true).await.ok(200)["label"], "2025-Q1");
    propose(&planner, "/api/v1/plans/2025/periods/Q2").await.problem(409, "period_not_over");
    let street = json!({ "organisation_id": app.organisation("street-pinghu").await });
    admin.post(&format!("{QUARTER}/street-closings"), street).await.problem(404, "not_found");
}

async fn a_street_closes_its_own_part_only(app: TestApp) {
    into_july(&app).await;
    let officer = app.staff("planner-pinghu").await;
    let own = json!({ "organisation_id": app.organisation("street-pinghu").await });
    let other = json!({ "organisation_id": app.organisation("street-nanwan").await });
    let path = format!("{JUNE}/street-closings");
    officer.post(&path, other).await.problem(404, "not_found");
    assert_eq!(officer.post(&path, own).await.ok(200)["state"], "soft");
    propose(&officer, JUNE).await.problem(403, "forbidden");
    decide(&officer, JUNE, true).await.problem(403, "forbidden");
    officer.get(&format!("{JUNE}/checklist")).await.problem(403, "forbidden");
    let body = json!({ "reason": "x" });
    officer.post(&format!("{JUNE}/restatements"), body).await.problem(403, "forbidden");
}

async fn the_database_takes_no_line_for_a_closed_month(app: TestApp) {
    held(&app, &["zhang"]).await;
    let id: LedgerLineId = app.ids().id();
    let line: Line = app.read(|conn| Ok(ledger_lines::table.select(Line::as_select()).first(conn)?)).await;
    let line = Line { id, dedup_key: "by/hand".into(), ..line };
    close_june(&app).await;
    let one = line.clone();
    let refused = app
        .db()
        .write(move |conn| Ok(diesel::insert_into(ledger_lines::table).values(&one).execute(conn)?));
    let refused = format!("{:?}", refused.await.unwrap_err());
    assert!(refused.contains("the month is closed"), "{refused}");
    // A restatement that is only proposed is none.
    let (restatement, by, now): (RestatementId, _, _) =
        (app.ids().id(), app.staff("planner").await.person(), db_time(app.now()));
    let refused = app.db().write(move |conn| {
        let plan: PlanId = plans::table.select(plans::id).first(conn)?;
        let row = Restatement {
            id: restatement,
            plan_id: plan,
            month: line.month,
            state: RestatementState::Proposed,
            reason: "x".into(),
            evidence: None,
            proposed_by: by,
            proposed_at: now,
            decided_by: None,
            decided_at: None,
            version: 1,
        };
        assert!(closing::restatement_create_in_tx(conn, &row)?);
        let line = Line { restatement_id: Some(restatement), ..line };
        Ok(diesel::insert_into(ledger_lines::table).values(&line).execute(conn)?)
    });
    let refused = format!("{:?}", refused.await.unwrap_err());
    assert!(refused.contains("the month is closed"), "{refused}");
}

async fn what_is_closed_stays_closed(app: TestApp) {
    close_june(&app).await;
    for act in [
        "UPDATE plan_periods SET state = 'open', proposed_by = NULL, closed_by = NULL, closed_at = NULL WHERE state = 'hard'",
        "UPDATE plan_periods SET closed_at = proposed_at WHERE state = 'hard'",
        "DELETE FROM plan_periods WHERE state = 'hard'",
    ] {
        let refused = app.db().connect().unwrap().batch_execute(act).unwrap_err().to_string();
        assert!(refused.contains("stays closed"), "{act}: {refused}");
    }
    // One officer is not two, whatever the application says.
    let alone = "UPDATE plan_periods SET state = 'hard', proposed_by = (SELECT id FROM people LIMIT 1), \
                 closed_by = (SELECT id FROM people LIMIT 1), closed_at = '2025-07-01 00:00:00' \
                 WHERE kind = 'month' AND starts_on = '2025-05-01'";
    let refused = app.db().connect().unwrap().batch_execute(alone).unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("check constraint"), "{refused}");
}
