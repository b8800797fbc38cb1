//! What a merge of accounts means for logins and roles: the merged account has none.

use diesel::prelude::*;

use super::model::EndReason;
use super::store;
use crate::error::{Result, Text};
use crate::ids::GrantId;
use crate::people::merging::following::{Follower, Pair};
use crate::people::merging::rules::Unfinished;
use crate::platform::db::Conn;
use crate::platform::db::schema::staff_grants;

/// Lets logins follow.
pub struct LoginMerging;

impl Follower for LoginMerging {
    fn unfinished(&self, conn: &mut Conn, pair: &Pair) -> Result<Vec<Unfinished>> {
        let live = staff_grants::table
            .filter(staff_grants::person_id.eq(pair.merged))
            .filter(staff_grants::revoked_at.is_null())
            .order(staff_grants::id)
            .select(staff_grants::id);
        let grant = |id: GrantId| Unfinished {
            kind: "grant",
            id: id.to_string(),
            text: Text::new(
                "要停用的账号有工作人员角色，请先撤销",
                "the account has a role of staff; revoke it first",
            ),
        };
        Ok(live.load(conn)?.into_iter().map(grant).collect())
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
