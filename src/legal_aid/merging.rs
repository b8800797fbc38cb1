//! What a merge of accounts means for legal aid: cases of the merged account end first.

use diesel::prelude::*;

use super::model::CaseState;
use crate::error::{Result, Text};
use crate::ids::CaseId;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_cases;

/// Looks at cases.
pub struct CaseMerging;

impl Follower for CaseMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let cases: Vec<(CaseId, CaseState)> = legal_cases::table
            .filter(legal_cases::person_id.eq(pair.merged))
            .order(legal_cases::id)
            .select((legal_cases::id, legal_cases::state))
            .load(conn)?;
        // Whoever merges accounts need not know of a case: its id is not said.
        let is_open = cases.iter().any(|(_, state)| !state.is_over());
        let open = Unfinished {
            kind: "unfinished",
            id: pair.merged.to_string(),
            text: Text::new(
                "要停用的账号尚有未了事项，请由本人用该账号办结",
                "something of the account is not over; its owner must end it with that account",
            ),
        };
        Ok(is_open.then_some(open).into_iter().collect())
    }
}
