//! Turns over HTTP: what the team of a case sees of them. Every reading is audited.

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::model::{SkipReason, Turn};
use super::rota::{self, Suggestion};
use super::turns;
use crate::error::Result;
use crate::ids::{CaseId, LawyerId, PersonId};
use crate::legal_aid::team;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalDecide, LegalWork};
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::platform::vault::Vault;

/// A lawyer in their place.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionView {
    /// Which lawyer.
    pub lawyer_id: LawyerId,
    /// Who that is.
    pub person_id: PersonId,
    /// In which place, from 1.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub place: i64,
    /// Cases that they have taken lately.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub recent: i64,
    /// Cases that are open.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub open: i64,
    /// Why they are passed over; absent where they may be assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// The same, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "不在值班期")]
    pub skipped_text: Option<String>,
}

impl From<Suggestion> for SuggestionView {
    fn from(one: Suggestion) -> Self {
        Self {
            lawyer_id: one.lawyer,
            person_id: one.person,
            place: one.place,
            recent: one.recent,
            open: one.open,
            skipped: one.skip,
            skipped_text: one.skip.map(|reason| reason.zh().to_owned()),
        }
    }
}

/// Whose turn it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionList {
    /// In the order of their turn.
    #[schema(max_items = 1000)]
    pub items: Vec<SuggestionView>,
}

/// Nothing to say: the case is in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct SuggestInput {}

/// Ask whose turn it is to take a case / 按轮值推荐援助律师
///
/// Whoever has taken the fewest cases lately comes first. Everybody who is passed over has a reason, which is kept.
#[utoipa::path(
    tag = "legal", operation_id = "legal_rota_suggest", security(("bearer" = ["legal:decide"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SuggestInput,
    responses((status = 200, description = "Lawyers in the order of their turn", body = SuggestionList)),
)]
#[post("/api/v1/legal-cases/{id}/rota-suggestions")]
pub async fn legal_rota_suggest(
    platform: Data<Platform>,
    guard: Guard<LegalDecide>,
    id: ApiPath<CaseId>,
    body: Idempotent<SuggestInput>,
) -> Result<Stored> {
    let (actor, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let act = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, actor, id, now)?.case;
        let found = rota::suggest_in_tx(c, &vault, case.desk_id, &case, now)?;
        let free = found.iter().filter(|one| one.skip.is_none()).count();
        let detail = json!({ "lawyers": found.len(), "free": free });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "legal_case.suggest", id).detail(detail)])?;
        let items = found.into_iter().map(Into::into).collect();
        Stored::done(case.version, &SuggestionList { items })
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// In which place a lawyer was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnView {
    /// Which time somebody was looked for.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub round: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whom.
    pub lawyer_id: LawyerId,
    /// In which place, from 1.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub place: i64,
    /// Cases taken lately, at that moment.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub recent: i64,
    /// Open cases, at that moment.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub open: i64,
    /// Why they were passed over; absent where they could be assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// Why an officer passed them over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

impl TurnView {
    fn new(row: Turn, vault: &Vault) -> Result<Self> {
        Ok(Self {
            note: turns::note(vault, &row)?,
            round: row.round,
            at: row.at.and_utc(),
            lawyer_id: row.lawyer_id,
            place: row.place,
            recent: row.recent,
            open: row.open,
            skipped: row.skipped,
        })
    }
}

/// The turns of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnList {
    /// The latest time first, each in the order of its places.
    #[schema(max_items = 1000)]
    pub items: Vec<TurnView>,
}

/// Read in which places lawyers were looked at for a case / 查看轮值记录
#[utoipa::path(
    tag = "legal", operation_id = "legal_turn_list", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")),
    responses((status = 200, description = "The turns", body = TurnList)),
)]
#[get("/api/v1/legal-cases/{id}/turns")]
pub async fn legal_turn_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
) -> Result<Reply<TurnList>> {
    let (actor, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        team::admitted(c, actor, id, now)?;
        let rows = turns::of_case(c, id)?;
        let items = rows.into_iter().map(|row| TurnView::new(row, &vault)).collect::<Result<_>>()?;
        audit::append_in_tx(c, now, vec![read_entry(actor, id, "turns")])?;
        Ok(TurnList { items })
    };
    Ok(Reply::new(platform.db.write(read).await?).secret())
}

/// That somebody of a team has read something of its case.
pub(in crate::legal_aid) fn read_entry(actor: PersonId, case: CaseId, what: &'static str) -> Entry {
    Entry::new(actor, "legal_case.read", case).detail(json!({ "what": what }))
}
