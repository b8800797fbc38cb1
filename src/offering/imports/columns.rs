//! From cells to facts: which column is which, and what may stand in it.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::sheet::{COLUMNS as MOST, Cell, Line};
use crate::clock::shanghai;
use crate::error::{Error, Fault, Result, Text};

/// A column that a sheet may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its English header, and its name in errors.
    pub name: &'static str,
    /// Its Chinese headers.
    pub chinese: &'static [&'static str],
    /// Whether a sheet must have it.
    pub required: bool,
}

/// A column that a sheet must have.
pub const fn needed(name: &'static str, chinese: &'static [&'static str]) -> Column {
    Column { name, chinese, required: true }
}

/// A column that a sheet may have.
pub const fn optional(name: &'static str, chinese: &'static [&'static str]) -> Column {
    Column { name, chinese, required: false }
}

/// Every column.
pub const COLUMNS: &[Column] = &[
    needed("row_key", &["行号键", "活动编号"]),
    needed("organisation", &["组织", "组织代码", "主办单位"]),
    needed("programme", &["项目", "服务项目"]),
    optional("street", &["街道"]),
    needed("title", &["标题", "活动名称"]),
    optional("summary", &["简介"]),
    needed("venue", &["场地", "地点"]),
    optional("address", &["地址"]),
    needed("capacity", &["名额"]),
    optional("allocation", &["分配方式"]),
    optional("waiting_list", &["候补"]),
    optional("members_only", &["仅限会员"]),
    optional("completion_of", &["结业依据"]),
    optional("completion_percent", &["结业比例"]),
    needed("signup_opens_at", &["报名开始", "报名开始时间"]),
    needed("signup_closes_at", &["报名截止", "报名截止时间"]),
    needed("session_starts_at", &["场次开始", "开始时间"]),
    needed("session_ends_at", &["场次结束", "结束时间"]),
    optional("resources", &["资源", "占用场地和讲师"]),
    optional("publish", &["发布"]),
];

/// Where each column stands.
pub type Layout = BTreeMap<&'static str, usize>;

/// What is wrong with one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFault {
    /// The column's English name.
    pub column: &'static str,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong.
    pub detail: Text,
}

impl CellFault {
    /// A fault in `column`.
    pub fn new(column: &'static str, code: &'static str, detail: Text) -> Self {
        Self { column, code, detail }
    }
}

/// Reads the header of a sheet of activities.
///
/// # Errors
/// As [`layout_of`].
pub fn layout(header: &Line) -> Result<Layout> {
    layout_of(COLUMNS, header)
}

/// Reads the header of a sheet that has `columns`.
///
/// # Errors
/// 422 naming every header that nobody knows or that comes twice (`/header/1` is the first), and every missing column
/// (`/columns/title`).
pub fn layout_of(columns: &[Column], header: &Line) -> Result<Layout> {
    let mut layout = Layout::new();
    let mut faults = Vec::new();
    for (place, cell) in &header.cells {
        let name = match cell {
            Cell::Text(text) => text.trim_start_matches('\u{feff}').trim_end_matches(['*', '＊']).trim(),
            _ => "",
        };
        let known = columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name) || column.chinese.contains(&name));
        let at = format!("/columns/{}", place + 1);
        let shown: String = name.chars().take(60).collect();
        match known {
            None => {
                let text =
                    Text::new(format!("没有这一列：{shown}"), format!("there is no such column: {shown}"));
                faults.push(Fault::new(at, "unknown", text));
            }
            Some(column) if layout.insert(column.name, *place).is_some() => {
                let text = Text::new(format!("列重复：{shown}"), format!("this column comes twice: {shown}"));
                faults.push(Fault::new(at, "duplicate", text));
            }
            Some(_) => {}
        }
    }
    for column in columns.iter().filter(|column| column.required && !layout.contains_key(column.name)) {
        let chinese = column.chinese.first().copied().unwrap_or_default();
        let text = Text::new(format!("缺少“{chinese}”列"), format!("the column {} is missing", column.name));
        faults.push(Fault::new(format!("/columns/{}", column.name), "required", text));
    }
    if faults.is_empty() { Ok(layout) } else { Err(Error::invalid(faults)) }
}

/// Yes or no, in either language.
pub fn flag_of(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "否" | "no" | "false" | "0" => Some(false),
        "是" | "yes" | "true" | "1" => Some(true),
        _ => None,
    }
}

/// One row, by the names of its columns.
pub struct Row<'a> {
    /// As the sheet numbers it.
    pub number: u32,
    layout: &'a Layout,
    line: &'a Line,
}

impl<'a> Row<'a> {
    /// The row of a line.
    pub fn new(layout: &'a Layout, line: &'a Line) -> Self {
        Self { number: line.number, layout, line }
    }

    fn cell(&self, column: &'static str) -> Option<&'a Cell> {
        self.line.cells.get(self.layout.get(column)?)
    }

    /// Faults of cells that stand under no header, told at `column`.
    pub fn strays(&self, column: &'static str) -> Vec<CellFault> {
        let under = |place: &usize| self.layout.values().any(|known| known == place);
        let stray = self.line.cells.keys().any(|place| *place < MOST && !under(place));
        let text = Text::new("有内容不在任何列标题之下", "something stands under no header");
        if stray { vec![CellFault::new(column, "unknown", text)] } else { Vec::new() }
    }

    /// A text; none for a blank cell.
    pub fn text(&self, column: &'static str) -> Result<Option<String>, CellFault> {
        match self.cell(column) {
            None => Ok(None),
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Number(number)) => Ok(Some(number.to_string())),
            Some(Cell::Time(time)) => Ok(Some(time.format("%Y-%m-%d %H:%M").to_string())),
            Some(Cell::Broken) => Err(CellFault::new(
                column,
                "invalid",
                Text::new(
                    "单元格的公式出错或不是日期时间",
                    "the cell's formula failed, or it is no day and time",
                ),
            )),
        }
    }

    /// A whole number.
    pub fn number(&self, column: &'static str) -> Result<Option<i64>, CellFault> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| CellFault::new(column, "type", Text::new("应为整数", "must be a whole number")))
    }

    /// Yes or no; no for a blank cell.
    pub fn flag(&self, column: &'static str) -> Result<bool, CellFault> {
        let Some(text) = self.text(column)? else { return Ok(false) };
        flag_of(&text).ok_or_else(|| {
            CellFault::new(column, "enum", Text::new("只能是：是、否", "must be one of: yes, no"))
        })
    }

    /// A civil day.
    pub fn day(&self, column: &'static str) -> Result<Option<NaiveDate>, CellFault> {
        let found = match self.cell(column) {
            None => return Ok(None),
            Some(Cell::Time(time)) => Some(time.date()).filter(|day| (1970..2200).contains(&day.year())),
            Some(Cell::Text(text)) => day(text),
            Some(Cell::Number(_) | Cell::Broken) => None,
        };
        found.map(Some).ok_or_else(|| {
            let zh = "应为日期，如 2025-03-01，在 1970 年到 2199 年之间";
            let en = "must be a day such as 2025-03-01, in the years 1970 to 2199";
            CellFault::new(column, "format", Text::new(zh, en))
        })
    }

    /// An instant; without offset it is Beijing time.
    pub fn instant(&self, column: &'static str) -> Result<Option<DateTime<Utc>>, CellFault> {
        let found = match self.cell(column) {
            None => return Ok(None),
            Some(Cell::Time(time)) => local(*time),
            Some(Cell::Text(text)) => instant(text),
            Some(Cell::Number(_) | Cell::Broken) => None,
        };
        found.map(Some).ok_or_else(|| {
            let zh = "应为日期和时间，如 2025-03-01 14:00，在 1970 年到 2199 年之间";
            let en = "must be a day and a time such as 2025-03-01 14:00, in the years 1970 to 2199";
            CellFault::new(column, "format", Text::new(zh, en))
        })
    }
}

/// A day, whatever time is written behind it, in the years that the system knows.
fn day(text: &str) -> Option<NaiveDate> {
    let plain = text.replace(['/', '.', '年', '月'], "-").replace('日', "");
    let first = plain.split([' ', 'T']).next()?;
    let day = NaiveDate::parse_from_str(first, "%Y-%m-%d").ok()?;
    (1970..2200).contains(&day.year()).then_some(day)
}

/// Beijing time, in the years that the system knows.
fn local(time: NaiveDateTime) -> Option<DateTime<Utc>> {
    let offset = TimeDelta::seconds(i64::from(shanghai().local_minus_utc()));
    in_range(time.checked_sub_signed(offset)?.and_utc())
}

fn in_range(instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1970..2200).contains(&instant.year()).then_some(instant)
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return in_range(exact.to_utc());
    }
    // Excel writes 2025/3/1 14:00 where Chinese Windows does.
    let plain = text.replace('/', "-").replace('：', ":").replace('T', " ");
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(&plain, format).ok()).and_then(local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offering::imports::sheet::{CSV, read};

    fn header(text: &str) -> Result<Layout> {
        layout(read(CSV, text.as_bytes()).unwrap().first().unwrap())
    }

    const ENGLISH: &str = "row_key,organisation,programme,title,venue,capacity,signup_opens_at,signup_closes_at,session_starts_at,session_ends_at";

    #[test]
    fn headers_are_known_in_both_languages_in_any_order() {
        let chinese = "结束时间,开始时间,报名截止,报名开始,名额*,地点,活动名称,项目,主办单位,行号键";
        let (english, chinese) = (header(ENGLISH).unwrap(), header(chinese).unwrap());
        assert!(english.keys().eq(chinese.keys()));
        assert_eq!((english.get("title"), chinese.get("row_key")), (Some(&3), Some(&9)));
    }

    #[test]
    fn no_header_has_two_meanings() {
        let mut seen = std::collections::HashSet::new();
        for column in COLUMNS {
            assert!(seen.insert(column.name));
            assert!(column.chinese.iter().all(|name| seen.insert(name)), "{}", column.name);
        }
    }

    #[test]
    fn every_wrong_header_is_named() {
        let faults = header(&format!("{},colour,标题,title", ENGLISH.replace(",capacity", ""))).unwrap_err();
        let found: Vec<(&str, &str)> =
            faults.inner().faults.iter().map(|f| (f.pointer.as_str(), f.code)).collect();
        assert_eq!(
            found,
            [
                ("/columns/10", "unknown"),
                ("/columns/11", "duplicate"),
                ("/columns/12", "duplicate"),
                ("/columns/capacity", "required"),
            ]
        );
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        let expected = NaiveDate::from_ymd_opt(2025, 3, 1);
        for text in
            ["2025-03-01", "2025/3/1", "2025.3.1", "2025年3月1日", "2025-03-01 00:00", "2025/3/1 9:30"]
        {
            assert_eq!(day(text), expected, "{text}");
        }
        for text in ["", "3月1日", "2025-02-29", "2025-13-01", "45717", "1969-12-31", "2200-01-01", "昨天"]
        {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let expected = DateTime::parse_from_rfc3339("2025-03-01T14:00:00+08:00").unwrap().to_utc();
        for text in [
            "2025-03-01 14:00",
            "2025/3/1 14:00",
            "2025/03/01 14:00:00",
            "2025-3-1 14：00",
            "2025-03-01T14:00:00",
            "2025-03-01T06:00:00Z",
            "2025-03-01T14:00:00+08:00",
        ] {
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        for text in [
            "2025-03-01",
            "14:00",
            "2025-02-29 14:00",
            "2025-03-01 24:00",
            "2025-03-01 14:00 pm",
            "45717.5",
            "1969-12-31 12:00",
            "2200-01-01 12:00",
            "99999-01-01 12:00",
            "",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
