//! Valid requests for the operations on stations, lawyers, turns, groups and referrals.

use serde_json::{Value, json};
use unionhall::ids::PersonId;
use unionhall::legal_aid::model::{Case, CaseState, TeamRole};

use super::cases::{Call, Stage, get, post, put};
use crate::harness::Actor;
use crate::legal::manning::{duty, lawyer, sides, station};
use crate::legal::planting::{join, planted};

/// Somebody, also where nobody is logged in.
fn person(stage: &Stage, someone: &Actor) -> PersonId {
    if someone.token.is_none() { stage.guest.person() } else { someone.person() }
}

/// A case that `someone` asked for.
async fn own(stage: &Stage, someone: &Actor) -> Case {
    let case = planted(&stage.app, person(stage, someone), "longgang", |case| case).await;
    sides(&stage.app, &case).await;
    case
}

/// A case of whose team `someone` is.
async fn teamed(stage: &Stage, someone: &Actor) -> Case {
    let app = &stage.app;
    let applicant = app.worker(&stage.organiser.fresh_key()).await;
    let now = unionhall::clock::db_time(app.now());
    let case = planted(app, applicant.person(), "longgang", |case| Case {
        state: CaseState::Handling,
        decided_at: Some(now),
        ..case
    })
    .await;
    sides(app, &case).await;
    join(app, case.id, person(stage, someone), TeamRole::Handler).await;
    case
}

/// A lawyer whom nobody else uses.
async fn fresh_lawyer(stage: &Stage) -> (Actor, String) {
    let here = station(&stage.app, "community", "street-pinghu").await;
    let (actor, id) = lawyer(&stage.app, &stage.organiser.fresh_key(), &here, json!({})).await;
    (actor, id.to_string())
}

/// A case with a lawyer whom its applicant does not want any more.
async fn unwanted(stage: &Stage, case: &Case) {
    let (lawyer, _) = fresh_lawyer(stage).await;
    join(&stage.app, case.id, lawyer.person(), TeamRole::Lawyer).await;
    let (id, at) = (stage.app.ids().id(), unionhall::clock::db_time(stage.app.now()));
    let vault = &stage.app.app().platform().vault;
    let field = unionhall::legal_aid::hands::model::CHANGE_REASON;
    let row = unionhall::legal_aid::hands::model::LawyerChange {
        id,
        case_id: case.id,
        lawyer_id: lawyer.person(),
        reason_sealed: vault.seal(field, id.0.as_bytes(), "多次联系不上").unwrap(),
        state: unionhall::legal_aid::hands::model::ChangeState::Asked,
        asked_at: at,
        due_at: at,
        decided_by: None,
        decided_at: None,
        answer_sealed: None,
        successor_id: None,
        version: 1,
    };
    stage
        .app
        .write(move |conn| {
            use diesel::RunQueryDsl;
            use unionhall::platform::db::schema::legal_lawyer_changes::table;
            Ok(diesel::insert_into(table).values(&row).execute(conn)?)
        })
        .await;
}

/// A referral of a case, proposed by its team, and agreed to where it is said so.
async fn referral(stage: &Stage, case: &Case, agreed: bool) -> Value {
    let handler = stage.app.staff("legal").await;
    let is_in = stage.app.read({
        let (id, person) = (case.id, handler.person());
        move |conn| Ok(unionhall::legal_aid::team::of(conn, id)?.iter().any(|one| one.person_id == person))
    });
    if !is_in.await {
        join(&stage.app, case.id, handler.person(), TeamRole::Deputy).await;
    }
    let body =
        json!({ "destination": "hotline", "office": "12348", "fields": ["name"], "reason": "先行电话咨询" });
    let made = handler.post(&format!("/api/v1/legal-cases/{}/referrals", case.id), body).await.ok(201);
    if agreed {
        let id = made["id"].as_str().unwrap().parse().unwrap();
        let (case, now) = (case.clone(), stage.app.now());
        stage
            .app
            .write(move |conn| {
                let mut beside = unionhall::notify::beside::Beside::default();
                unionhall::legal_aid::hands::referrals::answer_in_tx(conn, &case, id, true, now, &mut beside)
            })
            .await;
    }
    made["id"].clone()
}

fn members() -> Value {
    let member = |n: u32| json!({ "name": format!("工友{n}"), "phone": format!("137{n:08}"), "representative": n < 2 });
    json!({ "members": (0..9).map(member).collect::<Vec<_>>() })
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    Some(match operation {
        "legal_station_list" => get("/api/v1/legal-stations"),
        "legal_station_get" => {
            get(format!("/api/v1/legal-stations/{}", station(app, "community", "street-pinghu").await))
        }
        "legal_station_create" => {
            let body = json!({ "kind": "workplace", "organisation_id": stage.organisation,
                "name": stage.organiser.fresh_key(), "address": "示例路1号", "opened_on": "2025-03-01" });
            post("/api/v1/legal-stations", body)
        }
        "legal_station_update" => {
            let path = format!("/api/v1/legal-stations/{}", station(app, "community", "street-pinghu").await);
            let etag = app.anon().get(&path).await.etag();
            let body = json!({ "name": stage.organiser.fresh_key(), "address": "示例路2号", "opened_on": "2025-03-02" });
            put(path, etag, body)
        }
        "legal_lawyer_list" => get("/api/v1/legal-lawyers"),
        "legal_lawyer_get" => get(format!("/api/v1/legal-lawyers/{}", fresh_lawyer(stage).await.1)),
        "legal_lawyer_create" => {
            let here = station(app, "community", "street-pinghu").await;
            let who = app.worker(&stage.organiser.fresh_key()).await.person();
            let licence: String = who.0.simple().to_string().chars().skip(15).collect();
            let body =
                json!({ "person_id": who, "licence": licence, "phone": "13800138000", "duty": duty(&here) });
            post("/api/v1/legal-lawyers", body)
        }
        "legal_lawyer_update" => {
            let path = format!("/api/v1/legal-lawyers/{}", fresh_lawyer(stage).await.1);
            let etag = app.staff("admin").await.get(&path).await.etag();
            let here = station(app, "community", "street-pinghu").await;
            put(path, etag, json!({ "duty": duty(&here) }))
        }
        "legal_lawyer_client_record" => {
            let path = format!("/api/v1/legal-lawyers/{}/clients", fresh_lawyer(stage).await.1);
            post(path, json!({ "employer": "示例厂", "acts": true }))
        }
        "legal_rota_suggest" => {
            let case = teamed(stage, someone).await;
            post(format!("/api/v1/legal-cases/{}/rota-suggestions", case.id), json!({}))
        }
        "legal_turn_list" => get(format!("/api/v1/legal-cases/{}/turns", teamed(stage, someone).await.id)),
        "legal_lawyer_change_list" => {
            get(format!("/api/v1/legal-cases/{}/lawyer-changes", teamed(stage, someone).await.id))
        }
        "legal_lawyer_change_decide" => {
            let case = teamed(stage, someone).await;
            unwanted(stage, &case).await;
            let path = format!("/api/v1/legal-cases/{}/lawyer-change-decisions", case.id);
            post(path, json!({ "answer": "经核实律师已依约履职" }))
        }
        "my_legal_lawyer_change_list" => {
            get(format!("/api/v1/me/legal-requests/{}/lawyer-changes", own(stage, someone).await.id))
        }
        "my_legal_lawyer_change_ask" => {
            let case = own(stage, someone).await;
            let (lawyer, _) = fresh_lawyer(stage).await;
            join(app, case.id, lawyer.person(), TeamRole::Lawyer).await;
            let path = format!("/api/v1/me/legal-requests/{}/lawyer-changes", case.id);
            post(path, json!({ "reason": "多次联系不上" }))
        }
        "my_legal_lawyer_change_withdraw" => {
            let case = own(stage, someone).await;
            unwanted(stage, &case).await;
            post(format!("/api/v1/me/legal-requests/{}/lawyer-change-withdrawals", case.id), json!({}))
        }
        "legal_referral_propose" => {
            let case = teamed(stage, someone).await;
            let body = json!({ "destination": "hotline", "office": "12348", "fields": ["name"], "reason": "先行电话咨询" });
            post(format!("/api/v1/legal-cases/{}/referrals", case.id), body)
        }
        "legal_referral_list" => {
            get(format!("/api/v1/legal-cases/{}/referrals", teamed(stage, someone).await.id))
        }
        "legal_referral_reveal" => {
            let case = teamed(stage, someone).await;
            let id = referral(stage, &case, true).await;
            post(format!("/api/v1/legal-cases/{}/referral-reveals", case.id), json!({ "referral_id": id }))
        }
        "legal_referral_send" => {
            let case = teamed(stage, someone).await;
            let id = referral(stage, &case, true).await;
            post(format!("/api/v1/legal-cases/{}/referral-handovers", case.id), json!({ "referral_id": id }))
        }
        "legal_referral_settle" => {
            let case = teamed(stage, someone).await;
            let id = referral(stage, &case, true).await;
            let handler = app.staff("legal").await;
            let path = format!("/api/v1/legal-cases/{}", case.id);
            handler.post(&format!("{path}/referral-handovers"), json!({ "referral_id": id })).await.ok(200);
            let body = json!({ "referral_id": id, "outcome": "accepted", "note": "已接收" });
            post(format!("{path}/referral-outcomes"), body)
        }
        "my_legal_referral_list" => {
            get(format!("/api/v1/me/legal-requests/{}/referrals", own(stage, someone).await.id))
        }
        "my_legal_referral_consent" => {
            let case = own(stage, someone).await;
            let id = referral(stage, &case, false).await;
            let body = json!({ "referral_id": id, "agrees": true });
            post(format!("/api/v1/me/legal-requests/{}/referral-consents", case.id), body)
        }
        "my_legal_member_name" => {
            post(format!("/api/v1/me/legal-requests/{}/members", own(stage, someone).await.id), members())
        }
        "my_legal_member_list" => {
            get(format!("/api/v1/me/legal-requests/{}/members", own(stage, someone).await.id))
        }
        "legal_member_list" => {
            get(format!("/api/v1/legal-cases/{}/members", teamed(stage, someone).await.id))
        }
        "my_legal_group_list" => get("/api/v1/me/legal-groups"),
        "my_legal_group_answer" => {
            let case = planted(app, stage.guest.person(), "longgang", |case| case).await;
            let (id, at) = (app.ids().id(), unionhall::clock::db_time(app.now()));
            let vault = &app.app().platform().vault;
            let field = unionhall::legal_aid::groups::MEMBER_NAME;
            let row = unionhall::legal_aid::groups::Member {
                id,
                case_id: case.id,
                place: 2,
                person_id: Some(person(stage, someone)),
                name_sealed: vault.seal(field, id.0.as_bytes(), "工友").unwrap(),
                phone_sealed: None,
                phone_index: None,
                amount_sealed: None,
                representative: false,
                state: unionhall::legal_aid::groups::MemberState::Declined,
                answered_at: Some(at),
                version: 1,
            };
            app.write(move |conn| {
                use diesel::RunQueryDsl;
                use unionhall::platform::db::schema::legal_members::table;
                Ok(diesel::insert_into(table).values(&row).execute(conn)?)
            })
            .await;
            post(format!("/api/v1/me/legal-groups/{id}/answers"), json!({ "agrees": true }))
        }
        _ => return None,
    })
}
