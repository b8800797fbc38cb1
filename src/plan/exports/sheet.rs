//! What a report says, and nothing of how it looks. Plain values only: no id, no row, no clock.

use chrono::{DateTime, NaiveDate, Timelike, Utc};

use crate::clock::shanghai;

/// A plan's figures as of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Its heading.
    pub title: String,
    /// The civil year.
    pub year: i64,
    /// What was known at this moment.
    pub as_of: DateTime<Utc>,
    /// The one organisation that it is about; none for the whole district.
    pub focus: Option<String>,
    /// The plan's items, in order.
    pub items: Vec<Item>,
    /// What whoever reads the figures should know.
    pub notes: &'static [&'static str],
}

/// One of the plan's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// From 1.
    pub number: i64,
    /// The section's heading.
    pub section: String,
    /// The first sentence.
    pub title: String,
    /// Lead departments.
    pub leads: Vec<String>,
    /// Its targets.
    pub figures: Vec<Figure>,
}

/// How far a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Such as `07a`.
    pub code: String,
    /// The plan's own words.
    pub clause: String,
    /// What is counted.
    pub measure: &'static str,
    /// Where the figure comes from.
    pub source: &'static str,
    /// Whether it counts people, of whom a few could be recognised.
    pub people: bool,
    /// What `value` and `required` are counted in.
    pub unit: String,
    /// What the parts and months are counted in.
    pub part_unit: String,
    /// What was reached.
    pub value: i64,
    /// What must be reached.
    pub required: i64,
    /// The upper end of a range.
    pub upper: Option<i64>,
    /// Value by required, in thousandths, cut off.
    pub per_mille: i64,
    /// What the calendar asks for by then.
    pub expected: i64,
    /// What comes of it at the rate of the last weeks, where that can be said: from, to.
    pub forecast: Option<(i64, i64)>,
    /// Of a report about one organisation: its own part.
    pub own: Option<i64>,
    /// Where it stands.
    pub status: Status,
    /// The target that must be met together with this one, and where the pair stands.
    pub pair: Option<(String, Status)>,
    /// By organisation, largest first.
    pub parts: Vec<Part>,
    /// Of a count of people: how much the parts exceed the whole.
    pub overlap: i64,
    /// By month.
    pub months: Vec<Month>,
    /// Of a value that is due in each of several periods.
    pub terms: Vec<Term>,
    /// Of a composite target: what each part has, and must reach.
    pub composite: Vec<(i64, i64)>,
    /// Of a target that covers a fixed list: who is not covered.
    pub missing: Vec<String>,
    /// How many lines of the ledger stand behind it.
    pub lines: i64,
    /// How much rests on evidence of each grade, A first.
    pub grades: [i64; 4],
    /// Which share of it must be A or B, in hundredths.
    pub demanded: Option<i64>,
    /// Which attendance counts.
    pub rules: Vec<String>,
}

/// Where a target stands, in words and as a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The API's word.
    pub code: &'static str,
    /// In Chinese.
    pub text: &'static str,
    /// How it is coloured; never the only sign.
    pub tone: Tone,
}

/// How a status is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Reached.
    Good,
    /// On the way.
    Fair,
    /// Late.
    Poor,
    /// Over, and not reached.
    Bad,
    /// Nothing is known yet.
    Silent,
}

impl Tone {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [Self::Good, Self::Fair, Self::Poor, Self::Bad, Self::Silent];

    /// The name of its class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Poor => "poor",
            Self::Bad => "bad",
            Self::Silent => "silent",
        }
    }
}

/// A figure of one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose.
    pub name: String,
    /// How much.
    pub value: i64,
    /// The share of the target that it agreed to.
    pub share: Option<i64>,
}

/// A figure of one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// Its first day.
    pub first: NaiveDate,
    /// Counted in it.
    pub value: i64,
    /// Counted up to its end.
    pub total: i64,
    /// What the calendar asks for by its end, where it does.
    pub pace: Option<i64>,
    /// Whether it has begun.
    pub begun: bool,
}

impl Month {
    /// Such as `2025-03`.
    pub fn label(&self) -> String {
        self.first.format("%Y-%m").to_string()
    }
}

/// A period in which a value was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Such as `2025-Q1`.
    pub label: String,
    /// What was counted in it, or how many units reached the value.
    pub value: i64,
    /// Where it stands.
    pub status: Status,
    /// Units that did not reach it.
    pub failing: Vec<Part>,
}

impl Figure {
    /// Hundredths of what must be reached, rounded down.
    pub fn percent(&self) -> i64 {
        self.per_mille / 10
    }
}

impl Sheet {
    /// All figures, in order.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.items.iter().flat_map(|item| &item.figures)
    }

    /// How many targets have each tone, in the order of [`Tone::ALL`].
    pub fn tones(&self) -> [usize; 5] {
        Tone::ALL.map(|tone| self.figures().filter(|figure| figure.status.tone == tone).count())
    }

    /// The items by section, in order.
    pub fn sections(&self) -> Vec<(&str, Vec<&Item>)> {
        let mut sections: Vec<(&str, Vec<&Item>)> = Vec::new();
        for item in &self.items {
            match sections.last_mut() {
                Some((section, items)) if *section == item.section => items.push(item),
                _ => sections.push((&item.section, vec![item])),
            }
        }
        sections
    }
}

/// An instant as the federation writes it; with seconds where it is no full minute.
pub fn moment(at: DateTime<Utc>) -> String {
    let form = if at.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    at.with_timezone(&shanghai()).format(form).to_string()
}
