//! `kill -9` while few places go round: everybody rushes for them, places are given back, and the waiting list moves up. No place and
//! no acceptance that was acknowledged is lost, none is doubled, and all counts agree with their rows.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use unionhall::clock::{Clock, SystemClock};
use unionhall::ids::{ActivityId, PersonId, QuotaId, SignupId};
use unionhall::offering::model::{Activity, Quota, QuotaKind};
use unionhall::platform::db::Db;
use unionhall::platform::db::schema::{activities, offers, quotas, signups};
use unionhall::signup::model::{OfferState, SignupState};

use super::{Server, Site, rounds};
use crate::harness::{Test, TestApp};

const WORKERS: usize = 24;
/// Places, of which some are for one sub-district: half of the workers are there.
const PLACES: i64 = 6;
const OF_STREET: i64 = 2;

pub const TESTS: &[Test] = tests![kill_minus_nine_keeps_places_and_the_waiting_list];

/// What one worker was told, and what they do not know the answer of.
#[derive(Default)]
struct Journal {
    /// Acknowledged: path, key, status, answer.
    answers: Vec<(String, String, u16, Value)>,
    /// The live sign-up, and whether a place was acknowledged for it.
    live: Option<(String, bool)>,
    /// A request without an answer: path and key, to be repeated.
    pending: Option<(String, String)>,
}

/// Somebody who wants a place.
struct Worker {
    token: String,
    journal: Mutex<Journal>,
}

async fn kill_minus_nine_keeps_places_and_the_waiting_list(app: TestApp) {
    let (db, database) = app.empty_database();
    let site = Arc::new(Site::new(database.url.expose_secret()));
    let mut server = Some(site.start().await);
    let activity = scarce_activity(&site).await;
    let workers = crowd(&site).await;
    let keys = Arc::new(AtomicU64::new(0));
    let mut random = StdRng::seed_from_u64(81);
    for round in 0..rounds() {
        let stop = Arc::new(AtomicBool::new(false));
        let rush: Vec<_> = workers
            .iter()
            .map(|worker| {
                let (site, worker, stop, keys) =
                    (Arc::clone(&site), Arc::clone(worker), Arc::clone(&stop), Arc::clone(&keys));
                let random = StdRng::seed_from_u64(random.next_u64());
                tokio::spawn(async move { worker.live(&site, activity, &stop, &keys, random).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(40..300))).await;
        // The first kill falls into the rush; on a slow machine the others wait until the list has moved at all.
        for _ in 0..200 {
            if round == 0 || count(&workers, "acceptances") > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        drop::<Option<Server>>(server.take());
        stop.store(true, Ordering::SeqCst);
        for one in rush {
            one.await.unwrap();
        }
        server = Some(site.start().await);
        for worker in &workers {
            worker.repeat_pending(&site).await;
        }
        for (number, worker) in workers.iter().enumerate() {
            worker.check(&site, activity, &format!("round {round}, worker {number}")).await;
        }
        agree(&db, activity, &workers, round).await;
    }
    let acknowledged = |what: &str| count(&workers, what);
    let figures = ["signups", "acceptances", "cancellations"].map(acknowledged);
    println!("{} crashes; sign-ups, acceptances, cancellations: {figures:?}", rounds());
    assert!(figures.iter().all(|number| *number > 0), "nothing moved: {figures:?}");
    drop(server.take());
    site.verify();
}

/// How many acknowledged acts have a path that ends so.
fn count(workers: &[Arc<Worker>], what: &str) -> usize {
    let of = |worker: &Arc<Worker>| {
        worker.journal.lock().unwrap().answers.iter().filter(|answer| answer.0.ends_with(what)).count()
    };
    workers.iter().map(of).sum()
}

async fn put(site: &Site, token: &str, read: &str, path: &str, body: &Value) {
    let seen = site.http.get(site.at(read)).bearer_auth(token).send().await.unwrap();
    let etag = seen.headers()["etag"].to_str().unwrap().to_owned();
    let request = site.http.put(site.at(path)).bearer_auth(token).header("If-Match", etag).json(body);
    let reply = request.send().await.unwrap();
    assert_eq!(reply.status(), 200, "PUT {path}: {}", reply.text().await.unwrap());
}

async fn street(site: &Site, token: &str) -> Value {
    site.get("/api/v1/organisations?kind=sub_district", token).await["items"][0]["id"].clone()
}

/// In two days, so that giving a place back is free and nobody's time to answer ends meanwhile.
async fn scarce_activity(site: &Site) -> ActivityId {
    let organiser = site.log_in("organiser").await;
    let programmes = site.get("/api/v1/programmes?kind=training&limit=100", &organiser).await;
    let street = street(site, &organiser).await;
    let now = SystemClock.now();
    let input = json!({
        "programme_id": programmes["items"][0]["id"], "organisation_id": street, "title": "scarce",
        "summary": "", "venue": "v", "address": "", "capacity": PLACES, "waiting_list": "strict",
        "signup_opens_at": now - TimeDelta::hours(1), "signup_closes_at": now + TimeDelta::hours(40),
        "sessions": [{ "starts_at": now + TimeDelta::hours(48), "ends_at": now + TimeDelta::hours(50) }],
    });
    let (status, made) =
        site.post("/api/v1/activities", Some(&organiser), "scarce-make", &input).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let managed = format!("/api/v1/managed-activities/{}", made["id"].as_str().unwrap());
    let quotas = json!({ "quotas": [
        { "kind": "street", "organisation_id": street, "capacity": OF_STREET },
        { "kind": "pool", "capacity": PLACES - OF_STREET },
    ] });
    put(site, &organiser, &managed, &format!("{managed}/quotas"), &quotas).await;
    let path = format!("{managed}/publications");
    assert_eq!(site.post(&path, Some(&organiser), "scarce-publish", &json!({})).await.unwrap().0, 200);
    made["id"].as_str().unwrap().parse().unwrap()
}

async fn crowd(site: &Site) -> Vec<Arc<Worker>> {
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let token = site.log_in(&format!("scarce-{number}")).await;
        if number % 2 == 0 {
            let profile = json!({ "name": "李一", "workplace_id": street(site, &token).await });
            put(site, &token, "/api/v1/me", "/api/v1/me", &profile).await;
        }
        workers.push(Arc::new(Worker { token, journal: Mutex::default() }));
    }
    workers
}

impl Worker {
    /// Signs up, takes what is offered or refuses it, gives places back: until the server is gone.
    async fn live(
        &self,
        site: &Site,
        activity: ActivityId,
        stop: &AtomicBool,
        keys: &AtomicU64,
        mut random: StdRng,
    ) {
        while !stop.load(Ordering::SeqCst) {
            let live = self.journal.lock().unwrap().live.clone();
            let path = match live {
                None => format!("/api/v1/activities/{activity}/signups"),
                Some((signup, true)) => format!("/api/v1/signups/{signup}/cancellations"),
                Some((signup, false)) => {
                    let path = format!("/api/v1/signups/{signup}");
                    let asked = site.http.get(site.at(&path)).bearer_auth(&self.token).send().await;
                    let Ok(reply) = asked else { return };
                    let Ok(seen) = reply.json::<Value>().await else { return };
                    match seen["state"].as_str() {
                        Some("offered") if random.random_bool(0.75) => format!("{path}/acceptances"),
                        Some("offered") => format!("{path}/cancellations"),
                        Some("waiting") if random.random_bool(0.05) => format!("{path}/cancellations"),
                        _ => continue,
                    }
                }
            };
            let key = format!("scarce-key-{:08}", keys.fetch_add(1, Ordering::SeqCst));
            self.journal.lock().unwrap().pending = Some((path.clone(), key.clone()));
            match site.post(&path, Some(&self.token), &key, &json!({})).await {
                None | Some((503, _)) => return,
                Some((status, body)) => self.acknowledge(path, key, status, body),
            }
        }
    }

    fn acknowledge(&self, path: String, key: String, status: u16, body: Value) {
        assert!(matches!(status, 200 | 201), "{path}: {status} {body}");
        let mut journal = self.journal.lock().unwrap();
        let id = body["id"].as_str().unwrap().to_owned();
        journal.live = match body["state"].as_str().unwrap() {
            "cancelled" => None,
            "confirmed" => Some((id, true)),
            "waiting" if status == 201 => Some((id, false)),
            other => panic!("{path}: {other}"),
        };
        journal.answers.push((path, key, status, body));
        journal.pending = None;
    }

    /// What got no answer gets one now: nobody else can have taken what was asked for.
    async fn repeat_pending(&self, site: &Site) {
        let pending = self.journal.lock().unwrap().pending.take();
        if let Some((path, key)) = pending {
            let (status, body) = site.post(&path, Some(&self.token), &key, &json!({})).await.unwrap();
            self.acknowledge(path, key, status, body);
        }
    }

    /// Compares what is there with what was acknowledged, and repeats the latest acts under their keys.
    async fn check(&self, site: &Site, activity: ActivityId, whose: &str) {
        let (latest, live) = {
            let journal = self.journal.lock().unwrap();
            (journal.answers.iter().rev().take(3).cloned().collect::<Vec<_>>(), journal.live.clone())
        };
        for (path, key, status, body) in latest {
            let again = site.post(&path, Some(&self.token), &key, &json!({})).await.unwrap();
            assert_eq!(again, (status, body), "{whose}: {path} again");
        }
        // The newest first: a live one is among them.
        let mine = site.get(&format!("/api/v1/me/signups?activity={activity}&limit=20"), &self.token).await;
        let alive: Vec<(&str, &str)> = mine["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["id"].as_str().unwrap(), row["state"].as_str().unwrap()))
            .filter(|(_, state)| *state != "cancelled")
            .collect();
        match (live, alive.as_slice()) {
            (None, []) => {}
            (Some((id, true)), [(found, "confirmed")]) if id == *found => {}
            (Some((id, false)), [(found, "waiting" | "offered")]) if id == *found => {}
            (told, found) => panic!("{whose} was told {told:?} and has {found:?}"),
        }
    }
}

type Row = (SignupId, PersonId, SignupState, Option<QuotaId>);

/// Counts are their rows, offers are those who are asked, nobody waits beside a place they could have, and there are as many
/// sign-ups and acceptances as were acknowledged.
async fn agree(db: &Db, activity: ActivityId, workers: &[Arc<Worker>], round: u64) {
    let read = db.read(move |conn| {
        let total: Activity = activities::table.find(activity).select(Activity::as_select()).first(conn)?;
        let nodes: Vec<Quota> =
            quotas::table.filter(quotas::activity_id.eq(activity)).select(Quota::as_select()).load(conn)?;
        let rows: Vec<Row> = signups::table
            .filter(signups::activity_id.eq(activity))
            .select((signups::id, signups::person_id, signups::state, signups::quota_id))
            .load(conn)?;
        let made: Vec<(SignupId, OfferState)> = offers::table
            .filter(offers::activity_id.eq(activity))
            .select((offers::signup_id, offers::state))
            .load(conn)?;
        Ok((total, nodes, rows, made))
    });
    let (total, nodes, rows, made) = read.await.unwrap();
    let of = |state: SignupState, quota: Option<QuotaId>| {
        let fits = |row: &&Row| row.2 == state && (quota.is_none() || row.3 == quota);
        i64::try_from(rows.iter().filter(fits).count()).unwrap()
    };
    let used = |quota| (of(SignupState::Confirmed, quota), of(SignupState::Offered, quota));
    assert_eq!((total.taken, total.held), used(None), "round {round}: the total");
    assert!(total.taken + total.held <= PLACES, "round {round}: a place too many");
    let pool = nodes.iter().find(|node| node.kind == QuotaKind::Pool).unwrap().id;
    for node in &nodes {
        assert_eq!((node.taken, node.held), used(Some(node.id)), "round {round}: {:?}", node.kind);
        assert!(node.taken + node.held <= node.capacity, "round {round}: {:?}", node.kind);
        let idle = node.taken + node.held < node.capacity;
        let waits = |row: &Row| row.2 == SignupState::Waiting && (row.3 == Some(node.id) || node.id == pool);
        assert!(!(idle && rows.iter().any(waits)), "round {round}: somebody waits beside a free place");
    }
    let open: Vec<SignupId> =
        made.iter().filter(|offer| offer.1 == OfferState::Open).map(|offer| offer.0).collect();
    let asked: BTreeSet<SignupId> =
        rows.iter().filter(|row| row.2 == SignupState::Offered).map(|row| row.0).collect();
    assert_eq!(open.len(), asked.len(), "round {round}: an offer too many");
    assert_eq!(
        open.into_iter().collect::<BTreeSet<_>>(),
        asked,
        "round {round}: offers and the asked differ"
    );
    let live: Vec<PersonId> =
        rows.iter().filter(|row| row.2 != SignupState::Cancelled).map(|row| row.1).collect();
    assert_eq!(live.iter().collect::<HashSet<_>>().len(), live.len(), "round {round}: somebody lives twice");

    assert_eq!(rows.len(), count(workers, "signups"), "round {round}: sign-ups, and those acknowledged");
    let accepted = made.iter().filter(|offer| offer.1 == OfferState::Accepted).count();
    assert_eq!(accepted, count(workers, "acceptances"), "round {round}: acceptances, and those acknowledged");
    let mut times: HashMap<SignupId, usize> = HashMap::new();
    for (signup, _) in made.iter().filter(|offer| offer.1 == OfferState::Accepted) {
        *times.entry(*signup).or_default() += 1;
    }
    assert!(times.values().all(|number| *number == 1), "round {round}: a place accepted twice");
}
