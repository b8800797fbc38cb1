//! Work injuries and visits: lists that hospitals send, what counts, who sees it, and who is warned when.

pub mod counting;
pub mod importing;
pub mod scope;
pub mod warnings;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Reply, TestApp};

/// The columns, in the order of [`patient`].
const HEADER: [&str; 8] =
    ["name", "phone", "employer", "hospital", "injured_on", "admitted_on", "injury", "shared_phone"];

/// A row about somebody who was injured two weeks before the tests begin.
pub fn patient(name: &str, phone: &str) -> Vec<String> {
    [name, phone, "", "示例区人民医院", "2025-06-02", "2025-06-03", "左手骨折", ""]
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

/// A list as CSV.
pub fn list(rows: &[Vec<String>]) -> String {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let mut text = HEADER.join(",") + "\r\n";
    for row in rows {
        text += &(row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n");
    }
    text
}

/// Sends a list on behalf of an organisation.
async fn send(
    app: &TestApp,
    by: &Actor,
    organisation: &str,
    query: &str,
    (media, body): (&str, Vec<u8>),
) -> Reply {
    let path = format!("/api/v1/injury-imports?organisation={}{query}", app.organisation(organisation).await);
    let request = by.request(Method::POST, &path).header("idempotency-key", by.fresh_key());
    by.send(request.header("content-type", media).body(body)).await
}

/// Sends a list as CSV.
async fn import(app: &TestApp, by: &Actor, organisation: &str, rows: &[Vec<String>]) -> Reply {
    send(app, by, organisation, "", ("text/csv", list(rows).into())).await
}

/// The injury of somebody whom an organisation's list has named.
pub async fn injured(app: &TestApp, organisation: &str, name: &str, phone: &str) -> String {
    injured_as(app, organisation, patient(name, phone)).await
}

async fn injured_as(app: &TestApp, organisation: &str, row: Vec<String>) -> String {
    let report = import(app, &app.staff("organiser").await, organisation, &[row]).await.ok(200);
    assert_eq!(report["written"], json!(true), "{report}");
    report["rows"][0]["injury_id"].as_str().unwrap().to_owned()
}

/// Opens what the hospital says.
pub async fn reveal(by: &Actor, injury: &str) -> Reply {
    by.post(&format!("/api/v1/injuries/{injury}/reveals"), json!({ "purpose": "前往探视" })).await
}

/// Records a visit.
async fn visit(by: &Actor, injury: &str, body: Value) -> Reply {
    by.post(&format!("/api/v1/injuries/{injury}/visits"), body).await
}

async fn undo(by: &Actor, visit: &Value) -> Reply {
    let path = format!("/api/v1/visits/{}/undoings", visit["id"].as_str().unwrap());
    by.post(&path, json!({ "reason": "登记错误" })).await
}

/// What 19a and 19b have reached.
async fn figures(app: &TestApp) -> (i64, i64) {
    let progress =
        app.staff("planner").await.get("/api/v1/plans/2025/progress?targets=19a,19b").await.ok(200);
    let value = |place: usize| progress["targets"][place]["value"].as_i64().unwrap();
    assert_eq!(
        (&progress["targets"][0]["code"], &progress["targets"][1]["code"]),
        (&json!("19a"), &json!("19b"))
    );
    (value(0), value(1))
}

/// Gives somebody who is logged in a name and a number.
async fn registered(app: &TestApp, user: &str, name: &str, phone: &str) -> Actor {
    let worker = app.worker(user).await;
    worker.set_profile(name, None).await;
    let given = app.sim_get(&format!("/sim/phone-code?user={user}&phone={phone}")).await;
    worker.post("/api/v1/me/phones", json!({ "code": given["code"] })).await.ok(200);
    worker
}
