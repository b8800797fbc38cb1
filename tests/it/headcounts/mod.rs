//! Crowds that nobody registered: what they count for, who agrees to them, what shows them, and what is audited of them.

pub mod counting;
pub mod deciding;
pub mod photos;
pub mod sampling;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, Luma};
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::{HeadcountId, SessionId};

use crate::files;
use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, Reply, TestApp};

/// 送清凉 of 平湖 on a square for three thousand.
pub fn on_the_square(a: Wanted) -> Wanted {
    a.programme("demo-cooling-relief").title("送清凉").capacity(3000)
}

/// A picture with something in it, other for every seed.
pub fn scene(seed: u64, width: u32, height: u32) -> GrayImage {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut part = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 1000) as f32 / 1000.0
    };
    let spots: Vec<[f32; 4]> =
        (0..12).map(|_| [part(), part(), 0.08 + part() / 5.0, part() * 0.8 - 0.4]).collect();
    GrayImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
        let spot = |[cx, cy, size, light]: &[f32; 4]| {
            light * (-((x - cx).powi(2) + (y - cy).powi(2)) / (size * size)).exp()
        };
        let light = 0.5 + spots.iter().map(spot).sum::<f32>();
        Luma([(light.clamp(0.0, 1.0) * 255.0) as u8])
    })
}

/// A picture as a phone would send it.
pub fn jpeg(picture: &GrayImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
    bytes
}

/// The id of a picture that `actor` uploads.
pub async fn upload(actor: &Actor, file: &[u8]) -> String {
    let made = files::send(actor, "evidence", "a.jpg", file).await.ok(201);
    made["id"].as_str().unwrap().to_owned()
}

/// The id of a picture that nobody has seen before.
pub async fn fresh_picture(actor: &Actor) -> String {
    let seed = u64::from_str_radix(&actor.fresh_key()[..12], 16).unwrap();
    upload(actor, &jpeg(&scene(seed, 64, 48), 90)).await
}

/// So many parcels, one a person, given out at four gates in two hours.
pub fn parcels(number: i64, photos: &[&str]) -> Value {
    json!({ "number": number, "method": "parcels", "parcels": number, "minutes": 120, "gates": 4, "photos": photos })
}

/// Counts a crowd as `actor`, with a picture of its own.
pub async fn count(actor: &Actor, session: SessionId, number: i64) -> Reply {
    let photo = fresh_picture(actor).await;
    count_as(actor, session, parcels(number, &[&photo])).await
}

pub async fn count_as(actor: &Actor, session: SessionId, body: Value) -> Reply {
    actor.post(&format!("/api/v1/sessions/{session}/headcounts"), body).await
}

pub fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field}: {body}")).to_owned()
}

pub fn id(headcount: &Value) -> HeadcountId {
    text(headcount, "id").parse().unwrap()
}

/// Decides about a request as it stands now.
pub async fn decide(officer: &Actor, review: &str, body: Value) -> Reply {
    let path = format!("/api/v1/reviews/{review}");
    let etag = officer.get(&path).await.etag();
    let request = officer
        .request(Method::POST, &format!("{path}/decisions"))
        .header("if-match", etag)
        .header("idempotency-key", officer.fresh_key())
        .json(&body);
    officer.send(request).await
}

/// Agrees to a headcount, or to a finding.
pub async fn approve(officer: &Actor, of: &Value) -> Reply {
    decide(officer, &text(of, "review_id"), json!({ "decision": "approve" })).await
}

pub async fn reject(officer: &Actor, of: &Value) -> Reply {
    let body = json!({ "decision": "reject", "reasons": ["count_unproven"] });
    decide(officer, &text(of, "review_id"), body).await
}

/// A headcount that counts.
pub async fn counted(app: &TestApp, session: SessionId, number: i64) -> Value {
    let made = count(&app.staff("gate").await, session, number).await.ok(201);
    approve(&app.staff("reviewer-pinghu").await, &made).await.ok(200);
    made
}

/// The figures of targets.
pub async fn values(app: &TestApp, codes: &str) -> Vec<i64> {
    let path = format!("/api/v1/plans/2025/progress?targets={codes}");
    let progress = app.staff("planner").await.get(&path).await.ok(200);
    progress["targets"].as_array().unwrap().iter().map(|target| target["value"].as_i64().unwrap()).collect()
}

/// A headcount as staff see it.
pub async fn seen(app: &TestApp, headcount: &Value) -> Value {
    let path = format!("/api/v1/headcounts/{}", text(headcount, "id"));
    app.staff("gate").await.get(&path).await.ok(200)
}

/// Somebody with a place who is checked in.
pub async fn attend(app: &TestApp, name: &str, activity: &Made) {
    let worker = app.worker(name).await;
    worker.sign_up(activity).await.ok(201);
    app.staff("gate").await.scan(activity.session, &worker.pass().await).await.ok(200);
}
