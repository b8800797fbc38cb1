//! What lawyers, turns, changes, referrals and members hold sealed moves to another key.

use serde_json::json;
use unionhall::legal_aid::hands::{rota, sealing};
use unionhall::legal_aid::model::TeamRole;
use unionhall::platform::vault::KeyConfig;

use super::groups::{asked, members};
use super::manning::{handled, lawyer, station};
use super::planting::join;
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![what_hands_hold_moves_to_another_key];

async fn what_hands_hold_moves_to_another_key(app: TestApp) {
    let here = station(&app, "centre", "longgang").await;
    let (first, _) = lawyer(&app, "first", &here, json!({})).await;
    app.advance(chrono::TimeDelta::seconds(1));
    let (second, _) = lawyer(&app, "second", &here, json!({})).await;
    let (applicant, handler) = (app.worker("li").await, app.staff("legal").await);
    let case = handled(&app, &applicant, |case| case).await;
    let (staff, own) =
        (format!("/api/v1/legal-cases/{}", case.id), format!("/api/v1/me/legal-requests/{}", case.id));
    // A note, a wish and its answer, a referral with what came of it, and ten who ask together.
    let (kept, vault, now) = (case.clone(), app.app().platform().vault.clone(), app.now());
    let person = second.person();
    app.write(move |conn| rota::choose_in_tx(conn, &vault, &kept, person, Some("受援人只会说客家话"), now))
        .await;
    join(&app, case.id, first.person(), TeamRole::Lawyer).await;
    applicant.post(&format!("{own}/lawyer-changes"), json!({ "reason": "多次联系不上" })).await.ok(201);
    let no = json!({ "answer": "经核实律师已依约履职" });
    handler.post(&format!("{staff}/lawyer-change-decisions"), no).await.ok(200);
    let body = json!({ "destination": "hotline", "office": "12348", "fields": ["category"], "reason": "先行电话咨询" });
    let made = handler.post(&format!("{staff}/referrals"), body).await.ok(201);
    let yes = json!({ "referral_id": made["id"], "agrees": true });
    applicant.post(&format!("{own}/referral-consents"), yes).await.ok(200);
    let id = json!({ "referral_id": made["id"] });
    handler.post(&format!("{staff}/referral-handovers"), id).await.ok(200);
    let outcome = json!({ "referral_id": made["id"], "outcome": "accepted", "note": "对方来函" });
    handler.post(&format!("{staff}/referral-outcomes"), outcome).await.ok(200);
    let (representative, _, path) = asked(&app, |case| case).await;
    representative.post(&path, members(9, 2)).await.ok(201);

    let secret = "another-secret-of-the-vault-for-hands-0003";
    let old = app.config().vault.clone();
    let both = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.secret = secret.to_owned().into();
            config.vault.retired =
                vec![KeyConfig { id: old.key_id.clone(), cipher: old.cipher, secret: old.secret.clone() }];
        })
        .await;
    let rotate = || {
        let platform = both.app().platform().clone();
        tokio::task::spawn_blocking(move || sealing::rotate(&platform.db, &platform.vault, || ()).unwrap())
    };
    // Two lawyers' numbers, a note, a wish and its answer, three texts of the referral, and of the group ten names, nine numbers, ten amounts.
    assert_eq!(rotate().await.unwrap(), 4 + 1 + 2 + 3 + 29);
    assert_eq!(rotate().await.unwrap(), 0, "nothing is left to do");
    // Read with the new key alone. Whose telephone number it is lies under the old one still, and is not asked for.
    let new = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.secret = secret.to_owned().into();
        })
        .await;
    let turns = handler.at(&new).get(&format!("{staff}/turns")).await.ok(200);
    assert_eq!(turns["items"][0]["note"], "受援人只会说客家话");
    let wishes = applicant.at(&new).get(&format!("{own}/lawyer-changes")).await.ok(200);
    assert_eq!(wishes["items"][0]["reason"], "多次联系不上");
    assert_eq!(wishes["items"][0]["answer"], "经核实律师已依约履职");
    let referrals = applicant.at(&new).get(&format!("{own}/referrals")).await.ok(200);
    assert_eq!(referrals["items"][0]["data"], json!({ "category": "labour_dispute" }));
    assert_eq!(referrals["items"][0]["outcome"], "对方来函");
    let group = representative.at(&new).get(&path).await.ok(200);
    assert_eq!(group["items"][9]["name"], "工友8");
    assert_eq!(group["items"][9]["amount_fen"], 100_008);
    let lawyers = app.staff("admin").await.at(&new).get("/api/v1/legal-lawyers").await.ok(200);
    assert_eq!(lawyers["items"][0]["phone_masked"], "138****8000");
    app.run_jobs().await;
}
