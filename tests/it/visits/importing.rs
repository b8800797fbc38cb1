//! Hospitals' lists: all or nothing, safely repeated, whoever sends them at once, whatever it is that was sent.

use diesel::prelude::*;
use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::platform::db::schema::{audit_entries, injured as named, injuries, people};

use super::{HEADER, import, injured, list, patient, registered, reveal, send, with};
use crate::harness::{Test, TestApp};
use crate::http::problems::faults;
use crate::imports::{CSV, Given, XLSX, packed, texts, workbook, zipped};

pub const TESTS: &[Test] = tests![
    a_list_becomes_injuries,
    what_hospitals_say_is_sealed_and_opened_audited,
    a_person_and_a_day_are_one_injury,
    a_workbook_and_a_windows_csv_say_the_same,
    a_dry_run_writes_nothing,
    one_wrong_row_stops_all,
    a_number_with_another_name_is_asked_about,
    who_is_registered_is_found,
    two_send_the_same_list_at_once,
    hostile_lists_are_refused,
];

const PINGHU: &str = "street-pinghu";

/// What an import can have left.
async fn traces(app: &TestApp) -> [i64; 4] {
    app.read(|c| {
        Ok([
            people::table.count().first(c)?,
            named::table.count().first(c)?,
            injuries::table.count().first(c)?,
            audit_entries::table.filter(audit_entries::action.like("injury.%")).count().first(c)?,
        ])
    })
    .await
}

fn counts(report: &Value) -> (bool, i64, i64, i64) {
    let number = |name: &str| report[name].as_i64().unwrap();
    (report["written"].as_bool().unwrap(), number("create"), number("known"), number("error"))
}

/// `(row, column, code)` of everything that is wrong.
fn wrong(report: &Value) -> Vec<(i64, String, String)> {
    let mut all = Vec::new();
    for row in report["rows"].as_array().unwrap() {
        for error in row["errors"].as_array().into_iter().flatten() {
            let text = |name: &str| error[name].as_str().unwrap().to_owned();
            all.push((row["row"].as_i64().unwrap(), text("column"), text("code")));
        }
    }
    all
}

fn expected(list: &[(i64, &str, &str)]) -> Vec<(i64, String, String)> {
    list.iter().map(|(row, column, code)| (*row, (*column).to_owned(), (*code).to_owned())).collect()
}

async fn a_list_becomes_injuries(app: TestApp) {
    let organiser = app.staff("organiser-pinghu").await;
    let rows = [
        with(patient("张三丰", "138 1234 5678"), &[("employer", "demo-enterprise-pinghu-1")]),
        with(patient("李四", "13912345678"), &[("employer", "某某建筑公司")]),
        with(patient("王五", "13712345678"), &[("employer", "示例物流（布吉）")]),
    ];
    let before = traces(&app).await;
    let report = import(&app, &organiser, PINGHU, &rows).await.ok(200);
    assert_eq!(counts(&report), (true, 3, 0, 0), "{report}");
    let after = traces(&app).await;
    assert_eq!([after[0] - before[0], after[1], after[2], after[3]], [3, 3, 3, 3]);
    let enterprise = json!(app.organisation("demo-enterprise-pinghu-1").await);
    assert_eq!(report["rows"][0]["employer_id"], enterprise);
    assert_eq!(
        report["rows"][1].get("employer_id"),
        None,
        "an employer that the tree does not have stays words"
    );
    let listed = organiser.get("/api/v1/injuries").await;
    for secret in ["张三丰", "13812345678", "人民医院", "骨折", "建筑"] {
        assert!(!listed.text.contains(secret), "{secret} is shown: {}", listed.text);
    }
    let listed = listed.ok(200);
    let of = |name: &str| {
        let items = listed["items"].as_array().unwrap();
        items.iter().find(|one| one["name_masked"] == name).unwrap_or_else(|| panic!("{name}: {items:?}"))
    };
    let first = of("张*丰");
    for (field, value) in [
        ("phone_masked", json!("138****5678")),
        ("injured_on", json!("2025-06-02")),
        ("organisation_id", enterprise),
        ("visits", json!(0)),
        (
            "application_due",
            json!([
                { "who": "employer", "due_on": "2025-07-02", "state": "green" },
                { "who": "worker", "due_on": "2026-06-02", "state": "green" },
            ]),
        ),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    let pinghu = json!(app.organisation(PINGHU).await);
    assert_eq!((&of("李*")["organisation_id"], &of("王*")["organisation_id"]), (&pinghu, &pinghu));
    let page = organiser.get("/api/v1/injuries?limit=2").await.ok(200);
    let next = format!("/api/v1/injuries?limit=2&cursor={}", page["next"].as_str().unwrap());
    assert_eq!(organiser.get(&next).await.ok(200)["items"], json!([listed["items"][2]]));
}

async fn what_hospitals_say_is_sealed_and_opened_audited(app: TestApp) {
    let organiser = app.staff("organiser-pinghu").await;
    let row = with(patient("张三丰", "13812345678"), &[("employer", "某某建筑公司")]);
    let id = super::injured_as(&app, PINGHU, row).await;
    let kept: String = app.read(|c| Ok(injuries::table.select(injuries::facts_sealed).first(c)?)).await;
    assert!(kept.starts_with("v1."), "{kept}");
    let file = reveal(&organiser, &id).await;
    assert_eq!(file.header("cache-control"), Some("no-store"));
    let file = file.ok(200);
    for (field, value) in [
        ("name", "张三丰"),
        ("phone", "13812345678"),
        ("employer", "某某建筑公司"),
        ("hospital", "示例区人民医院"),
        ("admitted_on", "2025-06-03"),
        ("diagnosis", "左手骨折"),
    ] {
        assert_eq!(file[field], value, "{field}");
    }
    let entries = app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={id}")).await.ok(200);
    let acts: Vec<&Value> = entries["items"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert!(acts.contains(&&json!("injury.reveal")) && acts.contains(&&json!("injury.import")), "{acts:?}");
    assert!(!entries.to_string().contains("骨折") && !entries.to_string().contains("张三丰"));
    reveal(&app.staff("gate-pinghu").await, &id).await.problem(403, "forbidden");
}

async fn a_person_and_a_day_are_one_injury(app: TestApp) {
    let (organiser, other) = (app.staff("organiser-pinghu").await, app.staff("organiser").await);
    let zhang = patient("张三丰", "13812345678");
    // The same in a list, however it is written; with other facts, it is the same injury still.
    let again = with(
        patient("张 三丰", "+86 138-1234-5678"),
        &[("hospital", "另一家医院"), ("injured_on", "2025/6/2")],
    );
    let report = import(&app, &organiser, PINGHU, &[zhang.clone(), again]).await.ok(200);
    assert_eq!(counts(&report), (true, 1, 1, 0), "{report}");
    let id = report["rows"][0]["injury_id"].clone();
    assert_eq!(report["rows"][1], json!({ "row": 3, "state": "known", "injury_id": id }));
    // And in a later list, of whomever.
    let report = import(&app, &other, "street-buji", std::slice::from_ref(&zhang)).await.ok(200);
    assert_eq!((counts(&report), &report["rows"][0]["injury_id"]), ((true, 0, 1, 0), &id));
    let foreign = app.staff("organiser-pinghu").await;
    let elsewhere = with(patient("赵六", "13712345678"), &[]);
    import(&app, &other, "street-buji", std::slice::from_ref(&elsewhere)).await.ok(200);
    let report = import(&app, &foreign, PINGHU, &[elsewhere]).await.ok(200);
    assert_eq!(report["rows"][0], json!({ "row": 2, "state": "known" }), "whose it is, is not said");
    // Another day is another injury of the same person.
    let later = with(zhang, &[("injured_on", "2025-06-05"), ("admitted_on", "2025-06-05")]);
    let report = import(&app, &organiser, PINGHU, &[later]).await.ok(200);
    assert_eq!(counts(&report), (true, 1, 0, 0));
    let (all, whose): (i64, Vec<Vec<u8>>) = app
        .read(|c| {
            let whose = injuries::table.select(injuries::person_id).distinct();
            Ok((injuries::table.count().first(c)?, whose.load(c)?))
        })
        .await;
    assert_eq!((all, whose.len()), (3, 2));
    assert_eq!(reveal(&organiser, id.as_str().unwrap()).await.ok(200)["hospital"], "示例区人民医院");
}

async fn a_workbook_and_a_windows_csv_say_the_same(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let header = HEADER.iter().map(|name| Given::Text((*name).to_owned())).collect();
    let mut cells = texts(&patient("张三丰", ""));
    // A number and a day as Excel keeps them.
    cells[1] = Given::Xml("<c r=\"@\"><v>13812345678</v></c>".into());
    cells[4] = Given::Xml("<c r=\"@\" s=\"1\"><v>45810</v></c>".into());
    let book = workbook(&[header, cells]);
    let report = send(&app, &organiser, PINGHU, "", (XLSX, book)).await.ok(200);
    assert_eq!((counts(&report), wrong(&report)), ((true, 1, 0, 0), vec![]), "{report}");
    let id = report["rows"][0]["injury_id"].clone();
    let listed = organiser.get(&format!("/api/v1/injuries/{}", id.as_str().unwrap())).await.ok(200);
    assert_eq!(listed["injured_on"], "2025-06-02");
    let text = "姓名*,联系电话,单位,医院,受伤日期,入院日期,诊断\r\n张三丰,13812345678,,示例区人民医院,2025年6月2日,2025.6.3,左手骨折\r\n";
    let (encoded, _, lost) = encoding_rs::GB18030.encode(text);
    assert!(!lost);
    let report = send(&app, &organiser, PINGHU, "", (CSV, encoded.into_owned())).await.ok(200);
    assert_eq!(report["rows"][0], json!({ "row": 2, "state": "known", "injury_id": id }), "{report}");
}

async fn a_dry_run_writes_nothing(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let rows =
        [patient("张三丰", "13812345678"), patient("李四", "13912345678"), patient("李四", "13912345678")];
    let dry = send(&app, &organiser, PINGHU, "&dry_run=true", (CSV, list(&rows).into())).await.ok(200);
    assert_eq!(counts(&dry), (false, 2, 1, 0));
    assert_eq!(dry["rows"][0], json!({ "row": 2, "state": "create" }));
    assert_eq!(dry["rows"][2], json!({ "row": 4, "state": "known" }));
    assert_eq!(traces(&app).await, before);
    let report = import(&app, &organiser, PINGHU, &rows).await.ok(200);
    assert_eq!(counts(&report), (true, 2, 1, 0));
    let dry = send(&app, &organiser, PINGHU, "&dry_run=true", (CSV, list(&rows).into())).await.ok(200);
    assert_eq!(counts(&dry), (false, 0, 3, 0));
    assert_eq!(dry["rows"][0]["injury_id"], report["rows"][0]["injury_id"]);
}

async fn one_wrong_row_stops_all(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let rows = [
        patient("张三丰", "13812345678"),
        with(patient("", "12345"), &[("injured_on", "2025-06-17"), ("admitted_on", "2025-06-01")]),
        with(patient("李四", "13912345678"), &[("injury", &"长".repeat(201)), ("hospital", "甲\n乙")]),
        with(patient("王五", "13712345678"), &[("injured_on", "前天"), ("shared_phone", "也许")]),
    ];
    let report = import(&app, &organiser, PINGHU, &rows).await.ok(200);
    assert_eq!(counts(&report), (false, 1, 0, 3));
    assert_eq!(
        wrong(&report),
        expected(&[
            (3, "name", "required"),
            (3, "phone", "phone"),
            (3, "injured_on", "future"),
            (3, "admitted_on", "order"),
            (4, "hospital", "pattern"),
            (4, "injury", "max_length"),
            (5, "injured_on", "format"),
            (5, "shared_phone", "enum"),
        ])
    );
    assert_eq!(traces(&app).await, before);
}

async fn a_number_with_another_name_is_asked_about(app: TestApp) {
    let organiser = app.staff("organiser").await;
    injured(&app, PINGHU, "张三丰", "13812345678").await;
    let before = traces(&app).await;
    let wife = patient("李翠山", "13812345678");
    let report = import(&app, &organiser, PINGHU, std::slice::from_ref(&wife)).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(2, "name", "name_differs")]));
    assert!(!report.to_string().contains("张三丰"), "whose number it is, is not said");
    assert_eq!(traces(&app).await, before);
    let shared = with(wife.clone(), &[("shared_phone", "是")]);
    let report = import(&app, &organiser, PINGHU, &[shared]).await.ok(200);
    assert_eq!(counts(&report), (true, 1, 0, 0), "{report}");
    // From then on both are known by their names.
    let report = import(&app, &organiser, PINGHU, &[wife, patient("张三丰", "13812345678")]).await.ok(200);
    assert_eq!(counts(&report), (true, 0, 2, 0));
}

async fn who_is_registered_is_found(app: TestApp) {
    let zhang = registered(&app, "zhang", "张三丰", "13812345678").await;
    let id = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let seen = app.staff("organiser").await.get(&format!("/api/v1/injuries/{id}")).await.ok(200);
    assert_eq!(seen["person_id"], json!(zhang.person()));
    // Who has yet to come finds their injury when they have; others with the number do not.
    let later = injured(&app, PINGHU, "李四", "13912345678").await;
    let (li, son) = (
        registered(&app, "li", "李四", "13912345678").await,
        registered(&app, "son", "李小四", "13912345678").await,
    );
    let mine = li.get("/api/v1/me/injuries").await.ok(200);
    assert_eq!(mine["items"][0]["id"], json!(later));
    assert_eq!(son.get("/api/v1/me/injuries").await.ok(200)["items"], json!([]));
    // And stays one person, whatever account the number has had since.
    let row =
        with(patient("李四", "13912345678"), &[("injured_on", "2025-06-10"), ("admitted_on", "2025-06-10")]);
    let again = super::injured_as(&app, PINGHU, row).await;
    let organiser = app.staff("organiser").await;
    let whose = |id: String| {
        let organiser = organiser.clone();
        async move { organiser.get(&format!("/api/v1/injuries/{id}")).await.ok(200)["person_id"].clone() }
    };
    assert_eq!(whose(later).await, whose(again).await);
}

async fn two_send_the_same_list_at_once(app: TestApp) {
    let second = app.second_instance().await;
    let one = app.staff("organiser").await;
    let other = app.staff("organiser-pinghu").await.at(&second);
    let before = traces(&app).await;
    for round in 0..12_i64 {
        let mut rows: Vec<Vec<String>> =
            (0..5).map(|n| patient(&format!("职工{n}"), &format!("139{:08}", round * 10 + n))).collect();
        let forth = rows.clone();
        // The other way round, so that they would wait for each other.
        rows.reverse();
        let (a, b) = join(import(&app, &one, PINGHU, &forth), import(&app, &other, PINGHU, &rows)).await;
        let (a, b) = (a.ok(200), b.ok(200));
        let mut made = [counts(&a).1, counts(&b).1];
        made.sort_unstable();
        assert_eq!((made, counts(&a).3 + counts(&b).3), ([0, 5], 0), "round {round}: {a} {b}");
        let after = traces(&app).await;
        let more = (round + 1) * 5;
        assert_eq!([after[0] - before[0], after[1], after[2], after[3]], [more; 4], "round {round}");
    }
}

async fn hostile_lists_are_refused(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let zeros = zipped(&[("xl/workbook.xml", vec![b' '; 40 << 20])]);
    let good = workbook(&[texts(&HEADER.map(ToOwned::to_owned)), texts(&patient("张三丰", "13812345678"))]);
    for (what, media, body, codes) in [
        ("no zip", XLSX, b"not a workbook".to_vec(), vec!["unreadable"]),
        ("nothing", CSV, vec![], vec!["empty"]),
        ("half a workbook", XLSX, good[..good.len() / 2].to_vec(), vec!["unreadable"]),
        ("a bomb", XLSX, zeros, vec!["too_large"]),
        (
            "a far cell",
            XLSX,
            packed("<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>"),
            vec!["max_columns", "max_rows"],
        ),
        ("no text", CSV, b"\xff\xfe\x00\x01,\x81".to_vec(), vec!["encoding", "unreadable"]),
        ("600 rows", CSV, list(&vec![patient("张三丰", "13812345678"); 600]).into_bytes(), vec!["max_rows"]),
    ] {
        let found = faults(
            &send(&app, &organiser, PINGHU, "", (media, body)).await.problem(422, "validation_failed"),
        );
        assert!(found.iter().all(|(_, code)| codes.contains(&code.as_str())), "{what}: {found:?}");
    }
    let headers = send(&app, &organiser, PINGHU, "", (CSV, "姓名,身高\n张三丰,180".into())).await;
    let found = faults(&headers.problem(422, "validation_failed"));
    assert!(found.contains(&("/columns/2".into(), "unknown".into())), "{found:?}");
    assert!(found.contains(&("/columns/phone".into(), "required".into())), "{found:?}");
    for (organisation, status, code) in
        [("org_01k5b8m3q2e9t8h6y1v7z4w0xn", 422, "validation_failed"), ("nobody", 400, "query_invalid")]
    {
        let path = format!("/api/v1/injury-imports?organisation={organisation}");
        let request = organiser.request(Method::POST, &path).header("idempotency-key", organiser.fresh_key());
        let row = list(&[patient("张三丰", "13812345678")]);
        organiser.send(request.header("content-type", CSV).body(row)).await.problem(status, code);
    }
    let sent = send(&app, &organiser, PINGHU, "", ("application/json", b"{}".to_vec())).await;
    sent.problem(415, "unsupported_media_type");
    assert_eq!(traces(&app).await, before);
    // What looks like a formula or a statement is a name like any other.
    let odd = [patient("=1+1", "13812345678"), patient("'; DROP TABLE injuries;--", "13912345678")];
    let report = import(&app, &organiser, PINGHU, &odd).await.ok(200);
    assert_eq!(counts(&report), (true, 2, 0, 0), "{report}");
    let id = report["rows"][0]["injury_id"].as_str().unwrap();
    assert_eq!(reveal(&organiser, id).await.ok(200)["name"], "=1+1");
}
