//! The waiting list moves up, one kept place at a time.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{accept_path, again, all_sign_up, cancel, next_week, now, states, workers};
use crate::harness::{Test, TestApp};
use crate::lifecycle::everything;

pub const TESTS: &[Test] = tests![
    the_next_is_asked_and_the_place_is_kept,
    an_offer_that_nobody_answers_goes_on,
    an_answer_that_comes_too_late_changes_nothing,
    a_newcomer_does_not_pass_those_who_wait,
    whoever_left_is_not_asked_again,
    a_party_is_asked_together_or_not_at_all,
    filling_the_room_looks_past_a_party,
    the_order_changes_with_a_reason_and_a_second_officer,
    whoever_waits_at_the_start_is_told_that_it_is_over,
    the_chance_is_what_the_past_says,
    overlapping_places_are_refused_where_the_organiser_says_so,
    whoever_cannot_come_on_other_dates_owes_nothing,
];

async fn the_next_is_asked_and_the_place_is_kept(app: TestApp) {
    let people = workers(&app, 4).await;
    let activity = app.activity(|a| next_week(a).capacity(2).set("waiting_list", json!("strict"))).await;
    let mut signups = all_sign_up(&people, &activity).await;
    assert_eq!(states(&signups), ["confirmed", "confirmed", "waiting", "waiting"]);
    assert_eq!((signups[2]["position"].as_i64(), signups[3]["position"].as_i64()), (Some(1), Some(2)));

    cancel(&people[0], &signups[0]).await;
    signups[2] = now(&people[2], &signups[2]).await;
    assert_eq!(signups[2]["state"], "offered");
    // A session in seven days: a quarter of that, at most two days.
    let by: DateTime<Utc> = signups[2]["answer_by"].as_str().unwrap().parse().unwrap();
    assert_eq!(by - app.now(), TimeDelta::hours(42));
    signups[3] = now(&people[3], &signups[3]).await;
    assert_eq!((signups[3]["state"].as_str(), signups[3]["position"].as_i64()), (Some("waiting"), Some(1)));
    let shown = app.anon().get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
    assert_eq!(shown["places_left"], 0, "the kept place is not free");

    // Only the one who is asked can take it.
    people[3].post(&accept_path(&signups[2]), json!({})).await.problem(404, "not_found");
    people[3].post(&accept_path(&signups[3]), json!({})).await.problem(409, "state_forbids");
    let taken = people[2].post(&accept_path(&signups[2]), json!({})).await.ok(200);
    assert_eq!(taken["state"], "confirmed");
    people[2].post(&accept_path(&signups[2]), json!({})).await.problem(409, "state_forbids");
    app.run_jobs().await;
    let inbox = people[2].get("/api/v1/me/notices").await.ok(200);
    let mut told: Vec<&str> =
        inbox["items"].as_array().unwrap().iter().map(|n| n["kind"].as_str().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, ["offer_made", "signup_confirmed", "waiting_joined"]);
}

async fn an_offer_that_nobody_answers_goes_on(app: TestApp) {
    let people = workers(&app, 3).await;
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people, &activity).await;
    cancel(&people[0], &signups[0]).await;
    app.run_jobs().await;
    app.advance(TimeDelta::hours(42));
    let people = again(&app, &people).await;
    // Too late, even before the job has run.
    people[1].post(&accept_path(&signups[1]), json!({})).await.problem(409, "offer_over");
    app.run_jobs().await;
    let over = now(&people[1], &signups[1]).await;
    assert_eq!(
        (over["state"].as_str(), over["ended_because"].as_str()),
        (Some("cancelled"), Some("offer_expired"))
    );
    let next = now(&people[2], &signups[2]).await;
    assert_eq!(next["state"], "offered");
    people[1].post(&accept_path(&signups[1]), json!({})).await.problem(409, "offer_over");
    // Refusing hands it on, too; nobody is left, so it is free for a newcomer.
    let refused = cancel(&people[2], &next).await;
    assert_eq!(refused["ended_because"], "offer_refused");
    assert_eq!(people[1].sign_up(&activity).await.ok(201)["state"], "confirmed");
    app.run_jobs().await;
}

async fn an_answer_that_comes_too_late_changes_nothing(app: TestApp) {
    let people = workers(&app, 3).await;
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people, &activity).await;
    cancel(&people[0], &signups[0]).await;
    app.run_jobs().await;
    app.advance(TimeDelta::hours(42));
    let people = again(&app, &people).await;
    let too_late = async || {
        let before = everything(&app).await;
        people[1].post(&accept_path(&signups[1]), json!({})).await.problem(409, "offer_over");
        assert_eq!(everything(&app).await, before);
    };
    // In the very moment in which the time is over, the place is kept until it is handed on.
    too_late().await;
    assert_eq!(now(&people[1], &signups[1]).await["state"], "offered");
    app.run_jobs().await;
    assert_eq!(now(&people[2], &signups[2]).await["state"], "offered");
    too_late().await;
    people[2].post(&accept_path(&signups[2]), json!({})).await.ok(200);
    too_late().await;
    app.run_jobs().await;
}

async fn a_newcomer_does_not_pass_those_who_wait(app: TestApp) {
    let people = workers(&app, 3).await;
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people[..2], &activity).await;
    // Half an hour before the start nobody is asked any more: the place is free and somebody still waits for it.
    app.advance(TimeDelta::days(6) - TimeDelta::hours(1));
    let people = again(&app, &people).await;
    cancel(&people[0], &signups[0]).await;
    let late = people[2].sign_up(&activity).await.ok(201);
    assert_eq!(late["state"], "waiting", "the first in the queue was asked");
    assert_eq!(now(&people[1], &signups[1]).await["state"], "offered");
    app.run_jobs().await;
}

async fn whoever_left_is_not_asked_again(app: TestApp) {
    let people = workers(&app, 3).await;
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people, &activity).await;
    cancel(&people[1], &signups[1]).await;
    cancel(&people[0], &signups[0]).await;
    assert_eq!(now(&people[1], &signups[1]).await["state"], "cancelled");
    assert_eq!(now(&people[2], &signups[2]).await["state"], "offered");
    // They may come again, at the end.
    let again = people[1].sign_up(&activity).await.ok(201);
    assert_eq!((again["state"].as_str(), again["position"].as_i64()), (Some("waiting"), Some(1)));
    app.run_jobs().await;
}

async fn a_party_is_asked_together_or_not_at_all(app: TestApp) {
    let people = workers(&app, 6).await;
    let activity = app.activity(|a| next_week(a).capacity(2).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people, &activity).await;
    let path = |place: usize, what: &str| {
        format!("/api/v1/signups/{}/{what}", signups[place]["id"].as_str().unwrap())
    };
    people[0].post(&path(0, "parties"), json!({})).await.problem(409, "signup_not_waiting");
    let party = people[2].post(&path(2, "parties"), json!({})).await.ok(201);
    let code = party["code"].as_str().unwrap();
    people[3]
        .post(&path(3, "party-memberships"), json!({ "code": "22222222" }))
        .await
        .problem(409, "party_invalid");
    let joined = people[3].post(&path(3, "party-memberships"), json!({ "code": code })).await.ok(200);
    assert_eq!(joined["party_id"], party["id"]);
    people[3]
        .post(&path(3, "party-memberships"), json!({ "code": code }))
        .await
        .problem(409, "signup_not_waiting");
    assert_eq!(people[2].get(&path(2, "party")).await.ok(200)["size"], 2);

    cancel(&people[0], &signups[0]).await;
    for place in [2, 3, 4, 5] {
        assert_eq!(
            now(&people[place], &signups[place]).await["state"],
            "waiting",
            "one place is not enough for two"
        );
    }
    cancel(&people[1], &signups[1]).await;
    let asked = [now(&people[2], &signups[2]).await, now(&people[3], &signups[3]).await];
    assert_eq!(states(&asked), ["offered", "offered"]);
    assert_eq!(now(&people[4], &signups[4]).await["state"], "waiting");
    app.run_jobs().await;
}

async fn filling_the_room_looks_past_a_party(app: TestApp) {
    let people = workers(&app, 5).await;
    let activity = app.activity(|a| next_week(a).capacity(2).set("waiting_list", json!("fill"))).await;
    let signups = all_sign_up(&people, &activity).await;
    let path = |place: usize, what: &str| {
        format!("/api/v1/signups/{}/{what}", signups[place]["id"].as_str().unwrap())
    };
    let party = people[2].post(&path(2, "parties"), json!({})).await.ok(201);
    people[3].post(&path(3, "party-memberships"), json!({ "code": party["code"] })).await.ok(200);
    cancel(&people[0], &signups[0]).await;
    assert_eq!(now(&people[2], &signups[2]).await["state"], "waiting");
    assert_eq!(now(&people[4], &signups[4]).await["state"], "offered");
    app.run_jobs().await;
}

async fn the_order_changes_with_a_reason_and_a_second_officer(app: TestApp) {
    let people = workers(&app, 3).await;
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people, &activity).await;
    let (one, other) = (app.staff("organiser").await, app.staff("admin").await);
    let moves =
        |place: usize| format!("/api/v1/signups/{}/waiting-moves", signups[place]["id"].as_str().unwrap());
    let wanted = json!({ "priority": 1, "reason": "hardship", "note": "困难职工" });
    one.post(&moves(2), json!({ "priority": 1, "reason": "hardship" }))
        .await
        .problem(422, "validation_failed");
    one.post(&moves(0), wanted.clone()).await.problem(409, "signup_not_waiting");
    let proposed = one.post(&moves(2), wanted.clone()).await.ok(201);
    one.post(&moves(2), wanted).await.problem(409, "state_forbids");
    let decide = format!("/api/v1/waiting-moves/{}/decisions", proposed["id"].as_str().unwrap());
    one.post(&decide, json!({ "approve": true })).await.problem(409, "second_officer_required");
    assert_eq!(now(&people[2], &signups[2]).await["position"], 2);
    assert_eq!(other.post(&decide, json!({ "approve": true })).await.ok(200)["state"], "approved");
    other.post(&decide, json!({ "approve": false })).await.problem(409, "state_forbids");
    assert_eq!(now(&people[2], &signups[2]).await["position"], 1);
    let list = one.get(&format!("/api/v1/activities/{}/waiting-list", activity.id)).await.ok(200);
    assert_eq!(list["items"][0]["signup_id"], signups[2]["id"]);
    cancel(&people[0], &signups[0]).await;
    assert_eq!(now(&people[2], &signups[2]).await["state"], "offered");
    assert_eq!(now(&people[1], &signups[1]).await["state"], "waiting");
    app.run_jobs().await;
}

async fn whoever_waits_at_the_start_is_told_that_it_is_over(app: TestApp) {
    let people = workers(&app, 2).await;
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let signups = all_sign_up(&people, &activity).await;
    app.run_jobs().await;
    app.advance(TimeDelta::days(7) + TimeDelta::minutes(1));
    let people = again(&app, &people).await;
    super::come_round(&app).await;
    let over = now(&people[1], &signups[1]).await;
    assert_eq!(
        (over["state"].as_str(), over["ended_because"].as_str()),
        (Some("cancelled"), Some("no_place"))
    );
    let inbox = people[1].get("/api/v1/me/notices").await.ok(200);
    assert_eq!(inbox["items"][0]["kind"], "no_place");
}

async fn the_chance_is_what_the_past_says(app: TestApp) {
    let people = workers(&app, 3).await;
    for moved_up in [1, 0, 1] {
        let people = again(&app, &people).await;
        let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
        let signups = all_sign_up(&people[..2], &activity).await;
        if moved_up == 1 {
            cancel(&people[0], &signups[0]).await;
            people[1].post(&accept_path(&signups[1]), json!({})).await.ok(200);
        }
        app.advance(TimeDelta::days(7) + TimeDelta::minutes(1));
        app.run_jobs().await;
        app.staff("organiser").await.finalise(activity.session).await.ok(200);
    }
    // Whoever did not come has penalties by now; the third is new.
    let activity = app.activity(|a| next_week(a).capacity(1).set("waiting_list", json!("strict"))).await;
    app.advance(TimeDelta::hours(24));
    let first = workers(&app, 1).await;
    all_sign_up(&first, &activity).await;
    let people = again(&app, &people).await;
    let waiting = people[2].sign_up(&activity).await.ok(201);
    assert_eq!(now(&people[2], &waiting).await["chance"], json!({ "activities": 3, "reached": 2 }));
    app.run_jobs().await;
}

async fn overlapping_places_are_refused_where_the_organiser_says_so(app: TestApp) {
    let people = workers(&app, 1).await;
    let one = app.activity(next_week).await;
    let warns = app.activity(next_week).await;
    let denies = app.activity(|a| next_week(a).set("own_clash", json!("deny"))).await;
    let signup = people[0].sign_up(&one).await.ok(201);
    people[0].sign_up(&denies).await.problem(409, "signup_clash");
    let second = people[0].sign_up(&warns).await.ok(201);
    cancel(&people[0], &signup).await;
    cancel(&people[0], &second).await;
    people[0].sign_up(&denies).await.ok(201);
    app.run_jobs().await;
}

async fn whoever_cannot_come_on_other_dates_owes_nothing(app: TestApp) {
    let hours = TimeDelta::hours;
    let people = workers(&app, 2).await;
    let soon =
        |a: crate::harness::factory::Wanted| a.signup(hours(-1), hours(2)).sessions(&[(hours(3), hours(4))]);
    let activity = app.activity(soon).await;
    let late = people[0].sign_up(&activity).await.ok(201);
    cancel(&people[0], &late).await;
    let mine = |who: &crate::harness::Actor| who.request(reqwest::Method::GET, "/api/v1/me/penalties");
    let owed = people[0].send(mine(&people[0])).await.ok(200);
    assert_eq!(owed["items"].as_array().unwrap().len(), 1, "three hours before the start is late");

    let kept = people[1].sign_up(&activity).await.ok(201);
    let moved = json!([{ "id": activity.session, "starts_at": app.now() + hours(4), "ends_at": app.now() + hours(5) }]);
    let body = json!({ "reason": "场地检修", "sessions": moved, "signups": "keep" });
    let path = format!("/api/v1/managed-activities/{}/reschedulings", activity.id);
    app.staff("organiser").await.post(&path, body).await.ok(200);
    cancel(&people[1], &kept).await;
    let owed = people[1].send(mine(&people[1])).await.ok(200);
    assert_eq!(owed["items"], json!([]));
    app.run_jobs().await;
}
