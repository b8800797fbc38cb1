//! The pictures of a crowd: each is looked for among those of other sessions. What is found is shown to who decides; nothing is
//! refused for it.

use std::collections::HashMap;

use diesel::prelude::*;

use super::model::{Flag, Headcount, Photo};
use super::{rules, store};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::FileId;
use crate::platform::db::Conn;
use crate::platform::db::schema::headcount_photos;
use crate::platform::files::prints::{self, Print};

/// Pictures of one headcount at most.
pub const MOST: usize = 9;
/// Pictures with a part in common that are looked at, and earlier ones that are told of one picture.
const CANDIDATES: i64 = 2000;
const TOLD: usize = 20;

/// Keeps the pictures of `row`, which hang on it already, and flags those that were shown for another session.
///
/// # Errors
/// All files that are no pictures.
pub fn keep_in_tx(
    conn: &mut Conn,
    row: &Headcount,
    files: &[FileId],
    alike_percent: i64,
) -> Result<Vec<Flag>> {
    let prints: HashMap<FileId, Print> = prints::of(conn, files)?;
    let mut faults = Vec::new();
    let mut photos = Vec::new();
    for (place, id) in files.iter().enumerate() {
        match prints.get(id) {
            Some(print) => photos.push(photo(row, *id, print)),
            None => faults.push(Fault::new(
                format!("/photos/{place}"),
                "not_a_picture",
                Text::new("须为照片", "must be a picture"),
            )),
        }
    }
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    let earlier = candidates(conn, row, &photos)?;
    let bits = rules::alike_bits(alike_percent);
    let flags: Vec<Flag> = photos.iter().flat_map(|photo| flags(photo, &earlier, bits)).collect();
    store::photos_create_in_tx(conn, &photos, &flags)?;
    Ok(flags)
}

fn photo(row: &Headcount, id: FileId, print: &Print) -> Photo {
    let bands = print.looks.map(rules::bands);
    let band = |number: usize| bands.and_then(|bands| bands.get(number).copied());
    Photo {
        file_id: id,
        headcount_id: row.id,
        session_id: row.session_id,
        sha256: print.sha256.clone(),
        looks: print.looks,
        band_0: band(0),
        band_1: band(1),
        band_2: band(2),
        band_3: band(3),
    }
}

/// Pictures of other sessions that may be, or look like, one of `photos`: found by their digest, or by one of four parts of what they
/// look like.
fn candidates(conn: &mut Conn, row: &Headcount, photos: &[Photo]) -> Result<Vec<Photo>> {
    let elsewhere = || {
        headcount_photos::table
            .filter(headcount_photos::session_id.ne(row.session_id))
            .order(headcount_photos::file_id)
            .limit(CANDIDATES)
            .select(Photo::as_select())
    };
    let digests: Vec<Vec<u8>> = photos.iter().map(|photo| photo.sha256.clone()).collect();
    let mut found: Vec<Photo> = elsewhere().filter(headcount_photos::sha256.eq_any(digests)).load(conn)?;
    let near = |of: fn(&Photo) -> Option<i64>| -> Vec<i64> {
        photos.iter().filter_map(of).flat_map(rules::near).collect()
    };
    let parts = [near(|p| p.band_0), near(|p| p.band_1), near(|p| p.band_2), near(|p| p.band_3)];
    let [first, second, third, last] = parts;
    if first.is_empty() {
        return Ok(found);
    }
    found.extend(elsewhere().filter(headcount_photos::band_0.eq_any(first)).load::<Photo>(conn)?);
    found.extend(elsewhere().filter(headcount_photos::band_1.eq_any(second)).load::<Photo>(conn)?);
    found.extend(elsewhere().filter(headcount_photos::band_2.eq_any(third)).load::<Photo>(conn)?);
    found.extend(elsewhere().filter(headcount_photos::band_3.eq_any(last)).load::<Photo>(conn)?);
    found.sort_by_key(|photo| photo.file_id);
    found.dedup_by_key(|photo| photo.file_id);
    Ok(found)
}

fn flags(photo: &Photo, earlier: &[Photo], bits: i64) -> Vec<Flag> {
    let mut flags: Vec<Flag> = earlier
        .iter()
        .filter_map(|other| {
            let (kind, distance) =
                rules::likeness((&photo.sha256, photo.looks), (&other.sha256, other.looks), bits)?;
            Some(Flag {
                file_id: photo.file_id,
                other_file_id: other.file_id,
                headcount_id: photo.headcount_id,
                other_session_id: other.session_id,
                kind,
                distance,
            })
        })
        .collect();
    flags.sort_by_key(|flag| (flag.distance, flag.other_file_id));
    flags.truncate(TOLD);
    flags
}
