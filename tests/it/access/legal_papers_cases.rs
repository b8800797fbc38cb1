//! Valid requests for the operations on documents and on the end of a case.

use diesel::prelude::*;
use serde_json::json;
use unionhall::ids::{CaseDocumentId, CaseId};
use unionhall::legal_aid::model::{Case, CaseState, TeamRole};
use unionhall::legal_aid::papers::model::DocumentKind;
use unionhall::platform::db::schema::policies;

use super::cases::{Call, Stage, get, post};
use super::staff_of;
use crate::harness::Actor;
use crate::legal::papers::{issue, words};
use crate::legal::planting::{join, planted};

/// A case of `owner` with a document, and `someone` of its team.
async fn with_document(stage: &Stage, owner: &Actor, someone: &Actor) -> (Case, CaseDocumentId) {
    let case = planted(&stage.app, owner.person(), "street-pinghu", |mut case| {
        case.state = CaseState::Handling;
        case.decided_at = Some(case.received_at);
        case
    })
    .await;
    if someone.token.is_some() && someone.person() != owner.person() {
        join(&stage.app, case.id, someone.person(), TeamRole::Deputy).await;
    }
    let document = issue(&stage.app, DocumentKind::Acceptance, &case, words(), None).await.unwrap();
    (case, document)
}

/// Everybody is asked on a return visit.
async fn everybody_is_asked(stage: &Stage) {
    stage
        .app
        .write(|conn| {
            let rule = policies::table.filter(policies::policy_key.eq("legal_aid.return_visit_percent"));
            Ok(diesel::update(rule).set(policies::value.eq("100")).execute(conn)?)
        })
        .await;
}

/// A closed case of the stage's guest: reported by a lawyer, closed by an officer, with `someone` of its team.
async fn closed(stage: &Stage, someone: &Actor) -> (CaseId, Actor, Actor) {
    let app = &stage.app;
    everybody_is_asked(stage).await;
    let handler = staff_of_once(stage, "papers-handler", "legal_officer").await;
    let lawyer = staff_of_once(stage, "papers-lawyer", "legal_lawyer").await;
    let (case, _) = with_document(stage, &stage.guest, someone).await;
    join(app, case.id, handler.person(), TeamRole::Handler).await;
    join(app, case.id, lawyer.person(), TeamRole::Lawyer).await;
    let at = |what: &str| format!("/api/v1/legal-cases/{}/{what}", case.id);
    lawyer.post(&at("closing-reports"), report()).await.ok(200);
    handler.post(&at("closings"), json!({})).await.ok(200);
    (case.id, handler, lawyer)
}

/// Somebody with a role in 平湖, which is granted at the first time only.
async fn staff_of_once(stage: &Stage, name: &str, role: &str) -> Actor {
    let actor = stage.app.worker(name).await;
    let me = actor.get("/api/v1/me").await.ok(200);
    if me["roles"] == json!([]) { staff_of(&stage.app, name, role, "street-pinghu").await } else { actor }
}

fn report() -> serde_json::Value {
    json!({ "result": "settled", "recovered_fen": 100, "minutes": 60, "summary": "达成和解。" })
}

fn present() -> serde_json::Value {
    json!({ "present": ["application", "identity", "means", "evidence", "acceptance", "proceedings", "closing"] })
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    Some(match operation {
        "my_legal_document_list" | "my_legal_document_get" | "my_legal_satisfaction_give" => {
            let owner = if someone.token.is_some() { someone } else { &stage.guest };
            let (case, document) = with_document(stage, owner, owner).await;
            let at = |what: &str| format!("/api/v1/me/legal-requests/{}/{what}", case.id);
            match operation {
                "my_legal_document_list" => get(at("documents")),
                "my_legal_document_get" => get(at(&format!("documents/{document}"))),
                _ => {
                    let handler = staff_of_once(stage, "papers-handler", "legal_officer").await;
                    join(&stage.app, case.id, handler.person(), TeamRole::Handler).await;
                    let team = |what: &str| format!("/api/v1/legal-cases/{}/{what}", case.id);
                    handler.post(&team("closing-reports"), report()).await.ok(200);
                    handler.post(&team("closings"), json!({})).await.ok(200);
                    post(at("satisfactions"), json!({ "score": 5 }))
                }
            }
        }
        "legal_document_list"
        | "legal_document_get"
        | "legal_document_deliver"
        | "legal_closing_get"
        | "legal_report_write"
        | "legal_case_close" => {
            let (case, document) = with_document(stage, &stage.guest, someone).await;
            let at = |what: &str| format!("/api/v1/legal-cases/{}/{what}", case.id);
            match operation {
                "legal_document_list" => get(at("documents")),
                "legal_document_get" => get(at(&format!("documents/{document}"))),
                "legal_document_deliver" => {
                    post(at(&format!("documents/{document}/deliveries")), json!({ "way": "in_person" }))
                }
                "legal_closing_get" => get(at("closing")),
                "legal_report_write" => post(at("closing-reports"), report()),
                _ => {
                    let lawyer = staff_of_once(stage, "papers-lawyer", "legal_lawyer").await;
                    join(&stage.app, case.id, lawyer.person(), TeamRole::Lawyer).await;
                    lawyer.post(&at("closing-reports"), report()).await.ok(200);
                    post(at("closings"), json!({}))
                }
            }
        }
        "legal_deputy_join" => {
            let (case, _) = with_document(stage, &stage.guest, someone).await;
            let deputy = staff_of_once(stage, "papers-checker", "legal_officer").await;
            let path = format!("/api/v1/legal-cases/{}/deputies", case.id);
            post(path, json!({ "person_id": deputy.person() }))
        }
        "legal_return_visit_record" | "legal_file_check" | "legal_subsidy_grant" => {
            let (id, _, lawyer) = closed(stage, someone).await;
            let at = |what: &str| format!("/api/v1/legal-cases/{id}/{what}");
            match operation {
                "legal_return_visit_record" => {
                    post(at("return-visits"), json!({ "way": "phone", "outcome": "confirmed" }))
                }
                "legal_file_check" => post(at("file-checks"), present()),
                _ => {
                    let checker = staff_of_once(stage, "papers-checker", "legal_officer").await;
                    join(&stage.app, id, checker.person(), TeamRole::Deputy).await;
                    let mut all = present();
                    all["present"].as_array_mut().unwrap().push(json!("assignment"));
                    issue(&stage.app, DocumentKind::Assignment, &of(stage, id).await, words(), None)
                        .await
                        .unwrap();
                    checker.post(&at("file-checks"), all).await.ok(200);
                    post(at("subsidies"), json!({ "person_id": lawyer.person() }))
                }
            }
        }
        _ => return None,
    })
}

async fn of(stage: &Stage, id: CaseId) -> Case {
    stage.app.read(move |conn| unionhall::legal_aid::store::get(conn, id)).await
}
