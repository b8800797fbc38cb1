//! Valid requests for the operations at the door.

use diesel::prelude::*;
use serde_json::json;
use unionhall::clock::db_time;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::attendances;

use super::cases::{Call, Stage, get, post};
use crate::doors::phone::Phone;
use crate::harness::Actor;
use crate::harness::factory::Made;

impl Stage {
    /// A session, and the sign-up of somebody new for it.
    async fn with_place(&self) -> (Made, serde_json::Value) {
        let fresh = self.fresh_activity(true).await;
        let worker = self.app.worker(&self.organiser.fresh_key()).await;
        let made = worker.sign_up(&fresh).await.ok(201);
        (fresh, made["id"].clone())
    }

    /// A session at which `someone` is expected, and nowhere else at that time.
    async fn alone(&self, someone: &Actor) -> Made {
        let fresh = self.fresh_activity(true).await;
        if someone.token.is_some() {
            someone.sign_up(&fresh).await.ok(201);
            let person = someone.person();
            let gone = db_time(self.app.now());
            let left = move |c: &mut Conn| {
                let theirs = attendances::table.filter(attendances::person_id.eq(person));
                Ok(diesel::update(theirs).set(attendances::left_at.eq(gone)).execute(c)?)
            };
            self.app.write(left).await;
        }
        fresh
    }
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    let app = &stage.app;
    let session = stage.activity.session;
    Some(match operation {
        "checkout_create" => {
            let fresh = stage.fresh_activity(true).await;
            let worker = app.worker(&stage.organiser.fresh_key()).await;
            worker.sign_up(&fresh).await.ok(201);
            app.staff("gate").await.scan(fresh.session, &worker.pass().await).await.ok(200);
            let path = format!("/api/v1/sessions/{}/checkouts", fresh.session);
            post(path, json!({ "pass": worker.pass().await }))
        }
        "session_code_get" => get(format!("/api/v1/sessions/{session}/code")),
        "session_code_picture" => get(format!("/api/v1/sessions/{session}/code-picture")),
        "session_code_wechat" => get(format!("/api/v1/sessions/{session}/code-wechat")),
        "session_standing" => get(format!("/api/v1/sessions/{session}/standing")),
        "conflict_list" => get(format!("/api/v1/sessions/{session}/conflicts")),
        "session_fence_set" => {
            let body = json!({ "latitude": 22.6891, "longitude": 114.1132, "metres": 150 });
            post(format!("/api/v1/sessions/{session}/fences"), body)
        }
        "self_checkin_create" => {
            let fresh = stage.alone(someone).await;
            let gate = app.staff("gate").await;
            let code = gate.get(&format!("/api/v1/sessions/{}/code", fresh.session)).await.ok(200);
            post("/api/v1/me/checkins", json!({ "code": code["code"] }))
        }
        "spoken_checkin_create" => {
            let fresh = stage.alone(someone).await;
            let gate = app.staff("gate").await;
            let code = gate.get(&format!("/api/v1/sessions/{}/code", fresh.session)).await.ok(200);
            post(
                format!("/api/v1/sessions/{}/spoken-checkins", fresh.session),
                json!({ "digits": code["digits"] }),
            )
        }
        "walk_in_create" => {
            let fresh = stage.fresh_activity(true).await.session;
            // Somebody new each time: nobody is at two sessions at once.
            let number = u32::from_be_bytes(app.ids().bytes::<4>()) % 100_000_000;
            let body = json!({ "phone": format!("139{number:08}"), "name": "张三丰", "consent": true });
            post(format!("/api/v1/sessions/{fresh}/walk-ins"), body)
        }
        "roster_checkin_create" => {
            let fresh = stage.fresh_activity(true).await.session;
            post(format!("/api/v1/sessions/{fresh}/roster-checkins"), json!({ "absent": [] }))
        }
        "checkin_undo" => {
            let fresh = stage.fresh_activity(true).await;
            let worker = app.worker(&stage.organiser.fresh_key()).await;
            worker.sign_up(&fresh).await.ok(201);
            let gate = app.staff("gate").await;
            let made = gate.scan(fresh.session, &worker.pass().await).await.ok(200);
            let path = format!("/api/v1/checkins/{}/undoings", made["id"].as_str().unwrap());
            post(path, json!({ "reason": "扫错了人" }))
        }
        "completion_list" => {
            let course = crate::doors::completing::course(app, 1, "sessions", 80).await;
            get(format!("/api/v1/activities/{}/completions", course.id))
        }
        "signup_completion_get" => {
            let course = crate::doors::completing::course(app, 1, "sessions", 80).await;
            let made = someone.sign_up(&course).await.ok(201);
            get(format!("/api/v1/signups/{}/completion", made["id"].as_str().unwrap()))
        }
        "session_reopen" => {
            let fresh = stage.fresh_activity(true).await.session;
            app.staff("gate").await.finalise(fresh).await.ok(200);
            post(format!("/api/v1/sessions/{fresh}/reopenings"), json!({ "reason": "漏录一张签到表" }))
        }
        "sheet_get" => {
            let (fresh, signup) = stage.with_place().await;
            let path = format!("/api/v1/sessions/{}/sheets", fresh.session);
            let sheet = app.staff("gate").await.post(&path, json!({ "signup_ids": [signup] })).await.ok(201);
            get(format!("/api/v1/sheets/{}", sheet["id"].as_str().unwrap()))
        }
        "sheet_list" => get(format!("/api/v1/sessions/{session}/sheets")),
        "sheet_create" => {
            let (fresh, signup) = stage.with_place().await;
            post(format!("/api/v1/sessions/{}/sheets", fresh.session), json!({ "signup_ids": [signup] }))
        }
        "sheet_check" => {
            let (fresh, signup) = stage.with_place().await;
            let typist =
                super::staff_of(app, &stage.organiser.fresh_key(), "checkin_staff", "longgang").await;
            let path = format!("/api/v1/sessions/{}/sheets", fresh.session);
            let sheet = typist.post(&path, json!({ "signup_ids": [signup] })).await.ok(201);
            post(
                format!("/api/v1/sheets/{}/checks", sheet["id"].as_str().unwrap()),
                json!({ "agrees": true }),
            )
        }
        "excuse_record" => {
            let fresh = stage.fresh_activity(true).await;
            let made = stage.guest.sign_up(&fresh).await.ok(201);
            let body = json!({ "signup_id": made["id"], "ground": "duty" });
            post(format!("/api/v1/sessions/{}/excuses", fresh.session), body)
        }
        "device_create" => {
            let body = json!({ "organisation_id": stage.organisation, "name": "1 号签到机" });
            post("/api/v1/devices", body)
        }
        "device_list" => get("/api/v1/devices"),
        "device_get" => get(format!("/api/v1/devices/{}", Phone::bare(app).await.id)),
        "device_task_set" => {
            let body = json!({ "session_id": session, "task": "scan" });
            post(format!("/api/v1/devices/{}/tasks", Phone::bare(app).await.id), body)
        }
        "device_revoke" => {
            post(format!("/api/v1/devices/{}/revocations", Phone::bare(app).await.id), json!({}))
        }
        "device_key_reveal" => {
            let body = json!({ "purpose": "安装签到设备" });
            post(format!("/api/v1/devices/{}/keys", Phone::bare(app).await.id), body)
        }
        "bundle_get" => {
            let phone = Phone::enrol(app, session).await;
            get(format!("/api/v1/devices/{}/bundles/{session}", phone.id))
        }
        "scan_upload" => {
            let mut phone = Phone::enrol(app, session).await;
            let scan = phone.scans(app, &stage.guest.pass().await, app.now());
            let body = json!({ "token": phone.token, "device_now": app.now(), "scans": [scan] });
            let signature = phone.signature(&body.to_string());
            post(format!("/api/v1/devices/{}/uploads", phone.id), body).signed(signature)
        }
        _ => return super::membership_cases::case(stage, operation, someone).await,
    })
}
