//! Figures that units report: signed by the lead departments, counted once, corrected by versions.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::legal_aid::hands::model::{LegalStation, StationKind};
use unionhall::platform::db::schema::{plan_reports, targets};

use super::{approve, decide, evidence, report, report_as, signer, stands, target, text};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_figure_counts_when_every_lead_department_has_signed,
    a_new_version_takes_the_place_of_the_old,
    a_figure_that_is_not_approved_counts_nothing,
    a_rejected_figure_may_be_approved_on_appeal,
    everything_that_is_wrong_is_named_and_nothing_is_kept,
    two_versions_that_are_approved_at_once_leave_one,
    a_unit_of_a_list_is_counted_once,
    every_sub_district_reports_for_itself,
    a_rate_that_did_not_hold_once_stays_so,
    three_parts_are_three_figures,
    a_figure_of_stations_agrees_with_their_register,
    what_changes_in_the_register_is_not_signed,
    who_may_report_and_see,
    what_was_reported_is_not_edited,
    evidence_may_be_demanded,
];

/// The lines behind a figure, by quantity, and whether they take back another.
async fn lines(app: &TestApp, code: &str) -> Vec<(i64, bool)> {
    let path = format!("/api/v1/plans/2025/targets/{code}/lines?limit=100");
    let page = app.staff("planner").await.get(&path).await.ok(200);
    let line = |one: &Value| (one["quantity"].as_i64().unwrap(), one.get("reverses").is_some());
    let mut lines: Vec<_> = page["items"].as_array().unwrap().iter().map(line).collect();
    lines.sort_unstable();
    lines
}

async fn a_figure_counts_when_every_lead_department_has_signed(app: TestApp) {
    let officer = app.staff("planner-pinghu").await;
    let (rights, education) = (signer(&app, "dept-rights").await, signer(&app, "dept-education").await);
    assert_eq!(stands(&app, "16a").await, (0, "not_reported".into()));
    let made = report(&officer, "16a", "street-pinghu", json!({ "value": 1 })).await.ok(201);
    assert_eq!(
        (&made["number"], &made["state"], &made["counts"]),
        (&json!(1), &json!("proposed"), &json!(false))
    );
    assert_eq!((&made["unit"]["name"], &made["month"]), (&json!("平湖街道"), &json!("2025-06")));
    // Its papers are for those who decide, and for nobody else's street.
    let paper = format!("/api/v1/files/{}", made["evidence"][0].as_str().unwrap());
    rights.get(&paper).await.ok(200);
    staff_of(&app, "planner-buji", "plan_officer", "street-buji")
        .await
        .get(&paper)
        .await
        .problem(404, "not_found");
    // Another department has no part in it.
    let other = signer(&app, "dept-audit").await;
    other.get(&format!("/api/v1/reviews/{}", text(&made, "review_id"))).await.problem(404, "not_found");
    approve(&education, &made).await.ok(200);
    assert_eq!(stands(&app, "16a").await, (0, "not_reported".into()), "one of two has signed");
    approve(&rights, &made).await.ok(200);
    let progress = target(&app, "16a", "").await;
    assert_eq!((&progress["value"], &progress["per_mille"]), (&json!(1), &json!(500)));
    assert_eq!(progress["by_organisation"][0]["name"], "平湖街道");
    assert_eq!(
        (&progress["evidence"]["b"], &progress["evidence"]["good_per_mille"]),
        (&json!(1), &json!(1000))
    );
    assert_eq!(progress["months"], json!([{ "month": "2025-06", "value": 1, "total": 1 }]));
    // The figure opens into its line, and the line into the report.
    let lines = app.staff("planner").await.get("/api/v1/plans/2025/targets/16a/lines").await.ok(200);
    assert_eq!(lines["items"][0]["source_id"], made["id"]);
    let seen = officer.get(&format!("/api/v1/plan-reports/{}", text(&made, "id"))).await.ok(200);
    assert_eq!((&seen["state"], &seen["counts"]), (&json!("approved"), &json!(true)));
    let item = officer.get("/api/v1/plans/2025/items/16/progress").await.ok(200);
    let leads: Vec<&Value> = item["leads"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(leads, ["宣教服务部", "权益保障部"]);
    assert_eq!((&item["targets"][0]["code"], &item["standing"]), (&json!("16a"), &json!("failed")));
    app.run_jobs().await;
    let notices = officer.get("/api/v1/me/notices").await.ok(200);
    assert!(notices.to_string().contains("计入工作要点进度"), "{notices}");
}

async fn a_new_version_takes_the_place_of_the_old(app: TestApp) {
    let (planner, rights) = (app.staff("planner-pinghu").await, signer(&app, "dept-rights").await);
    let of = |value: i64| json!({ "value": value, "note": "核实后更正" });
    let first = report(&planner, "09a", "street-pinghu", of(12)).await.ok(201);
    approve(&rights, &first).await.ok(200);
    app.advance(TimeDelta::minutes(1));
    let then = app.now();
    app.advance(TimeDelta::minutes(1));
    let second = report(&planner, "09a", "street-pinghu", of(9)).await.ok(201);
    assert_eq!(second["number"], 2);
    assert_eq!(stands(&app, "09a").await.0, 12, "what is not signed changes nothing");
    approve(&rights, &second).await.ok(200);
    assert_eq!(stands(&app, "09a").await.0, 9);
    assert_eq!(lines(&app, "09a").await, [(-12, true), (9, false), (12, false)]);
    // What was known then is still known.
    let at = format!("&as_of={}", then.format("%Y-%m-%dT%H:%M:%SZ"));
    assert_eq!(target(&app, "09a", &at).await["value"], 12);
    let earlier = "&as_of=2025-06-15T00:00:00Z";
    assert_eq!(target(&app, "09a", earlier).await["standing"], "not_reported");
    let back = report(&planner, "09a", "street-pinghu", json!({ "withdraws": true, "note": "重复上报" }))
        .await
        .ok(201);
    approve(&rights, &back).await.ok(200);
    assert_eq!(stands(&app, "09a").await, (0, "not_reported".into()));
    let list = planner.get("/api/v1/plans/2025/targets/09a/reports?month=2025-06").await.ok(200);
    let mut states: Vec<(i64, &str)> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["number"].as_i64().unwrap(), one["state"].as_str().unwrap()))
        .collect();
    states.sort_unstable();
    assert_eq!(states, [(1, "superseded"), (2, "superseded"), (3, "approved")]);
    // There is nothing left to take back, and a figure may come again.
    let again = report(&planner, "09a", "street-pinghu", json!({ "withdraws": true })).await;
    assert_eq!(faults(&again.problem(422, "validation_failed")), pairs(&[("/withdraws", "nothing_there")]));
    let fourth = report(&planner, "09a", "street-pinghu", of(9)).await.ok(201);
    approve(&rights, &fourth).await.ok(200);
    assert_eq!(stands(&app, "09a").await.0, 9);
    app.run_jobs().await;
}

async fn a_figure_that_is_not_approved_counts_nothing(app: TestApp) {
    let (planner, rights) = (app.staff("planner-pinghu").await, signer(&app, "dept-rights").await);
    let of = |value: i64| json!({ "value": value });
    let rejected = report(&planner, "09a", "street-pinghu", of(1)).await.ok(201);
    let no = json!({ "decision": "reject", "reasons": ["figure_unproven"] });
    decide(&rights, &text(&rejected, "review_id"), no).await.ok(200);
    let returned = report(&planner, "09a", "street-pinghu", of(2)).await.ok(201);
    let more = json!({ "decision": "return", "reasons": ["papers_missing"], "missing": ["papers"] });
    decide(&rights, &text(&returned, "review_id"), more).await.ok(200);
    let given_up = report(&planner, "09a", "street-pinghu", of(4)).await.ok(201);
    let own = format!("/api/v1/me/reviews/{}", text(&given_up, "review_id"));
    planner.post(&format!("{own}/withdrawals"), json!({})).await.ok(200);
    assert_eq!(stands(&app, "09a").await, (0, "not_reported".into()));
    assert_eq!(lines(&app, "09a").await, []);
    let list = planner.get("/api/v1/plans/2025/targets/09a/reports").await.ok(200);
    let mut states: Vec<String> =
        list["items"].as_array().unwrap().iter().map(|one| text(one, "state")).collect();
    states.sort();
    assert_eq!(states, ["proposed", "rejected", "withdrawn"]);
    app.run_jobs().await;
}

async fn a_rejected_figure_may_be_approved_on_appeal(app: TestApp) {
    let (planner, rights) = (app.staff("planner-pinghu").await, signer(&app, "dept-rights").await);
    let made = report(&planner, "09a", "street-pinghu", json!({ "value": 5 })).await.ok(201);
    let no = json!({ "decision": "reject", "reasons": ["figure_unproven"] });
    decide(&rights, &text(&made, "review_id"), no).await.ok(200);
    let own = format!("/api/v1/me/reviews/{}", text(&made, "review_id"));
    let appeal = planner.post(&format!("{own}/appeals"), json!({ "text": "附件三为验收证明" })).await;
    let appeal = appeal.ok(201);
    decide(&app.staff("reviewer").await, &text(&appeal, "id"), json!({ "decision": "approve" }))
        .await
        .ok(200);
    assert_eq!(stands(&app, "09a").await.0, 5);
    app.run_jobs().await;
}

async fn everything_that_is_wrong_is_named_and_nothing_is_kept(app: TestApp) {
    let planner = app.staff("planner").await;
    let unit = app.organisation("street-pinghu").await;
    let body = |more: Value| {
        let mut body = json!({ "unit_id": unit, "month": "2025-06", "note": "说明" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let wrong = |problem: Value| faults(&problem);
    // A report without evidence.
    let problem =
        report_as(&planner, "09a", body(json!({ "value": 1 }))).await.problem(422, "validation_failed");
    assert_eq!(wrong(problem), pairs(&[("/evidence", "required")]));
    let all = body(json!({ "month": "2026-01", "value": -1, "numerator": 1 }));
    let problem = report_as(&planner, "09a", all).await.problem(422, "validation_failed");
    let expected = [
        ("/month", "outside_plan"),
        ("/evidence", "required"),
        ("/numerator", "unknown"),
        ("/value", "negative"),
    ];
    assert_eq!(wrong(problem), pairs(&expected));
    let above = body(json!({ "numerator": 3, "denominator": 2 }));
    let problem = report_as(&planner, "12a", above).await.problem(422, "validation_failed");
    assert_eq!(wrong(problem), pairs(&[("/evidence", "required"), ("/numerator", "above_denominator")]));
    // Units of no list, and of another one.
    let (pinghu, direct) = (unit, app.organisation("demo-direct-1").await);
    let list = json!({ "covered": [pinghu, pinghu, direct, "org_01k5b8m3q2e9t8h6y1v7z4w0xn"], "unit_id": app.organisation("longgang").await });
    let problem = report_as(&planner, "28a", body(list)).await.problem(422, "validation_failed");
    let expected = [
        ("/evidence", "required"),
        ("/covered/1", "duplicate"),
        ("/covered/2", "foreign"),
        ("/covered/3", "unknown"),
    ];
    assert_eq!(wrong(problem), pairs(&expected));
    // Figures are never typed in where attendance or cases give them.
    for code in ["07a", "07b", "09e", "16b", "27a", "11c"] {
        report_as(&planner, code, body(json!({ "value": 1 }))).await.problem(409, "figure_earned");
    }
    for nowhere in ["99a", "9a", "09A", "09aa"] {
        report_as(&planner, nowhere, body(json!({ "value": 1 }))).await.problem(404, "not_found");
    }
    planner
        .post("/api/v1/plans/2024/targets/09a/reports", body(json!({ "value": 1 })))
        .await
        .problem(404, "not_found");
    // A paper of somebody else.
    let stolen = evidence(&app.staff("planner-pinghu").await).await;
    let problem = report_as(&planner, "09a", body(json!({ "value": 1, "evidence": [stolen] }))).await;
    problem.problem(409, "file_unusable");
    let kept = app.read(|conn| Ok(plan_reports::table.count().get_result::<i64>(conn)?)).await;
    assert_eq!(kept, 0);
    // The same request again is the same report.
    let mut once = body(json!({ "value": 3 }));
    once["evidence"] = json!([evidence(&planner).await]);
    let key = planner.fresh_key();
    let path = "/api/v1/plans/2025/targets/09a/reports";
    let made = planner.post_keyed(&key, path, once.clone()).await.ok(201);
    let again = planner.post_keyed(&key, path, once).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.ok(201), made);
    app.run_jobs().await;
}

async fn two_versions_that_are_approved_at_once_leave_one(app: TestApp) {
    let planner = app.staff("planner-pinghu").await;
    let other = app.second_instance().await;
    let signers: Vec<Actor> = vec![
        staff_of(&app, "rights-1", "reviewer", "dept-rights").await,
        staff_of(&app, "rights-2", "reviewer", "dept-rights").await.at(&other),
    ];
    for round in 1..=3_i64 {
        let first = report(&planner, "09b", "street-pinghu", json!({ "value": 1 })).await.ok(201);
        let second = report(&planner, "09b", "street-pinghu", json!({ "value": 2 })).await.ok(201);
        let made = if round % 2 == 0 { [&first, &second] } else { [&second, &first] };
        let replies = join_all(signers.iter().zip(made).map(|(signer, made)| approve(signer, made))).await;
        for reply in replies {
            reply.ok(200);
        }
        let progress = target(&app, "09b", "").await;
        assert_eq!(progress["value"], 2, "round {round}: the later version counts, whichever came first");
        let list = planner.get("/api/v1/plans/2025/targets/09b/reports?state=approved").await.ok(200);
        let counting: Vec<&Value> =
            list["items"].as_array().unwrap().iter().map(|one| &one["number"]).collect();
        assert_eq!(counting, [&json!(2 * round)]);
    }
    // Of two who sign one report at once, one is told to read it again.
    let made = report(&planner, "09b", "street-pinghu", json!({ "value": 7 })).await.ok(201);
    let replies = join_all(signers.iter().map(|signer| approve(signer, &made))).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && matches!(statuses[1], 404 | 409 | 412), "{statuses:?}");
    assert_eq!(stands(&app, "09b").await.0, 7);
    app.run_jobs().await;
}

async fn a_unit_of_a_list_is_counted_once(app: TestApp) {
    let planner = app.staff("planner").await;
    let organisation = signer(&app, "dept-organisation").await;
    let (a, b, c) = (
        app.organisation("street-pinghu").await,
        app.organisation("street-buji").await,
        app.organisation("street-jihua").await,
    );
    let covers = |month: &str, units: Value| json!({ "month": month, "covered": units });
    let march = report(&planner, "28a", "dept-organisation", covers("2025-03", json!([a, b]))).await.ok(201);
    let may = report(&planner, "28a", "dept-organisation", covers("2025-05", json!([b, c]))).await.ok(201);
    approve(&organisation, &may).await.ok(200);
    assert_eq!(stands(&app, "28a").await.0, 2);
    approve(&organisation, &march).await.ok(200);
    let progress = target(&app, "28a", "").await;
    assert_eq!((&progress["value"], &progress["required"]), (&json!(3), &json!(11)));
    let names = |what: &str| -> Vec<String> {
        let units = progress["coverage"][what].as_array().unwrap();
        units.iter().map(|one| text(one, "name")).collect()
    };
    assert_eq!(names("covered"), ["布吉街道", "吉华街道", "平湖街道"]);
    assert_eq!(names("missing").len(), 8);
    // March is taken back: what May covers too still counts.
    let back = json!({ "month": "2025-03", "withdraws": true });
    let back = report(&planner, "28a", "dept-organisation", back).await.ok(201);
    approve(&organisation, &back).await.ok(200);
    assert_eq!(stands(&app, "28a").await.0, 2);

    // Half of seven unions is four.
    let union = |n: i64| {
        let app = app.clone();
        async move { app.organisation(&format!("demo-direct-{n}")).await }
    };
    let three = json!([union(1).await, union(2).await, union(3).await]);
    let made = report(&planner, "28b", "longgang", covers("2025-02", three)).await.ok(201);
    approve(&organisation, &made).await.ok(200);
    let progress = target(&app, "28b", "").await;
    assert_eq!((&progress["value"], &progress["standing"]), (&json!(42), &json!("ahead")));
    let made =
        report(&planner, "28b", "longgang", covers("2025-04", json!([union(3).await, union(4).await])))
            .await
            .ok(201);
    approve(&organisation, &made).await.ok(200);
    let progress = target(&app, "28b", "").await;
    let last = &progress["snapshots"][1];
    assert_eq!(
        (&last["numerator"], &last["denominator"], &last["holds"]),
        (&json!(4), &json!(7), &json!(true))
    );
    assert_eq!((&progress["value"], &progress["standing"]), (&json!(57), &json!("met")));
    assert_eq!(lines(&app, "28b").await, [], "a rate has no lines");
    app.run_jobs().await;
}

async fn every_sub_district_reports_for_itself(app: TestApp) {
    let planner = app.staff("planner").await;
    let organisation = signer(&app, "dept-organisation").await;
    let problem = report(&planner, "24a", "dept-organisation", json!({ "value": 2 }))
        .await
        .problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/unit_id", "no_sub_district")]));
    for (street, value) in [("street-pinghu", 2), ("street-buji", 1), ("street-jihua", 5)] {
        let made = report(&planner, "24a", street, json!({ "value": value })).await.ok(201);
        approve(&organisation, &made).await.ok(200);
    }
    let progress = target(&app, "24a", "").await;
    assert_eq!(
        (&progress["value"], &progress["required"]),
        (&json!(2), &json!(11)),
        "what is too much helps nobody else"
    );
    let failing = progress["periods"][0]["failing"].as_array().unwrap();
    let buji = failing.iter().find(|one| one["name"] == "布吉街道").unwrap();
    assert_eq!((failing.len(), &buji["value"]), (9, &json!(1)));
    app.run_jobs().await;
}

async fn a_rate_that_did_not_hold_once_stays_so(app: TestApp) {
    let planner = app.staff("planner-rights").await;
    let rights = signer(&app, "dept-rights").await;
    for (month, numerator, denominator) in [("2025-01", 85, 100), ("2025-03", 84, 100), ("2025-05", 99, 110)]
    {
        let figure = json!({ "month": month, "numerator": numerator, "denominator": denominator });
        let made = report(&planner, "12a", "dept-rights", figure).await.ok(201);
        approve(&rights, &made).await.ok(200);
    }
    let progress = target(&app, "12a", "").await;
    assert_eq!((&progress["value"], &progress["standing"]), (&json!(90), &json!("failed")));
    let shown: Vec<(&str, i64, bool)> = progress["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let moved = one["denominator_moved"].as_i64().unwrap();
            (one["month"].as_str().unwrap(), moved, one["holds"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(shown, [("2025-01", 0, true), ("2025-03", 0, false), ("2025-05", 10, true)]);
    // A figure that was wrong is corrected by a version that is signed; the wrong one stays in sight.
    let right = json!({ "month": "2025-03", "numerator": 86, "denominator": 100, "note": "漏计两家" });
    let made = report(&planner, "12a", "dept-rights", right).await.ok(201);
    approve(&rights, &made).await.ok(200);
    assert_eq!(stands(&app, "12a").await, (90, "on_pace".into()));
    let list = planner.get("/api/v1/plans/2025/targets/12a/reports?month=2025-03").await.ok(200);
    let first = list["items"].as_array().unwrap().iter().find(|one| one["number"] == 1).unwrap();
    assert_eq!((&first["numerator"], &first["state"]), (&json!(84), &json!("superseded")));
    app.run_jobs().await;
}

async fn three_parts_are_three_figures(app: TestApp) {
    let (planner, rights) = (app.staff("planner").await, signer(&app, "dept-rights").await);
    stations(&app, "longgang", [1, 20, 30], "2025-06-01").await;
    stations(&app, "street-buji", [0, 31, 0], "2025-06-01").await;
    let made = report(&planner, "11a", "longgang", json!({ "parts": [1, 20, 30] })).await.ok(201);
    assert_eq!(made["value"], 51);
    approve(&rights, &made).await.ok(200);
    let made = report(&planner, "11a", "street-buji", json!({ "parts": [0, 31, 0] })).await.ok(201);
    approve(&rights, &made).await.ok(200);
    let progress = target(&app, "11a", "").await;
    let parts = json!([
        { "required": 1, "value": 1, "met": true },
        { "required": 50, "value": 51, "met": true },
        { "required": 30, "value": 30, "met": true },
    ]);
    assert_eq!(
        (&progress["parts"], &progress["value"], &progress["standing"]),
        (&parts, &json!(82), &json!("met"))
    );
    app.run_jobs().await;
}

/// Stations that a unit keeps, by kind in the plan's order, open from a day on.
async fn stations(app: &TestApp, unit: &str, parts: [usize; 3], opened_on: &str) {
    let (organisation_id, opened_on) = (app.organisation(unit).await, opened_on.parse().unwrap());
    let kinds = StationKind::ALL.iter().zip(parts).flat_map(|(kind, count)| vec![*kind; count]);
    let rows: Vec<LegalStation> = kinds
        .enumerate()
        .map(|(number, kind)| LegalStation {
            id: app.ids().id(),
            kind,
            name: format!("{opened_on} {number}"),
            organisation_id,
            address: "示例路1号".into(),
            phone: None,
            hours: None,
            opened_on,
            closed_on: None,
            version: 1,
        })
        .collect();
    app.write(move |conn| {
        rows.iter().try_for_each(|row| unionhall::legal_aid::hands::stations::insert_in_tx(conn, row))
    })
    .await;
}

async fn a_figure_of_stations_agrees_with_their_register(app: TestApp) {
    let (planner, rights) = (app.staff("planner").await, signer(&app, "dept-rights").await);
    stations(&app, "street-buji", [0, 2, 1], "2025-05-20").await;
    stations(&app, "street-buji", [0, 1, 2], "2025-06-10").await;
    // Another unit's, which say nothing here.
    stations(&app, "street-pinghu", [0, 5, 5], "2025-05-01").await;
    let say = |month: &str, parts: [i64; 3]| {
        let (planner, figure) = (planner.clone(), json!({ "month": month, "parts": parts }));
        async move { report(&planner, "11a", "street-buji", figure).await }
    };
    // Everything that differs at once; what is no figure is said alone.
    let wrong = say("2025-06", [1, 9, 3]).await.problem(422, "validation_failed");
    let told = [("/parts/0", "registry_differs"), ("/parts/1", "registry_differs")];
    assert_eq!(faults(&wrong), pairs(&told));
    let wrong = say("2025-06", [-1, 9, 3]).await.problem(422, "validation_failed");
    assert_eq!(faults(&wrong), pairs(&[("/parts/0", "negative")]));
    let wrong = say("2025-05", [0, 3, 1]).await.problem(422, "validation_failed");
    assert!(wrong["errors"].to_string().contains("登记的站点为 2 个"), "{wrong}");
    // A month on its own, and then what was added in the next.
    let may = say("2025-05", [0, 2, 1]).await.ok(201);
    approve(&rights, &may).await.ok(200);
    say("2025-06", [0, 3, 3]).await.problem(422, "validation_failed");
    let june = say("2025-06", [0, 1, 2]).await.ok(201);
    approve(&rights, &june).await.ok(200);
    assert_eq!(target(&app, "11a", "").await["value"], 6);
    // All of it again under May would count twice; May itself may be said anew.
    say("2025-05", [0, 3, 3]).await.problem(422, "validation_failed");
    say("2025-05", [0, 2, 1]).await.ok(201);
    app.run_jobs().await;
}

async fn what_changes_in_the_register_is_not_signed(app: TestApp) {
    let (planner, rights) = (app.staff("planner").await, signer(&app, "dept-rights").await);
    let lead = app.staff("admin").await;
    stations(&app, "street-buji", [0, 2, 0], "2025-06-01").await;
    let made = report(&planner, "11a", "street-buji", json!({ "parts": [0, 2, 0] })).await.ok(201);
    // One of them closes before the department signs.
    let unit = app.organisation("street-buji").await;
    let list = app.anon().get(&format!("/api/v1/legal-stations?organisation={unit}")).await.ok(200);
    let path = format!("/api/v1/legal-stations/{}", text(&list["items"][0], "id"));
    let seen = lead.get(&path).await;
    let change = json!({ "name": list["items"][0]["name"], "address": "示例路1号", "opened_on": "2025-06-01",
        "closed_on": "2025-06-15" });
    lead.put(&path, &seen.etag(), change).await.ok(200);
    approve(&rights, &made).await.problem(409, "state_forbids");
    assert_eq!(stands(&app, "11a").await.0, 0);
    let no = json!({ "decision": "reject", "reasons": ["figure_unproven"] });
    decide(&rights, &text(&made, "review_id"), no).await.ok(200);
    // What agrees is signed, and withdrawing needs no agreement.
    let made = report(&planner, "11a", "street-buji", json!({ "parts": [0, 1, 0] })).await.ok(201);
    approve(&rights, &made).await.ok(200);
    assert_eq!(stands(&app, "11a").await.0, 1);
    let made = report(&planner, "11a", "street-buji", json!({ "withdraws": true })).await.ok(201);
    approve(&rights, &made).await.ok(200);
    assert_eq!(stands(&app, "11a").await.0, 0);
    app.run_jobs().await;
}

async fn who_may_report_and_see(app: TestApp) {
    let pinghu = app.staff("planner-pinghu").await;
    let rights = app.staff("planner-rights").await;
    let buji = staff_of(&app, "planner-buji", "plan_officer", "street-buji").await;
    report(&pinghu, "09a", "street-buji", json!({ "value": 1 })).await.problem(404, "not_found");
    report(&pinghu, "09a", "longgang", json!({ "value": 1 })).await.problem(404, "not_found");
    // The lead department reports for everybody who takes part, in what it leads.
    let made = report(&rights, "09a", "street-buji", json!({ "value": 1 })).await.ok(201);
    report(&rights, "23a", "street-buji", json!({ "value": 1 })).await.problem(404, "not_found");
    let own = report(&pinghu, "09a", "street-pinghu", json!({ "value": 1 })).await.ok(201);
    let path = |report: &Value| format!("/api/v1/plan-reports/{}", text(report, "id"));
    buji.get(&path(&made)).await.ok(200);
    buji.get(&path(&own)).await.problem(404, "not_found");
    rights.get(&path(&own)).await.ok(200);
    let list = "/api/v1/plans/2025/targets/09a/reports";
    let seen = |list: Value| -> BTreeSet<String> {
        list["items"].as_array().unwrap().iter().map(|one| text(one, "id")).collect()
    };
    let these =
        |reports: &[&Value]| -> BTreeSet<String> { reports.iter().map(|one| text(one, "id")).collect() };
    assert_eq!(seen(buji.get(list).await.ok(200)), these(&[&made]));
    assert_eq!(seen(rights.get(list).await.ok(200)), these(&[&own, &made]));
    let unit = app.organisation("street-pinghu").await;
    assert_eq!(seen(rights.get(&format!("{list}?unit={unit}")).await.ok(200)), these(&[&own]));
    // Nobody signs what they reported themselves.
    let both = staff_of(&app, "both", "reviewer", "dept-rights").await;
    staff_of(&app, "both", "plan_officer", "dept-rights").await;
    signer(&app, "dept-rights").await;
    let made = report(&both, "09a", "dept-rights", json!({ "value": 1 })).await.ok(201);
    approve(&both, &made).await.problem(403, "review_recused");
    app.run_jobs().await;
}

async fn what_was_reported_is_not_edited(app: TestApp) {
    report(&app.staff("planner").await, "09a", "street-pinghu", json!({ "value": 1 })).await.ok(201);
    let edited = app.db().write(|conn| {
        Ok(diesel::update(plan_reports::table).set(plan_reports::value.eq(Some(99))).execute(conn)?)
    });
    assert!(edited.await.is_err());
    let removed = app.db().write(|conn| Ok(diesel::delete(plan_reports::table).execute(conn)?));
    assert!(removed.await.is_err());
    let kept: Vec<Option<i64>> =
        app.read(|conn| Ok(plan_reports::table.select(plan_reports::value).load(conn)?)).await;
    assert_eq!(kept, [Some(1)]);
    app.run_jobs().await;
}

async fn evidence_may_be_demanded(app: TestApp) {
    app.write(|conn| {
        let rule = targets::table.filter(targets::code.eq("17b"));
        diesel::update(rule).set(targets::min_good_percent.eq(Some(60))).execute(conn)?;
        let small = targets::table.filter(targets::code.eq("17b"));
        Ok(diesel::update(small).set(targets::value.eq(100)).execute(conn)?)
    })
    .await;
    let activity = app.activity(crate::headcounts::on_the_square).await;
    crate::headcounts::attend(&app, "zhang", &activity).await;
    crate::headcounts::counted(&app, activity.session, 120).await;
    let progress = target(&app, "17b", "").await;
    assert_eq!((&progress["value"], &progress["standing"]), (&json!(120), &json!("behind")));
    let mix = &progress["evidence"];
    assert_eq!(
        (&mix["b"], &mix["d"], &mix["good_per_mille"], &mix["short"]),
        (&json!(1), &json!(119), &json!(8), &json!(true))
    );
    app.run_jobs().await;
}
