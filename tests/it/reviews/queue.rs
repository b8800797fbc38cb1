//! The queue: what waits, for whom, in which order, and how it is found.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::steps::{Request, STAFFED, UNSTAFFED, apply, request, worker_of};
use super::{Officers, asked, come_round};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::rosters::registered;

pub const TESTS: &[Test] = tests![
    the_most_urgent_comes_first,
    everybody_sees_their_own_bodies_and_below,
    filters_find_what_they_say,
    people_are_found_by_name_and_phone,
    pages_lose_nothing_while_rows_change,
    a_delegate_has_the_queue_of_both,
];

/// The ids that the queue shows, in its order.
async fn ids(officer: &Actor, query: &str) -> Vec<String> {
    let page = officer.get(&format!("/api/v1/reviews?limit=100{query}")).await.ok(200);
    assert_eq!(page["next"], Value::Null);
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["review_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn the_most_urgent_comes_first(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let mut made = Vec::new();
    for user in ["zhang", "li", "wang"] {
        made.push(asked(&app, user, json!({})).await.id);
        app.advance(TimeDelta::days(1));
    }
    officers.log_in().await;
    assert_eq!(ids(&officers.unit, "").await, made);
    // The first goes on to the sub-district, where it has more time than what the units have.
    let etag = officers.unit.get(&format!("/api/v1/reviews/{}", made[0])).await.etag();
    let key = officers.unit.fresh_key();
    super::decide_at(&officers.unit, &made[0], &etag, &key, &super::approve()).await.ok(200);
    assert_eq!(ids(&officers.street, "").await, [made[1].clone(), made[2].clone(), made[0].clone()]);
    let page = officers.street.get("/api/v1/reviews").await.ok(200);
    let due: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|line| line["due_at"].as_str().unwrap()).collect();
    assert!(due.is_sorted(), "{due:?}");
    let line = &page["items"][2];
    assert_eq!((&line["stage_name"], &line["state"]), (&json!("街道复核"), &json!("open")));
    assert_eq!((&line["applicant_masked"], &line["version"]), (&json!("张*丰"), &json!(2)));
    app.run_jobs().await;
}

async fn everybody_sees_their_own_bodies_and_below(app: TestApp) {
    let officers = Officers::of(&app).await;
    let pingdi = staff_of(&app, "pingdi", "reviewer", "street-pingdi").await;
    let unit = asked(&app, "zhang", json!({})).await.id;
    let street = request(&app, "li", Some(UNSTAFFED)).await.id;
    let there = request(&app, "wang", Some("demo-enterprise-pingdi-1")).await.id;
    let district = request(&app, "zhao", None).await.id;
    let set = |ids: &[&String]| -> BTreeSet<String> { ids.iter().map(|id| (*id).clone()).collect() };
    let seen = |officer: &Actor, query: &'static str| {
        let officer = officer.clone();
        async move { ids(&officer, query).await.into_iter().collect::<BTreeSet<String>>() }
    };
    assert_eq!(seen(&officers.unit, "").await, set(&[&unit]));
    assert_eq!(seen(&officers.street, "").await, set(&[&unit, &street]));
    assert_eq!(seen(&officers.street, "&own=true").await, set(&[&street]));
    assert_eq!(seen(&pingdi, "").await, set(&[&there]));
    assert_eq!(seen(&officers.district, "").await, set(&[&unit, &street, &there, &district]));
    assert_eq!(seen(&officers.district, "&own=true").await, set(&[&district]));
    // One organisation of them, and what lies elsewhere does not exist.
    let at = |code: &'static str| {
        let app = app.clone();
        async move { format!("/api/v1/reviews?organisation={}", app.organisation(code).await) }
    };
    let page = officers.district.get(&at("street-pingdi").await).await.ok(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]["review_id"]), (1, &json!(there)));
    let page = officers.street.get(&at(STAFFED).await).await.ok(200);
    assert_eq!(page["items"][0]["review_id"], json!(unit));
    for code in ["street-pingdi", "longgang", "demo-enterprise-pingdi-1"] {
        assert_eq!(officers.street.get(&at(code).await).await.ok(200)["items"], json!([]), "{code}");
    }
    assert_eq!(officers.unit.get(&at("street-pinghu").await).await.ok(200)["items"], json!([]));
    let nowhere = "/api/v1/reviews?organisation=org_01k5b8m3q2e9t8h6y1v7z4w0xn";
    assert_eq!(officers.district.get(nowhere).await.ok(200)["items"], json!([]));
    app.run_jobs().await;
}

async fn filters_find_what_they_say(app: TestApp) {
    let mut officers = Officers::of(&app).await;
    let second = staff_of(&app, "unit-2", "reviewer", STAFFED).await;
    let early = asked(&app, "zhang", json!({})).await;
    app.advance(TimeDelta::days(1));
    let later = asked(&app, "li", json!({})).await;
    app.advance(TimeDelta::days(1) + TimeDelta::hours(14));
    come_round(&app).await;
    // Thursday, midnight: the first is on its last day.
    let fresh = asked(&app, "wang", json!({})).await;
    let wang = app.worker("wang").await;
    let claim = crate::membership::claim(&app, STAFFED).await;
    let claimed = wang.post("/api/v1/me/membership-claims", claim).await.ok(201);
    let member = claimed["review_id"].as_str().unwrap().to_owned();
    officers.log_in().await;
    let mut second = second;
    second.log_in().await;
    let (early, later, fresh) = (early.id, later, fresh.id);
    later.send_back(&officers.unit).await.ok(200);
    officers.unit.post(&format!("/api/v1/reviews/{fresh}/claims"), json!({})).await.ok(200);
    let later = later.id;
    let cases: [(&str, Vec<&String>); 13] = [
        ("", vec![&early, &fresh, &member]),
        ("&waits=desk", vec![&early, &fresh, &member]),
        ("&waits=applicant", vec![&later]),
        ("&kind=membership", vec![&member]),
        ("&kind=signup", vec![&early, &fresh]),
        ("&claimed=mine", vec![&fresh]),
        ("&claimed=nobody", vec![&early, &member]),
        ("&urgency=amber", vec![&early]),
        ("&urgency=green", vec![&fresh, &member]),
        ("&urgency=red", vec![]),
        ("&urgency=green&kind=signup", vec![&fresh]),
        ("&urgency=green&claimed=nobody", vec![&member]),
        ("&own=true&kind=signup&urgency=amber&claimed=nobody", vec![&early]),
    ];
    for (query, expected) in &cases {
        let expected: BTreeSet<String> = expected.iter().map(|id| (*id).clone()).collect();
        let found: BTreeSet<String> = ids(&officers.unit, query).await.into_iter().collect();
        assert_eq!(found, expected, "{query}");
    }
    assert_eq!(ids(&second, "&claimed=mine").await, Vec::<String>::new());
    assert_eq!(ids(&officers.unit, &format!("&q={fresh}")).await, [fresh]);
    // A term that has run out.
    app.advance(TimeDelta::days(1));
    officers.log_in().await;
    assert_eq!(ids(&officers.unit, "&urgency=red").await, [early]);
    for wrong in
        ["claimed=theirs", "urgency=blue", "kind=loan", "waits=me", "limit=0", "limit=101", "q=x", "own=1"]
    {
        officers.unit.get(&format!("/api/v1/reviews?{wrong}")).await.problem(400, "query_invalid");
    }
    officers.unit.get("/api/v1/reviews?cursor=nonsense").await.problem(400, "cursor_invalid");
    come_round(&app).await;
}

async fn people_are_found_by_name_and_phone(app: TestApp) {
    let officers = Officers::of(&app).await;
    let activity = app.activity(crate::reviewed::trip).await;
    let zhang = registered(&app, "zhang", "张三丰", STAFFED, "13800000001").await;
    let li = registered(&app, "li", "李四", STAFFED, "13800000002").await;
    let there = registered(&app, "wang", "李四", "demo-enterprise-pingdi-1", "13800000003").await;
    let zhang = apply(zhang, &activity, json!({})).await.id;
    let li = apply(li, &activity, json!({})).await.id;
    let there = apply(there, &activity, json!({})).await.id;
    let find = |officer: &Actor, text: &'static str| {
        let officer = officer.clone();
        async move { ids(&officer, &format!("&q={text}")).await }
    };
    assert_eq!(find(&officers.unit, "张三丰").await, std::slice::from_ref(&zhang));
    assert_eq!(find(&officers.unit, "13800000002").await, std::slice::from_ref(&li));
    assert_eq!(find(&officers.unit, "%2B86%2013800000002").await, std::slice::from_ref(&li));
    // Another body's applicant of that name, and their number, are found by nobody else.
    assert_eq!(find(&officers.unit, "李四").await, std::slice::from_ref(&li));
    assert_eq!(find(&officers.unit, "13800000003").await, Vec::<String>::new());
    let both: BTreeSet<String> = find(&officers.district, "李四").await.into_iter().collect();
    assert_eq!(both, BTreeSet::from([li, there.clone()]));
    assert_eq!(ids(&officers.unit, &format!("&q={there}")).await, Vec::<String>::new());
    for nobody in ["张三", "138", "张%", "rev_01k5b8m3q2e9t8h6y1v7z4w0xn", "__"] {
        let found = ids(&officers.district, &format!("&q={}", nobody.replace('%', "%25"))).await;
        assert_eq!(found, Vec::<String>::new(), "{nobody}");
    }
    app.run_jobs().await;
}

async fn pages_lose_nothing_while_rows_change(app: TestApp) {
    let officers = Officers::of(&app).await;
    let activity = app.activity(|a| crate::reviewed::trip(a).capacity(100)).await;
    let ask = |number: usize| {
        let (app, activity) = (app.clone(), activity.clone());
        async move {
            let worker = worker_of(&app, &format!("worker-{number}"), Some(STAFFED)).await;
            apply(worker, &activity, json!({})).await
        }
    };
    let mut all = Vec::new();
    for number in 0..14 {
        all.push(ask(number).await);
    }
    // All are due at the same midnight: the order is that of the ids alone.
    let order = ids(&officers.unit, "").await;
    let mut all: BTreeMap<String, Request> = all.into_iter().map(|one| (one.id.clone(), one)).collect();
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    let mut stays: BTreeSet<String> = order.iter().cloned().collect();
    loop {
        let page = officers.unit.get(&format!("/api/v1/reviews?limit=4{cursor}")).await.ok(200);
        let lines = page["items"].as_array().unwrap();
        seen.extend(lines.iter().map(|line| line["review_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
        // Meanwhile one that was seen is decided, one that was not is withdrawn, and a new one comes.
        all[&seen[seen.len() - 1]].approve(&officers.unit).await.ok(200);
        if let Some(last) = order.iter().rev().find(|id| stays.contains(*id) && !seen.contains(id)).cloned() {
            let gone = &all[&last];
            gone.worker.post(&gone.own("/withdrawals"), json!({})).await.ok(200);
            stays.remove(&last);
        }
        pages += 1;
        let new = ask(100 + pages).await;
        all.insert(new.id.clone(), new);
    }
    let unique: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(unique.len(), seen.len(), "nothing twice");
    assert!(stays.is_subset(&unique), "nothing is lost that was there all along");
    assert!(pages >= 3, "{pages}");
    app.run_jobs().await;
}

async fn a_delegate_has_the_queue_of_both(app: TestApp) {
    let officers = Officers::of(&app).await;
    let pingdi = staff_of(&app, "pingdi", "reviewer", "street-pingdi").await;
    let here = request(&app, "zhang", Some(UNSTAFFED)).await.id;
    let there = request(&app, "li", Some("demo-enterprise-pingdi-1")).await.id;
    let below = asked(&app, "wang", json!({})).await.id;
    let set = |ids: &[&String]| -> BTreeSet<String> { ids.iter().map(|id| (*id).clone()).collect() };
    assert_eq!(ids(&pingdi, "").await, std::slice::from_ref(&there));
    let body = json!({
        "to_id": pingdi.person(), "organisation_id": app.organisation("street-pinghu").await,
        "from_at": app.now(), "until_at": app.now() + TimeDelta::hours(5), "reason": "外出培训",
    });
    officers.street.post("/api/v1/review-delegations", body).await.ok(201);
    let all: BTreeSet<String> = ids(&pingdi, "").await.into_iter().collect();
    assert_eq!(all, set(&[&here, &there, &below]));
    let own: BTreeSet<String> = ids(&pingdi, "&own=true").await.into_iter().collect();
    assert_eq!(own, set(&[&here, &there]));
    let board = pingdi.get("/api/v1/review-counts").await.ok(200);
    let number: i64 =
        board["counts"].as_array().unwrap().iter().map(|count| count["number"].as_i64().unwrap()).sum();
    assert_eq!(number, 3);
    app.run_jobs().await;
}
