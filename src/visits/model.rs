//! Rows of injuries and visits.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::{InjuryId, OrganisationId, PersonId, SessionId, VisitId};
use crate::platform::db::schema::{injured, injuries, visit_days, visits};
use crate::platform::vault::{Field, Vault};

/// Where what a hospital says of somebody is kept.
pub const FACTS: Field = Field("injuries.facts");
/// Whom a list means: a mobile number and a name.
pub const WHO: Field = Field("injured.who");

crate::text_enum! {
    /// Who has applied for recognition.
    pub enum Applicant {
        /// 用人单位
        Employer = "employer",
        /// 职工本人或其近亲属
        Worker = "worker",
        /// 工会
        Union = "union",
    }
}

crate::text_enum! {
    /// Whose term it is.
    pub enum TermOf {
        /// 用人单位
        Employer = "employer",
        /// 职工本人、近亲属或工会
        Worker = "worker",
    }
}

crate::text_enum! {
    /// How pressing a term is.
    pub enum TermState {
        /// There is time.
        Green = "green",
        /// Few days are left.
        Amber = "amber",
        /// It is the last day.
        Red = "red",
        /// It is too late.
        Breached = "breached",
        /// An application was made.
        Done = "done",
    }
}

crate::text_enum! {
    /// Which injuries are pressing: those without an application, one of whose terms is so.
    pub enum TermUrgency {
        /// Few days are left.
        Amber = "amber",
        /// It is the last day.
        Red = "red",
        /// It is too late.
        Breached = "breached",
    }
}

crate::text_enum! {
    /// What was done for the injured.
    pub enum VisitForm {
        /// 探视: somebody went to see them.
        Visit = "visit",
        /// 慰问: a gift was brought without seeing them.
        GiftOnly = "gift_only",
    }
}

crate::text_enum! {
    /// What was given.
    pub enum GiftKind {
        /// 慰问金
        Cash = "cash",
        /// 慰问品
        Goods = "goods",
    }
}

/// What a hospital says of somebody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Their name.
    pub name: String,
    /// Their mobile number.
    pub phone: String,
    /// Their employer, in the list's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employer: Option<String>,
    /// The hospital.
    pub hospital: String,
    /// Since when they lie there.
    pub admitted_on: NaiveDate,
    /// Part and kind of the injury.
    pub injury: String,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Facts(…)")
    }
}

impl Facts {
    /// What is left of them when whom they are about was erased.
    fn erased(day: NaiveDate) -> Self {
        let none = String::new;
        Self {
            name: none(),
            phone: none(),
            employer: None,
            hospital: none(),
            admitted_on: day,
            injury: none(),
        }
    }

    /// Sealed for the injury `id`.
    pub fn seal(&self, vault: &Vault, id: InjuryId) -> Result<String> {
        let text = serde_json::to_string(self).map_err(Error::internal)?;
        vault.seal(FACTS, id.0.as_bytes(), &text).map_err(Error::internal)
    }
}

/// Whom a list means.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = injured)]
pub struct Injured {
    /// Keyed hash of a number and a name.
    pub who: Vec<u8>,
    /// The person.
    pub person_id: PersonId,
}

/// A work injury.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = injuries, treat_none_as_default_value = false)]
pub struct Injury {
    /// Its id.
    pub id: InjuryId,
    /// Whose.
    pub person_id: PersonId,
    /// Who looks after it.
    pub organisation_id: OrganisationId,
    /// When it happened.
    pub injured_on: NaiveDate,
    /// [`Facts`], sealed.
    pub facts_sealed: String,
    /// The last day of the employer's term.
    pub employer_due_on: NaiveDate,
    /// The last day of the worker's and the union's term.
    pub worker_due_on: NaiveDate,
    /// When recognition was applied for.
    pub applied_on: Option<NaiveDate>,
    /// By whom.
    pub applied_by: Option<Applicant>,
    /// When the worker was told that the employer's term ends.
    pub employer_warned_at: Option<NaiveDateTime>,
    /// When the worker was told that their own term ends.
    pub worker_warned_at: Option<NaiveDateTime>,
    /// Who took in the list.
    pub imported_by: PersonId,
    /// When.
    pub imported_at: NaiveDateTime,
    /// Counts changes.
    pub version: i64,
}

impl Injury {
    /// What the hospital says.
    pub fn facts(&self, vault: &Vault) -> Result<Facts> {
        let plain = vault.open(FACTS, self.id.0.as_bytes(), &self.facts_sealed).map_err(Error::internal)?;
        match plain.expose_secret() {
            "" => Ok(Facts::erased(self.injured_on)),
            text => serde_json::from_str(text).map_err(Error::internal),
        }
    }

    /// The last day of a term.
    pub fn due_on(&self, term: TermOf) -> NaiveDate {
        match term {
            TermOf::Employer => self.employer_due_on,
            TermOf::Worker => self.worker_due_on,
        }
    }
}

/// The session of a day's visits.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = visit_days)]
pub struct VisitDay {
    /// Who visits.
    pub organisation_id: OrganisationId,
    /// The topic of the programme.
    pub topic: String,
    /// The day.
    pub day: NaiveDate,
    /// 1, and a further one where the session before is over.
    pub number: i64,
    /// The session.
    pub session_id: SessionId,
}

/// A visit.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = visits, treat_none_as_default_value = false)]
pub struct Visit {
    /// Its id.
    pub id: VisitId,
    /// For which injury.
    pub injury_id: InjuryId,
    /// The session that it belongs to.
    pub session_id: SessionId,
    /// What was done.
    pub form: VisitForm,
    /// When.
    pub visited_on: NaiveDate,
    /// What was given, if anything.
    pub gift_kind: Option<GiftKind>,
    /// What that was, in words.
    pub gift_text: Option<String>,
    /// What it is worth.
    pub gift_fen: Option<i64>,
    /// JSON: what was told, by code.
    pub told: String,
    /// Who recorded it.
    pub recorded_by: PersonId,
    /// When.
    pub recorded_at: NaiveDateTime,
    /// Who took it back.
    pub undone_by: Option<PersonId>,
    /// When.
    pub undone_at: Option<NaiveDateTime>,
    /// Why.
    pub undone_because: Option<String>,
    /// Counts changes.
    pub version: i64,
}
