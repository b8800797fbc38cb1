//! PNG (ISO/IEC 15948): chunks with their checksums from IHDR to IEND, and nothing behind it.

use super::reader::Reader;
use super::{Most, Picture, Refusal};

/// How every PNG begins.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Deflate makes a byte into at most so many.
const RATIO: u64 = 1032;
const CUT: Refusal = Refusal::Broken("it ends too early");

/// Walks through all chunks. Kept are those that say what the picture looks like.
pub(super) fn read(bytes: &[u8], most: Most) -> Result<Picture<'_>, Refusal> {
    let mut at = Reader::new(bytes);
    let mut parts = vec![at.take(SIGNATURE.len()).ok_or(CUT)?.into()];
    let mut header: Option<Header> = None;
    // Bytes of the coded picture; whether it is over; whether there is a palette.
    let (mut coded, mut over, mut palette) = (0_u64, false, false);
    loop {
        let start = at.position();
        let (name, data) = chunk(&mut at)?;
        let Some(known) = &header else {
            if name != b"IHDR" {
                return Err(Refusal::Broken("it does not begin with its header"));
            }
            header = Some(Header::read(data, most)?);
            parts.push(at.since(start).into());
            continue;
        };
        match name {
            b"IEND" => {
                let paints = coded > 0 && (known.colour != 3 || palette);
                if !data.is_empty() || !paints || coded.saturating_mul(RATIO) + 1024 < known.content() {
                    return Err(Refusal::Broken("less of a picture than its header says"));
                }
                parts.push(at.since(start).into());
                break;
            }
            b"IDAT" if over => return Err(Refusal::Broken("its picture is in two pieces")),
            b"IDAT" => coded += data.len() as u64,
            b"PLTE" if palette || coded > 0 || data.len() % 3 != 0 => {
                return Err(Refusal::Broken("its palette is not in order"));
            }
            b"PLTE" => palette = true,
            [first, ..] if first.is_ascii_uppercase() => {
                return Err(Refusal::Broken("a chunk that no picture has"));
            }
            _ => {}
        }
        over |= coded > 0 && name != b"IDAT";
        let looks: [&[u8]; 10] =
            [b"IDAT", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs"];
        if looks.contains(&name) {
            parts.push(at.since(start).into());
        }
    }
    if !at.is_empty() {
        return Err(Refusal::Mixed("something follows the end of the picture"));
    }
    let header = header.ok_or(CUT)?;
    Ok(Picture { width: header.width, height: header.height, parts })
}

/// Name and content of a chunk whose checksum is right.
fn chunk<'a>(at: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let length = usize::try_from(at.u32_be().ok_or(CUT)?).map_err(|_| CUT)?;
    let start = at.position();
    let name = at.take(4).filter(|name| name.iter().all(u8::is_ascii_alphabetic)).ok_or(CUT)?;
    let data = at.take(length).ok_or(CUT)?;
    let sum = crc32fast::hash(at.since(start));
    if at.u32_be().ok_or(CUT)? != sum {
        return Err(Refusal::Broken("a checksum is wrong"));
    }
    Ok((name, data))
}

struct Header {
    width: u32,
    height: u32,
    colour: u8,
    bits: u64,
}

impl Header {
    fn read(data: &[u8], most: Most) -> Result<Self, Refusal> {
        let wrong = Refusal::Broken("its header is not one");
        let mut at = Reader::new(data);
        let read = |at: &mut Reader<'_>| {
            Some((at.u32_be()?, at.u32_be()?, at.u8()?, at.u8()?, at.u8()?, at.u8()?, at.u8()?))
        };
        let (width, height, depth, colour, compression, filter, interlace) =
            read(&mut at).filter(|_| data.len() == 13).ok_or(wrong)?;
        let samples = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
            (4, 8 | 16) => 2,
            (2, 8 | 16) => 3,
            (6, 8 | 16) => 4,
            _ => return Err(wrong),
        };
        if compression != 0 || filter != 0 || interlace > 1 {
            return Err(wrong);
        }
        most.admit(width, height)?;
        Ok(Self { width, height, colour, bits: samples * u64::from(depth) })
    }

    /// Bytes of the picture itself, at least.
    fn content(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * self.bits / 8
    }
}
