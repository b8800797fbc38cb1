//! The session's code: shown at the door on a screen that staff have logged in to, scanned by workers with their own phones.
//!
//! 24 bytes as 32 characters of base64url, as a pass is, so that it fits the `scene` of a WeChat code: the session's id and 64 bits of
//! HMAC-SHA256 over the id and the time step. It changes every 30 seconds; a photo of it is worth a minute and a half at most. Where no
//! camera helps, six digits are said that change every five minutes: less is proved by them, and tries are counted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::pass::STEP_SECONDS;
use crate::error::{Error, Result};
use crate::ids::SessionId;

/// Seconds for which six digits are said.
pub const SPOKEN_SECONDS: i64 = 300;

/// What a code turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeReading {
    /// This session's, now.
    Valid(SessionId),
    /// Says that it is this session's, and is not of now.
    Stale(SessionId),
    /// Not a code at all.
    Invalid,
}

/// Makes and reads sessions' codes.
#[derive(Clone)]
pub struct SessionCodes {
    secret: SecretString,
}

impl SessionCodes {
    /// Codes under `secret`.
    pub fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    /// The code of `session` at `now`, and when the next one is due.
    pub fn show(&self, session: SessionId, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let step = now.timestamp().div_euclid(STEP_SECONDS);
        let mut bytes = session.0.as_bytes().to_vec();
        bytes.extend(self.seal("session code", session, step).iter().take(8));
        (URL_SAFE_NO_PAD.encode(bytes), end_of(step, STEP_SECONDS, now))
    }

    /// What `code` is at `now`.
    pub fn read(&self, code: &str, now: DateTime<Utc>) -> CodeReading {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(code) else { return CodeReading::Invalid };
        let Some((id, seal)) = bytes.split_at_checked(16) else { return CodeReading::Invalid };
        let Ok(session) = Uuid::from_slice(id).map(SessionId) else { return CodeReading::Invalid };
        let step = now.timestamp().div_euclid(STEP_SECONDS);
        let fits = |step| {
            let ours = self.seal("session code", session, step);
            ours.get(..8).is_some_and(|ours| bool::from(ours.ct_eq(seal)))
        };
        if [step, step - 1, step + 1].into_iter().any(fits) {
            CodeReading::Valid(session)
        } else {
            CodeReading::Stale(session)
        }
    }

    /// The six digits of `session` at `now`, and when the next ones are due.
    pub fn say(&self, session: SessionId, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let step = now.timestamp().div_euclid(SPOKEN_SECONDS);
        (self.digits(session, step), end_of(step, SPOKEN_SECONDS, now))
    }

    /// Whether `digits` are the session's: those of now, or those before, for who was slow.
    pub fn is_said(&self, session: SessionId, digits: &str, now: DateTime<Utc>) -> bool {
        let step = now.timestamp().div_euclid(SPOKEN_SECONDS);
        let fits = |step| bool::from(self.digits(session, step).as_bytes().ct_eq(digits.as_bytes()));
        // Both are looked at, so that time tells nothing.
        fits(step) | fits(step - 1)
    }

    fn digits(&self, session: SessionId, step: i64) -> String {
        let seal = self.seal("spoken code", session, step);
        let number = seal.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{:06}", number % 1_000_000)
    }

    fn seal(&self, what: &str, session: SessionId, step: i64) -> Vec<u8> {
        // HMAC takes a key of any length, so this cannot fail; an empty seal matches nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()) else {
            return Vec::new();
        };
        mac.update(what.as_bytes());
        mac.update(b"\0");
        mac.update(session.0.as_bytes());
        mac.update(&step.to_be_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

fn end_of(step: i64, seconds: i64, now: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp((step + 1) * seconds, 0).unwrap_or(now + TimeDelta::seconds(seconds))
}

/// Pixels of a module of a picture, and modules of white around it.
const MODULE: usize = 8;
const QUIET: usize = 4;

/// `text` as a QR code, in a PNG of black and white.
pub fn qr_png(text: &str) -> Result<Vec<u8>> {
    let code =
        qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).map_err(Error::internal)?;
    let (width, modules) = (code.width(), code.to_colors());
    let side = (width + 2 * QUIET) * MODULE;
    let mut pixels = vec![255_u8; side * side];
    for (place, color) in modules.iter().enumerate() {
        if *color == qrcode::Color::Light {
            continue;
        }
        let (row, column) = ((place / width + QUIET) * MODULE, (place % width + QUIET) * MODULE);
        for line in row..row + MODULE {
            let from = line * side + column;
            if let Some(module) = pixels.get_mut(from..from + MODULE) {
                module.fill(0);
            }
        }
    }
    let size = u32::try_from(side).map_err(Error::internal)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(Error::internal)?;
    writer.write_image_data(&pixels).map_err(Error::internal)?;
    writer.finish().map_err(Error::internal)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn codes() -> SessionCodes {
        SessionCodes::new("a secret of the test".to_owned().into())
    }

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 10).unwrap()
    }

    #[test]
    fn a_code_is_good_for_its_own_step_and_its_neighbours() {
        let session = SessionId(Uuid::from_u128(7));
        let (code, _) = codes().show(session, now());
        assert_eq!(code.len(), 32);
        for (seconds, reading) in [
            (-41, CodeReading::Stale(session)),
            (-40, CodeReading::Valid(session)),
            (49, CodeReading::Valid(session)),
            (50, CodeReading::Stale(session)),
        ] {
            assert_eq!(codes().read(&code, now() + TimeDelta::seconds(seconds)), reading, "{seconds}");
        }
        let others = SessionCodes::new("another".to_owned().into());
        assert_eq!(others.read(&code, now()), CodeReading::Stale(session));
    }

    #[test]
    fn digits_are_good_for_their_five_minutes_and_the_next() {
        let session = SessionId(Uuid::from_u128(7));
        let (digits, until) = codes().say(session, now());
        assert_eq!(digits.len(), 6);
        assert_eq!(until, Utc.with_ymd_and_hms(2025, 5, 1, 9, 5, 0).unwrap());
        for (seconds, fits) in [(-11, false), (0, true), (589, true), (590, false)] {
            assert_eq!(
                codes().is_said(session, &digits, now() + TimeDelta::seconds(seconds)),
                fits,
                "{seconds}"
            );
        }
        assert!(!codes().is_said(SessionId(Uuid::from_u128(8)), &digits, now()));
    }

    #[test]
    fn a_picture_is_made_of_a_code() {
        let (code, _) = codes().show(SessionId(Uuid::from_u128(7)), now());
        let png = qr_png(&code).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes(text in "\\PC{0,80}") {
            prop_assert!(!matches!(codes().read(&text, now()), CodeReading::Valid(_)));
        }
    }
}
