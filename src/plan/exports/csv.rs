//! Tables as CSV (RFC 4180), with a byte order mark, so that spreadsheet programs read the Chinese.

use super::safe::cell;
use super::sheet::{Figure, Sheet, moment};
use super::store::NamedLine;
use crate::clock::shanghai;
use crate::error::{Error, Result};
use crate::plan::api::LineView;

/// What says that the rest is UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Heads of the figures' columns. One row is one number: that pivots, and no cell means two things.
const FIGURES: &[&str] = &[
    "年度",
    "截至",
    "项",
    "目标",
    "内容",
    "层级",
    "名称",
    "数值",
    "单位",
    "应完成",
    "上限",
    "完成率%",
    "按进度应完成",
    "状态",
    "认领指标",
];

/// Heads of the lines' columns.
pub const LINES: &[&str] = &[
    "目标",
    "台账编号",
    "发生日",
    "归属单位",
    "数量",
    "来源类别",
    "来源编号",
    "活动",
    "证据等级",
    "冲回台账",
    "原因",
    "记录时间",
];

type Writer = csv::Writer<Vec<u8>>;

fn writer() -> Writer {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(MARK.to_vec())
}

fn finished(writer: Writer) -> Result<Vec<u8>> {
    writer.into_inner().map_err(|error| Error::internal(error.to_string()))
}

/// All figures of a sheet: of the whole, of each organisation, of each month.
pub fn figures(sheet: &Sheet) -> Result<Vec<u8>> {
    let mut out = writer();
    out.write_record(FIGURES).map_err(Error::internal)?;
    for item in &sheet.items {
        for figure in &item.figures {
            rows(&mut out, sheet, item.number, figure)?;
        }
    }
    finished(out)
}

fn rows(out: &mut Writer, sheet: &Sheet, item: i64, figure: &Figure) -> Result<()> {
    let head = [
        sheet.year.to_string(),
        moment(sheet.as_of),
        item.to_string(),
        figure.code.clone(),
        cell(&figure.clause).into_owned(),
    ];
    let mut row = |level: &str, name: &str, value: i64, unit: &str, rest: [String; 6]| {
        let own = [level.to_owned(), cell(name).into_owned(), value.to_string(), cell(unit).into_owned()];
        out.write_record(head.iter().chain(&own).chain(&rest)).map_err(Error::internal)
    };
    let whole = [
        figure.required.to_string(),
        figure.upper.map(|upper| upper.to_string()).unwrap_or_default(),
        figure.percent().to_string(),
        figure.expected.to_string(),
        figure.status.text.to_owned(),
        String::new(),
    ];
    row("全区", "全区", figure.value, &figure.unit, whole)?;
    for part in &figure.parts {
        let mut rest: [String; 6] = Default::default();
        if let (Some(last), Some(share)) = (rest.last_mut(), part.share) {
            *last = share.to_string();
        }
        row("单位", &part.name, part.value, &figure.part_unit, rest)?;
    }
    for month in figure.months.iter().filter(|month| month.value != 0) {
        row("月份", &month.label(), month.value, &figure.part_unit, Default::default())?;
    }
    for term in &figure.terms {
        let mut rest: [String; 6] = Default::default();
        if let Some(status) = rest.last_mut() {
            term.status.text.clone_into(status);
        }
        row("时段", &term.label, term.value, &figure.part_unit, rest)?;
    }
    Ok(())
}

/// A table of lines, to which pages are added.
pub struct Lines(Writer);

impl Lines {
    /// With its heads.
    pub fn new() -> Result<Self> {
        let mut out = writer();
        out.write_record(LINES).map_err(Error::internal)?;
        Ok(Self(out))
    }

    /// Adds a page.
    pub fn add(&mut self, page: &[NamedLine]) -> Result<()> {
        page.iter().try_for_each(|line| self.0.write_record(line_cells(line)).map_err(Error::internal))
    }

    /// The whole table.
    pub fn finish(self) -> Result<Vec<u8>> {
        finished(self.0)
    }
}

/// The cells of a line, in the order of [`LINES`].
pub fn line_cells(row: &NamedLine) -> [String; 12] {
    let line = &row.line;
    let source = LineView::from(line.clone()).source_id;
    let at = line.recorded_at.and_utc().with_timezone(&shanghai());
    [
        row.code.clone(),
        line.id.to_string(),
        line.day.to_string(),
        cell(&row.organisation).into_owned(),
        line.quantity.to_string(),
        source_word(line.source_kind.as_str()).to_owned(),
        source.unwrap_or_default(),
        row.title.as_deref().map(|title| cell(title).into_owned()).unwrap_or_default(),
        line.grade.as_str().to_owned(),
        line.reverses.map(|id| id.to_string()).unwrap_or_default(),
        line.reason.as_deref().map(|reason| cell(reason).into_owned()).unwrap_or_default(),
        at.format("%Y-%m-%d %H:%M:%S").to_string(),
    ]
}

fn source_word(kind: &str) -> &'static str {
    match kind {
        "attendance" => "签到",
        "session" => "场次",
        "activity" => "活动",
        "headcount" => "现场计数",
        "case" => "案件",
        _ => "上报",
    }
}
