//! Sign-ups that the desk decides: from the form to a place, and every way in which they end before.

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::ActivityId;
use unionhall::platform::db::schema::{activities, jobs, reviews, signups};

use crate::access::staff_of;
use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_trip_is_applied_for_returned_once_approved_at_three_levels_and_the_place_is_taken,
    the_last_place_goes_to_the_earlier_approval,
    two_final_approvals_at_once_give_one_place,
    who_is_approved_when_all_is_taken_waits,
    a_form_with_faults_leaves_nothing,
    an_application_can_be_cancelled_and_made_again,
    what_is_not_supplied_in_time_lapses,
    a_rejection_is_appealed_against_and_the_place_is_given,
    an_appeal_does_not_give_a_second_sign_up,
    an_activity_that_is_called_off_ends_its_applications,
    an_activity_that_moves_keeps_its_applications,
    who_has_only_applied_is_not_let_in,
    staff_apply_for_somebody,
    the_seeded_trips_and_courses_ask_for_what_their_chains_say,
];

/// Who works at a unit of 平湖.
const UNIT: &str = "demo-enterprise-pinghu-1";

/// A trip in a month whose places the desk gives.
pub fn trip(a: Wanted) -> Wanted {
    a.title("清远疗休养（平湖）")
        .programme("demo-convalescence")
        .allocation("review")
        .signup(TimeDelta::days(-1), TimeDelta::days(20))
        .sessions(&[(TimeDelta::days(30), TimeDelta::days(30) + TimeDelta::hours(8))])
}

/// Answers to everything that the activity asks for.
pub async fn answers(anyone: &Actor, activity: ActivityId) -> Value {
    let form = anyone.get(&format!("/api/v1/activities/{activity}/form")).await.ok(200);
    let mut answers = json!({});
    for field in form["fields"].as_array().unwrap() {
        let answer = match field["kind"].as_str().unwrap() {
            "text" => json!("如实填写"),
            "choice" => field["choices"][0].clone(),
            "day" => json!("1988-06-01"),
            "amount" => json!("120000"),
            "declaration" => json!("yes"),
            _ => continue,
        };
        answers[field["key"].as_str().unwrap()] = answer;
    }
    answers
}

/// Asks for a place, with everything that is asked for.
pub async fn apply(worker: &Actor, activity: &Made) -> Reply {
    let form = answers(worker, activity.id).await;
    worker.post(&format!("/api/v1/activities/{}/signups", activity.id), json!({ "form": form })).await
}

fn review_of(signup: &Value) -> String {
    signup["review_id"].as_str().unwrap_or_else(|| panic!("no review: {signup}")).to_owned()
}

/// Decides about the request as it stands now.
async fn decide(officer: &Actor, review: &str, body: Value) -> Reply {
    let path = format!("/api/v1/reviews/{review}");
    let etag = officer.get(&path).await.etag();
    decide_at(officer, review, &etag, body).await
}

async fn decide_at(officer: &Actor, review: &str, etag: &str, body: Value) -> Reply {
    let request = officer
        .request(Method::POST, &format!("/api/v1/reviews/{review}/decisions"))
        .header("if-match", etag)
        .header("idempotency-key", officer.fresh_key())
        .json(&body);
    officer.send(request).await
}

fn approve() -> Value {
    json!({ "decision": "approve" })
}

/// A reason of the catalogue for `decision`.
async fn reason(officer: &Actor, decision: &str) -> String {
    let path = format!("/api/v1/review-reasons?kind=signup&decision={decision}");
    officer.get(&path).await.ok(200)["items"][0]["code"].as_str().unwrap().to_owned()
}

async fn reject(officer: &Actor, review: &str) -> Reply {
    let code = reason(officer, "reject").await;
    decide(officer, review, json!({ "decision": "reject", "reasons": [code] })).await
}

async fn send_back(officer: &Actor, review: &str, missing: &[&str]) -> Reply {
    let code = reason(officer, "return").await;
    decide(officer, review, json!({ "decision": "return", "reasons": [code], "missing": missing })).await
}

/// The first field that must be answered.
async fn needed(anyone: &Actor, activity: ActivityId) -> String {
    let form = anyone.get(&format!("/api/v1/activities/{activity}/form")).await.ok(200);
    let fields = form["fields"].as_array().unwrap();
    let found = fields.iter().find(|field| field["required"] == true && field["kind"] != "files");
    found.unwrap_or_else(|| panic!("nothing is needed: {form}"))["key"].as_str().unwrap().to_owned()
}

async fn now(worker: &Actor, signup: &Value) -> Value {
    worker.get(&format!("/api/v1/signups/{}", signup["id"].as_str().unwrap())).await.ok(200)
}

async fn cancel(worker: &Actor, signup: &Value) -> Reply {
    let path = format!("/api/v1/signups/{}/cancellations", signup["id"].as_str().unwrap());
    worker.post(&path, json!({})).await
}

/// Places that are used and kept, and how many sign-ups were numbered.
async fn counts(app: &TestApp, activity: ActivityId) -> (i64, i64, i64) {
    app.read(move |conn| {
        let counts = (activities::taken, activities::held, activities::numbered);
        Ok(activities::table.find(activity).select(counts).first(conn)?)
    })
    .await
}

/// State and version of a review.
async fn stands(app: &TestApp, review: &str) -> (String, i64) {
    let id: unionhall::ids::ReviewId = review.parse().unwrap();
    app.read(move |conn| {
        let row = reviews::table.find(id).select((reviews::state, reviews::version));
        let (state, version): (unionhall::review::model::ReviewState, i64) = row.first(conn)?;
        Ok((state.to_string(), version))
    })
    .await
}

/// Somebody who works at [`UNIT`].
async fn employee(app: &TestApp, name: &str) -> Actor {
    let worker = app.worker(name).await;
    worker.set_profile(name, Some(app.organisation(UNIT).await)).await;
    worker
}

/// Time passes, longer than a login lasts.
async fn days_later<const N: usize>(app: &TestApp, days: i64, people: [&mut Actor; N]) {
    app.advance(TimeDelta::days(days));
    come_round(app).await;
    for one in people {
        one.log_in().await;
    }
}

/// A minute's round of everything that comes back.
async fn come_round(app: &TestApp) {
    app.app().worker().plant_recurring().unwrap();
    app.run_jobs().await;
}

async fn a_trip_is_applied_for_returned_once_approved_at_three_levels_and_the_place_is_taken(app: TestApp) {
    let mut unit = staff_of(&app, "union-of-the-unit", "reviewer", UNIT).await;
    let (mut street, mut district) = (app.staff("reviewer-pinghu").await, app.staff("reviewer").await);
    let mut zhang = employee(&app, "zhang").await;
    let activity = app.activity(trip).await;
    let seen = zhang.get(&format!("/api/v1/activities/{}", activity.id)).await.ok(200);
    assert_eq!((&seen["availability"], &seen["allocation"]), (&json!("open"), &json!("review")));

    let signup = apply(&zhang, &activity).await.ok(201);
    assert_eq!(signup["state"], "applied");
    let review = review_of(&signup);
    assert_eq!(review_of(&now(&zhang, &signup).await), review);
    apply(&zhang, &activity).await.problem(409, "signup_duplicate");
    assert_eq!(counts(&app, activity.id).await, (0, 0, 1), "a request uses no place");

    // The unit finds something missing, and says so once.
    days_later(&app, 1, [&mut unit, &mut zhang]).await;
    let missing = needed(&zhang, activity.id).await;
    let returned = send_back(&unit, &review, &[&missing]).await.ok(200);
    assert_eq!((&returned["state"], &returned["missing"]), (&json!("returned"), &json!([missing])));
    assert_eq!(now(&zhang, &signup).await["state"], "applied");
    days_later(&app, 1, [&mut unit, &mut zhang]).await;
    let all = answers(&zhang, activity.id).await;
    let supplement = json!({ "form": { missing.clone(): all[&missing] } });
    zhang.post(&format!("/api/v1/me/reviews/{review}/supplements"), supplement).await.ok(200);
    // A second return needs a superior.
    let code = reason(&unit, "return").await;
    let again = json!({ "decision": "return", "reasons": [code], "missing": [missing] });
    decide(&unit, &review, again).await.problem(409, "review_leave_needed");

    decide(&unit, &review, approve()).await.ok(200);
    days_later(&app, 1, [&mut street]).await;
    decide(&street, &review, approve()).await.ok(200);
    assert_eq!(counts(&app, activity.id).await, (0, 0, 1), "nothing is given before the last approval");
    days_later(&app, 1, [&mut district, &mut zhang]).await;
    let approved = decide(&district, &review, approve()).await.ok(200);
    assert_eq!(approved["state"], "approved");

    assert_eq!(now(&zhang, &signup).await["state"], "confirmed");
    assert_eq!(counts(&app, activity.id).await, (1, 0, 1));
    app.run_jobs().await;
    let inbox = zhang.get("/api/v1/me/notices").await.ok(200);
    let told: Vec<&Value> = inbox["items"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert!(
        told.contains(&&json!("review_returned")) && told.contains(&&json!("review_approved")),
        "{told:?}"
    );
}

/// Somebody without a workplace, whose request goes to the district at once.
async fn applied(app: &TestApp, name: &str, activity: &Made) -> (Actor, Value) {
    let worker = app.worker(name).await;
    let signup = apply(&worker, activity).await.ok(201);
    assert_eq!(signup["state"], "applied", "{signup}");
    (worker, signup)
}

async fn the_last_place_goes_to_the_earlier_approval(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(|a| trip(a).capacity(1)).await;
    let (zhang, first) = applied(&app, "zhang", &activity).await;
    let (li, second) = applied(&app, "li", &activity).await;
    let (earlier, later) = (review_of(&first), review_of(&second));

    decide(&district, &later, approve()).await.ok(200);
    assert_eq!(now(&li, &second).await["state"], "confirmed");
    let before = stands(&app, &earlier).await;
    decide(&district, &earlier, approve()).await.problem(409, "signup_full");
    assert_eq!(stands(&app, &earlier).await, before, "a decision that cannot be kept is none");
    assert_eq!(now(&zhang, &first).await["state"], "applied");
    let file = district.post(&format!("/api/v1/reviews/{earlier}/readings"), json!({})).await.ok(200);
    assert!(file["events"].as_array().unwrap().iter().all(|event| event["kind"] != "approved"));

    // When the place is given back, the same request takes it.
    cancel(&li, &second).await.ok(200);
    decide(&district, &earlier, approve()).await.ok(200);
    assert_eq!(now(&zhang, &first).await["state"], "confirmed");
    assert_eq!(counts(&app, activity.id).await, (1, 0, 2));
    app.run_jobs().await;
}

/// `UNIONHALL_RUSHES=200` for more.
async fn two_final_approvals_at_once_give_one_place(app: TestApp) {
    let officers = [app.staff("reviewer").await, staff_of(&app, "reviewer-2", "reviewer", "longgang").await];
    let rounds = std::env::var("UNIONHALL_RUSHES").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let people = crate::signup::crowd(&app, 2).await;
    for round in 0..rounds {
        let activity = app.activity(|a| trip(a).capacity(1)).await;
        let mut at = Vec::new();
        for person in &people {
            at.push(review_of(&apply(person, &activity).await.ok(201)));
        }
        let (one, two) =
            tokio::join!(decide(&officers[0], &at[0], approve()), decide(&officers[1], &at[1], approve()));
        let mut said: Vec<(u16, &Value)> =
            [&one, &two].map(|reply| (reply.status, &reply.body["code"])).into();
        said.sort_by_key(|(status, _)| *status);
        assert_eq!(said, [(200, &Value::Null), (409, &json!("signup_full"))], "round {round}");
        assert_eq!(counts(&app, activity.id).await, (1, 0, 2), "round {round}");
        let mut states = [stands(&app, &at[0]).await.0, stands(&app, &at[1]).await.0];
        states.sort();
        assert_eq!(states, ["approved", "open"], "round {round}");
    }
    app.run_jobs().await;
}

async fn who_is_approved_when_all_is_taken_waits(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(|a| trip(a).capacity(1).set("waiting_list", json!("strict"))).await;
    let (zhang, first) = applied(&app, "zhang", &activity).await;
    let (li, second) = applied(&app, "li", &activity).await;
    let (wang, third) = applied(&app, "wang", &activity).await;
    for signup in [&first, &third, &second] {
        decide(&district, &review_of(signup), approve()).await.ok(200);
    }
    assert_eq!(now(&zhang, &first).await["state"], "confirmed");
    let (li_stands, wang_stands) = (now(&li, &second).await, now(&wang, &third).await);
    // Whoever came first stands first, whoever was looked at first.
    assert_eq!((&li_stands["state"], &li_stands["position"]), (&json!("waiting"), &json!(1)));
    assert_eq!((&wang_stands["state"], &wang_stands["position"]), (&json!("waiting"), &json!(2)));
    cancel(&zhang, &first).await.ok(200);
    assert_eq!(now(&li, &second).await["state"], "offered");
    let accept = format!("/api/v1/signups/{}/acceptances", second["id"].as_str().unwrap());
    li.post(&accept, json!({})).await.ok(200);
    assert_eq!(counts(&app, activity.id).await, (1, 0, 3));
    app.run_jobs().await;
}

async fn a_form_with_faults_leaves_nothing(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let activity = app.activity(trip).await;
    let path = format!("/api/v1/activities/{}/signups", activity.id);
    let form = zhang.get(&format!("/api/v1/activities/{}/form", activity.id)).await.ok(200);
    assert_eq!(form["chain"], "signup.convalescence");
    let needed: Vec<String> = form["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|field| field["required"] == true)
        .map(|field| format!("/form/{}", field["key"].as_str().unwrap()))
        .collect();
    assert!(!needed.is_empty(), "{form}");
    let mut wrong: Vec<(&str, &str)> = needed.iter().map(|field| (field.as_str(), "required")).collect();
    wrong.push(("/form/no_such_field", "unknown"));
    let body = json!({ "form": { "no_such_field": "?" } });
    let problem = zhang.post(&path, body).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&wrong), "everything at once");
    zhang.post(&path, json!({ "form": { "health": 7 } })).await.problem(422, "validation_failed");
    zhang
        .post(&path, json!({ "form": { "health": "字".repeat(1001) } }))
        .await
        .problem(422, "validation_failed");

    let id = activity.id;
    let left: (i64, i64, i64) = app
        .read(move |conn| {
            let own = signups::table.filter(signups::activity_id.eq(id)).count().get_result(conn)?;
            let waits = jobs::table.filter(jobs::kind.like("notice%")).count().get_result(conn)?;
            Ok((own, reviews::table.count().get_result(conn)?, waits))
        })
        .await;
    assert_eq!(left, (0, 0, 0));
    assert_eq!(counts(&app, id).await, (0, 0, 0), "not even a number");

    // Where places go by the order of arrival, nothing is asked for.
    let direct = app.activity(|a| a).await;
    let asks = zhang.get(&format!("/api/v1/activities/{}/form", direct.id)).await.ok(200);
    assert_eq!(asks, json!({ "fields": [] }));
    let path = format!("/api/v1/activities/{}/signups", direct.id);
    let problem =
        zhang.post(&path, json!({ "form": { "health": "yes" } })).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/form", "unknown")]));
    zhang.post(&path, json!({ "form": {} })).await.ok(201);
    let draft = app.activity(|a| trip(a).draft()).await;
    zhang.get(&format!("/api/v1/activities/{}/form", draft.id)).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn an_application_can_be_cancelled_and_made_again(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(trip).await;
    let (zhang, first) = applied(&app, "zhang", &activity).await;
    let review = review_of(&first);
    let ended = cancel(&zhang, &first).await.ok(200);
    assert_eq!((&ended["state"], &ended["ended_because"]), (&json!("cancelled"), &json!("person")));
    assert_eq!(stands(&app, &review).await.0, "withdrawn");
    decide(&district, &review, approve()).await.expect(409);
    let penalties = zhang.get("/api/v1/me/penalties").await.ok(200);
    assert_eq!(penalties["items"], json!([]), "no place was given back");

    // The other way round, the desk's withdrawal ends the sign-up.
    let again = apply(&zhang, &activity).await.ok(201);
    zhang.post(&format!("/api/v1/me/reviews/{}/withdrawals", review_of(&again)), json!({})).await.ok(200);
    let ended = now(&zhang, &again).await;
    assert_eq!((&ended["state"], &ended["ended_because"]), (&json!("cancelled"), &json!("person")));
    cancel(&zhang, &again).await.problem(409, "state_forbids");
    apply(&zhang, &activity).await.ok(201);
    assert_eq!(counts(&app, activity.id).await, (0, 0, 3));
    app.run_jobs().await;
}

async fn what_is_not_supplied_in_time_lapses(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(trip).await;
    let (mut zhang, signup) = applied(&app, "zhang", &activity).await;
    let missing = needed(&zhang, activity.id).await;
    let returned = send_back(&district, &review_of(&signup), &[&missing]).await.ok(200);
    let until = returned["supplement_due_at"].as_str().unwrap().parse().unwrap();
    app.clock().set(until);
    come_round(&app).await;
    zhang.log_in().await;
    let ended = now(&zhang, &signup).await;
    assert_eq!((&ended["state"], &ended["ended_because"]), (&json!("cancelled"), &json!("lapsed")));
    assert_eq!(review_of(&ended), review_of(&signup));
    app.run_jobs().await;
}

async fn appeal(worker: &Actor, review: &str) -> String {
    let body = json!({ "text": "材料齐全，请复核。" });
    let made = worker.post(&format!("/api/v1/me/reviews/{review}/appeals"), body).await.ok(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn a_rejection_is_appealed_against_and_the_place_is_given(app: TestApp) {
    let district = app.staff("reviewer").await;
    let other = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    let activity = app.activity(|a| trip(a).capacity(1)).await;
    let (zhang, signup) = applied(&app, "zhang", &activity).await;
    reject(&district, &review_of(&signup)).await.ok(200);
    let ended = now(&zhang, &signup).await;
    assert_eq!((&ended["state"], &ended["ended_because"]), (&json!("cancelled"), &json!("rejected")));
    let appeal = appeal(&zhang, &review_of(&signup)).await;
    assert_eq!(now(&zhang, &signup).await["state"], "cancelled", "an appeal keeps no place");
    decide(&other, &appeal, approve()).await.ok(200);
    let revived = now(&zhang, &signup).await;
    assert_eq!((&revived["state"], &revived["ended_because"]), (&json!("confirmed"), &Value::Null));
    assert_eq!(revived["cancelled_at"], Value::Null);
    assert_eq!(counts(&app, activity.id).await, (1, 0, 1));
    app.run_jobs().await;
}

async fn an_appeal_does_not_give_a_second_sign_up(app: TestApp) {
    let district = app.staff("reviewer").await;
    let other = staff_of(&app, "reviewer-2", "reviewer", "longgang").await;
    let activity = app.activity(trip).await;
    let (zhang, signup) = applied(&app, "zhang", &activity).await;
    reject(&district, &review_of(&signup)).await.ok(200);
    let appeal = appeal(&zhang, &review_of(&signup)).await;
    let again = apply(&zhang, &activity).await.ok(201);
    let before = stands(&app, &appeal).await;
    decide(&other, &appeal, approve()).await.problem(409, "signup_duplicate");
    assert_eq!(stands(&app, &appeal).await, before);
    cancel(&zhang, &again).await.ok(200);
    decide(&other, &appeal, approve()).await.ok(200);
    assert_eq!(now(&zhang, &signup).await["state"], "confirmed");
    assert_eq!(counts(&app, activity.id).await, (1, 0, 2));
    app.run_jobs().await;
}

async fn manage(app: &TestApp, activity: &Made, what: &str, body: Value) -> Reply {
    let organiser = app.staff("organiser").await;
    organiser.post(&format!("/api/v1/managed-activities/{}/{what}", activity.id), body).await
}

async fn an_activity_that_is_called_off_ends_its_applications(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(trip).await;
    let (zhang, first) = applied(&app, "zhang", &activity).await;
    let (li, second) = applied(&app, "li", &activity).await;
    let (wang, third) = applied(&app, "wang", &activity).await;
    decide(&district, &review_of(&second), approve()).await.ok(200);
    reject(&district, &review_of(&third)).await.ok(200);
    let appeal = appeal(&wang, &review_of(&third)).await;
    // Nobody says that places are given while somebody waits for the desk.
    manage(&app, &activity, "allocations", json!({})).await.expect(409);

    manage(&app, &activity, "cancellations", json!({ "reason": "台风" })).await.ok(200);
    for (worker, signup) in [(&zhang, &first), (&li, &second)] {
        let ended = now(worker, signup).await;
        assert_eq!(
            (&ended["state"], &ended["ended_because"]),
            (&json!("cancelled"), &json!("activity_cancelled"))
        );
    }
    assert_eq!(stands(&app, &review_of(&first)).await.0, "withdrawn");
    assert_eq!(stands(&app, &review_of(&second)).await.0, "approved", "what was decided stays");
    assert_eq!(stands(&app, &appeal).await.0, "withdrawn", "there is no place to appeal for");
    decide(&district, &review_of(&first), approve()).await.expect(409);
    let queue = district.get("/api/v1/reviews").await.ok(200);
    assert_eq!(queue["items"], json!([]));
    assert_eq!(counts(&app, activity.id).await, (0, 0, 3));
    app.run_jobs().await;
}

async fn an_activity_that_moves_keeps_its_applications(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(trip).await;
    let (zhang, signup) = applied(&app, "zhang", &activity).await;
    let review = review_of(&signup);
    manage(&app, &activity, "postponements", json!({ "reason": "台风" })).await.ok(200);
    assert_eq!(now(&zhang, &signup).await["state"], "applied");
    let before = stands(&app, &review).await;
    decide(&district, &review, approve()).await.problem(409, "state_forbids");
    assert_eq!(stands(&app, &review).await, before);
    let (starts, ends) =
        (app.now() + TimeDelta::days(40), app.now() + TimeDelta::days(40) + TimeDelta::hours(8));
    let session = json!({ "id": activity.session, "starts_at": starts, "ends_at": ends });
    let times = json!({ "reason": "改期", "sessions": [session], "signups": "keep" });
    manage(&app, &activity, "reschedulings", times).await.ok(200);
    decide(&district, &review, approve()).await.ok(200);
    assert_eq!(now(&zhang, &signup).await["state"], "confirmed");
    app.run_jobs().await;
}

async fn who_has_only_applied_is_not_let_in(app: TestApp) {
    let (district, gate) = (app.staff("reviewer").await, app.staff("gate").await);
    let activity = app.activity(|a| a.programme("demo-convalescence").allocation("review")).await;
    let (zhang, signup) = applied(&app, "zhang", &activity).await;
    let refused =
        gate.scan(activity.session, &zhang.pass().await).await.problem(409, "checkin_not_signed_up");
    assert_eq!(refused["detail"], "该职工的申请仍在审核，尚无名额");
    // It runs already: a place would be too late.
    decide(&district, &review_of(&signup), approve()).await.problem(409, "state_forbids");
    reject(&district, &review_of(&signup)).await.ok(200);
    app.run_jobs().await;
}

async fn staff_apply_for_somebody(app: TestApp) {
    let (organiser, district) = (app.staff("organiser").await, app.staff("reviewer").await);
    let activity = app.activity(trip).await;
    let zhang = app.worker("zhang").await;
    let path = format!("/api/v1/activities/{}/proxy-signups", activity.id);
    let mut body = json!({ "person_id": zhang.person(), "basis": "paper_form" });
    organiser.post(&path, body.clone()).await.problem(422, "validation_failed");
    body["form"] = answers(&organiser, activity.id).await;
    let signup = organiser.post(&path, body).await.ok(201);
    assert_eq!((&signup["state"], &signup["basis"]), (&json!("applied"), &json!("paper_form")));
    app.run_jobs().await;
    let inbox = zhang.get("/api/v1/me/notices").await.ok(200);
    let told = inbox["items"][0]["body"].as_str().unwrap();
    assert!(told.contains("等待审核"), "{told}");
    // The request is the person's.
    zhang.get(&format!("/api/v1/me/reviews/{}", review_of(&signup))).await.ok(200);
    decide(&district, &review_of(&signup), approve()).await.ok(200);
    assert_eq!(now(&zhang, &signup).await["state"], "confirmed");
    app.run_jobs().await;
}

async fn the_seeded_trips_and_courses_ask_for_what_their_chains_say(app: TestApp) {
    let zhang = employee(&app, "zhang").await;
    for (code, chain) in [
        ("demo-convalescence-spring", "signup.convalescence"),
        ("demo-district-academic-upgrade", "signup.academic"),
    ] {
        let id: ActivityId = app
            .read(move |conn| {
                let by_code = activities::table.filter(activities::code.eq(code));
                Ok(by_code.select(activities::id).first(conn)?)
            })
            .await;
        let seen = zhang.get(&format!("/api/v1/activities/{id}")).await.ok(200);
        assert_eq!(seen["availability"], "open", "{code}");
        let form = app.anon().get(&format!("/api/v1/activities/{id}/form")).await.ok(200);
        assert_eq!(form["chain"], chain, "{code}");
        let body = json!({ "form": answers(&zhang, id).await });
        let signup = zhang.post(&format!("/api/v1/activities/{id}/signups"), body).await.ok(201);
        let review = zhang.get(&format!("/api/v1/me/reviews/{}", review_of(&signup))).await.ok(200);
        let stages = review["stages"].as_array().unwrap();
        let decided: Vec<&Value> = stages.iter().filter(|stage| stage["state"] != "skipped").collect();
        assert_eq!(decided.len(), 3, "unit, street, district: {code}");
    }
    app.run_jobs().await;
}
