//! The XML that WeChat pushes where its console is set so: elements in elements, texts plain or in CDATA, no attributes. Anything else is
//! refused: a reader that knows no entity and no doctype has nothing to be attacked by.

use serde_json::{Map, Value};

/// Elements in elements at most.
const DEPTH: usize = 5;
/// Elements at most.
const ELEMENTS: usize = 500;

/// What stands in the one outer element; of elements with one name the last.
pub(super) fn read(text: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader { rest: text.trim(), elements: 0 };
    let (_, value) = reader.element(0)?;
    match value {
        Value::Object(fields) if reader.rest.trim().is_empty() => Some(fields),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn element(&mut self, depth: usize) -> Option<(&'a str, Value)> {
        self.elements += 1;
        if depth > DEPTH || self.elements > ELEMENTS {
            return None;
        }
        let (name, rest) = self.rest.strip_prefix('<')?.split_once('>')?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        self.rest = rest;
        let value = self.content(depth)?;
        self.rest = self.rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        Some((name, value))
    }

    /// Elements, or a text.
    fn content(&mut self, depth: usize) -> Option<Value> {
        let mut text = String::new();
        let mut fields = Map::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
                let (inside, rest) = rest.split_once("]]>")?;
                text.push_str(inside);
                self.rest = rest;
            } else if self.rest.starts_with("</") {
                let blank = text.trim().is_empty();
                return match fields.is_empty() {
                    true => Some(Value::String(if blank { String::new() } else { text })),
                    false => blank.then_some(Value::Object(fields)),
                };
            } else if self.rest.starts_with('<') {
                let (name, value) = self.element(depth + 1)?;
                fields.insert(name.to_owned(), value);
            } else {
                let (plain, rest) = self.rest.split_at(self.rest.find('<')?);
                text.push_str(&unescaped(plain)?);
                self.rest = rest;
            }
        }
    }
}

/// A plain text without its five entities; none where there is another.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        plain.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn elements_texts_and_cdata_are_read() {
        let text = "<xml>\n<A><![CDATA[x<y]]></A><B>1 &lt; 2</B><C></C>\n<D><e>5</e><f>six</f></D></xml>\n";
        let expected = json!({ "A": "x<y", "B": "1 < 2", "C": "", "D": { "e": "5", "f": "six" } });
        assert_eq!(read(text).map(Value::Object), Some(expected));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "<xml>",
            "<xml></lmx>",
            "<xml>text</xml>",
            "<xml><A>1</B></xml>",
            "<xml><A>&xxe;</A></xml>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><xml><A>1</A></xml>",
            "<xml a=\"1\"><A>1</A></xml>",
            "<xml><A>1</A></xml><xml><A>1</A></xml>",
            "<xml>text<A>1</A></xml>",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&("<a>".repeat(100_000) + &"</a>".repeat(100_000))), None, "deep ones end early");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>/&;a-c\\[\\]!CDAT ]{0,120}") {
            let _ = read(&text);
        }
    }
}
