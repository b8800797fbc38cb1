//! What an auditor finds of a headcount that was drawn: less than was counted is taken back with a second officer. Nothing is added.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{Finding, FindingState, Headcount, HeadcountState};
use super::{proposing, recounting, rules, store};
use crate::attendance::counting::{Counting, Voided};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{FindingId, HeadcountId, PersonId, ReviewId, SubjectId};
use crate::ledger::model::{Because, Cause};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::lifecycle_store as states;
use crate::offering::model::{Session, SessionState};
use crate::platform::access::Scope;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review::chain::ReviewKind;
use crate::review::cover;
use crate::review::deciding::{Desk, Opening};
use crate::review::model::{Recusal, RecusalGround};

/// The chain that write-downs go through.
pub const CHAIN: &str = "headcount_audit";
/// Why a line is written anew, for who reads the ledger.
const WRITTEN_DOWN: &str = "抽查核减";

/// A finding to record.
#[derive(Debug, Clone)]
pub struct Found {
    /// The id that it is to have.
    pub id: FindingId,
    /// Of which headcount.
    pub headcount: HeadcountId,
    /// So many people can be shown.
    pub found: i64,
    /// Why.
    pub note: String,
    /// Who found it.
    pub by: PersonId,
    /// Where they audit.
    pub scope: Scope,
}

/// Records a finding. Where less was found than counts, its write-down goes before a second officer.
///
/// # Errors
/// 404 outside the auditor's subtree; `state_forbids` for what was not drawn or does not count; `unique_taken` where a finding stands.
pub fn record_in_tx(
    conn: &mut Conn,
    desk: &Desk,
    found: &Found,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<(Finding, Option<ReviewId>)> {
    let (session, row) = store::locked_in_tx(conn, found.headcount)?;
    let (_, of) = offering::store::session_get(conn, session.id)?;
    found.scope.require(&of.path)?;
    let Some((sample, _)) = store::sample_of(conn, row.id)? else {
        return Err(Error::new(Code::StateForbids)
            .detail("该人数登记未被抽中", "This headcount was not drawn to be audited"));
    };
    if row.state != HeadcountState::Approved {
        return Err(Error::new(Code::StateForbids)
            .detail("该人数登记不再计入", "This headcount does not count any more"));
    }
    let finding = Finding {
        id: found.id,
        sample_id: sample.id,
        headcount_id: row.id,
        found: found.found,
        note: found.note.clone(),
        state: rules::found(row.standing, found.found),
        made_by: found.by,
        made_at: db_time(now),
        decided_at: None,
        version: 1,
    };
    if !store::finding_create_in_tx(conn, &finding)? {
        return Err(Error::new(Code::UniqueTaken)
            .detail("该人数登记已有核查结果", "A finding of this headcount stands already"));
    }
    let detail = json!({ "headcount": row.id, "found": found.found, "standing": row.standing, "state": finding.state });
    beside.entries.push(Entry::new(found.by, "headcount_finding.record", finding.id).detail(detail));
    if finding.state != FindingState::Proposed {
        return Ok((finding, None));
    }
    let title = proposing::title(&of.activity.title, session.number, row.standing);
    let opening = Opening {
        kind: ReviewKind::HeadcountAudit,
        chains: vec![CHAIN.to_owned()],
        subject: SubjectId(finding.id.0),
        title: format!("核减为{}人：{title}", found.found),
        applicant: found.by,
        answers: proposing::statement(Some(&found.note)),
        at: Some(of.activity.organisation_id),
    };
    let review = desk.open_in_tx(conn, opening, now, beside)?.id;
    // Whoever counted does not decide that it was fewer, or that it was not.
    let recusal = Recusal {
        review_id: review,
        person_id: row.counted_by,
        ground: RecusalGround::Interest,
        made_at: db_time(now),
    };
    cover::recuse_in_tx(conn, &recusal)?;
    Ok((finding, Some(review)))
}

/// Whether a write-down may still be decided.
///
/// # Errors
/// `state_forbids` where its headcount counts no more, or no more than was found.
pub(super) fn open(finding: &Finding, row: &Headcount) -> Result<()> {
    let waits = matches!(finding.state, FindingState::Proposed | FindingState::Rejected);
    if waits && row.state == HeadcountState::Approved && finding.found < row.standing {
        return Ok(());
    }
    Err(Error::new(Code::StateForbids)
        .detail("该核查结果不再需要审定", "There is nothing left to decide about this finding"))
}

/// Lowers a headcount to what was found: its lines are taken back and written anew. A session of which nobody is left was not held.
pub(super) fn write_down_in_tx(
    conn: &mut Conn,
    counting: &dyn Counting,
    session: &Session,
    row: &Headcount,
    finding: &Finding,
) -> Result<()> {
    let after = Headcount { standing: finding.found.min(row.standing), ..row.clone() };
    store::update_in_tx(conn, row, &after)?;
    let because = Because { cause: Cause::WriteDown, reason: WRITTEN_DOWN };
    recounting::count_in_tx(conn, counting, session, &after, because)?;
    let nobody = after.standing == 0 && session.present == 0;
    if nobody && session.state == SessionState::Finalised && session.held == Some(true) {
        states::session_held_set_in_tx(conn, session.id, false)?;
        let voided = Voided {
            activity: session.activity_id,
            sessions: vec![session.id],
            attendances: Vec::new(),
            cause: Cause::WriteDown,
            reason: WRITTEN_DOWN.to_owned(),
        };
        counting.voided_in_tx(conn, &voided)?;
    }
    Ok(())
}
