//! The keys of the vault: configuration, derivation, and the two ciphers.

use std::collections::BTreeMap;
use std::sync::Arc;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AeadInOut, Aes256Gcm, AesGcm, KeyInit};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// SM4 in Galois/counter mode as RFC 8998 defines it.
type Sm4Gcm = AesGcm<sm4::Sm4, U12>;

/// Fewest bytes of a configured secret.
pub const SECRET_MIN_BYTES: usize = 32;
/// Bytes of a nonce.
pub(super) const NONCE: usize = 12;
/// Bytes of an authentication tag.
pub(super) const TAG: usize = 16;

const ID_MAX_BYTES: usize = 16;
const DATA_LABEL: &[u8] = b"unionhall vault v1 data key";
const INDEX_LABEL: &[u8] = b"unionhall vault v1 index key";

/// The cipher that a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Cipher {
    /// AES with a 256-bit key in Galois/counter mode (NIST SP 800-38D).
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
    /// SM4 (GB/T 32907, 128-bit key) in Galois/counter mode (RFC 8998), where national ciphers are required.
    #[serde(rename = "sm4-gcm")]
    Sm4Gcm,
}

impl Cipher {
    /// The name used in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::Sm4Gcm => "sm4-gcm",
        }
    }

    /// Encrypts `body` in place and returns the tag. `None` only for a body that exceeds the 64 GiB of the mode.
    pub(super) fn encrypt(
        self,
        key: &[u8; 32],
        nonce: &[u8; NONCE],
        bound: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; TAG]> {
        match self {
            Self::Aes256Gcm => encrypt_with::<Aes256Gcm>(key, nonce, bound, body),
            Self::Sm4Gcm => encrypt_with::<Sm4Gcm>(key, nonce, bound, body),
        }
    }

    /// Decrypts `body` in place. `None` when the tag does not fit; then `body` is as it was.
    pub(super) fn decrypt(
        self,
        key: &[u8; 32],
        nonce: &[u8; NONCE],
        bound: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG],
    ) -> Option<()> {
        match self {
            Self::Aes256Gcm => decrypt_with::<Aes256Gcm>(key, nonce, bound, body, tag),
            Self::Sm4Gcm => decrypt_with::<Sm4Gcm>(key, nonce, bound, body, tag),
        }
    }
}

/// The cipher keyed with as many leading bytes of `key` as it takes. Made for one call, so that what stays in
/// memory is only the [`DataKey`], which is wiped.
fn keyed<C: KeyInit>(key: &[u8; 32]) -> Option<C> {
    C::new_from_slice(key.get(..C::key_size())?).ok()
}

fn encrypt_with<C>(key: &[u8; 32], nonce: &[u8; NONCE], bound: &[u8], body: &mut [u8]) -> Option<[u8; TAG]>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit,
{
    let tag = keyed::<C>(key)?.encrypt_inout_detached(&(*nonce).into(), bound, body.into()).ok()?;
    Some(tag.into())
}

fn decrypt_with<C>(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    bound: &[u8],
    body: &mut [u8],
    tag: &[u8; TAG],
) -> Option<()>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit,
{
    keyed::<C>(key)?.decrypt_inout_detached(&(*nonce).into(), bound, body.into(), &(*tag).into()).ok()
}

/// One key as configured.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Written into every text sealed with this key, so it stays for as long as such texts exist.
    /// 1 to 16 of `a-z`, `0-9` and `-`.
    pub id: String,
    /// The cipher this key is for. Moving from one cipher to the other is a rotation like any other.
    pub cipher: Cipher,
    /// Random text of at least 32 bytes, such as 48 random bytes in base64.
    ///
    /// The key itself is derived from it (HMAC-SHA256 over a label, the cipher and the id, cut to the size
    /// the cipher takes), so that a secret may have any form and length, and two keys differ even where
    /// somebody gave them the same secret. This does not make a guessable text strong: it must be random.
    pub secret: SecretString,
}

/// One fault in the configuration of the keys. Positions count from 1; texts that may be a misplaced secret
/// are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The id has another form.
    #[error("key {0}: the id must be 1 to 16 of a-z, 0-9 and -")]
    BadId(usize),
    /// An earlier key has this id.
    #[error("key {0}: an earlier key has the same id")]
    DuplicateId(usize),
    /// The secret is too short.
    #[error("key {0}: the secret must have at least {SECRET_MIN_BYTES} bytes")]
    ShortSecret(usize),
    /// The secret of the blind index is too short.
    #[error("the index secret must have at least {SECRET_MIN_BYTES} bytes")]
    ShortIndexSecret,
    /// The active id is the id of no key.
    #[error("the active key is not among the keys")]
    UnknownActive,
}

/// Everything that is wrong with the configured keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the vault's keys are unusable: {}", .faults.iter().map(KeyFault::to_string).collect::<Vec<_>>().join("; "))]
pub struct KeyringError {
    /// The faults, in the order of the configuration.
    pub faults: Vec<KeyFault>,
}

/// A derived key. The bytes are wiped when it is dropped, and `Debug` does not show them.
#[derive(Debug)]
pub(super) struct DataKey {
    pub id: String,
    pub cipher: Cipher,
    bytes: SecretBox<[u8; 32]>,
}

impl DataKey {
    fn derive(config: &KeyConfig) -> Self {
        let parts = [DATA_LABEL, config.cipher.name().as_bytes(), config.id.as_bytes()];
        Self { id: config.id.clone(), cipher: config.cipher, bytes: derive(&config.secret, &parts) }
    }

    pub fn bytes(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }
}

/// The keys that open, the one that seals, and the key of the blind index.
#[derive(Debug)]
pub struct Keyring {
    keys: BTreeMap<String, Arc<DataKey>>,
    active: Arc<DataKey>,
    index: SecretBox<[u8; 32]>,
}

impl Keyring {
    /// Derives the keys. `active` is the id of the key that seals; all of them open.
    ///
    /// # Errors
    /// All faults of the configuration together.
    pub fn new(keys: Vec<KeyConfig>, active: &str, index_secret: SecretString) -> Result<Self, KeyringError> {
        let mut faults = Vec::new();
        let mut derived = BTreeMap::new();
        for (config, position) in keys.iter().zip(1..) {
            if !is_key_id(&config.id) {
                faults.push(KeyFault::BadId(position));
            }
            if config.secret.expose_secret().len() < SECRET_MIN_BYTES {
                faults.push(KeyFault::ShortSecret(position));
            }
            if derived.insert(config.id.clone(), Arc::new(DataKey::derive(config))).is_some() {
                faults.push(KeyFault::DuplicateId(position));
            }
        }
        if index_secret.expose_secret().len() < SECRET_MIN_BYTES {
            faults.push(KeyFault::ShortIndexSecret);
        }
        match derived.get(active).map(Arc::clone) {
            Some(active) if faults.is_empty() => {
                Ok(Self { keys: derived, active, index: derive(&index_secret, &[INDEX_LABEL]) })
            }
            found => {
                if found.is_none() {
                    faults.push(KeyFault::UnknownActive);
                }
                Err(KeyringError { faults })
            }
        }
    }

    pub(super) fn active(&self) -> &DataKey {
        &self.active
    }

    pub(super) fn key(&self, id: &str) -> Option<&DataKey> {
        self.keys.get(id).map(Arc::as_ref)
    }

    pub(super) fn index_key(&self) -> &[u8; 32] {
        self.index.expose_secret()
    }
}

/// Whether `text` has the form of a key id.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=ID_MAX_BYTES).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Hands over each part preceded by its length (8 bytes, big-endian), so that no two lists of parts give the
/// same bytes.
pub(super) fn frame(parts: &[&[u8]], mut take: impl FnMut(&[u8])) {
    for part in parts {
        take(&(part.len() as u64).to_be_bytes());
        take(part);
    }
}

/// HMAC-SHA256 over the framed parts.
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(super) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length");
    frame(parts, |bytes| mac.update(bytes));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn derive(secret: &SecretString, parts: &[&[u8]]) -> SecretBox<[u8; 32]> {
    SecretBox::init_with_mut(|key: &mut [u8; 32]| {
        key.copy_from_slice(keyed_hash(secret.expose_secret().as_bytes(), parts).as_slice());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn check(cipher: Cipher, key: &[u8; 32], [nonce, bound, plain, sealed, tag]: [&str; 5]) {
        let (nonce, bound, tag) = (unhex(nonce), hex::decode(bound).unwrap(), unhex(tag));
        let (plain, sealed) = (hex::decode(plain).unwrap(), hex::decode(sealed).unwrap());
        let mut body = plain.clone();
        assert_eq!(cipher.encrypt(key, &nonce, &bound, &mut body), Some(tag));
        assert_eq!(body, sealed);
        assert_eq!(cipher.decrypt(key, &nonce, &bound, &mut body, &tag), Some(()));
        assert_eq!(body, plain);

        let mut body = sealed.clone();
        assert_eq!(cipher.decrypt(key, &nonce, b"other", &mut body, &tag), None);
        assert_eq!(body, sealed, "a refused body is not decrypted");
    }

    /// Test case 16 of the GCM specification submitted to NIST (McGrew and Viega).
    #[test]
    fn aes_256_gcm_gives_the_published_vector() {
        let key = unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        check(
            Cipher::Aes256Gcm,
            &key,
            [
                "cafebabefacedbaddecaf888",
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b",
            ],
        );
    }

    /// RFC 8998, appendix A.1. The cipher takes the first half of the 32 bytes.
    #[test]
    fn sm4_gcm_gives_the_published_vector() {
        let key = unhex("0123456789abcdeffedcba9876543210aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        check(
            Cipher::Sm4Gcm,
            &key,
            [
                "00001234567800000000abcd",
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\
                 eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
                "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
                 d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
                "83de3541e4c2b58177e065a9bf7b62ec",
            ],
        );
    }

    fn config(id: &str, secret: &str) -> KeyConfig {
        KeyConfig { id: id.to_owned(), cipher: Cipher::Aes256Gcm, secret: secret.into() }
    }

    const GOOD: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn all_faults_are_reported_together_and_no_text_is_repeated() {
        let keys =
            vec![config("k1", GOOD), config("K 2!hunter", "hunter2"), config("k1", GOOD), config("", GOOD)];
        let error = Keyring::new(keys, "hunter3", "hunter4".into()).unwrap_err();
        let expected = [
            KeyFault::BadId(2),
            KeyFault::ShortSecret(2),
            KeyFault::DuplicateId(3),
            KeyFault::BadId(4),
            KeyFault::ShortIndexSecret,
            KeyFault::UnknownActive,
        ];
        assert_eq!(error.faults, expected);
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
    }

    #[test]
    fn an_id_may_have_sixteen_signs_and_no_more() {
        assert!(
            Keyring::new(vec![config("2025-aes-primary", GOOD)], "2025-aes-primary", GOOD.into()).is_ok()
        );
        let error = Keyring::new(vec![config("2025-aes-primary1", GOOD)], "2025-aes-primary1", GOOD.into());
        assert_eq!(error.unwrap_err().faults, [KeyFault::BadId(1)]);
    }

    #[test]
    fn one_secret_gives_different_keys_under_different_ids_and_ciphers() {
        let aes = DataKey::derive(&config("k1", GOOD));
        let other_id = DataKey::derive(&config("k2", GOOD));
        let sm4 = DataKey::derive(&KeyConfig { cipher: Cipher::Sm4Gcm, ..config("k1", GOOD) });
        assert_ne!(aes.bytes(), other_id.bytes());
        assert_ne!(aes.bytes()[..16], sm4.bytes()[..16]);
    }

    #[test]
    fn configuration_names_the_ciphers_and_debug_hides_the_keys() {
        let text = format!(r#"{{"id": "k1", "cipher": "sm4-gcm", "secret": "{GOOD}"}}"#);
        let config: KeyConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(config.cipher, Cipher::Sm4Gcm);
        for cipher in [Cipher::Aes256Gcm, Cipher::Sm4Gcm] {
            assert_eq!(serde_json::to_value(cipher).unwrap(), cipher.name());
        }
        let key = DataKey::derive(&config);
        let bytes = format!("{:?}", key.bytes());
        let shown = format!("{config:?} {key:?} {:?}", Keyring::new(vec![config.clone()], "k1", GOOD.into()));
        assert!(shown.contains("k1") && !shown.contains(GOOD) && !shown.contains(&bytes), "{shown}");
    }
}
