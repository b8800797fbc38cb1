//! The end of a case over HTTP, for its team.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::acts::{self, Heard, Report};
use super::model::{CaseResult, ReturnVisitOutcome, ReturnVisitWay};
use super::views::{CaseClosingView, view};
use crate::error::Result;
use crate::ids::{CaseId, PersonId};
use crate::legal_aid::LegalTools;
use crate::legal_aid::model::CaseState;
use crate::legal_aid::team;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalDecide, LegalWork};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::platform::vault::Vault;

/// Read how far the end of a case is / 查看结案情况
#[utoipa::path(
    tag = "legal", operation_id = "legal_closing_get", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")),
    responses((status = 200, description = "Report, return visit, satisfaction, file, subsidy", body = CaseClosingView)),
)]
#[get("/api/v1/legal-cases/{id}/closing")]
pub async fn legal_closing_get(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
) -> Result<Reply<CaseClosingView>> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let found = platform.db.write(move |c| {
        let state = team::admitted(c, person, id, now)?.case.state;
        let found = view(c, &vault, id, state, now)?;
        let entry = Entry::new(person, "legal_case.read", id).detail(json!({ "what": "closing" }));
        audit::append_in_tx(c, now, vec![entry])?;
        Ok(found)
    });
    Ok(Reply::new(found.await?).secret())
}

/// A report of a case.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "result": "settled", "recovered_fen": 1_850_000, "minutes": 300, "summary": "经两次协商，用人单位当场支付拖欠的工资。"
}))]
pub struct CaseReportInput {
    /// How it ended.
    pub result: CaseResult,
    /// What the applicant got back, in fen; 0 for nothing.
    #[schema(minimum = 0, maximum = 2_000_000_000)]
    pub recovered_fen: i64,
    /// The time spent, in minutes.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub minutes: i64,
    /// What was done. The applicant reads it.
    #[schema(min_length = 1, max_length = 4000)]
    pub summary: String,
}

/// Report how a case went / 提交结案报告
///
/// Of a case that is being handled. Reported again before the closing, the later one holds; the closing makes a document of it.
#[utoipa::path(
    tag = "legal", operation_id = "legal_report_write", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CaseReportInput,
    responses((status = 200, description = "How far the end of the case is", body = CaseClosingView)),
)]
#[post("/api/v1/legal-cases/{id}/closing-reports")]
pub async fn legal_report_write(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    body: Idempotent<CaseReportInput>,
) -> Result<Stored> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let CaseReportInput { result, recovered_fen, minutes, summary } = body.body;
    let report = Report { result, recovered_fen, minutes, summary };
    let act = move |c: &mut Conn| {
        let entry = acts::report_in_tx(c, &vault, person, id, &report, now)?;
        done(c, &vault, id, CaseState::Handling, entry, now)
    };
    platform.idempotency.run(person, body.key, act).await
}

/// The end of an act: its audit entry, and how far the end of the case is.
fn done(
    conn: &mut Conn,
    vault: &Vault,
    id: CaseId,
    state: CaseState,
    entry: Entry,
    now: DateTime<Utc>,
) -> Result<Stored> {
    let body = view(conn, vault, id, state, now)?;
    audit::append_in_tx(conn, now, vec![entry])?;
    Stored::done(0, &body)
}

/// Nothing to say: the report says it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct CaseCloseInput {}

/// Close a case / 结案
///
/// The report becomes a numbered document, which the applicant reads. Refused with `legal_report_missing` without one.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_close", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = CaseCloseInput,
    responses((status = 200, description = "How far the end of the case is", body = CaseClosingView)),
)]
#[post("/api/v1/legal-cases/{id}/closings")]
pub async fn legal_case_close(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<CaseCloseInput>,
) -> Result<Stored> {
    let (person, now, tools, id) = (guard.person(), platform.clock.now(), LegalTools::clone(&tools), id.0);
    let act = move |c: &mut Conn| {
        let (case, beside) = acts::close_in_tx(c, &tools, person, id, now)?;
        let body = view(c, &tools.vault, id, case.state, now)?;
        beside.write_in_tx(c, &tools.ids, now)?;
        Stored::done(0, &body)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// What was heard on a return visit.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"way": "phone", "outcome": "confirmed", "note": "受援人表示款项已收到。"}))]
pub struct ReturnVisitInput {
    /// How somebody was asked.
    pub way: ReturnVisitWay,
    /// What was found.
    pub outcome: ReturnVisitOutcome,
    /// In words.
    #[schema(min_length = 1, max_length = 1000)]
    pub note: Option<String>,
}

/// Record a return visit / 登记回访
///
/// Of a case that the sample wants asked about, by somebody of its team who neither reported nor is its lawyer
/// (`second_officer_required`). Once, but for `unreachable`, after which one may try again.
#[utoipa::path(
    tag = "legal", operation_id = "legal_return_visit_record", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReturnVisitInput,
    responses((status = 200, description = "How far the end of the case is", body = CaseClosingView)),
)]
#[post("/api/v1/legal-cases/{id}/return-visits")]
pub async fn legal_return_visit_record(
    platform: Data<Platform>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<ReturnVisitInput>,
) -> Result<Stored> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let ReturnVisitInput { way, outcome, note } = body.body;
    let heard = Heard { way, outcome, note };
    let act = move |c: &mut Conn| {
        let entry = acts::visit_in_tx(c, &vault, person, id, &heard, now)?;
        done(c, &vault, id, CaseState::Closed, entry, now)
    };
    platform.idempotency.run(person, body.key, act).await
}

/// What is in a file.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"present": ["application", "identity", "evidence"], "note": "缺结案报告签收页。"}))]
pub struct FileCheckInput {
    /// Codes of `file_items` that are there.
    #[schema(max_items = 40)]
    pub present: Vec<String>,
    /// What is to be noted.
    #[schema(min_length = 1, max_length = 1000)]
    pub note: Option<String>,
}

/// Check the file of a closed case / 核对案卷
///
/// By somebody of its team who neither reported, nor closed it, nor is its lawyer (`second_officer_required`). Where something is missing it
/// is checked again later; found complete, it stays so.
#[utoipa::path(
    tag = "legal", operation_id = "legal_file_check", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = FileCheckInput,
    responses((status = 200, description = "How far the end of the case is", body = CaseClosingView)),
)]
#[post("/api/v1/legal-cases/{id}/file-checks")]
pub async fn legal_file_check(
    platform: Data<Platform>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<FileCheckInput>,
) -> Result<Stored> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let FileCheckInput { present, note } = body.body;
    let act = move |c: &mut Conn| {
        let entry = acts::check_in_tx(c, &vault, person, id, (present.as_slice(), note.as_deref()), now)?;
        done(c, &vault, id, CaseState::Closed, entry, now)
    };
    platform.idempotency.run(person, body.key, act).await
}

/// Who gets a subsidy.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct LegalSubsidyInput {
    /// The lawyer, who is of the team.
    pub person_id: PersonId,
}

/// Grant the subsidy of a closed case / 发放办案补贴
///
/// As much as the policy says for the form of aid on the day of the closing, once. Refused with `legal_file_unchecked` before another officer
/// has found the file complete, and with `second_officer_required` for oneself.
#[utoipa::path(
    tag = "legal", operation_id = "legal_subsidy_grant", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalSubsidyInput,
    responses((status = 200, description = "How far the end of the case is", body = CaseClosingView)),
)]
#[post("/api/v1/legal-cases/{id}/subsidies")]
pub async fn legal_subsidy_grant(
    platform: Data<Platform>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalSubsidyInput>,
) -> Result<Stored> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let lawyer = body.body.person_id;
    let act = move |c: &mut Conn| {
        let entry = acts::subsidise_in_tx(c, person, id, lawyer, now)?;
        done(c, &vault, id, CaseState::Closed, entry, now)
    };
    platform.idempotency.run(person, body.key, act).await
}
