//! What a device takes along: who is expected at a session, so that it can say at once whether somebody is on the list.
//!
//! A lost phone must leak nothing, so the list has no ids and no numbers: each person is a hash of the id in their pass under a salt
//! of the list, with a masked name. The ids are random, so nobody finds them by trying. The device can tell who is on the list, not
//! whether a pass is genuine: the key to passes never leaves the server, which looks at every pass when the scans come in.
//!
//! The payload is a text that the device's key seals, so that a client checks the bytes it has and not its own rendering of them. The
//! list itself is not kept: its token says which device was given which session's list and until when.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::devices::{DeviceKeys, mac};
use crate::attendance::rules;
use crate::error::{Code, Error, Result};
use crate::ids::{DeviceId, PersonId, SessionId};
use crate::offering::model::{Activity, AttendanceRole, Session};

/// Bytes of a payload at most: 0.6 MB.
pub const BYTES: usize = 600_000;
/// A list is of no use after the door has closed; a little longer, for clocks that are off.
const AFTER_CLOSE: TimeDelta = TimeDelta::hours(1);

/// Which list a device scanned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The device.
    pub device: DeviceId,
    /// The session.
    pub session: SessionId,
    /// When it was given.
    pub issued_at: DateTime<Utc>,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

impl Token {
    /// The token of a list that is given now.
    pub fn new(device: DeviceId, session: &Session, now: DateTime<Utc>) -> Self {
        let expires_at = session.ends_at.and_utc() + rules::DOOR_CLOSES_AFTER + AFTER_CLOSE;
        Self { device, session: session.id, issued_at: now, expires_at }
    }

    fn body(&self) -> Vec<u8> {
        let mut body = self.device.0.as_bytes().to_vec();
        body.extend(self.session.0.as_bytes());
        body.extend(self.issued_at.timestamp().to_be_bytes());
        body.extend(self.expires_at.timestamp().to_be_bytes());
        body
    }

    /// As text.
    pub fn write(&self, keys: &DeviceKeys) -> String {
        let mut bytes = self.body();
        let seal = keys.seal("bundle", &[&bytes]);
        bytes.extend(seal.iter().take(16));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token; none that is not ours.
    pub fn read(keys: &DeviceKeys, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, seal) = bytes.split_at_checked(48)?;
        let ours = keys.seal("bundle", &[body]);
        if seal.len() != 16 || !bool::from(ours.get(..16)?.ct_eq(seal)) {
            return None;
        }
        let instant = |from: usize| {
            let bytes: [u8; 8] = body.get(from..from + 8)?.try_into().ok()?;
            DateTime::from_timestamp(i64::from_be_bytes(bytes), 0)
        };
        Some(Self {
            device: DeviceId(Uuid::from_slice(body.get(..16)?).ok()?),
            session: SessionId(Uuid::from_slice(body.get(16..32)?).ok()?),
            issued_at: instant(32)?,
            expires_at: instant(40)?,
        })
    }

    /// What hashes of this list are made under.
    pub fn salt(&self, keys: &DeviceKeys) -> [u8; 16] {
        let seal = keys.seal("bundle salt", &[&self.body()]);
        let mut salt = [0; 16];
        salt.iter_mut().zip(seal).for_each(|(to, from)| *to = from);
        salt
    }
}

/// What stands for a person in a list: the first twelve bytes of SHA-256 of the salt and the id in their pass.
pub fn key(salt: &[u8], person: PersonId) -> String {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(person.0.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize().into_iter().take(12).collect::<Vec<u8>>())
}

/// Somebody who is expected.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Who.
    pub person: PersonId,
    /// Masked.
    pub name: String,
    /// As what.
    pub role: AttendanceRole,
}

#[derive(Serialize)]
struct Payload<'a> {
    format: &'static str,
    token: String,
    salt: String,
    device_id: DeviceId,
    session_id: SessionId,
    title: &'a str,
    venue: &'a str,
    door_opens_at: DateTime<Utc>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    door_closes_at: DateTime<Utc>,
    capacity: i64,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Key, masked name, role; sorted by key, so that their order says nothing.
    people: Vec<(String, &'a str, AttendanceRole)>,
}

/// A list and its seal, in hexadecimal.
///
/// # Errors
/// 409 for a list of more than [`BYTES`].
pub fn write(
    keys: &DeviceKeys,
    token: &Token,
    session: &Session,
    activity: &Activity,
    expected: &[Expected],
) -> Result<(String, String)> {
    let salt = token.salt(keys);
    let mut people: Vec<(String, &str, AttendanceRole)> =
        expected.iter().map(|one| (key(&salt, one.person), one.name.as_str(), one.role)).collect();
    people.sort();
    let payload = Payload {
        format: "unionhall-bundle-1",
        token: token.write(keys),
        salt: URL_SAFE_NO_PAD.encode(salt),
        device_id: token.device,
        session_id: token.session,
        title: &activity.title,
        venue: &activity.venue,
        door_opens_at: session.starts_at.and_utc() - rules::DOOR_OPENS_BEFORE,
        starts_at: session.starts_at.and_utc(),
        ends_at: session.ends_at.and_utc(),
        door_closes_at: session.ends_at.and_utc() + rules::DOOR_CLOSES_AFTER,
        capacity: activity.capacity,
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        people,
    };
    let payload = serde_json::to_string(&payload).map_err(Error::internal)?;
    if payload.len() > BYTES {
        return Err(Error::new(Code::BundleTooLarge));
    }
    let signature = sign(&keys.of(token.device), payload.as_bytes());
    Ok((payload, signature))
}

/// What a device's key says of some bytes, in hexadecimal.
pub fn sign(key: &[u8; 32], bytes: &[u8]) -> String {
    hex::encode(mac(key, &[bytes]))
}

/// Whether `signature` is the device's over `bytes`.
pub fn is_signed(key: &[u8; 32], bytes: &[u8], signature: &str) -> bool {
    bool::from(sign(key, bytes).as_bytes().ct_eq(signature.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> DeviceKeys {
        DeviceKeys::new("a secret of the test".to_owned().into())
    }

    fn token() -> Token {
        Token {
            device: DeviceId(Uuid::from_u128(1)),
            session: SessionId(Uuid::from_u128(2)),
            issued_at: DateTime::from_timestamp(1_760_000_000, 0).unwrap(),
            expires_at: DateTime::from_timestamp(1_760_080_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_nobody_else_makes_one() {
        let text = token().write(&keys());
        assert_eq!(Token::read(&keys(), &text), Some(token()));
        let others = DeviceKeys::new("another secret".to_owned().into());
        assert_eq!(Token::read(&others, &text), None);
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character has bits that mean nothing.
            assert!(Token::read(&keys(), &changed).is_none_or(|read| read == token()), "{place}");
        }
    }

    // The reference vectors of docs/OFFLINE.md.
    #[test]
    fn the_vectors_of_the_documentation() {
        let key_of_device = [7_u8; 32];
        assert_eq!(
            sign(&key_of_device, b"unionhall"),
            "41d4c98f723bea6c9975e0ff5a9f81553efceb83d7d9d418f95a6c6fb2eed72d"
        );
        let salt: Vec<u8> = (0..16).collect();
        assert_eq!(super::key(&salt, PersonId(Uuid::from_u128(7))), "9l51Uv305boBJag1");
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes(text in "\\PC{0,120}") {
            prop_assert_eq!(Token::read(&keys(), &text), None);
        }
    }
}
