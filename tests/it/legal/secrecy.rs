//! Need to know: what is not one's own does not exist. For every operation on a case and for every role, the answer for a case of others and
//! for one that is not there are the same bytes; and no list, count, notice or chain gives away that somebody has a case.

use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::{CaseId, GlassId, PersonId, parse_typeid, typeid};
use unionhall::legal_aid::model::TeamRole;
use unionhall::legal_aid::{store, team};
use unionhall::platform::db::schema::legal_glass;
use uuid::Uuid;

use super::planting::{TOLD, join, planted};
use crate::access::cases::{Stage, case};
use crate::access::staff_of;
use crate::harness::document::{OPERATIONS, Operation};
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    what_is_foreign_and_what_is_not_there_are_the_same_bytes,
    every_read_of_an_opened_case_is_in_the_chain,
    no_list_count_or_notice_gives_a_case_away,
];

/// Paths under which a case, or what hangs on one, is named by its id.
const OF_CASES: [&str; 6] = [
    "/api/v1/me/legal-requests/{",
    "/api/v1/me/legal-groups/{",
    "/api/v1/legal-cases/{",
    "/api/v1/legal-desk/{",
    "/api/v1/legal-objections/{",
    "/api/v1/legal-glass/{",
];

/// Operations that name a case by its id.
fn of_cases() -> Vec<&'static Operation> {
    let is_one = |operation: &&Operation| OF_CASES.iter().any(|start| operation.path.starts_with(start));
    let all: Vec<&Operation> = OPERATIONS.iter().filter(is_one).collect();
    assert!(all.len() >= 6, "only {} operations are found", all.len());
    all
}

/// The same path about something that is not there: every id in it is another one of its kind.
fn elsewhere(path: &str, fresh: impl Fn() -> Uuid) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let other = |piece: &str| match piece.split_once('_') {
        Some((prefix, _)) if prefix.len() == 3 => {
            let prefix: &'static str = prefix.to_owned().leak();
            match parse_typeid(prefix, piece) {
                Ok(_) => typeid(prefix, fresh()),
                Err(_) => piece.to_owned(),
            }
        }
        _ => piece.to_owned(),
    };
    let path: Vec<String> = path.split('/').map(other).collect();
    let path = path.join("/");
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

/// Who rightly knows of what `path` names: its team, whoever asked, whoever has opened it.
async fn knowing(app: &TestApp, path: &str) -> Vec<PersonId> {
    let ids: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
    app.read(move |conn| {
        let mut all = Vec::new();
        for id in &ids {
            if let Ok(case) = id.parse::<CaseId>() {
                all.extend(team::of(conn, case)?.into_iter().map(|member| member.person_id));
                all.push(store::get(conn, case)?.person_id);
            }
            if let Ok(glass) = id.parse::<GlassId>() {
                let opened = legal_glass::table.find(glass).select(legal_glass::person_id);
                all.push(opened.first(conn)?);
            }
        }
        Ok(all)
    })
    .await
}

/// Everything that an answer says, but what is different every time.
fn told(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let request = reply.header("x-request-id").unwrap_or_default().to_owned();
    // Whether the connection ends is said by whether the body had come before its guard refused: the transport's own.
    let mut headers: Vec<(String, String)> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .filter(|(name, _)| !["x-request-id", "date", "connection"].contains(&name.as_str()))
        .collect();
    headers.sort();
    (reply.status, headers, reply.text.replace(&request, ""))
}

/// Everybody who is logged in and is somebody, with what they may look at of the desk at 平湖: its officers see its nameless queue.
async fn callers(app: &TestApp) -> Vec<(Actor, bool)> {
    let mut all = Vec::new();
    for name in ["legal", "legal-lead"] {
        all.push((app.staff(name).await, true));
    }
    for name in [
        "legal-lawyer",
        "gate",
        "organiser",
        "reviewer",
        "reviewer-pinghu",
        "planner",
        "auditor",
        "admin",
        "organiser-pinghu",
    ] {
        all.push((app.staff(name).await, false));
    }
    for role in ["legal_officer", "legal_lead", "legal_lawyer"] {
        let name = format!("{role}-buji");
        all.push((staff_of(app, &name, role, "street-buji").await, false));
    }
    all.push((app.worker("stranger").await, false));
    all
}

async fn what_is_foreign_and_what_is_not_there_are_the_same_bytes(app: TestApp) {
    let stage = Stage::set(app.clone()).await;
    let callers = callers(&app).await;
    let (applicant, officer) = (app.worker("applicant").await, app.staff("legal-pinghu").await);
    let lead = staff_of(&app, "lead-pinghu", "legal_lead", "street-pinghu").await;
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for operation in of_cases() {
        let permission = operation.permission.as_deref().unwrap_or_default();
        let owner = match permission {
            "self" => &applicant,
            "legal:lead" => &lead,
            _ => &officer,
        };
        // Somebody else's, that is there: nobody below changes it.
        let call = case(&stage, &operation.id, owner).await;
        let call = call.unwrap_or_else(|| panic!("{} has no case", operation.id));
        let missing = elsewhere(&call.path, || app.ids().id());
        assert_ne!(missing, call.path, "{}", operation.id);
        let knowing = knowing(&app, &call.path).await;
        for (caller, sees_queue) in callers.iter().filter(|(caller, _)| !knowing.contains(&caller.person())) {
            let is_queue = ["/api/v1/legal-desk/", "/api/v1/legal-objections/"]
                .iter()
                .any(|start| operation.path.starts_with(start));
            let queue = is_queue && *sees_queue;
            let watched = operation.id == "legal_glass_get" && caller.name == "auditor";
            if queue || watched {
                continue;
            }
            let there = call.clone().at(missing.clone());
            let (foreign, none) = (call.clone().by(caller).await, there.by(caller).await);
            compared += 1;
            if foreign.status < 400 {
                wrong.push(format!("{} by {}: {}", operation.id, caller.name, foreign.status));
            } else if told(&foreign) != told(&none) {
                let (foreign, none) = (told(&foreign), told(&none));
                wrong.push(format!("{} by {}:\n  {foreign:?}\n  {none:?}", operation.id, caller.name));
            }
        }
    }
    assert!(compared > 60, "only {compared} were compared");
    assert!(wrong.is_empty(), "something is given away:\n{}", wrong.join("\n"));
    app.run_jobs().await;
}

async fn every_read_of_an_opened_case_is_in_the_chain(app: TestApp) {
    let stage = Stage::set(app.clone()).await;
    let (officer, lead) = (app.staff("legal-pinghu").await, app.staff("legal-lead").await);
    let path = |person: PersonId| format!("/api/v1/audit-entries?limit=100&actor={person}");
    let auditor = app.staff("auditor").await;
    let (mut silent, mut read) = (Vec::new(), 0);
    for operation in of_cases().into_iter().filter(|one| one.method == "GET") {
        if !operation.path.starts_with("/api/v1/legal-cases/") {
            continue;
        }
        let Some(call) = case(&stage, &operation.id, &officer).await else { continue };
        let id = call.path.split('/').find(|piece| piece.starts_with("cas_")).unwrap().to_owned();
        let ask = json!({ "case_id": id, "reason": "court", "text": "法院来函调阅材料" });
        lead.post("/api/v1/legal-glass", ask).await.ok(201);
        let count = async || {
            let page = auditor.get(&path(lead.person())).await.ok(200);
            page["items"].as_array().unwrap().iter().filter(|one| one.to_string().contains(&id)).count()
        };
        let before = count().await;
        let reply = call.by(&lead).await;
        if reply.status >= 400 {
            // What is for the team's own hands stays closed.
            assert_eq!(reply.status, 404, "{}: {}", operation.id, reply.text);
            continue;
        }
        read += 1;
        if count().await == before {
            silent.push(operation.id.as_str());
        }
    }
    assert!(read > 0, "nothing was read");
    assert!(silent.is_empty(), "read and not in the chain: {}", silent.join(", "));
    app.run_jobs().await;
}

/// What every role sees of the house, besides cases of which it is of the team.
const PLACES: [&str; 26] = [
    "/api/v1/legal-desk",
    "/api/v1/legal-desk/board",
    "/api/v1/legal-objections",
    "/api/v1/legal-cases",
    "/api/v1/legal-glass",
    "/api/v1/legal-lawyers",
    "/api/v1/legal-stations",
    "/api/v1/legal-consultations",
    "/api/v1/legal-statistics",
    "/api/v1/legal-statistics?year=2025&by=street",
    "/api/v1/legal-consultation-counts?from=2025-06-01&to=2025-06-30",
    "/api/v1/content-checks",
    "/api/v1/me/notices",
    "/api/v1/me/legal-requests",
    "/api/v1/reviews",
    "/api/v1/managed-activities",
    "/api/v1/staff-grants",
    "/api/v1/injuries",
    "/api/v1/memberships",
    "/api/v1/audit-entries?limit=100",
    "/api/v1/dead-jobs",
    "/api/v1/plans/2025/progress",
    "/api/v1/plans/2025/items/11/progress",
    "/api/v1/plans/2025/targets/11c/lines",
    "/api/v1/plans/2025/periods/06",
    "/plans/2025/board",
];

async fn no_list_count_or_notice_gives_a_case_away(app: TestApp) {
    let everybody = callers(&app).await;
    let before = seen(&app, &everybody).await;
    let zhang = app.worker("zhang").await;
    let id = planted(&app, zhang.person(), "street-pinghu", |case| case).await.id;
    let officer = app.staff("legal-pinghu").await;
    join(&app, id, officer.person(), TeamRole::Handler).await;
    let mine = format!("/api/v1/me/legal-requests/{id}/messages");
    zhang.post(&mine, json!({ "text": TOLD })).await.ok(201);
    officer.post(&format!("/api/v1/legal-cases/{id}/messages"), json!({ "text": "收到" })).await.ok(201);
    app.run_jobs().await;
    let after = seen(&app, &everybody).await;
    let secrets = [zhang.person().to_string(), id.to_string(), "三个月工资".into(), "示例机械厂".into()];
    for ((who, place, text), (_, _, earlier)) in after.iter().zip(&before) {
        // The chain says what was done to which case, and that somebody has logged in; never whose case it is.
        let pieces =
            if place.contains("audit-entries") { entries_of_cases(text) } else { vec![text.clone()] };
        for (piece, secret) in pieces.iter().flat_map(|piece| secrets.iter().map(move |one| (piece, one))) {
            let is_told = place.contains("audit-entries") && *secret == id.to_string();
            assert!(is_told || !piece.contains(secret), "{place} tells {who} of {secret}: {piece}");
        }
        // Whoever has nothing to do with it sees what they saw before. What time moves on by itself is left out.
        let moves = ["audit-entries", "legal-desk", "legal-statistics", "board"];
        if !moves.iter().any(|part| place.contains(part)) {
            assert_eq!(text, earlier, "{place} by {who}");
        }
    }
    // A search by the person's number, name or id leads to no case either.
    let auditor = app.staff("auditor").await;
    let by = format!("/api/v1/audit-entries?limit=100&actor={}", zhang.person());
    let own = auditor.get(&by).await.ok(200);
    let legal: Vec<&Value> = own["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["action"].as_str().unwrap().contains("legal"))
        .collect();
    assert_eq!(legal, Vec::<&Value>::new());
}

/// Of a page of the chain, what is about legal aid, entry by entry.
fn entries_of_cases(text: &str) -> Vec<String> {
    let body: Value = text.find('{').map(|at| serde_json::from_str(&text[at..]).unwrap()).unwrap_or_default();
    let entries = body["items"].as_array().into_iter().flatten().map(Value::to_string);
    entries.filter(|entry| entry.contains("legal") || entry.contains("cas_")).collect()
}

/// What everybody sees at every place: who, where, what.
async fn seen(app: &TestApp, everybody: &[(Actor, bool)]) -> Vec<(String, &'static str, String)> {
    let mut all = Vec::new();
    for (actor, _) in everybody {
        for place in PLACES {
            let reply = app.anon().send(actor.request(Method::GET, place)).await;
            let (status, headers, body) = told(&reply);
            let etag: Vec<&(String, String)> = headers.iter().filter(|(name, _)| name == "etag").collect();
            all.push((actor.name.clone(), place, format!("{status} {etag:?} {body}")));
        }
    }
    all
}
