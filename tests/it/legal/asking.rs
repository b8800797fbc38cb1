//! Asking for legal aid: what is received, what is refused at once, how long the law gives, what the applicant sees and may do.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::OrganisationId;
use unionhall::legal_aid::model::{Case, Facts, Means};
use unionhall::legal_aid::{clocks, events, store};
use unionhall::platform::db::schema::{idempotency_keys, legal_cases, legal_parties, policies};

use super::dsl::{Asked, Ground, REQUESTS, ask_as, input_with};
use crate::files;
use crate::files::samples;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};
use crate::reviews::steps::audited;

pub const TESTS: &[Test] = tests![
    a_worker_asks_and_is_told_what_comes_next,
    asking_again_with_the_same_key_is_one_request,
    everything_wrong_is_said_at_once,
    a_code_of_the_first_years_is_kept_with_its_reason,
    what_is_urgent_goes_by_the_days_that_are_left,
    a_request_goes_to_the_nearest_desk_or_to_the_one_named,
    whoever_is_not_exempt_declares_and_brings_no_paper,
    the_term_stands_while_something_is_missing,
    what_is_not_waited_for_is_not_supplied,
    evidence_is_read_by_the_team_alone,
    somebody_gives_it_up_and_asks_again,
    a_late_desk_is_called_late,
    what_was_written_lies_sealed,
    requests_of_others_are_not_there,
];

/// A unit of 平湖.
const STREET: &str = "street-pinghu";

async fn kept(app: &TestApp, asked: &Asked) -> Case {
    let id = asked.id;
    app.read(move |conn| store::get(conn, id)).await
}

async fn picture(actor: &Actor) -> String {
    let made = files::send(actor, "evidence", "a.png", &samples::png(3, 2)).await.ok(201);
    made["id"].as_str().unwrap().to_owned()
}

fn codes(seen: &Value) -> Vec<&str> {
    seen["warnings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

fn texts(seen: &Value, list: &str) -> Vec<String> {
    let all = seen[list].as_array().unwrap();
    all.iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

async fn notices(app: &TestApp, actor: &Actor) -> Vec<String> {
    app.run_jobs().await;
    let page = actor.get("/api/v1/me/notices?limit=100").await.ok(200);
    let items = page["items"].as_array().unwrap().iter();
    items
        .filter(|one| one["kind"] == "legal_work")
        .map(|one| one["body"].as_str().unwrap().to_owned())
        .collect()
}

async fn a_worker_asks_and_is_told_what_comes_next(app: TestApp) {
    // A minute before midnight in Shenzhen.
    app.advance(TimeDelta::minutes(14 * 60 - 1));
    let ground = Ground::of(&app).await;
    let asked = ground.ask("zhang", json!({ "event": "unpaid", "event_on": "2025-04-15" })).await;
    let line = &asked.reply.body;
    assert_eq!(asked.reply.header("location"), Some(asked.path().as_str()));
    assert_eq!((&line["state"], &line["state_text"]), (&json!("received"), &json!("待审查")));
    // Seven days from the day after, and the last of them is a Monday.
    assert_eq!(line["next"][0]["by"], "2025-06-23");
    assert_eq!((&line["next"][0]["turn"], &line["urgent"]), (&json!("desk"), &json!(false)));

    let seen = asked.seen().await;
    assert_eq!(seen["may"], json!(["add_evidence", "withdraw"]));
    assert_eq!((&seen["employer"], &seen["means"]), (&json!("龙岗示例电子厂"), &json!("exempt")));
    assert_eq!(seen["contact"]["organisation_id"], json!(app.organisation(STREET).await));
    assert!(seen["contact"]["text"].as_str().unwrap().contains("12351"));
    assert_eq!(texts(&seen, "history"), ["您提出了申请"]);
    assert_eq!(codes(&seen), ["limitation_not_begun", "mediation", "acceptance", "award", "sue"]);
    assert_eq!(seen["warnings"][0]["source"], "劳动争议调解仲裁法 第二十七条");
    let receipt = seen["history"][0]["document_id"].as_str().unwrap();
    let page = asked.worker.get(&format!("{}/documents/{receipt}", asked.path())).await;
    assert!(page.expect(200).text.contains("回执"), "{}", page.text);
    let listed = asked.worker.get(REQUESTS).await.ok(200);
    assert_eq!((&listed["items"][0]["id"], listed["items"].as_array().unwrap().len()), (&json!(asked.id), 1));

    // The desk hears that something waits, and of nobody; other desks hear nothing; the chain does not say who asked.
    let told = notices(&app, &ground.officer).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("待领取") && !told[0].contains("示例电子厂") && !told[0].contains("李小工"));
    assert_eq!(notices(&app, &ground.district).await, [""; 0]);
    let chain = audited(&app, "legal_request.create").await;
    assert_eq!(chain.len(), 1);
    assert_eq!((chain[0].0.as_str(), chain[0].1.as_str()), ("", asked.id.to_string().as_str()));
    let person = asked.worker.person().to_string();
    assert!(!chain[0].2.to_string().contains(&person), "{}", chain[0].2);
    let id = asked.id;
    let history = app.read(move |conn| events::of(conn, id)).await;
    assert_eq!(history[0].actor_id, Some(asked.worker.person()));
    app.run_jobs().await;
}

async fn asking_again_with_the_same_key_is_one_request(app: TestApp) {
    let ground = Ground::of(&app).await;
    let zhang = ground.worker("zhang").await;
    let (key, body) = (zhang.fresh_key(), input_with(json!({})));
    let first = zhang.post_keyed(&key, REQUESTS, body.clone()).await;
    let again = zhang.post_keyed(&key, REQUESTS, body).await;
    assert_eq!(first.expect(201).text, again.expect(201).text);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = input_with(json!({ "wishes": "确认劳动关系。" }));
    zhang.post_keyed(&key, REQUESTS, other).await.problem(422, "idempotency_mismatch");
    let listed = zhang.get(REQUESTS).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(notices(&app, &ground.officer).await.len(), 1);
    app.run_jobs().await;
}

async fn everything_wrong_is_said_at_once(app: TestApp) {
    let ground = Ground::of(&app).await;
    let zhang = ground.worker("zhang").await;
    let file = picture(&zhang).await;
    let body = input_with(json!({
        "employer_code": "91350100M000100Y44", "event": "dismissed", "event_on": "2025-06-17",
        "exemption": "migrant_injury", "desk_id": app.organisation("demo-enterprise-pinghu-1").await,
        "evidence": [file, file],
    }));
    let problem = zhang.post(REQUESTS, body).await.problem(422, "validation_failed");
    let expected = [
        ("/employer_code", "check_sign"),
        ("/event_on", "future"),
        ("/exemption", "unfit"),
        ("/desk_id", "unfit"),
        ("/evidence", "twice"),
    ];
    assert_eq!(faults(&problem), pairs(&expected));
    for (change, pointer, code) in [
        (json!({ "employer_code": "91350100M000100Y4" }), "/employer_code", "length"),
        (json!({ "employer_code": "91350100M000100YO3" }), "/employer_code", "sign"),
        (json!({ "employer_code": "91ABC100M000100Y43" }), "/employer_code", "division"),
        (json!({ "event": "left" }), "/event_on", "required"),
        (json!({ "event_on": "2025-06-01" }), "/event", "required"),
        (json!({ "exemption": null }), "/declaration_version", "required"),
        (
            json!({ "exemption": null, "declaration_version": "2020-01-01" }),
            "/declaration_version",
            "outdated",
        ),
        (json!({ "category": "union_body", "exemption": null }), "/matter", "unfit"),
    ] {
        let problem = zhang.post(REQUESTS, input_with(change)).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[(pointer, code)]));
    }
    // What the document says of bodies is held too.
    let blank = zhang.post(REQUESTS, input_with(json!({ "facts": "  ", "employer": null }))).await;
    assert_eq!(blank.problem(422, "validation_failed")["errors"].as_array().unwrap().len(), 2);
    assert_eq!(zhang.get(REQUESTS).await.ok(200)["items"], json!([]));
    assert_eq!(notices(&app, &ground.officer).await, [""; 0]);
    // The picture hangs on nothing still.
    ask_as(&zhang, json!({ "evidence": [file] })).await;
    app.run_jobs().await;
}

async fn a_code_of_the_first_years_is_kept_with_its_reason(app: TestApp) {
    let ground = Ground::of(&app).await;
    let vault = app.app().platform().vault.clone();
    let reason = "与营业执照一致，为早年发放";
    let change = json!({ "employer_code": "91350100m000100y44", "code_reason": reason });
    let old = ground.ask("zhang", change).await;
    let facts = Facts::open(&vault, &kept(&app, &old).await).unwrap();
    assert_eq!(facts.employer_code.as_deref(), Some("91350100M000100Y44"));
    assert_eq!(facts.code_reason.as_deref(), Some(reason));
    // A code that fits needs no reason and keeps none; one whose sum lacks nothing ends with zero.
    for code in ["91440300MA5E000230", "9135 0100 M000100Y43"] {
        let fine = ask_as(&old.worker, json!({ "employer_code": code, "code_reason": reason })).await;
        let facts = Facts::open(&vault, &kept(&app, &fine).await).unwrap();
        assert_eq!(facts.employer_code, Some(code.replace(' ', "")));
        assert_eq!(facts.code_reason, None);
    }
    // The same employer is the same, however its name is bracketed.
    let id = old.id;
    let sides = app
        .read(move |conn| {
            Ok(legal_parties::table.filter(legal_parties::case_id.eq(id)).count().get_result::<i64>(conn)?)
        })
        .await;
    assert_eq!(sides, 4, "id and name of the applicant, name and code of the employer");
    app.run_jobs().await;
}

async fn what_is_urgent_goes_by_the_days_that_are_left(app: TestApp) {
    let ground = Ground::of(&app).await;
    let zhang = ground.worker("zhang").await;
    for (event, on, last, urgent, warning) in [
        ("dismissed", "2024-06-16", Some("2025-06-16"), true, "limitation"),
        // 2025-06-21 is a Saturday and 2025-06-22 a Sunday: either ends on the Monday, with seven days left.
        ("dismissed", "2024-06-21", Some("2025-06-23"), false, "limitation"),
        ("left", "2024-06-20", Some("2025-06-20"), true, "limitation"),
        ("left", "2024-06-23", Some("2025-06-23"), false, "limitation"),
        ("left", "2024-06-13", Some("2025-06-13"), false, "limitation_over"),
        ("unpaid", "2023-01-01", None, false, "limitation_not_begun"),
        ("injured", "2024-06-18", Some("2025-06-18"), true, "limitation"),
    ] {
        let asked = ask_as(&zhang, json!({ "event": event, "event_on": on })).await;
        let seen = asked.seen().await;
        let found = (seen["limitation_on"].as_str(), seen["urgent"].as_bool(), codes(&seen)[0]);
        assert_eq!(found, (last, Some(urgent), warning), "{event} {on}");
    }
    let hurried = ask_as(&zhang, json!({ "preservation": true })).await;
    assert_eq!(hurried.reply.body["urgent"], true);
    assert_eq!(codes(&hurried.seen().await)[0], "limitation_unknown");
    let told = notices(&app, &ground.officer).await;
    assert_eq!(told.iter().filter(|text| text.contains("紧急")).count(), 4);
    // The figure is a policy's.
    app.write(|conn| {
        let rule =
            policies::table.filter(policies::policy_key.eq("legal_aid.urgent_if_limitation_left_below"));
        Ok(diesel::update(rule).set(policies::value.eq("8")).execute(conn)?)
    })
    .await;
    let now_urgent = ask_as(&zhang, json!({ "event": "left", "event_on": "2024-06-23" })).await;
    assert_eq!(now_urgent.reply.body["urgent"], true);
    app.run_jobs().await;
}

async fn a_request_goes_to_the_nearest_desk_or_to_the_one_named(app: TestApp) {
    let ground = Ground::of(&app).await;
    let (street, root) = (app.organisation(STREET).await, app.organisation("longgang").await);
    let form = app.anon().get("/api/v1/legal-aid-form").await.ok(200);
    let desks: Vec<OrganisationId> = form["desks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["organisation_id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(desks.contains(&street) && desks.contains(&root));
    let near = ground.ask("zhang", json!({})).await;
    let named = ask_as(&near.worker, json!({ "desk_id": root })).await;
    let stranger = ask_as(&app.worker("li").await, json!({})).await;
    let (near, named, stranger) =
        (kept(&app, &near).await, kept(&app, &named).await, kept(&app, &stranger).await);
    assert_eq!((near.desk_id, near.street_id), (street, Some(street)));
    // Where it counts is where the applicant works, whoever decides.
    assert_eq!((named.desk_id, named.street_id), (root, Some(street)));
    assert_eq!((stranger.desk_id, stranger.street_id), (root, None));
    // A desk without anybody receives nothing.
    revoke(&app, ground.officer.person()).await;
    let later = ground.ask("zhang", json!({})).await;
    assert_eq!(kept(&app, &later).await.desk_id, root);
    let gone = later.worker.post(REQUESTS, input_with(json!({ "desk_id": street }))).await;
    assert_eq!(faults(&gone.problem(422, "validation_failed")), pairs(&[("/desk_id", "unfit")]));
    app.run_jobs().await;
}

async fn whoever_is_not_exempt_declares_and_brings_no_paper(app: TestApp) {
    let ground = Ground::of(&app).await;
    let form = app.anon().get("/api/v1/legal-aid-form").await.ok(200);
    assert!(texts(&form, "exemptions").iter().any(|text| text.contains("进城务工人员")));
    assert!(form["hints"].to_string().contains("不需要提供加盖公章的经济困难证明"));
    let (version, text) = (&form["declaration"]["version"], form["declaration"]["text"].as_str().unwrap());
    assert!(text.starts_with("本人承诺"));
    let change = json!({ "exemption": null, "declaration_version": version });
    let asked = ground.ask("zhang", change).await;
    assert_eq!(asked.seen().await["means"], "declared");
    let facts = Facts::open(&app.app().platform().vault, &kept(&app, &asked).await).unwrap();
    assert_eq!(facts.declaration, format!("{} {}", version.as_str().unwrap(), app.now().to_rfc3339()));
    // A union has no family whose means could be looked at.
    let body = json!({ "category": "union_body", "matter": null, "exemption": null });
    let union = ask_as(&asked.worker, body).await;
    assert_eq!(kept(&app, &union).await.means, Means::Exempt);
    app.run_jobs().await;
}

async fn the_term_stands_while_something_is_missing(app: TestApp) {
    let mut ground = Ground::of(&app).await;
    let mut asked = ground.ask("zhang", json!({})).await;
    ground.led(asked.id, &ground.officer).await;
    ground.later(TimeDelta::days(2)).await;
    asked.back().await;
    ground.noticed(asked.id).await;
    let seen = asked.seen().await;
    assert_eq!((&seen["state"], &seen["next"][0]["turn"]), (&json!("supplement"), &json!("you")));
    // Fifteen days from 18 June.
    assert_eq!(seen["next"][0]["by"], "2025-07-03");
    assert_eq!(seen["may"], json!(["supply", "add_evidence", "withdraw"]));
    assert_eq!(asked.review_due(&app).await, None);

    ground.later(TimeDelta::days(5)).await;
    asked.back().await;
    let file = picture(&asked.worker).await;
    let body = json!({ "text": "补交劳动合同", "files": [file] });
    let done = asked.act("supplements", body).await.ok(200);
    // One day had been used before the notice; neither its day nor that of the supplement counts, and the 29th is a Sunday.
    assert_eq!((&done["state"], &done["next"][0]["by"]), (&json!("received"), &json!("2025-06-30")));
    assert_eq!(texts(&asked.seen().await, "history").last().unwrap(), "您补充了材料");
    assert_eq!(asked.seen().await["evidence"][0]["id"], json!(file));
    let told = notices(&app, &ground.officer).await;
    assert!(told.iter().any(|text| text.contains("已补充材料")), "{told:?}");
    let id = asked.id;
    let running = app.read(move |conn| clocks::running(conn, id)).await;
    assert_eq!(running.len(), 1, "the term for the supplement is done with");
    asked.act("supplements", json!({ "text": "再补一份" })).await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn what_is_not_waited_for_is_not_supplied(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("zhang", json!({})).await;
    let problem = asked.act("supplements", json!({ "text": "劳动合同" })).await.problem(409, "state_forbids");
    assert!(problem["detail"].as_str().unwrap().contains("待审查"), "{problem}");
    let faulty = asked.act("supplements", json!({ "text": " " })).await.problem(422, "validation_failed");
    assert_eq!(faults(&faulty)[0].0, "/text");
    app.run_jobs().await;
}

async fn evidence_is_read_by_the_team_alone(app: TestApp) {
    let ground = Ground::of(&app).await;
    let zhang = ground.worker("zhang").await;
    let first = picture(&zhang).await;
    // What comes in one moment has no order.
    app.advance(TimeDelta::seconds(1));
    let second = picture(&zhang).await;
    let asked = ask_as(&zhang, json!({ "evidence": [first] })).await;
    let file = format!("/api/v1/files/{first}");
    for other in [&ground.officer, &ground.lead, &app.staff("admin").await, &app.worker("li").await] {
        other.get(&file).await.problem(404, "not_found");
    }
    ground.led(asked.id, &ground.officer).await;
    ground.officer.get(&file).await.ok(200);
    zhang.get(&file).await.ok(200);
    ground.lead.get(&file).await.problem(404, "not_found");

    asked.act("evidence", json!({ "files": [second], "note": "工资条" })).await.ok(200);
    let seen = asked.seen().await;
    let listed: Vec<&Value> = seen["evidence"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(listed, [&json!(first), &json!(second)]);
    // What hangs there hangs there; another's is not to be used, and nothing is half done.
    asked.act("evidence", json!({ "files": [second] })).await.problem(409, "file_unusable");
    let foreign = picture(&app.worker("li").await).await;
    let third = picture(&zhang).await;
    asked.act("evidence", json!({ "files": [third, foreign] })).await.problem(409, "file_unusable");
    asked.act("evidence", json!({ "files": [third] })).await.ok(200);
    asked.act("evidence", json!({ "files": [] })).await.problem(422, "validation_failed");
    // Somebody who has lost the role reads nothing, though they were of the team.
    revoke(&app, ground.officer.person()).await;
    ground.officer.get(&file).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn somebody_gives_it_up_and_asks_again(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("zhang", json!({})).await;
    ground.led(asked.id, &ground.officer).await;
    let done = asked.act("withdrawals", json!({ "reason": "单位已支付工资" })).await.ok(200);
    assert_eq!((&done["state"], &done["next"][0]["turn"]), (&json!("withdrawn"), &json!("nobody")));
    let seen = asked.seen().await;
    assert_eq!((&seen["may"], seen["ended_at"].is_string()), (&json!([]), true));
    let id = asked.id;
    assert!(app.read(move |conn| clocks::running(conn, id)).await.is_empty());
    assert!(notices(&app, &ground.officer).await.iter().any(|text| text.contains("已撤回")));
    asked.act("withdrawals", json!({})).await.problem(409, "state_forbids");
    let file = picture(&asked.worker).await;
    asked.act("evidence", json!({ "files": [file] })).await.problem(409, "state_forbids");
    app.advance(TimeDelta::seconds(1));
    let again = ask_as(&asked.worker, json!({ "evidence": [file] })).await;
    assert_ne!(again.id, asked.id);
    let listed = asked.worker.get(&format!("{REQUESTS}?limit=1")).await.ok(200);
    assert_eq!(listed["items"][0]["id"], json!(again.id));
    let next = listed["next"].as_str().unwrap();
    let rest = asked.worker.get(&format!("{REQUESTS}?limit=1&cursor={next}")).await.ok(200);
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!(asked.id), &Value::Null));
    app.run_jobs().await;
}

async fn a_late_desk_is_called_late(app: TestApp) {
    let ground = Ground::of(&app).await;
    let mut asked = ground.ask("zhang", json!({})).await;
    // Until 24:00 of 23 June, which is 16:00 in Greenwich.
    app.advance(TimeDelta::days(7) + TimeDelta::hours(14) - TimeDelta::microseconds(1));
    asked.back().await;
    assert_eq!(asked.seen().await["next"][0]["late"], false);
    app.advance(TimeDelta::microseconds(1));
    let next = asked.seen().await["next"][0].clone();
    assert_eq!((&next["late"], &next["by"]), (&json!(true), &json!("2025-06-23")));
    assert!(next["text"].as_str().unwrap().contains("已超过期限"), "{next}");
    let due = asked.review_due(&app).await.unwrap();
    assert_eq!(due, db_time(app.now()));
    app.run_jobs().await;
}

async fn what_was_written_lies_sealed(app: TestApp) {
    let ground = Ground::of(&app).await;
    let words = json!({
        "employer": "龙岗秘密电子厂", "facts": "老板卷款跑路", "wishes": "要回血汗钱", "address": "平湖街道示例路9号",
    });
    let asked = ground.ask("zhang", words).await;
    let (rows, answers): (Vec<String>, Vec<String>) = app
        .read(|conn| {
            let rows = legal_cases::table.select(legal_cases::facts_sealed).load(conn)?;
            Ok((rows, idempotency_keys::table.select(idempotency_keys::body).load(conn)?))
        })
        .await;
    assert_eq!(rows.len(), 1);
    for text in rows.iter().chain(&answers) {
        for word in ["秘密电子厂", "卷款跑路", "血汗钱", "示例路9号"] {
            assert!(!text.contains(word), "{text}");
        }
    }
    assert_eq!(asked.seen().await["facts"], "老板卷款跑路");
    let reply = asked.worker.get(&asked.path()).await;
    assert_eq!((reply.header("cache-control"), reply.header("etag")), (Some("no-store"), None));
    app.run_jobs().await;
}

async fn requests_of_others_are_not_there(app: TestApp) {
    let ground = Ground::of(&app).await;
    let asked = ground.ask("zhang", json!({})).await;
    let li = ground.worker("li").await;
    let file = picture(&li).await;
    let missing = format!("{REQUESTS}/{}", app.ids().id::<unionhall::ids::CaseId>());
    for path in [asked.path(), missing] {
        li.get(&path).await.problem(404, "not_found");
        for (act, body) in [
            ("supplements", json!({ "text": "材料" })),
            ("evidence", json!({ "files": [file] })),
            ("withdrawals", json!({})),
        ] {
            li.post(&format!("{path}/{act}"), body).await.problem(404, "not_found");
        }
    }
    assert_eq!(li.get(REQUESTS).await.ok(200)["items"], json!([]));
    assert_eq!(asked.seen().await["state"], "received");
    app.run_jobs().await;
}

/// All roles of somebody end.
async fn revoke(app: &TestApp, person: unionhall::ids::PersonId) {
    use unionhall::platform::db::schema::staff_grants;
    let now = db_time(app.now());
    app.write(move |conn| {
        let grants = staff_grants::table.filter(staff_grants::person_id.eq(person));
        Ok(diesel::update(grants).set(staff_grants::revoked_at.eq(now)).execute(conn)?)
    })
    .await;
    app.app().platform().access.forget();
}
