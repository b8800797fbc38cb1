//! Unified social credit codes of organisations (统一社会信用代码, GB 32100-2015).
//!
//! Eighteen signs of an alphabet of thirty-one: digits, and letters without I, O, S, V and Z. The last one is a check sign: the signs before
//! it are weighted with powers of three modulo 31, and what the sum lacks to a multiple of 31 is the check sign; where it lacks nothing, that
//! is 0, not the 31 that the standard's formula gives when it is taken literally.

use crate::platform::vault::normalise;

/// The signs in the order of their values.
const SIGNS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
const MODULUS: usize = 31;
const LENGTH: usize = 18;

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeFault {
    /// It has not eighteen signs.
    Length,
    /// A sign that no code has.
    Sign(char),
    /// The signs from the third to the eighth are an administrative division, and so digits.
    Division,
    /// Its last sign should be another one. A few codes of the first years are like that.
    Check(char),
}

/// `text` as a code in capitals, without spaces.
///
/// # Errors
/// The first thing that is wrong; the check sign last, since that alone may be genuine all the same.
pub fn check(text: &str) -> Result<String, CodeFault> {
    let code = written(text);
    if code.chars().count() != LENGTH {
        return Err(CodeFault::Length);
    }
    if let Some(sign) = code.chars().find(|sign| !SIGNS.contains(*sign)) {
        return Err(CodeFault::Sign(sign));
    }
    if !code.chars().skip(2).take(6).all(|sign| sign.is_ascii_digit()) {
        return Err(CodeFault::Division);
    }
    match check_sign(&code) {
        right if code.ends_with(right) => Ok(code),
        right => Err(CodeFault::Check(right)),
    }
}

/// `text` in capitals, without spaces.
pub fn written(text: &str) -> String {
    normalise(text).to_string()
}

/// What the last sign of `code` has to be by the seventeen before it.
fn check_sign(code: &str) -> char {
    let values = code.chars().take(LENGTH - 1).filter_map(|sign| SIGNS.find(sign));
    let (sum, _) =
        values.fold((0, 1), |(sum, weight), value| ((sum + value * weight) % MODULUS, weight * 3 % MODULUS));
    SIGNS.chars().nth((MODULUS - sum) % MODULUS).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn genuine_codes_pass() {
        for code in [
            // The example of the standard.
            "91350100M000100Y43",
            "9144030071526726XG",
            "91330100799655058B",
            "914403001922038216",
        ] {
            assert_eq!(check(code).as_deref(), Ok(code));
        }
    }

    #[test]
    fn a_sum_that_lacks_nothing_is_checked_by_zero() {
        for code in ["91440300MA5E000230", "91440300MA5E000520", "91440300MA5E000810"] {
            assert_eq!(check(code).as_deref(), Ok(code));
        }
        assert_eq!(check("91440300MA5E000231"), Err(CodeFault::Check('0')));
    }

    #[test]
    fn it_is_read_however_it_is_typed() {
        assert_eq!(check(" 9135 0100 m000100y43 ").as_deref(), Ok("91350100M000100Y43"));
        assert_eq!(check("９１３５０１００Ｍ０００１００Ｙ４３").as_deref(), Ok("91350100M000100Y43"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(check("91350100M000100Y4"), Err(CodeFault::Length));
        assert_eq!(check(""), Err(CodeFault::Length));
        assert_eq!(check("统一社会信用代码统一社会信用代码统一"), Err(CodeFault::Sign('统')));
        for sign in ['I', 'O', 'Z', 'S', 'V', '-'] {
            let code = format!("91350100M000100Y4{sign}");
            assert_eq!(check(&code), Err(CodeFault::Sign(sign)));
        }
        assert_eq!(check("913501A0M000100Y43"), Err(CodeFault::Division));
        assert_eq!(check("91350100M000100Y44"), Err(CodeFault::Check('3')));
        // Two signs that were exchanged.
        assert!(matches!(check("91350100M001000Y43"), Err(CodeFault::Check(_))));
    }

    proptest! {
        #[test]
        fn one_wrong_sign_is_always_noticed(place in 8_usize..17, other in 0_usize..31) {
            let genuine = "9144030071526726XG";
            let mut signs: Vec<char> = genuine.chars().collect();
            let sign = SIGNS.chars().nth(other).unwrap();
            prop_assume!(signs[place] != sign);
            signs[place] = sign;
            let changed: String = signs.into_iter().collect();
            prop_assert!(matches!(check(&changed), Err(CodeFault::Check(_))));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = check(&text);
        }
    }
}
