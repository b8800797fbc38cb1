//! Unions sign up their people, and staff those who asked them to.

use std::collections::HashSet;

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::ActivityId;
use unionhall::platform::db::schema::{activities, offers, place_holds, quotas, signups};

use crate::access::staff_of;
use crate::harness::factory::Made;
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::lifecycle::everything;

pub const TESTS: &[Test] = tests![
    every_row_has_a_verdict_and_every_worker_is_asked,
    nothing_is_told_of_people_who_are_not_the_union_s,
    a_roster_that_is_taken_together_is_taken_as_a_whole,
    a_wrong_roster_is_named_and_changes_nothing,
    kept_places_are_named_in_time_or_go_to_those_who_wait,
    kept_places_are_given_up_by_the_union_or_the_organiser,
    places_are_kept_on_quotas_and_stay_counted,
    two_rosters_at_once_share_the_last_places,
    a_sign_up_by_staff_names_who_for_whom_and_why,
    nobody_is_signed_up_beyond_one_s_reach,
];

const UNION: &str = "demo-enterprise-pinghu-1";
const OTHER: &str = "demo-enterprise-buji-1";

/// A worker of a union with a phone number.
pub async fn registered(app: &TestApp, user: &str, name: &str, union: &str, phone: &str) -> Actor {
    let worker = app.worker(user).await;
    worker.set_profile(name, Some(app.organisation(union).await)).await;
    let given = app.sim_get(&format!("/sim/phone-code?user={user}&phone={phone}")).await;
    worker.post("/api/v1/me/phones", json!({ "code": given["code"] })).await.ok(200);
    worker
}

/// An activity of another street, the day after tomorrow.
async fn activity(app: &TestApp, places: i64) -> Made {
    let times = [(TimeDelta::days(2), TimeDelta::days(2) + TimeDelta::hours(2))];
    app.activity(|a| a.organisation("street-buji").capacity(places).sessions(&times)).await
}

async fn waits(app: &TestApp, activity: ActivityId) {
    app.write(move |conn| {
        let row = diesel::update(activities::table.find(activity));
        Ok(row.set(activities::waiting_list.eq("strict")).execute(conn)?)
    })
    .await;
}

async fn send(actor: &Actor, activity: &Made, body: Value) -> Reply {
    actor.post(&format!("/api/v1/activities/{}/rosters", activity.id), body).await
}

/// A roster of the union.
async fn roster(app: &TestApp, rows: &[(&str, &str)]) -> Value {
    let rows: Vec<Value> = rows.iter().map(|(name, phone)| json!({ "name": name, "phone": phone })).collect();
    json!({ "organisation_id": app.organisation(UNION).await, "rows": rows })
}

fn verdicts(view: &Value) -> Vec<&str> {
    view["rows"].as_array().unwrap().iter().map(|row| row["verdict"].as_str().unwrap()).collect()
}

/// Places used and kept, and what is behind them: sign-ups with a place, those with an offer, places without a name.
async fn counts(app: &TestApp, activity: ActivityId) -> (i64, i64) {
    app.read(move |conn| {
        let (taken, held): (i64, i64) =
            activities::table.find(activity).select((activities::taken, activities::held)).first(conn)?;
        let of = |state: &'static str| {
            signups::table.filter(signups::activity_id.eq(activity)).filter(signups::state.eq(state)).count()
        };
        let used: i64 = of("confirmed").get_result(conn)?;
        let asked: i64 = of("offered").get_result(conn)?;
        let open: i64 = offers::table
            .filter(offers::activity_id.eq(activity))
            .filter(offers::state.eq("open"))
            .count()
            .get_result(conn)?;
        let unnamed: Vec<i64> = place_holds::table
            .filter(place_holds::activity_id.eq(activity))
            .select(place_holds::unnamed)
            .load(conn)?;
        assert_eq!((taken, held, open), (used, asked + unnamed.iter().sum::<i64>(), asked));
        Ok((taken, held))
    })
    .await
}

async fn signup_of(worker: &Actor, activity: &Made) -> Value {
    worker.get(&format!("/api/v1/me/activities/{}", activity.id)).await.ok(200)["my_signup"].clone()
}

async fn notices(person: &Actor) -> Vec<String> {
    let inbox = person.get("/api/v1/me/notices").await.ok(200);
    let items = inbox["items"].as_array().unwrap();
    items.iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

async fn every_row_has_a_verdict_and_every_worker_is_asked(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    let zhang = registered(&app, "zhang", "张三丰", UNION, "13800138001").await;
    let li = registered(&app, "li", "李四", UNION, "13800138002").await;
    let wang = registered(&app, "wang", "王五", UNION, "13800138003").await;
    registered(&app, "zhao", "赵六", UNION, "13800138004").await;
    let late = registered(&app, "qian", "钱七", UNION, "13800138005").await;
    let activity = activity(&app, 3).await;
    wang.sign_up(&activity).await.ok(201);
    let body = roster(
        &app,
        &[
            ("张 三丰", "+86 138 0013 8001"),
            ("李四", "13800138002"),
            ("王五", "13800138003"),
            ("赵六六", "13800138004"),
            ("孙八", "13800138009"),
            ("钱七", "13800138005"),
        ],
    )
    .await;
    let key = staff.fresh_key();
    let path = format!("/api/v1/activities/{}/rosters", activity.id);
    let first = staff.post_keyed(&key, &path, body.clone()).await;
    assert!(!first.text.contains("张") && !first.text.contains("138001"), "{}", first.text);
    let view = first.clone().ok(200);
    let expected = ["nominated", "nominated", "already_signed_up", "name_differs", "not_registered", "full"];
    assert_eq!(verdicts(&view), expected);
    assert_eq!(view["nominated"], 2);
    let again = staff.post_keyed(&key, &path, body).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(counts(&app, activity.id).await, (1, 2));
    app.run_jobs().await;
    for worker in [&zhang, &li] {
        assert_eq!(notices(worker).await, ["nominated"]);
        let mine = signup_of(worker, &activity).await;
        assert_eq!((&mine["state"], &mine["basis"]), (&json!("offered"), &json!("union_roster")));
        assert_eq!(mine["answer_by"], view["answer_by"]);
    }
    // Each decides for themselves.
    let id = |mine: &Value| mine["id"].as_str().unwrap().to_owned();
    let of_zhang = id(&signup_of(&zhang, &activity).await);
    li.post(&format!("/api/v1/signups/{of_zhang}/acceptances"), json!({})).await.problem(404, "not_found");
    let taken = zhang.post(&format!("/api/v1/signups/{of_zhang}/acceptances"), json!({})).await.ok(200);
    assert_eq!(taken["state"], "confirmed");
    let of_li = id(&signup_of(&li, &activity).await);
    li.post(&format!("/api/v1/signups/{of_li}/cancellations"), json!({})).await.ok(200);
    assert_eq!(counts(&app, activity.id).await, (2, 0));
    assert_eq!(signup_of(&li, &activity).await["ended_because"], "offer_refused");
    assert_eq!(li.get("/api/v1/me/penalties").await.ok(200)["items"], json!([]));
    // The place that was refused can be given to the one who was too many.
    let body = roster(&app, &[("钱七", "13800138005")]).await;
    assert_eq!(verdicts(&send(&staff, &activity, body).await.ok(200)), ["nominated"]);
    app.run_jobs().await;
    // By nobody's doing but their own.
    let told: HashSet<String> = notices(&zhang).await.into_iter().collect();
    assert_eq!(told, ["nominated", "signup_confirmed"].map(str::to_owned).into());
    // Whoever says nothing does not have the place.
    app.advance(TimeDelta::hours(13));
    app.run_jobs().await;
    let mut late = late;
    late.log_in().await;
    assert_eq!(signup_of(&late, &activity).await["ended_because"], "offer_expired");
    assert_eq!(counts(&app, activity.id).await, (2, 0));
    app.run_jobs().await;
}

async fn nothing_is_told_of_people_who_are_not_the_union_s(app: TestApp) {
    // Even by the district's organiser, who may see everybody.
    let staff = app.staff("organiser").await;
    registered(&app, "zhang", "张三", OTHER, "13800138001").await;
    registered(&app, "li", "李四", "street-pinghu", "13800138002").await;
    let gone = registered(&app, "wang", "王五", UNION, "13800138003").await;
    let disable = json!({ "disabled": true, "reason": "测试停用" });
    let path = format!("/api/v1/people/{}/account-states", gone.person());
    app.staff("admin").await.post(&path, disable).await.ok(200);
    let activity = activity(&app, 9).await;
    let (mut answers, people) =
        (Vec::new(), [("张三", "13800138001"), ("李四", "13800138002"), ("王五", "13800138003")]);
    for (name, phone) in people.into_iter().chain([("张三", "13800138009"), ("赵六", "13800138001")]) {
        let body = roster(&app, &[(name, phone)]).await;
        answers.push(send(&staff, &activity, body).await.ok(200));
    }
    assert_eq!(verdicts(&answers[0]), ["not_registered"]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(counts(&app, activity.id).await, (0, 0));
}

async fn a_roster_that_is_taken_together_is_taken_as_a_whole(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    let zhang = registered(&app, "zhang", "张三", UNION, "13800138001").await;
    registered(&app, "li", "李四", UNION, "13800138002").await;
    let small = activity(&app, 1).await;
    let mut body =
        roster(&app, &[("张三", "13800138001"), ("李四", "13800138002"), ("王五", "13800138003")]).await;
    body["together"] = json!(true);
    body["name_later"] = json!(1);
    body["name_by"] = json!(app.now() + TimeDelta::minutes(30));
    let key = staff.fresh_key();
    let path = format!("/api/v1/activities/{}/rosters", small.id);
    let problem = staff.post_keyed(&key, &path, body.clone()).await.problem(422, "validation_failed");
    let faults: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap()))
        .collect();
    assert_eq!(faults, [("/rows/1", "full"), ("/rows/2", "not_registered"), ("/name_later", "full")]);
    assert_eq!(counts(&app, small.id).await, (0, 0));
    app.run_jobs().await;
    assert_eq!(notices(&zhang).await, [""; 0]);
    let large = activity(&app, 4).await;
    registered(&app, "wang", "王五", UNION, "13800138003").await;
    let view = send(&staff, &large, body).await.ok(200);
    assert_eq!((&view["nominated"], &view["holds"][0]["places"]), (&json!(3), &json!(1)));
    assert_eq!(counts(&app, large.id).await, (0, 4));
    app.run_jobs().await;
}

async fn a_wrong_roster_is_named_and_changes_nothing(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    registered(&app, "zhang", "张三", UNION, "13800138001").await;
    let activity = activity(&app, 5).await;
    let good = roster(&app, &[("张三", "13800138001")]).await;
    let with = |change: &[(&str, Value)]| {
        let mut body = good.clone();
        for (field, value) in change {
            body[*field] = value.clone();
        }
        body
    };
    let row = |phone: &str| json!({ "name": "张三", "phone": phone });
    let at = |minutes: i64| json!(app.now() + TimeDelta::minutes(minutes));
    let street = json!(app.organisation("street-pinghu").await);
    let other = json!(app.organisation(OTHER).await);
    let nobody = json!(app.ids().id::<unionhall::ids::OrganisationId>());
    let before = everything(&app).await;
    let cases = [
        (
            with(&[("rows", json!([row("13800138001"), row("13800138002"), row("8613800138001")]))]),
            "/rows/2/phone",
            "duplicate_row",
        ),
        (with(&[("rows", json!([row("12345678901")]))]), "/rows/0/phone", "phone"),
        (with(&[("rows", json!([{ "name": " ", "phone": "13800138001" }]))]), "/rows/0/name", "pattern"),
        (with(&[("rows", json!([]))]), "/rows", "required"),
        (with(&[("rows", json!(vec![row("13800138001"); 201]))]), "/rows", "max_items"),
        (with(&[("name_later", json!(201)), ("name_by", at(30))]), "/name_later", "maximum"),
        (with(&[("name_later", json!(1))]), "/name_by", "required"),
        (with(&[("name_by", at(30))]), "/name_by", "unused"),
        (with(&[("name_later", json!(1)), ("name_by", at(0))]), "/name_by", "past"),
        (with(&[("name_later", json!(1)), ("name_by", at(61))]), "/name_by", "too_late"),
        (with(&[("organisation_id", other)]), "/organisation_id", "unknown"),
        (with(&[("organisation_id", nobody)]), "/organisation_id", "unknown"),
        (with(&[("organisation_id", street.clone())]), "/organisation_id", "unknown"),
    ];
    for (body, pointer, code) in cases {
        let problem = send(&staff, &activity, body).await.problem(422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{problem}");
        assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!(pointer), &json!(code)));
        assert_eq!(everything(&app).await, before, "{pointer}: {code}");
    }
    let organiser = app.staff("organiser").await;
    let problem = send(&organiser, &activity, with(&[("organisation_id", street)])).await;
    assert_eq!(problem.problem(422, "validation_failed")["errors"][0]["code"], "kind");
    // Of the activity: a draft is nobody's but its organisers', and the window is everybody's.
    let draft = app.activity(|a| a.draft()).await;
    send(&staff, &draft, good.clone()).await.problem(404, "not_found");
    let running = app.activity(|a| a).await;
    send(&staff, &running, good.clone()).await.problem(409, "signup_closed");
    app.advance(TimeDelta::hours(2));
    let mut staff = staff;
    staff.log_in().await;
    send(&staff, &activity, good).await.problem(409, "signup_closed");
    assert_eq!(counts(&app, activity.id).await, (0, 0));
    app.run_jobs().await;
}

async fn kept_places_are_named_in_time_or_go_to_those_who_wait(app: TestApp) {
    app.app().worker().plant_recurring().unwrap();
    let mut staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    let zhang = registered(&app, "zhang", "张三", UNION, "13800138001").await;
    registered(&app, "li", "李四", UNION, "13800138002").await;
    let (first, mut second) = (app.worker("sun").await, app.worker("zhou").await);
    let activity = activity(&app, 3).await;
    waits(&app, activity.id).await;
    let mut body = roster(&app, &[]).await;
    body["name_later"] = json!(2);
    body["name_by"] = json!(app.now() + TimeDelta::minutes(50));
    let view = send(&staff, &activity, body).await.ok(200);
    let hold = view["holds"][0].clone();
    assert_eq!((&hold["places"], &hold["unnamed"], &hold["state"]), (&json!(2), &json!(2), &json!("open")));
    assert_eq!(counts(&app, activity.id).await, (0, 2));
    assert_eq!(first.sign_up(&activity).await.ok(201)["state"], "confirmed");
    // Kept for others, they are nobody else's.
    assert_eq!(second.sign_up(&activity).await.ok(201)["state"], "waiting");
    let names = format!("/api/v1/place-holds/{}/names", hold["id"].as_str().unwrap());
    let rows = |rows: &[(&str, &str)]| {
        let rows: Vec<Value> =
            rows.iter().map(|(name, phone)| json!({ "name": name, "phone": phone })).collect();
        json!({ "rows": rows })
    };
    let other = staff_of(&app, "other-officer", "organiser", OTHER).await;
    other.post(&names, rows(&[("张三", "13800138001")])).await.problem(404, "not_found");
    let twice = rows(&[("张三", "13800138001"), ("张三", "13800138001")]);
    staff.post(&names, twice).await.problem(422, "validation_failed");
    let named = staff.post(&names, rows(&[("张三", "13800138001"), ("孙八", "13800138009")])).await.ok(200);
    assert_eq!(verdicts(&named), ["nominated", "not_registered"]);
    assert_eq!(named["holds"][0]["unnamed"], 1);
    assert_eq!(counts(&app, activity.id).await, (1, 2));
    let repeated = staff.post(&names, rows(&[("张三", "13800138001")])).await.ok(200);
    assert_eq!(verdicts(&repeated), ["already_signed_up"]);
    app.run_jobs().await;
    assert_eq!(notices(&zhang).await, ["nominated"]);
    assert_eq!(signup_of(&second, &activity).await["state"], "waiting");
    // The time is up: nobody may be named any more, even before the job has come by.
    app.advance(TimeDelta::minutes(50));
    staff.log_in().await;
    second.log_in().await;
    staff.post(&names, rows(&[("李四", "13800138002")])).await.problem(409, "state_forbids");
    assert_eq!(counts(&app, activity.id).await, (1, 2));
    app.run_jobs().await;
    assert_eq!(signup_of(&second, &activity).await["state"], "offered");
    assert_eq!(counts(&app, activity.id).await, (1, 2));
    let listed = staff.get(&format!("/api/v1/activities/{}/place-holds", activity.id)).await.ok(200);
    let item = &listed["items"][0];
    assert_eq!((&item["state"], &item["unnamed"]), (&json!("released"), &json!(0)));
    // Once: another minute later there is nothing left to give up.
    app.advance(TimeDelta::minutes(2));
    app.run_jobs().await;
    assert_eq!(counts(&app, activity.id).await, (1, 2));
    let id = hold["id"].as_str().unwrap();
    let mut auditor = app.staff("auditor").await;
    auditor.log_in().await;
    let entries = auditor.get(&format!("/api/v1/audit-entries?object={id}")).await.ok(200);
    let items = entries["items"].as_array().unwrap();
    let actions: Vec<&str> = items.iter().map(|e| e["action"].as_str().unwrap()).collect();
    let name = "place_hold.name";
    assert_eq!(actions, ["place_hold.release", name, name, "place_hold.create"]);
    assert_eq!(items[0]["detail"]["places"], 1);
}

async fn kept_places_are_given_up_by_the_union_or_the_organiser(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    let stranger = staff_of(&app, "other-officer", "organiser", "demo-enterprise-buji-2").await;
    let organiser = staff_of(&app, "street-officer", "organiser", "street-buji").await;
    let waiting = app.worker("sun").await;
    let activity = activity(&app, 2).await;
    waits(&app, activity.id).await;
    let mut holds = Vec::new();
    for _ in 0..2 {
        let mut body = roster(&app, &[]).await;
        body["name_later"] = json!(1);
        body["name_by"] = json!(app.now() + TimeDelta::minutes(30));
        let view = send(&staff, &activity, body).await.ok(200);
        holds.push(format!("/api/v1/place-holds/{}", view["holds"][0]["id"].as_str().unwrap()));
    }
    // More is not to be had, and is said.
    let mut body = roster(&app, &[]).await;
    body["name_later"] = json!(1);
    body["name_by"] = json!(app.now() + TimeDelta::minutes(30));
    assert_eq!(send(&staff, &activity, body).await.ok(200)["holds"], json!([]));
    assert_eq!(waiting.sign_up(&activity).await.ok(201)["state"], "waiting");
    let list = format!("/api/v1/activities/{}/place-holds", activity.id);
    for (actor, number) in [(&staff, 2), (&organiser, 2), (&stranger, 0)] {
        assert_eq!(actor.get(&list).await.ok(200)["items"].as_array().unwrap().len(), number);
    }
    stranger.delete(&holds[0]).await.problem(404, "not_found");
    assert_eq!(counts(&app, activity.id).await, (0, 2));
    staff.delete(&holds[0]).await.expect(204);
    assert_eq!(signup_of(&waiting, &activity).await["state"], "offered");
    assert_eq!(counts(&app, activity.id).await, (0, 2));
    staff.delete(&holds[0]).await.problem(404, "not_found");
    organiser.delete(&holds[1]).await.expect(204);
    assert_eq!(counts(&app, activity.id).await, (0, 1));
    app.run_jobs().await;
}

async fn places_are_kept_on_quotas_and_stay_counted(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    let organiser = app.staff("organiser").await;
    let zhang = registered(&app, "zhang", "张三", UNION, "13800138001").await;
    let activity = activity(&app, 5).await;
    let pinghu = app.organisation("street-pinghu").await;
    let path = format!("/api/v1/managed-activities/{}", activity.id);
    let set = |wanted: Value| {
        let (organiser, path) = (organiser.clone(), path.clone());
        async move {
            let etag = organiser.get(&path).await.etag();
            organiser.put(&format!("{path}/quotas"), &etag, json!({ "quotas": wanted })).await
        }
    };
    let split = json!([
        { "kind": "street", "organisation_id": pinghu, "capacity": 2 },
        { "kind": "pool", "capacity": 1 },
    ]);
    set(split).await.ok(200);
    let mut body = roster(&app, &[]).await;
    body["name_later"] = json!(4);
    body["name_by"] = json!(app.now() + TimeDelta::minutes(30));
    let view = send(&staff, &activity, body).await.ok(200);
    let kept: Vec<i64> =
        view["holds"].as_array().unwrap().iter().map(|hold| hold["places"].as_i64().unwrap()).collect();
    assert_eq!(kept, [2, 1], "the street's, then the pool's");
    let held = |app: &TestApp| {
        let (app, id) = (app.clone(), activity.id);
        async move {
            app.read(move |conn| {
                let of = quotas::table.filter(quotas::activity_id.eq(id)).order(quotas::rank);
                Ok(of.select((quotas::taken, quotas::held)).load::<(i64, i64)>(conn)?)
            })
            .await
        }
    };
    assert_eq!(held(&app).await, [(0, 2), (0, 1)]);
    assert_eq!(counts(&app, activity.id).await, (0, 3));
    let hold = view["holds"][0]["id"].as_str().unwrap().to_owned();
    let rows = json!({ "rows": [{ "name": "张三", "phone": "13800138001" }] });
    staff.post(&format!("/api/v1/place-holds/{hold}/names"), rows).await.ok(200);
    assert_eq!(held(&app).await, [(0, 2), (0, 1)]);
    let signup = signup_of(&zhang, &activity).await["id"].as_str().unwrap().to_owned();
    zhang.post(&format!("/api/v1/signups/{signup}/acceptances"), json!({})).await.ok(200);
    assert_eq!(held(&app).await, [(1, 1), (0, 1)]);
    for hold in view["holds"].as_array().unwrap() {
        staff.delete(&format!("/api/v1/place-holds/{}", hold["id"].as_str().unwrap())).await.expect(204);
    }
    assert_eq!(held(&app).await, [(1, 0), (0, 0)]);
    assert_eq!(counts(&app, activity.id).await, (1, 0));
    // What was kept once is remembered with its quota, which can become smaller and does not go.
    let one = json!([{ "kind": "street", "organisation_id": pinghu, "capacity": 2 }]);
    set(one).await.problem(409, "quota_below_use");
    app.run_jobs().await;
}

async fn two_rosters_at_once_share_the_last_places(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNION).await;
    let there = staff.at(&app.second_instance().await);
    let names = ["张一", "张二", "张三", "张四"];
    let phones = ["13800138001", "13800138002", "13800138003", "13800138004"];
    for (user, (name, phone)) in ["w1", "w2", "w3", "w4"].iter().zip(names.iter().zip(phones)) {
        registered(&app, user, name, UNION, phone).await;
    }
    for _ in 0..8 {
        let activity = activity(&app, 3).await;
        // Both name the same person, too.
        let one = roster(&app, &[(names[0], phones[0]), (names[1], phones[1]), (names[2], phones[2])]).await;
        let other = roster(&app, &[(names[0], phones[0]), (names[3], phones[3])]).await;
        let (one, other) = tokio::join!(send(&staff, &activity, one), send(&there, &activity, other));
        let nominated = |view: &Value| view["nominated"].as_u64().unwrap();
        assert_eq!(nominated(&one.ok(200)) + nominated(&other.ok(200)), 3);
        assert_eq!(counts(&app, activity.id).await, (0, 3));
    }
    app.run_jobs().await;
}

async fn by_staff(actor: &Actor, activity: &Made, body: Value) -> Reply {
    actor.post(&format!("/api/v1/activities/{}/proxy-signups", activity.id), body).await
}

async fn a_sign_up_by_staff_names_who_for_whom_and_why(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let zhang = registered(&app, "zhang", "张三", UNION, "13800138001").await;
    // It runs: giving a place of one's own back now would weigh.
    let activity = app.activity(|a| a.capacity(1)).await;
    waits(&app, activity.id).await;
    let body = json!({ "phone": "138 0013 8001", "basis": "phone_call", "note": "本人来电" });
    let made = by_staff(&organiser, &activity, body.clone()).await.ok(201);
    assert_eq!((&made["state"], &made["basis"]), (&json!("confirmed"), &json!("phone_call")));
    by_staff(&organiser, &activity, body).await.problem(409, "signup_duplicate");
    app.run_jobs().await;
    assert_eq!(notices(&zhang).await, ["signup_by_staff"]);
    let id = made["id"].as_str().unwrap();
    let entries = app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={id}")).await.ok(200);
    let entry = &entries["items"][0];
    assert_eq!(entry["actor"], json!(organiser.person()));
    let detail = &entry["detail"];
    assert_eq!(detail["person"], json!(zhang.person()));
    assert_eq!((&detail["basis"], &detail["note"]), (&json!("phone_call"), &json!("本人来电")));
    // Whoever waits is told that staff did it, too.
    let li = app.worker("li").await;
    let body = json!({ "person_id": li.person(), "basis": "at_counter" });
    assert_eq!(by_staff(&organiser, &activity, body).await.ok(201)["state"], "waiting");
    app.run_jobs().await;
    let inbox = li.get("/api/v1/me/notices").await.ok(200);
    assert_eq!(inbox["items"][0]["kind"], "signup_by_staff");
    assert!(inbox["items"][0]["body"].as_str().unwrap().contains("第 1 位"), "{inbox}");
    // It is the person's own, and free to give back.
    zhang.post(&format!("/api/v1/signups/{id}/cancellations"), json!({})).await.ok(200);
    let mine = zhang.get("/api/v1/me/penalties").await.ok(200);
    assert_eq!((&mine["points"], &mine["items"]), (&json!(0), &json!([])));
    app.run_jobs().await;
}

async fn nobody_is_signed_up_beyond_one_s_reach(app: TestApp) {
    let zhang = registered(&app, "zhang", "张三", UNION, "13800138001").await;
    let li = registered(&app, "li", "李四", OTHER, "13800138002").await;
    let union = staff_of(&app, "union-officer", "organiser", UNION).await;
    let street = staff_of(&app, "street-officer", "organiser", "street-buji").await;
    let activity = activity(&app, 9).await;
    let body = |who: Value| {
        let mut body = json!({ "basis": "paper_form" });
        for (field, value) in who.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let cases = [
        (json!({ "phone": "13800138002" }), "/phone", "not_registered"),
        (json!({ "phone": "13800138009" }), "/phone", "not_registered"),
        (json!({ "phone": "12345678901" }), "/phone", "phone"),
        (json!({ "person_id": li.person() }), "/person_id", "unknown"),
        (json!({}), "/person_id", "one_of"),
        (json!({ "person_id": zhang.person(), "phone": "13800138001" }), "/person_id", "one_of"),
        (json!({ "person_id": zhang.person(), "basis": "union_roster" }), "/basis", "enum"),
        (json!({ "person_id": zhang.person(), "basis": "by_force" }), "/basis", "enum"),
    ];
    for (who, pointer, code) in cases {
        let problem = by_staff(&union, &activity, body(who)).await.problem(422, "validation_failed");
        let error = &problem["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)));
    }
    // One's own place one takes oneself.
    let own = by_staff(&street, &activity, body(json!({ "person_id": street.person() }))).await;
    assert_eq!(own.problem(422, "validation_failed")["errors"][0]["code"], "self");
    let draft = app.activity(|a| a.organisation("street-buji").draft()).await;
    by_staff(&union, &draft, body(json!({ "person_id": zhang.person() }))).await.problem(404, "not_found");
    assert_eq!(counts(&app, activity.id).await, (0, 0));
    // The union's own people, at whoever's activity; the organiser's own activity, for whoever asks.
    by_staff(&union, &activity, body(json!({ "phone": "13800138001" }))).await.ok(201);
    by_staff(&street, &activity, body(json!({ "person_id": li.person() }))).await.ok(201);
    let homeless = app.worker("wang").await;
    by_staff(&street, &activity, body(json!({ "person_id": homeless.person() }))).await.ok(201);
    assert_eq!(counts(&app, activity.id).await, (3, 0));
    // An account that nobody may act with gets no place.
    let disable = json!({ "disabled": true, "reason": "测试停用" });
    let gone = app.worker("zhao").await;
    let path = format!("/api/v1/people/{}/account-states", gone.person());
    app.staff("admin").await.post(&path, disable).await.ok(200);
    let refused = by_staff(&street, &activity, body(json!({ "person_id": gone.person() }))).await;
    assert_eq!(refused.problem(422, "validation_failed")["errors"][0]["code"], "unknown");
    let odd = street.request(Method::POST, &format!("/api/v1/activities/{}/proxy-signups", activity.id));
    let keyless = street.send(odd.json(&body(json!({ "person_id": homeless.person() })))).await;
    keyless.problem(400, "idempotency_key_missing");
    app.run_jobs().await;
}
