//! One's own data, and what others may see of it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use serde_json::{Value, json};
use unionhall::platform::db::{Conn, DbTarget};

use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    the_profile_changes_only_for_who_has_read_it,
    a_wrong_profile_is_told_field_by_field,
    an_id_number_is_checked_by_its_standard,
    an_id_number_belongs_to_one_person,
    numbers_are_masked_and_kept_sealed,
    a_reveal_needs_a_purpose_and_is_audited,
    a_reveal_reaches_as_far_as_the_grant,
];

/// 1949-12-31, of the standard's own example.
const ID: &str = "11010519491231002X";
/// 1880-01-01, whose check sign fits.
const ID_TOO_OLD: &str = "110105188001010017";

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    is_bytes: bool,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// Where in the database `text` stands in clear: `table.column`, and on SQLite the files.
pub async fn places_that_hold(app: &TestApp, text: &str) -> Vec<String> {
    let wanted = hex::encode_upper(text);
    let mut places: Vec<String> = app
        .read(move |conn| {
            let mut places = Vec::new();
            for Column { table, name, is_bytes } in columns(conn)? {
                let rows = match conn {
                    Conn::Postgres(c) => {
                        let bytes = if is_bytes {
                            format!("\"{name}\"")
                        } else {
                            format!("convert_to(\"{name}\"::text, 'UTF8')")
                        };
                        let query = format!(
                            "SELECT count(*) AS rows FROM \"{table}\" WHERE position('{wanted}' in upper(encode({bytes}, 'hex'))) > 0"
                        );
                        diesel::sql_query(query).get_result::<Number>(c)?.rows
                    }
                    Conn::Sqlite(c) => {
                        let query = format!(
                            "SELECT count(*) AS rows FROM \"{table}\" WHERE instr(hex(\"{name}\"), '{wanted}') > 0"
                        );
                        diesel::sql_query(query).get_result::<Number>(c)?.rows
                    }
                };
                if rows > 0 {
                    places.push(format!("{table}.{name}"));
                }
            }
            Ok(places)
        })
        .await;
    if let DbTarget::Sqlite(file) = app.db().target() {
        for suffix in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{suffix}", file.display())).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                places.push(format!("the file{suffix}"));
            }
        }
    }
    places
}

fn columns(conn: &mut Conn) -> unionhall::error::Result<Vec<Column>> {
    Ok(match conn {
        Conn::Postgres(c) => diesel::sql_query(
            "SELECT table_name::text AS table, column_name::text AS name, data_type = 'bytea' AS is_bytes
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        )
        .load(c)?,
        Conn::Sqlite(c) => diesel::sql_query(
            "SELECT m.name AS \"table\", p.name AS name, 0 AS is_bytes
             FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY 1, 2",
        )
        .load(c)?,
    })
}

async fn change(person: &Actor, body: Value) -> Reply {
    let seen = person.get("/api/v1/me").await;
    person.put("/api/v1/me", &seen.etag(), body).await
}

async fn set_phone(app: &TestApp, person: &Actor, number: &str) {
    let given = app.sim_get(&format!("/sim/phone-code?user={}&phone={number}", person.name)).await;
    person.post("/api/v1/me/phones", json!({ "code": given["code"] })).await.ok(200);
}

async fn the_profile_changes_only_for_who_has_read_it(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let seen = zhang.get("/api/v1/me").await;
    let workplace = app.organisation("demo-enterprise-buji-1").await;
    let body = json!({ "name": "张三丰", "workplace_id": workplace });
    let changed = zhang.put("/api/v1/me", &seen.etag(), body.clone()).await;
    assert_ne!(changed.etag(), seen.etag());
    let me = changed.ok(200);
    assert_eq!((&me["name"], &me["workplace_id"]), (&json!("张三丰"), &json!(workplace)));
    assert_eq!(zhang.get("/api/v1/me").await.ok(200), me);
    let stale = json!({ "name": "张四" });
    zhang.put("/api/v1/me", &seen.etag(), stale.clone()).await.problem(412, "precondition_failed");
    zhang.put("/api/v1/me", "\"made up\"", stale.clone()).await.problem(412, "precondition_failed");
    let blind = zhang.request(reqwest::Method::PUT, "/api/v1/me").json(&stale);
    zhang.send(blind).await.problem(428, "precondition_required");
    assert_eq!(zhang.get("/api/v1/me").await.ok(200), me);
    app.anon().put("/api/v1/me", &seen.etag(), body).await.problem(401, "unauthenticated");
}

async fn a_wrong_profile_is_told_field_by_field(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let problem =
        change(&zhang, json!({ "name": " ", "workplace_id": 7, "id_number": "1", "age": 40 })).await;
    let problem = problem.problem(422, "validation_failed");
    let mut faults: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap()))
        .collect();
    faults.sort_unstable();
    let expected =
        [("/age", "unknown"), ("/id_number", "min_length"), ("/name", "pattern"), ("/workplace_id", "type")];
    assert_eq!(faults, expected);
    let nowhere = app.ids().id::<unionhall::ids::OrganisationId>();
    let problem = change(&zhang, json!({ "name": "张", "workplace_id": nowhere })).await;
    let problem = problem.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/workplace_id");
    let nul = change(&zhang, json!({ "name": "张\u{0}三" })).await;
    nul.problem(422, "validation_failed");
}

async fn an_id_number_is_checked_by_its_standard(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let cases = [
        ("1101051949123100", "身份证号码应为18位", "an ID number has 18 characters"),
        (
            "110105491231002",
            "15位旧身份证号码已停用，请填写18位号码",
            "15-digit ID numbers are no longer valid; enter the 18-digit number",
        ),
        (
            "1101051949123100AX",
            "身份证号码前17位应为数字，最后一位应为数字或X",
            "an ID number is 17 digits followed by a digit or X",
        ),
        (
            "110105194902300020",
            "身份证号码中的出生日期不正确",
            "the birth date in the ID number is not possible",
        ),
        (ID_TOO_OLD, "身份证号码中的出生日期不正确", "the birth date in the ID number is not possible"),
        (
            "110105194912310021",
            "身份证号码校验不通过，请核对每一位",
            "the ID number does not pass its check; compare every digit",
        ),
    ];
    for (number, zh, en) in cases {
        for (language, expected) in [("zh-CN", zh), ("en", en)] {
            let etag = zhang.get("/api/v1/me").await.etag();
            let request = zhang
                .request(reqwest::Method::PUT, "/api/v1/me")
                .header("if-match", etag)
                .header("accept-language", language)
                .json(&json!({ "name": "张三丰", "id_number": number }));
            let reply = zhang.send(request).await;
            assert!(!reply.text.contains(number), "a number is not repeated");
            let problem = reply.problem(422, "validation_failed");
            let fault = json!([{ "pointer": "/id_number", "code": "id_number", "detail": expected }]);
            assert_eq!(problem["errors"], fault, "{number}");
        }
    }
    let me = zhang.get("/api/v1/me").await.ok(200);
    assert_eq!((me.get("name"), me.get("id_number_masked")), (None, None));
    // As a phone may type it.
    let me = change(&zhang, json!({ "name": "张三丰", "id_number": "11010519491231002x" })).await.ok(200);
    assert_eq!(me["id_number_masked"], "110*************2X");
    let me = change(&zhang, json!({ "name": "张三" })).await.ok(200);
    assert_eq!(me["id_number_masked"], "110*************2X", "left out, it stays");
}

async fn an_id_number_belongs_to_one_person(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let body = json!({ "name": "张三丰", "id_number": ID });
    change(&zhang, body.clone()).await.ok(200);
    change(&zhang, body.clone()).await.ok(200);
    let taken = change(&li, body).await.problem(409, "unique_taken");
    assert!(!taken.to_string().contains(ID));
    assert_eq!(li.get("/api/v1/me").await.ok(200).get("name"), None, "nothing of it was kept");
}

async fn numbers_are_masked_and_kept_sealed(app: TestApp) {
    let zhang = app.worker("zhang").await;
    change(&zhang, json!({ "name": "张三丰", "id_number": ID })).await.ok(200);
    set_phone(&app, &zhang, "13812345678").await;
    let me = zhang.get("/api/v1/me").await;
    assert_eq!(me.body["id_number_masked"], "110*************2X");
    assert_eq!(me.body["phone_masked"], "138****5678");
    assert!(!me.text.contains(ID) && !me.text.contains("13812345678"));
    let name = places_that_hold(&app, "张三丰").await;
    assert!(name.contains(&"people.name".to_owned()), "the search finds what is there: {name:?}");
    for secret in [ID, &ID[..17], "13812345678"] {
        assert_eq!(places_that_hold(&app, secret).await, [""; 0], "{secret}");
    }
}

async fn reveal(actor: &Actor, whose: &Actor, field: &str, purpose: &str) -> Reply {
    let path = format!("/api/v1/people/{}/reveals", whose.person());
    actor.post(&path, json!({ "field": field, "purpose": purpose })).await
}

async fn a_reveal_needs_a_purpose_and_is_audited(app: TestApp) {
    let (zhang, admin) = (app.worker("zhang").await, app.staff("admin").await);
    change(&zhang, json!({ "name": "张三丰", "id_number": ID })).await.ok(200);
    for name in ["organiser", "gate", "reviewer", "planner", "auditor"] {
        let other = app.staff(name).await;
        reveal(&other, &zhang, "id_number", "想看一看").await.problem(403, "forbidden");
    }
    reveal(&zhang, &zhang, "id_number", "我自己的").await.problem(403, "forbidden");
    let problem = reveal(&admin, &zhang, "id_number", "看").await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/purpose");
    let shown = reveal(&admin, &zhang, "id_number", "核对补贴名单").await;
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert_eq!(shown.ok(200), json!({ "field": "id_number", "value": ID }));
    let none = reveal(&admin, &zhang, "phone", "电话通知改期").await.ok(200);
    assert_eq!(none, json!({ "field": "phone" }));
    let path = format!("/api/v1/audit-entries?object={}&actor={}", zhang.person(), admin.person());
    let entries = app.staff("auditor").await.get(&path).await;
    assert!(!entries.text.contains(ID), "the chain says that, not what");
    let entries = entries.ok(200);
    let seen: Vec<(&Value, &Value)> =
        entries["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["detail"])).collect();
    let action = json!("person.reveal");
    let phone = json!({ "field": "phone", "purpose": "电话通知改期" });
    let number = json!({ "field": "id_number", "purpose": "核对补贴名单" });
    assert_eq!(seen, [(&action, &phone), (&action, &number)]);
}

async fn a_reveal_reaches_as_far_as_the_grant(app: TestApp) {
    let (admin, local) = (app.staff("admin").await, app.worker("local-admin").await);
    let pinghu = app.organisation("street-pinghu").await;
    let grant = json!({ "person_id": local.person(), "role": "admin", "organisation_id": pinghu });
    admin.post("/api/v1/staff-grants", grant).await.ok(201);
    let inside = app.organisation("demo-enterprise-pinghu-1").await;
    let outside = app.organisation("demo-enterprise-buji-1").await;
    for (name, workplace, status) in
        [("zhang", Some(inside), 200), ("li", Some(outside), 404), ("wang", None, 404)]
    {
        let person = app.worker(name).await;
        person.set_profile(name, workplace).await;
        set_phone(&app, &person, "13812345678").await;
        let reply = reveal(&local, &person, "phone", "电话通知改期").await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text);
        if status == 404 {
            reply.problem(404, "not_found");
            reveal(&admin, &person, "phone", "电话通知改期").await.ok(200);
        } else {
            assert_eq!(reply.body["value"], "13812345678");
        }
    }
}
