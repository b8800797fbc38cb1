//! Stations and lawyers, whose turn it is, and who has to keep away.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::{CaseId, LawyerId, PersonId, TieId};
use unionhall::legal_aid::hands::conflicts::{self, ConflictGround};
use unionhall::legal_aid::hands::{lawyers, rota};
use unionhall::legal_aid::model::{Case, Side, TeamRole};
use unionhall::legal_aid::parties;
use unionhall::platform::db::schema::{legal_lawyers, legal_turns, review_ties};

use super::desk::take;
use super::dsl::Ground;
use super::manning::{EMPLOYER, against, duty, handled, lawyer, register, sides, station};
use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    stations_are_registered_and_found,
    lawyers_are_masked_and_sealed,
    turns_have_an_order_and_every_skip_a_reason,
    whoever_is_chosen_out_of_turn_has_a_reason,
    whoever_is_passed_over_is_not_assigned,
    kin_colleagues_and_applicants_keep_away,
    whoever_served_the_other_side_keeps_away,
];

const STATIONS: &str = "/api/v1/legal-stations";
const LAWYERS: &str = "/api/v1/legal-lawyers";

async fn stations_are_registered_and_found(app: TestApp) {
    let lead = staff_of(&app, "lead-pinghu", "legal_lead", "street-pinghu").await;
    let pinghu = app.organisation("street-pinghu").await;
    let body = |kind: &str, organisation: Value, opened_on: &str| {
        json!({ "kind": kind, "organisation_id": organisation, "name": "平湖法律服务站", "address": "示例路1号",
            "phone": "0755-12345678", "opened_on": opened_on })
    };
    // Its own street's; not another's, nor the centre.
    let made = lead.post(STATIONS, body("community", json!(pinghu), "2025-03-01")).await.ok(201);
    let buji = json!(app.organisation("street-buji").await);
    for elsewhere in [buji, json!("org_01k5b8m3q2e9t8h6y1v7z4w0xn")] {
        let wrong = lead.post(STATIONS, body("community", elsewhere, "2025-03-01")).await;
        assert_eq!(
            faults(&wrong.problem(422, "validation_failed")),
            pairs(&[("/organisation_id", "unknown")])
        );
    }
    lead.post(STATIONS, body("community", json!(pinghu), "2025-03-01")).await.problem(409, "unique_taken");
    let wrong = lead.post(STATIONS, body("centre", json!(pinghu), "2025-03-01")).await;
    let wrong = wrong.problem(422, "validation_failed");
    assert_eq!(faults(&wrong), pairs(&[("/organisation_id", "no_district")]));
    let wrong = lead.post(STATIONS, body("workplace", json!(pinghu), "2025-06-17")).await;
    assert_eq!(faults(&wrong.problem(422, "validation_failed")), pairs(&[("/opened_on", "range")]));
    // Everybody finds it, until it closes.
    let path = format!("{STATIONS}/{}", made["id"].as_str().unwrap());
    let found = app.anon().get(&format!("{STATIONS}?organisation={pinghu}&kind=community")).await.ok(200);
    assert_eq!((&found["items"][0]["name"], &found["items"][0]["phone"]), (&made["name"], &made["phone"]));
    let seen = lead.get(&path).await.etag();
    let closed = json!({ "name": "平湖法律服务站", "address": "示例路2号", "opened_on": "2025-03-01",
        "closed_on": "2025-06-15" });
    let other = staff_of(&app, "lead-buji", "legal_lead", "street-buji").await;
    other.put(&path, &seen, closed.clone()).await.problem(404, "not_found");
    lead.put(&path, &seen, closed.clone()).await.ok(200);
    lead.put(&path, &seen, closed).await.problem(412, "precondition_failed");
    let mut counts = Vec::new();
    for more in ["", "&all=true"] {
        let list = app.anon().get(&format!("{STATIONS}?organisation={pinghu}{more}")).await.ok(200);
        counts.push(list["items"].as_array().unwrap().len());
    }
    assert_eq!(counts, [0, 1]);
}

async fn lawyers_are_masked_and_sealed(app: TestApp) {
    let admin = app.staff("admin").await;
    let here = station(&app, "community", "street-pinghu").await;
    let there = station(&app, "community", "street-buji").await;
    let zhao = staff_of(&app, "zhao", "legal_lawyer", "longgang").await;
    let qian = staff_of(&app, "qian", "legal_lawyer", "longgang").await;
    let body = |person: Value, licence: &str| json!({ "person_id": person, "licence": licence, "phone": "138 1234 5678", "duty": duty(&here) });
    let made = admin.post(LAWYERS, body(json!(zhao.person()), "14403201011234567")).await.ok(201);
    assert_eq!(made["licence_masked"], "144************67");
    assert_eq!(made["phone_masked"], "138****5678");
    let twice = admin.post(LAWYERS, body(json!(zhao.person()), "14403201011234568")).await;
    twice.problem(409, "unique_taken");
    let taken = admin.post(LAWYERS, body(json!(qian.person()), "14403201011234567")).await;
    taken.problem(409, "unique_taken");
    let nobody = json!("per_01k5b8m3q2e9t8h6y1v7z4w0xn");
    let wrong = admin.post(LAWYERS, body(nobody, "14403201011234568")).await;
    assert_eq!(faults(&wrong.problem(422, "validation_failed")), pairs(&[("/person_id", "unknown")]));
    let kept: (String, String) = app
        .read(|conn| {
            let columns = (legal_lawyers::licence_sealed, legal_lawyers::phone_sealed);
            Ok(legal_lawyers::table.select(columns).first(conn)?)
        })
        .await;
    assert!(!kept.0.contains("14403201011234567") && !kept.1.contains("13812345678"));
    // Another street's lead does not know of them; the district's changes what they do.
    let path = format!("{LAWYERS}/{}", made["id"].as_str().unwrap());
    let buji = staff_of(&app, "lead-buji", "legal_lead", "street-buji").await;
    buji.get(&path).await.problem(404, "not_found");
    assert_eq!(buji.get(LAWYERS).await.ok(200)["items"], json!([]));
    let seen = admin.get(&path).await.etag();
    let mut changed = duty(&there);
    changed["on_duty_until"] = json!("2024-12-31");
    let wrong = admin.put(&path, &seen, json!({ "duty": changed })).await;
    assert_eq!(faults(&wrong.problem(422, "validation_failed")), pairs(&[("/duty/on_duty_until", "range")]));
    changed["on_duty_until"] = json!("2025-12-31");
    let told = admin.put(&path, &seen, json!({ "duty": changed, "phone": "13912345678" })).await.ok(200);
    assert_eq!((&told["station_id"], &told["phone_masked"]), (&json!(there), &json!("139****5678")));
    assert_eq!(told["licence_masked"], "144************67");
    assert_eq!(buji.get(LAWYERS).await.ok(200)["items"].as_array().unwrap().len(), 1);
    admin.put(&path, &seen, json!({ "duty": changed })).await.problem(412, "precondition_failed");
    // For whom somebody acts is counted, and cannot be read.
    let client =
        |acts: bool| json!({ "employer": EMPLOYER, "employer_code": "91440300MA5DEMO00X", "acts": acts });
    let told = admin.post(&format!("{path}/clients"), client(true)).await.ok(200);
    assert_eq!(told["clients"], 2);
    assert!(!told.to_string().contains(EMPLOYER));
    assert_eq!(admin.post(&format!("{path}/clients"), client(false)).await.ok(200)["clients"], 0);
}

/// Who is suggested for a case, as its handler sees it: the person, and why they are passed over.
pub async fn suggested(handler: &Actor, case: CaseId) -> Vec<(Value, Value)> {
    let path = format!("/api/v1/legal-cases/{case}/rota-suggestions");
    let list = handler.post(&path, json!({})).await.ok(200);
    let items = list["items"].as_array().unwrap().iter();
    items.map(|one| (one["person_id"].clone(), one["skipped"].clone())).collect()
}

async fn turns_have_an_order_and_every_skip_a_reason(app: TestApp) {
    let handler = app.staff("legal").await;
    let here = station(&app, "centre", "longgang").await;
    let pinghu = station(&app, "community", "street-pinghu").await;
    let mut people: Vec<Actor> = Vec::new();
    for (name, at, change) in [
        ("busy", &here, json!({})),
        ("idle", &pinghu, json!({})),
        ("away", &here, json!({ "on_duty_until": "2025-06-15" })),
        ("other", &here, json!({ "categories": ["rights"] })),
        ("full", &here, json!({ "capacity": 1 })),
        ("acting", &here, json!({ "firm": "另一律师事务所" })),
    ] {
        // One after the other, so that whoever came first stands first.
        app.advance(TimeDelta::seconds(1));
        let (actor, id) = lawyer(&app, name, at, change).await;
        if name == "acting" {
            let client = json!({ "employer": EMPLOYER, "acts": true });
            app.staff("admin").await.post(&format!("{LAWYERS}/{id}/clients"), client).await.ok(200);
        }
        people.push(actor);
    }
    let powerless = app.worker("powerless").await;
    app.advance(TimeDelta::seconds(1));
    register(&app, &powerless, &here, json!({})).await;
    let [busy, idle, away, other, full, acting] = people.try_into().ok().unwrap();
    // Two cases of before lie with who is busy, one with who is full.
    let former = app.worker("former").await;
    for who in [&busy, &busy, &full] {
        let old = handled(&app, &former, |case| against(&app, case, "另一示例厂")).await;
        join(&app, old.id, who.person(), TeamRole::Lawyer).await;
    }
    let case = handled(&app, &app.worker("zhang").await, |case| case).await;
    let expected = [
        (&idle, json!(null)),
        (&away, json!("off_duty")),
        (&other, json!("other_kind")),
        (&acting, json!("conflict")),
        (&powerless, json!("no_role")),
        (&full, json!("full")),
        (&busy, json!(null)),
    ]
    .map(|(who, why)| (json!(who.person()), why));
    assert_eq!(suggested(&handler, case.id).await, expected);
    // A second look is another round of the record, and nothing of the first is gone.
    assert_eq!(suggested(&handler, case.id).await, expected);
    let turns = handler.get(&format!("/api/v1/legal-cases/{}/turns", case.id)).await.ok(200);
    let turns = turns["items"].as_array().unwrap();
    let place = |one: &Value| (one["round"].as_i64().unwrap(), one["place"].as_i64().unwrap());
    assert_eq!((turns.len(), place(&turns[0]), place(&turns[13])), (14, (2, 1), (1, 7)));
    let recent: Vec<i64> = turns[..7].iter().map(|one| one["recent"].as_i64().unwrap()).collect();
    assert_eq!(recent, [0, 0, 0, 0, 0, 1, 2]);
    // A desk of a street has its own lawyers and the district's, not another street's.
    let buji = app.organisation("street-buji").await;
    let theirs = handled(&app, &app.worker("li").await, |case| Case { desk_id: buji, ..case }).await;
    let serving: Vec<Value> = suggested(&handler, theirs.id).await.into_iter().map(|(who, _)| who).collect();
    assert!(!serving.contains(&json!(idle.person())) && serving.contains(&json!(busy.person())));
    // What was taken long ago does not count any more.
    app.advance(TimeDelta::days(91));
    let handler = app.staff("legal").await;
    assert_eq!(suggested(&handler, case.id).await[0].0, json!(busy.person()));
}

async fn whoever_is_chosen_out_of_turn_has_a_reason(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let (first, first_id) = lawyer(&app, "first", &here, json!({})).await;
    app.advance(TimeDelta::seconds(1));
    let (second, second_id) = lawyer(&app, "second", &here, json!({})).await;
    let case = handled(&app, &app.worker("zhang").await, |case| case).await;
    let choose = |person: PersonId, note: Option<&'static str>| {
        let (app, case, now) = (app.clone(), case.clone(), app.now());
        let vault = app.app().platform().vault.clone();
        async move { app.db().write(move |conn| rota::choose_in_tx(conn, &vault, &case, person, note, now)).await }
    };
    for note in [None, Some("  ")] {
        let refusal = choose(second.person(), note).await.unwrap_err();
        let at: Vec<&str> = refusal.inner().faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(at, ["/note"], "{note:?}");
    }
    choose(second.person(), Some("受援人只会说客家话")).await.unwrap();
    let rows: Vec<(LawyerId, Option<String>, Option<String>)> = app
        .read(|conn| {
            let columns = (legal_turns::lawyer_id, legal_turns::skipped, legal_turns::note_sealed);
            Ok(legal_turns::table.order(legal_turns::place).select(columns).load(conn)?)
        })
        .await;
    let kept: Vec<_> = rows.iter().map(|row| (row.0, row.1.as_deref(), row.2.is_some())).collect();
    assert_eq!(kept, [(first_id, Some("passed_over"), true), (second_id, None, false)]);
    assert!(!format!("{rows:?}").contains("客家话"), "a note is sealed");
    let handler = app.staff("legal").await;
    let turns = handler.get(&format!("/api/v1/legal-cases/{}/turns", case.id)).await.ok(200);
    assert_eq!(turns["items"][0]["note"], "受援人只会说客家话");
    // In turn, no reason is needed.
    choose(first.person(), None).await.unwrap();
}

async fn whoever_is_passed_over_is_not_assigned(app: TestApp) {
    let ground = Ground::of(&app).await;
    let here = station(&app, "centre", "longgang").await;
    let (away, _) = lawyer(&app, "away", &here, json!({ "on_duty_until": "2025-06-15" })).await;
    let (other, _) = lawyer(&app, "other", &here, json!({ "categories": ["rights"] })).await;
    let (full, _) = lawyer(&app, "full", &here, json!({ "capacity": 1 })).await;
    let (fit, _) = lawyer(&app, "fit", &here, json!({})).await;
    let powerless = app.worker("powerless").await;
    register(&app, &powerless, &here, json!({})).await;
    let old = handled(&app, &app.worker("former").await, |case| against(&app, case, "另一示例厂")).await;
    join(&app, old.id, full.person(), TeamRole::Lawyer).await;
    let asked = ground.ask("li", json!({})).await;
    take(&ground.officer, asked.id).await.ok(200);
    ground.act(&ground.officer, asked.id, "acceptances", json!({})).await.ok(200);
    for (who, said) in [
        (&away, "不在值班期"),
        (&other, "不办理该类案件"),
        (&full, "在办案件已达上限"),
        (&powerless, "不是本受理机构的法律援助人员"),
    ] {
        // A note does not help: it is for whoever comes before others, not for who may not come at all.
        let to = json!({ "person_id": who.person(), "note": "受援人只会说客家话" });
        let refused = ground.act(&ground.officer, asked.id, "assignments", to).await;
        let refused = refused.problem(422, "validation_failed");
        assert_eq!(faults(&refused), pairs(&[("/person_id", "unfit")]), "{said}");
        assert!(refused.to_string().contains(said), "{said}: {refused}");
    }
    let to = json!({ "person_id": fit.person(), "note": "受援人只会说客家话" });
    let done = ground.act(&ground.officer, asked.id, "assignments", to).await.ok(200);
    assert_eq!(done["state"], "assigned");
    app.run_jobs().await;
}

/// Why somebody has to keep away from a case.
async fn grounds(app: &TestApp, case: &Case, who: &Actor) -> Vec<ConflictGround> {
    let (case, vault, person) = (case.clone(), app.app().platform().vault.clone(), who.person());
    app.read(move |conn| conflicts::check(conn, &vault, &case, person)).await
}

async fn kin_colleagues_and_applicants_keep_away(app: TestApp) {
    let applicant = app.worker("zhang").await;
    let works = app.organisation("demo-enterprise-pinghu-1").await;
    applicant.set_profile("张三丰", Some(works)).await;
    let case = handled(&app, &applicant, |case| case).await;
    assert_eq!(grounds(&app, &case, &app.staff("legal").await).await, []);
    let own = [ConflictGround::Own, ConflictGround::Workplace];
    assert_eq!(grounds(&app, &case, &applicant).await, own);
    let colleague = app.worker("colleague").await;
    colleague.set_profile("李四", Some(works)).await;
    assert_eq!(grounds(&app, &case, &colleague).await, [ConflictGround::Workplace]);
    // The employer goes by the name of its union.
    let union = app.organisation("demo-enterprise-pinghu-2").await;
    let name = app.read(move |conn| Ok(unionhall::org::store::get(conn, union)?.name)).await;
    let employer = name.trim_end_matches("委员会").trim_end_matches("工会").to_owned();
    let theirs = handled(&app, &applicant, |case| against(&app, case, &employer)).await;
    let officer = app.worker("officer").await;
    officer.set_profile("王五", Some(union)).await;
    assert_eq!(grounds(&app, &theirs, &officer).await, [ConflictGround::Workplace]);
    assert_eq!(grounds(&app, &case, &officer).await, []);
    // Declared kin, either way round, until it is taken back; and an interest in the employer.
    let kin = app.worker("kin").await;
    let at = db_time(app.now());
    let ids: [TieId; 2] = [app.ids().id(), app.ids().id()];
    let (person, applicants) = (kin.person(), applicant.person());
    app.write(move |conn| {
        let declared = |id: TieId| (review_ties::id.eq(id), review_ties::declared_at.eq(at));
        let kinship =
            (declared(ids[0]), review_ties::person_id.eq(applicants), review_ties::kin_id.eq(person));
        diesel::insert_into(review_ties::table).values(kinship).execute(conn)?;
        let interest =
            (declared(ids[1]), review_ties::person_id.eq(person), review_ties::organisation_id.eq(union));
        Ok(diesel::insert_into(review_ties::table).values(interest).execute(conn)?)
    })
    .await;
    assert_eq!(grounds(&app, &case, &kin).await, [ConflictGround::Tie]);
    app.write(move |conn| {
        let kinship = review_ties::table.find(ids[0]);
        Ok(diesel::update(kinship).set(review_ties::ended_at.eq(at)).execute(conn)?)
    })
    .await;
    assert_eq!(grounds(&app, &case, &kin).await, []);
    assert_eq!(grounds(&app, &theirs, &kin).await, [ConflictGround::Tie]);
}

async fn whoever_served_the_other_side_keeps_away(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let case = handled(&app, &app.worker("zhang").await, |case| case).await;
    // The employer once asked for aid itself, and somebody was its lawyer.
    let boss = app.worker("boss").await;
    boss.set_profile(EMPLOYER, None).await;
    let (then, then_id) = lawyer(&app, "then", &here, json!({ "firm": "往昔律师事务所" })).await;
    let old = planted(&app, boss.person(), "longgang", |case| against(&app, case, "供货商")).await;
    sides(&app, &old).await;
    join(&app, old.id, then.person(), TeamRole::Lawyer).await;
    assert_eq!(grounds(&app, &case, &then).await, [ConflictGround::OtherSide]);
    assert_eq!(grounds(&app, &old, &then).await, [], "its own case is no other");
    // An employer of before now asks, and whoever was against them keeps away.
    let owner = app.worker("owner").await;
    owner.set_profile("个体户赵六", None).await;
    let former = handled(&app, &app.worker("former").await, |case| against(&app, case, "个体户赵六")).await;
    let (against_them, _) = lawyer(&app, "against", &here, json!({ "firm": "对面律师事务所" })).await;
    join(&app, former.id, against_them.person(), TeamRole::Lawyer).await;
    let theirs = handled(&app, &owner, |case| against(&app, case, "房东")).await;
    assert_eq!(grounds(&app, &theirs, &against_them).await, [ConflictGround::OtherSide]);
    // Under another account, with the licence that stands in the old case.
    let (again, again_id) = lawyer(&app, "again", &here, json!({ "firm": "新律师事务所" })).await;
    let (vault, person) = (app.app().platform().vault.clone(), then.person());
    let old_id = old.id;
    app.write(move |conn| lawyers::record_in_tx(conn, &vault, old_id, person)).await;
    assert_eq!(grounds(&app, &case, &again).await, []);
    let vault = app.app().platform().vault.clone();
    app.write(move |conn| {
        let index: Vec<u8> =
            legal_lawyers::table.find(then_id).select(legal_lawyers::licence_index).first(conn)?;
        let gone = parties::index(&vault, Side::Lawyer, "given back");
        for (id, index) in [(then_id, gone), (again_id, index)] {
            let row = legal_lawyers::table.find(id);
            diesel::update(row).set(legal_lawyers::licence_index.eq(index)).execute(conn)?;
        }
        Ok(())
    })
    .await;
    assert_eq!(grounds(&app, &case, &again).await, [ConflictGround::OtherSide]);
    // For the employer outside legal aid; and so has the firm.
    let (acting, acting_id) = lawyer(&app, "acting", &here, json!({ "firm": "合伙律师事务所" })).await;
    let (partner, _) = lawyer(&app, "partner", &here, json!({ "firm": "合伙律师事务所" })).await;
    let client = json!({ "employer": EMPLOYER, "acts": true });
    app.staff("admin").await.post(&format!("{LAWYERS}/{acting_id}/clients"), client).await.ok(200);
    assert_eq!(grounds(&app, &case, &acting).await, [ConflictGround::Acted]);
    assert_eq!(grounds(&app, &case, &partner).await, [ConflictGround::Firm]);
    // Against the same employer twice is none.
    let (faithful, _) = lawyer(&app, "faithful", &here, json!({})).await;
    let second = handled(&app, &app.worker("sun").await, |case| case).await;
    join(&app, second.id, faithful.person(), TeamRole::Lawyer).await;
    assert_eq!(grounds(&app, &case, &faithful).await, []);
}
