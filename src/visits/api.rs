//! Injuries as staff see them: masked, with their terms; opened one by one; and whether an application was made.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::{Applicant, Facts, Injury, TermOf, TermState, TermUrgency};
use super::store::{self, Case, CaseFilter};
use super::visit_api::VisitView;
use super::{photos, rules};
use crate::clock::civil_day;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{InjuryId, OrganisationId, PersonId};
use crate::org;
use crate::platform::Platform;
use crate::platform::access::policy::{InjuryApply, InjuryRead, InjuryReveal};
use crate::platform::access::{Guard, Scope};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::{Vault, mask};

/// Until when somebody may apply for recognition.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermView {
    /// Who.
    pub who: TermOf,
    /// The last day.
    pub due_on: NaiveDate,
    /// How pressing it is.
    pub state: TermState,
}

impl TermView {
    /// Both terms of an injury.
    pub fn of(row: &Injury, today: NaiveDate, warn: i64) -> Vec<Self> {
        let term = |who: &TermOf| {
            let due_on = row.due_on(*who);
            Self {
                who: *who,
                due_on,
                state: rules::term_state(due_on, row.applied_on.is_some(), today, warn),
            }
        };
        TermOf::ALL.iter().map(term).collect()
    }
}

/// That recognition was applied for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"on": "2025-06-20", "by": "employer"}))]
pub struct ApplicationView {
    /// When.
    pub on: NaiveDate,
    /// By whom.
    pub by: Applicant,
}

impl ApplicationView {
    /// The application about an injury, if there is one.
    pub fn of(row: &Injury) -> Option<Self> {
        row.applied_on.zip(row.applied_by).map(|(on, by)| Self { on, by })
    }
}

/// A work injury.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjuryView {
    /// Its id.
    pub id: InjuryId,
    /// Whose.
    pub person_id: PersonId,
    /// Masked.
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: String,
    /// Masked.
    #[schema(max_length = 20, example = "138****8000")]
    pub phone_masked: String,
    /// Who looks after it: the employer's union, or whose list it was.
    pub organisation_id: OrganisationId,
    /// Who looks after it.
    #[schema(max_length = 60, example = "平湖街道")]
    pub organisation_name: String,
    /// When it happened.
    pub injured_on: NaiveDate,
    /// Until when recognition may be applied for.
    #[schema(max_items = 2)]
    pub application_due: Vec<TermView>,
    /// The application, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationView>,
    /// Visits that stand.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub visits: i64,
    /// When the list was taken in.
    pub imported_at: DateTime<Utc>,
}

/// What the views are made with.
#[derive(Debug, Clone, Copy)]
struct Lens<'a> {
    vault: &'a Vault,
    today: NaiveDate,
    warn: i64,
}

impl InjuryView {
    fn new((row, organisation): &Case, facts: &Facts, visits: i64, lens: Lens<'_>) -> Self {
        Self {
            id: row.id,
            person_id: row.person_id,
            name_masked: mask::name(&facts.name),
            phone_masked: mask::phone(&facts.phone),
            organisation_id: row.organisation_id,
            organisation_name: organisation.short_name.clone(),
            injured_on: row.injured_on,
            application_due: TermView::of(row, lens.today, lens.warn),
            application: ApplicationView::of(row),
            visits,
            imported_at: row.imported_at.and_utc(),
        }
    }

    /// Views of `cases`.
    fn all(conn: &mut Conn, cases: &[Case], vault: &Vault, today: NaiveDate) -> Result<Vec<Self>> {
        let lens = Lens { vault, today, warn: store::warn_days(conn, today)? };
        let ids: Vec<InjuryId> = cases.iter().map(|(row, _)| row.id).collect();
        let visits = store::visit_counts(conn, &ids)?;
        let view = |case: &Case| {
            let facts = case.0.facts(lens.vault)?;
            Ok(Self::new(case, &facts, visits.get(&case.0.id).copied().unwrap_or(0), lens))
        };
        cases.iter().map(view).collect()
    }

    /// The view of one case.
    pub fn one(conn: &mut Conn, case: &Case, vault: &Vault, today: NaiveDate) -> Result<Self> {
        let mut views = Self::all(conn, std::slice::from_ref(case), vault, today)?;
        views.pop().ok_or_else(|| Error::internal("a case without a view"))
    }
}

/// Which injuries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InjuryQuery {
    /// Of this organisation and all below it; of one's whole subtree by default.
    #[param(inline)]
    pub organisation: Option<OrganisationId>,
    /// Without an application, and pressing in this way.
    #[param(inline)]
    pub urgency: Option<TermUrgency>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List work injuries of one's subtree, oldest first / 列出工伤职工（脱敏）
///
/// `urgency` is `amber` (few days of a term are left), `red` (its last day) or `breached`.
#[utoipa::path(
    tag = "visits", operation_id = "injury_list", security(("bearer" = ["injury:read"])), params(InjuryQuery),
    responses((status = 200, description = "A page of injuries", body = Page<InjuryView>)),
)]
#[get("/api/v1/injuries")]
pub async fn injury_list(
    platform: Data<Platform>,
    guard: Guard<InjuryRead>,
    query: ApiQuery<InjuryQuery>,
) -> Result<Reply<Page<InjuryView>>> {
    let InjuryQuery { organisation, urgency, limit, cursor } = query.0;
    let (page, scope) = (PageQuery { limit, cursor }, guard.scope().clone());
    let (today, vault) = (civil_day(platform.clock.now()), platform.vault.clone());
    let list = format!("injuries/{}/{organisation:?}/{urgency:?}", guard.person());
    let after = platform.cursors.open(&list, &page)?;
    let limit = page.limit() + 1;
    let views = platform
        .db
        .read(move |c| {
            let patterns = match organisation {
                Some(id) => within(c, id, &scope)?,
                None => scope.patterns().collect(),
            };
            let amber_until = rules::amber_until(today, store::warn_days(c, today)?);
            let filter = CaseFilter { patterns, urgency, today, amber_until };
            let cases = store::case_list(c, filter, after, limit)?;
            InjuryView::all(c, &cases, &vault, today)
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &page, views, |view| view.id)?))
}

/// The pattern of an organisation and all below it; none where it is outside `scope`, as if it were not there.
fn within(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<Vec<String>> {
    let found = org::store::all(conn)?.remove(&id).filter(|found| scope.covers(&found.path));
    Ok(found.map(|found| format!("{}%", found.path)).into_iter().collect())
}

/// A work injury with the visits for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjuryDetail {
    /// The injury.
    #[serde(flatten)]
    pub injury: InjuryView,
    /// The visits in the order in which they were recorded, the undone ones too.
    #[schema(max_items = 100)]
    pub visited: Vec<VisitView>,
}

/// Read a work injury and its visits / 查看一名工伤职工及探视记录（脱敏）
#[utoipa::path(
    tag = "visits", operation_id = "injury_get", security(("bearer" = ["injury:read"])),
    params(("id" = InjuryId, Path, description = "The injury")),
    responses((status = 200, description = "The injury", body = InjuryDetail)),
)]
#[get("/api/v1/injuries/{id}")]
pub async fn injury_get(
    platform: Data<Platform>,
    guard: Guard<InjuryRead>,
    id: ApiPath<InjuryId>,
) -> Result<Reply<InjuryDetail>> {
    let (scope, vault, id) = (guard.scope().clone(), platform.vault.clone(), id.0);
    let today = civil_day(platform.clock.now());
    let (detail, version) = platform
        .db
        .read(move |c| {
            let case = seen(c, id, &scope)?;
            let injury = InjuryView::one(c, &case, &vault, today)?;
            let mut visited = Vec::new();
            for placed in store::visits_of(c, id)? {
                let photos = photos::of(c, placed.0.id)?;
                visited.push(VisitView::new(placed, photos)?);
            }
            Ok((InjuryDetail { injury, visited }, case.0.version))
        })
        .await?;
    Ok(Reply::new(detail).version(version))
}

/// An injury inside `scope`; 404 outside.
pub fn seen(conn: &mut Conn, id: InjuryId, scope: &Scope) -> Result<Case> {
    let case = store::case_get(conn, id)?;
    scope.require(&case.1.path)?;
    Ok(case)
}

/// What for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "今日前往医院探视"}))]
pub struct InjuryRevealInput {
    /// What for; kept in the audit chain, so without names, numbers and illnesses.
    #[schema(min_length = 4, max_length = 200)]
    pub purpose: String,
}

/// What a hospital says of somebody.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjuryFile {
    /// The injury.
    #[serde(flatten)]
    pub injury: InjuryView,
    /// Their name.
    #[schema(max_length = 40, example = "张三丰")]
    pub name: String,
    /// Their mobile number.
    #[schema(max_length = 20, example = "13800138000")]
    pub phone: String,
    /// Their employer, in the list's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub employer: Option<String>,
    /// The hospital.
    #[schema(max_length = 120, example = "示例区人民医院")]
    pub hospital: String,
    /// Since when they lie there.
    pub admitted_on: NaiveDate,
    /// Part and kind of the injury.
    #[schema(max_length = 200, example = "左手骨折")]
    pub diagnosis: String,
}

/// Reveal what a hospital says of somebody; every time audited / 查看工伤职工信息（记入审计）
///
/// It changes nothing, so a repetition is a reading of its own, without an `Idempotency-Key`.
#[utoipa::path(
    tag = "visits", operation_id = "injury_reveal", security(("bearer" = ["injury:reveal"])),
    params(("id" = InjuryId, Path, description = "The injury")), request_body = InjuryRevealInput,
    responses((status = 200, description = "The injury, in clear", body = InjuryFile)),
)]
#[post("/api/v1/injuries/{id}/reveals")]
pub async fn injury_reveal(
    platform: Data<Platform>,
    guard: Guard<InjuryReveal>,
    id: ApiPath<InjuryId>,
    body: ApiJson<InjuryRevealInput>,
) -> Result<Reply<InjuryFile>> {
    let (actor, now, scope, vault, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.vault.clone(), id.0);
    let purpose = body.0.purpose;
    let file = platform
        .db
        .write(move |c| {
            let case = seen(c, id, &scope)?;
            let injury = InjuryView::one(c, &case, &vault, civil_day(now))?;
            let Facts { name, phone, employer, hospital, admitted_on, injury: diagnosis } =
                case.0.facts(&vault)?;
            let entry = Entry::new(actor, "injury.reveal", id).detail(json!({ "purpose": purpose }));
            audit::append_in_tx(c, now, vec![entry])?;
            Ok(InjuryFile { injury, name, phone, employer, hospital, admitted_on, diagnosis })
        })
        .await?;
    Ok(Reply::new(file).secret())
}

/// Whether recognition was applied for.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"application": {"on": "2025-06-20", "by": "employer"}}))]
pub struct ApplicationInput {
    /// The application; left out, there was none after all, and the terms run again.
    pub application: Option<ApplicationView>,
}

/// Record that recognition was applied for, correct it, or take it back / 登记工伤认定申请
///
/// The authority's receipt is what is recorded; the union does not send applications from here.
#[utoipa::path(
    tag = "visits", operation_id = "injury_application_record", security(("bearer" = ["injury:apply"])),
    params(("id" = InjuryId, Path, description = "The injury"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ApplicationInput,
    responses((status = 200, description = "The injury", body = InjuryView)),
)]
#[post("/api/v1/injuries/{id}/applications")]
pub async fn injury_application_record(
    platform: Data<Platform>,
    guard: Guard<InjuryApply>,
    id: ApiPath<InjuryId>,
    body: Idempotent<ApplicationInput>,
) -> Result<Stored> {
    let (actor, now, scope, vault, id) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.vault.clone(), id.0);
    let (application, today) = (body.body.application, civil_day(now));
    let act = move |c: &mut Conn| {
        seen(c, id, &scope)?;
        let before = store::locked_in_tx(c, id)?;
        if before.person_id == actor {
            return Err(Error::new(Code::SecondOfficer));
        }
        if application.is_some_and(|one| one.on > today || one.on < before.injured_on) {
            let text =
                Text::new("应在受伤日期与今天之间", "must lie between the day of the injury and today");
            return Err(Error::invalid(vec![Fault::new("/application/on", "range", text)]));
        }
        store::application_set_in_tx(c, id, application.map(|one| (one.on, one.by)))?;
        let case = store::case_get(c, id)?;
        let view = InjuryView::one(c, &case, &vault, today)?;
        let detail = json!({ "before": ApplicationView::of(&before), "now": application });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "injury.apply", id).detail(detail)])?;
        Stored::done(case.0.version, &view)
    };
    platform.idempotency.run(actor, body.key, act).await
}
