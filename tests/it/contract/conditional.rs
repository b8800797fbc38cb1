//! Reads say whether the copy at hand still holds; acts always answer.

use reqwest::Method;
use serde_json::json;

use crate::access::cases::{Stage, case};
use crate::harness::document::OPERATIONS;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] =
    tests![every_read_knows_its_own_copy, a_copy_that_no_longer_holds_is_replaced, an_act_always_answers];

/// Reads that nobody keeps: what they carry is opened for whoever asks, every time.
const KEPT_BY_NOBODY: &[&str] = &[
    "bundle_get",
    "file_check_open",
    "legal_closing_get",
    "legal_consultation_list",
    "legal_document_get",
    "legal_glass_get",
    "legal_lawyer_change_list",
    "legal_member_list",
    "legal_message_list",
    "legal_referral_list",
    "legal_turn_list",
    "my_legal_document_get",
    "my_legal_group_list",
    "my_legal_lawyer_change_list",
    "my_legal_member_list",
    "my_legal_message_list",
    "my_legal_referral_list",
    "my_legal_request_get",
    "my_legal_request_list",
    "my_review_message_list",
    "my_tie_list",
    "review_message_list",
    "session_code_get",
    "session_code_picture",
    "session_code_wechat",
    "session_sign_in_sheet",
    "wechat_push_verify",
    "person_alike_list",
];

async fn ask(actor: &Actor, path: &str, tag: &str) -> Reply {
    actor.send(actor.request(Method::GET, path).header("if-none-match", tag)).await
}

async fn every_read_knows_its_own_copy(app: TestApp) {
    let (stage, admin, auditor) =
        (Stage::set(app.clone()).await, app.staff("admin").await, app.staff("auditor").await);
    let (reviewer, lead) = (app.staff("reviewer").await, app.staff("legal-lead").await);
    let mut read = 0;
    for operation in OPERATIONS.iter().filter(|o| o.method == "GET" && o.path.starts_with("/api/")) {
        let actor = match operation.permission.as_deref() {
            Some("audit:read") => &auditor,
            Some("self") => &stage.guest,
            Some("review:decide") => &reviewer,
            Some("legal:glass_read") => &auditor,
            Some(permission) if permission.starts_with("legal:") => &lead,
            _ => &admin,
        };
        let path = case(&stage, &operation.id, actor).await.expect(&operation.id).path;
        let first = actor.get(&path).await;
        first.expect(200);
        if KEPT_BY_NOBODY.contains(&operation.id.as_str()) {
            assert!(first.header("cache-control").unwrap().contains("no-store"), "{path}");
            assert_eq!(first.header("etag"), None, "{path}");
            continue;
        }
        let tag = first.etag();
        assert!(first.header("cache-control").unwrap().contains("no-cache"), "{path}");
        for known in
            [tag.clone(), format!("W/{tag}"), format!("\"v9-0123456789abcdef\", {tag}"), "*".to_owned()]
        {
            let again = ask(actor, &path, &known).await;
            again.expect(304);
            assert_eq!((again.text.as_str(), again.etag()), ("", tag.clone()), "{path}");
        }
        ask(actor, &path, "\"v9-0123456789abcdef\"").await.expect(200);
        read += 1;
    }
    assert!(read > 15, "only {read} reads");
    app.run_jobs().await;
}

async fn a_copy_that_no_longer_holds_is_replaced(app: TestApp) {
    let activity = app.activity(|a| a.capacity(2)).await;
    let path = format!("/api/v1/activities/{}", activity.id);
    let (guest, nobody) = (app.worker("zhang").await, app.anon());
    let tag = nobody.get(&path).await.etag();
    guest.sign_up(&activity).await.ok(201);
    app.run_jobs().await;
    let fresh = ask(&nobody, &path, &tag).await;
    fresh.expect(200);
    assert_ne!(fresh.etag(), tag);
    ask(&nobody, &path, &fresh.etag()).await.expect(304);
    // A profile's own tag is what a change asks for.
    let me = guest.get("/api/v1/me").await;
    let changed = guest.put("/api/v1/me", &me.etag(), json!({ "name": "张三丰" })).await;
    changed.expect(200);
    ask(&guest, "/api/v1/me", &me.etag()).await.expect(200);
    ask(&guest, "/api/v1/me", &changed.etag()).await.expect(304);
    guest.put("/api/v1/me", &me.etag(), json!({ "name": "张三" })).await.problem(412, "precondition_failed");
}

async fn an_act_always_answers(app: TestApp) {
    let worker = app.worker("zhang").await;
    let login = json!({ "code": worker.login_code().await });
    let anon = app.anon();
    let request = anon.request(Method::POST, "/api/v1/auth/wechat-logins").header("if-none-match", "*");
    let answer = anon.send(request.json(&login)).await;
    answer.expect(200);
    // Tokens are kept by no cache.
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.body["access_token"].is_string());
}
