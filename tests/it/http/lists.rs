//! Lists a page at a time, and answers that need not be sent again or can be sent smaller.

use actix_web::dev::Decompress;
use actix_web::http::header::ContentEncoding;
use actix_web::web::Bytes;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use serde_json::{Value, json};

use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_walk_neither_repeats_nor_skips,
    a_walk_keeps_its_filters,
    a_cursor_is_good_for_its_own_list_only,
    what_is_known_is_not_sent_again,
    a_large_answer_comes_compressed_when_asked,
];

const LIST: &str = "/api/v1/activities";

/// All items of a list, page by page, with the number of pages.
async fn walk(actor: &Actor, path: &str) -> (Vec<Value>, usize) {
    let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = actor.get(&format!("{path}{cursor}")).await.ok(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        pages += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (items, pages),
        }
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn a_walk_neither_repeats_nor_skips(app: TestApp) {
    let organiser = app.staff("organiser").await;
    // Five at one and the same time, so that the id decides between them.
    for _ in 0..5 {
        app.activity_by(&organiser, |a| a).await;
    }
    let whole = app.anon().get(&format!("{LIST}?limit=100")).await.ok(200);
    let whole = whole["items"].as_array().unwrap();
    assert!(whole.len() > 10 && whole.len() < 100);
    for limit in [1, 2, 7] {
        let (items, pages) = walk(&app.anon(), &format!("{LIST}?limit={limit}")).await;
        assert_eq!(ids(&items), ids(whole), "limit {limit}");
        assert_eq!(pages, whole.len().div_ceil(limit), "limit {limit}");
    }
    // What comes in before the place that was reached does not move it.
    let first = app.anon().get(&format!("{LIST}?limit=7")).await.ok(200);
    let hours = TimeDelta::hours;
    app.activity_by(&organiser, |a| a.sessions(&[(hours(-40), hours(-30)), (hours(1), hours(2))])).await;
    let rest = format!("{LIST}?limit=100&cursor={}", first["next"].as_str().unwrap());
    let rest = app.anon().get(&rest).await.ok(200);
    assert_eq!(ids(rest["items"].as_array().unwrap()), ids(&whole[7..]));
}

async fn a_walk_keeps_its_filters(app: TestApp) {
    let organiser = app.staff("organiser").await;
    for number in 0..5 {
        app.activity_by(&organiser, |a| a.title(&format!("翻页 {number}"))).await;
        app.activity_by(&organiser, |a| a.title("别的")).await;
    }
    let (items, pages) =
        walk(&app.anon(), &format!("{LIST}?q=%E7%BF%BB%E9%A1%B5&kind=training&limit=2")).await;
    assert_eq!(pages, 3);
    let mut titles: Vec<&str> = items.iter().map(|item| item["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["翻页 0", "翻页 1", "翻页 2", "翻页 3", "翻页 4"]);
}

async fn a_cursor_is_good_for_its_own_list_only(app: TestApp) {
    let (anon, organiser) = (app.anon(), app.staff("organiser").await);
    let next = |page: Value| page["next"].as_str().unwrap().to_owned();
    let own = next(anon.get(&format!("{LIST}?limit=1")).await.ok(200));
    let filtered = next(anon.get(&format!("{LIST}?limit=1&kind=training")).await.ok(200));
    let other = next(anon.get("/api/v1/programmes?limit=1").await.ok(200));
    let managed = next(organiser.get("/api/v1/managed-activities?limit=1").await.ok(200));
    let last = own.chars().last().unwrap();
    let forged = format!("{}{}", &own[..own.len() - 1], if last == 'A' { 'Q' } else { 'A' });
    anon.get(&format!("{LIST}?limit=5&cursor={own}")).await.ok(200);
    for wrong in [&filtered, &other, &managed, &forged, "AAAA", &own[..10]] {
        let reply = anon.get(&format!("{LIST}?limit=1&cursor={wrong}")).await;
        reply.problem(400, "cursor_invalid");
    }
    for unreadable in ["nonsense!", ""] {
        anon.get(&format!("{LIST}?limit=1&cursor={unreadable}")).await.problem(400, "query_invalid");
    }
    let wrong_filter = anon.get(&format!("{LIST}?limit=1&kind=academic&cursor={filtered}")).await;
    wrong_filter.problem(400, "cursor_invalid");
    let long = anon.get(&format!("{LIST}?cursor={}", "A".repeat(401))).await;
    long.problem(400, "query_invalid");
    // A list of people's own things: nobody continues another's.
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    for _ in 0..2 {
        let activity = app.activity(|a| a).await;
        zhang.sign_up(&activity).await.ok(201);
        li.sign_up(&activity).await.ok(201);
    }
    let of_zhang = next(zhang.get("/api/v1/me/signups?limit=1").await.ok(200));
    let path = format!("/api/v1/me/signups?limit=1&cursor={of_zhang}");
    zhang.get(&path).await.ok(200);
    li.get(&path).await.problem(400, "cursor_invalid");
    app.run_jobs().await;
}

async fn what_is_known_is_not_sent_again(app: TestApp) {
    let anon = app.anon();
    let activity = app.activity(|a| a).await;
    let path = format!("{LIST}/{}", activity.id);
    let first = anon.get(&path).await;
    let tag = first.etag();
    let ask = |known: String| anon.send(anon.request(Method::GET, &path).header(IF_NONE_MATCH, known));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let reply = ask(known.clone()).await;
        assert_eq!((reply.status, reply.text.as_str()), (304, ""), "{known}");
        assert_eq!(reply.etag(), tag);
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    for unknown in ["\"v1-0000000000000000\"", "nonsense", ""] {
        assert_eq!(ask(unknown.to_owned()).await.ok(200), first.body, "{unknown}");
    }
    // A place taken is another view of the same version.
    app.worker("zhang").await.sign_up(&activity).await.ok(201);
    let changed = ask(tag.clone()).await;
    assert_ne!(changed.etag(), tag);
    assert_eq!(changed.ok(200)["places_left"], json!(19));
    app.run_jobs().await;
}

async fn a_large_answer_comes_compressed_when_asked(app: TestApp) {
    let url = format!("{}/api/v1/organisations?limit=100", app.base());
    let plain = app.http().get(&url).send().await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let (tag, plain) = (plain.headers()["etag"].clone(), plain.text().await.unwrap());
    for (name, encoding) in [("gzip", ContentEncoding::Gzip), ("br", ContentEncoding::Brotli)] {
        let reply = app.http().get(&url).header(ACCEPT_ENCODING, name).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.headers()["content-encoding"], name);
        assert!(reply.headers()["vary"].to_str().unwrap().to_ascii_lowercase().contains("accept-encoding"));
        assert_eq!(reply.headers()["etag"], tag);
        let small = reply.bytes().await.unwrap();
        assert!(small.len() * 4 < plain.len(), "{name}: {} of {}", small.len(), plain.len());
        let body = stream::iter([Ok::<Bytes, actix_web::error::PayloadError>(small)]);
        let chunks: Vec<_> = Decompress::new(body, encoding).collect().await;
        let whole: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.unwrap()).collect();
        assert_eq!(String::from_utf8(whole).unwrap(), plain, "{name}");
        let known = app.http().get(&url).header(ACCEPT_ENCODING, name).header(IF_NONE_MATCH, &tag);
        let known = known.send().await.unwrap();
        assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));
    }
}
