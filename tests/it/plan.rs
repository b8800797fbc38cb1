//! The work plan: its words, its progress by every kind of rule, and its milestones.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::platform::db::schema::audit_entries;
use unionhall::seed::{self, SeedSource, loader};

use super::http::problems::{faults, pairs};
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    the_plan_is_there_word_for_word,
    every_target_stands_where_its_rule_puts_it,
    a_standing_goes_with_the_calendar,
    a_person_counts_once_for_the_district_though_seen_in_two_streets,
    each_station_of_the_city_is_due_every_month,
    an_exchange_is_due_in_every_quarter,
    a_milestone_is_reached_with_evidence_and_may_be_reopened,
    the_plan_is_read_by_staff_and_kept_by_the_district,
    loading_the_seeds_again_changes_nothing,
];

async fn target(app: &TestApp, code: &str) -> Value {
    let path = format!("/api/v1/plans/2025/progress?targets={code}");
    let progress = app.staff("planner").await.get(&path).await.ok(200);
    assert_eq!(progress["targets"].as_array().unwrap().len(), 1);
    progress["targets"][0].clone()
}

/// `name` and `value` of each row.
fn rows(rows: &Value) -> Vec<(&str, i64)> {
    let row = |row: &'_ Value| row["value"].as_i64().unwrap();
    rows.as_array().unwrap().iter().map(|one| (one["name"].as_str().unwrap(), row(one))).collect()
}

async fn attend(gate: &Actor, worker: &Actor, activity: &Made) {
    worker.sign_up(activity).await.ok(201);
    gate.scan(activity.session, &worker.pass().await).await.ok(200);
}

async fn the_plan_is_there_word_for_word(app: TestApp) {
    let planner = app.staff("planner").await;
    let plans = planner.get("/api/v1/plans").await.ok(200);
    assert_eq!(plans["items"].as_array().unwrap().len(), 1);
    let plan = planner.get("/api/v1/plans/2025").await.ok(200);
    assert_eq!(
        (&plan["title"], &plan["starts_on"], &plan["ends_on"]),
        (&json!("深圳市龙岗区总工会 2025 年工作要点"), &json!("2025-01-01"), &json!("2025-12-31"))
    );
    let items = plan["items"].as_array().unwrap();
    let numbers: Vec<i64> = items.iter().map(|item| item["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    let seventh = &items[6];
    assert_eq!(seventh["title"], "推动产业工人技能素质提升");
    assert_eq!(
        seventh["text"],
        "推动产业工人技能素质提升。实施“龙岗区职工素质提升2025行动”，统筹各街道、行业工会开展技能培训不少于200场次，\
         惠及职工不少于1万人次。落实“圆梦计划”，推广职工学历提升教育平台资源，发动不少于6000人次参加学历提升相关活动。\
         （牵头部室：宣教服务部，参与单位：各街道总工会、行业工会）"
    );
    assert_eq!(seventh["leads"], json!(["dept-education"]));
    assert_eq!(seventh["participants"], json!(["all_sub_districts", "industry_unions"]));
    assert_eq!(seventh["targets"], json!(["07a", "07b", "07c"]));
    let of_items: usize = items.iter().map(|item| item["targets"].as_array().unwrap().len()).sum();
    assert_eq!(of_items, 46);
    for nowhere in ["/api/v1/plans/2024", "/api/v1/plans/25", "/api/v1/plans/+2025", "/api/v1/plans/x"] {
        planner.get(nowhere).await.problem(404, "not_found");
    }
    planner.get("/api/v1/plans/2025/progress?targets=7a").await.problem(400, "query_invalid");
}

async fn every_target_stands_where_its_rule_puts_it(app: TestApp) {
    let progress = app.staff("planner").await.get("/api/v1/plans/2025/progress").await.ok(200);
    let targets = progress["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 46);
    let codes: Vec<&str> = targets.iter().map(|target| target["code"].as_str().unwrap()).collect();
    assert!(codes.is_sorted() && codes[0] == "03a" && codes[45] == "29d");
    let mut standings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for target in targets {
        let code = target["code"].as_str().unwrap();
        assert_eq!((&target["value"], &target["percent"]), (&json!(0), &json!(0)), "{code}");
        let units = match code {
            "16b" => Some(3),
            "24a" | "25b" => Some(11),
            "27a" => Some(4),
            _ => None,
        };
        let required = units.map_or(target["target_value"].clone(), Value::from);
        assert_eq!(target["required"], required, "{code}");
        standings.entry(target["standing"].as_str().unwrap()).or_default().push(code);
    }
    // 16 June: of a value that is due in each period, months and a quarter are over already.
    assert_eq!(standings["failed"], ["16b", "27a"]);
    let counted = [
        "03a", "03b", "05a", "07a", "07b", "07c", "09c", "09e", "11b", "17a", "17b", "17c", "19a", "19b",
        "19c", "20a", "21a", "21b",
    ];
    assert_eq!(standings["at_risk"], counted);
    assert_eq!(standings["not_reported"].len(), 46 - 2 - counted.len());
    assert_eq!(standings.len(), 3);
    // 166 of 365 days are gone.
    let training = targets.iter().find(|target| target["code"] == "07a").unwrap();
    assert_eq!((&training["required"], &training["expected_by_now"]), (&json!(200), &json!(90)));
    assert_eq!((&training["pair"], &training["pair_standing"]), (&json!("07b"), &json!("at_risk")));
    assert_eq!(training["lines_url"], "/api/v1/plans/2025/targets/07a/lines");
}

async fn a_standing_goes_with_the_calendar(app: TestApp) {
    // The demonstration counts to the end of the year here: the year is over when it is over.
    app.advance(TimeDelta::days(198));
    assert_eq!(target(&app, "07a").await["standing"], "at_risk", "31 December is of the year");
    assert_eq!(target(&app, "07a").await["expected_by_now"], 199);
    app.advance(TimeDelta::days(1));
    let over = target(&app, "07a").await;
    assert_eq!((&over["standing"], &over["expected_by_now"]), (&json!("failed"), &json!(200)));
    assert_eq!(target(&app, "08a").await["standing"], "not_reported");
}

async fn a_person_counts_once_for_the_district_though_seen_in_two_streets(app: TestApp) {
    let gate = app.staff("gate").await;
    let (pinghu, buji) = (app.organisation("street-pinghu").await, app.organisation("street-buji").await);
    let here = app.activity(|a| a.programme("demo-craftsman-support").organisation("street-pinghu")).await;
    let there = app.activity(|a| a.programme("demo-craftsman-support").organisation("street-buji")).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    // Zhang moves from one street to the other between the two days.
    zhang.set_profile("张三", Some(pinghu)).await;
    li.set_profile("李四", Some(buji)).await;
    attend(&gate, &zhang, &here).await;
    assert_eq!(target(&app, "09e").await["value"], 1);
    zhang.set_profile("张三", Some(buji)).await;
    attend(&gate, &zhang, &there).await;
    attend(&gate, &li, &there).await;
    let progress = target(&app, "09e").await;
    assert_eq!((&progress["measure"], &progress["value"]), (&json!("distinct_persons"), &json!(2)));
    assert_eq!(rows(&progress["by_organisation"]), [("布吉街道", 2), ("平湖街道", 1)]);
    assert_eq!(progress["overlap"], 1, "the streets add up to one more than there are people");
    // Once more in the same street is nobody new.
    let again = app.activity(|a| a.programme("demo-craftsman-support").organisation("street-buji")).await;
    attend(&gate, &zhang, &again).await;
    assert_eq!(target(&app, "09e").await, progress);
    let lines = app.staff("planner").await.get("/api/v1/plans/2025/targets/09e/lines").await.ok(200);
    assert_eq!(lines["items"].as_array().unwrap().len(), 5, "two of the district, three of the streets");
    app.run_jobs().await;
}

async fn each_station_of_the_city_is_due_every_month(app: TestApp) {
    let gate = app.staff("gate").await;
    let before = target(&app, "16b").await;
    let june = |target: &Value| target["periods"][5].clone();
    assert_eq!(before["periods"].as_array().unwrap().len(), 12);
    let stations = before["required"].as_i64().unwrap();
    let mut due: Vec<String> =
        rows(&june(&before)["failing"]).iter().map(|(name, _)| (*name).to_owned()).collect();
    due.sort();
    assert_eq!(due.len(), usize::try_from(stations).unwrap());
    assert!(due.contains(&"坂田驿站一号".to_owned()) && !due.contains(&"坂田驿站二号".to_owned()), "{due:?}");
    // One of the city's stations, one that is not, and a street's own service: only the first counts.
    for organiser in ["demo-station-bantian-1", "demo-station-bantian-2", "street-bantian"] {
        let activity = app.activity(|a| a.programme("demo-station-service").organisation(organiser)).await;
        attend(&gate, &app.worker("zhang").await, &activity).await;
        gate.finalise(activity.session).await.ok(200);
    }
    let after = target(&app, "16b").await;
    let month = june(&after);
    assert_eq!(
        (&month["label"], &month["value"], &month["over"], &month["met"]),
        (&json!("2025-06"), &json!(1), &json!(false), &json!(false))
    );
    let mut failing: Vec<&str> = rows(&month["failing"]).iter().map(|(name, _)| *name).collect();
    failing.sort_unstable();
    let expected: Vec<&str> = due.iter().map(String::as_str).filter(|name| *name != "坂田驿站一号").collect();
    assert_eq!(failing, expected);
    let may = &after["periods"][4];
    assert_eq!((&may["value"], &may["over"], &may["met"]), (&json!(0), &json!(true), &json!(false)));
    assert_eq!(rows(&may["failing"]).len(), due.len());
    assert_eq!((&after["standing"], &after["value"]), (&json!("failed"), &json!(0)));
    app.run_jobs().await;
}

async fn an_exchange_is_due_in_every_quarter(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.programme("demo-street-exchange")).await;
    attend(&gate, &app.worker("zhang").await, &activity).await;
    assert_eq!(target(&app, "27a").await["value"], 0, "a session counts when it is finalised");
    gate.finalise(activity.session).await.ok(200);
    let progress = target(&app, "27a").await;
    let quarters: Vec<(&str, i64, bool, bool)> = progress["periods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let flag = |name: &str| p[name].as_bool().unwrap();
            (p["label"].as_str().unwrap(), p["value"].as_i64().unwrap(), flag("over"), flag("met"))
        })
        .collect();
    let expected = [
        ("2025-Q1", 0, true, false),
        ("2025-Q2", 1, false, true),
        ("2025-Q3", 0, false, false),
        ("2025-Q4", 0, false, false),
    ];
    assert_eq!(quarters, expected);
    assert_eq!((&progress["value"], &progress["required"]), (&json!(1), &json!(4)));
    assert_eq!(progress["standing"], "failed", "the first quarter cannot be made up");
    app.run_jobs().await;
}

async fn a_milestone_is_reached_with_evidence_and_may_be_reopened(app: TestApp) {
    let planner = app.staff("planner").await;
    let list = planner.get("/api/v1/plans/2025/milestones").await.ok(200);
    let items = list["items"].as_array().unwrap();
    let codes: Vec<&str> = items.iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert!(codes.is_sorted() && codes.len() > 50 && codes[0] == "M01-1", "{codes:?}");
    assert!(items.iter().all(|item| item["reached"] == false && item["overdue"] == false));
    let path = format!("/api/v1/milestones/{}", items[0]["id"].as_str().unwrap());
    let seen = planner.get(&path).await;
    for evidence in [json!(null), json!(""), json!("  \n ")] {
        let body = json!({ "reached": true, "evidence": evidence });
        let problem = planner.put(&path, &seen.etag(), body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/evidence", "required")]));
    }
    let body = json!({ "reached": true, "evidence": " 龙工〔2025〕12 号会议纪要 " });
    let reached = planner.put(&path, &seen.etag(), body.clone()).await;
    let view = reached.expect(200).body.clone();
    assert_eq!((&view["reached"], &view["evidence"]), (&json!(true), &json!("龙工〔2025〕12 号会议纪要")));
    assert_eq!(view["reached_by"], json!(planner.person()));
    assert_eq!(view["reached_at"], "2025-06-16T02:00:00Z");
    planner.put(&path, &seen.etag(), body.clone()).await.problem(412, "precondition_failed");
    let blind = planner.request(reqwest::Method::PUT, &path).json(&body);
    planner.send(blind).await.problem(428, "precondition_required");
    assert_eq!(planner.get(&path).await.ok(200), view);
    let reopened = planner.put(&path, &reached.etag(), json!({ "reached": false })).await;
    let view = reopened.expect(200).body.clone();
    assert_eq!(view["reached"], false);
    for gone in ["evidence", "reached_at", "reached_by"] {
        assert_eq!(view.get(gone), None, "{gone}");
    }
    let object = items[0]["id"].as_str().unwrap();
    let audit =
        app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={object}")).await.ok(200);
    let actions: Vec<&Value> = audit["items"].as_array().unwrap().iter().map(|e| &e["action"]).collect();
    assert_eq!(actions, ["milestone.reopen", "milestone.reach"]);
    // The day after it was due it is late.
    app.advance(TimeDelta::days(199));
    assert_eq!(app.staff("planner").await.get(&path).await.ok(200)["overdue"], true);
}

async fn the_plan_is_read_by_staff_and_kept_by_the_district(app: TestApp) {
    let list = app.staff("planner").await.get("/api/v1/plans/2025/milestones").await.ok(200);
    let path = format!("/api/v1/milestones/{}", list["items"][0]["id"].as_str().unwrap());
    let etag = app.staff("planner").await.get(&path).await.etag();
    let body = json!({ "reached": true, "evidence": "有据" });
    for name in ["planner-pinghu", "planner-rights"] {
        let local = app.staff(name).await;
        local.get("/api/v1/plans/2025/progress").await.ok(200);
        local.put(&path, &etag, body.clone()).await.problem(403, "forbidden");
    }
    for name in ["auditor", "organiser", "gate"] {
        app.staff(name).await.put(&path, &etag, body.clone()).await.problem(403, "forbidden");
    }
    app.staff("gate").await.get("/api/v1/plans/2025/targets/07a/lines").await.problem(403, "forbidden");
    for path in ["/api/v1/plans", "/api/v1/plans/2025", "/api/v1/plans/2025/progress", &path] {
        app.worker("zhang").await.get(path).await.problem(403, "forbidden");
        app.anon().get(path).await.problem(401, "unauthenticated");
    }
}

async fn loading_the_seeds_again_changes_nothing(app: TestApp) {
    let entries = || app.read(|conn| Ok(audit_entries::table.count().get_result::<i64>(conn)?));
    let before = entries().await;
    let list = app.anon().get("/api/v1/activities?limit=100").await.ok(200);
    for days in [0, 1, 40] {
        let (ids, now) = (app.ids().clone(), app.now() + TimeDelta::days(days));
        let appid = app.config().wechat.appid.clone();
        let loaded = app
            .write(move |conn| {
                let seeds = seed::load(&SeedSource::Embedded).unwrap();
                let again = loader::Loader { ids: &ids, now, simulated_appid: Some(&appid), demo: true };
                loader::load_in_tx(conn, &seeds, &again)
            })
            .await;
        assert_eq!((loaded.created, loaded.changed), (0, 0), "after {days} days");
        assert!(loaded.unchanged > 200, "{loaded:?}");
    }
    assert_eq!(entries().await, before);
    assert_eq!(app.anon().get("/api/v1/activities?limit=100").await.ok(200), list);
}
