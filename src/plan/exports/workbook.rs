//! The year as a workbook: overview, summary, one sheet an item with charts, sources, and the newest lines.
//!
//! Figures are numbers, texts are texts: nothing in the workbook is computed by whoever opens it, and no text is taken for a
//! formula. Its date is the moment that it is as of, so that the same sheet is the same bytes.

use rust_xlsxwriter::{
    Chart, ChartFont, ChartLegendPosition, ChartType, DocProperties, ExcelDateTime, Workbook, Worksheet,
    XlsxError,
};

use super::csv::{LINES, line_cells};
use super::page::tone_word;
use super::pen::{Pen, Pens};
use super::sheet::{Figure, Item, Sheet, Tone, moment};
use super::store::NamedLine;
use crate::error::{Error, Result};

/// Columns of the summary, with their widths.
const SUMMARY: &[(&str, f64)] = &[
    ("项", 5.0),
    ("目标", 7.0),
    ("内容", 44.0),
    ("计量", 16.0),
    ("单位", 9.0),
    ("完成", 11.0),
    ("应完成", 11.0),
    ("上限", 9.0),
    ("完成率", 9.0),
    ("按进度应完成", 12.0),
    ("预计（低）", 11.0),
    ("预计（高）", 11.0),
    ("状态", 10.0),
    ("成对目标", 14.0),
    ("牵头部室", 22.0),
];
const SUMMARY_NAME: &str = "目标汇总";
/// Rows above the summary's table.
const ABOVE: u32 = 3;
/// Rows that a chart covers.
const CHART_ROWS: u32 = 16;

/// What stands in the sheet of lines.
#[derive(Debug, Clone, Default)]
pub struct Newest {
    /// The newest of each target.
    pub lines: Vec<NamedLine>,
    /// How many a target shows at most.
    pub each: i64,
    /// How many there are in all.
    pub all: i64,
}

/// The workbook of `sheet`. `digest` is that of the figures as CSV.
pub fn workbook(sheet: &Sheet, digest: &str, newest: &Newest) -> Result<Vec<u8>> {
    draw(sheet, digest, newest).map_err(Error::internal)
}

fn draw(sheet: &Sheet, digest: &str, newest: &Newest) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let at = ExcelDateTime::from_timestamp(sheet.as_of.timestamp())?;
    let about =
        DocProperties::new().set_title(&sheet.title).set_company("Unionhall").set_creation_datetime(&at);
    book.set_properties(&about);
    let pens = Pens::new();
    overview(book.add_worksheet(), &pens, sheet, digest)?;
    summary(book.add_worksheet(), &pens, sheet)?;
    for item in &sheet.items {
        self::item(book.add_worksheet(), &pens, sheet, item)?;
    }
    sources(book.add_worksheet(), &pens, sheet)?;
    lines(book.add_worksheet(), &pens, newest)?;
    book.save_to_buffer()
}

/// A workbook's page for printing: A4, as wide as one page, with its number below.
pub fn printed(page: &mut Worksheet, landscape: bool) {
    page.set_paper_size(9);
    page.set_print_fit_to_pages(1, 0);
    page.set_margins(0.4, 0.4, 0.6, 0.6, 0.3, 0.3);
    page.set_footer("&C第 &P 页，共 &N 页&R&A");
    if landscape {
        page.set_landscape();
    }
}

fn scope(sheet: &Sheet) -> String {
    format!("统计时点 {}（北京时间）　范围 {}", moment(sheet.as_of), sheet.focus.as_deref().unwrap_or("全区"))
}

fn overview(page: &mut Worksheet, pens: &Pens, sheet: &Sheet, digest: &str) -> Result<(), XlsxError> {
    page.set_name("概览")?;
    printed(page, true);
    for (column, width) in [(0, 18.0), (1, 12.0), (2, 90.0)] {
        page.set_column_width(column, width)?;
    }
    let mut pen = Pen::new(page, pens);
    pen.title(0, &format!("{} 完成情况", sheet.title))?;
    pen.plain(1, 0, &scope(sheet))?;
    pen.plain(2, 0, &format!("数据摘要 SHA-256（数字 CSV）：{digest}"))?;
    pen.heads(4, 0, &["状态", "目标数"])?;
    for (row, (tone, count)) in (5..).zip(Tone::ALL.into_iter().zip(sheet.tones())) {
        pen.text(row, 0, tone_word(tone))?;
        pen.number(row, 1, i64::try_from(count).unwrap_or(0))?;
    }
    pen.text(10, 0, "合计")?;
    pen.number(10, 1, i64::try_from(sheet.figures().count()).unwrap_or(0))?;
    for (row, note) in (12..).zip(sheet.notes) {
        pen.plain(row, 0, note)?;
    }
    let mut states = Chart::new(ChartType::Column);
    let colours = ["#1F7A3D", "#1C5FA8", "#D98A1F", "#B3261E", "#B6BDC8"];
    states
        .add_series()
        .set_categories(("概览", 5, 0, 9, 0))
        .set_values(("概览", 5, 1, 9, 1))
        .set_point_colors(&colours);
    titled(&mut states, "目标状态");
    states.legend().set_hidden();
    page.insert_chart(17, 0, &states)?;
    let last = last_row(ABOVE, sheet.figures().count());
    if last > ABOVE {
        let mut shares = Chart::new(ChartType::Bar);
        shares.add_series().set_categories((SUMMARY_NAME, ABOVE + 1, 1, last, 1)).set_values((
            SUMMARY_NAME,
            ABOVE + 1,
            8,
            last,
            8,
        ));
        titled(&mut shares, "各目标完成率");
        shares.legend().set_hidden();
        // Twice as much is as far as anybody looks.
        shares.x_axis().set_num_format("0%").set_min(0).set_max(2);
        shares.y_axis().set_reverse().set_label_interval(1);
        shares.set_width(620).set_height((last - ABOVE).saturating_mul(17).max(240));
        page.insert_chart(17, 2, &shares)?;
    }
    Ok(())
}

fn titled(chart: &mut Chart, title: &str) {
    chart.title().set_name(title).set_font(ChartFont::new().set_size(12));
}

/// The last row of a table of `count` rows below its heads.
fn last_row(heads: u32, count: usize) -> u32 {
    heads.saturating_add(u32::try_from(count).unwrap_or(0))
}

fn summary(page: &mut Worksheet, pens: &Pens, sheet: &Sheet) -> Result<(), XlsxError> {
    page.set_name(SUMMARY_NAME)?;
    printed(page, true);
    for (column, (_, width)) in (0..).zip(SUMMARY) {
        page.set_column_width(column, *width)?;
    }
    page.set_freeze_panes(ABOVE + 1, 2)?;
    page.set_repeat_rows(ABOVE, ABOVE)?;
    let mut pen = Pen::new(page, pens);
    pen.title(0, &format!("{} 目标汇总", sheet.title))?;
    pen.plain(1, 0, &scope(sheet))?;
    let mut heads: Vec<&str> = SUMMARY.iter().map(|(head, _)| *head).collect();
    if sheet.focus.is_some() {
        heads.push("本单位完成");
    }
    pen.heads(ABOVE, 0, &heads)?;
    let rows = sheet.items.iter().flat_map(|item| item.figures.iter().map(move |figure| (item, figure)));
    for (row, (item, figure)) in (ABOVE + 1..).zip(rows) {
        pen.number(row, 0, item.number)?;
        pen.text(row, 1, &figure.code)?;
        pen.text(row, 2, &figure.clause)?;
        pen.text(row, 3, figure.measure)?;
        pen.text(row, 4, &figure.unit)?;
        pen.number(row, 5, figure.value)?;
        pen.number(row, 6, figure.required)?;
        match figure.upper {
            Some(upper) => pen.number(row, 7, upper)?,
            None => pen.text(row, 7, "")?,
        }
        pen.share(row, 8, figure.per_mille)?;
        pen.number(row, 9, figure.expected)?;
        for (column, end) in
            (10..).zip([figure.forecast.map(|(low, _)| low), figure.forecast.map(|(_, high)| high)])
        {
            match end {
                Some(end) => pen.number(row, column, end)?,
                None => pen.text(row, column, "")?,
            }
        }
        pen.status(row, 12, figure.status)?;
        let pair = figure.pair.as_ref().map(|(code, status)| format!("{code} {}", status.text));
        pen.text(row, 13, &pair.unwrap_or_default())?;
        pen.text(row, 14, &item.leads.join("、"))?;
        if let Some(own) = figure.own {
            pen.number(row, 15, own)?;
        }
    }
    Ok(())
}

/// The name of an item's sheet.
pub fn item_name(item: &Item) -> String {
    format!("第{}项", item.number)
}

fn item(page: &mut Worksheet, pens: &Pens, sheet: &Sheet, item: &Item) -> Result<(), XlsxError> {
    page.set_name(item_name(item))?;
    printed(page, true);
    for (column, width) in [
        (0, 12.0),
        (1, 12.0),
        (2, 12.0),
        (3, 12.0),
        (4, 12.0),
        (5, 12.0),
        (6, 3.0),
        (7, 16.0),
        (8, 12.0),
        (9, 12.0),
    ] {
        page.set_column_width(column, width)?;
    }
    page.set_freeze_panes(3, 0)?;
    let mut pen = Pen::new(page, pens);
    pen.title(0, &format!("第{}项　{}", item.number, item.title))?;
    pen.plain(1, 0, &scope(sheet))?;
    pen.plain(2, 0, &format!("牵头：{}", item.leads.join("、")))?;
    if item.figures.is_empty() {
        pen.plain(4, 0, "本项没有数量目标。")?;
    }
    let mut row = 4;
    for figure in &item.figures {
        row = block(page, pens, &item_name(item), figure, row)?;
    }
    Ok(())
}

/// One target from `top` on: its figure, its months and organisations, and their charts. Gives the next free row.
fn block(page: &mut Worksheet, pens: &Pens, name: &str, figure: &Figure, top: u32) -> Result<u32, XlsxError> {
    let mut pen = Pen::new(page, pens);
    pen.strong(top, 0, &format!("{}　{}", figure.code, figure.clause))?;
    pen.heads(top + 1, 0, &["完成", "应完成", "单位", "完成率", "按进度应完成", "状态"])?;
    pen.number(top + 2, 0, figure.value)?;
    pen.number(top + 2, 1, figure.required)?;
    pen.text(top + 2, 2, &figure.unit)?;
    pen.share(top + 2, 3, figure.per_mille)?;
    pen.number(top + 2, 4, figure.expected)?;
    pen.status(top + 2, 5, figure.status)?;
    let heads = top + 4;
    pen.heads(heads, 0, &["月份", "当月", "累计", "按进度"])?;
    pen.heads(heads, 7, &["单位", &figure.part_unit, "认领指标"])?;
    for (row, month) in (heads + 1..).zip(&figure.months) {
        pen.text(row, 0, &month.label())?;
        pen.number(row, 1, month.value)?;
        // Of months to come nothing is added up: a line would pretend that they are over.
        if month.begun {
            pen.number(row, 2, month.total)?;
        }
        if let Some(pace) = month.pace {
            pen.number(row, 3, pace)?;
        }
    }
    for (row, part) in (heads + 1..).zip(&figure.parts) {
        pen.text(row, 7, &part.name)?;
        pen.number(row, 8, part.value)?;
        if let Some(share) = part.share {
            pen.number(row, 9, share)?;
        }
    }
    let mut terms_at = heads + 2 + u32::try_from(figure.months.len()).unwrap_or(0);
    if !figure.terms.is_empty() {
        pen.heads(terms_at, 0, &["时段", "数值", "状态", "未达到的单位"])?;
        for term in &figure.terms {
            terms_at += 1;
            pen.text(terms_at, 0, &term.label)?;
            pen.number(terms_at, 1, term.value)?;
            pen.status(terms_at, 2, term.status)?;
            let failing: Vec<&str> = term.failing.iter().map(|part| part.name.as_str()).collect();
            pen.plain(terms_at, 3, &failing.join("、"))?;
        }
    }
    let (months, parts) = (last_row(heads, figure.months.len()), last_row(heads, figure.parts.len()));
    let mut bottom = terms_at.max(months).max(parts) + 1;
    if figure.months.iter().any(|month| month.value != 0) {
        page.insert_chart(heads, 11, &months_chart(name, figure, heads, months))?;
        bottom = bottom.max(heads + CHART_ROWS);
    }
    if !figure.parts.is_empty() {
        page.insert_chart(heads, 19, &parts_chart(name, figure, heads, parts))?;
        let rows = u32::try_from(figure.parts.len()).unwrap_or(0);
        bottom = bottom.max(heads + CHART_ROWS).max(heads + rows.saturating_mul(22) / 20 + 2);
    }
    Ok(bottom + 1)
}

fn months_chart(name: &str, figure: &Figure, heads: u32, last: u32) -> Chart {
    let mut chart = Chart::new(ChartType::Column);
    let months = (name, heads + 1, 0, last, 0);
    chart.add_series().set_name((name, heads, 1)).set_categories(months).set_values((
        name,
        heads + 1,
        1,
        last,
        1,
    ));
    let mut lines = Chart::new(ChartType::Line);
    lines.add_series().set_name((name, heads, 2)).set_categories(months).set_values((
        name,
        heads + 1,
        2,
        last,
        2,
    ));
    if figure.months.iter().any(|month| month.pace.is_some()) {
        lines.add_series().set_name((name, heads, 3)).set_categories(months).set_values((
            name,
            heads + 1,
            3,
            last,
            3,
        ));
    }
    chart.combine(&lines);
    titled(&mut chart, &format!("{} 按月（{}）", figure.code, figure.part_unit));
    chart.legend().set_position(ChartLegendPosition::Bottom);
    chart
}

fn parts_chart(name: &str, figure: &Figure, heads: u32, last: u32) -> Chart {
    let mut chart = Chart::new(ChartType::Bar);
    chart.add_series().set_categories((name, heads + 1, 7, last, 7)).set_values((
        name,
        heads + 1,
        8,
        last,
        8,
    ));
    titled(&mut chart, &format!("{} 按单位（{}）", figure.code, figure.part_unit));
    chart.legend().set_hidden();
    // The largest above, and every name.
    chart.y_axis().set_reverse().set_label_interval(1);
    let rows = u32::try_from(figure.parts.len()).unwrap_or(0);
    chart.set_height(rows.saturating_mul(22).clamp(288, 2_000));
    chart
}

fn sources(page: &mut Worksheet, pens: &Pens, sheet: &Sheet) -> Result<(), XlsxError> {
    page.set_name("数据来源")?;
    printed(page, true);
    for (column, width) in [
        (0, 7.0),
        (1, 40.0),
        (2, 28.0),
        (3, 9.0),
        (4, 9.0),
        (5, 9.0),
        (6, 9.0),
        (7, 9.0),
        (8, 60.0),
        (9, 44.0),
    ] {
        page.set_column_width(column, width)?;
    }
    page.set_freeze_panes(3, 1)?;
    page.set_repeat_rows(2, 2)?;
    let mut pen = Pen::new(page, pens);
    pen.title(0, "数据来源")?;
    pen.plain(1, 0, "每个数字都由台账逐笔汇总；台账行数包括冲回。证据等级按数量计。")?;
    pen.heads(
        2,
        0,
        &["目标", "内容", "来源", "台账行数", "证据 A", "证据 B", "证据 C", "证据 D", "计入规则", "台账接口"],
    )?;
    for (row, figure) in (3..).zip(sheet.figures()) {
        pen.text(row, 0, &figure.code)?;
        pen.text(row, 1, &figure.clause)?;
        pen.text(row, 2, figure.source)?;
        pen.number(row, 3, figure.lines)?;
        for (column, grade) in (4..).zip(figure.grades) {
            pen.number(row, column, grade)?;
        }
        pen.text(row, 8, &figure.rules.join("\n"))?;
        pen.text(row, 9, &format!("/api/v1/plans/{}/targets/{}/lines", sheet.year, figure.code))?;
    }
    Ok(())
}

fn lines(page: &mut Worksheet, pens: &Pens, newest: &Newest) -> Result<(), XlsxError> {
    page.set_name("台账明细")?;
    printed(page, true);
    let widths = [7.0, 32.0, 12.0, 16.0, 9.0, 10.0, 32.0, 36.0, 9.0, 32.0, 24.0, 20.0];
    for (column, width) in (0..).zip(widths) {
        page.set_column_width(column, width)?;
    }
    page.set_freeze_panes(3, 1)?;
    page.set_repeat_rows(2, 2)?;
    let mut pen = Pen::new(page, pens);
    pen.title(0, "台账明细")?;
    let (shown, all, each) = (newest.lines.len(), newest.all, newest.each);
    let said = format!(
        "共 {all} 行，此处列出 {shown} 行：每个目标最近的 {each} 行。全部明细另有 CSV（kind: lines）。"
    );
    pen.plain(1, 0, &said)?;
    pen.heads(2, 0, LINES)?;
    for (row, line) in (3..).zip(&newest.lines) {
        for (column, text) in (0..).zip(line_cells(line)) {
            if column == 4 {
                pen.number(row, column, line.line.quantity)?;
            } else {
                pen.text(row, column, &text)?;
            }
        }
    }
    Ok(())
}
