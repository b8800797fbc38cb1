//! What the figures of the year must be, from the events alone.
//!
//! This is written from the wording of the plan, and a second time on purpose: it knows neither the ledger nor the rules of counting that
//! the server has, so that the two can be compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::book::{Book, Entry, Source, Sums};
use super::events::{
    About, Aid, Came, DISTRICT, Event, Figure, How, Meeting, Report, Sitting, Visits, What, When, street_of,
    workplace,
};
use super::expecting::expected;

/// All targets of the plan.
pub const TARGETS: [&str; 46] = [
    "03a", "03b", "05a", "07a", "07b", "07c", "08a", "09a", "09b", "09c", "09d", "09e", "10a", "10b", "11a",
    "11b", "11c", "12a", "12b", "12c", "13a", "14a", "15a", "15b", "16a", "16b", "17a", "17b", "17c", "19a",
    "19b", "19c", "20a", "21a", "21b", "23a", "24a", "25a", "25b", "27a", "28a", "28b", "29a", "29b", "29c",
    "29d",
];

/// What a target's figures must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The value.
    pub value: i64,
    /// By code of the organisation; only what is not zero.
    pub by_organisation: BTreeMap<String, i64>,
    /// By month; only what is not zero.
    pub months: BTreeMap<u32, i64>,
    /// Of people: by how much the organisations' figures exceed the district's.
    pub overlap: i64,
    /// Of a rate: month, numerator, denominator.
    pub snapshots: Vec<(u32, i64, i64)>,
    /// Of a composite target: each part.
    pub parts: Vec<i64>,
}

/// A closed month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedMonth {
    /// As it was issued.
    pub issued: Sums,
    /// As it is in the end.
    pub restated: Sums,
}

/// Everything that must come of the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reckoned {
    /// By code.
    pub targets: BTreeMap<&'static str, Expected>,
    /// By month.
    pub closed: BTreeMap<u32, ClosedMonth>,
}

/// Reckons the figures of `events`.
pub fn reckon(events: &[Event]) -> Reckoned {
    let mut year = Year::default();
    for event in events {
        year.take(event);
    }
    let mut closed = year.closed;
    for (month, one) in &mut closed {
        one.restated = year.book.month(*month);
    }
    let targets = TARGETS.iter().map(|code| (*code, expected(code, &year.book, &year.reports))).collect();
    Reckoned { targets, closed }
}

/// The versions that count, by target, unit and month.
pub(super) type Reports = BTreeMap<(&'static str, &'static str, u32), Report>;

/// Whose figure something is.
#[derive(Debug, Clone, Copy)]
enum Whose {
    /// The sub-district of who holds it.
    Organiser,
    /// The sub-district of the place.
    Venue,
    /// The sub-district where the person works.
    Workplace,
    /// The station.
    Station,
}

/// Targets that count sessions of what `about` says, and whose they are.
fn sessions(about: About) -> Vec<(&'static str, Whose)> {
    let mut targets = match about.topic {
        "model_worker_lecture" => vec![("03a", Whose::Organiser)],
        "skills" if about.kind == "training" => vec![("07a", Whose::Organiser)],
        "legal_education" => vec![("11b", Whose::Organiser)],
        "station_service" => vec![("16b", Whose::Station)],
        "cooling_relief" => vec![("17a", Whose::Organiser)],
        "mental_health" => vec![("20a", Whose::Organiser)],
        "street_exchange" => vec![("27a", Whose::Organiser)],
        _ => Vec::new(),
    };
    if about.audience == "new_employment" {
        targets.push(("21a", Whose::Organiser));
    }
    targets
}

/// Targets that count how often people come.
fn person_times(about: About, expert: bool) -> Vec<(&'static str, Whose)> {
    let mut targets = match about.topic {
        "model_worker_lecture" => vec![("03b", Whose::Venue)],
        "skills" if about.kind == "training" => vec![("07b", Whose::Workplace)],
        "academic_upgrade" => vec![("07c", Whose::Workplace)],
        "craftsman_support" if expert => vec![("09c", Whose::Organiser)],
        "cooling_relief" => vec![("17b", Whose::Venue)],
        _ => Vec::new(),
    };
    if about.kind == "convalescence" {
        targets.push(("17c", Whose::Workplace));
    }
    if about.audience == "new_employment" {
        targets.push(("21b", Whose::Workplace));
    }
    targets
}

/// Targets that count different people.
fn people(about: About, expert: bool) -> Vec<&'static str> {
    match about.topic {
        "craftsman_support" if !expert => vec!["09e"],
        "injury_prevention" => vec!["19c"],
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Year {
    book: Book,
    moved: HashMap<u32, &'static str>,
    meetings: HashMap<usize, (When, Meeting)>,
    visited: HashMap<u32, u32>,
    /// The month of an acceptance, by its number.
    aided: HashMap<u32, u32>,
    reports: Reports,
    closed: BTreeMap<u32, ClosedMonth>,
}

impl Year {
    fn take(&mut self, event: &Event) {
        match &event.what {
            What::Meeting(meeting) => {
                self.meetings.insert(meeting.number, (event.when, meeting.clone()));
                self.meeting(event.when.month, meeting);
            }
            What::Visits(visits) => self.visits(event.when.month, visits),
            What::Report(report) => self.report(report),
            What::Aid(aid) => self.aid(event.when.month, *aid),
            What::AidAnnulled { number } => {
                let month = self.aided.get(number).copied().unwrap_or(0);
                self.book.drop(month, &aid_source(*number));
            }
            What::Moves { worker, workplace } => _ = self.moved.insert(*worker, *workplace),
            What::Close(month) => {
                let issued = self.book.month(*month);
                self.closed.insert(*month, ClosedMonth { issued, ..ClosedMonth::default() });
                self.book.close(*month);
            }
            What::LateCrowd { meeting, number } | What::Audit { meeting, found: number, .. } => {
                if let Some((when, meeting)) = self.meetings.get(meeting).cloned() {
                    self.book.drop(when.month, &crowd_source(meeting.number, 0));
                    let present = meeting.sittings.first().map_or(0, present);
                    self.crowd(when.month, &meeting, 0, number - present);
                }
            }
            What::UndoneVisit { worker } => {
                let month = self.visited.get(worker).copied().unwrap_or(0);
                self.book.drop(month, &("visit", format!("{month}/{worker}")));
            }
            What::Restate(month) => self.book.restate(*month),
        }
    }

    fn meeting(&mut self, month: u32, meeting: &Meeting) {
        let held = |sitting: &&Sitting| {
            !sitting.cancelled && (present(sitting) > 0 || sitting.crowd.is_some_and(|crowd| crowd > 0))
        };
        for (place, sitting) in meeting.sittings.iter().enumerate().filter(|(_, one)| held(one)) {
            for one in sitting.came.iter().filter(|one| !one.undone) {
                self.person(month, meeting, place, one);
            }
            if let Some(crowd) = sitting.crowd {
                self.crowd(month, meeting, place, crowd - present(sitting));
            }
            for (target, whose) in sessions(meeting.about) {
                let source = ("session", format!("{}/{place}", meeting.number));
                self.count(target, whose_of(whose, meeting, None), month, 1, source);
            }
        }
        if meeting.about.topic == "festival" && meeting.sittings.iter().any(|one| held(&one)) {
            let source = ("activity", meeting.number.to_string());
            self.count("05a", whose_of(Whose::Organiser, meeting, None), month, 1, source);
        }
    }

    fn person(&mut self, month: u32, meeting: &Meeting, place: usize, one: &Came) {
        let expert = one.how == How::Expert;
        let works = self.works(one.worker);
        let source = ("person", format!("{}/{place}/{}", meeting.number, one.worker));
        for (target, whose) in person_times(meeting.about, expert) {
            self.count(target, whose_of(whose, meeting, Some(works)), month, 1, source.clone());
        }
        for target in people(meeting.about, expert) {
            let street = whose_of(Whose::Workplace, meeting, Some(works));
            self.somebody(target, &street, month, one.worker, &source);
        }
    }

    fn crowd(&mut self, month: u32, meeting: &Meeting, place: usize, number: i64) {
        for (target, whose) in person_times(meeting.about, false) {
            let organisation = whose_of(whose, meeting, None);
            self.count(target, organisation, month, number.max(0), crowd_source(meeting.number, place));
        }
    }

    fn visits(&mut self, month: u32, visits: &Visits) {
        for visit in &visits.made {
            self.visited.insert(visit.worker, month);
            let source = ("visit", format!("{month}/{}", visit.worker));
            self.somebody("19a", visits.street, month, visit.worker, &source);
            if visit.gift {
                self.somebody("19b", visits.street, month, visit.worker, &source);
            }
        }
    }

    /// 提供法律援助100宗: accepted, and more than advice or a letter.
    fn aid(&mut self, month: u32, aid: Aid) {
        if aid.accepted && matches!(aid.form, "mediation" | "representation") {
            self.aided.insert(aid.number, month);
            let street = street_of(self.works(aid.worker)).to_owned();
            self.count("11c", street, month, 1, aid_source(aid.number));
        }
    }

    fn works(&self, worker: u32) -> &'static str {
        self.moved.get(&worker).copied().unwrap_or_else(|| workplace(worker))
    }

    fn count(
        &mut self,
        target: &'static str,
        organisation: String,
        month: u32,
        quantity: i64,
        source: Source,
    ) {
        self.book.add(Entry { target, organisation, month, quantity, source, once: None });
    }

    /// A person counts once for the district, and once for every sub-district.
    fn somebody(&mut self, target: &'static str, street: &str, month: u32, worker: u32, source: &Source) {
        for organisation in BTreeSet::from([DISTRICT, street]) {
            self.book.add(Entry {
                target,
                organisation: organisation.to_owned(),
                month,
                quantity: 1,
                source: source.clone(),
                once: Some(format!("{worker}/{organisation}")),
            });
        }
    }

    /// A later version takes the place of the former.
    fn report(&mut self, report: &Report) {
        if !report.approved {
            return;
        }
        let Report { code, unit, month, .. } = *report;
        self.reports.insert((code, unit, month), report.clone());
        let source = ("report", format!("{code}/{unit}/{month}"));
        self.book.drop(month, &source);
        let street = street_of(unit).to_owned();
        match &report.figure {
            Figure::Value(value) => self.count(code, street, month, *value, source),
            Figure::Parts(parts) => self.count(code, street, month, parts.iter().sum(), source),
            // Of a rate nothing adds up.
            Figure::Ratio(..) => {}
            Figure::Covered(_) if code == "28b" => {}
            Figure::Covered(units) => {
                for unit in units {
                    self.book.add(Entry {
                        target: code,
                        organisation: street_of(unit).to_owned(),
                        month,
                        quantity: 1,
                        source: source.clone(),
                        once: Some((*unit).to_owned()),
                    });
                }
            }
        }
    }
}

fn crowd_source(meeting: usize, place: usize) -> Source {
    ("crowd", format!("{meeting}/{place}"))
}

fn aid_source(number: u32) -> Source {
    ("aid", number.to_string())
}

/// Those who were checked in and stay so.
fn present(sitting: &Sitting) -> i64 {
    let stays = sitting.came.iter().filter(|one| !one.undone).count();
    i64::try_from(stays).unwrap_or(i64::MAX)
}

fn whose_of(whose: Whose, meeting: &Meeting, works: Option<&str>) -> String {
    let organiser = street_of(meeting.organiser);
    match whose {
        Whose::Organiser => organiser,
        Whose::Venue => meeting.venue.unwrap_or(organiser),
        Whose::Workplace => works.map_or(organiser, street_of),
        Whose::Station => meeting.organiser,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::script::script;
    use super::*;

    #[test]
    fn every_target_has_a_value() {
        let reckoned = reckon(&script());
        for (code, expected) in &reckoned.targets {
            assert!(expected.value > 0, "{code}: {expected:?}");
        }
        assert_eq!(reckoned.targets.len(), 46);
    }

    #[test]
    fn some_figures_by_hand() {
        let reckoned = reckon(&script());
        let value = |code: &str| reckoned.targets[code].value;
        // A street hosts in every quarter; 布吉 has a gap; of five and three sub-districts all but one reach what is due.
        assert_eq!((value("27a"), value("16b"), value("24a"), value("25b")), (4, 2, 4, 3));
        assert_eq!((value("28a"), value("28b"), value("12a"), value("10b")), (6, 57, 90, 61));
        assert_eq!((value("09a"), value("09d"), value("11a"), value("13a")), (21, 26, 25, 14));
        // Eight were in hospital and seven were visited, since one visit did not take place; five of them with a gift.
        assert_eq!((value("19a"), value("19b")), (7, 5));
        // Two cases a month and four more, less one that was annulled in May and one of January.
        assert_eq!((value("11c"), reckoned.targets["11c"].months[&11]), (26, 6));
        // Six lectures: two who were checked in are in the crowd.
        assert_eq!(value("03b"), 8_800 + 9_300 + 9_500 + 9_700 + 9_900 + 10_100);
        let january = &reckoned.closed[&1];
        let figure = |sums: &Sums| sums.get(&("03b".to_owned(), "street-longcheng".to_owned())).copied();
        assert_eq!((figure(&january.issued), figure(&january.restated)), (Some(2), Some(8_800)));
        assert_eq!(reckoned.closed[&2].issued, reckoned.closed[&2].restated);
        assert_eq!(reckoned.targets["19c"].overlap, 1);
    }
}
