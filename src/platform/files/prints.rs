//! What a picture is known by: the digest of its content, and a number of 64 bits for what it looks like. Taken once, when it comes.
//!
//! What it looks like is a difference hash: the picture is made grey and nine by eight large, and each of 64 bits says whether it
//! grows lighter from one field to the next. It outlives smaller sizes, other qualities and slight changes of light. A picture that
//! cannot be decoded, or in which nothing is to be seen, has none: that is no fault of who sends it.

use std::collections::HashMap;
use std::io::Cursor;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};

use diesel::prelude::*;
use image::{GrayImage, ImageFormat, ImageReader, Limits};

use super::classes::{FileClass, MediaType};
use super::model::File;
use crate::error::Result;
use crate::ids::FileId;
use crate::platform::db::Conn;
use crate::platform::db::schema::file_prints;

/// What a picture is known by.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = file_prints, treat_none_as_default_value = false)]
pub struct Print {
    /// The picture.
    pub file_id: FileId,
    /// The digest of its content, as it is kept.
    pub sha256: Vec<u8>,
    /// What it looks like.
    pub looks: Option<i64>,
}

/// Fields of the small picture.
const WIDE: u32 = 9;
const HIGH: u32 = 8;
/// A picture whose fields are all as light as this or nearer to each other shows nothing.
const FLAT: u64 = 4;
/// Memory for the pixels of one picture: 65 megapixels in three colours.
const PIXEL_BYTES: u64 = 200 << 20;

/// One picture is decoded at a time: each may take as much memory as that.
static DECODER: Mutex<()> = Mutex::new(());

/// The print of a picture of a class that is for others to look at; none of a document. Takes a while.
pub(super) fn take(file: &File, bytes: &[u8]) -> Option<Print> {
    let format = match file.media_type {
        MediaType::Jpeg => Some(ImageFormat::Jpeg),
        MediaType::Png => Some(ImageFormat::Png),
        MediaType::Webp => None,
        MediaType::Pdf => return None,
    };
    if file.class == FileClass::Document {
        return None;
    }
    let looks = format.and_then(|format| looks(format, bytes));
    Some(Print { file_id: file.id, sha256: file.sha256.clone(), looks })
}

/// What a picture looks like.
fn looks(format: ImageFormat, bytes: &[u8]) -> Option<i64> {
    let _one = DECODER.lock().unwrap_or_else(PoisonError::into_inner);
    // A decoder that stumbles over what somebody made up ends nobody's upload.
    catch_unwind(|| decode(format, bytes)).ok().flatten().and_then(|grey| difference_hash(&grey))
}

fn decode(format: ImageFormat, bytes: &[u8]) -> Option<GrayImage> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(30_000);
    limits.max_image_height = Some(30_000);
    limits.max_alloc = Some(PIXEL_BYTES);
    reader.limits(limits);
    Some(reader.decode().ok()?.into_luma8())
}

/// The difference hash of a grey picture.
fn difference_hash(grey: &GrayImage) -> Option<i64> {
    let fields: Vec<u64> =
        (0..HIGH).flat_map(|y| (0..WIDE).map(move |x| (x, y))).map(|at| field(grey, at)).collect();
    let (darkest, lightest) = (fields.iter().min()?, fields.iter().max()?);
    if lightest - darkest < FLAT * SCALE {
        return None;
    }
    let mut hash = 0_u64;
    for row in fields.chunks(WIDE as usize) {
        for two in row.windows(2) {
            hash = hash << 1 | u64::from(two.first() < two.last());
        }
    }
    Some(hash.cast_signed())
}

/// Parts of a grey that fields are told in, so that two that are nearly alike are told apart.
const SCALE: u64 = 256;

/// How light one field of the small picture is: the mean of what lies in it, of one pixel at least.
fn field(grey: &GrayImage, (x, y): (u32, u32)) -> u64 {
    let span = |at: u32, of: u32, length: u32| {
        let edge = |at: u32| u32::try_from(u64::from(at) * u64::from(length) / u64::from(of)).unwrap_or(0);
        let from = edge(at).min(length.saturating_sub(1));
        from..edge(at + 1).max(from + 1).min(length)
    };
    let (columns, rows) = (span(x, WIDE, grey.width()), span(y, HIGH, grey.height()));
    let pixels = u64::from(columns.end - columns.start) * u64::from(rows.end - rows.start);
    let lines = rows.flat_map(|row| columns.clone().map(move |column| (column, row)));
    let sum: u64 = lines
        .filter_map(|(column, row)| grey.get_pixel_checked(column, row))
        .map(|p| u64::from(p.0[0]))
        .sum();
    sum * SCALE / pixels.max(1)
}

/// Keeps prints.
pub(super) fn keep_in_tx(conn: &mut Conn, prints: &[Print]) -> Result<()> {
    crate::insert_rows!(conn, file_prints::table, prints)?;
    Ok(())
}

/// The prints of files, of those that are pictures.
pub fn of(conn: &mut Conn, ids: &[FileId]) -> Result<HashMap<FileId, Print>> {
    let rows: Vec<Print> =
        file_prints::table.filter(file_prints::file_id.eq_any(ids)).select(Print::as_select()).load(conn)?;
    Ok(rows.into_iter().map(|print| (print.file_id, print)).collect())
}

#[cfg(test)]
mod tests {
    use image::{
        DynamicImage, ImageEncoder, Luma, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder, imageops,
    };

    use super::*;

    /// A picture with something in it, other for every seed: blurred spots, light and dark.
    fn scene(seed: u64, width: u32, height: u32) -> GrayImage {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |most: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32 % most
        };
        let spots: Vec<(f32, f32, f32, f32)> = (0..12)
            .map(|_| {
                let part = |n: u32| n as f32 / 1000.0;
                (part(next(1000)), part(next(1000)), 0.08 + part(next(200)), part(next(800)) - 0.4)
            })
            .collect();
        GrayImage::from_fn(width, height, |x, y| {
            let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
            let spot = |&(cx, cy, size, light): &(f32, f32, f32, f32)| {
                light * (-((x - cx).powi(2) + (y - cy).powi(2)) / (size * size)).exp()
            };
            let light = 0.5 + spots.iter().map(spot).sum::<f32>();
            Luma([(light.clamp(0.0, 1.0) * 255.0) as u8])
        })
    }

    fn jpeg(picture: &GrayImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let colour = DynamicImage::ImageLuma8(picture.clone()).into_rgb8();
        colour.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
        bytes
    }

    fn apart(one: i64, other: i64) -> u32 {
        (one ^ other).count_ones()
    }

    #[test]
    fn a_picture_made_smaller_or_coarser_looks_alike() {
        for seed in 0..20 {
            let picture = scene(seed, 640, 480);
            let own = looks(ImageFormat::Jpeg, &jpeg(&picture, 90)).unwrap();
            let coarse = looks(ImageFormat::Jpeg, &jpeg(&picture, 30)).unwrap();
            let small = imageops::resize(&picture, 200, 150, imageops::FilterType::Triangle);
            let small = looks(ImageFormat::Jpeg, &jpeg(&small, 80)).unwrap();
            assert!(
                apart(own, coarse) <= 6 && apart(own, small) <= 6,
                "{seed}: {} {}",
                apart(own, coarse),
                apart(own, small)
            );
            let other = looks(ImageFormat::Jpeg, &jpeg(&scene(seed + 100, 640, 480), 90)).unwrap();
            assert!(apart(own, other) > 6, "{seed}: {}", apart(own, other));
        }
    }

    #[test]
    fn the_hash_is_what_its_definition_says() {
        // Lighter to the right in every row, then darker.
        let right = GrayImage::from_fn(9, 8, |x, _| Luma([x as u8 * 20]));
        assert_eq!(difference_hash(&right), Some(-1));
        let left = GrayImage::from_fn(90, 80, |x, _| Luma([200 - (x as u8) * 2]));
        assert_eq!(difference_hash(&left), Some(0));
        let one = GrayImage::from_fn(9, 8, |x, y| Luma([if (x, y) == (8, 7) { 200 } else { 50 }]));
        assert_eq!(difference_hash(&one), Some(1));
        // Smaller than the small picture, and nothing to be seen.
        assert!(difference_hash(&GrayImage::from_fn(2, 1, |x, _| Luma([x as u8 * 100]))).is_some());
        assert_eq!(difference_hash(&GrayImage::from_pixel(100, 100, Luma([77]))), None);
        assert_eq!(difference_hash(&GrayImage::new(0, 0)), None);
    }

    #[test]
    fn what_cannot_be_decoded_has_no_looks() {
        let whole = jpeg(&scene(1, 64, 48), 90);
        assert!(looks(ImageFormat::Jpeg, &whole).is_some());
        assert_eq!(looks(ImageFormat::Png, &whole), None);
        assert_eq!(looks(ImageFormat::Jpeg, b""), None);
        for end in (0..whole.len()).step_by(7) {
            let _any = looks(ImageFormat::Jpeg, &whole[..end]);
        }
        // A picture that says to be larger than memory is left alone.
        let mut bomb = Vec::new();
        PngEncoder::new(&mut bomb).write_image(&[0], 1, 1, image::ExtendedColorType::L8).unwrap();
        bomb[16..20].copy_from_slice(&29_999_u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&29_999_u32.to_be_bytes());
        let sum = crc32fast::hash(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(looks(ImageFormat::Png, &bomb), None);
    }
}
