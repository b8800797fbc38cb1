//! Activities and sessions from a sheet: all or nothing, safely repeated, whatever it is that was sent.

use std::io::{Cursor, Write};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::ProgrammeId;
use unionhall::platform::db::schema::{activities, audit_entries, bookings, imported_rows, sessions};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::http::problems::{faults, pairs};
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_sheet_becomes_drafts,
    a_workbook_and_a_windows_csv_say_the_same,
    a_dry_run_writes_nothing,
    one_wrong_row_stops_all,
    every_wrong_row_is_told_at_once,
    the_same_sheet_again_makes_nothing,
    other_content_under_a_known_key_is_an_error,
    two_send_the_same_sheet_at_once,
    formulas_are_texts,
    halls_clash_inside_a_sheet_too,
    names_are_looked_up_in_one_s_own_subtree,
    what_is_to_be_published_is,
    what_is_for_members_only_is_said_in_the_sheet,
    from_which_share_it_is_completed_is_said_in_the_sheet,
    wrong_headers_are_named,
    hostile_files_are_refused,
    the_wrong_kind_of_body_is_refused,
    a_key_stands_for_one_sheet,
];

const IMPORTS: &str = "/api/v1/activity-imports";
pub const CSV: &str = "text/csv";
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

const HEADER: &[&str] = &[
    "row_key",
    "organisation",
    "programme",
    "street",
    "title",
    "summary",
    "venue",
    "address",
    "capacity",
    "signup_opens_at",
    "signup_closes_at",
    "session_starts_at",
    "session_ends_at",
    "resources",
    "publish",
    "members_only",
    "completion_of",
    "completion_percent",
];

/// A good row under `key`, as cells.
fn row(key: &str) -> Vec<String> {
    [
        key,
        "street-pinghu",
        "demo-skills",
        "平湖街道",
        "电工班",
        "低压电工",
        "职工之家",
        "示例路 1 号",
        "20",
        "2025-06-20 09:00",
        "2025-06-30 18:00",
        "2025-07-01 09:00",
        "2025-07-01 11:00",
        "",
        "",
        "",
        "",
        "",
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

/// The row with some cells changed.
fn with(mut row: Vec<String>, changes: &[(&str, &str)]) -> Vec<String> {
    for (name, value) in changes {
        let place = HEADER.iter().position(|one| one == name).unwrap();
        row[place] = (*value).to_owned();
    }
    row
}

fn csv(rows: &[Vec<String>]) -> String {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let mut text = HEADER.join(",") + "\r\n";
    for row in rows {
        text += &(row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n");
    }
    text
}

async fn send(by: &Actor, key: &str, query: &str, media: &str, body: impl Into<reqwest::Body>) -> Reply {
    let request = by.request(Method::POST, &format!("{IMPORTS}{query}")).header("idempotency-key", key);
    by.send(request.header("content-type", media).body(body)).await
}

async fn import(by: &Actor, rows: &[Vec<String>]) -> Reply {
    send(by, &by.fresh_key(), "", CSV, csv(rows)).await
}

/// What an import can have left.
async fn traces(app: &TestApp) -> [i64; 5] {
    app.read(|c| {
        Ok([
            activities::table.count().first(c)?,
            sessions::table.count().first(c)?,
            bookings::table.count().first(c)?,
            imported_rows::table.count().first(c)?,
            audit_entries::table.filter(audit_entries::action.like("activity.%")).count().first(c)?,
        ])
    })
    .await
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

async fn a_sheet_becomes_drafts(app: TestApp) {
    let organiser = app.staff("organiser-pinghu").await;
    let mut second = with(
        row("a"),
        &[("session_starts_at", "2025/7/2 9:00"), ("session_ends_at", "2025-07-02T11:00:00+08:00")],
    );
    for blank in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] {
        second[blank].clear();
    }
    let other = with(row("b"), &[("title", "焊工班"), ("capacity", "5"), ("street", "")]);
    let reply = import(&organiser, &[row("a"), other, second]).await;
    let report = reply.expect(200).body.clone();
    let counts = ["written", "activities", "create", "unchanged", "error"].map(|name| report[name].clone());
    assert_eq!(counts, [json!(true), json!(2), json!(3), json!(0), json!(0)]);
    let rows = report["rows"].as_array().unwrap();
    let numbers: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["row"], &row["row_key"])).collect();
    assert_eq!(numbers, [(&json!(2), &json!("a")), (&json!(3), &json!("b")), (&json!(4), &json!("a"))]);
    assert_eq!(rows[0]["activity_id"], rows[2]["activity_id"]);
    let path = format!("/api/v1/managed-activities/{}", rows[0]["activity_id"].as_str().unwrap());
    let made = organiser.get(&path).await.ok(200);
    let pinghu = app.organisation("street-pinghu").await;
    for (name, value) in [
        ("state", json!("draft")),
        ("organisation_id", json!(pinghu)),
        ("street_id", json!(pinghu)),
        ("programme_id", json!(app.programme("demo-skills").await)),
        ("title", json!("电工班")),
        ("summary", json!("低压电工")),
        ("venue", json!("职工之家")),
        ("address", json!("示例路 1 号")),
        ("capacity", json!(20)),
        ("signup_opens_at", json!("2025-06-20T01:00:00Z")),
        ("signup_closes_at", json!("2025-06-30T10:00:00Z")),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    let starts: Vec<DateTime<Utc>> = made["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["starts_at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(
        starts.iter().map(|at| at.to_rfc3339()).collect::<Vec<_>>(),
        ["2025-07-01T01:00:00+00:00", "2025-07-02T01:00:00+00:00"]
    );
    let audit = app.staff("auditor").await;
    let id = made["id"].as_str().unwrap();
    let entries = audit.get(&format!("/api/v1/audit-entries?object={id}")).await.ok(200);
    assert_eq!(entries["items"][0]["action"], "activity.import");
    // Outside one's own subtree there is nothing to import for.
    let report = import(&organiser, &[with(row("c"), &[("organisation", "street-buji")])]).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(2, "organisation", "unknown")]));
}

fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// A cell of a workbook: a text, or something said in XML.
pub enum Given {
    Text(String),
    Xml(String),
}

fn column_name(place: usize) -> String {
    let letter = |n: usize| char::from(b'A' + u8::try_from(n).unwrap());
    if place < 26 {
        letter(place).to_string()
    } else {
        format!("{}{}", letter(place / 26 - 1), letter(place % 26))
    }
}

/// A workbook with one sheet, as Excel lays it out.
pub fn workbook(rows: &[Vec<Given>]) -> Vec<u8> {
    let mut sheet = String::new();
    for (number, row) in (1..).zip(rows) {
        sheet += &format!("<row r=\"{number}\">");
        for (place, cell) in row.iter().enumerate() {
            let at = format!("{}{number}", column_name(place));
            sheet += &match cell {
                Given::Text(text) => {
                    format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{}</t></is></c>", xml_text(text))
                }
                Given::Xml(xml) => xml.replace("@", &at),
            };
        }
        sheet += "</row>";
    }
    packed(&sheet)
}

pub fn packed(sheet: &str) -> Vec<u8> {
    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
    const MAIN: &str = "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"";
    const REL: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    let files = [
        (
            "[Content_Types].xml",
            format!(
                "{HEAD}<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"xml\" ContentType=\"application/xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{REL}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "{HEAD}<workbook {MAIN} xmlns:r=\"{REL}\"><sheets><sheet name=\"活动\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{REL}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" Type=\"{REL}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "{HEAD}<styleSheet {MAIN}><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\" applyNumberFormat=\"1\"/></cellXfs></styleSheet>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("{HEAD}<worksheet {MAIN}><sheetData>{sheet}</sheetData></worksheet>"),
        ),
    ];
    zipped(&files.map(|(name, text)| (name, text.into_bytes())))
}

pub fn zipped(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub fn texts(cells: &[String]) -> Vec<Given> {
    cells.iter().map(|cell| Given::Text(cell.clone())).collect()
}

fn header() -> Vec<Given> {
    HEADER.iter().map(|name| Given::Text((*name).to_owned())).collect()
}

async fn a_workbook_and_a_windows_csv_say_the_same(app: TestApp) {
    let organiser = app.staff("organiser").await;
    // Dates as Excel keeps them: days since 1900, in a cell with a date format; two o'clock is 0.58333…
    let mut cells = texts(&with(row("a"), &[("session_starts_at", "2025-07-01 14:00")]));
    cells[8] = Given::Xml("<c r=\"@\"><v>20</v></c>".into());
    cells[11] = Given::Xml("<c r=\"@\" s=\"1\"><v>45839.583333333336</v></c>".into());
    cells[12] = Given::Xml("<c r=\"@\" s=\"1\"><f>L2+1/8</f><v>45839.708333333336</v></c>".into());
    let report = send(&organiser, "a-workbook", "", XLSX, workbook(&[header(), cells])).await.ok(200);
    assert_eq!((&report["written"], wrong(&report)), (&json!(true), vec![]), "{report}");
    let id = report["rows"][0]["activity_id"].clone();
    let made = organiser.get(&format!("/api/v1/managed-activities/{}", id.as_str().unwrap())).await.ok(200);
    let session = &made["sessions"][0];
    assert_eq!(
        (&session["starts_at"], &session["ends_at"]),
        (&json!("2025-07-01T06:00:00Z"), &json!("2025-07-01T09:00:00Z"))
    );
    // The same as CSV in the encoding of Chinese Windows, with Chinese headers in another order, is the same.
    let values =
        with(row("a"), &[("session_starts_at", "2025/7/1 14:00"), ("session_ends_at", "2025/7/1 17:00")]);
    let chinese = [
        "行号键",
        "组织",
        "项目",
        "街道",
        "标题",
        "简介",
        "场地",
        "地址",
        "名额",
        "报名开始",
        "报名截止",
        "场次开始",
        "场次结束",
        "资源",
        "发布",
        "仅限会员",
        "结业依据",
        "结业比例",
    ];
    let (mut names, mut reversed) = (chinese.to_vec(), values);
    names.reverse();
    reversed.reverse();
    let text = format!("{}\r\n{}\r\n", names.join(","), reversed.join(","));
    let (encoded, _, lost) = encoding_rs::GB18030.encode(&text);
    assert!(!lost);
    let report = send(&organiser, "a-windows-csv", "", "text/csv; charset=gb18030", encoded.into_owned())
        .await
        .ok(200);
    assert_eq!((&report["unchanged"], &report["rows"][0]["activity_id"]), (&json!(1), &id), "{report}");
}

async fn a_dry_run_writes_nothing(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let rows = [row("a"), row("b")];
    let dry = send(&organiser, "one-key-for-both", "?dry_run=true", CSV, csv(&rows)).await.ok(200);
    assert_eq!((&dry["written"], &dry["activities"], &dry["create"]), (&json!(false), &json!(2), &json!(2)));
    assert_eq!(dry["rows"][0], json!({ "row": 2, "row_key": "a", "state": "create" }));
    assert_eq!(traces(&app).await, before);
    // Nothing was done under the key, so that it is still good.
    let wet = send(&organiser, "one-key-for-both", "?dry_run=false", CSV, csv(&rows)).await.ok(200);
    assert_eq!((&wet["written"], &wet["activities"]), (&json!(true), &json!(2)));
    assert_eq!(traces(&app).await, [before[0] + 2, before[1] + 2, before[2], before[3] + 2, before[4] + 2]);
    let dry = send(&organiser, &organiser.fresh_key(), "?dry_run=true", CSV, csv(&rows)).await.ok(200);
    assert_eq!(
        (&dry["unchanged"], &dry["rows"][0]["activity_id"]),
        (&json!(2), &wet["rows"][0]["activity_id"])
    );
    let problem = send(&organiser, &organiser.fresh_key(), "?dry_run=perhaps", CSV, csv(&rows)).await;
    problem.problem(400, "query_invalid");
}

async fn one_wrong_row_stops_all(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let rows = [row("a"), with(row("b"), &[("street", "桃花源街道")]), row("c")];
    let report = import(&organiser, &rows).await.ok(200);
    assert_eq!(
        (&report["written"], &report["error"], &report["create"]),
        (&json!(false), &json!(1), &json!(2))
    );
    assert_eq!(wrong(&report), expected(&[(3, "street", "unknown")]));
    assert_eq!(report["rows"][1]["errors"][0]["detail"], "没有这个街道：桃花源街道");
    assert_eq!(traces(&app).await, before);
}

async fn every_wrong_row_is_told_at_once(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let rows = [
        with(row("a"), &[("programme", "没有的项目"), ("street", "longgang"), ("organisation", "nobody")]),
        with(row("b"), &[("session_ends_at", "2025-07-01 08:00"), ("capacity", "0")]),
        with(row("c"), &[("signup_opens_at", "2025-06-30 18:00")]),
        with(row("d"), &[("signup_closes_at", "2025-07-01 11:01"), ("title", &"长".repeat(121))]),
        with(row("e"), &[("session_starts_at", "明天"), ("capacity", "许多"), ("venue", "")]),
        row("f"),
        with(
            row("f"),
            &[
                ("capacity", "21"),
                ("session_starts_at", "2025-07-02 09:00"),
                ("session_ends_at", "2025-07-02 11:00"),
            ],
        ),
        row("f"),
        with(row(""), &[("publish", "也许")]),
        with(row("g"), &[("resources", "没有的礼堂"), ("session_ends_at", "2025-07-03 09:00")]),
        with(row("h"), &[("signup_opens_at", "2025-06-20")]),
    ];
    let report = import(&organiser, &rows).await.ok(200);
    let all = [
        (2, "organisation", "unknown"),
        (2, "programme", "unknown"),
        (2, "street", "unknown"),
        (3, "session_ends_at", "order"),
        (3, "capacity", "minimum"),
        (4, "signup_closes_at", "order"),
        (5, "signup_closes_at", "order"),
        (5, "title", "max_length"),
        (6, "capacity", "type"),
        (6, "session_starts_at", "format"),
        (6, "venue", "required"),
        (8, "capacity", "contradiction"),
        (9, "session_starts_at", "duplicate"),
        (10, "publish", "enum"),
        (10, "row_key", "required"),
        (11, "session_ends_at", "too_long"),
        (11, "resources", "unknown"),
        (12, "signup_opens_at", "format"),
    ];
    assert_eq!(wrong(&report), expected(&all), "{report:#}");
    assert_eq!((&report["written"], &report["error"]), (&json!(false), &json!(10)));
    assert_eq!(traces(&app).await, before);
    // In the language that is asked for.
    let request = organiser.request(Method::POST, IMPORTS).header("idempotency-key", "in-english");
    let request = request.header("content-type", CSV).header("accept-language", "en").body(csv(&rows[2..3]));
    let report = organiser.send(request).await.ok(200);
    assert_eq!(report["rows"][0]["errors"][0]["detail"], "must be after signup_opens_at");
}

async fn the_same_sheet_again_makes_nothing(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let second =
        with(row("a"), &[("session_starts_at", "2025-07-02 09:00"), ("session_ends_at", "2025-07-02 11:00")]);
    let first = import(&organiser, &[row("a"), second.clone(), row("b")]).await.ok(200);
    let before = traces(&app).await;
    let again = import(&organiser, &[row("a"), second.clone(), row("b")]).await.ok(200);
    assert_eq!(
        (&again["written"], &again["activities"], &again["unchanged"]),
        (&json!(true), &json!(0), &json!(3))
    );
    for (place, row) in again["rows"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            (&row["state"], &row["activity_id"]),
            (&json!("unchanged"), &first["rows"][place]["activity_id"])
        );
    }
    assert_eq!(traces(&app).await, before);
    // With a row more, only that one is made; the order of the others does not matter.
    let grown = import(&organiser, &[row("c"), second, row("a"), row("b")]).await.ok(200);
    assert_eq!(
        (&grown["activities"], &grown["create"], &grown["unchanged"]),
        (&json!(1), &json!(1), &json!(3))
    );
    // The key is the organisation's: another one may use the same.
    let other = with(row("a"), &[("organisation", "street-buji"), ("street", "布吉街道")]);
    let report = import(&organiser, &[other]).await.ok(200);
    assert_eq!(report["activities"], 1);
}

async fn other_content_under_a_known_key_is_an_error(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let first = import(&organiser, &[row("a")]).await.ok(200);
    let id = first["rows"][0]["activity_id"].as_str().unwrap().to_owned();
    let before = traces(&app).await;
    for change in
        [("capacity", "21"), ("title", "改名"), ("publish", "是"), ("session_ends_at", "2025-07-01 11:30")]
    {
        let report = import(&organiser, &[with(row("a"), &[change]), row("new")]).await.ok(200);
        assert_eq!(wrong(&report), expected(&[(2, "row_key", "changed")]), "{change:?}");
        assert!(report["rows"][0]["errors"][0]["detail"].as_str().unwrap().contains(&id));
    }
    assert_eq!(traces(&app).await, before);
}

async fn two_send_the_same_sheet_at_once(app: TestApp) {
    let second = app.second_instance().await;
    let one = app.staff("organiser").await;
    let other = app.staff("organiser-pinghu").await.at(&second);
    let hall = json!({ "kind": "venue", "organisation_id": app.organisation("street-pinghu").await, "name": "大礼堂" });
    one.post("/api/v1/resources", hall).await.ok(201);
    for round in 1..=6 {
        let time = |hour: &str| format!("2025-07-{round:02} {hour}");
        let of = |key: &str, starts: &str, ends: &str, uses: &str| {
            let (starts, ends) = (time(starts), time(ends));
            with(
                row(&format!("{key}{round}")),
                &[("session_starts_at", &starts), ("session_ends_at", &ends), ("resources", uses)],
            )
        };
        let rows = [
            of("a", "09:00", "10:00", "大礼堂"),
            of("b", "10:00", "11:00", ""),
            of("c", "11:00", "12:00", "大礼堂"),
        ];
        let (a, b) = futures_util::future::join(import(&one, &rows), import(&other, &rows)).await;
        let (a, b) = (a.ok(200), b.ok(200));
        assert_eq!((wrong(&a), wrong(&b)), (vec![], vec![]));
        let mut made = [a["activities"].as_i64().unwrap(), b["activities"].as_i64().unwrap()];
        made.sort_unstable();
        assert_eq!(made, [0, 3], "round {round}");
        assert_eq!(a["rows"][0]["activity_id"], b["rows"][0]["activity_id"]);
    }
}

async fn formulas_are_texts(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let evil = "=HYPERLINK(\"http://example.invalid\",\"点我\")";
    let rows = [
        with(row("=1+1"), &[("title", evil), ("venue", "@SUM(1)"), ("address", "+86"), ("summary", "-1")]),
        with(row("2"), &[("title", "普通")]),
    ];
    let report = import(&organiser, &rows).await.ok(200);
    assert_eq!(report["rows"][0]["row_key"], "=1+1");
    let made = organiser
        .get(&format!("/api/v1/managed-activities/{}", report["rows"][0]["activity_id"].as_str().unwrap()))
        .await
        .ok(200);
    assert_eq!(
        ["title", "venue", "address", "summary"].map(|name| made[name].clone()),
        [json!(evil), json!("@SUM(1)"), json!("+86"), json!("-1")]
    );
    // A formula without a saved value is nothing, and one that failed is told.
    let mut cells = texts(&row("3"));
    cells[4] = Given::Xml("<c r=\"@\"><f>1+1</f></c>".into());
    cells[6] = Given::Xml("<c r=\"@\" t=\"e\"><f>1/0</f><v>#DIV/0!</v></c>".into());
    let report = send(&organiser, "formulas", "", XLSX, workbook(&[header(), cells])).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(2, "venue", "invalid"), (2, "title", "required")]));
}

async fn halls_clash_inside_a_sheet_too(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let district = app.organisation("longgang").await;
    for (kind, name) in [("venue", "大礼堂"), ("trainer", "王老师")] {
        let body = json!({ "kind": kind, "organisation_id": district, "name": name, "seats": if kind == "venue" { json!(20) } else { json!(null) } });
        organiser.post("/api/v1/resources", body).await.ok(201);
    }
    let local = app.staff("organiser-pinghu").await;
    let uses = ("resources", "大礼堂、王老师");
    let later = [("session_starts_at", "2025-07-01 11:00"), ("session_ends_at", "2025-07-01 12:00")];
    let second = with(with(row("a"), &later), &[uses]);
    let rows = [
        with(row("a"), &[uses]),
        second,
        with(row("b"), &[("resources", "王老师")]),
        with(row("c"), &[uses, ("capacity", "21")]),
    ];
    let before = traces(&app).await;
    let report = import(&local, &rows).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(4, "resources", "clash"), (5, "capacity", "seats")]));
    assert_eq!(traces(&app).await, before);
    let report = import(&local, &rows[..2]).await.ok(200);
    assert_eq!((&report["written"], wrong(&report)), (&json!(true), vec![]));
    let report = import(&local, &[rows[2].clone()]).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(2, "resources", "clash")]));
    let told = report["rows"][0]["errors"][0]["detail"].as_str().unwrap();
    assert_eq!(told, "讲师“王老师”在 2025-07-01 09:00–11:00 已被占用，活动“电工班”");
}

async fn names_are_looked_up_in_one_s_own_subtree(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let local = app.staff("organiser-pinghu").await;
    let programme = |organisation: unionhall::ids::OrganisationId, name: &str| json!({ "organisation_id": organisation, "name": name, "summary": "", "kind": "training", "topic": "skills", "audience": "all" });
    let (pinghu, buji) = (app.organisation("street-pinghu").await, app.organisation("street-buji").await);
    for (of, name) in
        [(pinghu, "焊工考证"), (buji, "焊工考证"), (buji, "布吉专有"), (pinghu, "重名"), (pinghu, "重名")]
    {
        organiser.post("/api/v1/programmes", programme(of, name)).await.ok(201);
    }
    let id: ProgrammeId = app.programme("demo-skills").await;
    let rows = [
        with(row("a"), &[("programme", "焊工考证")]),
        with(row("b"), &[("programme", "布吉专有")]),
        with(row("c"), &[("programme", "重名")]),
        with(row("d"), &[("programme", &id.to_string())]),
    ];
    let report = import(&local, &rows).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(3, "programme", "unknown"), (4, "programme", "ambiguous")]));
    let report = import(&organiser, &rows).await.ok(200);
    assert_eq!(
        wrong(&report),
        expected(&[(2, "programme", "ambiguous"), (4, "programme", "ambiguous")]),
        "the district's organiser knows both"
    );
    let report = import(&local, &[rows[0].clone(), rows[3].clone()]).await.ok(200);
    assert_eq!(report["written"], true);
}

async fn what_is_for_members_only_is_said_in_the_sheet(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let said = |key: &str, text: &str| with(row(key), &[("members_only", text)]);
    let report = import(&organiser, &[said("a", "也许")]).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(2, "members_only", "enum")]));
    import(&organiser, &[said("a", "是"), said("b", "no"), row("c")]).await.ok(200);
    let mut kept: Vec<(String, bool)> = app
        .read(|conn| {
            let imported = imported_rows::table.inner_join(activities::table);
            Ok(imported.select((imported_rows::row_key, activities::members_only)).load(conn)?)
        })
        .await;
    kept.sort();
    assert_eq!(kept, [("a".to_owned(), true), ("b".to_owned(), false), ("c".to_owned(), false)]);
}

async fn from_which_share_it_is_completed_is_said_in_the_sheet(app: TestApp) {
    use unionhall::platform::db::schema::completion_rules;
    let organiser = app.staff("organiser").await;
    let said = |key: &str, of: &str, percent: &str| {
        with(row(key), &[("completion_of", of), ("completion_percent", percent)])
    };
    let bad = [said("a", "出勤", "80"), said("b", "课时", ""), said("c", "", "101"), said("d", "", "八成")];
    let report = import(&organiser, &bad).await.ok(200);
    let faults = [
        (2, "completion_of", "enum"),
        (3, "completion_percent", "required"),
        (4, "completion_percent", "maximum"),
        (5, "completion_percent", "type"),
    ];
    assert_eq!(wrong(&report), expected(&faults));
    let rows = [said("a", "课时", "75"), said("b", "", "80"), row("c")];
    import(&organiser, &rows).await.ok(200);
    let again = import(&organiser, &rows).await.ok(200);
    assert_eq!(again["unchanged"], 3);
    let report = import(&organiser, &[said("a", "课时", "76")]).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(2, "row_key", "changed")]));
    let mut kept: Vec<(String, i64)> = app
        .read(|c| {
            Ok(completion_rules::table
                .select((completion_rules::share_of, completion_rules::percent))
                .load(c)?)
        })
        .await;
    kept.sort();
    assert_eq!(kept, [("hours".to_owned(), 75), ("sessions".to_owned(), 80)]);
}

async fn what_is_to_be_published_is(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let past = [
        ("signup_opens_at", "2025-05-01 09:00"),
        ("signup_closes_at", "2025-05-10 09:00"),
        ("session_starts_at", "2025-06-01 09:00"),
        ("session_ends_at", "2025-06-01 11:00"),
    ];
    let late = with(with(row("late"), &past), &[("publish", "是")]);
    let report = import(&organiser, &[with(row("a"), &[("publish", "是")]), late.clone()]).await.ok(200);
    assert_eq!(wrong(&report), expected(&[(3, "publish", "state_forbids")]));
    let report = import(&organiser, &[with(row("a"), &[("publish", "是")]), row("b")]).await.ok(200);
    let states = ["0", "1"].map(|place| {
        report["rows"].pointer(&format!("/{place}/activity_id")).unwrap().as_str().unwrap().to_owned()
    });
    let public = app.anon().get(&format!("/api/v1/activities/{}", states[0])).await.ok(200);
    assert_eq!(public["state"], "published");
    app.anon().get(&format!("/api/v1/activities/{}", states[1])).await.problem(404, "not_found");
}

async fn wrong_headers_are_named(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let key = || organiser.fresh_key();
    for (header, expected) in [
        ("title,colour,标题", vec![("/columns/2", "unknown"), ("/columns/3", "duplicate")]),
        ("标题", vec![]),
    ] {
        let problem = send(&organiser, &key(), "", CSV, header).await.problem(422, "validation_failed");
        let found = faults(&problem);
        assert!(found.contains(&("/columns/row_key".into(), "required".into())), "{found:?}");
        let others: Vec<(String, String)> =
            found.into_iter().filter(|(_, code)| code != "required").collect();
        assert_eq!(others, pairs(&expected));
    }
    // A header alone asks for nothing.
    let report = send(&organiser, &key(), "", CSV, csv(&[])).await.ok(200);
    assert_eq!((&report["written"], &report["rows"]), (&json!(true), &json!([])));
}

async fn hostile_files_are_refused(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let before = traces(&app).await;
    let good = workbook(&[header(), texts(&row("a"))]);
    let zeros = zipped(&[("xl/workbook.xml", vec![b' '; 40 << 20])]);
    assert!(zeros.len() < 100_000, "a bomb is small: {}", zeros.len());
    // One that lies about its size, in both places where it says it.
    let mut lying = zeros.clone();
    for place in 0..lying.len() - 4 {
        if lying[place..place + 4] == u32::to_le_bytes(40 << 20) {
            lying[place..place + 4].copy_from_slice(&u32::to_le_bytes(1000));
        }
    }
    let far = "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
    let tall: String =
        (1..=600).map(|n| format!("<row r=\"{n}\"><c r=\"A{n}\"><v>1</v></c></row>")).collect();
    let wide: Vec<Given> = (0..100).map(|n| Given::Text(format!("c{n}"))).collect();
    let many: Vec<(String, Vec<u8>)> = (0..1100).map(|n| (format!("{n}.xml"), vec![])).collect();
    let many: Vec<(&str, Vec<u8>)> =
        many.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let laughs = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>&b;</t></is></c></row>";
    for (what, media, body, codes) in [
        ("no zip", XLSX, b"not a workbook".to_vec(), vec!["unreadable"]),
        (
            "html",
            XLSX,
            b"<html><body><table><tr><td>row_key</td></tr></table></body></html>".to_vec(),
            vec!["unreadable"],
        ),
        ("old excel", XLSX, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec(), vec!["unreadable"]),
        ("nothing", XLSX, vec![], vec!["unreadable"]),
        ("nothing", CSV, vec![], vec!["empty"]),
        ("blanks", CSV, b"\r\n,,,\r\n".to_vec(), vec!["empty"]),
        ("half a workbook", XLSX, good[..good.len() / 2].to_vec(), vec!["unreadable"]),
        ("another zip", XLSX, zipped(&[("readme.txt", b"hello".to_vec())]), vec!["unreadable"]),
        ("a bomb", XLSX, zeros, vec!["too_large"]),
        ("a lying bomb", XLSX, lying, vec!["too_large", "unreadable"]),
        ("many files", XLSX, zipped(&many), vec!["too_large"]),
        ("a far cell", XLSX, packed(far), vec!["max_columns", "max_rows"]),
        ("tall", XLSX, packed(&tall), vec!["max_rows"]),
        ("wide", XLSX, workbook(&[wide]), vec!["max_columns"]),
        ("no rows", XLSX, packed(""), vec!["empty"]),
        ("laughs", XLSX, packed(laughs), vec!["unreadable"]),
        ("1000 columns", CSV, vec!["c"; 1000].join(",").into_bytes(), vec!["max_columns"]),
        ("600 rows", CSV, csv(&vec![row("a"); 600]).into_bytes(), vec!["max_rows"]),
        ("no text", CSV, b"\xff\xfe\x00\x01,\x81".to_vec(), vec!["encoding", "unreadable"]),
        ("a workbook as csv", CSV, good.clone(), vec!["encoding", "unreadable"]),
    ] {
        let reply = send(&organiser, &organiser.fresh_key(), "", media, body).await;
        let problem = reply.problem(422, "validation_failed");
        let found = faults(&problem);
        assert!(
            found.iter().all(|(at, code)| at.is_empty() && codes.contains(&code.as_str())),
            "{what}: {found:?}"
        );
    }
    assert_eq!(traces(&app).await, before);
    let report = send(&organiser, "and-the-good-one", "", XLSX, good).await.ok(200);
    assert_eq!(report["activities"], 1);
}

async fn the_wrong_kind_of_body_is_refused(app: TestApp) {
    let organiser = app.staff("organiser").await;
    for media in ["application/json", "text/plain", "application/vnd.ms-excel", ""] {
        let reply = send(&organiser, &organiser.fresh_key(), "", media, csv(&[row("a")])).await;
        reply.problem(415, "unsupported_media_type");
    }
    let most = 2 << 20;
    let large = send(&organiser, &organiser.fresh_key(), "", CSV, vec![b'a'; most + 1]).await;
    assert_eq!(large.problem(413, "body_too_large")["detail"], "最多 2048 KB");
    let larger = send(&organiser, &organiser.fresh_key(), "", XLSX, vec![0; 10 << 20]).await;
    larger.problem(413, "body_too_large");
    let request = organiser.request(Method::POST, IMPORTS).header("content-type", CSV).body(csv(&[row("a")]));
    organiser.send(request).await.problem(400, "idempotency_key_missing");
    // Whoever may not import is told that alone, whatever it is that they send.
    for (who, status, code) in
        [(app.anon(), 401, "unauthenticated"), (app.worker("zhang").await, 403, "forbidden")]
    {
        for (media, body) in [("application/json", vec![0; 10]), (CSV, csv(&[row("a")]).into_bytes())] {
            send(&who, &who.fresh_key(), "", media, body).await.problem(status, code);
        }
    }
}

async fn a_key_stands_for_one_sheet(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let first = send(&organiser, "one-sheet", "", CSV, csv(&[row("a")])).await;
    let again = send(&organiser, "one-sheet", "", CSV, csv(&[row("a")])).await;
    assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, Some("true")));
    assert_eq!(again.body["create"], 1, "the first answer, not a second look");
    let other = send(&organiser, "one-sheet", "", CSV, csv(&[row("b")])).await;
    other.problem(422, "idempotency_mismatch");
    let dry = send(&organiser, "one-sheet", "?dry_run=true", CSV, csv(&[row("a")])).await;
    dry.problem(422, "idempotency_mismatch");
}
