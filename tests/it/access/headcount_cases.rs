//! Valid requests for the operations on headcounts.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::attendance::headcounts::model::SampleEntry;
use unionhall::attendance::headcounts::store::{self, Drawn};
use unionhall::ids::HeadcountSampleId;
use unionhall::platform::db::schema::headcount_sample_entries;

use super::cases::{Call, Stage, get, post};
use crate::harness::Actor;
use crate::headcounts::{approve, count, fresh_picture, id, parcels, text};

const SAMPLES: &str = "/api/v1/headcount-samples";
const STREETS: [&str; 10] = [
    "street-pingdi",
    "street-nanwan",
    "street-bantian",
    "street-buji",
    "street-longcheng",
    "street-longgang",
    "street-henggang",
    "street-jihua",
    "street-baolong",
    "street-yuanshan",
];

/// A street and a quarter of the past that no other case has.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Stage {
    /// A headcount that waits for another officer.
    async fn headcount(&self) -> Value {
        let fresh = self.app.activity_by(&self.organiser, |a| a).await;
        count(&self.app.staff("gate").await, fresh.session, 10).await.ok(201)
    }

    async fn sample_input(&self) -> Value {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let street = self.app.organisation(STREETS[next as usize % 10]).await;
        let (quarter, year) = (next / 10 % 4 + 1, next / 40 % 5 + 2020);
        json!({ "organisation_id": street, "year": year, "quarter": quarter })
    }

    /// A sample that is promised.
    async fn sample(&self) -> String {
        let made = self.app.staff("auditor").await.post(SAMPLES, self.sample_input().await).await.ok(201);
        text(&made, "id")
    }

    /// A headcount that counts, in a sample in which it was drawn.
    async fn audited(&self) -> Value {
        let made = self.headcount().await;
        approve(&self.app.staff("reviewer-pinghu").await, &made).await.ok(200);
        let sample: HeadcountSampleId = self.sample().await.parse().unwrap();
        let (headcount, now, by) = (id(&made), self.app.now(), self.organiser.person());
        self.app
            .write(move |conn| {
                let drawn =
                    Drawn { seed: "0".repeat(64), order: Vec::new(), chosen: 1, digest: "0".repeat(64) };
                assert!(store::drawn_in_tx(conn, sample, &drawn, by, now)?);
                let row = SampleEntry { sample_id: sample, rank: 1, headcount_id: headcount };
                Ok(diesel::insert_into(headcount_sample_entries::table).values(row).execute(conn)?)
            })
            .await;
        made
    }
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    Some(match operation {
        "headcount_create" => {
            let fresh = stage.app.activity_by(&stage.organiser, |a| a).await.session;
            let photo = fresh_picture(someone).await;
            post(format!("/api/v1/sessions/{fresh}/headcounts"), parcels(10, &[&photo]))
        }
        "headcount_list" => get(format!("/api/v1/sessions/{}/headcounts", stage.activity.session)),
        "headcount_get" => get(format!("/api/v1/headcounts/{}", text(&stage.headcount().await, "id"))),
        "headcount_sample_create" => post(SAMPLES, stage.sample_input().await),
        "headcount_sample_list" => get(SAMPLES),
        "headcount_sample_get" => get(format!("{SAMPLES}/{}", stage.sample().await)),
        "headcount_sample_entries" => get(format!("{SAMPLES}/{}/entries", stage.sample().await)),
        "headcount_sample_draw" => post(format!("{SAMPLES}/{}/draws", stage.sample().await), json!({})),
        "headcount_finding_create" => {
            let made = stage.audited().await;
            let path = format!("/api/v1/headcounts/{}/findings", text(&made, "id"));
            post(path, json!({ "found": 9, "note": "照片可核对到 9 人" }))
        }
        _ => return super::visits_cases::case(stage, operation, someone).await,
    })
}
