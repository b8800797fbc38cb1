//! What a merge of accounts means for attendance: one human is not at a session twice.

use std::collections::HashSet;

use super::store;
use crate::error::{Result, Text};
use crate::ids::SessionId;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::db::Conn;

/// Looks at attendances.
pub struct AttendanceMerging;

impl Follower for AttendanceMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let at = |conn: &mut Conn, people: &[_]| -> Result<HashSet<SessionId>> {
            let placed = store::standing_of(conn, people)?;
            Ok(placed.into_iter().map(|(row, _, _)| row.session_id).collect())
        };
        let (ours, theirs) = (at(conn, &pair.of_kept())?, at(conn, &[pair.merged])?);
        let mut both: Vec<SessionId> = ours.intersection(&theirs).copied().collect();
        both.sort();
        let twice = |id: SessionId| Unfinished {
            kind: "session",
            id: id.to_string(),
            text: Text::new(
                "两个账号在同一场次均有签到：如为同一人，请先撤销其中一次签到",
                "both were present at this session: if they are one human, undo one of the check-ins first",
            ),
        };
        Ok(both.into_iter().map(twice).collect())
    }
}
