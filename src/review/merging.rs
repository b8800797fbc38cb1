//! What a merge of accounts means for the desk: requests of the merged account are decided first.

use diesel::prelude::*;

use super::machine::ReviewState;
use crate::error::{Result, Text};
use crate::ids::ReviewId;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::db::Conn;
use crate::platform::db::schema::reviews;

/// Looks at requests.
pub struct ReviewMerging;

impl Follower for ReviewMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let live = reviews::table
            .filter(reviews::applicant_id.eq(pair.merged))
            .filter(reviews::state.eq_any([ReviewState::Open, ReviewState::Returned]))
            .order(reviews::id)
            .select(reviews::id);
        let review = |id: ReviewId| Unfinished {
            kind: "review",
            id: id.to_string(),
            text: Text::new(
                "有申请尚未办结，请先办结或撤回",
                "a request is open; decide or withdraw it first",
            ),
        };
        Ok(live.load(conn)?.into_iter().map(review).collect())
    }
}
