//! The number of a resident identity card (公民身份号码, GB 11643-1999).
//!
//! Six digits for the place of first registration, eight for the birth date, three for the sequence (odd for
//! men), one check sign. Residence permits for Hong Kong, Macao and Taiwan residents (81…, 82…, 83…) and the
//! present cards of permanent foreign residents (9…) follow the same rule. The first six digits say where
//! somebody was first registered, often under a code abolished since, so they are not compared with any list
//! and say nothing of where the person works.

use chrono::{Datelike, NaiveDate};
use zeroize::Zeroizing;

use crate::platform::vault::{mask, normalise};

const LENGTH: usize = 18;
const OLD_LENGTH: usize = 15;
const FIRST_YEAR: i32 = 1900;
/// GB 11643-1999: 2^(18−i) mod 11 for the place i from the left.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check sign for each remainder of the weighted sum divided by 11.
const SIGNS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// A valid ID number: 17 digits and a check sign, `X` in upper case. Wiped when dropped; `Debug` shows it masked.
#[derive(Clone, PartialEq, Eq)]
pub struct IdNumber {
    text: Zeroizing<String>,
    born: NaiveDate,
}

/// Why a text is not an ID number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.en())]
pub enum IdNumberFault {
    /// Not 18 signs.
    Length,
    /// Something else than 17 digits and a digit or X.
    Characters,
    /// 15 digits, the form before 1999. It has no century and no check sign, so it is not converted.
    OldForm,
    /// No such day, or before 1900, or in the future.
    BirthDate,
    /// The check sign does not fit: a digit is wrong.
    CheckDigit,
}

impl IdNumberFault {
    /// For the person who typed it, in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Length => "身份证号码应为18位",
            Self::Characters => "身份证号码前17位应为数字，最后一位应为数字或X",
            Self::OldForm => "15位旧身份证号码已停用，请填写18位号码",
            Self::BirthDate => "身份证号码中的出生日期不正确",
            Self::CheckDigit => "身份证号码校验不通过，请核对每一位",
        }
    }

    /// For the person who typed it, in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::Length => "an ID number has 18 characters",
            Self::Characters => "an ID number is 17 digits followed by a digit or X",
            Self::OldForm => "15-digit ID numbers are no longer valid; enter the 18-digit number",
            Self::BirthDate => "the birth date in the ID number is not possible",
            Self::CheckDigit => "the ID number does not pass its check; compare every digit",
        }
    }
}

impl IdNumber {
    /// Reads an ID number. White space and full-width digits are taken, and `x` for `X`. `today` is the civil
    /// day in Asia/Shanghai, the last possible birth date.
    ///
    /// # Errors
    /// The first fault, in the order of [`IdNumberFault`] except that the old form is told from other lengths.
    pub fn parse(text: &str, today: NaiveDate) -> Result<Self, IdNumberFault> {
        let text = normalise(text);
        match text.chars().count() {
            LENGTH => {}
            OLD_LENGTH if all_digits(&text) => return Err(IdNumberFault::OldForm),
            _ => return Err(IdNumberFault::Length),
        }
        let (body, sign) = text
            .split_at_checked(LENGTH - 1)
            .filter(|(body, sign)| all_digits(body) && (all_digits(sign) || *sign == "X"))
            .ok_or(IdNumberFault::Characters)?;
        let born = body
            .get(6..14)
            .and_then(birth_date)
            .filter(|born| born.year() >= FIRST_YEAR && *born <= today)
            .ok_or(IdNumberFault::BirthDate)?;
        if !check_sign(body).is_some_and(|expected| sign.starts_with(expected)) {
            return Err(IdNumberFault::CheckDigit);
        }
        Ok(Self { text, born })
    }

    /// The day of birth.
    pub fn birth_date(&self) -> NaiveDate {
        self.born
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdNumber({})", mask::id_number(&self.text))
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The day that eight digits YYYYMMDD name.
fn birth_date(digits: &str) -> Option<NaiveDate> {
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// The check sign for the first 17 digits.
fn check_sign(body: &str) -> Option<char> {
    let sum = body
        .chars()
        .zip(WEIGHTS)
        .map(|(digit, weight)| Some(digit.to_digit(10)? * weight))
        .sum::<Option<u32>>()?;
    SIGNS.get(usize::try_from(sum % 11).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn parse(text: &str) -> Result<IdNumber, IdNumberFault> {
        IdNumber::parse(text, day(2025, 3, 1))
    }

    #[test]
    fn valid_numbers_are_read_and_brought_to_one_form() {
        for (typed, number, born) in [
            ("11010519491231002X", "11010519491231002X", day(1949, 12, 31)),
            ("11010519491231002x", "11010519491231002X", day(1949, 12, 31)),
            ("440307199001010010", "440307199001010010", day(1990, 1, 1)),
            (" 440307 19900101 0010\n", "440307199001010010", day(1990, 1, 1)),
            ("４４０３０７１９９００１０１００１０", "440307199001010010", day(1990, 1, 1)),
            ("440307200002290013", "440307200002290013", day(2000, 2, 29)),
            ("44030719000101001X", "44030719000101001X", day(1900, 1, 1)),
            ("440307202503010015", "440307202503010015", day(2025, 3, 1)),
        ] {
            let parsed = parse(typed).unwrap();
            assert_eq!((parsed.as_str(), parsed.birth_date()), (number, born), "{typed}");
        }
    }

    /// The example of the standard has a valid check sign; its bearer was born in 1880.
    #[test]
    fn the_example_of_the_standard_fails_by_its_birth_date_only() {
        assert_eq!(check_sign("44052418800101001"), Some('4'));
        assert_eq!(parse("440524188001010014").unwrap_err(), IdNumberFault::BirthDate);
    }

    #[test]
    fn each_fault_is_named() {
        for (text, fault) in [
            ("", IdNumberFault::Length),
            ("44030719900101001", IdNumberFault::Length),
            ("4403071990010100100", IdNumberFault::Length),
            ("440307900101O01", IdNumberFault::Length),
            ("440307900101001", IdNumberFault::OldForm),
            ("44030719900101001O", IdNumberFault::Characters),
            ("44030719900101X010", IdNumberFault::Characters),
            ("+40307199001010010", IdNumberFault::Characters),
            ("四四〇三〇七一九九〇〇一〇一〇〇一〇", IdNumberFault::Characters),
            ("440307199902290013", IdNumberFault::BirthDate),
            ("440307190002290017", IdNumberFault::BirthDate),
            ("440307199013010018", IdNumberFault::BirthDate),
            ("440307189912310015", IdNumberFault::BirthDate),
            ("440307202503020010", IdNumberFault::BirthDate),
            ("440307199001010011", IdNumberFault::CheckDigit),
            ("44030719900101001X", IdNumberFault::CheckDigit),
        ] {
            assert_eq!(parse(text).unwrap_err(), fault, "{text}");
            assert!(!fault.zh().is_ascii() && fault.to_string() == fault.en());
        }
    }

    #[test]
    fn debug_shows_it_masked() {
        let shown = format!("{:?}", parse("440307199001010010"));
        assert_eq!(shown, "Ok(IdNumber(440*************10))");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            prop_assert!(parse(&text).is_err());
        }

        /// What the check sign is for: one wrong digit, or two neighbours swapped, never pass.
        #[test]
        fn one_slip_never_passes(sequence in 0u32..1000, place in 0usize..17, wrong in 0u32..10) {
            let body = format!("44030719900101{sequence:03}");
            let number = format!("{body}{}", check_sign(&body).unwrap());
            prop_assert!(parse(&number).is_ok());

            let mut signs: Vec<char> = number.chars().collect();
            let digit = char::from_digit(wrong, 10).unwrap();
            if signs[place] != digit {
                signs[place] = digit;
                prop_assert!(parse(&signs.iter().collect::<String>()).is_err());
            }
            let mut signs: Vec<char> = number.chars().collect();
            if signs[place] != signs[place + 1] {
                signs.swap(place, place + 1);
                prop_assert!(parse(&signs.iter().collect::<String>()).is_err());
            }
        }
    }
}
