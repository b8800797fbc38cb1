//! What somebody is, as far as quotas and waves go: recorded by staff, with what shows it.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::in_scope;
use super::model::{Audience, PersonAudience};
use super::store;
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::PersonId;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::AudienceRecord;
use crate::platform::audit::{self, Entry};
use crate::platform::http::{ApiJson, ApiPath, ApiPaths, Reply};

/// What somebody is.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudienceView {
    /// What.
    pub audience: Audience,
    /// What shows it.
    #[schema(max_length = 200, example = "全国五一劳动奖章证书")]
    pub basis: String,
    /// Who recorded it.
    pub recorded_by: PersonId,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

impl From<PersonAudience> for AudienceView {
    fn from(row: PersonAudience) -> Self {
        Self {
            audience: row.audience,
            basis: row.basis,
            recorded_by: row.recorded_by,
            recorded_at: row.recorded_at.and_utc(),
        }
    }
}

/// All that is recorded of somebody.
#[derive(Debug, Serialize, ToSchema)]
pub struct AudiencesView {
    /// By name.
    #[schema(max_items = 20)]
    pub items: Vec<AudienceView>,
}

/// List what somebody is / 读取职工的人群身份
#[utoipa::path(
    tag = "people", operation_id = "person_audience_list", security(("bearer" = ["audience:record"])),
    params(("id" = PersonId, Path, description = "The person")),
    responses((status = 200, description = "What is recorded", body = AudiencesView)),
)]
#[get("/api/v1/people/{id}/audiences")]
pub async fn person_audience_list(
    platform: Data<Platform>,
    guard: Guard<AudienceRecord>,
    id: ApiPath<PersonId>,
) -> Result<Reply<AudiencesView>> {
    let scope = guard.scope().clone();
    let rows = platform
        .db
        .read(move |c| {
            in_scope(c, id.0, &scope)?;
            store::audience_list(c, id.0)
        })
        .await?;
    Ok(Reply::new(AudiencesView { items: rows.into_iter().map(Into::into).collect() }))
}

/// What shows that somebody belongs to an audience.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"basis": "全国五一劳动奖章证书"}))]
pub struct AudienceInput {
    /// A certificate, a list, a contract that was seen.
    #[schema(min_length = 2, max_length = 200, pattern = r"\S")]
    pub basis: String,
}

/// Record what somebody is / 记录职工的人群身份
///
/// The address says all of it, so the same again changes nothing, and there is no version to read before. Never of oneself
/// (`second_officer_required`).
#[utoipa::path(
    tag = "people", operation_id = "person_audience_record", security(("bearer" = ["audience:record"])),
    params(("id" = PersonId, Path, description = "The person"),
           ("audience" = Audience, Path, description = "What they are; not `all`, which everybody is")),
    request_body = AudienceInput,
    responses((status = 200, description = "As recorded", body = AudienceView)),
)]
#[put("/api/v1/people/{id}/audiences/{audience}")]
pub async fn person_audience_record(
    platform: Data<Platform>,
    guard: Guard<AudienceRecord>,
    path: ApiPaths<PersonId, Audience>,
    body: ApiJson<AudienceInput>,
) -> Result<Reply<AudienceView>> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, audience) = (path.0, path.1);
    if audience == Audience::All {
        let detail = Text::new("人人都是全体职工，无需记录", "everybody is; there is nothing to record");
        return Err(Error::invalid(vec![Fault::new("/path/audience", "enum", detail)]));
    }
    if id == actor {
        // It opens quotas and waves, so nobody says it of themselves.
        return Err(Error::new(Code::SecondOfficer));
    }
    let row = PersonAudience {
        person_id: id,
        audience,
        basis: body.0.basis,
        recorded_by: actor,
        recorded_at: db_time(now),
    };
    let row = platform
        .db
        .write(move |c| {
            in_scope(c, id, &scope)?;
            store::get_there(c, id)?;
            store::audience_record_in_tx(c, &row)?;
            let entry = Entry::new(actor, "person.audience_record", id);
            audit::append_in_tx(c, now, vec![entry.detail(json!({ "audience": audience }))])?;
            Ok(row)
        })
        .await?;
    Ok(Reply::new(row.into()))
}

/// Take back what was recorded of somebody / 撤销职工的人群身份
#[utoipa::path(
    tag = "people", operation_id = "person_audience_remove", security(("bearer" = ["audience:record"])),
    params(("id" = PersonId, Path, description = "The person"),
           ("audience" = Audience, Path, description = "What they are not")),
    responses((status = 204, description = "It is not recorded any more")),
)]
#[delete("/api/v1/people/{id}/audiences/{audience}")]
pub async fn person_audience_remove(
    platform: Data<Platform>,
    guard: Guard<AudienceRecord>,
    path: ApiPaths<PersonId, Audience>,
) -> Result<HttpResponse> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, audience) = (path.0, path.1);
    platform
        .db
        .write(move |c| {
            in_scope(c, id, &scope)?;
            if !store::audience_remove_in_tx(c, id, audience)? {
                return Err(Error::not_found());
            }
            let entry = Entry::new(actor, "person.audience_remove", id);
            audit::append_in_tx(c, now, vec![entry.detail(json!({ "audience": audience }))])
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
