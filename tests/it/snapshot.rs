//! What is answered from memory: as the registrar would answer, a second old at most, and never to whom it may concern.

use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::ActivityId;
use unionhall::platform::db::schema::activities;
use unionhall::platform::db::{Conn, Engine};

use super::signup::crowd;
use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    full_is_said_without_asking_the_database_for_a_second,
    whoever_ever_came_reaches_the_registrar,
    a_place_given_back_is_free_at_once_here_and_soon_elsewhere,
    not_yet_open_and_closed_are_said_from_memory,
    the_end_is_settled_before_it_is_said_from_memory,
    a_count_that_does_not_agree_is_not_used,
    a_full_activity_with_a_rule_of_its_own_is_left_to_the_registrar,
    public_answers_are_a_second_old_at_most,
    an_edit_is_public_at_once_here_and_soon_elsewhere,
    refusals_of_reads_are_not_kept,
];

/// This instance with a memory, which it has not in other tests.
async fn remembering(app: &TestApp) -> TestApp {
    app.start_with(|config| config.cache.memory_ms = 1000).await
}

/// Changes an activity behind everybody's back.
async fn behind<F>(app: &TestApp, change: F)
where
    F: FnOnce(&mut Conn) -> QueryResult<usize> + Send + 'static,
{
    let changed = app.write(move |conn| Ok(change(conn)?)).await;
    assert_eq!(changed, 1);
}

/// Gives an activity fifty places.
async fn make_room(app: &TestApp, activity: ActivityId) {
    behind(app, move |conn| {
        let room = (activities::capacity.eq(50), activities::bookable.eq(50));
        diesel::update(activities::table.find(activity)).set(room).execute(conn)
    })
    .await;
}

/// Waits until no snapshot of `activity` is being loaded, and says whether strangers are refused from memory.
async fn refuses(app: &TestApp, activity: ActivityId) -> bool {
    for _ in 0..2000 {
        if !app.app().snapshots().is_loading(activity) {
            return app.app().snapshots().refuses(activity);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("a load does not end");
}

/// An activity whose only place the first of `people` has, and which the second was refused, so that it is remembered.
async fn full(app: &TestApp, people: &[Actor]) -> Made {
    let activity = app.activity(|a| a.capacity(1)).await;
    people[0].sign_up(&activity).await.ok(201);
    people[1].sign_up(&activity).await.problem(409, "signup_full");
    assert!(refuses(app, activity.id).await, "full, and not remembered");
    activity
}

/// A problem without what differs from request to request.
fn bare(mut problem: Value) -> Value {
    problem["request_id"].take();
    problem
}

/// Asks until the answer has the status `wanted`: news travels through Redis.
async fn soon(app: &TestApp, wanted: u16, ask: impl AsyncFn() -> Reply) -> Reply {
    if app.engine() == Engine::Sqlite {
        // Instances without a Redis hear nothing of each other.
        app.advance(TimeDelta::seconds(1));
    }
    for _ in 0..500 {
        let reply = ask().await;
        if reply.status == wanted {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {wanted} after five seconds");
}

async fn full_is_said_without_asking_the_database_for_a_second(app: TestApp) {
    let app = remembering(&app).await;
    let people = crowd(&app, 5).await;
    let activity = app.activity(|a| a.capacity(1)).await;
    people[0].sign_up(&activity).await.ok(201);
    let by_registrar = people[1].sign_up(&activity).await.problem(409, "signup_full");
    assert!(refuses(&app, activity.id).await);
    make_room(&app, activity.id).await;
    let from_memory = people[2].sign_up(&activity).await.problem(409, "signup_full");
    assert_eq!(bare(from_memory), bare(by_registrar));
    app.advance(TimeDelta::milliseconds(499));
    people[2].sign_up(&activity).await.problem(409, "signup_full");
    app.advance(TimeDelta::milliseconds(501));
    people[2].sign_up(&activity).await.ok(201);
    // Half-way a snapshot is loaded anew, beside the answers.
    make_full(&app, &activity).await;
    people[3].sign_up(&activity).await.problem(409, "signup_full");
    assert!(refuses(&app, activity.id).await);
    make_room(&app, activity.id).await;
    app.advance(TimeDelta::milliseconds(500));
    people[3].sign_up(&activity).await.problem(409, "signup_full");
    assert!(!refuses(&app, activity.id).await, "it was loaded while it was still used");
    people[3].sign_up(&activity).await.ok(201);
    app.run_jobs().await;
}

/// Takes away every free place.
async fn make_full(app: &TestApp, activity: &Made) {
    let activity = activity.id;
    behind(app, move |conn| {
        let room = (activities::capacity.eq(activities::taken), activities::bookable.eq(activities::taken));
        diesel::update(activities::table.find(activity)).set(room).execute(conn)
    })
    .await;
}

async fn whoever_ever_came_reaches_the_registrar(app: TestApp) {
    let app = remembering(&app).await;
    let people = crowd(&app, 4).await;
    let activity = app.activity(|a| a.capacity(1)).await;
    let path = format!("/api/v1/activities/{}/signups", activity.id);
    let gone = people[0].post_keyed("gone-and-back", &path, json!({})).await;
    let signup = gone.clone().ok(201)["id"].as_str().unwrap().to_owned();
    people[0].post(&format!("/api/v1/signups/{signup}/cancellations"), json!({})).await.ok(200);
    let first = people[1].post_keyed("kept-answer", &path, json!({})).await;
    first.expect(201);
    people[2].sign_up(&activity).await.problem(409, "signup_full");
    assert!(refuses(&app, activity.id).await);
    // Repetitions, and who has a place, are answered exactly.
    for (person, key, answer) in [(&people[1], "kept-answer", &first), (&people[0], "gone-and-back", &gone)] {
        let again = person.post_keyed(key, &path, json!({})).await;
        assert_eq!((again.status, &again.text), (201, &answer.text));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    people[1].sign_up(&activity).await.problem(409, "signup_duplicate");
    assert!(refuses(&app, activity.id).await, "nothing of that has changed anything");
    // Whoever gave a place back is no stranger: they see the room that the others do not see yet.
    make_room(&app, activity.id).await;
    people[3].sign_up(&activity).await.problem(409, "signup_full");
    people[0].sign_up(&activity).await.ok(201);
    assert!(!refuses(&app, activity.id).await, "a place was given, and the snapshot is gone");
    people[3].sign_up(&activity).await.ok(201);
    app.run_jobs().await;
}

async fn a_place_given_back_is_free_at_once_here_and_soon_elsewhere(app: TestApp) {
    let here = remembering(&app).await;
    let there = remembering(&app).await;
    let people = crowd(&here, 4).await;
    let activity = full(&here, &people).await;
    let stranger = people[2].at(&there);
    stranger.sign_up(&activity).await.problem(409, "signup_full");
    assert!(refuses(&there, activity.id).await);
    let mine = people[0].get("/api/v1/me/signups").await.ok(200);
    let path = format!("/api/v1/signups/{}/cancellations", mine["items"][0]["id"].as_str().unwrap());
    people[0].post(&path, json!({})).await.ok(200);
    assert!(!here.app().snapshots().refuses(activity.id), "known here at once");
    soon(&there, 201, async || stranger.sign_up(&activity).await).await;
    // And that it is full again.
    people[3].sign_up(&activity).await.problem(409, "signup_full");
    here.run_jobs().await;
}

async fn not_yet_open_and_closed_are_said_from_memory(app: TestApp) {
    let app = remembering(&app).await;
    let people = crowd(&app, 3).await;
    let hours = TimeDelta::hours;
    let activity =
        app.activity(|a: Wanted| a.signup(hours(1), hours(5)).sessions(&[(hours(6), hours(7))])).await;
    let by_registrar = people[0].sign_up(&activity).await.problem(409, "signup_not_yet_open");
    assert!(refuses(&app, activity.id).await);
    let opens = (app.now() - hours(1)).naive_utc();
    let id = activity.id;
    behind(&app, move |conn| {
        diesel::update(activities::table.find(id)).set(activities::signup_opens_at.eq(opens)).execute(conn)
    })
    .await;
    let from_memory = people[1].sign_up(&activity).await.problem(409, "signup_not_yet_open");
    assert_eq!(bare(from_memory), bare(by_registrar));
    app.advance(TimeDelta::seconds(1));
    people[1].sign_up(&activity).await.ok(201);
    behind(&app, move |conn| {
        diesel::update(activities::table.find(id)).set(activities::state.eq("cancelled")).execute(conn)
    })
    .await;
    people[2].sign_up(&activity).await.problem(409, "signup_closed");
    assert!(refuses(&app, activity.id).await);
    behind(&app, move |conn| {
        diesel::update(activities::table.find(id)).set(activities::state.eq("published")).execute(conn)
    })
    .await;
    people[2].sign_up(&activity).await.problem(409, "signup_closed");
    app.advance(TimeDelta::seconds(1));
    people[2].sign_up(&activity).await.ok(201);
    app.run_jobs().await;
}

async fn the_end_is_settled_before_it_is_said_from_memory(app: TestApp) {
    let app = remembering(&app).await;
    let people = crowd(&app, 2).await;
    let activity = app.activity(|a| a.signup(TimeDelta::days(-1), TimeDelta::minutes(5))).await;
    app.advance(TimeDelta::minutes(5));
    people[0].sign_up(&activity).await.problem(409, "signup_closed");
    assert!(!refuses(&app, activity.id).await, "a batch from before the end may still be committing");
    app.advance(TimeDelta::minutes(1));
    people[0].sign_up(&activity).await.problem(409, "signup_closed");
    assert!(refuses(&app, activity.id).await);
    people[1].sign_up(&activity).await.problem(409, "signup_closed");
}

async fn a_count_that_does_not_agree_is_not_used(app: TestApp) {
    let app = remembering(&app).await;
    let people = crowd(&app, 2).await;
    let activity = app.activity(|a| a.capacity(1)).await;
    let id = activity.id;
    behind(&app, move |conn| {
        diesel::update(activities::table.find(id)).set(activities::taken.eq(1)).execute(conn)
    })
    .await;
    people[0].sign_up(&activity).await.problem(409, "signup_full");
    assert!(!refuses(&app, activity.id).await, "nobody has the place that is counted");
}

async fn a_full_activity_with_a_rule_of_its_own_is_left_to_the_registrar(app: TestApp) {
    let app = remembering(&app).await;
    let people = crowd(&app, 3).await;
    let activity = full(&app, &people).await;
    let id = activity.id;
    behind(&app, move |conn| {
        diesel::update(activities::table.find(id)).set(activities::waiting_list.eq("strict")).execute(conn)
    })
    .await;
    app.advance(TimeDelta::seconds(1));
    // Whatever the registrar says to that, it is not for memory to say.
    people[2].sign_up(&activity).await;
    assert!(!refuses(&app, activity.id).await);
    app.run_jobs().await;
}

async fn rename(app: &TestApp, activity: ActivityId, title: &'static str) {
    behind(app, move |conn| {
        diesel::update(activities::table.find(activity)).set(activities::title.eq(title)).execute(conn)
    })
    .await;
}

async fn public_answers_are_a_second_old_at_most(app: TestApp) {
    let app = remembering(&app).await;
    let activity = app.activity(|a| a.title("旧名")).await;
    let path = format!("/api/v1/activities/{}", activity.id);
    let (anon, worker) = (app.anon(), app.worker("zhang").await);
    let old = anon.get(&path).await;
    assert_eq!(old.body["title"], "旧名");
    let list = anon.get("/api/v1/activities?limit=100").await.text;
    rename(&app, activity.id, "新名").await;
    let again = anon.get(&path).await;
    assert_eq!((again.status, &again.text, again.etag()), (200, &old.text, old.etag()));
    assert_eq!(again.header("cache-control"), old.header("cache-control"));
    assert_eq!(again.header("content-type"), old.header("content-type"));
    assert_eq!(anon.get("/api/v1/activities?limit=100").await.text, list);
    // What is somebody's own is never kept, nor is another query's answer.
    assert_eq!(worker.get(&format!("/api/v1/me/activities/{}", activity.id)).await.ok(200)["title"], "新名");
    assert_ne!(anon.get("/api/v1/activities?limit=99").await.text, list);
    let known = anon.request(reqwest::Method::GET, &path).header("if-none-match", old.etag());
    anon.send(known).await.expect(304);
    app.advance(TimeDelta::seconds(1));
    let new = anon.get(&path).await;
    assert_eq!(new.body["title"], "新名");
    assert_ne!(new.etag(), old.etag());
    assert_ne!(anon.get("/api/v1/activities?limit=100").await.text, list);
}

async fn an_edit_is_public_at_once_here_and_soon_elsewhere(app: TestApp) {
    let (here, there) = (remembering(&app).await, remembering(&app).await);
    let organiser = here.worker("organiser").await;
    let activity = here.activity(Wanted::draft).await;
    let path = format!("/api/v1/activities/{}", activity.id);
    let list = |app: &TestApp| {
        let anon = app.anon();
        async move {
            anon.get("/api/v1/activities?limit=100&q=测试电工班").await.ok(200)["items"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!((list(&here).await, list(&there).await), (0, 0));
    let publish = format!("/api/v1/managed-activities/{}/publications", activity.id);
    organiser.post(&publish, json!({})).await.ok(200);
    assert_eq!(list(&here).await, 1);
    here.anon().get(&path).await.ok(200);
    let anon = there.anon();
    soon(&there, 200, async || {
        let mut reply = anon.get("/api/v1/activities?limit=100&q=测试电工班").await;
        reply.status = if reply.body["items"] == json!([]) { 404 } else { reply.status };
        reply
    })
    .await;
}

async fn refusals_of_reads_are_not_kept(app: TestApp) {
    let app = remembering(&app).await;
    let activity = app.activity(Wanted::draft).await;
    let path = format!("/api/v1/activities/{}", activity.id);
    app.anon().get(&path).await.problem(404, "not_found");
    let id = activity.id;
    behind(&app, move |conn| {
        diesel::update(activities::table.find(id)).set(activities::state.eq("published")).execute(conn)
    })
    .await;
    app.anon().get(&path).await.ok(200);
}
