//! JSON as the contract means it: no key twice, and 1.0 is the integer 1.
//!
//! RFC 8259 leaves open which of two equal keys counts, so a proxy, a log and this server could each read another
//! request; and JSON Schema calls 1.0 an integer where Rust's types do not.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Integers up to here are exact as floating-point numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads one JSON text. Deeper than 128 levels is refused.
pub fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice::<Strict>(bytes).map(|strict| strict.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole, and inside the range where f64 is exact")]
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let whole = value.fract() == 0.0 && value.abs() <= EXACT;
        Ok(if whole { Value::from(value as i64) } else { value.into() })
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a key comes twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_are_integers_however_they_are_written() {
        let text = br#"[1, 1.0, 1e3, -0.0, 1.5, 9007199254740993.0, 1e300, 18446744073709551615]"#;
        let expected =
            json!([1, 1, 1000, 0, 1.5, 9_007_199_254_740_992_i64, 1e300, 18_446_744_073_709_551_615_u64]);
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn the_same_key_twice_is_refused_at_any_depth_and_however_it_is_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(read(br#"[{"a":null},{"a":"x"}]"#).unwrap(), json!([{ "a": null }, { "a": "x" }]));
    }

    #[test]
    fn what_serde_json_refuses_is_refused() {
        let deep = "[".repeat(100_000);
        for text in ["", "{} {}", "[1,]", "1e400", "\"\\ud800\"", deep.as_str()] {
            assert!(read(text.as_bytes()).is_err(), "{}", text.get(..8).unwrap_or(text));
        }
    }
}
