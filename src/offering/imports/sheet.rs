//! From bytes to cells. What comes here may be anything, so everything is counted while it is read.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};
use chrono::{NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use zip::ZipArchive;

use crate::error::{Error, Fault, Result, Text};
use crate::platform::http::FileKind;

/// The media type of CSV.
pub const CSV: &str = "text/csv";
/// The media type of Excel workbooks.
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Rows below the header at most.
pub const ROWS: usize = 500;
/// Columns at most.
pub const COLUMNS: usize = 64;
/// Bytes of a workbook at most, unpacked. A workbook of 500 rows has a hundredth of it.
const UNPACKED: u64 = 16 << 20;
/// Files in a workbook at most.
const ENTRIES: usize = 1000;

/// A sheet as a body.
pub struct SheetFile;

impl FileKind for SheetFile {
    const TYPES: &'static [&'static str] = &[CSV, XLSX];
    const LIMIT: usize = 2 << 20;
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text, not empty, without space around it.
    Text(String),
    /// A number.
    Number(f64),
    /// A day and a time, of no zone.
    Time(NaiveDateTime),
    /// A formula that went wrong, and the like.
    Broken,
}

/// A row that is not blank.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// As the sheet numbers it: 1 is the first.
    pub number: u32,
    /// Cells that are not empty, by column from 0.
    pub cells: BTreeMap<usize, Cell>,
}

fn refused(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Error {
    Error::invalid(vec![Fault::new("", code, Text::new(zh.into(), en.into()))])
}

fn unreadable() -> Error {
    refused(
        "unreadable",
        "无法读取：不是有效的表格文件，请在表格软件中另存为 .xlsx 或 .csv 后重试",
        "cannot be read as a sheet of this type; save it again as .xlsx or .csv",
    )
}

fn too_many_rows() -> Error {
    refused("max_rows", format!("最多 {ROWS} 行"), format!("at most {ROWS} rows"))
}

fn too_many_columns() -> Error {
    refused("max_columns", format!("最多 {COLUMNS} 列"), format!("at most {COLUMNS} columns"))
}

/// The rows of a sheet that are not blank, in order; the first is the header.
///
/// # Errors
/// 422 for what is no sheet of the type `media`, is empty, or is too large.
pub fn read(media: &str, bytes: &[u8]) -> Result<Vec<Line>> {
    let lines = if media == XLSX { read_xlsx(bytes)? } else { read_csv(bytes)? };
    if lines.is_empty() {
        return Err(refused("empty", "表格是空的", "the sheet is empty"));
    }
    Ok(lines)
}

/// Adds a cell, if there is room for it.
fn put(lines: &mut BTreeMap<u32, Line>, row: u32, column: usize, cell: Cell) -> Result<()> {
    if column >= COLUMNS {
        return Err(too_many_columns());
    }
    let number = row.saturating_add(1);
    lines.entry(row).or_insert_with(|| Line { number, cells: BTreeMap::new() }).cells.insert(column, cell);
    // The header is one more.
    if lines.len() > ROWS + 1 { Err(too_many_rows()) } else { Ok(()) }
}

/// A text without space around it; none for nothing.
fn text(raw: &str) -> Option<Cell> {
    let text = raw.trim();
    (!text.is_empty()).then(|| Cell::Text(text.to_owned()))
}

/// CSV in UTF-8, or in GB18030, which Excel writes on Chinese Windows.
fn read_csv(bytes: &[u8]) -> Result<Vec<Line>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let decoded = match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or_else(|| refused("encoding", "须为 UTF-8 或 GB18030 编码", "must be UTF-8 or GB18030"))?,
    };
    if decoded.contains('\0') {
        return Err(unreadable());
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(decoded.as_bytes());
    let mut lines = BTreeMap::new();
    let mut row: u32 = 0;
    let mut record = csv::StringRecord::new();
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if !reader.read_record(&mut record).map_err(|_| unreadable())? {
            break;
        }
        // The reader passes over blank lines, which a sheet numbers too.
        row = row.saturating_add(blank_lines(decoded.as_bytes(), start));
        for (column, field) in record.iter().enumerate() {
            if let Some(cell) = text(field) {
                put(&mut lines, row, column, cell)?;
            }
        }
        row = row.saturating_add(1);
    }
    Ok(lines.into_values().collect())
}

/// Lines without anything between `start`, where a record ended, and the next record.
fn blank_lines(text: &[u8], start: usize) -> u32 {
    let rest = text.get(start..).unwrap_or_default();
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let found = breaks.filter(|byte| **byte == b'\n').count();
    // The second half of the line break that ended the record.
    let half = start > 0 && text.get(start - 1) == Some(&b'\r') && rest.first() == Some(&b'\n');
    u32::try_from(found).unwrap_or(u32::MAX).saturating_sub(u32::from(half))
}

/// The first visible worksheet of a workbook.
fn read_xlsx(bytes: &[u8]) -> Result<Vec<Line>> {
    weigh(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| unreadable())?;
    let first = book
        .sheets_metadata()
        .iter()
        .find(|sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .ok_or_else(unreadable)?;
    // Cell by cell: a table of all cells up to the last one could be of any size.
    let mut cells = book.worksheet_cells_reader(&first).map_err(|_| unreadable())?;
    let mut lines = BTreeMap::new();
    while let Some(found) = cells.next_cell().map_err(|_| unreadable())? {
        let (row, column) = found.get_position();
        let cell = match found.get_value() {
            DataRef::Empty => None,
            DataRef::Int(number) => text(&number.to_string()),
            DataRef::Float(number) => Some(Cell::Number(*number)),
            DataRef::String(raw) => text(raw),
            DataRef::SharedString(raw) => text(raw),
            DataRef::Bool(value) => text(if *value { "TRUE" } else { "FALSE" }),
            DataRef::DateTime(time) => Some(time_of(time).map_or(Cell::Broken, Cell::Time)),
            DataRef::DateTimeIso(raw) => text(raw),
            DataRef::DurationIso(_) | DataRef::Error(_) => Some(Cell::Broken),
        };
        if let Some(cell) = cell {
            if matches!(&cell, Cell::Text(text) if text.contains('\0')) {
                return Err(unreadable());
            }
            put(&mut lines, row, usize::try_from(column).unwrap_or(usize::MAX), cell)?;
        }
    }
    Ok(lines.into_values().collect())
}

/// To the second: Excel keeps times as fractions of a day, so that two o'clock is a little less.
fn time_of(time: &ExcelDateTime) -> Option<NaiveDateTime> {
    if time.is_duration() {
        return None;
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let day = NaiveDate::from_ymd_opt(i32::from(year), u32::from(month), u32::from(day))?;
    let exact = day.and_hms_milli_opt(hour.into(), minute.into(), second.into(), milli.into())?;
    exact.checked_add_signed(TimeDelta::milliseconds(500))?.with_nanosecond(0)
}

/// Unpacks everything into nothing, and counts: what a workbook says of its own size need not be true.
fn weigh(bytes: &[u8]) -> Result<()> {
    let too_large = || {
        let limit = UNPACKED >> 20;
        refused("too_large", format!("解压后超过 {limit} MB"), format!("more than {limit} MiB when unpacked"))
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| unreadable())?;
    if archive.len() > ENTRIES {
        return Err(too_large());
    }
    let mut left = UNPACKED;
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(|_| unreadable())?;
        if entry.size() > left {
            return Err(too_large());
        }
        let read =
            std::io::copy(&mut entry.take(left + 1), &mut std::io::sink()).map_err(|_| unreadable())?;
        left = left.checked_sub(read).ok_or_else(too_large)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(result: Result<Vec<Line>>) -> &'static str {
        result.unwrap_err().inner().faults.first().unwrap().code
    }

    fn table(csv: &str) -> Vec<(u32, Vec<(usize, String)>)> {
        let shown = |cell: Cell| match cell {
            Cell::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let lines = read(CSV, csv.as_bytes()).unwrap();
        lines
            .into_iter()
            .map(|line| (line.number, line.cells.into_iter().map(|(at, cell)| (at, shown(cell))).collect()))
            .collect()
    }

    #[test]
    fn rows_are_numbered_as_the_sheet_shows_them() {
        for end in ["\n", "\r\n"] {
            let csv = ["a,b", "", "\"x", "y\",\u{3000}z ", "", "", ",,", "=1+1,-2", ""].join(end);
            let quoted = format!("x{end}y");
            let expected = vec![
                (1, vec![(0, "a".into()), (1, "b".into())]),
                (3, vec![(0, quoted), (1, "z".into())]),
                (7, vec![(0, "=1+1".into()), (1, "-2".into())]),
            ];
            assert_eq!(table(&csv), expected, "{end:?}");
        }
        assert_eq!(table("\n\na"), [(3, vec![(0, "a".to_owned())])]);
    }

    #[test]
    fn both_encodings_are_read() {
        let (gb, _, _) = encoding_rs::GB18030.encode("标题,名额\n电工班𠮷,3");
        assert_eq!(read(CSV, &gb).unwrap(), read(CSV, "标题,名额\n电工班𠮷,3".as_bytes()).unwrap());
        let with_mark = "\u{feff}标题,名额\n电工班𠮷,3";
        assert_eq!(table(with_mark), table("标题,名额\n电工班𠮷,3"));
        assert_eq!(codes(read(CSV, b"a,b\n\xff\xff,1")), "encoding");
        assert_eq!(codes(read(CSV, b"a\0b")), "unreadable");
    }

    #[test]
    fn what_is_too_large_or_empty_is_refused() {
        assert_eq!(codes(read(CSV, b"")), "empty");
        assert_eq!(codes(read(CSV, b"\n,,\n \n")), "empty");
        assert_eq!(codes(read(CSV, "a\n".repeat(ROWS + 2).as_bytes())), "max_rows");
        assert_eq!(read(CSV, "a\n".repeat(ROWS + 1).as_bytes()).unwrap().len(), ROWS + 1);
        let wide = |columns: usize| vec!["a"; columns].join(",");
        assert_eq!(codes(read(CSV, wide(COLUMNS + 1).as_bytes())), "max_columns");
        assert!(read(CSV, wide(COLUMNS).as_bytes()).is_ok());
        // Blank cells beyond are no columns.
        assert!(read(CSV, format!("a{}", ",".repeat(1000)).as_bytes()).is_ok());
        assert_eq!(codes(read(XLSX, b"<html><table></table></html>")), "unreadable");
        assert_eq!(codes(read(XLSX, b"")), "unreadable");
    }

    #[test]
    fn an_excel_time_is_rounded_to_the_second() {
        let at = |value| time_of(&ExcelDateTime::new(value, calamine::ExcelDateTimeType::DateTime, false));
        let day = NaiveDate::from_ymd_opt(2025, 3, 1).unwrap();
        assert_eq!(at(45_717.583_333_333), day.and_hms_opt(14, 0, 0));
        assert_eq!(at(45_717.0), day.and_hms_opt(0, 0, 0));
        assert_eq!(at(45_717.999_999_999), day.succ_opt().unwrap().and_hms_opt(0, 0, 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            _ = read(CSV, &bytes);
            _ = read(XLSX, &bytes);
        }
    }
}
