//! Sign-in sheets: masked, or in full for whoever may reveal, and that is in the audit.

use serde_json::json;

use super::{attend, cell, fetch, sheet};
use crate::access::staff_of;
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_sheet_is_masked_for_whoever_keeps_the_door,
    names_are_shown_in_full_to_whoever_may_and_that_is_kept,
    a_sheet_of_another_street_does_not_exist,
];

async fn a_sheet_is_masked_for_whoever_keeps_the_door(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.title("电工<b>班")).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    zhang.set_profile("张三丰", Some(app.organisation("street-pinghu").await)).await;
    li.set_profile("李四光", None).await;
    attend(&gate, &zhang, &activity).await;
    li.sign_up(&activity).await.ok(201);
    let path = format!("/api/v1/sessions/{}/sign-in-sheet", activity.session);
    let page = gate.get(&path).await;
    assert_eq!(page.expect(200).header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("private, no-store"));
    let row = |number: usize, name: &str, rest: &str| {
        format!("<tr><td>{number}</td><td>{name}</td>{rest}<td></td></tr>")
    };
    let zhang_s = "<td>平湖街道</td><td>参加者</td><td>06-16 10:00</td><td>工作人员扫码</td>";
    assert!(page.text.contains(&row(1, "张*丰", zhang_s)), "{}", page.text);
    let li_s = "<td></td><td>参加者</td><td></td><td></td>";
    assert!(page.text.contains(&row(2, "李*光", li_s)), "{}", page.text);
    assert!(
        page.text.contains("电工&lt;b&gt;班") && page.text.contains("共 2 人，已签到 1 人。姓名已脱敏。")
    );
    let book = fetch(&gate, &format!("{path}?format=xlsx")).await;
    assert!(book.header("content-disposition").starts_with("attachment"));
    let table = sheet(&book.bytes, "签到表");
    assert_eq!((cell(&table, 6, 1), cell(&table, 7, 1)), ("张*丰".into(), "李*光".into()));
    assert_eq!(fetch(&gate, &format!("{path}?format=xlsx")).await.bytes, book.bytes, "the same to the byte");
    gate.get(&format!("{path}?format=docx")).await.problem(400, "query_invalid");
    app.run_jobs().await;
}

async fn names_are_shown_in_full_to_whoever_may_and_that_is_kept(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    zhang.set_profile("=张三丰", Some(app.organisation("street-pinghu").await)).await;
    li.set_profile("李四光", Some(app.organisation("street-pingdi").await)).await;
    attend(&gate, &zhang, &activity).await;
    attend(&gate, &li, &activity).await;
    app.run_jobs().await;
    let path = format!("/api/v1/sessions/{}/sign-in-sheet-reveals", activity.session);
    let purpose = json!({ "purpose": "现场实名签到", "format": "html" });
    for name in ["gate", "organiser", "reviewer", "planner"] {
        app.staff(name).await.post(&path, purpose.clone()).await.problem(403, "forbidden");
    }
    app.staff("admin").await.post(&path, json!({})).await.problem(422, "validation_failed");
    let page = app.staff("admin").await.post(&path, purpose.clone()).await;
    assert!(page.expect(200).text.contains("<td>=张三丰</td>") && page.text.contains("<td>李四光</td>"));
    assert!(!page.text.contains("脱敏"));
    // Of another street's people only the mask.
    let local = staff_of(&app, "admin-pinghu", "admin", "street-pinghu").await;
    let page = local.post(&path, purpose).await;
    assert!(page.expect(200).text.contains("<td>=张三丰</td>") && page.text.contains("<td>李*光</td>"));
    let request = local
        .request(reqwest::Method::POST, &path)
        .json(&json!({ "purpose": "现场实名签到", "format": "xlsx" }));
    let bytes = request.send().await.unwrap().bytes().await.unwrap();
    let table = sheet(&bytes, "签到表");
    let mut names = [cell(&table, 6, 1), cell(&table, 7, 1)];
    names.sort();
    assert_eq!(names, ["'=张三丰", "李*光"]);
    let session = activity.session;
    let audit =
        app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={session}")).await.ok(200);
    let reveals: Vec<_> =
        audit["items"].as_array().unwrap().iter().filter(|e| e["action"] == "session.reveal").collect();
    assert_eq!(reveals.len(), 3, "{audit}");
    assert_eq!(reveals[2]["detail"], json!({ "purpose": "现场实名签到", "names": 2 }));
    assert_eq!(reveals[1]["detail"]["names"], 1);
}

async fn a_sheet_of_another_street_does_not_exist(app: TestApp) {
    let there = app.activity(|a| a.organisation("street-pingdi")).await;
    let path = format!("/api/v1/sessions/{}/sign-in-sheet", there.session);
    app.staff("gate-pinghu").await.get(&path).await.problem(404, "not_found");
    let local = staff_of(&app, "admin-pinghu", "admin", "street-pinghu").await;
    let body = json!({ "purpose": "现场实名签到" });
    local.post(&format!("{path}-reveals"), body).await.problem(404, "not_found");
}
