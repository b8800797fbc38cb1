//! Until when: terms, amber, breaches, pauses and lapses, with the clock moved through all of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use unionhall::review::model::{EventKind, ReviewState, Waits};

use super::steps::{Request, audited, request_with, told};
use super::{Facts, Officers, asked, come_round, give_back, minutes};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    terms_are_those_of_the_policies,
    a_weekend_a_holiday_and_a_make_up_day,
    the_body_is_warned_once_it_is_amber,
    whoever_works_at_it_is_warned,
    a_breach_is_noted_once_and_stays,
    the_nearest_superior_with_somebody_is_told,
    the_clock_stands_while_a_request_is_returned,
    a_breach_stays_through_a_return,
    what_is_not_supplied_lapses_at_its_minute,
    a_supplement_before_the_lapse_counts,
    the_board_counts,
];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The clock moved to an instant of Shanghai's, with everything that comes back, and everybody logged in again.
async fn moved(app: &TestApp, to: &str, people: &mut [&mut Actor]) {
    app.clock().set(DateTime::parse_from_rfc3339(to).unwrap().with_timezone(&Utc));
    come_round(app).await;
    for one in people {
        one.log_in().await;
    }
}

/// When the open stage is due, and from when on it is amber.
async fn due(app: &TestApp, request: &Request) -> (DateTime<Utc>, DateTime<Utc>) {
    let facts = Facts::of(app, &request.id).await;
    let stage =
        facts.stages.iter().find(|stage| stage.due_at.is_some() && stage.decided_at.is_none()).unwrap();
    (stage.due_at.unwrap().and_utc(), stage.amber_at.unwrap().and_utc())
}

async fn terms_are_those_of_the_policies(app: TestApp) {
    // Monday the 16th of June 2025, ten o'clock. The day itself does not count; a term ends at midnight.
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    // Three working days: Tuesday to Thursday; amber on the last.
    assert_eq!(due(&app, &zhang).await, (at("2025-06-19T16:00:00Z"), at("2025-06-18T16:00:00Z")));
    zhang.approve(&officers.unit).await.ok(200);
    // Five: over the weekend to Monday the 23rd; amber from Friday on.
    assert_eq!(due(&app, &zhang).await, (at("2025-06-23T16:00:00Z"), at("2025-06-19T16:00:00Z")));
    zhang.approve(&officers.street).await.ok(200);
    // Seven: to Wednesday the 25th; amber from Monday on.
    assert_eq!(due(&app, &zhang).await, (at("2025-06-25T16:00:00Z"), at("2025-06-22T16:00:00Z")));
    let trail: Value =
        serde_json::from_str(Facts::of(&app, &zhang.id).await.stages[2].trail.as_deref().unwrap()).unwrap();
    assert_eq!(trail["rule"]["key"], "review.stage.district");
    assert_eq!(trail["due"]["running"]["last_day"], "2025-06-25");
    app.run_jobs().await;
}

async fn a_weekend_a_holiday_and_a_make_up_day(app: TestApp) {
    // The Tuesday before the National Day of 2025: off to the 8th of October, and Saturday the 11th is worked.
    app.clock().set(at("2025-09-30T02:00:00Z"));
    let officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    assert_eq!(due(&app, &zhang).await, (at("2025-10-11T16:00:00Z"), at("2025-10-10T16:00:00Z")));
    zhang.approve(&officers.unit).await.ok(200);
    // Thursday, Friday, the Saturday that is worked, Monday, Tuesday the 14th.
    assert_eq!(due(&app, &zhang).await, (at("2025-10-14T16:00:00Z"), at("2025-10-12T16:00:00Z")));
    // Ten days for a supplement count all days; the last must be worked: the 10th of October is.
    let li = asked(&app, "li", json!({})).await;
    let returned = li.decide(&officers.unit, give_back(&["health"])).await.ok(200);
    assert_eq!(returned["supplement_due_at"], "2025-10-10T16:00:00Z");
    app.run_jobs().await;
}

async fn the_body_is_warned_once_it_is_amber(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let urgency = |officer: &Actor| {
        let officer = officer.clone();
        async move { officer.get("/api/v1/reviews").await.ok(200)["items"][0]["urgency"].clone() }
    };
    let Officers { unit, street, .. } = &mut officers;
    moved(&app, "2025-06-18T23:59:59+08:00", &mut [unit]).await;
    assert_eq!(urgency(unit).await, "green");
    assert_eq!(told(&app, unit, "review_due").await, Vec::<Value>::new());
    moved(&app, "2025-06-19T00:00:00+08:00", &mut [unit, street]).await;
    assert_eq!(urgency(unit).await, "amber");
    let warned = told(&app, unit, "review_due").await;
    assert_eq!(warned.len(), 1);
    assert!(warned[0]["body"].as_str().unwrap().contains("单位初审"), "{}", warned[0]);
    assert_eq!(told(&app, street, "review_due").await.len(), 0, "it is not theirs yet");
    minutes(&app, 3).await;
    assert_eq!(told(&app, unit, "review_due").await.len(), 1, "once");
    assert_eq!(Facts::of(&app, &zhang.id).await.count(EventKind::Warned), 1);
    app.run_jobs().await;
}

async fn whoever_works_at_it_is_warned(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut second = staff_of(&app, "unit-2", "reviewer", super::steps::STAFFED).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let to = json!({ "person_id": second.person() });
    officers.unit.post(&zhang.at("/assignments"), to).await.ok(200);
    moved(&app, "2025-06-19T00:00:00+08:00", &mut [&mut officers.unit, &mut second]).await;
    assert_eq!(told(&app, &second, "review_due").await.len(), 1);
    assert_eq!(told(&app, &officers.unit, "review_due").await.len(), 0);
    app.run_jobs().await;
}

async fn a_breach_is_noted_once_and_stays(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let zhang = asked(&app, "zhang", json!({})).await;
    let Officers { unit, street, district } = &mut officers;
    moved(&app, "2025-06-19T23:59:59+08:00", &mut [unit]).await;
    assert_eq!(Facts::of(&app, &zhang.id).await.count(EventKind::Breached), 0);
    moved(&app, "2025-06-20T00:00:00+08:00", &mut [unit, street, district]).await;
    minutes(&app, 3).await;
    // Something else comes round for it: a claim lapses at a stage that is late.
    unit.post(&zhang.at("/claims"), json!({})).await.ok(200);
    moved(&app, "2025-06-20T04:03:00+08:00", &mut [unit, street, district]).await;
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!(facts.stages[0].claimed_by, None);
    let breached = facts.stages[0].breached_at;
    assert_eq!(breached.map(|at| at.and_utc()), Some(at("2025-06-19T16:00:00Z")));
    assert_eq!((facts.count(EventKind::Breached), facts.count(EventKind::Warned)), (1, 1));
    // Its body and the superior are told, once; the applicant's own body above that is not.
    assert_eq!(told(&app, unit, "review_breached").await.len(), 1);
    assert_eq!(told(&app, street, "review_breached").await.len(), 1);
    assert_eq!(told(&app, district, "review_breached").await.len(), 0);
    let line = &unit.get("/api/v1/reviews?urgency=red").await.ok(200)["items"][0];
    assert_eq!((&line["review_id"], &line["breached"]), (&json!(zhang.id), &json!(true)));
    assert_eq!(audited(&app, "review.breach").await.len(), 1);
    // Decided late is decided; and late it stays.
    zhang.approve(unit).await.ok(200);
    minutes(&app, 1).await;
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!((facts.stages[0].breached_at, facts.count(EventKind::Breached)), (breached, 1));
    let view = zhang.seen(unit).await;
    assert_eq!(view["stages"][0]["breached_at"], "2025-06-19T16:00:00Z");
    assert_eq!(view["stages"][0]["urgency"], Value::Null);
    app.run_jobs().await;
}

async fn the_nearest_superior_with_somebody_is_told(app: TestApp) {
    // A unit of 坪地, a sub-district without an officer.
    let mut unit = staff_of(&app, "unit", "reviewer", "demo-enterprise-pingdi-1").await;
    let mut district = app.staff("reviewer").await;
    request_with(&app, "zhang", Some("demo-enterprise-pingdi-1"), json!({})).await;
    moved(&app, "2025-06-20T00:00:00+08:00", &mut [&mut unit, &mut district]).await;
    assert_eq!(told(&app, &unit, "review_breached").await.len(), 1);
    assert_eq!(told(&app, &district, "review_breached").await.len(), 1);
    app.run_jobs().await;
}

async fn the_clock_stands_while_a_request_is_returned(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut zhang = asked(&app, "zhang", json!({})).await;
    let first = due(&app, &zhang).await.0;
    // Returned on Tuesday, supplied on Thursday of the week after: the last day of the stage goes by meanwhile.
    moved(&app, "2025-06-17T10:00:00+08:00", &mut [&mut officers.unit]).await;
    zhang.send_back(&officers.unit).await.ok(200);
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!((facts.stages[0].due_at, facts.stages[0].amber_at), (None, None));
    let supplement = facts.review.supplement_due_at;
    assert!(facts.queue.iter().all(|line| line.waits == Waits::Applicant && Some(line.due_at) == supplement));
    assert_eq!(officers.unit.get("/api/v1/reviews").await.ok(200)["items"], json!([]));
    let waits = officers.unit.get("/api/v1/reviews?waits=applicant").await.ok(200);
    assert_eq!(waits["items"][0]["state"], "returned");

    moved(&app, "2025-06-26T09:00:00+08:00", &mut [&mut officers.unit, &mut zhang.worker]).await;
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!(facts.count(EventKind::Warned) + facts.count(EventKind::Breached), 0, "nobody is late");
    zhang.supply().await;
    // No day of the pause counts, the 17th and the 26th neither: Friday, Monday, Tuesday the 1st of July.
    let (again, amber) = due(&app, &zhang).await;
    assert_eq!((again, amber), (at("2025-07-01T16:00:00Z"), at("2025-06-30T16:00:00Z")));
    assert!(first < again);
    let facts = Facts::of(&app, &zhang.id).await;
    assert!(facts.queue.iter().all(|line| line.waits == Waits::Desk && line.due_at.and_utc() == again));
    assert_eq!(facts.queue.len(), 3, "the unit, the sub-district, the district");
    moved(&app, "2025-07-02T00:00:00+08:00", &mut []).await;
    assert_eq!(Facts::of(&app, &zhang.id).await.count(EventKind::Breached), 1);
    app.run_jobs().await;
}

async fn a_breach_stays_through_a_return(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut zhang = asked(&app, "zhang", json!({})).await;
    moved(&app, "2025-06-20T09:00:00+08:00", &mut [&mut officers.unit, &mut zhang.worker]).await;
    zhang.go_round(&officers.unit).await;
    let stage = &Facts::of(&app, &zhang.id).await.stages[0];
    assert!(stage.breached_at.is_some());
    zhang.approve(&officers.unit).await.ok(200);
    minutes(&app, 1).await;
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!((facts.stages[0].breached_at, facts.count(EventKind::Breached)), (stage.breached_at, 1));
    app.run_jobs().await;
}

async fn what_is_not_supplied_lapses_at_its_minute(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut zhang = asked(&app, "zhang", json!({})).await;
    zhang.send_back(&officers.unit).await.ok(200);
    // Ten days from the 16th: the 26th is the last.
    let late = json!({ "form": { "health": "yes" } });
    moved(&app, "2025-06-26T23:59:59+08:00", &mut [&mut zhang.worker]).await;
    assert_eq!(Facts::of(&app, &zhang.id).await.review.state, ReviewState::Returned);
    assert_eq!(zhang.signup_state().await, "applied");
    app.advance(TimeDelta::seconds(1));
    // Too late is too late, whether the job has come by or not.
    let refused =
        zhang.worker.post(&zhang.own("/supplements"), late.clone()).await.problem(409, "state_forbids");
    assert_eq!(refused["detail"], "补正期限已过，请重新申请");
    come_round(&app).await;
    zhang.worker.post(&zhang.own("/supplements"), late).await.problem(409, "state_forbids");
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!(facts.review.state, ReviewState::Lapsed);
    assert_eq!(facts.review.decided_at, Some(unionhall::clock::db_time(app.now())));
    assert_eq!((facts.count(EventKind::Lapsed), facts.queue.len()), (1, 0));
    assert_eq!(zhang.signup_state().await, "cancelled");
    assert_eq!(told(&app, &zhang.worker, "review_lapsed").await.len(), 1);
    minutes(&app, 2).await;
    assert_eq!(Facts::of(&app, &zhang.id).await.count(EventKind::Lapsed), 1);
    officers.log_in().await;
    app.run_jobs().await;
}

async fn a_supplement_before_the_lapse_counts(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut zhang = asked(&app, "zhang", json!({})).await;
    zhang.send_back(&officers.unit).await.ok(200);
    moved(&app, "2025-06-26T23:59:59+08:00", &mut [&mut zhang.worker]).await;
    zhang.supply().await;
    minutes(&app, 2).await;
    officers.log_in().await;
    let facts = Facts::of(&app, &zhang.id).await;
    assert_eq!((facts.review.state, facts.count(EventKind::Lapsed)), (ReviewState::Open, 0));
    zhang.approve(&officers.unit).await.ok(200);
    app.run_jobs().await;
}

async fn the_board_counts(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let board = |officer: &Actor| {
        let officer = officer.clone();
        async move {
            let board = officer.get("/api/v1/review-counts").await.ok(200);
            let text = |count: &Value, field: &str| count[field].as_str().unwrap().to_owned();
            let mut counts: Vec<_> = board["counts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|count| {
                    (text(count, "waits"), text(count, "urgency"), count["number"].as_i64().unwrap())
                })
                .collect();
            counts.sort();
            (counts, board["unknown_years"].clone())
        }
    };
    let is = |waits: &str, urgency: &str, number: i64| (waits.to_owned(), urgency.to_owned(), number);
    assert_eq!(board(&officers.district).await, (vec![], json!([])));
    let late = asked(&app, "zhang", json!({})).await;
    moved(&app, "2025-06-17T10:00:00+08:00", &mut [&mut officers.unit]).await;
    asked(&app, "li", json!({})).await;
    moved(
        &app,
        "2025-06-20T10:00:00+08:00",
        &mut [&mut officers.unit, &mut officers.street, &mut officers.district],
    )
    .await;
    asked(&app, "wang", json!({})).await;
    let returned = asked(&app, "zhao", json!({})).await;
    returned.send_back(&officers.unit).await.ok(200);
    let whole = vec![
        is("applicant", "green", 1),
        is("desk", "amber", 1),
        is("desk", "green", 1),
        is("desk", "red", 1),
    ];
    for officer in [&officers.unit, &officers.street, &officers.district] {
        assert_eq!(board(officer).await.0, whole);
    }
    let first = officers.unit.get("/api/v1/review-counts").await.ok(200);
    let red = first["counts"].as_array().unwrap().iter().find(|count| count["urgency"] == "red").unwrap();
    assert_eq!(red["first_due_at"], "2025-06-19T16:00:00Z");
    // A step further it is no longer the unit's, and due at another time.
    late.approve(&officers.unit).await.ok(200);
    assert_eq!(
        board(&officers.unit).await.0,
        vec![is("applicant", "green", 1), is("desk", "amber", 1), is("desk", "green", 1)]
    );
    assert_eq!(
        board(&officers.street).await.0,
        vec![is("applicant", "green", 1), is("desk", "amber", 1), is("desk", "green", 2)]
    );
    // A year whose notice is not there is named, months before it begins.
    moved(&app, "2026-11-15T10:00:00+08:00", &mut [&mut officers.district]).await;
    assert_eq!(board(&officers.district).await.1, json!([2027]));
    app.run_jobs().await;
}
