//! Files as they are made by hand, byte by byte.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

pub const MEDIA: &str = "multipart/form-data; boundary=unionhall-test-form";

/// A form of parts, each with its head.
pub fn parts(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (head, content) in parts {
        form.extend(format!("--unionhall-test-form\r\n{head}\r\n\r\n").as_bytes());
        form.extend(*content);
        form.extend(b"\r\n");
    }
    form.extend(b"--unionhall-test-form--\r\n");
    form
}

/// The form that `wx.uploadFile` sends.
pub fn form(class: &str, name: &str, file: &[u8]) -> (&'static str, Vec<u8>) {
    let head = format!(
        "Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream"
    );
    let class = ("Content-Disposition: form-data; name=\"class\"", class.as_bytes());
    (MEDIA, parts(&[class, (&head, file)]))
}

pub fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name, data].concat();
    let (length, sum) = (u32::try_from(data.len()).unwrap(), crc32fast::hash(&named));
    [&length.to_be_bytes()[..], &named, &sum.to_be_bytes()].concat()
}

pub fn png_of(chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n", chunks.concat().as_slice()].concat()
}

pub fn ihdr(width: u32, height: u32, colour: u8) -> Vec<u8> {
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour, 0, 0, 0]].concat())
}

/// Grey pixels as a zlib stream that is not compressed.
pub fn pixels(width: u32, height: u32) -> Vec<u8> {
    let raw: Vec<u8> = (0..height)
        .flat_map(|row| std::iter::once(0).chain((0..width).map(move |at| (row * 7 + at * 3) as u8)))
        .collect();
    let mut stream = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = raw.chunks(60_000).collect();
    for (number, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(number + 1 == blocks.len()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(*block);
    }
    let (a, b) = raw.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// A grey picture that every viewer shows.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    png_of(&[ihdr(width, height, 0), chunk(b"IDAT", &pixels(width, height)), chunk(b"IEND", b"")])
}

pub fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], data].concat()
}

pub fn frame(marker: u8, width: u16, height: u16) -> Vec<u8> {
    segment(marker, &[&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat())
}

/// One scan of one grey block.
pub fn scan() -> Vec<u8> {
    [segment(0xda, &[1, 1, 0, 0, 63, 0]), vec![0x3f]].concat()
}

/// Tables with which one block of grey is two bits.
pub fn tables() -> Vec<u8> {
    let code = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
    [segment(0xdb, &[&[0][..], &[1; 64]].concat()), segment(0xc4, &code(0)), segment(0xc4, &code(0x10))]
        .concat()
}

/// What a JPEG is made of, from beginning to end.
pub fn jpeg_of(middle: &[Vec<u8>]) -> Vec<u8> {
    [vec![0xff, 0xd8], middle.concat(), vec![0xff, 0xd9]].concat()
}

/// A grey block of eight by eight with further segments before it.
pub fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
    jpeg_of(&[segments.concat(), tables(), frame(0xc0, 8, 8), scan()])
}

/// EXIF with a position, a camera and which way is up.
pub fn exif() -> Vec<u8> {
    let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    tiff.extend(b"GPS 22.7210N 114.2543E Camera 13 Pro");
    segment(0xe1, &tiff)
}

pub fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend(*name);
        body.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        body.extend(*data);
        body.resize(body.len() + data.len() % 2, 0);
    }
    [b"RIFF", &u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
}

/// Head of a lossless picture, with something behind it.
pub fn vp8l(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | (height - 1) << 14;
    [&[0x2f][..], &bits.to_le_bytes(), &[0x10, 0x07, 0x10, 0x11]].concat()
}

pub fn webp() -> Vec<u8> {
    riff(&[(b"VP8L", &vp8l(16, 16))])
}

pub fn vp8x(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    [vec![flags, 0, 0, 0], side(width), side(height)].concat()
}

/// A page with a text.
pub fn pdf(text: &str) -> Vec<u8> {
    format!(
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n\
         % {text}\nxref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000058 00000 n \n\
         trailer\n<< /Size 3 /Root 1 0 R >>\nstartxref\n110\n%%EOF\n"
    )
    .into_bytes()
}

/// An archive with one file.
pub fn zip(content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.html", SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}
