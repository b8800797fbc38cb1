//! `kill -9` of the real binary under load: nothing that was acknowledged is missing, nothing is doubled on retry.
//!
//! A few crashes in the suite; `UNIONHALL_CRASHES=50 UNIONHALL_TEST_SECONDS=600 cargo test durability` for more.

pub mod places;

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{Test, TestApp, quiet_port};

const BINARY: &str = env!("CARGO_BIN_EXE_unionhall");
const WORKERS: usize = 24;

pub const TESTS: &[Test] = tests![kill_minus_nine_loses_and_doubles_nothing];

/// Runs the real binary on a database of its own, beside the test's application.
async fn kill_minus_nine_loses_and_doubles_nothing(app: TestApp) {
    let (_, database) = app.empty_database();
    story(database.url.expose_secret(), rounds()).await;
}

/// How often the server is killed.
fn rounds() -> u64 {
    std::env::var("UNIONHALL_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

/// The server, killed without mercy when dropped.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL: the process gets no chance to tidy up.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The real binary on a database and free ports of its own.
pub struct Site {
    database: String,
    port: u16,
    sim: u16,
    http: reqwest::Client,
}

impl Site {
    /// On the database at this URL.
    pub fn new(database: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self { database: database.into(), port: quiet_port(), sim: quiet_port(), http }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        for (name, value) in [
            ("DATABASE__URL", self.database.clone()),
            ("SERVER__LISTEN", format!("127.0.0.1:{}", self.port)),
            ("SERVER__METRICS_LISTEN", String::new()),
            ("SERVER__WORKERS", "2".into()),
            ("WECHAT__SIMULATOR_LISTEN", format!("127.0.0.1:{}", self.sim)),
            ("AUTH__ACCESS_MINUTES", "600".into()),
            ("LIMITS__PER_ADDRESS", "0".into()),
            ("LIMITS__PER_PERSON", "0".into()),
            ("LIMITS__LOGINS_PER_ADDRESS", "0".into()),
            ("LOG__LEVEL", "error".into()),
        ] {
            command.env(format!("UNIONHALL__{name}"), value);
        }
        command
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.at("")
    }

    /// Where its simulated WeChat is.
    pub fn sim_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.sim)
    }

    /// Starts it, and waits until it is ready.
    pub async fn start(&self) -> Server {
        let child = self.command().stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut server = Server(child);
        for _ in 0..600 {
            assert!(server.0.try_wait().unwrap().is_none(), "the server ended at its start");
            if self.http.get(self.at("/readyz")).send().await.is_ok_and(|reply| reply.status() == 200) {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server is not ready after 15 s");
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn log_in(&self, user: &str) -> String {
        let sim = format!("{}/sim/login-code?user={user}", self.sim_url());
        let code: Value = self.http.get(sim).send().await.unwrap().json().await.unwrap();
        let body = json!({ "code": code["code"] });
        let tokens = self.post("/api/v1/auth/wechat-logins", None, "", &body).await.unwrap().1;
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    /// The answer, or none when the connection broke.
    async fn post(&self, path: &str, token: Option<&str>, key: &str, body: &Value) -> Option<(u16, Value)> {
        let mut request = self.http.post(self.at(path)).header("Idempotency-Key", key).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let reply = request.send().await.ok()?;
        let status = reply.status().as_u16();
        let text = reply.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        let reply = self.http.get(self.at(path)).bearer_auth(token).send().await.unwrap();
        assert_eq!(reply.status(), 200, "GET {path}");
        reply.json().await.unwrap()
    }

    /// The ledger and the audit chain are whole; the server must have ended.
    pub fn verify(&self) {
        for command in [["ledger", "verify"], ["audit", "verify"]] {
            let output = self.command().args(command).output().unwrap();
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

/// What one worker was told, in order, and what it does not know the answer of.
#[derive(Default)]
struct Journal {
    /// Acknowledged: key → answer.
    answers: HashMap<String, (u16, Value)>,
    /// The live sign-up as acknowledged.
    live: Option<String>,
    /// A request without an answer: path and key, to be repeated.
    pending: Option<(String, String)>,
    checked_in: bool,
}

async fn story(url: &str, rounds: u64) {
    let site = Arc::new(Site::new(url));
    let mut server = Some(site.start().await);
    let organiser = site.log_in("organiser").await;
    let gate = Arc::new(site.log_in("gate").await);
    let (activity, session) = make_activity(&site, &organiser).await;
    let mut tokens = Vec::new();
    for number in 0..WORKERS {
        tokens.push(Arc::new(site.log_in(&format!("crash-{number}")).await));
    }
    let journals: Vec<Arc<Mutex<Journal>>> = (0..WORKERS).map(|_| Arc::default()).collect();
    let keys = Arc::new(AtomicU64::new(0));
    let mut random = StdRng::seed_from_u64(50);
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let crowd: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (site, stop, keys) = (Arc::clone(&site), Arc::clone(&stop), Arc::clone(&keys));
                let (token, gate) = (Arc::clone(&tokens[number]), Arc::clone(&gate));
                let (journal, activity, session) =
                    (Arc::clone(&journals[number]), activity.clone(), session.clone());
                // The first few come to the door, one a round; the others sign up and cancel all the time.
                let comes = number as u64 == round && number < WORKERS / 2;
                tokio::spawn(async move {
                    work(&site, &stop, &keys, &token, &gate, &journal, &activity, &session, comes).await;
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(40 + u64::from(random.next_u32() % 260))).await;
        drop(server.take());
        stop.store(true, Ordering::SeqCst);
        for one in crowd {
            one.await.unwrap();
        }
        server = Some(site.start().await);
        for number in 0..WORKERS {
            check(&site, &tokens[number], &journals[number], &format!("round {round}, worker {number}"))
                .await;
        }
    }
    let detail = site.get(&format!("/api/v1/managed-activities/{activity}"), &organiser).await;
    let live = journals.iter().filter(|journal| journal.lock().unwrap().live.is_some()).count();
    assert_eq!(detail["places_left"], json!(100_000 - live), "places left after {rounds} crashes");
    let acknowledged: usize = journals.iter().map(|journal| journal.lock().unwrap().answers.len()).sum();
    println!("{rounds} crashes, {acknowledged} acknowledged acts");
    drop(server.take());
    site.verify();
}

async fn make_activity(site: &Site, organiser: &str) -> (String, String) {
    let programmes = site.get("/api/v1/programmes?kind=training&limit=100", organiser).await;
    let streets = site.get("/api/v1/organisations?kind=sub_district", organiser).await;
    let clock = unionhall::clock::SystemClock;
    let now = unionhall::clock::Clock::now(&clock);
    let hours = chrono::TimeDelta::hours;
    let input = json!({
        "programme_id": programmes["items"][0]["id"], "organisation_id": streets["items"][0]["id"], "title": "crash",
        "summary": "", "venue": "v", "address": "", "capacity": 100_000, "signup_opens_at": now - hours(1),
        "signup_closes_at": now + hours(3), "free_cancel_hours": 0, "sessions": [{ "starts_at": now + hours(1), "ends_at": now + hours(4) }],
    });
    let (status, made) =
        site.post("/api/v1/activities", Some(organiser), "crash-make", &input).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let activity = made["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/managed-activities/{activity}/publications");
    assert_eq!(site.post(&path, Some(organiser), "crash-publish", &json!({})).await.unwrap().0, 200);
    (activity, made["sessions"][0]["id"].as_str().unwrap().to_owned())
}

#[expect(clippy::too_many_arguments, reason = "one worker's whole world")]
async fn work(
    site: &Site,
    stop: &AtomicBool,
    keys: &AtomicU64,
    token: &str,
    gate: &str,
    journal: &Mutex<Journal>,
    activity: &str,
    session: &str,
    comes: bool,
) {
    while !stop.load(Ordering::SeqCst) {
        let (live, checked_in) = {
            let journal = journal.lock().unwrap();
            (journal.live.clone(), journal.checked_in)
        };
        if checked_in {
            return;
        }
        let key = format!("crash-key-{:08}", keys.fetch_add(1, Ordering::SeqCst));
        if comes && live.is_some() {
            let Ok(reply) = site.http.get(site.at("/api/v1/me/pass")).bearer_auth(token).send().await else {
                return;
            };
            let Ok(pass) = reply.json::<Value>().await else { return };
            let path = format!("/api/v1/sessions/{session}/checkins");
            if let Some((200, _)) = site.post(&path, Some(gate), &key, &json!({ "pass": pass["code"] })).await
            {
                journal.lock().unwrap().checked_in = true;
            }
            return;
        }
        let path = match &live {
            Some(signup) => format!("/api/v1/signups/{signup}/cancellations"),
            None => format!("/api/v1/activities/{activity}/signups"),
        };
        journal.lock().unwrap().pending = Some((path.clone(), key.clone()));
        match site.post(&path, Some(token), &key, &json!({})).await {
            // Being told to wait is an answer without effect; the same key is used again after the crash.
            None | Some((503 | 409, _)) => return,
            Some((status, body)) => acknowledge(&mut journal.lock().unwrap(), key, status, body),
        }
    }
}

fn acknowledge(journal: &mut Journal, key: String, status: u16, body: Value) {
    assert!(matches!(status, 200 | 201), "{status} {body}");
    journal.live = (status == 201).then(|| body["id"].as_str().unwrap().to_owned());
    journal.answers.insert(key, (status, body));
    journal.pending = None;
}

/// After a restart: repeats what got no answer, and compares what is there with what was acknowledged.
async fn check(site: &Site, token: &str, journal: &Mutex<Journal>, whose: &str) {
    let pending = journal.lock().unwrap().pending.take();
    if let Some((path, key)) = pending {
        let (status, body) = site.post(&path, Some(token), &key, &json!({})).await.unwrap();
        let mut journal = journal.lock().unwrap();
        // A check-in that committed without its answer has closed the way to cancel.
        if status == 409 && body["code"] == "signup_attended" {
            journal.checked_in = true;
        } else {
            acknowledge(&mut journal, key, status, body);
        }
    }
    let answered: Option<(String, u16, Value)> = {
        let journal = journal.lock().unwrap();
        journal.answers.iter().next().map(|(key, (status, body))| (key.clone(), *status, body.clone()))
    };
    if let Some((key, status, body)) = answered {
        let path = if status == 201 {
            format!("/api/v1/activities/{}/signups", body["activity_id"].as_str().unwrap())
        } else {
            format!("/api/v1/signups/{}/cancellations", body["id"].as_str().unwrap())
        };
        assert_eq!(
            site.post(&path, Some(token), &key, &json!({})).await.unwrap(),
            (status, body),
            "{whose}: replay"
        );
    }
    let mine = site.get("/api/v1/me/signups?limit=100", token).await;
    let alive: Vec<&str> = mine["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] != "cancelled")
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    let (live, checked_in) = {
        let journal = journal.lock().unwrap();
        (journal.live.clone(), journal.checked_in)
    };
    assert_eq!(alive, live.as_deref().into_iter().collect::<Vec<_>>(), "{whose}: what was acknowledged");
    if checked_in {
        let state = mine["items"].as_array().unwrap().iter().find(|row| row["state"] == "attended");
        assert!(state.is_some(), "{whose}: an acknowledged check-in is missing");
    }
}
