//! No bytes panic, and what a picture does not need is not kept. Refusals are tried over HTTP (`tests/it/files/hostile.rs`).

use proptest::prelude::*;

use super::*;

/// A segment of a JPEG.
fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], data].concat()
}

fn jpeg(extra: &[Vec<u8>]) -> Vec<u8> {
    let frame = segment(0xc0, &[8, 0, 2, 0, 3, 1, 1, 0x11, 0]);
    let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
    [vec![0xff, 0xd8], extra.concat(), frame, scan, vec![1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xd9]].concat()
}

/// EXIF in little-endian order: the camera's orientation and a note.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    tiff.extend(b"22.72N 114.24E");
    segment(0xe1, &tiff)
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    memmem::find(bytes, part).is_some()
}

#[test]
fn a_photo_keeps_its_picture_its_colours_and_which_way_is_up() {
    let icc = segment(0xe2, b"ICC_PROFILE\0\x01\x01profile");
    let comment = segment(0xfe, b"my house");
    let xmp = segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>");
    let sent = jpeg(&[segment(0xe0, b"JFIF\0\x01\x02\x01\0H\0H\x01\x01RGB"), exif(6), xmp, comment, icc]);
    let photo = check(FileClass::Photo, &sent).unwrap();
    assert_eq!((photo.media, photo.size), (MediaType::Jpeg, Some((3, 2))));
    for gone in [&b"22.72N"[..], b"my house", b"xap", b"RGB"] {
        assert!(has(&sent, gone) && !has(&photo.bytes, gone), "{gone:?}");
    }
    assert!(has(&photo.bytes, b"ICC_PROFILE"));
    // What is left is a JPEG like any other, still turned, and stays as it is.
    let again = check(FileClass::Photo, &photo.bytes).unwrap();
    assert_eq!(again.bytes, photo.bytes);
    assert!(has(&photo.bytes, &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6]));
    assert!(!has(&check(FileClass::Photo, &jpeg(&[exif(1)])).unwrap().bytes, b"Exif"));
    // Evidence is kept as it came.
    assert_eq!(check(FileClass::Evidence, &sent).unwrap().bytes, sent);
}

#[test]
fn a_webp_loses_what_it_says_of_itself_and_the_flags_for_it() {
    let chunk = |name: &[u8], data: &[u8]| {
        let mut chunk = [name, &u32::try_from(data.len()).unwrap().to_le_bytes(), data].concat();
        chunk.resize(chunk.len() + data.len() % 2, 0);
        chunk
    };
    let picture = chunk(b"VP8L", &[0x2f, 1, 0, 0, 0, 7, 7]);
    let body = [
        chunk(b"VP8X", &[0x0c, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
        picture,
        chunk(b"EXIF", b"22.72N"),
        chunk(b"XMP ", b"<x/>"),
    ]
    .concat();
    let sent = [b"RIFF", &u32::try_from(body.len() + 4).unwrap().to_le_bytes()[..], b"WEBP", &body].concat();
    let photo = check(FileClass::Photo, &sent).unwrap();
    assert_eq!(photo.size, Some((2, 1)));
    assert!(!has(&photo.bytes, b"22.72N") && !has(&photo.bytes, b"XMP ") && photo.bytes[20] == 0);
    assert_eq!(check(FileClass::Photo, &photo.bytes).unwrap().bytes, photo.bytes);
    assert_eq!(check(FileClass::Evidence, &sent).unwrap().bytes, sent);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), kind in 0_usize..5) {
        let start: &[u8] = [&b"\xff\xd8\xff"[..], png::SIGNATURE, b"RIFF\x10\0\0\0WEBPVP8X", b"%PDF-1.7", b""][kind];
        let bytes = [start, &bytes].concat();
        for class in FileClass::ALL {
            let _ = check(*class, &bytes);
        }
    }

    #[test]
    fn a_changed_jpeg_never_panics_and_never_grows_much(place in 0_usize..120, byte in any::<u8>(), cut in 0_usize..200) {
        let mut sent = jpeg(&[exif(6), segment(0xe0, b"JFIF\0\x01\x02\x01\0H\0H\0\0")]);
        let place = place % sent.len();
        sent[place] = byte;
        sent.truncate(cut.max(1));
        if let Ok(photo) = check(FileClass::Photo, &sent) {
            prop_assert!(photo.bytes.len() <= sent.len() + 40);
        }
    }
}
