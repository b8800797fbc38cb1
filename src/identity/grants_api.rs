//! Staff rights over HTTP: an administrator grants inside the own subtree only.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::StaffGrant;
use super::store;
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{GrantId, OrganisationId, PersonId};
use crate::platform::Platform;
use crate::platform::access::policy::StaffManage;
use crate::platform::access::{Guard, Role};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;
use crate::{org, people};

/// A role over a subtree.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// Its id.
    pub id: GrantId,
    /// Whose.
    pub person_id: PersonId,
    /// Whose, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub person_name_masked: Option<String>,
    /// The role.
    pub role: Role,
    /// The root of the subtree.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 120, example = "平湖街道总工会")]
    pub organisation_name: String,
    /// Since when.
    pub granted_at: DateTime<Utc>,
}

fn view(grant: StaffGrant, organisation: String, person: Option<String>) -> GrantView {
    GrantView {
        id: grant.id,
        person_id: grant.person_id,
        person_name_masked: person.as_deref().map(mask::name),
        role: grant.role,
        organisation_id: grant.organisation_id,
        organisation_name: organisation,
        granted_at: grant.granted_at.and_utc(),
    }
}

/// Which grants.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GrantFilter {
    /// Only this person's.
    #[param(inline)]
    pub person: Option<PersonId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List staff grants in one's subtree / 列出工作人员授权
#[utoipa::path(
    tag = "staff", operation_id = "grant_list", security(("bearer" = ["staff:manage"])), params(GrantFilter),
    responses((status = 200, description = "A page of grants", body = Page<GrantView>)),
)]
#[get("/api/v1/staff-grants")]
pub async fn grant_list(
    platform: Data<Platform>,
    guard: Guard<StaffManage>,
    filter: ApiQuery<GrantFilter>,
) -> Result<Reply<Page<GrantView>>> {
    let filter = filter.0;
    let list = format!("grants/{}/{:?}", guard.person(), filter.person);
    let query = PageQuery { limit: filter.limit, cursor: filter.cursor };
    let after = platform.cursors.open(&list, &query)?;
    let (patterns, limit) = (guard.scope().patterns().collect(), query.limit() + 1);
    let rows = platform.db.read(move |c| store::grants(c, patterns, filter.person, after, limit)).await?;
    let page = platform.cursors.page(&list, &query, rows, |row| row.0.id)?;
    Ok(Reply::new(page.map(|(grant, organisation, person)| view(grant, organisation, person))))
}

/// A role to grant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "role": "checkin_staff", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct GrantInput {
    /// To whom.
    pub person_id: PersonId,
    /// The role.
    pub role: Role,
    /// The root of the subtree; inside one's own.
    pub organisation_id: OrganisationId,
}

/// What is not there, or not in the scope, is a wrong field where a body names it.
fn unknown(error: Error, pointer: &str) -> Error {
    if error.code() != Code::NotFound {
        return error;
    }
    let text = Text::new("不存在，或不在您的权限范围内", "not there, or not in your scope");
    Error::invalid(vec![Fault::new(pointer, "unknown", text)])
}

/// Grant a role over a subtree / 授权
#[utoipa::path(
    tag = "staff", operation_id = "grant_create", security(("bearer" = ["staff:manage"])), request_body = GrantInput,
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    responses((status = 201, description = "Granted", body = GrantView)),
)]
#[post("/api/v1/staff-grants")]
pub async fn grant_create(
    platform: Data<Platform>,
    guard: Guard<StaffManage>,
    body: Idempotent<GrantInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input): (GrantId, GrantInput) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let organisation = org::store::get(c, input.organisation_id)
            .and_then(|row| scope.require(&row.path).map(|()| row))
            .map_err(|error| unknown(error, "/organisation_id"))?;
        let person =
            people::store::get_there(c, input.person_id).map_err(|error| unknown(error, "/person_id"))?;
        let grant = StaffGrant {
            id,
            person_id: person.id,
            role: input.role,
            organisation_id: organisation.id,
            granted_by: Some(actor),
            granted_at: db_time(now),
            revoked_at: None,
        };
        let grant = store::grant_in_tx(c, grant)?.ok_or_else(|| {
            Error::new(Code::UniqueTaken).detail("该人员已有此授权", "The person has this role there already")
        })?;
        let entry = Entry::new(actor, "grant.create", id)
            .detail(json!({ "person": person.id, "role": input.role, "organisation": organisation.code }));
        audit::append_in_tx(c, now, vec![entry])?;
        Stored::created(format!("/api/v1/staff-grants/{id}"), 1, &view(grant, organisation.name, person.name))
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.access.forget();
    Ok(stored)
}

/// Read a live grant / 读取授权
#[utoipa::path(
    tag = "staff", operation_id = "grant_get", security(("bearer" = ["staff:manage"])),
    params(("id" = GrantId, Path, description = "The grant")),
    responses((status = 200, description = "The grant", body = GrantView)),
)]
#[get("/api/v1/staff-grants/{id}")]
pub async fn grant_get(
    platform: Data<Platform>,
    guard: Guard<StaffManage>,
    id: ApiPath<GrantId>,
) -> Result<Reply<GrantView>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let view = platform
        .db
        .read(move |c| {
            let (grant, path) = store::grant_get(c, id)?;
            scope.require(&path)?;
            let organisation = org::store::get(c, grant.organisation_id)?;
            let person = people::store::get(c, grant.person_id)?;
            Ok(view(grant, organisation.name, person.name))
        })
        .await?;
    Ok(Reply::new(view))
}

/// Revoke a grant / 撤销授权
#[utoipa::path(
    tag = "staff", operation_id = "grant_revoke", security(("bearer" = ["staff:manage"])),
    params(("id" = GrantId, Path, description = "The grant")),
    responses((status = 204, description = "Revoked")),
)]
#[delete("/api/v1/staff-grants/{id}")]
pub async fn grant_revoke(
    platform: Data<Platform>,
    guard: Guard<StaffManage>,
    id: ApiPath<GrantId>,
) -> Result<HttpResponse> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    platform
        .db
        .write(move |c| {
            let (grant, path) = store::grant_get(c, id)?;
            scope.require(&path)?;
            if !store::revoke_in_tx(c, id, now)? {
                return Err(Error::not_found());
            }
            let detail = json!({ "person": grant.person_id, "role": grant.role });
            audit::append_in_tx(c, now, vec![Entry::new(actor, "grant.revoke", id).detail(detail)])
        })
        .await?;
    platform.access.forget();
    Ok(HttpResponse::NoContent().finish())
}
