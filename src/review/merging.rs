//! What a merge of accounts means for the desk: requests of the merged account are decided first.

use super::erasing;
use crate::error::{Result, Text};
use crate::ids::ReviewId;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::db::Conn;

/// Looks at requests.
pub struct ReviewMerging;

impl Follower for ReviewMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let review = |(id, _): (ReviewId, String)| Unfinished {
            kind: "review",
            id: id.to_string(),
            text: Text::new(
                "有申请尚未办结，请先办结或撤回",
                "a request is open; decide or withdraw it first",
            ),
        };
        Ok(erasing::undecided(conn, &[pair.merged])?.into_iter().map(review).collect())
    }
}
