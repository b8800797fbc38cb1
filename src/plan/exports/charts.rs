//! Charts as SVG: bars with the mark of what is required, and months against an even pace. Colours come from the page's style,
//! by class; every chart says in words what it shows.

use std::fmt::Write;

use super::safe::{html, number};
use super::sheet::{Month, Tone};

/// How wide a bar's drawing is; it is stretched to its place.
const WIDE: i64 = 1000;

/// Parts of a thousand, for drawings: of nothing, nothing.
fn share(value: i64, of: i64, wide: i64) -> i64 {
    let part = i128::from(value.max(0)) * i128::from(wide) / i128::from(of.max(1));
    i64::try_from(part).unwrap_or(wide).min(wide)
}

/// A bar of what was reached, with a mark at what is required, and a fainter one at an even pace.
pub fn bar(value: i64, required: i64, pace: Option<i64>, tone: Tone, says: &str) -> String {
    let most = value.max(required).max(1);
    let at = |value: i64| share(value, most, WIDE);
    let mut drawn = format!(
        "<svg class=\"bar\" viewBox=\"0 0 {WIDE} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
         <rect class=\"track\" width=\"{WIDE}\" height=\"10\"/><rect class=\"{}\" width=\"{}\" height=\"10\"/>",
        html(says),
        tone.class(),
        at(value)
    );
    let mut mark = |class: &str, value: i64| {
        let x = at(value).clamp(0, WIDE - 5);
        // Writing into a string cannot fail.
        let _written = write!(drawn, "<rect class=\"{class}\" x=\"{x}\" width=\"5\" height=\"10\"/>");
    };
    if let Some(pace) = pace.filter(|pace| *pace > 0 && *pace < required) {
        mark("pace", pace);
    }
    if required > 0 {
        mark("due", required);
    }
    drawn.push_str("</svg>");
    drawn
}

/// A bar of a part among others: the largest fills its place.
pub fn part(value: i64, most: i64) -> String {
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 {WIDE} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"part\" width=\"{}\" height=\"10\"/></svg>",
        share(value, most, WIDE)
    )
}

/// One bar of several tones: how many of each.
pub fn stacked(counts: &[(Tone, usize)], says: &str) -> String {
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let all = i64::try_from(all).unwrap_or(i64::MAX);
    let mut drawn = format!(
        "<svg class=\"bar tall\" viewBox=\"0 0 {WIDE} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        html(says)
    );
    let mut before = 0;
    for (tone, count) in counts {
        let (from, to) =
            (share(before, all, WIDE), share(before + i64::try_from(*count).unwrap_or(0), all, WIDE));
        before += i64::try_from(*count).unwrap_or(0);
        let _written = write!(
            drawn,
            "<rect class=\"{}\" x=\"{from}\" width=\"{}\" height=\"10\"/>",
            tone.class(),
            to - from
        );
    }
    drawn.push_str("</svg>");
    drawn
}

/// Where the drawing of months lies: left, top, width, height.
const PLOT: (i64, i64, i64, i64) = (52, 12, 300, 118);

/// What was counted month by month, added up, against an even pace and what is required.
pub fn months(months: &[Month], required: Option<i64>, says: &str) -> String {
    let (left, top, wide, high) = PLOT;
    let begun: Vec<&Month> = months.iter().filter(|month| month.begun).collect();
    let reached = begun.iter().map(|month| month.total.max(month.value)).max().unwrap_or(0);
    let paced = months.iter().filter_map(|month| month.pace).max().unwrap_or(0);
    let most = ceiling(reached.max(paced).max(required.unwrap_or(0)));
    let count = i64::try_from(months.len().max(1)).unwrap_or(1);
    let y = |value: i64| top + high - share(value, most, high);
    let middle = |at: usize| left + (i64::try_from(at).unwrap_or(0) * 2 + 1) * wide / (count * 2);
    let mut drawn =
        format!("<svg class=\"months\" viewBox=\"0 0 360 148\" role=\"img\" aria-label=\"{}\">", html(says));
    // Writing into a string cannot fail.
    let mut draw = |text: std::fmt::Arguments<'_>| {
        let _written = drawn.write_fmt(text);
    };
    for part in 0..=2 {
        let value = most / 2 * part;
        let (x, line) = (left + wide, y(value));
        draw(format_args!("<path class=\"grid\" d=\"M{left} {line}H{x}\"/>"));
        draw(format_args!(
            "<text class=\"axis end\" x=\"{}\" y=\"{}\">{}</text>",
            left - 4,
            line + 3,
            number(value)
        ));
    }
    let thick = (wide / count * 3 / 5).max(2);
    for (at, month) in months.iter().enumerate() {
        let x = middle(at);
        if month.begun && month.value > 0 {
            let height = share(month.value, most, high).max(1);
            let (from, upper) = (x - thick / 2, top + high - height);
            draw(format_args!(
                "<rect class=\"part\" x=\"{from}\" y=\"{upper}\" width=\"{thick}\" height=\"{height}\"/>"
            ));
        }
        // Every month where there is room, every third otherwise.
        if count <= 12 || at % 3 == 0 {
            let name = month.first.format(if count <= 12 { "%-m月" } else { "%y-%m" });
            draw(format_args!("<text class=\"axis mid\" x=\"{x}\" y=\"{}\">{name}</text>", top + high + 13));
        }
    }
    let line = |points: Vec<(i64, i64)>| {
        points.iter().enumerate().fold(String::new(), |mut path, (at, (x, y))| {
            let _written = write!(path, "{}{x} {y}", if at == 0 { "M" } else { "L" });
            path
        })
    };
    let pace: Vec<(i64, i64)> = months
        .iter()
        .enumerate()
        .filter_map(|(at, month)| month.pace.map(|pace| (middle(at), y(pace))))
        .collect();
    if !pace.is_empty() {
        draw(format_args!("<path class=\"paceline\" d=\"{}\"/>", line(pace)));
    }
    if let Some(required) = required.filter(|required| *required > 0) {
        draw(format_args!("<path class=\"dueline\" d=\"M{left} {}H{}\"/>", y(required), left + wide));
    }
    let totals = begun.iter().enumerate().map(|(at, month)| (middle(at), y(month.total))).collect();
    draw(format_args!("<path class=\"total\" d=\"{}\"/>", line(totals)));
    for (at, month) in begun.iter().enumerate() {
        draw(format_args!(
            "<circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"2.2\"/>",
            middle(at),
            y(month.total)
        ));
    }
    drawn.push_str("</svg>");
    drawn
}

/// The next round number: 1, 2 or 5 times a power of ten.
fn ceiling(value: i64) -> i64 {
    let mut step: i64 = 1;
    loop {
        for times in [1, 2, 5] {
            let round = step.saturating_mul(times);
            if round >= value && round >= 2 {
                return round;
            }
        }
        step = match step.checked_mul(10) {
            Some(next) => next,
            None => return i64::MAX,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, round) in
            [(0, 2), (1, 2), (3, 5), (6, 10), (11, 20), (70_001, 100_000), (i64::MAX, i64::MAX)]
        {
            assert_eq!(ceiling(value), round, "{value}");
        }
    }

    #[test]
    fn what_a_chart_says_stays_a_text() {
        let drawn = bar(1, 2, Some(1), Tone::Fair, "\"><script>");
        assert!(drawn.contains("aria-label=\"&quot;&gt;&lt;script&gt;\"") && !drawn.contains("<script"));
    }

    proptest! {
        #[test]
        fn any_figure_can_be_drawn(value: i64, required: i64, pace: Option<i64>, months_of in proptest::collection::vec(any::<(i32, bool)>(), 0..30)) {
            let drawn = bar(value, required, pace, Tone::Good, "x");
            prop_assert!(drawn.ends_with("</svg>") && !drawn.contains("width=\"-"));
            let first = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
            let list: Vec<Month> = months_of
                .iter()
                .map(|(value, begun)| Month { first, value: i64::from(*value), total: i64::from(*value), pace: None, begun: *begun })
                .collect();
            prop_assert!(months(&list, Some(required), "x").ends_with("</svg>"));
        }
    }
}
