//! Who may do what: every operation against every role, subtrees that end where they end, and tokens that are
//! not what they pretend to be.

pub mod cases;
mod closing_cases;
mod content_cases;
pub mod coverage;
mod desk_cases;
mod door_cases;
mod exports_cases;
mod headcount_cases;
mod legal_asking_cases;
mod legal_cases;
mod legal_desk_cases;
mod legal_hands_cases;
mod legal_papers_cases;
mod legal_secrecy_cases;
mod membership_cases;
mod merging_cases;
mod places_cases;
mod plan_cases;
pub mod scope;
pub mod tokens;
mod visits_cases;

use serde_json::{Value, json};
use unionhall::ids::PersonId;

use crate::harness::{Actor, TestApp};

/// Grants a role as the district's administrator; the answer is the grant.
async fn grant(app: &TestApp, to: PersonId, role: &str, organisation: &str) -> Value {
    let organisation = app.organisation(organisation).await;
    let body = json!({ "person_id": to, "role": role, "organisation_id": organisation });
    app.staff("admin").await.post("/api/v1/staff-grants", body).await.ok(201)
}

/// Somebody with a role over a subtree.
pub async fn staff_of(app: &TestApp, name: &str, role: &str, organisation: &str) -> Actor {
    let actor = app.worker(name).await;
    grant(app, actor.person(), role, organisation).await;
    actor
}
