//! What is refused at once, and who agrees to the rest.

use diesel::prelude::*;
use serde_json::json;
use unionhall::attendance::headcounts::model::HeadcountState;
use unionhall::platform::db::schema::{audit_entries, headcounts};

use super::{
    approve, count, count_as, decide, fresh_picture, on_the_square, parcels, reject, seen, text, values,
};
use crate::access::staff_of;
use crate::harness::{Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    more_people_than_the_venue_holds_are_refused_and_kept,
    everything_that_cannot_be_is_said_at_once,
    each_way_of_counting_gives_its_number,
    whoever_counted_does_not_agree,
    what_is_not_agreed_to_counts_nothing,
    a_session_has_one_headcount_at_a_time,
    two_headcounts_at_once_leave_one,
    staff_count_in_their_own_subtree,
    the_same_request_again_is_one_headcount,
];

async fn more_people_than_the_venue_holds_are_refused_and_kept(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(on_the_square).await;
    let photo = fresh_picture(&gate).await;
    let problem = count_as(&gate, activity.session, parcels(3001, &[&photo])).await;
    let problem = problem.problem(409, "headcount_above_venue");
    assert_eq!(faults(&problem), pairs(&[("/number", "above_venue")]));
    let kept = gate.get(&format!("/api/v1/sessions/{}/headcounts", activity.session)).await.ok(200);
    let row = &kept["items"][0];
    assert_eq!(
        (&row["state"], &row["number"], &row["counts"], &row["refused_because"]),
        (&json!("refused"), &json!(3001), &json!(0), &json!(["above_venue"]))
    );
    assert_eq!(values(&app, "17b").await, [0]);
    let told: i64 = app
        .read(|conn| {
            let of = audit_entries::table.filter(audit_entries::action.eq("headcount.refuse"));
            Ok(of.count().get_result(conn)?)
        })
        .await;
    assert_eq!(told, 1);
    // Its picture is free for another attempt, and the session for another headcount.
    count_as(&gate, activity.session, parcels(3000, &[&photo])).await.ok(201);
    // Where a hall is named, what it holds is asked.
    let hall = json!({
        "kind": "venue", "organisation_id": app.organisation("street-pinghu").await, "name": "大礼堂", "seats": 90,
    });
    let hall = app.staff("organiser").await.post("/api/v1/resources", hall).await.ok(201);
    let inside = app.activity(|a| a.capacity(80).set("resource_ids", json!([hall["id"]]))).await;
    count(&gate, inside.session, 91).await.problem(409, "headcount_above_venue");
    count(&gate, inside.session, 90).await.ok(201);
    app.run_jobs().await;
}

async fn everything_that_cannot_be_is_said_at_once(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(on_the_square).await;
    let photo = fresh_picture(&gate).await;
    let body = json!({
        "number": 5000, "method": "parcels", "parcels": 4000, "minutes": 10, "gates": 2, "photos": [photo],
    });
    let problem = count_as(&gate, activity.session, body.clone()).await.problem(409, "headcount_above_venue");
    assert_eq!(
        faults(&problem),
        pairs(&[("/number", "above_venue"), ("/number", "above_rate"), ("/number", "above_parcels")])
    );
    let mut fewer = body;
    fewer["number"] = json!(801);
    let problem =
        count_as(&gate, activity.session, fewer.clone()).await.problem(409, "headcount_implausible");
    assert_eq!(faults(&problem), pairs(&[("/number", "above_rate")]));
    fewer["number"] = json!(800);
    count_as(&gate, activity.session, fewer).await.ok(201);
    let mut states: Vec<(HeadcountState, Option<String>)> = app
        .read(|conn| {
            let rows = headcounts::table.order(headcounts::id);
            Ok(rows.select((headcounts::state, headcounts::refused_because)).load(conn)?)
        })
        .await;
    let refused = |why: &str| (HeadcountState::Refused, Some(why.to_owned()));
    let mut expected = [
        refused("above_venue;above_rate;above_parcels"),
        refused("above_rate"),
        (HeadcountState::Proposed, None),
    ];
    // Ids of one millisecond have no order.
    states.sort();
    expected.sort();
    assert_eq!(states, expected);
    app.run_jobs().await;
}

async fn each_way_of_counting_gives_its_number(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(on_the_square).await;
    let photo = fresh_picture(&gate).await;
    let with = |what: serde_json::Value| {
        let mut body = json!({ "number": 150, "minutes": 60, "gates": 1, "photos": [photo] });
        body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        body
    };
    for wrong in [
        json!({ "method": "gate_counter", "counter_before": 10, "counter_after": 161 }),
        json!({ "method": "gate_counter", "counter_before": 160, "counter_after": 10 }),
        json!({ "method": "seats", "seats": 300, "share_percent": 51 }),
        json!({ "method": "parcels", "parcels": 149 }),
    ] {
        let reply = count_as(&gate, activity.session, with(wrong)).await;
        reply.problem(409, "headcount_implausible");
    }
    // What a method rests on is said, and nothing else: that is no attempt that is kept.
    let reply = count_as(&gate, activity.session, with(json!({ "method": "seats", "parcels": 150 }))).await;
    assert_eq!(
        faults(&reply.problem(422, "validation_failed")),
        pairs(&[("/parcels", "unknown"), ("/seats", "required"), ("/share_percent", "required")])
    );
    let rows: i64 = app.read(|conn| Ok(headcounts::table.count().get_result(conn)?)).await;
    assert_eq!(rows, 4);
    for right in [
        json!({ "method": "gate_counter", "counter_before": 10, "counter_after": 160 }),
        json!({ "method": "seats", "seats": 300, "share_percent": 50 }),
        json!({ "method": "parcels", "parcels": 200 }),
    ] {
        let activity = app.activity(on_the_square).await;
        let mut body = with(right);
        body["photos"] = json!([fresh_picture(&gate).await]);
        count_as(&gate, activity.session, body).await.ok(201);
    }
    app.run_jobs().await;
}

async fn whoever_counted_does_not_agree(app: TestApp) {
    let both = staff_of(&app, "both", "reviewer", "street-pinghu").await;
    let body = json!({
        "person_id": both.person(), "role": "checkin_staff",
        "organisation_id": app.organisation("street-pinghu").await,
    });
    app.staff("admin").await.post("/api/v1/staff-grants", body).await.ok(201);
    let activity = app.activity(on_the_square).await;
    let made = count(&both, activity.session, 400).await.ok(201);
    approve(&both, &made).await.problem(403, "review_recused");
    assert_eq!(values(&app, "17b").await, [0]);
    // Nor does somebody of another street.
    let buji = staff_of(&app, "buji", "reviewer", "street-buji").await;
    let path = format!("/api/v1/reviews/{}", text(&made, "review_id"));
    buji.get(&path).await.problem(404, "not_found");
    approve(&app.staff("reviewer-pinghu").await, &made).await.ok(200);
    assert_eq!(values(&app, "17b").await, [400]);
    app.run_jobs().await;
}

async fn what_is_not_agreed_to_counts_nothing(app: TestApp) {
    let (gate, reviewer) = (app.staff("gate").await, app.staff("reviewer-pinghu").await);
    let activity = app.activity(on_the_square).await;
    let rejected = count(&gate, activity.session, 400).await.ok(201);
    reject(&reviewer, &rejected).await.ok(200);
    assert_eq!(seen(&app, &rejected).await["state"], "rejected");
    let withdrawn = count(&gate, activity.session, 400).await.ok(201);
    let path = format!("/api/v1/me/reviews/{}/withdrawals", text(&withdrawn, "review_id"));
    gate.post(&path, json!({})).await.ok(200);
    assert_eq!(seen(&app, &withdrawn).await["state"], "withdrawn");
    assert_eq!(values(&app, "17b").await, [0]);
    // The one that was rejected counts on appeal, unless the session has another by then.
    let path = format!("/api/v1/me/reviews/{}/appeals", text(&rejected, "review_id"));
    let appeal = gate.post(&path, json!({ "text": "有签领单" })).await.ok(201);
    let newer = count(&gate, activity.session, 350).await.ok(201);
    let district = app.staff("reviewer").await;
    let yes = json!({ "decision": "approve" });
    decide(&district, &text(&appeal, "id"), yes.clone()).await.problem(409, "headcount_live");
    reject(&reviewer, &newer).await.ok(200);
    decide(&district, &text(&appeal, "id"), yes).await.ok(200);
    assert_eq!(seen(&app, &rejected).await["state"], "approved");
    assert_eq!(values(&app, "17b").await, [400]);
    app.run_jobs().await;
}

async fn a_session_has_one_headcount_at_a_time(app: TestApp) {
    let (gate, reviewer) = (app.staff("gate").await, app.staff("reviewer-pinghu").await);
    let activity = app.activity(on_the_square).await;
    let made = count(&gate, activity.session, 400).await.ok(201);
    count(&gate, activity.session, 500).await.problem(409, "headcount_live");
    approve(&reviewer, &made).await.ok(200);
    count(&gate, activity.session, 500).await.problem(409, "headcount_live");
    let other = app.activity(on_the_square).await;
    let first = count(&gate, other.session, 400).await.ok(201);
    reject(&reviewer, &first).await.ok(200);
    let second = count(&gate, other.session, 300).await.ok(201);
    approve(&reviewer, &second).await.ok(200);
    assert_eq!(values(&app, "17b").await, [700]);
    app.run_jobs().await;
}

async fn two_headcounts_at_once_leave_one(app: TestApp) {
    let (gate, other) = (app.staff("gate").await, app.second_instance().await);
    for _ in 0..3 {
        let activity = app.activity(on_the_square).await;
        let (one, two) = (fresh_picture(&gate).await, fresh_picture(&gate).await);
        let elsewhere = gate.at(&other);
        let (first, second) = tokio::join!(
            count_as(&gate, activity.session, parcels(100, &[&one])),
            count_as(&elsewhere, activity.session, parcels(200, &[&two])),
        );
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", first.text, second.text);
        let lost = if first.status == 409 { first } else { second };
        lost.problem(409, "headcount_live");
    }
    app.run_jobs().await;
}

async fn staff_count_in_their_own_subtree(app: TestApp) {
    let here = app.staff("gate-pinghu").await;
    let there = app.activity(|a| on_the_square(a).organisation("street-buji")).await;
    count(&here, there.session, 5).await.problem(404, "not_found");
    let made = count(&app.staff("gate").await, there.session, 5).await.ok(201);
    here.get(&format!("/api/v1/headcounts/{}", text(&made, "id"))).await.problem(404, "not_found");
    here.get(&format!("/api/v1/sessions/{}/headcounts", there.session)).await.problem(404, "not_found");
    let own = app.activity(on_the_square).await;
    let photo = fresh_picture(&app.staff("gate").await).await;
    // Another's picture is nobody else's to show.
    count_as(&here, own.session, parcels(5, &[&photo])).await.problem(409, "file_unusable");
    count(&here, own.session, 5).await.ok(201);
    // A department is of no street: the district decides.
    let department = app.activity(|a| on_the_square(a).organisation("dept-rights")).await;
    let made = count(&app.staff("gate").await, department.session, 5).await.ok(201);
    approve(&app.staff("reviewer").await, &made).await.ok(200);
    assert_eq!(values(&app, "17b").await, [5]);
    app.run_jobs().await;
}

async fn the_same_request_again_is_one_headcount(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(on_the_square).await;
    let (path, key) = (format!("/api/v1/sessions/{}/headcounts", activity.session), gate.fresh_key());
    let body = parcels(5, &[&fresh_picture(&gate).await]);
    let first = gate.post_keyed(&key, &path, body.clone()).await.ok(201);
    let again = gate.post_keyed(&key, &path, body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.ok(201), first);
    app.run_jobs().await;
}
