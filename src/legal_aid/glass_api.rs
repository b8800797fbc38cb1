//! Opening a case that is not one's own, over HTTP, and what auditors see of it.

use std::collections::HashMap;

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::glass::{self, Ask, Glass, GlassReason, Named};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{CaseId, GlassId, PersonId};
use crate::people;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalGlass, LegalGlassRead};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::platform::vault::mask;

/// Which case to open, and why. Exactly one of `case_id` and `number`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "case_id": "cas_01k5b8m3q2e9t8h6y1v7z4w0xn",
    "reason": "term_runs_out",
    "text": "承办人因病住院，仲裁时效明日届满",
    "minutes": 60
}))]
pub struct GlassInput {
    /// By its id.
    pub case_id: Option<CaseId>,
    /// By its number, as it stands on its papers.
    #[schema(min_length = 1, max_length = 60, pattern = r"\S")]
    pub number: Option<String>,
    /// Why, in a word.
    pub reason: GlassReason,
    /// Why, in words: auditors read it. Names nobody.
    #[schema(min_length = 5, max_length = 300, pattern = r"\S")]
    pub text: String,
    /// For how long; as long as the policy `legal_aid.glass_hours` allows where it is not said, and never longer.
    #[schema(minimum = 1, maximum = 180)]
    pub minutes: Option<i64>,
}

impl GlassInput {
    fn ask(self) -> Result<Ask> {
        let case = match (self.case_id, self.number) {
            (Some(id), None) => Named::Id(id),
            (None, Some(number)) => Named::Number(number.trim().to_owned()),
            _ => {
                let text =
                    Text::new("请填写案件编号或案号，二者取一", "either the id or the number of a case");
                return Err(Error::invalid(vec![Fault::new("/case_id", "one_of", text)]));
            }
        };
        Ok(Ask { case, reason: self.reason, text: self.text.trim().to_owned(), minutes: self.minutes })
    }
}

/// A case that somebody opened who is not of its team.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GlassOpenView {
    /// Its id.
    pub id: GlassId,
    /// Which case.
    pub case_id: CaseId,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// When it ends by itself.
    pub ends_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<&Glass> for GlassOpenView {
    fn from(row: &Glass) -> Self {
        Self {
            id: row.id,
            case_id: row.case_id,
            opened_at: row.opened_at.and_utc(),
            ends_at: row.ends_at.and_utc(),
            ended_at: row.ended_at.map(|at| at.and_utc()),
        }
    }
}

/// The same, as auditors see it. Whose case it is, it does not say.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GlassView {
    /// What was opened, and for how long.
    #[serde(flatten)]
    pub open: GlassOpenView,
    /// Who opened it.
    pub person_id: PersonId,
    /// Who opened it, masked.
    #[schema(max_length = 40, example = "李*")]
    pub name_masked: String,
    /// The desk of the case.
    #[schema(max_length = 60, example = "平湖街道")]
    pub desk: String,
    /// Why, in a word.
    pub reason: GlassReason,
    /// Why, in words; read one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 300)]
    pub text: Option<String>,
    /// When the person whose case it is was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<DateTime<Utc>>,
}

impl GlassView {
    fn new((row, desk): &(Glass, String), names: &HashMap<PersonId, String>, text: Option<String>) -> Self {
        Self {
            open: row.into(),
            person_id: row.person_id,
            name_masked: names.get(&row.person_id).map(|name| mask::name(name)).unwrap_or_default(),
            desk: desk.clone(),
            reason: row.reason,
            text,
            told_at: row.told_at.map(|at| at.and_utc()),
        }
    }
}

/// Open a case that is not one's own / 应急查阅他人承办的案件
///
/// For reading, for three hours at most (`legal_aid.glass_hours`), at desks within one's scope. Auditors are told at once, the person whose
/// case it is later, and every read is in the audit chain. Ends by itself.
#[utoipa::path(
    tag = "legal", operation_id = "legal_glass_open", security(("bearer" = ["legal:break_glass"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = GlassInput,
    responses((status = 201, description = "Open", body = GlassOpenView)),
)]
#[post("/api/v1/legal-glass")]
pub async fn legal_glass_open(
    platform: Data<Platform>,
    guard: Guard<LegalGlass>,
    body: Idempotent<GlassInput>,
) -> Result<Stored> {
    let (now, person, scope) = (platform.clock.now(), guard.person(), guard.scope().clone());
    let (ask, id) = (body.body.ask()?, platform.ids.id());
    let (ids, vault) = (platform.ids.clone(), platform.vault.clone());
    let act = move |c: &mut Conn| {
        let row = glass::open_in_tx(c, (&ids, &vault), (person, &scope), id, &ask, now)?;
        Stored::created(format!("/api/v1/legal-cases/{}", row.case_id), 1, &GlassOpenView::from(&row))
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// End it before its hours are over / 提前结束应急查阅
#[utoipa::path(
    tag = "legal", operation_id = "legal_glass_close", security(("bearer" = ["legal:break_glass"])),
    params(("id" = GlassId, Path, description = "What was opened"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = GlassEndInput,
    responses((status = 200, description = "Ended", body = GlassOpenView)),
)]
#[post("/api/v1/legal-glass/{id}/endings")]
pub async fn legal_glass_close(
    platform: Data<Platform>,
    guard: Guard<LegalGlass>,
    id: ApiPath<GlassId>,
    body: Idempotent<GlassEndInput>,
) -> Result<Stored> {
    let (now, person, id, ids) = (platform.clock.now(), guard.person(), id.0, platform.ids.clone());
    let act = move |c: &mut Conn| {
        let row = glass::close_in_tx(c, &ids, person, id, now)?;
        Stored::done(2, &GlassOpenView::from(&row))
    };
    platform.idempotency.run(person, body.key, act).await
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct GlassEndInput {}

/// List what was opened, newest first / 查看应急查阅记录
#[utoipa::path(
    tag = "legal", operation_id = "legal_glass_list", security(("bearer" = ["legal:glass_read"])), params(PageQuery),
    responses((status = 200, description = "A page", body = Page<GlassView>)),
)]
#[get("/api/v1/legal-glass")]
pub async fn legal_glass_list(
    platform: Data<Platform>,
    guard: Guard<LegalGlassRead>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<GlassView>>> {
    let before = platform.cursors.open("legal-glass", &query.0)?;
    let (patterns, limit) = (guard.scope().patterns().collect(), query.0.limit() + 1);
    let (rows, names) = platform
        .db
        .read(move |c| {
            let rows = glass::list(c, patterns, before, limit)?;
            let people: Vec<PersonId> = rows.iter().map(|(row, _)| row.person_id).collect();
            let names = people::store::names(c, &people)?;
            Ok((rows, names))
        })
        .await?;
    let page = platform.cursors.page("legal-glass", &query.0, rows, |(row, _)| row.id)?;
    Ok(Reply::new(page.map(|row| GlassView::new(&row, &names, None))))
}

/// Read why a case was opened / 查看应急查阅的理由
///
/// In the audit chain, every time.
#[utoipa::path(
    tag = "legal", operation_id = "legal_glass_get", security(("bearer" = ["legal:glass_read"])),
    params(("id" = GlassId, Path, description = "What was opened")),
    responses((status = 200, description = "It, with its reason in words", body = GlassView)),
)]
#[get("/api/v1/legal-glass/{id}")]
pub async fn legal_glass_get(
    platform: Data<Platform>,
    guard: Guard<LegalGlassRead>,
    id: ApiPath<GlassId>,
) -> Result<Reply<GlassView>> {
    let (now, person, scope, id) = (platform.clock.now(), guard.person(), guard.scope().clone(), id.0);
    let vault = platform.vault.clone();
    let view = platform
        .db
        .write(move |c| {
            let found = glass::get(c, &scope, id)?;
            let names = people::store::names(c, &[found.0.person_id])?;
            let text = found.0.text(&vault)?;
            let entry = Entry::new(person, "legal_glass.read", found.0.case_id);
            audit::append_in_tx(c, now, vec![entry.detail(json!({ "glass": id }))])?;
            Ok(GlassView::new(&found, &names, Some(text)))
        })
        .await?;
    Ok(Reply::new(view).secret())
}
