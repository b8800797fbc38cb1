//! What the seed files say, typed. The enumerations are in `names`, and re-exported here.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;

pub use super::names::*;
use crate::clock::day_start;

/// What begins every code of the demonstration.
pub const DEMO_PREFIX: &str = "demo-";

/// A node of the union tree. Parents come before their children.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Organisation {
    /// Stable, ASCII, used in URLs.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Name for lists and charts.
    pub short_name: String,
    /// What it is.
    pub kind: OrganisationKind,
    /// The node above; None for the district only.
    pub parent_code: Option<String>,
    /// Nine-digit code of a sub-district.
    pub division_code: Option<String>,
    /// A station's rank; grassroots marks a 直管基层工会.
    pub level: Option<Level>,
}

impl Organisation {
    /// Whether it is a demonstration only.
    pub fn is_demo(&self) -> bool {
        self.code.starts_with(DEMO_PREFIX)
    }
}

/// What a programme can be about.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Topic {
    /// As rules and programmes name it.
    pub code: String,
    /// For people.
    pub name: String,
}

/// A year's work plan.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Plan {
    /// The civil year.
    pub year: i64,
    /// Its heading.
    pub title: String,
    /// What stands before the first section.
    pub preamble: String,
    /// Its sections, in order.
    pub sections: Vec<Section>,
    /// Its items, in order.
    pub items: Vec<Item>,
}

/// A section of the plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Section {
    /// From 1.
    pub number: i64,
    /// Its heading.
    pub title: String,
}

/// An item of the plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Item {
    /// From 1.
    pub number: i64,
    /// The section's number.
    pub section: i64,
    /// The first sentence, without its stop.
    pub title: String,
    /// Word for word, with title, lead departments and participants.
    pub text: String,
    /// 牵头部室: codes of departments, as the plan orders them.
    pub leads: Vec<String>,
    /// 参与单位.
    pub participants: Vec<ParticipantGroup>,
}

/// A number that the plan must reach.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Target {
    /// Item number and a letter, such as `07a`.
    pub code: String,
    /// The item's number.
    pub item: i64,
    /// The plan's own words.
    pub clause: String,
    /// What is counted.
    pub measure: Measure,
    /// When it is met.
    pub comparator: Comparator,
    /// In `unit`s.
    pub value: i64,
    /// Upper end of a `between`.
    pub upper: Option<i64>,
    /// As the plan writes it, such as 人次.
    pub unit: String,
    /// Units that must each reach the value.
    pub each: Option<Each>,
    /// Over which time.
    pub period: Period,
    /// Where the figure comes from.
    pub counted_from: CountedFrom,
    /// What the columns above cannot say.
    #[serde(default)]
    pub semantics: TargetSemantics,
}

/// What the columns of a target cannot say; all empty for most targets.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct TargetSemantics {
    /// The target that must be met together with this one; it names this one in turn.
    pub pair: Option<String>,
    /// Parts with a figure each, which add up to the value.
    pub parts: Vec<i64>,
    /// For each = station: the lowest level that counts.
    pub min_level: Option<Level>,
    /// The organiser must change from period to period.
    pub rotates: bool,
    /// For cases, which no counting rule covers.
    pub attribution: Option<Attribution>,
    /// The fixed list whose units are covered.
    pub coverage: Option<ParticipantGroup>,
    /// How the year is planned: a weight for each month; empty for an even pace.
    pub curve: Vec<i64>,
    /// Which share of the evidence must be of the grades A and B, in hundredths.
    pub min_good_percent: Option<i64>,
}

/// A promise without a number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Milestone {
    /// `M`, item number and a running number, such as `M01-1`.
    pub code: String,
    /// The item's number.
    pub item: i64,
    /// What is promised.
    pub name: String,
    /// Until when.
    pub due: Due,
}

/// When something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Due {
    /// On this day at the latest.
    Day(NaiveDate),
    /// Within this quarter.
    Quarter {
        /// The civil year.
        year: i32,
        /// 1 to 4.
        quarter: u32,
    },
}

impl Due {
    /// The last day in time.
    pub fn last_day(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Quarter { year, quarter } => {
                let (month, day) = match quarter {
                    1 => (3, 31),
                    2 => (6, 30),
                    3 => (9, 30),
                    _ => (12, 31),
                };
                NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MAX)
            }
        }
    }

    /// The civil year.
    pub fn year(self) -> i32 {
        self.last_day().year()
    }
}

/// The text is neither a date nor a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date or quarter such as 2025-12-31 or 2025-Q2")]
pub struct DueError;

impl std::str::FromStr for Due {
    type Err = DueError;

    fn from_str(text: &str) -> Result<Self, DueError> {
        if let Some((year, quarter)) = text.split_once("-Q") {
            let year: i32 = year.parse().map_err(|_| DueError)?;
            let quarter: u32 = quarter.parse().map_err(|_| DueError)?;
            let known = (1..=4).contains(&quarter) && (1..=9999).contains(&year);
            return known.then_some(Self::Quarter { year, quarter }).ok_or(DueError);
        }
        text.parse().map(Self::Day).map_err(|_| DueError)
    }
}

impl TryFrom<String> for Due {
    type Error = DueError;

    fn try_from(text: String) -> Result<Self, DueError> {
        text.parse()
    }
}

/// Which attendance counts for a target. None means: any.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CountingRule {
    /// The target's code.
    pub target: String,
    /// Form of the programme.
    pub programme_kind: Option<ProgrammeKind>,
    /// A topic's code.
    pub topic: Option<String>,
    /// For whom the programme is.
    pub audience: Option<Audience>,
    /// As what the person attended; sessions and activities have no role.
    pub role: Option<AttendanceRole>,
    /// Whose figure it is.
    pub attribution: Attribution,
}

impl CountingRule {
    /// Whether attendance of `programme` counts, the role aside.
    pub fn covers(&self, programme: &Programme) -> bool {
        self.programme_kind.is_none_or(|kind| kind == programme.kind)
            && self.topic.as_ref().is_none_or(|topic| *topic == programme.topic)
            && self.audience.is_none_or(|audience| audience == programme.audience)
    }
}

/// A number that a law, a notice or a supplier sets. The latest `effective_from` not after a day is in force on it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Policy {
    /// Such as `legal_aid.review`; `precedent.…` is practice elsewhere and never a rule.
    pub key: String,
    /// In `unit`s.
    pub value: PolicyValue,
    /// What the value is counted in.
    pub unit: PolicyUnit,
    /// Law and article, or the notice.
    pub source: String,
    /// The first day on which it holds.
    pub effective_from: NaiveDate,
}

/// A policy's value; its unit says which.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum PolicyValue {
    /// All other units.
    Whole(i64),
    /// Unit `day`.
    Day(NaiveDate),
    /// Unit `words`.
    Words(Vec<String>),
}

/// Days on which penalties do not run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PenaltyPause {
    /// The first of them.
    pub from_day: NaiveDate,
    /// The last of them.
    pub until_day: NaiveDate,
    /// For people.
    pub reason: String,
    /// Who said so.
    pub source: String,
}

/// A year whose holidays are all known.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CalendarYear {
    /// Which.
    pub year: i64,
    /// The notice.
    pub source: String,
}

/// A day that differs from the plain week.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CalendarDay {
    /// Which.
    pub day: NaiveDate,
    /// Off, or worked.
    pub kind: DayKind,
    /// Of the holiday.
    pub name: String,
    /// The notice.
    pub source: String,
}

/// A standing offer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Programme {
    /// Stable, ASCII.
    pub code: String,
    /// For people.
    pub name: String,
    /// Its form.
    pub kind: ProgrammeKind,
    /// A topic's code.
    pub topic: String,
    /// For whom it is.
    pub audience: Audience,
    /// Who answers for it: an organisation's code.
    pub organisation: String,
    /// How places are given.
    pub allocation: Allocation,
    /// One or two sentences.
    pub summary: String,
}

/// Something to sign up for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Activity {
    /// Stable, ASCII.
    pub code: String,
    /// The programme's code.
    pub programme: String,
    /// For people.
    pub title: String,
    /// One or two sentences.
    pub summary: String,
    /// Who holds it: an organisation's code.
    pub organiser: String,
    /// Where.
    pub venue: Venue,
    /// Places in all.
    pub capacity: i64,
    /// Sign-up opens.
    pub signup_opens: Moment,
    /// Sign-up closes.
    pub signup_closes: Moment,
    /// At least one, in order of start.
    pub sessions: Vec<Session>,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Venue {
    /// For people.
    pub name: String,
    /// For people.
    pub address: String,
    /// The sub-district in which it lies: an organisation's code.
    pub sub_district: String,
}

/// One meeting.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Session {
    /// When it begins.
    pub start: Moment,
    /// How long it lasts, at most one day.
    pub minutes: i64,
}

/// A time counted from the day of seeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Moment {
    /// Days after the day of seeding, at most 366 either way.
    pub day: i64,
    /// Time of day in Asia/Shanghai.
    pub at: NaiveTime,
}

impl Moment {
    /// The instant, where `seeding_day` is a civil day in Asia/Shanghai.
    pub fn on(self, seeding_day: NaiveDate) -> DateTime<Utc> {
        let days = self.day.clamp(-366, 366);
        day_start(seeding_day) + TimeDelta::days(days) + self.at.signed_duration_since(NaiveTime::MIN)
    }
}

/// Simulated staff of the embedded mode.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Staff {
    /// Name to log in with.
    pub user: String,
    /// For people.
    pub name: String,
    /// What they may do.
    pub role: StaffRole,
    /// Where, with all below: an organisation's code.
    pub organisation: String,
}

/// The demonstration; empty where `demo.toml` is left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Demo {
    /// Standing offers.
    pub programmes: Vec<Programme>,
    /// What to sign up for.
    pub activities: Vec<Activity>,
    /// Who may log in to the console.
    pub staff: Vec<Staff>,
}

/// All seed files, free of faults: codes are unique and every reference leads somewhere.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SeedSet {
    /// The union tree, parents first. Those with [`Organisation::is_demo`] belong to the demonstration.
    pub organisations: Vec<Organisation>,
    /// What programmes can be about.
    pub topics: Vec<Topic>,
    /// The work plan.
    pub plan: Plan,
    /// Its numbers.
    pub targets: Vec<Target>,
    /// Its other promises.
    pub milestones: Vec<Milestone>,
    /// What counts for which target.
    pub counting_rules: Vec<CountingRule>,
    /// Numbers set elsewhere.
    pub policies: Vec<Policy>,
    /// Days on which penalties do not run.
    pub penalty_pauses: Vec<PenaltyPause>,
    /// Years whose holidays are all known.
    pub calendar_years: Vec<CalendarYear>,
    /// Days that differ from the plain week.
    pub calendar_days: Vec<CalendarDay>,
    /// What requests go through.
    pub chains: Vec<crate::review::model::Chain>,
    /// What decisions may rest on.
    pub reasons: Vec<crate::review::model::Reason>,
    /// What a fresh installation can be tried with.
    pub demo: Demo,
}
