//! Venues and trainers: who may keep and use them, and that they are in one place at a time.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::error::Result;
use unionhall::ids::SessionId;
use unionhall::offering::model::{ActivityState, SessionState};
use unionhall::offering::resource_store;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{activities, sessions};

use super::http::problems::{faults, pairs};
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_venue_is_kept_changed_and_closed,
    what_lies_above_is_used_and_not_changed,
    a_taken_venue_is_refused_for_every_session_at_once,
    what_follows_at_once_is_no_clash_without_a_margin,
    one_does_not_learn_what_others_do_there,
    two_organisers_want_one_hall,
    wrong_resources_are_named,
    a_venue_holds_so_many_people,
    cancelled_and_postponed_bind_nobody,
    a_moved_session_moves_its_bookings,
];

const RESOURCES: &str = "/api/v1/resources";
const ACTIVITIES: &str = "/api/v1/activities";

async fn resource(app: &TestApp, kind: &str, organisation: &str, name: &str, margin: i64) -> String {
    let organisation = app.organisation(organisation).await;
    let body =
        json!({ "kind": kind, "organisation_id": organisation, "name": name, "margin_minutes": margin });
    let made = app.staff("organiser").await.post(RESOURCES, body).await.ok(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Asks for an activity of `organisation` with sessions of these hours from now.
async fn ask(app: &TestApp, by: &Actor, organisation: &str, hours: &[(i64, i64)], uses: &[&str]) -> Reply {
    let at = |minutes: i64| TimeDelta::minutes(minutes);
    let times: Vec<_> = hours.iter().map(|(from, until)| (at(from * 60), at(until * 60))).collect();
    let mut input =
        app.activity_input(|a| a.organisation(organisation).sessions(&times).title("占用大礼堂")).await;
    input["resource_ids"] = json!(uses);
    by.post(ACTIVITIES, input).await
}

async fn session_ids(reply: Value) -> Vec<SessionId> {
    let sessions = reply["sessions"].as_array().unwrap();
    sessions.iter().map(|session| session["id"].as_str().unwrap().parse().unwrap()).collect()
}

async fn a_venue_is_kept_changed_and_closed(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let pinghu = app.organisation("street-pinghu").await;
    let body = json!({ "kind": "venue", "organisation_id": pinghu, "name": "大礼堂", "seats": 200 });
    let made = organiser.post(RESOURCES, body.clone()).await;
    let path = made.expect(201).header("location").unwrap().to_owned();
    assert_eq!((&made.body["seats"], &made.body["margin_minutes"]), (&json!(200), &json!(0)));
    assert_eq!(organiser.get(&path).await.ok(200), made.body);
    organiser.post(RESOURCES, body.clone()).await.problem(409, "unique_taken");
    // Another kind or another organisation may have the name.
    let trainer = json!({ "kind": "trainer", "organisation_id": pinghu, "name": "大礼堂" });
    organiser.post(RESOURCES, trainer.clone()).await.ok(201);
    let mut seated = trainer;
    seated["seats"] = json!(3);
    let problem = organiser.post(RESOURCES, seated).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/seats", "unknown")]));
    let change = json!({ "name": "小礼堂", "margin_minutes": 15, "closed": true });
    let changed = organiser.put(&path, &made.etag(), change.clone()).await;
    let expected = json!({ "id": made.body["id"], "kind": "venue", "organisation_id": pinghu, "name": "小礼堂",
                           "margin_minutes": 15, "closed": true });
    assert_eq!(changed.expect(200).body, expected);
    organiser.put(&path, &made.etag(), change).await.problem(412, "precondition_failed");
    let open = json!({ "name": "小礼堂", "margin_minutes": 15, "closed": false });
    assert_eq!(organiser.put(&path, &changed.etag(), open).await.ok(200)["closed"], false);
    let listed = organiser.get(&format!("{RESOURCES}?kind=venue&limit=100")).await.ok(200);
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["小礼堂"]);
}

async fn what_lies_above_is_used_and_not_changed(app: TestApp) {
    let local = app.staff("organiser-pinghu").await;
    let hall = resource(&app, "venue", "longgang", "区大礼堂", 0).await;
    let own = resource(&app, "venue", "demo-enterprise-pinghu-1", "车间", 0).await;
    let foreign = resource(&app, "venue", "street-buji", "布吉礼堂", 0).await;
    let beside = resource(&app, "venue", "dept-education", "部室会议室", 0).await;
    let listed = local.get(&format!("{RESOURCES}?limit=100")).await.ok(200);
    let ids: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{listed}");
    assert!(ids.contains(&hall.as_str()) && ids.contains(&own.as_str()));
    for hidden in [&foreign, &beside] {
        local.get(&format!("{RESOURCES}/{hidden}")).await.problem(404, "not_found");
        local.get(&format!("{RESOURCES}/{hidden}/bookings")).await.problem(404, "not_found");
        let problem = ask(&app, &local, "street-pinghu", &[(30, 31)], &[hidden]).await;
        assert_eq!(
            faults(&problem.problem(422, "validation_failed")),
            pairs(&[("/resource_ids/0", "unknown")])
        );
    }
    ask(&app, &local, "street-pinghu", &[(30, 31)], &[&hall, &own]).await.ok(201);
    let path = format!("{RESOURCES}/{hall}");
    let etag = local.get(&path).await.etag();
    let change = json!({ "name": "改名", "margin_minutes": 0, "closed": true });
    local.put(&path, &etag, change.clone()).await.problem(403, "forbidden");
    local.put(&format!("{RESOURCES}/{foreign}"), &etag, change).await.problem(404, "not_found");
    let body =
        json!({ "kind": "venue", "organisation_id": app.organisation("longgang").await, "name": "新" });
    let problem = local.post(RESOURCES, body).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/organisation_id", "unknown")]));
}

async fn a_taken_venue_is_refused_for_every_session_at_once(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let hall = resource(&app, "venue", "longgang", "大礼堂", 30).await;
    let trainer = resource(&app, "trainer", "longgang", "王老师", 0).await;
    ask(&app, &organiser, "street-pinghu", &[(24, 26), (48, 50)], &[&hall, &trainer]).await.ok(201);
    let before = app.read(|c| Ok(activities::table.count().first::<i64>(c)?)).await;
    // In the order that was sent, not of time: 2 is free, 0 and 3 overlap, 1 is too near for the hall alone.
    let wanted = [(49, 51), (26, 27), (30, 31), (23, 25)];
    let reply = ask(&app, &organiser, "street-buji", &wanted, &[&hall, &trainer]).await;
    let problem = reply.problem(409, "resource_clash");
    let expected = pairs(&[
        ("/sessions/0", "clash"),
        ("/sessions/0", "clash"),
        ("/sessions/1", "clash"),
        ("/sessions/3", "clash"),
        ("/sessions/3", "clash"),
    ]);
    assert_eq!(faults(&problem), expected);
    let told: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["detail"].as_str().unwrap()).collect();
    // The test begins at ten in the morning of 16 June in Shanghai.
    let hall_says =
        "场地“大礼堂”在 2025-06-18 10:00–12:00 已被占用，活动“占用大礼堂”（两场之间须隔 30 分钟）";
    assert!(told.contains(&hall_says), "{told:?}");
    assert!(told.contains(&"讲师“王老师”在 2025-06-18 10:00–12:00 已被占用，活动“占用大礼堂”"), "{told:?}");
    let after = app.read(|c| Ok(activities::table.count().first::<i64>(c)?)).await;
    assert_eq!(before, after, "nothing is written");
    // Sessions of one activity are in each other's way too.
    let reply = ask(&app, &organiser, "street-buji", &[(80, 82), (81, 83)], &[&hall]).await;
    let problem = reply.problem(409, "resource_clash");
    assert_eq!(faults(&problem), pairs(&[("/sessions/1", "clash")]));
    ask(&app, &organiser, "street-buji", &[(30, 31)], &[&hall, &trainer]).await.ok(201);
}

async fn what_follows_at_once_is_no_clash_without_a_margin(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let hall = resource(&app, "venue", "longgang", "大礼堂", 0).await;
    ask(&app, &organiser, "street-pinghu", &[(24, 26)], &[&hall]).await.ok(201);
    ask(&app, &organiser, "street-pinghu", &[(26, 27), (22, 24)], &[&hall]).await.ok(201);
    let other = resource(&app, "venue", "longgang", "别处", 0).await;
    ask(&app, &organiser, "street-pinghu", &[(24, 26)], &[&other]).await.ok(201);
    let reply = ask(&app, &organiser, "street-pinghu", &[(25, 26)], &[&hall]).await;
    reply.problem(409, "resource_clash");
}

async fn one_does_not_learn_what_others_do_there(app: TestApp) {
    let hall = resource(&app, "venue", "longgang", "大礼堂", 0).await;
    let organiser = app.staff("organiser").await;
    ask(&app, &organiser, "street-buji", &[(24, 26)], &[&hall]).await.ok(201);
    let local = app.staff("organiser-pinghu").await;
    let reply = ask(&app, &local, "street-pinghu", &[(25, 27)], &[&hall]).await;
    assert!(!reply.text.contains("占用大礼堂"), "{}", reply.text);
    let problem = reply.problem(409, "resource_clash");
    assert_eq!(problem["errors"][0]["detail"], "场地“大礼堂”在 2025-06-17 10:00–12:00 已被占用");
    let path = format!("{RESOURCES}/{hall}/bookings");
    let seen = local.get(&path).await.ok(200);
    let times = json!({ "starts_at": "2025-06-17T02:00:00Z", "ends_at": "2025-06-17T04:00:00Z" });
    assert_eq!(seen["items"], json!([times]));
    ask(&app, &local, "street-pinghu", &[(30, 31)], &[&hall]).await.ok(201);
    let page = local.get(&format!("{path}?limit=1")).await.ok(200);
    assert_eq!(page["items"], json!([times]));
    let next = page["next"].as_str().unwrap();
    let rest = local.get(&format!("{path}?limit=1&cursor={next}")).await.ok(200);
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), &rest["items"][0]["title"]),
        (1, &json!("占用大礼堂"))
    );
    assert_eq!(organiser.get(&path).await.ok(200)["items"][0]["title"], "占用大礼堂");
}

async fn two_organisers_want_one_hall(app: TestApp) {
    let hall = resource(&app, "venue", "longgang", "大礼堂", 0).await;
    let second = app.second_instance().await;
    let one = app.staff("organiser").await;
    let other = app.staff("organiser-pinghu").await.at(&second);
    for round in 0..12 {
        let hours = [(24 + round * 10, 26 + round * 10)];
        let uses = [hall.as_str()];
        let (a, b) = futures_util::future::join(
            ask(&app, &one, "street-buji", &hours, &uses),
            ask(&app, &other, "street-pinghu", &hours, &uses),
        )
        .await;
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}: {} {}", a.text, b.text);
    }
}

async fn wrong_resources_are_named(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let hall = resource(&app, "venue", "longgang", "大礼堂", 0).await;
    let closed = resource(&app, "venue", "longgang", "旧礼堂", 0).await;
    let path = format!("{RESOURCES}/{closed}");
    let etag = organiser.get(&path).await.etag();
    let change = json!({ "name": "旧礼堂", "margin_minutes": 0, "closed": true });
    organiser.put(&path, &etag, change).await.ok(200);
    let nothing = app.ids().id::<unionhall::ids::ResourceId>().to_string();
    let reply = ask(&app, &organiser, "street-pinghu", &[(24, 26)], &[&hall, &closed, &nothing, &hall]).await;
    let expected = pairs(&[
        ("/resource_ids/1", "closed"),
        ("/resource_ids/2", "unknown"),
        ("/resource_ids/3", "duplicate"),
    ]);
    assert_eq!(faults(&reply.problem(422, "validation_failed")), expected);
}

async fn a_venue_holds_so_many_people(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let pinghu = app.organisation("street-pinghu").await;
    let body = json!({ "kind": "venue", "organisation_id": pinghu, "name": "小教室", "seats": 20 });
    let room = organiser.post(RESOURCES, body).await.ok(201);
    let mut input = app.activity_input(|a| a.capacity(21)).await;
    input["resource_ids"] = json!([room["id"]]);
    let problem = organiser.post(ACTIVITIES, input.clone()).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/capacity", "seats")]));
    input["capacity"] = json!(20);
    // Those who are expected not to come need no seats.
    input["overbook_percent"] = json!(50);
    let made = organiser.post(ACTIVITIES, input).await.ok(201);
    assert_eq!((&made["capacity"], &made["bookable"]), (&json!(20), &json!(30)));
    let path = format!("/api/v1/managed-activities/{}", made["id"].as_str().unwrap());
    let change = |capacity: i64| {
        json!({ "title": "改", "summary": "", "venue": "小教室", "address": "", "capacity": capacity,
                "signup_opens_at": made["signup_opens_at"], "signup_closes_at": made["signup_closes_at"] })
    };
    let etag = organiser.get(&path).await.etag();
    let problem = organiser.put(&path, &etag, change(21)).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/capacity", "seats")]));
    let changed = organiser.put(&path, &etag, change(10)).await.ok(200);
    assert_eq!((&changed["capacity"], &changed["bookable"]), (&json!(10), &json!(15)), "the same share");
}

async fn cancelled_and_postponed_bind_nobody(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let hall = resource(&app, "venue", "longgang", "大礼堂", 0).await;
    let hours = [(24, 26)];
    for state in [ActivityState::Cancelled, ActivityState::Postponed] {
        let made = ask(&app, &organiser, "street-pinghu", &hours, &[&hall]).await.ok(201);
        ask(&app, &organiser, "street-pinghu", &hours, &[&hall]).await.problem(409, "resource_clash");
        let id: unionhall::ids::ActivityId = made["id"].as_str().unwrap().parse().unwrap();
        app.write(move |c| {
            diesel::update(activities::table.find(id)).set(activities::state.eq(state)).execute(c)?;
            Ok(())
        })
        .await;
        let bookings = organiser.get(&format!("{RESOURCES}/{hall}/bookings")).await.ok(200);
        assert_eq!(bookings["items"], json!([]));
    }
    // A cancelled session of a live activity, and one whose bookings were given back.
    let made = ask(&app, &organiser, "street-pinghu", &hours, &[&hall]).await.ok(201);
    let session = session_ids(made).await[0];
    app.write(move |c| {
        let row = diesel::update(sessions::table.find(session));
        row.set(sessions::state.eq(SessionState::Cancelled)).execute(c)?;
        Ok(())
    })
    .await;
    let made = ask(&app, &organiser, "street-pinghu", &hours, &[&hall]).await.ok(201);
    let session = session_ids(made).await[0];
    app.write(move |c| resource_store::bookings_free_in_tx(c, &[session])).await;
    ask(&app, &organiser, "street-pinghu", &hours, &[&hall]).await.ok(201);
}

async fn a_moved_session_moves_its_bookings(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let hall = resource(&app, "venue", "longgang", "大礼堂", 0).await;
    let standing = ask(&app, &organiser, "street-buji", &[(40, 42)], &[&hall]).await.ok(201);
    let moved = ask(&app, &organiser, "street-pinghu", &[(24, 26), (28, 30)], &[&hall]).await.ok(201);
    let (of, now) = (session_ids(moved).await, app.now());
    let at = move |hours: i64| -> DateTime<Utc> { now + TimeDelta::hours(hours) };
    let shift = move |c: &mut Conn, first: (i64, i64), second: (i64, i64)| -> Result<()> {
        let moves = [(of[0], at(first.0), at(first.1)), (of[1], at(second.0), at(second.1))];
        resource_store::bookings_move_in_tx(c, &moves)
    };
    let try_it = shift.clone();
    let refused = app.db().write(move |c| try_it(c, (50, 52), (41, 43))).await.unwrap_err();
    let fault = &refused.inner().faults[0];
    assert_eq!((refused.code().as_str(), fault.pointer.as_str()), ("resource_clash", "/sessions/1"));
    assert!(!fault.detail.zh.contains("占用大礼堂"), "another street's: {}", fault.detail.zh);
    // Into the place of its own other session, which moves too.
    let do_it = shift.clone();
    app.write(move |c| do_it(c, (28, 30), (32, 34))).await;
    let page = organiser.get(&format!("{RESOURCES}/{hall}/bookings")).await.ok(200);
    let starts: Vec<DateTime<Utc>> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["starts_at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(starts, [at(28), at(32), at(40)]);
    // And into each other.
    let refused = app.db().write(move |c| shift(c, (60, 62), (61, 63))).await.unwrap_err();
    assert_eq!(refused.inner().faults[0].pointer, "/sessions/1");
    drop(standing);
    ask(&app, &organiser, "street-pinghu", &[(24, 26)], &[&hall]).await.ok(201);
}
