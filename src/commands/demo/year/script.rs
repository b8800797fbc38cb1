//! The year 2025 as a list of events, the same every time: it asks neither a clock nor chance.

use super::events::{
    About, Aid, Came, DISTRICT, Event, Figure, How, Meeting, Report, STREETS, Sitting, Visit, Visits, What,
    When,
};

const SKILLS: About = About { kind: "training", topic: "skills", audience: "all" };
const SKILLS_RIDERS: About = About { audience: "new_employment", ..SKILLS };
const ACADEMIC: About = About { kind: "academic", topic: "academic_upgrade", audience: "all" };
const LEGAL: About = About { kind: "lecture", topic: "legal_education", audience: "all" };
const LEGAL_DAY_RIDERS: About =
    About { kind: "legal_aid", topic: "legal_consultation", audience: "new_employment" };
const LECTURE: About = About { kind: "lecture", topic: "model_worker_lecture", audience: "all" };
const FESTIVAL: About = About { kind: "culture", topic: "festival", audience: "all" };
const MIND: About = About { kind: "care", topic: "mental_health", audience: "all" };
const COOLING: About = About { kind: "care", topic: "cooling_relief", audience: "all" };
const STATION: About = About { kind: "care", topic: "station_service", audience: "new_employment" };
const CRAFTSMEN: About = About { kind: "exchange", topic: "craftsman_support", audience: "skilled_worker" };
const CONVALESCENCE: About = About { kind: "convalescence", topic: "convalescence", audience: "all" };
const PREVENTION: About = About { kind: "training", topic: "injury_prevention", audience: "all" };
const EXCHANGE: About = About { kind: "exchange", topic: "street_exchange", audience: "all" };

/// Workers who come again and again, with a phone of their own.
const REGULARS: u32 = 12;
/// Somebody who comes twice, and works elsewhere the second time.
const MOVER: u32 = 5;
/// The first of those who come once.
const FIRST_FRESH: u32 = 1000;
/// The first of those who are in hospital.
const FIRST_INJURED: u32 = 5000;
/// The first of those who ask for legal aid.
const FIRST_AIDED: u32 = 7000;

/// The events, in the order of time.
pub fn script() -> Vec<Event> {
    let mut year = Writer { events: Vec::new(), meetings: 0, fresh: FIRST_FRESH, aided: 0 };
    for month in 1..=12 {
        year.courses(month);
        year.occasions(month);
        year.stations(month);
        year.visits(month);
        year.aid(month);
        year.reports(month);
        year.desk(month);
    }
    // What stands on one day keeps its order.
    year.events.sort_by_key(|event| event.when);
    year.events
}

fn street(number: u32) -> &'static str {
    let place = usize::try_from(number).unwrap_or(0) % STREETS.len();
    STREETS.get(place).copied().unwrap_or(DISTRICT)
}

fn came(worker: u32, how: How) -> Came {
    Came { worker, how, undone: false }
}

fn sitting(came: Vec<Came>) -> Sitting {
    Sitting { came, ..Sitting::default() }
}

struct Writer {
    events: Vec<Event>,
    meetings: usize,
    fresh: u32,
    aided: u32,
}

impl Writer {
    fn add(&mut self, month: u32, day: u32, what: What) {
        self.events.push(Event { when: When { month, day }, what });
    }

    /// Somebody whom nobody has seen before.
    fn fresh(&mut self, how: How) -> Came {
        self.fresh += 1;
        came(self.fresh, how)
    }

    fn walk_ins(&mut self, count: u32) -> Vec<Came> {
        (0..count).map(|_| self.fresh(How::WalkIn)).collect()
    }

    fn meeting(
        &mut self,
        (month, day): (u32, u32),
        about: About,
        organiser: &'static str,
        sittings: Vec<Sitting>,
    ) -> usize {
        self.meeting_at((month, day), about, (organiser, None), sittings)
    }

    fn meeting_at(
        &mut self,
        (month, day): (u32, u32),
        about: About,
        (organiser, venue): (&'static str, Option<&'static str>),
        sittings: Vec<Sitting>,
    ) -> usize {
        self.meetings += 1;
        let number = self.meetings;
        self.add(month, day, What::Meeting(Meeting { number, about, organiser, venue, sittings }));
        number
    }

    /// Courses and talks of every month.
    fn courses(&mut self, month: u32) {
        let regular = |n: u32| came((month + n) % REGULARS, How::Scan);
        let mut skills = vec![
            sitting([vec![regular(0), regular(4)], self.walk_ins(1)].concat()),
            sitting(self.walk_ins(1)),
        ];
        match month {
            // One was called off after somebody had come.
            3 => skills.push(Sitting { cancelled: true, ..sitting(self.walk_ins(2)) }),
            // Whoever was scanned was not there, so that nobody was.
            4 => {
                let wrong = Came { undone: true, ..self.fresh(How::WalkIn) };
                skills.push(sitting(vec![wrong]));
            }
            _ => {}
        }
        self.meeting((month, 6), SKILLS, street(month), skills);
        let riders = [vec![regular(8)], self.walk_ins(1)].concat();
        let organiser = if month.is_multiple_of(2) { "demo-industry-express" } else { street(month + 3) };
        self.meeting((month, 8), SKILLS_RIDERS, organiser, vec![sitting(riders)]);
        let undone = Came { undone: month == 7, ..self.fresh(How::WalkIn) };
        let crowd = Some(40 + 7 * i64::from(month));
        let lecture = Sitting { crowd, ..sitting(vec![undone]) };
        self.meeting((month, 6), ACADEMIC, street(month + 5), vec![lecture]);
        let mut legal: Vec<Sitting> = (0..3).map(|_| sitting(self.walk_ins(1))).collect();
        if month == 4 {
            // Nobody came.
            legal.push(Sitting::default());
        }
        self.meeting((month, 8), LEGAL, street(month + 7), legal);
    }

    /// What is not held every month.
    fn occasions(&mut self, month: u32) {
        if month % 2 == 1 {
            // The lectures have crowds; January's is told of late.
            let crowd = (month > 1).then(|| 9_000 + 100 * i64::from(month));
            let lecture = Sitting { crowd, ..sitting(self.walk_ins(2)) };
            self.meeting_at((month, 13), LECTURE, ("dept-rights", Some(street(month + 1))), vec![lecture]);
        } else {
            let talk = sitting(self.walk_ins(1));
            self.meeting((month, 13), MIND, street(month + 2), vec![talk]);
        }
        if matches!(month, 1 | 2 | 5 | 9 | 10) {
            let organiser = if month == 5 { "dept-education" } else { street(month) };
            let days = vec![sitting(self.walk_ins(1)), sitting(self.walk_ins(1))];
            self.meeting((month, 14), FESTIVAL, organiser, days);
        }
        if matches!(month, 3 | 6 | 9) {
            let helped = [vec![self.fresh(How::Expert), self.fresh(How::Expert)], self.walk_ins(3)].concat();
            self.meeting((month, 15), CRAFTSMEN, street(month + 4), vec![sitting(helped)]);
        }
        if matches!(month, 4 | 9) {
            let stay: Vec<Came> = (0..4).map(|n| came((month + n) % REGULARS, How::Scan)).collect();
            self.meeting((month, 17), CONVALESCENCE, "dept-rights", vec![sitting(stay)]);
        }
        if matches!(month, 2 | 8 | 11) {
            let mut helpers = self.walk_ins(3);
            if month != 11 {
                helpers.push(came(MOVER, How::Scan));
            }
            self.meeting((month, 18), PREVENTION, street(month), vec![sitting(helpers)]);
            let hosts = self.walk_ins(2);
            self.meeting((month, 19), EXCHANGE, street(month / 3), vec![sitting(hosts)]);
        }
        if month == 5 {
            let hosts = self.walk_ins(2);
            self.meeting((month, 19), EXCHANGE, street(7), vec![sitting(hosts)]);
            self.add(month, 20, What::Moves { worker: MOVER, workplace: "demo-enterprise-buji-2" });
        }
        if matches!(month, 3 | 10) {
            let asked = vec![sitting(self.walk_ins(2))];
            self.meeting((month, 16), LEGAL_DAY_RIDERS, street(month + 6), asked);
        }
        if (6..=9).contains(&month) {
            self.cooling(month);
        }
    }

    /// 送清凉, where the crowds are.
    fn cooling(&mut self, month: u32) {
        for (place, number) in [(0, 12_000), (month, 13_000), (month + 1, 15_000)] {
            let crowd = Some(number + 11 * i64::from(month));
            let square = Sitting { crowd, ..sitting(self.walk_ins(1)) };
            let meeting = self.meeting((month, 22), COOLING, street(place), vec![square]);
            if month == 8 && place == 0 {
                let audit = What::Audit { street: street(0), quarter: 3, meeting, found: 9_500 };
                self.add(10, 16, audit);
            }
        }
    }

    /// A service a month at every station of the city; 布吉 has a gap in May.
    fn stations(&mut self, month: u32) {
        for station in ["demo-station-bantian-1", "demo-station-buji-1", "demo-station-longcheng-1"] {
            if (station, month) != ("demo-station-buji-1", 5) {
                let served = vec![sitting(self.walk_ins(1))];
                self.meeting((month, 21), STATION, station, served);
            }
        }
    }

    /// Lists of hospitals, and visits.
    fn visits(&mut self, month: u32) {
        let visit = |n: u32, gift: bool| Visit { worker: FIRST_INJURED + n, gift };
        let made = match month {
            1 => vec![visit(1, true), visit(2, false), visit(3, true)],
            4 => vec![visit(4, false), visit(5, true)],
            // Who was visited in April is visited again, with a gift.
            6 => vec![visit(4, true), visit(6, false)],
            10 => vec![visit(7, true), visit(8, true)],
            _ => return,
        };
        let street = if matches!(month, 4 | 6) { street(4) } else { street(month) };
        self.add(month, 23, What::Visits(Visits { street, made }));
    }

    fn asks(&mut self, (month, day): (u32, u32), form: &'static str, accepted: bool) -> u32 {
        self.aided += 1;
        let number = self.aided;
        self.add(month, day, What::Aid(Aid { number, worker: FIRST_AIDED + number, form, accepted }));
        number
    }

    /// Legal aid. Advice and a letter make no case, nor does what is refused.
    fn aid(&mut self, month: u32) {
        let first = self.asks((month, 11), "mediation", true);
        let second = self.asks((month, 24), "representation", true);
        match month {
            // Annulled when its month is closed.
            1 => self.add(3, 12, What::AidAnnulled { number: first }),
            4 => _ = self.asks((4, 11), "representation", false),
            5 => self.add(5, 26, What::AidAnnulled { number: second }),
            6 => _ = self.asks((6, 11), "drafting", true),
            9 => _ = self.asks((9, 11), "consultation", true),
            // Many at once, when a factory moves away.
            11 => {
                for _ in 0..4 {
                    self.asks((11, 12), "representation", true);
                }
            }
            _ => {}
        }
    }

    /// What units say of a month, on its 25th.
    fn reports(&mut self, month: u32) {
        let all: Vec<Report> = reported().into_iter().filter(|one| one.month == month).collect();
        for report in all {
            // January's figure comes when January is closed.
            let (in_month, day) = if month == 1 { (3, 12) } else { (month, 25) };
            self.add(in_month, day, What::Report(report));
        }
    }

    /// Closing, what comes too late for it, and the restatement.
    fn desk(&mut self, month: u32) {
        match month {
            2 => self.add(2, 5, What::Close(1)),
            3 => {
                self.add(3, 5, What::Close(2));
                let first = self.events.iter().find_map(|event| match &event.what {
                    What::Meeting(meeting) if meeting.about == LECTURE => Some(meeting.number),
                    _ => None,
                });
                if let Some(meeting) = first {
                    self.add(3, 12, What::LateCrowd { meeting, number: 8_800 });
                }
                self.add(3, 12, What::UndoneVisit { worker: FIRST_INJURED + 3 });
                self.add(3, 20, What::Restate(1));
            }
            _ => {}
        }
    }
}

/// Every reported figure, by month in the order in which it is told.
fn reported() -> Vec<Report> {
    use Figure::{Covered, Parts, Ratio, Value};
    let one = |code, unit, month, figure| Report { code, unit, month, figure, approved: true };
    let mut all = vec![
        one("08a", DISTRICT, 5, Value(2)),
        one("09a", "street-pinghu", 1, Value(3)),
        one("09a", "street-buji", 4, Value(7)),
        one("09a", DISTRICT, 8, Value(11)),
        one("09b", DISTRICT, 6, Value(8)),
        // The second one corrects the first.
        one("09d", "street-nanwan", 5, Value(30)),
        one("09d", "street-nanwan", 5, Value(26)),
        one("10a", DISTRICT, 6, Ratio(45, 60)),
        one("10a", DISTRICT, 12, Ratio(58, 60)),
        one("10b", "street-pinghu", 9, Ratio(30, 50)),
        one("10b", "street-buji", 9, Ratio(25, 40)),
        one("11a", DISTRICT, 5, Parts(vec![1, 12, 7])),
        one("11a", "street-henggang", 9, Parts(vec![0, 3, 2])),
        one("12a", DISTRICT, 3, Ratio(88, 100)),
        // Below 85 %, which stays a failure.
        one("12a", DISTRICT, 7, Ratio(84, 100)),
        one("12a", DISTRICT, 11, Ratio(90, 100)),
        one("12b", "dept-rights", 9, Value(4)),
        one("12c", "dept-rights", 4, Value(1)),
        Report { approved: false, ..one("13a", "street-longgang", 7, Value(50)) },
        one("13a", "street-longgang", 7, Value(14)),
        one("14a", DISTRICT, 10, Value(5)),
        one("15a", DISTRICT, 6, Ratio(93, 100)),
        one("15a", DISTRICT, 12, Ratio(95, 100)),
        one("15b", "dept-organisation", 6, Value(31)),
        one("16a", "street-bantian", 4, Value(1)),
        one("23a", DISTRICT, 11, Value(9)),
        one("25a", DISTRICT, 12, Ratio(53, 100)),
        one("28a", DISTRICT, 4, Covered(vec!["street-pinghu", "street-pingdi", "street-nanwan"])),
        // 南湾 again, which counts once.
        one(
            "28a",
            DISTRICT,
            9,
            Covered(vec!["street-nanwan", "street-buji", "street-jihua", "street-baolong"]),
        ),
        one("28b", DISTRICT, 10, Covered(DIRECT.iter().take(4).copied().collect())),
        one("29a", DISTRICT, 5, Covered(STREETS.iter().take(10).copied().collect())),
        one("29b", DISTRICT, 8, Covered(DIRECT.to_vec())),
        one("29c", DISTRICT, 12, Value(1)),
        one("29d", DISTRICT, 11, Value(1)),
    ];
    for (place, street) in STREETS.iter().take(5).enumerate() {
        // The fifth does not reach the two that are due.
        all.push(one("24a", street, 8, Value(if place == 4 { 1 } else { 2 })));
        if place < 3 {
            all.push(one("25b", street, 9, Value(1)));
        }
    }
    all
}

/// The direct grassroots unions (直管基层工会).
const DIRECT: [&str; 7] = [
    "demo-direct-1",
    "demo-direct-2",
    "demo-direct-3",
    "demo-direct-4",
    "demo-direct-5",
    "demo-direct-6",
    "demo-direct-7",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_is_always_the_same_and_in_order() {
        let year = script();
        assert_eq!(year, script());
        assert!(year.is_sorted_by_key(|event| event.when));
        assert!(year.iter().all(|event| event.when.date() != chrono::NaiveDate::default()));
    }
}
