//! What is wrong with the seed files, and where.

use std::fmt;

/// What is wrong, in both languages of the house. The English text names the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// For example `"abc" is not a whole number`.
    pub en: String,
    /// For example `不是整数`.
    pub zh: String,
}

impl Problem {
    /// A problem said twice.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }
}

/// One problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFault {
    /// File name without folder.
    pub file: &'static str,
    /// Line, from 1. None where the file as a whole is at fault.
    pub line: Option<usize>,
    /// Column or key. None where a line or the file as a whole is at fault.
    pub field: Option<String>,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for SeedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, " field \"{field}\"")?;
        }
        write!(f, ": {} / {}", self.problem.en, self.problem.zh)
    }
}

/// Every fault of every file, in the order of files and lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFaults(pub Vec<SeedFault>);

impl fmt::Display for SeedFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "fault" } else { "faults" };
        write!(f, "{count} {noun} in the seed files / 初始数据有 {count} 处错误")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SeedFaults {}
