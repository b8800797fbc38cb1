//! Asks WeChat about one text or picture, after the commit that wrote it, and again until it has said something.
//!
//! A job that finds WeChat away is no failure: it ends, and the next one is due later ([`rules::wait`]). So an outage of days leaves neither dead
//! jobs nor texts that nobody looks at: after [`rules::PATIENCE`] a person does.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::model::{ContentCheck, ContentKind, ContentState};
use super::rules::{self, Outcome};
use super::{Sources, checking, store};
use crate::clock::{SharedClock, civil_day};
use crate::error::{Code, Error, Result};
use crate::ids::{ContentCheckId, FileId, Ids};
use crate::platform::audit::{self, Entry};
use crate::platform::db::{Conn, Db};
use crate::platform::files::Files;
use crate::platform::outbox::{self, Job, JobHandler};
use crate::platform::wechat::{CheckScene, WechatClient, WechatError};
use crate::policy;

/// The job that asks.
pub const CHECK: &str = "content.check";
/// How long WeChat is taken to be away after it did not answer.
const AWAY_SECONDS: i64 = 10;
/// Characters that WeChat takes at once.
const TEXT_MAX: &str = "wx.text_max";

/// Asks WeChat.
pub struct Check {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Whom to ask.
    pub wechat: WechatClient,
    /// As which mini-program.
    pub appid: String,
    /// Who gives the texts.
    pub sources: Sources,
    /// Makes links to pictures.
    pub files: Files,
    /// Where WeChat fetches them.
    pub public_url: String,
    /// Whether it is asked at all: what was written before that was switched off passes.
    pub on: bool,
    /// Until when WeChat is taken to be away, in seconds: hundreds of texts do not wait for as many time-outs, one after the other.
    pub away_until: AtomicI64,
}

/// What a job is about.
struct Task {
    check: ContentCheckId,
    version: i64,
    tries: u32,
}

fn task(job: &Job) -> Result<Task> {
    let payload: Value = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    let check = payload.get("check_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let version = payload.get("version").and_then(Value::as_i64);
    let tries = payload.get("tries").and_then(Value::as_u64).and_then(|tries| u32::try_from(tries).ok());
    match (check, version) {
        (Some(check), Some(version)) => Ok(Task { check, version, tries: tries.unwrap_or(0) }),
        _ => Err(Error::internal("a job names no check")),
    }
}

/// What to ask, with whom.
enum Question {
    Text { openid: String, scene: CheckScene, text: String, most: usize },
    Picture { openid: String, url: String },
    Answered(Outcome),
}

impl JobHandler for Check {
    fn kind(&self) -> &'static str {
        CHECK
    }

    fn is_long(&self) -> bool {
        true
    }

    fn prepare(&self, db: &Db, job: &Job) -> Result<()> {
        let (task, now) = (task(job)?, self.clock.now());
        let Some(check) = db.read_blocking(|conn| waiting(conn, &task))? else { return Ok(()) };
        let question = db.read_blocking(|conn| self.question(conn, &check, now))?;
        let mut outcome = self.ask(question, now);
        if outcome == Outcome::Later && now - check.asked_at.and_utc() >= rules::PATIENCE {
            outcome = Outcome::Unaskable;
        }
        db.write_blocking(|conn| settle_in_tx(conn, &task, &outcome, now))
    }

    /// What still waits is asked about again, later; a picture when its verdict should have come.
    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let (task, now) = (task(job)?, self.clock.now());
        let Some(check) = waiting(conn, &task)? else { return Ok(()) };
        let (tries, wait): (u32, TimeDelta) = match check.trace_id {
            Some(_) => (task.tries, rules::PICTURE_TERM),
            None => (task.tries.saturating_add(1), rules::wait(task.tries)),
        };
        let next = checking::job(check.id, task.version, tries, now + wait);
        outbox::enqueue_in_tx(conn, &self.ids, now, vec![next])
    }
}

/// The check of a job, where its text has not been judged, nor written anew.
fn waiting(conn: &mut Conn, task: &Task) -> Result<Option<ContentCheck>> {
    let check = match store::get(conn, task.check) {
        // Erased with whoever wrote it.
        Err(error) if error.code() == Code::NotFound => return Ok(None),
        found => found?,
    };
    Ok((check.state == ContentState::Waiting && check.version == task.version).then_some(check))
}

impl Check {
    fn question(&self, conn: &mut Conn, check: &ContentCheck, now: DateTime<Utc>) -> Result<Question> {
        if !self.on {
            return Ok(Question::Answered(Outcome::Gone));
        }
        let Some(openid) = store::openid_of(conn, &self.appid, check.person_id)? else {
            return Ok(Question::Answered(Outcome::Unaskable));
        };
        if check.kind == ContentKind::Picture {
            let path = self.files.check_path(FileId(check.row()?), now);
            let url = format!("{}{path}", self.public_url.trim_end_matches('/'));
            return Ok(Question::Picture { openid, url });
        }
        let Some(text) = self.sources.text_of(conn, check)?.filter(|text| !text.trim().is_empty()) else {
            return Ok(Question::Answered(Outcome::Gone));
        };
        let most = policy::store::number_on(conn, TEXT_MAX, civil_day(now))?;
        let scene = if self.sources.is_profile(check) { CheckScene::Profile } else { CheckScene::Comment };
        Ok(Question::Text { openid, scene, text, most: usize::try_from(most).unwrap_or(0) })
    }

    /// Jobs run on threads that may wait, beside the runtime that the connections to WeChat live in.
    fn ask(&self, question: Question, now: DateTime<Utc>) -> Outcome {
        if let Question::Answered(outcome) = question {
            return outcome;
        }
        if now.timestamp() < self.away_until.load(Ordering::Relaxed) {
            return Outcome::Later;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Outcome::Later };
        let asked = match question {
            Question::Answered(outcome) => Ok(outcome),
            Question::Text { openid, scene, text, most } => {
                runtime.block_on(self.wechat.text_check(&openid, scene, &text, most)).map(Outcome::Judged)
            }
            Question::Picture { openid, url } => runtime
                .block_on(self.wechat.media_check(&openid, CheckScene::Comment, &url))
                .map(Outcome::Traced),
        };
        asked.unwrap_or_else(|error| {
            if matches!(error, WechatError::Timeout { .. } | WechatError::Unreachable { .. }) {
                self.away_until.store(now.timestamp() + AWAY_SECONDS, Ordering::Relaxed);
            }
            rules::failed(&error)
        })
    }
}

fn settle_in_tx(conn: &mut Conn, task: &Task, outcome: &Outcome, now: DateTime<Utc>) -> Result<()> {
    let (id, version) = (task.check, task.version);
    match outcome {
        Outcome::Judged(verdict) => {
            let state = rules::judged(*verdict);
            judge_in_tx(conn, (id, version), state, Some(verdict.label), now)
        }
        Outcome::Gone => judge_in_tx(conn, (id, version), ContentState::Passed, None, now),
        Outcome::Unaskable => judge_in_tx(conn, (id, version), ContentState::Held, None, now),
        Outcome::Traced(trace) => store::traced_in_tx(conn, id, version, Some(trace)).map(drop),
        Outcome::Later => store::traced_in_tx(conn, id, version, None).map(drop),
    }
}

/// Settles what waits at `version`; what is held stands in the audit.
pub(super) fn judge_in_tx(
    conn: &mut Conn,
    (id, version): (ContentCheckId, i64),
    state: ContentState,
    label: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    let settled = store::settled_in_tx(conn, id, version, state, label)?;
    if !settled || state != ContentState::Held {
        return Ok(());
    }
    let entry = Entry::system("content.hold", id).detail(json!({ "label": label }));
    audit::append_in_tx(conn, now, vec![entry])
}
