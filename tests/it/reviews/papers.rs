//! Files that hang on requests: uploaded, named in the form, read by those who decide and by nobody else.

use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::platform::db::schema::{reviews, signups};

use super::steps::{Request, STAFFED, UNSTAFFED, apply, audited, worker_of};
use super::{Facts, Officers, come_round};
use crate::access::staff_of;
use crate::files::{bytes, linked, samples, send, uploaded};
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    papers_are_read_by_those_who_decide_and_by_nobody_else,
    whoever_must_keep_away_reads_no_papers,
    a_file_of_somebody_else_is_refused_and_nothing_is_kept,
    one_file_for_two_requests_at_once_hangs_on_one,
    papers_are_supplied_when_they_were_missing,
    papers_of_a_membership_claim,
];

/// The id in a file's address.
fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// The answer that names these files.
fn named(files: &[&str]) -> Value {
    json!(files.iter().map(|path| id(path)).collect::<Vec<_>>().join(", "))
}

async fn sign_up(worker: &Actor, activity: &Made, report: Value) -> crate::harness::Reply {
    let mut form = crate::reviewed::answers(worker, activity.id).await;
    form["report"] = report;
    worker.post(&format!("/api/v1/activities/{}/signups", activity.id), json!({ "form": form })).await
}

/// Refuses everything of a file, as if it were not there.
async fn is_hidden_from(somebody: &Actor, path: &str) {
    somebody.get(path).await.problem(404, "not_found");
    somebody.get(&format!("{path}/content")).await.problem(404, "not_found");
    somebody.post(&format!("{path}/links"), json!({})).await.problem(404, "not_found");
    somebody.delete(path).await.problem(404, "not_found");
}

/// Sign-ups and requests that there are.
async fn kept(app: &TestApp) -> (i64, i64) {
    app.read(|conn| Ok((signups::table.count().get_result(conn)?, reviews::table.count().get_result(conn)?)))
        .await
}

async fn papers_are_read_by_those_who_decide_and_by_nobody_else(app: TestApp) {
    let officers = Officers::of(&app).await;
    let (li, organiser) = (app.worker("li").await, app.staff("organiser").await);
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    let zhang = worker_of(&app, "zhang", Some(STAFFED)).await;
    let (picture, paper) = (samples::png(30, 20), samples::pdf("体检报告"));
    let first = format!(
        "/api/v1/files/{}",
        send(&zhang, "document", "体检.png", &picture).await.ok(201)["id"].as_str().unwrap()
    );
    let second = format!(
        "/api/v1/files/{}",
        send(&zhang, "document", "体检.pdf", &paper).await.ok(201)["id"].as_str().unwrap()
    );
    for somebody in [&officers.unit, &officers.district, &li] {
        is_hidden_from(somebody, &first).await;
    }
    let activity = app.activity(crate::reviewed::trip).await;
    let request = apply(zhang.clone(), &activity, json!({ "report": named(&[&first, &second]) })).await;

    // The desk finds them by the form, and reads them as they came; the applicant too.
    let file = officers.unit.post(&request.at("/readings"), json!({})).await.ok(200);
    assert_eq!(file["form"]["report"], named(&[&first, &second]));
    for reader in [&officers.unit, &officers.street, &officers.district, &zhang] {
        for (path, content, media) in [(&first, &picture, "image/png"), (&second, &paper, "application/pdf")]
        {
            let view = reader.get(path).await.ok(200);
            assert_eq!(
                (&view["attached"], &view["media_type"]),
                (&json!(true), &json!(media)),
                "{}",
                reader.name
            );
            let (status, _, read) = bytes(reader, &format!("{path}/content")).await;
            assert_eq!((status, &read), (200, content), "{}", reader.name);
            let link = linked(reader, path).await;
            assert_eq!(bytes(&app.anon(), &link).await.2, *content, "{}", reader.name);
        }
    }
    // A reviewer of another street, an organiser, a colleague, nobody.
    for somebody in [&elsewhere, &organiser, &li] {
        is_hidden_from(somebody, &first).await;
        is_hidden_from(somebody, &second).await;
    }
    app.anon().get(&first).await.problem(401, "unauthenticated");
    // Every reading is in the audit, and every refusal.
    let of = |entries: Vec<(String, String, Value)>, who: &Actor| {
        let who = who.person().to_string();
        entries.iter().filter(|entry| entry.0 == who && entry.1 == id(&second)).count()
    };
    assert_eq!(of(audited(&app, "file.read").await, &officers.unit), 2, "by login, and by link");
    assert_eq!(of(audited(&app, "file.refuse").await, &elsewhere), 2);
    // It stays where it hangs, also after the decision.
    zhang.delete(&first).await.problem(409, "file_held");
    request.approve(&officers.unit).await.ok(200);
    request.reject(&officers.street).await.ok(200);
    zhang.delete(&first).await.problem(409, "file_held");
    officers.unit.get(&first).await.ok(200);
    elsewhere.get(&first).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn whoever_must_keep_away_reads_no_papers(app: TestApp) {
    let street = app.staff("reviewer-pinghu").await;
    let colleague = staff_of(&app, "colleague", "reviewer", "street-pinghu").await;
    let zhang = worker_of(&app, "zhang", Some(UNSTAFFED)).await;
    let path = uploaded(&zhang).await;
    let activity = app.activity(crate::reviewed::trip).await;
    let request = apply(zhang.clone(), &activity, json!({ "report": named(&[&path]) })).await;
    let link = linked(&street, &path).await;
    street.post(&request.at("/recusals"), json!({ "ground": "kin" })).await.ok(200);
    is_hidden_from(&street, &path).await;
    assert_eq!(bytes(&app.anon(), &link).await.0, 404, "a link is worth what its person may");
    colleague.get(&path).await.ok(200);
    colleague.post("/api/v1/me/ties", json!({ "kin_id": zhang.person() })).await.ok(201);
    is_hidden_from(&colleague, &path).await;
    app.run_jobs().await;
}

async fn a_file_of_somebody_else_is_refused_and_nothing_is_kept(app: TestApp) {
    let (zhang, li) = (worker_of(&app, "zhang", Some(STAFFED)).await, app.worker("li").await);
    let district = app.staff("reviewer").await;
    let activity = app.activity(crate::reviewed::trip).await;
    let (own, foreign) = (uploaded(&zhang).await, uploaded(&li).await);
    let gone = uploaded(&zhang).await;
    zhang.delete(&gone).await.expect(204);
    let nowhere = "/api/v1/files/fil_01k5b8m3q2e9t8h6y1v7z4w0xn".to_owned();
    for wrong in [&foreign, &gone, &nowhere] {
        sign_up(&zhang, &activity, named(&[&own, wrong])).await.problem(409, "file_unusable");
        sign_up(&zhang, &activity, named(&[wrong])).await.problem(409, "file_unusable");
    }
    let ten: Vec<&str> = std::iter::repeat_n(own.as_str(), 10).collect();
    for wrong in [json!("体检报告.pdf"), json!("per_01k5b8m3q2e9t8h6y1v7z4w0xn"), named(&ten)] {
        let problem = sign_up(&zhang, &activity, wrong).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[("/form/report", "format")]));
    }
    assert_eq!(kept(&app).await, (0, 0));
    for (owner, path) in [(&zhang, &own), (&li, &foreign)] {
        assert_eq!(owner.get(path).await.ok(200)["attached"], json!(false));
    }
    zhang.get(&foreign).await.problem(404, "not_found");

    // What was refused together with another's is as good as before; what hangs on a request is used up.
    let request = apply(zhang.clone(), &activity, json!({ "report": named(&[&own]) })).await;
    let other = app.activity(|a| crate::reviewed::trip(a).title("第二批")).await;
    sign_up(&zhang, &other, named(&[&own])).await.problem(409, "file_unusable");
    assert_eq!(kept(&app).await, (1, 1));
    assert_eq!(district.get(&own).await.ok(200)["attached"], json!(true));
    is_hidden_from(&district, &foreign).await;
    assert_eq!(Facts::of(&app, &request.id).await.review.version, 1);
    app.run_jobs().await;
}

async fn one_file_for_two_requests_at_once_hangs_on_one(app: TestApp) {
    let zhang = worker_of(&app, "zhang", Some(STAFFED)).await;
    let again = zhang.at(&app.second_instance().await);
    for round in 0..8 {
        let path = uploaded(&zhang).await;
        let one = app.activity(|a| crate::reviewed::trip(a).title("第一批")).await;
        let two = app.activity(|a| crate::reviewed::trip(a).title("第二批")).await;
        let (one, two) =
            tokio::join!(sign_up(&zhang, &one, named(&[&path])), sign_up(&again, &two, named(&[&path])));
        let mut said =
            [&one, &two].map(|reply| (reply.status, reply.body["code"].as_str().unwrap_or_default()));
        said.sort_unstable();
        assert_eq!(said, [(201, ""), (409, "file_unusable")], "round {round}");
        assert_eq!(kept(&app).await, (round + 1, round + 1), "round {round}");
    }
    app.run_jobs().await;
}

async fn papers_are_supplied_when_they_were_missing(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let (zhang, li) = (worker_of(&app, "zhang", Some(STAFFED)).await, app.worker("li").await);
    let activity = app.activity(crate::reviewed::trip).await;
    let old = uploaded(&zhang).await;
    let request: Request = apply(zhang.clone(), &activity, json!({ "report": named(&[&old]) })).await;
    request.decide(&officers.unit, super::give_back(&["report"])).await.ok(200);
    let (new, foreign) = (uploaded(&zhang).await, uploaded(&li).await);
    let supplement = |files: Value| {
        let (worker, path) = (request.worker.clone(), request.own("/supplements"));
        async move { worker.post(&path, json!({ "form": { "report": files } })).await }
    };
    let before = Facts::of(&app, &request.id).await.text();
    for wrong in [named(&[&new, &foreign]), named(&[&foreign]), named(&[&old])] {
        supplement(wrong).await.problem(409, "file_unusable");
    }
    assert_eq!(Facts::of(&app, &request.id).await.text(), before);
    assert_eq!(zhang.get(&new).await.ok(200)["attached"], json!(false));
    is_hidden_from(&officers.unit, &new).await;
    supplement(named(&[&new])).await.ok(200);
    // What was handed in first is part of what happened.
    for path in [&old, &new] {
        officers.unit.get(path).await.ok(200);
    }
    // It does not go with the files that nobody uses.
    app.advance(chrono::TimeDelta::hours(30));
    come_round(&app).await;
    officers.log_in().await;
    officers.unit.get(&new).await.ok(200);
    app.run_jobs().await;
}

async fn papers_of_a_membership_claim(app: TestApp) {
    let officers = Officers::of(&app).await;
    let zhang = app.worker("zhang").await;
    let elsewhere = staff_of(&app, "elsewhere", "reviewer", "street-pingdi").await;
    let path = uploaded(&zhang).await;
    let claim = json!({
        "organisation_id": app.organisation(STAFFED).await,
        "form": { "employee_no": "A0123", "evidence": named(&[&path]) },
    });
    zhang.post("/api/v1/me/membership-claims", claim).await.ok(201);
    officers.unit.get(&path).await.ok(200);
    officers.street.get(&path).await.ok(200);
    is_hidden_from(&elsewhere, &path).await;
    app.run_jobs().await;
}
