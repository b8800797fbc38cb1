//! What a crowd counts for, beside those who were checked in. After every test the harness verifies the ledger.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::attendance::counting::{Counting, Voided};
use unionhall::attendance::headcounts::recounting;
use unionhall::attendance::model::Voiding;
use unionhall::attendance::store;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{AttendanceId, PersonId};
use unionhall::ledger::model::{Cause, Grade, SourceKind};
use unionhall::offering;
use unionhall::plan::counting::PlanCounting;
use unionhall::plan::verify::verify;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{attendances, headcounts, ledger_lines, sessions};

use super::{approve, attend, count, counted, id, on_the_square, seen, text, values};
use crate::harness::factory::Made;
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_crowd_counts_once_another_officer_agrees,
    whoever_was_checked_in_is_counted_once,
    whoever_comes_later_is_subtracted_and_added_back,
    a_session_is_held_by_its_crowd,
    a_crowd_that_is_agreed_to_late_makes_its_session_held,
    what_is_called_off_counts_no_crowd,
    a_session_with_a_crowd_gets_no_other_time,
    a_crowd_counts_for_what_its_rules_say,
    check_ins_and_an_approval_at_once_count_everybody_once,
    verification_finds_what_was_changed_by_hand,
];

async fn a_crowd_counts_once_another_officer_agrees(app: TestApp) {
    let (gate, reviewer) = (app.staff("gate").await, app.staff("reviewer-pinghu").await);
    let activity = app.activity(on_the_square).await;
    let made = count(&gate, activity.session, 1200).await.ok(201);
    assert_eq!((&made["state"], &made["counts"]), (&json!("proposed"), &json!(0)));
    assert_eq!(values(&app, "17a,17b").await, [0, 0], "nothing counts before");
    approve(&reviewer, &made).await.ok(200);
    let now = seen(&app, &made).await;
    assert_eq!((&now["state"], &now["counts"]), (&json!("approved"), &json!(1200)));
    assert_eq!(values(&app, "17a,17b").await, [0, 1200]);
    let source = id(&made).0.as_bytes().to_vec();
    let lines: Vec<(SourceKind, Vec<u8>, Grade, i64, String)> = app
        .read(|conn| {
            let columns = (
                ledger_lines::source_kind,
                ledger_lines::source_id,
                ledger_lines::grade,
                ledger_lines::quantity,
                ledger_lines::dedup_key,
            );
            Ok(ledger_lines::table.select(columns).load(conn)?)
        })
        .await;
    let key = format!("headcount/{}", text(&made, "id"));
    assert_eq!(lines, [(SourceKind::Headcount, source, Grade::D, 1200, key)]);
    let path = "/api/v1/plans/2025/progress?targets=17b";
    let progress = app.staff("planner").await.get(path).await.ok(200);
    let street = &progress["targets"][0]["by_organisation"][0];
    assert_eq!((&street["name"], &street["value"]), (&json!("平湖街道"), &json!(1200)));
    app.run_jobs().await;
}

async fn whoever_was_checked_in_is_counted_once(app: TestApp) {
    let activity = app.activity(on_the_square).await;
    for name in ["zhang", "li"] {
        attend(&app, name, &activity).await;
    }
    let made = counted(&app, activity.session, 100).await;
    assert_eq!(seen(&app, &made).await["counts"], 98);
    assert_eq!(values(&app, "17b").await, [100], "two who were checked in, and the others");
    let crowded = app.activity(on_the_square).await;
    for name in ["wang", "zhao"] {
        attend(&app, name, &crowded).await;
    }
    let made = counted(&app, crowded.session, 1).await;
    assert_eq!(seen(&app, &made).await["counts"], 0);
    assert_eq!(
        values(&app, "17b").await,
        [102],
        "a crowd smaller than those who were checked in adds nobody"
    );
    app.run_jobs().await;
}

/// Staff take back that somebody was there.
async fn undo(app: &TestApp, activity: &Made, person: PersonId) {
    let (id, session, now) = (activity.id, activity.session, app.now());
    let counting = PlanCounting::new(app.app().platform().clock.clone(), app.ids().clone(), Duration::ZERO);
    app.write(move |conn| {
        let row: AttendanceId = attendances::table
            .filter(attendances::session_id.eq(session))
            .filter(attendances::person_id.eq(person))
            .select(attendances::id)
            .first(conn)?;
        offering::store::sessions_lock_in_tx(conn, &[session])?;
        assert!(store::void_in_tx(conn, row, Voiding::Undone, now)?);
        offering::store::present_add_in_tx(conn, session, -1)?;
        let voided = Voided {
            activity: id,
            sessions: Vec::new(),
            attendances: vec![(row, person)],
            cause: Cause::Undone,
            reason: "误扫".into(),
        };
        counting.voided_in_tx(conn, &voided)?;
        recounting::recount_in_tx(conn, &counting, &BTreeSet::from([session]))
    })
    .await;
}

async fn whoever_comes_later_is_subtracted_and_added_back(app: TestApp) {
    let activity = app.activity(on_the_square).await;
    let made = counted(&app, activity.session, 100).await;
    assert_eq!(values(&app, "17b").await, [100]);
    attend(&app, "zhang", &activity).await;
    attend(&app, "li", &activity).await;
    assert_eq!(values(&app, "17b").await, [100], "whoever is checked in later was in the crowd");
    assert_eq!(seen(&app, &made).await["counts"], 98);
    // Scanned twice, somebody is still one.
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    assert_eq!(seen(&app, &made).await["counts"], 98);
    undo(&app, &activity, zhang.person()).await;
    assert_eq!(seen(&app, &made).await["counts"], 99);
    assert_eq!(values(&app, "17b").await, [100]);
    // Nothing is deleted: every figure that ever stood can be read.
    let key = format!("headcount/{}", text(&made, "id"));
    let lines: Vec<(i64, bool, i64)> = app
        .read(move |conn| {
            let columns = (ledger_lines::generation, ledger_lines::is_reversal, ledger_lines::quantity);
            let of = ledger_lines::table.filter(ledger_lines::dedup_key.eq(key));
            Ok(of.order((ledger_lines::generation, ledger_lines::is_reversal)).select(columns).load(conn)?)
        })
        .await;
    let quantities: Vec<i64> = lines.iter().map(|(_, _, quantity)| *quantity).collect();
    assert_eq!(quantities, [100, -100, 99, -99, 98, -98, 99]);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    assert_eq!(values(&app, "17b").await, [100], "whoever comes again is one again");
    app.run_jobs().await;
}

async fn a_session_is_held_by_its_crowd(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(on_the_square).await;
    counted(&app, activity.session, 800).await;
    let done = gate.finalise(activity.session).await.ok(200);
    assert_eq!((&done["held"], &done["present"]), (&json!(true), &json!(0)));
    assert_eq!(values(&app, "17a,17b").await, [1, 800]);
    app.run_jobs().await;
}

async fn a_crowd_that_is_agreed_to_late_makes_its_session_held(app: TestApp) {
    let (gate, reviewer) = (app.staff("gate").await, app.staff("reviewer-pinghu").await);
    let activity = app.activity(on_the_square).await;
    let made = count(&gate, activity.session, 800).await.ok(201);
    let done = gate.finalise(activity.session).await.ok(200);
    assert_eq!(done["held"], false, "nobody agreed to it yet");
    assert_eq!(values(&app, "17a,17b").await, [0, 0]);
    approve(&reviewer, &made).await.ok(200);
    assert_eq!(values(&app, "17a,17b").await, [1, 800]);
    let held: Option<bool> = app
        .read(move |conn| Ok(sessions::table.find(activity.session).select(sessions::held).first(conn)?))
        .await;
    assert_eq!(held, Some(true));
    app.run_jobs().await;
}

async fn what_is_called_off_counts_no_crowd(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let reviewer = app.staff("reviewer-pinghu").await;
    let days = TimeDelta::days;
    let sessions = [(days(0), TimeDelta::hours(1)), (days(1), days(1) + TimeDelta::hours(1))];
    let cancel = |session| {
        let organiser = organiser.clone();
        let path = format!("/api/v1/sessions/{session}/cancellations");
        async move { organiser.post(&path, json!({ "reason": "台风" })).await.ok(200) }
    };
    let agreed = app.activity(|a| on_the_square(a).sessions(&sessions)).await;
    let made = counted(&app, agreed.session, 500).await;
    gate.finalise(agreed.session).await.ok(200);
    assert_eq!(values(&app, "17a,17b").await, [1, 500]);
    cancel(agreed.session).await;
    assert_eq!(seen(&app, &made).await["state"], "voided");
    assert_eq!(values(&app, "17a,17b").await, [0, 0]);
    // One that is being decided goes with its request.
    let open = app.activity(|a| on_the_square(a).sessions(&sessions)).await;
    let made = count(&gate, open.session, 500).await.ok(201);
    cancel(open.session).await;
    assert_eq!(seen(&app, &made).await["state"], "voided");
    approve(&reviewer, &made).await.problem(409, "state_forbids");
    count(&gate, open.session, 500).await.problem(409, "checkin_called_off");
    // One that was rejected is not brought back by an appeal.
    let gone = app.activity(|a| on_the_square(a).sessions(&sessions)).await;
    let made = count(&gate, gone.session, 500).await.ok(201);
    super::reject(&reviewer, &made).await.ok(200);
    cancel(gone.session).await;
    let path = format!("/api/v1/me/reviews/{}/appeals", text(&made, "review_id"));
    let appeal = gate.post(&path, json!({ "text": "有签领单" })).await.ok(201);
    let above = app.staff("reviewer").await;
    super::decide(&above, &text(&appeal, "id"), json!({ "decision": "approve" }))
        .await
        .problem(409, "state_forbids");
    assert_eq!(values(&app, "17a,17b").await, [0, 0]);
    // Not begun, and not published.
    let later = app.activity(|a| on_the_square(a).sessions(&[(days(1), days(2))])).await;
    count(&gate, later.session, 5).await.problem(409, "session_not_begun");
    let draft = app.activity(|a| on_the_square(a).draft()).await;
    count(&gate, draft.session, 5).await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn a_session_with_a_crowd_gets_no_other_time(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let activity = app.activity(on_the_square).await;
    let made = count(&gate, activity.session, 500).await.ok(201);
    let path = format!("/api/v1/managed-activities/{}/postponements", activity.id);
    let because = json!({ "reason": "台风" });
    organiser.post(&path, because.clone()).await.problem(409, "state_forbids");
    approve(&app.staff("reviewer-pinghu").await, &made).await.ok(200);
    organiser.post(&path, because.clone()).await.problem(409, "state_forbids");
    assert_eq!(values(&app, "17b").await, [500]);
    // Without a crowd it may be put off.
    let other = app.activity(on_the_square).await;
    let path = format!("/api/v1/managed-activities/{}/postponements", other.id);
    organiser.post(&path, because).await.ok(200);
    app.run_jobs().await;
}

async fn a_crowd_counts_for_what_its_rules_say(app: TestApp) {
    // 03b counts how often people came, where the venue is; 09e different people, which a crowd does not tell.
    let lecture =
        app.activity(|a| a.programme("demo-model-worker-lecture").capacity(3000).street("street-buji")).await;
    counted(&app, lecture.session, 300).await;
    assert_eq!(values(&app, "03b,17b").await, [300, 0]);
    let path = "/api/v1/plans/2025/progress?targets=03b";
    let progress = app.staff("planner").await.get(path).await.ok(200);
    let street = &progress["targets"][0]["by_organisation"][0];
    assert_eq!((&street["name"], &street["value"]), (&json!("布吉街道"), &json!(300)));
    let people = app.activity(|a| a.programme("demo-craftsman-support").capacity(3000)).await;
    counted(&app, people.session, 300).await;
    let lines: i64 = app.read(|conn| Ok(ledger_lines::table.count().get_result(conn)?)).await;
    assert_eq!(lines, 1);
    app.run_jobs().await;
}

async fn check_ins_and_an_approval_at_once_count_everybody_once(app: TestApp) {
    let (gate, reviewer) = (app.staff("gate").await, app.staff("reviewer-pinghu").await);
    let other = app.second_instance().await;
    let activity = app.activity(on_the_square).await;
    let made = count(&gate, activity.session, 50).await.ok(201);
    let people = crate::signup::crowd(&app, 8).await;
    let mut passes = Vec::new();
    for person in &people {
        person.sign_up(&activity).await.ok(201);
        passes.push(person.pass().await);
    }
    let scans = passes.iter().enumerate().map(|(n, pass)| {
        let door = if n % 2 == 0 { gate.clone() } else { gate.at(&other) };
        async move { door.scan(activity.session, pass).await.ok(200) }
    });
    let (_, agreed) = tokio::join!(join_all(scans), approve(&reviewer, &made));
    agreed.ok(200);
    assert_eq!(seen(&app, &made).await["counts"], 42);
    assert_eq!(values(&app, "17b").await, [50], "whichever was first");
    app.run_jobs().await;
}

async fn verification_finds_what_was_changed_by_hand(app: TestApp) {
    let activity = app.activity(on_the_square).await;
    let made = counted(&app, activity.session, 500).await;
    app.run_jobs().await;
    let id = id(&made);
    type Fault = Box<dyn FnOnce(&mut Conn) -> Result<()> + Send>;
    let found = |fault: Fault| {
        let app = app.clone();
        async move {
            let kept: Arc<Mutex<Vec<String>>> = Arc::default();
            let out = Arc::clone(&kept);
            let rolled_back = app.db().write(move |conn| {
                fault(conn)?;
                let report = verify(conn, |_| ())?;
                *out.lock().unwrap() = report.differences.iter().map(|one| one.code.to_owned()).collect();
                Err::<(), Error>(Error::new(Code::Conflict))
            });
            assert_eq!(rolled_back.await.unwrap_err().code(), Code::Conflict);
            std::mem::take(&mut *kept.lock().unwrap())
        }
    };
    let row = headcounts::table.find(id);
    let less = move |conn: &mut Conn| {
        diesel::update(row).set(headcounts::standing.eq(499)).execute(conn)?;
        Ok(())
    };
    assert_eq!(found(Box::new(less)).await, ["line_quantity"], "another number than was counted");
    let gone = move |conn: &mut Conn| {
        diesel::update(row).set(headcounts::state.eq("rejected")).execute(conn)?;
        Ok(())
    };
    assert_eq!(found(Box::new(gone)).await, ["source_missing"], "a headcount that does not count");
    let more = move |conn: &mut Conn| {
        let sessions = sessions::table.find(activity.session);
        diesel::update(sessions).set(sessions::present.eq(7)).execute(conn)?;
        Ok(())
    };
    assert_eq!(found(Box::new(more)).await, ["line_quantity"], "others were checked in");
    let slipped = move |conn: &mut Conn| {
        let sessions = sessions::table.find(activity.session);
        diesel::update(sessions).set(sessions::present.eq(500)).execute(conn)?;
        Ok(())
    };
    assert_eq!(found(Box::new(slipped)).await, ["source_missing"], "nobody is left to count");
    let body: Value = seen(&app, &made).await;
    assert_eq!(body["counts"], 500, "what was planted is gone");
}
