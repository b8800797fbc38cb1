//! What a cancelled session takes out of the plan, and what must still count. After every test the harness verifies
//! the ledger.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::Value;
use unionhall::offering::model::AttendanceRole;
use unionhall::platform::db::schema::{attendances, ledger_lines};
use unionhall::signup::model::SignupState;

use super::{act, because, cancel_session, sign_up_as, two_sessions, values};
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    sessions_and_attendances_of_a_voided_session_count_no_more,
    a_person_who_was_elsewhere_too_stays_counted_once,
    a_person_counts_where_they_worked_on_the_day,
    an_activity_counts_as_long_as_a_session_was_held,
    a_person_who_comes_again_counts_again,
    a_person_is_checked_in_elsewhere_while_their_session_is_voided,
    a_role_that_does_not_count_makes_no_lines,
];

const DISTINCT: &str = "demo-craftsman-support";

async fn attend(gate: &Actor, worker: &Actor, activity: &Made) {
    worker.sign_up(activity).await.ok(201);
    gate.scan(activity.session, &worker.pass().await).await.ok(200);
}

/// `name` and value by organisation of a target.
async fn streets(app: &TestApp, code: &str) -> Vec<(String, i64)> {
    let path = format!("/api/v1/plans/2025/progress?targets={code}");
    let progress = app.staff("planner").await.get(&path).await.ok(200);
    let rows = progress["targets"][0]["by_organisation"].as_array().unwrap().clone();
    let row = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["value"].as_i64().unwrap());
    rows.iter().map(row).filter(|(_, value)| *value != 0).collect()
}

fn rows(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

async fn sessions_and_attendances_of_a_voided_session_count_no_more(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let minutes = TimeDelta::minutes;
    let sessions = [(minutes(-60), minutes(60)), (minutes(-30), minutes(90))];
    let activity = app.activity(|a| a.programme("demo-skills-rider").sessions(&sessions)).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    for person in [&zhang, &li] {
        person.sign_up(&activity).await.ok(201);
        gate.scan(activity.sessions[0], &person.pass().await).await.ok(200);
    }
    gate.scan(activity.sessions[1], &zhang.pass().await).await.ok(200);
    for session in &activity.sessions {
        gate.finalise(*session).await.ok(200);
    }
    app.run_jobs().await;
    assert_eq!(values(&app, "07a,07b,21a,21b").await, [2, 3, 2, 3]);
    cancel_session(&organiser, activity.sessions[0]).await.ok(200);
    assert_eq!(values(&app, "07a,07b,21a,21b").await, [1, 1, 1, 1]);
    let mine = |person: &Actor| {
        let person = person.clone();
        async move { person.get("/api/v1/me/signups").await.ok(200)["items"][0]["state"].clone() }
    };
    assert_eq!(mine(&zhang).await, "attended", "who was at the other session was there");
    assert_eq!(mine(&li).await, "confirmed");
    cancel_session(&organiser, activity.sessions[1]).await.ok(200);
    assert_eq!(values(&app, "07a,07b,21a,21b").await, [0, 0, 0, 0]);
    assert_eq!(mine(&zhang).await, "confirmed");
    // Nothing is deleted: what was counted, and that it was taken back, can be read.
    let (lines, present): (i64, i64) = app
        .read(|conn| {
            Ok((ledger_lines::table.count().get_result(conn)?, attendances::table.count().get_result(conn)?))
        })
        .await;
    assert_eq!((lines, present), (20, 3));
    let page = app.staff("planner").await.get("/api/v1/plans/2025/targets/07b/lines").await.ok(200);
    let reasons: Vec<&Value> =
        page["items"].as_array().unwrap().iter().filter_map(|line| line.get("reason")).collect();
    assert_eq!(reasons, ["台风"; 3]);
    app.run_jobs().await;
}

async fn a_person_who_was_elsewhere_too_stays_counted_once(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let buji = app.organisation("street-buji").await;
    let course = app.activity(|a| a.programme(DISTINCT).sessions(&two_sessions())).await;
    let other = app.activity(|a| a.programme(DISTINCT)).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    for person in [&zhang, &li] {
        person.set_profile("职工", Some(buji)).await;
        attend(&gate, person, &course).await;
    }
    attend(&gate, &zhang, &other).await;
    assert_eq!((values(&app, "09e").await, streets(&app, "09e").await), (vec![2], rows(&[("布吉街道", 2)])));
    cancel_session(&organiser, course.session).await.ok(200);
    assert_eq!((values(&app, "09e").await, streets(&app, "09e").await), (vec![1], rows(&[("布吉街道", 1)])));
    // The line names the attendance that stands.
    let page = app.staff("planner").await.get("/api/v1/plans/2025/targets/09e/lines?limit=100").await.ok(200);
    let live =
        page["items"].as_array().unwrap().iter().filter(|line| line["activity_id"] == other.id.to_string());
    assert_eq!(live.count(), 2, "of the district and of the sub-district");
    act(&organiser, other.id, "cancellations", because("台风")).await.ok(200);
    assert_eq!((values(&app, "09e").await, streets(&app, "09e").await), (vec![0], rows(&[])));
    app.run_jobs().await;
}

async fn a_person_counts_where_they_worked_on_the_day(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let (buji, nanwan) = (app.organisation("street-buji").await, app.organisation("street-nanwan").await);
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(app.activity(|a| a.programme(DISTINCT).sessions(&two_sessions())).await);
    }
    // Zhang is twice in Buji and then in Nanwan; Li once in each; both work in Nanwan today.
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    for person in [&zhang, &li] {
        person.set_profile("职工", Some(buji)).await;
        attend(&gate, person, &made[0]).await;
    }
    app.advance(TimeDelta::minutes(1));
    attend(&gate, &zhang, &made[1]).await;
    for person in [&zhang, &li] {
        person.set_profile("职工", Some(nanwan)).await;
    }
    app.advance(TimeDelta::minutes(1));
    attend(&gate, &li, &made[2]).await;
    assert_eq!(values(&app, "09e").await, [2]);
    assert_eq!(streets(&app, "09e").await, rows(&[("布吉街道", 2), ("南湾街道", 1)]));
    cancel_session(&organiser, made[0].session).await.ok(200);
    assert_eq!(values(&app, "09e").await, [2], "both were there another time");
    assert_eq!(
        streets(&app, "09e").await,
        rows(&[("布吉街道", 1), ("南湾街道", 1)]),
        "Zhang worked in Buji the second time; Li was seen in Nanwan only"
    );
    app.run_jobs().await;
}

async fn an_activity_counts_as_long_as_a_session_was_held(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let days = TimeDelta::days;
    // The first in June, the second in July.
    let sessions = [(days(0), days(0) + TimeDelta::hours(1)), (days(20), days(20) + TimeDelta::hours(1))];
    let activity = app.activity(|a| a.programme("demo-festival").sessions(&sessions)).await;
    let zhang = app.worker("zhang").await;
    attend(&gate, &zhang, &activity).await;
    gate.finalise(activity.session).await.ok(200);
    app.run_jobs().await;
    app.advance(days(20));
    let (mut gate, mut zhang, mut organiser) = (gate, zhang, organiser);
    for actor in [&mut gate, &mut zhang, &mut organiser] {
        actor.log_in().await;
    }
    gate.scan(activity.sessions[1], &zhang.pass().await).await.ok(200);
    gate.finalise(activity.sessions[1]).await.ok(200);
    assert_eq!(values(&app, "05a").await, [1]);
    let months = || {
        app.read(|conn| {
            use unionhall::platform::db::schema::{ledger_rollups, targets};
            let rows = ledger_rollups::table
                .inner_join(targets::table.on(targets::id.eq(ledger_rollups::target_id)))
                .filter(targets::code.eq("05a"))
                .order(ledger_rollups::month)
                .select((ledger_rollups::month, ledger_rollups::quantity));
            let rows: Vec<(chrono::NaiveDate, i64)> = rows.load(conn)?;
            Ok(rows.into_iter().map(|(month, value)| (month.to_string(), value)).collect::<Vec<_>>())
        })
    };
    assert_eq!(months().await, [("2025-06-01".to_owned(), 1)]);
    cancel_session(&organiser, activity.session).await.ok(200);
    assert_eq!(values(&app, "05a").await, [1], "another session of it took place");
    assert_eq!(months().await, [("2025-06-01".to_owned(), 0), ("2025-07-01".to_owned(), 1)]);
    cancel_session(&organiser, activity.sessions[1]).await.ok(200);
    assert_eq!(values(&app, "05a").await, [0]);
    app.run_jobs().await;
}

async fn a_person_who_comes_again_counts_again(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let zhang = app.worker("zhang").await;
    for _ in 0..3 {
        let course = app.activity(|a| a.programme(DISTINCT).sessions(&two_sessions())).await;
        attend(&gate, &zhang, &course).await;
        assert_eq!(values(&app, "09e").await, [1]);
        cancel_session(&organiser, course.session).await.ok(200);
        assert_eq!(values(&app, "09e").await, [0]);
    }
    let generations: Vec<i64> =
        app.read(|conn| Ok(ledger_lines::table.select(ledger_lines::generation).load(conn)?)).await;
    assert_eq!(generations.iter().max(), Some(&2));
    app.run_jobs().await;
}

async fn a_person_is_checked_in_elsewhere_while_their_session_is_voided(app: TestApp) {
    let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
    let other = app.second_instance().await;
    let people = super::super::signup::crowd(&app, 6).await;
    for (round, person) in (1..).zip(&people) {
        let void = app.activity(|a| a.programme(DISTINCT).sessions(&two_sessions())).await;
        let stays = app.activity(|a| a.programme(DISTINCT)).await;
        attend(&gate, person, &void).await;
        person.sign_up(&stays).await.ok(201);
        let (pass, elsewhere) = (person.pass().await, gate.at(&other));
        let (voided, scanned) =
            tokio::join!(cancel_session(&organiser, void.session), elsewhere.scan(stays.session, &pass));
        voided.ok(200);
        scanned.ok(200);
        assert_eq!(values(&app, "09e").await, [round], "whichever was first");
    }
    app.run_jobs().await;
}

async fn a_role_that_does_not_count_makes_no_lines(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a.programme("demo-skills-rider")).await;
    let (zhang, volunteer, companion) =
        (app.worker("zhang").await, app.worker("li").await, app.worker("wang").await);
    zhang.sign_up(&activity).await.ok(201);
    for (person, role) in [(&volunteer, AttendanceRole::Volunteer), (&companion, AttendanceRole::Companion)] {
        sign_up_as(&app, activity.id, person.person(), SignupState::Confirmed, role, None).await;
    }
    for person in [&zhang, &volunteer, &companion] {
        gate.scan(activity.session, &person.pass().await).await.ok(200);
    }
    assert_eq!(values(&app, "07b,21b").await, [1, 1]);
    let lines: i64 = app.read(|conn| Ok(ledger_lines::table.count().get_result(conn)?)).await;
    assert_eq!(lines, 2);
    app.run_jobs().await;
}
