//! Other lawyers: asked for, decided, and what a conflict tells of other cases.

use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::legal_aid::model::{Case, CaseState, TeamRole};

use super::hands::suggested;
use super::manning::{EMPLOYER, against, handled, lawyer, sides, station};
use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    another_lawyer_is_asked_for_and_comes,
    a_wish_for_another_lawyer_is_refused_or_taken_back,
    two_who_decide_at_once_decide_once,
    a_conflict_says_the_same_whatever_the_other_case_is,
    nobody_outside_the_team_learns_of_turns_and_wishes,
];

fn wishes(case: &Case) -> String {
    format!("/api/v1/me/legal-requests/{}/lawyer-changes", case.id)
}

fn decisions(case: &Case) -> String {
    format!("/api/v1/legal-cases/{}/lawyer-change-decisions", case.id)
}

async fn another_lawyer_is_asked_for_and_comes(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let (applicant, handler) = (app.worker("zhang").await, app.staff("legal").await);
    let case = handled(&app, &applicant, |case| case).await;
    let wish = json!({ "reason": "多次联系不上，也没有说明进展" });
    // Nobody to be changed yet.
    applicant.post(&wishes(&case), wish.clone()).await.problem(409, "state_forbids");
    let (old, _) = lawyer(&app, "old", &here, json!({})).await;
    let (new, _) = lawyer(&app, "new", &here, json!({})).await;
    join(&app, case.id, old.person(), TeamRole::Lawyer).await;
    let made = applicant.post(&wishes(&case), wish.clone()).await.ok(201);
    // Five working days from a Monday: the end of the Monday after.
    assert_eq!((&made["state"], &made["due_at"]), (&json!("asked"), &json!("2025-06-23T16:00:00Z")));
    applicant.post(&wishes(&case), wish).await.problem(409, "state_forbids");
    // The team reads why; the answer that is kept for repetitions does not say it.
    let list = handler.get(&format!("/api/v1/legal-cases/{}/lawyer-changes", case.id)).await.ok(200);
    assert_eq!(list["items"][0]["reason"], "多次联系不上，也没有说明进展");
    assert!(!made.to_string().contains("联系不上"));
    // The lawyer whom it is about does not decide, nor does whoever would come.
    let granted = json!({ "person_id": new.person(), "answer": "已为您更换律师" });
    let old = staff_of(&app, "old", "legal_officer", "longgang").await;
    old.post(&decisions(&case), granted.clone()).await.problem(409, "second_officer_required");
    let own = json!({ "person_id": handler.person(), "answer": "由我承办" });
    handler.post(&decisions(&case), own).await.problem(409, "second_officer_required");
    let same = json!({ "person_id": old.person(), "answer": "仍由其承办" });
    handler.post(&decisions(&case), same).await.problem(422, "validation_failed");
    let key = handler.fresh_key();
    let told = handler.post_keyed(&key, &decisions(&case), granted.clone()).await.ok(200);
    assert_eq!(told["state"], "granted");
    let again = handler.post_keyed(&key, &decisions(&case), granted.clone()).await.ok(200);
    assert_eq!(again, told, "a repetition");
    handler.post(&decisions(&case), granted).await.problem(409, "state_forbids");
    // The new one is of the team, the old one is not any more.
    let turns = format!("/api/v1/legal-cases/{}/turns", case.id);
    new.get(&turns).await.ok(200);
    old.get(&turns).await.problem(404, "not_found");
    let own = applicant.get(&wishes(&case)).await.ok(200)["items"][0].clone();
    assert_eq!((&own["answer"], &own["state"]), (&json!("已为您更换律师"), &json!("granted")));
    // Neither is suggested again.
    let skipped = suggested(&handler, case.id).await;
    for who in [&old, &new] {
        assert!(skipped.contains(&(json!(who.person()), json!("same_lawyer"))), "{skipped:?}");
    }
    app.run_jobs().await;
    let notices = applicant.get("/api/v1/me/notices").await.ok(200);
    assert!(notices["items"].to_string().contains("已为您更换援助律师"), "{notices}");
}

async fn a_wish_for_another_lawyer_is_refused_or_taken_back(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let (applicant, handler) = (app.worker("zhang").await, app.staff("legal").await);
    let case = handled(&app, &applicant, |case| case).await;
    let (lawyer, _) = lawyer(&app, "lawyer", &here, json!({})).await;
    join(&app, case.id, lawyer.person(), TeamRole::Lawyer).await;
    let back = format!("/api/v1/me/legal-requests/{}/lawyer-change-withdrawals", case.id);
    applicant.post(&back, json!({})).await.problem(409, "state_forbids");
    applicant.post(&wishes(&case), json!({ "reason": "希望换一位律师" })).await.ok(201);
    let told = handler.post(&decisions(&case), json!({ "answer": "经核实律师已依约履职" })).await.ok(200);
    assert_eq!(told["state"], "refused");
    lawyer.get(&format!("/api/v1/legal-cases/{}/turns", case.id)).await.ok(200);
    // Another wish is another one.
    applicant.post(&wishes(&case), json!({ "reason": "仍然希望换一位律师" })).await.ok(201);
    assert_eq!(applicant.post(&back, json!({})).await.ok(200)["state"], "withdrawn");
    handler.post(&decisions(&case), json!({ "answer": "不予更换" })).await.problem(409, "state_forbids");
    let list = applicant.get(&wishes(&case)).await.ok(200);
    let states: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["withdrawn", "refused"]);
    app.run_jobs().await;
}

async fn two_who_decide_at_once_decide_once(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let (applicant, handler) = (app.worker("zhang").await, app.staff("legal").await);
    let deputy = app.staff("legal-lead").await;
    let case = handled(&app, &applicant, |case| case).await;
    join(&app, case.id, deputy.person(), TeamRole::Deputy).await;
    let (old, _) = lawyer(&app, "old", &here, json!({})).await;
    let (new, _) = lawyer(&app, "new", &here, json!({})).await;
    join(&app, case.id, old.person(), TeamRole::Lawyer).await;
    applicant.post(&wishes(&case), json!({ "reason": "多次联系不上" })).await.ok(201);
    let yes = json!({ "person_id": new.person(), "answer": "已为您更换律师" });
    let no = json!({ "answer": "经核实律师已依约履职" });
    let (path, look) = (decisions(&case), format!("/api/v1/legal-cases/{}/rota-suggestions", case.id));
    let (one, other, third) =
        futures_util::join!(handler.post(&path, yes), deputy.post(&path, no), deputy.post(&look, json!({})));
    let mut told = [one.status, other.status];
    told.sort_unstable();
    assert_eq!((told, third.status), ([200, 409], 200));
    // There is one lawyer of the case, whoever decided.
    let id = case.id;
    let team = app.read(move |conn| unionhall::legal_aid::team::of(conn, id)).await;
    let lawyers: Vec<_> = team.iter().filter(|one| one.role == TeamRole::Lawyer).collect();
    let expected = if one.status == 200 { new.person() } else { old.person() };
    assert_eq!(lawyers.iter().map(|one| one.person_id).collect::<Vec<_>>(), [expected]);
    app.run_jobs().await;
}

/// A refusal without what is of this request alone.
fn stripped(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

async fn a_conflict_says_the_same_whatever_the_other_case_is(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let (applicant, handler) = (app.worker("zhang").await, app.staff("legal").await);
    let case = handled(&app, &applicant, |case| case).await;
    let (present, _) = lawyer(&app, "present", &here, json!({})).await;
    join(&app, case.id, present.person(), TeamRole::Lawyer).await;
    applicant.post(&wishes(&case), json!({ "reason": "多次联系不上" })).await.ok(201);
    // One has another case that runs; another was a deputy in three of another desk that ended.
    let boss = app.worker("boss").await;
    boss.set_profile(EMPLOYER, None).await;
    let (one, _) = lawyer(&app, "one", &here, json!({})).await;
    let (other, _) = lawyer(&app, "other", &here, json!({})).await;
    let running = planted(&app, boss.person(), "longgang", |case| against(&app, case, "供货商")).await;
    sides(&app, &running).await;
    join(&app, running.id, one.person(), TeamRole::Lawyer).await;
    let ended_at = Some(db_time(app.now()));
    for _ in 0..3 {
        let ended = planted(&app, boss.person(), "street-pinghu", |case| {
            let case = against(&app, case, "另一供货商");
            Case { state: CaseState::Withdrawn, ended_at, ..case }
        })
        .await;
        sides(&app, &ended).await;
        join(&app, ended.id, other.person(), TeamRole::Deputy).await;
    }
    let mut told = Vec::new();
    for who in [&one, &other] {
        let body = json!({ "person_id": who.person(), "answer": "为您更换律师" });
        told.push(stripped(handler.post(&decisions(&case), body).await.problem(409, "legal_conflict")));
    }
    assert_eq!(told[0], told[1]);
    for secret in [running.id.to_string(), "供货商".into(), EMPLOYER.into(), boss.person().to_string()] {
        assert!(!told[0].to_string().contains(&secret), "{}", told[0]);
    }
    let skipped = suggested(&handler, case.id).await;
    for who in [&one, &other] {
        assert!(skipped.contains(&(json!(who.person()), json!("conflict"))), "{skipped:?}");
    }
    app.run_jobs().await;
}

async fn nobody_outside_the_team_learns_of_turns_and_wishes(app: TestApp) {
    let applicant = app.worker("zhang").await;
    let case = handled(&app, &applicant, |case| case).await;
    let cases = [case.id.to_string(), "cas_01k5b8m3q2e9t8h6y1v7z4w0xn".to_owned()];
    let (lead, stranger): (Actor, Actor) = (app.staff("legal-lead").await, app.worker("li").await);
    for path in ["turns", "lawyer-changes", "referrals", "members"] {
        let mut told = Vec::new();
        for id in &cases {
            let staff = lead.get(&format!("/api/v1/legal-cases/{id}/{path}")).await;
            told.push(stripped(staff.problem(404, "not_found")));
            if path != "turns" {
                let own = stranger.get(&format!("/api/v1/me/legal-requests/{id}/{path}")).await;
                told.push(stripped(own.problem(404, "not_found")));
            }
        }
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{path}: {told:?}");
    }
    let referral = "ref_01k5b8m3q2e9t8h6y1v7z4w0xn";
    for (path, body) in [
        ("rota-suggestions", json!({})),
        ("lawyer-change-decisions", json!({ "answer": "不予更换" })),
        // What is wrong with the rest is not said either.
        (
            "referrals",
            json!({ "destination": "hotline", "office": "12348", "fields": ["facts"], "reason": "转介咨询" }),
        ),
        ("referral-reveals", json!({ "referral_id": referral })),
        ("referral-handovers", json!({ "referral_id": referral })),
        ("referral-outcomes", json!({ "referral_id": referral, "outcome": "accepted", "note": "已接收" })),
    ] {
        let mut told = Vec::new();
        for id in &cases {
            let refusal = lead.post(&format!("/api/v1/legal-cases/{id}/{path}"), body.clone()).await;
            told.push(stripped(refusal.problem(404, "not_found")));
        }
        assert_eq!(told[0], told[1], "{path}");
    }
    for (path, body) in [
        ("lawyer-changes", json!({ "reason": "多次联系不上" })),
        ("lawyer-change-withdrawals", json!({})),
        ("referral-consents", json!({ "referral_id": referral, "agrees": true })),
        ("members", json!({ "members": [{ "name": "李四", "phone": "12345678", "representative": false }] })),
    ] {
        let mut told = Vec::new();
        for id in &cases {
            let refusal =
                stranger.post(&format!("/api/v1/me/legal-requests/{id}/{path}"), body.clone()).await;
            told.push(stripped(refusal.problem(404, "not_found")));
        }
        assert_eq!(told[0], told[1], "{path}");
    }
}
