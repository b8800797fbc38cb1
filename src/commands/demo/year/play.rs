//! Plays events over HTTP, one after the other, and moves the clock to each.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::client::{Session, Site, field, id};
use super::super::{Outcome, name};
use super::events::{Event, What, street_of, workplace};
use super::pictures;
use crate::clock::{Clock, ManualClock};

/// Departments with somebody who signs for them.
const DEPARTMENTS: [&str; 5] =
    ["dept-office", "dept-education", "dept-rights", "dept-organisation", "dept-audit"];

/// What became of an activity of the script.
#[derive(Default)]
pub(super) struct Made {
    /// Its sessions.
    pub(super) sessions: Vec<String>,
    /// Its headcounts, by the place of the session.
    pub(super) headcounts: HashMap<usize, String>,
}

/// Everybody who plays, and what has been made so far.
pub(super) struct Player<'a> {
    pub(super) site: &'a Site,
    pub(super) clock: &'a ManualClock,
    organisations: HashMap<String, String>,
    programmes: Vec<Value>,
    users: HashMap<String, Arc<Session>>,
    moved: HashMap<u32, &'static str>,
    pub(super) meetings: HashMap<usize, Made>,
    pub(super) visits: HashMap<u32, String>,
    /// Cases of legal aid, with who asked.
    pub(super) aided: HashMap<u32, (String, u32)>,
    pictures: u32,
}

impl<'a> Player<'a> {
    /// Gets ready: the union tree, the programmes, and officers who sign for the departments.
    pub(super) async fn new(site: &'a Site, clock: &'a ManualClock) -> Outcome<Self> {
        let organisations = site.anonymous().list("/api/v1/organisations").await?;
        let text = |row: &Value, name: &str| field(row, name).as_str().unwrap_or_default().to_owned();
        let organisations = organisations.iter().map(|row| (text(row, "code"), text(row, "id"))).collect();
        let programmes = site.anonymous().list("/api/v1/programmes").await?;
        let mut player = Self {
            site,
            clock,
            organisations,
            programmes,
            users: HashMap::new(),
            moved: HashMap::new(),
            meetings: HashMap::new(),
            visits: HashMap::new(),
            aided: HashMap::new(),
            pictures: 0,
        };
        let admin = player.user("admin").await?;
        for department in DEPARTMENTS {
            let signer = player.user(&signer(department)).await?;
            let grant = json!({
                "person_id": signer.person(), "role": "reviewer", "organisation_id": player.organisation(department)?,
            });
            admin.post("/api/v1/staff-grants", &grant).await?;
        }
        Ok(player)
    }

    /// Lets `event` happen.
    pub(super) async fn play(&mut self, event: &Event) -> Outcome<()> {
        self.clock.set(event.when.instant().max(self.clock.now()));
        let day = event.when.date();
        let played = match &event.what {
            What::Meeting(meeting) => self.meeting(meeting).await,
            What::Visits(visits) => self.visit(day, visits).await,
            What::Report(report) => self.report(report).await,
            What::Aid(aid) => self.aid(aid).await,
            What::AidAnnulled { number } => self.annul_aid(*number).await,
            What::Moves { worker, workplace } => {
                self.moved.insert(*worker, *workplace);
                let session = self.user(&regular(*worker)).await?;
                self.set_profile(&session, *worker).await
            }
            What::Close(month) => self.close(*month).await,
            What::LateCrowd { meeting, number } => self.late_crowd(*meeting, *number).await,
            What::UndoneVisit { worker } => self.undo_visit(*worker).await,
            What::Restate(month) => self.restate(*month).await,
            What::Audit { street, quarter, meeting, found } => {
                self.audit((*street, *quarter), *meeting, *found).await
            }
        };
        played.map_err(|why| format!("{day}: {why}"))
    }

    /// The id of the organisation with this code.
    pub(super) fn organisation(&self, code: &str) -> Outcome<&str> {
        let found = self.organisations.get(code).map(String::as_str);
        found.ok_or_else(|| format!("没有组织 / there is no organisation {code}"))
    }

    /// The programme with this kind, topic and audience.
    pub(super) fn programme(&self, kind: &str, topic: &str, audience: &str) -> Outcome<&Value> {
        let fits = |row: &&Value| {
            field(row, "kind") == kind && field(row, "topic") == topic && field(row, "audience") == audience
        };
        self.programmes.iter().find(fits).ok_or_else(|| {
            format!("没有这样的项目，请先载入演示数据 / no programme {kind}, {topic}, {audience}: load the demonstration")
        })
    }

    /// A simulated WeChat user, logged in.
    pub(super) async fn user(&mut self, user: &str) -> Outcome<Arc<Session>> {
        if let Some(session) = self.users.get(user) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.site.log_in(user).await?);
        self.users.insert(user.to_owned(), Arc::clone(&session));
        Ok(session)
    }

    /// A worker with a phone, who has said where they work.
    pub(super) async fn worker(&mut self, worker: u32) -> Outcome<Arc<Session>> {
        let is_new = !self.users.contains_key(&regular(worker));
        let session = self.user(&regular(worker)).await?;
        if is_new {
            self.set_profile(&session, worker).await?;
        }
        Ok(session)
    }

    async fn set_profile(&self, session: &Session, worker: u32) -> Outcome<()> {
        let profile = json!({ "name": name(worker), "workplace_id": self.organisation(self.works(worker))? });
        session.put("/api/v1/me", "/api/v1/me", &profile).await.map(|_| ())
    }

    /// Where somebody works.
    pub(super) fn works(&self, worker: u32) -> &'static str {
        self.moved.get(&worker).copied().unwrap_or_else(|| workplace(worker))
    }

    /// Who agrees to the headcounts of an organiser.
    pub(super) async fn reviewer_of(&mut self, organiser: &str) -> Outcome<Arc<Session>> {
        // 平湖 has a reviewer of its own; of all others the district decides.
        let pinghu = street_of(organiser) == "street-pinghu";
        self.user(if pinghu { "reviewer-pinghu" } else { "reviewer" }).await
    }

    /// The officer who signs for a department.
    pub(super) async fn signer(&mut self, department: &str) -> Outcome<Arc<Session>> {
        self.user(&signer(department)).await
    }

    /// A new picture that somebody uploads as evidence.
    pub(super) async fn evidence(&mut self, of: &Session) -> Outcome<String> {
        self.pictures += 1;
        let (media, form) = pictures::form(self.pictures)?;
        id(&of.post_file("/api/v1/files", media, &form).await?)
    }
}

fn regular(worker: u32) -> String {
    format!("year-worker-{worker}")
}

fn signer(department: &str) -> String {
    format!("year-{department}")
}

/// A number of the mainland that nobody else has.
pub(super) fn phone(worker: u32) -> String {
    format!("139{worker:08}")
}

/// Decides about the request that `of` waits for, as it stands now.
pub(super) async fn decide(officer: &Session, of: &Value, decision: &Value) -> Outcome<()> {
    let review = field(of, "review_id").as_str().ok_or_else(|| format!("no review of {of}"))?;
    let path = format!("/api/v1/reviews/{review}");
    officer.post_to(&path, &format!("{path}/decisions"), decision).await.map(|_| ())
}

/// Agrees to it.
pub(super) async fn approve(officer: &Session, of: &Value) -> Outcome<()> {
    decide(officer, of, &json!({ "decision": "approve" })).await
}
