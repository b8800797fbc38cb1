//! Cases that are simply there, for what is about who knows of them and what they count.

use diesel::prelude::*;
use unionhall::clock::db_time;
use unionhall::ids::{CaseId, OrganisationId, PersonId};
use unionhall::legal_aid::model::{AidForm, Case, CaseState, Category, Facts, Means, TeamMember, TeamRole};
use unionhall::platform::db::schema::{legal_cases, legal_team};

use crate::harness::TestApp;

/// What whoever asked has told: nobody else may read it anywhere.
pub const TOLD: &str = "龙岗示例机械厂拖欠本人三个月工资";

/// A request that `person` made at `desk`, with what `change` says; kept.
pub async fn planted(app: &TestApp, person: PersonId, desk: &str, change: impl FnOnce(Case) -> Case) -> Case {
    let desk_id = app.organisation(desk).await;
    let case = change(row(app, person, desk_id));
    let kept = case.clone();
    app.write(move |conn| Ok(diesel::insert_into(legal_cases::table).values(&kept).execute(conn)?)).await;
    case
}

fn row(app: &TestApp, person_id: PersonId, desk_id: OrganisationId) -> Case {
    let id: CaseId = app.ids().id();
    let facts = Facts {
        employer: "龙岗示例机械厂".into(),
        employer_code: None,
        code_reason: None,
        facts: TOLD.into(),
        wishes: "支付工资".into(),
        amount_fen: Some(1_200_000),
        exemption: None,
        declaration: "1".into(),
        address: None,
    };
    Case {
        id,
        number: None,
        person_id,
        desk_id,
        street_id: Some(desk_id),
        category: Category::LabourDispute,
        matter: None,
        form: AidForm::Mediation,
        facts_sealed: facts.seal(&app.app().platform().vault, id).unwrap(),
        event: None,
        event_on: None,
        limitation_on: None,
        urgent: false,
        means: Means::Declared,
        state: CaseState::Received,
        members: 1,
        received_at: db_time(app.now()),
        decided_at: None,
        ended_at: None,
        ground: None,
        version: 1,
    }
}

/// `person` is of the team of `case` from now on.
pub async fn join(app: &TestApp, case: CaseId, person: PersonId, role: TeamRole) {
    let member = TeamMember {
        id: app.ids().id(),
        case_id: case,
        person_id: person,
        role,
        joined_at: db_time(app.now()),
        left_at: None,
    };
    app.write(move |conn| Ok(diesel::insert_into(legal_team::table).values(&member).execute(conn)?)).await;
}
