//! Lists for devices, their uploads, and conflicts, over HTTP.

use actix_web::web::{self, Data};
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::bundle::{self, Expected, Token};
use super::conflicts;
use super::devices::{self, DeviceKeys, DeviceTask};
use super::uploading::{self, Settler, Told, Upload};
use crate::attendance::model::{Conflict, ConflictReason, ConflictState, Direction, Proposal, ScanOutcome};
use crate::attendance::pass::{self, Passes, Proof};
use crate::attendance::{door, store};
use crate::error::{Code, Error, Result};
use crate::ids::{ConflictId, DeviceId, PersonId, ScanId, SessionId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{CheckinWrite, RosterRead};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Page, PageQuery, Reply, Signed};
use crate::platform::vault::mask;

/// A list for a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct BundleView {
    /// A JSON text, see `docs/OFFLINE.md`: token, salt, times, and people as hash, masked name and role.
    #[schema(max_length = 600_000)]
    pub payload: String,
    /// HMAC-SHA256 of the payload's bytes under the device's key, in hexadecimal.
    #[schema(min_length = 64, max_length = 64)]
    pub signature: String,
}

/// Fetch a session's list for a device / 下载离线名单
///
/// Who is expected, as hashes of the ids in their passes with masked names; good until an hour after the door has closed.
/// Refusals: `device_revoked` (also where the device has no task there), `bundle_too_large`.
#[utoipa::path(
    tag = "door", operation_id = "bundle_get", security(("bearer" = ["checkin:write"])),
    params(("id" = DeviceId, Path, description = "The device"), ("session" = SessionId, Path, description = "The session")),
    responses((status = 200, description = "The list", body = BundleView)),
)]
#[get("/api/v1/devices/{id}/bundles/{session}")]
pub async fn bundle_get(
    platform: Data<Platform>,
    keys: Data<DeviceKeys>,
    guard: Guard<CheckinWrite>,
    path: ApiPaths<DeviceId, SessionId>,
) -> Result<Reply<BundleView>> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (ApiPaths(id, session), keys) = (path, keys.get_ref().clone());
    let fetch = move |c: &mut Conn| {
        let device = devices::get(c, &scope, id)?;
        let (session, activity) = door::require_session(c, &scope, session)?;
        devices::require(c, &device, session.id, DeviceTask::Scan)?;
        let expected: Vec<Expected> = store::expected_people(c, activity.id)?
            .into_iter()
            .map(|(person, name, role)| Expected {
                person,
                name: name.as_deref().map(mask::name).unwrap_or_default(),
                role,
            })
            .collect();
        let token = Token::new(id, &session, now);
        let (payload, signature) = bundle::write(&keys, &token, &session, &activity, &expected)?;
        let detail = json!({ "session": session.id, "people": expected.len() });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "bundle.issue", id).detail(detail)])?;
        Ok(BundleView { payload, signature })
    };
    Ok(Reply::new(platform.db.write(fetch).await?).secret())
}

/// A scan that a device made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "0199a3f4-7c1e-7d55-8a64-3f1f0a6b2c9d", "seq": 1, "at": "2025-05-01T09:00:00+08:00",
                          "pass": "AZqLtE0Te7-Iy3gJ1m0xZ0H4T2v9QmWd"}))]
pub struct ScanInput {
    /// The device's own name of it.
    #[schema(min_length = 36, max_length = 36, pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    pub id: String,
    /// Its place in the device's order: 1, 2, 3, … over all sessions.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub seq: i64,
    /// When, by the device's clock.
    pub at: DateTime<Utc>,
    /// In, if nothing is said.
    #[serde(default = "inwards")]
    #[schema(required = false)]
    pub direction: Direction,
    /// What the worker's phone showed.
    #[schema(min_length = 1, max_length = 100)]
    pub pass: String,
}

fn inwards() -> Direction {
    Direction::In
}

/// What a device scanned at a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "AAAA", "device_now": "2025-05-01T12:00:00+08:00", "scans": [
    {"id": "0199a3f4-7c1e-7d55-8a64-3f1f0a6b2c9d", "seq": 1, "at": "2025-05-01T09:00:00+08:00", "pass": "AZqLtE0Te7-Iy3gJ1m0xZ0H4T2v9QmWd"}]}))]
pub struct UploadInput {
    /// The token of the list that it scanned by.
    #[schema(min_length = 1, max_length = 120)]
    pub token: String,
    /// What the device's clock says now.
    pub device_now: DateTime<Utc>,
    /// The scans.
    #[schema(min_items = 1, max_items = 500)]
    pub scans: Vec<ScanInput>,
}

crate::text_enum! {
    /// What became of a scan of an upload, for now: what comes later may change it.
    pub enum UploadVerdict {
        /// It counts.
        Accepted = "ACCEPTED",
        /// Another scan of this person counts.
        Duplicate = "DUPLICATE",
        /// The desk decides.
        Conflict = "CONFLICT",
        /// It counts nowhere; the reason says why.
        Rejected = "REJECTED",
    }
}

impl From<ScanOutcome> for UploadVerdict {
    fn from(outcome: ScanOutcome) -> Self {
        match outcome {
            ScanOutcome::Accepted | ScanOutcome::Left => Self::Accepted,
            ScanOutcome::Duplicate => Self::Duplicate,
            ScanOutcome::Conflict => Self::Conflict,
            _ => Self::Rejected,
        }
    }
}

/// What became of one scan.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadResult {
    /// The device's own name of it.
    #[schema(max_length = 36)]
    pub id: String,
    /// For the device.
    pub verdict: UploadVerdict,
    /// In detail.
    pub outcome: ScanOutcome,
}

/// What became of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadView {
    /// Of each scan, in the order of the upload.
    #[schema(max_items = 500)]
    pub results: Vec<UploadResult>,
    /// Places in the device's order that have not come in, as `[from, until]`; the first fifty.
    #[schema(max_items = 50, value_type = Vec<Vec<i64>>)]
    pub missing: Vec<(i64, i64)>,
    /// By how many seconds the device's clock is ahead of ours; less than zero when it is behind.
    #[schema(minimum = -10_000_000_000_i64, maximum = 10_000_000_000_i64)]
    pub clock_ahead_seconds: i64,
}

/// Bring in scans that were made without a signal / 上传离线签到
///
/// At most 500, signed by the device (`X-Device-Signature`, see `docs/OFFLINE.md`). In any order, in any parts and however often: the
/// state is the same. What the device could not know goes to the desk as a conflict and does not count before. Refusals of the whole:
/// `signature_invalid`.
#[utoipa::path(
    tag = "door", operation_id = "scan_upload", security(("bearer" = ["checkin:write"])),
    params(("id" = DeviceId, Path, description = "The device"),
           ("X-Device-Signature" = String, Header, description = "HMAC-SHA256 of the body's bytes under the device's key, in hexadecimal",
            min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")),
    request_body = UploadInput,
    responses((status = 200, description = "What became of each scan", body = UploadView)),
)]
#[post("/api/v1/devices/{id}/uploads")]
pub async fn scan_upload(
    platform: Data<Platform>,
    passes: Data<Passes>,
    keys: Data<DeviceKeys>,
    settler: Data<Settler>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<DeviceId>,
    body: Signed<UploadInput>,
) -> Result<Reply<UploadView>> {
    let (operator, now, scope, device) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let Signed { body, bytes, signature } = body;
    let token = Token::read(&keys, &body.token).filter(|token| token.device == device);
    let token = token.ok_or_else(|| Error::new(Code::SignatureInvalid))?;
    let session = token.session;
    platform
        .db
        .read(move |c| {
            devices::get(c, &scope, device)?;
            door::require_session(c, &scope, session).map(|_| ())
        })
        .await?;
    if !bundle::is_signed(&keys.of(device), &bytes, &signature) {
        return Err(Error::new(Code::SignatureInvalid));
    }
    let clock_ahead_seconds = (body.device_now - now).num_seconds();
    let passes = passes.get_ref().clone();
    let scans = body.scans;
    // Thousands of hashes for a pass of another hour: not on the threads that answer.
    let scans = web::block(move || scans.iter().map(|scan| told(&passes, &token, scan)).collect::<Vec<_>>());
    let scans = scans.await.map_err(|error| Error::internal(error.to_string()))?;
    let ids: Vec<String> = scans.iter().map(|scan| scan.client.to_string()).collect();
    let upload = Upload { device, session, operator, scans };
    let (outcomes, missing) = bring_in(&platform, &settler, upload, now).await?;
    let results = ids.into_iter().zip(outcomes).map(|(id, outcome)| UploadResult {
        id,
        verdict: outcome.into(),
        outcome,
    });
    Ok(Reply::new(UploadView { results: results.collect(), missing, clock_ahead_seconds }).secret())
}

/// How often an upload that lost a race is tried again before the device is asked to.
const RACES: usize = 4;

async fn bring_in(
    platform: &Platform,
    settler: &Settler,
    upload: Upload,
    now: DateTime<Utc>,
) -> Result<(Vec<ScanOutcome>, Vec<uploading::Gap>)> {
    let mut attempt = 0;
    loop {
        let (settler, upload) = (settler.clone(), upload.clone());
        let bring = move |c: &mut Conn| {
            let mut beside = Beside::default();
            let outcomes = settler.upload_in_tx(c, &upload, now, &mut beside)?;
            let missing = uploading::gaps(c, upload.device)?;
            let detail = json!({ "session": upload.session, "scans": upload.scans.len() });
            beside.entries.push(Entry::new(upload.operator, "scan.upload", upload.device).detail(detail));
            beside.write_in_tx(c, &settler.entrance.ids, now)?;
            Ok((outcomes, missing))
        };
        match platform.db.write(bring).await {
            Err(error) if error.lost_a_race() && attempt < RACES => attempt += 1,
            brought => {
                platform.jobs.ring();
                return brought;
            }
        }
    }
}

/// A scan with what its pass proves.
fn told(passes: &Passes, token: &Token, scan: &ScanInput) -> Told {
    let (person, at, clock_off, invalid) = match passes.prove(&scan.pass, scan.at) {
        Proof::Fits(person) => (Some(person), scan.at, false, None),
        Proof::At(person, shown) => (Some(person), shown, true, None),
        Proof::Nothing => (None, scan.at, false, Some(ScanOutcome::PassInvalid)),
    };
    let late = (at > token.expires_at).then_some(ScanOutcome::BundleExpired);
    Told {
        // The contract has looked at its form.
        client: Uuid::parse_str(&scan.id).unwrap_or_default(),
        seq: scan.seq,
        direction: scan.direction,
        at,
        clock_off,
        person,
        code_hash: person.is_none().then(|| pass::hash(&scan.pass)),
        digest: digest(scan),
        refused: invalid.or(late),
    }
}

/// SHA-256 of what a device says of a scan, so that one name for two different scans is found out.
fn digest(scan: &ScanInput) -> Vec<u8> {
    let mut hash = Sha256::new();
    let at = scan.at.timestamp_micros();
    hash.update(format!("{}|{at}|{}|{}", scan.seq, scan.direction, scan.pass));
    hash.finalize().to_vec()
}

/// What a device could not decide.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConflictView {
    /// Its id.
    pub id: ConflictId,
    /// The session.
    pub session_id: SessionId,
    /// The person.
    pub person_id: PersonId,
    /// The scan.
    pub scan_id: ScanId,
    /// What it is.
    pub reason: ConflictReason,
    /// What is proposed to the desk.
    pub proposed: Proposal,
    /// Where it is in its life.
    pub state: ConflictState,
    /// Since when.
    pub opened_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<Conflict> for ConflictView {
    fn from(row: Conflict) -> Self {
        Self {
            id: row.id,
            session_id: row.session_id,
            person_id: row.person_id,
            scan_id: row.scan_id,
            reason: row.reason,
            proposed: row.proposed,
            state: row.state,
            opened_at: row.opened_at.and_utc(),
            decided_at: row.decided_at.map(|at| at.and_utc()),
        }
    }
}

/// List what devices could not decide at a session / 列出离线签到冲突
///
/// Each open one is a request at the desk, of the kind `checkin_conflict`.
#[utoipa::path(
    tag = "door", operation_id = "conflict_list", security(("bearer" = ["roster:read"])),
    params(("id" = SessionId, Path, description = "The session"), PageQuery),
    responses((status = 200, description = "A page of conflicts", body = Page<ConflictView>)),
)]
#[get("/api/v1/sessions/{id}/conflicts")]
pub async fn conflict_list(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<SessionId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<ConflictView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("conflicts/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            door::require_session(c, &scope, id)?;
            conflicts::list(c, id, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(ConflictView::from)))
}
