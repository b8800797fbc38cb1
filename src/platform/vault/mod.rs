//! The vault: fields that must not lie readable in the database.
//!
//! A sealed field is the text `v1.<key id>.<base64url(nonce ‖ cipher text ‖ tag)>`. Version, key id, column and
//! row are bound to it: a value copied into another row or column does not open there. The key id in the text
//! lets old keys open while the active one seals, so keys rotate without a stop; [`Vault::reseal`] is the step
//! that a rotation repeats for every field.
//!
//! What is not hidden: the length of the text, and, through [`Vault::blind_index`], which rows hold the same
//! value. A nonce is 96 random bits, so one key should seal no more than 2³² values (NIST SP 800-38D, 8.3);
//! rotate long before.

mod bytes;
pub mod keyring;
pub mod mask;
mod normal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

use crate::ids::Ids;
use keyring::{NONCE, TAG, frame, is_key_id, keyed_hash};

pub use keyring::{Cipher, KeyConfig, KeyFault, Keyring, KeyringError};
pub use normal::normalise;

const VERSION: &str = "v1";

/// What stands in a sealed column in place of what was erased, where it may not be empty. It opens as nothing, and no key changes it.
pub const ERASED: &str = "erased";

/// A column that holds sealed text, as `table.column`.
///
/// The name is bound to every value: renaming a column means opening and sealing all of it, or keeping the old
/// name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub &'static str);

/// Why a text was not sealed or opened. Never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Sealed under a key that is not configured (any more).
    #[error("sealed under the key `{0}`, which is not configured")]
    UnknownKey(String),
    /// Not the form of a sealed text.
    #[error("not a sealed text")]
    Malformed,
    /// Sealed for another row or column, under another secret, or changed since.
    #[error("a sealed text that does not belong here, or was changed")]
    Tampered,
    /// Longer than the cipher can seal at once (64 GiB).
    #[error("too long to seal")]
    TooLong,
}

/// Seals and opens fields. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    keyring: Arc<Keyring>,
    ids: Ids,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("active", &self.keyring.active().id).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault with these keys; nonces come from `ids`.
    pub fn new(keyring: Keyring, ids: Ids) -> Self {
        Self { keyring: Arc::new(keyring), ids }
    }

    /// Seals `plain` under the active key for this column of the row whose id has the bytes `row`.
    ///
    /// # Errors
    /// [`VaultError::TooLong`].
    pub fn seal(&self, field: Field, row: &[u8], plain: &str) -> Result<String, VaultError> {
        let key = self.keyring.active();
        let nonce = self.ids.bytes::<NONCE>();
        // Wiped until it is encrypted, in case the cipher refuses it.
        let mut body = Zeroizing::new(plain.as_bytes().to_vec());
        let tag = key
            .cipher
            .encrypt(key.bytes(), &nonce, &bound(&key.id, field, row), &mut body)
            .ok_or(VaultError::TooLong)?;
        let packed = [nonce.as_slice(), body.as_slice(), tag.as_slice()].concat();
        Ok(format!("{VERSION}.{}.{}", key.id, URL_SAFE_NO_PAD.encode(packed)))
    }

    /// Opens a text that [`Vault::seal`] made for this column and row, under whichever key it names. What was [`ERASED`] is nothing.
    ///
    /// # Errors
    /// [`VaultError::Malformed`], [`VaultError::UnknownKey`] or [`VaultError::Tampered`].
    pub fn open(&self, field: Field, row: &[u8], sealed: &str) -> Result<SecretString, VaultError> {
        if sealed == ERASED {
            return Ok(String::new().into());
        }
        let (id, packed) = split(sealed).ok_or(VaultError::Malformed)?;
        let packed = URL_SAFE_NO_PAD.decode(packed).map_err(|_| VaultError::Malformed)?;
        let (nonce, rest) = packed.split_first_chunk::<NONCE>().ok_or(VaultError::Malformed)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(VaultError::Malformed)?;
        let key = self.keyring.key(id).ok_or_else(|| VaultError::UnknownKey(id.to_owned()))?;
        // A copy of exactly this length, so that the secret below takes it over without leaving another copy.
        let mut body = body.to_vec();
        key.cipher
            .decrypt(key.bytes(), nonce, &bound(id, field, row), &mut body, tag)
            .ok_or(VaultError::Tampered)?;
        match String::from_utf8(body) {
            Ok(plain) => Ok(plain.into()),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(VaultError::Tampered)
            }
        }
    }

    /// Whether a stored text is to be sealed again: it is not under the active key. True for a malformed text
    /// too, so that a rotation comes across it and reports it.
    pub fn needs_rotation(&self, sealed: &str) -> bool {
        sealed != ERASED && split(sealed).is_none_or(|(id, _)| id != self.keyring.active().id)
    }

    /// The same value under the active key, or `None` if it is under it already (then it is not opened).
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn reseal(&self, field: Field, row: &[u8], sealed: &str) -> Result<Option<String>, VaultError> {
        if !self.needs_rotation(sealed) {
            return Ok(None);
        }
        let plain = self.open(field, row, sealed)?;
        self.seal(field, row, plain.expose_secret()).map(Some)
    }

    /// How every text under the active key begins, such as `v1.k2.`. A rotation selects what is `NOT LIKE` this
    /// and `%`; it holds no wildcard itself.
    pub fn active_prefix(&self) -> String {
        format!("{VERSION}.{}.", self.keyring.active().id)
    }

    /// 32 bytes that are the same for the same value of the same column, to find a sealed value by.
    ///
    /// The value is [normalised](normalise) first. The index has a key of its own, which does not rotate with
    /// the data keys: the index cannot be computed again without opening every row, and searches would miss
    /// rows meanwhile. Changing the index secret therefore means rebuilding every index column. Keep it from
    /// whoever can read the database: phone and ID numbers are few enough to try them all.
    pub fn blind_index(&self, field: Field, plain: &str) -> Vec<u8> {
        let value = normalise(plain);
        keyed_hash(self.keyring.index_key(), &[field.0.as_bytes(), value.as_bytes()]).to_vec()
    }
}

/// The bytes that a sealed text is bound to.
fn bound(key_id: &str, field: Field, row: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&[VERSION.as_bytes(), key_id.as_bytes(), field.0.as_bytes(), row], |part| {
        bytes.extend_from_slice(part)
    });
    bytes
}

/// Key id and base64 of a sealed text.
fn split(sealed: &str) -> Option<(&str, &str)> {
    let (id, packed) = sealed.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
    is_key_id(id).then_some((id, packed))
}
