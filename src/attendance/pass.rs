//! The worker's pass: a code on the phone's screen that changes every 30 seconds.
//!
//! 24 bytes as 32 characters of base64url, so that a code fits the `scene` of a WeChat code: the person's id and
//! 64 bits of HMAC-SHA256 over the id and the time step. The step is not in the code: the reader tries its own, the one
//! before and the one after (a phone's clock may be off), so a photo of the code is worth at most a minute and a half.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::ids::PersonId;

/// Seconds for which one code is shown.
pub const STEP_SECONDS: i64 = 30;
/// Steps of the past that are recognised as "expired" rather than "invalid".
const REMEMBERED: i64 = 20;

/// What a code turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// This person's, now.
    Valid(PersonId),
    /// This person's, some minutes ago.
    Expired(PersonId),
    /// Not one of ours, or older than that.
    Invalid,
}

/// What a code proves that was scanned without a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// This person showed it when the device's clock says so.
    Fits(PersonId),
    /// This person showed it in the half minute from this instant on, which is not what the device's clock says.
    At(PersonId, DateTime<Utc>),
    /// Not one of ours, or more than a day from what the device's clock says.
    Nothing,
}

/// Makes and reads passes.
#[derive(Clone)]
pub struct Passes {
    secret: SecretString,
}

impl Passes {
    /// Passes under `secret`.
    pub fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    /// The code of `person` at `now`, and when the next one is due.
    pub fn show(&self, person: PersonId, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let step = now.timestamp().div_euclid(STEP_SECONDS);
        let mut bytes = person.0.as_bytes().to_vec();
        bytes.extend(self.seal(person, step));
        let until = DateTime::from_timestamp((step + 1) * STEP_SECONDS, 0)
            .unwrap_or(now + TimeDelta::seconds(STEP_SECONDS));
        (URL_SAFE_NO_PAD.encode(bytes), until)
    }

    /// What `code` is at `now`.
    pub fn read(&self, code: &str, now: DateTime<Utc>) -> Reading {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(code) else { return Reading::Invalid };
        let Some((id, seal)) = bytes.split_at_checked(16) else { return Reading::Invalid };
        let Ok(person) = Uuid::from_slice(id).map(PersonId) else { return Reading::Invalid };
        let step = now.timestamp().div_euclid(STEP_SECONDS);
        let sealed_at = |step| bool::from(self.seal(person, step).ct_eq(seal));
        if [step, step - 1, step + 1].into_iter().any(sealed_at) {
            Reading::Valid(person)
        } else if (2..=REMEMBERED).any(|back| sealed_at(step - back)) {
            Reading::Expired(person)
        } else {
            Reading::Invalid
        }
    }

    /// What `code` proves of an instant at which a device says that it scanned it. A code is of one half minute, so it says itself
    /// when it was shown; the nearest one within a day is looked for.
    pub fn prove(&self, code: &str, at: DateTime<Utc>) -> Proof {
        let person = match self.read(code, at) {
            Reading::Valid(person) => return Proof::Fits(person),
            Reading::Expired(person) => Some(person),
            Reading::Invalid => None,
        };
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(code) else { return Proof::Nothing };
        let Some((id, seal)) = bytes.split_at_checked(16) else { return Proof::Nothing };
        let Some(person) = person.or_else(|| Uuid::from_slice(id).ok().map(PersonId)) else {
            return Proof::Nothing;
        };
        let step = at.timestamp().div_euclid(STEP_SECONDS);
        let begun = self.begun(person);
        let fits =
            |step: &i64| begun.as_ref().is_some_and(|mac| bool::from(sealed(mac.clone(), *step).ct_eq(seal)));
        let nearest = (2..=24 * 3600 / STEP_SECONDS).flat_map(|far| [step - far, step + far]).find(fits);
        let shown = nearest.and_then(|step| DateTime::from_timestamp(step * STEP_SECONDS, 0));
        shown.map_or(Proof::Nothing, |shown| Proof::At(person, shown))
    }

    fn begun(&self, person: PersonId) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length, so this is never none.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()).ok()?;
        mac.update(b"pass\0");
        mac.update(person.0.as_bytes());
        Some(mac)
    }

    fn seal(&self, person: PersonId, step: i64) -> Vec<u8> {
        // An empty seal matches nothing.
        self.begun(person).map(|mac| sealed(mac, step)).unwrap_or_default()
    }
}

fn sealed(mut mac: Hmac<Sha256>, step: i64) -> Vec<u8> {
    mac.update(&step.to_be_bytes());
    mac.finalize().into_bytes().iter().take(8).copied().collect()
}

/// What is kept of a code that names nobody: enough to find its repetitions, and not the code.
pub fn hash(code: &str) -> Vec<u8> {
    use sha2::Digest;
    Sha256::digest(code.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn passes() -> Passes {
        Passes::new("a secret of the test".to_owned().into())
    }

    #[test]
    fn a_code_is_good_for_its_own_step_and_its_neighbours() {
        let person = PersonId(Uuid::from_u128(7));
        let now = Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 10).unwrap();
        let (code, until) = passes().show(person, now);
        assert_eq!(code.len(), 32);
        assert_eq!(until, Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 30).unwrap());
        for (seconds, reading) in [
            (-41, Reading::Invalid),
            (-40, Reading::Valid(person)),
            (0, Reading::Valid(person)),
            (49, Reading::Valid(person)),
            (50, Reading::Expired(person)),
            (600, Reading::Expired(person)),
            (650, Reading::Invalid),
        ] {
            assert_eq!(passes().read(&code, now + TimeDelta::seconds(seconds)), reading, "{seconds} s later");
        }
    }

    #[test]
    fn nobody_else_makes_a_code() {
        let (person, now) =
            (PersonId(Uuid::from_u128(7)), Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 0).unwrap());
        let (code, _) = Passes::new("another secret".to_owned().into()).show(person, now);
        assert_eq!(passes().read(&code, now), Reading::Invalid);
    }

    #[test]
    fn a_code_proves_when_it_was_shown() {
        let person = PersonId(Uuid::from_u128(7));
        let shown = Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 10).unwrap();
        let step = Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 0).unwrap();
        let (code, _) = passes().show(person, shown);
        for (off, proof) in [
            (0, Proof::Fits(person)),
            (49, Proof::Fits(person)),
            (50, Proof::At(person, step)),
            (-41, Proof::At(person, step)),
            (86_000, Proof::At(person, step)),
            (-86_000, Proof::At(person, step)),
            (86_500, Proof::Nothing),
            (-86_500, Proof::Nothing),
        ] {
            assert_eq!(passes().prove(&code, shown + TimeDelta::seconds(off)), proof, "{off} s off");
        }
        assert_eq!(Passes::new("another".to_owned().into()).prove(&code, shown), Proof::Nothing);
        assert_eq!(passes().prove("AAAA", shown), Proof::Nothing);
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes(text in "\\PC{0,80}") {
            let now = Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 0).unwrap();
            prop_assert_eq!(passes().read(&text, now), Reading::Invalid);
        }
    }
}
