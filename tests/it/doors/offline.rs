//! Without a signal: lists, uploads, what is refused, and what goes to the desk.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use unionhall::ids::SessionId;
use unionhall::platform::db::schema::{attendances, penalties, scans};

use super::phone::Phone;
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_list_names_people_by_hashes_and_the_phone_finds_them,
    scans_count_once_however_they_come,
    an_upload_is_one_entry_that_names_all,
    forged_old_and_foreign_passes_are_kept_and_count_nowhere,
    a_lost_phone_counts_nowhere,
    a_bad_signature_or_a_foreign_phone_brings_nothing_in,
    a_clock_that_is_off_is_for_the_desk,
    somebody_in_two_places_counts_once_and_the_desk_says_where,
    a_room_that_is_too_small_keeps_who_came_first,
    who_cancelled_meanwhile_is_for_the_desk,
    what_comes_after_finalising_still_counts,
    two_instances_take_one_upload,
    tasks_are_needed_and_can_be_taken_back,
];

async fn figure(app: &TestApp, code: &str) -> i64 {
    let path = format!("/api/v1/plans/2025/progress?targets={code}");
    let progress = app.staff("planner").await.get(&path).await.ok(200);
    progress["targets"][0]["value"].as_i64().unwrap()
}

async fn present(app: &TestApp, session: SessionId) -> Vec<Value> {
    let list = app.staff("gate").await.get(&format!("/api/v1/sessions/{session}/checkins")).await.ok(200);
    list["items"].as_array().unwrap().clone()
}

async fn conflicts(app: &TestApp, session: SessionId) -> Vec<(String, String, String)> {
    let list = app.staff("gate").await.get(&format!("/api/v1/sessions/{session}/conflicts")).await.ok(200);
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|one| (text(one, "reason"), text(one, "proposed"), text(one, "state"))).collect()
}

/// Decides the only request of this kind at the desk.
async fn decide(app: &TestApp, approve: bool) {
    let officer = app.staff("reviewer-pinghu").await;
    let queue = officer.get("/api/v1/reviews?kind=checkin_conflict").await.ok(200);
    let items = queue["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{queue}");
    let path = format!("/api/v1/reviews/{}", items[0]["review_id"].as_str().unwrap());
    let etag = officer.get(&path).await.etag();
    let body = if approve {
        json!({ "decision": "approve" })
    } else {
        json!({ "decision": "reject", "reasons": ["not_there"] })
    };
    let request = officer
        .request(reqwest::Method::POST, &format!("{path}/decisions"))
        .header("if-match", etag)
        .header("idempotency-key", officer.fresh_key())
        .json(&body);
    officer.send(request).await.ok(200);
}

/// An activity of 平湖 that begins now, with these people signed up.
async fn gathering(app: &TestApp, capacity: i64, names: &[&str]) -> (Made, Vec<Actor>) {
    let activity = app.activity(|a| a.capacity(capacity)).await;
    let mut people = Vec::new();
    for name in names {
        let worker = app.worker(name).await;
        worker.set_profile(&format!("{name}某"), None).await;
        worker.sign_up(&activity).await.ok(201);
        people.push(worker);
    }
    (activity, people)
}

async fn a_list_names_people_by_hashes_and_the_phone_finds_them(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang", "li"]).await;
    let phone = Phone::enrol(&app, activity.session).await;
    let list = phone.list(activity.session).await;
    let text = list.to_string();
    assert!(!text.contains("per_"), "no ids: {text}");
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let salt = URL_SAFE_NO_PAD.decode(list["salt"].as_str().unwrap()).unwrap();
    let keys: Vec<&str> =
        list["people"].as_array().unwrap().iter().map(|one| one[0].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 2);
    for person in &people {
        // As docs/OFFLINE.md says: the first sixteen bytes of the pass under the list's salt.
        let pass = URL_SAFE_NO_PAD.decode(person.pass().await).unwrap();
        let hash = Sha256::digest([salt.as_slice(), &pass[..16]].concat());
        assert!(keys.contains(&URL_SAFE_NO_PAD.encode(&hash[..12]).as_str()));
    }
    let names: Vec<&str> =
        list["people"].as_array().unwrap().iter().map(|one| one[1].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| name.contains('*')), "masked: {names:?}");
    app.run_jobs().await;
}

async fn scans_count_once_however_they_come(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang", "li"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let mut other = Phone::enrol(&app, activity.session).await;
    let (start, mut made) = (app.now(), Vec::new());
    for person in &people {
        let pass = person.pass().await;
        made.push(phone.scans(&app, &pass, app.now()));
        app.advance(TimeDelta::seconds(20));
        made.push(phone.scans(&app, &pass, app.now()));
        app.advance(TimeDelta::minutes(1));
    }
    let zhang_again = other.scans(&app, &people[0].pass().await, app.now());
    app.advance(TimeDelta::hours(1));
    for phone in [&mut phone, &mut other] {
        phone.staff.log_in().await;
    }
    // The last first, in parts that overlap, and twice.
    assert_eq!(other.outcomes(&app, std::slice::from_ref(&zhang_again)).await, ["ACCEPTED accepted"]);
    let view = phone.send(&app, &made[3..]).await.ok(200);
    assert_eq!(view["results"][0]["verdict"], "ACCEPTED", "so far the only scan of li");
    assert_eq!(view["missing"], json!([[1, 3]]));
    assert_eq!(
        phone.outcomes(&app, &made[1..]).await,
        ["ACCEPTED accepted", "ACCEPTED accepted", "DUPLICATE duplicate"]
    );
    let all = ["ACCEPTED accepted", "DUPLICATE duplicate", "ACCEPTED accepted", "DUPLICATE duplicate"];
    assert_eq!(phone.outcomes(&app, &made).await, all);
    assert_eq!(phone.outcomes(&app, &made).await, all, "and again");
    assert_eq!(
        other.outcomes(&app, &[zhang_again]).await,
        ["DUPLICATE duplicate"],
        "the other phone was later"
    );
    let there = present(&app, activity.session).await;
    assert_eq!(there.len(), 2);
    let came = |one: &Value| {
        one["checked_in_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    assert_eq!(there.iter().map(came).min(), Some(start), "the first scan counts, whenever it came in");
    assert_eq!(figure(&app, "07b").await, 2);
    app.run_jobs().await;
}

async fn an_upload_is_one_entry_that_names_all(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang", "li", "wang"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let mut made = Vec::new();
    for person in &people {
        made.push(phone.scans(&app, &person.pass().await, app.now()));
    }
    assert_eq!(phone.outcomes(&app, &made).await, ["ACCEPTED accepted"; 3]);
    let session = activity.session.to_string();
    let mut entries =
        app.read(move |conn| unionhall::platform::audit::list(conn, Some(&session), None, None, 100)).await;
    entries.retain(|entry| entry.action.starts_with("checkin"));
    assert_eq!(entries.len(), 1, "{entries:?}");
    let told = format!("{:?}", entries[0]);
    for person in &people {
        assert!(told.contains(&person.person().to_string()), "{told}");
    }
    app.run_jobs().await;
}

async fn forged_old_and_foreign_passes_are_kept_and_count_nowhere(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang"]).await;
    let stranger = app.worker("stranger").await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let pass = people[0].pass().await;
    let forged = format!("{}{}", &pass[..31], if pass.ends_with('A') { 'B' } else { 'A' });
    let now = app.now();
    let scans_made = vec![
        phone.scans(&app, &forged, now),
        phone.scans(&app, "no pass at all", now),
        phone.scans(&app, &pass, now + TimeDelta::days(2)),
        phone.scans(&app, &stranger.pass().await, now),
    ];
    let told = phone.outcomes(&app, &scans_made).await;
    assert_eq!(
        told,
        ["REJECTED pass_invalid", "REJECTED pass_invalid", "REJECTED pass_invalid", "REJECTED not_signed_up"]
    );
    assert!(present(&app, activity.session).await.is_empty());
    assert!(conflicts(&app, activity.session).await.is_empty());
    let kept: i64 = app.read(|c| Ok(scans::table.count().get_result(c)?)).await;
    assert_eq!(kept, 4, "the refused are kept");
    assert_eq!(figure(&app, "07b").await, 0);
    // A list past its time: the session is long over.
    app.advance(TimeDelta::hours(30));
    let mut gate = phone.staff.clone();
    gate.log_in().await;
    let mut zhang = people[0].clone();
    zhang.log_in().await;
    let late = phone.scans(&app, &zhang.pass().await, app.now());
    phone.staff = gate;
    assert_eq!(phone.outcomes(&app, &[late]).await, ["REJECTED bundle_expired"]);
    app.run_jobs().await;
}

async fn a_lost_phone_counts_nowhere(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let scan = phone.scans(&app, &people[0].pass().await, app.now());
    let organiser = app.staff("organiser").await;
    let path = format!("/api/v1/devices/{}/revocations", phone.id);
    organiser.post(&path, json!({})).await.ok(200);
    organiser.post(&path, json!({})).await.problem(403, "device_revoked");
    assert_eq!(phone.outcomes(&app, &[scan]).await, ["REJECTED device_revoked"]);
    assert!(present(&app, activity.session).await.is_empty());
    let path = format!("/api/v1/devices/{}/bundles/{}", phone.id, activity.session);
    phone.staff.get(&path).await.problem(403, "device_revoked");
    let kept: Vec<String> = app.read(|c| Ok(scans::table.select(scans::outcome).load(c)?)).await;
    assert_eq!(kept, ["device_revoked"]);
    app.run_jobs().await;
}

async fn a_bad_signature_or_a_foreign_phone_brings_nothing_in(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let other = Phone::enrol(&app, activity.session).await;
    let scan = phone.scans(&app, &people[0].pass().await, app.now());
    let body = json!({ "token": phone.token, "device_now": app.now(), "scans": [scan] });
    phone.post(&phone.staff, body.to_string(), &"0".repeat(64)).await.problem(403, "signature_invalid");
    phone.post(&phone.staff, body.to_string(), "").await.problem(403, "signature_invalid");
    // The other phone's token under this phone's key, and a token that nobody gave.
    for token in [other.token.as_str(), "AAAA"] {
        phone.token = token.to_owned();
        phone.send(&app, std::slice::from_ref(&scan)).await.problem(403, "signature_invalid");
    }
    phone.token = Phone::enrol(&app, activity.session).await.token;
    phone.send(&app, &[]).await.problem(422, "validation_failed");
    let many: Vec<Value> = (0..501).map(|_| scan.clone()).collect();
    phone.send(&app, &many).await.problem(422, "validation_failed");
    let kept: i64 = app.read(|c| Ok(scans::table.count().get_result(c)?)).await;
    assert_eq!(kept, 0);
    app.run_jobs().await;
}

async fn a_clock_that_is_off_is_for_the_desk(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang", "li"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let ahead = app.now() + TimeDelta::hours(20);
    let zhang = phone.scans(&app, &people[0].pass().await, ahead);
    assert_eq!(phone.outcomes(&app, std::slice::from_ref(&zhang)).await, ["CONFLICT conflict"]);
    assert!(present(&app, activity.session).await.is_empty(), "it does not count before");
    assert_eq!(figure(&app, "07b").await, 0);
    let open = [("clock".to_owned(), "count".to_owned(), "open".to_owned())];
    assert_eq!(conflicts(&app, activity.session).await, open);
    decide(&app, true).await;
    assert_eq!(present(&app, activity.session).await.len(), 1);
    assert_eq!(figure(&app, "07b").await, 1);
    assert_eq!(phone.outcomes(&app, &[zhang]).await, ["ACCEPTED accepted"]);
    let li = phone.scans(&app, &people[1].pass().await, ahead);
    assert_eq!(phone.outcomes(&app, std::slice::from_ref(&li)).await, ["CONFLICT conflict"]);
    decide(&app, false).await;
    assert_eq!(phone.outcomes(&app, &[li]).await, ["REJECTED left_out"]);
    assert_eq!(figure(&app, "07b").await, 1);
    app.run_jobs().await;
}

async fn somebody_in_two_places_counts_once_and_the_desk_says_where(app: TestApp) {
    let (one, people) = gathering(&app, 5, &["zhang"]).await;
    let two = app.activity(|a| a.title("同时的另一场")).await;
    people[0].sign_up(&two).await.ok(201);
    let mut phone = Phone::enrol(&app, one.session).await;
    let mut other = Phone::enrol(&app, two.session).await;
    let early = other.scans(&app, &people[0].pass().await, app.now());
    app.advance(TimeDelta::minutes(5));
    let late = phone.scans(&app, &people[0].pass().await, app.now());
    // The later one comes in first, and counts until the earlier one is known.
    assert_eq!(phone.outcomes(&app, std::slice::from_ref(&late)).await, ["ACCEPTED accepted"]);
    assert_eq!(figure(&app, "07b").await, 1);
    assert_eq!(other.outcomes(&app, &[early]).await, ["ACCEPTED accepted"]);
    assert_eq!(phone.outcomes(&app, std::slice::from_ref(&late)).await, ["CONFLICT conflict"]);
    assert_eq!((present(&app, one.session).await.len(), present(&app, two.session).await.len()), (0, 1));
    let open = [("two_places".to_owned(), "leave_out".to_owned(), "open".to_owned())];
    assert_eq!(conflicts(&app, one.session).await, open);
    assert_eq!(figure(&app, "07b").await, 1);
    decide(&app, true).await;
    assert_eq!((present(&app, one.session).await.len(), present(&app, two.session).await.len()), (1, 1));
    assert_eq!(figure(&app, "07b").await, 2, "the desk knows better");
    app.run_jobs().await;
}

async fn a_room_that_is_too_small_keeps_who_came_first(app: TestApp) {
    let body = |a: crate::harness::factory::Wanted| a.capacity(3).set("overbook_percent", json!(50));
    let activity = app.activity(body).await;
    let mut people = Vec::new();
    for name in ["zhang", "li", "wang", "zhao"] {
        let worker = app.worker(name).await;
        worker.sign_up(&activity).await.ok(201);
        people.push(worker);
    }
    let mut phone = Phone::enrol(&app, activity.session).await;
    let mut made = Vec::new();
    for person in &people {
        made.push(phone.scans(&app, &person.pass().await, app.now()));
        app.advance(TimeDelta::minutes(1));
    }
    made.reverse();
    let told = phone.outcomes(&app, &made[..3]).await;
    assert_eq!(told, ["ACCEPTED accepted"; 3], "three fit, for now");
    let told = phone.outcomes(&app, &made).await;
    assert_eq!(
        told,
        ["CONFLICT conflict", "ACCEPTED accepted", "ACCEPTED accepted", "ACCEPTED accepted"],
        "the last who came is one too many"
    );
    assert_eq!(present(&app, activity.session).await.len(), 3);
    assert_eq!(figure(&app, "07b").await, 3);
    let open = [("full".to_owned(), "leave_out".to_owned(), "open".to_owned())];
    assert_eq!(conflicts(&app, activity.session).await, open);
    decide(&app, false).await;
    assert_eq!(figure(&app, "07b").await, 3);
    app.run_jobs().await;
}

async fn who_cancelled_meanwhile_is_for_the_desk(app: TestApp) {
    let (activity, mut people) = gathering(&app, 5, &["zhang", "li"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let before = phone.scans(&app, &people[0].pass().await, app.now());
    app.advance(TimeDelta::minutes(10));
    for person in &people {
        let mine = person.get("/api/v1/me/signups").await.ok(200);
        let path = format!("/api/v1/signups/{}/cancellations", mine["items"][0]["id"].as_str().unwrap());
        person.post(&path, json!({})).await.ok(200);
    }
    app.advance(TimeDelta::minutes(10));
    people[1].log_in().await;
    phone.staff.log_in().await;
    let after = phone.scans(&app, &people[1].pass().await, app.now());
    assert_eq!(phone.outcomes(&app, &[after, before]).await, ["CONFLICT conflict"; 2]);
    let mut open = conflicts(&app, activity.session).await;
    open.sort();
    let what = |proposed: &str| ("signup_cancelled".to_owned(), proposed.to_owned(), "open".to_owned());
    assert_eq!(open, [what("count"), what("leave_out")]);
    assert_eq!(figure(&app, "07b").await, 0);
    app.run_jobs().await;
}

async fn what_comes_after_finalising_still_counts(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang", "li"]).await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let scan = phone.scans(&app, &people[0].pass().await, app.now());
    app.advance(TimeDelta::hours(4));
    let mut gate = app.staff("gate").await;
    gate.log_in().await;
    let done = gate.finalise(activity.session).await.ok(200);
    assert_eq!((&done["held"], &done["present"]), (&json!(false), &json!(0)));
    assert_eq!((figure(&app, "07a").await, figure(&app, "07b").await), (0, 0));
    phone.staff = gate;
    assert_eq!(phone.outcomes(&app, &[scan]).await, ["ACCEPTED accepted"]);
    assert_eq!((figure(&app, "07a").await, figure(&app, "07b").await), (1, 1), "it was held after all");
    let weighing: i64 = app
        .read(move |c| {
            let theirs = penalties::table.filter(penalties::state.ne("waived"));
            Ok(theirs.count().get_result(c)?)
        })
        .await;
    assert!(weighing <= 1, "whoever came is not penalised");
    app.run_jobs().await;
}

async fn two_instances_take_one_upload(app: TestApp) {
    let names: Vec<String> = (0..6).map(|n| format!("worker{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (activity, people) = gathering(&app, 50, &names).await;
    let other = app.second_instance().await;
    let mut phone = Phone::enrol(&app, activity.session).await;
    let mut made = Vec::new();
    for person in &people {
        made.push(phone.scans(&app, &person.pass().await, app.now()));
    }
    let sends = (0..12).map(|n| {
        let (phone, app, other, made) = (&phone, &app, &other, &made);
        async move {
            let staff = if n % 2 == 0 { phone.staff.clone() } else { phone.staff.at(other) };
            let part = &made[n % 3..];
            phone.send_as(&staff, app, part).await.ok(200);
        }
    });
    join_all(sends).await;
    assert_eq!(phone.outcomes(&app, &made).await, vec!["ACCEPTED accepted"; 6]);
    let kept: i64 = app.read(|c| Ok(scans::table.count().get_result(c)?)).await;
    let there: i64 = app.read(|c| Ok(attendances::table.count().get_result(c)?)).await;
    assert_eq!((kept, there), (6, 6));
    assert_eq!(figure(&app, "07b").await, 6);
    app.run_jobs().await;
}

async fn tasks_are_needed_and_can_be_taken_back(app: TestApp) {
    let (activity, people) = gathering(&app, 5, &["zhang"]).await;
    let bare = Phone::bare(&app).await;
    let path = format!("/api/v1/devices/{}/bundles/{}", bare.id, activity.session);
    bare.staff.get(&path).await.problem(403, "device_revoked");
    let mut phone = Phone::enrol(&app, activity.session).await;
    let scan = phone.scans(&app, &people[0].pass().await, app.now());
    phone.task(&app, activity.session, true).await;
    assert_eq!(phone.outcomes(&app, &[scan]).await, ["REJECTED device_revoked"]);
    phone.task(&app, activity.session, false).await;
    let again = phone.scans(&app, &people[0].pass().await, app.now());
    assert_eq!(phone.outcomes(&app, &[again]).await, ["ACCEPTED accepted"], "given the task again");
    let devices = app.staff("organiser").await.get("/api/v1/devices").await.ok(200);
    assert_eq!(devices["items"].as_array().unwrap().len(), 2);
    app.run_jobs().await;
}
