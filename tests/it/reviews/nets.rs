//! What holds when something before it does not: every write says from what it goes out, so that a row that was changed meanwhile
//! is not written over, whoever forgot a lock.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde_json::json;
use unionhall::content::checking::Checks;
use unionhall::error::{Code, Result};
use unionhall::ids::{LeaveId, SubjectId};
use unionhall::notify::beside::Beside;
use unionhall::platform::db::Conn;
use unionhall::review::chain::ReviewKind;
use unionhall::review::deciding::{Deciding, Desk, Officer, Verdict};
use unionhall::review::model::{LeaveState, Review, ReviewState, StageState};
use unionhall::review::rules::{Right, Seat};
use unionhall::review::subject::{Refused, Subject, Subjects};
use unionhall::review::{leave, stages, store};
use unionhall::signup::reviewed::SignupSubject;

use super::appeals::appealed;
use super::{Facts, Officers, asked, reject};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_request_that_changed_is_not_written_over,
    a_stage_is_decided_once,
    a_stage_that_is_over_is_not_worked_at,
    nobody_grants_their_own_leave,
    a_subject_is_not_told_of_a_refused_appeal,
    a_sign_up_that_has_its_place_is_not_given_another,
];

async fn a_request_that_changed_is_not_written_over(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let before = Facts::of(&app, &zhang.id).await.review;
    zhang.decide(&officers.unit, reject()).await.ok(200);
    let now = Facts::of(&app, &zhang.id).await.text();
    let after = Review { state: ReviewState::Approved, version: before.version + 1, ..before.clone() };
    let written = app.db().write(move |conn: &mut Conn| store::update_in_tx(conn, &before, &after)).await;
    assert_eq!(written.unwrap_err().code(), Code::PreconditionFailed);
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), now);
    app.run_jobs().await;
}

async fn a_stage_is_decided_once(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let stage = Facts::of(&app, &zhang.id).await.stages[0].clone();
    zhang.approve(&officers.unit).await.ok(200);
    let facts = Facts::of(&app, &zhang.id).await;
    let (person, at) = (officers.district.person(), app.now());
    // By somebody else, from what was read before; and a stage whose turn has not come.
    for stage in [stage, facts.stages[2].clone()] {
        let decide =
            move |conn: &mut Conn| stages::decide_in_tx(conn, &stage, StageState::Rejected, person, None, at);
        assert_eq!(app.db().write(decide).await.unwrap_err().code(), Code::Internal);
    }
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), facts.text());
    app.run_jobs().await;
}

async fn a_stage_that_is_over_is_not_worked_at(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.approve(&officers.unit).await.ok(200);
    let facts = Facts::of(&app, &zhang.id).await;
    let (stage, person, now) = (facts.stages[0].clone(), officers.unit.person(), app.now());
    let until = Some(now + chrono::TimeDelta::hours(1));
    let claimed =
        app.db().write(move |conn: &mut Conn| stages::claim_in_tx(conn, &stage, person, until, now)).await;
    assert!(!claimed.unwrap());
    assert_eq!(Facts::of(&app, &zhang.id).await.text(), facts.text());
    app.run_jobs().await;
}

async fn nobody_grants_their_own_leave(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    zhang.go_round(&officers.unit).await;
    let body = json!({ "reason": "补交的报告缺最后一页" });
    let made = officers.unit.post(&zhang.at("/leaves"), body).await.ok(201);
    let (id, now): (LeaveId, _) = (made["id"].as_str().unwrap().parse().unwrap(), app.now());
    let grant = |by: &crate::harness::Actor| {
        let (person, app) = (by.person(), &app);
        async move {
            let to = LeaveState::Granted;
            app.db().write(move |conn: &mut Conn| leave::decide_in_tx(conn, id, to, person, now)).await
        }
    };
    assert!(!grant(&officers.unit).await.unwrap(), "whoever asks");
    assert!(grant(&officers.street).await.unwrap());
    assert!(!grant(&officers.district).await.unwrap(), "it is granted already");
    app.run_jobs().await;
}

/// Writes down what it is told, and does nothing about it.
#[derive(Default)]
struct Listener(Mutex<Vec<Refused>>);

impl Subject for Listener {
    fn kind(&self) -> ReviewKind {
        ReviewKind::Signup
    }

    fn lock_in_tx(&self, _: &mut Conn, _: SubjectId) -> Result<()> {
        Ok(())
    }

    fn approved_in_tx(&self, _: &mut Conn, _: &Review, _: DateTime<Utc>, _: &mut Beside) -> Result<String> {
        Ok(String::new())
    }

    fn refused_in_tx(
        &self,
        _: &mut Conn,
        _: &Review,
        why: Refused,
        _: DateTime<Utc>,
        _: &mut Beside,
    ) -> Result<()> {
        self.0.lock().unwrap().push(why);
        Ok(())
    }
}

async fn a_subject_is_not_told_of_a_refused_appeal(app: TestApp) {
    let officers = Officers::of(&app).await;
    let (zhang, li) = (asked(&app, "zhang", json!({})).await, asked(&app, "li", json!({})).await);
    zhang.decide(&officers.unit, reject()).await.ok(200);
    let appeal = appealed(&zhang).await;
    let listener = Arc::new(Listener::default());
    let platform = app.app().platform();
    let desk = Desk {
        clock: platform.clock.clone(),
        ids: platform.ids.clone(),
        vault: platform.vault.clone(),
        subjects: Subjects(vec![Arc::clone(&listener) as Arc<dyn Subject>]),
        checks: Checks::off(platform.ids.clone()),
    };
    for (id, by, body, told) in [
        (&appeal.id, &officers.street, "street-pinghu", vec![]),
        (&li.id, &officers.unit, super::steps::STAFFED, vec![Refused::Rejected]),
    ] {
        let (organisation, person, now) = (app.organisation(body).await, by.person(), app.now());
        let path = app.read(move |conn| Ok(unionhall::org::store::get(conn, organisation)?.path)).await;
        let officer = Officer { person, rights: vec![Right { seat: Seat::Own, organisation, path }] };
        let deciding = Deciding {
            review: id.parse().unwrap(),
            version: 1,
            verdict: Verdict::Reject,
            reasons: vec!["not_eligible".into()],
            text: None,
        };
        let desk = desk.clone();
        let decide =
            move |conn: &mut Conn| desk.decide_in_tx(conn, &officer, &deciding, now, &mut Beside::default());
        assert_eq!(app.db().write(decide).await.unwrap().state, ReviewState::Rejected);
        assert_eq!(*listener.0.lock().unwrap(), told);
    }
    app.run_jobs().await;
}

async fn a_sign_up_that_has_its_place_is_not_given_another(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    for officer in [&officers.unit, &officers.street, &officers.district] {
        zhang.approve(officer).await.ok(200);
    }
    let before = zhang.worker.get(&format!("/api/v1/signups/{}", zhang.signup)).await.ok(200);
    let (review, now) = (Facts::of(&app, &zhang.id).await.review, app.now());
    let subject = SignupSubject { ids: app.ids().clone() };
    let again = move |conn: &mut Conn| subject.approved_in_tx(conn, &review, now, &mut Beside::default());
    assert_eq!(app.db().write(again).await.unwrap_err().code(), Code::StateForbids);
    assert_eq!(zhang.worker.get(&format!("/api/v1/signups/{}", zhang.signup)).await.ok(200), before);
    app.run_jobs().await;
}
