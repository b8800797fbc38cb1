//! Merges over HTTP, and accounts that may be one human.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::acts::{self, Act};
use super::following::Followers;
use super::model::{MergeState, PersonMerge};
use super::store::{self, Wanted};
use crate::error::Result;
use crate::ids::{PersonId, PersonMergeId};
use crate::org;
use crate::people;
use crate::people::api::in_scope;
use crate::people::store::Alike;
use crate::platform::Platform;
use crate::platform::access::policy::PersonMerging;
use crate::platform::access::{Guard, Scope};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;

/// That two accounts are one human.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonMergeView {
    /// Its id.
    pub id: PersonMergeId,
    /// The account that is kept.
    pub kept_id: PersonId,
    /// The account that stands for it, and rests.
    pub merged_id: PersonId,
    /// Where in its life it is.
    pub state: MergeState,
    /// Why they are one human.
    #[schema(max_length = 500, example = "同一职工先由名册登记，后用微信登录")]
    pub reason: String,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<PersonId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// Why they are two after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub parting_reason: Option<String>,
    /// Who proposed to part them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parting_by: Option<PersonId>,
    /// Who agreed to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parted_by: Option<PersonId>,
    /// When they became two again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parted_at: Option<DateTime<Utc>>,
}

impl From<PersonMerge> for PersonMergeView {
    fn from(row: PersonMerge) -> Self {
        Self {
            id: row.id,
            kept_id: row.kept_id,
            merged_id: row.merged_id,
            state: row.state,
            reason: row.reason,
            proposed_by: row.proposed_by,
            proposed_at: row.proposed_at.and_utc(),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(|at| at.and_utc()),
            parting_reason: row.parting_reason,
            parting_by: row.parting_by,
            parted_by: row.parted_by,
            parted_at: row.parted_at.map(|at| at.and_utc()),
        }
    }
}

/// Somebody who may be the same human.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlikeView {
    /// Their account.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
    /// Whether they have the same mobile number.
    pub same_phone: bool,
    /// Whether they have the same name and workplace.
    pub same_name_and_workplace: bool,
}

/// Accounts that may be one human.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlikeList {
    /// Twenty at most.
    #[schema(max_items = 20)]
    pub items: Vec<AlikeView>,
}

/// List accounts that may be the same human / 列出疑似同一人的账号
#[utoipa::path(
    tag = "people", operation_id = "person_alike_list", security(("bearer" = ["person:merge"])),
    params(("id" = PersonId, Path, description = "The person")),
    responses((status = 200, description = "Who has the same number, or name and workplace", body = AlikeList)),
)]
#[get("/api/v1/people/{id}/alike")]
pub async fn person_alike_list(
    platform: Data<Platform>,
    guard: Guard<PersonMerging>,
    id: ApiPath<PersonId>,
) -> Result<Reply<AlikeList>> {
    let scope = guard.scope().clone();
    let found = platform
        .db
        .read(move |c| {
            let person = in_scope(c, id.0, &scope)?;
            let mut found = people::store::alike(c, &person, 20)?;
            found.retain(|one| in_scope(c, one.person, &scope).is_ok());
            Ok(found)
        })
        .await?;
    let view = |one: Alike| AlikeView {
        person_id: one.person,
        name_masked: one.name.as_deref().map(mask::name),
        same_phone: one.same_phone,
        same_name_and_workplace: one.same_name,
    };
    Ok(Reply::new(AlikeList { items: found.into_iter().map(view).collect() }).secret())
}

/// Which account is the same human.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"merged_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "reason": "同一职工先由名册登记，后用微信登录"}))]
pub struct PersonMergeInput {
    /// The account that will rest.
    pub merged_id: PersonId,
    /// Why they are one human; kept.
    #[schema(min_length = 2, max_length = 500)]
    pub reason: String,
}

/// Propose to merge an account into this one / 提议合并账号
///
/// It has no effect before another officer agrees. Everything that is unfinished is named (`people_unfinished`): places that are still
/// to be used, requests and cases that are open, roles of staff, penalties, sessions at which both were present.
#[utoipa::path(
    tag = "people", operation_id = "person_merge_create", security(("bearer" = ["person:merge"])),
    params(("id" = PersonId, Path, description = "The account that is kept"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PersonMergeInput,
    responses((status = 201, description = "The proposal", body = PersonMergeView)),
)]
#[post("/api/v1/people/{id}/merges")]
pub async fn person_merge_create(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<PersonMerging>,
    id: ApiPath<PersonId>,
    body: Idempotent<PersonMergeInput>,
) -> Result<Stored> {
    let (scope, kept, merge, followers) =
        (guard.scope().clone(), id.0, platform.ids.id(), followers.get_ref().clone());
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let PersonMergeInput { merged_id, reason } = body.body;
    let run = move |c: &mut Conn| {
        in_scope(c, kept, &scope)?;
        in_scope(c, merged_id, &scope)?;
        let row = acts::propose_in_tx(c, &followers, merge, (kept, merged_id), &reason, act)?;
        Stored::created(format!("/api/v1/merges/{merge}"), row.version, &PersonMergeView::from(row))
    };
    platform.idempotency.run(act.by, body.key, run).await
}

/// Which merges.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PersonMergeQuery {
    /// In this state.
    #[param(inline)]
    pub state: Option<MergeState>,
    /// In which this account has a part.
    #[param(inline)]
    pub person: Option<PersonId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List merges of one's subtree, oldest first / 列出账号合并
#[utoipa::path(
    tag = "people", operation_id = "person_merge_list", security(("bearer" = ["person:merge"])), params(PersonMergeQuery),
    responses((status = 200, description = "A page of merges", body = Page<PersonMergeView>)),
)]
#[get("/api/v1/merges")]
pub async fn person_merge_list(
    platform: Data<Platform>,
    guard: Guard<PersonMerging>,
    query: ApiQuery<PersonMergeQuery>,
) -> Result<Reply<Page<PersonMergeView>>> {
    let PersonMergeQuery { state, person, limit, cursor } = query.0;
    let (page, scope) = (PageQuery { limit, cursor }, guard.scope().clone());
    let list = format!("merges/{}/{state:?}/{person:?}", guard.person());
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            // Whoever works nowhere belongs to the district.
            let all = scope.covers(&org::store::root(c)?.path);
            let patterns = (!all).then(|| scope.patterns().collect());
            store::list(c, patterns, &Wanted { state, person }, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &page, rows, |row| row.id)?;
    Ok(Reply::new(page.map(Into::into)))
}

fn within(conn: &mut Conn, id: PersonMergeId, scope: &Scope) -> Result<PersonMerge> {
    let row = store::get(conn, id)?;
    in_scope(conn, row.kept_id, scope)?;
    Ok(row)
}

/// Read a merge / 读取账号合并
#[utoipa::path(
    tag = "people", operation_id = "person_merge_get", security(("bearer" = ["person:merge"])),
    params(("id" = PersonMergeId, Path, description = "The merge")),
    responses((status = 200, description = "The merge", body = PersonMergeView)),
)]
#[get("/api/v1/merges/{id}")]
pub async fn person_merge_get(
    platform: Data<Platform>,
    guard: Guard<PersonMerging>,
    id: ApiPath<PersonMergeId>,
) -> Result<Reply<PersonMergeView>> {
    let scope = guard.scope().clone();
    let row = platform.db.read(move |c| within(c, id.0, &scope)).await?;
    let version = row.version;
    Ok(Reply::new(row.into()).version(version))
}

/// Whether an officer agrees.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agree": true}))]
pub struct PersonMergeDecisionInput {
    /// True lets it happen; false ends the proposal.
    pub agree: bool,
}

/// Decide a proposed merge, or a proposed parting / 同意或不同意合并（拆分）
///
/// By another officer than who proposed it (`second_officer_required`); the database holds that, too. From then on both accounts are one human: the
/// merged one rests, its WeChat login opens the kept one, and figures of different people count both once. Closed months change by restatement only.
#[utoipa::path(
    tag = "people", operation_id = "person_merge_decide", security(("bearer" = ["person:merge"])),
    params(("id" = PersonMergeId, Path, description = "The merge"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PersonMergeDecisionInput,
    responses((status = 200, description = "The merge", body = PersonMergeView)),
)]
#[post("/api/v1/merges/{id}/decisions")]
pub async fn person_merge_decide(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<PersonMerging>,
    id: ApiPath<PersonMergeId>,
    body: Idempotent<PersonMergeDecisionInput>,
) -> Result<Stored> {
    let (scope, id, agree, followers) =
        (guard.scope().clone(), id.0, body.body.agree, followers.get_ref().clone());
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let run = move |c: &mut Conn| {
        within(c, id, &scope)?;
        let row = acts::decide_in_tx(c, &followers, id, agree, act)?;
        Stored::done(row.version, &PersonMergeView::from(row))
    };
    let stored = platform.idempotency.run(act.by, body.key, run).await?;
    platform.access.forget();
    platform.jobs.ring();
    Ok(stored)
}

/// Why two accounts are two humans after all.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "经核实为同名的两名职工"}))]
pub struct PersonPartingInput {
    /// In words; kept.
    #[schema(min_length = 2, max_length = 500)]
    pub reason: String,
}

/// Propose to part merged accounts / 提议拆分
///
/// It has no effect before another officer agrees. Then both count for themselves again, as if they had never been one.
#[utoipa::path(
    tag = "people", operation_id = "person_parting_create", security(("bearer" = ["person:merge"])),
    params(("id" = PersonMergeId, Path, description = "The merge"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = PersonPartingInput,
    responses((status = 200, description = "The merge", body = PersonMergeView)),
)]
#[post("/api/v1/merges/{id}/partings")]
pub async fn person_parting_create(
    platform: Data<Platform>,
    guard: Guard<PersonMerging>,
    id: ApiPath<PersonMergeId>,
    body: Idempotent<PersonPartingInput>,
) -> Result<Stored> {
    let (scope, id, reason) = (guard.scope().clone(), id.0, body.body.reason);
    let act = Act { by: guard.person(), now: platform.clock.now() };
    let run = move |c: &mut Conn| {
        within(c, id, &scope)?;
        let row = acts::part_in_tx(c, id, &reason, act)?;
        Stored::done(row.version, &PersonMergeView::from(row))
    };
    platform.idempotency.run(act.by, body.key, run).await
}
