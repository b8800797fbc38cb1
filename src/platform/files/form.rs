//! The form that a file comes in: `multipart/form-data` (RFC 7578) with one part `file` and one part `class`.
//!
//! Strict on purpose. A form is written by a program (`wx.uploadFile`), never by hand, so that whatever is unusual is refused.

use actix_web::web::Bytes;
use memchr::memmem;

use super::classes::FileClass;
use crate::error::{Code, Error, Fault, Result, Text};

/// Bytes that a form may have beside its file.
pub const OVERHEAD: usize = 16 * 1024;
/// Bytes of a part's head at most.
const HEAD: usize = 4 * 1024;
/// Lines of a part's head at most.
const LINES: usize = 8;
/// Parts at most; two are right, and a third is named in the refusal.
const PARTS: usize = 4;
/// Signs of a file's name that are kept.
const NAME: usize = 120;

/// A form that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What the file is for.
    pub class: FileClass,
    /// Its content.
    pub file: Bytes,
    /// Its name on the uploader's device, made harmless. Never a path, never believed.
    pub name: String,
}

struct Part {
    name: String,
    file_name: Option<String>,
    content: Bytes,
}

fn malformed(why: &'static str) -> Error {
    Error::new(Code::BadRequest).detail("表单有误", format!("The form is malformed: {why}"))
}

/// The boundary in a `Content-Type`, or a refusal of any other type.
pub fn boundary(content_type: Option<&str>) -> Result<String> {
    let mut pieces = content_type.unwrap_or_default().split(';').map(str::trim);
    if !pieces.next().is_some_and(|essence| essence.eq_ignore_ascii_case("multipart/form-data")) {
        return Err(Error::new(Code::UnsupportedMediaType)
            .detail("此处接受：multipart/form-data", "Here it must be multipart/form-data"));
    }
    let mut found = pieces
        .filter_map(|piece| piece.split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let (Some((_, text)), None) = (found.next(), found.next()) else {
        return Err(malformed("one boundary is needed"));
    };
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    if !(1..=70).contains(&text.len()) || !text.bytes().all(fine) {
        return Err(malformed("its boundary is not one"));
    }
    Ok(text.to_owned())
}

/// Reads a whole form.
///
/// # Errors
/// 400 for what is no form; 422 that names every wrong part.
pub fn read(boundary: &str, body: &Bytes) -> Result<Form> {
    let (mut file, mut class, mut faults) = (None, None, Vec::new());
    let mut fault = |name: &str, code, zh: &'static str, en: &'static str| {
        faults.push(Fault::new(format!("/{name}"), code, Text::new(zh, en)));
    };
    for part in parts(boundary, body)? {
        match part.name.as_str() {
            "file" if file.is_some() => {
                fault("file", "duplicate", "每次只能上传一个文件", "one file a request")
            }
            "file" => file = Some((part.content, clean(part.file_name.as_deref().unwrap_or_default()))),
            "class" if class.is_some() => fault("class", "duplicate", "只能出现一次", "only once"),
            "class" => class = Some(part.content),
            other => fault(other, "unknown", "没有这个字段", "there is no such field"),
        }
    }
    let known = class.as_ref().and_then(|class| std::str::from_utf8(class).ok()?.parse::<FileClass>().ok());
    match (&class, known) {
        (None, _) => fault("class", "required", "必填", "required"),
        (Some(_), None) => fault(
            "class",
            "enum",
            "只能是：evidence, photo, document",
            "must be one of: evidence, photo, document",
        ),
        (Some(_), Some(_)) => {}
    }
    if file.is_none() {
        fault("file", "required", "必填", "required");
    }
    match (file, known) {
        (Some((file, name)), Some(class)) if faults.is_empty() => Ok(Form { class, file, name }),
        _ => Err(Error::invalid(faults)),
    }
}

fn parts(boundary: &str, body: &Bytes) -> Result<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // The first delimiter stands at the beginning, without the line's end before it.
    if !body.starts_with(delimiter.trim_start().as_bytes()) {
        return Err(malformed("it does not begin with its boundary"));
    }
    let mut at = delimiter.len() - 2;
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if let Some(end) = rest.strip_prefix(b"--") {
            let fine = end.is_empty() || end == b"\r\n";
            return if fine { Ok(parts) } else { Err(malformed("something follows its end")) };
        }
        if parts.len() == PARTS {
            return Err(malformed("it has too many parts"));
        }
        let head = rest.strip_prefix(b"\r\n").ok_or_else(|| malformed("a boundary is not one"))?;
        let most = head.get(..head.len().min(HEAD)).unwrap_or_default();
        let length = memmem::find(most, b"\r\n\r\n")
            .ok_or_else(|| malformed("a part has no head, or one too long"))?;
        let (name, file_name) = disposition(head.get(..length).unwrap_or_default())?;
        let start = at + 2 + length + 4;
        // The delimiter of an empty part begins with the line's end that ends the head.
        let from = start - 2;
        let found = finder.find(body.get(from..).unwrap_or_default()).map(|place| from + place);
        let end = found.ok_or_else(|| malformed("it ends too early"))?;
        let content = body.slice(start.min(end)..end.max(start.min(end)));
        parts.push(Part { name, file_name, content });
        at = end + delimiter.len();
    }
}

/// The names in a part's head.
fn disposition(head: &[u8]) -> Result<(String, Option<String>)> {
    let head = String::from_utf8_lossy(head);
    let mut found = None;
    for (number, line) in head.split("\r\n").enumerate() {
        if number == LINES || line.contains(['\r', '\n', '\0']) {
            return Err(malformed("a part's head is not in order"));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a part's head is not in order"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if found.is_none() => found = Some(value.to_owned()),
            "content-disposition" => return Err(malformed("a part has two names")),
            "content-transfer-encoding"
                if !["binary", "8bit", "7bit"].contains(&value.to_ascii_lowercase().as_str()) =>
            {
                return Err(malformed("a part is coded"));
            }
            _ => {}
        }
    }
    let value = found.ok_or_else(|| malformed("a part has no name"))?;
    let rest = value.strip_prefix("form-data").ok_or_else(|| malformed("a part is no form's"))?;
    let (mut name, mut file_name) = (None, None);
    for (key, value) in parameters(rest)? {
        let slot = match key.as_str() {
            "name" => &mut name,
            "filename" => &mut file_name,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err(malformed("a part has two names"));
        }
    }
    let name = name
        .filter(|name| name.len() <= 60 && !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
    Ok((name.ok_or_else(|| malformed("a part has no name"))?, file_name))
}

/// `; key=value; key="value"`.
fn parameters(text: &str) -> Result<Vec<(String, String)>> {
    let broken = || malformed("a part's name is not one");
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        rest = rest.strip_prefix(';').ok_or_else(broken)?.trim_start();
        let (key, tail) = rest.split_once('=').ok_or_else(broken)?;
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => unquoted(quoted).ok_or_else(broken)?,
            None => {
                let end = tail.find(';').unwrap_or(tail.len());
                let (value, tail) = tail.split_at_checked(end).ok_or_else(broken)?;
                (value.trim_end().to_owned(), tail)
            }
        };
        found.push((key.trim().to_ascii_lowercase(), value));
        rest = tail.trim_start();
    }
    Ok(found)
}

/// What stands before the closing quotation mark, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((place, sign)) = signs.next() {
        match sign {
            '"' => return Some((value, text.get(place + 1..)?)),
            '\\' if text.get(place + 1..)?.starts_with(['"', '\\']) => value.push(signs.next()?.1),
            _ => value.push(sign),
        }
    }
    None
}

/// The last piece of a path, without signs that are not seen or turn the direction of reading.
fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen = last.chars().filter(|sign| !sign.is_control() && !is_unseen(*sign)).take(NAME);
    seen.collect::<String>().trim_matches([' ', '.']).to_owned()
}

fn is_unseen(sign: char) -> bool {
    matches!(sign,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(parts: &[(&str, &str)]) -> Bytes {
        let mut body = String::new();
        for (head, content) in parts {
            body += &format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
        }
        (body + "--b--\r\n").into()
    }

    #[test]
    fn a_form_is_read_in_either_order() {
        let (file, class) = (("name=\"file\"; filename=\"张 三.pdf\"", "a\r\n--c"), ("name=class", "photo"));
        for parts in [[file, class], [class, file]] {
            let read = read("b", &form(&parts)).unwrap();
            let file = Bytes::from_static(b"a\r\n--c");
            assert_eq!(read, Form { class: FileClass::Photo, file, name: "张 三.pdf".into() });
        }
        let empty = read("b", &form(&[("name=\"file\"", ""), class])).unwrap();
        assert!(empty.file.is_empty() && empty.name.is_empty());
    }

    #[test]
    fn every_wrong_part_is_named() {
        let faults = |parts: &[(&str, &str)]| {
            let error = read("b", &form(parts)).unwrap_err();
            error.inner().faults.iter().map(|f| format!("{} {}", f.pointer, f.code)).collect::<Vec<_>>()
        };
        assert_eq!(faults(&[]), ["/class required", "/file required"]);
        let file = ("name=\"file\"", "x");
        assert_eq!(faults(&[file, file, ("name=class", "selfie")]), ["/file duplicate", "/class enum"]);
        assert_eq!(faults(&[file, ("name=\"Class\"", "photo")]), ["/Class unknown", "/class required"]);
    }

    #[test]
    fn names_are_made_harmless() {
        for (sent, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\zhang\\a.jpg", "a.jpg"),
            ("..", ""),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("a\u{0}\u{7f}\tb.png", "ab.png"),
        ] {
            assert_eq!(clean(sent), kept, "{sent:?}");
        }
        assert_eq!(clean(&"长".repeat(500)).chars().count(), NAME);
    }

    #[test]
    fn boundaries_are_those_of_the_standard() {
        assert!(boundary(Some("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"")).is_err());
        assert_eq!(boundary(Some("multipart/form-data; boundary=\"ab\"")).unwrap(), "ab");
        for wrong in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=a; boundary=b",
        ] {
            assert_eq!(boundary(Some(wrong)).unwrap_err().code(), Code::BadRequest, "{wrong}");
        }
        for other in [None, Some("application/json"), Some("multipart/mixed; boundary=a")] {
            assert_eq!(boundary(other).unwrap_err().code(), Code::UnsupportedMediaType);
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in any::<Vec<u8>>(), text in "(--b|\r\n|--|:|;|=|\"|name|form-data|Content-Disposition|x){0,40}") {
            let _ = read("b", &Bytes::from(body));
            let _ = read("b", &Bytes::from(format!("--b\r\n{text}")));
        }
    }
}
