//! Lawyers over HTTP: who takes cases, when, of which classes and how many. Their numbers are masked.

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::lawyers::{self, Placed};
use super::model::{LAWYER_PHONE, LICENCE, Lawyer, LawyerClient};
use super::{opened, sealed, station_api};
use crate::clock::db_time;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{LawyerId, LegalStationId, OrganisationId, PersonId};
use crate::legal_aid::model::{Category, Side};
use crate::legal_aid::parties;
use crate::people;
use crate::people::phone::Phone;
use crate::platform::Platform;
use crate::platform::access::policy::LegalHands;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{
    ApiJson, ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored,
};
use crate::platform::vault::{Vault, mask};

/// A lawyer who takes cases.
#[derive(Debug, Serialize, ToSchema)]
pub struct LawyerView {
    /// Their id.
    pub id: LawyerId,
    /// Who.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
    /// At which station.
    pub station_id: LegalStationId,
    /// At which station.
    #[schema(max_length = 60, example = "平湖街道工会法律服务站")]
    pub station_name: String,
    /// Who keeps the station.
    pub organisation_id: OrganisationId,
    /// Their law firm.
    #[schema(max_length = 60, example = "示例律师事务所")]
    pub firm: String,
    /// Masked.
    #[schema(max_length = 20, example = "144************01")]
    pub licence_masked: String,
    /// Masked.
    #[schema(max_length = 20, example = "138****8000")]
    pub phone_masked: String,
    /// Which classes of cases they take.
    #[schema(max_items = 5)]
    pub categories: Vec<Category>,
    /// How many open cases at most.
    #[schema(minimum = 1, maximum = 500)]
    pub capacity: i64,
    /// First day of duty.
    pub on_duty_from: NaiveDate,
    /// Last day of duty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_duty_until: Option<NaiveDate>,
    /// For how many they act or acted outside legal aid. For whom is kept as hashes only.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub clients: i64,
    /// When they were registered.
    pub registered_at: DateTime<Utc>,
}

impl LawyerView {
    fn new((row, station, keeper, name): Placed, clients: i64, vault: &Vault) -> Result<Self> {
        let key = row.id.0;
        let open = |field, text: &str| opened(vault, field, key.as_bytes(), text);
        Ok(Self {
            id: row.id,
            person_id: row.person_id,
            name_masked: name.as_deref().map(mask::name),
            station_id: row.station_id,
            station_name: station.name,
            organisation_id: keeper.id,
            licence_masked: mask::id_number(&open(LICENCE, &row.licence_sealed)?),
            phone_masked: mask::phone(&open(LAWYER_PHONE, &row.phone_sealed)?),
            categories: row.categories()?,
            firm: row.firm,
            capacity: row.capacity,
            on_duty_from: row.on_duty_from,
            on_duty_until: row.on_duty_until,
            clients,
            registered_at: row.registered_at.and_utc(),
        })
    }

    fn one(conn: &mut Conn, id: LawyerId, vault: &Vault) -> Result<Self> {
        let clients = lawyers::clients(conn, &[id])?.remove(&id).unwrap_or(0);
        Self::new(lawyers::get(conn, id)?, clients, vault)
    }
}

/// List lawyers at stations of one's subtree / 列出援助律师
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_list", security(("bearer" = ["legal:hands"])), params(PageQuery),
    responses((status = 200, description = "A page of lawyers, oldest first", body = Page<LawyerView>)),
)]
#[get("/api/v1/legal-lawyers")]
pub async fn legal_lawyer_list(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<LawyerView>>> {
    let (page, scope, vault) = (query.0, guard.scope().clone(), platform.vault.clone());
    let list = format!("legal-lawyers/{}", guard.person());
    let after: Option<LawyerId> = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let views = platform.db.read(move |c| {
        let rows = lawyers::list(c, scope.patterns().collect(), after, limit)?;
        let ids: Vec<LawyerId> = rows.iter().map(|(row, ..)| row.id).collect();
        let clients = lawyers::clients(c, &ids)?;
        let count = |row: &Placed| clients.get(&row.0.id).copied().unwrap_or(0);
        rows.into_iter()
            .map(|row| {
                let count = count(&row);
                LawyerView::new(row, count, &vault)
            })
            .collect::<Result<Vec<_>>>()
    });
    Ok(Reply::new(platform.cursors.page(&list, &page, views.await?, |view| view.id)?))
}

/// Read a lawyer / 查看援助律师
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_get", security(("bearer" = ["legal:hands"])),
    params(("id" = LawyerId, Path, description = "The lawyer")),
    responses((status = 200, description = "The lawyer", body = LawyerView)),
)]
#[get("/api/v1/legal-lawyers/{id}")]
pub async fn legal_lawyer_get(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    id: ApiPath<LawyerId>,
) -> Result<Reply<LawyerView>> {
    let (scope, vault, id) = (guard.scope().clone(), platform.vault.clone(), id.0);
    let (view, version) = platform
        .db
        .read(move |c| {
            let version = seen(c, id, &scope)?.version;
            Ok((LawyerView::one(c, id, &vault)?, version))
        })
        .await?;
    Ok(Reply::new(view).version(version))
}

/// A lawyer at a station inside `scope`; 404 outside.
fn seen(conn: &mut Conn, id: LawyerId, scope: &Scope) -> Result<Lawyer> {
    let (row, _, keeper, _) = lawyers::get(conn, id)?;
    scope.require(&keeper.path)?;
    Ok(row)
}

/// What a lawyer does.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"station_id": "lst_01k5b8m3q2e9t8h6y1v7z4w0xn", "firm": "示例律师事务所",
    "categories": ["labour_dispute", "rights"], "capacity": 8, "on_duty_from": "2025-01-01"}))]
pub struct LawyerDutyInput {
    /// At which station; an open one inside one's own subtree.
    pub station_id: LegalStationId,
    /// Their law firm.
    #[schema(min_length = 1, max_length = 60, pattern = r"^\S([^\x00]*\S)?$")]
    pub firm: String,
    /// Which classes of cases they take.
    #[schema(min_items = 1, max_items = 5)]
    pub categories: Vec<Category>,
    /// How many open cases at most.
    #[schema(minimum = 1, maximum = 500)]
    pub capacity: i64,
    /// First day of duty.
    pub on_duty_from: NaiveDate,
    /// Last day of duty; left out, there is none yet.
    pub on_duty_until: Option<NaiveDate>,
}

/// A lawyer to register.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "licence": "14403201010000001",
    "phone": "13800138000", "duty": {"station_id": "lst_01k5b8m3q2e9t8h6y1v7z4w0xn", "firm": "示例律师事务所",
    "categories": ["labour_dispute"], "capacity": 8, "on_duty_from": "2025-01-01"}}))]
pub struct LawyerInput {
    /// Who. Their role, `legal_lawyer`, is granted like any other.
    pub person_id: PersonId,
    /// Number of the licence.
    #[schema(min_length = 6, max_length = 20, pattern = "^[0-9A-Za-z]+$")]
    pub licence: String,
    /// A mobile number of the mainland.
    #[schema(min_length = 8, max_length = 24)]
    pub phone: String,
    /// What they do.
    pub duty: LawyerDutyInput,
}

/// Register a lawyer / 登记援助律师
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_create", security(("bearer" = ["legal:hands"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LawyerInput,
    responses((status = 201, description = "The lawyer", body = LawyerView)),
)]
#[post("/api/v1/legal-lawyers")]
pub async fn legal_lawyer_create(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    body: Idempotent<LawyerInput>,
) -> Result<Stored> {
    let (actor, now, scope, vault) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.vault.clone());
    let (id, input): (LawyerId, _) = (platform.ids.id(), body.body);
    let phone = phone(&input.phone)?;
    check_duty(&input.duty, "/duty")?;
    let act = move |c: &mut Conn| {
        station_api::in_scope(c, input.duty.station_id, &scope)?;
        if people::store::profiles(c, &[input.person_id], false)?.is_empty() {
            let text = Text::new("没有该人员", "there is no such person");
            return Err(Error::invalid(vec![Fault::new("/person_id", "unknown", text)]));
        }
        let row = with_duty(
            Lawyer {
                id,
                person_id: input.person_id,
                station_id: input.duty.station_id,
                firm: String::new(),
                licence_sealed: sealed(&vault, LICENCE, id.0.as_bytes(), &input.licence)?,
                licence_index: lawyers::licence_index(&vault, &input.licence),
                phone_sealed: sealed(&vault, LAWYER_PHONE, id.0.as_bytes(), phone.as_str())?,
                kinds: String::new(),
                capacity: 1,
                on_duty_from: input.duty.on_duty_from,
                on_duty_until: None,
                registered_at: db_time(now),
                version: 1,
            },
            &input.duty,
        )?;
        lawyers::insert_in_tx(c, &row)?;
        let detail = json!({ "person": row.person_id, "station": row.station_id });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "legal_lawyer.create", id).detail(detail)])?;
        Stored::created(format!("/api/v1/legal-lawyers/{id}"), 1, &LawyerView::one(c, id, &vault)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// What of a lawyer may be changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"duty": {"station_id": "lst_01k5b8m3q2e9t8h6y1v7z4w0xn", "firm": "示例律师事务所",
    "categories": ["labour_dispute"], "capacity": 5, "on_duty_from": "2025-01-01", "on_duty_until": "2025-12-31"}}))]
pub struct LawyerChangeInput {
    /// What they do.
    pub duty: LawyerDutyInput,
    /// Another number of the licence; stays when left out.
    #[schema(min_length = 6, max_length = 20, pattern = "^[0-9A-Za-z]+$")]
    pub licence: Option<String>,
    /// Another mobile number; stays when left out.
    #[schema(min_length = 8, max_length = 24)]
    pub phone: Option<String>,
}

/// Change what a lawyer does / 修改援助律师
///
/// Cases that they have stay theirs; a last day of duty keeps them from new ones.
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_update", security(("bearer" = ["legal:hands"])),
    params(("id" = LawyerId, Path, description = "The lawyer"),
           ("If-Match" = String, Header, description = "The ETag that was read", max_length = 100)),
    request_body = LawyerChangeInput,
    responses((status = 200, description = "The lawyer", body = LawyerView)),
)]
#[put("/api/v1/legal-lawyers/{id}")]
pub async fn legal_lawyer_update(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    id: ApiPath<LawyerId>,
    read: IfMatch,
    body: ApiJson<LawyerChangeInput>,
) -> Result<Reply<LawyerView>> {
    let (actor, now, scope, vault) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.vault.clone());
    let (input, id) = (body.0, id.0);
    let phone = input.phone.as_deref().map(phone).transpose()?;
    check_duty(&input.duty, "/duty")?;
    let act = move |c: &mut Conn| {
        let before = seen(c, id, &scope)?;
        // Whoever is at a station that has closed meanwhile may stay there, and may be sent to an open one.
        if before.station_id != input.duty.station_id {
            station_api::in_scope(c, input.duty.station_id, &scope)?;
        }
        let mut row = with_duty(before, &input.duty)?;
        if let Some(licence) = &input.licence {
            row.licence_sealed = sealed(&vault, LICENCE, id.0.as_bytes(), licence)?;
            row.licence_index = lawyers::licence_index(&vault, licence);
        }
        if let Some(phone) = &phone {
            row.phone_sealed = sealed(&vault, LAWYER_PHONE, id.0.as_bytes(), phone.as_str())?;
        }
        lawyers::update_in_tx(c, read.version(), &row)?;
        let detail = json!({ "station": row.station_id, "licence": input.licence.is_some(), "phone": phone.is_some() });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "legal_lawyer.update", id).detail(detail)])?;
        Ok((LawyerView::one(c, id, &vault)?, read.version() + 1))
    };
    let (view, version) = platform.db.write(act).await?;
    Ok(Reply::new(view).version(version))
}

/// For whom a lawyer acts or acted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"employer": "示例电子（深圳）有限公司", "employer_code": "91440300MA5DEMO00X", "acts": true}))]
pub struct LawyerClientInput {
    /// Its name.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub employer: String,
    /// Its unified social credit code.
    #[schema(min_length = 18, max_length = 18, pattern = "^[0-9A-Za-z]+$")]
    pub employer_code: Option<String>,
    /// Whether they act or acted for it; `false` takes back what was recorded by mistake.
    pub acts: bool,
}

/// Record for whom a lawyer acts or acted / 登记援助律师代理过的单位
///
/// Kept as keyed hashes: it keeps the lawyer, and others of the firm, away from cases against that employer, and cannot be read again.
#[utoipa::path(
    tag = "legal", operation_id = "legal_lawyer_client_record", security(("bearer" = ["legal:hands"])),
    params(("id" = LawyerId, Path, description = "The lawyer"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LawyerClientInput,
    responses((status = 200, description = "The lawyer", body = LawyerView)),
)]
#[post("/api/v1/legal-lawyers/{id}/clients")]
pub async fn legal_lawyer_client_record(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    id: ApiPath<LawyerId>,
    body: Idempotent<LawyerClientInput>,
) -> Result<Stored> {
    let (actor, now, scope, vault) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.vault.clone());
    let (input, id) = (body.body, id.0);
    let act = move |c: &mut Conn| {
        let version = seen(c, id, &scope)?.version;
        let texts = [Some(input.employer.as_str()), input.employer_code.as_deref()];
        for text in texts.into_iter().flatten() {
            let row = LawyerClient { lawyer_id: id, who: parties::index(&vault, Side::Employer, text) };
            if input.acts {
                lawyers::client_add_in_tx(c, &row)?;
            } else {
                lawyers::client_remove_in_tx(c, &row)?;
            }
        }
        let entry = Entry::new(actor, "legal_lawyer.client", id).detail(json!({ "acts": input.acts }));
        audit::append_in_tx(c, now, vec![entry])?;
        Stored::done(version, &LawyerView::one(c, id, &vault)?)
    };
    platform.idempotency.run(actor, body.key, act).await
}

fn with_duty(row: Lawyer, duty: &LawyerDutyInput) -> Result<Lawyer> {
    let mut categories = duty.categories.clone();
    categories.sort();
    categories.dedup();
    Ok(Lawyer {
        station_id: duty.station_id,
        firm: duty.firm.clone(),
        kinds: serde_json::to_string(&categories).map_err(Error::internal)?,
        capacity: duty.capacity,
        on_duty_from: duty.on_duty_from,
        on_duty_until: duty.on_duty_until,
        ..row
    })
}

fn check_duty(duty: &LawyerDutyInput, at: &str) -> Result<()> {
    if duty.on_duty_until.is_some_and(|last| last < duty.on_duty_from) {
        let text = Text::new("不能早于值班首日", "must not lie before the first day of duty");
        return Err(Error::invalid(vec![Fault::new(format!("{at}/on_duty_until"), "range", text)]));
    }
    Ok(())
}

fn phone(text: &str) -> Result<Phone> {
    Phone::parse(text).map_err(|fault| {
        Error::invalid(vec![Fault::new("/phone", "phone", Text::new(fault.zh(), fault.en()))])
    })
}
