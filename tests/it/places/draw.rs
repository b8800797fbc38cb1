//! The first minutes are shuffled, from a seed that was promised.

use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest, Sha256};
use unionhall::ids::SignupId;
use unionhall::signup::rules;

use super::{next_week, now, workers};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] =
    tests![whoever_comes_in_the_first_minutes_is_shuffled, a_late_job_does_not_let_anybody_pass];

async fn whoever_comes_in_the_first_minutes_is_shuffled(app: TestApp) {
    let people = workers(&app, 12).await;
    let activity = app
        .activity(|a| {
            next_week(a)
                .capacity(3)
                .signup(TimeDelta::zero(), TimeDelta::days(6))
                .set("fair_minutes", json!(5))
                .set("waiting_list", json!("strict"))
        })
        .await;
    let draw = format!("/api/v1/activities/{}/fair-draw", activity.id);
    let promised = app.anon().get(&draw).await.ok(200);
    assert!(promised["seed"].is_null(), "{promised}");
    let mut signups = Vec::new();
    for person in &people[..10] {
        let entered = person.sign_up(&activity).await.ok(201);
        assert_eq!(entered["state"], "entered");
        signups.push(entered);
    }
    // One leaves before the draw, and has no part in it.
    super::cancel(&people[9], &signups[9]).await;
    app.anon().get(&format!("{draw}/entries")).await.problem(404, "not_found");
    app.advance(TimeDelta::minutes(6));
    super::come_round(&app).await;

    let done = app.anon().get(&draw).await.ok(200);
    let seed = done["seed"].as_str().unwrap();
    assert_eq!(hex::encode(Sha256::digest(seed)), promised["commitment"].as_str().unwrap());
    assert_eq!(done["entries"], 9);
    let entries = app.anon().get(&format!("{draw}/entries")).await.ok(200);
    let order: Vec<SignupId> = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["signup_id"].as_str().unwrap().parse().unwrap())
        .collect();
    let ids: Vec<SignupId> =
        signups[..9].iter().map(|s| s["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(order, rules::draw_order(seed, &ids));
    assert_eq!(done["digest"], rules::draw_digest(&order));
    let came = ids.clone();
    assert_ne!(order, came, "this seed shuffles");
    // The first three have places, the others wait in the order of the draw, and latecomers behind them.
    for (rank, id) in order.iter().enumerate() {
        let place = ids.iter().position(|one| one == id).unwrap();
        let signup = now(&people[place], &signups[place]).await;
        if rank < 3 {
            assert_eq!(signup["state"], "confirmed", "rank {rank}");
        } else {
            assert_eq!(
                (signup["state"].as_str(), signup["position"].as_u64()),
                (Some("waiting"), Some(rank as u64 - 2))
            );
        }
    }
    let late = people[10].sign_up(&activity).await.ok(201);
    assert_eq!(late["position"], 7);
    app.run_jobs().await;
}

async fn a_late_job_does_not_let_anybody_pass(app: TestApp) {
    let people = workers(&app, 2).await;
    let activity = app
        .activity(|a| {
            next_week(a)
                .capacity(1)
                .signup(TimeDelta::zero(), TimeDelta::days(6))
                .set("fair_minutes", json!(5))
        })
        .await;
    let entered = people[0].sign_up(&activity).await.ok(201);
    assert_eq!(entered["state"], "entered");
    app.advance(TimeDelta::minutes(5));
    // No job has run: whoever comes now comes after the draw all the same.
    people[1].sign_up(&activity).await.problem(409, "signup_full");
    assert_eq!(now(&people[0], &entered).await["state"], "confirmed");
    app.run_jobs().await;
}
