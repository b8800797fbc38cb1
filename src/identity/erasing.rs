//! How a person comes in, erased: WeChat's ids and keys are forgotten, and every login ends.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::EndReason;
use crate::clock::db_time;
use crate::error::Result;
use crate::ids::{FamilyId, GrantId, PersonId};
use crate::platform::access::Role;
use crate::platform::db::Conn;
use crate::platform::db::schema::{refresh_tokens, staff_grants, token_families, wechat_identities};

/// Roles that `people` still have: whoever works for the union gives them back first.
pub fn roles_held(conn: &mut Conn, people: &[PersonId]) -> Result<Vec<(GrantId, Role)>> {
    Ok(staff_grants::table
        .filter(staff_grants::person_id.eq_any(people))
        .filter(staff_grants::revoked_at.is_null())
        .order(staff_grants::id)
        .select((staff_grants::id, staff_grants::role))
        .load(conn)?)
}

/// Forgets the WeChat accounts of `people`, and ends their logins. Whoever comes back with the same account is somebody new.
pub fn erase_in_tx(conn: &mut Conn, people: &[PersonId], now: DateTime<Utc>) -> Result<usize> {
    let accounts = wechat_identities::table.filter(wechat_identities::person_id.eq_any(people));
    let mut done = diesel::delete(accounts).execute(conn)?;
    let logins = token_families::table.filter(token_families::person_id.eq_any(people));
    let ids: Vec<FamilyId> = logins.select(token_families::id).load(conn)?;
    done +=
        diesel::delete(refresh_tokens::table.filter(refresh_tokens::family_id.eq_any(&ids))).execute(conn)?;
    let live = token_families::table
        .filter(token_families::id.eq_any(&ids))
        .filter(token_families::ended_at.is_null());
    done += diesel::update(live)
        .set((
            token_families::ended_at.eq(db_time(now)),
            token_families::ended_because.eq(EndReason::PersonDisabled),
        ))
        .execute(conn)?;
    Ok(done)
}
