//! What an import of a hospital's list asks the database, and what it leaves there.

use std::collections::btree_map;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::finding::{self, Sought};
use super::list::{List, Patient, RowFaults};
use super::model::{Injury, TermOf};
use super::rules::{self, Length};
use super::store;
use crate::clock::db_time;
use crate::error::{Result, Text};
use crate::ids::{Ids, InjuryId, OrganisationId, PersonId};
use crate::offering::imports::columns::CellFault;
use crate::org;
use crate::org::model::Organisation;
use crate::platform::access::Scope;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::vault::Vault;
use crate::policy::calendar::Calendar;

/// On whose behalf a list is taken in.
pub struct Taking<'a> {
    /// Whose list it is.
    pub organisation: &'a Organisation,
    /// Where the caller may.
    pub scope: &'a Scope,
    /// Who.
    pub actor: PersonId,
    /// When.
    pub now: DateTime<Utc>,
    /// New ids.
    pub ids: &'a Ids,
    /// Seals.
    pub vault: &'a Vault,
}

/// What became of somebody on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An injury was made.
    Created(InjuryId),
    /// It is there already.
    Known {
        /// It, where the caller may know of it.
        id: Option<InjuryId>,
        /// Whether a row above has made it.
        here: bool,
    },
}

/// What became of a list.
#[derive(Debug, Default)]
pub struct Done {
    /// By row.
    pub outcomes: BTreeMap<u32, Outcome>,
    /// The employer that a row means, where the tree has it.
    pub employers: BTreeMap<u32, OrganisationId>,
    /// What is wrong, by row.
    pub faults: RowFaults,
    /// For the audit.
    pub entries: Vec<Entry>,
}

/// Takes in everybody on `list` who can be. The caller rolls it back where anything is wrong.
pub fn take_in_tx(conn: &mut Conn, taking: &Taking<'_>, list: &List) -> Result<Done> {
    let mut done = Done { faults: list.faults.clone(), ..Done::default() };
    let tree = org::store::all(conn)?;
    let employers: Vec<Option<&Organisation>> =
        list.patients.iter().map(|patient| employer(&tree, patient, &mut done)).collect();
    let sought: Vec<Sought<'_>> = list
        .patients
        .iter()
        .zip(&employers)
        .map(|(patient, employer)| Sought {
            name: &patient.facts.name,
            phone: &patient.facts.phone,
            shared: patient.shared,
            workplace: employer.map(|employer| employer.id),
        })
        .collect();
    let people = finding::people_in_tx(conn, taking.vault, taking.ids, &sought, taking.now)?;
    let mut terms = Terms::load(conn)?;
    let mut rows: BTreeMap<(PersonId, NaiveDate), (u32, Injury)> = BTreeMap::new();
    let mut meant: Vec<(u32, (PersonId, NaiveDate))> = Vec::new();
    for ((patient, employer), person) in list.patients.iter().zip(&employers).zip(people) {
        let Some(person) = person else {
            let text = Text::new(
                "该手机号登记的姓名不同，请核对；确为多人共用的，请在“号码共用”列填“是”",
                "this number is registered with another name; if several people share it, say so in shared_phone",
            );
            let fault = CellFault::new("name", "name_differs", text);
            done.faults.entry(patient.row).or_default().push(fault);
            continue;
        };
        let key = (person, patient.injured_on);
        meant.push((patient.row, key));
        if let btree_map::Entry::Vacant(new) = rows.entry(key) {
            let looks_after = employer.filter(|one| taking.scope.covers(&one.path));
            let organisation = looks_after.map_or(taking.organisation.id, |one| one.id);
            let row = taking.injury(conn, &mut terms, patient, person, organisation)?;
            new.insert((patient.row, row));
        }
    }
    // In the order of their keys, so that no two lists wait for each other.
    let injuries: Vec<Injury> = rows.values().map(|(_, row)| row.clone()).collect();
    let made: HashSet<InjuryId> = store::injuries_create_in_tx(conn, &injuries)?.into_iter().collect();
    let known = taking.known(conn, &tree, rows.keys().copied().collect())?;
    for (row, key) in meant {
        let new = rows.get(&key).filter(|(_, injury)| made.contains(&injury.id));
        let outcome = match new {
            Some((first, injury)) if *first == row => {
                done.entries.push(Entry::new(taking.actor, "injury.import", injury.id));
                Outcome::Created(injury.id)
            }
            _ => Outcome::Known { id: known.get(&key).copied(), here: new.is_some() },
        };
        done.outcomes.insert(row, outcome);
    }
    Ok(done)
}

/// The employer that a row names by code or name, where the tree has exactly one. Most employers are not in it, and stay words.
fn employer<'a>(
    tree: &'a HashMap<OrganisationId, Organisation>,
    patient: &Patient,
    done: &mut Done,
) -> Option<&'a Organisation> {
    let text = patient.facts.employer.as_deref()?;
    let mut named =
        tree.values().filter(|one| one.code == text || one.short_name == text || one.name == text);
    let first = named.next()?;
    if named.next().is_some() {
        let text = Text::new(
            "有多个组织使用该名称，请填写代码",
            "several organisations have this name; give the code",
        );
        done.faults.entry(patient.row).or_default().push(CellFault::new("employer", "ambiguous", text));
        return None;
    }
    done.employers.insert(patient.row, first.id);
    Some(first)
}

impl Taking<'_> {
    fn injury(
        &self,
        conn: &mut Conn,
        terms: &mut Terms,
        patient: &Patient,
        person: PersonId,
        organisation: OrganisationId,
    ) -> Result<Injury> {
        let id: InjuryId = self.ids.id();
        Ok(Injury {
            id,
            person_id: person,
            organisation_id: organisation,
            injured_on: patient.injured_on,
            facts_sealed: patient.facts.seal(self.vault, id)?,
            employer_due_on: terms.due_on(conn, TermOf::Employer, patient.injured_on)?,
            worker_due_on: terms.due_on(conn, TermOf::Worker, patient.injured_on)?,
            applied_on: None,
            applied_by: None,
            employer_warned_at: None,
            worker_warned_at: None,
            imported_by: self.actor,
            imported_at: db_time(self.now),
            version: 1,
        })
    }

    /// The injuries of these people on these days, of those that the caller may know of.
    fn known(
        &self,
        conn: &mut Conn,
        tree: &HashMap<OrganisationId, Organisation>,
        keys: Vec<(PersonId, NaiveDate)>,
    ) -> Result<HashMap<(PersonId, NaiveDate), InjuryId>> {
        let people: Vec<PersonId> = keys.iter().map(|(person, _)| *person).collect();
        let seen =
            |row: &Injury| tree.get(&row.organisation_id).is_some_and(|one| self.scope.covers(&one.path));
        let rows = store::injuries_of(conn, &people)?;
        Ok(rows.into_iter().filter(seen).map(|row| ((row.person_id, row.injured_on), row.id)).collect())
    }
}

/// The terms for applications, as the law says it on the day of the injury.
struct Terms {
    calendar: Calendar,
    lengths: HashMap<(TermOf, NaiveDate), Length>,
}

impl Terms {
    fn load(conn: &mut Conn) -> Result<Self> {
        Ok(Self { calendar: crate::policy::store::calendar(conn)?, lengths: HashMap::new() })
    }

    fn due_on(&mut self, conn: &mut Conn, term: TermOf, day: NaiveDate) -> Result<NaiveDate> {
        let length = match self.lengths.get(&(term, day)) {
            Some(length) => *length,
            None => {
                let length = Length::of(&store::policy(conn, term.key(), day)?)?;
                self.lengths.insert((term, day), length);
                length
            }
        };
        Ok(rules::due_on(day, length, &self.calendar))
    }
}

impl TermOf {
    /// The policy that says how long it is.
    fn key(self) -> &'static str {
        match self {
            Self::Employer => "injury.apply.employer",
            Self::Worker => "injury.apply.worker",
        }
    }
}
