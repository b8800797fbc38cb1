//! The plan's targets as a table with bars, and columns that line up.

use serde_json::Value;

use super::client::field;

const BAR: i64 = 24;
const CLAUSE: usize = 44;

/// Prints the answer of `/api/v1/plans/{year}/progress`.
pub(super) fn print(progress: &Value) {
    println!("  {}\n", field(field(progress, "plan"), "title").as_str().unwrap_or_default());
    for target in field(progress, "targets").as_array().into_iter().flatten() {
        let text = |name: &str| field(target, name).as_str().unwrap_or_default();
        let number = |name: &str| field(target, name).as_i64().unwrap_or(0);
        let (value, required, percent) = (number("value"), number("required"), number("percent"));
        let full = (percent.clamp(0, 100) * BAR / 100).max(i64::from(value > 0));
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        println!(
            "  {:<4} {} {}{} {:>7} / {:<7} {:>4}%  {}",
            text("code"),
            pad(text("clause"), CLAUSE),
            "█".repeat(count(full)),
            "░".repeat(count(BAR - full)),
            value,
            required,
            percent,
            standing(text("standing")),
        );
    }
}

fn standing(code: &str) -> &'static str {
    match code {
        "met" => "已完成 met",
        "beyond_range" => "超出范围 beyond",
        "ahead" => "超前 ahead",
        "on_pace" => "进度正常 on pace",
        "behind" => "落后 behind",
        "at_risk" => "存在风险 at risk",
        "failed" => "未达标 failed",
        _ => "待上报 to report",
    }
}

/// Cells that a character takes in a terminal: two for Chinese.
fn cells(c: char) -> usize {
    if ('\u{2e80}'..='\u{ffff}').contains(&c) { 2 } else { 1 }
}

/// `text` in exactly `width` cells, cut or filled.
pub(super) fn pad(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        if used + cells(c) > width {
            break;
        }
        out.push(c);
        used += cells(c);
    }
    out.extend(std::iter::repeat_n(' ', width - used));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_script() {
        for text in [
            "",
            "abc",
            "技能培训不少于200场次",
            "“送清凉”慰问活动100场，覆盖职工若干万人次，一直写到很长很长很长",
        ] {
            assert_eq!(pad(text, 20).chars().map(cells).sum::<usize>(), 20, "{text}");
        }
    }
}
