//! What a reader without the right to reveal sees. Signs are counted as Unicode characters; any text is taken.

/// A phone number with its first 3 and last 4 signs: `138****5678`. Shorter than 11 signs: nothing is shown.
pub fn phone(text: &str) -> String {
    ends(text, 3, 4, 11)
}

/// An ID number with its first 3 and last 2 signs: `440*************10`. Shorter than 15 signs: nothing is shown.
///
/// Not the customary last 4: those are what banks and hot lines ask for as proof of identity, and with a known
/// birthplace and birthday they complete the number. Two are enough to tell the cards of one list apart.
pub fn id_number(text: &str) -> String {
    ends(text, 3, 2, 15)
}

/// A name: `张*丰`, `张*`, and `*` for a single sign. In alphabetic scripts the initials stay: `J*** S****`.
/// White space around it is dropped.
pub fn name(text: &str) -> String {
    let text = text.trim();
    if text.chars().any(is_letter) {
        return initials(text);
    }
    match text.chars().count() {
        0 => String::new(),
        1 => "*".to_owned(),
        2 => ends(text, 1, 0, 2),
        _ => ends(text, 1, 1, 3),
    }
}

/// Keeps `head` and `tail` signs of a text of at least `least`, and none of a shorter one.
fn ends(text: &str, head: usize, tail: usize, least: usize) -> String {
    let count = text.chars().count();
    let hidden = if count < least { 0..count } else { head..count.saturating_sub(tail) };
    text.chars().enumerate().map(|(at, sign)| if hidden.contains(&at) { '*' } else { sign }).collect()
}

/// Keeps the first sign of every word, and what stands between words. A word of one sign is hidden.
fn initials(text: &str) -> String {
    text.split_inclusive(is_between)
        .flat_map(|word| {
            let lone = word.chars().filter(|sign| !is_between(*sign)).count() < 2;
            word.chars().enumerate().map(move |(at, sign)| {
                let shown = is_between(sign) || (at == 0 && !lone);
                if shown { sign } else { '*' }
            })
        })
        .collect()
}

/// A letter of a script with words and initials (Latin, Cyrillic, …), all of which lie before the CJK blocks.
fn is_letter(sign: char) -> bool {
    sign.is_alphabetic() && sign < '\u{2e80}'
}

fn is_between(sign: char) -> bool {
    sign.is_whitespace() || matches!(sign, '-' | '.' | '\'' | '’' | '·' | '•')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn phones_show_three_and_four() {
        for (text, masked) in [
            ("13812345678", "138****5678"),
            ("0755-28912345", "075******2345"),
            ("1381234567", "**********"),
            ("110", "***"),
            ("", ""),
        ] {
            assert_eq!(phone(text), masked);
        }
    }

    #[test]
    fn id_numbers_show_three_and_two() {
        for (text, masked) in [
            ("440307199001010010", "440*************10"),
            ("11010519491231002X", "110*************2X"),
            ("44030790010100", "**************"),
            ("四四〇三〇七一九九〇〇一〇一〇〇一〇", "四四〇*************一〇"),
        ] {
            assert_eq!(id_number(text), masked);
        }
    }

    #[test]
    fn names_show_their_ends_or_their_initials() {
        for (text, masked) in [
            ("张三丰", "张*丰"),
            ("张三", "张*"),
            (" 张 ", "*"),
            ("欧阳娜娜", "欧**娜"),
            ("买买提·吐尔逊", "买*****逊"),
            ("𠮷野家", "𠮷*家"),
            ("John Smith", "J*** S****"),
            ("Anne-Marie O'Neil", "A***-M**** *'N***"),
            ("J. R. Li", "*. *. L*"),
            ("Иван", "И***"),
            ("张Tom", "张***"),
            ("", ""),
        ] {
            assert_eq!(name(text), masked, "{text}");
        }
    }

    fn visible(masked: &str) -> usize {
        masked.chars().filter(|sign| *sign != '*').count()
    }

    proptest! {
        #[test]
        fn numbers_keep_their_length_and_show_little(text in any::<String>()) {
            let length = text.chars().count();
            for (masked, most) in [(phone(&text), 7), (id_number(&text), 5)] {
                prop_assert_eq!(masked.chars().count(), length);
                prop_assert!(visible(&masked) <= most);
            }
        }

        #[test]
        fn a_name_always_hides_something(text in any::<String>()) {
            let masked = name(&text);
            prop_assert_eq!(masked.chars().count(), text.trim().chars().count());
            prop_assert_eq!(masked.contains('*'), !text.trim().is_empty());
        }

        #[test]
        fn a_chinese_name_shows_its_ends_only(text in "[一-龥]{3,8}") {
            prop_assert_eq!(visible(&name(&text)), 2);
        }
    }
}
