//! Every act in every state: what the table of transitions does not have is refused, and changes nothing.

use chrono::TimeDelta;
use serde_json::json;
use unionhall::review::machine::{ReviewEvent, ReviewState, TRANSITIONS};

use super::steps::{Request, request};
use super::{Facts, approve, come_round, give_back, reject};
use crate::access::staff_of;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] =
    tests![every_forbidden_act_in_every_state, a_request_that_is_not_there, every_allowed_act];

/// What somebody does to a request over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Approve,
    Reject,
    Return,
    Supplement,
    Withdraw,
    Claim,
    Assign,
    Appeal,
    Recuse,
    Write,
    AskForLeave,
}

use Act::{Appeal, Approve, AskForLeave, Assign, Claim, Recuse, Reject, Return, Supplement, Withdraw, Write};

const ACTS: [Act; 11] =
    [Approve, Reject, Return, Supplement, Withdraw, Claim, Assign, Appeal, Recuse, Write, AskForLeave];

impl Act {
    /// The event of the machine that it is, of one that changes the state.
    fn event(self) -> Option<ReviewEvent> {
        Some(match self {
            Approve => ReviewEvent::Approve,
            Reject => ReviewEvent::Reject,
            Return => ReviewEvent::Return,
            Supplement => ReviewEvent::Supplement,
            Withdraw => ReviewEvent::Withdraw,
            _ => return None,
        })
    }

    /// The code with which it is refused in `state`; none where it is allowed.
    fn refusal(self, state: ReviewState) -> Option<&'static str> {
        if let Some(event) = self.event() {
            let known = TRANSITIONS.iter().any(|(of, from, _)| (*of, *from) == (event, state));
            return (!known).then_some("state_forbids");
        }
        match self {
            Appeal => (state != ReviewState::Rejected).then_some("review_appeal_over"),
            // A leave is for a second return.
            AskForLeave => Some("state_forbids"),
            _ => (!state.is_live()).then_some("state_forbids"),
        }
    }

    async fn by(self, desk: &Actor, request: &Request) -> Reply {
        let post = |path: String, body| async move { desk.post(&path, body).await };
        let own =
            |path: &'static str, body| async move { request.worker.post(&request.own(path), body).await };
        match self {
            Approve => request.decide(desk, approve()).await,
            Reject => request.decide(desk, reject()).await,
            Return => request.decide(desk, give_back(&["health"])).await,
            Claim => post(request.at("/claims"), json!({})).await,
            Assign => post(request.at("/assignments"), json!({ "person_id": desk.person() })).await,
            Recuse => post(request.at("/recusals"), json!({ "ground": "other" })).await,
            Write => post(request.at("/messages"), json!({ "text": "请补充材料" })).await,
            AskForLeave => post(request.at("/leaves"), json!({ "reason": "补交的报告缺页" })).await,
            Supplement => own("/supplements", json!({ "form": { "health": "yes" } })).await,
            Withdraw => own("/withdrawals", json!({})).await,
            Appeal => own("/appeals", json!({ "text": "本人不同意" })).await,
        }
    }
}

/// The district's officers: who has done everything so far, and who does the next.
struct Desks {
    first: Actor,
    next: Actor,
}

impl Desks {
    async fn of(app: &TestApp) -> Self {
        let next = staff_of(app, "reviewer-2", "reviewer", "longgang").await;
        Self { first: app.staff("reviewer").await, next }
    }
}

/// A request in `state`, decided by the district alone.
async fn in_state(app: &TestApp, desks: &mut Desks, state: ReviewState) -> Request {
    let user = desks.first.fresh_key();
    let mut made = request(app, &user, None).await;
    match state {
        ReviewState::Open => {}
        ReviewState::Returned => {
            made.send_back(&desks.first).await.ok(200);
        }
        ReviewState::Approved => {
            made.approve(&desks.first).await.ok(200);
        }
        ReviewState::Rejected => {
            made.decide(&desks.first, reject()).await.ok(200);
        }
        ReviewState::Withdrawn => {
            made.worker.post(&made.own("/withdrawals"), json!({})).await.ok(200);
        }
        ReviewState::Lapsed => {
            made.send_back(&desks.first).await.ok(200);
            app.advance(TimeDelta::days(11));
            come_round(app).await;
            for actor in [&mut made.worker, &mut desks.first, &mut desks.next] {
                actor.log_in().await;
            }
        }
    }
    let facts = Facts::of(app, &made.id).await;
    assert_eq!(facts.review.state, state);
    made
}

async fn every_forbidden_act_in_every_state(app: TestApp) {
    let mut desks = Desks::of(&app).await;
    let mut refused = 0;
    for state in ReviewState::ALL {
        let request = in_state(&app, &mut desks, *state).await;
        let before = Facts::of(&app, &request.id).await.text();
        let signup = request.signup_state().await;
        for act in ACTS {
            let Some(code) = act.refusal(*state) else { continue };
            let reply = act.by(&desks.next, &request).await;
            assert_eq!(
                (reply.status, reply.body["code"].as_str()),
                (409, Some(code)),
                "{act:?} in {state}: {}",
                reply.text
            );
            assert_eq!(Facts::of(&app, &request.id).await.text(), before, "{act:?} in {state}");
            assert_eq!(request.signup_state().await, signup, "{act:?} in {state}");
            refused += 1;
        }
    }
    // 11 acts in 6 states; allowed are 7 of the machine's without the lapse, which is nobody's act, and 9 others.
    assert_eq!(refused, 66 - (TRANSITIONS.len() - 1) - 9);
    app.run_jobs().await;
}

async fn every_allowed_act(app: TestApp) {
    let mut desks = Desks::of(&app).await;
    for act in ACTS {
        for state in [ReviewState::Open, ReviewState::Returned, ReviewState::Rejected] {
            if act.refusal(state).is_some() {
                continue;
            }
            let request = in_state(&app, &mut desks, state).await;
            let reply = act.by(&desks.next, &request).await;
            assert!(matches!(reply.status, 200 | 201), "{act:?} in {state}: {}", reply.text);
            let after = Facts::of(&app, &request.id).await.review.state;
            let to = act.event().and_then(|event| {
                TRANSITIONS.iter().find(|(of, from, _)| (*of, *from) == (event, state)).map(|(_, _, to)| *to)
            });
            assert_eq!(after, to.unwrap_or(state), "{act:?} in {state}");
        }
    }
    app.run_jobs().await;
}

async fn a_request_that_is_not_there(app: TestApp) {
    // Elsewhere, and nowhere: the answers are the same.
    let pingdi = staff_of(&app, "pingdi", "reviewer", "street-pingdi").await;
    let request = request(&app, "zhang", Some(super::steps::UNSTAFFED)).await;
    let stranger = app.worker("li").await;
    let before = Facts::of(&app, &request.id).await.text();
    let nowhere = Request {
        worker: stranger.clone(),
        id: "rev_01k5b8m3q2e9t8h6y1v7z4w0xn".into(),
        signup: request.signup.clone(),
        answers: json!({}),
    };
    let foreign = Request {
        worker: stranger,
        id: request.id.clone(),
        signup: request.signup.clone(),
        answers: json!({}),
    };
    let etag = app.staff("reviewer").await.get(&request.at("")).await.etag();
    for there in [&foreign, &nowhere] {
        for act in ACTS {
            let reply = match act {
                Approve | Reject | Return => {
                    let body = match act {
                        Approve => approve(),
                        Reject => reject(),
                        _ => give_back(&["health"]),
                    };
                    super::decide_at(&pingdi, &there.id, &etag, &pingdi.fresh_key(), &body).await
                }
                _ => act.by(&pingdi, there).await,
            };
            reply.problem(404, "not_found");
        }
        for rest in ["", "/messages"] {
            pingdi.get(&there.at(rest)).await.problem(404, "not_found");
            there.worker.get(&there.own(rest)).await.problem(404, "not_found");
        }
        pingdi.post(&there.at("/readings"), json!({})).await.problem(404, "not_found");
    }
    assert_eq!(Facts::of(&app, &request.id).await.text(), before);
    app.run_jobs().await;
}
