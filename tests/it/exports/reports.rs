//! Reports: made by jobs, the same to the byte, equal to the API's figures, and harmless.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use unionhall::clock::db_time;
use unionhall::plan::exports::jobs::Make;
use unionhall::platform::db::schema::{jobs, organisations, plan_exports};
use unionhall::platform::outbox::{Job, JobHandler, JobState};
use unionhall::platform::vault::{Cipher, KeyConfig};

use super::{asked, attend, cell, fetch, made, records, settle, sheet};
use crate::cli::unionhall;
use crate::files::keeping::objects;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_report_is_made_by_a_job_that_says_how_far_it_is,
    figures_of_workbook_and_csv_are_those_of_the_api,
    the_same_moment_gives_the_same_bytes_whatever_came_later,
    what_others_wrote_is_no_formula_and_no_tag,
    a_street_s_officer_gets_their_street,
    what_cannot_be_made_is_refused_with_all_that_is_wrong,
    a_job_whose_process_died_makes_one_report,
    a_report_goes_after_its_time_and_can_be_made_again,
    keys_are_changed_and_reports_stay_readable,
    the_page_to_print_brings_everything_and_asks_nobody,
];

/// Two streets, three people, two sessions of which one is finalised.
async fn some_attendance(app: &TestApp) {
    let gate = app.staff("gate").await;
    let here = app.activity(|a| a.organisation("street-pinghu")).await;
    let there = app.activity(|a| a.organisation("street-buji")).await;
    let (pinghu, buji) = (app.organisation("street-pinghu").await, app.organisation("street-buji").await);
    for (name, activity, home) in [("zhang", &here, pinghu), ("li", &here, buji), ("wang", &there, buji)] {
        let worker = app.worker(name).await;
        worker.set_profile("张三丰", Some(home)).await;
        attend(&gate, &worker, activity).await;
    }
    gate.finalise(here.session).await.ok(200);
    app.run_jobs().await;
}

async fn a_report_is_made_by_a_job_that_says_how_far_it_is(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let planner = app.staff("planner").await;
    let body = json!({ "kind": "figures", "format": "xlsx" });
    let key = planner.fresh_key();
    let reply = planner.post_keyed(&key, "/api/v1/plans/2025/reports", body.clone()).await;
    let asked_for = reply.expect(202).body.clone();
    assert_eq!((&asked_for["state"], &asked_for["percent"]), (&json!("waiting"), &json!(0)));
    // Ten o'clock and two minutes: the last minute that is settled is the one before.
    assert_eq!(asked_for["as_of"], "2025-06-16T02:01:00Z");
    let path = reply.header("location").unwrap().to_owned();
    let again = planner.post_keyed(&key, "/api/v1/plans/2025/reports", body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")));
    assert_eq!((again.header("location"), &again.body), (Some(path.as_str()), &asked_for));
    let early = planner.get(&format!("{path}/content")).await;
    assert_eq!(early.header("retry-after"), Some("1"));
    early.problem(409, "state_forbids");

    app.run_jobs().await;
    let report = planner.get(&path).await.ok(200);
    assert_eq!((&report["state"], &report["percent"]), (&json!("ready"), &json!(100)));
    assert_eq!(report["expires_at"], "2025-07-16T02:02:00Z");
    let content = fetch(&planner, report["content_url"].as_str().unwrap()).await;
    let digest = Sha256::digest(&content.bytes);
    assert_eq!(report["sha256"], hex::encode(digest));
    assert_eq!(report["bytes"], content.bytes.len());
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(digest);
    assert_eq!(content.header("repr-digest"), format!("sha-256=:{base64}:"));
    assert!(content.header("content-type").ends_with("spreadsheetml.sheet"));
    assert!(
        content.header("content-disposition").starts_with("attachment; filename=\"plan-2025-figures-rpt_")
    );
    let known = planner
        .request(reqwest::Method::GET, &format!("{path}/content"))
        .header("if-none-match", content.header("etag"));
    assert_eq!(planner.send(known).await.status, 304);
    // What lies in the store is sealed.
    let stored = objects(&app);
    assert!(stored.len() == 1 && stored[0].starts_with(b"uhv1"));
    let object = report["id"].as_str().unwrap();
    let audit =
        app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={object}")).await.ok(200);
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["report.read", "report.read", "report.make", "report.ask"]);
}

/// `code` → (value, required, standing) and parts, as the API gives them.
type Figures = BTreeMap<String, (i64, i64, String, Vec<(String, i64)>)>;

async fn figures_of_the_api(actor: &Actor) -> Figures {
    let progress = actor.get("/api/v1/plans/2025/progress").await.ok(200);
    let number = |value: &Value| value.as_i64().unwrap();
    let row = |target: &Value| {
        let parts = target["by_organisation"].as_array().unwrap();
        let mut parts: Vec<(String, i64)> = parts
            .iter()
            .map(|part| (part["name"].as_str().unwrap().to_owned(), number(&part["value"])))
            .collect();
        parts.sort();
        let standing = target["standing"].as_str().unwrap().to_owned();
        let code = target["code"].as_str().unwrap().to_owned();
        (code, (number(&target["value"]), number(&target["required"]), standing, parts))
    };
    progress["targets"].as_array().unwrap().iter().map(row).collect()
}

/// The same from a workbook.
fn figures_of_the_workbook(bytes: &[u8]) -> Figures {
    let number = |text: String| text.parse::<f64>().unwrap() as i64;
    let word = |text: &str| {
        let known = [
            ("已完成", "met"),
            ("超出范围", "beyond_range"),
            ("超前", "ahead"),
            ("进度正常", "on_pace"),
            ("落后", "behind"),
            ("存在风险", "at_risk"),
            ("未达标", "failed"),
            ("待上报", "not_reported"),
        ];
        known.iter().find(|(zh, _)| *zh == text).map_or(text.to_owned(), |(_, code)| (*code).to_owned())
    };
    let summary = sheet(bytes, "目标汇总");
    let mut figures = Figures::new();
    for row in 4..=summary.end().unwrap().0 {
        let item = sheet(bytes, &format!("第{}项", number(cell(&summary, row, 0))));
        let code = cell(&summary, row, 1);
        let (rows, _) = item.end().unwrap();
        let top = (0..=rows).find(|at| cell(&item, *at, 0).starts_with(&format!("{code}　"))).unwrap();
        // Its figure stands on its own sheet too.
        for (column, there) in [(5, 0), (6, 1), (8, 3), (9, 4), (12, 5)] {
            assert_eq!(cell(&summary, row, column), cell(&item, top + 2, there), "{code}");
        }
        let mut parts: Vec<(String, i64)> = (top + 5..=rows)
            .take_while(|at| !cell(&item, *at, 7).is_empty())
            .map(|at| (cell(&item, at, 7), number(cell(&item, at, 8))))
            .collect();
        parts.sort();
        let figure = (
            number(cell(&summary, row, 5)),
            number(cell(&summary, row, 6)),
            word(&cell(&summary, row, 12)),
            parts,
        );
        figures.insert(code, figure);
    }
    figures
}

async fn figures_of_workbook_and_csv_are_those_of_the_api(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let planner = app.staff("planner").await;
    let api = figures_of_the_api(&planner).await;
    assert_eq!((api.len(), api["07a"].0, api["07b"].0), (46, 1, 3), "something is counted");
    let (_, workbook) = made(&app, &planner, json!({ "kind": "figures", "format": "xlsx" })).await;
    assert_eq!(figures_of_the_workbook(&workbook), api);
    // By month: all of it in June, and added up from there on.
    let item = sheet(&workbook, "第7项");
    let rows = item.end().unwrap().0;
    let top = (0..=rows).find(|at| cell(&item, *at, 0).starts_with("07b　")).unwrap();
    let month = |label: &str| (top..=rows).find(|at| cell(&item, *at, 0) == label).unwrap();
    let june = month("2025-06");
    assert_eq!((cell(&item, june, 1), cell(&item, june, 2)), ("3".into(), "3".into()));
    assert_eq!(cell(&item, june, 3), "4958", "181 of 365 days of 10,000");
    assert_eq!(cell(&item, month("2025-05"), 2), "0");
    assert_eq!(cell(&item, month("2025-07"), 2), "", "what is to come is not added up");

    let table = planner.get("/api/v1/plans/2025/figures.csv").await;
    assert_eq!(table.expect(200).header("content-type"), Some("text/csv; charset=utf-8"));
    let (_, bytes) = made(&app, &planner, json!({ "kind": "figures", "format": "csv" })).await;
    assert_eq!(
        table.text.as_bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(table.text.as_bytes()),
        &bytes[3..]
    );
    assert!(bytes.windows(2).filter(|two| two == b"\r\n").count() > 46);
    let rows = records(&bytes);
    let column = |name: &str| rows[0].iter().position(|head| head == name).unwrap();
    let (code, level, name, value) = (column("目标"), column("层级"), column("名称"), column("数值"));
    for (target, (whole, required, _, parts)) in &api {
        let own: Vec<&Vec<String>> = rows[1..].iter().filter(|row| row[code] == *target).collect();
        let total = own.iter().find(|row| row[level] == "全区").unwrap();
        assert_eq!((&total[value], &total[column("应完成")]), (&whole.to_string(), &required.to_string()));
        let mut found: Vec<(String, i64)> = own
            .iter()
            .filter(|row| row[level] == "单位")
            .map(|row| (row[name].clone(), row[value].parse().unwrap()))
            .collect();
        found.sort();
        assert_eq!(found, *parts, "{target}");
    }
    let (_, lines) = made(&app, &planner, json!({ "kind": "lines", "format": "csv", "target": "07b" })).await;
    let lines = records(&lines);
    let api = planner.get("/api/v1/plans/2025/targets/07b/lines").await.ok(200);
    let ids: Vec<&str> = api["items"].as_array().unwrap().iter().map(|l| l["id"].as_str().unwrap()).collect();
    assert_eq!(lines[1..].iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ids);
    assert_eq!(lines.len(), 4);
}

async fn the_same_moment_gives_the_same_bytes_whatever_came_later(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let planner = app.staff("planner").await;
    let kinds = [
        json!({ "kind": "figures", "format": "xlsx" }),
        json!({ "kind": "figures", "format": "csv" }),
        json!({ "kind": "figures", "format": "html" }),
        json!({ "kind": "lines", "format": "csv", "target": "07b" }),
    ];
    let mut first = Vec::new();
    for kind in &kinds {
        first.push(made(&app, &planner, kind.clone()).await);
    }
    // More comes.
    let gate = app.staff("gate").await;
    let more = app.activity(|a| a.organisation("street-buji")).await;
    let chen = app.worker("chen").await;
    attend(&gate, &chen, &more).await;
    gate.finalise(more.session).await.ok(200);
    app.run_jobs().await;
    settle(&app);
    for (kind, (report, bytes)) in kinds.iter().zip(first) {
        let mut as_of = kind.clone();
        as_of["as_of"] = report["as_of"].clone();
        let (again, same) = made(&app, &planner, as_of).await;
        assert_ne!(again["id"], report["id"]);
        assert_eq!(again["sha256"], report["sha256"], "{kind}");
        assert!(same == bytes, "{kind}");
        let (now, other) = made(&app, &planner, kind.clone()).await;
        assert_ne!(now["sha256"], report["sha256"], "{kind} has news");
        assert!(other != bytes);
    }
}

async fn what_others_wrote_is_no_formula_and_no_tag(app: TestApp) {
    let evil = "=HYPERLINK(\"http://evil.example\",\"点我\")";
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.title(evil)).await;
    attend(&gate, &app.worker("zhang").await, &activity).await;
    app.run_jobs().await;
    app.write(|c| {
        let pinghu = organisations::table.filter(organisations::code.eq("street-pinghu"));
        let buji = organisations::table.filter(organisations::code.eq("street-buji"));
        diesel::update(pinghu)
            .set(organisations::short_name.eq("@SUM(1+1)<script>alert(1)</script>"))
            .execute(c)?;
        diesel::update(buji).set(organisations::short_name.eq("\t-2+3")).execute(c)?;
        Ok(())
    })
    .await;
    settle(&app);
    let planner = app.staff("planner").await;
    let starts =
        |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let (_, lines) = made(&app, &planner, json!({ "kind": "lines", "format": "csv", "target": "07b" })).await;
    let rows = records(&lines);
    assert_eq!(rows[1][7], format!("'{evil}"));
    let (_, figures) = made(&app, &planner, json!({ "kind": "figures", "format": "csv" })).await;
    let figures = records(&figures);
    for cell in rows.iter().chain(&figures).flatten() {
        assert!(!starts(cell), "{cell}");
    }
    assert!(figures.iter().flatten().any(|cell| cell.starts_with("'@SUM(1+1)")));
    let (_, book) = made(&app, &planner, json!({ "kind": "figures", "format": "xlsx" })).await;
    let newest = sheet(&book, "台账明细");
    assert_eq!(cell(&newest, 3, 7), format!("'{evil}"));
    for name in ["概览", "目标汇总", "第7项", "数据来源", "台账明细"] {
        for (_, _, value) in sheet(&book, name).used_cells() {
            let text = value.to_string();
            assert!(!starts(&text), "{name}: {text}");
        }
    }
    let (_, page) = made(&app, &planner, json!({ "kind": "figures", "format": "html" })).await;
    let page = String::from_utf8(page).unwrap();
    assert!(!page.contains("<script") && page.contains("@SUM(1+1)&lt;script&gt;"));
    let board = app.anon().get("/plans/2025/board").await;
    assert!(!board.expect(200).text.contains("<script"));
}

async fn a_street_s_officer_gets_their_street(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let (planner, local) = (app.staff("planner").await, app.staff("planner-pinghu").await);
    let (pinghu, buji) = (app.organisation("street-pinghu").await, app.organisation("street-buji").await);
    let figures = json!({ "kind": "figures", "format": "csv" });
    let (report, bytes) = made(&app, &local, figures.clone()).await;
    assert_eq!(report["organisation_id"], json!(pinghu));
    let rows = records(&bytes);
    let parts: Vec<&str> = rows.iter().filter(|row| row[5] == "单位").map(|row| row[6].as_str()).collect();
    assert!(!parts.is_empty() && parts.iter().all(|name| *name == "平湖街道"), "{parts:?}");
    // The district's state stands beside it, as it does in the API.
    assert!(rows.iter().any(|row| row[3] == "07b" && row[5] == "全区" && row[7] == "3"));
    let june = rows.iter().find(|row| row[3] == "07b" && row[5] == "月份").unwrap();
    assert_eq!((june[6].as_str(), june[7].as_str()), ("2025-06", "1"));
    let lines = json!({ "kind": "lines", "format": "csv", "target": "07b" });
    let (_, own) = made(&app, &local, lines.clone()).await;
    assert_eq!(records(&own).len(), 2, "one line of theirs");
    // The district asks for the same and gets the same.
    let mut named = figures.clone();
    named["organisation_id"] = json!(pinghu);
    assert_eq!(made(&app, &planner, named).await.0["sha256"], report["sha256"]);
    // What lies outside does not exist.
    for elsewhere in [buji, app.organisation("longgang").await] {
        let mut body = figures.clone();
        body["organisation_id"] = json!(elsewhere);
        let problem = local.post("/api/v1/plans/2025/reports", body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/organisation_id", "unknown")]));
    }
    let theirs = asked(&planner, lines).await;
    app.run_jobs().await;
    local.get(&theirs).await.problem(404, "not_found");
    local.get(&format!("{theirs}/content")).await.problem(404, "not_found");
    let ours = format!("/api/v1/reports/{}", report["id"].as_str().unwrap());
    assert_eq!(planner.get(&ours).await.ok(200)["state"], "ready");
    app.staff("planner-rights").await.get(&ours).await.problem(404, "not_found");
}

async fn what_cannot_be_made_is_refused_with_all_that_is_wrong(app: TestApp) {
    let planner = app.staff("planner").await;
    let refused = async |body: Value, expected: &[(&str, &str)]| {
        let reply = planner.post("/api/v1/plans/2025/reports", body).await;
        assert_eq!(faults(&reply.problem(422, "validation_failed")), pairs(expected));
    };
    refused(json!({ "kind": "figures", "format": "pdf" }), &[("/format", "enum")]).await;
    refused(json!({ "kind": "gossip", "format": "csv" }), &[("/kind", "enum")]).await;
    refused(json!({ "kind": "lines", "format": "xlsx", "target": "07b" }), &[("/format", "unsupported")])
        .await;
    refused(json!({ "kind": "lines", "format": "csv" }), &[("/target", "unknown")]).await;
    refused(json!({ "kind": "lines", "format": "csv", "target": "99z" }), &[("/target", "unknown")]).await;
    refused(json!({ "kind": "figures", "format": "csv", "target": "07b" }), &[("/target", "unexpected")])
        .await;
    // This very minute is not settled yet.
    let late = json!({ "kind": "lines", "format": "csv", "as_of": app.now() });
    refused(late, &[("/as_of", "too_late"), ("/target", "unknown")]).await;
    let body = json!({ "kind": "figures", "format": "csv" });
    planner.post("/api/v1/plans/2024/reports", body.clone()).await.problem(404, "not_found");
    planner.get("/api/v1/reports/rpt_01k5b8m3q2e9t8h6y1v7z4w0xn").await.problem(404, "not_found");
    let soon = (app.now() + TimeDelta::days(1)).to_rfc3339().replace('+', "%2B");
    let problem = planner.get(&format!("/api/v1/plans/2025/figures.csv?as_of={soon}")).await;
    assert_eq!(faults(&problem.problem(400, "query_invalid")), pairs(&[("/query/as_of", "too_late")]));
    app.staff("organiser").await.post("/api/v1/plans/2025/reports", body).await.problem(403, "forbidden");
    let none: i64 = app.read(|c| Ok(plan_exports::table.count().get_result(c)?)).await;
    assert_eq!(none, 0, "nothing is left behind");
}

async fn a_job_whose_process_died_makes_one_report(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let planner = app.staff("planner").await;
    let path = asked(&planner, json!({ "kind": "figures", "format": "xlsx" })).await;
    // Another instance claims the job, makes the content, and dies before it says so.
    let until = db_time(app.now() + TimeDelta::minutes(2));
    let job: Job = app
        .write(move |c| {
            let ours = jobs::table.filter(jobs::kind.eq("plan.report"));
            diesel::update(ours)
                .set((
                    jobs::state.eq(JobState::Running),
                    jobs::leased_by.eq("another"),
                    jobs::leased_until.eq(until),
                    jobs::attempts.eq(1),
                ))
                .execute(c)?;
            Ok(jobs::table.filter(jobs::kind.eq("plan.report")).select(Job::as_select()).first(c)?)
        })
        .await;
    let platform = app.app().platform();
    let make = Make {
        clock: platform.clock.clone(),
        vault: platform.vault.clone(),
        storage: app.app().files().storage().clone(),
    };
    let db = app.db().clone();
    tokio::task::spawn_blocking(move || make.prepare(&db, &job)).await.unwrap().unwrap();
    let half = planner.get(&path).await.ok(200);
    assert_eq!((&half["state"], &half["percent"]), (&json!("making"), &json!(99)));
    planner.get(&format!("{path}/content")).await.problem(409, "state_forbids");
    app.run_jobs().await;
    assert_eq!(planner.get(&path).await.ok(200)["state"], "making", "the lease lasts to its end");
    app.advance(TimeDelta::minutes(3));
    app.run_jobs().await;
    let report = planner.get(&path).await.ok(200);
    assert_eq!(report["state"], "ready");
    let content = fetch(&planner, &format!("{path}/content")).await;
    assert_eq!(report["sha256"], hex::encode(Sha256::digest(&content.bytes)));
    assert_eq!(objects(&app).len(), 1);
    let object = report["id"].as_str().unwrap();
    let audit =
        app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={object}")).await.ok(200);
    let made =
        audit["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "report.make").count();
    assert_eq!(made, 1);
}

async fn a_report_goes_after_its_time_and_can_be_made_again(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let planner = app.staff("planner").await;
    let body = json!({ "kind": "figures", "format": "html" });
    let (report, _) = made(&app, &planner, body.clone()).await;
    let path = format!("/api/v1/reports/{}", report["id"].as_str().unwrap());
    app.advance(TimeDelta::days(31));
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
    assert!(objects(&app).is_empty());
    let planner = app.staff("planner").await;
    let gone = planner.get(&path).await.ok(200);
    assert_eq!((&gone["state"], &gone["sha256"]), (&json!("expired"), &report["sha256"]));
    assert_eq!(gone.get("content_url"), None);
    planner.get(&format!("{path}/content")).await.problem(404, "not_found");
    let mut again = body;
    again["as_of"] = report["as_of"].clone();
    assert_eq!(made(&app, &planner, again).await.0["sha256"], report["sha256"]);
}

async fn keys_are_changed_and_reports_stay_readable(app: TestApp) {
    let planner = app.staff("planner").await;
    let (report, bytes) = made(&app, &planner, json!({ "kind": "figures", "format": "csv" })).await;
    let content = format!("/api/v1/reports/{}/content", report["id"].as_str().unwrap());
    let old = app.config().vault.clone();
    let secret = "another-secret-of-the-vault-for-tests-0004";
    let home = tempfile::TempDir::new().unwrap();
    let settings = format!(
        "[vault]\nkey_id = \"v2\"\ncipher = \"sm4-gcm\"\nsecret = \"{secret}\"\n\
         retired = [{{ id = \"v1\", cipher = \"aes-256-gcm\", secret = \"{}\" }}]\n",
        old.secret.expose_secret()
    );
    std::fs::write(home.path().join("unionhall.toml"), settings).unwrap();
    let (url, path) = (app.config().database.url.expose_secret(), app.config().files.path.as_str());
    let output = unionhall(home.path(), &[("DATABASE__URL", url), ("FILES__PATH", path)])
        .args(["vault", "rotate"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(objects(&app)[0].starts_with(b"uhv1\x02v2"));
    let both = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.cipher = Cipher::Sm4Gcm;
            config.vault.secret = secret.to_owned().into();
            config.vault.retired =
                vec![KeyConfig { id: "v1".into(), cipher: old.cipher, secret: old.secret.clone() }];
        })
        .await;
    assert_eq!(fetch(&planner.at(&both), &content).await.bytes, bytes);
}

async fn the_page_to_print_brings_everything_and_asks_nobody(app: TestApp) {
    some_attendance(&app).await;
    settle(&app);
    let planner = app.staff("planner").await;
    let path = asked(&planner, json!({ "kind": "figures", "format": "html" })).await;
    app.run_jobs().await;
    let page = fetch(&planner, &format!("{path}/content")).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'; style-src 'sha256-") && policy.starts_with("sandbox"),
        "{policy}"
    );
    let text = page.text();
    let style = text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    use base64::Engine;
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    assert!(policy.contains(&hash), "the one style is the one that is allowed");
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", " style=", " on"] {
        assert!(!text.replace("http-equiv", "").contains(outside), "{outside}");
    }
    for code in figures_of_the_api(&planner).await.keys() {
        assert!(text.contains(&format!("<strong>{code}</strong>")), "{code}");
    }
    // The figures' digest on paper is that of the table.
    let table = planner.get("/api/v1/plans/2025/figures.csv").await;
    let mut bytes = table.text.into_bytes();
    if !bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.splice(0..0, *b"\xef\xbb\xbf");
    }
    assert!(text.contains(&hex::encode(Sha256::digest(&bytes))));
    assert!(text.contains("<svg class=\"months\"") && text.contains("@page{size:A4"));
}
