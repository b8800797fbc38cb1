//! Two at once: one decision, one refusal, never two effects. `UNIONHALL_RACES` for another number of rounds.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::json;
use unionhall::ids::PersonId;
use unionhall::platform::db::schema::audit_entries;
use unionhall::review::model::{EventKind, ReviewState};

use super::steps::{Request, apply};
use super::{Facts, approve, come_round, decide_at, give_back, reject};
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    two_reviewers_decide_at_once,
    the_applicant_withdraws_while_it_is_decided,
    a_supplement_meets_its_lapse,
    two_claims_at_once,
    one_decision_is_sent_twice_at_once,
    two_departments_sign_at_once,
];

fn rounds(usual: usize) -> usize {
    std::env::var("UNIONHALL_RACES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Two officers of the district, the second of whom talks to another instance.
async fn two(app: &TestApp) -> (Actor, Actor) {
    let other = app.second_instance().await;
    let second = staff_of(app, "reviewer-2", "reviewer", "longgang").await;
    (app.staff("reviewer").await, second.at(&other))
}

/// Requests of as many people, before the district.
async fn requests(app: &TestApp, number: usize) -> Vec<Request> {
    let activity = app.activity(|a| crate::reviewed::trip(a).capacity(i64::try_from(number).unwrap())).await;
    let mut all = Vec::new();
    for worker in crate::signup::crowd(app, number).await {
        all.push(apply(worker, &activity, json!({})).await);
    }
    all
}

fn said(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["code"].as_str().unwrap_or_default())
}

/// How often the audit says that a request was decided.
async fn decided(app: &TestApp, id: &str) -> i64 {
    let id = id.to_owned();
    app.read(move |conn| {
        let of = audit_entries::table
            .filter(audit_entries::object.eq(id))
            .filter(audit_entries::action.eq_any(["review.approve", "review.reject", "review.return"]));
        Ok(of.count().get_result(conn)?)
    })
    .await
}

async fn two_reviewers_decide_at_once(app: TestApp) {
    let (first, second) = two(&app).await;
    let bodies = [approve(), reject(), give_back(&["health"])];
    let rounds = rounds(200);
    let mut won = [0; 2];
    for (round, request) in requests(&app, rounds).await.iter().enumerate() {
        // Approve against reject most of the time; the others and one and the same as well.
        let (one, other) = match round % 6 {
            0 | 1 => (&bodies[0], &bodies[1]),
            2 | 3 => (&bodies[1], &bodies[0]),
            4 => (&bodies[2], &bodies[0]),
            _ => (&bodies[0], &bodies[0]),
        };
        let etag = first.get(&request.at("")).await.etag();
        let (a, b) = (first.fresh_key(), second.fresh_key());
        let (one, other) = tokio::join!(
            decide_at(&first, &request.id, &etag, &a, one),
            decide_at(&second, &request.id, &etag, &b, other)
        );
        let (winner, loser, by) = if one.status == 200 { (&one, &other, 0) } else { (&other, &one, 1) };
        won[by] += 1;
        assert_eq!((said(winner), said(loser)), ((200, ""), (412, "precondition_failed")), "round {round}");
        assert_eq!(loser.body["current"]["state"], winner.body["state"], "round {round}");
        assert_eq!(loser.body["current"]["version"], 2, "round {round}");
        let facts = Facts::of(&app, &request.id).await;
        assert_eq!(
            (facts.review.state.as_str(), facts.review.version),
            (winner.body["state"].as_str().unwrap(), 2)
        );
        assert_eq!(facts.events.len(), 2, "round {round}: opened, and one decision");
        assert_eq!(decided(&app, &request.id).await, 1, "round {round}");
        let waits = if facts.review.state == ReviewState::Returned { 1 } else { 0 };
        assert_eq!((facts.queue.len(), facts.deciders().len()), (waits, 1 - waits), "round {round}");
        let expected = match facts.review.state {
            ReviewState::Approved => "confirmed",
            ReviewState::Rejected => "cancelled",
            _ => "applied",
        };
        assert_eq!(request.signup_state().await, expected, "round {round}");
    }
    app.run_jobs().await;
    println!("{rounds} rounds: the first won {}, the second {}", won[0], won[1]);
}

async fn the_applicant_withdraws_while_it_is_decided(app: TestApp) {
    let (first, _) = two(&app).await;
    for (round, request) in requests(&app, rounds(20)).await.iter().enumerate() {
        let etag = first.get(&request.at("")).await.etag();
        let (key, path) = (first.fresh_key(), request.own("/withdrawals"));
        let approval = approve();
        let (decision, withdrawal) = tokio::join!(
            decide_at(&first, &request.id, &etag, &key, &approval),
            request.worker.post(&path, json!({}))
        );
        let facts = Facts::of(&app, &request.id).await;
        // Whoever decides names a version; whoever withdraws is told the state.
        match facts.review.state {
            ReviewState::Approved => {
                assert_eq!(
                    (said(&decision), said(&withdrawal)),
                    ((200, ""), (409, "state_forbids")),
                    "round {round}"
                );
                assert_eq!(request.signup_state().await, "confirmed");
            }
            ReviewState::Withdrawn => {
                assert_eq!(
                    (said(&decision), said(&withdrawal)),
                    ((412, "precondition_failed"), (200, "")),
                    "round {round}"
                );
                assert_eq!(request.signup_state().await, "cancelled");
            }
            other => panic!("round {round}: {other}"),
        }
        assert_eq!((facts.review.version, facts.events.len(), facts.queue.len()), (2, 2, 0), "round {round}");
    }
    app.run_jobs().await;
}

/// Somebody of the crowd, logged in again after a longer time than a login lasts.
async fn again(app: &TestApp, person: PersonId) -> Actor {
    let (family, now) = (app.ids().id(), app.now());
    let until = now + TimeDelta::days(1);
    app.write(move |conn| unionhall::identity::store::family_create_in_tx(conn, family, person, now, until))
        .await;
    let token = app.app().platform().access.tokens().issue(person, family).unwrap();
    app.anon().with_login(token, person)
}

async fn a_supplement_meets_its_lapse(app: TestApp) {
    let (first, _) = two(&app).await;
    let all = requests(&app, rounds(40)).await;
    for request in &all {
        request.send_back(&first).await.ok(200);
    }
    // The last second of the last day is over while they are on their way, and the job of another instance comes by.
    let due = Facts::of(&app, &all[0].id).await.review.supplement_due_at.unwrap().and_utc();
    app.clock().set(due - TimeDelta::seconds(1));
    let mut workers = Vec::new();
    for request in &all {
        workers.push(again(&app, request.worker.person()).await);
    }
    let other = app.second_instance().await;
    let body = json!({ "form": { "health": "yes" } });
    let supplements = workers.iter().zip(&all).map(|(worker, request)| {
        let (path, body) = (request.own("/supplements"), body.clone());
        async move { worker.post(&path, body).await }
    });
    let midnight = async {
        app.read(|conn| Ok(audit_entries::table.count().get_result::<i64>(conn)?)).await;
        app.clock().set(due);
        come_round(&other).await;
    };
    let (replies, ()) = tokio::join!(join_all(supplements), midnight);
    come_round(&app).await;
    let mut late = 0;
    for (number, (request, reply)) in all.iter().zip(&replies).enumerate() {
        let facts = Facts::of(&app, &request.id).await;
        let (state, lapsed, lines) = match said(reply) {
            (200, "") => (ReviewState::Open, 0, 1),
            (409, "state_forbids") => (ReviewState::Lapsed, 1, 0),
            other => panic!("{number}: {other:?} {}", reply.text),
        };
        late += lapsed;
        assert_eq!((facts.review.state, facts.count(EventKind::Lapsed)), (state, lapsed), "{number}");
        assert_eq!((facts.review.version, facts.queue.len()), (3, lines), "{number}");
        assert_eq!(facts.count(EventKind::Supplemented), 1 - lapsed, "{number}");
    }
    println!("{late} of {} were too late", all.len());
    app.run_jobs().await;
}

async fn two_claims_at_once(app: TestApp) {
    let (first, second) = two(&app).await;
    for (round, request) in requests(&app, rounds(20)).await.iter().enumerate() {
        let path = request.at("/claims");
        let (one, other) = tokio::join!(first.post(&path, json!({})), second.post(&path, json!({})));
        let mut both = [said(&one), said(&other)];
        both.sort_unstable();
        assert_eq!(both, [(200, ""), (409, "review_claimed")], "round {round}");
        let winner = if one.status == 200 { &first } else { &second };
        let facts = Facts::of(&app, &request.id).await;
        assert_eq!(facts.stages[0].claimed_by, Some(winner.person()), "round {round}");
        assert_eq!(facts.queue[0].claimed_by, Some(winner.person()), "round {round}");
        request.approve(winner).await.ok(200);
    }
    app.run_jobs().await;
}

async fn one_decision_is_sent_twice_at_once(app: TestApp) {
    let (first, _) = two(&app).await;
    let other = first.at(&app.second_instance().await);
    for (round, request) in requests(&app, rounds(20)).await.iter().enumerate() {
        let etag = first.get(&request.at("")).await.etag();
        let (key, body) = (first.fresh_key(), approve());
        let again = if round % 2 == 0 { &first } else { &other };
        let (one, two) = tokio::join!(
            decide_at(&first, &request.id, &etag, &key, &body),
            decide_at(again, &request.id, &etag, &key, &body)
        );
        // The same act: its answer for both, or "it still runs" for the one that came too close.
        for reply in [&one, &two] {
            assert!(
                matches!(said(reply), (200, "") | (409, "idempotency_running")),
                "round {round}: {}",
                reply.text
            );
        }
        assert!(one.status == 200 || two.status == 200, "round {round}");
        let settled = decide_at(again, &request.id, &etag, &key, &body).await;
        assert_eq!(said(&settled), (200, ""), "round {round}");
        assert_eq!(decided(&app, &request.id).await, 1, "round {round}");
        assert_eq!(Facts::of(&app, &request.id).await.review.version, 2, "round {round}");
    }
    app.run_jobs().await;
}

async fn two_departments_sign_at_once(app: TestApp) {
    let officers = super::Officers::of(&app).await;
    let other = app.second_instance().await;
    let mut signers = Vec::new();
    for (user, code) in
        [("office", "dept-office"), ("rights", "dept-rights"), ("education", "dept-education")]
    {
        signers.push(staff_of(&app, user, "reviewer", code).await);
    }
    signers[1] = signers[1].at(&other);
    for round in 0..rounds(6) {
        let request = super::asked(&app, &format!("worker-{round}"), json!({ "cost": "300000" })).await;
        request.approve(&officers.unit).await.ok(200);
        request.approve(&officers.street).await.ok(200);
        let etag = signers[0].get(&request.at("")).await.etag();
        let body = approve();
        let replies = join_all(signers.iter().map(|signer| {
            let (key, body) = (signer.fresh_key(), &body);
            let (request, etag) = (&request, &etag);
            async move { decide_at(signer, &request.id, etag, &key, body).await }
        }))
        .await;
        let mut codes: Vec<(u16, &str)> = replies.iter().map(said).collect();
        codes.sort_unstable();
        let stale = (412, "precondition_failed");
        assert_eq!(codes, [(200, ""), stale, stale], "round {round}: what the others read is no longer so");
        for (signer, reply) in signers.iter().zip(&replies) {
            if reply.status != 200 {
                request.approve(signer).await.ok(200);
            }
        }
        assert_eq!(request.open_at().await, ["区总工会"]);

        assert_eq!(Facts::of(&app, &request.id).await.count(EventKind::Approved), 5);
    }
    app.run_jobs().await;
}
