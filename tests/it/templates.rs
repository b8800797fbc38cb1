//! Activities as patterns: templates and copies.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::ids::{ActivityId, OrganisationId, QuotaId};
use unionhall::offering::model::{Quota, QuotaKind};
use unionhall::offering::store;
use unionhall::platform::db::schema::{activities, quotas};

use super::http::problems::{faults, pairs};
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_copy_is_the_same_on_another_day,
    quotas_come_along_unused,
    a_template_outlives_its_activity_and_is_used_below,
    a_template_s_name_is_used_once,
    a_copy_needs_its_hall_to_be_free,
    what_is_not_there_is_not_copied,
    the_new_settings_of_an_activity_are_kept_and_checked,
    there_are_never_fewer_places_than_are_taken,
];

const TEMPLATES: &str = "/api/v1/activity-templates";
const MANAGED: &str = "/api/v1/managed-activities";

fn at(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A rich activity of 平湖: two sessions on two days, a wave, and all settings.
async fn rich(app: &TestApp, by: &Actor) -> Value {
    let days = TimeDelta::days;
    let hours = TimeDelta::hours;
    let mut input = app
        .activity_input(|a| {
            a.title("周末班")
                .signup(days(1), days(5))
                .sessions(&[(days(6), days(6) + hours(2)), (days(8) + hours(10), days(8) + hours(13))])
        })
        .await;
    let extra = json!({
        "overbook_percent": 10, "waiting_list": "fill", "own_clash": "deny", "free_cancel_hours": 48,
        "fair_minutes": 5, "allocation": "first_come", "members_only": true,
        "completion": { "of": "hours", "percent": 75 },
        "waves": [
            { "kind": "street", "organisation_id": app.organisation("street-pinghu").await, "opens_at": app.now() },
            { "kind": "audience", "audience": "model_worker", "opens_at": app.now() - hours(1) },
        ],
    });
    for (name, value) in extra.as_object().unwrap() {
        input[name] = value.clone();
    }
    by.post("/api/v1/activities", input).await.ok(201)
}

/// All instants of an activity, in one order.
fn instants(activity: &Value) -> Vec<DateTime<Utc>> {
    let mut all: Vec<&Value> = vec![&activity["signup_opens_at"], &activity["signup_closes_at"]];
    all.extend(activity["waves"].as_array().into_iter().flatten().map(|wave| &wave["opens_at"]));
    for session in activity["sessions"].as_array().unwrap() {
        all.extend([&session["starts_at"], &session["ends_at"]]);
    }
    all.into_iter().map(at).collect()
}

async fn a_copy_is_the_same_on_another_day(app: TestApp) {
    let organiser = app.staff("organiser-pinghu").await;
    let original = rich(&app, &organiser).await;
    assert_eq!((&original["capacity"], &original["bookable"]), (&json!(20), &json!(22)));
    let path = format!("{MANAGED}/{}/copies", original["id"].as_str().unwrap());
    // Its first session is on 22 June; the copy's is 30 days later.
    let reply = organiser.post_keyed("copy-it-once", &path, json!({ "starts_on": "2025-07-22" })).await;
    let copy = reply.expect(201).body.clone();
    assert_eq!(copy["state"], "draft");
    for same in [
        "programme_id",
        "organisation_id",
        "street_id",
        "title",
        "summary",
        "venue",
        "address",
        "allocation",
        "capacity",
        "bookable",
        "waiting_list",
        "own_clash",
        "members_only",
        "free_cancel_hours",
        "fair_minutes",
        "completion",
    ] {
        assert_eq!(copy[same], original[same], "{same}");
    }
    assert_ne!(copy["id"], original["id"]);
    let shifted: Vec<DateTime<Utc>> =
        instants(&original).iter().map(|at| *at + TimeDelta::days(30)).collect();
    assert_eq!(instants(&copy), shifted);
    assert_eq!((shifted.len(), copy["waves"][0]["kind"].as_str()), (8, Some("street")));
    let again = organiser.post_keyed("copy-it-once", &path, json!({ "starts_on": "2025-07-22" })).await;
    assert_eq!(again.text, reply.text);
    let read = organiser.get(reply.header("location").unwrap()).await.ok(200);
    assert_eq!(read, copy);
    // And what is said to be different is.
    let body = json!({ "starts_on": "2025-06-22", "title": "第二期", "venue": "别处", "address": "别处 1 号",
                       "organisation_id": app.organisation("demo-enterprise-pinghu-1").await });
    let other = organiser.post(&path, body).await.ok(201);
    assert_eq!(
        (&other["title"], &other["venue"], &other["address"]),
        (&json!("第二期"), &json!("别处"), &json!("别处 1 号"))
    );
    assert_ne!(other["organisation_id"], original["organisation_id"]);
    assert_eq!(instants(&other), instants(&original));
}

async fn quota(app: &TestApp, activity: ActivityId, parent: Option<QuotaId>, capacity: i64) -> QuotaId {
    let organisation_id: Option<OrganisationId> = match parent {
        None => Some(app.organisation("street-pinghu").await),
        Some(_) => None,
    };
    let row = Quota {
        id: app.ids().id(),
        activity_id: activity,
        parent_id: parent,
        kind: if parent.is_some() { QuotaKind::Pool } else { QuotaKind::Street },
        organisation_id,
        audience: None,
        rank: 1,
        capacity,
        taken: 2,
        held: 1,
        version: 3,
    };
    let id = row.id;
    app.write(move |c| {
        diesel::insert_into(quotas::table).values(row).execute(c)?;
        diesel::update(activities::table.find(activity)).set(activities::split.eq(true)).execute(c)?;
        Ok(())
    })
    .await;
    id
}

async fn quotas_come_along_unused(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let original = app.activity_by(&organiser, |a| a.draft()).await;
    let street = quota(&app, original.id, None, 12).await;
    quota(&app, original.id, Some(street), 5).await;
    let body = json!({ "name": "分配额的班", "organisation_id": app.organisation("street-pinghu").await,
                       "from_activity_id": original.id });
    let template = organiser.post(TEMPLATES, body).await.ok(201);
    let template = format!("{TEMPLATES}/{}/activities", template["id"].as_str().unwrap());
    for path in [format!("{MANAGED}/{}/copies", original.id), template] {
        let copy = organiser.post(&path, json!({ "starts_on": "2025-08-01" })).await.ok(201);
        let id: ActivityId = copy["id"].as_str().unwrap().parse().unwrap();
        let (rows, split) = app
            .read(move |c| Ok((store::quotas_of(c, id)?, store::activity_get(c, id)?.activity.split)))
            .await;
        assert!(split);
        assert_eq!(rows.len(), 2);
        let top = rows.iter().find(|row| row.parent_id.is_none()).unwrap();
        let below = rows.iter().find(|row| row.parent_id == Some(top.id)).unwrap();
        assert_eq!(
            (top.capacity, top.kind, below.capacity, below.kind),
            (12, QuotaKind::Street, 5, QuotaKind::Pool)
        );
        assert!(rows.iter().all(|row| (row.taken, row.held, row.version) == (0, 0, 1)));
        assert!(top.organisation_id.is_some() && top.id != street);
    }
}

async fn a_template_outlives_its_activity_and_is_used_below(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let local = app.staff("organiser-pinghu").await;
    let original = rich(&app, &organiser).await;
    let district = app.organisation("longgang").await;
    let body = json!({ "name": "周末班", "organisation_id": district, "from_activity_id": original["id"] });
    let made = organiser.post(TEMPLATES, body).await;
    let path = made.expect(201).header("location").unwrap().to_owned();
    assert_eq!((&made.body["title"], &made.body["capacity"]), (&json!("周末班"), &json!(20)));
    let second =
        json!({ "starts": { "days": 2, "time": "20:00:00" }, "ends": { "days": 2, "time": "23:00:00" } });
    assert_eq!(made.body["sessions"][1], second);
    // What the activity becomes later is nothing to its template.
    let managed = format!("{MANAGED}/{}", original["id"].as_str().unwrap());
    let etag = organiser.get(&managed).await.etag();
    let change = json!({ "title": "另一个班", "summary": "", "venue": "新址", "address": "", "capacity": 30,
                         "signup_opens_at": original["signup_opens_at"], "signup_closes_at": original["signup_closes_at"] });
    organiser.put(&managed, &etag, change).await.ok(200);
    // A street sees the district's template and uses it for itself.
    assert_eq!(local.get(&path).await.ok(200), made.body);
    let listed = local.get(TEMPLATES).await.ok(200);
    assert_eq!(listed["items"], json!([made.body]));
    let use_it = format!("{path}/activities");
    let problem =
        local.post(&use_it, json!({ "starts_on": "2025-07-22" })).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/organisation_id", "unknown")]));
    let pinghu = app.organisation("street-pinghu").await;
    let draft =
        local.post(&use_it, json!({ "starts_on": "2025-07-22", "organisation_id": pinghu })).await.ok(201);
    assert_eq!(
        (&draft["title"], &draft["street_id"], &draft["state"]),
        (&json!("周末班"), &json!(pinghu), &json!("draft"))
    );
    let shifted: Vec<DateTime<Utc>> =
        instants(&original).iter().map(|at| *at + TimeDelta::days(30)).collect();
    assert_eq!(instants(&draft), shifted);
    // It is the district's to remove; a street's own is nobody else's to see.
    local.delete(&path).await.problem(403, "forbidden");
    let buji = app.organisation("street-buji").await;
    let body = json!({ "name": "布吉的", "organisation_id": buji, "from_activity_id": original["id"] });
    let theirs = organiser.post(TEMPLATES, body).await;
    let theirs = theirs.expect(201).header("location").unwrap();
    local.get(theirs).await.problem(404, "not_found");
    local.delete(theirs).await.problem(404, "not_found");
    let body = json!({ "starts_on": "2025-07-22", "organisation_id": pinghu });
    local.post(&format!("{theirs}/activities"), body).await.problem(404, "not_found");
    organiser.delete(&path).await.expect(204);
    organiser.delete(&path).await.problem(404, "not_found");
    organiser.get(&path).await.problem(404, "not_found");
}

async fn a_template_s_name_is_used_once(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let local = app.staff("organiser-pinghu").await;
    let (here, there) = (app.activity(|a| a).await, app.activity(|a| a.organisation("street-buji")).await);
    let pinghu = app.organisation("street-pinghu").await;
    let body =
        |from: ActivityId| json!({ "name": "周末班", "organisation_id": pinghu, "from_activity_id": from });
    local.post(TEMPLATES, body(here.id)).await.ok(201);
    organiser.post(TEMPLATES, body(there.id)).await.problem(409, "unique_taken");
    let problem = local.post(TEMPLATES, body(there.id)).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), pairs(&[("/from_activity_id", "unknown")]));
}

async fn a_copy_needs_its_hall_to_be_free(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let body =
        json!({ "kind": "venue", "organisation_id": app.organisation("longgang").await, "name": "大礼堂" });
    let hall = organiser.post("/api/v1/resources", body).await.ok(201);
    let mut input = app.activity_input(|a| a).await;
    input["resource_ids"] = json!([hall["id"]]);
    let original = organiser.post("/api/v1/activities", input).await.ok(201);
    let path = format!("{MANAGED}/{}/copies", original["id"].as_str().unwrap());
    let problem =
        organiser.post(&path, json!({ "starts_on": "2025-06-16" })).await.problem(409, "resource_clash");
    assert_eq!(faults(&problem), pairs(&[("/sessions/0", "clash")]));
    organiser.post(&path, json!({ "starts_on": "2025-06-16", "resource_ids": [] })).await.ok(201);
    organiser.post(&path, json!({ "starts_on": "2025-06-17" })).await.ok(201);
    organiser.post(&path, json!({ "starts_on": "2025-06-17" })).await.problem(409, "resource_clash");
}

async fn what_is_not_there_is_not_copied(app: TestApp) {
    let local = app.staff("organiser-pinghu").await;
    let there = app.activity(|a| a.organisation("street-buji")).await;
    let path = format!("{MANAGED}/{}/copies", there.id);
    local.post(&path, json!({ "starts_on": "2025-07-01" })).await.problem(404, "not_found");
    let organiser = app.staff("organiser").await;
    for (body, fault) in [
        (json!({}), ("/starts_on", "required")),
        (json!({ "starts_on": "2025-02-30" }), ("/starts_on", "format")),
        (json!({ "starts_on": "2025-07-01", "title": "" }), ("/title", "min_length")),
        (json!({ "starts_on": "2025-07-01", "capacity": 3 }), ("/capacity", "unknown")),
        (json!({ "starts_on": "1970-01-01" }), ("/starts_on", "range")),
    ] {
        let problem = organiser.post(&path, body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[fault]));
    }
}

async fn the_new_settings_of_an_activity_are_kept_and_checked(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let activity = rich(&app, &organiser).await;
    let path = format!("{MANAGED}/{}", activity["id"].as_str().unwrap());
    let mut change = json!({
        "title": "改", "summary": "", "venue": "新址", "address": "", "capacity": 40,
        "signup_opens_at": activity["signup_opens_at"], "signup_closes_at": activity["signup_closes_at"],
    });
    // What is left out stays as it is.
    let reply = organiser.put(&path, &organiser.get(&path).await.etag(), change.clone()).await;
    let kept = reply.expect(200).body.clone();
    for same in [
        "waiting_list",
        "own_clash",
        "members_only",
        "free_cancel_hours",
        "fair_minutes",
        "waves",
        "completion",
    ] {
        assert_eq!(kept[same], activity[same], "{same}");
    }
    assert_eq!((&kept["capacity"], &kept["bookable"]), (&json!(40), &json!(44)));
    for (name, value) in [
        ("waiting_list", json!("strict")),
        ("own_clash", json!("warn")),
        ("members_only", json!(false)),
        ("free_cancel_hours", json!(0)),
        ("fair_minutes", json!(0)),
        ("overbook_percent", json!(0)),
        ("waves", json!([])),
    ] {
        change[name] = value;
    }
    let changed = organiser.put(&path, &reply.etag(), change.clone()).await;
    let body = &changed.expect(200).body;
    assert_eq!(
        (&body["waiting_list"], &body["bookable"], body.get("waves")),
        (&json!("strict"), &json!(40), None)
    );
    // Waves come before the others, and say for whom they are.
    let wave = |kind: &str, opens_at: &Value| json!({ "kind": kind, "opens_at": opens_at });
    change["waves"] = json!([
        wave("audience", &activity["signup_opens_at"]),
        wave("street", &json!(app.now())),
        wave("pool", &json!(app.now()))
    ]);
    let expected = pairs(&[
        ("/waves/0/audience", "required"),
        ("/waves/0/opens_at", "order"),
        ("/waves/1/organisation_id", "required"),
        ("/waves/2/kind", "enum"),
    ]);
    let problem =
        organiser.put(&path, &changed.etag(), change.clone()).await.problem(422, "validation_failed");
    assert_eq!(faults(&problem), expected);
    let mut input = app.activity_input(|a| a).await;
    input["waves"] = json!([{ "kind": "industry", "organisation_id": app.organisation("street-pinghu").await,
                              "opens_at": app.now() - TimeDelta::days(2) }]);
    input["programme_id"] = json!(app.ids().id::<unionhall::ids::ProgrammeId>());
    let problem = organiser.post("/api/v1/activities", input.clone()).await.problem(422, "validation_failed");
    let expected = pairs(&[("/programme_id", "unknown"), ("/waves/0/organisation_id", "unknown")]);
    assert_eq!(faults(&problem), expected, "at once");
    for (name, value, code) in [
        ("overbook_percent", json!(51), "maximum"),
        ("free_cancel_hours", json!(721), "maximum"),
        ("fair_minutes", json!(61), "maximum"),
        ("waiting_list", json!("some"), "enum"),
        ("waves", json!(vec![&input["waves"][0]; 21]), "max_items"),
        ("resource_ids", json!(["res_1"]), "min_length"),
    ] {
        let mut wrong = input.clone();
        wrong[name] = value;
        let problem = organiser.post("/api/v1/activities", wrong).await.problem(422, "validation_failed");
        let found = faults(&problem);
        assert!(
            found.iter().any(|(at, found)| at.starts_with(&format!("/{name}")) && found == code),
            "{name}: {found:?}"
        );
    }
}

async fn there_are_never_fewer_places_than_are_taken(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let activity = app.activity_by(&organiser, |a| a.capacity(10)).await;
    let path = format!("{MANAGED}/{}", activity.id);
    app.write(move |c| {
        let row = diesel::update(activities::table.find(activity.id));
        row.set((activities::taken.eq(6), activities::held.eq(3))).execute(c)?;
        Ok(())
    })
    .await;
    let change = |capacity: i64, percent: i64| {
        json!({ "title": "改", "summary": "", "venue": "新址", "address": "", "capacity": capacity,
                "overbook_percent": percent, "signup_opens_at": "2025-06-15T09:00:00+08:00",
                "signup_closes_at": "2025-06-16T11:00:00+08:00" })
    };
    let etag = organiser.get(&path).await.etag();
    organiser.put(&path, &etag, change(8, 0)).await.problem(409, "state_forbids");
    organiser.put(&path, &etag, change(6, 34)).await.problem(409, "state_forbids");
    let seen = organiser.put(&path, &etag, change(6, 50)).await.ok(200);
    assert_eq!(
        (&seen["capacity"], &seen["bookable"], &seen["places_left"]),
        (&json!(6), &json!(9), &json!(0))
    );
    // As it was, for the look that the harness takes afterwards.
    app.write(move |c| {
        let row = diesel::update(activities::table.find(activity.id));
        row.set((activities::taken.eq(0), activities::held.eq(0))).execute(c)?;
        Ok(())
    })
    .await;
}
