//! WebP (RFC 9649): one still picture in a RIFF file that is as long as it says.

use std::borrow::Cow;

use super::reader::Reader;
use super::{Most, Picture, Refusal};

const CUT: Refusal = Refusal::Broken("it ends too early");
/// Flags of the extended header.
const ANIMATION: u8 = 0x02;
const XMP: u8 = 0x04;
const EXIF: u8 = 0x08;

/// Walks through all chunks. Kept are picture, transparency and colours.
pub(super) fn read(bytes: &[u8], most: Most) -> Result<Picture<'_>, Refusal> {
    let mut at = Reader::new(bytes);
    at.take(4);
    let said = usize::try_from(at.u32_le().ok_or(CUT)?).map_err(|_| CUT)?;
    at.take(4).ok_or(CUT)?;
    match (said + 8).cmp(&bytes.len()) {
        std::cmp::Ordering::Greater => return Err(CUT),
        std::cmp::Ordering::Less => return Err(Refusal::Mixed("something follows the end of the picture")),
        std::cmp::Ordering::Equal => {}
    }
    let (mut canvas, mut picture) = (None, None);
    let mut kept: Vec<Cow<'_, [u8]>> = Vec::new();
    let mut first = true;
    while !at.is_empty() {
        let start = at.position();
        let (name, data) = chunk(&mut at)?;
        match name {
            b"VP8X" if first => {
                let (flags, size) = extended(data)?;
                most.admit(size.0, size.1)?;
                canvas = Some(size);
                let mut header = at.since(start).to_vec();
                header.splice(8..9, [flags & !(XMP | EXIF)]);
                kept.push(header.into());
            }
            b"VP8 " | b"VP8L" if picture.is_none() => {
                let size = if name == b"VP8L" { lossless(data) } else { lossy(data) };
                let size = size.ok_or(Refusal::Broken("its picture is not one"))?;
                most.admit(size.0, size.1)?;
                picture = Some(size);
                kept.push(at.since(start).into());
            }
            b"ICCP" | b"ALPH" if canvas.is_some() => kept.push(at.since(start).into()),
            b"ANIM" | b"ANMF" => return Err(Refusal::Type("a picture that moves")),
            b"VP8X" | b"VP8 " | b"VP8L" => return Err(Refusal::Broken("its chunks are not in order")),
            _ if canvas.is_none() => return Err(Refusal::Mixed("something follows the end of the picture")),
            _ => {}
        }
        first = false;
    }
    let (width, height) = picture.ok_or(Refusal::Broken("it has no picture"))?;
    if canvas.is_some_and(|size| size != (width, height)) {
        return Err(Refusal::Broken("its picture is not as large as its header says"));
    }
    let length = kept.iter().map(|part| part.len()).sum::<usize>() + 4;
    let mut head = b"RIFF".to_vec();
    head.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    head.extend(b"WEBP");
    kept.insert(0, head.into());
    Ok(Picture { width, height, parts: kept })
}

/// Name and content of a chunk; an odd one is followed by a byte that means nothing.
fn chunk<'a>(at: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let name = at.take(4).ok_or(CUT)?;
    let length = usize::try_from(at.u32_le().ok_or(CUT)?).map_err(|_| CUT)?;
    let data = at.take(length).ok_or(CUT)?;
    at.take(length % 2).ok_or(CUT)?;
    Ok((name, data))
}

fn extended(data: &[u8]) -> Result<(u8, (u32, u32)), Refusal> {
    let mut at = Reader::new(data);
    let read = |at: &mut Reader<'_>| Some((at.u8()?, at.u24_le()?, at.u24_le()?, at.u24_le()?));
    let (flags, _, width, height) =
        read(&mut at).filter(|_| data.len() == 10).ok_or(Refusal::Broken("its header is not one"))?;
    if flags & ANIMATION != 0 {
        return Err(Refusal::Type("a picture that moves"));
    }
    Ok((flags, (width + 1, height + 1)))
}

/// Width and height of a key frame (RFC 6386, 9.1) whose first partition is there.
fn lossy(data: &[u8]) -> Option<(u32, u32)> {
    let mut at = Reader::new(data);
    let tag = at.u24_le()?;
    let code = at.take(3)?;
    let (width, height) = (u32::from(at.u16_le()?) & 0x3fff, u32::from(at.u16_le()?) & 0x3fff);
    let partition = usize::try_from(tag >> 5).ok()?;
    (tag & 1 == 0 && code == [0x9d, 0x01, 0x2a] && partition <= at.rest().len()).then_some((width, height))
}

/// Width and height of a lossless picture.
fn lossless(data: &[u8]) -> Option<(u32, u32)> {
    let mut at = Reader::new(data);
    let (signature, bits) = (at.u8()?, at.u32_le()?);
    (signature == 0x2f && bits >> 29 == 0 && !at.is_empty())
        .then_some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}
