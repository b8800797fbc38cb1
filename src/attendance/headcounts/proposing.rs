//! Recording a headcount: judged by what it rests on, kept with its pictures, and brought before another officer, in one
//! transaction. What cannot be is kept as refused, in a transaction of its own.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::holder::HEADCOUNT;
use super::model::{Headcount, HeadcountState};
use super::rules::Bounds;
use super::{photos, rules, store};
use crate::clock::civil_day;
use crate::content::checking::Judge;
use crate::error::{Code, Error, Result};
use crate::ids::{FileId, ReviewId, SessionId, SubjectId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::model::{Activity, ActivityState, Session, SessionState};
use crate::platform::access::Scope;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::files;
use crate::policy;
use crate::review::chain::{Answers, ReviewKind};
use crate::review::deciding::{Desk, Opening};

/// The chain that headcounts go through.
pub const CHAIN: &str = "headcount";

/// How many people may have passed, by the policy of the day.
const PER_GATE_MINUTE: &str = "headcount.per_gate_minute";
/// How much two pictures may differ that look alike.
const ALIKE: &str = "headcount.alike_percent";

/// A headcount to record.
#[derive(Debug, Clone)]
pub struct Count {
    /// The row as it is to be.
    pub row: Headcount,
    /// Its pictures.
    pub photos: Vec<FileId>,
    /// In the officer's words.
    pub statement: Option<String>,
    /// Where the officer may count.
    pub scope: Scope,
}

/// Records a headcount and opens its review.
///
/// # Errors
/// `headcount_above_venue` and `headcount_implausible` with everything that cannot be: the caller keeps that ([`refused_in_tx`]);
/// `headcount_live` where the session has one.
pub fn propose_in_tx(
    conn: &mut Conn,
    desk: &Desk,
    count: &Count,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<ReviewId> {
    let row = &count.row;
    let (_, found) = offering::store::session_get(conn, row.session_id)?;
    count.scope.require(&found.path)?;
    let mut sessions = offering::store::sessions_lock_in_tx(conn, &[row.session_id])?;
    let session = sessions.remove(&row.session_id).ok_or_else(Error::not_found)?;
    // Read again behind the lock, for who was cancelled meanwhile.
    let activity = offering::store::activity_get(conn, session.activity_id)?.activity;
    may_be_counted(&session, &activity, now)?;
    rules::basis(row)?;
    let figures = policy::store::numbers_on(conn, &[PER_GATE_MINUTE, ALIKE], civil_day(now))?;
    let figure = |key: &str| figures.get(key).copied().unwrap_or(0);
    let bounds = Bounds { venue: venue(conn, &activity)?, per_gate_minute: figure(PER_GATE_MINUTE) };
    let faults = rules::implausible(row, bounds);
    if !faults.is_empty() {
        return Err(rules::refusal(faults));
    }
    if !store::insert_in_tx(conn, row)? {
        return Err(live(conn, session.id)?);
    }
    files::attach_in_tx(conn, row.counted_by, &count.photos, HEADCOUNT, row.id.0, now)?;
    let judge = Judge::Organisation(Some(activity.organisation_id));
    desk.checks.pictures_in_tx(conn, &count.photos, row.counted_by, judge, now)?;
    let flags = photos::keep_in_tx(conn, row, &count.photos, figure(ALIKE))?;
    let opening = Opening {
        kind: ReviewKind::Headcount,
        chains: vec![CHAIN.to_owned()],
        subject: SubjectId(row.id.0),
        title: title(&activity.title, session.number, row.number),
        applicant: row.counted_by,
        answers: statement(count.statement.as_deref()),
        at: Some(activity.organisation_id),
    };
    let review = desk.open_in_tx(conn, opening, now, beside)?.id;
    let detail = json!({
        "session": row.session_id, "number": row.number, "method": row.method, "photos": count.photos,
        "flags": flags.len(), "review": review,
    });
    beside.entries.push(Entry::new(row.counted_by, "headcount.propose", row.id).detail(detail));
    Ok(review)
}

/// Keeps a headcount that cannot be. It counts nowhere, and its pictures stay free to be used for another attempt.
pub fn refused_in_tx(conn: &mut Conn, row: &Headcount, refusal: &Error, now: DateTime<Utc>) -> Result<()> {
    let mut codes: Vec<&str> = refusal.inner().faults.iter().map(|fault| fault.code).collect();
    codes.dedup();
    let row =
        Headcount { state: HeadcountState::Refused, refused_because: Some(codes.join(";")), ..row.clone() };
    store::insert_in_tx(conn, &row)?;
    let detail = json!({ "session": row.session_id, "number": row.number, "because": codes });
    audit::append_in_tx(
        conn,
        now,
        vec![Entry::new(row.counted_by, "headcount.refuse", row.id).detail(detail)],
    )
}

/// Answers to a form whose only field is a text.
pub(super) fn statement(text: Option<&str>) -> Answers {
    text.map(|text| ("statement".to_owned(), text.to_owned())).into_iter().collect()
}

/// For the desk; a title has 140 characters at most.
pub(super) fn title(activity: &str, session: i64, number: i64) -> String {
    let activity: String = activity.chars().take(60).collect();
    format!("{activity}（第{session}场）{number}人")
}

/// A crowd is counted at a session that has begun and is not called off.
fn may_be_counted(session: &Session, activity: &Activity, now: DateTime<Utc>) -> Result<()> {
    if session.state == SessionState::Cancelled || activity.state == ActivityState::Cancelled {
        return Err(Error::new(Code::CheckinCalledOff));
    }
    if matches!(activity.state, ActivityState::Draft | ActivityState::Postponed) {
        return Err(Error::new(Code::StateForbids)
            .detail("活动未发布或已延期", "The activity is a draft, or postponed"));
    }
    if now < session.starts_at.and_utc() {
        return Err(Error::new(Code::SessionNotBegun)
            .detail("场次尚未开始，不能登记人数", "The session has not begun; there is nobody to count"));
    }
    Ok(())
}

/// People whom the venue holds: the smallest that the activity uses, or what the activity says of itself.
fn venue(conn: &mut Conn, activity: &Activity) -> Result<i64> {
    let seats = offering::resource_store::seats_of_activity(conn, activity.id)?;
    Ok(seats.map_or(activity.capacity, |(_, seats)| seats))
}

fn live(conn: &mut Conn, session: SessionId) -> Result<Error> {
    let known = store::live_of(conn, &[session])?;
    let id = known.first().map(|row| row.id.to_string()).unwrap_or_default();
    Ok(Error::new(Code::HeadcountLive).detail(format!("已登记：{id}"), format!("It is {id}")))
}
