//! CSV and TOML as one shape: named values that know their lines.

use toml::de::{DeTable, DeValue};

use super::fault::Problem;
use super::findings::{Findings, Place};

/// A value as the file has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// A CSV cell, trimmed: any type, still to be read. A list is written with semicolons.
    Cell(String),
    Text(String),
    Whole(i64),
    Flag(bool),
    List(Vec<Located>),
    Table(Fields),
    /// A value no field takes, as it is written.
    Other(String),
}

impl Raw {
    /// The value as a fault names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Cell(text) | Self::Text(text) if text.chars().count() > 40 => {
                format!("\"{}…\"", text.chars().take(40).collect::<String>())
            }
            Self::Cell(text) | Self::Text(text) => format!("\"{text}\""),
            Self::Whole(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Other(text) => text.clone(),
        }
    }
}

/// A value and its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub(super) line: usize,
    pub(super) raw: Raw,
}

/// A CSV row or a TOML table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) line: usize,
    /// The header's line, where names stand apart from values (CSV).
    pub(super) header: Option<usize>,
    pub(super) named: Vec<(String, Located)>,
}

/// The rows of a CSV file with a header; `#` begins a comment line.
pub(super) fn csv_rows(file: &'static str, text: &str, findings: &mut Findings) -> Vec<Fields> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut header: Option<(usize, csv::StringRecord)> = None;
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = line_at(text, reader.position().byte());
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let problem = Problem::new(format!("cannot be read as CSV: {error}"), "不是有效的 CSV");
                findings.unread(Place { file, line: Some(line), field: None }, problem);
                break;
            }
        }
        let Some((header_line, names)) = &header else {
            header = Some((line, record.clone()));
            continue;
        };
        if record.len() != names.len() {
            let en = format!("has {} cells, the header has {}", record.len(), names.len());
            findings
                .unread(Place { file, line: Some(line), field: None }, Problem::new(en, "列数与表头不一致"));
            continue;
        }
        let cell =
            |(name, text): (&str, &str)| (name.to_owned(), Located { line, raw: Raw::Cell(text.to_owned()) });
        let named = names.iter().zip(&record).map(cell).collect();
        rows.push(Fields { line, header: Some(*header_line), named });
    }
    if header.is_none() {
        findings.unread(Place { file, line: None, field: None }, Problem::new("has no header", "缺少表头"));
    }
    rows
}

/// The line of the next record from byte `from`: the reader passes over blank and comment lines without a word.
fn line_at(text: &str, from: u64) -> usize {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let (before, rest) = text.split_at_checked(from).unwrap_or((text, ""));
    let skipped = rest.lines().take_while(|line| line.is_empty() || line.starts_with('#')).count();
    1 + before.matches('\n').count() + skipped
}

/// The root table of a TOML file; None, and every syntax fault reported, where it is not TOML.
pub(super) fn toml_root(file: &'static str, text: &str, findings: &mut Findings) -> Option<Fields> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let lines = Lines(text.match_indices('\n').map(|(at, _)| at).collect());
    for error in &errors {
        let line = error.span().map(|span| lines.of(span.start));
        let problem = Problem::new(format!("is not TOML: {}", error.message()), "不是有效的 TOML");
        findings.unread(Place { file, line, field: None }, problem);
    }
    errors.is_empty().then(|| lines.table(1, root.get_ref()))
}

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }

    fn table(&self, line: usize, table: &DeTable<'_>) -> Fields {
        let named = table.iter().map(|(name, value)| {
            // The key's line: a value may begin on a later one.
            let line = self.of(name.span().start);
            (name.get_ref().to_string(), Located { line, raw: self.raw(value) })
        });
        Fields { line, header: None, named: named.collect() }
    }

    fn raw(&self, value: &toml::Spanned<DeValue<'_>>) -> Raw {
        match value.get_ref() {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Raw::Other(number.to_string()), Raw::Whole),
            DeValue::Boolean(flag) => Raw::Flag(*flag),
            DeValue::Array(values) => Raw::List(
                values
                    .iter()
                    .map(|value| Located { line: self.of(value.span().start), raw: self.raw(value) })
                    .collect(),
            ),
            DeValue::Table(table) => Raw::Table(self.table(self.of(value.span().start), table)),
            DeValue::Float(number) => Raw::Other(number.to_string()),
            DeValue::Datetime(instant) => Raw::Other(instant.to_string()),
        }
    }
}
