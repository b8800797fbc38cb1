//! Where seed files come from: the binary itself, or a folder.

use std::borrow::Cow;
use std::path::PathBuf;

use super::fault::Problem;

/// Where to read the seed files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SeedSource {
    /// The files compiled into the binary.
    #[default]
    Embedded,
    /// The same file names in this folder. All must be there, except `demo.toml`.
    Folder(PathBuf),
}

/// A file of the set.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeedFile {
    pub(super) name: &'static str,
    embedded: &'static str,
    optional: bool,
}

macro_rules! seed_file {
    ($name:literal, $optional:literal) => {
        SeedFile { name: $name, embedded: include_str!(concat!("../../seeds/", $name)), optional: $optional }
    };
}

pub(super) const ORGANISATIONS: SeedFile = seed_file!("organisations.csv", false);
pub(super) const TOPICS: SeedFile = seed_file!("topics.csv", false);
pub(super) const PLAN: SeedFile = seed_file!("plan-2025.toml", false);
pub(super) const TARGETS: SeedFile = seed_file!("targets-2025.csv", false);
pub(super) const SEMANTICS: SeedFile = seed_file!("targets-2025-semantics.csv", false);
pub(super) const MILESTONES: SeedFile = seed_file!("milestones-2025.csv", false);
pub(super) const RULES: SeedFile = seed_file!("counting-rules-2025.csv", false);
pub(super) const POLICIES: SeedFile = seed_file!("policies.csv", false);
pub(super) const PAUSES: SeedFile = seed_file!("penalty-pauses.csv", false);
pub(super) const CALENDAR_YEARS: SeedFile = seed_file!("calendar-years.csv", false);
pub(super) const CALENDAR: SeedFile = seed_file!("calendar.csv", false);
pub(super) const CHAINS: SeedFile = seed_file!("review-chains.toml", false);
pub(super) const DEMO: SeedFile = seed_file!("demo.toml", true);

/// Every file, in the order in which they are read and their faults are listed.
pub(super) const FILES: [SeedFile; 13] = [
    ORGANISATIONS,
    TOPICS,
    PLAN,
    TARGETS,
    SEMANTICS,
    MILESTONES,
    RULES,
    POLICIES,
    PAUSES,
    CALENDAR_YEARS,
    CALENDAR,
    CHAINS,
    DEMO,
];

impl SeedSource {
    /// The text of `file`; None where an optional file is absent.
    pub(super) fn read(&self, file: SeedFile) -> Result<Option<Cow<'static, str>>, Problem> {
        let Self::Folder(folder) = self else {
            return Ok(Some(Cow::Borrowed(file.embedded)));
        };
        match std::fs::read(folder.join(file.name)) {
            Ok(bytes) => text(bytes).map(|text| Some(Cow::Owned(text))),
            Err(error) if file.optional && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Problem::new(format!("cannot be read: {error}"), "无法读取")),
        }
    }
}

/// Spreadsheet programs write a byte order mark, and some still write GBK: the first is taken, the second told.
fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    let mut text =
        String::from_utf8(bytes).map_err(|_| Problem::new("is not UTF-8 text", "不是 UTF-8 编码的文本"))?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}
