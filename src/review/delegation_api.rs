//! Who stands in for whom: delegations of officers.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::model::Delegation;
use super::{cover, views};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{DelegationId, OrganisationId, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::Platform;
use crate::platform::access::Actor;
use crate::platform::access::guard::Guard;
use crate::platform::access::policy::{Permission, ReviewDecide};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{people as people_table, staff_grants};
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;
use crate::{org, people, policy};

/// That somebody decides in another's stead.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DelegationView {
    /// Its id.
    pub id: DelegationId,
    /// In whose stead.
    pub from_id: PersonId,
    /// In whose stead, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "李*")]
    pub from_masked: Option<String>,
    /// Who.
    pub to_id: PersonId,
    /// Who, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "王*")]
    pub to_masked: Option<String>,
    /// At which body.
    pub organisation_id: OrganisationId,
    /// At which body.
    #[schema(max_length = 60, example = "平湖街道")]
    pub organisation_name: String,
    /// Why.
    #[schema(max_length = 200, example = "外出培训")]
    pub reason: String,
    /// From when on.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

fn delegation_views(conn: &mut Conn, rows: Vec<Delegation>) -> Result<Vec<DelegationView>> {
    let who: Vec<PersonId> = rows.iter().flat_map(|row| [row.from_id, row.to_id]).collect();
    let names = people::store::names(conn, &who)?;
    let masked = |id: PersonId| names.get(&id).map(|name| mask::name(name));
    let at: Vec<OrganisationId> = rows.iter().map(|row| row.organisation_id).collect();
    let bodies = org::store::short_names(conn, &at)?;
    let view = |row: Delegation| DelegationView {
        id: row.id,
        from_id: row.from_id,
        from_masked: masked(row.from_id),
        to_id: row.to_id,
        to_masked: masked(row.to_id),
        organisation_id: row.organisation_id,
        organisation_name: bodies.get(&row.organisation_id).cloned().unwrap_or_default(),
        reason: row.reason,
        from_at: row.from_at.and_utc(),
        until_at: row.until_at.and_utc(),
        revoked_at: row.revoked_at.map(|at| at.and_utc()),
        made_at: row.made_at.and_utc(),
    };
    Ok(rows.into_iter().map(view).collect())
}

fn delegation_view(conn: &mut Conn, row: Delegation) -> Result<DelegationView> {
    let view = delegation_views(conn, vec![row])?.pop();
    view.ok_or_else(|| Error::internal("a delegation without its view"))
}

/// Who is to decide in one's stead.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "from_at": "2026-07-01T09:00:00+08:00", "until_at": "2026-07-10T18:00:00+08:00", "reason": "外出培训"}))]
pub struct DelegationInput {
    /// Somebody who decides requests anywhere.
    pub to_id: PersonId,
    /// The body at which one decides.
    pub organisation_id: OrganisationId,
    /// From when on; not in the past.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// Why one is away.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// Let somebody decide in one's stead for a time / 委托他人代为办理
///
/// At a body where one decides in one's own right: what was delegated is not passed on. For `review.delegation_max` days at most;
/// of one person, given or taken, twenty may be in force or still to come (`delegation_too_many`). A message tells whoever stands in.
#[utoipa::path(
    tag = "review", operation_id = "review_delegation_create", security(("bearer" = ["review:decide"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = DelegationInput,
    responses((status = 201, description = "Delegated", body = DelegationView)),
)]
#[post("/api/v1/review-delegations")]
pub async fn review_delegation_create(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    body: Idempotent<DelegationInput>,
) -> Result<Stored> {
    let (now, actor, ids) = (platform.clock.now(), guard.person(), platform.ids.clone());
    let (id, input): (DelegationId, DelegationInput) = (ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let faults = delegation_faults(c, guard.actor(), &input, now)?;
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        let row = Delegation {
            id,
            from_id: actor,
            to_id: input.to_id,
            organisation_id: input.organisation_id,
            reason: input.reason.clone(),
            from_at: db_time(input.from_at),
            until_at: db_time(input.until_at),
            revoked_at: None,
            made_at: db_time(now),
        };
        room_in_tx(c, &row, now)?;
        cover::delegation_create_in_tx(c, &row)?;
        let view = delegation_view(c, row)?;
        let mut beside = Beside::default();
        let (from, until) = (views::instant(view.from_at), views::shown(view.until_at));
        beside.messages.push(told(&view, &format!("委托您自{from}至{until}代为办理审核事项。")));
        let detail = json!({
            "to": input.to_id, "organisation": input.organisation_id, "from": input.from_at, "until": input.until_at,
        });
        beside.entries.push(Entry::new(actor, "review.delegate", id).detail(detail));
        beside.write_in_tx(c, &ids, now)?;
        Stored::created("/api/v1/review-delegations".into(), 1, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// Refuses one too many, of whoever gives it and of whoever takes it. The locks of the two make it exact.
fn room_in_tx(conn: &mut Conn, row: &Delegation, now: DateTime<Utc>) -> Result<()> {
    cover::people_lock_in_tx(conn, &[row.from_id, row.to_id])?;
    let (given, taken) = cover::delegations_live(conn, row.from_id, row.to_id, now)?;
    if given >= cover::DELEGATIONS {
        return Err(Error::new(Code::DelegationTooMany).detail(
            format!("您的有效委托已达{}项，请先收回一些", cover::DELEGATIONS),
            format!("You have given {} already; take some back first", cover::DELEGATIONS),
        ));
    }
    if taken >= cover::DELEGATIONS {
        return Err(Error::new(Code::DelegationTooMany).detail(
            format!("该人员受托的已达{}项，请委托其他人员", cover::DELEGATIONS),
            format!("That person stands in for {} already; ask somebody else", cover::DELEGATIONS),
        ));
    }
    Ok(())
}

/// Tells whoever stands in.
fn told(view: &DelegationView, what: &str) -> Message {
    let giver = view.from_masked.as_deref().unwrap_or("同事");
    Message {
        person: view.to_id,
        kind: NoticeKind::ReviewDelegated,
        subject: view.organisation_name.clone(),
        detail: format!("{giver}{what}"),
        link: "/api/v1/review-delegations".to_owned(),
    }
}

/// Everything that is wrong with a delegation by `giver`.
fn delegation_faults(
    conn: &mut Conn,
    giver: &Actor,
    input: &DelegationInput,
    now: DateTime<Utc>,
) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, code: &'static str, zh: String, en: String| {
        faults.push(Fault::new(pointer, code, Text::new(zh, en)));
    };
    let holds = giver.standing.grants.iter().any(|grant| {
        ReviewDecide::ROLES.contains(&grant.role) && grant.organisation == input.organisation_id
    });
    if !holds {
        fault(
            "/organisation_id",
            "not_allowed",
            "您在该组织没有审核权限".into(),
            "you do not decide requests in your own right there".into(),
        );
    }
    if input.to_id == giver.person {
        fault("/to_id", "not_allowed", "不能委托本人".into(), "one cannot delegate to oneself".into());
    } else if !may_decide(conn, input.to_id)? {
        fault(
            "/to_id",
            "unknown",
            "该人员不存在、已停用或不是审核人员".into(),
            "not there, disabled, or nobody who decides requests".into(),
        );
    }
    if input.from_at < now {
        fault("/from_at", "minimum", "不能早于现在".into(), "not before now".into());
    }
    let days = policy::store::number_on(conn, "review.delegation_max", civil_day(now))?;
    if input.until_at <= input.from_at {
        fault("/until_at", "minimum", "应晚于开始时间".into(), "must be after from_at".into());
    } else if input.until_at - input.from_at > TimeDelta::days(days) {
        fault(
            "/until_at",
            "maximum",
            format!("委托最长{days}天"),
            format!("at most {days} days after from_at"),
        );
    }
    Ok(faults)
}

/// Whether `person` decides requests anywhere, with an account that is not disabled.
fn may_decide(conn: &mut Conn, person: PersonId) -> Result<bool> {
    let grants: i64 = staff_grants::table
        .inner_join(people_table::table.on(people_table::id.eq(staff_grants::person_id)))
        .filter(staff_grants::person_id.eq(person))
        .filter(staff_grants::role.eq_any(ReviewDecide::ROLES.to_vec()))
        .filter(staff_grants::revoked_at.is_null())
        .filter(people_table::disabled_at.is_null())
        .count()
        .get_result(conn)?;
    Ok(grants > 0)
}

/// List delegations that one gave or was given, newest first / 列出本人的委托
#[utoipa::path(
    tag = "review", operation_id = "review_delegation_list", security(("bearer" = ["review:decide"])), params(PageQuery),
    responses((status = 200, description = "A page of delegations", body = Page<DelegationView>)),
)]
#[get("/api/v1/review-delegations")]
pub async fn review_delegation_list(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<DelegationView>>> {
    let person = guard.person();
    let list = format!("review-delegations/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let rows = cover::delegations(c, person, before, limit)?;
            delegation_views(c, rows)
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, rows, |row| row.id)?))
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct RevocationInput {}

/// Take back a delegation of one's own / 收回委托
///
/// It ends at once, and whoever stood in is told; taking it back again changes nothing.
#[utoipa::path(
    tag = "review", operation_id = "review_delegation_revoke", security(("bearer" = ["review:decide"])),
    params(("id" = DelegationId, Path, description = "The delegation"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = RevocationInput,
    responses((status = 200, description = "The delegation, taken back", body = DelegationView)),
)]
#[post("/api/v1/review-delegations/{id}/revocations")]
pub async fn review_delegation_revoke(
    platform: Data<Platform>,
    guard: Guard<ReviewDecide>,
    id: ApiPath<DelegationId>,
    body: Idempotent<RevocationInput>,
) -> Result<Stored> {
    let (now, actor, id, ids) = (platform.clock.now(), guard.person(), id.0, platform.ids.clone());
    let act = move |c: &mut Conn| {
        let (row, ended) = cover::delegation_revoke_in_tx(c, id, actor, now)?;
        let view = delegation_view(c, row)?;
        let mut beside = Beside::default();
        if ended && view.until_at > now {
            beside.messages.push(told(&view, "已收回委托，您不再代为办理。"));
        }
        beside.entries.push(Entry::new(actor, "review.delegation_revoke", id));
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(1, &view)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
