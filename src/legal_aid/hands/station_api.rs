//! Legal service stations over HTTP: kept by whoever leads legal aid, and read by everybody who looks for one.

use actix_web::web::Data;
use actix_web::{get, post, put};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::{LegalStation, StationKind};
use super::stations::{self, Wanted};
use crate::clock::civil_day;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{LegalStationId, OrganisationId};
use crate::org;
use crate::org::model::{Organisation, OrganisationKind};
use crate::platform::Platform;
use crate::platform::access::policy::LegalHands;
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{
    ApiJson, ApiPath, ApiQuery, Idempotent, IfMatch, Page, PageQuery, Reply, Stored,
};

/// A legal service station.
#[derive(Debug, Serialize, ToSchema)]
pub struct LegalStationView {
    /// Its id.
    pub id: LegalStationId,
    /// Of which part of item 11.
    pub kind: StationKind,
    /// Its name.
    #[schema(max_length = 60, example = "平湖街道工会法律服务站")]
    pub name: String,
    /// Who keeps it.
    pub organisation_id: OrganisationId,
    /// Who keeps it.
    #[schema(max_length = 60, example = "平湖街道")]
    pub organisation_name: String,
    /// Where it is.
    #[schema(max_length = 120)]
    pub address: String,
    /// Its own line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 30, example = "0755-12345678")]
    pub phone: Option<String>,
    /// When somebody is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120, example = "工作日 9:00-12:00，14:00-18:00")]
    pub hours: Option<String>,
    /// Since when.
    pub opened_on: NaiveDate,
    /// Its last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_on: Option<NaiveDate>,
}

impl LegalStationView {
    fn new((row, keeper): (LegalStation, Organisation)) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            organisation_id: row.organisation_id,
            organisation_name: keeper.short_name,
            address: row.address,
            phone: row.phone,
            hours: row.hours,
            opened_on: row.opened_on,
            closed_on: row.closed_on,
        }
    }
}

/// Which stations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LegalStationQuery {
    /// Kept by this organisation, or by one below it.
    #[param(inline)]
    pub organisation: Option<OrganisationId>,
    /// Only of this kind.
    #[param(inline)]
    pub kind: Option<StationKind>,
    /// Also those that are closed, or not yet open.
    pub all: Option<bool>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List legal service stations / 列出法律服务站点
#[utoipa::path(
    tag = "legal", operation_id = "legal_station_list", params(LegalStationQuery), security(()),
    responses((status = 200, description = "A page of stations, oldest first", body = Page<LegalStationView>)),
)]
#[get("/api/v1/legal-stations")]
pub async fn legal_station_list(
    platform: Data<Platform>,
    query: ApiQuery<LegalStationQuery>,
) -> Result<Reply<Page<LegalStationView>>> {
    let LegalStationQuery { organisation, kind, all, limit, cursor } = query.0;
    let (page, today) = (PageQuery { limit, cursor }, civil_day(platform.clock.now()));
    let list = format!("legal-stations/{organisation:?}/{kind:?}/{all:?}");
    let after: Option<LegalStationId> = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let under = match organisation {
                Some(id) => match org::store::all(c)?.remove(&id) {
                    Some(found) => Some(format!("{}%", found.path)),
                    None => return Ok(Vec::new()),
                },
                None => None,
            };
            let open_on = (!all.unwrap_or(false)).then_some(today);
            stations::list(c, Wanted { under, kind, open_on }, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &page, rows, |(row, _)| row.id)?;
    Ok(Reply::new(page.map(LegalStationView::new)).public())
}

/// Read a legal service station / 查看法律服务站点
#[utoipa::path(
    tag = "legal", operation_id = "legal_station_get", security(()),
    params(("id" = LegalStationId, Path, description = "The station")),
    responses((status = 200, description = "The station", body = LegalStationView)),
)]
#[get("/api/v1/legal-stations/{id}")]
pub async fn legal_station_get(
    platform: Data<Platform>,
    id: ApiPath<LegalStationId>,
) -> Result<Reply<LegalStationView>> {
    let found = platform.db.read(move |c| stations::get(c, id.0)).await?;
    let version = found.0.version;
    Ok(Reply::new(LegalStationView::new(found)).version(version).public())
}

/// A station to keep.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "community", "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn",
    "name": "平湖街道工会法律服务站", "address": "平湖街道平湖大街1号", "phone": "0755-12345678",
    "hours": "工作日 9:00-12:00，14:00-18:00", "opened_on": "2025-03-01"}))]
pub struct LegalStationInput {
    /// Of which part of item 11.
    pub kind: StationKind,
    /// Who keeps it and reports it; inside one's own subtree. The centre is the district's.
    pub organisation_id: OrganisationId,
    /// Its name; no other of its keeper has it.
    #[schema(min_length = 1, max_length = 60, pattern = r"^\S([^\x00]*\S)?$")]
    pub name: String,
    /// Where it is.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub address: String,
    /// Its own line, not a person's.
    #[schema(min_length = 1, max_length = 30, pattern = r"^[0-9+][0-9 -]*$")]
    pub phone: Option<String>,
    /// When somebody is there.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub hours: Option<String>,
    /// Since when; not in the future.
    pub opened_on: NaiveDate,
}

/// Register a legal service station / 登记法律服务站点
///
/// A figure of item 11 is held against what is registered here.
#[utoipa::path(
    tag = "legal", operation_id = "legal_station_create", security(("bearer" = ["legal:hands"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalStationInput,
    responses((status = 201, description = "The station", body = LegalStationView)),
)]
#[post("/api/v1/legal-stations")]
pub async fn legal_station_create(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    body: Idempotent<LegalStationInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (id, input): (LegalStationId, _) = (platform.ids.id(), body.body);
    let act = move |c: &mut Conn| {
        let keeper = keeper(c, input.organisation_id, &scope)?;
        check_centre(input.kind, &keeper)?;
        check_days(input.opened_on, None, civil_day(now))?;
        let row = LegalStation {
            id,
            kind: input.kind,
            name: input.name.clone(),
            organisation_id: keeper.id,
            address: input.address.clone(),
            phone: input.phone.clone(),
            hours: input.hours.clone(),
            opened_on: input.opened_on,
            closed_on: None,
            version: 1,
        };
        stations::insert_in_tx(c, &row)?;
        let detail = json!({ "kind": row.kind, "organisation": row.organisation_id });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "legal_station.create", id).detail(detail)])?;
        Stored::created(format!("/api/v1/legal-stations/{id}"), 1, &LegalStationView::new((row, keeper)))
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// What of a station may be changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "平湖街道工会法律服务站", "address": "平湖街道平湖大街2号", "opened_on": "2025-03-01",
    "closed_on": "2025-10-31"}))]
pub struct LegalStationChangeInput {
    /// Its name; no other of its keeper has it.
    #[schema(min_length = 1, max_length = 60, pattern = r"^\S([^\x00]*\S)?$")]
    pub name: String,
    /// Where it is.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub address: String,
    /// Its own line, not a person's.
    #[schema(min_length = 1, max_length = 30, pattern = r"^[0-9+][0-9 -]*$")]
    pub phone: Option<String>,
    /// When somebody is there.
    #[schema(min_length = 1, max_length = 120, pattern = r"^\S([^\x00]*\S)?$")]
    pub hours: Option<String>,
    /// Since when; not in the future.
    pub opened_on: NaiveDate,
    /// Its last day; left out while it is open.
    pub closed_on: Option<NaiveDate>,
}

/// Change or close a legal service station / 修改或关闭法律服务站点
#[utoipa::path(
    tag = "legal", operation_id = "legal_station_update", security(("bearer" = ["legal:hands"])),
    params(("id" = LegalStationId, Path, description = "The station"),
           ("If-Match" = String, Header, description = "The ETag that was read", max_length = 100)),
    request_body = LegalStationChangeInput,
    responses((status = 200, description = "The station", body = LegalStationView)),
)]
#[put("/api/v1/legal-stations/{id}")]
pub async fn legal_station_update(
    platform: Data<Platform>,
    guard: Guard<LegalHands>,
    id: ApiPath<LegalStationId>,
    seen: IfMatch,
    body: ApiJson<LegalStationChangeInput>,
) -> Result<Reply<LegalStationView>> {
    let (actor, now, scope, input, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), body.0, id.0);
    let act = move |c: &mut Conn| {
        let (before, keeper) = stations::get(c, id)?;
        scope.require(&keeper.path)?;
        check_days(input.opened_on, input.closed_on, civil_day(now))?;
        let row = LegalStation {
            name: input.name,
            address: input.address,
            phone: input.phone,
            hours: input.hours,
            opened_on: input.opened_on,
            closed_on: input.closed_on,
            ..before
        };
        stations::update_in_tx(c, seen.version(), &row)?;
        let detail = json!({ "opened_on": row.opened_on, "closed_on": row.closed_on });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "legal_station.update", id).detail(detail)])?;
        stations::get(c, id)
    };
    let found = platform.db.write(act).await?;
    let version = found.0.version;
    Ok(Reply::new(LegalStationView::new(found)).version(version))
}

/// Who is to keep a station, inside `scope`. What is outside is as unknown as what is not there.
fn keeper(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<Organisation> {
    let found = org::store::all(conn)?.remove(&id).filter(|one| scope.covers(&one.path));
    found.ok_or_else(|| {
        let text = Text::new("没有这个组织，或不在您的权限范围内", "no such organisation in your scope");
        Error::invalid(vec![Fault::new("/organisation_id", "unknown", text)])
    })
}

/// There is one centre, and the district keeps it.
fn check_centre(kind: StationKind, keeper: &Organisation) -> Result<()> {
    if kind == StationKind::Centre && keeper.kind != OrganisationKind::District {
        let text = Text::new("区级中心由区总工会登记", "the centre is kept by the district");
        return Err(Error::invalid(vec![Fault::new("/organisation_id", "no_district", text)]));
    }
    Ok(())
}

/// A station has opened, and closes after that; everything that is wrong is named.
fn check_days(opened_on: NaiveDate, closed_on: Option<NaiveDate>, today: NaiveDate) -> Result<()> {
    let mut faults = Vec::new();
    if opened_on > today {
        let text = Text::new("不能晚于今天", "must not be in the future");
        faults.push(Fault::new("/opened_on", "range", text));
    }
    if closed_on.is_some_and(|last| last < opened_on || last > today) {
        let text =
            Text::new("应在启用日期与今天之间", "must lie between the day on which it opened and today");
        faults.push(Fault::new("/closed_on", "range", text));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// The open station `id` inside `scope`. What is outside is as unknown as what is not there.
///
/// # Errors
/// `validation_failed` at `/duty/station_id`.
pub(super) fn in_scope(conn: &mut Conn, id: LegalStationId, scope: &Scope) -> Result<LegalStation> {
    let wrong = |code, zh: &'static str, en: &'static str| {
        Error::invalid(vec![Fault::new("/duty/station_id", code, Text::new(zh, en))])
    };
    let unknown = || wrong("unknown", "没有这个站点，或不在您的权限范围内", "no such station in your scope");
    let (row, keeper) = match stations::get(conn, id) {
        Err(error) if error.code() == Code::NotFound => return Err(unknown()),
        other => other?,
    };
    if !scope.covers(&keeper.path) {
        return Err(unknown());
    }
    if row.closed_on.is_some() {
        return Err(wrong("closed", "该站点已关闭", "this station is closed"));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_wrong_days_are_named_at_once() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let faults = |opened: &str, closed: Option<&str>| -> Vec<String> {
            match check_days(day(opened), closed.map(day), day("2025-06-16")) {
                Ok(()) => Vec::new(),
                Err(error) => error.inner().faults.iter().map(|fault| fault.pointer.clone()).collect(),
            }
        };
        assert_eq!(faults("2025-06-16", None), Vec::<String>::new());
        assert_eq!(faults("2025-01-01", Some("2025-01-01")), Vec::<String>::new());
        assert_eq!(faults("2025-06-17", Some("2025-06-16")), ["/opened_on", "/closed_on"]);
        assert_eq!(faults("2025-06-01", Some("2025-05-31")), ["/closed_on"]);
        assert_eq!(faults("2025-06-01", Some("2025-06-17")), ["/closed_on"]);
    }
}
