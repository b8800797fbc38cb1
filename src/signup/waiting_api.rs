//! The waiting list and the shuffle over HTTP: who waits, together with whom, in what order, and why.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{ActInput, SignupView};
use super::jobs::{self, Tools};
use super::model::{Party, SignupState};
use super::placing::Ground;
use super::waiting_store::{self, MoveReason, WaitingMove, WaitingMoveState};
use super::{rules, store, terms};
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{ActivityId, PartyId, QuotaId, SignupId, WaitingMoveId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::model::ActivityState;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{OwnData, RosterRead, WaitingOrder};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;

/// Those who wait together.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartyView {
    /// Its id.
    pub id: PartyId,
    /// For what.
    pub activity_id: ActivityId,
    /// What the others enter to join.
    #[schema(min_length = 8, max_length = 8, example = "K7M2Q9TD")]
    pub code: String,
    /// Members who wait.
    #[schema(minimum = 0, maximum = 1000)]
    pub size: i64,
}

/// Make a party of oneself / 发起同行候补
///
/// By somebody who waits. The others join with the code; all are asked together or not at all, when there is room for all,
/// and the party stands where its last member stands.
#[utoipa::path(
    tag = "signup", operation_id = "party_create", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "One's sign-up, which waits"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ActInput,
    responses((status = 201, description = "The party", body = PartyView)),
)]
#[post("/api/v1/signups/{id}/parties")]
pub async fn party_create(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
    body: Idempotent<ActInput>,
) -> Result<Stored> {
    let (person, now, id, ids) = (guard.person(), platform.clock.now(), id.0, tools.ids.clone());
    let act = move |c: &mut Conn| {
        let (row, _) = store::get_own(c, id, person)?;
        jobs::lock(c, row.activity_id)?;
        let party = Party {
            id: ids.id(),
            activity_id: row.activity_id,
            code: code(ids.bytes()),
            created_at: db_time(now),
        };
        waiting_store::party_create_in_tx(c, &party)?;
        if !waiting_store::party_join_in_tx(c, id, party.id)? {
            return Err(Error::new(Code::SignupUnwaited));
        }
        audit::append_in_tx(c, now, vec![Entry::new(person, "party.create", party.id)])?;
        let view = PartyView { id: party.id, activity_id: party.activity_id, code: party.code, size: 1 };
        Stored::created(format!("/api/v1/signups/{id}"), 1, &view)
    };
    platform.idempotency.run(person, body.key, act).await
}

/// Eight letters and digits that cannot be mistaken for each other.
fn code(random: [u8; 8]) -> String {
    const SIGNS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    random.iter().filter_map(|byte| SIGNS.get(usize::from(byte % 32))).map(|sign| char::from(*sign)).collect()
}

/// A party to join.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "K7M2Q9TD"}))]
pub struct PartyInput {
    /// The code that a member told.
    #[schema(min_length = 8, max_length = 8, pattern = "^[2-9A-HJ-NP-Z]{8}$")]
    pub code: String,
}

/// Wait with a party / 加入同行候补
///
/// By somebody who waits alone. Refusals: `party_invalid` for a wrong code or a full party, `signup_not_waiting`.
#[utoipa::path(
    tag = "signup", operation_id = "party_join", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "One's sign-up, which waits"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PartyInput,
    responses((status = 200, description = "The sign-up", body = SignupView)),
)]
#[post("/api/v1/signups/{id}/party-memberships")]
pub async fn party_join(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
    body: Idempotent<PartyInput>,
) -> Result<Stored> {
    let (person, now, id, code) = (guard.person(), platform.clock.now(), id.0, body.body.code);
    let act = move |c: &mut Conn| {
        let (row, _) = store::get_own(c, id, person)?;
        jobs::lock(c, row.activity_id)?;
        let party = waiting_store::party_find(c, row.activity_id, &code)?;
        let party = party.ok_or_else(|| Error::new(Code::PartyInvalid))?;
        if waiting_store::party_size(c, party.id)? >= terms::party_max(c, now)? {
            return Err(Error::new(Code::PartyInvalid));
        }
        if !waiting_store::party_join_in_tx(c, id, party.id)? {
            return Err(Error::new(Code::SignupUnwaited));
        }
        audit::append_in_tx(c, now, vec![Entry::new(person, "party.join", party.id)])?;
        let (row, title) = store::get_own(c, id, person)?;
        let version = row.version;
        Stored::done(version, &SignupView::standing(c, row, title)?)
    };
    platform.idempotency.run(person, body.key, act).await
}

/// Read one's party / 查看同行候补
#[utoipa::path(
    tag = "signup", operation_id = "party_get", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "One's sign-up")),
    responses((status = 200, description = "The party", body = PartyView)),
)]
#[get("/api/v1/signups/{id}/party")]
pub async fn party_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
) -> Result<Reply<PartyView>> {
    let person = guard.person();
    let view = platform
        .db
        .read(move |c| {
            let (row, _) = store::get_own(c, id.0, person)?;
            let party = waiting_store::party_get(c, row.party_id.ok_or_else(Error::not_found)?)?;
            let size = waiting_store::party_size(c, party.id)?;
            Ok(PartyView { id: party.id, activity_id: party.activity_id, code: party.code, size })
        })
        .await?;
    Ok(Reply::new(view))
}

/// Somebody who waits, masked.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingView {
    /// Their sign-up.
    pub signup_id: SignupId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
    /// Above others, or below.
    #[schema(minimum = -1000, maximum = 1000)]
    pub priority: i64,
    /// The order of arrival.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub number: i64,
    /// At which quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_id: Option<QuotaId>,
    /// With whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_id: Option<PartyId>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// List who waits, in order, masked / 列出候补名单（脱敏）
#[utoipa::path(
    tag = "signup", operation_id = "waiting_list", security(("bearer" = ["roster:read"])),
    params(("id" = ActivityId, Path, description = "The activity"), PageQuery),
    responses((status = 200, description = "A page of the waiting list", body = Page<WaitingView>)),
)]
#[get("/api/v1/activities/{id}/waiting-list")]
pub async fn waiting_list(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<ActivityId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<WaitingView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("waiting/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            scope.require(&offering::store::activity_get(c, id)?.path)?;
            waiting_store::list(c, id, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| (row.0.priority, row.0.number))?;
    Ok(Reply::new(page.map(|(row, name)| WaitingView {
        signup_id: row.id,
        name_masked: name.as_deref().map(mask::name),
        priority: row.priority,
        number: row.number,
        quota_id: row.quota_id,
        party_id: row.party_id,
        created_at: row.created_at.and_utc(),
    })))
}

/// Somebody to be put above others of the waiting list, or below.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"priority": 1, "reason": "hardship", "note": "困难职工，经部门会议同意"}))]
pub struct WaitingMoveInput {
    /// 0 for the order of arrival; more goes first.
    #[schema(minimum = -10, maximum = 10)]
    pub priority: i64,
    /// Why.
    pub reason: MoveReason,
    /// In words.
    #[schema(min_length = 1, max_length = 300)]
    pub note: String,
}

/// A change of the order of a waiting list.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingMoveView {
    /// Its id.
    pub id: WaitingMoveId,
    /// Who is moved.
    pub signup_id: SignupId,
    /// On what list.
    pub activity_id: ActivityId,
    /// Above others, or below.
    #[schema(minimum = -10, maximum = 10)]
    pub priority: i64,
    /// Why.
    pub reason: MoveReason,
    /// In words.
    #[schema(max_length = 300)]
    pub note: String,
    /// Where in its life it is.
    pub state: WaitingMoveState,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<WaitingMove> for WaitingMoveView {
    fn from(row: WaitingMove) -> Self {
        Self {
            id: row.id,
            signup_id: row.signup_id,
            activity_id: row.activity_id,
            priority: row.priority,
            reason: row.reason,
            note: row.note,
            state: row.state,
            proposed_at: row.proposed_at.and_utc(),
            decided_at: row.decided_at.map(|at| at.and_utc()),
        }
    }
}

/// Propose to move somebody on the waiting list / 提议调整候补顺序
///
/// It has no effect before another officer approves it. Refusals: `signup_not_waiting`, `state_forbids` when a move of this
/// person is proposed already.
#[utoipa::path(
    tag = "signup", operation_id = "waiting_move_create", security(("bearer" = ["waiting:order"])),
    params(("id" = SignupId, Path, description = "The sign-up that waits"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = WaitingMoveInput,
    responses((status = 201, description = "The proposal", body = WaitingMoveView)),
)]
#[post("/api/v1/signups/{id}/waiting-moves")]
pub async fn waiting_move_create(
    platform: Data<Platform>,
    guard: Guard<WaitingOrder>,
    id: ApiPath<SignupId>,
    body: Idempotent<WaitingMoveInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input, ids) = (id.0, body.body, platform.ids.clone());
    let act = move |c: &mut Conn| {
        let row = store::by_id(c, &[id])?.remove(&id).ok_or_else(Error::not_found)?;
        scope.require(&offering::store::activity_get(c, row.activity_id)?.path)?;
        jobs::lock(c, row.activity_id)?;
        let row = store::by_id(c, &[id])?.remove(&id).ok_or_else(Error::not_found)?;
        if row.state != SignupState::Waiting {
            return Err(Error::new(Code::SignupUnwaited));
        }
        let proposal = WaitingMove {
            id: ids.id(),
            signup_id: id,
            activity_id: row.activity_id,
            priority: input.priority,
            reason: input.reason,
            note: input.note.clone(),
            state: WaitingMoveState::Proposed,
            proposed_by: actor,
            proposed_at: db_time(now),
            decided_by: None,
            decided_at: None,
        };
        if !waiting_store::move_create_in_tx(c, &proposal)? {
            return Err(
                Error::new(Code::StateForbids).detail("已有待批准的调整", "A move is proposed already")
            );
        }
        let detail = serde_json::json!({ "signup": id, "priority": input.priority, "reason": input.reason });
        audit::append_in_tx(
            c,
            now,
            vec![Entry::new(actor, "waiting.move_propose", proposal.id).detail(detail)],
        )?;
        Stored::created(format!("/api/v1/waiting-moves/{}", proposal.id), 1, &WaitingMoveView::from(proposal))
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Read a move of a waiting list / 查看候补顺序调整
#[utoipa::path(
    tag = "signup", operation_id = "waiting_move_get", security(("bearer" = ["waiting:order"])),
    params(("id" = WaitingMoveId, Path, description = "The move")),
    responses((status = 200, description = "The move", body = WaitingMoveView)),
)]
#[get("/api/v1/waiting-moves/{id}")]
pub async fn waiting_move_get(
    platform: Data<Platform>,
    guard: Guard<WaitingOrder>,
    id: ApiPath<WaitingMoveId>,
) -> Result<Reply<WaitingMoveView>> {
    let scope = guard.scope().clone();
    let row = platform
        .db
        .read(move |c| {
            let row = waiting_store::move_get(c, id.0)?;
            scope.require(&offering::store::activity_get(c, row.activity_id)?.path)?;
            Ok(row)
        })
        .await?;
    Ok(Reply::new(row.into()))
}

/// What another officer says of a proposed move.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"approve": true}))]
pub struct WaitingDecisionInput {
    /// Whether it shall be.
    pub approve: bool,
}

/// Decide a proposed move of the waiting list / 批准候补顺序调整
///
/// By another officer than who proposed it (`second_officer_required`); the database holds that, too.
#[utoipa::path(
    tag = "signup", operation_id = "waiting_move_decide", security(("bearer" = ["waiting:order"])),
    params(("id" = WaitingMoveId, Path, description = "The move"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = WaitingDecisionInput,
    responses((status = 200, description = "The move", body = WaitingMoveView)),
)]
#[post("/api/v1/waiting-moves/{id}/decisions")]
pub async fn waiting_move_decide(
    platform: Data<Platform>,
    tools: Data<Tools>,
    guard: Guard<WaitingOrder>,
    id: ApiPath<WaitingMoveId>,
    body: Idempotent<WaitingDecisionInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, approve, tools) = (id.0, body.body.approve, tools.get_ref().clone());
    let act = move |c: &mut Conn| {
        let row = waiting_store::move_get(c, id)?;
        scope.require(&offering::store::activity_get(c, row.activity_id)?.path)?;
        if row.proposed_by == actor {
            return Err(Error::new(Code::SecondOfficer));
        }
        let activity = jobs::lock(c, row.activity_id)?;
        let state = if approve { WaitingMoveState::Approved } else { WaitingMoveState::Refused };
        if !waiting_store::move_decide_in_tx(c, id, state, actor, now)? {
            return Err(Error::new(Code::StateForbids).detail("该调整已有决定", "It is decided already"));
        }
        if approve && !waiting_store::priority_set_in_tx(c, row.signup_id, row.priority)? {
            return Err(Error::new(Code::SignupUnwaited));
        }
        let view = WaitingMoveView::from(waiting_store::move_get(c, id)?);
        let mut ground = Ground::load(c, activity, &[], now)?;
        ground.reconsider();
        let mut beside = Beside::default();
        ground.settle_in_tx(c, &tools.ids, now, &mut beside)?;
        let detail = serde_json::json!({ "signup": row.signup_id, "approve": approve });
        beside.entries.push(Entry::new(actor, "waiting.move_decide", id).detail(detail));
        beside.write_in_tx(c, &tools.ids, now)?;
        Stored::done(1, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// The shuffle of those who came in the first minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FairDrawView {
    /// SHA-256 of the seed's text, published before anybody signed up.
    #[schema(min_length = 64, max_length = 64)]
    pub commitment: String,
    /// Until when whoever comes is shuffled.
    pub draw_at: DateTime<Utc>,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_at: Option<DateTime<Utc>>,
    /// The seed, since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 64, max_length = 64)]
    pub seed: Option<String>,
    /// How many were shuffled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100_000_000)]
    pub entries: Option<i64>,
    /// SHA-256 over the order that came out: one sign-up id a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 64, max_length = 64)]
    pub digest: Option<String>,
}

/// Read an activity's shuffle / 查看开放时段摇号
///
/// Sign-ups of the first minutes are ordered by SHA-256 over `<seed>:<sign-up id>`. Anybody can compute that again from
/// the published seed and the list of entries; docs/FAIR-DRAW.md says how.
#[utoipa::path(
    tag = "signup", operation_id = "fair_draw_get", security(()),
    params(("id" = ActivityId, Path, description = "The activity")),
    responses((status = 200, description = "The shuffle", body = FairDrawView)),
)]
#[get("/api/v1/activities/{id}/fair-draw")]
pub async fn fair_draw_get(platform: Data<Platform>, id: ApiPath<ActivityId>) -> Result<Reply<FairDrawView>> {
    let view = platform
        .db
        .read(move |c| {
            let activity = offering::store::activity_get(c, id.0)?.activity;
            let draw = offering::fair::get(c, id.0)?.ok_or_else(Error::not_found)?;
            if activity.state == ActivityState::Draft {
                return Err(Error::not_found());
            }
            Ok(FairDrawView {
                commitment: draw.commitment,
                draw_at: rules::draw_at(&activity),
                drawn_at: draw.drawn_at.map(|at| at.and_utc()),
                seed: draw.seed,
                entries: draw.entries,
                digest: draw.digest,
            })
        })
        .await?;
    Ok(Reply::new(view).public())
}

/// A sign-up that was shuffled.
#[derive(Debug, Serialize, ToSchema)]
pub struct DrawnView {
    /// Its rank, from 1.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub rank: i64,
    /// Its id, which says nothing of who it is.
    pub signup_id: SignupId,
}

/// List the order that a shuffle came to / 摇号结果顺序
#[utoipa::path(
    tag = "signup", operation_id = "fair_draw_entries", security(()),
    params(("id" = ActivityId, Path, description = "The activity"), PageQuery),
    responses((status = 200, description = "A page of the order", body = Page<DrawnView>)),
)]
#[get("/api/v1/activities/{id}/fair-draw/entries")]
pub async fn fair_draw_entries(
    platform: Data<Platform>,
    id: ApiPath<ActivityId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<DrawnView>>> {
    let id = id.0;
    let list = format!("fair-draw/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let (first, rows) = platform
        .db
        .read(move |c| {
            let draw = offering::fair::get(c, id)?.ok_or_else(Error::not_found)?;
            let (Some(first), Some(entries)) = (draw.first_number, draw.entries) else {
                return Err(Error::not_found());
            };
            Ok((first, waiting_store::drawn(c, id, (first, first + entries - 1), after, limit)?))
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |row| row.0)?;
    let page = page.map(|(number, signup_id)| DrawnView { rank: number - first + 1, signup_id });
    Ok(Reply::new(page).public())
}
