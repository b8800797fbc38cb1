//! The catalogue: what workers find in it, and how organisers make it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::http::problems::{faults, pairs};
use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::lifecycle::everything;

pub const TESTS: &[Test] = tests![
    filters_by_form_and_by_street,
    a_day_is_a_day_in_shanghai,
    open_now_means_that_a_place_can_be_had,
    a_searched_text_is_taken_literally,
    what_is_over_is_not_listed_and_can_be_read,
    a_draft_is_seen_by_its_organisers_only,
    organisers_see_and_touch_their_own_subtree_only,
    a_draft_is_published_once,
    what_is_over_cannot_be_published,
    every_wrong_time_is_named,
    unknown_references_are_named,
    a_programme_is_made_once_by_its_key,
    an_activity_is_made_once_by_its_key,
    a_change_needs_the_version_that_was_read,
];

const LIST: &str = "/api/v1/activities";
const MANAGED: &str = "/api/v1/managed-activities";

/// Ids of the list at `path`, which fits on one page.
async fn listed(actor: &Actor, path: &str, query: &[(&str, &str)]) -> Vec<String> {
    let request = actor.request(reqwest::Method::GET, path).query(&[("limit", "100")]).query(query);
    let page = actor.send(request).await.ok(200);
    assert_eq!(page.get("next"), None);
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn finds(app: &TestApp, query: &[(&str, &str)], activity: &Made) -> bool {
    listed(&app.anon(), LIST, query).await.contains(&activity.id.to_string())
}

async fn filters_by_form_and_by_street(app: TestApp) {
    let skills = app.activity(|a| a.organisation("street-pinghu")).await;
    let lecture = app
        .activity(|a| a.programme("demo-legal-education").organisation("longgang").street("street-buji"))
        .await;
    let (pinghu, buji) = (app.organisation("street-pinghu").await, app.organisation("street-buji").await);
    let (pinghu, buji) = (pinghu.to_string(), buji.to_string());
    for (query, of_skills, of_lecture) in [
        (vec![("kind", "training")], true, false),
        (vec![("kind", "lecture")], false, true),
        (vec![("kind", "convalescence")], false, false),
        (vec![("street", pinghu.as_str())], true, false),
        (vec![("street", buji.as_str())], false, true),
        (vec![("street", buji.as_str()), ("kind", "lecture")], false, true),
        (vec![("street", buji.as_str()), ("kind", "training")], false, false),
    ] {
        assert_eq!(finds(&app, &query, &skills).await, of_skills, "{query:?}");
        assert_eq!(finds(&app, &query, &lecture).await, of_lecture, "{query:?}");
    }
    for kind in ["training", "lecture"] {
        let page = app.anon().get(&format!("/api/v1/programmes?limit=100&kind={kind}")).await.ok(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() > 1 && items.iter().all(|item| item["kind"] == kind), "{kind}");
    }
}

async fn a_day_is_a_day_in_shanghai(app: TestApp) {
    // It is 10:00 on 16 June in Shanghai.
    let at = |hours: i64, minutes: i64| TimeDelta::hours(hours - 10) + TimeDelta::minutes(minutes);
    let over_midnight = app.activity(|a| a.sessions(&[(at(23, 30), at(24, 30))])).await;
    let until_midnight = app.activity(|a| a.sessions(&[(at(23, 0), at(24, 0))])).await;
    let early = app.activity(|a| a.sessions(&[(at(24, 0), at(25, 0))])).await;
    let apart = app.activity(|a| a.sessions(&[(at(20, 0), at(21, 0)), (at(68, 0), at(69, 0))])).await;
    for (day, expected) in [
        ("2025-06-15", [false, false, false, false]),
        ("2025-06-16", [true, true, false, true]),
        ("2025-06-17", [true, false, true, false]),
        ("2025-06-18", [false, false, false, true]),
    ] {
        let list = listed(&app.anon(), LIST, &[("day", day)]).await;
        let found =
            [&over_midnight, &until_midnight, &early, &apart].map(|a| list.contains(&a.id.to_string()));
        assert_eq!(found, expected, "{day}");
        assert!(list.len() > expected.iter().filter(|e| **e).count() || day != "2025-06-16");
    }
    for day in ["1970-01-01", "2199-12-31"] {
        assert_eq!(listed(&app.anon(), LIST, &[("day", day)]).await, [""; 0], "{day}");
    }
}

async fn open_now_means_that_a_place_can_be_had(app: TestApp) {
    let hours = TimeDelta::hours;
    let open = app.activity(|a| a).await;
    let full = app.activity(|a| a.capacity(1)).await;
    let later = app.activity(|a| a.signup(hours(1), hours(2)).sessions(&[(hours(1), hours(3))])).await;
    let closed = app.activity(|a| a.signup(hours(-2), hours(-1))).await;
    app.worker("zhang").await.sign_up(&full).await.ok(201);
    for (activity, availability) in
        [(&open, "open"), (&full, "full"), (&later, "not_yet_open"), (&closed, "closed")]
    {
        let query = [("open_now", "true")];
        assert_eq!(finds(&app, &query, activity).await, availability == "open", "{availability}");
        assert!(finds(&app, &[("open_now", "false")], activity).await, "{availability}");
        let seen = app.anon().get(&format!("{LIST}/{}", activity.id)).await.ok(200);
        assert_eq!(seen["availability"], availability);
    }
    // It opens at the very instant, and closes at the very instant.
    app.advance(hours(1));
    assert!(finds(&app, &[("open_now", "true")], &later).await);
    assert!(!finds(&app, &[("open_now", "true")], &open).await);
    app.run_jobs().await;
}

async fn a_searched_text_is_taken_literally(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let titles = ["100% Cotton_Wool", "100 Cotton Wool", r"back\slash", "ＡＢＣ 入门", "École d'été"];
    let mut made = Vec::new();
    for title in titles {
        made.push(app.activity_by(&organiser, |a| a.title(title)).await);
    }
    for (text, expected) in [
        ("%", vec![0]),
        ("100%", vec![0]),
        ("_", vec![0]),
        ("n_w", vec![0]),
        ("0%n", vec![]),
        ("cotton", vec![0, 1]),
        ("COTTON WOOL", vec![1]),
        (r"\", vec![2]),
        (r"K\S", vec![2]),
        (r"\%", vec![]),
        ("ＡＢＣ", vec![3]),
        ("École", vec![4]),
        ("'", vec![4]),
        ("由测试创建", vec![0, 1, 2, 3, 4]),
        ("没有这样的活动", vec![]),
    ] {
        let list = listed(&app.anon(), LIST, &[("q", text)]).await;
        let found: Vec<usize> = (0..made.len()).filter(|n| list.contains(&made[*n].id.to_string())).collect();
        assert_eq!(found, expected, "{text}");
    }
}

async fn what_is_over_is_not_listed_and_can_be_read(app: TestApp) {
    let activity = app.activity(|a| a).await;
    assert!(finds(&app, &[], &activity).await);
    app.advance(TimeDelta::minutes(90));
    assert!(!finds(&app, &[], &activity).await);
    let seen = app.anon().get(&format!("{LIST}/{}", activity.id)).await.ok(200);
    assert_eq!((&seen["state"], &seen["availability"]), (&json!("published"), &json!("closed")));
}

async fn a_draft_is_seen_by_its_organisers_only(app: TestApp) {
    let draft = app.activity(Wanted::draft).await;
    assert_eq!(draft.body["state"], "draft");
    let public = format!("{LIST}/{}", draft.id);
    let organiser = app.staff("organiser").await;
    for actor in [app.anon(), app.worker("zhang").await, organiser.clone()] {
        actor.get(&public).await.problem(404, "not_found");
        assert!(!finds(&app, &[], &draft).await);
    }
    let managed = format!("{MANAGED}/{}", draft.id);
    let seen = organiser.get(&managed).await.ok(200);
    assert_eq!((&seen["id"], &seen["state"]), (&json!(draft.id), &json!("draft")));
    assert!(listed(&organiser, MANAGED, &[]).await.contains(&draft.id.to_string()));
    app.anon().get(&managed).await.problem(401, "unauthenticated");
    app.worker("zhang").await.get(&managed).await.problem(403, "forbidden");
    app.staff("gate").await.get(&managed).await.problem(403, "forbidden");
}

async fn organisers_see_and_touch_their_own_subtree_only(app: TestApp) {
    let local = app.staff("organiser-pinghu").await;
    let own = app.activity_by(&local, |a| Wanted::draft(a.organisation("demo-enterprise-pinghu-1"))).await;
    let other = app.activity(|a| Wanted::draft(a.organisation("street-buji"))).await;
    let list = listed(&local, MANAGED, &[]).await;
    assert!(list.contains(&own.id.to_string()) && !list.contains(&other.id.to_string()));
    let path = format!("{MANAGED}/{}", other.id);
    local.get(&path).await.problem(404, "not_found");
    local.post(&format!("{path}/publications"), json!({})).await.problem(404, "not_found");
    let etag = app.staff("organiser").await.get(&path).await.etag();
    local.put(&path, &etag, change("偷改")).await.problem(404, "not_found");
    for foreign in ["street-buji", "longgang"] {
        let input = app.activity_input(|a| a.organisation(foreign)).await;
        let problem = local.post(LIST, input).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/organisation_id", "unknown")]));
        let mut programme = programme_input(&app).await;
        programme["organisation_id"] = json!(app.organisation(foreign).await);
        let problem = local.post("/api/v1/programmes", programme).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/organisation_id", "unknown")]));
    }
    let unchanged = app.staff("organiser").await.get(&path).await.ok(200);
    assert_eq!((&unchanged["state"], &unchanged["title"]), (&json!("draft"), &other.body["title"]));
}

async fn a_draft_is_published_once(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let draft = app.activity(Wanted::draft).await;
    let path = format!("{MANAGED}/{}/publications", draft.id);
    app.worker("zhang").await.post(&path, json!({})).await.problem(403, "forbidden");
    app.staff("reviewer").await.post(&path, json!({})).await.problem(403, "forbidden");
    let published = organiser.post_keyed("publish-once", &path, json!({})).await;
    assert_eq!(published.expect(200).body["state"], "published");
    let again = organiser.post_keyed("publish-once", &path, json!({})).await;
    assert_eq!((again.status, &again.text), (200, &published.text));
    let problem = organiser.post(&path, json!({})).await.problem(409, "state_forbids");
    assert_eq!(problem["detail"], "活动正在进行，不能发布；目前可以：取消、延期、改期");
    assert!(finds(&app, &[], &draft).await);
    let audit = app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={}", draft.id)).await;
    let actions: Vec<Value> =
        audit.ok(200)["items"].as_array().unwrap().iter().map(|e| e["action"].clone()).collect();
    assert_eq!(actions, ["activity.publish", "activity.create"]);
}

async fn what_is_over_cannot_be_published(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let draft = app.activity(Wanted::draft).await;
    let path = format!("{MANAGED}/{}", draft.id);
    app.advance(TimeDelta::minutes(90));
    let mut organiser_later = organiser.clone();
    organiser_later.log_in().await;
    let late = organiser_later.post(&format!("{path}/publications"), json!({})).await;
    assert_eq!(late.problem(409, "state_forbids")["detail"], "所有场次都已结束");
    // And what is finished is not changed.
    let held = app.activity(|a| a).await;
    app.staff("gate").await.finalise(held.session).await.ok(200);
    let path = format!("{MANAGED}/{}", held.id);
    let etag = organiser_later.get(&path).await.etag();
    organiser_later.put(&path, &etag, change("改名")).await.problem(409, "state_forbids");
}

async fn every_wrong_time_is_named(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let at = |hours: i64| -> DateTime<Utc> { app.now() + TimeDelta::hours(hours) };
    let mut input = app.activity_input(|a| a).await;
    input["signup_opens_at"] = json!(at(50));
    input["signup_closes_at"] = json!(at(50));
    input["sessions"] = json!([
        { "starts_at": at(10), "ends_at": at(10) },
        { "starts_at": at(10), "ends_at": at(12) },
        { "starts_at": at(10), "ends_at": at(35) },
    ]);
    let before = everything(&app).await;
    let problem = organiser.post(LIST, input.clone()).await.problem(422, "validation_failed");
    let expected = pairs(&[
        ("/sessions/0/ends_at", "order"),
        ("/sessions/2/ends_at", "too_long"),
        ("/signup_closes_at", "order"),
        ("/signup_closes_at", "order"),
    ]);
    assert_eq!(faults(&problem), expected);
    // The window of sign-up alone: it ends before it begins.
    input["sessions"] = json!([{ "starts_at": at(10), "ends_at": at(12) }]);
    input["signup_opens_at"] = json!(at(9));
    input["signup_closes_at"] = json!(at(8));
    let problem = organiser.post(LIST, input.clone()).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/signup_closes_at", "order")]));
    assert_eq!(everything(&app).await, before);
    input["signup_opens_at"] = json!(at(1));
    input["signup_closes_at"] = json!(at(12));
    organiser.post(LIST, input.clone()).await.ok(201);
    // A time is an instant: without its offset it says nothing.
    input["sessions"][0]["starts_at"] = json!("2025-06-16T20:00:00");
    let problem = organiser.post(LIST, input.clone()).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/sessions/0/starts_at", "format")]));
    input["sessions"] = json!([]);
    let problem = organiser.post(LIST, input).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/sessions", "min_items")]));
}

async fn unknown_references_are_named(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let good = app.activity_input(|a| a).await;
    let nowhere = app.ids().id::<unionhall::ids::OrganisationId>();
    let nothing = app.ids().id::<unionhall::ids::ProgrammeId>();
    let station = app.organisation("demo-station-pinghu-1").await;
    let district = app.organisation("longgang").await;
    for (field, value) in [
        ("street_id", json!(nowhere)),
        ("street_id", json!(station)),
        ("street_id", json!(district)),
        ("programme_id", json!(nothing)),
        ("organisation_id", json!(nowhere)),
    ] {
        let mut input = good.clone();
        input[field] = value;
        let problem = organiser.post(LIST, input).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[(&format!("/{field}"), "unknown")]), "{field}");
    }
    let made = organiser.post(LIST, good).await.ok(201);
    assert_eq!(made["street_id"], json!(app.organisation("street-pinghu").await), "the organiser's own");
}

async fn programme_input(app: &TestApp) -> Value {
    json!({ "organisation_id": app.organisation("longgang").await, "name": "焊工考证", "summary": "",
            "kind": "training", "topic": "skills", "audience": "skilled_worker" })
}

async fn a_programme_is_made_once_by_its_key(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let input = programme_input(&app).await;
    for topic in ["Skills", "1skills", "skills-2", "技能", "a b", "", &"x".repeat(61)] {
        let mut wrong = input.clone();
        wrong["topic"] = json!(topic);
        let problem = organiser.post("/api/v1/programmes", wrong).await.problem(422, "validation_failed");
        assert!(faults(&problem).iter().all(|(pointer, _)| pointer == "/topic"), "{topic}");
    }
    let make = || organiser.post_keyed("make-it-once", "/api/v1/programmes", input.clone());
    let first = make().await;
    assert_eq!(first.expect(201).header("idempotency-replayed"), None);
    let again = make().await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let page = app.anon().get("/api/v1/programmes?limit=100&kind=training").await.ok(200);
    let found: Vec<&Value> =
        page["items"].as_array().unwrap().iter().filter(|item| item["name"] == "焊工考证").collect();
    assert_eq!(found, [&first.body]);
    app.worker("zhang").await.post("/api/v1/programmes", input).await.problem(403, "forbidden");
}

async fn an_activity_is_made_once_by_its_key(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let input = app.activity_input(|a| a.title("只建一次")).await;
    let make = || organiser.post_keyed("make-it-once", LIST, input.clone());
    let first = make().await;
    let location = format!("{MANAGED}/{}", first.expect(201).body["id"].as_str().unwrap());
    assert_eq!(first.header("location"), Some(location.as_str()));
    let again = make().await;
    assert_eq!((again.status, &again.text, again.etag()), (201, &first.text, first.etag()));
    assert_eq!(listed(&organiser, MANAGED, &[("q", "只建一次")]).await.len(), 1);
    let read = organiser.get(&location).await;
    assert_eq!(read.ok(200), first.body);
    let mut other = input.clone();
    other["capacity"] = json!(21);
    organiser.post_keyed("make-it-once", LIST, other).await.problem(422, "idempotency_mismatch");
}

fn change(title: &str) -> Value {
    json!({ "title": title, "summary": "改", "venue": "新址", "address": "新路 2 号", "capacity": 30,
            "signup_opens_at": "2025-06-15T09:00:00+08:00", "signup_closes_at": "2025-06-16T11:00:00+08:00" })
}

async fn a_change_needs_the_version_that_was_read(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let activity = app.activity(|a| a).await;
    let path = format!("{MANAGED}/{}", activity.id);
    let seen = organiser.get(&path).await;
    // Places taken meanwhile do not spoil what an organiser has read.
    app.worker("zhang").await.sign_up(&activity).await.ok(201);
    let changed: Reply = organiser.put(&path, &seen.etag(), change("新名")).await;
    let body = changed.expect(200).body.clone();
    assert_eq!(
        (&body["title"], &body["capacity"], &body["places_left"]),
        (&json!("新名"), &json!(30), &json!(29))
    );
    assert_eq!(body["signup_opens_at"], "2025-06-15T01:00:00Z");
    assert_eq!(app.anon().get(&format!("{LIST}/{}", activity.id)).await.ok(200), body);
    organiser.put(&path, &seen.etag(), change("再改")).await.problem(412, "precondition_failed");
    organiser.put(&path, &changed.etag(), change("再改")).await.ok(200);
    let blind = organiser.request(reqwest::Method::PUT, &path).json(&change("不看就改"));
    organiser.send(blind).await.problem(428, "precondition_required");
    let mut late = change("报名太晚");
    late["signup_closes_at"] = json!("2025-06-16T12:00:00+08:00");
    let etag = organiser.get(&path).await.etag();
    let mut backwards = change("报名倒着走");
    backwards["signup_closes_at"] = json!("2025-06-15T08:59:59+08:00");
    let before = (organiser.get(&path).await.ok(200), everything(&app).await);
    for window in [late, backwards] {
        let problem = organiser.put(&path, &etag, window).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/signup_closes_at", "order")]));
    }
    assert_eq!((organiser.get(&path).await.ok(200), everything(&app).await), before);
    app.worker("zhang").await.put(&path, &etag, change("工人改")).await.problem(403, "forbidden");
    app.run_jobs().await;
}
