//! What is not taken: every case is refused by its code, none is a 5xx, and nothing of any is kept.

use std::io::{Read, Write};
use std::net::TcpStream;

use diesel::prelude::*;
use reqwest::Method;
use unionhall::platform::db::schema::{audit_entries, files};

use super::samples::*;
use super::{FILES, keeping, send, send_form};
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    hostile_files_are_refused_and_leave_nothing,
    hostile_forms_are_refused_and_leave_nothing,
    hostile_requests_are_refused_and_leave_nothing,
];

/// What it is, as what it comes, its name, its content, and the code of the refusal; none for any of files.
type Case = (String, &'static str, &'static str, Vec<u8>, Option<&'static str>);

fn case(
    what: &str,
    class: &'static str,
    name: &'static str,
    file: impl Into<Vec<u8>>,
    code: &'static str,
) -> Case {
    (what.to_owned(), class, name, file.into(), Some(code))
}

const TYPE: &str = "file_type_refused";
const BROKEN: &str = "file_broken";
const MIXED: &str = "file_mixed";
const PIXELS: &str = "file_pixels";

/// What is none of the types, whatever it is called.
fn strangers() -> Vec<Case> {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let html = "<!DOCTYPE html><script>alert(document.cookie)</script>";
    let bomb = zip(&vec![0; 20 << 20]);
    let e = "evidence";
    vec![
        case("nothing at all", e, "a.jpg", "", BROKEN),
        case("a text", e, "a.jpg", "just text", TYPE),
        case("HTML called a picture", e, "a.jpg", html, TYPE),
        case("HTML behind a byte order mark", e, "a.png", format!("\u{feff}{html}"), TYPE),
        case("SVG with a script", "photo", "a.svg", svg, TYPE),
        case("SVG called PNG", "photo", "a.png", svg, TYPE),
        case("SVG in an XML declaration", "photo", "a.png", format!("<?xml version=\"1.0\"?>{svg}"), TYPE),
        case("SVG, compressed", "photo", "a.svgz", [&[0x1f, 0x8b, 8, 0][..], &[0; 20]].concat(), TYPE),
        case(
            "XML that reads a file",
            e,
            "a.xml",
            "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><x>&y;</x>",
            TYPE,
        ),
        case("GIF", "photo", "a.gif", &b"GIF89a\x01\0\x01\0\0\0\0;"[..], TYPE),
        case(
            "GIF and ZIP",
            "photo",
            "a.gif",
            [b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), zip(b"x")].concat(),
            TYPE,
        ),
        case("GIF and JavaScript", "photo", "a.jpg", "GIF89a=1;alert(document.cookie)//", TYPE),
        case("a ZIP", e, "a.zip", zip(b"x"), TYPE),
        case("a ZIP called PDF", "document", "a.pdf", zip(b"x"), TYPE),
        case("a ZIP bomb", e, "a.pdf", bomb.clone(), TYPE),
        case("a ZIP bomb in a ZIP", e, "a.docx", zip(&bomb), TYPE),
        case("a ZIP before a JPEG", "photo", "a.jpg", [zip(b"x"), jpeg(&[])].concat(), TYPE),
        case("7z", e, "a.jpg", &b"7z\xbc\xaf\x27\x1c\0\x04"[..], TYPE),
        case("RAR", e, "a.jpg", &b"Rar!\x1a\x07\x01\0"[..], TYPE),
        case("a Windows program", e, "a.jpg", &b"MZ\x90\0\x03\0\0\0"[..], TYPE),
        case("a Linux program", e, "a.png", &b"\x7fELF\x02\x01\x01\0"[..], TYPE),
        case("a Java class", e, "a.png", &b"\xca\xfe\xba\xbe\0\0\0\x34"[..], TYPE),
        case("a shell script", e, "a.jpg", "#!/bin/sh\nrm -rf /\n", TYPE),
        case("PHP", e, "a.php.jpg", "<?php system($_GET['c']); ?>", TYPE),
        case("PHP called JPEG", e, "a.jpg", &b"\xff\xd8<?php system($_GET['c']); ?>"[..], TYPE),
        case("BMP", "photo", "a.bmp", &b"BM\x3a\0\0\0\0\0\0\0"[..], TYPE),
        case("TIFF", "photo", "a.tif", &b"II\x2a\0\x08\0\0\0"[..], TYPE),
        case("an icon", "photo", "a.ico", &b"\0\0\x01\0\x01\0"[..], TYPE),
        case("HEIC", "photo", "a.heic", &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], TYPE),
        case("AVIF", "photo", "a.avif", &b"\0\0\0\x18ftypavif\0\0\0\0"[..], TYPE),
        case("a film", e, "a.mp4", &b"\0\0\0\x18ftypmp42\0\0\0\0"[..], TYPE),
        case("RTF", "document", "a.rtf", "{\\rtf1\\ansi{\\object\\objocx}}", TYPE),
        case("an old Word file", "document", "a.doc", &b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], TYPE),
        case("MHTML", "document", "a.pdf", "MIME-Version: 1.0\nContent-Type: multipart/related\n", TYPE),
        case("a PDF as a photo", "photo", "a.pdf", pdf("x"), TYPE),
        case(
            "a PDF with a script as a picture",
            "photo",
            "a.jpg",
            pdf("/OpenAction << /S /JavaScript >>"),
            TYPE,
        ),
        case("a PDF behind a line", "document", "a.pdf", [b"\n".to_vec(), pdf("x")].concat(), TYPE),
        case("RIFF that is a sound", "photo", "a.webp", &b"RIFF\x04\0\0\0WAVE"[..], TYPE),
        case("zeros", e, "a.jpg", vec![0; 100_000], TYPE),
    ]
}

fn jpegs() -> Vec<Case> {
    let (good, p) = (jpeg(&[]), "photo");
    let with = |behind: Vec<u8>| [good.clone(), behind].concat();
    let rest = || vec![tables(), frame(0xc0, 8, 8), scan()];
    let mut cases = vec![
        case("JPEG and ZIP", p, "a.jpg", with(zip(b"x")), MIXED),
        case("JPEG and HTML", p, "a.jpg", with(b"<script>alert(1)</script>".to_vec()), MIXED),
        case("JPEG and JPEG", p, "a.jpg", with(good.clone()), MIXED),
        case("JPEG and a PDF", "evidence", "a.jpg", with(pdf("x")), MIXED),
        case("JPEG and one byte", p, "a.jpg", with(vec![0]), MIXED),
        case("a ZIP in a JPEG's comment", "evidence", "a.jpg", jpeg(&[segment(0xfe, &zip(b"x"))]), MIXED),
        case("JPEG without a scan", p, "a.jpg", jpeg_of(&[tables(), frame(0xc0, 8, 8)]), BROKEN),
        case("JPEG without a frame", p, "a.jpg", jpeg_of(&[tables(), scan()]), BROKEN),
        case("JPEG with two frames", p, "a.jpg", jpeg_of(&[frame(0xc0, 8, 8), rest().concat()]), BROKEN),
        case("JPEG without width", p, "a.jpg", jpeg_of(&[frame(0xc0, 0, 8), scan()]), BROKEN),
        case("JPEG whose height comes later", p, "a.jpg", jpeg_of(&[frame(0xc0, 8, 0), scan()]), BROKEN),
        case(
            "JPEG with an empty segment",
            p,
            "a.jpg",
            jpeg_of(&[vec![0xff, 0xfe, 0, 0], rest().concat()]),
            BROKEN,
        ),
        case(
            "JPEG with a segment too long",
            p,
            "a.jpg",
            jpeg_of(&[vec![0xff, 0xfe, 0xff, 0xff], rest().concat()]),
            BROKEN,
        ),
        case("JPEG of another coding", p, "a.jpg", jpeg_of(&[tables(), frame(0xc9, 8, 8), scan()]), TYPE),
        case(
            "JPEG with a thousand scans",
            p,
            "a.jpg",
            jpeg_of(&[tables(), frame(0xc2, 8, 8), scan().repeat(1000)]),
            BROKEN,
        ),
        case(
            "JPEG with an unknown marker",
            p,
            "a.jpg",
            jpeg_of(&[segment(0x10, b"x"), rest().concat()]),
            BROKEN,
        ),
        case("JPEG begun twice", p, "a.jpg", jpeg_of(&[vec![0xff, 0xd8], rest().concat()]), BROKEN),
        case(
            "a hundred megapixels",
            p,
            "a.jpg",
            jpeg_of(&[tables(), frame(0xc0, 10_000, 10_001), scan()]),
            PIXELS,
        ),
        case(
            "four thousand megapixels",
            p,
            "a.jpg",
            jpeg_of(&[tables(), frame(0xc0, 65_535, 65_535), scan()]),
            PIXELS,
        ),
        case(
            "a line as long as none",
            p,
            "a.jpg",
            jpeg_of(&[tables(), frame(0xc0, 65_535, 1), scan()]),
            PIXELS,
        ),
        case("nothing but a beginning", p, "a.jpg", &b"\xff\xd8\xff"[..], BROKEN),
        case("a beginning and an end", p, "a.jpg", &b"\xff\xd8\xff\xd9"[..], BROKEN),
    ];
    cases.extend(cuts("JPEG", p, &good));
    cases
}

/// A file that ends too early, in fifteen ways.
fn cuts(what: &str, class: &'static str, file: &[u8]) -> Vec<Case> {
    let at = |part: usize| (file.len() * part / 15).min(file.len() - 1);
    (0..15)
        .map(|part| {
            (format!("{what} cut at {}", at(part + 1)), class, "a.jpg", file[..at(part + 1)].to_vec(), None)
        })
        .collect()
}

fn pngs() -> Vec<Case> {
    let (good, p) = (png(8, 8), "photo");
    let (idat, iend) = (|| chunk(b"IDAT", &pixels(8, 8)), || chunk(b"IEND", b""));
    let made = |middle: &[Vec<u8>]| png_of(&[&[ihdr(8, 8, 0)], middle].concat());
    let mut wrong_sum = good.clone();
    wrong_sum[30] ^= 1;
    let text = chunk(b"tEXt", &[b"Comment\0".to_vec(), zip(b"x")].concat());
    let tiny = |width, height| png_of(&[ihdr(width, height, 2), chunk(b"IDAT", &pixels(2, 2)), iend()]);
    let mut cases = vec![
        case("PNG with a wrong checksum", p, "a.png", wrong_sum, BROKEN),
        case("PNG without its end", p, "a.png", made(&[idat()]), BROKEN),
        case("PNG and one byte", p, "a.png", [good.clone(), vec![0]].concat(), MIXED),
        case("PNG and ZIP", p, "a.png", [good.clone(), zip(b"x")].concat(), MIXED),
        case("PNG and HTML", "evidence", "a.png", [good.clone(), b"<script>".to_vec()].concat(), MIXED),
        case("a ZIP in a PNG's text", "evidence", "a.png", made(&[text, idat(), iend()]), MIXED),
        case("PNG of a hundred megapixels", p, "a.png", tiny(10_000, 10_001), PIXELS),
        case("PNG as large as can be said", p, "a.png", tiny(0x7fff_ffff, 0x7fff_ffff), PIXELS),
        case("PNG larger than can be said", p, "a.png", tiny(u32::MAX, 1), PIXELS),
        case("PNG of sixty megapixels in a few bytes", p, "a.png", tiny(10_000, 6_000), BROKEN),
        case("PNG without width", p, "a.png", tiny(0, 8), BROKEN),
        case("PNG without a picture", p, "a.png", made(&[iend()]), BROKEN),
        case("PNG with an empty picture", p, "a.png", made(&[chunk(b"IDAT", b""), iend()]), BROKEN),
        case(
            "PNG that begins with its picture",
            p,
            "a.png",
            png_of(&[idat(), ihdr(8, 8, 0), iend()]),
            BROKEN,
        ),
        case("PNG with two headers", p, "a.png", made(&[ihdr(8, 8, 0), idat(), iend()]), BROKEN),
        case(
            "PNG with a chunk too long",
            p,
            "a.png",
            made(&[vec![0x7f, 0xff, 0xff, 0xff, b'I', b'D', b'A', b'T']]),
            BROKEN,
        ),
        case(
            "PNG with a chunk that must be known",
            p,
            "a.png",
            made(&[chunk(b"EVIL", b"x"), idat(), iend()]),
            BROKEN,
        ),
        case("PNG in two pieces", p, "a.png", made(&[idat(), chunk(b"tEXt", b"x"), idat(), iend()]), BROKEN),
        case("PNG of no colour", p, "a.png", png_of(&[ihdr(8, 8, 5), idat(), iend()]), BROKEN),
        case("PNG without its palette", p, "a.png", png_of(&[ihdr(8, 8, 3), idat(), iend()]), BROKEN),
        case(
            "PNG with a name that is none",
            p,
            "a.png",
            made(&[chunk(b"a\0/b", b"x"), idat(), iend()]),
            BROKEN,
        ),
    ];
    cases.extend(cuts("PNG", p, &good));
    cases
}

fn webps() -> Vec<Case> {
    let (good, p) = (webp(), "photo");
    let picture = vp8l(16, 16);
    let mut longer = good.clone();
    longer[4] += 2;
    let key = |tag: u8| [&[tag, 0, 0, 0x9d, 1, 0x2a][..], &[16, 0, 16, 0, 1, 2, 3, 4]].concat();
    let mut cases = vec![
        case("WebP longer than it is", p, "a.webp", longer, BROKEN),
        case("WebP and something", p, "a.webp", [good.clone(), b"<script>".to_vec()].concat(), MIXED),
        case(
            "WebP with a second file inside",
            p,
            "a.webp",
            riff(&[(b"VP8L", &picture), (b"EVIL", &zip(b"x"))]),
            MIXED,
        ),
        case(
            "a ZIP in a WebP",
            "evidence",
            "a.webp",
            riff(&[(b"VP8X", &vp8x(4, 16, 16)), (b"VP8L", &picture), (b"XMP ", &zip(b"x"))]),
            MIXED,
        ),
        case("WebP that moves", p, "a.webp", riff(&[(b"VP8X", &vp8x(2, 16, 16)), (b"ANIM", &[0; 6])]), TYPE),
        case(
            "WebP that moves without saying so",
            p,
            "a.webp",
            riff(&[(b"VP8X", &vp8x(0, 16, 16)), (b"ANMF", &[0; 16])]),
            TYPE,
        ),
        case("WebP without a picture", p, "a.webp", riff(&[(b"VP8X", &vp8x(0, 16, 16))]), BROKEN),
        case(
            "WebP with two pictures",
            p,
            "a.webp",
            riff(&[(b"VP8L", &picture), (b"VP8L", &picture)]),
            BROKEN,
        ),
        case(
            "WebP of another size than it says",
            p,
            "a.webp",
            riff(&[(b"VP8X", &vp8x(0, 17, 16)), (b"VP8L", &picture)]),
            BROKEN,
        ),
        case(
            "WebP as large as can be said",
            p,
            "a.webp",
            riff(&[(b"VP8X", &vp8x(0, 1 << 24, 1 << 24)), (b"VP8L", &picture)]),
            PIXELS,
        ),
        case(
            "WebP of two hundred megapixels",
            p,
            "a.webp",
            riff(&[(b"VP8L", &vp8l(16_384, 16_384))]),
            PIXELS,
        ),
        case("WebP that is a film's middle", p, "a.webp", riff(&[(b"VP8 ", &key(1))]), BROKEN),
        case("WebP whose first part is missing", p, "a.webp", riff(&[(b"VP8 ", &key(0xe0))]), BROKEN),
        case("an empty WebP", p, "a.webp", riff(&[]), BROKEN),
    ];
    cases.extend(cuts("WebP", p, &good));
    cases
}

fn pdfs() -> Vec<Case> {
    let (good, d) = (pdf("x"), "document");
    let cut = |end: &[u8]| {
        let at = good.windows(end.len()).position(|part| part == end).unwrap();
        good[..at].to_vec()
    };
    vec![
        case("PDF without its end", d, "a.pdf", cut(b"%%EOF"), BROKEN),
        case("PDF without its list", d, "a.pdf", [cut(b"startxref"), b"%%EOF".to_vec()].concat(), BROKEN),
        case("nothing but a PDF's beginning", d, "a.pdf", "%PDF-1.7", BROKEN),
        case("PDF of no version", d, "a.pdf", [b"%PDF-x.y".to_vec(), good[8..].to_vec()].concat(), BROKEN),
        case("PDF and HTML", d, "a.pdf", [good.clone(), b"<script>".to_vec()].concat(), MIXED),
        case("PDF and ZIP", d, "a.pdf", [good.clone(), zip(b"x")].concat(), MIXED),
        case(
            "a ZIP in a PDF",
            "evidence",
            "a.pdf",
            [b"%PDF-1.4\n".to_vec(), zip(b"x"), good[9..].to_vec()].concat(),
            MIXED,
        ),
        case("PDF with a script", d, "a.pdf", pdf("<< /S /JavaScript /JS (app.alert(1)) >>"), MIXED),
        case("PDF with a script, spelt otherwise", d, "a.pdf", pdf("<< /S /J#61vaScr#69pt >>"), MIXED),
        case("PDF that starts a program", "evidence", "a.pdf", pdf("<< /S /Launch /F (cmd.exe) >>"), MIXED),
        case("PDF with a file inside", d, "a.pdf", pdf("<< /Type /EmbeddedFile >>"), MIXED),
        case("PDF with a film", d, "a.pdf", pdf("<< /Subtype /RichMedia >>"), MIXED),
    ]
}

/// Larger than their class allows, by some bytes.
fn giants() -> Vec<Case> {
    let padded = |bytes: usize| {
        let comment = |length: usize| segment(0xfe, &vec![b'x'; length]);
        jpeg(&[comment(60_000).repeat(bytes / 60_004), comment(bytes % 60_004)])
    };
    vec![
        case("a photo of more than 8 MiB", "photo", "a.jpg", padded(8 << 20), "body_too_large"),
        case("evidence of more than 10 MiB", "evidence", "a.jpg", padded(10 << 20), "body_too_large"),
        case(
            "a document of more than 10 MiB",
            "document",
            "a.pdf",
            pdf(&"x".repeat(10 << 20)),
            "body_too_large",
        ),
    ]
}

/// Nothing of it in the database, and no store was made.
async fn nothing_is_kept(app: &TestApp) {
    let rows = app.read(|c| Ok(files::table.count().get_result::<i64>(c)?)).await;
    let told = audit_entries::table.filter(audit_entries::action.like("file.%")).count();
    let told = app.read(move |c| Ok(told.get_result::<i64>(c)?)).await;
    assert_eq!((rows, told, keeping::paths(app).len(), app.files_folder().exists()), (0, 0, 0, false));
}

async fn hostile_files_are_refused_and_leave_nothing(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let cases = [strangers(), jpegs(), pngs(), webps(), pdfs(), giants()].concat();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (what, class, name, file, code) in cases {
        let reply = send(&zhang, class, name, &file).await;
        let said = reply.body["code"].as_str().unwrap_or_default();
        let right = code.map_or([TYPE, BROKEN, MIXED].contains(&said), |code| said == code);
        if !right || !(400..500).contains(&reply.status) {
            wrong.push(format!("{what}: {} {said}", reply.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    nothing_is_kept(&app).await;
}

async fn hostile_forms_are_refused_and_leave_nothing(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let file = png(2, 2);
    let named = |name: &str| format!("Content-Disposition: form-data; name=\"{name}\"");
    let (f, c) = (named("file"), named("class"));
    let (photo, png) = (&b"photo"[..], file.as_slice());
    let good = parts(&[(&c, photo), (&f, png)]);
    let inner = parts(&[(&f, png)]);
    let many: Vec<(&str, &[u8])> = (0..200).map(|_| (c.as_str(), photo)).collect();
    let headers = format!("{f}\r\n{}", vec!["X-A: b"; 1000].join("\r\n"));
    let mut cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = Vec::new();
    let mut add = |what, body: Vec<u8>, status, code| cases.push((what, MEDIA, body, status, code));
    add("nothing", vec![], 400, "bad_request");
    add("a form of no part", b"--unionhall-test-form--\r\n".to_vec(), 422, "validation_failed");
    add("no file", parts(&[(&c, photo)]), 422, "validation_failed");
    add("no class", parts(&[(&f, png)]), 422, "validation_failed");
    add("two files", parts(&[(&c, photo), (&f, png), (&f, png)]), 422, "validation_failed");
    add("two classes", parts(&[(&c, photo), (&f, png), (&c, b"evidence")]), 422, "validation_failed");
    add(
        "another name for the file",
        parts(&[(&c, photo), (&named("upload"), png)]),
        422,
        "validation_failed",
    );
    add("names in capitals", parts(&[(&named("CLASS"), photo), (&f, png)]), 422, "validation_failed");
    add(
        "one field too many",
        parts(&[(&c, photo), (&f, png), (&named("owner_id"), b"x")]),
        422,
        "validation_failed",
    );
    add("an array's name", parts(&[(&named("file[]"), png), (&c, photo)]), 422, "validation_failed");
    add("a class that is none", parts(&[(&c, b"avatar"), (&f, png)]), 422, "validation_failed");
    add("a class with a line's end", parts(&[(&c, b"photo\r\n"), (&f, png)]), 422, "validation_failed");
    add("a class of bytes", parts(&[(&c, b"\xff\xfe"), (&f, png)]), 422, "validation_failed");
    add("an empty class", parts(&[(&c, b""), (&f, png)]), 422, "validation_failed");
    add("a class of a megabyte", parts(&[(&c, &vec![b'x'; 1 << 20]), (&f, png)]), 422, "validation_failed");
    add("two hundred parts", parts(&many), 400, "bad_request");
    add("no end", good[..good.len() - 10].to_vec(), 400, "bad_request");
    add("cut in the file", good[..good.len() - 60].to_vec(), 400, "bad_request");
    add("something before", [b"preamble\r\n".to_vec(), good.clone()].concat(), 400, "bad_request");
    add("something behind", [good.clone(), good.clone()].concat(), 400, "bad_request");
    add(
        "a form in a form",
        parts(&[
            (&c, photo),
            (&format!("{f}\r\nContent-Type: multipart/mixed; boundary=x"), b"--x\r\n\r\na\r\n--x--"),
        ]),
        415,
        TYPE,
    );
    add("its own form in itself", parts(&[(&c, photo), (&f, &inner)]), 400, "bad_request");
    add("a thousand lines of head", parts(&[(&c, photo), (&headers, png)]), 400, "bad_request");
    add(
        "a head of a megabyte",
        parts(&[(&c, photo), (&format!("{f}\r\nX: {}", "y".repeat(1 << 20)), png)]),
        400,
        "bad_request",
    );
    add(
        "a name of four kilobytes",
        parts(&[(&c, photo), (&named(&"f".repeat(3000)), png)]),
        400,
        "bad_request",
    );
    add("a part without a name", parts(&[(&c, photo), ("Content-Type: image/png", png)]), 400, "bad_request");
    add("an empty name", parts(&[(&c, photo), (&named(""), png)]), 400, "bad_request");
    add(
        "an attachment",
        parts(&[(&c, photo), ("Content-Disposition: attachment; name=\"file\"", png)]),
        400,
        "bad_request",
    );
    add(
        "a part with two names",
        parts(&[(&c, photo), (&format!("{f}; name=\"class\""), png)]),
        400,
        "bad_request",
    );
    add("a part with two heads", parts(&[(&c, photo), (&format!("{f}\r\n{c}"), png)]), 400, "bad_request");
    add(
        "a coded part",
        parts(&[(&c, photo), (&format!("{f}\r\nContent-Transfer-Encoding: base64"), b"iVBORw0KGgo=")]),
        400,
        "bad_request",
    );
    add(
        "NUL in a file's name",
        parts(&[(&c, photo), (&format!("{f}; filename=\"a\0.png\""), png)]),
        400,
        "bad_request",
    );
    add(
        "a line's end in a file's name",
        parts(&[(&c, photo), (&format!("{f}; filename=\"a\r\nX-Evil: 1\""), png)]),
        400,
        "bad_request",
    );
    add(
        "half a line's end in a file's name",
        parts(&[(&c, photo), (&format!("{f}; filename=\"a\n.png\""), png)]),
        400,
        "bad_request",
    );
    add(
        "a name that does not end",
        parts(&[(&c, photo), ("Content-Disposition: form-data; name=\"file", png)]),
        400,
        "bad_request",
    );
    add(
        "a line without a colon",
        parts(&[(&c, photo), (&format!("{f}\r\nnonsense"), png)]),
        400,
        "bad_request",
    );
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for (what, media, status, code) in [
        ("another boundary", "multipart/form-data; boundary=other", 400, "bad_request"),
        ("no boundary", "multipart/form-data", 400, "bad_request"),
        ("an empty boundary", "multipart/form-data; boundary=", 400, "bad_request"),
        (
            "two boundaries",
            "multipart/form-data; boundary=a; boundary=unionhall-test-form",
            400,
            "bad_request",
        ),
        ("a boundary too long", long.as_str(), 400, "bad_request"),
        ("JSON", "application/json", 415, "unsupported_media_type"),
        ("a picture without a form", "image/png", 415, "unsupported_media_type"),
        ("a form of another kind", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("mixed parts", "multipart/mixed; boundary=unionhall-test-form", 415, "unsupported_media_type"),
    ] {
        cases.push((what, media, good.clone(), status, code));
    }
    assert!(cases.len() >= 45, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (what, media, body, status, code) in cases {
        let reply = send_form(&zhang, &zhang.fresh_key(), media, body).await;
        if (reply.status, reply.body["code"].as_str()) != (status, Some(code)) {
            wrong.push(format!("{what}: {} {}", reply.status, reply.text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    nothing_is_kept(&app).await;
}

/// Sends bytes and closes its half; gives what is answered.
async fn raw(app: &TestApp, bytes: Vec<u8>) -> String {
    let address = app.base().trim_start_matches("http://").to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // What is not read to its end may be cut off; the answer is what counts.
        let _cut = stream.write_all(&bytes);
        let _shut = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    work.await.unwrap()
}

fn request(actor: &Actor, headers: &str, body: &[u8]) -> Vec<u8> {
    let (token, key) = (actor.token.as_ref().unwrap(), actor.fresh_key());
    let head = format!(
        "POST {FILES} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\nContent-Type: {MEDIA}\r\n\
         Connection: close\r\n{headers}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn hostile_requests_are_refused_and_leave_nothing(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let (_, good) = form("photo", "a.png", &png(2, 2));
    let length = good.len();
    let chunked =
        |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat();
    let too_much = vec![b'x'; (10 << 20) + (16 << 10) + 10];
    for (what, headers, body, expected) in [
        ("a length that says more", format!("Content-Length: {}", length + 100), good.clone(), ""),
        ("a length that says less", format!("Content-Length: {}", length - 40), good.clone(), "400"),
        ("a length that is too much", "Content-Length: 99999999999".into(), good.clone(), "413"),
        ("a length that is no number", "Content-Length: -1".into(), good.clone(), "400"),
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 5"), good.clone(), "400"),
        ("more than its limit, in pieces", "Transfer-Encoding: chunked".into(), chunked(&too_much), "413"),
        (
            "pieces that break off",
            "Transfer-Encoding: chunked".into(),
            chunked(&good)[..length - 20].to_vec(),
            "",
        ),
        (
            "a body that is coded",
            format!("Content-Encoding: gzip\r\nContent-Length: {length}"),
            good.clone(),
            "415",
        ),
    ] {
        let answer = raw(&app, request(&zhang, &headers, &body)).await;
        // Whoever breaks off need not be answered.
        let status = answer.strip_prefix("HTTP/1.1 ").unwrap_or_default().get(..3).unwrap_or_default();
        assert!(
            status == expected || (expected.is_empty() && (status.is_empty() || status == "400")),
            "{what}: {answer}"
        );
    }
    let without_key = zhang.request(Method::POST, FILES).header("content-type", MEDIA).body(good.clone());
    zhang.send(without_key).await.problem(400, "idempotency_key_missing");
    let nobody = app.anon();
    send_form(&nobody, "nobody-s-key", MEDIA, good).await.problem(401, "unauthenticated");
    for path in [
        "/api/v1/files/..%2f..%2fetc%2fpasswd/content",
        "/api/v1/files/%00/content",
        "/api/v1/file-contents/..%2f",
    ] {
        assert_eq!(zhang.get(path).await.status, 404, "{path}");
    }
    nothing_is_kept(&app).await;
}
