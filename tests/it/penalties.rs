//! What a late cancellation and a no-show weigh, for how long, and who says otherwise.

use chrono::TimeDelta;
use serde_json::{Value, json};
use unionhall::error::Code;
use unionhall::ids::{PenaltyId, PersonId, SignupId};
use unionhall::offering;
use unionhall::platform::audit;
use unionhall::policy;
use unionhall::signup::penalty::model::{Ground, Penalty, PenaltyKind, PenaltyState};
use unionhall::signup::penalty::{self, store};

use crate::access::staff_of;
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    policies_hold_from_their_day,
    a_late_cancellation_weighs_until_it_expires,
    giving_back_in_time_and_help_weigh_nothing,
    who_does_not_come_gets_a_penalty_once,
    an_activity_that_did_not_take_place_gives_no_penalty,
    an_appeal_lifts_the_weight_until_somebody_else_decides,
    illness_at_cancelling_is_contested_at_once,
    appeals_of_other_subtrees_do_not_exist,
    what_is_said_is_sealed_and_every_reading_is_audited,
];

/// A penalty behind the application's back.
pub async fn given(app: &TestApp, person: PersonId, signup: SignupId, contested: bool) -> PenaltyId {
    let (id, now) = (app.ids().id(), app.now());
    app.write(move |conn| {
        let (terms, pauses) = (store::terms(conn, now)?, store::pauses(conn)?);
        let state = if contested { PenaltyState::Contested } else { PenaltyState::Live };
        let kind = PenaltyKind::LateCancel;
        let row = Penalty::given(id, (person, signup), kind, state, &terms, &pauses, now);
        assert_eq!(store::give_in_tx(conn, vec![row])?.len(), 1);
        Ok(())
    })
    .await;
    id
}

/// A confirmed place in `activity`.
async fn place(person: &Actor, activity: &Made) -> SignupId {
    person.sign_up(activity).await.ok(201)["id"].as_str().unwrap().parse().unwrap()
}

/// What the registrar does when a confirmed place is given back.
async fn give_back(
    app: &TestApp,
    person: &Actor,
    activity: &Made,
    signup: SignupId,
    ground: Option<Ground>,
) -> Option<Penalty> {
    let (ids, now, id, person) = (app.ids().clone(), app.now(), activity.id, person.person());
    app.write(move |conn| {
        let found = offering::store::activity_get(conn, id)?;
        let (activity, kind) = (found.activity, found.programme.kind);
        let given = penalty::given_late_in_tx(conn, &ids, now, &activity, kind, signup, person, ground)?;
        audit::append_in_tx(conn, now, given.iter().map(Penalty::entry).collect())?;
        Ok(given)
    })
    .await
}

/// What follows the end of an activity, once more.
async fn end(app: &TestApp, activity: &Made) {
    let (ids, now, id) = (app.ids().clone(), app.now(), activity.id);
    app.write(move |conn| {
        let activity = offering::store::activity_get(conn, id)?.activity;
        let entries = penalty::no_shows_in_tx(conn, &ids, now, &activity)?;
        audit::append_in_tx(conn, now, entries)
    })
    .await;
}

async fn points(app: &TestApp, person: &Actor) -> Option<i64> {
    let (person, now) = (person.person(), app.now());
    app.read(move |conn| store::points(conn, &[person], now)).await.remove(&person)
}

async fn mine(person: &Actor) -> Value {
    person.get("/api/v1/me/penalties").await.ok(200)
}

async fn notices(person: &Actor, kind: &str) -> Vec<String> {
    let inbox = person.get("/api/v1/me/notices").await.ok(200);
    let items = inbox["items"].as_array().unwrap();
    let of_kind = items.iter().filter(|item| item["kind"] == kind);
    of_kind.map(|item| item["body"].as_str().unwrap().to_owned()).collect()
}

async fn policies_hold_from_their_day(app: TestApp) {
    let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
    let (before, first, after) = (day("2024-12-31"), day("2025-01-01"), day("2026-03-01"));
    let change = policy::model::Policy {
        policy_key: "signup.free_cancel".into(),
        effective_from: day("2026-01-01"),
        value: "48".into(),
        unit: policy::model::PolicyUnit::Hours,
        source: "测试".into(),
    };
    app.write(move |conn| {
        use diesel::prelude::*;
        let table = unionhall::platform::db::schema::policies::table;
        diesel::insert_into(table).values(&change).execute(conn)?;
        Ok(())
    })
    .await;
    app.read(move |conn| {
        let key = "signup.free_cancel";
        assert!(policy::store::on(conn, key, before)?.is_none());
        assert_eq!(policy::store::number_on(conn, key, first)?, 24);
        assert_eq!(policy::store::number_on(conn, key, after)?, 48);
        let keys = [key, "signup.party_max"];
        let both = policy::store::numbers_on(conn, &keys, after)?;
        assert_eq!((both[key], both["signup.party_max"]), (48, 6));
        for (key, day) in [(key, before), ("signup.unheard_of", first), ("legal_aid.case_forms", after)] {
            for error in [
                policy::store::number_on(conn, key, day).unwrap_err(),
                policy::store::numbers_on(conn, &[key], day).unwrap_err(),
            ] {
                assert_eq!(error.code(), Code::Internal);
                assert!(error.to_string().contains(key), "{error}");
            }
        }
        Ok(())
    })
    .await;
}

async fn a_late_cancellation_weighs_until_it_expires(app: TestApp) {
    let zhang = app.worker("zhang").await;
    assert_eq!(mine(&zhang).await, json!({ "points": 0, "meaning": "目前不影响报名。", "items": [] }));
    let activity = app.activity(|a| a).await;
    let signup = place(&zhang, &activity).await;
    let penalty = give_back(&app, &zhang, &activity, signup, None).await.unwrap();
    app.run_jobs().await;
    assert_eq!(points(&app, &zhang).await, Some(1));
    // No public holiday lies within its ninety days.
    assert_eq!(penalty.expires_at.and_utc(), app.now() + TimeDelta::days(90));
    let seen = mine(&zhang).await;
    assert_eq!((&seen["points"], seen["items"].as_array().unwrap().len()), (&json!(1), 1));
    assert!(seen["meaning"].as_str().unwrap().contains("3 小时"), "{seen}");
    let item = &seen["items"][0];
    assert_eq!((&item["kind"], &item["weight"]), (&json!("late_cancel"), &json!(1)));
    assert_eq!((&item["state"], &item["weighs"]), (&json!("live"), &json!(true)));
    assert_eq!(item["activity_title"], "测试电工班");
    assert_eq!(notices(&zhang, "penalty_given").await.len(), 1);
    // One sign-up weighs once.
    assert!(give_back(&app, &zhang, &activity, signup, None).await.is_none());
    let other = app.activity(|a| a).await;
    let signup = place(&zhang, &other).await;
    give_back(&app, &zhang, &other, signup, None).await.unwrap();
    assert!(mine(&zhang).await["meaning"].as_str().unwrap().contains("12 小时"));
    let third = app.activity(|a| a).await;
    let signup = place(&zhang, &third).await;
    give_back(&app, &zhang, &third, signup, None).await.unwrap();
    let seen = mine(&zhang).await;
    assert_eq!(seen["points"], 3);
    assert!(seen["meaning"].as_str().unwrap().contains("其他人之后"), "{seen}");
    // Others have nothing to do with it.
    assert_eq!(points(&app, &app.worker("li").await).await, None);
    let last = TimeDelta::days(90) - TimeDelta::microseconds(1);
    app.advance(last);
    assert_eq!(points(&app, &zhang).await, Some(3));
    app.advance(TimeDelta::microseconds(1));
    assert_eq!(points(&app, &zhang).await, None);
    let mut zhang = zhang;
    zhang.log_in().await;
    let seen = mine(&zhang).await;
    assert_eq!((&seen["points"], &seen["items"][0]["weighs"]), (&json!(0), &json!(false)));
    app.run_jobs().await;
}

async fn giving_back_in_time_and_help_weigh_nothing(app: TestApp) {
    let (zhang, staff) = (app.worker("zhang").await, app.staff("organiser").await);
    let in_hours = |hours: i64| {
        move |a: crate::harness::factory::Wanted| {
            a.sessions(&[(TimeDelta::hours(hours), TimeDelta::hours(hours + 1))])
        }
    };
    let in_time = app.activity(in_hours(24)).await;
    let signup = place(&zhang, &in_time).await;
    assert!(give_back(&app, &zhang, &in_time, signup, None).await.is_none());
    let late = app.activity(in_hours(23)).await;
    let signup = place(&zhang, &late).await;
    // Staff who signed somebody up did not ask them; the same sign-up of one's own weighs.
    let (by, id) = (staff.person(), signup);
    let made = move |by: Option<PersonId>, basis: Option<&'static str>| {
        move |conn: &mut unionhall::platform::db::Conn| {
            use diesel::prelude::*;
            use unionhall::platform::db::schema::signups;
            let row = diesel::update(signups::table.find(id));
            Ok(row.set((signups::made_by.eq(by), signups::basis.eq(basis))).execute(conn)?)
        }
    };
    app.write(made(Some(by), Some("phone_call"))).await;
    assert!(give_back(&app, &zhang, &late, signup, None).await.is_none());
    // A worker whom their union named has confirmed it themselves.
    app.write(made(Some(by), Some("union_roster"))).await;
    assert!(give_back(&app, &zhang, &late, signup, None).await.is_some());
    for programme in ["demo-legal-day", "demo-injury-visit"] {
        let help = app.activity(|a| a.programme(programme)).await;
        let signup = place(&zhang, &help).await;
        assert!(give_back(&app, &zhang, &help, signup, None).await.is_none(), "{programme}");
        let gate = app.staff("gate").await;
        let li = app.worker("li").await;
        li.sign_up(&help).await.ok(201);
        gate.scan(help.session, &li.pass().await).await.ok(200);
        gate.finalise(help.session).await.ok(200);
        end(&app, &help).await;
    }
    assert_eq!(points(&app, &zhang).await, Some(1));
    app.run_jobs().await;
}

async fn who_does_not_come_gets_a_penalty_once(app: TestApp) {
    let (zhang, li, wang) = (app.worker("zhang").await, app.worker("li").await, app.worker("wang").await);
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a).await;
    for person in [&zhang, &li] {
        person.sign_up(&activity).await.ok(201);
    }
    let given_back = place(&wang, &activity).await;
    wang.post(&format!("/api/v1/signups/{given_back}/cancellations"), json!({})).await.ok(200);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    gate.finalise(activity.session).await.ok(200);
    end(&app, &activity).await;
    end(&app, &activity).await;
    app.run_jobs().await;
    assert_eq!((points(&app, &zhang).await, points(&app, &li).await), (None, Some(2)));
    let seen = mine(&li).await;
    assert_eq!((&seen["items"][0]["kind"], &seen["items"][0]["weight"]), (&json!("no_show"), &json!(2)));
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert!(mine(&wang).await["items"].as_array().unwrap().iter().all(|item| item["kind"] != "no_show"));
    let told = notices(&li, "penalty_given").await;
    assert!(told.len() == 1 && told[0].contains("未到场") && told[0].contains("2 分"), "{told:?}");
    let id = seen["items"][0]["id"].as_str().unwrap();
    let entries = app.staff("auditor").await.get(&format!("/api/v1/audit-entries?object={id}")).await.ok(200);
    assert_eq!(entries["items"].as_array().unwrap().len(), 1);
    assert_eq!(entries["items"][0]["action"], "penalty.give");
}

async fn an_activity_that_did_not_take_place_gives_no_penalty(app: TestApp) {
    let (li, gate) = (app.worker("li").await, app.staff("gate").await);
    // Nobody came at all, so that it was not held: whether it was the room or the people, nobody knows.
    let activity = app.activity(|a| a).await;
    li.sign_up(&activity).await.ok(201);
    gate.finalise(activity.session).await.ok(200);
    end(&app, &activity).await;
    assert_eq!(points(&app, &li).await, None);
    app.run_jobs().await;
}

async fn appeal(person: &Actor, id: PenaltyId, text: &str) -> crate::harness::Reply {
    let body = json!({ "ground": "illness", "text": text });
    person.post(&format!("/api/v1/penalties/{id}/appeals"), body).await
}

async fn decide(actor: &Actor, id: PenaltyId, decision: &str) -> crate::harness::Reply {
    let body = json!({ "decision": decision, "reason": "已核实病历" });
    actor.post(&format!("/api/v1/penalties/{id}/decisions"), body).await
}

async fn reveal(actor: &Actor, id: PenaltyId) -> crate::harness::Reply {
    actor.post(&format!("/api/v1/penalties/{id}/claim-reveals"), json!({})).await
}

async fn an_appeal_lifts_the_weight_until_somebody_else_decides(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let reviewer = app.staff("reviewer").await;
    let mut ids = Vec::new();
    for person in [&zhang, &zhang, &reviewer] {
        let signup = place(person, &app.activity(|a| a).await).await;
        ids.push(given(&app, person.person(), signup, false).await);
    }
    app.run_jobs().await;
    assert_eq!(points(&app, &zhang).await, Some(2));
    appeal(&li, ids[0], "不是我的").await.problem(404, "not_found");
    decide(&reviewer, ids[0], "waive").await.problem(409, "state_forbids");
    for (text, code) in [("", "min_length"), ("   ", "pattern")] {
        let problem = appeal(&zhang, ids[0], text).await.problem(422, "validation_failed");
        assert_eq!(
            (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
            (&json!("/text"), &json!(code))
        );
    }
    appeal(&zhang, ids[0], &"病".repeat(501)).await.problem(422, "validation_failed");
    assert_eq!(points(&app, &zhang).await, Some(2));
    let contested = appeal(&zhang, ids[0], "当日发热").await.ok(200);
    assert_eq!((&contested["state"], &contested["weighs"]), (&json!("contested"), &json!(false)));
    assert_eq!(points(&app, &zhang).await, Some(1));
    appeal(&zhang, ids[0], "再说一遍").await.problem(409, "state_forbids");
    // Listed for who decides, without the words.
    let listed = reviewer.get("/api/v1/penalties?state=contested").await;
    assert!(!listed.text.contains("发热"));
    let listed = listed.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], json!(ids[0]));
    decide(&zhang, ids[0], "waive").await.problem(403, "forbidden");
    let waived = decide(&reviewer, ids[0], "waive").await.ok(200);
    assert_eq!((&waived["state"], &waived["weighs"]), (&json!("waived"), &json!(false)));
    decide(&reviewer, ids[0], "uphold").await.problem(409, "state_forbids");
    appeal(&zhang, ids[0], "再说一遍").await.problem(409, "state_forbids");
    app.run_jobs().await;
    let told = notices(&zhang, "penalty_decided").await;
    assert!(told.len() == 1 && told[0].contains("予以免除") && told[0].contains("已核实病历"), "{told:?}");
    // The other one is upheld, and weighs again.
    appeal(&zhang, ids[1], "也是发热").await.ok(200);
    assert_eq!(points(&app, &zhang).await, None);
    assert_eq!(decide(&reviewer, ids[1], "uphold").await.ok(200)["weighs"], true);
    assert_eq!(points(&app, &zhang).await, Some(1));
    let seen = mine(&zhang).await;
    assert_eq!(seen["items"][0]["decision_reason"], "已核实病历");
    // Nobody judges their own.
    appeal(&reviewer, ids[2], "我也病了").await.ok(200);
    decide(&reviewer, ids[2], "waive").await.problem(409, "second_officer_required");
    assert_eq!(points(&app, &reviewer).await, None);
    decide(&app.staff("admin").await, ids[2], "uphold").await.ok(200);
    // What is over cannot be appealed against.
    let signup = place(&li, &app.activity(|a| a).await).await;
    let old = given(&app, li.person(), signup, false).await;
    app.advance(TimeDelta::days(200));
    let mut li = li;
    li.log_in().await;
    appeal(&li, old, "太晚了").await.problem(409, "state_forbids");
    app.run_jobs().await;
}

async fn illness_at_cancelling_is_contested_at_once(app: TestApp) {
    let zhang = app.worker("zhang").await;
    for (ground, weighs) in [(Ground::Illness, false), (Ground::Duty, true)] {
        let before = points(&app, &zhang).await.unwrap_or(0);
        let activity = app.activity(|a| a).await;
        let signup = place(&zhang, &activity).await;
        let penalty = give_back(&app, &zhang, &activity, signup, Some(ground)).await.unwrap();
        assert_eq!(penalty.ground, Some(ground));
        let expected = if weighs { PenaltyState::Live } else { PenaltyState::Contested };
        assert_eq!(penalty.state, expected);
        assert_eq!(points(&app, &zhang).await.unwrap_or(0) - before, i64::from(weighs));
        if !weighs {
            // The words may follow, once.
            appeal(&zhang, penalty.id, "高烧，有病历").await.ok(200);
            appeal(&zhang, penalty.id, "再补充").await.problem(409, "state_forbids");
        }
    }
    // What is said with the cancellation itself is kept for who decides.
    let li = app.worker("li").await;
    let signup = place(&li, &app.activity(|a| a).await).await;
    let body = json!({ "ground": "illness", "text": "突发腹痛" });
    li.post(&format!("/api/v1/signups/{signup}/cancellations"), body).await.ok(200);
    let seen = mine(&li).await;
    assert_eq!((&seen["points"], &seen["items"][0]["state"]), (&json!(0), &json!("contested")));
    let id = seen["items"][0]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(reveal(&app.staff("reviewer").await, id).await.ok(200)["text"], "突发腹痛");
    appeal(&li, id, "再补充").await.problem(409, "state_forbids");
    // Without a ground it weighs at once.
    let signup = place(&li, &app.activity(|a| a).await).await;
    li.post(&format!("/api/v1/signups/{signup}/cancellations"), json!({})).await.ok(200);
    assert_eq!(points(&app, &li).await, Some(1));
    app.run_jobs().await;
    let told = notices(&zhang, "penalty_given").await;
    assert!(told.iter().any(|text| text.contains("审核前不计分")), "{told:?}");
}

async fn appeals_of_other_subtrees_do_not_exist(app: TestApp) {
    let local = staff_of(&app, "reviewer-of-pinghu", "reviewer", "street-pinghu").await;
    let zhang = app.worker("zhang").await;
    let mut ids = Vec::new();
    for organiser in ["street-pingdi", "street-pinghu"] {
        let signup = place(&zhang, &app.activity(|a| a.organisation(organiser)).await).await;
        ids.push(given(&app, zhang.person(), signup, true).await);
    }
    let listed = local.get("/api/v1/penalties").await.ok(200);
    let listed: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!(listed, [&json!(ids[1])]);
    reveal(&local, ids[0]).await.problem(404, "not_found");
    decide(&local, ids[0], "waive").await.problem(404, "not_found");
    reveal(&local, ids[1]).await.ok(200);
    decide(&local, ids[1], "waive").await.ok(200);
    let all = app.staff("reviewer").await.get("/api/v1/penalties").await.ok(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    app.run_jobs().await;
}

async fn what_is_said_is_sealed_and_every_reading_is_audited(app: TestApp) {
    use diesel::prelude::*;
    use unionhall::platform::db::schema::penalties;
    const WORDS: &str = "急性阑尾炎手术住院";
    let (zhang, reviewer) = (app.worker("zhang").await, app.staff("reviewer").await);
    let signup = place(&zhang, &app.activity(|a| a).await).await;
    let id = given(&app, zhang.person(), signup, false).await;
    let answer = appeal(&zhang, id, WORDS).await;
    assert!(!answer.text.contains(WORDS));
    answer.ok(200);
    assert_eq!(crate::people::places_that_hold(&app, WORDS).await, [""; 0]);
    for _ in 0..2 {
        let file = reveal(&reviewer, id).await;
        assert_eq!(file.header("cache-control"), Some("no-store"));
        assert_eq!(file.ok(200)["text"], WORDS);
    }
    let auditor = app.staff("auditor").await;
    let entries = auditor.get(&format!("/api/v1/audit-entries?object={id}")).await;
    assert!(!entries.text.contains(WORDS) && !entries.text.contains("illness"), "{}", entries.text);
    let entries = entries.ok(200);
    let actions: Vec<&str> =
        entries["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["penalty.claim_read", "penalty.claim_read", "penalty.appeal"]);
    // Bound to its row: in another penalty it does not open.
    let signup = place(&zhang, &app.activity(|a| a).await).await;
    let other = given(&app, zhang.person(), signup, true).await;
    app.write(move |conn| {
        let text: Option<String> = penalties::table.find(id).select(penalties::claim_sealed).first(conn)?;
        diesel::update(penalties::table.find(other)).set(penalties::claim_sealed.eq(text)).execute(conn)?;
        Ok(())
    })
    .await;
    app.expect_5xx();
    reveal(&reviewer, other).await.problem(500, "internal");
    app.run_jobs().await;
}
