//! Attendance becomes ledger lines.
//!
//! One attendance may count for several targets and at most once inside each: the ledger's unique key (target, dedup
//! key) sees to that. A count of people (人, 名) has a line for the district and one for each sub-district: a person who
//! attends in two sub-districts is one person of each and one of the district, so street figures may add up to more.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use super::model::{Attribution, CountingRule, Each, Measure, Target};
use super::store;
use crate::attendance::counting::{Attended, CountedCrowd, Counting, Held, Voided};
use crate::clock::{SharedClock, civil_day};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, Ids, OrganisationId, PersonId};
use crate::ledger;
use crate::ledger::model::{Because, Cause, Grade, NewLine, SourceKind};
use crate::offering;
use crate::offering::model::{Activity, AttendanceRole, Programme};
use crate::org;
use crate::org::model::{Organisation, OrganisationKind};
use crate::people;
use crate::platform::cache::Lately;
use crate::platform::db::Conn;

/// Counts by the plan's rules.
pub struct PlanCounting {
    clock: SharedClock,
    ids: Ids,
    tree: Lately<(), Tree>,
    activities: Lately<ActivityId, (Activity, Programme)>,
    rules: Lately<NaiveDate, Vec<(CountingRule, Target)>>,
}

impl PlanCounting {
    /// For the door, which counts many times a second, the union tree, the rules and what an activity is about are used again for `moment`.
    pub fn new(clock: SharedClock, ids: Ids, moment: Duration) -> Self {
        let (tree, activities, rules) = (Lately::new(moment), Lately::new(moment), Lately::new(moment));
        Self { clock, ids, tree, activities, rules }
    }

    fn ground(&self, conn: &mut Conn, activities: impl Iterator<Item = ActivityId>) -> Result<Ground> {
        let now = self.clock.now();
        let tree = self.tree.get((), now, || Tree::load(conn))?;
        let mut ground = Ground { activities: HashMap::new(), tree };
        for id in activities {
            if let Entry::Vacant(new) = ground.activities.entry(id) {
                let read = || {
                    let found = offering::store::activities_by_id(conn, &[id])?.remove(&id);
                    found.ok_or_else(|| Error::internal(format!("{id} is not on the ground")))
                };
                new.insert(self.activities.get(id, now, read)?);
            }
        }
        Ok(ground)
    }

    fn lines(
        &self,
        conn: &mut Conn,
        ground: &Ground,
        attended: &[Attended],
    ) -> Result<BTreeMap<Cause, Vec<NewLine>>> {
        let mut lines: BTreeMap<Cause, Vec<NewLine>> = BTreeMap::new();
        for one in attended {
            let day = civil_day(one.starts_at);
            let rules = self.rules_on(conn, day)?;
            lines.entry(one.cause).or_default().extend(ground.attended(one, day, &rules)?);
        }
        Ok(lines)
    }

    fn rules_on(&self, conn: &mut Conn, day: NaiveDate) -> Result<Arc<Vec<(CountingRule, Target)>>> {
        self.rules.get(day, self.clock.now(), || store::rules_on(conn, day))
    }
}

impl Counting for PlanCounting {
    fn attended_in_tx(&self, conn: &mut Conn, attended: &[Attended]) -> Result<()> {
        if attended.is_empty() {
            return Ok(());
        }
        let ground = self.ground(conn, attended.iter().map(|one| one.activity))?;
        let mut lines = self.lines(conn, &ground, attended)?;
        let months = |line: &NewLine| (line.target, ledger::store::month_of(line.day));
        let closed = ledger::held::closed_in_tx(conn, lines.values().flatten().map(months))?;
        // Behind the months, which whoever merges people holds alone: nobody is counted under a key that is gone.
        let people: Vec<PersonId> = attended.iter().map(|one| one.person).collect();
        let kept = people::merging::store::kept_of(conn, &people)?;
        if !kept.is_empty() {
            let as_kept: Vec<Attended> = attended.iter().map(|one| counted_as(one, &kept)).collect();
            lines = self.lines(conn, &ground, &as_kept)?;
        }
        for (cause, lines) in lines {
            ledger::store::post_shared_in_tx(conn, &self.ids, self.clock.now(), cause, &lines, &closed)?;
        }
        Ok(())
    }

    fn held_in_tx(&self, conn: &mut Conn, held: &Held) -> Result<()> {
        let ground = Ground::load(conn, vec![held.activity])?;
        let day = civil_day(held.starts_at);
        let rules = store::rules_on(conn, day)?;
        let lines = ground.held(held, day, &rules)?;
        ledger::store::post_in_tx(conn, &self.ids, self.clock.now(), Cause::New, &lines)?;
        Ok(())
    }

    fn crowd_in_tx(&self, conn: &mut Conn, crowd: &CountedCrowd) -> Result<()> {
        let ground = Ground::load(conn, vec![crowd.activity])?;
        let day = civil_day(crowd.starts_at);
        let lines = ground.crowd(crowd, day, &store::rules_on(conn, day)?)?;
        let (source, now) = (crowd.headcount.0, self.clock.now());
        let standing = ledger::store::standing_of_source(conn, source)?;
        // Under the session's lock nobody else writes them.
        let same = |line: &NewLine| {
            standing.iter().any(|old| {
                (old.target_id, old.organisation_id, old.day, old.quantity)
                    == (line.target, line.organisation, line.day, line.quantity)
            })
        };
        if standing.len() == lines.len() && lines.iter().all(same) {
            return Ok(());
        }
        if !standing.is_empty() {
            let because = Because { cause: crowd.cause, reason: &crowd.reason };
            ledger::store::reverse_source_in_tx(conn, &self.ids, now, source, because)?;
        }
        ledger::store::post_in_tx(conn, &self.ids, now, crowd.cause, &lines)?;
        Ok(())
    }

    fn month_is_open_in_tx(&self, conn: &mut Conn, day: NaiveDate) -> Result<bool> {
        let until = store::counts_until(conn, day)?;
        // What counts for no plan is in nobody's figures.
        let counts = until.is_none_or(|until| civil_day(self.clock.now()) <= until);
        Ok(counts && ledger::held::month_is_open_in_tx(conn, day)?)
    }

    fn voided_in_tx(&self, conn: &mut Conn, voided: &Voided) -> Result<()> {
        super::voiding::void_in_tx(conn, &self.ids, self.clock.now(), voided)
    }
}

/// The attendance of a merged account is that of the account which stands for it.
pub(super) fn counted_as(one: &Attended, kept: &HashMap<PersonId, PersonId>) -> Attended {
    Attended { person: kept.get(&one.person).copied().unwrap_or(one.person), ..one.clone() }
}

/// The rules of each day, read once.
#[derive(Default)]
pub(super) struct RulesByDay(HashMap<NaiveDate, Vec<(CountingRule, Target)>>);

impl RulesByDay {
    pub(super) fn on(&mut self, conn: &mut Conn, day: NaiveDate) -> Result<&[(CountingRule, Target)]> {
        Ok(match self.0.entry(day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(store::rules_on(conn, day)?),
        })
    }

    /// Those of a day that were read; none of another.
    pub(super) fn known(&self, day: NaiveDate) -> &[(CountingRule, Target)] {
        self.0.get(&day).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The union tree.
pub(super) struct Tree {
    organisations: HashMap<OrganisationId, Organisation>,
    root: OrganisationId,
}

impl Tree {
    fn load(conn: &mut Conn) -> Result<Self> {
        Ok(Self { organisations: org::store::all(conn)?, root: org::store::root(conn)?.id })
    }
}

/// What lines are made from: activities with their programmes, and the union tree.
pub(super) struct Ground {
    activities: HashMap<ActivityId, Arc<(Activity, Programme)>>,
    tree: Arc<Tree>,
}

impl Ground {
    pub(super) fn load(conn: &mut Conn, mut activities: Vec<ActivityId>) -> Result<Self> {
        activities.sort();
        activities.dedup();
        let found = offering::store::activities_by_id(conn, &activities)?;
        Ok(Self {
            activities: found.into_iter().map(|(id, row)| (id, Arc::new(row))).collect(),
            tree: Arc::new(Tree::load(conn)?),
        })
    }

    fn activity(&self, id: ActivityId) -> Result<&(Activity, Programme)> {
        self.activities
            .get(&id)
            .map(Arc::as_ref)
            .ok_or_else(|| Error::internal(format!("{id} is not on the ground")))
    }

    /// The lines of one attendance.
    pub(super) fn attended(
        &self,
        one: &Attended,
        day: NaiveDate,
        rules: &[(CountingRule, Target)],
    ) -> Result<Vec<NewLine>> {
        let (activity, programme) = self.activity(one.activity)?;
        let mut lines = Vec::new();
        // Whoever is there to help or to look on is present, and no participation of the plan.
        let covered = |rule: &CountingRule| one.counts && covers(rule, programme, Some(one.role));
        for (rule, target) in rules.iter().filter(|(rule, _)| covered(rule)) {
            let organisation = self.attribute(rule.attribution, target, activity, one.workplace);
            let line = |organisation, dedup_key| NewLine {
                target: target.id,
                organisation,
                day,
                quantity: 1,
                dedup_key,
                source_kind: SourceKind::Attendance,
                source_id: one.attendance.0,
                activity: Some(activity.id),
                grade: one.grade,
            };
            match target.measure {
                Measure::PersonTimes => {
                    lines.push(line(organisation, format!("attendance/{}", one.attendance)))
                }
                Measure::DistinctPersons => {
                    lines.push(line(self.tree.root, person_key(one.person, None)));
                    if organisation != self.tree.root {
                        lines.push(line(organisation, person_key(one.person, Some(organisation))));
                    }
                }
                _ => {}
            }
        }
        Ok(lines)
    }

    /// The lines of one crowd: whom it is made of is not known, so that it counts as people who took part, where that is counted by how
    /// often people came, and nowhere as different people.
    pub(super) fn crowd(
        &self,
        crowd: &CountedCrowd,
        day: NaiveDate,
        rules: &[(CountingRule, Target)],
    ) -> Result<Vec<NewLine>> {
        let (activity, programme) = self.activity(crowd.activity)?;
        let mut lines: Vec<NewLine> = Vec::new();
        for (rule, target) in rules {
            let counts = crowd.quantity > 0
                && target.measure == Measure::PersonTimes
                && covers(rule, programme, Some(AttendanceRole::Participant))
                && lines.iter().all(|line| line.target != target.id);
            if counts {
                lines.push(NewLine {
                    target: target.id,
                    organisation: self.attribute(rule.attribution, target, activity, None),
                    day,
                    quantity: crowd.quantity,
                    dedup_key: format!("headcount/{}", crowd.headcount),
                    source_kind: SourceKind::Headcount,
                    source_id: crowd.headcount.0,
                    activity: Some(activity.id),
                    grade: Grade::D,
                });
            }
        }
        Ok(lines)
    }

    /// The lines of one session that took place.
    pub(super) fn held(
        &self,
        held: &Held,
        day: NaiveDate,
        rules: &[(CountingRule, Target)],
    ) -> Result<Vec<NewLine>> {
        let (activity, programme) = self.activity(held.activity)?;
        let mut lines = Vec::new();
        for (rule, target) in rules.iter().filter(|(rule, _)| covers(rule, programme, None)) {
            let (source_kind, source_id, dedup_key) = match target.measure {
                Measure::SessionsHeld => {
                    (SourceKind::Session, held.session.0, format!("session/{}", held.session))
                }
                Measure::ActivitiesHeld => {
                    (SourceKind::Activity, activity.id.0, format!("activity/{}", activity.id))
                }
                _ => continue,
            };
            lines.push(NewLine {
                target: target.id,
                organisation: self.attribute(rule.attribution, target, activity, None),
                day,
                quantity: 1,
                dedup_key,
                source_kind,
                source_id,
                activity: Some(activity.id),
                grade: held.grade,
            });
        }
        Ok(lines)
    }

    /// Whose figure it is: a sub-district's, the district's where there is none, or, of a target that each
    /// station must reach, the station's own.
    fn attribute(
        &self,
        attribution: Attribution,
        target: &Target,
        activity: &Activity,
        workplace: Option<OrganisationId>,
    ) -> OrganisationId {
        let organiser = self.tree.organisations.get(&activity.organisation_id);
        if target.each == Some(Each::Station)
            && let Some(station) = organiser.filter(|row| row.kind == OrganisationKind::Station)
        {
            return station.id;
        }
        let street = |id: Option<OrganisationId>| {
            id.and_then(|id| self.tree.organisations.get(&id)).and_then(|row| row.street_id)
        };
        let organisers = street(Some(activity.organisation_id));
        match attribution {
            Attribution::Organiser => organisers,
            Attribution::Venue => activity.street_id.or(organisers),
            Attribution::Workplace => street(workplace).or(organisers),
        }
        .unwrap_or(self.tree.root)
    }
}

pub(super) fn person_key(person: PersonId, street: Option<OrganisationId>) -> String {
    match street {
        Some(street) => format!("person/{person}/{street}"),
        None => format!("person/{person}"),
    }
}

/// Whether a rule covers a programme, and a role where somebody has one. An empty text of a rule means any.
fn covers(rule: &CountingRule, programme: &Programme, role: Option<AttendanceRole>) -> bool {
    let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    fits(&rule.programme_kind, programme.kind.as_str())
        && fits(&rule.topic, &programme.topic)
        && fits(&rule.audience, programme.audience.as_str())
        && role.is_none_or(|role| fits(&rule.role, role.as_str()))
}
