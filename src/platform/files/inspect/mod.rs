//! What a file really is. Names and declared types are never asked; nothing is decoded or decompressed.
//!
//! A type is known by its first bytes and believed when the whole structure holds to the last byte: what follows the end of a picture
//! would be a second file inside the first. Pictures of a class that strips are put together anew from the parts that a
//! picture needs.

mod jpeg;
mod pdf;
mod png;
mod reader;
#[cfg(test)]
mod tests;
mod webp;

use std::borrow::Cow;

use memchr::memmem;

use super::classes::{FileClass, MediaType};
use crate::error::{Code, Error};
use reader::Reader;

/// Sides that every viewer can show.
const SIDE: u32 = 30_000;

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing that this class takes.
    Type(&'static str),
    /// Its structure does not hold.
    Broken(&'static str),
    /// It is something else besides, or carries it.
    Mixed(&'static str),
    /// More pixels than the class allows.
    Pixels,
    /// More bytes than the class allows.
    Large(usize),
}

/// A file that is what it seems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it is.
    pub media: MediaType,
    /// Width and height of a picture.
    pub size: Option<(u32, u32)>,
    /// What is to be kept.
    pub bytes: Vec<u8>,
}

/// A picture whose structure holds.
struct Picture<'a> {
    width: u32,
    height: u32,
    /// What is left of it when it is stripped.
    parts: Vec<Cow<'a, [u8]>>,
}

/// How many pixels a picture may have.
#[derive(Clone, Copy)]
struct Most(u64);

impl Most {
    fn admit(self, width: u32, height: u32) -> Result<(), Refusal> {
        if width == 0 || height == 0 {
            return Err(Refusal::Broken("no width or no height"));
        }
        let fine = width <= SIDE && height <= SIDE && u64::from(width) * u64::from(height) <= self.0;
        if fine { Ok(()) } else { Err(Refusal::Pixels) }
    }
}

/// Looks at a file of the class `class` and gives what is to be kept of it.
pub fn check(class: FileClass, bytes: &[u8]) -> Result<Checked, Refusal> {
    let rules = class.rules();
    if bytes.is_empty() {
        return Err(Refusal::Broken("it is empty"));
    }
    if bytes.len() > rules.bytes {
        return Err(Refusal::Large(rules.bytes));
    }
    let media = sniff(bytes).filter(|media| rules.takes.contains(media));
    let media = media.ok_or(Refusal::Type("its content is of no type that is taken here"))?;
    if holds_archive(bytes) {
        return Err(Refusal::Mixed("it is an archive besides"));
    }
    let most = Most(rules.pixels);
    let picture = match media {
        MediaType::Jpeg => jpeg::read(bytes, most)?,
        MediaType::Png => png::read(bytes, most)?,
        MediaType::Webp => webp::read(bytes, most)?,
        MediaType::Pdf => {
            pdf::check(bytes)?;
            return Ok(Checked { media, size: None, bytes: bytes.to_vec() });
        }
    };
    let kept = if rules.strips { picture.parts.concat() } else { bytes.to_vec() };
    Ok(Checked { media, size: Some((picture.width, picture.height)), bytes: kept })
}

/// The type that the first bytes belong to.
fn sniff(bytes: &[u8]) -> Option<MediaType> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Some(MediaType::Jpeg)
    } else if bytes.starts_with(png::SIGNATURE) {
        Some(MediaType::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(MediaType::Webp)
    } else if bytes.starts_with(b"%PDF-") {
        Some(MediaType::Pdf)
    } else {
        None
    }
}

/// Whether a ZIP's end record lies anywhere with its directory before it: archives are read from their end, so that one
/// may hide in a comment of any other file.
fn holds_archive(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b"PK\x05\x06").any(|end| {
        let mut record = Reader::new(bytes.get(end + 12..).unwrap_or_default());
        let directory = record.u32_le().and_then(|size| end.checked_sub(usize::try_from(size).ok()?));
        directory.and_then(|at| bytes.get(at..)).is_some_and(|rest| rest.starts_with(b"PK\x01\x02"))
    })
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Type(why) => Self::new(Code::FileTypeRefused).detail(
                "照片请用 JPEG、PNG 或 WebP，材料还可用 PDF",
                format!("JPEG, PNG, WebP; for documents and evidence also PDF. Here: {why}"),
            ),
            Refusal::Broken(why) => Self::new(Code::FileBroken)
                .detail("请重新选择或重新拍摄", format!("Choose it again. Here: {why}")),
            Refusal::Mixed(why) => Self::new(Code::FileMixed).detail(
                "若为手机原图，请选择“压缩”后重新上传",
                format!("If it is a phone's original picture, choose \"compressed\". Here: {why}"),
            ),
            Refusal::Pixels => Self::new(Code::FilePixels).detail("请缩小后重新上传", "Make it smaller"),
            Refusal::Large(most) => {
                let most = most >> 20;
                Self::new(Code::BodyTooLarge).detail(format!("最多 {most} MB"), format!("At most {most} MiB"))
            }
        }
    }
}
