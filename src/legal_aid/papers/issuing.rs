//! Issuing a document: filled in, numbered and kept in the transaction of the act that it is about.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::model::{CaseDocument, DocumentKind, Paper};
use super::naming;
use super::templates::{self, Fields};
use super::{numbering, store};
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, Ids, PersonId};
use crate::legal_aid::deciding::reasons;
use crate::legal_aid::model::{Case, Facts, Ground};
use crate::org;
use crate::people;
use crate::platform::db::Conn;
use crate::platform::vault::Vault;
use crate::policy;

/// What documents are made with.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// Opens what the applicant says, and seals what the document says.
    pub vault: &'a Vault,
    /// New ids.
    pub ids: &'a Ids,
}

/// What a document says beyond its case. What its kind cannot do without is asked for: [`DocumentKind::Refusal`], `Termination`,
/// `ObjectionAnswer` and `Annulment` need reasons, `SupplementNotice` what is missing and a day, `ProvisionalAid` a day, `Assignment` whom,
/// `Termination` a ground, `ObjectionAnswer` and `Annulment` what they are about. How to object stands in the templates.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Why.
    pub reasons: Option<String>,
    /// What is missing, one after another.
    pub missing: Vec<String>,
    /// The last day for it.
    pub due: Option<NaiveDate>,
    /// Who was assigned, as the applicant is told.
    pub assignee: Option<String>,
    /// Why it is terminated.
    pub ground: Option<Ground>,
    /// The document that this one is about.
    pub about: Option<CaseDocumentId>,
    /// Whether an objection was found right.
    pub upheld: Option<bool>,
    /// How the case ended.
    pub ending: Option<Ending>,
}

/// How a case ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// With which result, in Chinese.
    pub result: String,
    /// What the applicant got back, in fen.
    pub recovered_fen: i64,
    /// The time spent.
    pub minutes: i64,
    /// What was done.
    pub summary: String,
}

/// Issues a document about `case`, whose row the caller holds, and gives its id.
///
/// # Errors
/// `validation_failed` naming what a document of this kind cannot do without.
pub fn issue_in_tx(
    conn: &mut Conn,
    office: &Office<'_>,
    kind: DocumentKind,
    case: &Case,
    words: Words,
    by: Option<PersonId>,
    now: DateTime<Utc>,
) -> Result<CaseDocumentId> {
    let today = civil_day(now);
    let desk = org::store::get(conn, case.desk_id)?;
    let template = templates::on(kind, today)?;
    let blocks = templates::fill(template, &fields(conn, office.vault, case, words, today)?)?;
    // Last, so that nobody waits for a number longer than must be.
    let year = i64::from(today.year());
    let serial = numbering::next_in_tx(conn, desk.id, year, kind)?;
    let number = numbering::text(&desk.short_name, kind, year, serial);
    let id: CaseDocumentId = office.ids.id();
    let (title, date) = (template.title.clone(), naming::day(today));
    let paper = Paper { number: number.clone(), title, blocks, office: desk.name, date };
    let row = CaseDocument {
        id,
        case_id: case.id,
        kind,
        desk_id: desk.id,
        year,
        serial,
        number,
        template: template.version,
        paper_sealed: paper.seal(office.vault, id)?,
        issued_by: by,
        issued_at: db_time(now),
        delivered_at: None,
        delivery: None,
        delivered_by: None,
        read_at: None,
    };
    store::create_in_tx(conn, &row)?;
    Ok(id)
}

/// What the names in templates stand for.
fn fields(conn: &mut Conn, vault: &Vault, case: &Case, words: Words, today: NaiveDate) -> Result<Fields> {
    let facts = Facts::open(vault, case)?;
    let name = people::store::get(conn, case.person_id)?.name.filter(|name| !name.trim().is_empty());
    let name = name.unwrap_or_else(|| "申请人".to_owned());
    let applicant = if case.members > 1 { format!("{name}等{}人", case.members) } else { name };
    let mut fields = Fields::default();
    fields.set("applicant", applicant);
    fields.set("received_on", naming::day(civil_day(case.received_at.and_utc())));
    fields.set("category", naming::category(case.category));
    fields.set_if("matter", case.matter.map(naming::matter));
    fields.set("form", naming::form(case.form));
    fields.set("employer", facts.employer);
    fields.set_if("limitation_on", case.limitation_on.map(naming::day));
    fields.set_if("case_number", case.number.clone());
    let mut term = |key: &str| Ok::<_, Error>(naming::term(policy::store::rule_on(conn, key, today)?.term));
    fields.set("review_days", term("legal_aid.review")?);
    fields.set("assign_days", term("legal_aid.assign")?);
    // The very words that are kept with the decision.
    fields.set("appeal", reasons::appeal_notice(&term("legal_aid.objection_reply")?));
    fields.set_if("reasons", words.reasons);
    fields.set_all("missing", words.missing);
    fields.set_if("due", words.due.map(naming::day));
    fields.set_if("assignee", words.assignee);
    fields.set_if("ground", words.ground.or(case.ground).map(naming::ground));
    let about = words.about.map(|id| store::get(conn, case.id, id)).transpose()?;
    fields.set_if("about", about.map(|about| naming::about(about.kind, &about.number)));
    fields.set_if("decision", words.upheld.map(naming::decision));
    let ending = words.ending;
    fields.set_if("result", ending.as_ref().map(|ending| ending.result.clone()));
    fields.set_if("recovered", ending.as_ref().map(|ending| naming::money(ending.recovered_fen)));
    fields.set_if("time_spent", ending.as_ref().map(|ending| naming::duration(ending.minutes)));
    fields.set_if("summary", ending.map(|ending| ending.summary));
    Ok(fields)
}
