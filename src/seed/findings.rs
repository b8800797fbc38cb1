//! What reading collects besides the rows: faults, the codes that rows define, and the codes they refer to.
//!
//! References are settled once all files are read, so that order between files does not matter.

use std::collections::{HashMap, HashSet};

use super::fault::{Problem, SeedFault, SeedFaults};
use super::source::{
    CALENDAR, CALENDAR_YEARS, DEMO, FILES, MILESTONES, ORGANISATIONS, PAUSES, PLAN, POLICIES, RULES,
    SEMANTICS, SeedFile, TARGETS, TOPICS,
};

/// A set of codes in which each is defined once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Space {
    Organisation,
    Department,
    SubDistrict,
    Division,
    Topic,
    Section,
    Item,
    Target,
    Semantics,
    Milestone,
    Rule,
    Policy,
    Pause,
    CalendarYear,
    CalendarDay,
    Programme,
    Activity,
    User,
}

impl Space {
    /// The file and field that define the space, and its name in both languages.
    fn about(self) -> (SeedFile, &'static str, &'static str, &'static str) {
        match self {
            Self::Organisation => (ORGANISATIONS, "code", "organisation", "组织"),
            Self::Department => (ORGANISATIONS, "code", "department", "部室"),
            Self::SubDistrict => (ORGANISATIONS, "code", "sub-district", "街道"),
            Self::Division => (ORGANISATIONS, "division_code", "division code", "行政区划代码"),
            Self::Topic => (TOPICS, "code", "topic", "主题"),
            Self::Section => (PLAN, "number", "section", "部分"),
            Self::Item => (PLAN, "number", "plan item", "条目"),
            Self::Target => (TARGETS, "code", "target", "指标"),
            Self::Semantics => (SEMANTICS, "target", "row for target", "指标行"),
            Self::Milestone => (MILESTONES, "code", "milestone", "里程碑"),
            Self::Rule => (RULES, "target", "rule", "计数规则"),
            Self::Policy => (POLICIES, "key", "policy", "政策参数"),
            Self::Pause => (PAUSES, "from_day", "pause of penalties", "停止计算期间"),
            Self::CalendarYear => (CALENDAR_YEARS, "year", "year of the calendar", "日历年份"),
            Self::CalendarDay => (CALENDAR, "day", "day", "日期"),
            Self::Programme => (DEMO, "code", "programme", "项目"),
            Self::Activity => (DEMO, "code", "activity", "活动"),
            Self::User => (DEMO, "user", "user", "用户"),
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) file: &'static str,
    pub(super) line: Option<usize>,
    pub(super) field: Option<String>,
}

struct Definition {
    space: Space,
    key: String,
    place: Place,
}

struct Reference {
    space: Space,
    key: String,
    place: Place,
    /// Only definitions before this one (an index) will do; None: any.
    before: Option<usize>,
}

/// Everything found besides the rows.
#[derive(Default)]
pub(super) struct Findings {
    faults: Vec<SeedFault>,
    definitions: Vec<Definition>,
    references: Vec<Reference>,
    /// Places whose value could not be read at all; what depends on it is not blamed.
    unread: Vec<Place>,
}

impl Findings {
    pub(super) fn fault(&mut self, place: Place, problem: Problem) {
        self.faults.push(SeedFault { file: place.file, line: place.line, field: place.field, problem });
    }

    /// A fault that leaves the value of `place` unknown.
    pub(super) fn unread(&mut self, place: Place, problem: Problem) {
        self.unread.push(place.clone());
        self.fault(place, problem);
    }

    /// How many faults there are so far.
    pub(super) fn count(&self) -> usize {
        self.faults.len()
    }

    /// Whether every value of `field` in `file` could be read.
    pub(super) fn is_read(&self, file: SeedFile, field: &str) -> bool {
        !self.unread.iter().any(|place| {
            place.file == file.name && place.field.as_ref().is_none_or(|unread| unread.as_str() == field)
        })
    }

    pub(super) fn define(&mut self, space: Space, key: String, place: Place) {
        self.definitions.push(Definition { space, key, place });
    }

    /// Notes that `key` must be defined in `space`; `earlier`: before what is defined from now on.
    pub(super) fn refer(&mut self, space: Space, key: String, place: Place, earlier: bool) {
        let before = earlier.then_some(self.definitions.len());
        self.references.push(Reference { space, key, place, before });
    }

    /// Where `key` was defined, with `field` in place of the defining field.
    pub(super) fn place_of(&self, space: Space, key: &str, field: &str) -> Place {
        let (file, ..) = space.about();
        let line =
            self.definitions.iter().find(|d| d.space == space && d.key == key).and_then(|d| d.place.line);
        Place { file: file.name, line, field: Some(field.to_owned()) }
    }

    /// Settles duplicates and references; the faults in order, each place once.
    pub(super) fn settle(mut self) -> Option<SeedFaults> {
        for (place, problem) in self.unsettled() {
            self.fault(place, problem);
        }
        let mut seen = HashSet::new();
        // What follows the first fault of a place is mostly its consequence.
        self.faults.retain(|fault| seen.insert((fault.file, fault.line, fault.field.clone())));
        self.faults.sort_by_key(|fault| (FILES.iter().position(|file| file.name == fault.file), fault.line));
        (!self.faults.is_empty()).then_some(SeedFaults(self.faults))
    }

    fn unsettled(&self) -> Vec<(Place, Problem)> {
        let mut problems = Vec::new();
        let mut first: HashMap<(Space, &str), (usize, &Place)> = HashMap::new();
        for (index, definition) in self.definitions.iter().enumerate() {
            let key = (definition.space, definition.key.as_str());
            if let Some((_, place)) = first.get(&key) {
                let (_, _, en, zh) = definition.space.about();
                let line = place.line.unwrap_or_default();
                let en = format!("{en} \"{}\" is already defined on line {line}", definition.key);
                problems.push((
                    definition.place.clone(),
                    Problem::new(en, format!("{zh}重复，已见于第 {line} 行")),
                ));
            } else {
                first.insert(key, (index, &definition.place));
            }
        }
        for reference in self.references.iter().filter(|reference| self.is_whole(reference.space)) {
            let (_, _, en, zh) = reference.space.about();
            let problem = match first.get(&(reference.space, reference.key.as_str())) {
                None => {
                    Problem::new(format!("there is no {en} \"{}\"", reference.key), format!("{zh}不存在"))
                }
                Some((index, _)) if reference.before.is_some_and(|before| *index >= before) => Problem::new(
                    format!("{en} \"{}\" must stand on an earlier line", reference.key),
                    format!("{zh}必须写在前面的行"),
                ),
                Some(_) => continue,
            };
            problems.push((reference.place.clone(), problem));
        }
        problems
    }

    /// Whether the codes of `space` could all be read.
    fn is_whole(&self, space: Space) -> bool {
        let (file, field, ..) = space.about();
        let by_kind = matches!(space, Space::Department | Space::SubDistrict);
        self.is_read(file, field) && (!by_kind || self.is_read(file, "kind"))
    }
}
