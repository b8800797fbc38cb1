//! Queries of logins and grants.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::model::{EndReason, RefreshToken, SESSION_KEY, StaffGrant, TokenFamily, WechatIdentity};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{FamilyId, GrantId, Ids, OrganisationId, PersonId};
use crate::people;
use crate::platform::access::Role;
use crate::platform::db::schema::{
    organisations, people as people_table, refresh_tokens, staff_grants, token_families, wechat_identities,
};
use crate::platform::db::{Conn, unique_violation};
use crate::platform::vault::Vault;
use crate::platform::wechat::WechatSession;

/// The person behind a WeChat account, if it has come: the account that is kept, where it was merged.
pub fn person_of_wechat(conn: &mut Conn, appid: &str, openid: &str) -> Result<Option<PersonId>> {
    let query = wechat_identities::table.find((appid, openid)).select(wechat_identities::person_id);
    let Some(person) = query.first(conn).optional()? else { return Ok(None) };
    Ok(Some(people::merging::store::standing_for(conn, person)?))
}

/// The person behind a WeChat account, made when it comes for the first time.
///
/// # Errors
/// 409 when another first login of the account was faster: the whole transaction is to be tried again.
pub fn person_of_wechat_in_tx(
    conn: &mut Conn,
    ids: &Ids,
    appid: &str,
    openid: &str,
    now: DateTime<Utc>,
) -> Result<PersonId> {
    if let Some(person) = person_of_wechat(conn, appid, openid)? {
        return Ok(person);
    }
    let person: PersonId = ids.id();
    people::store::create_in_tx(conn, person, now)?;
    let row = WechatIdentity {
        appid: appid.to_owned(),
        openid: openid.to_owned(),
        person_id: person,
        unionid: None,
        session_key_sealed: None,
        created_at: db_time(now),
        last_login_at: None,
    };
    match diesel::insert_into(wechat_identities::table).values(&row).execute(conn) {
        Err(error) if unique_violation(&error) => Err(Error::new(Code::Conflict).cause(error)),
        other => Ok(other.map(|_| person)?),
    }
}

/// Keeps what a login brought, and says whether it was the account's first: of two first ones at once, one is.
pub fn note_login_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    appid: &str,
    session: &WechatSession,
    now: DateTime<Utc>,
) -> Result<bool> {
    let sealed = vault
        .seal(SESSION_KEY, session.openid.as_bytes(), session.session_key.expose_secret())
        .map_err(Error::internal)?;
    let account = wechat_identities::table.find((appid, &session.openid));
    let brought = (
        wechat_identities::session_key_sealed.eq(&sealed),
        wechat_identities::unionid.eq(&session.unionid),
        wechat_identities::last_login_at.eq(db_time(now)),
    );
    let never = account.filter(wechat_identities::last_login_at.is_null());
    let first = diesel::update(never).set(brought).execute(conn)? == 1;
    if !first {
        diesel::update(account).set(brought).execute(conn)?;
    }
    Ok(first)
}

/// The hash under which a refresh token is kept.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Begins a login.
pub fn family_create_in_tx(
    conn: &mut Conn,
    id: FamilyId,
    person: PersonId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<()> {
    let row = TokenFamily {
        id,
        person_id: person,
        created_at: db_time(now),
        expires_at: db_time(until),
        ended_at: None,
        ended_because: None,
    };
    diesel::insert_into(token_families::table).values(&row).execute(conn)?;
    Ok(())
}

/// Keeps a new refresh token.
pub fn refresh_create_in_tx(
    conn: &mut Conn,
    family: FamilyId,
    token: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<()> {
    let row = RefreshToken {
        token_hash: token_hash(token),
        family_id: family,
        issued_at: db_time(now),
        expires_at: db_time(until),
        used_at: None,
    };
    diesel::insert_into(refresh_tokens::table).values(&row).execute(conn)?;
    Ok(())
}

/// What a refresh token is good for.
#[derive(Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It was good and is now used up.
    Good {
        /// Whose.
        person: PersonId,
        /// Its login.
        family: FamilyId,
        /// When the login ends at the latest.
        family_until: DateTime<Utc>,
    },
    /// It was used before: its login is now ended.
    Reused {
        /// Whose.
        person: PersonId,
        /// The login that ended.
        family: FamilyId,
    },
    /// Unknown, expired, or of an ended login or a disabled account.
    Invalid,
}

/// Uses up a refresh token. Of two at once, the guarded update lets one through; the other is a reuse.
pub fn redeem_in_tx(conn: &mut Conn, token: &str, now: DateTime<Utc>) -> Result<Redeemed> {
    let hash = token_hash(token);
    let found: Option<(FamilyId, PersonId, chrono::NaiveDateTime, Option<chrono::NaiveDateTime>)> =
        refresh_tokens::table
            .inner_join(token_families::table.inner_join(people_table::table))
            .filter(refresh_tokens::token_hash.eq(&hash))
            .filter(token_families::ended_at.is_null())
            .filter(token_families::expires_at.gt(db_time(now)))
            .select((
                token_families::id,
                people_table::id,
                token_families::expires_at,
                people_table::disabled_at,
            ))
            .first(conn)
            .optional()?;
    let Some((family, person, until, disabled)) = found else { return Ok(Redeemed::Invalid) };
    if disabled.is_some() {
        return Ok(Redeemed::Invalid);
    }
    let used = diesel::update(
        refresh_tokens::table
            .filter(refresh_tokens::token_hash.eq(&hash))
            .filter(refresh_tokens::used_at.is_null())
            .filter(refresh_tokens::expires_at.gt(db_time(now))),
    )
    .set(refresh_tokens::used_at.eq(db_time(now)))
    .execute(conn)?;
    if used == 1 {
        return Ok(Redeemed::Good { person, family, family_until: until.and_utc() });
    }
    let used_before: i64 = refresh_tokens::table
        .filter(refresh_tokens::token_hash.eq(&hash))
        .filter(refresh_tokens::used_at.is_not_null())
        .count()
        .get_result(conn)?;
    if used_before == 0 {
        return Ok(Redeemed::Invalid);
    }
    end_family_in_tx(conn, family, EndReason::RefreshReused, now)?;
    Ok(Redeemed::Reused { person, family })
}

/// Ends one login.
pub fn end_family_in_tx(
    conn: &mut Conn,
    family: FamilyId,
    why: EndReason,
    now: DateTime<Utc>,
) -> Result<usize> {
    let live = token_families::table
        .filter(token_families::id.eq(family))
        .filter(token_families::ended_at.is_null());
    Ok(diesel::update(live)
        .set((token_families::ended_at.eq(db_time(now)), token_families::ended_because.eq(why)))
        .execute(conn)?)
}

/// Ends all logins of a person and says how many.
pub fn end_all_in_tx(conn: &mut Conn, person: PersonId, why: EndReason, now: DateTime<Utc>) -> Result<usize> {
    let live = token_families::table
        .filter(token_families::person_id.eq(person))
        .filter(token_families::ended_at.is_null());
    Ok(diesel::update(live)
        .set((token_families::ended_at.eq(db_time(now)), token_families::ended_because.eq(why)))
        .execute(conn)?)
}

/// Forgets refresh tokens and logins that ended or expired before `before`, and says how many tokens that were.
pub fn purge_in_tx(conn: &mut Conn, before: DateTime<Utc>) -> Result<usize> {
    let old = token_families::table
        .filter(
            token_families::expires_at.lt(db_time(before)).or(token_families::ended_at.lt(db_time(before))),
        )
        .select(token_families::id);
    let tokens =
        diesel::delete(refresh_tokens::table.filter(refresh_tokens::family_id.eq_any(old))).execute(conn)?;
    diesel::delete(token_families::table.filter(
        token_families::expires_at.lt(db_time(before)).or(token_families::ended_at.lt(db_time(before))),
    ))
    .execute(conn)?;
    Ok(tokens)
}

/// Grants a role; none when the person has it there already.
pub fn grant_in_tx(conn: &mut Conn, grant: StaffGrant) -> Result<Option<StaffGrant>> {
    let rows = [grant];
    let new: Vec<GrantId> =
        crate::insert_new!(conn, staff_grants::table, &rows, staff_grants::id => |row: &StaffGrant| row.id)?;
    let [grant] = rows;
    Ok((!new.is_empty()).then_some(grant))
}

/// A live grant with its organisation's path, or 404.
pub fn grant_get(conn: &mut Conn, id: GrantId) -> Result<(StaffGrant, String)> {
    let found = staff_grants::table
        .inner_join(organisations::table)
        .filter(staff_grants::id.eq(id))
        .filter(staff_grants::revoked_at.is_null())
        .select((StaffGrant::as_select(), organisations::path))
        .first(conn)
        .optional()?;
    found.ok_or_else(Error::not_found)
}

/// Revokes a grant; false when it was revoked meanwhile.
pub fn revoke_in_tx(conn: &mut Conn, id: GrantId, now: DateTime<Utc>) -> Result<bool> {
    let live = staff_grants::table.filter(staff_grants::id.eq(id)).filter(staff_grants::revoked_at.is_null());
    Ok(diesel::update(live).set(staff_grants::revoked_at.eq(db_time(now))).execute(conn)? == 1)
}

/// Live grants under the paths, after `after`, with path and name of the organisation and the person's name.
pub fn grants(
    conn: &mut Conn,
    patterns: Vec<String>,
    person: Option<PersonId>,
    after: Option<GrantId>,
    limit: i64,
) -> Result<Vec<(StaffGrant, String, Option<String>)>> {
    let mut query = staff_grants::table
        .inner_join(organisations::table)
        .inner_join(people_table::table.on(people_table::id.eq(staff_grants::person_id)))
        .filter(staff_grants::revoked_at.is_null())
        .order(staff_grants::id)
        .limit(limit)
        .select((StaffGrant::as_select(), organisations::name, people_table::name))
        .into_boxed();
    query = query.filter(crate::org::store::under(patterns));
    if let Some(person) = person {
        query = query.filter(staff_grants::person_id.eq(person));
    }
    if let Some(after) = after {
        query = query.filter(staff_grants::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// The live grant of `role` at `organisation` to `person`, if there is one.
pub fn grant_find(
    conn: &mut Conn,
    person: PersonId,
    role: Role,
    organisation: OrganisationId,
) -> Result<Option<GrantId>> {
    let live = staff_grants::table
        .filter(staff_grants::person_id.eq(person))
        .filter(staff_grants::role.eq(role))
        .filter(staff_grants::organisation_id.eq(organisation))
        .filter(staff_grants::revoked_at.is_null());
    Ok(live.select(staff_grants::id).first(conn).optional()?)
}

/// Seals the session keys of `appid` again under the active key, a page at a time, and says how many.
pub fn reseal_session_keys(db: &crate::platform::db::Db, vault: &Vault, appid: &str) -> Result<usize> {
    let mut resealed = 0;
    let mut after = String::new();
    loop {
        let page: Vec<(String, Option<String>)> = db.read_blocking(|conn| {
            let query = wechat_identities::table
                .filter(wechat_identities::appid.eq(appid))
                .filter(wechat_identities::openid.gt(&after))
                .filter(wechat_identities::session_key_sealed.is_not_null())
                .order(wechat_identities::openid)
                .limit(200)
                .select((wechat_identities::openid, wechat_identities::session_key_sealed));
            Ok(query.load(conn)?)
        })?;
        let Some((last, _)) = page.last() else { return Ok(resealed) };
        after.clone_from(last);
        resealed += db.write_blocking(|conn| {
            let mut changed = 0;
            for (openid, sealed) in &page {
                let Some(old) = sealed else { continue };
                let new = vault.reseal(SESSION_KEY, openid.as_bytes(), old).map_err(Error::internal)?;
                if let Some(new) = new {
                    // Only if it still is what was read: a login meanwhile has sealed a newer key.
                    changed += diesel::update(
                        wechat_identities::table
                            .find((appid, openid))
                            .filter(wechat_identities::session_key_sealed.eq(old)),
                    )
                    .set(wechat_identities::session_key_sealed.eq(new))
                    .execute(conn)?;
                }
            }
            Ok(changed)
        })?;
    }
}
