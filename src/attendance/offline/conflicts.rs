//! What a device cannot decide goes to the desk, with what is proposed; it does not count before.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::facts::{self, Ground};
use super::settling::{Seat, Settled};
use super::uploading::Settler;
use crate::attendance::completing;
use crate::attendance::model::{Conflict, ConflictReason, ConflictState, Proposal, Scan};
use crate::clock::{db_time, shanghai};
use crate::error::{Code, Error, Result};
use crate::ids::{ConflictId, PersonId, ScanId, SessionId, SubjectId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::model::{Activity, ActivityState, Session, SessionState};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{checkin_conflicts, scans};
use crate::review::chain::{Answers, ReviewKind};
use crate::review::deciding::Opening;
use crate::review::model::Review;
use crate::review::subject::{Refused, Subject};

impl ConflictReason {
    /// For people.
    pub fn zh(self) -> &'static str {
        match self {
            Self::TwoPlaces => "同一时间在另一场次签到",
            Self::SignupCancelled => "报名已取消",
            Self::SessionCancelled => "场次或活动已取消",
            Self::Full => "超过现场容量",
            Self::Clock => "设备时间与电子凭证不符",
        }
    }
}

/// Brings the conflicts of a session to what was settled: new ones go to the desk, those that what came later has answered leave it.
pub(super) fn follow_in_tx(
    conn: &mut Conn,
    settler: &Settler,
    (session, activity): (&Session, &Activity),
    (ground, settled): (&Ground, &Settled),
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    let wanted = |seat: &Seat| settled.conflicts.get(seat).copied();
    let open = ground
        .conflicts
        .iter()
        .filter(|(seat, row)| seat.0 == session.id && row.state == ConflictState::Open);
    for (seat, row) in open {
        if wanted(seat) != Some((row.scan_id, row.reason, row.proposed)) {
            dissolve_in_tx(conn, settler, row, now, beside)?;
        }
    }
    for (seat, what) in settled.conflicts.range((session.id, PersonId(uuid::Uuid::nil()))..) {
        if seat.0 != session.id {
            break;
        }
        let same = ground.conflicts.get(seat).is_some_and(|row| {
            row.state != ConflictState::Open || (row.scan_id, row.reason, row.proposed) == *what
        });
        if !same {
            open_in_tx(conn, settler, (session, activity), (*seat, *what), now, beside)?;
        }
    }
    Ok(())
}

fn dissolve_in_tx(
    conn: &mut Conn,
    settler: &Settler,
    row: &Conflict,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    if !end_in_tx(conn, row.id, ConflictState::Dissolved, now)? {
        return Err(Error::internal(format!("{} changed behind its session's lock", row.id)));
    }
    settler.desk.withdraw_subject_in_tx(conn, SubjectId(row.id.0), None, now, beside)?;
    beside.entries.push(Entry::system("checkin_conflict.dissolve", row.id));
    Ok(())
}

fn open_in_tx(
    conn: &mut Conn,
    settler: &Settler,
    (session, activity): (&Session, &Activity),
    (seat, (scan, reason, proposed)): (Seat, (ScanId, ConflictReason, Proposal)),
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    let row = Conflict {
        id: settler.entrance.ids.id(),
        session_id: seat.0,
        person_id: seat.1,
        scan_id: scan,
        reason,
        proposed,
        state: ConflictState::Open,
        opened_at: db_time(now),
        decided_at: None,
    };
    diesel::insert_into(checkin_conflicts::table).values(&row).execute(conn)?;
    let scan: Scan = scans::table.find(scan).select(Scan::as_select()).first(conn)?;
    let at = session.starts_at.and_utc().with_timezone(&shanghai()).format("%m-%d %H:%M");
    let title = format!("{}（{at}）离线签到：{}", activity.title, reason.zh());
    let opening = Opening {
        kind: ReviewKind::CheckinConflict,
        chains: vec!["checkin_conflict".into()],
        subject: SubjectId(row.id.0),
        title: title.chars().take(120).collect(),
        applicant: scan.operator_id,
        answers: Answers::new(),
        at: Some(activity.organisation_id),
    };
    settler.desk.open_in_tx(conn, opening, now, beside)?;
    let detail = json!({ "session": seat.0, "person": seat.1, "reason": reason, "proposed": proposed });
    beside.entries.push(Entry::system("checkin_conflict.open", row.id).detail(detail));
    Ok(())
}

/// Ends a conflict that is open; false when it is not.
fn end_in_tx(conn: &mut Conn, id: ConflictId, state: ConflictState, now: DateTime<Utc>) -> Result<bool> {
    let open = checkin_conflicts::table
        .filter(checkin_conflicts::id.eq(id))
        .filter(checkin_conflicts::state.eq(ConflictState::Open));
    let changed = diesel::update(open)
        .set((checkin_conflicts::state.eq(state), checkin_conflicts::decided_at.eq(db_time(now))))
        .execute(conn)?;
    Ok(changed == 1)
}

/// The conflict `id`, or 404.
pub fn get(conn: &mut Conn, id: ConflictId) -> Result<Conflict> {
    let found = checkin_conflicts::table.find(id).select(Conflict::as_select()).first(conn).optional()?;
    found.ok_or_else(Error::not_found)
}

/// Conflicts of a session after `after`.
pub fn list(
    conn: &mut Conn,
    session: SessionId,
    after: Option<ConflictId>,
    limit: i64,
) -> Result<Vec<Conflict>> {
    let mut query = checkin_conflicts::table
        .filter(checkin_conflicts::session_id.eq(session))
        .order(checkin_conflicts::id)
        .limit(limit)
        .select(Conflict::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(checkin_conflicts::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// How many conflicts of a session the desk has.
pub fn open_count(conn: &mut Conn, session: SessionId) -> Result<i64> {
    let open = checkin_conflicts::table
        .filter(checkin_conflicts::session_id.eq(session))
        .filter(checkin_conflicts::state.eq(ConflictState::Open));
    Ok(open.count().get_result(conn)?)
}

/// Lets conflicts learn what the desk decides.
pub struct ConflictSubject {
    /// Settles anew with the decision. Made of a desk without subjects: settling opens and withdraws, and decides nothing.
    pub settler: Settler,
}

impl Subject for ConflictSubject {
    fn kind(&self) -> ReviewKind {
        ReviewKind::CheckinConflict
    }

    /// Whoever writes attendance holds the lock of its session.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()> {
        let row = get(conn, ConflictId(subject.0))?;
        let (session, _) = offering::store::session_get(conn, row.session_id)?;
        // In the order in which settling holds them.
        let mut ids = facts::neighbours(conn, &[session], &[row.person_id])?;
        ids.insert(row.session_id);
        completing::sessions_lock_in_tx(conn, &ids.into_iter().collect::<Vec<_>>())?;
        Ok(())
    }

    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String> {
        let row = get(conn, ConflictId(review.subject_id.0))?;
        let (session, found) = offering::store::session_get(conn, row.session_id)?;
        let off = matches!(found.activity.state, ActivityState::Cancelled | ActivityState::Postponed);
        if session.state == SessionState::Cancelled || off {
            return Err(Error::new(Code::StateForbids).detail(
                "场次已取消，签到不能计入，只能不予认可",
                "The session is called off: attendance cannot count, only be left out",
            ));
        }
        self.decide_in_tx(conn, &row, ConflictState::Approved, now, beside)?;
        Ok("该次离线签到已计入。".to_owned())
    }

    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        _: Refused,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let row = get(conn, ConflictId(review.subject_id.0))?;
        // What ended by itself has told the desk so.
        if row.state != ConflictState::Open {
            return Ok(());
        }
        self.decide_in_tx(conn, &row, ConflictState::Rejected, now, beside)
    }
}

impl ConflictSubject {
    fn decide_in_tx(
        &self,
        conn: &mut Conn,
        row: &Conflict,
        state: ConflictState,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        let was =
            if row.state == ConflictState::Rejected { ConflictState::Rejected } else { ConflictState::Open };
        // On appeal, what was rejected may be approved.
        let changed = diesel::update(
            checkin_conflicts::table
                .filter(checkin_conflicts::id.eq(row.id))
                .filter(checkin_conflicts::state.eq(was)),
        )
        .set((checkin_conflicts::state.eq(state), checkin_conflicts::decided_at.eq(db_time(now))))
        .execute(conn)?;
        if changed != 1 {
            return Err(Error::internal(format!("{} changed behind its session's lock", row.id)));
        }
        let people = [row.person_id].into_iter().collect();
        self.settler.settle_in_tx(conn, row.session_id, people, Vec::new(), now, beside)?;
        Ok(())
    }
}
