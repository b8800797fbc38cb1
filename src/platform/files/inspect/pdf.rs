//! PDF (ISO 32000): from its header to its last end mark, without what acts by itself.

use memchr::memmem;

use super::Refusal;

/// Where the end mark must stand, from the end on.
const TAIL: usize = 1024;
/// Names of what acts or hides something. They may lie compressed, where nobody looks; viewers in the mini-program run nothing.
const ACTIVE: &[&[u8]] = &[b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/RichMedia"];

/// Looks at header, end and names.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let version = bytes.get(5..8).unwrap_or_default();
    if !matches!(version, [b'1' | b'2', b'.', digit] if digit.is_ascii_digit()) {
        return Err(Refusal::Broken("its header names no version"));
    }
    let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
    let end = memmem::rfind(tail, b"%%EOF").ok_or(Refusal::Broken("it ends too early"))?;
    if memmem::rfind(tail.get(..end).unwrap_or_default(), b"startxref").is_none() {
        return Err(Refusal::Broken("it does not say where its parts are"));
    }
    let behind = tail.get(end + 5..).unwrap_or_default();
    if !behind.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
        return Err(Refusal::Mixed("something follows its end"));
    }
    let spelt = plain_names(bytes);
    if ACTIVE.iter().any(|name| memmem::find(&spelt, name).is_some()) {
        return Err(Refusal::Mixed("it acts by itself, or holds another file"));
    }
    Ok(())
}

/// The bytes with `#4a` in names spelt out, since `/J#61vaScript` is `/JavaScript`.
fn plain_names(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let coded = tail.get(..2).filter(|_| first == b'#').and_then(|two| hex::decode(two).ok());
        rest = if coded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        match coded {
            Some(byte) => plain.extend(byte),
            None => plain.push(first),
        }
    }
    plain
}
