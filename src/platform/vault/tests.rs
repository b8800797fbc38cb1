use chrono::{TimeZone, Utc};
use proptest::prelude::*;

use super::*;
use crate::clock::ManualClock;
use crate::ids::{Entropy, SeededEntropy};

const PHONE: Field = Field("people.phone");
const OTHER: Field = Field("people.phone2");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const INDEX: &str = "fedcba9876543210fedcba9876543210";

fn ids(entropy: impl Entropy + 'static) -> Ids {
    let start = Utc.with_ymd_and_hms(2025, 1, 1, 0, 0, 0).unwrap();
    Ids::new(Arc::new(ManualClock::at(start)), Arc::new(entropy))
}

/// Keys `k1` and `k2` for AES, `g1` for SM4.
fn vault(active: &str) -> Vault {
    let key = |id: &str, cipher| KeyConfig { id: id.to_owned(), cipher, secret: SECRET.into() };
    let keys = vec![key("k1", Cipher::Aes256Gcm), key("k2", Cipher::Aes256Gcm), key("g1", Cipher::Sm4Gcm)];
    Vault::new(Keyring::new(keys, active, INDEX.into()).unwrap(), ids(SeededEntropy::new(7)))
}

fn opened(vault: &Vault, field: Field, row: &[u8], sealed: &str) -> Result<String, VaultError> {
    vault.open(field, row, sealed).map(|plain| plain.expose_secret().to_owned())
}

/// Texts made by another implementation of the format (nonce 00 01 … 0b), so that the format and the derivation
/// of keys cannot change unnoticed: stored data must stay readable.
#[test]
fn the_format_is_fixed() {
    struct Counting;
    impl Entropy for Counting {
        fn fill(&self, into: &mut [u8]) {
            into.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
        }
    }
    for (active, sealed) in [
        ("k1", "v1.k1.AAECAwQFBgcICQoLMVL129S07WM9WQRqr8hivhFXG22o843siw_a"),
        ("g1", "v1.g1.AAECAwQFBgcICQoLF8RLCw_1VXDyaZxR1NUGTI_6F6RNzo0jA2-E"),
    ] {
        let vault = Vault { ids: ids(Counting), ..vault(active) };
        assert_eq!(vault.seal(PHONE, b"row-1", "13812345678").unwrap(), sealed);
        assert_eq!(opened(&vault, PHONE, b"row-1", sealed).unwrap(), "13812345678");
    }
    let index = vault("k1").blind_index(PHONE, "138 1234 5678");
    assert_eq!(hex::encode(index), "46b0834992ab606e85670331bea3b2de77e0d82680ad8f57f112a2f708f38210");
}

#[test]
fn a_text_opens_only_in_its_row_and_column() {
    for active in ["k1", "g1"] {
        let vault = vault(active);
        let sealed = vault.seal(PHONE, b"row-1", "13812345678").unwrap();
        assert_eq!(opened(&vault, PHONE, b"row-2", &sealed), Err(VaultError::Tampered));
        assert_eq!(opened(&vault, OTHER, b"row-1", &sealed), Err(VaultError::Tampered));
        // A sign moved from the row into the column's name gives the same letters, but another binding.
        assert_eq!(
            opened(&vault, OTHER, b"row-1", &vault.seal(PHONE, b"2row-1", "1").unwrap()),
            Err(VaultError::Tampered)
        );
    }
}

#[test]
fn another_key_id_is_noticed() {
    let vault = vault("k1");
    let sealed = vault.seal(PHONE, b"row", "13812345678").unwrap();
    for id in ["k2", "g1"] {
        let swapped = sealed.replace(".k1.", &format!(".{id}."));
        assert_eq!(opened(&vault, PHONE, b"row", &swapped), Err(VaultError::Tampered));
    }
    let unknown = sealed.replace(".k1.", ".k9.");
    assert_eq!(opened(&vault, PHONE, b"row", &unknown), Err(VaultError::UnknownKey("k9".to_owned())));
}

#[test]
fn what_is_not_sealed_is_malformed_and_not_repeated() {
    let vault = vault("k1");
    for text in [
        "",
        "13812345678",
        "v1",
        "v1.",
        "v1.k1",
        "v1.k1.",
        "v2.k1.AAAA",
        "v1.K1.AAAA",
        "v1..AAAA",
        "v1.k1.A=",
        "v1.k1.张",
    ] {
        let error = opened(&vault, PHONE, b"row", text).unwrap_err();
        assert_eq!(error, VaultError::Malformed, "{text}");
        assert!(vault.needs_rotation(text) || text.starts_with("v1.k1."), "{text}");
    }
    let sealed = vault.seal(PHONE, b"row", "").unwrap();
    assert_eq!(opened(&vault, PHONE, b"row", &format!("{sealed}.AA")), Err(VaultError::Malformed));
    assert_eq!(opened(&vault, PHONE, b"row", &format!("{sealed}==")), Err(VaultError::Malformed));
}

#[test]
fn every_changed_bit_and_every_cut_is_noticed() {
    let vault = vault("g1");
    let sealed = vault.seal(PHONE, b"row", "张三").unwrap();
    let (head, body) = sealed.rsplit_once('.').unwrap();
    let packed = URL_SAFE_NO_PAD.decode(body).unwrap();
    let with = |bytes: &[u8]| format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes));
    assert_eq!(opened(&vault, PHONE, b"row", &with(&packed)).unwrap(), "张三");
    for bit in 0..packed.len() * 8 {
        let mut changed = packed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened(&vault, PHONE, b"row", &with(&changed)), Err(VaultError::Tampered), "bit {bit}");
    }
    for length in 0..packed.len() {
        let expected = if length < NONCE + TAG { VaultError::Malformed } else { VaultError::Tampered };
        assert_eq!(opened(&vault, PHONE, b"row", &with(&packed[..length])), Err(expected), "{length} bytes");
    }
    for length in 0..sealed.len() {
        let error = opened(&vault, PHONE, b"row", &sealed[..length]).unwrap_err();
        assert!(matches!(error, VaultError::Malformed | VaultError::Tampered), "{length} signs");
    }
}

#[test]
fn one_text_sealed_twice_differs() {
    let vault = vault("k1");
    let one = vault.seal(PHONE, b"row", "13812345678").unwrap();
    let two = vault.clone().seal(PHONE, b"row", "13812345678").unwrap();
    assert_ne!(one, two);
    assert!(!one.contains("13812345678"));
}

#[test]
fn old_keys_open_until_everything_is_resealed() {
    let old = vault("k1").seal(PHONE, b"row", "13812345678").unwrap();
    for (active, prefix) in [("k2", "v1.k2."), ("g1", "v1.g1.")] {
        let vault = vault(active);
        assert_eq!(vault.active_prefix(), prefix);
        assert!(vault.needs_rotation(&old));
        assert_eq!(opened(&vault, PHONE, b"row", &old).unwrap(), "13812345678");

        let new = vault.reseal(PHONE, b"row", &old).unwrap().unwrap();
        assert!(new.starts_with(prefix) && !vault.needs_rotation(&new));
        assert_eq!(opened(&vault, PHONE, b"row", &new).unwrap(), "13812345678");
        assert_eq!(vault.reseal(PHONE, b"row", &new), Ok(None));
        assert_eq!(vault.reseal(PHONE, b"elsewhere", &old), Err(VaultError::Tampered));
    }
}

#[test]
fn bytes_open_only_in_their_row_and_every_change_is_noticed() {
    for active in ["k1", "g1"] {
        let vault = vault(active);
        let sealed = vault.seal_bytes(PHONE, b"row", b"content").unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"content"));
        assert_eq!(vault.open_bytes(PHONE, b"row", &sealed).unwrap(), b"content");
        for (field, row) in [(PHONE, &b"other"[..]), (OTHER, b"row")] {
            assert_eq!(vault.open_bytes(field, row, &sealed), Err(VaultError::Tampered));
        }
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(vault.open_bytes(PHONE, b"row", &changed).is_err(), "byte {place}");
            assert!(vault.open_bytes(PHONE, b"row", &sealed[..place]).is_err(), "{place} bytes");
        }
    }
    // An old key opens what it sealed; a text's seal is no bytes' seal.
    let sealed = vault("k1").seal_bytes(PHONE, b"row", b"").unwrap();
    assert_eq!(vault("g1").open_bytes(PHONE, b"row", &sealed).unwrap(), b"");
    assert_eq!(vault("k1").active_key(), "k1");
}

#[test]
fn a_key_with_another_secret_does_not_open() {
    let key = KeyConfig { id: "k1".to_owned(), cipher: Cipher::Aes256Gcm, secret: INDEX.into() };
    let stranger =
        Vault::new(Keyring::new(vec![key], "k1", INDEX.into()).unwrap(), ids(SeededEntropy::new(7)));
    let sealed = vault("k1").seal(PHONE, b"row", "13812345678").unwrap();
    assert_eq!(opened(&stranger, PHONE, b"row", &sealed), Err(VaultError::Tampered));
}

#[test]
fn the_index_depends_on_value_column_and_index_secret_only() {
    let index = vault("k1").blind_index(PHONE, "１３８ 12345678");
    assert_eq!(index.len(), 32);
    assert_eq!(index, vault("g1").blind_index(PHONE, "13812345678"), "it does not rotate");
    assert_ne!(index, vault("k1").blind_index(PHONE, "13812345679"));
    assert_ne!(index, vault("k1").blind_index(OTHER, "13812345678"));
    // A sign moved from the value into the column's name.
    assert_ne!(vault("k1").blind_index(OTHER, "1"), vault("k1").blind_index(PHONE, "21"));
    let key = KeyConfig { id: "k1".to_owned(), cipher: Cipher::Aes256Gcm, secret: SECRET.into() };
    let other = Vault::new(Keyring::new(vec![key], "k1", SECRET.into()).unwrap(), ids(SeededEntropy::new(7)));
    assert_ne!(index, other.blind_index(PHONE, "13812345678"));
}

#[test]
fn debug_shows_neither_secret_nor_text() {
    let vault = vault("k1");
    let sealed = vault.seal(PHONE, b"row", "13812345678").unwrap();
    let shown = format!("{vault:?} {:?}", vault.open(PHONE, b"row", &sealed));
    assert!(shown.contains("k1"));
    for secret in [SECRET, INDEX, "13812345678"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn every_text_survives(plain in any::<String>(), row in any::<Vec<u8>>(), sm4: bool) {
        let vault = vault(if sm4 { "g1" } else { "k1" });
        let sealed = vault.seal(PHONE, &row, &plain).unwrap();
        prop_assert_eq!(opened(&vault, PHONE, &row, &sealed), Ok(plain));
    }

    #[test]
    fn no_text_panics(text in any::<String>(), id in "[a-z0-9.-]{0,20}", body in "[A-Za-z0-9_=-]{0,80}") {
        let vault = vault("k1");
        prop_assert!(vault.open(PHONE, b"row", &text).is_err());
        let sealed = format!("v1.{id}.{body}");
        prop_assert!(vault.open(PHONE, b"row", &sealed).is_err());
        prop_assert_eq!(vault.blind_index(PHONE, &text).len(), 32);
    }
}
