//! One form for what people type in many: what the blind index compares, and what the parsers of numbers read.

use zeroize::Zeroizing;

/// `text` without white space and invisible signs, full-width signs as ASCII, ASCII letters in upper case.
///
/// Names come with spaces to align them (`张 三`), numbers come in groups, copied phone numbers come wrapped in
/// direction marks, and Chinese keyboards type full-width digits. Only fixed ranges are mapped, nothing that
/// moves with a version of Unicode: what is stored in an index must stay findable.
pub fn normalise(text: &str) -> Zeroizing<String> {
    // No sign becomes longer, so the buffer never moves and leaves no copy behind.
    let mut normal = Zeroizing::new(String::with_capacity(text.len()));
    normal.extend(
        text.chars().filter(|sign| !is_unseen(*sign)).map(|sign| half_width(sign).to_ascii_uppercase()),
    );
    normal
}

fn is_unseen(sign: char) -> bool {
    matches!(sign,
        '\0'..=' ' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

/// ASCII for the full-width forms U+FF01 to U+FF5E, which lie in the same order.
fn half_width(sign: char) -> char {
    match sign {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xff01 + 0x21).unwrap_or(sign),
        _ => sign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_thing_typed_differently_is_the_same() {
        for (typed, normal) in [
            (" 张　三\t", "张三"),
            ("\u{202d}138 1234 5678\u{202c}", "13812345678"),
            ("４４０３０７ｘ！～", "440307X!~"),
            ("Li Na", "LINA"),
            ("é", "é"),
            ("", ""),
        ] {
            assert_eq!(normalise(typed).as_str(), normal, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn normal_text_stays_and_grows_never(text in any::<String>()) {
            let once = normalise(&text);
            prop_assert!(once.len() <= text.len());
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
