//! Referrals over HTTP: proposed by the team, agreed to by the applicant, handed over, and what came of it.
//!
//! What is handed over is read by a reading that is audited. No answer that is kept for repetitions holds it.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Destination, Referral, ReferralState};
use super::referrals::{self, Proposal, ReferralAct, ReferralField};
use super::rota_api::read_entry;
use crate::error::{Error, Result};
use crate::ids::{CaseId, ReferralId};
use crate::legal_aid::{own, team};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalWork, OwnData};
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::{ApiJson, ApiPath, Idempotent, Reply, Stored};
use crate::platform::vault::{Vault, mask};

/// A referral.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferralView {
    /// Its id.
    pub id: ReferralId,
    /// To what.
    pub destination: Destination,
    /// To which one.
    #[schema(max_length = 60, example = "龙岗区法律援助处")]
    pub office: String,
    /// What is handed over.
    #[schema(max_items = 10)]
    pub fields: Vec<ReferralField>,
    /// Where in its life it is.
    pub state: ReferralState,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// When the applicant said yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was known what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_at: Option<DateTime<Utc>>,
}

impl ReferralView {
    fn new(row: &Referral) -> Result<Self> {
        Ok(Self {
            id: row.id,
            destination: row.destination,
            office: row.office.clone(),
            fields: serde_json::from_str(&row.fields).map_err(Error::internal)?,
            state: row.state,
            proposed_at: row.proposed_at.and_utc(),
            answered_at: row.answered_at.map(|at| at.and_utc()),
            sent_at: row.sent_at.map(|at| at.and_utc()),
            outcome_at: row.outcome_at.map(|at| at.and_utc()),
        })
    }
}

/// A referral, with what was written and what is handed over.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferralDetail {
    /// The referral.
    #[serde(flatten)]
    pub referral: ReferralView,
    /// Why.
    #[schema(max_length = 500)]
    pub reason: String,
    /// What is handed over, by the names of `fields`, a telephone number masked; what the case has not is left out.
    pub data: BTreeMap<String, String>,
    /// What was said of it in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub outcome: Option<String>,
}

/// The referrals of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferralList {
    /// The latest first.
    #[schema(max_items = 100)]
    pub items: Vec<ReferralDetail>,
}

impl ReferralList {
    fn of(conn: &mut Conn, vault: &Vault, case: CaseId) -> Result<Self> {
        let view = |row: &Referral| {
            let shown = |(field, value): (ReferralField, String)| match field {
                ReferralField::Phone => (field.to_string(), mask::phone(&value)),
                _ => (field.to_string(), value),
            };
            Ok(ReferralDetail {
                referral: ReferralView::new(row)?,
                reason: referrals::reason(vault, row)?,
                data: referrals::data(vault, row)?.into_iter().map(shown).collect(),
                outcome: referrals::outcome(vault, row)?,
            })
        };
        Ok(Self { items: referrals::of_case(conn, case)?.iter().map(view).collect::<Result<_>>()? })
    }
}

/// A referral to propose.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"destination": "aid_office", "office": "龙岗区法律援助处",
    "fields": ["name", "phone", "category", "employer"], "reason": "该事项依法由法律援助处受理。"}))]
pub struct ReferralInput {
    /// To what.
    pub destination: Destination,
    /// To which one.
    #[schema(min_length = 1, max_length = 60, pattern = r"^\S([^\x00]*\S)?$")]
    pub office: String,
    /// What is to be handed over: as little as will do. Each place has a list of what it needs; nothing else is taken.
    #[schema(min_items = 1, max_items = 10)]
    pub fields: Vec<ReferralField>,
    /// Why; the applicant reads it.
    #[schema(min_length = 4, max_length = 500, pattern = r"^\S([^\x00]*\S)?$")]
    pub reason: String,
}

/// Propose to refer a case elsewhere / 建议转介
///
/// Nothing leaves before the applicant has seen what would, and has agreed.
#[utoipa::path(
    tag = "legal", operation_id = "legal_referral_propose", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReferralInput,
    responses((status = 201, description = "The referral", body = ReferralView)),
)]
#[post("/api/v1/legal-cases/{id}/referrals")]
pub async fn legal_referral_propose(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    body: Idempotent<ReferralInput>,
) -> Result<Stored> {
    let (actor, now, id) = (guard.person(), platform.clock.now(), id.0);
    let (ids, vault, input) = (platform.ids.clone(), platform.vault.clone(), body.body);
    let proposal = Proposal {
        id: platform.ids.id(),
        actor,
        destination: input.destination,
        office: input.office,
        fields: input.fields,
        reason: input.reason,
    };
    let act = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, actor, id, now)?.case;
        let mut beside = Beside::default();
        let row = referrals::propose_in_tx(c, &vault, &case, &proposal, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        Stored::created(format!("/api/v1/legal-cases/{id}/referrals"), row.version, &ReferralView::new(&row)?)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List the referrals of a case / 查看转介
#[utoipa::path(
    tag = "legal", operation_id = "legal_referral_list", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")),
    responses((status = 200, description = "The referrals", body = ReferralList)),
)]
#[get("/api/v1/legal-cases/{id}/referrals")]
pub async fn legal_referral_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
) -> Result<Reply<ReferralList>> {
    let (actor, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        team::admitted(c, actor, id, now)?;
        let list = ReferralList::of(c, &vault, id)?;
        audit::append_in_tx(c, now, vec![read_entry(actor, id, "referrals")])?;
        Ok(list)
    };
    Ok(Reply::new(platform.db.write(read).await?).secret())
}

/// Which referral is handed over.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"referral_id": "ref_01k5b8m3q2e9t8h6y1v7z4w0xn"}))]
pub struct ReferralHandoverInput {
    /// Which one; its applicant has agreed.
    pub referral_id: ReferralId,
}

/// What is handed over, in clear.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferralData {
    /// Which referral.
    pub id: ReferralId,
    /// What is handed over, by the names of its fields.
    pub data: BTreeMap<String, String>,
}

/// Reveal what is handed over; every time audited / 查看移送内容（记入审计）
///
/// Once the applicant has agreed. It changes nothing, so a repetition is a reading of its own, without an `Idempotency-Key`.
#[utoipa::path(
    tag = "legal", operation_id = "legal_referral_reveal", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")), request_body = ReferralHandoverInput,
    responses((status = 200, description = "What is handed over, in clear", body = ReferralData)),
)]
#[post("/api/v1/legal-cases/{id}/referral-reveals")]
pub async fn legal_referral_reveal(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    body: ApiJson<ReferralHandoverInput>,
) -> Result<Reply<ReferralData>> {
    let (actor, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let referral = body.0.referral_id;
    let read = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, actor, id, now)?.case;
        let data = referrals::revealed(c, &vault, &case, referral)?;
        audit::append_in_tx(c, now, vec![read_entry(actor, id, "referral_data")])?;
        let data = data.into_iter().map(|(field, value)| (field.to_string(), value)).collect();
        Ok(ReferralData { id: referral, data })
    };
    Ok(Reply::new(platform.db.write(read).await?).secret())
}

/// Hand a case over as its applicant has agreed / 移送
///
/// What is handed over is revealed by `referral-reveals`; the union sends it on paper, by telephone or in the other place's own system.
#[utoipa::path(
    tag = "legal", operation_id = "legal_referral_send", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReferralHandoverInput,
    responses((status = 200, description = "The referral", body = ReferralView)),
)]
#[post("/api/v1/legal-cases/{id}/referral-handovers")]
pub async fn legal_referral_send(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    body: Idempotent<ReferralHandoverInput>,
) -> Result<Stored> {
    let (actor, now, ids, id) = (guard.person(), platform.clock.now(), platform.ids.clone(), id.0);
    let referral = body.body.referral_id;
    let act = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, actor, id, now)?.case;
        let mut beside = Beside::default();
        let row = referrals::send_in_tx(c, &case, referral, actor, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(row.version, &ReferralView::new(&row)?)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

crate::text_enum! {
    /// What came of a referral.
    pub enum ReferralOutcome {
        /// 对方接收
        Accepted = "accepted",
        /// 对方不接收
        Rejected = "rejected",
        /// 对方退回
        Returned = "returned",
    }
}

/// What came of a referral.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"referral_id": "ref_01k5b8m3q2e9t8h6y1v7z4w0xn", "outcome": "accepted", "note": "已由法律援助处受理。"}))]
pub struct ReferralOutcomeInput {
    /// Which one.
    pub referral_id: ReferralId,
    /// What came of it.
    pub outcome: ReferralOutcome,
    /// What was said; the applicant reads it.
    #[schema(min_length = 1, max_length = 500, pattern = r"^\S([^\x00]*\S)?$")]
    pub note: String,
}

/// Record what came of a referral / 登记转介结果
#[utoipa::path(
    tag = "legal", operation_id = "legal_referral_settle", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReferralOutcomeInput,
    responses((status = 200, description = "The referral", body = ReferralView)),
)]
#[post("/api/v1/legal-cases/{id}/referral-outcomes")]
pub async fn legal_referral_settle(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    body: Idempotent<ReferralOutcomeInput>,
) -> Result<Stored> {
    let (actor, now, id) = (guard.person(), platform.clock.now(), id.0);
    let (ids, vault, input) = (platform.ids.clone(), platform.vault.clone(), body.body);
    let what = match input.outcome {
        ReferralOutcome::Accepted => ReferralAct::Accept,
        ReferralOutcome::Rejected => ReferralAct::Reject,
        ReferralOutcome::Returned => ReferralAct::Return,
    };
    let act = move |c: &mut Conn| {
        let case = team::locked_in_tx(c, actor, id, now)?.case;
        let mut beside = Beside::default();
        let told = (actor, what, input.note.as_str());
        let row = referrals::settle_in_tx(c, &vault, &case, input.referral_id, told, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(row.version, &ReferralView::new(&row)?)
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List the referrals of one's request, with what would be handed over / 查看我的转介
#[utoipa::path(
    tag = "me", operation_id = "my_legal_referral_list", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request")),
    responses((status = 200, description = "The referrals", body = ReferralList)),
)]
#[get("/api/v1/me/legal-requests/{id}/referrals")]
pub async fn my_legal_referral_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
) -> Result<Reply<ReferralList>> {
    let (person, vault, id) = (guard.person(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        own::get(c, person, id)?;
        ReferralList::of(c, &vault, id)
    };
    Ok(Reply::new(platform.db.read(read).await?).secret())
}

/// Yes or no.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"referral_id": "ref_01k5b8m3q2e9t8h6y1v7z4w0xn", "agrees": true}))]
pub struct ReferralConsentInput {
    /// Which one.
    pub referral_id: ReferralId,
    /// Whether exactly what the list shows may be handed over; `false` also takes a yes back, until it was.
    pub agrees: bool,
}

/// Agree to a referral, or not / 同意或不同意转介
#[utoipa::path(
    tag = "me", operation_id = "my_legal_referral_consent", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReferralConsentInput,
    responses((status = 200, description = "The referral", body = ReferralView)),
)]
#[post("/api/v1/me/legal-requests/{id}/referral-consents")]
pub async fn my_legal_referral_consent(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<ReferralConsentInput>,
) -> Result<Stored> {
    let (person, now, ids, id) = (guard.person(), platform.clock.now(), platform.ids.clone(), id.0);
    let ReferralConsentInput { referral_id, agrees } = body.body;
    let act = move |c: &mut Conn| {
        let case = own::locked_in_tx(c, person, id)?;
        let mut beside = Beside::default();
        let row = referrals::answer_in_tx(c, &case, referral_id, agrees, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        Stored::done(row.version, &ReferralView::new(&row)?)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
