//! Referrals elsewhere: what the applicant has read and agreed to, and nothing else.

use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::legal_aid::hands::model::ReferralState;
use unionhall::legal_aid::model::Case;
use unionhall::platform::db::schema::{idempotency_keys, legal_referrals};

use super::manning::{EMPLOYER, handled};
use super::planting::TOLD;
use crate::harness::{Actor, Test, TestApp};
use crate::http::problems::{faults, pairs};

pub const TESTS: &[Test] = tests![
    a_case_is_referred_with_consent,
    whoever_says_no_is_not_referred,
    a_place_gets_what_it_needs_and_no_more,
    the_database_hands_nothing_over_without_consent,
];

/// Where the team and the applicant act.
struct Paths {
    staff: String,
    own: String,
}

fn paths(case: &Case) -> Paths {
    Paths {
        staff: format!("/api/v1/legal-cases/{}", case.id),
        own: format!("/api/v1/me/legal-requests/{}", case.id),
    }
}

async fn told(app: &TestApp) -> (Actor, Actor, Case) {
    let applicant = app.worker("zhang").await;
    applicant.set_profile("张三丰", None).await;
    let given = app.sim_get("/sim/phone-code?user=zhang&phone=13812345678").await;
    applicant.post("/api/v1/me/phones", json!({ "code": given["code"] })).await.ok(200);
    let case = handled(app, &applicant, |case| case).await;
    (applicant, app.staff("legal").await, case)
}

fn proposal() -> Value {
    json!({ "destination": "aid_office", "office": "龙岗区法律援助处", "reason": "该事项依法由法律援助处受理",
        "fields": ["name", "phone", "category", "employer", "limitation_on"] })
}

async fn a_case_is_referred_with_consent(app: TestApp) {
    let (applicant, handler, case) = told(&app).await;
    let Paths { staff, own } = paths(&case);
    let made = handler.post(&format!("{staff}/referrals"), proposal()).await.ok(201);
    let id = json!({ "referral_id": made["id"] });
    let another = handler.post(&format!("{staff}/referrals"), proposal()).await;
    another.problem(409, "state_forbids");
    // The applicant reads exactly what would leave; what the case has not is not there.
    let shown = applicant.get(&format!("{own}/referrals")).await.ok(200)["items"][0].clone();
    let data = json!({ "name": "张三丰", "phone": "138****5678", "category": "labour_dispute", "employer": EMPLOYER });
    assert_eq!((&shown["data"], &shown["state"]), (&data, &json!("proposed")));
    assert_eq!(shown["reason"], "该事项依法由法律援助处受理");
    // Nothing leaves before they have agreed, and nothing comes of what has not left.
    handler.post(&format!("{staff}/referral-handovers"), id.clone()).await.problem(409, "state_forbids");
    handler.post(&format!("{staff}/referral-reveals"), id.clone()).await.problem(409, "state_forbids");
    let outcome = |what: &str| json!({ "referral_id": made["id"], "outcome": what, "note": "对方来函" });
    let early = handler.post(&format!("{staff}/referral-outcomes"), outcome("accepted")).await;
    early.problem(409, "state_forbids");
    let yes = json!({ "referral_id": made["id"], "agrees": true });
    let no = json!({ "referral_id": made["id"], "agrees": false });
    assert_eq!(applicant.post(&format!("{own}/referral-consents"), yes).await.ok(200)["state"], "consented");
    // What they read is what leaves, whatever their profile says by now.
    applicant.set_profile("张无忌", None).await;
    let key = handler.fresh_key();
    let sent = handler.post_keyed(&key, &format!("{staff}/referral-handovers"), id.clone()).await.ok(200);
    assert_eq!(sent["state"], "sent");
    let again = handler.post_keyed(&key, &format!("{staff}/referral-handovers"), id.clone()).await.ok(200);
    assert_eq!(again, sent);
    handler.post(&format!("{staff}/referral-handovers"), id.clone()).await.problem(409, "state_forbids");
    let list = handler.get(&format!("{staff}/referrals")).await.ok(200);
    assert_eq!(list["items"][0]["data"], data);
    let clear = handler.post(&format!("{staff}/referral-reveals"), id).await.ok(200);
    assert_eq!((&clear["data"]["phone"], &clear["data"]["name"]), (&json!("13812345678"), &json!("张三丰")));
    // Too late to take it back.
    applicant.post(&format!("{own}/referral-consents"), no).await.problem(409, "state_forbids");
    for (what, status) in [("accepted", 200), ("rejected", 409), ("returned", 200), ("returned", 409)] {
        handler.post(&format!("{staff}/referral-outcomes"), outcome(what)).await.expect(status);
    }
    let shown = applicant.get(&format!("{own}/referrals")).await.ok(200)["items"][0].clone();
    assert_eq!((&shown["state"], &shown["outcome"]), (&json!("returned"), &json!("对方来函")));
    // After the end there may be another.
    handler.post(&format!("{staff}/referrals"), proposal()).await.ok(201);
    // Neither the table nor what is kept for repetitions says any of it.
    let kept: Vec<(String, String)> = app
        .read(|conn| {
            let columns = (legal_referrals::data_sealed, legal_referrals::reason_sealed);
            Ok(legal_referrals::table.select(columns).load(conn)?)
        })
        .await;
    let answers: Vec<String> =
        app.read(|conn| Ok(idempotency_keys::table.select(idempotency_keys::body).load(conn)?)).await;
    let all = format!("{kept:?} {answers:?}");
    for secret in [EMPLOYER, "13812345678", "依法由法律援助处受理", TOLD] {
        assert!(!all.contains(secret), "{secret}");
    }
    app.run_jobs().await;
}

async fn whoever_says_no_is_not_referred(app: TestApp) {
    let (applicant, handler, case) = told(&app).await;
    let Paths { staff, own } = paths(&case);
    for says in [vec![false], vec![true, false]] {
        let made = handler.post(&format!("{staff}/referrals"), proposal()).await.ok(201);
        for agrees in says {
            let answer = json!({ "referral_id": made["id"], "agrees": agrees });
            applicant.post(&format!("{own}/referral-consents"), answer).await.ok(200);
        }
        let id = json!({ "referral_id": made["id"] });
        handler.post(&format!("{staff}/referral-handovers"), id).await.problem(409, "state_forbids");
        let yes = json!({ "referral_id": made["id"], "agrees": true });
        applicant.post(&format!("{own}/referral-consents"), yes).await.problem(409, "state_forbids");
    }
    // A referral of another case is none of this one.
    let other = handled(&app, &app.worker("li").await, |case| case).await;
    let theirs = handler.post(&format!("{}/referrals", paths(&other).staff), proposal()).await.ok(201);
    let yes = json!({ "referral_id": theirs["id"], "agrees": true });
    applicant.post(&format!("{own}/referral-consents"), yes).await.problem(404, "not_found");
    let id = json!({ "referral_id": theirs["id"] });
    handler.post(&format!("{staff}/referral-handovers"), id).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn a_place_gets_what_it_needs_and_no_more(app: TestApp) {
    let (_, handler, case) = told(&app).await;
    let Paths { staff, .. } = paths(&case);
    let body = json!({ "destination": "hotline", "office": "12348", "reason": "先行电话咨询",
        "fields": ["name", "facts", "employer", "name"] });
    let wrong = handler.post(&format!("{staff}/referrals"), body).await.problem(422, "validation_failed");
    let expected = [("/fields/1", "not_needed"), ("/fields/2", "not_needed"), ("/fields/3", "duplicate")];
    assert_eq!(faults(&wrong), pairs(&expected));
    let body =
        json!({ "destination": "hotline", "office": "12348", "reason": "先行电话咨询", "fields": ["phone"] });
    handler.post(&format!("{staff}/referrals"), body).await.ok(201);
    let list = handler.get(&format!("{staff}/referrals")).await.ok(200);
    assert_eq!(list["items"][0]["data"], json!({ "phone": "138****5678" }));
    app.run_jobs().await;
}

async fn the_database_hands_nothing_over_without_consent(app: TestApp) {
    let (_, handler, case) = told(&app).await;
    let Paths { staff, .. } = paths(&case);
    handler.post(&format!("{staff}/referrals"), proposal()).await.ok(201);
    let (now, person) = (unionhall::clock::db_time(app.now()), handler.person());
    let forced = app.db().write(move |conn| {
        Ok(diesel::update(legal_referrals::table)
            .set((
                legal_referrals::state.eq(ReferralState::Sent),
                legal_referrals::sent_by.eq(person),
                legal_referrals::sent_at.eq(now),
            ))
            .execute(conn)?)
    });
    assert!(forced.await.is_err(), "a row that was sent says when its applicant agreed");
    app.run_jobs().await;
}
