//! Pictures of crowds: known by their content and by what they look like, flagged where they were shown before, and seen by those
//! who decide.

use diesel::prelude::*;
use image::imageops::{self, FilterType};
use serde_json::{Value, json};
use unionhall::ids::FileId;
use unionhall::platform::db::schema::{file_prints, headcount_flags};

use super::{approve, count_as, jpeg, on_the_square, parcels, scene, seen, text, upload};
use crate::access::staff_of;
use crate::files::{self, bytes, samples};
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    pictures_that_were_shown_before_are_flagged,
    pictures_are_known_from_their_upload_on,
    those_who_decide_see_the_pictures,
    only_pictures_show_a_crowd,
];

/// A headcount of a fresh activity that shows these pictures.
async fn shown(app: &TestApp, gate: &Actor, pictures: &[Vec<u8>]) -> Value {
    let activity = app.activity(on_the_square).await;
    let mut photos = Vec::new();
    for picture in pictures {
        photos.push(upload(gate, picture).await);
    }
    let photos: Vec<&str> = photos.iter().map(String::as_str).collect();
    count_as(gate, activity.session, parcels(50, &photos)).await.ok(201)
}

fn kinds(headcount: &Value) -> Vec<&str> {
    headcount["flags"].as_array().unwrap().iter().map(|flag| flag["kind"].as_str().unwrap()).collect()
}

async fn pictures_that_were_shown_before_are_flagged(app: TestApp) {
    let gate = app.staff("gate").await;
    let square = scene(1, 320, 240);
    let first = shown(&app, &gate, &[jpeg(&square, 90), jpeg(&scene(2, 320, 240), 90)]).await;
    assert_eq!(kinds(&first), [] as [&str; 0]);
    // The same file, for another session.
    let same = shown(&app, &gate, &[jpeg(&square, 90)]).await;
    assert_eq!(kinds(&same), ["same"]);
    let flag = &same["flags"][0];
    assert_eq!((&flag["other_session_id"], &flag["file_id"]), (&first["session_id"], &same["photos"][0]));
    // Ids of one millisecond have no order.
    assert!(first["photos"].as_array().unwrap().contains(&flag["other_file_id"]), "{flag}");
    assert_eq!(flag["distance"], 0);
    // Smaller, coarser and a little lighter.
    let mut light = imageops::resize(&square, 200, 150, FilterType::Triangle);
    light.pixels_mut().for_each(|pixel| pixel.0[0] = pixel.0[0].saturating_add(10));
    let alike = shown(&app, &gate, &[jpeg(&light, 40), jpeg(&scene(3, 320, 240), 90)]).await;
    assert_eq!(kinds(&alike), ["alike", "alike"], "like both that were shown before");
    let flags = alike["flags"].as_array().unwrap();
    assert!(
        flags.iter().all(|flag| flag["file_id"] == flags[0]["file_id"]),
        "one picture of the two: {flags:?}"
    );
    // It is shown to who decides, and refuses nothing.
    let reviewer = app.staff("reviewer-pinghu").await;
    let told = reviewer.get(&format!("/api/v1/headcounts/{}", text(&same, "id"))).await.ok(200);
    assert_eq!(kinds(&told), ["same"]);
    approve(&reviewer, &same).await.ok(200);
    // The second attempt for one session may show what the first did.
    let activity = app.activity(on_the_square).await;
    let picture = jpeg(&scene(4, 320, 240), 90);
    let mut last = Value::Null;
    for _ in 0..2 {
        let photo = upload(&gate, &picture).await;
        last = count_as(&gate, activity.session, parcels(50, &[&photo])).await.ok(201);
        super::reject(&reviewer, &last).await.ok(200);
    }
    assert_eq!(kinds(&seen(&app, &last).await), [] as [&str; 0]);
    let flags: i64 = app.read(|conn| Ok(headcount_flags::table.count().get_result(conn)?)).await;
    assert_eq!(flags, 3);
    app.run_jobs().await;
}

async fn pictures_are_known_from_their_upload_on(app: TestApp) {
    let gate = app.staff("gate").await;
    let picture = jpeg(&scene(5, 320, 240), 90);
    let id: FileId = upload(&gate, &picture).await.parse().unwrap();
    let print = |id: FileId| {
        app.read(move |conn| {
            let columns = (file_prints::sha256, file_prints::looks);
            let row = file_prints::table.find(id).select(columns);
            Ok(row.first::<(Vec<u8>, Option<i64>)>(conn).optional()?)
        })
    };
    let (sha256, looks) = print(id).await.unwrap();
    assert_eq!(json!(hex::encode(sha256)), gate.get(&format!("/api/v1/files/{id}")).await.ok(200)["sha256"]);
    assert!(looks.is_some());
    // What is no picture to look at has none; what cannot be decoded has no looks, and is no fault.
    for (class, file, expected) in [
        ("document", picture.clone(), None),
        ("evidence", samples::pdf("证明"), None),
        ("evidence", samples::webp(), Some(false)),
        ("photo", picture, Some(true)),
    ] {
        let made = files::send(&gate, class, "a", &file).await.ok(201);
        let known = print(text(&made, "id").parse().unwrap()).await;
        assert_eq!(known.map(|(_, looks)| looks.is_some()), expected, "{class}");
    }
    // It goes with its file.
    gate.delete(&format!("/api/v1/files/{id}")).await.expect(204);
    app.run_jobs().await;
    assert_eq!(print(id).await, None);
}

async fn those_who_decide_see_the_pictures(app: TestApp) {
    let gate = app.staff("gate-pinghu").await;
    let picture = jpeg(&scene(6, 320, 240), 90);
    let made = shown(&app, &gate, std::slice::from_ref(&picture)).await;
    let path = format!("/api/v1/files/{}/content", made["photos"][0].as_str().unwrap());
    for name in ["gate-pinghu", "reviewer-pinghu", "reviewer", "auditor"] {
        let (status, _, content) = bytes(&app.staff(name).await, &path).await;
        assert_eq!((status, content), (200, picture.clone()), "{name}");
    }
    let stranger = app.worker("zhang").await;
    let elsewhere = staff_of(&app, "buji", "reviewer", "street-buji").await;
    for who in [&stranger, &elsewhere, &app.staff("planner").await] {
        who.get(&path).await.problem(404, "not_found");
    }
    app.run_jobs().await;
}

async fn only_pictures_show_a_crowd(app: TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(on_the_square).await;
    let pdf = files::send(&gate, "evidence", "a.pdf", &samples::pdf("证明")).await.ok(201);
    let (pdf, good) = (text(&pdf, "id"), upload(&gate, &jpeg(&scene(7, 64, 48), 90)).await);
    let reply = count_as(&gate, activity.session, parcels(50, &[&good, &pdf])).await;
    let problem = reply.problem(422, "validation_failed");
    assert_eq!(
        crate::http::problems::faults(&problem),
        crate::http::problems::pairs(&[("/photos/1", "not_a_picture")])
    );
    count_as(&gate, activity.session, parcels(50, &[])).await.problem(422, "validation_failed");
    count_as(&gate, activity.session, parcels(50, &[&good, &good])).await.problem(409, "file_unusable");
    // Nothing of a refusal is left: the picture is still free.
    count_as(&gate, activity.session, parcels(50, &[&good])).await.ok(201);
    app.run_jobs().await;
}
