//! A case as its team sees it, and as an act leaves it.

use chrono::{DateTime, NaiveDate, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::acts::Acted;
use super::supplements;
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::legal_aid::model::{
    AidForm, Case, CaseState, Category, ClaimEvent, ClockKind, Facts, Ground, LegalClock, Matter, Means,
    TeamRole,
};
use crate::legal_aid::{clocks, desk, events, team};
use crate::people;
use crate::people::model::PHONE;
use crate::platform::db::Conn;
use crate::platform::vault::{Vault, mask};
use crate::policy::clock::Colour;

/// A case as an act leaves it. Nothing of what it says: answers to acts are kept for their repetitions, and are not sealed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalActView {
    /// The case.
    pub id: CaseId,
    /// Where it stands.
    pub state: CaseState,
    /// The number of an accepted case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub number: Option<String>,
    /// The document that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<CaseDocumentId>,
    /// Counts changes: what `If-Match` names.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub version: i64,
}

impl From<&Acted> for LegalActView {
    fn from(acted: &Acted) -> Self {
        let case = &acted.case;
        Self {
            id: case.id,
            state: case.state,
            number: case.number.clone(),
            document_id: acted.document,
            version: case.version,
        }
    }
}

/// A term of a case.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalClockView {
    /// Which.
    pub kind: ClockKind,
    /// What it runs from.
    pub started_at: DateTime<Utc>,
    /// When it runs out; not there while it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// How pressing it is.
    pub colour: Colour,
    /// Since when it has run out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breached_at: Option<DateTime<Utc>>,
}

impl LegalClockView {
    /// A clock at `now`.
    pub fn new(clock: &LegalClock, now: DateTime<Utc>) -> Self {
        Self {
            kind: clock.kind,
            started_at: clock.started_at.and_utc(),
            due_at: clock.due_at.map(|due| due.and_utc()),
            colour: desk::colour(clock.due_at, clock.amber_at, now),
            breached_at: clock.breached_at.map(|at| at.and_utc()),
        }
    }
}

/// A case in the list of those whose team one is of.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalCaseLine {
    /// Its id.
    pub id: CaseId,
    /// The number of an accepted case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub number: Option<String>,
    /// What it is about.
    pub category: Category,
    /// In which form.
    pub form: AidForm,
    /// Where it stands.
    pub state: CaseState,
    /// Whether it cannot wait.
    pub urgent: bool,
    /// As what one is of its team.
    pub role: TeamRole,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// The term that runs out first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<LegalClockView>,
}

impl LegalCaseLine {
    /// The line of `case`.
    pub fn new(case: Case, role: TeamRole, clock: Option<&LegalClock>, now: DateTime<Utc>) -> Self {
        Self {
            id: case.id,
            number: case.number,
            category: case.category,
            form: case.form,
            state: case.state,
            urgent: case.urgent,
            role,
            received_at: case.received_at.and_utc(),
            clock: clock.map(|clock| LegalClockView::new(clock, now)),
        }
    }
}

/// Somebody of the team.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalTeamView {
    /// Who.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub name_masked: Option<String>,
    /// As what.
    pub role: TeamRole,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalEventView {
    /// When.
    pub at: DateTime<Utc>,
    /// What, such as `accept`.
    #[schema(max_length = 40)]
    pub act: String,
    /// What the case became.
    pub state: CaseState,
    /// The document that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<CaseDocumentId>,
    /// What was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4000)]
    pub note: Option<String>,
}

/// What is missing of a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalMissingView {
    /// Each thing by itself.
    #[schema(max_items = 20)]
    pub items: Vec<String>,
    /// What else the officer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
    /// When it was said.
    pub given_at: DateTime<Utc>,
    /// The notice.
    pub document_id: CaseDocumentId,
}

/// What the applicant says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalFactsView {
    /// The employer's name.
    #[schema(max_length = 200)]
    pub employer: String,
    /// Its unified social credit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub employer_code: Option<String>,
    /// Why a code that its check sign does not fit is genuine all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub code_reason: Option<String>,
    /// What happened, with what was supplied afterwards.
    #[schema(max_length = 40_000)]
    pub facts: String,
    /// What the applicant wants.
    #[schema(max_length = 10_000)]
    pub wishes: String,
    /// How much it is about, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub amount_fen: Option<i64>,
    /// Which exemption from the check of means.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub exemption: Option<String>,
    /// Where papers reach the applicant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub address: Option<String>,
}

impl From<Facts> for LegalFactsView {
    fn from(facts: Facts) -> Self {
        let Facts {
            employer, employer_code, code_reason, facts, wishes, amount_fen, exemption, address, ..
        } = facts;
        Self { employer, employer_code, code_reason, facts, wishes, amount_fen, exemption, address }
    }
}

/// A case as its team sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalCaseView {
    /// Its id.
    pub id: CaseId,
    /// The number of an accepted case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub number: Option<String>,
    /// Where it stands.
    pub state: CaseState,
    /// Where it stands, in Chinese.
    #[schema(max_length = 40)]
    pub state_text: String,
    /// What it is about.
    pub category: Category,
    /// Which matter of article 31 it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matter: Option<Matter>,
    /// In which form aid is asked for, and given.
    pub form: AidForm,
    /// Whether it cannot wait.
    pub urgent: bool,
    /// How it stands with the applicant's means.
    pub means: Means,
    /// How many workers it is about.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub members: i64,
    /// What the limitation runs from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<ClaimEvent>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_on: Option<NaiveDate>,
    /// The last day of the limitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limitation_on: Option<NaiveDate>,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub applicant_masked: Option<String>,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub phone_masked: Option<String>,
    /// What the applicant says.
    pub facts: LegalFactsView,
    /// What is missing of it, if that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<LegalMissingView>,
    /// Why it was terminated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// Terms that are not done with.
    #[schema(max_items = 10)]
    pub clocks: Vec<LegalClockView>,
    /// Who knows of it.
    #[schema(max_items = 100)]
    pub team: Vec<LegalTeamView>,
    /// What happened, the newest 200, in order.
    #[schema(max_items = 200)]
    pub events: Vec<LegalEventView>,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// When it was decided about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Counts changes: what `If-Match` names.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub version: i64,
}

impl LegalCaseView {
    /// `case`, opened.
    pub fn of(conn: &mut Conn, vault: &Vault, case: Case, now: DateTime<Utc>) -> Result<Self> {
        let person = people::store::get(conn, case.person_id)?;
        let phone = match &person.phone_sealed {
            Some(sealed) => {
                let open = vault.open(PHONE, person.id.0.as_bytes(), sealed).map_err(Error::internal)?;
                Some(mask::phone(open.expose_secret()))
            }
            None => None,
        };
        let missing = supplements::supplement_of(conn, vault, case.id)?.map(|missing| LegalMissingView {
            items: missing.items,
            note: missing.note,
            given_at: missing.given_at,
            document_id: missing.document_id,
        });
        let running = clocks::running(conn, case.id)?;
        let events = events::of(conn, case.id)?;
        Ok(Self {
            facts: Facts::open(vault, &case)?.into(),
            clocks: running.iter().map(|clock| LegalClockView::new(clock, now)).collect(),
            team: team_of(conn, case.id)?,
            events: events
                .into_iter()
                .map(|event| {
                    let note = events::note(vault, &event)?;
                    let (at, document_id) = (event.at.and_utc(), event.document_id);
                    Ok(LegalEventView { at, act: event.act, state: event.state, document_id, note })
                })
                .collect::<Result<_>>()?,
            missing,
            applicant_masked: person.name.as_deref().map(mask::name),
            phone_masked: phone,
            id: case.id,
            number: case.number,
            state: case.state,
            state_text: case.state.words().0.to_owned(),
            category: case.category,
            matter: case.matter,
            form: case.form,
            urgent: case.urgent,
            means: case.means,
            members: case.members,
            event: case.event,
            event_on: case.event_on,
            limitation_on: case.limitation_on,
            ground: case.ground,
            received_at: case.received_at.and_utc(),
            decided_at: case.decided_at.map(|at| at.and_utc()),
            ended_at: case.ended_at.map(|at| at.and_utc()),
            version: case.version,
        })
    }
}

fn team_of(conn: &mut Conn, id: CaseId) -> Result<Vec<LegalTeamView>> {
    let members = team::of(conn, id)?;
    let ids: Vec<PersonId> = members.iter().map(|member| member.person_id).collect();
    let names = people::store::names(conn, &ids)?;
    Ok(members
        .into_iter()
        .map(|member| LegalTeamView {
            person_id: member.person_id,
            name_masked: names.get(&member.person_id).map(|name| mask::name(name)),
            role: member.role,
            joined_at: member.joined_at.and_utc(),
        })
        .collect())
}
