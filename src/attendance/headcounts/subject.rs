//! What another officer decides about a headcount, and about what an auditor found of one.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{FindingState, Headcount, HeadcountState};
use super::rules::{self, HeadcountEvent};
use super::{findings, recounting, store};
use crate::attendance::counting::{Counting, Held};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{FindingId, HeadcountId, SubjectId};
use crate::ledger::model::{Because, Cause, Grade};
use crate::notify::beside::Beside;
use crate::offering::lifecycle_store as states;
use crate::offering::model::{ActivityState, Session, SessionState};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review::chain::ReviewKind;
use crate::review::model::Review;
use crate::review::subject::{Refused, Subject};
use crate::{offering, review};

/// Lets headcounts learn what the desk decides.
pub struct HeadcountSubject {
    /// Counts for the plan.
    pub counting: Arc<dyn Counting>,
}

impl Subject for HeadcountSubject {
    fn kind(&self) -> ReviewKind {
        ReviewKind::Headcount
    }

    /// The session first: whoever checks somebody in holds it.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()> {
        store::locked_in_tx(conn, HeadcountId(subject.0))?;
        Ok(())
    }

    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String> {
        let (session, row) = store::locked_in_tx(conn, HeadcountId(review.subject_id.0))?;
        took_place(conn, &session, now)?;
        let state = rules::transition(HeadcountEvent::Approve, row.state)?;
        let after = Headcount { state, decided_at: Some(db_time(now)), ..row.clone() };
        store::update_in_tx(conn, &row, &after)?;
        let counting = self.counting.as_ref();
        let because = Because { cause: Cause::New, reason: "确认人数登记" };
        recounting::count_in_tx(conn, counting, &session, &after, because)?;
        held_after_all_in_tx(conn, counting, &session)?;
        let counts = rules::quantity(after.standing, session.present);
        let detail = json!({ "number": after.number, "present": session.present, "counts": counts, "review": review.id });
        beside.entries.push(Entry::system("headcount.approve", row.id).detail(detail));
        Ok(format!("登记人数已确认，扣除已签到的 {} 人后计 {counts} 人次。", session.present))
    }

    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let (_, row) = store::locked_in_tx(conn, HeadcountId(review.subject_id.0))?;
        // An appeal changes nothing by being refused.
        if row.state != HeadcountState::Proposed {
            return Ok(());
        }
        let (event, action) = match why {
            Refused::Rejected => (HeadcountEvent::Reject, "headcount.reject"),
            Refused::Withdrawn | Refused::Lapsed => (HeadcountEvent::Withdraw, "headcount.withdraw"),
        };
        let state = rules::transition(event, row.state)?;
        let after = Headcount { state, decided_at: Some(db_time(now)), ..row.clone() };
        store::update_in_tx(conn, &row, &after)?;
        beside.entries.push(Entry::system(action, row.id).detail(json!({ "review": review.id })));
        Ok(())
    }
}

/// Nothing counts at what was called off or put off, not even on appeal.
fn took_place(conn: &mut Conn, session: &Session, now: DateTime<Utc>) -> Result<()> {
    let activity = offering::store::activity_get(conn, session.activity_id)?.activity;
    let off = matches!(activity.state, ActivityState::Cancelled | ActivityState::Postponed);
    if off || session.state == SessionState::Cancelled || now < session.starts_at.and_utc() {
        return Err(Error::new(Code::StateForbids).detail(
            "活动或场次已取消或延期，人数不再计入",
            "It was called off or put off; nobody is counted there",
        ));
    }
    Ok(())
}

/// A session that was finalised before its crowd was agreed to took place.
fn held_after_all_in_tx(conn: &mut Conn, counting: &dyn Counting, session: &Session) -> Result<()> {
    if session.state != SessionState::Finalised || session.held == Some(true) {
        return Ok(());
    }
    states::session_held_set_in_tx(conn, session.id, true)?;
    let starts_at = session.starts_at.and_utc();
    let held = Held { session: session.id, activity: session.activity_id, starts_at, grade: Grade::D };
    counting.held_in_tx(conn, &held)
}

/// Lets findings learn what the desk decides.
pub struct FindingSubject {
    /// Counts for the plan.
    pub counting: Arc<dyn Counting>,
}

impl Subject for FindingSubject {
    fn kind(&self) -> ReviewKind {
        ReviewKind::HeadcountAudit
    }

    /// The session of its headcount: whoever changes either holds it.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()> {
        let finding = store::finding_get(conn, FindingId(subject.0))?;
        store::locked_in_tx(conn, finding.headcount_id)?;
        Ok(())
    }

    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String> {
        let finding = store::finding_get(conn, FindingId(review.subject_id.0))?;
        let (session, row) = store::locked_in_tx(conn, finding.headcount_id)?;
        findings::open(&finding, &row)?;
        if store::finding_of(conn, row.id)?.is_some_and(|other| other.id != finding.id) {
            return Err(Error::new(Code::StateForbids)
                .detail("该人数登记已有其他核查结果", "Another finding of this headcount stands"));
        }
        store::finding_set_in_tx(conn, &finding, FindingState::Approved, now)?;
        findings::write_down_in_tx(conn, self.counting.as_ref(), &session, &row, &finding)?;
        let detail = json!({ "from": row.standing, "to": finding.found, "review": review.id });
        beside.entries.push(Entry::system("headcount.write_down", row.id).detail(detail));
        Ok(format!("登记人数由 {} 核减为 {}。", row.standing, finding.found))
    }

    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let finding = store::finding_get(conn, FindingId(review.subject_id.0))?;
        if finding.state != FindingState::Proposed {
            return Ok(());
        }
        let (state, action) = match why {
            Refused::Rejected => (FindingState::Rejected, "headcount_finding.reject"),
            Refused::Withdrawn | Refused::Lapsed => (FindingState::Withdrawn, "headcount_finding.withdraw"),
        };
        store::finding_set_in_tx(conn, &finding, state, now)?;
        beside.entries.push(Entry::system(action, finding.id).detail(json!({ "review": review.id })));
        Ok(())
    }
}

/// Ends what is being decided about a headcount: it is void.
pub(super) fn dissolve_in_tx(
    conn: &mut Conn,
    desk: &review::deciding::Desk,
    row: &Headcount,
    actor: crate::ids::PersonId,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    desk.withdraw_subject_in_tx(conn, SubjectId(row.id.0), Some(actor), now, beside)?;
    let proposed = store::finding_of(conn, row.id)?.filter(|finding| finding.state == FindingState::Proposed);
    if let Some(finding) = proposed {
        store::finding_set_in_tx(conn, &finding, FindingState::Withdrawn, now)?;
        desk.withdraw_subject_in_tx(conn, SubjectId(finding.id.0), Some(actor), now, beside)?;
    }
    Ok(())
}
