//! Whole contents, sealed as fields are: the same keys and ciphers, bound to column and row, without base64.
//!
//! `uhv1 ‖ length of the key id (1 byte) ‖ key id ‖ nonce ‖ cipher text ‖ tag`.

use super::keyring::{NONCE, TAG, is_key_id};
use super::{Field, Vault, VaultError, bound};

const MAGIC: &[u8] = b"uhv1";

impl Vault {
    /// The id of the key that seals now.
    pub fn active_key(&self) -> &str {
        &self.keyring.active().id
    }

    /// Seals `plain` under the active key for this column of the row whose id has the bytes `row`.
    ///
    /// # Errors
    /// [`VaultError::TooLong`].
    pub fn seal_bytes(&self, field: Field, row: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = self.keyring.active();
        let nonce = self.ids.bytes::<NONCE>();
        let length = u8::try_from(key.id.len()).map_err(|_| VaultError::Malformed)?;
        let head = [MAGIC, &[length], key.id.as_bytes(), &nonce].concat();
        // One buffer, in which the content is encrypted where it lies.
        let mut sealed = Vec::with_capacity(head.len() + plain.len() + TAG);
        sealed.extend_from_slice(&head);
        sealed.extend_from_slice(plain);
        let body = sealed.get_mut(head.len()..).ok_or(VaultError::Malformed)?;
        let tag = key
            .cipher
            .encrypt(key.bytes(), &nonce, &bound(&key.id, field, row), body)
            .ok_or(VaultError::TooLong)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what [`Vault::seal_bytes`] made for this column and row, under whichever key it names.
    ///
    /// # Errors
    /// [`VaultError::Malformed`], [`VaultError::UnknownKey`] or [`VaultError::Tampered`].
    pub fn open_bytes(&self, field: Field, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let split = || {
            let (length, rest) = sealed.strip_prefix(MAGIC)?.split_first()?;
            let (id, rest) = rest.split_at_checked(usize::from(*length))?;
            let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
            let (body, tag) = rest.split_last_chunk::<TAG>()?;
            let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id))?;
            Some((id, nonce, body, tag))
        };
        let (id, nonce, body, tag) = split().ok_or(VaultError::Malformed)?;
        let key = self.keyring.key(id).ok_or_else(|| VaultError::UnknownKey(id.to_owned()))?;
        let mut body = body.to_vec();
        key.cipher
            .decrypt(key.bytes(), nonce, &bound(id, field, row), &mut body, tag)
            .ok_or(VaultError::Tampered)?;
        Ok(body)
    }
}
