//! JPEG (ITU-T T.81): segments from SOI to EOI, and nothing behind it.

use std::borrow::Cow;

use memchr::memchr;

use super::reader::Reader;
use super::{Most, Picture, Refusal};

/// Progressive pictures come in some ten scans. Thousands of them keep a viewer busy for minutes.
const SCANS: usize = 100;
const CUT: Refusal = Refusal::Broken("it ends too early");

/// Walks through all segments. Kept are those that the picture is made of, its colours, and which way is up.
pub(super) fn read(bytes: &[u8], most: Most) -> Result<Picture<'_>, Refusal> {
    let mut at = Reader::new(bytes);
    let mut parts: Vec<Cow<'_, [u8]>> = vec![Cow::Borrowed(at.take(2).ok_or(CUT)?)];
    let (mut size, mut turned, mut scans) = (None, None, 0);
    loop {
        let (start, marker) = next_marker(&mut at)?;
        if marker == 0xd9 {
            parts.push(at.since(start).into());
            break;
        }
        let data = segment(&mut at)?;
        let whole = at.since(start);
        match marker {
            0xc0..=0xc2 if size.is_none() => {
                size = Some(frame(data, most)?);
                parts.push(whole.into());
            }
            0xc0..=0xc2 => return Err(Refusal::Broken("it has two frames")),
            0xc3 | 0xc5..=0xcf => return Err(Refusal::Type("a JPEG that few viewers can show")),
            0xc4 | 0xdb | 0xdd => parts.push(whole.into()),
            0xda => {
                scans += 1;
                if size.is_none() || scans > SCANS {
                    return Err(Refusal::Broken("its scans are not in order"));
                }
                scan(&mut at)?;
                parts.push(at.since(start).into());
            }
            0xe0 if data.starts_with(b"JFIF\0") => parts.extend(density(data)),
            0xe1 if data.starts_with(b"Exif\0\0") => {
                turned = turned.or_else(|| orientation(data.get(6..).unwrap_or_default()));
            }
            0xe2 if data.starts_with(b"ICC_PROFILE\0") => parts.push(whole.into()),
            0xee if data.starts_with(b"Adobe") && data.len() == 12 => parts.push(whole.into()),
            0xe0..=0xef | 0xfe => {}
            _ => return Err(Refusal::Broken("a segment that no picture has")),
        }
    }
    if !at.is_empty() {
        return Err(Refusal::Mixed("something follows the end of the picture"));
    }
    let (width, height) = size.filter(|_| scans > 0).ok_or(Refusal::Broken("it has no picture"))?;
    if let Some(turned) = turned {
        parts.insert(1, Cow::Owned(turned_segment(turned)));
    }
    Ok(Picture { width, height, parts })
}

/// The next marker, and where it stands; fill bytes before it are passed over.
fn next_marker(at: &mut Reader<'_>) -> Result<(usize, u8), Refusal> {
    if at.u8().ok_or(CUT)? != 0xff {
        return Err(Refusal::Broken("a segment does not end where it says"));
    }
    loop {
        match at.u8().ok_or(CUT)? {
            0xff => {}
            code @ (0x02..=0xcf | 0xd9..=0xfe) => return Ok((at.position() - 2, code)),
            _ => return Err(Refusal::Broken("a marker that cannot stand here")),
        }
    }
}

fn segment<'a>(at: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let length = usize::from(at.u16_be().ok_or(CUT)?);
    at.take(length.checked_sub(2).ok_or(Refusal::Broken("a segment without length"))?).ok_or(CUT)
}

fn frame(data: &[u8], most: Most) -> Result<(u32, u32), Refusal> {
    let mut at = Reader::new(data);
    let read = |at: &mut Reader<'_>| Some((at.u8()?, at.u16_be()?, at.u16_be()?, at.u8()?));
    let (_, height, width, components) = read(&mut at).ok_or(CUT)?;
    if !(1..=4).contains(&components) || at.rest().len() != usize::from(components) * 3 {
        return Err(Refusal::Broken("its frame is not one"));
    }
    let (width, height) = (u32::from(width), u32::from(height));
    most.admit(width, height)?;
    Ok((width, height))
}

/// Passes over the coded picture, up to the next marker that is not part of it.
fn scan(at: &mut Reader<'_>) -> Result<(), Refusal> {
    loop {
        let rest = at.rest();
        let marker = memchr(0xff, rest).ok_or(CUT)?;
        match rest.get(marker + 1).ok_or(CUT)? {
            0x00 | 0xd0..=0xd7 => at.take(marker + 2),
            0xff => at.take(marker + 1),
            _ => {
                at.take(marker);
                return Ok(());
            }
        };
    }
}

/// The segment of pixel density without the small picture that may follow it.
fn density(data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut segment = vec![0xff, 0xe0, 0, 16];
    segment.extend(data.get(..12)?);
    segment.extend([0, 0]);
    Some(segment.into())
}

/// Which way is up, where it is not the way that the pixels lie.
fn orientation(tiff: &[u8]) -> Option<u8> {
    let big = match tiff.get(..4)? {
        b"MM\0\x2a" => true,
        b"II\x2a\0" => false,
        _ => return None,
    };
    let short = |at: &mut Reader<'_>| if big { at.u16_be() } else { at.u16_le() };
    let long = |at: &mut Reader<'_>| if big { at.u32_be() } else { at.u32_le() };
    let mut head = Reader::new(tiff.get(4..)?);
    let directory = usize::try_from(long(&mut head)?).ok()?;
    let mut at = Reader::new(tiff.get(directory..)?);
    for _ in 0..short(&mut at)? {
        let mut entry = Reader::new(at.take(12)?);
        let (tag, kind, count) = (short(&mut entry)?, short(&mut entry)?, long(&mut entry)?);
        if (tag, kind, count) == (0x0112, 3, 1) {
            return u8::try_from(short(&mut entry)?).ok().filter(|value| (2..=8).contains(value));
        }
    }
    None
}

/// A segment that says which way is up and nothing else.
fn turned_segment(orientation: u8) -> Vec<u8> {
    let mut segment = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    segment.push(orientation);
    segment.extend([0; 6]);
    segment
}
