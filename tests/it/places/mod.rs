//! Scarce places: quotas, the waiting list, offers, parties and the shuffle.

pub mod draw;
pub mod histories;
pub mod quotas;
pub mod waiting;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, TestApp};

/// A session in a week, open for sign-up until the day before.
fn next_week(a: Wanted) -> Wanted {
    a.signup(TimeDelta::days(-1), TimeDelta::days(6))
        .sessions(&[(TimeDelta::days(7), TimeDelta::days(7) + TimeDelta::hours(2))])
}

/// The same people, logged in again after some days.
async fn again(app: &TestApp, people: &[Actor]) -> Vec<Actor> {
    let now = app.now();
    let logins: Vec<_> = people.iter().map(|one| (one.person(), app.ids().id())).collect();
    let rows = logins.clone();
    app.write(move |conn| {
        for (person, family) in rows {
            unionhall::identity::store::family_create_in_tx(conn, family, person, now, now + TimeDelta::days(9))?;
        }
        Ok(())
    })
    .await;
    let tokens = app.app().platform().access.tokens();
    let renewed = logins.into_iter().zip(people);
    renewed.map(|((person, family), one)| one.with_token(tokens.issue(person, family).unwrap())).collect()
}

/// A minute's round of everything that comes back.
async fn come_round(app: &TestApp) {
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
}

/// `number` workers who are logged in.
async fn workers(app: &TestApp, number: usize) -> Vec<Actor> {
    crate::signup::crowd(app, number).await
}

/// What somebody's sign-up is now.
async fn now(worker: &Actor, signup: &Value) -> Value {
    worker.get(&format!("/api/v1/signups/{}", signup["id"].as_str().unwrap())).await.ok(200)
}

async fn cancel(worker: &Actor, signup: &Value) -> Value {
    let path = format!("/api/v1/signups/{}/cancellations", signup["id"].as_str().unwrap());
    worker.post(&path, json!({})).await.ok(200)
}

fn accept_path(signup: &Value) -> String {
    format!("/api/v1/signups/{}/acceptances", signup["id"].as_str().unwrap())
}

/// Everybody signs up, one after the other.
async fn all_sign_up(people: &[Actor], activity: &Made) -> Vec<Value> {
    let mut answers = Vec::new();
    for person in people {
        answers.push(person.sign_up(activity).await.ok(201));
    }
    answers
}

fn states(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|answer| answer["state"].as_str().unwrap()).collect()
}
