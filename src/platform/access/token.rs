//! Access tokens: short-lived JWTs, HMAC-SHA256, with a key id.

use std::collections::HashMap;

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
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
struct Claims {
    iss: String,
    aud: String,
    sub: PersonId,
    fam: FamilyId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
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
    keys: HashMap<String, (EncodingKey, DecodingKey)>,
    active: String,
    issuer: String,
    audience: String,
    rules: Validation,
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
    ) -> Self {
        let keys = keys
            .iter()
            .map(|key| {
                let bytes = key.secret.expose_secret().as_bytes();
                (key.id.clone(), (EncodingKey::from_secret(bytes), DecodingKey::from_secret(bytes)))
            })
            .collect();
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The library reads the machine's clock; ours is injected.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        Self {
            rules,
            keys,
            active: active.into(),
            issuer: issuer.into(),
            audience: audience.into(),
            life,
            clock,
            ids,
        }
    }

    /// How long a token lasts.
    pub fn life(&self) -> TimeDelta {
        self.life
    }

    /// A token for `person` in the login `family`.
    pub fn issue(&self, person: PersonId, family: FamilyId) -> Result<String> {
        let now = self.clock.now().timestamp();
        let (encoding, _) =
            self.keys.get(&self.active).ok_or_else(|| Error::internal("no active token key"))?;
        let header = Header {
            typ: Some(TYPE.into()),
            kid: Some(self.active.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: person,
            fam: family,
            iat: now,
            nbf: now,
            exp: now + self.life.num_seconds(),
            jti: hex::encode(self.ids.bytes::<16>()),
        };
        jsonwebtoken::encode(&header, &claims, encoding).map_err(Error::internal)
    }

    /// Reads a token: the algorithm is ours whatever the header says, and the key is one of ours by its id.
    pub fn verify(&self, token: &str) -> Result<Verified> {
        let refuse = || Error::new(Code::Unauthenticated).detail("令牌无效", "The access token is not valid");
        let header = jsonwebtoken::decode_header(token).map_err(|_| refuse())?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(refuse());
        }
        let (_, decoding) = header.kid.as_deref().and_then(|kid| self.keys.get(kid)).ok_or_else(refuse)?;
        let claims =
            jsonwebtoken::decode::<Claims>(token, decoding, &self.rules).map_err(|_| refuse())?.claims;
        let now = self.clock.now().timestamp();
        if claims.nbf > now + 5 {
            return Err(refuse());
        }
        if claims.exp <= now {
            return Err(Error::new(Code::TokenExpired));
        }
        Ok(Verified { person: claims.sub, family: claims.fam })
    }
}
