//! Typed fields of one row. A faulty field is noted and a stand-in takes its place, so that the rest of the row is
//! read too; what holds a stand-in is never handed out.

use chrono::{NaiveDate, NaiveTime};

use super::fault::Problem;
use super::findings::{Findings, Place, Space};
use super::model::{Due, Named};
use super::raw::{Fields, Located, Raw};

/// A type that a field can have.
pub(super) trait Field: Sized {
    /// Reads a value that is there.
    fn read(raw: &Raw) -> Result<Self, Problem>;

    /// What stands in for a faulty value.
    fn stand_in() -> Self;

    /// What a TOML table without the key means.
    fn absent() -> Result<Self, Problem> {
        Err(Problem::new("is missing", "缺失"))
    }

    /// What an empty CSV cell means.
    fn empty() -> Result<Self, Problem> {
        Err(Problem::new("is empty", "不能为空"))
    }
}

impl Raw {
    /// The text of a cell or string; else `problem` says what was expected.
    fn text(&self, en: &str, zh: &str) -> Result<&str, Problem> {
        match self {
            Self::Cell(text) | Self::Text(text) => Ok(text),
            _ => Err(self.not(en, zh)),
        }
    }

    fn not(&self, en: &str, zh: &str) -> Problem {
        Problem::new(format!("{} is not {en}", self.shown()), format!("不是{zh}"))
    }
}

impl Field for String {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let text = raw.text("a text", "文本")?;
        if text.trim().is_empty() { Self::empty() } else { Ok(text.to_owned()) }
    }

    fn stand_in() -> Self {
        Self::new()
    }
}

impl Field for i64 {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let number = match raw {
            Raw::Whole(number) => Some(*number),
            Raw::Cell(text) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| raw.not("a whole number", "整数"))
    }

    fn stand_in() -> Self {
        0
    }
}

impl Field for bool {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        match raw {
            Raw::Flag(flag) => Ok(*flag),
            Raw::Cell(text) if text == "true" => Ok(true),
            Raw::Cell(text) if text == "false" => Ok(false),
            _ => Err(raw.not("true or false", " true 或 false")),
        }
    }

    fn stand_in() -> Self {
        false
    }

    fn empty() -> Result<Self, Problem> {
        Ok(false)
    }
}

impl Field for NaiveDate {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let (en, zh) = ("a date such as 2025-12-31", "日期（如 2025-12-31）");
        raw.text(en, zh)?.parse().map_err(|_| raw.not(en, zh))
    }

    fn stand_in() -> Self {
        Self::default()
    }
}

impl Field for NaiveTime {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let (en, zh) = ("a time of day such as 09:00", "时刻（如 09:00）");
        raw.text(en, zh)?.parse().map_err(|_| raw.not(en, zh))
    }

    fn stand_in() -> Self {
        Self::MIN
    }
}

impl Field for Due {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let (en, zh) =
            ("a date or quarter such as 2025-12-31 or 2025-Q2", "日期或季度（如 2025-12-31 或 2025-Q2）");
        raw.text(en, zh)?.parse().map_err(|_| raw.not(en, zh))
    }

    fn stand_in() -> Self {
        Self::Day(NaiveDate::default())
    }
}

impl<T: Named> Field for T {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let names = || T::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>();
        let problem = || {
            let en = format!("{} is not one of: {}", raw.shown(), names().join(", "));
            Problem::new(en, "不在可选值之列")
        };
        let text = raw.text("a name", "名称")?;
        T::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(problem)
    }

    fn stand_in() -> Self {
        T::FIRST
    }
}

impl<T: Field> Field for Option<T> {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        T::read(raw).map(Some)
    }

    fn stand_in() -> Self {
        None
    }

    fn absent() -> Result<Self, Problem> {
        Ok(None)
    }

    fn empty() -> Result<Self, Problem> {
        Ok(None)
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(raw: &Raw) -> Result<Self, Problem> {
        let values: Vec<Result<T, Problem>> = match raw {
            Raw::Cell(text) => {
                text.split(';').map(|part| T::read(&Raw::Cell(part.trim().to_owned()))).collect()
            }
            Raw::List(values) => values.iter().map(|value| T::read(&value.raw)).collect(),
            _ => return Err(raw.not("a list", "列表")),
        };
        let faults: Vec<&Problem> = values.iter().filter_map(|value| value.as_ref().err()).collect();
        if let Some(first) = faults.first() {
            let all = faults.iter().map(|fault| fault.en.as_str()).collect::<Vec<_>>();
            return Err(Problem::new(all.join("; "), first.zh.clone()));
        }
        Ok(values.into_iter().flatten().collect())
    }

    fn stand_in() -> Self {
        Self::new()
    }

    fn empty() -> Result<Self, Problem> {
        Ok(Self::new())
    }
}

/// A type whose values are codes, or hold codes.
pub(super) trait Codes {
    fn codes(&self) -> Vec<String>;
}

impl Codes for String {
    fn codes(&self) -> Vec<String> {
        if self.is_empty() { Vec::new() } else { vec![self.clone()] }
    }
}

impl Codes for i64 {
    fn codes(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

impl<T: Codes> Codes for Option<T> {
    fn codes(&self) -> Vec<String> {
        self.iter().flat_map(Codes::codes).collect()
    }
}

impl<T: Codes> Codes for Vec<T> {
    fn codes(&self) -> Vec<String> {
        self.iter().flat_map(Codes::codes).collect()
    }
}

/// One row being read.
pub(super) struct Row<'a> {
    file: &'static str,
    fields: &'a Fields,
    findings: &'a mut Findings,
    asked: Vec<&'static str>,
    /// Fields with a fault.
    faulty: Vec<&'static str>,
    /// Those of them that a stand-in replaces.
    unread: Vec<&'static str>,
}

impl<'a> Row<'a> {
    /// Reads `fields` with `reader`; what the reader does not ask for is a fault (a misspelt name, mostly).
    pub(super) fn read<T>(
        file: &'static str,
        fields: &'a Fields,
        findings: &'a mut Findings,
        reader: impl FnOnce(&mut Row<'_>) -> T,
    ) -> T {
        let mut row =
            Row { file, fields, findings, asked: Vec::new(), faulty: Vec::new(), unread: Vec::new() };
        let value = reader(&mut row);
        for (name, located) in &fields.named {
            if !row.asked.contains(&name.as_str()) {
                let line = Some(fields.header.unwrap_or(located.line));
                let problem = Problem::new("is not a field of this file", "不是此文件的字段");
                row.findings.fault(Place { file, line, field: Some(name.clone()) }, problem);
            }
        }
        value
    }

    /// The field `name`.
    pub(super) fn get<T: Field>(&mut self, name: &'static str) -> T {
        let value = match self.find(name) {
            // A column that is not there is the header's fault, once.
            None if self.fields.header.is_some() => {
                let place = Place { file: self.file, line: self.fields.header, field: Some(name.to_owned()) };
                self.unread(name, place, Problem::new("the column is missing", "缺少此列"));
                return T::stand_in();
            }
            None => T::absent(),
            Some(Located { raw: Raw::Cell(text), .. }) if text.is_empty() => T::empty(),
            Some(located) => T::read(&located.raw),
        };
        value.unwrap_or_else(|problem| {
            self.unread(name, self.place(name), problem);
            T::stand_in()
        })
    }

    /// The field `name`, which defines a code: ASCII, since codes stand in URLs.
    pub(super) fn define<T: Field + Codes>(&mut self, space: Space, name: &'static str) -> T {
        let value: T = self.get(name);
        for code in value.codes() {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let problem =
                || Problem::new(format!("\"{code}\" is not a code"), "代码只能含字母、数字和 - _ .");
            self.check(&[name], code.chars().all(plain), problem);
            self.define_as(space, name, code.clone());
        }
        value
    }

    /// Defines `key`, which the field `name` (and perhaps others) made.
    pub(super) fn define_as(&mut self, space: Space, name: &'static str, key: String) {
        if self.is_read(name) {
            let place = self.place(name);
            self.findings.define(space, key, place);
        }
    }

    /// The field `name`, which refers to codes of `space`.
    pub(super) fn refer<T: Field + Codes>(&mut self, space: Space, name: &'static str) -> T {
        self.refer_to(space, name, false)
    }

    /// As [`Row::refer`], to what is defined on an earlier line of the same file.
    pub(super) fn refer_earlier<T: Field + Codes>(&mut self, space: Space, name: &'static str) -> T {
        self.refer_to(space, name, true)
    }

    /// Refers to `key`, which follows from the field `name`.
    pub(super) fn refer_as(&mut self, space: Space, name: &'static str, key: String) {
        if self.is_read(name) {
            let place = self.place(name);
            self.findings.refer(space, key, place, false);
        }
    }

    fn refer_to<T: Field + Codes>(&mut self, space: Space, name: &'static str, earlier: bool) -> T {
        let value: T = self.get(name);
        if self.is_read(name) {
            for code in value.codes() {
                let place = self.place(name);
                self.findings.refer(space, code, place, earlier);
            }
        }
        value
    }

    /// The table `name`.
    pub(super) fn table<T>(&mut self, name: &'static str, reader: fn(&mut Row<'_>) -> T) -> T {
        match self.find(name) {
            Some(Located { raw: Raw::Table(fields), .. }) => {
                let before = self.findings.count();
                let value = Row::read(self.file, fields, self.findings, reader);
                self.blame(name, before);
                value
            }
            found => {
                let problem = found.map_or_else(
                    || Problem::new("is missing", "缺失"),
                    |located| located.raw.not("a table", "表（{ … }）"),
                );
                self.unread(name, self.place(name), problem);
                Row::read(self.file, &Fields::default(), &mut Findings::default(), reader)
            }
        }
    }

    /// The list of tables `name`; absent means empty.
    pub(super) fn tables<T>(
        &mut self,
        name: &'static str,
        mut reader: impl FnMut(&mut Row<'_>) -> T,
    ) -> Vec<T> {
        let values: &[Located] = match self.find(name) {
            None => &[],
            Some(Located { raw: Raw::List(values), .. }) => values,
            Some(located) => {
                self.unread(name, self.place(name), located.raw.not("a list of tables", "表的列表"));
                &[]
            }
        };
        let before = self.findings.count();
        let mut read = Vec::new();
        for value in values {
            if let Raw::Table(fields) = &value.raw {
                read.push(Row::read(self.file, fields, self.findings, &mut reader));
            } else {
                let place = Place { file: self.file, line: Some(value.line), field: Some(name.to_owned()) };
                self.unread(name, place, value.raw.not("a table", "表（{ … }）"));
            }
        }
        self.blame(name, before);
        read
    }

    /// Notes `problem` at the first of `names` unless `holds`, or one of `names` is faulty already.
    pub(super) fn check(&mut self, names: &[&'static str], holds: bool, problem: impl FnOnce() -> Problem) {
        let known = !names.iter().any(|name| self.faulty.contains(name));
        if let Some(name) = names.first().filter(|_| known && !holds) {
            self.fault(name, problem());
        }
    }

    /// Whether the value of the field `name` is its own, not a stand-in.
    pub(super) fn is_read(&self, name: &str) -> bool {
        !self.unread.contains(&name)
    }

    fn unread(&mut self, name: &'static str, place: Place, problem: Problem) {
        self.faulty.push(name);
        self.unread.push(name);
        self.findings.unread(place, problem);
    }

    /// Holds the field `name` to be faulty if faults were found inside it.
    fn blame(&mut self, name: &'static str, before: usize) {
        if self.findings.count() > before {
            self.faulty.push(name);
        }
    }

    /// Notes `problem` at the field `name`.
    fn fault(&mut self, name: &'static str, problem: Problem) {
        self.faulty.push(name);
        let place = self.place(name);
        self.findings.fault(place, problem);
    }

    fn find(&mut self, name: &'static str) -> Option<&'a Located> {
        self.asked.push(name);
        self.fields.named.iter().find(|(known, _)| known == name).map(|(_, located)| located)
    }

    fn place(&self, name: &str) -> Place {
        let named = self.fields.named.iter().find(|(known, _)| known == name);
        let line = named.map_or(self.fields.line, |(_, located)| located.line);
        Place { file: self.file, line: Some(line), field: Some(name.to_owned()) }
    }
}
