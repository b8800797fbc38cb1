//! A visit is an attendance, and counts as one. After every test the harness verifies the ledger.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join;
use serde_json::{Value, json};
use unionhall::platform::db::schema::{attendances, sessions, visit_days};

use super::{figures, injured, injured_as, patient, registered, undo, visit, with};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_visit_counts_and_one_with_a_gift_counts_twice,
    who_is_visited_again_counts_once,
    a_gift_may_come_with_a_later_visit,
    an_undone_visit_counts_no_more,
    what_is_undone_after_the_session_was_finalised_counts_no_more,
    a_day_that_is_over_gets_a_further_session,
    a_cancelled_session_takes_its_visits_along,
    two_bodies_visit_on_one_day,
    whoever_was_visited_passes_every_door,
    a_gift_without_a_visit_has_a_topic_of_its_own,
    the_first_two_visits_of_a_day_make_one_session,
    what_cannot_be_is_refused,
];

const TODAY: &str = "2025-06-16";
const PINGHU: &str = "street-pinghu";

fn plain() -> Value {
    json!({ "visited_on": TODAY })
}

fn with_gift() -> Value {
    json!({ "visited_on": TODAY, "gift": { "kind": "goods", "text": "牛奶", "amount_fen": 5000 }, "told": ["rights", "apply"] })
}

/// How many are present at the session of a visit, as the session says and as its attendances do.
async fn present(app: &TestApp, visit: &Value) -> (i64, i64) {
    let session: unionhall::ids::SessionId = visit["session_id"].as_str().unwrap().parse().unwrap();
    app.read(move |c| {
        let said = sessions::table.find(session).select(sessions::present).first(c)?;
        let rows = attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::voided_at.is_null());
        Ok((said, rows.count().first(c)?))
    })
    .await
}

async fn a_visit_counts_and_one_with_a_gift_counts_twice(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let employer = with(patient("李四", "13912345678"), &[("employer", "demo-enterprise-pinghu-1")]);
    let li = injured_as(&app, PINGHU, employer).await;
    assert_eq!(figures(&app).await, (0, 0));
    let made = visit(&gate, &zhang, plain()).await.ok(200);
    assert_eq!(
        (made["form"].clone(), made.get("gift"), &made["counts"]),
        (json!("visit"), None, &json!(true))
    );
    assert_eq!(figures(&app).await, (1, 0));
    let made = visit(&gate, &li, with_gift()).await.ok(200);
    assert_eq!(made["gift"], json!({ "kind": "goods", "text": "牛奶", "amount_fen": 5000 }));
    assert_eq!(made["told"], json!(["rights", "apply"]));
    assert_eq!(figures(&app).await, (2, 1));
    assert_eq!(present(&app, &made).await, (2, 2), "both are at the day's one session");
    // Whose figure it is: the sub-district where they work, or that of whoever visits.
    let progress = app.staff("planner").await.get("/api/v1/plans/2025/progress?targets=19a").await.ok(200);
    let streets = progress["targets"][0]["by_organisation"].as_array().unwrap();
    assert_eq!(
        (streets.len(), &streets[0]["name"], &streets[0]["value"]),
        (1, &json!("平湖街道"), &json!(2))
    );
    // The session is finalised as any other.
    let session = made["session_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(gate.finalise(session).await.ok(200)["held"], json!(true));
    let activity = app
        .anon()
        .get(&format!("/api/v1/activities/{}", made["activity_id"].as_str().unwrap()))
        .await
        .ok(200);
    assert_eq!(activity["title"], "工伤探视（平湖街道，2025-06-16）");
    app.worker("wang")
        .await
        .post(&format!("/api/v1/activities/{}/signups", made["activity_id"].as_str().unwrap()), json!({}))
        .await
        .problem(409, "signup_closed");
    let seen = gate.get(&format!("/api/v1/injuries/{li}")).await.ok(200);
    assert_eq!((&seen["visits"], &seen["visited"][0]["id"]), (&json!(1), &made["id"]));
    app.run_jobs().await;
}

async fn who_is_visited_again_counts_once(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let key = gate.fresh_key();
    let path = format!("/api/v1/injuries/{zhang}/visits");
    let first = gate.post_keyed(&key, &path, plain()).await.ok(200);
    assert_eq!(gate.post_keyed(&key, &path, plain()).await.ok(200), first, "a repetition is no second visit");
    let second = visit(&gate, &zhang, plain()).await.ok(200);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["session_id"], second["session_id"]);
    assert_eq!((figures(&app).await, present(&app, &first).await), ((1, 0), (1, 1)));
    // On another day, and for another injury.
    visit(&gate, &zhang, json!({ "visited_on": "2025-06-10" })).await.ok(200);
    let later = with(
        patient("张三丰", "13812345678"),
        &[("injured_on", "2025-06-05"), ("admitted_on", "2025-06-05")],
    );
    let another = injured_as(&app, PINGHU, later).await;
    visit(&gate, &another, plain()).await.ok(200);
    assert_eq!(figures(&app).await, (1, 0));
    let seen = gate.get(&format!("/api/v1/injuries/{zhang}")).await.ok(200);
    assert_eq!(seen["visits"], json!(3));
}

async fn a_gift_may_come_with_a_later_visit(app: TestApp) {
    let (gate, organiser) = (app.staff("gate-pinghu").await, app.staff("organiser-pinghu").await);
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let first = visit(&gate, &zhang, plain()).await.ok(200);
    let second = visit(&gate, &zhang, with_gift()).await.ok(200);
    assert_eq!((figures(&app).await, present(&app, &first).await), ((1, 1), (1, 1)));
    // Without the gift the person was still visited.
    undo(&organiser, &second).await.ok(200);
    assert_eq!((figures(&app).await, present(&app, &first).await), ((1, 0), (1, 1)));
    let third = visit(&gate, &zhang, with_gift()).await.ok(200);
    undo(&organiser, &first).await.ok(200);
    assert_eq!((figures(&app).await, present(&app, &first).await), ((1, 1), (1, 1)));
    undo(&organiser, &third).await.ok(200);
    assert_eq!((figures(&app).await, present(&app, &first).await), ((0, 0), (0, 0)));
}

async fn an_undone_visit_counts_no_more(app: TestApp) {
    let (gate, organiser) = (app.staff("gate-pinghu").await, app.staff("organiser-pinghu").await);
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let made = visit(&gate, &zhang, with_gift()).await.ok(200);
    undo(&gate, &made).await.problem(403, "forbidden");
    let undone = undo(&organiser, &made).await.ok(200);
    assert_eq!((&undone["counts"], &undone["undone_because"]), (&json!(false), &json!("登记错误")));
    assert_eq!((figures(&app).await, present(&app, &made).await), ((0, 0), (0, 0)));
    undo(&organiser, &made).await.problem(409, "state_forbids");
    // What was counted and taken back can be read, with the reason.
    let lines = app.staff("planner").await.get("/api/v1/plans/2025/targets/19a/lines").await.ok(200);
    let reasons: Vec<&Value> =
        lines["items"].as_array().unwrap().iter().filter_map(|line| line.get("reason")).collect();
    assert_eq!(reasons, ["登记错误"; 2]);
    // Of two days one stays.
    let earlier = visit(&gate, &zhang, json!({ "visited_on": "2025-06-10" })).await.ok(200);
    let today = visit(&gate, &zhang, plain()).await.ok(200);
    assert_eq!(figures(&app).await, (1, 0));
    undo(&organiser, &earlier).await.ok(200);
    assert_eq!(figures(&app).await, (1, 0));
    undo(&organiser, &today).await.ok(200);
    assert_eq!(figures(&app).await, (0, 0));
    let seen = gate.get(&format!("/api/v1/injuries/{zhang}")).await.ok(200);
    assert_eq!((&seen["visits"], seen["visited"].as_array().unwrap().len()), (&json!(0), 3));
}

async fn what_is_undone_after_the_session_was_finalised_counts_no_more(app: TestApp) {
    let (gate, organiser) = (app.staff("gate-pinghu").await, app.staff("organiser-pinghu").await);
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let made = visit(&gate, &zhang, plain()).await.ok(200);
    let gift = visit(&gate, &zhang, with_gift()).await.ok(200);
    gate.finalise(made["session_id"].as_str().unwrap().parse().unwrap()).await.ok(200);
    app.run_jobs().await;
    undo(&organiser, &gift).await.ok(200);
    assert_eq!(figures(&app).await, (1, 0));
    undo(&organiser, &made).await.ok(200);
    assert_eq!((figures(&app).await, present(&app, &made).await), ((0, 0), (0, 0)));
}

async fn a_day_that_is_over_gets_a_further_session(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let first = visit(&gate, &zhang, plain()).await.ok(200);
    gate.finalise(first["session_id"].as_str().unwrap().parse().unwrap()).await.ok(200);
    app.run_jobs().await;
    let second = visit(&gate, &zhang, with_gift()).await.ok(200);
    assert_ne!(first["session_id"], second["session_id"]);
    let third = visit(&gate, &zhang, plain()).await.ok(200);
    assert_eq!(second["session_id"], third["session_id"]);
    assert_eq!(figures(&app).await, (1, 1));
}

async fn a_cancelled_session_takes_its_visits_along(app: TestApp) {
    let (gate, organiser) = (app.staff("gate-pinghu").await, app.staff("organiser-pinghu").await);
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let made = visit(&gate, &zhang, with_gift()).await.ok(200);
    let path = format!("/api/v1/managed-activities/{}/cancellations", made["activity_id"].as_str().unwrap());
    organiser.post(&path, json!({ "reason": "登记错误" })).await.ok(200);
    app.run_jobs().await;
    assert_eq!(figures(&app).await, (0, 0));
    let seen = gate.get(&format!("/api/v1/injuries/{zhang}")).await.ok(200);
    assert_eq!(seen["visited"][0]["counts"], json!(false));
    // Taking back what counts no more takes nothing back; a new visit is at a new session.
    undo(&organiser, &made).await.ok(200);
    let again = visit(&gate, &zhang, plain()).await.ok(200);
    assert_ne!(made["session_id"], again["session_id"]);
    assert_eq!(figures(&app).await, (1, 0));
}

async fn two_bodies_visit_on_one_day(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let street = visit(&organiser, &zhang, plain()).await.ok(200);
    let mut body = with_gift();
    body["organisation_id"] = json!(app.organisation("demo-industry-express").await);
    let industry = visit(&organiser, &zhang, body).await.ok(200);
    assert_ne!(street["session_id"], industry["session_id"]);
    assert_eq!(figures(&app).await, (1, 1));
    undo(&organiser, &street).await.ok(200);
    assert_eq!(figures(&app).await, (1, 1));
}

async fn whoever_was_visited_passes_every_door(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let zhang = registered(&app, "zhang", "张三丰", "13812345678").await;
    let injury = injured(&app, PINGHU, "张三丰", "13812345678").await;
    visit(&gate, &injury, plain()).await.ok(200);
    // The day's session lasts all day, and keeps nobody from where they go after it.
    let course = app.activity(|a| a).await;
    zhang.sign_up(&course).await.ok(201);
    gate.scan(course.session, &zhang.pass().await).await.ok(200);
    // Nor does a course keep anybody from being visited.
    visit(&app.staff("organiser").await, &injury, with_gift()).await.ok(200);
    assert_eq!(figures(&app).await, (1, 1));
    app.run_jobs().await;
}

async fn a_gift_without_a_visit_has_a_topic_of_its_own(app: TestApp) {
    let (gate, organiser) = (app.staff("gate-pinghu").await, app.staff("organiser-pinghu").await);
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let gift =
        json!({ "visited_on": TODAY, "form": "gift_only", "gift": { "kind": "cash", "amount_fen": 50000 } });
    visit(&gate, &zhang, gift.clone()).await.problem(409, "state_forbids");
    let programme = json!({
        "organisation_id": app.organisation(PINGHU).await, "name": "工伤慰问", "summary": "", "kind": "care",
        "topic": "injury_gift", "audience": "all",
    });
    organiser.post("/api/v1/programmes", programme).await.ok(201);
    let made = visit(&gate, &zhang, gift).await.ok(200);
    assert_eq!(figures(&app).await, (0, 1));
    // The gift counts once, whether it came with a visit or without.
    visit(&gate, &zhang, with_gift()).await.ok(200);
    assert_eq!(figures(&app).await, (1, 1));
    undo(&organiser, &made).await.ok(200);
    assert_eq!(figures(&app).await, (1, 1));
}

async fn the_first_two_visits_of_a_day_make_one_session(app: TestApp) {
    let second = app.second_instance().await;
    let (one, other) = (app.staff("gate-pinghu").await, app.staff("gate").await.at(&second));
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    let li = injured(&app, PINGHU, "李四", "13912345678").await;
    for day in 3..13 {
        let body = json!({ "visited_on": format!("2025-06-{day:02}") });
        let (a, b) = join(visit(&one, &zhang, body.clone()), visit(&other, &li, body)).await;
        let (a, b) = (a.ok(200), b.ok(200));
        assert_eq!(a["session_id"], b["session_id"], "day {day}");
        assert_eq!(present(&app, &a).await, (2, 2), "day {day}");
    }
    let days: i64 = app.read(|c| Ok(visit_days::table.count().first(c)?)).await;
    assert_eq!((days, figures(&app).await), (10, (2, 0)));
}

async fn what_cannot_be_is_refused(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let zhang = injured(&app, PINGHU, "张三丰", "13812345678").await;
    for (body, pointer, code) in [
        (json!({ "visited_on": "2025-06-17" }), "/visited_on", "range"),
        (json!({ "visited_on": "2025-06-01" }), "/visited_on", "range"),
        (json!({ "visited_on": TODAY, "form": "gift_only" }), "/gift", "required"),
        (json!({ "visited_on": TODAY, "told": ["rights", "secrets"] }), "/told/1", "unknown"),
        (json!({ "visited_on": TODAY, "told": ["rights", "rights"] }), "/told/1", "duplicate"),
        (
            json!({ "visited_on": TODAY, "gift": { "kind": "cash", "amount_fen": 0 } }),
            "/gift/amount_fen",
            "minimum",
        ),
        (json!({ "visited_on": TODAY, "gift": { "kind": "wine" } }), "/gift/kind", "enum"),
    ] {
        let refused = visit(&gate, &zhang, body).await.problem(422, "validation_failed");
        assert_eq!(
            (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
            (&json!(pointer), &json!(code))
        );
    }
    visit(&gate, "inj_01k5b8m3q2e9t8h6y1v7z4w0xn", plain()).await.problem(404, "not_found");
    assert_eq!(figures(&app).await, (0, 0));
    let topics = gate.get("/api/v1/visit-topics").await.ok(200);
    assert_eq!(topics["items"][0], json!({ "code": "rights", "name": "工伤保险待遇和权利" }));
    // Nobody records visits to themselves.
    let own = registered(&app, "gate-pinghu", "关守", "13712345678").await;
    let mine = injured(&app, PINGHU, "关守", "13712345678").await;
    visit(&own, &mine, plain()).await.problem(409, "second_officer_required");
    app.advance(TimeDelta::hours(14));
    let gate = app.staff("gate-pinghu").await;
    visit(&gate, &zhang, json!({ "visited_on": "2025-06-17" })).await.ok(200);
}
