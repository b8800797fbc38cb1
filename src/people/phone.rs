//! A mobile number of the Chinese mainland.

use zeroize::Zeroizing;

use crate::platform::vault::{mask, normalise};

const LENGTH: usize = 11;

/// A mobile number: 11 digits, the first 1, the second 3 to 9. Wiped when dropped; `Debug` shows it masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(Zeroizing<String>);

/// Why a text is not a mobile number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.en())]
pub enum PhoneFault {
    /// Something else than digits, spaces and hyphens.
    Characters,
    /// Not 11 digits after the country code.
    Length,
    /// Does not begin with 13 to 19.
    NotMobile,
}

impl PhoneFault {
    /// For the person who typed it, in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Characters => "手机号码只能包含数字",
            Self::Length => "手机号码应为11位",
            Self::NotMobile => "请填写中国大陆手机号码（以13至19开头）",
        }
    }

    /// For the person who typed it, in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::Characters => "a mobile number consists of digits only",
            Self::Length => "a mobile number has 11 digits",
            Self::NotMobile => "enter a mobile number of the Chinese mainland (beginning with 13 to 19)",
        }
    }
}

impl Phone {
    /// Reads a mobile number, with or without `+86`, `0086` or `86`, spaces and hyphens.
    ///
    /// # Errors
    /// The first fault, in the order of [`PhoneFault`].
    pub fn parse(text: &str) -> Result<Self, PhoneFault> {
        let mut text = normalise(text);
        text.retain(|sign| !is_hyphen(sign));
        // No mobile number begins with 86 or 0, so a code is never mistaken for one.
        let number = ["+86", "0086", "86"].iter().find_map(|code| text.strip_prefix(code)).unwrap_or(&text);
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PhoneFault::Characters);
        }
        if number.len() != LENGTH {
            return Err(PhoneFault::Length);
        }
        match number.as_bytes() {
            [b'1', b'3'..=b'9', ..] => Ok(Self(Zeroizing::new(number.to_owned()))),
            _ => Err(PhoneFault::NotMobile),
        }
    }

    /// The 11 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phone({})", mask::phone(&self.0))
    }
}

/// The hyphen, and the dashes that keyboards put in its place.
fn is_hyphen(sign: char) -> bool {
    matches!(sign, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_usual_way_to_write_it_is_read() {
        for text in [
            "13812345678",
            " 138 1234 5678 ",
            "138-1234-5678",
            "138—1234—5678",
            "+8613812345678",
            "+86 138-1234-5678",
            "8613812345678",
            "0086 13812345678",
            "＋８６１３８１２３４５６７８",
            "\u{202d}+86 138 1234 5678\u{202c}",
        ] {
            assert_eq!(Phone::parse(text).unwrap().as_str(), "13812345678", "{text}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        for (text, fault) in [
            ("", PhoneFault::Length),
            ("1381234567", PhoneFault::Length),
            ("138123456789", PhoneFault::Length),
            ("+868613812345678", PhoneFault::Length),
            ("1381234567O", PhoneFault::Characters),
            ("138+12345678", PhoneFault::Characters),
            ("+85261234567", PhoneFault::Characters),
            ("一三八一二三四五六七八", PhoneFault::Characters),
            ("12812345678", PhoneFault::NotMobile),
            ("07552891234", PhoneFault::NotMobile),
        ] {
            assert_eq!(Phone::parse(text).unwrap_err(), fault, "{text}");
            assert!(!fault.zh().is_ascii() && fault.to_string() == fault.en());
        }
    }

    #[test]
    fn debug_shows_it_masked() {
        assert_eq!(format!("{:?}", Phone::parse("13812345678")), "Ok(Phone(138****5678))");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_read_again(text in any::<String>(), number in "1[3-9][0-9]{9}") {
            let _ = Phone::parse(&text);
            let parsed = Phone::parse(&format!("+86 {number}")).unwrap();
            prop_assert_eq!(parsed.as_str(), number);
        }
    }
}
