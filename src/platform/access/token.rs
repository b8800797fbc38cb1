//! Access tokens: short-lived JWTs, HMAC-SHA256, with a key id.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::clock::SharedClock;
use crate::error::{Code, Error, Result};
use crate::ids::{FamilyId, Ids, PersonId};

/// The type in the header, so that no other token of ours passes for an access token (RFC 9068).
const TYPE: &str = "at+jwt";

/// A signing key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// Names the key in a token's header.
    pub id: String,
    /// At least 32 bytes.
    pub secret: SecretString,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    sub: PersonId,
    fam: FamilyId,
    iat: i64,
    nbf: i64,
    exp: i64,
    #[serde(borrow)]
    jti: Cow<'a, str>,
}

/// A key, and the first part of every token that it signs: algorithm, type and key id. A token is read on every request, and
/// ours have one of a few first parts, byte for byte.
struct Key {
    head: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Key {
    fn new(key: &TokenKey) -> Result<(Header, Self)> {
        let header =
            Header { typ: Some(TYPE.into()), kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        let head = serde_json::to_vec(&header).map_err(Error::internal)?;
        let bytes = key.secret.expose_secret().as_bytes();
        let (encoding, decoding) = (EncodingKey::from_secret(bytes), DecodingKey::from_secret(bytes));
        Ok((header, Self { head: URL_SAFE_NO_PAD.encode(head), encoding, decoding }))
    }
}

/// What a valid token says.
#[derive(Debug, Clone, Copy)]
pub struct Verified {
    /// Who.
    pub person: PersonId,
    /// In which login.
    pub family: FamilyId,
}

/// Issues and verifies access tokens.
pub struct AccessTokens {
    keys: Vec<Key>,
    /// The header of new tokens, and the place of its key.
    active: Option<(Header, usize)>,
    issuer: String,
    audience: String,
    life: TimeDelta,
    clock: SharedClock,
    ids: Ids,
}

impl AccessTokens {
    /// `active` names the key that signs; the others still verify, so that keys can be changed without a logout.
    pub fn new(
        keys: &[TokenKey],
        active: &str,
        issuer: &str,
        audience: &str,
        life: TimeDelta,
        clock: SharedClock,
        ids: Ids,
    ) -> Result<Self> {
        let mut known = Vec::with_capacity(keys.len());
        let mut signing = None;
        for key in keys {
            let (header, made) = Key::new(key)?;
            if key.id == active {
                signing = Some((header, known.len()));
            }
            known.push(made);
        }
        Ok(Self {
            keys: known,
            active: signing,
            issuer: issuer.into(),
            audience: audience.into(),
            life,
            clock,
            ids,
        })
    }

    /// How long a token lasts.
    pub fn life(&self) -> TimeDelta {
        self.life
    }

    /// A token for `person` in the login `family`.
    pub fn issue(&self, person: PersonId, family: FamilyId) -> Result<String> {
        let now = self.clock.now().timestamp();
        let active = self.active.as_ref().and_then(|(header, place)| Some((header, self.keys.get(*place)?)));
        let (header, key) = active.ok_or_else(|| Error::internal("no active token key"))?;
        let claims = Claims {
            iss: Cow::from(&self.issuer),
            aud: Cow::from(&self.audience),
            sub: person,
            fam: family,
            iat: now,
            nbf: now,
            exp: now + self.life.num_seconds(),
            jti: Cow::from(hex::encode(self.ids.bytes::<16>())),
        };
        jsonwebtoken::encode(header, &claims, &key.encoding).map_err(Error::internal)
    }

    /// Reads a token: the algorithm is ours whatever its header says, and the key is one of ours.
    pub fn verify(&self, token: &str) -> Result<Verified> {
        self.read(token).unwrap_or_else(|| {
            Err(Error::new(Code::Unauthenticated).detail("令牌无效", "The access token is not valid"))
        })
    }

    /// None when it is not a token of ours, or not yet valid.
    fn read(&self, token: &str) -> Option<Result<Verified>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (head, payload) = message.split_once('.')?;
        let key = self.keys.iter().find(|key| key.head == head)?;
        crypto::verify(signature, message.as_bytes(), &key.decoding, Algorithm::HS256)
            .ok()
            .filter(|fits| *fits)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Claims<'_> = serde_json::from_slice(&payload).ok()?;
        // The library would read the machine's clock; ours is injected.
        let now = self.clock.now().timestamp();
        if claims.iss != self.issuer || claims.aud != self.audience || claims.nbf > now + 5 {
            return None;
        }
        if claims.exp <= now {
            return Some(Err(Error::new(Code::TokenExpired)));
        }
        Some(Ok(Verified { person: claims.sub, family: claims.fam }))
    }
}
