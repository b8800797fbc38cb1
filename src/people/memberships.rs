//! Who is a verified member of which union. How one becomes it is the room `membership`'s, which writes the table; whoever
//! only asks, asks here.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::error::Result;
use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::Conn;
use crate::platform::db::schema::memberships;

crate::text_enum! {
    /// Life of a membership.
    pub enum MembershipState {
        /// 认证中: claimed by the person; the desk decides.
        Claimed = "claimed",
        /// 已认证.
        Verified = "verified",
        /// 未通过.
        Refused = "refused",
        /// 已撤回: the claim was given up, or what was missing did not come in time.
        Withdrawn = "withdrawn",
        /// 已终止.
        Ended = "ended",
    }
}

/// Where those of `people` are verified members who are.
pub fn verified(conn: &mut Conn, people: &[PersonId]) -> Result<HashMap<PersonId, OrganisationId>> {
    if people.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(PersonId, OrganisationId)> = memberships::table
        .filter(memberships::person_id.eq_any(people))
        .filter(memberships::state.eq(MembershipState::Verified))
        .select((memberships::person_id, memberships::organisation_id))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}
