//! What WeChat pushes to us: who sent it, and what it says.
//!
//! A push carries no login. It is WeChat's where its signature says so: over the body in secure mode, over a token alone in plain mode, where
//! whoever has seen one push could make another; so plain mode is taken only where no key is configured.

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::alphabet;
use base64::engine::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::content::Verdict;
use super::reply;
use super::xml;

/// Bytes of a pushed body at most. Real ones are under four kilobytes.
pub const BODY_LIMIT: usize = 64 * 1024;
/// Signs of a key as the console shows it.
const KEY_SIGNS: usize = 43;
/// WeChat pads to this, whatever the cipher's block.
const PAD: usize = 32;
/// Random bytes before the length.
const SALT: usize = 16;

/// What stands in the address of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushQuery {
    /// Over token, time and nonce.
    pub signature: String,
    /// When, in seconds.
    pub timestamp: String,
    /// Random.
    pub nonce: String,
    /// To be given back, of a verification.
    pub echostr: String,
    /// `aes` in secure mode.
    pub encrypt_type: String,
    /// Over token, time, nonce and the sealed body.
    pub msg_signature: String,
}

impl PushQuery {
    /// Reads a query, whatever else stands in it.
    pub fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "signature" => &mut read.signature,
                "timestamp" => &mut read.timestamp,
                "nonce" => &mut read.nonce,
                "echostr" => &mut read.echostr,
                "encrypt_type" => &mut read.encrypt_type,
                "msg_signature" => &mut read.msg_signature,
                _ => continue,
            };
            *place = value.into_owned();
        }
        read
    }
}

/// Why a push is not taken. Says nothing of what would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushFault {
    /// The signature is not WeChat's, or the body is not for us.
    #[error("the push is not signed as WeChat does")]
    Forged,
    /// It is signed, and cannot be read.
    #[error("the push cannot be read: {0}")]
    Malformed(&'static str),
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// What became of a picture that was asked about.
    Media(MediaResult),
    /// Something that nobody here waits for.
    Other,
}

/// What became of a picture that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaResult {
    /// Which asking it answers.
    pub trace_id: String,
    /// The verdict; none where WeChat could not look at it (−1008: it could not fetch it).
    pub verdict: Option<Verdict>,
}

/// What pushes are checked and opened with.
#[derive(Clone)]
pub struct PushKeys {
    appid: String,
    token: SecretString,
    key: Option<Zeroizing<[u8; 32]>>,
}

impl PushKeys {
    /// Keys as the console shows them; none where `aes_key` is no key. An empty one is plain mode.
    pub fn new(appid: impl Into<String>, token: SecretString, aes_key: &SecretString) -> Option<Self> {
        let key = match aes_key.expose_secret() {
            "" => None,
            text => Some(Zeroizing::new(key_of(text)?)),
        };
        Some(Self { appid: appid.into(), token, key })
    }

    /// What a verification is answered with.
    ///
    /// # Errors
    /// [`PushFault::Forged`].
    pub fn verify(&self, query: &PushQuery) -> Result<String, PushFault> {
        self.signed(&query.signature, &[&query.timestamp, &query.nonce])?;
        Ok(query.echostr.clone())
    }

    /// What a push says.
    ///
    /// # Errors
    /// [`PushFault`].
    pub fn open(&self, query: &PushQuery, body: &[u8]) -> Result<Pushed, PushFault> {
        let Some(key) = &self.key else {
            self.signed(&query.signature, &[&query.timestamp, &query.nonce])?;
            return event(&fields(body)?);
        };
        // Whatever stands beside the sealed part (compatible mode) is not signed, and not read.
        let outer = fields(body).map_err(|_| PushFault::Forged)?;
        let sealed = outer.get("Encrypt").and_then(Value::as_str).ok_or(PushFault::Forged)?;
        self.signed(&query.msg_signature, &[&query.timestamp, &query.nonce, sealed])?;
        let plain = unseal(key, &self.appid, sealed).ok_or(PushFault::Forged)?;
        event(&fields(&plain)?)
    }

    fn signed(&self, signature: &str, parts: &[&str]) -> Result<(), PushFault> {
        let expected = signature_of(self.token.expose_secret(), parts);
        let same = expected.as_bytes().ct_eq(signature.as_bytes());
        if bool::from(same) { Ok(()) } else { Err(PushFault::Forged) }
    }
}

/// The signature over `token` and `parts`, as WeChat makes it.
pub fn signature_of(token: &str, parts: &[&str]) -> String {
    let mut all: Vec<&str> = std::iter::once(token).chain(parts.iter().copied()).collect();
    all.sort_unstable();
    hex::encode(Sha1::digest(all.concat().as_bytes()))
}

/// The key behind its 43 signs. The last sign has bits that say nothing and need not be zero.
pub fn key_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != KEY_SIGNS {
        return None;
    }
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(format!("{text}=")).ok()?;
    bytes.try_into().ok()
}

/// What a JSON or XML body says; which it is, its first sign tells.
fn fields(body: &[u8]) -> Result<Map<String, Value>, PushFault> {
    let text = std::str::from_utf8(body).map_err(|_| PushFault::Malformed("it is not UTF-8"))?.trim();
    if text.starts_with('<') {
        return xml::read(text).ok_or(PushFault::Malformed("it is not XML as WeChat writes it"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(PushFault::Malformed("it is not a JSON object")),
    }
}

fn event(fields: &Map<String, Value>) -> Result<Pushed, PushFault> {
    if fields.get("Event").and_then(Value::as_str) != Some("wxa_media_check") {
        return Ok(Pushed::Other);
    }
    let trace_id = fields.get("trace_id").and_then(Value::as_str).unwrap_or_default();
    if trace_id.is_empty() || trace_id.len() > 100 {
        return Err(PushFault::Malformed("it has no trace_id"));
    }
    let failed = fields.get("errcode").and_then(reply::integer).unwrap_or(0) != 0;
    let verdict = Verdict::read(fields).filter(|_| !failed);
    Ok(Pushed::Media(MediaResult { trace_id: trace_id.to_owned(), verdict }))
}

/// Opens what is sealed under `key` for `appid`: salt, length, message, appid, padding.
fn unseal(key: &[u8; 32], appid: &str, sealed: &str) -> Option<Vec<u8>> {
    let sealed = STANDARD.decode(sealed).ok()?;
    let plain = cbc_open(key, &sealed)?;
    let pad = usize::from(*plain.last()?);
    if !(1..=PAD).contains(&pad) {
        return None;
    }
    let (plain, padding) = plain.split_at_checked(plain.len().checked_sub(pad)?)?;
    if padding.iter().any(|byte| usize::from(*byte) != pad) {
        return None;
    }
    let (_, rest) = plain.split_at_checked(SALT)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (message, whose) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (whose == appid.as_bytes()).then(|| message.to_vec())
}

/// Seals `message` as WeChat does; for its simulator.
pub fn seal(key: &[u8; 32], appid: &str, salt: [u8; SALT], message: &[u8]) -> Option<String> {
    let mut plain = salt.to_vec();
    plain.extend(u32::try_from(message.len()).ok()?.to_be_bytes());
    plain.extend(message);
    plain.extend(appid.as_bytes());
    let pad = PAD - plain.len() % PAD;
    plain.resize(plain.len() + pad, u8::try_from(pad).ok()?);
    Some(STANDARD.encode(cbc_seal(key, &plain)?))
}

/// AES-256 in the mode CBC, whose first vector is the head of the key.
fn cbc_open(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let (blocks, rest) = sealed.as_chunks::<16>();
    if blocks.is_empty() || !rest.is_empty() {
        return None;
    }
    let cipher = Aes256::new_from_slice(key).ok()?;
    let mut before: [u8; 16] = *key.first_chunk()?;
    let mut plain = Vec::with_capacity(sealed.len());
    for sealed in blocks {
        let mut block = Block::<Aes256>::from(*sealed);
        cipher.decrypt_block(&mut block);
        plain.extend(block.iter().zip(before).map(|(byte, mask)| byte ^ mask));
        before = *sealed;
    }
    Some(plain)
}

fn cbc_seal(key: &[u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
    let (blocks, rest) = plain.as_chunks::<16>();
    if !rest.is_empty() {
        return None;
    }
    let cipher = Aes256::new_from_slice(key).ok()?;
    let mut before: [u8; 16] = *key.first_chunk()?;
    let mut sealed = Vec::with_capacity(plain.len());
    for plain in blocks {
        let mut mixed = *plain;
        for (byte, mask) in mixed.iter_mut().zip(before) {
            *byte ^= mask;
        }
        let mut block = Block::<Aes256>::from(mixed);
        cipher.encrypt_block(&mut block);
        sealed.extend(block.iter());
        for (place, byte) in before.iter_mut().zip(block.iter()) {
            *place = *byte;
        }
    }
    Some(sealed)
}

#[cfg(test)]
mod tests;
