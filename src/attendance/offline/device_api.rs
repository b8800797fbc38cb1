//! Devices over HTTP: enrolling, tasks, keys, revoking.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::devices::{self, Device, DeviceGrant, DeviceKeys, DeviceTask};
use crate::attendance::door;
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{DeviceId, OrganisationId, PersonId, SessionId};
use crate::org;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::DeviceManage;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A phone to enrol.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "name": "平湖街道 1 号签到机"}))]
pub struct DeviceInput {
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// For people.
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
}

/// What a device may do at a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceTaskView {
    /// The session.
    pub session_id: SessionId,
    /// What.
    pub task: DeviceTask,
    /// Since when.
    pub granted_at: DateTime<Utc>,
}

/// A phone that scans.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceView {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// For people.
    #[schema(max_length = 60, example = "平湖街道 1 号签到机")]
    pub name: String,
    /// By whom it was enrolled.
    pub enrolled_by: PersonId,
    /// When.
    pub enrolled_at: DateTime<Utc>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// What it may do where.
    #[schema(max_items = 1000)]
    pub tasks: Vec<DeviceTaskView>,
}

impl DeviceView {
    fn new(row: Device, grants: Vec<DeviceGrant>) -> Self {
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            name: row.name,
            enrolled_by: row.enrolled_by,
            enrolled_at: row.enrolled_at.and_utc(),
            revoked_at: row.revoked_at.map(|at| at.and_utc()),
            tasks: grants
                .into_iter()
                .map(|grant| DeviceTaskView {
                    session_id: grant.session_id,
                    task: grant.role,
                    granted_at: grant.granted_at.and_utc(),
                })
                .collect(),
        }
    }

    fn read(conn: &mut Conn, row: Device) -> Result<Self> {
        let grants = devices::grants_of(conn, row.id)?;
        Ok(Self::new(row, grants))
    }
}

/// Enrol a device / 登记签到设备
///
/// It can do nothing before it is given a task at a session; its key is shown by `device_key_reveal`.
#[utoipa::path(
    tag = "door", operation_id = "device_create", security(("bearer" = ["device:manage"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = DeviceInput,
    responses((status = 201, description = "The device", body = DeviceView)),
)]
#[post("/api/v1/devices")]
pub async fn device_create(
    platform: Data<Platform>,
    guard: Guard<DeviceManage>,
    body: Idempotent<DeviceInput>,
) -> Result<Stored> {
    let (actor, now, scope, ids) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.ids.clone());
    let input = body.body;
    let act = move |c: &mut Conn| {
        let unknown = || {
            let text = Text::new("没有这个组织", "no such organisation");
            Error::invalid(vec![Fault::new("/organisation_id", "unknown", text)])
        };
        let organisation = org::store::get(c, input.organisation_id).map_err(|_| unknown())?;
        scope.require(&organisation.path).map_err(|_| unknown())?;
        let row = Device {
            id: ids.id(),
            organisation_id: organisation.id,
            name: input.name.clone(),
            enrolled_by: actor,
            enrolled_at: db_time(now),
            revoked_by: None,
            revoked_at: None,
            version: 1,
        };
        devices::insert_in_tx(c, &row)?;
        audit::append_in_tx(c, now, vec![Entry::new(actor, "device.enrol", row.id)])?;
        Stored::created(format!("/api/v1/devices/{}", row.id), 1, &DeviceView::new(row, Vec::new()))
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// List devices / 列出签到设备
#[utoipa::path(
    tag = "door", operation_id = "device_list", security(("bearer" = ["device:manage"])), params(PageQuery),
    responses((status = 200, description = "A page of devices", body = Page<DeviceView>)),
)]
#[get("/api/v1/devices")]
pub async fn device_list(
    platform: Data<Platform>,
    guard: Guard<DeviceManage>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<DeviceView>>> {
    let scope = guard.scope().clone();
    let after = platform.cursors.open("devices", &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let rows = devices::list(c, &scope, after, limit)?;
            rows.into_iter().map(|row| DeviceView::read(c, row)).collect::<Result<Vec<_>>>()
        })
        .await?;
    let page = platform.cursors.page("devices", &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page))
}

/// Get a device / 查看签到设备
#[utoipa::path(
    tag = "door", operation_id = "device_get", security(("bearer" = ["device:manage"])),
    params(("id" = DeviceId, Path, description = "The device")),
    responses((status = 200, description = "The device", body = DeviceView)),
)]
#[get("/api/v1/devices/{id}")]
pub async fn device_get(
    platform: Data<Platform>,
    guard: Guard<DeviceManage>,
    id: ApiPath<DeviceId>,
) -> Result<Reply<DeviceView>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let read = move |c: &mut Conn| {
        let row = devices::get(c, &scope, id)?;
        DeviceView::read(c, row)
    };
    Ok(Reply::new(platform.db.read(read).await?))
}

/// Which task, at which session.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"session_id": "ses_01k5b8m3q2e9t8h6y1v7z4w0xn", "task": "scan"}))]
pub struct DeviceTaskInput {
    /// The session.
    pub session_id: SessionId,
    /// What.
    pub task: DeviceTask,
    /// Whether the task is taken back.
    #[serde(default)]
    pub revoke: bool,
}

/// Give a device a task at a session, or take it back / 授权或收回设备的场次任务
#[utoipa::path(
    tag = "door", operation_id = "device_task_set", security(("bearer" = ["device:manage"])),
    params(("id" = DeviceId, Path, description = "The device"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = DeviceTaskInput,
    responses((status = 200, description = "The device", body = DeviceView)),
)]
#[post("/api/v1/devices/{id}/tasks")]
pub async fn device_task_set(
    platform: Data<Platform>,
    guard: Guard<DeviceManage>,
    id: ApiPath<DeviceId>,
    body: Idempotent<DeviceTaskInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let input = body.body;
    let act = move |c: &mut Conn| {
        devices::get(c, &scope, id)?;
        let device = devices::lock_in_tx(c, id)?;
        let DeviceTaskInput { session_id, task, revoke } = input.clone();
        door::require_session(c, &scope, session_id)?;
        let action = if revoke {
            devices::grant_revoke_in_tx(c, id, session_id, task, now)?;
            "device.task_revoke"
        } else {
            if device.revoked_at.is_some() {
                return Err(Error::new(Code::DeviceRevoked));
            }
            let granted_at = db_time(now);
            let row = DeviceGrant {
                device_id: id,
                session_id,
                role: task,
                granted_by: actor,
                granted_at,
                revoked_at: None,
            };
            devices::grant_in_tx(c, &row)?;
            "device.task_grant"
        };
        let detail = json!({ "session": session_id, "task": task });
        audit::append_in_tx(c, now, vec![Entry::new(actor, action, id).detail(detail)])?;
        let version = device.version;
        Stored::done(version, &DeviceView::read(c, device)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct DeviceRevokeInput {}

/// Revoke a device / 停用签到设备
///
/// For one that was lost. What it still sends is kept and counts nowhere. There is no way back: enrol it anew.
#[utoipa::path(
    tag = "door", operation_id = "device_revoke", security(("bearer" = ["device:manage"])),
    params(("id" = DeviceId, Path, description = "The device"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = DeviceRevokeInput,
    responses((status = 200, description = "The device", body = DeviceView)),
)]
#[post("/api/v1/devices/{id}/revocations")]
pub async fn device_revoke(
    platform: Data<Platform>,
    guard: Guard<DeviceManage>,
    id: ApiPath<DeviceId>,
    body: Idempotent<DeviceRevokeInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let act = move |c: &mut Conn| {
        devices::get(c, &scope, id)?;
        devices::lock_in_tx(c, id)?;
        if !devices::revoke_in_tx(c, id, actor, now)? {
            return Err(Error::new(Code::DeviceRevoked));
        }
        audit::append_in_tx(c, now, vec![Entry::new(actor, "device.revoke", id)])?;
        let device = devices::get(c, &scope, id)?;
        let version = device.version;
        Stored::done(version, &DeviceView::read(c, device)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// The key of a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceKeyView {
    /// 32 bytes in hexadecimal.
    #[schema(
        min_length = 64,
        max_length = 64,
        example = "41d4c98f723bea6c9975e0ff5a9f81553efceb83d7d9d418f95a6c6fb2eed72d"
    )]
    pub key: String,
}

/// Why the key is to be shown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "安装签到设备"}))]
pub struct DeviceKeyInput {
    /// What for; kept in the audit chain.
    #[schema(min_length = 4, max_length = 200)]
    pub purpose: String,
}

/// Show a device's key; audited / 查看设备密钥（记入审计）
///
/// To be put into the device, which signs its uploads and checks its lists with it. It is not kept anywhere.
#[utoipa::path(
    tag = "door", operation_id = "device_key_reveal", security(("bearer" = ["device:manage"])),
    params(("id" = DeviceId, Path, description = "The device")), request_body = DeviceKeyInput,
    responses((status = 200, description = "The key", body = DeviceKeyView)),
)]
#[post("/api/v1/devices/{id}/keys")]
pub async fn device_key_reveal(
    platform: Data<Platform>,
    keys: Data<DeviceKeys>,
    guard: Guard<DeviceManage>,
    id: ApiPath<DeviceId>,
    body: ApiJson<DeviceKeyInput>,
) -> Result<Reply<DeviceKeyView>> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let purpose = body.0.purpose;
    let reveal = move |c: &mut Conn| {
        if devices::get(c, &scope, id)?.revoked_at.is_some() {
            return Err(Error::new(Code::DeviceRevoked));
        }
        let entry = Entry::new(actor, "device.key_reveal", id).detail(json!({ "purpose": purpose }));
        audit::append_in_tx(c, now, vec![entry])
    };
    platform.db.write(reveal).await?;
    Ok(Reply::new(DeviceKeyView { key: hex::encode(keys.of(id)) }).secret())
}
