//! Valid requests for the operations of legal aid's desk: taking, deciding, objections, numbers.

use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::content::checking::Checks;
use unionhall::ids::CaseId;
use unionhall::legal_aid::clocks;
use unionhall::legal_aid::deciding::acts::{self, Acting};
use unionhall::legal_aid::deciding::reasons::RefusalReason;
use unionhall::legal_aid::model::{CaseState, ClockKind, TeamRole};
use unionhall::legal_aid::{LegalTools, objections};
use unionhall::plan::cases::PlanCaseCounting;

use super::cases::{Call, Stage, get, post};
use super::staff_of;
use crate::harness::Actor;
use crate::legal::planting::{join, planted};

const WHY: &str = "这里写明理由，至少十个字。";

fn tools(stage: &Stage) -> LegalTools {
    let platform = stage.app.app().platform();
    LegalTools {
        clock: platform.clock.clone(),
        ids: platform.ids.clone(),
        vault: platform.vault.clone(),
        counting: std::sync::Arc::new(PlanCaseCounting { ids: platform.ids.clone() }),
        checks: Checks::new(platform.ids.clone(), true),
    }
}

/// A case of the guest in `state`, which `someone` leads, if anybody does.
async fn led(stage: &Stage, someone: &Actor, state: CaseState) -> CaseId {
    let case = planted(&stage.app, stage.guest.person(), "street-pinghu", |mut case| {
        case.state = state;
        case.urgent = true;
        if state != CaseState::Received {
            case.decided_at = Some(db_time(stage.app.now()));
        }
        case
    })
    .await;
    if someone.token.is_some() {
        join(&stage.app, case.id, someone.person(), TeamRole::Handler).await;
    }
    case.id
}

/// The guest's request, or `owner`'s, was refused by an officer who has nothing else to do.
async fn refused(stage: &Stage, owner: &Actor) -> CaseId {
    let app = &stage.app;
    let mut officer = app.worker("desk-officer").await;
    if officer.get("/api/v1/me").await.ok(200)["roles"] == json!([]) {
        officer = staff_of(app, "desk-officer", "legal_officer", "street-pinghu").await;
    }
    let case = planted(app, owner.person(), "street-pinghu", |case| case).await;
    join(app, case.id, officer.person(), TeamRole::Handler).await;
    let (tools, now, by) = (tools(stage), app.now(), officer.person());
    app.write(move |conn| {
        let mut acting = Acting::new(&tools, by, now);
        acts::refuse_in_tx(conn, &mut acting, (case.id, 1), &[RefusalReason::Other], WHY)?;
        acting.end_in_tx(conn)?;
        Ok(case.id)
    })
    .await
}

/// An objection of the guest; `someone` has taken it, if anybody has.
async fn objected(stage: &Stage, someone: Option<&Actor>) -> String {
    let case = refused(stage, &stage.guest).await;
    let (tools, now, owner) = (tools(stage), stage.app.now(), stage.guest.person());
    // Whoever objects takes it never; they may not make the request either.
    let taker = someone.filter(|one| one.token.is_some()).map(Actor::person).filter(|taker| *taker != owner);
    let id = stage
        .app
        .write(move |conn| {
            let (row, beside) = objections::raise_in_tx(conn, &tools, (owner, case), WHY, now)?;
            beside.write_in_tx(conn, &tools.ids, now)?;
            if let Some(taker) = taker {
                let everywhere = unionhall::platform::access::Scope::of(vec!["/".into()]);
                let mut acting = Acting::new(&tools, taker, now);
                objections::take_in_tx(conn, &mut acting, row.id, &everywhere)?;
                acting.end_in_tx(conn)?;
            }
            Ok(row.id)
        })
        .await;
    format!("/api/v1/legal-objections/{id}")
}

/// The tag of a version: what it says of the bytes is not looked at.
fn tag(version: i64) -> String {
    format!("\"v{version}-0123456789abcdef\"")
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let act = |id: CaseId, act: &str, body: Value| {
        post(format!("/api/v1/legal-cases/{id}/{act}"), body).matching(tag(1))
    };
    Some(match operation {
        "legal_desk_list" => get("/api/v1/legal-desk"),
        "legal_desk_board" => get("/api/v1/legal-desk/board"),
        "legal_reason_list" => get("/api/v1/legal-reasons"),
        "legal_case_list" => get("/api/v1/legal-cases"),
        "legal_objection_list" => get("/api/v1/legal-objections"),
        "legal_statistics_get" => get("/api/v1/legal-statistics?year=2025&by=month"),
        "legal_case_take" => {
            let case = planted(&stage.app, stage.guest.person(), "street-pinghu", |case| case).await;
            post(format!("/api/v1/legal-desk/{}/takings", case.id), json!({}))
        }
        "legal_case_hand_out" => {
            let case = planted(&stage.app, stage.guest.person(), "street-pinghu", |case| case).await;
            let to = stage.app.staff("legal-pinghu").await.person();
            post(format!("/api/v1/legal-desk/{}/hand-outs", case.id), json!({ "person_id": to }))
        }
        "legal_case_get" => {
            get(format!("/api/v1/legal-cases/{}", led(stage, someone, CaseState::Received).await))
        }
        "legal_notice_give" => {
            let id = led(stage, someone, CaseState::Received).await;
            act(id, "supplement-notices", json!({ "missing": ["工资条"] }))
        }
        "legal_case_provide" => {
            act(led(stage, someone, CaseState::Received).await, "provisional-aids", json!({}))
        }
        "legal_papers_confirm" => {
            let id = led(stage, someone, CaseState::Accepted).await;
            let (ids, now) = (stage.app.ids().clone(), stage.app.now());
            stage
                .app
                .write(move |conn| clocks::start_in_tx(conn, &ids, id, ClockKind::Papers, now).map(|_| ()))
                .await;
            act(id, "paper-receipts", json!({}))
        }
        "legal_case_accept" => act(led(stage, someone, CaseState::Received).await, "acceptances", json!({})),
        "legal_case_refuse" => {
            let body = json!({ "reasons": ["other"], "text": WHY });
            act(led(stage, someone, CaseState::Received).await, "refusals", body)
        }
        "legal_case_assign" => {
            let to = stage.app.staff("legal-lawyer").await.person();
            let body = json!({ "person_id": to });
            act(led(stage, someone, CaseState::Accepted).await, "assignments", body)
        }
        "legal_case_start" => act(led(stage, someone, CaseState::Assigned).await, "starts", json!({})),
        "legal_case_terminate" => {
            let body = json!({ "ground": "asked", "reasons": WHY });
            act(led(stage, someone, CaseState::Handling).await, "terminations", body)
        }
        "legal_case_annul" => {
            let id = numbered(stage, someone).await;
            post(format!("/api/v1/legal-cases/{id}/annulments"), json!({ "reasons": WHY })).matching(tag(2))
        }
        "my_legal_objection_raise" => {
            let owner = if someone.token.is_some() { someone } else { &stage.guest };
            let id = refused(stage, owner).await;
            post(format!("/api/v1/me/legal-requests/{id}/objections"), json!({ "text": WHY }))
        }
        "legal_objection_take" => post(format!("{}/takings", objected(stage, None).await), json!({})),
        "legal_objection_get" => get(objected(stage, Some(someone)).await),
        "legal_objection_answer" => {
            let body = json!({ "outcome": "dismiss", "reasons": WHY });
            post(format!("{}/answers", objected(stage, Some(someone)).await), body).matching(tag(2))
        }
        _ => return None,
    })
}

/// A case of the guest that was accepted as the rules have it, led by `someone`.
async fn numbered(stage: &Stage, someone: &Actor) -> CaseId {
    let id = led(stage, someone, CaseState::Received).await;
    if someone.token.is_some() {
        let (tools, now, by) = (tools(stage), stage.app.now(), someone.person());
        stage
            .app
            .write(move |conn| {
                let mut acting = Acting::new(&tools, by, now);
                acts::accept_in_tx(conn, &mut acting, (id, 1), None)?;
                acting.end_in_tx(conn)
            })
            .await;
    }
    id
}
