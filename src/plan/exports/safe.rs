//! Texts that others have written, made harmless where they go.

use std::borrow::Cow;

pub use crate::platform::http::markup::html;

/// Signs with which a spreadsheet program takes a text for a formula; their full-width forms too, which some convert.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// Characters that a cell holds at most.
const CELL: usize = 32_000;

/// A text as a cell holds it: with an apostrophe before what would be taken for a formula.
pub fn cell(text: &str) -> Cow<'_, str> {
    let text = match text.char_indices().nth(CELL) {
        Some((at, _)) => text.get(..at).unwrap_or_default(),
        None => text,
    };
    let risky = text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(FORMULA);
    if risky { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// A number with separators of thousands.
pub fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_be_a_formula_is_a_text() {
        for text in
            ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "＝1", "=HYPERLINK(\"http://x\")"]
        {
            assert_eq!(cell(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "平湖", "1+1", "a=b", "'=1", "场次-1"] {
            assert_eq!(cell(text), text);
        }
        assert_eq!(cell(&"长".repeat(40_000)).chars().count(), 32_000);
    }

    #[test]
    fn numbers_have_separators() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(i64::MIN), "-9,223,372,036,854,775,808");
    }

    proptest! {
        #[test]
        fn no_cell_begins_a_formula(text in any::<String>()) {
            let shown = cell(&text);
            prop_assert!(!shown.trim_start().starts_with(FORMULA));
        }
    }
}
