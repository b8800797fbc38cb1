//! What is refused, to whom, and that a failure changes nothing.

use std::sync::Arc;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::ManualClock;
use unionhall::content::checking::Checks;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::ActivityId;
use unionhall::offering::changing::Acting;
use unionhall::offering::following::{Change, Follower, Followers, Rescheduling};
use unionhall::offering::model::Session;
use unionhall::offering::rules::{NewTimes, SessionTimes};
use unionhall::platform::access::Scope;
use unionhall::platform::audit::Entry;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::activities;
use unionhall::review::deciding::Desk;
use unionhall::review::subject::Subjects;
use unionhall::signup::following::SignupFollower;

use super::{MANAGED, Scene, act, because, cancel_session, everything, two_sessions};
use crate::harness::{Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    every_wrong_new_time_is_named,
    a_reason_must_be_given,
    what_the_state_forbids_changes_nothing,
    outside_the_subtree_nothing_exists,
    a_consequence_that_fails_undoes_everything,
    counts_that_do_not_agree_undo_everything,
];

async fn every_wrong_new_time_is_named(app: TestApp) {
    let scene = Scene::set(&app, false).await;
    let (organiser, id) = (&scene.organiser, scene.activity.id);
    let at = |hours: i64| app.now() + TimeDelta::hours(hours);
    let one = |session: Value, starts: i64, ends: i64| json!({ "id": session, "starts_at": at(starts), "ends_at": at(ends) });
    let (visited, later) = (json!(scene.activity.sessions[0]), json!(scene.activity.sessions[1]));
    let other = app.activity(|a| a).await;
    let before = everything(&app).await;
    let sessions = [
        one(visited, 30, 32),
        one(json!(other.session), 30, 32),
        one(later.clone(), -1, 30),
        one(later.clone(), 40, 39),
    ];
    let mut body = json!({ "reason": "改期", "sessions": sessions, "signups": "keep" });
    let refused = act(organiser, id, "reschedulings", body.clone()).await.problem(422, "validation_failed");
    assert_eq!(
        faults(&refused),
        pairs(&[
            ("/sessions/0/id", "state"),
            ("/sessions/1/id", "unknown"),
            ("/sessions/2/ends_at", "too_long"),
            ("/sessions/2/starts_at", "order"),
            ("/sessions/3/ends_at", "order"),
            ("/sessions/3/id", "duplicate"),
        ])
    );
    // A window that ends before it begins, and one that ends after everything.
    body["sessions"] = json!([one(later.clone(), 30, 32)]);
    for (opens, closes) in [(5, 4), (5, 33)] {
        body["signup_opens_at"] = json!(at(opens));
        body["signup_closes_at"] = json!(at(closes));
        let refused =
            act(organiser, id, "reschedulings", body.clone()).await.problem(422, "validation_failed");
        assert_eq!(faults(&refused), pairs(&[("/signup_closes_at", "order")]));
    }
    assert_eq!(everything(&app).await, before);
    cancel_session(organiser, scene.activity.sessions[1]).await.ok(200);
    let body = json!({ "reason": "改期", "sessions": [one(later, 30, 32)], "signups": "keep" });
    let refused = act(organiser, id, "reschedulings", body).await.problem(422, "validation_failed");
    assert_eq!(faults(&refused), pairs(&[("/sessions/0/id", "state")]));
    app.run_jobs().await;
}

async fn a_reason_must_be_given(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let activity = app.activity_by(&organiser, |a| a.sessions(&two_sessions())).await;
    let long = "长".repeat(201);
    for (body, code) in [
        (json!({}), "required"),
        (because(""), "min_length"),
        (because(" \n"), "pattern"),
        (because(&long), "max_length"),
    ] {
        for what in ["cancellations", "postponements"] {
            let refused = act(&organiser, activity.id, what, body.clone()).await;
            let refused = refused.problem(422, "validation_failed");
            assert_eq!(refused["errors"][0]["code"], code, "{what} {body}");
        }
        let path = format!("/api/v1/sessions/{}/cancellations", activity.session);
        organiser.post(&path, body).await.problem(422, "validation_failed");
    }
    let detail = organiser.get(&format!("{MANAGED}/{}", activity.id)).await.ok(200);
    assert_eq!(detail["state"], "published");
}

async fn what_the_state_forbids_changes_nothing(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let draft = app.activity_by(&organiser, |a| a.sessions(&two_sessions()).draft()).await;
    let open = app.activity_by(&organiser, |a| a.sessions(&two_sessions())).await;
    let finished = app.activity_by(&organiser, |a| a).await;
    gate.finalise(finished.session).await.ok(200);
    let cancelled = app.activity_by(&organiser, |a| a.sessions(&two_sessions())).await;
    act(&organiser, cancelled.id, "cancellations", because("台风")).await.ok(200);
    let before = everything(&app).await;
    let hours = TimeDelta::hours;
    for (activity, phase, refused) in [
        (&draft, "draft", &["cancellations", "postponements", "reschedulings", "allocations"][..]),
        (&open, "running", &["publications", "allocations"]),
        (
            &finished,
            "finished",
            &["publications", "cancellations", "postponements", "reschedulings", "allocations"],
        ),
        (
            &cancelled,
            "cancelled",
            &["publications", "cancellations", "postponements", "reschedulings", "allocations"],
        ),
    ] {
        for what in refused {
            let body = match *what {
                "publications" | "allocations" => json!({}),
                "reschedulings" => {
                    let (starts, ends) = (app.now() + hours(1), app.now() + hours(2));
                    let one = json!({ "id": activity.session, "starts_at": starts, "ends_at": ends });
                    json!({ "reason": "改期", "sessions": [one], "signups": "keep" })
                }
                _ => because("台风"),
            };
            let english = organiser
                .request(reqwest::Method::POST, &format!("{MANAGED}/{}/{what}", activity.id))
                .header("idempotency-key", organiser.fresh_key())
                .header("accept-language", "en")
                .json(&body);
            let problem = organiser.send(english).await.problem(409, "state_forbids");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("phase {phase}")), "{what}: {detail}");
        }
    }
    cancel_session(&organiser, draft.session).await.problem(409, "state_forbids");
    cancel_session(&organiser, cancelled.session).await.problem(409, "state_forbids");
    gate.finalise(cancelled.session).await.problem(409, "state_forbids");
    assert_eq!(everything(&app).await, before);
    // What is cancelled is not edited either.
    let path = format!("{MANAGED}/{}", cancelled.id);
    let etag = organiser.get(&path).await.etag();
    let body = json!({
        "title": "改名", "summary": "", "venue": "示例", "address": "", "capacity": 20,
        "signup_opens_at": app.now() - hours(2), "signup_closes_at": app.now() + hours(1),
    });
    organiser.put(&path, &etag, body).await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn outside_the_subtree_nothing_exists(app: TestApp) {
    let there = app.activity(|a| a.organisation("street-pingdi").sessions(&two_sessions())).await;
    let organiser = app.staff("organiser-pinghu").await;
    let before = everything(&app).await;
    let (starts, ends) = (app.now() + TimeDelta::hours(1), app.now() + TimeDelta::hours(2));
    let one = json!({ "id": there.session, "starts_at": starts, "ends_at": ends });
    for (what, body) in [
        ("publications", json!({})),
        ("allocations", json!({})),
        ("cancellations", because("台风")),
        ("postponements", because("台风")),
        ("reschedulings", json!({ "reason": "改期", "sessions": [one], "signups": "keep" })),
    ] {
        act(&organiser, there.id, what, body.clone()).await.problem(404, "not_found");
        let nowhere: ActivityId = app.ids().id();
        act(&organiser, nowhere, what, body).await.problem(404, "not_found");
    }
    cancel_session(&organiser, there.session).await.problem(404, "not_found");
    cancel_session(&organiser, app.ids().id()).await.problem(404, "not_found");
    assert_eq!(everything(&app).await, before);
}

/// Fails after everybody else did their work.
struct Fails;

fn failed() -> Result<Vec<Entry>> {
    Err(Error::new(Code::Conflict))
}

impl Follower for Fails {
    fn activity_cancelled_in_tx(&self, _: &mut Conn, _: &Change) -> Result<Vec<Entry>> {
        failed()
    }
    fn activity_postponed_in_tx(&self, _: &mut Conn, _: &Change) -> Result<Vec<Entry>> {
        failed()
    }
    fn activity_rescheduled_in_tx(&self, _: &mut Conn, _: &Change, _: &Rescheduling) -> Result<Vec<Entry>> {
        failed()
    }
    fn activity_allocated_in_tx(&self, _: &mut Conn, _: &Change) -> Result<Vec<Entry>> {
        failed()
    }
    fn session_cancelled_in_tx(&self, _: &mut Conn, _: &Change, _: &Session) -> Result<Vec<Entry>> {
        failed()
    }
}

type Act = Box<dyn FnOnce(&Acting, &mut Conn) -> Result<()> + Send>;

async fn a_consequence_that_fails_undoes_everything(app: TestApp) {
    let scene = Scene::set(&app, true).await;
    let closed = app
        .activity(|a| a.sessions(&two_sessions()[1..]).signup(TimeDelta::hours(-2), TimeDelta::hours(-1)))
        .await;
    let desk = Desk {
        clock: Arc::new(ManualClock::at(app.now())),
        ids: app.ids().clone(),
        vault: app.app().platform().vault.clone(),
        subjects: Subjects::default(),
        checks: Checks::off(app.ids().clone()),
    };
    let first = Arc::new(SignupFollower { ids: app.ids().clone(), vault: desk.vault.clone(), desk });
    let acting = Acting {
        followers: Followers(vec![first, Arc::new(Fails)]),
        scope: Scope::of(vec!["/".into()]),
        actor: scene.organiser.person(),
        now: app.now(),
    };
    let before = everything(&app).await;
    let (id, sessions) = (scene.activity.id, scene.activity.sessions.clone());
    let times = NewTimes {
        signup_opens_at: None,
        signup_closes_at: None,
        sessions: vec![(
            sessions[0],
            SessionTimes {
                starts_at: app.now() + TimeDelta::hours(5),
                ends_at: app.now() + TimeDelta::hours(6),
            },
        )],
        release: true,
    };
    let fails = async |act: Act| {
        let acting = acting.clone();
        let error = app.db().write(move |conn| act(&acting, conn)).await.unwrap_err();
        assert_eq!(error.code(), Code::Conflict, "{error}");
    };
    fails(Box::new(move |a, c| a.cancel_in_tx(c, id, "台风"))).await;
    fails(Box::new(move |a, c| a.postpone_in_tx(c, id, "台风"))).await;
    fails(Box::new(move |a, c| a.reschedule_in_tx(c, id, "台风", &times))).await;
    fails(Box::new(move |a, c| a.session_cancel_in_tx(c, sessions[0], "台风"))).await;
    fails(Box::new(move |a, c| a.allocate_in_tx(c, closed.id))).await;
    assert_eq!(everything(&app).await, before);
}

async fn counts_that_do_not_agree_undo_everything(app: TestApp) {
    let scene = Scene::set(&app, false).await;
    let id = scene.activity.id;
    let spoil = |taken: i64| {
        app.write(move |conn| {
            diesel::update(activities::table.find(id)).set(activities::taken.eq(taken)).execute(conn)?;
            Ok(())
        })
    };
    spoil(1).await;
    let before = everything(&app).await;
    app.expect_5xx();
    act(&scene.organiser, id, "cancellations", because("台风")).await.problem(500, "internal");
    assert_eq!(everything(&app).await, before);
    spoil(2).await;
    act(&scene.organiser, id, "cancellations", because("台风")).await.ok(200);
    assert_eq!(scene.counts(&app).await, (0, 0));
    app.run_jobs().await;
}
