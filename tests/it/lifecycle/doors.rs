//! The door of what is called off, for those without a place, and of a room that is full.

use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::json;
use unionhall::ids::ActivityId;
use unionhall::offering::model::AttendanceRole;
use unionhall::platform::db::schema::{activities, scans, signups};
use unionhall::signup::model::SignupState;

use super::{act, because, cancel_session, sign_up_as, two_sessions, values};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    what_is_called_off_has_no_door,
    who_has_no_place_is_told_so,
    a_room_holds_its_capacity_and_no_more,
    many_doors_fill_a_room_once,
    nobody_slips_in_while_an_activity_is_cancelled,
    of_a_scan_and_a_postponement_one_comes_first,
    two_who_cancel_at_once_cancel_once,
];

/// What became of every scan, sorted.
async fn outcomes(app: &TestApp) -> Vec<String> {
    let query = scans::table.order(scans::outcome).select(scans::outcome);
    app.read(move |conn| Ok(query.load(conn)?)).await
}

/// The room holds fewer than places are given, or more than it did.
async fn set_room(app: &TestApp, activity: ActivityId, capacity: i64) {
    app.write(move |conn| {
        let row = diesel::update(activities::table.find(activity));
        row.set(activities::capacity.eq(capacity)).execute(conn)?;
        Ok(())
    })
    .await;
}

async fn what_is_called_off_has_no_door(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let zhang = app.worker("zhang").await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let activity = app.activity_by(&organiser, |a| a.sessions(&two_sessions())).await;
        zhang.sign_up(&activity).await.ok(201);
        made.push(activity);
    }
    cancel_session(&organiser, made[0].session).await.ok(200);
    act(&organiser, made[1].id, "cancellations", because("台风")).await.ok(200);
    act(&organiser, made[2].id, "postponements", because("台风")).await.ok(200);
    for (activity, text) in made.iter().zip(["该场次已取消", "活动已取消", "活动已延期，暂无时间"])
    {
        let refused = gate.scan(activity.session, &zhang.pass().await).await;
        assert_eq!(refused.problem(409, "checkin_called_off")["detail"], text);
    }
    assert_eq!(outcomes(&app).await, ["activity_cancelled", "activity_postponed", "session_cancelled"]);
    app.run_jobs().await;
}

async fn who_has_no_place_is_told_so(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a).await;
    let participant = AttendanceRole::Participant;
    for (state, text) in [
        (SignupState::Applied, Some("该职工的申请仍在审核，尚无名额")),
        (SignupState::Entered, Some("该职工在等待摇号，尚无名额")),
        (SignupState::Waiting, Some("该职工在候补名单中，尚无名额")),
        (SignupState::Offered, Some("该职工尚未确认为其保留的名额，请先在手机上确认")),
        (SignupState::Cancelled, None),
    ] {
        let person = app.worker(state.as_str()).await;
        sign_up_as(&app, activity.id, person.person(), state, participant, None).await;
        let refused = gate.scan(activity.session, &person.pass().await).await;
        let refused = refused.problem(409, "checkin_not_signed_up");
        assert_eq!(refused.get("detail").and_then(|text| text.as_str()), text, "{state}");
    }
    assert_eq!(outcomes(&app).await, ["not_signed_up"; 5]);
    let present = gate.get(&format!("/api/v1/sessions/{}/checkins", activity.session)).await.ok(200);
    assert_eq!(present["items"], json!([]));
}

async fn a_room_holds_its_capacity_and_no_more(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.capacity(4)).await;
    set_room(&app, activity.id, 2).await;
    let mut people = Vec::new();
    for number in 0..4 {
        let person = app.worker(&format!("guest-{number}")).await;
        let (role, state) = (AttendanceRole::Participant, SignupState::Confirmed);
        sign_up_as(&app, activity.id, person.person(), state, role, None).await;
        people.push(person);
    }
    let trainer = app.worker("trainer").await;
    let role = AttendanceRole::Trainer;
    sign_up_as(&app, activity.id, trainer.person(), SignupState::Confirmed, role, None).await;
    gate.scan(activity.session, &people[0].pass().await).await.ok(200);
    gate.scan(activity.session, &trainer.pass().await).await.ok(200);
    gate.scan(activity.session, &people[1].pass().await).await.ok(200);
    let full = gate.scan(activity.session, &people[2].pass().await).await;
    full.problem(409, "checkin_full");
    // Who is inside is inside, and who needs no place needs no room.
    let again = gate.scan(activity.session, &people[1].pass().await).await.ok(200);
    assert_eq!(again["already_present"], true);
    let volunteer = app.worker("volunteer").await;
    let role = AttendanceRole::Volunteer;
    sign_up_as(&app, activity.id, volunteer.person(), SignupState::Confirmed, role, None).await;
    gate.scan(activity.session, &volunteer.pass().await).await.ok(200);
    assert_eq!(outcomes(&app).await, ["accepted", "accepted", "accepted", "accepted", "duplicate", "full"]);
    // A larger room lets them in.
    set_room(&app, activity.id, 3).await;
    gate.scan(activity.session, &people[2].pass().await).await.ok(200);
    gate.scan(activity.session, &people[3].pass().await).await.problem(409, "checkin_full");
    app.run_jobs().await;
}

async fn many_doors_fill_a_room_once(app: TestApp) {
    let (gate, other) = (app.staff("gate").await, app.second_instance().await);
    let activity = app.activity(|a| a.capacity(30)).await;
    let people = super::super::signup::crowd(&app, 30).await;
    for person in &people {
        person.sign_up(&activity).await.ok(201);
    }
    set_room(&app, activity.id, 7).await;
    app.run_jobs().await;
    let scans = people.iter().enumerate().map(|(number, person)| {
        let (door, activity) = (if number % 2 == 0 { gate.clone() } else { gate.at(&other) }, &activity);
        async move {
            let pass = person.pass().await;
            door.scan(activity.session, &pass).await.status
        }
    });
    let inside = join_all(scans).await.into_iter().filter(|status| *status == 200).count();
    assert_eq!(inside, 7);
    let detail = gate.get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
    assert_eq!(detail["sessions"][0]["present"], 7);
}

async fn nobody_slips_in_while_an_activity_is_cancelled(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let other = app.second_instance().await;
    let people = super::super::signup::crowd(&app, 30).await;
    for round in 0..4 {
        let programme = "demo-skills-rider";
        let wanted =
            app.activity_by(&organiser, |a| a.programme(programme).capacity(60).sessions(&two_sessions()));
        let activity = &wanted.await;
        for person in &people[..15] {
            person.sign_up(activity).await.ok(201);
        }
        let scans = people[..15].iter().map(|person| {
            let door = gate.at(&other);
            async move {
                let pass = person.pass().await;
                door.scan(activity.session, &pass).await.status
            }
        });
        let signups = people[15..].iter().map(|person| {
            let person = person.at(&other);
            async move { person.sign_up(activity).await.status }
        });
        let cancelled = act(&organiser, activity.id, "cancellations", because("台风"));
        let (cancelled, scans, signups) = tokio::join!(cancelled, join_all(scans), join_all(signups));
        cancelled.ok(200);
        assert!(scans.iter().all(|status| [200, 409].contains(status)), "{scans:?}");
        assert!(signups.iter().all(|status| [201, 409].contains(status)), "{signups:?}");
        let id = activity.id;
        let left: (i64, i64) = app
            .read(move |conn| {
                let live = signups::table.filter(signups::activity_id.eq(id));
                let live = live.filter(signups::state.ne("cancelled")).count().get_result(conn)?;
                Ok((live, activities::table.find(id).select(activities::taken).first(conn)?))
            })
            .await;
        assert_eq!(left, (0, 0), "round {round}");
        assert_eq!(values(&app, "07b,21b").await, [0, 0], "round {round}");
    }
    app.run_jobs().await;
}

async fn of_a_scan_and_a_postponement_one_comes_first(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let other = app.second_instance().await;
    let zhang = app.worker("zhang").await;
    for round in 0..12 {
        let activity = app.activity_by(&organiser, |a| a.sessions(&two_sessions())).await;
        zhang.sign_up(&activity).await.ok(201);
        let (pass, door) = (zhang.pass().await, gate.at(&other));
        let (postponed, scanned) = tokio::join!(
            act(&organiser, activity.id, "postponements", because("台风")),
            door.scan(activity.session, &pass)
        );
        let both = (postponed.status, scanned.status);
        assert!([(200, 409), (409, 200)].contains(&both), "round {round}: {both:?} {}", postponed.text);
    }
    app.run_jobs().await;
}

async fn two_who_cancel_at_once_cancel_once(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let elsewhere = organiser.at(&app.second_instance().await);
    for _ in 0..6 {
        let activity = app.activity_by(&organiser, |a| a.sessions(&two_sessions())).await;
        let (one, two) = tokio::join!(
            act(&organiser, activity.id, "cancellations", because("台风")),
            act(&elsewhere, activity.id, "cancellations", because("台风"))
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", one.text, two.text);
    }
}
