//! What a merge of accounts means for logins and roles: the merged account has none.

use super::model::EndReason;
use super::{erasing, store};
use crate::error::{Result, Text};
use crate::ids::GrantId;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::access::Role;
use crate::platform::db::Conn;

/// Lets logins follow.
pub struct LoginMerging;

impl Follower for LoginMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let grant = |(id, _): (GrantId, Role)| Unfinished {
            kind: "grant",
            id: id.to_string(),
            text: Text::new(
                "要停用的账号有工作人员角色，请先撤销",
                "the account has a role of staff; revoke it first",
            ),
        };
        Ok(erasing::roles_held(conn, &[pair.merged])?.into_iter().map(grant).collect())
    }

    /// Whoever logs in again is the kept account.
    fn merged_in_tx(&self, conn: &mut Conn, pair: &Pair) -> Result<()> {
        store::end_all_in_tx(conn, pair.merged, EndReason::PersonDisabled, pair.now)?;
        Ok(())
    }

    /// Whoever logged in with the merged account meanwhile did so as the kept one: all begin anew.
    fn parted_in_tx(&self, conn: &mut Conn, pair: &Pair) -> Result<()> {
        store::end_all_in_tx(conn, pair.kept, EndReason::PersonDisabled, pair.now)?;
        Ok(())
    }
}
