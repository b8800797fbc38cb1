//! Places: exact under any race, with an answer of its own for everybody.

use std::collections::HashSet;

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::{StreamExt, stream};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use unionhall::ids::{ActivityId, FamilyId, PersonId};
use unionhall::platform::db::schema::{activities, signups};

use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    two_thousand_people_twenty_places_again_and_again,
    two_instances_give_the_last_places_once,
    one_person_asking_from_everywhere_has_one_place,
    every_refusal_has_its_own_code,
    a_cancelled_place_is_free_at_once_and_one_may_come_back,
    a_place_cannot_be_cancelled_after_check_in_or_by_others,
    repeating_a_request_gives_the_same_bytes,
    a_key_belongs_to_one_request_and_one_person,
    a_sign_up_leaves_a_message_and_an_audit_entry,
    capacity_cannot_fall_below_the_places_taken,
    the_roster_is_masked_and_scoped,
];

/// `number` people with logins, made behind the application's back: a crowd that logs in takes too long.
pub async fn crowd(app: &TestApp, number: usize) -> Vec<Actor> {
    let made = make_crowd(app, number).await;
    let tokens = app.app().platform().access.tokens();
    made.into_iter()
        .map(|(person, family)| app.anon().with_login(tokens.issue(person, family).unwrap(), person))
        .collect()
}

/// The same for whoever needs no tokens.
pub async fn crowd_ids(app: &TestApp, number: usize) -> Vec<PersonId> {
    make_crowd(app, number).await.into_iter().map(|(person, _)| person).collect()
}

async fn make_crowd(app: &TestApp, number: usize) -> Vec<(PersonId, FamilyId)> {
    let now = app.now();
    let made: Vec<(PersonId, FamilyId)> = (0..number).map(|_| (app.ids().id(), app.ids().id())).collect();
    let rows = made.clone();
    app.write(move |conn| {
        for (person, family) in rows {
            unionhall::people::store::create_in_tx(conn, person, now)?;
            unionhall::identity::store::family_create_in_tx(
                conn,
                family,
                person,
                now,
                now + TimeDelta::days(9),
            )?;
        }
        Ok(())
    })
    .await;
    made
}

async fn counts(app: &TestApp, activity: ActivityId) -> (i64, i64, usize) {
    app.read(move |conn| {
        let taken = activities::table.find(activity).select(activities::taken).first(conn)?;
        let people: Vec<PersonId> = signups::table
            .filter(signups::activity_id.eq(activity))
            .filter(signups::state.ne("cancelled"))
            .select(signups::person_id)
            .load(conn)?;
        let distinct: HashSet<PersonId> = people.iter().copied().collect();
        Ok((taken, i64::try_from(people.len()).unwrap(), distinct.len()))
    })
    .await
}

/// How often each (status, code) was answered.
type Answers = std::collections::BTreeMap<(u16, String), usize>;

/// Everybody signs up, 64 at a time; gives how often each (status, code) was answered.
async fn rush(people: Vec<Actor>, activity: &Made) -> Answers {
    let answers: Vec<(u16, String)> = stream::iter(people)
        .map(|person| async move {
            let reply = person.sign_up(activity).await;
            (reply.status, reply.body["code"].as_str().unwrap_or_default().to_owned())
        })
        .buffer_unordered(64)
        .collect()
        .await;
    answers.into_iter().fold(Default::default(), |mut sum, answer| {
        *sum.entry(answer).or_default() += 1;
        sum
    })
}

/// `UNIONHALL_RUSHES=20` for more.
async fn two_thousand_people_twenty_places_again_and_again(app: TestApp) {
    let people = crowd(&app, 2000).await;
    let rounds = std::env::var("UNIONHALL_RUSHES").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    for seed in 0..rounds {
        let activity = app.activity(|a| a.capacity(20)).await;
        let mut order = people.clone();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let answers = rush(order, &activity).await;
        let expected = [((201, String::new()), 20), ((409, "signup_full".to_owned()), 1980)];
        assert_eq!(answers, expected.into(), "seed {seed}");
        assert_eq!(counts(&app, activity.id).await, (20, 20, 20), "seed {seed}");
    }
    app.run_jobs().await;
}

async fn two_instances_give_the_last_places_once(app: TestApp) {
    let other = app.second_instance().await;
    let people = crowd(&app, 120).await;
    // Without the row's lock, its guard and its CHECK, several of these rounds give more places than there are.
    for round in 0..12 {
        let activity = app.activity(|a| a.capacity(40)).await;
        // Everybody at both doors, which open together.
        let doors = [people.clone(), people.iter().map(|person| person.at(&other)).collect()];
        let [one, two] = doors.map(|door: Vec<Actor>| rush(door, &activity));
        let (one, two) = tokio::join!(one, two);
        let given = |answers: &Answers| answers.get(&(201, String::new())).copied().unwrap_or(0);
        assert_eq!(given(&one) + given(&two), 40, "round {round}");
        assert!(
            one.keys().chain(two.keys()).all(|(status, _)| matches!(status, 201 | 409)),
            "{one:?} {two:?}"
        );
        assert_eq!(counts(&app, activity.id).await, (40, 40, 40), "round {round}");
    }
    app.run_jobs().await;
}

async fn one_person_asking_from_everywhere_has_one_place(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let activity = app.activity(|a| a.capacity(20)).await;
    let answers = rush(vec![zhang; 40], &activity).await;
    let expected = [((201, String::new()), 1), ((409, "signup_duplicate".to_owned()), 39)];
    assert_eq!(answers, expected.into());
    assert_eq!(counts(&app, activity.id).await, (1, 1, 1));
    app.run_jobs().await;
}

async fn every_refusal_has_its_own_code(app: TestApp) {
    let (mut zhang, mut li) = (app.worker("zhang").await, app.worker("li").await);
    let later = app.activity(|a| a.signup(TimeDelta::minutes(10), TimeDelta::minutes(60))).await;
    let problem = zhang.sign_up(&later).await.problem(409, "signup_not_yet_open");
    assert_eq!(problem["detail"], "2025-06-16 10:10（北京时间）开始报名");
    app.advance(TimeDelta::minutes(10));
    zhang.sign_up(&later).await.ok(201);
    app.advance(TimeDelta::minutes(50));
    zhang.log_in().await;
    li.log_in().await;
    li.sign_up(&later).await.problem(409, "signup_closed");
    // Who has a place is told so, even when the window is closed.
    zhang.sign_up(&later).await.problem(409, "signup_duplicate");
    let full = app.activity(|a| a.capacity(1)).await;
    zhang.sign_up(&full).await.ok(201);
    li.sign_up(&full).await.problem(409, "signup_full");
    zhang.sign_up(&full).await.problem(409, "signup_duplicate");
    let drawn = app.activity(|a| a.allocation("draw")).await;
    zhang.sign_up(&drawn).await.problem(409, "signup_not_direct");
    let draft = app.activity(Wanted::draft).await;
    zhang.sign_up(&draft).await.problem(404, "not_found");
    let nowhere = format!("/api/v1/activities/{}/signups", app.ids().id::<ActivityId>());
    zhang.post(&nowhere, json!({})).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn a_cancelled_place_is_free_at_once_and_one_may_come_back(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let activity = app.activity(|a| a.capacity(1)).await;
    let signup = zhang.sign_up(&activity).await.ok(201);
    li.sign_up(&activity).await.problem(409, "signup_full");
    let cancel = format!("/api/v1/signups/{}/cancellations", signup["id"].as_str().unwrap());
    let cancelled = zhang.post(&cancel, json!({})).await.ok(200);
    assert_eq!(
        (&cancelled["state"], &cancelled["cancelled_at"]),
        (&json!("cancelled"), &json!("2025-06-16T02:00:00Z"))
    );
    zhang.post(&cancel, json!({})).await.problem(409, "state_forbids");
    li.sign_up(&activity).await.ok(201);
    zhang.sign_up(&activity).await.problem(409, "signup_full");
    assert_eq!(counts(&app, activity.id).await, (1, 1, 1));
    let mine = zhang.get("/api/v1/me/signups").await.ok(200);
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    app.run_jobs().await;
}

async fn a_place_cannot_be_cancelled_after_check_in_or_by_others(app: TestApp) {
    let (zhang, li, gate) = (app.worker("zhang").await, app.worker("li").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    let signup = zhang.sign_up(&activity).await.ok(201);
    let cancel = format!("/api/v1/signups/{}/cancellations", signup["id"].as_str().unwrap());
    li.post(&cancel, json!({})).await.problem(404, "not_found");
    li.get(&format!("/api/v1/signups/{}", signup["id"].as_str().unwrap())).await.problem(404, "not_found");
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    zhang.post(&cancel, json!({})).await.problem(409, "signup_attended");
    app.run_jobs().await;
}

async fn repeating_a_request_gives_the_same_bytes(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let activity = app.activity(|a| a).await;
    let path = format!("/api/v1/activities/{}/signups", activity.id);
    let first = zhang.post_keyed("the-same-key", &path, json!({})).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    app.advance(TimeDelta::hours(20));
    let mut again = zhang.clone();
    again.log_in().await;
    for _ in 0..3 {
        let repeated = again.post_keyed("the-same-key", &path, json!({})).await;
        assert_eq!((repeated.status, &repeated.text), (201, &first.text));
        assert_eq!(repeated.header("idempotency-replayed"), Some("true"));
        for header in ["etag", "location"] {
            assert_eq!(repeated.header(header), first.header(header), "{header}");
        }
    }
    assert_eq!(counts(&app, activity.id).await, (1, 1, 1));
    app.run_jobs().await;
}

async fn a_key_belongs_to_one_request_and_one_person(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let (one, two) = (app.activity(|a| a).await, app.activity(|a| a).await);
    let path = |activity: &Made| format!("/api/v1/activities/{}/signups", activity.id);
    zhang.post_keyed("the-same-key", &path(&one), json!({})).await.ok(201);
    zhang.post_keyed("the-same-key", &path(&two), json!({})).await.problem(422, "idempotency_mismatch");
    li.post_keyed("the-same-key", &path(&two), json!({})).await.ok(201);
    let missing = zhang.request(reqwest::Method::POST, &path(&two)).json(&json!({}));
    zhang.send(missing).await.problem(400, "idempotency_key_missing");
    for bad in ["short", "has space inside", &"x".repeat(101)] {
        let request =
            zhang.request(reqwest::Method::POST, &path(&two)).header("idempotency-key", bad).json(&json!({}));
        zhang.send(request).await.problem(400, "header_invalid");
    }
    // A refusal has no effect and is judged again under its key.
    let full = app.activity(|a| a.capacity(1)).await;
    let place = li.sign_up(&full).await.ok(201);
    zhang.post_keyed("another-key", &path(&full), json!({})).await.problem(409, "signup_full");
    li.post(&format!("/api/v1/signups/{}/cancellations", place["id"].as_str().unwrap()), json!({}))
        .await
        .ok(200);
    zhang.post_keyed("another-key", &path(&full), json!({})).await.ok(201);
    app.run_jobs().await;
}

async fn a_sign_up_leaves_a_message_and_an_audit_entry(app: TestApp) {
    let (zhang, auditor) = (app.worker("zhang").await, app.staff("auditor").await);
    let activity = app.activity(|a| a.title("焊工班")).await;
    let signup = zhang.sign_up(&activity).await.ok(201);
    assert_eq!(
        zhang.get("/api/v1/me/notices").await.ok(200)["unread"],
        0,
        "written by the job, not by the request"
    );
    app.run_jobs().await;
    let inbox = zhang.get("/api/v1/me/notices").await.ok(200);
    assert_eq!((&inbox["unread"], &inbox["items"][0]["kind"]), (&json!(1), &json!("signup_confirmed")));
    assert!(inbox["items"][0]["body"].as_str().unwrap().contains("焊工班"));
    let read =
        zhang.post("/api/v1/me/notices/reads", json!({ "until": inbox["items"][0]["id"] })).await.ok(200);
    assert_eq!(read["unread"], 0);
    let object = signup["id"].as_str().unwrap();
    let entries = auditor.get(&format!("/api/v1/audit-entries?object={object}")).await.ok(200);
    assert_eq!(entries["items"][0]["action"], "signup.create");
    assert_eq!(entries["items"][0]["actor"], json!(zhang.person()));
}

async fn capacity_cannot_fall_below_the_places_taken(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let activity = app.activity(|a| a.capacity(5)).await;
    for person in crowd(&app, 3).await {
        person.sign_up(&activity).await.ok(201);
    }
    let path = format!("/api/v1/managed-activities/{}", activity.id);
    let seen = organiser.get(&path).await;
    let change = |capacity: i64| {
        json!({ "title": "t", "summary": "", "venue": "v", "address": "", "capacity": capacity,
                "signup_opens_at": activity.body["signup_opens_at"], "signup_closes_at": activity.body["signup_closes_at"] })
    };
    organiser.put(&path, &seen.etag(), change(2)).await.problem(409, "state_forbids");
    let changed = organiser.put(&path, &seen.etag(), change(3)).await;
    assert_eq!(changed.expect(200).body["places_left"], 0);
    organiser.put(&path, &seen.etag(), change(9)).await.problem(412, "precondition_failed");
    let request = organiser.request(reqwest::Method::PUT, &path).json(&change(9));
    organiser.send(request).await.problem(428, "precondition_required");
    app.run_jobs().await;
}

async fn the_roster_is_masked_and_scoped(app: TestApp) {
    let zhang = app.worker("zhang").await;
    zhang.set_profile("张三丰", None).await;
    let activity = app.activity(|a| a.organisation("street-buji")).await;
    zhang.sign_up(&activity).await.ok(201);
    let path = format!("/api/v1/activities/{}/signups", activity.id);
    let roster = app.staff("gate").await.get(&path).await;
    assert_eq!(roster.expect(200).body["items"][0]["name_masked"], "张*丰");
    assert!(!roster.text.contains("张三丰"));
    app.staff("gate-pinghu").await.get(&path).await.problem(404, "not_found");
    app.run_jobs().await;
}
