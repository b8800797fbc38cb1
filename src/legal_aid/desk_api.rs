//! The desk over HTTP: what waits, without names; how much of what runs out when; taking a request, and handing it out.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LegalTools;
use super::deciding::acts::Acting;
use super::deciding::views::LegalClockView;
use super::desk::{self, Line};
use super::model::{AidForm, CaseState, Category, ClockKind};
use crate::error::Result;
use crate::ids::{CaseId, OrganisationId, PersonId};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalIntake, LegalLeadership};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::policy::clock::Colour;

/// A request that nobody has taken, without names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalDeskLine {
    /// Its id.
    pub id: CaseId,
    /// At which desk.
    pub desk_id: OrganisationId,
    /// What it is about.
    pub category: Category,
    /// In which form aid is asked for.
    pub form: AidForm,
    /// Where it stands.
    pub state: CaseState,
    /// Whether it cannot wait.
    pub urgent: bool,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// The term that runs out first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<LegalClockView>,
}

impl LegalDeskLine {
    fn new(line: Line, now: DateTime<Utc>) -> Self {
        let Line { case, clock } = line;
        Self {
            id: case.id,
            desk_id: case.desk_id,
            category: case.category,
            form: case.form,
            state: case.state,
            urgent: case.urgent,
            received_at: case.received_at.and_utc(),
            clock: clock.map(|clock| LegalClockView::new(&clock, now)),
        }
    }
}

/// List requests for legal aid that nobody has taken, urgent ones first, without names / 待领取的法律援助申请
#[utoipa::path(
    tag = "legal", operation_id = "legal_desk_list", security(("bearer" = ["legal:intake"])), params(PageQuery),
    responses((status = 200, description = "A page of requests", body = Page<LegalDeskLine>)),
)]
#[get("/api/v1/legal-desk")]
pub async fn legal_desk_list(
    platform: Data<Platform>,
    guard: Guard<LegalIntake>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<LegalDeskLine>>> {
    let (now, scope) = (platform.clock.now(), guard.scope().clone());
    let list = format!("legal-desk/{}", guard.person());
    let after: Option<(bool, CaseId)> = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform
        .db
        .read(move |c| {
            let desks = desk::desks(c, &scope)?;
            desk::waiting(c, &desks, after, limit)
        })
        .await?;
    let page = platform.cursors.page(&list, &query.0, rows, |line| (line.case.urgent, line.case.id))?;
    Ok(Reply::new(page.map(|line| LegalDeskLine::new(line, now))))
}

/// How many terms of a kind are of a colour.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalCountView {
    /// Which term.
    pub kind: ClockKind,
    /// How pressing.
    pub colour: Colour,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub number: i64,
    /// When the first of them runs out.
    pub first_due_at: DateTime<Utc>,
}

/// The board of the officer on duty.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalDeskBoard {
    /// Requests that nobody has taken.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub waiting: i64,
    /// Objections that nobody has taken.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub objections: i64,
    /// Terms that run, of everybody's cases, by kind and colour.
    #[schema(max_items = 20)]
    pub counts: Vec<LegalCountView>,
}

/// Count what runs at the desk, by term and colour / 值班看板
#[utoipa::path(
    tag = "legal", operation_id = "legal_desk_board", security(("bearer" = ["legal:intake"])),
    responses((status = 200, description = "The board", body = LegalDeskBoard)),
)]
#[get("/api/v1/legal-desk/board")]
pub async fn legal_desk_board(
    platform: Data<Platform>,
    guard: Guard<LegalIntake>,
) -> Result<Reply<LegalDeskBoard>> {
    let (now, scope) = (platform.clock.now(), guard.scope().clone());
    let board = platform
        .db
        .read(move |c| {
            let desks = desk::desks(c, &scope)?;
            let counts = desk::counts(c, &desks, now)?.into_iter().map(|count| LegalCountView {
                kind: count.kind,
                colour: count.colour,
                number: count.number,
                first_due_at: count.first_due.and_utc(),
            });
            let counts = counts.collect();
            Ok(LegalDeskBoard {
                waiting: desk::unled(c, &desks)?,
                objections: desk::objections(c, &desks)?,
                counts,
            })
        })
        .await?;
    Ok(Reply::new(board))
}

/// A request as an act at the desk leaves it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalTakenView {
    /// The request: `legal_case_get` reads it, for its team.
    pub id: CaseId,
    /// Where it stands.
    pub state: CaseState,
    /// Counts changes: what `If-Match` names.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub version: i64,
}

/// Nothing to say: the act is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct LegalTakeInput {}

/// Take a request: one leads its team from then on / 领取申请
///
/// Nobody but the team knows of it any more. A request that a colleague has taken is not there. Refused with `legal_conflict` to whoever
/// has to keep away.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_take", security(("bearer" = ["legal:intake"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalTakeInput,
    responses((status = 200, description = "Taken", body = LegalTakenView)),
)]
#[post("/api/v1/legal-desk/{id}/takings")]
pub async fn legal_case_take(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalIntake>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalTakeInput>,
) -> Result<Stored> {
    let (now, person, id, tools) = (platform.clock.now(), guard.person(), id.0, LegalTools::clone(&tools));
    let scope = guard.scope().clone();
    let act = move |c: &mut Conn| {
        let mut acting = Acting::new(&tools, person, now);
        let case = desk::take_in_tx(c, &mut acting, id, &scope)?;
        acting.end_in_tx(c)?;
        Stored::done(case.version, &LegalTakenView { id, state: case.state, version: case.version })
    };
    platform.idempotency.run(person, body.key, act).await
}

/// Who is to lead a request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"person_id": "per_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct LegalHandOutInput {
    /// An officer of the desk.
    pub person_id: PersonId,
}

/// Hand a request to an officer, also one that somebody leads / 分派申请
///
/// Whoever led it leaves its team. It is handed out without being read. Refused with `legal_conflict` for whoever has to keep away.
#[utoipa::path(
    tag = "legal", operation_id = "legal_case_hand_out", security(("bearer" = ["legal:lead"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = LegalHandOutInput,
    responses((status = 200, description = "Handed out", body = LegalTakenView)),
)]
#[post("/api/v1/legal-desk/{id}/hand-outs")]
pub async fn legal_case_hand_out(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<LegalLeadership>,
    id: ApiPath<CaseId>,
    body: Idempotent<LegalHandOutInput>,
) -> Result<Stored> {
    let (now, person, id, tools) = (platform.clock.now(), guard.person(), id.0, LegalTools::clone(&tools));
    let (scope, to) = (guard.scope().clone(), body.body.person_id);
    let act = move |c: &mut Conn| {
        let mut acting = Acting::new(&tools, person, now);
        let case = desk::hand_out_in_tx(c, &mut acting, (id, &scope), to)?;
        acting.end_in_tx(c)?;
        Stored::done(case.version, &LegalTakenView { id, state: case.state, version: case.version })
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
