//! Stations, lawyers, and cases with a team, for what is about hands.

use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::LawyerId;
use unionhall::legal_aid::model::{Case, CaseState, Facts, Side, TeamRole};
use unionhall::legal_aid::parties;

use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Actor, TestApp};

/// Whom the cases are against.
pub const EMPLOYER: &str = "龙岗示例机械厂";

/// A station that an organisation keeps.
pub async fn station(app: &TestApp, kind: &str, organisation: &str) -> String {
    let admin = app.staff("admin").await;
    let body = json!({
        "kind": kind, "organisation_id": app.organisation(organisation).await, "name": admin.fresh_key(),
        "address": "示例路1号", "opened_on": "2025-03-01",
    });
    let made = admin.post("/api/v1/legal-stations", body).await.ok(201);
    made["id"].as_str().unwrap().to_owned()
}

/// What a lawyer does who is always there.
pub fn duty(station: &str) -> Value {
    json!({
        "station_id": station, "firm": "示例律师事务所", "categories": ["labour_dispute"], "capacity": 20,
        "on_duty_from": "2025-01-01",
    })
}

/// Somebody who is a lawyer at a station; `change` is what of their duty is otherwise.
pub async fn lawyer(app: &TestApp, name: &str, station: &str, change: Value) -> (Actor, LawyerId) {
    let actor = staff_of(app, name, "legal_lawyer", "longgang").await;
    let id = register(app, &actor, station, change).await;
    (actor, id)
}

/// Registers somebody as a lawyer.
pub async fn register(app: &TestApp, actor: &Actor, station: &str, change: Value) -> LawyerId {
    let admin = app.staff("admin").await;
    let mut duty = duty(station);
    duty.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    // The random end of an id, which is everybody's own.
    let licence: String = actor.person().0.simple().to_string().chars().skip(15).collect();
    let body =
        json!({ "person_id": actor.person(), "licence": licence, "phone": "13800138000", "duty": duty });
    let made = admin.post("/api/v1/legal-lawyers", body).await.ok(201);
    made["id"].as_str().unwrap().parse().unwrap()
}

/// A case of the district's desk that is being handled, with its sides; `legal` leads it.
pub async fn handled(app: &TestApp, applicant: &Actor, change: impl FnOnce(Case) -> Case) -> Case {
    let at = db_time(app.now());
    let case = planted(app, applicant.person(), "longgang", |case| {
        change(Case { state: CaseState::Handling, decided_at: Some(at), ..case })
    })
    .await;
    sides(app, &case).await;
    let handler = app.staff("legal").await;
    join(app, case.id, handler.person(), TeamRole::Handler).await;
    case
}

/// Keeps the sides of a case as a request does.
pub async fn sides(app: &TestApp, case: &Case) {
    let (case, vault) = (case.clone(), app.app().platform().vault.clone());
    app.write(move |conn| {
        let facts = Facts::open(&vault, &case)?;
        for text in [Some(facts.employer), facts.employer_code].into_iter().flatten() {
            parties::record_in_tx(conn, &vault, case.id, Side::Employer, &text)?;
        }
        if let Some(name) = unionhall::people::store::get(conn, case.person_id)?.name {
            parties::record_in_tx(conn, &vault, case.id, Side::Applicant, &name)?;
        }
        Ok(())
    })
    .await;
}

/// A case that is about another employer.
pub fn against(app: &TestApp, case: Case, employer: &str) -> Case {
    let vault = &app.app().platform().vault;
    let facts = Facts { employer: employer.into(), ..Facts::open(vault, &case).unwrap() };
    Case { facts_sealed: facts.seal(vault, case.id).unwrap(), ..case }
}
