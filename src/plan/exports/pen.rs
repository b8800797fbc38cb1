//! Writes cells of a workbook: texts made harmless, numbers as numbers, each in its format.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Worksheet, XlsxError};

use super::safe::cell;
use super::sheet::{Status, Tone};

/// The formats of a workbook.
pub struct Pens {
    title: Format,
    strong: Format,
    head: Format,
    text: Format,
    number: Format,
    share: Format,
    states: [Format; 5],
}

impl Pens {
    /// All of them.
    pub fn new() -> Self {
        let bordered =
            || Format::new().set_border(FormatBorder::Thin).set_border_color(Color::RGB(0x00C5_CCD6));
        let top = || bordered().set_align(FormatAlign::Top);
        let state = |colour: u32| top().set_bold().set_font_color(Color::RGB(colour));
        Self {
            title: Format::new().set_bold().set_font_size(15),
            strong: Format::new().set_bold(),
            head: bordered()
                .set_bold()
                .set_text_wrap()
                .set_align(FormatAlign::Center)
                .set_align(FormatAlign::VerticalCenter)
                .set_background_color(Color::RGB(0x00E4_EAF3)),
            text: top().set_text_wrap(),
            number: top().set_num_format("#,##0"),
            share: top().set_num_format("0.0%"),
            states: [0x001F_7A3D, 0x001C_5FA8, 0x00A8_5D00, 0x00B3_261E, 0x006B_7280].map(state),
        }
    }

    fn state(&self, tone: Tone) -> &Format {
        let [good, fair, poor, bad, silent] = &self.states;
        match tone {
            Tone::Good => good,
            Tone::Fair => fair,
            Tone::Poor => poor,
            Tone::Bad => bad,
            Tone::Silent => silent,
        }
    }
}

/// Writes into one sheet.
pub struct Pen<'a> {
    page: &'a mut Worksheet,
    pens: &'a Pens,
}

type Written = Result<(), XlsxError>;

impl<'a> Pen<'a> {
    /// Into `page`.
    pub fn new(page: &'a mut Worksheet, pens: &'a Pens) -> Self {
        Self { page, pens }
    }

    /// A heading in the first column.
    pub fn title(&mut self, row: u32, text: &str) -> Written {
        self.page.write_string_with_format(row, 0, cell(text), &self.pens.title)?;
        Ok(())
    }

    /// A text without a border.
    pub fn plain(&mut self, row: u32, column: u16, text: &str) -> Written {
        self.page.write_string(row, column, cell(text))?;
        Ok(())
    }

    /// A bold text without a border.
    pub fn strong(&mut self, row: u32, column: u16, text: &str) -> Written {
        self.page.write_string_with_format(row, column, cell(text), &self.pens.strong)?;
        Ok(())
    }

    /// The heads of a table, from a column on.
    pub fn heads(&mut self, row: u32, from: u16, heads: &[&str]) -> Written {
        for (column, head) in (from..).zip(heads) {
            self.page.write_string_with_format(row, column, cell(head), &self.pens.head)?;
        }
        Ok(())
    }

    /// A text of a table.
    pub fn text(&mut self, row: u32, column: u16, text: &str) -> Written {
        self.page.write_string_with_format(row, column, cell(text), &self.pens.text)?;
        Ok(())
    }

    /// A number of a table.
    pub fn number(&mut self, row: u32, column: u16, value: i64) -> Written {
        self.page.write_number_with_format(row, column, value as f64, &self.pens.number)?;
        Ok(())
    }

    /// A share, from thousandths.
    pub fn share(&mut self, row: u32, column: u16, per_mille: i64) -> Written {
        self.page.write_number_with_format(row, column, per_mille as f64 / 1000.0, &self.pens.share)?;
        Ok(())
    }

    /// A status: its word, in its colour.
    pub fn status(&mut self, row: u32, column: u16, status: Status) -> Written {
        self.page.write_string_with_format(row, column, status.text, self.pens.state(status.tone))?;
        Ok(())
    }
}
