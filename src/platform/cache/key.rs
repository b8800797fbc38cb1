//! Typed keys: one constructor per use, so that two uses never share a key by accident.

use sha2::{Digest, Sha256};

/// What a value or a count is kept under.
///
/// Names (of a scope, a list, a kind of record) stay readable for whoever looks into Redis; they are words
/// of the code. Whatever comes from outside is hashed, so that no address, id or search text can be read
/// there, and so that no such text can reach into another key. The hash is not keyed: it hides a subject
/// from a reader, not from someone who can list and hash every possible subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The count of what `subject` (an address, a person, a device) did in `scope`.
    pub fn rate(scope: &str, subject: &str) -> Key {
        Key::hashed("rate", scope, subject)
    }

    /// The access token of the mini-program `appid`. An app id is public.
    pub fn wechat_token(appid: &str) -> Key {
        Key(format!("wechat-token:{appid}"))
    }

    /// The answer of the list `name` to the query, filters and viewer that make up `fingerprint`.
    pub fn list(name: &str, fingerprint: &str) -> Key {
        Key::hashed("list", name, fingerprint)
    }

    /// One record of the kind `name`, such as a person's profile, by its `id`.
    pub fn record(name: &str, id: &str) -> Key {
        Key::hashed("record", name, id)
    }

    /// The name goes into the hash, so that one subject looks different in every scope.
    fn hashed(kind: &str, name: &str, subject: &str) -> Key {
        let digest = Sha256::digest(format!("{kind}\0{name}\0{subject}"));
        let mut hash = hex::encode(digest);
        hash.truncate(32);
        Key(format!("{kind}:{name}:{hash}"))
    }

    /// The key without the prefix of the installation.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_not_readable_and_differs_by_scope() {
        let key = Key::rate("login", "203.0.113.7");
        assert!(key.as_str().starts_with("rate:login:"));
        assert_eq!(key.as_str().len(), "rate:login:".len() + 32);
        assert!(!key.as_str().contains("203.0.113.7"));
        let elsewhere = Key::rate("scan", "203.0.113.7");
        assert_ne!(key.as_str().rsplit(':').next(), elsewhere.as_str().rsplit(':').next());
        assert_eq!(key, Key::rate("login", "203.0.113.7"));
    }

    #[test]
    fn no_subject_reaches_into_another_key() {
        assert_ne!(Key::list("a", "b:c"), Key::list("a:b", "c"));
        assert_ne!(Key::list("people", "x"), Key::record("people", "x"));
    }
}
