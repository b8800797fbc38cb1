//! The limits on the values of a subscribe message. A key is a kind and a number: `thing1`, `date3`.
//!
//! How WeChat counts characters outside the basic plane is not documented; UTF-16 units are the cautious
//! reading, and what is counted here.

/// Whether `value` may stand at `key`.
pub(super) fn fits(key: &str, value: &str) -> bool {
    let kind = key.trim_end_matches(|char: char| char.is_ascii_digit());
    if value.is_empty() || kind.len() == key.len() || value.chars().any(char::is_control) {
        return false;
    }
    let length = value.encode_utf16().count();
    let all = |test: fn(char) -> bool| value.chars().all(test);
    match kind {
        "thing" => length <= 20,
        "number" => length <= 32 && is_number(value),
        "letter" => length <= 32 && all(|char| char.is_ascii_alphabetic()),
        "symbol" => length <= 5 && all(|char| !char.is_alphanumeric()),
        "character_string" => length <= 32 && all(|char| char.is_ascii()),
        "time" => span(value, |text| is_moment(text, false)),
        "date" => span(value, |text| is_moment(text, true)),
        "amount" => is_amount(value),
        "phone_number" => length <= 17 && all(|char| char.is_ascii() && !char.is_ascii_alphabetic()),
        "car_number" => length <= 8,
        "name" if value.is_ascii() => length <= 20 && all(|char| !char.is_ascii_digit()),
        "name" => length <= 10 && all(|char| !char.is_ascii_digit()),
        "phrase" => length <= 5 && all(is_chinese),
        // Which values an enumeration has is known to WeChat only.
        "enum" => true,
        _ => false,
    }
}

fn is_chinese(char: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&char) || ('\u{3400}'..='\u{4dbf}').contains(&char)
}

fn is_digits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, part)) => is_digits(whole, 1, 32) && is_digits(part, 1, 32),
        None => is_digits(text, 1, 32),
    }
}

fn is_amount(text: &str) -> bool {
    let text = text.strip_suffix('元').unwrap_or(text);
    let digits = text.trim_start_matches(['¥', '￥', '$', '€', '£']);
    let symbols = text.chars().count() - digits.chars().count();
    let whole = digits.split('.').next().unwrap_or_default();
    symbols <= 1 && is_number(digits) && is_digits(whole, 1, 10)
}

/// One moment, or two joined by `~`.
fn span(text: &str, is_one: impl Fn(&str) -> bool) -> bool {
    match text.split_once('~') {
        Some((from, to)) => is_one(from.trim()) && is_one(to.trim()),
        None => is_one(text.trim()),
    }
}

/// A clock time with or without a date before it, or (`date`) a date with or without a time after it.
fn is_moment(text: &str, date: bool) -> bool {
    match text.split_once(' ') {
        Some((day, clock)) => is_day(day) && is_clock(clock.trim()),
        None if date => is_day(text),
        None => is_clock(text),
    }
}

fn is_clock(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let below = |part: &str, limit: u32| is_digits(part, 1, 2) && part.parse().is_ok_and(|n: u32| n < limit);
    match parts.as_slice() {
        [hour, minute] => below(hour, 24) && below(minute, 60),
        [hour, minute, second] => below(hour, 24) && below(minute, 60) && below(second, 60),
        _ => false,
    }
}

fn is_day(text: &str) -> bool {
    let text = match text.strip_suffix('日') {
        Some(rest) => rest.replacen(['年', '月'], "-", 2),
        None => text.replace('.', "-"),
    };
    chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").is_ok()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn values_of_the_right_shape_fit() {
        for (key, value) in [
            ("thing1", "龙岗工会技能培训：电工班（第一期）"),
            ("number2", "-12.50"),
            ("letter1", "abc"),
            ("symbol1", "!?"),
            ("character_string13", "ACT-2025/01"),
            ("time1", "15:01"),
            ("time1", "2025年3月1日 15:01:30~2025年3月1日 17:00"),
            ("date3", "2019年10月1日"),
            ("date3", "2019-10-01 09:00"),
            ("date3", "2019.10.01"),
            ("amount1", "￥1234567890.50元"),
            ("phone_number1", "+86-0755-1234567"),
            ("name1", "王小明"),
            ("name1", "Anne-Marie"),
            ("phrase5", "报名成功"),
        ] {
            assert!(fits(key, value), "{key} {value}");
        }
    }

    #[test]
    fn values_of_the_wrong_shape_do_not() {
        let emoji = "😀".repeat(11);
        for (key, value) in [
            ("thing1", ""),
            ("thing1", "一二三四五六七八九十一二三四五六七八九十一"),
            ("thing1", emoji.as_str()),
            ("thing1", "两\n行"),
            ("thing", "没有序号"),
            ("number1", "12a"),
            ("character_string1", "中文"),
            ("time1", "25:00"),
            ("time1", "2025-03-01"),
            ("date1", "2025-02-30"),
            ("date1", "明天"),
            ("amount1", "￥￥5"),
            ("amount1", "12345678901"),
            ("phone_number1", "phone"),
            ("name1", "王小明明明明明明明明明"),
            ("phrase1", "报名成功了吗"),
            ("phrase1", "ok"),
            ("other1", "x"),
        ] {
            assert!(!fits(key, value), "{key} {value}");
        }
    }
}
