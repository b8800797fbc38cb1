//! What people take away of the plan: reports, the public board, sign-in sheets.

pub mod board;
pub mod reports;
pub mod signin;

use std::io::Cursor;

use calamine::{Data, Range, Reader, Xlsx};
use chrono::TimeDelta;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::harness::factory::Made;
use crate::harness::{Actor, TestApp};

/// An answer whose body is no text.
pub struct Fetched {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Fetched {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }
}

/// Reads whatever there is.
pub async fn fetch(actor: &Actor, path: &str) -> Fetched {
    let response = actor.request(Method::GET, path).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Fetched { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
}

/// A worker is seen at a session.
pub async fn attend(gate: &Actor, worker: &Actor, activity: &Made) {
    worker.sign_up(activity).await.ok(201);
    gate.scan(activity.session, &worker.pass().await).await.ok(200);
}

/// Until what was written just now is settled.
pub fn settle(app: &TestApp) {
    app.advance(TimeDelta::minutes(2));
}

/// Asks for a report; its address.
pub async fn asked(actor: &Actor, body: Value) -> String {
    let reply = actor.post("/api/v1/plans/2025/reports", body).await;
    reply.expect(202);
    let location = reply.header("location").unwrap().to_owned();
    assert_eq!(location, format!("/api/v1/reports/{}", reply.body["id"].as_str().unwrap()));
    location
}

/// Asks for a report and waits for it: what is known of it, and its bytes.
pub async fn made(app: &TestApp, actor: &Actor, body: Value) -> (Value, Vec<u8>) {
    let path = asked(actor, body).await;
    app.run_jobs().await;
    let report = actor.get(&path).await.ok(200);
    assert_eq!((&report["state"], &report["percent"]), (&json!("ready"), &json!(100)));
    let content = fetch(actor, &format!("{path}/content")).await;
    assert_eq!(content.status, 200);
    (report, content.bytes)
}

/// A sheet of a workbook.
pub fn sheet(bytes: &[u8], name: &str) -> Range<Data> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).unwrap();
    book.worksheet_range(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A cell as a text; empty where there is none.
pub fn cell(range: &Range<Data>, row: u32, column: u32) -> String {
    range.get_value((row, column)).map(ToString::to_string).unwrap_or_default()
}

/// The records of a CSV.
pub fn records(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new().from_reader(text);
    let heads = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
    std::iter::once(heads).chain(rows).collect()
}
