//! Memberships: claimed, decided by the union and its sub-district, appealed against, moved, ended; and what is for members only.

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::{MembershipId, OrganisationId, PersonId};
use unionhall::membership::model::{Membership, MembershipState};
use unionhall::membership::store;
use unionhall::membership::subject::MembershipSubject;
use unionhall::notify::beside::Beside;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{activities, memberships, organisations, reviews};
use unionhall::review::subject::{Refused, Subject};

use crate::access::staff_of;
use crate::harness::factory::Wanted;
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::http::problems::{faults, pairs};
use crate::places::next_week;
use crate::reviewed;
use crate::rosters::registered;

pub const TESTS: &[Test] = tests![
    a_claim_is_confirmed_by_unit_and_street_and_opens_what_is_for_members,
    a_member_of_an_industry_union_is_confirmed_by_it,
    what_is_wrong_with_a_claim_is_said,
    there_is_one_claim_at_a_time,
    two_claims_at_once_leave_one,
    a_claim_is_rejected_and_appealed,
    an_appeal_does_not_undo_what_came_after_it,
    whoever_is_verified_elsewhere_moves,
    staff_end_memberships_of_their_own_subtree,
    staff_see_the_members_of_their_own_subtree,
    only_members_are_nominated_for_what_is_for_members,
    an_approval_asks_again_whether_somebody_is_a_member,
    what_changed_behind_a_lock_is_not_written_over,
    a_union_that_is_gone_takes_nobody,
    a_move_meets_an_ending,
];

/// A unit with a reviewer of its own, and one without, both of 平湖.
const UNIT: &str = "demo-enterprise-pinghu-1";
const OTHER: &str = "demo-enterprise-pinghu-2";
const CLAIMS: &str = "/api/v1/me/membership-claims";

/// What is posted to claim a membership of the union with this code.
pub async fn claim(app: &TestApp, union: &str) -> Value {
    json!({ "organisation_id": app.organisation(union).await, "since": "2021-03-01",
            "form": { "employee_no": "A0123" } })
}

/// A verified membership behind the application's back.
pub async fn verified(app: &TestApp, person: PersonId, union: &str) -> MembershipId {
    let (id, now, union) = (app.ids().id(), db_time(app.now()), app.organisation(union).await);
    let row = Membership {
        id,
        person_id: person,
        organisation_id: union,
        state: MembershipState::Verified,
        since: None,
        claimed_at: now,
        verified_at: Some(now),
        ended_at: None,
        ended_because: None,
        version: 1,
    };
    app.write(move |conn| {
        assert!(store::insert_in_tx(conn, &row)?);
        Ok(())
    })
    .await;
    id
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_else(|| panic!("no {field}: {body}"))
}

/// A training of next week for members only.
fn for_members(a: Wanted) -> Wanted {
    next_week(a).set("members_only", json!(true))
}

/// Decides about the request as it stands now.
async fn decide(officer: &Actor, review: &str, body: Value) -> Reply {
    let path = format!("/api/v1/reviews/{review}");
    let etag = officer.get(&path).await.etag();
    let request = officer
        .request(Method::POST, &format!("{path}/decisions"))
        .header("if-match", etag)
        .header("idempotency-key", officer.fresh_key())
        .json(&body);
    officer.send(request).await
}

async fn approve(officer: &Actor, review: &str) -> Reply {
    decide(officer, review, json!({ "decision": "approve" })).await
}

async fn reject(officer: &Actor, review: &str) -> Reply {
    decide(officer, review, json!({ "decision": "reject", "reasons": ["not_employed"] })).await
}

async fn now(worker: &Actor, membership: &Value) -> Value {
    worker.get(&format!("/api/v1/me/memberships/{}", text(membership, "id"))).await.ok(200)
}

async fn appeal(worker: &Actor, review: &str) -> String {
    let body = json!({ "text": "劳动合同在有效期内，请复核。" });
    let made = worker.post(&format!("/api/v1/me/reviews/{review}/appeals"), body).await.ok(201);
    text(&made, "id").to_owned()
}

/// The states of somebody's memberships by union, in the order of their names.
async fn states(app: &TestApp, person: PersonId) -> Vec<(OrganisationId, String)> {
    app.read(move |conn| {
        let rows: Vec<(OrganisationId, MembershipState)> = memberships::table
            .filter(memberships::person_id.eq(person))
            .order((memberships::state, memberships::id))
            .select((memberships::organisation_id, memberships::state))
            .load(conn)?;
        Ok(rows.into_iter().map(|(union, state)| (union, state.to_string())).collect())
    })
    .await
}

async fn told(app: &TestApp, person: &Actor, kind: &str) -> Vec<String> {
    app.run_jobs().await;
    let inbox = person.get("/api/v1/me/notices").await.ok(200);
    let items = inbox["items"].as_array().unwrap();
    items.iter().filter(|one| one["kind"] == kind).map(|one| text(one, "body").to_owned()).collect()
}

async fn a_claim_is_confirmed_by_unit_and_street_and_opens_what_is_for_members(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let zhang = app.worker("zhang").await;
    let activity = app.activity(for_members).await;
    assert_eq!(activity.body["members_only"], true);
    let problem = zhang.sign_up(&activity).await.problem(409, "signup_members_only");
    assert!(text(&problem, "title").contains("会籍"), "{problem}");

    let form = app.anon().get("/api/v1/membership-form").await.ok(200);
    assert!(form["fields"].as_array().unwrap().iter().any(|field| field["key"] == "employee_no"), "{form}");
    let reply = zhang.post(CLAIMS, claim(&app, UNIT).await).await;
    let claimed = reply.expect(201).body.clone();
    assert_eq!((&claimed["state"], &claimed["since"]), (&json!("claimed"), &json!("2021-03-01")));
    assert_eq!(zhang.get(reply.header("location").unwrap()).await.ok(200), claimed);
    let review = text(&claimed, "review_id").to_owned();
    // The union that is claimed decides, though the profile names no workplace.
    let stands = zhang.get(&format!("/api/v1/me/reviews/{review}")).await.ok(200);
    assert_eq!(stands["title"], "会籍认证：示例物流（平湖）");
    let bodies: Vec<&Value> =
        stands["stages"].as_array().unwrap().iter().map(|stage| &stage["body_id"]).collect();
    let (at, above) = (app.organisation(UNIT).await, app.organisation("street-pinghu").await);
    assert_eq!(bodies, [&json!(at), &json!(above)]);

    approve(&unit, &review).await.ok(200);
    zhang.sign_up(&activity).await.problem(409, "signup_members_only");
    assert_eq!(now(&zhang, &claimed).await["state"], "claimed");
    assert_eq!(approve(&street, &review).await.ok(200)["state"], "approved");
    let member = now(&zhang, &claimed).await;
    assert_eq!((&member["state"], &member["verified_at"]), (&json!("verified"), &json!(app.now())));
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["workplace_id"], json!(at));
    assert_eq!(zhang.sign_up(&activity).await.ok(201)["state"], "confirmed");

    let said = told(&app, &zhang, "review_approved").await;
    assert!(said[0].contains("示例物流（平湖）会员") && said[0].contains("工作单位"), "{said:?}");
    zhang.post(CLAIMS, claim(&app, UNIT).await).await.problem(409, "membership_held");
    let mine = zhang.get("/api/v1/me/memberships").await.ok(200);
    assert_eq!(mine["items"], json!([member]));
    // What is one's own is nobody else's.
    let li = app.worker("li").await;
    li.get(&format!("/api/v1/me/memberships/{}", text(&claimed, "id"))).await.problem(404, "not_found");
    assert_eq!(li.get("/api/v1/me/memberships").await.ok(200)["items"], json!([]));
    li.sign_up(&activity).await.problem(409, "signup_members_only");
}

async fn a_member_of_an_industry_union_is_confirmed_by_it(app: TestApp) {
    const INDUSTRY: &str = "demo-industry-freight";
    let union = staff_of(&app, "freight", "reviewer", INDUSTRY).await;
    let zhang = app.worker("zhang").await;
    let claimed = zhang.post(CLAIMS, claim(&app, INDUSTRY).await).await.ok(201);
    approve(&union, text(&claimed, "review_id")).await.ok(200);
    assert_eq!(now(&zhang, &claimed).await["state"], "verified");
    app.run_jobs().await;
}

async fn what_is_wrong_with_a_claim_is_said(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let today = app.now();
    for (field, value, fault) in [
        ("organisation_id", json!(app.organisation("street-pinghu").await), ("/organisation_id", "enum")),
        ("organisation_id", json!(app.ids().id::<OrganisationId>()), ("/organisation_id", "unknown")),
        ("since", json!((today + TimeDelta::days(1)).date_naive()), ("/since", "range")),
        ("since", json!("0001-01-01"), ("/since", "range")),
        ("since", json!("2025-02-30"), ("/since", "format")),
        ("form", json!({}), ("/form/employee_no", "required")),
        ("form", json!({ "employee_no": "1", "wage": "9" }), ("/form/wage", "unknown")),
        ("state", json!("verified"), ("/state", "unknown")),
    ] {
        let mut body = claim(&app, UNIT).await;
        body[field] = value;
        let problem = zhang.post(CLAIMS, body).await.problem(422, "validation_failed");
        assert_eq!(faults(&problem), pairs(&[fault]));
    }
    let left: (i64, i64) = app
        .read(|conn| Ok((memberships::table.count().first(conn)?, reviews::table.count().first(conn)?)))
        .await;
    assert_eq!(left, (0, 0));
}

async fn there_is_one_claim_at_a_time(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let key = zhang.fresh_key();
    let body = claim(&app, UNIT).await;
    let first = zhang.post_keyed(&key, CLAIMS, body.clone()).await;
    let claimed = first.expect(201).body.clone();
    assert_eq!(zhang.post_keyed(&key, CLAIMS, body.clone()).await.text, first.text);
    for union in [UNIT, OTHER] {
        zhang.post(CLAIMS, claim(&app, union).await).await.problem(409, "review_live");
    }
    let review = text(&claimed, "review_id");
    zhang.post(&format!("/api/v1/me/reviews/{review}/withdrawals"), json!({})).await.ok(200);
    assert_eq!(now(&zhang, &claimed).await["state"], "withdrawn");
    zhang.post(CLAIMS, body).await.ok(201);
    app.run_jobs().await;
}

async fn two_claims_at_once_leave_one(app: TestApp) {
    for round in 0..10 {
        let zhang = app.worker(&format!("zhang-{round}")).await;
        let (one, other) = (claim(&app, UNIT).await, claim(&app, OTHER).await);
        let (a, b) = tokio::join!(zhang.post(CLAIMS, one), zhang.post(CLAIMS, other));
        let mut said = [(a.status, a.body["code"].clone()), (b.status, b.body["code"].clone())];
        said.sort_by_key(|(status, _)| *status);
        assert_eq!(said, [(201, Value::Null), (409, json!("review_live"))], "round {round}");
        let kept: Vec<String> =
            states(&app, zhang.person()).await.into_iter().map(|(_, state)| state).collect();
        assert_eq!(kept, ["claimed"], "round {round}");
    }
    app.run_jobs().await;
}

async fn a_claim_is_rejected_and_appealed(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let activity = app.activity(for_members).await;
    let mut people = Vec::new();
    for name in ["zhang", "li"] {
        let worker = app.worker(name).await;
        let claimed = worker.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
        let review = text(&claimed, "review_id").to_owned();
        reject(&unit, &review).await.ok(200);
        assert_eq!(now(&worker, &claimed).await["state"], "refused");
        let appeal = appeal(&worker, &review).await;
        // The appeal is what the claim hangs on now, and there is no other beside it.
        let stands = now(&worker, &claimed).await;
        assert_eq!((&stands["state"], &stands["review_id"]), (&json!("refused"), &json!(appeal)));
        worker.post(CLAIMS, claim(&app, OTHER).await).await.problem(409, "review_live");
        // It stands at the body above, and is nothing of those who rejected it.
        unit.get(&format!("/api/v1/reviews/{appeal}")).await.problem(404, "not_found");
        people.push((worker, claimed, appeal));
    }
    let [(zhang, first, granted), (li, second, refused)] = people.as_slice() else { unreachable!() };
    approve(&street, granted).await.ok(200);
    reject(&street, refused).await.ok(200);
    assert_eq!(now(zhang, first).await["state"], "verified");
    assert_eq!(now(li, second).await["state"], "refused");
    zhang.sign_up(&activity).await.ok(201);
    li.sign_up(&activity).await.problem(409, "signup_members_only");
    // What was refused for good may be claimed anew.
    li.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
    app.run_jobs().await;
}

async fn an_appeal_does_not_undo_what_came_after_it(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let zhang = app.worker("zhang").await;
    let refused = zhang.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
    reject(&unit, text(&refused, "review_id")).await.ok(200);
    app.advance(TimeDelta::minutes(1));
    // The other unit has nobody who decides, so the street does.
    let later = zhang.post(CLAIMS, claim(&app, OTHER).await).await.ok(201);
    approve(&street, text(&later, "review_id")).await.ok(200);
    let appeal = appeal(&zhang, text(&refused, "review_id")).await;
    approve(&street, &appeal).await.problem(409, "membership_held");
    assert_eq!(now(&zhang, &refused).await["state"], "refused");
    assert_eq!(now(&zhang, &later).await["state"], "verified");
    assert_eq!(zhang.get(&format!("/api/v1/me/reviews/{appeal}")).await.ok(200)["state"], "open");
    app.run_jobs().await;
}

async fn whoever_is_verified_elsewhere_moves(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let zhang = app.worker("zhang").await;
    let from = app.organisation(OTHER).await;
    zhang.set_profile("张三丰", Some(from)).await;
    verified(&app, zhang.person(), OTHER).await;
    let claimed = zhang.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
    let review = text(&claimed, "review_id");
    approve(&unit, review).await.ok(200);
    let to = app.organisation(UNIT).await;
    let before = [(to, "claimed".to_owned()), (from, "verified".to_owned())];
    assert_eq!(states(&app, zhang.person()).await, before, "a member until the last approval");
    approve(&street, review).await.ok(200);
    let after = [(from, "ended".to_owned()), (to, "verified".to_owned())];
    assert_eq!(states(&app, zhang.person()).await, after);
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["workplace_id"], json!(to));
    let mine = zhang.get("/api/v1/me/memberships").await.ok(200);
    let ended = mine["items"].as_array().unwrap().iter().find(|one| one["state"] == "ended").unwrap();
    assert_eq!((&ended["ended_because"], &ended["ended_at"]), (&json!("moved"), &json!(app.now())));
    let said = told(&app, &zhang, "review_approved").await;
    assert!(said[0].contains("示例食品（平湖）的会籍同时转出"), "{said:?}");
}

async fn staff_end_memberships_of_their_own_subtree(app: TestApp) {
    let street = app.staff("organiser-pinghu").await;
    let elsewhere = staff_of(&app, "organiser-buji", "organiser", "street-buji").await;
    let zhang = app.worker("zhang").await;
    let id = verified(&app, zhang.person(), UNIT).await;
    let path = format!("/api/v1/memberships/{id}/endings");
    let left = json!({ "reason": "left" });
    elsewhere.post(&path, left.clone()).await.problem(404, "not_found");
    street.post(&path, json!({ "reason": "" })).await.problem(422, "validation_failed");
    let activity = app.activity(for_members).await;
    zhang.sign_up(&activity).await.ok(201);
    let ended = street.post(&path, left.clone()).await.ok(200);
    assert_eq!((&ended["state"], &ended["ended_because"]), (&json!("ended"), &json!("left")));
    street.post(&path, left.clone()).await.problem(409, "state_forbids");
    let said = told(&app, &zhang, "membership_ended").await;
    assert!(said[0].contains("示例物流（平湖）") && said[0].contains("离职"), "{said:?}");
    let entries = app.staff("auditor").await.get("/api/v1/audit-entries").await.ok(200);
    let entry = entries["items"].as_array().unwrap().iter().find(|one| one["action"] == "membership.end");
    assert_eq!(entry.unwrap()["object"], json!(id));
    // Whoever has a place keeps it; the next one needs a membership.
    let next = app.activity(for_members).await;
    zhang.sign_up(&next).await.problem(409, "signup_members_only");
    let own = verified(&app, street.person(), UNIT).await;
    street
        .post(&format!("/api/v1/memberships/{own}/endings"), left)
        .await
        .problem(409, "second_officer_required");
    app.run_jobs().await;
}

async fn staff_see_the_members_of_their_own_subtree(app: TestApp) {
    let street = app.staff("reviewer-pinghu").await;
    let mut ids = Vec::new();
    for (name, union) in [("zhang", UNIT), ("li", OTHER), ("wang", "demo-enterprise-buji-1")] {
        let worker = app.worker(name).await;
        worker.set_profile("张三丰", None).await;
        ids.push(verified(&app, worker.person(), union).await);
    }
    app.worker("zhao").await.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
    let listed = async |who: &Actor, query: &str| -> Vec<String> {
        let reply = who.get(&format!("/api/v1/memberships{query}")).await;
        assert!(!reply.text.contains("张三丰"), "{}", reply.text);
        let page = reply.ok(200);
        page["items"].as_array().unwrap().iter().map(|one| text(one, "id").to_owned()).collect()
    };
    let mut of_street = vec![ids[0].to_string(), ids[1].to_string()];
    of_street.sort();
    assert_eq!(listed(&street, "?state=verified").await, of_street);
    assert_eq!(listed(&street, "").await.len(), 3);
    let unit = app.organisation(UNIT).await;
    assert_eq!(listed(&street, &format!("?state=verified&organisation={unit}")).await, [ids[0].to_string()]);
    assert_eq!(listed(&app.staff("reviewer").await, "?state=verified").await.len(), 3);
    for above in ["longgang", "street-buji"] {
        let query = format!("?organisation={}", app.organisation(above).await);
        assert_eq!(listed(&street, &query).await, [""; 0], "{above}");
    }
    let page = street.get("/api/v1/memberships?state=verified&limit=1").await.ok(200);
    assert_eq!(page["items"][0]["name_masked"], "张*丰");
    let next = format!("/api/v1/memberships?state=verified&limit=1&cursor={}", text(&page, "next"));
    let rest = street.get(&next).await.ok(200);
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!(of_street[1]), &Value::Null));
    app.run_jobs().await;
}

async fn only_members_are_nominated_for_what_is_for_members(app: TestApp) {
    let staff = staff_of(&app, "union-officer", "organiser", UNIT).await;
    let zhang = registered(&app, "zhang", "张三丰", UNIT, "13800138001").await;
    registered(&app, "li", "李四", UNIT, "13800138002").await;
    let member = registered(&app, "wang", "王五", UNIT, "13800138003").await;
    verified(&app, zhang.person(), UNIT).await;
    verified(&app, member.person(), UNIT).await;
    let activity = app.activity(for_members).await;
    let rows =
        json!([{ "name": "张三丰", "phone": "13800138001" }, { "name": "李四", "phone": "13800138002" }]);
    let body = json!({ "organisation_id": app.organisation(UNIT).await, "rows": rows,
                       "name_later": 2, "name_by": app.now() + TimeDelta::minutes(30) });
    let view = staff.post(&format!("/api/v1/activities/{}/rosters", activity.id), body).await.ok(200);
    let verdicts: Vec<&Value> = view["rows"].as_array().unwrap().iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["nominated", "not_member"]);
    // Nor for places that are kept.
    let names = json!({ "rows": [{ "name": "李四", "phone": "13800138002" }, { "name": "王五", "phone": "13800138003" }] });
    let hold = text(&view["holds"][0], "id");
    let view = staff.post(&format!("/api/v1/place-holds/{hold}/names"), names).await.ok(200);
    let verdicts: Vec<&Value> = view["rows"].as_array().unwrap().iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["not_member", "nominated"]);
    // Nor by staff who sign somebody up.
    let guest = app.worker("guest").await;
    let body = json!({ "person_id": guest.person(), "basis": "paper_form" });
    let proxy = format!("/api/v1/activities/{}/proxy-signups", activity.id);
    app.staff("organiser").await.post(&proxy, body).await.problem(409, "signup_members_only");
    app.run_jobs().await;
}

async fn an_approval_asks_again_whether_somebody_is_a_member(app: TestApp) {
    let district = app.staff("reviewer").await;
    let activity = app.activity(|a| reviewed::trip(a).set("members_only", json!(true))).await;
    let zhang = app.worker("zhang").await;
    reviewed::apply(&zhang, &activity).await.problem(409, "signup_members_only");
    let id = verified(&app, zhang.person(), UNIT).await;
    let signup = reviewed::apply(&zhang, &activity).await.ok(201);
    let path = format!("/api/v1/memberships/{id}/endings");
    app.staff("admin").await.post(&path, json!({ "reason": "mistake" })).await.ok(200);
    approve(&district, text(&signup, "review_id")).await.problem(409, "signup_members_only");
    let stands = zhang.get(&format!("/api/v1/signups/{}", text(&signup, "id"))).await.ok(200);
    assert_eq!(stands["state"], "applied");
    let id = activity.id;
    let taken: i64 =
        app.read(move |c| Ok(activities::table.find(id).select(activities::taken).first(c)?)).await;
    assert_eq!(taken, 0);
    // Whoever is one again gets the place.
    verified(&app, zhang.person(), UNIT).await;
    approve(&district, text(&signup, "review_id")).await.ok(200);
    let stands = zhang.get(&format!("/api/v1/signups/{}", text(&signup, "id"))).await.ok(200);
    assert_eq!(stands["state"], "confirmed");
    app.run_jobs().await;
}

async fn what_changed_behind_a_lock_is_not_written_over(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let zhang = app.worker("zhang").await;
    let claimed = zhang.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
    let id: MembershipId = text(&claimed, "id").parse().unwrap();
    let before = app.read(move |conn| store::get(conn, id)).await;
    let review = text(&claimed, "review_id").to_owned();
    approve(&unit, &review).await.ok(200);
    approve(&street, &review).await.ok(200);
    // What was read before says what it goes out from.
    let after = Membership { state: MembershipState::Refused, version: before.version + 1, ..before.clone() };
    let written = app.db().write(move |conn: &mut Conn| store::update_in_tx(conn, &before, &after)).await;
    assert_eq!(written.unwrap_err().code(), unionhall::error::Code::Internal);
    // A refusal that comes late, of an appeal, ends nothing.
    let (review, at) = (review.parse().unwrap(), app.now());
    let refused = move |conn: &mut Conn| {
        let review = unionhall::review::store::get(conn, review)?;
        MembershipSubject.refused_in_tx(conn, &review, Refused::Rejected, at, &mut Beside::default())
    };
    app.db().write(refused).await.unwrap();
    assert_eq!(now(&zhang, &claimed).await["state"], "verified");
    app.run_jobs().await;
}

async fn a_union_that_is_gone_takes_nobody(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let zhang = app.worker("zhang").await;
    let claimed = zhang.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
    let review = text(&claimed, "review_id").to_owned();
    approve(&unit, &review).await.ok(200);
    let union = app.organisation(UNIT).await;
    let last_day = |day: &'static str| {
        let day: chrono::NaiveDate = day.parse().unwrap();
        app.write(move |conn| {
            let gone = organisations::closed_on.eq(day);
            Ok(diesel::update(organisations::table.find(union)).set(gone).execute(conn)?)
        })
    };
    // It was there until yesterday; on its last day it still takes somebody.
    last_day("2025-06-15").await;
    approve(&street, &review).await.problem(409, "state_forbids");
    assert_eq!(now(&zhang, &claimed).await["state"], "claimed");
    assert_eq!(zhang.get(&format!("/api/v1/me/reviews/{review}")).await.ok(200)["state"], "open");
    last_day("2025-06-16").await;
    approve(&street, &review).await.ok(200);
    assert_eq!(now(&zhang, &claimed).await["state"], "verified");
    app.run_jobs().await;
}

async fn a_move_meets_an_ending(app: TestApp) {
    let (unit, street) = (app.staff("reviewer-unit-pinghu-1").await, app.staff("reviewer-pinghu").await);
    let organiser = app.staff("organiser-pinghu").await;
    let (from, to) = (app.organisation(OTHER).await, app.organisation(UNIT).await);
    for round in 0..16 {
        let zhang = app.worker(&format!("zhang-{round}")).await;
        let old = verified(&app, zhang.person(), OTHER).await;
        let claimed = zhang.post(CLAIMS, claim(&app, UNIT).await).await.ok(201);
        let review = format!("/api/v1/reviews/{}", text(&claimed, "review_id"));
        approve(&unit, text(&claimed, "review_id")).await.ok(200);
        let etag = street.get(&review).await.etag();
        let approval = street
            .request(Method::POST, &format!("{review}/decisions"))
            .header("if-match", etag)
            .header("idempotency-key", street.fresh_key())
            .json(&json!({ "decision": "approve" }));
        let ending = format!("/api/v1/memberships/{old}/endings");
        let (approved, ended) =
            tokio::join!(street.send(approval), organiser.post(&ending, json!({ "reason": "left" })));
        approved.expect(200);
        // Whoever comes first ends it; the other finds it ended.
        assert!(matches!(ended.status, 200 | 409), "round {round}: {}", ended.text);
        let after = [(from, "ended".to_owned()), (to, "verified".to_owned())];
        let mut kept = states(&app, zhang.person()).await;
        kept.sort_by_key(|(_, state)| state.clone());
        assert_eq!(kept, after, "round {round}");
    }
    app.run_jobs().await;
}
