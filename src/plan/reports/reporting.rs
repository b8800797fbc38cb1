//! Entering a figure: judged as a whole, kept with its papers, and brought before the lead departments, in one transaction.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::holder::PLAN_REPORT;
use super::model::{PlanReport, ReportState};
use super::rules::{self, Claim, Ground};
use super::{registry, store};
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Result};
use crate::ids::{FileId, OrganisationId, PersonId, PlanReportId, SubjectId};
use crate::notify::beside::Beside;
use crate::org;
use crate::org::model::Organisation;
use crate::plan;
use crate::plan::model::{PlanItem, Target};
use crate::platform::access::Scope;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::files;
use crate::review::chain::{Answers, ReviewKind};
use crate::review::deciding::{Desk, Opening};

/// The chain that reported figures go through.
pub const CHAIN: &str = "plan_report";

/// A figure to report.
#[derive(Debug, Clone)]
pub struct Entering {
    /// The id that it is to have.
    pub id: PlanReportId,
    /// Of which plan.
    pub year: i64,
    /// For which target.
    pub code: String,
    /// Whose figure.
    pub unit: OrganisationId,
    /// Of which month, such as `2025-06`.
    pub month: String,
    /// The figure.
    pub claim: Claim,
    /// What it rests on.
    pub note: String,
    /// Its papers.
    pub evidence: Vec<FileId>,
    /// Who reports.
    pub actor: PersonId,
    /// For whom they may.
    pub scope: Scope,
}

/// Keeps the next version of a figure and opens its review.
///
/// # Errors
/// 404 for a target that is not there and for a unit of others; `figure_earned`; `validation_failed` with everything that is wrong;
/// `file_unusable`.
pub fn propose_in_tx(
    conn: &mut Conn,
    desk: &Desk,
    entering: &Entering,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<PlanReport> {
    let plan = plan::store::plan_of_year(conn, entering.year)?;
    let seen = plan::store::target(conn, plan.id, &entering.code)?;
    rules::may_be_reported(&seen)?;
    // Versions are numbered one after the other.
    store::targets_lock_in_tx(conn, &[seen.id])?;
    let (target, item, plan) = store::target_whole(conn, seen.id)?;
    let organisations = org::store::all(conn)?;
    let leads = rules::leads(&item)?;
    if let Some(unit) = organisations.get(&entering.unit) {
        require(&entering.scope, unit, &leads, organisations.values())?;
    }
    let month = rules::month(&entering.month);
    let versions = match month {
        Some(month) => store::versions(conn, target.id, entering.unit, month)?,
        None => Vec::new(),
    };
    let today = civil_day(now);
    let registry = match month {
        Some(month) => registry::of_figure(conn, &plan, &target, entering.unit, month, today)?,
        None => None,
    };
    let counts = |row: &PlanReport| row.state == ReportState::Approved && !row.withdraws;
    let ground = Ground {
        plan: &plan,
        item: &item,
        target: &target,
        organisations: &organisations,
        today,
        is_reported: versions.iter().any(counts),
        registry,
    };
    let claim = Claim { evidence: entering.evidence.len(), ..entering.claim.clone() };
    rules::check(&ground, entering.unit, &entering.month, &claim)?;
    let unit = organisations.get(&entering.unit).ok_or_else(Error::not_found)?;
    let row = PlanReport {
        id: entering.id,
        target_id: target.id,
        organisation_id: unit.id,
        month: month.ok_or_else(|| Error::internal("a month that was checked"))?,
        number: versions.last().map_or(1, |last| last.number + 1),
        withdraws: claim.withdraws,
        value: if claim.parts.is_empty() { claim.value } else { Some(claim.parts.iter().sum()) },
        numerator: claim.numerator,
        denominator: claim.denominator,
        parts: json!(claim.parts).to_string(),
        note: entering.note.trim().to_owned(),
        state: ReportState::Proposed,
        made_by: entering.actor,
        made_at: db_time(now),
        decided_at: None,
    };
    store::insert_in_tx(conn, &row, &claim.covered)?;
    files::attach_in_tx(conn, entering.actor, &entering.evidence, PLAN_REPORT, row.id.0, now)?;
    let opening = Opening {
        kind: ReviewKind::PlanReport,
        chains: vec![CHAIN.to_owned()],
        subject: SubjectId(row.id.0),
        title: title(&target, &item, unit, &entering.month, row.number),
        applicant: entering.actor,
        answers: Answers::new(),
        at: Some(unit.id),
    };
    let review = desk.open_led_in_tx(conn, opening, leads, now, beside)?.id;
    let detail = json!({
        "target": target.code, "unit": unit.code, "month": entering.month, "version": row.number,
        "withdraws": row.withdraws, "evidence": entering.evidence, "review": review,
    });
    beside.entries.push(Entry::new(entering.actor, "plan_report.propose", row.id).detail(detail));
    Ok(row)
}

/// Who reports for a unit: whoever keeps the plan there or above, and the lead departments for everybody.
fn require<'a>(
    scope: &Scope,
    unit: &Organisation,
    leads: &[String],
    all: impl Iterator<Item = &'a Organisation>,
) -> Result<()> {
    if covers_lead(scope, leads, all) { Ok(()) } else { scope.require(&unit.path) }
}

/// Whether a scope covers one of the departments `leads`.
pub(super) fn covers_lead<'a>(
    scope: &Scope,
    leads: &[String],
    mut all: impl Iterator<Item = &'a Organisation>,
) -> bool {
    all.any(|one| leads.contains(&one.code) && scope.covers(&one.path))
}

/// For the desk; a title has 140 characters at most.
fn title(target: &Target, item: &PlanItem, unit: &Organisation, month: &str, number: i64) -> String {
    let clause: String = target.clause.chars().take(50).collect();
    let unit: String = unit.short_name.chars().take(30).collect();
    format!("第{}条 {} {clause}：{unit} {month} 第{number}版", item.number, target.code)
}
