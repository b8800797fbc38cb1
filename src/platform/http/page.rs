//! Lists, a page at a time.
//!
//! A cursor is the sort key of the last item seen, sealed with a keyed hash so that nobody can make one up, and
//! bound to the list and its filters. Every list orders by a unique key, so a page neither repeats nor skips.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::{IntoParams, ToSchema};

use crate::error::{Code, Error, Result};

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    #[schema(max_items = 100)]
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// Where in a list to read.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Items on the page.
    pub fn limit(&self) -> i64 {
        self.limit.unwrap_or(20).clamp(1, 100)
    }
}

/// Seals and opens cursors.
#[derive(Clone)]
pub struct Cursors {
    secret: SecretString,
}

impl Cursors {
    /// Cursors under `secret`.
    pub fn new(secret: SecretString) -> Self {
        Self { secret }
    }

    fn seal(&self, list: &str, body: &[u8]) -> Vec<u8> {
        // HMAC takes a key of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()) else {
            return Vec::new();
        };
        mac.update(b"cursor\0");
        mac.update(list.as_bytes());
        mac.update(b"\0");
        mac.update(body);
        mac.finalize().into_bytes().iter().take(12).copied().collect()
    }

    /// Opens the cursor of `query`, if it has one. `list` names the list and its filters.
    pub fn open<K: DeserializeOwned>(&self, list: &str, query: &PageQuery) -> Result<Option<K>> {
        let Some(text) = &query.cursor else { return Ok(None) };
        let invalid = || Error::new(Code::CursorInvalid);
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let (seal, body) = bytes.split_at_checked(12).ok_or_else(invalid)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(self.seal(list, body).as_slice(), seal)) {
            return Err(invalid());
        }
        serde_json::from_slice(body).map(Some).map_err(|_| invalid())
    }

    /// Makes a page of `rows`, which were read with one more than the limit; `key` is an item's sort key.
    pub fn page<T, K: Serialize>(
        &self,
        list: &str,
        query: &PageQuery,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Page<T>> {
        let limit = usize::try_from(query.limit()).unwrap_or(20);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = match rows.last() {
            Some(last) if more => {
                let body = serde_json::to_vec(&key(last)).map_err(Error::internal)?;
                let mut bytes = self.seal(list, &body);
                bytes.extend_from_slice(&body);
                Some(URL_SAFE_NO_PAD.encode(bytes))
            }
            _ => None,
        };
        Ok(Page { items: rows, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_for_its_own_list_only() {
        let cursors = Cursors::new("a secret of the test".to_owned().into());
        let query = PageQuery { limit: Some(2), cursor: None };
        let page = cursors.page("list?kind=a", &query, vec![1, 2, 3], |n| *n).unwrap();
        assert_eq!(page.items, [1, 2]);
        let next = PageQuery { limit: Some(2), cursor: page.next };
        assert_eq!(cursors.open::<i32>("list?kind=a", &next).unwrap(), Some(2));
        assert_eq!(cursors.open::<i32>("list?kind=b", &next).unwrap_err().code(), Code::CursorInvalid);
        let forged = PageQuery { limit: None, cursor: Some("AAAA".into()) };
        assert_eq!(cursors.open::<i32>("list?kind=a", &forged).unwrap_err().code(), Code::CursorInvalid);
    }

    #[test]
    fn the_last_page_has_no_next() {
        let cursors = Cursors::new("a secret of the test".to_owned().into());
        let query = PageQuery { limit: Some(3), cursor: None };
        assert_eq!(cursors.page("l", &query, vec![1, 2, 3], |n| *n).unwrap().next, None);
    }
}
