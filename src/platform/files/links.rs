//! Links that open one file for one person for minutes: `wx.previewImage` and `wx.openDocument` send no headers.
//!
//! A link says which file, whose login and until when, under an HMAC. It gives no right: whoever's login it names is looked up when it
//! is used, and must still be allowed to read the file.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::ids::{FamilyId, FileId, PersonId};

/// How long a link may be good at most.
pub const LONGEST: TimeDelta = TimeDelta::minutes(5);
/// How long a link of the content check is good: WeChat fetches a picture when its turn comes, and says so within half an hour.
pub const CHECK: TimeDelta = TimeDelta::minutes(30);
/// Bytes before the seal of a link of the content check: file, seconds.
const CHECK_BODY: usize = 16 + 8;
/// Bytes before the seal: file, person, login, seconds.
const BODY: usize = 16 * 3 + 8;

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Which file.
    pub file: FileId,
    /// For whom.
    pub person: PersonId,
    /// In which login of theirs.
    pub family: FamilyId,
}

/// Makes and reads links.
#[derive(Clone)]
pub struct Links {
    secret: SecretString,
    life: TimeDelta,
}

impl Links {
    /// Links under `secret`, good for `life`, which is five minutes at most.
    pub fn new(secret: SecretString, life: TimeDelta) -> Self {
        Self { secret, life: life.min(LONGEST) }
    }

    /// The token of `link` at `now`, and until when it is good.
    pub fn show(&self, link: Link, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let until = now + self.life;
        let mut bytes = [link.file.0, link.person.0, link.family.0].map(Uuid::into_bytes).concat();
        bytes.extend(until.timestamp().to_be_bytes());
        bytes.extend(self.seal(&bytes));
        (URL_SAFE_NO_PAD.encode(bytes), DateTime::from_timestamp(until.timestamp(), 0).unwrap_or(until))
    }

    /// What `token` says at `now`; none for one that is forged or over.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Option<Link> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, seal) = bytes.split_at_checked(BODY)?;
        if !bool::from(self.seal(body).ct_eq(seal)) {
            return None;
        }
        let (ids, until) = body.split_last_chunk::<8>()?;
        let until = i64::from_be_bytes(*until);
        // A clock that was set back makes no link last longer.
        let fresh = (now.timestamp()..=(now + LONGEST).timestamp()).contains(&until);
        let mut ids = ids.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok());
        let (file, person, family) = (ids.next()?, ids.next()?, ids.next()?);
        fresh.then_some(Link { file: FileId(file), person: PersonId(person), family: FamilyId(family) })
    }

    /// The token of a link that opens `file` for the content check, whoever has it.
    pub fn show_check(&self, file: FileId, now: DateTime<Utc>) -> String {
        let until = (now + CHECK).timestamp();
        let mut bytes = file.0.into_bytes().to_vec();
        bytes.extend(until.to_be_bytes());
        bytes.extend(self.sealed(b"file check\0", &bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The file that a link of the content check opens at `now`; none for one that is forged or over.
    pub fn read_check(&self, token: &str, now: DateTime<Utc>) -> Option<FileId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, seal) = bytes.split_at_checked(CHECK_BODY)?;
        if !bool::from(self.sealed(b"file check\0", body).ct_eq(seal)) {
            return None;
        }
        let (id, until) = body.split_last_chunk::<8>()?;
        let fresh = (now.timestamp()..=(now + CHECK).timestamp()).contains(&i64::from_be_bytes(*until));
        Some(FileId(Uuid::from_slice(id).ok()?)).filter(|_| fresh)
    }

    fn seal(&self, body: &[u8]) -> Vec<u8> {
        self.sealed(b"file link\0", body)
    }

    fn sealed(&self, what: &[u8], body: &[u8]) -> Vec<u8> {
        // HMAC takes a key of any length, so this cannot fail; an empty seal matches nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()) else {
            return Vec::new();
        };
        mac.update(what);
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn links(secret: &str) -> Links {
        Links::new(secret.to_owned().into(), TimeDelta::hours(1))
    }

    fn link() -> Link {
        let id = Uuid::from_u128;
        Link { file: FileId(id(1)), person: PersonId(id(2)), family: FamilyId(id(3)) }
    }

    #[test]
    fn a_link_is_good_for_five_minutes_whatever_the_setting_and_for_nobody_else() {
        let now = Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 0).unwrap();
        let (token, until) = links("a").show(link(), now);
        assert_eq!((token.len(), until), (118, now + LONGEST));
        for (seconds, good) in [(0, true), (300, true), (301, false), (-1, false)] {
            let read = links("a").read(&token, now + TimeDelta::seconds(seconds));
            assert_eq!(read, good.then_some(link()), "{seconds} s later");
        }
        assert_eq!(links("b").read(&token, now), None);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(links("a").read(&URL_SAFE_NO_PAD.encode(changed), now), None, "byte {place}");
            assert_eq!(links("a").read(&URL_SAFE_NO_PAD.encode(&bytes[..place]), now), None);
        }
    }

    #[test]
    fn a_link_of_the_content_check_is_another_kind_and_ends_too() {
        let now = Utc.with_ymd_and_hms(2025, 5, 1, 9, 0, 0).unwrap();
        let token = links("a").show_check(link().file, now);
        assert_eq!(token.len(), 75);
        for (seconds, good) in [(0, true), (1800, true), (1801, false), (-1, false)] {
            let read = links("a").read_check(&token, now + TimeDelta::seconds(seconds));
            assert_eq!(read, good.then_some(link().file), "{seconds} s later");
        }
        assert_eq!(links("b").read_check(&token, now), None);
        assert_eq!(links("a").read(&token, now), None, "it is no link of a person");
        assert_eq!(
            links("a").read_check(&links("a").show(link(), now).0, now),
            None,
            "nor the other way round"
        );
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(links("a").read_check(&URL_SAFE_NO_PAD.encode(changed), now), None, "byte {place}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes(text in "\\PC{0,200}") {
            prop_assert_eq!(links("a").read(&text, DateTime::UNIX_EPOCH), None);
            prop_assert_eq!(links("a").read_check(&text, DateTime::UNIX_EPOCH), None);
        }
    }
}
