//! What a merge of accounts means for places: those of the merged account are used or given back first, and what weighs on it goes
//! before it rests.

use diesel::dsl::exists;
use diesel::prelude::*;

use super::model::SignupState;
use super::penalty::model::PenaltyState;
use crate::clock::db_time;
use crate::error::{Result, Text};
use crate::ids::{PenaltyId, SignupId};
use crate::offering::model::SessionState;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::db::Conn;
use crate::platform::db::schema::{penalties, sessions, signups};

/// Looks at sign-ups and penalties.
pub struct SignupMerging;

impl Follower for SignupMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let mut all: Vec<Unfinished> = to_be_used(conn, pair)?
            .into_iter()
            .map(|id| Unfinished {
                kind: "signup",
                id: id.to_string(),
                text: Text::new(
                    "报名的活动尚有未结束的场次，请先取消报名或待场次确认",
                    "a sign-up is for sessions that are not over; cancel it or wait until they are finalised",
                ),
            })
            .collect();
        all.extend(weighing(conn, pair)?.into_iter().map(|id| Unfinished {
            kind: "penalty",
            id: id.to_string(),
            text: Text::new(
                "有未到期的信用扣分，请先免除或待其到期",
                "a penalty weighs; waive it or wait until it expires",
            ),
        }));
        Ok(all)
    }
}

fn to_be_used(conn: &mut Conn, pair: &Pair) -> Result<Vec<SignupId>> {
    let planned = sessions::table
        .filter(sessions::activity_id.eq(signups::activity_id))
        .filter(sessions::state.eq(SessionState::Planned))
        .select(sessions::id);
    let live = signups::table
        .filter(signups::person_id.eq(pair.merged))
        .filter(signups::state.ne(SignupState::Cancelled))
        .filter(exists(planned))
        .order(signups::id);
    Ok(live.select(signups::id).load(conn)?)
}

fn weighing(conn: &mut Conn, pair: &Pair) -> Result<Vec<PenaltyId>> {
    let live = penalties::table
        .filter(penalties::person_id.eq(pair.merged))
        .filter(penalties::expires_at.gt(db_time(pair.now)))
        .filter(penalties::state.ne(PenaltyState::Waived))
        .order(penalties::id);
    Ok(live.select(penalties::id).load(conn)?)
}
