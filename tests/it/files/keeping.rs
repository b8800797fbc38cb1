//! How contents lie in the store, and how they go.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use chrono::TimeDelta;
use diesel::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use unionhall::ids::FileId;
use unionhall::platform::db::schema::files;
use unionhall::platform::files::model::{CONTENT, File};
use unionhall::platform::vault::{Cipher, KeyConfig};
use uuid::Uuid;

use super::access::attach;
use super::{FILES, bytes, linked, samples, send, uploaded};
use crate::cli::unionhall;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    contents_and_names_lie_sealed,
    a_content_that_was_changed_is_not_served,
    what_nothing_names_goes_after_a_day,
    keys_are_changed_and_files_stay_readable,
    a_bucket_serves_as_well_as_a_folder,
    a_store_that_fails_is_told_and_leaves_nothing,
    so_many_upload_at_once_and_not_for_ever,
];

/// Every file in the store.
pub fn paths(app: &TestApp) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![app.files_folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Every content in the store, as it lies there.
pub fn objects(app: &TestApp) -> Vec<Vec<u8>> {
    paths(app).into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// How many files are in a state.
pub async fn rows(app: &TestApp, state: &'static str) -> i64 {
    app.read(move |c| Ok(files::table.filter(files::state.eq(state)).count().get_result(c)?)).await
}

async fn row(app: &TestApp, path: &str) -> File {
    let id: FileId = path.rsplit('/').next().unwrap().parse().unwrap();
    app.read(move |c| Ok(files::table.find(id).select(File::as_select()).first(c)?)).await
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn contents_and_names_lie_sealed(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let file = samples::pdf("PLAIN CONTENT OF A CERTIFICATE");
    send(&zhang, "document", "zhang-san-resignation.pdf", &file).await.ok(201);
    let kept = objects(&app);
    assert_eq!(kept.len(), 1);
    for part in [&b"PLAIN CONTENT"[..], b"%PDF-1.4", b"%%EOF", b"zhang-san"] {
        assert!(!has(&kept[0], part), "{part:?}");
    }
    assert!(kept[0].starts_with(b"uhv1\x02v1") && kept[0].len() > file.len());
    let names: Vec<Option<String>> = app.read(|c| Ok(files::table.select(files::name_sealed).load(c)?)).await;
    assert!(
        names[0].as_ref().unwrap().starts_with("v1.v1.") && !names[0].as_ref().unwrap().contains("zhang")
    );
    // The same file twice looks different, and nobody sees that two people have it.
    send(&zhang, "document", "b.pdf", &file).await.ok(201);
    let kept = objects(&app);
    assert_eq!(kept.len(), 2);
    assert_ne!(kept[0][20..], kept[1][20..]);
}

async fn a_content_that_was_changed_is_not_served(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let path = uploaded(&zhang).await;
    let other = uploaded(&zhang).await;
    let place = app.files_folder().join(row(&app, &path).await.storage_key);
    let sealed = std::fs::read(&place).unwrap();
    let content = format!("{path}/content");
    app.expect_5xx();
    for changed in [0, 5, 12, 30, sealed.len() - 1] {
        let mut bytes = sealed.clone();
        bytes[changed] ^= 1;
        std::fs::write(&place, bytes).unwrap();
        zhang.get(&content).await.problem(500, "internal");
    }
    // Another file's content under this one's name.
    std::fs::copy(app.files_folder().join(row(&app, &other).await.storage_key), &place).unwrap();
    zhang.get(&content).await.problem(500, "internal");
    // Something else, sealed for this very file.
    let id = row(&app, &path).await.id;
    let vault = &app.app().platform().vault;
    std::fs::write(&place, vault.seal_bytes(CONTENT, id.0.as_bytes(), &samples::png(3, 3)).unwrap()).unwrap();
    zhang.get(&content).await.problem(500, "internal");
    std::fs::write(&place, &sealed[..20]).unwrap();
    zhang.get(&content).await.problem(500, "internal");
    std::fs::remove_file(&place).unwrap();
    zhang.get(&content).await.problem(500, "internal");
    let link = linked(&zhang, &path).await;
    app.anon().get(&link).await.problem(500, "internal");
    std::fs::write(&place, &sealed).unwrap();
    assert_eq!(bytes(&zhang, &content).await.2, samples::png(2, 2));
}

async fn what_nothing_names_goes_after_a_day(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let (loose, held) = (uploaded(&zhang).await, uploaded(&zhang).await);
    let id = held.rsplit('/').next().unwrap().parse().unwrap();
    attach(&app, &zhang, &[id], "folder", Uuid::from_u128(1)).await.unwrap();
    app.app().worker().plant_recurring().unwrap();
    app.advance(TimeDelta::hours(23));
    app.run_jobs().await;
    assert_eq!((rows(&app, "uploaded").await, objects(&app).len()), (1, 2), "a day is not over");
    app.advance(TimeDelta::hours(1));
    app.run_jobs().await;
    assert_eq!((rows(&app, "removed").await, rows(&app, "attached").await, objects(&app).len()), (1, 1, 1));
    let gone = row(&app, &loose).await;
    assert!(gone.erased_at.is_some() && gone.name_sealed.is_none());
    let zhang = app.worker("zhang").await;
    zhang.get(&loose).await.problem(404, "not_found");
    zhang.get(&held).await.ok(200);
    // A content that never arrived, and one that a crash left without its end.
    let path = uploaded(&zhang).await;
    let id: FileId = path.rsplit('/').next().unwrap().parse().unwrap();
    app.write(move |c| {
        Ok(diesel::update(files::table.find(id)).set(files::state.eq("arriving")).execute(c).map(drop)?)
    })
    .await;
    zhang.get(&path).await.problem(404, "not_found");
    app.advance(TimeDelta::hours(1));
    app.run_jobs().await;
    assert_eq!((rows(&app, "arriving").await, objects(&app).len()), (0, 1));
}

async fn keys_are_changed_and_files_stay_readable(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let (one, two) = (uploaded(&zhang).await, uploaded(&zhang).await);
    zhang.delete(&two).await.expect(204);
    let old = app.config().vault.clone();
    let secret = "another-secret-of-the-vault-for-tests-0003";
    let home = TempDir::new().unwrap();
    let settings = format!(
        "[vault]\nkey_id = \"v2\"\ncipher = \"sm4-gcm\"\nsecret = \"{secret}\"\n\
         retired = [{{ id = \"v1\", cipher = \"aes-256-gcm\", secret = \"{}\" }}]\n",
        old.secret.expose_secret()
    );
    std::fs::write(home.path().join("unionhall.toml"), settings).unwrap();
    let (url, path) = (app.config().database.url.expose_secret(), app.config().files.path.as_str());
    let rotate = || {
        let settings = [("DATABASE__URL", url), ("FILES__PATH", path)];
        let output = unionhall(home.path(), &settings).args(["vault", "rotate"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let both = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.cipher = Cipher::Sm4Gcm;
            config.vault.secret = secret.to_owned().into();
            config.vault.retired =
                vec![KeyConfig { id: "v1".into(), cipher: old.cipher, secret: old.secret.clone() }];
        })
        .await;
    let content = format!("{one}/content");
    assert_eq!(bytes(&zhang.at(&both), &content).await.2, samples::png(2, 2));
    rotate();
    rotate();
    let kept = row(&app, &one).await;
    assert_eq!(kept.vault_key, "v2");
    assert!(kept.name_sealed.unwrap().starts_with("v1.v2."));
    assert!(std::fs::read(app.files_folder().join(&kept.storage_key)).unwrap().starts_with(b"uhv1\x02v2"));
    assert_eq!(bytes(&zhang.at(&both), &content).await.2, samples::png(2, 2));
    // What was removed is not sealed anew, and goes all the same.
    assert_eq!(row(&app, &two).await.vault_key, "v1");
    app.run_jobs().await;
    assert_eq!(objects(&app).len(), 1);
    let new = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.cipher = Cipher::Sm4Gcm;
            config.vault.secret = secret.to_owned().into();
        })
        .await;
    assert_eq!(bytes(&zhang.at(&new), &content).await.2, samples::png(2, 2));
    assert_eq!(zhang.at(&new).get(&one).await.ok(200)["name"], "a.png");
}

/// What a bucket holds, by path; and whether the service is well.
#[derive(Default)]
struct Shelf {
    objects: Mutex<HashMap<String, Vec<u8>>>,
    ill: Mutex<bool>,
}

/// As much of S3 as is used: PUT, GET and DELETE of one object, signed.
async fn shelf(request: HttpRequest, body: Bytes, shelf: Data<Shelf>) -> HttpResponse {
    let authorised = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if !authorised.is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 Credential=key-id/")) {
        return HttpResponse::Forbidden().finish();
    }
    if *shelf.ill.lock().unwrap() {
        return HttpResponse::Forbidden().finish();
    }
    let mut objects = shelf.objects.lock().unwrap();
    let path = request.path().to_owned();
    match request.method().as_str() {
        "PUT" => {
            objects.insert(path, body.to_vec());
            HttpResponse::Ok().insert_header(("etag", "\"1\"")).finish()
        }
        "GET" => match objects.get(&path) {
            Some(found) => HttpResponse::Ok()
                .insert_header(("etag", "\"1\""))
                .insert_header(("last-modified", "Mon, 16 Jun 2025 02:00:00 GMT"))
                .body(found.clone()),
            None => HttpResponse::NotFound().finish(),
        },
        "DELETE" => {
            objects.remove(&path);
            HttpResponse::NoContent().finish()
        }
        _ => HttpResponse::NotImplemented().finish(),
    }
}

/// An instance whose files lie in a bucket, and the bucket.
async fn with_bucket(app: &TestApp) -> (TestApp, Data<Shelf>) {
    let kept = Data::new(Shelf::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let shared = kept.clone();
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(shared.clone())
            .app_data(web::PayloadConfig::new(20 << 20))
            .default_service(web::to(shelf))
    });
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    actix_web::rt::spawn(server);
    let app = app.start_with(|config| {
        config.files.kind = "s3".into();
        config.files.endpoint = endpoint;
        config.files.region = "ap-guangzhou".into();
        config.files.bucket = "unionhall-files".into();
        config.files.access_key = "key-id".to_owned().into();
        config.files.secret_key = "key-secret".to_owned().into();
    });
    (app.await, kept)
}

async fn a_bucket_serves_as_well_as_a_folder(app: TestApp) {
    let (app, shelf) = with_bucket(&app).await;
    let zhang = app.worker("zhang").await;
    let file = samples::pdf("PLAIN CONTENT");
    let made = send(&zhang, "document", "a.pdf", &file).await.ok(201);
    let path = format!("{FILES}/{}", made["id"].as_str().unwrap());
    let kept: Vec<(String, Vec<u8>)> = shelf.objects.lock().unwrap().clone().into_iter().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].0, format!("/unionhall-files/{}", row(&app, &path).await.storage_key));
    assert!(!has(&kept[0].1, b"PLAIN CONTENT") && kept[0].1.starts_with(b"uhv1"));
    assert_eq!(bytes(&zhang, &format!("{path}/content")).await.2, file);
    assert_eq!(bytes(&app.anon(), &linked(&zhang, &path).await).await.2, file);
    zhang.delete(&path).await.expect(204);
    app.run_jobs().await;
    assert!(shelf.objects.lock().unwrap().is_empty());
    assert!(!app.files_folder().exists());
}

async fn a_store_that_fails_is_told_and_leaves_nothing(app: TestApp) {
    let (app, shelf) = with_bucket(&app).await;
    let zhang = app.worker("zhang").await;
    let path = uploaded(&zhang).await;
    app.expect_5xx();
    *shelf.ill.lock().unwrap() = true;
    let refused = super::send_keyed(&zhang, "the-store-is-ill", "photo", "a.png", &samples::png(3, 3)).await;
    assert_eq!(refused.header("retry-after"), Some("5"));
    refused.problem(503, "file_store_unavailable");
    zhang.get(&format!("{path}/content")).await.problem(503, "file_store_unavailable");
    *shelf.ill.lock().unwrap() = false;
    // The same request is done now, and of the first nothing is left.
    super::send_keyed(&zhang, "the-store-is-ill", "photo", "a.png", &samples::png(3, 3)).await.ok(201);
    app.run_jobs().await;
    assert_eq!((rows(&app, "arriving").await, rows(&app, "uploaded").await), (0, 2));
    assert_eq!(shelf.objects.lock().unwrap().len(), 2);
    assert_eq!(bytes(&zhang, &format!("{path}/content")).await.2, samples::png(2, 2));
}

/// The head of an upload and half of its body.
fn half_an_upload(app: &TestApp, actor: &Actor) -> TcpStream {
    let mut stream = TcpStream::connect(app.base().trim_start_matches("http://")).unwrap();
    let (media, form) = samples::form("photo", "a.png", &samples::png(40, 40));
    let head = format!(
        "POST {FILES} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {}\r\nContent-Type: {media}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        actor.token.as_ref().unwrap(),
        actor.fresh_key(),
        form.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&form[..form.len() / 2]).unwrap();
    stream
}

async fn so_many_upload_at_once_and_not_for_ever(app: TestApp) {
    let app = app
        .start_with(|config| {
            config.files.uploads = 1;
            config.files.upload_seconds = 1;
        })
        .await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    app.expect_5xx();
    let kept = Arc::new(Mutex::new(None));
    let mut refused = None;
    // The half upload may need a moment to be seen, and lasts a second.
    for _ in 0..20 {
        *kept.lock().unwrap() = Some(half_an_upload(&app, &zhang));
        for _ in 0..20 {
            let reply = send(&li, "photo", "a.png", &samples::png(2, 2)).await;
            if reply.status == 503 {
                refused = Some(reply);
                break;
            }
        }
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("nobody was refused");
    assert_eq!(refused.header("retry-after"), Some("2"));
    refused.problem(503, "overloaded");
    let stream = kept.lock().unwrap().take().unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let (mut stream, mut answer) = (stream, Vec::new());
        let _closed = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
    // The turn is free again.
    send(&li, "photo", "a.png", &samples::png(2, 2)).await.ok(201);
    let of_zhang = zhang.person();
    let arrived = files::table.filter(files::owner_id.eq(of_zhang)).count();
    assert_eq!(app.read(move |c| Ok(arrived.get_result::<i64>(c)?)).await, 0);
}
