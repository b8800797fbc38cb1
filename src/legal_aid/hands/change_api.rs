//! Changes of lawyer over HTTP: what an applicant asks for, and what the team says to it.
//!
//! Answers that are kept for repetitions say what became of something; what somebody wrote is read anew, and every reading is audited.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::changes::{self, Decision};
use super::model::{ChangeState, LawyerChange};
use super::rota_api::read_entry;
use crate::error::Result;
use crate::ids::{CaseId, LawyerChangeId, PersonId};
use crate::legal_aid::{own, team};
use crate::notify::beside::Beside;
use crate::people;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalDecide, LegalWork, OwnData};
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::platform::vault::{Vault, mask};

/// A wish for another lawyer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LawyerChangeView {
    /// Its id.
    pub id: LawyerChangeId,
    /// What became of it.
    pub state: ChangeState,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// Until when it is decided.
    pub due_at: DateTime<Utc>,
    /// When it was decided, or withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<&LawyerChange> for LawyerChangeView {
    fn from(row: &LawyerChange) -> Self {
        Self {
            id: row.id,
            state: row.state,
            asked_at: row.asked_at.and_utc(),
            due_at: row.due_at.and_utc(),
            decided_at: row.decided_at.map(|at| at.and_utc()),
        }
    }
}

/// A wish for another lawyer, with what was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct LawyerChangeDetail {
    /// The wish.
    #[serde(flatten)]
    pub change: LawyerChangeView,
    /// Whom it is about, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub lawyer_masked: Option<String>,
    /// Why.
    #[schema(max_length = 500)]
    pub reason: String,
    /// What was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub answer: Option<String>,
}

/// The wishes of a case for another lawyer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LawyerChangeList {
    /// The latest first.
    #[schema(max_items = 100)]
    pub items: Vec<LawyerChangeDetail>,
}

impl LawyerChangeList {
    fn of(conn: &mut Conn, vault: &Vault, case: CaseId) -> Result<Self> {
        let rows = changes::of_case(conn, case)?;
        let people: Vec<PersonId> = rows.iter().map(|row| row.lawyer_id).collect();
        let names = people::store::names(conn, &people)?;
        let view = |row: &LawyerChange| {
            Ok(LawyerChangeDetail {
                change: row.into(),
                lawyer_masked: names.get(&row.lawyer_id).map(|name| mask::name(name)),
                reason: changes::reason(vault, row)?,
                answer: changes::answer(vault, row)?,
            })
        };
        Ok(Self { items: rows.iter().map(view).collect::<Result<_>>()? })
    }
}

/// List the wishes of a case for another lawyer / 查看更换律师的申请
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_change_list", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")),
    responses((status = 200, description = "The wishes", body = LawyerChangeList)),
)]
#[get("/api/v1/legal-cases/{id}/lawyer-changes")]
pub async fn legal_lawyer_change_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
) -> Result<Reply<LawyerChangeList>> {
    let (actor, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        team::admitted(c, actor, id, now)?;
        let list = LawyerChangeList::of(c, &vault, id)?;
        audit::append_in_tx(c, now, vec![read_entry(actor, id, "lawyer_changes")])?;
        Ok(list)
    };
    Ok(Reply::new(platform.db.write(read).await?).secret())
}

/// What the team says to a wish for another lawyer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "answer": "已为您更换律师，新律师将与您联系。"}))]
pub struct LawyerChangeDecisionInput {
    /// Who comes in the lawyer's place; left out, it is refused.
    pub person_id: Option<PersonId>,
    /// Why whoever stands before them is passed over; only where somebody is.
    #[schema(min_length = 1, max_length = 500, pattern = r"^\S([^\x00]*\S)?$")]
    pub note: Option<String>,
    /// What the applicant is answered.
    #[schema(min_length = 1, max_length = 500, pattern = r"^\S([^\x00]*\S)?$")]
    pub answer: String,
}

/// Decide about a wish for another lawyer / 决定是否更换援助律师
///
/// Never by the lawyer whom it is about (`second_officer_required`). The successor may not be one who has to keep away (`legal_conflict`).
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_change_decide", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LawyerChangeDecisionInput,
    responses((status = 200, description = "What became of it", body = LawyerChangeView)),
)]
#[post("/api/v1/legal-cases/{id}/lawyer-change-decisions")]
pub async fn legal_lawyer_change_decide(
    platform: Data<Platform>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<LawyerChangeDecisionInput>,
) -> Result<Stored> {
    let (actor, now, id) = (guard.person(), platform.clock.now(), id.0);
    let (ids, vault, input) = (platform.ids.clone(), platform.vault.clone(), body.body);
    let decision = Decision { actor, successor: input.person_id, note: input.note, answer: input.answer };
    let act = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, actor, id, now)?.case;
        let mut beside = Beside::default();
        let (change, case) = changes::decide_in_tx(c, (&ids, &vault), &case, &decision, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(case.version, &LawyerChangeView::from(&change))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List one's wishes for another lawyer / 查看我更换律师的申请
#[utoipa::path(
    tag = "me", operation_id = "my_legal_lawyer_change_list", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request")),
    responses((status = 200, description = "The wishes", body = LawyerChangeList)),
)]
#[get("/api/v1/me/legal-requests/{id}/lawyer-changes")]
pub async fn my_legal_lawyer_change_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
) -> Result<Reply<LawyerChangeList>> {
    let (person, vault, id) = (guard.person(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        own::get(c, person, id)?;
        LawyerChangeList::of(c, &vault, id)
    };
    Ok(Reply::new(platform.db.read(read).await?).secret())
}

/// Why somebody asks for another lawyer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "律师多次未按约定联系，也没有说明案件进展。"}))]
pub struct LawyerWishInput {
    /// Why. Sealed; only the team reads it.
    #[schema(min_length = 4, max_length = 500, pattern = r"^\S([^\x00]*\S)?$")]
    pub reason: String,
}

/// Ask for another lawyer / 申请更换援助律师
///
/// It is decided by the day in `due_at`, and not by the lawyer whom it is about. One at a time.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_lawyer_change_ask", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LawyerWishInput,
    responses((status = 201, description = "The wish", body = LawyerChangeView)),
)]
#[post("/api/v1/me/legal-requests/{id}/lawyer-changes")]
pub async fn my_legal_lawyer_change_ask(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<LawyerWishInput>,
) -> Result<Stored> {
    let (person, now, id) = (guard.person(), platform.clock.now(), id.0);
    let (ids, vault, reason) = (platform.ids.clone(), platform.vault.clone(), body.body.reason);
    let change: LawyerChangeId = platform.ids.id();
    let act = move |c: &mut Conn| {
        let case = own::locked_in_tx(c, person, id)?;
        let mut beside = Beside::default();
        let row = changes::ask_in_tx(c, &vault, change, &case, &reason, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        let path = format!("/api/v1/me/legal-requests/{id}/lawyer-changes");
        Stored::created(path, 0, &LawyerChangeView::from(&row))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Nothing to say: the request is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct LawyerChangeWithdrawInput {}

/// Take one's wish for another lawyer back / 撤回更换律师的申请
#[utoipa::path(
    tag = "me", operation_id = "my_legal_lawyer_change_withdraw", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LawyerChangeWithdrawInput,
    responses((status = 200, description = "The wish, withdrawn", body = LawyerChangeView)),
)]
#[post("/api/v1/me/legal-requests/{id}/lawyer-change-withdrawals")]
pub async fn my_legal_lawyer_change_withdraw(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<LawyerChangeWithdrawInput>,
) -> Result<Stored> {
    let (person, now, ids, id) = (guard.person(), platform.clock.now(), platform.ids.clone(), id.0);
    let act = move |c: &mut Conn| {
        let case = own::locked_in_tx(c, person, id)?;
        let mut beside = Beside::default();
        let row = changes::withdraw_in_tx(c, &case, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(0, &LawyerChangeView::from(&row))
    };
    platform.idempotency.run(person, body.key, act).await
}
