//! What the lead departments decide about a reported figure.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{PlanReport, ReportState};
use super::rules::{self, ReportEvent};
use super::{registry, settling, store};
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{Ids, PlanReportId, SubjectId};
use crate::notify::beside::Beside;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review::chain::ReviewKind;
use crate::review::model::Review;
use crate::review::subject::{Refused, Subject};

/// Lets reported figures learn what the desk decides.
pub struct ReportSubject {
    /// New ids, of lines.
    pub ids: Ids,
}

impl Subject for ReportSubject {
    fn kind(&self) -> ReviewKind {
        ReviewKind::PlanReport
    }

    /// The target: of two versions that are approved at once, one waits and sees the other.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()> {
        let seen = store::get(conn, PlanReportId(subject.0))?;
        store::targets_lock_in_tx(conn, &[seen.target_id])
    }

    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String> {
        let row = store::get(conn, PlanReportId(review.subject_id.0))?;
        rules::may(ReportEvent::Approve, row.state)?;
        let versions = store::versions(conn, row.target_id, row.organisation_id, row.month)?;
        let former: Option<&PlanReport> = versions.iter().find(|one| one.state == ReportState::Approved);
        let state = rules::succeeds(former.map(|one| one.number), row.number);
        let (target, _, plan) = store::target_whole(conn, row.target_id)?;
        if state == ReportState::Approved {
            registry::require(conn, &plan, &target, &row, civil_day(now))?;
        }
        if let Some(former) = former.filter(|_| state == ReportState::Approved) {
            store::state_set_in_tx(conn, former, ReportState::Superseded, None)?;
        }
        store::state_set_in_tx(conn, &row, state, Some(now))?;
        let reason = format!("上报数据第{}版审定", row.number);
        settling::settle_in_tx(conn, &self.ids, &target, &reason, now)?;
        let detail = json!({
            "target": target.code, "version": row.number, "state": state,
            "supersedes": former.filter(|_| state == ReportState::Approved).map(|one| one.id), "review": review.id,
        });
        beside.entries.push(Entry::system("plan_report.approve", row.id).detail(detail));
        Ok(match (state, row.withdraws) {
            (ReportState::Superseded, _) => "该数据的后一版本已经审定，本版本不再计入。".to_owned(),
            (_, true) => "该数据已撤回，不再计入工作要点进度。".to_owned(),
            (_, false) => "上报数据已审定，计入工作要点进度。".to_owned(),
        })
    }

    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let row = store::get(conn, PlanReportId(review.subject_id.0))?;
        // An appeal changes nothing by being refused.
        if row.state != ReportState::Proposed {
            return Ok(());
        }
        let (event, state, action) = match why {
            Refused::Rejected => (ReportEvent::Reject, ReportState::Rejected, "plan_report.reject"),
            Refused::Withdrawn | Refused::Lapsed => {
                (ReportEvent::Withdraw, ReportState::Withdrawn, "plan_report.withdraw")
            }
        };
        rules::may(event, row.state)?;
        store::state_set_in_tx(conn, &row, state, Some(now))?;
        beside.entries.push(Entry::system(action, row.id).detail(json!({ "review": review.id })));
        Ok(())
    }
}
