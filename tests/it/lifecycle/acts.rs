//! What each act does.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use unionhall::offering::model::AttendanceRole;
use unionhall::signup::model::SignupState;

use super::{Scene, act, because, cancel_session, sign_up_as, values};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    cancelling_ends_everything_that_hangs_on_an_activity,
    postponing_keeps_sign_ups_and_withdraws_offers,
    rescheduling_tells_old_and_new_times,
    rescheduling_may_release_all_who_were_not_there,
    a_postponed_activity_goes_on_at_new_times,
    allocating_ends_the_waiting_list,
    cancelling_a_session_leaves_the_others,
    an_activity_ends_with_its_last_session_to_come,
    a_phase_goes_with_the_clock,
];

async fn cancelling_ends_everything_that_hangs_on_an_activity(app: TestApp) {
    let scene = Scene::set(&app, false).await;
    assert_eq!(values(&app, "07b,21b").await, [1, 1]);
    let key = scene.organiser.fresh_key();
    let path = format!("{}/{}/cancellations", super::MANAGED, scene.activity.id);
    let done = scene.organiser.post_keyed(&key, &path, because("台风停课")).await;
    let view = done.expect(200).body.clone();
    assert_eq!(
        (&view["state"], &view["phase"], &view["state_reason"], &view["availability"]),
        (&json!("cancelled"), &json!("cancelled"), &json!("台风停课"), &json!("closed"))
    );
    for session in view["sessions"].as_array().unwrap() {
        assert_eq!((&session["state"], &session["state_reason"]), (&json!("cancelled"), &json!("台风停课")));
    }
    assert_eq!(scene.signups(&app).await, ["cancelled activity_cancelled"; 6]);
    assert_eq!(scene.others(&app).await, ["withdrawn", "released", "refused"]);
    assert_eq!(scene.counts(&app).await, (0, 0));
    assert_eq!(scene.bookings(&app).await, []);
    assert_eq!(values(&app, "07b,21b").await, [0, 0], "who was checked in counts no more");
    for (kind, body) in scene.told(&app).await {
        assert_eq!(kind, "activity_cancelled");
        assert!(body.contains("原因：台风停课。"), "{body}");
    }
    // Again under the same key is the same answer, and under another one is too late.
    let again = scene.organiser.post_keyed(&key, &path, because("台风停课")).await;
    assert_eq!(again.text, done.text);
    let late = act(&scene.organiser, scene.activity.id, "cancellations", because("再来")).await;
    let late = late.problem(409, "state_forbids");
    assert_eq!(late["detail"], "活动已取消，不能取消；已不能再变更");
    // It is listed no more, and can be read.
    let (anon, id) = (app.anon(), scene.activity.id);
    let read = anon.get(&format!("/api/v1/activities/{id}")).await.ok(200);
    assert_eq!(read["state_reason"], "台风停课");
    let list = anon.get("/api/v1/activities?limit=100").await.ok(200);
    assert!(list["items"].as_array().unwrap().iter().all(|item| item["id"] != json!(id)));
    scene.people[1].sign_up(&scene.activity).await.problem(409, "signup_closed");
    let object = format!("/api/v1/audit-entries?object={id}");
    let audit = app.staff("auditor").await.get(&object).await.ok(200);
    let actions: Vec<&Value> = audit["items"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert_eq!(
        actions[..3],
        [&json!("checkins.void"), &json!("signups.end"), &json!("activity.cancel")],
        "newest first: the act, and what followed"
    );
}

async fn postponing_keeps_sign_ups_and_withdraws_offers(app: TestApp) {
    let scene = Scene::set(&app, true).await;
    let view = act(&scene.organiser, scene.activity.id, "postponements", because("场地检修")).await.ok(200);
    assert_eq!(
        (&view["state"], &view["phase"], &view["state_reason"]),
        (&json!("postponed"), &json!("postponed"), &json!("场地检修"))
    );
    assert_eq!(
        scene.signups(&app).await,
        ["confirmed", "confirmed", "waiting", "waiting", "entered", "confirmed"]
    );
    assert_eq!(scene.others(&app).await, ["withdrawn", "open", "proposed"]);
    assert_eq!(scene.counts(&app).await, (2, 2), "what a union keeps is kept");
    assert_eq!(
        scene.bookings(&app).await.len(),
        2,
        "what is booked binds nobody, and is tried again with new dates"
    );
    for (kind, body) in scene.told(&app).await {
        assert_eq!(kind, "activity_postponed");
        assert!(body.contains("报名保留") && body.contains("场地检修"), "{body}");
    }
    // Seen by everybody, open for nobody.
    let list = app.anon().get("/api/v1/activities?limit=100").await.ok(200);
    assert!(list["items"].as_array().unwrap().iter().any(|item| item["id"] == json!(scene.activity.id)));
    app.worker("newcomer").await.sign_up(&scene.activity).await.problem(409, "signup_closed");
    let gate = app.staff("gate").await;
    gate.finalise(scene.activity.session).await.problem(409, "state_forbids");
}

/// What moves the sessions of `scene` by so many days from now, in order.
fn moved(app: &TestApp, scene: &Scene, sessions: &[usize], days: i64, signups: &str) -> Value {
    let at = |place: usize, hours: i64| -> DateTime<Utc> {
        app.now() + TimeDelta::days(days + i64::try_from(place).unwrap()) + TimeDelta::hours(hours)
    };
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|place| {
            let id = scene.activity.sessions[*place];
            json!({ "id": id, "starts_at": at(*place, 0), "ends_at": at(*place, 2) })
        })
        .collect();
    json!({ "reason": "场地检修", "sessions": sessions, "signups": signups })
}

async fn rescheduling_tells_old_and_new_times(app: TestApp) {
    let scene = Scene::set(&app, true).await;
    let body = moved(&app, &scene, &[1, 0], 4, "keep");
    let view = act(&scene.organiser, scene.activity.id, "reschedulings", body).await.ok(200);
    assert_eq!((&view["state"], &view["phase"]), (&json!("published"), &json!("open")));
    assert_eq!(
        (&view["starts_at"], &view["ends_at"]),
        (&json!("2025-06-20T02:00:00Z"), &json!("2025-06-21T04:00:00Z"))
    );
    assert_eq!(view["sessions"][0]["starts_at"], "2025-06-20T02:00:00Z");
    assert_eq!(view.get("state_reason"), None, "it is not called off");
    let before = ["confirmed", "confirmed", "offered", "waiting", "entered", "confirmed"];
    assert_eq!(scene.signups(&app).await, before);
    assert_eq!(scene.others(&app).await, ["open", "open", "proposed"]);
    assert_eq!(scene.counts(&app).await, (2, 3));
    let booked: Vec<String> = scene.bookings(&app).await.iter().map(ToString::to_string).collect();
    assert_eq!(booked, ["2025-06-20 02:00:00", "2025-06-21 02:00:00"]);
    for (kind, body) in scene.told(&app).await {
        assert_eq!(kind, "activity_rescheduled");
        assert_eq!(
            body,
            "“测试电工班”已改期。第 1 场（6月16日 09:30）改为 6月20日 10:00；第 2 场（6月17日 10:00）改为 6月21日 10:00；\
             原因：场地检修。您的报名保留，不能参加时可以取消，不计入信用。"
        );
    }
    let gate = app.staff("gate").await;
    let pass = scene.people[0].pass().await;
    gate.scan(scene.activity.session, &pass).await.problem(409, "checkin_not_open");
}

async fn rescheduling_may_release_all_who_were_not_there(app: TestApp) {
    let scene = Scene::set(&app, false).await;
    let gate = app.staff("gate").await;
    gate.finalise(scene.activity.session).await.ok(200);
    let mut body = moved(&app, &scene, &[1], 4, "release");
    body["signup_closes_at"] = json!(app.now() + TimeDelta::days(3));
    let view = act(&scene.organiser, scene.activity.id, "reschedulings", body).await.ok(200);
    assert_eq!((&view["phase"], &view["availability"]), (&json!("running"), &json!("open")));
    let ended = "cancelled activity_cancelled";
    assert_eq!(scene.signups(&app).await, ["attended", ended, ended, ended, ended, ended]);
    assert_eq!(scene.others(&app).await, ["withdrawn", "released", "refused"]);
    assert_eq!(scene.counts(&app).await, (1, 0));
    let told = scene.told(&app).await;
    assert_ne!(told[0].0, "activity_rescheduled", "who was there has nothing to do");
    assert!(
        told[1].1.contains("第 2 场（6月17日 10:00）改为 6月21日 10:00") && told[1].1.contains("重新报名")
    );
    assert_eq!(values(&app, "07a,07b").await, [1, 1], "what took place stays");
    scene.people[1].sign_up(&scene.activity).await.ok(201);
    app.run_jobs().await;
}

async fn a_postponed_activity_goes_on_at_new_times(app: TestApp) {
    let scene = Scene::set(&app, true).await;
    let (organiser, id) = (&scene.organiser, scene.activity.id);
    act(organiser, id, "postponements", because("台风")).await.ok(200);
    let part = moved(&app, &scene, &[0], 4, "keep");
    let refused = act(organiser, id, "reschedulings", part).await.problem(422, "validation_failed");
    assert_eq!(refused["errors"][0]["pointer"], "/sessions");
    let view = act(organiser, id, "reschedulings", moved(&app, &scene, &[0, 1], 4, "keep")).await.ok(200);
    assert_eq!((&view["state"], &view["phase"]), (&json!("published"), &json!("open")));
    assert_eq!(view.get("state_reason"), None);
    assert_eq!(scene.counts(&app).await, (2, 2));
    app.run_jobs().await;
}

async fn allocating_ends_the_waiting_list(app: TestApp) {
    let mut organiser = app.staff("organiser").await;
    let hours = TimeDelta::hours;
    let activity = app
        .activity_by(&organiser, |a| a.sessions(&[(hours(30), hours(32))]).signup(hours(-2), hours(1)))
        .await;
    let (mut has, mut waits, mut asked) =
        (app.worker("zhang").await, app.worker("li").await, app.worker("wang").await);
    let participant = AttendanceRole::Participant;
    sign_up_as(&app, activity.id, has.person(), SignupState::Confirmed, participant, None).await;
    sign_up_as(&app, activity.id, waits.person(), SignupState::Waiting, participant, None).await;
    let entered =
        sign_up_as(&app, activity.id, asked.person(), SignupState::Entered, participant, None).await;
    let early = act(&organiser, activity.id, "allocations", json!({})).await.problem(409, "state_forbids");
    assert_eq!(early["detail"], "活动正在报名，不能完成分配；目前可以：取消、延期、改期");
    app.advance(hours(1));
    for actor in [&mut organiser, &mut has, &mut waits, &mut asked] {
        actor.log_in().await;
    }
    act(&organiser, activity.id, "allocations", json!({})).await.problem(409, "state_forbids");
    app.write(move |conn| {
        use diesel::prelude::*;
        use unionhall::platform::db::schema::signups;
        diesel::update(signups::table.find(entered)).set(signups::state.eq("waiting")).execute(conn)?;
        Ok(())
    })
    .await;
    let view = act(&organiser, activity.id, "allocations", json!({})).await.ok(200);
    assert_eq!((&view["state"], &view["phase"]), (&json!("allocated"), &json!("allocated")));
    app.run_jobs().await;
    for (person, states) in [(&has, "confirmed"), (&waits, "cancelled"), (&asked, "cancelled")] {
        let mine = person.get("/api/v1/me/signups").await.ok(200);
        assert_eq!(mine["items"][0]["state"], states, "{}", person.name);
    }
    let notices = waits.get("/api/v1/me/notices").await.ok(200);
    assert_eq!(notices["items"][0]["kind"], "no_place");
    act(&organiser, activity.id, "allocations", json!({})).await.problem(409, "state_forbids");
    // It is still listed, still runs, and can still be moved.
    let list = app.anon().get("/api/v1/activities?limit=100").await.ok(200);
    assert!(list["items"].as_array().unwrap().iter().any(|item| item["id"] == json!(activity.id)));
    act(&organiser, activity.id, "postponements", because("台风")).await.ok(200);
    app.run_jobs().await;
}

async fn cancelling_a_session_leaves_the_others(app: TestApp) {
    let scene = Scene::set(&app, false).await;
    let session = cancel_session(&scene.organiser, scene.activity.session).await.ok(200);
    assert_eq!(
        (&session["state"], &session["state_reason"], &session["present"]),
        (&json!("cancelled"), &json!("台风"), &json!(1)),
        "that somebody was there is history"
    );
    let view = scene.detail().await;
    assert_eq!((&view["state"], &view["phase"]), (&json!("published"), &json!("open")));
    assert_eq!(
        (&view["starts_at"], &view["sessions"][1]["state"]),
        (&json!("2025-06-17T02:00:00Z"), &json!("planned"))
    );
    let states = scene.signups(&app).await;
    assert_eq!(states, ["confirmed", "confirmed", "offered", "waiting", "entered", "confirmed"]);
    assert_eq!(scene.counts(&app).await, (2, 3));
    assert_eq!(scene.bookings(&app).await.len(), 1);
    assert_eq!(values(&app, "07b,21b").await, [0, 0]);
    for (kind, body) in scene.told(&app).await {
        assert_eq!(kind, "session_cancelled");
        assert!(body.contains("第 1 场（6月16日 09:30）") && body.contains("台风"), "{body}");
    }
    let gate = app.staff("gate").await;
    gate.finalise(scene.activity.session).await.problem(409, "state_forbids");
    cancel_session(&scene.organiser, scene.activity.session).await.problem(409, "state_forbids");
    let last = cancel_session(&scene.organiser, scene.activity.sessions[1]).await;
    assert_eq!(last.problem(409, "state_forbids")["detail"], "这是最后一个场次，请取消整个活动");
}

async fn an_activity_ends_with_its_last_session_to_come(app: TestApp) {
    let scene = Scene::set(&app, false).await;
    let gate = app.staff("gate").await;
    gate.finalise(scene.activity.session).await.ok(200);
    let held = act(&scene.organiser, scene.activity.id, "cancellations", because("台风")).await;
    assert!(held.problem(409, "state_forbids")["detail"].as_str().unwrap().contains("已有场次举行过"));
    cancel_session(&scene.organiser, scene.activity.sessions[1]).await.ok(200);
    let view = scene.detail().await;
    assert_eq!((&view["state"], &view["phase"]), (&json!("finished"), &json!("finished")));
    assert_eq!(values(&app, "07a,07b").await, [1, 1], "what took place counts");
    let none = "cancelled no_place";
    assert_eq!(scene.signups(&app).await, ["attended", "confirmed", none, none, none, "confirmed"]);
    assert_eq!(scene.counts(&app).await, (2, 0));
    app.run_jobs().await;
    // Said by mistake: the session did not take place either.
    cancel_session(&scene.organiser, scene.activity.session).await.ok(200);
    assert_eq!(values(&app, "07a,07b,21a,21b").await, [0, 0, 0, 0]);
    assert_eq!(scene.signups(&app).await[0], "confirmed");
    assert_eq!(scene.detail().await["state"], "finished");
    app.run_jobs().await;
}

async fn a_phase_goes_with_the_clock(app: TestApp) {
    let (organiser, hours) = (app.staff("organiser").await, TimeDelta::hours);
    let want = [(hours(3), hours(4))];
    let activity =
        app.activity_by(&organiser, |a| a.sessions(&want).signup(hours(1), hours(2)).draft()).await;
    let path = format!("{}/{}", super::MANAGED, activity.id);
    let mut organiser = organiser;
    assert_eq!(organiser.get(&path).await.ok(200)["phase"], "draft");
    act(&organiser, activity.id, "publications", json!({})).await.ok(200);
    for phase in ["published", "open", "closed", "running", "running"] {
        organiser.log_in().await;
        assert_eq!(organiser.get(&path).await.ok(200)["phase"], phase);
        let listed = app.anon().get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
        assert_eq!((&listed["phase"], &listed["state"]), (&json!(phase), &json!("published")));
        app.advance(hours(1));
    }
    let mut gate = app.staff("gate").await;
    gate.log_in().await;
    gate.finalise(activity.session).await.ok(200);
    organiser.log_in().await;
    assert_eq!(organiser.get(&path).await.ok(200)["phase"], "finished");
}
