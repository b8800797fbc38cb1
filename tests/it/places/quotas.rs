//! Quotas: promises to streets and groups, given on when they are not used.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{again, all_sign_up, next_week, now, states, workers};
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};
use crate::lifecycle::everything;

pub const TESTS: &[Test] = tests![
    a_place_is_free_only_if_every_covering_quota_has_one,
    wrong_quotas_are_named_and_change_nothing,
    unused_places_go_on_when_their_time_has_come,
    streets_agree_about_places,
    an_audience_may_come_earlier,
    more_are_given_than_there_are_seats_and_the_door_keeps_the_seats,
];

/// A worker of a sub-district's enterprise.
async fn of_street(app: &TestApp, street: &str, number: usize) -> Vec<Actor> {
    let place = app.organisation(street).await;
    let people = workers(app, number).await;
    for person in &people {
        person.set_profile("李一", Some(place)).await;
    }
    people
}

async fn split(
    app: &TestApp,
    activity: &Made,
    quotas: Value,
    release: Option<Value>,
) -> crate::harness::Reply {
    let organiser = app.worker("organiser").await;
    let path = format!("/api/v1/managed-activities/{}", activity.id);
    let etag = organiser.get(&path).await.etag();
    let mut body = json!({ "quotas": quotas });
    if let Some(release) = release {
        body["release"] = release;
    }
    organiser.put(&format!("{path}/quotas"), &etag, body).await
}

async fn listed(app: &TestApp, activity: &Made) -> Vec<Value> {
    let list = app.anon().get(&format!("/api/v1/activities/{}/quotas", activity.id)).await.ok(200);
    list["items"].as_array().unwrap().clone()
}

async fn a_place_is_free_only_if_every_covering_quota_has_one(app: TestApp) {
    let (pinghu, pingdi) = (app.organisation("street-pinghu").await, app.organisation("street-pingdi").await);
    let activity = app.activity(|a| next_week(a).capacity(4)).await;
    let quotas = json!([
        { "kind": "street", "organisation_id": pinghu, "capacity": 2 },
        { "kind": "street", "organisation_id": pingdi, "capacity": 1 },
    ]);
    split(&app, &activity, quotas, None).await.ok(200);
    let ours = of_street(&app, "street-pinghu", 3).await;
    all_sign_up(&ours[..2], &activity).await;
    let full = ours[2].sign_up(&activity).await.problem(409, "signup_full");
    assert!(full["detail"].as_str().unwrap().contains("平湖"), "{full}");
    // Nobody's quota is theirs, and there is no pool.
    workers(&app, 1).await[0].sign_up(&activity).await.problem(409, "signup_not_covered");
    all_sign_up(&of_street(&app, "street-pingdi", 1).await, &activity).await;
    let uses: Vec<i64> =
        listed(&app, &activity).await.iter().map(|quota| quota["taken"].as_i64().unwrap()).collect();
    assert_eq!(uses, [2, 1]);
    app.run_jobs().await;
}

async fn wrong_quotas_are_named_and_change_nothing(app: TestApp) {
    let (pinghu, enterprise) = (app.organisation("street-pinghu").await, app.organisation("longgang").await);
    let activity = app.activity(|a| next_week(a).capacity(4)).await;
    let wrong = json!([
        { "kind": "street", "organisation_id": pinghu, "capacity": 3 },
        { "kind": "street", "organisation_id": pinghu, "capacity": 2 },
        { "kind": "street", "organisation_id": enterprise, "capacity": 0 },
        { "kind": "audience", "capacity": 0 },
    ]);
    let late = json!({ "at": app.now() + TimeDelta::days(8), "to": "pool" });
    let problem = split(&app, &activity, wrong, Some(late)).await.problem(422, "validation_failed");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/quotas", "/quotas/1", "/quotas/3", "/release/at", "/quotas/2/organisation_id"]);
    assert_eq!(listed(&app, &activity).await, [] as [Value; 0]);

    let mine = json!([{ "kind": "street", "organisation_id": pinghu, "capacity": 2 }]);
    split(&app, &activity, mine, None).await.ok(200);
    all_sign_up(&of_street(&app, "street-pinghu", 2).await, &activity).await;
    let less = |ours: i64| {
        json!([
            { "kind": "pool", "capacity": 4 - ours },
            { "kind": "street", "organisation_id": pinghu, "capacity": ours },
        ])
    };
    let organiser = app.worker("organiser").await;
    let path = format!("/api/v1/managed-activities/{}", activity.id);
    let etag = organiser.get(&path).await.etag();
    let before = (listed(&app, &activity).await, everything(&app).await);
    for below in [less(1), less(0), json!([{ "kind": "pool", "capacity": 4 }]), json!([])] {
        let refused = organiser.put(&format!("{path}/quotas"), &etag, json!({ "quotas": below })).await;
        refused.problem(409, "quota_below_use");
        assert_eq!((listed(&app, &activity).await, everything(&app).await), before);
    }
    organiser.put(&format!("{path}/quotas"), &etag, json!({ "quotas": less(2) })).await.ok(200);
    let unsplit = app.activity(next_week).await;
    all_sign_up(&workers(&app, 1).await, &unsplit).await;
    let late = json!([{ "kind": "pool", "capacity": 1 }]);
    split(&app, &unsplit, late, None).await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn unused_places_go_on_when_their_time_has_come(app: TestApp) {
    let (pinghu, pingdi) = (app.organisation("street-pinghu").await, app.organisation("street-pingdi").await);
    let activity = app.activity(|a| next_week(a).capacity(4).set("waiting_list", json!("strict"))).await;
    let quotas = json!([
        { "kind": "street", "organisation_id": pinghu, "capacity": 1 },
        { "kind": "street", "organisation_id": pingdi, "capacity": 3 },
    ]);
    let at = app.now() + TimeDelta::days(3);
    split(&app, &activity, quotas, Some(json!({ "at": at, "to": "pro_rata" }))).await.ok(200);
    let ours = of_street(&app, "street-pinghu", 3).await;
    let signups = all_sign_up(&ours, &activity).await;
    assert_eq!(states(&signups), ["confirmed", "waiting", "waiting"]);
    app.run_jobs().await;
    assert_eq!(now(&ours[1], &signups[1]).await["state"], "waiting", "not yet");
    app.advance(TimeDelta::days(3) + TimeDelta::minutes(2));
    let ours = again(&app, &ours).await;
    super::come_round(&app).await;
    let asked = [now(&ours[1], &signups[1]).await, now(&ours[2], &signups[2]).await];
    assert_eq!(states(&asked), ["offered", "offered"]);
    let all = listed(&app, &activity).await;
    let capacities: Vec<(&str, i64)> = all
        .iter()
        .map(|quota| (quota["kind"].as_str().unwrap(), quota["capacity"].as_i64().unwrap()))
        .collect();
    assert_eq!(capacities, [("street", 3), ("street", 0), ("pool", 1)]);
    // Once: another minute changes nothing. A stranger may have what is everybody's now.
    app.advance(TimeDelta::minutes(2));
    super::come_round(&app).await;
    assert_eq!(listed(&app, &activity).await, all);
    let stranger = workers(&app, 1).await;
    assert_eq!(stranger[0].sign_up(&activity).await.ok(201)["state"], "confirmed");
    let organiser = app.staff("organiser").await;
    let moves = organiser.get(&format!("/api/v1/activities/{}/quota-moves", activity.id)).await.ok(200);
    assert_eq!(moves["items"].as_array().unwrap().len(), 2);
    app.run_jobs().await;
}

async fn streets_agree_about_places(app: TestApp) {
    let (pinghu, pingdi) = (app.organisation("street-pinghu").await, app.organisation("street-pingdi").await);
    let activity = app
        .activity(|a| next_week(a).organisation("longgang").capacity(4).set("waiting_list", json!("strict")))
        .await;
    let quotas = json!([
        { "kind": "street", "organisation_id": pinghu, "capacity": 1 },
        { "kind": "street", "organisation_id": pingdi, "capacity": 3 },
    ]);
    split(&app, &activity, quotas, None).await.ok(200);
    let ours = of_street(&app, "street-pinghu", 2).await;
    let signups = all_sign_up(&ours, &activity).await;
    all_sign_up(&of_street(&app, "street-pingdi", 1).await, &activity).await;
    let list = listed(&app, &activity).await;
    let (to, from) = (list[0]["id"].clone(), list[1]["id"].clone());
    let path = format!("/api/v1/activities/{}/quota-transfers", activity.id);
    let offer = |places: i64| json!({ "from": from, "to": to, "places": places, "reason": "报名不足" });
    // An officer of 平湖 speaks for 平湖 only.
    let admin = app.staff("admin").await;
    let (giver, taker) = (app.worker("officer-pingdi").await, app.worker("officer-pinghu").await);
    for (who, place) in [(&giver, pingdi), (&taker, pinghu)] {
        let body = json!({ "person_id": who.person(), "role": "organiser", "organisation_id": place });
        admin.post("/api/v1/staff-grants", body).await.ok(201);
    }
    taker.post(&path, offer(1)).await.problem(404, "not_found");
    giver.post(&path, offer(3)).await.problem(409, "quota_below_use");
    let offered = giver.post(&path, offer(2)).await.ok(201);
    assert_eq!(
        now(&ours[1], &signups[1]).await["state"],
        "waiting",
        "nothing moves before the other side agrees"
    );
    let answers = format!("/api/v1/quota-transfers/{}/answers", offered["id"].as_str().unwrap());
    giver.post(&answers, json!({ "answer": "accept" })).await.problem(404, "not_found");
    taker.post(&answers, json!({ "answer": "withdraw" })).await.problem(404, "not_found");
    assert_eq!(taker.post(&answers, json!({ "answer": "accept" })).await.ok(200)["state"], "done");
    taker.post(&answers, json!({ "answer": "accept" })).await.problem(409, "state_forbids");
    assert_eq!(now(&ours[1], &signups[1]).await["state"], "offered");
    let capacities: Vec<i64> =
        listed(&app, &activity).await.iter().map(|q| q["capacity"].as_i64().unwrap()).collect();
    assert_eq!(capacities, [3, 1]);
    // What was offered and then used cannot be taken.
    app.run_jobs().await;
}

async fn an_audience_may_come_earlier(app: TestApp) {
    let wave = json!([{ "kind": "audience", "audience": "model_worker", "opens_at": app.now() - TimeDelta::hours(1) }]);
    let activity = app
        .activity(|a| next_week(a).signup(TimeDelta::hours(1), TimeDelta::days(6)).set("waves", wave))
        .await;
    let people = workers(&app, 2).await;
    let place = app.organisation("street-pinghu").await;
    people[0].set_profile("王一", Some(place)).await;
    let path = format!("/api/v1/people/{}/audiences/model_worker", people[0].person());
    let organiser = app.staff("organiser").await;
    let recorded =
        organiser.request(reqwest::Method::PUT, &path).json(&json!({ "basis": "2024年市劳模证书" }));
    organiser.send(recorded).await.expect(200);
    assert_eq!(people[0].sign_up(&activity).await.ok(201)["state"], "confirmed");
    people[1].sign_up(&activity).await.problem(409, "signup_not_yet_open");
    app.run_jobs().await;
}

async fn more_are_given_than_there_are_seats_and_the_door_keeps_the_seats(app: TestApp) {
    let activity = app.activity(|a| a.capacity(2).set("overbook_percent", json!(50))).await;
    let people = workers(&app, 4).await;
    all_sign_up(&people[..3], &activity).await;
    people[3].sign_up(&activity).await.problem(409, "signup_full");
    let gate = app.staff("gate").await;
    for (place, person) in people[..3].iter().enumerate() {
        let scanned = gate.scan(activity.session, &person.pass().await).await;
        if place < 2 {
            scanned.ok(200);
        } else {
            scanned.problem(409, "checkin_full");
        }
    }
    app.run_jobs().await;
}
