//! The public board: for everybody, about nobody.

use chrono::TimeDelta;
use reqwest::Method;
use reqwest::header::IF_NONE_MATCH;

use super::attend;
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    the_board_is_for_everybody_and_names_nobody,
    the_board_is_a_minute_old_at_most,
    a_few_people_are_not_told_of,
];

/// The card of a target.
fn card<'a>(page: &'a str, code: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<strong>{code}</strong>")).unwrap();
    rest.split_once("</section>").unwrap().0
}

async fn the_board_is_for_everybody_and_names_nobody(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.title("只有内部知道的标题")).await;
    let zhang = app.worker("zhang").await;
    zhang.set_profile("慕容无名", Some(app.organisation("street-pinghu").await)).await;
    attend(&gate, &zhang, &activity).await;
    gate.finalise(activity.session).await.ok(200);
    app.run_jobs().await;
    let anon = app.anon();
    let page = anon.get("/plans/2025/board").await;
    assert_eq!(page.expect(200).header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text.len() < 100 * 1024, "{} bytes", page.text.len());
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("cache-control"), Some("public, no-cache"));
    assert_eq!(page.header("set-cookie"), None);
    assert_eq!(page.text.matches("<section class=\"card\">").count(), 46);
    assert_eq!(page.text.matches("<h2>").count(), 6, "the plan's six sections");
    assert!(card(&page.text, "07a").contains("<span class=\"figure\">1</span> / 200"));
    assert!(
        card(&page.text, "07a").contains("<span class=\"tag poor\">存在风险</span>"),
        "a status is a word"
    );
    assert!(page.text.contains("2025-06-16 10:00"), "when its figures were true");
    for private in [
        "慕容",
        "慕*",
        "只有内部知道的标题",
        "per_",
        "act_",
        "org_",
        "<script",
        "http:",
        "https:",
        "src=",
        "href=",
    ] {
        assert!(!page.text.replace("http-equiv", "").contains(private), "{private}");
    }
    let known = anon.request(Method::GET, "/plans/2025/board").header(IF_NONE_MATCH, page.etag());
    let known = anon.send(known).await;
    assert_eq!((known.status, known.text.as_str(), known.etag()), (304, "", page.etag()));
    for nowhere in ["/plans/2024/board", "/plans/x/board", "/plans/25/board"] {
        anon.get(nowhere).await.problem(404, "not_found");
    }
}

async fn the_board_is_a_minute_old_at_most(app: TestApp) {
    let anon = app.anon();
    let before = anon.get("/plans/2025/board").await;
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a).await;
    attend(&gate, &app.worker("zhang").await, &activity).await;
    gate.finalise(activity.session).await.ok(200);
    app.advance(TimeDelta::seconds(59));
    let kept = anon.get("/plans/2025/board").await;
    assert_eq!((kept.etag(), &kept.text), (before.etag(), &before.text));
    app.advance(TimeDelta::seconds(1));
    let after = anon.get("/plans/2025/board").await;
    assert_ne!(after.etag(), before.etag());
    assert!(card(&after.text, "07a").contains("<span class=\"figure\">1</span>"));
    app.run_jobs().await;
}

async fn a_few_people_are_not_told_of(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a).await;
    let pinghu = app.organisation("street-pinghu").await;
    let buji = app.organisation("street-buji").await;
    let pingdi = app.organisation("street-pingdi").await;
    for number in 0..17 {
        let worker = app.worker(&format!("worker-{number}")).await;
        let home = match number {
            0..10 => pinghu,
            10..15 => pingdi,
            _ => buji,
        };
        worker.set_profile("张三", Some(home)).await;
        attend(&gate, &worker, &activity).await;
    }
    app.run_jobs().await;
    let page = app.anon().get("/plans/2025/board").await.text;
    let person_times = card(&page, "07b");
    assert!(person_times.contains("<span class=\"figure\">17</span>"), "{person_times}");
    // Two in one street: told neither there nor by what the others add up to.
    let told = |number: i64| person_times.contains(&format!("<td class=\"n\">{number}</td>"));
    assert_eq!((told(10), told(5), told(2)), (true, false, false), "{person_times}");
    assert_eq!(person_times.matches("<td class=\"n\">不公开</td>").count(), 2, "{person_times}");
    // Where there is hardly anybody at all, nothing tells of it: no bar, no share, no street.
    let few = app.activity(|a| a.programme("demo-craftsman-support")).await;
    attend(&gate, &app.worker("worker-0").await, &few).await;
    app.run_jobs().await;
    app.advance(TimeDelta::minutes(1));
    let page = app.anon().get("/plans/2025/board").await.text;
    let people = card(&page, "09e");
    assert!(
        people.contains("<span class=\"figure\">少于 3</span>") && people.contains("<span>—</span>"),
        "{people}"
    );
    assert!(people.contains("width=\"0\"") && !people.contains("<details>"), "{people}");
}
