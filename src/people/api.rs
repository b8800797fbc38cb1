//! One's own profile, and what administrators may do with accounts.

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::content;
use super::id_number::IdNumber;
use super::model::{Audience, ID_NUMBER, PHONE, Person, SealedField};
use super::store::{self, ProfileChange};
use crate::clock::civil_day;
use crate::content::checking::Checks;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{OrganisationId, PersonId};
use crate::org;
use crate::platform::Platform;
use crate::platform::access::policy::{OwnData, PersonReveal};
use crate::platform::access::{Guard, Role, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, IfMatch, Reply};
use crate::platform::vault::{Vault, mask};

/// Oneself.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeView {
    /// One's id.
    pub id: PersonId,
    /// One's name in full: it is one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张三丰")]
    pub name: Option<String>,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20, example = "138****5678")]
    pub phone_masked: Option<String>,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20, example = "440*************10")]
    pub id_number_masked: Option<String>,
    /// Where one works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workplace_id: Option<OrganisationId>,
    /// One's roles as union staff.
    #[schema(max_items = 100)]
    pub roles: Vec<RoleView>,
    /// What one is, as the union has recorded.
    #[schema(max_items = 20)]
    pub audiences: Vec<Audience>,
    /// When one first came.
    pub created_at: DateTime<Utc>,
}

/// A role over a subtree.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleView {
    /// The role.
    pub role: Role,
    /// The root of the subtree.
    pub organisation_id: OrganisationId,
}

fn me_view(
    vault: &Vault,
    (person, audiences): (&Person, Vec<Audience>),
    guard: &Guard<OwnData>,
) -> Result<MeView> {
    let row = person.id.0.as_bytes();
    let masked = |field, sealed: &Option<String>, mask: fn(&str) -> String| match sealed {
        Some(text) => vault
            .open(field, row, text)
            .map(|plain| Some(mask(plain.expose_secret())))
            .map_err(Error::internal),
        None => Ok(None),
    };
    let roles = &guard.actor().standing.grants;
    Ok(MeView {
        id: person.id,
        name: person.name.clone(),
        phone_masked: masked(PHONE, &person.phone_sealed, mask::phone)?,
        id_number_masked: masked(ID_NUMBER, &person.id_number_sealed, mask::id_number)?,
        workplace_id: person.workplace_id,
        roles: roles.iter().map(|g| RoleView { role: g.role, organisation_id: g.organisation }).collect(),
        audiences,
        created_at: person.created_at.and_utc(),
    })
}

/// Read oneself / 读取本人资料
#[utoipa::path(
    tag = "me", operation_id = "me_get", security(("bearer" = ["self"])),
    responses((status = 200, description = "Oneself", body = MeView)),
)]
#[get("/api/v1/me")]
pub async fn me_get(platform: Data<Platform>, guard: Guard<OwnData>) -> Result<Reply<MeView>> {
    let id = guard.person();
    let (person, audiences) = platform.db.read(move |c| with_audiences(c, id)).await?;
    Ok(Reply::new(me_view(&platform.vault, (&person, audiences), &guard)?).version(person.version))
}

/// One's profile.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "张三丰", "id_number": "11010519491231002X"}))]
pub struct ProfileInput {
    /// One's name.
    #[schema(
        min_length = 1,
        max_length = 40,
        pattern = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
    )]
    pub name: String,
    /// Where one works: an enterprise union or a sub-district.
    pub workplace_id: Option<OrganisationId>,
    /// Resident identity card number, 18 signs (GB 11643). Left out, what is there stays.
    #[schema(min_length = 15, max_length = 18)]
    pub id_number: Option<String>,
}

/// Change one's profile / 修改本人资料
#[utoipa::path(
    tag = "me", operation_id = "me_update", security(("bearer" = ["self"])), request_body = ProfileInput,
    params(("If-Match" = String, Header, description = "The ETag that was read", max_length = 100)),
    responses((status = 200, description = "Oneself", body = MeView)),
)]
#[put("/api/v1/me")]
pub async fn me_update(
    platform: Data<Platform>,
    checks: Data<Checks>,
    guard: Guard<OwnData>,
    seen: IfMatch,
    body: ApiJson<ProfileInput>,
) -> Result<Reply<MeView>> {
    let (id, now) = (guard.person(), platform.clock.now());
    let input = body.0;
    let id_number = match &input.id_number {
        Some(text) => Some(IdNumber::parse(text, civil_day(now)).map_err(|fault| {
            Error::invalid(vec![Fault::new("/id_number", "id_number", Text::new(fault.zh(), fault.en()))])
        })?),
        None => None,
    };
    let (vault, checks) = (platform.vault.clone(), Checks::clone(&checks));
    let change = ProfileChange {
        name: input.name,
        workplace: input.workplace_id,
        id_number: id_number.map(|number| number.as_str().to_owned()),
    };
    let (person, audiences) = platform
        .db
        .write(move |c| {
            workplace_exists(c, change.workplace)?;
            let (named, workplace) = (Some(change.name.clone()), change.workplace);
            let renamed = store::get(c, id)?.name != named;
            store::update_profile_in_tx(c, &vault, id, seen.version(), change, now)?;
            if renamed {
                checks.ask_in_tx(c, content::asked(id, workplace), now)?;
            }
            audit::append_in_tx(c, now, vec![Entry::new(id, "person.update", id)])?;
            with_audiences(c, id)
        })
        .await?;
    platform.jobs.ring();
    Ok(Reply::new(me_view(&platform.vault, (&person, audiences), &guard)?).version(person.version))
}

fn with_audiences(conn: &mut Conn, id: PersonId) -> Result<(Person, Vec<Audience>)> {
    let audiences = store::audience_list(conn, id)?.into_iter().map(|row| row.audience).collect();
    Ok((store::get(conn, id)?, audiences))
}

fn workplace_exists(conn: &mut Conn, id: Option<OrganisationId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    org::store::get(conn, id).map(drop).map_err(|error| {
        if error.code() == crate::error::Code::NotFound {
            Error::invalid(vec![Fault::new(
                "/workplace_id",
                "unknown",
                Text::new("没有这个组织", "no such organisation"),
            )])
        } else {
            error
        }
    })
}

/// Why a masked value is to be shown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"field": "phone", "purpose": "电话通知活动改期"}))]
pub struct RevealInput {
    /// Which value.
    pub field: SealedField,
    /// What for; kept in the audit chain.
    #[schema(min_length = 4, max_length = 200)]
    pub purpose: String,
}

/// A value in clear.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevealView {
    /// Which value.
    pub field: SealedField,
    /// The value; absent when the person has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub value: Option<String>,
}

/// Reveal one masked value; audited / 查看一项脱敏信息（记入审计）
#[utoipa::path(
    tag = "people", operation_id = "person_reveal", security(("bearer" = ["person:reveal"])),
    params(("id" = PersonId, Path, description = "The person")), request_body = RevealInput,
    responses((status = 200, description = "The value", body = RevealView)),
)]
#[post("/api/v1/people/{id}/reveals")]
pub async fn person_reveal(
    platform: Data<Platform>,
    guard: Guard<PersonReveal>,
    id: ApiPath<PersonId>,
    body: ApiJson<RevealInput>,
) -> Result<Reply<RevealView>> {
    let (actor, now, vault, scope) =
        (guard.person(), platform.clock.now(), platform.vault.clone(), guard.scope().clone());
    let RevealInput { field, purpose } = body.0;
    let value = platform
        .db
        .write(move |c| {
            let person = in_scope(c, id.0, &scope)?;
            let (place, sealed) = match field {
                SealedField::Phone => (PHONE, person.phone_sealed),
                SealedField::IdNumber => (ID_NUMBER, person.id_number_sealed),
            };
            let value = match sealed {
                Some(text) => {
                    let plain = vault.open(place, person.id.0.as_bytes(), &text).map_err(Error::internal)?;
                    Some(plain.expose_secret().to_owned())
                }
                None => None,
            };
            let entry = Entry::new(actor, "person.reveal", person.id)
                .detail(json!({ "field": field, "purpose": purpose }));
            audit::append_in_tx(c, now, vec![entry])?;
            Ok(value)
        })
        .await?;
    Ok(Reply::new(RevealView { field, value }).secret())
}

/// The person, if their workplace is in `scope`; people without one belong to the district.
pub fn in_scope(conn: &mut Conn, id: PersonId, scope: &Scope) -> Result<Person> {
    let person = store::get(conn, id)?;
    let home = match person.workplace_id {
        Some(workplace) => org::store::get(conn, workplace)?,
        None => org::store::root(conn)?,
    };
    scope.require(&home.path)?;
    Ok(person)
}
