//! Sign-ups that the desk decides: an approval takes the place, a refusal ends the sign-up.

use chrono::{DateTime, Utc};

use super::model::{Ending, Signup, SignupState};
use super::placing::Ground;
use super::{jobs, store, waiting};
use crate::error::{Code, Error, Result};
use crate::ids::{Ids, SignupId, SubjectId};
use crate::notify::beside::Beside;
use crate::offering::model::{Activity, ActivityState, ProgrammeKind};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::review::chain::ReviewKind;
use crate::review::model::Review;
use crate::review::subject::{Refused, Subject};

/// Chains for sign-ups: the one of the kind of programme, or the one of all.
pub fn chains(kind: ProgrammeKind) -> Vec<String> {
    vec![format!("signup.{kind}"), "signup".to_owned()]
}

/// Lets sign-ups learn what the desk decides.
pub struct SignupSubject {
    /// New ids.
    pub ids: Ids,
}

impl Subject for SignupSubject {
    fn kind(&self) -> ReviewKind {
        ReviewKind::Signup
    }

    /// Whoever writes sign-ups holds the lock of their activity.
    fn lock_in_tx(&self, conn: &mut Conn, subject: SubjectId) -> Result<()> {
        let row = get(conn, subject)?;
        jobs::lock(conn, row.activity_id)?;
        Ok(())
    }

    fn approved_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<String> {
        let row = get(conn, review.subject_id)?;
        let activity = jobs::lock(conn, row.activity_id)?;
        takes_people(&activity, now)?;
        revivable(conn, &row)?;
        let mut ground = Ground::load(conn, activity, &[row.person_id], now)?;
        let Some(row) = ground.promote_in_tx(conn, &row)? else {
            return Err(Error::internal(format!("{} changed behind its activity's lock", row.id)));
        };
        ground.settle_in_tx(conn, &self.ids, now, beside)?;
        let detail = serde_json::json!({ "state": row.state, "review": review.id });
        beside.entries.push(Entry::system("signup.approve", row.id).detail(detail));
        Ok(match row.state {
            SignupState::Waiting => {
                let position = waiting::ahead_of(conn, &row)? + 1;
                format!("名额已用完，您已进入候补，排在第 {position} 位。有名额时会通知您确认。")
            }
            _ => "您已获得名额。请按时参加；不能参加时请尽早取消，把名额留给工友。".to_owned(),
        })
    }

    fn refused_in_tx(
        &self,
        conn: &mut Conn,
        review: &Review,
        why: Refused,
        now: DateTime<Utc>,
        _: &mut Beside,
    ) -> Result<()> {
        let row = get(conn, review.subject_id)?;
        // What ended by itself has told the desk so.
        if row.state != SignupState::Applied {
            return Ok(());
        }
        let because = match why {
            Refused::Rejected => Ending::Rejected,
            Refused::Withdrawn => Ending::Person,
            Refused::Lapsed => Ending::Lapsed,
        };
        // No place was used or kept, so no counts move.
        if store::end_in_tx(conn, &row, because, now)? {
            return Ok(());
        }
        Err(Error::internal(format!("{} changed behind its activity's lock", row.id)))
    }
}

fn get(conn: &mut Conn, subject: SubjectId) -> Result<Signup> {
    let id = SignupId(subject.0);
    store::by_id(conn, &[id])?.remove(&id).ok_or_else(Error::not_found)
}

/// Whether places of `activity` can still be given; until when people may ask for one does not matter here.
fn takes_people(activity: &Activity, now: DateTime<Utc>) -> Result<()> {
    let is_on = matches!(activity.state, ActivityState::Published | ActivityState::Allocated);
    if is_on && now < activity.starts_at.and_utc() {
        return Ok(());
    }
    let (zh, en) = match activity.state {
        ActivityState::Postponed => {
            ("活动已延期，待有新时间后再办理", "The activity is postponed: wait for its new dates")
        }
        ActivityState::Cancelled => ("活动已取消", "The activity is cancelled"),
        _ => ("活动已开始或已结束", "The activity has begun or is over"),
    };
    Err(Error::new(Code::StateForbids).detail(zh, en))
}

/// An approval is for somebody who waits for the desk; on appeal for somebody it had rejected, who has not come again since.
fn revivable(conn: &mut Conn, row: &Signup) -> Result<()> {
    match (row.state, row.ended_because) {
        (SignupState::Applied, _) => Ok(()),
        (SignupState::Cancelled, Some(Ending::Rejected)) => {
            match store::live(conn, row.activity_id, &[row.person_id])?.remove(&row.person_id) {
                Some(other) => Err(Error::new(Code::SignupDuplicate)
                    .detail(format!("报名编号 {other}"), format!("The sign-up is {other}"))),
                None => Ok(()),
            }
        }
        _ => Err(Error::new(Code::StateForbids)
            .detail("该报名已结束，不再需要审核", "This sign-up is over; there is nothing to decide")),
    }
}
