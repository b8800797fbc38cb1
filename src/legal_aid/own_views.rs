//! What whoever asked sees of their request: where it stands in plain words, what comes next and by when, and whom to ask.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::deciding::supplements;
use super::evidence::{self, CaseFileView};
use super::model::{
    AidForm, Case, CaseState, Category, ClaimEvent, Facts, Ground, LegalClock, Matter, Means,
};
use super::papers::naming;
use super::rules::means::Exemption;
use super::rules::next::{self, Next, OwnAct, WhoseTurn};
use super::rules::terms::Limitation;
use super::rules::warnings::{self, About, Warning};
use super::{clocks, events, figures, objections};
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::{CaseDocumentId, CaseId, OrganisationId, PersonId};
use crate::org;
use crate::platform::db::Conn;
use crate::platform::vault::Vault;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalNextView {
    /// Whose turn it is.
    pub turn: WhoseTurn,
    /// The last day for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<NaiveDate>,
    /// Whether that is over.
    pub late: bool,
    /// In Chinese.
    #[schema(
        max_length = 300,
        example = "受理机构最迟在2025年6月23日前（含当日）审查您的申请，决定是否援助并书面告知您。"
    )]
    pub text: String,
}

impl From<Next> for LegalNextView {
    fn from(next: Next) -> Self {
        Self { turn: next.turn, by: next.by, late: next.late, text: next.text }
    }
}

/// What one should know of the terms of the law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalWarningView {
    /// Which, for programs.
    #[schema(max_length = 40, example = "limitation")]
    pub code: String,
    /// In Chinese.
    #[schema(max_length = 400, example = "请最迟在2025年6月20日前（含当日）申请劳动仲裁。")]
    pub text: String,
    /// The law and its article.
    #[schema(max_length = 120, example = "劳动争议调解仲裁法 第二十七条")]
    pub source: String,
    /// The last day for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<NaiveDate>,
}

impl From<Warning> for LegalWarningView {
    fn from(warning: Warning) -> Self {
        let Warning { code, text, source, by } = warning;
        Self { code: code.to_owned(), text, source, by }
    }
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalContactView {
    /// The desk.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 120, example = "平湖街道总工会")]
    pub organisation_name: String,
    /// In Chinese.
    #[schema(max_length = 200)]
    pub text: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegalHappenedView {
    /// When.
    pub at: DateTime<Utc>,
    /// In Chinese.
    #[schema(max_length = 120, example = "您提出了申请")]
    pub text: String,
    /// The document that says so: `/api/v1/me/legal-requests/{id}/documents/{document}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<CaseDocumentId>,
}

/// What is missing, as it was told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnLegalMissing {
    /// Each thing by itself.
    #[schema(max_items = 50)]
    pub items: Vec<String>,
    /// What else the desk said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
    /// When it was told.
    pub told_at: DateTime<Utc>,
}

/// A request of one's own, in a list, and as an act leaves it. It holds nothing of what one has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnLegalLine {
    /// Its id.
    pub id: CaseId,
    /// The number of an accepted case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub number: Option<String>,
    /// What it is about.
    pub category: Category,
    /// Where it stands.
    pub state: CaseState,
    /// Where it stands, in Chinese.
    #[schema(max_length = 40, example = "待审查")]
    pub state_text: String,
    /// Whether it cannot wait: aid comes first, papers afterwards.
    pub urgent: bool,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// What comes next, one's own turn first.
    #[schema(max_items = 5)]
    pub next: Vec<LegalNextView>,
}

impl OwnLegalLine {
    /// `case` as it stands at `now`.
    pub fn new(case: &Case, clocks: &[LegalClock], now: DateTime<Utc>) -> Self {
        Self {
            id: case.id,
            number: case.number.clone(),
            category: case.category,
            state: case.state,
            state_text: case.state.words().0.to_owned(),
            urgent: case.urgent,
            received_at: case.received_at.and_utc(),
            next: next::next(case.state, clocks, now).into_iter().map(LegalNextView::from).collect(),
        }
    }

    /// `case` as it stands at `now`, with the clocks that it has.
    pub fn of(conn: &mut Conn, case: &Case, now: DateTime<Utc>) -> Result<Self> {
        Ok(Self::new(case, &clocks::running(conn, case.id)?, now))
    }

    /// `cases` as they stand at `now`.
    pub fn of_all(conn: &mut Conn, cases: &[Case], now: DateTime<Utc>) -> Result<Vec<Self>> {
        let ids: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
        let running = clocks::running_of(conn, &ids)?;
        let line = |case: &Case| {
            let own: Vec<LegalClock> =
                running.iter().filter(|clock| clock.case_id == case.id).cloned().collect();
            Self::new(case, &own, now)
        };
        Ok(cases.iter().map(line).collect())
    }
}

/// A request of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnLegalRequest {
    /// Where it stands, and what comes next.
    #[serde(flatten)]
    pub line: OwnLegalLine,
    /// What one may do now.
    #[schema(max_items = 6)]
    pub may: Vec<OwnAct>,
    /// What is missing, while it is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<OwnLegalMissing>,
    /// Whom to ask.
    pub contact: LegalContactView,
    /// What one should know of the terms of the law.
    #[schema(max_items = 12)]
    pub warnings: Vec<LegalWarningView>,
    /// Which matter of article 31 it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matter: Option<Matter>,
    /// In which form aid is asked for, and given.
    pub form: AidForm,
    /// The employer's name.
    #[schema(max_length = 100)]
    pub employer: String,
    /// The employer's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 18)]
    pub employer_code: Option<String>,
    /// What happened.
    #[schema(max_length = 3000)]
    pub facts: String,
    /// What one wants.
    #[schema(max_length = 1000)]
    pub wishes: String,
    /// How much it is about, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100_000_000_000_i64)]
    pub amount_fen: Option<i64>,
    /// What the limitation runs from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<ClaimEvent>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_on: Option<NaiveDate>,
    /// The last day of the limitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limitation_on: Option<NaiveDate>,
    /// How it stands with one's means.
    pub means: Means,
    /// Why they are not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exemption: Option<Exemption>,
    /// Where papers reach one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub address: Option<String>,
    /// How many workers it is about.
    #[schema(minimum = 1, maximum = 100_000)]
    pub members: i64,
    /// When it was decided about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Why aid was terminated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// What hangs on it.
    #[schema(max_items = 200)]
    pub evidence: Vec<CaseFileView>,
    /// What has happened, in order.
    #[schema(max_items = 200)]
    pub history: Vec<LegalHappenedView>,
}

impl OwnLegalRequest {
    /// `case` for `person`, whose it is.
    pub fn of(
        conn: &mut Conn,
        vault: &Vault,
        case: &Case,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let Facts { employer, employer_code, facts, wishes, amount_fen, exemption, address, .. } =
            Facts::open(vault, case)?;
        Ok(Self {
            line: OwnLegalLine::of(conn, case, now)?,
            may: may(conn, case)?,
            missing: missing(conn, vault, case)?,
            contact: contact(conn, case)?,
            warnings: warned(conn, case, civil_day(now))?,
            matter: case.matter,
            form: case.form,
            employer,
            employer_code,
            facts,
            wishes,
            amount_fen,
            event: case.event,
            event_on: case.event_on,
            limitation_on: case.limitation_on,
            means: case.means,
            exemption: exemption.and_then(|code| code.parse().ok()),
            address,
            members: case.members,
            decided_at: case.decided_at.map(|at| at.and_utc()),
            ended_at: case.ended_at.map(|at| at.and_utc()),
            ground: case.ground,
            evidence: evidence::of(conn, case.id, person)?,
            history: history(conn, case)?,
        })
    }
}

fn may(conn: &mut Conn, case: &Case) -> Result<Vec<OwnAct>> {
    let mut may = next::may(case.state);
    // One objects to a decision once.
    if may.contains(&OwnAct::Object) && !objections::may_object(conn, case)? {
        may.retain(|act| *act != OwnAct::Object);
    }
    Ok(may)
}

fn missing(conn: &mut Conn, vault: &Vault, case: &Case) -> Result<Option<OwnLegalMissing>> {
    if case.state != CaseState::Supplement {
        return Ok(None);
    }
    let told = supplements::supplement_of(conn, vault, case.id)?;
    Ok(told.map(|told| OwnLegalMissing { items: told.items, note: told.note, told_at: told.given_at }))
}

fn contact(conn: &mut Conn, case: &Case) -> Result<LegalContactView> {
    let desk = org::store::get(conn, case.desk_id)?;
    let how = if case.state.is_over() {
        "对结果有疑问的，可以向受理机构询问，或者拨打职工维权热线12351、公共法律服务热线12348。"
    } else {
        "有疑问可以在本页留言，承办人会看到；也可以拨打职工维权热线12351、公共法律服务热线12348。"
    };
    let text = format!("受理机构：{}。{how}", desk.name);
    Ok(LegalContactView { organisation_id: desk.id, organisation_name: desk.name, text })
}

/// What the applicant should know today. What has ended by a refusal or otherwise leaves the terms of the law as they are.
fn warned(conn: &mut Conn, case: &Case, today: NaiveDate) -> Result<Vec<LegalWarningView>> {
    let limitation = match (case.limitation_on, case.event) {
        (Some(day), _) => Limitation::Ends(day),
        (None, Some(_)) => Limitation::NotBegun,
        (None, None) => Limitation::Unknown,
    };
    let about = About { category: case.category, matter: case.matter, event: case.event, limitation };
    let said = figures::said(conn, today)?;
    Ok(warnings::warnings(about, &said, today).into_iter().map(LegalWarningView::from).collect())
}

fn history(conn: &mut Conn, case: &Case) -> Result<Vec<LegalHappenedView>> {
    let told = |event: super::model::CaseEvent| {
        let mut text = next::happened(&event.act)?.to_owned();
        if let (Some(ground), "terminate") = (case.ground, event.act.as_str()) {
            text = format!("{text}（{}）", naming::ground(ground));
        }
        Some(LegalHappenedView { at: event.at.and_utc(), text, document_id: event.document_id })
    };
    Ok(events::of(conn, case.id)?.into_iter().filter_map(told).collect())
}
