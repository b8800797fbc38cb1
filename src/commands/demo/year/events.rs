//! What happens in the year, as data.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::clock::day_start;

/// The year that is played.
pub const YEAR: i32 = 2025;
/// The district.
pub const DISTRICT: &str = "longgang";

/// The sub-districts.
pub const STREETS: [&str; 11] = [
    "street-pinghu",
    "street-buji",
    "street-longcheng",
    "street-bantian",
    "street-nanwan",
    "street-pingdi",
    "street-longgang",
    "street-henggang",
    "street-jihua",
    "street-baolong",
    "street-yuanshan",
];

/// Where workers work, one after the other.
const WORKPLACES: [&str; 11] = [
    "demo-enterprise-pinghu-1",
    "demo-enterprise-buji-1",
    "demo-enterprise-longcheng-1",
    "demo-enterprise-bantian-1",
    "demo-enterprise-nanwan-1",
    "demo-enterprise-pingdi-1",
    "demo-enterprise-longgang-1",
    "demo-enterprise-henggang-1",
    "demo-enterprise-jihua-1",
    "demo-enterprise-baolong-1",
    "demo-enterprise-yuanshan-1",
];

/// Nine in the morning of a civil day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// 1 to 12.
    pub month: u32,
    /// From 1.
    pub day: u32,
}

impl When {
    /// The civil day.
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(YEAR, self.month, self.day).unwrap_or_default()
    }

    /// The instant.
    pub fn instant(self) -> DateTime<Utc> {
        day_start(self.date()) + TimeDelta::hours(9)
    }
}

/// What a programme is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// As the API names it.
    pub kind: &'static str,
    /// A code of the seeds.
    pub topic: &'static str,
    /// As the API names it.
    pub audience: &'static str,
}

/// How somebody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Signed up, and their pass is scanned.
    Scan,
    /// Came without a sign-up.
    WalkIn,
    /// Came to help, as one of the 劳模工匠.
    Expert,
}

/// Somebody who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// Who.
    pub worker: u32,
    /// How.
    pub how: How,
    /// Whether staff take it back.
    pub undone: bool,
}

/// A session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sitting {
    /// Who comes.
    pub came: Vec<Came>,
    /// How many a headcount says there were, with those who were checked in.
    pub crowd: Option<i64>,
    /// Whether it is called off in the end.
    pub cancelled: bool,
}

/// An activity, and its sessions on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Its number in the script.
    pub number: usize,
    /// What it is about.
    pub about: About,
    /// Who holds it.
    pub organiser: &'static str,
    /// The sub-district of the venue, where it is not the organiser's.
    pub venue: Option<&'static str>,
    /// Its sessions.
    pub sittings: Vec<Sitting>,
}

/// A visit to somebody of a hospital's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Who.
    pub worker: u32,
    /// Whether the visitors brought a gift.
    pub gift: bool,
}

/// A hospital's list of a sub-district, and the visits of that day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visits {
    /// The sub-district that visits.
    pub street: &'static str,
    /// Whom.
    pub made: Vec<Visit>,
}

/// What a unit says that it reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figure {
    /// A count.
    Value(i64),
    /// A rate: of how many it holds, of how many.
    Ratio(i64, i64),
    /// A figure for each part of the target.
    Parts(Vec<i64>),
    /// Units of a list.
    Covered(Vec<&'static str>),
}

/// A reported figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The target.
    pub code: &'static str,
    /// Whose figure.
    pub unit: &'static str,
    /// Of which month.
    pub month: u32,
    /// What.
    pub figure: Figure,
    /// Whether the lead departments sign it.
    pub approved: bool,
}

/// Somebody who asks for legal aid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aid {
    /// Its number in the script.
    pub number: u32,
    /// Who.
    pub worker: u32,
    /// In which form, as the API names it.
    pub form: &'static str,
    /// Whether it is accepted, on the same day; else it is refused.
    pub accepted: bool,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An activity takes place.
    Meeting(Meeting),
    /// People in hospital are visited.
    Visits(Visits),
    /// A unit reports a figure.
    Report(Report),
    /// Somebody asks for legal aid.
    Aid(Aid),
    /// The acceptance of a case is annulled.
    AidAnnulled {
        /// Which.
        number: u32,
    },
    /// Somebody works elsewhere from now on.
    Moves {
        /// Who.
        worker: u32,
        /// Where.
        workplace: &'static str,
    },
    /// A month is closed: by the sub-districts, then by two officers.
    Close(u32),
    /// The first session of a meeting has a crowd after all, which is told late.
    LateCrowd {
        /// Which meeting.
        meeting: usize,
        /// How many.
        number: i64,
    },
    /// A visit did not take place.
    UndoneVisit {
        /// Who was not visited.
        worker: u32,
    },
    /// A closed month is restated by two officers.
    Restate(u32),
    /// The headcounts of a sub-district's quarter are audited: of the first session of a meeting fewer can be shown.
    Audit {
        /// The sub-district.
        street: &'static str,
        /// 1 to 4.
        quarter: u32,
        /// Which meeting.
        meeting: usize,
        /// So many.
        found: i64,
    },
}

/// Something that happens, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub when: When,
    /// What.
    pub what: What,
}

/// Where a worker works when the year begins.
pub fn workplace(worker: u32) -> &'static str {
    let place = usize::try_from(worker).unwrap_or(0) % WORKPLACES.len();
    WORKPLACES.get(place).copied().unwrap_or(DISTRICT)
}

/// The sub-district of an organisation; the district's code where it is in none.
pub fn street_of(code: &str) -> &'static str {
    let named = |street: &&&str| code.contains(street.trim_start_matches("street-"));
    let in_one = ["street-", "demo-station-", "demo-enterprise-"].iter().any(|kind| code.starts_with(kind));
    STREETS.iter().find(named).filter(|_| in_one).copied().unwrap_or(DISTRICT)
}

/// The departments that lead the item of a target (牵头部室).
pub fn leads(code: &str) -> &'static [&'static str] {
    match code.get(..2).unwrap_or_default() {
        "08" => &["dept-education"],
        "09" | "10" | "11" | "12" => &["dept-rights"],
        "13" | "14" | "15" | "23" | "24" | "28" => &["dept-organisation"],
        "16" => &["dept-education", "dept-rights"],
        "25" => &["dept-organisation", "dept-office"],
        _ => &["dept-audit"],
    }
}
