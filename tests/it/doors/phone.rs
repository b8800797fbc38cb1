//! A phone that scans without a signal, as a client would write it.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use unionhall::ids::SessionId;

use crate::harness::{Actor, Reply, TestApp};

/// A phone with its key, and what it has scanned.
pub struct Phone {
    pub id: String,
    pub key: Vec<u8>,
    pub token: String,
    pub staff: Actor,
    seq: i64,
}

fn sign(key: &[u8], bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(bytes);
    hex::encode(mac.finalize().into_bytes())
}

impl Phone {
    /// Enrols a phone of 平湖 for the door of `session`, and fetches its list.
    pub async fn enrol(app: &TestApp, session: SessionId) -> Self {
        let mut phone = Self::bare(app).await;
        phone.task(app, session, false).await;
        phone.token = phone.list(session).await["token"].as_str().unwrap().to_owned();
        phone
    }

    /// A phone without a task.
    pub async fn bare(app: &TestApp) -> Self {
        let organiser = app.staff("organiser").await;
        let body = json!({ "organisation_id": app.organisation("street-pinghu").await, "name": organiser.fresh_key() });
        let made = organiser.post("/api/v1/devices", body).await.ok(201);
        let id = made["id"].as_str().unwrap().to_owned();
        let reveal = organiser
            .request(Method::POST, &format!("/api/v1/devices/{id}/keys"))
            .json(&json!({ "purpose": "安装签到设备" }));
        let key = organiser.send(reveal).await.ok(200)["key"].as_str().unwrap().to_owned();
        let key = hex::decode(key).unwrap();
        Self { id, key, token: String::new(), staff: app.staff("gate").await, seq: 0 }
    }

    /// Gives it the task to scan at `session`, or takes it back.
    pub async fn task(&self, app: &TestApp, session: SessionId, revoke: bool) {
        let body = json!({ "session_id": session, "task": "scan", "revoke": revoke });
        app.staff("organiser").await.post(&format!("/api/v1/devices/{}/tasks", self.id), body).await.ok(200);
    }

    /// The list of `session`, its seal checked.
    pub async fn list(&self, session: SessionId) -> Value {
        let list = self.staff.get(&format!("/api/v1/devices/{}/bundles/{session}", self.id)).await.ok(200);
        let payload = list["payload"].as_str().unwrap();
        assert_eq!(list["signature"], sign(&self.key, payload.as_bytes()));
        serde_json::from_str(payload).unwrap()
    }

    /// A scan at the door.
    pub fn scans(&mut self, app: &TestApp, pass: &str, at: DateTime<Utc>) -> Value {
        self.seq += 1;
        let id = uuid::Builder::from_random_bytes(app.ids().bytes::<16>()).into_uuid();
        json!({ "id": id.to_string(), "seq": self.seq, "at": at, "pass": pass })
    }

    /// Sends scans.
    pub async fn send(&self, app: &TestApp, scans: &[Value]) -> Reply {
        self.send_as(&self.staff, app, scans).await
    }

    /// Sends scans as somebody.
    pub async fn send_as(&self, staff: &Actor, app: &TestApp, scans: &[Value]) -> Reply {
        let body = json!({ "token": self.token, "device_now": app.now(), "scans": scans }).to_string();
        let signature = self.signature(&body);
        self.post(staff, body, &signature).await
    }

    /// What its key says of a body.
    pub fn signature(&self, body: &str) -> String {
        sign(&self.key, body.as_bytes())
    }

    /// Sends a body with a signature.
    pub async fn post(&self, staff: &Actor, body: String, signature: &str) -> Reply {
        let request = staff
            .request(Method::POST, &format!("/api/v1/devices/{}/uploads", self.id))
            .header("content-type", "application/json")
            .header("x-device-signature", signature)
            .body(body);
        staff.send(request).await
    }

    /// The outcomes of scans that it sends.
    pub async fn outcomes(&self, app: &TestApp, scans: &[Value]) -> Vec<String> {
        let view = self.send(app, scans).await.ok(200);
        let results = view["results"].as_array().unwrap();
        results
            .iter()
            .map(|one| format!("{} {}", one["verdict"].as_str().unwrap(), one["outcome"].as_str().unwrap()))
            .collect()
    }
}
