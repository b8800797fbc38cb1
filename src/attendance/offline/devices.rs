//! Enrolled devices: what they may do at which session, and their keys.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{DeviceId, OrganisationId, PersonId, SessionId};
use crate::org;
use crate::platform::access::Scope;
use crate::platform::db::Conn;
use crate::platform::db::schema::{device_grants, devices, organisations};

crate::text_enum! {
    /// What a device may do at a session.
    pub enum DeviceTask {
        /// Scan passes, without a signal too.
        Scan = "scan",
    }
}

/// A phone that scans.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = devices, treat_none_as_default_value = false)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// For people.
    pub name: String,
    /// By whom it was enrolled.
    pub enrolled_by: PersonId,
    /// When.
    pub enrolled_at: NaiveDateTime,
    /// By whom it was revoked.
    pub revoked_by: Option<PersonId>,
    /// When.
    pub revoked_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

/// A task of a device at a session.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = device_grants, treat_none_as_default_value = false)]
pub struct DeviceGrant {
    /// The device.
    pub device_id: DeviceId,
    /// The session.
    pub session_id: SessionId,
    /// What.
    pub role: DeviceTask,
    /// By whom it was given.
    pub granted_by: PersonId,
    /// When.
    pub granted_at: NaiveDateTime,
    /// When it was taken back.
    pub revoked_at: Option<NaiveDateTime>,
}

/// The keys of devices. A key follows from the device's id and a secret of the server, so none is kept.
#[derive(Clone)]
pub struct DeviceKeys {
    secret: SecretString,
}

/// HMAC-SHA256 of `parts`, one after the other.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length, so this cannot fail; zeros match nothing that was sealed.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

impl DeviceKeys {
    /// Keys under `secret`.
    pub fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    /// The key of a device.
    pub fn of(&self, device: DeviceId) -> [u8; 32] {
        mac(self.secret.expose_secret().as_bytes(), &[b"device\0", device.0.as_bytes()])
    }

    /// A seal over `parts` that only this server can make.
    pub fn seal(&self, what: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut all: Vec<&[u8]> = vec![what.as_bytes(), b"\0"];
        all.extend_from_slice(parts);
        mac(self.secret.expose_secret().as_bytes(), &all)
    }
}

/// A device of an organisation within `scope`, or 404.
pub fn get(conn: &mut Conn, scope: &Scope, id: DeviceId) -> Result<Device> {
    let device: Option<Device> =
        devices::table.find(id).select(Device::as_select()).first(conn).optional()?;
    let device = device.ok_or_else(Error::not_found)?;
    scope.require(&org::store::get(conn, device.organisation_id)?.path)?;
    Ok(device)
}

/// A device, held until the end of the transaction: it is not revoked meanwhile.
pub fn lock_in_tx(conn: &mut Conn, id: DeviceId) -> Result<Device> {
    let rows: Vec<Device> =
        crate::load_locked!(conn, devices::table.filter(devices::id.eq(id)).select(Device::as_select()))?;
    rows.into_iter().next().ok_or_else(Error::not_found)
}

/// Devices of organisations under `scope` after `after`.
pub fn list(conn: &mut Conn, scope: &Scope, after: Option<DeviceId>, limit: i64) -> Result<Vec<Device>> {
    let mut found: Vec<Device> = Vec::new();
    for pattern in scope.patterns() {
        let mut query = devices::table
            .inner_join(organisations::table)
            .filter(organisations::path.like(pattern))
            .order(devices::id)
            .limit(limit)
            .select(Device::as_select())
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(devices::id.gt(after));
        }
        found.extend(query.load::<Device>(conn)?);
    }
    found.sort_by_key(|device| device.id);
    found.dedup_by_key(|device| device.id);
    found.truncate(usize::try_from(limit).unwrap_or(100));
    Ok(found)
}

/// Keeps a new device.
pub fn insert_in_tx(conn: &mut Conn, row: &Device) -> Result<()> {
    diesel::insert_into(devices::table).values(row).execute(conn)?;
    Ok(())
}

/// Revokes a device; false when it is revoked already.
pub fn revoke_in_tx(conn: &mut Conn, id: DeviceId, by: PersonId, now: DateTime<Utc>) -> Result<bool> {
    let live = devices::table.filter(devices::id.eq(id)).filter(devices::revoked_at.is_null());
    let changed = diesel::update(live)
        .set((
            devices::revoked_at.eq(db_time(now)),
            devices::revoked_by.eq(by),
            devices::version.eq(devices::version + 1),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Gives a device a task, anew if it was taken back; false when it has it.
pub fn grant_in_tx(conn: &mut Conn, row: &DeviceGrant) -> Result<bool> {
    let rows = std::slice::from_ref(row);
    let new = crate::insert_new!(conn, device_grants::table, rows, device_grants::role => |row: &DeviceGrant| row.role)?;
    if !new.is_empty() {
        return Ok(true);
    }
    let taken = device_grants::table
        .find((row.device_id, row.session_id, row.role))
        .filter(device_grants::revoked_at.is_not_null());
    let changed = diesel::update(taken)
        .set((
            device_grants::granted_by.eq(row.granted_by),
            device_grants::granted_at.eq(row.granted_at),
            device_grants::revoked_at.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    Ok(changed == 1)
}

/// Takes a task back; false when the device has it not.
pub fn grant_revoke_in_tx(
    conn: &mut Conn,
    device: DeviceId,
    session: SessionId,
    task: DeviceTask,
    now: DateTime<Utc>,
) -> Result<bool> {
    let live = device_grants::table.find((device, session, task)).filter(device_grants::revoked_at.is_null());
    Ok(diesel::update(live).set(device_grants::revoked_at.eq(db_time(now))).execute(conn)? == 1)
}

/// What a device may do now.
pub fn grants_of(conn: &mut Conn, device: DeviceId) -> Result<Vec<DeviceGrant>> {
    let live = device_grants::table
        .filter(device_grants::device_id.eq(device))
        .filter(device_grants::revoked_at.is_null())
        .order((device_grants::session_id, device_grants::role))
        .limit(1000);
    Ok(live.select(DeviceGrant::as_select()).load(conn)?)
}

/// Whether a device may do `task` at a session.
pub fn may(conn: &mut Conn, device: &Device, session: SessionId, task: DeviceTask) -> Result<bool> {
    if device.revoked_at.is_some() {
        return Ok(false);
    }
    let live = device_grants::table
        .find((device.id, session, task))
        .filter(device_grants::revoked_at.is_null())
        .count();
    Ok(live.get_result::<i64>(conn)? == 1)
}

/// 403 where it may not.
pub fn require(conn: &mut Conn, device: &Device, session: SessionId, task: DeviceTask) -> Result<()> {
    if may(conn, device, session, task)? { Ok(()) } else { Err(Error::new(Code::DeviceRevoked)) }
}
