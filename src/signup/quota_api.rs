//! Quotas over HTTP: how places are split, and how they go from one quota to another.

use std::collections::HashMap;

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::{self, Tools};
use super::placing::Ground;
use super::quota_store::{self, MoveKind, MoveState, QuotaMove};
use super::quotas::{self, Move, ReleaseTo, WantedQuota};
use super::tree::{self, Tree};
use super::waiting;
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, OrganisationId, QuotaId, QuotaMoveId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::model::{Activity, ActivityState, Audience, Quota, QuotaKind};
use crate::org;
use crate::org::model::OrganisationKind;
use crate::platform::Platform;
use crate::platform::access::policy::CatalogueManage;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::http::{
    ApiJson, ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored,
};

/// Places for some people.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "street", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "capacity": 15}))]
pub struct QuotaInput {
    /// For whom.
    pub kind: QuotaKind,
    /// The sub-district or the industry union.
    pub organisation_id: Option<OrganisationId>,
    /// The audience.
    pub audience: Option<Audience>,
    /// Places.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub capacity: i64,
    /// How these places are split further; two levels at most.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub quotas: Vec<SubQuotaInput>,
}

/// Places for some people among those of the quota above.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "audience", "audience": "new_employment", "capacity": 5}))]
pub struct SubQuotaInput {
    /// For whom.
    pub kind: QuotaKind,
    /// The sub-district or the industry union.
    pub organisation_id: Option<OrganisationId>,
    /// The audience.
    pub audience: Option<Audience>,
    /// Places.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub capacity: i64,
}

/// When unused places go on.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"at": "2025-02-26T14:00:00+08:00", "to": "pro_rata"}))]
pub struct ReleaseInput {
    /// When; before the first session.
    pub at: DateTime<Utc>,
    /// To whom.
    pub to: ReleaseTo,
}

/// How an activity's places are split.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "quotas": [{"kind": "street", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "capacity": 15}, {"kind": "pool", "capacity": 25}],
    "release": {"at": "2025-02-26T14:00:00+08:00", "to": "pool"}
}))]
pub struct QuotasInput {
    /// Below the total; none for no split.
    #[schema(max_items = 50)]
    pub quotas: Vec<QuotaInput>,
    /// When unused places go on; never when left out.
    pub release: Option<ReleaseInput>,
}

impl QuotasInput {
    fn wanted(&self) -> Vec<WantedQuota> {
        let child = |one: &SubQuotaInput| WantedQuota {
            kind: one.kind,
            organisation: one.organisation_id,
            audience: one.audience,
            capacity: one.capacity,
            children: Vec::new(),
        };
        self.quotas
            .iter()
            .map(|one| WantedQuota {
                kind: one.kind,
                organisation: one.organisation_id,
                audience: one.audience,
                capacity: one.capacity,
                children: one.quotas.iter().map(child).collect(),
            })
            .collect()
    }
}

/// A quota as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaView {
    /// Its id.
    pub id: QuotaId,
    /// The quota above; none right below the total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<QuotaId>,
    /// For whom.
    pub kind: QuotaKind,
    /// The sub-district or the industry union.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<OrganisationId>,
    /// The audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// For people.
    #[schema(max_length = 120, example = "平湖街道")]
    pub label: String,
    /// Places.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub capacity: i64,
    /// Places that are used.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub taken: i64,
    /// Places that are kept for somebody who has yet to answer.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub held: i64,
    /// Who waits here.
    #[schema(minimum = 0, maximum = 100_000_000)]
    pub waiting: i64,
}

/// How an activity's places are split, and used.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaList {
    /// Parents before children.
    #[schema(max_items = 3000)]
    pub items: Vec<QuotaView>,
    /// When unused places go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_at: Option<DateTime<Utc>>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_to: Option<ReleaseTo>,
    /// When they went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at: Option<DateTime<Utc>>,
}

fn view(conn: &mut Conn, activity: &Activity) -> Result<QuotaList> {
    let rows = offering::store::quotas_of(conn, activity.id)?;
    let organisations: Vec<OrganisationId> = rows.iter().filter_map(|row| row.organisation_id).collect();
    let names = org::store::short_names(conn, &organisations)?;
    let mut waiting: HashMap<Option<QuotaId>, i64> = HashMap::new();
    for (quota, _, number) in waiting::queue_lengths(conn, activity.id)? {
        *waiting.entry(quota).or_default() += number;
    }
    let labels = Tree::new(activity, rows.clone());
    let items = rows
        .into_iter()
        .map(|row: Quota| QuotaView {
            label: labels
                .node(labels.find(Some(row.id)))
                .map(|node| tree::label(node, &names).0)
                .unwrap_or_default(),
            waiting: waiting.get(&Some(row.id)).copied().unwrap_or(0),
            id: row.id,
            parent_id: row.parent_id,
            kind: row.kind,
            organisation_id: row.organisation_id,
            audience: row.audience,
            capacity: row.capacity,
            taken: row.taken,
            held: row.held,
        })
        .collect();
    let release = quota_store::release_of(conn, activity.id)?;
    Ok(QuotaList {
        items,
        release_at: release.as_ref().map(|release| release.release_at.and_utc()),
        release_to: release.as_ref().map(|release| release.release_to),
        released_at: release.and_then(|release| release.released_at).map(|at| at.and_utc()),
    })
}

/// Read how an activity's places are split / 查看名额分配
#[utoipa::path(
    tag = "catalogue", operation_id = "quota_list", security(()),
    params(("id" = ActivityId, Path, description = "The activity")),
    responses((status = 200, description = "Its quotas", body = QuotaList)),
)]
#[get("/api/v1/activities/{id}/quotas")]
pub async fn quota_list(platform: Data<Platform>, id: ApiPath<ActivityId>) -> Result<Reply<QuotaList>> {
    let list = platform
        .db
        .read(move |c| {
            let activity = offering::store::activity_get(c, id.0)?.activity;
            if activity.state == ActivityState::Draft {
                return Err(Error::not_found());
            }
            view(c, &activity)
        })
        .await?;
    Ok(Reply::new(list).public())
}

/// Split an activity's places / 设置名额分配
///
/// A place is free for somebody only if every quota that covers them has one. A quota is a promise: those below it are not
/// more than it has. Quotas are told apart by whom they are for; those that stay keep their use. Refusals:
/// `quota_below_use`, `state_forbids` once people have signed up without quotas.
#[utoipa::path(
    tag = "catalogue", operation_id = "quota_set", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("If-Match" = String, Header, description = "The ETag of the activity that was read", max_length = 100)),
    request_body = QuotasInput,
    responses((status = 200, description = "Its quotas", body = QuotaList)),
)]
#[put("/api/v1/managed-activities/{id}/quotas")]
pub async fn quota_set(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    seen: IfMatch,
    body: ApiJson<QuotasInput>,
) -> Result<Reply<QuotaList>> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input, tools) = (id.0, body.0, tools.get_ref().clone());
    let (list, version) = platform
        .db
        .write(move |c| {
            scope.require(&offering::store::activity_get(c, id)?.path)?;
            let activity = jobs::lock(c, id)?;
            if activity.version != seen.version() {
                return Err(Error::new(Code::PreconditionFailed));
            }
            check(c, &activity, &input)?;
            quota_store::set_in_tx(c, &tools.ids, &activity, &input.wanted())?;
            let release = input.release.map(|release| (release.at, release.to));
            quota_store::release_set_in_tx(c, id, release)?;
            let activity = jobs::lock(c, id)?;
            let (list, version) = (view(c, &activity)?, activity.version);
            let entries = vec![Entry::new(actor, "quota.set", id)];
            settle(c, &tools, activity, Beside { entries, ..Beside::default() }, now)?;
            Ok((list, version))
        })
        .await?;
    platform.changes.tell(offering::CATALOGUE, &[id.0]);
    platform.jobs.ring();
    Ok(Reply::new(list).version(version))
}

/// Whoever waits may have a place now.
fn settle(
    conn: &mut Conn,
    tools: &Tools,
    activity: Activity,
    mut beside: Beside,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut ground = Ground::load(conn, activity, &[], now)?;
    ground.reconsider();
    ground.settle_in_tx(conn, &tools.ids, now, &mut beside)?;
    beside.write_in_tx(conn, &tools.ids, now)
}

fn check(conn: &mut Conn, activity: &Activity, input: &QuotasInput) -> Result<()> {
    if matches!(activity.state, ActivityState::Finished | ActivityState::Cancelled) {
        return Err(Error::new(Code::StateForbids).detail("活动已结束或取消", "The activity is over"));
    }
    let mut faults = quotas::check(&input.wanted(), activity.bookable);
    if input.release.is_some_and(|release| release.at >= activity.starts_at.and_utc()) {
        let text = Text::new("必须早于第一场开始", "must be before the first session");
        faults.push(Fault::new("/release/at", "order", text));
    }
    if input.release.is_some() && input.quotas.is_empty() {
        let text = Text::new("没有划分名额，无从释放", "there are no quotas to release");
        faults.push(Fault::new("/release", "without_quotas", text));
    }
    let all = org::store::all(conn)?;
    let named = input.quotas.iter().enumerate().flat_map(|(place, quota)| {
        let below = quota.quotas.iter().enumerate().map(move |(child, quota)| {
            (format!("/quotas/{place}/quotas/{child}"), quota.kind, quota.organisation_id)
        });
        below.chain([(format!("/quotas/{place}"), quota.kind, quota.organisation_id)])
    });
    for (at, kind, organisation) in named {
        let Some(id) = organisation else { continue };
        let expected = match kind {
            QuotaKind::Street => OrganisationKind::SubDistrict,
            _ => OrganisationKind::IndustryUnion,
        };
        if all.get(&id).is_none_or(|row| row.kind != expected) {
            let text = Text::new("没有这个街道总工会或行业工会", "no such sub-district or industry union");
            faults.push(Fault::new(format!("{at}/organisation_id"), "unknown", text));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// Places to be given from one quota to another.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "quo_01k5b8m3q2e9t8h6y1v7z4w0xn", "to": "quo_01k5b8m3q2e9t8h6y1v7z4w0xm", "places": 5, "reason": "报名不足，调剂给兄弟街道"}))]
pub struct TransferInput {
    /// From.
    pub from: QuotaId,
    /// To, beside it.
    pub to: QuotaId,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub places: i64,
    /// In words.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Places that went from one quota to another, or are offered to.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaMoveView {
    /// Its id.
    pub id: QuotaMoveId,
    /// Of what.
    pub activity_id: ActivityId,
    /// From.
    pub from: QuotaId,
    /// To.
    pub to: QuotaId,
    /// Why.
    pub kind: MoveKind,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub places: i64,
    /// Where in its life it is.
    pub state: MoveState,
    /// In words.
    #[schema(max_length = 200)]
    pub reason: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<QuotaMove> for QuotaMoveView {
    fn from(row: QuotaMove) -> Self {
        Self {
            id: row.id,
            activity_id: row.activity_id,
            from: row.from_id,
            to: row.to_id,
            kind: row.kind,
            places: row.places,
            state: row.state,
            reason: row.reason,
            made_at: row.made_at.and_utc(),
            decided_at: row.decided_at.map(|at| at.and_utc()),
        }
    }
}

/// Whether `scope` speaks for a quota: for its organisation, or for who organises the activity.
fn speaks_for(conn: &mut Conn, scope: &Scope, activity_path: &str, quota: &Quota) -> Result<bool> {
    if scope.covers(activity_path) {
        return Ok(true);
    }
    Ok(match quota.organisation_id {
        Some(id) => scope.covers(&org::store::get(conn, id)?.path),
        None => false,
    })
}

/// Offer places of one quota to another / 提出名额调剂
///
/// By who speaks for the quota that gives; the places go when the other side accepts. Refusals: `quota_below_use`.
#[utoipa::path(
    tag = "catalogue", operation_id = "quota_transfer_create", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TransferInput,
    responses((status = 201, description = "The offer", body = QuotaMoveView)),
)]
#[post("/api/v1/activities/{id}/quota-transfers")]
pub async fn quota_transfer_create(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    body: Idempotent<TransferInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (activity, input, ids) = (id.0, body.body, tools.ids.clone());
    let act = move |c: &mut Conn| {
        let path = offering::store::activity_get(c, activity)?.path;
        jobs::lock(c, activity)?;
        let all = offering::store::quotas_of(c, activity)?;
        let find = |id: QuotaId| all.iter().find(|quota| quota.id == id);
        let Some(from) = find(input.from) else { return Err(Error::not_found()) };
        if !speaks_for(c, &scope, &path, from)? {
            return Err(Error::not_found());
        }
        let beside = find(input.to)
            .filter(|to| to.parent_id == from.parent_id && to.id != from.id && to.kind == from.kind);
        if beside.is_none() || from.organisation_id.is_none() {
            let text = Text::new(
                "只能在同级的街道或行业名额之间调剂",
                "between streets or industries of one level only",
            );
            return Err(Error::invalid(vec![Fault::new("/to", "not_beside", text)]));
        }
        if from.free() < input.places {
            return Err(Error::new(Code::QuotaBelowUse));
        }
        let row = QuotaMove {
            id: ids.id(),
            activity_id: activity,
            from_id: input.from,
            to_id: input.to,
            kind: MoveKind::Transfer,
            places: input.places,
            state: MoveState::Offered,
            reason: input.reason.clone(),
            made_by: Some(actor),
            made_at: db_time(now),
            decided_by: None,
            decided_at: None,
        };
        quota_store::move_create_in_tx(c, &row)?;
        let entry = Entry::new(actor, "quota.transfer_offer", row.id);
        crate::platform::audit::append_in_tx(c, now, vec![entry])?;
        Stored::created(format!("/api/v1/activities/{activity}/quota-moves"), 1, &QuotaMoveView::from(row))
    };
    platform.idempotency.run(actor, body.key, act).await
}

crate::text_enum! {
    /// What is said to offered places.
    pub enum TransferAnswer {
        /// The other side takes them.
        Accept = "accept",
        /// The other side does not want them.
        Refuse = "refuse",
        /// The side that offered them takes the offer back.
        Withdraw = "withdraw",
    }
}

/// An answer to offered places.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"answer": "accept"}))]
pub struct TransferAnswerInput {
    /// The answer.
    pub answer: TransferAnswer,
}

/// Answer offered places / 答复名额调剂
///
/// By who speaks for the quota that gets them, or, to withdraw, for the one that gives. Refusals: `quota_below_use` when
/// the places were used meanwhile, `state_forbids` when it is answered already.
#[utoipa::path(
    tag = "catalogue", operation_id = "quota_transfer_answer", security(("bearer" = ["catalogue:manage"])),
    params(("id" = QuotaMoveId, Path, description = "The offer"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = TransferAnswerInput,
    responses((status = 200, description = "The offer", body = QuotaMoveView)),
)]
#[post("/api/v1/quota-transfers/{id}/answers")]
pub async fn quota_transfer_answer(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<QuotaMoveId>,
    body: Idempotent<TransferAnswerInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, answer, tools) = (id.0, body.body.answer, tools.get_ref().clone());
    let act = move |c: &mut Conn| {
        let row = quota_store::move_get(c, id)?;
        let path = offering::store::activity_get(c, row.activity_id)?.path;
        let activity = jobs::lock(c, row.activity_id)?;
        let all = offering::store::quotas_of(c, row.activity_id)?;
        let side = if answer == TransferAnswer::Withdraw { row.from_id } else { row.to_id };
        let quota = all.iter().find(|quota| quota.id == side).ok_or_else(Error::not_found)?;
        if !speaks_for(c, &scope, &path, quota)? {
            return Err(Error::not_found());
        }
        let state = match answer {
            TransferAnswer::Accept => MoveState::Done,
            TransferAnswer::Refuse => MoveState::Refused,
            TransferAnswer::Withdraw => MoveState::Withdrawn,
        };
        if !quota_store::move_decide_in_tx(c, id, state, actor, now)? {
            return Err(Error::new(Code::StateForbids).detail("该调剂已答复", "It is answered already"));
        }
        let mut beside = Beside::default();
        if answer == TransferAnswer::Accept {
            let one = Move { from: row.from_id, to: row.to_id, places: row.places };
            quota_store::move_in_tx(c, &all, &one)?;
        }
        beside.entries.push(Entry::new(actor, "quota.transfer_answer", id).detail(serde_json::json!(answer)));
        let view = QuotaMoveView::from(quota_store::move_get(c, id)?);
        settle(c, &tools, activity, beside, now)?;
        Stored::done(1, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.changes.tell(offering::CATALOGUE, &[id.0]);
    platform.jobs.ring();
    Ok(stored)
}

/// List where places went / 列出名额变动
#[utoipa::path(
    tag = "catalogue", operation_id = "quota_move_list", security(("bearer" = ["catalogue:manage"])),
    params(("id" = ActivityId, Path, description = "The activity"), PageQuery),
    responses((status = 200, description = "A page of moves", body = Page<QuotaMoveView>)),
)]
#[get("/api/v1/activities/{id}/quota-moves")]
pub async fn quota_move_list(
    platform: Data<Platform>,
    guard: Guard<CatalogueManage>,
    id: ApiPath<ActivityId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<QuotaMoveView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("quota-moves/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let path = offering::store::activity_get(c, id)?.path;
            let mut involved = scope.covers(&path);
            for quota in offering::store::quotas_of(c, id)? {
                involved = involved || speaks_for(c, &scope, &path, &quota)?;
            }
            if involved { quota_store::moves(c, id, after, limit) } else { Err(Error::not_found()) }
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(QuotaMoveView::from)))
}
