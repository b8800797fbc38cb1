//! Who asks for legal aid and who works at it, for tests that tell a story over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use unionhall::ids::CaseId;
use unionhall::legal_aid::machine::Act;
use unionhall::legal_aid::model::{ClockKind, TeamRole};
use unionhall::legal_aid::{acting, clocks, store, team};

use crate::harness::{Actor, Reply, TestApp};

/// Where one asks, and finds what one asked for.
pub const REQUESTS: &str = "/api/v1/me/legal-requests";

/// The ground of a story: a street's desk, the district's, and who works there.
pub struct Ground {
    /// The application.
    pub app: TestApp,
    /// Receives requests at 平湖.
    pub officer: Actor,
    /// Receives requests at the district.
    pub district: Actor,
    /// Leads legal aid in the district.
    pub lead: Actor,
    /// Handles cases.
    pub lawyer: Actor,
}

/// A request as it was received.
pub struct Asked {
    /// Who asked.
    pub worker: Actor,
    /// Its id.
    pub id: CaseId,
    /// The answer.
    pub reply: Reply,
}

/// What is asked for at least: a worker from elsewhere whose wages are owed.
pub fn input() -> Value {
    json!({
        "category": "labour_dispute", "matter": "labour_relation", "form": "representation",
        "employer": "龙岗示例电子厂", "facts": "2025年3月起拖欠工资。", "wishes": "支付三个月工资。",
        "exemption": "migrant_pay",
    })
}

/// [`input`] with the fields of `change` instead; null takes one out.
pub fn input_with(change: Value) -> Value {
    let mut body = input();
    let fields = body.as_object_mut().unwrap();
    for (field, value) in change.as_object().unwrap() {
        match value {
            Value::Null => fields.remove(field),
            value => fields.insert(field.clone(), value.clone()),
        };
    }
    body
}

impl Ground {
    /// The seeded staff of legal aid.
    pub async fn of(app: &TestApp) -> Self {
        Self {
            app: app.clone(),
            officer: app.staff("legal-pinghu").await,
            district: app.staff("legal").await,
            lead: app.staff("legal-lead").await,
            lawyer: app.staff("legal-lawyer").await,
        }
    }

    /// Time passes, and who works here logs in again.
    pub async fn later(&mut self, by: chrono::TimeDelta) {
        self.app.advance(by);
        for actor in [&mut self.officer, &mut self.district, &mut self.lead, &mut self.lawyer] {
            actor.log_in().await;
        }
    }

    /// Somebody who works at a unit of 平湖.
    pub async fn worker(&self, user: &str) -> Actor {
        let worker = self.app.worker(user).await;
        let unit = self.app.organisation("demo-enterprise-pinghu-1").await;
        worker.set_profile("李小工", Some(unit)).await;
        worker
    }

    /// `user` of 平湖 asks, with what `change` says otherwise than [`input`].
    pub async fn ask(&self, user: &str, change: Value) -> Asked {
        let worker = self.worker(user).await;
        ask_as(&worker, change).await
    }

    /// `officer` does something to a case as they have read it just now.
    pub async fn act(&self, officer: &Actor, id: CaseId, act: &str, body: Value) -> Reply {
        let path = format!("/api/v1/legal-cases/{id}");
        let etag = officer.get(&path).await.etag();
        let request = officer
            .request(Method::POST, &format!("{path}/{act}"))
            .header("if-match", etag)
            .header("idempotency-key", officer.fresh_key())
            .json(&body);
        officer.send(request).await
    }

    /// `officer` leads the case from now on.
    pub async fn led(&self, id: CaseId, officer: &Actor) {
        let (person, ids, now) = (officer.person(), self.app.ids().clone(), self.app.now());
        self.app
            .write(move |conn| {
                assert!(team::join_in_tx(conn, &ids, id, person, TeamRole::Handler, now)?);
                Ok(())
            })
            .await;
    }

    /// The desk waits for what is missing, as after its notice; what it lacks, the notice itself, is no matter of the applicant's acts.
    pub async fn noticed(&self, id: CaseId) {
        let (person, ids, now) = (self.officer.person(), self.app.ids().clone(), self.app.now());
        let vault = self.app.app().platform().vault.clone();
        self.app
            .write(move |conn| {
                let case = store::locked_in_tx(conn, id)?;
                clocks::pause_in_tx(conn, id, ClockKind::Review, now)?;
                clocks::start_in_tx(conn, &ids, id, ClockKind::Supplement, now)?;
                acting::act_in_tx(conn, &ids, &vault, &case, Act::Notice, Some(person), None, None, now)
            })
            .await;
    }
}

/// `worker` asks, with what `change` says otherwise than [`input`].
pub async fn ask_as(worker: &Actor, change: Value) -> Asked {
    let reply = worker.post(REQUESTS, input_with(change)).await;
    let id = reply.expect(201).body["id"].as_str().unwrap().parse().unwrap();
    Asked { worker: worker.clone(), id, reply }
}

impl Asked {
    /// Its owner logs in again.
    pub async fn back(&mut self) {
        self.worker.log_in().await;
    }

    /// Where its owner reads it.
    pub fn path(&self) -> String {
        format!("{REQUESTS}/{}", self.id)
    }

    /// The request as its owner sees it now.
    pub async fn seen(&self) -> Value {
        self.worker.get(&self.path()).await.ok(200)
    }

    /// Its owner acts.
    pub async fn act(&self, act: &str, body: Value) -> Reply {
        self.worker.post(&format!("{}/{act}", self.path()), body).await
    }

    /// When the desk's term to decide ends; none while it stands.
    pub async fn review_due(&self, app: &TestApp) -> Option<chrono::NaiveDateTime> {
        let id = self.id;
        let running = app.read(move |conn| clocks::running(conn, id)).await;
        running.into_iter().find(|clock| clock.kind == ClockKind::Review).and_then(|clock| clock.due_at)
    }
}
