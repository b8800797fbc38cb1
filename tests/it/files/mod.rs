//! Files: what is kept of them, who may read them, and what is not taken.

pub mod access;
pub mod hostile;
pub mod keeping;
pub mod samples;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_file_is_uploaded_read_and_removed,
    what_a_picture_says_of_its_maker_is_gone,
    the_same_upload_again_is_one_file,
    names_are_shown_and_never_used,
    a_copy_at_hand_is_known,
    so_many_may_lie_about,
];

const FILES: &str = "/api/v1/files";

/// Sends a file as `wx.uploadFile` does.
pub async fn send(actor: &Actor, class: &str, name: &str, file: &[u8]) -> Reply {
    send_keyed(actor, &actor.fresh_key(), class, name, file).await
}

pub async fn send_keyed(actor: &Actor, key: &str, class: &str, name: &str, file: &[u8]) -> Reply {
    let (media, form) = samples::form(class, name, file);
    send_form(actor, key, media, form).await
}

pub async fn send_form(actor: &Actor, key: &str, media: &str, form: Vec<u8>) -> Reply {
    let request =
        actor.request(Method::POST, FILES).header("idempotency-key", key).header("content-type", media);
    actor.send(request.body(form)).await
}

/// The address of a picture that `actor` has uploaded.
pub async fn uploaded(actor: &Actor) -> String {
    let made = send(actor, "photo", "a.png", &samples::png(2, 2)).await.ok(201);
    format!("{FILES}/{}", made["id"].as_str().unwrap())
}

/// The address of a link of `actor` to the file at `path`.
pub async fn linked(actor: &Actor, path: &str) -> String {
    let link = actor.post(&format!("{path}/links"), json!({})).await.ok(200);
    link["path"].as_str().unwrap().to_owned()
}

/// Status, headers and bytes.
pub async fn bytes(actor: &Actor, path: &str) -> (u16, HeaderMap, Vec<u8>) {
    let response = actor.request(Method::GET, path).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

async fn a_file_is_uploaded_read_and_removed(app: TestApp) {
    let zhang = app.worker("zhang").await;
    for (class, name, file, media, size) in [
        ("photo", "a.png", samples::png(300, 200), "image/png", Some((300, 200))),
        ("document", "b.jpg", samples::jpeg(&[]), "image/jpeg", Some((8, 8))),
        ("evidence", "c.webp", samples::webp(), "image/webp", Some((16, 16))),
        ("document", "d.pdf", samples::pdf("证明"), "application/pdf", None),
        // Neither the name nor what is declared decides.
        ("evidence", "photo.exe", samples::pdf("x"), "application/pdf", None),
    ] {
        let reply = send(&zhang, class, name, &file).await;
        let made = reply.clone().ok(201);
        let path = format!("{FILES}/{}", made["id"].as_str().unwrap());
        assert_eq!(reply.header("location"), Some(path.as_str()));
        assert_eq!((&made["class"], &made["media_type"]), (&json!(class), &json!(media)), "{name}");
        assert_eq!(made["width"].as_u64().zip(made["height"].as_u64()), size, "{name}");
        assert_eq!((&made["attached"], &made["name"]), (&json!(false), &json!(null)));
        let shown = zhang.get(&path).await.ok(200);
        assert_eq!((&shown["name"], &shown["sha256"]), (&json!(name), &made["sha256"]));

        let (status, headers, content) = bytes(&zhang, &format!("{path}/content")).await;
        assert_eq!((status, &content), (200, &file), "{name}");
        assert_eq!(made["sha256"], hex::encode(Sha256::digest(&content)));
        assert_eq!(made["bytes"], content.len());
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let extension = name.rsplit('.').next().filter(|end| *end != "exe").unwrap_or("pdf");
        let id = made["id"].as_str().unwrap();
        assert_eq!(said("content-type"), media);
        assert_eq!(said("content-disposition"), format!("attachment; filename=\"{id}.{extension}\""));
        assert_eq!(said("x-content-type-options"), "nosniff");
        assert!(said("content-security-policy").starts_with("sandbox; default-src 'none'"));
        assert!(said("cache-control").contains("private") && said("cache-control").contains("no-store"));

        assert_eq!(zhang.delete(&path).await.status, 204);
        for gone in [path.clone(), format!("{path}/content")] {
            zhang.get(&gone).await.problem(404, "not_found");
        }
        zhang.delete(&path).await.problem(404, "not_found");
        app.run_jobs().await;
        assert_eq!(keeping::objects(&app), Vec::<Vec<u8>>::new(), "{name}: its content is erased");
    }
}

async fn what_a_picture_says_of_its_maker_is_gone(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let secrets: [&[u8]; 2] = [b"22.7210N", b"13 Pro"];
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let text = samples::chunk(b"tEXt", b"Comment\0GPS 22.7210N Camera 13 Pro");
    let png = samples::png_of(&[
        samples::ihdr(2, 2, 0),
        text.clone(),
        samples::chunk(b"eXIf", b"22.7210N 13 Pro"),
        samples::chunk(b"IDAT", &samples::pixels(2, 2)),
        text,
        samples::chunk(b"IEND", b""),
    ]);
    let webp = samples::riff(&[
        (b"VP8X", &samples::vp8x(0x0c, 16, 16)),
        (b"VP8L", &samples::vp8l(16, 16)),
        (b"EXIF", b"22.7210N"),
        (b"XMP ", b"Camera 13 Pro"),
    ]);
    let jpeg = samples::jpeg(&[samples::exif(), samples::segment(0xfe, b"GPS 22.7210N Camera 13 Pro")]);
    for file in [jpeg, png, webp] {
        for class in ["photo", "document", "evidence"] {
            let made = send(&zhang, class, "a", &file).await.ok(201);
            let path = format!("{FILES}/{}/content", made["id"].as_str().unwrap());
            let (_, _, kept) = bytes(&zhang, &path).await;
            if class == "evidence" {
                assert_eq!(kept, file, "evidence is kept as it came");
                continue;
            }
            for secret in secrets {
                assert!(has(&file, secret) && !has(&kept, secret), "{class} {secret:?}");
            }
            // What is kept is a picture like any other.
            let again = send(&zhang, class, "a", &kept).await.ok(201);
            assert_eq!((&again["sha256"], &again["width"]), (&made["sha256"], &made["width"]));
        }
    }
}

async fn the_same_upload_again_is_one_file(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let file = samples::png(20, 20);
    let first = send_keyed(&zhang, "one-upload", "photo", "a.png", &file).await;
    let again = send_keyed(&zhang, "one-upload", "photo", "another-name.png", &file).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(keeping::objects(&app).len(), 1);
    for (class, other) in [("photo", samples::png(21, 20)), ("evidence", file.clone())] {
        let other = send_keyed(&zhang, "one-upload", class, "a.png", &other).await;
        other.problem(422, "idempotency_mismatch");
    }
    // A key is its person's.
    let theirs = send_keyed(&li, "one-upload", "photo", "a.png", &file).await.ok(201);
    assert_ne!(theirs["id"], first.body["id"]);
    // At once: one file, and whoever was not first is told so or gets the first one's answer.
    let replies = futures_util::future::join_all(
        (0..4).map(|_| send_keyed(&zhang, "many-at-once", "photo", "a.png", &file)),
    )
    .await;
    let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert!(!made.is_empty() && made.iter().all(|reply| reply.text == made[0].text));
    for refused in replies.iter().filter(|reply| reply.status != 201) {
        refused.clone().problem(409, "idempotency_running");
    }
    // What the others wrote for nothing is gone.
    app.run_jobs().await;
    assert_eq!((keeping::rows(&app, "uploaded").await, keeping::rows(&app, "arriving").await), (3, 0));
    assert_eq!(keeping::objects(&app).len(), 3);
}

async fn names_are_shown_and_never_used(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let long = "很长".repeat(200) + ".png";
    let kept_of_long: String = long.chars().take(120).collect();
    for (sent, shown) in [
        ("../../../etc/passwd", json!("passwd")),
        ("..%2f..%2fetc%2fpasswd", json!("..%2f..%2fetc%2fpasswd".trim_matches('.'))),
        ("..\\\\..\\\\windows\\\\system32\\\\a.dll", json!("a.dll")),
        ("/etc/shadow", json!("shadow")),
        ("C:\\\\a.png", json!("a.png")),
        ("..", json!(null)),
        ("", json!(null)),
        ("photo\u{202e}gnp.exe", json!("photognp.exe")),
        ("a\u{7f}\u{1}b\u{200b}.png", json!("ab.png")),
        ("<script>alert(1)</script>.png", json!("script>.png")),
        ("a.png; filename=\\\"b.png", json!("a.png; filename=\"b.png")),
        ("张三 的 证明.png", json!("张三 的 证明.png")),
        ("CON", json!("CON")),
        ("$(reboot).png", json!("$(reboot).png")),
        (long.as_str(), json!(kept_of_long)),
    ] {
        let made = send(&zhang, "photo", sent, &samples::png(2, 2)).await.ok(201);
        let path = format!("{FILES}/{}", made["id"].as_str().unwrap());
        assert_eq!(zhang.get(&path).await.ok(200)["name"], shown, "{sent:?}");
        let (_, headers, _) = bytes(&zhang, &format!("{path}/content")).await;
        let expected = format!("attachment; filename=\"{}.png\"", made["id"].as_str().unwrap());
        assert_eq!(headers["content-disposition"], expected.as_str(), "{sent:?}");
    }
    // In the store there are ids and nothing else.
    for file in keeping::paths(&app) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
        assert_eq!(file.parent().unwrap().parent(), Some(app.files_folder().as_path()));
    }
}

async fn a_copy_at_hand_is_known(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let path = format!("{}/content", uploaded(&zhang).await);
    let tag = zhang.get(&path).await.etag();
    let ask = |tag: String| zhang.send(zhang.request(Method::GET, &path).header("if-none-match", tag));
    let known = ask(tag.clone()).await;
    assert_eq!((known.status, known.text.as_str(), known.etag()), (304, "", tag));
    ask("\"v0-0123456789abcdef\"".into()).await.expect(200);
}

async fn so_many_may_lie_about(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let mut last = String::new();
    for _ in 0..50 {
        last = uploaded(&zhang).await;
    }
    send(&zhang, "photo", "a.png", &samples::png(2, 2)).await.problem(409, "file_too_many");
    uploaded(&li).await;
    zhang.delete(&last).await.expect(204);
    uploaded(&zhang).await;
    app.run_jobs().await;
}
