//! Rows of logins and grants.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{FamilyId, GrantId, OrganisationId, PersonId};
use crate::platform::access::Role;
use crate::platform::db::schema::{refresh_tokens, staff_grants, token_families, wechat_identities};
use crate::platform::vault::Field;

/// Where session keys are kept.
pub const SESSION_KEY: Field = Field("wechat_identities.session_key");

crate::text_enum! {
    /// Why a login ended.
    pub enum EndReason {
        /// The person logged out on this device.
        Logout = "logout",
        /// The person logged out on all devices.
        LogoutEverywhere = "logout_everywhere",
        /// A refresh token came twice: somebody has a copy.
        RefreshReused = "refresh_reused",
        /// The account was disabled.
        PersonDisabled = "person_disabled",
    }
}

/// A person's WeChat account in one mini-program.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = wechat_identities)]
pub struct WechatIdentity {
    /// The mini-program.
    pub appid: String,
    /// The account in it.
    pub openid: String,
    /// Whose.
    pub person_id: PersonId,
    /// The account across programmes of one owner.
    pub unionid: Option<String>,
    /// Sealed; never leaves the server.
    pub session_key_sealed: Option<String>,
    /// First login.
    pub created_at: NaiveDateTime,
    /// Latest login; none for an account that was granted a role before it came.
    pub last_login_at: Option<NaiveDateTime>,
}

/// A login on one device.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = token_families)]
pub struct TokenFamily {
    /// Its id.
    pub id: FamilyId,
    /// Whose.
    pub person_id: PersonId,
    /// When it began.
    pub created_at: NaiveDateTime,
    /// When it ends at the latest.
    pub expires_at: NaiveDateTime,
    /// When it was ended.
    pub ended_at: Option<NaiveDateTime>,
    /// Why.
    pub ended_because: Option<EndReason>,
}

/// A refresh token, known by its hash only.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub struct RefreshToken {
    /// SHA-256.
    pub token_hash: Vec<u8>,
    /// Its login.
    pub family_id: FamilyId,
    /// When it was given.
    pub issued_at: NaiveDateTime,
    /// Until when it may be used.
    pub expires_at: NaiveDateTime,
    /// When it was used.
    pub used_at: Option<NaiveDateTime>,
}

/// A role over a subtree.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = staff_grants)]
pub struct StaffGrant {
    /// Its id.
    pub id: GrantId,
    /// Whose.
    pub person_id: PersonId,
    /// The role.
    pub role: Role,
    /// The root of the subtree.
    pub organisation_id: OrganisationId,
    /// By whom; none from the command line.
    pub granted_by: Option<PersonId>,
    /// Since when.
    pub granted_at: NaiveDateTime,
    /// Until when.
    pub revoked_at: Option<NaiveDateTime>,
}
