//! Asking to be erased, and erasing somebody who has asked otherwise.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::acts::{self, Asked, ErasureTools};
use super::model::{ErasedKind, Erasure, ErasureKept, ErasureObstacle, ErasureWay, KeptKind};
use super::store;
use crate::clock::civil_day;
use crate::error::{Error, Result};
use crate::ids::{CaseId, CaseMemberId, PersonId};
use crate::people;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{OwnData, PersonErase};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::policy;

/// Something that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptView {
    /// What.
    pub kind: KeptKind,
    /// Its id.
    #[schema(max_length = 40, example = "cas_01k5b8m3q2e9t8h6y1v7z4w0xn")]
    pub id: String,
    /// The last day on which it is kept; then it is erased.
    pub until_on: NaiveDate,
    /// Why: law and article, or whose rule it is.
    #[schema(max_length = 400)]
    pub source: String,
}

/// Something that is to be settled first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObstacleView {
    /// What.
    pub kind: ErasureObstacle,
    /// Its id.
    #[schema(max_length = 40)]
    pub id: String,
    /// What to do about it.
    #[schema(max_length = 300)]
    pub what_to_do: String,
}

/// What an erasure would meet.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureOutlook {
    /// What is to be settled first; nothing where one may be erased now.
    #[schema(max_items = 100)]
    pub obstacles: Vec<ObstacleView>,
    /// What would be kept.
    #[schema(max_items = 1000)]
    pub kept: Vec<KeptView>,
}

/// How many rows of a kind were erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedView {
    /// Of what.
    pub kind: ErasedKind,
    /// How many.
    #[schema(minimum = 1)]
    pub rows: i64,
}

/// That somebody was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureView {
    /// Who.
    pub person_id: PersonId,
    /// On whose word.
    pub way: ErasureWay,
    /// When.
    pub erased_at: DateTime<Utc>,
    /// What was erased. Attendance and what was counted stay, and name nobody.
    #[schema(max_items = 20)]
    pub removed: Vec<RemovedView>,
    /// What the law keeps, until when, and why.
    #[schema(max_items = 1000)]
    pub kept: Vec<KeptView>,
}

fn kept_view(conn: &mut Conn, row: &ErasureKept) -> Result<KeptView> {
    let which = Uuid::from_slice(&row.row_id).map_err(Error::internal)?;
    let id = match row.kind {
        KeptKind::LegalCase => CaseId(which).to_string(),
        KeptKind::LegalMember => CaseMemberId(which).to_string(),
    };
    let source = policy::store::on(conn, &row.policy, row.policy_from)?.map(|policy| policy.source);
    Ok(KeptView { kind: row.kind, id, until_on: row.until_on, source: source.unwrap_or_default() })
}

fn view(conn: &mut Conn, erasure: &Erasure) -> Result<ErasureView> {
    let removed: BTreeMap<ErasedKind, i64> =
        serde_json::from_str(&erasure.removed).map_err(Error::internal)?;
    let kept = store::kept(conn, erasure.person_id)?;
    Ok(ErasureView {
        person_id: erasure.person_id,
        way: erasure.way,
        erased_at: erasure.erased_at.and_utc(),
        removed: removed.into_iter().map(|(kind, rows)| RemovedView { kind, rows }).collect(),
        kept: kept.iter().map(|row| kept_view(conn, row)).collect::<Result<_>>()?,
    })
}

/// See what an erasure would meet / 查看删除个人信息前要办结的事项和依法保留的资料
#[utoipa::path(
    tag = "me", operation_id = "my_erasure_outlook_get", security(("bearer" = ["self"])),
    responses((status = 200, description = "What stands in the way, and what would be kept", body = ErasureOutlook)),
)]
#[get("/api/v1/me/erasure-outlook")]
pub async fn my_erasure_outlook_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
) -> Result<Reply<ErasureOutlook>> {
    let (person, now, vault) = (guard.person(), platform.clock.now(), platform.vault.clone());
    let outlook = move |c: &mut Conn| {
        let people = acts::together(c, &vault, person)?;
        let found = acts::obstacles(c, &people, now)?;
        let kept = acts::kept(c, &people, civil_day(now))?;
        let obstacle = |one: super::rules::Standing| {
            let what_to_do = one.what_to_do().zh.into_owned();
            ObstacleView { kind: one.kind, id: one.id, what_to_do }
        };
        Ok(ErasureOutlook {
            obstacles: found.into_iter().take(100).map(obstacle).collect(),
            kept: kept.iter().map(|row| kept_view(c, row)).collect::<Result<_>>()?,
        })
    };
    Ok(Reply::new(platform.db.read(outlook).await?))
}

crate::text_enum! {
    /// That one means it.
    pub enum ErasureConfirmation {
        /// 我要删除我的个人信息，知道不能恢复
        Erase = "erase",
    }
}

/// That one wants to be erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"confirm": "erase"}))]
pub struct OwnErasureInput {
    /// It cannot be undone.
    pub confirm: ErasureConfirmation,
}

/// Have one's personal data erased / 删除本人个人信息（注销账号）
///
/// At once, for good, and without anybody's leave. Refused with `erasure_held` while something is running; `errors` names each and says what to
/// do. The login ends with it: the same request again is refused with `person_erased`.
#[utoipa::path(
    tag = "me", operation_id = "my_erasure_create", security(("bearer" = ["self"])), request_body = OwnErasureInput,
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    responses((status = 200, description = "What was erased, and what is kept", body = ErasureView)),
)]
#[post("/api/v1/me/erasures")]
pub async fn my_erasure_create(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    body: Idempotent<OwnErasureInput>,
) -> Result<Stored> {
    let (person, now) = (guard.person(), platform.clock.now());
    let OwnErasureInput { confirm: ErasureConfirmation::Erase } = body.body;
    let tools = ErasureTools { ids: platform.ids.clone(), vault: platform.vault.clone() };
    let act = move |c: &mut Conn| {
        let asked = Asked { person, by: person, reason: None };
        let erasure = acts::erase_in_tx(c, &tools, asked, now)?;
        Stored::done(1, &view(c, &erasure)?)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.access.forget();
    platform.jobs.ring();
    Ok(stored)
}

/// Why somebody is erased by another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "本人来函要求删除个人信息，已核对身份"}))]
pub struct ErasureInput {
    /// Kept in the audit chain: without names and numbers.
    #[schema(min_length = 4, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Erase somebody's personal data on their behalf; audited / 代为删除个人信息（记入审计）
///
/// For whoever asks in another way than through the mini-program. The same again changes nothing and has the same answer.
#[utoipa::path(
    tag = "people", operation_id = "person_erase", security(("bearer" = ["person:erase"])),
    params(("id" = PersonId, Path, description = "The person"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ErasureInput,
    responses((status = 200, description = "What was erased, and what is kept", body = ErasureView)),
)]
#[post("/api/v1/people/{id}/erasures")]
pub async fn person_erase(
    platform: Data<Platform>,
    guard: Guard<PersonErase>,
    id: ApiPath<PersonId>,
    body: Idempotent<ErasureInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let reason = body.body.reason;
    let tools = ErasureTools { ids: platform.ids.clone(), vault: platform.vault.clone() };
    let act = move |c: &mut Conn| {
        let person = people::api::in_scope(c, id.0, &scope)?.id;
        let asked = Asked { person, by: actor, reason: Some(&reason) };
        let erasure = acts::erase_in_tx(c, &tools, asked, now)?;
        Stored::done(1, &view(c, &erasure)?)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.access.forget();
    platform.jobs.ring();
    Ok(stored)
}
